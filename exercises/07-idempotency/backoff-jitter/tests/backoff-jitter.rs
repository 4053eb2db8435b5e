//! Stages 1 to 3: when one request is tried again. Stage 4: whether it may be. Stages 5 and 6: what all requests together do to a
//! server that is down, through one layer and through three.

use backoff_jitter::{
    Budget, Cause, Draw, Failure, Jitter, Layer, Policy, Request, Service, Waits, amplification,
    amplification_with_budgets, may_retry, plan,
};
use kit::rand::RngExt as _;
use kit::{Rng, Sometimes, for_seeds, stats};
use std::cell::Cell;
use std::time::Duration;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// 100 ms, doubling up to 10 s.
fn policy(jitter: Jitter, tries: u32) -> Policy {
    Policy { base: ms(100), cap: ms(10_000), tries, jitter }
}

fn draw(u: f64) -> Draw {
    Draw::new(u).expect("the tests draw from 0 to below 1")
}

fn drawn(rng: &mut Rng) -> Draw {
    draw(rng.random())
}

/// The waits that these draws give, in milliseconds.
fn waits(policy: Policy, draws: &[f64]) -> Vec<f64> {
    let mut waits = Waits::new(policy);
    draws.iter().map_while(|u| waits.next_wait(draw(*u))).map(|wait| wait.as_secs_f64() * 1e3).collect()
}

#[track_caller]
fn about(what: &str, got: &[f64], expected: &[f64]) {
    let close = got.len() == expected.len() && got.iter().zip(expected).all(|(got, want)| (got - want).abs() < 1e-3);
    assert!(close, "{what}: {got:?} ms, expected {expected:?} ms");
}

mod stage_1_backoff {
    use super::*;

    #[test]
    fn the_ceiling_doubles_until_it_meets_the_cap() {
        for (retry, expected) in [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000].into_iter().enumerate() {
            let got = policy(Jitter::None, 20).ceiling(retry as u32);
            assert!(got == ms(expected), "retry {retry}: {got:?}, expected {expected} ms");
        }
    }

    /// An outage of a weekend, and a client that never gives up.
    #[test]
    fn the_thousandth_retry_is_capped_like_the_tenth() {
        for retry in [31, 32, 63, 64, 127, 128, 1_000, u32::MAX] {
            let got = policy(Jitter::None, u32::MAX).ceiling(retry);
            assert!(got == ms(10_000), "retry {retry}: {got:?}, and the cap is 10 s");
        }
        let tiny = Policy { base: Duration::from_nanos(1), ..policy(Jitter::None, 40) };
        let got = tiny.ceiling(33);
        assert!(got == Duration::from_nanos(1 << 33), "1 ns doubled 33 times is 8.6 s, below the cap: got {got:?}");
    }

    #[test]
    fn without_jitter_each_wait_is_its_ceiling() {
        about("no jitter", &waits(policy(Jitter::None, 5), &[0.0, 0.3, 0.6, 0.9]), &[100.0, 200.0, 400.0, 800.0]);
    }

    /// The first time counts.
    #[test]
    fn three_tries_are_two_waits() {
        for (tries, expected) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
            for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
                let got = waits(policy(jitter, tries), &[0.5; 10]).len();
                assert!(got == expected, "{tries} tries, {jitter:?}: {got} waits between them, expected {expected}");
            }
        }
    }
}

mod stage_2_jitter {
    use super::*;

    #[test]
    fn full_jitter_waits_anything_from_nothing_to_the_ceiling() {
        about("full", &waits(policy(Jitter::Full, 5), &[0.0, 0.25, 0.5, 0.999]), &[0.0, 50.0, 200.0, 799.2]);
    }

    #[test]
    fn equal_jitter_keeps_half_of_the_ceiling_and_draws_the_rest() {
        about("equal", &waits(policy(Jitter::Equal, 5), &[0.0, 0.25, 0.5, 0.999]), &[50.0, 125.0, 300.0, 799.6]);
    }

    /// 100 to 300, then 100 to three times what that gave, and so on.
    #[test]
    fn decorrelated_jitter_draws_between_the_base_and_three_times_the_wait_before() {
        let got = waits(policy(Jitter::Decorrelated, 5), &[0.5, 0.5, 0.0, 0.5]);
        about("decorrelated", &got, &[200.0, 350.0, 100.0, 200.0]);
    }

