//! What the shop, the broker and the consumers are left with when the power fails: between any two steps, and on a real disk.

use kit::{Sometimes, for_seeds};
use outbox::{Answer, Consumer, Event, EventId, OrderId, Relay, Shop, Step, Write, change, consume};
use rand::RngExt as _;
use std::collections::{BTreeMap, BTreeSet};

const BILLING: Consumer = Consumer("billing");
const POINTS: Consumer = Consumer("points");

fn event(id: i64, order: i64, cents: i64) -> Event {
    Event { id: EventId(id), order: OrderId(order), cents }
}

/// What is left when the power fails: the disk, and the broker.
#[derive(Clone, Debug, Default)]
struct World {
    totals: BTreeMap<OrderId, i64>,
    outbox: BTreeMap<EventId, Event>,
    /// What the broker was handed, in this order.
    broker: Vec<Event>,
    seen: BTreeSet<(Consumer, EventId)>,
    credit: BTreeMap<Consumer, i64>,
    acknowledged: BTreeSet<EventId>,
}

impl World {
    fn run(&mut self, step: &Step) {
        match step {
            Step::Commit(writes) => writes.iter().for_each(|write| self.write(write)),
            Step::Publish(event) => self.broker.push(*event),
            Step::Acknowledge(event) => {
                self.acknowledged.insert(*event);
            }
        }
    }

    fn write(&mut self, write: &Write) {
        match *write {
            Write::Total(order, cents) => *self.totals.entry(order).or_default() += cents,
            Write::Outbox(event) => {
                self.outbox.insert(event.id, event);
            }
            Write::Sent(event) => {
                self.outbox.remove(&event);
            }
            Write::Seen(consumer, event) => {
                self.seen.insert((consumer, event));
            }
            Write::Credit(consumer, cents) => *self.credit.entry(consumer).or_default() += cents,
        }
    }

    /// The outbox, as a database returns it that was not asked for an order: backwards.
    fn rows(&self) -> Vec<Event> {
        self.outbox.values().rev().copied().collect()
    }

    /// The sum of the order's events, wherever they are: in the outbox, or with the broker, or both.
    fn announced(&self, order: OrderId) -> i64 {
        let mut all = self.outbox.clone();
        all.extend(self.broker.iter().map(|event| (event.id, *event)));
        all.values().filter(|event| event.order == order).map(|event| event.cents).sum()
    }
}

fn published(steps: &[Step]) -> Vec<Event> {
    let events = steps.iter().filter_map(|step| match step {
        Step::Publish(event) => Some(*event),
        Step::Commit(_) | Step::Acknowledge(_) => None,
    });
    events.collect()
}

fn ids(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.id.0).collect()
}

/// In the order in which the broker was handed them, an order's events never go back.
fn in_order(broker: &[Event]) -> Result<(), String> {
    let mut last: BTreeMap<OrderId, EventId> = BTreeMap::new();
    for event in broker {
        if let Some(later) = last.insert(event.order, event.id).filter(|later| *later > event.id) {
            return Err(format!("{:?} came after {later:?} of the same order, in {:?}", event.id, ids(broker)));
        }
    }
    Ok(())
}

mod stage_1_one_write {
    use super::*;

    /// The order's total and what is announced of it, after so many steps.
    fn after(done: usize, steps: &[Step]) -> (i64, i64) {
        let mut world = World::default();
        steps[..done].iter().for_each(|step| world.run(step));
        (world.totals.get(&OrderId(7)).copied().unwrap_or(0), world.announced(OrderId(7)))
    }

    #[test]
    fn whenever_the_power_fails_no_row_is_without_its_event() {
        let steps = change(event(1, 7, 4_990));
        for done in 0..=steps.len() {
            let (total, announced) = after(done, &steps);
            assert!(
                total == 0 || announced == 4_990,
                "power fails after {done} of {} steps: the total is {total}, and nobody will ever hear of it: {steps:?}",
                steps.len()
            );
        }
    }

    #[test]
    fn whenever_the_power_fails_no_event_is_without_its_row() {
        let steps = change(event(1, 7, 4_990));
        for done in 0..=steps.len() {
            let (total, announced) = after(done, &steps);
            assert!(
                announced == 0 || total == 4_990,
                "power fails after {done} of {} steps: {announced} is announced, and the total is {total}: {steps:?}",
                steps.len()
            );
        }
    }

    #[test]
    fn in_the_end_both_are_there() {
        let mut world = World::default();
        for new in [event(1, 7, 4_990), event(2, 7, -990)] {
            change(new).iter().for_each(|step| world.run(step));
        }
        assert_eq!(world.totals.get(&OrderId(7)), Some(&4_000), "4,990 and 990 less");
        assert_eq!(world.announced(OrderId(7)), 4_000, "both changes are announced");
    }

