//! Mermaid diagrams, drawn as SVG at build time in the theme's colours.

use crate::html::{Piece, Tag, escape, one_line, pieces};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

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
///
/// # Errors
/// What is wrong with the source, or a missing description.
pub fn write(diagrams: &dyn Diagrams, alt: &str, source: &str, id: &str) -> Result<String, String> {
    if alt.is_empty() {
        return Err("the diagram has no description: write ```mermaid,WHAT IT SHOWS".to_owned());
    }
    if source.trim().is_empty() {
        return Err("the diagram is empty".to_owned());
    }
    let svg = diagrams.svg(source).map_err(|error| format!("the diagram cannot be drawn: {error}"))?;
    let drawing = themed(&svg, alt, id)?;
    Ok(one_line(&format!("<figure class=\"diagram\" tabindex=\"0\" aria-label=\"Diagram\">{drawing}</figure>")))
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
    let tags = || parts.iter().filter_map(|piece| if let Piece::Tag(tag) = piece { Some(tag) } else { None });
    let ids: BTreeSet<_> = tags().filter_map(|tag| tag.attribute("id")).collect();
    let mut found = BTreeMap::new();
    for tag in tags() {
        for (_, value) in tag.attributes() {
            for rest in value.split("url(#").skip(1).chain(value.strip_prefix('#')) {
                let id = rest.split(')').next().unwrap_or(rest).to_owned();
                let next = format!("{prefix}-{}", found.len());
                if !id.is_empty() && ids.contains(id.as_str()) {
                    found.entry(id).or_insert(next);
                }
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

/// The theme's variable for one of the renderer's colours, which are greys: what they mean follows from how dark they are.
/// Any other colour would be unreadable in one of the two themes, so it is an error and not a guess.
fn colour(property: &str, value: &str, note: bool) -> Result<String, String> {
    if matches!(value, "none" | "transparent" | "inherit" | "currentColor") {
        return Ok(value.to_owned());
    }
    let Some(lightness) = grey(&value.to_ascii_lowercase()) else {
        return Err(format!(
            "the {property} `{value}` does not follow the theme: leave colours out of the diagram's source"
        ));
    };
    let variable = match (property, lightness) {
        ("fill", _) if note => "--diagram-note",
        (_, 0..=35) => "--diagram-ink",
        ("stroke", 36..=59) | ("fill", 36..=65) => "--diagram-line",
        ("stroke", 60..=96) => "--diagram-border",
        ("fill", 66..=91) => "--diagram-faint",
        ("fill", 92..=97) => "--diagram-box",
        ("fill", 98..=99) => "--diagram-group",
        _ => "--diagram-paper",
    };
    Ok(format!("var({variable})"))
}

/// The lightness of a grey, 0 to 100; nothing for a colour.
fn grey(value: &str) -> Option<u8> {
    match value {
        "black" => return Some(0),
        "white" => return Some(100),
        _ => {}
    }
    if let Some(hex) = value.strip_prefix('#') {
        let wide = match hex.len() {
            3 => hex.chars().flat_map(|c| [c, c]).collect(),
            6 => hex.to_owned(),
            _ => return None,
        };
        let part = |at: usize| u8::from_str_radix(wide.get(at..at + 2)?, 16).ok();
        let (red, green, blue) = (part(0)?, part(2)?, part(4)?);
        let equal = red == green && green == blue;
        return equal.then_some((u32::from(red) * 100 / 255) as u8);
    }
    let mut parts = value.strip_prefix("hsl(")?.strip_suffix(')')?.split(',').map(str::trim);
    let (saturation, lightness) = (parts.nth(1)?, parts.next()?);
    let percent: f64 = lightness.strip_suffix('%')?.parse().ok()?;
    (saturation == "0%").then_some(percent.clamp(0.0, 100.0) as u8)
}

#[cfg(test)]
#[path = "diagram_tests.rs"]
mod tests;
