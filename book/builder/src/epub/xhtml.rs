//! A rendered page's HTML as XHTML: every tag closed, every attribute with a value, drawings and formulas in their name spaces.

use crate::{
    html::{Piece, Tag, pieces},
    site::resolve,
};

/// Elements that have no end tag in HTML.
const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"];
/// Elements that do nothing in a book: without a script a button is dead, and a quiz cannot be taken.
const DROPPED: &[&str] = &["button", "script", "style", "template", "select"];
/// Attributes that mean nothing there.
const SILENT: &[&str] =
    &["tabindex", "for", "data-params", "data-figure", "data-test", "data-state", "data-exercise", "data-progress"];

/// Names in drawings whose capitals HTML does not need and XML does.
const CAPITALS: &[&str] = &[
    "attributeName",
    "baseFrequency",
    "baseProfile",
    "clipPath",
    "clipPathUnits",
    "feGaussianBlur",
    "feMerge",
    "feMergeNode",
    "feOffset",
    "foreignObject",
    "gradientTransform",
    "gradientUnits",
    "lengthAdjust",
    "linearGradient",
    "markerHeight",
    "markerUnits",
    "markerWidth",
    "maskContentUnits",
    "maskUnits",
    "pathLength",
    "patternTransform",
    "patternUnits",
    "preserveAspectRatio",
    "radialGradient",
    "refX",
    "refY",
    "spreadMethod",
    "startOffset",
    "stdDeviation",
    "textLength",
    "textPath",
    "viewBox",
];

/// The content `html` of the page at `url`.
///
/// # Errors
/// A tag that is not closed where it must be, or a character reference that XML does not know.
pub(super) fn of(html: &str, url: &str) -> Result<String, String> {
    let mut out = String::with_capacity(html.len() + html.len() / 8);
    let mut open: Vec<String> = Vec::new();
    let mut dropping: Option<(String, usize)> = None;
    for piece in pieces(html) {
        match (piece, &mut dropping) {
            (Piece::Tag(tag), Some((name, depth))) if tag.name == name => {
                *depth = if tag.closing { *depth - 1 } else { *depth + 1 };
                if *depth == 0 {
                    dropping = None;
                }
            }
            (_, Some(_)) => {}
            (Piece::Text(text), None) => out.push_str(&text_of(text)?),
            (Piece::Tag(tag), None) if tag.closing => {
                if VOID.contains(&tag.name) {
                    continue;
                }
                let name = renamed_element(tag.name);
                match open.pop() {
                    Some(expected) if expected == name => out.push_str(&format!("</{name}>")),
                    expected => {
                        return Err(format!("</{name}> stands where </{}> should", expected.unwrap_or_default()));
                    }
                }
            }
            // What is hidden waits for a script.
            (Piece::Tag(tag), None) if DROPPED.contains(&tag.name) || tag.attribute("hidden").is_some() => {
                if !tag.empty && !VOID.contains(&tag.name) {
                    dropping = Some((tag.name.to_owned(), 1));
                }
            }
            (Piece::Tag(tag), None) if tag.name == "input" => {}
            (Piece::Tag(tag), None) => {
                out.push_str(&start(&tag, url)?);
                if !tag.empty && !VOID.contains(&tag.name) {
                    open.push(renamed_element(tag.name).to_owned());
                }
            }
        }
    }
    match open.pop() {
        Some(name) => Err(format!("<{name}> is not closed")),
        None => Ok(out),
    }
}

/// A label belongs to a field, and there is none left.
fn renamed_element(name: &str) -> &str {
    if name == "label" { "span" } else { capitals(name) }
}

fn capitals(name: &str) -> &str {
    CAPITALS.iter().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(&name)
}

fn start(tag: &Tag<'_>, url: &str) -> Result<String, String> {
    let mut out = format!("<{}", renamed_element(tag.name));
    let name_space = match tag.name {
        "svg" => Some("http://www.w3.org/2000/svg"),
        "math" => Some("http://www.w3.org/1998/Math/MathML"),
        _ => None,
    };
    if let Some(name_space) = name_space {
        out.push_str(&format!(" xmlns=\"{name_space}\""));
    }
    let is_quiz = tag.attribute("role") == Some("radiogroup");
    for (name, value) in tag.attributes() {
        if SILENT.contains(&name) || name == "xmlns" {
            continue;
        }
        let value = match name {
            "id" => identifier(value),
            // What is no page is not in the book.
            "href" if tag.name == "a" && leads_to_a_file(url, value) => continue,
            "href" if tag.name == "a" => link(url, value),
            "aria-labelledby" | "aria-describedby" => value.split(' ').map(identifier).collect::<Vec<_>>().join(" "),
            "role" if is_quiz => "group".to_owned(),
            _ => value.to_owned(),
        };
        let name = capitals(name);
        out.push_str(&format!(" {name}=\"{}\"", text_of(&value)?.replace('"', "&quot;")));
    }
    out.push_str(if tag.empty || VOID.contains(&tag.name) { "/>" } else { ">" });
    Ok(out)
}

