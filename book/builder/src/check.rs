//! The book's tests: `book-builder test` builds the book and asks each [`Check`] about it.
//!
//! To add one, write a function and add its line to [`CHECKS`].

mod browser;
mod claims;
mod diagrams;
mod files;
mod links;
mod search;
mod topics;
mod weight;

use crate::{Project, site};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

/// A question about the built book.
pub struct Check {
    /// What must hold, in words.
    pub name: &'static str,
    /// Whether it holds.
    pub run: fn(&Built) -> Result<Outcome>,
}

/// Every check, in order.
pub const CHECKS: &[Check] = &[
    Check { name: "every diagram is written correctly", run: diagrams::strict },
    Check { name: "every link and fragment leads somewhere", run: links::inside },
    Check { name: "no page asks another server for anything", run: links::no_requests },
    Check { name: "no directive is left on a page", run: links::no_directives },
    Check { name: "every claim stands on its page and has its evidence", run: claims::hold },
    Check { name: "every topic leads to its pages", run: topics::lead_somewhere },
    Check { name: "every page is light", run: weight::pages },
    Check { name: "every live figure is light", run: weight::figures },
    Check { name: "a search for what somebody believes leads to its answer", run: search::beliefs },
    Check { name: "the book is a sound EPUB", run: files::epub },
    Check { name: "the book can be printed", run: files::pdf },
    Check { name: "every page can be read and used in a browser", run: browser::pages },
    Check { name: "the picture of a failing run can be played", run: browser::player },
];

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds; how much was looked at.
    Holds(String),
    /// It does not: one line for each place.
    Fails(Vec<String>),
    /// It could not be asked here, and why.
    Skipped(String),
}

impl Outcome {
    /// Holds if there are no `faults`, `otherwise` saying how much was looked at.
    fn from_faults(faults: Vec<String>, otherwise: String) -> Self {
        if faults.is_empty() { Self::Holds(otherwise) } else { Self::Fails(faults) }
    }
}

/// The book as built.
#[derive(Debug)]
pub struct Built {
    /// The project it was built from.
    pub project: Project,
    /// The folder of its pages.
    pub out: PathBuf,
    /// Its pages, sorted by path.
    pub pages: Vec<Page>,
}

/// A built page.
#[derive(Debug)]
pub struct Page {
    /// Its path below the book's folder, with `/`.
    pub path: String,
    /// Its content.
    pub html: String,
}

impl Built {
    /// The book in `out`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(project: &Project, out: &Path) -> Result<Self> {
        let mut pages = Vec::new();
        for file in site::files(out)? {
            if file.extension().is_some_and(|extension| extension == "html") {
                let path = file.strip_prefix(out)?.to_string_lossy().replace('\\', "/");
                let html = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
                pages.push(Page { path, html });
            }
        }
        Ok(Self { project: project.clone(), out: out.to_owned(), pages })
    }
}

/// Builds the book into `out` and tests it; whether all is well.
///
/// # Errors
/// If a check cannot be carried out at all.
pub fn run(project: &Project, out: &Path) -> Result<bool> {
    let (mut passed, mut failed) = (0, 0);
    match site::build(project, out) {
        Ok(took) => {
            println!("ok    the book can be built: {:.1} s", took.as_secs_f64());
            passed += 1;
        }
        Err(error) => {
            println!("FAIL  the book can be built\n        {}", format!("{error:#}").replace('\n', "\n        "));
            println!("0 passed, 1 failed");
            return Ok(false);
        }
    }
    let built = Built::read(project, out)?;
    for Check { name, run } in CHECKS {
        let began = Instant::now();
        match run(&built)? {
            Outcome::Holds(seen) => {
                println!("ok    {name}: {seen}, in {:.1} s", began.elapsed().as_secs_f64());
                passed += 1;
            }
            Outcome::Fails(faults) => {
                println!("FAIL  {name}");
                for fault in faults {
                    println!("        {fault}");
                }
                failed += 1;
            }
            Outcome::Skipped(why) => println!("skip  {name}: {why}"),
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}
