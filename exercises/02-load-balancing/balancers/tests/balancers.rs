//! What a client can see: which server its request goes to.

use balancers::{Connection, Health, LeastConnections, Pool, RoundRobin, Server, two_choices};
use kit::rand::RngExt as _;
use kit::{Rng, Sometimes, for_seeds, stats};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// How often a correct implementation may fail one comparison, at most.
const ALARM: f64 = 1e-9;

fn anybody(_: Server) -> bool {
    true
}

/// The numbers of those that get the next requests.
fn turns(balancer: &mut RoundRobin, requests: usize, usable: impl Fn(Server) -> bool) -> Vec<usize> {
    (0..requests).map(|_| balancer.pick(&usable).expect("somebody is usable").0).collect()
}

fn count(turns: &[usize], server: usize) -> usize {
    turns.iter().filter(|&&turn| turn == server).count()
}

fn opened(connection: Option<Connection>) -> Connection {
    connection.expect("a server is usable, so it gets the request")
}

mod stage_1_by_weight {
    use super::*;

    /// The example of nginx's developers: a weighs 5, b and c weigh 1.
    #[test]
    fn weights_of_5_1_and_1_give_a_a_b_a_c_a_a() {
        let got = turns(&mut RoundRobin::new(&[5, 1, 1]), 14, anybody);
        let letters: String = got.iter().map(|&server| ['a', 'b', 'c'][server]).collect();
        assert!(letters == "aabacaaaabacaa", "aabacaa and then the same again; got {letters}");
    }

    #[test]
    fn equal_weights_take_turns() {
        let got = turns(&mut RoundRobin::new(&[3, 3, 3]), 7, anybody);
        assert!(got == [0, 1, 2, 0, 1, 2, 0], "of equals the least number first, then in turn: {got:?}");
    }

    /// A round is as many requests as all weigh together.
    #[test]
    fn in_each_round_everybody_gets_its_weight_and_nobody_runs_ahead() {
        let sometimes = Sometimes::expect(["one weighs more than all others", "somebody weighs nothing"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let weights: Vec<u32> = (0..rng.random_range(1..=6)).map(|_| rng.random_range(0..=9)).chain([1]).collect();
            let all: u32 = weights.iter().sum();
            sometimes.saw("one weighs more than all others", weights.iter().any(|&weight| 2 * weight > all));
            sometimes.saw("somebody weighs nothing", weights.contains(&0));
            let got = turns(&mut RoundRobin::new(&weights), 3 * all as usize, anybody);
            for (server, &weight) in weights.iter().enumerate() {
                let (weight, all) = (weight as usize, all as usize);
                for (round, turns) in got.chunks(all).enumerate() {
                    let times = count(turns, server);
                    assert!(
                        times == weight,
                        "seed {seed}: {server} weighs {weight} of {all} and got {times} of round {round}; weights {weights:?}"
                    );
                }
                for requests in 1..=got.len() {
                    let times = count(&got[..requests], server);
                    assert!(
                        times * all < requests * weight + all,
                        "seed {seed}: {server} weighs {weight} of {all} and got {times} of the first {requests}, a whole turn ahead; weights {weights:?}"
                    );
                }
            }
        });
    }

    #[test]
    fn the_others_share_what_somebody_unusable_would_get() {
        let got = turns(&mut RoundRobin::new(&[3, 2, 1]), 40, |server| server != Server(1));
        let counts = [0, 1, 2].map(|server| count(&got, server));
        assert!(counts == [30, 0, 10], "weights 3, 2 and 1, and the second is not usable: {counts:?} of 40");
    }

    /// It was away for 300 requests. Whoever pays back what it missed is buried under it.
    #[test]
    fn who_comes_back_gets_its_turn_and_not_what_it_missed() {
        let mut balancer = RoundRobin::new(&[1, 1, 1]);
        turns(&mut balancer, 300, |server| server != Server(0));
        let back = turns(&mut balancer, 6, anybody);
        assert!(count(&back, 0) == 2, "a third of the six requests after it is back: {back:?}");
        turns(&mut balancer, 300, |server| server == Server(0));
        let back = turns(&mut balancer, 6, anybody);
        assert!(count(&back, 0) == 2, "and a third of those after the others are back: {back:?}");
    }

