//! A small workbook, built whole: what a page's source becomes in the reader's browser.

use book_builder::{Project, check::Built, epub, preprocess, site};
use std::{fs, path::Path};

const PAGE: &str = "# B\n\n> [!predict]\n> Why?\n>\n> ---\n> Because $x^2$.\n\n## Your task\n\n{{#exercise}}\n\n```rust\n\
                    {{#include ../../../exercises/01-a/b/src/lib.rs:b}}\n```\n\nBack to [the chapter](README.md).\n";

fn write(root: &Path, file: &str, text: &str) {
    let file = root.join(file);
    fs::create_dir_all(file.parent().expect("a folder")).expect("can be made");
    fs::write(file, text).expect("can be written");
}

fn copy(from: &Path, to: &Path) {
    for file in site::files(from).expect("can be read") {
        let target = to.join(file.strip_prefix(from).expect("lies below"));
        fs::create_dir_all(target.parent().expect("a folder")).expect("can be made");
        fs::copy(&file, target).expect("can be copied");
    }
}

/// A workbook of one exercise, with this book's own configuration and theme.
fn workbook(root: &Path) -> Project {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    copy(&book.join("theme"), &root.join("book/theme"));
    fs::copy(book.join("book.toml"), root.join("book/book.toml")).expect("can be copied");
    write(root, "Cargo.toml", "[workspace]\n");
    write(root, "book/src/SUMMARY.md", "[Begin](README.md)\n\n- [A](01-a/README.md)\n  - [B](01-a/b.md)\n");
    write(root, "book/src/README.md", "# Begin\n");
    write(root, "book/src/01-a/README.md", "# A\n");
    write(root, "book/src/01-a/b.md", PAGE);
    let manifest = "[package]\nname = \"b\"\n[package.metadata.exercise]\ntitle = \"Do `b`\"\nsummary = \"The sum.\"\ndifficulty = 1\nminutes = 10\n";
    write(root, "exercises/01-a/b/Cargo.toml", manifest);
    write(root, "exercises/01-a/b/src/lib.rs", "// ANCHOR: b\npub fn b() { todo!() }\n// ANCHOR_END: b\n");
    write(root, "exercises/01-a/b/hints.md", "## 1\nfirst $n$\n\n## 2\nsecond\n\n## 3\nthird\n");
    write(
        root,
        "exercises/01-a/b/tests/b.rs",
        "mod stage_1_the_start {\n    /// It begins.\n    #[test]\n    fn it_begins() {}\n}\n",
    );
    Project { root: root.to_owned(), target: root.join("target") }
}

fn page<'a>(built: &'a Built, path: &str) -> &'a str {
    &built.pages.iter().find(|page| page.path == path).unwrap_or_else(|| panic!("no page {path}")).html
}

#[test]
fn a_page_arrives_with_its_card_its_code_and_the_contents() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let project = workbook(root.path());
    let out = project.default_out();
    site::build(&project, &out).expect("the workbook is sound");
    site::build(&project, &out).expect("a book replaces the one before");
    let built = Built::read(&project, &out).expect("the pages can be read");
    let html = page(&built, "01-a/b.html");
    for part in [
        "<p class=\"exercise-title\">Do <code>b</code></p>",
        "<code>cargo xtask check b</code>",
        "Stage 1: the start",
        "data-test=\"stage_1_the_start::it_begins\"",
        "It begins.",
        "<summary>Hint 3</summary>",
        "first <math><mi>n</mi></math>",
        "<span class=\"k\">pub</span>",
        "Because <math><msup>",
        "</details></div>",
        "href=\"index.html\">the chapter</a>",
        "aria-current=\"page\"><span class=\"state\" data-state=\"01-a/b\">",
        "<a href=\"#your-task\">Your task</a>",
    ] {
        assert!(html.contains(part), "`{part}` is missing from\n{html}");
    }
    assert!(!html.contains("ANCHOR") && !html.contains("{{#"), "{html}");
    assert!(page(&built, "index.html").contains("href=\"01-a/b.html\""));
    let names: Vec<_> = site::files(&out).expect("can be read").iter().map(|file| file.display().to_string()).collect();
    assert!(
        !names
            .iter()
            .any(|name| name.contains("highlight") || name.contains("open-sans") || name.contains("clipboard")),
        "{names:?}"
    );
    assert!(names.iter().any(|name| name.contains("searchindex")), "{names:?}");
}

#[test]
fn a_fault_names_file_and_line_and_leaves_the_last_book_in_place() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let project = workbook(root.path());
    let out = project.default_out();
    site::build(&project, &out).expect("the workbook is sound");
    write(root.path(), "book/src/01-a/b.md", &PAGE.replace("lib.rs:b}}", "lib.rs:gone}}").replace("x^2", "\\frac{1}"));
    let error = format!("{:#}", site::build(&project, &out).expect_err("two faults"));
    assert!(error.contains("book/src/01-a/b.md:7: the formula"), "{error}");
    assert!(error.contains("book/src/01-a/b.md:14: ") && error.contains("no `// ANCHOR: gone`"), "{error}");
    assert!(out.join("01-a/b.html").exists(), "the last good book is still there");
}

