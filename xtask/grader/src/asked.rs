//! Tests that ask the compiler: what lies in `tests/programs/TEST/` beside an exercise's tests.
//!
//! At home such a test starts the compiler. A run box has none and may start nothing, so there the test ends before it asks, and
//! the grader asks in its place, in boxes of both kinds: the submission is compiled as it is at home (with the cfg `trybuild`
//! and the libraries that are left then), `refused-….rs` must be refused in the line that ends in `// refused` and in no other,
//! `compiles.rs` must compile, and `runs.rs` must also run to its end, proved as a test is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use catalog::Exercise;

use crate::boxes::{Boxes, Mount};
use crate::compile::{Compiled, Course, Links, appended, library, rustc};

/// What the compiler answered, by the full name of the test that asks.
pub type Answers = BTreeMap<String, Answer>;

/// What the compiler answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What the test wants to hear.
    Yes,
    /// Something else, in words for the student.
    No(String),
    /// What it wants to hear, if this program's test [`RUNS`] passes.
    IfItRuns(PathBuf),
}

/// The one test of a program that is to run.
pub const RUNS: &str = "the_program_runs_to_its_end";

/// A test, and the programs about which it asks: their names without `.rs`, and what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The test's full name.
    pub test: String,
    /// In the order of their names.
    pub programs: BTreeMap<String, String>,
}

/// The questions of an exercise.
///
/// # Errors
/// A folder belongs to no test, or has a file that is none of the three kinds: it would silently judge nobody.
pub fn questions(exercise: &Exercise) -> Result<Vec<Question>> {
    let folder = exercise.dir().join("tests/programs");
    let mut questions = Vec::new();
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut tests = exercise.tests().into_iter().filter(|test| test.name == name);
        let test = tests.next().with_context(|| format!("{}: no test has this name", folder.display()))?.full();
        let mut programs = BTreeMap::new();
        for file in fs::read_dir(&folder)? {
            let file = file?.path();
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            if !["compiles", "runs"].contains(&name.as_str()) && refused_line(&name, &text).is_none() {
                bail!("{}: neither compiles.rs, runs.rs, nor refused-….rs with one `// refused`", file.display());
            }
            programs.insert(name, text);
        }
        if programs.is_empty() {
            bail!("{} has no program", folder.display());
        }
        questions.push(Question { test, programs });
    }
    questions.sort_by(|left, right| left.test.cmp(&right.test));
    Ok(questions)
}

/// The line, from 1, in which a program is to be refused; nothing if it is not one of those, or names no line or several.
fn refused_line(name: &str, text: &str) -> Option<usize> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| line.trim_end().ends_with("// refused"));
    let (at, _) = lines.next().filter(|_| name.starts_with("refused-"))?;
    lines.next().is_none().then_some(at + 1)
}

/// Asks. The sources lie in `folder/src`, where they have been compiled once.
///
/// # Errors
/// This machine's disk, or somebody asked everything to end. The inner error is the box's failure.
pub(crate) fn ask(
    boxes: &Boxes,
    course: &Course,
    links: &Links,
    exercise: &Exercise,
    questions: &[Question],
    folder: &Path,
) -> Result<Result<Answers, Compiled>> {
    let mut answers = Answers::new();
    if questions.is_empty() {
        return Ok(Ok(answers));
    }
    let (src, out, programs) = (folder.join("src"), folder.join("out"), folder.join("asked"));
    fs::create_dir_all(&programs)?;
    let alone = format!("/box/out/alone/lib{}.rlib", exercise.lib_name());
    fs::create_dir_all(out.join("alone"))?;
    crate::compile::open_to_all(&out.join("alone"))?;
    let mut arguments = links.arguments([&links.alone]);
    arguments.extend(["--cfg", "trybuild"].map(OsString::from));
    arguments.extend(library(exercise, &alone));
    let refused = match rustc(boxes, (course, links), exercise, &[Mount::read(&src, "/box/src")], &arguments, &out)? {
        Some(Compiled::Errors(errors)) => Some(first_error(&errors)),
        Some(fault) => return Ok(Err(fault)),
        None => None,
    };
    for (number, question) in questions.iter().enumerate() {
        let mut answer = Answer::Yes;
        if let Some(why) = &refused {
            answers.insert(question.test.clone(), Answer::No(format!("compiled alone, it is refused: {why}")));
            continue;
        }
        for (name, text) in &question.programs {
            let runs = name == "runs";
            let more = if runs {
                format!("{}\n#[test]\nfn {RUNS}() {{\n    main();\n}}\n", appended(&exercise.lib_name()))
            } else {
                String::new()
            };
            fs::write(programs.join("program.rs"), format!("{text}{more}"))?;
            let mut arguments = links.arguments([&links.alone]);
            arguments
                .extend(["--cfg", "trybuild", "--error-format=short", "--crate-name", "program"].map(OsString::from));
            arguments.extend(["--extern".into(), format!("{}={alone}", exercise.lib_name()).into()]);
            if runs {
                arguments.extend(["--test".into(), "--extern".into(), format!("test={}", links.shim.display()).into()]);
                arguments.extend(["-o".into(), format!("/box/out/asked-{number}").into()]);
            } else {
                arguments.extend(["--emit=metadata", "-o", "/box/out/program.rmeta"].map(OsString::from));
            }
            arguments.push("/box/asked/program.rs".into());
            let mounts = [Mount::read(&programs, "/box/asked")];
            let said = match rustc(boxes, (course, links), exercise, &mounts, &arguments, &out)? {
                Some(Compiled::Errors(errors)) => Some(errors),
                Some(fault) => return Ok(Err(fault)),
                None => None,
            };
            match judged(name, text, said.as_deref()) {
                Err(why) => {
                    answer = Answer::No(why);
                    break;
                }
                Ok(()) if runs => answer = Answer::IfItRuns(out.join(format!("asked-{number}"))),
                Ok(()) => {}
            }
        }
        answers.insert(question.test.clone(), answer);
    }
    Ok(Ok(answers))
}

