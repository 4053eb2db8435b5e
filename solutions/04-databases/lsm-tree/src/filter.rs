//! A Bloom filter: *certainly not* or *perhaps*. You have nothing to do here; `14-distributed-data/bloom-filter` is where you build one.

/// Ten bits for each key and seven of them looked at: about one in a hundred keys that were never put in is *perhaps* there.
const BITS_PER_KEY: usize = 10;
const LOOKS: u64 = 7;

/// A set of keys that may say *perhaps* where it should say *no*, and never the other way round.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// The filter for the keys with these [`hash`]es.
    #[must_use]
    pub fn of(hashes: &[u64]) -> Self {
        let mut filter = Self { words: vec![0; (hashes.len() * BITS_PER_KEY).div_ceil(64)] };
        for &hash in hashes {
            for bit in filter.bits(hash) {
                filter.words[bit / 64] |= 1 << (bit % 64);
            }
        }
        filter
    }

    /// False if no key with this [`hash`] was put in.
    #[must_use]
    pub fn may_contain(&self, hash: u64) -> bool {
        !self.words.is_empty() && self.bits(hash).all(|bit| self.words[bit / 64] >> (bit % 64) & 1 == 1)
    }

    fn bits(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let bits = self.words.len() as u64 * 64;
        let step = hash.rotate_left(32) | 1;
        (0..LOOKS).map(move |look| (hash.wrapping_add(look.wrapping_mul(step)) % bits) as usize)
    }
}

/// 64 bits that depend on every byte of the key: FNV-1a, and a finish that spreads the last bytes over all bits.
#[must_use]
pub fn hash(key: &[u8]) -> u64 {
    let hash = key
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}
