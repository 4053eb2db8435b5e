//! Stage 1: the store's check. Stage 2: two holders at once, in every order. Stage 3: where the tokens come from.

use fencing_token::{
    ALICE, BOB, CAROL, LEASE, LOCK, LockService, Message, Party, Refused, Reply, Request, STORE, Store, Timer, Token,
};
use kit::chaos::{Chaos, Do, Step, trial};
use kit::rand::RngExt as _;
use kit::{Cluster, Fault, Millis, Network, NodeId, Output, Seed, Sim, Sometimes, Time, for_seeds};

/// Store and three workers, with messages that take exactly 5 ms.
fn run() -> Sim<Party> {
    let mut sim = Sim::new(Seed(1), Party::new);
    sim.set_network(Network::exact(Millis(5)));
    sim.join_all(["store", "alice", "bob", "carol"]);
    sim
}

fn ask(sim: &mut Sim<Party>, worker: NodeId, request: Request) -> Reply {
    let wait = Millis(1_000);
    sim.ask(worker, request, wait).unwrap_or_else(|| panic!("{request:?} has no answer after {wait}\n{sim}"))
}

fn hold(sim: &mut Sim<Party>, worker: NodeId) -> Token {
    match ask(sim, worker, Request::Acquire) {
        Reply::Held(token) => token,
        other => panic!("nobody holds the lease, and the answer is {other:?}\n{sim}"),
    }
}

fn stored<'a>(cluster: &Cluster<'a, Party>, key: &str) -> Option<&'a str> {
    cluster.up().find_map(|(_, party)| match party {
        Party::Store(store, _) => store.read(key),
        Party::Lock(_) | Party::Worker(_) => None,
    })
}

/// The promise of the store, told by what arrived at it and what it holds: no write is accepted after one with a greater
/// token, every other one is, and it holds what was accepted last.
fn fenced(cluster: &Cluster<'_, Party>) -> Result<(), String> {
    for (_, party) in cluster.up() {
        let Party::Store(store, arrived) = party else { continue };
        let mut accepted: Vec<(&str, &str, Token)> = vec![];
        for (key, value, token, result) in arrived {
            let newer = accepted.iter().filter(|(.., other)| other > token).max_by_key(|(.., other)| other);
            match (newer, result) {
                (Some((k, v, seen)), Ok(())) => {
                    return Err(format!("{key}={value} by {token:?} was accepted after {k}={v} by {seen:?}"));
                }
                (Some((.., seen)), Err(Refused::Stale { seen: told })) if seen != told => {
                    return Err(format!("{key}={value} by {token:?}: the newest was {seen:?}, not {told:?}"));
                }
                (None, Err(Refused::Stale { seen })) => {
                    return Err(format!(
                        "{key}={value} by {token:?} was refused, and nothing newer had been accepted; it was told {seen:?}"
                    ));
                }
                (Some(_), Err(_)) => {}
                (None, Ok(())) => accepted.push((key, value, *token)),
            }
        }
        for (key, ..) in &accepted {
            let last = accepted.iter().rfind(|(other, ..)| other == key).map(|(_, value, _)| *value);
            if store.read(key) != last {
                return Err(format!("{key} was last set to {last:?} and is {:?}", store.read(key)));
            }
        }
    }
    Ok(())
}

/// In the order in which the lock service sent its grants: none has a smaller token than one before, and no token goes to two
/// workers.
fn granted_in_order(sim: &Sim<Party>) -> Result<(), String> {
    let grants = sim.trace().events.iter().filter_map(|event| match &event.what {
        kit::trace::What::Sent { to, label, .. } => Some((label.strip_prefix("granted ")?.parse().ok()?, NodeId(*to))),
        _ => None,
    });
    let grants: Vec<(u64, NodeId)> = grants.collect();
    let name = |node: NodeId| &sim.trace().lanes[node.0];
    for pair in grants.windows(2) {
        let ((token, worker), (next, other)) = (pair[0], pair[1]);
        if token == next && worker != other {
            return Err(format!("{} and {} were both granted token {token}", name(worker), name(other)));
        }
        if next < token {
            return Err(format!("{} was granted token {next} after {} token {token}", name(other), name(worker)));
        }
    }
    Ok(())
}

