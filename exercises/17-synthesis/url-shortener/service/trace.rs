//! Each request has a trace: the caller's, if there is one, or its own. Log lines carry it.

use std::cell::Cell;
use std::hash::{BuildHasher as _, RandomState};

use axum::http::HeaderMap;
use url_shortener::parts::trace_context::{Sampler, Span, SpanId, TraceId};

/// Makes names that nobody else makes, and decides which requests are logged.
pub struct Tracer {
    sampler: Sampler,
}

impl Tracer {
    pub fn new(log_per_million: u32) -> Self {
        Self { sampler: Sampler { per_million: log_per_million } }
    }

    /// The span of a request that arrived with these headers.
    pub fn span(&self, headers: &HeaderMap) -> Span {
        let header = headers.get("traceparent").and_then(|value| value.to_str().ok());
        let trace = u128::from(self.random()) << 64 | u128::from(self.random());
        Span::serve(header, TraceId(trace.max(1)), SpanId(self.random().max(1)), self.sampler)
    }

    /// 64 bits from a key and a counter that are the thread's own.
    pub fn random(&self) -> u64 {
        thread_local!(static NAMES: (RandomState, Cell<u64>) = (RandomState::new(), Cell::new(0)));
        NAMES.with(|(key, made)| {
            made.set(made.get() + 1);
            key.hash_one(made.get())
        })
    }
}
