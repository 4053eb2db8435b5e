//! `solution EX`: the difference between the reader's code and the reference.

use std::fmt::Write as _;
use std::fs;

use catalog::{Exercise, Shared};

use crate::args::Parsed;
use crate::failure::Failure;
use crate::ui;
use crate::workbook::Workbook;

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let exercise = workbook.one(parsed.one_word()?)?;
    if !parsed.has("yes") && !is_solved(&workbook, exercise) {
        let question = format!("{} is not solved yet. See the reference all the same?", exercise.id);
        match ui::ask(&question) {
            Some(true) => {}
            Some(false) => return Ok(true),
            None => {
                let fix = format!("cargo xtask solution {} --yes", exercise.package());
                return Err(Failure::with_fix(format!("{} is not solved yet", exercise.id), fix));
            }
        }
    }
    ui::print(&text(&workbook, exercise)?);
    Ok(true)
}

pub(crate) fn is_solved(workbook: &Workbook, exercise: &Exercise) -> bool {
    workbook.store.progress(exercise, Shared::read(&workbook.catalog.root)).is_solved()
}

/// The difference, from the reader's lines (-) to the reference's (+), and where the whole file is.
pub(crate) fn text(workbook: &Workbook, exercise: &Exercise) -> Result<String, Failure> {
    let file = exercise.solution_file().ok_or_else(|| {
        Failure::new(format!("this copy of the workbook has no solution of {}: it was handed out without", exercise.id))
    })?;
    let read = |path: &std::path::Path| {
        fs::read_to_string(path).map_err(|error| Failure::new(format!("{}: {error}", workbook.relative(path))))
    };
    let (yours, reference) = (read(&exercise.stub())?, read(&file)?);
    if yours == reference {
        return Ok(format!("{} your code is the reference, letter for letter\n", ui::good("=")));
    }
    let mut text = format!("{}\n{}\n\n", ui::bad("- your code"), ui::good("+ the reference"));
    for line in diffy::create_patch(&yours, &reference).to_string().lines().skip(2) {
        let shown = match line.chars().next() {
            Some('-') => ui::bad(line),
            Some('+') => ui::good(line),
            Some('@') => ui::dim(line),
            _ => line.to_owned(),
        };
        let _ = writeln!(text, "{shown}");
    }
    let _ = writeln!(text, "\nThe whole file: {}", workbook.relative(&file));
    Ok(text)
}
