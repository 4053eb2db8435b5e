//! Stage 1: never too many, and each in its turn. Stage 2: nothing leaks, nothing gets too old. Stage 3: SQLite. Stage 4: how many.
//!
//! All time is virtual: a clock that jumps to the next thing to happen.

use connection_pool::{Config, Failed, Manage, Pool, Pooled};
use kit::{Sometimes, for_seeds};
use rand::RngExt as _;
use std::collections::BTreeSet;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep, timeout};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A database that counts, and how it behaves at the moment.
#[derive(Default)]
struct State {
    opened: u64,
    open: usize,
    most_open: usize,
    connect_takes: Duration,
    check_takes: Duration,
    /// It accepts no connections.
    down: bool,
    /// These are dead: nobody is at the other end.
    dead: BTreeSet<u64>,
    /// What comes back cannot be cleaned up.
    stained: bool,
    /// Whoever tries to clean it up panics.
    explodes: bool,
    /// What happens once while a connection is being cleaned up.
    meanwhile: Option<Box<dyn FnMut() + Send>>,
}

#[derive(Clone, Default)]
struct Db(Arc<Mutex<State>>);

impl Db {
    fn with<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        look(&mut self.0.lock().expect("nobody panics while counting"))
    }
}

/// One of its connections: open until it is dropped, from the moment in which the database hears of it.
struct Session {
    number: u64,
    db: Db,
    opened: Instant,
}

impl Session {
    fn begin(db: &Db) -> Self {
        let number = db.with(|state| {
            state.opened += 1;
            state.open += 1;
            state.most_open = state.most_open.max(state.open);
            state.opened
        });
        Self { number, db: db.clone(), opened: Instant::now() }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.db.with(|state| state.open -= 1);
    }
}

impl Manage for Db {
    type Connection = Session;
    type Error = &'static str;

    async fn connect(&self) -> Result<Session, &'static str> {
        let mut session = Session::begin(self);
        let (takes, down) = self.with(|state| (state.connect_takes, state.down));
        if takes > Duration::ZERO {
            sleep(takes).await;
        }
        session.opened = Instant::now();
        if down { Err("the database is down") } else { Ok(session) }
    }

    async fn check(&self, session: &mut Session) -> bool {
        let (takes, dead) = self.with(|state| (state.check_takes, state.dead.contains(&session.number)));
        if takes > Duration::ZERO {
            sleep(takes).await;
        }
        !dead
    }

    fn recycle(&self, _: &mut Session) -> bool {
        if let Some(mut meanwhile) = self.with(|state| state.meanwhile.take()) {
            meanwhile();
        }
        let (explodes, stained) = self.with(|state| (state.explodes, state.stained));
        assert!(!explodes, "this test lets the cleaning panic");
        !stained
    }
}

const fn config(max: usize) -> Config {
    Config { max, wait: seconds(60), lifetime: seconds(100_000), idle: seconds(100_000) }
}

fn pool(config: Config) -> (Arc<Pool<Db>>, Db) {
    let db = Db::default();
    (Arc::new(Pool::new(db.clone(), config)), db)
}

type Got = Result<Pooled<Db>, Failed<&'static str>>;

/// A caller as a task of its own.
fn call(pool: &Arc<Pool<Db>>) -> JoinHandle<Got> {
    let pool = Arc::clone(pool);
    tokio::spawn(async move { pool.get().await })
}

/// What `future` answers; a failed test if it has not after an hour (of virtual time).
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(seconds(3_600), future).await.expect("a caller still waits after an hour")
}

async fn get(pool: &Pool<Db>) -> Pooled<Db> {
    soon(pool.get()).await.unwrap_or_else(|why| panic!("a caller got no connection: {why:?}"))
}

/// As many as the pool can hand out at once.
async fn all(pool: &Pool<Db>, max: usize) -> Vec<Pooled<Db>> {
    let mut all = vec![];
    for n in 0..max {
        let one = timeout(seconds(30), pool.get()).await;
        let one = one.unwrap_or_else(|_| panic!("{n} of {max} are out, and nobody gets another: the rest has leaked"));
        all.push(one.unwrap_or_else(|why| panic!("{n} of {max} are out, and the next caller gets {why:?}")));
    }
    all
}

