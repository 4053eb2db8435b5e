//! What the page says about the reference and the exercise does not ask for.

use bloom_filter::{BloomFilter, Shape, bits_for, hashes_for};

/// Double hashing derives all probes from two numbers below m, and two keys may share both. With 32 bits a key the formula
/// promises 2.1e-7; a small filter stays far above that, a hundredfold larger one comes near it.
#[test]
fn double_hashing_has_a_floor_that_sinks_as_the_filter_grows() {
    let [small, large] = [(6_400, 200), (640_000, 20_000)].map(|(bits, keys)| {
        let shape = Shape::new(bits, 22).expect("a possible shape");
        assert!((shape.false_positive_rate(keys) - 2.1e-7).abs() < 0.01e-7, "the formula depends on m/n and k alone");
        let mut filter = BloomFilter::new(shape);
        (0..keys).for_each(|i: u64| filter.insert(&i.to_le_bytes()));
        let unseen = 1 << 40;
        let mistaken = (unseen..unseen + 4_000_000).filter(|i: &u64| filter.might_contain(&i.to_le_bytes())).count();
        mistaken as f64 / 4e6
    });
    assert!((2e-5..2e-4).contains(&small), "{small:e}: hundreds of times what the formula says");
    assert!(large < 5e-6, "{large:e}: within a small factor of it");
}

/// The sums on the page.
#[test]
fn the_page_adds_up() {
    let mib = bits_for(100_000_000, 0.01) as f64 / 8.0 / f64::from(1 << 20);
    assert!((114.0..114.5).contains(&mib), "100 million links at 1 %: {mib:.2} MiB");
    let overfull = Shape::for_items(1_000, 0.01).expect("a possible shape").false_positive_rate(5_000);
    assert!((0.8..0.9).contains(&overfull), "five times as many keys as planned: {overfull:.3}");
    let halvings = (10_000.0 * 100_f64.log2()).ceil() as u64;
    assert_eq!(halvings, 66_439, "one bit for each halving of the rate");
    let rate =
        Shape::new(halvings, hashes_for(halvings, 10_000)).expect("a possible shape").false_positive_rate(10_000);
    assert_eq!(format!("{:.1} %", rate * 100.0), "4.1 %");
    let kib = |bytes: u64| format!("{:.1}", bytes as f64 / 1024.0);
    assert_eq!((kib(95_851), kib(95_851_u64.div_ceil(8))), ("93.6".to_owned(), "11.7".to_owned()));
    assert_eq!(format!("{:.2}", 10_f64.ln() / std::f64::consts::LN_2.powi(2)), "4.79", "bits a key, a factor of ten");
}
