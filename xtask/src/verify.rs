//! `verify`: the three states of every exercise, proved.
//!
//! The stub compiles without a warning and fails every test; the solution passes every test and is clean; each wrong answer
//! is rejected by exactly the tests that it lists. All of them compile in one build. What was proved and has not changed since
//! is not built again.

mod proved;
mod row;

use std::collections::BTreeMap;
use std::time::Duration;

use catalog::{Exercise, Id};
use judge::overlay::{self, Sources, Variant};
use judge::{Built, Verdict, compile, run};
use serde_json::json;

use crate::args::Parsed;
use crate::failure::Failure;
use crate::ui::{self, Progress};
use crate::workbook::Workbook;
use crate::{bless, check, lint};
use proved::Proved;
use row::Row;

/// A variant that was built and run.
pub(crate) struct Judged {
    pub(crate) built: Built,
    pub(crate) verdict: Verdict,
}

/// The variants of one exercise by name (`stub`, `solution`, `wrong-…`), and what kept others from being built.
#[derive(Default)]
pub(crate) struct Evidence {
    pub(crate) judged: BTreeMap<String, Judged>,
    pub(crate) reasons: Vec<String>,
    /// Exercise and solution as clippy sees them.
    pub(crate) lints: [Vec<String>; 2],
    /// Files that rustfmt would write differently.
    pub(crate) unformatted: Vec<String>,
}

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let json = parsed.wants_json()?;
    let mut workbook = Workbook::open()?;
    if workbook.catalog.is_handout() && workbook.catalog.exercises().next().is_some() {
        return Err(Failure::with_fix(
            "this is a handout: it has no solutions to prove",
            "run verify where the course is written",
        ));
    }
    let named = workbook.select(&parsed.words)?;
    let ids: Vec<_> = if named.is_empty() { workbook.catalog.exercises().collect() } else { named }
        .into_iter()
        .map(|exercise| exercise.id.clone())
        .collect();
    let ids = share(ids, parsed)?;
    let known = Proved::open(&workbook)?;
    let looks_back = !parsed.has("fresh") && !parsed.has("bless");
    let keeps = !parsed.has("timeout"); // a longer deadline than the reader's proves less
    let stands = |id: &&Id| {
        let exercise = workbook.catalog.get(id);
        looks_back && exercise.is_some_and(|exercise| known.row(&workbook, exercise).is_some())
    };
    let open: Vec<Id> = ids.iter().filter(|id| !stands(id)).cloned().collect();
    let chosen: Vec<&Exercise> = open.iter().filter_map(|id| workbook.catalog.get(id)).collect();
    let deadline = parsed.number("timeout")?.map(Duration::from_secs);
    let evidence = gather(&workbook, &chosen, json, deadline)?;
    let mut blessed = Vec::new();
    if parsed.has("bless") {
        for (exercise, evidence) in chosen.iter().zip(&evidence) {
            blessed.extend(write_down(exercise, evidence)?);
        }
        workbook = Workbook::open()?;
    }
    let mut rows = Vec::new();
    for exercise in ids.iter().filter_map(|id| workbook.catalog.get(id)) {
        let weighed = open.iter().position(|id| *id == exercise.id);
        let row = match weighed {
            Some(at) => Row::of(&workbook, exercise, &evidence[at]),
            None => {
                known.row(&workbook, exercise).ok_or_else(|| Failure::new("the files change while they are read"))?
            }
        };
        if weighed.is_some() && keeps {
            known.keep(&workbook, exercise, &row)?;
        }
        rows.push(row);
    }
    let elsewhere = if parsed.words.is_empty() { row::problems_elsewhere(&workbook) } else { Vec::new() };
    let proved = rows.iter().all(Row::is_proved) && elsewhere.is_empty();
    if json {
        let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
        ui::print(&format!("{:#}\n", json!({"schema": 1, "proved": proved, "exercises": rows, "problems": elsewhere})));
    } else {
        ui::print(
            &rows
                .iter()
                .map(Row::to_text)
                .chain(elsewhere.iter().map(|what| format!("{} {what}\n", ui::bad("✗"))))
                .collect::<String>(),
        );
        for what in blessed {
            ui::print(&format!("  wrote {what}\n"));
        }
        let count = rows.iter().filter(|row| row.is_proved()).count();
        ui::print(&format!("\n{count} of {} proved\n", ui::count(rows.len(), "exercise")));
    }
    Ok(proved)
}

/// The part of `ids` that `--shard 2/4` asks for: every fourth, beginning with the second.
fn share(ids: Vec<Id>, parsed: &Parsed) -> Result<Vec<Id>, Failure> {
    let Some(word) = parsed.value("shard") else { return Ok(ids) };
    let numbers = word.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    let Some((part, of)) = numbers.filter(|&(part, of): &(usize, usize)| (1..=of).contains(&part)) else {
        return Err(Failure::with_fix(
            format!("there is no shard `{word}`"),
            "write --shard 2/4 for the second of four",
        ));
    };
    Ok(ids.into_iter().skip(part - 1).step_by(of).collect())
}

