//! Other sources laid over an exercise: a solution, a wrong answer, a submission.
//!
//! A scratch workspace below cargo's target folder holds one package for each variant. It has the exercise's manifest, with
//! paths made absolute, the sources of the variant, and the exercise's own tests where they lie. All variants compile in one
//! `cargo build` that shares the target folder with everything else, so crates and kit are built once. Paths are stable and
//! files are written only when they change: what did not change is not built again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use catalog::{Catalog, Exercise};
use toml::{Table, Value};

use crate::{Subject, files};

/// The files of a `src` folder by their path below it, with `/`.
pub type Sources = BTreeMap<String, String>;

/// An exercise with other sources.
#[derive(Clone, Debug)]
pub struct Variant<'a> {
    /// The exercise as it is in the tree: tests, manifest, metadata.
    pub exercise: &'a Exercise,
    /// What the sources are, in a word that may be part of a package's name: `solution`, `wrong-per-key`.
    pub name: String,
    /// The sources to judge.
    pub sources: Sources,
}

/// The scratch workspace, ready to be built.
#[derive(Debug)]
pub struct Overlay<'a> {
    /// Where cargo is to be run.
    pub workspace: PathBuf,
    /// One for each variant, in their order.
    pub subjects: Vec<Subject<'a>>,
}

/// Writes the scratch workspace `name` with these variants.
///
/// # Errors
/// A manifest that cannot be read, or a file that cannot be written.
pub fn lay<'a>(catalog: &Catalog, target: &Path, name: &str, variants: &[Variant<'a>]) -> io::Result<Overlay<'a>> {
    let root = catalog.root.canonicalize()?;
    let workspace = target.join("workbook/overlay").join(name);
    let mut subjects = Vec::new();
    for variant in variants {
        let package = format!("{}--{}", variant.exercise.package(), variant.name);
        let dir = workspace.join(&package);
        write_package(&dir, &package, variant)?;
        let traces = target.join("traces").join(&package);
        subjects.push(Subject { exercise: variant.exercise, package, dir, traces });
    }
    let members: Vec<&str> = subjects.iter().map(|subject| subject.package.as_str()).collect();
    files::write_if_changed(&workspace.join("Cargo.toml"), workspace_manifest(&root, &members)?.as_bytes())?;
    // Cargo drops from the lock file what these members do not need; every build starts again from the whole one.
    let lock = fs::read(root.join("Cargo.lock")).unwrap_or_default();
    if lock.is_empty() {
        let _ = fs::remove_file(workspace.join("Cargo.lock"));
    } else {
        files::write_if_changed(&workspace.join("Cargo.lock"), &lock)?;
    }
    Ok(Overlay { workspace, subjects })
}

/// The sources below `src`.
///
/// # Errors
/// A file that cannot be read or is not UTF-8.
pub fn read_sources(src: &Path) -> io::Result<Sources> {
    let mut sources = Sources::new();
    read_into(src, "", &mut sources)?;
    Ok(sources)
}

fn read_into(dir: &Path, prefix: &str, sources: &mut Sources) -> io::Result<()> {
    for entry in fs::read_dir(dir).map_err(|error| named(&error, dir))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            read_into(&entry.path(), &format!("{path}/"), sources)?;
        } else if name.ends_with(".rs") && !name.starts_with('.') {
            let text = fs::read_to_string(entry.path()).map_err(|error| named(&error, &entry.path()))?;
            sources.insert(path, text);
        }
    }
    Ok(())
}

/// `sources` with a unified diff applied. The diff may be of several files; their paths are relative to the package.
///
/// # Errors
/// Why it does not apply, with the file's name.
pub fn patched(sources: &Sources, diff: &str) -> Result<Sources, String> {
    let mut patched = sources.clone();
    for piece in files_of_diff(diff) {
        let patch = diffy::Patch::from_str(piece).map_err(|error| format!("is not a unified diff: {error}"))?;
        let path = patch.original().unwrap_or_default();
        let path = path.split('\t').next().unwrap_or_default().trim();
        let path = path.strip_prefix("a/").unwrap_or(path);
        let name = path.strip_prefix("src/").ok_or_else(|| format!("patches `{path}`, which is not below src/"))?;
        let old = sources.get(name).ok_or_else(|| format!("patches `{path}`, which the solution does not have"))?;
        let new = diffy::apply(old, &patch).map_err(|error| format!("does not apply to `{path}`: {error}"))?;
        if new == *old {
            return Err(format!("changes nothing in `{path}`"));
        }
        patched.insert(name.to_owned(), new);
    }
    if patched == *sources { Err("changes nothing".to_owned()) } else { Ok(patched) }
}

/// A diff of several files, cut before each `--- a/x` line that a `+++ ` line follows.
fn files_of_diff(diff: &str) -> Vec<&str> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in diff.split_inclusive('\n') {
        let next = &diff[at + line.len()..];
        if line.starts_with("--- ") && next.starts_with("+++ ") {
            starts.push(at);
        }
        at += line.len();
    }
    starts.push(diff.len());
    starts.windows(2).map(|pair| &diff[pair[0]..pair[1]]).collect()
}

fn write_package(dir: &Path, package: &str, variant: &Variant<'_>) -> io::Result<()> {
    let manifest = package_manifest(variant.exercise, package)?;
    files::write_if_changed(&dir.join("Cargo.toml"), manifest.as_bytes())?;
    let src = dir.join("src");
    let old = read_sources(&src).unwrap_or_default();
    for gone in old.keys().filter(|path| !variant.sources.contains_key(*path)) {
        fs::remove_file(src.join(gone))?;
    }
    for (path, text) in &variant.sources {
        files::write_if_changed(&src.join(path), text.as_bytes())?;
    }
    Ok(())
}

