//! The page's own numbers.

use availability_math::{
    Availability, Beta, Design, Parts, YEAR, availability, copies, parallel, series, with_failover,
};
use std::time::Duration;

fn down(share: f64) -> Availability {
    Availability::down(share).expect("a share")
}

fn seconds(whole: Availability) -> f64 {
    whole.downtime(YEAR).as_secs_f64()
}

#[track_caller]
fn about(got: f64, printed: f64, last_digit: f64) {
    assert!((got - printed).abs() <= last_digit / 2.0 + 1e-9, "the page says {printed}, it is {got}");
}

#[test]
fn a_chain_of_three_is_down_17_49_hours_more_and_six_times_what_the_contract_allows() {
    let (one, chain) = (seconds(down(0.001)) / 3600.0, seconds(series(&[down(0.001); 3])) / 3600.0);
    about(chain, 26.25, 0.01);
    about(chain - one, 17.49, 0.01);
    about(chain / (seconds(down(0.0005)) / 3600.0), 6.0, 1.0);
}

#[test]
fn what_two_machines_share_makes_31_5_seconds_a_hundred_times_longer() {
    let (apart, together) =
        (seconds(parallel(&[down(0.001); 2])), seconds(copies(down(0.001), 2, Beta::new(0.1).expect("β"))));
    about(apart, 31.5, 0.1);
    about(together / 60.0, 53.0, 1.0);
    about(together / apart, 100.0, 2.0);
}

#[test]
fn a_second_copy_gains_at_most_ten_to_a_hundred_and_a_third_less_than_2_percent() {
    let of = |count, share| copies(down(0.001), count, Beta::new(share).expect("β")).unavailability();
    let gain = |share| 0.001 / of(2, share);
    assert!(
        (9.0..10.0).contains(&gain(0.1)) && (90.0..100.0).contains(&gain(0.01)),
        "{} and {}",
        gain(0.1),
        gain(0.01)
    );
    assert!(1.0 - of(3, 0.05) / of(2, 0.05) < 0.02);
    about(of(2, 0.05) * 1e5, 5.09, 0.01);
    about(0.00095_f64.powi(2) * 1e7, 9.0, 0.1);
    about(0.00095_f64.powi(3) * 1e10, 8.6, 0.1);
}

#[test]
fn switching_alone_takes_262_8_seconds_eight_times_the_pair() {
    let switching = seconds(with_failover(Availability::ALWAYS, 8.76, Duration::from_secs(30)));
    about(switching, 262.8, 0.1);
    about(switching / seconds(parallel(&[down(0.001); 2])), 8.0, 1.0);
}

#[test]
fn two_sites_read_as_two_chains_are_two_minutes_and_are_8_77_hours() {
    about(seconds(down(0.002_f64.powi(2))) / 60.0, 2.0, 1.0);
    let parts: Parts = ["oslo", "rome", "database"].map(|name| (name.to_owned(), down(0.001))).into();
    let site = |web| Design::All(vec![Design::part(web), Design::part("database")]);
    let both = availability(&Design::AtLeast(1, vec![site("oslo"), site("rome")]), &parts).expect("known");
    about(seconds(both) / 3600.0, 8.77, 0.01);
}

#[test]
fn a_provider_of_four_nines_is_52_6_minutes() {
    about(seconds(down(0.0001)) / 60.0, 52.6, 0.1);
}
