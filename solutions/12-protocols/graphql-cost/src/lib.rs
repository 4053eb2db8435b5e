//! What a GraphQL query can cost, computed from its text before anything runs.

use graphql_parser::query::{
    Definition, Document, Field, OperationDefinition, Selection, SelectionSet, Value, VariableDefinition, parse_query,
};
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
        (self.requests / 100 + u64::from(self.requests % 100 >= 50)).max(1)
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
        let document: Document<'_, &str> = parse_query(query).map_err(|error| Refused::Syntax(error.to_string()))?;
        let mut fragments = BTreeMap::new();
        let mut operations = vec![];
        for definition in &document.definitions {
            match definition {
                Definition::Fragment(fragment) => {
                    fragments.insert(fragment.name, &fragment.selection_set);
                }
                Definition::Operation(operation) => operations.push(operation),
            }
        }
        let [operation] = operations[..] else { return Err(Refused::Operations(operations.len())) };
        let (declared, selection): (&[_], _) = match operation {
            OperationDefinition::SelectionSet(set) => (&[], set),
            OperationDefinition::Query(query) => (&query.variable_definitions, &query.selection_set),
            OperationDefinition::Mutation(mutation) => (&mutation.variable_definitions, &mutation.selection_set),
            OperationDefinition::Subscription(subscription) => {
                (&subscription.variable_definitions, &subscription.selection_set)
            }
        };
        must_end(&fragments, selection)?;

        let mut count = Count { api: self, fragments, variables, declared, cost: Cost::default() };
        count.add(vec![selection], 1, 0)?;
        if count.cost.nodes > self.limits.nodes {
            return Err(Refused::TooManyNodes);
        }
        Ok(count.cost)
    }
}

type Set<'q> = SelectionSet<'q, &'q str>;

/// A query that is being counted.
struct Count<'a, 'q> {
    api: &'a Api,
    fragments: BTreeMap<&'q str, &'a Set<'q>>,
    variables: &'a Variables,
    declared: &'a [VariableDefinition<'q, &'q str>],
    cost: Cost,
}

impl<'a, 'q> Count<'a, 'q> {
    // ANCHOR: add
    /// Adds the fields of a selection, given in several parts, that is executed `times` times.
    fn add(&mut self, parts: Vec<&'a Set<'q>>, times: u64, depth: usize) -> Result<(), Refused> {
        self.cost.depth = self.cost.depth.max(depth);
        for same_key in self.fields(parts).values() {
            self.cost.fields += 1;
            if self.cost.fields > self.api.limits.fields {
                return Err(Refused::TooManyFields);
            }
            if depth == self.api.limits.depth {
                return Err(Refused::TooDeep);
            }
            let mut inner = times;
            if let Some(size) = self.size(same_key)? {
                inner = times.saturating_mul(size);
                self.cost.requests = self.cost.requests.saturating_add(times);
                self.cost.nodes = self.cost.nodes.saturating_add(inner);
            }
            self.add(same_key.iter().map(|field| &field.selection_set).collect(), inner, depth + 1)?;
        }
        Ok(())
    }
    // ANCHOR_END: add

    // ANCHOR: fields
    /// The fields of a selection by their response keys, with all spreads in their places.
    fn fields(&self, mut parts: Vec<&'a Set<'q>>) -> BTreeMap<&'q str, Vec<&'a Field<'q, &'q str>>> {
        let mut fields: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut spread = BTreeSet::new();
        while let Some(part) = parts.pop() {
            for selection in &part.items {
                match selection {
                    Selection::Field(field) => fields.entry(field.alias.unwrap_or(field.name)).or_default().push(field),
                    Selection::InlineFragment(inline) => parts.push(&inline.selection_set),
                    // What stands here already need not stand here twice.
                    Selection::FragmentSpread(named) if spread.insert(named.fragment_name) => {
                        parts.push(self.fragments[named.fragment_name]);
                    }
                    Selection::FragmentSpread(_) => {}
                }
            }
        }
        fields
    }
    // ANCHOR_END: fields

    /// The largest size that fields of one key ask for, if they are connections.
    fn size(&self, same_key: &[&Field<'q, &'q str>]) -> Result<Option<u64>, Refused> {
        let mut largest = None;
        for field in same_key.iter().filter(|field| self.api.connections.contains(field.name)) {
            let sizes = field.arguments.iter().filter(|(name, _)| ["first", "last"].contains(name));
            let size = sizes.filter_map(|(_, value)| self.integer(value)).max();
            let size = size.ok_or_else(|| Refused::NoSize(field.name.to_owned()))?;
            let allowed = u64::try_from(size).ok().filter(|size| self.api.limits.size.contains(size));
            largest = largest.max(Some(allowed.ok_or_else(|| Refused::Size { field: field.name.to_owned(), size })?));
        }
        Ok(largest)
    }

    /// The integer that `value` is, or that its variable has.
    fn integer(&self, value: &Value<'q, &'q str>) -> Option<i64> {
        match value {
            Value::Int(number) => number.as_i64(),
            Value::Variable(name) => self.variables.get(*name).copied().or_else(|| {
                let declared = self.declared.iter().find(|declared| declared.name == *name)?;
                match declared.default_value.as_ref()? {
                    Value::Int(number) => number.as_i64(),
                    _ => None,
                }
            }),
            _ => None,
        }
    }
}

// ANCHOR: end
/// Every spread has its fragment, and no fragment leads back to itself: fragments are taken away one by one, when all that
/// they spread are gone. Those that lead round and round remain.
fn must_end(fragments: &BTreeMap<&str, &Set<'_>>, operation: &Set<'_>) -> Result<(), Refused> {
    let mut waits_for: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wait_for_it: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (&name, set) in fragments {
        let spreads = spreads(set);
        waits_for.insert(name, spreads.len());
        spreads.into_iter().for_each(|spread| wait_for_it.entry(spread).or_default().push(name));
    }
    let used = spreads(operation);
    if let Some(unknown) = wait_for_it.keys().chain(&used).find(|name| !fragments.contains_key(*name)) {
        return Err(Refused::UnknownFragment((*unknown).to_owned()));
    }
    let mut ended: Vec<&str> = waits_for.iter().filter(|(_, spreads)| **spreads == 0).map(|(name, _)| *name).collect();
    while let Some(name) = ended.pop() {
        waits_for.remove(name);
        for &waiting in wait_for_it.get(name).into_iter().flatten() {
            let spreads = waits_for.get_mut(waiting).expect("it waits for one more");
            *spreads -= 1;
            if *spreads == 0 {
                ended.push(waiting);
            }
        }
    }
    waits_for.keys().next().map_or(Ok(()), |name| Err(Refused::Cycle((*name).to_owned())))
}
// ANCHOR_END: end

/// The fragments that a selection spreads, at any depth.
fn spreads<'q>(set: &Set<'q>) -> BTreeSet<&'q str> {
    let mut names = BTreeSet::new();
    let mut parts = vec![set];
    while let Some(part) = parts.pop() {
        for selection in &part.items {
            match selection {
                Selection::Field(field) => parts.push(&field.selection_set),
                Selection::InlineFragment(inline) => parts.push(&inline.selection_set),
                Selection::FragmentSpread(named) => {
                    names.insert(named.fragment_name);
                }
            }
        }
    }
    names
}
