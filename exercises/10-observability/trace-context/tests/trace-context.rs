//! What a request says of itself on its way, and what can be learnt from it when it is over.

use kit::{Rng, Sometimes, for_seeds};
use rand::RngExt as _;
use trace_context::{Broken, Context, Invalid, Micros, Piece, Record, Sampler, Span, SpanId, TraceId, Tree};

/// The example of the W3C's recommendation.
const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: TraceId = TraceId(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
const PARENT: SpanId = SpanId(0x00f0_67aa_0ba9_02b7);

const ALL: Sampler = Sampler { per_million: 1_000_000 };
const NONE: Sampler = Sampler { per_million: 0 };

fn some_context(rng: &mut Rng) -> Context {
    Context {
        trace: TraceId(rng.random_range(1..=u128::MAX)),
        parent: SpanId(rng.random_range(1..=u64::MAX)),
        sampled: rng.random_bool(0.5),
    }
}

mod stage_1_the_header {
    use super::*;

    #[track_caller]
    fn is_read_as(header: &str, expected: Result<Context, Invalid>) {
        let got = Context::parse(header);
        assert!(got == expected, "`{header}`: got {got:?}, expected {expected:?}");
    }

    const SAMPLED: Context = Context { trace: TRACE, parent: PARENT, sampled: true };

    #[test]
    fn the_example_of_the_recommendation_is_read() {
        is_read_as(EXAMPLE, Ok(SAMPLED));
        is_read_as(&EXAMPLE.replace("-01", "-00"), Ok(Context { sampled: false, ..SAMPLED }));
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(SAMPLED.to_string(), EXAMPLE, "the example, written");
        for_seeds(100, |seed| {
            let context = some_context(&mut seed.rng());
            let header = context.to_string();
            assert!(Context::parse(&header) == Ok(context), "seed {seed}: {context:?} was written as `{header}`");
        });
        let small = Context { trace: TraceId(10), parent: SpanId(11), sampled: false };
        assert_eq!(small.to_string(), "00-0000000000000000000000000000000a-000000000000000b-00", "leading zeros");
    }

    /// `09` and `ff` have bit 0 set, `02` and `fe` have not.
    #[test]
    fn sampled_is_a_bit_and_not_a_number() {
        for (flags, sampled) in [("02", false), ("03", true), ("09", true), ("fe", false), ("ff", true)] {
            is_read_as(&EXAMPLE.replace("-01", &format!("-{flags}")), Ok(Context { sampled, ..SAMPLED }));
        }
    }

    /// Two spellings of one name would be two names.
    #[test]
    fn only_lower_case_digits_are_digits() {
        is_read_as(&EXAMPLE.to_uppercase(), Err(Invalid::NotHex));
        for (place, wrong) in
            [(0, "+"), (3, "+"), (10, "g"), (40, " "), (51, "F"), (53, "."), (54, "/"), (20, ":"), (30, "`")]
        {
            let mut header = EXAMPLE.to_owned();
            header.replace_range(place..=place, wrong);
            is_read_as(&header, Err(Invalid::NotHex));
        }
        // A header of digits only has no letters that could be lower-case, and is a header all the same.
        is_read_as(
            "00-00000000000000000000000000000012-0000000000000034-01",
            Ok(Context { trace: TraceId(0x12), parent: SpanId(0x34), sampled: true }),
        );
    }

    #[test]
    fn a_header_of_another_shape_is_refused() {
        let wrong = [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
            "0-04bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-ébf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7--1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n",
        ];
        for header in wrong {
            let got = Context::parse(header);
            assert!(got.is_err(), "`{header}`: got {got:?}, expected it to be refused");
        }
        is_read_as(wrong[2], Err(Invalid::Shape));
    }

    #[test]
    fn this_version_has_four_fields_and_no_more() {
        is_read_as(&format!("{EXAMPLE}-what-the-future-brings"), Err(Invalid::Shape));
        is_read_as(&format!("{EXAMPLE}-"), Err(Invalid::Shape));
        is_read_as(&EXAMPLE.replacen("00", "ff", 1), Err(Invalid::Version));
    }

    /// A service of today meets a caller of tomorrow.
    #[test]
    fn a_later_version_is_read_like_this_one() {
        is_read_as(&EXAMPLE.replacen("00", "cc", 1), Ok(SAMPLED));
        is_read_as(&EXAMPLE.replacen("00", "01", 1), Ok(SAMPLED));
    }

    #[test]
    fn a_later_version_may_append_fields() {
        let later = EXAMPLE.replacen("00", "cc", 1);
        is_read_as(&format!("{later}-what-the-future-brings"), Ok(SAMPLED));
        is_read_as(&format!("{later}-"), Ok(SAMPLED));
        is_read_as(&format!("{later}what-the-future-brings"), Err(Invalid::Shape));
    }

    /// Two programs that give different reasons for one header look for two faults.
    #[test]
    fn of_several_faults_the_first_is_named() {
        const ZEROS: &str = "00000000000000000000000000000000-0000000000000000";
        is_read_as(&format!("00-{ZEROS}-0g"), Err(Invalid::NotHex));
        is_read_as(&format!("ff-{ZEROS}-0g"), Err(Invalid::NotHex));
        is_read_as(&format!("ff-{ZEROS}-00"), Err(Invalid::Version));
        is_read_as(&format!("ff-{ZEROS}-0gx"), Err(Invalid::Shape));
        is_read_as(&format!("0g-{ZEROS}-000"), Err(Invalid::Shape));
    }

    /// Half a name may be zero: older systems have names of 64 bits, and put them into one half.
    #[test]
    fn half_a_name_is_a_name() {
        for trace in [TRACE.0 >> 64, TRACE.0 >> 64 << 64, 1, 1 << 127] {
            let context = Context { trace: TraceId(trace), ..SAMPLED };
            is_read_as(&context.to_string(), Ok(context));
        }
    }

    #[test]
    fn nobody_is_called_zero() {
        is_read_as("00-00000000000000000000000000000000-00f067aa0ba902b7-01", Err(Invalid::Zero));
        is_read_as("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", Err(Invalid::Zero));
    }
}

mod stage_2_the_way_of_a_request {
    use super::*;

    const FRESH: TraceId = TraceId(77);

    /// Gateway, orders, payments: each is called with what its caller tells it.
    fn three_services() -> [Span; 3] {
        let gateway = Span::serve(None, FRESH, SpanId(1), ALL);
        let orders = Span::serve(Some(&gateway.outgoing().to_string()), TraceId(88), SpanId(2), ALL);
        let payments = Span::serve(Some(&orders.outgoing().to_string()), TraceId(99), SpanId(3), ALL);
        [gateway, orders, payments]
    }

    #[test]
    fn a_request_keeps_its_trace_through_all_services() {
        let traces = three_services().map(|span| span.trace);
        assert!(traces == [FRESH; 3], "one request, one trace: got {traces:?}");
    }

    #[test]
    fn every_caller_is_its_callee_s_parent() {
        let spans = three_services().map(|span| (span.id, span.parent));
        let expected = [(SpanId(1), None), (SpanId(2), Some(SpanId(1))), (SpanId(3), Some(SpanId(2)))];
        assert!(spans == expected, "spans and their parents: got {spans:?}, expected {expected:?}");
    }

    /// Somebody in front sends rubbish. The request is served, and traced from here on.
    #[test]
    fn a_header_of_no_use_begins_a_new_trace() {
        for header in ["", "rubbish", &EXAMPLE.to_uppercase()] {
            let span = Span::serve(Some(header), FRESH, SpanId(1), ALL);
            assert_eq!(
                span,
                Span { trace: FRESH, id: SpanId(1), parent: None, sampled: true },
                "after the header `{header}`"
            );
        }
    }

    /// Half a trace is worth nothing: whoever begins it decides, the others obey.
    #[test]
    fn what_the_caller_keeps_is_kept() {
        let span = Span::serve(Some(EXAMPLE), FRESH, SpanId(1), NONE);
        assert!(span.sampled && span.outgoing().sampled, "the caller keeps its span; got {span:?}");
    }

    #[test]
    fn what_the_caller_drops_is_dropped() {
        let span = Span::serve(Some(&EXAMPLE.replace("-01", "-00")), FRESH, SpanId(1), ALL);
        assert!(!span.sampled && !span.outgoing().sampled, "the caller drops its span; got {span:?}");
    }

    #[test]
    fn whoever_begins_a_trace_decides() {
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let (trace, sampler) =
                (some_context(&mut rng).trace, Sampler { per_million: rng.random_range(0..=1_000_000) });
            let span = Span::serve(None, trace, SpanId(1), sampler);
            assert!(span.sampled == sampler.keeps(trace), "seed {seed}: {sampler:?} on {trace:?}");
        });
    }

    /// Two services that begin spans of the same trace by themselves, as after a queue that loses headers.
    #[test]
    fn services_that_ask_about_the_same_trace_decide_alike_and_a_greater_share_keeps_more() {
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let trace = some_context(&mut rng).trace;
            let (a, b): (u32, u32) = (rng.random_range(0..=1_000_000), rng.random_range(0..=1_000_000));
            let keeps = |per_million| Sampler { per_million }.keeps(trace);
            assert!(keeps(a) == keeps(a), "seed {seed}: asked twice about {trace:?}");
            assert!(
                !keeps(a.min(b)) || keeps(a.max(b)),
                "seed {seed}: {trace:?} is kept at {} and not at {}",
                a.min(b),
                a.max(b)
            );
            assert!(keeps(1_000_000) && !keeps(0), "seed {seed}: everything and nothing");
        });
    }

    /// Some systems begin each name with the time, and older ones with zeros. Only the lower half is random.
    ///
    /// False alarm: 1e-9 for all three together (exact binomial).
    #[test]
    fn the_share_does_not_depend_on_how_names_begin() {
        for_seeds(1, |seed| {
            let mut rng = seed.rng();
            for upper in [0_u64, 0x6921_f000_0000_0000, u64::MAX] {
                let keeps = Sampler { per_million: 500_000 };
                let names = (0..10_000).map(|_| u128::from(upper) << 64 | u128::from(rng.random_range(1..=u64::MAX)));
                let kept = names.filter(|name| keeps.keeps(TraceId(*name))).count() as u64;
                let fair = kit::stats::binomial_range(10_000, 0.5, 1e-9 / 3.0);
                assert!(
                    fair.contains(&kept),
                    "seed {seed}: of 10,000 names that begin with {upper:016x} half should be kept, not {kept}; {fair:?} would be fair"
                );
            }
        });
    }

    /// False alarm: 1e-9 for all three together (exact binomial).
    #[test]
    fn the_share_that_is_kept_is_the_share_that_was_asked_for() {
        for_seeds(1, |seed| {
            let mut rng = seed.rng();
            let traces: Vec<TraceId> = (0..100_000).map(|_| some_context(&mut rng).trace).collect();
            for (per_million, share) in [(1_000, 0.001), (100_000, 0.1), (500_000, 0.5)] {
                let kept = traces.iter().filter(|trace| Sampler { per_million }.keeps(**trace)).count() as u64;
                let fair = kit::stats::binomial_range(100_000, share, 1e-9 / 3.0);
                assert!(
                    fair.contains(&kept),
                    "seed {seed}: {kept} of 100,000 traces kept at {per_million} of a million; {fair:?} would be fair"
                );
            }
        });
    }
}

