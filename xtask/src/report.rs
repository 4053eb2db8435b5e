//! Verdicts in the terminal: the first unfinished stage in detail, the rest in a line.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use catalog::Exercise;
use judge::{Outcome, Status, Summary, TestVerdict, Verdict, progress};

use crate::handout;
use crate::ui;
use crate::workbook::Workbook;

/// How many failing tests are shown with all they said (the others with the first line), and how many lines of each.
const DETAILED: usize = 1;
const LINES: usize = 40;
const PRINTED_LINES: usize = 10;

/// The whole answer of `check`.
pub(crate) fn verdicts(workbook: &Workbook, verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    // Of many exercises, the details of those that were begun; the others are a line each.
    for verdict in verdicts {
        let brief = verdicts.len() > 1 && (verdict.status == Status::Solved || is_unwritten(verdict));
        text += &if brief { format!("{}\n", headline(verdict)) } else { one(workbook, verdict) };
    }
    if verdicts.len() > 1 {
        let Summary { solved, total, earned, possible } = Summary::of(verdicts);
        let _ = writeln!(text, "\n{solved} of {total} exercises solved · {earned} of {possible} points");
    }
    text
}

/// One exercise in full.
pub(crate) fn one(workbook: &Workbook, verdict: &Verdict) -> String {
    let Some(exercise) = workbook.catalog.get(&verdict.id) else { return headline(verdict) };
    let mut text = format!("{}\n", headline(verdict));
    match verdict.status {
        Status::Solved => {}
        Status::BuildError => text += &errors(verdict),
        Status::Failing => text += &failing(workbook, verdict),
    }
    for path in progress::edited(exercise) {
        let counts = if verdict.edited.contains(&path) {
            "this verdict is about the version that was"
        } else {
            "this verdict counts for your tests only"
        };
        let _ = writeln!(text, "\n  {} {path} is not as it was handed out: {counts}.", ui::warn("!"));
        let _ =
            writeln!(text, "    cargo xtask reset {} brings it back and keeps your version aside", exercise.package());
    }
    if verdict.status != Status::Solved {
        text += &ways_on(workbook, exercise, verdict);
    }
    text
}

/// `✗ 06-coordination/fencing-token   stage 2 of 2 · 5 of 7 tests`
pub(crate) fn headline(verdict: &Verdict) -> String {
    let id = ui::bold(verdict.id.as_str());
    let (passed, total) = (verdict.passed(), verdict.tests.len());
    match verdict.status {
        Status::Solved => format!("{} {id}   solved · {}", ui::good("✓"), ui::count(total, "test")),
        Status::BuildError => format!("{} {id}   does not compile", ui::bad("✗")),
        Status::Failing => {
            let stages = verdict.stages();
            let at = stages.iter().position(|stage| stage.passed < stage.total).unwrap_or_default();
            let mark = if is_unwritten(verdict) { ui::dim("○") } else { ui::bad("✗") };
            format!("{mark} {id}   stage {} of {} · {passed} of {}", at + 1, stages.len(), ui::count(total, "test"))
        }
    }
}

/// True if nothing but `todo!` keeps the tests from passing.
fn is_unwritten(verdict: &Verdict) -> bool {
    verdict.status == Status::Failing
        && verdict.tests.iter().all(|test| test.outcome == Outcome::Passed || test.is_unwritten())
}

fn errors(verdict: &Verdict) -> String {
    if verdict.errors.is_empty() {
        let said = verdict.tests.first().map_or("there is not one test to run", |test| test.message.as_str());
        return format!("\n  {said}\n");
    }
    verdict.errors.iter().map(|error| format!("\n{}\n", error.trim_end())).collect()
}

fn failing(workbook: &Workbook, verdict: &Verdict) -> String {
    let mut text = String::new();
    let stages = verdict.stages();
    let Some(current) = stages.iter().position(|stage| stage.passed < stage.total) else { return text };
    let failing = verdict
        .tests
        .iter()
        .filter(|test| test.outcome != Outcome::Passed && test.stage_and_name().0 == stages[current].name);
    // What is wrong comes before what is only not written.
    let (unwritten, wrong): (Vec<_>, Vec<_>) = failing.partition(|test| test.is_unwritten());
    for (index, test) in wrong.iter().enumerate() {
        let (_, name) = test.stage_and_name();
        let _ = writeln!(text, "\n  {}{}", ui::bold(name), outcome(test));
        if index < DETAILED {
            let _ = writeln!(text, "{}", details(workbook, test));
        } else {
            let _ = writeln!(text, "      {}", test.message.lines().next().unwrap_or_default());
        }
    }
    text += &not_written(workbook, &unwritten);
    text += if current + 1 < stages.len() { "\n" } else { "" };
    for stage in &stages[current + 1..] {
        let _ = writeln!(text, "  then {}   {} of {}", stage.name, stage.passed, ui::count(stage.total, "test"));
    }
    text
}

/// What is special about how a test ended, in a word behind its name.
fn outcome(test: &TestVerdict) -> &'static str {
    match test.outcome {
        Outcome::Passed | Outcome::Failed => "",
        Outcome::Timeout => "   (did not end)",
        Outcome::Crashed => "   (crashed)",
    }
}

