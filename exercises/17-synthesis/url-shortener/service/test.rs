//! The service as its users meet it: another process, a real socket, a real file; killed and started again.

mod browser;
mod http;
mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use browser::Browser;
use http::{Connection, Response, ask, quoted};
use process::Service;
use serde_json::Value;
use tempfile::TempDir;

/// So many creates that no limit is in the way.
const UNLIMITED: [&str; 4] = ["--burst", "1000000", "--creates-per-second", "1000000"];

fn program() -> PathBuf {
    let own = option_env!("CARGO_BIN_EXE_url-shortener").or(option_env!("CARGO_BIN_EXE_url-shortener-solution"));
    PathBuf::from(own.expect("cargo builds the program before its tests"))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn start(folder: &TempDir, options: &[&str]) -> Service {
    start_over(&folder.path().join("links.db"), options)
}

fn start_over(database: &Path, options: &[&str]) -> Service {
    Service::start(&program(), database, options).unwrap_or_else(|why| panic!("{why}"))
}

fn create(host: SocketAddr, url: &str) -> Response {
    let body = format!("{{\"url\":{}}}", quoted(url));
    ask(host, "POST", "/api/links", &[("content-type", "application/json")], &body).expect("an answer")
}

fn json(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|error| panic!("{error}: {response:?}"))
}

/// Makes a link and gives its code.
fn made(host: SocketAddr, url: &str) -> String {
    let response = create(host, url);
    assert!([200, 201].contains(&response.status), "{url} is a URL: {response:?}");
    json(&response)["code"].as_str().expect("a code").to_owned()
}

fn visit(host: SocketAddr, code: &str) -> Response {
    ask(host, "GET", &format!("/{code}"), &[], "").expect("an answer")
}

fn is_problem(response: &Response, status: u16, kind: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.header("content-type"), Some("application/problem+json"), "{response:?}");
    let problem = json(response);
    assert_eq!(problem["type"], format!("/problems/{kind}"), "{response:?}");
    assert_eq!(problem["status"], status, "{response:?}");
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{response:?}");
}

