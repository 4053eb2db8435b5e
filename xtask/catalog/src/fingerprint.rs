//! What a verdict was about: a hash over everything that decides how an exercise's tests end.

use std::fs;
use std::path::Path;

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
