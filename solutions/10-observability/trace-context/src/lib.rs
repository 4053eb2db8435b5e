//! One request through many services: its identity, the decision to keep it, and what its spans say afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Names a whole trace; never zero. Its lower 64 bits are random. The upper ones may be anything: zeros, or the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub u128);

/// Names one span of a trace; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub u64);

/// What a caller tells the service that it calls, in the header `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace that the call belongs to.
    pub trace: TraceId,
    /// The caller's own span.
    pub parent: SpanId,
    /// Whether the caller keeps its span: bit 0 of the flags. The other bits mean something else, or nothing yet.
    pub sampled: bool,
}

/// Why a header is of no use. Whoever gets one goes on as if there had been none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Not four fields of 2, 32, 16 and 2 characters with `-` between them; or more than that in version 00; or something
    /// other than a further `-` behind them in a later one.
    Shape,
    /// A field has characters other than `0`–`9` and `a`–`f`.
    NotHex,
    /// Version `ff`, which is forbidden.
    Version,
    /// The trace or the parent is zero.
    Zero,
}

impl Context {
    // ANCHOR: parse
    /// Reads a `traceparent`, by level 1 of the W3C's recommendation: shape first, then characters, then version, then zeros.
    ///
    /// Versions to come may append fields, so what follows a fifth `-` is left alone unless the version is 00.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn parse(header: &str) -> Result<Self, Invalid> {
        let header = header.as_bytes();
        let [version, trace, parent, flags] = [0..2, 3..35, 36..52, 53..55].map(|field| header.get(field));
        let (Some(version), Some(trace), Some(parent), Some(flags)) = (version, trace, parent, flags) else {
            return Err(Invalid::Shape);
        };
        let has_dashes = [2, 35, 52].iter().all(|&place| header[place] == b'-');
        let ends_well = header.len() == 55 || (header[55] == b'-' && version != b"00");
        if !has_dashes || !ends_well {
            return Err(Invalid::Shape);
        }
        let (version, trace, parent, flags) = (hex(version)?, hex(trace)?, hex(parent)?, hex(flags)?);
        if version == 0xff {
            return Err(Invalid::Version);
        }
        if trace == 0 || parent == 0 {
            return Err(Invalid::Zero);
        }
        Ok(Self { trace: TraceId(trace), parent: SpanId(parent as u64), sampled: flags & 1 == 1 })
    }
    // ANCHOR_END: parse
}

/// The number that at most 32 lower-case hexadecimal digits write.
fn hex(digits: &[u8]) -> Result<u128, Invalid> {
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Ok(number << 4 | u128::from(digit - b'0')),
        b'a'..=b'f' => Ok(number << 4 | u128::from(digit - b'a' + 10)),
        _ => Err(Invalid::NotHex),
    })
}

/// The header: version 00, all flags but the first clear.
impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace.0, self.parent.0, u8::from(self.sampled))
    }
}

/// Keeps a share of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampler {
    /// How many of a million traces are kept.
    pub per_million: u32,
}

impl Sampler {
    // ANCHOR: keeps
    /// Whether `trace` is kept. It depends on nothing but the trace and the share, so that every service that asks decides
    /// alike; and what is kept at a share is kept at every greater one.
    #[must_use]
    pub fn keeps(self, trace: TraceId) -> bool {
        // The lower half of a trace's name is random; its place among all 2⁶⁴ is its lot.
        let lot = u128::from(trace.0 as u64);
        lot * 1_000_000 < u128::from(self.per_million) << 64
    }
    // ANCHOR_END: keeps
}

/// The work of one service on one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The trace it belongs to.
    pub trace: TraceId,
    /// Its own name.
    pub id: SpanId,
    /// The caller's span; none if the trace begins here.
    pub parent: Option<SpanId>,
    /// Whether it is kept.
    pub sampled: bool,
}

impl Span {
    /// The span of a service that is called with `header`. It continues the caller's trace and the caller's decision. Without
    /// a header, or with one that is of no use, a trace `fresh` begins here, and `sampler` decides.
    #[must_use]
    pub fn serve(header: Option<&str>, fresh: TraceId, own: SpanId, sampler: Sampler) -> Self {
        match header.map(Context::parse) {
            Some(Ok(context)) => {
                Self { trace: context.trace, id: own, parent: Some(context.parent), sampled: context.sampled }
            }
            Some(Err(_)) | None => Self { trace: fresh, id: own, parent: None, sampled: sampler.keeps(fresh) },
        }
    }

    /// What this span tells those that it calls.
    #[must_use]
    pub fn outgoing(&self) -> Context {
        Context { trace: self.trace, parent: self.id, sampled: self.sampled }
    }
}

/// A time, in microseconds since some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

/// A span that was kept, as it arrives at the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub id: SpanId,
    /// The caller's.
    pub parent: Option<SpanId>,
    /// When it began, by the clock of its own machine.
    pub start: Micros,
    /// When it ended; not before it began.
    pub end: Micros,
}

/// Why records are not one tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Two records have this name.
    Twice(SpanId),
    /// This span's parent is not there: it was lost, or is still on its way.
    Orphan(SpanId),
    /// There is not exactly one span without a parent; so many there are.
    Roots(usize),
    /// This span is its own ancestor.
    Cycle(SpanId),
}

