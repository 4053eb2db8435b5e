//! What the course covers, topic by topic: `book/topics/*.toml` against the built pages.
//!
//! ```toml
//! [[topic]]
//! id = "P3-07"
//! topic = "early expiration with chance"
//! at = ["03-caching/xfetch.md#the-idea"]
//! ```
//!
//! And what the course has promised to cover, in the same folder; one topic or several have this id, or begin with it and a hyphen:
//!
//! ```toml
//! [[wanted]]
//! id = "P3-07"
//! topic = "early expiration with chance"
//! ```

use super::{
    Built, Outcome,
    claims::{entries, is_section},
    links::ids,
};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use toml::Value;

/// Every topic leads to a page and a heading that are there; every section of the book serves a topic; and every topic that
/// is wanted has one.
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
    let mut wanted = Vec::new();
    for (file, entry) in entries(&built.project.book().join("topics"), "wanted")? {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        if text("id").is_empty() || text("topic").is_empty() {
            faults.push(format!(
                "{file}: {} {}: what is wanted needs an `id` and a `topic`",
                text("id"),
                text("topic")
            ));
        }
        wanted.push((text("id"), text("topic")));
    }
    faults.extend(missing(&wanted, &seen));
    Ok(Outcome::from_faults(faults, format!("{} topics, {} wanted", seen.len(), wanted.len())))
}

/// What is said of those `wanted` (an id and a title each) that no topic leads from.
fn missing(wanted: &[(String, String)], topics: &BTreeSet<String>) -> Vec<String> {
    let serves =
        |topic: &str, id: &str| topic.strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let is_missing = |(id, _): &&(String, String)| !topics.iter().any(|topic| serves(topic, id));
    let said =
        |(id, title): &(String, String)| format!("book/topics: {id} is wanted ({title}), and no topic has that id");
    wanted.iter().filter(is_missing).map(said).collect()
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
    use super::{missing, source_of};

    #[test]
    fn a_folder_s_first_page_is_written_in_its_readme() {
        let pages = ["index.html", "03-caching/index.html", "03-caching/xfetch.html", "03-caching/reindex.html"];
        let sources = ["README.md", "03-caching/README.md", "03-caching/xfetch.md", "03-caching/reindex.md"];
        assert_eq!(pages.map(source_of), sources);
    }

    #[test]
    fn what_is_wanted_and_leads_nowhere_is_named() {
        let wanted =
            [("P1", "one"), ("P12", "twelve"), ("P3", "three")].map(|(id, title)| (id.to_owned(), title.to_owned()));
        let topics = ["P12-also", "P3"].map(str::to_owned).into();
        let said = missing(&wanted, &topics);
        assert_eq!(said, ["book/topics: P1 is wanted (one), and no topic has that id"], "P12-also serves P12, not P1");
    }
}
