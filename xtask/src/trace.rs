//! `trace EX`: the picture of its last failing run.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use catalog::Exercise;

use crate::args::Parsed;
use crate::failure::Failure;
use crate::open;
use crate::ui;
use crate::workbook::Workbook;

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let exercise = workbook.one(parsed.one_word()?)?;
    let pictures = pictures(&workbook, exercise);
    let Some(newest) = pictures.last() else {
        return Err(Failure::with_fix(
            format!("no failing run of {} left a picture", exercise.id),
            format!("`cargo xtask check {}` draws one when a simulated run fails", exercise.package()),
        ));
    };
    for other in pictures.iter().rev().skip(1).rev() {
        ui::print(&format!("{}\n", workbook.relative(other)));
    }
    let text = if parsed.has("no-open") {
        newest.display().to_string() + "\n"
    } else {
        open::show(&newest.display().to_string())
    };
    ui::print(&text);
    Ok(true)
}

/// The pictures of failing runs, the newest last.
fn pictures(workbook: &Workbook, exercise: &Exercise) -> Vec<PathBuf> {
    let dir = workbook.target.join("traces").join(exercise.package());
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut pictures: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "html")).collect();
    let modified =
        |path: &PathBuf| fs::metadata(path).and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    pictures.sort_by_key(modified);
    pictures
}
