//! What is taken from a submission: regular UTF-8 files below the `src` of an exercise, and nothing else.
//!
//! A manifest, a test, a build script, a toolchain file or a cargo configuration is not looked at. No link is followed and
//! nothing is opened that is not a regular file, so a pipe cannot block and a link cannot reach another student's folder.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use catalog::Exercise;
use judge::overlay::Sources;

use crate::collect::{Found, Tree};

/// The largest file that is taken, in bytes.
pub const FILE: u64 = 256 * 1024;
/// The most files of one exercise.
pub const FILES: usize = 64;
/// How deep folders may be nested below `src`.
const DEPTH: usize = 8;
/// The most files and folders that are looked at.
const LOOKS: usize = 1024;

const TOO_LARGE: &str = "larger than 256 KiB";
const NOT_TEXT: &str = "not UTF-8, or not readable";
const NOT_REGULAR: &str = "not a regular file";

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vetted {
    /// What will be judged.
    pub sources: Sources,
    /// Paths that were not taken, and why.
    pub refused: Vec<String>,
}

/// Takes the sources of `exercise`.
#[must_use]
pub fn vet(tree: &Tree, exercise: &Exercise) -> Vetted {
    match tree {
        Tree::Folder(root) => of_folder(root, exercise),
        Tree::Files(files) => of_files(files, exercise),
        Tree::Unreadable(why) => Vetted { sources: Sources::new(), refused: vec![why.clone()] },
    }
}

/// True for a path that could be a source of some exercise: `exercises/CH/EX/src/….rs`.
#[must_use]
pub(crate) fn is_candidate(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.next() == Some("exercises") && parts.nth(2) == Some("src") && parts.next_back().is_some_and(is_source)
}

fn is_source(name: &str) -> bool {
    name.ends_with(".rs") && !name.starts_with('.')
}

fn of_files(files: &BTreeMap<String, Found>, exercise: &Exercise) -> Vetted {
    let mut vetted = Vetted::default();
    let prefix = format!("exercises/{}/src/", exercise.id);
    for (path, found) in files.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix)) {
        let path = &path[prefix.len()..];
        let text = match found {
            Found::Other => Err(NOT_REGULAR),
            Found::File(bytes) if bytes.len() as u64 > FILE => Err(TOO_LARGE),
            Found::File(_) if path.matches('/').count() > DEPTH => Err("folders too deep"),
            Found::File(_) if vetted.sources.len() >= FILES => Err("too many files"),
            Found::File(bytes) => String::from_utf8(bytes.clone()).map_err(|_| NOT_TEXT),
        };
        match text {
            Ok(text) => drop(vetted.sources.insert(path.to_owned(), text)),
            Err(why) => vetted.refused.push(format!("{path}: {why}")),
        }
    }
    vetted
}

fn of_folder(root: &Path, exercise: &Exercise) -> Vetted {
    let mut vetted = Vetted::default();
    let mut folder = root.to_owned();
    for part in ["exercises", exercise.id.chapter(), exercise.id.name(), "src"] {
        folder.push(part);
        match fs::symlink_metadata(&folder) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                vetted.refused.push(format!("{part}: not a folder"));
                return vetted;
            }
            Err(_) => return vetted,
        }
    }
    if let Err(error) = take(&folder, "", 0, &mut LOOKS.clone(), &mut vetted) {
        vetted.refused.push(format!("src: {error}"));
    }
    vetted
}

fn take(folder: &Path, prefix: &str, depth: usize, looks: &mut usize, vetted: &mut Vetted) -> io::Result<()> {
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(folder)?.take(*looks).collect::<Result<_, _>>()?;
    *looks -= entries.len();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let Ok(name) = entry.file_name().into_string() else {
            vetted.refused.push(format!("{prefix}{}: a name that is not UTF-8", entry.file_name().to_string_lossy()));
            continue;
        };
        let path = format!("{prefix}{name}");
        // Of the entry itself, not of what it points to.
        let kind = entry.file_type()?;
        let refusal = if kind.is_dir() {
            if depth < DEPTH {
                take(&entry.path(), &format!("{path}/"), depth + 1, looks, vetted)?;
                continue;
            }
            "folders too deep"
        } else if !kind.is_file() {
            NOT_REGULAR
        } else if !is_source(&name) {
            "not a Rust source"
        } else if vetted.sources.len() >= FILES {
            "too many files"
        } else {
            match read(&entry.path()) {
                Ok(Some(text)) => {
                    vetted.sources.insert(path, text);
                    continue;
                }
                Ok(None) => TOO_LARGE,
                Err(_) => NOT_TEXT,
            }
        };
        vetted.refused.push(format!("{path}: {refusal}"));
    }
    Ok(())
}

/// The text of a file; nothing if it is too large. The bound holds for what is read, whatever the size was said to be.
fn read(path: &Path) -> io::Result<Option<String>> {
    let mut text = String::new();
    fs::File::open(path)?.take(FILE + 1).read_to_string(&mut text)?;
    Ok((text.len() as u64 <= FILE).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_a_rust_source_below_an_exercise() {
        assert!(is_candidate("exercises/01-a/b/src/lib.rs"));
        assert!(is_candidate("exercises/01-a/b/src/deep/er.rs"));
        for other in [
            "exercises/01-a/b/tests/b.rs",
            "exercises/01-a/b/Cargo.toml",
            "exercises/01-a/b/src/.x.rs",
            "exercises/01-a/b/src",
            "src/lib.rs",
            "solutions/01-a/b/src/lib.rs",
        ] {
            assert!(!is_candidate(other), "{other}");
        }
    }
}
