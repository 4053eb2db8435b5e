//! What somebody who looks for a leak can see: which place of the program holds more than before, and which was only busy.

use heap_diff::{
    Amount, Change, Collection, Delta, Share, Snapshot, Stack, Unreadable, Usage, by_frame, diff, suspects,
};
use kit::{Sometimes, for_seeds};
use rand::RngExt as _;
use std::fmt::Write as _;
use std::time::Duration;

/// A shop after 200, 1,000 and 2,000 requests, as the `dhat` crate wrote it; `examples/shop.rs` beside the solution says how.
const SHOP: [&str; 3] =
    [include_str!("data/shop-200.json"), include_str!("data/shop-1000.json"), include_str!("data/shop-2000.json")];

fn shop() -> [Snapshot; 3] {
    SHOP.map(|json| Snapshot::read(json).expect("it is a profile"))
}

/// These frames, innermost first, with a comma between them.
fn stack(frames: &str) -> Stack {
    Stack(frames.split(", ").map(str::to_owned).collect())
}

fn amount(bytes: u64, blocks: u64) -> Amount {
    Amount { bytes, blocks }
}

/// So many bytes in use, and in all, in a block each.
fn usage(in_use: u64, allocated: u64) -> Usage {
    Usage { in_use: amount(in_use, u64::from(in_use > 0)), allocated: amount(allocated, u64::from(allocated > 0)) }
}

/// A snapshot from stacks, bytes in use, and bytes allocated.
fn snapshot(of: &[(&str, u64, u64)]) -> Snapshot {
    Snapshot::of(of.iter().map(|&(frames, in_use, allocated)| (stack(frames), usage(in_use, allocated))))
}

/// The stacks of `changes` with the bytes by which each grew.
fn grown(changes: &[Change]) -> Vec<(String, i64)> {
    changes.iter().map(|change| (change.stack.0.join(", "), change.in_use.bytes)).collect()
}

/// The function of the shop in which a stack begins that is not the allocator's, and where it was called.
fn of_the_shop(stack: &Stack) -> &str {
    let ours = |frame: &&String| frame.contains("examples/shop.rs") && !frame.starts_with("__rust_alloc");
    let named = |frame: &&String| ours(frame) && !frame.starts_with("{closure");
    let frame = stack.0.iter().find(named).expect("everything is called by the shop");
    frame.split(' ').next().expect("a frame has a function")
}

mod stage_1_one_snapshot {
    use super::*;

