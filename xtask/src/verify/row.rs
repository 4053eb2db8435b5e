//! One exercise's row: what is proved, and every reason why something is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use catalog::{Exercise, Id, Pristine, Problem, calls_macro};
use judge::{Outcome, Status, Verdict};
use serde_json::{Value, json};

use super::Evidence;
use crate::ui;
use crate::workbook::Workbook;

/// How many wrong answers an exercise has at least.
const WRONG_ANSWERS: usize = 3;
/// How many words of prose a page has at most.
const PROSE: usize = 1500;

pub(crate) struct Row {
    id: Id,
    stub: Vec<String>,
    solution: Vec<String>,
    wrong: Vec<String>,
    parts: Vec<String>,
    wrong_count: usize,
    tests: usize,
    words: usize,
    is_kept: bool,
}

impl Row {
    /// Weighs the evidence.
    pub(crate) fn of(workbook: &Workbook, exercise: &Exercise, evidence: &Evidence) -> Self {
        let (stub, solution, wrong) = (stub(evidence), solution(exercise, evidence), wrong(exercise, evidence));
        let tests = evidence.judged.get("solution").map_or(0, |judged| judged.verdict.tests.len());
        let parts = parts(workbook, exercise, evidence);
        let wrong_count = exercise.misconceptions.len();
        Self {
            id: exercise.id.clone(),
            stub,
            solution,
            wrong,
            parts,
            wrong_count,
            tests,
            words: words_of(exercise),
            is_kept: false,
        }
    }

    /// The row of an exercise that was proved before, with so many tests.
    pub(crate) fn kept(exercise: &Exercise, tests: usize) -> Self {
        let none = Vec::new;
        let (id, wrong_count) = (exercise.id.clone(), exercise.misconceptions.len());
        Self {
            id,
            stub: none(),
            solution: none(),
            wrong: none(),
            parts: none(),
            wrong_count,
            tests,
            words: words_of(exercise),
            is_kept: true,
        }
    }

    /// How many tests the exercise has.
    pub(crate) fn tests(&self) -> usize {
        self.tests
    }

    /// True if `problem` is one of this exercise's files or of its place in the book.
    pub(crate) fn owns(exercise: &Exercise, problem: &Problem) -> bool {
        problem.file.starts_with(exercise.dir())
            || problem.file.starts_with(exercise.solution_dir())
            || problem.file == exercise.page()
            || (problem.file.ends_with("SUMMARY.md") && problem.fix.contains(exercise.id.as_str()))
    }

    pub(crate) fn is_proved(&self) -> bool {
        self.reasons().next().is_none()
    }

    fn reasons(&self) -> impl Iterator<Item = &String> {
        self.stub.iter().chain(&self.solution).chain(&self.wrong).chain(&self.parts)
    }

    pub(crate) fn to_text(&self) -> String {
        let mark = |reasons: &[String]| if reasons.is_empty() { ui::good("✓") } else { ui::bad("✗") };
        let mut text = format!(
            "{} {:<36} stub {}   solution {}   {} {}   parts {}   {}\n",
            if self.is_proved() { ui::good("✓") } else { ui::bad("✗") },
            self.id,
            mark(&self.stub),
            mark(&self.solution),
            ui::count(self.wrong_count, "wrong answer"),
            mark(&self.wrong),
            mark(&self.parts),
            ui::dim(&format!(
                "{}, {}{}",
                ui::count(self.tests, "test"),
                ui::count(self.words, "word"),
                if self.is_kept { ", unchanged since it was proved" } else { "" }
            )),
        );
        for reason in self.reasons() {
            let _ = writeln!(text, "    {}", reason.trim_end().replace('\n', "\n    "));
        }
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id.as_str(),
            "proved": self.is_proved(),
            "tests": self.tests,
            "wrong_answers": self.wrong_count,
            "unchanged": self.is_kept,
            "reasons": {"stub": self.stub, "solution": self.solution, "wrong": self.wrong, "parts": self.parts},
        })
    }
}

