//! Stage 1: what is chosen stays chosen, in every interleaving. Stage 2: and something is chosen.

use kit::explore::{Action, Found, Search, Stage, World, WorldState};
use kit::{CallId, Input, Millis, Network, Node, NodeId, Output, Seed, Sim, Sometimes, Time, for_seeds};
use paxos::{Accepted, BACKOFF, Ballot, Decided, Disk, Message, Process, Propose, Retry, Value, backoff, choose};
use std::collections::BTreeSet;

/// The two of three nodes that propose in the searches, and the one that only accepts.
const P: NodeId = NodeId(0);
const Q: NodeId = NodeId(1);
const C: NodeId = NodeId(2);

fn ballot(round: u64, proposer: NodeId) -> Ballot {
    Ballot { round, proposer }
}

fn step(process: &mut Process, input: Input<Process>) -> Vec<Output<Process>> {
    process.step(input, Time::START)
}

fn hear(process: &mut Process, from: NodeId, message: Message) -> Vec<Output<Process>> {
    step(process, Input::Message { from, message })
}

fn sent(out: &[Output<Process>]) -> Vec<(NodeId, Message)> {
    let send = |output: &Output<Process>| match output {
        Output::Send { to, message } => Some((*to, *message)),
        _ => None,
    };
    out.iter().filter_map(send).collect()
}

/// What clients are told.
fn told(out: &[Output<Process>]) -> Vec<(CallId, Value)> {
    let reply = |output: &Output<Process>| match output {
        Output::Reply { call, reply: Decided(value) } => Some((*call, *value)),
        _ => None,
    };
    out.iter().filter_map(reply).collect()
}

/// What is written to disk.
fn persisted(out: &[Output<Process>]) -> impl DoubleEndedIterator<Item = &Disk> {
    out.iter().filter_map(|output| match output {
        Output::Persist(disk) => Some(disk),
        _ => None,
    })
}

/// What is on disk when the first message leaves; without a message, when all is done.
fn on_disk_first(out: &[Output<Process>]) -> Option<&Disk> {
    let first = out.iter().position(|output| matches!(output, Output::Send { .. })).unwrap_or(out.len());
    persisted(&out[..first]).next_back()
}

/// The ballot that this output prepares, which must be one and the same for all.
fn prepared(out: &[Output<Process>]) -> Ballot {
    let ballots: BTreeSet<Ballot> = sent(out)
        .iter()
        .filter_map(|(_, message)| match message {
            Message::Prepare(ballot) => Some(*ballot),
            _ => None,
        })
        .collect();
    assert!(!ballots.is_empty(), "no `Prepare` was sent; a call, and the timer, begin an attempt at once: {out:?}");
    assert_eq!(ballots.len(), 1, "one attempt prepares one ballot: {out:?}");
    *ballots.first().expect("just counted")
}

fn proposer(disk: Option<Disk>) -> Process {
    Process::new(P, 3, Seed(1), disk)
}

fn call(id: u64, value: Value) -> Input<Process> {
    Input::Request { call: CallId(id), request: Propose(value) }
}

/// Who says that a value is decided. (Printed only when a law is broken: a search asks in every state.)
#[derive(Clone, Copy)]
enum Who {
    MajorityUnder(Ballot),
    ClientOf(CallId),
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MajorityUnder(ballot) => write!(f, "a majority under {}.{}", ballot.round, ballot.proposer),
            Self::ClientOf(call) => write!(f, "the client of call {call}"),
        }
    }
}

/// Every value that is decided: because a majority has accepted it under one ballot, or by what clients were told.
fn decided(state: &WorldState<Process>) -> impl Iterator<Item = (Who, Value)> + '_ {
    let held: [Option<Accepted>; 3] = [P, Q, C].map(|id| {
        let up = state.cluster().up().find(|(up, _)| *up == id);
        up.map_or_else(|| state.disk(id).and_then(|disk| disk.accepted), |(_, process)| process.disk().accepted)
    });
    // Of three, two that are alike are a majority.
    let pairs = [(0, 1), (0, 2), (1, 2)];
    let chosen = pairs.into_iter().filter_map(move |(i, j)| held[i].filter(|_| held[i] == held[j]));
    let told = state.history().iter().filter_map(|(call, reply)| Some((Who::ClientOf(*call), reply.as_ref()?.0)));
    chosen.map(|accepted| (Who::MajorityUnder(accepted.ballot), accepted.value)).chain(told)
}

