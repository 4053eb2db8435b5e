//! Stage 1: when one reader volunteers. Stage 2: the cache that asks it to. Stage 3: how many volunteer, and what that costs.
//!
//! Most laws here hold up to chance. Each such test states its *false-alarm rate*: how often it would fail a correct
//! implementation if its seeds were drawn anew. They are not, so a verdict does not change from one save to the next.

use kit::rand::RngExt as _;
use kit::{Millis, Rng, Seed, Sometimes, Time, for_seeds, stats};
use xfetch::load::{Arrivals, Herd, Load, Run, arrivals, run};
use xfetch::{Beta, Cache, Draw, Lookup, PerSecond, beta_for, early_chance, is_due, mean_herd, mean_lead_ms, pressure};

/// How often a correct implementation may fail one comparison, at most.
const ALARM: f64 = 1e-9;

const SECOND: u64 = 1_000;

fn beta(beta: f64) -> Beta {
    Beta::new(beta).expect("finite and not negative")
}

fn draw(u: f64) -> Draw {
    Draw::new(u).unwrap_or_else(|| panic!("{u} lies above 0 and not above 1, and was refused as a draw"))
}

fn drawn(rng: &mut Rng) -> Draw {
    Draw::from_bits(rng.random())
}

/// How far the mean of `leads` first leads, in units of β·Δ, may lie from ln L + γ.
///
/// Less ln L, a lead follows Gumbel's law, whose cumulants give ln E[e^(t(X − γ))] ≤ (π²/12)·t²/(1 − t). With s = ln(2/ALARM),
/// Chernoff's bound then leaves a chance of at most ALARM/2 to either side.
fn allowed_lead(leads: usize) -> f64 {
    let s = (2.0 / ALARM).ln() / leads as f64;
    (std::f64::consts::PI.powi(2) / 3.0 * s).sqrt() + s
}

mod stage_1_the_rule {
    use super::*;
    use std::f64::consts::E;

    const EXPIRY: Time = Time(60 * SECOND);
    const DELTA: Millis = Millis(3 * SECOND);

    /// Whether a reader `lead` before expiry recomputes.
    fn due(lead: u64, b: f64, u: f64) -> bool {
        is_due(EXPIRY - Millis(lead), EXPIRY, DELTA, beta(b), draw(u))
    }

    /// ln(1/e) = −1: who draws 1/e begins exactly Δ early, who draws 1/e² twice as early.
    #[test]
    fn a_draw_of_one_over_e_begins_one_recompute_time_early() {
        for (u, lead) in [(1.0 / E, 3_000), (1.0 / (E * E), 6_000), (0.5, 2_079), (0.9, 316)] {
            for (asked, expected) in [(lead + 1, false), (lead - 1, true)] {
                assert_eq!(
                    due(asked, 1.0, u),
                    expected,
                    "{asked} ms before expiry, Δ = 3000 ms, β = 1, U = {u:.4}: −Δ·β·ln U is {:.2} ms",
                    -3_000.0 * u.ln()
                );
            }
        }
    }

    #[test]
    fn beta_stretches_the_lead() {
        for (b, lead) in [(0.5, 1_500), (2.0, 6_000), (4.0, 12_000)] {
            assert!(due(lead - 2, b, 1.0 / E), "β = {b}, U = 1/e: due from {lead} ms before expiry on");
            assert!(!due(lead + 2, b, 1.0 / E), "β = {b}, U = 1/e: not due {} ms before expiry", lead + 2);
        }
        assert!(!due(1, 0.0, 1e-300), "β = 0 is a plain time to live: nobody comes early");
    }

    #[test]
    fn who_draws_less_than_one_begins_before_expiry() {
        for u in [0.7, 0.5, 0.1] {
            assert!(due(300, 1.0, u), "U = {u}, Δ = 3000 ms, β = 1: due 0.1 Δ before expiry");
        }
    }

