//! File events, and looking for oneself where they do not work.

use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::Signal;
use crate::ui;

/// A sign of life from the file system, or the resolve to look often.
pub(crate) struct Events {
    _watcher: Option<RecommendedWatcher>,
    polling: bool,
    /// Whether an event ever came: until then a change found by looking proves nothing is broken but the watcher.
    seen_one: bool,
}

impl Events {
    /// Listens below `root/exercises`, the kit included. If the system refuses, says so and looks instead.
    pub(crate) fn start(root: &Path, send: Sender<Signal>) -> Self {
        let handler = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| is_write(&event.kind)) {
                let _ = send.send(Signal::Saved);
            }
        };
        let watcher = notify::recommended_watcher(handler).and_then(|mut watcher| {
            watcher.watch(&root.join("exercises"), RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => Self { _watcher: Some(watcher), polling: false, seen_one: false },
            Err(error) => {
                let mut events = Self { _watcher: None, polling: false, seen_one: false };
                events.poll(&error.to_string());
                events
            }
        }
    }

    /// How often to look without an event: seldom while events work, for the day that they stop.
    pub(crate) fn look_every(&self) -> Duration {
        if self.polling { Duration::from_millis(50) } else { Duration::from_secs(1) }
    }

    /// Whether an event ever came.
    pub(crate) fn work(&self) -> bool {
        self.seen_one
    }

    /// An event came.
    pub(crate) fn arrived(&mut self) {
        self.seen_one = true;
    }

    /// A change was found that no event had told of.
    pub(crate) fn missed(&mut self) {
        if !self.seen_one && !self.polling {
            self.poll("a change came without an event");
        }
    }

    fn poll(&mut self, why: &str) {
        self.polling = true;
        ui::print(&format!(
            "{} file events do not work here ({why}): looking twenty times a second instead\n",
            ui::warn("!")
        ));
    }
}

fn is_write(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}