fn agreement(state: &WorldState<Process>) -> Result<(), String> {
    let Some((who, value)) = decided(state).next() else { return Ok(()) };
    match decided(state).find(|(_, different)| *different != value) {
        Some((other, different)) => Err(format!("{who} has {value:?}, {other} has {different:?}")),
        None => Ok(()),
    }
}

fn validity(state: &WorldState<Process>, proposed: &[Value]) -> Result<(), String> {
    match decided(state).find(|(_, value)| !proposed.contains(value)) {
        Some((who, value)) => Err(format!("{who} has {value:?}, which nobody proposed")),
        None => Ok(()),
    }
}

fn one_value_a_ballot(state: &WorldState<Process>) -> Result<(), String> {
    let under_way = || {
        state.messages().filter_map(|(_, _, message)| match message {
            Message::Accept(ballot, value) => Some((*ballot, *value)),
            _ => None,
        })
    };
    for (ballot, value) in under_way() {
        if let Some((_, other)) = under_way().find(|(same, other)| *same == ballot && *other != value) {
            return Err(format!("{ballot:?} stands for {value:?} and for {other:?}"));
        }
    }
    Ok(())
}

/// Three acceptors, two of which propose different values; one of the values is empty.
fn world() -> World<Process> {
    World::new(["p", "q", "c"], |id, disk| Process::new(id, 3, Seed(1), disk))
}

fn judged(world: World<Process>) -> Search<World<Process>> {
    Search::of(world)
        .always("agreement", agreement)
        .always("validity", |state| validity(state, &["", "x"]))
        .always("one value a ballot", one_value_a_ballot)
}

/// Searches everything, and says how much that was: `cargo test -- --nocapture`.
fn prove(search: &Search<World<Process>>) {
    let outcome = search.run();
    println!("{} states", outcome.states);
    assert!(
        !matches!(outcome.found, Found::Inconclusive(_)),
        "nothing wrong was found, but your nodes can be in more than {} states, too many to look at all: does a node keep \
         something that no decision rests on, or begin attempts that nobody asked for?",
        outcome.states
    );
    search.demand_nothing(outcome);
}

fn is_decided(state: &WorldState<Process>, wanted: Value) -> bool {
    decided(state).any(|(_, value)| value == wanted)
}

mod stage_1_agreement {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn no_two_proposers_share_a_ballot_and_each_can_outbid_any() {
        for_seeds(50, |seed| {
            use kit::rand::RngExt as _;
            let mut rng = seed.rng();
            let seen = ballot(rng.random_range(0..1_000_000), NodeId(rng.random_range(3..200)));
            let mine: Vec<Ballot> = (3..200).map(|id| Ballot::above(Some(seen), NodeId(id))).collect();
            for (id, ballot) in (3..200).map(NodeId).zip(&mine) {
                assert!(*ballot > seen, "{id} bids {ballot:?} against {seen:?}");
                assert_eq!(ballot.proposer, id, "a ballot of somebody else's may be in use");
            }
            assert_eq!(mine.iter().collect::<BTreeSet<_>>().len(), mine.len(), "of 197 proposers no two agree");
        });
    }

    /// A proposer that is a thousand rounds behind needs one refusal to catch up, not a thousand.
    #[test]
    fn a_proposer_outbids_a_higher_one_in_two_attempts() {
        let high = ballot(1_000, Q);
        let mut process = proposer(None);
        let first = prepared(&step(&mut process, call(0, "x")));
        assert!(first < high, "the test's own number should be higher");
        hear(&mut process, Q, Message::Refused { ballot: first, promised: high });
        let second = prepared(&step(&mut process, Input::Timer(Retry)));
        assert!(second > high, "refused with {high:?}, it bids {second:?}");
    }

