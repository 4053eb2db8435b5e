//! The boxes that strangers' code is compiled and run in, and how much they hold on this machine.
//!
//! A box is a `bubblewrap` sandbox: its own process, network, host and message namespaces, a file system of a few read-only
//! folders and a private `/tmp`, an empty environment, no capability, and a user that is not root. `prlimit` bounds processor
//! time, memory, processes, open files and the size of files; whoever waits for a box bounds its time and its output.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use judge::process::{self, End, Finished};

use crate::containment::{Containment, Level};

/// Which box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For rustc and the linker: with `/proc`, which rustc needs.
    Compile,
    /// For a test: without.
    Run,
}

/// Bounds on what happens in a box.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Processor seconds.
    pub cpu: u64,
    /// Address space in MiB.
    pub memory: u64,
    /// Processes and threads of the box's user.
    pub processes: u64,
    /// The size of a file in MiB.
    pub file: u64,
    /// Wall-clock time.
    pub deadline: Duration,
}

/// A folder or file of this machine that a box sees.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Where it is.
    pub from: PathBuf,
    /// Where the box sees it.
    pub to: PathBuf,
    /// Whether the box may write to it.
    pub writable: bool,
}

impl Mount {
    /// Read-only, at the same path.
    #[must_use]
    pub fn same(path: &Path) -> Self {
        Self { from: path.to_owned(), to: path.to_owned(), writable: false }
    }

    /// Read-only.
    #[must_use]
    pub fn read(from: &Path, to: &str) -> Self {
        Self { from: from.to_owned(), to: to.into(), writable: false }
    }
}

/// What this machine can do.
#[derive(Clone, Debug)]
pub struct Boxes {
    containment: Containment,
    as_root: bool,
}

const NOBODY: &str = "65534";

/// A user for one box: the kernel counts processes by user, and one student's thread bomb must not be another's failure.
fn some_user() -> String {
    let mut bytes = [0; 4];
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    (700_000_000 + u32::from_le_bytes(bytes) % 1_000_000_000).to_string()
}

impl Boxes {
    /// Tries a box of each kind.
    #[must_use]
    pub fn probe() -> Self {
        let as_root = rustix::process::geteuid().is_root();
        let mut boxes = Self { containment: Containment { level: Level::Full, missing: Vec::new() }, as_root };
        let mut missing = Vec::new();
        for (program, package) in [("bwrap", "bubblewrap"), ("prlimit", "util-linux"), ("setpriv", "util-linux")] {
            if !on_path(program) {
                missing.push(format!("{program} (Debian package {package})"));
            }
        }
        if missing.is_empty() {
            for kind in [Kind::Compile, Kind::Run] {
                // The shell looks for what it must not have: root's folder, a writable `/`, in the run box `/proc`.
                let probe = match kind {
                    Kind::Compile => {
                        "test $(id -u) != 0 && ! test -e /root/.profile && ! (: >/x) 2>/dev/null && exit 7"
                    }
                    Kind::Run => "! test -e /proc/self && ! test -e /root/.profile && ! (: >/x) 2>/dev/null && exit 7",
                };
                let limits = limits_of(kind, Duration::from_secs(10));
                let arguments = ["-c".into(), probe.into()];
                match boxes.run(kind, &[], Path::new("/bin/sh"), &arguments, &[], limits, Stdio::null()) {
                    Ok(Finished { end: End::Exited(status), .. }) if status.code() == Some(7) => {}
                    Ok(finished) => {
                        let said = finished.stderr.lines().next().unwrap_or("no reason given").to_owned();
                        missing.push(format!("a box for {kind:?} ({said})"));
                    }
                    Err(error) => missing.push(format!("a box for {kind:?} ({error})")),
                }
            }
        }
        let level = if !missing.is_empty() {
            Level::None
        } else if as_root {
            Level::Full
        } else {
            missing.push("a user for each box, so that limits on processes are not shared (needs root)".to_owned());
            Level::Partial
        };
        boxes.containment = Containment { level, missing };
        boxes
    }

    /// How much works here.
    #[must_use]
    pub fn containment(&self) -> &Containment {
        &self.containment
    }

    /// The limits in words: part of a result's key.
    #[must_use]
    pub fn limits_text(&self) -> String {
        let second = Duration::from_secs(1);
        format!("{:?} {:?}", limits_of(Kind::Compile, second), limits_of(Kind::Run, second))
    }

