//! What the exercise gives: the hash is the one it says it is.

use hash_ring::hash64;

/// Vectors that ports of XXH64 share, without and with a seed.
#[test]
fn the_given_hash_is_xxh64() {
    assert_eq!(hash64(b"", 0), 0xef46_db37_51d8_e999);
    assert_eq!(hash64(b"a", 0), 0xd24e_c4f1_a98c_6e5b);
    assert_eq!(hash64(b"abc", 0), 0x44bc_2cf5_ad77_0999);
    assert_eq!(hash64(b"0123", 0x1234_5678_90ab_cdef), 0xe19f_ff02_27e3_b861);
}
