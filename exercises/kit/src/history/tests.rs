//! Histories with a published or obvious verdict, one for each way to be right or wrong.

use super::RegisterOp::{Read, Write};
use super::Returned::{Done, Value};
use super::*;

type Registers = Register<&'static str, u32>;
type Line = (&'static str, RegisterOp<&'static str, u32>, u64, Option<(u64, Returned<u32>)>);

/// Each line: client, operation, called, returned (and how), as places in one order.
fn history<const N: usize>(lines: [Line; N]) -> History<Registers> {
    let mut history = History::default();
    for (client, op, called, returned) in lines {
        history.add(client, op, moment(called), returned.map(|(order, ret)| (moment(order), ret)));
    }
    history
}

fn verdict<const N: usize>(lines: [Line; N]) -> Verdict {
    history(lines).check(Budget::default())
}

#[test]
fn reads_may_see_concurrent_writes_in_any_one_order() {
    // Herlihy and Wing's point: while writes overlap, the order is open, but all must agree on one.
    let lines = [
        ("a", Write("x", 1), 0, Some((9, Done))),
        ("b", Write("x", 2), 1, Some((8, Done))),
        ("c", Read("x"), 2, Some((3, Value(Some(2))))),
        ("c", Read("x"), 4, Some((5, Value(Some(1))))),
    ];
    assert_eq!(verdict(lines), Verdict::Linearizable);
}

#[test]
fn a_read_after_a_write_returned_must_see_it() {
    let found = verdict([("a", Write("x", 1), 0, Some((1, Done))), ("b", Read("x"), 2, Some((3, Value(None))))]);
    let Verdict::Violated(evidence) = found else { panic!("a stale read passed: {found:?}") };
    assert!(evidence.contains("b  Read(\"x\") → Value(None)   ← impossible"), "{evidence}");
}

#[test]
fn what_one_reader_has_seen_no_later_reader_may_unsee() {
    let found = verdict([
        ("a", Write("x", 1), 0, Some((9, Done))),
        ("b", Read("x"), 1, Some((2, Value(Some(1))))),
        ("c", Read("x"), 3, Some((4, Value(None)))),
    ]);
    assert!(matches!(found, Verdict::Violated(_)), "{found:?}");
}

#[test]
fn a_write_without_an_answer_may_have_happened_or_not() {
    let unanswered = ("a", Write("x", 1), 0, None);
    let seen = ("b", Read("x"), 5, Some((6, Value(Some(1)))));
    let unseen = ("b", Read("x"), 5, Some((6, Value(None))));
    assert_eq!(verdict([unanswered.clone(), seen.clone()]), Verdict::Linearizable);
    assert_eq!(verdict([unanswered.clone(), unseen.clone()]), Verdict::Linearizable);
    let seen_then_unseen = [unanswered, seen, ("b", Read("x"), 7, Some((8, Value(None))))];
    assert!(matches!(verdict(seen_then_unseen), Verdict::Violated(_)), "but not both, in this order");
}

#[test]
fn a_value_from_nowhere_is_a_violation() {
    assert!(matches!(verdict([("a", Read("x"), 0, Some((1, Value(Some(7)))))]), Verdict::Violated(_)));
}

#[test]
fn keys_are_judged_apart_and_each_must_hold() {
    let fine = ("a", Write("x", 1), 0, Some((1, Done)));
    let stale = ("b", Read("y"), 4, Some((5, Value(None))));
    assert_eq!(verdict([fine.clone(), stale.clone()]), Verdict::Linearizable);
    let found = verdict([fine, ("a", Write("y", 1), 2, Some((3, Done))), stale]);
    let Verdict::Violated(evidence) = found else { panic!("{found:?}") };
    assert!(!evidence.contains("\"x\""), "the evidence is about one key only:\n{evidence}");
}

#[test]
fn a_spent_budget_is_neither_a_pass_nor_a_failure() {
    let lines = [
        ("a", Write("x", 1), 0, Some((9, Done))),
        ("b", Write("x", 2), 1, Some((8, Done))),
        ("c", Read("x"), 2, Some((3, Value(Some(2))))),
    ];
    assert_eq!(history(lines).check(Budget(2)), Verdict::Inconclusive(Budget(2)));
}

#[test]
fn an_empty_history_is_linearizable() {
    assert_eq!(history([]).check(Budget(0)), Verdict::Linearizable);
}

#[test]
fn each_session_guarantee_is_told_from_the_others() {
    use Access::{Read as R, Write as W};
    let breaches = |list: &[Access]| check_sessions(&list.iter().map(|a| ("alice", "x", *a)).collect::<Vec<_>>());
    assert!(breaches(&[W(1), R(1), R(2), W(3), R(3)]).is_empty());
    for (list, guarantee) in [
        ([W(2), R(1)], Guarantee::ReadYourWrites),
        ([R(2), R(1)], Guarantee::MonotonicReads),
        ([W(2), W(1)], Guarantee::MonotonicWrites),
        ([R(2), W(1)], Guarantee::WritesFollowReads),
    ] {
        assert_eq!(breaches(&list), [SessionBreach { guarantee, earlier: 0, later: 1 }], "{list:?}");
    }
    let apart = [("alice", "x", W(2)), ("bob", "x", R(1)), ("alice", "y", R(1))];
    assert!(check_sessions(&apart).is_empty(), "another client's or another key's write promises nothing");
}
