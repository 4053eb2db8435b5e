//! The page's own numbers.

use std::time::Duration;
use token_bucket::{Limit, Limiter, TokenBucket};

const SECOND: Duration = Duration::from_secs(1);

fn limit(burst: u32, tokens: u32) -> Limit {
    Limit::new(burst, tokens, SECOND).expect("a sound limit")
}

#[test]
fn kestrel_gets_200_from_a_counter_and_100_and_2_from_a_bucket() {
    let (before, after) = (Duration::from_millis(59_990), Duration::from_millis(60_010));
    let mut counter = (0, 0);
    let mut bucket = TokenBucket::new(limit(100, 100));
    let counted = [before, after].map(|now| {
        (0..500)
            .filter(|_| {
                if counter.0 != now.as_secs() {
                    counter = (now.as_secs(), 0);
                }
                counter.1 += 1;
                counter.1 <= 100
            })
            .count()
    });
    let given = [before, after].map(|now| (0..500).filter(|_| bucket.take(1, now).is_ok()).count());
    assert_eq!((counted, given), ([100, 100], [100, 2]));
}

#[test]
fn ten_times_a_tenth_is_not_one() {
    let sum = (0..10).fold(0.0, |sum, _| sum + 0.1);
    assert_eq!(sum.to_string(), "0.9999999999999999");
}

/// One arrives each 100 µs.
#[test]
fn a_hundred_thousand_clients_go_by_in_the_memory_of_a_thousand() {
    let crowded = |capacity| {
        let mut limiter = Limiter::new(limit(10, 10), capacity);
        (0..100_000_u32).filter(|client| limiter.take(client, 1, *client * Duration::from_micros(100)).is_err()).count()
    };
    assert_eq!(crowded(1_000), 0);
    assert!(crowded(999) > 0);
}

#[test]
fn of_200_requests_in_two_seconds_190_are_refused() {
    let mut bucket = TokenBucket::new(limit(10, 5));
    assert!(bucket.take(10, Duration::ZERO).is_ok());
    let refused = (1..=200).filter(|&at| bucket.take(1, at * Duration::from_millis(10)).is_err()).count();
    assert_eq!(refused, 190);
}
