//! A lock on five servers that know nothing of each other, and what its holder may conclude from their clocks.

use kit::chaos::{Do, Step};
use kit::{CallId, Fault, Input, Millis, Node, NodeId, Output, Rng, Seed, Time};
use std::collections::BTreeSet;
use std::fmt;

// ---------------------------------------------------------------------------------------------------------------------
// Stage 1: how long a lock may be trusted
// ---------------------------------------------------------------------------------------------------------------------

/// How many of `n` are a majority: the fewest that no other majority can miss.
#[must_use]
pub fn majority(n: usize) -> usize {
    todo!("how many of {n} must agree")
}

/// By how much two clocks may differ at the end of `ttl`: 1 % of it, and 2 ms because expiry counts whole milliseconds.
#[must_use]
pub fn clock_drift(ttl: Millis) -> Millis {
    todo!("by how much two clocks may differ at the end of {ttl}")
}

/// How long a lock may be trusted, from now on, when `elapsed` has passed since just before the attempt's first request:
/// `MIN_VALIDITY = TTL − elapsed − CLOCK_DRIFT`. `None` if nothing is left.
#[must_use]
pub fn min_validity(ttl: Millis, elapsed: Millis) -> Option<Millis> {
    todo!("what is left of {ttl} after {elapsed} and the drift")
}

// ---------------------------------------------------------------------------------------------------------------------
// What clients and servers say
// ---------------------------------------------------------------------------------------------------------------------

/// How many servers there are. None of them knows of another, so each is its own master.
pub const MASTERS: usize = 5;
/// How long a key lives on a master, by that master's clock.
pub const TTL: Millis = Millis(10_000);
/// How long a client waits for answers before an attempt has failed.
pub const PATIENCE: Millis = Millis(50);
/// The shortest and the longest pause between two attempts.
pub const RETRY: (Millis, Millis) = (Millis(50), Millis(200));
/// How many attempts an acquisition makes.
pub const TRIES: u32 = 3;

/// The masters are nodes 0 to 4; this is where holders of the lock write.
pub const STORE: NodeId = NodeId(MASTERS);
/// The first client.
pub const ALICE: NodeId = NodeId(MASTERS + 1);
/// The second client.
pub const BOB: NodeId = NodeId(MASTERS + 2);

/// What a lock is signed with: nobody ever draws the same one again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub u64);

/// Its last three digits, which is enough to tell a few apart.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03x}", self.0 & 0xfff)
    }
}

/// One attempt of a client, so that it can tell whether an answer belongs to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Round(pub u64);

/// What a client asks of one master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// `SET lock VALUE NX PX ttl`: done only if there is no key; lives for [`TTL`].
    Set(Value),
    /// Done only if the key holds this value: it lives for [`TTL`] from now on.
    Extend(Value),
    /// Removes the key if it holds this value. There is no answer.
    Delete(Value),
}

/// What nodes say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A client to a master.
    Command(Round, Command),
    /// A master to a client: whether it did what the command of that round asked.
    Answer(Round, bool),
    /// A client to the store, which takes every write.
    Write(u32),
}

/// What somebody asks of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Get the lock.
    Acquire,
    /// Keep it for another while.
    Extend,
    /// Give it back.
    Release,
    /// Check that the lock is held, and write this into the store.
    Write(u32),
}

/// What the client answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The lock is yours, for so long from now.
    Held(Millis),
    /// Somebody else has it, or too few masters answered in time.
    Refused,
    /// It was not extended, and is no longer yours.
    Lost,
    /// It is no longer yours.
    Released,
    /// This client holds the lock already, or is busy with it.
    Busy,
    /// The write has left for the store.
    Sent,
    /// The lock is not yours; nothing was written.
    NotHeld,
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 2: the client
// ---------------------------------------------------------------------------------------------------------------------

/// A client that holds the lock while a majority of the masters must hold its key.
#[derive(Clone, Debug)]
pub struct Client {
    rng: Rng,
    /// The attempt that answers are accepted for. It grows with every attempt, and when one fails: what then is still under way
    /// belongs to none.
    round: Round,
    attempt: Option<Attempt>,
    lease: Option<Lease>,
}