    /// Runs `program` in a box. With no box on this machine nothing runs.
    ///
    /// # Errors
    /// The box cannot be started.
    #[allow(clippy::too_many_arguments, reason = "each is a different thing, named where it is called")]
    pub fn run(
        &self,
        kind: Kind,
        mounts: &[Mount],
        program: &Path,
        arguments: &[OsString],
        environment: &[(&str, OsString)],
        limits: Limits,
        input: Stdio,
    ) -> std::io::Result<Finished> {
        if self.containment.level == Level::None {
            return Err(std::io::Error::other("there is no box on this machine"));
        }
        let mut command = Command::new("bwrap");
        command.args(["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]);
        command.args(["--die-with-parent", "--new-session", "--clearenv", "--hostname", "box"]);
        if self.as_root {
            // Mounting needs root; what runs is not. These two capabilities are gone once the user has changed.
            command.args(["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]);
            command.args(["--cap-add", "CAP_SETPCAP"]);
        } else {
            command.args(["--unshare-user", "--uid", NOBODY, "--gid", NOBODY, "--disable-userns"]);
        }
        command.args(["--dev", "/dev", "--perms", "1777", "--size", "268435456", "--tmpfs", "/tmp"]);
        // The folders above a mount would otherwise be made for root alone.
        let fixed = [Path::new("/usr/bin"), Path::new("/usr/bin/x"), Path::new("/bin/x"), Path::new("/etc/x")];
        let mut folders: BTreeSet<&Path> = BTreeSet::new();
        for path in mounts.iter().map(|mount| mount.to.as_path()).chain(fixed) {
            folders.extend(path.ancestors().skip(1).filter(|path| *path != Path::new("/")));
        }
        for folder in folders {
            if kind == Kind::Run || folder != Path::new("/bin") {
                command.args(["--perms", "0755", "--dir"]).arg(folder);
            }
        }
        for folder in ["/usr/lib", "/usr/lib64", "/lib", "/lib64"] {
            command.args(["--ro-bind-try", folder, folder]);
        }
        if kind == Kind::Compile {
            command.args(["--ro-bind", "/usr/bin", "/usr/bin", "--symlink", "usr/bin", "/bin", "--proc", "/proc"]);
            command.args(["--ro-bind-try", "/etc/alternatives", "/etc/alternatives"]);
        } else {
            for program in ["/usr/bin/setpriv", "/usr/bin/prlimit", "/bin/sh"] {
                command.args(["--ro-bind", program, program]);
            }
        }
        for mount in mounts {
            command.arg(if mount.writable { "--bind" } else { "--ro-bind" }).args([&mount.from, &mount.to]);
        }
        command.args(["--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/tmp", "--setenv", "TMPDIR", "/tmp"]);
        for (name, value) in environment {
            command.args(["--setenv", name]).arg(value);
        }
        command.args(["--remount-ro", "/", "--chdir", "/tmp", "--"]);
        if self.as_root {
            let user = some_user();
            command.args(["/usr/bin/setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"]);
            command.args(["--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs", "--"]);
        }
        command.arg("/usr/bin/prlimit").args(limits.arguments()).arg("--").arg(program).args(arguments);
        process::run_with_input(command, input, limits.deadline)
    }
}

impl Limits {
    fn arguments(self) -> Vec<String> {
        const MIB: u64 = 1024 * 1024;
        vec![
            format!("--cpu={}", self.cpu),
            format!("--as={}", self.memory * MIB),
            format!("--nproc={}", self.processes),
            format!("--fsize={}", self.file * MIB),
            "--nofile=256".to_owned(),
            "--core=0".to_owned(),
        ]
    }
}

/// What a box of this kind may use. A test's deadline is its exercise's; it may use as many processor seconds on both cores.
#[must_use]
pub fn limits_of(kind: Kind, deadline: Duration) -> Limits {
    match kind {
        Kind::Compile => Limits { cpu: 30, memory: 6144, processes: 256, file: 256, deadline: Duration::from_secs(90) },
        Kind::Run => Limits { cpu: deadline.as_secs() * 2 + 2, memory: 2048, processes: 256, file: 16, deadline },
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
