//! A verdict: plain data, and the JSON that other programs read (`"schema": 1`).

use catalog::{Exercise, Id};
use serde_json::{Value, json};

/// The number of the JSON's shape. It changes only together with the shape.
pub const SCHEMA: u64 = 1;

/// How one test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end and was content.
    Passed,
    /// It panicked or returned an error.
    Failed,
    /// It was still running at its deadline.
    Timeout,
    /// Its process ended before the test did.
    Crashed,
}

/// Where an exercise stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Every test passed.
    Solved,
    /// Some test did not.
    Failing,
    /// It does not compile.
    BuildError,
}

/// One test's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestVerdict {
    /// Its full name: `stage_1_validity::a_paused_holder_cannot_write`.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it ran.
    pub millis: u64,
    /// Why it did not pass, without the test harness's own words; its last line `at FILE:LINE:COLUMN` where known.
    pub message: String,
    /// What the code printed to standard output. Not part of the JSON.
    pub printed: String,
}

/// One exercise's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The exercise.
    pub id: Id,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: Status,
    /// The points of the tests that passed.
    pub earned: u32,
    /// The points of all tests.
    pub possible: u32,
    /// In the order of the source.
    pub tests: Vec<TestVerdict>,
    /// The claim of the misconception that these failures are known to come from.
    pub misconception: Option<String>,
    /// Rustc's messages if it does not compile. Not part of the JSON.
    pub errors: Vec<String>,
    /// Files that are not the reader's to change and were changed: the verdict is about those handed out instead.
    pub edited: Vec<String>,
}

/// A stage's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The module's name; empty for tests outside any.
    pub name: String,
    /// Tests that passed.
    pub passed: usize,
    /// All its tests.
    pub total: usize,
}

/// All exercises' results in one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Exercises whose every test passed.
    pub solved: usize,
    /// All exercises.
    pub total: usize,
    /// Points of the tests that passed.
    pub earned: u32,
    /// Points of all tests.
    pub possible: u32,
}

impl TestVerdict {
    /// The module that the test stands in, and its own name.
    #[must_use]
    pub fn stage_and_name(&self) -> (&str, &str) {
        self.name.split_once("::").unwrap_or(("", &self.name))
    }

    /// True if the code under test is still a `todo!()`: nothing is wrong yet, it is only not written.
    #[must_use]
    pub fn is_unwritten(&self) -> bool {
        self.outcome == Outcome::Failed && self.message.lines().any(|line| line.starts_with("not yet implemented"))
    }
}

impl Verdict {
    /// Puts the results of an exercise's tests together.
    #[must_use]
    pub fn of_tests(exercise: &Exercise, tests: Vec<TestVerdict>) -> Self {
        let passed = |test: &&TestVerdict| test.outcome == Outcome::Passed;
        let points = |test: &TestVerdict| exercise.points_of(&test.name);
        let solved = !tests.is_empty() && tests.iter().all(|test| passed(&test));
        Self {
            id: exercise.id.clone(),
            title: exercise.title.clone(),
            status: if solved { Status::Solved } else { Status::Failing },
            earned: tests.iter().filter(passed).map(points).sum(),
            possible: tests.iter().map(points).sum(),
            misconception: crate::diagnose::diagnose(&tests, &exercise.misconceptions).map(|known| known.claim.clone()),
            tests,
            errors: Vec::new(),
            edited: Vec::new(),
        }
    }

    /// The verdict on an exercise that does not compile: every test of the source failed for that reason.
    #[must_use]
    pub fn of_errors(exercise: &Exercise, errors: Vec<String>, headline: &str) -> Self {
        let message = format!("does not compile: {headline}");
        let failed = |test: catalog::TestName| TestVerdict {
            name: test.full(),
            outcome: Outcome::Failed,
            millis: 0,
            message: message.clone(),
            printed: String::new(),
        };
        let tests: Vec<TestVerdict> = exercise.tests().into_iter().map(failed).collect();
        let possible = tests.iter().map(|test| exercise.points_of(&test.name)).sum();
        let (id, title) = (exercise.id.clone(), exercise.title.clone());
        let edited = Vec::new();
        Self { id, title, status: Status::BuildError, earned: 0, possible, tests, misconception: None, errors, edited }
    }

    /// The stages in order of their first test.
    #[must_use]
    pub fn stages(&self) -> Vec<Stage> {
        let mut stages: Vec<Stage> = Vec::new();
        for test in &self.tests {
            let (name, _) = test.stage_and_name();
            let at = stages.iter().position(|stage| stage.name == name).unwrap_or_else(|| {
                stages.push(Stage { name: name.to_owned(), passed: 0, total: 0 });
                stages.len() - 1
            });
            stages[at].total += 1;
            stages[at].passed += usize::from(test.outcome == Outcome::Passed);
        }
        stages
    }

