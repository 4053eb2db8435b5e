//! What is left of a saga when calls are refused, lost or late, and the orchestrator dies; and of a workflow that is replayed.

use kit::{Sometimes, for_seeds};
use rand::RngExt as _;
use saga_orchestrator::{
    Answer, Call, Command, Context, Entry, Event, Key, Next, Orchestrator, Progress, SagaId, Step, Stock, Suspended,
    replay, saga,
};
use std::collections::{BTreeMap, BTreeSet};

/// Hears these answers, one call each. The calls that were made; the entries that were written; what comes next.
fn hear(orchestrator: &mut Orchestrator, answers: &[Answer]) -> (Vec<Call>, Vec<Entry>, Next) {
    let (mut calls, mut log) = (vec![], vec![]);
    for answer in answers {
        let Next::Call(call) = orchestrator.next() else { panic!("it is over after {calls:?}, and was to call on") };
        calls.push(call);
        log.extend(orchestrator.answered(*answer));
    }
    (calls, log, orchestrator.next())
}

mod stage_1_backwards {
    use super::*;
    use Answer::{Done, Refused};
    use Call::{Do, Undo};

    #[test]
    fn the_steps_are_done_in_their_order() {
        let (calls, log, next) = hear(&mut Orchestrator::new(3, 1), &[Done, Done, Done]);
        assert_eq!(calls, [Do(0), Do(1), Do(2)]);
        assert_eq!(log, [Entry::Done(0), Entry::Done(1), Entry::Done(2)], "each is noted");
        assert_eq!(next, Next::Completed);
    }

    /// Stock, card and parcel; the parcel is refused. The money goes back before the item does.
    #[test]
    fn after_a_refusal_the_last_thing_done_is_undone_first() {
        let (calls, _, next) = hear(&mut Orchestrator::new(4, 1), &[Done, Done, Done, Refused, Done, Done, Done]);
        assert_eq!(
            calls,
            [Do(0), Do(1), Do(2), Do(3), Undo(2), Undo(1), Undo(0)],
            "what rests on something goes first"
        );
        assert_eq!(next, Next::Compensated);
    }

    #[test]
    fn what_was_refused_at_once_is_not_undone() {
        let (calls, log, next) = hear(&mut Orchestrator::new(3, 1), &[Done, Refused, Done]);
        assert_eq!(calls, [Do(0), Do(1), Undo(0)], "the only call of step 1 was refused: it has no effect");
        assert_eq!(log, [Entry::Done(0), Entry::Back(1), Entry::Undone(0)], "where it turned is noted, too");
        assert_eq!(next, Next::Compensated);
    }

    #[test]
    fn a_first_step_that_is_refused_leaves_nothing_to_do() {
        let (calls, log, next) = hear(&mut Orchestrator::new(3, 1), &[Refused]);
        assert_eq!((calls, log, next), (vec![Do(0)], vec![Entry::Back(0)], Next::Compensated));
    }

    /// Yesterday's saga was completed. Today's is refused at its second step.
    #[test]
    fn an_orchestrator_that_is_used_again_undoes_only_what_this_saga_did() {
        let mut orchestrator = Orchestrator::new(3, 1);
        hear(&mut orchestrator, &[Done, Done, Done]);
        orchestrator.begin();
        let (calls, ..) = hear(&mut orchestrator, &[Done, Refused]);
        assert_eq!(calls, [Do(0), Do(1)], "it begins at its first step");
        let mut undone = vec![];
        while let Next::Call(call) = orchestrator.next() {
            assert!(undone.len() < 9, "it goes on undoing: {undone:?}");
            undone.push(call);
            orchestrator.answered(Done);
        }
        assert_eq!(undone, [Undo(0)], "yesterday's customer has paid and is content");
        assert_eq!(orchestrator.next(), Next::Compensated);
    }

