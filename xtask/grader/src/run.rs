//! One box for each test, and what counts as a pass.

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, bail};
use catalog::Exercise;
use grader_shim::{BEGINS, FAILED, FAULT, PASSED, SECRET};
use judge::process::{End, Finished};
use judge::{Outcome, Status, TestVerdict, Verdict, message};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::asked::{Answer as Asked, Answers, RUNS};
use crate::boxes::{Boxes, Kind, Mount, limits_of};
use crate::compile::{CANARY, Program, is_of_box};
use crate::hidden::{self, TestFile};
use crate::judging::Ran;

/// After so many tests of an exercise have used up their time, the others get less of it.
const PATIENT: usize = 3;
/// How much they get at most.
const IMPATIENT: Duration = Duration::from_secs(2);

/// What the program said over the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// The box failed before the test began.
    Nothing,
    /// The test began and never returned.
    Began,
    /// The test returned.
    Passed,
    /// The test returned or panicked.
    Failed(String),
    /// The test could not be started.
    Fault(String),
    /// More or something else than the harness says.
    Tampered,
}

/// Runs every test; the names come from the tests files, never from the program.
///
/// # Errors
/// Somebody asked everything to end. The inner error is the box's failure, in a word.
pub(crate) fn run(
    boxes: &Boxes,
    exercise: &Exercise,
    (programs, answers): (&[Program], &Answers),
    folder: &Path,
    (deadline, round): (Duration, u64),
) -> Result<Result<Ran, String>> {
    let (mut tests, mut unseen, mut canaries, mut hung) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for (number, program) in programs.iter().enumerate() {
        let own = sealed(&program.file, folder, &format!("program-{number}"))?;
        for name in &program.tests {
            // What hangs everywhere would otherwise keep a machine for minutes. A test that is done in time takes a part of this.
            let patience = if hung < PATIENT { deadline } else { deadline.min(IMPATIENT) };
            let mut ran = run_test(boxes, exercise, &own, name, patience, round)?;
            if ran.is_err() && patience < deadline {
                // On a busy machine the box itself may need longer.
                ran = run_test(boxes, exercise, &own, name, deadline, round)?;
            }
            let mut verdict = match ran {
                Ok(verdict) => TestVerdict { name: format!("{}{name}", program.prefix), ..verdict },
                Err(fault) => return Ok(Err(fault)),
            };
            if let Some(asked) = answers.get(&verdict.name).filter(|_| verdict.outcome == Outcome::Passed) {
                let answered = match asked {
                    Asked::Yes => Ok(verdict.clone()),
                    Asked::No(why) => {
                        Ok(TestVerdict { outcome: Outcome::Failed, message: why.clone(), ..verdict.clone() })
                    }
                    Asked::IfItRuns(file) => {
                        let program = sealed(file, folder, &format!("asked-{number}-{}", tests.len()))?;
                        let canary = run_test(boxes, exercise, &program, CANARY, deadline, round)?;
                        canaries.extend(canary.ok().filter(|it| it.outcome == Outcome::Passed).map(|it| it.name));
                        run_test(boxes, exercise, &program, RUNS, deadline, round)?
                    }
                };
                match answered {
                    Ok(answered) => verdict = TestVerdict { name: verdict.name, ..answered },
                    Err(fault) => return Ok(Err(fault)),
                }
            }
            hung += usize::from(verdict.outcome == Outcome::Timeout);
            let own_name = name.rsplit("::").next().unwrap_or(name);
            match (hidden::is_canary(own_name), verdict.outcome) {
                (true, Outcome::Passed) => canaries.push(verdict.name),
                (true, _) => {}
                (false, _) if program.prefix.is_empty() => tests.push(verdict),
                (false, _) => unseen.push(verdict),
            }
        }
    }
    Ok(Ok(Ran { verdict: adding(Verdict::of_tests(exercise, tests), unseen), canaries }))
}

/// A copy that belongs to the grader; the original is the box's user's, who could read it. It may be run and not be read: for
/// a grader that is not root, the box's user and its own are the same, so nobody may.
fn sealed(program: &Path, folder: &Path, name: &str) -> std::io::Result<PathBuf> {
    let own = folder.join(name);
    fs::copy(program, &own)?;
    fs::remove_file(program)?;
    fs::set_permissions(&own, Permissions::from_mode(0o111))?;
    Ok(own)
}

