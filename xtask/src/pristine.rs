//! Exercises whose tests or manifest were edited, judged as they were handed out.
//!
//! A learner who changes a test sees the verdict of that test; a report for somebody else must not depend on it. The versions
//! handed out are found in git by the hashes in `.pristine`, put into a tree of their own below the target folder, and the
//! learner's `src` is laid over them.

use std::fs;
use std::path::Path;

use catalog::{Catalog, Exercise, Pristine};
use judge::overlay::{self, Variant};
use judge::{Options, Subject, Verdict, files, progress};

use crate::check::cargo_failed;
use crate::failure::Failure;
use crate::git;
use crate::ui::Progress;
use crate::workbook::Workbook;

/// The verdicts on `chosen`, in their order; each names the files that were edited. Verdicts on exercises that nobody edited
/// are kept as `check` keeps them.
pub(crate) fn judge(
    workbook: &Workbook,
    chosen: &[&Exercise],
    options: &Options,
    silent: bool,
) -> Result<Vec<Verdict>, Failure> {
    let edits: Vec<Vec<String>> = chosen.iter().map(|exercise| progress::edited(exercise)).collect();
    // Cargo reads every manifest of a workspace: one edit there reaches everybody, so all move to the other workspace.
    let manifests_edited = edits.iter().flatten().any(|path| path == "Cargo.toml");
    let moves = |edited: &Vec<String>| manifests_edited || !edited.is_empty();
    let staying: Vec<&Exercise> =
        chosen.iter().zip(&edits).filter(|(_, edited)| !moves(edited)).map(|(exercise, _)| *exercise).collect();
    let moving: Vec<&Exercise> =
        chosen.iter().zip(&edits).filter(|(_, edited)| moves(edited)).map(|(exercise, _)| *exercise).collect();
    let mut verdicts = Vec::new();
    if !staying.is_empty() {
        verdicts.extend(crate::check::judge_and_keep(workbook, &staying, options, silent)?);
    }
    if !moving.is_empty() {
        verdicts.extend(judge_copies(workbook, &moving, options, silent)?);
    }
    verdicts.sort_by_key(|verdict| chosen.iter().position(|exercise| exercise.id == verdict.id));
    for (verdict, edited) in verdicts.iter_mut().zip(edits) {
        verdict.edited = edited;
    }
    Ok(verdicts)
}

fn judge_copies(
    workbook: &Workbook,
    exercises: &[&Exercise],
    options: &Options,
    silent: bool,
) -> Result<Vec<Verdict>, Failure> {
    let tree = workbook.target.join("workbook/pristine");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    for exercise in exercises {
        hand_out_again(&workbook.catalog.root, exercise, &tree)?;
    }
    let mut copies = Vec::new();
    let handed_out = Catalog::read(&tree).0;
    for original in exercises {
        let copy = handed_out.get(&original.id).cloned();
        let mut copy = copy.ok_or_else(|| Failure::new(format!("{}: its manifest cannot be read", original.id)))?;
        // Only what decides a verdict comes from the copy; the wrong answers are read where they are.
        copy.misconceptions.clone_from(&original.misconceptions);
        copies.push(copy);
    }
    let variants: Vec<Variant<'_>> = copies
        .iter()
        .zip(exercises)
        .map(|(copy, original)| {
            let sources = overlay::read_sources(&original.dir().join("src"))?;
            Ok(Variant { exercise: copy, name: "handed-out".to_owned(), sources })
        })
        .collect::<Result<_, std::io::Error>>()?;
    let overlay = overlay::lay(&workbook.catalog, &workbook.target, "handed-out", &variants)?;
    let subjects: Vec<Subject<'_>> = overlay.subjects;
    let bar = Progress::new(silent);
    let judged = judge::judge(&overlay.workspace, &subjects, options, &|event| bar.on(&event));
    drop(bar);
    judged.map_err(|failed| cargo_failed(workbook, &failed))
}

/// Writes manifest and tests of `exercise`, as they were handed out, below `tree`.
fn hand_out_again(root: &Path, exercise: &Exercise, tree: &Path) -> Result<(), Failure> {
    let dir = exercise.dir();
    let copy = tree.join("exercises").join(exercise.id.as_str());
    // The catalog takes a folder for an exercise by its `src`; the sources themselves are laid over from the learner's.
    fs::create_dir_all(copy.join("src"))?;
    let Some(pristine) = Pristine::read(&dir) else {
        // Without a list nobody can say what was edited: it moves because of another's manifest, and is taken as it is.
        for (path, _) in Pristine::of(&dir)?.files.iter().filter(|(path, _)| is_given(path)) {
            files::write_atomically(&copy.join(path), &fs::read(dir.join(path))?)?;
        }
        return Ok(());
    };
    for (path, hash) in pristine.files.iter().filter(|(path, _)| is_given(path)) {
        let content = git::version_with_hash(root, &format!("exercises/{}/{path}", exercise.id), hash)?;
        files::write_atomically(&copy.join(path), &content)?;
    }
    Ok(())
}

fn is_given(path: &str) -> bool {
    path.starts_with("tests/") || path == "Cargo.toml"
}
