//! The page's own numbers.

use shard_router::{HotKeys, Key, Shard, Slots, hash};

/// How many of `keys` change their machine when `before` machines become `before + 1` and a key's machine is its hash modulo
/// their number.
fn moved_by_modulo(before: u64, keys: u64) -> f64 {
    (0..keys).filter(|key| hash(Key(*key)) % before != hash(Key(*key)) % (before + 1)).count() as f64 / keys as f64
}

#[test]
fn modulo_moves_three_quarters_from_three_to_four_and_ten_elevenths_from_ten_to_eleven() {
    // Five standard deviations of a share of 200,000 keys are 0.005.
    assert!((moved_by_modulo(3, 200_000) - 0.75).abs() < 0.005, "{}", moved_by_modulo(3, 200_000));
    assert!((moved_by_modulo(10, 200_000) - 10.0 / 11.0).abs() < 0.005, "{}", moved_by_modulo(10, 200_000));
}

#[test]
fn slots_move_a_quarter_from_three_to_four_and_an_eleventh_from_ten_to_eleven() {
    let shards = |count| (0..count).map(Shard).collect::<Vec<_>>();
    for (before, percent) in [(3, 25.0), (10, 9.1)] {
        let plan = Slots::new(16_384, &shards(before)).plan(&shards(before + 1));
        let share = plan.len() as f64 / 16_384.0 * 100.0;
        assert!((share - percent).abs() < 0.05, "from {before}: {share} %");
    }
}

#[test]
fn ten_counters_find_a_key_of_a_sixth_of_the_traffic() {
    // Every sixth request is for the same key; the others are for a key each.
    let mut hot = HotKeys::new(10);
    (0..60_000).for_each(|request| hot.see(if request % 6 == 0 { Key(1) } else { Key(1_000_000 + request) }));
    assert!(hot.hotter_than(6_000).contains(&Key(1)) && hot.watched() == 10);
    assert!(hot.at_most(Key(1)) - hot.at_least(Key(1)) <= 6_000);
}