    #[test]
    fn a_rare_reader_begins_many_recompute_times_early() {
        assert!(due(4 * DELTA.0, 1.0, 1e-9), "U = 1e-9, 4 Δ before expiry: −ln U is 20.7");
        assert!(due(4 * DELTA.0, 4.0, 0.05), "U = 0.05 and β = 4, 4 Δ before expiry: −β·ln U is 12.0");
    }

    /// A head start has no limit, it only gets rare.
    #[test]
    fn one_reader_in_a_billion_begins_twenty_recompute_times_early() {
        let expiry = Time(100 * SECOND);
        for (deltas, expected) in [(20, true), (21, false)] {
            let found = is_due(expiry - Millis(deltas * DELTA.0), expiry, DELTA, Beta::ONE, draw(1e-9));
            assert_eq!(found, expected, "U = 1e-9, {deltas} Δ before expiry: −ln U is 20.7");
        }
    }

    #[test]
    fn from_expiry_on_everybody_recomputes() {
        for u in [1.0, 0.999, 0.5, 0.01, 1e-300] {
            assert!(due(0, 1.0, u), "U = {u}, at expiry");
            for (b, delta) in [(1.0, DELTA), (0.0, DELTA), (1.0, Millis(0)), (f64::MAX, DELTA)] {
                for late in [0, 1, 60 * SECOND] {
                    assert!(
                        is_due(EXPIRY + Millis(late), EXPIRY, delta, beta(b), draw(u)),
                        "U = {u}, β = {b:e}, Δ = {delta}, {late} ms after expiry: whatever the others are, everybody is due"
                    );
                }
            }
        }
        assert!(!due(1, 1.0, 1.0), "U = 1 gives no head start: not due one millisecond before expiry");
    }

    /// ln 0 is −∞: such a reader would recompute a value that was stored a millisecond ago.
    #[test]
    fn zero_is_not_a_draw() {
        for u in [0.0, -0.0, -0.5, 1.000_001, f64::NAN, f64::INFINITY] {
            assert_eq!(Draw::new(u), None, "{u} as a draw");
        }
        assert_eq!(Draw::new(1.0).map(Draw::get), Some(1.0), "1 is a draw: no head start");
    }

    /// Which bits stand for which draw is free. Zero, the least and the greatest fraction come from bits at the ends of the range.
    #[test]
    fn no_bits_draw_zero_and_some_draw_one() {
        let ends =
            [0, 1, 2, 0x7ff, 0x800, 0xfff, 0x1000, 1 << 63, u64::MAX >> 11, u64::MAX - 0x800, u64::MAX - 1, u64::MAX];
        let draws = ends.map(|bits| Draw::from_bits(bits).get());
        for (bits, u) in ends.into_iter().zip(draws) {
            assert!(u > 0.0 && u <= 1.0, "the bits {bits:#x} draw {u}");
            assert!(
                !is_due(Time(0), Time(120_000), DELTA, Beta::ONE, draw(u)),
                "the bits {bits:#x} draw {u:e}; the least draw, 2⁻⁵³, begins 53·ln 2 = 36.7 Δ early, and this is 40 Δ"
            );
        }
        let greatest = draws.into_iter().fold(0.0, f64::max);
        assert_eq!(greatest, 1.0, "1 is a draw as likely as any other; of the bits {ends:x?} none draws it");
    }

    /// χ² over 64 cells of a thousand draws each, where its limit law is close: false-alarm rate about 1e-9 a comparison.
    #[test]
    fn draws_are_uniform() {
        for_seeds(5, |seed| {
            let mut rng = seed.rng();
            let (mut cells, mut odd) = ([0_u64; 64], 0);
            for _ in 0..64_000 {
                let u = drawn(&mut rng).get();
                cells[((u * 64.0).ceil() as usize).clamp(1, 64) - 1] += 1;
                odd += (u * (1_u64 << 53) as f64) as u64 % 2;
            }
            let half = stats::binomial_range(64_000, 0.5, ALARM);
            assert!(
                half.contains(&odd),
                "of 64,000 draws {odd} are an odd multiple of 2⁻⁵³; half of all 2⁵³ draws are, which allows {half:?}"
            );
            let (distance, limit) = (stats::chi_square(&cells, &[1_000.0; 64]), stats::chi_square_limit(63, ALARM));
            assert!(distance <= limit, "64,000 draws in 64 cells: χ² = {distance:.1}, chance allows {limit:.1}");
        });
    }

