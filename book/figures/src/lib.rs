//! The book's figures: each is one pure function that runs a reference solution and draws what it did.
//!
//! A page asks for a picture with `{{#figure hash-ring nodes=4 vnodes=8}}`: the builder calls [`draw`] and puts the SVG and
//! the sentence that states its result on the page. With `{{#sandbox hash-ring}}` it puts the figure's [`Sandbox`] under the
//! picture as well, and the reader's browser calls the same function, compiled to WebAssembly (`book/figures/live`).
//!
//! To add one, write `src/my_figure.rs` with a `pub const FIGURE: Figure` and add its name to `figures!` below; then
//! `BLESS=1 cargo test -p book-figures` writes its golden files for you to look at and commit, and `cargo xtask book wasm`
//! its module.
//!
//! A figure has no clock, no input or output and no unseeded chance, and counts in `u64` rather than `usize` where a number
//! may grow: the same function runs in the reader's browser, where a `usize` has 32 bits, and must say the same there.

mod params;
mod run;
mod sandbox;
mod sequence;
pub mod svg;

pub use params::Params;
pub use sandbox::{Control, Kind, Prediction, Preset, Sandbox};
use svg::Svg;

macro_rules! figures {
    ($($module:ident)*) => {
        $(mod $module;)*

        /// Every figure.
        pub const FIGURES: &[Figure] = &[$($module::FIGURE),*];
    };
}

// The files in `src` that are figures.
figures! {
    balancing
    bloom_filter
    cap_partition
    fencing_token
    hash_ring
    histogram_stall
    history
    quorum_partial
    raft_election
    raft_log
    rate_windows
    redlock
    two_phase_commit
    vnode_cv
    xfetch
}

/// A figure that pages can ask for.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// What a page calls it.
    pub name: &'static str,
    /// Draws it; see [`Figure::draw`] for the checked way to call it.
    pub drawing: fn(&Params) -> Drawing,
    /// What a reader may move; `None` for a picture that only illustrates.
    pub sandbox: Option<&'static Sandbox>,
    /// Parameters whose drawings are kept in `tests/golden`, so that a change shows in review.
    pub golden: &'static [&'static str],
}

impl Figure {
    /// Draws the figure.
    ///
    /// # Errors
    /// If `params` hold a key that the figure never reads or a value that it cannot read: a misspelt parameter must not
    /// silently draw the default.
    pub fn draw(&self, params: &Params) -> Result<Drawing, UnknownFigure> {
        let drawing = (self.drawing)(params);
        match params.complaints() {
            None => Ok(drawing),
            Some(what) => Err(UnknownFigure::Parameter { name: self.name.to_owned(), what }),
        }
    }
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
    /// The run behind it in the kit's trace format ([`kit::trace::Trace::to_json`]), if the reader is to step through it: the
    /// player then takes the picture's place.
    pub run: Option<String>,
}

impl Drawing {
    /// Closes `picture` and joins it with what it says (`sentence`) and what it looks like (`alt`).
    pub fn new(picture: Svg, sentence: impl Into<String>, alt: impl Into<String>) -> Self {
        let alt = alt.into();
        Self { svg: picture.finish(&alt), sentence: sentence.into(), alt, run: None }
    }

    /// The same with the run that a reader may step through.
    #[must_use]
    pub fn with_run(self, run: &kit::trace::Trace) -> Self {
        Self { run: Some(run.to_json()), ..self }
    }

    /// The answer that a page's script reads: picture, sentence, description and run (or nothing), with a NUL between them.
    pub fn packed(&self) -> String {
        [&self.svg, &self.sentence, &self.alt, self.run.as_deref().unwrap_or_default()].join("\0")
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

/// The figure `name`, found while compiling: a module for the browser then holds no other.
pub const fn named(name: &str) -> Option<Figure> {
    let mut at = 0;
    while at < FIGURES.len() {
        if same(FIGURES[at].name.as_bytes(), name.as_bytes()) {
            return Some(FIGURES[at]);
        }
        at += 1;
    }
    None
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// The figure `name`, or who there is.
///
/// # Errors
/// If there is no such figure.
pub fn find(name: &str) -> Result<Figure, UnknownFigure> {
    named(name).ok_or_else(|| {
        let known = FIGURES.iter().map(|figure| figure.name).collect::<Vec<_>>().join(", ");
        UnknownFigure::Name { name: name.to_owned(), known }
    })
}

/// Draws the figure `name`.
///
/// # Errors
/// If there is no such figure, and as [`Figure::draw`].
pub fn draw(name: &str, params: &Params) -> Result<Drawing, UnknownFigure> {
    find(name)?.draw(params)
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
