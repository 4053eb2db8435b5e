//! Stage 1: what an explanation is. Stage 2: the search for one. Stage 3: session guarantees. Stage 4: the budget.

use history_checker::Order::{PerClient, RealTime};
use history_checker::{
    Access, Breach, Budget, Client, Did, Guarantee, History, Key, Malformed, Op, Operation, Order, Ret, Store, Verdict,
    WriteId, breaches, explains,
};
use kit::rand::RngExt as _;
use kit::{Seed, Sometimes, for_seeds};
use std::collections::{BTreeMap, BTreeSet};

/// More than any history here needs that is not meant to exhaust it.
const PLENTY: Budget = Budget(2_000_000);

fn write(client: char, key: char, value: u32, called: u64, returned: u64) -> Operation {
    let op = Op::Write(Key(key), value);
    Operation { client: Client(client), op, called, returned: Some((returned, Ret::Done)) }
}

fn unanswered_write(client: char, key: char, value: u32, called: u64) -> Operation {
    Operation { client: Client(client), op: Op::Write(Key(key), value), called, returned: None }
}

fn read(client: char, key: char, saw: Option<u32>, called: u64, returned: u64) -> Operation {
    let op = Op::Read(Key(key));
    Operation { client: Client(client), op, called, returned: Some((returned, Ret::Value(saw))) }
}

fn shift(client: char, from: char, to: char, called: u64, returned: u64) -> Operation {
    let op = Op::Move { from: Key(from), to: Key(to) };
    Operation { client: Client(client), op, called, returned: Some((returned, Ret::Done)) }
}

fn history(operations: &[Operation]) -> History {
    History::new(operations.to_vec()).unwrap_or_else(|why| panic!("{why:?} in {operations:?}"))
}

#[track_caller]
fn demand(operations: &[Operation], order: Order, expected: Verdict, because: &str) {
    let history = history(operations);
    let verdict = history.check(order, PLENTY);
    assert!(verdict == expected, "{verdict:?} in {order:?}, but {because}:\n{history}");
}

#[track_caller]
fn linearizable(operations: &[Operation], because: &str) {
    demand(operations, RealTime, Verdict::Explained, because);
}

#[track_caller]
fn not_linearizable(operations: &[Operation], because: &str) {
    demand(operations, RealTime, Verdict::Impossible, because);
}

mod stage_1_explanations {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn an_answer_comes_after_its_question() {
        let odd = [write('a', 'x', 1, 0, 1), read('b', 'x', None, 7, 5)];
        assert_eq!(History::new(odd.to_vec()), Err(Malformed::EndsBeforeItBegins { index: 1 }));
        let at_once = History::new(vec![read('a', 'x', None, 5, 5)]);
        assert_eq!(
            at_once,
            Err(Malformed::EndsBeforeItBegins { index: 0 }),
            "called at 5, returned at 5: not after it"
        );
    }

    #[test]
    fn a_client_does_one_thing_at_a_time() {
        let operations = [read('a', 'x', None, 4, 9), write('b', 'x', 1, 5, 8), write('a', 'y', 2, 0, 6)];
        let refused = Err(Malformed::Overlap { earlier: 2, later: 0 });
        assert_eq!(History::new(operations.to_vec()), refused, "a called read x at 4, its write y was open until 6");
        let after = [write('a', 'y', 2, 0, 3), read('a', 'x', None, 4, 9), write('b', 'x', 1, 5, 8)];
        assert!(History::new(after.to_vec()).is_ok(), "one after the other, and b is somebody else");
        let at_once = History::new(vec![write('a', 'x', 1, 0, 5), write('a', 'y', 2, 0, 6)]);
        assert_eq!(at_once, Err(Malformed::Overlap { earlier: 0, later: 1 }), "a called two at the same moment");
    }

    /// A client's write timed out and it goes on. Its write may still take effect later, so it is not over.
    #[test]
    fn a_client_who_never_heard_back_goes_on_under_another_name() {
        let operations = [unanswered_write('a', 'x', 1, 0), read('a', 'x', None, 5, 6)];
        assert_eq!(History::new(operations.to_vec()), Err(Malformed::Overlap { earlier: 0, later: 1 }));
        assert!(History::new(vec![operations[0], read('b', 'x', None, 5, 6)]).is_ok());
        let asked = Operation { returned: None, ..read('a', 'x', None, 0, 1) };
        let refused = History::new(vec![asked, write('a', 'x', 1, 5, 6)]);
        assert_eq!(
            refused,
            Err(Malformed::Overlap { earlier: 0, later: 1 }),
            "a read that was not answered is open too"
        );
    }

    #[test]
    fn what_returned_before_another_was_called_precedes_it() {
        let (a, b, c) = (write('a', 'x', 1, 0, 3), write('b', 'x', 2, 2, 5), read('c', 'x', Some(2), 4, 6));
        assert!(RealTime.precedes(&a, &c), "a returned at 3, c was called at 4");
        assert!(!RealTime.precedes(&c, &a));
        assert!(!RealTime.precedes(&a, &b) && !RealTime.precedes(&b, &a), "b was called at 2, while a was open");
        assert!(RealTime.precedes(&a, &read('c', 'y', None, 4, 6)), "real time does not ask for keys");
    }

    #[test]
    fn what_never_returned_precedes_nothing() {
        let (open, after) = (unanswered_write('a', 'x', 1, 0), read('b', 'x', None, 100, 101));
        assert!(!RealTime.precedes(&open, &after), "it may take effect later still");
        let before = write('c', 'x', 2, 5, 6);
        let late = unanswered_write('a', 'x', 1, 7);
        assert!(RealTime.precedes(&before, &late), "but it cannot have taken effect before it was called");
    }

