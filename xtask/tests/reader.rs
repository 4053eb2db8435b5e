//! What a reader sees, over a small workbook in a temporary folder.

mod fixture;

use fixture::{Fixture, SUM_SOLUTION, SUM_STUB};
use serde_json::Value;

fn tests_of(document: &Value, id: &str) -> Vec<(String, String, String)> {
    let exercises = document["exercises"].as_array().expect("a list");
    let exercise = exercises.iter().find(|exercise| exercise["id"] == id).expect("is there");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let tests = exercise["tests"].as_array().expect("a list").iter();
    tests.map(|test| (text(&test["name"]), text(&test["status"]), text(&test["message"]))).collect()
}

#[test]
fn every_way_to_end_costs_one_test_and_is_named() {
    let fixture = Fixture::new();
    let said = fixture.xtask("check --all --format json --timeout 1");
    assert_eq!(said.code, Some(1), "{said}");
    let document: Value = serde_json::from_str(&said.out).expect("JSON on standard output");
    let tests = tests_of(&document, "01-first/trials");
    let expected = [
        ("fails", "failed", "one is not two"),
        ("passes", "passed", ""),
        ("hangs", "timeout", "still running after 1 s"),
        ("aborts", "crashed", "SIGABRT"),
        ("overflows_its_stack", "crashed", "stack overflow"),
        ("prints_without_end", "timeout", "still running after 1 s"),
        ("leaves", "crashed", "exit code 0 before the test did"),
    ];
    for ((name, status, message), (test, outcome, part)) in tests.iter().zip(expected) {
        assert_eq!(name, &format!("stage_1_ends::{test}"));
        assert_eq!(status, outcome, "{name}: {message}");
        assert!(message.contains(part) || cfg!(windows), "{name}: {message}");
        assert!(message.len() < 200_000, "{name} is capped");
    }
    assert_eq!(tests.len(), expected.len());
    // What does not compile is an answer too, and hides nobody.
    let broken =
        document["exercises"].as_array().expect("list").iter().find(|e| e["id"] == "02-second/broken").expect("there");
    assert_eq!(broken["status"], "build-error");
    assert_eq!(document["summary"]["points"]["earned"], 1);
    assert_eq!(document["summary"]["points"]["possible"], 11);
}

#[test]
fn a_reader_goes_from_stub_to_solved() {
    let fixture = Fixture::new();
    fixture.xtask("verify --bless sum");
    fixture.xtask("").expect(0, &["0 of 3 exercises solved", "Next: The sum", "not started", "cargo xtask start"]);

    // The stub: nothing is wrong yet, it is only not written.
    let said = fixture.xtask("check sum");
    said.expect(
        1,
        &[
            "○ 01-first/sum   stage 1 of 2 · 0 of 3 tests",
            "not written yet: add 2 and 3",
            "exercises/01-first/sum/src/lib.rs:6:5",
        ],
    );
    assert!(!said.out.contains("panicked"), "{said}");

    // A believed wrong answer, with the rest unwritten, is recognised.
    let body = |add: &str| SUM_STUB.replace("todo!(\"add {a} and {b}\")", add);
    fixture.write("exercises/01-first/sum/src/lib.rs", &body("a * b"));
    let said = fixture.xtask("check sum");
    said.expect(
        1,
        &[
            "✗ 01-first/sum   stage 1 of 2",
            "2 + 3",
            "a sum is a product",
            "Hint  cargo xtask hint sum",
            "(1 of 3)",
            "then stage_2_double",
        ],
    );

    // Rustc's own words.
    fixture.write("exercises/01-first/sum/src/lib.rs", &body("a +"));
    fixture.xtask("check sum").expect(1, &["does not compile", "error: expected expression"]);
    fixture.xtask("").expect(0, &["does not compile"]);

    for hint in ["Ask yourself.", "The idea.", "Almost the code."] {
        fixture.xtask("hint sum").expect(0, &[hint]);
    }
    fixture.xtask("hint sum").expect(0, &["That were all three"]);
    fixture.xtask("solution sum").expect(2, &["not solved yet", "--yes"]);
    fixture.xtask("solution sum --yes").expect(0, &["+    a + b", "-    a +"]);

    fixture.write("exercises/01-first/sum/src/lib.rs", SUM_SOLUTION);
    fixture.xtask("").expect(0, &["changed since its last check"]);
    let said = fixture.command("exercises/01-first/sum/src", "check").output().expect("starts");
    fixture::Said::of(said).expect(0, &["✓ 01-first/sum   solved · 3 tests"]);
    fixture.xtask("").expect(0, &["1 of 3 exercises solved", "Next: The trials"]);
    fixture.xtask("solution sum").expect(0, &["letter for letter"]);
}

