//! One judge for all submissions of a run: what it needs is built once, and a verdict depends on content alone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use catalog::{Catalog, Exercise, Shared};
use judge::Verdict;
use judge::overlay::{self, Sources, Variant};

use crate::containment::{Containment, Level};
use crate::hidden::Hidden;

/// Raised when the same files would get another verdict: it is part of every key.
const RULES: u32 = 5;

/// How to judge.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Tests that the class does not have.
    pub hidden: Hidden,
    /// Which seeds the tests run: 0 are those that the class has, any other number is another set.
    pub round: u64,
    /// A deadline for each test in place of its exercise's.
    pub deadline: Option<Duration>,
    /// Judge without a box where none can be made: for submissions whose authors you would give your keyboard.
    pub trust: bool,
}

/// Judges one submission after the other against one course. Several threads may share it.
pub struct Judge<'a> {
    catalog: &'a Catalog,
    how: How,
    containment: Containment,
    options: Options,
    target: PathBuf,
    work: PathBuf,
    /// Held while the folder is in use, so that another grader does not take it for one that was left behind.
    _lock: File,
    shared: String,
}

enum How {
    #[cfg(target_os = "linux")]
    Boxed(Box<crate::compile::Course>, crate::boxes::Boxes),
    Trusting,
}

/// What became of a submission's exercise.
#[derive(Clone, Debug)]
pub enum Judged {
    /// A verdict on what was submitted.
    Verdict(Box<Verdict>),
    /// A test passed that none may pass: the verdict is not to be believed, and a person should look.
    Tampered(Box<Verdict>, Vec<String>),
    /// The machine failed twice: nobody's points.
    InfraError(String),
}

/// What one attempt came to.
pub(crate) struct Ran {
    pub(crate) verdict: Verdict,
    pub(crate) canaries: Vec<String>,
}

impl<'a> Judge<'a> {
    /// Tries the boxes and builds what the submissions of `exercises` will be linked with.
    ///
    /// # Errors
    /// No box can be made and the submissions are not trusted, or cargo does not work on this machine.
    pub fn new(catalog: &'a Catalog, exercises: &[&Exercise], target: &Path, options: Options) -> Result<Self> {
        let containment = Containment::probe();
        if containment.level == Level::None && !options.trust {
            bail!(
                "no box can be made here, so nothing is graded. Missing: {}\n  fix: install that, or grade in a Linux container or virtual machine; --trust-submissions runs them without a box, with all that you may do",
                containment.missing.join("; ")
            );
        }
        clean(&target.join("grader/work"));
        let name = format!("{}-{:x}", std::process::id(), UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos());
        let work = target.join("grader/work").join(name);
        let lock = (|| {
            fs::create_dir_all(&work)?;
            let lock = File::create(work.join(LOCK))?;
            lock.lock().map(|()| lock)
        })();
        let lock = lock.with_context(|| format!("cannot work in {}", work.display()))?;
        let (how, toolchain) = Self::how(catalog, exercises, (target, &work), &containment, &options)?;
        let shared = format!(
            "{RULES} {:?} {toolchain} {} {:?}",
            Shared::read(&catalog.root),
            options.round,
            options.deadline.map(|deadline| deadline.as_millis())
        );
        Ok(Self { catalog, how, containment, options, target: target.to_owned(), work, _lock: lock, shared })
    }

    #[cfg(target_os = "linux")]
    fn how(
        catalog: &Catalog,
        exercises: &[&Exercise],
        (target, work): (&Path, &Path),
        containment: &Containment,
        options: &Options,
    ) -> Result<(How, String)> {
        if containment.level == Level::None {
            return Self::without_boxes(catalog, options);
        }
        let course =
            crate::compile::Course::build(catalog, exercises, &target.join("grader"), &work.join("libraries"))?;
        let boxes = crate::boxes::Boxes::probe();
        let text = format!("{} {}", course.toolchain, boxes.limits_text());
        Ok((How::Boxed(Box::new(course), boxes), text))
    }

    #[cfg(not(target_os = "linux"))]
    fn how(
        catalog: &Catalog,
        _: &[&Exercise],
        _: (&Path, &Path),
        _: &Containment,
        options: &Options,
    ) -> Result<(How, String)> {
        Self::without_boxes(catalog, options)
    }

    fn without_boxes(catalog: &Catalog, options: &Options) -> Result<(How, String)> {
        if catalog.exercises().any(|exercise| !options.hidden.of(exercise).is_empty()) {
            bail!("hidden tests need boxes: without one, a submission can read them");
        }
        let version = std::process::Command::new("rustc").arg("-vV").current_dir(&catalog.root).output();
        let version = version.context("there is no rustc")?.stdout;
        Ok((How::Trusting, format!("{} trusting", String::from_utf8_lossy(&version))))
    }

    /// What verdicts are given under.
    #[must_use]
    pub fn containment(&self) -> &Containment {
        &self.containment
    }

    /// Which seeds the tests run.
    #[must_use]
    pub fn round(&self) -> u64 {
        self.options.round
    }

    /// What an exercise is worth: the points of its tests, hidden ones included.
    #[must_use]
    pub fn possible(&self, exercise: &Exercise) -> u32 {
        let own: u32 = exercise.tests().iter().map(|test| exercise.points_of(&test.full())).sum();
        let hidden = self.options.hidden.of(exercise).iter().flat_map(|file| catalog::test_names(&file.text));
        own + u32::try_from(hidden.filter(|test| !crate::hidden::is_canary(&test.name)).count()).unwrap_or(u32::MAX)
    }

