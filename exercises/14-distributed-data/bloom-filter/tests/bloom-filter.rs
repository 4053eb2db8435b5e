//! The laws of a Bloom filter. Only the first is absolute: what was inserted is never denied.
//!
//! The others hold up to chance. Each statistical test states how often it would fail a correct filter, its
//! *false-alarm rate*; the keys are the same in every run, so a verdict does not change from one save to the next.

use bloom_filter::{
    BloomFilter, Guard, Instance, MAX_HASHES, Shape, ShapeMismatch, Store, Unsizable, bits_for, hashes_for,
};
use kit::{Seed, for_seeds, stats};
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::panic::catch_unwind;

mod stage_1_sizing {
    use super::*;

    #[test]
    fn ten_thousand_keys_at_one_percent_need_95_851_bits() {
        assert_eq!(bits_for(10_000, 0.01), 95_851, "−n·ln p / (ln 2)², rounded up");
        assert_eq!(bits_for(1, 0.5), 2, "even one key takes 1/ln 2 = 1.44 bits for each halving of the rate");
    }

    /// Every factor of ten in the rate has the same price, 4.79 bits a key, wherever you start.
    #[test]
    fn one_percent_takes_twice_the_bits_of_ten_percent() {
        let (tenth, hundredth) = (bits_for(1_000_000, 0.1), bits_for(1_000_000, 0.01));
        assert!(
            hundredth.abs_diff(2 * tenth) <= 2,
            "10 % takes {tenth} bits and 1 % takes {hundredth}, not twice as many"
        );
    }

    #[test]
    fn seven_probes_make_the_best_of_ten_bits_a_key() {
        assert_eq!(hashes_for(95_851, 10_000), 7, "9.585 bits a key · ln 2 = 6.64");
        assert_eq!(hashes_for(100, 10), 7, "10 bits a key · ln 2 = 6.93");
        assert_eq!(hashes_for(120, 10), 8, "12 bits a key · ln 2 = 8.32, and 8 is nearer than 9");
        assert_eq!(hashes_for(64, 10), 4, "6.4 bits a key · ln 2 = 4.44, and 4 is nearer than 5");
        assert_eq!(hashes_for(64, 1_000), 1, "an overfull filter still has to set one bit");
    }

    /// The rates that Broder and Mitzenmacher's survey, and every table since, print for m/n and k.
    #[test]
    fn the_rate_follows_the_published_table() {
        for (bits_per_key, hashes, rate) in
            [(8, 5, 0.0217), (8, 6, 0.0216), (10, 7, 0.008_19), (12, 8, 0.003_14), (16, 11, 0.000_459)]
        {
            let computed = shape(bits_per_key * 64_000, hashes).false_positive_rate(64_000);
            assert!(
                (computed / rate - 1.0).abs() < 0.005,
                "{bits_per_key} bits a key and {hashes} probes: {computed:.5}, the tables say {rate}"
            );
        }
        assert_eq!(shape(640, 7).false_positive_rate(0), 0.0, "an empty filter makes no error");
    }

    #[test]
    fn a_filter_filled_beyond_its_size_is_ruined() {
        let shape = shape(10 << 20, 7);
        for (keys, rate) in [(1_000_000, 0.0065), (2_000_000, 0.118), (5_000_000, 0.776)] {
            let computed = shape.false_positive_rate(keys);
            assert!((computed - rate).abs() < 0.0005, "{keys} keys in 10 · 2²⁰ bits: {computed:.4} instead of {rate}");
        }
    }

    /// Memory comes in words of 64 bits, so a shape uses them to the end.
    #[test]
    fn a_shape_fills_whole_words() {
        for (asked, given) in [(1, 64), (64, 64), (65, 128), (95_851, 95_872)] {
            assert_eq!(shape(asked, 3).bits(), given, "asked for {asked} bits");
        }
        let sized = Shape::for_items(10_000, 0.01).expect("a filter for 10,000 keys at 1 %");
        assert_eq!((sized.bits(), sized.hashes()), (95_872, 7), "10,000 keys at 1 %");
    }

