//! Stage 1: how long a lock may be trusted. Stage 2: a client that keeps within that. Stage 3: runs that break it.

use kit::chaos::{Chaos, Do, Step, trial};
use kit::rand::RngExt as _;
use kit::{CallId, Fault, Millis, Network, NodeId, Output, Seed, Sim, Sometimes, Time, for_seeds};
use redlock::{
    ALICE, BOB, Client, Command, HAND_OVER, MASTERS, Message, Party, RETRY, Reply, Request, Round, STORE, TRIES, TTL,
    Value, call, clock_drift, fault, forgetful_restart, jumping_clock, late_write, majority, min_validity, quarantine,
};
use std::collections::BTreeSet;

const CAROL: NodeId = NodeId(BOB.0 + 1);
const M: [NodeId; MASTERS] = [NodeId(0), NodeId(1), NodeId(2), NodeId(3), NodeId(4)];

/// Five masters, the store and three clients, with messages that take exactly `delay`.
fn cluster(delay: u64) -> Sim<Party> {
    seeded(Seed(1), delay, Millis(0))
}

fn seeded(seed: Seed, delay: u64, stays_out: Millis) -> Sim<Party> {
    let mut sim = Sim::new(seed, move |node, disk| Party::new(node, disk, seed, stays_out));
    sim.set_network(Network { in_order: false, ..Network::exact(Millis(delay)) });
    sim.join_all(["m0", "m1", "m2", "m3", "m4", "store", "alice", "bob", "carol"]);
    sim
}

/// The value of the key on each master that has one, expired or not.
fn values(sim: &Sim<Party>) -> Vec<Value> {
    let key = |party: &Party| match party {
        Party::Master(master) => master.key().map(|key| key.value),
        Party::Store(_) | Party::Client(_) => None,
    };
    sim.cluster().up().filter_map(|(_, party)| key(party)).collect()
}

/// A span of true time in which a client was sure to hold the lock, as it was told and by its own clock.
#[derive(Clone, Copy, Debug)]
struct Belief {
    client: NodeId,
    from: Time,
    until: Time,
}

/// Who believed to hold the lock, and when. `drift` tells by how many millionths a client's clock runs fast.
fn beliefs(sim: &Sim<Party>, drift: impl Fn(NodeId) -> i64) -> Vec<Belief> {
    let mut told: Vec<_> =
        sim.calls().iter().filter_map(|call| call.replied.map(|(moment, reply)| (moment, call.node, reply))).collect();
    told.sort_by_key(|(moment, ..)| *moment);
    let mut beliefs: Vec<Belief> = vec![];
    for (moment, client, reply) in told {
        match reply {
            Reply::Held(validity) => {
                let span = i128::from(validity.0) * 1_000_000 / (1_000_000 + i128::from(drift(client)));
                beliefs.push(Belief { client, from: moment.at, until: moment.at + Millis(span as u64) });
            }
            Reply::Released | Reply::Lost => {
                for belief in beliefs.iter_mut().filter(|belief| belief.client == client) {
                    belief.until = belief.until.min(moment.at);
                }
            }
            Reply::Refused | Reply::Busy | Reply::Sent | Reply::NotHeld => {}
        }
    }
    beliefs
}

/// The first time at which two clients are sure to hold the lock, and how long that lasts.
fn two_holders(sim: &Sim<Party>, drift: impl Fn(NodeId) -> i64) -> Option<String> {
    let beliefs = beliefs(sim, drift);
    let name = |node: NodeId| &sim.trace().lanes[node.0];
    beliefs.iter().enumerate().find_map(|(i, one)| {
        let other = beliefs[i + 1..]
            .iter()
            .find(|other| other.client != one.client && one.from.max(other.from) < one.until.min(other.until))?;
        let (one_name, other_name) = (name(one.client), name(other.client));
        Some(format!(
            "{one_name} is sure of the lock from {} to {}, and {other_name} from {} to {}",
            one.from, one.until, other.from, other.until
        ))
    })
}

/// Every clock is right.
const fn exact(_: NodeId) -> i64 {
    0
}

fn ask(sim: &mut Sim<Party>, client: NodeId, request: Request) -> Reply {
    let wait = Millis(1_000);
    sim.ask(client, request, wait).unwrap_or_else(|| panic!("{request:?} has no answer after {wait}\n{sim}"))
}

/// What a client asked of all masters, when it began an attempt: in which round, and with which value.
fn asked(out: &[Output<Party>]) -> (Round, Value) {
    let asked = out.iter().find_map(|output| match output {
        Output::Send { message: Message::Command(round, Command::Set(value) | Command::Extend(value)), .. } => {
            Some((*round, *value))
        }
        _ => None,
    });
    asked.unwrap_or_else(|| panic!("nobody was asked to set or extend a key: {out:?}"))
}