/// The exercise's manifest under another package name, with paths that hold from anywhere.
fn package_manifest(exercise: &Exercise, package: &str) -> io::Result<String> {
    let mut manifest = read_toml(&exercise.manifest())?;
    let dir = exercise.dir().canonicalize()?;
    absolute_dependencies(&mut manifest, &dir);
    for key in ["bench", "bin", "example"] {
        manifest.remove(key);
    }
    if let Some(Value::Table(table)) = manifest.get_mut("package") {
        table.insert("name".to_owned(), package.into());
        table.remove("metadata");
        for key in ["autotests", "autobenches", "autobins", "autoexamples"] {
            table.insert(key.to_owned(), false.into());
        }
    }
    let lib = table([
        ("name", exercise.lib_name().into()),
        ("test", false.into()),
        ("doctest", false.into()),
        ("doc", false.into()),
    ]);
    manifest.insert("lib".to_owned(), lib);
    let test = |file: PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let file = file.canonicalize().unwrap_or(file);
        table([("name", name.into()), ("path", file.to_string_lossy().into_owned().into())])
    };
    manifest.insert("test".to_owned(), Value::Array(exercise.test_files().into_iter().map(test).collect()));
    Ok(to_text(&manifest))
}

/// The root's manifest with other members: its versions, lints, profiles and patches hold here too.
fn workspace_manifest(root: &Path, members: &[&str]) -> io::Result<String> {
    let mut manifest = read_toml(&root.join("Cargo.toml"))?;
    manifest.retain(|key, _| ["workspace", "profile", "patch"].contains(&key));
    if let Some(Value::Table(workspace)) = manifest.get_mut("workspace") {
        for key in ["default-members", "exclude", "metadata"] {
            workspace.remove(key);
        }
        let members = members.iter().map(|&name| Value::from(name)).collect();
        workspace.insert("members".to_owned(), Value::Array(members));
        absolute_dependencies(workspace, root);
    }
    if let Some(Value::Table(dev)) = manifest.get_mut("profile").and_then(|profile| profile.get_mut("dev")) {
        build_once(dev);
    }
    if let Some(Value::Table(patches)) = manifest.get_mut("patch") {
        for (_, registry) in patches.iter_mut() {
            absolute_paths(registry, root);
        }
    }
    Ok(to_text(&manifest))
}

/// What is laid here is built once and not debugged: without incremental files and debug information that takes about a
/// third less. Dependencies stay as they are, or they would be built again.
fn build_once(dev: &mut Table) {
    let debug = dev.insert("debug".to_owned(), Value::Integer(0));
    dev.insert("incremental".to_owned(), Value::Boolean(false));
    let packages = dev.entry("package").or_insert_with(|| Value::Table(Table::new()));
    if let (Some(debug), Value::Table(packages)) = (debug, packages) {
        packages.insert("*".to_owned(), table([("debug", debug)]));
    }
}

/// Makes the `path` of every dependency absolute, in all the tables that hold dependencies.
fn absolute_dependencies(manifest: &mut Table, base: &Path) {
    for key in ["dependencies", "dev-dependencies", "build-dependencies"] {
        if let Some(dependencies) = manifest.get_mut(key) {
            absolute_paths(dependencies, base);
        }
    }
    if let Some(Value::Table(targets)) = manifest.get_mut("target") {
        for (_, target) in targets.iter_mut() {
            if let Value::Table(target) = target {
                absolute_dependencies(target, base);
            }
        }
    }
}

fn absolute_paths(dependencies: &mut Value, base: &Path) {
    let Value::Table(dependencies) = dependencies else { return };
    for (_, dependency) in dependencies.iter_mut() {
        if let Some(Value::String(path)) = dependency.get_mut("path") {
            let absolute = base.join(&*path);
            *path = absolute.canonicalize().unwrap_or(absolute).to_string_lossy().into_owned();
        }
    }
}

fn read_toml(file: &Path) -> io::Result<Table> {
    let text = fs::read_to_string(file).map_err(|error| named(&error, file))?;
    text.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", file.display())))
}

/// TOML on a few long lines: cargo reads it, nobody else does.
fn to_text(table: &Table) -> String {
    table.iter().map(|(key, value)| format!("{} = {}\n", quoted(key), inline(value))).collect()
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let pairs: Vec<String> =
                table.iter().map(|(key, value)| format!("{} = {}", quoted(key), inline(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Float(number) => format!("{number:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Datetime(date) => date.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn table<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Table(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn named(error: &io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(text: &str) -> Sources {
        Sources::from([("lib.rs".to_owned(), text.to_owned())])
    }

    const DIFF: &str = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n";

    #[test]
    fn a_diff_is_applied_and_a_stale_one_is_refused() {
        assert_eq!(patched(&sources("a\nb\nc\n"), DIFF), Ok(sources("a\nB\nc\n")));
        let error = patched(&sources("x\ny\nz\n"), DIFF).expect_err("stale");
        assert!(error.starts_with("does not apply to `src/lib.rs`"), "{error}");
        let elsewhere = patched(&sources("a\n"), &DIFF.replace("src/lib.rs", "tests/x.rs")).expect_err("not a source");
        assert!(elsewhere.contains("not below src/"), "{elsewhere}");
        assert!(patched(&sources("a\n"), "").is_err());
    }

    #[test]
    fn what_is_written_as_toml_is_read_back() {
        let text = "a = \"x \\\"y\\\" \\\\ \\n\"\n[b.\"c d\"]\ne = [1, 2.5, true]\n[[f]]\ng = { h = \"i\" }\n";
        let table: Table = text.parse().expect("TOML");
        assert_eq!(to_text(&table).parse::<Table>().expect("TOML"), table);
    }
}
