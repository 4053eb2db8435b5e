//! The numbers of the chapter's two pages.

use kit::Seed;
use kit::rand::RngExt as _;
use url_shortener::code::{CAPACITY, Code, Hashed, Published, Scheme};
use url_shortener::create::ATTEMPTS;
use url_shortener::estimate::Workload;
use url_shortener::parts::envelope::{Bytes, Requests};

fn load() -> Workload {
    Workload {
        creates: Requests(3_000_000),
        redirects: Requests(300_000_000),
        peak: 3,
        link: Bytes(116),
        days: 365,
        copies: 1,
    }
}

#[test]
fn the_table_of_estimates() {
    let load = load();
    assert_eq!((load.creates_at_peak().per_second(), load.redirects_at_peak().per_second()), (104, 10_417));
    assert_eq!(load.links(), Requests(1_095_000_000));
    assert_eq!(load.link_storage().to_string(), "127.020 GB");
    assert_eq!(Workload { copies: 3, ..load }.link_storage().to_string(), "381.060 GB");
    assert_eq!(load.redirect_log(Bytes(116)).to_string(), "12.702 TB");
}

#[test]
fn a_years_links_fit_into_six_and_seven_characters() {
    assert_eq!(62_u64.pow(6) / load().links().0, 51);
    assert_eq!(CAPACITY / load().links().0, 3_216);
}

#[test]
fn ten_and_a_hundred_times_the_load() {
    let times = |times: u64| {
        let Requests(creates) = load().creates;
        let Requests(redirects) = load().redirects;
        Workload { creates: Requests(creates * times), redirects: Requests(redirects * times), ..load() }
    };
    let at = |load: Workload| (load.redirects_at_peak().per_second(), load.creates_at_peak().per_second());
    assert_eq!(at(times(10)), (104_167, 1_042));
    assert_eq!(at(times(100)), (1_041_667, 10_417));
    assert_eq!(times(10).link_storage().to_string(), "1.270 TB");
    assert_eq!(times(100).link_storage().to_string(), "12.702 TB");
    assert_eq!(times(100).filter(0.01).expect("a size").to_string(), "131.195 GB");
    assert_eq!(CAPACITY / times(100).links().0, 32, "years until all codes are taken");
}

#[test]
fn with_a_hundred_million_links_one_first_code_in_35_216_is_taken() {
    let one_in = CAPACITY as f64 / 1e8;
    assert_eq!(one_in as u64, 35_216);
    assert!((1.0 / one_in).powi(8) < 1e-36);
}

/// Who finds a code taken takes the next number, until half of all are taken.
#[test]
fn in_rows_of_taken_codes_one_create_in_30_finds_none_and_evenly_one_in_256() {
    const CODES: usize = 1 << 18;
    let mut rng = Seed(1).rng();
    let mut taken = vec![false; CODES];
    let mut links = 0;
    let attempts = |first: usize| (first..first + ATTEMPTS as usize).map(|code| code % CODES);
    while links < CODES / 2 {
        if let Some(free) = attempts(rng.random_range(0..CODES)).find(|&code| !taken[code]) {
            taken[free] = true;
            links += 1;
        }
    }
    let in_vain = (0..CODES).filter(|&first| attempts(first).all(|code| taken[code])).count();
    assert_eq!((CODES as f64 / in_vain as f64).round() as u64, 30, "{in_vain} of {CODES}");
    assert_eq!(2_u32.pow(ATTEMPTS), 256);
}

/// Even odds of a collision at √(2 N ln 2) codes; N is 62⁷ or, for the published scheme, 1 / Σp² over its codes.
#[test]
fn collisions_are_an_even_bet_at_2_2_million_and_at_645_thousand() {
    let even = |space: f64| (2.0 * space * std::f64::consts::LN_2).sqrt();
    assert_eq!((even(CAPACITY as f64) / 1e5).round() as u64, 22);
    // A value of 48 bits loses one or two digits; so many values share each code, by the code's number.
    let (mut sum, total, base) = (0.0, 2_f64.powi(48), CAPACITY as f64);
    let (seven, eight) = (base / 62.0, base); // codes from `seven` on come from values of 7, 8 and 9 digits
    let end_of_nine = total / 62.0 / 62.0;
    let both = (end_of_nine - seven).max(0.0); // 1 value of seven digits, 62 of eight, 62² of nine
    sum += both * ((1.0 + 62.0 + 62.0 * 62.0) / total).powi(2);
    sum += (eight - end_of_nine) * ((1.0 + 62.0) / total).powi(2);
    let odds = even(1.0 / sum);
    assert!((640_000.0..650_000.0).contains(&odds), "{odds}");
}

#[test]
fn a_quarter_of_the_published_codes_begin_with_b() {
    let begins = |scheme: &dyn Scheme| {
        (0..20_000)
            .filter(|n| scheme.candidate(&format!("https://example.com/{n}"), 0).to_string().starts_with('b'))
            .count()
    };
    assert!((4_400..5_100).contains(&begins(&Published)), "{} of 20,000", begins(&Published));
    assert!((200..460).contains(&begins(&Hashed)), "{} of 20,000", begins(&Hashed));
}

#[test]
fn ruths_and_ottos_urls_have_one_code() {
    let code = |n: u32| Published.candidate(&format!("https://example.com/{n}"), 0);
    assert_eq!((code(335_708), code(346_690)), (Code::parse("blYZcPh").expect("a code"), code(335_708)));
}
