//! Stage 1: one row. Stage 2: one transaction, and a crash after each of its steps. Stage 3: every interleaving of several.
//! Stage 4: what a snapshot does not protect from.

use kit::explore::{Found, Model, Outcome as Searched, Search};
use kit::trace::{Event, Trace, What};
use kit::{NodeId, Time};
use percolator::{Conflict, Fate, Isolation, Job, Key, Lock, Outcome, Phase, Remote, Row, Transaction, Ts, Value};
use std::collections::BTreeMap;

const SEVEN_DOLLARS: Job = Job::Transfer { from: "Bob", to: "Joe", amount: 7 };

type Rows = BTreeMap<Key, Row>;

/// A row with one value, written by a transaction that began at 5 and committed at 6, as in the paper's figure.
fn row(value: Value) -> Row {
    Row { data: BTreeMap::from([(Ts(5), value)]), lock: None, writes: BTreeMap::from([(Ts(6), Ts(5))]) }
}

/// Bob has 10 dollars and Joe has 2.
fn bank() -> Rows {
    BTreeMap::from([("Bob", row(10)), ("Joe", row(2))])
}

/// The same two, and Cleo with 5: money can reach a row from one side and leave it on the other.
fn three_accounts() -> Rows {
    let mut rows = bank();
    rows.insert("Cleo", row(5));
    rows
}

/// The store and the oracle, for one step.
struct OneCall<'a> {
    rows: &'a mut Rows,
    clock: &'a mut u64,
    /// The lock that is to be settled, if that is what the step is for.
    in_the_way: Option<Lock>,
    dead: bool,
    calls: u32,
}

impl OneCall<'_> {
    fn call(&mut self) {
        self.calls += 1;
        assert!(self.calls == 1, "two calls in one step: between them another client could run, or this one crash");
    }
}

impl Remote for OneCall<'_> {
    fn timestamp(&mut self) -> Ts {
        self.call();
        *self.clock += 1;
        Ts(*self.clock)
    }
    fn row(&mut self, key: Key) -> &mut Row {
        self.call();
        self.rows.entry(key).or_default()
    }
    fn presumed_dead(&self, lock: Lock) -> bool {
        if let Some(met) = self.in_the_way {
            assert!(lock == met, "{met:?} is in the way, and whether the owner of {lock:?} is dead was asked");
        }
        self.dead
    }
}

/// Everything there is: the store, the oracle, and clients who may have crashed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    rows: Rows,
    clock: u64,
    clients: Vec<(Transaction, bool)>,
    crashes_left: usize,
}

impl World {
    fn new(rows: Rows, jobs: &[(Job, Isolation)]) -> Self {
        let clients = jobs.iter().map(|(job, isolation)| (Transaction::new(*job, *isolation), false)).collect();
        Self { rows, clock: 6, clients, crashes_left: 0 }
    }

    fn step(&mut self, client: usize, dead: bool) {
        let transaction = &mut self.clients[client].0;
        let in_the_way = if let Phase::Settle { lock, .. } = transaction.phase { Some(lock) } else { None };
        let mut remote = OneCall { rows: &mut self.rows, clock: &mut self.clock, in_the_way, dead, calls: 0 };
        transaction.step(&mut remote);
    }

    /// Runs one client to its end, as long as that takes no more than 60 steps.
    fn finish(&mut self, client: usize, dead: bool) -> Option<Outcome> {
        for _ in 0..60 {
            if let Phase::Done(outcome) = self.clients[client].0.phase {
                return Some(outcome);
            }
            self.step(client, dead);
        }
        None
    }

    /// What a reader would see in the snapshot `at` if every client crashed now: it may clean up as it goes.
    fn snapshot(&self, at: Ts, one: Key, other: Key) -> Result<[Value; 2], String> {
        let mut world = Self { clock: at.0 - 1, clients: vec![], ..self.clone() };
        world.clients.push((Transaction::new(Job::Look(one, other), Isolation::Snapshot), false));
        if world.finish(0, true).is_none() {
            return Err(format!("a reader of the snapshot {at} was still busy after 60 steps"));
        }
        Ok([one, other].map(|key| world.clients[0].0.read.get(key).copied().unwrap_or(0)))
    }

    fn outcomes(&self) -> impl Iterator<Item = (&Transaction, Outcome)> {
        self.clients.iter().filter_map(|(transaction, _)| match transaction.phase {
            Phase::Done(outcome) => Some((transaction, outcome)),
            _ => None,
        })
    }

