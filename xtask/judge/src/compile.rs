//! One `cargo build` for all that was selected.
//!
//! A package that does not compile keeps rustc's own message and hides no other: cargo goes on with the rest.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::{Event, Options, process, stop};

/// What became of one package.
#[derive(Clone, Debug, Default)]
pub struct Built {
    /// Its test programs; complete only if there are no errors.
    pub tests: Vec<PathBuf>,
    /// Rustc's errors as it prints them, with colours if they were asked for.
    pub errors: Vec<String>,
    /// Rustc's warnings as it prints them.
    pub warnings: Vec<String>,
}

impl Built {
    /// The first line of the first error and where it is: `error[E0308]: mismatched types, src/lib.rs:3:5`.
    #[must_use]
    pub fn headline(&self) -> Option<String> {
        let text = strip_colours(self.errors.first()?);
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default().to_owned();
        let place = lines.find_map(|line| line.trim().strip_prefix("--> "));
        Some(place.map_or_else(|| first.clone(), |place| format!("{first}, {place}")))
    }
}

/// Cargo could not even begin, or was stopped.
#[derive(Clone, Debug)]
pub struct CargoFailed {
    /// What cargo said.
    pub message: String,
}

impl fmt::Display for CargoFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.trim_end())
    }
}

impl std::error::Error for CargoFailed {}

/// Builds the test programs of `packages` (name and folder), in the order given.
///
/// # Errors
/// [`CargoFailed`] when cargo ended without having built anything: a manifest that cannot be read, no network for a new
/// dependency, a full disk.
pub fn compile(
    workspace: &Path,
    packages: &[(&str, &Path)],
    options: &Options,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Vec<Built>, CargoFailed> {
    let mut command = cargo(workspace);
    command.args(["build", "--tests", "--keep-going"]).arg(message_format(options.colour));
    command.arg("--target-dir").arg(&options.target);
    for (name, _) in packages {
        command.args(["--package", name]);
    }
    let output = stream(command, &mut |line| {
        if let Some(name) = line.trim().strip_prefix("Compiling ") {
            on_event(Event::Compiling(name.split(" (").next().unwrap_or(name).to_owned()));
        }
    })?;
    let messages = collect(&output.messages);
    let mut broken_elsewhere =
        messages.iter().filter(|(manifest, _)| !packages.iter().any(|(_, dir)| is_in(manifest, dir)));
    let others: Vec<String> = broken_elsewhere.by_ref().flat_map(|(_, built)| built.errors.clone()).collect();
    let results: Vec<Built> = packages
        .iter()
        .map(|(_, dir)| {
            let mut built = messages
                .iter()
                .find(|(manifest, _)| is_in(manifest, dir))
                .map(|(_, built)| built.clone())
                .unwrap_or_default();
            if built.tests.is_empty() && built.errors.is_empty() {
                // What it depends on does not compile: that message is the one to show.
                built.errors.clone_from(&others);
            }
            built
        })
        .collect();
    let nothing_said = results.iter().all(|built| built.errors.is_empty());
    if !output.success && nothing_said {
        return Err(CargoFailed { message: output.stderr });
    }
    Ok(results)
}

/// `cargo`, as it was called for this program, in `workspace`.
#[must_use]
pub fn cargo(workspace: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace).env("CARGO_TERM_PROGRESS_WHEN", "never").env("CARGO_TERM_COLOR", "never");
    // What cargo set for this program is not meant for the programs that cargo builds next.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME"] {
        command.env_remove(name);
    }
    command
}

/// What cargo printed.
pub struct CargoOutput {
    /// Whether it ended well.
    pub success: bool,
    /// Its messages, one JSON object each.
    pub messages: Vec<Value>,
    /// Everything else.
    pub stderr: String,
}

/// Runs cargo with `--message-format=json`; `on_line` sees its status lines as they come.
///
/// # Errors
/// Cargo cannot be started, or the person at the terminal asked everything to end.
pub fn stream(mut command: Command, on_line: &mut dyn FnMut(&str)) -> Result<CargoOutput, CargoFailed> {
    let failed = |message: String| CargoFailed { message };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process::spawn(command).map_err(|error| failed(format!("cannot start cargo: {error}")))?;
    let stdout = child.stdout().take();
    let messages = thread::spawn(move || {
        let mut text = String::new();
        let _ = stdout.map(|mut stream| stream.read_to_string(&mut text));
        text
    });
    let (send, lines) = std::sync::mpsc::channel();
    let stderr = child.stderr().take();
    thread::spawn(move || {
        for line in stderr.into_iter().flat_map(|stream| BufReader::new(stream).lines().map_while(Result::ok)) {
            let _ = send.send(line);
        }
    });
    let mut said = String::new();
    loop {
        match lines.recv_timeout(Duration::from_millis(50)) {
            Ok(line) => {
                on_line(&line);
                said.push_str(&line);
                said.push('\n');
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
        }
        if stop::requested() {
            let _ = child.start_kill();
            let _ = child.wait();
            return Err(failed("stopped".to_owned()));
        }
    }
    let status = child.wait().map_err(|error| failed(format!("cannot wait for cargo: {error}")))?;
    let text = messages.join().unwrap_or_default();
    let messages = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok(CargoOutput { success: status.success(), messages, stderr: said })
}

/// The option by which cargo prints messages as JSON with rustc's own rendering inside.
#[must_use]
pub fn message_format(colour: bool) -> &'static str {
    if colour { "--message-format=json-diagnostic-rendered-ansi" } else { "--message-format=json" }
}

