//! The numbers of the page "What stays in the cache".

use std::collections::{BTreeMap, HashMap};

/// A cache of `size` keys that evicts the least recently used one; the hits among `requests` after the first `warm` ones.
fn lru_hits(requests: &[usize], size: usize, warm: usize) -> usize {
    let (mut by_key, mut by_age) = (HashMap::new(), BTreeMap::new());
    let mut hits = 0;
    for (now, &key) in requests.iter().enumerate() {
        match by_key.insert(key, now) {
            Some(before) => {
                by_age.remove(&before);
                hits += usize::from(now >= warm);
            }
            None if by_key.len() > size => {
                let (_, oldest) = by_age.pop_first().expect("it is full");
                by_key.remove(&oldest);
            }
            None => {}
        }
        by_age.insert(now, key);
    }
    hits
}

/// Numbers from 0 to 1 that are always the same (a linear congruential generator).
fn draws() -> impl Iterator<Item = f64> {
    let mut state = 1_u64;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some((state >> 11) as f64 / (1_u64 << 53) as f64)
    })
}

#[test]
fn a_round_of_101_through_100_places_never_hits() {
    let rounds: Vec<usize> = (0..101 * 20).map(|request| request % 101).collect();
    assert_eq!(lru_hits(&rounds, 100, 0), 0);
    assert_eq!(format!("{:.0}", 100.0 / 101.0 * 100.0), "99");
}

#[test]
fn of_zipf_s_products_the_best_cache_hits_76_percent_and_lru_68() {
    let sums: Vec<f64> = (1..=10_000)
        .scan(0.0, |sum, k| {
            *sum += 1.0 / f64::from(k);
            Some(*sum)
        })
        .collect();
    assert_eq!(format!("{:.0}", sums[999] / sums[9_999] * 100.0), "76");
    let requests: Vec<usize> =
        draws().take(300_000).map(|draw| sums.partition_point(|&sum| sum < draw * sums[9_999])).collect();
    let share = lru_hits(&requests, 1_000, 50_000) as f64 / 250_000.0;
    assert!((0.67..0.685).contains(&share), "{share}");
}

#[test]
fn redis_s_counter_is_at_10_after_100_requests_at_19_after_1_000_and_full_after_311_500() {
    let mut draws = draws();
    let mut mean = |requests: u32, runs: u32| {
        let mut sum = 0;
        for _ in 0..runs {
            let mut counter = 5_u32;
            for _ in 0..requests {
                let p = 1.0 / (10.0 * f64::from(counter - 5) + 1.0);
                counter += u32::from(draws.next().expect("endless") < p);
            }
            sum += counter;
        }
        f64::from(sum) / f64::from(runs)
    };
    assert_eq!((mean(100, 2_000).round(), mean(1_000, 400).floor()), (10.0, 19.0));
    assert_eq!((0..250).map(|k| 10 * k + 1).sum::<u32>(), 311_500, "expected requests up to 255");
}

#[test]
fn fifty_instances_ask_ten_times_a_second_and_staleness_adds_up() {
    assert_eq!((50 / 5, 60 + 5, 1_000 / 100), (10, 65, 10));
}
