//! Links and requests, read from the built HTML: what a browser will follow and fetch.

use super::{Built, Outcome};
use crate::{
    html::{Piece, Tag, pieces, text_of},
    site::{files, resolve},
};
use anyhow::Result;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Every internal link leads to a file, and its fragment to an element of that page.
pub(super) fn inside(built: &Built) -> Result<Outcome> {
    let ids: BTreeMap<&str, BTreeSet<String>> =
        built.pages.iter().map(|page| (page.path.as_str(), ids(&page.html))).collect();
    let mut faults = Vec::new();
    let mut seen = 0;
    for page in &built.pages {
        // The page for a wrong address carries a `base`: its links begin at the book's root, where it lies itself.
        for tag in tags(&page.html) {
            let Some(link) = reference(&tag) else { continue };
            let Some(path) = resolve(&page.path, &unescaped(link)) else {
                if link.starts_with("../") || link.starts_with("..\\") {
                    faults.push(format!("{}: `{link}` leads out of the book", page.path));
                }
                continue;
            };
            seen += 1;
            let fragment = link.split_once('#').map(|(_, fragment)| fragment).filter(|fragment| !fragment.is_empty());
            match (ids.get(path.as_str()), fragment) {
                (None, _) if !built.out.join(&path).is_file() => {
                    faults.push(format!("{}: `{link}` leads to {path}, which is not there", page.path));
                }
                (Some(ids), Some(fragment)) if !ids.contains(&decoded(fragment)) => {
                    faults.push(format!("{}: `{link}`: {path} has no element `#{fragment}`", page.path));
                }
                _ => {}
            }
        }
    }
    faults.extend(doubled(built));
    Ok(Outcome::from_faults(faults, format!("{seen} links on {} pages", built.pages.len())))
}

/// Ids that stand twice on a page: a fragment then leads to the first, whichever was meant. The print page repeats the
/// headings of all pages, and nothing links into it.
fn doubled(built: &Built) -> Vec<String> {
    let mut faults = Vec::new();
    for page in built.pages.iter().filter(|page| page.path != "print.html") {
        let mut seen = BTreeSet::new();
        for id in tags(&page.html).filter_map(|tag| tag.attribute("id").filter(|_| !tag.closing)) {
            if !seen.insert(id) {
                faults.push(format!("{}: the id `{id}` stands twice", page.path));
            }
        }
    }
    faults
}

/// Nothing is loaded from elsewhere: no page, style sheet or script names another server as a source.
pub(super) fn no_requests(built: &Built) -> Result<Outcome> {
    let mut faults = Vec::new();
    for page in &built.pages {
        for tag in tags(&page.html) {
            let loads = |name: &str| match tag.name {
                "a" => false,
                "link" => name == "href",
                _ => matches!(name, "src" | "srcset" | "poster" | "data" | "href" | "xlink:href" | "action"),
            };
            for (name, value) in tag.attributes() {
                if loads(name) && is_elsewhere(value) {
                    faults.push(format!("{}: <{} {name}=\"{value}\">", page.path, tag.name));
                }
                if name == "style" && fetches(value) {
                    faults.push(format!("{}: <{} style=\"{value}\">", page.path, tag.name));
                }
            }
        }
    }
    let mut styles = 0;
    for file in files(&built.out)? {
        if file.extension().is_some_and(|extension| extension == "css") {
            styles += 1;
            let text = fs::read_to_string(&file)?;
            if fetches(&text) {
                faults.push(format!("{}: a url or import of another server", file.display()));
            }
        }
    }
    Ok(Outcome::from_faults(faults, format!("{} pages, {styles} style sheets", built.pages.len())))
}

/// No `{{#…}}` has survived: mdBook leaves what it does not know where it stands.
pub(super) fn no_directives(built: &Built) -> Result<Outcome> {
    let mut faults = Vec::new();
    for page in &built.pages {
        // In code it is a listing about directives.
        let mut in_code = 0_u32;
        for piece in pieces(&page.html) {
            match piece {
                Piece::Tag(tag) if matches!(tag.name, "code" | "pre" | "script") && !tag.empty => {
                    in_code = if tag.closing { in_code.saturating_sub(1) } else { in_code + 1 };
                }
                Piece::Text(text) if in_code == 0 => {
                    for line in text_of(text)
                        .lines()
                        .filter(|line| line.contains("{{#") || line.contains("[!predict]") || line.contains("[!quiz]"))
                    {
                        faults.push(format!("{}: {}", page.path, line.trim()));
                    }
                }
                _ => {}
            }
        }
    }
    Ok(Outcome::from_faults(faults, format!("{} pages", built.pages.len())))
}

