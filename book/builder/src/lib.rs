//! Builds the book: mdBook as a library, with the workbook's own syntax, theme, server and tests around it.
//!
//! A page flows once through these rooms:
//!
//! 1. [`page`] turns the workbook's syntax (exercise cards, predict boxes, quizzes, formulas, diagrams, figures) into
//!    Markdown and HTML that mdBook understands, *before* includes are expanded, so that errors name the line you wrote;
//! 2. mdBook's own `links` and `index` expand includes, then [`code`] colours code blocks;
//! 3. mdBook renders with the theme in `book/theme`;
//! 4. [`site`] puts the contents into each page and removes the assets of mdBook that no page uses.
//!
//! [`serve`] watches and serves the result, [`pdf`] and [`epub`] make one file of it, [`check`] tests it. Nothing on the path of `cargo xtask check` uses this crate.

pub mod check;
pub mod chromium;
pub mod code;
pub mod epub;
pub mod html;
pub mod live;
pub mod page;
pub mod pdf;
pub mod preprocess;
pub mod progress;
pub mod serve;
pub mod site;

use std::path::{Path, PathBuf};

/// Where the project's pieces lie.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder of the root `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
}

impl Project {
    /// The project around `from`, with the target folder that cargo would use.
    ///
    /// # Errors
    /// If `from` does not lie in the workbook.
    pub fn find(from: &Path) -> anyhow::Result<Self> {
        let root = catalog::Catalog::find_root(from)
            .ok_or_else(|| anyhow::anyhow!("{} is not inside the workbook; change into it first", from.display()))?;
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) if Path::new(&target).is_absolute() => PathBuf::from(target),
            Some(target) => from.join(target),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// The folder of `book.toml`.
    pub fn book(&self) -> PathBuf {
        self.root.join("book")
    }

    /// Where `build` puts the pages unless told otherwise.
    pub fn default_out(&self) -> PathBuf {
        self.target.join("book")
    }

    /// Where the runner keeps the last verdict of each exercise.
    pub fn verdicts(&self) -> PathBuf {
        self.target.join("workbook/verdicts")
    }
}