    /// The waits for these draws, after twelve that were nearly as long as they can be.
    fn late(jitter: Jitter, draws: [f64; 2]) -> Vec<f64> {
        let draws: Vec<f64> = [0.999; 12].into_iter().chain(draws).collect();
        waits(policy(jitter, 20), &draws).split_off(12)
    }

    #[test]
    fn at_the_cap_waits_are_still_drawn() {
        about("full", &late(Jitter::Full, [0.5, 0.1]), &[5_000.0, 1_000.0]);
        about("equal", &late(Jitter::Equal, [0.5, 0.1]), &[7_500.0, 5_500.0]);
    }

    /// Between 100 ms and 30 s, then.
    #[test]
    fn a_wait_that_was_cut_to_the_cap_counts_as_the_cap() {
        let got = late(Jitter::Decorrelated, [0.5, 0.1]);
        about("decorrelated", &got, &[10_000.0, 100.0 + 0.1 * 29_900.0]);
    }

    /// Whoever wants no cap writes the longest `Duration`, and an outage lasts a weekend.
    #[test]
    fn without_a_cap_waits_grow_and_nothing_overflows() {
        for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
            let endless = Policy { cap: Duration::MAX, ..policy(jitter, 202) };
            let got = waits(endless, &[0.999; 201]);
            assert!(got.len() == 201, "{jitter:?}: {} waits between 202 tries", got.len());
            assert!(
                got.is_sorted(),
                "{jitter:?}, always drawn at 0.999: a wait is shorter than the one before: {got:?} ms"
            );
        }
    }

    #[test]
    fn no_wait_leaves_its_bounds() {
        let sometimes = Sometimes::expect(["the cap cut a wait", "a wait shrank"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let base = ms(rng.random_range(1..500));
            let cap = base * rng.random_range(1..100);
            for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
                let policy = Policy { base, cap, tries: 15, jitter };
                let (mut waits, mut before) = (Waits::new(policy), base);
                for retry in 0..14 {
                    let wait = waits.next_wait(drawn(&mut rng)).expect("14 waits lie between 15 tries");
                    let ceiling = policy.ceiling(retry);
                    let (least, most) = match jitter {
                        Jitter::None => (ceiling, ceiling),
                        Jitter::Full => (Duration::ZERO, ceiling),
                        Jitter::Equal => (ceiling / 2, ceiling),
                        Jitter::Decorrelated => (base, cap.min(before * 3)),
                    };
                    assert!(
                        least <= wait && wait <= most,
                        "seed {seed}: {jitter:?}, retry {retry}: {wait:?} is not within {least:?} and {most:?}"
                    );
                    sometimes.saw("the cap cut a wait", jitter == Jitter::Decorrelated && wait == cap);
                    sometimes.saw("a wait shrank", wait < before);
                    before = wait;
                }
            }
        });
    }

    /// A server restarts, and a thousand clients lose their connection at the same moment. When do they come for the third time?
    ///
    /// False alarm: 1e-9. Whatever came before, the last wait spreads evenly over at least 200 ms, so that a slot of 10 ms gets each
    /// client with a chance of at most 1/20; 3 jitters, and fewer than 400 slots.
    #[test]
    fn a_thousand_clients_that_fail_together_do_not_come_back_together() {
        let allowed = stats::binomial_at_most(1_000, 0.05, 1e-9 / 1_200.0);
        let sometimes = Sometimes::expect(["without jitter all come at once"]);
        for_seeds(1, |seed| {
            let mut rng = seed.rng();
            for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
                let mut slots = vec![0_u64; 400];
                for _ in 0..1_000 {
                    let mut waits = Waits::new(policy(jitter, 4));
                    let at: Duration = (0..3).filter_map(|_| waits.next_wait(drawn(&mut rng))).sum();
                    slots[at.as_millis() as usize / 10] += 1;
                }
                let most = slots.into_iter().max().unwrap_or(0);
                sometimes.saw("without jitter all come at once", jitter == Jitter::None && most == 1_000);
                assert!(
                    jitter == Jitter::None || most <= allowed,
                    "{jitter:?}: {most} of 1000 clients come within the same 10 ms; {allowed} may"
                );
            }
        });
    }
}

mod stage_3_time {
    use super::*;

