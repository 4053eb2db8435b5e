//! `solutions/…/wrong/*.patch`: believable misunderstandings, and the tests that reject them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::Problem;

/// A wrong answer that a good engineer could believe in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misconception {
    /// The patch file's name without its extension.
    pub slug: String,
    /// What is believed, one sentence.
    pub claim: String,
    /// What the belief costs in production.
    pub cost: String,
    /// The full names of the tests that reject it; empty until `cargo xtask verify --bless` wrote them.
    pub fails: BTreeSet<String>,
    /// The unified diff against the solution; absent in a handout.
    pub patch: Option<String>,
}

impl Misconception {
    /// Reads the headers and the diff of one patch file.
    ///
    /// # Errors
    /// The header that is missing or empty.
    pub fn parse(slug: &str, text: &str) -> Result<Self, String> {
        let (header, patch) = split(text);
        let required = |name: &str| {
            let value = field(header, name);
            value.filter(|value| !value.is_empty()).ok_or_else(|| format!("the header `{name}:` is missing or empty"))
        };
        let names = field(header, FAILS).unwrap_or_default();
        Ok(Self {
            slug: slug.to_owned(),
            claim: required("Misconception")?,
            cost: required("In production")?,
            fails: names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            patch: patch.map(str::to_owned),
        })
    }

    /// The text of a patch file with its `Fails:` header replaced.
    #[must_use]
    pub fn with_fails(text: &str, fails: &BTreeSet<String>) -> String {
        let (header, patch) = split(text);
        let mut lines: Vec<&str> = Vec::new();
        let mut dropping = false;
        for line in header.lines() {
            let continues = line.starts_with([' ', '\t']);
            dropping = (dropping && continues) || line.strip_prefix(FAILS).is_some_and(|rest| rest.starts_with(':'));
            if !dropping && !line.trim().is_empty() {
                lines.push(line);
            }
        }
        let names: Vec<&str> = fails.iter().map(String::as_str).collect();
        format!("{}\n{FAILS}: {}\n{}", lines.join("\n"), names.join(", "), patch.unwrap_or_default())
    }
}

const FAILS: &str = "Fails";

/// The headers, and the diff where there is one.
fn split(text: &str) -> (&str, Option<&str>) {
    let start = if text.starts_with("--- ") { Some(0) } else { text.find("\n--- ").map(|at| at + 1) };
    start.map_or((text, None), |at| (&text[..at], Some(&text[at..])))
}

/// The value of a header; lines that begin with a space continue it.
fn field(header: &str, name: &str) -> Option<String> {
    let mut lines = header.lines();
    let first = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let rest = lines.take_while(|line| line.starts_with([' ', '\t']));
    let value: Vec<&str> = std::iter::once(first).chain(rest).map(str::trim).collect();
    Some(value.join(" ").trim().to_owned())
}

/// All wrong answers of one exercise, by name.
pub(crate) fn read(solution_dir: &Path, problems: &mut Vec<Problem>) -> Vec<Misconception> {
    let Ok(entries) = fs::read_dir(solution_dir.join("wrong")) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "patch"));
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let slug = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let parsed = fs::read_to_string(&file)
            .map_err(|error| error.to_string())
            .and_then(|text| Misconception::parse(&slug, &text));
        match parsed {
            Ok(misconception) => found.push(misconception),
            Err(what) => problems.push(Problem::new(
                file,
                what,
                "begin the patch with `Misconception: …` and `In production: …`; `cargo xtask verify --bless` adds `Fails:`",
            )),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "Misconception: each key keeps its own\n  newest token\nIn production: keys are lost\n\
                         Fails: stage_1::a, stage_2::b\n--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1 +1 @@\n-a\n+b\n";

    #[test]
    fn headers_and_diff_are_told_apart() {
        let wrong = Misconception::parse("per-key", PATCH).expect("well formed");
        assert_eq!(wrong.claim, "each key keeps its own newest token");
        assert_eq!(wrong.cost, "keys are lost");
        assert_eq!(wrong.fails, BTreeSet::from(["stage_1::a".to_owned(), "stage_2::b".to_owned()]));
        assert!(wrong.patch.expect("has a diff").starts_with("--- a/src/lib.rs\n"));
    }

    #[test]
    fn a_handout_has_headers_without_a_diff() {
        let wrong = Misconception::parse("x", "Misconception: m\nIn production: p\nFails: a\n").expect("legal");
        assert_eq!(wrong.patch, None);
    }

    #[test]
    fn a_missing_header_is_named() {
        let error = Misconception::parse("x", "Misconception: m\n--- a\n").expect_err("no cost");
        assert_eq!(error, "the header `In production:` is missing or empty");
    }

    #[test]
    fn blessing_replaces_only_the_list() {
        let blessed = Misconception::with_fails(PATCH, &BTreeSet::from(["stage_3::c".to_owned()]));
        assert_eq!(blessed, PATCH.replace("stage_1::a, stage_2::b", "stage_3::c"));
        assert_eq!(Misconception::with_fails(&blessed, &BTreeSet::from(["stage_3::c".to_owned()])), blessed);
        let first = Misconception::with_fails("Misconception: m\nIn production: p\n--- a\n", &BTreeSet::new());
        assert_eq!(first, "Misconception: m\nIn production: p\nFails: \n--- a\n");
    }
}
