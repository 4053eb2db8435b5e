//! Stage 4: the store in front of a web service, as a middleware for axum.

use crate::{Begin, Caller, Fingerprint, Key, Permit, Store};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The header that carries the key.
pub const HEADER: &str = "idempotency-key";

/// Request bodies may have so many bytes.
pub const LIMIT: usize = 1 << 20;

/// A response as it was sent, to be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its status.
    pub status: StatusCode,
    /// All its headers.
    pub headers: HeaderMap,
    /// All its bytes.
    pub body: Bytes,
}

impl Recorded {
    /// Reads the response to its end. One that breaks off is a 500.
    pub async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        match to_bytes(body, usize::MAX).await {
            Ok(body) => Self { status: parts.status, headers: parts.headers, body },
            Err(_) => Self::failed(),
        }
    }

    /// What the caller of a request gets that began and came to no end.
    #[must_use]
    pub fn failed() -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// Whether the service says by it that it has done nothing: 429 and 503. Everything else is kept, a 500 too: it may have done half.
    #[must_use]
    pub fn says_not_executed(&self) -> bool {
        [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&self.status)
    }
}

impl IntoResponse for Recorded {
    /// The response, once more.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// What the middleware shares between requests.
#[derive(Clone)]
pub struct Idempotency {
    store: Arc<Mutex<Store<Recorded>>>,
    clock: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Idempotency {
    /// An empty store that keeps responses for `ttl`, and the clock that it goes by.
    #[must_use]
    pub fn new(ttl: Duration, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { store: Arc::new(Mutex::new(Store::new(ttl))), clock: Arc::new(clock) }
    }

    /// [`Store::begin`], now.
    #[must_use]
    pub fn begin(&self, caller: &Caller, key: &Key, fingerprint: &Fingerprint) -> Begin<Recorded> {
        self.with(|store, now| store.begin(caller, key, fingerprint, now))
    }

    /// [`Store::finish`] or, if the service says that it has done nothing, [`Store::abandon`], now.
    pub fn end(&self, permit: Permit, recorded: &Recorded) {
        self.with(|store, now| {
            if recorded.says_not_executed() {
                store.abandon(permit);
            } else {
                store.finish(permit, recorded.clone(), now);
            }
        });
    }

    /// [`Store::prune`], now: for a timer to call, once a minute, say.
    pub fn prune(&self) {
        self.with(Store::prune);
    }

    /// The lock is held for a look into a map and never across an `await`. A panic cannot leave the map half changed.
    fn with<T>(&self, act: impl FnOnce(&mut Store<Recorded>, Duration) -> T) -> T {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut store, (self.clock)())
    }
}

// ANCHOR: middleware
/// The middleware, for [`axum::middleware::from_fn_with_state`].
///
/// * Only `POST` and `PATCH` need a key; everything else passes.
/// * The [`Caller`] is an extension of the request, put there by authentication: without one 401.
/// * No key, more than one, or one that is none: 400. A body of more than [`LIMIT`] bytes: 413.
/// * A key in progress: 409. A key of another request: 422. Neither reaches the service.
/// * A request that was executed: the recorded response, byte for byte.
/// * Once execution has begun it goes on to its end and its response is kept, even if the client goes away. If the service panics, that is [`Recorded::failed`].
pub async fn idempotent(State(shared): State<Idempotency>, request: Request, next: Next) -> Response {
    if ![Method::POST, Method::PATCH].contains(request.method()) {
        return next.run(request).await;
    }
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let Some(key) = only_key(request.headers()) else { return StatusCode::BAD_REQUEST.into_response() };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LIMIT).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let fingerprint = Fingerprint::of(parts.method.as_str(), target, &body);

    let permit = match shared.begin(&caller, &key, &fingerprint) {
        Begin::Run(permit) => permit,
        Begin::Replay(recorded) => return recorded.into_response(),
        Begin::InProgress => return StatusCode::CONFLICT.into_response(),
        Begin::Mismatch => return StatusCode::UNPROCESSABLE_ENTITY.into_response(),
    };
    // Tasks of their own: when the client goes away, the server drops this future, and nothing else.
    let request = Request::from_parts(parts, Body::from(body));
    let service = tokio::spawn(async move { Recorded::of(next.run(request).await).await });
    let execution = tokio::spawn(async move {
        let recorded = service.await.unwrap_or_else(|_panicked| Recorded::failed());
        shared.end(permit, &recorded);
        recorded
    });
    execution.await.unwrap_or_else(|_shutdown| Recorded::failed()).into_response()
}
// ANCHOR_END: middleware

/// The key, if there is exactly one.
fn only_key(headers: &HeaderMap) -> Option<Key> {
    let mut values = headers.get_all(HEADER).iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    Key::new(only.to_str().ok()?)
}
