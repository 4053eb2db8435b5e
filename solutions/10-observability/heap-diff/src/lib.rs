//! Two pictures of a heap, and what grew between them.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

/// The calls that led to an allocation, innermost first: the allocator before its caller, `main` last. There is at least one.
///
/// A frame is a function with its place in the source: `serve (shop.rs:77:15)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stack(pub Vec<String>);

/// Some memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Amount {
    /// How many bytes.
    pub bytes: u64,
    /// In how many blocks.
    pub blocks: u64,
}

/// What one place of the program did with memory until a snapshot was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// What it holds at that moment.
    pub in_use: Amount,
    /// All that it ever took, given back or not. Never less than `in_use`.
    pub allocated: Amount,
}

/// Why a text is no heap profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not JSON, it is of another version, or a part that must be there is missing or of another type.
    NotAProfile,
    /// It records no lifetimes of blocks (`bklt` is false), so nobody knows what was in use.
    NoLifetimes {
        /// What it says that it records.
        mode: String,
    },
    /// A stack names a frame that the table of frames does not have.
    NoSuchFrame {
        /// The frame's number.
        index: usize,
        /// How many the table has.
        frames: usize,
    },
}

/// What each place of a program holds, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    usages: BTreeMap<Stack, Usage>,
}

/// What of `dhat`'s format is needed here; the names are its own.
#[derive(Deserialize)]
struct Profile {
    #[serde(rename = "dhatFileVersion")]
    version: u32,
    mode: String,
    bklt: bool,
    pps: Vec<Point>,
    ftbl: Vec<String>,
}

/// A program point: one stack of addresses.
#[derive(Deserialize)]
struct Point {
    tb: u64,
    tbk: u64,
    eb: Option<u64>,
    ebk: Option<u64>,
    fs: Vec<usize>,
}

impl Snapshot {
    /// Reads a profile as the `dhat` crate writes it at a program's end, in version 2 of its format (`dhatFileVersion`).
    ///
    /// `bklt` says whether lifetimes are recorded; if not, the entries lack `eb` and `ebk`.
    /// Of each entry of `pps` it needs `tb` and `tbk`, the bytes and blocks allocated in all; `eb` and `ebk`, those in use at the end; and `fs`, the
    /// stack, innermost first, as numbers of the frames in `ftbl`. A frame there is `ADDRESS: FUNCTION (FILE:LINE:COLUMN)`. The address, up to the first
    /// `": "`, does not belong to the frame: each run has its own. A frame without one, such as `[root]`, stays as it is.
    ///
    /// # Errors
    /// [`Unreadable`] if it is not such a profile.
    pub fn read(json: &str) -> Result<Self, Unreadable> {
        let profile: Profile = serde_json::from_str(json).map_err(|_| Unreadable::NotAProfile)?;
        if profile.version != 2 {
            return Err(Unreadable::NotAProfile);
        }
        if !profile.bklt {
            return Err(Unreadable::NoLifetimes { mode: profile.mode });
        }
        let frames: Vec<&str> = profile.ftbl.iter().map(|frame| without_address(frame)).collect();
        let name = |&index: &usize| match frames.get(index) {
            Some(&frame) => Ok(frame.to_owned()),
            None => Err(Unreadable::NoSuchFrame { index, frames: frames.len() }),
        };
        let mut usages = Vec::new();
        for point in &profile.pps {
            let stack = Stack(point.fs.iter().map(name).collect::<Result<_, _>>()?);
            let (Some(bytes), Some(blocks)) = (point.eb, point.ebk) else { return Err(Unreadable::NotAProfile) };
            let in_use = Amount { bytes, blocks };
            usages.push((stack, Usage { in_use, allocated: Amount { bytes: point.tb, blocks: point.tbk } }));
        }
        Ok(Self::of(usages))
    }

    /// A snapshot of these usages. What is said of one stack several times is added up.
    pub fn of(usages: impl IntoIterator<Item = (Stack, Usage)>) -> Self {
        let mut snapshot = Self::default();
        for (stack, usage) in usages {
            let sum = snapshot.usages.entry(stack).or_default();
            *sum = plus(*sum, usage);
        }
        snapshot
    }

