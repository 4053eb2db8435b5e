//! The page syntax as mdBook preprocessors: in process for our own build, and as a command for other back ends.

use crate::{
    code,
    page::{self, Ariel, World},
};
use anyhow::{Context, Result, anyhow};
use catalog::Catalog;
use mdbook_preprocessor::{
    Preprocessor, PreprocessorContext,
    book::{Book, BookItem},
};
use std::{
    io::{Read, Write},
    path::PathBuf,
};

/// Turns the workbook's syntax into what mdBook reads. Runs before includes are expanded, so that it sees the lines that
/// the author wrote.
#[derive(Debug, Clone)]
pub struct Syntax {
    root: PathBuf,
}

impl Syntax {
    /// For the workbook at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Preprocessor for Syntax {
    fn name(&self) -> &str {
        "workbook"
    }

    fn run(&self, context: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let (catalog, _) = Catalog::read(&self.root);
        let world = World { catalog: Some(&catalog), diagrams: &Ariel };
        let mut faults = Vec::new();
        book.for_each_mut(|item| {
            let BookItem::Chapter(chapter) = item else { return };
            let Some(path) = &chapter.source_path else { return };
            let file = context.root.join(&context.config.book.src).join(path);
            let mut found = page::include_faults(file.parent().unwrap_or(&self.root), &chapter.content);
            match page::transform(&world, path, &chapter.content) {
                Ok(content) => chapter.content = content,
                Err(more) => found.extend(more),
            }
            found.sort_by_key(|fault| fault.line);
            let file = file.strip_prefix(&self.root).unwrap_or(&file).display().to_string();
            faults.extend(found.into_iter().map(|fault| format!("{file}:{}: {}", fault.line, fault.what)));
        });
        if faults.is_empty() { Ok(book) } else { Err(anyhow!("{}", faults.join("\n"))) }
    }
}

/// Colours code blocks. Runs after includes are expanded, and only for HTML.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listings;

impl Preprocessor for Listings {
    fn name(&self) -> &str {
        "workbook-listings"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        book.for_each_chapter_mut(|chapter| chapter.content = code::transform(&chapter.content));
        Ok(book)
    }

    fn supports_renderer(&self, renderer: &str) -> Result<bool> {
        Ok(renderer == "html")
    }
}

/// Takes out what pages quote from the reference solutions. Runs before includes are expanded.
#[derive(Debug, Clone, Copy, Default)]
pub struct WithoutQuotes;

impl Preprocessor for WithoutQuotes {
    fn name(&self) -> &str {
        "workbook-without-quotes"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let quotes = |line: &str| line.contains("{{#include") && line.contains("solutions/");
        book.for_each_chapter_mut(|chapter| {
            let lines = chapter.content.lines().map(|line| match quotes(line) {
                true => "// Here the book quotes the reference solution, which is not part of this copy.",
                false => line,
            });
            chapter.content = lines.collect::<Vec<_>>().join("\n");
        });
        Ok(book)
    }
}

/// Speaks mdBook's preprocessor protocol: context and book as JSON from `input`, the book as JSON to `output`. In another
/// book.toml: `[preprocessor.workbook]`, `command = "book-builder preprocess"`, `before = ["links"]`.
///
/// # Errors
/// If `input` is not what mdBook sends, or a page has a fault.
pub fn command(root: PathBuf, input: impl Read, mut output: impl Write) -> Result<()> {
    let (context, book) = mdbook_preprocessor::parse_input(input)?;
    let book = Syntax::new(root).run(&context, book)?;
    serde_json::to_writer(&mut output, &book).context("the book could not be handed back to mdBook")
}