    /// The promises that Lamport's P2c is about. The greatest *number* decides, not the greatest value.
    #[test]
    fn the_value_of_the_highest_numbered_proposal_is_taken_over() {
        let has = |round, value| Some(Accepted { ballot: ballot(round, P), value });
        assert_eq!(choose(&[has(3, "z"), has(7, "a")], "own"), "a", "7 is the higher number");
        assert_eq!(choose(&[has(7, "a"), None, has(3, "z")], "own"), "a", "in whatever order they come");
        assert_eq!(choose(&[None, None], "own"), "own", "nothing can be decided yet, so it is free");
        assert_eq!(choose(&[None, has(1, "x")], "own"), "x", "it may be decided; nobody who promised can tell");
        assert_eq!(choose(&[None, has(1, "")], "own"), "", "the empty value is a value");
        for place in 0..3 {
            let mut promises = [None; 3];
            promises[place] = has(1, "v");
            assert_eq!(choose(&promises, "own"), "v", "one of three has accepted something: {promises:?}");
        }
        assert_eq!(
            choose(&[has(1, "z"), None, has(1, "z"), has(2, "w")], "own"),
            "w",
            "the last has the highest number"
        );
        let (p, q) = (has(2, "p"), Some(Accepted { ballot: ballot(2, Q), value: "a" }));
        assert_eq!(choose(&[q, p], "own"), "a", "in one round the proposer decides the order");
        assert_eq!(choose(&[p, q], "own"), "a", "in one round the proposer decides the order");
    }

    #[test]
    fn an_acceptor_keeps_its_promise() {
        let mut acceptor = Process::new(C, 3, Seed(1), None);
        let promise = hear(&mut acceptor, Q, Message::Prepare(ballot(2, Q)));
        assert_eq!(sent(&promise), [(Q, Message::Promise(ballot(2, Q), None))]);
        for message in [Message::Prepare(ballot(1, P)), Message::Accept(ballot(1, P), "x")] {
            let out = hear(&mut acceptor, P, message);
            let refused = Message::Refused { ballot: ballot(1, P), promised: ballot(2, Q) };
            assert_eq!(sent(&out), [(P, refused)], "it has promised 2.n1, and hears {message:?}");
        }
        let accepted = hear(&mut acceptor, Q, Message::Accept(ballot(2, Q), "y"));
        assert_eq!(sent(&accepted), [(Q, Message::Accepted(ballot(2, Q)))]);
        let told = hear(&mut acceptor, P, Message::Prepare(ballot(3, P)));
        let has = Some(Accepted { ballot: ballot(2, Q), value: "y" });
        assert_eq!(sent(&told), [(P, Message::Promise(ballot(3, P), has))], "whoever comes next must hear of it");
    }

    /// An acceptor that was not asked to promise may accept all the same, and that is a promise too.
    #[test]
    fn to_accept_is_to_promise() {
        let mut acceptor = Process::new(C, 3, Seed(1), None);
        hear(&mut acceptor, Q, Message::Accept(ballot(5, Q), "y"));
        let out = hear(&mut acceptor, P, Message::Accept(ballot(4, P), "x"));
        let refused = Message::Refused { ballot: ballot(4, P), promised: ballot(5, Q) };
        assert_eq!(sent(&out), [(P, refused)], "it has accepted under 5.n1");
    }

    /// What equals the promise is what was promised; what is above it needs no promise first. Where a network doubles, an
    /// answer can be lost and its question come again.
    #[test]
    fn an_acceptor_accepts_whatever_is_not_below_its_promise() {
        let mut acceptor = Process::new(C, 3, Seed(1), None);
        let promised = ballot(2, Q);
        hear(&mut acceptor, Q, Message::Prepare(promised));
        for _ in 0..2 {
            let out = hear(&mut acceptor, Q, Message::Accept(promised, "y"));
            assert_eq!(sent(&out), [(Q, Message::Accepted(promised))], "it has promised 2.n1");
        }
        let above = ballot(3, P);
        let out = hear(&mut acceptor, P, Message::Accept(above, "y"));
        assert_eq!(sent(&out), [(P, Message::Accepted(above))], "it has promised 2.n1, which is lower than 3.n0");
    }

