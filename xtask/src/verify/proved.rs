//! What was proved before and has not changed since.
//!
//! One file an exercise below `target/workbook/proved/` holds the hash of all that the proof rests on, this program included.

use std::fs;
use std::path::PathBuf;

use catalog::{Exercise, Id};
use judge::files;

use super::row::Row;
use crate::failure::Failure;
use crate::workbook::Workbook;

pub(crate) struct Proved {
    dir: PathBuf,
    program: Vec<u8>,
}

impl Proved {
    pub(crate) fn open(workbook: &Workbook) -> Result<Self, Failure> {
        let program = fs::read(std::env::current_exe()?)?;
        Ok(Self { dir: workbook.target.join("workbook/proved"), program })
    }

    /// The row of an exercise whose proof still stands.
    pub(crate) fn row(&self, workbook: &Workbook, exercise: &Exercise) -> Option<Row> {
        let text = fs::read_to_string(self.file(&exercise.id)).ok()?;
        let (hash, tests) = text.trim().split_once(' ')?;
        let stands = hash == workbook.catalog.proof(exercise, &self.program);
        let has_problem = workbook.problems.0.iter().any(|problem| Row::owns(exercise, problem));
        (stands && !has_problem).then(|| Row::kept(exercise, tests.parse().unwrap_or_default()))
    }

    /// Remembers `row` if it is proved.
    pub(crate) fn keep(&self, workbook: &Workbook, exercise: &Exercise, row: &Row) -> Result<(), Failure> {
        if row.is_proved() {
            let text = format!("{} {}\n", workbook.catalog.proof(exercise, &self.program), row.tests());
            files::write_atomically(&self.file(&exercise.id), text.as_bytes())?;
        }
        Ok(())
    }

    fn file(&self, id: &Id) -> PathBuf {
        self.dir.join(id.as_str())
    }
}
