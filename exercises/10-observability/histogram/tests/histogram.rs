//! What a dashboard may say about latencies: quantiles that are right, that add up, and that include who had to wait.

use histogram::{Histogram, Interval, Micros, Quantile, fleet_quantile, nearest_rank};
use kit::{Sometimes, for_seeds};
use rand::RngExt as _;
use std::num::NonZeroU64;

const MILLISECOND: u64 = 1_000;
const SECOND: u64 = 1_000_000;

fn per_million(parts: u32) -> Quantile {
    Quantile::per_million(parts).expect("the tests ask for shares from 1 to 1,000,000 millionths")
}

fn percentile(percent: u32) -> Quantile {
    per_million(percent * 10_000)
}

fn every(micros: u64) -> Interval {
    Interval(NonZeroU64::new(micros).expect("the tests' clients send at intervals that are not zero"))
}

/// A server that has served `count` requests in `latency` each, for each pair.
fn served(requests: &[(u64, u64)]) -> Histogram {
    let mut histogram = Histogram::default();
    for &(count, latency) in requests {
        for _ in 0..count {
            histogram.record(Micros(latency));
        }
    }
    histogram
}

/// Everything a caller can see: how many, their mean, and quantiles from the fastest to the slowest.
#[derive(Debug, PartialEq)]
struct Seen {
    count: u64,
    mean: Option<Micros>,
    quantiles: Vec<Option<Micros>>,
}

fn seen(histogram: &Histogram) -> Seen {
    let shares = (10_000..=1_000_000).step_by(10_000).chain([1, 999_000, 999_900, 999_990]);
    Seen {
        count: histogram.count(),
        mean: histogram.mean(),
        quantiles: shares.map(|parts| histogram.quantile(per_million(parts))).collect(),
    }
}

/// The definition, word for word: the smallest value with at least `parts` millionths of all values at or below it.
fn by_definition(values: &[u64], parts: u32) -> u64 {
    let enough = |limit: u64| {
        let below = values.iter().filter(|&&value| value <= limit).count() as u128;
        below * 1_000_000 >= u128::from(parts) * values.len() as u128
    };
    values.iter().copied().filter(|&value| enough(value)).min().expect("all values are at or below the greatest")
}

mod stage_1_nearest_rank {
    use super::*;
    use pretty_assertions::assert_eq;

    fn one_to(count: u64) -> Vec<Micros> {
        (1..=count).map(Micros).collect()
    }

    /// A hundred requests, the slowest of them an accident. The 99th percentile is there to leave that one out.
    #[test]
    fn the_99th_percentile_of_a_hundred_is_the_99th_not_the_slowest() {
        assert_eq!(
            nearest_rank(&one_to(100), percentile(99)),
            Some(Micros(99)),
            "99 of 1 to 100 µs are at or below 99 µs"
        );
    }

    /// Shares such as 0.55 have no exact floating-point number, and 55 of 100 must not become 56.
    #[test]
    fn each_percentile_of_one_to_a_hundred_is_its_own_number() {
        let latencies = one_to(100);
        for percent in 1..=100 {
            let expected = Some(Micros(u64::from(percent)));
            assert_eq!(nearest_rank(&latencies, percentile(percent)), expected, "percentile {percent} of 1 to 100 µs");
        }
    }

    /// Where there are too few values to single out one in a million, the answer is still one of them.
    #[test]
    fn a_single_latency_is_each_of_its_quantiles() {
        for parts in [1, 500_000, 999_999, 1_000_000] {
            assert_eq!(
                nearest_rank(&[Micros(7)], per_million(parts)),
                Some(Micros(7)),
                "{parts} millionths of one value"
            );
        }
    }

    /// A service that nobody has called is not fast.
    #[test]
    fn without_latencies_there_is_no_quantile() {
        assert_eq!(nearest_rank(&[], percentile(99)), None, "no value is the 99th percentile of none");
    }

