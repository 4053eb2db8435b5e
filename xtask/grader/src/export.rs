//! The sources of a class in the shapes that tools for finding copies read. Whether something was copied is theirs to say, and
//! a person's.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use catalog::Exercise;
use judge::overlay::{Sources, read_sources};

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
    // Dolos takes an empty time for a wrong one, so the column is there only if it is filled.
    let timed = submissions.iter().all(|submission| submission.submitted.is_some());
    let heads = if timed { "filename,full_name,created_at\n" } else { "filename,full_name\n" };
    let mut tables = vec![heads.to_owned(); exercises.len()];
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
                    let name = format!("{student}.rs");
                    write(&folder(exercise).join(&name), &joined(&sources))?;
                    let time = submission.submitted.as_deref().filter(|_| timed);
                    let time = time.map_or_else(String::new, |time| format!(",{}", cell(time)));
                    tables[at] += &format!("{},{}{time}\n", cell(&name), cell(&submission.student));
                }
            }
        }
    }
    for (at, exercise) in exercises.iter().enumerate().filter(|(at, _)| handed[*at] > 0) {
        let folder = folder(exercise);
        let stub = read_sources(&exercise.dir().join("src"))?;
        match tool {
            Tool::Dolos => {
                write(&folder.join("handed-out.rs"), &joined(&stub))?;
                write(&folder.join("info.csv"), &tables[at])?;
                commands.push(format!("cd {} && dolos run -f web -l rust -i handed-out.rs info.csv", folder.display()));
            }
            Tool::Jplag => {
                for (path, text) in &stub {
                    write(&folder.join("handed-out").join(path), text)?;
                }
                let (base, root) = (folder.join("handed-out"), folder.join("submissions"));
                commands.push(format!("java -jar jplag.jar -l rust -bc {} {}", base.display(), root.display()));
            }
        }
    }
    Ok(commands)
}

/// One file: Dolos compares files, and a submission in several would be compared with itself.
fn joined(sources: &Sources) -> String {
    sources.values().map(String::as_str).collect::<Vec<_>>().join("\n")
}

fn write(file: &Path, text: &str) -> Result<()> {
    let write = || {
        fs::create_dir_all(file.parent().unwrap_or(file))?;
        fs::write(file, text)
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect;
    use catalog::Catalog;

    const MANIFEST: &str = "[package]\nname = \"twice\"\n[package.metadata.exercise]\ntitle = \"T\"\nsummary = \"s\"\ndifficulty = 1\nminutes = 5\n";

    #[test]
    fn each_tool_gets_every_file_and_what_was_handed_out() {
        let dir = tempfile::tempdir().expect("temp dir");
        let file = |path: &str, text: &str| write(&dir.path().join(path), text).expect("writes");
        file("course/exercises/01-first/twice/Cargo.toml", MANIFEST);
        for (place, text) in [("course", "todo"), ("class/ann", "hers"), ("class/=b c", "his")] {
            file(&format!("{place}/exercises/01-first/twice/src/lib.rs"), &format!("// {text}\nmod more;\n"));
            file(&format!("{place}/exercises/01-first/twice/src/more.rs"), &format!("// more of {text}\n"));
        }
        file("class/nobody/exercises/x", "");
        let catalog = Catalog::read(&dir.path().join("course")).0;
        let exercises: Vec<&Exercise> = catalog.exercises().collect();
        let run = |submissions: &[Submission], tool, out: &str| {
            let out = dir.path().join(out);
            let commands = export(submissions, &exercises, tool, &out).expect("exports");
            (commands, out.join("01-first-twice"))
        };
        let class = collect::submissions(&dir.path().join("class")).expect("reads");
        let read = |file: std::path::PathBuf| {
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        };

        let (commands, folder) = run(&class, Tool::Jplag, "jplag");
        assert!(
            commands[0].contains("-l rust -bc") && commands[0].ends_with("01-first-twice/submissions"),
            "{commands:?}"
        );
        assert_eq!(read(folder.join("submissions/ann/more.rs")), "// more of hers\n");
        assert_eq!(read(folder.join("handed-out/more.rs")), "// more of todo\n");
        assert_eq!(
            fs::read_dir(folder.join("submissions")).expect("lists").count(),
            2,
            "who handed in nothing is not there"
        );

        let (commands, folder) = run(&class, Tool::Dolos, "dolos");
        assert!(commands[0].ends_with("-l rust -i handed-out.rs info.csv"), "{commands:?}");
        assert_eq!(read(folder.join("ann.rs")), "// hers\nmod more;\n\n// more of hers\n");
        assert_eq!(read(folder.join("handed-out.rs")), "// todo\nmod more;\n\n// more of todo\n");
        let table = read(folder.join("info.csv"));
        let mut lines = table.lines();
        assert_eq!(lines.next(), Some("filename,full_name"));
        for line in lines {
            let name = line.split(',').next().expect("a name");
            assert!(folder.join(name).is_file(), "{line}: the table names files that are there");
        }

        file("class/table.csv", "ann,ann,2026-12-01T18:00Z\n");
        let timed = collect::submissions(&dir.path().join("class/table.csv")).expect("reads");
        let (_, folder) = run(&timed, Tool::Dolos, "timed");
        assert_eq!(read(folder.join("info.csv")), "filename,full_name,created_at\nann.rs,ann,2026-12-01T18:00Z\n");
    }
}
