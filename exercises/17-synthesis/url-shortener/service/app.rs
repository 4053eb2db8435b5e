//! Requests in, responses out.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, FormRejection};
use axum::extract::{
    ConnectInfo, DefaultBodyLimit, Form, FromRequest as _, FromRequestParts as _, Path, Request, State,
};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use kit::{Millis, Time};
use serde::Deserialize;
use serde_json::json;
use url_shortener::click::{self, Outbox, Source, respond};
use url_shortener::code::Code;
use url_shortener::create::{Link, Outcome, Target};
use url_shortener::parts::cache_aside::Lifetimes;
use url_shortener::parts::client_ip::{client, limit_key};
use url_shortener::parts::idempotency_key::Caller;
use url_shortener::parts::idempotency_key::web::{HEADER, Idempotency, idempotent};
use url_shortener::parts::shard_router::{Shard as ShardId, Slots};
use url_shortener::parts::token_bucket::{Denied, Limit, Limiter, Refused};
use url_shortener::parts::trace_context::Span;
use url_shortener::store::{Front, Seek};

use crate::database::{Database, Failed};
use crate::metrics::{Metrics, Route};
use crate::options::Options;
use crate::page;
use crate::problem::{Problem, of_bare, of_key, unreadable};
use crate::trace::Tracer;

/// A request and its body may take so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// A body may have so many bytes.
const BODY: usize = 16 << 10;
/// Clicks are written down so often. Those of one link in one hour are one row, however many: who waits longer writes less.
const FLUSH: Duration = Duration::from_millis(500);
/// So many at a time at most.
const CLICKS: usize = 50_000;
/// The cache is kept in so many parts, by code, so that visitors of different links seldom wait for each other.
const PARTS: usize = 8;
/// Who waits for somebody else's question looks again so often, and so many times.
const AGAIN: Duration = Duration::from_millis(2);
const LOOKS: u32 = 250;
/// Responses to requests with an idempotency key are kept so long.
const REPLAYED: Duration = Duration::from_secs(3_600);

pub struct App {
    options: Options,
    base: String,
    ourselves: String,
    database: Database,
    fronts: [Mutex<Front>; PARTS],
    outbox: Mutex<Outbox>,
    limiter: Mutex<Limiter<IpAddr>>,
    idempotency: Idempotency,
    metrics: Metrics,
    tracer: Tracer,
    log: SyncSender<String>,
    began: (Instant, u64),
    stopping: AtomicBool,
}

