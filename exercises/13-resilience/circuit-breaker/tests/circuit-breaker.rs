//! What a caller can see: who is let through, when, and what is counted.

use circuit_breaker::{CircuitBreaker, Config, Metrics, Millis, Percent, Permit, Rejected, State, Time};
use std::num::NonZeroUsize;

/// Ten outcomes are judged, at half of them failures it opens for 30 s, then three probes decide.
fn usual() -> Config {
    config(10, 10, 50, 3)
}

fn config(window: usize, minimum_calls: usize, threshold: u8, probes: usize) -> Config {
    Config {
        window: NonZeroUsize::new(window).expect("a window holds something"),
        minimum_calls,
        threshold: Percent::new(threshold).expect("a percentage"),
        open_for: Millis(30_000),
        probes: NonZeroUsize::new(probes).expect("somebody has to try"),
    }
}

/// Makes a call for each letter, one after the other: `S` succeeds, `F` fails.
fn calls(breaker: &CircuitBreaker, outcomes: &str, now: Time) {
    for (number, outcome) in outcomes.chars().enumerate() {
        let permit = breaker.admit(now).unwrap_or_else(|why| {
            panic!("call {number} of {outcomes} was rejected with {why:?}: the breaker opened too early")
        });
        if outcome == 'F' {
            permit.fail(now);
        } else {
            permit.succeed(now);
        }
    }
}

/// A closed breaker with these outcomes behind it, all of them at 0 s.
fn after(config: Config, outcomes: &str) -> CircuitBreaker {
    let breaker = CircuitBreaker::new(config);
    calls(&breaker, outcomes, Time(0));
    breaker
}

/// Opened at 0 s by failures alone; half-open from 30 s on.
fn tripped(config: Config) -> CircuitBreaker {
    let breaker = after(config, &"F".repeat(config.window.get()));
    let until = Time(30_000);
    assert!(
        breaker.state(Time(0)) == State::Open { until },
        "a window full of failures must open the breaker for 30 s, but it is {:?}",
        breaker.state(Time(0))
    );
    breaker
}

/// Takes a probe that must be there.
fn probe(breaker: &CircuitBreaker, now: Time) -> Permit<'_> {
    breaker
        .admit(now)
        .unwrap_or_else(|why| panic!("at {now:?} a probe must go through, but it was rejected with {why:?}"))
}

const HALF_OPEN_FROM: Time = Time(30_000);

mod stage_1_opening {
    use super::*;
    use pretty_assertions::assert_eq;

    /// Five of ten are half of them: the threshold belongs to the failing side.
    #[test]
    fn it_opens_when_the_share_of_failures_reaches_the_threshold() {
        let breaker = after(usual(), "SSSSSFFFFF");

        let until = Time(30_000);
        assert_eq!(breaker.state(Time(0)), State::Open { until }, "5 of 10 failed and the threshold is 50 %");
    }

    #[test]
    fn below_the_threshold_it_stays_closed() {
        let breaker = after(usual(), "SSSSSSFFFF");

        assert_eq!(breaker.state(Time(0)), State::Closed, "4 of 10 failed and the threshold is 50 %");
    }

    /// 29 of 100 are 29 %, although 29.0 / 100.0 * 100.0 is less.
    #[test]
    fn every_share_of_a_hundred_reaches_its_own_percentage() {
        for percent in 1..=100_u8 {
            let failures = usize::from(percent);
            let breaker = after(config(100, 100, percent, 3), &("S".repeat(100 - failures) + &"F".repeat(failures)));

            let until = Time(30_000);
            let message = format!("{percent} of 100 failed and the threshold is {percent} %");
            assert_eq!(breaker.state(Time(0)), State::Open { until }, "{message}");
        }
    }

    /// Nine calls were made since the deployment, and all of them failed. Nine are fewer than ten.
    #[test]
    fn too_few_outcomes_are_not_judged() {
        let breaker = after(usual(), "FFFFFFFFF");

        assert_eq!(breaker.state(Time(0)), State::Closed, "9 outcomes were judged, at least 10 are needed");
    }

