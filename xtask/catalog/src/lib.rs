//! The three trees of the workbook (pages, exercises, solutions), read once into typed data.
//!
//! The path `CH/EX` is an exercise's identity in all three. Nothing else reads the trees: the runner, the judge and the
//! book's builder ask a [`Catalog`]. Reading never stops at the first fault: [`Catalog::read`] returns what could be
//! understood together with every [`Problem`], each naming its file and its fix.

mod exercise;
mod fingerprint;
mod hints;
mod id;
mod manifest;
mod nearest;
mod pristine;
mod problem;
mod scan;
mod select;
mod summary;
mod wrong;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub use exercise::{Exercise, TestName};
pub use fingerprint::Shared;
pub use id::Id;
pub use nearest::nearest;
pub use pristine::{Pristine, hash_bytes};
pub use problem::{Problem, Problems};
pub use scan::{calls_macro, test_names};
pub use select::Unknown;
pub use wrong::Misconception;

/// Everything the tools know about the workbook, in book order.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// The folder that holds `book`, `exercises` and `solutions`.
    pub root: PathBuf,
    /// The chapters that have at least one exercise, by number.
    pub chapters: Vec<Chapter>,
}

/// A folder of exercises that share a chapter of the book.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// The folder's name: `01-tradeoffs`.
    pub slug: String,
    /// The number in front of the slug.
    pub number: u32,
    /// The first heading of the chapter's `README.md`; the slug in words where that page is missing.
    pub title: String,
    /// In the order of `book/src/SUMMARY.md`.
    pub exercises: Vec<Exercise>,
}

impl Catalog {
    /// Reads the trees under `root` and accepts no fault.
    ///
    /// # Errors
    /// Every [`Problem`] of [`Catalog::read`], if there is one.
    pub fn load(root: &Path) -> Result<Self, Problems> {
        let (catalog, problems) = Self::read(root);
        if problems.0.is_empty() { Ok(catalog) } else { Err(problems) }
    }

    /// Reads as much of the trees under `root` as can be understood. An exercise whose manifest cannot be read is left
    /// out; one that lacks a page, hints or a solution is in, with empty fields, and the lack is a problem.
    #[must_use]
    pub fn read(root: &Path) -> (Self, Problems) {
        let mut problems = Vec::new();
        let order = summary::read(root, &mut problems);
        let mut chapters = Vec::new();
        for slug in chapter_slugs(root, &mut problems) {
            let chapter = read_chapter(root, slug, &order, &mut problems);
            if !chapter.exercises.is_empty() {
                chapters.push(chapter);
            }
        }
        let catalog = Self { root: root.to_path_buf(), chapters };
        catalog.check_names(&mut problems);
        catalog.check_builds_on(&mut problems);
        catalog.check_solutions(&mut problems);
        (catalog, Problems(problems))
    }

    /// The nearest folder at or above `from` that is the root of a workbook.
    #[must_use]
    pub fn find_root(from: &Path) -> Option<PathBuf> {
        let is_root = |dir: &&Path| dir.join("Cargo.toml").is_file() && dir.join("exercises").is_dir();
        from.ancestors().find(is_root).map(Path::to_path_buf)
    }

    /// All exercises in book order.
    pub fn exercises(&self) -> impl Iterator<Item = &Exercise> {
        self.chapters.iter().flat_map(|chapter| &chapter.exercises)
    }

    /// The exercise with this id.
    #[must_use]
    pub fn get(&self, id: &Id) -> Option<&Exercise> {
        self.exercises().find(|exercise| exercise.id == *id)
    }

    /// The place of `id` in book order, counted from 0.
    #[must_use]
    pub fn position(&self, id: &Id) -> Option<usize> {
        self.exercises().position(|exercise| exercise.id == *id)
    }

    /// The chapter of `id`.
    #[must_use]
    pub fn chapter(&self, id: &Id) -> Option<&Chapter> {
        self.chapters.iter().find(|chapter| chapter.slug == id.chapter())
    }

