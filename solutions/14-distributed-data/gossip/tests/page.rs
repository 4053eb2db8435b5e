//! The page's own numbers.

use gossip::{Accrual, Gossip, Heartbeat, Node, first_detection};
use std::collections::BTreeMap;

/// Rounds until a rumour has reached all: everybody calls one other, and who is called answers (or does not).
fn rounds(size: usize, answers: bool, seed: u64) -> u32 {
    let mut state = seed;
    let mut draw = |below: usize| {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(x ^ (x >> 31)) * below as u128) >> 64) as usize
    };
    let mut knows = vec![false; size];
    knows[0] = true;
    let mut rounds = 0;
    while knows.contains(&false) {
        let before = knows.clone();
        for caller in 0..size {
            let called = (caller + 1 + draw(size - 1)) % size;
            knows[called] |= before[caller];
            knows[caller] |= answers && before[called];
        }
        rounds += 1;
    }
    rounds
}

fn mean(size: usize, answers: bool) -> f64 {
    (0..400).map(|seed| f64::from(rounds(size, answers, seed << 32))).sum::<f64>() / 400.0
}

/// The table; beside it Pittel's log₂ n + ln n for calls without answers, to which a constant comes.
#[test]
fn push_pull_takes_six_and_a_half_rounds_for_a_hundred_and_nine_for_a_thousand() {
    for (size, push, both) in [(10, 6.0, 3.5), (100, 12.3, 6.5), (1_000, 18.0, 9.1)] {
        let (pushed, exchanged) = (mean(size, false), mean(size, true));
        assert!((pushed - push).abs() < 0.25 && (exchanged - both).abs() < 0.25, "{size}: {pushed:.2} {exchanged:.2}");
    }
    let pittel = |n: f64| n.log2() + n.ln();
    assert_eq!(
        (format!("{:.1}", pittel(100.0)), format!("{:.1}", pittel(1_000.0))),
        ("11.2".to_owned(), "16.9".to_owned())
    );
}

#[test]
fn a_crash_in_a_group_of_ten_is_probed_after_1_53_periods_and_in_a_large_one_after_1_58() {
    assert_eq!(format!("{:.2} {:.2}", first_detection(10), first_detection(1_000_000)), "1.53 1.58");
    let e = std::f64::consts::E;
    assert!((first_detection(1_000_000) - e / (e - 1.0)).abs() < 1e-5);
}

/// 8 natural instead of decimal zeros.
#[test]
fn a_threshold_of_8_is_1_in_100_million_and_without_the_logarithm_1_in_3_000() {
    let mut detector = Accrual::new(4);
    (0..3).for_each(|i| detector.heartbeat(i * 1_000));
    let phi = detector.phi(2_000 + 18_421).expect("two intervals");
    assert!((phi - 8.0).abs() < 0.001, "18.4 means of silence: {phi}");
    assert!((8.0_f64.exp() - 2_981.0).abs() < 1.0);
}

/// Everybody speaks of the node that crashed at 09:14, and nobody has heard anything new of it.
#[test]
fn what_is_told_of_a_node_does_not_keep_it_alive() {
    let (mut alice, mut bob) = (Gossip::start(Node(0), 1), Gossip::start(Node(1), 1));
    alice.hear(&BTreeMap::from([(Node(2), Heartbeat { generation: 1, version: 9 })]), 0);
    for now in 0..100 {
        alice.beat();
        bob.beat();
        let answer = bob.answer(&alice.call(now), now);
        alice.hear(&answer, now);
    }
    assert_eq!((alice.alive(99).len(), bob.alive(99).len()), (2, 2), "two of the three have said anything new");
}