#[test]
fn what_cannot_be_done_is_said_with_its_fix() {
    let fixture = Fixture::new();
    fixture.xtask("check smu").expect(2, &["no exercise or chapter `smu`", "did you mean `sum`?"]);
    fixture.xtask("chekc").expect(2, &["did you mean `cargo xtask check`?"]);
    fixture.xtask("check --jbos 3").expect(2, &["did you mean --jobs?"]);
    fixture.xtask("hint 1").expect(2, &["several exercises", "sum, trials"]);
    fixture.xtask("trace sum").expect(2, &["no failing run of 01-first/sum left a picture"]);
    fixture.xtask("--help").expect(0, &["cargo xtask check [EX…]"]);

    let outside = tempfile::tempdir().expect("temp dir");
    let said = fixture.command("", "check").current_dir(outside.path()).output().expect("starts");
    fixture::Said::of(said).expect(2, &["is not inside the workbook"]);

    // A target folder that cannot be: nothing was there to lose, and the reason is said.
    fixture.write("file", "kept");
    let said =
        fixture.command("", "check sum").env("CARGO_TARGET_DIR", fixture.path("file/below")).output().expect("starts");
    fixture::Said::of(said).expect(2, &["error:"]);
    assert_eq!(fixture.read("file"), "kept");

    fixture.write("exercises/01-first/sum/Cargo.toml", "[package\n");
    fixture
        .xtask("check trials")
        .expect(2, &["exercises/01-first/sum/Cargo.toml", "is not valid TOML", "git checkout"]);
    fixture.xtask("hint sum").expect(2, &["exercises/01-first/sum/Cargo.toml", "is not valid TOML"]);
}

#[test]
fn edited_tests_are_noticed_and_a_reset_keeps_what_was_written() {
    let fixture = Fixture::new();
    fixture.xtask("verify --bless sum");
    fixture.git("init -q");
    fixture.git("add .");
    fixture.git("commit -q -m handed-out");
    let tests = fixture.read("exercises/01-first/sum/tests/sum.rs");
    fixture.write("exercises/01-first/sum/tests/sum.rs", &tests.replace("5, \"2 + 3\"", "6, \"2 + 3\""));
    fixture.write("exercises/01-first/sum/src/lib.rs", SUM_SOLUTION);
    fixture.write("exercises/01-first/sum/Cargo.toml", "[package\n");
    fixture.git("commit -q -a -m mine");
    fixture
        .xtask("reset sum")
        .expect(0, &["Cargo.toml, src/lib.rs, tests/sum.rs", "target/workbook/aside/01-first/sum/"]);
    assert_eq!(fixture.read("exercises/01-first/sum/src/lib.rs"), SUM_STUB);
    assert_eq!(fixture.read("exercises/01-first/sum/tests/sum.rs"), tests);
    let aside = std::fs::read_dir(fixture.path("target/workbook/aside/01-first/sum")).expect("kept");
    let aside = aside.flatten().next().expect("one").path();
    assert_eq!(std::fs::read_to_string(aside.join("src/lib.rs")).expect("kept"), SUM_SOLUTION);
    fixture.xtask("reset sum").expect(0, &["is as it was handed out"]);

    fixture.write("exercises/01-first/sum/src/lib.rs", SUM_SOLUTION);
    fixture.write("exercises/01-first/sum/tests/sum.rs", &tests.replace("5, \"2 + 3\"", "6, \"2 + 3\""));
    fixture.xtask("check sum").expect(1, &["! tests/sum.rs is not as it was handed out", "cargo xtask reset sum"]);
}

