//! The parts that the shortener is made of: reference solutions, or your own.
//!
//! `cargo test -p url-shortener --features my-parts` takes all of your own crates in their place, `--features my-bloom-filter` one of them.
//! The tests are the same. A part that you have not solved panics where it is used.

#[cfg(feature = "my-envelope")]
pub use my_envelope as envelope;
#[cfg(not(feature = "my-envelope"))]
pub use reference_envelope as envelope;

#[cfg(feature = "my-error-budget")]
pub use my_error_budget as error_budget;
#[cfg(not(feature = "my-error-budget"))]
pub use reference_error_budget as error_budget;

#[cfg(feature = "my-cache-aside")]
pub use my_cache_aside as cache_aside;
#[cfg(not(feature = "my-cache-aside"))]
pub use reference_cache_aside as cache_aside;

#[cfg(feature = "my-shard-router")]
pub use my_shard_router as shard_router;
#[cfg(not(feature = "my-shard-router"))]
pub use reference_shard_router as shard_router;

#[cfg(feature = "my-bloom-filter")]
pub use my_bloom_filter as bloom_filter;
#[cfg(not(feature = "my-bloom-filter"))]
pub use reference_bloom_filter as bloom_filter;

#[cfg(all(feature = "serve", feature = "my-token-bucket"))]
pub use my_token_bucket as token_bucket;
#[cfg(all(feature = "serve", not(feature = "my-token-bucket")))]
pub use reference_token_bucket as token_bucket;

#[cfg(all(feature = "serve", feature = "my-idempotency-key"))]
pub use my_idempotency_key as idempotency_key;
#[cfg(all(feature = "serve", not(feature = "my-idempotency-key")))]
pub use reference_idempotency_key as idempotency_key;

#[cfg(all(feature = "serve", feature = "my-histogram"))]
pub use my_histogram as histogram;
#[cfg(all(feature = "serve", not(feature = "my-histogram")))]
pub use reference_histogram as histogram;

#[cfg(all(feature = "serve", feature = "my-trace-context"))]
pub use my_trace_context as trace_context;
#[cfg(all(feature = "serve", not(feature = "my-trace-context")))]
pub use reference_trace_context as trace_context;

#[cfg(all(feature = "serve", feature = "my-client-ip"))]
pub use my_client_ip as client_ip;
#[cfg(all(feature = "serve", not(feature = "my-client-ip")))]
pub use reference_client_ip as client_ip;
