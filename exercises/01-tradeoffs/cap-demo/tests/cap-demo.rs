//! Stage 1: a register that refuses. Stage 2: one that diverges and heals. Stage 3: there is no third.

use cap_demo::{
    ApReplica, CpMessage, CpReplica, Fate, GOSSIP, PATIENCE, Reply, Request, Schedule, Strategy, Told, Version,
    Versioned, WhenSilent, counterexample, is_available, is_linearizable, run, schedules,
};
use kit::chaos::{Chaos, Step, trial};
use kit::history::{Budget, History, Register, RegisterOp, Returned, Verdict};
use kit::rand::RngExt as _;
use kit::trace::What;
use kit::{CallId, Fault, Input, Millis, Network, Node, NodeId, Output, Seed, Sim, Sometimes, Time, for_seeds};

/// Longer than any call can take: two round trips and the patience.
const A_WHILE: Millis = Millis(200);

/// What clients saw, without what certainly had no effect: a read that was refused.
fn history<N: Node<Request = Request, Reply = Reply>>(sim: &Sim<N>) -> History<Register<(), u32>> {
    let mut history = History::default();
    for call in sim.calls() {
        let client = format!("at {}", sim.trace().lanes[call.node.0]);
        match (call.request, &call.replied) {
            (Request::Read, None | Some((_, Reply::Unavailable))) => {}
            (Request::Read, Some((moment, Reply::Value(value)))) => {
                history.add(client, RegisterOp::Read(()), call.called, Some((*moment, Returned::Value(*value))));
            }
            (Request::Write(value), Some((moment, Reply::Done))) => {
                history.add(client, RegisterOp::Write((), value), call.called, Some((*moment, Returned::Done)));
            }
            // Refused or unanswered: it may have taken effect or not.
            (Request::Write(value), _) => history.add(client, RegisterOp::Write((), value), call.called, None),
            (request, Some((_, reply))) => panic!("{request:?} was answered {reply:?}\n{sim}"),
        }
    }
    history
}

/// Calls and faults at random for a second. Every value is written once, so that a read tells which write it saw.
fn plan(seed: Seed) -> Vec<Step<Request>> {
    let chaos = Chaos { partitions: 3, cuts: 2, pauses: 1, ..Chaos::calm(3, Millis(1_000), 16) };
    chaos.plan(seed, |rng, call| if rng.random_bool(0.5) { Request::Write(call as u32) } else { Request::Read })
}

mod stage_1_refuse {
    use super::*;

    fn cluster<const N: usize>(seed: Seed, names: [&str; N]) -> (Sim<CpReplica>, [NodeId; N]) {
        let mut sim = Sim::new(seed, |id, _| CpReplica::new(id, N));
        let nodes = sim.join_all(names);
        (sim, nodes)
    }

    #[test]
    fn what_is_written_at_one_replica_is_read_at_another() {
        let (mut sim, [a, b, c]) = cluster(Seed(1), ["a", "b", "c"]);
        assert_eq!(sim.ask(c, Request::Read, A_WHILE), Some(Reply::Value(None)), "nothing was written yet\n{sim}");
        let write = sim.ask(a, Request::Write(7), A_WHILE);
        assert_eq!(write, Some(Reply::Done), "all three are up and nothing is lost\n{sim}");
        for node in [b, c] {
            let read = sim.ask(node, Request::Read, A_WHILE);
            assert_eq!(read, Some(Reply::Value(Some(7))), "a majority holds the 7\n{sim}");
        }
    }

    #[test]
    fn a_register_of_one_replica_is_its_own_majority() {
        let (mut sim, [a]) = cluster(Seed(1), ["a"]);
        let write = sim.ask(a, Request::Write(7), A_WHILE);
        assert_eq!(write, Some(Reply::Done), "one of one is a majority, and nobody else is to be asked\n{sim}");
        let read = sim.ask(a, Request::Read, A_WHILE);
        assert_eq!(read, Some(Reply::Value(Some(7))), "it holds the 7 itself\n{sim}");
    }

    /// The link to `a` fails. Its clients are refused; those of `b` and `c` notice nothing.
    #[test]
    fn the_majority_side_of_a_split_goes_on() {
        let (mut sim, [a, b, c]) = cluster(Seed(1), ["a", "b", "c"]);
        sim.inject(Fault::Partition(vec![vec![a], vec![b, c]]));
        assert_eq!(sim.ask(b, Request::Write(7), A_WHILE), Some(Reply::Done), "two of three are a majority\n{sim}");
        assert_eq!(sim.ask(c, Request::Read, A_WHILE), Some(Reply::Value(Some(7))), "{sim}");
    }

