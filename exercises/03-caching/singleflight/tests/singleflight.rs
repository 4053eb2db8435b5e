//! Stage 1: one load for all who ask. Stage 2: loads that fail. Stage 3: callers that give up. Stage 4: what was written meanwhile.
//!
//! All time is virtual: a clock that jumps to the next thing to happen.

use kit::rand::RngExt as _;
use kit::{Sometimes, for_seeds};
use singleflight::{Failed, Group};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep, timeout};

type Answer = Result<u32, Failed<&'static str>>;
type Loading = Pin<Box<dyn Future<Output = Result<u32, &'static str>> + Send>>;
type Prices = Group<Arc<str>, u32, &'static str>;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How a load ends.
#[derive(Clone, Copy)]
enum How {
    /// With its own number: 1 for the origin's first load, 2 for the second, …
    Value,
    Error,
    Panic,
}

/// What the database had to do.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    begun: u32,
    running: u32,
    most_at_once: u32,
    completed: u32,
}

/// The database, which counts.
#[derive(Clone, Default)]
struct Origin(Arc<Mutex<Work>>);

impl Origin {
    fn work(&self) -> Work {
        *self.0.lock().expect("nobody panics while counting")
    }

    fn count<R>(&self, change: impl FnOnce(&mut Work) -> R) -> R {
        change(&mut self.0.lock().expect("nobody panics while counting"))
    }

    /// A load that takes so long and ends so.
    fn load(&self, takes: Duration, how: How) -> impl FnOnce() -> Loading + Send + use<> {
        let origin = self.clone();
        move || -> Loading {
            Box::pin(async move {
                let running = Running::begin(origin);
                sleep(takes).await;
                running.origin.count(|work| work.completed += 1);
                match how {
                    How::Value => Ok(running.number),
                    How::Error => Err("too many connections"),
                    How::Panic => panic!("a load that panics, as this test wants"),
                }
            })
        }
    }
}

/// A load at work; over when it is dropped.
struct Running {
    origin: Origin,
    number: u32,
}

impl Running {
    fn begin(origin: Origin) -> Self {
        let number = origin.count(|work| {
            work.begun += 1;
            work.running += 1;
            work.most_at_once = work.most_at_once.max(work.running);
            work.begun
        });
        Self { origin, number }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.origin.count(|work| work.running -= 1);
    }
}

/// A caller as a task of its own.
fn call(group: &Arc<Prices>, key: &str, load: impl FnOnce() -> Loading + Send + 'static) -> JoinHandle<Answer> {
    let (group, key) = (Arc::clone(group), Arc::from(key));
    tokio::spawn(async move { group.get(key, load).await })
}

/// What `future` answers; a failed test if it has not after an hour (of virtual time).
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(seconds(3_600), future).await.expect("a caller still waits after an hour")
}

