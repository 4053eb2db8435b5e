//! `reset EX`: the exercise as it was handed out; what the reader wrote is kept aside.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use catalog::{Id, Pristine};
use judge::files;

use crate::args::Parsed;
use crate::failure::Failure;
use crate::git;
use crate::ui;
use crate::workbook::Workbook;

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let id = find(&workbook, parsed.one_word()?)?;
    ui::print(&reset(&workbook, &id)?);
    Ok(true)
}

/// Also finds an exercise whose manifest is broken: that is when a reset is needed most.
fn find(workbook: &Workbook, word: &str) -> Result<Id, Failure> {
    let broken = workbook.problems.0.iter().filter_map(|problem| {
        let dir = problem.file.parent().filter(|dir| Pristine::path(dir).is_file())?;
        let inside = dir.strip_prefix(workbook.catalog.root.join("exercises")).ok()?;
        Id::parse(&inside.to_string_lossy().replace('\\', "/"))
    });
    match broken.into_iter().find(|id| id.name() == word || id.as_str() == word) {
        Some(id) => Ok(id),
        None => workbook.one(word).map(|exercise| exercise.id.clone()),
    }
}

/// Puts back every file that is not as it was handed out. Files are looked up before the first is touched, and the reader's
/// are copied before they are replaced: a failure in between loses nothing.
pub(crate) fn reset(workbook: &Workbook, id: &Id) -> Result<String, Failure> {
    let root = &workbook.catalog.root;
    let dir = root.join("exercises").join(id.as_str());
    let pristine = Pristine::read(&dir).ok_or_else(|| {
        let path = format!("exercises/{id}/.pristine");
        Failure::with_fix(
            format!("{path} is missing, so nobody knows what was handed out"),
            format!("git checkout -- {path}"),
        )
    })?;
    let now = Pristine::of(&dir)?;
    let changed = pristine.differences(&now);
    if changed.is_empty() {
        return Ok(format!("{} {id} is as it was handed out\n", ui::good("✓")));
    }
    let mut wanted: BTreeMap<&String, Vec<u8>> = BTreeMap::new();
    for path in changed.iter().filter(|path| pristine.files.contains_key(*path)) {
        let hash = &pristine.files[path];
        wanted.insert(path, git::version_with_hash(root, &format!("exercises/{id}/{path}"), hash)?);
    }
    let aside = aside(workbook, id);
    for path in changed.iter().filter(|path| now.files.contains_key(*path)) {
        let content = fs::read(dir.join(path)).map_err(|error| Failure::new(format!("{path}: {error}")))?;
        files::write_atomically(&aside.join(path), &content)?;
    }
    for path in &changed {
        match wanted.get(path) {
            Some(content) => files::write_atomically(&dir.join(path), content)?,
            None => fs::remove_file(dir.join(path)).map_err(|error| Failure::new(format!("{path}: {error}")))?,
        }
    }
    let mut text = format!("{} {id} is as it was handed out: {}\n", ui::good("✓"), changed.join(", "));
    if aside.is_dir() {
        text += &format!("  your version is kept in {}\n", workbook.relative(&aside));
    }
    Ok(text)
}

/// A folder of its own for each reset: `target/workbook/aside/CH/EX/1732269600`.
fn aside(workbook: &Workbook, id: &Id) -> PathBuf {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let folder = workbook.target.join("workbook/aside").join(id.as_str());
    (seconds..).map(|second| folder.join(second.to_string())).find(|dir| !dir.exists()).unwrap_or(folder)
}