    #[test]
    fn after_a_saga_that_went_back_the_next_one_goes_forward() {
        let mut orchestrator = Orchestrator::new(2, 1);
        hear(&mut orchestrator, &[Done, Refused, Done]);
        orchestrator.begin();
        let (calls, _, next) = hear(&mut orchestrator, &[Done, Done]);
        assert_eq!((calls, next), (vec![Do(0), Do(1)], Next::Completed));
    }

    #[test]
    fn what_is_over_stays_over() {
        for answers in [vec![Done, Done], vec![Done, Refused, Done]] {
            let mut orchestrator = Orchestrator::new(2, 1);
            let (.., over) = hear(&mut orchestrator, &answers);
            for late in [Done, Refused, Answer::Silence] {
                assert_eq!(orchestrator.answered(late), None, "{over:?}, and a late {late:?} is nothing to note");
                assert_eq!(orchestrator.next(), over, "after a late {late:?}");
            }
        }
    }
}

mod stage_2_silence_and_crashes {
    use super::*;
    use Answer::{Done, Refused, Silence};
    use Call::{Do, Undo};

    #[test]
    fn a_step_that_nobody_answers_is_tried_so_many_times() {
        let (calls, log, next) = hear(&mut Orchestrator::new(2, 3), &[Silence, Silence, Done, Silence, Silence, Done]);
        assert_eq!(calls, [Do(0), Do(0), Do(0), Do(1), Do(1), Do(1)], "three attempts each");
        assert_eq!(log, [Entry::Done(0), Entry::Done(1)], "silence is nothing to note");
        assert_eq!(next, Next::Completed);
    }

    /// The card may have been charged. Nobody knows, and the customer will see it on Monday.
    #[test]
    fn a_step_that_may_have_happened_is_undone_too() {
        let (calls, log, next) = hear(&mut Orchestrator::new(3, 2), &[Done, Silence, Silence, Done, Done]);
        assert_eq!(calls, [Do(0), Do(1), Do(1), Undo(1), Undo(0)], "step 1 may have happened");
        assert_eq!(log, [Entry::Done(0), Entry::Back(2), Entry::Undone(1), Entry::Undone(0)]);
        assert_eq!(next, Next::Compensated);
    }

    /// The first attempt is still under way when the second one is refused.
    #[test]
    fn a_refusal_after_silence_says_nothing_about_the_silent_call() {
        let (calls, log, _) = hear(&mut Orchestrator::new(3, 2), &[Done, Silence, Refused, Done, Done]);
        assert_eq!(calls, [Do(0), Do(1), Do(1), Undo(1), Undo(0)], "the first call of step 1 may still arrive");
        assert_eq!(log[1], Entry::Back(2), "two steps are to be undone");
    }

    #[test]
    fn what_one_step_left_open_does_not_burden_the_next() {
        let (calls, ..) = hear(&mut Orchestrator::new(3, 2), &[Silence, Done, Refused, Done]);
        assert_eq!(
            calls,
            [Do(0), Do(0), Do(1), Undo(0)],
            "step 0 was silent once and then done; step 1 was refused at once"
        );
    }

    /// What if the refund is refused? Somebody's money is at stake: again.
    #[test]
    fn an_undoing_is_repeated_until_it_is_done() {
        let answers = [Done, Refused, Refused, Silence, Silence, Silence, Refused, Done];
        let (calls, log, next) = hear(&mut Orchestrator::new(2, 2), &answers);
        assert_eq!(calls[2..], [Undo(0); 6], "six times, until it is done");
        assert_eq!(log, [Entry::Done(0), Entry::Back(1), Entry::Undone(0)]);
        assert_eq!(next, Next::Compensated);
    }