/// A lock that was got, as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is signed with.
    pub value: Value,
    /// When it ends, by the clock of its holder.
    pub until: Time,
}

/// What a client remembers of a call that is under way.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The call to answer.
    pub call: CallId,
    /// What it is for.
    pub goal: Goal,
    /// How many attempts are left, this one included.
    pub tries: u32,
    /// What the keys of this attempt are signed with.
    pub value: Value,
    /// When it began, by the client's clock: before the first request left.
    pub began: Time,
    /// The masters that did what was asked.
    pub yes: BTreeSet<NodeId>,
    /// The masters that did not. One can be in both: it refuses the second copy of a request whose first copy it did.
    pub no: BTreeSet<NodeId>,
}

/// What an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A lock that is not held.
    Acquire,
    /// A lock that is held.
    Extend,
}

// TODO: `acquire` and `extend` begin an attempt: note the time, set the timer, ask all masters. `answer` ends it when the
// masters heard decide it; `patience_ends` when they do not come. Ask yourself of every answer: which attempt is it for?
// And of every way to fail: where may a key have been left behind? With `use kit::rand::RngExt as _;`, `self.rng.random()` draws a
// number, and `self.rng.random_range(50..=200)` one of those.
impl Client {
    /// A client that holds nothing. All its random choices follow from `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { rng: seed.rng(), round: Round::default(), attempt: None, lease: None }
    }

    /// Whether the lock is still its own at `now`, by its clock.
    #[must_use]
    pub fn holds(&self, now: Time) -> bool {
        todo!("is {:?} still good at {now}?", self.lease)
    }

    /// Begins to get the lock. [`Reply::Busy`] at once while it is held or anything is under way.
    ///
    /// Asks every master to set the key, with a value never used before. Answered [`Reply::Held`] when a majority did and
    /// something of the validity is left, [`Reply::Refused`] when [`TRIES`] attempts have failed.
    pub fn acquire(&mut self, call: CallId, now: Time) -> Vec<Output<Party>> {
        todo!("{call} at {now}: {:?}, {:?}; draw from {:?}", self.attempt, self.lease, self.rng)
    }

    /// Begins to keep the lock for another while. [`Reply::Busy`] at once while anything is under way; else [`Reply::Lost`] at
    /// once if it is not held any more.
    ///
    /// Asks every master to extend the key. Answered [`Reply::Held`] as an acquisition is, with the validity counted from
    /// this request; or [`Reply::Lost`], after one attempt, and also if the lock ended before a majority had answered. Until
    /// then the lock ends when it would have ended.
    pub fn extend(&mut self, call: CallId, now: Time) -> Vec<Output<Party>> {
        todo!("{call} at {now}: {:?}, {:?}", self.attempt, self.lease)
    }

    /// Gives the lock back: stops holding it, and has every master delete the key. [`Reply::Released`] at once, even if
    /// nothing was held; [`Reply::Busy`] while anything is under way.
    pub fn release(&mut self, call: CallId) -> Vec<Output<Party>> {
        todo!("{call}: {:?}, {:?}", self.attempt, self.lease)
    }

    /// A master answered the command of `round`. It may come late, twice, or after the attempt has ended.
    pub fn answer(&mut self, from: NodeId, round: Round, done: bool, now: Time) -> Vec<Output<Party>> {
        todo!("{from} says {done} to {round:?} at {now}, and {:?} is {:?}", self.round, self.attempt)
    }

    /// [`PATIENCE`] has passed since the attempt of `round` began.
    pub fn patience_ends(&mut self, round: Round) -> Vec<Output<Party>> {
        todo!("{round:?}: {:?} is {:?}", self.round, self.attempt)
    }

    /// The pause after a failed attempt is over.
    pub fn retry(&mut self, now: Time) -> Vec<Output<Party>> {
        todo!("at {now}: {:?}", self.attempt)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 3: where it ends
// ---------------------------------------------------------------------------------------------------------------------

/// `client` is asked `request` at `at` milliseconds.
#[must_use]
pub const fn call(at: u64, client: NodeId, request: Request) -> Step<Request> {
    Step { at: Time(at), what: Do::Call(client, request) }
}

/// `fault` happens at `at` milliseconds.
#[must_use]
pub const fn fault(at: u64, fault: Fault) -> Step<Request> {
    Step { at: Time(at), what: Do::Fault(fault) }
}

/// A run in which a write reaches the store although its writer's validity had run out and the other client has written since.
///
/// Each message takes 5 ms. Allowed: calls of [`ALICE`] and [`BOB`], and **one** [`Fault::Pause`] of one of them. A release does
/// not count: the lock must run out by itself.
#[must_use]
pub fn late_write() -> Vec<Step<Request>> {
    todo!("use call(at, who, request) and fault(at, Fault::Pause {{ .. }})")
}

/// A run in which both clients hold the lock at once.
///
/// Each message takes 5 ms. Allowed: calls, cuts, partitions and healing, and **one** [`Fault::ClockJump`] of **one** master.
#[must_use]
pub fn jumping_clock() -> Vec<Step<Request>> {
    todo!("which masters must each of them reach, and whose clock is in both?")
}

/// A run in which both clients hold the lock at once.
///
/// Each message takes 5 ms. Allowed: calls, cuts, partitions and healing, **one** [`Fault::Crash`] of **one** master that
/// loses its last write, and its [`Fault::Restart`].
#[must_use]
pub fn forgetful_restart() -> Vec<Step<Request>> {
    todo!("which master do the two majorities share?")
}

/// How long a master that restarts must stay silent, so that it cannot break a promise that it forgot: long enough whatever it
/// held, and less than twice `max_ttl`, the longest that any client asks for. The clock that counts this is the one that would
/// have counted the key.
#[must_use]
pub fn quarantine(max_ttl: Millis) -> Millis {
    todo!("for how long can a forgotten promise matter, if {max_ttl} was the longest?")
}

// ---------------------------------------------------------------------------------------------------------------------
// Given: the masters, the store, and who is who
// ---------------------------------------------------------------------------------------------------------------------

/// One server. It keeps the key until its *own* clock says that it has expired, as Redis does.
#[derive(Clone, Debug)]
pub struct Master {
    key: Option<Key>,
    stays_out: Millis,
    is_out: bool,
}

/// The lock's key on one master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Who set it.
    pub value: Value,
    /// When it ends, by the clock of the master.
    pub expires: Time,
}

