//! What the page says in numbers, and what the exercise gives.

use hash_ring::{Node, Ring, hash64, modulo_owner, moved_fraction};
use std::num::NonZeroU32;

fn cluster(seed: u32, count: usize) -> Vec<Node> {
    (0..count).map(|i| Node::new(format!("eu{seed}-cache-{i}"))).collect()
}

/// Vectors that ports of XXH64 share, without and with a seed.
#[test]
fn the_given_hash_is_xxh64() {
    assert_eq!(hash64(b"", 0), 0xef46_db37_51d8_e999);
    assert_eq!(hash64(b"a", 0), 0xd24e_c4f1_a98c_6e5b);
    assert_eq!(hash64(b"abc", 0), 0x44bc_2cf5_ad77_0999);
    assert_eq!(hash64(b"0123", 0x1234_5678_90ab_cdef), 0xe19f_ff02_27e3_b861);
}

/// The first copy of a node and the key of the same name have the same hash: the key lies *at* the point.
#[test]
fn a_key_at_a_point_belongs_to_it() {
    let nodes = cluster(0, 10);
    let ring = Ring::new(NonZeroU32::new(1).unwrap(), &nodes);
    for node in &nodes {
        assert_eq!(ring.owner(node.name()), Some(node), "clockwise from a position includes the position");
    }
}

/// The database before the match, and a second after ten to eight.
#[test]
fn nine_caches_and_a_tenth() {
    let stays = (0..90).filter(|hash| hash % 9 == hash % 10).count();
    assert_eq!(stays, 9, "of each 90 hashes");
    assert_eq!(200_000 * 5 / 100, 10_000, "5 % of the reads miss");
    assert_eq!(200_000.0 * (1.0 - 0.95 * stays as f64 / 90.0), 181_000.0, "a hit needs a key that stayed");
}

/// H(N) for N nodes with one point each: 1/N + 1/2N + … + 1/N² of the ring, in multiples of 1/N.
#[test]
fn the_busiest_of_ten_single_points_has_2_93_times_its_share() {
    let harmonic: f64 = (1..=10).map(|i| 1.0 / f64::from(i)).sum();
    assert_eq!(format!("{harmonic:.2}"), "2.93");
    let rings = 20_000;
    let mean = (0..rings)
        .map(|seed| {
            let nodes = cluster(seed, 10);
            let ring = Ring::new(NonZeroU32::new(1).unwrap(), &nodes);
            peak(&ring.shares().into_values().collect::<Vec<_>>())
        })
        .sum::<f64>()
        / f64::from(rings);
    assert!((mean - harmonic).abs() < 0.05, "measured {mean:.3}");
}

/// A newcomer's single arc, on a ring of four other points: P(share > x) = (1 − x)⁴.
#[test]
fn a_single_newcomer_to_four_takes_between_1_3_and_53_percent_in_nine_rings_of_ten() {
    let quantile = |p: f64| 1.0 - (1.0 - p).powf(1.0 / 4.0);
    assert_eq!(format!("{:.3} {:.2}", quantile(0.05), quantile(0.95)), "0.013 0.53");
    let in_between = (0..10_000)
        .filter(|&seed| {
            let nodes = cluster(seed, 5);
            let ring = Ring::new(NonZeroU32::new(1).unwrap(), &nodes);
            (quantile(0.05)..quantile(0.95)).contains(&ring.shares()[&nodes[4]])
        })
        .count();
    assert!((8_800..9_200).contains(&in_between), "measured {in_between} of 10000");
}

/// √((N−1)/(N·V+1)) for the numbers of points that the page names.
#[test]
fn the_formula_gives_these_numbers() {
    let cv = |points: f64| (9.0 / (10.0 * points + 1.0)).sqrt();
    let shown = [1.0, 10.0, 16.0, 100.0, 200.0, 400.0, 1000.0].map(|points| format!("{:.4}", cv(points)));
    assert_eq!(shown, ["0.9045", "0.2985", "0.2364", "0.0948", "0.0671", "0.0474", "0.0300"]);
}

#[test]
fn one_more_node_moves_these_fractions_of_20000_keys() {
    let keys: Vec<_> = (0..20_000).map(|i| format!("user:{i}")).collect();
    let ring = |nodes: &[Node]| Ring::new(NonZeroU32::new(256).unwrap(), nodes);
    let measured = [3, 4, 9, 10].map(|n| {
        let nodes = cluster(0, n + 1);
        let modulo = |nodes| keys.iter().map(|key| modulo_owner(nodes, key)).collect::<Vec<_>>();
        let (before, after) = (ring(&nodes[..n]), ring(&nodes));
        let owners = |ring| keys.iter().map(|key| Ring::owner(ring, key)).collect::<Vec<_>>();
        let by_modulo = moved_fraction(&modulo(&nodes[..n]), &modulo(&nodes));
        format!("{n}: {by_modulo:.3} {:.3}", moved_fraction(&owners(&before), &owners(&after)))
    });
    assert_eq!(measured, ["3: 0.752 0.248", "4: 0.800 0.215", "9: 0.900 0.100", "10: 0.906 0.087"]);
}

/// The load of ten nodes with points at XXH64 and at CRC-32 of their names, over 100 clusters: its coefficient of variation
/// (root mean square) and its peak in multiples of the fair share (mean).
#[test]
fn a_checksum_does_not_spread_names_that_look_alike() {
    let measured = [1, 10, 100, 1000].map(|points| {
        let mut sums = [0.0; 4];
        for seed in 0..100 {
            let nodes = cluster(seed, 10);
            let ring = Ring::new(NonZeroU32::new(points).unwrap(), &nodes);
            let mixed = ring.shares().into_values().collect::<Vec<_>>();
            let checksum = crc_shares(&nodes, points);
            sums[0] += squared_cv(&mixed);
            sums[1] += peak(&mixed);
            sums[2] += squared_cv(&checksum);
            sums[3] += peak(&checksum);
        }
        let [cv, peak, crc_cv, crc_peak] = sums.map(|sum| sum / 100.0);
        format!("{points}: {:.3} {peak:.2} crc {:.3} {crc_peak:.2}", cv.sqrt(), crc_cv.sqrt())
    });
    assert_eq!(
        measured,
        [
            "1: 0.958 3.08 crc 2.844 9.53",
            "10: 0.298 1.53 crc 1.571 4.91",
            "100: 0.093 1.16 crc 0.190 1.31",
            "1000: 0.031 1.05 crc 0.127 1.18"
        ]
    );
}

fn squared_cv(shares: &[f64]) -> f64 {
    let n = shares.len() as f64;
    shares.iter().map(|share| (share * n - 1.0).powi(2)).sum::<f64>() / n
}

fn peak(shares: &[f64]) -> f64 {
    shares.iter().copied().fold(0.0, f64::max) * shares.len() as f64
}

fn crc_shares(nodes: &[Node], points: u32) -> Vec<f64> {
    let place = |copy| nodes.iter().enumerate().map(move |(i, node)| (i64::from(crc32(&format!("{node}#{copy}"))), i));
    let mut ring: Vec<_> = (0..points).flat_map(place).collect();
    ring.sort_unstable();
    let mut shares = vec![0.0; nodes.len()];
    let mut previous = ring.last().expect("points").0 - (1 << 32);
    for (at, node) in ring {
        shares[node] += (at - previous) as f64 / 2.0_f64.powi(32);
        previous = at;
    }
    shares
}

/// The CRC-32 of zlib.
fn crc32(text: &str) -> u32 {
    !text
        .bytes()
        .fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1))))
}
