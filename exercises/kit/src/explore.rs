//! Every interleaving up to a bound, breadth first; or from a scripted beginning; or a random walk, shrunk.
//!
//! The search itself is `stateright`'s. Any of its models can be searched; [`World`] makes one of a sans-IO
//! [`Node`](crate::Node), with the network's, the clients' and the crashes' choices as actions.

mod search;
mod stage;
mod walk;
mod world;

pub use search::{Counterexample, Found, Outcome, Search};
pub use stage::Stage;
pub use stateright::{self, Model};
pub use world::{Action, World, WorldState};

#[cfg(test)]
mod tests;
