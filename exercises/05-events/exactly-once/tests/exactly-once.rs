//! How often a record has an effect, if everybody may be killed at any moment and every message may be lost or come twice.

use exactly_once::{
    Answer, BATCH, Batch, Booked, Books, Broker, Entry, Epoch, Guarantee, Offset, Partition, Producer, REMEMBERED,
    Record, Refused, Sequence, Session, Step, steps,
};
use kit::{Sometimes, for_seeds};
use rand::RngExt as _;

fn record(offset: u64, cents: i64) -> Record {
    Record { offset: Offset(offset), cents }
}

mod stage_1_where_the_commit_goes {
    use super::*;

    /// The partition. Offsets 3, 4, 7 and 8 are empty.
    const LOG: [u64; 6] = [0, 1, 2, 5, 6, 9];

    /// What survives a kill.
    #[derive(Default)]
    struct Disk {
        books: Vec<u64>,
        position: u64,
    }

    impl Disk {
        /// A consumer runs, fetching three records at a time, until it has taken so many steps, or has read everything. Says how many it took.
        fn run(&mut self, guarantee: Guarantee, kill_after: usize) -> usize {
            let (mut taken, mut reads_from) = (0, self.position);
            for _ in 0..20 {
                let ahead = LOG.iter().filter(|&&offset| offset >= reads_from);
                let fetched: Vec<Record> = ahead.take(3).map(|&offset| record(offset, 100)).collect();
                let Some(last) = fetched.last() else { break };
                reads_from = last.offset.0 + 1;
                for step in steps(guarantee, &fetched) {
                    if taken == kill_after {
                        return taken;
                    }
                    taken += 1;
                    match step {
                        Step::Book(record) => self.books.push(record.offset.0),
                        Step::Save(Offset(next)) => self.position = next,
                        Step::BookAndSave(record, Offset(next)) => {
                            self.books.push(record.offset.0);
                            self.position = next;
                        }
                    }
                }
            }
            taken
        }

        fn times(&self, offset: u64) -> usize {
            self.books.iter().filter(|booked| **booked == offset).count()
        }
    }

    /// Every way to be killed twice, after so many steps and then again after so many. Calls `judge` with the two numbers and the books.
    fn killed_twice(guarantee: Guarantee, judge: impl Fn(usize, usize, &Disk)) {
        let all = Disk::default().run(guarantee, usize::MAX);
        assert!(all >= LOG.len(), "for six records {guarantee:?} takes {all} steps");
        for first in 0..=all {
            for second in 0..=all {
                let mut disk = Disk::default();
                for kill_after in [first, second, usize::MAX] {
                    disk.run(guarantee, kill_after);
                }
                judge(first, second, &disk);
            }
        }
    }

    #[test]
    fn without_a_kill_all_three_book_each_record_once_and_in_order() {
        for guarantee in [Guarantee::AtMostOnce, Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
            let mut disk = Disk::default();
            disk.run(guarantee, usize::MAX);
            assert_eq!(disk.books, LOG, "{guarantee:?}, and nobody was killed");
        }
    }

    /// A deploy in the evening, when everything is done.
    #[test]
    fn a_restart_when_all_is_done_books_nothing() {
        for guarantee in [Guarantee::AtMostOnce, Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
            let mut disk = Disk::default();
            disk.run(guarantee, usize::MAX);
            disk.run(guarantee, usize::MAX);
            assert_eq!(disk.books, LOG, "{guarantee:?}: restarted with position {}", disk.position);
        }
    }

    #[test]
    fn at_most_once_never_books_twice_wherever_it_is_killed() {
        killed_twice(Guarantee::AtMostOnce, |first, second, disk| {
            for offset in LOG {
                let times = disk.times(offset);
                assert!(times <= 1, "killed after {first} steps and then {second}: {offset} is booked {times} times");
            }
        });
    }

    #[test]
    fn at_most_once_loses_one_record_a_kill_at_most() {
        killed_twice(Guarantee::AtMostOnce, |first, second, disk| {
            let lost: Vec<u64> = LOG.into_iter().filter(|&offset| disk.times(offset) == 0).collect();
            assert!(lost.len() <= 2, "killed after {first} steps and then {second}: two kills lost {lost:?}");
        });
    }

    #[test]
    fn at_least_once_never_loses_wherever_it_is_killed() {
        killed_twice(Guarantee::AtLeastOnce, |first, second, disk| {
            for offset in LOG {
                assert!(
                    disk.times(offset) >= 1,
                    "killed after {first} steps and then {second}: {offset} is not booked"
                );
            }
        });
    }

    #[test]
    fn at_least_once_repeats_one_record_a_kill_at_most() {
        killed_twice(Guarantee::AtLeastOnce, |first, second, disk| {
            let repeated = disk.books.len().saturating_sub(LOG.len());
            assert!(
                repeated <= 2,
                "killed after {first} steps and then {second}: two kills repeated {repeated}: {:?}",
                disk.books
            );
        });
    }