    /// A voucher pays for all of it. The warehouse has to pack it all the same.
    #[test]
    fn what_costs_nothing_is_announced_too() {
        let mut world = World::default();
        change(event(1, 7, 0)).iter().for_each(|step| world.run(step));
        assert_eq!(ids(&world.rows()), [1], "an order over 0 cents is an order");
        assert_eq!(world.totals.get(&OrderId(7)), Some(&0), "and its row is there");
    }

    /// The broker is down, and event 1 of the order waits in the outbox. It is up again when the order changes once more.
    #[test]
    fn a_request_does_not_overtake_what_waits_in_the_outbox() {
        let steps = change(event(2, 7, -990));
        assert_eq!(ids(&published(&steps)), [0_i64; 0], "event 1 of the order is not published yet, event 2 would be");
        let mut world = World::default();
        steps.iter().for_each(|step| world.run(step));
        assert_eq!(ids(&world.rows()), [2], "it waits behind event 1");
    }
}

mod stage_2_the_relay {
    use super::*;

    #[test]
    fn each_order_s_oldest_event_goes_out() {
        let mut relay = Relay::default();
        let rows = [event(4, 8, 1), event(3, 7, 1), event(1, 7, 1), event(2, 9, 1), event(5, 8, 1)];
        let mut out = ids(&published(&relay.poll(&rows)));
        out.sort_unstable();
        assert_eq!(out, [1, 2, 4], "the oldest of orders 7, 9 and 8; 3 waits for 1, and 5 for 4");
    }

    /// What if the power fails between the two? A lost event is lost for ever; one that comes twice is noticed.
    #[test]
    fn an_event_leaves_the_outbox_when_it_is_accepted_and_not_before() {
        let mut relay = Relay::default();
        let first = relay.poll(&[event(1, 7, 10)]);
        assert_eq!(first, [Step::Publish(event(1, 7, 10))], "no answer has come yet");
        let then = relay.answered(EventId(1), Answer::Accepted);
        assert_eq!(then, [Step::Commit(vec![Write::Sent(EventId(1))])], "the broker has it on disk");
    }

    #[test]
    fn what_is_not_accepted_stays_and_goes_out_again() {
        let mut relay = Relay::default();
        let rows = [event(1, 7, 10), event(2, 7, 20)];
        relay.poll(&rows);
        assert_eq!(relay.answered(EventId(1), Answer::NotAccepted), [], "its row stays");
        assert_eq!(ids(&published(&relay.poll(&rows))), [1], "again, and before event 2");
    }

    #[test]
    fn while_its_answer_is_under_way_an_event_does_not_go_out_again() {
        let mut relay = Relay::default();
        let rows = [event(1, 7, 10), event(2, 7, 20)];
        relay.poll(&rows);
        assert_eq!(
            relay.poll(&rows),
            [],
            "polled every 100 ms, a broker that answers in 5 s would get each event 50 times"
        );
    }

    /// Order 7 is poison: the broker refuses its event, again and again.
    #[test]
    fn one_order_does_not_hold_up_another() {
        let mut relay = Relay::default();
        let (poison, other) = (event(1, 7, 10), event(2, 8, 20));
        relay.poll(&[poison, other]);
        relay.answered(poison.id, Answer::NotAccepted);
        relay.answered(other.id, Answer::Accepted);
        let next = event(3, 8, 30);
        let out: BTreeSet<i64> = ids(&published(&relay.poll(&[poison, next]))).into_iter().collect();
        assert_eq!(out, BTreeSet::from([1, 3]), "event 3 is order 8's oldest");
    }

    /// The broker was down from Friday to Monday, and the relay asked every minute.
    #[test]
    fn however_often_it_is_refused_it_goes_out_again() {
        let mut relay = Relay::default();
        let rows = [event(1, 7, 10), event(2, 7, 20)];
        for time in 1..=4_000 {
            let out = ids(&published(&relay.poll(&rows)));
            assert_eq!(
                out,
                [1],
                "refused {} times, its row stands in the outbox, and nobody else will publish it",
                time - 1
            );
            assert_eq!(relay.answered(EventId(1), Answer::NotAccepted), [], "its row stays");
        }
    }

    /// The broker has event 1, and the database was too busy to delete its row. If 2 went out now and the relay died, 1 would follow it.
    #[test]
    fn the_next_event_of_an_order_waits_until_the_row_is_gone() {
        let mut relay = Relay::default();
        let rows = [event(1, 7, 10), event(2, 7, 20)];
        relay.poll(&rows);
        relay.answered(EventId(1), Answer::Accepted);
        let out = ids(&published(&relay.poll(&rows)));
        assert!(!out.contains(&2), "row 1 still stands in the outbox, and event 2 goes out");
        assert_eq!(ids(&published(&relay.poll(&rows[1..]))), [2], "now row 1 is gone");
    }