async fn answer(caller: JoinHandle<Answer>) -> Answer {
    soon(caller).await.expect("the caller's own task panicked")
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

mod stage_1_one_load {
    use super::*;

    /// Ten readers a second, and three seconds to compute: all thirty come before the value does.
    #[tokio::test(start_paused = true)]
    async fn thirty_callers_who_miss_together_cause_one_load() {
        let (group, origin, began) = (Arc::new(Prices::new()), Origin::default(), Instant::now());
        let callers: Vec<_> =
            (0..30).map(|_| call(&group, "front page", origin.load(seconds(3), How::Value))).collect();
        for caller in callers {
            assert_eq!(answer(caller).await, Ok(1), "every caller gets the value of the first load");
        }
        let (work, took) = (origin.work(), began.elapsed());
        assert!(
            work.begun == 1 && took == seconds(3),
            "30 callers: {} loads in {took:?} instead of 1 in 3 s",
            work.begun
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_late_waits_for_the_rest_only() {
        let (group, origin, began) = (Arc::new(Prices::new()), Origin::default(), Instant::now());
        let first = call(&group, "front page", origin.load(seconds(3), How::Value));
        sleep(seconds(2)).await;
        let late = call(&group, "front page", origin.load(seconds(3), How::Value));
        assert_eq!((answer(late).await, answer(first).await), (Ok(1), Ok(1)), "one load, begun at 0 s, for both");
        assert_eq!(began.elapsed(), seconds(3), "who came 2 s after a load of 3 s had begun waits for 1 s");
    }

    /// It is no cache.
    #[tokio::test(start_paused = true)]
    async fn a_call_after_the_end_loads_anew() {
        let (group, origin) = (Arc::new(Prices::new()), Origin::default());
        for number in 1..=3 {
            let caller = call(&group, "front page", origin.load(seconds(3), How::Value));
            assert_eq!(answer(caller).await, Ok(number), "call {number} came after load {} had ended", number - 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn keys_do_not_wait_for_each_other() {
        let (group, origin, began) = (Arc::new(Prices::new()), Origin::default(), Instant::now());
        let callers = ["bread", "milk", "salt"].map(|key| call(&group, key, origin.load(seconds(1), How::Value)));
        settle().await;
        assert_eq!(group.in_flight(), 3, "the keys it keeps while bread, milk and salt are loaded");
        for caller in callers {
            answer(caller).await.expect("a value");
        }
        let (work, took) = (origin.work(), began.elapsed());
        assert!(work.begun == 3 && took == seconds(1), "3 keys, 1 s each: {} loads in {took:?}", work.begun);
    }

    /// The page is made of the menu and of more.
    #[tokio::test(start_paused = true)]
    async fn a_load_may_ask_for_another_key() {
        let (group, origin) = (Arc::new(Prices::new()), Origin::default());
        let (inner, menu) = (Arc::clone(&group), origin.load(seconds(1), How::Value));
        let page =
            move || -> Loading { Box::pin(async move { inner.get("menu".into(), menu).await.map_err(|_| "no menu") }) };
        assert_eq!(
            answer(call(&group, "page", page)).await,
            Ok(1),
            "the page asks the group for the menu while it is loaded"
        );
    }

    /// The load ends at 1 s. The first caller is not polled before 2 s: perhaps its thread is busy.
    #[tokio::test(start_paused = true)]
    async fn who_comes_after_the_end_begins_anew_though_nobody_has_looked_yet() {
        let (group, origin) = (Prices::new(), Origin::default());
        let mut first = pin!(group.get("price".into(), origin.load(seconds(1), How::Value)));
        assert!(poll(first.as_mut()).is_pending(), "a load of 1 s has just begun");
        sleep(seconds(2)).await;
        let mut second = pin!(group.get("price".into(), origin.load(seconds(1), How::Value)));
        assert!(poll(second.as_mut()).is_pending(), "at 2 s the load that ended at 1 s is no answer any more");
        sleep(seconds(2)).await;
        assert_eq!(poll(first), Poll::Ready(Ok(1)), "the first caller gets what it waited for, however late it looks");
        assert_eq!(poll(second), Poll::Ready(Ok(2)), "the second caller came after the end of load 1");
    }
}

mod stage_2_failing_loads {
    use super::*;

    /// The origin is overloaded: the worst moment for thirty attempts, one after the other or all at once.
    #[tokio::test(start_paused = true)]
    async fn an_error_reaches_all_who_wait() {
        let (group, origin, began) = (Arc::new(Prices::new()), Origin::default(), Instant::now());
        let callers: Vec<_> =
            (0..30).map(|_| call(&group, "front page", origin.load(seconds(3), How::Error))).collect();
        for caller in callers {
            assert_eq!(
                answer(caller).await,
                Err(Failed::Load("too many connections")),
                "the error of the load they shared"
            );
        }
        let (work, took) = (origin.work(), began.elapsed());
        assert!(
            work.begun == 1 && took == seconds(3),
            "30 callers of a failing origin: {} loads in {took:?}",
            work.begun
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_not_remembered() {
        let (group, origin) = (Arc::new(Prices::new()), Origin::default());
        let failed = answer(call(&group, "price", origin.load(seconds(1), How::Error))).await;
        assert_eq!(failed, Err(Failed::Load("too many connections")));
        let next = answer(call(&group, "price", origin.load(seconds(1), How::Value))).await;
        assert_eq!(next, Ok(2), "the next caller's load is another one, and it succeeds");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_reaches_all_who_wait_as_an_error() {
        let (group, origin) = (Arc::new(Prices::new()), Origin::default());
        let callers: Vec<_> = (0..3).map(|_| call(&group, "price", origin.load(seconds(1), How::Panic))).collect();
        for caller in callers {
            assert_eq!(answer(caller).await, Err(Failed::Panicked), "the load they shared panicked");
        }
        assert_eq!(origin.work().begun, 1, "a load that panicked is over for all who waited, and not tried by each");
        let next = answer(call(&group, "price", origin.load(seconds(1), How::Value))).await;
        assert_eq!(next, Ok(2), "the group works on");
    }

    /// The panic is in the function, not in the future that it should have made.
    #[tokio::test(start_paused = true)]
    async fn a_load_may_panic_before_it_waits_for_anything() {
        let (group, origin) = (Arc::new(Prices::new()), Origin::default());
        let failed = answer(call(&group, "price", || panic!("a load that panics at once, as this test wants"))).await;
        assert_eq!(failed, Err(Failed::Panicked), "a load that panicked before it was a future");
        let next = answer(call(&group, "price", origin.load(seconds(1), How::Value))).await;
        assert_eq!(next, Ok(1), "the group works on, with the same key");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_panic_the_next_call_begins_anew_though_nobody_has_looked_yet() {
        let (group, origin) = (Prices::new(), Origin::default());
        let mut first = pin!(group.get("price".into(), origin.load(seconds(1), How::Panic)));
        assert!(poll(first.as_mut()).is_pending(), "a load of 1 s has just begun");
        sleep(seconds(2)).await;
        let mut second = pin!(group.get("price".into(), origin.load(seconds(1), How::Value)));
        assert!(poll(second.as_mut()).is_pending(), "at 2 s the load that panicked at 1 s is over");
        sleep(seconds(2)).await;
        assert_eq!(poll(first), Poll::Ready(Err(Failed::Panicked)), "the first caller's load panicked");
        assert_eq!(poll(second), Poll::Ready(Ok(2)), "the second caller's did not");
    }
}

mod stage_3_giving_up {
    use super::*;

    /// Whoever asked first has closed the browser. The other two have not.
    #[tokio::test(start_paused = true)]
    async fn when_the_first_caller_gives_up_the_others_get_its_load() {
        let (group, origin, began) = (Arc::new(Prices::new()), Origin::default(), Instant::now());
        let [first, second, third] = [(); 3].map(|()| call(&group, "price", origin.load(seconds(3), How::Value)));
        sleep(seconds(1)).await;
        first.abort();
        for caller in [second, third] {
            assert_eq!(
                answer(caller).await,
                Ok(1),
                "the first caller gave up at 1 s, the others wait for the same load"
            );
        }
        assert_eq!(began.elapsed(), seconds(3), "a load of 3 s, begun at 0 s and never begun again");
    }

    /// Every caller gives up after 1 s; the load takes 1.48 s. Callers come every 100 ms, the first at 50 ms.
    #[tokio::test(start_paused = true)]
    async fn a_load_longer_than_anybodys_patience_ends_for_those_who_came_in_its_last_second() {
        let (group, origin) = (Arc::new(Prices::new()), Origin::default());
        let callers: Vec<_> = (0..15)
            .map(|i| {
                let (group, load) = (Arc::clone(&group), origin.load(millis(1_480), How::Value));
                tokio::spawn(async move {
                    sleep(millis(50 + 100 * i)).await;
                    timeout(seconds(1), group.get("report".into(), load)).await
                })
            })
            .collect();
        let mut answers = vec![];
        for caller in callers {
            answers.push(soon(caller).await.expect("the caller's own task panicked").ok());
        }
        let expected = [vec![None; 5], vec![Some(Ok(1)); 10]].concat();
        assert_eq!(answers, expected, "callers at 50, 150, … 1450 ms; a load from 50 to 1530 ms; each waits for 1 s");
        assert_eq!(origin.work().begun, 1, "somebody was waiting all the time");
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_last_caller_gives_up_the_load_is_stopped() {
        let (group, origin) = (Arc::new(Prices::new()), Origin::default());
        let [first, second] = [(); 2].map(|()| call(&group, "price", origin.load(seconds(3), How::Value)));
        sleep(seconds(1)).await;
        second.abort();
        settle().await;
        assert_eq!(origin.work().running, 1, "one of two callers has given up: the load goes on");
        first.abort();
        settle().await;
        assert_eq!(origin.work().running, 0, "nobody waits any more, and the origin still works");
        sleep(seconds(5)).await;
        assert_eq!((origin.work().completed, group.in_flight()), (0, 0), "loads completed for nobody, and keys kept");
    }

    /// The last caller of a load goes, and in the same moment another comes.
    #[tokio::test(start_paused = true)]
    async fn a_call_right_after_the_last_has_given_up_begins_anew() {
        let (group, origin) = (Prices::new(), Origin::default());
        let mut first = Box::pin(group.get("price".into(), origin.load(seconds(3), How::Value)));
        assert!(poll(first.as_mut()).is_pending());
        sleep(seconds(1)).await;
        drop(first);
        let mut second = pin!(group.get("price".into(), origin.load(seconds(3), How::Value)));
        assert!(poll(second.as_mut()).is_pending());
        sleep(seconds(1)).await;
        let mut third = pin!(group.get("price".into(), origin.load(seconds(3), How::Value)));
        assert!(poll(third.as_mut()).is_pending());
        sleep(millis(2_500)).await;
        for (caller, name) in [(second.as_mut(), "second"), (third.as_mut(), "third")] {
            assert_eq!(
                poll(caller),
                Poll::Ready(Ok(2)),
                "load 2 went from 1 s to 4 s, and the {name} caller waited for it"
            );
        }
        assert_eq!(origin.work().completed, 1, "load 1 was stopped");
    }

    /// A key, a value or an error that is counted: who keeps one is found out.
    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_a_load_however_it_ended() {
        let group: Group<Arc<str>, Arc<str>, Arc<str>> = Group::new();
        let (value, error): (Arc<str>, Arc<str>) = ("7.50".into(), "timeout".into());
        for ending in ["value", "error", "panic", "given up"] {
            let key: Arc<str> = ending.into();
            let result = if ending == "error" { Err(Arc::clone(&error)) } else { Ok(Arc::clone(&value)) };
            let load = move || async move {
                sleep(seconds(1)).await;
                assert!(ending != "panic", "a load that panics, as this test wants");
                result
            };
            let patience = if ending == "given up" { millis(500) } else { seconds(5) };
            drop(timeout(patience, group.get(Arc::clone(&key), load)).await);
            settle().await;
            assert_eq!(group.in_flight(), 0, "keys kept after a load that ended with: {ending}");
            assert_eq!(Arc::strong_count(&key) - 1, 0, "copies of the key kept after a load that ended with: {ending}");
        }
        let copies = (Arc::strong_count(&value) - 1, Arc::strong_count(&error) - 1);
        assert_eq!(copies, (0, 0), "copies kept of the value and of the error");
    }

    /// When a caller comes and how long it waits, in ms.
    #[derive(Clone, Copy, Debug)]
    struct Caller {
        comes: u64,
        patience: u64,
    }

    const LOAD: u64 = 103;

    /// What the law gives: the number of the load whose value each caller gets, and how many loads were begun.
    fn by_the_law(callers: &[Caller], sometimes: &Sometimes) -> (Vec<Option<u32>>, u32) {
        struct Load {
            ends: u64,
            first: usize,
            waiting: Vec<usize>,
        }
        let mut happens: Vec<(u64, usize, bool)> = vec![];
        for (i, caller) in callers.iter().enumerate() {
            happens.push((caller.comes, i, true));
            happens.push((caller.comes + caller.patience, i, false));
        }
        happens.sort_unstable();
        let (mut got, mut begun, mut load) = (vec![None; callers.len()], 0, None::<Load>);
        happens.push((u64::MAX, usize::MAX, false));
        for (at, caller, comes) in happens {
            if let Some(ended) = load.take_if(|load| load.ends < at) {
                sometimes
                    .saw("the first caller had given up when the load ended", !ended.waiting.contains(&ended.first));
                ended.waiting.iter().for_each(|waiting| got[*waiting] = Some(begun));
            }
            if comes {
                if load.is_none() {
                    begun += 1;
                }
                let load = load.get_or_insert(Load { ends: at + LOAD, first: caller, waiting: vec![] });
                sometimes.saw("a caller joined a load under way", !load.waiting.is_empty());
                load.waiting.push(caller);
            } else if let Some(under_way) = &mut load {
                let before = under_way.waiting.len();
                under_way.waiting.retain(|waiting| *waiting != caller);
                sometimes.saw("the last caller gave up", before == 1 && under_way.waiting.is_empty());
                if under_way.waiting.is_empty() {
                    load = None;
                }
            }
        }
        (got, begun)
    }

    /// Twelve callers of one key, with little or much patience. Nothing happens in the same millisecond as anything else of
    /// another kind: callers come at …0 ms, give up at …5, and loads end at …3.
    #[test]
    fn whenever_callers_come_and_go_each_gets_the_load_that_it_waited_for() {
        let sometimes = Sometimes::expect([
            "the first caller had given up when the load ended",
            "a caller joined a load under way",
            "the last caller gave up",
        ]);
        for_seeds(60, |seed| {
            let mut rng = seed.rng();
            let callers: Vec<Caller> = (0..12)
                .map(|_| Caller {
                    comes: 10 * rng.random_range(0..40),
                    patience: [5, 25, 45, 65, 125, 305][rng.random_range(0..6)],
                })
                .collect();
            let (expected, begun) = by_the_law(&callers, &sometimes);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            let (got, work, kept) = runtime.expect("a runtime").block_on(async {
                let (group, origin) = (Arc::new(Prices::new()), Origin::default());
                let tasks: Vec<_> = callers
                    .iter()
                    .map(|&Caller { comes, patience }| {
                        let (group, load) = (Arc::clone(&group), origin.load(millis(LOAD), How::Value));
                        tokio::spawn(async move {
                            sleep(millis(comes)).await;
                            timeout(millis(patience), group.get("price".into(), load)).await
                        })
                    })
                    .collect();
                let mut got = vec![];
                for task in tasks {
                    let answer = soon(task).await.expect("the caller's own task panicked");
                    got.push(answer.ok().map(|answer| answer.expect("no load fails here")));
                }
                settle().await;
                (got, origin.work(), group.in_flight())
            });
            assert_eq!(
                got, expected,
                "seed {seed}: which load's value each of {callers:?} gets, with loads of {LOAD} ms"
            );
            assert_eq!((work.begun, work.most_at_once), (begun, 1), "seed {seed}: loads begun, and most at once");
            assert_eq!((work.running, kept), (0, 0), "seed {seed}: loads and keys left over");
        });
    }
}

mod stage_4_forgetting {
    use super::*;

    /// Olga reads the price, another changes it and forgets the key, Tom reads. Olga may get the old price: she asked before the
    /// change. Tom asked after it.
    #[tokio::test(start_paused = true)]
    async fn after_forget_a_call_begins_anew_and_those_who_wait_are_not_disturbed() {
        let (group, origin, began) = (Arc::new(Prices::new()), Origin::default(), Instant::now());
        let olga = call(&group, "bicycle", origin.load(seconds(3), How::Value));
        sleep(seconds(1)).await;
        group.forget(&"bicycle".into());
        let tom = call(&group, "bicycle", origin.load(seconds(3), How::Value));
        assert_eq!(answer(olga).await, Ok(1), "Olga waits for the load that was begun before the change");
        assert_eq!(began.elapsed(), seconds(3), "and is not disturbed");
        assert_eq!(answer(tom).await, Ok(2), "Tom's load is begun after the change");
        assert_eq!(began.elapsed(), seconds(4), "at 1 s, and takes 3 s");
    }

    /// Load 1 goes from 0 s to 3 s and is forgotten at 1 s; load 2 goes from 1 s to 4 s. Vera comes at 3.5 s.
    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_forgotten_load_leaves_the_new_one_alone() {
        let (group, origin) = (Arc::new(Prices::new()), Origin::default());
        let olga = call(&group, "bicycle", origin.load(seconds(3), How::Value));
        sleep(seconds(1)).await;
        group.forget(&"bicycle".into());
        let tom = call(&group, "bicycle", origin.load(seconds(3), How::Value));
        sleep(millis(2_500)).await;
        let vera = call(&group, "bicycle", origin.load(seconds(3), How::Value));
        assert_eq!(answer(olga).await, Ok(1));
        assert_eq!((answer(tom).await, answer(vera).await), (Ok(2), Ok(2)), "Vera joins load 2, which ends at 4 s");
    }

    /// The same, but Olga gives up at 2 s. She was the last to wait for load 1.
    #[tokio::test(start_paused = true)]
    async fn giving_up_a_forgotten_load_stops_it_and_leaves_the_new_one_alone() {
        let (group, origin) = (Arc::new(Prices::new()), Origin::default());
        let olga = call(&group, "bicycle", origin.load(seconds(3), How::Value));
        sleep(seconds(1)).await;
        group.forget(&"bicycle".into());
        let tom = call(&group, "bicycle", origin.load(seconds(3), How::Value));
        sleep(seconds(1)).await;
        olga.abort();
        settle().await;
        assert_eq!(origin.work().running, 1, "load 1 has no caller left, load 2 has one");
        let vera = call(&group, "bicycle", origin.load(seconds(3), How::Value));
        assert_eq!((answer(tom).await, answer(vera).await), (Ok(2), Ok(2)), "both wait for load 2");
    }

    #[tokio::test(start_paused = true)]
    async fn forgetting_one_key_leaves_the_others() {
        let (group, origin) = (Arc::new(Prices::new()), Origin::default());
        let first = call(&group, "bread", origin.load(seconds(3), How::Value));
        sleep(seconds(1)).await;
        group.forget(&"milk".into());
        let second = call(&group, "bread", origin.load(seconds(3), How::Value));
        assert_eq!(
            (answer(first).await, answer(second).await),
            (Ok(1), Ok(1)),
            "only the milk was forgotten, of which there was no load"
        );
    }
}
