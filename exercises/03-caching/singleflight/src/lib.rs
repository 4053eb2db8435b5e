//! Thirty callers miss the same key together. One load is enough for all of them, whatever becomes of any one of them.

use std::hash::Hash;
use std::marker::PhantomData;

/// Why a caller gets no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed<E> {
    /// The load ended with this error.
    Load(E),
    /// The load panicked.
    Panicked,
}

/// Loads under way, at most one for each key, shared by all who ask for it.
///
/// It is no cache: a load that has ended is forgotten. Put it between a cache and the origin.
#[derive(Debug)]
pub struct Group<K, V, E> {
    // TODO: how does a second caller find the load of the first? And who keeps a load alive: the group, or those who wait?
    flights: PhantomData<(K, V, E)>,
}

impl<K, V, E> Group<K, V, E>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// A group with no load under way.
    #[must_use]
    pub fn new() -> Self {
        Self { flights: PhantomData }
    }

    /// The value of `key`: by the load that is under way for it, or else by `load`, which is begun as a task of its own.
    ///
    /// The load belongs to all who wait for it. A caller gives up by dropping the future. The load goes on for the others, and is
    /// stopped, and forgotten, when the last has given up. Who calls after the load has ended begins another, whether or not the
    /// callers of the first have been polled since. Calls begin when they are first polled; the future is `Send`.
    ///
    /// Loads of different keys do not wait for each other, and a load may itself ask for another key.
    ///
    /// # Errors
    /// [`Failed`], the same for all who waited; it is not remembered.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn get<F, Fut>(&self, key: K, load: F) -> Result<V, Failed<E>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        drop((key, load)); // only so that it compiles
        todo!("join the load of the key, or spawn it: {:?}", self.flights)
    }

    /// Lets the next call for `key` begin a new load. Those who wait for the present one go on waiting, and get its outcome.
    ///
    /// For a caller that has just written: the load under way may have read before.
    pub fn forget(&self, key: &K) {
        let _ = key;
        todo!("let the next call begin a new load")
    }

    /// How many keys it keeps.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        todo!("count the keys")
    }
}

impl<K, V, E> Default for Group<K, V, E>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}
