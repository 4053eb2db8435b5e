//! A lease says who *may* write. A fencing token lets the store decide who *did*.

use kit::{CallId, Input, Millis, Node, NodeId, Output, Time};
use std::collections::BTreeMap;
use std::fmt;

// ---------------------------------------------------------------------------------------------------------------------
// Stage 1: the store. Stage 2 only looks at it again, among workers that pause; there is nothing to write for it.
// ---------------------------------------------------------------------------------------------------------------------

/// Grows by one with every lease the lock service grants; after a restart of the service it may skip some.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// The number alone, so that it fits on an arrow.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a write was refused; the store is then unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// Somebody with a newer lease has written since: `seen` is their token.
    Stale {
        /// The greatest token of any write that was accepted.
        seen: Token,
    },
}

/// A key-value store that a late writer cannot harm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Store {
    values: BTreeMap<String, String>,
    // TODO: what else must it remember to recognise a late writer?
}

impl Store {
    /// Writes `value` under `key` for the holder of `token`.
    ///
    /// # Errors
    /// [`Refused::Stale`] if a write with a greater token was accepted before, for this key or any other.
    pub fn write(&mut self, key: &str, value: &str, token: Token) -> Result<(), Refused> {
        todo!("accept {key} = {value} unless {token:?} is stale")
    }

    /// What is stored under `key`. Reading needs no token.
    #[must_use]
    pub fn read(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// What lock service, workers and store say
// ---------------------------------------------------------------------------------------------------------------------

/// How long a lease lasts.
pub const LEASE: Millis = Millis(10_000);
/// How long a worker takes between the check of its lease and the moment when its write is on the wire.
pub const HAND_OVER: Millis = Millis(10);

/// The store.
pub const STORE: NodeId = NodeId(0);
/// The first worker.
pub const ALICE: NodeId = NodeId(1);
/// The second worker.
pub const BOB: NodeId = NodeId(2);
/// The third worker.
pub const CAROL: NodeId = NodeId(3);
/// The lock service; stage 2 does without it.
pub const LOCK: NodeId = NodeId(4);

/// What nodes say to each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A worker to the lock service: may I?
    Acquire,
    /// The lock service to a worker: you may, for [`LEASE`] from when you asked.
    Granted(Token),
    /// The lock service to a worker: somebody else may.
    Denied,
    /// A worker to the lock service: I am done.
    Release(Token),
    /// A worker to the store.
    Write {
        /// The client's call, for the answer.
        call: CallId,
        /// Where.
        key: String,
        /// What.
        value: String,
        /// By which lease.
        token: Token,
    },
    /// The store to a worker: what became of the write of that call.
    Wrote(CallId, Result<(), Refused>),
}

/// What somebody asks of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Get the lease.
    Acquire,
    /// Give it back.
    Release,
    /// Here is a lease, granted just now. A test plays the lock service.
    Hold(Token),
    /// Check the lease, and write `value` under `key`.
    Write(&'static str, &'static str),
}

/// What a worker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The lease is yours.
    Held(Token),
    /// Somebody else has it.
    Denied,
    /// It is yours no more.
    Released,
    /// There is no lease, or it has ended by this worker's clock; nothing was written.
    NoLease,
    /// The store has it.
    Written,
    /// The store refused it.
    Refused(Refused),
}

/// What a party can be reminded of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The lock service: the lease with this token has lasted for [`LEASE`].
    LeaseEnds(Token),
    /// A worker: the write of this call is on the wire now.
    HandOver(CallId, &'static str, &'static str, Token),
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 3: where tokens come from
// ---------------------------------------------------------------------------------------------------------------------

/// Grants one lease at a time, and never the same token twice, however often it crashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LockService {
    // TODO: what must it remember, and where, so that no token is granted twice?
    /// The lease that is running. It is not on disk: after a crash nobody knows who holds one, and nobody has to.
    lease: Option<(NodeId, Token)>,
}

impl LockService {
    /// A lock service that starts, with what it had persisted if it ran before. The first token of all is 1.
    #[must_use]
    pub fn new(disk: Option<Token>) -> Self {
        todo!("go on from {disk:?}")
    }

    /// `who` asks for the lease, for the first time or to go on with it. The clock of the lock service says `now`, and may have
    /// been set forward or back since it was asked last. A timer is not a clock: it goes off when its time has passed.
    ///
    /// If nobody has it: grants it with the next token, on disk before the answer leaves, and asks to be reminded of its end.
    /// If `who` has it: the same token, and the lease lasts for [`LEASE`] from now. Else: [`Message::Denied`].
    pub fn acquire(&mut self, who: NodeId, now: Time) -> Vec<Output<Party>> {
        todo!("{who} asks at {now}, and {:?} is running", self.lease)
    }

    /// The holder gives the lease with `token` back, or its time is up. Another lease than that one goes on.
    pub fn end(&mut self, token: Token) {
        todo!("{token:?} ends, and {:?} is running", self.lease)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Given: the workers, and who is who
// ---------------------------------------------------------------------------------------------------------------------

/// Somebody who writes under a lease, and checks by its own clock that it still runs, immediately before every write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Worker {
    /// The call that waits for the lock service, and when it asked.
    asking: Option<(CallId, Time)>,
    /// The lease: its token, and when it ends by the worker's clock, counted from before it asked.
    lease: Option<(Token, Time)>,
}

impl Worker {
    /// The token of the lease that the worker believes to hold at `now`.
    #[must_use]
    pub fn holds(&self, now: Time) -> Option<Token> {
        self.lease.filter(|(_, until)| now < *until).map(|(token, _)| token)
    }