    /// What is known of this stack: nothing, if it has not allocated.
    #[must_use]
    pub fn usage(&self, stack: &Stack) -> Usage {
        self.usages.get(stack).copied().unwrap_or_default()
    }

    /// The sum over all stacks.
    #[must_use]
    pub fn total(&self) -> Usage {
        self.usages.values().copied().fold(Usage::default(), plus)
    }

    /// The memory in use as *folded stacks*, the lines that flame graphs are drawn from: for each stack that holds any its frames, outermost first, with `;`
    /// between them, a space, and the bytes. A `;` within a frame becomes a `:`. The lines are sorted as texts.
    #[must_use]
    pub fn folded(&self) -> Vec<String> {
        let holds = self.usages.iter().filter(|(_, usage)| usage.in_use.bytes > 0);
        let mut lines: Vec<String> = holds
            .map(|(stack, usage)| {
                let frames: Vec<String> = stack.0.iter().rev().map(|frame| frame.replace(';', ":")).collect();
                format!("{} {}", frames.join(";"), usage.in_use.bytes)
            })
            .collect();
        lines.sort();
        lines
    }
}

/// How much more, or less if negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Delta {
    /// Bytes.
    pub bytes: i64,
    /// Blocks.
    pub blocks: i64,
}

/// What changed at one place between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The place.
    pub stack: Stack,
    /// Of what it holds.
    pub in_use: Delta,
    /// Of what it ever took.
    pub allocated: Delta,
}

/// What changed from `before` to `after`, for each stack of either of them for which anything did.
///
/// The greatest growth of bytes in use comes first; equal ones stand in the order of their stacks.
#[must_use]
pub fn diff(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    let stacks: BTreeSet<&Stack> = before.usages.keys().chain(after.usages.keys()).collect();
    let mut changes: Vec<Change> = stacks
        .into_iter()
        .map(|stack| change(stack, before.usage(stack), after.usage(stack)))
        .filter(|change| change.in_use != Delta::default() || change.allocated != Delta::default())
        .collect();
    changes.sort_by_key(|change| -change.in_use.bytes);
    changes
}

/// The stacks whose bytes in use grew from each snapshot to the next one, with their changes from the first to the last, in the order of [`diff`].
///
/// Of fewer than three snapshots nothing can be said: a program that is still warming up grows too.
#[must_use]
pub fn suspects(snapshots: &[Snapshot]) -> Vec<Change> {
    let [first, _, .., last] = snapshots else { return Vec::new() };
    let mut changes = diff(first, last);
    changes.retain(|change| {
        let held = |snapshot: &Snapshot| snapshot.usage(&change.stack).in_use.bytes;
        snapshots.is_sorted_by(|earlier, later| held(earlier) < held(later))
    });
    changes
}

/// How much of a growth one frame answers for, in bytes in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Share {
    /// Where it is the innermost frame.
    pub own: i64,
    /// Wherever it is on the stack. However often it is on one stack, that stack counts once.
    pub total: i64,
}

/// Who is on the stacks of these changes, frame by frame, also of those that hold no more than before.
#[must_use]
pub fn by_frame(changes: &[Change]) -> BTreeMap<String, Share> {
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    for change in changes {
        if let Some(innermost) = change.stack.0.first() {
            shares.entry(innermost.clone()).or_default().own += change.in_use.bytes;
        }
        for frame in change.stack.0.iter().collect::<BTreeSet<_>>() {
            shares.entry(frame.clone()).or_default().total += change.in_use.bytes;
        }
    }
    shares
}

/// One collection of Go's garbage collector, as `GODEBUG=gctrace=1` reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its number, from 1.
    pub number: u64,
    /// When it was, after the program's start.
    pub at: Duration,
    /// How long the program stood still for it, to the microsecond: the first and the last of the three phases. In the second one it runs on.
    pub stopped: Duration,
    /// Megabytes on the heap when it began.
    pub start: u64,
    /// Megabytes on the heap when it ended, with what was allocated meanwhile.
    pub end: u64,
    /// Megabytes that were found to be reachable.
    pub live: u64,
    /// Megabytes at which it was meant to be done.
    pub goal: u64,
    /// How many processors were used.
    pub processors: u32,
    /// Whether the program asked for it.
    pub forced: bool,
}

