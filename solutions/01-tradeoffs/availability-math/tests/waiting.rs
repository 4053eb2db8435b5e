//! The numbers of the page "What waiting buys".

/// How long a write waits for `k` of these followers, all asked at once.
fn kth(mut times: Vec<u32>, k: usize) -> u32 {
    times.sort_unstable();
    if k == 0 { 0 } else { times[k - 1] }
}

#[test]
fn a_write_waits_0_12_70_or_82_ms() {
    let followers = vec![70, 12];
    let waits = [0, 1, 2].map(|k| kth(followers.clone(), k));
    assert_eq!((waits, followers.iter().sum::<u32>()), ([0, 12, 70], 82));
    assert_eq!([12, 70].map(|there_and_back| there_and_back / 2), [6, 35], "on their way when the leader burns");
}

#[test]
fn a_majority_of_five_is_slow_once_in_252_000_writes_and_all_of_them_once_in_25() {
    let slow: f64 = 0.01;
    let all = 1.0 - (1.0 - slow).powi(4);
    let majority = 4.0 * slow.powi(3) * (1.0 - slow) + slow.powi(4);
    assert_eq!((format!("{:.1}", all * 100.0), format!("{:.0}", 1.0 / all)), ("3.9".into(), "25".into()));
    assert_eq!((1.0 / majority / 1_000.0).round(), 252.0);
    assert!((9_000.0..11_000.0).contains(&(all / majority)), "ten thousand times: {}", all / majority);
}

/// A machine's clock is `ahead` of the true time; it may be wrong by 4 to either side.
#[test]
fn without_the_wait_the_later_booking_is_stamped_earlier() {
    let stamp = |truth: i64, ahead: i64| truth + ahead + 4;
    let (anna, ben) = (stamp(100, 4), stamp(101, -4));
    assert_eq!((anna, ben), (108, 101));
    let answered = (100..).find(|truth| truth + 4 - 4 > anna - 1).expect("time goes on");
    assert_eq!((answered, answered - 100), (108, 8), "the earliest possible time has reached the stamp");
    assert!(stamp(answered + 1, -4) > anna, "whoever begins after the answer is stamped later");
}

/// Half of the wait: a clock that is ahead stamps 104 at 100 and answers at 104; one that is behind stamps 101 at 105.
#[test]
fn once_the_uncertainty_is_not_enough() {
    let (ahead, behind) = (|truth: i64| truth + 4, |truth: i64| truth - 4);
    assert!(behind(100 + 4 + 1) < ahead(100));
}

#[test]
fn ben_s_hybrid_clock_follows_anna_s() {
    let next = |clock: (u64, u64), heard: Option<(u64, u64)>, physical: u64| {
        let seen = heard.map_or(clock, |heard| clock.max(heard));
        if physical > seen.0 { (physical, 0) } else { (seen.0, seen.1 + 1) }
    };
    let first = next((0, 0), Some((10, 0)), 5);
    let second = next(first, None, 6);
    assert_eq!([first, second, next(second, None, 12)], [(10, 1), (10, 2), (12, 0)]);
}

#[test]
fn one_global_write_in_a_hundred_makes_2_7_ms() {
    assert_eq!(format!("{:.1}", 0.99 * 2.0 + 0.01 * 70.0), "2.7");
}
