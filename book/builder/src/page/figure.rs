//! `{{#figure NAME key=value …}}`: a picture drawn by running a reference solution.

use crate::html::{escape, one_line};
use book_figures::{Drawing, Figure, Params};

/// The figure that `arguments` ask for: picture and sentence.
pub(super) fn write(arguments: &str) -> Result<String, String> {
    let Asked { figure, drawing, .. } = asked("figure", arguments)?;
    Ok(one_line(&format!(
        "<figure class=\"live-figure\" data-figure=\"{}\">{}<figcaption>{}</figcaption></figure>",
        escape(figure.name),
        drawing.svg,
        escape(&drawing.sentence)
    )))
}

/// A figure that a page asks for, drawn.
pub(super) struct Asked<'a> {
    pub(super) figure: Figure,
    /// The parameters, as the page writes them.
    pub(super) params: &'a str,
    pub(super) drawing: Drawing,
}

/// Reads `NAME key=value …` after `directive`.
pub(super) fn asked<'a>(directive: &str, arguments: &'a str) -> Result<Asked<'a>, String> {
    let (name, params) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
    if name.is_empty() {
        return Err(format!("say which figure: {{{{#{directive} NAME key=value …}}}}"));
    }
    let read = Params::parse(params).map_err(|error| format!("figure `{name}`: {error}"))?;
    let figure = book_figures::find(name).map_err(|error| error.to_string())?;
    let drawing = figure.draw(&read).map_err(|error| error.to_string())?;
    Ok(Asked { figure, params: params.trim(), drawing })
}
