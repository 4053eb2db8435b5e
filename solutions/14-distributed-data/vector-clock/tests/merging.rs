//! The numbers of the page "Answers that merge".

#[test]
fn counts_by_site_make_10_and_sums_make_36() {
    let merge = |a: [u32; 2], b: [u32; 2]| [a[0].max(b[0]), a[1].max(b[1])];
    let (mut a, mut b) = ([5, 0], [0, 3]);
    (a, b) = (merge(a, b), merge(b, a));
    a[0] += 2;
    for _ in 0..2 {
        (a, b) = (merge(a, b), merge(b, a));
    }
    assert_eq!((a.iter().sum::<u32>(), a), (10, b));
    let (mut a, mut b) = (5, 3);
    let mut seen = Vec::new();
    for sold in [0, 2, 0] {
        a += sold;
        (a, b) = (a + b, b + a);
        seen.push((a, b));
    }
    assert_eq!(seen, [(8, 8), (18, 18), (36, 36)]);
}

#[test]
fn on_a_tie_theirs_swaps_and_the_greater_site_agrees() {
    let (red, blue) = ((7, 1, "red"), (7, 2, "blue"));
    let theirs =
        |mine: (u32, u32, &'static str), their: (u32, u32, &'static str)| if their.0 >= mine.0 { their } else { mine };
    assert_eq!((theirs(red, blue), theirs(blue, red)), (blue, red));
    assert_eq!((red.max(blue), blue.max(red)), (blue, blue));
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn registers(visitors: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut registers = vec![0_u8; 16_384];
    for visitor in visitors {
        let hash = mix(visitor.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let register = &mut registers[(hash >> 50) as usize];
        *register = (*register).max(((hash << 14) | (1 << 13)).leading_zeros() as u8 + 1);
    }
    registers
}

fn estimate(registers: &[u8]) -> f64 {
    let m = registers.len() as f64;
    let sum: f64 = registers.iter().map(|&zeros| 2_f64.powi(-i32::from(zeros))).sum();
    0.7213 / (1.0 + 1.079 / m) * m * m / sum
}

/// Six standard errors: a false alarm in about a thousand million, had the hashes been drawn.
#[test]
fn sixteen_thousand_registers_take_12_kb_and_err_by_0_81_percent() {
    let error = 1.04 / 16_384_f64.sqrt();
    assert_eq!((format!("{:.2}", error * 100.0), 16_384 * 6 / 8), ("0.81".into(), 12 * 1_024));
    let (one, two) = (registers(0..600_000), registers(400_000..1_000_000));
    let both: Vec<u8> = one.iter().zip(&two).map(|(a, b)| *a.max(b)).collect();
    assert_eq!(both, registers(0..1_000_000), "merging is counting all");
    let share = estimate(&both) / 1e6;
    assert!((share - 1.0).abs() < 6.0 * error, "{share}");
}

#[test]
fn three_seconds_of_lag_are_150_orders() {
    assert_eq!(3 * 50, 150);
}

struct Site {
    name: &'static str,
    allowed: bool,
    healthy: bool,
    latency: Option<u32>,
}

fn route(sites: &[Site]) -> Option<&'static str> {
    let usable = sites.iter().filter(|site| site.allowed && site.healthy);
    usable.min_by_key(|site| (site.latency.is_none(), site.latency)).map(|site| site.name)
}

#[test]
fn the_router_answers_dublin_and_then_nobody() {
    let mut sites = [
        Site { name: "Frankfurt", allowed: true, healthy: false, latency: Some(12) },
        Site { name: "Dublin", allowed: true, healthy: true, latency: None },
        Site { name: "Virginia", allowed: false, healthy: true, latency: Some(90) },
    ];
    assert_eq!(route(&sites), Some("Dublin"));
    sites[1].healthy = false;
    assert_eq!(route(&sites), None);
    sites[0].healthy = true;
    sites[1].healthy = true;
    assert_eq!(route(&sites), Some("Frankfurt"), "not measured comes last");
}