    /// The books of every server, kept beside the balancer while servers come and go.
    #[test]
    fn who_is_not_usable_neither_gains_nor_pays() {
        let sometimes = Sometimes::expect(["away, and something was due to it", "away, and ahead", "equals", "nobody"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let weights: Vec<u32> = (0..rng.random_range(2..=5)).map(|_| rng.random_range(0..=9)).collect();
            let mut balancer = RoundRobin::new(&weights);
            let mut due = vec![0_i64; weights.len()];
            let mut usable = vec![true; weights.len()];
            for request in 1..=100 {
                for usable in &mut usable {
                    *usable ^= rng.random_bool(0.1);
                }
                for server in (0..weights.len()).filter(|&server| !usable[server]) {
                    sometimes.saw("away, and something was due to it", due[server] > 0);
                    sometimes.saw("away, and ahead", due[server] < 0);
                }
                let there: Vec<usize> =
                    (0..weights.len()).filter(|&server| usable[server] && weights[server] > 0).collect();
                there.iter().for_each(|&server| due[server] += i64::from(weights[server]));
                let most = there.iter().map(|&server| due[server]).max();
                sometimes.saw("equals", there.iter().filter(|&&server| Some(due[server]) == most).count() > 1);
                sometimes.saw("nobody", there.is_empty());
                let expected = there.iter().copied().find(|&server| Some(due[server]) == most);
                let got = balancer.pick(|server| usable[server.0]).map(|server| server.0);
                assert!(
                    got == expected,
                    "seed {seed}, request {request}: weights {weights:?}, usable {usable:?}; with what each has gained by now, {due:?} are due: expected {expected:?}, got {got:?}"
                );
                if let Some(picked) = expected {
                    due[picked] -= there.iter().map(|&server| i64::from(weights[server])).sum::<i64>();
                }
            }
        });
    }

    #[test]
    fn where_nobody_is_usable_nobody_is_picked() {
        let mut balancer = RoundRobin::new(&[1, 0, 1]);
        assert!(balancer.pick(|_| false).is_none(), "nobody is usable");
        assert!(balancer.pick(|server| server == Server(1)).is_none(), "the usable one weighs nothing");
        assert!(RoundRobin::new(&[]).pick(anybody).is_none(), "there is nobody");
        assert!(turns(&mut balancer, 4, anybody) == [0, 2, 0, 2], "and that cost nobody its turn");
    }
}

mod stage_2_by_load {
    use super::*;

    #[test]
    fn a_request_goes_where_fewest_are_open() {
        let mut balancer = LeastConnections::new(3);
        let mut open: Vec<Connection> = (0..6).map(|_| opened(balancer.pick(anybody))).collect();
        let second = open.remove(4);
        assert!(
            second.server() == Server(1),
            "six requests, two each, in turn: the fifth went to {:?}",
            second.server()
        );
        balancer.done(second);
        let counts = [0, 1, 2].map(|server| balancer.open(Server(server)));
        assert!(counts == [2, 1, 2], "one of the second is done: {counts:?}");
        let next = opened(balancer.pick(anybody)).server();
        assert!(next == Server(1), "2, 1 and 2 are open: {next:?}");
    }

