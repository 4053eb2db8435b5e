//! The workbook that a command works on: the trees, cargo's target folder and the last verdicts.

use std::path::PathBuf;

use catalog::{Catalog, Exercise, Problems, Shared};
use judge::progress::{Progress, Store};

use crate::failure::Failure;

pub(crate) struct Workbook {
    pub(crate) catalog: Catalog,
    /// What is wrong with the trees; commands that do not need the broken part go on.
    pub(crate) problems: Problems,
    pub(crate) target: PathBuf,
    pub(crate) store: Store,
}

impl Workbook {
    /// The workbook around the folder that the person stands in.
    pub(crate) fn open() -> Result<Self, Failure> {
        let here =
            std::env::current_dir().map_err(|error| Failure::new(format!("the current folder is gone: {error}")))?;
        let root = Catalog::find_root(&here).ok_or_else(|| {
            Failure::with_fix(
                format!("{} is not inside the workbook", here.display()),
                "change into your copy of it and try again",
            )
        })?;
        let (catalog, problems) = Catalog::read(&root);
        let target = judge::run::target_dir(&root);
        let store = Store::new(&target);
        Ok(Self { catalog, problems, target, store })
    }

    /// The exercises that `words` mean, each once, in book order.
    pub(crate) fn select(&self, words: &[String]) -> Result<Vec<&Exercise>, Failure> {
        let mut chosen = Vec::new();
        for word in words {
            chosen.extend(self.catalog.select(word).map_err(|unknown| self.explain(unknown))?);
        }
        chosen.sort_by_key(|exercise| self.catalog.position(&exercise.id));
        chosen.dedup_by_key(|exercise| &exercise.id);
        Ok(chosen)
    }

    /// The same, or every exercise if there are no words.
    pub(crate) fn select_or_all(&self, words: &[String]) -> Result<Vec<&Exercise>, Failure> {
        if words.is_empty() { Ok(self.catalog.exercises().collect()) } else { self.select(words) }
    }

    /// The one exercise that `word` means.
    pub(crate) fn one(&self, word: &str) -> Result<&Exercise, Failure> {
        let found = self.catalog.select(word).map_err(|unknown| self.explain(unknown))?;
        match found.as_slice() {
            [exercise] => Ok(exercise),
            several => {
                let names: Vec<&str> = several.iter().map(|exercise| exercise.id.name()).collect();
                Err(Failure::with_fix(
                    format!("`{word}` is several exercises"),
                    format!("name one: {}", names.join(", ")),
                ))
            }
        }
    }

    /// The exercises in or around the current folder; none at the root.
    pub(crate) fn here(&self) -> Vec<&Exercise> {
        std::env::current_dir().map(|here| self.catalog.at_path(&here)).unwrap_or_default()
    }

    /// Where every exercise stands, in book order.
    pub(crate) fn progress(&self) -> Vec<(&Exercise, Progress)> {
        let shared = Shared::read(&self.catalog.root);
        self.catalog.exercises().map(|exercise| (exercise, self.store.progress(exercise, shared))).collect()
    }

    /// The next exercise to solve: the first unsolved one after `after`, else the first unsolved one.
    pub(crate) fn next(&self, after: Option<&Exercise>) -> Option<&Exercise> {
        let open: Vec<&Exercise> = self
            .progress()
            .into_iter()
            .filter(|(_, progress)| !progress.is_solved())
            .map(|(exercise, _)| exercise)
            .collect();
        let from = after.and_then(|exercise| self.catalog.position(&exercise.id));
        let later = open.iter().find(|exercise| self.catalog.position(&exercise.id) > from);
        later.or_else(|| open.iter().find(|exercise| after.is_none_or(|after| after.id != exercise.id))).copied()
    }

    /// A path as the person would type it from where they stand.
    pub(crate) fn relative(&self, path: &std::path::Path) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        let short = path.strip_prefix(&here).or_else(|_| path.strip_prefix(&self.catalog.root)).unwrap_or(path);
        short.display().to_string()
    }

    /// An exercise whose manifest is broken is not unknown: say what is wrong with it.
    fn explain(&self, unknown: catalog::Unknown) -> Failure {
        let name = unknown.word.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let broken = self.problems.0.iter().find(|problem| {
            problem.file.ends_with("Cargo.toml") && problem.file.parent().is_some_and(|dir| dir.ends_with(name))
        });
        match broken {
            Some(problem) => {
                Failure::with_fix(format!("{}: {}", self.relative(&problem.file), problem.what), problem.fix.clone())
            }
            None => unknown.into(),
        }
    }
}
