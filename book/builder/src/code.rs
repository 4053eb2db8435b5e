//! Code blocks, coloured at build time: no script, and the same on paper.

mod lexer;

use crate::{html, page::markdown_options};
use lexer::Kind;
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use std::ops::Range;

/// The languages that are coloured, by the names that fences use; all others are shown as they are.
pub const LANGUAGES: &[(&str, &[&str])] = &[
    ("rust", &["rust", "rs"]),
    ("toml", &["toml"]),
    ("bash", &["bash", "sh", "console", "shell"]),
    ("json", &["json"]),
];

/// A page's Markdown with its code blocks replaced by coloured HTML.
pub fn transform(source: &str) -> String {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut listing: Option<(String, String)> = None;
    for (event, range) in Parser::new_ext(source, markdown_options()).into_offset_iter() {
        match (event, &mut listing) {
            (Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))), _) => {
                listing = Some((info.to_string(), String::new()));
            }
            (Event::Text(text), Some((_, body))) => body.push_str(&text),
            (Event::End(TagEnd::CodeBlock), Some((info, body))) => {
                edits.push((range, html::one_line(&block(info, body))));
                listing = None;
            }
            _ => {}
        }
    }
    let mut out = String::with_capacity(source.len());
    let mut done = 0;
    for (range, text) in edits {
        out.push_str(&source[done..range.start]);
        out.push_str(&text);
        done = range.end;
    }
    out + &source[done..]
}

/// The HTML of a code block. `info` is what stands after the fence's marks.
pub fn block(info: &str, body: &str) -> String {
    let name = info.split([',', ' ', '{']).next().unwrap_or_default().trim();
    let language = LANGUAGES.iter().find(|(_, names)| names.contains(&name)).map_or("text", |(language, _)| *language);
    let body = visible(language, body.trim_end());
    // Focusable, so that a keyboard can scroll it. The class is not `language-…`: mdBook would treat that itself.
    format!("<pre class=\"listing {language}\" tabindex=\"0\"><code>{}</code></pre>", coloured(language, &body))
}

/// Code without the indentation that all of it shares, as an excerpt from the middle of a file has; and Rust code without
/// the lines that rustdoc and mdBook hide: those that begin with `# `.
fn visible(language: &str, body: &str) -> String {
    let hidden = |line: &&str| language == "rust" && (line.trim_start().starts_with("# ") || line.trim() == "#");
    let lines: Vec<&str> = body.lines().filter(|line| !hidden(line)).collect();
    let indented = |line: &&str| line.len() - line.trim_start_matches(' ').len();
    let shared = lines.iter().filter(|line| !line.trim().is_empty()).map(indented).min().unwrap_or(0);
    lines.iter().map(|line| line.get(shared..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn coloured(language: &str, body: &str) -> String {
    let mut out = String::with_capacity(body.len() * 2);
    for (kind, text) in lexer::tokens(language, body) {
        let text = html::escape(text);
        match kind {
            Kind::Plain => out.push_str(&text),
            Kind::Comment => out.push_str(&format!("<span class=\"c\">{text}</span>")),
            Kind::Keyword => out.push_str(&format!("<span class=\"k\">{text}</span>")),
            Kind::Text => out.push_str(&format!("<span class=\"t\">{text}</span>")),
            Kind::Number => out.push_str(&format!("<span class=\"n\">{text}</span>")),
            Kind::Name => out.push_str(&format!("<span class=\"y\">{text}</span>")),
            Kind::Mark => out.push_str(&format!("<span class=\"m\">{text}</span>")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn a_listing_becomes_one_line_of_html_wherever_it_stands() {
        let page = "1. item\n\n   ```rust,ignore\n   let x = 1;\n\n   // two\n   ```\n\nafter\n";
        assert_eq!(
            transform(page),
            "1. item\n\n   <pre class=\"listing rust\" tabindex=\"0\"><code><span class=\"k\">let</span> x = <span class=\"n\">1</span>;\
             &#10;&#10;<span class=\"c\">// two</span></code></pre>\n\nafter\n"
        );
    }

    #[test]
    fn hidden_lines_stay_hidden_and_attributes_do_not() {
        assert_eq!(visible("rust", "# use x;\n#[test]\nfn a() {}\n#\n"), "#[test]\nfn a() {}");
        assert_eq!(visible("bash", "# a comment"), "# a comment");
    }

    #[test]
    fn an_excerpt_begins_at_the_margin() {
        assert_eq!(visible("rust", "    fn a() {\n        b\n\n    }\n"), "fn a() {\n    b\n\n}");
        assert_eq!(visible("text", "  ╭─╮\n ╱   ╲"), " ╭─╮\n╱   ╲");
    }

    #[test]
    fn an_unknown_language_is_shown_as_it_is() {
        assert_eq!(
            block("lisp", "(< a b)\n"),
            "<pre class=\"listing text\" tabindex=\"0\"><code>(&lt; a b)</code></pre>"
        );
    }
}