    /// The minimum is 5 of a window of 10: the window need not be full.
    #[test]
    fn a_window_with_the_minimum_in_it_is_judged() {
        let breaker = after(config(10, 5, 50, 3), "SSFFF");

        let until = Time(30_000);
        assert_eq!(breaker.state(Time(0)), State::Open { until }, "3 of 5 failed, and 5 are enough");
    }

    /// Somebody made the window smaller and left the minimum at 100.
    #[test]
    fn a_minimum_that_the_window_cannot_hold_means_a_full_window() {
        let breaker = after(config(10, 100, 50, 3), "FFFFFFFFFF");

        let until = Time(30_000);
        assert_eq!(
            breaker.state(Time(0)),
            State::Open { until },
            "10 outcomes fill the window: there will never be 100"
        );
    }

    /// The tenth outcome makes the ten complete; that it is a success does not heal the five before it.
    #[test]
    fn the_outcome_that_completes_the_minimum_may_be_a_success() {
        let breaker = after(usual(), "FFFFFSSSSS");

        let until = Time(30_000);
        assert_eq!(breaker.state(Time(0)), State::Open { until }, "5 of 10 failed; judge after every outcome");
    }

    /// A hundred good calls last night must not hide that two of the last four failed.
    #[test]
    fn a_healthy_past_does_not_hide_an_outage() {
        let breaker = after(config(4, 4, 50, 3), &("S".repeat(100) + "FF"));

        let until = Time(30_000);
        assert_eq!(breaker.state(Time(0)), State::Open { until }, "2 of the last 4 failed, whatever came before");
    }

    /// One failure an hour, and four calls in an hour: never two of the last four.
    #[test]
    fn a_failure_that_left_the_window_is_forgotten() {
        let breaker = after(config(4, 4, 50, 3), &"FSSS".repeat(10));

        assert_eq!(breaker.state(Time(0)), State::Closed, "never more than 1 of the last 4 failed");
    }

    /// Whoever is rejected learns when to come back.
    #[test]
    fn an_open_breaker_rejects_every_call_and_says_until_when() {
        let breaker = CircuitBreaker::new(usual());
        calls(&breaker, "FFFFFFFFFF", Time(4_000));

        let until = Time(34_000);
        for now in [Time(4_000), Time(20_000), Time(33_999)] {
            let answer = breaker.admit(now).map(drop);
            assert_eq!(answer, Err(Rejected::Open { until }), "opened at 4 s for 30 s, asked at {now:?}");
            assert_eq!(breaker.state(now), State::Open { until }, "opened at 4 s for 30 s, looked at {now:?}");
        }
    }
}

mod stage_2_half_open {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn when_the_wait_is_over_it_is_half_open_even_if_nobody_asks() {
        let breaker = tripped(usual());

        assert_eq!(breaker.state(HALF_OPEN_FROM), State::HalfOpen, "it opened at 0 s for 30 s");
    }

    /// Ten callers have waited; all ask before the first of the calls comes back.
    #[test]
    fn of_ten_who_ask_exactly_the_probes_go_through() {
        let breaker = tripped(usual());

        let answers: Vec<_> = (0..10).map(|_| breaker.admit(HALF_OPEN_FROM)).collect();

        let admitted = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(admitted, 3, "3 probes, 10 callers: this many reached the dependency");
        let last = answers.last().map(|answer| answer.as_ref().map(drop));
        assert_eq!(last, Some(Err(&Rejected::ProbesTaken)), "the tenth asked when all 3 probes were taken");
    }

