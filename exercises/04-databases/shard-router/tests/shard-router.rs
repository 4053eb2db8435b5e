//! Every key is somewhere, and only there; little moves; what is hot is seen.

use kit::{Rng, Sometimes, for_seeds};
use rand::RngExt as _;
use shard_router::{HotKeys, Key, Move, Ranges, Router, Shard, Slots, Stale, hash};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

const A: Shard = Shard(1);
const B: Shard = Shard(2);
const C: Shard = Shard(3);

fn shards(numbers: std::ops::Range<u32>) -> Vec<Shard> {
    numbers.map(Shard).collect()
}

/// Whether it panics, as its contract says.
fn panics<T>(act: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(|| drop(act()))).is_err()
}

mod stage_1_ranges {
    use super::*;
    use pretty_assertions::assert_eq;

    /// A to 1,000, B to 2,000, A again.
    fn three_ranges() -> Ranges {
        let mut ranges = Ranges::new(A);
        assert!(ranges.split(Key(1_000), B), "A's range is cut at 1,000");
        assert!(ranges.split(Key(2_000), A), "B's range is cut at 2,000");
        ranges
    }

    #[test]
    fn a_range_begins_with_its_first_key() {
        let ranges = three_ranges();
        let got = [0, 999, 1_000, 1_999, 2_000, u64::MAX].map(|key| ranges.shard_of(Key(key)));
        assert_eq!(got, [A, A, B, B, A, A], "who has 0, 999, 1,000, 1,999, 2,000 and the last");
    }

    #[test]
    fn a_cut_that_would_leave_nothing_is_refused() {
        let mut ranges = three_ranges();
        assert!(!ranges.split(Key(1_000), C), "B's range begins with 1,000");
        assert!(!ranges.split(Key(0), C), "A's range begins with 0");
        assert_eq!(ranges, three_ranges(), "after two refused cuts");
    }

    #[test]
    fn a_scan_asks_each_shard_once_and_no_other() {
        let ranges = three_ranges();
        for (first, last, expected) in [
            (0, 999, vec![A]),
            (0, 1_000, vec![A, B]),
            (1_000, 1_999, vec![B]),
            (1_500, 2_000, vec![B, A]),
            (500, 2_500, vec![A, B]),
            (7, 7, vec![A]),
            (8, 7, vec![]),
            (0, u64::MAX, vec![A, B]),
            (u64::MAX, u64::MAX, vec![A]),
        ] {
            assert_eq!(ranges.scan(Key(first), Key(last)), expected, "{first} to {last}");
        }
    }

    /// Against the plainest router there is: who has each key, one by one.
    #[test]
    fn every_key_is_on_exactly_one_shard_whatever_was_cut() {
        let sometimes = Sometimes::expect(["a cut was refused", "a scan met several shards"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let (mut ranges, mut owner) = (Ranges::new(A), [A; 64]);
            let mut begins = BTreeSet::from([0]);
            for _ in 0..rng.random_range(0..20) {
                let (at, to) = (rng.random_range(0..64), Shard(rng.random_range(1..6)));
                let cut = begins.insert(at);
                sometimes.saw("a cut was refused", !cut);
                assert_eq!(ranges.split(Key(at as u64), to), cut, "seed {seed}: a cut at {at}");
                let end = begins.range(at + 1..).next().copied().unwrap_or(64);
                if cut {
                    owner[at..end].fill(to);
                }
            }
            for (key, shard) in owner.iter().enumerate() {
                assert_eq!(ranges.shard_of(Key(key as u64)), *shard, "seed {seed}: key {key} by {ranges:?}");
            }
            let (first, last) = (rng.random_range(0..64), rng.random_range(0..64));
            let mut met: Vec<Shard> = Vec::new();
            for shard in owner.iter().take(last + 1).skip(first) {
                if !met.contains(shard) {
                    met.push(*shard);
                }
            }
            sometimes.saw("a scan met several shards", met.len() > 1);
            assert_eq!(
                ranges.scan(Key(first as u64), Key(last as u64)),
                met,
                "seed {seed}: {first} to {last} by {ranges:?}"
            );
        });
    }
}

