//! `{{#map}}`: every chapter and exercise, and what builds on what, from the manifests' `builds_on`.
//!
//! The lines beside the list are a picture for the eye; what they say also stands in words at each exercise. A line is a
//! stretch of border in each row that it passes, so rows may be of any height: on a phone, with large type, on paper.

use super::inline;
use crate::html::{escape, one_line};
use catalog::{Catalog, Chapter, Exercise, Id};
use std::collections::BTreeMap;

/// The map, for a page that lies `depth` folders below the book's root.
pub(super) fn write(catalog: Option<&Catalog>, depth: usize, arguments: &str) -> Result<String, String> {
    if !arguments.is_empty() {
        return Err("{{#map}} takes no argument: it shows the whole book".to_owned());
    }
    let catalog = catalog.ok_or_else(|| "the exercises could not be read; `cargo xtask` says why".to_owned())?;
    let rails = Rails::of(catalog)?;
    let up = "../".repeat(depth);
    let minutes: u32 = catalog.exercises().map(|exercise| exercise.minutes).sum();
    let mut html = format!(
        "<section class=\"map\" aria-label=\"Map of the exercises\"><p class=\"map-summary\" data-map>{} in {}, {}.</p><ol class=\"map-chapters\" style=\"--lanes:{}\">",
        count(catalog.exercises().count(), "exercise"),
        count(catalog.chapters.len(), "chapter"),
        duration(minutes),
        rails.lanes
    );
    let mut row = 0;
    for chapter in &catalog.chapters {
        html.push_str(&chapter_start(chapter, &up, &rails.row(row, None)));
        for exercise in &chapter.exercises {
            html.push_str(&exercise_row(catalog, exercise, &up, &rails.row(row, Some(&exercise.id)))?);
            row += 1;
        }
        html.push_str("</ol></li>");
    }
    html.push_str("</ol></section>");
    Ok(one_line(&html))
}

fn chapter_start(chapter: &Chapter, up: &str, rails: &str) -> String {
    let minutes: u32 = chapter.exercises.iter().map(|exercise| exercise.minutes).sum();
    format!(
        "<li class=\"map-chapter\"><div class=\"map-row\">{rails}<span class=\"map-text\"><a href=\"{up}{}/index.html\">\
         <span class=\"number\">{}</span> {}</a> <span class=\"map-note\">{}, {}</span></span></div><ol>",
        escape(&chapter.slug),
        chapter.number,
        escape(&chapter.title),
        count(chapter.exercises.len(), "exercise"),
        duration(minutes)
    )
}

