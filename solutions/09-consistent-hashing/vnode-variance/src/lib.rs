//! A ring is never quite even. Whether that is bad luck or a bad hash function is a question with an answer.

mod hashes;

pub use hashes::Hash;

/// A virtual node: a place on the circle of 2⁶⁴ positions, and the machine, counted from 0, to which it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// Where it lies.
    pub position: u64,
    /// Whose it is.
    pub machine: usize,
}

// ── Stage 1: measure ────────────────────────────────────────────────────────────────────────────────────────────────

/// The points of machines with these `names`, `per_machine` for each: point `i` of `cache-3` lies where `cache-3#i` hashes to.
#[must_use]
pub fn hashed(hash: Hash, names: &[String], per_machine: usize) -> Vec<Point> {
    let points = names.iter().enumerate().flat_map(|(machine, name)| {
        (0..per_machine).map(move |i| Point { position: hash.position(&format!("{name}#{i}")), machine })
    });
    points.collect()
}

/// The fraction of the circle that each of `machines` machines owns. A position belongs to the first point at or after it, clockwise; after
/// the last position comes the first. Points come in any order. Of several in the same place any may be the owner.
///
/// # Panics
/// If there are no points.
#[must_use]
pub fn shares(points: &[Point], machines: usize) -> Vec<f64> {
    let mut points = points.to_vec();
    points.sort_unstable();
    let mut before = points.last().expect("a ring without points has no owners").position;
    let mut arcs = vec![0.0; machines];
    for point in &points {
        arcs[point.machine] += point.position.wrapping_sub(before) as f64;
        before = point.position;
    }
    let circle: f64 = arcs.iter().sum();
    if circle == 0.0 {
        arcs[points[0].machine] = 1.0; // all points in one place
        return arcs;
    }
    arcs.iter().map(|arc| arc / circle).collect()
}

/// The coefficient of variation: the standard deviation of these `loads` over their mean. They are all the loads there are, not a sample of them.
///
/// # Panics
/// If there are none, or all are 0.
#[must_use]
pub fn cv(loads: &[f64]) -> f64 {
    let count = loads.len() as f64;
    let mean = loads.iter().sum::<f64>() / count;
    let variance = loads.iter().map(|load| (load - mean).powi(2)).sum::<f64>() / count;
    assert!(mean > 0.0, "there is no load to compare with");
    variance.sqrt() / mean
}

// ── Stage 2: what is to be expected ─────────────────────────────────────────────────────────────────────────────────

/// The root of the mean squared CV of rings with `machines` machines and `per_machine` points for each, if points fall anywhere:
/// √((N − 1) / (N·V + 1)).
#[must_use]
pub fn expected_cv(machines: usize, per_machine: usize) -> f64 {
    let (n, v) = (machines as f64, per_machine as f64);
    ((n - 1.0) / (n * v + 1.0)).sqrt()
}

/// The root of the mean of the squares of `values`, of which there is at least one. (It is squares of CVs for which the expectation is known.)
#[must_use]
pub fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}

/// A ring whose points fall anywhere: each position is one draw of 64 random bits.
#[must_use]
pub fn fair(machines: usize, per_machine: usize, mut draw: impl FnMut() -> u64) -> Vec<Point> {
    (0..machines * per_machine).map(|i| Point { position: draw(), machine: i / per_machine }).collect()
}

// ── Stage 3: judge ──────────────────────────────────────────────────────────────────────────────────────────────────

// ANCHOR: limit
/// The CV that a fair ring exceeds with a chance of at most `false_alarm`, by comparison with the CVs of other fair rings.
///
/// One more fair ring is as likely to take any place among B others as any other place, B + 1 in all. So it exceeds the k-th greatest of
/// them with a chance of k / (B + 1): the limit is the k-th greatest, with the greatest k for which this is at most `false_alarm`.
/// Nothing if no k ≥ 1 is: with 99 fair rings you cannot say what one ring in a thousand does.
#[must_use]
pub fn limit(fair_cvs: &[f64], false_alarm: f64) -> Option<f64> {
    let places = (fair_cvs.len() + 1) as f64;
    let rank = (false_alarm * places + 1e-9).floor() as usize; // 0.01 of 1000 places are 10, whatever the last bit says
    let mut greatest_first = fair_cvs.to_vec();
    greatest_first.sort_unstable_by(|a, b| b.total_cmp(a));
    greatest_first.get(rank.checked_sub(1)?).copied()
}
// ANCHOR_END: limit

/// What was found out about a hash function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The CV that counts as uneven if it is exceeded.
    pub limit: f64,
    /// How many of the rings are uneven.
    pub uneven: usize,
    /// The greatest CV of all.
    pub worst: f64,
}

/// Judges `hash` by the rings of several `clusters`, each a list of machines' names, with `per_machine` points for each machine. All clusters
/// are of the same size, and `fair_cvs` are the CVs of fair rings of that size.
///
/// If the hash function is as good as chance, then *any* ring at all is found uneven with a chance of at most `false_alarm`: the rate is shared
/// equally by all clusters. Nothing if there are no clusters, or too few fair rings for that.
#[must_use]
pub fn judge(
    hash: Hash,
    clusters: &[Vec<String>],
    per_machine: usize,
    fair_cvs: &[f64],
    false_alarm: f64,
) -> Option<Verdict> {
    let limit = limit(fair_cvs, false_alarm / clusters.len() as f64)?;
    let cvs: Vec<f64> =
        clusters.iter().map(|names| cv(&shares(&hashed(hash, names, per_machine), names.len()))).collect();
    let worst = cvs.iter().copied().reduce(f64::max)?;
    Some(Verdict { limit, uneven: cvs.iter().filter(|cv| **cv > limit).count(), worst })
}
