//! What a month of counts says: was it good enough, what is left, and should somebody get up.

use error_budget::{Alert, Budget, Count, Target, burn_rate, by_requests, by_time, margin, threshold, time_to_notice};
use kit::{Rng, Sometimes, for_seeds};
use rand::RngExt as _;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// 99.9 % is `target(999_000)`.
fn target(per_million: u32) -> Target {
    Target::per_million(per_million).expect("the tests' targets lie between nothing and everything")
}

/// `bad` of `valid` requests were bad.
fn count(bad: u64, valid: u64) -> Count {
    Count { good: valid - bad, valid }
}

#[track_caller]
fn about(what: &str, got: f64, expected: f64) {
    assert!((got - expected).abs() <= expected.abs() * 1e-9 + 1e-12, "{what}: {got}, expected {expected}");
}

/// The month of the example: 100,000 requests a day. On two days 3 of 100 failed, on the others none.
fn two_bad_days() -> Vec<Count> {
    (0..30).map(|day| count(if day == 9 || day == 20 { 3_000 } else { 0 }, 100_000)).collect()
}

mod stage_1_the_indicator {
    use super::*;

    #[test]
    fn the_indicator_is_the_share_of_valid_requests_that_were_good() {
        about("997 of 1,000", count(3, 1_000).indicator().expect("there were requests"), 0.997);
        assert!(count(0, 0).indicator().is_none(), "no request, no share: got {:?}", count(0, 0).indicator());
    }

    /// Good *enough* is met: 99.9 % of 1,000 requests is 999.
    #[test]
    fn a_target_is_met_when_the_indicator_is_at_least_as_great() {
        let slo = target(999_000);
        for (bad, met) in [(0, true), (1, true), (2, false)] {
            assert!(count(bad, 1_000).meets(slo) == met, "{bad} bad of 1,000 and a target of 99.9 %: expected {met}");
        }
    }

    #[test]
    fn where_nothing_was_asked_nothing_was_missed() {
        assert!(count(0, 0).meets(target(999_000)), "no requests, none of them bad");
    }

    /// Ten thousand million requests, and one bad one more than allowed.
    #[test]
    fn one_request_too_many_is_too_many_however_many_there_were() {
        let (slo, valid) = (target(999_990), 10_000_000_000_000_000);
        assert!(count(valid / 100_000, valid).meets(slo), "exactly what is allowed");
        assert!(!count(valid / 100_000 + 1, valid).meets(slo), "one more than is allowed");
    }

    /// By night one of two requests fails, by day one of 999,998.
    #[test]
    fn a_long_time_is_counted_and_not_averaged() {
        let (night, day) = (count(1, 2), count(1, 999_998));
        let both: Count = [night, day].into_iter().sum();
        assert!(both == count(2, 1_000_000), "2 bad of 1,000,000, got {both:?}");
        assert!(
            both.meets(target(999_000)),
            "the mean of 50 % and 100 % is 75 %, and 99.9998 % of the requests were good"
        );
    }
}

mod stage_2_the_budget {
    use super::*;

    /// 99.9 % of 30 days.
    #[test]
    fn three_nines_allow_43_2_minutes_of_30_days() {
        let fine = vec![count(0, 10); 30 * 1_440];
        about("minutes", by_time(target(999_000), &fine, MINUTE).allowed, 43.2);
        for (nines, minutes) in [(990_000, 432.0), (995_000, 216.0), (999_500, 21.6), (999_900, 4.32), (999_990, 0.432)]
        {
            about("minutes", by_time(target(nines), &fine, MINUTE).allowed, minutes);
        }
    }

    /// The same month in two units. Neither is wrong; a percentage of one beside minutes of the other is.
    #[test]
    fn the_same_month_costs_200_percent_in_requests_and_6667_percent_in_whole_days() {
        let (slo, month) = (target(999_000), two_bad_days());
        let requests = by_requests(slo, &month);
        about("requests allowed", requests.allowed, 3_000.0);
        about("requests used", requests.used, 6_000.0);
        about("share of the requests", requests.share_used(), 2.0);
        let days = by_time(slo, &month, DAY);
        about("minutes allowed", days.allowed, 43.2);
        about("minutes used, two whole days", days.used, 2_880.0);
        about("share of the minutes", days.share_used(), 2_880.0 / 43.2);
    }

