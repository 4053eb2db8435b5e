//! `.pristine`: what an exercise's files were when they were handed out.
//!
//! By it the tools know, without git, that a stub is untouched or that tests were edited, and `reset` recognises the
//! right version in git's history. One line a file: `<xxh3-128 in hex>  <path>`, sorted by path.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_128;

/// The hash of every file of an exercise, by its path relative to the exercise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pristine {
    /// Path (with `/`) to hash.
    pub files: BTreeMap<String, String>,
}

const NAME: &str = ".pristine";
const TREES: [&str; 3] = ["src", "tests", "benches"];
const FILES: [&str; 2] = ["Cargo.toml", "hints.md"];

impl Pristine {
    /// What `.pristine` in `dir` says; nothing where there is no such file.
    #[must_use]
    pub fn read(dir: &Path) -> Option<Self> {
        Some(Self::parse(&fs::read_to_string(dir.join(NAME)).ok()?))
    }

    /// The files as they are now.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of(dir: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for path in exercise_files(dir)? {
            let bytes = fs::read(dir.join(&path))?;
            files.insert(path, hash_bytes(&bytes));
        }
        Ok(Self { files })
    }

    /// The text of a `.pristine` file.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.files.iter().map(|(path, hash)| format!("{hash}  {path}\n")).collect()
    }

    /// Where the file lies in an exercise's folder.
    #[must_use]
    pub fn path(dir: &Path) -> PathBuf {
        dir.join(NAME)
    }

    /// The paths that differ between `self` and `now`: changed, gone or added; sorted.
    #[must_use]
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let differs = |path: &&String| self.files.get(*path) != now.files.get(*path);
        let mut paths: Vec<String> = self.files.keys().chain(now.files.keys()).filter(differs).cloned().collect();
        paths.sort();
        paths.dedup();
        paths
    }

    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let (hash, path) = line.split_once("  ")?;
            Some((path.trim().to_owned(), hash.to_owned()))
        };
        Self { files: text.lines().filter_map(line).collect() }
    }
}

/// The hash of a file's content. A line may end in CRLF or LF: an editor's choice is no edit.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> String {
    let has_crlf = bytes.windows(2).any(|pair| pair == b"\r\n");
    if !has_crlf {
        return format!("{:032x}", xxh3_128(bytes));
    }
    let mut plain = Vec::with_capacity(bytes.len());
    for (index, byte) in bytes.iter().enumerate() {
        if !(*byte == b'\r' && bytes.get(index + 1) == Some(&b'\n')) {
            plain.push(*byte);
        }
    }
    format!("{:032x}", xxh3_128(&plain))
}

/// The files that make an exercise, relative to it and with `/`, sorted.
fn exercise_files(dir: &Path) -> io::Result<Vec<String>> {
    let mut found: Vec<String> =
        FILES.iter().filter(|name| dir.join(name).is_file()).map(|&name| name.to_owned()).collect();
    for tree in TREES {
        if dir.join(tree).is_dir() {
            walk(dir, tree, &mut found)?;
        }
    }
    found.sort();
    Ok(found)
}

/// Adds every file below `dir/relative`; hidden files and editors' leftovers are nobody's source.
pub(crate) fn walk(dir: &Path, relative: &str, found: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(dir.join(relative))? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') || name.ends_with('~') || name.ends_with(".orig") || name.ends_with(".bk") {
            continue;
        }
        let path = format!("{relative}/{name}");
        if entry.file_type()?.is_dir() {
            walk(dir, &path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_seen_and_a_line_ending_is_not() {
        let dir = tempfile::tempdir().expect("temp dir");
        let dir = dir.path();
        fs::create_dir_all(dir.join("src/deep")).expect("folders");
        fs::write(dir.join("src/lib.rs"), "a\nb\n").expect("write");
        fs::write(dir.join("src/deep/x.rs"), "x").expect("write");
        fs::write(dir.join("src/.lib.rs.swp"), "editor").expect("write");
        fs::write(dir.join("Cargo.toml"), "c").expect("write");
        let first = Pristine::of(dir).expect("readable");
        assert_eq!(first.files.keys().collect::<Vec<_>>(), ["Cargo.toml", "src/deep/x.rs", "src/lib.rs"]);

        fs::write(Pristine::path(dir), first.to_text()).expect("write");
        assert_eq!(Pristine::read(dir), Some(first.clone()));

        fs::write(dir.join("src/lib.rs"), "a\r\nb\r\n").expect("write");
        assert_eq!(first.differences(&Pristine::of(dir).expect("readable")), Vec::<String>::new());
        fs::write(dir.join("src/lib.rs"), "a\nc\n").expect("write");
        fs::write(dir.join("src/new.rs"), "").expect("write");
        fs::remove_file(dir.join("src/deep/x.rs")).expect("remove");
        let now = Pristine::of(dir).expect("readable");
        assert_eq!(first.differences(&now), ["src/deep/x.rs", "src/lib.rs", "src/new.rs"]);
    }
}
