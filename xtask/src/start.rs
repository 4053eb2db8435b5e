//! `start`: the reader's desk. The book on this machine with live progress, and the verdict on every save.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use judge::process;
use process_wrap::std::ChildWrapper;

use crate::args::Parsed;
use crate::failure::Failure;
use crate::watch::{self, Signal};
use crate::workbook::Workbook;
use crate::{book, handout, open, report, ui};

const PORT: u16 = 3000;

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    if !book::has_builder(&workbook) {
        let (send, signals) = std::sync::mpsc::channel();
        let front = handout::built_page(&workbook.catalog.root, "index.html");
        let front = front.unwrap_or_else(|| workbook.catalog.root.join("book/src/SUMMARY.md"));
        ui::print(&format!("The book: {}\n", ui::bold(&workbook.relative(&front))));
        return watch::watch(&[], &send, &signals);
    }
    let port = free_port(parsed.number("port")?)?;
    let (send, signals) = std::sync::mpsc::channel();
    let server = Server::start(&workbook, port, parsed.has("no-open"), send.clone())?;
    ui::print(&format!(
        "The book is being built and will be at {}\n  its log: {}\n",
        ui::bold(&format!("http://localhost:{port}")),
        workbook.relative(&server.log)
    ));
    let outcome = watch::watch(&[], &send, &signals);
    drop(server);
    outcome
}

/// The builder's process with a thread that waits for it. Dropping it ends both.
struct Server {
    log: PathBuf,
    address_file: PathBuf,
    stop: Arc<AtomicBool>,
    waiter: Option<JoinHandle<()>>,
}

impl Server {
    fn start(workbook: &Workbook, port: u16, quiet: bool, send: Sender<Signal>) -> Result<Self, Failure> {
        let log = workbook.target.join("workbook/book.log");
        let address_file = report::address_file(&workbook.target);
        fs::create_dir_all(workbook.target.join("workbook"))
            .and_then(|()| File::create(&log))
            .map_err(|error| Failure::from(std::io::Error::new(error.kind(), format!("{}: {error}", log.display()))))?;
        let open_log = || File::options().append(true).open(&log);
        let mut command = book::builder(workbook, "serve");
        command.args(["--port", &port.to_string()]);
        command.stdin(std::process::Stdio::null()).stdout(open_log()?).stderr(open_log()?);
        let child = process::spawn(command).map_err(|error| Failure::new(format!("cannot start cargo: {error}")))?;
        let stop = Arc::new(AtomicBool::new(false));
        let waiter = {
            let (stop, log, address_file) = (Arc::clone(&stop), log.clone(), address_file.clone());
            thread::spawn(move || wait(child, &stop, port, quiet, &log, &address_file, &send))
        };
        Ok(Self { log, address_file, stop, waiter: Some(waiter) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = self.waiter.take().map(JoinHandle::join);
        let _ = fs::remove_file(&self.address_file);
    }
}

/// Announces the book when it answers, or its end if it comes first; ends it when asked.
fn wait(
    mut child: Box<dyn ChildWrapper>,
    stop: &AtomicBool,
    port: u16,
    quiet: bool,
    log: &Path,
    address_file: &Path,
    send: &Sender<Signal>,
) {
    let mut announced = false;
    loop {
        if stop.load(Ordering::SeqCst) || judge::stop::requested() {
            let _ = child.start_kill();
            let _ = child.wait();
            return;
        }
        if !matches!(child.try_wait(), Ok(None)) {
            let _ = fs::remove_file(address_file);
            let _ = send.send(Signal::Say(format!(
                "{} The book's server ended; checks go on. Its last words, from {}:\n{}\n",
                ui::warn("!"),
                log.display(),
                last_lines(log)
            )));
            return;
        }
        if !announced && answers(port) {
            announced = true;
            let _ = judge::files::write_atomically(address_file, port.to_string().as_bytes());
            let address = format!("http://localhost:{port}");
            let said = if quiet { String::new() } else { open::show(&address) };
            let _ = send.send(Signal::Say(format!("{} the book is at {address}\n{said}", ui::good("✓"))));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn answers(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_millis(50)).is_ok()
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// The port that was asked for, or the first free one from 3000.
fn free_port(asked: Option<u64>) -> Result<u16, Failure> {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    match asked {
        Some(port) => {
            let port = u16::try_from(port).map_err(|_| Failure::new(format!("there is no port {port}: 1 to 65535")))?;
            Some(port).filter(is_free).ok_or_else(|| {
                Failure::with_fix(format!("port {port} is taken or not allowed"), "choose another with --port")
            })
        }
        None => (PORT..PORT + 20).find(is_free).ok_or_else(|| {
            Failure::with_fix(format!("ports {PORT} to {} are all taken", PORT + 19), "choose another with --port")
        }),
    }
}