    #[test]
    fn the_minority_side_refuses_instead_of_guessing() {
        let (mut sim, [a, b, c]) = cluster(Seed(1), ["a", "b", "c"]);
        sim.inject(Fault::Partition(vec![vec![a], vec![b, c]]));
        for request in [Request::Write(7), Request::Read] {
            let asked = sim.now();
            let reply = sim.ask(a, request, A_WHILE);
            let told = format!("a is alone and cannot know what b and c do meanwhile: {request:?}\n{sim}");
            assert_eq!(reply, Some(Reply::Unavailable), "{told}");
            assert_eq!(
                sim.now().since(asked),
                PATIENCE,
                "it waits for the others as long as its patience lasts\n{sim}"
            );
        }
    }

    #[test]
    fn half_of_the_replicas_are_no_majority() {
        let (mut sim, [a, b, c, d]) = cluster(Seed(1), ["a", "b", "c", "d"]);
        sim.inject(Fault::Partition(vec![vec![a, b], vec![c, d]]));
        let (left, right) = (sim.ask(a, Request::Write(1), A_WHILE), sim.ask(c, Request::Write(2), A_WHILE));
        assert_eq!(
            (left, right),
            (Some(Reply::Unavailable), Some(Reply::Unavailable)),
            "each half counts two of four\n{sim}"
        );

        let (mut sim, nodes) = cluster(Seed(1), ["a", "b", "c", "d", "e", "f", "g"]);
        sim.inject(Fault::Partition(vec![nodes[..3].to_vec(), nodes[3..].to_vec()]));
        let reply = sim.ask(nodes[0], Request::Write(1), A_WHILE);
        assert_eq!(reply, Some(Reply::Unavailable), "three of seven are less than half\n{sim}");
    }

    /// Three of seven are cut off. Who waits for all but one of the replicas needs six.
    #[test]
    fn one_more_than_half_is_enough() {
        let (mut sim, nodes) = cluster(Seed(1), ["a", "b", "c", "d", "e", "f", "g"]);
        sim.inject(Fault::Partition(vec![nodes[..3].to_vec(), nodes[3..].to_vec()]));
        let reply = sim.ask(nodes[3], Request::Write(7), A_WHILE);
        assert_eq!(reply, Some(Reply::Done), "four of seven are a majority\n{sim}");
        let reply = sim.ask(nodes[6], Request::Read, A_WHILE);
        assert_eq!(reply, Some(Reply::Value(Some(7))), "four of seven are a majority\n{sim}");
    }

    /// `a` missed five writes. When it takes in one of its own, that write must come after them.
    #[test]
    fn a_replica_that_was_cut_off_does_not_write_into_the_past() {
        let (mut sim, [a, b, c]) = cluster(Seed(1), ["a", "b", "c"]);
        sim.inject(Fault::Partition(vec![vec![a], vec![b, c]]));
        for value in 1..=5 {
            assert_eq!(sim.ask(b, Request::Write(value), A_WHILE), Some(Reply::Done), "{sim}");
        }
        sim.inject(Fault::Heal);
        assert_eq!(sim.ask(a, Request::Write(6), A_WHILE), Some(Reply::Done), "{sim}");
        let read = sim.ask(c, Request::Read, A_WHILE);
        assert_eq!(read, Some(Reply::Value(Some(6))), "6 was acknowledged last, and it is not what is read\n{sim}");
    }