    /// The service is down, for a thousand attempts.
    #[test]
    fn an_undoing_is_never_given_up() {
        let mut orchestrator = Orchestrator::new(2, 1);
        hear(&mut orchestrator, &[Done, Refused]);
        for attempt in 1..=1_000 {
            let noted = orchestrator.answered(Silence);
            let next = orchestrator.next();
            assert!(
                (noted, next) == (None, Next::Call(Undo(0))),
                "nobody answered attempt {attempt} to undo step 0: noted {noted:?}, next {next:?}"
            );
        }
        assert_eq!(orchestrator.answered(Done), Some(Entry::Undone(0)), "the service is back");
    }

    /// Each orchestrator tries for itself. That there was one before says only that a call may be under way.
    #[test]
    fn a_crash_is_no_attempt() {
        for attempts in 1..=3 {
            let mut orchestrator = Orchestrator::resume(3, attempts, &[Entry::Done(0)]);
            let tried = (1..=9).find(|_| orchestrator.answered(Silence).is_some());
            assert_eq!(tried, Some(attempts), "how often step 1 is tried after the crash, with {attempts} attempts");
            assert_eq!(orchestrator.next(), Next::Call(Undo(1)), "then it goes back, with {attempts} attempts");
        }
    }

    #[test]
    fn a_new_saga_knows_nothing_of_the_silence_in_the_last_one() {
        let mut orchestrator = Orchestrator::new(2, 2);
        hear(&mut orchestrator, &[Silence, Silence, Done]);
        orchestrator.begin();
        let (calls, ..) = hear(&mut orchestrator, &[Silence, Done, Refused, Done]);
        assert_eq!(calls, [Do(0), Do(0), Do(1), Undo(0)], "one silence is not two");
        let mut orchestrator = Orchestrator::new(2, 2);
        hear(&mut orchestrator, &[Silence, Silence, Done]);
        orchestrator.begin();
        assert_eq!(hear(&mut orchestrator, &[Refused]).2, Next::Compensated, "refused at once: nothing to undo");
    }

    #[test]
    fn it_goes_on_where_the_log_ends() {
        for (log, next) in [
            (vec![], Next::Call(Do(0))),
            (vec![Entry::Done(0)], Next::Call(Do(1))),
            (vec![Entry::Done(0), Entry::Done(1)], Next::Completed),
            (vec![Entry::Done(0), Entry::Back(2)], Next::Call(Undo(1))),
            (vec![Entry::Done(0), Entry::Back(2), Entry::Undone(1)], Next::Call(Undo(0))),
            (vec![Entry::Done(0), Entry::Back(1), Entry::Undone(0)], Next::Compensated),
            (vec![Entry::Back(0)], Next::Compensated),
        ] {
            assert_eq!(Orchestrator::resume(2, 2, &log).next(), next, "the log says {log:?}");
        }
    }

    /// The one that died had called step 1, and nobody knows what became of it.
    #[test]
    fn after_a_crash_a_call_may_be_under_way() {
        let mut orchestrator = Orchestrator::resume(3, 2, &[Entry::Done(0)]);
        let (calls, log, _) = hear(&mut orchestrator, &[Refused, Done, Done]);
        assert_eq!(
            calls,
            [Do(1), Undo(1), Undo(0)],
            "this call was refused; the one before the crash may still arrive"
        );
        assert_eq!(log[0], Entry::Back(2));
        let mut orchestrator = Orchestrator::resume(3, 2, &[Entry::Done(0)]);
        let (calls, ..) = hear(&mut orchestrator, &[Done, Refused, Done]);
        assert_eq!(calls, [Do(1), Do(2), Undo(1)], "step 2 was not called before the crash");
    }

