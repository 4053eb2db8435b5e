//! The numbers of the page "Changing what runs".

fn ln_choose(n: u32, k: u32) -> f64 {
    (1..=k).map(|i| (f64::from(n - k + i) / f64::from(i)).ln()).sum()
}

/// Exactly `k` of `n`, each with probability `p`.
fn binomial(n: u32, p: f64, k: u32) -> f64 {
    (ln_choose(n, k) + f64::from(k) * p.ln() + f64::from(n - k) * (1.0 - p).ln()).exp()
}

/// Fisher's exact test, one-sided: how likely are as many errors as this in the canary, or more, given how many there were in all.
fn fisher(canary: (u32, u32), stable: (u32, u32)) -> f64 {
    let (errors, requests) = (canary.0 + stable.0, canary.1 + stable.1);
    let term = |k| (ln_choose(canary.1, k) + ln_choose(stable.1, errors - k) - ln_choose(requests, errors)).exp();
    (canary.0..=errors.min(canary.1)).map(term).sum()
}

/// How often a rule rolls back, with so many canary requests, nine times as many others, and these rates of error.
fn rolled_back(requests: u32, rates: (f64, f64), rule: impl Fn((u32, u32), (u32, u32)) -> bool) -> f64 {
    let others = 9 * requests;
    let likely = |n: u32, p: f64| -> Vec<(u32, f64)> {
        (0..=n.min(120)).map(|k| (k, binomial(n, p, k))).filter(|(_, chance)| *chance > 1e-9).collect()
    };
    let (ours, theirs) = (likely(requests, rates.0), likely(others, rates.1));
    let mut sum = 0.0;
    for &(a, chance) in &ours {
        for &(b, other) in &theirs {
            if rule((a, requests), (b, others)) {
                sum += chance * other;
            }
        }
    }
    sum
}

#[test]
fn twice_the_rate_rolls_back_18_good_releases_in_a_hundred() {
    let twice = |canary: (u32, u32), stable: (u32, u32)| canary.0 * stable.1 > 2 * stable.0 * canary.1;
    let often = [0.01, 0.001].map(|p| (rolled_back(100, (p, p), twice) * 100.0).floor());
    assert_eq!(often, [17.0, 9.0]);
    assert_eq!((rolled_back(100, (0.01, 0.01), twice) * 100.0).round(), 18.0);
}

#[test]
fn a_hundred_requests_detect_the_fivefold_rate_every_second_time_and_three_hundred_in_95_of_a_hundred() {
    let test = |canary: (u32, u32), stable: (u32, u32)| fisher(canary, stable) <= 0.01;
    let power = [100, 300].map(|n| (rolled_back(n, (0.05, 0.01), test) * 100.0).round());
    assert_eq!(power, [50.0, 95.0]);
    assert!(rolled_back(300, (0.01, 0.01), test) < 0.01);
}

#[test]
fn of_200_requests_a_tenth_never_makes_100() {
    assert!((100..=200).map(|k| binomial(200, 0.1, k)).sum::<f64>() < 1e-40);
}

#[test]
fn forty_requests_without_an_error_say_nothing_yet() {
    assert_eq!([0.99_f64, 0.95].map(|good| (good.powi(40) * 100.0).round()), [67.0, 13.0]);
}

#[test]
fn a_hundred_buckets_cannot_show_something_to_one_user_in_a_thousand() {
    let shown = |buckets: u32, share: f64| (0..buckets).filter(|&b| f64::from(b) / f64::from(buckets) < share).count();
    assert_eq!((shown(100, 0.001), shown(10_000, 0.001)), (1, 10), "one in a hundred, ten in ten thousand");
}

#[test]
fn detection_counts_from_the_impact() {
    let minute = |hour: u32, minute: u32| hour * 60 + minute;
    let impact = minute(10, 5);
    assert_eq!([minute(10, 15), minute(10, 35), minute(10, 41)].map(|at| at - impact), [10, 30, 36]);
}

#[test]
fn labels_multiply() {
    assert_eq!((20 * 4 * 5 * 13, 20 * 4 * 5 * 13 * 100_000_u64), (5_200, 520_000_000));
}

#[test]
fn ten_tasks_a_minute_are_14_400_a_day() {
    assert_eq!((10 * 60 * 24, 10 * 60 * 24 * 2), (14_400, 28_800));
}