    /// What rounding up to words gives is a present, not a reason for more probes: they would not fit in [`MAX_HASHES`].
    #[test]
    fn every_rate_that_is_allowed_has_a_filter_however_few_the_keys() {
        let (least, most) = (0.5_f64.powi(64).next_up(), 1_f64.next_down());
        for rate in [least, 1e-19, 1e-18, 1e-15, 1e-9, 0.5, most] {
            for items in [1, 2, 10, 1000] {
                let sized = Shape::for_items(items, rate);
                assert!(sized.is_ok(), "{items} keys at a rate of {rate:e} gave {sized:?}");
            }
        }
        let sized = Shape::for_items(1, 0.5).expect("one key at one half");
        assert_eq!((sized.bits(), sized.hashes()), (64, 1), "one key takes 2 bits, of which 1 probe makes the best");
        let refused = Shape::for_items(100, 0.5_f64.powi(64));
        assert!(matches!(refused, Err(Unsizable::Rate(_))), "a rate of 2⁻⁶⁴ itself gave {refused:?}");
        let beyond = catch_unwind(|| Shape::new(u64::MAX, 1));
        assert!(beyond.is_err(), "2⁶⁴ − 1 bits do not fit whole words, and gave {beyond:?}");
    }

    #[test]
    fn an_impossible_shape_is_refused_with_the_reason() {
        assert_eq!(Shape::new(0, 7), Err(Unsizable::Empty));
        assert_eq!(Shape::new(64, 0), Err(Unsizable::Hashes(0)));
        assert_eq!(Shape::new(64, MAX_HASHES + 1), Err(Unsizable::Hashes(65)));
        assert_eq!(Shape::for_items(0, 0.01), Err(Unsizable::Empty));
        for rate in [0.0, 1.0, -0.01, 1e-30, f64::NAN, f64::INFINITY] {
            let refused = Shape::for_items(100, rate);
            assert!(matches!(refused, Err(Unsizable::Rate(_))), "a rate of {rate} gave {refused:?}");
        }
    }
}

mod stage_2_the_filter {
    use super::*;

    /// A key with fewer bits than the others is mistaken more often. Hashes whose step is zero, or shares a factor
    /// with the number of bits, come round to a bit they had.
    #[test]
    fn every_key_gets_its_full_number_of_different_bits() {
        let single_bits = (0..128).map(|i| 1_u128 << i);
        let halves = [0, u128::MAX, u128::from(u64::MAX), u128::from(u64::MAX) << 64, (1 << 127) | (1 << 64)];
        let hashes: Vec<u128> = single_bits.chain(halves).collect();
        for shape in [shape(95_851, 7), shape(1 << 20, 14), shape(128, 8), shape(64, 64)] {
            for &hash in &hashes {
                let bits: Vec<u64> = shape.probes(hash).collect();
                let different: BTreeSet<u64> = bits.iter().copied().collect();
                assert_eq!(
                    different.len(),
                    shape.hashes() as usize,
                    "the hash {hash:032x} has probes that coincide, in {shape:?}: {bits:?}"
                );
                assert!(different.iter().all(|&bit| bit < shape.bits()), "a probe outside of {shape:?}: {bits:?}");
            }
        }
    }

    /// From one word to far beyond memory, and with hashes that agree in one half: their keys begin at the same bit, or step alike.
    #[test]
    fn keys_that_share_half_a_hash_part_ways_in_a_filter_of_any_size() {
        let huge = shape(1 << 62, 64);
        for hash in [u128::MAX, 1 << 127, u128::MAX << 64] {
            let bits: BTreeSet<u64> = huge.probes(hash).collect();
            assert!(
                bits.len() == 64 && bits.iter().all(|&bit| bit < huge.bits()),
                "the hash {hash:032x} has {} different bits of 64 in {huge:?}, or some outside",
                bits.len()
            );
        }
        let large = shape(1 << 40, 7);
        for half in [0, 64] {
            let kept = u128::from(Seed(1).part(0).0) << (64 - half);
            let hashes = (1..=10_000).map(|i| kept | u128::from(Seed(2).part(i).0) << half);
            let sets: Vec<BTreeSet<u64>> = hashes.map(|hash| large.probes(hash).collect()).collect();
            let different: BTreeSet<_> = sets.iter().collect();
            assert!(
                different.len() > 9_990,
                "10,000 keys whose hashes agree in 64 of 128 bits have only {} different sets of probes: all of the hash is needed",
                different.len()
            );
            let upper = sets.iter().flatten().filter(|&&bit| bit >= 1 << 39).count();
            assert!(upper > 20_000, "{upper} of 70000 probes fall into the upper half of {large:?}, not about 35000");
        }
    }

