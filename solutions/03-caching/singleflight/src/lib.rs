//! Thirty callers miss the same key together. One load is enough for all of them, whatever becomes of any one of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use tokio::sync::watch;
use tokio::task::AbortHandle;

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
    flights: Flights<K, V, E>,
}

/// The loads under way. Only the callers keep a load alive: the map merely knows how to find it.
type Flights<K, V, E> = Arc<Mutex<HashMap<K, Weak<Flight<V, E>>>>>;

/// A load under way, held by every caller that waits for it.
#[derive(Debug)]
struct Flight<V, E> {
    landed: watch::Receiver<Option<Result<V, E>>>,
    task: OnceLock<AbortHandle>,
}

// ANCHOR: drop
/// The last of its callers is gone: nobody wants the value any more.
impl<V, E> Drop for Flight<V, E> {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}
// ANCHOR_END: drop

impl<K, V, E> Group<K, V, E>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// A group with no load under way.
    #[must_use]
    pub fn new() -> Self {
        Self { flights: Arc::default() }
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
        let flight = self.board(key, load);
        let mut landed = flight.landed.clone();
        match landed.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().expect("waited until there is one").map_err(Failed::Load),
            Err(_) => Err(Failed::Panicked),
        }
    }

    /// The load of `key` that is under way, begun now if there is none.
    fn board<F, Fut>(&self, key: K, load: F) -> Arc<Flight<V, E>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(&key).and_then(Weak::upgrade) {
            return flight;
        }
        let (land, landed) = watch::channel(None);
        let flight = Arc::new(Flight { landed, task: OnceLock::new() });
        flights.insert(key.clone(), Arc::downgrade(&flight));
        drop(flights);

        let entry = Entry { flights: Arc::clone(&self.flights), key, flight: Arc::downgrade(&flight) };
        let task = tokio::spawn(async move {
            let entry = entry; // in the task from its beginning: it goes when the task does, however that ends
            let outcome = load().await;
            drop(entry); // before anybody hears of the outcome: who comes from now on begins anew
            land.send_replace(Some(outcome));
        });
        flight.task.set(task.abort_handle()).expect("set here only");
        flight
    }

    /// Lets the next call for `key` begin a new load. Those who wait for the present one go on waiting, and get its outcome.
    ///
    /// For a caller that has just written: the load under way may have read before.
    pub fn forget(&self, key: &K) {
        lock(&self.flights).remove(key);
    }

    /// How many keys it keeps.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        lock(&self.flights).len()
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

// ANCHOR: entry
/// A load's place in the map. It is given up when the load ends, in whatever way.
struct Entry<K: Eq + Hash, V, E> {
    flights: Flights<K, V, E>,
    key: K,
    flight: Weak<Flight<V, E>>,
}

impl<K: Eq + Hash, V, E> Drop for Entry<K, V, E> {
    fn drop(&mut self) {
        let mut flights = lock(&self.flights);
        // The key may have been forgotten, and another load may stand there by now.
        if flights.get(&self.key).is_some_and(|flight| flight.ptr_eq(&self.flight)) {
            flights.remove(&self.key);
        }
    }
}
// ANCHOR_END: entry

/// Every change of the map is a single one, so what a panic leaves behind is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
