//! `handout DIR`: the course without its answers, as a repository that a class can fork.
//!
//! What goes in is decided in [`contents`], as a map from path to bytes, and examined for solutions before a byte is written.
//! How it reaches a folder is decided in [`lay`]: a file that somebody edited there is never touched.

mod contents;
mod lay;
mod leak;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use catalog::Exercise;
use judge::compile;

use crate::args::Parsed;
use crate::failure::Failure;
use crate::ui;
use crate::workbook::Workbook;

/// When an exercise is due, in the words of the command line.
pub(super) struct Due<'a> {
    exercise: &'a Exercise,
    date: String,
}

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let dir = match parsed.words.as_slice() {
        [dir] => std::env::current_dir()?.join(dir),
        _ => return Err(Failure::with_fix("`handout` needs one folder to write to", "cargo xtask handout ../course")),
    };
    refuse_folder(&workbook, &dir)?;
    let chosen = match parsed.value("chapters") {
        Some(words) => workbook.select(&listed(words))?,
        None => workbook.catalog.exercises().collect(),
    };
    let (chosen, left_out) = contents::that_can_be_handed_out(&chosen);
    if chosen.is_empty() {
        return Err(Failure::with_fix(
            "there is nothing to hand out",
            "`cargo xtask verify` says what is not finished",
        ));
    }
    let due = parsed.value("due").map_or_else(|| Ok(Vec::new()), |text| read_due(&workbook, &chosen, text))?;
    let book = parsed.value("book").map(|dir| std::env::current_dir().unwrap_or_default().join(dir));
    let files = contents::of(&workbook, &chosen, &due, book.as_deref())?;
    let leaks = leak::find(&workbook, &files);
    if !leaks.is_empty() {
        return Err(Failure::with_fix(
            format!("nothing was written, because solutions can be read in it:\n  {}", leaks.join("\n  ")),
            "take those lines out of these files, or leave the exercise out with --chapters",
        ));
    }
    let is_new = !dir.join(lay::LIST).is_file();
    let old_lock = fs::read(dir.join("Cargo.lock")).ok();
    let mut laid = lay::lay(&dir, &files)?;
    if laid.written.iter().any(|path| path == "Cargo.lock") && lock(&dir) {
        lay::list_again(&dir, "Cargo.lock")?;
        if fs::read(dir.join("Cargo.lock")).ok() == old_lock {
            laid.written.retain(|path| path != "Cargo.lock");
        }
    }
    let mut text = format!(
        "{} {} in {}: {} new or changed, {} removed\n",
        ui::good("✓"),
        ui::count(chosen.len(), "exercise"),
        workbook.relative(&dir),
        ui::count(laid.written.len(), "file"),
        laid.removed.len()
    );
    for (exercise, why) in left_out {
        let _ = writeln!(text, "  left out {}: {why}", exercise.id);
    }
    for exercise in &chosen {
        for id in exercise.builds_on.iter().filter(|id| !chosen.iter().any(|other| other.id == **id)) {
            let _ = writeln!(text, "  {} builds on {id}, which is not in it", exercise.id);
        }
    }
    for path in &laid.kept {
        let _ = writeln!(
            text,
            "  {} {path} was edited there and stays; the new version is in {}",
            ui::warn("!"),
            lay::UPDATES
        );
    }
    text += &if is_new { first_commit(&dir) } else { "  look at it with git, then commit it\n".to_owned() };
    ui::print(&text);
    Ok(true)
}

/// Only an empty folder, a new one, or a handout is written to.
fn refuse_folder(workbook: &Workbook, dir: &Path) -> Result<(), Failure> {
    let root = workbook.catalog.root.canonicalize()?;
    let existing = dir.ancestors().find_map(|dir| dir.canonicalize().ok()).unwrap_or_default();
    if existing.starts_with(&root) || root.starts_with(&existing) && dir.exists() {
        let what = format!("{} is part of the workbook itself", dir.display());
        return Err(Failure::with_fix(what, "name a folder outside: cargo xtask handout ../course"));
    }
    let is_empty =
        fs::read_dir(dir).map_or(!dir.exists(), |entries| entries.flatten().all(|entry| entry.file_name() == ".git"));
    if !is_empty && !dir.join(lay::LIST).is_file() {
        let what = format!("{} is neither empty nor a handout", dir.display());
        return Err(Failure::with_fix(what, "name a new folder"));
    }
    Ok(())
}

