//! How fast is it, beside what? One command, about two minutes, everything on this machine:
//!
//! `cargo run --release -p url-shortener-solution -- load --write book/src/17-synthesis/README.md`
//!
//! Other processes serve; this one asks over loopback, on the same cores. Rates come from clients that send as fast as they are
//! answered. Latencies come from a timetable: each request has a moment at which it is due, and waits from that moment on, whether or
//! not an earlier one was late (no coordinated omission). The processor time of a request is the server's own, and is the figure
//! that a busy machine disturbs least.

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use url_shortener::code::{Hashed, Scheme as _};
use url_shortener::parts::histogram::{Histogram, Micros, Quantile};

use crate::http::{Connection, ask};
use crate::process::Service;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Connections of the clients that measure redirects, and of those that measure creates.
const VISITORS: usize = 16;
const AUTHORS: usize = 128;
/// Links that are visited.
const HOT: u64 = 1_000;
/// How often each is asked for a span of time.
const ROUNDS: usize = 3;

struct Plan {
    span: Duration,
    links: u64,
    write: Option<PathBuf>,
}

/// Measures, with what these words say.
pub fn run(words: impl Iterator<Item = String>) -> Fallible<()> {
    let mut plan = Plan { span: Duration::from_secs(3), links: 10_000_000, write: None };
    let mut words = words;
    while let Some(word) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{word} needs a value; there are --seconds, --links and --write FILE"))?;
        match word.as_str() {
            "--seconds" => plan.span = Duration::from_secs_f64(value.parse()?),
            "--links" => plan.links = value.parse()?,
            "--write" => plan.write = Some(value.into()),
            _ => return Err(format!("{word} is unknown; there are --seconds, --links and --write FILE").into()),
        }
    }
    let report = measure(&plan)?;
    println!("{report}");
    if let Some(file) = plan.write {
        write_between(&file, &report)?;
    }
    Ok(())
}