    /// What becomes of one call.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Fate {
        Answered,
        Refused,
        RequestLost,
        AnswerLost,
        /// It arrives when all is over.
        Late,
    }

    const FATES: [Fate; 5] = [Fate::Answered, Fate::Refused, Fate::RequestLost, Fate::AnswerLost, Fate::Late];

    /// Services that know a call that they have heard before, and refuse a step that was undone.
    #[derive(Default)]
    struct Services {
        done: BTreeSet<usize>,
        undone: BTreeSet<usize>,
        effects: Vec<Call>,
    }

    impl Services {
        fn handle(&mut self, call: Call) -> Answer {
            match call {
                Do(step) if self.undone.contains(&step) => Refused,
                Do(step) => {
                    if self.done.insert(step) {
                        self.effects.push(call);
                    }
                    Done
                }
                Undo(step) => {
                    if self.undone.insert(step) && self.done.remove(&step) {
                        self.effects.push(call);
                    }
                    Done
                }
            }
        }

        fn call(&mut self, call: Call, fate: Fate, late: &mut Vec<Call>) -> Answer {
            match fate {
                Fate::Answered => self.handle(call),
                // A service does not refuse what it has done before: it knows the call.
                Fate::Refused if matches!(call, Do(step) if self.done.contains(&step)) => Done,
                Fate::Refused => Refused,
                Fate::RequestLost => Silence,
                Fate::AnswerLost => {
                    self.handle(call);
                    Silence
                }
                Fate::Late => {
                    late.push(call);
                    Silence
                }
            }
        }
    }

    /// Three steps. The first five calls have any of five fates; the orchestrator dies once, after any call, before or after its entry is
    /// on disk; or not at all.
    #[test]
    fn whatever_is_lost_or_late_and_whenever_it_dies_all_steps_are_done_or_none() {
        let sometimes =
            Sometimes::expect(["completed after a crash", "compensated after a crash", "a late call was refused"]);
        for script in 0..5_usize.pow(5) {
            let fate = |turn: u32| {
                if turn < 5 { FATES[script / 5_usize.pow(turn) % 5] } else { Fate::Answered }
            };
            for crash in 0..17_u32 {
                let (mut services, mut log, mut late) = (Services::default(), vec![], vec![]);
                let mut orchestrator = Orchestrator::new(3, 2);
                let mut turn = 0;
                let story = |what: &str, log: &[Entry], effects: &[Call]| {
                    format!(
                        "{what}. Fates: {:?}; {}; log: {log:?}; effects: {effects:?}",
                        (0..5).map(fate).collect::<Vec<_>>(),
                        match crash {
                            0 => "no crash".to_owned(),
                            _ if crash % 2 == 1 => format!("crash after call {}, before its entry", crash / 2),
                            _ => format!("crash after call {} and its entry", crash / 2 - 1),
                        }
                    )
                };
                while let Next::Call(call) = orchestrator.next() {
                    assert!(turn < 30, "{}", story("it does not end", &log, &services.effects));
                    let answer = services.call(call, fate(turn), &mut late);
                    let dies_before = crash % 2 == 1 && crash / 2 == turn;
                    let entry = orchestrator.answered(answer);
                    if !dies_before {
                        log.extend(entry);
                    }
                    if dies_before || (crash > 0 && crash % 2 == 0 && crash / 2 - 1 == turn) {
                        orchestrator = Orchestrator::resume(3, 2, &log);
                    }
                    turn += 1;
                }
                for call in late {
                    let answer = services.handle(call);
                    sometimes.saw("a late call was refused", answer == Refused);
                }
                let over = orchestrator.next();
                sometimes.saw("completed after a crash", crash > 0 && over == Next::Completed);
                sometimes.saw("compensated after a crash", crash > 0 && over == Next::Compensated);
                let expected = if over == Next::Completed { BTreeSet::from([0, 1, 2]) } else { BTreeSet::new() };
                assert!(
                    services.done == expected,
                    "{}",
                    story(&format!("{over:?}, and in effect are {:?}", services.done), &log, &services.effects)
                );
                let mut stack = vec![];
                for effect in &services.effects {
                    match effect {
                        Do(step) if *step == stack.len() => stack.push(*step),
                        Undo(step) if stack.last() == Some(step) => drop(stack.pop()),
                        _ => panic!("{}", story(&format!("{effect:?} is out of order"), &log, &services.effects)),
                    }
                }
            }
        }
    }
}

