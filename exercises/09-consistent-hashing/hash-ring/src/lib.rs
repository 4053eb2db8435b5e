//! Which machine holds which key, so that a machine that comes or goes moves only the keys that it must.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

/// A machine, by name. Cheap to clone: all clones share the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(Arc<str>);

impl Node {
    /// The machine called `name`.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// What the machine is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// XXH64 of `bytes`: 64 well-mixed bits, the same in every process, on every platform and in every language.
///
/// Another `seed` gives another hash function.
#[must_use]
pub fn hash64(bytes: &[u8], seed: u64) -> u64 {
    xxhash_rust::xxh64::xxh64(bytes, seed)
}

// ── Stage 1: modulo ─────────────────────────────────────────────────────────────────────────────────────────────────

/// The node that holds `key` when the rule is *hash modulo number of nodes*; `None` if there are no nodes.
#[must_use]
pub fn modulo_owner<'n>(nodes: &'n [Node], key: &str) -> Option<&'n Node> {
    todo!("find {key} among {nodes:?}")
}

/// The fraction of keys that changed owner, from 0 to 1: `before[i]` and `after[i]` are the owners of key `i`.
///
/// Without keys nothing moved: 0.
///
/// # Panics
/// If the two do not speak of the same number of keys.
#[must_use]
pub fn moved_fraction<T: PartialEq>(before: &[T], after: &[T]) -> f64 {
    todo!("compare the owners of {} keys with those of {}", before.len(), after.len())
}

// ── Stage 2: the ring, one point for each node ──────────────────────────────────────────────────────────────────────

/// A circle of 2⁶⁴ positions. Every node has points on it; a key belongs to the first point at or after its own position,
/// clockwise, and after the last position comes the first.
///
/// The same nodes give the same owners, in whatever order they came.
#[derive(Clone, Debug)]
pub struct Ring {
    // TODO: which order of the points makes "the next one clockwise" quick to find?
}

impl Ring {
    /// A ring of `nodes`, on which each node has `virtual_nodes` points; one that is named twice is a member once.
    ///
    /// Where the points lie is free, as long as they look random and independent, and every process puts them there.
    /// Sorts all points once.
    #[must_use]
    pub fn new(virtual_nodes: NonZeroU32, nodes: &[Node]) -> Self {
        // TODO: in stage 2 one point for each node is enough; in stage 3 each has as many as it should.
        todo!("place {virtual_nodes} points for each of {nodes:?}")
    }

    /// Lets `node` join; `false`, and nothing changes, if it is a member already.
    ///
    /// Linear in the number of points.
    pub fn add(&mut self, node: &Node) -> bool {
        // TODO: what may the positions of its points depend on, if no other node's points are to move?
        todo!("place {node}")
    }

    /// Lets `node` leave; `false`, and nothing changes, if it is no member.
    ///
    /// Linear in the number of points.
    pub fn remove(&mut self, node: &Node) -> bool {
        todo!("take {node} off")
    }

    /// The node that holds `key`; `None` if the ring is empty.
    ///
    /// Logarithmic in the number of points.
    #[must_use]
    pub fn owner(&self, key: &str) -> Option<&Node> {
        // TODO: some keys lie after the last point. Whose are they?
        todo!("find the first point clockwise from {key}")
    }

    // ── Stage 3: virtual nodes ──────────────────────────────────────────────────────────────────────────────────────
    // TODO: go back to `new` and `add`, and give each node all of its points.

    /// The fraction of the circle that each node owns, from 0 to 1; together they own all of it.
    ///
    /// This is the load of a node when keys are many and equally popular.
    #[must_use]
    pub fn shares(&self) -> BTreeMap<&Node, f64> {
        // TODO: a point owns an arc of the circle. Where does it begin, and where does it end?
        todo!("add up the arcs of each node")
    }

    // ── Stage 4: replicas ───────────────────────────────────────────────────────────────────────────────────────────

    /// The `count` different nodes that hold copies of `key`, the owner first, then clockwise; all nodes if there are fewer.
    #[must_use]
    pub fn replicas(&self, key: &str, count: usize) -> Vec<&Node> {
        // TODO: how many points must you pass to meet `count` machines?
        todo!("walk clockwise from {key} until {count} machines are met")
    }
}