/// What a client tells its callers when these masters say `done` at `now`.
fn hear(client: &mut Client, round: Round, masters: &[NodeId], done: bool, now: u64) -> Vec<Output<Party>> {
    masters.iter().flat_map(|master| client.answer(*master, round, done, Time(now))).collect()
}

fn told(out: &[Output<Party>]) -> Vec<Reply> {
    let reply = |output: &Output<Party>| match output {
        Output::Reply { reply, .. } => Some(*reply),
        _ => None,
    };
    out.iter().filter_map(reply).collect()
}

/// A client that asked for the lock at `at` and heard of a majority at `heard`.
fn holder(at: u64, heard: u64) -> Client {
    let mut client = Client::new(Seed(1));
    let (round, _) = asked(&client.acquire(CallId(0), Time(at)));
    let out = hear(&mut client, round, &M[..3], true, heard);
    let validity = Millis(10_000 - (heard - at) - 102);
    assert_eq!(
        told(&out),
        [Reply::Held(validity)],
        "asked at t={at}, heard at t={heard}, the drift is 102 ms: {out:?}"
    );
    client
}

mod stage_1_validity {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn ten_seconds_less_twenty_milliseconds_less_drift_leaves_9878() {
        assert_eq!(clock_drift(Millis(10_000)), Millis(102), "1 % of 10 000 ms, and 2 ms");
        assert_eq!(min_validity(Millis(10_000), Millis(20)), Some(Millis(9_878)), "10 000 - 20 - 102");
        assert_eq!(min_validity(Millis(30_000), Millis(200)), Some(Millis(29_498)), "30 000 - 200 - 302");
    }

    #[test]
    fn a_lock_without_a_millisecond_left_is_no_lock() {
        let ttl = Millis(10_000);
        assert_eq!(min_validity(ttl, Millis(9_897)), Some(Millis(1)), "10 000 - 9 897 - 102");
        assert_eq!(min_validity(ttl, Millis(9_898)), None, "nothing is left");
        assert_eq!(min_validity(ttl, Millis(10_000)), None, "the first key may have expired");
        assert_eq!(min_validity(ttl, Millis(86_400_000)), None, "it took a day");
        assert_eq!(min_validity(Millis(2), Millis(0)), None, "the drift alone is 2 ms");
    }

    #[test]
    fn each_millisecond_spent_acquiring_is_one_less_to_trust() {
        for ttl in [Millis(100), Millis(3_000), Millis(10_000)] {
            let validity = |elapsed| min_validity(ttl, Millis(elapsed)).unwrap_or_default().0;
            for elapsed in 0..ttl.0 + 10 {
                let (now, next) = (validity(elapsed), validity(elapsed + 1));
                assert_eq!(next, now.saturating_sub(1), "TTL {ttl}, after {elapsed} ms and one more");
            }
        }
    }

    /// The masters that answer may be any; what counts is that no two such sets miss each other.
    #[test]
    fn any_two_majorities_share_a_member() {
        for (n, tolerated) in (1..=7).zip([0, 0, 1, 1, 2, 2, 3]) {
            let quorum = majority(n);
            assert_eq!(n - quorum, tolerated, "{n} masters with a majority of {quorum} go on when so many are down");
            let quorums: Vec<u32> = (0..1_u32 << n).filter(|set| set.count_ones() as usize >= quorum).collect();
            for one in &quorums {
                for other in &quorums {
                    assert!(one & other != 0, "of {n} masters, {one:b} and {other:b} both count as a majority");
                }
            }
        }
    }
}

mod stage_2_client {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn validity_counts_from_before_the_first_request() {
        let mut sim = cluster(10);
        let held = ask(&mut sim, ALICE, Request::Acquire);
        assert_eq!(held, Reply::Held(Millis(9_878)), "10 ms there and 10 ms back: 10 000 - 20 - 102\n{sim}");
    }

    #[test]
    fn while_one_holds_the_lock_another_is_refused() {
        let mut sim = cluster(5);
        ask(&mut sim, ALICE, Request::Acquire);
        assert_eq!(ask(&mut sim, BOB, Request::Acquire), Reply::Refused, "alice holds it\n{sim}");
        assert_eq!(ask(&mut sim, ALICE, Request::Acquire), Reply::Busy, "she has it already\n{sim}");
        assert_eq!(ask(&mut sim, ALICE, Request::Release), Reply::Released, "{sim}");
        sim.run_for(Millis(5));
        assert!(matches!(ask(&mut sim, BOB, Request::Acquire), Reply::Held(_)), "alice gave it back\n{sim}");
    }

    /// What two masters say is what the other three might say to somebody else.
    #[test]
    fn two_of_five_are_no_majority_even_if_nobody_else_answers() {
        let mut sim = cluster(5);
        sim.inject(Fault::Partition(vec![vec![ALICE, M[0], M[1]], vec![BOB, M[2], M[3], M[4]]]));
        assert_eq!(ask(&mut sim, ALICE, Request::Acquire), Reply::Refused, "two masters did what she asked\n{sim}");
        assert!(matches!(ask(&mut sim, BOB, Request::Acquire), Reply::Held(_)), "three did what he asked\n{sim}");
    }