    #[test]
    fn whatever_an_acceptor_says_is_on_disk_first() {
        let mut acceptor = Process::new(C, 3, Seed(1), None);
        let mut has = None;
        for message in [Message::Prepare(ballot(2, Q)), Message::Accept(ballot(2, Q), "y")] {
            let out = hear(&mut acceptor, Q, message);
            assert!(!sent(&out).is_empty(), "{message:?} is answered");
            let disk = on_disk_first(&out);
            let disk = disk.unwrap_or_else(|| panic!("{message:?}: the answer leaves, nothing is on disk: {out:?}"));
            if matches!(message, Message::Accept(..)) {
                has = Some(Accepted { ballot: ballot(2, Q), value: "y" });
            }
            let mut restarted = Process::new(C, 3, Seed(1), Some(disk.clone()));
            let out = hear(&mut restarted, P, Message::Accept(ballot(1, P), "x"));
            let refused = Message::Refused { ballot: ballot(1, P), promised: ballot(2, Q) };
            assert_eq!(sent(&out), [(P, refused)], "it answered {message:?}, crashed, and hears of 1.n0");
            let out = hear(&mut restarted, P, Message::Prepare(ballot(3, P)));
            let promise = Message::Promise(ballot(3, P), has);
            assert_eq!(sent(&out), [(P, promise)], "it answered {message:?}, crashed, and is asked to promise 3.n0");
        }
    }

    /// The counter of a proposer must survive it, or one number comes to stand for two values.
    #[test]
    fn a_restarted_proposer_does_not_use_a_ballot_again() {
        let mut process = proposer(None);
        let mut last: Option<Ballot> = None;
        for round in 0..5 {
            let out = step(&mut process, call(round, "x"));
            let ballot = prepared(&out);
            assert!(last.is_none_or(|last| ballot > last), "{last:?}, a crash, then {ballot:?}");
            last = Some(ballot);
            let disk = on_disk_first(&out).unwrap_or_else(|| panic!("it is used before it is on disk: {out:?}"));
            process = proposer(Some(disk.clone()));
        }
    }

    /// There is one disk. A node that has accepted something proposes, then is asked by another: whatever is written on the
    /// way holds what both of its roles need after a crash.
    #[test]
    fn what_one_role_writes_keeps_what_the_other_wrote() {
        let mut process = proposer(None);
        let has = Some(Accepted { ballot: ballot(5, C), value: "y" });
        hear(&mut process, C, Message::Accept(ballot(5, C), "y"));
        let out = step(&mut process, call(0, "x"));
        let used = prepared(&out);
        for disk in persisted(&out) {
            assert!(disk.promised >= Some(ballot(5, C)), "it proposes, and its promise is off the disk: {disk:?}");
            assert_eq!(disk.accepted, has, "it proposes, and what it accepted is off the disk");
        }
        for disk in persisted(&hear(&mut process, C, Message::Prepare(ballot(9, C)))) {
            let mut restarted = proposer(Some(disk.clone()));
            let next = prepared(&step(&mut restarted, call(1, "z")));
            assert!(next > used, "it used {used:?}, promised another, crashed, and uses {next:?}");
        }
    }

    /// Of five nodes three are a majority, and the proposer is one of them.
    #[test]
    fn an_acceptor_that_answers_twice_counts_once() {
        let (b, c) = (NodeId(1), NodeId(2));
        let mut process = Process::new(P, 5, Seed(1), None);
        let ballot = prepared(&step(&mut process, call(0, "x")));
        for _ in 0..2 {
            let out = hear(&mut process, b, Message::Promise(ballot, None));
            assert_eq!(sent(&out), [], "two of five have promised");
        }
        let accept = hear(&mut process, c, Message::Promise(ballot, None));
        assert!(sent(&accept).contains(&(b, Message::Accept(ballot, "x"))), "three of five have promised: {accept:?}");
        for _ in 0..2 {
            let out = hear(&mut process, b, Message::Accepted(ballot));
            assert_eq!(told(&out), [], "two of five have accepted");
        }
        let out = hear(&mut process, c, Message::Accepted(ballot));
        assert_eq!(told(&out), [(CallId(0), "x")], "three of five have accepted");
    }

