//! What the page computes.

use kit::Seed;
use kit::rand::RngExt as _;
use vnode_variance::{Hash, cv, expected_cv, fair, hashed, limit, shares};

fn fair_cvs(count: usize, per_machine: usize) -> Vec<f64> {
    let mut rng = Seed(1).rng();
    (0..count).map(|_| cv(&shares(&fair(10, per_machine, || rng.random()), 10))).collect()
}

fn of(hash: Hash, per_machine: usize) -> Vec<f64> {
    ["cache", "node", "10.0.0", "eu-west-db"]
        .map(|prefix| {
            let names: Vec<String> = (0..10).map(|i| format!("{prefix}-{i}")).collect();
            cv(&shares(&hashed(hash, &names, per_machine), 10))
        })
        .to_vec()
}

/// 0.12 with a hundred points each, and 15 % above what is expected.
#[test]
fn one_fair_ring_in_ten_exceeds_0_12_and_one_in_five_the_expected_by_15_percent() {
    let cvs = fair_cvs(4_000, 100);
    let percent = |cv: f64| (cvs.iter().filter(|other| **other > cv).count() as f64 / 40.0).round();
    assert_eq!((percent(0.12), percent(1.15 * expected_cv(10, 100))), (10.0, 20.0));
}

#[test]
fn the_table_of_hash_functions() {
    let table = [
        (1, 1_999, [0.90, 1.59, 1.03, 2.88, 1.99]),
        (10, 1_999, [0.30, 0.47, 0.26, 2.09, 1.99]),
        (100, 999, [0.09, 0.14, 0.10, 0.20, 0.80]),
        (1_000, 399, [0.03, 0.05, 0.03, 0.16, 0.47]),
    ];
    for (per_machine, count, expected) in table {
        let worst = |hash| of(hash, per_machine).into_iter().fold(0.0, f64::max);
        let limit = limit(&fair_cvs(count, per_machine), 0.01).expect("enough");
        let found = [expected_cv(10, per_machine), limit, worst(Hash::Xxh64), worst(Hash::Crc32), worst(Hash::Fnv1a)];
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 0.0061, "{per_machine} points: {found} instead of {expected}");
        }
    }
}

/// A last byte that differs by at most 9 moves an FNV-1a position by less than 16 · (2^40 + 2^9) of 2^64.
#[test]
fn ten_points_of_fnv_lie_where_one_does() {
    let positions: Vec<u64> = (0..10).map(|i| Hash::Fnv1a.position(&format!("cache-3#{i}"))).collect();
    let (low, high) = (positions.iter().min().expect("ten"), positions.iter().max().expect("ten"));
    assert!((high - low) as f64 / 2_f64.powi(64) < 2e-5, "{positions:?}");
}

#[test]
fn twenty_judgements_at_five_percent_and_the_rings_of_envoy() {
    assert_eq!(((1.0 - 0.95_f64.powi(20)) * 100.0).round(), 64.0);
    assert_eq!((expected_cv(10, 102) * 100.0).round(), 9.0);
    assert_eq!((expected_cv(100, 10) * 100.0).round(), 31.0);
    assert_eq!((expected_cv(2, 1) * 100.0).round(), 58.0);
}