    /// Up to 400 latencies, many of them equal, and any share.
    #[test]
    fn at_least_the_share_is_at_or_below_and_no_smaller_value_will_do() {
        let sometimes =
            Sometimes::expect(["the share is a whole number of values", "the answer occurs more than once"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let count = rng.random_range(1..=400);
            let mut latencies: Vec<u64> = (0..count).map(|_| rng.random_range(0..300)).collect();
            latencies.sort_unstable();
            let sorted: Vec<Micros> = latencies.iter().copied().map(Micros).collect();
            for parts in [rng.random_range(1..=1_000_000), rng.random_range(1..=100) * 10_000, 500_000, 1_000_000] {
                let expected = by_definition(&latencies, parts);
                sometimes.saw("the share is a whole number of values", u64::from(parts) * count % 1_000_000 == 0);
                sometimes.saw(
                    "the answer occurs more than once",
                    latencies.iter().filter(|&&value| value == expected).count() > 1,
                );
                let answer = nearest_rank(&sorted, per_million(parts));
                assert!(
                    answer == Some(Micros(expected)),
                    "seed {seed}: {parts} millionths of {count} values; expected {expected} µs, got {answer:?}"
                );
            }
        });
    }
}

mod stage_2_buckets {
    use super::*;
    use pretty_assertions::assert_eq;

    /// A cache hit in 3 µs and one in 5 µs: nothing may be rounded where there is nothing to gain.
    #[test]
    fn below_128_microseconds_a_quantile_is_exact() {
        for latency in 0..128 {
            let histogram = served(&[(1, latency)]);
            assert_eq!(
                histogram.quantile(percentile(50)),
                Some(Micros(latency)),
                "one request of {latency} µs was recorded"
            );
        }
    }

    /// "99 % within 300 ms" is a promise. A quantile that may be too low lets a broken promise look kept.
    #[test]
    fn a_quantile_is_never_less_than_the_true_one() {
        check_against_the_truth(|answer, truth| answer >= truth, "a quantile may not be less than the true one");
    }

    /// A microsecond matters in a cache, a second in a batch job: what is bounded is the error *relative* to the value.
    #[test]
    fn a_quantile_is_greater_than_the_true_one_by_less_than_a_64th() {
        check_against_the_truth(
            |answer, truth| answer <= truth || u128::from(answer - truth) * 64 < u128::from(truth),
            "a quantile must be less than a 64th above the true one",
        );
    }

    /// From microseconds to hours, in one histogram.
    fn check_against_the_truth(holds: impl Fn(u64, u64) -> bool, law: &str) {
        let sometimes = Sometimes::expect(["a cache hit", "a slow query", "a timeout of minutes"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let mut latencies = Vec::new();
            let mut histogram = Histogram::default();
            for _ in 0..rng.random_range(1..=200) {
                let magnitude = rng.random_range(0..=33);
                let latency = rng.random_range(0..=1_u64 << magnitude);
                latencies.push(latency);
                histogram.record(Micros(latency));
            }
            for parts in [rng.random_range(1..=1_000_000), 500_000, 990_000, 1_000_000] {
                let truth = by_definition(&latencies, parts);
                sometimes.saw("a cache hit", truth < MILLISECOND);
                sometimes.saw("a slow query", (MILLISECOND..SECOND).contains(&truth));
                sometimes.saw("a timeout of minutes", truth > 60 * SECOND);
                let answer = histogram.quantile(per_million(parts)).expect("something was recorded");
                assert!(
                    holds(answer.0, truth),
                    "seed {seed}: {law}: {parts} millionths of {} values; true {truth} µs, answered {} µs",
                    latencies.len(),
                    answer.0
                );
            }
        });
    }

    /// One request hung for an hour, another until the client's counter ran over. Both are slower than anybody planned for.
    #[test]
    fn nothing_is_too_slow_to_be_told_apart() {
        let histogram = served(&[(1, 3_600 * SECOND), (1, u64::MAX)]);
        let median = histogram.quantile(percentile(50)).expect("two latencies were recorded").0;
        let slowest = histogram.quantile(percentile(100)).expect("two latencies were recorded").0;
        assert!(
            median >= 3_600 * SECOND && median < slowest,
            "an hour and {} µs were recorded; the median is {median} µs, the slowest {slowest} µs",
            u64::MAX
        );
    }