/// What cargo's messages say of each package, by the path of its manifest.
#[must_use]
pub fn collect(messages: &[Value]) -> BTreeMap<PathBuf, Built> {
    let mut packages: BTreeMap<PathBuf, Built> = BTreeMap::new();
    for message in messages {
        let Some(manifest) = message["manifest_path"].as_str() else { continue };
        let built = packages.entry(PathBuf::from(manifest)).or_default();
        match message["reason"].as_str() {
            Some("compiler-artifact") => {
                let is_test = message["profile"]["test"].as_bool() == Some(true);
                built.tests.extend(message["executable"].as_str().filter(|_| is_test).map(PathBuf::from));
            }
            Some("compiler-message") => {
                let diagnostic = &message["message"];
                let rendered = diagnostic["rendered"].as_str().unwrap_or_default().to_owned();
                // "aborting due to 2 previous errors" and "2 warnings emitted" say nothing new and point nowhere.
                let points_somewhere = diagnostic["spans"].as_array().is_some_and(|spans| !spans.is_empty());
                let is_summary = strip_colours(&rendered).contains("aborting due to")
                    || strip_colours(&rendered).contains("emitted");
                let list = match diagnostic["level"].as_str() {
                    Some("warning") => &mut built.warnings,
                    Some(level) if level.starts_with("error") => &mut built.errors,
                    _ => continue,
                };
                if (points_somewhere || !is_summary) && !list.contains(&rendered) {
                    list.push(rendered);
                }
            }
            _ => {}
        }
    }
    packages
}

/// True if `manifest` is that of the package in `dir`.
#[must_use]
pub fn is_in(manifest: &Path, dir: &Path) -> bool {
    let same = |a: &Path, b: &Path| a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    manifest.parent().is_some_and(|parent| parent.file_name() == dir.file_name() && same(parent, dir))
}

/// `text` without terminal escapes of the form `ESC [ … letter`.
#[must_use]
pub fn strip_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..at]);
        let escape = &rest[at + 2..];
        rest = escape.find(|c: char| c.is_ascii_alphabetic()).map_or("", |end| &escape[end + 1..]);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_removed_and_text_stays() {
        assert_eq!(strip_colours("\u{1b}[1m\u{1b}[38;5;9merror\u{1b}[0m: x"), "error: x");
    }

    #[test]
    fn messages_are_sorted_by_package() {
        let error = r#"{"reason":"compiler-message","manifest_path":"/w/a/Cargo.toml","message":{"level":"error","rendered":"error[E1]: no\n --> a/src/lib.rs:1:2\n","spans":[{}]}}"#;
        let summary = r#"{"reason":"compiler-message","manifest_path":"/w/a/Cargo.toml","message":{"level":"error","rendered":"error: aborting due to 1 previous error\n","spans":[]}}"#;
        let warning = r#"{"reason":"compiler-message","manifest_path":"/w/b/Cargo.toml","message":{"level":"warning","rendered":"warning: unused","spans":[{}]}}"#;
        let test = r#"{"reason":"compiler-artifact","manifest_path":"/w/b/Cargo.toml","profile":{"test":true},"executable":"/w/t/b-1"}"#;
        let library = r#"{"reason":"compiler-artifact","manifest_path":"/w/b/Cargo.toml","profile":{"test":false},"executable":null}"#;
        let messages: Vec<Value> = [error, error, summary, warning, test, library]
            .iter()
            .map(|text| serde_json::from_str(text).expect("JSON"))
            .collect();
        let packages = collect(&messages);
        let (a, b) = (&packages[Path::new("/w/a/Cargo.toml")], &packages[Path::new("/w/b/Cargo.toml")]);
        assert_eq!((a.errors.len(), a.tests.len()), (1, 0));
        assert_eq!(a.headline().as_deref(), Some("error[E1]: no, a/src/lib.rs:1:2"));
        assert_eq!((b.errors.len(), b.warnings.len(), b.tests.len()), (0, 1, 1));
    }
}
