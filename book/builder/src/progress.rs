//! The reader's progress, derived from the verdicts that the runner keeps.

use crate::Project;
use catalog::{Catalog, Exercise, Pristine, Shared};
use serde_json::{Map, Value, json};
use std::fs;

/// Progress of every exercise as the pages read it:
/// `{"exercises":{"CH/EX":{"status":…,"passed":…,"total":…,"points":…,"tests":{"stage::name":"passed"}}}}`.
///
/// `status` is that of the last verdict (`solved`, `failing`, `build-error`) if the sources are still those it was about;
/// otherwise `untouched` for a stub as delivered, and `changed` for anything else: progress is never guessed.
pub fn of(project: &Project) -> Value {
    let (catalog, _) = Catalog::read(&project.root);
    let shared = Shared::read(&project.root);
    let exercises: Map<_, _> =
        catalog.exercises().map(|exercise| (exercise.id.to_string(), one(project, exercise, shared))).collect();
    json!({ "exercises": exercises })
}

fn one(project: &Project, exercise: &Exercise, shared: Shared) -> Value {
    let total = exercise.tests().len();
    if let Some(progress) = verdict(project, exercise, shared) {
        return progress;
    }
    let dir = exercise.dir();
    let delivered = Pristine::read(&dir);
    let now = Pristine::of(&dir).ok();
    let untouched = delivered.is_some_and(|delivered| now.is_some_and(|now| delivered.differences(&now).is_empty()));
    json!({ "status": if untouched { "untouched" } else { "changed" }, "passed": 0, "total": total, "tests": {} })
}

/// The stored verdict, if it is about the sources as they are.
fn verdict(project: &Project, exercise: &Exercise, shared: Shared) -> Option<Value> {
    let file = project.verdicts().join(format!("{}.json", exercise.id));
    let stored: Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
    if stored["fingerprint"].as_str()? != exercise.fingerprint(shared) {
        return None;
    }
    let verdict = &stored["exercise"];
    let tests = verdict["tests"].as_array()?;
    let passed = tests.iter().filter(|test| test["status"] == "passed").count();
    let by_name: Map<_, _> =
        tests.iter().filter_map(|test| Some((test["name"].as_str()?.to_owned(), test["status"].clone()))).collect();
    Some(json!({
        "status": verdict["status"],
        "passed": passed,
        "total": tests.len().max(exercise.tests().len()),
        "points": verdict["points"],
        "misconception": verdict["misconception"],
        "tests": by_name,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use std::path::Path;

    fn write(root: &Path, file: &str, text: &str) {
        let file = root.join(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("can be made");
        fs::write(file, text).expect("can be written");
    }

    /// A workbook of one exercise with two tests.
    fn workbook(root: &Path) -> Project {
        write(root, "Cargo.toml", "[workspace]\n");
        write(root, "book/src/SUMMARY.md", "- [B](01-a/b.md)\n");
        write(
            root,
            "exercises/01-a/b/Cargo.toml",
            "[package]\nname = \"b\"\n[package.metadata.exercise]\ntitle = \"B\"\nsummary = \"Do b.\"\ndifficulty = 1\nminutes = 10\n",
        );
        write(root, "exercises/01-a/b/src/lib.rs", "pub fn b() { todo!() }\n");
        write(
            root,
            "exercises/01-a/b/tests/b.rs",
            "mod stage_1_x {\n    #[test]\n    fn one() {}\n    #[test]\n    fn two() {}\n}\n",
        );
        Project { root: root.to_owned(), target: root.join("target") }
    }

    fn status(project: &Project) -> String {
        of(project)["exercises"]["01-a/b"]["status"].as_str().expect("the exercise is listed").to_owned()
    }

    #[test]
    fn a_verdict_counts_only_for_the_sources_it_was_about() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let project = workbook(root.path());
        assert_eq!(status(&project), "changed", "without a record of the delivered files nothing is known");
        let dir = root.path().join("exercises/01-a/b");
        let delivered = Pristine::of(&dir).expect("can be read").to_text();
        fs::write(Pristine::path(&dir), delivered).expect("can be written");
        assert_eq!(status(&project), "untouched");

        let (catalog, _) = Catalog::read(root.path());
        let exercise = catalog.exercises().next().expect("one exercise");
        let fingerprint = exercise.fingerprint(Shared::read(root.path()));
        let verdict = json!({ "schema": 1, "fingerprint": fingerprint, "exercise": { "status": "failing", "misconception": null,
            "tests": [{ "name": "stage_1_x::one", "status": "passed" }, { "name": "stage_1_x::two", "status": "timeout" }] } });
        write(root.path(), "target/workbook/verdicts/01-a/b.json", &verdict.to_string());
        let progress = of(&project)["exercises"]["01-a/b"].clone();
        assert_eq!(progress["status"], "failing");
        assert_eq!((&progress["passed"], &progress["total"]), (&json!(1), &json!(2)));
        assert_eq!(progress["tests"]["stage_1_x::two"], "timeout");

        write(root.path(), "exercises/01-a/b/src/lib.rs", "pub fn b() { unreachable!() }\n");
        assert_eq!(status(&project), "changed");
    }

    #[test]
    fn a_torn_verdict_is_no_verdict() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let project = workbook(root.path());
        write(root.path(), "target/workbook/verdicts/01-a/b.json", "{\"schema\":1,\"finger");
        assert_eq!(status(&project), "changed");
    }
}