    /// Bob was cut off with two of the masters, set his key there, and died. Three masters are free, in whatever order they answer.
    #[test]
    fn what_a_dead_client_left_on_two_masters_keeps_nobody_out() {
        for (one, other) in (0..MASTERS).flat_map(|one| (one + 1..MASTERS).map(move |other| (M[one], M[other]))) {
            let mut sim = cluster(5);
            let free: Vec<NodeId> = M.into_iter().filter(|master| ![one, other].contains(master)).collect();
            sim.inject(Fault::Partition(vec![vec![BOB, one, other], [&[ALICE], &free[..]].concat()]));
            sim.call(BOB, Request::Acquire);
            sim.run_for(Millis(6));
            sim.inject(Fault::Crash { node: BOB, lose_last_write: false });
            sim.inject(Fault::Heal);
            let alice = ask(&mut sim, ALICE, Request::Acquire);
            assert_eq!(alice, Reply::Held(Millis(9_888)), "two masters say no and three say yes, a majority\n{sim}");
        }
    }

    /// Alice is stopped while the answers are under way. Five masters say yes, and it means nothing any more.
    #[test]
    fn a_pause_while_acquiring_leaves_nothing_to_hold() {
        let mut sim = cluster(5);
        let acquire = sim.call(ALICE, Request::Acquire);
        sim.run_for(Millis(1));
        sim.inject(Fault::Pause { node: ALICE, span: Millis(15_000) });
        sim.run_for(Millis(12_000));
        assert!(matches!(ask(&mut sim, BOB, Request::Acquire), Reply::Held(_)), "the keys have expired\n{sim}");
        sim.run_for(Millis(5_000));
        let reply = sim.reply(acquire);
        assert_eq!(
            reply,
            Some(&Reply::Refused),
            "alice asked at t=0 and heard the answers at t=15001, for keys that live 10 000 ms; bob has had the lock since \
             t=12011\n{sim}"
        );
    }

    /// The same pause, but she reads what is in her socket before she looks at her timers.
    #[test]
    fn answers_that_are_read_too_late_leave_nothing_to_hold() {
        let mut alice = Client::new(Seed(1));
        let (round, _) = asked(&alice.acquire(CallId(0), Time(0)));
        let heard = hear(&mut alice, round, &M, true, 15_001);
        let believes = told(&heard).iter().any(|reply| matches!(reply, Reply::Held(_)));
        let holds = alice.holds(Time(15_001));
        assert!(!believes && !holds, "she asked at t=0, the keys live 10 000 ms, and at t=15001: {heard:?}");
    }

    /// However an attempt fails, a key may be anywhere: an answer can be lost, and a no can be for the second copy of a request
    /// whose first copy was done.
    #[test]
    fn a_failed_attempt_is_taken_back_on_every_master_whatever_each_of_them_said() {
        let mut runs = vec![];
        let mut refused = Client::new(Seed(1));
        let (round, value) = asked(&refused.acquire(CallId(0), Time(0)));
        let mut out = hear(&mut refused, round, &M[..3], false, 5);
        out.extend(refused.patience_ends(round));
        runs.push(("three refused", value, out));

        let mut silent = Client::new(Seed(1));
        let (round, value) = asked(&silent.acquire(CallId(0), Time(0)));
        let mut out = hear(&mut silent, round, &M[..2], true, 5);
        out.extend(hear(&mut silent, round, &M[2..3], false, 5));
        out.extend(silent.patience_ends(round));
        runs.push(("two did it, one refused, two were silent", value, out));

        let mut late = Client::new(Seed(1));
        let (round, value) = asked(&late.acquire(CallId(0), Time(0)));
        let out = hear(&mut late, round, &M[..3], true, 15_001);
        runs.push(("three did it, heard after 15 s", value, out));

        let mut extending = holder(0, 10);
        let (round, value) = asked(&extending.extend(CallId(1), Time(1_000)));
        let mut out = hear(&mut extending, round, &M[..3], false, 1_010);
        out.extend(extending.patience_ends(round));
        assert_eq!(told(&out), [Reply::Lost], "three masters refused the extension: {out:?}");
        runs.push(("three refused an extension", value, out));

        for (what, value, out) in runs {
            let deleted = out.iter().filter_map(|output| match output {
                Output::Send { to, message: Message::Command(_, Command::Delete(key)) } if *key == value => Some(*to),
                _ => None,
            });
            let deleted: BTreeSet<NodeId> = deleted.collect();
            assert_eq!(deleted, BTreeSet::from(M), "{what}, and these masters were told to delete the key: {out:?}");
        }
    }

    type Ask = fn(&mut Client) -> Vec<Output<Party>>;

