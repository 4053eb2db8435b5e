//! One request through many services: its identity, the decision to keep it, and what its spans say afterwards.

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
    /// Reads a `traceparent`, by level 1 of the W3C's recommendation: shape first, then characters, then version, then zeros.
    ///
    /// Versions to come may append fields, so what follows a fifth `-` is left alone unless the version is 00.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn parse(header: &str) -> Result<Self, Invalid> {
        todo!("read `{header}`")
    }
}

/// The header: version 00, all flags but the first clear.
impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!("write {self:?} in {:?} columns", f.width())
    }
}

/// Keeps a share of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampler {
    /// How many of a million traces are kept.
    pub per_million: u32,
}

impl Sampler {
    /// Whether `trace` is kept. It depends on nothing but the trace and the share, so that every service that asks decides
    /// alike; and what is kept at a share is kept at every greater one.
    #[must_use]
    pub fn keeps(self, trace: TraceId) -> bool {
        todo!("does {self:?} keep {trace:?}?")
    }
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
        todo!(
            "the span {own:?} of a service called with {header:?}, or of a trace {fresh:?} that {sampler:?} decides on"
        )
    }

    /// What this span tells those that it calls.
    #[must_use]
    pub fn outgoing(&self) -> Context {
        todo!("what {self:?} tells those that it calls")
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
    // TODO: what do the questions below need to know of each span?
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
        todo!("put {records:?} together")
    }

    /// When a span began and ended, within its parent's time. Nothing if there is no such span.
    #[must_use]
    pub fn time(&self, span: SpanId) -> Option<(Micros, Micros)> {
        todo!("when {span:?} of {self:?} began and ended")
    }

    /// How long `span` worked while none of its children did. Children that overlap count once. Nothing if there is no such
    /// span.
    #[must_use]
    pub fn self_time(&self, span: SpanId) -> Option<Micros> {
        todo!("how long {span:?} of {self:?} worked alone")
    }

    /// Whom the caller of the root waited for, from beginning to end: making anything else faster changes nothing.
    ///
    /// Seen from its end, a span waits for the child that ended last; before that child began, for the one that had ended last
    /// by then; and in between for itself. Of two children that ended at the same time the one that began first is meant, and of
    /// two that began at the same time too the one with the lesser name.
    #[must_use]
    pub fn critical_path(&self) -> Vec<Piece> {
        todo!("whom the caller waited for in {self:?}")
    }
}