/// Lets every task run that can, without time going on.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Polls once, by hand.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

mod stage_1_never_too_many {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_came_back_is_used_again() {
        let (pool, db) = pool(config(5));
        for call in 1..=10 {
            let connection = get(&pool).await;
            assert_eq!(connection.number, 1, "call {call}: the only connection is idle");
        }
        assert_eq!((db.with(|state| state.opened), pool.idle()), (1, 1), "opened, and idle now");
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_as_allowed_can_be_in_use_at_once() {
        let (pool, db) = pool(config(3));
        let out = all(&pool, 3).await;
        assert_eq!((db.with(|state| state.open), pool.idle()), (3, 0), "three are in use, none is idle");
        let mut fourth = pin!(pool.get());
        assert!(poll(fourth.as_mut()).is_pending(), "a fourth caller waits");
        drop(out);
        assert_eq!(db.with(|state| state.open), 3, "they came back and are kept");
    }

    /// Sixty callers; opening takes a while, and so does what they do.
    #[tokio::test(start_paused = true)]
    async fn never_more_than_allowed_are_open_however_many_ask() {
        for max in [1, 2, 7] {
            let (pool, db) = pool(config(max));
            db.with(|state| state.connect_takes = millis(50));
            let callers: Vec<_> = (0..60_u64)
                .map(|n| {
                    let pool = Arc::clone(&pool);
                    tokio::spawn(async move {
                        sleep(millis(n % 4 * 20)).await;
                        let connection = pool.get().await.expect("everybody gets one");
                        sleep(millis(10 + n * 7 % 30)).await;
                        drop(connection);
                    })
                })
                .collect();
            for caller in callers {
                soon(caller).await.expect("no caller panics");
            }
            let (most, opened) = db.with(|state| (state.most_open, state.opened));
            assert!(most <= max, "at most {max} are allowed, and {most} were open, or being opened, at once");
            assert!(
                most == max && opened <= max as u64,
                "60 callers and {max} connections: {most} at once, {opened} in all"
            );
        }
    }

