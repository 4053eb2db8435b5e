//! Markdown inside generated HTML: titles, choices, hints.

use super::{formula, markdown_options};
use crate::code;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// The HTML of `markdown`, with its formulas and coloured code blocks.
///
/// # Errors
/// What is wrong with a formula.
pub fn render(markdown: &str) -> Result<String, String> {
    let mut events = Vec::new();
    let mut listing: Option<(String, String)> = None;
    // mdBook curls the quotes of the page around this.
    let options = markdown_options() | Options::ENABLE_SMART_PUNCTUATION;
    for event in Parser::new_ext(markdown, options) {
        match (event, &mut listing) {
            (Event::InlineMath(latex), _) => events.push(Event::InlineHtml(formula::in_html(&latex, false)?.into())),
            (Event::DisplayMath(latex), _) => events.push(Event::InlineHtml(formula::in_html(&latex, true)?.into())),
            (Event::Start(Tag::CodeBlock(kind)), _) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info,
                    CodeBlockKind::Indented => CowStr::Borrowed("text"),
                };
                listing = Some((info.to_string(), String::new()));
            }
            (Event::Text(text), Some((_, body))) => body.push_str(&text),
            (Event::End(TagEnd::CodeBlock), Some((info, body))) => {
                events.push(Event::Html(code::block(info, body).into()));
                listing = None;
            }
            (event, _) => events.push(event),
        }
    }
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    Ok(out.trim_end().to_owned())
}

/// The same without the paragraph around it, for a place in running text.
pub(super) fn phrase(markdown: &str) -> Result<String, String> {
    let html = render(markdown)?;
    let inner = html.strip_prefix("<p>").and_then(|html| html.strip_suffix("</p>"));
    Ok(inner.filter(|inner| !inner.contains("<p>")).unwrap_or(&html).to_owned())
}