/// A record; without a parent if that is 0.
fn record(id: u64, parent: u64, start: u64, end: u64) -> Record {
    Record { id: SpanId(id), parent: (parent > 0).then_some(SpanId(parent)), start: Micros(start), end: Micros(end) }
}

fn tree(records: &[Record]) -> Tree {
    Tree::of(records).unwrap_or_else(|broken| panic!("{records:?} are a tree, got {broken:?}"))
}

/// 2 to 12 spans, each begun by one before it; children overlap, and some say that they outlived their parents.
fn some_records(rng: &mut Rng) -> Vec<Record> {
    let mut records = vec![record(1, 0, 100, 100 + rng.random_range(1..60))];
    for id in 2..=rng.random_range(2..=12) {
        let start = rng.random_range(90..150);
        records.push(record(id, rng.random_range(1..id), start, start + rng.random_range(0..40)));
    }
    records
}

/// When each span was seen: within its parent's time, its parent first.
fn seen(records: &[Record]) -> Vec<(SpanId, Option<SpanId>, u64, u64)> {
    let mut seen: Vec<(SpanId, Option<SpanId>, u64, u64)> = Vec::new();
    for record in records {
        let (from, to) = match record.parent {
            None => (0, u64::MAX),
            Some(parent) => seen
                .iter()
                .find(|(id, ..)| *id == parent)
                .map(|(_, _, from, to)| (*from, *to))
                .expect("parents come first"),
        };
        seen.push((record.id, record.parent, record.start.0.clamp(from, to), record.end.0.clamp(from, to)));
    }
    seen
}

