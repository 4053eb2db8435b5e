//! Stage 6: instances, shards and a counter, on machines that crash and over a network that loses messages.

use std::collections::BTreeMap;

use kit::{CallId, Input, Millis, Node, NodeId, Output, Time};

use crate::click::{Batch, Outbox, Policy, Response, Source, Tally, respond};
use crate::code::{Code, Scheme};
use crate::create::{Answer, Command, Create, Link, Outcome, Rejected, Target};
use crate::parts::bloom_filter::Shape;
use crate::parts::cache_aside::{Lease, Lifetimes};
use crate::parts::error_budget::{self, Budget, Count, by_requests};
use crate::parts::shard_router::{Key, Shard as ShardId, Slots, hash};
use crate::store::{Disk, Front, Seek, Shard};

/// Our own host.
pub const HOST: &str = "sho.rt";
/// After so long without an answer a question is asked again.
pub const RETRY: Millis = Millis(40);
/// After so long with a question that somebody else has asked, one looks again.
pub const AGAIN: Millis = Millis(10);
/// After so long a client is told that it will not be served now.
pub const PATIENCE: Millis = Millis(400);
/// So often clicks are sent, as long as there are any.
pub const FLUSH: Millis = Millis(50);
/// So many clicks are sent at a time at most.
pub const BATCH: usize = 100;
/// An answer that takes longer than this is a bad one.
pub const SLOW: Millis = Millis(300);
/// How wide the windows are in which clicks are counted.
pub const WINDOW: Millis = Millis(1_000);
/// How long a link may be cached: so long a visitor may still be led by one that was taken down elsewhere.
pub const CACHED: Millis = Millis(500);

/// Who is who: the instances first, then the shards, then the one that counts clicks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How many instances take requests.
    pub fronts: usize,
    /// How many shards hold links.
    pub shards: usize,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes requests.
    Front,
    /// Holds links.
    Shard,
    /// Counts clicks.
    Counter,
}

impl Layout {
    /// What this node does.
    #[must_use]
    pub const fn role(self, node: NodeId) -> Role {
        match node.0 {
            node if node < self.fronts => Role::Front,
            node if node < self.fronts + self.shards => Role::Shard,
            _ => Role::Counter,
        }
    }

    /// The node that is this shard.
    #[must_use]
    pub const fn shard(self, shard: ShardId) -> NodeId {
        NodeId(self.fronts + shard.0 as usize)
    }

    /// The node that counts.
    #[must_use]
    pub const fn counter(self) -> NodeId {
        NodeId(self.fronts + self.shards)
    }

    /// Which shard has which codes.
    #[must_use]
    pub fn slots(self) -> Slots {
        let shards: Vec<ShardId> = (0..self.shards as u32).map(ShardId).collect();
        Slots::new(64, &shards)
    }
}

/// What a client asks of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Shorten this.
    Create(String),
    /// Where does this code lead?
    Visit(String),
    /// Take the link with this code down.
    Remove(String),
}

/// What it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// To [`Request::Create`].
    Link(Outcome),
    /// To [`Request::Create`]: that is no URL to shorten.
    Rejected(Rejected),
    /// To [`Request::Visit`]; and to [`Request::Remove`], what a visitor is told from now on.
    Response(Response),
    /// To any: not now, and whether it was done is not known. 503.
    Unavailable,
}

/// Names what an instance has asked, over all its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Its how manieth life.
    pub life: u32,
    /// Which of the requests in that life.
    pub number: u64,
}

/// What nodes say to each other. Messages are lost, late, doubled and overtaken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// To a shard: do this.
    Do(Id, Command),
    /// From a shard: what came of the command about this code.
    Done(Id, Code, Answer),
    /// To the counter.
    Clicks(Batch),
    /// From the counter: of this source, clicks are counted up to this number.
    Counted(Source, u64),
}

/// What a node is reminded of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// This request waits for an answer.
    Retry(Id),
    /// This request has waited for long enough.
    GiveUp(Id),
    /// There may be clicks to send.
    Flush,
}

/// What survives a crash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Durable {
    /// Of an instance: its how manieth life this is.
    Front(u32),
    /// Of a shard: its rows.
    Shard(BTreeMap<Code, Link>),
    /// Of the counter: what it has counted.
    Counter(Tally),
}