mod stage_3_the_service {
    use super::*;
    use Answer::{Done, Refused};

    const IDA: SagaId = SagaId(1);
    const BEN: SagaId = SagaId(2);

    #[test]
    fn two_sagas_never_get_the_same_item() {
        let mut stock = Stock::new(1);
        let (ida_looks, ben_looks) = (stock.free(), stock.free());
        assert_eq!((ida_looks, ben_looks), (1, 1), "both see one");
        assert_eq!((stock.hold(IDA), stock.hold(BEN)), (Done, Refused), "the second comes too late, whatever it saw");
        assert_eq!(stock.free(), 0, "what is held is not free");
        assert_eq!((stock.ship(BEN), stock.ship(IDA)), (Refused, Done), "only who holds it can ship it");
        assert_eq!(stock.free(), 0, "what is shipped is gone");
    }

    #[test]
    fn what_a_saga_gives_back_another_can_have() {
        let mut stock = Stock::new(1);
        stock.hold(IDA);
        assert_eq!(stock.hold(BEN), Refused);
        assert_eq!(stock.release(IDA), Done);
        assert_eq!(stock.free(), 1);
        assert_eq!(stock.hold(BEN), Done, "it was refused before, when none was free; now one is");
    }

    /// The answer was lost, and the orchestrator asks again.
    #[test]
    fn a_call_that_comes_twice_counts_once() {
        let mut stock = Stock::new(3);
        assert_eq!((stock.hold(IDA), stock.hold(IDA), stock.free()), (Done, Done, 2), "one item for one saga");
        assert_eq!(
            (stock.ship(IDA), stock.ship(IDA), stock.hold(IDA), stock.free()),
            (Done, Done, Done, 2),
            "one parcel"
        );
        stock.hold(BEN);
        assert_eq!((stock.release(BEN), stock.release(BEN), stock.free()), (Done, Done, 2), "one item back");
    }

    /// The hold was lost on its way, and the saga goes back. It repeats the undoing until it is done.
    #[test]
    fn to_undo_what_was_never_done_is_done() {
        let mut stock = Stock::new(2);
        stock.hold(BEN);
        assert_eq!((stock.release(IDA), stock.free()), (Done, 1), "an orchestrator that is refused asks for ever");
    }

    /// The saga gave up and released. Then the network delivers its first call.
    #[test]
    fn what_was_undone_is_not_done_later() {
        let mut stock = Stock::new(1);
        assert_eq!(stock.release(IDA), Done, "there is nothing to undo, and that is done");
        assert_eq!(stock.free(), 1, "nothing came back, for nothing was taken");
        assert_eq!(stock.hold(IDA), Refused, "the saga is over: nobody would ever release this item");
        stock.hold(BEN);
        stock.release(BEN);
        assert_eq!(
            (stock.hold(BEN), stock.ship(BEN), stock.free()),
            (Refused, Refused, 1),
            "late calls of an undone saga"
        );
    }

    #[test]
    fn what_is_shipped_cannot_be_undone() {
        let mut stock = Stock::new(2);
        stock.hold(IDA);
        stock.ship(IDA);
        assert_eq!((stock.release(IDA), stock.free()), (Refused, 1), "the parcel is on its way");
        assert_eq!(stock.ship(BEN), Refused, "nobody ships what he does not hold");
    }