    /// It was accepted, and the transaction that was to delete its row failed. Who else would try again?
    #[test]
    fn what_was_accepted_and_still_stands_in_the_outbox_goes_out_again() {
        let mut relay = Relay::default();
        let rows = [event(1, 7, 10), event(2, 7, 20)];
        relay.poll(&rows);
        relay.answered(EventId(1), Answer::Accepted);
        let out = ids(&published(&relay.poll(&rows)));
        assert!(out.contains(&1), "no answer is under way, and row 1 stands in the outbox; out went {out:?}");
        let then = relay.answered(EventId(1), Answer::Accepted);
        assert_eq!(then, [Step::Commit(vec![Write::Sent(EventId(1))])], "the broker has it on disk, once more");
    }

    /// The transaction that was given number 1 is slow, and the one with number 2, of another order, ends first.
    #[test]
    fn a_row_that_turns_up_late_is_published() {
        let mut relay = Relay::default();
        relay.poll(&[event(2, 8, 20)]);
        relay.answered(EventId(2), Answer::Accepted);
        let out = ids(&published(&relay.poll(&[event(1, 7, 10), event(3, 8, 30)])));
        assert!(out.contains(&1), "2 is sent, and 1 stands in the outbox: who else would publish it? Out went {out:?}");
    }

    /// A relay starts, and hears what became of an event that the one before it had published.
    #[test]
    fn an_answer_for_another_relay_s_event_is_as_good() {
        let mut relay = Relay::default();
        let rows = [event(2, 7, 20)];
        relay.poll(&rows);
        let late = relay.answered(EventId(1), Answer::Accepted);
        assert_eq!(late, [Step::Commit(vec![Write::Sent(EventId(1))])], "the broker has it");
        assert_eq!(relay.poll(&rows), [], "event 2 still has no answer");
        assert_eq!(relay.answered(EventId(3), Answer::NotAccepted), [], "nothing is known of event 3");
    }

    /// Six events of two orders. The relay is killed before its n-th step, for every n, and another one goes on.
    #[test]
    fn killed_before_any_step_it_loses_nothing_and_keeps_the_order() {
        let repeated = Sometimes::expect(["an event was published again"]);
        for kill in 0..=14 {
            let mut world = World::default();
            (1..=6).for_each(|id| world.run(&Step::Commit(vec![Write::Outbox(event(id, id % 2, 10))])));
            let (mut relay, mut left) = (Relay::default(), Some(kill));
            for _ in 0..20 {
                let mut todo: Vec<Step> = relay.poll(&world.rows());
                todo.reverse();
                while let Some(step) = todo.pop() {
                    if left == Some(0) {
                        (relay, left) = (Relay::default(), None);
                        break;
                    }
                    left = left.map(|left| left - 1);
                    world.run(&step);
                    if let Step::Publish(event) = step {
                        todo.extend(relay.answered(event.id, Answer::Accepted));
                    }
                }
            }
            repeated.saw("an event was published again", world.broker.len() > 6);
            let once: BTreeSet<i64> = ids(&world.broker).into_iter().collect();
            assert!(
                once.len() == 6,
                "killed before step {kill}: the broker has {:?}, six were to come",
                ids(&world.broker)
            );
            assert!(world.outbox.is_empty(), "killed before step {kill}: {:?} stays in the outbox", world.rows());
            assert!(world.broker.len() <= 7, "killed once, and more than one came twice: {:?}", ids(&world.broker));
            in_order(&world.broker).unwrap_or_else(|why| panic!("killed before step {kill}: {why}"));
        }
    }