    fn request(&mut self, call: CallId, request: Request, now: Time) -> Vec<Output<Party>> {
        let reply = |reply| vec![Output::Reply { call, reply }];
        match request {
            Request::Acquire => {
                self.asking = Some((call, now));
                vec![Output::Send { to: LOCK, message: Message::Acquire }]
            }
            Request::Release => {
                let mut out = reply(Reply::Released);
                if let Some((token, _)) = self.lease.take() {
                    out.push(Output::Send { to: LOCK, message: Message::Release(token) });
                }
                out
            }
            Request::Hold(token) => {
                self.lease = Some((token, now + LEASE));
                reply(Reply::Held(token))
            }
            Request::Write(key, value) => match self.holds(now) {
                Some(token) => {
                    vec![Output::SetTimer { timer: Timer::HandOver(call, key, value, token), after: HAND_OVER }]
                }
                None => reply(Reply::NoLease),
            },
        }
    }

    fn hear(&mut self, message: &Message) -> Vec<Output<Party>> {
        match *message {
            // A late copy of an earlier grant answers a later question. The worker then has an old token, and the store tells it.
            Message::Granted(token) => {
                let Some((call, asked)) = self.asking.take() else { return vec![] };
                self.lease = Some((token, asked + LEASE));
                vec![Output::Reply { call, reply: Reply::Held(token) }]
            }
            Message::Denied => {
                let Some((call, _)) = self.asking.take() else { return vec![] };
                vec![Output::Reply { call, reply: Reply::Denied }]
            }
            Message::Wrote(call, Ok(())) => vec![Output::Reply { call, reply: Reply::Written }],
            Message::Wrote(call, Err(why)) => vec![Output::Reply { call, reply: Reply::Refused(why) }],
            Message::Acquire | Message::Release(_) | Message::Write { .. } => vec![],
        }
    }
}

/// One write that reached the store: key, value, token, and what became of it.
pub type Arrival = (String, String, Token, Result<(), Refused>);

/// Anybody in a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// Grants leases.
    Lock(LockService),
    /// Your store, and every write that reached it, in order.
    Store(Store, Vec<Arrival>),
    /// Writes.
    Worker(Worker),
}

impl Party {
    /// Whoever `node` is; `disk` is what the lock service finds there after a crash.
    #[must_use]
    pub fn new(node: NodeId, disk: Option<Token>) -> Self {
        match node {
            LOCK => Self::Lock(LockService::new(disk)),
            STORE => Self::Store(Store::default(), vec![]),
            _ => Self::Worker(Worker::default()),
        }
    }
}

impl Node for Party {
    type Message = Message;
    type Timer = Timer;
    type Request = Request;
    type Reply = Reply;
    /// The lock service's greatest token.
    type Durable = Token;

    fn step(&mut self, input: Input<Self>, now: Time) -> Vec<Output<Self>> {
        match (self, input) {
            (Self::Lock(lock), Input::Message { from, message: Message::Acquire }) => lock.acquire(from, now),
            (
                Self::Lock(lock),
                Input::Message { message: Message::Release(token), .. } | Input::Timer(Timer::LeaseEnds(token)),
            ) => {
                lock.end(token);
                vec![]
            }
            (Self::Store(store, arrived), Input::Message { from, message }) => {
                let Message::Write { call, key, value, token } = message else { return vec![] };
                let result = store.write(&key, &value, token);
                arrived.push((key, value, token, result));
                vec![Output::Send { to: from, message: Message::Wrote(call, result) }]
            }
            (Self::Worker(worker), Input::Request { call, request }) => worker.request(call, request, now),
            (Self::Worker(worker), Input::Message { message, .. }) => worker.hear(&message),
            (Self::Worker(_), Input::Timer(Timer::HandOver(call, key, value, token))) => {
                let (key, value) = (key.to_owned(), value.to_owned());
                vec![Output::Send { to: STORE, message: Message::Write { call, key, value, token } }]
            }
            _ => vec![],
        }
    }

    fn status(&self) -> String {
        match self {
            Self::Lock(lock) => lock.lease.map_or_else(String::new, |(_, token)| format!("granted {token:?}")),
            Self::Store(store, _) => {
                store.values.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
            }
            Self::Worker(worker) => worker.lease.map_or_else(String::new, |(token, _)| format!("token {token:?}")),
        }
    }

    fn label(message: &Message) -> String {
        match message {
            Message::Acquire => "acquire".into(),
            Message::Granted(token) => format!("granted {token:?}"),
            Message::Denied => "denied".into(),
            Message::Release(token) => format!("release {token:?}"),
            Message::Write { key, value, token, .. } => format!("{key}={value} by {token:?}"),
            Message::Wrote(_, Ok(())) => "written".into(),
            Message::Wrote(_, Err(Refused::Stale { seen })) => format!("refused, seen {seen:?}"),
        }
    }
}
