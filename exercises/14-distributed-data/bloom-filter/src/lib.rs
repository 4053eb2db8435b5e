//! A Bloom filter answers "have you seen this key?" in about ten bits a key, and may err in one direction only.
//!
//! *No* is certain: the key was never inserted. *Yes* means *perhaps*, with a chance of error that you choose.

/// The most probes that a key may have.
pub const MAX_HASHES: u32 = 64;

/// The hash of a key, the same in every process, on every machine and in every release: filters travel.
///
/// Two numbers in one: the low half is XXH3, whose specification is frozen; the high half is made from it by one folded
/// multiplication, so that every bit of it depends on many. It has no secret: who chooses the keys can make them collide.
#[must_use]
pub fn hash(key: &[u8]) -> u128 {
    let low = xxhash_rust::xxh3::xxh3_64(key);
    let product = u128::from(low) * 0x9e37_79b9_7f4a_7c15; // 2⁶⁴ divided by the golden ratio
    let high = (product >> 64) as u64 ^ product as u64;
    u128::from(high) << 64 | u128::from(low)
}

/// The bits that keep the rate of false positives at `rate` when `items` keys are inserted, rounded up.
///
/// This is the optimum over all numbers of probes, m = −n·ln p / (ln 2)², for some items and a rate between 0 and 1.
#[must_use]
pub fn bits_for(items: u64, rate: f64) -> u64 {
    todo!("bits for {items} keys at a rate of {rate}")
}

/// The number of probes that makes the best of `bits` bits for `items` keys: (m/n)·ln 2, rounded to the nearest, at least one.
#[must_use]
pub fn hashes_for(bits: u64, items: u64) -> u32 {
    todo!("probes for {items} keys in {bits} bits")
}

/// How large a filter is and how many bits each key gets in it. Only filters of one shape can be united.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    bits: u64,
    hashes: u32,
}

/// Why no filter can have the shape that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unsizable {
    /// A filter for no keys, or of no bits.
    Empty,
    /// A rate of false positives has to lie between 2⁻⁶⁴ and 1, both excluded.
    Rate(f64),
    /// Between one probe and [`MAX_HASHES`].
    Hashes(u32),
}

impl Shape {
    /// A filter of at least `bits` bits, rounded up to whole words of 64, with `hashes` probes for each key.
    ///
    /// # Errors
    /// [`Unsizable::Empty`] without bits, [`Unsizable::Hashes`] unless `hashes` lies between 1 and [`MAX_HASHES`].
    ///
    /// # Panics
    /// If the bits, rounded up, do not fit a `u64`.
    pub fn new(bits: u64, hashes: u32) -> Result<Self, Unsizable> {
        todo!("a shape of {bits} bits in whole words and {hashes} probes")
    }

    /// The smallest filter that answers a key it has not seen with *perhaps* at about `rate` once it holds `items` keys:
    /// with [`bits_for`] bits and the probes that are best for those, before they are rounded up to words.
    ///
    /// # Errors
    /// [`Unsizable::Empty`] for no items; [`Unsizable::Rate`] if `rate` is not a number between 2⁻⁶⁴ and 1.
    pub fn for_items(items: u64, rate: f64) -> Result<Self, Unsizable> {
        todo!("the shape for {items} keys at a rate of {rate}")
    }

    /// Bits in the filter, a multiple of 64.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.bits
    }

    /// Probes for each key.
    #[must_use]
    pub const fn hashes(self) -> u32 {
        self.hashes
    }

    /// The share of unseen keys that are answered with *perhaps* once `items` different keys are in: (1 − e^(−kn/m))^k.
    ///
    /// An approximation: it takes the mean share of set bits for the real one. The error fades as the filter grows.
    #[must_use]
    pub fn false_positive_rate(self, items: u64) -> f64 {
        todo!("the rate of {self:?} with {items} keys in it")
    }

    /// The bits of the key with this hash: [`hashes`](Self::hashes) different numbers below [`bits`](Self::bits).
    ///
    /// Double hashing (Kirsch and Mitzenmacher 2006): one half of the hash says where to begin, the other how far to
    /// step.
    pub fn probes(self, hash: u128) -> impl Iterator<Item = u64> {
        // TODO: which steps come round to a bit too early, and what do you know about `bits`?
        (0..self.hashes).map(move |i| todo!("the bit that probe {i} of the hash {hash:032x} looks at"))
    }
}