/// A verdict on what the class can see, and then the tests that it cannot: no misconception is recognised by those.
fn adding(mut verdict: Verdict, unseen: Vec<TestVerdict>) -> Verdict {
    let passed = unseen.iter().filter(|test| test.outcome == Outcome::Passed).count();
    verdict.earned += u32::try_from(passed).unwrap_or(u32::MAX);
    verdict.possible += u32::try_from(unseen.len()).unwrap_or(u32::MAX);
    if passed < unseen.len() && verdict.status == Status::Solved {
        verdict.status = Status::Failing;
    }
    verdict.tests.extend(unseen);
    verdict
}

/// A verdict on sources that do not compile, with the hidden tests, which then fail as the others do.
pub(crate) fn with_hidden(verdict: Verdict, hidden: &[TestFile], headline: &str) -> Ran {
    let names = hidden.iter().flat_map(|file| catalog::test_names(&file.text));
    let failed = |name: catalog::TestName| TestVerdict {
        name: format!("{}{}", hidden::PREFIX, name.full()),
        outcome: Outcome::Failed,
        millis: 0,
        message: format!("does not compile: {headline}"),
        printed: String::new(),
    };
    let unseen = names.filter(|name| !hidden::is_canary(&name.name)).map(failed).collect();
    Ran { verdict: adding(verdict, unseen), canaries: Vec::new() }
}

/// Our end of the socket, the program's, and the secret, with the request already on its way.
fn ask(name: &str) -> rustix::io::Result<(OwnedFd, OwnedFd, [u8; SECRET])> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    let mut secret = [0; SECRET];
    if rustix::rand::getrandom(&mut secret, rustix::rand::GetRandomFlags::empty())? != SECRET {
        return Err(rustix::io::Errno::AGAIN);
    }
    let mut request = secret.to_vec();
    request.extend_from_slice(name.as_bytes());
    rustix::net::send(&ours, &request, SendFlags::NOSIGNAL)?;
    Ok((ours, theirs, secret))
}

/// A test whose own name begins so compares what two processes say. At home it starts itself once more; here nothing can be
/// started, so it is run in a first box with `KIT_SAYS`, and in a second one, where `KIT_HEARD` names a file with what it said.
pub const TWO_PROCESSES: &str = "two_processes_";

/// Which process of a test this is.
#[derive(Clone, Copy)]
enum Voice<'a> {
    /// The only one.
    Alone,
    /// The first of two.
    Says,
    /// The second, with what the first has said.
    Hears(&'a Path),
}

fn run_test(
    boxes: &Boxes,
    exercise: &Exercise,
    program: &Path,
    name: &str,
    deadline: Duration,
    round: u64,
) -> Result<Result<TestVerdict, String>> {
    let run = |voice| run_process(boxes, exercise, (program, voice), name, deadline, round);
    if !name.rsplit("::").next().is_some_and(|own| own.starts_with(TWO_PROCESSES)) {
        return run(Voice::Alone);
    }
    let said = match run(Voice::Says)? {
        Ok(verdict) if verdict.outcome == Outcome::Passed => verdict.printed,
        other => return Ok(other),
    };
    let heard = program.with_file_name("heard");
    fs::write(&heard, said)?;
    run(Voice::Hears(&heard))
}