    #[test]
    fn clients_of_a_sequentially_consistent_store_have_no_common_clock() {
        let (early, late) = (write('a', 'x', 1, 0, 1), read('b', 'x', None, 50, 51));
        assert!(!PerClient.precedes(&early, &late), "two clients");
        assert!(PerClient.precedes(&early, &read('a', 'y', None, 2, 3)), "one client, whatever the keys");
        assert!(!PerClient.precedes(&read('a', 'y', None, 2, 3), &early));
    }

    fn holds(pairs: &[(char, u32)]) -> Store {
        Store(pairs.iter().map(|&(key, value)| (Key(key), value)).collect())
    }

    #[test]
    fn a_key_holds_what_was_written_last() {
        let store = holds(&[('x', 1), ('y', 5)]);
        let after = store.apply(&Op::Write(Key('x'), 2), Some(&Ret::Done));
        assert_eq!(after, Some(holds(&[('x', 2), ('y', 5)])));
        assert_eq!(store.apply(&Op::Read(Key('x')), Some(&Ret::Value(Some(1)))), Some(store.clone()));
        assert_eq!(store.apply(&Op::Read(Key('x')), Some(&Ret::Value(Some(2)))), None, "it holds 1");
        assert_eq!(store.apply(&Op::Read(Key('x')), Some(&Ret::Value(None))), None, "it is not empty");
        assert_eq!(store.apply(&Op::Read(Key('z')), Some(&Ret::Value(None))), Some(store.clone()), "z is");
    }

    #[test]
    fn a_move_empties_one_key_and_fills_the_other() {
        let go = |store: &Store, from, to| store.apply(&Op::Move { from: Key(from), to: Key(to) }, Some(&Ret::Done));
        let store = holds(&[('x', 1), ('y', 5)]);
        assert_eq!(go(&store, 'x', 'y'), Some(holds(&[('y', 1)])));
        assert_eq!(go(&store, 'z', 'x'), Some(holds(&[('y', 5)])), "nothing was moved onto x");
        assert_eq!(go(&store, 'x', 'x'), Some(store.clone()), "to itself");
    }

    #[test]
    fn who_never_heard_back_could_have_been_told_anything() {
        let store = holds(&[('x', 1)]);
        assert_eq!(store.apply(&Op::Read(Key('x')), None), Some(store.clone()));
        assert_eq!(store.apply(&Op::Write(Key('x'), 2), None), Some(holds(&[('x', 2)])));
        assert_eq!(store.apply(&Op::Move { from: Key('x'), to: Key('y') }, None), Some(holds(&[('y', 1)])));
    }

    #[test]
    fn an_answer_to_another_question_is_impossible() {
        let store = holds(&[('x', 1)]);
        assert_eq!(store.apply(&Op::Read(Key('x')), Some(&Ret::Done)), None);
        assert_eq!(store.apply(&Op::Write(Key('x'), 1), Some(&Ret::Value(Some(1)))), None);
        let shift = Op::Move { from: Key('y'), to: Key('z') };
        assert_eq!(store.apply(&shift, Some(&Ret::Value(None))), None, "nothing to move, and still not a read");
    }

    #[test]
    fn an_explanation_leaves_out_only_what_was_never_answered() {
        let seen =
            history(&[unanswered_write('a', 'x', 1, 0), write('b', 'x', 2, 1, 4), read('c', 'x', Some(1), 5, 6)]);
        assert!(explains(&seen, RealTime, &[1, 0, 2]), "a's write took effect after b's:\n{seen}");
        assert!(!explains(&seen, RealTime, &[0, 1, 2]), "then c would have read 2:\n{seen}");
        assert!(!explains(&seen, RealTime, &[0, 2]), "b was answered, so its write happened:\n{seen}");
        for twice in [[1, 0, 2, 2], [0, 1, 0, 2]] {
            assert!(!explains(&seen, RealTime, &twice), "{twice:?}: each happened once, answered or not:\n{seen}");
        }
        assert!(!explains(&seen, RealTime, &[1, 0, 2, 3]), "there is no place 3:\n{seen}");
        let writes = history(&[write('a', 'x', 1, 0, 9), write('b', 'y', 1, 0, 9)]);
        assert!(!explains(&writes, RealTime, &[0, 1, 0]), "a wrote once:\n{writes}");
        let unseen = history(&[unanswered_write('a', 'x', 1, 0), read('c', 'x', None, 5, 6)]);
        assert!(explains(&unseen, RealTime, &[1]), "a's write may never have happened:\n{unseen}");
    }

    #[test]
    fn an_explanation_keeps_the_order() {
        let stale = history(&[write('a', 'x', 1, 0, 1), read('b', 'x', None, 2, 3)]);
        assert!(!explains(&stale, RealTime, &[1, 0]), "the write returned before the read was called:\n{stale}");
        assert!(explains(&stale, PerClient, &[1, 0]), "two clients, no common clock:\n{stale}");
        let own = history(&[write('a', 'x', 1, 0, 1), read('a', 'x', None, 2, 3)]);
        assert!(!explains(&own, PerClient, &[1, 0]), "but a has its own:\n{own}");
        let far = history(&[write('a', 'x', 1, 0, 1), write('b', 'y', 1, 0, 9), write('c', 'x', 2, 2, 3)]);
        assert!(
            !explains(&far, RealTime, &[2, 1, 0]),
            "a returned before c was called, whoever stands between:\n{far}"
        );
        assert!(
            explains(&far, RealTime, &[0, 1, 2]) && explains(&far, RealTime, &[1, 0, 2]),
            "b overlaps both:\n{far}"
        );
        let early = history(&[read('b', 'x', Some(1), 0, 1), unanswered_write('a', 'x', 1, 5)]);
        assert!(
            !explains(&early, RealTime, &[1, 0]),
            "what was never answered was still not called before 5:\n{early}"
        );
    }
}

