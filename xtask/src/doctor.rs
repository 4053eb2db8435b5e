//! `doctor`: what is wrong with this machine or this copy, and its fix.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use notify::{RecursiveMode, Watcher};

use crate::failure::Failure;
use crate::ui;
use crate::workbook::Workbook;

/// Good news, or bad news and what to do.
type Finding = Result<String, (String, String)>;

pub(crate) fn run() -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let (root, target) = (workbook.catalog.root.as_path(), workbook.target.as_path());
    let mut findings = vec![toolchain(root), component("rustfmt", "--version"), component("cargo-clippy", "--version")];
    findings.extend([
        writable(target),
        disk(target),
        file_events(target),
        port(),
        clock(&workbook),
        stale(target),
        history(root),
    ]);
    findings.push(trees(&workbook));
    let mut healthy = true;
    for finding in findings {
        match finding {
            Ok(good) => ui::print(&format!("{} {good}\n", ui::good("✓"))),
            Err((bad, fix)) => {
                healthy = false;
                ui::print(&format!("{} {bad}\n    fix: {fix}\n", ui::bad("✗")));
            }
        }
    }
    Ok(healthy)
}

fn bad(what: impl Into<String>, fix: impl Into<String>) -> Finding {
    Err((what.into(), fix.into()))
}

fn version_of(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

fn toolchain(root: &Path) -> Finding {
    let wanted = fs::read_to_string(root.join("rust-toolchain.toml")).unwrap_or_default();
    let wanted = wanted
        .lines()
        .find_map(|line| line.strip_prefix("channel = "))
        .unwrap_or_default()
        .trim_matches('"')
        .to_owned();
    match version_of("rustc", "--version") {
        Some(version) if version.starts_with(&format!("rustc {wanted}")) => Ok(format!("toolchain: {version}")),
        Some(version) => bad(
            format!("toolchain: {version}, the workbook is made for {wanted}"),
            format!("rustup toolchain install {wanted}"),
        ),
        None => bad("toolchain: rustc cannot be started", "install Rust from https://rustup.rs"),
    }
}

fn component(program: &str, argument: &str) -> Finding {
    let name = program.trim_start_matches("cargo-");
    match version_of(program, argument) {
        Some(version) => Ok(format!("{name}: {version}")),
        None => bad(format!("{name}: not here (only authors need it)"), format!("rustup component add {name}")),
    }
}

fn writable(target: &Path) -> Finding {
    let probe = target.join("workbook/doctor-was-here");
    match judge::files::write_atomically(&probe, b"x").and_then(|()| fs::remove_file(&probe)) {
        Ok(()) => Ok(format!("writable: {}", target.display())),
        Err(error) => bad(
            format!("writable: {error}"),
            "make room or change its permissions, or set CARGO_TARGET_DIR to a folder that is yours",
        ),
    }
}

/// Asks `df`: the standard library does not know free space. Where there is none, nothing is claimed.
fn disk(target: &Path) -> Finding {
    const NEEDED_MIB: u64 = 3 * 1024;
    let output = Command::new("df").args(["-Pk"]).arg(target).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let free =
        text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)).and_then(|kib| kib.parse::<u64>().ok());
    match free.map(|kib| kib / 1024) {
        Some(mib) if mib < NEEDED_MIB => {
            let fix = format!("make room, or `cargo clean` ({} grows with every toolchain)", target.display());
            bad(format!("disk: {mib} MiB free, builds may need {NEEDED_MIB}"), fix)
        }
        Some(mib) => Ok(format!("disk: {} GiB free", mib / 1024)),
        None => Ok("disk: not measured here".to_owned()),
    }
}

fn file_events(target: &Path) -> Finding {
    let dir = target.join("workbook/doctor");
    let fix = "nothing to do: `watch` looks for itself instead, a little later than an event would come";
    let probe = || -> Result<Duration, String> {
        let text = |error: std::io::Error| error.to_string();
        fs::create_dir_all(&dir).map_err(text)?;
        let (send, receive) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |_| send.send(()).unwrap_or_default())
            .map_err(|error| error.to_string())?;
        watcher.watch(&dir, RecursiveMode::Recursive).map_err(|error| error.to_string())?;
        let start = SystemTime::now();
        fs::write(dir.join("probe"), "x").map_err(text)?;
        receive.recv_timeout(Duration::from_secs(2)).map_err(|_| "none came within 2 s".to_owned())?;
        Ok(start.elapsed().unwrap_or_default())
    };
    let found = probe();
    let _ = fs::remove_dir_all(&dir);
    match found {
        Ok(took) => Ok(format!("file events: {:.1} ms after a save", took.as_secs_f64() * 1000.0)),
        Err(why) => bad(format!("file events: {why}"), fix),
    }
}

fn port() -> Finding {
    match TcpListener::bind(("127.0.0.1", 3000)) {
        Ok(_) => Ok("port: 3000 is free".to_owned()),
        Err(error) => bad(
            format!("port: 3000 cannot be used ({error})"),
            "`cargo xtask start` takes the next free one; choose one with --port",
        ),
    }
}

/// Cargo decides by times what to build again: a file from the future is built every time.
fn clock(workbook: &Workbook) -> Finding {
    let soon = SystemTime::now() + Duration::from_secs(5);
    let from_future =
        workbook.catalog.exercises().flat_map(|exercise| [exercise.stub(), exercise.tests_file(), exercise.manifest()]);
    let is_late =
        |file: &std::path::PathBuf| fs::metadata(file).and_then(|data| data.modified()).is_ok_and(|time| time > soon);
    match from_future.into_iter().find(is_late) {
        Some(file) => {
            let path = workbook.relative(&file);
            bad(
                format!("stale build: {path} was written in the future, so cargo builds it every time"),
                format!("touch {path}"),
            )
        }
        None => Ok("clock: no source is from the future".to_owned()),
    }
}

/// A target folder of another compiler is not wrong, only large: everything in it is built again.
fn stale(target: &Path) -> Finding {
    let known = fs::read_to_string(target.join(".rustc_info.json")).unwrap_or_default();
    let now = version_of("rustc", "--version").unwrap_or_default();
    if known.is_empty() || known.contains(&now) {
        return Ok("build: made by this compiler".to_owned());
    }
    bad(format!("stale build: {} was made by another compiler", target.display()), "cargo clean")
}

fn history(root: &Path) -> Finding {
    let ask = |arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(root)
            .args(arguments)
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match ask(&["rev-parse", "--is-shallow-repository"]).as_deref() {
        Some("false") => Ok("history: `reset` can take any handed-out file from git".to_owned()),
        Some(_) => {
            bad("history: this clone is shallow, `reset` may not find what was handed out", "git fetch --unshallow")
        }
        None => bad("history: no git here, so `reset` cannot bring a stub back", "work in a git clone of the workbook"),
    }
}

fn trees(workbook: &Workbook) -> Finding {
    match workbook.problems.0.first() {
        None => Ok(format!("workbook: {}", ui::count(workbook.catalog.exercises().count(), "exercise"))),
        Some(problem) => {
            let more = workbook.problems.0.len() - 1;
            let more = if more > 0 { format!(" (and {more} more: cargo xtask)") } else { String::new() };
            bad(format!("workbook: {}: {}{more}", workbook.relative(&problem.file), problem.what), problem.fix.clone())
        }
    }
}
