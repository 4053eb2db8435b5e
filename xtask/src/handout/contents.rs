//! What is handed out: stubs, tests, kit, hints, pages, the runner; of the wrong answers only their headers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use catalog::{Exercise, Misconception, Pristine, hash_bytes};

use super::Due;
use crate::failure::Failure;
use crate::git;
use crate::workbook::Workbook;

/// Paths, relative and with `/`, and what is in the files.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Where a built book lies in a handout.
pub(super) const BOOK: &str = "book/html";

/// Files at the root that go along as they are.
const ROOT: [&str; 9] = [
    ".cargo/config.toml",
    ".devcontainer/devcontainer.json",
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "rust-toolchain.toml",
    "rustfmt.toml",
];

/// The crates that a learner's machine builds. The grader and the book's builder stay: one judges, the other runs solutions.
const CRATES: [&str; 4] = ["exercises/kit/", "xtask/catalog/", "xtask/judge/", "xtask/src/"];

/// The exercises that can be handed out, and why the others cannot.
pub(super) fn that_can_be_handed_out<'a>(chosen: &[&'a Exercise]) -> (Vec<&'a Exercise>, Vec<(&'a Exercise, String)>) {
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    let is_proved = |exercise: &Exercise| Pristine::read(&exercise.dir()).is_some();
    let goes_along = |name: &str| chosen.iter().any(|one| one.package() == name && is_proved(one));
    for exercise in chosen {
        let manifest = fs::read_to_string(exercise.manifest()).unwrap_or_default();
        if !is_proved(exercise) {
            cannot.push((*exercise, "nobody has proved it yet (`cargo xtask verify --bless`)".to_owned()));
        } else if let Err(why) = with_own_parts(&manifest, &goes_along) {
            cannot.push((*exercise, why));
        } else {
            can.push(*exercise);
        }
    }
    (can, cannot)
}

/// The manifest of an exercise that is composed of others: with the reader's own crates in place of the reference solutions. It
/// must have a feature `my-parts` that takes all of them, and they must be handed out. Any other manifest stays as it is.
fn with_own_parts(manifest: &str, is_handed_out: &dyn Fn(&str) -> bool) -> Result<String, String> {
    let of_solution = |line: &&str| line.contains("-solution\"") || line.contains("solutions/");
    let solutions: Vec<&str> = manifest.lines().filter(of_solution).collect();
    if solutions.is_empty() {
        return Ok(manifest.to_owned());
    }
    let mut keys = Vec::new();
    for line in &solutions {
        let part = line.split_once("package = \"").and_then(|(_, rest)| rest.split_once("-solution\""));
        let (Some((name, _)), Some((key, _))) = (part, line.split_once('=')) else {
            return Err("it is built on solutions".to_owned());
        };
        if !manifest.contains(&format!("package = \"{name}\"")) || !manifest.contains("\nmy-parts = [") {
            return Err(format!("it is built on the solution of {name}"));
        }
        if !is_handed_out(name) {
            return Err(format!("it is built on {name}, which is not handed out"));
        }
        keys.push(format!("\"dep:{}\",", key.trim()));
    }
    let mut text = String::new();
    for line in manifest.lines() {
        if solutions.contains(&line) || keys.iter().any(|key| line.trim() == key) {
            continue;
        }
        text += line;
        text.push('\n');
        if line == "[features]" {
            text += "default = [\"my-parts\"]\n";
        }
    }
    Ok(text)
}