    #[test]
    fn exactly_once_books_each_record_once_wherever_it_is_killed() {
        killed_twice(Guarantee::ExactlyOnce, |first, second, disk| {
            assert_eq!(disk.books, LOG, "killed after {first} steps and then {second}");
        });
    }

    /// The books are in PostgreSQL, the position is kept by the broker: no step can do both.
    #[test]
    fn where_there_are_two_databases_no_step_writes_both() {
        for guarantee in [Guarantee::AtMostOnce, Guarantee::AtLeastOnce] {
            let both: Vec<Step> = steps(guarantee, &LOG.map(|offset| record(offset, 100)))
                .into_iter()
                .filter(|step| matches!(step, Step::BookAndSave(..)))
                .collect();
            assert_eq!(both, [], "{guarantee:?} is for two databases, and these steps need a transaction over both");
        }
    }

    /// The table of the page: a single kill at every point of the run.
    #[test]
    fn of_thirteen_points_seven_are_harmless_and_in_one_transaction_all_seven() {
        let table = [(Guarantee::AtMostOnce, 13, 7), (Guarantee::AtLeastOnce, 13, 7), (Guarantee::ExactlyOnce, 7, 7)];
        for (guarantee, points, harmless) in table {
            let all = Disk::default().run(guarantee, usize::MAX);
            assert_eq!(
                all + 1,
                points,
                "{guarantee:?}: a kill fits before and after each of {all} steps for six records"
            );
            let harms_nobody = |kill_after: &usize| {
                let mut disk = Disk::default();
                disk.run(guarantee, *kill_after);
                disk.run(guarantee, usize::MAX);
                disk.books == LOG
            };
            let found: Vec<usize> = (0..points).filter(harms_nobody).collect();
            assert_eq!(
                found.len(),
                harmless,
                "{guarantee:?}: of {points} points these are harmless: after {found:?} steps"
            );
        }
    }
}

fn batch(session: Session, first: u64, values: &[u64]) -> Batch {
    Batch { session, first: Sequence(first), values: values.to_vec() }
}

/// The messages in the broker's log.
fn messages(broker: &Broker) -> Vec<u64> {
    let batches = broker.log().iter().filter_map(|entry| match entry {
        Entry::Batch(batch) => Some(&batch.values),
        Entry::Opened { .. } => None,
    });
    batches.flatten().copied().collect()
}

mod stage_2_the_broker {
    use super::*;

    #[test]
    fn batches_in_order_are_written_and_get_their_offsets() {
        let mut broker = Broker::default();
        let till = broker.open("till");
        assert_eq!(broker.append(&batch(till, 0, &[10, 11])), Ok(Offset(0)));
        assert_eq!(broker.append(&batch(till, 2, &[12])), Ok(Offset(2)), "the first batch has two messages");
        assert_eq!(broker.append(&batch(till, 3, &[13, 14])), Ok(Offset(3)));
        assert_eq!(messages(&broker), [10, 11, 12, 13, 14]);
    }

    /// The answer was lost, and the till sends again.
    #[test]
    fn a_batch_that_comes_again_is_written_once_and_answered_as_before() {
        let mut broker = Broker::default();
        let till = broker.open("till");
        let first = broker.append(&batch(till, 0, &[10, 11]));
        for _ in 0..3 {
            assert_eq!(broker.append(&batch(till, 0, &[10, 11])), first, "the same question, the same answer");
        }
        assert_eq!(messages(&broker), [10, 11], "it came four times");
    }

    /// Five are under way. All five are written, and all five answers are lost.
    #[test]
    fn each_of_the_last_five_may_come_again() {
        let mut broker = Broker::default();
        let till = broker.open("till");
        let batches: Vec<Batch> = (0..7).map(|n| batch(till, 2 * n, &[n, n])).collect();
        let offsets: Vec<_> = batches.iter().map(|batch| broker.append(batch)).collect();
        for (batch, offset) in batches.iter().zip(offsets).skip(7 - REMEMBERED) {
            assert_eq!(broker.append(batch), offset, "{:?} is one of the last {REMEMBERED}", batch.first);
        }
        assert_eq!(messages(&broker).len(), 14, "seven batches of two");
    }

    #[test]
    fn what_is_not_remembered_is_refused_and_not_written() {
        let mut broker = Broker::default();
        let till = broker.open("till");
        for n in 0..6 {
            broker.append(&batch(till, n, &[n])).expect("in order");
        }
        let again = broker.append(&batch(till, 0, &[0]));
        assert_eq!(again, Err(Refused::OutOfOrder { expected: Sequence(6) }), "five batches came after this one");
        assert_eq!(messages(&broker), [0, 1, 2, 3, 4, 5]);
    }

    /// The batch from 0 was lost on the way, and the one from 2 arrives.
    #[test]
    fn a_batch_after_a_gap_is_refused_until_the_gap_is_filled() {
        let mut broker = Broker::default();
        let till = broker.open("till");
        let early = batch(till, 2, &[12]);
        assert_eq!(broker.append(&early), Err(Refused::OutOfOrder { expected: Sequence(0) }), "0 and 1 are missing");
        broker.append(&batch(till, 0, &[10, 11])).expect("the next");
        assert_eq!(broker.append(&early), Ok(Offset(2)));
        assert_eq!(messages(&broker), [10, 11, 12]);
    }