/// Waits until the clicks of a link are so many.
fn clicks_become(host: SocketAddr, code: &str, clicks: u64) {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let said = json(&ask(host, "GET", &format!("/api/links/{code}"), &[], "").expect("an answer"));
        if said["clicks"] == clicks {
            return;
        }
        assert!(Instant::now() < end, "{clicks} clicks were made, and it says {said}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_url_is_shortened_followed_and_its_clicks_are_counted() {
    let folder = folder();
    let service = start(&folder, &[]);
    let response = create(service.address, "HTTPS://Example.com:443/a?b=c#d");
    assert_eq!(response.status, 201, "{response:?}");
    let said = json(&response);
    let code = said["code"].as_str().expect("a code");
    assert_eq!(said["short"], format!("http://{}/{code}", service.address));
    assert_eq!(said["target"], "https://example.com/a?b=c#d", "in its normal form");
    assert_eq!(response.header("location"), said["short"].as_str());

    for _ in 0..3 {
        let response = visit(service.address, code);
        assert_eq!((response.status, response.header("location")), (302, Some("https://example.com/a?b=c#d")));
        assert_eq!(response.header("cache-control"), Some("no-store"), "a click that is not asked for is not counted");
    }
    clicks_become(service.address, code, 3);
    let again = create(service.address, "https://example.com/a?b=c#d");
    assert_eq!((again.status, json(&again)["code"].as_str()), (200, Some(code)), "the same URL, the same link");
}

#[test]
fn with_redirects_that_browsers_keep_they_are_told_for_how_long() {
    let folder = folder();
    let service = start(&folder, &["--redirects", "cache"]);
    let code = made(service.address, "https://example.com/");
    let response = visit(service.address, &code);
    assert_eq!((response.status, response.header("cache-control")), (301, Some("public, max-age=86400")));
}

#[test]
fn bad_input_is_answered() {
    let folder = folder();
    let service = start(&folder, &UNLIMITED);
    let host = service.address;
    let ourselves = format!("http://{host}/abc");
    let long = format!("https://example.com/{}", "a".repeat(5_000));
    for (url, kind) in [
        ("", "not-a-url"),
        ("example.com", "not-a-url"),
        ("javascript:alert(1)", "scheme"),
        ("data:text/html,<script>alert(1)</script>", "character"),
        ("https://example.com/\u{0}", "character"),
        ("https://example.com/\r\nset-cookie: a=b", "character"),
        ("https://bank.example@evil.example/", "credentials"),
        ("https://", "host"),
        (ourselves.as_str(), "itself"),
        (long.as_str(), "too-long"),
    ] {
        is_problem(&create(host, url), 422, kind);
    }
    for body in
        ["", "{", "[]", "{\"url\":7}", "{\"link\":\"https://example.com/\"}", "\u{1}\u{2}", "{\"url\":\"\\ud800\"}"]
    {
        let response = ask(host, "POST", "/api/links", &[], body).expect("an answer");
        is_problem(&response, 400, "body");
    }
    let megabyte = format!("{{\"url\":\"https://example.com/{}\"}}", "a".repeat(1 << 20));
    for path in ["/api/links", "/"] {
        // The service may answer before all of it has been sent, and close.
        let mut connection = Connection::open(host).expect("it listens");
        let kind =
            [("content-type", if path == "/" { "application/x-www-form-urlencoded" } else { "application/json" })];
        let request = connection.request("POST", path, &kind, &megabyte);
        let _ = connection.send(&request);
        if let Ok(response) = connection.response() {
            assert_eq!(response.status, 413, "{response:?}");
            if path == "/api/links" {
                is_problem(&response, 413, "too-large");
            }
        }
    }
    for path in [
        "/aaaaaaa",
        "/favicon.ico",
        "/..%2f..%2fetc",
        "/%00",
        "/aaaaaaa+",
        "/a/b/c",
        "/api/links/nope",
        "/%ff%ff%ff%ff%ff%ff%ff",
    ] {
        let response = ask(host, "GET", path, &[], "").expect("an answer");
        assert!([400, 404].contains(&response.status), "{path}: {response:?}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"), "{path}: {response:?}");
    }
    is_problem(&ask(host, "PUT", "/api/links", &[], "{}").expect("an answer"), 405, "method");
    for (kind, body, status) in [
        ("application/x-www-form-urlencoded", "link=https%3A%2F%2Fexample.com", 400),
        ("application/json", "{\"url\":\"https://example.com/\"}", 415),
    ] {
        let form = ask(host, "POST", "/", &[("content-type", kind)], body).expect("an answer");
        assert_eq!(form.status, status, "{form:?}");
        assert!(form.body.contains("role=\"alert\"") && !form.body.contains("Key"), "a person is told why: {form:?}");
    }
    let form = ask(
        host,
        "POST",
        "/",
        &[("content-type", "application/x-www-form-urlencoded")],
        "url=javascript%3A%22%3E%3Cb%3E",
    );
    let form = form.expect("an answer");
    assert_eq!(form.status, 422);
    assert!(!form.body.contains("\"><b>"), "what was typed is shown, and is no HTML: {}", form.body);
    assert_eq!(visit(host, &made(host, "https://example.com/")).status, 302, "after all this it serves");
}

#[test]
fn a_body_that_stops_half_way_is_answered_and_costs_nobody_else() {
    let folder = folder();
    let service = start(&folder, &UNLIMITED);
    let host = service.address;
    let mut connection = Connection::open(host).expect("it listens");
    connection
        .send(b"POST /api/links HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"url\":\"https://exa")
        .expect("sent");
    connection.end().expect("half closed");
    is_problem(&connection.response().expect("an answer"), 400, "body");
    let mut connection = Connection::open(host).expect("it listens");
    connection
        .send(b"POST /api/links HTTP/1.1\r\nhost: x\r\nidempotency-key: k\r\ncontent-length: 100\r\n\r\n{\"url\":\"https://exa")
        .expect("sent");
    connection.end().expect("half closed");
    is_problem(&connection.response().expect("an answer"), 400, "body");
    let silent: Vec<Connection> = (0..50)
        .map(|_| {
            let mut connection = Connection::open(host).expect("it listens");
            connection.send(b"POST /api/links HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").expect("sent");
            connection
        })
        .collect();
    let began = Instant::now();
    made(host, "https://example.com/");
    assert!(began.elapsed() < Duration::from_secs(5), "fifty who say nothing hold nobody up");
    drop(silent);
}