/// Everything that goes into the handout.
pub(super) fn of(
    workbook: &Workbook,
    chosen: &[&Exercise],
    due: &[Due<'_>],
    book: Option<&Path>,
) -> Result<Files, Failure> {
    let root = &workbook.catalog.root;
    let mut files = Files::new();
    // What git knows is what the authors meant to be in the course; an editor's leftovers and a private note are not.
    let listed = git::listed(root)?;
    for path in &listed {
        if ROOT.contains(&path.as_str()) || is_of_crate(path) || path == "xtask/Cargo.toml" || is_page(path, chosen) {
            files.insert(path.clone(), read(root, path)?);
        }
    }
    for exercise in chosen {
        add_exercise(root, exercise, &listed, &mut files)?;
    }
    for path in
        files.keys().filter(|path| path.ends_with(".md") && path.starts_with("book/src/")).cloned().collect::<Vec<_>>()
    {
        let text = String::from_utf8_lossy(&files[&path]).into_owned();
        let text = if path == "book/src/SUMMARY.md" { summary(&text, &files) } else { without_solutions(&text) };
        files.insert(path, text.into_bytes());
    }
    if let Some(book) = book {
        add_tree(book, "", &mut files)?;
    }
    let manifest = String::from_utf8_lossy(&read(root, "Cargo.toml")?).into_owned();
    files.insert("Cargo.toml".to_owned(), workspace(&manifest).into_bytes());
    if root.join("Cargo.lock").is_file() {
        files.insert("Cargo.lock".to_owned(), read(root, "Cargo.lock")?);
    }
    files.insert("README.md".to_owned(), readme(chosen, due, book.is_some()).into_bytes());
    files.insert("handout.toml".to_owned(), record(&git::head(root), chosen, due).into_bytes());
    files.insert(".github/workflows/check.yml".to_owned(), WORKFLOW.as_bytes().to_vec());
    Ok(files)
}

fn read(root: &Path, path: &str) -> Result<Vec<u8>, Failure> {
    fs::read(root.join(path)).map_err(|error| Failure::new(format!("{path}: {error}")))
}

/// A crate's manifest and sources. Its integration tests need the workbook's own trees.
fn is_of_crate(path: &str) -> bool {
    let inside = CRATES.iter().find_map(|folder| path.strip_prefix(folder));
    inside.is_some_and(|path| !path.starts_with("tests/") && !path.starts_with("benches/"))
}

/// The front page, the reference and pictures, and the pages of what was chosen.
fn is_page(path: &str, chosen: &[&Exercise]) -> bool {
    let Some(page) = path.strip_prefix("book/src/") else { return false };
    let Some((folder, name)) = page.split_once('/') else { return true };
    let is_chapter = folder.starts_with(|c: char| c.is_ascii_digit());
    if !is_chapter {
        return true;
    }
    let of_chapter = || chosen.iter().any(|exercise| exercise.id.chapter() == folder);
    let of_exercise = || chosen.iter().any(|exercise| page == format!("{}.md", exercise.id));
    if name.ends_with(".md") && name != "README.md" { of_exercise() } else { of_chapter() }
}

/// The files that `.pristine` lists, in the versions that it lists, whatever lies there now; what else git knows there, such as
/// a program around the exercise; and the wrong answers' headers.
fn add_exercise(root: &Path, exercise: &Exercise, listed: &[String], files: &mut Files) -> Result<(), Failure> {
    let folder = format!("exercises/{}", exercise.id);
    let mut pristine = Pristine::read(&exercise.dir()).unwrap_or_default();
    for (path, hash) in &mut pristine.files {
        let mut content = git::version_with_hash(root, &format!("{folder}/{path}"), hash)?;
        if path == "Cargo.toml" {
            let own = with_own_parts(&String::from_utf8_lossy(&content), &|_| true).map_err(Failure::new)?;
            content = own.into_bytes();
            *hash = hash_bytes(&content);
        }
        files.insert(format!("{folder}/{path}"), content);
    }
    files.insert(format!("{folder}/.pristine"), pristine.to_text().into_bytes());
    for path in listed.iter().filter(|path| path.strip_prefix(&folder).is_some_and(is_beside)) {
        files.insert(path.clone(), read(root, path)?);
    }
    for known in &exercise.misconceptions {
        let header = format!("Misconception: {}\nIn production: {}\n", known.claim, known.cost);
        let text = Misconception::with_fails(&header, &known.fails);
        files.insert(format!("solutions/{}/wrong/{}.patch", exercise.id, known.slug), text.into_bytes());
    }
    Ok(())
}

/// True for a file of an exercise that `.pristine` does not watch over.
fn is_beside(path: &str) -> bool {
    let watched = ["/src/", "/tests/", "/benches/"];
    path[1..].contains('/') && !watched.iter().any(|tree| path.starts_with(tree))
}

fn add_tree(dir: &Path, prefix: &str, files: &mut Files) -> Result<(), Failure> {
    let entries = fs::read_dir(dir).map_err(|error| {
        Failure::with_fix(
            format!("{}: {error}", dir.display()),
            "build the book first: cargo xtask book build --without-solutions --out DIR",
        )
    })?;
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            add_tree(&entry.path(), &format!("{path}/"), files)?;
        } else if entry.file_type()?.is_file() {
            files.insert(format!("{BOOK}/{path}"), fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// The table of contents with the pages that are there.
fn summary(text: &str, files: &Files) -> String {
    let is_there = |line: &&str| {
        let target = line.split_once("](").and_then(|(_, rest)| rest.split_once(')')).map(|(target, _)| target);
        target.is_none_or(|page| files.contains_key(&format!("book/src/{}", page.trim_start_matches("./"))))
    };
    text.lines().filter(is_there).fold(String::new(), |text, line| text + line + "\n")
}

/// A page without the directives that would quote a solution.
fn without_solutions(text: &str) -> String {
    let quotes = |line: &str| line.contains("{{#") && line.contains("solutions/");
    text.lines().fold(String::new(), |text, line| {
        text + if quotes(line) { "(Here the book quotes the reference, which was not handed out.)" } else { line }
            + "\n"
    })
}

/// The workspace's manifest without the members that are not handed out; its comments stay.
fn workspace(manifest: &str) -> String {
    const PARTS: [&str; 3] = ["\"solutions/", "\"book/", "\"xtask/grader"];
    let mut text = String::new();
    for line in manifest.lines() {
        let mut line = line.to_owned();
        let has_part = PARTS.iter().any(|part| line.contains(part));
        if has_part && line.contains("path = ") {
            continue;
        }
        while let Some(at) = PARTS.iter().find_map(|part| line.find(part)) {
            let end = line[at + 1..].find('"').map_or(line.len(), |quote| at + quote + 2);
            let after = line[end..].trim_start().trim_start_matches(',').trim_start().to_owned();
            line = format!("{}{after}", &line[..at]);
        }
        if !has_part || !line.trim().is_empty() {
            text += line.trim_end();
            text.push('\n');
        }
    }
    text.replace(
        "# The same without the exercises: `cargo test` at the root tests the workbook, `cargo test -p NAME` tests the reader.",
        "# Without the exercises: `cargo test` at the root tests the tools, `cargo test -p NAME` tests you.",
    )
}

fn readme(chosen: &[&Exercise], due: &[Due<'_>], has_book: bool) -> String {
    let mut text = "# Distributed systems workbook\n\nYou need Rust from [rustup](https://rustup.rs) and nothing else.\n\n```sh\ncargo xtask                # where you are and what is next\ncargo xtask watch NAME     # a verdict on every save\ncargo xtask check NAME     # the verdict once\ncargo xtask hint NAME      # the next of three hints\ncargo xtask reset NAME     # the stub again; yours is kept aside\n```\n\n".to_owned();
    let _ = writeln!(
        text,
        "Edit `src/` of an exercise and nothing else: only `src/` is graded. {}\n",
        if has_book {
            "The book is [book/html/index.html](book/html/index.html)."
        } else {
            "The pages are in [book/src](book/src/SUMMARY.md)."
        }
    );
    text += "Where a page measures with `cargo bench -p solutions-bench`, it measures the reference solutions, which are not handed out: the figures on the page are what it printed.\n\n";
    text += "| exercise | minutes | due |\n|---|---:|---|\n";
    for exercise in chosen {
        let date = due.iter().find(|due| due.exercise.id == exercise.id).map_or("", |due| &due.date);
        let _ = writeln!(
            text,
            "| [{}](exercises/{}/src/lib.rs) | {} | {} |",
            exercise.title.replace('|', "\\|"),
            exercise.id,
            exercise.minutes,
            date.replace('T', " ")
        );
    }
    text
}

/// What the grader reads: where this comes from and when it is due.
fn record(commit: &str, chosen: &[&Exercise], due: &[Due<'_>]) -> String {
    let mut text = format!(
        "# What was handed out. Nothing on a learner's machine depends on this file.\nfrom = \"{commit}\"\nexercises = [\n"
    );
    for exercise in chosen {
        let _ = writeln!(text, "    \"{}\",", exercise.id);
    }
    text += "]\n\n[due]\n";
    for due in due {
        let _ = writeln!(text, "\"{}\" = \"{}\"", due.exercise.id, due.date);
    }
    text
}

const WORKFLOW: &str = "# The same command that you type. Red means: not yet solved.
name: Check

on: [push, pull_request]

permissions:
  contents: read

jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 20
    steps:
      - uses: actions/checkout@v5
        with:
          fetch-depth: 0 # edited tests are judged from the version that was handed out, which is in the history
      - run: rustup toolchain install
      - uses: Swatinem/rust-cache@v2
      - run: cargo xtask check --all --format github
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_handed_out_is_no_member() {
        let manifest = "members = [\n    \"xtask\",\n    \"xtask/grader\",\n    \"book/builder\",\n    \"exercises/[0-9]*/*\",\n    \"solutions/bench\",\n]\n[d]\nbook-figures = { path = \"book/figures\" }\nkit = { path = \"exercises/kit\" }\n";
        let expected =
            "members = [\n    \"xtask\",\n    \"exercises/[0-9]*/*\",\n]\n[d]\nkit = { path = \"exercises/kit\" }\n";
        assert_eq!(workspace(manifest), expected);
        let inline = "members = [\"solutions/a\", \"exercises/[0-9]*/*\", \"solutions/[0-9]*/*\"] # why\n";
        assert_eq!(workspace(inline), "members = [\"exercises/[0-9]*/*\", ] # why\n");
    }

    #[test]
    fn an_exercise_made_of_others_is_made_of_the_readers_own() {
        let plain = "[dependencies]\nkit.workspace = true\n";
        assert_eq!(with_own_parts(plain, &|_| false).as_deref(), Ok(plain));
        let own = "my_a = { package = \"a\", path = \"../../01/a\", optional = true }\n";
        let reference = "reference_a = { package = \"a-solution\", path = \"../../../solutions/01/a\" }\n";
        let features = "[features]\nmy-parts = [\"my-a\"]\nserve = [\n    \"dep:axum\",\n    \"dep:reference_a\",\n]\n[dependencies]\n";
        let composed = format!("{features}{own}{reference}");
        let expected = format!(
            "{}{own}",
            features
                .replace("    \"dep:reference_a\",\n", "")
                .replace("[features]\n", "[features]\ndefault = [\"my-parts\"]\n")
        );
        assert_eq!(with_own_parts(&composed, &|name| name == "a"), Ok(expected));
        assert!(
            with_own_parts(&composed, &|_| false)
                .is_err_and(|why| why.ends_with("built on a, which is not handed out"))
        );
        assert!(with_own_parts(&format!("[dependencies]\n{reference}"), &|_| true).is_err());
    }

    #[test]
    fn a_quotation_of_a_solution_leaves_a_word_behind() {
        let page = "a\n{{#include ../../../solutions/01/x/src/lib.rs:y}}\n{{#exercise}}\n";
        assert_eq!(
            without_solutions(page),
            "a\n(Here the book quotes the reference, which was not handed out.)\n{{#exercise}}\n"
        );
    }
}
