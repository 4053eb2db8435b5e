//! The numbers of the page.

use exactly_once::{Answer, Batch, Broker, Guarantee, Offset, Producer, Record, Refused, Sequence, Step, steps};

/// A consumer of six records, killed after so many steps and started again: how many steps there are, what it lost, what it booked twice.
fn killed(guarantee: Guarantee, after: usize) -> (usize, usize, usize) {
    let records: Vec<Record> = (0..6).map(|at| Record { offset: Offset(at), cents: 250 }).collect();
    let all = steps(guarantee, &records);
    let (mut booked, mut position) = ([0_usize; 6], 0);
    let mut run = |from: u64, kill_after: usize| {
        for step in steps(guarantee, &records[usize::try_from(from).expect("small")..]).into_iter().take(kill_after) {
            match step {
                Step::Book(record) => booked[usize::try_from(record.offset.0).expect("small")] += 1,
                Step::Save(Offset(next)) => position = next,
                Step::BookAndSave(record, Offset(next)) => {
                    booked[usize::try_from(record.offset.0).expect("small")] += 1;
                    position = next;
                }
            }
        }
        position
    };
    let from = run(0, after);
    run(from, usize::MAX);
    (all.len(), booked.iter().filter(|times| **times == 0).count(), booked.iter().filter(|times| **times == 2).count())
}

#[test]
fn of_thirteen_points_seven_are_harmless_and_six_lose_or_repeat_one_record() {
    let table =
        [(Guarantee::AtMostOnce, 13, 6, 0), (Guarantee::AtLeastOnce, 13, 0, 6), (Guarantee::ExactlyOnce, 7, 0, 0)];
    for (guarantee, points, losing, repeating) in table {
        assert_eq!(killed(guarantee, 0).0 + 1, points, "{guarantee:?}");
        let outcomes: Vec<_> = (0..points).map(|after| killed(guarantee, after)).collect();
        assert!(outcomes.iter().all(|(_, lost, twice)| lost + twice <= 1), "{guarantee:?}: {outcomes:?}");
        assert_eq!(outcomes.iter().filter(|(_, lost, _)| *lost == 1).count(), losing, "{guarantee:?} loses");
        assert_eq!(outcomes.iter().filter(|(_, _, twice)| *twice == 1).count(), repeating, "{guarantee:?} repeats");
    }
}

#[test]
fn after_eight_more_batches_the_first_is_refused() {
    let mut broker = Broker::default();
    let session = broker.open("till");
    let batch = |first| Batch { session, first: Sequence(first), values: vec![first] };
    for first in 0..=8 {
        broker.append(&batch(first)).expect("in order");
    }
    let remembered = |first| broker.clone().append(&batch(first)).is_ok();
    assert_eq!((0..=8).filter(|first| remembered(*first)).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
    assert_eq!(broker.append(&batch(0)), Err(Refused::OutOfOrder { expected: Sequence(9) }), "though it has it");
}

#[test]
fn what_the_successor_sends_again_may_be_there_twice() {
    let mut broker = Broker::default();
    let mut old = Producer::new(broker.open("till"));
    old.push(250);
    for batch in old.poll() {
        broker.append(&batch).expect("in order");
        old.answered(batch.first, Answer::Lost);
    }
    let mut new = Producer::new(broker.open("till"));
    old.open().into_iter().for_each(|value| new.push(value));
    for batch in new.poll() {
        assert_eq!(broker.append(&batch), Ok(Offset(1)), "the second copy of one coffee");
    }
}