    /// The chance to volunteer falls by a factor of e with every β·Δ of distance. False-alarm rate 1e-9 a comparison.
    #[test]
    fn the_share_of_volunteers_falls_by_e_with_every_recompute_time() {
        for_seeds(3, |seed| {
            let mut rng = seed.rng();
            for (b, deltas) in [(1.0, 0.5), (1.0, 1.0), (1.0, 3.0), (0.5, 1.0), (2.0, 1.0)] {
                let now = EXPIRY - Millis((deltas * DELTA.0 as f64) as u64);
                let due = (0..20_000).filter(|_| is_due(now, EXPIRY, DELTA, beta(b), drawn(&mut rng))).count() as u64;
                let share = (-deltas / b).exp();
                let range = stats::binomial_range(20_000, share, ALARM);
                assert!(
                    range.contains(&due),
                    "{deltas} Δ before expiry with β = {b}: {due} of 20,000 readers volunteer; e^(−{deltas}/{b}) = {share:.3} of them allows {range:?}"
                );
            }
        });
    }

    /// When the first reader volunteers, in units of β·Δ before expiry; `None` if none does.
    fn first_lead(rng: &mut Rng, pressure: f64) -> Option<f64> {
        const LONG: u64 = 100 * SECOND; // Δ, long enough that whole milliseconds are fine
        let expiry = Time(40 * LONG);
        let load = Load {
            rate: PerSecond(pressure * SECOND as f64 / LONG as f64),
            arrivals: Arrivals::Poisson,
            recompute: Millis(LONG),
            ttl: Millis(40 * LONG),
        };
        let first = arrivals(load, Time::START, Millis(40 * LONG), rng)
            .into_iter()
            .find(|&now| is_due(now, expiry, Millis(LONG), Beta::ONE, drawn(rng)));
        first.map(|now| expiry.since(now).0 as f64 / LONG as f64)
    }

    /// With readers at random and L of them in β·Δ on average. False-alarm rate 1e-9 a comparison.
    #[test]
    fn a_value_is_refreshed_early_with_a_chance_of_one_less_e_to_the_minus_l() {
        for_seeds(3, |seed| {
            let mut rng = seed.rng();
            for l in [0.5, 1.0, 2.0_f64] {
                let chance = 1.0 - (-l).exp();
                let early = (0..4_000).filter(|_| first_lead(&mut rng, l).is_some()).count() as u64;
                let range = stats::binomial_range(4_000, chance, ALARM);
                assert!(
                    range.contains(&early),
                    "L = {l}: {early} of 4,000 values were refreshed early; 1 − e^(−L) = {chance:.4} allows {range:?}"
                );
            }
        });
    }

    /// The lead in units of β·Δ follows, but for a shift by ln L, Gumbel's law. False-alarm rate below 1e-9 a seed.
    #[test]
    fn the_first_volunteer_comes_ln_l_plus_gamma_early() {
        for_seeds(3, |seed| {
            let mut rng = seed.rng();
            let l: f64 = 10.0;
            let leads: Vec<f64> = (0..2_000).map(|_| first_lead(&mut rng, l).unwrap_or(0.0)).collect();
            let mean = leads.iter().sum::<f64>() / leads.len() as f64;
            let expected = l.ln() + xfetch::EULER_GAMMA; // 2.880
            let allowed = allowed_lead(leads.len());
            assert!(
                (mean - expected).abs() <= allowed,
                "L = 10: the first volunteer comes {mean:.3} Δ early on average; ln 10 + γ = {expected:.3} allows ± {allowed:.3}"
            );
        });
    }
}

