//! As much HTTP as a browser needs to read a book from its own machine.

use super::paint::paint;
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const EVENT_STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n\r\nretry: 1000\n\n";
/// A request's head may be this long.
const LONGEST_HEAD: usize = 16 * 1024;

/// What a browser asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The path without query, percent signs resolved; begins with `/`.
    pub(super) path: String,
    /// `HEAD`: the answer without its body.
    pub(super) head_only: bool,
}

impl Request {
    /// Reads a request's head; nothing if it is not a `GET` or `HEAD` that we understand.
    pub(super) fn read(stream: &mut impl Read) -> Option<Self> {
        let mut head = Vec::new();
        let mut buffer = [0; 2048];
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            let read = stream.read(&mut buffer).ok()?;
            if read == 0 || head.len() > LONGEST_HEAD {
                return None;
            }
            head.extend_from_slice(&buffer[..read]);
        }
        let head = String::from_utf8_lossy(&head);
        let mut words = head.lines().next()?.split(' ');
        let head_only = match words.next()? {
            "GET" => false,
            "HEAD" => true,
            _ => return None,
        };
        let path = words.next()?.split(['?', '#']).next()?;
        Some(Self { path: decoded(path)?, head_only })
    }
}

/// `path` with its `%20`s resolved; nothing if they are malformed.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// An answer.
#[derive(Debug)]
pub(super) struct Response {
    status: &'static str,
    kind: &'static str,
    location: Option<String>,
    body: Vec<u8>,
}

impl Response {
    pub(super) fn ok(kind: &'static str, body: Vec<u8>) -> Self {
        Self { status: "200 OK", kind, location: None, body }
    }

    pub(super) fn write(&self, stream: &mut impl Write, head_only: bool) -> std::io::Result<()> {
        let (status, kind, length) = (self.status, self.kind, self.body.len());
        let location = self.location.as_ref().map(|to| format!("location: {to}\r\n")).unwrap_or_default();
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\ncache-control: no-cache\r\n\
             x-content-type-options: nosniff\r\n{location}connection: close\r\n\r\n"
        )?;
        if head_only { Ok(()) } else { stream.write_all(&self.body) }
    }
}

/// The file below `root` that `path` names, or the page for a wrong address. With the reader's progress pages show it, and learn where
/// to listen for more.
pub(super) fn file(root: &Path, path: &str, live: Option<&Value>) -> Response {
    let Some(mut file) = inside(root, path) else { return not_found(root, live) };
    if file.is_dir() {
        if !path.ends_with('/') {
            let location = Some(format!("{path}/"));
            return Response { status: "301 Moved Permanently", kind: HTML, location, body: Vec::new() };
        }
        file.push("index.html");
    }
    match fs::read(&file) {
        Ok(body) => page(kind_of(&file), body, live),
        Err(_) => not_found(root, live),
    }
}

fn not_found(root: &Path, live: Option<&Value>) -> Response {
    let body = fs::read(root.join("404.html")).unwrap_or_else(|_| b"not found".to_vec());
    Response { status: "404 Not Found", ..page(HTML, body, live) }
}

fn page(kind: &'static str, body: Vec<u8>, live: Option<&Value>) -> Response {
    let (HTML, Some(progress)) = (kind, live) else { return Response::ok(kind, body) };
    let html = String::from_utf8_lossy(&body).replacen("<body", "<body data-live=\"/__events\"", 1);
    Response::ok(kind, paint(&html, progress).into_bytes())
}

/// `path` below `root`; nothing for a path that could lead out of it.
fn inside(root: &Path, path: &str) -> Option<PathBuf> {
    let mut file = root.to_owned();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            _ if part.starts_with('.') || part.contains(['\\', ':', '\0']) => return None,
            part => file.push(part),
        }
    }
    Some(file)
}

fn kind_of(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => HTML,
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "wasm" => "application/wasm",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn asked(head: &str) -> Option<Request> {
        Request::read(&mut head.as_bytes())
    }

    #[test]
    fn a_request_is_read_without_its_query() {
        let request =
            asked("GET /01-tradeoffs/cap%2Ddemo.html?x=1 HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("legal");
        assert_eq!(request, Request { path: "/01-tradeoffs/cap-demo.html".into(), head_only: false });
        assert!(asked("HEAD / HTTP/1.1\r\n\r\n").expect("legal").head_only);
    }

    #[test]
    fn what_is_not_understood_is_not_answered() {
        assert_eq!(asked("POST / HTTP/1.1\r\n\r\n"), None);
        assert_eq!(asked("GET /%zz HTTP/1.1\r\n\r\n"), None);
        assert_eq!(asked("GET /"), None, "the head never ends");
        assert_eq!(asked(&format!("GET / HTTP/1.1\r\nx: {}\r\n", "y".repeat(40_000))), None);
    }

    #[test]
    fn no_path_leads_out_of_the_book() {
        let root = Path::new("/book");
        for path in ["/../secret", "/a/../../secret", "/..\\secret", "/c:/secret", "/.git/config", "/a\0"] {
            assert_eq!(inside(root, path), None, "{path}");
        }
        assert_eq!(inside(root, "/01-a//b.html"), Some(PathBuf::from("/book/01-a/b.html")));
    }

    #[test]
    fn a_page_learns_that_it_is_served_and_a_folder_gets_its_slash() {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(root.path().join("ch")).expect("can be made");
        fs::write(root.path().join("ch/index.html"), "<body class=x>").expect("can be written");
        assert_eq!(file(root.path(), "/ch/", Some(&Value::Null)).body, b"<body data-live=\"/__events\" class=x>");
        assert_eq!(file(root.path(), "/ch/", None).body, b"<body class=x>");
        assert_eq!(file(root.path(), "/ch", Some(&Value::Null)).location.as_deref(), Some("/ch/"));
        assert_eq!(file(root.path(), "/none.html", Some(&Value::Null)).status, "404 Not Found");
    }
}
