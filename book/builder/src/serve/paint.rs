//! The reader's progress, written into a page as it is handed out: what the page's script paints when there is one.

use crate::html::escape;
use serde_json::Value;

/// `html` with the marks of all exercises, the card and the map's first line as `progress` (see [`crate::progress::of`]) has them.
///
/// What `progress` does not know stays as it is.
pub(super) fn paint(html: &str, progress: &Value) -> String {
    let mut html = html.to_owned();
    let Some(exercises) = progress["exercises"].as_object() else { return html };
    for (id, exercise) in exercises {
        let Some((status, words)) = exercise["status"].as_str().and_then(|status| Some((status, words(status)?)))
        else {
            continue;
        };
        let mark = format!("data-state=\"{id}\"");
        html = html.replace(&mark, &format!("{mark} data-status=\"{status}\" role=\"img\" aria-label=\"{words}\""));
        let card = format!("data-progress=\"{id}\"");
        if html.contains(&card) {
            html = html.replace(&card, &format!("{card} data-status=\"{status}\""));
            html = with_text(&html, "class=\"progress-text\"", &sentence(exercise, status, words));
            for (test, outcome) in exercise["tests"].as_object().into_iter().flatten() {
                let test = format!("data-test=\"{test}\"");
                let outcome = outcome.as_str().unwrap_or_default();
                html = html.replace(&test, &format!("{test} data-status=\"{outcome}\""));
            }
        }
    }
    if exercises.is_empty() {
        return html;
    }
    let solved = exercises.values().filter(|exercise| exercise["status"] == "solved").count();
    with_text(&html, "class=\"map-summary\"", &format!("You have solved {solved} of {} exercises.", exercises.len()))
}

/// The words of `theme/js/workbook.js`.
fn words(status: &str) -> Option<&'static str> {
    Some(match status {
        "solved" => "Solved",
        "failing" => "Not yet",
        "build-error" => "Does not compile",
        "changed" => "Edited, not checked",
        "untouched" => "Not started",
        _ => return None,
    })
}

fn sentence(exercise: &Value, status: &str, words: &str) -> String {
    let mut text = words.to_owned();
    if matches!(status, "solved" | "failing") {
        text += &format!(": {} of {} tests pass", exercise["passed"], exercise["total"]);
    }
    if let Some(belief) = exercise["misconception"].as_str() {
        text += &format!(". Exactly these tests fail when one believes: {}. Is that it?", escape(belief));
    }
    text
}

/// `html` with `text` in the paragraph that has `attribute`.
fn with_text(html: &str, attribute: &str, text: &str) -> String {
    let found = html.find(attribute).and_then(|at| {
        let begin = at + html[at..].find('>')? + 1;
        let end = begin + html[begin..].find("</p>")?;
        Some((begin, end))
    });
    match found {
        Some((begin, end)) => format!("{}{text}{}", &html[..begin], &html[end..]),
        None => html.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use serde_json::json;

    const CARD: &str = "<div class=\"progress\" data-progress=\"01-a/b\">\n<p class=\"progress-text\">Ask <code>start</code>.</p>\n</div>\
                        <li data-test=\"stage_1_x::one\">one</li>";

    #[test]
    fn marks_and_card_say_what_the_verdict_said() {
        let page = format!("<span class=\"state\" data-state=\"01-a/b\"></span>{CARD}");
        let progress = json!({ "exercises": { "01-a/b": { "status": "failing", "passed": 1, "total": 2, "misconception": "a < b",
            "tests": { "stage_1_x::one": "passed" } } } });
        assert_eq!(
            paint(&page, &progress),
            "<span class=\"state\" data-state=\"01-a/b\" data-status=\"failing\" role=\"img\" aria-label=\"Not yet\"></span>\
             <div class=\"progress\" data-progress=\"01-a/b\" data-status=\"failing\">\n<p class=\"progress-text\">Not yet: 1 of 2 tests pass. \
             Exactly these tests fail when one believes: a &lt; b. Is that it?</p>\n</div>\
             <li data-test=\"stage_1_x::one\" data-status=\"passed\">one</li>"
        );
    }

    #[test]
    fn the_map_counts_and_what_is_not_known_is_not_painted() {
        let page = format!("<p class=\"map-summary\" data-map=\"\">2 exercises.</p>{CARD}");
        let exercises = json!({ "01-a/a": { "status": "solved" }, "01-a/c": { "status": "untouched" } });
        let painted = paint(&page, &json!({ "exercises": exercises }));
        assert_eq!(painted, page.replace("2 exercises.", "You have solved 1 of 2 exercises."));
        assert_eq!(paint(&page, &Value::Null), page);
    }
}