impl Collection {
    /// Reads one line:
    ///
    /// ```text
    /// gc # @#s #%: #+#+# ms clock, #+#/#/#+# ms cpu, #->#-># MB, # MB goal, # P
    /// ```
    ///
    /// A `#` is decimal digits, in times perhaps with a point and more digits; what is too large is no collection. Between the goal and the
    /// processors later versions report more sizes, such as `# MB stacks`, each with a comma behind it; they are passed over. At the end may stand
    /// ` (forced)`. Nothing, if it is another line: a program prints other things too.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (number, rest) = line.strip_prefix("gc ")?.split_once(" @")?;
        let (at, rest) = rest.split_once("s ")?;
        let (percent, rest) = rest.split_once("%: ")?;
        let (clock, rest) = rest.split_once(" ms clock, ")?;
        let (cpu, rest) = rest.split_once(" ms cpu, ")?;
        let (heap, rest) = rest.split_once(" MB, ")?;
        let (goal, rest) = rest.split_once(" MB goal, ")?;
        let (rest, forced) = rest.strip_suffix(" (forced)").map_or((rest, false), |rest| (rest, true));
        let (more, processors) = rest.rsplit_once(", ").map_or((None, rest), |(more, last)| (Some(more), last));
        let [sweep, run, mark] = parts(clock, "+")?;
        let [start, end, live] = parts(heap, "->")?;
        let [before, marking, after] = parts(cpu, "+")?;
        let [assist, background, idle] = parts(marking, "/")?;
        let is_size = |size: &str| size.split_once(" MB ").is_some_and(|(number, _)| whole::<u64>(number).is_some());
        if !more.is_none_or(|more| more.split(", ").all(is_size)) {
            return None;
        }
        for passed_over in [percent, run, before, assist, background, idle, after] {
            micros(passed_over, 1e3)?;
        }
        Some(Self {
            number: whole(number)?,
            at: micros(at, 1e6)?,
            stopped: micros(sweep, 1e3)? + micros(mark, 1e3)?,
            start: whole(start)?,
            end: whole(end)?,
            live: whole(live)?,
            goal: whole(goal)?,
            processors: whole(processors.strip_suffix(" P")?)?,
            forced,
        })
    }
}

fn without_address(frame: &str) -> &str {
    frame.split_once(": ").map_or(frame, |(_, function)| function)
}

fn plus(a: Usage, b: Usage) -> Usage {
    let sum = |a: Amount, b: Amount| Amount { bytes: a.bytes + b.bytes, blocks: a.blocks + b.blocks };
    Usage { in_use: sum(a.in_use, b.in_use), allocated: sum(a.allocated, b.allocated) }
}

fn change(stack: &Stack, before: Usage, after: Usage) -> Change {
    let delta = |before: Amount, after: Amount| Delta {
        bytes: after.bytes.cast_signed() - before.bytes.cast_signed(),
        blocks: after.blocks.cast_signed() - before.blocks.cast_signed(),
    };
    Change {
        stack: stack.clone(),
        in_use: delta(before.in_use, after.in_use),
        allocated: delta(before.allocated, after.allocated),
    }
}

/// The three parts of `text`.
fn parts<'a>(text: &'a str, between: &str) -> Option<[&'a str; 3]> {
    text.split(between).collect::<Vec<_>>().try_into().ok()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits, if they are not too many.
fn whole<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| is_digits(text))
}

/// A time in a unit of so many microseconds.
fn micros(text: &str, unit: f64) -> Option<Duration> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let micros = text.parse::<f64>().ok().filter(|_| is_digits(seconds) && is_digits(fraction))? * unit;
    (micros < 1e15).then(|| Duration::from_micros(micros.round() as u64))
}
