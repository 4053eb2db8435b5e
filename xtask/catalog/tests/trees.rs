//! Reads small trees, whole and broken.

use std::fs;
use std::path::Path;
use std::time::Duration;

use catalog::{Catalog, Id, Pristine, Shared};

const HINTS: &str = "## 1\nAsk.\n## 2\nThink.\n## 3\nWrite.\n";
const WRONG: &str = "Misconception: m\nIn production: p\nFails: stage_1_x::a\n--- a/src/lib.rs\n+++ b/src/lib.rs\n";

fn write(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().expect("has a parent")).expect("folders");
    fs::write(file, text).expect("write");
}

fn exercise(root: &Path, id: &str) {
    let (chapter, name) = id.split_once('/').expect("an id");
    let metadata = "title = \"T\"\nsummary = \"S\"\ndifficulty = 1\nminutes = 5";
    write(
        root,
        &format!("exercises/{id}/Cargo.toml"),
        &format!("[package]\nname = \"{name}\"\n[package.metadata.exercise]\n{metadata}\n"),
    );
    write(root, &format!("exercises/{id}/src/lib.rs"), "pub fn f() { todo!() }");
    write(root, &format!("exercises/{id}/tests/{name}.rs"), "mod stage_1_x { /// Why.\n #[test] fn a() {} }");
    write(root, &format!("exercises/{id}/hints.md"), HINTS);
    write(root, &format!("solutions/{id}/src/lib.rs"), "pub fn f() {}");
    write(root, &format!("solutions/{id}/wrong/believed.patch"), WRONG);
    write(root, &format!("book/src/{chapter}/README.md"), "# The chapter\n");
    write(root, &format!("book/src/{id}.md"), "# The page\n");
}

fn workbook() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temp dir");
    let root = dir.path();
    write(root, "Cargo.toml", "[workspace]");
    write(root, "exercises/kit/src/lib.rs", "");
    for id in ["10-late/z-last", "01-early/b-first", "01-early/a-second"] {
        exercise(root, id);
    }
    write(
        root,
        "book/src/SUMMARY.md",
        "- [x](01-early/b-first.md)\n- [x](01-early/a-second.md)\n- [x](10-late/z-last.md)\n",
    );
    dir
}

fn problems(root: &Path) -> Vec<String> {
    let (_, problems) = Catalog::read(root);
    problems
        .0
        .iter()
        .map(|problem| format!("{}: {}", problem.file.strip_prefix(root).expect("inside").display(), problem.what))
        .collect()
}

#[test]
fn a_whole_tree_is_read_in_book_order() {
    let dir = workbook();
    let catalog = Catalog::load(dir.path()).expect("whole");
    let ids: Vec<_> = catalog.exercises().map(|exercise| exercise.id.to_string()).collect();
    assert_eq!(ids, ["01-early/b-first", "01-early/a-second", "10-late/z-last"]);
    assert_eq!(catalog.chapters[0].title, "The chapter");
    assert_eq!(catalog.position(&Id::new("10-late", "z-last")), Some(2));
    let first = catalog.exercises().next().expect("three");
    assert_eq!(first.deadline, Duration::from_secs(10));
    assert_eq!(first.hints, ["Ask.", "Think.", "Write."]);
    assert_eq!(first.misconceptions[0].slug, "believed");
    assert_eq!(first.tests()[0].full(), "stage_1_x::a");
    assert_eq!(first.stages()[0].1[0].doc, "Why.");
    assert_eq!(first.page_url(), "01-early/b-first.html");
}

