//! The numbers of the page "Growing".

/// The universal scalability law with the page's two parameters.
fn work_of(machines: f64) -> f64 {
    machines / (1.0 + 0.05 * (machines - 1.0) + 0.0005 * machines * (machines - 1.0))
}

#[test]
fn forty_four_machines_do_the_work_of_10_7_and_a_hundred_of_9_2() {
    assert_eq!([44.0, 100.0].map(|n| format!("{:.1}", work_of(n))), ["10.7", "9.2"]);
    assert_eq!(format!("{:.1}", (0.95_f64 / 0.0005).sqrt()), "43.6");
    let best = (1..=200).max_by(|&a, &b| work_of(f64::from(a)).total_cmp(&work_of(f64::from(b))));
    assert_eq!(best, Some(44));
    assert_eq!([20.0, 40.0].map(|n| work_of(n).round()), [9.0, 11.0], "the page's first lines");
}

#[test]
fn four_levels_of_ten_rewrite_forty_times_or_four() {
    let (table, ratio, levels) = (100_000_000_u64, 10_u64, 4_u32);
    assert_eq!(table * ratio.pow(levels), 1_000_000_000_000);
    assert_eq!((ratio * u64::from(levels), levels), (40, 4));
}

#[test]
fn forty_one_bits_of_milliseconds_last_69_7_years() {
    let years = (1_u64 << 41) as f64 / 1_000.0 / 86_400.0 / 365.25;
    assert_eq!((format!("{years:.1}"), 1 << 13, 1 << 10), ("69.7".into(), 8_192, 1_024));
}

#[test]
fn a_hundred_thousand_files_become_79() {
    let day = 10_000_000_000_u64;
    assert_eq!((day / 100_000, day.div_ceil(128_000_000)), (100_000, 79));
}
