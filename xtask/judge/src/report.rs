//! Verdicts in the formats that other programs read: continuous integration, learning platforms, dashboards.
//!
//! Each format is a pure function from verdicts to text, so that the runner and the grader say the same.

mod json;
mod text;
mod xml;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use catalog::Exercise;

use crate::{Outcome, Status, TestVerdict, Verdict, verdict};

/// A shape that a report can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// This project's own: `"schema": 1`.
    Json,
    /// JUnit's XML as cargo-nextest writes it.
    Junit,
    /// Gradescope's `results.json`.
    Gradescope,
    /// Exercism's test runner interface, version 3.
    Exercism,
    /// The Common Test Report Format.
    Ctrf,
    /// Annotations that GitHub Actions shows beside the lines they are about.
    Github,
    /// A page for people, such as GitHub's job summary.
    Markdown,
}

/// What a report is about.
#[derive(Debug)]
pub struct Report<'a> {
    /// Each exercise with the verdict on it, in book order.
    pub entries: Vec<(&'a Exercise, &'a Verdict)>,
    /// When the run began.
    pub started: SystemTime,
    /// From then to its end.
    pub took: Duration,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Json, Self::Junit, Self::Gradescope, Self::Exercism, Self::Ctrf, Self::Github, Self::Markdown];

    /// Its word on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Gradescope => "gradescope",
            Self::Exercism => "exercism",
            Self::Ctrf => "ctrf",
            Self::Github => "github",
            Self::Markdown => "markdown",
        }
    }

    /// The format with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }
}

impl Report<'_> {
    /// The text of the report, with a line break at its end.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Json => {
                let verdicts: Vec<Verdict> = self.verdicts().cloned().collect();
                format!("{:#}\n", verdict::document(&verdicts))
            }
            Format::Junit => xml::junit(self),
            Format::Gradescope => json::gradescope(self),
            Format::Exercism => json::exercism(self),
            Format::Ctrf => json::ctrf(self),
            Format::Github => text::annotations(self),
            Format::Markdown => text::markdown(self),
        }
    }

    fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.entries.iter().map(|(_, verdict)| *verdict)
    }

    fn tests(&self) -> impl Iterator<Item = &TestVerdict> {
        self.verdicts().flat_map(|verdict| &verdict.tests)
    }

    /// Milliseconds since 1970.
    fn started_millis(&self) -> u128 {
        self.started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
    }
}

/// A place in a source: `exercises/01-a/b/src/lib.rs:3:5`.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    file: &'a str,
    line: &'a str,
    column: &'a str,
}

impl<'a> Place<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.trim().rsplitn(3, ':');
        let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(line) && is_number(column) && !file.is_empty()).then_some(Self { file, line, column })
    }

    /// Where a test failed: its message's last line that begins with `at `.
    fn of_message(message: &'a str) -> Option<Self> {
        message.lines().rev().find_map(|line| Self::parse(line.strip_prefix("at ")?))
    }

    /// Where rustc points first: ` --> src/lib.rs:3:5`.
    fn of_rustc(error: &'a str) -> Option<Self> {
        error.lines().find_map(|line| Self::parse(line.trim().strip_prefix("--> ")?))
    }
}

/// What a failed test is called where only passed and failed are known, and everything is worth a word.
fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// The beginning of a text, cut between characters, so that it is no longer than `most` bytes.
fn clipped(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most - "…".len()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

fn has_passed(test: &TestVerdict) -> bool {
    test.outcome == Outcome::Passed
}

fn does_not_compile(verdict: &Verdict) -> bool {
    verdict.status == Status::BuildError
}

/// `2026-01-31T23:59:59.000Z`, in the calendar of RFC 3339.
fn rfc3339(millis: u128) -> String {
    let seconds = millis / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that the leap day is the last; 146 097 days are 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u128::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_the_calendar_of_people() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_769_903_999_007), "2026-01-31T23:59:59.007Z");
    }

    #[test]
    fn a_place_is_found_where_people_look_for_it() {
        let place = Place { file: "C:/a.rs", line: "3", column: "5" };
        assert_eq!(Place::of_message("why\nat x.rs:1:1\nat C:/a.rs:3:5\nreplay  x"), Some(place));
        assert_eq!(Place::of_message("at noon"), None);
        assert_eq!(Place::of_rustc("error: x\n   --> a.rs:1:2\n").map(|place| place.file), Some("a.rs"));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(clipped("aäöü", 7), "aäöü");
        assert_eq!(clipped("aäöü", 6), "aä…");
    }

    #[test]
    fn every_format_has_its_own_word() {
        for format in Format::ALL {
            assert_eq!(Format::from_word(format.word()), Some(format));
        }
        assert_eq!(Format::from_word("pdf"), None);
    }
}
