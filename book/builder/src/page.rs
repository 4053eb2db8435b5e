//! The workbook's syntax on a page, turned into Markdown and HTML that mdBook understands.
//!
//! Structure is found by a Markdown parser: `$` in a code span is code, and a quiz in a code block is a listing about
//! quizzes.

mod boxes;
mod card;
mod diagram;
mod figure;
mod formula;
mod includes;
mod inline;
mod map;
mod sandbox;

pub use diagram::{Ariel, Diagrams, write as draw_diagram};
pub use includes::faults as include_faults;
pub use inline::render as render_markdown;

use catalog::{Catalog, Id};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::{cell::Cell, fmt, ops::Range, path::Path};

/// Something on a page that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line of the page's source, from 1.
    pub line: usize,
    /// What is wrong and what to write instead.
    pub what: String,
}

impl Fault {
    /// A fault at `line`.
    pub fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// What the syntax of a page may refer to.
pub struct World<'a> {
    /// The exercises; `None` if the tree could not be read, which only matters to pages with a card.
    pub catalog: Option<&'a Catalog>,
    /// Draws Mermaid diagrams.
    pub diagrams: &'a dyn Diagrams,
}

/// The options under which all of our code reads Markdown: those of mdBook, and formulas.
pub fn markdown_options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_MATH
}

/// Turns the workbook's syntax in `source`, the page at `path` (relative to `book/src`), into what mdBook reads.
///
/// # Errors
/// Everything that is wrong with the page, each with its line.
pub fn transform(world: &World<'_>, path: &Path, source: &str) -> Result<String, Vec<Fault>> {
    let path = path.to_string_lossy().replace('\\', "/");
    let name = path.trim_end_matches(".md").replace('/', "-");
    let depth = path.matches('/').count();
    let page = Page { world, exercise: Id::parse(path.trim_end_matches(".md")), name, depth, serial: Cell::new(0) };
    let mut faults = Vec::new();
    let text = page.rewrite(source, 1, &mut faults);
    if faults.is_empty() { Ok(text) } else { Err(faults) }
}

/// The Mermaid sources of a page, each with the line of its fence.
pub fn mermaid_sources(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fence: Option<Fence> = None;
    for (event, range) in Parser::new_ext(source, markdown_options()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => fence = Fence::opened(&info),
            Event::Text(text) => {
                if let Some(fence) = &mut fence {
                    fence.body.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some(fence) = fence.take() {
                    found.push((1 + source[..range.start].matches('\n').count(), fence.body));
                }
            }
            _ => {}
        }
    }
    found
}

/// A page while it is rewritten.
struct Page<'a> {
    world: &'a World<'a>,
    exercise: Option<Id>,
    /// Distinguishes this page's ids from those of others on the print page.
    name: String,
    /// How many folders below the book's root it lies.
    depth: usize,
    serial: Cell<usize>,
}

