//! What an author sees: the proof of three states, and the scaffold.

mod fixture;

use fixture::{Fixture, SUM_STUB};

#[test]
fn three_states_are_proved_and_every_lack_has_its_reason() {
    let fixture = Fixture::new();
    fixture.xtask("verify sum").expect(1, &["✗ 01-first/sum", ".pristine is missing", "(--bless writes", "also fails"]);
    fixture
        .xtask("verify sum --bless")
        .expect(0, &["✓ 01-first/sum", "wrote exercises/01-first/sum/.pristine", "1 of 1 exercise proved"]);
    let patch = fixture.read("solutions/01-first/sum/wrong/times.patch");
    let fails = "Fails: stage_1_add::nothing_changes_nothing, stage_1_add::two_and_three_are_five, stage_2_double::twice_four_is_eight\n";
    assert!(patch.contains(fails), "{patch}");
    fixture.xtask("verify sum").expect(0, &["✓ 01-first/sum"]);

    // A stub that passes, a solution that does not, a patch that is stale, a page that is gone.
    fixture.write("exercises/01-first/sum/src/lib.rs", &SUM_STUB.replace("todo!(\"double {a}\")", "a + a"));
    fixture.write("solutions/01-first/sum/src/lib.rs", &SUM_STUB.replace("todo!(\"add {a} and {b}\")", "b + a"));
    std::fs::remove_file(fixture.path("book/src/01-first/sum.md")).expect("was there");
    fixture.write("book/topics/01-first.toml", "");
    fixture.xtask("verify sum").expect(
        1,
        &[
            "stub: stage_2_double::twice_four_is_eight passes already",
            "solution: stage_2_double::twice_four_is_eight failed",
            "solution: has a todo!",
            "wrong/times.patch does not apply",
            ".pristine does not fit src/lib.rs",
            "the exercise has no page",
            "book/topics/01-first.toml: no topic leads to 01-first/sum.md",
        ],
    );
    let said = fixture.xtask("verify sum --format json");
    let document: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(document["proved"], false);
    assert_eq!(document["exercises"][0]["id"], "01-first/sum");
}

#[test]
fn what_was_proved_is_proved_again_only_after_a_change_of_what_the_proof_rests_on() {
    let fixture = Fixture::new();
    let again = "unchanged since it was proved";
    fixture.xtask("verify sum --bless").expect(0, &["✓ 01-first/sum"]);
    fixture.xtask("verify sum").expect(0, &["✓ 01-first/sum", again, "1 of 1 exercise proved"]);
    let proves = |what: &str| {
        let said = fixture.xtask("verify sum");
        assert!(!said.out.contains(again), "{what} changed\n{said}");
    };
    for file in
        ["exercises/01-first/sum/hints.md", "book/src/01-first/sum.md", "solutions/01-first/sum/wrong/times.patch"]
    {
        let text = fixture.read(file);
        fixture.write(file, &format!("{text}\n"));
        proves(file);
        fixture.write(file, &text);
        fixture.xtask("verify sum --fresh").expect(0, &["1 of 1 exercise proved"]);
    }
    std::fs::remove_file(fixture.path("solutions/01-first/sum/wrong/first.patch")).expect("was there");
    fixture.xtask("verify sum").expect(1, &["wrong answers: 2 instead of at least 3"]);
    fixture.xtask("verify sum").expect(1, &["wrong answers: 2 instead of at least 3"]);
    fixture.xtask("verify --shard 2/1").expect(2, &["no shard `2/1`", "--shard 2/4"]);
    fixture.xtask("verify sum --shard 2/2").expect(0, &["0 of 0 exercises proved"]);
}

#[test]
fn a_wrong_answer_that_survives_or_cannot_be_told_apart_is_no_proof() {
    let fixture = Fixture::new();
    let patch = fixture.read("solutions/01-first/sum/wrong/times.patch");
    fixture.write("solutions/01-first/sum/wrong/harmless.patch", &patch.replace("a * b", "b + a"));
    fixture.write("solutions/01-first/sum/wrong/twin.patch", &patch.replace("a * b", "a + b + 1"));
    fixture.write("solutions/01-first/sum/wrong/no-code.patch", &patch.replace("a * b", "a + c"));
    fixture.xtask("verify --bless sum").expect(
        1,
        &[
            "wrong/harmless.patch survives",
            "wrong/twin.patch fails the same tests as wrong/times.patch",
            "wrong/no-code.patch does not compile",
        ],
    );
}