fn listed(words: &str) -> Vec<String> {
    words.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

/// `2026-12-01`, or `01=2026-12-01,hash-ring=2026-12-08T18:00`: a later entry wins over an earlier one.
fn read_due<'a>(workbook: &Workbook, chosen: &[&'a Exercise], text: &str) -> Result<Vec<Due<'a>>, Failure> {
    let mut due: Vec<Due<'a>> = Vec::new();
    for entry in listed(text) {
        let (word, date) = entry.split_once('=').map_or((None, entry.as_str()), |(word, date)| (Some(word), date));
        if !is_date(date) {
            let what = format!("`{date}` is not a date");
            return Err(Failure::with_fix(what, "write --due 2026-12-01, or --due 01=2026-12-01T18:00Z,09=2026-12-08"));
        }
        let meant = match word {
            Some(word) => workbook.select(&[word.to_owned()])?,
            None => chosen.to_vec(),
        };
        for exercise in chosen.iter().filter(|exercise| meant.iter().any(|meant| meant.id == exercise.id)) {
            due.retain(|due| due.exercise.id != exercise.id);
            due.push(Due { exercise, date: date.to_owned() });
        }
    }
    due.sort_by_key(|due| workbook.catalog.position(&due.exercise.id));
    Ok(due)
}

/// `2026-12-01`, perhaps with `T18:00` and then `Z`.
fn is_date(text: &str) -> bool {
    let fits = |text: &str, form: &str| {
        text.len() == form.len()
            && text
                .bytes()
                .zip(form.bytes())
                .all(|(byte, form)| if form == b'0' { byte.is_ascii_digit() } else { byte == form })
    };
    let in_range = |range: std::ops::Range<usize>, most: u32| {
        text.get(range).and_then(|part| part.parse::<u32>().ok()).is_some_and(|part| part <= most)
    };
    let date = fits(text, "0000-00-00");
    let time = fits(text, "0000-00-00T00:00") || fits(text, "0000-00-00T00:00Z");
    let is_day = || in_range(5..7, 12) && in_range(8..10, 31) && text[5..7] != *"00" && text[8..10] != *"00";
    (date || time && in_range(11..13, 23) && in_range(14..16, 59)) && is_day()
}

/// Lets cargo drop from the lock file what only the solutions needed. Without it, the first build does.
fn lock(dir: &Path) -> bool {
    let mut command = compile::cargo(dir);
    command.args(["update", "--workspace", "--offline", "--quiet"]).stdin(std::process::Stdio::null());
    command.output().is_ok_and(|output| output.status.success())
}

/// A new handout is a repository with one commit: `reset` finds stubs in it, and nothing that came before.
fn first_commit(dir: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(dir).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    let has_repository = dir.join(".git").exists() || git(&["init", "--quiet", "--initial-branch", "main"]);
    if has_repository
        && git(&["add", "--all"])
        && git(&["commit", "--quiet", "--message", "The course as it was handed out"])
    {
        "  committed; give it a remote and push it\n".to_owned()
    } else {
        "  git could not commit it: do that before you hand it out, or `reset` finds nothing\n".to_owned()
    }
}

/// The page of a built book that was handed out with the course.
pub(crate) fn built_page(root: &Path, url: &str) -> Option<PathBuf> {
    Some(root.join(contents::BOOK).join(url)).filter(|page| page.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_and_perhaps_a_time() {
        for good in ["2026-12-01", "2026-12-01T18:00", "2026-12-01T23:59Z"] {
            assert!(is_date(good), "{good}");
        }
        for bad in [
            "",
            "tomorrow",
            "2026-13-01",
            "2026-12-00",
            "2026-12-1",
            "2026-12-01T24:00",
            "2026-12-01T18:00+1",
            "2026–12–01",
        ] {
            assert!(!is_date(bad), "{bad}");
        }
    }
}
