//! What the page "Other rules" says of rendezvous hashing, jump hash, caps and slots.

use std::collections::BTreeMap;

/// A mixer (the finaliser of SplitMix64).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn rendezvous(key: u64, machines: &[u64]) -> u64 {
    *machines.iter().max_by_key(|&&machine| mix(mix(key).wrapping_add(mix(machine + 1)))).expect("a machine")
}

#[test]
fn if_a_machine_goes_only_its_keys_move() {
    let all: Vec<u64> = (0..10).collect();
    let without: Vec<u64> = all.iter().copied().filter(|&machine| machine != 3).collect();
    for key in 0..10_000 {
        let (before, after) = (rendezvous(key, &all), rendezvous(key, &without));
        assert!(before == 3 || before == after, "key {key} moved from {before} to {after}");
    }
}

/// Lamping and Veach, Figure 1.
fn jump(mut key: u64, machines: i64) -> i64 {
    let (mut last, mut next) = (-1, 0);
    while next < machines {
        last = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        next = ((last + 1) as f64 * ((1_u64 << 31) as f64 / ((key >> 33) + 1) as f64)) as i64;
    }
    last
}

#[test]
fn three_keys_by_which_one_knows_jump_hash() {
    assert_eq!([jump(42, 57), jump(0xDEAD_10CC, 666), jump(256, 1_024)], [43, 361, 520]);
}

/// Each request goes to its machine, or to the next one that is not full.
#[test]
fn with_a_cap_of_125_a_key_with_400_requests_is_on_four_machines() {
    let mut load = [0_u32; 10];
    let mut hot = BTreeMap::new();
    for request in 0..1_000_u64 {
        let key = if request % 5 < 2 { 0 } else { request };
        let mut machine = (mix(key) % 10) as usize;
        while load[machine] >= 125 {
            machine = (machine + 1) % 10;
        }
        load[machine] += 1;
        if key == 0 {
            *hot.entry(machine).or_insert(0) += 1;
        }
    }
    assert_eq!((hot.values().sum::<u32>(), 1_250 / 10, load.iter().max() <= Some(&125)), (400, 125, true));
    assert!(hot.len() >= 4, "{hot:?}");
}

fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    crc16(hashed.as_bytes()) % 16_384
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8)
            .fold(crc ^ (u16::from(byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    })
}

#[test]
fn foo_lies_in_slot_12_182_and_a_tag_decides_alone() {
    assert_eq!((crc16(b"123456789"), slot("foo")), (0x31C3, 12_182));
    assert_eq!([slot("{user1000}.cart"), slot("{user1000}.name"), slot("user1000")], [3_443; 3]);
    assert_eq!(slot("foo{}{bar}"), crc16(b"foo{}{bar}") % 16_384);
}