    #[test]
    fn a_key_sets_its_own_bits_and_no_others() {
        let mut filter = BloomFilter::new(shape(95_851, 7));
        assert_eq!(filter.set_bits(), 0, "a new filter has seen nothing");
        filter.insert(b"https://example.com/");

        let bits: BTreeSet<u64> = filter.shape().probes(bloom_filter::hash(b"https://example.com/")).collect();
        let set: BTreeSet<u64> = (0..filter.shape().bits())
            .filter(|bit| filter.words()[(bit / 64) as usize] >> (bit % 64) & 1 == 1)
            .collect();
        assert_eq!(set, bits, "bit i is bit i % 64 of word i / 64");
        assert_eq!(filter.set_bits(), 7);
        let low = bloom_filter::hash(b"") as u64;
        assert_eq!(low, 0x2d06_8005_38d3_94c2, "filters travel: the hash that was given is XXH3 in every process");
    }

    /// The one law without an exception: full or empty, tiny or large, with one probe or with 64.
    #[test]
    fn what_was_inserted_is_never_denied() {
        for_seeds(10, |seed| {
            for shape in [shape(64, 1), shape(64, 64), shape(640, 7), shape(95_851, 7), shape(4_096, 64)] {
                let mut filter = BloomFilter::new(shape);
                for i in 0..500 {
                    filter.insert(&key(seed, INSERTED, i));
                    filter.insert(&vec![b'x'; i as usize]);
                }
                for i in 0..500 {
                    assert!(
                        filter.might_contain(&key(seed, INSERTED, i)),
                        "key {i} was inserted and denied: {shape:?}"
                    );
                    assert!(filter.might_contain(&vec![b'x'; i as usize]), "{i} times x was denied: {shape:?}");
                }
            }
        });
    }

    /// False-alarm rate below 1e-9 for each seed: a key is mistaken only if its 7 probes hit the 70 bits of ten others.
    #[test]
    fn what_was_never_inserted_is_usually_denied() {
        let mut filter = BloomFilter::new(shape(1 << 20, 7));
        assert!(!filter.might_contain(b""), "a new filter has seen nothing, not even the empty key");
        for_seeds(5, |seed| {
            for i in 0..10 {
                filter.insert(&key(seed, INSERTED, i));
            }
            let mistaken = (0..100).filter(|&i| filter.might_contain(&key(seed, UNSEEN, i))).count();
            assert_eq!(mistaken, 0, "of 100 unseen keys, with a few dozen in 2²⁰ bits");
        });
    }

    #[test]
    fn the_bits_are_packed() {
        for (keys, rate) in [(1, 0.5), (10_000, 0.01), (1_000_000, 0.001)] {
            let shape = Shape::for_items(keys, rate).expect("a possible shape");
            let filter = BloomFilter::new(shape);
            let bytes = size_of_val(filter.words()) + size_of_val(&filter);
            let promised = shape.bits() as usize / 8 + 64;
            assert!(bytes <= promised, "{} bits take {bytes} bytes, at most {promised} were promised", shape.bits());
            assert_eq!(filter.words().len() as u64 * 64, shape.bits(), "64 bits to a word");
        }
    }

    #[test]
    fn the_order_and_number_of_insertions_leave_no_trace() {
        let shape = shape(640, 7);
        let (mut once, mut often) = (BloomFilter::new(shape), BloomFilter::new(shape));
        for i in 0..40 {
            once.insert(&key(Seed(0), INSERTED, i));
            often.insert(&key(Seed(0), INSERTED, 39 - i));
            often.insert(&key(Seed(0), INSERTED, 0));
        }
        let differing = differing_bits(&once, &often);
        assert_eq!(differing, 0, "bits differ between filters of the same 40 keys, inserted in another order");
    }
}

