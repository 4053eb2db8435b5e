//! A cluster of sans-IO nodes as a model: the next message, timer, call or crash is anybody's choice.

use super::{Counterexample, Found, Outcome, Search};
use crate::node::{CallId, Input, Node, NodeId, Output, Time};
use crate::sim::Cluster;
use crate::trace::{Event, Trace, What, named, show_until};
use stateright::Model;
use stateright::util::{HashableHashMap, HashableHashSet};
use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Which states a search goes on from.
type Bound<N> = Arc<dyn Fn(&WorldState<N>) -> bool + Send + Sync>;

/// Nodes of one protocol, what clients will ask of them, and how much may go wrong.
///
/// There is no time in it: any timer that is set may go off at any moment, and every step sees [`Time::START`]. Messages
/// arrive in any order; whether one is lost or late makes no difference to a law, so losing needs no action of its own.
pub struct World<N: Node> {
    names: Vec<String>,
    make: Arc<dyn Fn(NodeId, Option<N::Durable>) -> N + Send + Sync>,
    calls: Vec<(NodeId, N::Request)>,
    crashes: usize,
    lose_last_write: bool,
    doubles: usize,
    fires: usize,
    bound: Bound<N>,
}

/// A world at one moment.
pub struct WorldState<N: Node> {
    nodes: Vec<Option<N>>,
    disks: Vec<Option<N::Durable>>,
    disks_before: Vec<Option<N::Durable>>,
    /// Messages under way: from, to, what, and how many of the same.
    network: HashableHashMap<(NodeId, NodeId, N::Message), usize>,
    timers: HashableHashSet<(NodeId, N::Timer)>,
    /// Calls made and answers given, in order.
    history: Vec<(CallId, Option<N::Reply>)>,
    crashes_left: usize,
    doubles_left: usize,
    fires_left: usize,
}

/// Something that can happen next.
pub enum Action<N: Node> {
    /// A message arrives.
    Deliver {
        /// Who sent it.
        from: NodeId,
        /// Who hears it.
        to: NodeId,
        /// What it says.
        message: N::Message,
    },
    /// A message arrives, and will arrive again.
    Double {
        /// Who sent it.
        from: NodeId,
        /// Who hears it.
        to: NodeId,
        /// What it says.
        message: N::Message,
    },
    /// A timer goes off.
    Fire(NodeId, N::Timer),
    /// A client makes its call.
    Call(CallId),
    /// A node stops and forgets all but its disk.
    Crash(NodeId),
    /// A crashed node starts again from its disk.
    Restart(NodeId),
    /// Everything under way is lost. Never offered: a script's way to go on with an empty network.
    LoseEverything,
}

impl<N: Node> World<N> {
    /// A world of nodes with these names, made as for a [`Sim`](crate::Sim), in which nothing goes wrong yet.
    pub fn new<const K: usize>(
        names: [&str; K],
        make: impl Fn(NodeId, Option<N::Durable>) -> N + Send + Sync + 'static,
    ) -> Self {
        Self {
            names: names.map(str::to_owned).to_vec(),
            make: Arc::new(make),
            calls: vec![],
            crashes: 0,
            lose_last_write: false,
            doubles: 0,
            fires: usize::MAX,
            bound: Arc::new(|_| true),
        }
    }

    /// A client asks `node` this at some time, in any order with the other calls.
    #[must_use]
    pub fn call(mut self, node: NodeId, request: N::Request) -> Self {
        self.calls.push((node, request));
        self
    }

    /// So many crashes may happen in a run, each followed by a restart or not.
    #[must_use]
    pub const fn crashes(mut self, most: usize) -> Self {
        self.crashes = most;
        self
    }

    /// A crash loses the last write too, as a disk does that was not flushed.
    #[must_use]
    pub const fn unflushed(mut self) -> Self {
        self.lose_last_write = true;
        self
    }

    /// So many messages may arrive twice in a run.
    #[must_use]
    pub const fn doubles(mut self, most: usize) -> Self {
        self.doubles = most;
        self
    }

    /// So many timers may go off in a run.
    #[must_use]
    pub const fn fires(mut self, most: usize) -> Self {
        self.fires = most;
        self
    }

    /// Goes no further from states that are not within `bound`, such as those beyond a term.
    #[must_use]
    pub fn within(mut self, bound: impl Fn(&WorldState<N>) -> bool + Send + Sync + 'static) -> Self {
        self.bound = Arc::new(bound);
        self
    }

    /// What the client asks in `call`, and of whom.
    #[must_use]
    pub fn asked(&self, call: CallId) -> &(NodeId, N::Request) {
        &self.calls[call.0 as usize]
    }