    /// True for a copy of the course that was handed out without its solutions.
    #[must_use]
    pub fn is_handout(&self) -> bool {
        self.exercises().all(|exercise| exercise.solution_file().is_none())
    }

    fn check_names(&self, problems: &mut Vec<Problem>) {
        let mut seen: BTreeMap<&str, &Id> = BTreeMap::new();
        for exercise in self.exercises() {
            if let Some(first) = seen.insert(exercise.id.name(), &exercise.id) {
                problems.push(Problem::new(
                    exercise.dir(),
                    format!("the name {} is taken by {first}", exercise.id.name()),
                    "rename one of the two: a name is also the name of a package, and those are unique",
                ));
            }
        }
    }

    /// A handout may lack an exercise that another builds on: somebody chose so.
    fn check_builds_on(&self, problems: &mut Vec<Problem>) {
        if self.is_handout() {
            return;
        }
        for exercise in self.exercises() {
            for id in exercise.builds_on.iter().filter(|id| self.get(id).is_none()) {
                problems.push(Problem::new(
                    exercise.manifest(),
                    format!("`builds_on` names {id}, which does not exist"),
                    "name exercises by their id, such as \"01-tradeoffs/cap-demo\"",
                ));
            }
        }
    }

    /// A handout has no solutions at all; a workbook that has some lacks the others by mistake.
    fn check_solutions(&self, problems: &mut Vec<Problem>) {
        if self.is_handout() {
            return;
        }
        for exercise in self.exercises().filter(|exercise| exercise.solution_file().is_none()) {
            problems.push(Problem::new(
                exercise.solution_dir().join("src/lib.rs"),
                "the exercise has no solution",
                format!("write the reference solution in {}", exercise.solution_dir().display()),
            ));
        }
    }
}

/// The folders of `exercises/` whose names begin with a number, ordered by it.
fn chapter_slugs(root: &Path, problems: &mut Vec<Problem>) -> Vec<String> {
    let exercises = root.join("exercises");
    let mut slugs: Vec<(u32, String)> = match folders(&exercises) {
        Ok(names) => names.into_iter().filter_map(|name| Some((id::chapter_number(&name)?, name))).collect(),
        Err(error) => {
            problems.push(Problem::new(
                exercises,
                format!("cannot be listed: {error}"),
                "run from inside a copy of the workbook",
            ));
            Vec::new()
        }
    };
    slugs.sort();
    slugs.into_iter().map(|(_, slug)| slug).collect()
}

fn read_chapter(root: &Path, slug: String, order: &summary::Order, problems: &mut Vec<Problem>) -> Chapter {
    let number = id::chapter_number(&slug).unwrap_or_default();
    let mut names = folders(&root.join("exercises").join(&slug)).unwrap_or_default();
    // A folder that git left empty behind, or an editor's, is not an exercise.
    names.retain(|name| root.join("exercises").join(&slug).join(name).join("src").is_dir());
    let mut exercises: Vec<Exercise> =
        names.into_iter().filter_map(|name| exercise::read(root, &Id::new(&slug, &name), order, problems)).collect();
    exercises.sort_by_key(|exercise| (order.position(&exercise.id), exercise.id.clone()));
    let title = if exercises.is_empty() { id::in_words(&slug) } else { chapter_title(root, &slug, problems) };
    Chapter { slug, number, title, exercises }
}

fn chapter_title(root: &Path, slug: &str, problems: &mut Vec<Problem>) -> String {
    let page = root.join("book/src").join(slug).join("README.md");
    let heading = fs::read_to_string(&page)
        .ok()
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("# ").map(|title| title.trim().to_owned())));
    heading.unwrap_or_else(|| {
        problems.push(Problem::new(
            page,
            "the chapter has no introduction with a title",
            "write the page, its first line `# The chapter's title`",
        ));
        id::in_words(slug)
    })
}

/// The names of the folders in `dir`, sorted.
fn folders(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.path().is_dir() {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    names.sort();
    Ok(names)
}
