//! `{{#exercise}}`: the card of the page's exercise, generated from its manifest, tests and hints.

use super::inline;
use crate::html::{escape, one_line};
use catalog::{Catalog, Exercise, Id, TestName};

/// The card of the exercise `id`.
pub(super) fn write(catalog: Option<&Catalog>, id: Option<&Id>, arguments: &str) -> Result<String, String> {
    if !arguments.is_empty() {
        return Err("{{#exercise}} takes no argument: it shows the exercise of its own page".to_owned());
    }
    let Some(id) = id else {
        return Err("{{#exercise}} belongs on an exercise's page, book/src/CHAPTER/EXERCISE.md".to_owned());
    };
    let catalog = catalog.ok_or_else(|| "the exercises could not be read; `cargo xtask` says why".to_owned())?;
    let exercise = catalog.get(id).ok_or_else(|| {
        format!("there is no exercise at exercises/{id}, or its Cargo.toml cannot be read; `cargo xtask` says why")
    })?;
    card(catalog, exercise).map(|html| one_line(&html))
}

fn card(catalog: &Catalog, exercise: &Exercise) -> Result<String, String> {
    let id = exercise.id.to_string();
    let title = inline::phrase(&exercise.title)?;
    let summary = inline::phrase(&exercise.summary)?;
    let name = exercise.id.name();
    let mut html = format!(
        "<section class=\"exercise\" id=\"exercise-{name}\" aria-label=\"Exercise\" data-exercise=\"{id}\">\
         <p class=\"box-title\">Exercise</p><p class=\"exercise-title\">{title}</p><p>{summary}</p>"
    );
    html.push_str(&facts(catalog, exercise)?);
    html.push_str(&format!(
        "<div class=\"progress\" data-progress=\"{id}\"><p class=\"progress-text\">This page shows your progress when \
         <code>cargo xtask start</code> serves it.</p></div>"
    ));
    let stages = exercise.stages();
    for (number, (stage, tests)) in stages.iter().enumerate() {
        html.push_str(&stage_list(number, stages.len(), stage, tests)?);
    }
    if !exercise.hints.is_empty() {
        html.push_str("<div class=\"hints\">");
        for (number, hint) in exercise.hints.iter().enumerate() {
            let (number, hint) = (number + 1, inline::render(hint)?);
            html.push_str(&format!("<details class=\"hint\"><summary>Hint {number}</summary>{hint}</details>"));
        }
        html.push_str("</div>");
    }
    // Filled after mdBook has made the index for search, which has no use for listings.
    html.push_str(&format!("<div class=\"solution\" data-solution=\"{id}\"></div></section>"));
    Ok(html)
}

fn facts(catalog: &Catalog, exercise: &Exercise) -> Result<String, String> {
    let name = exercise.id.name();
    let level = match exercise.difficulty {
        1 => "warm-up",
        2 => "medium",
        _ => "demanding",
    };
    let minutes = exercise.minutes;
    let id = &exercise.id;
    let mut html = format!(
        "<dl class=\"facts\"><div><dt>Difficulty</dt><dd>{} of 3, {level}</dd></div>\
         <div><dt>Time</dt><dd>about {minutes} min</dd></div>\
         <div><dt>Your file</dt><dd><code>exercises/{id}/src/lib.rs</code></dd></div>\
         <div><dt>Check</dt><dd><code>cargo xtask check {name}</code></dd></div>",
        exercise.difficulty
    );
    if !exercise.builds_on.is_empty() {
        let mut links = Vec::new();
        for before in &exercise.builds_on {
            let known = catalog.get(before).ok_or_else(|| {
                format!("exercises/{id}/Cargo.toml: builds_on names `{before}`, which is no exercise")
            })?;
            links.push(format!("<a href=\"../{}\">{}</a>", escape(&known.page_url()), inline::phrase(&known.title)?));
        }
        html.push_str(&format!("<div><dt>Builds on</dt><dd>{}</dd></div>", links.join(", ")));
    }
    html.push_str("</dl>");
    Ok(html)
}

fn stage_list(index: usize, stages: usize, stage: &str, tests: &[TestName]) -> Result<String, String> {
    let label = match stage_name(stage) {
        Some((number, words)) => format!("Stage {number}: {words}"),
        None if stages == 1 => "Tests".to_owned(),
        None => "Further tests".to_owned(),
    };
    let count = match tests.len() {
        1 => "1 test".to_owned(),
        n => format!("{n} tests"),
    };
    let open = if index == 0 { " open" } else { "" };
    let mut html = format!(
        "<details class=\"stage\" data-stage=\"{0}\"{open}><summary><span class=\"stage-name\">{label}</span> \
         <span class=\"stage-count\">{count}</span></summary><ul>",
        escape(stage)
    );
    for test in tests {
        let name = test.name.replace('_', "_<wbr>");
        let doc = if test.doc.is_empty() {
            String::new()
        } else {
            format!("<span class=\"test-doc\">{}</span>", inline::phrase(&test.doc)?)
        };
        html.push_str(&format!("<li data-test=\"{}\"><code>{name}</code>{doc}</li>", escape(&test.full())));
    }
    html.push_str("</ul></details>");
    Ok(html)
}

/// `stage_2_the_pause` as `("2", "the pause")`.
fn stage_name(stage: &str) -> Option<(&str, String)> {
    let (number, words) = stage.strip_prefix("stage_")?.split_once('_')?;
    Some((number, words.replace('_', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn a_stage_reads_as_words() {
        assert_eq!(stage_name("stage_2_the_pause"), Some(("2", "the pause".to_owned())));
        assert_eq!(stage_name("helpers"), None);
    }

    #[test]
    fn a_card_outside_an_exercise_page_says_where_it_belongs() {
        let fault = write(None, None, "").unwrap_err();
        assert!(fault.contains("belongs on an exercise's page"), "{fault}");
        let fault = write(None, None, "cap-demo").unwrap_err();
        assert!(fault.contains("takes no argument"), "{fault}");
    }
}