mod stage_1_check {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn a_greater_token_takes_over() {
        let mut store = Store::default();
        assert_eq!(store.write("balance", "100", Token(33)), Ok(()));
        assert_eq!(store.write("balance", "90", Token(34)), Ok(()));
        assert_eq!(store.read("balance"), Some("90"));
        assert_eq!(store.read("limit"), None);
    }

    /// Alice's 33 comes after Bob's 34. The store knows neither of them.
    #[test]
    fn a_late_writer_is_told_whose_token_was_seen() {
        let mut store = Store::default();
        store.write("balance", "90", Token(34)).expect("it is the first");
        let late = store.write("balance", "105", Token(33));
        assert_eq!(late, Err(Refused::Stale { seen: Token(34) }), "33 is less than 34");
    }

    #[test]
    fn one_holder_may_write_again_and_again() {
        let mut store = Store::default();
        for value in ["100", "105", "110"] {
            assert_eq!(store.write("balance", value, Token(33)), Ok(()), "33 is not less than 33: {value}");
            assert_eq!(store.read("balance"), Some(value));
        }
    }

    /// A holder that has read and died never writes; its token is missing, and that is nobody's fault.
    #[test]
    fn tokens_may_be_skipped() {
        let mut store = Store::default();
        for token in [1, 2, 40, 41, 1_000_000, 1 << 32, u64::MAX] {
            assert_eq!(store.write("balance", "1", Token(token)), Ok(()), "{token} is the greatest so far");
        }
        let last = Token(u64::MAX);
        assert_eq!(store.write("balance", "2", last), Ok(()), "the holder of the last token of all writes again");
        let late = store.write("balance", "3", Token(u64::MAX - 1));
        assert_eq!(late, Err(Refused::Stale { seen: last }), "the last but one is late");
    }

    /// Bob writes what is there already. Alice may have read something else in the meantime: she is late all the same.
    #[test]
    fn a_write_that_changes_no_value_is_a_write() {
        let mut store = Store::default();
        store.write("balance", "100", Token(33)).expect("it is the first");
        assert_eq!(store.write("balance", "100", Token(34)), Ok(()), "34 is greater");
        let late = store.write("limit", "600", Token(33));
        assert_eq!(late, Err(Refused::Stale { seen: Token(34) }), "34 has written, though the balance was 100 before");
    }

    /// Bob has written the balance. Alice's late write goes to the limit, which he has not reached yet.
    #[test]
    fn a_late_writer_is_late_for_every_key() {
        let mut store = Store::default();
        store.write("limit", "500", Token(33)).expect("it is the first");
        store.write("balance", "90", Token(34)).expect("34 is greater");
        let late = store.write("limit", "600", Token(33));
        assert_eq!(late, Err(Refused::Stale { seen: Token(34) }), "34 was seen, under another key");
        assert_eq!(store.read("limit"), Some("500"));
    }

    #[test]
    fn a_refused_write_changes_nothing() {
        let mut store = Store::default();
        store.write("balance", "90", Token(34)).expect("it is the first");
        let before = store.clone();
        assert_eq!(store.write("balance", "1", Token(7)), Err(Refused::Stale { seen: Token(34) }));
        assert_eq!(store, before, "a refused write left something behind");
        let again = store.write("balance", "2", Token(8));
        assert_eq!(again, Err(Refused::Stale { seen: Token(34) }), "8 is late too, whatever came since");
        assert_eq!(store.write("balance", "80", Token(34)), Ok(()), "the holder of 34 is not late");
    }

    #[test]
    fn whatever_arrives_no_accepted_token_is_less_than_one_before() {
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let mut store = Store::default();
            let mut newest = Token(0);
            let mut told = vec![];
            for write in 0..30 {
                let (key, token) = (["a", "b", "c"][rng.random_range(0..3)], Token(rng.random_range(0..12)));
                let result = store.write(key, &write.to_string(), token);
                told.push(format!("{key}={write} by {token:?}: {result:?}"));
                let expected = if token < newest { Err(Refused::Stale { seen: newest }) } else { Ok(()) };
                assert_eq!(result, expected, "the greatest accepted was {newest:?}\n{told:#?}");
                newest = newest.max(token);
            }
        });
    }
}

