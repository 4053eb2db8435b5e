//! The page's own numbers.

use backoff_jitter::{Draw, Jitter, Policy, Waits, amplification, amplification_with_budgets};
use kit::Seed;
use kit::rand::RngExt as _;
use std::time::Duration;

const JITTERS: [Jitter; 4] = [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated];

fn policy(jitter: Jitter, tries: u32) -> Policy {
    Policy { base: Duration::from_millis(100), cap: Duration::from_secs(10), tries, jitter }
}

/// The waits of one client, in milliseconds.
fn client(jitter: Jitter, retries: u32, rng: &mut kit::Rng) -> Vec<f64> {
    let mut waits = Waits::new(policy(jitter, retries + 1));
    std::iter::from_fn(|| waits.next_wait(Draw::new(rng.random()).expect("a draw")))
        .map(|wait| wait.as_secs_f64() * 1e3)
        .collect()
}

#[test]
fn two_hundred_requests_a_second_become_5_400_and_with_budgets_266_or_220() {
    assert_eq!(amplification(3, 3) * 200.0, 5_400.0);
    assert_eq!((amplification_with_budgets(10, 3) * 200.0).round(), 266.0);
    assert_eq!((amplification_with_budgets(10, 1) * 200.0).round(), 220.0);
    assert!((1.1_f64.powf(1.0 / 3.0) - 1.032).abs() < 0.0005, "3.2 % in each of three layers make 10 %");
}

#[test]
fn of_a_thousand_clients_so_many_come_in_the_same_10_ms_for_the_third_retry() {
    let rows = JITTERS.map(|jitter| {
        let mut rng = Seed(1).rng();
        let at: Vec<f64> = (0..1_000).map(|_| client(jitter, 3, &mut rng).iter().sum()).collect();
        let mut slots = vec![0; 400];
        at.iter().for_each(|at| slots[*at as usize / 10] += 1);
        let mean = at.iter().sum::<f64>() / 1_000.0;
        let sd = (at.iter().map(|at| (at - mean).powi(2)).sum::<f64>() / 1_000.0).sqrt();
        (slots.into_iter().max().unwrap_or(0), mean.round() as u64, sd.round() as u64)
    });
    assert_eq!(rows, [(1_000, 700, 0), (34, 349, 136), (61, 524, 68), (20, 1_121, 580)]);
}

#[test]
fn in_a_long_outage_so_many_decorrelated_waits_are_the_cap_itself() {
    let mut rng = Seed(1).rng();
    let late: Vec<f64> = (0..1_000).flat_map(|_| client(Jitter::Decorrelated, 60, &mut rng).split_off(30)).collect();
    let at_cap = late.iter().filter(|wait| **wait >= 10_000.0).count() as f64 / late.len() as f64;
    assert_eq!((at_cap * 100.0).round(), 32.0);
}
