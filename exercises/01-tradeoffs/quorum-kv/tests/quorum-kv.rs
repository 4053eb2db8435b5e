//! Stage 1: counting. Stage 2: quorums of N, R and W. Stage 3: the partial write, and what repairs it.

use kit::chaos::{Chaos, Do, Step, trial};
use kit::explore::{Action, Found, Outcome, Search, World};
use kit::history::{Budget, History, Register, RegisterOp, Returned, Verdict};
use kit::trace::What;
use kit::{CallId, Fault, Millis, Network, NodeId, Output, Seed, Sim, Sometimes, Time, for_seeds};
use quorum_kv::{
    Coordinator, Disk, Key, Member, Message, PATIENCE, Quorums, Repair, Replica, Reply, Request, Version, Versioned,
    disjoint_pair, latency, majority, tolerates,
};
use std::collections::BTreeSet;

const X: Key = Key('x');
/// Longer than any call can take.
const A_WHILE: Millis = Millis(200);

/// Replicas r1, r2, … and the coordinators `names`.
fn cluster<const C: usize>(
    seed: Seed,
    (n, r, w): (usize, usize, usize),
    repair: Repair,
    names: [&str; C],
) -> (Sim<Member>, Vec<NodeId>, [NodeId; C]) {
    let quorums = Quorums { n, r, w };
    let mut sim = Sim::new(seed, move |id, disk| Member::new(id, disk, quorums, repair));
    let replicas = (1..=n).map(|i| sim.join(format!("r{i}"))).collect();
    let coordinators = sim.join_all(names);
    (sim, replicas, coordinators)
}

/// A write of `value`, stamped with `clock` by the coordinator with this number.
fn versioned(clock: u64, coordinator: usize, value: u32) -> Versioned {
    Versioned { version: Version { clock: Time(clock), coordinator: NodeId(coordinator) }, value: Some(value) }
}

/// What a coordinator of this store does while its read of x hears that these replicas hold this.
fn hearing(
    (n, r, w): (usize, usize, usize),
    repair: Repair,
    told: &[(usize, Versioned)],
) -> (Coordinator, Vec<Output<Member>>) {
    let mut coordinator = Coordinator::new(NodeId(n), Quorums { n, r, w }, repair);
    coordinator.begin(CallId(0), Request::Read(X), Time(0));
    let tell = |(from, held): &(usize, Versioned)| coordinator.receive(NodeId(*from), Message::Tell(CallId(0), *held));
    let out = told.iter().flat_map(tell).collect();
    (coordinator, out)
}

/// What a client is told.
fn replies(out: &[Output<Member>]) -> Vec<Reply> {
    let replied = |output: &Output<Member>| match output {
        Output::Reply { reply, .. } => Some(*reply),
        _ => None,
    };
    out.iter().filter_map(replied).collect()
}

/// Which replicas are to hold what.
fn stores(out: &[Output<Member>]) -> Vec<(usize, Versioned)> {
    let sent = |output: &Output<Member>| match output {
        Output::Send { to, message: Message::Store(_, _, held) } => Some((to.0, *held)),
        _ => None,
    };
    out.iter().filter_map(sent).collect()
}

/// Every choice of R and W for up to `most` replicas.
fn all_quorums(most: usize) -> impl Iterator<Item = Quorums> {
    (1..=most).flat_map(|n| (1..=n).flat_map(move |r| (1..=n).map(move |w| Quorums { n, r, w })))
}

