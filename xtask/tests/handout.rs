//! What a class gets, over the small workbook of the other tests and over this one.

mod fixture;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fixture::{Fixture, SUM_SOLUTION, SUM_STUB, Said};

fn committed() -> Fixture {
    let fixture = Fixture::new();
    fixture.xtask("verify --bless sum");
    fixture.write("rust-toolchain.toml", "[toolchain]\n");
    fixture.write(".gitignore", "/target\n/class\n");
    fixture.git("init -q -b main");
    fixture.git("add .");
    fixture.git("commit -q -m first");
    fixture
}

fn hand_out(fixture: &Fixture, dir: &Path, more: &str) -> Said {
    let line = format!("handout {} {more}", dir.display());
    let mut command = fixture.command("", &line);
    for (name, value) in [("NAME", "x"), ("EMAIL", "x@example.org")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    Said::of(command.output().expect("starts"))
}

/// Every file below `dir` but git's own.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("lists").flatten() {
        match entry.file_type().expect("has a type").is_dir() {
            true if entry.file_name() == ".git" => {}
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

#[test]
fn a_class_gets_the_exercise_and_not_the_answer() {
    let fixture = committed();
    // The instructor has solved it in place and edited a test: the class gets neither.
    let tests = fixture.read("exercises/01-first/sum/tests/sum.rs");
    fixture.write("exercises/01-first/sum/src/lib.rs", SUM_SOLUTION);
    fixture.write("exercises/01-first/sum/tests/sum.rs", &tests.replace("5,", "6,"));
    fixture.write("private.txt", "not for the class");
    let class = tempfile::tempdir().expect("temp dir");
    let dir = class.path().join("course");
    let said = hand_out(&fixture, &dir, "--due 2026-12-01,sum=2026-12-08T18:00");
    said.expect(0, &["1 exercise in", "left out 01-first/trials: nobody has proved it yet", "committed"]);

    let read = |path: &str| fs::read_to_string(dir.join(path)).expect(path);
    assert_eq!(read("exercises/01-first/sum/src/lib.rs"), SUM_STUB);
    assert_eq!(read("exercises/01-first/sum/tests/sum.rs"), tests);
    assert!(read("README.md").contains("| 5 | 2026-12-08 18:00 |"));
    assert!(read("handout.toml").contains("\"01-first/sum\" = \"2026-12-08T18:00\""));
    assert!(read(".github/workflows/check.yml").contains("cargo xtask check"));
    assert!(!read("Cargo.toml").contains("\"solutions/"));
    assert!(!read("book/src/SUMMARY.md").contains("trials"));
    let wrong = read("solutions/01-first/sum/wrong/times.patch");
    assert!(
        wrong.contains("Fails: stage_1_add::nothing_changes_nothing, stage_1_add::two_and") && !wrong.contains("+++"),
        "{wrong}"
    );
    for file in files(&dir) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        assert!(!text.contains("add(a, a)") && !text.contains("not for the class"), "{}", file.display());
    }

    // The class can work with it: the stub is not started, a wrong answer is recognised, the solution passes, reset resets.
    let xtask = |line: &str| {
        let mut command = fixture.command("", line);
        Said::of(command.current_dir(&dir).env_remove("CARGO_TARGET_DIR").output().expect("starts"))
    };
    xtask("").expect(0, &["not started"]);
    let wrong = SUM_STUB.replace("todo!(\"add {a} and {b}\")", "a * b");
    fs::write(dir.join("exercises/01-first/sum/src/lib.rs"), wrong).expect("write");
    xtask("check sum").expect(1, &["believes: a sum is a product"]);
    fs::write(dir.join("exercises/01-first/sum/src/lib.rs"), SUM_SOLUTION).expect("write");
    xtask("check --all --format json").expect(0, &["\"solved\": 1"]);
    xtask("solution sum").expect(2, &["handed out without"]);
    xtask("book build").expect(2, &["handed out without the program"]);

    // A new version of the course leaves the learner's work alone.
    fixture.write("exercises/01-first/sum/src/lib.rs", &SUM_STUB.replace("//! Sums.", "//! Sums, second edition."));
    fixture.write("exercises/01-first/sum/tests/sum.rs", &format!("{tests}// Second edition.\n"));
    fixture.xtask("verify --bless sum");
    fixture.git("commit -q -a -m second");
    hand_out(&fixture, &dir, "").expect(0, &["exercises/01-first/sum/src/lib.rs was edited there and stays"]);
    assert_eq!(read("exercises/01-first/sum/src/lib.rs"), SUM_SOLUTION);
    assert!(read("exercises/01-first/sum/tests/sum.rs").ends_with("// Second edition.\n"));
    assert!(read(".handout/updates/exercises/01-first/sum/src/lib.rs").contains("second edition"));
    hand_out(&fixture, &dir, "").expect(0, &["0 files new or changed, 0 removed"]);
    xtask("reset sum").expect(2, &["is in no commit"]);
}

#[test]
fn a_leak_stops_it_before_the_first_file() {
    let fixture = committed();
    fixture.write(
        "solutions/01-first/sum/src/lib.rs",
        &SUM_SOLUTION.replace("    add(a, a)", "    let first_summand = a;\n    let second_summand = a;\n    let their_sum = add(first_summand, second_summand);\n    their_sum"),
    );
    let page = "# A page\n\n```rust\nlet first_summand = a;\nlet second_summand = a;\nlet their_sum = add(first_summand, second_summand);\n```\n";
    fixture.write("book/src/01-first/sum.md", page);
    let class = tempfile::tempdir().expect("temp dir");
    let dir = class.path().join("course");
    let part = "book/src/01-first/sum.md quotes the solution of 01-first/sum: `let first_summand = a;`";
    hand_out(&fixture, &dir, "").expect(2, &["nothing was written", part]);
    assert!(!dir.exists());
    hand_out(&fixture, &fixture.path("class"), "").expect(2, &["part of the workbook itself"]);
    fs::create_dir_all(&dir).expect("folder");
    fs::write(dir.join("mine"), "").expect("write");
    hand_out(&fixture, &dir, "").expect(2, &["neither empty nor a handout"]);
    hand_out(&fixture, &dir, "--due someday").expect(2, &["neither empty"]);
}

/// The real course: of the solutions there is nothing but the headers of wrong answers, and no two lines in a row.
#[test]
fn nothing_in_the_handout_of_this_course_lets_a_solution_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("has a parent");
    if !root.join(".git").exists() || !root.join("solutions").is_dir() {
        return; // an archive of the sources, or a handout itself
    }
    let class = tempfile::tempdir().expect("temp dir");
    let dir = class.path().join("course");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["handout", &dir.to_string_lossy()]).current_dir(root).env_remove("CARGO_TARGET_DIR");
    Said::of(command.output().expect("starts")).expect(0, &["exercises in"]);

    // The exercise that is composed of others is there, and composed of the class's own.
    let composed = dir.join("exercises/17-synthesis/url-shortener");
    assert!(composed.join("service/main.rs").is_file());
    assert!(fs::read_to_string(composed.join("Cargo.toml")).expect("reads").contains("default = [\"my-parts\"]"));
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--offline", "--format-version=1", "--no-deps"]).current_dir(&dir);
    let metadata = metadata.output().expect("starts");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));

    let telling = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim);
        lines.filter(|line| line.len() >= 24 && !line.starts_with("//")).map(str::to_owned).collect()
    };
    // What a solution shares with stubs, tests and kit (types, signatures) is no secret.
    let is_source = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "rs");
    let given: BTreeSet<String> = files(&dir.join("exercises"))
        .into_iter()
        .filter(is_source)
        .flat_map(|file| telling(&fs::read_to_string(file).unwrap_or_default()))
        .collect();
    let mut secret: BTreeSet<(String, String)> = BTreeSet::new();
    for source in files(&root.join("solutions")).into_iter().filter(|file| file.ends_with("src/lib.rs")) {
        let lines = telling(&fs::read_to_string(source).expect("reads"));
        let pairs = lines.windows(2).filter(|pair| !pair.iter().any(|line| given.contains(line)));
        secret.extend(pairs.map(|pair| (pair[0].clone(), pair[1].clone())));
    }
    assert!(secret.len() > 100, "the solutions were found");
    for file in files(&dir) {
        let path = file.strip_prefix(&dir).expect("below").to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&file).unwrap_or_default();
        if path.starts_with("solutions/") {
            assert!(path.ends_with(".patch") && !text.contains("\n@@") && !text.contains("\n+"), "{path}");
        }
        if path.ends_with("/hints.md") {
            continue; // the third hint is almost the code
        }
        for pair in telling(&text).windows(2) {
            assert!(!secret.contains(&(pair[0].clone(), pair[1].clone())), "{path} has `{}` of a solution", pair[0]);
        }
    }
}
