//! What happened in a run, in order: one format for the failure message, the picture beside it and the book's figures.

mod json;
mod svg;
mod text;

pub(crate) use text::{named, show_until};

use crate::node::{CallId, Millis, Time};
use crate::seed::{Seed, test_name};
use std::fmt;
use std::path::{Path, PathBuf};

/// The number of the format that [`Trace::to_json`] writes; it changes whenever a reader would have to.
pub const SCHEMA: u32 = 1;

/// The player of a run: a script without dependencies that defines `TracePlayer`, and plays the run of a page that has one in
/// its element `#trace` and a place for the player, `#player`.
pub const PLAYER_SCRIPT: &str = include_str!("trace/player.js");

/// How the player looks. It takes its colours from the page: `--paper`, `--raised`, `--ink`, `--muted`, `--line`, `--link`,
/// `--focus` and `--bad`.
pub const PLAYER_STYLE: &str = include_str!("trace/player.css");

/// A run, told by its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What the run was about; in a test, the test's name.
    pub title: String,
    /// What the run follows from, if anything in it was drawn.
    pub seed: Option<Seed>,
    /// The names of the lifelines; events refer to them by position.
    pub lanes: Vec<String>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, on the clock of the run (not of a node).
    pub at: Time,
    /// What.
    pub what: What,
    /// What the lifeline concerned shows from here on, if that changed: a term, a ballot, a token.
    pub status: Option<String>,
}

/// What can happen in a run. Lifelines are positions in [`Trace::lanes`]; labels are the protocol's own words.
#[expect(missing_docs, reason = "a lane is a lifeline, an id a message, a label its words, in every variant")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A message leaves; its arrival or loss is an event of its own, with the same number.
    Sent { id: u64, from: usize, to: usize, label: String },
    /// A message arrives.
    Delivered { id: u64, from: usize, to: usize, label: String, sent: Time },
    /// A message will never arrive.
    Lost { id: u64, from: usize, to: usize, label: String, why: &'static str },
    /// A client's request reaches a node.
    Called { lane: usize, call: CallId, label: String },
    /// A node answers a client.
    Replied { lane: usize, call: CallId, label: String },
    /// A timer goes off.
    TimerFired { lane: usize, label: String },
    /// A node writes to its disk.
    Persisted { lane: usize, label: String },
    /// A node stops and forgets what it had not written down.
    Crashed { lane: usize, lost_last_write: bool },
    /// A node starts again from its disk.
    Restarted { lane: usize },
    /// A node stands still: it sees and does nothing until it resumes, and does not notice.
    Paused { lane: usize, span: Millis },
    /// A node goes on where it stood still.
    Resumed { lane: usize },
    /// A node's clock is changed.
    ClockChanged { lane: usize, label: String },
    /// The network changes: a cut, a partition, a healing.
    Network { label: String },
    /// The test's own words.
    Note { lane: Option<usize>, label: String },
    /// A law is broken, here for the first time.
    Broken { law: String, because: String },
}

impl Trace {
    /// An empty run with these lifelines.
    #[must_use]
    pub fn new(title: impl Into<String>, lanes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { title: title.into(), seed: None, lanes: lanes.into_iter().map(Into::into).collect(), events: Vec::new() }
    }

    /// Adds an event that changes no status.
    pub fn push(&mut self, at: Time, what: What) {
        self.events.push(Event { at, what, status: None });
    }

    /// The law that was broken first, and why, if one was.
    #[must_use]
    pub fn broken(&self) -> Option<(&str, &str)> {
        self.events.iter().find_map(|event| match &event.what {
            What::Broken { law, because } => Some((law.as_str(), because.as_str())),
            _ => None,
        })
    }

    /// The run as data: one JSON object, described in the book's reference chapter.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::write(self)
    }

    /// The run as a sequence diagram: an SVG whose colours are CSS variables with fallbacks.
    #[must_use]
    pub fn to_svg(&self) -> String {
        svg::draw(self)
    }

    /// The run as a page of its own, for a browser: the player, and without a script the diagram and the text.
    #[must_use]
    pub fn to_html(&self) -> String {
        svg::page(self)
    }

    /// Writes `<test>.json` and `<test>.html` to where the runner or cargo keeps build results, and returns the page's
    /// place; nothing if there is no such place or it cannot be written, for a picture must never be why a test fails.
    #[must_use]
    pub fn save(&self) -> Option<PathBuf> {
        let folder = traces_folder()?;
        std::fs::create_dir_all(&folder).ok()?;
        let name = if test_name().is_empty() { "run".to_owned() } else { test_name() };
        let page = folder.join(format!("{name}.html"));
        std::fs::write(folder.join(format!("{name}.json")), self.to_json()).ok()?;
        std::fs::write(&page, self.to_html()).ok()?;
        Some(page)
    }
}

/// The run as text, for a failure message: its last events, as many as fit on a screen.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(self, text::SCREEN, f)
    }
}

impl What {
    /// The lifelines that this event touches.
    #[must_use]
    pub fn lanes(&self) -> Vec<usize> {
        match self {
            Self::Sent { from, to, .. } | Self::Delivered { from, to, .. } | Self::Lost { from, to, .. } => {
                vec![*from, *to]
            }
            Self::Called { lane, .. }
            | Self::Replied { lane, .. }
            | Self::TimerFired { lane, .. }
            | Self::Persisted { lane, .. }
            | Self::Crashed { lane, .. }
            | Self::Restarted { lane }
            | Self::Paused { lane, .. }
            | Self::Resumed { lane }
            | Self::ClockChanged { lane, .. } => vec![*lane],
            Self::Note { lane, .. } => lane.iter().copied().collect(),
            Self::Network { .. } | Self::Broken { .. } => vec![],
        }
    }

    /// The words of an event that stands on one lifeline or on none.
    fn words(&self) -> String {
        match self {
            Self::Sent { label, .. } | Self::Delivered { label, .. } | Self::Lost { label, .. } => label.clone(),
            Self::Called { call, label, .. } => format!("call {call} {label}"),
            Self::Replied { call, label, .. } => format!("reply {call} {label}"),
            Self::TimerFired { label, .. } => format!("timer {label}"),
            Self::Persisted { label, .. } => format!("writes {label}"),
            Self::Crashed { lost_last_write: false, .. } => "crashes".into(),
            Self::Crashed { lost_last_write: true, .. } => "crashes, its last write is lost".into(),
            Self::Restarted { .. } => "restarts".into(),
            Self::Paused { span, .. } => format!("paused {span}"),
            Self::Resumed { .. } => "resumes".into(),
            Self::ClockChanged { label, .. } | Self::Network { label } | Self::Note { label, .. } => label.clone(),
            Self::Broken { law, because } => format!("{law}: {because}"),
        }
    }
}

/// Where pictures go: what the runner says, else `traces/PACKAGE` in cargo's target folder, found from the test binary.
fn traces_folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("KIT_TRACES") {
        return Some(folder.into());
    }
    let binary = std::env::current_exe().ok()?;
    let deps = binary.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "deps"))?;
    let target = deps.parent().and_then(Path::parent)?;
    Some(target.join("traces").join(std::env::var("CARGO_PKG_NAME").ok()?))
}