mod stage_1_counting {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn one_to_seven_replicas_tolerate_0_0_1_1_2_2_3_failures() {
        assert_eq!((1..=7).map(majority).collect::<Vec<_>>(), [1, 2, 2, 3, 3, 4, 4]);
        assert_eq!((1..=7).map(tolerates).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2, 3]);
    }

    /// All subsets of `n` replicas with `size` members, as bits.
    fn subsets(n: usize, size: usize) -> impl Iterator<Item = u32> + Clone {
        (0..1_u32 << n).filter(move |bits| bits.count_ones() as usize == size)
    }

    #[test]
    fn any_two_majorities_meet_and_nothing_smaller_does() {
        for n in 1..=7 {
            let meet = |size| subsets(n, size).all(|a| subsets(n, size).all(|b| a & b != 0));
            assert!(meet(majority(n)), "two sets of {} of {n} miss each other", majority(n));
            assert!(!meet(majority(n) - 1), "{} of {n} would be enough", majority(n) - 1);
        }
        for n in 8..=100 {
            let (k, down) = (majority(n), tolerates(n));
            assert!(
                2 * k > n && 2 * (k - 1) <= n,
                "{k} of {n}: two sets must be more than {n} together, and no larger than need be"
            );
            assert_eq!(k + down, n, "of {n}, {down} are down and {k} must be up");
        }
    }

    /// Every read set against every write set, for every N, R and W up to seven.
    #[test]
    fn read_and_write_sets_meet_if_and_only_if_r_plus_w_exceeds_n() {
        let large = [(20, 10, 10), (20, 10, 11), (20, 1, 19)].map(|(n, r, w)| Quorums { n, r, w });
        for quorums in all_quorums(7).chain(large) {
            let Quorums { n, r, w } = quorums;
            let meet =
                if n > 7 { r + w > n } else { subsets(n, r).all(|read| subsets(n, w).all(|write| read & write != 0)) };
            match disjoint_pair(quorums) {
                None => assert!(meet, "{quorums:?} has a read set and a write set that miss each other"),
                Some((read, write)) => {
                    let shown = format!("{quorums:?}: read {read:?}, write {write:?}");
                    assert!(!meet, "any two of their sets meet; {shown}");
                    assert_eq!((read.len(), write.len()), (r, w), "{shown}");
                    assert!(read.is_disjoint(&write), "they share a replica; {shown}");
                    assert!(read.union(&write).all(|replica| replica.0 < n), "there are only {n} replicas; {shown}");
                }
            }
        }
    }

    #[test]
    fn a_quorum_takes_as_long_as_its_slowest_member() {
        let ms = |times: &[u64]| times.iter().copied().map(Millis).collect::<Vec<_>>();
        assert_eq!(latency(&ms(&[10, 10, 10]), 3), Some(Millis(10)), "the requests leave together");
        assert_eq!(latency(&ms(&[80, 10, 20]), 2), Some(Millis(20)), "the 80 is not waited for");
        assert_eq!(latency(&ms(&[80, 10, 20]), 1), Some(Millis(10)));
        assert_eq!(latency(&ms(&[80, 10, 20]), 3), Some(Millis(80)));
        assert_eq!(latency(&ms(&[10, 20]), 3), None, "two answers are not three");
    }
}

mod stage_2_quorums {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn a_replica_keeps_the_newest_whatever_arrives_first() {
        let mut replica = Replica::new(Disk::new());
        for (arrives, holds, news) in [(2, 2, true), (1, 2, false), (3, 3, true), (2, 3, false), (3, 3, false)] {
            let out = replica.receive(NodeId(3), Message::Store(CallId(0), X, versioned(arrives, 3, arrives as u32)));
            assert_eq!(replica.holds(X), versioned(holds, 3, holds as u32), "after clock {arrives} arrived");
            let confirms = out.contains(&Output::Send { to: NodeId(3), message: Message::Stored(CallId(0)) });
            assert!(confirms, "it holds that or something newer: {out:?}");
            let writes = out.iter().any(|output| matches!(output, Output::Persist(_)));
            assert_eq!(
                writes, news,
                "the disk is written for what is newer, and only for that: clock {arrives}, {out:?}"
            );
        }
        assert_eq!(replica.holds(Key('y')), Versioned::default(), "another key");
    }

    #[test]
    fn what_two_clocks_stamped_alike_is_ordered_alike_everywhere() {
        let (by_3, by_4) = (versioned(7, 3, 30), versioned(7, 4, 40));
        for order in [[by_3, by_4], [by_4, by_3]] {
            let mut replica = Replica::new(Disk::new());
            for write in order {
                replica.receive(NodeId(3), Message::Store(CallId(0), X, write));
            }
            assert_eq!(replica.holds(X), by_4, "both have clock 7, 4 is the greater coordinator; arrived as {order:?}");
        }
    }

    #[test]
    fn what_was_confirmed_is_on_disk() {
        let mut replica = Replica::new(Disk::new());
        let out = replica.receive(NodeId(3), Message::Store(CallId(0), X, versioned(1, 3, 7)));
        let persisted = out.iter().position(|output| matches!(output, Output::Persist(_)));
        let confirmed = out.iter().position(|output| matches!(output, Output::Send { .. }));
        assert!(persisted.is_some() && persisted < confirmed, "first the disk, then the word: {out:?}");

        let out = replica.receive(NodeId(3), Message::Store(CallId(1), Key('y'), versioned(2, 3, 8)));
        let disk = out.iter().find_map(|output| match output {
            Output::Persist(disk) => Some(disk.keys().copied().collect::<Vec<_>>()),
            _ => None,
        });
        assert_eq!(disk, Some(vec![X, Key('y')]), "what is written replaces the whole disk: x was confirmed too");

        let (mut sim, replicas, [c]) = cluster(Seed(1), (3, 2, 2), Repair::Never, ["c"]);
        assert_eq!(sim.ask(c, Request::Write(X, 7), A_WHILE), Some(Reply::Done), "{sim}");
        for &node in &replicas {
            sim.inject(Fault::Crash { node, lose_last_write: false });
            sim.inject(Fault::Restart(node));
        }
        assert_eq!(sim.ask(c, Request::Read(X), A_WHILE), Some(Reply::Value(Some(7))), "all three restarted\n{sim}");
    }

