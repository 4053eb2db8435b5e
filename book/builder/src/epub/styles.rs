//! The theme's styles for a book: the colours of the light theme, written out, because not every reading system knows variables.

use anyhow::{Context, Result};
use std::{collections::BTreeMap, fs, path::Path};

/// The theme's sheets for what stands on a page; `chrome.css` is for what stands around it.
const SHEETS: &[&str] = &["css/base.css", "css/page.css", "css/exercise.css", "css/figures.css"];

/// What differs in a book: its reader chooses type, size and colours of the page.
const OURS: &str = "
@font-face { font-family: \"STIX Two Math\"; src: url(fonts/stix-two-math.woff2) format(\"woff2\"); }
body { margin: 0; font: inherit; background: none; }
h1, h2, h3, h4 { break-after: avoid; }
a.header { color: inherit; text-decoration: none; }
pre { white-space: pre-wrap; font-size: 0.8em; }
pre, figure, .quiz, .predict { break-inside: avoid; }
.exercise, .predict, .quiz { background: none; }
.choice { display: block; }
.choice .why { display: block; margin-left: 1.2em; }
.progress, .state, .rails, .solution, .skip, .visually-hidden, .js-only { display: none; }
.map-row, .facts > div { display: block; }
.facts dt { display: inline; font-weight: bold; }
.facts dd { display: inline; margin: 0 0 0 0.4em; }
nav ol { list-style: none; padding-left: 1.2em; }
";

/// One style sheet from those of the theme at `theme`.
pub(super) fn of(theme: &Path) -> Result<String> {
    // Its reader's own size and family.
    let is_of_reader = |line: &&str| line.trim_start().starts_with("body {");
    let mut sheets = String::new();
    for sheet in SHEETS {
        let file = theme.join(sheet);
        let sheet = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        for line in sheet.lines().filter(|line| !is_of_reader(line)) {
            sheets.push_str(line);
            sheets.push('\n');
        }
    }
    Ok(without_is(&plain(&sheets)) + OURS)
}

/// `css` with each `:is(a, b)` of a selector written out: it is younger than many reading systems.
fn without_is(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some(at) = rest.find(['{', '}', ';']) {
        let (text, end) = rest.split_at(at);
        // A selector is what stands before an opening brace; comments and what stands around it stay.
        if end.starts_with('{') && text.contains(":is(") {
            let begin = text.rfind("*/").map_or(0, |at| at + 2);
            let begin = begin + (text.len() - begin - text[begin..].trim_start().len());
            out.push_str(&text[..begin]);
            let selectors = parts(&text[begin..]).into_iter().flat_map(expanded).collect::<Vec<_>>();
            out.push_str(&selectors.join(", "));
            out.push(' ');
        } else {
            out.push_str(text);
        }
        out.push_str(&end[..1]);
        rest = &end[1..];
    }
    out + rest
}

/// What the selector means, one for each choice of its `:is(…)`.
fn expanded(selector: &str) -> Vec<String> {
    let Some((before, after)) = selector.split_once(":is(") else { return vec![selector.trim().to_owned()] };
    let (inside, behind) = split_at_close(after);
    let choices = parts(inside).into_iter();
    choices.flat_map(|choice| expanded(&format!("{before}{}{behind}", choice.trim()))).collect()
}

/// `text` at the commas that stand in no bracket.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|c| {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

/// `css` with its variables and `light-dark(…)` replaced by the values of the light theme, as far as they are set in it.
fn plain(css: &str) -> String {
    let light = light(css);
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for declaration in light.split([';', '{', '}']) {
        let Some((name, value)) = declaration.trim().split_once(':') else { continue };
        if let Some(name) = name.strip_prefix("--") {
            variables.entry(name.trim().to_owned()).or_insert_with(|| value.trim().to_owned());
        }
    }
    // A variable may be set to another one; a circle would be a fault of the theme, and ends here after a few rounds.
    let mut out = light;
    for _ in 0..4 {
        out = with_values(&out, &variables);
    }
    out
}

/// The first of the two values of each `light-dark(a, b)`.
fn light(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some((before, after)) = rest.split_once("light-dark(") {
        out.push_str(before);
        let (inside, behind) = split_at_close(after);
        let mut depth = 0;
        let comma = inside.find(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        });
        out.push_str(inside[..comma.unwrap_or(inside.len())].trim());
        rest = behind;
    }
    out + rest
}

/// `css` with each `var(--name)` that has a value replaced by it; else by what stands after the comma, if anything does.
fn with_values(css: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some((before, after)) = rest.split_once("var(--") {
        out.push_str(before);
        let (inside, behind) = split_at_close(after);
        let (name, otherwise) = inside.split_once(',').map_or((inside, None), |(name, other)| (name, Some(other)));
        match (variables.get(name.trim()), otherwise) {
            (Some(value), _) => out.push_str(value),
            (None, Some(otherwise)) => out.push_str(otherwise.trim()),
            (None, None) => out.push_str(&format!("var(--{inside})")),
        }
        rest = behind;
    }
    out + rest
}

/// `text` before and after the bracket that closes the one already open.
fn split_at_close(text: &str) -> (&str, &str) {
    let mut depth = 1;
    let end = text.find(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    end.map_or((text, ""), |end| (&text[..end], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn variables_become_the_values_of_the_light_theme() {
        let css = ":root { --ink: light-dark(#222, rgb(1, 2, 3)); --a: var(--ink); }\np { color: var(--a); border: var(--w, 1px) solid var(--none); }";
        assert_eq!(plain(css), ":root { --ink: #222; --a: #222; }\np { color: #222; border: 1px solid var(--none); }");
    }

    #[test]
    fn choices_in_selectors_are_written_out() {
        assert_eq!(
            without_is(
                "/* a, b */\n:is(h2, h3) a:hover, p { x: 1; }\n.a:is(.b, [c=\"d\"])::before{y:2}\n@media print { q:is(i) { z: 3 } }"
            ),
            "/* a, b */\nh2 a:hover, h3 a:hover, p { x: 1; }\n.a.b::before, .a[c=\"d\"]::before {y:2}\n@media print { qi { z: 3 } }"
        );
    }

    #[test]
    fn the_theme_leaves_no_variable_without_a_value() {
        let theme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../theme");
        let css = of(&theme).expect("the theme can be read");
        assert!(!css.contains("light-dark(") && !css.contains(":is("));
        let left: Vec<_> = css.match_indices("var(--").map(|(at, _)| &css[at..css.len().min(at + 24)]).collect();
        // Set by the map for each of its rows, in the page.
        assert!(left.iter().all(|left| left.starts_with("var(--lane")), "{left:?}");
    }
}