    /// Two callers in one process: whoever comes second must not disturb what the first has under way.
    #[test]
    fn who_is_busy_says_so_and_goes_on() {
        let asks: [(&str, Ask); 3] = [
            ("acquire", |client| client.acquire(CallId(9), Time(1_005))),
            ("extend", |client| client.extend(CallId(9), Time(1_005))),
            ("release", |client| client.release(CallId(9))),
        ];
        for (what, ask) in asks {
            let mut acquiring = Client::new(Seed(1));
            let acquire = acquiring.acquire(CallId(0), Time(1_000));
            let mut extending = holder(0, 10);
            let extend = extending.extend(CallId(0), Time(1_000));
            for (mut client, begun, doing) in [(acquiring, acquire, "acquires"), (extending, extend, "extends")] {
                let out = ask(&mut client);
                let busy = Output::Reply { call: CallId(9), reply: Reply::Busy };
                assert_eq!(out, [busy], "{what}, while it {doing}");
                let (round, _) = asked(&begun);
                let out = hear(&mut client, round, &M[..3], true, 1_010);
                let held = Output::Reply { call: CallId(0), reply: Reply::Held(Millis(9_888)) };
                assert!(out.contains(&held), "{what}, while it {doing}, and then three masters say yes: {out:?}");
            }
        }
    }

    #[test]
    fn a_master_that_answers_twice_counts_once() {
        let mut sim = cluster(5);
        sim.set_network(Network { duplicated: 1.0, in_order: false, ..Network::exact(Millis(5)) });
        sim.inject(Fault::Partition(vec![vec![ALICE, M[0], M[1]], vec![BOB, M[2], M[3], M[4]]]));
        let reply = ask(&mut sim, ALICE, Request::Acquire);
        assert_eq!(reply, Reply::Refused, "every message arrives twice, and two masters are reached\n{sim}");
    }

    /// 45 ms there and 45 ms back: every answer comes when the attempt is over, and its keys are about to be deleted.
    #[test]
    fn an_answer_to_an_attempt_that_is_over_does_not_count() {
        let mut sim = cluster(45);
        let reply = ask(&mut sim, ALICE, Request::Acquire);
        assert_eq!(reply, Reply::Refused, "no answer comes within 50 ms\n{sim}");
        sim.run_for(Millis(45));
        assert_eq!(values(&sim), [], "the last deletes have arrived\n{sim}");
    }

    /// Three masters set the key, but their answers are lost. Only they know.
    #[test]
    fn a_failed_attempt_leaves_no_key_behind_even_where_nobody_answered() {
        let mut sim = cluster(5);
        for master in &M[2..] {
            sim.inject(Fault::Cut { from: *master, to: ALICE });
        }
        assert_eq!(ask(&mut sim, ALICE, Request::Acquire), Reply::Refused, "two answers of five\n{sim}");
        sim.run_for(Millis(5));
        let left = values(&sim);
        assert_eq!(left, [], "so many keys will block everybody for ten seconds\n{sim}");
    }

    /// Alice's release takes twelve seconds. In the meantime her keys expire, and she gets the lock again.
    #[test]
    fn a_late_release_does_not_undo_a_new_acquisition() {
        let mut sim = cluster(5);
        ask(&mut sim, ALICE, Request::Acquire);
        sim.set_network(Network { in_order: false, ..Network::exact(Millis(12_000)) });
        ask(&mut sim, ALICE, Request::Release);
        sim.set_network(Network { in_order: false, ..Network::exact(Millis(5)) });
        sim.run_for(Millis(11_000));
        assert!(matches!(ask(&mut sim, ALICE, Request::Acquire), Reply::Held(_)), "her old keys have expired\n{sim}");
        sim.run_for(Millis(2_000));
        assert_eq!(values(&sim).len(), MASTERS, "the deletes of t=10 were for the keys of t=0\n{sim}");
        let bob = ask(&mut sim, BOB, Request::Acquire);
        assert_eq!(bob, Reply::Refused, "alice has held the lock since t=11010\n{sim}");
    }

    /// The first attempt has failed. The second owes it nothing: neither its value, which is being deleted, nor its time.
    #[test]
    fn each_attempt_has_a_value_and_a_beginning_of_its_own() {
        let mut alice = Client::new(Seed(1));
        let (first, old) = asked(&alice.acquire(CallId(0), Time(0)));
        alice.patience_ends(first);
        let (second, new) = asked(&alice.retry(Time(200)));
        assert!(old != new, "the deletes of the first attempt are under way, and would delete the keys of the second");
        hear(&mut alice, second, &M[..1], true, 220);
        let out = hear(&mut alice, second, &M[1..3], true, 240);
        let held = Reply::Held(Millis(9_858));
        assert_eq!(told(&out), [held], "it began at t=200, a majority at t=240: 10 000 - 40 - 102: {out:?}");
    }

