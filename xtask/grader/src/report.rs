//! From results to what people and other programs read. Nothing is judged here: the same results give the same report.

mod html;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use catalog::{Catalog, Exercise};
use judge::report::{Format, Report};
use judge::{Outcome, TestVerdict, Verdict, files};
use serde_json::Value;

use crate::hidden;
use crate::policy::{Policy, moment};
use crate::results::{INFRA_ERROR, Known, MISSING, TAMPERED};

/// A class's results with a policy applied.
pub struct Class<'a> {
    /// In book order.
    pub exercises: Vec<&'a Exercise>,
    /// By name.
    pub students: Vec<Student<'a>>,
}

/// One student's row.
pub struct Student<'a> {
    /// Their name.
    pub name: &'a str,
    /// One for each exercise of the class; nothing where there is no result.
    pub cells: Vec<Option<Cell<'a>>>,
    /// The points that count: after lateness, weights and drops.
    pub points: f64,
    /// The points that could have been had.
    pub possible: f64,
    /// Results that the machine could not give. Until it does, the points are not final.
    pub not_judged: usize,
}

/// One student's result in one exercise.
#[derive(Clone, Copy)]
pub struct Cell<'a> {
    /// The line of `results.jsonl`.
    pub value: &'a Value,
    /// The points of the tests that passed; nothing if the machine failed.
    pub earned: Option<u64>,
    /// The points of all tests.
    pub possible: u64,
    /// What is left of the points for being late, 1 for all.
    pub share: f64,
    /// False if it was dropped.
    pub counts: bool,
}

impl Cell<'_> {
    /// The points after lateness.
    #[must_use]
    pub fn points(&self) -> Option<f64> {
        self.earned.map(|earned| earned as f64 * self.share)
    }

    /// The part of the points, from 0 to 1, before lateness.
    #[must_use]
    pub fn part(&self) -> Option<f64> {
        self.earned.map(|earned| if self.possible == 0 { 0.0 } else { earned as f64 / self.possible as f64 })
    }

    /// Its `status`.
    #[must_use]
    pub fn status(&self) -> &str {
        self.value["status"].as_str().unwrap_or_default()
    }
}

impl<'a> Class<'a> {
    /// Puts results and policy together.
    #[must_use]
    pub fn new(catalog: &'a Catalog, known: &'a Known, policy: &Policy) -> Self {
        let graded: BTreeSet<&str> = known.keys().map(|(_, exercise)| exercise.as_str()).collect();
        let exercises: Vec<&Exercise> =
            catalog.exercises().filter(|exercise| graded.contains(exercise.id.as_str())).collect();
        let names: BTreeSet<&str> = known.keys().map(|(student, _)| student.as_str()).collect();
        let student = |name: &'a str| {
            let cell = |exercise: &&Exercise| {
                let id = exercise.id.as_str();
                let value = known.get(&(name.to_owned(), id.to_owned()))?;
                let submitted = value["submitted"].as_str().and_then(moment);
                Some(Cell {
                    value,
                    earned: value["points"]["earned"].as_u64(),
                    possible: value["points"]["possible"].as_u64().unwrap_or_default(),
                    share: policy.share(name, id, submitted),
                    counts: true,
                })
            };
            let mut cells: Vec<Option<Cell<'a>>> = exercises.iter().map(cell).collect();
            drop_lowest(&mut cells, policy.drop_lowest());
            let (mut points, mut possible, mut not_judged) = (0.0, 0.0, 0);
            for (exercise, cell) in exercises.iter().zip(&cells) {
                let Some(cell) = cell else { continue };
                match cell.points() {
                    None => not_judged += 1,
                    Some(own) if cell.counts => {
                        let weight = policy.weight(exercise.id.as_str());
                        points += own * weight;
                        possible += cell.possible as f64 * weight;
                    }
                    Some(_) => {}
                }
            }
            Student { name, cells, points, possible, not_judged }
        };
        let students = names.into_iter().map(student).collect();
        Self { exercises, students }
    }

    /// Every result with its student and exercise.
    pub fn cells(&self) -> impl Iterator<Item = (&Student<'a>, &'a Exercise, &Cell<'a>)> {
        self.students.iter().flat_map(|student| {
            let both = self.exercises.iter().zip(&student.cells);
            both.filter_map(move |(exercise, cell)| Some((student, *exercise, cell.as_ref()?)))
        })
    }
}