/// A set of keys that forgets what they were and only remembers which bits they share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BloomFilter {
    shape: Shape,
    // TODO: where do the bits live, so that each of them takes one bit?
}

impl BloomFilter {
    /// A filter that has seen nothing.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        todo!("an empty filter of {shape:?}")
    }

    /// Remembers `key`, for ever: a bit that two keys share cannot be taken back for one of them.
    pub fn insert(&mut self, key: &[u8]) {
        todo!("set every bit of {key:?}")
    }

    /// `false`: `key` was never inserted. `true`: perhaps it was.
    #[must_use]
    pub fn might_contain(&self, key: &[u8]) -> bool {
        todo!("look at the bits of {key:?}")
    }

    /// The shape that it was made with.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The packed bits, as they travel: bit `i` is bit `i % 64` of word `i / 64`.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        todo!("the words")
    }

    /// How many bits are set.
    #[must_use]
    pub fn set_bits(&self) -> u64 {
        todo!("count the ones")
    }

    /// How many different keys were inserted, as far as the bits can tell: −(m/k)·ln(1 − X/m), X of m bits being set.
    ///
    /// Infinite once every bit is set: the filter has then forgotten everything.
    #[must_use]
    pub fn estimated_items(&self) -> f64 {
        todo!("estimate from the set bits")
    }

    /// Makes this the filter of both sets of keys, as if every key of `other` had been inserted here.
    ///
    /// # Errors
    /// [`ShapeMismatch`] unless both shapes are the same; this filter is then unchanged.
    pub fn union(&mut self, other: &Self) -> Result<(), ShapeMismatch> {
        todo!("take in the keys of a filter of {:?}", other.shape)
    }
}

/// Two filters whose bits mean different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeMismatch {
    /// The shape of the filter that was to be extended.
    pub ours: Shape,
    /// The shape of the filter that was offered.
    pub theirs: Shape,
}

/// Which instance of the service, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instance(pub usize);

/// The store that all instances share. Asking for a row is slow; the counts are at hand.
pub trait Store {
    /// Writes a row for `writer` and counts it.
    fn put(&mut self, writer: Instance, key: &[u8], value: &[u8]);

    /// Reads a row: the slow thing that a guard saves.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;

    /// How often each instance has called `put`, by instance. The same key again counts again.
    fn writes(&self) -> &[u64];
}

/// One instance's shield in front of the store: it spares the store the reads of rows that do not exist.
#[derive(Clone, Debug)]
pub struct Guard {
    // TODO: besides the filter, what must it remember to know that the filter's *no* holds for the whole fleet?
}

impl Guard {
    /// The guard of instance `me` among `fleet` instances, over a store that is still empty.
    ///
    /// Should the store know of more writers than `fleet`, the guard has heard nothing of them.
    #[must_use]
    pub fn new(me: Instance, fleet: usize, shape: Shape) -> Self {
        todo!("the guard of {me:?} of {fleet}, with a filter of {shape:?}")
    }

    /// Writes a row, new or not, and remembers its key.
    pub fn put(&mut self, store: &mut impl Store, key: &[u8], value: &[u8]) {
        todo!("write {key:?} = {value:?} after {:?} writes", store.writes())
    }

    /// The row of `key`, whoever wrote it; reads the store only if the row may exist.
    #[must_use]
    pub fn get(&self, store: &impl Store, key: &[u8]) -> Option<Vec<u8>> {
        todo!("read {key:?} after {:?} writes", store.writes())
    }

    /// Takes in what another instance knows. News may come late, twice or out of order.
    ///
    /// # Errors
    /// [`ShapeMismatch`] unless both filters have the same shape; nothing is then taken in.
    pub fn hear(&mut self, other: &Self) -> Result<(), ShapeMismatch> {
        todo!("take in {other:?}")
    }
}