/// A node of the system, in one of three roles.
#[derive(Debug)]
pub struct Machine<S> {
    work: Work<S>,
}

#[derive(Debug)]
enum Work<S> {
    Front(Box<Serving<S>>),
    Shard(Shard),
    Counter(Tally),
}

impl<S: Scheme + Clone> Machine<S> {
    /// The node `me`, which finds on its disk what it left there in its last life.
    ///
    /// # Panics
    /// If the disk is another role's.
    #[must_use]
    pub fn new(layout: Layout, scheme: S, me: NodeId, durable: Option<Durable>) -> Self {
        let work = match (layout.role(me), durable) {
            (Role::Front, None) => Work::Front(Box::new(Serving::new(layout, scheme, me, 0))),
            (Role::Front, Some(Durable::Front(life))) => {
                Work::Front(Box::new(Serving::new(layout, scheme, me, life + 1)))
            }
            (Role::Shard, None) => Work::Shard(Shard::open(Disk::default(), shape())),
            (Role::Shard, Some(Durable::Shard(rows))) => Work::Shard(Shard::open(Disk::new(rows), shape())),
            (Role::Counter, None) => Work::Counter(Tally::new(WINDOW)),
            (Role::Counter, Some(Durable::Counter(tally))) => Work::Counter(tally),
            (role, durable) => panic!("{durable:?} on the disk of a {role:?}"),
        };
        Self { work }
    }

    /// What the counter has counted; nothing from any other node.
    #[must_use]
    pub fn tally(&self) -> Option<&Tally> {
        match &self.work {
            Work::Counter(tally) => Some(tally),
            Work::Front(_) | Work::Shard(_) => None,
        }
    }
}

fn shape() -> Shape {
    Shape::for_items(10_000, 0.01).expect("some links, and a rate between 0 and 1")
}

impl<S: Scheme + Clone> Node for Machine<S> {
    type Message = Message;
    type Timer = Timer;
    type Request = Request;
    type Reply = Reply;
    type Durable = Durable;

    /// On each machine:
    ///
    /// * An instance answers every request, at the latest after [`PATIENCE`] and then with [`Reply::Unavailable`]. It asks a shard again every [`RETRY`],
    ///   until it has answered the client.
    /// * It keeps a link in its cache for at most [`CACHED`] from when it asked for it, however long the answer was under way.
    ///   Once it has told somebody that a link is gone it leads nobody there who asks later.
    /// * A shard answers a command only when what it has done is on its disk. The same command may come several times.
    /// * An instance sends its clicks every [`FLUSH`], the same ones again until they are counted. The counter answers when its counts are on disk.
    ///   What a crash of the instance may cost is those clicks that it has not sent successfully.
    fn step(&mut self, input: Input<Self>, now: Time) -> Vec<Output<Self>> {
        match &mut self.work {
            Work::Front(serving) => serving.step(input, now),
            Work::Shard(shard) => match input {
                Input::Message { from, message: Message::Do(id, command) } => execute(shard, from, id, command),
                _ => vec![],
            },
            Work::Counter(tally) => match input {
                Input::Message { from, message: Message::Clicks(batch) } => count(tally, from, &batch),
                _ => vec![],
            },
        }
    }

    fn status(&self) -> String {
        match &self.work {
            Work::Front(serving) => format!("life {}", serving.source.life),
            Work::Shard(shard) => format!("{} links", shard.disk().rows().len()),
            Work::Counter(_) => String::new(),
        }
    }
}

// ANCHOR: shard
fn execute<S: Scheme + Clone>(shard: &mut Shard, from: NodeId, id: Id, command: Command) -> Vec<Output<Machine<S>>> {
    let code = command.code();
    let writes = !matches!(command, Command::Fetch(_));
    let answer = shard.execute(command);
    let mut out = vec![];
    if writes {
        out.push(Output::Persist(Durable::Shard(shard.disk().rows().clone())));
    }
    out.push(Output::Send { to: from, message: Message::Done(id, code, answer) });
    out
}
// ANCHOR_END: shard

