//! From what a person types to exercises: a name, an id, a chapter or a path.

use std::error::Error;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use crate::{Catalog, Chapter, Exercise, nearest};

/// A word that means no exercise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What was typed.
    pub word: String,
    /// What was meant, perhaps.
    pub nearest: Option<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no exercise or chapter `{}`", self.word)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        Ok(())
    }
}

impl Error for Unknown {}

impl Catalog {
    /// The exercises that `word` means, in book order: one by its name (`cap-demo`) or id (`01-tradeoffs/cap-demo`), a
    /// chapter's by its folder (`01-tradeoffs`), words (`tradeoffs`) or number (`1`), or those at a path in any of the trees.
    ///
    /// # Errors
    /// [`Unknown`] with the nearest name.
    pub fn select(&self, word: &str) -> Result<Vec<&Exercise>, Unknown> {
        let plain = word.trim().trim_end_matches(['/', '\\']);
        if let Some(exercise) =
            self.exercises().find(|exercise| exercise.id.name() == plain || exercise.id.as_str() == plain)
        {
            return Ok(vec![exercise]);
        }
        if let Some(chapter) = self.chapters.iter().find(|chapter| chapter.is_called(plain)) {
            return Ok(chapter.exercises.iter().collect());
        }
        let found = self.at_path(Path::new(plain));
        if found.is_empty() { Err(Unknown { word: word.to_owned(), nearest: self.nearest(plain) }) } else { Ok(found) }
    }

    /// The exercises at or around `path`, which may lie in any of the three trees: one for a file or folder of an
    /// exercise, several for a chapter's folder, none elsewhere. Relative paths are tried from here and from the root.
    #[must_use]
    pub fn at_path(&self, path: &Path) -> Vec<&Exercise> {
        let here = std::env::current_dir().unwrap_or_default().join(path);
        [here, self.root.join(path)]
            .iter()
            .map(|path| self.at_full_path(path))
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    fn at_full_path(&self, path: &Path) -> Vec<&Exercise> {
        let (path, root) = (normal(path), normal(&self.root));
        let Ok(inside) = path.strip_prefix(&root) else {
            return Vec::new();
        };
        let mut parts = inside.components().filter_map(|part| part.as_os_str().to_str());
        let below_tree = match parts.next() {
            Some("exercises" | "solutions") => true,
            Some("book") => parts.next() == Some("src"),
            _ => false,
        };
        let Some(chapter) = parts.next().filter(|_| below_tree) else {
            return Vec::new();
        };
        let chapter = self.chapters.iter().filter(|known| known.slug == chapter).flat_map(|chapter| &chapter.exercises);
        match parts.next().map(|name| name.strip_suffix(".md").unwrap_or(name)) {
            Some(name) if name != "README" => chapter.filter(|exercise| exercise.id.name() == name).collect(),
            _ => chapter.collect(),
        }
    }

    fn nearest(&self, word: &str) -> Option<String> {
        let names = self.exercises().flat_map(|exercise| [exercise.id.name(), exercise.id.as_str()]);
        let chapters = self.chapters.iter().map(|chapter| chapter.slug.as_str());
        let by_name = nearest(word, names.chain(chapters));
        // A chapter that is right does not save a name that is wrong: `01-tradeofs/cap-dmeo`.
        let tail = || nearest(word.rsplit('/').next()?, self.exercises().map(|exercise| exercise.id.name()));
        by_name.or_else(tail).map(str::to_owned)
    }
}

impl Chapter {
    fn is_called(&self, word: &str) -> bool {
        let words = self.slug.split_once('-').map(|(_, words)| words);
        self.slug == word || words == Some(word) || word.parse() == Ok(self.number)
    }
}

/// The path without links, `.` and `..`, as far as it exists.
fn normal(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
