//! Mermaid diagrams, drawn as SVG at build time in the theme's colours.

use crate::html::{Piece, Tag, escape, one_line, pieces};
use std::{collections::BTreeMap, fmt::Write};

/// Draws a Mermaid source as SVG. The book depends on this and not on the crate behind it.
pub trait Diagrams {
    /// The SVG of `mermaid`.
    ///
    /// # Errors
    /// What is wrong with the source.
    fn svg(&self, mermaid: &str) -> Result<String, String>;
}

/// [`Diagrams`] by the crate `ariel-rs`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ariel;

impl Diagrams for Ariel {
    fn svg(&self, mermaid: &str) -> Result<String, String> {
        ariel_rs::try_render(mermaid, ariel_rs::theme::Theme::Neutral).map_err(|error| format!("{error:?}"))
    }
}

/// Smallest text on a screen, in px.
const SMALLEST_TEXT: f64 = 11.0;
/// The size of the renderer's text, in user units.
const TEXT: f64 = 16.0;

/// The figure for `source`, described by `alt`. Its ids begin with `id`.
pub(super) fn write(diagrams: &dyn Diagrams, alt: &str, source: &str, id: &str) -> Result<String, String> {
    if alt.is_empty() {
        return Err("the diagram has no description: write ```mermaid,WHAT IT SHOWS".to_owned());
    }
    if source.trim().is_empty() {
        return Err("the diagram is empty".to_owned());
    }
    let svg = diagrams.svg(source).map_err(|error| format!("the diagram cannot be drawn: {error}"))?;
    let drawing = themed(&svg, alt, id)?;
    Ok(one_line(&format!("<figure class=\"diagram\" tabindex=\"0\">{drawing}</figure>")))
}

/// The renderer's SVG with ids of its own, the theme's colours, and nothing that is not seen.
fn themed(svg: &str, alt: &str, prefix: &str) -> Result<String, String> {
    let parts = pieces(svg);
    let ids = referenced(&parts, prefix);
    let mut out = String::with_capacity(svg.len());
    let mut dropped: Option<(&str, usize)> = None;
    for piece in &parts {
        let tag = match piece {
            Piece::Text(text) => {
                if dropped.is_none() {
                    out.push_str(&text.replace('\n', " "));
                }
                continue;
            }
            Piece::Tag(tag) => tag,
        };
        if let Some((name, depth)) = &mut dropped {
            if tag.name == *name && !tag.empty {
                if tag.closing { *depth -= 1 } else { *depth += 1 }
            }
            if *depth == 0 {
                dropped = None;
            }
            continue;
        }
        let unused =
            matches!(tag.name, "marker" | "filter") && !tag.attribute("id").is_some_and(|id| ids.contains_key(id));
        if !tag.closing && unused {
            dropped = (!tag.empty).then_some((tag.name, 1));
        } else if tag.closing {
            let _ = write!(out, "</{}>", tag.name);
        } else if tag.name == "svg" {
            out.push_str(&root(tag, alt)?);
        } else {
            out.push_str(&element(tag, &ids)?);
        }
    }
    Ok(out.replace("<defs></defs>", "").replace("<g></g>", "").replace("> <", "><"))
}

/// The `<svg>` tag: never wider than drawn, never so narrow that its text falls below [`SMALLEST_TEXT`].
fn root(tag: &Tag<'_>, alt: &str) -> Result<String, String> {
    let view = tag.attribute("viewBox").ok_or("the drawing has no viewBox")?;
    let width: f64 =
        view.split_whitespace().nth(2).and_then(|width| width.parse().ok()).ok_or("the drawing has no width")?;
    let least = (width * SMALLEST_TEXT / TEXT).ceil();
    let alt = escape(alt);
    Ok(format!(
        "<svg viewBox=\"{view}\" role=\"img\" aria-label=\"{alt}\" style=\"min-width:{least}px;max-width:{}px\">",
        width.ceil()
    ))
}