    /// A thousand workers are woken by the same cron line. False alarm: 3e-14 (a thousand draws of 64 bits).
    #[test]
    fn clients_that_ask_in_the_same_millisecond_sign_with_different_values() {
        let values = (0..1_000).map(|seed| asked(&Client::new(Seed(seed)).acquire(CallId(0), Time(0))).1);
        let different: BTreeSet<Value> = values.collect();
        let shared = 1_000 - different.len();
        assert_eq!(shared, 0, "so many of 1000 clients share a value with another, and can delete the other's lock");
    }

    /// What the caller was told, and what is checked before each write, is one and the same.
    #[test]
    fn the_lock_is_held_for_as_long_as_was_told_and_not_a_millisecond_longer() {
        let mut alice = holder(100, 120);
        assert!(alice.holds(Time(9_997)), "asked at t=100, told 9878 ms at t=120: t=9997 is the last");
        assert!(!alice.holds(Time(9_998)), "asked at t=100, told 9878 ms at t=120: over at t=9998");
        let (round, _) = asked(&alice.extend(CallId(1), Time(9_000)));
        hear(&mut alice, round, &M[..3], true, 9_010);
        assert!(alice.holds(Time(18_897)), "extended at t=9000, told 9888 ms at t=9010: t=18897 is the last");
        assert!(!alice.holds(Time(18_898)), "extended at t=9000, told 9888 ms at t=9010: over at t=18898");
    }

    /// Nobody has said no yet, and nobody has said yes.
    #[test]
    fn an_extension_under_way_prolongs_nothing() {
        let mut alice = holder(0, 10);
        alice.extend(CallId(1), Time(9_890));
        assert!(alice.holds(Time(9_897)), "it does not shorten anything either: held until t=9898");
        assert!(!alice.holds(Time(9_898)), "asked at t=9890, unanswered, and the lock ended at t=9898");
    }

    /// The other two answers to her first request come after all, and so does its reminder. They say nothing of her second.
    #[test]
    fn an_answer_to_the_acquisition_does_not_extend() {
        let mut alice = Client::new(Seed(1));
        let (first, _) = asked(&alice.acquire(CallId(0), Time(0)));
        hear(&mut alice, first, &M[..3], true, 10);
        let (second, _) = asked(&alice.extend(CallId(1), Time(30)));
        let mut out = hear(&mut alice, first, &M, true, 40);
        assert_eq!(told(&out), [], "five masters set the key, at t=0; none has extended it: {out:?}");
        out = alice.patience_ends(first);
        assert_eq!(told(&out), [], "the acquisition began 50 ms ago, the extension 20 ms: {out:?}");
        out = hear(&mut alice, second, &M[..3], true, 60);
        assert_eq!(told(&out), [Reply::Held(Millis(9_868))], "10 000 - 30 - 102: {out:?}");
    }

    #[test]
    fn an_extension_is_valid_from_its_own_first_request() {
        let mut sim = cluster(20);
        ask(&mut sim, ALICE, Request::Acquire);
        sim.run_for(Millis(7_000));
        let extended = ask(&mut sim, ALICE, Request::Extend);
        assert_eq!(extended, Reply::Held(Millis(9_858)), "20 ms there and 20 ms back: 10 000 - 40 - 102\n{sim}");
        sim.run_for(Millis(7_000));
        assert_eq!(ask(&mut sim, BOB, Request::Acquire), Reply::Refused, "alice extended at t=7040\n{sim}");
    }

    /// The keys live 102 ms longer than Alice may trust them, and answer as if nothing had happened.
    #[test]
    fn what_is_not_held_any_more_cannot_be_extended() {
        let mut sim = cluster(5);
        ask(&mut sim, ALICE, Request::Acquire);
        sim.run_for(Millis(9_920));
        let late = ask(&mut sim, ALICE, Request::Extend);
        assert_eq!(late, Reply::Lost, "her validity ended at t=9898, she asked at t=9930\n{sim}");
    }

    /// She asked in time. The masters said yes. In between there was a while in which she was sure of nothing.
    #[test]
    fn a_lock_that_ends_while_it_is_extended_is_lost() {
        for (asks, hears) in [(9_890, 9_900), (100, 15_000)] {
            let mut alice = holder(0, 10);
            let (round, _) = asked(&alice.extend(CallId(1), Time(asks)));
            let out = hear(&mut alice, round, &M[..3], true, hears);
            assert_eq!(told(&out), [Reply::Lost], "held until t=9898, asked at t={asks}, heard at t={hears}: {out:?}");
            assert!(!alice.holds(Time(hears)), "she was told that it is lost");
        }
    }

    #[test]
    fn an_extension_without_a_majority_gives_the_lock_up() {
        let mut sim = cluster(5);
        ask(&mut sim, ALICE, Request::Acquire);
        sim.inject(Fault::Partition(vec![vec![ALICE, BOB, M[0], M[1]], vec![M[2], M[3], M[4]]]));
        assert_eq!(ask(&mut sim, ALICE, Request::Extend), Reply::Lost, "two masters of five extended it\n{sim}");
        assert_eq!(ask(&mut sim, ALICE, Request::Write(1)), Reply::NotHeld, "she was told that it is lost\n{sim}");
        sim.run_for(Millis(5));
        assert_eq!(values(&sim).len(), 3, "she deletes the keys she can reach\n{sim}");
    }

