//! `[package.metadata.exercise]`: what a tool must know about an exercise and cannot see in its files.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::{Table, Value};

use crate::Id;

/// The metadata of one exercise.
#[derive(Debug, PartialEq)]
pub(crate) struct Metadata {
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) difficulty: u8,
    pub(crate) minutes: u32,
    pub(crate) deadline: Duration,
    pub(crate) points: BTreeMap<String, u32>,
    pub(crate) builds_on: Vec<Id>,
}

/// How long a test may run unless its exercise says otherwise.
const DEADLINE: Duration = Duration::from_secs(10);
const KEYS: [&str; 7] = ["title", "summary", "difficulty", "minutes", "deadline", "points", "builds_on"];

/// A fault of a manifest and what to do about it.
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) fix: String,
}

/// Reads the manifest of the package `name`.
pub(crate) fn parse(text: &str, name: &str) -> Result<Metadata, Fault> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| Fault {
        what: format!("is not valid TOML: {}", error.to_string().trim_end()),
        fix: format!("mend that line, or take the file back with `cargo xtask reset {name}`"),
    })?;
    let package = table.get("package").and_then(Value::as_table);
    let package = package.ok_or_else(|| fault("has no [package]", "compare with another exercise's Cargo.toml"))?;
    if package.get("name").and_then(Value::as_str) != Some(name) {
        return Err(fault("the package is not named like its folder", &format!("write `name = \"{name}\"`")));
    }
    let exercise = package.get("metadata").and_then(|metadata| metadata.get("exercise")).and_then(Value::as_table);
    let exercise = exercise.ok_or_else(|| {
        fault("has no [package.metadata.exercise]", "add the table with `title`, `summary`, `difficulty` and `minutes`")
    })?;
    metadata(exercise)
}

fn metadata(table: &Table) -> Result<Metadata, Fault> {
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let known = crate::nearest(key, KEYS);
        let fix = known
            .map_or_else(|| format!("known keys: {}", KEYS.join(", ")), |known| format!("did you mean `{known}`?"));
        return Err(fault(&format!("[package.metadata.exercise] has an unknown key `{key}`"), &fix));
    }
    Ok(Metadata {
        title: text(table, "title")?,
        summary: text(table, "summary")?,
        difficulty: u8::try_from(number(table, "difficulty", 1..=3)?).unwrap_or(3),
        minutes: number(table, "minutes", 1..=10_000)?,
        deadline: if table.contains_key("deadline") {
            Duration::from_secs(number(table, "deadline", 1..=3_600)?.into())
        } else {
            DEADLINE
        },
        points: points(table)?,
        builds_on: builds_on(table)?,
    })
}

fn text(table: &Table, key: &str) -> Result<String, Fault> {
    let value = table.get(key).and_then(Value::as_str).map(str::trim).filter(|value| !value.is_empty());
    value
        .map(str::to_owned)
        .ok_or_else(|| fault(&format!("`{key}` is missing or no text"), &format!("write `{key} = \"…\"`")))
}

fn number(table: &Table, key: &str, range: std::ops::RangeInclusive<u32>) -> Result<u32, Fault> {
    let value = table.get(key).and_then(Value::as_integer).and_then(|value| u32::try_from(value).ok());
    value.filter(|value| range.contains(value)).ok_or_else(|| {
        fault(
            &format!("`{key}` is missing or not a number from {} to {}", range.start(), range.end()),
            &format!("write `{key} = {}` or another number of that range", range.start()),
        )
    })
}

fn points(table: &Table) -> Result<BTreeMap<String, u32>, Fault> {
    let wrong = || fault("`points` is not a table of whole numbers", "write `points = { \"stage_1_x::a_test\" = 3 }`");
    let Some(value) = table.get("points") else {
        return Ok(BTreeMap::new());
    };
    let read = |(name, points): (&String, &Value)| {
        let points = points.as_integer().and_then(|points| u32::try_from(points).ok())?;
        Some((name.clone(), points))
    };
    value.as_table().ok_or_else(wrong)?.iter().map(|entry| read(entry).ok_or_else(wrong)).collect()
}

fn builds_on(table: &Table) -> Result<Vec<Id>, Fault> {
    let wrong = || fault("`builds_on` is not a list of ids", "write `builds_on = [\"01-tradeoffs/cap-demo\"]`");
    let Some(value) = table.get("builds_on") else {
        return Ok(Vec::new());
    };
    let list = value.as_array().ok_or_else(wrong)?;
    list.iter().map(|id| id.as_str().and_then(Id::parse).ok_or_else(wrong)).collect()
}

fn fault(what: &str, fix: &str) -> Fault {
    Fault { what: what.to_owned(), fix: fix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(metadata: &str) -> String {
        format!("[package]\nname = \"cap-demo\"\nversion.workspace = true\n\n[package.metadata.exercise]\n{metadata}\n")
    }

    fn error(text: &str) -> (String, String) {
        let fault = parse(text, "cap-demo").map(drop).expect_err("must be refused");
        (fault.what, fault.fix)
    }

    const PLAIN: &str = "title = \"T\"\nsummary = \"S\"\ndifficulty = 2\nminutes = 60";

    #[test]
    fn the_rest_is_optional() {
        let read = parse(&manifest(PLAIN), "cap-demo").ok().expect("well formed");
        assert_eq!((read.difficulty, read.minutes, read.deadline), (2, 60, DEADLINE));
        let more = "deadline = 30\npoints = { \"stage_1::a\" = 3 }\nbuilds_on = [\"01-a/b\"]";
        let read = parse(&manifest(&format!("{PLAIN}\n{more}")), "cap-demo").ok().expect("well formed");
        assert_eq!(read.deadline, Duration::from_secs(30));
        assert_eq!(read.points.get("stage_1::a"), Some(&3));
        assert_eq!(read.builds_on, [Id::new("01-a", "b")]);
    }

    #[test]
    fn each_fault_is_named_with_its_fix() {
        let (what, fix) = error("[package\nname = 1");
        assert!(what.starts_with("is not valid TOML") && fix.contains("cargo xtask reset cap-demo"), "{what} {fix}");
        assert!(error("[package]\nname = \"other\"").1.contains("cap-demo"));
        assert!(error("[package]\nname = \"cap-demo\"").0.contains("[package.metadata.exercise]"));
        assert!(error(&manifest("title = \"T\"")).0.contains("`summary`"));
        assert!(error(&manifest(&PLAIN.replace("= 2", "= 4"))).0.contains("from 1 to 3"));
        assert!(error(&manifest(&format!("{PLAIN}\ndeadlin = 3"))).1.contains("deadline"));
        assert!(error(&manifest(&format!("{PLAIN}\npoints = 3"))).0.contains("`points`"));
        assert!(error(&manifest(&format!("{PLAIN}\nbuilds_on = [\"x\"]"))).0.contains("`builds_on`"));
    }
}