    /// Nothing is open there is an answer, and a wrong one.
    #[test]
    fn of_a_server_that_does_not_exist_it_does_not_say_that_nothing_is_open() {
        let balancer = LeastConnections::new(3);
        assert!(balancer.open(Server(2)) == 0, "the last of three has nothing to do");
        let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| balancer.open(Server(3))));
        assert!(said.is_err(), "there are servers 0, 1 and 2; at server 3 {said:?} are open");
    }

    /// Requests that are done before the next one comes: all servers are always equal.
    #[test]
    fn equals_take_turns() {
        let mut balancer = LeastConnections::new(3);
        let got: Vec<usize> = (0..6)
            .map(|_| {
                let connection = opened(balancer.pick(anybody));
                let server = connection.server().0;
                balancer.done(connection);
                server
            })
            .collect();
        assert!(got == [0, 1, 2, 0, 1, 2], "nobody has anything to do, so who was picked longest ago is: {got:?}");
    }

    /// The third one hangs. The other two answer at once.
    #[test]
    fn a_server_that_hangs_gets_nothing_more() {
        let mut balancer = LeastConnections::new(3);
        let mut hanging = Vec::new();
        for _ in 0..100 {
            let connection = opened(balancer.pick(anybody));
            if connection.server() == Server(2) { hanging.push(connection) } else { balancer.done(connection) }
        }
        assert!(
            hanging.len() == 1,
            "of 100 requests the one that hangs got {}; the others had nothing to do",
            hanging.len()
        );
    }

    #[test]
    fn the_least_loaded_of_the_usable_is_picked_and_of_equals_the_one_that_waited_longest() {
        let sometimes = Sometimes::expect(["equals", "a busier one, for the idle are not usable", "nobody is usable"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let servers = rng.random_range(1..=5);
            let mut balancer = LeastConnections::new(servers);
            let (mut open, mut picked_at) = (Vec::<Connection>::new(), vec![0; servers]);
            for request in 1..=100 {
                if !open.is_empty() && rng.random_bool(0.45) {
                    balancer.done(open.swap_remove(rng.random_range(0..open.len())));
                }
                let usable: Vec<bool> = (0..servers).map(|_| rng.random_bool(0.8)).collect();
                let load = |server: usize| open.iter().filter(|connection| connection.server().0 == server).count();
                let loads: Vec<usize> = (0..servers).map(load).collect();
                let told: Vec<usize> = (0..servers).map(|server| balancer.open(Server(server)) as usize).collect();
                assert!(told == loads, "seed {seed}, request {request}: open are {loads:?}, and it says {told:?}");
                let least = (0..servers).filter(|&server| usable[server]).map(|server| loads[server]).min();
                let equals: Vec<usize> =
                    (0..servers).filter(|&server| usable[server] && Some(loads[server]) == least).collect();
                sometimes.saw("equals", equals.len() > 1);
                sometimes.saw("a busier one, for the idle are not usable", least > loads.iter().copied().min());
                sometimes.saw("nobody is usable", equals.is_empty());
                let due = equals.into_iter().min_by_key(|&server| picked_at[server]);
                let got = balancer.pick(|server| usable[server.0]);
                assert!(
                    got.as_ref().map(|connection| connection.server().0) == due,
                    "seed {seed}, request {request}: open {loads:?}, usable {usable:?}, last picked at {picked_at:?}: expected {due:?}, got {got:?}"
                );
                if let Some(connection) = got {
                    picked_at[connection.server().0] = request;
                    open.push(connection);
                }
            }
        });
    }
}

mod stage_3_by_chance {
    use super::*;

    /// `requests` requests to servers with these loads, which do not change; how many each got.
    fn picks(requests: u64, loads: &[u32], rng: &mut Rng) -> Vec<u64> {
        let usable: Vec<Server> = (0..loads.len()).map(Server).collect();
        let mut picked = vec![0; loads.len()];
        for _ in 0..requests {
            let server = two_choices(&usable, |server| loads[server.0], |n| rng.random_range(0..n));
            picked[server.expect("all are usable").0] += 1;
        }
        picked
    }

    #[test]
    fn it_asks_two_servers_and_no_more() {
        for_seeds(20, |seed| {
            let mut rng = seed.rng();
            let usable: Vec<Server> = (0..1_000).map(Server).collect();
            let asked = RefCell::new(BTreeSet::new());
            let load = |server: Server| {
                asked.borrow_mut().insert(server);
                server.0 as u32
            };
            let picked = two_choices(&usable, load, |n| rng.random_range(0..n));
            let asked = asked.into_inner();
            assert!(
                picked.is_some() && asked.len() <= 2,
                "seed {seed}: picked {picked:?} of a thousand; asked {} for their load",
                asked.len()
            );
        });
    }

    #[test]
    fn where_there_is_no_choice_none_is_made() {
        let mut rng = kit::Seed(1).rng();
        let mut choose = |usable: &[Server]| two_choices(usable, |_| 7, |n| rng.random_range(0..n));
        assert!(choose(&[]).is_none(), "nobody is usable");
        assert!(choose(&[Server(3)]) == Some(Server(3)), "only one is usable");
    }

    #[test]
    fn of_two_the_less_loaded_is_picked() {
        for (loads, expected) in [([5, 2], [0, 200]), ([2, 5], [200, 0])] {
            let picked = picks(200, &loads, &mut kit::Seed(4).rng());
            assert!(
                picked == expected,
                "loads of {loads:?}, 200 requests, both are drawn each time: picked {picked:?}"
            );
        }
    }

    /// Two different servers of three: the most loaded one always meets one with less to do.
    #[test]
    fn the_most_loaded_of_three_is_never_picked() {
        let picked = picks(2_000, &[1, 9, 3], &mut kit::Seed(2).rng());
        assert!(picked[1] == 0, "loads of 1, 9 and 3, and the two that are drawn are different: picked {picked:?}");
    }