fn measure(plan: &Plan) -> Fallible<String> {
    let folder = tempfile::tempdir()?;
    let program = std::env::current_exe()?;
    let quiet = ["--burst", "1000000000", "--creates-per-second", "1000000000", "--log-per-million", "10000"];
    let database = folder.path().join("links.db");
    let start = |more: &[&str]| Service::start(&program, &database, &[&quiet[..], more].concat());

    eprintln!("making {HOT} links …");
    let service = start(&[])?;
    let paths: Arc<[String]> = (0..HOT).map(|n| link(service.address, n)).collect::<Fallible<Vec<_>>>()?.into();
    let nowhere: Arc<[String]> = (0..HOT).map(|n| format!("/{}", Hashed.candidate(&n.to_string(), 7))).collect();
    drop(service);

    // All are up at once and are asked in turns, so that whatever else the machine does disturbs them alike.
    let copy = folder.path().join("copy.db");
    checkpoint(&rusqlite::Connection::open(&database)?)?;
    std::fs::copy(&database, &copy)?;
    let cached = start(&[])?;
    let uncached = Service::start(&program, &copy, &[&quiet[..], &["--no-cache"]].concat())?;
    let plain = Service::start(&program, &database, &["bare"])?;
    let nginx = Nginx::start(folder.path()).map_err(|why| eprintln!("skipped: nginx ({why})")).ok();
    let of = |service: &Service| (service.address, vec![service.child.id()]);
    let (ours, theirs, bare) = (of(&cached), of(&uncached), of(&plain));
    let mut subjects = vec![
        Subject::new("cached\u{a0}link", &ours, &paths, 302),
        Subject::new("unknown\u{a0}code", &ours, &nowhere, 404),
        Subject::new("link, no\u{a0}cache", &theirs, &paths, 302),
        Subject::new("unknown\u{a0}code, no\u{a0}filter", &theirs, &nowhere, 404),
        Subject::new("bare axum\u{a0}handler", &bare, &paths, 302),
    ];
    if let Some(nginx) = &nginx {
        subjects.push(Subject::new("nginx, `return 302`", &(nginx.address, nginx.workers()), &paths, 302));
    }
    for round in 0..=ROUNDS {
        eprintln!("round {round} of {ROUNDS} …");
        for subject in &mut subjects {
            // The first round warms up, and is forgotten.
            subject.flood(if round == 0 { plan.span / 8 } else { plan.span }, round > 0)?;
        }
    }
    let rate = subjects[0].rate() / 2.0; // the same timetable for all: half of what our own service bears
    let mut rows = vec![];
    for subject in &subjects {
        eprintln!("{} by the timetable …", subject.name);
        let (latency, late) = timetable(subject.host, &subject.paths, rate, plan.span, subject.expected)?;
        let at = |share| {
            Quantile::per_million(share).and_then(|share| latency.quantile(share)).map_or(0, |Micros(micros)| micros)
        };
        let spent = subject.spent().map_or("–".to_owned(), |micros| format!("{micros:.1} µs"));
        let late = if late { " (fell behind)" } else { "" };
        rows.push(format!(
            "| {} | {} | {spent} | {} | {} | {}{late} |",
            subject.name,
            thousands(subject.rate()),
            micros(at(500_000)),
            micros(at(990_000)),
            micros(at(999_000))
        ));
    }
    let times = |one: usize, other: usize| subjects[one].rate() / subjects[other].rate();
    let (to_bare, to_uncached, to_unfiltered) = (times(0, 4), times(0, 2), times(1, 3));
    let to_nginx = nginx.as_ref().map(|_| times(0, 5));
    drop((cached, uncached, plain, nginx));

    eprintln!("creates …");
    let service = start(&[])?;
    let (made, took, commits) = authors(service.address, plan.span)?;
    drop(service);
    let creates = made as f64 / took.as_secs_f64();

    eprintln!("a file with {} links …", plan.links);
    let large = folder.path().join("large.db");
    drop(Service::start(&program, &large, &quiet)?); // makes the tables
    let bytes = fill(&large, plan.links)?;
    let began = Instant::now();
    let service = Service::start(&program, &large, &quiet)?;
    let (opened, empty) = (began.elapsed(), service.memory());
    let many: Arc<[String]> =
        (0..150_000.min(plan.links)).map(|n| format!("/{}", Hashed.candidate(&url_of(n), 0))).collect();
    visit_all(service.address, &many)?;
    let full = service.memory();
    drop(service);
    let megabytes =
        |bytes: Option<u64>| bytes.map_or("unknown".to_owned(), |bytes| format!("{:.0} MB", bytes as f64 / 1e6));

    let mut report = format!(
        "On {}.\n\n| | answers/s | processor | p50 | p99 | p99.9 |\n|---|---:|---:|---:|---:|---:|\n{}\n\n",
        machine(),
        rows.join("\n")
    );
    report += &format!(
        "Medians of {ROUNDS} rounds: first the service as it is, then without cache and filter, then others. *Processor* is the server's time for one answer. One request in a hundred is logged. Latencies are at {} requests a second, from the moment each was due. From the cache it is {:.0} % of the bare handler's rate",
        thousands(rate),
        to_bare * 100.0
    );
    report += &to_nginx.map_or(", and nginx was not installed.\n".to_owned(), |share| {
        format!(", and {:.0} % of nginx's.\n", share * 100.0)
    });
    report += &format!(
        "With cache and filter it answers {to_uncached:.1} times as many visits of links as without, and {to_unfiltered:.1} times as many of codes that never were.\n\n"
    );
    report += &format!(
        "Creates: {} a second from {AUTHORS} clients, each on disk (`synchronous=FULL`) before it is answered, {:.0} to a transaction.\n\n",
        thousands(creates),
        made as f64 / commits.max(1) as f64
    );
    report += &format!(
        "With {} links the file has {:.0} MB; the service starts in {:.1} s, takes {} of memory, and {} when its cache of 100,000 links is full.\n",
        thousands(plan.links as f64),
        bytes as f64 / 1e6,
        opened.as_secs_f64(),
        megabytes(empty),
        megabytes(full)
    );
    Ok(report)
}

/// What is measured: who is asked for what, and what came of it.
struct Subject {
    name: &'static str,
    host: SocketAddr,
    processes: Vec<u32>,
    paths: Arc<[String]>,
    expected: u16,
    rates: Vec<f64>,
    answered: u64,
    spent: Option<f64>,
}

impl Subject {
    fn new(name: &'static str, of: &(SocketAddr, Vec<u32>), paths: &Arc<[String]>, expected: u16) -> Self {
        let (host, processes) = of.clone();
        Self { name, host, processes, paths: Arc::clone(paths), expected, rates: vec![], answered: 0, spent: Some(0.0) }
    }

    fn flood(&mut self, span: Duration, counts: bool) -> Fallible<()> {
        let before = processor_times(&self.processes);
        let (answered, took) = flood(self.host, &self.paths, span, self.expected)?;
        let after = processor_times(&self.processes);
        if counts {
            self.rates.push(answered as f64 / took.as_secs_f64());
            self.answered += answered;
            self.spent = self.spent.and_then(|spent| Some(spent + after? - before?));
        }
        Ok(())
    }

