//! `book build|serve|test|pdf|epub|wasm`: hands over to the book's builder, which is a program of its own because it is slow to compile.

use std::path::PathBuf;
use std::process::Command;

use judge::{compile, process, stop};

use crate::args::Parsed;
use crate::failure::Failure;
use crate::workbook::Workbook;

const WORDS: [&str; 6] = ["build", "serve", "test", "pdf", "epub", "wasm"];

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let what = parsed.one_word().ok().filter(|word| WORDS.contains(word));
    let what = what.ok_or_else(|| {
        Failure::with_fix(format!("`book` takes one of: {}", WORDS.join(", ")), "cargo xtask book build")
    })?;
    if !has_builder(&workbook) {
        let fix = "read book/html/index.html, or the pages in book/src";
        return Err(Failure::with_fix("this copy was handed out without the program that builds the book", fix));
    }
    let mut command = builder(&workbook, what);
    if let Some(out) = parsed.value("out") {
        // The builder runs at the root; the person may stand elsewhere.
        command.arg("--out").arg(std::env::current_dir()?.join(out));
    }
    if let Some(path) = parsed.value("site-url") {
        command.args(["--site-url", path]);
    }
    if parsed.has("without-solutions") {
        command.arg("--without-solutions");
    }
    if let Some(port) = parsed.number("port")? {
        command.args(["--port", &port.to_string()]);
    }
    let mut child = process::spawn(command).map_err(|error| Failure::new(format!("cannot start cargo: {error}")))?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if stop::requested() {
            let _ = child.start_kill();
            let _ = child.wait();
            return Ok(false);
        }
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
}

/// False in a handout: the builder draws figures by running solutions.
pub(crate) fn has_builder(workbook: &Workbook) -> bool {
    workbook.catalog.root.join("book/builder").is_dir()
}

/// `cargo run` of the builder with `what` as its first argument.
pub(crate) fn builder(workbook: &Workbook, what: &str) -> Command {
    let mut command = compile::cargo(&workbook.catalog.root);
    command.env_remove("CARGO_TERM_COLOR").args(["run", "--quiet", "--package", "book-builder", "--target-dir"]);
    command.arg(builder_target(workbook)).args(["--", what]);
    command
}

/// Where the builder is compiled. Its first build takes minutes and holds the lock of its target folder; in a folder of its
/// own it does not keep the reader from a verdict. Where it was built beside everything else before, it stays there.
fn builder_target(workbook: &Workbook) -> PathBuf {
    let name = format!("book-builder{}", std::env::consts::EXE_SUFFIX);
    let beside = workbook.target.join("debug").join(name).is_file();
    if beside { workbook.target.clone() } else { workbook.target.join("tools") }
}