mod stage_3_the_bound {
    use super::*;

    /// The formula assumes that 1 − e^(−kn/m) of the bits are set. False-alarm rate 2e-9: six standard deviations.
    #[test]
    fn the_share_of_set_bits_is_what_the_formula_assumes() {
        for_seeds(5, |seed| {
            for (bits, hashes, keys) in [(95_851, 7, 10_000), (163_840, 7, 78_125), (65_536, 1, 65_536)] {
                let shape = shape(bits, hashes);
                let share = filled(shape, seed, keys).set_bits() as f64 / shape.bits() as f64;
                let expected = expected_fill(shape, keys);
                assert!(
                    expected.contains(&share),
                    "{keys} keys set {share:.4} of the bits, chance allows {expected:.4?}: {shape:?}"
                );
            }
        });
    }

    /// 10,000 keys in a filter for 10,000, then 100,000 keys that it never saw. False-alarm rate 1e-6.
    #[test]
    fn false_positives_keep_to_the_formula() {
        for_seeds(5, |seed| {
            let shape = Shape::for_items(10_000, 0.01).expect("10,000 keys at 1 %");
            false_positives_are_as_predicted(&filled(shape, seed, 10_000), seed, 10_000);
        });
    }

    /// A filter for 15,625 keys at .0065, given two and five times as many. False-alarm rate 1e-6.
    #[test]
    fn an_overfilled_filter_errs_as_predicted() {
        for_seeds(2, |seed| {
            for keys in [15_625, 31_250, 78_125] {
                false_positives_are_as_predicted(&filled(shape(163_840, 7), seed, keys), seed, keys);
            }
        });
    }

    #[test]
    fn one_key_inserted_a_thousand_times_is_one_key() {
        let mut filter = BloomFilter::new(shape(95_851, 7));
        assert_eq!(filter.estimated_items(), 0.0, "nothing was inserted");
        for _ in 0..1_000 {
            filter.insert(b"https://example.com/");
        }
        let estimate = filter.estimated_items();
        assert!((estimate - 1.0).abs() < 0.001, "one key, inserted 1000 times, is estimated as {estimate:.3} keys");
    }

    /// False-alarm rate 2e-9: six standard deviations, √(m·(e^c − 1 − c)) / k with c = kn/m.
    #[test]
    fn the_estimate_of_the_keys_comes_from_the_set_bits() {
        for_seeds(5, |seed| {
            for keys in [100, 2_500, 10_000, 30_000] {
                let filter = filled(shape(95_851, 7), seed, keys);
                let (m, k) = (filter.shape().bits() as f64, f64::from(filter.shape().hashes()));
                let c = k * keys as f64 / m;
                let deviation = (m * (c.exp_m1() - c)).sqrt() / k;
                let estimate = filter.estimated_items();
                assert!(
                    (estimate - keys as f64).abs() <= 6.0 * deviation,
                    "{keys} keys are estimated as {estimate:.0}, chance allows ± {:.0}",
                    6.0 * deviation
                );
            }
        });
    }

    #[test]
    fn a_filter_with_every_bit_set_could_hold_any_number_of_keys() {
        let mut filter = BloomFilter::new(shape(64, 64));
        filter.insert(b"one key with 64 probes in 64 bits");
        assert_eq!(filter.set_bits(), 64, "bits set by the 64 probes of one key");
        assert_eq!(filter.estimated_items(), f64::INFINITY, "a full filter has forgotten everything");
    }
}

mod stage_4_the_fleet {
    use super::*;

    const ALICE: Instance = Instance(0);
    const BOB: Instance = Instance(1);

