//! The page's own numbers.

use kit::{Millis, Time};
use sliding_window::{Counter, Limit, Log};

fn limit(requests: u32, window: u64) -> Limit {
    Limit::new(requests, Millis(window)).expect("more than nothing")
}

/// The limiter of the page's first lines.
#[test]
fn a_fixed_window_lets_200_through_in_two_milliseconds() {
    let (mut window, mut count, mut admitted) = (0, 0, 0);
    for now in [999, 1_000] {
        for _ in 0..100 {
            if now / 1_000 != window {
                (window, count) = (now / 1_000, 0);
            }
            admitted += u32::from(count < 100);
            count += 1;
        }
    }
    assert_eq!(admitted, 200);
    let mut log = Log::new(limit(100, 1_000));
    let exact = [999, 1_000].map(|now| (0..100).filter(|_| log.admit(Time(now)).is_ok()).count());
    assert_eq!(exact, [100, 0]);
}

#[test]
fn hugo_gets_150_and_199() {
    let mut counter = Counter::new(limit(100, 1_000));
    let mut admitted = (0..100).filter(|_| counter.admit(Time(999))).count();
    for (until, all) in [(1_500, 150), (1_998, 199)] {
        for now in until - 500..=until {
            admitted += (0..100).filter(|_| counter.admit(Time(now))).count();
        }
        assert_eq!(admitted, all, "until {until}");
    }
}

#[test]
fn five_more_are_admitted_in_the_quiz() {
    let mut counter = Counter::new(limit(60, 60_000));
    let before = (0..40).filter(|_| counter.admit(Time(0))).count();
    let here = (0..25).filter(|_| counter.admit(Time(75_000))).count();
    let more = (0..99).filter(|_| counter.admit(Time(75_000))).count();
    assert_eq!((before, here, more), (40, 25, 5));
}

#[test]
fn an_hour_of_5_000_is_40_kilobytes() {
    assert_eq!(5_000 * size_of::<Time>(), 40_000);
}