    /// Answers a second: the median of the rounds.
    fn rate(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    }

    /// The servers' processor time for one answer, in microseconds.
    fn spent(&self) -> Option<f64> {
        self.spent.map(|seconds| seconds / self.answered as f64 * 1e6)
    }
}

fn url_of(n: u64) -> String {
    format!("https://example.com/articles/2026/11/{n}")
}

fn link(host: SocketAddr, n: u64) -> Fallible<String> {
    let response = ask(host, "POST", "/api/links", &[], &format!("{{\"url\":\"{}\"}}", url_of(n)))?;
    let location = response.header("location").and_then(|short| short.rsplit('/').next());
    Ok(format!("/{}", location.ok_or_else(|| format!("no link: {response:?}"))?))
}

/// Visits from many connections, each as fast as it is answered: how many, and in what time.
fn flood(host: SocketAddr, paths: &Arc<[String]>, span: Duration, expected: u16) -> Fallible<(u64, Duration)> {
    let began = Instant::now();
    let threads: Vec<_> = (0..VISITORS)
        .map(|visitor| {
            let paths = Arc::clone(paths);
            std::thread::spawn(move || -> Fallible<u64> {
                let mut connection = Connection::open(host)?;
                let requests: Vec<Vec<u8>> =
                    paths.iter().map(|path| connection.request("GET", path, &[], "")).collect();
                let mut answered = 0;
                let mut at = visitor * 61;
                while began.elapsed() < span {
                    at = (at + 7) % requests.len();
                    connection.send(&requests[at])?;
                    let status = connection.status()?;
                    if status != expected {
                        return Err(format!("{} was answered {status}", paths[at]).into());
                    }
                    answered += 1;
                }
                Ok(answered)
            })
        })
        .collect();
    let mut answered = 0;
    for thread in threads {
        answered += thread.join().map_err(|_| "a visitor panicked")??;
    }
    Ok((answered, began.elapsed()))
}

/// Visits by a timetable, and whether its end was reached more than a tenth of the span too late.
fn timetable(
    host: SocketAddr,
    paths: &Arc<[String]>,
    rate: f64,
    span: Duration,
    expected: u16,
) -> Fallible<(Histogram, bool)> {
    let each = Duration::from_secs_f64(VISITORS as f64 / rate);
    let began = Instant::now() + Duration::from_millis(20);
    let threads: Vec<_> = (0..VISITORS)
        .map(|visitor| {
            let paths = Arc::clone(paths);
            std::thread::spawn(move || -> Fallible<Histogram> {
                let mut connection = Connection::open(host)?;
                let requests: Vec<Vec<u8>> =
                    paths.iter().map(|path| connection.request("GET", path, &[], "")).collect();
                let mut latency = Histogram::default();
                let mut due = began + each.mul_f64(visitor as f64 / VISITORS as f64);
                let mut at = visitor * 61;
                // Who has fallen hopelessly behind stops; what was measured until then says so.
                while due < began + span && began.elapsed() < span * 3 {
                    let now = Instant::now();
                    if now < due {
                        std::thread::sleep(due - now);
                    }
                    at = (at + 7) % requests.len();
                    connection.send(&requests[at])?;
                    let status = connection.status()?;
                    if status != expected {
                        return Err(format!("{} was answered {status}", paths[at]).into());
                    }
                    latency.record(Micros(due.elapsed().as_micros() as u64));
                    due += each;
                }
                Ok(latency)
            })
        })
        .collect();
    let mut all = Histogram::default();
    for thread in threads {
        all.merge(&thread.join().map_err(|_| "a visitor panicked")??);
    }
    Ok((all, began.elapsed() > span.mul_f64(1.1)))
}

