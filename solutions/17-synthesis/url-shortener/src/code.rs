//! Stage 2: seven characters. A number as a code, a permutation that hides a counter, and a hash that is even.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::parts::shard_router::{Key, hash};

/// Characters in a code.
pub const LENGTH: usize = 7;

/// How many codes there are: 62⁷.
pub const CAPACITY: u64 = 3_521_614_606_208;

/// The digits of base 62, from 0 to 61.
pub const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// What stands behind the slash of a short link: always [`LENGTH`] characters of [`ALPHABET`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u64);

impl Code {
    /// The code with this number; nothing if there is none, from [`CAPACITY`] on.
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        (number < CAPACITY).then_some(Self(number))
    }

    /// Its number: the most significant digit is the first character.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Reads what somebody typed. Nothing unless it is a code, character by character: upper and lower case are different.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != LENGTH {
            return None;
        }
        let digit = |byte| ALPHABET.iter().position(|&digit| digit == byte);
        let number = text.bytes().try_fold(0, |number, byte| Some(number * 62 + digit(byte)? as u64))?;
        Some(Self(number))
    }
}

/// The seven characters.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; LENGTH];
        let mut rest = self.0;
        for place in text.iter_mut().rev() {
            *place = ALPHABET[(rest % 62) as usize];
            rest /= 62;
        }
        f.write_str(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

// ANCHOR: permutation
/// The numbers from 0 to `size`, that one excluded, in an order that looks random: each comes exactly once.
///
/// A counter behind it gives every link another code, and the codes do not tell how many there are. It is no encryption: who has
/// seen enough codes may find the key.
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    size: u64,
    key: u64,
    /// Bits in each half of what the rounds mix: together they have room for `size` numbers, and for less than four times as many.
    half: u32,
}

impl Permutation {
    /// Another `key` gives another order.
    ///
    /// # Panics
    /// If `size` is 0 or more than 2⁶².
    #[must_use]
    pub fn new(size: u64, key: u64) -> Self {
        assert!((1..=1 << 62).contains(&size), "a permutation of {size} numbers");
        let bits = u64::BITS - (size - 1).leading_zeros();
        Self { size, key, half: bits.div_ceil(2).max(1) }
    }

    /// What stands at `place`.
    ///
    /// # Panics
    /// If `place` is not less than the size.
    #[must_use]
    pub fn apply(&self, place: u64) -> u64 {
        self.walk(place, |number| (0..ROUNDS).fold(number, |number, round| self.round(number, round)))
    }

    /// Where `number` stands: the inverse of [`apply`](Self::apply).
    ///
    /// # Panics
    /// If `number` is not less than the size.
    #[must_use]
    pub fn invert(&self, number: u64) -> u64 {
        // The inverse of a round is the round itself between two swaps, and two swaps in a row are none.
        self.walk(number, |number| {
            self.swap((0..ROUNDS).rev().fold(self.swap(number), |number, round| self.round(number, round)))
        })
    }

    /// A permutation of more numbers becomes one of `size`: go on until you are back among them.
    fn walk(&self, start: u64, step: impl Fn(u64) -> u64) -> u64 {
        assert!(start < self.size, "{start} is not below {}", self.size);
        let mut number = step(start);
        while number >= self.size {
            number = step(number);
        }
        number
    }

    /// One round of Feistel: the right half goes left, and the left half, mixed with what the right one says, goes right.
    fn round(&self, number: u64, round: u64) -> u64 {
        let mask = (1 << self.half) - 1;
        let (left, right) = (number >> self.half, number & mask);
        let mixed = hash(Key(hash(Key(self.key.wrapping_add(round))) ^ right)) & mask;
        right << self.half | (left ^ mixed)
    }

    fn swap(&self, number: u64) -> u64 {
        let mask = (1 << self.half) - 1;
        (number & mask) << self.half | number >> self.half
    }
}
// ANCHOR_END: permutation

const ROUNDS: u64 = 4;

/// Which code a URL gets: the same on every instance, and with every further attempt another.
pub trait Scheme {
    /// The code to try for `target`; attempts count from 0.
    fn candidate(&self, target: &str, attempt: u32) -> Code;
}

/// As it was published: 48 bits of SHA-256 in base 62, of which the first seven digits are kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Published;

impl Scheme for Published {
    fn candidate(&self, target: &str, attempt: u32) -> Code {
        let text = if attempt == 0 { target.to_owned() } else { format!("{attempt} {target}") };
        let number = sha256(&text)[..6].iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        let mut kept = number;
        while kept >= CAPACITY {
            kept /= 62;
        }
        Code(kept)
    }
}

// ANCHOR: hashed
/// An even hash: every code is as likely as any other, whatever the URLs and the attempts are.
///
/// Which bits of which hash make the code is free, as long as they look random and every process computes the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hashed;

impl Scheme for Hashed {
    fn candidate(&self, target: &str, attempt: u32) -> Code {
        let digest = sha256(&format!("{attempt} {target}"));
        let number = digest[..16].iter().fold(0, |number, &byte| number << 8 | u128::from(byte));
        Code((number % u128::from(CAPACITY)) as u64)
    }
}
// ANCHOR_END: hashed

/// SHA-256 of a text.
#[must_use]
pub fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}
