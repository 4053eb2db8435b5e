//! Stage 2: seven characters. A number as a code, a permutation that hides a counter, and a hash that is even.

use std::fmt;

use sha2::{Digest as _, Sha256};

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
        todo!("is `{text}` a code?")
    }
}

/// The seven characters.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!("write the number {} in seven characters, in {:?} columns", self.0, f.width())
    }
}

/// The numbers from 0 to `size`, that one excluded, in an order that looks random: each comes exactly once.
///
/// A counter behind it gives every link another code, and the codes do not tell how many there are. It is no encryption: who has
/// seen enough codes may find the key.
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    // TODO: four rounds of Feistel permute 2²ⁿ numbers. What do you do with those that are too great?
}

impl Permutation {
    /// Another `key` gives another order.
    ///
    /// # Panics
    /// If `size` is 0 or more than 2⁶².
    #[must_use]
    pub fn new(size: u64, key: u64) -> Self {
        todo!("an order of {size} numbers for the key {key}")
    }

    /// What stands at `place`.
    ///
    /// # Panics
    /// If `place` is not less than the size.
    #[must_use]
    pub fn apply(&self, place: u64) -> u64 {
        todo!("what stands at {place} in {self:?}?")
    }

    /// Where `number` stands: the inverse of [`apply`](Self::apply).
    ///
    /// # Panics
    /// If `number` is not less than the size.
    #[must_use]
    pub fn invert(&self, number: u64) -> u64 {
        todo!("where does {number} stand in {self:?}?")
    }
}

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

/// An even hash: every code is as likely as any other, whatever the URLs and the attempts are.
///
/// Which bits of which hash make the code is free, as long as they look random and every process computes the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hashed;

impl Scheme for Hashed {
    fn candidate(&self, target: &str, attempt: u32) -> Code {
        todo!("the code to try for {target} at attempt {attempt}")
    }
}

/// SHA-256 of a text.
#[must_use]
pub fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}