    /// Three calls decide, not three at a time: a slow dependency must not get a fourth for every one that it answers.
    #[test]
    fn a_probe_that_answered_does_not_make_room_for_another() {
        let breaker = tripped(usual());
        let [first, _second, _third] = [(); 3].map(|()| probe(&breaker, HALF_OPEN_FROM));
        first.succeed(Time(30_100));

        let fourth = breaker.admit(Time(30_101)).map(drop);

        assert_eq!(fourth, Err(Rejected::ProbesTaken), "1 of 3 probes has answered, 2 are out: nobody else may try");
    }

    /// Two are still out. They may fail.
    #[test]
    fn the_first_good_answer_does_not_close_it() {
        let breaker = tripped(usual());
        let [first, _second, _third] = [(); 3].map(|()| probe(&breaker, HALF_OPEN_FROM));

        first.succeed(Time(30_100));

        assert_eq!(breaker.state(Time(30_100)), State::HalfOpen, "1 of 3 probes has answered");
    }

    #[test]
    fn when_the_last_probe_has_answered_well_it_closes() {
        let breaker = tripped(usual());

        calls(&breaker, "SSS", HALF_OPEN_FROM);

        assert_eq!(breaker.state(HALF_OPEN_FROM), State::Closed, "3 of 3 probes succeeded");
    }

    /// One lost packet must not cost another half-minute: the probes are judged by the same share.
    #[test]
    fn it_closes_if_fewer_probes_fail_than_the_threshold() {
        let breaker = tripped(config(10, 10, 50, 4));

        calls(&breaker, "FSSS", HALF_OPEN_FROM);

        assert_eq!(breaker.state(HALF_OPEN_FROM), State::Closed, "1 of 4 probes failed and the threshold is 50 %");
    }

    /// The wait begins anew when the probes have failed, not when the outage began.
    #[test]
    fn it_opens_again_from_the_moment_the_last_probe_failed() {
        let breaker = tripped(config(10, 10, 50, 4));
        let [a, b, c, d] = [(); 4].map(|()| probe(&breaker, HALF_OPEN_FROM));
        a.fail(Time(32_000));
        b.succeed(Time(32_000));
        c.succeed(Time(32_000));

        d.fail(Time(35_000));

        let until = Time(65_000);
        let message = "2 of 4 probes failed, the last at 35 s, and the threshold is 50 %: 30 s from there";
        assert_eq!(breaker.state(Time(35_000)), State::Open { until }, "{message}");
    }

    /// The failures that opened it are history: they must not open it again.
    #[test]
    fn once_closed_it_judges_only_what_happened_since() {
        let breaker = tripped(usual());
        calls(&breaker, "SSS", HALF_OPEN_FROM);

        calls(&breaker, "FFFFFFFFF", Time(40_000));

        assert_eq!(breaker.state(Time(40_000)), State::Closed, "9 outcomes since it closed, at least 10 are needed");
    }
}

mod stage_3_counting {
    use super::*;
    use pretty_assertions::assert_eq;

    /// Three calls fail and open the breaker, a hundred are not made. 103 errors in 3 calls would be a rate of 34.33.
    #[test]
    fn a_rejected_call_is_neither_a_call_nor_a_failure() {
        let breaker = after(config(3, 3, 50, 1), "FFF");
        for _ in 0..100 {
            let _ = breaker.admit(Time(1));
        }

        let metrics = breaker.metrics();

        assert_eq!(metrics, Metrics { calls: 3, failures: 3, rejected: 100 }, "3 calls failed, 100 were rejected");
        assert_eq!(metrics.error_rate(), Some(1.0), "3 of 3 calls failed");
    }

    #[test]
    fn half_open_a_rejected_call_is_counted_too() {
        let breaker = tripped(usual());
        let _probes = [(); 3].map(|()| probe(&breaker, HALF_OPEN_FROM));
        let _ = breaker.admit(HALF_OPEN_FROM);

        let metrics = breaker.metrics();

        assert_eq!(metrics, Metrics { calls: 10, failures: 10, rejected: 1 }, "10 failed, 3 are out, 1 was rejected");
    }