mod stage_3_the_tree {
    use super::*;

    #[track_caller]
    fn is_broken(what: &str, records: &[Record], expected: Broken) {
        let got = Tree::of(records).err();
        assert!(got == Some(expected), "{what}: got {got:?}, expected {expected:?}");
    }

    #[test]
    fn records_that_are_no_tree_are_told_apart() {
        is_broken("nothing", &[], Broken::Roots(0));
        is_broken("two requests", &[record(1, 0, 0, 9), record(2, 0, 0, 9)], Broken::Roots(2));
        is_broken(
            "a span that came twice",
            &[record(1, 0, 0, 9), record(2, 1, 0, 9), record(2, 1, 0, 9)],
            Broken::Twice(SpanId(2)),
        );
        is_broken("a lost parent", &[record(1, 0, 0, 9), record(3, 2, 1, 2)], Broken::Orphan(SpanId(3)));
        is_broken("a lost root", &[record(3, 2, 1, 2)], Broken::Orphan(SpanId(3)));
        let circle = Tree::of(&[record(1, 0, 0, 9), record(2, 3, 0, 9), record(3, 2, 0, 9), record(4, 3, 0, 9)]).err();
        assert!(
            matches!(circle, Some(Broken::Cycle(SpanId(2 | 3)))),
            "2 and 3 are each other's parents, and 4 hangs on them: got {circle:?}"
        );
        is_broken("its own parent", &[record(1, 0, 0, 9), record(2, 2, 0, 9)], Broken::Cycle(SpanId(2)));
    }

