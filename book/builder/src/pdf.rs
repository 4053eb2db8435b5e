//! The book on paper: the page that holds all pages, printed by Chromium.

use crate::{Project, chromium, serve};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// What to do where there is no Chromium.
pub const NO_CHROMIUM: &str = "no Chromium was found. Install Chromium or Chrome, or name one in the variable CHROMIUM; or open the \
                               book's print.html in any browser and print it into a file";

/// Prints the book that was built into `out` to `file`, and says how many bytes it has.
///
/// # Errors
/// [`NO_CHROMIUM`]; what Chromium said if it made no PDF.
pub fn write(project: &Project, out: &Path, file: &Path) -> Result<u64> {
    let chromium = chromium::find().context(NO_CHROMIUM)?;
    let file = std::path::absolute(file)?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    // Made beside it and moved there: what stood there before stays if this fails.
    let next = file.with_extension("pdf.next");
    let profile = project.target.join("book-pdf-profile");
    // `?file`: the page then does not open the dialog that asks for a printer.
    let address = format!("{}print.html?file", serve::plain(out)?);
    let output = Command::new(&chromium)
        .args(chromium::ARGUMENTS)
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--print-to-pdf={}", next.display()))
        .args(["--no-pdf-header-footer", "--generate-pdf-document-outline", "--virtual-time-budget=20000"])
        .arg(address)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be started", chromium.display()))?;
    // The profile is ours and of no further use; if it cannot be removed now, the next run uses it again.
    let _ = fs::remove_dir_all(&profile);
    let printed = fs::read(&next).unwrap_or_default();
    if !is_whole(&printed) {
        let _ = fs::remove_file(&next);
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        bail!("{} made no PDF ({}):\n{}", chromium.display(), output.status, last.join("\n"));
    }
    fs::rename(&next, &file).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(printed.len() as u64)
}

/// Whether `bytes` are a PDF from its head to its end.
fn is_whole(bytes: &[u8]) -> bool {
    let end = &bytes[bytes.len().saturating_sub(1024)..];
    bytes.starts_with(b"%PDF-") && end.windows(5).any(|window| window == b"%%EOF")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_pdf_is_none() {
        assert!(is_whole(b"%PDF-1.4\n...\n%%EOF\n"));
        assert!(!is_whole(b"%PDF-1.4\n..."));
        assert!(!is_whole(b""));
    }
}