    /// Requests, polls, answers late and lost, and a relay that dies, in any order.
    #[test]
    fn whatever_fails_every_event_arrives_and_an_order_s_events_never_go_back() {
        let sometimes =
            Sometimes::expect(["died with answers under way", "an answer was lost", "came twice", "a late row"]);
        for_seeds(150, |seed| {
            let mut rng = seed.rng();
            let (mut world, mut relay, mut under_way) = (World::default(), Relay::default(), vec![]);
            let mut slow: Option<Event> = None;
            let mut next = 1;
            for turn in 0..120 {
                match rng.random_range(0..10) {
                    // Order 9 has slow transactions: the row turns up after some with a greater number. Of one order, only one runs at a time.
                    0 if turn < 80 && slow.is_none() => {
                        slow = Some(event(next, 9, 10));
                        next += 1;
                    }
                    1 => {
                        if let Some(row) = slow.take() {
                            sometimes.saw("a late row", world.broker.iter().any(|event| event.id > row.id));
                            world.run(&Step::Commit(vec![Write::Outbox(row)]));
                        }
                    }
                    0 | 2 if turn < 80 => {
                        world.run(&Step::Commit(vec![Write::Outbox(event(next, rng.random_range(1..=3), 10))]));
                        next += 1;
                    }
                    3..=5 => {
                        for event in published(&relay.poll(&world.rows())) {
                            let arrives = rng.random_bool(0.8);
                            if arrives {
                                world.broker.push(event);
                            }
                            let answer =
                                if arrives && rng.random_bool(0.8) { Answer::Accepted } else { Answer::NotAccepted };
                            sometimes.saw("an answer was lost", arrives && answer == Answer::NotAccepted);
                            under_way.push((event.id, answer));
                        }
                    }
                    6 if rng.random_bool(0.2) => {
                        sometimes.saw("died with answers under way", !under_way.is_empty());
                        relay = Relay::default();
                        under_way.clear();
                    }
                    _ if !under_way.is_empty() => {
                        let (id, answer) = under_way.swap_remove(rng.random_range(0..under_way.len()));
                        relay.answered(id, answer).iter().for_each(|step| world.run(step));
                    }
                    _ => {}
                }
                in_order(&world.broker).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
            }
            slow.into_iter().for_each(|row| world.run(&Step::Commit(vec![Write::Outbox(row)])));
            for (id, answer) in under_way {
                relay.answered(id, answer).iter().for_each(|step| world.run(step));
            }
            for _ in 0..100 {
                for event in published(&relay.poll(&world.rows())) {
                    world.broker.push(event);
                    relay.answered(event.id, Answer::Accepted).iter().for_each(|step| world.run(step));
                }
            }
            in_order(&world.broker).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
            let once: BTreeSet<i64> = ids(&world.broker).into_iter().collect();
            sometimes.saw("came twice", world.broker.len() > once.len());
            assert!(
                once == (1..next).collect() && world.outbox.is_empty(),
                "seed {seed}: of {} events {} arrived, and {:?} still stand in the outbox",
                next - 1,
                once.len(),
                world.rows()
            );
        });
    }
}

mod stage_3_the_inbox {
    use super::*;

    /// The broker brings the event to the consumer, which is killed after so many of its steps.
    fn bring(world: &mut World, consumer: Consumer, event: Event, kill_after: usize) {
        let steps = consume(consumer, event, &world.seen);
        steps.iter().take(kill_after).for_each(|step| world.run(step));
    }

    /// It dies after `first` steps, and the event comes again unless it was acknowledged; it may die again, after `second` steps, and the event comes
    /// once more. Returns what was counted in the end.
    fn killed_twice(new: Event, first: usize, second: usize, again: &Sometimes) -> i64 {
        let mut world = World::default();
        for kill_after in [first, second, usize::MAX] {
            let acknowledged = world.acknowledged.contains(&new.id);
            again
                .saw("died between its transaction and the acknowledgement", !acknowledged && !world.credit.is_empty());
            if !acknowledged {
                bring(&mut world, BILLING, new, kill_after);
            }
        }
        world.credit.get(&BILLING).copied().unwrap_or(0)
    }

    #[test]
    fn killed_after_any_step_it_never_counts_twice() {
        let again = Sometimes::expect(["died between its transaction and the acknowledgement"]);
        for (first, second) in (0..=4).flat_map(|first| (0..=4).map(move |second| (first, second))) {
            let counted = killed_twice(event(1, 7, 500), first, second, &again);
            assert!(counted <= 500, "killed after {first} steps and then after {second}: it counted {counted} of 500");
        }
    }

    #[test]
    fn killed_after_any_step_it_counts_in_the_end() {
        let again = Sometimes::expect(["died between its transaction and the acknowledgement"]);
        for (first, second) in (0..=4).flat_map(|first| (0..=4).map(move |second| (first, second))) {
            let counted = killed_twice(event(1, 7, 500), first, second, &again);
            assert!(counted >= 500, "killed after {first} steps and then after {second}: it counted {counted} of 500");
        }
    }

    #[test]
    fn what_is_acknowledged_has_been_counted() {
        let new = event(1, 7, 500);
        for kill_after in 0..=4 {
            let mut world = World::default();
            bring(&mut world, BILLING, new, kill_after);
            assert!(
                world.acknowledged.is_empty() || world.credit.get(&BILLING) == Some(&500),
                "killed after {kill_after} steps: it will not come again, and counted {:?}",
                world.credit
            );
        }
        let mut world = World::default();
        bring(&mut world, BILLING, new, usize::MAX);
        assert!(world.acknowledged.contains(&new.id), "it was never acknowledged, and comes for ever");
    }

