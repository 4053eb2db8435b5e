//! LaTeX formulas, turned into MathML.

use crate::html;
use math_core::{LatexToMathML, MathCoreConfig, MathDisplay};
use pulldown_cmark::{Event, Parser, TagEnd};

/// The MathML of a formula in running text.
pub(super) fn inline(latex: &str) -> Result<String, String> {
    mathml(latex, MathDisplay::Inline).map(|math| html::inline_safe(&math))
}

/// The MathML of a displayed formula that shares its paragraph with other text.
pub(super) fn display_inside(latex: &str) -> Result<String, String> {
    mathml(latex, MathDisplay::Block).map(|math| html::inline_safe(&math))
}

/// The block for a paragraph that consists of one displayed formula.
pub(super) fn alone(paragraph: &str) -> Option<Result<String, String>> {
    let latex = paragraph.strip_prefix("$$")?.strip_suffix("$$")?;
    let mut events = Parser::new_ext(paragraph, super::markdown_options());
    let only_math = matches!(
        (events.nth(1), events.next(), events.next()),
        (Some(Event::DisplayMath(_)), Some(Event::End(TagEnd::Paragraph)), None)
    );
    only_math.then(|| {
        let math = mathml(latex, MathDisplay::Block)?;
        Ok(html::one_line(&format!("<div class=\"formula\" tabindex=\"0\">{math}</div>")))
    })
}

/// The MathML of `latex`.
fn mathml(latex: &str, display: MathDisplay) -> Result<String, String> {
    thread_local! {
        static CONVERTER: Result<LatexToMathML, String> =
            LatexToMathML::new(MathCoreConfig::default()).map_err(|(error, ..)| format!("{error:?}"));
    }
    CONVERTER.with(|converter| {
        let converter = converter.as_ref().map_err(Clone::clone)?;
        let converted = converter
            .convert_with_local_state(latex, display)
            .map_err(|error| format!("the formula `{}` does not parse: {error}", latex.trim()))?;
        Ok(converted.mathml)
    })
}

/// A formula inside generated HTML.
pub(super) fn in_html(latex: &str, display: bool) -> Result<String, String> {
    mathml(latex, if display { MathDisplay::Block } else { MathDisplay::Inline })
}
