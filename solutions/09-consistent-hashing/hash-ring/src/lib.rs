//! Which machine holds which key, so that a machine that comes or goes moves only the keys that it must.

use std::collections::{BTreeMap, BTreeSet};
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

/// The node that holds `key` when the rule is *hash modulo number of nodes*; `None` if there are no nodes.
#[must_use]
pub fn modulo_owner<'n>(nodes: &'n [Node], key: &str) -> Option<&'n Node> {
    let index = hash64(key.as_bytes(), 0).checked_rem(nodes.len() as u64)?;
    nodes.get(index as usize)
}

/// The fraction of keys that changed owner, from 0 to 1: `before[i]` and `after[i]` are the owners of key `i`.
///
/// Without keys nothing moved: 0.
///
/// # Panics
/// If the two do not speak of the same number of keys.
#[must_use]
pub fn moved_fraction<T: PartialEq>(before: &[T], after: &[T]) -> f64 {
    assert_eq!(before.len(), after.len(), "one owner before and one after for each key");
    let moved = before.iter().zip(after).filter(|(old, new)| old != new).count();
    moved as f64 / before.len().max(1) as f64
}

// ANCHOR: ring
/// A circle of 2⁶⁴ positions. Every node has points on it; a key belongs to the first point at or after its own position,
/// clockwise, and after the last position comes the first.
///
/// The same nodes give the same owners, in whatever order they came.
#[derive(Clone, Debug)]
pub struct Ring {
    virtual_nodes: NonZeroU32,
    nodes: BTreeSet<Node>,
    /// Sorted, so that the next point clockwise is a binary search away.
    points: Vec<Point>,
}

/// Ordered by position; should two nodes ever share one, by name, so that all clients agree on the owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    at: u64,
    node: Node,
}
// ANCHOR_END: ring

impl Ring {
    /// A ring of `nodes`, on which each node has `virtual_nodes` points; one that is named twice is a member once.
    ///
    /// Where the points lie is free, as long as they look random and independent, and every process puts them there.
    /// Sorts all points once.
    #[must_use]
    pub fn new(virtual_nodes: NonZeroU32, nodes: &[Node]) -> Self {
        let mut ring = Self { virtual_nodes, nodes: BTreeSet::new(), points: Vec::new() };
        for node in nodes {
            ring.place(node);
        }
        ring.points.sort_unstable();
        ring
    }

    // ANCHOR: add
    /// Lets `node` join; `false`, and nothing changes, if it is a member already.
    ///
    /// Linear in the number of points.
    pub fn add(&mut self, node: &Node) -> bool {
        let joins = self.place(node);
        if joins {
            self.points.sort(); // The stable sort sees that all but the new points are in order, and merges them in.
        }
        joins
    }

    /// Appends the points of a new member, unsorted. Where they lie follows from its name alone.
    fn place(&mut self, node: &Node) -> bool {
        let joins = self.nodes.insert(node.clone());
        if joins {
            let copies = 0..u64::from(self.virtual_nodes.get());
            let point = |copy| Point { at: hash64(node.name().as_bytes(), copy), node: node.clone() };
            self.points.extend(copies.map(point));
        }
        joins
    }

    /// Lets `node` leave; `false`, and nothing changes, if it is no member.
    ///
    /// Linear in the number of points.
    pub fn remove(&mut self, node: &Node) -> bool {
        let leaves = self.nodes.remove(node);
        if leaves {
            self.points.retain(|point| point.node != *node);
        }
        leaves
    }
    // ANCHOR_END: add

    // ANCHOR: owner
    /// The node that holds `key`; `None` if the ring is empty.
    ///
    /// Logarithmic in the number of points.
    #[must_use]
    pub fn owner(&self, key: &str) -> Option<&Node> {
        self.clockwise_from(key).next()
    }

    /// The nodes met on one turn clockwise from `key`, once for each of their points.
    fn clockwise_from(&self, key: &str) -> impl Iterator<Item = &Node> {
        let at = hash64(key.as_bytes(), 0);
        let (behind, ahead) = self.points.split_at(self.points.partition_point(|point| point.at < at));
        ahead.iter().chain(behind).map(|point| &point.node)
    }
    // ANCHOR_END: owner

    // ANCHOR: shares
    /// The fraction of the circle that each node owns, from 0 to 1; together they own all of it.
    ///
    /// This is the load of a node when keys are many and equally popular.
    #[must_use]
    pub fn shares(&self) -> BTreeMap<&Node, f64> {
        const TURN: i128 = 1 << 64;
        let mut shares = BTreeMap::new();
        let Some(last) = self.points.last() else { return shares };
        let mut previous = i128::from(last.at) - TURN; // The last point, seen from the first: one turn back.
        for Point { at, node } in &self.points {
            let at = i128::from(*at);
            *shares.entry(node).or_default() += (at - previous) as f64 / TURN as f64;
            previous = at;
        }
        shares
    }
    // ANCHOR_END: shares

    // ANCHOR: replicas
    /// The `count` different nodes that hold copies of `key`, the owner first, then clockwise; all nodes if there are fewer.
    #[must_use]
    pub fn replicas(&self, key: &str, count: usize) -> Vec<&Node> {
        let count = count.min(self.nodes.len());
        let mut replicas = Vec::with_capacity(count);
        let mut clockwise = self.clockwise_from(key);
        while replicas.len() < count
            && let Some(node) = clockwise.next()
        {
            if !replicas.contains(&node) {
                replicas.push(node);
            }
        }
        replicas
    }
    // ANCHOR_END: replicas
}
