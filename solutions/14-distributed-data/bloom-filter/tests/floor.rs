//! What the page says about the reference and the exercise does not ask for.

use bloom_filter::{BloomFilter, Shape};

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