/// New links from many connections: how many, in what time, and in how many transactions.
fn authors(host: SocketAddr, span: Duration) -> Fallible<(u64, Duration, u64)> {
    let commits = || -> Fallible<u64> {
        let page = ask(host, "GET", "/metrics", &[], "")?.body;
        let line = page.lines().find_map(|line| line.strip_prefix("shortener_commits_total "));
        Ok(line.unwrap_or("0").parse()?)
    };
    let before = commits()?;
    let (made, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let began = Instant::now();
    let threads: Vec<_> = (0..AUTHORS)
        .map(|author| {
            let (made, stop) = (Arc::clone(&made), Arc::clone(&stop));
            std::thread::spawn(move || -> Fallible<()> {
                let mut connection = Connection::open(host)?;
                for n in 0.. {
                    let body = format!("{{\"url\":\"https://example.com/by/{author}/{n}\"}}");
                    let request = connection.request("POST", "/api/links", &[], &body);
                    connection.send(&request)?;
                    let status = connection.status()?;
                    if status != 201 {
                        return Err(format!("a new link was answered {status}").into());
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
                Ok(())
            })
        })
        .collect();
    std::thread::sleep(span);
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().map_err(|_| "an author panicked")??;
    }
    Ok((made.load(Ordering::Relaxed), began.elapsed(), commits()? - before))
}

/// Visits each once.
fn visit_all(host: SocketAddr, paths: &Arc<[String]>) -> Fallible<()> {
    let threads: Vec<_> = (0..VISITORS)
        .map(|visitor| {
            let paths = Arc::clone(paths);
            std::thread::spawn(move || -> Fallible<()> {
                let mut connection = Connection::open(host)?;
                for path in paths.iter().skip(visitor).step_by(VISITORS) {
                    let request = connection.request("GET", path, &[], "");
                    connection.send(&request)?;
                    let status = connection.status()?;
                    if status != 302 {
                        return Err(format!("{path} was answered {status}").into());
                    }
                }
                Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a visitor panicked")??;
    }
    Ok(())
}

/// Moves what is in the write-ahead log into the file.
fn checkpoint(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// So many links, written past the service; in the order of their codes, or the disk would seek for an hour. How large the file is.
fn fill(file: &Path, links: u64) -> Fallible<u64> {
    let mut codes: Vec<(u64, u64)> = (0..links).map(|n| (Hashed.candidate(&url_of(n), 0).number(), n)).collect();
    codes.sort_unstable();
    let mut connection = rusqlite::Connection::open(file)?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT OR IGNORE INTO links (code, target) VALUES (?, ?)")?;
        for (code, n) in codes {
            insert.execute(rusqlite::params![code as i64, url_of(n)])?;
        }
    }
    transaction.commit()?;
    checkpoint(&connection)?;
    drop(connection);
    Ok(std::fs::metadata(file)?.len())
}

fn processor_times(processes: &[u32]) -> Option<f64> {
    (!processes.is_empty()).then(|| processes.iter().map(|&process| processor_time(process)).sum())?
}

/// Processor time that a process has used, in seconds, where the system says so.
fn processor_time(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(ticks as f64 / 100.0)
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let name = name.unwrap_or("unknown processor");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    format!("{cores} cores ({name}), clients included; load average at the end {load}")
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn micros(micros: u64) -> String {
    if micros < 1_000 { format!("{micros} µs") } else { format!("{:.1} ms", micros as f64 / 1e3) }
}

/// Puts the report between the two lines of the page that wait for it.
fn write_between(file: &Path, report: &str) -> Fallible<()> {
    let text = std::fs::read_to_string(file)?;
    let (begin, end) = ("<!-- measured by the load script -->\n", "<!-- end of what was measured -->");
    let (before, rest) = text.split_once(begin).ok_or("the page has no place for the figures")?;
    let (_, after) = rest.split_once(end).ok_or("the page has no end of the figures")?;
    std::fs::write(file, format!("{before}{begin}\n{report}\n{end}{after}"))?;
    Ok(())
}

/// The least that axum does for a redirect: one route, one constant.
pub fn bare() -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{{\"listening\":\"{}\"}}", listener.local_addr()?);
        let redirect = || async {
            let location = [(axum::http::header::LOCATION, "https://example.com/articles/2026/11/1")];
            (axum::http::StatusCode::FOUND, location)
        };
        let router = axum::Router::new().route("/{code}", axum::routing::get(redirect));
        axum::serve(listener, router).await?;
        Ok(())
    })
}

/// Another server that answers every request with the same redirect.
struct Nginx {
    child: Child,
    address: SocketAddr,
}

impl Nginx {
    fn start(folder: &Path) -> Fallible<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let folder = folder.join("nginx");
        std::fs::create_dir_all(&folder)?;
        let at = folder.display();
        let configuration = format!(
            "daemon off; worker_processes auto; pid {at}/pid; error_log {at}/errors;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n\
             fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
             server {{ listen {address}; location / {{ return 302 https://example.com/articles/2026/11/1; }} }} }}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, configuration)?;
        let path = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("nginx");
        command.env("PATH", path).arg("-p").arg(&folder).arg("-c").arg(&file);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let nginx = Self { child, address };
        for _ in 0..100 {
            if Connection::open(address).is_ok() {
                return Ok(nginx);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("it never listened".into())
    }

    /// The processes that answer.
    fn workers(&self) -> Vec<u32> {
        let master = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|child| child.parse().ok()).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with their master, if that is asked and not killed.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
