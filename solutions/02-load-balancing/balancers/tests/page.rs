//! The page's own numbers.

use balancers::{Connection, LeastConnections, RoundRobin, Server, two_choices};
use kit::rand::RngExt as _;

/// One request each `every` ms for a minute; a server works on one request at a time, and answers each in its own `millis`. Calls
/// `pick` with how many are open at each, and returns how many requests each got and the most that were open at each.
fn minute(every: u64, millis: &[u64], mut pick: impl FnMut(&[usize]) -> usize) -> (Vec<usize>, Vec<usize>) {
    // When each server will have answered what is open there.
    let mut ends: Vec<Vec<u64>> = vec![Vec::new(); millis.len()];
    let (mut got, mut most) = (vec![0; millis.len()], vec![0; millis.len()]);
    for now in (0..60_000).step_by(every as usize) {
        ends.iter_mut().for_each(|ends| ends.retain(|&end| end > now));
        let open: Vec<usize> = ends.iter().map(Vec::len).collect();
        let server = pick(&open);
        let start = ends[server].last().copied().unwrap_or(now).max(now);
        ends[server].push(start + millis[server]);
        got[server] += 1;
        most[server] = most[server].max(ends[server].len());
    }
    (got, most)
}

fn fewest(open: &[usize]) -> usize {
    (0..open.len()).min_by_key(|&server| open[server]).expect("there are servers")
}

#[test]
fn in_turn_the_slow_server_has_1400_waiting_and_by_load_none() {
    let mut turns = RoundRobin::new(&[1, 1, 1]);
    let (got, most) = minute(10, &[20, 20, 100], |_| turns.pick(|_| true).expect("all are usable").0);
    assert_eq!((got, most), (vec![2_000, 2_000, 2_000], vec![1, 1, 1_401]));
    // Of equals the one that was picked longest ago.
    let mut picked_at = [0; 3];
    let (got, most) = minute(10, &[20, 20, 100], |open| {
        let server = (0..3).min_by_key(|&server| (open[server], picked_at[server])).expect("three");
        picked_at[server] = picked_at.iter().max().expect("three") + 1;
        server
    });
    assert_eq!((got[2], most), (600, vec![1, 1, 1]));
}

#[test]
fn who_fails_at_once_gets_most() {
    // Requests overlap: a server answers each in its own time, however many there are.
    let millis = [50, 50, 1];
    let mut balancer = LeastConnections::new(3);
    let mut open: Vec<(u64, Connection)> = Vec::new();
    let mut got = [0; 3];
    for now in (0..60_000).step_by(5) {
        let (done, still): (Vec<_>, Vec<_>) = open.into_iter().partition(|(end, _)| *end <= now);
        done.into_iter().for_each(|(_, connection)| balancer.done(connection));
        open = still;
        let connection = balancer.pick(|_| true).expect("all are usable");
        got[connection.server().0] += 1;
        open.push((now + millis[connection.server().0], connection));
    }
    assert_eq!(got, [1_200, 1_200, 9_600]);
}

#[test]
fn the_fullest_of_as_many_servers_as_requests() {
    let most = |n: usize, two: bool| {
        let servers: Vec<Server> = (0..n).map(Server).collect();
        let mut rng = kit::Seed(1).rng();
        let mut loads = vec![0_u32; n];
        for _ in 0..n {
            let server = if two {
                two_choices(&servers, |server| loads[server.0], |n| rng.random_range(0..n)).expect("all are usable")
            } else {
                Server(rng.random_range(0..n))
            };
            loads[server.0] += 1;
        }
        *loads.iter().max().expect("there are servers")
    };
    let table = [100, 10_000, 1_000_000].map(|n| (n, most(n, false), most(n, true)));
    assert_eq!(table, [(100, 4, 3), (10_000, 7, 3), (1_000_000, 8, 4)]);
}

#[test]
fn on_an_old_report_the_idlest_of_a_hundred_gets_all_thousand_or_about_twenty() {
    let report: Vec<usize> = (0..100).collect();
    let servers: Vec<Server> = report.iter().copied().map(Server).collect();
    assert!((0..1_000).all(|_| fewest(&report) == 0));
    let mut rng = kit::Seed(1).rng();
    let mut got = vec![0; 100];
    for _ in 0..1_000 {
        let server = two_choices(&servers, |server| report[server.0] as u32, |n| rng.random_range(0..n));
        got[server.expect("all are usable").0] += 1;
    }
    let fair = kit::stats::binomial_range(1_000, 0.02, 1e-9);
    assert!(fair.contains(&got[0]), "{} {fair:?}", got[0]);
    assert!(got.iter().all(|&got| got < 60), "{got:?}");
}

#[test]
fn after_a_day_away_six_requests_are_four_and_two() {
    for before in 0..3 {
        let mut turns = RoundRobin::new(&[2, 1]);
        (0..before).for_each(|_| _ = turns.pick(|_| true));
        (0..86_400).for_each(|_| _ = turns.pick(|server| server == Server(0)));
        let firsts = (0..6).filter(|_| turns.pick(|_| true) == Some(Server(0))).count();
        assert_eq!(firsts, 4, "{before}");
    }
}
