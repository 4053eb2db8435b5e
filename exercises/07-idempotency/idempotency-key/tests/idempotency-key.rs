//! Stage 1: what makes two requests the same. Stages 2 and 3: what becomes of a key. Stage 4: a web server, in process, on virtual time.

use idempotency_key::web::{HEADER, Idempotency, LIMIT, idempotent};
use idempotency_key::{Begin, Caller, Fingerprint, Key, Permit, Store};
use kit::rand::RngExt as _;
use kit::{Sometimes, for_seeds};
use std::collections::BTreeMap;
use std::time::Duration;

const TTL: Duration = Duration::from_secs(86_400);

fn caller(name: &str) -> Caller {
    Caller(name.to_owned())
}

fn key(text: &str) -> Key {
    Key::new(text).expect("the tests' keys are keys")
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn pay(body: &str) -> Fingerprint {
    Fingerprint::of("POST", "/payments", body.as_bytes())
}

mod stage_1_the_fingerprint {
    use super::*;

    #[track_caller]
    fn same(one: &str, other: &str, why: &str) {
        assert!(pay(one) == pay(other), "{one} and {other} are the same request: {why}");
    }

    #[track_caller]
    fn different(one: &str, other: &str, why: &str) {
        assert!(pay(one) != pay(other), "{one} and {other} are different requests: {why}");
    }

    /// A client that builds its body from a hash map sends the fields in another order the second time.
    #[test]
    fn how_a_request_is_written_does_not_matter() {
        same(r#"{"to":"Bo","cents":7990}"#, r#"{"cents":7990,"to":"Bo"}"#, "fields have no order");
        same(r#"{"a":{"x":1,"y":[{"p":1,"q":2}]}}"#, r#"{"a":{"y":[{"q":2,"p":1}],"x":1}}"#, "nor have those inside");
        same("{\"cents\":7990}", " {\n\t\"cents\" : 7990 }\n", "white space says nothing");
        same(r#"{"to":"Zo\u00eb\/"}"#, "{\"to\":\"Zoë/\"}", "an escape is a way of writing");
    }

    #[test]
    fn what_it_says_does() {
        different(r#"{"cents":7990}"#, r#"{"cents":7991}"#, "another amount");
        different(r#"{"cents":7990}"#, r#"{"cent":7990}"#, "another field");
        different(r#"{"cents":7990}"#, r#"{"cents":"7990"}"#, "a string is not a number");
        different(r#"{"cents":7990}"#, r#"{"cents":7990,"tip":null}"#, "null is a value");
        different(r#"{"a":{"x":1},"b":{}}"#, r#"{"a":{},"b":{"x":1}}"#, "the field is in another object");
        different(r#"{"a":[[1],2]}"#, r#"{"a":[[1,2]]}"#, "the array ends elsewhere");
        different(r#"{"a":true}"#, r#"{"a":"true"}"#, "a string is not a truth value");
        different(r#"{"eur":79.90}"#, r#"{"eur":79.91}"#, "another amount");
        different(r#"{"eur":-1}"#, r#"{"eur":1}"#, "the money flows the other way");
    }

    /// White space between the parts of JSON says nothing. In a text, every character says something.
    #[test]
    fn every_character_of_a_text_counts() {
        different(r#"{"to":"Bo B"}"#, r#"{"to":"BoB"}"#, "another name");
        different(r#"{"pin":" 17"}"#, r#"{"pin":"17"}"#, "a blank at the beginning");
        different(r#"{"a b":1}"#, r#"{"ab":1}"#, "another field");
        different(r#"{"to":"Bo"}"#, r#"{"to":"bo"}"#, "another name");
    }

    #[test]
    fn arrays_have_an_order() {
        different(r#"{"from_to":["Ann","Bo"]}"#, r#"{"from_to":["Bo","Ann"]}"#, "the money flows the other way");
        different(r#"{"a":[1,1]}"#, r#"{"a":[1]}"#, "two are not one");
    }

    /// 2^53 and its successor are one 64-bit floating-point number.
    #[test]
    fn every_digit_of_an_amount_counts() {
        different(r#"{"wei":9007199254740993}"#, r#"{"wei":9007199254740992}"#, "the last digit differs");
        different(r#"{"wei":18446744073709551615}"#, r#"{"wei":18446744073709551614}"#, "the last digit differs");
        different(r#"{"wei":-9223372036854775808}"#, r#"{"wei":-9223372036854775807}"#, "the last digit differs");
    }

    /// A text that looks like the next field is still text.
    #[test]
    fn text_cannot_pretend_to_be_structure() {
        different(r#"{"a":"1\",\"b\":\"2"}"#, r#"{"a":"1","b":"2"}"#, "one field, not two");
        different(r#"{"a":"1,b:2"}"#, r#"{"a":1,"b":2}"#, "one field, not two");
        different(r#"["1,2"]"#, r#"["1","2"]"#, "one element, not two");
        different(r#"{"a\":1,\"b":2}"#, r#"{"a":1,"b":2}"#, "a field may have a strange name");
    }

    #[test]
    fn the_same_words_to_another_place_are_another_request() {
        let body = br#"{"cents":7990}"#;
        let here = Fingerprint::of("POST", "/payments", body);
        for (method, target) in [("PATCH", "/payments"), ("POST", "/refunds"), ("POST", "/payments?to=Bo")] {
            assert!(Fingerprint::of(method, target, body) != here, "{method} {target} is not POST /payments");
        }
    }

    #[test]
    fn what_is_not_json_counts_by_its_bytes() {
        let of = |target, body: &[u8]| Fingerprint::of("POST", target, body);
        assert!(of("/files", b"\xff\x00 1") == of("/files", b"\xff\x00 1"), "the same bytes");
        assert!(of("/files", b"\xff\x00 1") != of("/files", b"\xff\x00  1"), "white space is a byte like others");
        assert!(of("/files", b"\xff\xfe") != of("/files", b"\xff\xfd"), "two bytes that are no text, and not the same");
        assert!(of("/files", b"x") != of("/filesx", b""), "a path does not flow into the body");
        assert!(of("/files", b"") != of("/files", b"null"), "nothing is not null");
        for almost in [r#"{"a":1,}"#, r#"{a:1}"#, r#"{"a":1"#, r#"{"a":1}}"#, r#"{"a":1};"#] {
            assert!(
                of("/files", almost.as_bytes()) != of("/files", br#"{"a":1}"#),
                "{almost} is not JSON, and {{\"a\":1}} is"
            );
        }
    }
}

/// Begins a request; it must be one to execute.
#[track_caller]
fn run(store: &mut Store<&'static str>, who: &str, name: &str, what: &Fingerprint, now: Duration) -> Permit {
    match store.begin(&caller(who), &key(name), what, now) {
        Begin::Run(permit) => permit,
        other => panic!("{who}'s key {name} is free at {now:?}, and the request was not to be executed: {other:?}"),
    }
}

mod stage_2_the_lifecycle {
    use super::*;

    #[test]
    fn a_request_is_executed_once_and_then_replayed() {
        let mut store = Store::new(TTL);
        let permit = run(&mut store, "mara", "k1", &pay("{}"), s(0));
        store.finish(permit, "201 payment 17", s(1));
        for at in [1, 2, 3_600] {
            let again = store.begin(&caller("mara"), &key("k1"), &pay("{}"), s(at));
            assert!(again == Begin::Replay("201 payment 17"), "t = {at} s, done at 1 s: {again:?}");
        }
    }

    /// She presses again while the wheel still turns.
    #[test]
    fn while_it_runs_nobody_else_runs_it() {
        let mut store = Store::new(TTL);
        let _permit = run(&mut store, "mara", "k1", &pay("{}"), s(0));
        for at in [0, 1, 29] {
            let again = store.begin(&caller("mara"), &key("k1"), &pay("{}"), s(at));
            assert!(again == Begin::InProgress, "t = {at} s, begun at 0 s and not finished: {again:?}");
        }
    }

    #[test]
    fn a_key_belongs_to_one_request_also_while_that_runs() {
        let mut store = Store::new(TTL);
        let permit = run(&mut store, "mara", "k1", &pay(r#"{"cents":7990}"#), s(0));
        let other = pay(r#"{"cents":1}"#);
        let running = store.begin(&caller("mara"), &key("k1"), &other, s(1));
        assert!(running == Begin::Mismatch, "another amount, while the first payment runs: {running:?}");
        store.finish(permit, "201 payment 17", s(2));
        let done = store.begin(&caller("mara"), &key("k1"), &other, s(3));
        assert!(done == Begin::Mismatch, "another amount, after the first payment: {done:?}");
        let first = store.begin(&caller("mara"), &key("k1"), &pay(r#"{"cents":7990}"#), s(4));
        assert!(first == Begin::Replay("201 payment 17"), "the first request, after a mismatch: {first:?}");
    }

    /// The service was overloaded and has not even looked at the request.
    #[test]
    fn what_was_not_executed_may_be_begun_again() {
        let mut store = Store::new(TTL);
        let permit = run(&mut store, "mara", "k1", &pay("{}"), s(0));
        store.abandon(permit);
        assert!(store.is_empty(), "nothing was executed, nothing is to be remembered: {} keys", store.len());
        let permit = run(&mut store, "mara", "k1", &pay(r#"{"cents":1}"#), s(1));
        store.finish(permit, "201", s(2));
    }
}

mod stage_3_scope_and_expiry {
    use super::*;

    /// Bo finds Mara's key in a log, or both begin to count at 1.
    #[test]
    fn a_key_means_nothing_to_other_callers() {
        let mut store = Store::new(TTL);
        let maras = run(&mut store, "mara", "1", &pay("{}"), s(0));
        let bos = run(&mut store, "bo", "1", &pay("{}"), s(0));
        store.finish(maras, "mara's card ends in 4711", s(1));
        let again = store.begin(&caller("bo"), &key("1"), &pay("{}"), s(2));
        assert!(again == Begin::InProgress, "Bo's payment runs, and Mara's answer is not his: {again:?}");
        store.finish(bos, "bo's card ends in 0815", s(3));
        let again = store.begin(&caller("mara"), &key("1"), &pay("{}"), s(4));
        assert!(again == Begin::Replay("mara's card ends in 4711"), "Mara asks again: {again:?}");
    }

    /// Mara's account is called `shop`, Bo's `shop:1`. Whatever stands between, nobody may write himself into the other's.
    #[test]
    fn a_caller_and_a_key_are_two_things() {
        for between in ["", ":", "/", "|", "-", ".", "_", ",", "#", "::"] {
            let mut store = Store::new(TTL);
            let maras = run(&mut store, "shop", &format!("1{between}17"), &pay("{}"), s(0));
            store.finish(maras, "mara's card ends in 4711", s(1));
            let (bo, name) = (caller(&format!("shop{between}1")), key("17"));
            let bos = store.begin(&bo, &name, &pay("{}"), s(2));
            assert!(matches!(bos, Begin::Run(_)), "{bo:?} with {name:?} is not shop with 1{between}17: {bos:?}");
        }
    }

    #[test]
    fn other_keys_of_the_same_caller_are_other_requests() {
        let mut store = Store::new(TTL);
        let one = run(&mut store, "mara", "k1", &pay("{}"), s(0));
        let two = run(&mut store, "mara", "k2", &pay("{}"), s(0));
        store.finish(two, "2", s(1));
        store.abandon(one);
        let again = store.begin(&caller("mara"), &key("k2"), &pay("{}"), s(2));
        assert!(again == Begin::Replay("2"), "k1 was abandoned, k2 was done: {again:?}");
        let upper = store.begin(&caller("mara"), &key("K2"), &pay("{}"), s(3));
        assert!(matches!(upper, Begin::Run(_)), "K2 is not k2: a key may be base64: {upper:?}");
    }

    /// A key of 24 hours is one of 24 hours after the answer; asking for it does not make it younger.
    #[test]
    fn a_response_is_kept_for_its_time_and_no_longer() {
        let mut store = Store::new(s(100));
        let permit = run(&mut store, "mara", "k1", &pay("{}"), s(0));
        store.finish(permit, "201", s(1_000));
        for at in [1_001, 1_099] {
            let again = store.begin(&caller("mara"), &key("k1"), &pay("{}"), s(at));
            assert!(again == Begin::Replay("201"), "done at 1000 s, kept until 1100 s, asked at {at} s: {again:?}");
        }
        let permit = run(&mut store, "mara", "k1", &pay(r#"{"cents":1}"#), s(1_100));
        let again = store.begin(&caller("mara"), &key("k1"), &pay("{}"), s(1_101));
        assert!(again == Begin::Mismatch, "since 1100 s the key belongs to the second request: {again:?}");
        store.finish(permit, "202", s(1_102));
    }

    #[test]
    fn a_lifetime_of_nothing_is_over_at_once() {
        let mut store = Store::new(Duration::ZERO);
        for at in 0..3 {
            let permit = run(&mut store, "mara", "k1", &pay("{}"), s(at));
            store.finish(permit, "201", s(at));
        }
        store.prune(s(2));
        assert!(store.is_empty(), "nothing is kept for 0 s: {} keys", store.len());
    }

    /// Somebody wrote *for ever* into the configuration.
    #[test]
    fn the_longest_lifetime_is_never_over() {
        let mut store = Store::new(Duration::MAX);
        let permit = run(&mut store, "mara", "k1", &pay("{}"), s(1));
        store.finish(permit, "201", s(2));
        for at in [s(2), s(4_000_000_000), Duration::MAX - s(1)] {
            store.prune(at);
            let again = store.begin(&caller("mara"), &key("k1"), &pay("{}"), at);
            assert!(again == Begin::Replay("201"), "kept for {:?}, asked at {at:?}: {again:?}", Duration::MAX);
        }
    }

    /// Two threads look at the clock, and the one that looked first comes second.
    #[test]
    fn who_looked_at_the_clock_earlier_may_come_later() {
        let mut store = Store::new(s(100));
        let permit = run(&mut store, "mara", "k1", &pay("{}"), s(10));
        store.finish(permit, "201", s(20));
        store.prune(s(19));
        let again = store.begin(&caller("mara"), &key("k1"), &pay("{}"), s(19));
        assert!(again == Begin::Replay("201"), "done at 20 s, asked at 19 s: {again:?}");
        let again = store.begin(&caller("mara"), &key("k1"), &pay("{}"), s(119));
        assert!(again == Begin::Replay("201"), "done at 20 s, kept until 120 s, asked at 119 s: {again:?}");
        let permit = run(&mut store, "mara", "k2", &pay("{}"), s(30));
        store.finish(permit, "202", s(29));
        let again = store.begin(&caller("mara"), &key("k2"), &pay("{}"), s(30));
        assert!(again == Begin::Replay("202"), "begun at 30 s, done at 29 s, asked at 30 s: {again:?}");
    }

    /// The bank takes its time. The lifetime of a response says nothing about that of an execution.
    #[test]
    fn however_long_it_runs_it_is_not_begun_again() {
        let mut store = Store::new(s(100));
        let permit = run(&mut store, "mara", "k1", &pay("{}"), s(0));
        for at in [99, 100, 101, 1_000_000] {
            store.prune(s(at));
            let again = store.begin(&caller("mara"), &key("k1"), &pay("{}"), s(at));
            assert!(again == Begin::InProgress, "begun at 0 s, not finished at {at} s: {again:?}");
        }
        store.finish(permit, "201", s(1_000_001));
        let again = store.begin(&caller("mara"), &key("k1"), &pay("{}"), s(1_000_002));
        assert!(again == Begin::Replay("201"), "finished one second ago: {again:?}");
    }

    #[test]
    fn what_has_expired_takes_no_room() {
        let mut store = Store::new(s(100));
        for n in 0..50 {
            let permit = run(&mut store, "mara", &n.to_string(), &pay("{}"), s(n));
            store.finish(permit, "201", s(n));
        }
        let _running = run(&mut store, "mara", "running", &pay("{}"), s(0));
        store.prune(s(109));
        assert!(store.len() == 41, "0 to 9 have expired, 10 to 49 and the running one have not: {}", store.len());
        store.prune(s(1_000));
        assert!(store.len() == 1, "only the running one is left: {}", store.len());
    }

    /// Three callers, three keys, two requests, and a clock that goes on.
    #[test]
    fn each_key_has_at_most_one_execution_in_each_lifetime() {
        let sometimes = Sometimes::expect(["replayed", "in progress", "mismatch", "begun again after expiry"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let mut store = Store::new(s(30));
            let bodies = [pay("1"), pay("2")];
            let mut running: Vec<((usize, usize), Permit, usize)> = vec![];
            let mut done: BTreeMap<(usize, usize), (usize, u64, u64)> = BTreeMap::new(); // body, response, expiry
            let mut now = 0;
            for step in 0..300_u64 {
                now += rng.random_range(0..4);
                let id @ (who, name) = (rng.random_range(0..3), rng.random_range(0..3));
                if rng.random_bool(0.1) {
                    store.prune(s(now));
                }
                if rng.random_bool(0.3) && !running.is_empty() {
                    let (id, permit, body) = running.swap_remove(rng.random_range(0..running.len()));
                    if rng.random_bool(0.2) {
                        store.abandon(permit);
                    } else {
                        store.finish(permit, step, s(now));
                        done.insert(id, (body, step, now + 30));
                    }
                    continue;
                }
                let body = rng.random_range(0..2);
                let begin = store.begin(&Caller(who.to_string()), &key(&name.to_string()), &bodies[body], s(now));
                let runs = running.iter().find(|(other, ..)| *other == id).map(|(_, _, body)| *body);
                let kept = done.get(&id).filter(|(.., expiry)| now < *expiry).copied();
                let right = match (&begin, runs, kept) {
                    (Begin::Mismatch, Some(first), _) => first != body,
                    (Begin::InProgress, Some(first), _) => first == body,
                    (Begin::Mismatch, None, Some((first, ..))) => first != body,
                    (Begin::Replay(response), None, Some((first, answer, _))) => first == body && *response == answer,
                    (Begin::Run(_), None, None) => true,
                    _ => false,
                };
                assert!(
                    right,
                    "seed {seed}, t = {now} s, caller {who}, key {name}, body {body}: {begin:?}, while it runs: {runs:?}, done (body, response, \
                     until): {kept:?}"
                );
                sometimes.saw("replayed", matches!(begin, Begin::Replay(_)));
                sometimes.saw("in progress", begin == Begin::InProgress);
                sometimes.saw("mismatch", begin == Begin::Mismatch);
                if let Begin::Run(permit) = begin {
                    sometimes.saw("begun again after expiry", done.remove(&id).is_some());
                    running.push((id, permit, body));
                }
            }
        });
    }
}

mod stage_4_the_middleware {
    use super::*;
    use axum::body::{Body, Bytes, to_bytes};
    use axum::extract::{DefaultBodyLimit, Request};
    use axum::http::{HeaderMap, Method, StatusCode};
    use axum::middleware::from_fn_with_state;
    use axum::response::{IntoResponse as _, Response};
    use axum::routing::{any, post};
    use axum::{RequestExt as _, Router};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::task::JoinSet;
    use tokio::time::{Instant, sleep, timeout};
    use tower::ServiceExt as _;

    /// What a client sees of a response.
    #[derive(Clone, Debug, PartialEq)]
    struct Got {
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    }

    /// A shop behind the middleware. Payments take a second and are counted.
    #[derive(Clone)]
    struct Shop {
        router: Router,
        effects: Arc<AtomicU32>,
    }

    impl Shop {
        fn new() -> Self {
            let effects = Arc::new(AtomicU32::new(0));
            let start = Instant::now();
            let count = |how: fn(u32) -> Response| {
                let effects = effects.clone();
                move || {
                    let effects = effects.clone();
                    async move {
                        let n = effects.fetch_add(1, Ordering::SeqCst) + 1;
                        sleep(s(1)).await;
                        how(n)
                    }
                }
            };
            let created: fn(u32) -> Response = |n| {
                let headers = [("location", format!("/payments/{n}")), ("set-cookie", format!("a={n}"))];
                let mut response =
                    (StatusCode::CREATED, headers, [b"\x00\xff payment ".as_slice(), &[n as u8]].concat())
                        .into_response();
                response.headers_mut().append("set-cookie", "b=2".parse().expect("a header value"));
                response
            };
            let busy: fn(u32) -> Response = |n| match n {
                1 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                2 => StatusCode::TOO_MANY_REQUESTS.into_response(),
                n => (StatusCode::CREATED, format!("payment {n}")).into_response(),
            };
            let echo = {
                let effects = effects.clone();
                move |body: Bytes| async move {
                    effects.fetch_add(1, Ordering::SeqCst);
                    body
                }
            };
            let whole = {
                let effects = effects.clone();
                move |request: Request| async move {
                    effects.fetch_add(1, Ordering::SeqCst);
                    let who = request.extensions().get::<Caller>().cloned();
                    let trace = request.headers().get("traceparent").cloned();
                    format!("{} {} {who:?} {trace:?}", request.method(), request.uri())
                }
            };
            let large = {
                let effects = effects.clone();
                move || async move { vec![effects.fetch_add(1, Ordering::SeqCst) as u8; LIMIT + 1] }
            };
            // The body of its response is that of the request, and may have 10 bytes: then it breaks off.
            let breaks_off = {
                let effects = effects.clone();
                move |request: Request| async move {
                    effects.fetch_add(1, Ordering::SeqCst);
                    (StatusCode::CREATED, request.with_limited_body().into_body())
                }
            };
            let router = Router::new()
                .route("/whole", any(whole))
                .route("/large", post(large))
                .route("/breaks-off", post(breaks_off).layer(DefaultBodyLimit::max(10)))
                .route("/payments", any(count(created)))
                .route("/broken", post(count(|n| (StatusCode::INTERNAL_SERVER_ERROR, format!("{n}")).into_response())))
                .route("/rejects", post(count(|n| (StatusCode::PAYMENT_REQUIRED, format!("{n}")).into_response())))
                .route("/panics", post(count(|n| panic!("the service panics in execution {n}, as it should"))))
                .route("/busy", post(count(busy)))
                .route("/echo", post(echo))
                .layer(from_fn_with_state(Idempotency::new(TTL, move || start.elapsed()), idempotent));
            Self { router, effects }
        }

        async fn send(&self, request: Request) -> Got {
            let Ok(response) = self.router.clone().oneshot(request).await;
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a response that does not break off");
            Got { status: parts.status, headers: parts.headers, body }
        }

        fn effects(&self) -> u32 {
            self.effects.load(Ordering::SeqCst)
        }
    }

    fn request(method: Method, path: &str, who: Option<&str>, keys: &[&str], body: &'static str) -> Request {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("the tests' paths are paths");
        for key in keys {
            request.headers_mut().append(HEADER, key.parse().expect("a header value"));
        }
        if let Some(who) = who {
            request.extensions_mut().insert(caller(who));
        }
        request
    }

    fn payment(key: &str) -> Request {
        request(Method::POST, "/payments", Some("mara"), &[key], r#"{"cents":7990}"#)
    }

    #[tokio::test(start_paused = true)]
    async fn a_replay_is_the_first_response_byte_for_byte() {
        let shop = Shop::new();
        let first = shop.send(payment("k1")).await;
        assert!(first.status == StatusCode::CREATED, "the first payment: {first:?}");
        let again = shop.send(payment("k1")).await;
        assert!(again == first, "status, headers and bytes of the replay:\n{again:?}\nof the first:\n{first:?}");
        assert!(first.headers.get_all("set-cookie").iter().count() == 2, "a header that came twice: {first:?}");
        assert!(shop.effects() == 1, "{} payments were made", shop.effects());
    }

    #[tokio::test(start_paused = true)]
    async fn the_service_gets_the_whole_request() {
        let shop = Shop::new();
        let got = shop.send(request(Method::POST, "/echo", Some("mara"), &["k1"], "seventy-nine ninety")).await;
        assert!(&got.body[..] == b"seventy-nine ninety", "the body that arrived behind the middleware: {got:?}");
        for (bytes, status) in [(LIMIT, StatusCode::OK), (LIMIT + 1, StatusCode::PAYLOAD_TOO_LARGE)] {
            let mut large = request(Method::POST, "/echo", Some("mara"), &[&bytes.to_string()], "");
            *large.body_mut() = Body::from(vec![b'x'; bytes]);
            let got = shop.send(large).await;
            assert!(got.status == status, "a body of {bytes} bytes, {LIMIT} are allowed: {}", got.status);
        }
        assert!(shop.effects() == 2, "what is too large is not executed: {} effects", shop.effects());
        let mut traced = request(Method::PATCH, "/whole?a=1", Some("mara"), &["k2"], "{}");
        traced.headers_mut().insert("traceparent", "00-17-18-01".parse().expect("a header value"));
        let got = shop.send(traced).await;
        let expected = format!("PATCH /whole?a=1 {:?} {:?}", Some(caller("mara")), Some("00-17-18-01"));
        assert!(got.body == expected.as_bytes(), "the service saw {:?}, sent was {expected:?}", got.body);
    }

    /// The limit is one of requests. What the service answers was paid for, however long it is.
    #[tokio::test(start_paused = true)]
    async fn a_long_answer_is_an_answer() {
        let shop = Shop::new();
        let send = || shop.send(request(Method::POST, "/large", Some("mara"), &["k1"], "{}"));
        let (first, again) = (send().await, send().await);
        assert!(
            first.status == StatusCode::OK && first.body.len() == LIMIT + 1,
            "a response of {} bytes, requests may have {LIMIT}: {} and {} bytes",
            LIMIT + 1,
            first.status,
            first.body.len()
        );
        assert!(
            again == first && shop.effects() == 1,
            "executed {} times, the second got {}",
            shop.effects(),
            again.status
        );
    }

    /// The service said 201, and then its body ended in the middle.
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_breaks_off_is_a_500_and_stays_one() {
        let shop = Shop::new();
        let send = || shop.send(request(Method::POST, "/breaks-off", Some("mara"), &["k1"], "\"more than ten\""));
        let (first, again) = (send().await, send().await);
        assert!(first.status == StatusCode::INTERNAL_SERVER_ERROR && again == first, "twice:\n{first:?}\n{again:?}");
        assert!(shop.effects() == 1, "executed {} times", shop.effects());
    }

    /// All at the same moment, and then once more.
    #[tokio::test(start_paused = true)]
    async fn a_hundred_duplicates_at_once_have_one_effect() {
        let shop = Shop::new();
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            let shop = shop.clone();
            tasks.spawn(async move { shop.send(payment("k1")).await });
        }
        let answers = tasks.join_all().await;
        let (conflicts, others): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|got| got.status == StatusCode::CONFLICT);
        assert!(shop.effects() == 1, "100 duplicates made {} payments", shop.effects());
        assert!(conflicts.len() == 99, "one is executed, 99 are told so: {} conflicts", conflicts.len());
        let late = shop.send(payment("k1")).await;
        assert!(others == [late.clone()], "who comes later gets what the one got:\n{late:?}\n{others:?}");
    }

    /// Within three seconds, and the payment takes one.
    #[test]
    fn duplicates_at_any_time_get_a_conflict_or_the_same_answer() {
        let sometimes = Sometimes::expect(["came while it ran", "came after it was done"]);
        for_seeds(10, |seed| {
            let mut rng = seed.rng();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            let (effects, answers) = runtime.expect("a runtime").block_on(async {
                let shop = Shop::new();
                let mut tasks = JoinSet::new();
                for _ in 0..100 {
                    let (shop, after) = (shop.clone(), Duration::from_millis(rng.random_range(0..3_000)));
                    tasks.spawn(async move {
                        sleep(after).await;
                        shop.send(payment("k1")).await
                    });
                }
                let answers = tasks.join_all().await;
                (shop.effects(), answers)
            });
            assert!(effects == 1, "seed {seed}: 100 duplicates within 3 s made {effects} payments");
            let (conflicts, others): (Vec<_>, Vec<_>) =
                answers.into_iter().partition(|got| got.status == StatusCode::CONFLICT);
            assert!(
                others.iter().all(|got| *got == others[0] && got.status == StatusCode::CREATED),
                "seed {seed}: all that are no conflict are the same answer: {others:?}"
            );
            sometimes.saw("came while it ran", !conflicts.is_empty());
            sometimes.saw("came after it was done", others.len() > 1);
        });
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_for_something_else_under_the_same_key_gets_422() {
        let shop = Shop::new();
        shop.send(payment("k1")).await;
        for other in [
            request(Method::POST, "/payments", Some("mara"), &["k1"], r#"{"cents":1}"#),
            request(Method::POST, "/payments?twice", Some("mara"), &["k1"], r#"{"cents":7990}"#),
            request(Method::POST, "/echo", Some("mara"), &["k1"], r#"{"cents":7990}"#),
            request(Method::PATCH, "/payments", Some("mara"), &["k1"], r#"{"cents":7990}"#),
        ] {
            let what = format!("{} {}", other.method(), other.uri());
            let got = shop.send(other).await;
            assert!(got.status == StatusCode::UNPROCESSABLE_ENTITY, "{what} with the key of a payment: {got:?}");
        }
        assert!(shop.effects() == 1, "{} effects", shop.effects());
    }

    #[tokio::test(start_paused = true)]
    async fn without_exactly_one_key_nothing_is_executed() {
        let shop = Shop::new();
        let long = "x".repeat(256);
        for keys in [&[][..], &["k1", "k2"], &["k1", "k1"], &[""], &["k 1"], &[&long]] {
            let got = shop.send(request(Method::POST, "/payments", Some("mara"), keys, "{}")).await;
            assert!(got.status == StatusCode::BAD_REQUEST, "keys {keys:?}: {got:?}");
        }
        let got = shop.send(request(Method::POST, "/payments", None, &["k1"], "{}")).await;
        assert!(got.status == StatusCode::UNAUTHORIZED, "nobody knows who asks: {got:?}");
        assert!(shop.effects() == 0, "{} effects", shop.effects());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_idempotent_by_itself_needs_no_key() {
        let shop = Shop::new();
        for (n, method) in [Method::GET, Method::PUT, Method::DELETE].into_iter().enumerate() {
            for keys in [&[][..], &["k1"]] {
                let got = shop.send(request(method.clone(), "/payments", None, keys, "")).await;
                assert!(got.status == StatusCode::CREATED, "{method} with keys {keys:?} passes: {got:?}");
            }
            let expected = 2 * (n as u32 + 1);
            assert!(
                shop.effects() == expected,
                "{method} reaches the service each time: {} of {expected}",
                shop.effects()
            );
        }
        let got = shop.send(request(Method::PATCH, "/payments", Some("mara"), &[], "")).await;
        assert!(got.status == StatusCode::BAD_REQUEST, "PATCH is not idempotent by itself: {got:?}");
    }

    /// The service took the money and stumbled when it wrote the receipt.
    #[tokio::test(start_paused = true)]
    async fn an_error_after_the_beginning_is_an_answer_too() {
        for (path, status) in
            [("/broken", StatusCode::INTERNAL_SERVER_ERROR), ("/rejects", StatusCode::PAYMENT_REQUIRED)]
        {
            let shop = Shop::new();
            let send = || shop.send(request(Method::POST, path, Some("mara"), &["k1"], "{}"));
            let (first, again) = (send().await, send().await);
            assert!(first.status == status && again == first, "{path}, twice:\n{first:?}\n{again:?}");
            assert!(shop.effects() == 1, "{path}: executed {} times", shop.effects());
        }
    }

    /// Nobody knows how far it came.
    #[tokio::test(start_paused = true)]
    async fn a_service_that_panicked_is_not_asked_again() {
        let shop = Shop::new();
        let send = || shop.send(request(Method::POST, "/panics", Some("mara"), &["k1"], "{}"));
        let (first, again) = (send().await, send().await);
        assert!(first.status == StatusCode::INTERNAL_SERVER_ERROR && again == first, "twice:\n{first:?}\n{again:?}");
        assert!(shop.effects() == 1, "executed {} times", shop.effects());
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_told_to_come_back_may_come_back() {
        let shop = Shop::new();
        let send = || shop.send(request(Method::POST, "/busy", Some("mara"), &["k1"], "{}"));
        let statuses = [send().await.status.as_u16(), send().await.status.as_u16(), send().await.status.as_u16()];
        assert!(statuses == [503, 429, 201], "busy, busy, done: {statuses:?}");
        let again = send().await;
        assert!(&again.body[..] == b"payment 3", "and then replayed: {again:?}");
    }

    /// The phone goes into a tunnel after ten milliseconds. The server notices and drops the request.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_away_finds_its_answer_when_it_comes_back() {
        let shop = Shop::new();
        let gone = timeout(Duration::from_millis(10), shop.send(payment("k1"))).await;
        assert!(gone.is_err(), "the payment takes a second: {gone:?}");
        let early = shop.send(payment("k1")).await;
        assert!(early.status == StatusCode::CONFLICT, "the payment goes on without its client: {early:?}");
        sleep(s(2)).await;
        let late = shop.send(payment("k1")).await;
        assert!(late.status == StatusCode::CREATED, "the payment was done a second ago: {late:?}");
        assert!(shop.effects() == 1, "{} payments were made", shop.effects());
    }

    /// Mara's payment was answered after one second, so her 24 hours end one second later than those of her question.
    #[tokio::test(start_paused = true)]
    async fn the_24_hours_begin_with_the_answer() {
        let shop = Shop::new();
        let first = shop.send(payment("k1")).await;
        sleep(TTL - Duration::from_millis(500)).await;
        let again = shop.send(payment("k1")).await;
        assert!(again == first, "half a second before the 24 hours are over, {} payments: {again:?}", shop.effects());
        sleep(s(1)).await;
        let late = shop.send(payment("k1")).await;
        assert!(shop.effects() == 2, "half a second after them the key is new, {} payments: {late:?}", shop.effects());
    }

    #[tokio::test(start_paused = true)]
    async fn keys_of_others_do_not_count_and_old_keys_are_forgotten() {
        let shop = Shop::new();
        let (maras, bos) = (payment("1"), request(Method::POST, "/payments", Some("bo"), &["1"], r#"{"cents":7990}"#));
        let (first, second) = (shop.send(maras).await, shop.send(bos).await);
        assert!(first != second, "Bo gets an answer of his own: {second:?}");
        sleep(TTL).await;
        let third = shop.send(payment("1")).await;
        assert!(third != first && shop.effects() == 3, "after 24 hours the key is new: {} payments", shop.effects());
    }
}