    /// Neither the order of arrival nor the value says what is newer; the version does, clock first, then coordinator.
    #[test]
    fn a_read_returns_the_newest_that_it_was_told() {
        for (older, newer) in [(versioned(6, 4, 40), versioned(7, 3, 30)), (versioned(7, 3, 40), versioned(7, 4, 30))] {
            for told in [[(0, older), (1, newer)], [(0, newer), (1, older)]] {
                let (_, out) = hearing((3, 2, 2), Repair::Never, &told);
                assert_eq!(replies(&out), [Reply::Value(Some(30))], "told {older:?} and {newer:?}, in either order");
            }
        }
    }

    /// For every N up to five and every R and W that must meet: what one coordinator wrote, another reads, whatever the
    /// network delays.
    #[test]
    fn where_r_plus_w_exceeds_n_a_read_sees_the_last_completed_write() {
        for quorums in all_quorums(5).filter(|quorums| quorums.r + quorums.w > quorums.n) {
            let Quorums { n, r, w } = quorums;
            for_seeds(5, |seed| {
                let (mut sim, _, [c, d]) = cluster(seed, (n, r, w), Repair::Never, ["c", "d"]);
                sim.set_network(Network { delay: (Millis(1), Millis(40)), ..Network::reliable() });
                assert_eq!(
                    sim.ask(c, Request::Read(X), A_WHILE),
                    Some(Reply::Value(None)),
                    "nothing was written\n{sim}"
                );
                for value in 1..=3 {
                    let (writer, reader) = if value % 2 == 0 { (d, c) } else { (c, d) };
                    assert_eq!(
                        sim.ask(writer, Request::Write(X, value), A_WHILE),
                        Some(Reply::Done),
                        "{quorums:?}\n{sim}"
                    );
                    let read = sim.ask(reader, Request::Read(X), A_WHILE);
                    assert_eq!(read, Some(Reply::Value(Some(value))), "{quorums:?}: {value} was completed\n{sim}");
                }
            });
        }
    }

    /// r1 missed the write. Whoever reads the first R replicas and returns what the first of them holds does not see it.
    #[test]
    fn any_r_of_the_replicas_will_do() {
        for missing in 0..3 {
            let (mut sim, replicas, [c]) = cluster(Seed(1), (3, 2, 2), Repair::Never, ["c"]);
            sim.set_network(Network::exact(Millis(5)));
            sim.inject(Fault::Cut { from: c, to: replicas[missing] });
            let write = sim.ask(c, Request::Write(X, 7), A_WHILE);
            assert_eq!(write, Some(Reply::Done), "two of three are there\n{sim}");
            for other in (0..3).filter(|other| *other != missing) {
                sim.inject(Fault::Heal);
                sim.inject(Fault::Cut { from: c, to: replicas[other] });
                let read = sim.ask(c, Request::Read(X), A_WHILE);
                let because = format!("one of the two that answer holds the 7\n{sim}");
                assert_eq!(read, Some(Reply::Value(Some(7))), "{because}");
            }
        }
    }

    /// Three replicas that answer after 10 ms each. One after the other they would take 30.
    #[test]
    fn replicas_are_asked_together() {
        let (mut sim, _, [c]) = cluster(Seed(1), (3, 3, 3), Repair::Never, ["c"]);
        sim.set_network(Network::exact(Millis(5)));
        for request in [Request::Write(X, 7), Request::Read(X)] {
            let asked = sim.now();
            sim.ask(c, request, A_WHILE);
            assert_eq!(sim.now().since(asked), Millis(10), "{request:?} waits for three answers at once\n{sim}");
        }
    }

    /// When each answer to `call` arrived at `coordinator`, from the call on.
    fn arrivals(sim: &Sim<Member>, coordinator: NodeId, since: Time) -> Vec<Millis> {
        let arrives = |event: &kit::trace::Event| match &event.what {
            What::Delivered { to, .. } if *to == coordinator.0 && event.at >= since => Some(event.at.since(since)),
            _ => None,
        };
        sim.trace().events.iter().filter_map(arrives).collect()
    }