    /// Four tries of 5 s, with 100, 200 and 400 ms between them.
    #[test]
    fn four_tries_of_five_seconds_take_up_to_20_7_seconds() {
        for jitter in [Jitter::None, Jitter::Full, Jitter::Equal] {
            let got = policy(jitter, 4).worst_case(ms(5_000));
            assert!(got == ms(20_700), "{jitter:?}: {got:?}, expected 20.7 s");
        }
        let got = policy(Jitter::Decorrelated, 4).worst_case(ms(5_000));
        assert!(got == ms(23_900), "waits of up to 300, 900 and 2700 ms: {got:?}, expected 23.9 s");
    }

    #[test]
    fn the_worst_case_knows_the_cap() {
        for (jitter, expected) in [(Jitter::Full, 550), (Jitter::Decorrelated, 750)] {
            let got = Policy { cap: ms(250), ..policy(jitter, 4) }.worst_case(Duration::ZERO);
            assert!(got == ms(expected), "{jitter:?}, three waits of up to 250 ms: {got:?}, expected {expected} ms");
        }
        let got = policy(Jitter::Full, 1).worst_case(ms(5_000));
        assert!(got == ms(5_000), "one try of 5 s: {got:?}");
    }

    #[test]
    fn who_waits_for_ever_for_an_answer_waits_for_ever() {
        for tries in [1, 2, 4] {
            let got = policy(Jitter::Full, tries).worst_case(Duration::MAX);
            assert!(got == Duration::MAX, "{tries} tries without a timeout: {got:?}");
        }
    }

    /// `Retry-After: 18446744073709551615`. Whatever a server writes, it must not bring its clients down.
    #[test]
    fn a_server_that_says_never_is_believed() {
        for wait in [ms(0), ms(1), ms(400), Duration::MAX] {
            for left in [ms(0), ms(1_000), Duration::MAX] {
                let got = plan(wait, Duration::MAX, left);
                assert!(got.is_none(), "{wait:?} after the longest time there is, with {left:?} left: {got:?}");
            }
        }
        let got = plan(Duration::MAX, ms(1), Duration::MAX);
        assert!(got.is_none(), "the longest time there is, 1 ms after: {got:?}");
        let got = plan(ms(100), ms(200), Duration::MAX);
        assert!(got == Some(ms(300)), "the caller waits for ever: {got:?}");
    }

    /// `Retry-After: 30`, to everybody.
    #[test]
    fn a_server_that_says_when_is_not_asked_before_nor_by_all_at_once() {
        for own in [ms(0), ms(80), ms(400)] {
            let got = plan(own, ms(30_000), ms(60_000));
            assert!(got == Some(ms(30_000) + own), "30 s of the server's and {own:?} of our own: {got:?}");
        }
    }

    /// The caller waits for 1 s and then goes away.
    #[test]
    fn nobody_is_asked_on_behalf_of_a_caller_who_has_left() {
        for (wait, after, expected) in
            [(999, 0, Some(999)), (1_000, 0, None), (400, 599, Some(999)), (400, 600, None), (3_000, 0, None)]
        {
            let got = plan(ms(wait), ms(after), ms(1_000));
            assert!(got == expected.map(ms), "{wait} ms after {after} ms, with 1000 ms left: {got:?}");
        }
    }
}

/// A failure that nobody has dealt with yet.
fn fresh(cause: Cause) -> Failure {
    Failure { cause, given_up: false }
}

const PAY: Request = Request { idempotent: false };
const READ: Request = Request { idempotent: true };

mod stage_4_what_may_be_tried_again {
    use super::*;

    #[test]
    fn what_was_wrong_once_is_wrong_again() {
        for request in [PAY, READ] {
            assert!(!may_retry(request, fresh(Cause::Rejected)), "{request:?} was rejected for what it is");
        }
    }

    #[test]
    fn what_was_surely_not_done_can_be_asked_for_again() {
        for request in [PAY, READ] {
            assert!(may_retry(request, fresh(Cause::Refused)), "{request:?} was refused, so nothing was done yet");
        }
    }

    /// The card may have been charged.
    #[test]
    fn what_may_have_been_done_is_asked_for_again_only_if_twice_is_as_good_as_once() {
        assert!(may_retry(READ, fresh(Cause::Unknown)), "reading twice does no harm");
        assert!(!may_retry(PAY, fresh(Cause::Unknown)), "the first payment may have been made");
    }

