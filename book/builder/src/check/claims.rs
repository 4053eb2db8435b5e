//! What the pages claim, and how we know: `book/claims/*.toml` against the pages.
//!
//! ```toml
//! [[claim]]
//! page = "03-caching/xfetch.md"
//! says = "thirty readers at once"          # words of the page, exactly
//! test = "exercises/03-caching/xfetch/tests/xfetch.rs::a_plain_time_to_live_sends_thirty_readers_to_the_origin_at_once"
//!
//! [[claim]]
//! page = "03-caching/xfetch.md"
//! says = "the exponential distribution is optimal"
//! source = "https://www.vldb.org/pvldb/vol8/p886-vattani.pdf"   # a link of the page
//! where = "section 3"
//! opened = "2026-11-22"
//! ```

use super::{Built, Outcome, topics::source_of};
use anyhow::{Context, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};
use toml::{Table, Value};

/// Every claim stands on its page and has evidence that is there; every section has claims; every reference carries one.
pub(super) fn hold(built: &Built) -> Result<Outcome> {
    let src = built.project.book().join("src");
    let mut pages: BTreeMap<String, Text> = BTreeMap::new();
    for page in built.pages.iter().map(|page| source_of(&page.path)) {
        if let Ok(text) = fs::read_to_string(src.join(&page)) {
            pages.insert(page, Text::of(&text));
        }
    }
    let claims = entries(&built.project.book().join("claims"), "claim")?;
    Ok(Outcome::from_faults(faults(&pages, &claims, &built.project.root), format!("{} claims", claims.len())))
}

fn faults(pages: &BTreeMap<String, Text>, claims: &[(String, Table)], root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (file, claim) in claims {
        let text = |key: &str| claim.get(key).and_then(Value::as_str).unwrap_or_default();
        let place = format!("{file}: `{}`", text("says"));
        let Some((page, content)) = pages.get_key_value(text("page")) else {
            faults.push(format!("{place}: there is no page `{}`", text("page")));
            continue;
        };
        if text("says").is_empty() || !content.words.contains(&words(text("says"))) {
            faults.push(format!("{place}: {page} does not say that"));
        }
        used.entry(page).or_default().insert(text("source").to_owned());
        faults.extend(evidence(claim, content, root).err().map(|what| format!("{place}: {what}")));
    }
    for (page, content) in pages.iter().filter(|(page, _)| is_section(page)) {
        let Some(used) = used.get(page.as_str()) else {
            faults.push(format!("book/claims: nothing is claimed of {page}"));
            continue;
        };
        for link in content.references.difference(used) {
            faults.push(format!("book/claims: {page} refers to {link}, and no claim rests on it"));
        }
    }
    faults
}

/// The tables called `name` in the TOML files of `folder`, each with its file's name.
pub(super) fn entries(folder: &Path, name: &str) -> Result<Vec<(String, Table)>> {
    let mut found = Vec::new();
    let mut files: Vec<_> = fs::read_dir(folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "toml")) {
        let label = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let table: Table =
            fs::read_to_string(file)?.parse().with_context(|| format!("{} is not TOML", file.display()))?;
        for entry in table.get(name).and_then(Value::as_array).into_iter().flatten() {
            found.push((label.clone(), entry.as_table().with_context(|| format!("{label}: not a table"))?.clone()));
        }
    }
    Ok(found)
}

/// A page as written.
struct Text {
    /// All of it, with one space between words.
    words: String,
    /// The addresses below its heading "References".
    references: BTreeSet<String>,
    /// All addresses on it.
    links: BTreeSet<String>,
}