    #[test]
    fn what_was_overspent_is_seen() {
        let over = Budget { allowed: 10.0, used: 25.0 };
        about("left", over.left(), -15.0);
        about("share", over.share_used(), 2.5);
        let under = Budget { allowed: 10.0, used: 4.0 };
        about("left", under.left(), 6.0);
    }

    /// In its first month the shop was closed. Where nothing was asked, nothing was missed, and nothing is spent.
    #[test]
    fn nothing_spent_of_nothing_is_nothing() {
        let slo = target(999_000);
        for (what, budget) in [
            ("a month without requests", by_requests(slo, &[Count::default(); 30])),
            ("no month at all, in requests", by_requests(slo, &[])),
            ("no month at all, in minutes", by_time(slo, &[], MINUTE)),
        ] {
            assert!(budget.share_used() == 0.0, "{what}: {} of it is used", budget.share_used());
        }
    }

    /// Probes every ten seconds: a slice may be shorter than a minute, and still costs its length.
    #[test]
    fn a_slice_may_be_shorter_than_a_minute() {
        let slices: Vec<Count> = (0..360).map(|at| count(u64::from(at % 40 == 0), 1)).collect();
        let budget = by_time(target(990_000), &slices, Duration::from_secs(10));
        about("minutes used, nine slices of ten seconds", budget.used, 1.5);
        about("minutes allowed, 1 % of an hour", budget.allowed, 0.6);
    }

    /// A slice is judged by the target, like the month.
    #[test]
    fn a_slice_that_meets_the_target_costs_nothing() {
        let slices = [count(1, 1_000), count(2, 1_000), count(0, 0), count(1, 1)];
        let budget = by_time(target(999_000), &slices, Duration::from_secs(300));
        about("minutes used", budget.used, 10.0);
        about("minutes allowed", budget.allowed, 0.02);
    }

    /// Traffic makes the budget of a busy day larger than that of a quiet one, and the month is the sum.
    #[test]
    fn requests_are_budgeted_where_they_came() {
        let counts = [count(10, 1_000_000), count(10, 1_000)];
        let budget = by_requests(target(990_000), &counts);
        about("allowed", budget.allowed, 10_010.0);
        about("used", budget.used, 20.0);
    }

    /// The agreement says 99.95 %. Half a percentage point more would be 100.45 %.
    #[test]
    fn an_objective_is_stricter_by_a_share_of_the_downtime() {
        let (slo, sla) = (target(999_900), target(999_500));
        about("the objective's margin", margin(slo, sla).expect("99.99 % is stricter"), 5.0);
        assert!(margin(sla, slo).is_none(), "an objective below the agreement has no margin: {:?}", margin(sla, slo));
        assert!(margin(sla, sla).is_none(), "an objective equal to the agreement has no margin");
    }
}

mod stage_3_the_burn_rate {
    use super::*;

    #[test]
    fn a_burn_rate_of_one_is_exactly_what_the_target_allows() {
        about("1 of 1,000", burn_rate(target(999_000), count(1, 1_000)).expect("there were requests"), 1.0);
        about("all of them", burn_rate(target(999_000), count(7, 7)).expect("there were requests"), 1_000.0);
        about("all, at 99 %", burn_rate(target(990_000), count(7, 7)).expect("there were requests"), 100.0);
        assert!(burn_rate(target(999_000), count(0, 0)).is_none(), "where nothing was asked, nothing burns");
    }

    /// The three rows of the SRE workbook.
    #[test]
    fn two_percent_in_an_hour_is_14_4_five_in_six_hours_6_and_ten_in_three_days_1() {
        about("2 % in 1 h", threshold(0.02, HOUR, MONTH), 14.4);
        about("5 % in 6 h", threshold(0.05, 6 * HOUR, MONTH), 6.0);
        about("10 % in 3 d", threshold(0.10, 3 * DAY, MONTH), 1.0);
        about("2 % in 90 min", threshold(0.02, 90 * MINUTE, MONTH), 9.6);
        about("1 % in 5 min", threshold(0.01, 5 * MINUTE, MONTH), 86.4);
    }

