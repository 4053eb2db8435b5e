//! Files into a folder that others may have worked in since.
//!
//! The folder keeps a list of what was handed out and its hashes. A file whose hash is no longer the listed one is somebody's
//! work: it stays, and its new version is put aside. The list is written last, so a run that was interrupted is completed by
//! the next one: a file that is already as it should be is never in the way.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use catalog::hash_bytes;
use judge::files;

use super::contents::Files;

/// What was handed out: `<hash>  <path>`, one line a file.
pub(super) const LIST: &str = ".handout/list";
/// Where new versions of edited files are put.
pub(super) const UPDATES: &str = ".handout/updates";

/// What happened to the files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Laid {
    /// New, or another version than before.
    pub(super) written: Vec<String>,
    /// No longer part of the course.
    pub(super) removed: Vec<String>,
    /// Edited in the folder and left alone.
    pub(super) kept: Vec<String>,
}

pub(super) fn lay(dir: &Path, wanted: &Files) -> io::Result<Laid> {
    let before = read_list(dir);
    let mut after: BTreeMap<String, String> = BTreeMap::new();
    let mut laid = Laid::default();
    for (path, content) in wanted {
        let hash = hash_bytes(content);
        let now = fs::read(dir.join(path)).ok().map(|now| hash_bytes(&now));
        let listed = before.get(path);
        after.insert(path.clone(), hash.clone());
        if now.as_ref() == Some(&hash) {
            continue;
        }
        // A file that was handed out and is gone was deleted by somebody; one that was never listed was made by somebody.
        let untouched = now.as_ref() == listed;
        if untouched {
            files::write_atomically(&dir.join(path), content)?;
            laid.written.push(path.clone());
            continue;
        }
        if listed != Some(&hash) {
            files::write_atomically(&dir.join(UPDATES).join(path), content)?;
            laid.kept.push(path.clone());
        }
    }
    for (path, listed) in before.iter().filter(|(path, _)| !wanted.contains_key(*path)) {
        match fs::read(dir.join(path)) {
            Ok(now) if hash_bytes(&now) == *listed => {
                fs::remove_file(dir.join(path))?;
                laid.removed.push(path.clone());
            }
            Ok(_) => laid.kept.push(path.clone()),
            Err(_) => {}
        }
    }
    write_list(dir, &after)?;
    Ok(laid)
}

/// Notes the present content of a file as the one that was handed out.
pub(super) fn list_again(dir: &Path, path: &str) -> io::Result<()> {
    let mut list = read_list(dir);
    if let Ok(now) = fs::read(dir.join(path)) {
        list.insert(path.to_owned(), hash_bytes(&now));
    }
    write_list(dir, &list)
}

fn read_list(dir: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(dir.join(LIST)).unwrap_or_default();
    let line = |line: &str| line.split_once("  ").map(|(hash, path)| (path.to_owned(), hash.to_owned()));
    text.lines().filter_map(line).collect()
}

fn write_list(dir: &Path, list: &BTreeMap<String, String>) -> io::Result<()> {
    let text: String = list.iter().map(|(path, hash)| format!("{hash}  {path}\n")).collect();
    files::write_atomically(&dir.join(LIST), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(pairs: &[(&str, &str)]) -> Files {
        pairs.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn an_upgrade_changes_what_nobody_touched_and_nothing_else() {
        let dir = tempfile::tempdir().expect("temp dir");
        let dir = dir.path();
        let read = |path: &str| fs::read_to_string(dir.join(path)).ok();
        lay(dir, &wanted(&[("stub", "1"), ("tests", "1"), ("old", "1"), ("edited-old", "1"), ("gone", "1")]))
            .expect("writes");
        fs::write(dir.join("stub"), "mine").expect("write");
        fs::write(dir.join("edited-old"), "mine").expect("write");
        fs::write(dir.join("new"), "mine").expect("write");
        fs::remove_file(dir.join("gone")).expect("remove");

        let second = wanted(&[("stub", "2"), ("tests", "2"), ("new", "2"), ("gone", "2")]);
        let laid = lay(dir, &second).expect("writes");
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(laid.written, words(&["tests"]));
        assert_eq!(laid.removed, words(&["old"]));
        assert_eq!(laid.kept, words(&["gone", "new", "stub", "edited-old"]));
        assert_eq!((read("stub").as_deref(), read("new").as_deref(), read("gone")), (Some("mine"), Some("mine"), None));
        assert_eq!(read(".handout/updates/stub").as_deref(), Some("2"));

        // The same once more has nothing to do and nothing to say.
        assert_eq!(lay(dir, &second).expect("writes"), Laid::default());
    }

    #[test]
    fn an_interrupted_upgrade_is_completed() {
        let dir = tempfile::tempdir().expect("temp dir");
        lay(dir.path(), &wanted(&[("a", "1"), ("b", "1")])).expect("writes");
        // As if the power had failed between the first file and the list.
        fs::write(dir.path().join("a"), "2").expect("write");
        let laid = lay(dir.path(), &wanted(&[("a", "2"), ("b", "2")])).expect("writes");
        assert_eq!((laid.written.len(), laid.kept.len()), (1, 0));
    }
}