    /// A producer that cuts its batches anew sends 0 and 1 in one, though 0 was written alone.
    #[test]
    fn a_batch_that_was_cut_anew_is_refused() {
        let mut broker = Broker::default();
        let till = broker.open("till");
        broker.append(&batch(till, 0, &[10])).expect("the first");
        let anew = broker.append(&batch(till, 0, &[10, 11]));
        assert_eq!(anew, Err(Refused::OutOfOrder { expected: Sequence(1) }), "half of it is there already");
        assert_eq!(messages(&broker), [10]);
    }

    /// A producer that cuts its batches anew can also send less than was written: the beginning, the middle or the end.
    #[test]
    fn a_part_of_a_batch_is_not_that_batch() {
        let mut broker = Broker::default();
        let till = broker.open("till");
        broker.append(&batch(till, 0, &[10, 11, 12])).expect("the first");
        for (first, values) in [(0, &[10][..]), (0, &[10, 11]), (1, &[11]), (1, &[11, 12]), (2, &[12])] {
            let part = broker.append(&batch(till, first, values));
            let refused = Err(Refused::OutOfOrder { expected: Sequence(3) });
            assert_eq!(
                part, refused,
                "0 to 2 were written in one batch, and {values:?} from {first} on is a part of it"
            );
        }
        assert_eq!(messages(&broker), [10, 11, 12]);
    }

    /// Two coffees in a row.
    #[test]
    fn equal_messages_with_different_numbers_are_two() {
        let mut broker = Broker::default();
        let till = broker.open("till");
        assert_eq!(broker.append(&batch(till, 0, &[250])), Ok(Offset(0)));
        assert_eq!(broker.append(&batch(till, 1, &[250])), Ok(Offset(1)), "another number, another coffee");
    }

    #[test]
    fn each_producer_has_numbers_of_its_own() {
        let mut broker = Broker::default();
        let (till, web) = (broker.open("till"), broker.open("web"));
        assert_ne!(till.producer, web.producer, "two names, two producers");
        broker.append(&batch(till, 0, &[10, 11])).expect("the till's first");
        assert_eq!(broker.append(&batch(web, 0, &[20])), Ok(Offset(2)), "the web shop's first");
        assert_eq!(broker.append(&batch(till, 2, &[12])), Ok(Offset(3)), "the till's second");
        assert_eq!(broker.append(&batch(web, 0, &[20])), Ok(Offset(2)), "the web shop's first again");
    }

    /// Saturday noon: while five answers to the till are lost, the web shop writes fifty batches.
    #[test]
    fn five_are_remembered_of_each_producer_whoever_writes_in_between() {
        let mut broker = Broker::default();
        let (till, web) = (broker.open("till"), broker.open("web"));
        let offsets: Vec<_> = (0..5).map(|n| broker.append(&batch(till, n, &[n]))).collect();
        for n in 0..50 {
            broker.append(&batch(web, n, &[n])).expect("in order");
        }
        for (n, offset) in (0..5).zip(offsets) {
            let again = broker.append(&batch(till, n, &[n]));
            assert_eq!(again, offset, "batch {n} is one of the till's last five; the other fifty are the web shop's");
        }
        assert_eq!(messages(&broker).len(), 55, "five and fifty, each once");
    }

    #[test]
    fn a_producer_keeps_its_number_and_gets_the_next_epoch() {
        let mut broker = Broker::default();
        let lives: Vec<Session> = ["till", "web", "till", "till"].map(|name| broker.open(name)).to_vec();
        assert_eq!((lives[0].epoch, lives[1].epoch), (Epoch(0), Epoch(0)), "both for the first time");
        assert_eq!((lives[2].epoch, lives[3].epoch), (Epoch(1), Epoch(2)), "the till was started again, twice");
        assert_eq!(
            (lives[2].producer, lives[3].producer),
            (lives[0].producer, lives[0].producer),
            "it is the same till"
        );
    }

    /// The till stops for a minute; its successor is started, and has sent nothing yet. Then the old one goes on.
    #[test]
    fn a_zombie_is_refused_as_soon_as_its_successor_is_there() {
        let mut broker = Broker::default();
        let old = broker.open("till");
        let sent = batch(old, 0, &[10]);
        broker.append(&sent).expect("it is the only one");
        broker.open("till");
        let fenced = Err(Refused::Fenced { current: Epoch(1) });
        assert_eq!(broker.append(&batch(old, 1, &[11])), fenced, "the old till's next");
        assert_eq!(broker.append(&sent), fenced, "what it sends again");
        assert_eq!(broker.append(&batch(old, 5, &[15])), fenced, "what would be a gap");
        assert_eq!(messages(&broker), [10]);
    }

