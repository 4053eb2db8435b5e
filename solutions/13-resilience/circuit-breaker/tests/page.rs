//! The numbers on the page and in the chapter's introduction that no test of the exercise computes.

use circuit_breaker::{CircuitBreaker, Config, Metrics, Millis, Percent, Permit, State, Time};
use pretty_assertions::assert_eq;
use std::{collections::VecDeque, num::NonZeroUsize};

/// 200 calls a second.
const GAP: u64 = 5;
/// When a call that gets no answer fails.
const TIMEOUT: u64 = 2_000;

fn checkout() -> Config {
    Config {
        window: NonZeroUsize::new(20).expect("20 > 0"),
        minimum_calls: 20,
        threshold: Percent::new(50).expect("a percentage"),
        open_for: Millis(10_000),
        probes: NonZeroUsize::new(3).expect("3 > 0"),
    }
}

/// What the outage of one minute looked like from the caller's side.
#[derive(Debug, PartialEq, Eq)]
struct Outage {
    sent: u64,
    sent_before_it_opened: u64,
    opened_at: Time,
    late: u64,
    most_at_once: usize,
    metrics: Metrics,
}

/// For one minute no call is answered; each fails after its timeout.
fn outage(breaker: &CircuitBreaker) -> Outage {
    let mut in_flight: VecDeque<(u64, Permit<'_>)> = VecDeque::new();
    let mut opened = None;
    let mut outage = Outage {
        sent: 0,
        sent_before_it_opened: 0,
        opened_at: Time(0),
        late: 0,
        most_at_once: 0,
        metrics: Metrics::default(),
    };
    for now in (0..60_000 + TIMEOUT).step_by(GAP as usize) {
        while let Some((_, permit)) = in_flight.pop_front_if(|(due, _)| *due <= now) {
            permit.fail(Time(now));
            if opened.is_none() && breaker.state(Time(now)) != State::Closed {
                opened = Some((Time(now), outage.sent, in_flight.len() as u64));
            }
        }
        if now < 60_000
            && let Ok(permit) = breaker.admit(Time(now))
        {
            outage.sent += 1;
            in_flight.push_back((now + TIMEOUT, permit));
            outage.most_at_once = outage.most_at_once.max(in_flight.len());
        }
    }
    (outage.opened_at, outage.sent_before_it_opened, outage.late) = opened.expect("it opened");
    outage.metrics = breaker.metrics();
    outage
}

/// 200 calls a second for a minute are 12,000; every one of them holds a thread for two seconds.
#[test]
fn a_minute_of_outage_costs_a_few_hundred_calls() {
    let outage = outage(&CircuitBreaker::new(checkout()));

    assert_eq!(
        outage,
        Outage {
            sent: 431,
            sent_before_it_opened: 419,
            opened_at: Time(2_095),
            late: 399,
            most_at_once: 400,
            metrics: Metrics { calls: 431, failures: 431, rejected: 11_569 },
        }
    );
    assert_eq!(outage.sent + outage.metrics.rejected, 12_000, "200 a second for 60 s");
}

/// 100 threads, each held for two seconds by a call without an answer, serve 50 calls a second.
#[test]
fn a_hundred_threads_are_gone_in_half_a_second() {
    assert_eq!(100 * GAP, 500, "milliseconds until 100 calls have come");
    assert_eq!(100 * 1_000 / TIMEOUT, 50, "calls a second");
}

/// The first edition's counter: every rejection is an error, but no request.
#[test]
fn the_error_rate_of_the_first_edition() {
    let breaker =
        CircuitBreaker::new(Config { window: NonZeroUsize::new(3).expect("3 > 0"), minimum_calls: 3, ..checkout() });
    for _ in 0..103 {
        if let Ok(permit) = breaker.admit(Time(0)) {
            permit.fail(Time(0));
        }
    }

    let Metrics { calls, failures, rejected } = breaker.metrics();

    assert_eq!((calls, failures, rejected), (3, 3, 100));
    assert_eq!(format!("{:.2}", (failures + rejected) as f64 / calls as f64), "34.33");
    assert_eq!(breaker.metrics().error_rate(), Some(1.0));
}

/// A breaker around a breaker, both the same: one failure, two outcomes.
#[test]
fn the_same_breaker_twice_counts_one_failure_twice() {
    let breaker = CircuitBreaker::new(checkout());
    let (outer, inner) = (breaker.admit(Time(0)).expect("closed"), breaker.admit(Time(0)).expect("closed"));

    inner.fail(Time(1));
    outer.fail(Time(1));

    assert_eq!(breaker.metrics(), Metrics { calls: 2, failures: 2, rejected: 0 });
}

/// Three layers, each of which tries three times.
#[test]
fn three_layers_of_three_attempts_make_27_calls() {
    fn reach_the_last(layers_left: u32) -> u32 {
        if layers_left == 0 { 1 } else { (0..3).map(|_| reach_the_last(layers_left - 1)).sum() }
    }
    assert_eq!(reach_the_last(3), 27);
}

/// Five dependencies, each of them up 99.9 % of the time and independent of the others.
#[test]
fn five_dependencies_of_three_nines_make_three_and_a_half_hours_a_month() {
    let all_up = 0.999_f64.powi(5);
    assert_eq!(format!("{:.2}", all_up * 100.0), "99.50");
    assert_eq!(format!("{:.1}", (1.0 - all_up) * 30.0 * 24.0), "3.6");
}

/// Outside the breaker, a retry asks it three times; inside, one outcome stands for three calls.
#[test]
fn a_retry_inside_the_breaker_hides_two_calls_of_three() {
    let (outside, inside) = (CircuitBreaker::new(checkout()), CircuitBreaker::new(checkout()));
    let mut reached = (0, 0);
    for _ in 0..20 {
        for _ in 0..3 {
            if let Ok(permit) = outside.admit(Time(0)) {
                reached.0 += 1;
                permit.fail(Time(0));
            }
        }
        if let Ok(permit) = inside.admit(Time(0)) {
            reached.1 += 3;
            permit.fail(Time(0));
        }
    }
    assert_eq!(reached, (20, 60), "calls until the breaker opened: Retry(Breaker(call)), Breaker(Retry(call))");
}
