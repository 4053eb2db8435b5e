//! `new CH/EX`: the scaffold of an exercise. It compiles, and `verify` says what remains to do.

mod templates;

use std::fs;
use std::path::Path;

use catalog::{Id, Pristine};
use judge::files;

use crate::args::Parsed;
use crate::failure::Failure;
use crate::ui;
use crate::workbook::Workbook;

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let word = parsed.one_word()?;
    let id = Id::parse(word).ok_or_else(|| {
        Failure::with_fix(
            format!("`{word}` is not an id"),
            "write chapter and name in lower case: 05-events/commit-point",
        )
    })?;
    check_free(&workbook, &id)?;
    let root = &workbook.catalog.root;
    let mut written = Vec::new();
    for (path, text) in templates::files(&id) {
        let file = root.join(&path);
        if !file.exists() {
            files::write_atomically(&file, text.as_bytes())?;
            written.push(path);
        }
    }
    if add_to_summary(root, &id)? {
        written.push("book/src/SUMMARY.md".to_owned());
    }
    let dir = root.join("exercises").join(id.as_str());
    files::write_atomically(&Pristine::path(&dir), Pristine::of(&dir)?.to_text().as_bytes())?;
    written.push(format!("exercises/{id}/.pristine"));
    for path in written {
        ui::print(&format!("  wrote {path}\n"));
    }
    ui::print(&format!("\nNext: cargo xtask verify {}   says what remains to do\n", id.name()));
    Ok(true)
}

fn check_free(workbook: &Workbook, id: &Id) -> Result<(), Failure> {
    if workbook.catalog.root.join("exercises").join(id.as_str()).exists() {
        return Err(Failure::with_fix(
            format!("exercises/{id} exists already"),
            format!("cargo xtask verify {}", id.name()),
        ));
    }
    let number = |slug: &str| slug.split('-').next().and_then(|number| number.parse::<u32>().ok());
    for exercise in workbook.catalog.exercises() {
        if exercise.id.name() == id.name() {
            let fix = "choose another: a name is also the name of a package, and those are unique";
            return Err(Failure::with_fix(format!("the name {} is taken by {}", id.name(), exercise.id), fix));
        }
        let other = exercise.id.chapter();
        if other != id.chapter() && number(other) == number(id.chapter()) {
            let fix = format!("cargo xtask new {other}/{}", id.name());
            return Err(Failure::with_fix(
                format!("chapter {} is called {other}", number(other).unwrap_or_default()),
                fix,
            ));
        }
    }
    if ["kit", "catalog", "judge", "xtask", "grader", "book-builder"].contains(&id.name()) {
        return Err(Failure::with_fix(format!("the name {} is taken by a tool", id.name()), "choose another"));
    }
    Ok(())
}

/// Adds the page behind the last one of its chapter. True if it was not there yet.
fn add_to_summary(root: &Path, id: &Id) -> Result<bool, Failure> {
    let file = root.join("book/src/SUMMARY.md");
    let old = fs::read_to_string(&file).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    let new = with_page(&old, id);
    Ok(files::write_if_changed(&file, new.as_bytes())?)
}

fn with_page(summary: &str, id: &Id) -> String {
    if summary.contains(&format!("({id}.md)")) {
        return summary.to_owned();
    }
    let mut lines: Vec<String> = summary.lines().map(str::to_owned).collect();
    let link = |indent: &str| format!("{indent}- [{}]({id}.md)", templates::in_words(id.name()));
    let of_chapter = |line: &String| line.contains(&format!("({}/", id.chapter()));
    match lines.iter().rposition(of_chapter) {
        Some(at) => lines.insert(at + 1, link("  ")),
        None => {
            // A new chapter comes before the first one with a greater number, else behind the last chapter.
            let number = |line: &String| chapter_number(line);
            let own = id.chapter().split('-').next().and_then(|number| number.parse().ok()).unwrap_or(u32::MAX);
            let last = lines.iter().rposition(|line| number(line).is_some()).map_or(lines.len(), |at| at + 1);
            let at = lines.iter().position(|line| number(line).is_some_and(|other| other > own)).unwrap_or(last);
            let heading = format!("- [{}]({}/README.md)", templates::chapter_in_words(id), id.chapter());
            lines.splice(at..at, [heading, link("  ")]);
        }
    }
    lines.join("\n") + "\n"
}

/// The number of the chapter that a line of the table of contents links into.
fn chapter_number(line: &str) -> Option<u32> {
    let (_, target) = line.split_once("](")?;
    target.split_once('/')?.0.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = "# Summary\n\n[Begin](README.md)\n\n- [A](01-a/README.md)\n  - [X](01-a/x.md)\n- [C](09-c/README.md)\n\n[End](end.md)\n";

    #[test]
    fn a_page_is_put_behind_its_chapters_last() {
        let text = with_page(SUMMARY, &Id::new("01-a", "new-page"));
        assert!(text.contains("  - [X](01-a/x.md)\n  - [New page](01-a/new-page.md)\n- [C]"), "{text}");
        assert_eq!(with_page(&text, &Id::new("01-a", "new-page")), text);
    }

    #[test]
    fn a_chapter_is_put_where_its_number_says() {
        let text = with_page(SUMMARY, &Id::new("05-b-side", "y"));
        assert!(text.contains("x.md)\n- [B side](05-b-side/README.md)\n  - [Y](05-b-side/y.md)\n- [C]"), "{text}");
        let text = with_page(SUMMARY, &Id::new("12-z", "y"));
        assert!(text.contains("(09-c/README.md)\n- [Z](12-z/README.md)\n  - [Y](12-z/y.md)\n\n[End]"), "{text}");
    }
}