impl Page<'_> {
    /// An id that no other part of the book has.
    fn fresh_id(&self, kind: &str) -> String {
        self.serial.set(self.serial.get() + 1);
        format!("{kind}-{}-{}", self.name, self.serial.get())
    }

    /// Rewrites `source`, whose first line is line `first_line` of the page.
    fn rewrite(&self, source: &str, first_line: usize, faults: &mut Vec<Fault>) -> String {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        let line_of = |offset: usize| first_line + source[..offset].matches('\n').count();
        let mut fence: Option<Fence> = None;
        let mut paragraph: Option<Range<usize>> = None;
        let mut skip_to = 0;
        for (event, range) in Parser::new_ext(source, markdown_options()).into_offset_iter() {
            if range.start < skip_to {
                continue;
            }
            let line = line_of(range.start);
            let edit = match event {
                Event::Start(Tag::BlockQuote(_)) => {
                    let rewritten = boxes::find(&source[range.clone()]).map(|found| found.write(self, line, faults));
                    if rewritten.is_some() {
                        skip_to = range.end;
                    }
                    rewritten.map(|text| Ok(format!("{text}\n\n")))
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                    fence = Fence::opened(&info);
                    None
                }
                Event::Text(text) if fence.is_some() => {
                    if let Some(fence) = &mut fence {
                        fence.body.push_str(&text);
                    }
                    None
                }
                Event::End(TagEnd::CodeBlock) => fence
                    .take()
                    .map(|fence| diagram::write(self.world.diagrams, &fence.alt, &fence.body, &self.fresh_id("d"))),
                Event::Start(Tag::Paragraph) => {
                    paragraph = Some(range.clone());
                    let text = source[range.clone()].trim();
                    let written = self.directive(text).or_else(|| formula::alone(text));
                    if written.is_some() {
                        skip_to = range.end;
                    }
                    written.map(|html| html.map(|html| html + "\n"))
                }
                Event::End(TagEnd::Paragraph) => {
                    paragraph = None;
                    None
                }
                // Question after question, one to a line: each is a paragraph of its own, or they are a wall.
                Event::HardBreak
                    if source[range.end..].starts_with("**")
                        && paragraph.as_ref().is_some_and(|whole| source[..whole.start].lines().last() == Some(""))
                        && source[..range.start].ends_with(['.', '?', '!']) =>
                {
                    Some(Ok("\n\n".to_owned()))
                }
                Event::InlineMath(latex) => Some(formula::inline(&latex)),
                Event::DisplayMath(latex) => Some(formula::display_inside(&latex)),
                Event::Text(_) if paragraph.is_some() && misplaced(&source[range.clone()]).is_some() => {
                    let directive = misplaced(&source[range.clone()]).unwrap_or_default();
                    Some(Err(format!("`{directive}` must stand alone, with an empty line before and after it")))
                }
                _ => None,
            };
            match edit {
                Some(Ok(text)) => edits.push((range, text)),
                Some(Err(what)) => faults.push(Fault::new(line, what)),
                None => {}
            }
        }
        apply(source, &edits)
    }

    /// The HTML for a paragraph that is one of our directives.
    fn directive(&self, paragraph: &str) -> Option<Result<String, String>> {
        let body = paragraph.strip_prefix("{{#")?.strip_suffix("}}")?;
        if body.contains('\n') || body.contains("}}") {
            return None;
        }
        let (name, rest) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
        match name {
            "exercise" => Some(card::write(self.world.catalog, self.exercise.as_ref(), rest.trim())),
            "figure" => Some(figure::write(rest.trim())),
            "sandbox" => Some(sandbox::write(rest.trim())),
            "map" => Some(map::write(self.world.catalog, self.depth, rest.trim())),
            _ => None,
        }
    }
}

/// A Mermaid fence being read.
struct Fence {
    alt: String,
    body: String,
}

impl Fence {
    /// The fence that `info` opens, if it holds a diagram.
    fn opened(info: &str) -> Option<Self> {
        let (language, alt) = info.split_once(',').unwrap_or((info, ""));
        (language.trim() == "mermaid").then(|| Self { alt: alt.trim().to_owned(), body: String::new() })
    }
}

/// One of our directives in running text, where it is not carried out.
fn misplaced(text: &str) -> Option<&'static str> {
    ["{{#exercise", "{{#figure", "{{#map", "{{#sandbox"].into_iter().find(|directive| text.contains(directive))
}

/// `source` with each range replaced; the ranges are in order and do not overlap.
fn apply(source: &str, edits: &[(Range<usize>, String)]) -> String {
    let mut out = String::with_capacity(source.len());
    let mut done = 0;
    for (range, text) in edits {
        out.push_str(&source[done..range.start]);
        out.push_str(text);
        done = range.end;
    }
    out.push_str(&source[done..]);
    out
}

#[cfg(test)]
#[path = "page/tests.rs"]
mod tests;