    #[test]
    fn what_was_given_up_nearer_to_the_fault_is_given_up() {
        for cause in [Cause::Rejected, Cause::Refused, Cause::Unknown] {
            assert!(!may_retry(READ, Failure { cause, given_up: true }), "{cause:?} was dealt with further down");
        }
    }
}

mod stage_5_the_budget {
    use super::*;

    /// So many retries are paid for `requests` of which every one fails and would be tried again for ever.
    fn retries(budget: &mut Budget, requests: u64) -> u64 {
        let mut paid = 0;
        for _ in 0..requests {
            budget.deposit();
            while budget.withdraw() {
                paid += 1;
                assert!(paid < 10_000, "10000 retries paid for {requests} requests");
            }
        }
        paid
    }

    #[test]
    fn ten_percent_of_a_thousand_requests_are_a_hundred_retries() {
        for (percent, requests, expected) in
            [(10, 1_000, 100), (10, 10, 1), (20, 1_000, 200), (3, 1_000, 30), (0, 1_000, 0), (150, 10, 15)]
        {
            let paid = retries(&mut Budget::new(percent, 10), requests);
            assert!(paid == expected, "{percent} % of {requests} requests: {paid} retries, expected {expected}");
        }
    }

    #[test]
    fn nothing_is_lent() {
        let mut budget = Budget::new(10, 10);
        assert!(!budget.withdraw(), "no request yet, nothing earned");
        for request in 1..10 {
            budget.deposit();
            assert!(!budget.withdraw(), "{request} requests earned {request} tenths of a retry");
        }
        budget.deposit();
        assert!(budget.withdraw(), "the tenth request completes a retry, and refusals cost nothing");
        assert!(!budget.withdraw(), "one retry was earned and one was made");
    }

    /// A quiet month does not pay for a storm.
    #[test]
    fn no_more_is_saved_than_the_bucket_holds() {
        let mut budget = Budget::new(10, 5);
        for _ in 0..100_000 {
            budget.deposit();
        }
        let paid = (0..100).take_while(|_| budget.withdraw()).count();
        assert!(paid == 5, "100000 good requests, then an outage: {paid} retries at once, and the bucket holds 5");
    }

    /// A bucket that is nearly full takes what still fits, not a whole deposit.
    #[test]
    fn a_full_bucket_does_not_run_over() {
        for (percent, most, requests) in [(30, 1, 4), (30, 2, 7), (150, 1, 1), (99, 3, 4), (400, 2, 2)] {
            let mut budget = Budget::new(percent, most);
            for round in 1..=3 {
                (0..requests).for_each(|_| budget.deposit());
                let paid = (0..100).take_while(|_| budget.withdraw()).count();
                assert!(
                    paid == most as usize,
                    "{percent} %, at most {most} saved, {requests} requests, round {round}: {paid} retries"
                );
            }
        }
        let mut budget = Budget::new(30, 1);
        (0..4).for_each(|_| budget.deposit());
        assert!(budget.withdraw(), "120 hundredths, of which 100 fit");
        (0..3).for_each(|_| budget.deposit());
        assert!(!budget.withdraw(), "90 hundredths are not a retry, and the 20 did not fit");
    }

    #[test]
    fn a_bucket_without_a_bound_and_one_without_room() {
        let paid = retries(&mut Budget::new(10, u32::MAX), 1_000);
        assert!(paid == 100, "10 % of 1000 requests, and as much saved as one likes: {paid} retries");
        let mut budget = Budget::new(10, u32::MAX);
        (0..1_000).for_each(|_| budget.deposit());
        let paid = (0..1_000).take_while(|_| budget.withdraw()).count();
        assert!(paid == 100, "1000 good requests, then an outage: {paid} retries, 100 were saved");
        let paid = retries(&mut Budget::new(100, 0), 1_000);
        assert!(paid == 0, "nothing can be saved, not even for one retry: {paid} retries");
    }

    /// Requests and failures in any order.
    #[test]
    fn at_every_moment_retries_are_at_most_a_tenth_of_the_requests() {
        let sometimes = Sometimes::expect(["a retry was paid", "a retry was refused"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let (mut budget, mut requests, mut paid) = (Budget::new(10, 3), 0_u32, 0_u32);
            for _ in 0..500 {
                if rng.random_bool(0.7) {
                    budget.deposit();
                    requests += 1;
                } else {
                    let pays = budget.withdraw();
                    paid += u32::from(pays);
                    sometimes.saw("a retry was paid", pays);
                    sometimes.saw("a retry was refused", !pays);
                }
                assert!(paid * 10 <= requests, "seed {seed}: {paid} retries for {requests} requests");
            }
        });
    }
}

