//! The numbers on the page, computed.

use kit::{Millis, Seed};
use xfetch::load::{Arrivals, Load, Run, run};
use xfetch::{Beta, EULER_GAMMA, PerSecond, beta_for, early_chance, mean_herd, mean_lead_ms};

const HOURS: u64 = 50;

fn newspaper(b: f64, ttl: u64) -> Run {
    let load =
        Load { rate: PerSecond(10.0), arrivals: Arrivals::Poisson, recompute: Millis(3_000), ttl: Millis(ttl * 1_000) };
    run(Seed(0), load, beta(b), Millis(HOURS * 3_600_000))
}

fn beta(b: f64) -> Beta {
    Beta::new(b).expect("finite and not negative")
}

fn herd(run: &Run) -> f64 {
    run.herds.iter().map(|herd| herd.size as f64).sum::<f64>() / run.herds.len() as f64
}

#[test]
fn the_table_of_eagerness() {
    let rows = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0].map(|b| {
        let (minute, ten) = (newspaper(b, 60), newspaper(b, 600));
        let leads: Vec<f64> = minute.herds.iter().filter_map(|herd| herd.lead).map(|lead| lead.0 as f64).collect();
        let hourly = |run: &Run| run.recomputations as f64 / HOURS as f64;
        format!(
            "{b}: {:.2} ({:.2}) {:.1} s {:.0} {:.1}",
            herd(&minute),
            mean_herd(beta(b)),
            leads.iter().sum::<f64>() / leads.len() as f64 / 1_000.0,
            hourly(&minute),
            hourly(&ten)
        )
    });
    assert_eq!(
        rows,
        [
            "0: 31.06 (inf) NaN s 1694 183.6",
            "0.5: 7.20 (7.39) 4.9 s 429 44.3",
            "1: 2.74 (2.72) 11.9 s 188 15.1",
            "2: 1.65 (1.65) 27.9 s 165 10.0",
            "4: 1.50 (1.28) 52.1 s 471 8.7",
            "8: 2.02 (1.13) 59.4 s 3107 8.9",
        ]
    );
}

#[test]
fn what_the_laws_give() {
    let (rate, delta) = (PerSecond(10.0), Millis(3_000));
    assert_eq!(format!("{:.0} s", mean_lead_ms(rate, delta, beta(8.0)) / 1_000.0), "145 s", "wanted at β = 8");
    let earlier = mean_lead_ms(PerSecond(1_000.0), delta, Beta::ONE) - mean_lead_ms(rate, delta, Beta::ONE);
    assert_eq!(format!("{earlier:.0}"), "13816", "from 10 to 1,000 readers a second");
    assert_eq!(format!("{:.2}", early_chance(PerSecond(1.0), Millis(1_000), Beta::ONE)), "0.63", "L = 1");
    let late = 1.0 - early_chance(PerSecond(10.0), Millis(1_000), Beta::ONE);
    assert_eq!(format!("{:.0}", 1.0 / late), "22026", "L = 10");
    let more_than_ten = (1.0 - (-1.0_f64).exp()).powi(10);
    assert_eq!(format!("{more_than_ten:.2}"), "0.01", "β = 1");
    let b = beta_for(10, 0.01).expect("a positive number and a share").get();
    assert_eq!(format!("{b:.1}"), "1.0");
    let shorter = 10.0_f64.ln();
    assert_eq!(format!("{shorter:.1}"), "2.3", "log10 against ln");
}

/// ∫ (1 − e^(−v))/v from 0 to L, by its series, against ln L + γ.
#[test]
fn the_term_left_out_is_a_thousandth_at_five() {
    let integral = |l: f64| {
        let mut power_over_factorial = -1.0;
        (1..100).fold(0.0, |sum, n| {
            let n = f64::from(n);
            power_over_factorial *= -l / n;
            sum + power_over_factorial / n
        })
    };
    let left_out = [5.0_f64, 6.0, 8.0].map(|l| format!("{:.5}", integral(l) - l.ln() - EULER_GAMMA));
    assert_eq!(left_out, ["0.00115", "0.00036", "0.00004"]);
}

/// The story of the first paragraph: readers at equal distances, a plain time to live, and thirty values of which the last one
/// begun is kept.
#[test]
fn thirty_computations_a_minute_after_a_minute() {
    let load = Load { rate: PerSecond(10.0), arrivals: Arrivals::Even, recompute: Millis(3_000), ttl: Millis(60_000) };
    let two = run(Seed(0), load, beta(0.0), Millis(140_000));
    assert_eq!(two.herds.iter().map(|herd| herd.size).collect::<Vec<_>>(), [30, 30]);
    let mut cache = xfetch::Cache::new(load.ttl, beta(0.0));
    for reader in 0..30 {
        let began = kit::Time(60_000 + 100 * reader); // t = 0 is noon
        assert!(cache.store("front page", reader, began, began + load.recompute));
    }
    let expiry = cache.entry("front page").expect("it was stored").expiry;
    assert_eq!(expiry, kit::Time(125_900), "just before 12:02:06");
}

/// The introduction's arithmetic: 1 ms to the cache, 10 ms to the database.
#[test]
fn a_read_through_a_cache_that_hits_so_often() {
    let (cache, database) = (1.0, 10.0);
    let read = [0.9, 0.99, 0.98].map(|hits| format!("{:.2}", cache + (1.0 - hits) * (database + cache)));
    assert_eq!(read, ["2.10", "1.11", "1.22"]);
    let origin = [0.99, 0.98].map(|hits: f64| ((1.0 - hits) * 100.0).round());
    assert_eq!(origin, [1.0, 2.0], "from 99 % down to 98 % the origin's work doubles");
    assert_eq!(
        (database + cache, 1.0 * 100.0),
        (11.0, 100.0),
        "a write waits for both; a queue of a second at 100 writes a second"
    );
}
