//! The simplest shared object: named registers that are read and written.

use super::Spec;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

/// Registers named by `K` that hold a `V`, or nothing at first.
#[derive(Debug)]
pub struct Register<K, V>(PhantomData<(K, V)>);

/// What a client can ask of a register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegisterOp<K, V> {
    /// What does it hold?
    Read(K),
    /// From now on it holds this.
    Write(K, V),
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Returned<V> {
    /// The value read; `None` if nothing was ever written.
    Value(Option<V>),
    /// The write is done.
    Done,
}

impl<K, V> Spec for Register<K, V>
where
    K: Clone + Ord + Debug + 'static,
    V: Clone + Eq + Hash + Debug + 'static,
{
    type Op = RegisterOp<K, V>;
    type Ret = Returned<V>;
    type State = Option<V>;
    type Key = K;

    fn init() -> Option<V> {
        None
    }

    fn key(op: &Self::Op) -> K {
        match op {
            RegisterOp::Read(key) | RegisterOp::Write(key, _) => key.clone(),
        }
    }

    fn apply(state: &Option<V>, op: &Self::Op, ret: Option<&Self::Ret>) -> Option<Option<V>> {
        match (op, ret) {
            (RegisterOp::Read(_), None) => Some(state.clone()),
            (RegisterOp::Read(_), Some(Returned::Value(seen))) => (seen == state).then(|| state.clone()),
            (RegisterOp::Write(_, value), None | Some(Returned::Done)) => Some(Some(value.clone())),
            (RegisterOp::Read(_), Some(Returned::Done)) | (RegisterOp::Write(..), Some(Returned::Value(_))) => None,
        }
    }
}
