//! `hint EX`: the next of three, counted.

use catalog::Exercise;

use crate::args::Parsed;
use crate::failure::Failure;
use crate::ui;
use crate::workbook::Workbook;

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let exercise = workbook.one(parsed.one_word()?)?;
    ui::print(&next(&workbook, exercise)?);
    Ok(true)
}

/// Counts and returns the next hint; after the last, all of them once more.
pub(crate) fn next(workbook: &Workbook, exercise: &Exercise) -> Result<String, Failure> {
    let total = exercise.hints.len();
    if total == 0 {
        return Err(Failure::with_fix(
            format!("{} has no hints that can be read", exercise.id),
            format!("look at {}", workbook.relative(&exercise.hints_file())),
        ));
    }
    let shown = workbook.store.hints(exercise) as usize;
    if shown >= total {
        let all = exercise.hints.iter().enumerate().map(|(index, hint)| one(exercise, index, hint));
        return Ok(all.collect::<String>() + "\nThat were all three. `cargo xtask solution` shows the reference.\n");
    }
    workbook.store.count_hints(exercise, u32::try_from(shown + 1).unwrap_or(u32::MAX))?;
    Ok(one(exercise, shown, &exercise.hints[shown]))
}

fn one(exercise: &Exercise, index: usize, hint: &str) -> String {
    let heading = format!("Hint {} of {} · {}", index + 1, exercise.hints.len(), exercise.id);
    format!("\n{}\n\n{}\n", ui::bold(&heading), indented(hint))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