/// The cells with the smallest parts do not count; of equal ones the earlier. What the machine failed at is not chosen.
fn drop_lowest(cells: &mut [Option<Cell<'_>>], count: usize) {
    let part = |cell: &Option<Cell<'_>>| cell.as_ref().and_then(|cell| Some(cell.part()? * cell.share));
    let mut order: Vec<(f64, usize)> =
        cells.iter().enumerate().filter_map(|(at, cell)| Some((part(cell)?, at))).collect();
    order.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
    // At least one is left.
    for (_, at) in order.iter().take(count.min(order.len().saturating_sub(1))) {
        if let Some(cell) = &mut cells[*at] {
            cell.counts = false;
        }
    }
}

/// Writes `gradebook.csv`, `index.html`, `junit/STUDENT.xml` and `gradescope/STUDENT.json` below `out`. Returns the students
/// for whom there is no Gradescope file, because a zero would stand where the machine failed.
///
/// # Errors
/// The disk is full.
pub fn write(class: &Class<'_>, out: &Path) -> Result<Vec<String>> {
    let put = |path: &str, text: &str| files::write_atomically(&out.join(path), text.as_bytes());
    fs::create_dir_all(out).with_context(|| format!("cannot write {}", out.display()))?;
    put("gradebook.csv", &gradebook(class))?;
    put("index.html", &html::page(class))?;
    let mut left_out = Vec::new();
    for student in &class.students {
        let name = file_name(student.name);
        put(&format!("junit/{name}.xml"), &render(class, student, Format::Junit))?;
        if student.not_judged > 0 {
            left_out.push(student.name.to_owned());
        } else {
            put(&format!("gradescope/{name}.json"), &gradescope(class, student))?;
        }
    }
    Ok(left_out)
}

/// A row a student, a column an exercise. What the machine could not judge is an empty cell, never a zero.
fn gradebook(class: &Class<'_>) -> String {
    let heads: Vec<String> = class.exercises.iter().map(|exercise| cell(exercise.id.as_str())).collect();
    let mut text = format!("student,{},points,possible,percent,not judged\n", heads.join(","));
    for student in &class.students {
        let of_cell = |cell: &Option<Cell<'_>>| cell.as_ref().and_then(Cell::points).map_or_else(String::new, short);
        let cells: Vec<String> = student.cells.iter().map(of_cell).collect();
        let percent = if student.possible > 0.0 { 100.0 * student.points / student.possible } else { 0.0 };
        text += &format!(
            "{},{},{},{},{},{}\n",
            cell(student.name),
            cells.join(","),
            short(student.points),
            short(student.possible),
            short(percent),
            student.not_judged
        );
    }
    text
}

/// At most two digits after the point, and none that say nothing.
fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A cell of a table of comma-separated values. One that begins like a formula would be one in a spreadsheet.
pub(crate) fn cell(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// A student's name as a file's: what a path or a shell could misread becomes `_`, and then a few digits keep names apart.
pub(crate) fn file_name(student: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.@".contains(c);
    let plain: String = student.chars().map(|c| if is_plain(c) { c } else { '_' }).take(100).collect();
    let plain = plain.trim_start_matches(['.', '-']).to_owned();
    if plain == student && !plain.is_empty() {
        return plain;
    }
    format!("{plain}-{}", &catalog::hash_bytes(student.as_bytes())[..8])
}

/// The student's verdicts. Where there is none, every test says why.
fn verdicts<'a>(class: &Class<'a>, student: &Student<'_>) -> Vec<(&'a Exercise, Verdict)> {
    let verdict = |(exercise, cell): (&&'a Exercise, &Option<Cell<'_>>)| {
        let cell = cell.as_ref()?;
        let mut value = cell.value.clone();
        value["id"] = exercise.id.as_str().into();
        if let Some(verdict) = Verdict::from_json(&value) {
            return Some((*exercise, verdict));
        }
        let why = cell.value["why"].as_str().unwrap_or_default();
        let message = match cell.status() {
            MISSING => "nothing was handed in".to_owned(),
            TAMPERED => why.to_owned(),
            _ => format!("not judged, by a fault of the grader's machine: {why}"),
        };
        let test = |name: String| TestVerdict {
            name,
            outcome: if cell.status() == INFRA_ERROR { Outcome::Crashed } else { Outcome::Failed },
            millis: 0,
            message: message.clone(),
            printed: String::new(),
        };
        let own = exercise.tests().iter().map(|name| test(name.full())).collect();
        Some((*exercise, Verdict::of_tests(exercise, own)))
    };
    class.exercises.iter().zip(&student.cells).filter_map(verdict).collect()
}

fn render(class: &Class<'_>, student: &Student<'_>, format: Format) -> String {
    let verdicts = verdicts(class, student);
    let millis: u64 = verdicts.iter().flat_map(|(_, verdict)| &verdict.tests).map(|test| test.millis).sum();
    let entries = verdicts.iter().map(|(exercise, verdict)| (*exercise, verdict)).collect();
    Report { entries, started: SystemTime::UNIX_EPOCH, took: Duration::from_millis(millis) }.render(format)
}

/// As `check` writes it, and then: hidden tests stay hidden, and where the policy took points, its sum overrides the tests'.
fn gradescope(class: &Class<'_>, student: &Student<'_>) -> String {
    let mut value: Value = serde_json::from_str(&render(class, student, Format::Gradescope)).unwrap_or_default();
    let mut sum = 0.0;
    for test in value["tests"].as_array_mut().into_iter().flatten() {
        sum += test["score"].as_f64().unwrap_or_default();
        if test["name"].as_str().is_some_and(|name| name.contains(hidden::PREFIX)) {
            test["visibility"] = "hidden".into();
        }
    }
    if (sum - student.points).abs() > 1e-9 {
        value["score"] = student.points.into();
    }
    format!("{value:#}\n")
}

/// How often each misconception was recognised: its claim and exercise, and in whose work.
pub(crate) fn misconceptions<'c>(class: &'c Class<'_>) -> Vec<((&'c str, &'c Exercise), Vec<&'c str>)> {
    let mut found: BTreeMap<(&str, &str), (&Exercise, Vec<&str>)> = BTreeMap::new();
    for (student, exercise, cell) in class.cells() {
        if let Some(claim) = cell.value["misconception"].as_str() {
            let entry = found.entry((claim, exercise.id.as_str())).or_insert((exercise, Vec::new()));
            entry.1.push(student.name);
        }
    }
    let mut found: Vec<_> =
        found.into_iter().map(|((claim, _), (exercise, students))| ((claim, exercise), students)).collect();
    found.sort_by_key(|(_, students)| std::cmp::Reverse(students.len()));
    found
}