/// The service at the bottom: answers by the number of the call, counted from 0, and counts.
struct Bottom<F> {
    calls: u64,
    answer: F,
}

impl<F: FnMut(u64) -> Result<(), Failure>> Service for Bottom<F> {
    fn call(&mut self, _: Request) -> Result<(), Failure> {
        self.calls += 1;
        assert!(self.calls <= 100_000, "more than 100000 calls at the bottom: somebody never stops");
        (self.answer)(self.calls - 1)
    }
}

fn bottom<F: FnMut(u64) -> Result<(), Failure>>(answer: F) -> Bottom<F> {
    Bottom { calls: 0, answer }
}

mod stage_6_layers {
    use super::*;

    fn ten_percent() -> Option<Budget> {
        Some(Budget::new(10, 10))
    }

    #[test]
    fn three_layers_of_three_tries_make_27_and_three_budgets_of_ten_percent_make_1_331() {
        for (tries, layers, expected) in [(3, 3, 27.0), (1, 5, 1.0), (4, 2, 16.0), (3, 0, 1.0), (10, 20, 1e20)] {
            let got = amplification(tries, layers);
            assert!(
                (got / expected - 1.0).abs() < 1e-9,
                "{layers} layers of {tries} tries: {got}, expected {expected}"
            );
        }
        for (percent, layers, expected) in [(10, 3, 1.331), (10, 1, 1.1), (0, 3, 1.0), (20, 2, 1.44)] {
            let got = amplification_with_budgets(percent, layers);
            assert!((got - expected).abs() < 1e-9, "{layers} layers of {percent} %: {got}, expected {expected}");
        }
    }

    #[test]
    fn a_fault_that_passes_is_not_seen_above() {
        let mut layer = Layer::new(bottom(|call| if call < 2 { Err(fresh(Cause::Refused)) } else { Ok(()) }), 3, None);
        let answer = layer.call(PAY);
        assert!(answer.is_ok(), "refused twice, then done: {answer:?}");
        assert!(layer.below.calls == 3, "three tries, got {}", layer.below.calls);
    }

    #[test]
    fn a_layer_tries_three_times_and_then_gives_up() {
        let mut layer = Layer::new(bottom(|_| Err(fresh(Cause::Refused))), 3, None);
        let answer = layer.call(READ);
        assert!(layer.below.calls == 3, "three tries, got {}", layer.below.calls);
        let expected = Failure { cause: Cause::Refused, given_up: true };
        assert!(answer == Err(expected), "it gives up, and says so: {answer:?}");
    }

    /// Somebody switched retries off and wrote 0. The request was to be sent all the same.
    #[test]
    fn every_request_is_sent_at_least_once() {
        for tries in [0, 1] {
            let mut layer = Layer::new(bottom(|_| Ok(())), tries, ten_percent());
            let answer = layer.call(PAY);
            assert!(answer.is_ok() && layer.below.calls == 1, "{tries} tries: {} calls, {answer:?}", layer.below.calls);
            let mut layer = Layer::new(bottom(|_| Err(fresh(Cause::Refused))), tries, None);
            let answer = layer.call(PAY);
            assert!(
                answer.is_err() && layer.below.calls == 1,
                "{tries} tries: {} calls, {answer:?}",
                layer.below.calls
            );
        }
    }

    #[test]
    fn a_payment_without_an_answer_is_sent_once() {
        for (cause, request) in [(Cause::Unknown, PAY), (Cause::Rejected, PAY), (Cause::Rejected, READ)] {
            let mut layer = Layer::new(bottom(move |_| Err(fresh(cause))), 3, None);
            let answer = layer.call(request);
            assert!(layer.below.calls == 1, "{request:?}, {cause:?}: sent {} times", layer.below.calls);
            let expected = Failure { cause, given_up: true };
            assert!(answer == Err(expected), "{request:?}, {cause:?}: {answer:?}");
        }
    }

    /// The first try was lost in a timeout, the second came to a server that is restarting.
    #[test]
    fn whoever_was_once_in_doubt_stays_in_doubt() {
        for second in [Cause::Refused, Cause::Rejected] {
            let answers = move |call| Err(fresh(if call == 0 { Cause::Unknown } else { second }));
            let answer = Layer::new(bottom(answers), 3, None).call(READ);
            let cause = answer.map_err(|failure| failure.cause);
            assert!(cause == Err(Cause::Unknown), "the first try may have been executed, then {second:?}: {cause:?}");
        }
    }

