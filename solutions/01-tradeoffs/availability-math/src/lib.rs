//! The share of time that a whole is up, computed from its parts.

use std::collections::BTreeMap;
use std::time::Duration;

/// A year of 365 days.
pub const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The share of time that something is up. Kept as the share that it is *down*, from 0 to 1: of 99.9999 % only the last digits
/// matter, and those a floating-point number close to 1 would lose first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Availability {
    down: f64,
}

impl Availability {
    /// Never down.
    pub const ALWAYS: Self = Self { down: 0.0 };
    /// Never up.
    pub const NEVER: Self = Self { down: 1.0 };

    /// Down this share of the time; nothing unless `share` is from 0 to 1.
    #[must_use]
    pub fn down(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self { down: share })
    }

    /// The share of time that it is down, from 0 to 1.
    #[must_use]
    pub const fn unavailability(self) -> f64 {
        self.down
    }

    /// How long it is down in a `span`, on average.
    #[must_use]
    pub fn downtime(self, span: Duration) -> Duration {
        span.mul_f64(self.down)
    }
}

/// Parts that are all needed and fail independently of each other. A chain of nothing is always up.
#[must_use]
pub fn series(parts: &[Availability]) -> Availability {
    let up: f64 = parts.iter().map(|part| 1.0 - part.down).product();
    Availability { down: 1.0 - up }
}

/// Parts of which any one is enough, that fail independently of each other, and of which the next takes over at once. Of
/// nothing, nothing is up.
#[must_use]
pub fn parallel(parts: &[Availability]) -> Availability {
    Availability { down: parts.iter().map(|part| part.down).product() }
}

// ANCHOR: at_least
/// Parts of which `needed` are enough, whichever they are, and that fail independently of each other. If there are fewer, it
/// is never up; if none is needed, always.
///
/// Takes time in proportion to the number of parts times `needed`, at most.
#[must_use]
pub fn at_least(needed: usize, parts: &[Availability]) -> Availability {
    // The chance that exactly so many of the parts looked at so far are up; `needed` and more are not told apart.
    let mut exactly = vec![0.0; needed];
    if let Some(none) = exactly.first_mut() {
        *none = 1.0;
    }
    for part in parts {
        for up in (0..needed).rev() {
            let one_fewer = if up == 0 { 0.0 } else { exactly[up - 1] };
            exactly[up] = exactly[up] * part.down + one_fewer * (1.0 - part.down);
        }
    }
    Availability { down: exactly.iter().sum() }
}
// ANCHOR_END: at_least

/// The share of a part's failures that hit all its copies together (β): a bad release, a lost key, a flood. From 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beta(f64);

impl Beta {
    /// Nothing unless `share` is from 0 to 1.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    /// The share.
    #[must_use]
    pub const fn share(self) -> f64 {
        self.0
    }
}

// ANCHOR: copies
/// `count` copies of a part, one of which is enough, by the β-factor model: a share β of the part's unavailability is common to
/// all copies and counts once, the rest is each copy's own.
///
/// The two are added, which is close as long as the part is rarely down, and exact for a single copy.
///
/// # Panics
/// If there is no copy.
#[must_use]
pub fn copies(part: Availability, count: u32, beta: Beta) -> Availability {
    assert!(count > 0, "no copy is no part");
    let own = (1.0 - beta.0) * part.down;
    let common = beta.0 * part.down;
    Availability { down: own.powf(f64::from(count)) + common }
}
// ANCHOR_END: copies

/// A design with spares, when a spare does not take over at once: so many times a year nobody serves for as long as `switch`
/// takes. Added to what the design is down anyway; never more than always.
#[must_use]
pub fn with_failover(design: Availability, failures_a_year: f64, switch: Duration) -> Availability {
    let switching = failures_a_year * switch.as_secs_f64() / YEAR.as_secs_f64();
    Availability { down: (design.down + switching).min(1.0) }
}

/// How a system hangs together. The same name in two places means the same part: if it is down, it is down in both.
#[derive(Clone, Debug, PartialEq)]
pub enum Design {
    /// A part, by its name.
    Part(String),
    /// All of these are needed.
    All(Vec<Design>),
    /// So many of these are needed; 1 for spares.
    AtLeast(usize, Vec<Design>),
}

/// How available each part is, by its name.
pub type Parts = BTreeMap<String, Availability>;

/// A design names a part of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPart(pub String);

impl Design {
    /// The part called `name`.
    #[must_use]
    pub fn part(name: &str) -> Self {
        Self::Part(name.to_owned())
    }

    /// How often the names of parts stand in it.
    fn count<'a>(&'a self, names: &mut BTreeMap<&'a str, usize>) {
        match self {
            Self::Part(name) => *names.entry(name).or_default() += 1,
            Self::All(designs) | Self::AtLeast(_, designs) => designs.iter().for_each(|design| design.count(names)),
        }
    }

    /// As if no part stood in two places.
    fn independent(&self, parts: &Parts) -> Availability {
        let each = |designs: &[Self]| designs.iter().map(|design| design.independent(parts)).collect::<Vec<_>>();
        match self {
            Self::Part(name) => parts[name],
            Self::All(designs) => series(&each(designs)),
            Self::AtLeast(needed, designs) => at_least(*needed, &each(designs)),
        }
    }

    // ANCHOR: given
    /// Unavailability by cases: the first of `shared` is up or down, and in either case the same in all its places.
    fn given(&self, shared: &[&str], parts: &mut Parts) -> f64 {
        let Some((&name, rest)) = shared.split_first() else { return self.independent(parts).down };
        let part = parts[name];
        parts.insert(name.to_owned(), Availability::ALWAYS);
        let if_up = self.given(rest, parts);
        parts.insert(name.to_owned(), Availability::NEVER);
        let if_down = self.given(rest, parts);
        parts.insert(name.to_owned(), part);
        (1.0 - part.down) * if_up + part.down * if_down
    }
    // ANCHOR_END: given
}

/// How available `design` is. Parts fail independently of each other; a part that stands in several places is one part.
///
/// Exponential only in the number of parts that stand in several places.
///
/// # Errors
/// [`UnknownPart`] with a name in the design that `parts` does not have.
pub fn availability(design: &Design, parts: &Parts) -> Result<Availability, UnknownPart> {
    let mut names = BTreeMap::new();
    design.count(&mut names);
    if let Some(unknown) = names.keys().find(|name| !parts.contains_key(**name)) {
        return Err(UnknownPart((*unknown).to_owned()));
    }
    let shared: Vec<&str> = names.iter().filter(|(_, places)| **places > 1).map(|(name, _)| *name).collect();
    Ok(Availability { down: design.given(&shared, &mut parts.clone()) })
}

/// The part whose perfection would make `design` most available: where the next month of work is best spent. Of several, the
/// first by name; nothing if there is no part.
///
/// # Errors
/// As [`availability`].
pub fn most_worth_mending(design: &Design, parts: &Parts) -> Result<Option<String>, UnknownPart> {
    let mut names = BTreeMap::new();
    design.count(&mut names);
    let mut best: Option<(f64, &str)> = None;
    for name in names.into_keys() {
        let mut mended = parts.clone();
        if let Some(part) = mended.get_mut(name) {
            *part = Availability::ALWAYS;
        }
        let left = availability(design, &mended)?.down;
        if best.is_none_or(|(least, _)| left < least) {
            best = Some((left, name));
        }
    }
    Ok(best.map(|(_, name)| name.to_owned()))
}