    fn deliver(&self, state: &mut WorldState<N>, node: NodeId, input: Input<N>) {
        let Some(machine) = state.nodes[node.0].as_mut() else { return };
        for output in machine.step(input, Time::START) {
            match output {
                Output::Send { to, message } => *state.network.entry((node, to, message)).or_insert(0) += 1,
                Output::Reply { call, reply } => state.history.push((call, Some(reply))),
                Output::SetTimer { timer, .. } => _ = state.timers.insert((node, timer)),
                Output::CancelTimer(timer) => _ = state.timers.remove(&(node, timer)),
                Output::Persist(durable) => {
                    let before = state.disks[node.0].replace(durable);
                    if self.lose_last_write {
                        state.disks_before[node.0] = before;
                    }
                }
            }
        }
    }

    fn act(&self, state: &mut WorldState<N>, action: &Action<N>) {
        match action {
            Action::Deliver { from, to, message } | Action::Double { from, to, message } => {
                let key = (*from, *to, message.clone());
                if matches!(action, Action::Double { .. }) {
                    state.doubles_left -= 1;
                } else if let Some(count) = state.network.get_mut(&key) {
                    *count -= 1;
                    if *count == 0 {
                        state.network.remove(&key);
                    }
                }
                self.deliver(state, *to, Input::Message { from: *from, message: message.clone() });
            }
            Action::Fire(node, timer) => {
                state.timers.remove(&(*node, timer.clone()));
                state.fires_left = state.fires_left.saturating_sub(1);
                self.deliver(state, *node, Input::Timer(timer.clone()));
            }
            Action::Call(call) => {
                let (node, request) = self.asked(*call).clone();
                state.history.push((*call, None));
                self.deliver(state, node, Input::Request { call: *call, request });
            }
            Action::Crash(node) => {
                state.crashes_left -= 1;
                state.nodes[node.0] = None;
                state.timers.retain(|(owner, _)| owner != node);
                if self.lose_last_write {
                    state.disks[node.0] = state.disks_before[node.0].clone();
                }
            }
            Action::Restart(node) => {
                state.nodes[node.0] = Some((self.make)(*node, state.disks[node.0].clone()));
                self.deliver(state, *node, Input::Start);
            }
            Action::LoseEverything => state.network.clear(),
        }
    }
}

impl<N> Model for World<N>
where
    N: Node + Clone + Debug + Eq + Hash,
{
    type State = WorldState<N>;
    type Action = Action<N>;

    fn init_states(&self) -> Vec<WorldState<N>> {
        let count = self.names.len();
        let mut state = WorldState {
            nodes: (0..count).map(|i| Some((self.make)(NodeId(i), None))).collect(),
            disks: vec![None; count],
            disks_before: vec![None; count],
            network: HashableHashMap::new(),
            timers: HashableHashSet::new(),
            history: vec![],
            crashes_left: self.crashes,
            doubles_left: self.doubles,
            fires_left: self.fires,
        };
        for node in 0..count {
            self.deliver(&mut state, NodeId(node), Input::Start);
        }
        vec![state]
    }

    fn actions(&self, state: &WorldState<N>, actions: &mut Vec<Action<N>>) {
        for (from, to, message) in state.network.keys() {
            if state.nodes[to.0].is_some() {
                actions.push(Action::Deliver { from: *from, to: *to, message: message.clone() });
                if state.doubles_left > 0 {
                    actions.push(Action::Double { from: *from, to: *to, message: message.clone() });
                }
            }
        }
        for (call, (node, _)) in self.calls.iter().enumerate() {
            let call = CallId(call as u64);
            if state.nodes[node.0].is_some() && !state.history.iter().any(|(made, _)| *made == call) {
                actions.push(Action::Call(call));
            }
        }
        if state.fires_left > 0 {
            actions.extend(state.timers.iter().map(|(node, timer)| Action::Fire(*node, timer.clone())));
        }
        for (node, machine) in state.nodes.iter().enumerate() {
            match machine {
                None => actions.push(Action::Restart(NodeId(node))),
                Some(_) if state.crashes_left > 0 => actions.push(Action::Crash(NodeId(node))),
                Some(_) => {}
            }
        }
    }

    fn next_state(&self, state: &WorldState<N>, action: Action<N>) -> Option<WorldState<N>> {
        let mut next = state.clone();
        self.act(&mut next, &action);
        // An action that changes nothing leads nowhere new.
        (next != *state).then_some(next)
    }

    fn within_boundary(&self, state: &WorldState<N>) -> bool {
        (self.bound)(state)
    }
}