    #[test]
    fn three_layers_over_a_dead_service_call_it_three_times() {
        let one = Layer::new(bottom(|_| Err(fresh(Cause::Refused))), 3, None);
        let mut top = Layer::new(Layer::new(one, 3, None), 3, None);
        let answer = top.call(READ);
        let calls = top.below.below.below.calls;
        assert!(answer.is_err(), "nothing works, {answer:?}");
        assert!(calls == 3, "the layer above the fault tries three times, the others not again: {calls} calls");
    }

    /// Each layer has its own budget of ten percent. The law is about the bottom, where it hurts.
    #[test]
    fn a_thousand_requests_into_an_outage_are_at_most_1100_calls() {
        let one = Layer::new(bottom(|_| Err(fresh(Cause::Refused))), 3, ten_percent());
        let mut top = Layer::new(Layer::new(one, 3, ten_percent()), 3, ten_percent());
        let failed = (0..1_000).filter(|_| top.call(READ).is_err()).count();
        assert!(failed == 1_000, "nothing works, {failed} of 1000 failed");
        let calls = top.below.below.below.calls;
        // The last of the hundred is missing where a request earns when it is over, and not when it begins.
        assert!(
            (1_099..=1_100).contains(&calls),
            "1000 requests and the hundred retries that they pay for: {calls} calls"
        );
    }

    #[test]
    fn a_retry_that_is_not_made_is_not_paid_for() {
        // 100 requests fail for good and earn ten retries; then comes a fault that two retries heal.
        for (cause, given_up, request) in
            [(Cause::Rejected, false, READ), (Cause::Unknown, false, PAY), (Cause::Refused, true, READ)]
        {
            let answers = move |call| match call {
                0..100 => Err(Failure { cause, given_up }),
                100 | 101 => Err(fresh(Cause::Refused)),
                _ => Ok(()),
            };
            let mut layer = Layer::new(bottom(answers), 3, ten_percent());
            let failed = (0..100).filter(|_| layer.call(request).is_err()).count();
            assert!(failed == 100 && layer.below.calls == 100, "{failed} of 100 fail, {} calls", layer.below.calls);
            let answer = layer.call(request);
            assert!(answer.is_ok(), "ten retries were earned and none was made, after {cause:?}: {answer:?}");
        }
        // Whoever has no try left pays nothing either: of twenty requests with one try each none spends the two retries earned.
        let mut layer = Layer::new(bottom(|_| Err(fresh(Cause::Refused))), 1, ten_percent());
        assert!((0..20).all(|_| layer.call(READ).is_err()), "nothing works");
        assert!(layer.below.calls == 20, "one try each, {} calls for 20 requests", layer.below.calls);
    }

    /// Faults of all kinds, at any rate.
    #[test]
    fn however_calls_fail_the_bottom_gets_at_most_a_tenth_more() {
        let sometimes = Sometimes::expect(["a retry healed a fault", "nobody could pay", "all failed"]);
        for_seeds(60, |seed| {
            let mut rng = seed.rng();
            let rate = [0.02, 0.1, 0.5, 1.0][rng.random_range(0..4)];
            let failures = Cell::new(0_u64);
            let answers = |_| {
                let cause = [Cause::Rejected, Cause::Refused, Cause::Unknown][rng.random_range(0..3)];
                let failed = rng.random_bool(rate);
                failures.set(failures.get() + u64::from(failed));
                if failed { Err(fresh(cause)) } else { Ok(()) }
            };
            let one = Layer::new(bottom(answers), 3, ten_percent());
            let mut top = Layer::new(Layer::new(one, 3, ten_percent()), 3, ten_percent());
            let seen = (1..=500_u64).filter(|_| top.call(READ).is_err()).count() as u64;
            let calls = top.below.below.below.calls;
            assert!(calls * 10 <= 500 * 11, "seed {seed}: {calls} calls for 500 requests, {rate} of them fail");
            sometimes.saw("a retry healed a fault", seen < failures.get() && rate < 1.0);
            sometimes.saw("nobody could pay", calls >= 549);
            sometimes.saw("all failed", seen == 500);
        });
    }
}