    /// In any order, and even if a part comes twice.
    #[test]
    fn the_filters_of_the_parts_unite_to_the_filter_of_the_whole() {
        for_seeds(10, |seed| {
            let shape = shape(6_400, 7);
            let mut parts = vec![BloomFilter::new(shape); 4];
            for i in 0..500 {
                parts[draw(seed, i, 4)].insert(&key(seed, INSERTED, i));
            }
            let mut united = BloomFilter::new(shape);
            for part in parts.iter().rev().chain(&parts[..2]) {
                united.union(part).expect("one shape");
            }
            let whole = filled(shape, seed, 500);
            let denied = (0..500).filter(|&i| !united.might_contain(&key(seed, INSERTED, i))).count();
            assert_eq!(denied, 0, "of 500 keys that were inserted in one of four parts were denied by their union");
            assert_eq!(differing_bits(&united, &whole), 0, "bits differ between the union and the filter of the whole");
            assert_eq!(united.set_bits(), whole.set_bits(), "set bits of the union, and of the filter of the whole");
            assert_eq!(united.estimated_items(), whole.estimated_items(), "keys in the union, and in the whole");
            assert!(united == whole, "the union has the bits of the whole, and is not equal to it");
        });
    }

    /// Half the bits, or one probe less: the same key stands elsewhere, and a union would deny it.
    #[test]
    fn filters_of_different_shapes_do_not_unite() {
        let ours = filled(shape(1_280, 7), Seed(1), 50);
        for theirs in [shape(640, 7), shape(1_280, 6), shape(2_560, 7)] {
            let mut united = ours.clone();
            let refused = united.union(&filled(theirs, Seed(2), 50));
            assert_eq!(refused, Err(ShapeMismatch { ours: ours.shape(), theirs }));
            assert_eq!(differing_bits(&united, &ours), 0, "bits were changed by a union that was refused");
        }
    }

    /// 09:14 Alice's instance stores a link. 09:15 it is requested, and the load balancer picks Bob's.
    #[test]
    fn a_row_that_only_a_neighbour_wrote_is_found() {
        let (mut store, mut alice, mut bob) = fleet(1_000);
        bob.put(&mut store, b"bob", b"https://example.com/bob");
        alice.put(&mut store, b"launch", b"https://example.com/launch");

        let found = bob.get(&store, b"launch").map(|row| String::from_utf8_lossy(&row).into_owned());

        assert_eq!(
            found.as_deref(),
            Some("https://example.com/launch"),
            "alice stored 'launch', and bob, who has not heard of it, was asked for it"
        );
    }

    /// Without news from Alice, Bob's filter proves nothing, so he asks. With it, he asks only when the filter errs.
    /// False-alarm rate 1e-6.
    #[test]
    fn a_guard_that_has_heard_everything_spares_the_store() {
        let (mut store, mut alice, mut bob) = fleet(2_000);
        fill_by_turns(&mut store, &mut alice, &mut bob, 2_000);
        bob.hear(&alice).expect("one shape");
        let reads = reads_of_unseen(&store, &bob, 20_000);
        let limit = *tolerated(Shape::for_items(2_000, 0.01).expect("2,000 keys at 1 %"), 2_000, 20_000).end();
        assert!(
            reads <= limit,
            "20,000 keys that no row has cost {reads} reads, chance allows {limit}: the filter saves {:.1} % instead of 99 %; bob \
             has heard of every write that `Store::writes` counts, so when does his *no* hold?",
            100.0 - reads as f64 / 200.0
        );
        for i in 0..2_000 {
            assert!(bob.get(&store, &key(Seed(0), INSERTED, i)).is_some(), "row {i} was called absent");
        }
    }

    /// An update is a write: it reaches the store, it counts, and nobody goes on answering with what was there before.
    #[test]
    fn a_row_that_is_written_again_is_read_as_it_was_written_last() {
        let (mut store, mut alice, mut bob) = fleet(1_000);
        let mut last = Vec::new();
        for (turn, heard) in [(0, false), (1, false), (2, true), (3, true)] {
            let writer = if turn % 2 == 0 { &mut bob } else { &mut alice };
            last = format!("https://example.com/{turn}").into_bytes();
            writer.put(&mut store, b"launch", &last);
            if heard {
                bob.hear(&alice).expect("one shape");
                alice.hear(&bob).expect("one shape");
            }
            for (name, guard) in [("alice", &alice), ("bob", &bob)] {
                let found = guard.get(&store, b"launch").map(|row| String::from_utf8_lossy(&row).into_owned());
                assert_eq!(
                    found,
                    String::from_utf8(last.clone()).ok(),
                    "{name} reads what write {turn} of 'launch' left"
                );
            }
        }
        assert_eq!(store.rows.get(&b"launch"[..]), Some(&last), "the store has the last of four writes");
        for guard in [&alice, &bob] {
            let reads = reads_of_unseen(&store, guard, 1_000);
            assert!(
                reads < 100,
                "after an update that all have heard of, 1000 keys that no row has cost {reads} reads"
            );
        }
    }

