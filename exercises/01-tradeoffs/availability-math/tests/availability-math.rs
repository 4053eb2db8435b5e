//! What a design's parts say about the whole, checked against the definition: all combinations of parts that are up and down.

use availability_math::{
    Availability, Beta, Design, Parts, UnknownPart, YEAR, at_least, availability, copies, most_worth_mending, parallel,
    series, with_failover,
};
use kit::{Rng, Sometimes, for_seeds};
use rand::RngExt as _;
use std::time::Duration;

/// Up so many percent of the time.
fn percent(up: f64) -> Availability {
    down((100.0 - up) / 100.0)
}

fn down(share: f64) -> Availability {
    Availability::down(share).expect("the tests' shares are from 0 to 1")
}

fn beta(share: f64) -> Beta {
    Beta::new(share).expect("the tests' shares are from 0 to 1")
}

fn hours(span: Duration) -> f64 {
    span.as_secs_f64() / 3600.0
}

/// Equal, up to what adding and multiplying in another order does to the last digits.
#[track_caller]
fn same(what: &str, got: Availability, expected: f64) {
    let got = got.unavailability();
    assert!((got - expected).abs() <= 1e-12 + expected * 1e-9, "{what}: down {got} of the time, expected {expected}");
}

/// The definition: over all combinations of parts that are up and down, the chance of those in which the whole is down.
fn by_all_states(parts: &[Availability], is_up: impl Fn(&[bool]) -> bool) -> f64 {
    let states = 0..1_u32 << parts.len();
    let up_in = |state: u32| (0..parts.len()).map(move |part| state >> part & 1 == 1).collect::<Vec<bool>>();
    let chance = |up: &[bool]| -> f64 {
        let each = parts.iter().zip(up);
        each.map(|(part, up)| if *up { 1.0 - part.unavailability() } else { part.unavailability() }).product()
    };
    states.map(up_in).filter(|up| !is_up(up)).map(|up| chance(&up)).sum()
}

/// Up to `most` parts, some of them perfect or broken for good.
fn some_parts(rng: &mut Rng, most: usize) -> Vec<Availability> {
    (0..rng.random_range(0..=most))
        .map(|_| match rng.random_range(0..10) {
            0 => Availability::ALWAYS,
            1 => Availability::NEVER,
            _ => down(rng.random_range(0.0..1.0)),
        })
        .collect()
}

mod stage_1_chains {
    use super::*;

    /// One service, three nines.
    #[test]
    fn three_nines_are_down_nearly_nine_hours_a_year_and_43_minutes_a_month() {
        let service = percent(99.9);
        assert!((hours(service.downtime(YEAR)) - 8.76).abs() < 1e-6, "a year: {:?}", service.downtime(YEAR));
        let month = service.downtime(Duration::from_secs(30 * 86_400)).as_secs_f64() / 60.0;
        assert!((month - 43.2).abs() < 1e-6, "30 days: {month} min, expected 43.2");
    }

    /// A request needs the gateway, the service and the database.
    #[test]
    fn three_of_three_nines_in_a_row_are_down_26_hours_a_year() {
        let chain = series(&[percent(99.9); 3]);
        let year = hours(chain.downtime(YEAR));
        assert!((year - 26.25).abs() < 0.01, "{year} h, expected 26.25 h: 17.49 h more than one of them");
    }

    #[test]
    fn a_chain_is_up_when_all_of_it_is() {
        for_seeds(200, |seed| {
            let parts = some_parts(&mut seed.rng(), 6);
            let expected = by_all_states(&parts, |up| up.iter().all(|&up| up));
            same(&format!("seed {seed}: {parts:?} in a row"), series(&parts), expected);
        });
    }
}

mod stage_2_spares {
    use super::*;

    #[test]
    fn two_of_three_nines_that_fail_apart_are_down_31_seconds_a_year() {
        let pair = parallel(&[percent(99.9); 2]).downtime(YEAR).as_secs_f64();
        assert!((pair - 31.536).abs() < 1e-3, "{pair} s, expected 31.536 s");
    }

    /// Three machines keep a majority: two must be up.
    #[test]
    fn a_majority_of_three_is_down_95_seconds_a_year() {
        let majority = at_least(2, &[percent(99.9); 3]).downtime(YEAR).as_secs_f64();
        assert!((majority - 94.545).abs() < 1e-2, "{majority} s, expected 94.545 s");
    }

    #[test]
    fn spares_are_up_when_one_of_them_is() {
        for_seeds(200, |seed| {
            let parts = some_parts(&mut seed.rng(), 6);
            let expected = by_all_states(&parts, |up| up.iter().any(|&up| up));
            same(&format!("seed {seed}: one of {parts:?}"), parallel(&parts), expected);
        });
    }