    #[test]
    fn of_several_reasons_the_first_is_named() {
        let (lost, second) = (record(3, 9, 0, 9), record(4, 0, 0, 9));
        is_broken(
            "one twice, one lost, two roots",
            &[record(1, 0, 0, 9), lost.clone(), second.clone(), record(5, 1, 0, 9), record(5, 8, 0, 9)],
            Broken::Twice(SpanId(5)),
        );
        is_broken("one lost, two roots", &[record(1, 0, 0, 9), lost, second.clone()], Broken::Orphan(SpanId(3)));
        is_broken("a circle and two roots", &[record(2, 2, 0, 9), record(1, 0, 0, 9), second], Broken::Roots(2));
    }

    /// A circle needs no root, but a request does.
    #[test]
    fn records_without_a_root_have_no_root() {
        is_broken("a circle and no root", &[record(2, 3, 0, 9), record(3, 2, 0, 9)], Broken::Roots(0));
    }

    /// Collectors get spans as they end: the root last.
    #[test]
    fn records_may_come_in_any_order() {
        let records = [record(3, 2, 20, 30), record(2, 1, 10, 40), record(1, 0, 0, 50)];
        assert_eq!(tree(&records).time(SpanId(3)), Some((Micros(20), Micros(30))));
        assert_eq!(tree(&records).time(SpanId(9)), None, "there is no span 9");
        assert_eq!(tree(&records).self_time(SpanId(9)), None, "there is no span 9");
    }