fn run_process(
    boxes: &Boxes,
    exercise: &Exercise,
    (program, voice): (&Path, Voice<'_>),
    name: &str,
    deadline: Duration,
    round: u64,
) -> Result<Result<TestVerdict, String>> {
    let (ours, theirs, secret) = match ask(name) {
        Ok(asked) => asked,
        Err(error) => return Ok(Err(format!("no socket: {error}"))),
    };
    let limits = limits_of(Kind::Run, deadline);
    let mut environment = vec![
        ("RUST_BACKTRACE", "0".into()),
        ("KIT_TEST", name.into()),
        ("KIT_TRACES", "/tmp".into()),
        ("KIT_ROUND", round.to_string().into()),
        ("CARGO_PKG_NAME", exercise.package().into()),
        ("CARGO_MANIFEST_DIR", "/tmp".into()),
    ];
    let mut mounts = vec![Mount::read(program, "/box/program")];
    match voice {
        Voice::Alone => {}
        Voice::Says => environment.push(("KIT_SAYS", "1".into())),
        Voice::Hears(file) => {
            mounts.push(Mount::read(file, "/box/heard"));
            environment.push(("KIT_HEARD", "/box/heard".into()));
        }
    }
    let began =
        boxes.run(Kind::Run, &mounts, Path::new("/box/program"), &[], &environment, limits, Stdio::from(theirs));
    let finished = match began {
        Ok(Finished { end: End::Stopped, .. }) => bail!("stopped"),
        Ok(finished) => finished,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let answer = read_answer(&ours, &secret);
    if answer == Answer::Nothing && finished.end == End::Deadline {
        // No code of the submission has run yet: this machine is too busy, or the box does not start.
        return Ok(Err("the test had not begun at its deadline".to_owned()));
    }
    // The shim leaves with 3 when it could not put up its fences. Anything else that ends early is the program's doing.
    let unfenced = matches!(finished.end, End::Exited(status) if status.code() == Some(3));
    if answer == Answer::Nothing && (unfenced || is_of_box(&finished.stderr)) {
        let said = finished.stderr.lines().next().unwrap_or("the box ended before the test began");
        return Ok(Err(said.to_owned()));
    }
    if let Answer::Fault(what) = answer {
        return Ok(Err(what));
    }
    Ok(Ok(verdict(name, &answer, &finished)))
}

/// The messages that are waiting: one that the test begins, and one verdict. Only the first verdict counts, and a second is
/// a sign that somebody else speaks.
fn read_answer(socket: &OwnedFd, secret: &[u8; SECRET]) -> Answer {
    let mut answer = Answer::Nothing;
    let mut buffer = [0; 4096];
    while let Ok((_, length @ 1..)) = rustix::net::recv(socket, &mut buffer, RecvFlags::DONTWAIT) {
        let message = &buffer[..length];
        let (Some(spoken), Some(word)) = (message.get(..SECRET), message.get(SECRET)) else { return Answer::Tampered };
        if spoken != secret {
            return Answer::Tampered;
        }
        let text = String::from_utf8_lossy(&message[SECRET + 1..]).into_owned();
        answer = match (&answer, *word) {
            (Answer::Nothing, BEGINS) => Answer::Began,
            (Answer::Began, PASSED) => Answer::Passed,
            (Answer::Began, FAILED) => Answer::Failed(text),
            (Answer::Began, FAULT) => Answer::Fault(text),
            _ => return Answer::Tampered,
        };
    }
    answer
}

fn verdict(name: &str, answer: &Answer, finished: &Finished) -> TestVerdict {
    let (outcome, message) = match answer {
        Answer::Passed => (Outcome::Passed, String::new()),
        Answer::Failed(why) => (Outcome::Failed, message::in_words(why)),
        Answer::Tampered | Answer::Fault(_) => (Outcome::Crashed, "somebody else than the test answered".to_owned()),
        Answer::Began | Answer::Nothing if finished.end == End::Deadline => {
            (Outcome::Timeout, format!("still running after {} s, stopped", finished.took.as_secs()))
        }
        Answer::Began | Answer::Nothing => (Outcome::Crashed, "the process ended before the test did".to_owned()),
    };
    let millis = u64::try_from(finished.took.as_millis()).unwrap_or(u64::MAX);
    TestVerdict { name: name.to_owned(), outcome, millis, message, printed: finished.stdout.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(messages: &[(u8, u8, &str)]) -> Answer {
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::empty(), None)
                .expect("a socket");
        for (secret, word, text) in messages {
            let mut message = vec![*secret; SECRET];
            message.push(*word);
            message.extend_from_slice(text.as_bytes());
            rustix::net::send(&theirs, &message, SendFlags::empty()).expect("sends");
        }
        drop(theirs);
        read_answer(&ours, &[7; SECRET])
    }

    #[test]
    fn only_one_answer_with_the_secret_counts() {
        assert_eq!(said(&[]), Answer::Nothing);
        assert_eq!(said(&[(7, BEGINS, "")]), Answer::Began);
        assert_eq!(said(&[(7, BEGINS, ""), (7, PASSED, "")]), Answer::Passed);
        assert_eq!(said(&[(7, BEGINS, ""), (7, FAILED, "why")]), Answer::Failed("why".to_owned()));
        assert_eq!(said(&[(7, BEGINS, ""), (7, FAILED, ""), (7, PASSED, "")]), Answer::Tampered);
        assert_eq!(said(&[(7, BEGINS, ""), (7, PASSED, ""), (7, PASSED, "")]), Answer::Tampered);
        assert_eq!(said(&[(7, PASSED, "")]), Answer::Tampered);
        assert_eq!(said(&[(8, BEGINS, "")]), Answer::Tampered);
    }
}