    /// The broker lost the end of its log, and with it a start: the till has an epoch that this broker has yet to hand out.
    #[test]
    fn an_epoch_that_was_never_handed_out_is_refused() {
        let mut broker = Broker::default();
        let till = broker.open("till");
        let ahead = Session { epoch: Epoch(7), ..till };
        let refused = Err(Refused::Fenced { current: Epoch(0) });
        assert_eq!(broker.append(&batch(ahead, 0, &[10])), refused, "it comes with epoch 7, and 0 is the latest");
        assert_eq!(broker.append(&batch(till, 0, &[11])), Ok(Offset(0)), "nothing of the other is remembered");
        assert_eq!(messages(&broker), [11]);
    }

    #[test]
    fn a_new_life_begins_with_0() {
        let mut broker = Broker::default();
        let old = broker.open("till");
        broker.append(&batch(old, 0, &[10, 11])).expect("in order");
        let new = broker.open("till");
        let gap = broker.append(&batch(new, 2, &[12]));
        assert_eq!(gap, Err(Refused::OutOfOrder { expected: Sequence(0) }), "numbers are those of the session");
        assert_eq!(
            broker.append(&batch(new, 0, &[20, 21])),
            Ok(Offset(2)),
            "it is no duplicate of the old till's 0 and 1"
        );
        assert_eq!(messages(&broker), [10, 11, 20, 21]);
    }

    #[test]
    fn a_producer_that_nobody_knows_is_refused() {
        let (mut broker, mut other) = (Broker::default(), Broker::default());
        let till = other.open("till");
        assert_eq!(broker.append(&batch(till, 0, &[10])), Err(Refused::Unknown), "it was started at another broker");
        assert_eq!(broker.log(), []);
    }

    /// The broker writes a batch, and is killed before it answers.
    #[test]
    fn a_restarted_broker_knows_what_the_old_one_knew() {
        let mut broker = Broker::default();
        let (till, web) = (broker.open("till"), broker.open("web"));
        let batches: Vec<Batch> = (0..3).map(|n| batch(till, 2 * n, &[n, n])).collect();
        let offsets: Vec<_> = batches.iter().map(|batch| broker.append(batch)).collect();
        broker.append(&batch(web, 0, &[7])).expect("in order");
        let zombie = broker.open("web");
        let web = broker.open("web");
        let mut broker = Broker::recover(broker.log().to_vec());
        assert_eq!(messages(&broker).len(), 7, "the log is as it was");
        for (batch, offset) in batches.iter().zip(offsets) {
            assert_eq!(broker.append(batch), offset, "{:?} stands in the log", batch.first);
        }
        assert_eq!(broker.append(&batch(till, 6, &[9])), Ok(Offset(7)), "the till's next");
        let fenced = Err(Refused::Fenced { current: web.epoch });
        assert_eq!(broker.append(&batch(zombie, 0, &[8])), fenced, "its successor was started before the crash");
        assert_eq!(broker.open("till"), Session { producer: till.producer, epoch: Epoch(1) }, "its second life");
        let new = broker.open("kiosk").producer;
        assert!(new != till.producer && new != web.producer, "a new name has a new number, not {new:?}");
    }

    /// What it may forget it does forget, however often it is restarted; else its memory grows with the log.
    #[test]
    fn a_restarted_broker_remembers_no_more_than_the_old_one() {
        let mut broker = Broker::default();
        let till = broker.open("till");
        for n in 0..6 {
            broker.append(&batch(till, n, &[n])).expect("in order");
        }
        let mut broker = Broker::recover(broker.log().to_vec());
        let forgotten = broker.append(&batch(till, 0, &[0]));
        assert_eq!(forgotten, Err(Refused::OutOfOrder { expected: Sequence(6) }), "five batches came after this one");
        for n in 1..6 {
            assert_eq!(broker.append(&batch(till, n, &[n])), Ok(Offset(n)), "batch {n} is one of the last five");
        }
    }
}

mod stage_3_the_producer {
    use super::*;

    fn producer(values: u64) -> (Broker, Producer) {
        let mut broker = Broker::default();
        let mut producer = Producer::new(broker.open("till"));
        (0..values).for_each(|value| producer.push(value));
        (broker, producer)
    }

    fn firsts(batches: &[Batch]) -> Vec<u64> {
        batches.iter().map(|batch| batch.first.0).collect()
    }