/// The spans of one trace, in their order of calling.
///
/// Clocks differ. A child is seen within its parent's time only: what it says of before or after is cut off.
#[derive(Clone, Debug)]
pub struct Tree {
    root: SpanId,
    /// Each span's time, within that of its parent.
    times: BTreeMap<SpanId, (Micros, Micros)>,
    children: BTreeMap<SpanId, Vec<SpanId>>,
}

/// A stretch of time in which a request waited for one span, and for none of that span's children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Who was waited for.
    pub span: SpanId,
    /// From when.
    pub from: Micros,
    /// Until when; later than `from`.
    pub to: Micros,
}

impl Tree {
    /// Puts records together, in whatever order they came.
    ///
    /// # Errors
    /// The first of [`Broken`]'s cases, in the order in which they stand there; of several spans any.
    pub fn of(records: &[Record]) -> Result<Self, Broken> {
        let mut by_id: BTreeMap<SpanId, &Record> = BTreeMap::new();
        let mut twice = BTreeSet::new();
        for record in records {
            if by_id.insert(record.id, record).is_some() {
                twice.insert(record.id);
            }
        }
        if let Some(id) = twice.first() {
            return Err(Broken::Twice(*id));
        }
        let mut children: BTreeMap<SpanId, Vec<SpanId>> = BTreeMap::new();
        let mut roots = Vec::new();
        for (id, record) in &by_id {
            match record.parent {
                None => roots.push(*id),
                Some(parent) if by_id.contains_key(&parent) => children.entry(parent).or_default().push(*id),
                Some(_) => return Err(Broken::Orphan(*id)),
            }
        }
        let [root] = roots[..] else { return Err(Broken::Roots(roots.len())) };
        let mut times = BTreeMap::from([(root, (by_id[&root].start, by_id[&root].end))]);
        let mut open = vec![root];
        while let Some(parent) = open.pop() {
            let (from, to) = times[&parent];
            for child in children.get(&parent).into_iter().flatten() {
                times.insert(*child, (by_id[child].start.clamp(from, to), by_id[child].end.clamp(from, to)));
                open.push(*child);
            }
        }
        // Whom nobody reaches from the root follows its parents in a circle.
        match by_id.keys().find(|id| !times.contains_key(id)) {
            Some(id) => Err(Broken::Cycle(on_a_circle(*id, &by_id))),
            None => Ok(Self { root, times, children }),
        }
    }

    /// When a span began and ended, within its parent's time. Nothing if there is no such span.
    #[must_use]
    pub fn time(&self, span: SpanId) -> Option<(Micros, Micros)> {
        self.times.get(&span).copied()
    }

    /// How long `span` worked while none of its children did. Children that overlap count once. Nothing if there is no such
    /// span.
    #[must_use]
    pub fn self_time(&self, span: SpanId) -> Option<Micros> {
        let (from, to) = self.time(span)?;
        let mut busy: Vec<(Micros, Micros)> = self.children_of(span).map(|child| self.times[&child]).collect();
        busy.sort_unstable();
        let (mut own, mut reached) = (0, from);
        for (start, end) in busy {
            own += start.0.saturating_sub(reached.0);
            reached = reached.max(end);
        }
        Some(Micros(own + (to.0 - reached.0)))
    }

    // ANCHOR: critical_path
    /// Whom the caller of the root waited for, from beginning to end: making anything else faster changes nothing.
    ///
    /// Seen from its end, a span waits for the child that ended last; before that child began, for the one that had ended last
    /// by then; and in between for itself. Of two children that ended at the same time the one that began first is meant, and of
    /// two that began at the same time too the one with the lesser name.
    #[must_use]
    pub fn critical_path(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.walk(self.root, &mut pieces);
        pieces.reverse();
        pieces
    }

    /// Appends the pieces of `span`, the last first.
    fn walk(&self, span: SpanId, pieces: &mut Vec<Piece>) {
        let (from, mut at) = self.times[&span];
        let own = |from: Micros, to: Micros, pieces: &mut Vec<Piece>| {
            if from < to {
                pieces.push(Piece { span, from, to });
            }
        };
        loop {
            let waited_for = self
                .children_of(span)
                .map(|child| (self.times[&child], child))
                .filter(|((start, end), _)| *end <= at && start < end)
                .min_by_key(|((start, end), child)| (std::cmp::Reverse(*end), *start, *child));
            let Some(((start, end), child)) = waited_for else { break };
            own(end, at, pieces);
            self.walk(child, pieces);
            at = start;
        }
        own(from, at, pieces);
    }
    // ANCHOR_END: critical_path

    fn children_of(&self, span: SpanId) -> impl Iterator<Item = SpanId> + '_ {
        self.children.get(&span).into_iter().flatten().copied()
    }
}

/// A span of the circle that the parents of `id` lead into.
fn on_a_circle(id: SpanId, by_id: &BTreeMap<SpanId, &Record>) -> SpanId {
    let mut seen = BTreeSet::new();
    let mut at = id;
    while seen.insert(at) {
        at = by_id[&at].parent.unwrap_or(at);
    }
    at
}