#[test]
fn the_command_speaks_mdbooks_protocol() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let project = workbook(root.path());
    let context = format!(
        r#"[{{"root":{:?},"config":{{"book":{{"src":"src"}}}},"renderer":"epub","mdbook_version":"0.5.4"}},
            {{"items":[{{"Chapter":{{"name":"B","content":{:?},"number":null,"sub_items":[],"path":"01-a/b.md","source_path":"01-a/b.md","parent_names":[]}}}}]}}]"#,
        project.book(),
        PAGE
    );
    let mut answer = Vec::new();
    preprocess::command(project.root, context.as_bytes(), &mut answer).expect("a sound page");
    let answer = String::from_utf8(answer).expect("JSON is text");
    assert!(answer.contains("exercise-title") && answer.contains("<math>"), "{answer}");
    assert!(answer.contains("{{#include"), "includes are the next preprocessor's: {answer}");
}

#[test]
fn the_solution_is_folded_on_the_page_and_not_on_paper_nor_for_a_class() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let project = workbook(root.path());
    let quoting = format!("{PAGE}\n```rust\n{{{{#include ../../../solutions/01-a/b/src/lib.rs:b}}}}\n```\n");
    write(root.path(), "book/src/01-a/b.md", &quoting);
    write(
        root.path(),
        "solutions/01-a/b/src/lib.rs",
        "// ANCHOR: b\npub fn b() -> u8 {\n    ANSWER\n}\n// ANCHOR_END: b\n",
    );
    let out = project.default_out();
    site::build(&project, &out).expect("the workbook is sound");
    let built = Built::read(&project, &out).expect("the pages can be read");
    let html = page(&built, "01-a/b.html");
    let folded = html.split("<details class=\"solution\">").nth(1).expect("the solution is on the page");
    let folded = &folded[..folded.find("</details>").expect("it ends")];
    assert!(folded.contains("<code>solutions/01-a/b/src/lib.rs</code>") && folded.contains("ANSWER"), "{folded}");
    assert!(!folded.contains("ANCHOR"), "{folded}");
    let paper = page(&built, "print.html");
    assert_eq!(paper.matches("ANSWER").count(), 1, "the page quotes it once, and the card has no fold on paper");
    assert!(!paper.contains("data-solution"));

    let options = site::Options { solutions: site::Solutions::Absent, ..site::Options::default() };
    site::build_with(&project, &out, &options).expect("the workbook is sound");
    let built = Built::read(&project, &out).expect("the pages can be read");
    let html = page(&built, "01-a/b.html");
    assert!(!html.contains("class=\"solution\"") && !html.contains("ANSWER"), "{html}");
    assert!(html.contains("quotes the reference solution"), "{html}");
}

#[test]
fn a_wrong_answer_is_found_by_what_is_believed() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let project = workbook(root.path());
    let page = format!("{PAGE}\n## What can go wrong\n\n**Is `b` free?** No.\n");
    write(root.path(), "book/src/01-a/b.md", &page);
    write(
        root.path(),
        "solutions/01-a/b/wrong/free.patch",
        "Misconception: the `zebra` costs nothing\nIn production: the bill\nFails: stage_1_the_start::it_begins\n--- a/src/lib.rs\n",
    );
    let out = project.default_out();
    site::build(&project, &out).expect("the workbook is sound");
    let entries = site::search::read(&out).expect("an index");
    let expected = ("01-a/b.html#what-can-go-wrong".to_owned(), "the zebra costs nothing".to_owned());
    assert!(entries.contains(&expected), "{entries:?}");
    let built = Built::read(&project, &out).expect("the pages can be read");
    let script =
        site::files(&out).expect("can be read").into_iter().find(|file| file.to_string_lossy().contains("searchindex"));
    let name = script.as_ref().and_then(|file| file.file_name()).expect("an index").to_string_lossy();
    assert!(built.pages.iter().all(|page| page.html.contains(&*name)), "every page names the new index");
}

#[test]
fn the_page_for_a_wrong_address_knows_where_the_book_is_served() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let project = workbook(root.path());
    let out = project.default_out();
    let options = site::Options { site_url: Some("workbook".to_owned()), ..site::Options::default() };
    site::build_with(&project, &out, &options).expect("the workbook is sound");
    let built = Built::read(&project, &out).expect("the pages can be read");
    let html = page(&built, "404.html");
    assert!(html.contains("href=\"/workbook/01-a/b.html\"") && !html.contains("<base"), "{html}");
}

#[test]
fn the_book_becomes_a_sound_epub() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let project = workbook(root.path());
    let file = root.path().join("out/book.epub");
    let bytes = epub::write(&project, &file).expect("the workbook is sound");
    let epub = fs::read(&file).expect("it was written");
    assert_eq!(epub.len() as u64, bytes);
    assert_eq!(epub::faults(&epub), Vec::<String>::new());
}