    fn all_who_live_are_done(&self) -> Result<(), String> {
        match self.clients.iter().position(|(client, crashed)| !crashed && !matches!(client.phase, Phase::Done(_))) {
            None => Ok(()),
            Some(client) => Err(format!("{} is stuck at {:?}", name(client), self.clients[client].0.phase)),
        }
    }
}

fn name(client: usize) -> &'static str {
    ["Ann", "Ben", "Cleo"][client]
}

mod stage_1_one_row {
    use super::*;

    const MINE: Lock = Lock { start: Ts(7), primary: "Bob" };

    fn locked() -> Row {
        let mut row = row(10);
        row.prewrite(MINE, 3).expect("nobody else is there");
        row
    }

    #[test]
    fn a_snapshot_shows_what_was_committed_last_at_or_before_it() {
        let mut row = row(10);
        row.data.insert(Ts(7), 3);
        row.writes.insert(Ts(9), Ts(7));
        for (at, value) in [(5, None), (6, Some(10)), (8, Some(10)), (9, Some(3)), (100, Some(3))] {
            assert_eq!(row.read(Ts(at)), Ok(value), "the snapshot @{at} of a row with commits at @6 (10) and @9 (3)");
        }
        assert_eq!(Row::default().read(Ts(100)), Ok(None), "a row that was never written");
    }

    /// A report that takes an hour reads a row that is written all the time.
    #[test]
    fn a_snapshot_stays_however_often_the_row_is_written_afterwards() {
        let mut row = row(0);
        for n in 1..=100 {
            let start = Ts(10 * n);
            let refused = row.prewrite(Lock { start, primary: "Bob" }, n.cast_signed());
            assert_eq!(refused, Ok(()), "the {n}th write, begun after the one before was committed");
            assert!(row.commit(start, Ts(10 * n + 1)), "the {n}th write holds its lock");
        }
        for n in 1..=100 {
            let value = row.read(Ts(10 * n + 5));
            assert_eq!(value, Ok(Some(n.cast_signed())), "the snapshot after the {n}th of 100 writes");
        }
    }

    #[test]
    fn data_without_a_commit_is_invisible() {
        let mut row = row(10);
        row.data.insert(Ts(7), 3);
        assert_eq!(row.read(Ts(100)), Ok(Some(10)), "3 was written by @7, which never committed");
    }

    /// Its owner may be about to commit, with a timestamp before ours.
    #[test]
    fn a_lock_from_before_the_snapshot_hides_the_row() {
        let row = locked();
        assert_eq!(row.read(Ts(7)), Err(MINE));
        assert_eq!(row.read(Ts(100)), Err(MINE));
        assert_eq!(row.read(Ts(6)), Ok(Some(10)), "who locks at @7 commits later, so the snapshot @6 cannot change");
    }

    #[test]
    fn prewriting_locks_the_row_and_shows_nothing() {
        let row = locked();
        assert_eq!((row.lock, row.data.get(&Ts(7))), (Some(MINE), Some(&3)));
        assert_eq!(row.writes.len(), 1, "a prewrite commits nothing");
    }

    #[test]
    fn a_locked_row_cannot_be_prewritten() {
        for start in [6, 7, 8] {
            let mut row = locked();
            let before = row.clone();
            let refused = row.prewrite(Lock { start: Ts(start), primary: "Joe" }, 99);
            assert_eq!(refused, Err(Conflict::Locked(MINE)), "@{start} meets the lock of @7");
            assert_eq!(row, before, "what was refused changes nothing");
        }
    }

    /// It began before we did, and committed after: we read what was there before.
    #[test]
    fn a_row_that_was_committed_to_since_cannot_be_prewritten() {
        let mut row = locked();
        assert!(row.commit(Ts(7), Ts(10)));
        let before = row.clone();
        let refused = row.prewrite(Lock { start: Ts(8), primary: "Joe" }, 99);
        assert_eq!(
            refused,
            Err(Conflict::Written(Ts(10))),
            "@8 began before the commit at @10, by a transaction from @7"
        );
        assert_eq!(row, before, "what was refused changes nothing");
        assert_eq!(row.prewrite(Lock { start: Ts(11), primary: "Joe" }, 99), Ok(()), "@11 saw that commit");
    }

    #[test]
    fn committing_shows_the_value_and_takes_the_lock_away() {
        let mut row = locked();
        assert!(row.commit(Ts(7), Ts(9)));
        assert_eq!((row.lock, row.writes.get(&Ts(9))), (None, Some(&Ts(7))));
        assert_eq!((row.read(Ts(8)), row.read(Ts(9))), (Ok(Some(10)), Ok(Some(3))));
    }

