//! The numbers of the page "Other limits".

/// The generic cell rate algorithm in milliseconds: the theoretical arrival time, and what a request does to it.
fn gcra(tat: &mut i64, now: i64, every: i64, burst: i64) -> bool {
    let admitted = now >= *tat - (burst - 1) * every;
    if admitted {
        *tat = (*tat).max(now) + every;
    }
    admitted
}

#[test]
fn the_table_of_arrivals() {
    let mut tat = 0;
    let rows = [0, 0, 0, 0, 99, 100].map(|now| {
        let before = tat;
        (before, gcra(&mut tat, now, 100, 3), tat)
    });
    let expected =
        [(0, true, 100), (100, true, 200), (200, true, 300), (300, false, 300), (300, false, 300), (300, true, 400)];
    assert_eq!(rows, expected);
}

/// A token bucket that counts in thousandths of a token, 10 a second: one thousandth for each tenth of a millisecond.
#[test]
fn it_decides_as_a_token_bucket_and_as_a_meter_do() {
    let (mut tat, mut tokens, mut level, mut last) = (0, 300_i64, 0_i64, 0_i64);
    let (mut state, mut now, mut admitted) = (1_u64, 0, 0);
    for _ in 0..100_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        now += (state >> 33) as i64 % 130;
        tokens = (tokens + now - last).min(300);
        level = (level - (now - last)).max(0);
        last = now;
        let by_gcra = gcra(&mut tat, now, 100, 3);
        assert_eq!((tokens >= 100, level + 100 <= 300), (by_gcra, by_gcra), "at {now} ms");
        if by_gcra {
            tokens -= 100;
            level += 100;
            admitted += 1;
        }
    }
    assert!((10_000..90_000).contains(&admitted), "it refuses some and admits some: {admitted}");
}

#[test]
fn at_790_it_is_refused_and_at_800_admitted() {
    assert_eq!([790, 800].map(|now| gcra(&mut 1_000, now, 100, 3)), [false, true]);
}

#[test]
fn the_last_of_twenty_waits_two_seconds() {
    assert_eq!(20 * 100, 2_000);
}

#[test]
fn sixteen_cores_do_not_meet_in_13_or_89_cases_of_a_hundred() {
    let apart = |stripes: f64| (0..16).map(|taken| 1.0 - f64::from(taken) / stripes).product::<f64>();
    assert_eq!([64.0, 1_024.0].map(|stripes| (apart(stripes) * 100.0).round()), [13.0, 89.0]);
}
