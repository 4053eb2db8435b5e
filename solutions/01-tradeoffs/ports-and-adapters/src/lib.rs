//! Accounts, and two places where they can be kept. The domain knows neither; both know the domain.
//!
//! `trybuild` is set when stage 5 compiles this crate: then there is the domain and nothing else, no store and no `rusqlite`.

pub mod domain;
#[cfg(not(trybuild))]
pub mod memory;
#[cfg(not(trybuild))]
pub mod sqlite;