    /// A write reaches `a` alone before the network splits. Its client is refused, and that must not be the last word:
    /// whoever reads the value has seen it, and nobody may read the old one after that.
    #[test]
    fn what_one_reader_saw_no_later_reader_unsees() {
        let (mut sim, [a, b, c]) = cluster(Seed(1), ["a", "b", "c"]);
        sim.set_network(Network::exact(Millis(5)));
        let refused = sim.call(a, Request::Write(7));
        sim.run_for(Millis(9)); // b and c have told what they hold; a has not heard it yet
        sim.inject(Fault::Cut { from: a, to: b });
        sim.inject(Fault::Cut { from: a, to: c });
        sim.run_for(A_WHILE);
        assert_eq!(
            sim.reply(refused),
            Some(&Reply::Unavailable),
            "nobody but a can hold the 7: being told is not being stored\n{sim}"
        );

        sim.inject(Fault::Partition(vec![vec![a, b], vec![c]]));
        let first = sim.ask(b, Request::Read, A_WHILE);
        assert_eq!(first, Some(Reply::Value(Some(7))), "a and b are a majority, and a holds the 7\n{sim}");
        sim.inject(Fault::Partition(vec![vec![a], vec![b, c]]));
        let second = sim.ask(c, Request::Read, A_WHILE);
        assert_eq!(second, Some(Reply::Value(Some(7))), "the read at b returned 7, a later one at c did not\n{sim}");
    }

    /// `a` and `b` write at the same time and both are told of nothing, so both writes have counter 1. c hears of b's first.
    #[test]
    fn of_two_writes_with_one_counter_the_greater_writer_s_is_kept() {
        let (mut sim, [a, b, _]) = cluster(Seed(1), ["a", "b", "c"]);
        sim.set_network(Network::exact(Millis(5)));
        let writes = [sim.call(b, Request::Write(1)), sim.call(a, Request::Write(3))];
        sim.run_for(Millis(12)); // the stores are under way; those between a and b will not arrive
        sim.inject(Fault::Cut { from: a, to: b });
        sim.inject(Fault::Cut { from: b, to: a });
        sim.run_for(A_WHILE);
        for write in writes {
            assert_eq!(
                sim.reply(write),
                Some(&Reply::Done),
                "c confirms both: it holds that or something newer\n{sim}"
            );
        }
        for node in [a, b] {
            let read = sim.ask(node, Request::Read, A_WHILE);
            assert_eq!(read, Some(Reply::Value(Some(1))), "both have counter 1, and b is the greater writer\n{sim}");
        }
    }

    /// Two clients of one replica write in the same millisecond, and its majority tells both the same.
    #[test]
    fn two_writes_at_one_replica_are_both_done_under_two_versions() {
        let (mut sim, [a, _, _]) = cluster(Seed(1), ["a", "b", "c"]);
        let writes = [sim.call(a, Request::Write(1)), sim.call(a, Request::Write(2))];
        sim.run_for(A_WHILE);
        for write in writes {
            assert_eq!(sim.reply(write), Some(&Reply::Done), "the network is whole: a serves both\n{sim}");
        }
        let mut replica = CpReplica::new(NodeId(0), 3);
        let mut given = vec![];
        for call in [CallId(0), CallId(1)] {
            replica.step(Input::Request { call, request: Request::Write(call.0 as u32) }, Time(0));
        }
        for call in [CallId(0), CallId(1)] {
            let tell = CpMessage::Tell(call, Versioned::default());
            let out = replica.step(Input::Message { from: NodeId(1), message: tell }, Time(5));
            given.extend(out.iter().find_map(|output| match output {
                Output::Send { message: CpMessage::Store(_, versioned), .. } => Some(versioned.version),
                _ => None,
            }));
        }
        assert!(given.len() == 2 && given[0] != given[1], "its own copy counts too, as it is by then: {given:?}");
    }

    /// A call that still waits 100 ms after it came is refused, whichever of its phases it is in.
    #[test]
    fn both_phases_share_one_patience() {
        let (mut sim, [a, b, c]) = cluster(Seed(1), ["a", "b", "c"]);
        sim.set_network(Network::exact(Millis(40)));
        let write = sim.call(a, Request::Write(7));
        sim.run_for(Millis(85)); // the first phase took 80
        sim.inject(Fault::Partition(vec![vec![a], vec![b, c]]));
        sim.run_for(Millis(15));
        assert_eq!(sim.reply(write), Some(&Reply::Unavailable), "{PATIENCE} after the call came\n{sim}");
    }

    /// A majority told what it holds; then `a` is cut off, and nobody confirms that it stores what is to be returned.
    #[test]
    fn a_read_that_no_majority_stored_is_refused() {
        let (mut sim, [a, b, c]) = cluster(Seed(1), ["a", "b", "c"]);
        sim.set_network(Network::exact(Millis(5)));
        let read = sim.call(a, Request::Read);
        sim.run_for(Millis(9));
        sim.inject(Fault::Cut { from: a, to: b });
        sim.inject(Fault::Cut { from: a, to: c });
        sim.run_for(A_WHILE);
        assert_eq!(sim.reply(read), Some(&Reply::Unavailable), "being told is not being stored\n{sim}");
    }

