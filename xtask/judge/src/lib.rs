//! Sources in, verdicts out.
//!
//! [`compile`] builds everything that was selected in one go, [`run`] gives each test a process of its own with a deadline,
//! [`verdict`] is the result as plain data, [`diagnose`] recognises a misconception in it. [`overlay`] lays other sources
//! over an exercise: a solution, a wrong answer and a stranger's submission are the same thing to it. [`report`] writes the
//! verdicts in the formats of other programs.

pub mod compile;
pub mod diagnose;
pub mod files;
pub mod message;
pub mod overlay;
pub mod process;
pub mod progress;
pub mod report;
pub mod run;
pub mod schema;
pub mod stop;
pub mod verdict;

use std::path::{Path, PathBuf};
use std::time::Duration;

use catalog::Exercise;

pub use compile::{Built, CargoFailed};
pub use verdict::{Outcome, Status, Summary, TestVerdict, Verdict};

/// How to build and run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Cargo's target folder.
    pub target: PathBuf,
    /// How many tests run at once.
    pub jobs: usize,
    /// A deadline for each test in place of its exercise's.
    pub deadline: Option<Duration>,
    /// Whether rustc's messages keep their colours.
    pub colour: bool,
}

/// What is going on, for a progress display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Cargo says what it compiles.
    Compiling(String),
    /// All that can be built is built; this many tests will run.
    Built(usize),
    /// A test of the exercise came to its end.
    Tested(String),
}

/// Something to judge: an exercise's tests, and a package that builds them against some sources.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Whose tests, points and misconceptions.
    pub exercise: &'a Exercise,
    /// The package's name for cargo.
    pub package: String,
    /// The package's folder.
    pub dir: PathBuf,
    /// Where the kit writes the traces of failing runs.
    pub traces: PathBuf,
}

impl<'a> Subject<'a> {
    /// The reader's own sources, where they lie.
    #[must_use]
    pub fn of_reader(exercise: &'a Exercise, target: &Path) -> Self {
        let traces = target.join("traces").join(exercise.package());
        Self { exercise, package: exercise.package().to_owned(), dir: exercise.dir(), traces }
    }
}

/// Judges every subject: one build in `workspace` for all, then every test in a process of its own.
///
/// # Errors
/// Cargo could not begin: a broken manifest, a dependency that cannot be had, a disk that is full.
pub fn judge(
    workspace: &Path,
    subjects: &[Subject<'_>],
    options: &Options,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Vec<Verdict>, CargoFailed> {
    let packages: Vec<_> = subjects.iter().map(|subject| (subject.package.as_str(), subject.dir.as_path())).collect();
    let built = compile::compile(workspace, &packages, options, on_event)?;
    Ok(run::run(subjects, &built, options, on_event))
}
