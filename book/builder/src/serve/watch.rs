//! Whether files have changed, by looking: it works on every file system, in containers and over networks.

use crate::Project;
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

/// A set of files and how they last looked.
#[derive(Debug)]
pub(super) struct Watch {
    roots: Vec<PathBuf>,
    /// Whether what a reader writes (`exercises/CH/EX/src`) is left out.
    without_answers: bool,
    seen: u64,
}

impl Watch {
    /// What pages are made of: the book, and the crates they include from. A reader's own `src` is not part of that.
    pub(super) fn pages(project: &Project) -> Self {
        let book = project.book();
        let roots = vec![
            book.join("src"),
            book.join("theme"),
            book.join("book.toml"),
            project.root.join("exercises"),
            project.root.join("solutions"),
        ];
        Self::new(roots, true)
    }

    /// What progress is derived from: the verdicts, and the sources that they are about.
    pub(super) fn progress(project: &Project) -> Self {
        Self::new(vec![project.verdicts(), project.root.join("exercises")], false)
    }

    fn new(roots: Vec<PathBuf>, without_answers: bool) -> Self {
        let mut watch = Self { roots, without_answers, seen: 0 };
        watch.changed();
        watch
    }

    /// Whether anything has changed since the last call.
    pub(super) fn changed(&mut self) -> bool {
        let mut hasher = DefaultHasher::new();
        for root in &self.roots {
            look(root, self.without_answers, &mut hasher);
        }
        let now = hasher.finish();
        std::mem::replace(&mut self.seen, now) != now
    }
}

fn look(path: &Path, without_answers: bool, hasher: &mut DefaultHasher) {
    let Ok(meta) = fs::metadata(path) else { return };
    if meta.is_file() {
        path.hash(hasher);
        meta.len().hash(hasher);
        meta.modified().ok().hash(hasher);
        return;
    }
    let Ok(entries) = fs::read_dir(path) else { return };
    let mut below: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    below.sort();
    for path in below {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // An exercise's `src` lies beside its hints; a solution's and the book's do not.
        let answer = name == "src" && path.with_file_name("hints.md").exists();
        if !name.starts_with('.') && name != "target" && !(without_answers && answer) {
            look(&path, without_answers, hasher);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readers_save_changes_progress_and_no_page() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let exercise = root.path().join("exercises/01-a/b");
        fs::create_dir_all(exercise.join("src")).expect("can be made");
        fs::write(exercise.join("hints.md"), "## 1").expect("can be written");
        let project = Project { root: root.path().to_owned(), target: root.path().join("target") };
        let (mut pages, mut progress) = (Watch::pages(&project), Watch::progress(&project));
        assert!(!pages.changed() && !progress.changed(), "nothing has happened");

        fs::write(exercise.join("src/lib.rs"), "pub fn answer() {}").expect("can be written");
        assert!(!pages.changed(), "no page is made of the reader's answer");
        assert!(progress.changed());

        fs::write(exercise.join("hints.md"), "## 1\nlonger").expect("can be written");
        assert!(pages.changed() && progress.changed());
    }
}
