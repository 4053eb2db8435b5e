//! One exercise: its metadata, its place in the three trees, its hints and the misunderstandings it knows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use crate::{Id, Misconception, Problem, hints, manifest, pristine, scan, summary, wrong};

/// An exercise as data. Paths are methods; the files behind them may change at any time, the reader is editing them.
#[derive(Clone, Debug)]
pub struct Exercise {
    /// Its path in all three trees.
    pub id: Id,
    /// Its title for people.
    pub title: String,
    /// What the reader will have done, in a sentence.
    pub summary: String,
    /// 1 (warm-up) to 3 (demanding).
    pub difficulty: u8,
    /// How long it takes, about.
    pub minutes: u32,
    /// How long one of its tests may run.
    pub deadline: Duration,
    /// The points of tests that are worth more or less than 1, by the test's full name.
    pub points: BTreeMap<String, u32>,
    /// What to solve before.
    pub builds_on: Vec<Id>,
    /// Three steps towards the answer, as Markdown; empty if the file is missing or broken.
    pub hints: Vec<String>,
    /// The wrong answers that the exercise recognises.
    pub misconceptions: Vec<Misconception>,
    root: PathBuf,
}

/// A test as it stands in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestName {
    /// The module it stands in: `stage_1_validity`; empty at the top of the file.
    pub stage: String,
    /// The function's name.
    pub name: String,
    /// Its doc comment in one line; may be empty.
    pub doc: String,
}

impl TestName {
    /// `stage_1_validity::a_paused_holder_cannot_write`
    #[must_use]
    pub fn full(&self) -> String {
        if self.stage.is_empty() { self.name.clone() } else { format!("{}::{}", self.stage, self.name) }
    }
}

impl Exercise {
    /// The name of its package: `cap-demo`.
    #[must_use]
    pub fn package(&self) -> &str {
        self.id.name()
    }

    /// The name under which tests import it: `cap_demo`.
    #[must_use]
    pub fn lib_name(&self) -> String {
        self.package().replace('-', "_")
    }

    /// `exercises/CH/EX`
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.root.join("exercises").join(self.id.as_str())
    }

    /// `exercises/CH/EX/Cargo.toml`
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.dir().join("Cargo.toml")
    }

    /// `exercises/CH/EX/src/lib.rs`: what the reader writes.
    #[must_use]
    pub fn stub(&self) -> PathBuf {
        self.dir().join("src/lib.rs")
    }

    /// `exercises/CH/EX/tests/EX.rs`
    #[must_use]
    pub fn tests_file(&self) -> PathBuf {
        self.dir().join("tests").join(format!("{}.rs", self.package()))
    }

    /// Every file that is a test program of its own: `tests/*.rs`, sorted.
    #[must_use]
    pub fn test_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir().join("tests")).map(|entries| entries.flatten().collect::<Vec<_>>());
        let mut files: Vec<PathBuf> = entries.unwrap_or_default().into_iter().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
        files.sort();
        files
    }

    /// What lies in `tests` and is no test program of its own, with its path from there: what the tests include.
    ///
    /// # Errors
    /// A folder or a file cannot be read.
    pub fn test_data(&self) -> io::Result<BTreeMap<String, Vec<u8>>> {
        const TESTS: &str = "tests";
        let mut paths = Vec::new();
        pristine::walk(&self.dir(), TESTS, &mut paths)?;
        let below = |path: &str| path.strip_prefix(TESTS).map(|path| path.trim_start_matches('/').to_owned());
        let mut data = BTreeMap::new();
        for name in paths.iter().filter_map(|path| below(path)) {
            if name.contains('/') || !name.ends_with(".rs") {
                let bytes = fs::read(self.dir().join(TESTS).join(&name))?;
                data.insert(name, bytes);
            }
        }
        Ok(data)
    }

    /// `exercises/CH/EX/hints.md`
    #[must_use]
    pub fn hints_file(&self) -> PathBuf {
        self.dir().join("hints.md")
    }

    /// `solutions/CH/EX`
    #[must_use]
    pub fn solution_dir(&self) -> PathBuf {
        self.root.join("solutions").join(self.id.as_str())
    }

    /// `solutions/CH/EX/src/lib.rs`; absent in a handout.
    #[must_use]
    pub fn solution_file(&self) -> Option<PathBuf> {
        let file = self.solution_dir().join("src/lib.rs");
        file.is_file().then_some(file)
    }

    /// `book/src/CH/EX.md`
    #[must_use]
    pub fn page(&self) -> PathBuf {
        self.root.join("book/src").join(format!("{}.md", self.id))
    }

    /// The page's address below the book's: `01-tradeoffs/cap-demo.html`.
    #[must_use]
    pub fn page_url(&self) -> String {
        format!("{}.html", self.id)
    }

    /// The tests as they stand in the sources now, in order.
    #[must_use]
    pub fn tests(&self) -> Vec<TestName> {
        self.test_files()
            .iter()
            .flat_map(|file| scan::test_names(&fs::read_to_string(file).unwrap_or_default()))
            .collect()
    }

    /// The stages in order, each with its tests.
    #[must_use]
    pub fn stages(&self) -> Vec<(String, Vec<TestName>)> {
        let mut stages: Vec<(String, Vec<TestName>)> = Vec::new();
        for test in self.tests() {
            match stages.iter_mut().find(|(stage, _)| *stage == test.stage) {
                Some((_, tests)) => tests.push(test),
                None => stages.push((test.stage.clone(), vec![test])),
            }
        }
        stages
    }

    /// What passing `test` (its full name) is worth.
    #[must_use]
    pub fn points_of(&self, test: &str) -> u32 {
        self.points.get(test).copied().unwrap_or(1)
    }
}

