//! What an instructor decides after grading: due dates, lateness, drops, weights. A small TOML file; no verdict depends on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use catalog::Catalog;
use toml::{Table, Value};

use crate::results::Known;

/// The rules of a course. The default has none: every exercise counts as many points as its tests have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    due: BTreeMap<String, i64>,
    grace: i64,
    per_day: f64,
    most: f64,
    extensions: BTreeMap<String, i64>,
    drop_lowest: usize,
    weights: BTreeMap<String, f64>,
}

/// Seconds since 1970 in UTC.
pub type Moment = i64;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

impl Policy {
    /// Reads the file.
    ///
    /// # Errors
    /// It is not TOML, or says something that is not understood: a rule that is silently ignored would be a wrong grade.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| file.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse()?;
        let mut policy = Self { most: 100.0, ..Self::default() };
        for (section, value) in &table {
            let Value::Table(values) = value else {
                // What `handout.toml` says about itself.
                if ["from", "exercises"].contains(&section.as_str()) {
                    continue;
                }
                bail!("`{section}` is not one of [due], [late], [extensions], [drop], [weights]")
            };
            for (key, value) in values {
                let place = || format!("[{section}] {key}");
                let number = || number(value).with_context(place);
                let whole = || match number()? {
                    number if number.fract() == 0.0 => Ok(number as i64),
                    _ => bail!("{}: not a whole number", place()),
                };
                match (section.as_str(), key.as_str()) {
                    ("due", _) => {
                        let text = match value {
                            Value::String(text) => text.clone(),
                            Value::Datetime(time) => time.to_string(),
                            _ => String::new(),
                        };
                        let moment = moment(&text).with_context(|| format!("{}: `{text}` is no time", place()))?;
                        policy.due.insert(key.clone(), moment);
                    }
                    ("late", "grace_minutes") => policy.grace = whole()? * MINUTE,
                    ("late", "percent_per_day") => policy.per_day = number()?,
                    ("late", "most_percent") => policy.most = number()?,
                    ("extensions", _) => drop(policy.extensions.insert(key.clone(), whole()? * DAY)),
                    ("drop", "lowest") => policy.drop_lowest = usize::try_from(whole()?)?,
                    ("weights", _) => drop(policy.weights.insert(key.clone(), number()?)),
                    _ => bail!("{} is not known", place()),
                }
            }
        }
        Ok(policy)
    }

    /// Every exercise and chapter that is named must be one: a date for `01-tradoffs` would be nobody's.
    ///
    /// # Errors
    /// A name that the course does not have.
    pub fn check(&self, catalog: &Catalog) -> Result<()> {
        let is_known = |name: &str| {
            catalog.exercises().any(|exercise| exercise.id.as_str() == name || chapter(exercise.id.as_str()) == name)
        };
        for (section, mut names) in
            [("due", self.due.keys().collect::<Vec<_>>()), ("weights", self.weights.keys().collect())]
        {
            names.retain(|name| !is_known(name));
            if let Some(name) = names.first() {
                bail!("[{section}] \"{name}\" is neither an exercise nor a chapter of this course");
            }
        }
        Ok(())
    }

    /// Who has an extension and no result: perhaps they handed in nothing, perhaps the name is misspelt.
    #[must_use]
    pub fn strangers(&self, known: &Known) -> Vec<&str> {
        let names = self.extensions.keys().map(String::as_str);
        names.filter(|name| !known.keys().any(|(student, _)| student == name)).collect()
    }

    /// The share of the points that is left, 1 for all: for each day begun after the due time, grace and extension, less.
    #[must_use]
    pub fn share(&self, student: &str, exercise: &str, submitted: Option<Moment>) -> f64 {
        let due = self.due.get(exercise).or_else(|| self.due.get(chapter(exercise)));
        let (Some(due), Some(submitted)) = (due, submitted) else { return 1.0 };
        let due = due + self.extensions.get(student).copied().unwrap_or_default();
        let late = submitted - due;
        if late <= self.grace {
            return 1.0;
        }
        let days = (late + DAY - 1) / DAY;
        1.0 - (days as f64 * self.per_day).min(self.most).clamp(0.0, 100.0) / 100.0
    }

    /// What an exercise's points are multiplied by.
    #[must_use]
    pub fn weight(&self, exercise: &str) -> f64 {
        let found = self.weights.get(exercise).or_else(|| self.weights.get(chapter(exercise)));
        found.copied().unwrap_or(1.0)
    }

    /// How many of a student's exercises, those with the smallest shares of their points, do not count.
    #[must_use]
    pub fn drop_lowest(&self) -> usize {
        self.drop_lowest
    }
}

fn chapter(exercise: &str) -> &str {
    exercise.split_once('/').map_or(exercise, |(chapter, _)| chapter)
}

fn number(value: &Value) -> Result<f64> {
    let number = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
    match number.filter(|number| number.is_finite() && *number >= 0.0) {
        Some(number) => Ok(number),
        None => bail!("not a number from 0"),
    }
}

