//! One page for the instructor, without a script and without a request: it can be mailed, archived and printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Cell, Class, Student, hardest, misconceptions, short};
use crate::results::{INFRA_ERROR, MISSING, TAMPERED};

const STYLE: &str = include_str!("page.css");

/// How many rows the lists have.
const ROWS: usize = 25;

pub(super) fn page(class: &Class<'_>) -> String {
    let mut text = String::from("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    text += "<meta name=\"viewport\" content=\"width=device-width\">\n";
    text += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n";
    let _ = writeln!(text, "<title>Class report</title>\n<style>\n{STYLE}</style>\n<main>\n<h1>Class report</h1>");
    text += &summary(class);
    text += &needs_a_look(class);
    text += &heat_map(class);
    text += &exercises(class);
    text += &hardest_tests(class);
    text += &common_misconceptions(class);
    text + "</main>\n</html>\n"
}

/// Text that means itself wherever it stands in a page.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

fn name_of(exercise: &catalog::Exercise) -> String {
    escaped(exercise.id.name())
}

fn percent(part: f64) -> String {
    format!("{:.0}", 100.0 * part)
}

fn summary(class: &Class<'_>) -> String {
    let results = class.cells().count();
    let solved = class.cells().filter(|(_, _, cell)| cell.status() == "solved").count();
    let mut parts: Vec<f64> = class
        .students
        .iter()
        .filter(|student| student.possible > 0.0)
        .map(|student| student.points / student.possible)
        .collect();
    parts.sort_by(f64::total_cmp);
    let median = parts.get(parts.len() / 2).copied().unwrap_or_default();
    let mut levels: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, _, cell) in class.cells() {
        *levels.entry(cell.value["containment"]["level"].as_str().unwrap_or("unknown")).or_default() += 1;
    }
    let levels: Vec<String> = levels.iter().map(|(level, count)| format!("{} ({count})", escaped(level))).collect();
    format!(
        "<p>{} students, {} exercises, {results} results, {solved} of them solved. The median student has {} % of the points. Containment: {}.</p>\n",
        class.students.len(),
        class.exercises.len(),
        percent(median),
        levels.join(", ")
    )
}

