//! `{{#figure NAME key=value …}}`: a picture drawn by running a reference solution.

use crate::html::{escape, one_line};
use book_figures::Params;

/// The figure that `arguments` ask for: picture and sentence.
pub(super) fn write(arguments: &str) -> Result<String, String> {
    let (name, rest) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
    if name.is_empty() {
        return Err("say which figure: {{#figure NAME key=value …}}".to_owned());
    }
    let params = Params::parse(rest).map_err(|error| format!("figure `{name}`: {error}"))?;
    let drawing = book_figures::draw(name, &params).map_err(|error| error.to_string())?;
    let (svg, sentence) = (drawing.svg, escape(&drawing.sentence));
    let (name, parameters) = (escape(name), escape(rest.trim()));
    Ok(one_line(&format!(
        "<figure class=\"live-figure\" data-figure=\"{name}\" data-params=\"{parameters}\">{svg}<figcaption>{sentence}</figcaption></figure>"
    )))
}
