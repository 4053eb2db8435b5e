//! The numbers of the chapter's introduction.

/// 152 GB became 380 in a year, and the machine takes 500.
#[test]
fn a_line_fills_the_disk_in_two_and_a_half_months_and_a_factor_in_three_point_six() {
    let (before, now, full) = (152.0_f64, 380.0_f64, 500.0_f64);
    assert!((now / before - 2.5).abs() < 1e-9, "growth by 150 %");
    let a_month = now * 1.5 / 12.0;
    assert!((a_month - 47.5).abs() < 1e-9, "{a_month} GB a month");
    let line = (full - now) / a_month;
    assert!((line - 2.5).abs() < 0.05, "{line} months");
    let factor = 12.0 * (full / now).ln() / 2.5_f64.ln();
    assert!((factor - 3.6).abs() < 0.05, "{factor} months");
}

/// 200 keys in a page.
#[test]
fn three_levels_reach_eight_million_keys_and_four_reach_1_6_billion() {
    assert_eq!((200_u64.pow(3), 200_u64.pow(4)), (8_000_000, 1_600_000_000));
}
