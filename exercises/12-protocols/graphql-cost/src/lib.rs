//! What a GraphQL query can cost, computed from its text before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Values of a query's variables, by name without `$`. Only integers matter here.
pub type Variables = BTreeMap<String, i64>;

/// What a query may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many elements one connection may be asked for.
    pub size: RangeInclusive<u64>,
    /// How many elements of connections the answer can have in all.
    pub nodes: u64,
    /// How deep fields may stand in fields; `{ viewer { login } }` is 2 deep.
    pub depth: usize,
    /// How many fields the query may have, each counted once however often it is executed.
    pub fields: usize,
}

/// What a query can cost, if every list is as long as it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Elements of connections, in all.
    pub nodes: u64,
    /// How often a connection is asked for its elements: once for each element of the connections around it.
    pub requests: u64,
    /// How deep fields stand in fields.
    pub depth: usize,
    /// Fields, with all fragments in their places.
    pub fields: usize,
}

impl Cost {
    /// GitHub's price: a point for each hundred requests, to the nearest, halves up, and at least one.
    #[must_use]
    pub fn points(&self) -> u64 {
        todo!("points for {self:?}")
    }
}

/// Why a query does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not GraphQL, or deeper than the parser goes; in the parser's words.
    Syntax(String),
    /// It has not one operation, but so many.
    Operations(usize),
    /// It spreads this fragment and does not define it.
    UnknownFragment(String),
    /// Spreads that begin at this fragment lead round and round; of several such fragments, the first by name.
    Cycle(String),
    /// This connection was asked for neither its `first` nor its `last` so many, in an integer or a variable that has one.
    NoSize(String),
    /// This connection was asked for more or fewer elements than [`Limits::size`] allows.
    Size {
        /// The field.
        field: String,
        /// What it was asked for.
        size: i64,
    },
    /// Fields stand deeper than [`Limits::depth`].
    TooDeep,
    /// There are more fields than [`Limits::fields`].
    TooManyFields,
    /// The answer can have more elements than [`Limits::nodes`].
    TooManyNodes,
}

/// An interface whose queries are limited.
#[derive(Clone, Debug)]
pub struct Api {
    /// The fields that are connections: lists of which a query must say how many elements it wants.
    pub connections: BTreeSet<String>,
    /// What a query may ask for.
    pub limits: Limits,
}

impl Api {
    /// What `query` can cost.
    ///
    /// * A connection of `n` elements within others of `m` and `k` is asked for them `m · k` times, and yields `m · k · n` nodes.
    ///   `n` is its `first` or `last`, the larger of both, as an integer or a variable; a variable that has no value has the
    ///   default that the operation gives it. All other arguments, fields and directives cost nothing: `@skip` and
    ///   `@include` are counted as if the field were there.
    /// * Within one selection, fields with the same response key (the alias, or else the name) are one field with all their
    ///   selections, executed for the largest of their sizes. A spread, of a fragment or inline, stands for what it contains.
    /// * Numbers that have no place in 64 bits are the largest that has.
    ///
    /// Looks at no more fields than [`Limits::fields`] and one, however many the fragments would make. No two fragments, and no two
    /// variables, have the same name: whoever validates the query sees to that.
    ///
    /// # Errors
    /// [`Refused`], with a reason; if there are several, any of them.
    pub fn cost(&self, query: &str, variables: &Variables) -> Result<Cost, Refused> {
        // `graphql_parser::query::parse_query::<&str>(query)` gives you the tree.
        // TODO: which fields are one, once all spreads are in their places? And when do you stop counting?
        todo!("what can {query:?} cost with {variables:?}?")
    }
}
