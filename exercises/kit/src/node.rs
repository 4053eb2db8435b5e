//! The shape of every protocol in this workbook: a state machine that is told what happened and answers what to do.

use std::fmt::{self, Debug, Display};
use std::hash::Hash;
use std::ops::{Add, AddAssign, Sub};

/// A node of a simulated cluster, numbered from 0 in the order of its joining.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// As it is displayed: short enough to stand on an arrow.
impl Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

impl Add for Millis {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

/// A moment on some clock, in milliseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// The moment at which every run begins.
    pub const START: Self = Self(0);

    /// How long ago `earlier` was; nothing if it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t={}", self.0)
    }
}

impl Add<Millis> for Time {
    type Output = Self;
    fn add(self, span: Millis) -> Self {
        Self(self.0 + span.0)
    }
}

impl AddAssign<Millis> for Time {
    fn add_assign(&mut self, span: Millis) {
        self.0 += span.0;
    }
}

impl Sub<Millis> for Time {
    type Output = Self;
    /// The moment `span` before, but never one before the start.
    fn sub(self, span: Millis) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

/// One request of a client, from its call to its reply.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// As it is displayed: short enough to stand on an arrow.
impl Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// What every part of a protocol's vocabulary can do: be copied, compared, hashed (for searches) and printed.
pub trait Value: Clone + Debug + Eq + Hash {}
impl<T: Clone + Debug + Eq + Hash> Value for T {}

/// A protocol's participant, *sans-IO*: no thread, no socket, no clock of its own.
///
/// All that it knows it was told by [`Input`]s, and all that it does it asks for by [`Output`]s. So a test can run it
/// on virtual time, cut its network, crash it at any step, or walk through every order of events.
pub trait Node: Sized {
    /// What nodes say to each other.
    type Message: Value;
    /// What a node can be reminded of.
    type Timer: Value;
    /// What a client asks.
    type Request: Value;
    /// What a client is answered.
    type Reply: Value;
    /// What survives a crash.
    type Durable: Value;

    /// Takes in what happened at `now`, on the node's own clock, and answers what to do, in order.
    fn step(&mut self, input: Input<Self>, now: Time) -> Vec<Output<Self>>;

    /// What stands beside the node's lifeline in a picture: its term, ballot, token, value.
    fn status(&self) -> String {
        String::new()
    }

    /// How a message is written on its arrow.
    fn label(message: &Self::Message) -> String {
        format!("{message:?}")
    }
}

/// What can happen to a node.
pub enum Input<N: Node> {
    /// It starts, for the first time or after a crash.
    Start,
    /// A message arrives.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: N::Message,
    },
    /// A timer that it had set goes off.
    Timer(N::Timer),
    /// A client asks something.
    Request {
        /// Names the call in the reply.
        call: CallId,
        /// What is asked.
        request: N::Request,
    },
}

/// What a node can do.
pub enum Output<N: Node> {
    /// Send a message; it may be lost, late, doubled or overtaken.
    Send {
        /// To whom.
        to: NodeId,
        /// What it says.
        message: N::Message,
    },
    /// Answer a client's call.
    Reply {
        /// The call that it answers.
        call: CallId,
        /// The answer.
        reply: N::Reply,
    },
    /// Ask to be reminded; a timer equal to one that is running replaces it.
    SetTimer {
        /// What of.
        timer: N::Timer,
        /// When, from now on.
        after: Millis,
    },
    /// Ask not to be reminded after all.
    CancelTimer(N::Timer),
    /// Write down what must survive a crash. It is on disk before any later output of the same step leaves.
    Persist(N::Durable),
}

impl<N: Node> Clone for Input<N> {
    fn clone(&self) -> Self {
        match self {
            Self::Start => Self::Start,
            Self::Message { from, message } => Self::Message { from: *from, message: message.clone() },
            Self::Timer(timer) => Self::Timer(timer.clone()),
            Self::Request { call, request } => Self::Request { call: *call, request: request.clone() },
        }
    }
}

impl<N: Node> Debug for Input<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => write!(f, "Start"),
            Self::Message { from, message } => write!(f, "Message from {from}: {message:?}"),
            Self::Timer(timer) => write!(f, "Timer({timer:?})"),
            Self::Request { call, request } => write!(f, "Request {call}: {request:?}"),
        }
    }
}

impl<N: Node> PartialEq for Input<N> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Start, Self::Start) => true,
            (Self::Message { from: a, message: x }, Self::Message { from: b, message: y }) => a == b && x == y,
            (Self::Timer(x), Self::Timer(y)) => x == y,
            (Self::Request { call: a, request: x }, Self::Request { call: b, request: y }) => a == b && x == y,
            _ => false,
        }
    }
}

impl<N: Node> Clone for Output<N> {
    fn clone(&self) -> Self {
        match self {
            Self::Send { to, message } => Self::Send { to: *to, message: message.clone() },
            Self::Reply { call, reply } => Self::Reply { call: *call, reply: reply.clone() },
            Self::SetTimer { timer, after } => Self::SetTimer { timer: timer.clone(), after: *after },
            Self::CancelTimer(timer) => Self::CancelTimer(timer.clone()),
            Self::Persist(durable) => Self::Persist(durable.clone()),
        }
    }
}

impl<N: Node> Debug for Output<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { to, message } => write!(f, "Send to {to}: {message:?}"),
            Self::Reply { call, reply } => write!(f, "Reply to {call}: {reply:?}"),
            Self::SetTimer { timer, after } => write!(f, "SetTimer({timer:?}, {after})"),
            Self::CancelTimer(timer) => write!(f, "CancelTimer({timer:?})"),
            Self::Persist(durable) => write!(f, "Persist({durable:?})"),
        }
    }
}

impl<N: Node> PartialEq for Output<N> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Send { to: a, message: x }, Self::Send { to: b, message: y }) => a == b && x == y,
            (Self::Reply { call: a, reply: x }, Self::Reply { call: b, reply: y }) => a == b && x == y,
            (Self::SetTimer { timer: x, after: a }, Self::SetTimer { timer: y, after: b }) => a == b && x == y,
            (Self::CancelTimer(x), Self::CancelTimer(y)) => x == y,
            (Self::Persist(x), Self::Persist(y)) => x == y,
            _ => false,
        }
    }
}

impl<N: Node> Eq for Input<N> {}
impl<N: Node> Eq for Output<N> {}