    /// While a read has others store what it was told, word of a newer write comes, as another's store or as a late answer.
    /// That write is on one replica, as far as anybody knows.
    #[test]
    fn a_read_returns_what_it_had_stored_not_what_came_meanwhile() {
        let newer = Versioned { version: Version { counter: 1, writer: NodeId(2) }, value: Some(7) };
        for meanwhile in [CpMessage::Store(CallId(9), newer), CpMessage::Tell(CallId(0), newer)] {
            let mut replica = CpReplica::new(NodeId(0), 3);
            replica.step(Input::Request { call: CallId(0), request: Request::Read }, Time(0));
            let nothing = CpMessage::Tell(CallId(0), Versioned::default());
            replica.step(Input::Message { from: NodeId(1), message: nothing }, Time(5));
            replica.step(Input::Message { from: NodeId(2), message: meanwhile }, Time(6));
            let stored = CpMessage::Stored(CallId(0));
            let out = replica.step(Input::Message { from: NodeId(1), message: stored }, Time(10));
            let early = out.iter().any(|output| matches!(output, Output::Reply { reply: Reply::Value(Some(7)), .. }));
            assert!(!early, "b confirmed that it stores nothing; it was never told of the 7 of {meanwhile:?}: {out:?}");
        }
    }

    /// Every message arrives twice. In the smaller half of five, one peer's two answers are still one peer.
    #[test]
    fn a_replica_that_answers_twice_counts_once() {
        let (mut sim, [a, b, c, d, e]) = cluster(Seed(1), ["a", "b", "c", "d", "e"]);
        sim.set_network(Network { duplicated: 1.0, ..Network::reliable() });
        sim.inject(Fault::Partition(vec![vec![a, b], vec![c, d, e]]));
        let reply = sim.ask(a, Request::Write(7), A_WHILE);
        assert_eq!(reply, Some(Reply::Unavailable), "a and b are two of five, however often b answers\n{sim}");
    }

    #[test]
    fn a_call_is_answered_once() {
        for_seeds(20, |seed| {
            let (mut sim, [a, b, c]) = cluster(seed, ["a", "b", "c"]);
            // Slow enough that some answers come after the refusal.
            sim.set_network(Network { delay: (Millis(1), Millis(60)), duplicated: 0.3, ..Network::reliable() });
            for node in [a, b, c] {
                sim.call(node, Request::Write(node.0 as u32));
                sim.call(node, Request::Read);
            }
            sim.run_for(Millis(1_000));
            for call in sim.calls() {
                let answers = answers(&sim, call.id);
                assert_eq!(answers, 1, "{} {:?} was answered {answers} times\n{sim}", call.id, call.request);
            }
        });
    }

    fn answers(sim: &Sim<CpReplica>, call: CallId) -> usize {
        let replied = |what: &What| matches!(what, What::Replied { call: of, .. } if *of == call);
        sim.trace().events.iter().filter(|event| replied(&event.what)).count()
    }

    fn is_split(sim: &Sim<CpReplica>, at: Time) -> bool {
        let before = sim.trace().events.iter().rev().filter(|event| event.at < at);
        let change = before.filter_map(|event| match &event.what {
            What::Network { label } => Some(label),
            _ => None,
        });
        change.take(1).any(|label| label.starts_with("partition"))
    }

    /// The promise as a whole: whatever the network does, clients cannot tell the three replicas from one register.
    #[test]
    fn clients_see_one_register_whatever_the_network_does() {
        let seen =
            Sometimes::expect(["a write was refused", "a write was done during a split", "a refused write was read"]);
        for_seeds(200, |seed| {
            let unreliable = |seed| {
                let (mut sim, _) = cluster(seed, ["a", "b", "c"]);
                sim.set_network(Network::unreliable());
                sim
            };
            let sim = trial(seed, &plan(seed), unreliable, |sim| {
                sim.mend();
                sim.run_for(A_WHILE);
                history(sim).linearizable()
            });

            let refused = |value: u32| {
                let write = sim.calls().iter().find(|call| call.request == Request::Write(value));
                write.is_some_and(|call| matches!(call.replied, Some((_, Reply::Unavailable))))
            };
            for call in sim.calls() {
                match (call.request, &call.replied) {
                    (Request::Write(_), Some((_, Reply::Unavailable))) => seen.saw("a write was refused", true),
                    (Request::Write(_), Some((moment, Reply::Done))) => {
                        seen.saw("a write was done during a split", is_split(&sim, moment.at));
                    }
                    (Request::Read, Some((_, Reply::Value(Some(value))))) => {
                        seen.saw("a refused write was read", refused(*value));
                    }
                    _ => {}
                }
            }
        });
    }
}

