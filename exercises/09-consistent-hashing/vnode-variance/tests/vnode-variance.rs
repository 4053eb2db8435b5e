//! Stage 1: measure a ring. Stage 2: what is to be expected. Stage 3: judge a hash function.

use kit::rand::RngExt as _;
use kit::{Rng, Sometimes, for_seeds, stats};
use vnode_variance::{Hash, Point, cv, expected_cv, fair, hashed, judge, limit, rms, shares};

const QUARTER: u64 = 1 << 62;

fn point(position: u64, machine: usize) -> Point {
    Point { position, machine }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

fn fair_cv(machines: usize, per_machine: usize, rng: &mut Rng) -> f64 {
    cv(&shares(&fair(machines, per_machine, || rng.random()), machines))
}

/// `prefix-0` to `prefix-9`.
fn cluster(prefix: &str) -> Vec<String> {
    (0..10).map(|i| format!("{prefix}-{i}")).collect()
}

mod stage_1_measure {
    use super::*;

    fn assert_shares(points: &[Point], expected: &[f64]) {
        let found = shares(points, expected.len());
        let all_close = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| close(*a, *b));
        assert!(
            all_close,
            "shares {found:?} instead of {expected:?} of {points:?}, on a circle of four times {QUARTER}"
        );
    }

    /// Ann at one quarter, Ben at two, Cleo at the very last position.
    #[test]
    fn a_point_owns_what_lies_before_it() {
        assert_shares(&[point(QUARTER, 0), point(2 * QUARTER, 1), point(u64::MAX, 2)], &[0.25, 0.25, 0.5]);
    }

    /// Ann at one quarter, Ben at two, Cleo at three: the last quarter is Ann's, for after the last position comes the first.
    #[test]
    fn after_the_last_position_comes_the_first() {
        let points = [point(3 * QUARTER, 2), point(QUARTER, 0), point(2 * QUARTER, 1)];
        assert_shares(&points, &[0.5, 0.25, 0.25]);
        assert_shares(&[point(QUARTER, 0), point(2 * QUARTER, 0), point(3 * QUARTER, 1)], &[0.75, 0.25]);
    }

    #[test]
    fn one_point_owns_everything_and_a_machine_without_points_nothing() {
        assert_shares(&[point(7, 1)], &[0.0, 1.0]);
        assert_shares(&[point(0, 0)], &[1.0]);
    }

    #[test]
    fn shares_add_up_to_the_whole_circle() {
        for_seeds(50, |seed| {
            let mut rng = seed.rng();
            let (machines, per_machine) = (rng.random_range(1..8), rng.random_range(1..20));
            let sum: f64 = shares(&fair(machines, per_machine, || rng.random()), machines).iter().sum();
            assert!(
                close(sum, 1.0),
                "seed {seed}: {machines} machines with {per_machine} points own {sum} of the circle"
            );
        });
    }

    #[test]
    fn a_point_lies_where_its_name_hashes_to() {
        let names = ["cache-3", "cache-4"].map(String::from);
        let found = hashed(Hash::Crc32, &names, 12);
        assert_eq!(found.len(), 24, "two machines with 12 points each");
        for (name, machine) in [("cache-3#0", 0), ("cache-3#11", 0), ("cache-4#7", 1)] {
            let expected = point(Hash::Crc32.position(name), machine);
            assert!(found.contains(&expected), "{name} should lie at {expected:?}, which is not among {found:?}");
        }
    }

    /// 1 and 3: mean 2, both 1 away from it.
    #[test]
    fn the_cv_is_the_deviation_of_all_loads_over_their_mean() {
        for (loads, expected) in [
            (vec![1.0, 3.0], 0.5),
            (vec![0.0, 2.0], 1.0),
            (vec![5.0; 4], 0.0),
            (vec![0.0, 0.0, 0.0, 4.0], 3.0_f64.sqrt()),
        ] {
            assert!(close(cv(&loads), expected), "the CV of {loads:?} is {} and should be {expected}", cv(&loads));
            let scaled: Vec<f64> = loads.iter().map(|load| load * 1_000.0).collect();
            assert!(
                close(cv(&scaled), expected),
                "a thousand times the load is as even: {} and {expected}",
                cv(&scaled)
            );
        }
    }
}