mod stage_2_slots {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn slots_are_dealt_evenly() {
        for (slots, count) in [(12, 4), (13, 4), (16_384, 7), (3, 5)] {
            let counts: Vec<usize> = Slots::new(slots, &shards(0..count)).counts().into_values().collect();
            assert_eq!(counts.iter().sum::<usize>(), slots, "{slots} slots on {count} shards");
            assert!(
                counts.len() == slots.min(count as usize),
                "{slots} slots on {count} shards: {} have some",
                counts.len()
            );
            let (least, most) = (counts.iter().min(), counts.iter().max());
            assert!(
                most.zip(least).is_some_and(|(most, least)| most - least <= 1),
                "{slots} slots on {count} shards: {counts:?}"
            );
        }
    }

    #[test]
    fn the_slot_is_the_hash_modulo_the_number_of_slots() {
        for count in [1, 12, 1_000, 1_024] {
            let slots = Slots::new(count, &[A, B, C]);
            for key in (0..200).map(|number| Key(number * 1_000_003)) {
                let (slot, expected) = (slots.slot_of(key), hash(key) % count as u64);
                assert!(slot as u64 == expected, "{key:?} of {count} slots is in {slot}, by its hash in {expected}");
            }
        }
    }

    #[test]
    fn no_slots_and_no_shards_are_refused() {
        assert_eq!(Slots::new(1, &[A]).counts(), BTreeMap::from([(A, 1)]), "one slot on one shard");
        assert!(panics(|| Slots::new(0, &[A])), "no slot on one shard");
        assert!(panics(|| Slots::new(3, &[])), "three slots on no shard");
    }

    /// The next thousand orders have the next thousand numbers. False alarm: 1e-9 (exact binomial, four shards).
    #[test]
    fn increasing_keys_heap_up_in_the_last_range_and_nowhere_among_slots() {
        let mut ranges = Ranges::new(Shard(0));
        for (shard, at) in [(1, 250_000), (2, 500_000), (3, 750_000)] {
            assert!(ranges.split(Key(at), Shard(shard)), "a cut at {at}");
        }
        let slots = Slots::new(1_024, &shards(0..4));
        let (mut by_range, mut by_slot) = (BTreeMap::new(), BTreeMap::new());
        for order in 1_000_000..1_001_000 {
            *by_range.entry(ranges.shard_of(Key(order))).or_insert(0_u64) += 1;
            *by_slot.entry(slots.shard_of(Key(order))).or_insert(0_u64) += 1;
        }
        assert_eq!(by_range, BTreeMap::from([(Shard(3), 1_000)]), "new orders by range");
        let fair = kit::stats::binomial_range(1_000, 0.25, 1e-9 / 4.0);
        assert!(
            by_slot.len() == 4 && by_slot.values().all(|count| fair.contains(count)),
            "new orders by slot: {by_slot:?}; {fair:?} each would be fair"
        );
    }

    /// Keys that all end in ten zero bits, as a generator of ids may make them. False alarm: 1e-9 (exact binomial, four shards).
    #[test]
    fn keys_with_a_regular_step_are_spread_like_any_others() {
        let slots = Slots::new(1_024, &shards(0..4));
        let mut each = BTreeMap::new();
        for number in 0..1_000 {
            *each.entry(slots.shard_of(Key(number * 1_024))).or_insert(0_u64) += 1;
        }
        let fair = kit::stats::binomial_range(1_000, 0.25, 1e-9 / 4.0);
        assert!(
            each.len() == 4 && each.values().all(|count| fair.contains(count)),
            "every 1,024th key: {each:?}; {fair:?} each would be fair"
        );
    }

    /// Wherever a slot goes, its keys stay in it.
    #[test]
    fn a_key_never_changes_its_slot() {
        let before = Slots::new(64, &shards(0..3));
        let mut after = before.clone();
        after.apply(&before.plan(&shards(1..8))).expect("a fresh plan");
        for key in (0..200).map(Key) {
            let slot = before.slot_of(key);
            assert!(
                slot < 64 && slot == after.slot_of(key),
                "{key:?} is in slot {slot}, and in {} after the move",
                after.slot_of(key)
            );
        }
        let moved: BTreeSet<usize> = before.plan(&shards(1..8)).iter().map(|step| step.slot).collect();
        for key in (0..200).map(Key).filter(|key| !moved.contains(&before.slot_of(*key))) {
            assert_eq!(before.shard_of(key), after.shard_of(key), "the slot of {key:?} did not move");
        }
    }
}

mod stage_3_moving {
    use super::*;
    use pretty_assertions::assert_eq;