    /// Everything fails. At 14.4 times 0.1 % the hour's window needs 1.44 % of bad requests.
    #[test]
    fn a_total_outage_is_noticed_within_52_seconds() {
        let noticed = time_to_notice(target(999_000), 14.4, HOUR, 1.0).expect("it is noticed");
        about("minutes", noticed.as_secs_f64() / 60.0, 0.864);
        let half = time_to_notice(target(999_000), 14.4, HOUR, 0.5).expect("it is noticed");
        about("minutes, if half fails", half.as_secs_f64() / 60.0, 1.728);
    }

    #[test]
    fn what_burns_below_the_threshold_is_never_noticed() {
        let slow = time_to_notice(target(999_000), 14.4, HOUR, 0.0143);
        assert!(slow.is_none(), "14.3 times the allowed rate is below 14.4: {slow:?}");
        assert!(time_to_notice(target(999_000), 1.0, HOUR, 0.0).is_none(), "nothing is bad");
        let just = time_to_notice(target(999_000), 14.4, HOUR, 0.0145).expect("above the threshold");
        assert!(just <= HOUR, "once the whole window is bad it shows: {just:?}");
    }

    /// Half may be bad, and half is: that burns at 1, whichever way one reckons.
    #[test]
    fn what_burns_at_the_threshold_is_noticed_when_the_window_is_full() {
        let noticed = time_to_notice(target(500_000), 1.0, HOUR, 0.5);
        assert!(noticed == Some(HOUR), "a window that is bad from end to end burns at the threshold: {noticed:?}");
    }
}

mod stage_4_the_alert {
    use super::*;

    /// 99.9 %, 2 % of the budget: 14.4 over an hour and over five minutes.
    fn page() -> Alert {
        Alert::new(target(999_000), 14.4, 60, 5)
    }

    /// Feeds `minutes` minutes with `bad` bad requests of 1,000 each; returns the minutes, from 1, in which it fired.
    fn run(alert: &mut Alert, minutes: usize, bad: u64) -> Vec<usize> {
        (1..=minutes).filter(|_| alert.observe(count(bad, 1_000))).collect()
    }

    #[test]
    fn an_outage_after_a_quiet_day_pages_within_a_minute() {
        let mut alert = page();
        assert!(run(&mut alert, 1_440, 0).is_empty(), "a quiet day");
        let fired = run(&mut alert, 3, 1_000);
        assert!(fired == [1, 2, 3], "everything fails from minute 1 on; it fired in {fired:?}");
    }

    /// The hour stays bad for an hour. Nobody needs to be paged for what is over.
    #[test]
    fn it_is_silent_five_minutes_after_the_end() {
        let mut alert = page();
        run(&mut alert, 60, 0);
        run(&mut alert, 10, 1_000);
        let fired = run(&mut alert, 60, 0);
        assert!(fired == [1, 2, 3, 4], "the outage is over; within the short window it still fires: {fired:?}");
    }

    /// A hiccup: 40 of 1,000 fail for two minutes. The five minutes burn at 16, the hour at 1.3.
    #[test]
    fn the_short_window_alone_pages_nobody() {
        let mut alert = page();
        run(&mut alert, 60, 0);
        let fired = run(&mut alert, 2, 40);
        assert!(
            fired.is_empty(),
            "80 bad requests of an hour's 60,000 are 1.3 times what is allowed; it fired in {fired:?}"
        );
    }

    #[test]
    fn a_steady_burn_fires_above_the_threshold_and_not_below() {
        for (bad, fires) in [(14, false), (15, true)] {
            let fired = run(&mut page(), 120, bad);
            assert!(
                fired.is_empty() != fires,
                "{bad} bad of 1,000 is {bad} times what is allowed; it fired in {fired:?}"
            );
        }
    }

    /// A quarter may be bad, and half is: that burns at 2, whichever way one reckons.
    #[test]
    fn at_the_threshold_it_fires() {
        let mut alert = Alert::new(target(750_000), 2.0, 60, 5);
        let fired = run(&mut alert, 120, 500);
        assert!(fired.len() == 120, "both windows burn at the threshold, all the time; it fired in {fired:?}");
    }