    #[test]
    fn a_majority_is_more_than_half_in_both_phases() {
        for nodes in 2..=9 {
            let mut process = Process::new(P, nodes, Seed(1), None);
            let ballot = prepared(&step(&mut process, call(0, "x")));
            for yes in 2..=nodes / 2 + 1 {
                let out = hear(&mut process, NodeId(yes - 1), Message::Promise(ballot, None));
                assert_eq!(!sent(&out).is_empty(), yes * 2 > nodes, "{yes} of {nodes} have promised, itself included");
            }
            for yes in 2..=nodes / 2 + 1 {
                let out = hear(&mut process, NodeId(yes - 1), Message::Accepted(ballot));
                assert_eq!(!told(&out).is_empty(), yes * 2 > nodes, "{yes} of {nodes} have accepted, itself included");
            }
        }
    }

    /// An answer to an attempt that was given up says nothing about the one under way: no promise, no refusal and no
    /// acceptance. Of five nodes three are a majority.
    #[test]
    fn answers_to_an_earlier_ballot_do_not_count() {
        let mut process = Process::new(P, 5, Seed(1), None);
        let old = prepared(&step(&mut process, call(0, "x")));
        let new = prepared(&step(&mut process, Input::Timer(Retry)));
        assert!(new > old, "a second attempt outbids the first");
        for from in [Q, C] {
            let out = hear(&mut process, from, Message::Promise(old, None));
            assert_eq!(sent(&out), [], "{from} promised {old:?}, and {new:?} is under way");
        }
        hear(&mut process, Q, Message::Refused { ballot: old, promised: new });
        hear(&mut process, Q, Message::Promise(new, None));
        let out = hear(&mut process, C, Message::Promise(new, None));
        assert!(!sent(&out).is_empty(), "a majority has promised {new:?}; a late refusal of {old:?} ends nothing");

        let newer = prepared(&step(&mut process, Input::Timer(Retry)));
        for from in [Q, C] {
            hear(&mut process, from, Message::Promise(newer, None));
        }
        for from in [Q, C] {
            let out = hear(&mut process, from, Message::Accepted(new));
            assert_eq!(told(&out), [], "{from} accepted under {new:?}, and {newer:?} is under way");
        }
    }

    #[test]
    fn a_new_call_takes_a_new_ballot_and_its_own_value() {
        let mut process = proposer(None);
        let first = prepared(&step(&mut process, call(0, "x")));
        let second = prepared(&step(&mut process, call(1, "y")));
        assert!(second > first, "{first:?} may stand for x already; for y it uses {second:?}");
        let out = hear(&mut process, Q, Message::Promise(second, None));
        assert!(sent(&out).contains(&(Q, Message::Accept(second, "y"))), "the new call replaces the first: {out:?}");
        assert_eq!(told(&hear(&mut process, Q, Message::Accepted(second))), [(CallId(1), "y")]);
    }

    /// A node that has accepted something knows what one acceptor of five has accepted, and no more.
    #[test]
    fn what_one_of_five_has_accepted_is_not_decided() {
        let mut process = Process::new(P, 5, Seed(1), None);
        hear(&mut process, C, Message::Accept(ballot(1, C), "v"));
        let out = step(&mut process, call(0, "x"));
        assert_eq!(told(&out), [], "four others may have accepted something else");
        prepared(&out);
    }

    /// Two of three hold the same value, one since 1.n2, one since 3.n2. No majority accepted it under one number: a
    /// proposer between the two may be about to get another one accepted. So it is proposed, not told.
    #[test]
    fn one_value_under_two_numbers_is_not_decided() {
        let has = |round| Some(Accepted { ballot: ballot(round, C), value: "v" });
        let disk = Disk { promised: Some(ballot(1, C)), accepted: has(1), last: None };
        let mut process = proposer(Some(disk));
        let mut bid = prepared(&step(&mut process, call(1, "x")));
        for _ in 0..10 {
            if bid < ballot(3, C) {
                hear(&mut process, Q, Message::Refused { ballot: bid, promised: ballot(3, C) });
                bid = prepared(&step(&mut process, Input::Timer(Retry)));
            }
        }
        assert!(bid >= ballot(3, C), "refused ten times in favour of 3.n2, it still bids {bid:?}");
        let out = hear(&mut process, Q, Message::Promise(bid, has(3)));
        assert_eq!(told(&out), [], "two hold v, under 1.n2 and under 3.n2");
        assert!(sent(&out).contains(&(Q, Message::Accept(bid, "v"))), "it proposes what it was told of: {out:?}");
    }