    /// Clients that wait equally long meet again at every attempt, and so do clients that differ once and then keep their step.
    /// False alarm: 8e-14 (six clients, and each draws one of 151 pauses twice).
    #[test]
    fn attempts_are_spread_at_random() {
        let mut waits = vec![];
        for (seed, client) in [1, 2].into_iter().flat_map(|seed| [ALICE, BOB, CAROL].map(|client| (Seed(seed), client)))
        {
            let mut sim = seeded(seed, 5, Millis(0));
            sim.inject(Fault::Partition(vec![M.to_vec(), vec![ALICE, BOB, CAROL]]));
            assert_eq!(ask(&mut sim, client, Request::Acquire), Reply::Refused, "no master hears\n{sim}");
            let fired = sim.trace().events.iter().filter_map(|event| match &event.what {
                kit::trace::What::TimerFired { label, .. } => Some((label.starts_with("Retry"), event.at)),
                _ => None,
            });
            let fired: Vec<_> = fired.collect();
            let tries = fired.iter().filter(|(is_retry, _)| !is_retry).count();
            assert_eq!(tries, TRIES as usize, "an acquisition makes so many attempts\n{sim}");
            let mut own = vec![];
            for pair in fired.windows(2).filter(|pair| pair[1].0) {
                let wait = pair[1].1.since(pair[0].1);
                assert!(RETRY.0 <= wait && wait <= RETRY.1, "it waited {wait} before it tried again\n{sim}");
                own.push(wait);
            }
            waits.push(own);
        }
        let pauses: BTreeSet<Millis> = waits.iter().flatten().copied().collect();
        assert!(pauses.len() > 2, "six clients, two pauses each, and all of them took {pauses:?}");
        let steady = waits.iter().all(|own| own.windows(2).all(|pair| pair[0] == pair[1]));
        assert!(!steady, "each of six clients took the same pause twice: {waits:?}");
    }

    /// Her clock is half a percent slow and theirs are half a percent fast: one percent, as allowed.
    #[test]
    fn a_slow_holder_stops_before_fast_masters_forget_her() {
        let mut sim = cluster(5);
        for master in M {
            sim.inject(Fault::ClockDrift { node: master, millionths: 5_000 });
        }
        sim.inject(Fault::ClockDrift { node: ALICE, millionths: -5_000 });
        ask(&mut sim, ALICE, Request::Acquire);
        sim.run_for(Millis(9_800));
        let held = (0..1_000).any(|_| ask(&mut sim, BOB, Request::Acquire) != Reply::Refused);
        assert!(held, "her lock has ended on every master, and bob is refused whenever he asks\n{sim}");
        let alice_is_slow = |node| if node == ALICE { -5_000 } else { 0 };
        let both = two_holders(&sim, alice_is_slow);
        assert_eq!(both, None, "two clients are sure of the lock at once\n{sim}");
    }

    const SECONDS: u64 = 60;

    fn drift(seed: Seed, node: NodeId) -> i64 {
        seed.part(node.0 as u64).rng().random_range(-5_000..=5_000)
    }

    fn drifting(seed: Seed) -> Sim<Party> {
        let mut sim = Sim::new(seed, move |node, disk| Party::new(node, disk, seed, Millis(0)));
        // Late enough that many an answer comes after the attempt that it belongs to.
        sim.set_network(Network { delay: (Millis(1), Millis(40)), lost: 0.05, duplicated: 0.2, in_order: false });
        let nodes = sim.join_all(["m0", "m1", "m2", "m3", "m4", "store", "alice", "bob", "carol"]);
        for node in nodes {
            sim.inject(Fault::ClockDrift { node, millionths: drift(seed, node) });
        }
        sim
    }

    /// Random calls and faults within the assumptions: any cut, any pause, masters that crash and lose nothing.
    fn plan(seed: Seed) -> Vec<Step<Request>> {
        let length = Millis(SECONDS * 1_000);
        let chaos = Chaos { partitions: 3, cuts: 4, crashes: 6, pauses: 4, ..Chaos::calm(MASTERS + 4, length, 0) };
        let mut steps = chaos.plan(seed, |_, _| Request::Release);
        steps.retain(|step| match &step.what {
            Do::Fault(Fault::Crash { node, .. } | Fault::Restart(node)) => node.0 < MASTERS,
            _ => true,
        });
        let mut rng = seed.part(99).rng();
        for _ in 0..120 {
            let client = [ALICE, BOB, CAROL][rng.random_range(0..3)];
            let requests = [Request::Acquire, Request::Acquire, Request::Extend, Request::Release];
            steps.push(call(rng.random_range(0..length.0), client, requests[rng.random_range(0..4)]));
        }
        steps.sort_by_key(|step| step.at);
        steps
    }