impl App {
    pub fn open(options: Options, address: SocketAddr) -> Result<Self, String> {
        let database = Database::open(&options.database, options.filter_links, options.max_pages)?;
        let base = options.base.clone().unwrap_or_else(|| format!("http://{address}"));
        let ourselves = host_of(&base).ok_or_else(|| format!("--base {base}: it begins with http:// or https://"))?;
        let limit = Limit::new(options.burst, options.creates_per_second, Duration::from_secs(1));
        let limit = limit.ok_or("--burst and --creates-per-second are at least 1")?;
        let kept = options.cached_links.div_ceil(PARTS);
        let lifetimes = Lifetimes { value: Millis(3_600_000), absence: Millis(0), jitter: 10, lease: Millis(400) };
        let source = Source { instance: 0, life: database.life };
        let began =
            (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64));
        let clock = began.0;
        Ok(Self {
            base,
            ourselves,
            fronts: std::array::from_fn(|_| Mutex::new(Front::new(Slots::new(1, &[ShardId(0)]), lifetimes, kept))),
            outbox: Mutex::new(Outbox::new(source, 1_000_000)),
            limiter: Mutex::new(Limiter::new(limit, 100_000)),
            idempotency: Idempotency::new(REPLAYED, move || clock.elapsed()),
            metrics: Metrics::default(),
            tracer: Tracer::new(options.log_per_million),
            log: start_log(),
            began,
            stopping: AtomicBool::new(false),
            database,
            options,
        })
    }

    pub fn links_at_start(&self) -> u64 {
        self.database.links
    }

    /// Writes clicks down until told to stop; then the last ones.
    pub async fn count_clicks(self: Arc<Self>) {
        loop {
            let stopping = self.stopping.load(Ordering::Acquire);
            loop {
                let batch = lock(&self.outbox).batch(CLICKS);
                let Some(batch) = batch else { break };
                let full = batch.clicks.len() == CLICKS;
                // What is not written down waits, and is sent again.
                let Ok(through) = self.database.clicks(batch).await else { break };
                lock(&self.outbox).counted(through);
                // Some more have come meanwhile, and always will have: they are for the next time.
                if !full {
                    break;
                }
            }
            if stopping {
                return;
            }
            tokio::time::sleep(FLUSH).await;
        }
    }

    pub fn stop_counting(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub async fn forget_old_keys(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            self.idempotency.prune();
        }
    }

    /// Milliseconds since 1970, which never go back.
    fn now(&self) -> Time {
        Time(self.began.1 + self.began.0.elapsed().as_millis() as u64)
    }

    fn front(&self, code: Code) -> MutexGuard<'_, Front> {
        lock(&self.fronts[code.number() as usize % PARTS])
    }

    /// The link with this code: from the cache, or not at all if the filter knows better, or from the file.
    async fn find(self: &Arc<Self>, code: Code) -> Result<Option<Link>, Failed> {
        let app = Arc::clone(self);
        if !self.options.cache {
            return from_file(move || app.database.read(code)).await;
        }
        let count = self.metrics.here();
        for _ in 0..LOOKS {
            let now = self.now();
            let seek = self.front(code).seek(code, now);
            match seek {
                Seek::Known(link) => {
                    count.cache_hits.fetch_add(1, Ordering::Relaxed);
                    return Ok(Some(link));
                }
                Seek::Ask(_, lease) => {
                    count.cache_misses.fetch_add(1, Ordering::Relaxed);
                    if self.database.rules_out(code) {
                        count.ruled_out.fetch_add(1, Ordering::Relaxed);
                        self.front(code).loaded(code, lease, None, now, 0);
                        return Ok(None);
                    }
                    // A task of its own: others wait for it, and the visitor who began it may go away.
                    let load = move || {
                        let row = app.database.read(code);
                        let draw = app.tracer.random();
                        match &row {
                            Ok(row) => app.front(code).loaded(code, lease, row.as_ref(), now, draw),
                            Err(_) => app.front(code).forget(code),
                        }
                        row
                    };
                    return from_file(load).await;
                }
                Seek::Wait => tokio::time::sleep(AGAIN).await,
            }
        }
        Err(Failed::Crowded)
    }

    /// Makes a link, or finds it.
    async fn shorten(&self, url: &str) -> Result<(Code, Target, bool), Problem> {
        let target = Target::parse(url, &self.ourselves).map_err(|why| Problem::from(&why))?;
        match self.database.create(target.clone()).await.map_err(of_database)? {
            Outcome::Created(code) => Ok((code, target, true)),
            Outcome::Existing(code) => Ok((code, target, false)),
            Outcome::Removed(_) => Err(Problem::gone()),
            Outcome::Exhausted => Err(Problem::unavailable("No code was free for this URL.")),
        }
    }

    fn short(&self, code: Code) -> String {
        format!("{}/{code}", self.base)
    }
}

/// Asks the file, on a thread that may wait for the disk; nobody else waits longer than is bearable.
async fn from_file<T: Send + 'static>(read: impl FnOnce() -> Result<T, Failed> + Send + 'static) -> Result<T, Failed> {
    match tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(read)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => Err(Failed::Broken),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn of_database(failed: Failed) -> Problem {
    match failed {
        // 503 and not 507: it says that nothing was done, and a key that came with it may be used again.
        Failed::Full => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "disk-full",
            "The disk is full",
            "No link was made. Those that exist lead on.",
        )
        .retry_after(60),
        Failed::Crowded => Problem::unavailable("Too many requests wait already."),
        Failed::Broken => Problem::unavailable("The store did not answer."),
    }
}