    #[test]
    fn who_holds_no_lock_commits_nothing() {
        let mut row = locked();
        let before = row.clone();
        assert!(!row.commit(Ts(6), Ts(9)), "the lock is that of @7");
        assert_eq!(row, before);
        row.roll_back(Ts(7));
        assert!(!row.commit(Ts(7), Ts(9)), "the lock of @7 was taken away");
        assert_eq!(row, self::row(10), "a rolled back row is as it was");
        let mut row = locked();
        assert!(row.commit(Ts(7), Ts(9)));
        let committed = row.clone();
        for again in [9, 12] {
            assert!(!row.commit(Ts(7), Ts(again)), "@7 committed at @9 and let go of its lock; again at @{again}");
            assert_eq!(row, committed, "what is committed stays as it is");
        }
    }

    #[test]
    fn rolling_back_touches_only_ones_own_lock() {
        let mut row = locked();
        let before = row.clone();
        row.roll_back(Ts(6));
        assert_eq!(row, before, "the lock is that of @7");
    }

    #[test]
    fn the_primary_row_tells_what_became_of_a_transaction() {
        let mut row = locked();
        let before = row.clone();
        assert_eq!(row.settle(Ts(7), false), Fate::Undecided, "it holds its primary lock, and its client may be alive");
        assert_eq!(row, before, "asking decides nothing while the client may be alive");
        assert!(row.commit(Ts(7), Ts(9)));
        for dead in [false, true] {
            assert_eq!(row.settle(Ts(7), dead), Fate::Committed(Ts(9)), "presumed dead: {dead}");
            assert_eq!(row.settle(Ts(8), dead), Fate::RolledBack, "@8 has neither a lock nor a commit here");
        }
        let next = Lock { start: Ts(10), primary: "Bob" };
        assert_eq!(row.prewrite(next, 1), Ok(()));
        let held = row.clone();
        assert_eq!(row.settle(Ts(8), true), Fate::RolledBack, "the lock here is that of @10, not of @8");
        assert_eq!(row, held, "@8 is presumed dead; the lock of @10 stays");
        assert!(row.commit(Ts(10), Ts(11)));
        for (start, commit) in [(7, 9), (10, 11)] {
            let fate = row.settle(Ts(start), true);
            assert_eq!(
                fate,
                Fate::Committed(Ts(commit)),
                "@{start}, in a row with commits at @9 (by @7) and @11 (by @10)"
            );
        }
    }

    /// From here on its client can be as alive as it likes: its commit will fail.
    #[test]
    fn the_dead_are_rolled_back_at_their_primary_first() {
        let mut row = locked();
        assert_eq!(row.settle(Ts(7), true), Fate::RolledBack);
        assert_eq!(row.lock, None, "the primary lock is what decides, so it has to go");
        assert!(!row.commit(Ts(7), Ts(9)), "a transaction that was rolled back cannot commit");
    }
}

mod stage_2_one_transaction {
    use super::*;

    fn transfer_and_reader() -> World {
        let look = Job::Look("Joe", "Bob");
        World::new(bank(), &[(SEVEN_DOLLARS, Isolation::Snapshot), (look, Isolation::Snapshot)])
    }

    fn seen(world: &World) -> (Value, Value) {
        let read = &world.clients[1].0.read;
        (read["Bob"], read["Joe"])
    }

    /// Figure 4 of the paper, step by step.
    #[test]
    fn bob_pays_joe_seven_dollars() {
        let mut world = transfer_and_reader();
        for _ in 0..3 {
            world.step(0, false); // begins @7, reads Bob and Joe
        }
        assert_eq!(world.rows, bank(), "reading changes nothing");
        world.step(0, false);
        let primary = Some(Lock { start: Ts(7), primary: "Bob" });
        assert_eq!((world.rows["Bob"].lock, world.rows["Bob"].data.get(&Ts(7))), (primary, Some(&3)), "prewrite Bob");
        assert_eq!(world.rows["Joe"].lock, None, "one row a step");
        world.step(0, false);
        assert_eq!((world.rows["Joe"].lock, world.rows["Joe"].data.get(&Ts(7))), (primary, Some(&9)), "prewrite Joe");
        world.step(0, false);
        assert_eq!((world.clock, world.rows["Bob"].lock), (8, primary), "only now it gets its commit timestamp");
        world.step(0, false);
        assert_eq!((world.rows["Bob"].lock, world.rows["Joe"].lock), (None, primary), "the primary commits first");
        world.step(0, false);
        assert_eq!(world.clients[0].0.phase, Phase::Done(Outcome::Committed(Ts(8))));
        for (key, value) in [("Bob", 3), ("Joe", 9)] {
            assert_eq!(world.rows[key].read(Ts(8)), Ok(Some(value)), "{key} from @8 on");
        }
        let done = world.clone();
        (0..3).for_each(|_| world.step(0, false));
        assert_eq!(world, done, "who is done does nothing more");
    }

