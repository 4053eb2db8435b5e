//! Reports for people: GitHub's annotations and Markdown.

use std::fmt::Write as _;

use super::{Place, Report, clipped, does_not_compile, first_line, has_passed};
use crate::compile::strip_colours;
use crate::{Status, Summary, Verdict};

/// How much of a failing test's message a page shows.
const MESSAGE: usize = 2_000;

/// Workflow commands of GitHub Actions: an error beside the line it is about, a warning for each edited file.
pub(super) fn annotations(report: &Report<'_>) -> String {
    let mut text = String::new();
    for (exercise, verdict) in &report.entries {
        for path in &verdict.edited {
            let file = format!("exercises/{}/{path}", exercise.id);
            let what = "This file is not as it was handed out; the version handed out was used instead.";
            let _ = writeln!(text, "::warning file={},title=Edited::{what}", property(&file));
        }
        if does_not_compile(verdict) {
            for error in verdict.errors.iter().map(|error| strip_colours(error)) {
                text += &error_at(Place::of_rustc(&error), &format!("{} does not compile", verdict.id), &error);
            }
            if verdict.errors.is_empty() {
                let said = verdict.tests.first().map_or("does not compile", |test| test.message.as_str());
                text += &error_at(None, verdict.id.as_str(), said);
            }
            continue;
        }
        for test in verdict.tests.iter().filter(|test| !has_passed(test) && !test.is_unwritten()) {
            text +=
                &error_at(Place::of_message(&test.message), &format!("{} {}", verdict.id, test.name), &test.message);
        }
    }
    let verdicts: Vec<Verdict> = report.verdicts().cloned().collect();
    let Summary { solved, total, earned, possible } = Summary::of(&verdicts);
    let _ =
        writeln!(text, "::notice title=Workbook::{solved} of {total} exercises solved, {earned} of {possible} points");
    text
}

fn error_at(place: Option<Place<'_>>, title: &str, message: &str) -> String {
    let place = place.map_or_else(String::new, |place| {
        format!("file={},line={},col={},", property(place.file), place.line, place.column)
    });
    format!("::error {place}title={}::{}\n", property(title), data(&clipped(message.trim_end(), MESSAGE)))
}

/// A value behind `::`; a line break in it would begin another command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A table of exercises, then what is wrong with those that were begun.
pub(super) fn markdown(report: &Report<'_>) -> String {
    let verdicts: Vec<Verdict> = report.verdicts().cloned().collect();
    let Summary { solved, total, earned, possible } = Summary::of(&verdicts);
    let mut text = format!("# {solved} of {total} exercises solved, {earned} of {possible} points\n\n");
    text += "| exercise | verdict | stages | tests | points |\n|---|---|---|---:|---:|\n";
    for verdict in &verdicts {
        let stages: Vec<String> =
            verdict.stages().iter().map(|stage| format!("{}/{}", stage.passed, stage.total)).collect();
        let _ = writeln!(
            text,
            "| {} | {} {} | {} | {} of {} | {} of {} |",
            cell(verdict.id.as_str()),
            if verdict.status == Status::Solved { "✓" } else { "✗" },
            in_words(verdict.status),
            stages.join(" "),
            verdict.passed(),
            verdict.tests.len(),
            verdict.earned,
            verdict.possible,
        );
    }
    for (exercise, verdict) in &report.entries {
        let unwritten = verdict.tests.iter().filter(|test| test.is_unwritten()).count();
        let wrong: Vec<_> = verdict.tests.iter().filter(|test| !has_passed(test) && !test.is_unwritten()).collect();
        if wrong.is_empty() && verdict.edited.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n## {}\n", cell(&exercise.title));
        for path in &verdict.edited {
            let _ = writeln!(text, "* `{path}` was edited; the version handed out was used instead.");
        }
        if let Some(claim) = &verdict.misconception {
            let _ = writeln!(
                text,
                "\nExactly these tests fail when one believes: {}. Is that it?",
                cell(claim.trim_end_matches('.'))
            );
        }
        if does_not_compile(verdict) {
            let said: String = verdict.errors.iter().map(|error| strip_colours(error)).collect();
            text += fenced(if said.is_empty() { first_line(&wrong[0].message) } else { &said }).trim_start();
            continue;
        }
        for test in wrong {
            let _ = writeln!(text, "\n**{}** ({})", cell(&test.name), test.outcome.word());
            text += &fenced(&test.message);
        }
        if unwritten > 0 {
            let _ = writeln!(text, "\n{unwritten} more reach code that is not written yet.");
        }
    }
    text
}

fn in_words(status: Status) -> &'static str {
    match status {
        Status::Solved => "solved",
        Status::Failing => "not yet",
        Status::BuildError => "does not compile",
    }
}

/// Text in a table or a paragraph that is meant letter by letter.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '\n' => safe.push(' '),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe
}

/// A block of code whose fence is longer than any run of backticks in it.
fn fenced(message: &str) -> String {
    let message = clipped(message.trim_end(), MESSAGE);
    let longest = message.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("\n{fence}text\n{message}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_ends_the_block_or_the_command_it_stands_in() {
        assert_eq!(fenced("a ```` b"), "\n`````text\na ```` b\n`````\n");
        assert_eq!(data("50%\n::error::x"), "50%25%0A::error::x");
        assert_eq!(property("a:b,c"), "a%3Ab%2Cc");
        assert_eq!(cell("a|b_<i>"), "a\\|b\\_&lt;i>");
    }
}