    /// The laws, on a model that only counts.
    #[test]
    fn in_any_order_of_calls_nothing_is_sold_twice_and_nothing_is_lost() {
        let sometimes = Sometimes::expect(["sold out", "released before it held"]);
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let items = rng.random_range(0..4);
            let mut stock = Stock::new(items);
            let mut model: BTreeMap<SagaId, &str> = BTreeMap::new();
            for _ in 0..40 {
                let id = SagaId(rng.random_range(0..6));
                let free =
                    items - u32::try_from(model.values().filter(|state| **state != "released").count()).expect("few");
                let was = model.get(&id).copied();
                let call = rng.random_range(0..3);
                let (got, now) = match (call, was) {
                    (0, None) if free > 0 => (stock.hold(id), Some("held")),
                    (0, state) => (stock.hold(id), state),
                    (1, Some("shipped")) => (stock.release(id), was),
                    (1, state) => {
                        sometimes.saw("released before it held", state.is_none());
                        (stock.release(id), Some("released"))
                    }
                    (_, Some("held")) => (stock.ship(id), Some("shipped")),
                    (_, state) => (stock.ship(id), state),
                };
                sometimes.saw("sold out", call == 0 && was.is_none() && free == 0);
                let wanted = ["held or shipped", "released", "shipped"][call];
                let expected = if now.is_some_and(|state| wanted.contains(state)) { Done } else { Refused };
                assert!(
                    got == expected,
                    "seed {seed}: {id:?} was {was:?} with {free} free, wants to be {wanted}: {got:?}"
                );
                if let Some(now) = now {
                    model.insert(id, now);
                }
                let taken = model.values().filter(|state| **state != "released").count();
                let free = items - u32::try_from(taken).expect("few");
                assert!(
                    stock.free() == free,
                    "seed {seed}: of {items} items {taken} are taken, and {} free",
                    stock.free()
                );
            }
        });
    }
}

mod stage_4_replay {
    use super::*;

    fn command(activity: &'static str, input: i64) -> Command {
        Command { activity, input }
    }

    fn step(action: &'static str, undo: &'static str, input: i64) -> Step {
        Step { action: command(action, input), undo: command(undo, input) }
    }

    /// Two cups of coffee, and the sum of what they cost.
    fn coffee(context: &mut Context<'_>) -> Result<i64, Suspended> {
        let first = context.call("charge", 250)?.unwrap_or(0);
        let second = context.call("charge", 250)?.unwrap_or(0);
        Ok(first + second)
    }

    /// An order: its third step fails if `parcel` does.
    fn order(context: &mut Context<'_>) -> Result<i64, Suspended> {
        saga(context, &[step("hold", "release", 1), step("charge", "refund", 4_990), step("parcel", "cancel", 1)])
    }

    fn asked(activity: &'static str, input: i64) -> Event {
        Event::Asked(command(activity, input))
    }

    #[test]
    fn it_asks_for_one_thing_at_a_time_and_then_performs_it() {
        let mut history = vec![];
        assert_eq!(replay(coffee, &history), Progress::Ask(command("charge", 250)), "nothing has happened yet");
        history.push(asked("charge", 250));
        assert_eq!(replay(coffee, &history), Progress::Perform(Key(0), command("charge", 250)), "asked, not answered");
        history.push(Event::Answered(Some(250)));
        assert_eq!(
            replay(coffee, &history),
            Progress::Ask(command("charge", 250)),
            "one is answered, the second is new"
        );
    }

    #[test]
    fn what_has_an_answer_is_not_done_again() {
        let history =
            [asked("charge", 250), Event::Answered(Some(250)), asked("charge", 250), Event::Answered(Some(240))];
        assert_eq!(replay(coffee, &history), Progress::Finished(490), "250 and 240, from the history");
    }

    #[test]
    fn a_failure_is_an_answer_too() {
        let history = [asked("charge", 250), Event::Answered(None), asked("charge", 250), Event::Answered(Some(240))];
        assert_eq!(replay(coffee, &history), Progress::Finished(240), "the first failed, and was not tried again");
    }

    /// Both coffees are the same command. The service must see that they are two.
    #[test]
    fn two_equal_commands_have_two_keys_and_each_keeps_its_own() {
        let mut history = vec![asked("charge", 250), Event::Answered(Some(250)), asked("charge", 250)];
        for _ in 0..3 {
            assert_eq!(
                replay(coffee, &history),
                Progress::Perform(Key(1), command("charge", 250)),
                "the second is key 1"
            );
        }
        history.truncate(1);
        assert_eq!(replay(coffee, &history), Progress::Perform(Key(0), command("charge", 250)), "the first is key 0");
    }