mod stage_2_search {
    use super::*;

    #[test]
    fn overlapping_writes_may_be_ordered_either_way() {
        let writes = [write('a', 'x', 1, 0, 9), write('b', 'x', 2, 1, 8)];
        let reads = |first, second| [writes[0], writes[1], read('c', 'x', first, 2, 3), read('c', 'x', second, 4, 5)];
        linearizable(&reads(Some(2), Some(1)), "first b's, then a's is one order");
        linearizable(&reads(Some(1), Some(2)), "first a's, then b's is another");
        linearizable(&reads(None, Some(1)), "neither, then a's, then b's");
        not_linearizable(&reads(Some(1), None), "no order empties x again");
    }

    #[test]
    fn a_read_after_a_write_returned_must_see_it() {
        let stale = [write('a', 'x', 1, 0, 1), read('b', 'x', None, 2, 3)];
        not_linearizable(&stale, "the write had returned when the read was called");
        let overlapping = [write('a', 'x', 1, 0, 2), read('b', 'x', None, 1, 3)];
        linearizable(&overlapping, "the read was called while the write was open");
    }

    /// The write is still open. One reader has seen it, a later one has not: it took effect and then it had not.
    #[test]
    fn what_one_reader_saw_no_later_reader_unsees() {
        let seen = [write('a', 'x', 1, 0, 9), read('b', 'x', Some(1), 1, 2), read('c', 'x', None, 3, 4)];
        not_linearizable(&seen, "b returned 1 before c was called");
        let overlapping = [write('a', 'x', 1, 0, 9), read('b', 'x', Some(1), 1, 4), read('c', 'x', None, 3, 5)];
        linearizable(&overlapping, "c was called while b was open");
    }

    #[test]
    fn readers_must_agree_on_one_order_of_overlapping_writes() {
        let disagree = [
            write('a', 'x', 1, 0, 20),
            write('b', 'x', 2, 0, 20),
            read('c', 'x', Some(1), 1, 3),
            read('c', 'x', Some(2), 5, 7),
            read('d', 'x', Some(2), 2, 4),
            read('d', 'x', Some(1), 6, 8),
        ];
        not_linearizable(&disagree, "c saw 1 then 2, d saw 2 then 1, and each was written once");
    }

    #[test]
    fn a_write_without_an_answer_may_have_happened_or_not() {
        let (open, seen, unseen) =
            (unanswered_write('a', 'x', 1, 0), read('b', 'x', Some(1), 5, 6), read('b', 'x', None, 5, 6));
        linearizable(&[open, seen], "it may have happened");
        linearizable(&[open, unseen], "it may not have happened");
        let later = |saw| read('c', 'x', saw, 7, 8);
        linearizable(&[open, unseen, later(Some(1))], "it may have happened between the reads");
        not_linearizable(&[open, seen, later(None)], "it cannot unhappen");
        let before = [read('b', 'x', Some(1), 5, 6), unanswered_write('a', 'x', 1, 7)];
        not_linearizable(&before, "nor happen before it was asked for");
    }

    /// Two writes time out. One reader sees both, one after the other; which of them was called first says nothing.
    #[test]
    fn two_writes_without_an_answer_may_take_effect_in_either_order() {
        for (one, two) in [(0, 1), (1, 0)] {
            let open = [unanswered_write('a', 'x', 1, one), unanswered_write('b', 'x', 2, two)];
            let saw = [read('c', 'x', Some(2), 5, 6), read('c', 'x', Some(1), 7, 8)];
            linearizable(&[open, saw].concat(), "b's 2, then a's 1");
        }
    }

    /// The length of a history is no limit: three hundred writes in a row, and a reader who is one write late.
    #[test]
    fn a_long_history_is_judged_like_a_short_one() {
        let mut line: Vec<Operation> = (0..300).map(|i| write('a', 'x', i as u32, 2 * i, 2 * i + 1)).collect();
        line.push(read('b', 'x', Some(298), 700, 701));
        for (order, expected) in [(RealTime, Verdict::Impossible), (PerClient, Verdict::Explained)] {
            let verdict = history(&line).check(order, PLENTY);
            assert!(
                verdict == expected,
                "{verdict:?} in {order:?}: 300 writes in a row, the last of 299, then b reads 298"
            );
        }
        line.pop();
        assert!(history(&line).check(RealTime, PLENTY).passes(), "300 writes in a row");
    }

    #[test]
    fn a_value_that_nobody_wrote_cannot_be_read() {
        not_linearizable(&[write('a', 'x', 1, 0, 5), read('b', 'x', Some(7), 1, 4)], "nobody wrote 7");
    }

    #[test]
    fn an_old_value_may_come_back_if_it_is_written_again() {
        let again = [
            write('a', 'x', 1, 0, 1),
            write('b', 'x', 2, 2, 9),
            write('c', 'x', 1, 3, 8),
            read('d', 'x', Some(2), 4, 5),
            read('d', 'x', Some(1), 6, 7),
        ];
        linearizable(&again, "a's 1, b's 2, c's 1");
    }