/// Builds and runs every variant of every chosen exercise, then asks rustfmt and clippy.
fn gather(
    workbook: &Workbook,
    chosen: &[&Exercise],
    silent: bool,
    deadline: Option<Duration>,
) -> Result<Vec<Evidence>, Failure> {
    let mut evidence: Vec<Evidence> = chosen.iter().map(|_| Evidence::default()).collect();
    if chosen.is_empty() {
        return Ok(evidence);
    }
    let mut variants: Vec<Variant<'_>> = Vec::new();
    let mut owners: Vec<usize> = Vec::new();
    for (index, exercise) in chosen.iter().enumerate() {
        for (name, sources) in sources(exercise, &mut evidence[index].reasons) {
            variants.push(Variant { exercise, name, sources });
            owners.push(index);
        }
    }
    let mut options = check::options(workbook);
    options.colour = false;
    options.deadline = deadline;
    let overlay = overlay::lay(&workbook.catalog, &workbook.target, "verify", &variants)?;
    let packages: Vec<_> =
        overlay.subjects.iter().map(|subject| (subject.package.as_str(), subject.dir.as_path())).collect();
    let bar = Progress::new(silent);
    let on_event = |event| bar.on(&event);
    let built = if packages.is_empty() {
        Vec::new()
    } else {
        compile::compile(&overlay.workspace, &packages, &options, &on_event)
            .map_err(|failed| check::cargo_failed(workbook, &failed))?
    };
    let verdicts = run::run(&overlay.subjects, &built, &options, &on_event);
    drop(bar);
    if judge::stop::requested() {
        return Err(Failure::new("stopped"));
    }
    for (((owner, variant), built), verdict) in owners.iter().zip(&variants).zip(built).zip(verdicts) {
        evidence[*owner].judged.insert(variant.name.clone(), Judged { built, verdict });
    }
    lint_all(workbook, chosen, &mut evidence)?;
    Ok(evidence)
}

/// The variants that can be written; why the others cannot goes to `reasons`.
fn sources(exercise: &Exercise, reasons: &mut Vec<String>) -> Vec<(String, Sources)> {
    let mut found = Vec::new();
    match overlay::read_sources(&exercise.dir().join("src")) {
        Ok(stub) => found.push(("stub".to_owned(), stub)),
        Err(error) => reasons.push(format!("stub: {error}")),
    }
    if exercise.solution_file().is_none() {
        return found; // The catalog says so already.
    }
    let solution = match overlay::read_sources(&exercise.solution_dir().join("src")) {
        Ok(solution) => solution,
        Err(error) => {
            reasons.push(format!("solution: {error}"));
            return found;
        }
    };
    for wrong in &exercise.misconceptions {
        match wrong.patch.as_deref().map(|diff| overlay::patched(&solution, diff)) {
            Some(Ok(sources)) => found.push((format!("wrong-{}", wrong.slug), sources)),
            Some(Err(what)) => reasons.push(format!("wrong/{}.patch {what}", wrong.slug)),
            None => reasons.push(format!("wrong/{}.patch has headers but no diff", wrong.slug)),
        }
    }
    found.push(("solution".to_owned(), solution));
    found
}

fn lint_all(workbook: &Workbook, chosen: &[&Exercise], evidence: &mut [Evidence]) -> Result<(), Failure> {
    let root = &workbook.catalog.root;
    let mut packages = Vec::new();
    for exercise in chosen {
        packages.push((exercise.package().to_owned(), exercise.dir()));
        if exercise.solution_dir().join("Cargo.toml").is_file() {
            packages.push((format!("{}-solution", exercise.package()), exercise.solution_dir()));
        }
    }
    let said =
        lint::clippy(root, &workbook.target, &packages).map_err(|failed| check::cargo_failed(workbook, &failed))?;
    let mut files = Vec::new();
    for exercise in chosen {
        files.extend([exercise.stub(), exercise.tests_file()].into_iter().filter(|file| file.is_file()));
        files.extend(exercise.solution_file());
    }
    let unformatted = lint::unformatted(root, &files).map_err(Failure::new)?;
    for (exercise, evidence) in chosen.iter().zip(evidence) {
        for ((_, dir), said) in packages.iter().zip(&said) {
            if *dir == exercise.dir() {
                evidence.lints[0].clone_from(said);
            } else if *dir == exercise.solution_dir() {
                evidence.lints[1].clone_from(said);
            }
        }
        let own = unformatted
            .iter()
            .filter(|file| file.starts_with(exercise.dir()) || file.starts_with(exercise.solution_dir()));
        evidence.unformatted = own.map(|file| workbook.relative(file)).collect();
    }
    Ok(())
}

/// Writes `.pristine` and the lists of failing tests; returns what changed.
fn write_down(exercise: &Exercise, evidence: &Evidence) -> Result<Vec<String>, Failure> {
    let mut written = Vec::new();
    if bless::pristine(exercise)? {
        written.push(format!("exercises/{}/.pristine", exercise.id));
    }
    for wrong in &exercise.misconceptions {
        let Some(judged) = evidence.judged.get(&format!("wrong-{}", wrong.slug)) else { continue };
        if judged.built.errors.is_empty() && bless::fails(exercise, &wrong.slug, &row::failed(&judged.verdict))? {
            written.push(format!("solutions/{}/wrong/{}.patch", exercise.id, wrong.slug));
        }
    }
    Ok(written)
}