    /// The fewest moves: whatever a shard has above its fair share must go, and the shares that are one greater belong to those
    /// that have most.
    fn fewest(counts: &BTreeMap<Shard, usize>, slots: usize, shards: &[Shard]) -> usize {
        let mut have: Vec<usize> = shards.iter().map(|shard| counts.get(shard).copied().unwrap_or(0)).collect();
        have.sort_unstable_by(|a, b| b.cmp(a));
        let (each, more) = (slots / shards.len(), slots % shards.len());
        let stay: usize =
            have.iter().enumerate().map(|(place, have)| *have.min(&(each + usize::from(place < more)))).sum();
        slots - stay
    }

    /// Modulo four moves 3 keys of 4 when a fourth shard comes to three. Slots move a quarter.
    #[test]
    fn a_fourth_shard_takes_a_quarter_and_nothing_else_moves() {
        let slots = Slots::new(1_200, &shards(0..3));
        let plan = slots.plan(&shards(0..4));
        assert_eq!(plan.len(), 300, "moves");
        assert!(
            plan.iter().all(|step| step.to == Shard(3)),
            "only to the new one: {:?}",
            plan.iter().find(|step| step.to != Shard(3))
        );
    }

    #[test]
    fn what_a_shard_leaves_behind_is_shared_by_the_others() {
        let slots = Slots::new(1_200, &shards(0..4));
        let plan = slots.plan(&shards(0..3));
        assert_eq!(plan.len(), 300, "moves");
        assert!(plan.iter().all(|step| step.from == Shard(3)), "only from the one that leaves");
    }

    #[test]
    fn a_plan_moves_the_fewest_slots_and_leaves_them_even() {
        let sometimes = Sometimes::expect([
            "shards came and left at once",
            "nothing had to move",
            "the slots do not divide evenly",
        ]);
        for_seeds(300, |seed| {
            let mut rng = seed.rng();
            let some = |rng: &mut Rng| {
                let first = rng.random_range(0..6);
                shards(first..first + rng.random_range(1..7))
            };
            let count = rng.random_range(1..60);
            let mut slots = Slots::new(count, &some(&mut rng));
            for _ in 0..3 {
                let wanted = some(&mut rng);
                let before = slots.counts();
                let plan = slots.plan(&wanted);
                let left = before.keys().any(|shard| !wanted.contains(shard));
                sometimes.saw(
                    "shards came and left at once",
                    left && wanted.iter().any(|shard| !before.contains_key(shard)),
                );
                sometimes.saw("nothing had to move", plan.is_empty());
                sometimes.saw("the slots do not divide evenly", count % wanted.len() > 0);
                let text = format!("seed {seed}: {count} slots, {before:?} to {wanted:?}: {plan:?}");
                assert!(
                    plan.len() == fewest(&before, count, &wanted),
                    "{} moves would do\n{text}",
                    fewest(&before, count, &wanted)
                );
                assert!(
                    plan.iter().map(|step| step.slot).collect::<BTreeSet<_>>().len() == plan.len(),
                    "a slot moves twice\n{text}"
                );
                slots.apply(&plan).unwrap_or_else(|stale| panic!("{stale:?}\n{text}"));
                let after = slots.counts();
                assert!(
                    after.keys().all(|shard| wanted.contains(shard)),
                    "slots are left on others: {after:?}\n{text}"
                );
                let each = wanted.iter().map(|shard| after.get(shard).copied().unwrap_or(0));
                assert!(each.clone().max() <= each.min().map(|least| least + 1), "not even: {after:?}\n{text}");
            }
        });
    }

    /// Somebody wrote A twice and forgot B. Nothing good comes of carrying that out.
    #[test]
    fn a_list_of_nobody_or_of_somebody_twice_is_refused() {
        let slots = Slots::new(12, &[A, B]);
        assert!(panics(|| slots.plan(&[])), "a plan for no shard");
        assert!(panics(|| slots.plan(&[A, C, A])), "a plan for A, C and A");
    }

    /// Two operators plan at the same time. Four shards leave shard 2 three of its four slots; two shards leave it none.
    #[test]
    fn a_stale_plan_changes_nothing() {
        let mut slots = Slots::new(12, &shards(0..3));
        let (one, other) = (slots.plan(&shards(0..4)), slots.plan(&shards(0..2)));
        slots.apply(&one).expect("the first plan is fresh");
        let before = slots.clone();
        let stale = other.iter().find(|step| one.iter().any(|done| done.slot == step.slot));
        let slot = stale.expect("both plans move the slot that shard 2 has too much").slot;
        assert_eq!(slots.apply(&other), Err(Stale { slot }), "the second plan");
        assert_eq!(slots, before, "after a plan that was refused");
    }

