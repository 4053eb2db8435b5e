//! The book as one file.

use super::{Built, Outcome};
use crate::{chromium, epub, pdf};
use anyhow::Result;

/// What a reading system would find wrong with the EPUB.
pub(super) fn epub(built: &Built) -> Result<Outcome> {
    let book = epub::Book::of(&built.project, &built.out)?;
    let bytes = book.pack(0)?;
    Ok(Outcome::from_faults(epub::faults(&bytes), format!("{:.1} MB", bytes.len() as f64 / 1e6)))
}

/// Chromium makes a PDF of the page that holds all pages.
pub(super) fn pdf(built: &Built) -> Result<Outcome> {
    if chromium::find().is_none() {
        return Ok(Outcome::Skipped(pdf::NO_CHROMIUM.to_owned()));
    }
    let file = built.project.target.join("book-test.pdf");
    Ok(match pdf::write(&built.project, &built.out, &file) {
        Ok(bytes) => Outcome::Holds(format!("{:.1} MB in {}", bytes as f64 / 1e6, file.display())),
        Err(error) => Outcome::Fails(vec![format!("{error:#}")]),
    })
}
