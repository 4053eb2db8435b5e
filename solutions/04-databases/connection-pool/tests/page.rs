//! The numbers of the page.

use connection_pool::{Config, Load, Manage, Pool};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

const fn load(per_second: f64) -> Load {
    Load { per_second, hold: Duration::from_millis(20) }
}

#[test]
fn four_are_busy_and_seven_make_the_wait_short() {
    let load = load(200.0);
    assert!((load.busy() - 4.0).abs() < 1e-9);
    assert_eq!(load.mean_wait(4), None);
    let table = [(5, "80", "55", "11.08"), (6, "67", "28", "2.85"), (7, "57", "14", "0.90"), (8, "50", "6", "0.30")];
    for (size, busy, waits, wait) in table {
        assert_eq!(format!("{:.0}", 100.0 * load.busy() / f64::from(size)), busy, "{size}");
        let size = usize::try_from(size).expect("small");
        assert_eq!(format!("{:.0}", 100.0 * load.waits(size)), waits, "{size}");
        let mean = load.mean_wait(size).expect("it keeps up");
        assert_eq!(format!("{:.2}", 1_000.0 * mean.as_secs_f64()), wait, "{size}");
    }
}

#[test]
fn ten_times_the_load_needs_less_than_seven_times_the_connections() {
    let sizes = [200.0, 400.0, 2_000.0].map(|per_second| load(per_second).size_for(Duration::from_millis(1)));
    assert_eq!(sizes, [7, 12, 46]);
}

#[test]
fn who_calls_while_holding_a_connection_keeps_61_busy() {
    let slow = Load { per_second: 200.0, hold: Duration::from_millis(305) };
    let quick = Load { per_second: 200.0, hold: Duration::from_millis(5) };
    assert!((slow.busy() - 61.0).abs() < 1e-9 && (quick.busy() - 1.0).abs() < 1e-9);
}

struct Nothing;

impl Manage for Nothing {
    type Connection = ();
    type Error = Infallible;

    async fn connect(&self) -> Result<(), Infallible> {
        Ok(())
    }

    async fn check(&self, (): &mut ()) -> bool {
        true
    }

    fn recycle(&self, (): &mut ()) -> bool {
        true
    }
}

/// Of `callers` who take `each` connections one after the other and hold them all: how many have finished after an hour?
async fn finish(max: usize, callers: usize, each: usize) -> usize {
    let hour = Duration::from_secs(3_600);
    let pool = Arc::new(Pool::new(Nothing, Config { max, wait: 10 * hour, lifetime: 10 * hour, idle: 10 * hour }));
    let callers = (0..callers).map(|_| {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move {
            let mut held = vec![];
            for _ in 0..each {
                held.push(pool.get().await.expect("nobody gives up for ten hours"));
                sleep(hour / 3_600).await;
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    sleep(hour).await;
    callers.iter().filter(|caller| caller.is_finished()).count()
}

#[tokio::test(start_paused = true)]
async fn three_callers_with_two_connections_each_need_four() {
    assert_eq!(finish(3, 3, 2).await, 0, "each holds one and waits for another");
    assert_eq!(finish(4, 3, 2).await, 3);
    assert_eq!(finish(10, 5, 3).await, 0, "5 · (3 - 1)");
    assert_eq!(finish(11, 5, 3).await, 5, "5 · (3 - 1) + 1");
}
