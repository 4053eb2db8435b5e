//! Stage 6: instances, shards and a counter, on machines that crash and over a network that loses messages.

use std::collections::BTreeMap;

use kit::{Input, Millis, Node, NodeId, Output, Time};

use crate::click::{Batch, Response, Source, Tally};
use crate::code::{Code, Scheme};
use crate::create::{Answer, Command, Link, Outcome, Rejected};
use crate::parts::error_budget::{self, Budget, Count};
use crate::parts::shard_router::{Shard as ShardId, Slots};

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
    layout: Layout,
    scheme: S,
    // TODO: what does each role need, and which requests are not answered yet?
}

impl<S: Scheme + Clone> Machine<S> {
    /// The node `me`, which finds on its disk what it left there in its last life.
    ///
    /// # Panics
    /// If the disk is another role's.
    #[must_use]
    pub fn new(layout: Layout, scheme: S, me: NodeId, durable: Option<Durable>) -> Self {
        // TODO: a filter is not on the disk. What of an instance must be there, so that its clicks are not taken for old ones?
        drop((scheme, durable)); // only so that it compiles
        todo!("{me} of {layout:?}")
    }

    /// What the counter has counted; nothing from any other node.
    #[must_use]
    pub fn tally(&self) -> Option<&Tally> {
        todo!("what {:?} has counted", self.layout)
    }
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
        todo!("{input:?} came at {now}, after {:?}", self.scheme.candidate("https://example.com/", 0))
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
    todo!("judge {requests:?} by {objective:?}")
}