    /// A busy server sees a hundred thousand different latencies before the next scrape.
    #[test]
    fn memory_does_not_grow_with_the_number_of_requests() {
        let mut histogram = Histogram::default();
        for request in 0..100_000 {
            histogram.record(Micros(request * 7));
        }
        histogram.record(Micros(u64::MAX));
        let counters = histogram.counters();
        assert!(
            counters <= 3_776,
            "100,001 different latencies take {counters} counters; 3,776 are enough for all there are"
        );
    }

    /// 10,000 answers in a millisecond and one in 100 seconds. The mean is exact, whatever the buckets are.
    #[test]
    fn the_mean_is_not_rounded_to_buckets() {
        let histogram = served(&[(10_000, MILLISECOND), (1, 100 * SECOND)]);
        assert_eq!(histogram.mean(), Some(Micros(10_999)), "110,000,000 µs in 10,001 requests");
    }

    /// A service that nobody has called is not fast here either.
    #[test]
    fn an_empty_histogram_has_no_quantile_and_no_mean() {
        let histogram = Histogram::default();
        let seen = (histogram.count(), histogram.mean(), histogram.quantile(percentile(99)));
        assert_eq!(seen, (0, None, None), "nothing was recorded");
    }
}

mod stage_3_fleet {
    use super::*;
    use pretty_assertions::assert_eq;

    /// Nine servers answer 1,000 requests each in 10 ms. The tenth, being drained, answers 10, in 2 s each.
    #[test]
    fn a_slow_server_with_few_requests_does_not_speak_for_the_fleet() {
        let mut servers = vec![served(&[(1_000, 10 * MILLISECOND)]); 9];
        servers.push(served(&[(10, 2 * SECOND)]));
        let p99 = fleet_quantile(&servers, percentile(99)).expect("the fleet has served requests").0;
        let fair = 10 * MILLISECOND..11 * MILLISECOND;
        assert!(
            fair.contains(&p99),
            "9,000 of 9,010 requests took 10 ms; their 99th percentile is about 10 ms, not {p99} µs"
        );
    }

    /// The same ten, but now the slow one has its full share: one request in ten takes 2 s.
    #[test]
    fn nine_fast_servers_do_not_hide_the_slow_one() {
        let mut servers = vec![served(&[(1_000, 10 * MILLISECOND)]); 9];
        servers.push(served(&[(1_000, 2 * SECOND)]));
        let p99 = fleet_quantile(&servers, percentile(99)).expect("the fleet has served requests").0;
        assert!(
            p99 >= 2 * SECOND,
            "1,000 of 10,000 requests took 2 s; their 99th percentile is no less than that, not {p99} µs"
        );
    }

    /// Up to eight servers, some idle; every request is recorded where it was served, and in one histogram for all.
    #[test]
    fn merging_is_the_same_as_recording_everything_in_one_place() {
        let sometimes = Sometimes::expect(["an idle server", "a server slower than all before it"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let mut merged = Histogram::default();
            let mut recorded = Histogram::default();
            let mut slowest = 0;
            for server in 0..rng.random_range(1..=8) {
                let mut histogram = Histogram::default();
                let mut slowest_here = 0;
                for _ in 0..rng.random_range(0..=20) {
                    let magnitude = rng.random_range(0..=40);
                    let latency = rng.random_range(0..=1_u64 << magnitude);
                    slowest_here = slowest_here.max(latency);
                    histogram.record(Micros(latency));
                    recorded.record(Micros(latency));
                }
                sometimes.saw("an idle server", histogram.count() == 0);
                sometimes.saw("a server slower than all before it", server > 0 && slowest_here > slowest);
                slowest = slowest.max(slowest_here);
                merged.merge(&histogram);
            }
            let (merged, recorded) = (seen(&merged), seen(&recorded));
            assert!(
                merged == recorded,
                "seed {seed}: merged, the servers say {merged:?}; recorded in one place, {recorded:?}"
            );
        });
    }