mod stage_2_two_holders {
    use super::*;
    use kit::CallId;
    use kit::explore::{Action, Search, World, WorldState};
    use pretty_assertions::assert_eq;

    /// Alice holds the lease, stops for a garbage collection, and wakes up in the middle of a write that she had checked.
    #[test]
    fn a_paused_holder_cannot_overwrite_her_successor() {
        let mut sim = run();
        sim.always("no stale write after a newer one", fenced);
        ask(&mut sim, ALICE, Request::Hold(Token(33)));
        let late = sim.call(ALICE, Request::Write("balance", "105"));
        sim.run_for(Millis(1));
        sim.inject(Fault::Pause { node: ALICE, span: Millis(30_000) }); // three times the lease
        sim.run_for(LEASE);
        ask(&mut sim, BOB, Request::Hold(Token(34)));
        assert_eq!(ask(&mut sim, BOB, Request::Write("balance", "90")), Reply::Written, "bob holds it\n{sim}");
        sim.run_for(Millis(30_000));
        let refused = Some(&Reply::Refused(Refused::Stale { seen: Token(34) }));
        assert_eq!(sim.reply(late), refused, "she checked at t=0, her write arrived at t=30006\n{sim}");
        assert_eq!(stored(&sim.cluster(), "balance"), Some("90"), "{sim}");
    }

    /// A clock jumped somewhere in the lock service. Bob was granted the lease while Alice's was good for nine seconds more.
    #[test]
    fn of_two_holders_at_once_the_newer_wins_for_good() {
        let mut sim = run();
        sim.always("no stale write after a newer one", fenced);
        ask(&mut sim, ALICE, Request::Hold(Token(33)));
        assert_eq!(ask(&mut sim, ALICE, Request::Write("balance", "105")), Reply::Written, "{sim}");
        sim.run_for(Millis(1_000));
        ask(&mut sim, BOB, Request::Hold(Token(34)));
        let still = ask(&mut sim, ALICE, Request::Write("limit", "600"));
        assert_eq!(
            still,
            Reply::Written,
            "nobody newer has written: what she does is as if it were done before\n{sim}"
        );
        assert_eq!(ask(&mut sim, BOB, Request::Write("balance", "90")), Reply::Written, "{sim}");
        for (key, value) in [("balance", "110"), ("limit", "700")] {
            let refused = Reply::Refused(Refused::Stale { seen: Token(34) });
            assert_eq!(ask(&mut sim, ALICE, Request::Write(key, value)), refused, "34 has written\n{sim}");
        }
        assert_eq!(ask(&mut sim, BOB, Request::Write("limit", "500")), Reply::Written, "34 is not late\n{sim}");
    }

    /// A server forgot twice, and three workers hold the lease. Their writes arrive in the worst order.
    #[test]
    fn of_three_holders_each_is_late_after_a_newer_one() {
        let mut sim = run();
        sim.always("no stale write after a newer one", fenced);
        for (worker, token) in [(ALICE, 33), (BOB, 34), (CAROL, 35)] {
            ask(&mut sim, worker, Request::Hold(Token(token)));
        }
        assert_eq!(ask(&mut sim, BOB, Request::Write("balance", "90")), Reply::Written, "{sim}");
        let by_34 = Reply::Refused(Refused::Stale { seen: Token(34) });
        assert_eq!(ask(&mut sim, ALICE, Request::Write("balance", "105")), by_34, "{sim}");
        assert_eq!(ask(&mut sim, BOB, Request::Write("limit", "500")), Reply::Written, "{sim}");
        assert_eq!(ask(&mut sim, CAROL, Request::Write("limit", "400")), Reply::Written, "{sim}");
        let by_35 = Reply::Refused(Refused::Stale { seen: Token(35) });
        assert_eq!(ask(&mut sim, BOB, Request::Write("balance", "80")), by_35, "{sim}");
        assert_eq!(ask(&mut sim, ALICE, Request::Write("balance", "105")), by_35, "{sim}");
    }