    /// Linearizability is local: if every key is linearizable alone, all of them are together.
    #[test]
    fn keys_that_no_operation_joins_are_parts_of_their_own() {
        let operations = [
            write('a', 'x', 1, 0, 1),
            write('b', 'y', 2, 0, 1),
            shift('c', 'u', 'v', 0, 1),
            read('a', 'x', Some(1), 2, 3),
            shift('b', 'v', 'w', 2, 3),
            read('c', 'w', None, 4, 5),
        ];
        let mut found: Vec<BTreeSet<Key>> = vec![];
        for part in history(&operations).parts() {
            found.push(part.operations().iter().flat_map(|operation| operation.op.keys()).collect());
        }
        found.sort();
        let keys = |names: &str| names.chars().map(Key).collect::<BTreeSet<_>>();
        assert_eq!(found, [keys("uvw"), keys("x"), keys("y")], "u and v are joined by one move, v and w by another");
        let kept: usize = history(&operations).parts().iter().map(|part| part.operations().len()).sum();
        assert_eq!(kept, operations.len(), "every operation is in one part");
    }

    /// Judged key by key, nothing is wrong: x was given away, y was empty all along. Together the 1 is gone.
    #[test]
    fn a_move_joins_its_keys_into_one_object() {
        let lost = [
            write('a', 'x', 1, 0, 1),
            shift('b', 'x', 'y', 2, 3),
            read('c', 'x', None, 4, 5),
            read('c', 'y', None, 6, 7),
        ];
        not_linearizable(&lost, "what left x must be in y");
        let doubled = [
            write('a', 'x', 1, 0, 1),
            shift('b', 'x', 'y', 2, 9),
            read('c', 'y', Some(1), 3, 4),
            read('c', 'x', Some(1), 5, 6),
        ];
        not_linearizable(&doubled, "the move was seen at y, and then not at x");
        let fine = [write('a', 'x', 1, 0, 1), shift('b', 'x', 'y', 2, 3), read('c', 'y', Some(1), 4, 5)];
        linearizable(&fine, "the 1 went from x to y");
    }

    /// Sequential consistency forgives what real time does not …
    #[test]
    fn a_stale_read_can_be_sequentially_consistent() {
        let stale = [write('a', 'x', 1, 0, 1), read('b', 'x', None, 2, 3)];
        demand(&stale, PerClient, Verdict::Explained, "b's read may be put before a's write");
        let own = [write('a', 'x', 1, 0, 1), read('a', 'x', None, 2, 3)];
        demand(&own, PerClient, Verdict::Impossible, "a reads its own write");
        let back = [write('a', 'x', 1, 0, 1), read('b', 'x', Some(1), 2, 3), read('b', 'x', None, 4, 5)];
        demand(&back, PerClient, Verdict::Impossible, "b saw the write and then did not");
    }

    /// … but it is not local. Each key alone is in order; no order of all four operations is.
    #[test]
    fn two_keys_in_order_alone_can_be_out_of_order_together() {
        let (a1, a2) = (write('a', 'x', 1, 0, 1), read('a', 'y', None, 4, 5));
        let (b1, b2) = (write('b', 'y', 1, 2, 3), read('b', 'x', None, 6, 7));
        demand(&[a1, b2], PerClient, Verdict::Explained, "b's read of x may come before a's write");
        demand(&[b1, a2], PerClient, Verdict::Explained, "a's read of y may come before b's write");
        let because = "write x, read y, write y, read x, write x: whichever you begin with, you come round to it";
        demand(&[a1, a2, b1, b2], PerClient, Verdict::Impossible, because);
    }

    /// Clients draw operations, a correct store serves them at random moments while they are open, and now and then an
    /// answer is replaced by another or lost.
    fn random(seed: Seed, clients: usize, most: usize, moves: bool) -> Vec<Operation> {
        let mut rng = seed.rng();
        let mut store: BTreeMap<Key, u32> = BTreeMap::new();
        let mut operations: Vec<Operation> = vec![];
        let mut open: Vec<Option<(usize, Option<Ret>)>> = vec![None; clients]; // and how it was served
        let mut gone = vec![false; clients];
        let mut now = 0;
        while open.iter().any(Option::is_some) || operations.len() < most && gone.contains(&false) {
            now += 1;
            let who = rng.random_range(0..clients);
            match open[who] {
                None if operations.len() < most && !gone[who] => {
                    let key = |rng: &mut kit::Rng| Key(['x', 'y'][rng.random_range(0..2)]);
                    let op = match rng.random_range(0..if moves { 6 } else { 5 }) {
                        0..3 => Op::Read(key(&mut rng)),
                        3..5 => Op::Write(key(&mut rng), rng.random_range(1..4)),
                        _ => Op::Move { from: key(&mut rng), to: key(&mut rng) },
                    };
                    open[who] = Some((operations.len(), None));
                    let client = Client(char::from(b'a' + who as u8));
                    operations.push(Operation { client, op, called: now, returned: None });
                }
                None => {}
                Some((index, None)) => {
                    let ret = match operations[index].op {
                        Op::Read(key) if rng.random_bool(0.15) => Ret::Value(
                            [None, Some(1), Some(2), Some(3), store.get(&key).copied()][rng.random_range(0..5)],
                        ),
                        Op::Read(key) => Ret::Value(store.get(&key).copied()),
                        Op::Write(key, value) => {
                            if !rng.random_bool(0.1) {
                                store.insert(key, value);
                            }
                            Ret::Done
                        }
                        Op::Move { from, to } => {
                            let taken = store.remove(&from);
                            match taken {
                                Some(value) => _ = store.insert(to, value),
                                None => _ = store.remove(&to),
                            }
                            Ret::Done
                        }
                    };
                    open[who] = Some((index, Some(ret)));
                }
                Some((index, Some(ret))) => {
                    if rng.random_bool(0.1) {
                        gone[who] = true; // never hears back
                    } else {
                        operations[index].returned = Some((now, ret));
                    }
                    open[who] = None;
                }
            }
        }
        operations
    }

