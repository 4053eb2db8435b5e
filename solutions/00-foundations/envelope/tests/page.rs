//! The page's own numbers.

use envelope::{Bytes, Requests, servers, storage};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn a_laptop_of_512_gb_is_full_in_fifteen_days() {
    let a_day = Requests(300_000_000) * Bytes(116);
    assert_eq!(a_day.to_string(), "34.800 GB");
    assert_eq!(Bytes::gb(512).0 / a_day.0, 14);
    assert_eq!((12_700_000_000 * 24 / a_day.0, Bytes::gb(12_702).0 / Bytes::mb(12_702).0), (8, 1_000));
}

#[test]
fn twelve_terabytes_are_11_55_in_powers_of_two() {
    let year = storage(Requests(300_000_000), Bytes(116), 365, 1);
    assert_eq!(year.0 * 100 / (1 << 40), 1_155);
}

#[test]
fn rounding_once_at_the_end_gives_one_cache_and_eight_servers() {
    let peak = 3.0 * 300e6 / 86_400.0;
    assert_eq!((1.5 * peak / 50_000.0_f64).ceil(), 1.0);
    assert_eq!((1.5 * peak / 2_000.0_f64).ceil(), 8.0);
    let peak = Requests(300_000_000) / DAY * 3;
    let each = |requests| Requests(requests) / Duration::from_secs(1);
    assert_eq!((servers(peak, each(50_000), 50), servers(peak, each(2_000), 50)), (Some(2), Some(9)));
}