fn leads_to_a_file(url: &str, value: &str) -> bool {
    resolve(url, value).is_some_and(|path| !path.ends_with(".html"))
}

/// `value` as a link from the page at `url` of the EPUB: pages have another ending, and fragments are names in XML.
fn link(url: &str, value: &str) -> String {
    if resolve(url, value).is_none() {
        return value.to_owned();
    }
    let (path, fragment) = value.split_once('#').map_or((value, None), |(path, fragment)| (path, Some(fragment)));
    let path = renamed(path);
    fragment.map_or(path.clone(), |fragment| format!("{path}#{}", identifier(fragment)))
}

/// The path in the EPUB of the page at `url`.
pub(super) fn renamed(url: &str) -> String {
    match url.strip_suffix(".html") {
        Some(stem) => format!("{stem}.xhtml"),
        None if url.ends_with('/') => format!("{url}index.xhtml"),
        None => url.to_owned(),
    }
}

/// `id` as XML allows it: it begins with a letter, and has only letters, digits, `-`, `_` and `.`.
fn identifier(id: &str) -> String {
    let legal: String =
        id.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' }).collect();
    if legal.starts_with(|c: char| c.is_alphabetic() || c == '_') { legal } else { format!("x{legal}") }
}

/// `text` with character references that XML knows, which are five and the numbers.
fn text_of(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let name = after.split_once(';').map(|(name, _)| name).filter(|name| {
            name.len() < 32 && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#')
        });
        rest = name.map_or(after, |name| &after[name.len() + 1..]);
        match name {
            None => out.push_str("&amp;"),
            Some(name @ ("amp" | "lt" | "gt" | "quot" | "apos")) => out.push_str(&format!("&{name};")),
            Some(number) if number.starts_with('#') => out.push_str(&format!("&{number};")),
            Some("nbsp") => out.push('\u{a0}'),
            Some("shy") => out.push('\u{ad}'),
            Some("ndash") => out.push('–'),
            Some("mdash") => out.push('—'),
            Some("hellip") => out.push('…'),
            Some("times") => out.push('×'),
            Some("rarr") => out.push('→'),
            Some(name) => {
                return Err(format!("`&{name};` is no character reference of XML: write the character itself"));
            }
        }
    }
    out.push_str(rest);
    Ok(out.replace('<', "&lt;").replace("]]>", "]]&gt;"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn xhtml(html: &str) -> String {
        of(html, "01-a/b.html").expect("well formed")
    }

    #[test]
    fn tags_are_closed_and_attributes_have_values() {
        assert_eq!(
            xhtml("<p class=x>a<br>b &amp; c & d&nbsp;<img src='p.svg' alt=\"1 < 2\"></p><details open></details>"),
            "<p class=\"x\">a<br/>b &amp; c &amp; d\u{a0}<img src=\"p.svg\" alt=\"1 &lt; 2\"/></p><details open=\"\"></details>"
        );
    }

    #[test]
    fn drawings_and_formulas_get_their_name_spaces() {
        assert_eq!(
            xhtml("<svg viewbox=\"0 0 1 1\"><path d=\"M0 0\" /></svg><math><mi>n</mi></math>"),
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\"><path d=\"M0 0\"/></svg>\
             <math xmlns=\"http://www.w3.org/1998/Math/MathML\"><mi>n</mi></math>"
        );
    }

    #[test]
    fn links_follow_the_pages_and_ids_are_names() {
        assert_eq!(
            xhtml(
                "<h2 id=\"2pc\">x</h2><a href=\"../02-c/d.html#2pc\">1</a><a href=\"#2pc\">2</a><a href=\"https://x.test/y.html\">3</a>"
            ),
            "<h2 id=\"x2pc\">x</h2><a href=\"../02-c/d.xhtml#x2pc\">1</a><a href=\"#x2pc\">2</a><a href=\"https://x.test/y.html\">3</a>"
        );
    }

    #[test]
    fn what_only_works_on_a_screen_is_left_out() {
        assert_eq!(
            xhtml(
                "<div role=radiogroup><input type=radio id=q><label for=q>yes</label></div><button>a<b>c</b></button><pre tabindex=0>d</pre><div hidden><div>e</div></div>f"
            ),
            "<div role=\"group\"><span>yes</span></div><pre>d</pre>f"
        );
    }

    #[test]
    fn a_link_to_a_file_that_is_no_page_is_its_text() {
        assert_eq!(xhtml("<a href=\"../x.json\">x</a>"), "<a>x</a>");
    }

    #[test]
    fn what_is_no_xml_is_a_fault() {
        assert!(of("<p><b>x</p>", "a.html").is_err());
        assert!(of("<p>", "a.html").is_err());
        assert!(of("&bogus;", "a.html").is_err_and(|fault| fault.contains("&bogus;")));
    }
}