#[test]
fn what_is_missing_is_named_and_the_rest_is_still_read() {
    let dir = workbook();
    let root = dir.path();
    for gone in [
        "exercises/01-early/b-first/hints.md",
        "solutions/01-early/b-first/src/lib.rs",
        "book/src/01-early/b-first.md",
        "book/src/10-late/README.md",
    ] {
        fs::remove_file(root.join(gone)).expect("was there");
    }
    write(root, "exercises/01-early/a-second/Cargo.toml", "[package");
    write(root, "book/src/SUMMARY.md", "- [x](01-early/b-first.md)\n");
    let found = problems(root);
    for (file, what) in [
        ("exercises/01-early/a-second/Cargo.toml", "is not valid TOML"),
        ("exercises/01-early/b-first/hints.md", ""),
        ("solutions/01-early/b-first/src/lib.rs", "has no solution"),
        ("book/src/01-early/b-first.md", "no page"),
        ("book/src/10-late/README.md", "introduction"),
        ("book/src/SUMMARY.md", "table of contents"),
    ] {
        assert!(
            found.iter().any(|problem| problem.starts_with(file) && problem.contains(what)),
            "{file} {what}: {found:#?}"
        );
    }
    let (catalog, _) = Catalog::read(root);
    assert_eq!(catalog.exercises().count(), 2, "all but the one with a broken manifest");
    assert!(Catalog::load(root).is_err());
}

#[test]
fn a_handout_without_any_solution_is_whole() {
    let dir = workbook();
    for id in ["10-late/z-last", "01-early/b-first", "01-early/a-second"] {
        fs::remove_dir_all(dir.path().join("solutions").join(id).join("src")).expect("was there");
    }
    let catalog = Catalog::load(dir.path()).expect("whole");
    assert!(catalog.is_handout());
}

#[test]
fn two_exercises_of_one_name_are_refused() {
    let dir = workbook();
    exercise(dir.path(), "10-late/b-first");
    assert!(
        problems(dir.path()).iter().any(|problem| problem.contains("the name b-first is taken by 01-early/b-first"))
    );
}

#[test]
fn a_person_may_name_an_exercise_in_many_ways() {
    let dir = workbook();
    let (catalog, _) = Catalog::read(dir.path());
    let select = |word: &str| {
        catalog.select(word).map(|found| found.iter().map(|exercise| exercise.id.name().to_owned()).collect::<Vec<_>>())
    };
    let root = dir.path().display();
    for word in [
        "z-last".to_owned(),
        "10-late/z-last".to_owned(),
        "10-late".to_owned(),
        "late".to_owned(),
        "10".to_owned(),
        "exercises/10-late/z-last/src/lib.rs".to_owned(),
        "solutions/10-late/".to_owned(),
        "book/src/10-late/z-last.md".to_owned(),
        format!("{root}/exercises/10-late/z-last"),
    ] {
        assert_eq!(select(&word), Ok(vec!["z-last".to_owned()]), "{word}");
    }
    assert_eq!(select("1").map(|found| found.len()), Ok(2));
    let error = catalog.select("z-lsat").expect_err("a slip");
    assert_eq!(error.to_string(), "there is no exercise or chapter `z-lsat`; did you mean `z-last`?");
    assert_eq!(catalog.select("exercises/kit").expect_err("no exercise").nearest, None);
}

#[test]
fn the_root_is_found_from_inside() {
    let dir = workbook();
    let inside = dir.path().join("exercises/01-early/b-first/src");
    assert_eq!(Catalog::find_root(&inside), Some(dir.path().to_path_buf()));
}

#[test]
fn a_fingerprint_changes_with_sources_and_kit_only() {
    let dir = workbook();
    let root = dir.path();
    let (catalog, _) = Catalog::read(root);
    let one = catalog.exercises().next().expect("three");
    let before = catalog.fingerprint(one);
    assert_eq!(before, one.fingerprint(Shared::read(root)));
    write(root, "exercises/01-early/b-first/hints.md", "changed");
    assert_eq!(catalog.fingerprint(one), before, "a hint decides no verdict");
    write(root, "exercises/01-early/b-first/src/lib.rs", "changed");
    let edited = catalog.fingerprint(one);
    assert_ne!(edited, before);
    write(root, "exercises/kit/src/lib.rs", "changed");
    assert_ne!(catalog.fingerprint(one), edited);
}

#[test]
fn an_untouched_exercise_equals_its_pristine_list() {
    let dir = workbook();
    let (catalog, _) = Catalog::read(dir.path());
    let one = catalog.exercises().next().expect("three");
    let now = Pristine::of(&one.dir()).expect("readable");
    assert_eq!(now.files.len(), 4);
    assert_eq!(Pristine::read(&one.dir()), None);
}
