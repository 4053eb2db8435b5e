//! A whole cluster on virtual time, in one thread: the same seed gives the same run, event by event.

mod clock;
mod faults;

pub use faults::{Fault, Network};

use crate::node::{CallId, Input, Millis, Node, NodeId, Output, Time};
use crate::seed::{Rng, Seed, test_name};
use crate::trace::{Event, Trace, What, named, show_until};
use clock::Clock;
use rand::RngExt as _;
use rand::distr::Bernoulli;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

/// A simulated cluster of nodes of one protocol, its network, clocks and disks.
///
/// Build it, [`join`](Sim::join) nodes, then alternate between doing something ([`call`](Sim::call),
/// [`inject`](Sim::inject)) and letting time pass ([`run_for`](Sim::run_for), [`run_until`](Sim::run_until)).
/// It prints itself as a sequence diagram, and leaves a picture behind when the test fails.
pub struct Sim<N: Node> {
    now: Time,
    seed: Seed,
    links: HashMap<(NodeId, NodeId), Rng>,
    make: Box<dyn Fn(NodeId, Option<N::Durable>) -> N>,
    nodes: Vec<Option<N>>,
    hosts: Vec<Host<N>>,
    /// By when it happens, then by when it came due (earlier, if its node stood still), then by the order of asking.
    queue: BTreeMap<(Time, Time, u64), Pending<N>>,
    sequence: u64,
    network: Network,
    cuts: HashSet<(NodeId, NodeId)>,
    last_arrival: HashMap<(NodeId, NodeId), Time>,
    calls: Vec<Call<N>>,
    laws: Vec<Law<N>>,
    /// Asks the laws after every step. Where none was ever demanded, nothing: a figure of the book then holds no code for it.
    judge: fn(&mut Self),
    trace: Trace,
    shown: Cell<bool>,
    keeps_going: bool,
    broken: Option<(String, String)>,
}

/// One call of a client and what came of it.
#[derive(Clone, Debug)]
pub struct Call<N: Node> {
    /// Its name in the trace.
    pub id: CallId,
    /// Whom it asked.
    pub node: NodeId,
    /// What it asked.
    pub request: N::Request,
    /// When it was made.
    pub called: Moment,
    /// When it was answered, and how; `None` while it is not.
    pub replied: Option<(Moment, N::Reply)>,
}

/// A point in a run: a time, and a place in the order of everything that happened (several things share a time).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// The place in the order; two moments of a run never share one.
    pub order: u64,
    /// The time on the clock of the run.
    pub at: Time,
}

/// The nodes of a cluster at one moment, as a law sees them.
pub struct Cluster<'a, N> {
    nodes: &'a [Option<N>],
}

impl<'a, N> Cluster<'a, N> {
    /// A view of `nodes`, in the order of their numbers; a crashed one is `None`.
    #[must_use]
    pub const fn new(nodes: &'a [Option<N>]) -> Self {
        Self { nodes }
    }

    /// The nodes that are up (paused ones are), with their numbers.
    pub fn up(&self) -> impl Iterator<Item = (NodeId, &'a N)> + Clone + use<'a, N> {
        self.nodes.iter().enumerate().filter_map(|(i, node)| Some((NodeId(i), node.as_ref()?)))
    }

    /// How many nodes there are, up or down.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.nodes.len()
    }
}

/// Places in the order below this one are kept for resumptions, which come before whatever waited for them.
const FIRST_IN_ORDER: u64 = 1_000_000;

