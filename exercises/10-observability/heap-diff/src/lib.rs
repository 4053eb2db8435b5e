//! Two pictures of a heap, and what grew between them.

use std::collections::BTreeMap;
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
    // TODO: by what do you find a place of the program again, in another run of it?
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
        todo!("read a profile of {} bytes", json.len())
    }

    /// A snapshot of these usages. What is said of one stack several times is added up.
    pub fn of(usages: impl IntoIterator<Item = (Stack, Usage)>) -> Self {
        todo!("a snapshot of {} usages", usages.into_iter().count())
    }

    /// What is known of this stack: nothing, if it has not allocated.
    #[must_use]
    pub fn usage(&self, stack: &Stack) -> Usage {
        todo!("what is known of {stack:?} in {self:?}")
    }

    /// The sum over all stacks.
    #[must_use]
    pub fn total(&self) -> Usage {
        todo!("the sum over {self:?}")
    }

    /// The memory in use as *folded stacks*, the lines that flame graphs are drawn from: for each stack that holds any its frames, outermost first, with `;`
    /// between them, a space, and the bytes. A `;` within a frame becomes a `:`. The lines are sorted as texts.
    #[must_use]
    pub fn folded(&self) -> Vec<String> {
        todo!("the folded stacks of {self:?}")
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
    todo!("what changed from {before:?} to {after:?}")
}

/// The stacks whose bytes in use grew from each snapshot to the next one, with their changes from the first to the last, in the order of [`diff`].
///
/// Of fewer than three snapshots nothing can be said: a program that is still warming up grows too.
#[must_use]
pub fn suspects(snapshots: &[Snapshot]) -> Vec<Change> {
    todo!("what grew in each of {snapshots:?}")
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
    todo!("who is on the stacks of {changes:?}")
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
        todo!("read {line}")
    }
}