mod stage_2_diverge {
    use super::*;

    fn cluster(seed: Seed) -> (Sim<ApReplica>, [NodeId; 3]) {
        let mut sim = Sim::new(seed, |id, _| ApReplica::new(id, 3));
        let nodes = sim.join_all(["a", "b", "c"]);
        (sim, nodes)
    }

    /// What each replica holds.
    fn held(sim: &Sim<ApReplica>) -> Vec<Option<u32>> {
        sim.cluster().up().map(|(_, replica)| replica.held().value).collect()
    }

    #[test]
    fn every_replica_answers_at_once_even_when_it_is_alone() {
        let (mut sim, [a, b, c]) = cluster(Seed(1));
        sim.inject(Fault::Partition(vec![vec![a], vec![b], vec![c]]));
        for (node, value) in [(a, 1), (b, 2), (c, 3)] {
            assert_eq!(
                sim.ask(node, Request::Write(value), Millis(0)),
                Some(Reply::Done),
                "it waits for nobody\n{sim}"
            );
            let read = sim.ask(node, Request::Read, Millis(0));
            assert_eq!(read, Some(Reply::Value(Some(value))), "it has just taken this write in itself\n{sim}");
        }
    }

    #[test]
    fn a_write_reaches_the_others_while_the_network_is_whole() {
        let (mut sim, [a, _, _]) = cluster(Seed(1));
        sim.ask(a, Request::Write(7), Millis(0));
        sim.run_for(Millis(10)); // the slowest message
        assert_eq!(held(&sim), [Some(7); 3], "every message has arrived\n{sim}");
    }

    /// What availability costs: clients of the two sides see things that no single register could have shown them.
    #[test]
    fn the_two_sides_of_a_split_tell_different_stories() {
        let (mut sim, [a, b, c]) = cluster(Seed(1));
        sim.ask(a, Request::Write(1), Millis(0));
        sim.run_for(A_WHILE);
        sim.inject(Fault::Partition(vec![vec![a], vec![b, c]]));
        assert_eq!(sim.ask(a, Request::Write(2), Millis(0)), Some(Reply::Done), "{sim}");
        sim.run_for(A_WHILE);
        assert_eq!(sim.ask(c, Request::Read, Millis(0)), Some(Reply::Value(Some(1))), "c cannot know of the 2\n{sim}");
        let verdict = history(&sim).check(Budget::default());
        assert!(
            matches!(verdict, Verdict::Violated(_)),
            "a stale read is not linearizable, and this is {verdict:?}\n{sim}"
        );
    }

    /// Nobody writes after the split, so what was lost in it must be sent again without being asked for.
    #[test]
    fn what_the_split_swallowed_is_told_again_after_it() {
        let (mut sim, [a, b, c]) = cluster(Seed(1));
        sim.inject(Fault::Partition(vec![vec![a], vec![b, c]]));
        sim.ask(a, Request::Write(7), Millis(0));
        sim.run_for(Millis(10_000));
        sim.inject(Fault::Heal);
        sim.run_for(GOSSIP + Millis(10));
        assert_eq!(held(&sim), [Some(7); 3], "one round of gossip and the slowest message after the healing\n{sim}");
    }

    /// The 1 takes a slow way and arrives after the 2, which left later.
    #[test]
    fn a_late_message_does_not_bring_an_old_value_back() {
        let (mut sim, [a, _, _]) = cluster(Seed(1));
        let way = |delay| Network { in_order: false, ..Network::exact(Millis(delay)) };
        sim.set_network(way(70));
        sim.ask(a, Request::Write(1), Millis(0));
        sim.set_network(way(5));
        sim.ask(a, Request::Write(2), Millis(0));
        sim.run_for(Millis(71));
        assert_eq!(held(&sim), [Some(2); 3], "the 1 arrived at t=70, and 2 was written by one who knew of it\n{sim}");
    }

