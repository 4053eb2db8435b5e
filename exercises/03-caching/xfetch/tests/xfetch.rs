//! Stage 1: when one reader volunteers. Stage 2: the cache that asks it to. Stage 3: how many volunteer, and what that costs.
//!
//! Most laws here hold up to chance. Each such test states its *false-alarm rate*: how often it would fail a correct
//! implementation if its seeds were drawn anew. They are not, so a verdict does not change from one save to the next.

use kit::rand::RngExt as _;
use kit::{Millis, Rng, Seed, Sometimes, Time, for_seeds, stats};
use xfetch::load::{Arrivals, Herd, Load, Run, arrivals, run};
use xfetch::{Beta, Cache, Draw, Lookup, PerSecond, beta_for, early_chance, is_due, mean_herd, mean_lead_ms, pressure};

/// How often a correct implementation may fail one comparison.
const ALARM: f64 = 1e-9;
/// As many standard deviations as a mean exceeds with about that chance.
const SIGMAS: f64 = 6.1;

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
            for (asked, expected) in [(lead + 2, false), (lead - 2, true)] {
                assert_eq!(
                    due(asked, 1.0, u),
                    expected,
                    "{asked} ms before expiry, Δ = 3000 ms, β = 1, U = {u:.4}: −Δ·β·ln U is {lead} ms"
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

    /// A head start has no limit, it only gets rare: one reader in a billion begins 20 Δ early.
    #[test]
    fn a_rare_reader_begins_many_recompute_times_early() {
        assert!(due(4 * DELTA.0, 1.0, 1e-9), "U = 1e-9, 4 Δ before expiry: −ln U is 20.7");
        assert!(due(4 * DELTA.0, 4.0, 0.05), "U = 0.05 and β = 4, 4 Δ before expiry: −β·ln U is 12.0");
    }

    #[test]
    fn from_expiry_on_everybody_recomputes() {
        for u in [1.0, 0.999, 0.5, 0.01, 1e-300] {
            assert!(due(0, 1.0, u), "U = {u}, at expiry");
            assert!(
                is_due(EXPIRY + Millis(1), EXPIRY, DELTA, Beta::ONE, draw(u)),
                "U = {u}, one millisecond after expiry"
            );
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

    #[test]
    fn no_bits_draw_zero_and_some_draw_one() {
        for bits in [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, 0x7ff, 0x800] {
            let u = Draw::from_bits(bits).get();
            assert!(u > 0.0 && u <= 1.0, "the bits {bits:#x} draw {u}");
        }
        assert_eq!(Draw::from_bits(u64::MAX).get(), 1.0, "all bits set");
        assert!(
            !is_due(Time(0), Time(120_000), DELTA, Beta::ONE, Draw::from_bits(0)),
            "the least draw of 2⁵³ begins 53·ln 2 = 36.7 Δ early, and this is 40 Δ"
        );
    }

    /// χ² over 64 cells; false-alarm rate 1e-9 a seed.
    #[test]
    fn draws_are_uniform() {
        for_seeds(5, |seed| {
            let mut rng = seed.rng();
            let mut cells = [0_u64; 64];
            for _ in 0..64_000 {
                let u = drawn(&mut rng).get();
                cells[((u * 64.0).ceil() as usize).clamp(1, 64) - 1] += 1;
            }
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
            for (l, chance) in [(0.5, 0.3935), (1.0, 0.6321), (2.0, 0.8647)] {
                let early = (0..4_000).filter(|_| first_lead(&mut rng, l).is_some()).count() as u64;
                let range = stats::binomial_range(4_000, chance, ALARM);
                assert!(
                    range.contains(&early),
                    "L = {l}: {early} of 4,000 values were refreshed early; 1 − e^(−L) = {chance} allows {range:?}"
                );
            }
        });
    }

    /// The lead in units of β·Δ follows, but for a shift by ln L, Gumbel's law: mean γ, variance π²/6. False-alarm rate 1e-9.
    #[test]
    fn the_first_volunteer_comes_ln_l_plus_gamma_early() {
        for_seeds(3, |seed| {
            let mut rng = seed.rng();
            let l: f64 = 10.0;
            let leads: Vec<f64> = (0..2_000).map(|_| first_lead(&mut rng, l).unwrap_or(0.0)).collect();
            let mean = leads.iter().sum::<f64>() / leads.len() as f64;
            let expected = l.ln() + xfetch::EULER_GAMMA; // 2.880
            let allowed = SIGMAS * (std::f64::consts::PI.powi(2) / 6.0 / leads.len() as f64).sqrt();
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

    #[test]
    fn the_time_to_compute_a_value_is_kept_with_it() {
        let cache = filled();
        let entry = cache.entry("front page").expect("it was stored");
        assert_eq!((entry.recompute, entry.began), (Millis(3 * SECOND), Time(0)), "begun at t=0, stored at t=3000");
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
        assert_eq!(cache.get("front page", Time(33 * SECOND + 10), ten_deltas()), Lookup::Early(&"Monday"));
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
        cache.store("logo", "square", Time(0), Time(3 * SECOND + 50));
        cache.store("icon", "round", Time(3 * SECOND), Time(3 * SECOND + 50));
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
        assert!(cache.store("front page", "Wednesday", Time(55 * SECOND + 1), Time(59 * SECOND)), "begun later");
    }
}

mod stage_3_the_herd {
    use super::*;

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

    #[test]
    fn with_coins_no_reader_waits_and_a_few_recompute() {
        let seen = Sometimes::expect(["two readers volunteered for one value", "one alone did"]);
        for_seeds(5, |seed| {
            let run = hours(seed, PAPER, 1.0, 4);
            assert_eq!(run.waited, 0, "of {} reads waited: the chance that nobody came early is e^(−30)", run.reads);
            let average = mean(&run.herds);
            assert!(average < 5.0, "{} refreshes took {average:.1} computations each, not about e", run.herds.len());
            seen.saw("two readers volunteered for one value", run.herds.iter().any(|herd| herd.size > 1));
            seen.saw("one alone did", run.herds.iter().any(|herd| herd.size == 1));
        });
    }

    /// Chi-square over the sizes 1, 2, … 7 and more; false-alarm rate 1e-9 a seed.
    #[test]
    fn the_size_of_a_herd_is_geometric() {
        for_seeds(3, |seed| {
            let run = hours(seed, PAPER, 1.0, 24);
            let mut cells = [0_u64; 8];
            run.herds.iter().for_each(|herd| cells[herd.size.min(8) as usize - 1] += 1);
            let (herds, alone) = (run.herds.len() as f64, (-1.0_f64).exp());
            let expected: Vec<f64> = (0..8)
                .map(|others| herds * (1.0 - alone).powi(others) * if others < 7 { alone } else { 1.0 })
                .collect();
            let (distance, limit) = (stats::chi_square(&cells, &expected), stats::chi_square_limit(7, ALARM));
            assert!(
                distance <= limit,
                "β = 1: of {herds} herds {cells:?} had 1, 2, … and 8 or more readers; expected are {expected:.0?}: χ² = {distance:.0}, chance allows {limit:.0}"
            );
        });
    }

    /// A geometric law with mean m has the variance m(m − 1). False-alarm rate 1e-9 a comparison.
    #[test]
    fn the_mean_herd_is_e_to_the_one_over_beta() {
        for_seeds(2, |seed| {
            for (b, rate) in [(0.5, 200.0), (1.0, 20.0), (2.0, 10.0), (4.0, 10.0)] {
                let load = Load { rate: PerSecond(rate), ttl: Millis(240 * SECOND), ..PAPER };
                let run = hours(seed, load, b, (80.0 / rate).ceil() as u64);
                let (average, forecast) = (mean(&run.herds), mean_herd(beta(b)));
                let allowed = SIGMAS * (forecast * (forecast - 1.0) / run.herds.len() as f64).sqrt();
                assert!(
                    (average - forecast).abs() <= allowed,
                    "β = {b}: {} refreshes took {average:.2} computations each; the forecast is {forecast:.2} ± {allowed:.2}",
                    run.herds.len()
                );
            }
        });
    }

    #[test]
    fn the_forecast_of_the_lead_has_the_published_values() {
        let (ten, second) = (PerSecond(10.0), Millis(SECOND));
        assert_eq!(pressure(ten, second, Beta::ONE), 10.0, "10 readers a second, 1 s, β = 1");
        assert_eq!(pressure(PerSecond(0.5), Millis(4 * SECOND), beta(3.0)), 6.0, "0.5 a second, 4 s, β = 3");
        for (b, lead) in [(1.0, 2_880.0), (2.0, 7_146.0)] {
            let forecast = mean_lead_ms(ten, second, beta(b));
            assert!((forecast - lead).abs() < 1.0, "λ = 10, Δ = 1 s, β = {b}: {forecast:.0} ms instead of {lead}");
        }
        for (rate, chance) in [(0.5, 0.393_469), (1.0, 0.632_121), (10.0, 0.999_955)] {
            let forecast = early_chance(PerSecond(rate), second, Beta::ONE);
            assert!((forecast - chance).abs() < 1e-6, "L = {rate}: {forecast:.6} instead of {chance}");
        }
        let rare = early_chance(PerSecond(1e-12), second, Beta::ONE);
        assert!((rare - 1e-12).abs() < 1e-15, "one reader in thirty thousand years: {rare:e} instead of 1e-12");
    }

    /// β is not free: who begins earlier begins more often, and from some β on the origin works more, not less.
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
