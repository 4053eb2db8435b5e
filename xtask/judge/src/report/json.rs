//! Reports that are one JSON object: Gradescope, Exercism, CTRF.

use std::fs;

use serde_json::{Value, json};

use super::{Place, Report, clipped, does_not_compile, has_passed};
use crate::{Outcome, Summary, TestVerdict, Verdict};

/// <https://gradescope-autograders.readthedocs.io/en/latest/specs/>: the score is the sum over the tests.
pub(super) fn gradescope(report: &Report<'_>) -> String {
    let mut tests = Vec::new();
    for (index, (exercise, verdict)) in report.entries.iter().enumerate() {
        for (number, test) in verdict.tests.iter().enumerate() {
            let worth = exercise.points_of(&test.name);
            tests.push(json!({
                "name": full_name(report, verdict, test),
                "number": format!("{}.{}", index + 1, number + 1),
                "score": if has_passed(test) { worth } else { 0 },
                "max_score": worth,
                "status": if has_passed(test) { "passed" } else { "failed" },
                "output": test.message,
                "tags": Some(test.stage_and_name().0).filter(|stage| !stage.is_empty()).into_iter().collect::<Vec<_>>(),
                "visibility": "visible",
            }));
        }
    }
    let edited = report.verdicts().flat_map(|verdict| verdict.edited.iter().map(move |path| (verdict, path)));
    let notes: Vec<String> = edited
        .map(|(verdict, path)| format!("{}: {path} was edited; the version handed out was used instead.", verdict.id))
        .collect();
    to_text(&json!({
        "execution_time": report.took.as_secs(),
        "output": notes.join("\n"),
        "stdout_visibility": "hidden",
        "extra_data": {},
        "tests": tests,
    }))
}

/// <https://exercism.org/docs/building/tooling/test-runners/interface>, version 3.
pub(super) fn exercism(report: &Report<'_>) -> String {
    let broken: Vec<&Verdict> = report.verdicts().filter(|verdict| does_not_compile(verdict)).collect();
    if !broken.is_empty() {
        let said = |verdict: &&Verdict| match verdict.errors.is_empty() {
            true => verdict.tests.first().map(|test| test.message.clone()).unwrap_or_default(),
            false => verdict.errors.iter().map(|error| crate::compile::strip_colours(error)).collect(),
        };
        let message: Vec<String> = broken.iter().map(said).collect();
        return to_text(&json!({"version": 3, "status": "error", "message": message.join("\n"), "tests": []}));
    }
    let mut tests = Vec::new();
    for (exercise, verdict) in &report.entries {
        let sources: Vec<String> =
            exercise.test_files().iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
        let stages = verdict.stages();
        for test in &verdict.tests {
            let (stage, name) = test.stage_and_name();
            let task = stages.iter().position(|known| known.name == stage).map_or(1, |at| at + 1);
            let mut object = json!({
                "name": full_name(report, verdict, test),
                "test_code": sources.iter().find_map(|source| test_code(source, stage, name)).unwrap_or_default(),
                "task_id": task,
                "status": match test.outcome {
                    Outcome::Passed => "pass",
                    Outcome::Failed => "fail",
                    Outcome::Timeout | Outcome::Crashed => "error",
                },
            });
            if !has_passed(test) {
                object["message"] = test.message.clone().into();
            }
            if !test.printed.is_empty() {
                object["output"] = clipped(&test.printed, 500).into();
            }
            tests.push(object);
        }
    }
    let all = report.tests().all(has_passed);
    to_text(&json!({"version": 3, "status": if all { "pass" } else { "fail" }, "message": null, "tests": tests}))
}

/// <https://ctrf.io/docs/specification/root>
pub(super) fn ctrf(report: &Report<'_>) -> String {
    let mut tests = Vec::new();
    for (exercise, verdict) in &report.entries {
        for test in &verdict.tests {
            let mut object = json!({
                "name": format!("{} {}", verdict.id, test.name),
                "status": if has_passed(test) { "passed" } else { "failed" },
                "duration": test.millis,
                "rawStatus": test.outcome.word(),
                "extra": {"points": exercise.points_of(&test.name)},
            });
            if !has_passed(test) {
                object["message"] = test.message.clone().into();
                if let Some(place) = Place::of_message(&test.message) {
                    object["filePath"] = place.file.into();
                    object["line"] = place.line.parse::<u64>().unwrap_or_default().into();
                }
            }
            tests.push(object);
        }
    }
    let passed = report.tests().filter(|test| has_passed(test)).count();
    let verdicts: Vec<Verdict> = report.verdicts().cloned().collect();
    let Summary { earned, possible, .. } = Summary::of(&verdicts);
    let start = u64::try_from(report.started_millis()).unwrap_or_default();
    let took = u64::try_from(report.took.as_millis()).unwrap_or_default();
    to_text(&json!({
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "results": {
            "tool": {"name": "cargo xtask check"},
            "summary": {
                "tests": tests.len(), "passed": passed, "failed": tests.len() - passed,
                "pending": 0, "skipped": 0, "other": 0,
                "start": start, "stop": start + took,
                "extra": {"points": {"earned": earned, "possible": possible}},
            },
            "tests": tests,
        },
    }))
}

/// A test's name, with its exercise's where the report is about several.
fn full_name(report: &Report<'_>, verdict: &Verdict, test: &TestVerdict) -> String {
    if report.entries.len() > 1 { format!("{}: {}", verdict.id, test.name) } else { test.name.clone() }
}

/// The function of a test as rustfmt lays it out: from its `fn` to the brace in the same column, indented no more than needed.
fn test_code(source: &str, stage: &str, name: &str) -> Option<String> {
    let last_module = stage.rsplit("::").next().unwrap_or_default();
    let from = if last_module.is_empty() { 0 } else { source.find(&format!("mod {last_module} {{"))? };
    let wanted = format!("fn {name}(");
    let lines = source[from..].lines().skip_while(|line| !line.contains(&wanted));
    let mut code = String::new();
    let mut indent = None;
    for line in lines {
        let indent = *indent.get_or_insert_with(|| line.len() - line.trim_start().len());
        code += line.get(indent..).unwrap_or_default();
        code.push('\n');
        if line.len() == indent + 1 && line.ends_with('}') {
            return Some(code);
        }
    }
    None
}

fn to_text(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_test_is_the_one_in_its_stage() {
        let source = "mod stage_1 {\n    #[test]\n    fn a() {\n        one();\n    }\n}\nmod stage_2 {\n    fn a() {\n        if x {\n        }\n\n        two();\n    }\n}\n";
        assert_eq!(test_code(source, "stage_1", "a").as_deref(), Some("fn a() {\n    one();\n}\n"));
        assert_eq!(
            test_code(source, "stage_2", "a").as_deref(),
            Some("fn a() {\n    if x {\n    }\n\n    two();\n}\n")
        );
        assert_eq!(test_code(source, "stage_3", "a"), None);
        assert_eq!(test_code(source, "stage_1", "b"), None);
    }
}
