//! What is wrong with the trees: always a file, a fault and a fix.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// One fault in the trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file or folder at fault, or the one that is missing.
    pub file: PathBuf,
    /// The fault.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

impl Problem {
    /// A fault of `file` and its fix.
    pub fn new(file: impl Into<PathBuf>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { file: file.into(), what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    fix: {}", self.file.display(), self.what, self.fix)
    }
}

/// All faults that were found, in the order of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl Error for Problems {}
