//! One switch for the whole program: a person pressed Ctrl-C, so every process that was started must end.

use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

/// Asks everything that runs to end. Processes are killed by the threads that wait for them, within 50 ms.
pub fn request() {
    STOP.store(true, Ordering::SeqCst);
}

/// True once [`request`] was called.
#[must_use]
pub fn requested() -> bool {
    STOP.load(Ordering::SeqCst)
}