    /// The whole store as one object, for the kit's checker.
    struct Whole;

    impl kit::history::Spec for Whole {
        type Op = Op;
        type Ret = Ret;
        type State = BTreeMap<Key, u32>;
        type Key = ();

        fn init() -> Self::State {
            BTreeMap::new()
        }

        fn key(_: &Op) {}

        fn apply(state: &Self::State, op: &Op, ret: Option<&Ret>) -> Option<Self::State> {
            let mut next = state.clone();
            let expected = match *op {
                Op::Read(key) => Ret::Value(state.get(&key).copied()),
                Op::Write(key, value) => {
                    next.insert(key, value);
                    Ret::Done
                }
                Op::Move { from, to } => {
                    let taken = next.remove(&from);
                    next.remove(&to);
                    next.extend(taken.map(|value| (to, value)));
                    Ret::Done
                }
            };
            (ret.is_none() || ret == Some(&expected)).then_some(next)
        }
    }

    /// What another checker, written by somebody else, says of the same history.
    fn second_opinion(operations: &[Operation]) -> Verdict {
        let mut history = kit::history::History::<Whole>::default();
        for Operation { client, op, called, returned } in operations {
            let moment = kit::history::moment;
            history.add(client.to_string(), *op, moment(*called), returned.map(|(at, ret)| (moment(at), ret)));
        }
        match history.check(kit::history::Budget::default()) {
            kit::history::Verdict::Linearizable => Verdict::Explained,
            kit::history::Verdict::Violated(_) => Verdict::Impossible,
            kit::history::Verdict::Inconclusive(_) => panic!("these histories are small"),
        }
    }

    #[test]
    fn it_agrees_with_another_checker_on_random_histories() {
        let seen = Sometimes::expect(["one was explained", "one was impossible", "an answer was missing"]);
        for moves in [false, true] {
            for_seeds(400, |seed| {
                let operations = random(seed, 3, 8, moves);
                let expected = second_opinion(&operations);
                let history = history(&operations);
                let verdict = history.check(RealTime, PLENTY);
                assert!(verdict == expected, "{verdict:?}, the kit's checker says {expected:?}:\n{history}");
                seen.saw("one was explained", expected == Verdict::Explained);
                seen.saw("one was impossible", expected == Verdict::Impossible);
                seen.saw("an answer was missing", operations.iter().any(|operation| operation.returned.is_none()));
            });
        }
    }

    /// Every way to put some of the operations into a sequence, tried one by one.
    fn by_hand(operations: &[Operation], order: Order, placed: &mut Vec<usize>, state: &BTreeMap<Key, u32>) -> bool {
        let open: Vec<usize> = (0..operations.len()).filter(|index| !placed.contains(index)).collect();
        if open.iter().all(|&index| operations[index].returned.is_none()) {
            return true;
        }
        let waits = |a: &Operation, b: &Operation| match order {
            PerClient => a.client == b.client && a.called < b.called,
            RealTime => a.returned.is_some_and(|(at, _)| at < b.called),
        };
        open.iter().any(|&next| {
            let free = open.iter().all(|&other| !waits(&operations[other], &operations[next]));
            let Operation { op, returned, .. } = &operations[next];
            let ret = returned.as_ref().map(|(_, ret)| ret);
            let after = free.then(|| <Whole as kit::history::Spec>::apply(state, op, ret)).flatten();
            after.is_some_and(|after| {
                placed.push(next);
                let explained = by_hand(operations, order, placed, &after);
                placed.pop();
                explained
            })
        })
    }

    #[test]
    fn sequential_consistency_agrees_with_trying_every_order() {
        let seen = Sometimes::expect(["in order, but not in real time", "not even in order"]);
        for_seeds(400, |seed| {
            let operations = random(seed, 3, 6, true);
            let explained = by_hand(&operations, PerClient, &mut vec![], &BTreeMap::new());
            let expected = if explained { Verdict::Explained } else { Verdict::Impossible };
            let history = history(&operations);
            let verdict = history.check(PerClient, PLENTY);
            assert!(verdict == expected, "{verdict:?}, trying every order says {expected:?}:\n{history}");
            let linear = by_hand(&operations, RealTime, &mut vec![], &BTreeMap::new());
            seen.saw("in order, but not in real time", explained && !linear);
            seen.saw("not even in order", !explained);
        });
    }
}

mod stage_3_sessions {
    use super::*;
    use Guarantee::{MonotonicReads, MonotonicWrites, ReadYourWrites, WritesFollowReads};

    fn wrote(session: char, key: char, id: u32) -> Access {
        Access { session: Client(session), key: Key(key), did: Did::Wrote(WriteId(id)) }
    }

    fn reads<const N: usize>(session: char, key: char, log: [u32; N]) -> Access {
        Access { session: Client(session), key: Key(key), did: Did::Read(log.map(WriteId).to_vec()) }
    }

    fn breach(guarantee: Guarantee, earlier: usize, later: usize, shown: usize) -> Breach {
        Breach { guarantee, earlier, later, shown }
    }

    #[track_caller]
    fn demand<const N: usize>(accesses: &[Access], expected: [Breach; N]) {
        let (found, expected) = (breaches(accesses), BTreeSet::from(expected));
        let (missing, wrong): (Vec<_>, Vec<_>) =
            (expected.difference(&found).collect(), found.difference(&expected).collect());
        assert!(found == expected, "not found: {missing:?}; found, and no breach: {wrong:?}; in\n{}", told(accesses));
    }