    #[test]
    fn what_was_pushed_goes_out_in_order_and_in_batches() {
        let (_, mut till) = producer(7);
        let sent = till.poll();
        assert_eq!(firsts(&sent), [0, 3, 6], "7 messages, {BATCH} to a batch");
        assert_eq!(sent.iter().flat_map(|batch| &batch.values).copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(till.poll(), [], "all of it is under way");
        till.push(7);
        let next = till.poll();
        assert_eq!((firsts(&next), &next[0].values), (vec![7], &vec![7]), "one more message was pushed");
    }

    #[test]
    fn a_lost_batch_goes_out_again_exactly_as_it_was() {
        let (_, mut till) = producer(1);
        let sent = till.poll();
        till.push(1);
        till.answered(Sequence(0), Answer::Lost);
        let again = till.poll();
        assert_eq!(again.first(), sent.first(), "the broker may have it: it must look the same");
        assert_eq!(firsts(&again), [0, 1], "the message that came meanwhile follows in a batch of its own");
    }

    #[test]
    fn what_came_too_early_goes_out_again_after_what_was_lost() {
        let (_, mut till) = producer(6);
        let sent = till.poll();
        till.answered(Sequence(3), Answer::Refused(Refused::OutOfOrder { expected: Sequence(0) }));
        till.answered(Sequence(0), Answer::Lost);
        assert_eq!(till.poll(), sent, "both again, the first first");
    }

    #[test]
    fn what_is_accepted_is_done_with_whatever_is_heard_later() {
        let (_, mut till) = producer(9);
        till.poll();
        till.answered(Sequence(3), Answer::Accepted(Offset(3)));
        assert_eq!(till.open(), [0, 1, 2, 6, 7, 8], "3 to 5 are accepted");
        for late in [Answer::Lost, Answer::Refused(Refused::OutOfOrder { expected: Sequence(9) })] {
            till.answered(Sequence(3), late);
            assert_eq!(till.poll(), [], "{late:?} is the answer to an earlier try");
        }
        till.answered(Sequence(0), Answer::Accepted(Offset(0)));
        till.answered(Sequence(0), Answer::Lost);
        assert_eq!((till.poll(), till.open()), (vec![], vec![6, 7, 8]), "0 to 5 are accepted");
    }

    /// It was lost, and sent again. Then comes the answer to the first sending: it had overtaken another batch.
    #[test]
    fn a_late_answer_is_an_answer() {
        let (_, mut till) = producer(6);
        let sent = till.poll();
        till.answered(Sequence(3), Answer::Lost);
        assert_eq!(till.poll(), sent[1..], "the batch from 3 is lost");
        assert_eq!(till.poll(), [], "nothing has been heard since it went out again");
        till.answered(Sequence(3), Answer::Refused(Refused::OutOfOrder { expected: Sequence(0) }));
        assert_eq!(till.poll(), sent[1..], "the batch from 3 was refused, if only its first copy");
    }

    #[test]
    fn no_more_go_out_than_the_broker_remembers() {
        let (_, mut till) = producer(30);
        let all: Vec<u64> = (0..10).map(|n| n * BATCH as u64).collect();
        assert_eq!(firsts(&till.poll()), all[..REMEMBERED], "10 batches wait");
        till.answered(Sequence(0), Answer::Accepted(Offset(0)));
        assert_eq!(firsts(&till.poll()), all[REMEMBERED..=REMEMBERED], "one is accepted, so one more may go");
    }

    /// One message at a time, each sent at once.
    #[test]
    fn the_broker_remembers_batches_however_few_messages_they_have() {
        let (_, mut till) = producer(0);
        for value in 0..REMEMBERED as u64 {
            till.push(value);
            assert_eq!(firsts(&till.poll()), [value], "batches of one message are under way, {value} of them");
        }
        till.push(5);
        assert_eq!(
            till.poll(),
            [],
            "{REMEMBERED} batches are under way, though they have {REMEMBERED} messages in all"
        );
        till.answered(Sequence(0), Answer::Accepted(Offset(0)));
        assert_eq!(firsts(&till.poll()), [5], "one is accepted, so one more may go");
    }

    /// The broker has written all five; the answer to the first is lost. If five more went out, the broker would forget the first, and refuse it for ever.
    #[test]
    fn behind_a_batch_without_an_answer_no_more_than_four_others_go_out() {
        let (mut broker, mut till) = producer(30);
        for sent in till.poll() {
            let offset = broker.append(&sent).expect("in order");
            let lost = sent.first == Sequence(0);
            till.answered(sent.first, if lost { Answer::Lost } else { Answer::Accepted(offset) });
        }
        let next = till.poll();
        assert_eq!(firsts(&next), [0], "the fifth after batch 0 would make the broker forget it");
        assert_eq!(broker.append(&next[0]), Ok(Offset(0)), "it is remembered");
    }

    #[test]
    fn a_fenced_producer_stops_and_says_what_it_does_not_know() {
        let (mut broker, mut till) = producer(7);
        for sent in till.poll() {
            let answer = broker.append(&sent).map_or_else(Answer::Refused, Answer::Accepted);
            till.answered(sent.first, answer);
            if sent.first == Sequence(0) {
                broker.open("till");
            }
        }
        till.push(7);
        assert!(till.stopped(), "its successor has been started");
        assert_eq!((till.poll(), till.open()), (vec![], vec![3, 4, 5, 6, 7]), "only 0 to 2 are known to be accepted");
        let (_, mut lost) = producer(1);
        assert!(!lost.stopped(), "nobody has answered");
        lost.poll();
        lost.answered(Sequence(0), Answer::Refused(Refused::Unknown));
        assert!(lost.stopped() && lost.poll().is_empty(), "the broker does not know its session");
    }

    /// Two batches were written. Then the successor came, the second batch was sent again, and that answer arrives first.
    #[test]
    fn an_acceptance_that_comes_after_the_end_is_noted() {
        let (_, mut till) = producer(9);
        till.poll();
        till.answered(Sequence(3), Answer::Lost);
        till.poll();
        till.answered(Sequence(3), Answer::Refused(Refused::Fenced { current: Epoch(1) }));
        till.answered(Sequence(0), Answer::Accepted(Offset(0)));
        assert_eq!(till.open(), [3, 4, 5, 6, 7, 8], "0 to 2 were accepted before the end");
        till.answered(Sequence(3), Answer::Accepted(Offset(3)));
        assert_eq!((till.stopped(), till.poll(), till.open()), (true, vec![], vec![6, 7, 8]), "and so were 3 to 5");
    }

    /// No answer, so it went out again. Then both are answered: the first copy was written, the second met the successor.
    #[test]
    fn the_end_counts_whichever_batch_it_is_told_about() {
        let (_, mut till) = producer(1);
        till.poll();
        till.answered(Sequence(0), Answer::Lost);
        till.poll();
        till.answered(Sequence(0), Answer::Accepted(Offset(0)));
        till.answered(Sequence(0), Answer::Refused(Refused::Fenced { current: Epoch(1) }));
        till.push(1);
        assert!(till.stopped(), "its successor has been started; that its batch is accepted changes nothing");
        assert_eq!((till.poll(), till.open()), (vec![], vec![1]), "it sends no more, and 1 is not accepted");
    }

    /// The network between the two: what is under way, in both directions.
    #[derive(Default)]
    struct Network {
        requests: Vec<Batch>,
        answers: Vec<(Sequence, Answer)>,
    }

    /// Requests and answers get lost, come twice, late and in any order, and the broker is restarted.
    #[test]
    fn whatever_gets_lost_the_log_has_each_message_once_and_in_order() {
        let sometimes = Sometimes::expect([
            "a batch came again after it was written",
            "a batch overtook another",
            "the broker was restarted with batches under way",
            "the window was full",
        ]);
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let (mut broker, mut till) = producer(0);
            let mut network = Network::default();
            let mut pushed = 0;
            for turn in 0..600 {
                let calm = turn >= 300;
                match rng.random_range(0..10) {
                    0..=1 if pushed < 60 && !calm => {
                        for _ in 0..rng.random_range(1..=5) {
                            till.push(pushed);
                            pushed += 1;
                        }
                    }
                    2..=4 => {
                        let sent = till.poll();
                        sometimes.saw("the window was full", sent.len() == REMEMBERED);
                        for batch in sent {
                            if calm || rng.random_bool(0.8) {
                                network.requests.push(batch);
                            } else {
                                network.answers.push((batch.first, Answer::Lost));
                            }
                        }
                    }
                    5..=7 if !network.requests.is_empty() => {
                        let at = if calm { 0 } else { rng.random_range(0..network.requests.len()) };
                        let batch = network.requests[at].clone();
                        if calm || rng.random_bool(0.8) {
                            network.requests.remove(at);
                        }
                        let written = messages(&broker).len();
                        let answer = broker.append(&batch);
                        sometimes.saw(
                            "a batch came again after it was written",
                            answer.is_ok() && messages(&broker).len() == written,
                        );
                        let early = matches!(answer, Err(Refused::OutOfOrder { expected }) if expected < batch.first);
                        sometimes.saw("a batch overtook another", early);
                        let answer = answer.map_or_else(Answer::Refused, Answer::Accepted);
                        let arrives = calm || rng.random_bool(0.8);
                        network.answers.push((batch.first, if arrives { answer } else { Answer::Lost }));
                    }
                    8 if !network.answers.is_empty() => {
                        let (first, answer) = network.answers.remove(rng.random_range(0..network.answers.len()));
                        till.answered(first, answer);
                    }
                    9 if !calm && rng.random_bool(0.2) => {
                        sometimes.saw("the broker was restarted with batches under way", !network.requests.is_empty());
                        broker = Broker::recover(broker.log().to_vec());
                    }
                    _ => {}
                }
                let log = messages(&broker);
                assert!(
                    log.iter().copied().eq(0..log.len() as u64),
                    "seed {seed}: 0, 1, 2, … were pushed, and the log has {log:?}"
                );
            }
            let mut refused = None;
            for _ in 0..100 {
                refused = None;
                for batch in network.requests.drain(..).chain(till.poll()) {
                    let answer = broker.append(&batch).map_or_else(Answer::Refused, Answer::Accepted);
                    refused = match answer {
                        Answer::Refused(why) => Some(format!("the batch from {} is refused: {why:?}", batch.first.0)),
                        _ => refused,
                    };
                    network.answers.push((batch.first, answer));
                }
                network.answers.drain(..).for_each(|(first, answer)| till.answered(first, answer));
            }
            let (log, open) = (messages(&broker).len() as u64, till.open());
            assert!(
                log == pushed && open.is_empty(),
                "seed {seed}: {log} of {pushed} messages are in the log, and {} are not known to be accepted{}, though nothing was lost in 100 rounds; {}; the broker remembers {REMEMBERED} batches",
                open.len(),
                open.first().map_or_else(String::new, |first| format!(" (the first is {first})")),
                refused.as_deref().unwrap_or("in the last of them none was refused")
            );
        });
    }
}