    #[test]
    fn a_call_ends_with_the_answer_that_completes_its_quorum() {
        let seen = Sometimes::expect(["the first replica was the last to answer"]);
        // A network draws alike for every k. In 100 draws one replica of five is never the last with a chance of 0.8¹⁰⁰ = 2·10⁻¹⁰.
        for_seeds(50, |seed| {
            for k in 1..=5 {
                let (mut sim, _, [c]) = cluster(seed, (5, k, k), Repair::Never, ["c"]);
                sim.set_network(Network { delay: (Millis(1), Millis(45)), ..Network::reliable() });
                for request in [Request::Write(X, 7), Request::Read(X)] {
                    let asked = sim.now();
                    let call = sim.call(c, request);
                    sim.run_for(A_WHILE);
                    let ended = sim.calls()[call.0 as usize].replied.as_ref().map(|(moment, _)| moment.at.since(asked));
                    let times = arrivals(&sim, c, asked);
                    let expected = latency(&times, k);
                    let because = format!("{k} of answers after {times:?}, {request:?}\n{sim}");
                    assert_eq!(ended, expected, "{because}");
                    let last = sim.trace().events.iter().rev().find_map(|event| match event.what {
                        What::Delivered { to, from, .. } if to == c.0 => Some(from),
                        _ => None,
                    });
                    seen.saw("the first replica was the last to answer", last == Some(0));
                }
            }
        });
    }

    #[test]
    fn a_replica_that_answers_twice_counts_once() {
        let (mut sim, replicas, [c]) = cluster(Seed(1), (3, 2, 2), Repair::Never, ["c"]);
        sim.set_network(Network { duplicated: 1.0, ..Network::reliable() });
        sim.inject(Fault::Cut { from: c, to: replicas[1] });
        sim.inject(Fault::Cut { from: c, to: replicas[2] });
        for request in [Request::Write(X, 7), Request::Read(X)] {
            let reply = sim.ask(c, request, A_WHILE);
            assert_eq!(reply, Some(Reply::Unavailable), "only r1 answers, however often; {request:?}\n{sim}");
        }
    }

    #[test]
    fn a_call_that_hears_too_few_ends_with_its_patience() {
        let (mut sim, replicas, [c]) = cluster(Seed(1), (3, 2, 3), Repair::Never, ["c"]);
        sim.inject(Fault::Cut { from: c, to: replicas[0] });
        let asked = sim.now();
        assert_eq!(
            sim.ask(c, Request::Write(X, 7), A_WHILE),
            Some(Reply::Unavailable),
            "W is 3, and r1 is gone\n{sim}"
        );
        assert_eq!(sim.now().since(asked), PATIENCE, "{sim}");
        let read = sim.ask(c, Request::Read(X), A_WHILE);
        assert_eq!(read, Some(Reply::Value(Some(7))), "R is 2, and r2 and r3 hold the refused write\n{sim}");
    }

    #[test]
    fn a_call_is_answered_once() {
        for_seeds(20, |seed| {
            let (mut sim, _, [c, d]) = cluster(seed, (3, 2, 2), Repair::First, ["c", "d"]);
            // Slow enough that some answers come after the refusal.
            sim.set_network(Network { delay: (Millis(1), Millis(70)), duplicated: 0.3, ..Network::reliable() });
            for node in [c, d, c] {
                sim.call(node, Request::Write(X, node.0 as u32));
                sim.call(node, Request::Read(X));
            }
            sim.run_for(Millis(1_000));
            for call in sim.calls() {
                let replied = |what: &What| matches!(what, What::Replied { call: of, .. } if *of == call.id);
                let answers = sim.trace().events.iter().filter(|event| replied(&event.what)).count();
                assert_eq!(answers, 1, "{} {:?} was answered {answers} times\n{sim}", call.id, call.request);
            }
        });
    }

    #[test]
    fn a_coordinator_gives_no_two_writes_the_same_version() {
        let mut coordinator = Coordinator::new(NodeId(4), Quorums { n: 3, r: 2, w: 2 }, Repair::Never);
        let mut given = vec![];
        for (call, now) in [50, 50, 50, 10, 51, 90].into_iter().enumerate() {
            let out = coordinator.begin(CallId(call as u64), Request::Write(X, call as u32), Time(now));
            let version = out.iter().find_map(|output| match output {
                Output::Send { message: Message::Store(_, _, versioned), .. } => Some(versioned.version),
                _ => None,
            });
            given.push(version.unwrap_or_else(|| panic!("a write is sent to the replicas: {out:?}")));
        }
        assert!(given.is_sorted_by(|a, b| a < b), "at 50, 50, 50, 10, 51, 90 on its clock it gave {given:?}");
        assert_eq!(given[5].clock, Time(90), "and it is the clock that counts, not the writes: {given:?}");
        let own = given.iter().all(|version| version.coordinator == NodeId(4));
        assert!(own, "two clocks may agree; its own number, n4, tells its writes from another's: {given:?}");
    }

