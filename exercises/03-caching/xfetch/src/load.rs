//! Readers who come at random, on virtual time, and what the origin behind a cache has to bear. Given: nothing to do here.

use crate::{Beta, Cache, Draw, Lookup, PerSecond};
use kit::rand::RngExt as _;
use kit::{Millis, Rng, Seed, Time};
use std::collections::VecDeque;

/// Who reads, and what a value costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// How many readers come.
    pub rate: PerSecond,
    /// How they come.
    pub arrivals: Arrivals,
    /// How long it takes to compute the value.
    pub recompute: Millis,
    /// How long a value may be used.
    pub ttl: Millis,
}

/// How readers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Independently of each other: a Poisson process.
    Poisson,
    /// At equal distances, as no real reader does; good for counting by hand.
    Even,
}

/// The computations that began because one value came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Herd {
    /// How many, until the first of them was stored.
    pub size: u64,
    /// How long before expiry the first began; `None` if nobody came early.
    pub lead: Option<Millis>,
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// How many reads there were.
    pub reads: u64,
    /// How many of them found nothing to use, and waited for a computation.
    pub waited: u64,
    /// How many were given a value that had expired.
    pub expired: u64,
    /// How many computations began.
    pub recomputations: u64,
    /// How many computations ran at the same time, at worst.
    pub most_at_once: usize,
    /// One for each value that came to its end.
    pub herds: Vec<Herd>,
}

const KEY: &str = "front page";

/// Lets readers come for `length`, to a cache that was just filled.
#[must_use]
pub fn run(seed: Seed, load: Load, beta: Beta, length: Millis) -> Run {
    let mut cache = Cache::new(load.ttl, beta);
    let start = Time::START + load.recompute;
    cache.store(KEY, 0_u32, Time::START, start);
    let mut rng = seed.rng();
    let mut run = Run::default();
    let mut computing: VecDeque<Time> = VecDeque::new(); // when each computation began; all take equally long
    let mut herd: Option<Herd> = None;
    for now in arrivals(load, start, length, &mut rng) {
        while let Some(began) = computing.pop_front_if(|began| *began + load.recompute <= now) {
            cache.store(KEY, 0, began, began + load.recompute);
            run.herds.extend(herd.take());
        }
        let (draw, expiry) = (Draw::from_bits(rng.random()), cache.entry(KEY).map(|entry| entry.expiry));
        let found = cache.get(KEY, now, draw);
        run.reads += 1;
        run.expired += u64::from(!matches!(found, Lookup::Miss) && expiry.is_none_or(|expiry| now >= expiry));
        run.waited += u64::from(matches!(found, Lookup::Miss));
        if !matches!(found, Lookup::Hit(_)) {
            computing.push_back(now);
            run.recomputations += 1;
            run.most_at_once = run.most_at_once.max(computing.len());
            let lead = expiry.filter(|expiry| now < *expiry).map(|expiry| expiry.since(now));
            herd.get_or_insert(Herd { size: 0, lead }).size += 1;
        }
    }
    run
}

/// When readers come, from `start` on.
pub fn arrivals(load: Load, start: Time, length: Millis, rng: &mut Rng) -> Vec<Time> {
    let gap = 1_000.0 / load.rate.0;
    let mut times = vec![];
    let mut after = 0.0;
    loop {
        after += match load.arrivals {
            Arrivals::Poisson => -gap * (1.0 - rng.random::<f64>()).ln(), // 1 − [0, 1) is never 0
            Arrivals::Even => gap,
        };
        if after >= length.0 as f64 {
            return times;
        }
        times.push(start + Millis(after as u64));
    }
}