    #[test]
    fn without_a_call_there_is_no_error_rate() {
        let breaker = CircuitBreaker::new(usual());

        assert_eq!(breaker.metrics().error_rate(), None, "0 of 0 is no share");
    }

    #[test]
    fn a_call_is_counted_once() {
        let breaker = after(usual(), "FSSS");

        let metrics = breaker.metrics();

        assert_eq!(metrics, Metrics { calls: 4, failures: 1, rejected: 0 }, "1 failed, 3 succeeded");
        assert_eq!(metrics.error_rate(), Some(0.25), "1 of 4 failed");
    }

    /// The caller of a probe hangs up before it is sent. Without its permit the breaker would wait for ever.
    #[test]
    fn a_probe_that_was_not_made_makes_room_for_another() {
        let breaker = tripped(usual());
        let [first, _second, _third] = [(); 3].map(|()| probe(&breaker, HALF_OPEN_FROM));
        drop(first);

        let answers = [(); 2].map(|()| breaker.admit(Time(31_000)));

        let admitted = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(admitted, 1, "3 probes were taken and 1 was handed back");
    }

    #[test]
    fn a_call_that_was_not_made_is_no_outcome() {
        let breaker = after(usual(), "FFFFFFFFF");

        drop(breaker.admit(Time(0)).expect("it is closed"));

        assert_eq!(
            breaker.state(Time(0)),
            State::Closed,
            "9 outcomes and a call that was not made are not 10 outcomes"
        );
        assert_eq!(breaker.metrics(), Metrics { calls: 9, failures: 9, rejected: 0 }, "9 calls were made");
    }

    /// Twenty calls are in flight when ten of them open the breaker. The others fail later, one after the other.
    #[test]
    fn calls_that_fail_after_it_opened_do_not_lengthen_the_wait() {
        let breaker = CircuitBreaker::new(usual());
        let mut in_flight: Vec<_> = (0..20).map(|_| breaker.admit(Time(0)).expect("it is closed")).collect();
        for permit in in_flight.drain(..10) {
            permit.fail(Time(2_000));
        }

        for permit in in_flight {
            permit.fail(Time(9_000));
        }

        let until = Time(32_000);
        assert_eq!(breaker.state(Time(9_000)), State::Open { until }, "it opened at 2 s; 10 more calls failed at 9 s");
        assert_eq!(
            breaker.metrics(),
            Metrics { calls: 20, failures: 20, rejected: 0 },
            "20 calls were made, and failed"
        );
    }

    /// Three calls of the time before hung for 31 s and fail now. They say nothing about the dependency of now.
    #[test]
    fn a_call_from_before_the_wait_has_no_vote_among_the_probes() {
        let breaker = CircuitBreaker::new(usual());
        let old = [(); 3].map(|()| breaker.admit(Time(0)).expect("it is closed"));
        calls(&breaker, "FFFFFFFFFF", Time(0));
        let _probe = probe(&breaker, HALF_OPEN_FROM);

        for permit in old {
            permit.fail(Time(31_000));
        }

        assert_eq!(breaker.state(Time(31_000)), State::HalfOpen, "0 of 3 probes have answered");
    }

    /// A caller of the time before hangs up while the probes are out.
    #[test]
    fn a_permit_from_before_the_wait_is_not_handed_back_as_a_probe() {
        let breaker = CircuitBreaker::new(usual());
        let old = breaker.admit(Time(0)).expect("it is closed");
        calls(&breaker, "FFFFFFFFFF", Time(0));
        let _probes = [(); 3].map(|()| probe(&breaker, HALF_OPEN_FROM));

        drop(old);

        let fourth = breaker.admit(Time(31_000)).map(drop);
        assert_eq!(fourth, Err(Rejected::ProbesTaken), "all 3 probes are out; what was handed back was none of them");
    }