/// Whether the compiler's words (none if it was content) are what is wanted of a program.
fn judged(name: &str, text: &str, said: Option<&str>) -> Result<(), String> {
    let Some(line) = refused_line(name, text) else {
        return said.map_or(Ok(()), |said| Err(format!("{name}.rs must compile, and does not: {}", first_error(said))));
    };
    let wrong = text.lines().nth(line - 1).unwrap_or_default().trim().trim_end_matches("// refused").trim_end();
    let places = refusals(said.unwrap_or_default());
    if places.is_empty() {
        return Err(format!("`{wrong}` compiles, and should be refused"));
    }
    match places.iter().find(|(at, _)| *at != line) {
        Some((at, why)) => Err(format!("`{wrong}` should be refused, and line {at} of its program is: {why}")),
        None => Ok(()),
    }
}

/// Line and message of each error in the compiler's short form, `FILE:LINE:COLUMN: error[E0277]: …`.
fn refusals(said: &str) -> Vec<(usize, &str)> {
    let of_line = |line| -> Option<(usize, &str)> {
        let rest = str::strip_prefix(line, "/box/asked/program.rs:")?;
        let (at, rest) = rest.split_once(':')?;
        let (_, says) = rest.split_once(": ")?;
        Some((at.parse().ok()?, says)).filter(|_| says.starts_with("error"))
    };
    said.lines().filter_map(of_line).collect()
}

fn first_error(said: &str) -> String {
    said.lines().find(|line| line.contains("error")).unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "fn main() {\n    let _ = 1 + \"\"; // refused\n}\n";

    #[test]
    fn a_program_is_to_be_refused_in_its_line_and_nowhere_else() {
        let refused = |said: &str| judged("refused-x", PROGRAM, Some(said));
        let right = "/box/asked/program.rs:2:15: error[E0277]: cannot add `&str` to `{integer}`\nerror: aborting due to 1 previous error\n";
        assert_eq!(refused(right), Ok(()));
        let elsewhere = "/box/asked/program.rs:1:1: error[E0432]: unresolved import `x`\n";
        assert!(
            refused(&format!("{right}{elsewhere}")).is_err_and(|why| why.contains("line 1") && why.contains("E0432"))
        );
        assert!(
            judged("refused-x", PROGRAM, None)
                .is_err_and(|why| why == "`let _ = 1 + \"\";` compiles, and should be refused")
        );
        assert!(refused("error: the compiler was still running after 90 s and was stopped").is_err());
        assert!(refused("/box/asked/program.rs:2:9: warning: unused\n").is_err());
    }

    #[test]
    fn the_others_are_to_compile() {
        assert_eq!(judged("runs", PROGRAM, None), Ok(()));
        assert!(judged("compiles", PROGRAM, Some("a.rs:1:1: error: no\n")).is_err_and(|why| why.contains("error: no")));
    }

    #[test]
    fn a_program_names_one_line() {
        assert_eq!(refused_line("refused-x", PROGRAM), Some(2));
        assert_eq!(refused_line("compiles", PROGRAM), None);
        assert_eq!(refused_line("refused-x", &PROGRAM.repeat(2)), None);
        assert_eq!(refused_line("refused-x", "fn main() {}"), None);
    }
}