    /// Of the six pairs of four servers three have the idlest, two more the second, one the third. False alarm: 1e-9 each (exact binomial).
    #[test]
    fn each_pair_is_as_likely_as_any_other() {
        for_seeds(3, |seed| {
            let picked = picks(12_000, &[10, 11, 12, 13], &mut seed.rng());
            for (server, pairs) in [(0, 3.0), (1, 2.0), (2, 1.0)] {
                let fair = stats::binomial_range(12_000, pairs / 6.0, ALARM);
                assert!(
                    fair.contains(&picked[server]),
                    "seed {seed}: loads rise with the number; {picked:?} of 12,000; server {server} wins {pairs} pairs of 6, that is {fair:?}"
                );
            }
        });
    }

    #[test]
    fn only_the_usable_are_drawn() {
        let usable = [Server(1), Server(4), Server(5)];
        for_seeds(50, |seed| {
            let mut rng = seed.rng();
            let picked = two_choices(&usable, |server| 10 - server.0 as u32, |n| rng.random_range(0..n));
            assert!(
                picked == Some(Server(4)) || picked == Some(Server(5)),
                "seed {seed}: 1, 4 and 5 are usable, and 1 has most to do: {picked:?}"
            );
        });
    }

    /// A hundred thousand requests to as many servers, none of which is done. One choice would put 6 or more on one of them (all but once in e⁵⁹ runs).
    /// False alarm: below 1e-9; of n servers a share of about 10⁻²² has 6 (the differential equations of Mitzenmacher's thesis).
    #[test]
    fn two_choices_never_put_six_requests_on_one_of_as_many_servers() {
        const N: usize = 100_000;
        let usable: Vec<Server> = (0..N).map(Server).collect();
        let mut rng = kit::Seed(3).rng();
        let mut loads = vec![0_u32; N];
        for _ in 0..N {
            let asked = std::cell::Cell::new(0);
            let load = |server: Server| {
                asked.set(asked.get() + 1);
                assert!(asked.get() <= 100, "for one request it asked more than 100 times how much a server has to do");
                loads[server.0]
            };
            let server = two_choices(&usable, load, |n| rng.random_range(0..n));
            loads[server.expect("all are usable").0] += 1;
        }
        let most = loads.iter().max().expect("there are servers");
        assert!(*most <= 5, "{N} requests, {N} servers, and one of them has {most}");
    }
}

mod stage_4_in_and_out {
    use super::*;

    fn after(rise: u32, fall: u32, probes: &[bool]) -> bool {
        let mut health = Health::new(rise, fall);
        probes.iter().for_each(|&succeeded| health.probe(succeeded));
        health.is_up()
    }

    #[test]
    fn three_failures_in_a_row_take_a_server_out_and_two_do_not() {
        let (ok, no) = (true, false);
        for (probes, up) in [
            (&[][..], true),
            (&[no, no], true),
            (&[no, no, no], false),
            (&[no, no, ok, no, no], true),
            (&[ok, no, no, no], false),
        ] {
            assert!(after(2, 3, probes) == up, "a rise of 2, a fall of 3, probes {probes:?}: expected up: {up}");
        }
    }

    #[test]
    fn two_successes_in_a_row_bring_it_back_and_one_does_not() {
        let (ok, no) = (true, false);
        for (probes, up) in [
            (&[no, no, no, ok][..], false),
            (&[no, no, no, ok, ok], true),
            (&[no, no, no, ok, no, ok], false),
            (&[no, no, no, no, ok, ok], true),
        ] {
            assert!(after(2, 3, probes) == up, "a rise of 2, a fall of 3, probes {probes:?}: expected up: {up}");
        }
    }

    /// Every second probe is lost.
    #[test]
    fn a_server_that_is_seen_every_second_time_does_not_flap() {
        let (mut up, mut down) = (Health::new(2, 2), Health::new(2, 2));
        (0..2).for_each(|_| down.probe(false));
        let states: Vec<(bool, bool)> = (0..20)
            .map(|probe| {
                up.probe(probe % 2 == 1);
                down.probe(probe % 2 == 0);
                (up.is_up(), down.is_up())
            })
            .collect();
        assert!(
            states.iter().all(|&state| state == (true, false)),
            "one was up and stays so, the other down: {states:?}"
        );
    }