    #[test]
    fn a_duplicate_has_no_effect_and_is_acknowledged() {
        let mut world = World::default();
        world.write(&Write::Seen(BILLING, EventId(1)));
        bring(&mut world, BILLING, event(1, 7, 500), usize::MAX);
        assert!(world.credit.values().all(|cents| *cents == 0), "it has counted before: {:?}", world.credit);
        assert!(world.acknowledged.contains(&EventId(1)), "the broker must hear that it need not come again");
    }

    /// A customer buys the same coffee twice.
    #[test]
    fn two_events_that_differ_in_nothing_but_their_number_are_two() {
        let mut world = World::default();
        bring(&mut world, BILLING, event(1, 7, 250), 9);
        bring(&mut world, BILLING, event(2, 7, 250), 9);
        assert_eq!(world.credit.get(&BILLING), Some(&500), "two coffees at 250");
    }

    #[test]
    fn what_one_consumer_has_seen_another_has_not() {
        let mut world = World::default();
        bring(&mut world, BILLING, event(1, 7, 250), 9);
        bring(&mut world, POINTS, event(1, 7, 250), 9);
        assert_eq!(world.credit.get(&POINTS), Some(&250), "billing has seen event 1, points have not");
    }

    /// Orders overtake each other on the way.
    #[test]
    fn a_smaller_number_after_a_greater_one_is_not_a_duplicate() {
        let mut world = World::default();
        for id in [5, 2, 9, 1] {
            bring(&mut world, BILLING, event(id, id, 100), 9);
        }
        assert_eq!(world.credit.get(&BILLING), Some(&400), "four events of four orders");
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

    /// What is on the disk, and with the broker, at one moment. A process that is killed then leaves exactly this.
    #[derive(Clone)]
    struct Moment {
        when: String,
        files: Vec<(OsString, Vec<u8>)>,
        broker: Vec<Event>,
    }

    fn look(dir: &Path, when: String, broker: &[Event]) -> Moment {
        let entries = fs::read_dir(dir).expect("the directory is there").map(|entry| entry.expect("it can be read"));
        // The index of a write-ahead log lives in memory and is made anew.
        let entries = entries.filter(|entry| !entry.file_name().to_string_lossy().ends_with("-shm"));
        let files = entries.filter_map(|entry| Some((entry.file_name(), fs::read(entry.path()).ok()?)));
        Moment { when, files: files.collect(), broker: broker.to_vec() }
    }

    /// The machine starts again with what was on its disk.
    fn restart(moment: &Moment) -> (TempDir, Shop) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, bytes) in &moment.files {
            fs::write(dir.path().join(name), bytes).expect("the file is written");
        }
        let shop = Shop::new(open(dir.path())).unwrap_or_else(|why| panic!("restarted {}: {why}", moment.when));
        (dir, shop)
    }

    fn open(dir: &Path) -> Connection {
        let db = Connection::open(dir.join("shop.db")).expect("the file can be opened");
        db.busy_timeout(Duration::ZERO).expect("nobody waits");
        // The machine does not really lose its power, and the test need not wait for the disk.
        db.pragma_update(None, "synchronous", "OFF").expect("SQLite knows it");
        db
    }

    /// Runs `act` on a shop in a file that has been through `before`, and looks at the disk before every commit, after every row that is changed,
    /// whenever an event is published, and at the end.
    fn watch(
        before: impl FnOnce(&mut Shop),
        act: impl FnOnce(&mut Shop, &mut dyn FnMut(&Event) -> Answer),
    ) -> Vec<Moment> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        before(&mut Shop::new(open(dir.path())).expect("a new shop"));
        let broker: Arc<Mutex<Vec<Event>>> = Arc::default();
        let moments: Arc<Mutex<Vec<Moment>>> = Arc::default();
        let watching: Arc<Mutex<bool>> = Arc::default();
        let watcher = || {
            let (path, broker, moments, watching) =
                (dir.path().to_owned(), Arc::clone(&broker), Arc::clone(&moments), Arc::clone(&watching));
            move |when: String| {
                if *watching.lock().expect("one thread") {
                    let moment = look(&path, when, &broker.lock().expect("one thread"));
                    moments.lock().expect("one thread").push(moment);
                }
            }
        };
        let mut db = open(dir.path());
        let row_changed = watcher();
        let hook = move |_, _: &str, table: &str, _| row_changed(format!("after a row of {table} changed"));
        db.update_hook(Some(hook)).expect("the hook is set");
        let commits = watcher();
        let hook = move || {
            commits("before a commit".to_owned());
            false
        };
        db.commit_hook(Some(hook)).expect("the hook is set");
        let mut shop = Shop::new(db).expect("the shop opens again");
        *watching.lock().expect("one thread") = true;
        let see = watcher();
        let mut publish = |event: &Event| {
            see(format!("before {:?} is published", event.id));
            broker.lock().expect("one thread").push(*event);
            see(format!("after {:?} is published", event.id));
            Answer::Accepted
        };
        act(&mut shop, &mut publish);
        watcher()("at the end".to_owned());
        drop(shop);
        let moments = moments.lock().expect("one thread");
        moments.clone()
    }

    fn shop() -> Shop {
        Shop::new(Connection::open_in_memory().expect("memory")).expect("a new shop")
    }

    #[test]
    fn killed_at_any_moment_the_row_is_there_exactly_if_its_event_is() {
        let order = OrderId(7);
        let moments = watch(
            |shop| {
                shop.change(order, 1_000).expect("a first change");
            },
            |shop, _| {
                shop.change(order, 4_990).expect("a second change");
            },
        );
        assert!(moments.len() >= 3, "the test looked only {} times", moments.len());
        for moment in &moments {
            let (_dir, shop) = restart(moment);
            let total = shop.total(order).expect("the total");
            let announced: i64 = shop.pending().expect("the outbox").iter().map(|event| event.cents).sum();
            assert_eq!(total, announced, "killed {}: the total is {total}, and {announced} is announced", moment.when);
        }
        let (_dir, shop) = restart(moments.last().expect("the end"));
        assert_eq!(shop.total(order), Ok(5_990), "at the end both changes are there");
    }

    /// Taking back 600 of an order of 500 is refused by the database.
    #[test]
    fn a_refused_change_is_not_announced() {
        let mut shop = shop();
        let first = shop.change(OrderId(7), 500).expect("500");
        let refused = shop.change(OrderId(7), -600);
        assert!(refused.is_err(), "the total would be -100, and the answer is {refused:?}");
        let pending = shop.pending().expect("the outbox");
        assert_eq!(
            pending,
            [Event { id: first, order: OrderId(7), cents: 500 }],
            "nobody may hear of what did not happen"
        );
        assert_eq!(shop.total(OrderId(7)), Ok(500));
    }

    #[test]
    fn an_order_over_nothing_is_announced_too() {
        let mut shop = shop();
        let given = shop.change(OrderId(7), 0).expect("a voucher pays for it");
        let pending = shop.pending().expect("the outbox");
        assert_eq!(pending, [Event { id: given, order: OrderId(7), cents: 0 }], "it has a number and is announced");
    }

    #[test]
    fn the_outbox_is_read_in_the_order_of_the_numbers() {
        let mut shop = shop();
        let given: Vec<EventId> = (1..=5).map(|n| shop.change(OrderId(9 - n), 10 * n).expect("a change")).collect();
        let pending = shop.pending().expect("the outbox");
        assert_eq!(pending.iter().map(|event| event.id).collect::<Vec<_>>(), given, "the numbers that were returned");
        assert!(given.is_sorted(), "a later event has a greater number: {given:?}");
        assert_eq!(pending[4], Event { id: given[4], order: OrderId(4), cents: 50 });
    }

    /// Three days with one order each, whose event is published in the evening. Billing takes it at once, or was down and takes all three in the end.
    /// Returns the numbers and what billing counted.
    fn three_days(billing_is_up: bool) -> (Vec<EventId>, Result<i64, rusqlite::Error>) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (mut given, mut broker) = (vec![], vec![]);
        for day in 1..=3 {
            let mut shop = Shop::new(open(dir.path())).expect("the shop opens");
            given.push(shop.change(OrderId(day), 100).expect("a change"));
            let accepted = shop.relay(|event| {
                broker.push(*event);
                Answer::Accepted
            });
            assert_eq!(accepted, Ok(1), "one event on day {day}");
            if billing_is_up {
                broker.drain(..).for_each(|event| {
                    shop.consume(BILLING, &event).expect("billing takes it");
                });
            }
        }
        let mut shop = Shop::new(open(dir.path())).expect("the shop opens");
        for event in &broker {
            shop.consume(BILLING, event).expect("billing takes it");
        }
        (given, shop.credit(BILLING))
    }

    /// The relay has emptied the outbox, and the shop is opened again. What is published next is something new.
    #[test]
    fn a_number_is_never_given_twice() {
        let (given, credit) = three_days(true);
        assert!(given[0] < given[1] && given[1] < given[2], "the numbers of three days: {given:?}");
        assert_eq!(credit, Ok(300), "three orders at 100; a number given again would look like a duplicate");
    }

    /// Neither the outbox nor the inbox has the event: it is with the broker.
    #[test]
    fn nor_while_the_broker_alone_has_the_event() {
        let (given, credit) = three_days(false);
        assert!(given[0] < given[1] && given[1] < given[2], "the numbers of three days: {given:?}");
        assert_eq!(credit, Ok(300), "three orders at 100, taken on the fourth day");
    }

    #[test]
    fn a_pass_publishes_everything_once_and_empties_the_outbox() {
        let mut shop = shop();
        let given: Vec<EventId> = (0..6).map(|n| shop.change(OrderId(n % 2), 10).expect("a change")).collect();
        let mut broker = vec![];
        let accepted = shop.relay(|event| {
            broker.push(*event);
            Answer::Accepted
        });
        assert_eq!(accepted, Ok(6), "six were accepted");
        assert_eq!(broker.iter().map(|event| event.id).collect::<Vec<_>>(), given, "in the order of the numbers");
        assert_eq!(shop.pending(), Ok(vec![]), "the outbox is empty");
        assert_eq!(shop.relay(|event| panic!("{event:?} is published again")), Ok(0), "there is nothing to do");
    }

    /// Orders 7, 8, 7 and 8 have changed, and the first event is refused. Their numbers; what was published; what was accepted; what is left.
    fn with_the_first_refused() -> (Vec<EventId>, Vec<EventId>, usize, Vec<EventId>) {
        let mut shop = shop();
        let ids = [7, 8, 7, 8].map(|order| shop.change(OrderId(order), 10).expect("a change")).to_vec();
        let mut broker = vec![];
        let accepted = shop.relay(|event| {
            broker.push(event.id);
            if event.id == ids[0] { Answer::NotAccepted } else { Answer::Accepted }
        });
        let left = shop.pending().expect("the outbox").iter().map(|event| event.id).collect();
        (ids, broker, accepted.expect("a pass"), left)
    }

    #[test]
    fn after_a_refusal_the_rest_of_its_order_waits() {
        let (ids, broker, _, left) = with_the_first_refused();
        assert!(!broker.contains(&ids[2]), "event {:?} of order 7 overtook {:?}, which was refused", ids[2], ids[0]);
        assert!(left.contains(&ids[0]) && left.contains(&ids[2]), "both of order 7 stay; left are {left:?} of {ids:?}");
    }

    #[test]
    fn after_a_refusal_other_orders_go_on() {
        let (ids, broker, accepted, left) = with_the_first_refused();
        assert!(broker.contains(&ids[1]) && broker.contains(&ids[3]), "order 8 has nothing to do with it: {broker:?}");
        assert!(
            !left.contains(&ids[1]) && !left.contains(&ids[3]),
            "order 8 was accepted; left are {left:?} of {ids:?}"
        );
        assert_eq!(accepted, broker.len() - 1, "accepted is all that was published but one: {broker:?}");
    }

    #[test]
    fn killed_at_any_moment_the_relay_loses_nothing_and_keeps_the_order() {
        let sometimes = Sometimes::expect(["killed after an event was published and before its row was gone"]);
        let moments = watch(
            |shop| {
                for n in 0..6 {
                    shop.change(OrderId(n % 2), 10).expect("a change");
                }
            },
            |shop, publish| {
                shop.relay(publish).expect("a pass");
            },
        );
        assert!(moments.len() >= 13, "the test looked only {} times", moments.len());
        for moment in &moments {
            let (_dir, mut shop) = restart(moment);
            let pending = shop.pending().expect("the outbox");
            sometimes.saw(
                "killed after an event was published and before its row was gone",
                moment.broker.iter().any(|event| pending.contains(event)),
            );
            let mut broker = moment.broker.clone();
            shop.relay(|event| {
                broker.push(*event);
                Answer::Accepted
            })
            .expect("a pass");
            let once: BTreeSet<EventId> = broker.iter().map(|event| event.id).collect();
            assert_eq!(once.len(), 6, "killed {}: the broker has {:?}", moment.when, ids(&broker));
            in_order(&broker).unwrap_or_else(|why| panic!("killed {}: {why}", moment.when));
        }
    }

    /// The broker needs two seconds for an answer. Meanwhile a customer orders.
    #[test]
    fn nobody_waits_for_the_broker() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut shop = Shop::new(open(dir.path())).expect("the shop opens");
        let mut customer = Shop::new(open(dir.path())).expect("a second connection");
        for order in 1..=2 {
            shop.change(OrderId(order), 10).expect("a change");
        }
        let accepted = shop.relay(|event| {
            let ordered = customer.change(OrderId(100 + event.id.0), 10);
            assert!(ordered.is_ok(), "while the broker is asked, the database is locked: {ordered:?}");
            Answer::Accepted
        });
        assert_eq!(accepted, Ok(2), "what came meanwhile is for the next pass");
        assert_eq!(shop.pending().expect("the outbox").len(), 2, "two customers ordered meanwhile");
    }

    /// The broker has event 1. Then somebody writes for longer than the relay waits, and its row cannot be deleted.
    #[test]
    fn a_row_that_cannot_be_deleted_ends_the_pass() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut shop = Shop::new(open(dir.path())).expect("the shop opens");
        let ids = [10, 20].map(|cents| shop.change(OrderId(7), cents).expect("a change"));
        let other = open(dir.path());
        let mut broker = vec![];
        let passed = shop.relay(|event| {
            broker.push(event.id);
            if broker.len() == 1 {
                other.execute_batch("BEGIN IMMEDIATE").expect("somebody else writes");
            }
            Answer::Accepted
        });
        assert_eq!(
            broker,
            [ids[0]],
            "row {:?} is not gone, and after a crash its event would follow {:?}",
            ids[0],
            ids[1]
        );
        assert!(passed.is_err(), "the database failed, and the relay says {passed:?}");
        other.execute_batch("ROLLBACK").expect("somebody else gave up");
        assert_eq!(shop.relay(|_| Answer::Accepted), Ok(2), "both go out with the next pass");
    }

    /// A second relay comes in between, and is faster.
    #[test]
    fn accepted_is_what_the_broker_accepted() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut shop = Shop::new(open(dir.path())).expect("the shop opens");
        for order in 1..=3 {
            shop.change(OrderId(order), 10).expect("a change");
        }
        let mut second = Shop::new(open(dir.path())).expect("a second connection");
        let accepted = shop.relay(|_| {
            second.relay(|_| Answer::Accepted).expect("its pass");
            Answer::Accepted
        });
        assert_eq!(accepted, Ok(3), "the broker accepted all three, whoever deleted their rows");
    }

    /// Who takes every failure of a statement for a duplicate acknowledges what was never counted.
    #[test]
    fn a_database_that_is_busy_has_not_seen_the_event() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut shop = Shop::new(open(dir.path())).expect("the shop opens");
        let other = open(dir.path());
        other.execute_batch("BEGIN IMMEDIATE").expect("somebody else writes");
        let busy = shop.consume(BILLING, &event(1, 7, 500));
        assert!(busy.is_err(), "nothing could be noted, and the answer is {busy:?}");
        other.execute_batch("ROLLBACK").expect("somebody else is done");
        assert_eq!(shop.consume(BILLING, &event(1, 7, 500)), Ok(true), "it comes again");
        assert_eq!(shop.credit(BILLING), Ok(500));
    }

    #[test]
    fn killed_at_any_moment_the_consumer_counts_once() {
        let sometimes = Sometimes::expect(["killed before it counted", "killed after it counted"]);
        let event = event(1, 7, 500);
        let moments = watch(
            |_| (),
            |shop, _| {
                shop.consume(BILLING, &event).expect("billing takes it");
            },
        );
        for moment in &moments {
            let (_dir, mut shop) = restart(moment);
            let before = shop.credit(BILLING).expect("the credit");
            sometimes.saw("killed before it counted", before == 0);
            sometimes.saw("killed after it counted", before == 500);
            let counted = shop.consume(BILLING, &event).expect("it comes again");
            assert_eq!(
                shop.credit(BILLING),
                Ok(500),
                "killed {}: it had counted {before}, then it came again",
                moment.when
            );
            assert_eq!(counted, before == 0, "killed {}: was it counted now?", moment.when);
        }
    }

    /// Points may not fall below zero: an event that takes back arrives before the one that gave.
    #[test]
    fn an_event_that_failed_has_not_been_seen() {
        let mut shop = shop();
        let (gives, takes) = (event(1, 7, 500), event(2, 8, -500));
        let failed = shop.consume(POINTS, &takes);
        assert!(failed.is_err(), "500 less than nothing, and the answer is {failed:?}");
        assert_eq!(shop.consume(POINTS, &gives), Ok(true));
        assert_eq!(shop.consume(POINTS, &takes), Ok(true), "it comes again, and can be counted now");
        assert_eq!(shop.credit(POINTS), Ok(0));
    }

    #[test]
    fn each_consumer_counts_each_event_once() {
        let mut shop = shop();
        for id in [5, 2, 5, 9, 2] {
            for consumer in [BILLING, POINTS] {
                shop.consume(consumer, &event(id, 7, 100)).expect("it is taken");
            }
        }
        assert_eq!((shop.credit(BILLING), shop.credit(POINTS)), (Ok(300), Ok(300)), "events 5, 2 and 9, for each");
    }
}