    /// One proposer, nobody in its way: two round trips.
    #[test]
    fn a_proposer_alone_decides_in_two_round_trips() {
        for value in ["x", ""] {
            let mut sim = Sim::new(Seed(1), |id, disk| Process::new(id, 3, Seed(1), disk));
            sim.set_network(Network::exact(Millis(5)));
            let [p, ..] = sim.join_all(["p", "q", "c"]);
            assert_eq!(sim.ask(p, Propose(value), Millis(20)), Some(Decided(value)), "{sim}");
        }
    }

    /// Three acceptors, two of which propose, a crash of the third at any moment, any order of messages, any loss. (A
    /// proposer that crashes is one whose messages are lost; of its acceptor all is true that is true of the third.)
    #[test]
    fn two_proposers_and_a_crash_never_decide_two_values() {
        let proposers_up =
            |state: &WorldState<Process>| [P, Q].map(|id| state.cluster().up().any(|(up, _)| up == id)) == [true; 2];
        let calls = world().call(P, Propose("")).call(Q, Propose("x"));
        let world = calls.crashes(1).fires(0).within(proposers_up);
        let both = |state: &WorldState<Process>, wanted| {
            let told = state.history().iter().filter(|(_, reply)| *reply == Some(Decided(wanted))).count();
            told == 2
        };
        prove(
            &judged(world)
                .after(|stage| stage.take("one of the calls comes first", |action| *action == Action::Call(CallId(0))))
                .sometimes("x is decided", |state| is_decided(state, "x"))
                .sometimes("the empty value is decided", |state| is_decided(state, ""))
                .sometimes("both clients are told the empty value", move |state| both(state, ""))
                .sometimes("a node is down while a value is decided", |state| {
                    state.cluster().up().count() == 2 && decided(state).next().is_some()
                }),
        );
    }

    /// p was outbid at the last moment and tries again, above both; meanwhile q is about to have its value accepted.
    /// From there on everything is searched.
    #[test]
    fn a_second_attempt_never_decides_a_second_value() {
        let world = world().call(P, Propose("")).call(Q, Propose("x")).fires(1);
        let second = |state: &WorldState<Process>| {
            state.messages().any(|(_, _, message)| matches!(message, Message::Accept(ballot, _) if ballot.round > 1))
        };
        prove(
            &judged(world)
                .after(|stage| {
                    begin(stage, P, CallId(0));
                    begin(stage, Q, CallId(1));
                    refuse(stage, P);
                })
                .sometimes("the second attempt gets a majority of promises", second)
                .sometimes("x is decided", |state| is_decided(state, "x"))
                .sometimes("the empty value is decided", |state| is_decided(state, "")),
        );
    }
}

fn deliver(stage: &mut Stage<World<Process>>, a: NodeId, b: NodeId, wanted: impl Fn(&Message) -> bool) {
    stage.take(
        &format!("a message from {a} to {b}"),
        |action| matches!(action, Action::Deliver { from, to, message } if (*from, *to) == (a, b) && wanted(message)),
    );
}

/// `who` prepares at c and hears its promise; with its own that is a majority, so it sends "accept".
fn begin(stage: &mut Stage<World<Process>>, who: NodeId, call: CallId) {
    stage.take("the call", |action| *action == Action::Call(call));
    majority_promises(stage, who);
}

fn majority_promises(stage: &mut Stage<World<Process>>, who: NodeId) {
    let prepares = stage.state().messages().filter_map(|(from, _, message)| match message {
        Message::Prepare(ballot) if *from == who => Some(*ballot),
        _ => None,
    });
    let newest = prepares.max().expect("an attempt begins with a prepare to everybody");
    deliver(stage, who, C, |message| *message == Message::Prepare(newest));
    deliver(stage, C, who, |message| matches!(message, Message::Promise(ballot, _) if *ballot == newest));
}