/// The tests that did not pass.
pub(crate) fn failed(verdict: &Verdict) -> BTreeSet<String> {
    verdict.tests.iter().filter(|test| test.outcome != Outcome::Passed).map(|test| test.name.clone()).collect()
}

fn stub(evidence: &Evidence) -> Vec<String> {
    let mut reasons: Vec<String> =
        evidence.reasons.iter().filter(|reason| reason.starts_with("stub:")).cloned().collect();
    let Some(judged) = evidence.judged.get("stub") else { return reasons };
    reasons.extend(judged.built.errors.iter().map(|error| format!("stub: does not compile\n{error}")));
    if judged.verdict.status == Status::BuildError {
        if judged.built.errors.is_empty() {
            reasons.push("stub: there is not one test to run".to_owned());
        }
        return reasons;
    }
    let warnings = judged.built.warnings.iter().chain(&evidence.lints[0]);
    reasons.extend(distinct(warnings).into_iter().map(|warning| format!("stub: compiles with a warning\n{warning}")));
    for test in &judged.verdict.tests {
        match test.outcome {
            Outcome::Passed => reasons.push(format!("stub: {} passes already: a test must need an answer", test.name)),
            Outcome::Timeout => reasons.push(format!("stub: {} hangs", test.name)),
            Outcome::Crashed => reasons.push(format!("stub: {} crashes: {}", test.name, test.message)),
            Outcome::Failed => {}
        }
    }
    reasons
}

fn solution(exercise: &Exercise, evidence: &Evidence) -> Vec<String> {
    let mut reasons: Vec<String> =
        evidence.reasons.iter().filter(|reason| reason.starts_with("solution:")).cloned().collect();
    let Some(judged) = evidence.judged.get("solution") else { return reasons };
    reasons.extend(judged.built.errors.iter().map(|error| format!("solution: does not compile\n{error}")));
    if judged.built.errors.is_empty() {
        let tests = judged.verdict.tests.iter().filter(|test| test.outcome != Outcome::Passed);
        reasons.extend(tests.map(|test| format!("solution: {} {}: {}", test.name, test.outcome.word(), test.message)));
    }
    let compiles = judged.built.errors.is_empty();
    let lints = evidence.lints[1].iter().filter(|_| compiles);
    let warnings = distinct(judged.built.warnings.iter().chain(lints));
    reasons.extend(warnings.into_iter().map(|warning| format!("solution: has a warning\n{warning}")));
    let sources = exercise.solution_file().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    for name in ["todo", "unimplemented"] {
        if calls_macro(&sources, name) {
            reasons.push(format!("solution: has a {name}!"));
        }
    }
    if !exercise.solution_dir().join("Cargo.toml").is_file() {
        reasons.push("solution: has no Cargo.toml, so the workspace does not test it".to_owned());
    }
    reasons
}

fn wrong(exercise: &Exercise, evidence: &Evidence) -> Vec<String> {
    let mut reasons: Vec<String> =
        evidence.reasons.iter().filter(|reason| reason.starts_with("wrong/")).cloned().collect();
    if exercise.misconceptions.len() < WRONG_ANSWERS {
        reasons.push(format!("wrong answers: {} instead of at least {WRONG_ANSWERS}", exercise.misconceptions.len()));
    }
    let mut lists: BTreeMap<&BTreeSet<String>, &str> = BTreeMap::new();
    for known in &exercise.misconceptions {
        let Some(judged) = evidence.judged.get(&format!("wrong-{}", known.slug)) else { continue };
        let name = format!("wrong/{}.patch", known.slug);
        if !judged.built.errors.is_empty() {
            reasons.push(format!("{name} does not compile\n{}", judged.built.errors.join("\n")));
            continue;
        }
        let failed = failed(&judged.verdict);
        if failed.is_empty() {
            reasons.push(format!("{name} survives: no test rejects it"));
            continue;
        }
        if failed != known.fails {
            reasons.push(format!("{name} {}", difference(&known.fails, &failed)));
        }
        if let Some(other) = lists.insert(&known.fails, &known.slug).filter(|_| !known.fails.is_empty()) {
            reasons.push(format!("{name} fails the same tests as wrong/{other}.patch: nobody can tell them apart"));
        }
    }
    reasons
}