/// The host of a base URL, in lower case and without a port.
fn host_of(base: &str) -> Option<String> {
    let rest = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"))?;
    let authority = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let end = authority.rfind(']').map_or_else(|| authority.find(':'), |bracket| Some(bracket + 1));
    Some(authority[..end.unwrap_or(authority.len())].to_owned())
}

/// A thread that writes lines. Who logs never waits; what it cannot take is lost.
fn start_log() -> SyncSender<String> {
    let (log, lines) = sync_channel::<String>(4_096);
    std::thread::spawn(move || {
        use std::io::Write as _;
        for line in lines {
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    });
    log
}

pub fn router(app: &Arc<App>) -> Router {
    let api = post(create)
        .layer::<_, Infallible>(from_fn_with_state(app.idempotency.clone(), once))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(Arc::clone(app), limited));
    let home = get(|| async { page::form("", None) }).post(create_by_form);
    // Most of what is asked is a visit. A layer around it would cost as much as its answer: it observes itself.
    let code = MethodRouter::new().layer(from_fn_with_state(Arc::clone(app), observe)).get(visit);
    Router::new()
        .route("/", home.layer(DefaultBodyLimit::max(BODY)).layer(from_fn_with_state(Arc::clone(app), limited)))
        .route("/api/links", api)
        .route("/api/links/{code}", get(look).delete(remove))
        .route("/metrics", get(metrics))
        .route("/health", get(|| async { "ok\n" }))
        .fallback(|| async { Problem::not_found() })
        .layer(from_fn_with_state(Arc::clone(app), observe))
        .route("/{code}", code)
        .with_state(Arc::clone(app))
}

/// What is known of a request before anything is done for it: since when, in which trace, for whom.
struct Asked {
    began: Instant,
    span: Span,
    client: IpAddr,
}

impl App {
    fn asked(&self, headers: &HeaderMap, extensions: &Extensions) -> Asked {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        Asked { began: Instant::now(), span: self.tracer.span(headers), client: who(self, peer, headers) }
    }

    /// Counts a response, and says one line about it if it failed or its trace is kept; whoever asked is then told the trace.
    fn answered(&self, asked: &Asked, route: Route, method: &Method, path: &str, mut response: Response) -> Response {
        let (took, status, span) = (asked.began.elapsed(), response.status().as_u16(), &asked.span);
        self.metrics.here().answered(route, status, took);
        if status >= 500 || span.sampled {
            let line = json!({
                "level": if status >= 500 { "error" } else { "info" },
                "at": self.now().0,
                "trace": format!("{:032x}", span.trace.0),
                "span": format!("{:016x}", span.id.0),
                "client": asked.client.to_string(),
                "method": method.as_str(),
                "path": path,
                "status": status,
                "micros": took.as_micros() as u64,
            });
            let _ = self.log.try_send(line.to_string());
            if let Ok(context) = HeaderValue::from_str(&span.outgoing().to_string()) {
                response.headers_mut().insert("traceparent", context);
            }
        }
        response
    }
}

/// Around everything but visits.
async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let asked = app.asked(request.headers(), request.extensions());
    let route = match (request.method(), request.uri().path()) {
        (&Method::POST, "/" | "/api/links") => Route::Create,
        _ => Route::Other,
    };
    let (method, uri) = (request.method().clone(), request.uri().clone());
    request.extensions_mut().insert(Client(asked.client));
    if route == Route::Create {
        request.extensions_mut().insert(Caller(asked.client.to_string()));
    }
    let response = match tokio::time::timeout(PATIENCE, next.run(request)).await {
        Ok(response) => of_bare(response),
        Err(_) => {
            let problem = Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "too-slow",
                "That took too long",
                "The request did not arrive in time.",
            );
            problem.into_response()
        }
    };
    app.answered(&asked, route, &method, uri.path(), response)
}

