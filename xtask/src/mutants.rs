//! `mutants`: small changes to the reference solutions, each of which a test has to reject.
//!
//! `cargo mutants` makes and runs them. What survives is either listed in `solutions/CH/EX/mutants.toml`, with the reason why
//! nobody could notice it, or it is a test that is missing:
//!
//! ```toml
//! [[equivalent]]
//! mutant = "replace | with ^ in hash"
//! line = "(high << 32) | low"
//! why = "the halves share no bit, so both operators give the same"
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use catalog::Exercise;
use serde_json::Value;
use toml::Table;

use crate::args::Parsed;
use crate::failure::Failure;
use crate::ui;
use crate::workbook::Workbook;

/// Of the mutants that compile and change something, this share must be rejected.
const SHARE: f64 = 0.95;

/// A mutant that no test rejected.
struct Survivor {
    /// Such as `src/lib.rs:21:25: replace | with ^ in hash`.
    name: String,
    /// The same without the place.
    change: String,
    /// The line it changes.
    line: String,
}

/// What became of an exercise's mutants.
#[derive(Default)]
struct Tally {
    killed: usize,
    survivors: Vec<Survivor>,
}

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let chosen = workbook.select_or_all(&parsed.words)?;
    let out = match parsed.value("from") {
        Some(dir) => PathBuf::from(dir),
        None => mutate(&workbook, &chosen)?,
    };
    let file = out.join("mutants.out/outcomes.json");
    let text = fs::read_to_string(&file).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    let outcomes: Value = serde_json::from_str(&text).map_err(|error| Failure::new(error.to_string()))?;
    let mut sound = true;
    for exercise in chosen {
        let tally = tally(&workbook.catalog.root, exercise, &outcomes);
        sound &= report(exercise, tally)?;
    }
    Ok(sound)
}

/// Lets `cargo mutants` work through the solutions of `chosen`, in a copy of the workbook. Returns where it wrote.
fn mutate(workbook: &Workbook, chosen: &[&Exercise]) -> Result<PathBuf, Failure> {
    let out = workbook.target.join("workbook/mutants");
    fs::create_dir_all(&out)?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&workbook.catalog.root).arg("mutants");
    command.args(["--no-shuffle", "--colors", "never", "--baseline", "skip", "--timeout", "20", "--output"]).arg(&out);
    for exercise in chosen {
        command.args(["--package", &format!("{}-solution", exercise.package())]);
        for file in given_files(&workbook.catalog.root, exercise) {
            command.arg("--exclude").arg(file);
        }
    }
    command.env_remove("CARGO_TARGET_DIR").stdin(Stdio::null());
    // Its exit code says whether there were survivors; that we read ourselves. Without a report it did not run.
    let status = command.status()?;
    if status.code() == Some(101) {
        return Err(Failure::with_fix("cargo-mutants is not installed", "cargo install cargo-mutants --locked"));
    }
    Ok(out)
}

/// The files of a solution that its exercise hands out as they are: nobody is asked to write them.
fn given_files(root: &Path, exercise: &Exercise) -> Vec<PathBuf> {
    let theirs = exercise.stub().parent().map(Path::to_owned).unwrap_or_default();
    let ours = exercise.solution_dir().join("src");
    let Ok(entries) = fs::read_dir(&ours) else { return Vec::new() };
    let mut given: Vec<_> = entries
        .flatten()
        .filter(|entry| {
            let text = fs::read(entry.path());
            text.is_ok_and(|ours| fs::read(theirs.join(entry.file_name())).is_ok_and(|theirs| theirs == ours))
        })
        .filter_map(|entry| entry.path().strip_prefix(root).ok().map(Path::to_owned))
        .collect();
    given.sort();
    given
}

fn tally(root: &Path, exercise: &Exercise, outcomes: &Value) -> Tally {
    let package = format!("{}-solution", exercise.package());
    let mut tally = Tally::default();
    for outcome in outcomes["outcomes"].as_array().into_iter().flatten() {
        let mutant = &outcome["scenario"]["Mutant"];
        if mutant["package"] != package.as_str() {
            continue;
        }
        match outcome["summary"].as_str() {
            Some("CaughtMutant" | "Timeout") => tally.killed += 1,
            Some("MissedMutant") => {
                let name = mutant["name"].as_str().unwrap_or_default().to_owned();
                let change = name.splitn(4, ':').nth(3).unwrap_or(&name).trim().to_owned();
                let file = mutant["file"].as_str().unwrap_or_default();
                let number = mutant["span"]["start"]["line"].as_u64().and_then(|line| usize::try_from(line).ok());
                let text = fs::read_to_string(root.join(file)).unwrap_or_default();
                let line = number.and_then(|number| text.lines().nth(number.saturating_sub(1)));
                tally.survivors.push(Survivor { name, change, line: line.unwrap_or_default().trim().to_owned() });
            }
            _ => {} // It does not compile.
        }
    }
    tally
}

/// Prints an exercise's row; true if enough mutants were killed and every survivor is explained.
fn report(exercise: &Exercise, tally: Tally) -> Result<bool, Failure> {
    let stub = fs::read_to_string(exercise.stub()).unwrap_or_default();
    let is_given = |survivor: &Survivor| stub.lines().any(|line| line.trim() == survivor.line);
    let (given, survivors): (Vec<_>, Vec<_>) = tally.survivors.into_iter().partition(is_given);
    let listed = listed(exercise)?;
    let explains =
        |(mutant, line): &(String, String), survivor: &Survivor| *mutant == survivor.change && *line == survivor.line;
    let (equivalent, missing): (Vec<_>, Vec<_>) =
        survivors.into_iter().partition(|survivor| listed.iter().any(|entry| explains(entry, survivor)));
    let stale: Vec<_> =
        listed.iter().filter(|entry| !equivalent.iter().any(|survivor| explains(entry, survivor))).collect();
    let viable = tally.killed + missing.len();
    let share = if viable == 0 { 0.0 } else { tally.killed as f64 / viable as f64 };
    let sound = share >= SHARE && missing.is_empty() && stale.is_empty();
    ui::print(&format!(
        "{} {:<36} {} killed of {viable}, {} equivalent, {} in given code   {:.1} %\n",
        if sound { ui::good("✓") } else { ui::bad("✗") },
        exercise.id,
        tally.killed,
        equivalent.len(),
        given.len(),
        share * 100.0
    ));
    for survivor in missing {
        ui::print(&format!("    no test rejects {}\n      {}\n", survivor.name, ui::dim(&survivor.line)));
    }
    for (mutant, line) in stale {
        ui::print(&format!("    mutants.toml lists `{mutant}` at `{line}`, which did not survive\n"));
    }
    Ok(sound)
}

/// The mutants that the exercise's authors call equivalent, each as (change, line); every one has a reason.
fn listed(exercise: &Exercise) -> Result<Vec<(String, String)>, Failure> {
    let file = exercise.solution_dir().join("mutants.toml");
    let Ok(text) = fs::read_to_string(&file) else { return Ok(Vec::new()) };
    let wrong = |what: String| Failure::new(format!("{}: {what}", file.display()));
    let table: Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    let entries = table.get("equivalent").and_then(toml::Value::as_array);
    entries
        .into_iter()
        .flatten()
        .map(|entry| {
            let text = |key: &str| {
                let value = entry.get(key).and_then(toml::Value::as_str).filter(|text| !text.trim().is_empty());
                value.map(str::to_owned).ok_or_else(|| wrong(format!("an entry has no `{key}`")))
            };
            text("why")?;
            Ok((text("mutant")?, text("line")?))
        })
        .collect()
}