    /// One line for each access.
    fn told(accesses: &[Access]) -> String {
        let line = |(place, Access { session, key, did }): (usize, &Access)| match did {
            Did::Wrote(id) => format!("  {place}  {session} wrote {id} to {key}\n"),
            Did::Read(log) => format!("  {place}  {session} read {key} at a replica that had applied {log:?}\n"),
        };
        accesses.iter().enumerate().map(line).collect()
    }

    #[test]
    fn a_session_at_one_replica_is_kept_every_promise() {
        let accesses = [
            wrote('a', 'x', 1),
            reads('a', 'x', [1]),
            wrote('b', 'y', 2),
            reads('b', 'x', [1, 2]),
            wrote('a', 'y', 3),
            reads('b', 'y', [1, 2, 3]),
        ];
        demand(&accesses, []);
    }

    /// Anna changes her password at one replica and logs in at another.
    #[test]
    fn a_session_reads_its_own_writes() {
        demand(&[wrote('a', 'x', 1), reads('a', 'x', [])], [breach(ReadYourWrites, 0, 1, 1)]);
        demand(&[wrote('a', 'x', 1), reads('b', 'x', [])], []); // b is promised nothing of a's
        demand(&[reads('a', 'x', []), wrote('a', 'x', 1)], []); // the write comes after
    }

    /// A newer value in its place is no breach: the write was applied, then overwritten.
    #[test]
    fn a_write_that_was_overwritten_is_not_forgotten() {
        demand(&[wrote('a', 'x', 1), wrote('b', 'x', 2), reads('a', 'x', [1, 2])], []);
        demand(&[wrote('a', 'x', 1), wrote('b', 'x', 2), reads('a', 'x', [2])], [breach(ReadYourWrites, 0, 2, 2)]);
    }

    /// The calendar shows Friday's meeting, and after a reload it does not.
    #[test]
    fn what_a_session_has_read_it_reads_again() {
        let accesses = [wrote('b', 'x', 1), reads('a', 'x', [1]), reads('a', 'x', [])];
        demand(&accesses, [breach(MonotonicReads, 1, 2, 2)]);
        let others = [wrote('b', 'x', 1), reads('a', 'x', [1]), reads('c', 'x', [])];
        demand(&others, []); // a and c are two sessions
        let later = [wrote('b', 'x', 1), reads('a', 'x', [1]), reads('a', 'y', [1]), reads('a', 'x', [])];
        demand(&later, [breach(MonotonicReads, 1, 3, 3)]); // not the next read only
        let newer = [wrote('a', 'x', 1), wrote('b', 'x', 2), reads('c', 'x', [1]), reads('c', 'x', [2])];
        demand(&newer, [breach(MonotonicReads, 2, 3, 3)]); // a newer value without the older write before it
    }

    /// What the replica had applied beside what was asked for does not bind it.
    #[test]
    fn only_what_a_read_returned_must_be_there_next_time() {
        let accesses = [wrote('b', 'x', 1), wrote('c', 'y', 2), reads('a', 'x', [1, 2]), reads('a', 'x', [1])];
        demand(&accesses, []);
        let emptiness = [wrote('b', 'y', 1), reads('a', 'x', [1]), reads('a', 'x', [])];
        demand(&emptiness, []); // x was empty both times
        let replaced = [wrote('b', 'x', 1), wrote('c', 'x', 2), reads('a', 'x', [1, 2]), reads('a', 'x', [2])];
        demand(&replaced, []); // it returned 2, and 2 is there
        let swapped = |then| [wrote('a', 'x', 1), wrote('b', 'x', 2), reads('c', 'x', [2, 1]), reads('c', 'x', [then])];
        demand(&swapped(1), []); // it returned what was applied last, and that is 1
        demand(&swapped(2), [breach(MonotonicReads, 2, 3, 3)]);
    }

    /// Anna saves a document twice; a replica applies the second version first, and Ben reads the first.
    #[test]
    fn a_sessions_writes_are_applied_in_its_order() {
        let swapped = [wrote('a', 'x', 1), wrote('a', 'x', 2), reads('b', 'x', [2, 1])];
        demand(&swapped, [breach(MonotonicWrites, 0, 1, 2)]);
        let missing = [wrote('a', 'x', 1), wrote('a', 'x', 2), reads('b', 'x', [2])];
        demand(&missing, [breach(MonotonicWrites, 0, 1, 2)]);
        let prefix = [wrote('a', 'x', 1), wrote('a', 'x', 2), reads('b', 'x', [1])];
        demand(&prefix, []); // the second may come later
        let apart = [wrote('a', 'x', 1), wrote('b', 'x', 2), reads('c', 'x', [2])];
        demand(&apart, []); // two sessions
        let both = [wrote('a', 'x', 1), wrote('a', 'x', 2), wrote('a', 'x', 3), reads('b', 'x', [3])];
        demand(&both, [breach(MonotonicWrites, 0, 2, 3), breach(MonotonicWrites, 1, 2, 3)]); // each earlier write is forgotten
        let again = [wrote('a', 'x', 1), wrote('a', 'x', 2), reads('b', 'x', [2]), reads('c', 'x', [2, 1])];
        demand(&again, [breach(MonotonicWrites, 0, 1, 2), breach(MonotonicWrites, 0, 1, 3)]); // each read shows it
    }