    /// What a search finds when a write and a read are made in a cluster of three, in every order of every message.
    fn search(quorums: Quorums) -> Outcome<Action<Member>> {
        let world = World::new(["r1", "r2", "r3", "c"], move |id, disk| Member::new(id, disk, quorums, Repair::Never));
        let (write, read) = (CallId(0), CallId(1));
        Search::of(world.call(NodeId(3), Request::Write(X, 7)).call(NodeId(3), Request::Read(X)).fires(0))
            .always("a read sees the last completed write", move |state| {
                let at = |wanted: &(CallId, Option<Reply>)| state.history().iter().position(|entry| entry == wanted);
                let completed = at(&(write, Some(Reply::Done)));
                let (asked, missed) = (at(&(read, None)), at(&(read, Some(Reply::Value(None)))));
                if completed.is_some() && completed < asked && missed.is_some() {
                    return Err("7 was written, then a read returned nothing".into());
                }
                Ok(())
            })
            .sometimes("the write was completed before the read", move |state| {
                let at = |wanted: &(CallId, Option<Reply>)| state.history().iter().position(|entry| entry == wanted);
                let completed = at(&(write, Some(Reply::Done)));
                completed.is_some() && completed < at(&(read, None)) && state.history().len() == 4
            })
            .run()
    }

    /// R+W>N is not a rule of thumb: of the nine stores of three replicas, the search acquits exactly those that keep it.
    #[test]
    fn where_r_plus_w_is_at_most_n_a_search_finds_the_read_that_misses() {
        for quorums in all_quorums(3).filter(|quorums| quorums.n == 3) {
            let Outcome { found, states, .. } = search(quorums);
            let meet = quorums.r + quorums.w > quorums.n;
            let as_expected = matches!((&found, meet), (Found::Nothing, true) | (Found::Broken(_), false));
            assert!(as_expected, "{quorums:?} in {states} states: {found:#?}");
        }
    }
}

mod stage_3_repair {
    use super::*;
    use pretty_assertions::assert_eq;

    /// What clients saw, without what certainly had no effect: a read that was refused.
    fn history(sim: &Sim<Member>) -> History<Register<Key, u32>> {
        let mut history = History::default();
        for call in sim.calls() {
            let client = format!("at {}", sim.trace().lanes[call.node.0]);
            match (call.request, &call.replied) {
                (Request::Read(_), None | Some((_, Reply::Unavailable))) => {}
                (Request::Read(key), Some((moment, Reply::Value(value)))) => {
                    history.add(client, RegisterOp::Read(key), call.called, Some((*moment, Returned::Value(*value))));
                }
                (Request::Write(key, value), Some((moment, Reply::Done))) => {
                    history.add(client, RegisterOp::Write(key, value), call.called, Some((*moment, Returned::Done)));
                }
                // Refused or unanswered: it may have taken effect or not.
                (Request::Write(key, value), _) => {
                    history.add(client, RegisterOp::Write(key, value), call.called, None);
                }
                (request, Some((_, reply))) => panic!("{request:?} was answered {reply:?}\n{sim}"),
            }
        }
        history
    }

    /// A write reaches r1 alone and is refused. One read hears r1 and r2, a later one r2 and r3. In between `c` hears and
    /// reaches everybody, or nobody.
    fn partial_write(repair: Repair, reached: bool) -> (Sim<Member>, Vec<NodeId>, [Option<Reply>; 2]) {
        let (mut sim, replicas, [c]) = cluster(Seed(1), (3, 2, 2), repair, ["c"]);
        sim.set_network(Network::exact(Millis(5)));
        sim.inject(Fault::Partition(vec![vec![c, replicas[0]], vec![replicas[1], replicas[2]]]));
        assert_eq!(sim.ask(c, Request::Write(X, 7), A_WHILE), Some(Reply::Unavailable), "W is 2\n{sim}");
        sim.inject(Fault::Partition(vec![vec![c, replicas[0], replicas[1]], vec![replicas[2]]]));
        let first = sim.ask(c, Request::Read(X), A_WHILE);
        if !reached {
            sim.inject(Fault::Partition(vec![vec![c], replicas.clone()]));
        }
        sim.run_for(Millis(20));
        sim.inject(Fault::Partition(vec![vec![c, replicas[1], replicas[2]], vec![replicas[0]]]));
        let second = sim.ask(c, Request::Read(X), A_WHILE);
        (sim, replicas, [first, second])
    }

    /// R+W>N, no clock is wrong, nobody crashed. And yet.
    #[test]
    fn without_repair_a_partial_write_is_seen_and_then_unseen() {
        let (sim, _, reads) = partial_write(Repair::Never, true);
        assert_eq!(reads[0], Some(Reply::Value(Some(7))), "r1 holds the refused write\n{sim}");
        assert_eq!(reads[1], Some(Reply::Value(None)), "r2 and r3 never heard of it, and nobody told them\n{sim}");
        let verdict = history(&sim).check(Budget::default());
        assert!(matches!(verdict, Verdict::Violated(_)), "no single copy answers so, and this is {verdict:?}\n{sim}");
    }