mod stage_4_on_sqlite {
    use super::*;
    use rusqlite::Connection;
    use std::ffi::OsString;
    use std::fs;
    use std::path::Path;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tempfile::TempDir;

    const P: Partition = Partition(3);

    fn books() -> Books {
        Books::new(Connection::open_in_memory().expect("memory")).expect("new books")
    }

    fn open(dir: &Path) -> Connection {
        let db = Connection::open(dir.join("books.db")).expect("the file can be opened");
        db.busy_timeout(Duration::ZERO).expect("nobody waits");
        db.pragma_update(None, "journal_mode", "WAL").expect("SQLite knows it");
        // The machine does not really lose its power, and the test need not wait for the disk.
        db.pragma_update(None, "synchronous", "OFF").expect("SQLite knows it");
        db
    }

    /// What a process that is killed leaves behind.
    type Files = Vec<(OsString, Vec<u8>)>;

    fn look(dir: &Path) -> Files {
        let entries = fs::read_dir(dir).expect("the directory is there").map(|entry| entry.expect("it can be read"));
        // The index of a write-ahead log lives in memory and is made anew.
        let entries = entries.filter(|entry| !entry.file_name().to_string_lossy().ends_with("-shm"));
        entries.filter_map(|entry| Some((entry.file_name(), fs::read(entry.path()).ok()?))).collect()
    }

