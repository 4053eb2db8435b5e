//! The numbers of the page "Events as state".

use std::collections::BTreeMap;

/// Windows of 60 s, a bound of 5 s: what is reported, in order, and what was too late.
fn windows(arrivals: &[u64]) -> (Vec<(u64, u32)>, Vec<u64>) {
    let (mut open, mut reported, mut late) = (BTreeMap::<u64, u32>::new(), Vec::new(), Vec::new());
    let mut watermark = 0;
    for &at in arrivals {
        let window = at / 60 * 60;
        if window + 60 <= watermark {
            late.push(at);
        } else {
            *open.entry(window).or_default() += 1;
        }
        watermark = watermark.max(at.saturating_sub(5));
        while let Some(entry) = open.first_entry().filter(|entry| entry.key() + 60 <= watermark) {
            reported.push(entry.remove_entry());
        }
    }
    reported.extend(open); // the end of the input
    (reported, late)
}

#[test]
fn three_payments_are_reported_and_the_one_of_second_59_is_late_once() {
    let arrivals = [12, 58, 63, 55, 66, 59];
    let (reported, late) = windows(&arrivals);
    assert_eq!((&reported[..], &late[..]), (&[(0, 3), (60, 2)][..], &[59][..]));
    let counted: usize = reported.iter().map(|(_, count)| *count as usize).sum();
    assert_eq!(counted + late.len(), arrivals.len());
}

#[test]
fn the_watermarks_of_the_table() {
    let mut greatest = 0;
    let marks = [12_u64, 58, 63, 55, 66, 59].map(|at| {
        greatest = greatest.max(at);
        greatest - 5
    });
    assert_eq!(marks, [7, 53, 58, 58, 61, 61]);
}

#[test]
fn three_times_a_tenth_is_not_three_tenths() {
    assert_eq!((0.1 + 0.1 + 0.1).to_string(), "0.30000000000000004");
}

/// Two clerks decide from the same state.
#[test]
fn an_append_without_a_version_overdraws_and_one_with_it_refuses() {
    let balance = |log: &[i64]| log.iter().sum::<i64>();
    let mut log = vec![50];
    let seen = (log.len(), balance(&log));
    for _clerk in 0..2 {
        if seen.1 >= 40 {
            log.push(-40);
        }
    }
    assert_eq!(balance(&log), -30);
    let mut log = vec![50];
    let mut refused = 0;
    for _clerk in 0..2 {
        if log.len() == seen.0 {
            log.push(-40);
        } else {
            refused += 1;
        }
    }
    assert_eq!((balance(&log), refused), (10, 1));
}