    #[test]
    fn who_has_too_little_pays_nothing() {
        let job = Job::Transfer { from: "Joe", to: "Bob", amount: 3 };
        let mut world = World::new(bank(), &[(job, Isolation::Snapshot)]);
        assert_eq!(world.finish(0, false), Some(Outcome::OnlyRead), "Joe has 2 dollars and would have to pay 3");
        assert_eq!(world.rows, bank());
    }

    /// The client dies after each of its steps in turn, and a reader finds what it left.
    #[test]
    fn a_crash_after_any_step_leaves_the_transfer_done_or_undone() {
        let mut seen_both = [false; 2];
        for steps in 0..=8 {
            let mut world = transfer_and_reader();
            (0..steps).for_each(|_| world.step(0, false));
            let outcome = world.finish(1, true);
            assert_eq!(
                outcome,
                Some(Outcome::OnlyRead),
                "a crash after step {steps}: the reader did not get its answer"
            );
            let decided = steps >= 7; // the seventh step commits the primary
            let expected = if decided { (3, 9) } else { (10, 2) };
            assert_eq!(seen(&world), expected, "Bob and Joe after a crash after step {steps} of 8");
            for (key, row) in &world.rows {
                assert_eq!(
                    row.lock, None,
                    "a crash after step {steps}: the reader came past {key} and left its lock there"
                );
            }
            seen_both[usize::from(decided)] = true;
        }
        assert_eq!(seen_both, [true, true]);
    }

    /// Ann crashed when only Bob's row was committed. Ben pays from it, so the row has a newer write when Joe is looked at.
    #[test]
    fn a_transfer_is_finished_even_if_its_primary_row_was_written_again() {
        let to_cleo = Job::Transfer { from: "Bob", to: "Cleo", amount: 1 };
        let jobs = [SEVEN_DOLLARS, to_cleo].map(|job| (job, Isolation::Snapshot));
        let mut world = World::new(three_accounts(), &jobs);
        (0..7).for_each(|_| world.step(0, false)); // commits Bob @8
        assert_eq!(world.finish(1, false), Some(Outcome::Committed(Ts(10))), "nothing is in Ben's way");
        let now = world.snapshot(Ts(20), "Bob", "Joe");
        assert_eq!(now, Ok([2, 9]), "Bob and Joe, when Joe got 7 from Bob and then Cleo 1");
        let between = world.snapshot(Ts(9), "Bob", "Joe");
        assert_eq!(between, Ok([3, 9]), "Bob and Joe in the snapshot @9, between the two transfers");
    }

    /// One row must not show the transfer before the other: the secondary becomes visible when the primary did.
    #[test]
    fn rolling_forward_uses_the_moment_at_which_the_primary_committed() {
        let mut world = transfer_and_reader();
        (0..7).for_each(|_| world.step(0, false));
        world.clock = 20;
        world.finish(1, true);
        let commits = &world.rows["Joe"].writes;
        assert_eq!(commits.get(&Ts(8)), Some(&Ts(7)), "Bob's row was committed at @8, Joe's at {:?}", commits.keys());
    }

    #[test]
    fn a_reader_waits_for_a_client_that_is_alive() {
        let mut world = transfer_and_reader();
        (0..5).for_each(|_| world.step(0, false));
        for _ in 0..20 {
            world.step(1, false);
        }
        assert!(
            !matches!(world.clients[1].0.phase, Phase::Done(_)),
            "the writer is alive and undecided, so the reader waits"
        );
        assert_eq!(world.finish(0, false), Some(Outcome::Committed(Ts(9))), "the reader began @8 and broke nothing");
        assert_eq!(world.finish(1, false), Some(Outcome::OnlyRead));
        assert_eq!(seen(&world), (10, 2), "the reader began @8, the transfer committed at @9");
    }

    /// Presumed dead, but only slow: it must find out, at the one row that decides.
    #[test]
    fn a_client_that_was_presumed_dead_finds_out() {
        for steps in [4, 5, 6] {
            let mut world = transfer_and_reader();
            (0..steps).for_each(|_| world.step(0, false));
            assert_eq!(world.finish(1, true), Some(Outcome::OnlyRead), "the reader rolls it back");
            let seen_before = seen(&world);
            assert_eq!(world.finish(0, false), Some(Outcome::RolledBack), "rolled back after step {steps} of 8");
            let now = world.snapshot(Ts(world.clock + 1), "Bob", "Joe");
            assert_eq!(
                (seen_before, now),
                ((10, 2), Ok([10, 2])),
                "what was rolled back after step {steps} never appears"
            );
        }
    }

