//! The local server: the book on localhost, rebuilt on every save, with the reader's progress live.
//!
//! Pages learn that they are served from `data-live` on `<body>`; it names the stream of server-sent events:
//! `progress` (the JSON of [`progress::of`]) at once and on every change, `reload` when the pages were rebuilt.

mod http;
mod paint;
mod watch;

use crate::{Project, progress, site};
use anyhow::{Context, Result, bail};
use http::{Request, Response};
use std::{
    io::{ErrorKind, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};
use watch::Watch;

/// Where the server listens unless told otherwise; if it is taken, one of the next few.
pub const PORT: u16 = 3000;
const PORTS_TO_TRY: u16 = 10;
/// How often files are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often an idle stream shows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Builds the book into `out`, serves it on localhost and keeps both up to date until the process ends. Prints the
/// address as soon as it answers.
///
/// # Errors
/// If no port can be had. A page that cannot be built is printed and shown in the browser; the server goes on.
pub fn run(project: &Project, out: &Path, port: Option<u16>) -> Result<()> {
    let listener = listen(port)?;
    let address = format!("http://localhost:{}/", listener.local_addr()?.port());
    println!("serving {address}");
    std::io::stdout().flush()?;
    let state = Arc::new(State { out: out.to_owned(), ..State::default() });
    {
        let (state, project) = (Arc::clone(&state), project.clone());
        thread::spawn(move || keep_fresh(&state, &project));
    }
    for stream in listener.incoming() {
        // A connection that fails is the browser's to open again.
        let Ok(stream) = stream else { continue };
        let state = Arc::clone(&state);
        thread::spawn(move || state.answer(stream));
    }
    Ok(())
}

/// Serves the book in `out` as it is, as any web server would, and returns its address. Ends with the process.
///
/// # Errors
/// If no port can be had.
pub fn plain(out: &Path) -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("the book cannot be served on localhost")?;
    let address = format!("http://{}/", listener.local_addr()?);
    let out = out.to_owned();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let out = out.clone();
            thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
                if let Some(request) = Request::read(&mut stream) {
                    // The browser may have gone.
                    let _ = http::file(&out, &request.path, None).write(&mut stream, request.head_only);
                }
            });
        }
    });
    Ok(address)
}

/// A listener on `port`, or on the first free one from [`PORT`] if none is named.
fn listen(port: Option<u16>) -> Result<TcpListener> {
    if let Some(port) = port {
        return TcpListener::bind(("127.0.0.1", port))
            .with_context(|| format!("port {port} cannot be used; name another with --port"));
    }
    for port in PORT..PORT + PORTS_TO_TRY {
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).context("the book cannot be served on localhost"),
        }
    }
    bail!("ports {PORT} to {} are all taken; name a free one with --port", PORT + PORTS_TO_TRY - 1)
}

/// Rebuilds when a source changes and tells progress when a verdict does.
fn keep_fresh(state: &State, project: &Project) {
    let (mut pages, mut verdicts) = (Watch::pages(project), Watch::progress(project));
    let mut building = true;
    loop {
        if building {
            let fault = match site::build(project, &state.out) {
                Ok(took) => {
                    println!("built in {:.1} s", took.as_secs_f64());
                    None
                }
                Err(error) => {
                    eprintln!("error: {error:#}");
                    Some(format!("{error:#}"))
                }
            };
            *state.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
            state.tell("event: reload\ndata: {}\n\n");
        }
        if building || verdicts.changed() {
            let now = progress::of(project).to_string();
            let mut last = state.progress.lock().unwrap_or_else(PoisonError::into_inner);
            if *last != now {
                last.clone_from(&now);
                drop(last);
                state.tell(&progress_event(&now));
            }
        }
        thread::sleep(LOOK);
        building = pages.changed();
    }
}

fn progress_event(json: &str) -> String {
    format!("event: progress\ndata: {json}\n\n")
}

/// What the threads share.
#[derive(Default)]
struct State {
    out: PathBuf,
    listeners: Mutex<Vec<mpsc::Sender<String>>>,
    progress: Mutex<String>,
    /// Nothing before the first build; then whether the last one failed, and why.
    fault: Mutex<Option<Option<String>>>,
}

impl State {
    /// Sends `event` to every open page.
    fn tell(&self, event: &str) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.send(event.to_owned()).is_ok());
    }

    fn answer(&self, mut stream: TcpStream) {
        // A browser may open a connection and say nothing.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let Some(request) = Request::read(&mut stream) else { return };
        let response = match request.path.as_str() {
            "/__events" => {
                // Ends when the page goes away.
                let _ = self.stream_events(stream);
                return;
            }
            "/__progress.json" => {
                let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Response::ok("application/json", progress.into_bytes())
            }
            path => self.page(path),
        };
        // The browser may have gone.
        let _ = response.write(&mut stream, request.head_only);
    }

    fn page(&self, path: &str) -> Response {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (path.ends_with(".html") || path.ends_with('/'), fault) {
            (true, None) => {
                Response::ok(http::HTML, notice("The book is being built", "It will appear here.", true).into_bytes())
            }
            (true, Some(Some(fault))) => {
                Response::ok(http::HTML, notice("The book cannot be built", &fault, false).into_bytes())
            }
            _ => {
                let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
                http::file(&self.out, path, Some(&serde_json::from_str(&progress).unwrap_or_default()))
            }
        }
    }

    fn stream_events(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.write_all(http::EVENT_STREAM.as_bytes())?;
        let (sender, events) = mpsc::channel();
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !progress.is_empty() {
            stream.write_all(progress_event(&progress).as_bytes())?;
        }
        loop {
            match events.recv_timeout(HEARTBEAT) {
                Ok(event) => stream.write_all(event.as_bytes())?,
                Err(mpsc::RecvTimeoutError::Timeout) => stream.write_all(b": alive\n\n")?,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }
}

/// A page without the book around it, which loads anew when there is one. While the first build runs it also asks again by
/// itself: the build may end before the page listens.
fn notice(title: &str, text: &str, ask_again: bool) -> String {
    let again = if ask_again { "<meta http-equiv=\"refresh\" content=\"1\">" } else { "" };
    let text = crate::html::escape(text);
    format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">{again}\
         <title>{title}</title><style>:root{{color-scheme:light dark}}body{{font:16px/1.6 system-ui,sans-serif;margin:3em auto;\
         max-width:60em;padding:0 1em}}pre{{white-space:pre-wrap}}</style><h1>{title}</h1><pre>{text}</pre>\
         <script>new EventSource('/__events').addEventListener('reload',function(){{location.reload()}})</script>"
    )
}

#[cfg(test)]
#[path = "serve/tests.rs"]
mod tests;