/// The tests that reach a `todo!`, below each such place.
fn not_written(workbook: &Workbook, tests: &[&TestVerdict]) -> String {
    let mut places: Vec<(String, String, Vec<&str>)> = Vec::new();
    for test in tests {
        let todo = test.message.lines().find(|line| line.starts_with("not yet implemented")).unwrap_or_default();
        let what = todo.trim_start_matches("not yet implemented").trim_start_matches(": ");
        let place = place_after(&test.message, todo).map(|place| shown_place(workbook, place)).unwrap_or_default();
        let (_, name) = test.stage_and_name();
        match places.iter_mut().find(|(known, ..)| *known == place) {
            Some((_, _, names)) => names.push(name),
            None => places.push((place, clipped(what, 72), vec![name])),
        }
    }
    let mut text = String::new();
    for (place, what, names) in places {
        let _ = writeln!(text, "\n  not written yet: {what}\n  {}", ui::dim(&place));
        for name in names {
            let _ = writeln!(text, "    {} {}", ui::dim("○"), ui::bold(name));
        }
    }
    text
}

/// The beginning of a text that may be long because it shows values.
fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

fn place_after<'a>(message: &'a str, line: &str) -> Option<&'a str> {
    message.lines().skip_while(|other| *other != line).find_map(|line| line.strip_prefix("at "))
}

fn details(workbook: &Workbook, test: &TestVerdict) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in test.message.lines() {
        match line
            .strip_prefix("at ")
            .filter(|place| place.rsplit(':').next().is_some_and(|end| end.parse::<u32>().is_ok()))
        {
            Some(place) => lines.push(ui::dim(&shown_place(workbook, place))),
            None => match line.strip_prefix("picture ") {
                Some(page) => lines.push(format!("picture {}", workbook.relative(Path::new(page)))),
                None => lines.push(line.to_owned()),
            },
        }
    }
    shorten(&mut lines, LINES);
    let mut printed: Vec<String> = test.printed.lines().map(str::to_owned).collect();
    if !printed.is_empty() {
        shorten(&mut printed, PRINTED_LINES);
        lines.push(ui::dim("your code printed:"));
        lines.extend(printed.into_iter().map(|line| format!("  {line}")));
    }
    let indented: Vec<String> = lines.iter().map(|line| format!("      {line}").trim_end().to_owned()).collect();
    indented.join("\n")
}

/// Keeps the first lines and says how many are not shown. The lines that say how to see the run again always stay.
fn shorten(lines: &mut Vec<String>, most: usize) {
    if lines.len() <= most {
        return;
    }
    let left_out = lines.split_off(most);
    let keep = |line: &&String| line.trim_start().starts_with("replay ") || line.trim_start().starts_with("picture ");
    let kept: Vec<String> = left_out.iter().filter(keep).cloned().collect();
    lines.push(format!("… {} more lines", left_out.len() - kept.len()));
    lines.extend(kept);
}

/// `exercises/…/tests/x.rs:9:5` as a path from where the person stands, so that the terminal can open it.
fn shown_place(workbook: &Workbook, place: &str) -> String {
    let mut parts = place.rsplitn(3, ':');
    let (column, line, path) = (parts.next(), parts.next(), parts.next());
    let (Some(column), Some(line), Some(path)) = (column, line, path) else { return place.to_owned() };
    let full = workbook.catalog.root.join(path);
    if full.is_file() { format!("{}:{line}:{column}", workbook.relative(&full)) } else { place.to_owned() }
}

/// What is believed, where it is explained, and the next hint.
fn ways_on(workbook: &Workbook, exercise: &Exercise, verdict: &Verdict) -> String {
    let mut text = String::from("\n");
    let section = match &verdict.misconception {
        Some(claim) => {
            let claim = claim.trim_end_matches('.');
            let _ = writeln!(
                text,
                "  {}",
                ui::warn(&format!("Exactly these tests fail when one believes: {claim}. Is that it?"))
            );
            "what-can-go-wrong"
        }
        None => "your-task",
    };
    let _ = writeln!(text, "  Read  {}", page(workbook, exercise, section));
    let shown = workbook.store.hints(exercise);
    let hint = if shown < 3 { format!("({} of 3)", shown + 1) } else { "(all 3 were shown)".to_owned() };
    let _ = writeln!(text, "  Hint  {:<35} {hint}", format!("cargo xtask hint {}", exercise.package()));
    text
}

/// Where the page can be read: from the server if one runs, from the built book, else its source.
pub(crate) fn page(workbook: &Workbook, exercise: &Exercise, section: &str) -> String {
    if let Some(address) = served_at(&workbook.target) {
        return format!("{address}/{}#{section}", exercise.page_url());
    }
    let built = workbook.target.join("book").join(exercise.page_url());
    let handed_out = || handout::built_page(&workbook.catalog.root, &exercise.page_url());
    let page = if built.is_file() { built } else { handed_out().unwrap_or_else(|| exercise.page()) };
    format!("{}#{section}", workbook.relative(&page))
}

/// The file in which `start` says where it serves the book.
pub(crate) fn address_file(target: &Path) -> std::path::PathBuf {
    target.join("workbook/served-at")
}

/// The book's address, if somebody serves it now.
pub(crate) fn served_at(target: &Path) -> Option<String> {
    let port: u16 = std::fs::read_to_string(address_file(target)).ok()?.trim().parse().ok()?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_millis(50)).ok()?;
    Some(format!("http://localhost:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_keeps_the_way_to_see_it_again() {
        let mut lines: Vec<String> = (0..60).map(|line| line.to_string()).collect();
        lines.push("replay  KIT_SEED=1 cargo test".to_owned());
        shorten(&mut lines, 40);
        assert_eq!(lines.len(), 42);
        assert_eq!(lines[40..], ["… 20 more lines", "replay  KIT_SEED=1 cargo test"]);
    }

    #[test]
    fn the_place_of_a_todo_is_the_one_behind_it() {
        let message = "cause\nat a.rs:1:1\nnot yet implemented: x\nat b.rs:2:2";
        assert_eq!(place_after(message, "not yet implemented: x"), Some("b.rs:2:2"));
    }
}