    /// An alert whose windows were swapped would be the short one alone.
    #[test]
    fn windows_that_make_no_sense_are_refused() {
        for (long, short) in [(5, 60), (60, 0), (0, 0)] {
            let made = std::panic::catch_unwind(|| Alert::new(target(999_000), 14.4, long, short));
            assert!(made.is_err(), "a short window of {short} minutes in a long one of {long}: {made:?}");
        }
        let _ = Alert::new(target(999_000), 14.4, 5, 5);
    }

    #[test]
    fn where_nobody_asks_nothing_burns() {
        let mut alert = page();
        let fired = (0..200).filter(|_| alert.observe(Count::default())).count();
        assert!(fired == 0, "no requests, and it fired {fired} times");
        assert!(
            alert.observe(count(5, 5)),
            "the first five requests in hours all fail: that is all there is in either window"
        );
    }

    /// An hour of 5,000 good requests a minute, then a quiet minute: one request, and it fails.
    #[test]
    fn a_failure_in_a_quiet_minute_does_not_outweigh_the_rush() {
        let mut alert = page();
        (0..60).for_each(|_| assert!(!alert.observe(count(0, 5_000)), "a good hour"));
        assert!(!alert.observe(count(1, 1)), "1 bad request of 20,001 in five minutes burns at 0.05");
    }

    #[test]
    fn it_keeps_no_more_than_its_long_window() {
        let mut alert = page();
        run(&mut alert, 10_000, 1);
        assert!(alert.kept() <= 60, "{} minutes are kept for a window of 60", alert.kept());
    }

    /// A burn rate by the definition: everything that was counted in the last `window` minutes. Nothing if it is so near the threshold
    /// that the last digit of a floating-point number decides, and with it the order in which one divides.
    fn burns(minutes: &[Count], window: usize, target: Target, at: f64) -> Option<bool> {
        let last = &minutes[minutes.len().saturating_sub(window)..];
        let (bad, valid) =
            last.iter().fold((0, 0), |(bad, valid), count| (bad + count.valid - count.good, valid + count.valid));
        let of_the_threshold =
            if valid > 0 { bad as f64 / valid as f64 * 1e6 / f64::from(target.allowed()) / at } else { 0.0 };
        ((of_the_threshold - 1.0).abs() > 1e-9).then_some(of_the_threshold > 1.0)
    }

    /// Traffic with rushes and nights, and errors that come and go.
    fn some_minutes(rng: &mut Rng) -> Vec<Count> {
        let (mut share, mut traffic) = (0.0, 100);
        (0..300)
            .map(|_| {
                if rng.random_bool(0.1) {
                    share = [0.0, 0.0, 0.005, 0.02, 0.3, 1.0][rng.random_range(0..6)];
                }
                if rng.random_bool(0.1) {
                    traffic = [0, 1, 100, 5_000][rng.random_range(0..4)];
                }
                let valid = rng.random_range(0..=traffic);
                count((valid as f64 * share) as u64, valid)
            })
            .collect()
    }

    #[test]
    fn it_fires_exactly_while_both_windows_burn() {
        let sometimes =
            Sometimes::expect(["both burn", "only the long one burns", "only the short one burns", "neither burns"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let slo = target([990_000, 999_000, 999_900][rng.random_range(0..3)]);
            let (at, long) = ([1.0, 6.0, 14.4][rng.random_range(0..3)], rng.random_range(1..=90));
            let short = rng.random_range(1..=long);
            let minutes = some_minutes(&mut rng);
            let mut alert = Alert::new(slo, at, long, short);
            for end in 1..=minutes.len() {
                let fired = alert.observe(minutes[end - 1]);
                let window_burns = |window| burns(&minutes[..end], window, slo, at);
                let (Some(long_burns), Some(short_burns)) = (window_burns(long), window_burns(short)) else {
                    continue;
                };
                sometimes.saw("both burn", long_burns && short_burns);
                sometimes.saw("only the long one burns", long_burns && !short_burns);
                sometimes.saw("only the short one burns", !long_burns && short_burns);
                sometimes.saw("neither burns", !long_burns && !short_burns);
                assert!(
                    fired == (long_burns && short_burns),
                    "seed {seed}, minute {end}: the last {long} minutes burn at {at} or more: {long_burns}; the last {short}: {short_burns}; it fired: {fired}"
                );
            }
        });
    }
}