/// Of each test, how many passed it of those whose work compiled and was begun; the hardest first.
pub(crate) fn hardest<'c>(class: &'c Class<'_>) -> Vec<(&'c Exercise, String, usize, usize)> {
    let mut counts: BTreeMap<(&str, String), (&Exercise, usize, usize)> = BTreeMap::new();
    for (_, exercise, cell) in class.cells() {
        let unwritten = |test: &Value| test["message"].as_str().is_some_and(|m| m.starts_with("not yet implemented"));
        let tests = cell.value["tests"].as_array().map_or(&[] as &[Value], Vec::as_slice);
        // An untouched stub says nothing about how hard a test is.
        if cell.status() == "build-error" || tests.iter().all(unwritten) {
            continue;
        }
        for test in tests {
            let name = test["name"].as_str().unwrap_or_default().to_owned();
            let entry = counts.entry((exercise.id.as_str(), name)).or_insert((exercise, 0, 0));
            entry.1 += usize::from(test["status"] == "passed");
            entry.2 += 1;
        }
    }
    let mut all: Vec<_> =
        counts.into_iter().map(|((_, name), (exercise, passed, tried))| (exercise, name, passed, tried)).collect();
    all.sort_by(|left, right| (left.2 * right.3).cmp(&(right.2 * left.3)).then(right.3.cmp(&left.3)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_file_without_leaving_its_folder() {
        assert_eq!(file_name("ann"), "ann");
        assert_eq!(file_name("zoë.o-neil@example.org"), "zoë.o-neil@example.org");
        for name in ["../../etc/passwd", "", "..", "a/b", "-rf", "a\nb", "=1+1"] {
            let file = file_name(name);
            assert!(!file.contains(['/', '\n']) && !file.starts_with(['.']) && file.len() > 8, "{name:?} {file}");
        }
        assert_ne!(file_name("a/b"), file_name("a:b"));
    }

    #[test]
    fn a_cell_is_neither_a_formula_nor_two_cells() {
        assert_eq!(cell("ann"), "ann");
        assert_eq!(cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(cell("Bach, J. S."), "\"Bach, J. S.\"");
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        assert_eq!([short(3.0), short(2.5), short(100.0 / 3.0), short(0.0)], ["3", "2.5", "33.33", "0"]);
    }
}