fn difference(listed: &BTreeSet<String>, failed: &BTreeSet<String>) -> String {
    let names = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    let mut parts = Vec::new();
    if !names(failed, listed).is_empty() {
        parts.push(format!("also fails {}", names(failed, listed)));
    }
    if !names(listed, failed).is_empty() {
        parts.push(format!("does not fail {}", names(listed, failed)));
    }
    format!("is not rejected as its `Fails:` line says: it {} (--bless writes the line)", parts.join("; it "))
}

/// Everything around the code: page, hints, contents, metadata, format, `.pristine`.
fn parts(workbook: &Workbook, exercise: &Exercise, evidence: &Evidence) -> Vec<String> {
    let mut reasons = Vec::new();
    for problem in workbook.problems.0.iter().filter(|problem| Row::owns(exercise, problem)) {
        reasons.push(format!("{}: {} ({})", workbook.relative(&problem.file), problem.what, problem.fix));
    }
    // What the scaffold left to say. The stub may keep a TODO: there it is addressed to the reader.
    let mut files = vec![exercise.manifest(), exercise.hints_file(), exercise.page()];
    files.extend(exercise.test_files().into_iter().chain(exercise.solution_file()));
    files.push(exercise.page().with_file_name("README.md"));
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let lines = text.lines().filter(|line| line.contains("TODO")).count();
        if lines > 0 {
            reasons.push(format!("{}: {} with TODO", workbook.relative(&file), ui::count(lines, "line")));
        }
    }
    let stub = fs::read_to_string(exercise.stub()).unwrap_or_default();
    if stub.contains("TODO: ") && stub.contains("todo!(\"TODO") {
        reasons.push(format!("{}: still the scaffold's", workbook.relative(&exercise.stub())));
    }
    for file in &evidence.unformatted {
        reasons.push(format!("{file}: not as rustfmt writes it (cargo fmt)"));
    }
    let tests: BTreeSet<String> = evidence
        .judged
        .get("solution")
        .map(|judged| judged.verdict.tests.iter().map(|test| test.name.clone()).collect())
        .unwrap_or_default();
    for name in exercise.points.keys().filter(|name| !tests.is_empty() && !tests.contains(*name)) {
        reasons.push(format!("Cargo.toml: `points` names a test that does not exist: {name}"));
    }
    for test in tests.iter().filter(|name| !name.starts_with("stage_")) {
        reasons.push(format!("tests: {test} stands in no `mod stage_…`"));
    }
    reasons.extend(pristine(exercise));
    reasons.extend(book(workbook, exercise));
    reasons
}

/// What the page needs beside itself, and its length.
fn book(workbook: &Workbook, exercise: &Exercise) -> Vec<String> {
    let mut reasons = Vec::new();
    let file = |folder: &str| format!("book/{folder}/{}.toml", exercise.id.chapter());
    let read = |file: &str| fs::read_to_string(workbook.catalog.root.join(file)).unwrap_or_default();
    let (claims, topics) = (read(&file("claims")), read(&file("topics")));
    if !claims.contains(&format!("page = \"{}.md\"", exercise.id)) {
        reasons.push(format!("{}: no claim of {}.md, and no word on how we know", file("claims"), exercise.id));
    }
    if !topics.contains(&format!("\"{}.md", exercise.id)) {
        reasons.push(format!("{}: no topic leads to {}.md", file("topics"), exercise.id));
    }
    for (name, text) in [("claims", &claims), ("topics", &topics)] {
        if text.contains("TODO") {
            reasons.push(format!("{}: still the scaffold's", file(name)));
        }
    }
    let words = words_of(exercise);
    if words > PROSE {
        reasons.push(format!(
            "{}: {words} words of prose; nobody reads more than {PROSE}",
            workbook.relative(&exercise.page())
        ));
    }
    reasons
}