    /// The promise as a whole, for whoever accepts its assumptions.
    #[test]
    fn within_the_assumptions_nobody_holds_it_together_with_another() {
        let seen = Sometimes::expect([
            "a lock passed to another without a release",
            "an extension was granted",
            "an extension was lost",
            "an acquisition was refused",
            "a master crashed",
        ]);
        for_seeds(60, |seed| {
            let sim = trial(seed, &plan(seed), drifting, |sim| {
                sim.run_for(Millis(20_000));
                two_holders(sim, |node| drift(seed, node)).map_or(Ok(()), Err)
            });
            let replies = |request, reply: fn(Reply) -> bool| {
                let mut calls = sim.calls().iter().filter(|call| call.request == request);
                calls.any(|call| call.replied.is_some_and(|(_, told)| reply(told)))
            };
            seen.saw("an extension was granted", replies(Request::Extend, |reply| matches!(reply, Reply::Held(_))));
            seen.saw("an extension was lost", replies(Request::Extend, |reply| reply == Reply::Lost));
            seen.saw("an acquisition was refused", replies(Request::Acquire, |reply| reply == Reply::Refused));
            let crashed = |what: &kit::trace::What| matches!(what, kit::trace::What::Crashed { .. });
            seen.saw("a master crashed", sim.trace().events.iter().any(|event| crashed(&event.what)));
            let beliefs = beliefs(&sim, |node| drift(seed, node));
            let ended = |belief: &Belief| belief.until.since(belief.from) > Millis(9_000);
            let passed = |pair: &[Belief]| pair[0].client != pair[1].client && ended(&pair[0]);
            seen.saw("a lock passed to another without a release", beliefs.windows(2).any(passed));
        });
    }

    #[test]
    fn when_faults_end_somebody_gets_the_lock_again() {
        for_seeds(20, |seed| {
            let mut sim = trial(seed, &plan(seed), drifting, |_| Ok(()));
            sim.mend();
            sim.set_network(Network::reliable());
            sim.run_for(Millis(30_000));
            let carol = ask(&mut sim, CAROL, Request::Acquire);
            assert!(matches!(carol, Reply::Held(_)), "every key has expired, and she is answered {carol:?}\n{sim}");
        });
    }
}

mod stage_3_violation {
    use super::*;
    use pretty_assertions::assert_eq;

    const LONGEST: Time = Time(60_000);

    /// Plays a plan to its end and half a minute beyond.
    fn play(plan: &[Step<Request>], stays_out: Millis) -> Sim<Party> {
        play_on(seeded(Seed(1), 5, stays_out), plan)
    }

    fn play_on(mut sim: Sim<Party>, plan: &[Step<Request>]) -> Sim<Party> {
        let mut steps = plan.to_vec();
        steps.sort_by_key(|step| step.at);
        for step in steps {
            assert!(step.at <= LONGEST, "a minute is enough: {step:?}");
            sim.run_for(step.at.since(sim.now()));
            match step.what {
                Do::Call(client, request) => {
                    assert!(client == ALICE || client == BOB, "only alice and bob take part: {request:?} of {client}");
                    sim.call(client, request);
                }
                Do::Fault(fault) => sim.inject(fault),
            }
        }
        sim.run_for(Millis(40_000));
        sim
    }

    /// The faults of a plan, without those of the network.
    fn faults(plan: &[Step<Request>]) -> Vec<Fault> {
        let faults = plan.iter().filter_map(|step| match &step.what {
            Do::Fault(Fault::Cut { .. } | Fault::Partition(_) | Fault::Heal) | Do::Call(..) => None,
            Do::Fault(fault) => Some(fault.clone()),
        });
        faults.collect()
    }

    fn without(plan: Vec<Step<Request>>, is_fault: impl Fn(&Fault) -> bool) -> Vec<Step<Request>> {
        plan.into_iter().filter(|step| !matches!(&step.what, Do::Fault(fault) if is_fault(fault))).collect()
    }

    /// A write that reached the store after its writer's time had run out and somebody else had written.
    fn late_writes(sim: &Sim<Party>) -> Vec<String> {
        let Some(Party::Store(store)) = sim.node(STORE) else { panic!("the store is down\n{sim}") };
        let ran_out = |writer: NodeId| {
            let ends = sim.calls().iter().filter(|call| call.node == writer).filter_map(|call| match call.replied {
                Some((moment, Reply::Held(validity))) => Some(moment.at + validity),
                _ => None,
            });
            ends.max()
        };
        let late = |(i, (at, writer, value)): (usize, &(Time, NodeId, u32))| {
            let ended = ran_out(*writer);
            let other = store.writes()[..i].iter().any(|(_, other, _)| other != writer);
            let ended = ended.filter(|until| until < at && other)?;
            Some(format!("{value} arrived at {at}, the lock of its writer had ended at {ended}"))
        };
        store.writes().iter().enumerate().filter_map(late).collect()
    }