mod stage_2_the_cache {
    use super::*;

    const TTL: Millis = Millis(60 * SECOND);

    /// Draws that begin no time, exactly Δ (and a bit) and 10 Δ early.
    fn never() -> Draw {
        draw(1.0)
    }
    fn one_delta() -> Draw {
        draw((-1.001_f64).exp())
    }
    fn ten_deltas() -> Draw {
        draw((-10.0_f64).exp())
    }

    /// "front page" took 3 s, from t = 0 to t = 3 s, and expires at t = 63 s.
    fn filled() -> Cache<&'static str> {
        let mut cache = Cache::new(TTL, Beta::ONE);
        assert!(cache.store("front page", "Monday", Time(0), Time(3 * SECOND)), "an empty cache takes any value");
        cache
    }

    #[test]
    fn a_key_that_nobody_stored_is_a_miss() {
        let cache: Cache<()> = Cache::new(TTL, Beta::ONE);
        assert_eq!(cache.get("front page", Time(0), never()), Lookup::Miss);
    }

    #[test]
    fn a_stored_value_is_used_until_it_expires_and_not_a_moment_longer() {
        let cache = filled();
        let entry = cache.entry("front page").expect("it was stored");
        assert_eq!(entry.expiry, Time(63 * SECOND), "stored at t=3000 for 60,000 ms");
        assert_eq!(cache.get("front page", Time(3 * SECOND), never()), Lookup::Hit(&"Monday"));
        assert_eq!(cache.get("front page", Time(62_999), never()), Lookup::Hit(&"Monday"), "1 ms before expiry");
        for u in [never(), one_delta(), ten_deltas()] {
            assert_eq!(
                cache.get("front page", Time(63 * SECOND), u),
                Lookup::Miss,
                "at its expiry, to a reader who drew {}",
                u.get()
            );
        }
    }

    /// Nobody read during the night.
    #[test]
    fn what_expired_in_the_night_is_not_served_in_the_morning() {
        let (cache, morning) = (filled(), Time(8 * 3_600 * SECOND));
        for u in [never(), one_delta(), ten_deltas()] {
            let found = cache.get("front page", morning, u);
            assert_eq!(found, Lookup::Miss, "stored at t=3 s for a minute, read at {morning}");
        }
    }

    #[test]
    fn the_time_to_compute_a_value_is_kept_with_it() {
        let cache = filled();
        let entry = cache.entry("front page").expect("it was stored");
        assert_eq!((entry.recompute, entry.began), (Millis(3 * SECOND), Time(0)), "begun at t=0, stored at t=3000");
        let mut cache = filled();
        for (key, took) in [("logo", Millis(50)), ("yearbook", Millis(90 * SECOND))] {
            assert!(cache.store(key, "new", Time(SECOND), Time(SECOND) + took), "{key}: nothing was stored before");
            let kept = cache.entry(key).map(|entry| entry.recompute);
            assert_eq!(
                kept,
                Some(took),
                "{key}: as long as it took, be it next to nothing or longer than the time to live"
            );
        }
    }

    /// A volunteer does not wait: it has a value that is good for some seconds more.
    #[test]
    fn a_volunteer_is_told_so_and_given_the_value() {
        let cache = filled();
        assert_eq!(
            cache.get("front page", Time(60 * SECOND), one_delta()),
            Lookup::Early(&"Monday"),
            "Δ before expiry"
        );
        assert_eq!(cache.get("front page", Time(59_990), one_delta()), Lookup::Hit(&"Monday"), "a bit too early");
        assert_eq!(cache.get("front page", Time(33 * SECOND + 10), ten_deltas()), Lookup::Early(&"Monday"), "10 Δ");
        assert_eq!(
            cache.get("front page", Time(3 * SECOND + 1), draw((-25.0_f64).exp())),
            Lookup::Early(&"Monday"),
            "a lead of 25 Δ is longer than the time to live: due from the beginning, if only for one reader in 72 thousand million"
        );
    }

    /// One reader's luck says nothing to the next: the value is not marked, and everybody draws anew.
    #[test]
    fn every_read_draws_anew() {
        let cache = filled();
        let at = Time(60 * SECOND);
        assert_eq!(cache.get("front page", at, one_delta()), Lookup::Early(&"Monday"), "the first reader volunteers");
        assert_eq!(cache.get("front page", at, never()), Lookup::Hit(&"Monday"), "the second draws 1");
        assert_eq!(cache.get("front page", at, one_delta()), Lookup::Early(&"Monday"), "the third volunteers too");
        let other = filled();
        assert_eq!(other.get("front page", at, never()), Lookup::Hit(&"Monday"), "the first reader draws 1");
        assert_eq!(other.get("front page", at, one_delta()), Lookup::Early(&"Monday"), "the second volunteers");
    }

    /// The origin has become slow: one computation later the readers know, and begin earlier.
    #[test]
    fn the_lead_follows_the_last_computation() {
        let mut cache = filled();
        assert!(cache.store("front page", "Tuesday", Time(60 * SECOND), Time(80 * SECOND)));
        let entry = cache.entry("front page").expect("it was stored");
        assert_eq!(
            (entry.recompute, entry.expiry),
            (Millis(20 * SECOND), Time(140 * SECOND)),
            "20 s, stored at t=80 s"
        );
        assert_eq!(
            cache.get("front page", Time(121 * SECOND), one_delta()),
            Lookup::Early(&"Tuesday"),
            "it now takes 20 s, so who draws 1/e begins 20 s before expiry, not 3 s"
        );
        assert!(cache.store("front page", "Wednesday", Time(121 * SECOND), Time(122 * SECOND)));
        assert_eq!(
            cache.get("front page", Time(179 * SECOND), one_delta()),
            Lookup::Hit(&"Wednesday"),
            "it takes 1 s again, so 3 s before expiry is too early"
        );
    }

    #[test]
    fn each_key_has_its_own_time() {
        let mut cache = filled();
        assert!(cache.store("icon", "round", Time(3 * SECOND), Time(3 * SECOND + 50)), "the first icon");
        assert!(
            cache.store("logo", "square", Time(0), Time(3 * SECOND + 50)),
            "the first logo; that the icon was begun later is no concern of it"
        );
        assert_eq!(cache.get("logo", Time(4 * SECOND), never()), Lookup::Hit(&"square"));
        assert_eq!(
            cache.get("front page", Time(61 * SECOND), one_delta()),
            Lookup::Early(&"Monday"),
            "the front page takes 3 s, whatever the icon took"
        );
        assert_eq!(
            cache.get("icon", Time(61 * SECOND), one_delta()),
            Lookup::Hit(&"round"),
            "the icon takes 50 ms: 2 s before its expiry it is not time yet"
        );
    }

    /// Two volunteers. The one who began first is slow, and comes back with Monday's news on Tuesday.
    #[test]
    fn a_slow_volunteer_does_not_bring_back_older_news() {
        let mut cache = filled();
        assert!(cache.store("front page", "Tuesday", Time(55 * SECOND), Time(57 * SECOND)), "begun at t=55 s");
        let kept = cache.entry("front page").cloned();
        assert!(
            !cache.store("front page", "Monday again", Time(50 * SECOND), Time(58 * SECOND)),
            "begun at t=50 s, before the value that the cache has"
        );
        assert_eq!(cache.entry("front page").cloned(), kept, "what was refused changes nothing");
        assert!(
            !cache.store("front page", "Monday again", Time(50 * SECOND), Time(200 * SECOND)),
            "Tuesday's page has expired at t=117 s, and still knows more than what was begun at t=50 s"
        );
        assert_eq!(cache.entry("front page").cloned(), kept, "what was refused changes nothing");
    }

    /// The second volunteer began a moment after the first, long before the first was done.
    #[test]
    fn what_was_begun_later_is_taken_though_the_other_was_not_done_then() {
        let mut cache = filled();
        assert!(cache.store("front page", "Tuesday", Time(55 * SECOND), Time(57 * SECOND)), "begun at t=55 s");
        for (began, value) in [(55_001, "a moment later"), (55_001, "at the same moment")] {
            assert!(
                cache.store("front page", value, Time(began), Time(59 * SECOND)),
                "begun at t={began}; the cache has one begun no later, and refused this one ({value})"
            );
            let kept = cache.entry("front page").map(|entry| (entry.value, entry.expiry));
            assert_eq!(kept, Some((value, Time(119 * SECOND))), "the value and its expiry, a minute after t=59 s");
        }
    }
}