/// What limits count by.
#[derive(Clone, Copy)]
struct Client(IpAddr);

fn who(app: &App, peer: Option<IpAddr>, headers: &HeaderMap) -> IpAddr {
    let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    if app.options.trusted.is_empty() {
        return limit_key(client(peer, &[], &[]));
    }
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().map(|line| line.to_str().unwrap_or("?")).collect();
    limit_key(client(peer, &lines, &app.options.trusted))
}

/// Who sends a key is served once, however often; who sends none finds the same link all the same.
async fn once(state: State<Idempotency>, request: Request, next: Next) -> Response {
    if !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    // All of the body must be there before it is compared: half of one is neither this request nor another.
    let whole = match Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await {
        Ok(whole) => whole,
        Err(rejection) => return unreadable(rejection.status()).into_response(),
    };
    of_key(idempotent(state, Request::from_parts(parts, Body::from(whole)), next).await)
}

/// Who wants to make something takes a token for it first, whatever comes of it.
async fn limited(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>().filter(|_| request.method() == Method::POST).copied();
    let since = app.began.0.elapsed();
    let taken = client.map_or(Ok(()), |client| lock(&app.limiter).take(&client.0, 1, since));
    let wait = match taken {
        Ok(()) => return next.run(request).await,
        Err(Denied::Limited(Refused::Wait { retry_after }) | Denied::Crowded { retry_after }) => retry_after,
        Err(Denied::Limited(Refused::TooMuch { .. })) => Duration::from_secs(60),
    };
    app.metrics.here().limited.fetch_add(1, Ordering::Relaxed);
    let detail = "Each client may make a few links a second.";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many links at once", detail);
    problem.retry_after(wait.as_secs() + 1).into_response()
}

/// Follows a link.
async fn visit(State(app): State<Arc<App>>, request: Request) -> Response {
    let (mut request, _) = request.into_parts();
    let asked = app.asked(&request.headers, &request.extensions);
    let response = match Path::<String>::from_request_parts(&mut request, &()).await {
        Ok(Path(text)) => follow(&app, &text, &request).await,
        Err(rejection) => of_bare(rejection.into_response()),
    };
    let route = if request.uri.path().len() == 8 { Route::Redirect } else { Route::Other };
    app.answered(&asked, route, &request.method, request.uri.path(), response)
}