    /// Two writes that know nothing of each other have equal counters. Whichever wins, it must win everywhere.
    #[test]
    fn of_two_equal_counters_the_same_one_wins_everywhere() {
        let (mut sim, [a, b, c]) = cluster(Seed(1));
        sim.inject(Fault::Partition(vec![vec![a], vec![b], vec![c]]));
        sim.ask(a, Request::Write(3), Millis(0));
        sim.ask(c, Request::Write(1), Millis(0));
        sim.inject(Fault::Heal);
        sim.run_for(GOSSIP + Millis(10));
        for _ in 0..20 {
            sim.run_for(Millis(5));
            assert_eq!(
                held(&sim),
                [Some(1); 3],
                "both have counter 1; c is the greater writer, a's 3 the greater value\n{sim}"
            );
        }
    }

    /// Neither the value nor a clock nor how often a replica wrote says what is newer: who writes has seen what it replaces.
    #[test]
    fn a_write_is_newer_than_all_that_its_replica_knew() {
        let (mut sim, [a, _, c]) = cluster(Seed(1));
        sim.run_for(Millis(2_000));
        for value in [1, 2, 9] {
            sim.ask(a, Request::Write(value), Millis(0));
        }
        sim.run_for(Millis(10));
        sim.inject(Fault::ClockJump { node: c, by: -1_000 });
        sim.ask(c, Request::Write(4), Millis(0));
        sim.run_for(GOSSIP + Millis(10));
        assert_eq!(held(&sim), [Some(4); 3], "c held the 9 when it wrote the 4\n{sim}");
        sim.ask(a, Request::Write(3), Millis(0));
        sim.run_for(GOSSIP + Millis(10));
        assert_eq!(held(&sim), [Some(3); 3], "a held the 4 when it wrote the 3\n{sim}");
    }

    /// a tells b and is then cut off from both. Only b can tell c.
    #[test]
    fn what_a_replica_heard_it_tells_on() {
        let (mut sim, [a, b, c]) = cluster(Seed(1));
        sim.inject(Fault::Partition(vec![vec![a, b], vec![c]]));
        sim.ask(a, Request::Write(7), Millis(0));
        sim.run_for(Millis(20));
        sim.inject(Fault::Partition(vec![vec![a], vec![b, c]]));
        sim.run_for(GOSSIP + GOSSIP + Millis(10));
        assert_eq!(held(&sim), [Some(7); 3], "b holds a's 7 and can reach c\n{sim}");
    }

    #[test]
    fn while_nobody_writes_each_replica_tells_each_other_once_a_round() {
        let (mut sim, [a, _, _]) = cluster(Seed(1));
        sim.ask(a, Request::Write(7), Millis(0));
        sim.run_for(Millis(1_000));
        let before = sim.trace().events.len();
        sim.run_for(Millis(10 * GOSSIP.0));
        let heard = |event: &&kit::trace::Event| matches!(event.what, What::Delivered { .. });
        let messages = sim.trace().events[before..].iter().filter(heard).count();
        assert!(messages <= 60, "ten rounds of three replicas, two messages each, are 60 messages, not {messages}");
    }

    #[test]
    fn replicas_converge_whatever_the_network_did() {
        let seen = Sometimes::expect(["replicas differed before the healing", "an acknowledged write was lost"]);
        for_seeds(200, |seed| {
            let unreliable = |seed| {
                let (mut sim, _) = cluster(seed);
                sim.set_network(Network::unreliable());
                sim
            };
            drop(trial(seed, &plan(seed), unreliable, |sim| {
                let before = held(sim);
                seen.saw("replicas differed before the healing", before[0] != before[1] || before[1] != before[2]);
                sim.mend();
                sim.set_network(Network::reliable());
                sim.run_for(A_WHILE + GOSSIP + Millis(10)); // whoever stood still at the end has resumed by then
                let after = held(sim);
                if after.windows(2).any(|pair| pair[0] != pair[1]) {
                    return Err(format!("a, b and c hold {after:?} long after the network healed"));
                }
                // Two replicas that held different values had acknowledged both, and only one is left.
                let lost = before.iter().flatten().any(|value| after[0] != Some(*value));
                seen.saw("an acknowledged write was lost", lost);
                Ok(())
            }));
        });
    }
}

mod stage_3_no_third {
    use super::*;
    use Fate::{Arrives, Lost};
    use WhenSilent::{Answer, Refuse};