    /// One move that is right, then one that is not.
    #[test]
    fn a_plan_is_carried_out_whole_or_not_at_all() {
        let mut slots = Slots::new(2, &[A, B]);
        let in_slot = |slots: &Slots, slot: usize| {
            let key = (0..).map(Key).find(|key| slots.slot_of(*key) == slot).expect("a key in each slot");
            slots.shard_of(key)
        };
        let before = slots.clone();
        let plan = [Move { slot: 0, from: in_slot(&slots, 0), to: C }, Move { slot: 2, from: A, to: B }];
        assert_eq!(slots.apply(&plan), Err(Stale { slot: 2 }), "there is no slot 2");
        assert_eq!(slots, before, "after a plan whose second move was refused");
        slots.apply(&plan[..1]).expect("the first move is right");
        assert_eq!(in_slot(&slots, 0), C, "after the first move alone");
    }
}

mod stage_4_hot_keys {
    use super::*;
    use pretty_assertions::assert_eq;

    fn watch(counters: usize, keys: &[u64]) -> HotKeys {
        let mut hot = HotKeys::new(counters);
        keys.iter().for_each(|key| hot.see(Key(*key)));
        hot
    }

    /// Two counters. When 3 comes, it may have come before, as often as the colder of the two that were watched.
    #[test]
    fn a_new_key_inherits_the_count_that_it_may_have_had() {
        let hot = watch(2, &[1, 1, 1, 2, 2, 3]);
        let bounds = |key| (hot.at_least(Key(key)), hot.at_most(Key(key)));
        assert_eq!([bounds(1), bounds(3)], [(3, 3), (1, 3)], "at least and at most, of 1 and of 3");
        assert_eq!((hot.seen(), hot.watched()), (6, 2), "six came, two are watched");
    }

    /// 2 was thrown out, 4 has never come; who can tell?
    #[test]
    fn a_key_that_is_not_watched_may_have_come_as_often_as_the_coldest_that_is() {
        let hot = watch(2, &[1, 1, 1, 2, 2, 3]);
        let bounds = [2, 4].map(|key| (hot.at_least(Key(key)), hot.at_most(Key(key))));
        assert_eq!(bounds, [(0, 3); 2], "at least and at most, of 2 and of 4");
    }

    #[test]
    fn as_long_as_all_keys_can_be_watched_the_counts_are_exact() {
        let hot = watch(3, &[7, 8, 7]);
        assert_eq!([7, 8, 9].map(|key| (hot.at_least(Key(key)), hot.at_most(Key(key)))), [(2, 2), (1, 1), (0, 0)]);
    }

    #[test]
    fn without_a_counter_nothing_is_watched() {
        assert_eq!(watch(1, &[7, 7]).at_least(Key(7)), 2, "one counter, and 7 came twice");
        assert!(panics(|| HotKeys::new(0)), "no counters");
    }

    /// A few keys come often, the others rarely; a worst case mixed in: nobody twice.
    fn some_keys(rng: &mut Rng) -> Vec<u64> {
        let (hot, rare) = (rng.random_range(1..10), rng.random_range(1..500));
        let share = [0.0, 0.2, 0.8][rng.random_range(0..3)];
        (0..rng.random_range(1..2_000))
            .map(|place| match rng.random_bool(share) {
                true => rng.random_range(0..hot),
                false if rare < 50 => 1_000 + place,
                false => 1_000 + rng.random_range(0..rare),
            })
            .collect()
    }

