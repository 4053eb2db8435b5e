//! The page's own numbers, and those of the chapter's introduction.

use consumer_group::{Assignment, Member, Topics, moved, partition, range, round_robin, sticky};
use std::collections::BTreeSet;
use std::num::NonZeroU32;

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("not 0")
}

fn members(names: &str) -> BTreeSet<Member> {
    names.chars().map(|name| Member(name.to_string())).collect()
}

fn orders(count: u32) -> Topics {
    [("orders".to_owned(), count)].into()
}

fn changed(before: &Assignment, after: &Assignment) -> usize {
    after.iter().map(|(member, has)| before.get(member).map_or(has.len(), |had| has.difference(had).count())).sum()
}

#[test]
fn customer_4711_is_on_partition_0_of_6_and_6_of_7() {
    let places = [6, 7].map(|n| partition(b"customer-4711", count(n)));
    assert_eq!(places, [0, 6]);
}

#[test]
fn a_seventh_partition_moves_8582_of_10_000_and_a_twelfth_5051() {
    let keys: Vec<String> = (0..10_000).map(|i| format!("order-{i}")).collect();
    assert_eq!([7, 12].map(|after| moved(&keys, count(6), count(after))), [8_582, 5_051]);
}

#[test]
fn a_fourth_member_moves_6_9_or_3_of_12() {
    let (topics, three, four) = (orders(12), members("abc"), members("abcd"));
    assert_eq!(changed(&range(&topics, &three), &range(&topics, &four)), 6);
    assert_eq!(changed(&round_robin(&topics, &three), &round_robin(&topics, &four)), 9);
    let before = round_robin(&topics, &three);
    assert_eq!(changed(&before, &sticky(&topics, &four, &before)), 3);
}

#[test]
fn four_calls_of_99_5_percent_are_98_0_together() {
    assert_eq!((0.995_f64.powi(4) * 1_000.0).round(), 980.0);
}

/// Thirty jobs of a second and one of a minute, which comes first. Each job's end, and the last of the short ones.
#[test]
fn thirty_short_jobs_and_a_long_one_in_a_queue_and_in_a_log() {
    let jobs: Vec<u32> = std::iter::once(60).chain(std::iter::repeat_n(1, 30)).collect();
    let mut free_at = [0; 10];
    let queue: Vec<u32> = jobs
        .iter()
        .map(|job| {
            let worker = free_at.iter_mut().min().expect("ten workers");
            *worker += job;
            *worker
        })
        .collect();
    assert_eq!((queue[0], queue[1..].iter().max()), (60, Some(&4)));
    let mut partitions = [0; 10];
    let log: Vec<u32> = jobs
        .iter()
        .enumerate()
        .map(|(i, job)| {
            partitions[i % 10] += job;
            partitions[i % 10]
        })
        .collect();
    assert_eq!(log.iter().max(), Some(&63));
}
