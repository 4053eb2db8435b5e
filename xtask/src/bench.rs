//! `bench`: the figures that the runner promises, measured on this machine in a copy of the workbook.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use judge::stop;

use crate::failure::Failure;
use crate::ui;
use crate::workbook::Workbook;

const REPEATS: usize = 9;

pub(crate) fn run() -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let copy = Copy::make(&workbook)?;
    let cpus = judge::run::default_jobs();
    ui::print(&format!(
        "measuring in {} on {}; medians of {REPEATS}\n\n",
        copy.root.display(),
        ui::count(cpus, "processor")
    ));
    let first =
        workbook.catalog.exercises().next().ok_or_else(|| Failure::new("there is no exercise to measure with"))?;

    let fresh = copy.time(&mut copy.cargo(&["xtask", "check", first.package()]))?;
    row(&format!("fresh target to the first verdict ({})", first.package()), fresh, Some(20.0));
    copy.solve(&workbook)?;
    copy.time(&mut copy.xtask(&["check", "--all"]))?; // builds what the first verdict did not need
    let mut saves = Vec::new();
    for exercise in workbook.catalog.exercises() {
        let file = copy.root.join("exercises").join(exercise.id.as_str()).join("src/lib.rs");
        let took = copy.median(|round| {
            let text = fs::read_to_string(&file)?;
            fs::write(&file, format!("{text}\n/// Edited.\npub const EDIT_{round}: usize = {round};\n"))?;
            Ok(copy.xtask(&["check", exercise.package()]))
        })?;
        row(&format!("a save to its verdict ({})", exercise.package()), took, Some(0.6));
        saves.push(took);
    }
    let list = copy.median(|_| Ok(copy.cargo(&["xtask"])))?;
    row("cargo xtask, warm", list, Some(0.15));
    copy.time(&mut copy.xtask(&["check", "--all"]))?;
    let all = copy.median(|_| Ok(copy.xtask(&["check", "--all"])))?;
    let mut nextest = vec!["nextest", "run", "--no-fail-fast"];
    nextest.extend(workbook.catalog.exercises().flat_map(|exercise| ["--package", exercise.package()]));
    if copy.time(&mut copy.cargo(&nextest)).is_ok() {
        let peer = copy.median(|_| Ok(copy.cargo(&nextest)))?;
        row("cargo nextest run of the same tests, warm", peer, None);
        row("check --all, warm", all, Some(peer.as_secs_f64() * 1.2));
    } else {
        row("check --all, warm", all, None);
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

/// A copy of the workbook with a target folder of its own; gone when dropped.
struct Copy {
    root: PathBuf,
}

impl Copy {
    fn make(workbook: &Workbook) -> Result<Self, Failure> {
        let root = std::env::temp_dir().join(format!("workbook-bench-{}", std::process::id()));
        let copy = Self { root };
        copy_tree(&workbook.catalog.root, &copy.root)?;
        Ok(copy)
    }

    /// Lays the reference solutions over the stubs, so that tests do their work instead of stopping at a `todo!`.
    fn solve(&self, workbook: &Workbook) -> Result<(), Failure> {
        for exercise in workbook.catalog.exercises() {
            if let Some(solution) = exercise.solution_file() {
                fs::copy(solution, self.root.join("exercises").join(exercise.id.as_str()).join("src/lib.rs"))?;
            }
        }
        Ok(())
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
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Everything but what git and cargo keep for themselves.
fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == ".git" || name == "target" || name == "node_modules" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &to.join(&name))?;
        } else {
            fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}