    #[test]
    fn what_a_read_found_stale_is_brought_up_to_date() {
        for repair in [Repair::Later, Repair::First] {
            let (sim, replicas, reads) = partial_write(repair, true);
            assert_eq!(reads[0], Some(Reply::Value(Some(7))), "{repair:?}\n{sim}");
            assert_eq!(reads[1], Some(Reply::Value(Some(7))), "{repair:?}: the first read told r2\n{sim}");
            let holds = sim.disk(replicas[1]).and_then(|disk| disk.get(&X)?.value);
            assert_eq!(holds, Some(7), "{repair:?}: on the disk of r2\n{sim}");
        }
    }

    /// The client has its answer, the repair is under way, and the network splits.
    #[test]
    fn a_repair_that_nobody_waits_for_may_never_arrive() {
        let (sim, _, reads) = partial_write(Repair::Later, false);
        assert_eq!(reads, [Some(Reply::Value(Some(7))), Some(Reply::Value(None))], "the repair was cut off\n{sim}");
        let (sim, _, reads) = partial_write(Repair::First, false);
        assert_eq!(reads, [Some(Reply::Value(Some(7))); 2], "r2 had confirmed before the client was told\n{sim}");
    }

    /// Five replicas, R 2, W 4: four must hold what a read returns, more than the two that it heard. Whichever of the other
    /// three is down, two of them are up.
    #[test]
    fn a_repair_reaches_as_many_replicas_as_a_write() {
        for down in 2..5 {
            let (mut sim, replicas, [c]) = cluster(Seed(1), (5, 2, 4), Repair::First, ["c"]);
            sim.set_network(Network::exact(Millis(5)));
            sim.inject(Fault::Partition(vec![vec![c, replicas[0]], replicas[1..].to_vec()]));
            assert_eq!(sim.ask(c, Request::Write(X, 7), A_WHILE), Some(Reply::Unavailable), "W is 4\n{sim}");
            sim.inject(Fault::Partition(vec![vec![c, replicas[0], replicas[1]], replicas[2..].to_vec()]));
            let read = sim.ask(c, Request::Read(X), A_WHILE);
            assert_eq!(read, Some(Reply::Unavailable), "two replicas can hold it, four must\n{sim}");

            let read = sim.call(c, Request::Read(X));
            sim.run_for(Millis(9)); // r1 and r2 have told what they hold; c has not heard it yet
            sim.inject(Fault::Heal);
            sim.inject(Fault::Cut { from: c, to: replicas[down] });
            sim.run_for(A_WHILE);
            let because = format!("r1 and r2 tell; all may lack it, and any two of r3, r4 and r5 will do\n{sim}");
            assert_eq!(sim.reply(read), Some(&Reply::Value(Some(7))), "{because}");
            let holds = |replica: &&NodeId| sim.disk(**replica).is_some_and(|disk| disk.contains_key(&X));
            assert_eq!(replicas.iter().filter(holds).count(), 4, "W replicas hold what a client was told\n{sim}");
        }
    }

    /// r1 and r2 both hold a 7, of two writes; between the two an 8 was written, and r3 may hold that.
    #[test]
    fn two_replicas_agree_if_they_hold_the_same_write_not_the_same_value() {
        let (first, again) = (versioned(1, 3, 7), versioned(3, 3, 7));
        let (_, out) = hearing((3, 2, 2), Repair::First, &[(0, first), (1, again)]);
        assert_eq!(replies(&out), [], "only r2 holds the 7 of clock 3; r3 may hold an 8 of clock 2");
        assert!(stores(&out).contains(&(0, again)), "r1 is to hold the 7 of clock 3; sent was {:?}", stores(&out));
    }

    /// The repair is under way when r3, the last, tells of a newer write, which nobody else is known to hold.
    #[test]
    fn a_late_answer_does_not_change_what_is_being_repaired() {
        let (mut coordinator, mut out) =
            hearing((3, 2, 2), Repair::First, &[(0, versioned(1, 3, 7)), (1, Versioned::default())]);
        out.extend(coordinator.receive(NodeId(2), Message::Tell(CallId(0), versioned(2, 3, 8))));
        out.extend(coordinator.receive(NodeId(1), Message::Stored(CallId(0))));
        assert_eq!(replies(&out), [Reply::Value(Some(7))], "two replicas hold the 7 or newer; the 8 is on r3 alone");
    }

    /// A repair carries the write that was found, version and all. With a version of its own it could bury a newer write.
    #[test]
    fn a_repair_in_the_background_sends_the_write_that_was_found_to_those_that_lack_it() {
        let found = versioned(1, 3, 7);
        let (_, out) = hearing((3, 2, 2), Repair::Later, &[(0, found), (1, Versioned::default())]);
        assert_eq!(stores(&out), [(1, found)], "r1 holds it, r2 was heard to lack it, r3 was not heard");
        let answer = out.iter().position(|output| matches!(output, Output::Reply { .. }));
        let repair = out.iter().position(|output| matches!(output, Output::Send { .. }));
        assert!(answer < repair && answer.is_some(), "first the answer, then the repair: {out:?}");
        let (_, out) = hearing((3, 2, 2), Repair::Later, &[(0, found), (1, found)]);
        assert_eq!(stores(&out), [], "who agrees needs no repair");
    }

