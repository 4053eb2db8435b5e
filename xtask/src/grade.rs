//! `grade …`: hands over to the grader, which is a program of its own because only instructors need it.

use std::ffi::OsString;
use std::time::Duration;

use judge::{compile, process, stop};

use crate::failure::Failure;
use crate::workbook::Workbook;

/// Runs the grader with the words as they are: it explains itself.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    if !workbook.catalog.root.join("xtask/grader").is_dir() {
        let fix = "grade where the course is written";
        return Err(Failure::with_fix("this copy was handed out without the grader", fix));
    }
    let mut command = compile::cargo(&workbook.catalog.root);
    // Paths on the command line begin where the person stands.
    command.current_dir(std::env::current_dir()?).env_remove("CARGO_TERM_COLOR");
    command
        .args(["run", "--quiet", "--profile", "runner", "--package", "grader", "--target-dir"])
        .arg(&workbook.target);
    command.arg("--").args(arguments);
    let mut child = process::spawn(command).map_err(|error| Failure::new(format!("cannot start cargo: {error}")))?;
    loop {
        if let Some(status) = child.try_wait()? {
            return match status.code() {
                Some(0) => Ok(true),
                Some(1) => Ok(false),
                _ => Err(Failure::new("nothing more was graded; the lines above say why")),
            };
        }
        if stop::requested() {
            // What was judged is on disk; `--resume` goes on.
            let _ = child.start_kill();
            let _ = child.wait();
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}
