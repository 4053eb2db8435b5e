//! `{{#include FILE:ANCHOR}}`: mdBook only warns about a missing file and says nothing about a missing anchor, so a listing
//! could silently be empty. Here either is a fault of the page.

use super::Fault;
use std::{fs, path::Path};

/// What is wrong with the includes of `source`, a page in `folder`.
pub fn faults(folder: &Path, source: &str) -> Vec<Fault> {
    let mut found = Vec::new();
    for (number, line) in source.lines().enumerate() {
        for directive in ["{{#include ", "{{#rustdoc_include ", "{{#playground "] {
            for (at, _) in line.match_indices(directive) {
                if line[..at].ends_with('\\') {
                    continue;
                }
                let Some((argument, _)) = line[at + directive.len()..].split_once("}}") else {
                    found.push(Fault::new(number + 1, format!("`{}` is never closed by `}}}}`", directive.trim())));
                    continue;
                };
                if let Err(what) = check(folder, argument.trim()) {
                    found.push(Fault::new(number + 1, what));
                }
            }
        }
    }
    found
}

fn check(folder: &Path, argument: &str) -> Result<(), String> {
    let target = argument.split_whitespace().next().unwrap_or_default();
    let (file, part) = target.split_once(':').unwrap_or((target, ""));
    let text =
        fs::read_to_string(folder.join(file)).map_err(|error| format!("`{file}` cannot be included: {error}"))?;
    if part.is_empty() {
        return Ok(());
    }
    if part.chars().all(|c| c.is_ascii_digit() || c == ':') {
        return Err(format!("`{target}` includes by line number, which the next edit moves; use an anchor"));
    }
    let has = |mark: &str| text.lines().any(|line| line.split_once(mark).is_some_and(|(_, name)| name.trim() == part));
    match (has("ANCHOR: "), has("ANCHOR_END: ")) {
        (true, true) => Ok(()),
        (true, false) => Err(format!("`{file}` has no `// ANCHOR_END: {part}`")),
        (false, _) => Err(format!("`{file}` has no `// ANCHOR: {part}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn missing_files_and_anchors_name_their_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let code = "// ANCHOR: whole\nfn a() {}\n// ANCHOR_END: whole\n// ANCHOR: open\n";
        fs::write(folder.path().join("a.rs"), code).expect("can be written");
        let page = "{{#include a.rs:whole}}\n{{#include a.rs}}\n\\{{#include none.rs}}\n{{#include none.rs}}\n{{#include a.rs:gone}}\n\
                    {{#include a.rs:open}}\n{{#include a.rs:3:4}}\n{{#include a.rs\n";
        let found = faults(folder.path(), page);
        assert_eq!(found.iter().map(|fault| fault.line).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
        assert!(found[0].what.contains("`none.rs` cannot be included"), "{found:?}");
        assert!(found[1].what.contains("no `// ANCHOR: gone`"), "{found:?}");
        assert!(found[2].what.contains("no `// ANCHOR_END: open`"), "{found:?}");
        assert!(found[3].what.contains("by line number"), "{found:?}");
        assert!(found[4].what.contains("never closed"), "{found:?}");
    }
}
