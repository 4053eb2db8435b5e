//! The numbers that the chapter's pages compute.

use histogram::{Histogram, Interval, Micros, Quantile, fleet_quantile, nearest_rank};
use pretty_assertions::assert_eq;
use std::num::NonZeroU64;

const MILLISECOND: u64 = 1_000;
const SECOND: u64 = 1_000_000;

fn percentile(percent: u32) -> Quantile {
    Quantile::per_million(percent * 10_000).expect("a percentage from 1 to 100")
}

fn served(requests: &[(usize, u64)]) -> Histogram {
    let mut histogram = Histogram::default();
    for latency in requests.iter().flat_map(|&(count, latency)| std::iter::repeat_n(latency, count)) {
        histogram.record(Micros(latency));
    }
    histogram
}

#[test]
fn the_report_says_10_999_ms_and_99_percent_within_a_millisecond() {
    let mut latencies = vec![Micros(MILLISECOND); 10_000];
    latencies.push(Micros(100 * SECOND));
    assert_eq!(nearest_rank(&latencies, percentile(99)), Some(Micros(MILLISECOND)));
    let report = served(&[(10_000, MILLISECOND), (1, 100 * SECOND)]);
    assert_eq!((report.count(), report.mean()), (10_001, Some(Micros(10_999))));
}

#[test]
fn the_stall_alone_is_10_000_requests_of_50_005_s() {
    let every = Interval(NonZeroU64::new(10 * MILLISECOND).expect("10 ms"));
    let mut stall = Histogram::default();
    stall.record_corrected(Micros(100 * SECOND), every);
    assert_eq!((stall.count(), stall.mean()), (10_000, Some(Micros(50_005_000))));
    stall.merge(&served(&[(10_000, MILLISECOND)]));
    assert_eq!(stall.mean(), Some(Micros(25_003_000)));
    let everybody_as_long = served(&[(10_000, MILLISECOND), (10_000, 100 * SECOND)]);
    assert_eq!(everybody_as_long.mean(), Some(Micros(50_000_500)));
}

#[test]
fn the_average_of_nine_times_10_ms_and_once_2_s_is_209_ms() {
    assert_eq!(served(&[(9, 10 * MILLISECOND), (1, 2 * SECOND)]).mean(), Some(Micros(209 * MILLISECOND)));
}

#[test]
fn the_fleet_s_p99_depends_on_how_much_the_slow_server_serves() {
    let fast = || served(&[(1_000, 10 * MILLISECOND)]);
    let fleet = |slow| {
        let mut servers: Vec<Histogram> = std::iter::repeat_with(fast).take(9).collect();
        servers.push(served(&[(slow, 2 * SECOND)]));
        fleet_quantile(&servers, percentile(99)).expect("requests were served").0
    };
    assert!(fleet(1_000) >= 2 * SECOND);
    assert!(fleet(10) < 11 * MILLISECOND);
}

#[test]
fn five_percentiles_of_1_to_100_come_out_wrong_in_floating_point() {
    let wrong: Vec<u32> =
        (1..=100).filter(|&percent| (f64::from(percent) / 100.0 * 100.0).ceil() != f64::from(percent)).collect();
    assert_eq!(wrong, [7, 14, 28, 55, 56]);
    assert_eq!(format!("{:.15}", 0.55 * 100.0), "55.000000000000007");
}

#[test]
fn all_numbers_of_64_bits_take_3776_counters_and_30_kb() {
    let histogram = served(&[(1, u64::MAX)]);
    assert_eq!((histogram.counters(), 128 + 57 * 64), (3_776, 3_776));
    assert_eq!(histogram.counters() * size_of::<u64>(), 30_208);
}

/// The bucket of 200.5 ms ends at 200.703 ms; it is 2.048 ms wide.
#[test]
fn the_middle_of_the_bucket_of_200_5_ms_is_199_7_ms() {
    let end = served(&[(1, 200_500)]).quantile(percentile(100)).expect("one latency").0;
    let begins_after = served(&[(1, end - 2_048)]).quantile(percentile(100)).expect("one latency").0;
    assert_eq!((end, begins_after), (200_703, 198_655));
    assert_eq!(begins_after + 1 + 1_024, 199_680);
}

#[test]
fn fast_failures_pull_the_mean_from_100_ms_to_80_4_ms() {
    assert_eq!(served(&[(20, 2 * MILLISECOND), (80, 100 * MILLISECOND)]).mean(), Some(Micros(80_400)));
}

#[test]
fn almost_one_page_of_20_requests_in_five_meets_the_99th_percentile() {
    assert_eq!(format!("{:.1}", 0.99_f64.powi(20) * 100.0), "81.8");
}