    /// The answers took 60 ms, so 40 are left. The client was promised `PATIENCE`, not one for each half.
    #[test]
    fn a_repair_has_no_patience_of_its_own() {
        let (mut sim, replicas, [c]) = cluster(Seed(1), (3, 2, 2), Repair::First, ["c"]);
        sim.inject(Fault::Partition(vec![vec![c, replicas[0]], replicas[1..].to_vec()]));
        assert_eq!(sim.ask(c, Request::Write(X, 7), A_WHILE), Some(Reply::Unavailable), "W is 2\n{sim}");
        sim.inject(Fault::Heal);
        sim.set_network(Network::exact(Millis(30)));
        let read = sim.call(c, Request::Read(X));
        sim.run_for(Millis(70)); // all have told; the repair is under way
        sim.inject(Fault::Partition(vec![vec![c], replicas]));
        sim.run_for(Millis(30));
        assert_eq!(sim.reply(read), Some(&Reply::Unavailable), "{PATIENCE} after the call came\n{sim}");
    }

    #[test]
    fn a_read_pays_for_repair_only_where_something_is_stale() {
        let (mut sim, replicas, [c]) = cluster(Seed(1), (3, 2, 2), Repair::First, ["c"]);
        sim.set_network(Network::exact(Millis(5)));
        let timed = |sim: &mut Sim<Member>, request| {
            let asked = sim.now();
            let reply = sim.ask(c, request, A_WHILE);
            (reply, sim.now().since(asked))
        };
        assert_eq!(timed(&mut sim, Request::Write(X, 1)), (Some(Reply::Done), Millis(10)), "{sim}");
        sim.run_for(A_WHILE);
        let fresh = timed(&mut sim, Request::Read(X));
        assert_eq!(fresh, (Some(Reply::Value(Some(1))), Millis(10)), "all hold it: one round trip\n{sim}");
        sim.run_for(A_WHILE);
        sim.inject(Fault::Partition(vec![vec![c, replicas[0]], replicas[1..].to_vec()]));
        assert_eq!(timed(&mut sim, Request::Write(X, 2)), (Some(Reply::Unavailable), PATIENCE), "{sim}");
        sim.inject(Fault::Heal);
        let stale = timed(&mut sim, Request::Read(X));
        assert_eq!(stale, (Some(Reply::Value(Some(2))), Millis(20)), "r1 alone holds it: two round trips\n{sim}");
    }

    /// One write and two reads, one read after the other, over two replicas, R 1 and W 2, in every order of every message.
    fn search(repair: Repair) -> Search<World<Member>> {
        let quorums = Quorums { n: 2, r: 1, w: 2 };
        let world = World::new(["r1", "r2", "c"], move |id, disk| Member::new(id, disk, quorums, repair));
        let c = NodeId(2);
        let world = world.call(c, Request::Write(X, 7)).call(c, Request::Read(X)).call(c, Request::Read(X)).fires(0);
        let world = world.within(|state| {
            let calls = state.history();
            let first_ended = calls.iter().any(|(call, reply)| *call == CallId(1) && reply.is_some());
            first_ended || !calls.contains(&(CallId(2), None))
        });
        Search::of(world)
            .after(|stage| stage.take("the write is called", |action| *action == Action::Call(CallId(0))))
            .always("what was seen is not unseen", |state| {
                let told = |call, value| state.history().contains(&(call, Some(Reply::Value(value))));
                if told(CallId(1), Some(7)) && told(CallId(2), None) {
                    return Err("the first read returned 7, and the second, called after that, returned nothing".into());
                }
                Ok(())
            })
            .sometimes("a write was read before it was done", |state| {
                let done = state.history().contains(&(CallId(0), Some(Reply::Done)));
                state.history().contains(&(CallId(1), Some(Reply::Value(Some(7))))) && !done
            })
    }

    #[test]
    fn a_search_acquits_only_the_repair_that_comes_first() {
        for repair in [Repair::Never, Repair::Later] {
            let Outcome { found, states, .. } = search(repair).run();
            assert!(matches!(found, Found::Broken(_)), "{repair:?} in {states} states: {found:#?}");
        }
        search(Repair::First).assert();
    }

    fn plan(seed: Seed, n: usize) -> Vec<Step<Request>> {
        use kit::rand::RngExt as _;
        let kinds = Chaos { partitions: 4, cuts: 2, crashes: 2, pauses: 1, ..Chaos::calm(n + 2, Millis(1_000), 16) };
        let mut steps = kinds.plan(seed, |rng, call| {
            let key = Key(['x', 'y'][rng.random_range(0..2)]);
            // Every value is written once, so that a read tells which write it saw.
            if rng.random_bool(0.5) { Request::Write(key, call as u32) } else { Request::Read(key) }
        });
        for step in &mut steps {
            if let Do::Call(node, _) = &mut step.what {
                *node = NodeId(n + node.0 % 2); // only coordinators take calls
            }
        }
        steps
    }

