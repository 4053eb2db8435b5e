//! What is known of each exercise without building anything: its last verdict, kept beside a hash of what it was about.
//!
//! Progress is never declared. A stored verdict counts only while the sources, the tests, the kit and the toolchain are
//! those it was given for; a stub that nobody touched is not started, whatever was stored.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use catalog::{Exercise, Pristine, Shared};
use serde_json::{Value, json};

use crate::{Status, Verdict, files};

/// Where an exercise stands, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// The stub is as it was handed out.
    NotStarted,
    /// It was edited, and no verdict is about its present sources.
    Unknown,
    /// The verdict on its present sources.
    Known(Box<Verdict>),
}

impl Progress {
    /// True if every test passed.
    #[must_use]
    pub fn is_solved(&self) -> bool {
        matches!(self, Self::Known(verdict) if verdict.status == Status::Solved)
    }
}

/// The folder of last verdicts: `target/workbook/verdicts`.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

#[derive(Debug, Default)]
struct Stored {
    fingerprint: String,
    hints: u32,
    verdict: Option<Verdict>,
}

impl Store {
    /// The store in cargo's target folder.
    #[must_use]
    pub fn new(target: &Path) -> Self {
        Self { dir: target.join("workbook/verdicts") }
    }

    /// The folder that holds one JSON file an exercise: what a watcher of progress watches.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the exercise stands now.
    #[must_use]
    pub fn progress(&self, exercise: &Exercise, shared: Shared) -> Progress {
        let stored = self.read(exercise);
        match stored.verdict {
            Some(verdict) if stored.fingerprint == exercise.fingerprint(shared) => Progress::Known(Box::new(verdict)),
            _ if is_untouched(exercise) => Progress::NotStarted,
            _ => Progress::Unknown,
        }
    }

    /// How many hints were shown.
    #[must_use]
    pub fn hints(&self, exercise: &Exercise) -> u32 {
        self.read(exercise).hints
    }

    /// Keeps a verdict that is about the sources with this fingerprint.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, exercise: &Exercise, fingerprint: &str, verdict: &Verdict) -> io::Result<()> {
        self.change(exercise, |stored| {
            fingerprint.clone_into(&mut stored.fingerprint);
            stored.verdict = Some(verdict.clone());
        })
    }

    /// Counts the hints that were shown.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn count_hints(&self, exercise: &Exercise, hints: u32) -> io::Result<()> {
        self.change(exercise, |stored| stored.hints = hints)
    }

    fn file(&self, exercise: &Exercise) -> PathBuf {
        self.dir.join(format!("{}.json", exercise.id))
    }

    /// A file that is missing or was written by something else counts as nothing.
    fn read(&self, exercise: &Exercise) -> Stored {
        let value: Value = fs::read_to_string(self.file(exercise))
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        if value["schema"] != crate::verdict::SCHEMA {
            return Stored::default();
        }
        Stored {
            fingerprint: value["fingerprint"].as_str().unwrap_or_default().to_owned(),
            hints: value["hints"].as_u64().and_then(|hints| u32::try_from(hints).ok()).unwrap_or_default(),
            verdict: Verdict::from_json(&value["exercise"]).filter(|verdict| verdict.id == exercise.id),
        }
    }

    /// Reads, changes and writes under a lock that all runs share, so that none undoes another's change.
    fn change(&self, exercise: &Exercise, change: impl FnOnce(&mut Stored)) -> io::Result<()> {
        fs::create_dir_all(&self.dir).map_err(|error| named(&error, &self.dir))?;
        let lock_file = self.dir.join(".lock");
        let lock = File::create(&lock_file).map_err(|error| named(&error, &lock_file))?;
        lock.lock().map_err(|error| named(&error, &lock_file))?;
        let mut stored = self.read(exercise);
        change(&mut stored);
        let value = json!({
            "schema": crate::verdict::SCHEMA,
            "fingerprint": stored.fingerprint,
            "hints": stored.hints,
            "exercise": stored.verdict.as_ref().map(Verdict::to_json),
        });
        files::write_atomically(&self.file(exercise), format!("{value:#}\n").as_bytes())
    }
}

/// True if the reader's sources are those that were handed out.
#[must_use]
pub fn is_untouched(exercise: &Exercise) -> bool {
    let (Some(pristine), Ok(now)) = (Pristine::read(&exercise.dir()), Pristine::of(&exercise.dir())) else {
        return false;
    };
    !pristine.differences(&now).iter().any(|path| path.starts_with("src/"))
}

/// The files that are not the reader's to change and were changed all the same: tests and manifest.
#[must_use]
pub fn edited(exercise: &Exercise) -> Vec<String> {
    let (Some(pristine), Ok(now)) = (Pristine::read(&exercise.dir()), Pristine::of(&exercise.dir())) else {
        return Vec::new();
    };
    let is_given = |path: &String| path.starts_with("tests/") || path == "Cargo.toml";
    pristine.differences(&now).into_iter().filter(is_given).collect()
}

fn named(error: &io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
