//! Why a command could not do what it was asked: exit code 2, and what to do about it.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::ui;

/// A sentence for the person, and perhaps a way out.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    fix: Option<String>,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), fix: None }
    }

    pub(crate) fn with_fix(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), fix: Some(fix.into()) }
    }

    /// Prints it and gives the exit code for "could not run".
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("{} {self}", ui::bad_err("error:"));
        ExitCode::from(2)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what.trim_end())?;
        match &self.fix {
            Some(fix) => write!(f, "\n  fix: {fix}"),
            None => Ok(()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let fix = match error.kind() {
            io::ErrorKind::StorageFull => Some("make room on the disk; nothing that was there is lost"),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Some("make the folder writable, or copy the workbook to one that is; nothing that was there is lost")
            }
            _ => None,
        };
        Self { what: error.to_string(), fix: fix.map(str::to_owned) }
    }
}

impl From<catalog::Unknown> for Failure {
    fn from(unknown: catalog::Unknown) -> Self {
        Self::with_fix(unknown.to_string(), "`cargo xtask check --help` says how exercises are named")
    }
}