mod stage_3_the_herd {
    use super::*;
    use std::f64::consts::E;

    const PAPER: Load = Load {
        rate: PerSecond(10.0),
        arrivals: Arrivals::Poisson,
        recompute: Millis(3 * SECOND),
        ttl: Millis(120 * SECOND),
    };
    const HOUR: Millis = Millis(3_600 * SECOND);

    fn hours(seed: Seed, load: Load, b: f64, hours: u64) -> Run {
        let run = run(seed, load, beta(b), Millis(hours * HOUR.0));
        assert_eq!(run.expired, 0, "of {} reads were given a value that had expired", run.reads);
        run
    }

    fn mean(herds: &[Herd]) -> f64 {
        herds.iter().map(|herd| herd.size as f64).sum::<f64>() / herds.len() as f64
    }

    /// The paper's example: 10 readers a second, 3 seconds to compute.
    #[test]
    fn a_plain_time_to_live_sends_thirty_readers_to_the_origin_at_once() {
        let run = hours(Seed(0), Load { arrivals: Arrivals::Even, ..PAPER }, 0.0, 1);
        assert!(run.herds.len() > 20, "an hour with values that live two minutes has {} refreshes", run.herds.len());
        for herd in &run.herds {
            assert_eq!((herd.size, herd.lead), (30, None), "10 readers a second, each of whom waits 3 s for a value");
        }
        assert_eq!(run.most_at_once, 30);
    }

