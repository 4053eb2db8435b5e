//! The book's figures: each is one pure function that runs a reference solution and draws what it did.
//!
//! A page asks for a figure with `{{#figure hash-ring nodes=4 vnodes=8}}`; the builder calls [`draw`] and puts the SVG and
//! the sentence that states its result on the page.
//!
//! To add one, write `src/my_figure.rs` with `pub fn draw(p: &Params) -> Drawing`, and add its line to `figures!`
//! below; then `BLESS=1 cargo test -p book-figures` writes its golden files for you to look at and commit.
//!
//! A figure has no clock, no input or output and no unseeded chance, and counts in `u64` rather than `usize` where a number
//! may grow: the same function is meant to run in the reader's browser, where a `usize` has 32 bits.

mod params;
mod sequence;
pub mod svg;

pub use params::Params;
use svg::Svg;

macro_rules! figures {
    ($($name:literal => $module:ident, golden $golden:expr;)*) => {
        $(mod $module;)*

        /// Every figure, by the name that pages use.
        pub const FIGURES: &[Figure] = &[$(Figure { name: $name, draw: $module::draw, golden: &$golden }),*];
    };
}

figures! {
    // "name-on-the-page" => file_name, golden ["parameters to keep a golden drawing of", …];
    "bloom-filter" => bloom_filter, golden ["bits=9600 probes=7 keys=1000", "bits=9600 probes=1 keys=1000", "bits=9600 probes=7 keys=5000"];
    "cap-partition" => cap_partition, golden ["mode=cp", "mode=ap", "mode=cp split=no"];
    "history" => history, golden ["name=overlap", "name=unseen", "name=flags", "name=flags order=per-client"];
    "quorum-partial" => quorum_partial, golden ["repair=never", "repair=first"];
    "fencing-token" => fencing_token, golden ["pause=30", "pause=0"];
    "hash-ring" => hash_ring, golden ["nodes=4 vnodes=1 remove=yes", "nodes=4 vnodes=16 remove=yes", "nodes=8 vnodes=32"];
    "histogram-stall" => histogram_stall, golden ["interval=10 calm=100 stall=100", "interval=10 calm=100 stall=1"];
    "redlock" => redlock, golden ["fault=none", "fault=pause", "fault=jump", "fault=restart"];
    "xfetch" => xfetch, golden ["beta=1 recompute=3 rate=10", "beta=4 recompute=3 rate=10", "beta=1 recompute=3 rate=0.5"];
}

/// A figure that pages can ask for.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// What a page calls it.
    pub name: &'static str,
    /// Draws it; see [`draw`] for the checked way to call it.
    pub draw: fn(&Params) -> Drawing,
    /// Parameters whose drawings are kept in `tests/golden`, so that a change shows in review.
    pub golden: &'static [&'static str],
}

/// What a figure shows, in three forms for three readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// The picture: one `<svg>` element, coloured only by the classes of the book's theme.
    pub svg: String,
    /// The result in one sentence with its numbers, printed under the picture.
    pub sentence: String,
    /// What the picture looks like, for a reader who does not see it.
    pub alt: String,
}

impl Drawing {
    /// Closes `picture` and joins it with what it says (`sentence`) and what it looks like (`alt`).
    pub fn new(picture: Svg, sentence: impl Into<String>, alt: impl Into<String>) -> Self {
        let alt = alt.into();
        Self { svg: picture.finish(&alt), sentence: sentence.into(), alt }
    }
}

/// Why a figure was not drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownFigure {
    /// No figure has this name.
    #[error("there is no figure `{name}`; the figures are: {known}")]
    Name {
        /// What the page asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The figure does not read this parameter, or cannot read its value.
    #[error("figure `{name}`: {what}")]
    Parameter {
        /// The figure.
        name: String,
        /// What is wrong.
        what: String,
    },
}

/// Draws the figure `name`.
///
/// # Errors
/// If there is no such figure, or if `params` hold a key that the figure never reads or a value that it cannot read: a
/// misspelt parameter must not silently draw the default.
pub fn draw(name: &str, params: &Params) -> Result<Drawing, UnknownFigure> {
    let Some(figure) = FIGURES.iter().find(|figure| figure.name == name) else {
        let known = FIGURES.iter().map(|figure| figure.name).collect::<Vec<_>>().join(", ");
        return Err(UnknownFigure::Name { name: name.to_owned(), known });
    };
    let drawing = (figure.draw)(params);
    match params.complaints() {
        None => Ok(drawing),
        Some(what) => Err(UnknownFigure::Parameter { name: name.to_owned(), what }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = draw("hash-rin", &Params::default()).expect_err("there is no such figure");
        assert!(error.to_string().starts_with("there is no figure `hash-rin`; the figures are:"), "{error}");
    }
}