    /// A filter of 64 bits soon takes every new key for an old one.
    #[test]
    fn a_row_is_written_even_if_the_filter_thinks_it_knows_the_key() {
        let mut store = Table::of(1);
        let mut guard = Guard::new(ALICE, 1, shape(64, 1));
        for i in 0..200 {
            guard.put(&mut store, &key(Seed(0), INSERTED, i), b"row");
        }
        let lost = (0..200).filter(|&i| guard.get(&store, &key(Seed(0), INSERTED, i)).is_none()).count();
        assert_eq!(lost, 0, "of 200 rows that were written are not there");
        assert_eq!(store.writes, [200], "writes that reached the store");
    }

    /// Carol never meets Alice. A letter that Alice wrote long ago changes nothing. False-alarm rate below 1e-9.
    #[test]
    fn news_at_second_hand_is_news_and_old_news_takes_nothing_back() {
        let (mut store, shape) = (Table::of(3), Shape::for_items(200, 0.01).expect("200 keys at 1 %"));
        let [mut alice, mut bob, mut carol] = [0, 1, 2].map(|i| Guard::new(Instance(i), 3, shape));
        for i in 0..100 {
            alice.put(&mut store, &key(Seed(0), INSERTED, i), b"row");
        }
        let old = alice.clone();
        alice.put(&mut store, b"launch", b"row");
        bob.put(&mut store, b"bob", b"row");
        bob.hear(&alice).expect("one shape");
        carol.hear(&bob).expect("one shape");
        let reads = reads_of_unseen(&store, &carol, 1_000);
        assert!(
            reads < 100,
            "carol heard from bob what alice and he wrote; 1000 keys that no row has cost {reads} reads"
        );
        carol.hear(&old).expect("one shape");
        let reads = reads_of_unseen(&store, &carol, 1_000);
        assert!(
            reads < 100,
            "carol got a letter older than what she knew; 1000 keys that no row has now cost {reads} reads"
        );
        assert!(carol.get(&store, b"launch").is_some(), "carol calls 'launch' absent");
    }

    /// A third instance joins, and Bob was started for two. Of the newcomer's writes he has heard nothing.
    #[test]
    fn a_row_of_a_writer_unknown_to_the_guard_is_found() {
        let shape = Shape::for_items(1_000, 0.01).expect("1,000 keys at 1 %");
        let mut store = Table::of(3);
        let (mut bob, mut carol) = (Guard::new(BOB, 2, shape), Guard::new(Instance(2), 3, shape));
        bob.put(&mut store, b"bob", b"row");
        carol.put(&mut store, b"launch", b"row");
        assert!(
            bob.get(&store, b"launch").is_some(),
            "carol, whom bob does not know, wrote 'launch', and bob calls it absent"
        );
    }

    /// Bob's instance dies after his second write and is restored from a backup made after the first.
    #[test]
    fn a_restored_guard_does_not_vouch_for_what_it_has_lost() {
        let (mut store, _, mut bob) = fleet(1_000);
        bob.put(&mut store, b"first", b"row");
        let mut restored = bob.clone();
        bob.put(&mut store, b"lost", b"row");
        restored.put(&mut store, b"third", b"row");
        for row in [&b"first"[..], b"lost", b"third"] {
            assert!(
                restored.get(&store, row).is_some(),
                "of bob's three writes the restored guard has made two, and it calls '{}' absent",
                String::from_utf8_lossy(row)
            );
        }
    }