/// The ids that some `url(#…)` or `href="#…"` names, and what they are called in the book.
fn referenced(parts: &[Piece<'_>], prefix: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for piece in parts {
        let Piece::Tag(tag) = piece else { continue };
        for (_, value) in tag.attributes() {
            for rest in value.split("url(#").skip(1).chain(value.strip_prefix('#')) {
                let id = rest.split(')').next().unwrap_or(rest).to_owned();
                let next = format!("{prefix}-{}", found.len());
                found.entry(id).or_insert(next);
            }
        }
    }
    found
}

/// A start tag with only the attributes that draw something.
fn element(tag: &Tag<'_>, ids: &BTreeMap<String, String>) -> Result<String, String> {
    let note = tag.attribute("class").is_some_and(|class| class.split(' ').any(|class| class == "note"));
    let mut out = format!("<{}", tag.name);
    let mut style = Vec::new();
    for (name, value) in tag.attributes() {
        match name {
            "id" => {
                if let Some(id) = ids.get(value) {
                    let _ = write!(out, " id=\"{id}\"");
                }
            }
            "class" | "name" | "role" | "font-family" => {}
            _ if name.starts_with("data-") || name.starts_with("aria-") || name.starts_with("xmlns") => {}
            "style" => style.extend(value.split(';').filter_map(|part| {
                let (property, value) = part.split_once(':')?;
                Some((property.trim(), value.trim()))
            })),
            "fill" | "stroke" => style.insert(0, (name, value)),
            _ => {
                let value = ids.iter().fold(value.to_owned(), |value, (old, new)| {
                    value.replace(&format!("url(#{old})"), &format!("url(#{new})"))
                });
                let _ = write!(out, " {name}=\"{value}\"");
            }
        }
    }
    let mut declared = BTreeMap::new();
    for (property, value) in style {
        match property {
            "fill" | "stroke" if !value.is_empty() => {
                declared.insert(property, colour(property, value, note)?);
            }
            "font-family" | "fill" | "stroke" => {}
            "stroke-dasharray" if matches!(value, "0" | "1, 0" | "0, 0") => {}
            _ => {
                declared.insert(property, value.to_owned());
            }
        }
    }
    if !declared.is_empty() {
        let declared: Vec<_> = declared.iter().map(|(property, value)| format!("{property}:{value}")).collect();
        let _ = write!(out, " style=\"{}\"", declared.join(";"));
    }
    out.push_str(if tag.empty { "/>" } else { ">" });
    Ok(out)
}

/// The theme's variable for one of the renderer's colours. A colour that is not known would be unreadable in one of the
/// two themes, so it is an error and not a guess.
fn colour(property: &str, value: &str, note: bool) -> Result<String, String> {
    let variable = match (property, value.to_ascii_lowercase().as_str()) {
        (_, "none" | "transparent" | "inherit" | "currentcolor") => return Ok(value.to_owned()),
        ("fill", _) if note => "--diagram-note",
        (_, "#333333" | "#333" | "black" | "#000000" | "#000" | "#111111") => "--diagram-ink",
        ("fill", "#eee" | "#eeeeee" | "#f4f4f4" | "#ececff") => "--diagram-box",
        ("fill", "#666" | "#666666" | "#999" | "#999999") => "--diagram-line",
        ("fill", "white" | "#ffffff" | "#fff") => "--diagram-paper",
        ("fill", shade) if shade.starts_with("hsl(0, 0%, 9") || shade.starts_with("hsl(0,0%,9") => "--diagram-group",
        ("fill", shade) if shade.starts_with("hsl(0, 0%, 8") => "--diagram-faint",
        ("stroke", "white" | "#ffffff" | "#fff") => "--diagram-paper",
        ("stroke", "#999" | "#999999" | "#707070" | "#aaa" | "#aaaaaa" | "#ccc") => "--diagram-border",
        ("stroke", shade) if shade.starts_with("hsl(0, 0%, 8") => "--diagram-border",
        ("stroke", "#666" | "#666666" | "#555" | "#555555") => "--diagram-line",
        _ => {
            return Err(format!(
                "the renderer uses the {property} `{value}`, which has no place in the theme: add it in diagram.rs"
            ));
        }
    };
    Ok(format!("var({variable})"))
}

#[cfg(test)]
#[path = "diagram_tests.rs"]
mod tests;