    /// A profile in which each point is: stack by frame numbers, bytes and blocks in use, bytes and blocks in all. Whoever confuses the moment of the
    /// peak with the end finds other numbers there.
    fn profile(points: &[(&[usize], [u64; 4])], frames: &[&str]) -> String {
        let mut pps = Vec::new();
        for (fs, [eb, ebk, tb, tbk]) in points {
            pps.push(format!(
                r#"{{"tb":{tb},"tbk":{tbk},"tl":5,"mb":{},"mbk":{},"gb":{},"gbk":{},"eb":{eb},"ebk":{ebk},"fs":{fs:?}}}"#,
                eb + 7,
                ebk + 2,
                eb + 5,
                ebk + 1,
            ));
        }
        let mut text =
            String::from(r#"{"dhatFileVersion":2,"mode":"rust-heap","verb":"Allocated","bklt":true,"bkacc":false,"#);
        let _ = write!(text, r#""tu":"µs","cmd":"shop","pid":7,"pps":[{}],"ftbl":{frames:?}}}"#, pps.join(","));
        text
    }

    fn read(points: &[(&[usize], [u64; 4])], frames: &[&str]) -> Snapshot {
        Snapshot::read(&profile(points, frames)).expect("it is a profile")
    }

    #[test]
    fn what_is_in_use_at_the_end_and_what_was_ever_allocated_are_two_things() {
        let read =
            read(&[(&[1, 2], [300, 3, 9_000, 90])], &["[root]", "0x10: add (cart.rs:4:9)", "0x20: main (shop.rs:2:5)"]);

        let found = read.usage(&stack("add (cart.rs:4:9), main (shop.rs:2:5)"));

        assert_eq!(
            found,
            Usage { in_use: amount(300, 3), allocated: amount(9_000, 90) },
            "at the end 3 blocks were left of the 90 that add took"
        );
    }

    /// The same program, started again: the loader has put it elsewhere.
    #[test]
    fn the_same_place_has_another_address_in_another_run() {
        let points: &[(&[usize], [u64; 4])] = &[(&[1, 2], [100, 1, 100, 1])];
        let one = read(points, &["[root]", "0x55e4ed130326: add (cart.rs:4:9)", "0x55e4ed130875: main (shop.rs:2:5)"]);
        let two = read(points, &["[root]", "0x55883d439326: add (cart.rs:4:9)", "0x55883d439875: main (shop.rs:2:5)"]);

        let changes = diff(&one, &two);

        assert!(changes.is_empty(), "both runs did the same, and yet there is a difference: {changes:?}");
    }

    /// The compiler unrolled a loop: one line of the source, two calls.
    #[test]
    fn two_addresses_of_one_line_are_one_place() {
        let frames = ["[root]", "0x10: load (shop.rs:4:9)", "0x18: load (shop.rs:4:9)", "0x20: main (shop.rs:2:5)"];
        let read = read(&[(&[1, 3], [24, 1, 48, 2]), (&[2, 3], [72, 3, 96, 4])], &frames);

        let found = read.usage(&stack("load (shop.rs:4:9), main (shop.rs:2:5)"));

        assert_eq!(found, Usage { in_use: amount(96, 4), allocated: amount(144, 6) }, "24 + 72 bytes in use at line 4");
    }

    #[test]
    fn only_the_address_is_cut_off() {
        let read = read(&[(&[1], [8, 1, 8, 1])], &["[root]", "0x10: {impl#3}: fold<A, B> (iter.rs:2:5)"]);

        let found = read.usage(&Stack(vec!["{impl#3}: fold<A, B> (iter.rs:2:5)".to_owned()]));

        assert_eq!(found.in_use, amount(8, 1), "the frame is everything behind the first colon and space");
    }

    /// Some frames have no address.
    #[test]
    fn a_frame_without_an_address_stays_as_it_is() {
        let read = read(&[(&[1, 0], [8, 1, 8, 1])], &["[root]", "0x10: main (shop.rs:2:5)"]);

        assert_eq!(read.usage(&stack("main (shop.rs:2:5), [root]")).in_use, amount(8, 1), "the root has no address");
    }

    #[test]
    fn what_is_said_of_a_stack_twice_is_added_up() {
        let twice = snapshot(&[("load, main", 1, 10), ("load, main", 2, 20)]);

        let expected = Usage { in_use: amount(3, 2), allocated: amount(30, 2) };
        assert_eq!(twice.usage(&stack("load, main")), expected, "1 + 2 bytes in use, 10 + 20 in all, two blocks each");
    }

    #[test]
    fn an_unknown_place_has_nothing() {
        let read = read(&[(&[1], [8, 1, 8, 1])], &["[root]", "0x10: main (shop.rs:2:5)"]);

        assert_eq!(read.usage(&stack("main")), Usage::default(), "nothing was allocated by a place called main");
    }

    #[test]
    fn a_frame_that_is_not_in_the_table_is_named() {
        let text = profile(&[(&[1, 2], [8, 1, 8, 1])], &["[root]", "0x10: main (shop.rs:2:5)"]);

        let read = Snapshot::read(&text);

        assert_eq!(read, Err(Unreadable::NoSuchFrame { index: 2, frames: 2 }), "the table has frames 0 and 1");
    }

    /// `dhat` can count events too, and then it knows nothing of blocks that are given back.
    #[test]
    fn a_profile_without_lifetimes_cannot_say_what_is_in_use() {
        let text = r#"{"dhatFileVersion":2,"mode":"rust-ad-hoc","verb":"Occurred","bklt":false,"bkacc":false,
            "tu":"µs","cmd":"shop","pid":7,"pps":[{"tb":9,"tbk":3,"fs":[1]}],"ftbl":["[root]","0x10: main (shop.rs:2:5)"]}"#;

        let read = Snapshot::read(text);

        let expected = Unreadable::NoLifetimes { mode: "rust-ad-hoc".to_owned() };
        assert_eq!(read, Err(expected), "9 units were counted; none of them is memory in use");
    }

    #[test]
    fn what_is_recorded_is_said_by_the_flag_and_not_by_the_mode() {
        let text = profile(&[(&[1], [8, 1, 8, 1])], &["[root]", "0x10: main (shop.rs:2:5)"]);

        let read = Snapshot::read(&text.replace(r#""bklt":true"#, r#""bklt":false"#));

        assert_eq!(read, Err(Unreadable::NoLifetimes { mode: "rust-heap".to_owned() }), "bklt is false");
    }

    /// One part at a time is taken out of a profile, or is of another type.
    #[test]
    fn a_part_that_is_missing_or_of_another_type_is_no_zero() {
        let whole = profile(&[(&[1], [11, 12, 13, 14])], &["[root]", "0x10: main (shop.rs:2:5)"]);
        assert!(Snapshot::read(&whole).is_ok(), "{whole} is a profile");
        let parts = [
            (r#""dhatFileVersion":2,"#, ""),
            (r#""dhatFileVersion":2,"#, r#""dhatFileVersion":3,"#),
            (r#""bklt":true,"#, ""),
            (r#""eb":11,"#, ""),
            (r#""eb":11,"#, r#""eb":"11","#),
            (r#""ebk":12,"#, ""),
            (r#""tb":13,"#, ""),
            (r#""tbk":14,"#, r#""tbk":-14,"#),
            (r#","fs":[1]"#, ""),
            (r#""fs":[1]"#, r#""fs":1"#),
            (r#"["[root]""#, "[0"),
            ("]}", "]} and more"),
        ];
        for (part, other) in parts {
            assert!(whole.contains(part), "{part} is in {whole}");
            let read = Snapshot::read(&whole.replace(part, other));
            assert_eq!(read, Err(Unreadable::NotAProfile), "{part} was replaced by {other:?}");
        }
    }

    #[test]
    fn something_else_is_not_a_profile() {
        for text in
            ["", "{}", "[1, 2]", r#"{"mode":"rust-heap","bklt":true,"pps":[{"tb":1}],"ftbl":[]}"#, "heap profile: 1: 8"]
        {
            assert_eq!(Snapshot::read(text), Err(Unreadable::NotAProfile), "{text:?} is no profile of dhat's");
        }
    }

    /// The totals that `dhat` itself printed when the shop ended.
    #[test]
    fn the_shop_s_totals_are_those_that_the_profiler_printed() {
        let printed = [
            (200, (185_256, 240), (4_187_762, 646)),
            (1_000, (368_904, 1_088), (20_479_954, 3_097)),
            (2_000, (473_096, 2_088), (40_596_338, 6_098)),
        ];
        for (snapshot, (requests, in_use, all)) in shop().iter().zip(printed) {
            let total = snapshot.total();
            let found = (total.in_use.bytes, total.in_use.blocks);
            assert_eq!(found, in_use, "bytes and blocks in use after {requests} requests");
            let found = (total.allocated.bytes, total.allocated.blocks);
            assert_eq!(found, all, "bytes and blocks allocated in all after {requests} requests");
        }
    }
}

mod stage_2_two_snapshots {
    use super::*;

    #[test]
    fn what_grew_most_comes_first_and_not_what_is_largest() {
        let before = snapshot(&[("cache", 9_000, 9_000), ("sessions", 100, 100)]);
        let after = snapshot(&[("cache", 9_010, 9_010), ("sessions", 900, 900)]);

        let found = grown(&diff(&before, &after));

        assert_eq!(
            found,
            [("sessions".to_owned(), 800), ("cache".to_owned(), 10)],
            "sessions grew by 800, the cache by 10"
        );
    }

    /// The page is built and sent, thousands of times; nothing of it is left.
    #[test]
    fn who_allocates_most_need_not_hold_anything() {
        let before = snapshot(&[("render", 0, 1_000_000), ("sessions", 100, 100)]);
        let after = snapshot(&[("render", 0, 9_000_000), ("sessions", 164, 164)]);

        let changes = diff(&before, &after);

        assert_eq!(
            grown(&changes),
            [("sessions".to_owned(), 64), ("render".to_owned(), 0)],
            "render took 8 MB and gave all of it back: it holds nothing, sessions hold 64 bytes more"
        );
        assert_eq!(changes[1].allocated.bytes, 8_000_000, "that it was busy is to be seen too");
    }

    #[test]
    fn a_place_that_was_silent_before_has_grown_from_nothing() {
        let found = grown(&diff(&snapshot(&[("a", 5, 5)]), &snapshot(&[("a", 5, 5), ("b", 70, 70)])));

        assert_eq!(found, [("b".to_owned(), 70)], "b holds 70 bytes; before it held none");
    }

    /// Profilers leave out places that hold nothing.
    #[test]
    fn a_place_that_is_gone_has_shrunk_to_nothing() {
        let changes = diff(&snapshot(&[("a", 5, 5), ("b", 70, 70)]), &snapshot(&[("a", 6, 6)]));

        assert_eq!(
            grown(&changes),
            [("a".to_owned(), 1), ("b".to_owned(), -70)],
            "b held 70 bytes and is not there any more"
        );
    }

    #[test]
    fn what_shrank_most_comes_last() {
        let before = snapshot(&[("a", 500, 500), ("b", 20, 20), ("c", 10, 10)]);
        let after = snapshot(&[("a", 0, 500), ("b", 30, 30), ("c", 9, 10)]);

        let found = grown(&diff(&before, &after));

        let expected = [("b", 10), ("c", -1), ("a", -500)].map(|(name, bytes)| (name.to_owned(), bytes));
        assert_eq!(found, expected, "500 bytes given back are no growth");
    }

    #[test]
    fn equal_growth_stands_in_the_order_of_the_stacks() {
        let before = snapshot(&[("c", 1, 1), ("a", 1, 90), ("b", 1, 1)]);
        let after = snapshot(&[("c", 3, 30), ("a", 3, 91), ("b", 3, 3)]);

        let found = grown(&diff(&before, &after));

        let expected = ["a", "b", "c"].map(|name| (name.to_owned(), 2));
        assert_eq!(found, expected, "all three grew by 2 bytes");

        let found = grown(&diff(&snapshot(&[]), &snapshot(&[("b, a", 5, 5), ("a, c", 5, 5)])));
        let expected = ["a, c", "b, a"].map(|name| (name.to_owned(), 5));
        assert_eq!(found, expected, "stacks are compared from the innermost frame on");
    }

    #[test]
    fn what_did_not_change_is_left_out() {
        let before = snapshot(&[("still", 40, 40), ("busy", 40, 40)]);
        let after = snapshot(&[("still", 40, 40), ("busy", 40, 80)]);

        let changes = diff(&before, &after);

        assert_eq!(
            grown(&changes),
            [("busy".to_owned(), 0)],
            "busy gave 40 bytes back and took others; still did nothing"
        );
    }

    /// A buffer grew: more bytes, the same block. And two blocks became four smaller ones.
    #[test]
    fn bytes_and_blocks_are_counted_apart() {
        let of = |buffer, list| [(stack("buffer"), buffer), (stack("list"), list)];
        let both = |bytes, blocks| Usage { in_use: amount(bytes, blocks), allocated: amount(bytes, blocks) };

        let changes = diff(&Snapshot::of(of(both(64, 1), both(60, 2))), &Snapshot::of(of(both(128, 1), both(60, 4))));

        let found: Vec<Delta> = changes.iter().map(|change| change.in_use).collect();
        let expected = [Delta { bytes: 64, blocks: 0 }, Delta { bytes: 0, blocks: 2 }];
        assert_eq!(found, expected, "the buffer grew by 64 bytes in no more blocks, the list by no byte in 2 more");
    }

    #[test]
    fn what_is_held_and_what_was_ever_taken_change_apart() {
        let of = |in_use, allocated| Snapshot::of([(stack("a"), Usage { in_use, allocated })]);

        let changes = diff(&of(amount(10, 1), amount(100, 5)), &of(amount(30, 2), amount(900, 45)));

        let (in_use, allocated) = (Delta { bytes: 20, blocks: 1 }, Delta { bytes: 800, blocks: 40 });
        assert_eq!(changes, [Change { stack: stack("a"), in_use, allocated }], "20 bytes stayed of the 800 it took");
    }

    #[test]
    fn a_heap_may_be_larger_than_four_gigabytes() {
        let large =
            Usage { in_use: amount(5_000_000_000, 5_000_000_000), allocated: amount(6_000_000_000, 6_000_000_000) };

        let changes = diff(&snapshot(&[]), &Snapshot::of([(stack("a"), large)]));

        let expected = Delta { bytes: 5_000_000_000, blocks: 5_000_000_000 };
        assert_eq!(changes[0].in_use, expected, "five thousand million blocks of a byte");
    }

    /// Warm: the cache is full, the campaign is over.
    #[test]
    fn in_the_warm_shop_the_leak_comes_first_and_rendering_holds_nothing() {
        let [_, middle, late] = shop();

        let changes = diff(&middle, &late);

        let first = &changes[0];
        assert_eq!(of_the_shop(&first.stack), "begin_session", "1,000 sessions of 96 bytes began and none ended");
        assert_eq!(first.in_use, Delta { bytes: 96_000, blocks: 1_000 }, "what the sessions hold");
        let render = changes.iter().max_by_key(|change| change.allocated.bytes).expect("something changed");
        assert_eq!(of_the_shop(&render.stack), "render", "20 kB for each of 1,000 pages");
        assert_eq!((render.allocated.bytes, render.in_use.bytes), (20_000_000, 0), "20 MB taken, nothing held");
    }

    /// Any history of any places: what is in use changes by what the places' changes add up to.
    #[test]
    fn changes_add_up_to_the_change_of_the_whole_and_stand_in_order() {
        let dangers = ["a place is gone", "a place is new", "a place only was busy"];
        let sometimes = Sometimes::expect(dangers);
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let mut draw = || {
                let mut usages = Vec::new();
                for name in ["a", "b", "c", "d", "e", "f"] {
                    if rng.random_bool(0.7) {
                        let in_use = rng.random_range(0..4_u64) * 50;
                        usages.push((name, in_use, in_use + rng.random_range(0..3_u64) * 1_000));
                    }
                }
                usages
            };
            let (one, two) = (draw(), draw());
            let (before, after) = (snapshot(&one), snapshot(&two));

            let changes = diff(&before, &after);

            let held = |in_use: &[(&str, u64, u64)], name: &str| {
                in_use.iter().find(|(n, ..)| *n == name).map(|(_, held, _)| *held)
            };
            for name in ["a", "b", "c", "d", "e", "f"] {
                let (was, is) = (held(&one, name), held(&two, name));
                sometimes.saw(dangers[0], was > Some(0) && is.is_none());
                sometimes.saw(dangers[1], was.is_none() && is > Some(0));
                let change = changes.iter().find(|change| change.stack == stack(name));
                sometimes.saw(dangers[2], change.is_some_and(|change| change.in_use.bytes == 0));
                let expected = is.unwrap_or(0).cast_signed() - was.unwrap_or(0).cast_signed();
                let found = change.map_or(0, |change| change.in_use.bytes);
                assert!(found == expected, "seed {seed}: {name} held {was:?} and now {is:?}: {expected}, not {found}");
            }
            let sum: i64 = changes.iter().map(|change| change.in_use.bytes).sum();
            let whole = after.total().in_use.bytes.cast_signed() - before.total().in_use.bytes.cast_signed();
            assert!(sum == whole, "seed {seed}: in all {whole} bytes more are in use, and the changes add up to {sum}");
            let order: Vec<i64> = changes.iter().map(|change| change.in_use.bytes).collect();
            assert!(order.is_sorted_by(|a, b| a >= b), "seed {seed}: {order:?} is not from the greatest growth down");
        });
    }
}

mod stage_3_more_than_two {
    use super::*;

    /// From 200 requests to 1,000 the cache of pictures grows most: it is filling up.
    #[test]
    fn two_snapshots_of_a_cold_shop_accuse_the_cache_and_three_acquit_it() {
        let snapshots = shop();

        let first = diff(&snapshots[0], &snapshots[1]).remove(0);
        let suspected: Vec<(String, i64)> = suspects(&snapshots)
            .iter()
            .map(|change| (of_the_shop(&change.stack).to_owned(), change.in_use.bytes))
            .collect();

        assert_eq!(of_the_shop(&first.stack), "picture", "49 pictures of 4 kB came into the cache");
        let expected = [("begin_session".to_owned(), 172_800), ("begin_session".to_owned(), 14_336)];
        assert_eq!(suspected, expected, "the sessions, and the list that holds them; the cache has stopped growing");
    }

    #[test]
    fn who_did_not_grow_in_each_step_is_no_suspect() {
        let steps = [
            snapshot(&[("cache", 100, 100), ("late", 100, 100), ("leak", 100, 100)]),
            snapshot(&[("cache", 900, 900), ("late", 100, 100), ("leak", 110, 110)]),
            snapshot(&[("cache", 900, 900), ("late", 990, 990), ("leak", 120, 120)]),
        ];

        let found = grown(&suspects(&steps));

        assert_eq!(found, [("leak".to_owned(), 20)], "the cache stopped, and late stood still at first");
    }

    /// Between two snapshots it gave something back, so it can.
    #[test]
    fn who_comes_and_goes_is_no_suspect() {
        let steps = [snapshot(&[("wave", 100, 100)]), snapshot(&[("wave", 90, 190)]), snapshot(&[("wave", 900, 990)])];

        assert_eq!(suspects(&steps), [], "100, 90, 900 bytes: the first step is down");
    }

    #[test]
    fn every_step_counts_not_the_first_the_middle_and_the_last() {
        let paused = [100, 200, 200, 300, 400].map(|bytes| snapshot(&[("paused", bytes, bytes)]));
        let wave = [10, 20, 15, 30, 40].map(|bytes| snapshot(&[("wave", bytes, 400)]));

        assert_eq!(suspects(&paused), [], "100, 200, 200, 300, 400 bytes: it stood still in the second step");
        assert_eq!(suspects(&wave), [], "10, 20, 15, 30, 40 bytes: it gave 5 back in the second step");
    }

    #[test]
    fn a_place_that_began_after_the_first_snapshot_is_a_suspect_too() {
        let steps = [snapshot(&[]), snapshot(&[("new", 10, 10)]), snapshot(&[("new", 20, 20)])];

        assert_eq!(grown(&suspects(&steps)), [("new".to_owned(), 20)], "0, 10, 20 bytes");
    }

    #[test]
    fn a_suspect_s_change_is_from_the_first_snapshot_to_the_last() {
        let steps = [(10, 1, 100, 5), (30, 2, 300, 20), (60, 4, 900, 45)].map(|(bytes, blocks, all, count)| {
            let of = Usage { in_use: amount(bytes, blocks), allocated: amount(all, count) };
            Snapshot::of(["b", "a"].map(|name| (stack(name), of)))
        });

        let found = suspects(&steps);

        let (in_use, allocated) = (Delta { bytes: 50, blocks: 3 }, Delta { bytes: 800, blocks: 40 });
        let expected = ["a", "b"].map(|name| Change { stack: stack(name), in_use, allocated });
        assert_eq!(found, expected, "both grew by the same, so they stand in the order of their stacks");
    }

    #[test]
    fn two_snapshots_accuse_nobody() {
        let steps = [snapshot(&[("a", 1, 1)]), snapshot(&[("a", 9, 9)])];

        assert_eq!(suspects(&steps), [], "a may be warming up");
        assert_eq!(suspects(&steps[..1]), [], "with one snapshot nothing has grown");
        assert_eq!(suspects(&[]), [], "with none neither");
    }

    /// A leak of a few bytes at a time, beside a cache that fills, a buffer that comes and goes, and a place that takes a thousand times as much.
    #[test]
    fn the_planted_leak_is_always_found_and_the_busy_place_never() {
        let sometimes = Sometimes::expect(["less than a kilobyte leaks", "the cache outgrows the leak"]);
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let least = 4_u64 << rng.random_range(0..7);
            let size = rng.random_range(least..2 * least);
            let mut requests = rng.random_range(0..20_u64);
            let mut steps = Vec::new();
            for step in 0..rng.random_range(3..6) {
                requests += if step == 0 { 1 } else { rng.random_range(20..200_u64) };
                steps.push(snapshot(&[
                    ("busy", 0, requests * 40_000),
                    ("cache", requests.min(20) * 500, requests * 500),
                    ("leak", requests * size, requests * size),
                    ("wave", if steps.len() % 2 == 0 { 50_000 } else { 0 }, requests * 50_000),
                ]));
            }
            let whole = diff(&steps[0], &steps[1]);
            let grew = |name: &str| {
                whole.iter().find(|change| change.stack == stack(name)).map_or(0, |change| change.in_use.bytes)
            };
            sometimes.saw("less than a kilobyte leaks", grew("leak") < 1_000);
            sometimes.saw("the cache outgrows the leak", grew("cache") > grew("leak"));

            let found: Vec<String> = grown(&suspects(&steps)).into_iter().map(|(name, _)| name).collect();

            assert!(
                found == ["leak"],
                "seed {seed}: {size} bytes leak for each request, and the suspects are {found:?}"
            );
        });
    }
}

mod stage_4_who {
    use super::*;

    #[test]
    fn a_frame_answers_for_all_that_is_called_below_it() {
        let before = snapshot(&[("alloc, push, serve, main", 0, 0)]);
        let after = snapshot(&[
            ("alloc, push, serve, main", 60, 60),
            ("alloc, render, serve, main", 7, 7),
            ("load, main", 100, 100),
        ]);

        let shares = by_frame(&diff(&before, &after));

        let expected = [
            ("alloc", Share { own: 67, total: 67 }),
            ("load", Share { own: 100, total: 100 }),
            ("main", Share { own: 0, total: 167 }),
            ("push", Share { own: 0, total: 60 }),
            ("render", Share { own: 0, total: 7 }),
            ("serve", Share { own: 0, total: 67 }),
        ];
        assert_eq!(
            shares,
            expected.map(|(name, share)| (name.to_owned(), share)).into(),
            "the innermost frame is the first"
        );
    }

    #[test]
    fn a_function_that_calls_itself_is_counted_once_for_each_stack() {
        let after =
            snapshot(&[("alloc, walk, walk, walk, main", 30, 30), ("alloc, walk, main", 5, 5), ("walk, walk", 2, 2)]);

        let shares = by_frame(&diff(&snapshot(&[]), &after));

        assert_eq!(shares["walk"], Share { own: 2, total: 37 }, "30 + 5 + 2 bytes, however deep the recursion");
    }

    /// A parser of expressions calls one of terms, and that one the first.
    #[test]
    fn functions_that_call_each_other_are_counted_once_for_each_stack() {
        let after = snapshot(&[("alloc, term, sum, term, sum, main", 10, 10)]);

        let shares = by_frame(&diff(&snapshot(&[]), &after));

        for name in ["term", "sum"] {
            assert_eq!(shares[name], Share { own: 0, total: 10 }, "{name} is on one stack, which took 10 bytes");
        }
    }

    #[test]
    fn who_only_was_busy_is_on_the_stacks_too() {
        let shares = by_frame(&diff(&snapshot(&[("render, main", 0, 10)]), &snapshot(&[("render, main", 0, 90)])));

        let expected = ["main", "render"].map(|name| (name.to_owned(), Share::default()));
        assert_eq!(shares, expected.into(), "render took 80 bytes and gave them back");
    }

    #[test]
    fn what_was_given_back_counts_against_what_was_taken() {
        let before = snapshot(&[("alloc, old, main", 90, 90)]);
        let after = snapshot(&[("alloc, old, main", 0, 90), ("alloc, new, main", 50, 50)]);

        let shares = by_frame(&diff(&before, &after));

        assert_eq!(shares["main"], Share { own: 0, total: -40 }, "90 bytes were given back and 50 taken");
        assert_eq!(shares["alloc"], Share { own: -40, total: -40 }, "the same, where they were taken and given back");
    }

    /// The innermost frame is always the allocator: it answers for everything, and explains nothing.
    #[test]
    fn in_the_shop_the_allocator_owns_everything_and_begin_session_is_where_it_comes_from() {
        let [_, middle, late] = shop();

        let shares = by_frame(&diff(&middle, &late));

        let share = |part: &str| {
            let mut found = shares.iter().filter(|(frame, _)| frame.starts_with(part));
            let (_, share) = found.next().unwrap_or_else(|| panic!("no frame begins with {part}: {:?}", shares.keys()));
            assert!(found.next().is_none(), "{part} stands for one frame");
            *share
        };
        assert_eq!(
            share("alloc (dhat"),
            Share { own: 104_192, total: 104_192 },
            "everything goes through the allocator"
        );
        assert_eq!(
            share("begin_session (heap-diff/examples/shop.rs:69:24"),
            Share { own: 0, total: 96_000 },
            "the sessions"
        );
        assert_eq!(
            share("begin_session (heap-diff/examples/shop.rs:69:19"),
            Share { own: 0, total: 8_192 },
            "their list"
        );
        assert_eq!(
            share("main (heap-diff/examples/shop.rs:96:9"),
            Share { own: 0, total: 104_192 },
            "the loop in main"
        );
    }

    #[test]
    fn folded_lines_read_from_the_outside_in() {
        let folded =
            snapshot(&[("push, serve, main", 60, 60), ("load, main", 7, 9), ("render, serve, main", 0, 900)]).folded();

        assert_eq!(
            folded,
            ["main;load 7", "main;serve;push 60"],
            "a line for each place that holds memory, its caller first"
        );
        let folded = snapshot(&[("b, main", 5, 5), ("a, main", 60, 60), ("main, a", 7, 7)]).folded();
        assert_eq!(folded, ["a;main 7", "main;a 60", "main;b 5"], "the lines are sorted as texts, not by their bytes");
    }

    /// In `Box<[u8; 96]>` is a semicolon.
    #[test]
    fn a_semicolon_in_a_name_does_not_cut_it_in_two() {
        let folded = snapshot(&[("new<[u8; 96]>, main", 96, 96)]).folded();

        assert_eq!(folded, ["main;new<[u8: 96]> 96"], "two frames, one separator");
        let folded = snapshot(&[("pair<[u8; 4],[u8; 5]>", 9, 9)]).folded();
        assert_eq!(folded.len(), 1, "one place holds 9 bytes");
        assert!(!folded[0].contains(';'), "{:?}: one frame, and no separator", folded[0]);
    }

    /// The categories call themselves, from a loop that the compiler unrolled: 22 points of the profile are 7 places.
    #[test]
    fn the_shop_s_recursion_folds_into_lines_of_different_depth() {
        let [early, ..] = shop();

        let folded = early.folded();

        let depth = |line: &String| line.matches("load_categories (").count();
        let mut depths: Vec<(usize, &str)> = folded
            .iter()
            .filter(|line| depth(line) > 0)
            .map(|line| (depth(line), line.rsplit(' ').next().expect("a number")))
            .collect();
        depths.sort_unstable();
        let expected = [(1, "24"), (1, "96"), (2, "192"), (2, "48"), (3, "384"), (3, "96"), (4, "192")];
        assert_eq!(depths, expected, "1, 2, 4 and 8 names of 24 bytes; 1, 2 and 4 lists of 96 bytes");
    }
}

mod stage_5_a_collector_s_word {
    use super::*;

    const LINE: &str =
        "gc 3 @0.024s 1%: 0.023+1.0+0.008 ms clock, 0.18+0.043/1.0/0.35+0.069 ms cpu, 13->15->11 MB, 14 MB goal, 8 P";

    fn parsed(line: &str) -> Collection {
        Collection::parse(line).unwrap_or_else(|| panic!("{line:?} is a line of gctrace"))
    }

    #[test]
    fn a_line_says_when_how_long_and_how_much() {
        let expected = Collection {
            number: 3,
            at: Duration::from_millis(24),
            stopped: Duration::from_micros(31),
            start: 13,
            end: 15,
            live: 11,
            goal: 14,
            processors: 8,
            forced: false,
        };

        assert_eq!(
            parsed(LINE),
            expected,
            "while 1 ms was spent marking, the program ran on: it stood still for 23 + 8 µs"
        );
    }

    #[test]
    fn what_is_live_is_neither_what_was_there_before_nor_after() {
        let lines = ["4->6->5", "8->9->7", "13->13->11", "22->23->12", "24->24->14"]
            .map(|heap| LINE.replace("13->15->11", heap))
            .map(|line| parsed(&line).live);

        assert_eq!(lines, [5, 7, 11, 12, 14], "the third size: what was reachable");
    }

    #[test]
    fn a_collection_that_the_program_asked_for_says_so() {
        let forced = parsed(&format!("{LINE} (forced)"));

        assert!(forced.forced, "the line ends with (forced)");
        assert_eq!(forced.processors, 8, "and is read like any other");
    }

    /// Go added two sizes some years ago, and may add a third.
    #[test]
    fn a_later_version_may_report_more_sizes() {
        for more in ["0 MB stacks, 0 MB globals", "2 MB stacks, 1 MB globals, 5 MB caches"] {
            let line = LINE.replace("goal,", &format!("goal, {more},"));

            let found = parsed(&line);

            assert_eq!((found.goal, found.processors), (14, 8), "{more:?} between goal and processors does not matter");
        }
    }

    #[test]
    fn hours_and_long_pauses_are_read_as_well() {
        let found = parsed(&LINE.replace("@0.024s", "@86400.250s").replace("0.023+1.0+0.008", "12+340+1.5"));

        assert_eq!(found.at, Duration::from_millis(86_400_250), "a day and a quarter of a second");
        assert_eq!(found.stopped, Duration::from_micros(13_500), "12 ms and 1.5 ms");
        let found = parsed(&LINE.replace("0.023+1.0+0.008", "0.70+1.0+0.10"));
        assert_eq!(found.stopped, Duration::from_micros(800), "0.70 ms and 0.10 ms, to the microsecond");
    }

    #[test]
    fn other_lines_are_no_collections() {
        let others = [
            "",
            "gc",
            "scvg0: inuse: 3, idle: 59, sys: 63, released: 57, consumed: 5 (MB)",
            "2026/11/22 13:00:01 gc 3 @0.024s is not what this line is",
            &LINE.replace("gc 3", "gc three"),
            &LINE.replace("13->15->11", "13->15"),
            &LINE.replace("0.023+1.0+0.008 ms clock", "0.059+0.17+0.005+0.24+0.12 ms clock"),
            &LINE.replace(" 8 P", " 8 Q"),
            &LINE.replace("@0.024s", "@-1s"),
            &LINE.replace("@0.024s", "@infs"),
            &LINE.replace("@0.024s", "@1e300s"),
            &LINE.replace("@0.024s", "@99999999999999999999999s"),
            &LINE.replace("1%", "some%"),
            &LINE.replace("0.023+", "much+"),
            &LINE.replace("0.023+", "-0.023+"),
            &LINE.replace("+1.0+0.008", "+long+0.008"),
            &LINE.replace("0.043/1.0/0.35", "0.043/1.0"),
            &LINE.replace("0.18+", "banana+"),
            &LINE.replace("13->15->11", "13->15->11->9"),
            &LINE.replace("13->", "+13->"),
            &LINE.replace("goal, ", "goal, hello, "),
            &LINE.replace(" 8 P", " +8 P"),
            &format!("{LINE} or so"),
            &format!("{LINE} (forgot)"),
            &format!("log: {LINE}"),
            &LINE[..LINE.len() - 12],
        ];
        for line in others {
            assert_eq!(Collection::parse(line), None, "{line:?} is no line of gctrace in its present form");
        }
    }
}