    #[test]
    fn a_snapshot_does_not_change_while_it_is_read() {
        let mut world = transfer_and_reader();
        world.step(1, false);
        world.step(1, false); // the reader begins @7 and reads Joe
        assert_eq!(world.finish(0, false), Some(Outcome::Committed(Ts(9))));
        world.finish(1, false);
        assert_eq!(seen(&world), (10, 2), "a snapshot from before the transfer, read halfway before it");
    }

    /// Ben pays from the row that Ann pays from, or into the row that she pays into.
    #[test]
    fn of_two_that_overlap_the_second_to_write_aborts() {
        for from in ["Bob", "Cleo"] {
            let jobs = [SEVEN_DOLLARS, Job::Transfer { from, to: "Joe", amount: 3 }];
            let mut world = World::new(three_accounts(), &jobs.map(|job| (job, Isolation::Snapshot)));
            (0..3).for_each(|_| world.step(1, false)); // Ben begins @7 and reads
            assert_eq!(world.finish(0, false), Some(Outcome::Committed(Ts(9))));
            assert_eq!(
                world.finish(1, false),
                Some(Outcome::Conflict(Conflict::Written(Ts(9)))),
                "Ben moves 3 from {from} to Joe, of whom he read that he has 2, and Joe has 9"
            );
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The search: every order of the clients' steps, of crashes, and of wrong guesses about who is dead
// ---------------------------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Step(usize),
    /// A step in which the client presumes the owner of the lock that it met dead, rightly or wrongly.
    PresumeDead(usize),
    Crash(usize),
}

#[derive(Clone)]
struct Clients {
    start: World,
}

impl Model for Clients {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.start.clone()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (client, (transaction, crashed)) in world.clients.iter().enumerate() {
            if *crashed || matches!(transaction.phase, Phase::Done(_)) {
                continue;
            }
            actions.push(Action::Step(client));
            // Wherever a lock can be met, although only the primary row may act on such a guess.
            if matches!(transaction.phase, Phase::Settle { .. } | Phase::Prewrite { .. }) {
                actions.push(Action::PresumeDead(client));
            }
            if world.crashes_left > 0 {
                actions.push(Action::Crash(client));
            }
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Step(client) => next.step(client, false),
            Action::PresumeDead(client) => next.step(client, true),
            Action::Crash(client) => {
                next.crashes_left -= 1;
                next.clients[client].1 = true;
            }
        }
        (next != *world).then_some(next)
    }
}

/// A search over these clients, of whom so many may crash.
fn search(rows: Rows, jobs: &[(Job, Isolation)], crashes: usize) -> Search<Clients> {
    let mut start = World::new(rows, jobs);
    // Each alone first: what is not written yet shows itself here, before the search.
    for client in 0..jobs.len() {
        assert!(start.clone().finish(client, false).is_some(), "{} alone was still busy after 60 steps", name(client));
    }
    start.crashes_left = crashes;
    Search::of(Clients { start })
        .budget(2_000_000)
        .eventually("whoever does not crash comes to an end", World::all_who_live_are_done)
        .always("no snapshot changes", |world| {
            for (transaction, outcome) in world.outcomes() {
                let (Outcome::OnlyRead, [one, other]) = (outcome, transaction.job.reads()) else { continue };
                let again = world.snapshot(transaction.start, one, other)?;
                let read = [one, other].map(|key| transaction.read.get(key).copied().unwrap_or(0));
                if read != again {
                    let start = transaction.start;
                    return Err(format!(
                        "{one} and {other} in the snapshot {start} were {read:?}, and now are {again:?}"
                    ));
                }
            }
            Ok(())
        })
        .always("of two that overlap and write the same row, at most one commits", |world| {
            let committed: Vec<_> = world
                .outcomes()
                .filter_map(|(transaction, outcome)| match outcome {
                    Outcome::Committed(at) => Some((transaction, at)),
                    _ => None,
                })
                .collect();
            for (i, (one, at)) in committed.iter().enumerate() {
                for (other, then) in &committed[i + 1..] {
                    let overlap = one.start < *then && other.start < *at;
                    let shared = one.writes().into_iter().find(|(key, _)| other.writes().iter().any(|(k, _)| k == key));
                    if let (true, Some((key, _))) = (overlap, shared) {
                        let (first, second) = (one.start, other.start);
                        return Err(format!("{first} to {at} and {second} to {then} both changed {key}"));
                    }
                }
            }
            Ok(())
        })
}

/// What the bank promises, whatever its clients do.
fn bank_search(rows: Rows, jobs: &[Job], crashes: usize) -> Search<Clients> {
    let jobs: Vec<_> = jobs.iter().map(|job| (*job, Isolation::Snapshot)).collect();
    let everything = if rows.contains_key("Cleo") { 17 } else { 12 };
    search(rows, &jobs, crashes)
        .always("every snapshot has all the dollars in it", move |world| {
            for at in 6..=world.clock + 1 {
                let [bob, joe] = world.snapshot(Ts(at), "Bob", "Joe")?;
                let mut sum = bob + joe;
                let mut who = format!("Bob has {bob} and Joe has {joe}");
                if everything == 17 {
                    let [cleo, _] = world.snapshot(Ts(at), "Cleo", "Bob")?;
                    sum += cleo;
                    who += &format!(" and Cleo has {cleo}");
                }
                if sum != everything {
                    return Err(format!("{who} in the snapshot @{at}: {sum} dollars, and there are {everything}"));
                }
            }
            Ok(())
        })
        .always("a transfer that was reported done is done, and one that was reported undone is undone", |world| {
            let [bob, _] = world.snapshot(Ts(world.clock + 1), "Bob", "Joe")?;
            // Bob's balance after those that must be there, and with any of those that may.
            let mut possible = vec![10];
            for (transaction, _) in &world.clients {
                let Job::Transfer { from, to, amount } = transaction.job else { continue };
                let change = amount * (Value::from(to == "Bob") - Value::from(from == "Bob"));
                let done: Vec<_> = possible.iter().map(|bob| bob + change).collect();
                match transaction.phase {
                    Phase::Done(Outcome::Committed(_)) => possible = done,
                    Phase::Done(_) => {}
                    _ => possible.extend(done),
                }
            }
            if possible.contains(&bob) {
                Ok(())
            } else {
                Err(format!("Bob has {bob}, and could have one of {possible:?}"))
            }
        })
}

/// What a client does in the step from `before` to `after`, in a few words.
fn describe(client: usize, before: &World, after: &World) -> String {
    let (from, to) = (&before.clients[client].0, &after.clients[client].0);
    let written = |next: usize| from.writes().get(next).copied().unwrap_or(("?", 0));
    match from.phase {
        Phase::Begin => format!("begins {}", to.start),
        Phase::Read { next } => {
            let key = from.job.reads()[next];
            match to.phase {
                Phase::Settle { lock, .. } => format!("finds {key} locked by {}", lock.start),
                _ => format!("reads {key} = {}", to.read.get(key).copied().unwrap_or(0)),
            }
        }
        Phase::Settle { lock, .. } => match to.phase {
            Phase::CleanUp { fate: Fate::Committed(at), .. } => format!("asks {}: committed {at}", lock.primary),
            Phase::CleanUp { .. } => format!("asks {}: {} rolled back", lock.primary, lock.start),
            _ => format!("asks {}: waits", lock.primary),
        },
        Phase::CleanUp { next, lock, fate } => {
            let what = if fate == Fate::RolledBack { "back" } else { "forward" };
            format!("rolls {} {what} for {}", from.job.reads()[next], lock.start)
        }
        Phase::Prewrite { next } => match (written(next), to.phase) {
            ((key, _), Phase::Done(_)) => format!("cannot prewrite {key}: aborts"),
            ((key, value), _) => format!("prewrites {key} = {value}{}", if next == 0 { " (primary)" } else { "" }),
        },
        Phase::Decide => format!("gets {}", Ts(after.clock)),
        Phase::Commit { next, at } => match to.phase {
            Phase::Done(Outcome::RolledBack) => "was rolled back".to_owned(),
            _ => format!("commits {} {at}", written(next).0),
        },
        Phase::Done(_) => "is done".to_owned(),
    }
}

/// The run of a counterexample, as a picture.
fn trace(model: &Clients, actions: &[Action], law: &str, because: &str) -> Trace {
    let mut world = model.start.clone();
    let mut trace = Trace::new("percolator", (0..world.clients.len()).map(name));
    for (step, action) in actions.iter().enumerate() {
        let at = Time(step as u64 + 1);
        let next = model.next_state(&world, *action).unwrap_or_else(|| world.clone());
        let (Action::Step(client) | Action::PresumeDead(client) | Action::Crash(client)) = *action;
        let lane = NodeId(client).0;
        let what = match action {
            Action::Crash(_) => What::Crashed { lane, lost_last_write: false },
            _ => What::Note { lane: Some(lane), label: describe(client, &world, &next) },
        };
        trace.events.push(Event { at, what, status: None });
        world = next;
    }
    trace.push(Time(actions.len() as u64), What::Broken { law: law.into(), because: because.into() });
    trace
}

/// Demands that a search found nothing; else shows what it found.
fn demand_nothing(search: &Search<Clients>) -> usize {
    let Searched { found, states, .. } = search.run();
    match found {
        Found::Nothing => states,
        Found::Broken(example) => {
            let trace = trace(search.model(), &example.actions, example.law, &example.because);
            if let Some(page) = trace.save() {
                eprintln!("picture {}", page.display());
            }
            let steps = example.actions.len();
            panic!("{}: {}\nin {steps} steps, the fewest there are:\n{trace}", example.law, example.because)
        }
        Found::NeverMet(names) => {
            panic!("no run ever got to where {}, in {states} states", names.join(", nor to where "))
        }
        Found::Inconclusive(budget) => panic!("inconclusive: {budget} states were not enough to search everything"),
    }
}

mod stage_3_everybody_at_once {
    use super::*;