    fn restart(files: &Files) -> (TempDir, Books) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, bytes) in files {
            fs::write(dir.path().join(name), bytes).expect("the file is written");
        }
        let books = Books::new(open(dir.path())).expect("the books open again");
        (dir, books)
    }

    /// Something that is done between two instructions of SQLite.
    type Meanwhile = Arc<Mutex<Option<Box<dyn FnMut() + Send>>>>;

    /// A worker on the database in `dir`; whatever is put into the second is done between any two instructions that SQLite executes for it.
    fn watched(dir: &Path) -> (Books, Meanwhile) {
        let meanwhile: Meanwhile = Arc::default();
        let mut db = open(dir);
        let inside = Arc::clone(&meanwhile);
        let handler = move || {
            if let Some(act) = inside.lock().expect("one thread").as_mut() {
                act();
            }
            false
        };
        db.progress_handler(1, Some(handler)).expect("the handler is set");
        (Books::new(db).expect("the books open"), meanwhile)
    }

    #[test]
    fn what_is_booked_is_in_the_account_and_the_position_is_behind_it() {
        let mut books = books();
        assert_eq!(books.position(P), Ok(Offset(0)), "nothing is booked yet");
        let booked = books.book(P, Offset(0), &[record(0, 100), record(1, 50), record(4, -30)]);
        assert_eq!(booked, Ok(Booked::Now(3)));
        assert_eq!((books.total(), books.position(P)), (Ok(120), Ok(Offset(5))), "read on behind 4");
        assert_eq!(books.book(P, Offset(5), &[]), Ok(Booked::Now(0)), "there is nothing new");
        assert_eq!(books.position(P), Ok(Offset(5)));
    }

    #[test]
    fn the_position_outlives_the_process() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for day in 0..3 {
            let mut books = Books::new(open(dir.path())).expect("the books open");
            assert_eq!(books.position(P), Ok(Offset(day)), "day {day}");
            assert_eq!(books.book(P, Offset(day), &[record(day, 100)]), Ok(Booked::Now(1)), "day {day}");
        }
        let books = Books::new(open(dir.path())).expect("the books open");
        assert_eq!(books.total(), Ok(300), "three days at 100");
    }

    #[test]
    fn each_partition_has_a_position_of_its_own() {
        let mut books = books();
        let (left, right) = (Partition(0), Partition(1));
        books.book(left, Offset(0), &[record(0, 100), record(1, 100)]).expect("booked");
        assert_eq!(books.position(right), Ok(Offset(0)), "only the left one was read");
        assert_eq!(books.book(right, Offset(0), &[record(0, 100)]), Ok(Booked::Now(1)));
        assert_eq!((books.position(left), books.position(right)), (Ok(Offset(2)), Ok(Offset(1))));
        assert_eq!(books.total(), Ok(300));
    }

    /// A worker that was thought dead fetched 0 to 2 before its successor booked 0 to 3.
    #[test]
    fn what_is_booked_is_not_booked_again_and_the_position_never_goes_back() {
        let mut books = books();
        books.book(P, Offset(0), &[0, 1].map(|at| record(at, 100))).expect("booked");
        assert_eq!(
            books.book(P, Offset(0), &[0, 1, 2, 3].map(|at| record(at, 100))),
            Ok(Booked::Now(2)),
            "2 and 3 are new"
        );
        assert_eq!(
            books.book(P, Offset(0), &[0, 1, 2].map(|at| record(at, 100))),
            Ok(Booked::Now(0)),
            "0 to 3 are booked"
        );
        assert_eq!((books.total(), books.position(P)), (Ok(400), Ok(Offset(4))), "four records at 100");
    }

    /// The transaction with 0 to 2 failed, and the worker goes on with what it fetched next.
    #[test]
    fn a_gap_is_refused() {
        let mut books = books();
        let gap = books.book(P, Offset(3), &[record(3, 100)]);
        assert_eq!(gap, Ok(Booked::Gap { position: Offset(0) }), "0 to 2 are not booked");
        let nothing = books.book(P, Offset(3), &[]);
        assert_eq!(nothing, Ok(Booked::Gap { position: Offset(0) }), "3 is still no place to read on from");
        assert_eq!((books.total(), books.position(P)), (Ok(0), Ok(Offset(0))));
        books.book(P, Offset(0), &[0, 1, 2].map(|at| record(at, 100))).expect("booked");
        assert_eq!(books.book(P, Offset(3), &[record(5, 100)]), Ok(Booked::Now(1)), "3 and 4 are empty");
    }

    /// The account would be at -50 after the second record.
    #[test]
    fn records_that_fail_leave_nothing_behind() {
        let mut books = books();
        let failed = books.book(P, Offset(0), &[record(0, 100), record(1, -150), record(2, 200)]);
        assert!(failed.is_err(), "100 less 150 is below zero, and the answer is {failed:?}");
        assert_eq!((books.total(), books.position(P)), (Ok(0), Ok(Offset(0))), "none of the three is booked");
        assert_eq!(books.book(P, Offset(0), &[record(0, 100)]), Ok(Booked::Now(1)), "the first one alone can be");
    }

    #[test]
    fn killed_at_any_moment_each_record_is_booked_once() {
        let sometimes = Sometimes::expect(["killed before it was booked", "killed after it was booked"]);
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (mut books, meanwhile) = watched(dir.path());
        books.book(P, Offset(0), &[record(0, 1_000)]).expect("booked");
        let moments: Arc<Mutex<Vec<Files>>> = Arc::default();
        let (path, into) = (dir.path().to_owned(), Arc::clone(&moments));
        *meanwhile.lock().expect("one thread") = Some(Box::new(move || {
            let (mut moments, files) = (into.lock().expect("one thread"), look(&path));
            if moments.last() != Some(&files) {
                moments.push(files);
            }
        }));
        let records = [record(1, 100), record(2, 10), record(3, 1)];
        assert_eq!(books.book(P, Offset(1), &records), Ok(Booked::Now(3)));
        *meanwhile.lock().expect("one thread") = None;
        moments.lock().expect("one thread").push(look(dir.path()));
        for (n, files) in moments.lock().expect("one thread").iter().enumerate() {
            let (_dir, mut books) = restart(files);
            let before = (books.total().expect("the account"), books.position(P).expect("the position"));
            sometimes.saw("killed before it was booked", before.0 == 1_000);
            sometimes.saw("killed after it was booked", before.0 == 1_111);
            let rest: Vec<Record> = records.into_iter().filter(|record| record.offset >= before.1).collect();
            books.book(P, before.1, &rest).expect("the rest is booked");
            assert_eq!(
                books.total(),
                Ok(1_111),
                "killed at moment {n}, it had {before:?}, and booked {rest:?} after the restart"
            );
        }
    }

    /// Two workers have fetched the same records. The second books at every moment of the first, in turn. Who is told that the database
    /// is busy tries again.
    #[test]
    fn two_workers_at_once_book_each_record_once() {
        let sometimes = Sometimes::expect(["the other one tried in the middle"]);
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (mut ours, meanwhile) = watched(dir.path());
        let theirs = Arc::new(Mutex::new(Books::new(open(dir.path())).expect("a second connection")));
        for moment in 0..1_000 {
            let from = ours.position(P).expect("the position");
            let records = [record(from.0, 10), record(from.0 + 1, 1)];
            let (other, calls, result) = (Arc::clone(&theirs), Arc::new(Mutex::new(0)), Arc::new(Mutex::new(None)));
            let (count, answer) = (Arc::clone(&calls), Arc::clone(&result));
            *meanwhile.lock().expect("one thread") = Some(Box::new(move || {
                let mut count = count.lock().expect("one thread");
                if *count == moment {
                    let booked = other.lock().expect("one thread").book(P, from, &records);
                    *answer.lock().expect("one thread") = Some(booked);
                }
                *count += 1;
            }));
            let first = ours.book(P, from, &records);
            *meanwhile.lock().expect("one thread") = None;
            let tried = result.lock().expect("one thread").take();
            sometimes.saw("the other one tried in the middle", tried.is_some());
            if first.is_err() {
                ours.book(P, from, &records).expect("nobody else is writing now");
            }
            let done = tried.is_none();
            if !matches!(tried, Some(Ok(_))) {
                theirs.lock().expect("one thread").book(P, from, &records).expect("nobody else is writing now");
            }
            let (total, position) = (ours.total().expect("the account"), ours.position(P).expect("the position"));
            assert!(
                (total, position) == (11 * (moment + 1), Offset(from.0 + 2)),
                "the other worker booked at moment {moment}: the account has {total} instead of {}, and the position is {position:?}",
                11 * (moment + 1)
            );
            if done {
                break;
            }
        }
    }
}
