//! `verify --bless`: write down what was found, so that a reviewer sees it change.

use std::collections::BTreeSet;
use std::fs;

use catalog::{Exercise, Misconception, Pristine};
use judge::files;

use crate::failure::Failure;

/// Writes `.pristine` from the files as they are. True if it changed.
pub(crate) fn pristine(exercise: &Exercise) -> Result<bool, Failure> {
    let now = Pristine::of(&exercise.dir())?;
    Ok(files::write_if_changed(&Pristine::path(&exercise.dir()), now.to_text().as_bytes())?)
}

/// Writes the list of tests that reject a wrong answer into its patch file. True if it changed.
pub(crate) fn fails(exercise: &Exercise, slug: &str, fails: &BTreeSet<String>) -> Result<bool, Failure> {
    let file = exercise.solution_dir().join("wrong").join(format!("{slug}.patch"));
    let old = fs::read_to_string(&file).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    Ok(files::write_if_changed(&file, Misconception::with_fails(&old, fails).as_bytes())?)
}
