//! The sources of a class in the shapes that tools for finding copies read. Whether something was copied is theirs to say, and
//! a person's.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use catalog::Exercise;

use crate::collect::Submission;
use crate::report::{cell, file_name};
use crate::vet::vet;

/// Whose shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// <https://dolos.ugent.be>: files and an `info.csv`.
    Dolos,
    /// <https://github.com/jplag/JPlag>: a folder for each submission, and one with what was handed out.
    Jplag,
}

impl Tool {
    /// The tool with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [("dolos", Self::Dolos), ("jplag", Self::Jplag)].into_iter().find(|(own, _)| *own == word).map(|(_, tool)| tool)
    }
}

/// Writes a folder for each exercise below `out`, and returns the command for each.
///
/// # Errors
/// The disk is full.
pub fn export(submissions: &[Submission], exercises: &[&Exercise], tool: Tool, out: &Path) -> Result<Vec<String>> {
    let mut commands = Vec::new();
    let mut tables = vec!["filename,full_name,created_at\n".to_owned(); exercises.len()];
    let mut handed = vec![0; exercises.len()];
    let folder = |exercise: &Exercise| out.join(exercise.id.as_str().replace('/', "-"));
    for submission in submissions {
        let tree = submission.open();
        for (at, exercise) in exercises.iter().enumerate() {
            let sources = vet(&tree, exercise).sources;
            if sources.is_empty() {
                continue;
            }
            handed[at] += 1;
            let student = file_name(&submission.student);
            match tool {
                Tool::Jplag => {
                    for (path, text) in &sources {
                        write(&folder(exercise).join("submissions").join(&student).join(path), text)?;
                    }
                }
                Tool::Dolos => {
                    // One file each: Dolos compares files, and a submission in several would be compared with itself.
                    let name = format!("{student}.rs");
                    write(&folder(exercise).join(&name), &sources.values().cloned().collect::<Vec<_>>().join("\n"))?;
                    let time = submission.submitted.as_deref().unwrap_or_default();
                    tables[at] += &format!("{},{},{}\n", cell(&name), cell(&submission.student), cell(time));
                }
            }
        }
    }
    for (at, exercise) in exercises.iter().enumerate().filter(|(at, _)| handed[*at] > 0) {
        let folder = folder(exercise);
        let stub = fs::read_to_string(exercise.stub()).unwrap_or_default();
        match tool {
            Tool::Dolos => {
                write(&folder.join("handed-out.rs"), &stub)?;
                write(&folder.join("info.csv"), &tables[at])?;
                commands.push(format!("cd {} && dolos run -f web -l rust -i handed-out.rs info.csv", folder.display()));
            }
            Tool::Jplag => {
                write(&folder.join("handed-out/lib.rs"), &stub)?;
                let (base, root) = (folder.join("handed-out"), folder.join("submissions"));
                commands.push(format!("java -jar jplag.jar -l rust -bc {} {}", base.display(), root.display()));
            }
        }
    }
    Ok(commands)
}

fn write(file: &Path, text: &str) -> Result<()> {
    let write = || {
        fs::create_dir_all(file.parent().unwrap_or(file))?;
        fs::write(file, text)
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}