    /// Gossip repeats itself. False-alarm rate 1e-6.
    #[test]
    fn news_that_comes_twice_is_news_once() {
        let (mut store, mut alice, mut bob) = fleet(2_000);
        fill_by_turns(&mut store, &mut alice, &mut bob, 2_000);
        for _ in 0..3 {
            bob.hear(&alice).expect("one shape");
            alice.hear(&bob).expect("one shape");
        }
        for guard in [&alice, &bob] {
            let reads = reads_of_unseen(&store, guard, 1_000);
            assert!(
                reads < 100,
                "after the same news three times, 1000 keys that no row has cost {reads} reads, not about 10"
            );
        }
        alice.put(&mut store, b"new", b"row");
        assert!(
            bob.get(&store, b"new").is_some(),
            "bob heard everything three times, but not of the row written since"
        );
    }

    #[test]
    fn news_of_another_shape_is_not_taken_in() {
        let (mut store, mut alice, _) = fleet(1_000);
        let odd = Shape::for_items(2_000, 0.01).expect("2,000 keys at 1 %");
        let mut bob = Guard::new(BOB, 2, odd);
        alice.put(&mut store, b"launch", b"https://example.com/launch");

        let refused = bob.hear(&alice);

        let theirs = Shape::for_items(1_000, 0.01).expect("1,000 keys at 1 %");
        assert_eq!(refused, Err(ShapeMismatch { ours: odd, theirs }));
        assert!(
            bob.get(&store, b"launch").is_some(),
            "bob refused alice's news, so he knows nothing of 'launch', and called it absent"
        );
    }

    /// Three instances write, in bursts, and send each other copies that are lost, late, doubled and out of order.
    #[test]
    fn no_schedule_of_writes_and_news_hides_a_row() {
        for_seeds(20, |seed| {
            let shape = Shape::for_items(200, 0.01).expect("200 keys at 1 %");
            let mut store = Table::of(3);
            let mut guards: Vec<Guard> = (0..3).map(|i| Guard::new(Instance(i), 3, shape)).collect();
            let mut letters: Vec<Guard> = Vec::new();
            let (mut rows, mut spared) = (0, 0);
            for step in 0..600 {
                let who = draw(seed, 3 * step, 3);
                let burst = step % 100 < 40;
                match draw(seed, 3 * step + 1, 8) {
                    0 | 1 if burst => {
                        guards[who].put(&mut store, &key(seed, INSERTED, rows), b"row");
                        rows += 1;
                    }
                    2..5 => letters.push(guards[who].clone()),
                    5 | 6 if !letters.is_empty() => {
                        // Mostly the newest letter, sometimes any old one; it stays, so it may come again.
                        let late = draw(seed, 3 * step + 2, 4) == 0;
                        let from = if late { draw(seed, step, letters.len()) } else { letters.len() - 1 };
                        guards[who].hear(&letters[from]).expect("one shape");
                    }
                    _ => {
                        let before = store.reads.get();
                        let absent = guards[who].get(&store, &key(seed, UNSEEN, step));
                        assert_eq!(absent, None, "nobody wrote this row");
                        spared += u64::from(store.reads.get() == before);
                    }
                }
                for row in 0..rows {
                    assert!(
                        guards[who].get(&store, &key(seed, INSERTED, row)).is_some(),
                        "step {step}: instance {who} calls row {row} of {rows} absent"
                    );
                }
            }
            assert!(spared > 0, "no guard ever had heard everything, so the run proves nothing");
        });
    }

    fn fleet(rows: u64) -> (Table, Guard, Guard) {
        let shape = Shape::for_items(rows, 0.01).expect("rows at 1 %");
        (Table::of(2), Guard::new(ALICE, 2, shape), Guard::new(BOB, 2, shape))
    }

    fn fill_by_turns(store: &mut Table, alice: &mut Guard, bob: &mut Guard, rows: u64) {
        for i in 0..rows {
            let writer = if i % 2 == 0 { &mut *alice } else { &mut *bob };
            writer.put(store, &key(Seed(0), INSERTED, i), b"row");
        }
    }

    fn reads_of_unseen(store: &Table, guard: &Guard, keys: u64) -> u64 {
        let before = store.reads.get();
        for i in 0..keys {
            assert_eq!(guard.get(store, &key(Seed(0), UNSEEN, i)), None, "nobody wrote this row");
        }
        store.reads.get() - before
    }

