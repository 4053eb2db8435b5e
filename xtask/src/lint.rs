//! What rustfmt and clippy say of packages, by the package's folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use judge::CargoFailed;
use judge::compile::{self, Built};

/// The files of `packages` that rustfmt would write differently.
pub(crate) fn unformatted(root: &Path, files: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let mut command = Command::new("rustfmt");
    command.current_dir(root).args(["--edition", "2024", "--check", "--files-with-diff"]).args(files);
    let output = command
        .output()
        .map_err(|error| format!("rustfmt cannot be started: {error}; rustup component add rustfmt"))?;
    let listed = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() && listed.trim().is_empty() {
        return Err(format!("rustfmt: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(listed.lines().map(|line| PathBuf::from(line.trim())).collect())
}

/// What clippy finds in the libraries and tests of `packages` (name and folder), in their order.
pub(crate) fn clippy(
    root: &Path,
    target: &Path,
    packages: &[(String, PathBuf)],
) -> Result<Vec<Vec<String>>, CargoFailed> {
    let mut command = compile::cargo(root);
    command.args(["clippy", "--lib", "--tests", "--keep-going", "--message-format=json", "--target-dir"]).arg(target);
    for (name, _) in packages {
        command.args(["--package", name]);
    }
    let output = compile::stream(command, &mut |_| {})?;
    let found = compile::collect(&output.messages);
    let said = |dir: &Path| {
        let built = found.iter().find(|(manifest, _)| compile::is_in(manifest, dir)).map(|(_, built)| built.clone());
        let Built { errors, warnings, .. } = built.unwrap_or_default();
        errors.into_iter().chain(warnings).collect::<Vec<_>>()
    };
    let said: Vec<Vec<String>> = packages.iter().map(|(_, dir)| said(dir)).collect();
    if !output.success && said.iter().all(Vec::is_empty) {
        return Err(CargoFailed { message: output.stderr });
    }
    Ok(said)
}
