//! Stage 1: the store. Stage 2: one store on many servers. Stage 3: snapshots. Stage 4: every order of events.

use kit::chaos::{Chaos, Do};
use kit::explore::{Action, Search, Stage, World, WorldState};
use kit::history::{History, Spec};
use kit::rand::RngExt as _;
use kit::{
    CallId, Cluster, Fault, Input, Millis, Network, Node, NodeId, Output, Seed, Sim, Sometimes, Time, for_seeds,
};
use raft_kv::{
    Append, Ballot, Change, Client, Command, Entry, Key, Log, Message, Place, Reply, Request, Saved, Server, Snapshot,
    Store, Term, Timeouts, Timer,
};
use std::collections::BTreeMap;

/// Many election timeouts.
const A_WHILE: Millis = Millis(5_000);

/// Enough for a write: a round trip, and the heartbeat by which followers learn of it.
const A_MOMENT: Millis = Millis(150);

fn write(client: u32, serial: u64, change: Change) -> Command {
    Command { client: Client(client), serial, change }
}

fn put(client: u32, serial: u64, key: Key, value: u64) -> Request {
    Request::Write(write(client, serial, Change::Put(key, value)))
}

fn add(client: u32, serial: u64, key: Key, value: u64) -> Request {
    Request::Write(write(client, serial, Change::Add(key, value)))
}

fn server(seed: Seed, id: NodeId, servers: usize, most_entries: usize, saved: Option<Saved>) -> Server {
    let timeouts = Timeouts::between(Millis(150), Millis(300), seed.part(id.0 as u64).rng());
    Server::new(id, servers, most_entries, saved.unwrap_or_default(), timeouts)
}

// ---------------------------------------------------------------------------------------------------------------------
// The laws
// ---------------------------------------------------------------------------------------------------------------------

/// State-machine safety: whoever has applied as many entries, at any time, holds the same store.
fn one_store_at_every_index() -> impl FnMut(&Cluster<'_, Server>) -> Result<(), String> {
    let mut stores: BTreeMap<u64, Store> = BTreeMap::new();
    move |cluster| {
        for (id, node) in cluster.up() {
            let (applied, store) = node.store();
            let first = stores.entry(applied).or_insert_with(|| store.clone());
            if first != store {
                return Err(format!("after {applied} entries {id} holds {store:?}, and before there was {first:?}"));
            }
        }
        Ok(())
    }
}

/// While a server is up, what it has applied and its term never go back.
fn nothing_goes_back() -> impl FnMut(&Cluster<'_, Server>) -> Result<(), String> {
    let mut before: BTreeMap<NodeId, (u64, Term)> = BTreeMap::new();
    move |cluster| {
        let now: BTreeMap<_, _> =
            cluster.up().map(|(id, node)| (id, (node.store().0, node.raft().election().term()))).collect();
        for (id, (applied, term)) in &now {
            let (then, earlier) = before.get(id).copied().unwrap_or_default();
            if *applied < then || *term < earlier {
                return Err(format!(
                    "{id} went back from {then} applied in term {earlier} to {applied} in term {term}"
                ));
            }
        }
        before = now;
        Ok(())
    }
}