    /// Yesterday's version charged 250, today's 260; and yet another one first looks at the clock.
    #[test]
    fn a_workflow_that_wants_something_else_than_before_is_stopped() {
        for answered in [true, false] {
            let mut history = vec![asked("charge", 250)];
            history.extend(answered.then_some(Event::Answered(Some(250))));
            let (at, recorded) = (0, command("charge", 250));
            let dearer = |context: &mut Context<'_>| Ok(context.call("charge", 260)?.unwrap_or(0));
            let diverged = Progress::Diverged { at, recorded, asked: Some(command("charge", 260)) };
            assert_eq!(replay(dearer, &history), diverged, "the input differs; answered: {answered}");
            let other = |context: &mut Context<'_>| Ok(context.call("refund", 250)?.unwrap_or(0));
            let diverged = Progress::Diverged { at, recorded, asked: Some(command("refund", 250)) };
            assert_eq!(replay(other, &history), diverged, "it may have charged, and now it would refund");
        }
        let history = [asked("charge", 250), Event::Answered(Some(250)), asked("refund", 9)];
        let diverged =
            Progress::Diverged { at: 2, recorded: command("refund", 9), asked: Some(command("charge", 250)) };
        assert_eq!(replay(coffee, &history), diverged, "the second command stands at place 2");
    }

    /// The new version does without the second coffee; but that is on its way.
    #[test]
    fn a_workflow_that_ends_before_its_history_is_stopped() {
        let one = |context: &mut Context<'_>| Ok(context.call("charge", 250)?.unwrap_or(0));
        let history = [asked("charge", 250), Event::Answered(Some(250)), asked("charge", 250)];
        let diverged = Progress::Diverged { at: 2, recorded: command("charge", 250), asked: None };
        assert_eq!(replay(one, &history), diverged, "the second charge is nobody's any more");
        let history =
            [asked("charge", 250), Event::Answered(Some(250)), asked("charge", 250), Event::Answered(Some(240))];
        assert_eq!(
            replay(one, &history),
            diverged,
            "nor is it if it was answered: 240 was charged, and who knows of it?"
        );
    }

