//! What a verdict was about: a hash over everything that decides how an exercise's tests end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use toml::{Table, Value};
use xxhash_rust::xxh3::Xxh3;

use crate::{Catalog, Exercise, pristine};

/// The hash of what all exercises share: the kit, the workspace's manifest and lock file, the toolchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared(u128);

impl Shared {
    /// Reads the shared files as they are now. A file that is not there counts as empty.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let mut hash = Xxh3::new();
        for name in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "exercises/kit/Cargo.toml"] {
            add_file(&mut hash, root, name);
        }
        add_tree(&mut hash, root, "exercises/kit/src");
        Self(hash.digest128())
    }
}

impl Exercise {
    /// The hash of this exercise's own sources, tests and manifest as they are now.
    #[must_use]
    pub fn sources_hash(&self) -> String {
        let mut hash = Xxh3::new();
        add_file(&mut hash, &self.dir(), "Cargo.toml");
        add_tree(&mut hash, &self.dir(), "src");
        add_tree(&mut hash, &self.dir(), "tests");
        format!("{:032x}", hash.digest128())
    }

    /// The hash of all that decides a verdict on this exercise.
    #[must_use]
    pub fn fingerprint(&self, shared: Shared) -> String {
        let mut hash = Xxh3::new();
        hash.update(&shared.0.to_le_bytes());
        hash.update(self.sources_hash().as_bytes());
        format!("{:032x}", hash.digest128())
    }
}

impl Catalog {
    /// The hash of all that decides a verdict on `exercise`. For many exercises, read [`Shared`] once.
    #[must_use]
    pub fn fingerprint(&self, exercise: &Exercise) -> String {
        exercise.fingerprint(Shared::read(&self.root))
    }
}

impl Catalog {
    /// The hash of all that decides whether an exercise's three states are proved: exercise, solution, wrong answers and page,
    /// the kit, the toolchain, profiles and lints, and the versions of those crates that the exercise depends on. `by` is what
    /// carries out the proof.
    #[must_use]
    pub fn proof(&self, exercise: &Exercise, by: &[u8]) -> String {
        let mut hash = Xxh3::new();
        hash.update(&xxhash_rust::xxh3::xxh3_128(by).to_le_bytes());
        for name in ["rust-toolchain.toml", "rustfmt.toml", "exercises/kit/Cargo.toml"] {
            add_file(&mut hash, &self.root, name);
        }
        add_tree(&mut hash, &self.root, "exercises/kit/src");
        let manifest = table(&self.root.join("Cargo.toml"));
        let workspace = manifest.get("workspace").and_then(Value::as_table);
        for part in [
            manifest.get("profile"),
            workspace.and_then(|own| own.get("lints")),
            workspace.and_then(|own| own.get("package")),
        ] {
            hash.update(format!("{part:?}").as_bytes());
        }
        let lock = table(&self.root.join("Cargo.lock"));
        for package in [exercise.package().to_owned(), format!("{}-solution", exercise.package())] {
            hash.update(locked(&lock, &package).join("\n").as_bytes());
        }
        for dir in [exercise.dir(), exercise.solution_dir()] {
            add_tree(&mut hash, &dir, ".");
            add_file(&mut hash, &dir, ".pristine");
        }
        let chapter = exercise.page().parent().map(Path::to_owned).unwrap_or_default();
        add_file(&mut hash, &chapter, &format!("{}.md", exercise.package()));
        add_file(&mut hash, &chapter, "README.md");
        format!("{:032x}", hash.digest128())
    }
}

fn table(file: &Path) -> Table {
    fs::read_to_string(file).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// `package` and what it depends on, directly or not, each with its version.
fn locked(lock: &Table, package: &str) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&Table>> = BTreeMap::new();
    for entry in lock.get("package").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table) {
        versions.entry(text(entry, "name")).or_default().push(entry);
    }
    let mut found = BTreeSet::new();
    let mut open = vec![package.to_owned()];
    while let Some(dependency) = open.pop() {
        // Written "name", or "name version" where there are several versions.
        let (name, version) = dependency.split_once(' ').unwrap_or((&dependency, ""));
        for entry in versions.get(name).into_iter().flatten() {
            let own = text(entry, "version");
            let is_meant = version.is_empty() || version.split(' ').next() == Some(own);
            if is_meant && found.insert(format!("{name} {own} {}", text(entry, "checksum"))) {
                let dependencies = entry.get("dependencies").and_then(Value::as_array);
                open.extend(dependencies.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
            }
        }
    }
    found.into_iter().collect()
}

fn text<'a>(entry: &'a Table, key: &str) -> &'a str {
    entry.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn add_tree(hash: &mut Xxh3, dir: &Path, tree: &str) {
    let mut files = Vec::new();
    // A folder that vanishes while it is listed is being edited: the next reading sees it as it then is.
    let _ = pristine::walk(dir, tree, &mut files);
    files.sort();
    for file in files {
        add_file(hash, dir, &file);
    }
}

/// Adds name, length and content, so that no two lists of files read alike.
fn add_file(hash: &mut Xxh3, dir: &Path, name: &str) {
    let content = fs::read(dir.join(name)).unwrap_or_default();
    hash.update(name.as_bytes());
    hash.update(&(content.len() as u64).to_le_bytes());
    hash.update(&content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_versions_of_what_a_package_depends_on_count() {
        let lock = "[[package]]\nname = 'a'\nversion = '1'\ndependencies = ['b 2', 'c']\n[[package]]\nname = 'b'\nversion = '1'\n\
            [[package]]\nname = 'b'\nversion = '2'\nchecksum = 'x'\n[[package]]\nname = 'c'\nversion = '3'\ndependencies = ['a']\n\
            [[package]]\nname = 'd'\nversion = '4'\n";
        let lock: Table = lock.parse().expect("TOML");
        assert_eq!(locked(&lock, "a"), ["a 1 ", "b 2 x", "c 3 "]);
        assert_eq!(locked(&lock, "d"), ["d 4 "]);
    }
}