    /// The first connection takes ten seconds: its packet was lost.
    #[tokio::test(start_paused = true)]
    async fn a_slow_opening_holds_up_nobody_else() {
        let (pool, db) = pool(config(3));
        let began = Instant::now();
        let idle = get(&pool).await;
        db.with(|state| state.connect_takes = seconds(10));
        let slow = call(&pool);
        settle().await;
        drop(idle);
        get(&pool).await;
        db.with(|state| state.connect_takes = seconds(1));
        let (first, second) = (get(&pool).await, get(&pool).await);
        assert_eq!(began.elapsed(), seconds(1), "one was idle, one took 1 s, and another caller's takes 10 s");
        drop((first, second));
        soon(slow).await.expect("no panic").expect("its connection after 10 s");
        assert_eq!(began.elapsed(), seconds(10));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_longest_is_next() {
        let (pool, _) = pool(config(1));
        let held = get(&pool).await;
        let order = Arc::new(Mutex::new(vec![]));
        let mut callers = vec![];
        for name in 0..5 {
            let (pool, order) = (Arc::clone(&pool), Arc::clone(&order));
            callers.push(tokio::spawn(async move {
                let connection = pool.get().await.expect("everybody's turn comes");
                order.lock().expect("no panic").push(name);
                sleep(millis(10)).await;
                drop(connection);
            }));
            settle().await;
        }
        drop(held);
        for caller in callers {
            soon(caller).await.expect("no panic");
        }
        assert_eq!(*order.lock().expect("no panic"), [0, 1, 2, 3, 4], "the order in which they came");
    }

    /// The connection comes back, and before the caller that waits has noticed, another one comes.
    #[tokio::test(start_paused = true)]
    async fn a_newcomer_does_not_overtake() {
        let (pool, _) = pool(config(1));
        let held = get(&pool).await;
        let mut waiting = pin!(pool.get());
        assert!(poll(waiting.as_mut()).is_pending(), "the only connection is in use");
        drop(held);
        let mut newcomer = pin!(pool.get());
        assert!(poll(newcomer.as_mut()).is_pending(), "somebody has been waiting for it");
        assert!(poll(waiting.as_mut()).is_ready(), "it was this caller's turn");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_so() {
        let (pool, _) = pool(Config { wait: millis(250), ..config(1) });
        let held = get(&pool).await;
        let began = Instant::now();
        let late = soon(pool.get()).await.map(|session| session.number);
        assert_eq!(late, Err(Failed::TimedOut), "nobody gave one back");
        assert_eq!(began.elapsed(), millis(250), "this long may a caller wait");
        drop(held);
        get(&pool).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_check_holds_up_nobody_else() {
        let (pool, db) = pool(config(2));
        drop(all(&pool, 2).await);
        let began = Instant::now();
        db.with(|state| state.check_takes = seconds(10));
        let slow = call(&pool);
        settle().await;
        db.with(|state| state.check_takes = Duration::ZERO);
        get(&pool).await;
        assert_eq!(began.elapsed(), Duration::ZERO, "another caller's check takes 10 s");
        soon(slow).await.expect("no panic").expect("its connection after 10 s");
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_queue_counts_as_waiting() {
        let (pool, db) = pool(Config { wait: millis(250), ..config(1) });
        let held = get(&pool).await;
        let next = call(&pool);
        settle().await;
        sleep(millis(200)).await;
        db.with(|state| (state.check_takes, state.connect_takes, state.dead) = (seconds(5), seconds(5), [1].into()));
        drop(held);
        let got = soon(next).await.expect("no panic").map(|session| session.number);
        assert_eq!(
            got,
            Ok(2),
            "its turn came after 200 ms of 250; check and opening take 5 s each, and are no waiting"
        );
    }

    /// While a connection is being cleaned up, the next caller asks once more.
    #[tokio::test(start_paused = true)]
    async fn the_next_one_waits_until_the_connection_is_back() {
        let (pool, db) = pool(config(1));
        let held = get(&pool).await;
        let inside = Arc::clone(&pool);
        let mut waiting = Box::pin(async move { inside.get().await });
        assert!(poll(waiting.as_mut()).is_pending(), "the only connection is in use");
        db.with(|state| state.meanwhile = Some(Box::new(move || _ = poll(waiting.as_mut()))));
        drop(held);
        let most = db.with(|state| state.most_open);
        assert_eq!(most, 1, "another one was opened while the only one allowed was being cleaned up");
    }
}

mod stage_2_nothing_leaks {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_leaves_no_trace() {
        let (pool, _) = pool(config(1));
        let held = get(&pool).await;
        let (impatient, patient) = (call(&pool), call(&pool));
        settle().await;
        impatient.abort();
        settle().await;
        drop(held);
        soon(patient).await.expect("no panic").expect("the next in line");
        all(&pool, 1).await;
    }

    /// The connection comes back, it is the first caller's turn, and in this instant the caller is gone.
    #[tokio::test(start_paused = true)]
    async fn the_turn_of_somebody_who_has_just_left_goes_to_the_next() {
        let (pool, _) = pool(config(1));
        let held = get(&pool).await;
        let mut first = Box::pin(pool.get());
        assert!(poll(first.as_mut()).is_pending());
        let second = call(&pool);
        settle().await;
        drop(held);
        drop(first);
        soon(second).await.expect("no panic").expect("its turn, now that the first has left");
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_while_a_connection_is_opened_leaves_room() {
        let (pool, db) = pool(config(2));
        db.with(|state| state.connect_takes = seconds(5));
        for _ in 0..6 {
            assert!(timeout(seconds(1), pool.get()).await.is_err(), "opening takes 5 s, and the caller waits for 1");
        }
        assert_eq!(db.with(|state| state.open), 0, "what was being opened is closed");
        all(&pool, 2).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_while_a_connection_is_checked_leaves_room() {
        let (pool, db) = pool(config(2));
        for _ in 0..4 {
            drop(all(&pool, 2).await);
            db.with(|state| state.check_takes = seconds(5));
            for _ in 0..2 {
                assert!(
                    timeout(seconds(1), pool.get()).await.is_err(),
                    "the check takes 5 s, and the caller waits for 1"
                );
            }
            db.with(|state| state.check_takes = Duration::ZERO);
            assert!(db.with(|state| state.open) == pool.idle(), "open are those that are idle, and no other");
        }
        all(&pool, 2).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_cannot_be_opened_is_reported_and_leaves_room() {
        let (pool, db) = pool(config(2));
        db.with(|state| state.down = true);
        for _ in 0..5 {
            let failed = soon(pool.get()).await.map(|session| session.number);
            assert_eq!(failed, Err(Failed::Connect("the database is down")));
        }
        db.with(|state| state.down = false);
        all(&pool, 2).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_gives_its_connection_back() {
        let (pool, _) = pool(config(1));
        let inside = Arc::clone(&pool);
        let task = tokio::spawn(async move {
            let _connection = inside.get().await.expect("a connection");
            panic!("a task that panics, as this test wants");
        });
        assert!(soon(task).await.is_err(), "it panicked");
        all(&pool, 1).await;
    }

    /// The database was restarted, and none of the idle connections knows.
    #[tokio::test(start_paused = true)]
    async fn dead_connections_are_replaced_unnoticed() {
        let (pool, db) = pool(config(3));
        drop(all(&pool, 3).await);
        db.with(|state| state.dead = (1..=3).collect());
        let numbers: Vec<u64> = all(&pool, 3).await.iter().map(|session| session.number).collect();
        assert!(numbers.iter().all(|number| *number > 3), "1 to 3 are dead, and callers got {numbers:?}");
        let (open, most) = db.with(|state| (state.open, state.most_open));
        assert!(open == 3 && most == 3, "the dead are closed first: {open} are open, and {most} were at once");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_cannot_be_cleaned_up_is_closed() {
        let (pool, db) = pool(config(2));
        db.with(|state| state.stained = true);
        drop(all(&pool, 2).await);
        assert_eq!((db.with(|state| state.open), pool.idle()), (0, 0), "both came back stained");
        db.with(|state| state.stained = false);
        all(&pool, 2).await;
    }

    #[tokio::test(start_paused = true)]
    async fn none_is_handed_out_after_its_lifetime() {
        let (pool, db) = pool(Config { lifetime: seconds(100), ..config(1) });
        drop(get(&pool).await);
        sleep(millis(99_999)).await;
        assert_eq!(get(&pool).await.number, 1, "99.999 s old");
        sleep(millis(1)).await;
        assert_eq!(get(&pool).await.number, 2, "the first is 100 s old, and may live for 100 s");
        assert_eq!(db.with(|state| state.open), 1, "the first is closed");
    }

    /// Used all the time, it is never idle.
    #[tokio::test(start_paused = true)]
    async fn being_used_makes_none_younger() {
        let (pool, db) = pool(Config { lifetime: seconds(100), ..config(1) });
        for second in 0..1_000 {
            let age = get(&pool).await.opened.elapsed();
            assert!(age < seconds(100), "at {second} s one is handed out that was opened {age:?} ago");
            sleep(seconds(1)).await;
        }
        assert_eq!(db.with(|state| state.opened), 10, "1,000 s at 100 s each");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_back_too_old_is_closed_at_once() {
        let (pool, db) = pool(Config { lifetime: seconds(100), ..config(1) });
        let long = get(&pool).await;
        sleep(seconds(100)).await;
        drop(long);
        assert_eq!((db.with(|state| state.open), pool.idle()), (0, 0), "it is 100 s old, and may live for 100 s");
    }

    /// A burst of five, and then one caller a second.
    #[tokio::test(start_paused = true)]
    async fn what_a_burst_opened_is_closed_when_it_is_not_needed() {
        let (pool, db) = pool(Config { idle: seconds(30), ..config(5) });
        let mut burst = all(&pool, 5).await;
        let last = burst.remove(2);
        drop(burst);
        let number = last.number;
        drop(last);
        for second in 0..29 {
            assert_eq!(get(&pool).await.number, number, "at {second} s: the one that came back last");
            sleep(seconds(1)).await;
        }
        assert_eq!(db.with(|state| state.open), 5, "29 s later, and they may be idle for 30 s");
        sleep(seconds(1)).await;
        drop(get(&pool).await);
        assert_eq!(
            (db.with(|state| state.open), pool.idle()),
            (1, 1),
            "four have not been used for 30 s; one has been enough all the time"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_may_outlive_its_pool() {
        let (pool, db) = pool(config(2));
        let mut out = all(&pool, 2).await;
        out.pop();
        drop(pool);
        assert!(out[0].opened.elapsed() < seconds(1), "it can be used");
        drop(out);
        assert_eq!(db.with(|state| state.open), 0, "nobody can get it any more");
    }

    /// Callers that give up at any time, a database that is slow, down, and restarted.
    #[test]
    fn whatever_happens_there_are_never_too_many_and_all_come_back() {
        let sometimes =
            Sometimes::expect(["a caller gave up", "all were in use", "the database was down", "one was dead"]);
        for_seeds(60, |seed| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.expect("a runtime").block_on(async {
                let mut rng = seed.rng();
                let max = rng.random_range(1..=4);
                let config = Config { lifetime: millis(400), idle: millis(100), wait: millis(80), ..config(max) };
                let (pool, db) = pool(config);
                let mut callers = vec![];
                for _ in 0..60 {
                    db.with(|state| {
                        state.connect_takes = millis(rng.random_range(0..30));
                        state.check_takes = millis(rng.random_range(0..3) * 5);
                        state.down = rng.random_bool(0.1);
                        state.stained = rng.random_bool(0.1);
                        if rng.random_bool(0.1) {
                            state.dead = (0..=state.opened).collect();
                            sometimes.saw("one was dead", pool.idle() > 0);
                        }
                    });
                    let (own, patience, works) =
                        (Arc::clone(&pool), millis(rng.random_range(1..120)), millis(rng.random_range(0..40)));
                    callers.push(tokio::spawn(async move {
                        let call = async {
                            let got = own.get().await;
                            sleep(works).await;
                            got.map(|session| (session.number, session.opened))
                        };
                        timeout(patience, call).await
                    }));
                    sleep(millis(rng.random_range(0..15))).await;
                    let (open, most) = db.with(|state| (state.open, state.most_open));
                    sometimes.saw("all were in use", open - pool.idle() == max);
                    assert!(most <= max, "seed {seed}: {most} were open at once, and {max} are allowed");
                }
                for caller in callers {
                    match soon(caller).await.expect("no caller panics") {
                        Err(_) => sometimes.saw("a caller gave up", true),
                        Ok(Err(Failed::Connect(_))) => sometimes.saw("the database was down", true),
                        Ok(_) => {}
                    }
                }
                db.with(|state| (state.down, state.stained) = (false, false));
                let out = all(&pool, max).await;
                let open = db.with(|state| state.open);
                assert!(open == max, "seed {seed}: {max} are out, and {open} are open");
                drop(out);
            });
        });
    }

    #[tokio::test(start_paused = true)]
    async fn none_grows_too_old_while_it_is_checked() {
        let (pool, db) = pool(Config { lifetime: seconds(100), ..config(1) });
        drop(get(&pool).await);
        sleep(seconds(95)).await;
        db.with(|state| state.check_takes = seconds(10));
        let got = get(&pool).await.number;
        assert_eq!(got, 2, "when its check was over, the first was 105 s old, and may live for 100 s");
        assert_eq!(db.with(|state| state.most_open), 1, "the first is closed before the second is opened");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_back_closes_those_that_are_not_needed() {
        let (pool, db) = pool(Config { idle: seconds(30), ..config(2) });
        let mut out = all(&pool, 2).await;
        let long = out.pop();
        drop(out);
        sleep(seconds(30)).await;
        drop(long);
        let now = (db.with(|state| state.open), pool.idle());
        assert_eq!(now, (1, 1), "one came back, and the other has been idle for 30 s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_closes_those_that_are_not_needed() {
        let (pool, db) = pool(Config { idle: seconds(30), ..config(3) });
        drop(all(&pool, 3).await);
        sleep(seconds(29)).await;
        drop(get(&pool).await);
        sleep(seconds(1)).await;
        let _held = get(&pool).await;
        let now = (db.with(|state| state.open), pool.idle());
        assert_eq!(now, (1, 0), "one is in use; two have been idle for 30 s, and somebody has called");
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_one_at_the_bottom_is_closed() {
        let (pool, db) = pool(Config { lifetime: seconds(100), ..config(2) });
        let first = get(&pool).await;
        sleep(seconds(50)).await;
        let second = get(&pool).await;
        drop(first);
        drop(second);
        sleep(seconds(50)).await;
        assert_eq!(get(&pool).await.number, 2, "it is 50 s old, and came back last");
        assert_eq!(db.with(|state| state.open), 1, "the first is 100 s old, and nobody would ever come to it");
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_a_dead_one_keeps_its_turn() {
        let (pool, db) = pool(config(1));
        drop(get(&pool).await);
        db.with(|state| (state.check_takes, state.connect_takes, state.dead) = (seconds(1), seconds(1), [1].into()));
        let first = call(&pool);
        settle().await;
        let second = call(&pool);
        let first = soon(first).await.expect("no panic").expect("a connection");
        assert!(!second.is_finished(), "the second came later, and has got the only connection");
        drop(first);
        soon(second).await.expect("no panic").expect("a connection");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cleaning_that_panics_leaves_room() {
        let (pool, db) = pool(config(1));
        let inside = Arc::clone(&pool);
        db.with(|state| state.explodes = true);
        let task = tokio::spawn(async move { drop(inside.get().await) });
        assert!(soon(task).await.is_err(), "the test lets it panic");
        db.with(|state| state.explodes = false);
        let out = all(&pool, 1).await;
        assert_eq!((db.with(|state| state.open), out.len()), (1, 1), "what could not be cleaned was closed");
    }
}

mod stage_3_on_sqlite {
    use super::*;
    use connection_pool::Sqlite;
    use tempfile::TempDir;

    type Counting = (TempDir, Arc<Pool<Sqlite>>);

    /// A database with a counter at 0, and a pool of so many connections.
    async fn counter(max: usize) -> Counting {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let pool = Arc::new(Pool::new(Sqlite::new(dir.path().join("counter.db")), config(max)));
        let db = soon(pool.get()).await.expect("a connection");
        db.pragma_update(None, "synchronous", "OFF").expect("the test need not wait for the disk");
        db.execute_batch("CREATE TABLE counter (n INTEGER NOT NULL); INSERT INTO counter VALUES (0)").expect("a table");
        drop(db);
        (dir, pool)
    }

    fn count(pool: &Pooled<Sqlite>) -> i64 {
        pool.query_row("SELECT n FROM counter", [], |row| row.get(0)).expect("the counter")
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_tasks_count_to_fifty_over_three_connections() {
        let (_dir, pool) = counter(3).await;
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move {
                    let mut db = pool.get().await.expect("a connection");
                    {
                        let tx = db.transaction().expect("a transaction");
                        tx.execute("UPDATE counter SET n = n + 1", []).expect("counted");
                        tx.commit().expect("committed");
                    }
                    sleep(millis(3)).await;
                    drop(db);
                })
            })
            .collect();
        for task in tasks {
            soon(task).await.expect("no task fails");
        }
        assert_eq!(count(&soon(pool.get()).await.expect("a connection")), 50, "fifty tasks");
        assert_eq!(pool.idle(), 3, "over three connections");
    }

    /// The task is aborted between BEGIN and COMMIT: perhaps its client has closed the browser.
    async fn leave_a_transaction_open(pool: &Arc<Pool<Sqlite>>) {
        let inside = Arc::clone(pool);
        let task = tokio::spawn(async move {
            let db = inside.get().await.expect("a connection");
            db.execute_batch("BEGIN IMMEDIATE; UPDATE counter SET n = 1000").expect("nobody else is writing");
            sleep(seconds(60)).await;
            db.execute_batch("COMMIT").expect("it never comes to this");
        });
        sleep(seconds(1)).await;
        task.abort();
        settle().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_transaction_does_not_reach_the_next_user() {
        let (_dir, pool) = counter(1).await;
        leave_a_transaction_open(&pool).await;
        let db = soon(pool.get()).await.expect("a connection");
        assert_eq!(count(&db), 0, "nobody has committed 1000");
        assert!(db.is_autocommit(), "the next user begins in the middle of somebody's transaction");
    }

    /// Whoever is next may get *another* connection.
    #[tokio::test(start_paused = true)]
    async fn an_open_transaction_is_over_as_soon_as_its_user_is_gone() {
        let (_dir, pool) = counter(2).await;
        let other = soon(pool.get()).await.expect("a connection");
        leave_a_transaction_open(&pool).await;
        let counted = other.execute("UPDATE counter SET n = n + 1", []);
        assert_eq!(counted, Ok(1), "an idle connection keeps the lock of a user who is gone");
        assert_eq!(count(&other), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_temporary_table_does_not_reach_the_next_user() {
        let (_dir, pool) = counter(1).await;
        for user in ["first", "second"] {
            let db = soon(pool.get()).await.expect("a connection");
            let made = db.execute_batch("CREATE TEMPORARY TABLE basket (item TEXT); INSERT INTO basket VALUES ('tea')");
            assert!(made.is_ok(), "the {user} user's basket: {made:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clean_connection_is_kept() {
        let (_dir, pool) = counter(1).await;
        soon(pool.get()).await.expect("a connection").execute("UPDATE counter SET n = 7", []).expect("counted");
        assert_eq!(pool.idle(), 1, "nothing was left behind");
        leave_a_transaction_open(&pool).await;
        let db = soon(pool.get()).await.expect("a connection");
        assert_eq!(count(&db), 7, "what was committed stays");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_cannot_be_opened_is_reported_and_leaves_room() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let pool = Pool::new(Sqlite::new(dir.path().join("nowhere/counter.db")), config(1));
        for _ in 0..3 {
            let failed = soon(pool.get()).await.map(|db| db.is_autocommit());
            assert!(matches!(failed, Err(Failed::Connect(_))), "there is no such folder: {failed:?}");
        }
        std::fs::create_dir(dir.path().join("nowhere")).expect("a folder");
        assert!(soon(pool.get()).await.is_ok(), "now there is");
    }

    /// Names of temporary things come before those of the database.
    #[tokio::test(start_paused = true)]
    async fn a_temporary_view_does_not_reach_the_next_user() {
        let (_dir, pool) = counter(1).await;
        let db = soon(pool.get()).await.expect("a connection");
        db.execute_batch("CREATE TEMPORARY VIEW counter AS SELECT 99 AS n").expect("a view");
        drop(db);
        let next = soon(pool.get()).await.expect("a connection");
        assert_eq!(count(&next), 0, "the next user reads somebody's view and not the table");
    }
}

mod stage_4_how_many {
    use super::*;
    use connection_pool::Load;

    const fn load(per_second: f64, hold: Duration) -> Load {
        Load { per_second, hold }
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-6 * b.abs().max(1e-3)
    }

    #[test]
    fn as_many_are_busy_as_come_while_one_is_held() {
        for (per_second, hold, busy) in [(200.0, millis(20), 4.0), (50.0, seconds(3), 150.0), (1.0, millis(1), 0.001)] {
            let computed = load(per_second, hold).busy();
            assert!(close(computed, busy), "{per_second} a second, held for {hold:?}: {computed} instead of {busy}");
        }
    }

    #[test]
    fn a_pool_of_the_average_cannot_keep_up() {
        let load = load(200.0, millis(20));
        for size in [0, 1, 3, 4] {
            assert_eq!(load.mean_wait(size), None, "4 are busy on average, and there are {size}");
            assert!(close(load.waits(size), 1.0), "of {size} all are in use in the end, for whoever comes");
        }
        assert!(load.mean_wait(5).is_some() && load.waits(5) < 1.0, "5 are more than 4");
    }

    #[test]
    fn one_connection_is_the_textbook_queue() {
        for busy in [0.1, 0.5, 0.8, 0.95] {
            let load = load(busy * 10.0, millis(100));
            let (waits, wait) = (load.waits(1), load.mean_wait(1).expect("it keeps up").as_secs_f64());
            assert!(close(waits, busy), "{busy} busy: the share {busy} waits, not {waits}");
            let expected = 0.1 * busy / (1.0 - busy);
            assert!(close(wait, expected), "{busy} busy: {wait} s instead of ρ / (1 - ρ) · 100 ms = {expected} s");
        }
    }

    /// A queue in front of `size` connections: what share of the callers waited, and how long all of them did, on average, in seconds.
    fn simulate(load: Load, size: usize, rng: &mut kit::Rng) -> (f64, f64) {
        let (callers, unsettled) = (20_000, 2_000);
        let mut exponential = |mean: f64| -mean * (1.0 - rng.random_range(0.0..1.0_f64)).ln();
        let mut free_at = vec![0.0_f64; size];
        let (mut now, mut waited, mut total) = (0.0_f64, 0_u32, 0.0);
        for caller in 0..callers + unsettled {
            now += exponential(1.0 / load.per_second);
            let next = free_at.iter_mut().min_by(|a, b| a.total_cmp(b)).expect("at least one");
            let wait = (*next - now).max(0.0);
            *next = now + wait + exponential(load.hold.as_secs_f64());
            if caller >= unsettled {
                waited += u32::from(wait > 0.0);
                total += wait;
            }
        }
        (f64::from(waited) / f64::from(callers), total / f64::from(callers))
    }

    /// Forty runs of 20,000 callers each. The means of runs are nearly normal, so their mean lies within 8.3 of its standard errors, but for once in 10⁹ (Student's
    /// t, 39 degrees of freedom, four comparisons).
    #[test]
    fn a_simulated_queue_waits_as_computed() {
        for (load, size) in [(load(200.0, millis(20)), 5), (load(90.0, millis(100)), 12)] {
            let mut runs = vec![];
            for_seeds(40, |seed| runs.push(simulate(load, size, &mut seed.rng())));
            let n = runs.len() as f64;
            let judge = |what: &str, computed: f64, runs: Vec<f64>| {
                let mean = runs.iter().sum::<f64>() / n;
                let error = (runs.iter().map(|run| (run - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
                assert!(
                    (computed - mean).abs() <= 8.3 * error,
                    "{what}, {load:?}, {size} connections: {computed:.5} computed, {mean:.5} ± {error:.5} in {n} simulated runs"
                );
            };
            if runs.len() < 40 {
                continue; // one seed is replayed
            }
            judge("the share that waits", load.waits(size), runs.iter().map(|run| run.0).collect());
            let mean = load.mean_wait(size).expect("it keeps up").as_secs_f64();
            judge("the mean wait in seconds", mean, runs.iter().map(|run| run.1).collect());
        }
    }

    #[test]
    fn the_smallest_pool_that_is_good_enough() {
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let load = load(rng.random_range(1.0..500.0), millis(rng.random_range(1..400)));
            let wait = millis(rng.random_range(1..50));
            let size = load.size_for(wait);
            let mean = load.mean_wait(size);
            assert!(
                mean.is_some_and(|mean| mean <= wait),
                "{load:?}: with {size} it is {mean:?}, not {wait:?} or less"
            );
            let smaller = load.mean_wait(size - 1);
            assert!(smaller.is_none_or(|mean| mean > wait), "{load:?}: {} would do, with {smaller:?}", size - 1);
        });
    }

    #[test]
    fn who_never_comes_needs_one_and_never_waits() {
        let nobody = load(0.0, millis(20));
        assert_eq!((nobody.size_for(Duration::ZERO), nobody.mean_wait(1)), (1, Some(Duration::ZERO)));
    }

    #[test]
    fn sizes_are_those_of_the_page_and_large_ones_are_found_too() {
        for (per_second, size) in [(200.0, 7), (400.0, 12), (2_000.0, 46)] {
            let found = load(per_second, millis(20)).size_for(millis(1));
            assert_eq!(found, size, "{per_second} a second, 20 ms each, a mean wait of 1 ms");
        }
        let many = load(50_000.0, millis(20));
        let size = many.size_for(millis(1));
        assert!(
            size > 1_000 && many.mean_wait(size) <= Some(millis(1)),
            "1,000 are busy on average: {size} are not enough"
        );
    }
}