mod stage_2_expect {
    use super::*;

    /// The table for ten machines.
    #[test]
    fn the_expected_cv_of_ten_machines_is_that_of_the_table() {
        for (per_machine, expected) in
            [(1, 0.9045), (10, 0.2985), (50, 0.1340), (100, 0.0948), (200, 0.0671), (500, 0.0424), (1000, 0.0300)]
        {
            let found = expected_cv(10, per_machine);
            assert!(
                (found - expected).abs() < 6e-5,
                "ten machines with {per_machine} points each: {found} instead of {expected}"
            );
        }
        assert!(close(expected_cv(1, 7), 0.0), "a machine alone has everything: {}", expected_cv(1, 7));
    }

    #[test]
    fn what_is_averaged_are_squares() {
        let found = rms(&[0.1, 0.2]);
        assert!(close(found, 0.025_f64.sqrt()), "the root of the mean square of 0.1 and 0.2: {found}");
    }

    #[test]
    fn each_machine_has_as_many_points_as_the_others() {
        let mut next = 0;
        let points = fair(3, 4, || {
            next += 1;
            next
        });
        let counts = [0, 1, 2].map(|machine| points.iter().filter(|point| point.machine == machine).count());
        let mut positions: Vec<u64> = points.iter().map(|point| point.position).collect();
        positions.sort_unstable();
        assert_eq!(
            (counts, positions),
            ([4; 3], (1..=12).collect()),
            "points of each machine, and one draw for each point"
        );
    }

    /// 1,500 fair rings of ten machines. One ring's squared CV is about χ² with 9 degrees of freedom, divided by 9, times the expected
    /// one, and a little wider with few points, for which the excess of the arcs' law (6/V) is added.
    ///
    /// False alarm: about 1e-9 (6.1 standard deviations of a mean of 1,500).
    #[test]
    fn fair_rings_are_as_uneven_as_expected() {
        for per_machine in [3, 10, 40] {
            let mut cvs = vec![];
            for_seeds(1_500, |seed| cvs.push(fair_cv(10, per_machine, &mut seed.rng())));
            let ratio = (rms(&cvs) / expected_cv(10, per_machine)).powi(2);
            let tolerance = 6.1 * ((2.0 / 9.0 + 6.0 / per_machine as f64 / 10.0) / cvs.len() as f64).sqrt();
            assert!(
                cvs.len() < 1_500 || (ratio - 1.0).abs() < tolerance,
                "{per_machine} points each: the mean squared CV of 1500 fair rings is {ratio:.3} times the expected, tolerance {tolerance:.3}"
            );
        }
    }
}

mod stage_3_judge {
    use super::*;

    #[test]
    fn the_limit_is_the_value_that_so_many_of_all_places_lie_above() {
        let mut cvs: Vec<f64> = (1..=999).map(f64::from).collect();
        cvs.reverse();
        cvs.rotate_left(313);
        for (false_alarm, expected) in [(0.01, 990.0), (0.001, 999.0), (0.05, 950.0), (0.0129, 988.0), (0.0109, 990.0)]
        {
            let found = limit(&cvs, false_alarm);
            assert_eq!(found, Some(expected), "999 fair rings with CVs 1 to 999, false alarms at most {false_alarm}");
        }
    }

    /// The greatest of 99 is exceeded by one ring in a hundred. About rarer things the 99 say nothing.
    #[test]
    fn too_few_fair_rings_give_no_limit() {
        let cvs: Vec<f64> = (1..=99).map(f64::from).collect();
        assert_eq!(limit(&cvs, 0.01), Some(99.0), "99 fair rings, one false alarm in a hundred");
        assert_eq!(limit(&cvs, 0.009), None, "99 fair rings, fewer than one false alarm in a hundred");
        assert_eq!(limit(&[], 0.5), None, "no fair rings");
    }