async fn follow(app: &Arc<App>, text: &str, request: &Parts) -> Response {
    let for_people = |problem: Problem| {
        let accepts = request.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if accepts.contains("text/html") { page::refused(&problem) } else { problem.into_response() }
    };
    if let Some(text) = text.strip_suffix('+') {
        return clicks(app, text).await.unwrap_or_else(for_people);
    }
    let Some(code) = Code::parse(text) else { return for_people(Problem::not_found()) };
    let link = match app.find(code).await {
        Ok(link) => link,
        Err(failed) => return for_people(of_database(failed)),
    };
    let told = respond(link.as_ref(), app.options.policy);
    if told.is_click() && request.method == Method::GET {
        lock(&app.outbox).record(code, app.now());
    }
    let remembered = told.remembered().0 / 1_000;
    let mut response = match &told {
        click::Response::Found(target) | click::Response::Moved(target) => {
            let status = StatusCode::from_u16(told.status()).unwrap_or(StatusCode::FOUND);
            match HeaderValue::from_str(target.as_str()) {
                Ok(location) => (status, [(header::LOCATION, location)]).into_response(),
                Err(_) => for_people(Problem::not_found()),
            }
        }
        click::Response::NotFound => for_people(Problem::not_found()),
        click::Response::Gone => for_people(Problem::gone()),
    };
    let control = match remembered {
        0 => HeaderValue::from_static("no-store"),
        seconds => {
            HeaderValue::from_str(&format!("public, max-age={seconds}")).unwrap_or(HeaderValue::from_static("no-store"))
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, control);
    response
}

async fn clicks(app: &Arc<App>, text: &str) -> Result<Response, Problem> {
    let (code, link, windows) = known(app, text).await?;
    Ok(page::clicks(&app.short(code), link.target.as_str(), link.removed, &windows))
}

/// A link and its clicks, straight from the file.
async fn known(app: &Arc<App>, text: &str) -> Result<(Code, Link, Vec<(u64, u64)>), Problem> {
    let code = Code::parse(text).ok_or_else(Problem::not_found)?;
    let reader = Arc::clone(app);
    let read = move || Ok((reader.database.read(code)?, reader.database.clicks_of(code)?));
    let (link, windows) = from_file(read).await.map_err(of_database)?;
    Ok((code, link.ok_or_else(Problem::not_found)?, windows))
}

#[derive(Deserialize)]
struct Wish {
    url: String,
}

async fn create(State(app): State<Arc<App>>, body: Result<Bytes, BytesRejection>) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return unreadable(rejection.status()).into_response(),
    };
    let wish: Wish = match serde_json::from_slice(&body) {
        Ok(wish) => wish,
        Err(error) => {
            let detail = format!("The body is a JSON object with a `url`: {error}.");
            return Problem::new(StatusCode::BAD_REQUEST, "body", "The body is not what it should be", detail)
                .into_response();
        }
    };
    match app.shorten(&wish.url).await {
        Ok((code, target, new)) => {
            let short = app.short(code);
            let status = if new { StatusCode::CREATED } else { StatusCode::OK };
            let body = json!({"code": code.to_string(), "short": short, "target": target.as_str(), "new": new});
            (status, [(header::LOCATION, short)], axum::Json(body)).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

async fn create_by_form(State(app): State<Arc<App>>, form: Result<Form<Wish>, FormRejection>) -> Response {
    let wish = match form {
        Ok(Form(wish)) => wish,
        Err(rejection) => return page::form("", Some(&unreadable(rejection.status()))),
    };
    match app.shorten(wish.url.trim()).await {
        Ok((code, target, _)) => page::made(&app.short(code), target.as_str()),
        Err(problem) => page::form(&wish.url, Some(&problem)),
    }
}

async fn look(State(app): State<Arc<App>>, Path(text): Path<String>) -> Result<Response, Problem> {
    let (code, link, windows) = known(&app, &text).await?;
    let total: u64 = windows.iter().map(|(_, clicks)| clicks).sum();
    let hours: Vec<_> = windows.iter().map(|(from, clicks)| json!({"from": from, "clicks": clicks})).collect();
    let body = json!({
        "code": code.to_string(),
        "target": link.target.as_str(),
        "removed": link.removed,
        "clicks": total,
        "hours": hours,
    });
    Ok(axum::Json(body).into_response())
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let may = app.options.admin_token.as_deref().is_some_and(|token| given.is_some_and(|given| same(token, given)));
    if !may {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "You may not do that",
            "Only who has the token may take links down.",
        ));
    }
    let code = Code::parse(&text).ok_or_else(Problem::not_found)?;
    let link = app.database.remove(code).await.map_err(of_database)?;
    app.front(code).forget(code);
    link.map(|_| StatusCode::NO_CONTENT.into_response()).ok_or_else(Problem::not_found)
}

/// Compares in a time that does not tell how much was right.
fn same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differences == 0
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let (waiting, dropped) = {
        let outbox = lock(&app.outbox);
        (outbox.waiting() as u64, outbox.dropped())
    };
    let kept = app.fronts.iter().map(|front| lock(front).kept() as u64).sum();
    let text = app.metrics.page(&[
        ("shortener_clicks_waiting", "gauge", "Clicks not written down yet.", waiting),
        ("shortener_clicks_dropped_total", "counter", "Clicks that there was no room for.", dropped),
        ("shortener_cached_links", "gauge", "Links in the cache.", kept),
        ("shortener_commits_total", "counter", "Transactions committed.", app.database.commits()),
    ]);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