/// The log is cut: of what is applied it holds no more than `most`.
fn log_is_short(most: usize) -> impl FnMut(&Cluster<'_, Server>) -> Result<(), String> {
    move |cluster| {
        for (id, node) in cluster.up() {
            let (applied, base) = (node.store().0, node.raft().log().base.index);
            match applied.checked_sub(base) {
                None => {
                    return Err(format!(
                        "{id} has applied {applied} entries and its log begins behind {base}: what it kept does not fit \
                         together, and the entries between are nowhere"
                    ));
                }
                Some(held) if held > most as u64 => {
                    return Err(format!("{id} keeps {held} applied entries in its log and should keep {most} at most"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn cluster<const N: usize>(seed: Seed, names: [&'static str; N], most: usize) -> (Sim<Server>, [NodeId; N]) {
    let mut sim = Sim::new(seed, move |id, saved| server(seed, id, N, most, saved));
    sim.always("one store at every index", one_store_at_every_index());
    sim.always("nothing goes back", nothing_goes_back());
    sim.always("the log is cut", log_is_short(most));
    let nodes = sim.join_all(names);
    (sim, nodes)
}

fn leader(sim: &Sim<Server>) -> Option<NodeId> {
    let leading = sim.cluster().up().filter(|(_, node)| node.raft().election().leads());
    leading.max_by_key(|(_, node)| node.raft().election().term()).map(|(id, _)| id)
}

/// Lets time pass until every server that is up follows one leader that has committed its first entry.
fn elected(sim: &mut Sim<Server>) -> NodeId {
    let settled = |sim: &Sim<Server>| {
        let Some(leader) = leader(sim).and_then(|id| sim.node(id)) else { return false };
        let term = leader.raft().election().term();
        leader.store().0 >= leader.raft().began()
            && sim.cluster().up().all(|(_, node)| node.raft().election().term() == term)
    };
    assert!(
        sim.run_until(A_WHILE, settled),
        "nobody leads all and has applied its first entry within {A_WHILE}\n{sim}"
    );
    leader(sim).expect("it has just been elected")
}

/// Asks whoever leads, again and again, with the same serial, until there is a value.
fn ask(sim: &mut Sim<Server>, request: Request) -> u64 {
    for _ in 0..30 {
        let Some(leader) = leader(sim) else {
            sim.run_for(Millis(100));
            continue;
        };
        if let Some(Reply::Value(value)) = sim.ask(leader, request, Millis(300)) {
            return value;
        }
    }
    panic!("{request:?} was not answered in 30 attempts although a majority is up\n{sim}");
}

fn others(nodes: &[NodeId], one: NodeId) -> Vec<NodeId> {
    nodes.iter().copied().filter(|node| *node != one).collect()
}

fn crash(node: NodeId) -> Fault {
    Fault::Crash { node, lose_last_write: false }
}

// ---------------------------------------------------------------------------------------------------------------------
// Clients that do not give up
// ---------------------------------------------------------------------------------------------------------------------

/// One machine with counters: what the clients should see.
#[derive(Debug)]
struct OneMachine;

#[derive(Clone, Copy, Debug)]
enum Op {
    Change(Change),
    Read(Key),
}

impl Spec for OneMachine {
    type Op = Op;
    type Ret = u64;
    type State = u64;
    type Key = Key;

    fn init() -> u64 {
        0
    }

    fn key(op: &Op) -> Key {
        match op {
            Op::Change(Change::Put(key, _) | Change::Add(key, _)) | Op::Read(key) => *key,
        }
    }

    fn apply(state: &u64, op: &Op, ret: Option<&u64>) -> Option<u64> {
        let next = match op {
            Op::Change(Change::Put(_, value)) => *value,
            Op::Change(Change::Add(_, more)) => state + more,
            Op::Read(_) => *state,
        };
        ret.is_none_or(|told| *told == next).then_some(next)
    }
}

/// A client with one operation at a time, which it asks for again, elsewhere, when it is refused or hears nothing.
struct Asking {
    name: u32,
    serial: u64,
    op: Op,
    calls: Vec<CallId>,
    asked: Time,
}

/// Lets `clients` ask for `span`, and adds what they saw to `history`. Returns how many operations were answered.
fn serve(
    sim: &mut Sim<Server>,
    nodes: &[NodeId],
    seed: Seed,
    first: u32,
    span: Millis,
    history: &mut History<OneMachine>,
) -> usize {
    let mut rng = seed.part(u64::from(first) + 7).rng();
    let mut clients: Vec<Option<Asking>> = (0..4).map(|_| None).collect();
    let mut serials = [0; 4];
    let (end, mut answered, mut unique) = (sim.now() + span, 0, u64::from(first) * 1_000_000);
    while sim.now() < end {
        for (i, slot) in clients.iter_mut().enumerate() {
            if let Some(asking) = slot {
                let replied = |call: &CallId| match &sim.calls()[call.0 as usize].replied {
                    Some((moment, Reply::Value(value))) => Some((*moment, *value)),
                    _ => None,
                };
                if let Some(reply) = asking.calls.iter().find_map(replied) {
                    let called = sim.calls()[asking.calls[0].0 as usize].called;
                    history.add(format!("client {}", asking.name), asking.op, called, Some(reply));
                    answered += 1;
                    *slot = None;
                }
            }
            let again = match slot {
                None => {
                    unique += 1;
                    serials[i] += 1;
                    let key = ['x', 'y'][rng.random_range(0..2)];
                    let op = match rng.random_range(0..4) {
                        0 => Op::Change(Change::Put(key, unique)),
                        1 => Op::Change(Change::Add(key, 1)),
                        _ => Op::Read(key),
                    };
                    *slot = Some(Asking {
                        name: first + i as u32,
                        serial: serials[i],
                        op,
                        calls: vec![],
                        asked: sim.now(),
                    });
                    true
                }
                Some(asking) => {
                    let last = asking.calls.last().and_then(|call| sim.reply(*call));
                    matches!(last, Some(Reply::NotLeader)) || sim.now().since(asking.asked) > Millis(150)
                }
            };
            if let Some(asking) = slot
                && again
            {
                let request = match asking.op {
                    Op::Change(change) => Request::Write(write(asking.name, asking.serial, change)),
                    Op::Read(key) => Request::Read(key),
                };
                asking.asked = sim.now();
                asking.calls.push(sim.call(nodes[rng.random_range(0..nodes.len())], request));
            }
        }
        sim.run_for(Millis(10));
    }
    for asking in clients.into_iter().flatten().filter(|asking| matches!(asking.op, Op::Change(_))) {
        let called = sim.calls()[asking.calls[0].0 as usize].called;
        history.add(format!("client {}", asking.name), asking.op, called, None);
    }
    answered
}

/// Six seconds of clients and faults, then two of quiet in which the store must serve; then the clients' words are judged.
fn ordeal<const N: usize>(
    seed: Seed,
    names: [&'static str; N],
    most_entries: usize,
    chaos: Chaos,
    network: Network,
) -> Sim<Server> {
    let (mut sim, nodes) = cluster(seed, names, most_entries);
    sim.set_network(network);
    for step in chaos.plan(seed, |_, _| Request::Read('x')) {
        if let Do::Fault(fault) = step.what {
            sim.inject_after(step.at.since(Time::START), fault);
        }
    }
    let mut history = History::default();
    serve(&mut sim, &nodes, seed, 1, chaos.length, &mut history);
    sim.run_for(Millis(1_500)); // until the last fault that was planned is over
    sim.mend();
    sim.set_network(Network::reliable());
    sim.run_for(Millis(1_000));
    let answered = serve(&mut sim, &nodes, seed, 11, Millis(1_000), &mut history);
    assert!(
        answered >= 20,
        "one second after all faults ended, four clients got {answered} answers in a second\n{sim}"
    );
    history.assert_linearizable(&sim);
    sim
}

// ---------------------------------------------------------------------------------------------------------------------
// One server of three, step by step
// ---------------------------------------------------------------------------------------------------------------------

const B: NodeId = NodeId(1);
const C: NodeId = NodeId(2);

fn alone(most: usize, saved: Option<Saved>) -> Server {
    server(Seed(1), NodeId(0), 3, most, saved)
}

fn hear(server: &mut Server, from: NodeId, message: Message) -> Vec<Output<Server>> {
    server.step(Input::Message { from, message }, Time(1))
}

fn request(server: &mut Server, call: u64, request: Request) -> Vec<Output<Server>> {
    server.step(Input::Request { call: CallId(call), request }, Time(1))
}

fn place(term: u64, index: u64) -> Place {
    Place { term: Term(term), index }
}

/// From the leader of `term`: so many entries of that term without a command, behind `after`.
fn entries(term: u64, after: Place, count: usize, commit: u64) -> Message {
    let entries = vec![Entry { term: Term(term), command: None }; count];
    Message::Append(Append { term: Term(term), after, entries, commit, round: 0 })
}

/// A follower's word: its log agrees up to `index`, and in `round` it followed.
fn have(term: u64, index: u64, round: u64) -> Message {
    Message::Appended { term: Term(term), outcome: Ok(index), round }
}

fn install(term: u64, last: Place, store: &Store) -> Message {
    Message::Install { term: Term(term), snapshot: Snapshot { last, store: store.clone() } }
}

/// It stands, and b votes for it.
fn win(server: &mut Server) {
    server.step(Input::Timer(Timer::Election), Time(1));
    let term = server.raft().election().term();
    hear(server, B, Message::Vote { term, granted: true });
}

/// A server that leads term 1 and has committed its first entry.
fn leading(most: usize) -> Server {
    let mut server = alone(most, None);
    win(&mut server);
    hear(&mut server, B, have(1, 1, 0));
    server
}

fn replies(out: &[Output<Server>]) -> Vec<(u64, Reply)> {
    let reply = |output: &Output<Server>| match output {
        Output::Reply { call, reply } => Some((call.0, *reply)),
        _ => None,
    };
    out.iter().filter_map(reply).collect()
}

/// What it answers to appends and snapshots: the outcome and the round.
fn agreed(out: &[Output<Server>]) -> Vec<(Result<u64, u64>, u64)> {
    let appended = |output: &Output<Server>| match output {
        Output::Send { message: Message::Appended { outcome, round, .. }, .. } => Some((*outcome, *round)),
        _ => None,
    };
    out.iter().filter_map(appended).collect()
}

/// The store in which client 2 has put 7 under x.
fn sevens() -> Store {
    let mut store = Store::default();
    store.apply(&write(2, 1, Change::Put('x', 7)));
    store
}

/// Whether some message with this in its label arrived.
fn arrived(sim: &Sim<Server>, words: &str) -> bool {
    sim.trace().events.iter().any(|event| match &event.what {
        kit::trace::What::Delivered { label, .. } => label.contains(words),
        _ => false,
    })
}

mod stage_1_store {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn a_change_answers_what_the_key_holds_after_it() {
        let mut store = Store::default();
        assert_eq!(store.read('x'), 0, "nothing was stored yet");
        assert_eq!(store.apply(&write(1, 1, Change::Put('x', 5))), 5);
        assert_eq!(store.apply(&write(1, 2, Change::Add('x', 3))), 8);
        assert_eq!(store.apply(&write(2, 1, Change::Add('y', 1))), 1, "another client has serials of its own");
        assert_eq!((store.read('x'), store.read('y')), (8, 1));
    }

    #[test]
    fn a_command_that_comes_twice_changes_the_store_once() {
        let mut store = Store::default();
        let command = write(1, 1, Change::Add('x', 3));
        store.apply(&command);
        store.apply(&command);
        assert_eq!(store.read('x'), 3, "the client asked twice for one addition");
    }

    /// Another client's addition came in between; the answer to the first one must not tell of it.
    #[test]
    fn a_command_that_comes_twice_is_answered_twice_alike() {
        let mut store = Store::default();
        let command = write(1, 1, Change::Add('x', 3));
        assert_eq!(store.apply(&command), 3);
        assert_eq!(store.apply(&write(2, 1, Change::Add('x', 10))), 13);
        assert_eq!(store.apply(&command), 3, "right after the first addition x held 3");
    }

    #[test]
    fn a_command_that_a_later_one_of_its_client_has_overtaken_changes_nothing() {
        let mut store = Store::default();
        store.apply(&write(1, 1, Change::Put('x', 1)));
        store.apply(&write(1, 2, Change::Put('x', 2)));
        store.apply(&write(1, 1, Change::Put('x', 1)));
        assert_eq!(store.read('x'), 2, "the client had its answer to serial 1 before it sent serial 2");
    }

    /// "Set to 5" looks harmless to repeat; not when somebody has set something else since.
    #[test]
    fn a_put_that_comes_twice_takes_nothing_back() {
        for serial in [0, 1, 7] {
            let mut store = Store::default();
            let command = write(1, serial, Change::Put('x', 5));
            assert_eq!(store.apply(&command), 5, "the first command of client 1 has serial {serial}");
            store.apply(&write(2, 1, Change::Put('x', 6)));
            assert_eq!((store.apply(&command), store.read('x')), (5, 6), "serial {serial}, repeated after another put");
        }
    }

    #[test]
    fn no_client_is_forgotten() {
        let mut store = Store::default();
        for _ in 0..2 {
            (0..10_000).for_each(|client| _ = store.apply(&write(client, 1, Change::Add('x', 1))));
        }
        assert_eq!(store.read('x'), 10_000, "each of 10 000 clients asked twice for one addition");
    }

    /// An entry that stops a server stops every server, and again after every restart.
    #[test]
    fn an_addition_beyond_the_greatest_number_wraps_around() {
        let mut store = Store::default();
        store.apply(&write(1, 1, Change::Put('x', u64::MAX)));
        assert_eq!(store.apply(&write(1, 2, Change::Add('x', 3))), 2, "u64::MAX and 3");
    }
}

mod stage_2_one_machine {
    use super::*;
    use pretty_assertions::assert_eq;

    /// No log is cut in this stage.
    const NEVER: usize = usize::MAX;

    /// b may have answered the first round, then have voted for c, and c may have acknowledged a write, all before the
    /// second read began.
    #[test]
    fn a_read_is_not_confirmed_by_a_round_that_began_before_it() {
        let mut server = leading(NEVER);
        assert_eq!(replies(&request(&mut server, 1, Request::Read('x'))), [], "nobody has confirmed anything");
        assert_eq!(replies(&request(&mut server, 2, Request::Read('x'))), [], "nobody has confirmed anything");
        let out = hear(&mut server, B, have(1, 1, 1));
        assert_eq!(replies(&out), [(1, Reply::Value(0))], "round 1 was under way when read 2 came");
        let out = hear(&mut server, B, have(1, 1, 9));
        assert_eq!(replies(&out), [(2, Reply::Value(0))], "a later round confirms read 2");
    }

    /// Reads of three keys wait for one confirmation; a client, impatient, asks for the same write twice.
    #[test]
    fn each_call_is_answered_once() {
        let mut server = leading(NEVER);
        let mut out = vec![];
        for (call, key) in [(1, 'a'), (2, 'z'), (3, 'ß')] {
            out.extend(request(&mut server, call, Request::Read(key)));
        }
        out.extend(request(&mut server, 4, put(1, 1, 'y', 5)));
        out.extend(request(&mut server, 5, put(1, 1, 'y', 5)));
        assert_eq!(replies(&out), [], "nobody else has confirmed or stored anything");
        let last = server.raft().log().last();
        let mut told = replies(&hear(&mut server, B, have(1, last, 9)));
        told.sort_by_key(|(call, _)| *call);
        let (read, written) = (Reply::Value(0), Reply::Value(5));
        assert_eq!(told, [(1, read), (2, read), (3, read), (4, written), (5, written)]);
    }

    /// Its own first entry is not committed yet: the read waits for that one, and needs no other.
    #[test]
    fn a_read_at_a_new_leader_adds_no_entry() {
        let mut server = alone(NEVER, None);
        win(&mut server);
        let out = request(&mut server, 1, Request::Read('x'));
        assert_eq!((server.raft().log().last(), replies(&out)), (1, vec![]), "its first entry is not committed");
        assert_eq!(replies(&hear(&mut server, B, have(1, 1, 1))), [(1, Reply::Value(0))]);
    }

    /// A write waits at index 2 of term 1. The next leader puts its own entry there; then this server leads again and
    /// commits what it was sent. It leads, and it led, and the entry is another client's.
    #[test]
    fn a_leader_that_is_elected_again_does_not_take_others_entries_for_its_own() {
        let mut server = leading(NEVER);
        let mut out = request(&mut server, 1, put(1, 1, 'x', 5));
        let theirs = vec![Entry { term: Term(2), command: Some(write(2, 1, Change::Put('x', 7))) }];
        let append = Append { term: Term(2), after: place(1, 1), entries: theirs, commit: 1, round: 0 };
        out.extend(hear(&mut server, B, Message::Append(append)));
        win(&mut server);
        out.extend(hear(&mut server, C, have(3, 3, 0)));
        assert_eq!(server.store().0, 3, "c has all three entries, so they are committed");
        assert_eq!(replies(&out), [(1, Reply::NotLeader)], "client 2's command stands at 2, and client 1 waits there");
    }

    #[test]
    fn what_is_written_is_read_and_every_server_holds_it() {
        let (mut sim, nodes) = cluster(Seed(1), ["a", "b", "c"], NEVER);
        elected(&mut sim);
        assert_eq!(ask(&mut sim, put(1, 1, 'x', 5)), 5);
        assert_eq!(ask(&mut sim, add(2, 1, 'x', 3)), 8);
        assert_eq!(ask(&mut sim, Request::Read('x')), 8);
        sim.run_for(A_MOMENT);
        for node in nodes {
            assert_eq!(sim.node(node).map(|node| node.store().1.read('x')), Some(8), "{sim}");
        }
    }

    #[test]
    fn a_server_that_does_not_lead_says_so_to_writers_and_readers() {
        let (mut sim, nodes) = cluster(Seed(1), ["a", "b", "c"], NEVER);
        let follower = others(&nodes, elected(&mut sim))[0];
        assert_eq!(sim.ask(follower, put(1, 1, 'x', 5), A_MOMENT), Some(Reply::NotLeader), "{sim}");
        assert_eq!(sim.ask(follower, Request::Read('x'), A_MOMENT), Some(Reply::NotLeader), "{sim}");
    }

    #[test]
    fn a_store_of_one_server_serves_at_once() {
        let (mut sim, [a]) = cluster(Seed(1), ["a"], NEVER);
        elected(&mut sim);
        assert_eq!(sim.ask(a, put(1, 1, 'x', 5), Millis(0)), Some(Reply::Value(5)), "{sim}");
        assert_eq!(sim.ask(a, Request::Read('x'), Millis(0)), Some(Reply::Value(5)), "{sim}");
    }

    #[test]
    fn while_nothing_happens_a_read_takes_one_round_and_writes_nothing() {
        let (mut sim, _) = cluster(Seed(1), ["a", "b", "c"], NEVER);
        let leader = elected(&mut sim);
        sim.set_network(Network::exact(Millis(5)));
        sim.run_for(A_MOMENT);
        let last = sim.node(leader).map(|node| node.raft().log().last());
        let asked = sim.now();
        assert_eq!(sim.ask(leader, Request::Read('x'), A_MOMENT), Some(Reply::Value(0)), "{sim}");
        assert_eq!(sim.now().since(asked), Millis(10), "5 ms to the followers and 5 ms back\n{sim}");
        assert_eq!(sim.node(leader).map(|node| node.raft().log().last()), last, "a read needs no entry\n{sim}");
    }

    /// The leader is cut off and does not know. The others elect, and a client writes 2 there.
    #[test]
    fn a_leader_that_was_deposed_unknowingly_does_not_read_an_old_value() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"], NEVER);
            let old = elected(&mut sim);
            ask(&mut sim, put(1, 1, 'x', 1));
            sim.inject(Fault::Partition(vec![vec![old], others(&nodes, old)]));
            let deposed = |sim: &Sim<Server>| leader(sim).is_some_and(|leader| leader != old);
            assert!(sim.run_until(A_WHILE, deposed), "{sim}");
            ask(&mut sim, put(1, 2, 'x', 2));
            let read = sim.call(old, Request::Read('x'));
            sim.run_for(A_MOMENT);
            assert_eq!(sim.reply(read), None, "2 was written, and {old} cannot know of it: it must not answer\n{sim}");
            sim.inject(Fault::Heal);
            sim.run_for(Millis(1_000));
            assert_eq!(sim.reply(read), Some(&Reply::NotLeader), "{old} has learnt that it does not lead\n{sim}");
        });
    }

    /// `n` copies the 1 to one follower and itself on its side, commits, tells the client and dies before anybody knows. The
    /// follower wins with the votes of two that have never seen the 1, and a read arrives in the same instant.
    #[test]
    fn a_new_leader_reads_what_its_predecessor_committed() {
        let (mut sim, nodes) = cluster(Seed(3), ["a", "b", "c", "d", "e"], NEVER);
        let old = elected(&mut sim);
        sim.run_for(A_MOMENT);
        sim.set_network(Network::exact(Millis(5)));
        let rest = others(&nodes, old);
        let (heir, witness, ignorant) = (rest[0], rest[1], rest[2..].to_vec());
        sim.inject(Fault::Partition(vec![vec![old, heir, witness], ignorant.clone()]));
        assert_eq!(sim.ask(old, put(1, 1, 'x', 1), Millis(30)), Some(Reply::Value(1)), "three of five have it\n{sim}");
        sim.inject(crash(old));
        sim.inject(Fault::Partition(vec![vec![heir, ignorant[0], ignorant[1]], vec![witness]]));
        let leads = |sim: &Sim<Server>| sim.node(heir).is_some_and(|node| node.raft().election().leads());
        assert!(sim.run_until(A_WHILE, leads), "only {heir} can win: it has the entry and a majority\n{sim}");
        let read = sim.call(heir, Request::Read('x'));
        sim.run_for(Millis(500));
        let told = "the client was told that x holds 1 before this read began";
        assert_eq!(sim.reply(read), Some(&Reply::Value(1)), "{told}\n{sim}");
    }

    /// The first answer is lost with the leader. The client asks again, with the same serial.
    #[test]
    fn a_command_asked_again_after_a_change_of_leaders_takes_effect_once() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"], NEVER);
            let old = elected(&mut sim);
            sim.call(old, add(1, 1, 'x', 5));
            let everywhere = |sim: &Sim<Server>| {
                nodes.iter().all(|node| sim.node(*node).is_some_and(|node| node.raft().log().last() >= 2))
            };
            sim.run_until(A_WHILE, everywhere);
            sim.inject(crash(old));
            elected(&mut sim);
            assert_eq!(ask(&mut sim, add(1, 1, 'x', 5)), 5, "{sim}");
            assert_eq!(ask(&mut sim, Request::Read('x')), 5, "one client asked for one addition, twice\n{sim}");
        });
    }

    /// A command waits at an index of the old leader's log; another client's is committed there. Whose answer is it?
    #[test]
    fn a_client_is_not_told_the_outcome_of_another_clients_command() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"], NEVER);
            let old = elected(&mut sim);
            sim.inject(Fault::Partition(vec![vec![old], others(&nodes, old)]));
            let lost: Vec<_> = (1..=3).map(|serial| sim.call(old, put(1, serial, 'x', 100 + serial))).collect();
            let deposed = |sim: &Sim<Server>| leader(sim).is_some_and(|leader| leader != old);
            assert!(sim.run_until(A_WHILE, deposed), "{sim}");
            (1..=4).for_each(|serial| _ = ask(&mut sim, put(2, serial, 'x', serial)));
            sim.inject(Fault::Heal);
            sim.run_for(Millis(1_000));
            for call in lost {
                let reply = sim.reply(call);
                assert_eq!(reply, Some(&Reply::NotLeader), "{call} was never committed; its place is another's\n{sim}");
            }
        });
    }

    #[test]
    fn clients_see_one_machine_while_leaders_fail_and_networks_split() {
        let seen = Sometimes::expect(["the term changed three times", "a server said that it does not lead"]);
        for_seeds(6, |seed| {
            let chaos = Chaos { partitions: 4, crashes: 4, pauses: 2, ..Chaos::calm(5, Millis(6_000), 0) };
            let sim = ordeal(seed, ["a", "b", "c", "d", "e"], NEVER, chaos, Network::reliable());
            let term = sim.cluster().up().map(|(_, node)| node.raft().election().term()).max();
            seen.saw("the term changed three times", term >= Some(Term(4)));
            let refused = sim.calls().iter().any(|call| matches!(call.replied, Some((_, Reply::NotLeader))));
            seen.saw("a server said that it does not lead", refused);
        });
    }

    #[test]
    fn clients_see_one_machine_over_an_unreliable_network() {
        let seen = Sometimes::expect(["a call was never answered"]);
        for_seeds(6, |seed| {
            let chaos = Chaos { partitions: 3, crashes: 3, ..Chaos::calm(3, Millis(6_000), 0) };
            let sim = ordeal(seed, ["a", "b", "c"], NEVER, chaos, Network::unreliable());
            seen.saw("a call was never answered", sim.calls().iter().any(|call| call.replied.is_none()));
        });
    }
}

