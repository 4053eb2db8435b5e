//! Every format, letter for letter. `BLESS=1 cargo test -p judge --test report` writes the files anew; read the difference.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use catalog::{Catalog, Exercise};
use judge::report::{Format, Report};
use judge::{Outcome, TestVerdict, Verdict};

const MANIFEST: &str = "[package]\nname = \"NAME\"\n[package.metadata.exercise]\ntitle = \"The <NAME> & more\"\nsummary = \"s\"\ndifficulty = 1\nminutes = 5\npoints = { \"stage_2_pause::late\" = 3 }\n";
const TESTS: &str = "mod stage_1_lease {\n    #[test]\n    fn free() {\n        assert!(lease::free());\n    }\n}\nmod stage_2_pause {\n    #[test]\n    fn late() {\n        lease::late();\n    }\n    #[test]\n    fn hangs() {\n        lease::hang();\n    }\n    #[test]\n    fn open() {\n        lease::open();\n    }\n}\n";

fn catalog(root: &Path) -> Catalog {
    for name in ["lease", "torn"] {
        let dir = root.join("exercises/01-first").join(name);
        fs::create_dir_all(dir.join("src")).expect("folders");
        fs::create_dir_all(dir.join("tests")).expect("folders");
        fs::write(dir.join("Cargo.toml"), MANIFEST.replace("NAME", name)).expect("write");
        fs::write(dir.join(format!("tests/{name}.rs")), TESTS).expect("write");
    }
    Catalog::read(root).0
}

fn test(name: &str, outcome: Outcome, message: &str, printed: &str) -> TestVerdict {
    TestVerdict {
        name: name.to_owned(),
        outcome,
        millis: 1_234,
        message: message.to_owned(),
        printed: printed.to_owned(),
    }
}

fn failing(exercise: &Exercise) -> Verdict {
    let late =
        "100% late: `33` < ```34```\ngot       33\n::error::forged\nat exercises/01-first/lease/tests/lease.rs:9:5";
    let tests = vec![
        test("stage_1_lease::free", Outcome::Passed, "", "a word \u{1b}[1m& a tag <b>"),
        test("stage_2_pause::late", Outcome::Failed, late, ""),
        test("stage_2_pause::hangs", Outcome::Timeout, "still running after 10 s, stopped", ""),
        test("stage_2_pause::open", Outcome::Failed, "not yet implemented: open\nat exercises/x/src/lib.rs:1:1", ""),
    ];
    let mut verdict = Verdict::of_tests(exercise, tests);
    verdict.misconception = Some("each key keeps its own | newest token.".to_owned());
    verdict.edited = vec!["tests/lease.rs".to_owned()];
    verdict
}

/// Whether two reports say the same. The order of keys in JSON says nothing, and it depends on what else is in the build:
/// some crate may have serde_json keep the order of insertion.
fn same(name: &str, expected: &str, text: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    expected == text || (name.ends_with(".json") && value(expected).is_some() && value(expected) == value(text))
}

#[test]
fn every_format_is_written_as_it_was_agreed() {
    let dir = tempfile::tempdir().expect("temp dir");
    let catalog = catalog(dir.path());
    let exercises: Vec<&Exercise> = catalog.exercises().collect();
    let error = "error[E0308]: mismatched types\n --> exercises/01-first/torn/src/lib.rs:3:5\n  |\n3 |     \"text\"\n";
    let broken = Verdict::of_errors(exercises[1], vec![error.to_owned()], "error[E0308]: mismatched types");
    let failing = failing(exercises[0]);
    let report = |entries: Vec<_>| Report {
        entries,
        started: UNIX_EPOCH + Duration::from_millis(1_769_903_999_007),
        took: Duration::from_millis(65_432),
    };
    let both = report(vec![(exercises[0], &failing), (exercises[1], &broken)]);
    let one = report(vec![(exercises[0], &failing)]);
    let cases = [
        (&both, Format::Json, "report.json"),
        (&both, Format::Junit, "junit.xml"),
        (&both, Format::Gradescope, "gradescope.json"),
        (&one, Format::Exercism, "exercism.json"),
        (&both, Format::Exercism, "exercism-error.json"),
        (&both, Format::Ctrf, "ctrf.json"),
        (&both, Format::Github, "github.txt"),
        (&both, Format::Markdown, "markdown.md"),
    ];
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut different = Vec::new();
    for (report, format, name) in cases {
        let (file, text) = (golden.join(name), report.render(format));
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(&golden).expect("folder");
            fs::write(&file, &text).expect("write");
        }
        let expected = fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
        if !same(name, &expected, &text) {
            different.push(format!("{}\n{}", file.display(), text));
        }
    }
    assert!(different.is_empty(), "not as in these files:\n{}", different.join("\n"));
}

/// What the platforms' own descriptions demand of the files above, beyond their letters. `ctrf.json` was held against the schema
/// that its authors publish (ctrf-io/ctrf, `schema/ctrf.schema.json` of version 1): it is valid.
#[test]
fn the_files_keep_the_rules_of_their_formats() {
    let golden = |name: &str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        fs::read_to_string(file).expect("reads")
    };
    let json = |name: &str| serde_json::from_str::<serde_json::Value>(&golden(name)).expect("JSON");

    let text = golden("junit.xml");
    let document = roxmltree::Document::parse(&text).expect("well-formed XML");
    let count = |node: roxmltree::Node<'_, '_>, tag: &str| {
        node.descendants().filter(|child| child.has_tag_name(tag)).count().to_string()
    };
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    for node in root.descendants().filter(|node| node.tag_name().name().starts_with("testsuite")) {
        for (attribute, tag) in [("tests", "testcase"), ("failures", "failure"), ("errors", "error")] {
            assert_eq!(node.attribute(attribute), Some(count(node, tag).as_str()), "{attribute} of {node:?}");
        }
    }

    for name in ["exercism.json", "exercism-error.json"] {
        let value = json(name);
        assert_eq!(value["version"], 3);
        let status = value["status"].as_str().expect("a status");
        assert!(["pass", "fail", "error"].contains(&status), "{name}: {status}");
        assert!(status != "error" || value["message"].is_string(), "{name}: an error has a message");
        for test in value["tests"].as_array().into_iter().flatten() {
            assert!(["pass", "fail", "error"].contains(&test["status"].as_str().expect("a status")), "{test}");
            assert!(test["name"].is_string() && test["test_code"].is_string() && test["task_id"].is_u64(), "{test}");
            assert!(test["output"].as_str().is_none_or(|output| output.chars().count() <= 500), "{test}");
        }
    }

    let value = json("gradescope.json");
    let words = ["hidden", "after_due_date", "after_published", "visible"];
    assert!(words.contains(&value["stdout_visibility"].as_str().expect("a word")));
    for test in value["tests"].as_array().expect("tests") {
        let score = |name: &str| test[name].as_f64().expect("a number");
        assert!(score("score") >= 0.0 && score("score") <= score("max_score"), "{test}");
        assert!(["passed", "failed"].contains(&test["status"].as_str().expect("a status")), "{test}");
        assert!(words.contains(&test["visibility"].as_str().expect("a word")), "{test}");
    }
}
