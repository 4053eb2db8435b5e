//! Stage 4: the store in front of a web service, as a middleware for axum.

use crate::{Begin, Caller, Fingerprint, Key, Permit, Store};
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
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
        todo!("record {response:?}")
    }

    /// What the caller of a request gets that began and came to no end.
    #[must_use]
    pub fn failed() -> Self {
        todo!("a 500 without anything")
    }

    /// Whether the service says by it that it has done nothing: 429 and 503. Everything else is kept, a 500 too: it may have done half.
    #[must_use]
    pub fn says_not_executed(&self) -> bool {
        todo!("does {self:?} say that nothing was done?")
    }
}

impl IntoResponse for Recorded {
    /// The response, once more.
    fn into_response(self) -> Response {
        todo!("send {self:?} again")
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
        drop(permit); // only so that it compiles
        todo!("it ends with {recorded:?}")
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
/// The middleware, for [`axum::middleware::from_fn_with_state`].
///
/// * Only `POST` and `PATCH` need a key; everything else passes.
/// * The [`Caller`] is an extension of the request, put there by authentication: without one 401.
/// * No key, more than one, or one that is none: 400. A body of more than [`LIMIT`] bytes: 413.
/// * A key in progress: 409. A key of another request: 422. Neither reaches the service.
/// * A request that was executed: the recorded response, byte for byte.
/// * Once execution has begun it goes on to its end and its response is kept, even if the client goes away. If the service panics, that is [`Recorded::failed`].
pub async fn idempotent(State(shared): State<Idempotency>, request: Request, next: Next) -> Response {
    // TODO: what happens to this future when the client goes away, and what to a payment that is half done?
    drop((shared, next)); // only so that it compiles
    todo!("answer {request:?}")
}
