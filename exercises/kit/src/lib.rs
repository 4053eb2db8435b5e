//! What the exercises' tests are made of: seeds that replay, a simulated world, its trace, histories and statistics.
//!
//! A protocol is written *sans-IO*: a pure [`step`](node::Node::step) that is told what happened and answers what to do,
//! with no thread, socket or clock. [`sim`] runs it on virtual time under faults; [`trace`] shows the run; [`history`]
//! judges what clients saw; [`Sometimes`] proves that the run got interesting.
//! Nothing in here lets a real clock, a socket or an unseeded number into a run.

pub mod chaos;
#[cfg(feature = "compile")]
pub mod compile;
#[cfg(feature = "explore")]
pub mod explore;
pub mod history;
pub mod node;
pub mod seed;
pub mod shrink;
pub mod sim;
mod sometimes;
#[cfg(feature = "stats")]
pub mod stats;
pub mod trace;

/// The random numbers library whose traits [`Rng`] implements, for `use kit::rand::RngExt as _`.
pub use rand;

pub use node::{CallId, Input, Millis, Node, NodeId, Output, Time};
pub use seed::{Rng, Seed, for_seeds};
pub use sim::{Cluster, Fault, Network, Sim};
pub use sometimes::Sometimes;
