//! The service as another process, from its start to its end.
#![allow(dead_code, reason = "the tests and the load each use a part")]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A process that serves; killed when it goes out of scope.
pub struct Service {
    pub address: SocketAddr,
    pub lines: Receiver<String>,
    pub child: Child,
}

impl Service {
    /// Starts `program` on any port, over this file, and waits until it listens.
    pub fn start(program: &Path, database: &Path, options: &[&str]) -> Result<Self, String> {
        Self::start_with(Command::new(program), database, options)
    }

    /// Starts it with this command, to which the words are added.
    pub fn start_with(mut command: Command, database: &Path, options: &[&str]) -> Result<Self, String> {
        command.args(["--listen", "127.0.0.1:0", "--database"]).arg(database).args(options);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        let (send, lines) = channel();
        let (out, errors) = (child.stdout.take(), child.stderr.take());
        let sender = send.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(errors.expect("piped")).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        std::thread::spawn(move || {
            for line in BufReader::new(out.expect("piped")).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut said = String::new();
        while let Ok(line) = lines.recv_timeout(Duration::from_secs(120)) {
            let address = line.split("\"listening\":\"").nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
            if let Some(address) = address {
                return Ok(Self { address, lines, child });
            }
            said += &line;
            said.push('\n');
        }
        let _ = child.kill();
        let status = child.wait().map_err(|error| error.to_string())?;
        Err(format!("it never listened, {status}: {said}"))
    }

    /// As when the power fails: the process has no moment to say anything.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// As an orchestrator does: tells it to end.
    #[cfg(unix)]
    pub fn tell_to_end(&self) -> std::io::Result<ExitStatus> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()
    }

    /// Tells it to end, and waits.
    #[cfg(unix)]
    pub fn terminate(mut self) -> std::io::Result<ExitStatus> {
        self.tell_to_end()?;
        self.child.wait()
    }

    /// Its resident memory in bytes, where the system says so.
    pub fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1_024)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