    /// It writes `let _ =` where a `?` should be.
    #[test]
    fn who_ignores_the_suspension_gets_no_further() {
        let careless = |context: &mut Context<'_>| {
            let _ = context.call("charge", 250);
            let _ = context.call("parcel", 1);
            Ok(1)
        };
        assert_eq!(replay(careless, &[]), Progress::Ask(command("charge", 250)), "the first, and not finished");
        let history = [asked("charge", 250)];
        assert_eq!(
            replay(careless, &history),
            Progress::Perform(Key(0), command("charge", 250)),
            "it has no answer yet"
        );
        let changed = |context: &mut Context<'_>| {
            let _ = context.call("refund", 250);
            Ok(context.call("charge", 250)?.unwrap_or(0))
        };
        let diverged =
            Progress::Diverged { at: 0, recorded: command("charge", 250), asked: Some(command("refund", 250)) };
        assert_eq!(replay(changed, &history), diverged, "that it diverged is not forgotten");
    }

    /// Runs a workflow to its end. The process dies once, after so many things it did, each of which is an append or a call. `fails` says which
    /// commands fail, by their keys. What came out; how often each key was called; the commands that services did, once for each key; the history.
    fn run(
        workflow: impl Fn(&mut Context<'_>) -> Result<i64, Suspended>,
        crash: usize,
        fails: &BTreeSet<usize>,
    ) -> (i64, BTreeMap<Key, u32>, Vec<Command>, Vec<Event>) {
        let (mut history, mut calls, mut effects) = (vec![], BTreeMap::new(), vec![]);
        let mut things = 0;
        let mut dies = || {
            things += 1;
            things == crash
        };
        for _ in 0..60 {
            match replay(&workflow, &history) {
                Progress::Ask(command) => {
                    if !dies() {
                        history.push(Event::Asked(command));
                    }
                }
                Progress::Perform(key, command) => {
                    let called = calls.entry(key).or_default();
                    *called += 1;
                    if *called == 1 {
                        effects.push(command);
                    }
                    if !dies() {
                        history.push(Event::Answered((!fails.contains(&key.0)).then_some(command.input)));
                    }
                }
                Progress::Finished(result) => return (result, calls, effects, history),
                diverged @ Progress::Diverged { .. } => panic!("crash {crash}: {diverged:?} in {history:?}"),
            }
        }
        panic!("crash {crash}: it does not end: {history:?}")
    }

    #[test]
    fn it_may_die_anywhere_and_everything_is_as_if_it_had_not() {
        let sometimes = Sometimes::expect(["something was performed again"]);
        for fails in [vec![], vec![2], vec![1, 3], vec![0, 1, 2]] {
            let fails: BTreeSet<usize> = fails.into_iter().collect();
            let (result, _, effects, history) = run(order, 0, &fails);
            for crash in 1..=14 {
                let (again, calls, effects_again, history_again) = run(order, crash, &fails);
                sometimes.saw("something was performed again", calls.values().any(|times| *times > 1));
                assert_eq!(
                    (again, &effects_again, &history_again),
                    (result, &effects, &history),
                    "it died once, before append {crash}; keys {fails:?} fail"
                );
            }
        }
    }

    #[test]
    fn a_saga_without_failures_undoes_nothing() {
        let (result, _, effects, _) = run(order, 0, &BTreeSet::new());
        assert_eq!(result, 1);
        assert_eq!(effects, [command("hold", 1), command("charge", 4_990), command("parcel", 1)]);
    }

    #[test]
    fn a_saga_undoes_in_reverse_beginning_with_what_failed() {
        let (result, _, effects, _) = run(order, 0, &BTreeSet::from([2]));
        let undone = [command("cancel", 1), command("refund", 4_990), command("release", 1)];
        assert_eq!((result, &effects[3..]), (0, &undone[..]), "the parcel failed, and may be on its way all the same");
        let (result, _, effects, _) = run(order, 0, &BTreeSet::from([0]));
        assert_eq!((result, effects), (0, vec![command("hold", 1), command("release", 1)]), "the first one failed");
    }

    /// A gift card pays for everything: 0 is charged, and 0 is refunded.
    #[test]
    fn a_result_of_nought_is_a_result() {
        let gift =
            |context: &mut Context<'_>| saga(context, &[step("charge", "refund", 0), step("parcel", "cancel", 1)]);
        let (result, _, effects, _) = run(gift, 0, &BTreeSet::new());
        assert_eq!(
            (result, effects),
            (1, vec![command("charge", 0), command("parcel", 1)]),
            "0 was charged, and that is done"
        );
        let (result, _, effects, _) = run(gift, 0, &BTreeSet::from([1]));
        let expected = [("charge", 0), ("parcel", 1), ("cancel", 1), ("refund", 0)];
        assert_eq!(
            (result, effects),
            (0, expected.map(|(what, input)| command(what, input)).to_vec()),
            "0 was refunded, once"
        );
    }

    #[test]
    fn a_saga_repeats_an_undoing_that_fails() {
        let (result, _, effects, _) = run(order, 0, &BTreeSet::from([1, 2, 3]));
        let expected =
            [("hold", 1), ("charge", 4_990), ("refund", 4_990), ("refund", 4_990), ("refund", 4_990), ("release", 1)];
        assert_eq!((result, effects), (0, expected.map(|(what, input)| command(what, input)).to_vec()));
    }
}
