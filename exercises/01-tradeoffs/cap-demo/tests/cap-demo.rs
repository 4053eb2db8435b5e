//! Stage 1: a register that refuses. Stage 2: one that diverges and heals. Stage 3: there is no third.

use cap_demo::{
    ApReplica, CpReplica, Fate, GOSSIP, PATIENCE, Reply, Request, Schedule, Strategy, WhenSilent, counterexample,
    is_available, is_linearizable, run, schedules,
};
use kit::chaos::{Chaos, Step, trial};
use kit::history::{Budget, History, Register, RegisterOp, Returned, Verdict};
use kit::rand::RngExt as _;
use kit::{CallId, Fault, Millis, Network, Node, NodeId, Seed, Sim, Sometimes, Time, for_seeds};

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
        assert_eq!(sim.ask(a, Request::Write(7), A_WHILE), Some(Reply::Done), "{sim}");
        assert_eq!(sim.ask(b, Request::Read, A_WHILE), Some(Reply::Value(Some(7))), "{sim}");
        assert_eq!(sim.ask(c, Request::Read, A_WHILE), Some(Reply::Value(Some(7))), "{sim}");
    }

    #[test]
    fn a_register_of_one_replica_is_its_own_majority() {
        let (mut sim, [a]) = cluster(Seed(1), ["a"]);
        assert_eq!(sim.ask(a, Request::Write(7), A_WHILE), Some(Reply::Done), "{sim}");
        assert_eq!(sim.ask(a, Request::Read, A_WHILE), Some(Reply::Value(Some(7))), "{sim}");
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
        assert_eq!(sim.reply(refused), Some(&Reply::Unavailable), "nobody but a can hold the 7\n{sim}");

        sim.inject(Fault::Partition(vec![vec![a, b], vec![c]]));
        let first = sim.ask(b, Request::Read, A_WHILE);
        assert_eq!(first, Some(Reply::Value(Some(7))), "a and b are a majority, and a holds the 7\n{sim}");
        sim.inject(Fault::Partition(vec![vec![a], vec![b, c]]));
        let second = sim.ask(c, Request::Read, A_WHILE);
        assert_eq!(second, Some(Reply::Value(Some(7))), "the read at b returned 7, a later one at c did not\n{sim}");
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
        let replied =
            |what: &kit::trace::What| matches!(what, kit::trace::What::Replied { call: of, .. } if *of == call);
        sim.trace().events.iter().filter(|event| replied(&event.what)).count()
    }

    fn is_split(sim: &Sim<CpReplica>, at: Time) -> bool {
        let before = sim.trace().events.iter().rev().filter(|event| event.at < at);
        let change = before.filter_map(|event| match &event.what {
            kit::trace::What::Network { label } => Some(label),
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
        sim.run_for(Millis(500));
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
        sim.ask(a, Request::Write(1), Millis(0));
        sim.ask(c, Request::Write(3), Millis(0));
        sim.inject(Fault::Heal);
        sim.run_for(GOSSIP + Millis(10));
        for _ in 0..20 {
            sim.run_for(Millis(5));
            assert_eq!(held(&sim), [Some(3); 3], "both have counter 1; c is the greater writer\n{sim}");
        }
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
        let broken: Vec<_> = schedules().into_iter().filter(|s| !is_linearizable(run(strategy, *s))).collect();
        // The update is lost, and the reader's replica cannot learn of it: its question or the answer is lost.
        let expected = |s: &Schedule| s.update == Lost && (s.question == Lost || s.answer == Lost);
        assert_eq!(broken, schedules().into_iter().filter(expected).collect::<Vec<_>>());
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