    /// Each trial: 19 fair rings, a limit for 10 %, and one more fair ring, which is judged.
    ///
    /// False alarm of this test: 1e-9 (exact binomial).
    #[test]
    fn a_fair_ring_is_found_uneven_as_often_as_was_stated() {
        let sometimes = Sometimes::expect(["a fair ring was found uneven", "a fair ring was not"]);
        let (mut trials, mut alarms) = (0, 0);
        for_seeds(2_000, |seed| {
            let mut rng = seed.rng();
            let others: Vec<f64> = (0..19).map(|_| fair_cv(5, 4, &mut rng)).collect();
            let limit = limit(&others, 0.1).expect("19 fair rings are enough for one in ten");
            let alarm = fair_cv(5, 4, &mut rng) > limit;
            sometimes.saw("a fair ring was found uneven", alarm);
            sometimes.saw("a fair ring was not", !alarm);
            trials += 1;
            alarms += u64::from(alarm);
        });
        let stated = stats::binomial_range(trials, 0.1, 1e-9);
        assert!(
            trials < 2_000 || stated.contains(&alarms),
            "{alarms} false alarms in {trials} trials; at 10 % it is {stated:?}"
        );
    }

    /// Twenty clusters at 5 % each would give an alarm in 64 of 100 series.
    #[test]
    fn all_clusters_of_a_series_share_one_false_alarm_rate() {
        let cvs: Vec<f64> = (1..=399).map(f64::from).collect();
        let clusters: Vec<_> = (0..20).map(|i| cluster(&format!("cache-{i}"))).collect();
        let verdict = judge(Hash::Xxh64, &clusters, 10, &cvs, 0.05).expect("399 fair rings are enough for 0.05 / 20");
        assert_eq!(verdict.limit, 399.0, "20 clusters at 0.05 in all: 0.0025 for each, the greatest of 399 fair CVs");
        assert_eq!(verdict.uneven, 0, "no ring has a CV of 399");
        assert_eq!(judge(Hash::Xxh64, &clusters, 10, &cvs[1..], 0.05), None, "398 fair rings are too few");
        assert_eq!(judge(Hash::Xxh64, &[], 10, &cvs, 0.05), None, "no clusters");
    }

    #[test]
    fn a_verdict_counts_the_uneven_rings_and_names_the_worst() {
        let clusters = [cluster("cache"), cluster("db"), cluster("web")];
        let mut cvs = clusters.each_ref().map(|names| cv(&shares(&hashed(Hash::Xxh64, names, 10), 10)));
        cvs.sort_unstable_by(f64::total_cmp);
        let middle = f64::midpoint(cvs[1], cvs[2]);
        let verdict = judge(Hash::Xxh64, &clusters, 10, &[middle; 30], 0.3).expect("30 are enough for 0.1 each");
        assert!(
            close(verdict.limit, middle),
            "30 fair rings with a CV of {middle} each: the limit is {}",
            verdict.limit
        );
        assert_eq!((verdict.uneven, verdict.worst), (1, cvs[2]), "CVs {cvs:?}, and a limit of {middle}");
    }

    /// Ten machines with 200 points each, four ways to name them, 399 fair rings.
    ///
    /// False alarm: 1 % for a hash function as good as chance; XXH64 of these names is what it is, on every machine.
    #[test]
    fn xxh64_is_as_good_as_chance_and_crc32_and_fnv1a_are_not() {
        let mut rng = kit::Seed(2026).rng();
        let cvs: Vec<f64> = (0..399).map(|_| fair_cv(10, 200, &mut rng)).collect();
        let clusters = ["cache", "node", "10.0.0", "eu-west-db"].map(cluster);
        let [xxh, crc, fnv] = [Hash::Xxh64, Hash::Crc32, Hash::Fnv1a]
            .map(|hash| judge(hash, &clusters, 200, &cvs, 0.01).expect("399 are enough"));
        assert_eq!(xxh.uneven, 0, "XXH64 is judged uneven: {xxh:?}");
        assert_eq!(crc.uneven, 4, "CRC-32 passes for a hash that mixes: {crc:?}");
        assert_eq!(fnv.uneven, 4, "FNV-1a passes for a hash that mixes: {fnv:?}");
    }
}