impl<N: Node> WorldState<N> {
    /// The nodes, as a law sees them.
    #[must_use]
    pub fn cluster(&self) -> Cluster<'_, N> {
        Cluster::new(&self.nodes)
    }

    /// What the node would find on its disk if it restarted now.
    #[must_use]
    pub fn disk(&self, node: NodeId) -> Option<&N::Durable> {
        self.disks[node.0].as_ref()
    }

    /// Calls made (`None`) and answers given, in the order in which they were.
    #[must_use]
    pub fn history(&self) -> &[(CallId, Option<N::Reply>)] {
        &self.history
    }

    /// The messages under way: from, to, what.
    pub fn messages(&self) -> impl Iterator<Item = &(NodeId, NodeId, N::Message)> {
        self.network.keys()
    }
}

impl<N> Search<World<N>>
where
    N: Node + Clone + Debug + Eq + Hash + Send + Sync + 'static,
    N::Message: Send + Sync,
    N::Timer: Send + Sync,
    N::Request: Send + Sync,
    N::Reply: Send + Sync,
    N::Durable: Send + Sync,
{
    /// Searches, and demands that nothing is found. Returns the number of states seen, for a bench to print.
    ///
    /// # Panics
    /// With the law, the reason and the run if a law is broken, with the conditions that were never met, or with the
    /// budget if that was not enough to tell.
    pub fn assert(&self) -> usize {
        let outcome = self.run();
        let states = outcome.states;
        self.demand_nothing(outcome);
        states
    }

    /// Panics unless `outcome` found nothing, as [`assert`](Self::assert) does.
    ///
    /// # Panics
    /// See there.
    pub fn demand_nothing(&self, outcome: Outcome<Action<N>>) {
        match outcome.found {
            Found::Nothing => {}
            Found::Broken(example) => {
                let trace = self.model().trace(&example);
                let because = named(&trace.lanes, &example.because);
                show_until(None); // it ends with the step that broke the law
                let steps = example.actions.len();
                let shrunk = if example.steps_before > steps {
                    format!(", shrunk from {}", example.steps_before)
                } else {
                    String::new()
                };
                let scripted = match example.scripted {
                    0 => String::new(),
                    scripted => format!(", the first {scripted} scripted"),
                };
                if let Some(page) = trace.save() {
                    eprintln!("picture {}", page.display());
                }
                panic!("{}: {because}\nin {steps} steps{shrunk}{scripted}:\n{trace}", example.law);
            }
            Found::NeverMet(names) => panic!(
                "no run ever got to where {}, in {} states: the search proves nothing about it",
                names.join(", nor to where "),
                outcome.states
            ),
            Found::Inconclusive(budget) => panic!(
                "inconclusive: {budget} states were not enough to search everything; narrow the bounds or raise the budget"
            ),
        }
    }
}

impl<N> World<N>
where
    N: Node + Clone + Debug + Eq + Hash,
{
    /// The run of a counterexample, step by step, with the broken law at its end. Its clock counts steps.
    #[must_use]
    pub fn trace(&self, example: &Counterexample<Action<N>>) -> Trace {
        let mut trace = Trace::new(crate::seed::test_name(), self.names.clone());
        let mut state = self.init_states().remove(0);
        let mut statuses: Vec<String> = vec![String::new(); self.names.len()];
        for (step, action) in example.actions.iter().enumerate() {
            let at = Time(step as u64 + 1);
            let replies = state.history.len();
            self.act(&mut state, action);
            let what = self.describe(action, step as u64, at);
            let lane = what.lanes().last().copied();
            let status = lane.and_then(|lane| Some((lane, state.nodes[lane].as_ref()?.status())));
            let changed = status.filter(|(lane, status)| statuses[*lane] != *status);
            if let Some((lane, status)) = &changed {
                statuses[*lane].clone_from(status);
            }
            trace.events.push(Event { at, what, status: changed.map(|(_, status)| status) });
            for (call, reply) in &state.history[replies..] {
                if let (Some(reply), Some(lane)) = (reply, lane) {
                    trace.push(at, What::Replied { lane, call: *call, label: format!("{reply:?}") });
                }
            }
        }
        let end = trace.events.last().map_or(Time::START, |event| event.at);
        let sentence = named(&trace.lanes, example.because.lines().next().unwrap_or_default());
        trace.push(end, What::Broken { law: example.law.into(), because: sentence });
        trace
    }

    fn describe(&self, action: &Action<N>, id: u64, at: Time) -> What {
        match action {
            Action::Deliver { from, to, message } => {
                What::Delivered { id, from: from.0, to: to.0, label: N::label(message), sent: at }
            }
            Action::Double { from, to, message } => {
                let label = format!("{} (of two)", N::label(message));
                What::Delivered { id, from: from.0, to: to.0, label, sent: at }
            }
            Action::Fire(node, timer) => What::TimerFired { lane: node.0, label: format!("{timer:?}") },
            Action::Call(call) => {
                let (node, request) = self.asked(*call);
                What::Called { lane: node.0, call: *call, label: format!("{request:?}") }
            }
            Action::Crash(node) => What::Crashed { lane: node.0, lost_last_write: self.lose_last_write },
            Action::Restart(node) => What::Restarted { lane: node.0 },
            Action::LoseEverything => What::Network { label: "everything under way is lost".into() },
        }
    }
}