    /// The promise as a whole: with clocks that agree and run ahead for nobody, R+W>N and a repair that comes first, clients
    /// cannot tell the replicas from one copy, whatever crashes and splits.
    #[test]
    fn with_repair_first_clients_see_one_copy_whatever_happens() {
        let seen = Sometimes::expect([
            "without repair the same plan fails",
            "a write was refused",
            "a refused write was read",
        ]);
        for (n, r, w) in [(3, 2, 2), (3, 1, 3), (5, 2, 4)] {
            for_seeds(60, |seed| {
                let plan = plan(seed, n);
                let build =
                    |repair| move |seed| cluster(seed, (n, r, w), repair, ["c", "d"]).0.over(Network::unreliable());
                let judge = |sim: &mut Sim<Member>| {
                    sim.mend();
                    sim.run_for(A_WHILE);
                    match history(sim).check(Budget::default()) {
                        Verdict::Linearizable => Ok(()),
                        Verdict::Violated(evidence) => {
                            Err(format!("no single copy could have answered so:\n{evidence}"))
                        }
                        Verdict::Inconclusive(budget) => Err(format!("inconclusive after {budget:?}")),
                    }
                };
                let sim = trial(seed, &plan, build(Repair::First), judge);
                let refused = |call: &&kit::sim::Call<Member>| {
                    matches!((call.request, &call.replied), (Request::Write(..), Some((_, Reply::Unavailable))))
                };
                let values: BTreeSet<u32> = sim.calls().iter().filter(refused).map(|call| call.id.0 as u32).collect();
                seen.saw("a write was refused", !values.is_empty());
                let written = |value: u32| {
                    sim.calls()
                        .iter()
                        .filter(refused)
                        .any(|call| matches!(call.request, Request::Write(_, v) if v == value))
                };
                let read = sim
                    .calls()
                    .iter()
                    .any(|call| matches!(call.replied, Some((_, Reply::Value(Some(value)))) if written(value)));
                seen.saw("a refused write was read", read);

                let bare = trial(seed, &plan, build(Repair::Never), |sim| {
                    sim.mend();
                    sim.run_for(A_WHILE);
                    Ok(())
                });
                let verdict = history(&bare).check(Budget::default());
                seen.saw("without repair the same plan fails", matches!(verdict, Verdict::Violated(_)));
            });
        }
    }

    /// Quorums count replicas; they do not set clocks. d's is a second behind, so its write is older than what it replaces.
    #[test]
    fn a_slow_clock_loses_a_write_that_every_replica_confirmed() {
        let (mut sim, _, [c, d]) = cluster(Seed(1), (3, 3, 3), Repair::First, ["c", "d"]);
        sim.run_for(Millis(2_000));
        sim.inject(Fault::ClockJump { node: d, by: -1_000 });
        assert_eq!(sim.ask(c, Request::Write(X, 1), A_WHILE), Some(Reply::Done), "{sim}");
        assert_eq!(
            sim.ask(d, Request::Write(X, 2), A_WHILE),
            Some(Reply::Done),
            "all three hold that or something newer\n{sim}"
        );
        let read = sim.ask(c, Request::Read(X), A_WHILE);
        assert_eq!(read, Some(Reply::Value(Some(1))), "the later write has the smaller version\n{sim}");
        let verdict = history(&sim).check(Budget::default());
        assert!(matches!(verdict, Verdict::Violated(_)), "2 was done, then 1 was read, and this is {verdict:?}\n{sim}");
    }

    /// All clocks agree. But c takes in twenty writes within a millisecond, and no two may have the same version.
    #[test]
    fn a_busy_coordinator_is_a_fast_clock() {
        let (mut sim, _, [c, d]) = cluster(Seed(1), (3, 2, 2), Repair::First, ["c", "d"]);
        sim.set_network(Network::exact(Millis(5)));
        sim.run_for(Millis(50));
        let burst: Vec<_> = (0..20).map(|value| sim.call(c, Request::Write(X, value))).collect();
        sim.run_for(Millis(11));
        assert!(
            burst.iter().all(|write| sim.reply(*write) == Some(&Reply::Done)),
            "one round trip for all of them\n{sim}"
        );
        assert_eq!(
            sim.ask(d, Request::Write(X, 99), A_WHILE),
            Some(Reply::Done),
            "at t=61, by d's clock and by c's\n{sim}"
        );
        let read = sim.ask(d, Request::Read(X), A_WHILE);
        assert_eq!(read, Some(Reply::Value(Some(19))), "the 19 has clock 69, the 99 has clock 61\n{sim}");
    }
}
