//! One process a test, several at a time.
//!
//! A hang, an endless print, an abort or a stack overflow costs one test and is named. A pass needs the exit code 0 *and* the
//! harness's own word that the test came to its end: code that calls `process::exit(0)` does not pass.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::process::{self, End, Finished};
use crate::{Built, Event, Options, Outcome, Subject, TestVerdict, Verdict, message};

/// Runs the tests of every subject that was built and returns the verdicts in the same order.
#[must_use]
pub fn run(
    subjects: &[Subject<'_>],
    built: &[Built],
    options: &Options,
    on_event: &(dyn Fn(Event) + Sync),
) -> Vec<Verdict> {
    let programs: Vec<(usize, &Path)> = built
        .iter()
        .enumerate()
        .filter(|(_, built)| built.errors.is_empty())
        .flat_map(|(index, built)| built.tests.iter().map(move |program| (index, program.as_path())))
        .collect();
    let listed = in_parallel(options.jobs, &programs, |(index, program)| list(&subjects[*index], program));
    let mut tests: Vec<(usize, &Path, String)> = Vec::new();
    for ((index, program), names) in programs.iter().zip(listed) {
        tests.extend(names.into_iter().map(|name| (*index, *program, name)));
    }
    on_event(Event::Built(tests.len()));
    let results = in_parallel(options.jobs, &tests, |(index, program, name)| {
        let subject = &subjects[*index];
        let deadline = options.deadline.unwrap_or(subject.exercise.deadline);
        let verdict = run_test(subject, program, name, deadline);
        on_event(Event::Tested(subject.exercise.id.to_string()));
        verdict
    });
    let mut by_subject: Vec<Vec<TestVerdict>> = vec![Vec::new(); subjects.len()];
    for ((index, ..), verdict) in tests.iter().zip(results) {
        by_subject[*index].push(verdict);
    }
    let verdict = |((subject, built), tests): ((&Subject<'_>, &Built), Vec<TestVerdict>)| {
        if built.errors.is_empty() && !tests.is_empty() {
            Verdict::of_tests(subject.exercise, in_source_order(subject, tests))
        } else {
            let headline = built.headline().unwrap_or_else(|| "there is not one test to run".to_owned());
            Verdict::of_errors(subject.exercise, built.errors.clone(), &headline)
        }
    };
    subjects.iter().zip(built).zip(by_subject).map(verdict).collect()
}

/// The harness lists tests by the alphabet, the reader meets them in the source's order.
fn in_source_order(subject: &Subject<'_>, mut tests: Vec<TestVerdict>) -> Vec<TestVerdict> {
    let order: Vec<String> = subject.exercise.tests().iter().map(catalog::TestName::full).collect();
    tests.sort_by_key(|test| order.iter().position(|name| *name == test.name).unwrap_or(usize::MAX));
    tests
}

/// The names of a program's tests. A program that cannot even list them has one that says so.
fn list(subject: &Subject<'_>, program: &Path) -> Vec<String> {
    let mut command = test_command(subject, program);
    command.args(["--list", "--format", "terse"]);
    let stdout = process::run(command, Duration::from_secs(10)).map(|finished| finished.stdout).unwrap_or_default();
    stdout.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

fn run_test(subject: &Subject<'_>, program: &Path, name: &str, deadline: Duration) -> TestVerdict {
    let mut command = test_command(subject, program);
    command.args(["--exact", name, "--nocapture"]).env("KIT_TEST", name).env("KIT_TRACES", &subject.traces);
    match process::run(command, deadline) {
        Ok(finished) => judge(name, &finished, deadline),
        Err(error) => TestVerdict {
            name: name.to_owned(),
            outcome: Outcome::Crashed,
            millis: 0,
            message: format!("the test program cannot be started: {error}"),
            printed: String::new(),
        },
    }
}

fn test_command(subject: &Subject<'_>, program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(subject.exercise.dir())
        .env("CARGO_PKG_NAME", subject.exercise.package())
        .env("CARGO_MANIFEST_DIR", subject.exercise.dir())
        .env("RUST_BACKTRACE", "0")
        .env_remove("RUST_TEST_THREADS")
        .env_remove("RUST_TEST_NOCAPTURE");
    command
}

fn judge(name: &str, finished: &Finished, deadline: Duration) -> TestVerdict {
    let printed = message::printed(&finished.stdout);
    let said = message::from_stderr(&finished.stderr);
    let with_reason = |reason: String| if said.is_empty() { reason } else { format!("{reason}\n{said}") };
    let (outcome, message) = match finished.end {
        End::Exited(status) if status.success() && message::says_passed(&finished.stdout) => {
            (Outcome::Passed, String::new())
        }
        End::Exited(_) if message::says_failed(&finished.stdout) => {
            let note =
                || message::harness_note(&finished.stdout).unwrap_or("the test failed without a message").to_owned();
            (Outcome::Failed, if said.is_empty() { note() } else { said })
        }
        End::Exited(status) => (Outcome::Crashed, with_reason(crash(status, &finished.stderr))),
        End::Deadline => (Outcome::Timeout, with_reason(format!("still running after {}, stopped", seconds(deadline)))),
        End::Stopped => (Outcome::Crashed, "stopped".to_owned()),
    };
    let millis = u64::try_from(finished.took.as_millis()).unwrap_or(u64::MAX);
    TestVerdict { name: name.to_owned(), outcome, millis, message, printed }
}

/// Why a process ended before its test did.
fn crash(status: ExitStatus, stderr: &str) -> String {
    if stderr.contains("has overflowed its stack") {
        return "stack overflow: a recursion that never ends, or a very large value on the stack".to_owned();
    }
    if let Some(signal) = signal_of(status) {
        return match signal {
            4 => "killed by an illegal instruction (SIGILL)".to_owned(),
            6 => "aborted (SIGABRT): a panic while panicking, or process::abort".to_owned(),
            9 => "killed (SIGKILL): often the system was out of memory".to_owned(),
            11 => "segmentation fault (SIGSEGV)".to_owned(),
            other => format!("killed by signal {other}"),
        };
    }
    match status.code() {
        Some(code) => {
            format!("the process ended with exit code {code} before the test did: does the code call process::exit?")
        }
        None => "the process ended before the test did".to_owned(),
    }
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// `work` for every item, `jobs` at a time, results in the items' order.
fn in_parallel<T: Sync, R: Send>(jobs: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// How many tests run at once unless somebody says otherwise.
#[must_use]
pub fn default_jobs() -> usize {
    thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// Cargo's target folder for the workspace at `root`.
#[must_use]
pub fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => std::env::current_dir().unwrap_or_default().join(dir),
        None => root.join("target"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_once_for_each_item_and_answered_in_order() {
        let items: Vec<usize> = (0..100).collect();
        assert_eq!(in_parallel(4, &items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(in_parallel(4, &Vec::<usize>::new(), |item| *item), Vec::<usize>::new());
    }
}