type Check<N> = Box<dyn FnMut(&Cluster<'_, N>) -> Result<(), String>>;

struct Law<N> {
    name: &'static str,
    check: Check<N>,
}

/// What a node's machine keeps for it.
struct Host<N: Node> {
    name: String,
    disk: Option<N::Durable>,
    /// What was on disk before the last write.
    disk_before: Option<N::Durable>,
    timers: HashMap<N::Timer, u64>,
    paused_until: Option<Time>,
    clock: Clock,
    status: String,
}

/// What lies ahead.
enum Pending<N: Node> {
    Start(NodeId),
    Message { id: u64, from: NodeId, to: NodeId, message: N::Message, sent: Time },
    Timer { node: NodeId, timer: N::Timer, set: u64 },
    Call { node: NodeId, call: CallId },
    Resume(NodeId),
    Fault(Fault),
}

impl<N: Node> Sim<N> {
    /// An empty cluster whose nodes are made by `make`: given a number and what its disk held, if it ran before.
    pub fn new(seed: Seed, make: impl Fn(NodeId, Option<N::Durable>) -> N + 'static) -> Self {
        let mut trace = Trace::new(test_name(), [""; 0]);
        trace.seed = Some(seed);
        show_until(None); // what an earlier run was about is forgotten
        Self {
            now: Time::START,
            seed,
            links: HashMap::new(),
            make: Box::new(make),
            nodes: vec![],
            hosts: vec![],
            queue: BTreeMap::new(),
            sequence: FIRST_IN_ORDER,
            network: Network::default(),
            cuts: HashSet::new(),
            last_arrival: HashMap::new(),
            calls: vec![],
            laws: vec![],
            judge: |_| (),
            trace,
            shown: Cell::new(false),
            keeps_going: false,
            broken: None,
        }
    }

    /// The same cluster over another network.
    #[must_use]
    pub fn over(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Changes the network from now on; messages under way keep their delay.
    pub fn set_network(&mut self, network: Network) {
        self.network = network;
    }

    /// Adds a node and starts it; `name` stands above its lifeline.
    pub fn join(&mut self, name: impl Into<String>) -> NodeId {
        let node = NodeId(self.nodes.len());
        let name = name.into();
        self.trace.lanes.push(name.clone());
        self.hosts.push(Host {
            name,
            disk: None,
            disk_before: None,
            timers: HashMap::new(),
            paused_until: None,
            clock: Clock::default(),
            status: String::new(),
        });
        self.nodes.push(Some((self.make)(node, None)));
        self.schedule(self.now, Pending::Start(node));
        node
    }

    /// Adds one node for each name.
    pub fn join_all<const K: usize>(&mut self, names: [&str; K]) -> [NodeId; K] {
        names.map(|name| self.join(name))
    }

    /// Demands that `check` holds after every step from now on.
    ///
    /// When it does not, the run stops with a panic that names the law, says why, and shows the run.
    pub fn always(&mut self, law: &'static str, check: impl FnMut(&Cluster<'_, N>) -> Result<(), String> + 'static) {
        self.laws.push(Law { name: law, check: Box::new(check) });
        self.judge = Self::check_laws;
    }

    /// The time on the clock of the run.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The node, unless it is down.
    #[must_use]
    pub fn node(&self, node: NodeId) -> Option<&N> {
        self.nodes[node.0].as_ref()
    }

    /// All nodes, as a law sees them.
    #[must_use]
    pub fn cluster(&self) -> Cluster<'_, N> {
        Cluster::new(&self.nodes)
    }

    /// What the node would find on its disk if it restarted now.
    #[must_use]
    pub fn disk(&self, node: NodeId) -> Option<&N::Durable> {
        self.hosts[node.0].disk.as_ref()
    }

    /// Every call so far, in order; what a history is made from.
    #[must_use]
    pub fn calls(&self) -> &[Call<N>] {
        &self.calls
    }

    /// How a call was answered, if it was.
    #[must_use]
    pub fn reply(&self, call: CallId) -> Option<&N::Reply> {
        self.calls[call.0 as usize].replied.as_ref().map(|(_, reply)| reply)
    }

    /// The run so far.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Writes the test's own words into the run.
    pub fn note(&mut self, words: impl Into<String>) {
        self.trace.push(self.now, What::Note { lane: None, label: words.into() });
    }

    /// Asks `node` something now; the answer comes, if it comes, while time passes.
    pub fn call(&mut self, node: NodeId, request: N::Request) -> CallId {
        let id = CallId(self.calls.len() as u64);
        let called = self.moment();
        self.calls.push(Call { id, node, request, called, replied: None });
        self.schedule(self.now, Pending::Call { node, call: id });
        id
    }

    /// Asks `node` something and lets time pass until the answer, but at most `wait`.
    pub fn ask(&mut self, node: NodeId, request: N::Request, wait: Millis) -> Option<N::Reply> {
        let call = self.call(node, request);
        self.run_until(wait, |sim| sim.reply(call).is_some());
        self.reply(call).cloned()
    }

    /// Lets `span` pass.
    pub fn run_for(&mut self, span: Millis) {
        self.run_until(span, |_| false);
    }

    /// Lets time pass until `reached`, but at most `limit`; says whether it was reached.
    pub fn run_until(&mut self, limit: Millis, mut reached: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if self.broken.is_some() {
                return false;
            }
            if reached(self) {
                return true;
            }
            match self.queue.first_key_value() {
                Some((&(at, ..), _)) if at <= end => _ = self.step(),
                _ => {
                    self.now = end;
                    return false;
                }
            }
        }
    }

    /// Lets the next thing happen; says whether there was one.
    ///
    /// # Panics
    /// If a law is broken by it.
    pub fn step(&mut self) -> bool {
        let Some(((at, due, order), pending)) = self.queue.pop_first() else { return false };
        self.now = self.now.max(at);
        if let Some(node) = pending.node()
            && let Some(until) = self.hosts[node.0].paused_until
        {
            // A node that stands still sees what arrived in the meantime when it goes on, in the order of arrival.
            self.queue.insert((until, due, order), pending);
            return true;
        }
        self.happen(pending);
        (self.judge)(self);
        true
    }

    /// Injects a fault now.
    pub fn inject(&mut self, fault: Fault) {
        faults::inject(self, fault);
        (self.judge)(self);
    }

    /// Ends every cut and crash: the network heals and every node is up. Clocks stay as they are.
    pub fn mend(&mut self) {
        self.inject(Fault::Heal);
        for node in (0..self.nodes.len()).map(NodeId) {
            self.inject(Fault::Restart(node));
        }
    }

    /// Injects a fault when `after` has passed.
    pub fn inject_after(&mut self, after: Millis, fault: Fault) {
        self.schedule(self.now + after, Pending::Fault(fault));
    }

    fn happen(&mut self, pending: Pending<N>) {
        match pending {
            Pending::Start(node) => self.deliver(node, Input::Start, None),
            Pending::Message { id, from, to, message, sent } => {
                let label = N::label(&message);
                if let Some(why) = self.unreachable(from, to) {
                    let what = What::Lost { id, from: from.0, to: to.0, label, why };
                    self.trace.push(self.now, what);
                } else {
                    let what = What::Delivered { id, from: from.0, to: to.0, label, sent };
                    self.deliver(to, Input::Message { from, message }, Some(what));
                }
            }
            Pending::Timer { node, timer, set } => {
                if self.hosts[node.0].timers.get(&timer) == Some(&set) {
                    self.hosts[node.0].timers.remove(&timer);
                    let what = What::TimerFired { lane: node.0, label: format!("{timer:?}") };
                    self.deliver(node, Input::Timer(timer), Some(what));
                }
            }
            Pending::Call { node, call } => {
                let request = self.calls[call.0 as usize].request.clone();
                let label = format!("{request:?}");
                if self.nodes[node.0].is_none() {
                    let label = format!("call {call} {label} finds nobody");
                    self.trace.push(self.now, What::Note { lane: Some(node.0), label });
                } else {
                    let what = What::Called { lane: node.0, call, label };
                    self.deliver(node, Input::Request { call, request }, Some(what));
                }
            }
            Pending::Resume(node) => {
                // A longer pause that began in this one goes on.
                if self.hosts[node.0].paused_until.is_some_and(|until| until <= self.now) {
                    self.hosts[node.0].paused_until = None;
                    self.trace.push(self.now, What::Resumed { lane: node.0 });
                }
            }
            Pending::Fault(fault) => faults::inject(self, fault),
        }
    }

    /// Hands an input to a node and does what it asks for. A node that is down hears nothing.
    fn deliver(&mut self, node: NodeId, input: Input<N>, what: Option<What>) {
        let local = self.hosts[node.0].clock.read(self.now);
        let Some(state) = self.nodes[node.0].as_mut() else { return };
        let outputs = state.step(input, local);
        let status = state.status();
        let changed = (status != self.hosts[node.0].status).then(|| status.clone());
        self.hosts[node.0].status = status;
        let what = match (what, &changed) {
            (None, Some(_)) => Some(What::Note { lane: Some(node.0), label: "starts".into() }),
            (what, _) => what,
        };
        if let Some(what) = what {
            self.trace.events.push(Event { at: self.now, what, status: changed });
        }
        for output in outputs {
            self.perform(node, output);
        }
    }

    fn perform(&mut self, node: NodeId, output: Output<N>) {
        match output {
            Output::Send { to, message } => self.send(node, to, &message),
            Output::Reply { call, reply } => {
                let moment = self.moment();
                let what = What::Replied { lane: node.0, call, label: format!("{reply:?}") };
                self.trace.push(self.now, what);
                // A client that was answered has gone: of two answers it sees the first.
                self.calls[call.0 as usize].replied.get_or_insert((moment, reply));
            }
            Output::SetTimer { timer, after } => {
                let host = &mut self.hosts[node.0];
                let due = self.now + host.clock.span(after);
                let set = self.sequence;
                host.timers.insert(timer.clone(), set);
                self.schedule(due, Pending::Timer { node, timer, set });
            }
            Output::CancelTimer(timer) => _ = self.hosts[node.0].timers.remove(&timer),
            Output::Persist(durable) => {
                let host = &mut self.hosts[node.0];
                host.disk_before = host.disk.replace(durable);
            }
        }
    }

    fn send(&mut self, from: NodeId, to: NodeId, message: &N::Message) {
        // Each link draws from its own sequence: what happens on one does not change another's luck, so a run from
        // which something is left out stays much the same.
        let (seed, place) = (self.seed, (from.0 * 1_000 + to.0) as u64);
        let mut rng = self.links.remove(&(from, to)).unwrap_or_else(|| seed.part(place).rng());
        // Not `random_bool`: its panic prints a float, and the code for that is a tenth of a small figure's module.
        let sure = |chance| Bernoulli::new(chance).expect("a chance lies between 0 and 1");
        let happens = |rng: &mut Rng, chance: f64| chance > 0.0 && rng.sample(sure(chance));
        let copies = 1 + u32::from(happens(&mut rng, self.network.duplicated));
        for _ in 0..copies {
            let id = self.sequence;
            self.sequence += 1;
            let label = N::label(message);
            self.trace.push(self.now, What::Sent { id, from: from.0, to: to.0, label: label.clone() });
            let lost = happens(&mut rng, self.network.lost);
            let delay = rng.random_range(self.network.delay.0.0..=self.network.delay.1.0);
            let cut = self.cuts.contains(&(from, to)).then_some("cut");
            if let Some(why) = cut.or(lost.then_some("lost")) {
                self.trace.push(self.now, What::Lost { id, from: from.0, to: to.0, label, why });
                continue;
            }
            let mut due = self.now + Millis(delay);
            if self.network.in_order {
                let last = self.last_arrival.entry((from, to)).or_default();
                due = due.max(*last);
                *last = due;
            }
            let sent = self.now;
            self.schedule(due, Pending::Message { id, from, to, message: message.clone(), sent });
        }
        self.links.insert((from, to), rng);
    }

    fn unreachable(&self, from: NodeId, to: NodeId) -> Option<&'static str> {
        if self.cuts.contains(&(from, to)) {
            Some("cut")
        } else if self.nodes[to.0].is_none() {
            Some("down")
        } else {
            None
        }
    }

    fn schedule(&mut self, at: Time, pending: Pending<N>) {
        self.queue.insert((at, at, self.sequence), pending);
        self.sequence += 1;
    }

    fn moment(&mut self) -> Moment {
        self.sequence += 1;
        Moment { order: self.sequence, at: self.now }
    }

    fn check_laws(&mut self) {
        if self.broken.is_some() {
            return;
        }
        let cluster = Cluster::new(&self.nodes);
        let broken =
            self.laws.iter_mut().find_map(|law| (law.check)(&cluster).err().map(|because| (law.name, because)));
        if let Some((law, because)) = broken {
            let because = named(&self.trace.lanes, &because);
            self.show_broken(law, &because);
            assert!(self.keeps_going, "{law}: {because}\n{self}");
        }
    }

    /// From now on a broken law ends the run quietly instead of panicking; for whoever runs it again and again.
    pub(crate) const fn keep_going(&mut self) {
        self.keeps_going = true;
    }

    /// The law that was broken, and why.
    pub(crate) fn broken(&self) -> Option<(&str, &str)> {
        self.broken.as_ref().map(|(law, because)| (law.as_str(), because.as_str()))
    }

    /// Marks in the run that a law is broken, once.
    pub(crate) fn show_broken(&mut self, law: &str, because: &str) {
        if self.broken.is_none() {
            // The evidence below the first line is told in the failure itself; a picture has room for a sentence.
            let sentence = because.lines().next().unwrap_or_default();
            self.trace.push(self.now, What::Broken { law: law.into(), because: sentence.into() });
            self.broken = Some((law.into(), because.into()));
        }
    }
}

impl<N: Node> Pending<N> {
    /// The node that must be awake for this to happen.
    fn node(&self) -> Option<NodeId> {
        match self {
            Self::Start(node) | Self::Timer { node, .. } | Self::Call { node, .. } => Some(*node),
            Self::Message { to, .. } => Some(*to),
            Self::Resume(_) | Self::Fault(_) => None,
        }
    }
}

/// The run as a sequence diagram in text.
impl<N: Node> fmt::Display for Sim<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.set(true);
        self.trace.fmt(f)
    }
}

impl<N: Node> fmt::Debug for Sim<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("now", &self.now).field("events", &self.trace.events.len()).finish_non_exhaustive()
    }
}

/// A failing test leaves the run behind: as text, if it has not shown it, and as a picture.
impl<N: Node> Drop for Sim<N> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if !self.shown.get() {
                eprint!("{}", self.trace);
            }
            if let Some(page) = self.trace.save() {
                eprintln!("picture {}", page.display());
            }
        }
    }
}

#[cfg(test)]
mod tests;