mod stage_3_snapshots {
    use super::*;
    use pretty_assertions::assert_eq;

    /// How many applied entries a log may hold in this stage.
    const MOST: usize = 8;

    fn fill(sim: &mut Sim<Server>, client: u32, count: u64) {
        (1..=count).for_each(|serial| _ = ask(sim, add(client, serial, 'x', 1)));
    }

    #[test]
    fn a_log_is_cut_and_the_store_is_whole() {
        let (mut sim, nodes) = cluster(Seed(1), ["a", "b", "c"], MOST);
        elected(&mut sim);
        fill(&mut sim, 1, 50);
        sim.run_for(A_MOMENT);
        assert_eq!(ask(&mut sim, Request::Read('x')), 50, "{sim}");
        for node in nodes {
            let node = sim.node(node).expect("it is up");
            assert!(
                node.raft().log().base.index >= 40,
                "51 entries, and the log begins behind {:?}",
                node.raft().log().base
            );
        }
    }

    #[test]
    fn a_cluster_that_restarts_from_snapshots_has_lost_nothing() {
        for_seeds(5, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"], MOST);
            elected(&mut sim);
            fill(&mut sim, 1, 20);
            nodes.iter().for_each(|node| sim.inject(crash(*node)));
            sim.mend();
            elected(&mut sim);
            assert_eq!(ask(&mut sim, Request::Read('x')), 20, "{sim}");
            assert_eq!(
                ask(&mut sim, add(1, 20, 'x', 1)),
                20,
                "its last addition, asked for again, is not made again\n{sim}"
            );
            assert_eq!(ask(&mut sim, add(1, 21, 'x', 1)), 21, "{sim}");
        });
    }

    /// A cluster of one sends no snapshots; it has only its own.
    #[test]
    fn a_server_that_restarts_from_its_snapshot_knows_what_it_did_for_whom() {
        let (mut sim, [a]) = cluster(Seed(1), ["a"], MOST);
        elected(&mut sim);
        ask(&mut sim, add(2, 1, 'x', 100));
        fill(&mut sim, 1, 20);
        sim.inject(crash(a));
        sim.inject(Fault::Restart(a));
        elected(&mut sim);
        assert_eq!(ask(&mut sim, add(2, 1, 'x', 100)), 100, "client 2 repeats its first command\n{sim}");
        assert_eq!(ask(&mut sim, Request::Read('x')), 120, "100 once and 20 times 1\n{sim}");
    }

    #[test]
    fn a_follower_takes_over_all_that_a_snapshot_holds() {
        let mut store = Store::default();
        store.apply(&write(1, 1, Change::Add('x', 5)));
        store.apply(&write(2, 1, Change::Put('y', 7)));
        let mut follower = server(Seed(1), NodeId(0), 3, MOST, None);
        let snapshot = Snapshot { last: Place { term: Term(1), index: 3 }, store: store.clone() };
        let message = Message::Install { term: Term(1), snapshot };
        let said = follower.step(Input::Message { from: NodeId(1), message }, Time(1));
        assert_eq!(follower.store(), (3, &store), "the store after three entries, as the leader has it");
        assert_eq!(agreed(&said), [(Ok(3), 0)], "the leader must learn that it can go on behind 3");
        let saved = said.iter().rev().find_map(|output| match output {
            Output::Persist(saved) => Some(saved.clone()),
            _ => None,
        });
        let restarted = server(Seed(1), NodeId(0), 3, MOST, saved);
        assert_eq!(restarted.store(), (3, &store), "a crash, and it starts from what it saved");
    }

    /// The leader vouches for the snapshot only. Entries behind it may not be in its log; they may also be copies that it has
    /// counted.
    #[test]
    fn what_lies_behind_a_snapshot_is_neither_confirmed_nor_dropped() {
        let mut follower = alone(MOST, None);
        hear(&mut follower, B, entries(1, place(0, 0), 5, 0));
        let out = hear(&mut follower, C, install(2, place(1, 3), &sevens()));
        assert_eq!(agreed(&out), [(Ok(3), 0)], "it agrees with the leader up to 3, and 4 and 5 are not known to agree");
        assert_eq!(follower.raft().log().last(), 5, "entry 3 is the leader's, so 4 and 5 may be as well");
    }

    /// The first answer was lost. Without another the leader would send its snapshot for ever.
    #[test]
    fn a_snapshot_that_brings_nothing_is_answered_all_the_same() {
        let mut follower = alone(MOST, None);
        hear(&mut follower, B, install(1, place(1, 3), &sevens()));
        for last in [3, 2] {
            let out = hear(&mut follower, B, install(1, place(1, last), &sevens()));
            let right = agreed(&out).iter().any(|(outcome, _)| outcome.is_ok_and(|index| (last..=3).contains(&index)));
            assert!(right, "a snapshot up to {last} comes to a store up to 3, and the answer is {out:?}");
        }
    }

    /// Five entries that were never committed, of an earlier leader or of a later one than the snapshot's last entry.
    #[test]
    fn a_longer_or_a_later_log_does_not_keep_a_snapshot_out() {
        for term in [1, 3] {
            let mut follower = alone(MOST, None);
            hear(&mut follower, B, entries(term, place(0, 0), 5, 0));
            hear(&mut follower, C, install(4, place(2, 4), &sevens()));
            assert_eq!(follower.store(), (4, &sevens()), "it held five entries of term {term}, none of them committed");
            assert_eq!(follower.raft().log().end(), place(2, 4), "its entry 4 is not the leader's, so nor is 5");
        }
    }

    #[test]
    fn a_client_whose_place_a_snapshot_went_past_is_told_to_ask_again() {
        let mut server = leading(MOST);
        let mut out = request(&mut server, 1, put(1, 1, 'x', 5));
        out.extend(hear(&mut server, B, install(2, place(2, 5), &sevens())));
        assert_eq!(replies(&out), [(1, Reply::NotLeader)], "x holds 7, which is client 2's; nobody did client 1's");
    }

    #[test]
    fn a_log_is_cut_at_the_place_of_its_last_applied_entry() {
        let mut follower = alone(3, None);
        hear(&mut follower, B, entries(1, place(0, 0), 10, 0));
        hear(&mut follower, C, entries(2, place(1, 10), 0, 9));
        assert_eq!(follower.raft().log().base, place(1, 9), "entry 9 is of term 1, whoever leads now");
        assert_eq!(follower.raft().log().end(), place(1, 10), "entry 10 is not committed, and nowhere else");
    }

    #[test]
    fn a_snapshot_of_an_earlier_term_is_sent_in_the_leaders_own() {
        let snapshot = Snapshot { last: place(3, 20), store: sevens() };
        let log = Log { base: place(3, 20), entries: vec![] };
        let mut server = alone(MOST, Some(Saved { ballot: Ballot { term: Term(5), voted_for: None }, snapshot, log }));
        win(&mut server);
        let out = hear(&mut server, B, Message::Appended { term: Term(6), outcome: Err(1), round: 0 });
        let sent = out.iter().find_map(|output| match output {
            Output::Send { to: B, message: Message::Install { term, snapshot } } => Some((*term, snapshot.last)),
            _ => None,
        });
        assert_eq!(sent, Some((Term(6), place(3, 20))), "a follower in term 6 hears nobody of an earlier one");
    }

    #[test]
    fn a_follower_that_was_away_too_long_gets_a_snapshot() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"], MOST);
            let away = others(&nodes, elected(&mut sim))[0];
            fill(&mut sim, 1, 2);
            sim.inject(Fault::Partition(vec![others(&nodes, away), vec![away]]));
            fill(&mut sim, 2, 30);
            sim.inject(Fault::Heal);
            elected(&mut sim);
            ask(&mut sim, add(3, 1, 'x', 1));
            sim.run_for(Millis(1_000));
            assert!(arrived(&sim, "snapshot"), "what {away} lacks is in nobody's log any more\n{sim}");
            assert_eq!(sim.node(away).map(|node| node.store().1.read('x')), Some(33), "{sim}");
        });
    }

    /// The client's first request was applied, cut from the log, and reached `away` in a snapshot only. Then `away` leads.
    #[test]
    fn a_snapshot_carries_the_sessions() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"], MOST);
            let away = others(&nodes, elected(&mut sim))[0];
            sim.inject(Fault::Partition(vec![others(&nodes, away), vec![away]]));
            assert_eq!(ask(&mut sim, add(1, 1, 'x', 5)), 5, "{sim}");
            fill(&mut sim, 2, 30);
            sim.inject(Fault::Heal);
            elected(&mut sim);
            sim.run_for(Millis(500));
            // Whoever leads and is not `away` stands still until `away` does.
            for _ in 0..20 {
                let now = elected(&mut sim);
                if now == away {
                    break;
                }
                sim.inject(Fault::Pause { node: now, span: Millis(400) });
                sim.run_for(Millis(600));
            }
            assert_eq!(
                ask(&mut sim, add(1, 1, 'x', 5)),
                5,
                "the client asks again for what it was told is done\n{sim}"
            );
            assert_eq!(ask(&mut sim, Request::Read('x')), 35, "5 and 30 times 1\n{sim}");
        });
    }

    /// Every message comes twice and takes its time; the second copy of a snapshot arrives when the store has gone on.
    #[test]
    fn a_snapshot_that_comes_late_does_not_take_the_store_back() {
        let seen = Sometimes::expect(["a snapshot arrived"]);
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"], MOST);
            let away = others(&nodes, elected(&mut sim))[0];
            sim.inject(Fault::Partition(vec![others(&nodes, away), vec![away]]));
            fill(&mut sim, 1, 20);
            sim.set_network(Network { delay: (Millis(1), Millis(80)), duplicated: 0.7, ..Network::reliable() });
            sim.inject(Fault::Heal);
            fill(&mut sim, 2, 20);
            sim.run_for(Millis(1_000));
            seen.saw("a snapshot arrived", arrived(&sim, "snapshot"));
            assert_eq!(ask(&mut sim, Request::Read('x')), 40, "{sim}");
        });
    }

    #[test]
    fn clients_see_one_machine_with_snapshots_crashes_splits_and_losses() {
        let seen = Sometimes::expect(["a snapshot arrived"]);
        for_seeds(8, |seed| {
            let chaos = Chaos { partitions: 4, cuts: 2, crashes: 4, pauses: 2, ..Chaos::calm(5, Millis(6_000), 0) };
            let sim = ordeal(seed, ["a", "b", "c", "d", "e"], MOST, chaos, Network::unreliable());
            seen.saw("a snapshot arrived", arrived(&sim, "snapshot"));
        });
    }

    #[test]
    fn clients_see_one_machine_with_snapshots_of_every_length() {
        for_seeds(8, |seed| {
            let chaos = Chaos { partitions: 2, crashes: 6, ..Chaos::calm(3, Millis(4_000), 0) };
            ordeal(seed, ["a", "b", "c"], seed.0 as usize % 4, chaos, Network::reliable());
        });
    }
}