    /// Three times the paper's readers. False-alarm rate below 1e-9 a seed: of its hundred values one has no volunteer in time with
    /// a chance of e^(−90/e), 4e-15; and so many geometric numbers have a mean of 5 instead of e with one below 1e-16.
    #[test]
    fn with_coins_no_reader_waits_and_a_few_recompute() {
        let seen = Sometimes::expect(["two readers volunteered for one value", "one alone did"]);
        for_seeds(5, |seed| {
            let run = hours(seed, Load { rate: PerSecond(30.0), ..PAPER }, 1.0, 3);
            assert_eq!(run.waited, 0, "of {} reads waited: nobody had begun Δ before expiry", run.reads);
            let average = mean(&run.herds);
            assert!(average < 5.0, "{} refreshes took {average:.1} computations each, not about e", run.herds.len());
            seen.saw("two readers volunteered for one value", run.herds.iter().any(|herd| herd.size > 1));
            seen.saw("one alone did", run.herds.iter().any(|herd| herd.size == 1));
        });
    }

    /// Memoryless: whatever the herd has grown to, the next reader joins it with the same chance. False-alarm rate 1e-9 a comparison
    /// (exact binomial).
    #[test]
    fn the_size_of_a_herd_is_geometric() {
        for_seeds(3, |seed| {
            let run = hours(seed, PAPER, 1.0, 24);
            let with = |least: u64| run.herds.iter().filter(|herd| herd.size >= least).count() as u64;
            for size in 1..=6 {
                let (all, more) = (with(size), with(size + 1));
                let range = stats::binomial_range(all, 1.0 - (-1.0_f64).exp(), ALARM);
                assert!(
                    range.contains(&more),
                    "β = 1: of {all} herds that had {size} readers {more} had more; the share is 1 − 1/e at every size, which allows {range:?}"
                );
            }
        });
    }

