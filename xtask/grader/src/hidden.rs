//! Tests that the class does not have: `FOLDER/CH/EX/*.rs`, beside the exercise's own.
//!
//! A test here counts one point. One whose name begins with `canary` must *not* pass, whatever is handed in: it calls the
//! submission and then panics, or asserts what no right answer does. When one passes, somebody has got past the harness.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use catalog::{Catalog, Exercise, Id};

/// A file of tests and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFile {
    /// Its name without `.rs`.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// The hidden tests of all exercises.
#[derive(Clone, Debug, Default)]
pub struct Hidden(BTreeMap<Id, Vec<TestFile>>);

/// What a hidden test's name begins with in results.
pub const PREFIX: &str = "hidden::";

impl Hidden {
    /// Reads the folder. A file that belongs to no exercise is an error: it would silently judge nobody.
    ///
    /// # Errors
    /// The folder or a file cannot be read, belongs to no exercise, or has no test.
    pub fn read(folder: &Path, catalog: &Catalog) -> Result<Self> {
        let mut hidden = BTreeMap::new();
        let mut files = sources(folder)?;
        for exercise in catalog.exercises() {
            let own = folder.join(exercise.id.as_str());
            let (mine, others): (Vec<PathBuf>, _) =
                files.into_iter().partition(|file| file.parent() == Some(own.as_path()));
            files = others;
            let mut seen = BTreeSet::new();
            let mut tests = Vec::new();
            for file in mine {
                let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
                let names = catalog::test_names(&text);
                if names.is_empty() {
                    bail!("{} has no test", file.display());
                }
                for name in names.iter().map(catalog::TestName::full) {
                    if !seen.insert(name.clone()) {
                        bail!("{}: a second hidden test is named {name}", file.display());
                    }
                }
                let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                tests.push(TestFile { name, text });
            }
            if !tests.is_empty() {
                hidden.insert(exercise.id.clone(), tests);
            }
        }
        match files.first() {
            Some(stray) => bail!("{} is below no exercise: write CHAPTER/EXERCISE/NAME.rs", stray.display()),
            None => Ok(Self(hidden)),
        }
    }

    /// Those of one exercise.
    #[must_use]
    pub fn of(&self, exercise: &Exercise) -> &[TestFile] {
        self.0.get(&exercise.id).map_or(&[], Vec::as_slice)
    }
}

/// True for a test that no submission may pass, by its own name without its module.
#[must_use]
pub fn is_canary(test: &str) -> bool {
    test.rsplit("::").next().is_some_and(|name| name.starts_with("canary"))
}

/// Every `.rs` file below `folder`, sorted.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(sources(&entry.path())?);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