    #[test]
    fn a_rise_or_a_fall_of_nothing_is_refused() {
        assert!(Health::new(1, 1).is_up(), "a server begins up");
        for (rise, fall) in [(0, 1), (1, 0)] {
            let made = std::panic::catch_unwind(|| Health::new(rise, fall));
            assert!(made.is_err(), "a rise of {rise} and a fall of {fall}");
        }
    }

    #[test]
    fn who_is_down_gets_nothing_until_it_is_up_again() {
        let mut pool = Pool::new(2, 2, 2);
        (0..2).for_each(|_| pool.probe(Server(0), false));
        let got: Vec<Connection> = (0..4).map(|_| opened(pool.pick())).collect();
        assert!(got.iter().all(|connection| connection.server() == Server(1)), "the first is down: {got:?}");
        pool.probe(Server(0), true);
        assert!(opened(pool.pick()).server() == Server(1), "one success of two");
        pool.probe(Server(0), true);
        assert!(opened(pool.pick()).server() == Server(0), "it is up, and has nothing to do");
    }

    /// A release: stop the first server without losing a request.
    #[test]
    fn a_draining_server_gets_nothing_new_and_finishes_what_it_has() {
        let mut pool = Pool::new(2, 2, 2);
        let (first, second) = (opened(pool.pick()), opened(pool.pick()));
        assert!((first.server(), second.server()) == (Server(0), Server(1)), "in turn");
        pool.drain(Server(0));
        let more = opened(pool.pick());
        assert!(more.server() == Server(1), "the first drains: {more:?}");
        assert!(!pool.may_stop(Server(0)), "a request is still open there");
        pool.done(first);
        assert!(pool.may_stop(Server(0)), "nothing is open there any more");
        pool.done(more);
        pool.done(second);
        assert!(!pool.may_stop(Server(1)), "nothing is open at the second, but the next request may go there");
        assert!(opened(pool.pick()).server() == Server(1), "and it does");
    }

    #[test]
    fn a_probe_does_not_end_what_a_person_began() {
        let mut pool = Pool::new(2, 1, 1);
        pool.drain(Server(0));
        for succeeded in [true, false, true] {
            pool.probe(Server(0), succeeded);
        }
        assert!(opened(pool.pick()).server() == Server(1), "the first is up, and drains");
        assert!(pool.may_stop(Server(0)), "it still drains, and nothing is open there");
    }

    #[test]
    fn who_is_resumed_is_not_therefore_well() {
        let mut pool = Pool::new(2, 1, 1);
        pool.drain(Server(0));
        pool.probe(Server(0), false);
        pool.resume(Server(0));
        assert!(opened(pool.pick()).server() == Server(1), "the first has failed its probe while it drained");
        pool.probe(Server(0), true);
        assert!(opened(pool.pick()).server() == Server(0), "now it is up");
        pool.drain(Server(1));
        pool.resume(Server(1));
        assert!(
            opened(pool.pick()).server() != opened(pool.pick()).server(),
            "both are up, none drains, one is open at each"
        );
    }

    /// It broke, was taken out for repair, and comes back before its next probe.
    #[test]
    fn who_was_down_before_it_drained_is_down_when_it_is_resumed() {
        let mut pool = Pool::new(2, 1, 1);
        pool.probe(Server(0), false);
        pool.drain(Server(0));
        pool.resume(Server(0));
        assert!(opened(pool.pick()).server() == Server(1), "the first has not passed a probe since it failed one");
    }

    /// The network to the first server was cut for a moment, for the probes. Its three requests go on.
    #[test]
    fn what_was_open_when_it_fell_still_counts_when_it_is_back() {
        let mut pool = Pool::new(2, 1, 1);
        pool.probe(Server(1), false);
        let open: Vec<Connection> = (0..3).map(|_| opened(pool.pick())).collect();
        pool.probe(Server(1), true);
        [false, true].into_iter().for_each(|succeeded| pool.probe(Server(0), succeeded));
        let next: Vec<Server> = (0..3).map(|_| opened(pool.pick()).server()).collect();
        assert!(
            next == [Server(1); 3],
            "three are open at the first and none at the second; the next three went to {next:?}"
        );
        pool.drain(Server(0));
        let stopped: Vec<bool> = open
            .into_iter()
            .map(|connection| {
                pool.done(connection);
                pool.may_stop(Server(0))
            })
            .collect();
        assert!(stopped == [false, false, true], "it may be stopped after the last of its three requests: {stopped:?}");
    }

