//! The wrong answers in the search index: what somebody believes leads to the section that answers it.
//!
//! mdBook writes the index of its pages; it cannot be told of more. So a second index is made with the same library and
//! both are merged: an index is a tree of letters for each field, whose nodes list documents.

use anyhow::{Context, Result};
use catalog::Catalog;
use elasticlunr::Index;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fs, path::Path};

/// What stands around the index's JSON in the script that a page loads.
const BEFORE: &str = "window.search = Object.assign(window.search, JSON.parse('";
const AFTER: &str = "'));";
/// The heading under which a page answers its wrong answers.
const SECTION: &str = "What can go wrong";

/// A wrong answer as search finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is answered: `CH/EX.html#what-can-go-wrong`.
    pub url: String,
    /// What is believed.
    pub title: String,
    /// The same, and what it costs.
    pub body: String,
    /// Page and section.
    pub breadcrumbs: String,
}

/// Every wrong answer of the exercises whose page is in `ids`, the ids of the built pages' elements by path.
pub fn entries(catalog: &Catalog, ids: &BTreeMap<String, Vec<String>>) -> Vec<Entry> {
    let mut found = Vec::new();
    for exercise in catalog.exercises() {
        let page = exercise.page_url();
        let Some(ids) = ids.get(&page) else { continue };
        let section = "what-can-go-wrong";
        let answered = ids.iter().any(|id| id == section);
        for wrong in &exercise.misconceptions {
            let (claim, cost) = (wrong.claim.replace('`', ""), wrong.cost.replace('`', ""));
            found.push(Entry {
                url: if answered { format!("{page}#{section}") } else { page.clone() },
                body: format!("Wrong: {claim}. In production: {cost}"),
                title: claim,
                breadcrumbs: format!("{} » {SECTION}", exercise.title.replace('`', "")),
            });
        }
    }
    found
}

/// Adds `entries` to the index in the book at `folder`. Returns the script's old name and its new one, which must change with
/// its content: browsers keep it.
///
/// # Errors
/// If mdBook's script does not look as it did.
pub(super) fn add(folder: &Path, entries: &[Entry]) -> Result<Option<(String, String)>> {
    let Some((old, mut index)) = script(folder)? else { return Ok(None) };
    merge(&mut index, entries)?;
    let json = index.to_string().replace('\\', "\\\\").replace('\'', "\\'");
    let script = format!("{BEFORE}{json}{AFTER}");
    let new = format!("searchindex-{}.js", &catalog::hash_bytes(script.as_bytes())[..8]);
    fs::remove_file(folder.join(&old))?;
    fs::write(folder.join(&new), script)?;
    Ok(Some((old, new)))
}

/// Address and title of every entry of the index in the book at `folder`.
///
/// # Errors
/// If there is no index, or none that can be read.
pub fn read(folder: &Path) -> Result<Vec<(String, String)>> {
    let (name, search) = script(folder)?.context("the book has no search index")?;
    let urls = search["doc_urls"].as_array().with_context(|| format!("{name} has no `doc_urls`"))?;
    let title = |at: usize| search["index"]["documentStore"]["docs"][at.to_string()]["title"].as_str();
    let entries =
        urls.iter().enumerate().filter_map(|(at, url)| Some((url.as_str()?.to_owned(), title(at)?.to_owned())));
    Ok(entries.collect())
}

/// The script with the index in the book at `folder`: its name and the object that it hands over.
fn script(folder: &Path) -> Result<Option<(String, Value)>> {
    let is_script = |name: &String| name.starts_with("searchindex") && name.ends_with(".js");
    let mut names = fs::read_dir(folder)?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let Some(name) = names.find(is_script) else { return Ok(None) };
    let script = fs::read_to_string(folder.join(&name))?;
    let json = script.strip_prefix(BEFORE).and_then(|rest| rest.trim_end().strip_suffix(AFTER)).with_context(|| {
        format!("{name} is not written as mdBook wrote it so far; see book/builder/src/site/search.rs")
    })?;
    let search = serde_json::from_str(&unescaped(json)).context("the search index is not JSON")?;
    Ok(Some((name, search)))
}

/// The text of a JavaScript string in single quotes, of which only the backslash and the quote are escaped.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    out
}

/// Puts `entries` into `search`, the object that the script hands over.
fn merge(search: &mut Value, entries: &[Entry]) -> Result<()> {
    let urls = search["doc_urls"].as_array_mut().context("the search index has no `doc_urls`")?;
    let mut more = Index::new(["title", "body", "breadcrumbs"]);
    for Entry { url, title, body, breadcrumbs } in entries {
        more.add_doc(&urls.len().to_string(), [title, body, breadcrumbs]);
        urls.push(json!(url));
    }
    let more: Value = serde_json::from_str(&more.to_json())?;
    let index = &mut search["index"];
    anyhow::ensure!(index["fields"] == more["fields"], "mdBook indexes other fields: {}", index["fields"]);
    for field in ["title", "body", "breadcrumbs"] {
        merge_node(&mut index["index"][field]["root"], &more["index"][field]["root"]);
    }
    let store = &mut index["documentStore"];
    for part in ["docs", "docInfo"] {
        let parts = more["documentStore"][part].as_object().cloned().unwrap_or_default();
        store[part].as_object_mut().with_context(|| format!("the search index has no `{part}`"))?.extend(parts);
    }
    store["length"] = json!(store["docs"].as_object().map_or(0, Map::len));
    Ok(())
}

