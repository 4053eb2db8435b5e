//! The page's own numbers.

use error_budget::{Count, Target, burn_rate, by_requests, by_time, threshold, time_to_notice};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn three_nines() -> Target {
    Target::per_million(999_000).expect("99.9 %")
}

/// 30 days of 100,000 requests; on two of them 3 % failed.
fn june() -> Vec<Count> {
    (0..30).map(|day| Count { good: if day < 2 { 97_000 } else { 100_000 }, valid: 100_000 }).collect()
}

#[test]
fn june_cost_6_000_requests_of_3_000_or_2_880_minutes_of_43_2() {
    let (requests, days) = (by_requests(three_nines(), &june()), by_time(three_nines(), &june(), 24 * HOUR));
    assert_eq!((requests.used, requests.allowed.round()), (6_000.0, 3_000.0));
    assert_eq!((days.used, (days.allowed * 10.0).round()), (2_880.0, 432.0));
    assert_eq!(((requests.share_used() * 100.0).round(), (days.share_used() * 100.0).round()), (200.0, 6_667.0));
    assert!((2.0 * 43.2 - 86.4_f64).abs() < 1e-9);
}

#[test]
fn by_the_minute_june_costs_anything_between_86_and_2_880_minutes() {
    // All failures of a bad day in 43 of its minutes, in which everything failed; or 3 % in each of its minutes.
    let day =
        |minutes: u64| (0..1_440).map(move |minute| Count { good: if minute < minutes { 0 } else { 100 }, valid: 100 });
    let packed: Vec<Count> = (0..2).flat_map(|_| day(43)).chain((0..28).flat_map(|_| day(0))).collect();
    assert_eq!(by_time(three_nines(), &packed, HOUR / 60).used.round(), 86.0);
    let spread: Vec<Count> =
        (0..30 * 1_440).map(|minute| Count { good: if minute < 2_880 { 97 } else { 100 }, valid: 100 }).collect();
    assert_eq!(by_time(three_nines(), &spread, HOUR / 60).used.round(), 2_880.0);
}

#[test]
fn an_hour_at_14_4_costs_2_percent_and_a_month_at_it_lasts_50_hours() {
    let month = 30 * 24 * HOUR;
    assert!((threshold(0.02, HOUR, month) - 14.4).abs() < 1e-9);
    assert_eq!((month.as_secs_f64() / 3600.0 / 14.4).round(), 50.0);
}

#[test]
fn a_total_outage_is_noticed_after_52_seconds_and_one_of_ten_percent_after_8_6_minutes() {
    let after = |bad| time_to_notice(three_nines(), 14.4, HOUR, bad).expect("noticed").as_secs_f64();
    assert_eq!((after(1.0).round(), (after(0.1) / 6.0).round()), (52.0, 86.0));
}

#[test]
fn one_failure_of_ten_requests_in_an_hour_burns_at_100() {
    let rate = burn_rate(three_nines(), Count { good: 9, valid: 10 }).expect("requests");
    assert_eq!(rate.round(), 100.0);
}