    /// What decides a verdict besides the sources: the tests and manifest, toolchain, limits, rules.
    #[must_use]
    pub fn key_of(&self, exercise: &Exercise) -> String {
        let mut text = format!("{}\0{}\0", self.shared, exercise.id);
        let mut add = |name: &str, content: &[u8]| {
            text += &format!("{name}\0{}\0{}\0", content.len(), catalog::hash_bytes(content));
        };
        for file in exercise.test_files().into_iter().chain([exercise.manifest()]) {
            add(&file.file_name().unwrap_or_default().to_string_lossy(), &fs::read(&file).unwrap_or_default());
        }
        for known in &exercise.misconceptions {
            add(&known.claim, known.fails.iter().cloned().collect::<Vec<_>>().join(" ").as_bytes());
        }
        #[cfg(target_os = "linux")]
        for question in crate::asked::questions(exercise).unwrap_or_default() {
            for (name, program) in &question.programs {
                add(&format!("{} {name}", question.test), program.as_bytes());
            }
        }
        for (path, bytes) in exercise.test_data().unwrap_or_default() {
            if !path.starts_with("programs/") {
                add(&path, &bytes);
            }
        }
        for file in self.options.hidden.of(exercise) {
            add(&file.name, file.text.as_bytes());
        }
        text
    }

    /// What decides a verdict, as a hash; `of` is what [`Judge::key_of`] the exercise returned.
    #[must_use]
    pub fn key(of: &str, sources: &Sources) -> String {
        let mut text = of.to_owned();
        for (path, source) in sources {
            text += &format!("{path}\0{}\0{}\0", source.len(), catalog::hash_bytes(source.as_bytes()));
        }
        catalog::hash_bytes(text.as_bytes())
    }

    /// Compiles and runs. A fault of the machine is tried once more, and is never the student's.
    ///
    /// # Errors
    /// A disk that is full, or somebody asked everything to end: the whole run should stop.
    pub fn judge(&self, exercise: &Exercise, sources: &Sources) -> Result<Judged> {
        let mut fault = String::new();
        for _ in 0..2 {
            match self.attempt(exercise, sources)? {
                Ok(Ran { verdict, canaries }) if canaries.is_empty() => return Ok(Judged::Verdict(Box::new(verdict))),
                Ok(Ran { verdict, canaries }) => return Ok(Judged::Tampered(Box::new(verdict), canaries)),
                Err(what) => fault = what,
            }
            if judge::stop::requested() {
                bail!("stopped");
            }
        }
        Ok(Judged::InfraError(fault))
    }

    fn attempt(&self, exercise: &Exercise, sources: &Sources) -> Result<Result<Ran, String>> {
        match &self.how {
            #[cfg(target_os = "linux")]
            How::Boxed(course, boxes) => {
                // A fresh folder for every attempt: no file, and no file's time, is left from another submission.
                let folder = self.work.join(crate::next_number().to_string());
                fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
                let ran = self.attempt_in(course, boxes, exercise, sources, &folder);
                fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
                ran
            }
            How::Trusting => self.attempt_trusting(exercise, sources),
        }
    }

    #[cfg(target_os = "linux")]
    fn attempt_in(
        &self,
        course: &crate::compile::Course,
        boxes: &crate::boxes::Boxes,
        exercise: &Exercise,
        sources: &Sources,
        folder: &Path,
    ) -> Result<Result<Ran, String>> {
        use crate::compile::{Compiled, compile};
        let links = course.links(&exercise.id).ok_or_else(|| anyhow!("{} was not built", exercise.id))?;
        let hidden = self.options.hidden.of(exercise);
        match compile(boxes, course, links, exercise, hidden, sources, folder)? {
            Compiled::Fault(what) => Ok(Err(what)),
            Compiled::Errors(errors) => {
                let headline = errors.lines().find(|line| line.starts_with("error")).unwrap_or("it does not compile");
                let verdict = Verdict::of_errors(exercise, vec![errors.clone()], headline);
                Ok(Ok(crate::run::with_hidden(verdict, hidden, headline)))
            }
            Compiled::Programs(programs, answers) => {
                let limits = (self.options.deadline.unwrap_or(exercise.deadline), self.options.round);
                crate::run::run(boxes, exercise, (&programs, &answers), folder, limits)
            }
        }
    }

    /// The runner's own way: cargo, one process a test, an exit code.
    fn attempt_trusting(&self, exercise: &Exercise, sources: &Sources) -> Result<Result<Ran, String>> {
        let variant = Variant { exercise, name: "submission".to_owned(), sources: sources.clone() };
        let overlay = overlay::lay(self.catalog, &self.target, "grader", &[variant])?;
        let options = judge::Options {
            target: self.target.clone(),
            jobs: judge::run::default_jobs(),
            deadline: self.options.deadline,
            colour: false,
        };
        let verdicts = judge::judge(&overlay.workspace, &overlay.subjects, &options, &|_| {});
        if judge::stop::requested() {
            bail!("stopped");
        }
        Ok(match verdicts.map(|mut verdicts| verdicts.pop()) {
            Ok(Some(verdict)) => Ok(Ran { verdict, canaries: Vec::new() }),
            Ok(None) => Err("no verdict".to_owned()),
            Err(failed) => Err(failed.to_string()),
        })
    }

    /// How many submissions may be judged at once.
    #[must_use]
    pub fn most_jobs(&self) -> usize {
        match self.how {
            #[cfg(target_os = "linux")]
            How::Boxed(..) => usize::MAX,
            // They share one scratch workspace.
            How::Trusting => 1,
        }
    }
}

impl Drop for Judge<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.work);
    }
}

const LOCK: &str = "lock";

/// Removes what graders left behind that were killed: nobody holds their locks.
fn clean(work: &Path) {
    for entry in fs::read_dir(work).into_iter().flatten().flatten() {
        let left = File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if left {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