/// Reads one exercise; nothing if its manifest is beyond understanding.
pub(crate) fn read(root: &Path, id: &Id, order: &summary::Order, problems: &mut Vec<Problem>) -> Option<Exercise> {
    let dir = root.join("exercises").join(id.as_str());
    if Id::parse(id.as_str()).is_none() {
        problems.push(Problem::new(
            dir,
            "the folder's name is not a name for a package",
            "use lower-case letters, digits and single dashes",
        ));
        return None;
    }
    let file = dir.join("Cargo.toml");
    let parsed = fs::read_to_string(&file)
        .map_err(|error| manifest::Fault {
            what: format!("cannot be read: {error}"),
            fix: format!(
                "take it back with `cargo xtask reset {0}`, or write it with `cargo xtask new {id}`",
                id.name()
            ),
        })
        .and_then(|text| manifest::parse(&text, id.name()));
    let metadata = match parsed {
        Ok(metadata) => metadata,
        Err(fault) => {
            problems.push(Problem::new(file, fault.what, fault.fix));
            return None;
        }
    };
    let mut exercise = Exercise {
        id: id.clone(),
        title: metadata.title,
        summary: metadata.summary,
        difficulty: metadata.difficulty,
        minutes: metadata.minutes,
        deadline: metadata.deadline,
        points: metadata.points,
        builds_on: metadata.builds_on,
        hints: Vec::new(),
        misconceptions: Vec::new(),
        root: root.to_path_buf(),
    };
    exercise.hints = read_hints(&exercise, problems);
    exercise.misconceptions = wrong::read(&exercise.solution_dir(), problems);
    check_parts(&exercise, order, problems);
    Some(exercise)
}

fn read_hints(exercise: &Exercise, problems: &mut Vec<Problem>) -> Vec<String> {
    let file = exercise.hints_file();
    let parsed = fs::read_to_string(&file).map_err(|error| error.to_string()).and_then(|text| hints::parse(&text));
    parsed.unwrap_or_else(|what| {
        problems.push(Problem::new(file, what, "write three hints under the headings `## 1`, `## 2` and `## 3`"));
        Vec::new()
    })
}

/// The files that the tools do not read here but a reader will miss.
fn check_parts(exercise: &Exercise, order: &summary::Order, problems: &mut Vec<Problem>) {
    let id = &exercise.id;
    let mut lacks = |file: PathBuf, what: &str, fix: String| problems.push(Problem::new(file, what, fix));
    if !exercise.stub().is_file() {
        lacks(exercise.stub(), "the stub is missing", format!("take it back with `cargo xtask reset {}`", id.name()));
    }
    if !exercise.tests_file().is_file() {
        lacks(
            exercise.tests_file(),
            "the tests are missing",
            format!("take them back with `cargo xtask reset {}`", id.name()),
        );
    }
    if !exercise.page().is_file() {
        lacks(exercise.page(), "the exercise has no page", "write the page that teaches it".to_owned());
    }
    if !order.lists(id) {
        let summary = exercise.root.join("book/src/SUMMARY.md");
        lacks(
            summary,
            "an exercise is not in the table of contents",
            format!("add the line `  - [{}]({id}.md)`", exercise.title),
        );
    }
}
