//! Seeds: every random choice of a test follows from one number, and that number can be given again.

use rand::SeedableRng as _;
use rand_pcg::Pcg64Mcg;
use std::fmt;

/// The generator behind every random choice: small, fast, and the same on every platform and in every release.
pub type Rng = Pcg64Mcg;

/// Environment variable that replays a single seed.
const SEED: &str = "KIT_SEED";
/// Environment variable that moves all seeds elsewhere, for runs with many different ones.
const ROUND: &str = "KIT_ROUND";

/// The number from which a run follows, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seed(pub u64);

impl Seed {
    /// A generator that starts at this seed.
    #[must_use]
    pub fn rng(self) -> Rng {
        Rng::seed_from_u64(self.0)
    }

    /// The seed of an independent part of the same run, told apart by `part`.
    #[must_use]
    pub const fn part(self, part: u64) -> Self {
        Self(mix(self.0 ^ mix(part.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Runs `test` under `count` seeds; when one fails, says how to replay that one alone.
///
/// The seeds of a test are always the same ones, so that a verdict does not change from one save to the next.
/// `KIT_SEED=n` runs seed `n` alone; `KIT_ROUND=n` runs `count` others.
///
/// # Panics
/// With the panic of `test`, after the line that replays it.
pub fn for_seeds(count: u64, mut test: impl FnMut(Seed)) {
    for seed in seeds(count) {
        let replay = Replay(seed);
        test(seed);
        drop(replay);
    }
}

/// The seeds that [`for_seeds`] runs: `0..count`, the one in `KIT_SEED`, or those of round `KIT_ROUND`.
#[must_use]
pub fn seeds(count: u64) -> Vec<Seed> {
    if let Some(one) = number(SEED) {
        return vec![Seed(one)];
    }
    let round = number(ROUND).unwrap_or(0);
    let first = if round == 0 { 0 } else { mix(round) >> 16 };
    (first..first + count).map(Seed).collect()
}

/// Whether `KIT_SEED` asks for one run only.
pub(crate) fn replaying() -> bool {
    std::env::var_os(SEED).is_some()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.trim().parse().unwrap_or_else(|_| panic!("{variable}={text} is not a whole number")))
}

/// Prints the replay line if the test that it guards panics.
struct Replay(Seed);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", replay_line(self.0));
        }
    }
}

/// The command that runs the current test again with `seed` alone.
#[must_use]
pub fn replay_line(seed: Seed) -> String {
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_else(|_| "EXERCISE".into());
    format!("replay  {SEED}={seed} cargo test -p {package} {}", test_name())
}

/// The running test's name, without its module: the runner's word for it, else the thread's (as libtest names it).
pub(crate) fn test_name() -> String {
    // A page in a browser runs no tests, and has no room for what finds out which.
    if cfg!(target_family = "wasm") {
        return String::new();
    }
    let full = std::env::var("KIT_TEST").ok().or_else(|| std::thread::current().name().map(str::to_owned));
    full.as_deref().and_then(|name| name.rsplit("::").next()).unwrap_or("").to_owned()
}

/// The finaliser of SplitMix64: spreads neighbouring numbers over all 64 bits (Steele, Lea and Flood, OOPSLA 2014).
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt as _;

    #[test]
    fn one_seed_gives_one_sequence_and_its_parts_give_others() {
        let draw = |seed: Seed| -> [u64; 4] { seed.rng().random() };
        assert_eq!(draw(Seed(7)), draw(Seed(7)));
        assert_ne!(draw(Seed(7)), draw(Seed(8)));
        assert_ne!(draw(Seed(7)), draw(Seed(7).part(0)));
        assert_ne!(draw(Seed(7).part(0)), draw(Seed(7).part(1)));
    }

    #[test]
    fn a_round_has_as_many_different_seeds_as_were_asked_for() {
        let distinct: std::collections::BTreeSet<Seed> = seeds(100).into_iter().collect();
        assert!(distinct.len() == 100 || replaying());
    }

    #[test]
    fn the_generator_gives_the_same_numbers_on_every_machine() {
        assert_eq!(Seed(1).rng().random::<u64>(), 15_803_641_690_485_367_939);
    }
}