impl<N: Node> Clone for World<N> {
    fn clone(&self) -> Self {
        Self {
            names: self.names.clone(),
            make: Arc::clone(&self.make),
            calls: self.calls.clone(),
            crashes: self.crashes,
            lose_last_write: self.lose_last_write,
            doubles: self.doubles,
            fires: self.fires,
            bound: Arc::clone(&self.bound),
        }
    }
}

impl<N: Node + Clone> Clone for WorldState<N> {
    fn clone(&self) -> Self {
        Self {
            nodes: self.nodes.clone(),
            disks: self.disks.clone(),
            disks_before: self.disks_before.clone(),
            network: self.network.clone(),
            timers: self.timers.clone(),
            history: self.history.clone(),
            crashes_left: self.crashes_left,
            doubles_left: self.doubles_left,
            fires_left: self.fires_left,
        }
    }
}

impl<N: Node + Hash> Hash for WorldState<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nodes.hash(state);
        self.disks.hash(state);
        self.disks_before.hash(state);
        self.network.hash(state);
        self.timers.hash(state);
        self.history.hash(state);
        (self.crashes_left, self.doubles_left, self.fires_left).hash(state);
    }
}

impl<N: Node + PartialEq> PartialEq for WorldState<N> {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes
            && self.disks == other.disks
            && self.disks_before == other.disks_before
            && self.network == other.network
            && self.timers == other.timers
            && self.history == other.history
            && (self.crashes_left, self.doubles_left, self.fires_left)
                == (other.crashes_left, other.doubles_left, other.fires_left)
    }
}

impl<N: Node + Debug> Debug for WorldState<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorldState")
            .field("nodes", &self.nodes)
            .field("network", &self.network)
            .field("timers", &self.timers)
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}

impl<N: Node> Clone for Action<N> {
    fn clone(&self) -> Self {
        match self {
            Self::Deliver { from, to, message } => Self::Deliver { from: *from, to: *to, message: message.clone() },
            Self::Double { from, to, message } => Self::Double { from: *from, to: *to, message: message.clone() },
            Self::Fire(node, timer) => Self::Fire(*node, timer.clone()),
            Self::Call(call) => Self::Call(*call),
            Self::Crash(node) => Self::Crash(*node),
            Self::Restart(node) => Self::Restart(*node),
            Self::LoseEverything => Self::LoseEverything,
        }
    }
}

impl<N: Node> PartialEq for Action<N> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Deliver { from: a, to: b, message: m }, Self::Deliver { from: c, to: d, message: n })
            | (Self::Double { from: a, to: b, message: m }, Self::Double { from: c, to: d, message: n }) => {
                a == c && b == d && m == n
            }
            (Self::Fire(a, s), Self::Fire(b, t)) => a == b && s == t,
            (Self::Call(a), Self::Call(b)) => a == b,
            (Self::Crash(a), Self::Crash(b)) | (Self::Restart(a), Self::Restart(b)) => a == b,
            (Self::LoseEverything, Self::LoseEverything) => true,
            _ => false,
        }
    }
}

impl<N: Node> Debug for Action<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver { from, to, message } => write!(f, "{from} ──{}──▶ {to}", N::label(message)),
            Self::Double { from, to, message } => write!(f, "{from} ──{}──▶ {to} (of two)", N::label(message)),
            Self::Fire(node, timer) => write!(f, "{node} timer {timer:?}"),
            Self::Call(call) => write!(f, "call {call}"),
            Self::Crash(node) => write!(f, "{node} crashes"),
            Self::Restart(node) => write!(f, "{node} restarts"),
            Self::LoseEverything => write!(f, "everything is lost"),
        }
    }
}