#[test]
fn creates_of_one_url_at_once_make_one_link() {
    let folder = folder();
    let service = start(&folder, &UNLIMITED);
    let host = service.address;
    let threads: Vec<_> =
        (0..100).map(|_| std::thread::spawn(move || create(host, "https://example.com/at-once"))).collect();
    let responses: Vec<Response> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
    let codes: BTreeSet<String> = responses.iter().map(|response| json(response)["code"].to_string()).collect();
    assert_eq!(codes.len(), 1, "{codes:?}");
    let new = responses.iter().filter(|response| response.status == 201).count();
    assert_eq!(new, 1, "one of them made it, the others found it");
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back_and_others_are_served() {
    let folder = folder();
    let service = start(&folder, &["--burst", "3", "--creates-per-second", "1", "--trusted-proxy", "127.0.0.0/8"]);
    let from = |client: &str, n: u32| {
        let body = format!("{{\"url\":\"https://example.com/{n}\"}}");
        ask(service.address, "POST", "/api/links", &[("x-forwarded-for", client)], &body).expect("an answer")
    };
    let told: Vec<u16> = (0..12).map(|n| from("203.0.113.7", n).status).collect();
    assert_eq!(told[..3], [201; 3], "three at once: {told:?}");
    let refused = (0..12).map(|n| from("203.0.113.7", 100 + n)).find(|response| response.status == 429);
    let refused = refused.expect("twelve more at once are too many");
    is_problem(&refused, 429, "too-many");
    assert!(
        refused.header("retry-after").is_some_and(|wait| wait.parse::<u64>().is_ok_and(|wait| (1..60).contains(&wait)))
    );
    assert_eq!(from("203.0.113.8", 50).status, 201, "somebody else behind the same proxy");
}

#[test]
fn a_request_with_a_key_is_executed_once_and_answered_the_same_again() {
    let folder = folder();
    let service = start(&folder, &[]);
    let with = |key: &str, url: &str| {
        let body = format!("{{\"url\":\"{url}\"}}");
        ask(service.address, "POST", "/api/links", &[("idempotency-key", key)], &body).expect("an answer")
    };
    let (first, again) = (with("k1", "https://example.com/1"), with("k1", "https://example.com/1"));
    assert_eq!((first.status, again.status), (201, 201), "without the key the second would be a 200");
    assert_eq!(first.body, again.body);
    is_problem(&with("k1", "https://example.com/2"), 422, "key-reused");
    is_problem(&with("", "https://example.com/1"), 400, "key");
    let long = format!("{{\"url\":\"https://example.com/{}\"}}", "a".repeat(20_000));
    // The service answers before it has read all of it, and may close.
    if let Ok(response) = ask(service.address, "POST", "/api/links", &[("idempotency-key", "k2")], &long) {
        is_problem(&response, 413, "too-large");
    }
    assert_eq!(with("k2", "https://example.com/2").status, 201, "a body that was not read used no key");
}

#[test]
fn only_who_has_the_token_takes_a_link_down_and_then_it_is_gone() {
    let folder = folder();
    let service = start(&folder, &["--admin-token", "secret"]);
    let host = service.address;
    let code = made(host, "https://example.com/");
    assert_eq!(visit(host, &code).status, 302);
    let path = format!("/api/links/{code}");
    is_problem(&ask(host, "DELETE", &path, &[], "").expect("an answer"), 403, "forbidden");
    is_problem(
        &ask(host, "DELETE", &path, &[("authorization", "Bearer secre")], "").expect("an answer"),
        403,
        "forbidden",
    );
    let down = ask(host, "DELETE", &path, &[("authorization", "Bearer secret")], "").expect("an answer");
    assert_eq!(down.status, 204);
    is_problem(&visit(host, &code), 410, "taken-down");
    is_problem(&create(host, "https://example.com/"), 410, "taken-down");
}

#[test]
fn when_the_disk_is_full_links_lead_on_and_nothing_that_was_acknowledged_is_lost() {
    let folder = folder();
    let mut made = BTreeMap::new();
    let service = start(&folder, &[&UNLIMITED[..], &["--max-pages", "24"]].concat());
    let mut refused = None;
    for n in 0..5_000 {
        let url = format!("https://example.com/{n}/{}", "x".repeat(200));
        let response = create(service.address, &url);
        if response.status != 201 {
            refused = Some(response);
            break;
        }
        made.insert(json(&response)["code"].as_str().expect("a code").to_owned(), url);
    }
    is_problem(&refused.expect("24 pages do not hold 5,000 links"), 503, "disk-full");
    // Nothing was done for a refused request, so its key is free, even for another. A page with some room may take one of the links.
    let with_key = |key: u32, n: u32| {
        let (key, body) = (key.to_string(), format!("{{\"url\":\"https://example.com/{n}/{}\"}}", "y".repeat(1_900)));
        ask(service.address, "POST", "/api/links", &[("idempotency-key", &key)], &body).expect("an answer")
    };
    let refused = (0..50).find(|&n| with_key(n, n).status == 503).expect("50 long links do not find room");
    let again = with_key(refused, 1_000);
    assert!([201, 503].contains(&again.status), "{again:?}");
    assert!(made.len() > 20, "some found room: {}", made.len());
    for (code, url) in &made {
        assert_eq!(visit(service.address, code).header("location"), Some(url.as_str()), "while the disk is full");
    }
    drop(service);
    let service = start(&folder, &UNLIMITED);
    for (code, url) in &made {
        assert_eq!(visit(service.address, code).header("location"), Some(url.as_str()), "after a restart");
    }
    assert_eq!(create(service.address, "https://example.com/more").status, 201, "there is room again");
}

/// No file may grow any more, and the process is killed and started again: who visits does not notice.
#[cfg(unix)]
#[test]
fn on_a_disk_that_takes_nothing_it_starts_and_links_lead_on() {
    let folder = folder();
    let service = start(&folder, &UNLIMITED);
    let url = |n: u32| format!("https://example.com/{n}");
    let made: Vec<String> = (0..60).map(|n| made(service.address, &url(n))).collect();
    service.kill();
    let database = folder.path().join("links.db");
    let log = std::fs::metadata(folder.path().join("links.db-wal")).expect("what was not moved into the file").len();
    assert!(log > 200 * 1_024, "the log has {log} bytes: the limit below must be less");

    // 64 or 128 KB, as the shell counts: room for what SQLite shares between connections, and none for the log.
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 128; trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program());
    let service = Service::start_with(limited, &database, &UNLIMITED).unwrap_or_else(|why| panic!("{why}"));
    for (n, code) in (0..).zip(&made) {
        assert_eq!(visit(service.address, code).header("location"), Some(url(n).as_str()));
    }
    is_problem(&create(service.address, "https://example.com/more"), 503, "unavailable");
    service.kill();

    let service = start_over(&database, &UNLIMITED);
    assert_eq!(visit(service.address, &made[0]).status, 302);
    assert_eq!(create(service.address, "https://example.com/more").status, 201, "there is room again");
}