    /// No clock is wrong, no server fails, and the client checks before it writes.
    #[test]
    fn a_pause_between_check_and_write_makes_the_write_late() {
        let plan = late_write();
        let network = plan.iter().filter(|step| matches!(step.what, Do::Fault(_))).count();
        assert!(
            matches!(faults(&plan)[..], [Fault::Pause { node: ALICE | BOB, .. }]) && network == 1,
            "allowed is one pause of alice or bob, and these are the faults: {:?}",
            faults(&plan)
        );
        let sim = play(&plan, Millis(0));
        assert!(
            !late_writes(&sim).is_empty(),
            "every write reached the store before its writer's validity had run out, or before anybody else wrote; a write \
             is on the wire {HAND_OVER} after its check\n{sim}"
        );
    }

    #[test]
    fn one_clock_that_jumps_makes_two_holders() {
        let plan = jumping_clock();
        assert!(
            matches!(faults(&plan)[..], [Fault::ClockJump { node: NodeId(0..MASTERS), .. }]),
            "allowed is one jump of one master's clock, and these are the faults: {:?}",
            faults(&plan)
        );
        let sim = play(&plan, Millis(0));
        assert!(two_holders(&sim, exact).is_some(), "at no time are both sure of the lock\n{sim}");
    }

    #[test]
    fn one_server_that_forgets_makes_two_holders() {
        let plan = forgetful_restart();
        assert!(
            matches!(
                faults(&plan)[..],
                [Fault::Crash { node: NodeId(crashed @ 0..MASTERS), lose_last_write: true }, Fault::Restart(NodeId(back))]
                if crashed == back
            ),
            "allowed is one crash of one master that loses its last write, and its restart: {:?}",
            faults(&plan)
        );
        let sim = play(&plan, Millis(0));
        assert!(two_holders(&sim, exact).is_some(), "at no time are both sure of the lock\n{sim}");
    }

    /// Cuts and partitions alone, the same ones, do no harm: it was the pause, the jump and the lost write.
    #[test]
    fn without_its_one_fault_each_run_is_safe() {
        let pause = without(late_write(), |fault| matches!(fault, Fault::Pause { .. }));
        let jump = without(jumping_clock(), |fault| matches!(fault, Fault::ClockJump { .. }));
        let mut kept = forgetful_restart();
        for step in &mut kept {
            if let Do::Fault(Fault::Crash { lose_last_write, .. }) = &mut step.what {
                *lose_last_write = false; // fsync before every answer
            }
        }
        for plan in [pause, jump, kept] {
            let sim = play(&plan, Millis(0));
            assert_eq!(late_writes(&sim), [""; 0], "{sim}");
            assert_eq!(two_holders(&sim, exact), None, "{sim}");
        }
    }

    /// The cure for the third: whatever a master forgot has ended everywhere before it speaks again.
    #[test]
    fn a_master_that_stays_out_long_enough_may_forget() {
        let out = quarantine(TTL);
        let sim = play(&forgetful_restart(), out);
        assert_eq!(two_holders(&sim, exact), None, "the master stayed out for {out}\n{sim}");
        for max_ttl in [1_000, 10_000, 60_000].map(Millis) {
            let out = quarantine(max_ttl);
            assert!(out >= max_ttl, "a key set for {max_ttl} just before the crash outlives a silence of {out}");
            assert!(
                out < Millis(2 * max_ttl.0),
                "for at most {max_ttl}, {out} is longer than it needs; every restart costs as long of one master"
            );
        }

        // It forgets at any moment of the lock's life, comes back at once, and all clocks err as far as they may.
        for crash in (21..10_000).step_by(150) {
            let mut sim = seeded(Seed(1), 5, out);
            for master in M {
                sim.inject(Fault::ClockDrift { node: master, millionths: 5_000 });
            }
            sim.inject(Fault::ClockDrift { node: ALICE, millionths: -5_000 });
            let mut plan = vec![
                fault(0, Fault::Partition(vec![vec![ALICE, M[0], M[1], M[2]], vec![BOB, M[3], M[4]]])),
                call(10, ALICE, Request::Acquire),
                fault(30, Fault::Heal),
                fault(crash, Fault::Crash { node: M[2], lose_last_write: true }),
                fault(crash + 1, Fault::Restart(M[2])),
            ];
            plan.extend((1..400).map(|i| call(crash + i * 50, BOB, Request::Acquire)));
            let sim = play_on(sim, &plan);
            let both = two_holders(&sim, |node| if node == ALICE { -5_000 } else { 0 });
            assert_eq!(both, None, "a master forgot at t={crash} and stayed out for {out}\n{sim}");
            let held =
                sim.calls().iter().any(|call| call.node == BOB && matches!(call.replied, Some((_, Reply::Held(_)))));
            assert!(held, "bob asked for 20 s after the crash at t={crash} and never got the lock\n{sim}");
        }
    }
}
