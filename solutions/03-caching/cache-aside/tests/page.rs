//! What the page computes.

use cache_aside::{Cache, Lifetimes, Lookup, Trust};
use kit::{Millis, Time};

/// An hour with 10 % jitter: from 12:54 to 13:00, 28 keys of 10,000 a second.
#[test]
fn ten_thousand_keys_of_noon_expire_over_six_minutes() {
    let hour = Millis(3_600_000);
    let lifetimes = Lifetimes { value: hour, absence: hour, jitter: 10, lease: Millis(10_000) };
    let expiry = |draw| {
        let mut cache = Cache::new(lifetimes, Trust::LeaseHolders);
        let Lookup::Miss(lease) = cache.get("key", Time::START) else { panic!("an empty cache") };
        assert!(cache.set("key", Some("row".into()), lease, Time::START, draw));
        (0..=hour.0).rev().find(|at| cache.peek("key", Time(*at)).is_some()).expect("it was there at first") + 1
    };
    let (first, last) = (expiry(360_000), expiry(0));
    assert_eq!((first, last), (54 * 60_000, 60 * 60_000));
    assert_eq!((10_000.0 / ((last - first) as f64 / 1_000.0)).round(), 28.0);
}
