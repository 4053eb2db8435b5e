//! The numbers of the page.

use std::time::Duration;
use tokio::time::{Instant, sleep};
use worker_pool::{Key, Limits, Workers};

/// Eight workers, a hundred places, labels of 40 s each: 108 of 500 have a place at once. When has the last one?
#[tokio::test(start_paused = true)]
async fn the_last_of_500_labels_has_a_place_after_33_minutes() {
    let workers = Workers::new(Limits { workers: 8, waiting: 100 }, |()| sleep(Duration::from_secs(40)));
    let (began, mut at_once) = (Instant::now(), 0);
    for label in 0..500 {
        workers.submit(Key(label), ()).await.expect("nobody stops it");
        at_once += u32::from(began.elapsed() == Duration::ZERO);
    }
    assert_eq!((at_once, began.elapsed().as_secs()), (108, 1_960));
    assert_eq!((began.elapsed().as_secs_f64() / 60.0).round(), 33.0);
}

/// Of all the ways in which four keys can fall on four workers.
#[test]
fn four_keys_have_four_workers_nine_times_in_a_hundred() {
    let all = 4_u32.pow(4);
    let each_its_own = (0..all).filter(|ways| {
        let worker = |key: u32| ways / 4_u32.pow(key) % 4;
        (0..4).all(|key| (0..key).all(|other| worker(key) != worker(other)))
    });
    let share = each_its_own.count() as f64 / f64::from(all);
    assert_eq!(format!("{:.0}", 100.0 * share), "9");
}

/// The quiz: key B waits for room, not for a worker.
#[tokio::test(start_paused = true)]
async fn a_full_pool_makes_another_key_wait_for_room() {
    let minute = Duration::from_secs(60);
    let workers = Workers::new(Limits { workers: 2, waiting: 4 }, move |()| sleep(minute));
    for _ in 0..6 {
        workers.submit(Key(0), ()).await.expect("there is room");
    }
    let began = Instant::now();
    workers.submit(Key(1), ()).await.expect("room after a while");
    assert_eq!(began.elapsed(), minute);
}