impl Master {
    /// A master that starts for the first time, or again after a crash with what its disk holds; then it stays out for a while.
    #[must_use]
    pub fn new(disk: Option<Option<Key>>, stays_out: Millis) -> Self {
        let is_out = disk.is_some() && stays_out > Millis(0);
        Self { key: disk.flatten(), stays_out, is_out }
    }

    /// The key as it was last set, expired or not.
    #[must_use]
    pub const fn key(&self) -> Option<Key> {
        self.key
    }

    fn start(&self) -> Vec<Output<Party>> {
        let mut out = vec![Output::Persist(self.key)];
        if self.is_out {
            out.push(Output::SetTimer { timer: Timer::Rejoin, after: self.stays_out });
        }
        out
    }

    fn obey(&mut self, from: NodeId, round: Round, command: Command, now: Time) -> Vec<Output<Party>> {
        if self.is_out {
            return vec![];
        }
        self.key = self.key.filter(|key| now < key.expires);
        let holds = self.key.map(|key| key.value);
        let (value, done) = match command {
            Command::Set(value) => (value, holds.is_none()),
            Command::Extend(value) => (value, holds == Some(value)),
            Command::Delete(value) => {
                self.key = self.key.filter(|key| key.value != value);
                return vec![Output::Persist(self.key)];
            }
        };
        if done {
            self.key = Some(Key { value, expires: now + TTL });
        }
        let answer = Output::Send { to: from, message: Message::Answer(round, done) };
        if done { vec![Output::Persist(self.key), answer] } else { vec![answer] }
    }
}

/// Takes every write, whoever it comes from and however late.
#[derive(Clone, Debug, Default)]
pub struct Store {
    writes: Vec<(Time, NodeId, u32)>,
}