    fn crashed_at(world: &World, wanted: impl Fn(Phase) -> bool) -> bool {
        world.clients.iter().any(|(client, crashed)| *crashed && wanted(client.phase))
    }

    fn looked(world: &World, bob: Value) -> bool {
        world.outcomes().any(|(transaction, _)| {
            matches!(transaction.job, Job::Look(..)) && transaction.read.get("Bob") == Some(&bob)
        })
    }

    /// One transfer, one reader, and a crash at any moment.
    #[test]
    fn a_transfer_and_a_reader() {
        let search = bank_search(bank(), &[SEVEN_DOLLARS, Job::Look("Joe", "Bob")], 1)
            .sometimes("the transfer was seen although its client crashed", |world| {
                crashed_at(world, |phase| matches!(phase, Phase::Commit { next: 1, .. })) && looked(world, 3)
            })
            .sometimes("the transfer was undone because its client crashed", |world| {
                crashed_at(world, |phase| matches!(phase, Phase::Decide)) && looked(world, 10)
            })
            .sometimes("a client was rolled back although it was alive", |world| {
                world.outcomes().any(|(_, outcome)| outcome == Outcome::RolledBack)
            });
        println!("{} states", demand_nothing(&search));
    }

    /// In the same direction: the second to commit would overwrite the first.
    #[test]
    fn two_transfers_from_one_account() {
        let three = Job::Transfer { from: "Bob", to: "Joe", amount: 3 };
        let search = bank_search(bank(), &[SEVEN_DOLLARS, three], 2)
            .sometimes("both transfers were done", |world| {
                world.outcomes().filter(|(_, outcome)| matches!(outcome, Outcome::Committed(_))).count() == 2
            })
            .sometimes("one came too late", |world| {
                world.outcomes().any(|(_, outcome)| matches!(outcome, Outcome::Conflict(Conflict::Written(_))))
            })
            .sometimes(
                "one met the other's lock and ended with that conflict (who holds locks must not wait for one)",
                |world| world.outcomes().any(|(_, outcome)| matches!(outcome, Outcome::Conflict(Conflict::Locked(_)))),
            );
        println!("{} states", demand_nothing(&search));
    }