    /// At night nobody calls.
    #[test]
    fn an_idle_fleet_has_no_quantile() {
        let servers = vec![Histogram::default(); 3];
        assert_eq!(fleet_quantile(&servers, percentile(99)), None, "three servers have served nothing");
    }
}

mod stage_4_the_requests_that_were_not_sent {
    use super::*;
    use pretty_assertions::assert_eq;

    /// A request every 10 ms. One answer takes 35 ms: the requests due at 10, 20 and 30 ms would have waited 25, 15 and 5 ms.
    #[test]
    fn a_stall_of_three_and_a_half_intervals_hides_three_requests() {
        let mut histogram = Histogram::default();
        histogram.record_corrected(Micros(35 * MILLISECOND), every(10 * MILLISECOND));
        assert_eq!(histogram.count(), 4, "the request that was sent, and three that were due while it waited");
    }

    /// An answer that arrives when the next request is due delays none.
    #[test]
    fn an_answer_within_its_interval_hides_nothing() {
        let mut histogram = Histogram::default();
        for latency in [1, 9_999, 10_000] {
            histogram.record_corrected(Micros(latency), every(10 * MILLISECOND));
        }
        assert_eq!(histogram.count(), 3, "three requests, each answered before the next was due");
    }

    /// 100 seconds of answers in a millisecond, then a stall of 100 seconds. A client that waits sees 10,001 requests.
    #[test]
    fn half_of_the_time_stalled_means_25_seconds_on_average() {
        let mut histogram = Histogram::default();
        for _ in 0..10_000 {
            histogram.record_corrected(Micros(MILLISECOND), every(10 * MILLISECOND));
        }
        histogram.record_corrected(Micros(100 * SECOND), every(10 * MILLISECOND));
        assert_eq!(
            histogram.mean(),
            Some(Micros(25_003_000)),
            "10,000 requests took 1 ms, 10,000 took 50.005 s on average"
        );
    }

    /// A server answers in a millisecond, except while it is frozen. One client sends on schedule whatever happens; the other
    /// waits for each answer and skips what was due meanwhile. Times are in milliseconds.
    #[test]
    fn corrected_a_client_that_waits_sees_what_one_that_does_not_wait_sees() {
        let sometimes = Sometimes::expect(["requests were skipped", "a freeze that was no whole number of intervals"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let interval = rng.random_range(2..=20);
            let mut freezes = Vec::new();
            let mut now = 0;
            for _ in 0..5 {
                let begin = now + rng.random_range(1..=200);
                now = begin + rng.random_range(1..=100);
                freezes.push(begin..now);
                sometimes.saw("a freeze that was no whole number of intervals", (now - begin) % interval != 0);
            }
            let latency = |sent: u64| {
                let thawed = freezes.iter().find(|freeze| freeze.contains(&sent)).map_or(sent, |freeze| freeze.end);
                thawed + 1 - sent
            };

            let mut on_schedule = Histogram::default();
            let mut waiting = Histogram::default();
            let mut idle_from = 0;
            for due in (0..now + 200).step_by(usize::try_from(interval).expect("an interval is at most 20")) {
                let took = latency(due);
                on_schedule.record(Micros(took * MILLISECOND));
                sometimes.saw("requests were skipped", due < idle_from);
                if due >= idle_from {
                    waiting.record_corrected(Micros(took * MILLISECOND), every(interval * MILLISECOND));
                    idle_from = due + took;
                }
            }
            let (waiting, on_schedule) = (seen(&waiting), seen(&on_schedule));
            assert!(
                waiting == on_schedule,
                "seed {seed}: every {interval} ms, frozen in {freezes:?}: the client that waits, corrected, sees {waiting:?}; on schedule it is {on_schedule:?}"
            );
        });
    }
}