    #[test]
    fn so_many_of_them_are_enough_whichever_they_are() {
        let sometimes =
            Sometimes::expect(["none was needed", "more were needed than there are", "some could be spared"]);
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let parts = some_parts(&mut rng, 8);
            let needed = rng.random_range(0..=parts.len() + 2);
            sometimes.saw("none was needed", needed == 0);
            sometimes.saw("more were needed than there are", needed > parts.len());
            sometimes.saw("some could be spared", needed > 0 && needed < parts.len());
            let expected = by_all_states(&parts, |up| up.iter().filter(|&&up| up).count() >= needed);
            same(&format!("seed {seed}: {needed} of {parts:?}"), at_least(needed, &parts), expected);
        });
    }

    /// 2²⁰⁰ combinations cannot be looked at one by one. By symmetry the answer is ½ − ½ · C(200, 100) / 2²⁰⁰.
    #[test]
    fn a_hundred_of_two_hundred_takes_no_longer_than_a_sum() {
        same("100 of 200 coins", at_least(100, &[down(0.5); 200]), 0.471_825_760_495_371);
    }
}

mod stage_3_what_they_share {
    use super::*;

    /// The same two machines, but a tenth of their failures is a release, a certificate or a flood that both get.
    #[test]
    fn with_a_tenth_of_failures_in_common_31_seconds_become_53_minutes() {
        let pair = copies(percent(99.9), 2, beta(0.1)).downtime(YEAR).as_secs_f64() / 60.0;
        assert!((pair - 52.986).abs() < 0.01, "{pair} min, expected 52.99 min");
    }

    #[test]
    fn copies_that_share_nothing_are_spares_and_copies_that_share_everything_are_one() {
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let (part, count) = (down(rng.random_range(0.0..0.1)), rng.random_range(1..6));
            let spares = vec![part; count as usize];
            same(
                &format!("seed {seed}: {count} of {part:?}, β = 0"),
                copies(part, count, beta(0.0)),
                parallel(&spares).unavailability(),
            );
            same(
                &format!("seed {seed}: {count} of {part:?}, β = 1"),
                copies(part, count, beta(1.0)),
                part.unavailability(),
            );
        });
    }

    /// One copy has nobody to share with: all its failures are its own, whatever β says.
    #[test]
    fn a_single_copy_is_the_part_whatever_it_would_share() {
        for share in [0.0, 0.1, 0.5, 0.9, 1.0] {
            same(&format!("one copy, β = {share}"), copies(percent(99.0), 1, beta(share)), 0.01);
        }
    }

    /// Ten copies, a hundred: what they share stays.
    #[test]
    fn no_number_of_copies_buys_off_what_they_share() {
        for count in [3, 10, 100] {
            let floor = 1e-4;
            let got = copies(down(0.001), count, beta(0.1)).unavailability();
            assert!((got / floor - 1.0).abs() < 1e-4, "{count} copies: down {got}, of which {floor} is shared");
        }
    }

    /// A machine that fails every thousand hours is replaced 8.76 times a year. Half a minute each time is far more than the
    /// half minute a year in which both are down.
    #[test]
    fn a_spare_that_needs_30_seconds_to_take_over_costs_262_of_the_294_seconds() {
        let pair = parallel(&[percent(99.9); 2]);
        let year = with_failover(pair, 8.76, Duration::from_secs(30)).downtime(YEAR).as_secs_f64();
        assert!((year - 294.336).abs() < 1e-3, "{year} s, expected 31.536 s + 8.76 · 30 s = 294.336 s");
    }

    #[test]
    fn nothing_is_down_longer_than_always() {
        let switching = with_failover(percent(50.0), 8760.0, Duration::from_secs(3600));
        assert!(switching.unavailability() == 1.0, "switching without end: {switching:?}");
    }
}

mod stage_4_one_part_in_two_places {
    use super::*;

    fn parts(of: &[(&str, f64)]) -> Parts {
        of.iter().map(|&(name, up)| (name.to_owned(), percent(up))).collect()
    }

    /// Two sites, each with its own servers, and one database behind both.
    fn two_sites() -> Design {
        let site = |web: &str| Design::All(vec![Design::part(web), Design::part("database")]);
        Design::AtLeast(1, vec![site("web in Oslo"), site("web in Rome")])
    }

    /// Whether `design` is up when exactly these parts are.
    fn is_up(design: &Design, up: &dyn Fn(&str) -> bool) -> bool {
        match design {
            Design::Part(name) => up(name),
            Design::All(designs) => designs.iter().all(|design| is_up(design, up)),
            Design::AtLeast(needed, designs) => designs.iter().filter(|design| is_up(design, up)).count() >= *needed,
        }
    }

    fn by_definition(design: &Design, parts: &Parts) -> f64 {
        let names: Vec<&String> = parts.keys().collect();
        let each: Vec<Availability> = parts.values().copied().collect();
        by_all_states(&each, |up| {
            is_up(design, &|name| names.iter().position(|known| *known == name).is_some_and(|place| up[place]))
        })
    }