    /// Payments' clock is 5 µs ahead of that of orders.
    #[test]
    fn a_child_is_seen_within_its_parent_s_time() {
        let tree = tree(&[
            record(1, 0, 10, 50),
            record(2, 1, 5, 30),
            record(3, 1, 45, 55),
            record(4, 3, 40, 60),
            record(5, 1, 60, 70),
        ]);
        for (span, from, to) in [(2, 10, 30), (3, 45, 50), (4, 45, 50), (5, 50, 50)] {
            let got = tree.time(SpanId(span));
            assert!(got == Some((Micros(from), Micros(to))), "span {span}: got {got:?}, expected {from} to {to}");
        }
    }

    /// Two calls at once, 30 µs each, 40 µs together.
    #[test]
    fn time_in_which_several_children_work_is_counted_once() {
        let tree = tree(&[record(1, 0, 0, 100), record(2, 1, 10, 40), record(3, 1, 20, 50), record(4, 2, 15, 25)]);
        for (span, own) in [(1, 60), (2, 20), (3, 30), (4, 10)] {
            let got = tree.self_time(SpanId(span));
            assert!(got == Some(Micros(own)), "span {span}: got {got:?}, expected {own} µs");
        }
    }

    /// The definition: the microseconds of a span in which no child of it works.
    #[test]
    fn self_time_is_what_no_child_covers() {
        let sometimes =
            Sometimes::expect(["children overlap", "a child outlives its parent", "a child has nothing to itself"]);
        for_seeds(200, |seed| {
            let records = some_records(&mut seed.rng());
            let (tree, seen) = (tree(&records), seen(&records));
            for (id, _, from, to) in &seen {
                let children: Vec<_> = seen.iter().filter(|(_, parent, ..)| *parent == Some(*id)).collect();
                let at_work = |at: u64| children.iter().filter(|(_, _, from, to)| (*from..*to).contains(&at)).count();
                let own = (*from..*to).filter(|at| at_work(*at) == 0).count() as u64;
                sometimes.saw("children overlap", (*from..*to).any(|at| at_work(at) > 1));
                sometimes.saw(
                    "a child outlives its parent",
                    records.iter().any(|record| record.parent == Some(*id) && record.end.0 > *to),
                );
                sometimes.saw("a child has nothing to itself", own == 0 && from < to);
                let got = tree.self_time(*id);
                assert!(got == Some(Micros(own)), "seed {seed}: {id:?} of {records:?}: got {got:?}, expected {own} µs");
            }
        });
    }
}

mod stage_4_the_critical_path {
    use super::*;

    fn path(records: &[Record]) -> Vec<(u64, u64, u64)> {
        tree(records).critical_path().into_iter().map(|Piece { span, from, to }| (span.0, from.0, to.0)).collect()
    }

    /// The gateway asks stock and prices at once. Prices take longer.
    #[test]
    fn of_two_calls_at_once_the_later_one_is_waited_for() {
        let records = [record(1, 0, 0, 100), record(2, 1, 10, 40), record(3, 1, 10, 70)];
        assert_eq!(path(&records), [(1, 0, 10), (3, 10, 70), (1, 70, 100)]);
    }

    #[test]
    fn calls_one_after_the_other_are_all_waited_for() {
        let records = [
            record(1, 0, 0, 100),
            record(2, 1, 10, 40),
            record(3, 1, 40, 45),
            record(4, 1, 60, 90),
            record(5, 4, 70, 80),
        ];
        assert_eq!(
            path(&records),
            [(1, 0, 10), (2, 10, 40), (3, 40, 45), (1, 45, 60), (4, 60, 70), (5, 70, 80), (4, 80, 90), (1, 90, 100)]
        );
    }

    /// Long, and over long before anybody needed it.
    #[test]
    fn the_longest_child_is_not_always_waited_for() {
        let records = [record(1, 0, 0, 100), record(2, 1, 0, 60), record(3, 1, 55, 95)];
        assert_eq!(path(&records), [(1, 0, 55), (3, 55, 95), (1, 95, 100)], "2 ended at 60, when 3 had begun");
    }

