//! `soak`: the reference solutions under many seeds, more at once than there are processors, and what their searches cost.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use catalog::Exercise;
use judge::compile::{self, Built};
use judge::stop;

use crate::args::Parsed;
use crate::check;
use crate::failure::Failure;
use crate::ui;
use crate::workbook::Workbook;

const ROUNDS: u64 = 500;

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let rounds = parsed.number("rounds")?.unwrap_or(ROUNDS);
    let chosen = workbook.select_or_all(&parsed.words)?;
    let packages: Vec<_> =
        chosen.iter().map(|exercise| (format!("{}-solution", exercise.package()), exercise.solution_dir())).collect();
    let packages: Vec<_> = packages.iter().map(|(name, dir)| (name.as_str(), dir.as_path())).collect();
    let built = compile::compile(&workbook.catalog.root, &packages, &check::options(&workbook), &|_| {})
        .map_err(|failed| check::cargo_failed(&workbook, &failed))?;
    let at_once = judge::run::default_jobs() * 2;
    ui::print(&format!("{rounds} rounds each, {at_once} programs at once\n"));
    let mut sound = true;
    for (exercise, built) in chosen.iter().zip(&built) {
        let searched = searches(exercise, built)?;
        sound &= soak(exercise, built, rounds, at_once, &searched)?;
    }
    Ok(sound)
}

/// Runs the suite once, alone, and prints what each search saw. Returns the names of the tests that searched: a search
/// draws nothing, so another round would show the same again.
fn searches(exercise: &Exercise, built: &Built) -> Result<Vec<String>, Failure> {
    let start = Instant::now();
    let mut searched = Vec::new();
    for program in &built.tests {
        let output = Command::new(program)
            .args(["--nocapture", "--test-threads=2"])
            .env("KIT_REPORT", "1")
            .current_dir(exercise.solution_dir())
            .output()?;
        for line in String::from_utf8_lossy(&output.stderr).lines().filter(|line| line.starts_with("searched ")) {
            ui::print(&format!("  {line}\n"));
            // A test is named by its thread; with a single one that would be `main`.
            searched.extend(line.rsplit_once(": ").map(|(_, name)| name.to_owned()));
        }
    }
    ui::print(&format!(
        "{}   the suite alone, two tests at a time: {:.2} s\n",
        exercise.id,
        start.elapsed().as_secs_f64()
    ));
    Ok(searched)
}

/// Whether `program` is the exercise's own suite, as cargo names it. The other tests beside a solution draw nothing: they check its
/// page's numbers, or start its program and a browser.
fn draws(suite: &str, program: &Path) -> bool {
    let stem = program.file_stem().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    let name = stem.rsplit_once('-').map_or(stem, |(name, _hash)| name);
    name.replace('-', "_") == suite.replace('-', "_")
}

/// Runs the suite once a round with that round's seeds; prints and returns whether all passed.
fn soak(exercise: &Exercise, built: &Built, rounds: u64, at_once: usize, searched: &[String]) -> Result<bool, Failure> {
    let next = AtomicU64::new(1);
    let failed: Mutex<Vec<u64>> = Mutex::default();
    let slowest: Mutex<Duration> = Mutex::default();
    let work = || {
        loop {
            let round = next.fetch_add(1, Ordering::Relaxed);
            if round > rounds || stop::requested() {
                return;
            }
            let start = Instant::now();
            let passed = built.tests.iter().filter(|program| draws(exercise.id.name(), program)).all(|program| {
                let mut command = Command::new(program);
                command.env("KIT_ROUND", round.to_string()).current_dir(exercise.solution_dir());
                command.args(searched.iter().flat_map(|name| ["--skip", name]));
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                command.status().is_ok_and(|status| status.success())
            });
            let mut slowest = slowest.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *slowest = (*slowest).max(start.elapsed());
            if !passed {
                failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(round);
            }
        }
    };
    thread::scope(|scope| (0..at_once).for_each(|_| drop(scope.spawn(work))));
    if stop::requested() {
        return Err(Failure::new("stopped"));
    }
    let mut failed = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failed.sort_unstable();
    let slowest = slowest.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).as_secs_f64();
    let mark = if failed.is_empty() { ui::good("✓") } else { ui::bad("✗") };
    ui::print(&format!(
        "{mark} {}   {rounds} rounds, {} failed, the slowest took {slowest:.2} s\n",
        exercise.id,
        failed.len()
    ));
    if let Some(round) = failed.first() {
        ui::print(&format!("  again: KIT_ROUND={round} cargo test -p {}-solution\n", exercise.package()));
    }
    Ok(failed.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_not_every_program_whose_name_begins_like_it() {
        for (program, is_suite) in [
            ("deps/url_shortener-b548739eebe0c623", true),
            ("deps/url_shortener-b548739eebe0c623.exe", true),
            ("deps/url_shortener_solution_service-c4096b7ca44149ed", false),
            ("deps/page-6ae9b7a34bfca231", false),
        ] {
            assert_eq!(draws("url-shortener", Path::new(program)), is_suite, "{program}");
        }
    }
}
