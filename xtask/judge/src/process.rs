//! A process with a deadline, whose output is drained and whose descendants end with it.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use process_wrap::std::{ChildWrapper, CommandWrap};

use crate::stop;

/// How much of each stream is kept: half from its beginning, half from its end.
pub const OUTPUT_CAP: usize = 64 * 1024;

/// How a process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exited(ExitStatus),
    /// It was still running at its deadline and was killed with all its descendants.
    Deadline,
    /// The person at the terminal asked everything to end.
    Stopped,
}

/// A process that ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How.
    pub end: End,
    /// What it wrote, at most [`OUTPUT_CAP`] bytes.
    pub stdout: String,
    /// What it wrote to standard error, at most [`OUTPUT_CAP`] bytes.
    pub stderr: String,
    /// From its start to its end.
    pub took: Duration,
}

/// Runs `command` to its end or to `deadline`, without an input.
///
/// # Errors
/// The program cannot be started.
pub fn run(command: Command, deadline: Duration) -> io::Result<Finished> {
    run_with_input(command, Stdio::null(), deadline)
}

/// Runs `command` with `input` as its standard input, to its end or to `deadline`.
///
/// # Errors
/// The program cannot be started.
pub fn run_with_input(mut command: Command, input: Stdio, deadline: Duration) -> io::Result<Finished> {
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    // The command holds this process's end of what the child was given; it goes with the spawn.
    let mut child = spawn(command)?;
    let (closed, closings) = mpsc::channel();
    let stdout = drain(child.stdout().take(), closed.clone());
    let stderr = drain(child.stderr().take(), closed);
    let end = wait(child.as_mut(), start + deadline, &closings);
    let took = start.elapsed();
    if !matches!(end, Ok((End::Exited(_), 2))) {
        // It runs still, or something that it left behind holds the pipes open.
        let _ = child.start_kill();
        let _ = child.wait();
    }
    Ok(Finished { end: end?.0, stdout: text(&stdout), stderr: text(&stderr), took })
}

/// Starts `command` as the leader of its own process group (a job on Windows), so that it can be killed as a whole.
///
/// # Errors
/// The program cannot be started.
pub fn spawn(command: Command) -> io::Result<Box<dyn ChildWrapper>> {
    let mut wrap = CommandWrap::from(command);
    #[cfg(unix)]
    wrap.wrap(process_wrap::std::ProcessGroup::leader());
    #[cfg(windows)]
    wrap.wrap(process_wrap::std::JobObject);
    wrap.spawn()
}

/// How the process ended, and how many of its two streams were closed by then. A stream that closes is the sign to look at
/// once: a short test does not wait for the next look.
fn wait(child: &mut dyn ChildWrapper, deadline: Instant, closings: &Receiver<()>) -> io::Result<(End, usize)> {
    const LOOK: Duration = Duration::from_millis(20);
    let mut closed = 0;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let step = if closed < 2 { LOOK } else { Duration::from_micros(200) };
        match closings.recv_timeout(step.min(left)) {
            Ok(()) => closed += 1,
            Err(RecvTimeoutError::Disconnected) => thread::sleep(step.min(left)),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(status) = child.try_wait()? {
            closed += closings.try_iter().count();
            return Ok((End::Exited(status), closed));
        }
        if stop::requested() {
            return Ok((End::Stopped, closed));
        }
        if left.is_zero() {
            return Ok((End::Deadline, closed));
        }
    }
}

/// Reads a stream to its end on a thread of its own, however much it is, and keeps what fits.
fn drain(stream: Option<impl Read + Send + 'static>, closed: Sender<()>) -> Receiver<Capped> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Capped::new(OUTPUT_CAP);
        if let Some(mut stream) = stream {
            let mut buffer = [0; 8 * 1024];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                kept.push(&buffer[..length]);
            }
        }
        let _ = send.send(kept);
        let _ = closed.send(());
    });
    receive
}

/// What was read. A descendant that escaped its group may hold the pipe open: it is not waited for.
fn text(stream: &Receiver<Capped>) -> String {
    stream.recv_timeout(Duration::from_millis(500)).map(Capped::text).unwrap_or_default()
}

/// The beginning and the end of a stream of any length.
struct Capped {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: usize,
}

impl Capped {
    fn new(cap: usize) -> Self {
        Self { half: cap / 2, head: Vec::new(), tail: VecDeque::new(), dropped: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let to_head = bytes.len().min(self.half - self.head.len());
        self.head.extend_from_slice(&bytes[..to_head]);
        self.tail.extend(&bytes[to_head..]);
        let surplus = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..surplus);
        self.dropped += surplus;
    }

    fn text(mut self) -> String {
        let tail = self.tail.make_contiguous();
        if self.dropped == 0 {
            self.head.extend_from_slice(tail);
            return String::from_utf8_lossy(&self.head).into_owned();
        }
        let (head, tail) = (String::from_utf8_lossy(&self.head), String::from_utf8_lossy(tail));
        format!("{head}\n[… {} KiB left out …]\n{tail}", self.dropped.div_ceil(1024))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_and_end_are_kept_however_long_the_middle_is() {
        let mut kept = Capped::new(8);
        for piece in ["ab", "cdef", "ghijkl", "mn"] {
            kept.push(piece.as_bytes());
        }
        assert_eq!(kept.text(), "abcd\n[… 1 KiB left out …]\nklmn");
    }

    #[test]
    fn short_output_is_kept_whole() {
        let mut kept = Capped::new(8);
        kept.push(b"abcdefgh");
        assert_eq!(kept.text(), "abcdefgh");
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_that_leaves_children_behind_ends_with_them() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & sleep 600"]);
        let finished = run(command, Duration::from_millis(100)).expect("sh is there");
        assert_eq!(finished.end, End::Deadline);
        assert!(finished.took < Duration::from_secs(5), "{:?}", finished.took);
    }

    #[cfg(unix)]
    #[test]
    fn an_endless_print_is_drained_and_capped() {
        let mut command = Command::new("sh");
        command
            .args(["-c", "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done"]);
        let finished = run(command, Duration::from_millis(300)).expect("sh is there");
        assert_eq!(finished.end, End::Deadline);
        assert!(finished.stdout.len() < OUTPUT_CAP + 100, "{}", finished.stdout.len());
    }
}