fn tags(html: &str) -> impl Iterator<Item = Tag<'_>> {
    pieces(html).into_iter().filter_map(|piece| match piece {
        Piece::Tag(tag) => Some(tag),
        Piece::Text(_) => None,
    })
}

/// What a start tag refers to, by link or as a source.
fn reference<'a>(tag: &Tag<'a>) -> Option<&'a str> {
    if tag.closing {
        return None;
    }
    match tag.name {
        "a" | "link" => tag.attribute("href"),
        "img" | "script" | "source" | "iframe" | "video" | "audio" => tag.attribute("src"),
        _ => None,
    }
}

/// What a fragment can name on a page.
pub(super) fn ids(html: &str) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = tags(html)
        .filter_map(|tag| {
            tag.attribute("id").or_else(|| tag.attribute("name").filter(|_| tag.name == "a")).map(str::to_owned)
        })
        .collect();
    found.insert("top".to_owned());
    found
}

fn is_elsewhere(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    value.starts_with("http:") || value.starts_with("https:") || value.starts_with("//")
}

/// Whether a style sheet fetches from another server.
fn fetches(css: &str) -> bool {
    let css = css.to_ascii_lowercase().replace(['"', '\''], "");
    let urls = css.split("url(").skip(1).map(str::trim_start);
    let imports = css.split("@import").skip(1).map(str::trim_start);
    urls.chain(imports).any(is_elsewhere)
}

fn unescaped(link: &str) -> String {
    decoded(&link.replace("&amp;", "&"))
}

/// `text` with `%20`s resolved where they are well formed.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                bytes.push(value);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{super::Page, *};
    use crate::Project;
    use pretty_assertions::assert_eq;
    use std::path::Path;

    fn book(pages: &[(&str, &str)]) -> Built {
        let pages = pages.iter().map(|(path, html)| Page { path: (*path).into(), html: (*html).into() }).collect();
        let nowhere = Path::new("no-such-folder").to_owned();
        Built { project: Project { root: nowhere.clone(), target: nowhere.clone() }, out: nowhere, pages }
    }

    fn faults(outcome: Result<Outcome>) -> Vec<String> {
        match outcome.expect("it can be asked") {
            Outcome::Fails(faults) => faults,
            other => panic!("should fail: {other:?}"),
        }
    }

    #[test]
    fn a_link_to_no_file_or_no_element_is_found() {
        let built = book(&[
            (
                "a/x.html",
                "<a href='../b.html#there'>1</a><a href='../b.html#gone'>2</a><a href='../c.html'>3</a><a href='#me' id=me>4</a>",
            ),
            ("b.html", "<h2 id=\"there\">x</h2><a href='../outside.html'>5</a><a href='https://example.org/x#y'>6</a>"),
        ]);
        assert_eq!(
            faults(inside(&built)),
            [
                "a/x.html: `../b.html#gone`: b.html has no element `#gone`",
                "a/x.html: `../c.html` leads to c.html, which is not there",
                "b.html: `../outside.html` leads out of the book",
            ]
        );
    }

    #[test]
    fn an_id_that_stands_twice_is_found() {
        let built = book(&[("a.html", "<p id=x></p><p id=x></p>"), ("print.html", "<p id=x></p><p id=x></p>")]);
        assert_eq!(faults(inside(&built)), ["a.html: the id `x` stands twice"]);
    }

    #[test]
    fn style_sheets_that_fetch_are_found() {
        assert!(fetches("a{background:url( \"https://x.test/y.png\")}"));
        assert!(fetches("@import '//x.test/y.css';"));
        assert!(!fetches("a{mask:url(#m)} b{background:url(data:image/png;base64,x)}"));
    }

    #[test]
    fn a_directive_in_text_is_found_and_one_in_code_is_not() {
        let built = book(&[("a.html", "<p>{{#exercise}} here</p><code>{{#figure x}}</code>")]);
        assert_eq!(faults(no_directives(&built)), ["a.html: {{#exercise}} here"]);
    }
}
