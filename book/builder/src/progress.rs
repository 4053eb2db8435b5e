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