/// c refuses what `who` wants accepted, and `who` tries again.
fn refuse(stage: &mut Stage<World<Process>>, who: NodeId) {
    deliver(stage, who, C, |message| matches!(message, Message::Accept(..)));
    deliver(stage, C, who, |message| matches!(message, Message::Refused { .. }));
    stage.take(
        "the one who was refused tries again",
        |action| matches!(action, Action::Fire(node, Retry) if *node == who),
    );
}

mod stage_2_progress {
    use super::*;
    use kit::Fault;

    #[test]
    fn a_backoff_is_drawn_from_a_range_that_doubles() {
        let mut drawn = BTreeSet::new();
        for attempt in 1..=10_u32 {
            let longest = BACKOFF.0 << attempt.min(6);
            let all: Vec<u64> = (0..400).map(|seed| backoff(Seed(seed), attempt).0).collect();
            let within = all.iter().all(|wait| (1..=longest).contains(wait));
            let (least, most) = (all.iter().min(), all.iter().max());
            assert!(within, "attempt {attempt}: {least:?} to {most:?} ms, and 1 to {longest} was asked for");
            let upper = all.iter().filter(|wait| **wait > longest / 2).count();
            // Of 400 fair draws fewer than 140 or more than 260 lie in the upper half once in a billion times.
            assert!((140..=260).contains(&upper), "attempt {attempt}: {upper} of 400 lie in the upper half");
            drawn.extend(all);
        }
        assert!(drawn.len() > 500, "only {} different times in 4 000", drawn.len());
    }

    #[test]
    fn a_backoff_follows_from_the_seed() {
        for attempt in 1..=8 {
            assert_eq!(backoff(Seed(7), attempt), backoff(Seed(7), attempt), "or a failure could not be replayed");
        }
    }

    /// The waits of node `id` in the run of `seed` when its first seven attempts are refused.
    fn waits(id: NodeId, seed: Seed) -> Vec<u64> {
        let mut process = Process::new(id, 5, seed, None);
        let mut bid = prepared(&step(&mut process, call(0, "x")));
        let mut waits = vec![];
        for _ in 0..7 {
            let promised = ballot(bid.round + 5, C);
            let out = hear(&mut process, C, Message::Refused { ballot: bid, promised });
            let set = out.iter().rev().find_map(|output| match output {
                Output::SetTimer { after, .. } => Some(after.0),
                _ => None,
            });
            waits.push(set.unwrap_or_else(|| panic!("refused, it sets no timer to try again: {out:?}")));
            bid = prepared(&step(&mut process, Input::Timer(Retry)));
        }
        waits
    }

    /// Everybody in a run has the same seed. If everybody drew the same waits from it, nobody would be out of step.
    #[test]
    fn a_refused_proposer_waits_for_a_backoff_of_its_own() {
        let runs: Vec<_> = (0..100).map(|seed| [P, Q].map(|id| waits(id, Seed(seed)))).collect();
        for refusal in 0..7 {
            let limit = BACKOFF.0 << (refusal + 1).min(6);
            let longest = runs.iter().flatten().map(|waits| waits[refusal]).max().unwrap_or_default();
            // All of 200 fair draws are in the lower half once in 10^60.
            assert!(
                (limit / 2..=limit).contains(&longest),
                "before repetition {} the longest of 200 waits was {longest} ms, and up to {limit} is asked for",
                refusal + 1
            );
        }
        // Seven fair draws of two nodes are alike once in 10^12.
        let alike = runs.iter().filter(|[p, q]| p == q).count();
        assert_eq!(
            alike, 0,
            "in {alike} of 100 runs p and q, refused at the same time, wait for the same time, always"
        );
    }

    /// Safety needs no clock; progress does. An adversary who always delivers a new "prepare" just before the other's
    /// "accept" keeps both busy for ever. Nobody is lost, nobody crashes, and every step is the protocol's own.
    #[test]
    fn without_luck_two_proposers_duel_for_ever() {
        let world = world().call(P, Propose("")).call(Q, Propose("x"));
        let duel = judged(world).after(|stage| {
            begin(stage, P, CallId(0));
            begin(stage, Q, CallId(1));
            for round in 0..20 {
                let late = if round % 2 == 0 { P } else { Q };
                refuse(stage, late);
                majority_promises(stage, late);
            }
            let told = stage.state().history().iter().filter(|(_, reply)| reply.is_some()).count();
            assert_eq!(told, 0, "twenty rounds, and nothing is decided");
        });
        prove(&duel.depth(3));
    }

