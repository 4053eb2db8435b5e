use super::*;
use std::io::{BufRead, BufReader, Read};

/// A server of `state` on a port of its own, for one connection.
fn connect(state: Arc<State>) -> TcpStream {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("the test connects");
        state.answer(stream);
    });
    TcpStream::connect(address).expect("the server listens")
}

fn get(state: &Arc<State>, path: &str) -> String {
    let mut stream = connect(Arc::clone(state));
    write!(stream, "GET {path} HTTP/1.1\r\n\r\n").expect("can be sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer ends");
    answer
}

#[test]
fn an_open_page_hears_progress_at_once_and_then_every_event() {
    let state = Arc::new(State { progress: Mutex::new("{\"a\":1}".to_owned()), ..State::default() });
    let mut stream = connect(Arc::clone(&state));
    write!(stream, "GET /__events HTTP/1.1\r\n\r\n").expect("can be sent");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("the stream is open"));
    assert!(lines.any(|line| line == "event: progress"));
    assert_eq!(lines.next().as_deref(), Some("data: {\"a\":1}"));

    state.tell("event: reload\ndata: {}\n\n");
    assert!(lines.any(|line| line == "event: reload"));
}

#[test]
fn before_the_first_build_and_after_a_failed_one_the_page_says_so() {
    let state = Arc::new(State::default());
    assert!(get(&state, "/").contains("is being built"));

    *state.fault.lock().expect("no thread panicked") = Some(Some("book/src/a.md:3: <b> is wrong".to_owned()));
    let answer = get(&state, "/a.html");
    assert!(answer.contains("book/src/a.md:3: &lt;b&gt; is wrong"), "{answer}");
}

#[test]
fn a_taken_port_is_an_error_if_named_and_passed_over_if_not() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = taken.local_addr().expect("it has an address").port();
    let error = listen(Some(port)).expect_err("it is taken").to_string();
    assert!(error.contains(&format!("port {port} cannot be used")), "{error}");
}