fn count<S: Scheme + Clone>(tally: &mut Tally, from: NodeId, batch: &Batch) -> Vec<Output<Machine<S>>> {
    let through = tally.take(batch);
    vec![
        Output::Persist(Durable::Counter(tally.clone())),
        Output::Send { to: from, message: Message::Counted(batch.source, through) },
    ]
}

/// An instance at work.
#[derive(Debug)]
struct Serving<S> {
    layout: Layout,
    scheme: S,
    source: Source,
    front: Front,
    outbox: Outbox,
    flushing: bool,
    jobs: BTreeMap<Id, Job<S>>,
    begun: u64,
}

/// A request that is not answered yet.
#[derive(Debug)]
struct Job<S> {
    call: CallId,
    todo: Todo<S>,
}

#[derive(Debug)]
enum Todo<S> {
    Create(Create<S>),
    /// With a lease and when it was got; without one while somebody else asks.
    Visit(Code, Option<(Lease, Time)>),
    Remove(Code),
}

impl<S: Scheme + Clone> Serving<S> {
    fn new(layout: Layout, scheme: S, me: NodeId, life: u32) -> Self {
        let lifetimes = Lifetimes { value: CACHED, absence: Millis(0), jitter: 10, lease: PATIENCE };
        let source = Source { instance: me.0 as u32, life };
        Self {
            layout,
            scheme,
            source,
            front: Front::new(layout.slots(), lifetimes, 1_000),
            outbox: Outbox::new(source, 10_000),
            flushing: false,
            jobs: BTreeMap::new(),
            begun: 0,
        }
    }

    fn step(&mut self, input: Input<Machine<S>>, now: Time) -> Vec<Output<Machine<S>>> {
        let mut out = vec![];
        match input {
            Input::Start => out.push(Output::Persist(Durable::Front(self.source.life))),
            Input::Request { call, request } => self.begin(call, request, now, &mut out),
            Input::Message { message: Message::Done(id, code, answer), .. } => {
                self.done(id, code, answer, now, &mut out);
            }
            Input::Message { message: Message::Counted(source, through), .. } if source == self.source => {
                self.outbox.counted(through);
            }
            Input::Message { .. } => {}
            Input::Timer(Timer::Retry(id)) => self.ask(id, now, &mut out),
            Input::Timer(Timer::GiveUp(id)) => self.give_up(id, &mut out),
            Input::Timer(Timer::Flush) => self.flush(&mut out),
        }
        out
    }

    fn begin(&mut self, call: CallId, request: Request, now: Time, out: &mut Vec<Output<Machine<S>>>) {
        let not_found = Output::Reply { call, reply: Reply::Response(Response::NotFound) };
        let todo = match request {
            Request::Create(text) => match Target::parse(&text, HOST) {
                Ok(target) => Todo::Create(Create::new(self.scheme.clone(), target)),
                Err(why) => return out.push(Output::Reply { call, reply: Reply::Rejected(why) }),
            },
            Request::Visit(text) => match Code::parse(&text) {
                Some(code) => Todo::Visit(code, None),
                None => return out.push(not_found),
            },
            Request::Remove(text) => match Code::parse(&text) {
                Some(code) => Todo::Remove(code),
                None => return out.push(not_found),
            },
        };
        self.begun += 1;
        let id = Id { life: self.source.life, number: self.begun };
        self.jobs.insert(id, Job { call, todo });
        out.push(Output::SetTimer { timer: Timer::GiveUp(id), after: PATIENCE });
        self.ask(id, now, out);
    }

    /// Asks what a request wants to know next, for the first time or again.
    fn ask(&mut self, id: Id, now: Time, out: &mut Vec<Output<Machine<S>>>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if let Todo::Visit(code, lease @ None) = &mut job.todo {
            match self.front.seek(*code, now) {
                Seek::Known(link) => {
                    let code = *code;
                    return self.visited(id, code, Some(&link), now, out);
                }
                Seek::Ask(_, granted) => *lease = Some((granted, now)),
                Seek::Wait => {
                    return out.push(Output::SetTimer { timer: Timer::Retry(id), after: AGAIN });
                }
            }
        }
        let command = match &job.todo {
            Todo::Create(create) => create.next(),
            Todo::Visit(code, _) => Some(Command::Fetch(*code)),
            Todo::Remove(code) => Some(Command::Remove(*code)),
        };
        if let Some(command) = command {
            let to = self.layout.shard(self.front.shard_of(command.code()));
            out.push(Output::Send { to, message: Message::Do(id, command) });
            out.push(Output::SetTimer { timer: Timer::Retry(id), after: RETRY });
        }
    }