    /// Four ways to read a cache. With them βΔ is so much shorter than the time to live, and L so much greater than e^(1/β), that
    /// the limits are as good as exact.
    fn crowds() -> impl Iterator<Item = (f64, Load)> {
        [(0.5, 120.0, 20), (1.0, 20.0, 45), (2.0, 10.0, 90), (4.0, 10.0, 190)]
            .into_iter()
            .map(|(b, rate, ttl)| (b, Load { rate: PerSecond(rate), ttl: Millis(ttl * SECOND), ..PAPER }))
    }

    /// Of all who recompute, each is the last of its herd with a chance of e^(−1/β): exact binomial, false-alarm rate 1e-9 a
    /// comparison.
    #[test]
    fn the_mean_herd_is_e_to_the_one_over_beta() {
        for (b, herd) in [(0.5, E * E), (1.0, E), (2.0, E.sqrt())] {
            let forecast = mean_herd(beta(b));
            assert!((forecast - herd).abs() < 1e-9, "β = {b}: {forecast} readers at once; e^(1/β) is {herd}");
        }
        assert_eq!(
            mean_herd(beta(0.0)),
            f64::INFINITY,
            "β = 0: the more readers come, the more recompute, without a limit"
        );
        for_seeds(2, |seed| {
            for (b, load) in crowds() {
                let run = run(seed, load, beta(b), Millis(500 * load.ttl.0));
                let (herds, readers) = (run.herds.len() as u64, run.herds.iter().map(|herd| herd.size).sum::<u64>());
                let last = (-1.0 / b).exp();
                let (least, most) =
                    (stats::binomial_range(readers - 1, last, ALARM), stats::binomial_range(readers, last, ALARM));
                assert!(
                    herds > *least.start() && herds <= *most.end(),
                    "β = {b}: {herds} refreshes took {:.2} computations each; e^(1/β) is {:.2}",
                    readers as f64 / herds as f64,
                    (1.0 / b).exp()
                );
            }
        });
    }

    /// False-alarm rate below 1e-9 a comparison: see `allowed_lead`.
    #[test]
    fn the_mean_lead_is_what_the_forecast_says() {
        for_seeds(2, |seed| {
            for (b, load) in crowds() {
                let run = run(seed, load, beta(b), Millis(500 * load.ttl.0));
                let leads: Vec<f64> = run.herds.iter().filter_map(|herd| herd.lead).map(|lead| lead.0 as f64).collect();
                let measured = leads.iter().sum::<f64>() / leads.len() as f64;
                let forecast = mean_lead_ms(load.rate, load.recompute, beta(b));
                let allowed = allowed_lead(leads.len()) * b * load.recompute.0 as f64;
                assert!(
                    (measured - forecast).abs() <= allowed,
                    "β = {b}, Δ = {}, {} readers a second: {} first volunteers began {measured:.0} ms early on average; the forecast is {forecast:.0} ± {allowed:.0}",
                    load.recompute,
                    load.rate.0,
                    leads.len()
                );
            }
        });
    }

    #[test]
    fn pressure_chance_and_lead_follow_their_formulas() {
        let (ten, second) = (PerSecond(10.0), Millis(SECOND));
        assert_eq!(pressure(ten, second, Beta::ONE), 10.0, "10 readers a second, 1 s, β = 1");
        assert_eq!(pressure(PerSecond(0.5), Millis(4 * SECOND), beta(3.0)), 6.0, "0.5 a second, 4 s, β = 3");
        let short = pressure(PerSecond(20.0), Millis(50), beta(2.0));
        assert!((short - 2.0).abs() < 1e-12, "20 a second, 50 ms, β = 2: {short} instead of 2");
        for (delta, b, lead) in [(second, 1.0, 2_879.8), (second, 2.0, 7_145.9), (Millis(3 * SECOND), 1.0, 11_935.2)] {
            let forecast = mean_lead_ms(ten, delta, beta(b));
            assert!((forecast - lead).abs() < 0.1, "λ = 10, Δ = {delta}, β = {b}: {forecast:.1} ms instead of {lead}");
        }
        for (rate, delta, b, chance) in
            [(0.5, second, 1.0, 0.393_469), (10.0, second, 1.0, 0.999_955), (0.5, Millis(4 * SECOND), 0.5, 0.632_121)]
        {
            let forecast = early_chance(PerSecond(rate), delta, beta(b));
            assert!(
                (forecast - chance).abs() < 1e-6,
                "λ = {rate}, Δ = {delta}, β = {b}: refreshed early with {forecast:.6} instead of {chance}"
            );
        }
        let rare = early_chance(PerSecond(1e-18), second, Beta::ONE);
        assert!(
            (rare / 1e-18 - 1.0).abs() < 1e-9,
            "L = 1e-18: {rare:e} instead of 1e-18; e^(−L) cannot be told from 1 any more, its distance from 1 can (`exp_m1`)"
        );
    }