    fn cluster<const N: usize>(seed: Seed, network: Network) -> (Sim<Process>, [NodeId; N]) {
        let mut sim = Sim::new(seed, move |id, disk| Process::new(id, N, seed, disk)).over(network);
        let mut names = ["p", "q", "r", "s", "t"].into_iter();
        let nodes = [(); N].map(|()| sim.join(names.next().expect("at most five")));
        (sim, nodes)
    }

    const VALUES: [Value; 5] = ["", "x", "y", "z", "w"];

    /// Runs until all calls are answered, at most `limit`; returns how long it took.
    fn run(sim: &mut Sim<Process>, calls: &[CallId], limit: Millis) -> Millis {
        let began = sim.now();
        let all = sim.run_until(limit, |sim| calls.iter().all(|call| sim.reply(*call).is_some()));
        let answered = calls.iter().filter(|call| sim.reply(**call).is_some()).count();
        assert!(all, "{answered} of {} calls are answered after {limit}\n{sim}", calls.len());
        let told: BTreeSet<Value> = calls.iter().filter_map(|call| sim.reply(*call)).map(|Decided(v)| *v).collect();
        assert_eq!(told.len(), 1, "agreement: clients were told {told:?}\n{sim}");
        sim.now().since(began)
    }

    /// In step on a network whose every message takes 5 ms: whoever repeats at once would be in the other's way again.
    #[test]
    fn two_duelling_proposers_decide_within_a_second() {
        let mut longest = Millis(0);
        for_seeds(20, |seed| {
            for offset in 0..=20 {
                let (mut sim, [p, q, _]) = cluster(seed, Network::exact(Millis(5)));
                let first = sim.call(p, Propose(VALUES[0]));
                sim.run_for(Millis(offset));
                let second = sim.call(q, Propose(VALUES[1]));
                longest = longest.max(run(&mut sim, &[first, second], Millis(1_000)));
            }
        });
        println!("the longest of 420 duels took {longest}");
    }

    #[test]
    fn five_proposers_decide_within_five_seconds() {
        let mut longest = Millis(0);
        for_seeds(100, |seed| {
            let (mut sim, nodes) = cluster::<5>(seed, Network::reliable());
            let calls: Vec<_> = nodes.iter().zip(VALUES).map(|(who, value)| sim.call(*who, Propose(value))).collect();
            longest = longest.max(run(&mut sim, &calls, Millis(5_000)));
        });
        println!("the longest of 100 took {longest}");
    }

    /// Two of five are down, the network loses and doubles a message in ten, and a third restarts in the middle.
    #[test]
    fn a_minority_down_and_a_bad_network_only_delay_the_decision() {
        let seen = Sometimes::expect(["somebody was refused", "the value of another was taken over"]);
        for_seeds(100, |seed| {
            let (mut sim, [p, q, r, s, t]) = cluster(seed, Network::unreliable());
            for node in [s, t] {
                sim.inject(Fault::Crash { node, lose_last_write: false });
            }
            sim.inject_after(Millis(15), Fault::Crash { node: r, lose_last_write: false });
            sim.inject_after(Millis(60), Fault::Restart(r));
            let calls: Vec<_> = [p, q].iter().zip(VALUES).map(|(who, value)| sim.call(*who, Propose(value))).collect();
            run(&mut sim, &calls, Millis(10_000));
            let refused = sim.trace().events.iter().any(|event| {
                matches!(&event.what, kit::trace::What::Delivered { label, .. } if label.starts_with("refused"))
            });
            seen.saw("somebody was refused", refused);
            let others = calls.iter().zip(VALUES).any(|(call, own)| sim.reply(*call) != Some(&Decided(own)));
            seen.saw("the value of another was taken over", others);
        });
    }
}