mod stage_4_every_order {
    use super::*;

    const A: NodeId = NodeId(0);
    const WRITE: CallId = CallId(0);
    const READ: CallId = CallId(1);

    fn deliver(stage: &mut Stage<World<Server>>, between: (NodeId, NodeId), kind: fn(&Message) -> bool) {
        stage.take("a message", |action| {
            matches!(action, Action::Deliver { from, to, message } if (*from, *to) == between && kind(message))
        });
    }

    fn replied(state: &WorldState<Server>, call: CallId) -> Option<(usize, Reply)> {
        state.history().iter().enumerate().find_map(|(i, (of, reply))| Some((i, (*reply)?)).filter(|_| *of == call))
    }

    /// `a` leads; `c` has asked for votes for the next term. One client writes at `c`, another reads at `a`: in every order.
    #[test]
    fn no_order_of_events_shows_an_old_value_after_a_new_one_was_acknowledged() {
        let world = World::new(["a", "b", "c"], |id, saved| server(Seed(1), id, 3, usize::MAX, saved))
            .call(C, put(1, 1, 'x', 1))
            .call(A, Request::Read('x'))
            .fires(2)
            .within(|state| state.messages().count() <= 6);
        let states = Search::of(world)
            .always("a read that began after a write was acknowledged returns it", |state| {
                let (written, read) = (replied(state, WRITE), replied(state, READ));
                let asked = state.history().iter().position(|(call, reply)| *call == READ && reply.is_none());
                match (written, asked, read) {
                    (Some((done, Reply::Value(1))), Some(asked), Some((_, Reply::Value(0)))) if done < asked => {
                        Err("x was acknowledged as 1; then it was read, as 0".into())
                    }
                    _ => Ok(()),
                }
            })
            .sometimes("the write is acknowledged", |state| matches!(replied(state, WRITE), Some((_, Reply::Value(1)))))
            .sometimes("the read is answered", |state| matches!(replied(state, READ), Some((_, Reply::Value(0)))))
            .after(|stage| {
                stage.take("an election", |action| *action == Action::Fire(A, Timer::Election));
                deliver(stage, (A, B), |message| matches!(message, Message::RequestVote { .. }));
                deliver(stage, (B, A), |message| matches!(message, Message::Vote { .. }));
                for other in [B, C] {
                    deliver(stage, (A, other), |message| matches!(message, Message::Append(_)));
                    deliver(stage, (other, A), |message| matches!(message, Message::Appended { .. }));
                }
                stage.force(Action::LoseEverything);
                stage.take("an election", |action| *action == Action::Fire(C, Timer::Election));
            })
            .assert();
        println!("{states} states");
    }
}