/// Four clients make links as fast as they can; the process is killed in the middle, with no moment to say anything.
#[test]
fn after_a_kill_every_acknowledged_link_resolves() {
    let folder = folder();
    let acknowledged = Arc::new(Mutex::new(BTreeMap::new()));
    for round in 0..3 {
        let service = start(&folder, &UNLIMITED);
        let (host, stop) = (service.address, Arc::new(AtomicBool::new(false)));
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
                std::thread::spawn(move || {
                    for n in 0.. {
                        let url = format!("https://example.com/{round}/{client}/{n}");
                        let body = format!("{{\"url\":\"{url}\"}}");
                        let Ok(response) = ask(host, "POST", "/api/links", &[], &body) else { return };
                        if response.status == 201 {
                            let code = json(&response)["code"].as_str().expect("a code").to_owned();
                            acknowledged.lock().expect("no panic").insert(code, url);
                        }
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                })
            })
            .collect();
        let enough = Instant::now() + Duration::from_secs(20);
        while acknowledged.lock().expect("no panic").len() < (round + 1) * 100 && Instant::now() < enough {
            std::thread::sleep(Duration::from_millis(5));
        }
        service.kill();
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().expect("no panic"));
    }
    let service = start(&folder, &UNLIMITED);
    let acknowledged = acknowledged.lock().expect("no panic");
    assert!(acknowledged.len() >= 300, "only {} were acknowledged before the kills", acknowledged.len());
    for (code, url) in acknowledged.iter() {
        let response = visit(service.address, code);
        assert_eq!(response.header("location"), Some(url.as_str()), "{code} was acknowledged: {response:?}");
    }
}