    /// In opposite directions: each one's primary is the other's secondary.
    #[test]
    fn two_transfers_that_cross() {
        let back = Job::Transfer { from: "Joe", to: "Bob", amount: 1 };
        let search = bank_search(bank(), &[SEVEN_DOLLARS, back], 2).sometimes("both transfers were done", |world| {
            world.outcomes().filter(|(_, outcome)| matches!(outcome, Outcome::Committed(_))).count() == 2
        });
        println!("{} states", demand_nothing(&search));
    }

    /// What Cleo pays in, Ann's transfer pays out: Bob's row is the primary of one and a secondary of the other, and the
    /// rows beside it are different ones.
    #[test]
    fn two_transfers_that_meet_in_one_account() {
        let from_cleo = Job::Transfer { from: "Cleo", to: "Bob", amount: 1 };
        let search = bank_search(three_accounts(), &[SEVEN_DOLLARS, from_cleo], 1)
            .sometimes(
                "a client crashed in the middle of its commit, and the other one wrote the same row later",
                |world| {
                    crashed_at(world, |phase| matches!(phase, Phase::Commit { next: 1, .. }))
                        && world.outcomes().any(|(_, outcome)| matches!(outcome, Outcome::Committed(_)))
                },
            )
            .sometimes("one came too late", |world| {
                world.outcomes().any(|(_, outcome)| matches!(outcome, Outcome::Conflict(Conflict::Written(_))))
            });
        println!("{} states", demand_nothing(&search));
    }

