//! `results.jsonl`: a line for each student and exercise, on disk before the next is judged.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use judge::files;
use serde_json::Value;

/// The last line of each student and exercise.
pub type Known = BTreeMap<(String, String), Value>;

/// The name of the file in its folder.
pub const NAME: &str = "results.jsonl";
/// The `status` of a result that the machine could not give.
pub const INFRA_ERROR: &str = "infra_error";
/// The `status` of a student who handed in nothing for an exercise.
pub const MISSING: &str = "missing";
/// The `status` of a result that is not to be believed.
pub const TAMPERED: &str = "tampered";

/// The file, open for appending by this process alone.
#[derive(Debug)]
pub struct Results {
    file: File,
}

impl Results {
    /// Opens the file in `folder`, and what it knows. What a power cut left behind the last line break is cut off.
    ///
    /// # Errors
    /// The folder cannot be written to, or another grader writes there.
    pub fn open(folder: &Path) -> Result<(Self, Known)> {
        let path = folder.join(NAME);
        let open = || {
            fs::create_dir_all(folder)?;
            File::options().read(true).append(true).create(true).open(&path)
        };
        let file = open().with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another grader writes {}", path.display()),
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the results"),
        }
        let text = fs::read(&path)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(whole as u64)?;
            file.sync_data()?;
        }
        let known = read(folder)?;
        Ok((Self { file }, known))
    }

    /// Adds lines in one step and waits until the disk has them.
    ///
    /// # Errors
    /// The disk is full.
    pub fn add(&mut self, values: &[Value]) -> io::Result<()> {
        let text: String = values.iter().map(|value| format!("{value}\n")).collect();
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()
    }
}

/// What is known in `folder`: of several lines of a student and exercise, the last.
///
/// # Errors
/// There is no such file, or it cannot be read.
pub fn read(folder: &Path) -> Result<Known> {
    let path = folder.join(NAME);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut known = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let parsed = serde_json::from_str::<Value>(line).ok();
        let names = parsed.as_ref().and_then(|value| Some((value["student"].as_str()?, value["exercise"].as_str()?)));
        match names.map(|(student, exercise)| (student.to_owned(), exercise.to_owned())) {
            Some(names) => drop(known.insert(names, parsed.unwrap_or_default())),
            // Half a line at the end is what a kill leaves; anywhere else somebody else has written here.
            None if number + 1 == text.lines().count() && !text.ends_with('\n') => {}
            None => bail!("{}, line {}: this is no result", path.display(), number + 1),
        }
    }
    Ok(known)
}

/// Puts the results of several folders together in `out`, sorted. Doing it again, or with a folder twice, changes nothing.
///
/// # Errors
/// A folder has no results; two folders say something else about the same student and exercise; the disk is full.
pub fn merge(folders: &[PathBuf], out: &Path) -> Result<usize> {
    let mut merged = Known::new();
    for folder in folders {
        for (names, value) in read(folder)? {
            let Some(other) = merged.get(&names) else {
                merged.insert(names, value);
                continue;
            };
            let is_fault = |value: &Value| value["status"] == INFRA_ERROR;
            if is_fault(other) {
                merged.insert(names, value);
            } else if !is_fault(&value) && value["key"] != other["key"] {
                let (student, exercise) = names;
                bail!(
                    "{student}, {exercise}: {} was graded from other files or tests than the folders before it",
                    folder.display()
                );
            }
        }
    }
    let text: String = merged.values().map(|value| format!("{value}\n")).collect();
    files::write_atomically(&out.join(NAME), text.as_bytes())?;
    Ok(merged.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(student: &str, key: &str, points: u64) -> Value {
        json!({"student": student, "exercise": "01-a/b", "status": "failing", "key": key, "points": points})
    }

    fn folder(lines: &[Value]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("temp dir");
        Results::open(dir.path()).expect("opens").0.add(lines).expect("writes");
        dir
    }

    #[test]
    fn half_a_line_is_dropped_and_the_last_of_two_counts() {
        let dir = folder(&[line("a", "k", 1)]);
        let text = format!("{}\n{}\n{{\"stud", line("a", "k", 1), line("a", "k", 2));
        fs::write(dir.path().join(NAME), text).expect("write");
        assert_eq!(read(dir.path()).expect("reads").len(), 1);
        Results::open(dir.path()).expect("opens").0.add(&[line("b", "k", 3)]).expect("writes");
        let known = read(dir.path()).expect("reads");
        assert_eq!(known.len(), 2);
        assert_eq!(known[&("a".to_owned(), "01-a/b".to_owned())]["points"], 2);
    }

    #[test]
    fn two_graders_do_not_write_the_same_file() {
        let dir = tempfile::tempdir().expect("temp dir");
        let first = Results::open(dir.path()).expect("opens");
        assert!(Results::open(dir.path()).expect_err("locked").to_string().contains("another grader"));
        drop(first);
        Results::open(dir.path()).expect("opens");
    }

    #[test]
    fn parts_are_merged_and_merging_again_changes_nothing() {
        let (one, two) = (folder(&[line("b", "k", 1)]), folder(&[line("a", "k", 2)]));
        let out = tempfile::tempdir().expect("temp dir");
        let paths = [one.path().to_owned(), two.path().to_owned()];
        assert_eq!(merge(&paths, out.path()).expect("merges"), 2);
        let text = fs::read_to_string(out.path().join(NAME)).expect("reads");
        let all = [paths.as_slice(), &[out.path().to_owned()]].concat();
        merge(&all, out.path()).expect("merges");
        assert_eq!(fs::read_to_string(out.path().join(NAME)).expect("reads"), text);
        assert!(text.find("\"a\"") < text.find("\"b\""), "{text}");
    }

    #[test]
    fn a_fault_gives_way_and_a_contradiction_does_not() {
        let mut fault = line("a", "k", 0);
        fault["status"] = INFRA_ERROR.into();
        let out = tempfile::tempdir().expect("temp dir");
        let (one, two) = (folder(&[fault]), folder(&[line("a", "k", 2)]));
        for paths in [[&one, &two], [&two, &one]] {
            merge(&paths.map(|dir| dir.path().to_owned()), out.path()).expect("merges");
            assert_eq!(read(out.path()).expect("reads")[&("a".to_owned(), "01-a/b".to_owned())]["points"], 2);
        }
        let three = folder(&[line("a", "other", 3)]);
        let error = merge(&[two.path().to_owned(), three.path().to_owned()], out.path()).expect_err("contradicts");
        assert!(error.to_string().starts_with("a, 01-a/b"), "{error}");
    }
}