/// Adds the documents below `from` to those below `into`. A node has `docs`, their number `df`, and a child for each letter.
fn merge_node(into: &mut Value, from: &Value) {
    let Some(from) = from.as_object() else { return };
    for (key, value) in from {
        match key.as_str() {
            "df" => {}
            "docs" => {
                let docs = value.as_object().cloned().unwrap_or_default();
                if let Some(known) = into["docs"].as_object_mut() {
                    known.extend(docs);
                } else {
                    into["docs"] = Value::Object(docs);
                }
            }
            letter => {
                if into.get(letter).is_none() {
                    into[letter] = json!({ "df": 0, "docs": {} });
                }
                merge_node(&mut into[letter], value);
            }
        }
    }
    into["df"] = json!(into["docs"].as_object().map_or(0, Map::len));
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn entry(url: &str, title: &str) -> Entry {
        Entry { url: url.into(), title: title.into(), body: format!("Wrong: {title}"), breadcrumbs: "B » C".into() }
    }

    /// An index of one page, as mdBook writes it.
    fn mdbooks() -> Value {
        let mut index = Index::new(["title", "body", "breadcrumbs"]);
        index.add_doc("0", ["Tokens", "a newer token's holder", "A"]);
        json!({ "doc_urls": ["a.html#tokens"], "index": serde_json::from_str::<Value>(&index.to_json()).expect("JSON") })
    }

    /// The documents that a word's letters lead to.
    fn documents(search: &Value, field: &str, word: &str) -> Vec<String> {
        let node = word.chars().fold(&search["index"]["index"][field]["root"], |node, c| &node[c.to_string()]);
        assert_eq!(node["df"].as_u64().unwrap_or(0), node["docs"].as_object().map_or(0, Map::len) as u64);
        node["docs"].as_object().into_iter().flat_map(Map::keys).cloned().collect()
    }

    #[test]
    fn both_indexes_are_found_in_the_merged_one() {
        let mut search = mdbooks();
        merge(&mut search, &[entry("b.html#what-can-go-wrong", "each token is newer"), entry("c.html", "it's safe")])
            .expect("the same fields");
        assert_eq!(documents(&search, "title", "token"), ["0", "1"], "words are stemmed in both");
        assert_eq!(documents(&search, "body", "newer"), ["0", "1"]);
        assert_eq!(documents(&search, "title", "safe"), ["2"]);
        assert_eq!(search["doc_urls"][1], "b.html#what-can-go-wrong");
        assert_eq!(search["index"]["documentStore"]["length"], 3);
        assert_eq!(search["index"]["documentStore"]["docs"]["2"]["title"], "it's safe");
        assert!(search["index"]["documentStore"]["docInfo"]["1"]["body"].is_number());
    }

    #[test]
    fn the_merged_index_is_the_one_that_would_have_been_made_of_all() {
        let mut search = mdbooks();
        merge(&mut search, &[entry("b.html", "each token is newer")]).expect("the same fields");
        let mut whole = Index::new(["title", "body", "breadcrumbs"]);
        whole.add_doc("0", ["Tokens", "a newer token's holder", "A"]);
        whole.add_doc("1", ["each token is newer", "Wrong: each token is newer", "B » C"]);
        assert_eq!(search["index"], serde_json::from_str::<Value>(&whole.to_json()).expect("JSON"));
    }

    #[test]
    fn the_script_is_written_again_under_a_new_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let json = mdbooks().to_string().replace('\\', "\\\\").replace('\'', "\\'");
        fs::write(folder.path().join("searchindex-0a1b2c3d.js"), format!("{BEFORE}{json}{AFTER}"))
            .expect("can be written");
        let (old, new) = add(folder.path(), &[entry("b.html", "it's \"safe\"")]).expect("readable").expect("a script");
        assert_eq!(old, "searchindex-0a1b2c3d.js");
        assert_ne!(old, new);
        let script = fs::read_to_string(folder.path().join(&new)).expect("the new script");
        let json = script.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER)).expect("the same frame");
        let search: Value = serde_json::from_str(&unescaped(json)).expect("JSON");
        assert_eq!(search["index"]["documentStore"]["docs"]["1"]["title"], "it's \"safe\"");
        assert!(!folder.path().join(old).exists());
    }
}
