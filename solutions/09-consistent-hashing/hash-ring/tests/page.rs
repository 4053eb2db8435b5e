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