#[test]
fn a_report_is_about_the_tests_that_were_handed_out() {
    let fixture = Fixture::new();
    fixture.xtask("verify --bless sum");
    fixture.git("init -q -b main");
    fixture.git("add exercises");
    fixture.git("commit -q -m first");
    let path = |name: &str| format!("exercises/01-first/sum/{name}");
    let tests = fixture.read(&path("tests/sum.rs"));
    fixture.write(
        &path("tests/sum.rs"),
        &tests.replace("add(2, 3), 5", "add(2, 3), 2 + 3 + 0 * add(1, 1)").replace("8", "9"),
    );
    fixture.write(&path("src/lib.rs"), SUM_SOLUTION);
    let exercise = |said: &str| serde_json::from_str::<Value>(said).expect("JSON")["exercises"][0].clone();

    // An edit that would cost points, or win them, does neither.
    let said = fixture.xtask("check sum --format json");
    said.expect(0, &["\"status\": \"solved\""]);
    assert_eq!(exercise(&said.out)["edited"], serde_json::json!(["tests/sum.rs"]));
    fixture.xtask("check sum").expect(1, &["! tests/sum.rs is not as it was handed out", "9"]);

    // The manifest too; and the report goes where it was asked to go.
    let manifest = fixture.read(&path("Cargo.toml"));
    fixture.write(&path("Cargo.toml"), &format!("{manifest}\n[dependencies]\nnowhere = {{ path = \"../nowhere\" }}\n"));
    let said = fixture.xtask("check sum --format junit --output target/junit.xml");
    said.expect(
        0,
        &[
            "✓ 01-first/sum   solved",
            "Cargo.toml is not as it was handed out: this verdict is about the version that was",
        ],
    );
    let junit = fixture.read("target/junit.xml");
    assert!(junit.contains("<property name=\"edited\" value=\"Cargo.toml\"/>"), "{junit}");
    assert!(junit.contains("tests=\"3\" skipped=\"0\" errors=\"0\" failures=\"0\""), "{junit}");
    fixture.xtask("check sum --output x").expect(2, &["--output needs a format"]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_no_process() {
    use std::process::Command;
    use std::time::{Duration, Instant};

    let fixture = Fixture::new();
    let pid_file = fixture.path("exercises/01-first/trials/hanging.pid");
    let mut runner = fixture.command("", "check trials --timeout 600 --jobs 8").spawn().expect("starts");
    let begin = Instant::now();
    let pid = loop {
        match std::fs::read_to_string(&pid_file) {
            Ok(pid) if !pid.is_empty() => break pid,
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "the test never began to hang");
    };
    let signal = |name: &str, pid: &str| Command::new("kill").args([name, pid]).status().expect("kill").success();
    assert!(signal("-INT", &runner.id().to_string()));
    let asked = Instant::now();
    let status = runner.wait().expect("ends");
    assert_eq!(status.code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(!signal("-0", &pid), "process {pid} is still there");
}

#[test]
fn watch_answers_a_save() {
    use std::io::{BufRead, BufReader};

    let fixture = Fixture::new();
    let mut runner = fixture.command("", "watch sum").stdout(std::process::Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(runner.stdout.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("○ 01-first/sum   stage 1 of 2")));
    assert!(lines.any(|line| line.starts_with("watching 01-first/sum")));
    fixture.write("exercises/01-first/sum/src/lib.rs", SUM_SOLUTION);
    assert!(lines.any(|line| line.contains("✓ 01-first/sum   solved")));
    assert!(lines.any(|line| line.starts_with("Next: ")), "the next exercise follows");
    assert!(lines.any(|line| line.starts_with("watching 01-first/trials")));
    runner.kill().expect("kill");
    runner.wait().expect("ends");
}

#[test]
fn watch_turns_to_the_exercise_that_was_saved() {
    use std::io::{BufRead, BufReader};

    let fixture = Fixture::new();
    let mut runner = fixture.command("", "watch").stdout(std::process::Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(runner.stdout.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("watching 01-first/sum")));
    let broken = "exercises/02-second/broken/src/lib.rs";
    fixture.write(broken, &(fixture.read(broken) + "// A word more.\n"));
    assert!(lines.any(|line| line.starts_with("watching 02-second/broken")));
    fixture.write("exercises/01-first/sum/src/lib.rs", SUM_SOLUTION);
    assert!(lines.any(|line| line.contains("✓ 01-first/sum   solved")), "and back");
    runner.kill().expect("kill");
    runner.wait().expect("ends");
}