    // ANCHOR: done
    fn done(&mut self, id: Id, code: Code, answer: Answer, now: Time, out: &mut Vec<Output<Machine<S>>>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        match &mut job.todo {
            Todo::Create(create) => {
                // Answers come twice and late: this one may be about a code that was given up already.
                if create.next().is_some_and(|command| command.code() == code) {
                    create.told(&answer);
                    match create.outcome().cloned() {
                        Some(outcome) => self.finish(id, Reply::Link(outcome), out),
                        None => self.ask(id, now, out),
                    }
                }
            }
            Todo::Visit(_, lease) => {
                let (Some((lease, asked)), Answer::Row(row)) = (*lease, answer) else { return };
                let draw = hash(Key(id.number));
                self.front.loaded(code, lease, row.as_ref(), asked, draw);
                self.visited(id, code, row.as_ref(), now, out);
            }
            Todo::Remove(_) => {
                let Answer::Row(row) = answer else { return };
                self.front.forget(code);
                self.finish(id, Reply::Response(respond(row.as_ref(), Policy::Count)), out);
            }
        }
    }
    // ANCHOR_END: done

    fn visited(&mut self, id: Id, code: Code, link: Option<&Link>, now: Time, out: &mut Vec<Output<Machine<S>>>) {
        let response = respond(link, Policy::Count);
        if response.is_click() {
            self.outbox.record(code, now);
            if !self.flushing {
                self.flushing = true;
                out.push(Output::SetTimer { timer: Timer::Flush, after: FLUSH });
            }
        }
        self.finish(id, Reply::Response(response), out);
    }

    fn finish(&mut self, id: Id, reply: Reply, out: &mut Vec<Output<Machine<S>>>) {
        let Some(job) = self.jobs.remove(&id) else { return };
        out.push(Output::CancelTimer(Timer::Retry(id)));
        out.push(Output::CancelTimer(Timer::GiveUp(id)));
        out.push(Output::Reply { call: job.call, reply });
    }

    fn give_up(&mut self, id: Id, out: &mut Vec<Output<Machine<S>>>) {
        if let Some(Job { todo: Todo::Visit(code, Some(_)), .. }) = self.jobs.get(&id) {
            self.front.forget(*code);
        }
        self.finish(id, Reply::Unavailable, out);
    }

    fn flush(&mut self, out: &mut Vec<Output<Machine<S>>>) {
        match self.outbox.batch(BATCH) {
            Some(batch) => {
                out.push(Output::Send { to: self.layout.counter(), message: Message::Clicks(batch) });
                out.push(Output::SetTimer { timer: Timer::Flush, after: FLUSH });
            }
            None => self.flushing = false,
        }
    }
}

/// How good a run was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// The requests that say something about the service, and those of them that were good.
    pub count: Count,
    /// What of the budget is used, in requests.
    pub budget: Budget,
}

/// Judges requests by their replies and how long each took, or by how long there has been none.
///
/// Good is what was answered within [`SLOW`], that included; *not found* and *gone* are good answers. What was [rejected](Reply::Rejected) is the client's
/// mistake and says nothing. No answer and [`Reply::Unavailable`] are bad, however quickly they come.
#[must_use]
pub fn report(objective: error_budget::Target, requests: &[(Option<Reply>, Millis)]) -> Report {
    let valid = requests.iter().filter(|(reply, _)| !matches!(reply, Some(Reply::Rejected(_))));
    let is_good = |(reply, took): &&(Option<Reply>, Millis)| {
        *took <= SLOW && matches!(reply, Some(Reply::Link(_) | Reply::Response(_)))
    };
    let count = Count { good: valid.clone().filter(is_good).count() as u64, valid: valid.count() as u64 };
    Report { count, budget: by_requests(objective, &[count]) }
}
