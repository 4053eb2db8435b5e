//! `check`: build once, run every test, keep the verdicts, print them.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use catalog::{Exercise, Shared};
use judge::report::{Format, Report};
use judge::{CargoFailed, Options, Status, Subject, Verdict, files, progress};

use crate::args::Parsed;
use crate::failure::Failure;
use crate::pristine;
use crate::report;
use crate::ui::{self, Progress};
use crate::workbook::Workbook;

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let format = parsed.report_format()?;
    let output = parsed.value("output").map(Path::new);
    if output.is_some() && format.is_none() {
        return Err(Failure::with_fix(
            "--output needs a format to write",
            "add --format junit, or another of `--help`",
        ));
    }
    let workbook = Workbook::open()?;
    let mut options = options(&workbook);
    if let Some(jobs) = parsed.number("jobs")? {
        options.jobs = usize::try_from(jobs).unwrap_or(usize::MAX);
    }
    options.deadline = parsed.number("timeout")?.map(Duration::from_secs);
    let chosen = choose(&workbook, parsed)?;
    let (started, clock) = (SystemTime::now(), Instant::now());
    let Some(format) = format else {
        let verdicts = judge_and_keep(&workbook, &chosen, &options, false)?;
        ui::print(&report::verdicts(&workbook, &verdicts));
        return Ok(all_solved(&verdicts));
    };
    // Rustc's colours are for terminals; a report is read by programs.
    options.colour &= output.is_some();
    let verdicts = pristine::judge(&workbook, &chosen, &options, output.is_none())?;
    let report = Report { entries: chosen.iter().copied().zip(&verdicts).collect(), started, took: clock.elapsed() };
    let text = report.render(format);
    match output {
        Some(file) => {
            files::write_atomically(file, text.as_bytes())?;
            ui::print(&report::verdicts(&workbook, &verdicts));
        }
        None => ui::print(&text),
    }
    if format == Format::Github {
        append_summary(&report)?;
    }
    Ok(all_solved(&verdicts))
}

fn all_solved(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| verdict.status == Status::Solved)
}

/// GitHub Actions shows what is appended to this file as the job's summary; elsewhere there is no such file.
fn append_summary(report: &Report<'_>) -> Result<(), Failure> {
    let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) else { return Ok(()) };
    let mut file = File::options().append(true).create(true).open(file)?;
    Ok(file.write_all(report.render(Format::Markdown).as_bytes())?)
}

/// How this machine builds and runs unless somebody says otherwise.
pub(crate) fn options(workbook: &Workbook) -> Options {
    Options {
        target: workbook.target.clone(),
        jobs: judge::run::default_jobs(),
        deadline: None,
        colour: ui::has_colour(),
    }
}

fn choose<'a>(workbook: &'a Workbook, parsed: &Parsed) -> Result<Vec<&'a Exercise>, Failure> {
    let mut chosen = workbook.select(&parsed.words)?;
    if chosen.is_empty() && !parsed.has("all") {
        chosen = workbook.here();
    }
    if chosen.is_empty() || parsed.has("all") {
        chosen = workbook.catalog.exercises().collect();
    }
    if let Some(problem) = workbook.problems.0.iter().find(|problem| problem.what.contains("TOML")) {
        // Cargo reads every manifest of the workspace, so one that is broken stops all.
        let fix =
            format!("mend that line, or take the file back: git checkout -- {}", workbook.relative(&problem.file));
        return Err(Failure::with_fix(format!("{}: {}", workbook.relative(&problem.file), problem.what), fix));
    }
    if chosen.is_empty() {
        return Err(Failure::with_fix("there is no exercise to check", "`cargo xtask doctor` looks at what is wrong"));
    }
    Ok(chosen)
}

/// Judges the reader's sources and keeps each verdict beside the hash of what it is about.
pub(crate) fn judge_and_keep(
    workbook: &Workbook,
    chosen: &[&Exercise],
    options: &Options,
    silent: bool,
) -> Result<Vec<Verdict>, Failure> {
    let subjects: Vec<Subject<'_>> =
        chosen.iter().map(|exercise| Subject::of_reader(exercise, &workbook.target)).collect();
    let sources = || chosen.iter().map(|exercise| exercise.sources_hash()).collect::<Vec<_>>();
    let before = sources();
    let bar = Progress::new(silent);
    let judged = judge::judge(&workbook.catalog.root, &subjects, options, &|event| bar.on(&event));
    drop(bar);
    let verdicts = judged.map_err(|failed| cargo_failed(workbook, &failed))?;
    if judge::stop::requested() {
        return Err(Failure::new("stopped"));
    }
    // A build may complete the lock file, so the hash of what is shared is taken after it; sources that were saved again in
    // the meantime have no verdict yet.
    let shared = Shared::read(&workbook.catalog.root);
    for (((exercise, verdict), before), after) in chosen.iter().zip(&verdicts).zip(&before).zip(sources()) {
        if *before == after {
            workbook.store.keep(exercise, &exercise.fingerprint(shared), verdict)?;
        }
    }
    Ok(verdicts)
}

/// What cargo said; if it is about a manifest, the way back too.
pub(crate) fn cargo_failed(workbook: &Workbook, failed: &CargoFailed) -> Failure {
    let said = failed.message.trim().trim_start_matches("error: ");
    if said.contains("No space left on device") {
        return Failure::with_fix(said, "make room on the disk; nothing that was there is lost");
    }
    let Some(manifest) = blamed_manifest(said) else {
        return Failure::with_fix(said, "`cargo xtask doctor` looks at toolchain, disk and network");
    };
    let path = workbook.relative(Path::new(manifest));
    let mut exercises = workbook.catalog.exercises();
    let edited = exercises.any(|exercise| {
        exercise.manifest() == Path::new(manifest) && progress::edited(exercise).contains(&"Cargo.toml".to_owned())
    });
    let edited = if edited { "; you changed this file" } else { "" };
    let fix = format!("mend {path}, or take it back: git checkout -- {path}");
    Failure::with_fix(format!("cargo cannot use {path}{edited}\n{said}"), fix)
}

/// The last manifest that cargo names: the others are on the way to it.
fn blamed_manifest(said: &str) -> Option<&str> {
    let is_manifest = |quoted: &&str| quoted.ends_with("Cargo.toml") && !quoted.contains('\n');
    said.split('`').rfind(is_manifest).or_else(|| {
        // "failed to parse manifest at `…`" quotes it; a syntax error prints it as `--> PATH:LINE:COLUMN`.
        let place = said.lines().find_map(|line| line.trim().strip_prefix("--> "))?;
        place.split_once("Cargo.toml").map(|(path, _)| &place[..path.len() + "Cargo.toml".len()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_at_fault_is_found_in_what_cargo_says() {
        let missing = "failed to load manifest for workspace member `/w/a`\nreferenced via `*` by workspace at `/w/Cargo.toml`\n\n\
                       Caused by:\n  failed to read `/w/a/Cargo.toml`\n";
        assert_eq!(blamed_manifest(missing), Some("/w/a/Cargo.toml"));
        assert_eq!(blamed_manifest("no such command"), None);
        assert_eq!(blamed_manifest("unclosed table\n --> exercises/x/Cargo.toml:1:9"), Some("exercises/x/Cargo.toml"));
    }
}