/// Clicks go to the disk twice a second: a kill may take those that did not get there, and makes none of the others twice.
#[test]
fn after_a_kill_the_clicks_of_the_last_moment_are_missing_and_no_others() {
    let folder = folder();
    let (mut sure, mut most) = (0, 0);
    let code = made(start(&folder, &UNLIMITED).address, "https://example.com/");
    for round in 0..3 {
        let service = start(&folder, &UNLIMITED);
        let host = service.address;
        let said = json(&ask(host, "GET", &format!("/api/links/{code}"), &[], "").expect("an answer"));
        let counted = said["clicks"].as_u64().expect("a number");
        assert!((sure..=most).contains(&counted), "round {round}: {sure} to {most} were clicked, and it says {said}");
        let (visited, began) = (counted + 20, Instant::now());
        (0..20).for_each(|_| assert_eq!(visit(host, &code).status, 302));
        clicks_become(host, &code, visited);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(10), "what waits is written twice a second, and not after {took:?}");
        (0..10).for_each(|_| assert_eq!(visit(host, &code).status, 302));
        service.kill();
        (sure, most) = (visited, visited + 10);
    }
    let service = start(&folder, &UNLIMITED);
    let said = json(&ask(service.address, "GET", &format!("/api/links/{code}"), &[], "").expect("an answer"));
    assert!(said["clicks"].as_u64().is_some_and(|clicks| (sure..=most).contains(&clicks)), "{sure} to {most}: {said}");
}

#[cfg(unix)]
#[test]
fn told_to_end_it_answers_what_has_begun_and_writes_the_last_clicks_down() {
    let folder = folder();
    let service = start(&folder, &[]);
    let code = made(service.address, "https://example.com/");
    for _ in 0..5 {
        assert_eq!(visit(service.address, &code).status, 302);
    }
    let status = service.terminate().expect("it ends");
    assert!(status.success(), "{status}");
    let service = start(&folder, &[]);
    clicks_become(service.address, &code, 5);
    assert_eq!(visit(service.address, &code).status, 302);
    clicks_become(service.address, &code, 6);
}

/// An orchestrator sends its signal while a client has sent half of a request: nobody new comes in, and this one is served.
#[cfg(unix)]
#[test]
fn told_to_end_in_the_middle_of_a_request_it_reads_the_rest_and_answers() {
    let folder = folder();
    let service = start(&folder, &[]);
    let host = service.address;
    let body = "{\"url\":\"https://example.com/half\"}";
    let (one, other) = body.split_at(body.len() / 2);
    let mut connection = Connection::open(host).expect("it listens");
    let head = format!(
        "POST /api/links HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n{one}",
        body.len()
    );
    connection.send(head.as_bytes()).expect("sent");
    assert_eq!(connection.response().expect("an answer").status, 100, "the request has begun");

    service.tell_to_end().expect("there is a `kill`");
    let end = Instant::now() + Duration::from_secs(20);
    while Connection::open(host).is_ok() {
        assert!(Instant::now() < end, "it goes on taking connections");
        std::thread::sleep(Duration::from_millis(5));
    }
    connection.send(other.as_bytes()).expect("sent");
    let response = connection.response().expect("an answer");
    assert_eq!(response.status, 201, "{response:?}");
    let code = json(&response)["code"].as_str().expect("a code").to_owned();
    let status = service.terminate().expect("it ends");
    assert!(status.success(), "{status}");

    let service = start(&folder, &[]);
    assert_eq!(visit(service.address, &code).header("location"), Some("https://example.com/half"));
}

