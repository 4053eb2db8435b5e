//! What the exercises' tests are made of: seeds that replay, a simulated world, its trace, histories and statistics.
//!
//! A protocol is written *sans-IO*: a pure `step(&mut self, input, now) -> Vec<Output>` with no thread, socket or clock.
//! Nothing in here reads a real clock, opens a socket or draws an unseeded number.

pub mod seed;
#[cfg(feature = "stats")]
pub mod stats;

pub use seed::{Rng, Seed, for_seeds};