    #[test]
    fn the_truth_lies_between_the_bounds_and_they_are_close() {
        let sometimes = Sometimes::expect(["a key is not watched that came", "a bound is not exact"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let (counters, keys) = (rng.random_range(1..40), some_keys(&mut rng));
            let hot = watch(counters, &keys);
            let mut truth: BTreeMap<u64, u64> = BTreeMap::from([(u64::MAX, 0)]);
            keys.iter().for_each(|key| *truth.entry(*key).or_default() += 1);
            let (seen, most_error) = (keys.len() as u64, keys.len() as u64 / counters as u64);
            assert!(
                hot.seen() == seen && hot.watched() <= counters,
                "seed {seed}: {} seen, {} watched",
                hot.seen(),
                hot.watched()
            );
            for (key, times) in &truth {
                let (least, most) = (hot.at_least(Key(*key)), hot.at_most(Key(*key)));
                sometimes.saw("a key is not watched that came", least == 0 && *times > 0);
                sometimes.saw("a bound is not exact", least < most);
                assert!(
                    least <= *times && *times <= most && most - least <= most_error,
                    "seed {seed}: {key} came {times} times; {counters} counters say {least} to {most} after {seen}, and may be {most_error} apart"
                );
            }
        });
    }

    /// With ten counters no key that makes more than a tenth of the traffic is missed.
    #[test]
    fn no_hot_key_is_missed() {
        let sometimes = Sometimes::expect(["a key was hot"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let (counters, keys) = (rng.random_range(1..40), some_keys(&mut rng));
            let hot = watch(counters, &keys);
            let threshold = keys.len() as u64 / counters as u64 + rng.random_range(0..5);
            let found = hot.hotter_than(threshold);
            let mut truth: BTreeMap<u64, u64> = BTreeMap::new();
            keys.iter().for_each(|key| *truth.entry(*key).or_default() += 1);
            for (key, times) in truth.iter().filter(|(_, times)| **times > threshold) {
                sometimes.saw("a key was hot", true);
                assert!(
                    found.contains(&Key(*key)),
                    "seed {seed}: {key} came {times} times of {}, and only {found:?} are called hot",
                    keys.len()
                );
            }
            assert!(
                found.is_sorted() && found.iter().all(|key| hot.at_most(*key) > threshold),
                "seed {seed}: {found:?} above {threshold}"
            );
        });
    }
}

mod stage_5_splitting {
    use super::*;
    use pretty_assertions::assert_eq;

    fn router() -> (Router, Key, Shard) {
        let slots = Slots::new(64, &shards(0..4));
        let key = (0..).map(Key).find(|key| slots.shard_of(*key) == Shard(2)).expect("a key of shard 2");
        (Router::new(slots), key, Shard(2))
    }

    /// Where a thousand writes go. That one of six shards is not among them happens once in 10⁷⁸.
    fn writes(router: &Router, key: Key) -> BTreeSet<Shard> {
        let mut rng = kit::Seed(1).rng();
        (0..1_000).map(|_| router.write(key, rng.random())).collect()
    }

    /// Each of so many shards gets as many writes as any other. False alarm: 1e-9 (exact binomial).
    #[track_caller]
    fn fair(router: &Router, key: Key, ways: usize) {
        for_seeds(3, |seed| {
            let (mut rng, mut each) = (seed.rng(), BTreeMap::new());
            for _ in 0..12_000 {
                *each.entry(router.write(key, rng.random())).or_insert(0_u64) += 1;
            }
            let fair = kit::stats::binomial_range(12_000, 1.0 / ways as f64, 1e-9 / (3 * ways) as f64);
            assert!(
                each.len() == ways && each.values().all(|writes| fair.contains(writes)),
                "seed {seed}: 12,000 writes to {ways} shards: {each:?}; {fair:?} each would be fair"
            );
        });
    }

    #[test]
    fn a_key_that_is_not_split_has_one_shard() {
        let (mut router, key, own) = router();
        let other = Key(key.0 + 1);
        router.split(other, 4);
        assert_eq!(
            (writes(&router, key), router.read(key)),
            (BTreeSet::from([own]), vec![own]),
            "another key was split"
        );
    }

    #[test]
    fn a_key_that_is_split_three_ways_is_on_three_shards() {
        let (mut router, key, _) = router();
        router.split(key, 3);
        assert_eq!(writes(&router, key), BTreeSet::from([Shard(2), Shard(3), Shard(0)]), "its own and the next two");
        assert_eq!(router.read(key), [Shard(0), Shard(2), Shard(3)], "a read asks all three");
        fair(&router, key, 3);
        router.split(key, 9); // there are four shards
        fair(&router, key, 4);
    }