    /// Ben reads Anna's question and answers it. At another replica Carla finds the answer, and no question.
    #[test]
    fn an_answer_never_stands_without_its_question() {
        let accesses = [wrote('a', 'q', 1), reads('b', 'q', [1]), wrote('b', 'r', 2), reads('c', 'r', [2])];
        demand(&accesses, [breach(WritesFollowReads, 1, 2, 3)]);
        let swapped = [wrote('a', 'q', 1), reads('b', 'q', [1]), wrote('b', 'r', 2), reads('c', 'r', [2, 1])];
        demand(&swapped, [breach(WritesFollowReads, 1, 2, 3)]);
        let both = [wrote('a', 'q', 1), reads('b', 'q', [1]), wrote('b', 'r', 2), reads('c', 'r', [1, 2])];
        demand(&both, []);
        let own = [wrote('a', 'q', 1), reads('b', 'q', [1]), wrote('b', 'r', 2), reads('b', 'r', [2])];
        demand(&own, [breach(MonotonicReads, 1, 3, 3), breach(WritesFollowReads, 1, 2, 3)]); // Ben himself may be shown it
    }

    /// First the page, then the link to it: two keys, one session.
    #[test]
    fn promises_reach_across_keys() {
        demand(&[wrote('a', 'p', 1), wrote('a', 'l', 2), reads('b', 'l', [2])], [breach(MonotonicWrites, 0, 1, 2)]);
        demand(&[wrote('b', 'x', 1), reads('a', 'x', [1]), reads('a', 'y', [])], [breach(MonotonicReads, 1, 2, 2)]);
        demand(&[wrote('a', 'x', 1), reads('a', 'y', [])], [breach(ReadYourWrites, 0, 1, 1)]);
        demand(&[wrote('a', 'p', 1), wrote('a', 'l', 2), reads('b', 'z', [2])], [breach(MonotonicWrites, 0, 1, 2)]);
    }

    #[test]
    fn every_forgotten_access_is_named() {
        let accesses = [wrote('a', 'x', 1), wrote('a', 'x', 2), reads('a', 'x', [2]), reads('a', 'x', [])];
        demand(
            &accesses,
            [
                breach(ReadYourWrites, 0, 2, 2),
                breach(ReadYourWrites, 0, 3, 3),
                breach(ReadYourWrites, 1, 3, 3),
                breach(MonotonicReads, 2, 3, 3),
                breach(MonotonicWrites, 0, 1, 2),
            ],
        );
    }

    /// One key, whose writes all replicas apply in one order: there the kit knows the answer too, by numbers alone.
    #[test]
    fn on_one_key_it_agrees_with_counting_versions() {
        use kit::history::Access as Counted;
        let seen = Sometimes::expect(["all was kept", "ryw", "mr", "mw", "wfr"]);
        for_seeds(400, |seed| {
            let mut rng = seed.rng();
            let made = rng.random_range(2..6_u32);
            let mut versions: Vec<u32> = (1..=made).collect(); // the place in the replicas' order of each write
            for _ in 0..rng.random_range(0..3) {
                versions.swap(rng.random_range(0..made as usize), rng.random_range(0..made as usize));
            }
            let (mut accesses, mut counted) = (vec![], vec![]);
            let mut done = vec![];
            for version in versions {
                let who = if rng.random_bool(0.5) { 'a' } else { 'b' };
                accesses.push(wrote(who, 'x', version));
                counted.push((who, 'x', Counted::Write(u64::from(version))));
                done.push(version);
                for _ in 0..rng.random_range(0..2) {
                    let reader = if rng.random_bool(0.5) { 'a' } else { 'b' };
                    let upto = rng.random_range(0..=*done.iter().max().unwrap_or(&0));
                    let log: Vec<WriteId> = (1..=upto).filter(|v| done.contains(v)).map(WriteId).collect();
                    let newest = log.last().map_or(0, |id| u64::from(id.0));
                    accesses.push(Access { session: Client(reader), key: Key('x'), did: Did::Read(log) });
                    counted.push((reader, 'x', Counted::Read(newest)));
                }
            }
            let all: Vec<WriteId> = (1..=made).map(WriteId).collect();
            accesses.push(Access { session: Client('z'), key: Key('x'), did: Did::Read(all) });

            let mut expected = BTreeSet::new();
            for breach in kit::history::check_sessions(&counted) {
                use kit::history::Guarantee as G;
                let (guarantee, name) = match breach.guarantee {
                    G::ReadYourWrites => (ReadYourWrites, "ryw"),
                    G::MonotonicReads => (MonotonicReads, "mr"),
                    G::MonotonicWrites => (MonotonicWrites, "mw"),
                    G::WritesFollowReads => (WritesFollowReads, "wfr"),
                };
                seen.saw(name, true);
                expected.insert(guarantee);
            }
            seen.saw("all was kept", expected.is_empty());
            let found: BTreeSet<Guarantee> = breaches(&accesses).into_iter().map(|breach| breach.guarantee).collect();
            assert!(
                found == expected,
                "found {found:?}, the kit's counting finds {expected:?}, in\n{}",
                told(&accesses)
            );
        });
    }
}

mod stage_4_budget {
    use super::*;
    use pretty_assertions::assert_eq;

    /// `writers` clients write to `key` at the same time, then one reads what nobody wrote.
    fn hopeless(key: char, writers: u32) -> Vec<Operation> {
        let name = |place: u32| char::from_u32(u32::from(key.to_ascii_uppercase()) * 100 + place).unwrap_or('?');
        let mut operations: Vec<Operation> =
            (0..writers).map(|i| write(name(i), key, i, u64::from(i), 100 + u64::from(i))).collect();
        operations.push(read(name(writers), key, Some(1_000), 200, 201));
        operations
    }

    #[test]
    fn only_an_explanation_is_a_pass() {
        assert!(Verdict::Explained.passes());
        assert!(!Verdict::Impossible.passes());
        assert!(!Verdict::Inconclusive(Budget(5)).passes(), "nobody knows");
    }