    /// Up to three levels deep, of six parts, so that some stand in several places.
    fn some_design(rng: &mut Rng, depth: u32) -> Design {
        const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
        if depth == 0 || rng.random_bool(0.3) {
            return Design::part(NAMES[rng.random_range(0..NAMES.len())]);
        }
        let inside: Vec<Design> = (0..rng.random_range(1..4)).map(|_| some_design(rng, depth - 1)).collect();
        if rng.random_bool(0.5) {
            Design::All(inside)
        } else {
            Design::AtLeast(rng.random_range(0..=inside.len()), inside)
        }
    }

    fn six_parts(rng: &mut Rng) -> Parts {
        ["a", "b", "c", "d", "e", "f"]
            .into_iter()
            .map(|name| (name.to_owned(), down(rng.random_range(0.0..1.0))))
            .collect()
    }

    #[test]
    fn two_sites_with_one_database_are_as_bad_as_the_database() {
        let parts = parts(&[("web in Oslo", 99.9), ("web in Rome", 99.9), ("database", 99.9)]);
        let year = hours(availability(&two_sites(), &parts).expect("all parts are known").downtime(YEAR));
        assert!((year - 8.7687).abs() < 1e-3, "{year} h, expected 8.7687 h: the database alone is down 8.76 h");
    }

    #[test]
    fn a_part_is_up_or_down_in_all_its_places_at_once() {
        let sometimes = Sometimes::expect(["a part stood in two places", "no part stood in two places"]);
        for_seeds(300, |seed| {
            let mut rng = seed.rng();
            let (design, parts) = (some_design(&mut rng, 3), six_parts(&mut rng));
            let text = format!("{design:?}");
            let is_shared = parts.keys().any(|name| text.matches(&format!("\"{name}\"")).count() > 1);
            sometimes.saw("a part stood in two places", is_shared);
            sometimes.saw("no part stood in two places", !is_shared);
            let got = availability(&design, &parts).expect("all parts are known");
            same(&format!("seed {seed}: {design:?} of {parts:?}"), got, by_definition(&design, &parts));
        });
    }

    /// A hundred pairs in a row, and a power supply in all of them: 2²⁰¹ states, but only one part stands in several places.
    #[test]
    fn parts_that_stand_in_one_place_cost_a_look_each() {
        let pair = |number: usize| {
            let spare = |side: &str| Design::part(&format!("{side} {number}"));
            Design::All(vec![Design::AtLeast(1, vec![spare("left"), spare("right")]), Design::part("power")])
        };
        let design = Design::All((0..100).map(pair).collect());
        let each = (0..100).flat_map(|number| [format!("left {number}"), format!("right {number}")]);
        let mut parts: Parts = each.map(|name| (name, percent(99.0))).collect();
        parts.insert("power".to_owned(), percent(99.9));
        let got = availability(&design, &parts).expect("all parts are known");
        same("100 pairs with one power supply", got, 1.0 - 0.999 * (1.0_f64 - 1e-4).powi(100));
    }

    #[test]
    fn a_part_that_nobody_knows_is_named() {
        let unknown = Err(UnknownPart("database".to_owned()));
        let known = parts(&[("web in Oslo", 99.9), ("web in Rome", 99.9)]);
        assert!(availability(&two_sites(), &known) == unknown, "the database's availability is not known");
        let mending = most_worth_mending(&two_sites(), &known);
        assert!(
            mending == Err(UnknownPart("database".to_owned())),
            "got {mending:?} without knowing the database's availability"
        );
    }

    /// The web servers are ten times worse than the database. There are two of them.
    #[test]
    fn the_worst_part_is_not_the_one_to_mend() {
        let parts = parts(&[("web in Oslo", 99.0), ("web in Rome", 99.0), ("database", 99.9)]);
        let best = most_worth_mending(&two_sites(), &parts).expect("all parts are known");
        assert!(best.as_deref() == Some("database"), "got {best:?}: perfect web servers leave the database's 8.76 h");
    }

    #[test]
    fn no_other_part_would_help_more() {
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let (design, parts) = (some_design(&mut rng, 3), six_parts(&mut rng));
            let Some(best) = most_worth_mending(&design, &parts).expect("all parts are known") else {
                panic!("seed {seed}: {design:?} has parts");
            };
            let without_failures_of = |name: &String| {
                let mut mended = parts.clone();
                mended.insert(name.clone(), Availability::ALWAYS);
                by_definition(&design, &mended)
            };
            let left = without_failures_of(&best);
            for name in parts.keys() {
                let other = without_failures_of(name);
                assert!(
                    left <= other + 1e-9,
                    "seed {seed}: a perfect {best} leaves {left}, a perfect {name} {other}\n{design:?}"
                );
            }
        });
        let nothing = most_worth_mending(&Design::All(vec![]), &Parts::new());
        assert!(nothing == Ok(None), "a design without parts has none to mend, got {nothing:?}");
    }
}