    /// Two holders, three writes to two keys, one of them doubled by the network: every order in which that can happen.
    #[test]
    fn in_no_order_is_a_stale_write_accepted_after_a_newer_one() {
        let told = |state: &WorldState<Party>, call: u64| {
            state.history().iter().find_map(|(of, reply)| reply.filter(|_| of.0 == call))
        };
        let late = |reply| matches!(reply, Some(Reply::Refused(_)));
        let [hold_33, hold_34] = [CallId(0), CallId(1)];
        Search::of(
            World::new(["store", "alice", "bob"], Party::new)
                .call(ALICE, Request::Hold(Token(33)))
                .call(BOB, Request::Hold(Token(34)))
                .call(ALICE, Request::Write("x", "a1"))
                .call(ALICE, Request::Write("y", "a2"))
                .call(BOB, Request::Write("x", "b1"))
                .doubles(1),
        )
        .after(|stage| {
            stage.take("alice gets the lease", |action| *action == Action::Call(hold_33));
            stage.take("bob gets it too", |action| *action == Action::Call(hold_34));
        })
        .always("no stale write after a newer one", |state| fenced(&state.cluster()))
        .sometimes("every write was accepted", move |state| {
            (2..5).all(|call| told(state, call) == Some(Reply::Written))
        })
        .sometimes("alice's second write came too late", move |state| {
            told(state, 2) == Some(Reply::Written) && late(told(state, 3))
        })
        .sometimes("both of alice's came too late", move |state| late(told(state, 2)) && late(told(state, 3)))
        .assert();
    }
}

mod stage_3_tokens {
    use super::*;
    use pretty_assertions::assert_eq;

    fn run_with_lock() -> Sim<Party> {
        let mut sim = run();
        sim.join("lock");
        sim
    }

    #[test]
    fn each_lease_has_a_greater_token_than_the_one_before() {
        let mut sim = run_with_lock();
        let first = hold(&mut sim, ALICE);
        assert_eq!(first, Token(1), "the first of all\n{sim}");
        assert_eq!(ask(&mut sim, BOB, Request::Acquire), Reply::Denied, "alice has it\n{sim}");
        ask(&mut sim, ALICE, Request::Release);
        assert_eq!(hold(&mut sim, BOB), Token(2), "the next lease, the next token\n{sim}");
        sim.run_for(LEASE);
        assert_eq!(hold(&mut sim, BOB), Token(3), "his lease ended; one that ended is not prolonged\n{sim}");
        ask(&mut sim, BOB, Request::Release);
        assert_eq!(hold(&mut sim, BOB), Token(4), "he gave it back; what he gets is another lease\n{sim}");
    }

    /// Nobody ever gives it back; the first lease is as long as the tenth.
    #[test]
    fn every_lease_is_denied_to_others_for_ten_seconds_and_then_free() {
        let mut sim = run_with_lock();
        for token in 1..=10 {
            let (holder, other) = if token % 2 == 1 { (ALICE, BOB) } else { (BOB, ALICE) };
            let asked = sim.now();
            assert_eq!(
                ask(&mut sim, holder, Request::Acquire),
                Reply::Held(Token(token)),
                "the one before is over\n{sim}"
            );
            sim.run_for(Millis(9_900));
            let early = ask(&mut sim, other, Request::Acquire);
            assert_eq!(early, Reply::Denied, "token {token} was asked for at {asked}, and lasts ten seconds\n{sim}");
            sim.run_for(Millis(200));
        }
    }

    /// The answer was lost, so Alice asks again. She must not lose what she has under way with the first token.
    #[test]
    fn asking_again_under_the_same_lease_gives_the_same_token() {
        let mut sim = run_with_lock();
        let first = hold(&mut sim, ALICE);
        sim.run_for(Millis(4_000));
        assert_eq!(hold(&mut sim, ALICE), first, "one lease, one token\n{sim}");
    }

    #[test]
    fn a_lease_is_prolonged_by_its_holder_and_by_nobody_else() {
        let mut sim = run_with_lock();
        hold(&mut sim, ALICE);
        sim.run_for(Millis(4_000));
        hold(&mut sim, ALICE);
        sim.run_for(Millis(6_000));
        let bob = ask(&mut sim, BOB, Request::Acquire);
        assert_eq!(bob, Reply::Denied, "alice asked again at t=4010, so hers lasts until t=14015\n{sim}");
        sim.run_for(Millis(4_000));
        let bob = ask(&mut sim, BOB, Request::Acquire);
        assert!(
            matches!(bob, Reply::Held(_)),
            "alice's lease ended at t=14015; that bob was denied it at t=10030 makes it no longer: {bob:?}\n{sim}"
        );
    }