    /// Where one operation at a time can come next there is nothing to search: ten operations are ten steps.
    #[test]
    fn a_step_is_one_try_to_place_one_operation() {
        let line: Vec<Operation> = (0..10).map(|i| write('a', 'x', i as u32, 2 * i, 2 * i + 1)).collect();
        for order in [RealTime, PerClient] {
            assert_eq!(history(&line).check(order, Budget(10)), Verdict::Explained, "{order:?}");
            let short = history(&line).check(order, Budget(9));
            assert_eq!(short, Verdict::Inconclusive(Budget(9)), "{order:?}: nine steps place nine operations");
        }
    }

    #[test]
    fn a_try_that_does_not_fit_is_a_step_too() {
        let hopeless = history(&[read('b', 'x', Some(7), 0, 1)]);
        assert_eq!(hopeless.check(RealTime, Budget(0)), Verdict::Inconclusive(Budget(0)), "nothing was tried");
        assert_eq!(hopeless.check(RealTime, Budget(1)), Verdict::Impossible, "the one operation was tried");
    }

    #[test]
    fn a_spent_budget_says_so_and_says_which() {
        let operations = hopeless('x', 8);
        let verdict = history(&operations).check(RealTime, Budget(100));
        assert_eq!(verdict, Verdict::Inconclusive(Budget(100)), "100 steps are not enough for 8 open writes");
        assert_eq!(history(&operations).check(RealTime, PLENTY), Verdict::Impossible, "with more it is certain");
    }

    #[test]
    fn nothing_to_explain_costs_nothing() {
        assert_eq!(history(&[]).check(RealTime, Budget(0)), Verdict::Explained);
        let open = history(&[unanswered_write('a', 'x', 1, 0)]);
        assert_eq!(open.check(RealTime, Budget(0)), Verdict::Explained, "it need not have happened");
    }

    /// A search that remembers where it was tries each set of writes with each last value once: 12 · 2¹¹ places, 12 tries each.
    /// One that forgets tries every order: 12! of them.
    #[test]
    fn the_search_remembers_where_it_has_been() {
        for (order, writers) in [(RealTime, 12), (PerClient, 10)] {
            let verdict = history(&hopeless('x', writers)).check(order, PLENTY);
            assert_eq!(verdict, Verdict::Impossible, "{order:?}, {writers} writers: {} steps must be enough", PLENTY.0);
        }
    }

    /// Six keys with four open writes each. Apart: six small searches. Together: the product of them.
    #[test]
    fn keys_are_searched_apart() {
        let mut operations = vec![];
        for key in ['p', 'q', 'r', 's', 't', 'u'] {
            operations.extend(hopeless(key, 4));
            operations.pop(); // the read that cannot be
            let name = char::from_u32(u32::from(key.to_ascii_uppercase()) * 100 + 50).unwrap_or('?');
            operations.push(read(name, key, Some(0), 200, 201)); // the first write came last
        }
        assert_eq!(history(&operations).check(RealTime, Budget(3_000)), Verdict::Explained);
    }

    #[test]
    fn all_parts_are_paid_from_one_purse() {
        let line = |key, called: u64| -> Vec<Operation> {
            (0..10).map(|i| write(key, key, i as u32, called + 2 * i, called + 2 * i + 1)).collect()
        };
        let both = [line('x', 0), line('y', 100)].concat();
        assert_eq!(history(&both).check(RealTime, Budget(20)), Verdict::Explained);
        let verdict = history(&both).check(RealTime, Budget(19));
        assert_eq!(verdict, Verdict::Inconclusive(Budget(19)), "ten steps for each of two keys are twenty");
        let unequal = [line('x', 0), vec![write('y', 'y', 1, 100, 101)]].concat();
        let verdict = history(&unequal).check(RealTime, Budget(11));
        assert_eq!(
            verdict,
            Verdict::Explained,
            "ten steps for one key and one for the other: what one spares the other may spend"
        );
    }

    /// One small part cannot be explained, so the whole cannot, however hard the other part is.
    #[test]
    fn a_certain_failure_is_not_hidden_by_a_hard_part() {
        let stale = [write('a', 'z', 1, 300, 301), read('b', 'z', None, 302, 303)];
        let operations = [hopeless('x', 12), stale.to_vec()].concat();
        let verdict = history(&operations).check(RealTime, Budget(1_000));
        assert_eq!(verdict, Verdict::Impossible, "z is stale, and that is seen in two steps");
        let mut line: Vec<Operation> = (0..10).map(|i| write('a', 'x', i as u32, 2 * i, 2 * i + 1)).collect();
        line.extend([write('b', 'y', 1, 0, 1), read('c', 'y', None, 2, 3)]);
        let verdict = history(&line).check(RealTime, Budget(5));
        assert_eq!(verdict, Verdict::Impossible, "y has the fewest operations, though more clients and earlier calls");
    }

    #[test]
    fn more_budget_never_turns_one_certainty_into_another() {
        let operations = hopeless('x', 5);
        let mut before = Verdict::Inconclusive(Budget(0));
        for steps in (0..2_000).step_by(50) {
            let verdict = history(&operations).check(RealTime, Budget(steps));
            match (before, verdict) {
                (Verdict::Inconclusive(_), Verdict::Inconclusive(_) | Verdict::Impossible)
                | (Verdict::Impossible, Verdict::Impossible) => before = verdict,
                (before, after) => panic!("{before:?} became {after:?} at {steps} steps"),
            }
        }
        assert_eq!(before, Verdict::Impossible);
    }
}