    /// It opened, was tried, and closed again. Then the slowest calls of the bad time come back.
    #[test]
    fn a_failure_from_before_the_wait_does_not_open_it_again() {
        let breaker = CircuitBreaker::new(usual());
        let old: Vec<_> = (0..10).map(|_| breaker.admit(Time(0)).expect("it is closed")).collect();
        calls(&breaker, "FFFFFFFFFF", Time(0));
        calls(&breaker, "SSS", HALF_OPEN_FROM);

        for permit in old {
            permit.fail(Time(31_000));
        }

        assert_eq!(breaker.state(Time(31_000)), State::Closed, "no call that began since it closed has failed");
    }
}

mod stage_4_many_at_once {
    use super::*;
    use kit::{Sometimes, for_seeds};
    use pretty_assertions::assert_eq;
    use rand::RngExt as _;
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::atomic::{AtomicUsize, Ordering},
    };

    /// For each of 200 breakers, four threads wait for one another and then ask until they are rejected.
    /// Nobody reports. Two threads that both see the last probe free, and both take it, are one too many.
    #[test]
    fn threads_that_ask_together_get_exactly_the_probes() {
        const THREADS: usize = 4;
        const PROBES: usize = 8;
        let breakers: Vec<_> = (0..200).map(|_| tripped(config(10, 10, 50, PROBES))).collect();
        let arrived = AtomicUsize::new(0);
        let ask = || {
            let mut permits = Vec::new();
            for (round, breaker) in breakers.iter().enumerate() {
                arrived.fetch_add(1, Ordering::SeqCst);
                while arrived.load(Ordering::SeqCst) < (round + 1) * THREADS {
                    std::thread::yield_now();
                }
                let asked = std::iter::from_fn(|| breaker.admit(HALF_OPEN_FROM).ok()).take(2 * PROBES);
                // A thread that panicked would keep the others waiting for ever.
                permits.push(catch_unwind(AssertUnwindSafe(|| asked.collect::<Vec<_>>())).unwrap_or_default());
            }
            permits
        };

        let permits: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().expect("its panics were caught")).collect()
        });

        for round in 0..breakers.len() {
            let admitted: usize = permits.iter().map(|of_thread| of_thread[round].len()).sum();
            assert_eq!(admitted, PROBES, "breaker {round}: 8 probes, 4 threads: this many reached the dependency");
        }
    }

    /// Eight threads report together, a failure for every success. Nothing may get lost between them.
    #[test]
    fn threads_that_report_together_are_all_counted() {
        const CALLS: u64 = 500;
        let breaker = CircuitBreaker::new(config(10, 10, 100, 3));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for call in 0..CALLS {
                        let Ok(permit) = breaker.admit(Time(0)) else { continue };
                        if call % 2 == 0 {
                            permit.fail(Time(0));
                        } else {
                            permit.succeed(Time(0));
                        }
                    }
                });
            }
        });

        let metrics = breaker.metrics();

        assert_eq!(metrics.calls + metrics.rejected, 8 * CALLS, "8 threads asked 500 times each: {metrics:?}");
    }

    /// What a run has seen of one period: the time between two changes of state.
    #[derive(Default)]
    struct Period {
        outcomes: Vec<bool>,
        taken: usize,
    }

    impl Period {
        fn failures_of_the_last(&self, count: usize) -> usize {
            self.outcomes.iter().rev().take(count).filter(|&&failed| failed).count()
        }
    }

    /// Calls begin, succeed, fail and are cancelled in any order while time goes on; the dependency is ill, then well.
    #[test]
    fn in_any_run_it_opens_and_closes_on_what_the_calls_of_its_state_say() {
        let sometimes = Sometimes::expect([
            "it opened",
            "it closed again",
            "its probes failed",
            "a call from an earlier state came back",
            "a probe was handed back",
            "more outcomes than the window holds",
        ]);
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let mut config = config(
                rng.random_range(1..=8),
                rng.random_range(0..=10),
                rng.random_range(1..=100),
                rng.random_range(1..=4),
            );
            config.open_for = Millis(rng.random_range(1..=40_000));
            let (window, probes) = (config.window.get(), config.probes.get());
            let enough = config.minimum_calls.min(window);
            let reached = |failures: usize, calls: usize| failures * 100 >= usize::from(config.threshold.get()) * calls;
            let breaker = CircuitBreaker::new(config);
            let (mut now, mut expected, mut count) = (Time(0), State::Closed, Metrics::default());
            let (mut period, mut number) = (Period::default(), 0_u64);
            let mut in_flight = Vec::new();
            for step in 0..300 {
                let ill = (step / 50) % 2 == 0;
                now.0 += rng.random_range(0..2_000_u64);
                if matches!(expected, State::Open { until } if now >= until) {
                    (expected, period, number) = (State::HalfOpen, Period::default(), number + 1);
                }
                if rng.random_bool(0.5) || in_flight.is_empty() {
                    let answer = breaker.admit(now);
                    let right = match expected {
                        State::Closed => Ok(()),
                        State::Open { until } => Err(Rejected::Open { until }),
                        State::HalfOpen if period.taken == probes => Err(Rejected::ProbesTaken),
                        State::HalfOpen => Ok(()),
                    };
                    assert!(
                        answer.as_ref().map(drop).map_err(|why| *why) == right,
                        "seed {seed}, step {step}: {expected:?} at {now:?}, {} permits given since, {config:?}; \
                         the answer must be {right:?}, not {answer:?}",
                        period.taken
                    );
                    count.rejected += u64::from(answer.is_err());
                    if let Ok(permit) = answer {
                        period.taken += 1;
                        in_flight.push((permit, number));
                    }
                } else {
                    let (permit, began) = in_flight.swap_remove(rng.random_range(0..in_flight.len()));
                    let of_now = began == number;
                    sometimes.saw("a call from an earlier state came back", !of_now);
                    if rng.random_bool(0.1) {
                        sometimes.saw("a probe was handed back", of_now && expected == State::HalfOpen);
                        drop(permit);
                        period.taken -= usize::from(of_now);
                    } else {
                        let failed = rng.random_bool(if ill { 0.8 } else { 0.1 });
                        if failed {
                            permit.fail(now);
                        } else {
                            permit.succeed(now);
                        }
                        count.calls += 1;
                        count.failures += u64::from(failed);
                        if of_now {
                            period.outcomes.push(failed);
                        }
                    }
                    let calls = period.outcomes.len();
                    let judged = calls.min(window);
                    let next = match expected {
                        State::Closed
                            if of_now
                                && judged > 0
                                && judged >= enough
                                && reached(period.failures_of_the_last(window), judged) =>
                        {
                            sometimes.saw("more outcomes than the window holds", calls > window);
                            sometimes.saw("it opened", true);
                            Some(State::Open { until: Time(now.0 + config.open_for.0) })
                        }
                        State::HalfOpen if calls == probes && reached(period.failures_of_the_last(probes), probes) => {
                            sometimes.saw("its probes failed", true);
                            Some(State::Open { until: Time(now.0 + config.open_for.0) })
                        }
                        State::HalfOpen if calls == probes => {
                            sometimes.saw("it closed again", true);
                            Some(State::Closed)
                        }
                        _ => None,
                    };
                    if let Some(next) = next {
                        (expected, period, number) = (next, Period::default(), number + 1);
                    }
                }
                let metrics = breaker.metrics();
                assert!(
                    breaker.state(now) == expected,
                    "seed {seed}, step {step}: at {now:?} it must be {expected:?}, not {:?}; \
                     {} outcomes since the last change, {config:?}",
                    breaker.state(now),
                    period.outcomes.len()
                );
                assert!(metrics == count, "seed {seed}, step {step}: it must have counted {count:?}, not {metrics:?}");
                let rate = metrics.error_rate();
                assert!(
                    rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)),
                    "seed {seed}, step {step}: an error rate lies between 0 and 1, {rate:?} does not"
                );
            }
        });
    }
}