/// What a person should see before the grades go out: a line for a student and a reason, and the first lines at once.
fn needs_a_look(class: &Class<'_>) -> String {
    const FIRST: usize = 15;
    let mut rows: Vec<(&str, Vec<String>, String)> = Vec::new();
    let mut add = |student, exercise: String, what: String| match rows
        .iter_mut()
        .find(|(name, _, said)| *name == student && *said == what)
    {
        Some((_, exercises, _)) => exercises.push(exercise),
        None => rows.push((student, vec![exercise], what)),
    };
    for (student, exercise, cell) in class.cells() {
        let why = cell.value["why"].as_str().unwrap_or_default();
        let what = match cell.status() {
            INFRA_ERROR => format!("not judged, by a fault of the grader's machine: {why}"),
            TAMPERED => format!("not to be believed: it {why}"),
            _ => continue,
        };
        add(student.name, name_of(exercise), what);
    }
    for (student, exercise, cell) in class.cells() {
        for what in cell.value["odd"].as_array().into_iter().flatten().filter_map(|what| what.as_str()) {
            add(student.name, name_of(exercise), format!("odd: {what}"));
        }
    }
    for (student, exercise, cell) in class.cells() {
        for what in cell.value["refused"].as_array().into_iter().flatten().filter_map(|what| what.as_str()) {
            add(student.name, name_of(exercise), format!("not taken: {what}"));
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let table = |rows: &[(&str, Vec<String>, String)]| {
        let mut text = "<div class=\"wide\"><table>\n<thead><tr><th>student<th>exercise<th>what\n<tbody>\n".to_owned();
        for (student, exercises, what) in rows {
            let more = if exercises.len() > 5 { format!(", and {} more", exercises.len() - 5) } else { String::new() };
            let exercises = exercises.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "<tr><td>{}<td>{exercises}{more}<td>{}", escaped(student), escaped(what));
        }
        text + "</table></div>\n"
    };
    let (first, rest) = rows.split_at(rows.len().min(FIRST));
    let mut text = format!("<h2>Needs a look</h2>\n{}", table(first));
    if !rest.is_empty() {
        let _ = write!(text, "<details><summary>{} more</summary>\n{}</details>\n", rest.len(), table(rest));
    }
    text
}

/// Rows are students, columns exercises. The number is the percentage of the points, so that colour is never all there is.
fn heat_map(class: &Class<'_>) -> String {
    let mut text = "<h2>Students and exercises</h2>\n<p>The percentage of an exercise's points, before lateness. <b>—</b> nothing handed in, <b>E</b> does not compile, <b>?</b> not judged, <b>!</b> not to be believed; <s>struck out</s>: dropped, <b>*</b> late.</p>\n<div class=\"wide\"><table class=\"map\">\n<thead><tr><th>student<th>%<th>points<th>of".to_owned();
    for exercise in &class.exercises {
        let _ = write!(
            text,
            "<th class=\"turned\" title=\"{}\"><span>{}</span>",
            escaped(exercise.id.as_str()),
            name_of(exercise)
        );
    }
    text += "\n<tbody>\n";
    let mut students: Vec<&Student<'_>> = class.students.iter().collect();
    let part = |student: &Student<'_>| if student.possible > 0.0 { student.points / student.possible } else { 0.0 };
    students.sort_by(|left, right| part(right).total_cmp(&part(left)).then(left.name.cmp(right.name)));
    for student in students {
        let open = if student.not_judged > 0 { " ?" } else { "" };
        let _ = write!(
            text,
            "<tr><th scope=\"row\">{}<td class=\"n\">{}<td class=\"n\">{}{open}<td class=\"n\">{}",
            escaped(student.name),
            percent(part(student)),
            short(student.points),
            short(student.possible)
        );
        for (exercise, cell) in class.exercises.iter().zip(&student.cells) {
            text += &map_cell(exercise, cell.as_ref());
        }
        text.push('\n');
    }
    text + "</table></div>\n"
}

fn map_cell(exercise: &catalog::Exercise, cell: Option<&Cell<'_>>) -> String {
    let Some(cell) = cell else { return "<td>".to_owned() };
    let (class, shown) = match (cell.status(), cell.part()) {
        (MISSING, _) => ("none".to_owned(), "—".to_owned()),
        ("build-error", _) => ("none".to_owned(), "E".to_owned()),
        (TAMPERED, _) => ("odd".to_owned(), "!".to_owned()),
        (_, None) => ("odd".to_owned(), "?".to_owned()),
        // Five steps; only what is complete has the last.
        (_, Some(part)) => (format!("p{}", (part * 4.0).floor()), percent(part)),
    };
    let late = if cell.share < 1.0 { "*" } else { "" };
    let shown = if cell.counts { shown } else { format!("<s>{shown}</s>") };
    let misconception = cell.value["misconception"].as_str().map_or_else(String::new, |claim| format!(": {claim}"));
    let points = cell.earned.map_or_else(|| "?".to_owned(), |earned| earned.to_string());
    let title = format!("{}, {points} of {} points{misconception}", exercise.id, cell.possible);
    format!("<td class=\"{class}\" title=\"{}\">{shown}{late}", escaped(&title))
}

fn exercises(class: &Class<'_>) -> String {
    let mut text = "<h2>Exercises</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>exercise<th>handed in<th>solved<th>do not compile<th>mean %\n<tbody>\n".to_owned();
    for (at, exercise) in class.exercises.iter().enumerate() {
        let cells: Vec<&Cell<'_>> = class.students.iter().filter_map(|student| student.cells[at].as_ref()).collect();
        let with = |status: &str| cells.iter().filter(|cell| cell.status() == status).count();
        let parts: Vec<f64> =
            cells.iter().filter(|cell| cell.status() != MISSING).filter_map(|cell| cell.part()).collect();
        let mean =
            if parts.is_empty() { "".to_owned() } else { percent(parts.iter().sum::<f64>() / parts.len() as f64) };
        let _ = writeln!(
            text,
            "<tr><td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{mean}",
            escaped(exercise.id.as_str()),
            cells.len() - with(MISSING),
            with("solved"),
            with("build-error"),
        );
    }
    text + "</table></div>\n"
}

fn hardest_tests(class: &Class<'_>) -> String {
    let tests = hardest(class);
    let failed = || tests.iter().filter(|(_, _, passed, tried)| passed < tried);
    if failed().next().is_none() {
        return String::new();
    }
    let mut text = "<h2>Hardest tests</h2>\n<p>Of those whose work compiles and was begun, how many passed.</p>\n<div class=\"wide\"><table>\n<thead><tr><th>exercise<th>test<th>passed<th>of\n<tbody>\n".to_owned();
    for (exercise, name, passed, tried) in failed().take(ROWS) {
        let (exercise, name) = (name_of(exercise), escaped(name));
        let _ =
            writeln!(text, "<tr><td>{exercise}<td><code>{name}</code><td class=\"n\">{passed}<td class=\"n\">{tried}");
    }
    text + "</table></div>\n"
}

fn common_misconceptions(class: &Class<'_>) -> String {
    let found = misconceptions(class);
    if found.is_empty() {
        return String::new();
    }
    let mut text = "<h2>Commonest misconceptions</h2>\n<p>Recognised by which tests fail: a reason to ask, not a finding.</p>\n<div class=\"wide\"><table>\n<thead><tr><th>students<th>exercise<th>what is believed<th>by\n<tbody>\n".to_owned();
    for ((claim, exercise), students) in found.iter().take(ROWS) {
        let more = if students.len() > 5 { format!(", and {} more", students.len() - 5) } else { String::new() };
        let names = students.iter().take(5).map(|name| escaped(name)).collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            text,
            "<tr><td class=\"n\">{}<td>{}<td>{}<td>{names}{more}",
            students.len(),
            name_of(exercise),
            escaped(claim)
        );
    }
    text + "</table></div>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_and_no_markup() {
        assert_eq!(
            escaped("<script>alert('x')</script>&\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"
        );
    }
}