    #[test]
    fn two_transfers_and_a_reader() {
        let back = Job::Transfer { from: "Joe", to: "Bob", amount: 1 };
        let search = bank_search(bank(), &[SEVEN_DOLLARS, back, Job::Look("Joe", "Bob")], 1)
            .sometimes("the reader saw the first transfer without the second", |world| looked(world, 3));
        println!("{} states", demand_nothing(&search));
    }
}

mod stage_4_write_skew {
    use super::*;

    /// Both doctors are on call.
    fn ward(isolation: Isolation) -> Search<Clients> {
        let rows = BTreeMap::from([("Alice", row(1)), ("Bob", row(1))]);
        let jobs = [Job::GoOffCall { me: "Alice", other: "Bob" }, Job::GoOffCall { me: "Bob", other: "Alice" }];
        search(rows, &jobs.map(|job| (job, isolation)), 1)
            .always("somebody is on call", |world| match world.snapshot(Ts(world.clock + 1), "Alice", "Bob")? {
                [0, 0] => Err("Alice went because Bob is there, and Bob went because Alice is there".to_owned()),
                _ => Ok(()),
            })
            .always("who was told that she left is not on call", |world| {
                for (transaction, outcome) in world.outcomes() {
                    let (Outcome::Committed(at), [me, other]) = (outcome, transaction.job.reads()) else { continue };
                    if world.snapshot(Ts(world.clock + 1), me, other)?[0] != 0 {
                        return Err(format!("{me} left {at}, and somebody put {me} back"));
                    }
                }
                Ok(())
            })
            .sometimes("one of them went", |world| {
                world.outcomes().any(|(_, outcome)| matches!(outcome, Outcome::Committed(_)))
            })
    }

    /// This is not a mistake of yours. It is what snapshot isolation is: neither wrote what the other wrote.
    #[test]
    fn under_snapshot_isolation_both_doctors_go() {
        let search = ward(Isolation::Snapshot);
        match search.run().found {
            Found::Broken(example) if example.law == "somebody is on call" => {
                println!("{}", trace(search.model(), &example.actions, example.law, &example.because));
            }
            Found::Broken(_) => _ = demand_nothing(&search),
            found => {
                panic!("snapshot isolation admits write skew, and a search of every interleaving did not: {found:?}")
            }
        }
    }

    #[test]
    fn with_promoted_reads_one_doctor_stays() {
        let search = ward(Isolation::PromotedReads).sometimes("one of them was refused", |world| {
            world.outcomes().any(|(_, outcome)| matches!(outcome, Outcome::Conflict(_)))
        });
        println!("{} states", demand_nothing(&search));
    }

    #[test]
    fn promoting_writes_back_what_was_only_read() {
        let mut leave = Transaction::new(Job::GoOffCall { me: "Alice", other: "Bob" }, Isolation::PromotedReads);
        leave.read = BTreeMap::from([("Alice", 1), ("Bob", 1)]);
        assert_eq!(leave.writes(), [("Alice", 0), ("Bob", 1)], "what the job writes comes first: it is the primary");
        leave.isolation = Isolation::Snapshot;
        assert_eq!(leave.writes(), [("Alice", 0)], "a snapshot writes what the job writes");
        let mut pay = Transaction::new(SEVEN_DOLLARS, Isolation::PromotedReads);
        pay.read = BTreeMap::from([("Bob", 10), ("Joe", 2)]);
        assert_eq!(pay.writes(), [("Bob", 3), ("Joe", 9)], "it writes both that it read: nothing was only read");
    }

    /// A reader that locks what it reads would abort others, and needs not: it saw one snapshot.
    #[test]
    fn who_only_reads_promotes_nothing() {
        let mut look = Transaction::new(Job::Look("Alice", "Bob"), Isolation::PromotedReads);
        look.read = BTreeMap::from([("Alice", 1), ("Bob", 1)]);
        assert_eq!(look.writes(), [], "it writes nothing, so it can break nothing");
        let mut stay = Transaction::new(Job::GoOffCall { me: "Alice", other: "Bob" }, Isolation::PromotedReads);
        stay.read = BTreeMap::from([("Alice", 1), ("Bob", 0)]);
        assert_eq!(stay.writes(), [], "Bob is not on call, so Alice stays, and nothing is written");
    }
}