    /// At night: each request is done before the next one comes. Whoever was picked a moment ago is not due again because it was away since.
    #[test]
    fn who_is_back_waits_for_its_turn_among_equals() {
        for released in [true, false] {
            let mut pool = Pool::new(3, 1, 1);
            let mut got = Vec::new();
            for _ in 0..6 {
                let connection = opened(pool.pick());
                got.push(connection.server().0);
                pool.done(connection);
                if released {
                    pool.drain(Server(0));
                    pool.resume(Server(0));
                } else {
                    pool.probe(Server(0), false);
                    pool.probe(Server(0), true);
                }
            }
            let what = if released { "drained and was resumed" } else { "was down and came up again" };
            assert!(
                got == [0, 1, 2, 0, 1, 2],
                "nothing is ever open; the first of three {what} after each request; the requests went to {got:?}"
            );
        }
    }

    #[test]
    fn where_everybody_is_down_or_draining_nobody_is_picked() {
        let mut pool = Pool::new(2, 1, 1);
        pool.drain(Server(0));
        pool.probe(Server(1), false);
        let got = pool.pick();
        assert!(got.is_none(), "one drains, the other is down: {got:?}");
    }

    /// Probes, people and requests, in any order.
    #[test]
    fn nobody_who_is_down_or_draining_gets_a_request_and_none_is_lost() {
        let sometimes =
            Sometimes::expect(["down", "draining", "both", "may stop", "open at a server that is down", "nobody"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let (servers, rise, fall) = (rng.random_range(1..=4), rng.random_range(1..=3), rng.random_range(1..=3));
            let mut pool = Pool::new(servers, rise, fall);
            // For each server: whether it is up, drains, and how many probes in a row said the same.
            let (mut up, mut draining, mut row) = (vec![true; servers], vec![false; servers], vec![(true, 0); servers]);
            let mut open: Vec<Connection> = Vec::new();
            for step in 0..200 {
                let server = rng.random_range(0..servers);
                match rng.random_range(0..10) {
                    0..3 => {
                        let succeeded = rng.random_bool(0.6);
                        row[server] =
                            if row[server].0 == succeeded { (succeeded, row[server].1 + 1) } else { (succeeded, 1) };
                        if row[server].1 >= if succeeded { rise } else { fall } {
                            up[server] = succeeded;
                        }
                        pool.probe(Server(server), succeeded);
                    }
                    3 => {
                        draining[server] = rng.random_bool(0.5);
                        if draining[server] { pool.drain(Server(server)) } else { pool.resume(Server(server)) }
                    }
                    4..7 if !open.is_empty() => pool.done(open.swap_remove(rng.random_range(0..open.len()))),
                    _ => {
                        let loads: Vec<usize> = (0..servers)
                            .map(|server| open.iter().filter(|connection| connection.server().0 == server).count())
                            .collect();
                        let least = (0..servers)
                            .filter(|&server| up[server] && !draining[server])
                            .map(|server| loads[server])
                            .min();
                        let got = pool.pick();
                        let story = format!(
                            "seed {seed}, step {step}: a rise of {rise}, a fall of {fall}; up {up:?}, draining {draining:?}, open {loads:?}; got {got:?}"
                        );
                        sometimes.saw("nobody", least.is_none());
                        assert!(
                            got.is_some() == least.is_some(),
                            "{story}: somebody is up and does not drain: {}",
                            least.is_some()
                        );
                        if let Some(connection) = got {
                            let server = connection.server().0;
                            assert!(
                                up[server] && !draining[server] && Some(loads[server]) == least,
                                "{story}: who is up, does not drain and has fewest?"
                            );
                            open.push(connection);
                        }
                    }
                }
                for server in 0..servers {
                    let load = open.iter().filter(|connection| connection.server().0 == server).count();
                    sometimes.saw("down", !up[server]);
                    sometimes.saw("draining", draining[server]);
                    sometimes.saw("both", draining[server] && !up[server]);
                    sometimes.saw("open at a server that is down", !up[server] && load > 0);
                    let may = pool.may_stop(Server(server));
                    sometimes.saw("may stop", may);
                    assert!(
                        may == (draining[server] && load == 0),
                        "seed {seed}, step {step}: {load} are open at {server}, it drains: {}; it may be stopped: {may}",
                        draining[server]
                    );
                }
            }
        });
    }
}
