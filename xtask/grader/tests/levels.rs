//! Machines that can make less of a box than all of it: what the grader then does, and says.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use grader::boxes::{Boxes, Kind, limits_of};
use grader::containment::{Containment, Level};
use grader::results;

const FILES: [(&str, &str); 5] = [
    ("course/Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"exercises/[0-9]*/*\"]\n"),
    (
        "course/exercises/01-first/twice/Cargo.toml",
        "[package]\nname = \"twice\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[package.metadata.exercise]\ntitle = \"Twice\"\nsummary = \"s\"\ndifficulty = 1\nminutes = 5\n[lib]\ntest = false\n",
    ),
    ("course/exercises/01-first/twice/src/lib.rs", "pub fn twice(n: u64) -> u64 { todo!(\"{n} (twice)\") }\n"),
    (
        "course/exercises/01-first/twice/tests/twice.rs",
        "#[test]\nfn four() {\n    assert_eq!(twice::twice(2), 4);\n}\n#[test]\nfn six() {\n    assert_eq!(twice::twice(3), 6);\n}\n",
    ),
    ("class/ann/exercises/01-first/twice/src/lib.rs", "pub fn twice(n: u64) -> u64 { n + 2 }\n"),
];

/// The grader where `bwrap` is not on the path and everything else is.
fn without_boxes(dir: &Path, arguments: &[&str]) -> Output {
    let links = dir.join("bin");
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        if !folder.join("bwrap").exists() {
            folders.push(folder);
            continue;
        }
        fs::create_dir_all(&links).expect("a folder");
        for entry in fs::read_dir(&folder).expect("lists").flatten().filter(|entry| entry.file_name() != "bwrap") {
            let _ = symlink(entry.path(), links.join(entry.file_name()));
        }
        folders.push(links.clone());
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_grader"));
    command.env("PATH", std::env::join_paths(folders).expect("a path"));
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("levels"));
    command.current_dir(dir.join("course")).args(arguments).output().expect("starts")
}

#[test]
fn without_a_box_nothing_runs_unless_somebody_answers_for_it() {
    let dir = tempfile::tempdir().expect("temp dir");
    for (path, text) in FILES {
        let file = dir.path().join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        fs::write(file, text).expect("write");
    }
    let out = dir.path().join("out");
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let refused = without_boxes(dir.path(), &["../class", "--out", "../out"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("no box can be made here") && said(&refused).contains("bubblewrap"));
    assert!(!out.exists(), "nothing was graded");

    let trusting = without_boxes(dir.path(), &["../class", "--out", "../out", "--trust-submissions"]);
    assert_eq!(trusting.status.code(), Some(0), "{}", said(&trusting));
    let known = results::read(&out).expect("reads");
    let value = &known[&("ann".to_owned(), "01-first/twice".to_owned())];
    assert_eq!((&value["points"]["earned"], &value["points"]["possible"]), (&1.into(), &2.into()), "{value}");
    assert_eq!(value["containment"]["level"], "none");
    assert!(value["containment"]["missing"].to_string().contains("bwrap"), "{value}");

    // Hidden tests lie where a submission that is not in a box could read them.
    let file = dir.path().join("hidden/01-first/twice/more.rs");
    fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
    fs::write(file, "#[test]\nfn ten() {\n    assert_eq!(twice::twice(5), 10);\n}\n").expect("write");
    let arguments = ["../class", "--out", "../other", "--trust-submissions", "--hidden", "../hidden"];
    let hidden = without_boxes(dir.path(), &arguments);
    assert!(hidden.status.code() == Some(2) && said(&hidden).contains("hidden tests need boxes"), "{}", said(&hidden));
}

const AS_SOMEBODY: &str = "AS_SOMEBODY";

/// The test starts itself once more, as a user who is not root, and that one tries what it can.
#[test]
fn without_root_there_is_a_box_and_its_results_say_what_is_missing() {
    if std::env::var_os(AS_SOMEBODY).is_some() {
        let boxes = Boxes::probe();
        println!("found {}", boxes.containment().to_json());
        let limits = limits_of(Kind::Run, Duration::from_secs(10));
        let words = ["-c", "test -e /proc/self || test -e /home || test -e /root || (: >/x) 2>/dev/null || echo alone"];
        let arguments = words.map(Into::into);
        if boxes.containment().level != Level::None {
            let ran = boxes.run(Kind::Run, &[], Path::new("/bin/sh"), &arguments, &[], limits, Stdio::null());
            println!("in the box: {}", ran.expect("starts").stdout);
        }
        return;
    }
    if Containment::probe().level != Level::Full {
        eprintln!("nothing is proved: only root can become somebody else");
        return;
    }
    // Where anybody can start it: the folders above a target folder may be closed to others.
    let dir = tempfile::tempdir().expect("temp dir");
    let program = dir.path().join("levels");
    fs::copy(std::env::current_exe().expect("knows itself"), &program).expect("copies");
    let open = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("opens");
    };
    open(dir.path());
    open(&program);
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(program);
    command.args(["--exact", "without_root_there_is_a_box_and_its_results_say_what_is_missing", "--nocapture"]);
    let output = command.env(AS_SOMEBODY, "1").current_dir("/").output().expect("starts");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if said.contains("\"level\":\"none\"") {
        eprintln!("nothing is proved: this system gives boxes to root alone\n{said}");
        return;
    }
    assert!(said.contains("\"level\":\"partial\"") && said.contains("needs root"), "{said}");
    assert!(said.contains("in the box: alone"), "{said}");
}
