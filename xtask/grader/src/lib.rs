//! Many submissions in, points out.
//!
//! [`collect`] finds what was handed in; [`vet`] takes the listed editable files of it and nothing else. A [`Judge`] compiles
//! and runs them in two separate boxes, so that neither the compiler nor a test can reach another submission, a solution, the
//! network or this program; a pass is what `grader-shim` answers after a test returned. [`grade`] does that for a class and
//! keeps a line for each student and exercise in [`results`], keyed by content, so that an interrupted run goes on where it was.
//! [`report`] reads those lines, applies a [`policy`] and writes what instructors read. [`export`] hands the sources to the
//! tools that look for copies.

#[cfg(target_os = "linux")]
pub mod asked;
#[cfg(target_os = "linux")]
pub mod boxes;
pub mod collect;
#[cfg(target_os = "linux")]
pub mod compile;
pub mod containment;
pub mod export;
pub mod grade;
pub mod hidden;
mod judging;
pub mod look;
pub mod policy;
pub mod report;
pub mod results;
#[cfg(target_os = "linux")]
pub mod run;
pub mod vet;

pub use judging::{Judge, Judged, Options};

/// A number that was not given before in this process: part of the names of its folders.
fn next_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}
