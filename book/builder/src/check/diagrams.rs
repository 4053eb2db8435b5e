//! Diagrams read strictly. The renderer accepts most malformed sources; the parser that does not is a dependency of our
//! tests alone (`tests/diagrams.rs`), so that nobody waits for it who only wants to read.

use super::{Built, Outcome};
use crate::{page::mermaid_sources, site};
use anyhow::Result;
use std::{env, fs, process::Command};

/// Runs `cargo test --workspace --test diagrams`: of the whole workspace, or its dependencies would be built again, with
/// fewer features than in `cargo test`.
pub(super) fn strict(built: &Built) -> Result<Outcome> {
    let mut count = 0;
    for file in site::files(&built.project.book().join("src"))? {
        if file.extension().is_some_and(|extension| extension == "md") {
            count += mermaid_sources(&fs::read_to_string(file)?).len();
        }
    }
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--quiet", "--workspace", "--test", "diagrams"]).current_dir(&built.project.root);
    // Where this program was built, most of the test's dependencies are built too: `TARGET/debug/book-builder`.
    if let Some(target) = env::current_exe()?.ancestors().nth(2) {
        cargo.arg("--target-dir").arg(target);
    }
    let Ok(output) = cargo.output() else { return Ok(Outcome::Skipped("cargo cannot be started".to_owned())) };
    let text = [output.stdout, output.stderr].concat();
    let faults =
        String::from_utf8_lossy(&text).lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    let faults = if output.status.success() { Vec::new() } else { faults };
    Ok(Outcome::from_faults(faults, format!("{count} diagrams")))
}