    /// Somebody corrects the clock by a minute. For Alice, and for the timer, not a second has passed.
    #[test]
    fn a_clock_set_forward_ends_no_lease() {
        let mut sim = run_with_lock();
        hold(&mut sim, ALICE);
        sim.inject(Fault::ClockJump { node: LOCK, by: 60_000 });
        let bob = ask(&mut sim, BOB, Request::Acquire);
        assert_eq!(bob, Reply::Denied, "alice was promised ten seconds, 10 ms ago\n{sim}");
        sim.run_for(LEASE);
        assert_eq!(hold(&mut sim, BOB), Token(2), "the ten seconds are over\n{sim}");
    }

    /// The reminder of Alice's lease, which she gave back, goes off while Bob has his.
    #[test]
    fn the_end_of_one_lease_is_not_the_end_of_the_next() {
        let mut sim = run_with_lock();
        hold(&mut sim, ALICE);
        sim.run_for(Millis(9_000));
        ask(&mut sim, ALICE, Request::Release);
        hold(&mut sim, BOB);
        sim.run_for(Millis(2_000));
        let carol = ask(&mut sim, CAROL, Request::Acquire);
        assert_eq!(carol, Reply::Denied, "bob's lease began at t=9015; alice's would have ended at t=10005\n{sim}");

        let mut service = LockService::new(Some(Token(33)));
        assert_eq!(granted(&service.acquire(ALICE, Time(0))), Some(Token(34)), "33 is on disk");
        for other in [1, 33, 35, u64::MAX] {
            service.end(Token(other));
            let bob = granted(&service.acquire(BOB, Time(1)));
            assert_eq!(bob, None, "alice has the lease with token 34, and the one with {other} ended");
        }
    }

    fn granted(outputs: &[Output<Party>]) -> Option<Token> {
        outputs.iter().find_map(|output| match output {
            Output::Send { message: Message::Granted(token), .. } => Some(*token),
            _ => None,
        })
    }

    /// What it told somebody it must still know when it comes back, so it writes first and answers after. A hundred leases, a
    /// crash, a hundred more.
    #[test]
    fn a_grant_is_on_disk_before_its_answer_leaves() {
        let mut disk = None;
        let mut greatest = None;
        for life in 1..=3 {
            let mut service = LockService::new(disk);
            for lease in 1..=100 {
                let outputs = service.acquire(ALICE, Time(7));
                for output in &outputs {
                    if let Output::Persist(token) = output {
                        disk = Some(*token);
                    }
                    let Output::Send { message: Message::Granted(token), .. } = output else { continue };
                    assert!(
                        disk >= Some(*token),
                        "life {life}, lease {lease}: a crash now must not forget {token:?}, and on disk is {disk:?}: {outputs:?}"
                    );
                    assert!(greatest < Some(*token), "life {life}, lease {lease}: {token:?} comes after {greatest:?}");
                    greatest = Some(*token);
                }
                let token = granted(&outputs).unwrap_or_else(|| panic!("nobody has the lease: {outputs:?}"));
                service.end(token);
            }
        }
    }

    /// A worker that died gives nothing back.
    #[test]
    fn a_grant_asks_to_be_reminded_of_its_end() {
        let outputs = LockService::new(None).acquire(ALICE, Time(7));
        let timer = outputs.iter().any(
            |output| matches!(output, Output::SetTimer { timer: Timer::LeaseEnds(Token(1)), after } if *after == LEASE),
        );
        assert!(timer, "nobody will end the lease of a worker that died: {outputs:?}");
    }

    #[test]
    fn tokens_grow_across_a_crash() {
        let mut sim = run_with_lock();
        let before = hold(&mut sim, ALICE);
        sim.inject(Fault::Crash { node: LOCK, lose_last_write: false });
        sim.inject(Fault::Restart(LOCK));
        let after = hold(&mut sim, BOB);
        assert!(after > before, "alice had {before:?} before the crash, and bob got {after:?} after it\n{sim}");
    }