    /// Machines were replaced, and their numbers are not used again.
    #[test]
    fn the_next_shard_is_the_one_with_the_next_number_that_there_is() {
        let numbers = [3, 10, 700, 4_000_000].map(Shard);
        let slots = Slots::new(64, &numbers);
        let key = (0..).map(Key).find(|key| slots.shard_of(*key) == Shard(700)).expect("a key of shard 700");
        let mut router = Router::new(slots);
        router.split(key, 3);
        assert_eq!(
            writes(&router, key),
            BTreeSet::from([Shard(700), Shard(4_000_000), Shard(3)]),
            "three ways from shard 700, of {numbers:?}"
        );
    }

    #[test]
    fn no_ways_are_refused() {
        let (mut router, key, _) = router();
        assert!(panics(|| router.split(key, 0)), "a write must go somewhere");
    }

    /// Two products are hot, and only one of the two rushes is over.
    #[test]
    fn a_key_is_joined_alone() {
        let (mut router, key, _) = router();
        let other = Key(key.0 + 1);
        router.split(key, 4);
        router.split(other, 3);
        router.join(key);
        assert_eq!(
            (writes(&router, key).len(), writes(&router, other).len()),
            (1, 3),
            "shards that writes of {key:?}, which was joined, and of the other go to"
        );
    }

    #[test]
    fn a_key_is_gathered_alone() {
        let (mut router, key, _) = router();
        let other = Key(key.0 + 1);
        for key in [key, other] {
            router.split(key, 3);
            router.join(key);
        }
        router.gathered(key);
        assert_eq!(
            (router.read(key).len(), router.read(other).len()),
            (1, 3),
            "shards that have some of {key:?}, which was gathered, and of the other"
        );
    }

    /// The hot day is over. What was written on it is still where it is.
    #[test]
    fn what_was_written_is_found_until_it_is_gathered() {
        let (mut router, key, own) = router();
        router.split(key, 4);
        router.join(key);
        assert_eq!(writes(&router, key), BTreeSet::from([own]), "writes go home");
        assert_eq!(router.read(key).len(), 4, "reads still ask everybody");
        router.gathered(key);
        assert_eq!(router.read(key), [own], "all of it is at home now");
    }

    #[test]
    fn nothing_is_gathered_while_writes_are_split() {
        let (mut router, key, _) = router();
        router.split(key, 3);
        router.gathered(key);
        assert_eq!(
            (writes(&router, key).len(), router.read(key).len()),
            (3, 3),
            "gathered too early: writes and reads"
        );
        router.split(key, 1);
        assert_eq!(
            (writes(&router, key).len(), router.read(key).len()),
            (1, 3),
            "one way only: reads ask where writes have ever gone"
        );
    }

    #[test]
    fn a_read_asks_every_shard_that_may_have_something() {
        let sometimes = Sometimes::expect([
            "a read asks more shards than writes go to",
            "a key was gathered that was elsewhere, too",
        ]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let slots = Slots::new(64, &shards(0..6));
            let mut router = Router::new(slots.clone());
            let mut ways: BTreeMap<Key, usize> = BTreeMap::new();
            let mut written: BTreeMap<Key, BTreeSet<Shard>> = BTreeMap::new();
            for _ in 0..100 {
                let key = Key(rng.random_range(0..3));
                match rng.random_range(0..8) {
                    0 => {
                        ways.insert(key, rng.random_range(1..8));
                        router.split(key, ways[&key]);
                    }
                    1 => {
                        ways.remove(&key);
                        router.join(key);
                    }
                    // Whether a key that is split one way is split is nobody's business.
                    2 if ways.get(&key) != Some(&1) => {
                        router.gathered(key);
                        if !ways.contains_key(&key) {
                            sometimes.saw(
                                "a key was gathered that was elsewhere, too",
                                written.get(&key).is_some_and(|at| at.len() > 1),
                            );
                            written.insert(key, BTreeSet::from([slots.shard_of(key)]));
                            assert_eq!(
                                router.read(key),
                                [slots.shard_of(key)],
                                "seed {seed}: {key:?} was gathered, and is at home"
                            );
                        }
                    }
                    _ => _ = written.entry(key).or_default().insert(router.write(key, rng.random_range(0..u64::MAX))),
                }
                let reads = router.read(key);
                sometimes.saw("a read asks more shards than writes go to", reads.len() > writes(&router, key).len());
                let missed = written.get(&key).and_then(|written| written.iter().find(|shard| !reads.contains(shard)));
                assert!(
                    missed.is_none() && reads.is_sorted(),
                    "seed {seed}: {key:?} was written to {missed:?}, and a read asks {reads:?}"
                );
            }
        });
    }
}