    /// The number of tests that passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.tests.iter().filter(|test| test.outcome == Outcome::Passed).count()
    }

    /// One element of `"exercises"`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let stage = |stage: &Stage| json!({"name": stage.name, "passed": stage.passed, "total": stage.total});
        let test = |test: &TestVerdict| json!({"name": test.name, "status": test.outcome.word(), "millis": test.millis, "message": test.message});
        json!({
            "id": self.id.as_str(),
            "title": self.title,
            "status": self.status.word(),
            "points": {"earned": self.earned, "possible": self.possible},
            "stages": self.stages().iter().map(stage).collect::<Vec<_>>(),
            "tests": self.tests.iter().map(test).collect::<Vec<_>>(),
            "misconception": self.misconception,
            "edited": self.edited,
        })
    }

    /// Reads what [`Verdict::to_json`] wrote; nothing if it is something else.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let test = |test: &Value| {
            Some(TestVerdict {
                name: test["name"].as_str()?.to_owned(),
                outcome: Outcome::from_word(test["status"].as_str()?)?,
                millis: test["millis"].as_u64()?,
                message: test["message"].as_str()?.to_owned(),
                printed: String::new(),
            })
        };
        let points = |name: &str| value["points"][name].as_u64().and_then(|points| u32::try_from(points).ok());
        Some(Self {
            id: Id::parse(value["id"].as_str()?)?,
            title: value["title"].as_str()?.to_owned(),
            status: Status::from_word(value["status"].as_str()?)?,
            earned: points("earned")?,
            possible: points("possible")?,
            tests: value["tests"].as_array()?.iter().map(test).collect::<Option<_>>()?,
            misconception: value["misconception"].as_str().map(str::to_owned),
            errors: Vec::new(),
            edited: value["edited"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        })
    }
}

impl Summary {
    /// The sum over `verdicts`.
    #[must_use]
    pub fn of(verdicts: &[Verdict]) -> Self {
        verdicts.iter().fold(Self::default(), |sum, verdict| Self {
            solved: sum.solved + usize::from(verdict.status == Status::Solved),
            total: sum.total + 1,
            earned: sum.earned + verdict.earned,
            possible: sum.possible + verdict.possible,
        })
    }
}

/// The whole document that `check --format json` prints.
#[must_use]
pub fn document(verdicts: &[Verdict]) -> Value {
    let Summary { solved, total, earned, possible } = Summary::of(verdicts);
    json!({
        "schema": SCHEMA,
        "exercises": verdicts.iter().map(Verdict::to_json).collect::<Vec<_>>(),
        "summary": {"solved": solved, "total": total, "points": {"earned": earned, "possible": possible}},
    })
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Passed, Self::Failed, Self::Timeout, Self::Crashed];

    /// Its word in the JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Crashed => "crashed",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Solved, Self::Failing, Self::BuildError];

    /// Its word in the JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Solved => "solved",
            Self::Failing => "failing",
            Self::BuildError => "build-error",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, outcome: Outcome) -> TestVerdict {
        TestVerdict { name: name.to_owned(), outcome, millis: 3, message: "m".to_owned(), printed: String::new() }
    }

    fn verdict() -> Verdict {
        Verdict {
            id: Id::new("01-a", "b"),
            title: "T".to_owned(),
            status: Status::Failing,
            earned: 1,
            possible: 4,
            tests: vec![
                test("stage_1_x::a", Outcome::Passed),
                test("stage_1_x::b", Outcome::Timeout),
                test("stage_2_y::c", Outcome::Crashed),
                test("d", Outcome::Failed),
            ],
            misconception: Some("wrong".to_owned()),
            errors: Vec::new(),
            edited: vec!["tests/b.rs".to_owned()],
        }
    }

    #[test]
    fn json_is_read_back_as_it_was_written() {
        let text = verdict().to_json().to_string();
        let read = Verdict::from_json(&serde_json::from_str(&text).expect("JSON"));
        assert_eq!(read, Some(verdict()));
    }

    #[test]
    fn the_document_has_the_published_shape() {
        let document = document(&[verdict()]);
        assert_eq!(document["schema"], 1);
        let exercise = &document["exercises"][0];
        // Sorted here: another crate of the same build may have serde_json keep the order of insertion.
        let mut keys: Vec<&String> = exercise.as_object().expect("object").keys().collect();
        keys.sort();
        assert_eq!(keys, ["edited", "id", "misconception", "points", "stages", "status", "tests", "title"]);
        assert_eq!(exercise["stages"][0], json!({"name": "stage_1_x", "passed": 1, "total": 2}));
        assert_eq!(
            exercise["tests"][1],
            json!({"name": "stage_1_x::b", "status": "timeout", "millis": 3, "message": "m"})
        );
        let summary = json!({"solved": 0, "total": 1, "points": {"earned": 1, "possible": 4}});
        assert_eq!(document["summary"], summary);
    }

    #[test]
    fn something_else_is_not_taken_for_a_verdict() {
        assert_eq!(Verdict::from_json(&json!({"id": "01-a/b"})), None);
        assert_eq!(Verdict::from_json(&json!([])), None);
    }
}