/// A day, which lasts until its end, or a time: `2026-12-01`, `2026-12-01T18:00`, `2026-12-01 18:00:30`, with `Z` or an offset
/// such as `+01:00` at the end. Without one it is UTC. Nothing if it is something else.
#[must_use]
pub fn moment(text: &str) -> Option<Moment> {
    let digits = |text: &str, from: usize, length: usize| -> Option<i64> {
        let part = text.get(from..from + length)?;
        if part.bytes().all(|byte| byte.is_ascii_digit()) { part.parse().ok() } else { None }
    };
    let text = text.trim();
    let (year, month, day) = (digits(text, 0, 4)?, digits(text, 5, 2)?, digits(text, 8, 2)?);
    let separated = text.get(4..5)? == "-" && text.get(7..8)? == "-";
    if !separated || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let midnight = days_before(year, month, day) * DAY;
    let rest = &text[10..];
    if rest.is_empty() {
        return Some(midnight + DAY - 1);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (hour, minute) = (digits(rest, 0, 2)?, digits(rest, 3, 2)?);
    let mut rest = rest.get(2..3).filter(|colon| *colon == ":").and(rest.get(5..))?;
    let mut second = 0;
    if rest.starts_with(':') {
        second = digits(rest, 1, 2)?;
        rest = rest.get(3..)?;
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        }
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = rest.trim();
    let offset = match rest.get(..1) {
        None => 0,
        Some("Z" | "z") if rest.len() == 1 => 0,
        Some(sign @ ("+" | "-")) => {
            let minutes = match rest.len() {
                6 if rest.get(3..4)? == ":" => digits(rest, 1, 2)? * 60 + digits(rest, 4, 2)?,
                5 => digits(rest, 1, 2)? * 60 + digits(rest, 3, 2)?,
                _ => return None,
            };
            if sign == "+" { minutes } else { -minutes }
        }
        Some(_) => return None,
    };
    Some(midnight + hour * 3600 + minute * MINUTE + second - offset * MINUTE)
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// From 1970-01-01 to a date.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last; 146 097 days are 400 years.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_the_forms_that_platforms_write() {
        assert_eq!(moment("1970-01-01T00:00Z"), Some(0));
        assert_eq!(moment("2000-02-29T00:00:00Z"), Some(951_782_400));
        assert_eq!(moment("2026-12-01"), moment("2026-12-01T23:59:59Z"));
        assert_eq!(moment("2026-12-01 10:00:30 +0100"), moment("2026-12-01T09:00:30.123Z"));
        assert_eq!(moment("2026-12-01T10:00-05:00"), moment("2026-12-01T15:00"));
        for wrong in ["", "tomorrow", "2026-02-29", "2026-13-01", "2026-12-01T24:00", "2026-12-01x", "2026/12/01"] {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_day_begun_costs_its_share_up_to_the_most() {
        let text = "[due]\n\"01-a/b\" = \"2026-12-01T12:00Z\"\n\"02-c\" = 2026-12-01\n[late]\ngrace_minutes = 10\npercent_per_day = 20\nmost_percent = 50\n[extensions]\nann = 1\n";
        let policy = Policy::parse(text).expect("understood");
        let share = |student: &str, exercise: &str, time: &str| policy.share(student, exercise, moment(time));
        assert_eq!(share("bob", "01-a/b", "2026-12-01T12:10Z"), 1.0);
        assert_eq!(share("bob", "01-a/b", "2026-12-01T12:11Z"), 0.8);
        assert_eq!(share("bob", "01-a/b", "2026-12-02T12:01Z"), 0.6);
        assert_eq!(share("bob", "01-a/b", "2026-12-09T12:00Z"), 0.5);
        assert_eq!(share("ann", "01-a/b", "2026-12-02T12:00Z"), 1.0);
        assert_eq!(share("bob", "02-c/d", "2026-12-02T00:20Z"), 0.8);
        assert_eq!(share("bob", "03-e/f", "2027-01-01"), 1.0);
        assert_eq!(policy.share("bob", "01-a/b", None), 1.0);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for wrong in [
            "[late]\npercent_a_day = 10",
            "[due]\nx = \"soon\"",
            "[drop]\nlowest = -1",
            "late = 3",
            "[grace]\na = 1",
            "[extensions]\nann = 0.5",
        ] {
            assert!(Policy::parse(wrong).is_err(), "{wrong}");
        }
        let handout = "from = \"abc\"\nexercises = [\"01-a/b\"]\n[due]\n\"01-a/b\" = \"2026-12-01\"\n";
        assert!(Policy::parse(handout).is_ok());
    }

    #[test]
    fn a_name_that_is_nobodys_is_said() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let catalog = Catalog::read(&root).0;
        let checked = |text: &str| Policy::parse(text).expect("understood").check(&catalog);
        assert!(checked("[due]\n\"01-tradeoffs/cap-demo\" = 2026-12-01\n[weights]\n\"06-coordination\" = 2\n").is_ok());
        for wrong in
            ["[due]\n\"01-tradoffs\" = 2026-12-01\n", "[due]\n\"01\" = 2026-12-01\n", "[weights]\ncap-demo = 2\n"]
        {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
        let known = Known::from([(("ann".to_owned(), "01-tradeoffs/cap-demo".to_owned()), serde_json::Value::Null)]);
        let policy = Policy::parse("[extensions]\nann = 1\nAnn = 2\n").expect("understood");
        assert_eq!(policy.strangers(&known), ["Ann"]);
    }
}