#[test]
fn a_scaffold_compiles_and_verify_says_what_remains() {
    let fixture = Fixture::new();
    fixture
        .xtask("new 02-second/new-thing")
        .expect(0, &["wrote exercises/02-second/new-thing/src/lib.rs", "SUMMARY.md"]);
    // The fixture has no registry crates.
    for file in ["exercises/02-second/new-thing/Cargo.toml", "solutions/02-second/new-thing/Cargo.toml"] {
        let crates = ["kit.workspace = true", "pretty_assertions.workspace = true", "rand.workspace = true"];
        let text = crates.iter().fold(fixture.read(file), |text, line| text.replace(line, ""));
        fixture.write(file, &text);
    }
    let tests = "exercises/02-second/new-thing/tests/new-thing.rs";
    fixture.write(tests, &fixture.read(tests).replace("    use pretty_assertions::assert_eq;\n", ""));
    let said = fixture.xtask("verify --bless new-thing");
    said.expect(
        1,
        &[
            "stub ✓",
            "solution ✓",
            "0 instead of at least 3",
            "Cargo.toml: 2 lines with TODO",
            "new-thing.md:",
            "02-second.toml: still the scaffold's",
        ],
    );
    fixture.xtask("new 02-second/new-thing").expect(2, &["exists already"]);
    fixture.xtask("new 02-other/thing").expect(2, &["chapter 2 is called 02-second"]);
    fixture.xtask("new 03-third/sum").expect(2, &["the name sum is taken by 01-first/sum"]);
    fixture.xtask("new Thing").expect(2, &["is not an id"]);
}

/// What `cargo mutants` leaves behind: one killed, one that does not compile, one that survived, one in a line of the stub.
#[test]
fn a_mutant_that_survives_is_a_missing_test_unless_its_author_says_why_nobody_notices() {
    let fixture = Fixture::new();
    let outcome = |summary: &str, line: u64, change: &str| {
        let file = "solutions/01-first/sum/src/lib.rs";
        let name = format!("{file}:{line}:5: {change}");
        let mutant = serde_json::json!({"package": "sum-solution", "name": name, "file": file, "span": {"start": {"line": line}}});
        serde_json::json!({"summary": summary, "scenario": {"Mutant": mutant}})
    };
    let report = |outcomes: Vec<serde_json::Value>| {
        let baseline = serde_json::json!({"summary": "Success", "scenario": "Baseline"});
        let outcomes: Vec<_> = [baseline].into_iter().chain(outcomes).collect();
        fixture.write("m/mutants.out/outcomes.json", &serde_json::json!({ "outcomes": outcomes }).to_string());
    };
    let (killed, unviable) =
        (outcome("CaughtMutant", 6, "replace + with -"), outcome("Unviable", 6, "replace add with ()"));
    let given = outcome("MissedMutant", 5, "replace u64 with u64");
    report(vec![killed.clone(), unviable.clone(), given.clone(), outcome("MissedMutant", 6, "replace + with |")]);
    fixture.xtask("mutants sum --from m").expect(
        1,
        &[
            "✗ 01-first/sum",
            "1 killed of 2, 0 equivalent, 1 in given code   50.0 %",
            "no test rejects",
            "replace + with |",
            "a + b",
        ],
    );

    let entry = "[[equivalent]]\nmutant = \"replace + with |\"\nline = \"a + b\"\n";
    fixture.write("solutions/01-first/sum/mutants.toml", entry);
    fixture.xtask("mutants sum --from m").expect(2, &["mutants.toml: an entry has no `why`"]);
    fixture.write("solutions/01-first/sum/mutants.toml", &format!("{entry}why = \"the summands share no bit\"\n"));
    fixture.xtask("mutants sum --from m").expect(0, &["✓ 01-first/sum", "1 killed of 1, 1 equivalent"]);

    report(vec![killed, unviable, given]);
    fixture.xtask("mutants sum --from m").expect(1, &["lists `replace + with |` at `a + b`, which did not survive"]);
}