    /// A store that counts what it is asked.
    struct Table {
        rows: HashMap<Vec<u8>, Vec<u8>>,
        writes: Vec<u64>,
        reads: Cell<u64>,
    }

    impl Table {
        fn of(fleet: usize) -> Self {
            Self { rows: HashMap::new(), writes: vec![0; fleet], reads: Cell::new(0) }
        }
    }

    impl Store for Table {
        fn put(&mut self, writer: Instance, key: &[u8], value: &[u8]) {
            self.rows.insert(key.to_vec(), value.to_vec());
            self.writes[writer.0] += 1;
        }

        fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
            self.reads.set(self.reads.get() + 1);
            self.rows.get(key).cloned()
        }

        fn writes(&self) -> &[u64] {
            &self.writes
        }
    }
}

/// How often each statistical comparison may fail a correct filter.
const FALSE_ALARM: f64 = 1e-6;

/// Keys that were inserted and keys that never were are told apart by their first byte.
const INSERTED: u8 = b'i';
const UNSEEN: u8 = b'u';

fn shape(bits: u64, hashes: u32) -> Shape {
    Shape::new(bits, hashes).expect("a possible shape")
}

fn key(seed: Seed, kind: u8, i: u64) -> [u8; 17] {
    let mut key = [kind; 17];
    key[1..9].copy_from_slice(&seed.0.to_le_bytes());
    key[9..].copy_from_slice(&i.to_le_bytes());
    key
}

/// A number below `end` that follows from the seed.
fn draw(seed: Seed, i: u64, end: usize) -> usize {
    (seed.part(i).0 % end as u64) as usize
}

fn filled(shape: Shape, seed: Seed, keys: u64) -> BloomFilter {
    let mut filter = BloomFilter::new(shape);
    for i in 0..keys {
        filter.insert(&key(seed, INSERTED, i));
    }
    filter
}

fn differing_bits(one: &BloomFilter, other: &BloomFilter) -> u32 {
    one.words().iter().zip(other.words()).map(|(one, other)| (one ^ other).count_ones()).sum()
}

/// The share of set bits after `keys` keys, with six standard deviations on either side.
///
/// Each bit is still 0 with chance q = e^(−c), c = kn/m; keys that set several bits make the bits compete, which takes
/// the variance of the share from q(1 − q)/m down to q(1 − (1 + c)q)/m.
fn expected_fill(shape: Shape, keys: u64) -> RangeInclusive<f64> {
    let m = shape.bits() as f64;
    let c = f64::from(shape.hashes()) * keys as f64 / m;
    let q = (-c).exp();
    let deviation = (q * (1.0 - (1.0 + c) * q) / m).sqrt();
    1.0 - q - 6.0 * deviation..=1.0 - q + 6.0 * deviation
}

/// How many of `trials` unseen keys may be answered with *perhaps*.
///
/// The formula (1 − e^(−kn/m))^k takes the mean share of set bits for the real one (Bose et al. 2008 bound the error).
/// The real share lies within [`expected_fill`]; at either end the count is binomial, and its exact bounds are taken.
fn tolerated(shape: Shape, keys: u64, trials: u64) -> RangeInclusive<u64> {
    let fill = expected_fill(shape, keys);
    let rate = |share: f64| share.powi(shape.hashes() as i32);
    let least = stats::binomial_range(trials, rate(*fill.start()), FALSE_ALARM);
    let most = stats::binomial_range(trials, rate(*fill.end()), FALSE_ALARM);
    *least.start()..=*most.end()
}

fn false_positives_are_as_predicted(filter: &BloomFilter, seed: Seed, keys: u64) {
    let trials = 100_000;
    let mistaken = (0..trials).filter(|&i| filter.might_contain(&key(seed, UNSEEN, i))).count() as u64;
    let range = tolerated(filter.shape(), keys, trials);
    assert!(
        range.contains(&mistaken),
        "{mistaken} of {trials} unseen keys were answered with 'perhaps'; the formula predicts {:.0}, chance allows {range:?}: {}",
        filter.shape().false_positive_rate(keys) * trials as f64,
        if mistaken > *range.end() {
            "keys share bits more often than chance would have it"
        } else {
            "are there more bits than the shape says?"
        }
    );
}
