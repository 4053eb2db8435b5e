//! Programs beside the package under test: what must compile and what must not.
//!
//! [`trybuild`] compiles them, with the cfg `trybuild` set. A package keeps this fast, and draws its boundaries, by what it leaves out then:
//!
//! ```toml
//! [target.'cfg(not(trybuild))'.dev-dependencies]   # or .dependencies
//! kit = { workspace = true, features = ["compile"] }
//! ```
//!
//! `trybuild` compares what the compiler says with a file, word by word, and the words change with every release and every `impl` that a reader adds.
//! Here a test sees in which *lines* a program is refused, and that is what it should judge.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

const FOLDER: &str = "KIT_COMPILE";

/// Compiles beside one package.
#[derive(Clone, Copy, Debug)]
pub struct Compiler {
    /// The folder of its manifest: `env!("CARGO_MANIFEST_DIR")`.
    pub package: &'static str,
    /// The full name of the test that asks, such as `stage_1_bytes::nonsense_does_not_compile`.
    pub test: &'static str,
}

/// An error of the compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The line of the program, from 1.
    pub line: usize,
    /// The first line of the message.
    pub says: String,
}

impl Compiler {
    /// Where each of the programs is refused; nowhere if it compiles.
    ///
    /// # Panics
    /// If the package itself does not compile.
    #[must_use]
    pub fn refusals<const N: usize>(&self, programs: [&str; N]) -> [Vec<Refusal>; N] {
        let folder = tempfile::tempdir().expect("a folder for the programs");
        let path = |name: &str| folder.path().join(name);
        // One that is always refused: if it is not, the others were never looked at.
        fs::write(path("refuse_control.rs"), "compile_error!(\"control\");\nfn main() {}\n").expect("a file");
        for (i, program) in programs.iter().enumerate() {
            fs::write(path(&format!("refuse_{i}.rs")), program).expect("a file");
        }
        let (_, said) = self.run(folder.path());
        assert!(path("refuse_control.stderr").exists(), "{said}");
        std::array::from_fn(|i| {
            fs::read_to_string(path(&format!("refuse_{i}.stderr"))).map_or(Vec::new(), |said| refusals(&said))
        })
    }

    /// Compiles the program and runs it.
    ///
    /// # Errors
    /// What the compiler or the program said when it failed.
    pub fn runs(&self, program: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().expect("a folder for the program");
        fs::write(folder.path().join("pass.rs"), program).expect("a file");
        let (succeeded, said) = self.run(folder.path());
        if succeeded { Ok(()) } else { Err(said) }
    }

    /// `trybuild` takes the package and its own mode from the environment, so it gets a process: this very test once more.
    fn run(&self, folder: &Path) -> (bool, String) {
        if let Some(folder) = std::env::var_os(FOLDER) {
            try_all(Path::new(&folder));
            std::process::exit(0);
        }
        let this = std::env::current_exe().expect("the test program knows itself");
        let output = Command::new(this)
            .args([self.test, "--exact", "--nocapture"])
            .env(FOLDER, folder)
            .env("CARGO_MANIFEST_DIR", self.package)
            .env("CARGO_TERM_COLOR", "never")
            .env("NO_COLOR", "1")
            .env("TRYBUILD", "overwrite")
            .output()
            .expect("the test program starts itself");
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        (output.status.success(), from_the_first_error(&said))
    }
}

fn try_all(folder: &Path) {
    let cases = trybuild::TestCases::new();
    for entry in fs::read_dir(folder).expect("the folder of the programs") {
        let path = entry.expect("a program").path();
        if path.extension() != Some(OsStr::new("rs")) {
            continue;
        }
        match path.file_stem().and_then(OsStr::to_str) {
            Some("pass") => cases.pass(path),
            _ => cases.compile_fail(path),
        }
    }
}

fn refusals(said: &str) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut says = None;
    for line in said.lines() {
        if line.starts_with("error") {
            says = Some(line.to_owned());
        } else if let (Some(place), Some(message)) = (line.trim_start().strip_prefix("--> "), &says) {
            let number = place.rsplit(':').nth(1).and_then(|number| number.parse().ok());
            refusals.extend(number.map(|line| Refusal { line, says: message.clone() }));
            says = None;
        }
    }
    refusals
}

/// Without what cargo says of its own progress.
fn from_the_first_error(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let first = lines.iter().position(|line| line.starts_with("error") || line.contains("panicked at")).unwrap_or(0);
    lines[first..].iter().take(40).copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_an_error_is_that_of_its_first_place() {
        let said = "error[E0308]: mismatched types\n --> a/b.rs:4:17\n  |\n4 | x\n  | ^\nnote: here\n --> a/b.rs:9:1\n\nerror: other\n --> b.rs:7:1\n";
        let refusal = |line, says: &str| Refusal { line, says: says.to_owned() };
        assert_eq!(refusals(said), [refusal(4, "error[E0308]: mismatched types"), refusal(7, "error: other")]);
    }
}