/// How long the exercise's page is.
fn words_of(exercise: &Exercise) -> usize {
    prose(&fs::read_to_string(exercise.page()).unwrap_or_default())
}

/// The words of a page outside code, directives and references.
fn prose(page: &str) -> usize {
    let body = page.split("\n## References").next().unwrap_or_default();
    let outside_code = body.split("```").step_by(2);
    outside_code
        .flat_map(str::lines)
        .filter(|line| !line.trim_start().starts_with("{{#"))
        .map(|line| line.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count())
        .sum()
}

fn pristine(exercise: &Exercise) -> Option<String> {
    let Some(listed) = Pristine::read(&exercise.dir()) else {
        return Some(".pristine is missing (--bless writes it)".to_owned());
    };
    let now = Pristine::of(&exercise.dir()).unwrap_or_default();
    let paths = listed.differences(&now);
    (!paths.is_empty()).then(|| format!(".pristine does not fit {} (--bless writes it)", paths.join(", ")))
}

/// Faults of the trees that belong to no exercise that could be read.
pub(crate) fn problems_elsewhere(workbook: &Workbook) -> Vec<String> {
    let belongs = |problem: &Problem| workbook.catalog.exercises().any(|exercise| Row::owns(exercise, problem));
    let elsewhere = workbook.problems.0.iter().filter(|problem| !belongs(problem));
    elsewhere
        .map(|problem| format!("{}: {} ({})", workbook.relative(&problem.file), problem.what, problem.fix))
        .collect()
}

/// Rustc and clippy say many things twice, once for the library and once for the tests.
fn distinct<'a>(messages: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    messages.filter(|message| seen.insert(message.lines().next().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// CI proves a part of the exercises at each commit; a page that grew too long is seen at once.
    #[test]
    fn every_page_keeps_its_length_and_has_claims_and_topics() {
        let workbook = Workbook::open().expect("tests run inside the workbook");
        if workbook.catalog.root.join("handout.toml").exists() {
            return; // a course that was handed out has pages, and not what proves them
        }
        let reasons: Vec<String> =
            workbook.catalog.exercises().flat_map(|exercise| book(&workbook, exercise)).collect();
        assert!(reasons.is_empty(), "{}", reasons.join("\n"));
    }

    /// A stale list would tell every learner that the tests were edited. Stubs are left out: whoever solves them edits them.
    #[test]
    fn every_file_around_a_stub_is_as_its_list_says() {
        let workbook = Workbook::open().expect("tests run inside the workbook");
        if workbook.catalog.root.join("handout.toml").exists() {
            return; // there the verdict itself says so, to the one whom it concerns
        }
        let mut stale = Vec::new();
        for exercise in workbook.catalog.exercises() {
            let listed = Pristine::read(&exercise.dir()).expect("every exercise has a list");
            let now = Pristine::of(&exercise.dir()).expect("its files can be read");
            let paths = listed.differences(&now).into_iter().filter(|path| !path.starts_with("src/"));
            stale.extend(paths.map(|path| format!("{}: {path} (--bless writes the list)", exercise.id)));
        }
        assert!(stale.is_empty(), "{}", stale.join("\n"));
    }

    #[test]
    fn words_are_counted_outside_code_directives_and_references() {
        assert_eq!(
            prose(
                "# One\n\ntwo – three\n\n```rust\nlet x = 1;\n```\n{{#exercise}}\n| four |\n\n## References\n* five\n"
            ),
            4
        );
    }

    #[test]
    fn a_list_that_is_not_right_says_how() {
        let text = difference(&set(&["a", "b"]), &set(&["b", "c"]));
        assert!(text.contains("also fails c") && text.contains("does not fail a"), "{text}");
    }
}