#[test]
fn two_processes_do_not_serve_one_file() {
    let folder = folder();
    let first = start(&folder, &[]);
    let second = Service::start(&program(), &folder.path().join("links.db"), &[]);
    let why = second.err().expect("the filter of one would not know what the other writes");
    assert!(why.contains("another process"), "{why}");
    made(first.address, "https://example.com/");
}

#[test]
fn the_metrics_page_is_what_prometheus_reads() {
    let folder = folder();
    let service = start(&folder, &[]);
    let host = service.address;
    let code = made(host, "https://example.com/");
    for path in [code.as_str(), code.as_str(), "aaaaaaa", "aaaaaab"] {
        visit(host, path);
    }
    let page = ask(host, "GET", "/metrics", &[], "").expect("an answer");
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4"));
    let mut values = BTreeMap::new();
    for line in page.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("`{line}` is not a sample"));
        assert!(value.parse::<f64>().is_ok(), "`{line}` has no number");
        assert!(values.insert(name.to_owned(), value.to_owned()).is_none(), "`{name}` stands there twice");
    }
    for (name, value) in [
        ("shortener_requests_total{route=\"create\",status=\"2xx\"}", "1"),
        ("shortener_requests_total{route=\"redirect\",status=\"3xx\"}", "2"),
        ("shortener_requests_total{route=\"redirect\",status=\"4xx\"}", "2"),
        ("shortener_request_seconds_count{route=\"create\"}", "1"),
        ("shortener_cache_hits_total", "1"),
        ("shortener_cache_misses_total", "3"),
        ("shortener_filter_ruled_out_total", "2"),
    ] {
        assert_eq!(values.get(name).map(String::as_str), Some(value), "{name} in\n{}", page.body);
    }
}

#[test]
fn a_log_line_is_json_and_carries_the_callers_trace() {
    let folder = folder();
    let service = start(&folder, &[]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let header = format!("00-{trace}-00f067aa0ba902b7-01");
    let response = ask(service.address, "GET", "/aaaaaaa", &[("traceparent", &header)], "").expect("an answer");
    assert!(response.header("traceparent").is_some_and(|context| context[3..35] == *trace), "{response:?}");
    let line = std::iter::from_fn(|| service.lines.recv_timeout(Duration::from_secs(10)).ok())
        .find(|line| line.contains(trace));
    let line: Value = serde_json::from_str(&line.expect("a line with the trace")).expect("JSON");
    assert_eq!(
        (&line["status"], &line["path"], &line["method"]),
        (&404.into(), &"/aaaaaaa".into(), &"GET".into()),
        "{line}"
    );
}

/// Types, presses Enter, follows the link and looks at its clicks, with scripts switched off.
#[cfg(unix)]
#[test]
fn a_person_with_a_browser_and_no_script_shortens_follows_and_sees_the_click() {
    let Some(chromium) = Browser::installed() else {
        eprintln!("skipped: there is no Chromium; name one in the variable CHROMIUM");
        return;
    };
    let folder = folder();
    let service = start(&folder, &[]);
    let home = format!("http://{}/", service.address);
    // Where the link leads: a page of the service under another name, since no other host is at hand.
    let target = format!("http://localhost:{}/health", service.address.port());
    let mut browser = Browser::start(&chromium, &folder.path().join("profile"));
    browser.open(&home);
    browser.page_with("Shorten a URL");
    browser.type_and_enter("#url", "javascript:alert(1)");
    let refused = browser.page_with("role=\"alert\"");
    assert!(refused.contains("Only http and https") && refused.contains("value=\"javascript:alert(1)\""), "{refused}");
    browser.open(&home);
    browser.page_with("Shorten a URL</h1><form");
    browser.type_and_enter("#url", &target);
    let page = browser.page_with("Your link</h1>");
    let short =
        page.split("id=\"short\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link").to_owned();
    assert!(short.starts_with(&home), "{short}");
    browser.open(&short);
    browser.page_with("ok");
    assert_eq!(browser.location(), target, "the link leads there");
    clicks_become(service.address, &short[home.len()..], 1);
    browser.open(&format!("{short}+"));
    let clicks = browser.page_with("id=\"total\"");
    assert!(clicks.contains("<strong id=\"total\">1</strong>"), "{clicks}");
}
