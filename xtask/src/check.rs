//! `check`: build once, run every test, keep the verdicts, print them.

use std::path::Path;
use std::time::Duration;

use catalog::{Exercise, Shared};
use judge::{CargoFailed, Options, Status, Subject, Verdict, progress, verdict};

use crate::args::Parsed;
use crate::failure::Failure;
use crate::report;
use crate::ui::{self, Progress};
use crate::workbook::Workbook;

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let json = parsed.wants_json()?;
    let workbook = Workbook::open()?;
    let mut options = options(&workbook);
    if let Some(jobs) = parsed.number("jobs")? {
        options.jobs = usize::try_from(jobs).unwrap_or(usize::MAX);
    }
    options.deadline = parsed.number("timeout")?.map(Duration::from_secs);
    let chosen = choose(&workbook, parsed)?;
    let verdicts = judge_and_keep(&workbook, &chosen, &options, json)?;
    if json {
        ui::print(&format!("{:#}\n", verdict::document(&verdicts)));
    } else {
        ui::print(&report::verdicts(&workbook, &verdicts));
    }
    Ok(verdicts.iter().all(|verdict| verdict.status == Status::Solved))
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