    #[test]
    fn tokens_grow_when_the_clock_goes_back() {
        let mut sim = run_with_lock();
        sim.run_for(Millis(70_000));
        let before = hold(&mut sim, ALICE);
        ask(&mut sim, ALICE, Request::Release);
        sim.inject(Fault::ClockJump { node: LOCK, by: -60_000 });
        let after = hold(&mut sim, BOB);
        assert!(
            after > before,
            "alice had {before:?}, then the clock went back a minute, and bob got {after:?}\n{sim}"
        );
    }

    /// The lock service forgets that Alice has the lease, and grants it to Bob. The store is not confused.
    #[test]
    fn a_forgotten_lease_does_no_harm() {
        let mut sim = run_with_lock();
        sim.always("no stale write after a newer one", fenced);
        hold(&mut sim, ALICE);
        assert_eq!(ask(&mut sim, ALICE, Request::Write("balance", "105")), Reply::Written, "{sim}");
        sim.inject(Fault::Crash { node: LOCK, lose_last_write: false });
        sim.inject(Fault::Restart(LOCK));
        let newer = hold(&mut sim, BOB);
        assert_eq!(ask(&mut sim, BOB, Request::Write("balance", "90")), Reply::Written, "{sim}");
        let late = ask(&mut sim, ALICE, Request::Write("balance", "110"));
        assert_eq!(late, Reply::Refused(Refused::Stale { seen: newer }), "both hold a lease that is not over\n{sim}");
    }

    fn build(seed: Seed) -> Sim<Party> {
        let mut sim = Sim::new(seed, Party::new);
        sim.set_network(Network { delay: (Millis(1), Millis(500)), lost: 0.05, duplicated: 0.1, in_order: false });
        sim.join_all(["store", "alice", "bob", "carol", "lock"]);
        sim.always("no stale write after a newer one", fenced);
        sim
    }

    /// Everything at once: pauses, cuts, crashes of the lock service, and its clock set forward and back.
    fn plan(seed: Seed) -> Vec<Step<Request>> {
        let length = Millis(120_000);
        let chaos = Chaos { cuts: 3, pauses: 5, ..Chaos::calm(5, length, 0) };
        let mut steps = chaos.plan(seed, |_, _| Request::Release);
        steps.retain(|step| !matches!(step.what, Do::Fault(Fault::Pause { node: STORE | LOCK, .. })));
        let mut rng = seed.part(99).rng();
        let mut fault = |at, fault| steps.push(Step { at: Time(at), what: Do::Fault(fault) });
        for _ in 0..8 {
            let at = rng.random_range(0..length.0);
            fault(at, Fault::Crash { node: LOCK, lose_last_write: false });
            fault(at + 200, Fault::Restart(LOCK));
            let by = rng.random_range(-60_000..60_000);
            fault(rng.random_range(0..length.0), Fault::ClockJump { node: LOCK, by });
        }
        for _ in 0..200 {
            let worker = [ALICE, BOB, CAROL][rng.random_range(0..3)];
            let request = match rng.random_range(0..10) {
                0..=2 => Request::Acquire,
                3 => Request::Release,
                _ => Request::Write(["x", "y"][rng.random_range(0..2)], ["1", "2", "3"][rng.random_range(0..3)]),
            };
            steps.push(Step { at: Time(rng.random_range(0..length.0)), what: Do::Call(worker, request) });
        }
        steps.sort_by_key(|step| step.at);
        steps
    }

    #[test]
    fn whatever_pauses_jumps_and_crashes_the_store_is_not_harmed() {
        let seen = Sometimes::expect([
            "a late write was refused",
            "a worker found its lease over",
            "the lock service crashed",
        ]);
        for_seeds(40, |seed| {
            let sim = trial(seed, &plan(seed), build, |sim| {
                sim.run_for(Millis(30_000));
                granted_in_order(sim)
            });
            for call in sim.calls() {
                match call.replied {
                    Some((_, Reply::Refused(_))) => seen.saw("a late write was refused", true),
                    Some((_, Reply::NoLease)) => seen.saw("a worker found its lease over", true),
                    _ => {}
                }
            }
            let crashed = |what: &kit::trace::What| matches!(what, kit::trace::What::Crashed { .. });
            seen.saw("the lock service crashed", sim.trace().events.iter().any(|event| crashed(&event.what)));
        });
    }
}