impl Text {
    fn of(source: &str) -> Self {
        let references = source.split_once("\n## References").map_or("", |(_, after)| after);
        Self { words: words(source), references: links(references), links: links(source) }
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The addresses of Markdown's links `](https://…)` and `<https://…>`.
fn links(text: &str) -> BTreeSet<String> {
    let ends = [("](", ')'), ("<", '>'), ("]: ", '\n')];
    ends.iter()
        .flat_map(|(begin, end)| {
            text.split(begin)
                .skip(1)
                .filter(|link| link.starts_with("http"))
                .filter_map(|link| link.split(*end).next())
                .map(|link| link.trim().to_owned())
        })
        .collect()
}

/// A chapter's introduction or one of its sections.
pub(super) fn is_section(page: &str) -> bool {
    page.starts_with(|first: char| first.is_ascii_digit()) && page.contains('/')
}

/// Exactly one of `test` and `source`, and it is there.
fn evidence(claim: &Table, page: &Text, root: &Path) -> Result<(), String> {
    let text = |key: &str| claim.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (text("test"), text("source")) {
        (Some(test), None) => {
            let (file, name) = test.split_once("::").unwrap_or((test, ""));
            let code = fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
            let name = name.rsplit("::").next().unwrap_or_default();
            let is_there =
                !name.is_empty() && (code.contains(&format!("fn {name}(")) || code.contains(&format!("\"{name}\"")));
            if is_there { Ok(()) } else { Err(format!("{file} has no `{name}`")) }
        }
        (None, Some(source)) if !page.links.contains(source) => Err(format!("the page has no link to {source}")),
        (None, Some(_)) => match (text("where"), text("opened")) {
            (Some(_), Some(opened)) if is_date(opened) => Ok(()),
            (Some(_), _) => Err("`opened` is not a date such as 2026-11-22".to_owned()),
            (None, _) => Err("`where` does not say in which section or paragraph".to_owned()),
        },
        _ => Err("needs a `test` that computes it, or a `source` that says it, and not both".to_owned()),
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([4, 2, 2])
        && parts.iter().all(|part| part.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_references_of_a_page_are_the_links_below_their_heading() {
        let text = Text::of(
            "# A\n[b](https://b.example/)\n\n## References\n\n* C, [d](https://d.example/x).\n* <https://e.example>\n",
        );
        assert_eq!(text.references, ["https://d.example/x", "https://e.example"].map(str::to_owned).into());
        assert!(text.links.contains("https://b.example/"));
    }

    /// `book test` says the same of the built pages, and takes minutes.
    #[test]
    fn the_sections_say_what_is_claimed_of_them() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workbook");
        let claims = entries(&root.join("book/claims"), "claim").expect("claims");
        let of = |claim: &Table| claim.get("page").and_then(Value::as_str).unwrap_or_default().to_owned();
        let read = |page: String| {
            let text = fs::read_to_string(root.join("book/src").join(&page)).ok()?;
            Some((page, Text::of(&text)))
        };
        let pages: BTreeMap<String, Text> = claims.iter().map(|(_, claim)| of(claim)).filter_map(read).collect();

        let faults = faults(&pages, &claims, root);

        assert!(!claims.is_empty() && faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn a_claim_needs_evidence_that_is_there() {
        let root = tempfile::tempdir().expect("a folder");
        fs::write(root.path().join("t.rs"), "fn a_law() {}\n").expect("a file");
        let page = Text::of("[s](https://s.example)");
        let check = |text: &str| evidence(&text.parse::<Table>().expect("TOML"), &page, root.path());
        assert_eq!(check("test = 't.rs::a_law'"), Ok(()));
        assert_eq!(check("source = 'https://s.example'\nwhere = '§2'\nopened = '2026-11-22'"), Ok(()));
        for (wrong, why) in [
            ("test = 't.rs::another_law'", "has no `another_law`"),
            ("test = 't.rs'", "has no"),
            ("source = 'https://t.example'\nwhere = '§2'\nopened = '2026-11-22'", "no link"),
            ("source = 'https://s.example'\nopened = '2026-11-22'", "`where`"),
            ("source = 'https://s.example'\nwhere = '§2'\nopened = 'today'", "not a date"),
            ("", "needs a `test`"),
            ("test = 't.rs::a_law'\nsource = 'https://s.example'", "not both"),
        ] {
            let said = check(wrong).expect_err(wrong);
            assert!(said.contains(why), "{wrong}: {said}");
        }
    }
}