    const STRATEGIES: [Strategy; 4] = [
        Strategy { write: Answer, read: Answer },
        Strategy { write: Answer, read: Refuse },
        Strategy { write: Refuse, read: Answer },
        Strategy { write: Refuse, read: Refuse },
    ];

    #[test]
    fn four_messages_have_sixteen_schedules() {
        let all = schedules();
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!((all.len(), distinct.len()), (16, 16), "each message arrives or not, independently: {all:#?}");
    }

    #[test]
    fn while_nothing_is_lost_every_strategy_keeps_both_promises() {
        let whole = Schedule { update: Arrives, confirmation: Arrives, question: Arrives, answer: Arrives };
        for strategy in STRATEGIES {
            let told = run(strategy, whole);
            assert_eq!(
                (told.acknowledged, told.read_new),
                (true, Some(true)),
                "{strategy:?} with a network that works"
            );
            assert!(is_available(told) && is_linearizable(told), "{strategy:?}: {told:?}");
        }
    }

    #[test]
    fn a_lost_confirmation_leaves_the_new_value_where_it_arrived() {
        let schedule = Schedule { update: Arrives, confirmation: Lost, question: Lost, answer: Lost };
        let told = run(Strategy { write: Refuse, read: Answer }, schedule);
        assert!(!told.acknowledged, "the writer's replica heard nothing and refuses: {told:?}");
        assert_eq!(told.read_new, Some(true), "the update arrived, so the reader's replica holds it: {told:?}");
        assert!(is_linearizable(told), "a refused write may have taken effect: {told:?}");
    }

    /// A refusal says "I do not know"; it takes nothing back. The writer's replica goes on holding the new value.
    #[test]
    fn the_writer_s_replica_holds_what_it_refused() {
        for read in [Answer, Refuse] {
            let schedule = Schedule { update: Lost, confirmation: Lost, question: Arrives, answer: Arrives };
            let told = run(Strategy { write: Refuse, read }, schedule);
            assert_eq!(told, Told { acknowledged: false, read_new: Some(true) }, "it was asked, and it answered");
        }
    }

    #[test]
    fn an_error_is_not_service() {
        let silent = Schedule { update: Lost, confirmation: Lost, question: Lost, answer: Lost };
        for strategy in STRATEGIES {
            let told = run(strategy, silent);
            let both_answer = strategy.write == Answer && strategy.read == Answer;
            assert_eq!(is_available(told), both_answer, "{strategy:?} told its clients {told:?}");
        }
    }

    #[test]
    fn answering_both_in_silence_shows_an_old_value_after_a_new_one_was_acknowledged() {
        let strategy = Strategy { write: Answer, read: Answer };
        let mut broken = vec![];
        for schedule in schedules() {
            // The update is lost, and the reader's replica cannot learn of it: its question or the answer is lost.
            let old = schedule.update == Lost && (schedule.question == Lost || schedule.answer == Lost);
            let told = run(strategy, schedule);
            assert_eq!(is_linearizable(told), !old, "{schedule:?} told the clients {told:?}");
            broken.extend(old.then_some(schedule));
        }
        assert_eq!(broken.len(), 6, "of 16");
    }

    #[test]
    fn refusing_on_either_side_is_enough_to_stay_linearizable() {
        for strategy in STRATEGIES.into_iter().filter(|s| s.write == Refuse || s.read == Refuse) {
            for schedule in schedules() {
                let told = run(strategy, schedule);
                assert!(is_linearizable(told), "{strategy:?} in {schedule:?} told its clients {told:?}");
            }
        }
    }

    /// The theorem, for this world: whatever you choose, the network has an answer.
    #[test]
    fn every_strategy_has_a_schedule_that_breaks_it() {
        for (strategy, losses) in STRATEGIES.into_iter().zip([2, 1, 1, 1]) {
            let schedule = counterexample(strategy);
            let schedule = schedule.unwrap_or_else(|| panic!("{strategy:?} keeps both promises in every schedule?"));
            let told = run(strategy, schedule);
            assert!(
                !is_available(told) || !is_linearizable(told),
                "{schedule:?} does not break {strategy:?}: {told:?}"
            );
            assert_eq!(schedule.losses(), losses, "{strategy:?} breaks with fewer losses than in {schedule:?}");
        }
    }
}