    /// β is not free: who begins earlier begins more often, and from some β on the origin works more, not less. What is compared
    /// lies more than ten standard deviations apart: false-alarm rate below 1e-9 a seed.
    #[test]
    fn a_greater_beta_makes_smaller_herds_and_more_of_them() {
        for_seeds(3, |seed| {
            let load = Load { ttl: Millis(60 * SECOND), ..PAPER };
            let [plain, one, four] = [0.0, 1.0, 4.0].map(|b| hours(seed, load, b, 5));
            assert!(
                mean(&four.herds) < mean(&one.herds) && mean(&one.herds) < mean(&plain.herds),
                "the mean herds with β = 0, 1, 4 are {:.1}, {:.1}, {:.1}, and should shrink",
                mean(&plain.herds),
                mean(&one.herds),
                mean(&four.herds)
            );
            assert!(one.recomputations * 5 < plain.recomputations, "β = 1 spares the origin four fifths of its work");
            assert!(
                four.recomputations > one.recomputations,
                "β = 4 takes {} computations in 5 hours, β = 1 takes {}",
                four.recomputations,
                one.recomputations
            );
        });
    }

    /// False-alarm rate 1e-9 a comparison.
    #[test]
    fn beta_is_chosen_by_the_herd_that_the_origin_can_bear() {
        assert_eq!(beta_for(0, 0.01), None, "at least one reader must recompute");
        for share in [0.0, 1.0, -0.1, f64::NAN] {
            assert_eq!(beta_for(5, share), None, "a share of {share} of the refreshes");
        }
        for (most, share) in [(1, 0.5), (2, 0.05), (5, 0.05), (10, 0.01), (30, 0.001), (1, 1e-12)] {
            let b = beta_for(most, share).expect("a positive number and a share between 0 and 1").get();
            let with_beta = (-(-1.0 / b).exp_m1()).powi(most as i32);
            assert!(
                (with_beta / share - 1.0).abs() < 1e-9,
                "β = {b:.6}: more than {most} come with a chance of (1 − e^(−1/β))^{most} = {with_beta:e}, and {share:e} is what the origin bears"
            );
        }
        assert!(beta_for(1, 1e-18).is_some(), "a share of 1e-18 is small, and not nothing");
        for_seeds(2, |seed| {
            for (most, share) in [(5, 0.05), (2, 0.05), (1, 0.5)] {
                let b = beta_for(most, share).expect("a positive number and a share between 0 and 1");
                let load = Load { ttl: Millis(240 * SECOND), ..PAPER };
                let run = run(seed, load, b, Millis(12 * HOUR.0));
                let larger = run.herds.iter().filter(|herd| herd.size > u64::from(most)).count() as u64;
                let range = stats::binomial_range(run.herds.len() as u64, share, ALARM);
                assert!(
                    range.contains(&larger),
                    "β = {:.3}: {larger} of {} herds had more than {most} readers; a share of {share} allows {range:?}",
                    b.get(),
                    run.herds.len()
                );
            }
        });
    }
}