impl Store {
    /// What was written: when, by whom, what.
    #[must_use]
    pub fn writes(&self) -> &[(Time, NodeId, u32)] {
        &self.writes
    }
}

/// How long a client takes between the check that it holds the lock and the moment when its write is on the wire.
pub const HAND_OVER: Millis = Millis(10);

/// What a party can be reminded of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// A client: the attempt of this round has waited for [`PATIENCE`].
    Patience(Round),
    /// A client: time for the next attempt.
    Retry,
    /// A client: the write of this call is on the wire now.
    HandOver(CallId, u32),
    /// A master: its time out is over.
    Rejoin,
}

/// Anybody in a run.
#[derive(Clone, Debug)]
pub enum Party {
    /// One of the five.
    Master(Master),
    /// Where the holder writes.
    Store(Store),
    /// Somebody who wants the lock.
    Client(Client),
}

impl Party {
    /// Whoever `node` is: masters, then the store, then clients. `disk` is what it finds there after a crash, `stays_out`
    /// how long a master then keeps silent.
    #[must_use]
    pub fn new(node: NodeId, disk: Option<Option<Key>>, seed: Seed, stays_out: Millis) -> Self {
        match node {
            STORE => Self::Store(Store::default()),
            NodeId(master) if master < MASTERS => Self::Master(Master::new(disk, stays_out)),
            NodeId(client) => Self::Client(Client::new(seed.part(client as u64))),
        }
    }
}

impl Node for Party {
    type Message = Message;
    type Timer = Timer;
    type Request = Request;
    type Reply = Reply;
    /// A master's key.
    type Durable = Option<Key>;

    fn step(&mut self, input: Input<Self>, now: Time) -> Vec<Output<Self>> {
        match (self, input) {
            (Self::Master(master), Input::Start) => master.start(),
            (Self::Master(master), Input::Message { from, message: Message::Command(round, command) }) => {
                master.obey(from, round, command, now)
            }
            (Self::Master(master), Input::Timer(Timer::Rejoin)) => {
                master.is_out = false;
                vec![]
            }
            (Self::Store(store), Input::Message { from, message: Message::Write(value) }) => {
                store.writes.push((now, from, value));
                vec![]
            }
            (Self::Client(client), Input::Request { call, request }) => match request {
                Request::Acquire => client.acquire(call, now),
                Request::Extend => client.extend(call, now),
                Request::Release => client.release(call),
                Request::Write(value) if client.holds(now) => {
                    vec![Output::SetTimer { timer: Timer::HandOver(call, value), after: HAND_OVER }]
                }
                Request::Write(_) => vec![Output::Reply { call, reply: Reply::NotHeld }],
            },
            (Self::Client(client), Input::Message { from, message: Message::Answer(round, done) }) => {
                client.answer(from, round, done, now)
            }
            (Self::Client(client), Input::Timer(Timer::Patience(round))) => client.patience_ends(round),
            (Self::Client(client), Input::Timer(Timer::Retry)) => client.retry(now),
            (Self::Client(_), Input::Timer(Timer::HandOver(call, value))) => {
                let write = Output::Send { to: STORE, message: Message::Write(value) };
                vec![write, Output::Reply { call, reply: Reply::Sent }]
            }
            _ => vec![],
        }
    }

    fn status(&self) -> String {
        match self {
            Self::Master(master) if master.is_out => "stays out".into(),
            Self::Master(master) => master.key.map_or_else(String::new, |key| format!("{:?}", key.value)),
            Self::Store(store) => store.writes.last().map_or_else(String::new, |(_, _, value)| value.to_string()),
            Self::Client(client) => client.lease.map_or_else(String::new, |lease| format!("holds {:?}", lease.value)),
        }
    }

    fn label(message: &Message) -> String {
        match message {
            Message::Command(_, Command::Set(value)) => format!("set {value:?}"),
            Message::Command(_, Command::Extend(value)) => format!("extend {value:?}"),
            Message::Command(_, Command::Delete(value)) => format!("delete {value:?}"),
            Message::Answer(_, true) => "done".into(),
            Message::Answer(_, false) => "no".into(),
            Message::Write(value) => format!("write {value}"),
        }
    }
}