fn exercise_row(catalog: &Catalog, exercise: &Exercise, up: &str, rails: &str) -> Result<String, String> {
    let mut note = format!("{}\u{a0}min", exercise.minutes);
    let mut before = Vec::new();
    // One that a handout left out is not there to link to.
    for known in exercise.builds_on.iter().filter_map(|id| catalog.get(id)) {
        before.push(format!("<a href=\"{up}{}\">{}</a>", escape(&known.page_url()), inline::phrase(&known.title)?));
    }
    if !before.is_empty() {
        note.push_str(&format!(", builds on {}", before.join(" and ")));
    }
    Ok(format!(
        "<li class=\"map-row\">{rails}<span class=\"state\" data-state=\"{}\"></span><span class=\"map-text\">\
         <a href=\"{up}{}\">{}</a> <span class=\"map-note\">{note}</span></span></li>",
        exercise.id,
        escape(&exercise.page_url()),
        inline::phrase(&exercise.title)?
    ))
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `about 40 min`, `about 3 h`, `about 3½ h`.
fn duration(minutes: u32) -> String {
    let halves = (minutes + 15) / 30;
    match (minutes, halves / 2, halves % 2) {
        // A number and its unit stay on one line.
        (..90, ..) => format!("about {minutes}\u{a0}min"),
        (_, hours, 0) => format!("about {hours}\u{a0}h"),
        (_, hours, _) => format!("about {hours}½\u{a0}h"),
    }
}

/// One line for each exercise that others build on: from its row down to the last of them.
#[derive(Debug, Default)]
struct Rails {
    lines: Vec<Line>,
    lanes: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Line {
    from: Id,
    /// The row of `from` and the rows of those that build on it, in order.
    rows: Vec<usize>,
    /// How many others lie between it and the list.
    lane: usize,
}

impl Rails {
    fn of(catalog: &Catalog) -> Result<Self, String> {
        let row_of: BTreeMap<&Id, usize> = catalog.exercises().enumerate().map(|(row, it)| (&it.id, row)).collect();
        let mut lines: Vec<Line> = Vec::new();
        for exercise in catalog.exercises() {
            let mut rows = vec![row_of[&exercise.id]];
            for after in catalog.exercises().filter(|after| after.builds_on.contains(&exercise.id)) {
                let row = row_of[&after.id];
                if row <= rows[0] {
                    return Err(format!(
                        "exercises/{}/Cargo.toml: builds_on names {}, which comes after it in book/src/SUMMARY.md",
                        after.id, exercise.id
                    ));
                }
                rows.push(row);
            }
            if rows.len() > 1 {
                lines.push(Line { from: exercise.id.clone(), rows, lane: 0 });
            }
        }
        // Short lines lie next to the list, and long ones go around them.
        let mut order: Vec<usize> = (0..lines.len()).collect();
        let ends = |line: &Line| (line.rows[0], line.rows.last().copied().unwrap_or_default());
        order.sort_by_key(|at| (ends(&lines[*at]).1 - ends(&lines[*at]).0, *at));
        for (done, at) in order.iter().enumerate() {
            let (begins, last) = ends(&lines[*at]);
            let is_taken = |lane: usize| {
                let mut others = order[..done].iter().map(|other| &lines[*other]);
                others.any(|other| other.lane == lane && ends(other).0 < last && ends(other).1 > begins)
            };
            lines[*at].lane = (0..).find(|lane| !is_taken(*lane)).unwrap_or_default();
        }
        let lanes = lines.iter().map(|line| line.lane + 1).max().unwrap_or_default();
        Ok(Self { lines, lanes })
    }

    /// The pieces of lines in a row: that of the exercise `id`, or the heading above row `row`.
    fn row(&self, row: usize, id: Option<&Id>) -> String {
        let mut pieces = String::new();
        for Line { from, rows, lane } in &self.lines {
            let (first, last) = (rows[0], rows.last().copied().unwrap_or_default());
            let mut piece = |kind: &str| {
                pieces.push_str(&format!(
                    "<i class=\"rail {kind}\" data-lane=\"{}\" style=\"--lane:{lane}\"></i>",
                    lane % 4
                ));
            };
            match id {
                None if first < row && row <= last => piece("through"),
                Some(id) if id == from => {
                    piece("down");
                    piece("leave");
                }
                Some(_) if rows.contains(&row) => {
                    piece(if row == last { "up" } else { "through" });
                    piece("arrive");
                }
                Some(_) if first < row && row < last => piece("through"),
                _ => {}
            }
        }
        format!("<span class=\"rails\" aria-hidden=\"true\">{pieces}</span>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use std::{fs, path::Path};

    /// Exercises `a` to `d` of one chapter and `e` of the next, with what each builds on.
    fn workbook(root: &Path, builds_on: &[(&str, &[&str])]) -> Catalog {
        let write = |file: String, text: String| {
            let file = root.join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("can be made");
            fs::write(file, text).expect("can be written");
        };
        write("Cargo.toml".into(), "[workspace]\n".into());
        let mut summary = String::new();
        for (id, before) in builds_on {
            summary.push_str(&format!("- [x]({id}.md)\n"));
            let name = id.split('/').next_back().unwrap_or_default();
            write(
                format!("exercises/{id}/Cargo.toml"),
                format!(
                    "[package]\nname = \"{name}\"\n[package.metadata.exercise]\ntitle = \"The `{name}`\"\nsummary = \"Do it.\"\n\
                     difficulty = 1\nminutes = 50\nbuilds_on = {before:?}\n"
                ),
            );
            write(format!("exercises/{id}/src/lib.rs"), String::new());
        }
        write("book/src/SUMMARY.md".into(), summary);
        write("book/src/01-one/README.md".into(), "# One & first\n".into());
        Catalog::read(root).0
    }

    #[test]
    fn a_row_says_in_words_what_its_lines_show() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let catalog = workbook(root.path(), &[("01-one/a", &[]), ("01-one/b", &["01-one/a"])]);
        let html = write(Some(&catalog), 0, "").expect("a map");
        for part in [
            "2 exercises in 1 chapter, about 1½\u{a0}h".to_owned(),
            "<a href=\"01-one/index.html\"><span class=\"number\">1</span> One &amp; first</a>".into(),
            "data-state=\"01-one/b\"></span><span class=\"map-text\"><a href=\"01-one/b.html\">The <code>b</code></a> \
             <span class=\"map-note\">50\u{a0}min, builds on <a href=\"01-one/a.html\">The <code>a</code></a></span>"
                .into(),
        ] {
            assert!(html.contains(&part), "`{part}` is missing from\n{html}");
        }
        assert!(write(Some(&catalog), 2, "").expect("a map").contains("href=\"../../01-one/b.html\""));
        assert!(write(Some(&catalog), 0, "all").is_err());
    }

    #[test]
    fn lines_that_overlap_lie_beside_each_other_and_a_free_lane_is_used_again() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let catalog = workbook(
            root.path(),
            &[
                ("01-one/a", &[]),
                ("01-one/b", &[]),
                ("01-one/c", &["01-one/a"]),
                ("01-one/d", &["01-one/b", "01-one/c"]),
                ("02-two/e", &["01-one/b"]),
            ],
        );
        let rails = Rails::of(&catalog).expect("in order");
        let lanes: Vec<_> =
            rails.lines.iter().map(|line| (line.from.name(), line.rows.as_slice(), line.lane)).collect();
        assert_eq!(lanes, [("a", &[0, 2][..], 0), ("b", &[1, 3, 4], 1), ("c", &[2, 3], 0)]);
        assert_eq!(rails.lanes, 2);
        let kinds = |row: usize, id: Option<&str>| -> Vec<String> {
            let id = id.and_then(Id::parse);
            let html = rails.row(row, id.as_ref());
            html.split("rail ").skip(1).map(|piece| piece.split('"').next().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(kinds(2, Some("01-one/c")), ["up", "arrive", "through", "down", "leave"]);
        assert_eq!(kinds(3, Some("01-one/d")), ["through", "arrive", "up", "arrive"]);
        assert_eq!(kinds(4, None), ["through"], "the line of b passes the second chapter's heading");
    }

    #[test]
    fn an_exercise_cannot_build_on_a_later_one() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let catalog = workbook(root.path(), &[("01-one/a", &["01-one/b"]), ("01-one/b", &[])]);
        let fault = write(Some(&catalog), 0, "").expect_err("the order is wrong");
        assert!(fault.contains("exercises/01-one/a/Cargo.toml") && fault.contains("comes after it"), "{fault}");
    }

    #[test]
    fn a_duration_is_rounded_to_half_hours() {
        assert_eq!(
            [40, 89, 90, 100, 110, 2000].map(duration).join(" "),
            "about 40\u{a0}min about 89\u{a0}min about 1½\u{a0}h about 1½\u{a0}h about 2\u{a0}h about 33½\u{a0}h"
        );
    }
}