    #[test]
    fn of_calls_that_end_together_the_one_that_began_first_is_waited_for() {
        let records = [
            record(1, 0, 0, 50),
            record(2, 1, 30, 50),
            record(3, 1, 20, 50),
            record(4, 1, 20, 50),
            record(5, 1, 50, 50),
        ];
        assert_eq!(path(&records), [(1, 0, 20), (3, 20, 50)]);
    }

    /// Who sends first is chance. The same request has the same path.
    #[test]
    fn the_order_in_which_records_came_does_not_matter() {
        let sometimes = Sometimes::expect(["two children begin and end together"]);
        for_seeds(100, |seed| {
            let rng = &mut seed.rng();
            let mut records = some_records(rng);
            let (start, end) = (records[0].start.0, records[0].end.0);
            records.extend((20..24).map(|id| record(id, 1, start, start + (end - start).min(id % 2 + 1))));
            sometimes.saw("two children begin and end together", end - start > 1);
            let before = path(&records);
            for _ in 0..records.len() {
                let (a, b) = (rng.random_range(0..records.len()), rng.random_range(0..records.len()));
                records.swap(a, b);
            }
            let after = path(&records);
            assert!(before == after, "seed {seed}: {before:?}, and in the order {records:?} {after:?}");
        });
    }

    /// The clock ticked neither before nor after.
    #[test]
    fn who_took_no_time_was_not_waited_for() {
        assert_eq!(path(&[record(1, 0, 7, 7), record(2, 1, 7, 7)]), [], "the root took no time");
        assert_eq!(path(&[record(1, 0, 7, 9), record(2, 1, 8, 8), record(3, 2, 0, 99)]), [(1, 7, 9)]);
    }

    #[test]
    fn it_covers_the_whole_time_of_the_root_and_each_piece_waits_for_no_child() {
        let sometimes = Sometimes::expect([
            "a grandchild is waited for",
            "a span is waited for twice",
            "a child is not waited for",
        ]);
        for_seeds(300, |seed| {
            let records = some_records(&mut seed.rng());
            let (pieces, seen) = (tree(&records).critical_path(), seen(&records));
            let text = format!("seed {seed}: {pieces:?} of {records:?}");
            let mut at = records[0].start;
            for Piece { span, from, to } in &pieces {
                assert!(
                    *from == at && from < to,
                    "a piece from {from:?} follows one until {at:?}: no gap, no overlap\n{text}"
                );
                at = *to;
                let (_, parent, begins, ends) = *seen.iter().find(|(id, ..)| id == span).expect("a span of the trace");
                let children: Vec<_> =
                    seen.iter().filter(|(_, parent, a, b)| *parent == Some(*span) && a < b).collect();
                assert!(
                    !children.iter().any(|(_, _, _, end)| (from.0 + 1..=to.0).contains(end)),
                    "{span:?} waits for itself from {from:?} to {to:?}, and a child of it ends in that time\n{text}"
                );
                let follows = from.0 == begins || children.iter().any(|(_, _, _, end)| *end == from.0);
                let precedes = to.0 == ends || children.iter().any(|(_, _, start, _)| *start == to.0);
                assert!(
                    follows && precedes,
                    "the piece of {span:?} begins or ends where nothing begins or ends\n{text}"
                );
                let is_root = |id: Option<SpanId>| id.is_some_and(|id| id == records[0].id);
                sometimes.saw("a grandchild is waited for", parent.is_some() && !is_root(parent));
                sometimes
                    .saw("a span is waited for twice", pieces.iter().filter(|piece| piece.span == *span).count() > 1);
                sometimes.saw(
                    "a child is not waited for",
                    children.iter().any(|(id, ..)| !pieces.iter().any(|piece| piece.span == *id)),
                );
            }
            assert!(at == records[0].end, "it ends at {at:?}, the root at {:?}\n{text}", records[0].end);
        });
    }
}
