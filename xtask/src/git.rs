//! What git remembers: the version of a file that was handed out, wherever in history it is.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use catalog::hash_bytes;

use crate::failure::Failure;

/// The version of `path` (relative to `root`) whose hash is `hash`, searched in every commit of every branch.
pub(crate) fn version_with_hash(root: &Path, path: &str, hash: &str) -> Result<Vec<u8>, Failure> {
    if let Ok(now) = std::fs::read(root.join(path))
        && hash_bytes(&now) == hash
    {
        return Ok(now);
    }
    let log = git(root, &["log", "--all", "--full-history", "-m", "--raw", "--no-abbrev", "--format=", "--", path])?;
    let mut seen = HashSet::new();
    for blob in String::from_utf8_lossy(&log).lines().flat_map(blobs).map(str::to_owned) {
        if seen.insert(blob.clone())
            && let Ok(content) = git(root, &["cat-file", "blob", &blob])
            && hash_bytes(&content) == hash
        {
            return Ok(content);
        }
    }
    Err(Failure::with_fix(
        format!("the version of {path} that was handed out is in no commit of this repository"),
        "fetch the whole history (git fetch --unshallow), or copy the file from a fresh clone",
    ))
}

/// The files that git keeps, relative to `root`.
pub(crate) fn listed(root: &Path) -> Result<Vec<String>, Failure> {
    let list = git(root, &["ls-files", "-z"])?;
    Ok(String::from_utf8_lossy(&list).split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// The commit that is checked out; empty if there is none.
pub(crate) fn head(root: &Path) -> String {
    git(root, &["rev-parse", "HEAD"]).map(|id| String::from_utf8_lossy(&id).trim().to_owned()).unwrap_or_default()
}

/// `:100644 100644 OLD NEW M\tpath` → both ids, the newer first; zeros stand for "none".
fn blobs(line: &str) -> Vec<&str> {
    let ids = line.strip_prefix(':').map(|rest| rest.split_whitespace().skip(2).take(2).collect::<Vec<_>>());
    let mut ids = ids.unwrap_or_default();
    ids.retain(|id| id.chars().any(|c| c != '0'));
    ids.reverse();
    ids
}

fn git(root: &Path, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
    let output = Command::new("git").current_dir(root).args(arguments).output().map_err(|error| {
        Failure::with_fix(format!("git cannot be started: {error}"), "install git, or copy the file from a fresh clone")
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::with_fix(
            format!("git says: {}", said.lines().next().unwrap_or_default()),
            "reset takes the handed-out files from git's history: work in a clone, or copy the file from one",
        ));
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_a_change_are_candidates() {
        assert_eq!(blobs(":100644 100644 aaa bbb M\tx"), ["bbb", "aaa"]);
        assert_eq!(blobs(":000000 100644 000 bbb A\tx"), ["bbb"]);
        assert_eq!(blobs(""), Vec::<&str>::new());
    }
}
