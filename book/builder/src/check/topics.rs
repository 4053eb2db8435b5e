//! What the course covers, topic by topic: `book/topics/*.toml` against the built pages.
//!
//! ```toml
//! [[topic]]
//! id = "P3-07"
//! topic = "early expiration with chance"
//! at = ["03-caching/xfetch.md#the-idea"]
//! ```

use super::{
    Built, Outcome,
    claims::{entries, is_section},
    links::ids,
};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use toml::Value;

/// Every topic leads to a page and a heading that are there; every section of the book serves a topic.
pub(super) fn lead_somewhere(built: &Built) -> Result<Outcome> {
    let pages: BTreeMap<String, BTreeSet<String>> =
        built.pages.iter().map(|page| (source_of(&page.path), ids(&page.html))).collect();
    let mut faults = Vec::new();
    let mut served = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (file, entry) in entries(&built.project.book().join("topics"), "topic")? {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = format!("{file}: {} {}", text("id"), text("topic"));
        if text("id").is_empty() || text("topic").is_empty() {
            faults.push(format!("{name}: needs an `id` and a `topic`"));
        }
        if !seen.insert(text("id")) {
            faults.push(format!("{name}: the id stands twice"));
        }
        let at: Vec<&str> =
            entry.get("at").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        if at.is_empty() {
            faults.push(format!("{name}: leads nowhere; `at` names the pages that treat it"));
        }
        for place in at {
            let (page, fragment) = place.split_once('#').unwrap_or((place, "top"));
            match pages.get(page) {
                None => faults.push(format!("{name}: there is no page {page}")),
                Some(ids) if !ids.contains(fragment) => {
                    faults.push(format!("{name}: {page} has no heading `#{fragment}`"));
                }
                Some(_) => _ = served.insert(page.to_owned()),
            }
        }
    }
    for page in pages.keys().filter(|page| is_section(page) && !served.contains(*page)) {
        faults.push(format!("book/topics: no topic leads to {page}"));
    }
    Ok(Outcome::from_faults(faults, format!("{} topics", seen.len())))
}

/// The Markdown file of a built page, as links between sources name it.
pub(super) fn source_of(page: &str) -> String {
    let path = page.strip_suffix(".html").unwrap_or(page);
    match path.strip_suffix("index") {
        Some(folder) if folder.is_empty() || folder.ends_with('/') => format!("{folder}README.md"),
        _ => format!("{path}.md"),
    }
}

#[cfg(test)]
mod tests {
    use super::source_of;

    #[test]
    fn a_folder_s_first_page_is_written_in_its_readme() {
        let pages = ["index.html", "03-caching/index.html", "03-caching/xfetch.html", "03-caching/reindex.html"];
        let sources = ["README.md", "03-caching/README.md", "03-caching/xfetch.md", "03-caching/reindex.md"];
        assert_eq!(pages.map(source_of), sources);
    }
}
