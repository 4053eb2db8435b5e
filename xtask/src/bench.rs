//! `bench`: the figures that the runner promises, measured on this machine in a copy of the workbook.
//!
//! Building the copy takes much longer than measuring it. With `--in` it stays, and a second run measures it while nothing else
//! keeps the machine busy.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use catalog::Exercise;
use judge::stop;

use crate::args::Parsed;
use crate::failure::Failure;
use crate::ui;
use crate::workbook::Workbook;

const REPEATS: usize = 9;

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let exercises = workbook.select_or_all(&parsed.words)?;
    let copy = Copy::make(&workbook, parsed.value("in").map(Path::new))?;
    let cpus = judge::run::default_jobs();
    ui::print(&format!(
        "measuring in {} on {}; medians of {REPEATS}\n\n",
        copy.root.display(),
        ui::count(cpus, "processor")
    ));
    let first = exercises.first().ok_or_else(|| Failure::new("there is no exercise to measure with"))?;
    if !copy.root.join("target").exists() {
        let fresh = copy.time(&mut copy.cargo(&["xtask", "check", first.package()]))?;
        row(&format!("fresh target to the first verdict ({})", first.package()), fresh, Some(20.0));
    }
    copy.solve(&exercises)?;
    // Builds what the first verdict did not need.
    for exercise in &exercises {
        copy.time(&mut copy.xtask(&["check", exercise.package()]))?;
    }
    let mut saves = Vec::new();
    for exercise in &exercises {
        let file = copy.stub(exercise);
        let text = fs::read_to_string(&file)?;
        let took = copy.median(|round| {
            fs::write(&file, format!("{text}\n/// Edited.\npub const EDIT_{round}: usize = {round};\n"))?;
            Ok(copy.xtask(&["check", exercise.package()]))
        })?;
        fs::write(&file, text)?;
        row(&format!("a save to its verdict ({})", exercise.package()), took, None);
        saves.push(took);
    }
    saves.sort();
    row(&format!("a save to its verdict (median of {})", saves.len()), saves[saves.len() / 2], Some(1.0));
    let list = copy.median(|_| Ok(copy.cargo(&["xtask"])))?;
    row("cargo xtask, warm", list, Some(0.15));
    let mut check = vec!["check"];
    let mut nextest = vec!["nextest", "run", "--no-fail-fast"];
    for exercise in &exercises {
        check.push(exercise.package());
        nextest.extend(["--package", exercise.package()]);
    }
    copy.time(&mut copy.xtask(&check))?;
    let all = copy.median(|_| Ok(copy.xtask(&check)))?;
    let what = format!("check of {}, warm", ui::count(exercises.len(), "exercise"));
    if copy.time(&mut copy.cargo(&nextest)).is_ok() {
        let peer = copy.median(|_| Ok(copy.cargo(&nextest)))?;
        row("cargo nextest run of the same tests, warm", peer, None);
        row(&what, all, Some(peer.as_secs_f64() * 1.2));
    } else {
        row(&what, all, None);
        ui::print("cargo nextest is not installed here: nothing to compare with\n");
    }
    Ok(true)
}

fn row(what: &str, took: Duration, budget: Option<f64>) {
    let seconds = took.as_secs_f64();
    let mut text = format!("{what:<52} {seconds:>7.2} s");
    if let Some(budget) = budget {
        let mark = if seconds <= budget { ui::good("✓") } else { ui::bad("✗") };
        let _ = write!(text, "   {mark} at most {budget:.2} s");
    }
    ui::print(&format!("{text}\n"));
}

/// A copy of the workbook with a target folder of its own; gone when dropped, unless somebody named its folder.
struct Copy {
    root: PathBuf,
    kept: bool,
}

impl Copy {
    fn make(workbook: &Workbook, folder: Option<&Path>) -> Result<Self, Failure> {
        let root = match folder {
            Some(folder) => std::path::absolute(folder)?,
            None => std::env::temp_dir().join(format!("workbook-bench-{}", std::process::id())),
        };
        let copy = Self { root, kept: folder.is_some() };
        // In a copy that was measured before, stubs are solved already.
        let solved: BTreeSet<PathBuf> = match copy.root.join("target").exists() {
            true => workbook.catalog.exercises().map(|exercise| copy.stub(exercise)).collect(),
            false => BTreeSet::new(),
        };
        copy_tree(&workbook.catalog.root, &copy.root, &solved)?;
        Ok(copy)
    }

    /// Lays the reference solutions over the stubs, so that tests do their work instead of stopping at a `todo!`.
    fn solve(&self, exercises: &[&Exercise]) -> Result<(), Failure> {
        for exercise in exercises {
            let src = exercise.solution_dir().join("src");
            if !src.is_dir() {
                continue;
            }
            let root = self.root.join("exercises").join(exercise.id.as_str()).join("src");
            for path in judge::overlay::read_sources(&src)?.into_keys() {
                copy_if_new(&src.join(&path), &root.join(&path))?;
            }
        }
        Ok(())
    }

    fn stub(&self, exercise: &Exercise) -> PathBuf {
        self.root.join("exercises").join(exercise.id.as_str()).join("src/lib.rs")
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = judge::compile::cargo(&self.root);
        command.args(arguments);
        self.prepared(command)
    }

    fn xtask(&self, arguments: &[&str]) -> Command {
        let mut command =
            Command::new(self.root.join("target/runner").join(format!("xtask{}", std::env::consts::EXE_SUFFIX)));
        command.args(arguments).current_dir(&self.root);
        self.prepared(command)
    }

    fn prepared(&self, mut command: Command) -> Command {
        command.env("CARGO_TARGET_DIR", self.root.join("target")).env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Exit code 1 is an answer; 2 and a program that does not start are not.
    fn time(&self, command: &mut Command) -> Result<Duration, Failure> {
        if stop::requested() {
            return Err(Failure::new("stopped"));
        }
        let start = Instant::now();
        let status = command.status().map_err(|error| Failure::new(format!("{command:?}: {error}")))?;
        match status.code() {
            Some(0 | 1 | 100) => Ok(start.elapsed()),
            _ => Err(Failure::new(format!("{command:?} ended with {status}"))),
        }
    }

    fn median(&self, command: impl Fn(usize) -> std::io::Result<Command>) -> Result<Duration, Failure> {
        let mut times = Vec::new();
        for round in 0..REPEATS {
            times.push(self.time(&mut command(round)?)?);
        }
        times.sort();
        Ok(times[REPEATS / 2])
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Everything but what git and cargo keep for themselves.
/// Copies `from` to `to` with all below it, except what stands in `keep` and is there.
fn copy_tree(from: &Path, to: &Path, keep: &BTreeSet<PathBuf>) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == ".git" || name == "target" || name == "node_modules" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &to.join(&name), keep)?;
        } else if !keep.contains(&to.join(&name)) || !to.join(&name).exists() {
            copy_if_new(&entry.path(), &to.join(&name))?;
        }
    }
    Ok(())
}

/// Leaves a file alone that says the same already: cargo would build it again.
fn copy_if_new(from: &Path, to: &Path) -> std::io::Result<()> {
    let bytes = fs::read(from)?;
    if fs::read(to).is_ok_and(|there| there == bytes) { Ok(()) } else { fs::write(to, bytes) }
}
