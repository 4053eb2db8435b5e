//! Looks for solutions in what is about to be handed out, wherever they may have come from: a page, a test, a built book.

use std::collections::{BTreeMap, BTreeSet};

use catalog::Exercise;
use judge::overlay;

use super::contents::Files;
use crate::workbook::Workbook;

/// So many lines of a solution in a row are no coincidence.
const RUN: usize = 3;
/// A shorter line (`}`, `Ok(())`) is in every program.
const TELLING: usize = 16;

/// `PATH quotes the solution of CH/EX: "the first line"`. Hints are not examined: the third is meant to be almost the code.
pub(super) fn find(workbook: &Workbook, files: &Files) -> Vec<String> {
    let mut runs: BTreeMap<Vec<String>, &Exercise> = BTreeMap::new();
    let given = given(files);
    for exercise in workbook.catalog.exercises() {
        let sources = overlay::read_sources(&exercise.solution_dir().join("src")).unwrap_or_default();
        for source in sources.values() {
            for run in telling(source).windows(RUN).filter(|run| !run.iter().any(|line| given.contains(line))) {
                runs.insert(run.to_vec(), exercise);
            }
        }
    }
    let mut found = Vec::new();
    for (path, content) in files.iter().filter(|(path, _)| !path.ends_with("/hints.md")) {
        let Ok(text) = std::str::from_utf8(content) else { continue };
        let text = if path.ends_with(".html") { without_tags(text) } else { text.to_owned() };
        let lines = telling(&text);
        if let Some((run, exercise)) = lines.windows(RUN).find_map(|run| runs.get_key_value(run)) {
            found.push(format!("{path} quotes the solution of {}: `{}`", exercise.id, run[0]));
        }
    }
    found
}

/// The lines of stubs, tests and kit, which `verify` proves to solve nothing: what a solution shares with them is no secret.
fn given(files: &Files) -> BTreeSet<String> {
    let is_source = |path: &str| path.starts_with("exercises/") && path.ends_with(".rs");
    let sources = files.iter().filter(|(path, _)| is_source(path));
    sources.flat_map(|(_, content)| telling(&String::from_utf8_lossy(content))).collect()
}

/// The lines that say something, without blanks around them; comments are no answers.
fn telling(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| line.len() >= TELLING && !line.starts_with("//")).map(str::to_owned).collect()
}

/// The text of a page with highlighted code.
fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        rest = after.split_once('>').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highlighted_code_is_read_as_it_looks() {
        assert_eq!(without_tags("<b class=\"k\">fn</b> a() -&gt; &amp;u8"), "fn a() -> &u8");
    }
}
