//! A small SVG writer: shapes, text, axes, bars and rings in the theme's classes.
//!
//! No colour is written here. The theme (`book/theme/css/workbook.css`) colours these classes in light and dark:
//!
//! | class | for |
//! |---|---|
//! | `s0` … `s7` | the parts or lines of a data series (see [`series`]); with `fill` or `line` |
//! | `ink`, `muted` | text and strokes: the main thing, and what stands back |
//! | `axis`, `grid` | axes and grid lines |
//! | `good`, `bad` | an outcome; always with a word or a shape beside it |
//! | `fill`, `line` | fill the shape, or only draw its outline |
//! | `paper` | a patch of the page's own colour behind text |
//! | `dashed`, `strong`, `small` | dashes; bold text; the small size of text (still ≥ 11 px on a phone) |
//!
//! Coordinates are user units of a picture [`WIDTH`] wide. A phone of 360 px shows it at about 0.8 px a unit, hence the text
//! sizes [`TEXT`] and [`SMALL`]: they stay above 11 px there.

use std::f64::consts::TAU;

/// The usual width of a picture, in user units.
pub const WIDTH: f64 = 400.0;
/// The height of ordinary text, in user units.
pub const TEXT: f64 = 15.0;
/// The height of text with class `small`, in user units.
pub const SMALL: f64 = 14.0;

/// The class of the `index`-th series: eight colours, then again from the first. Name each series in text as well: a
/// colour alone does not reach every reader.
pub fn series(index: usize) -> String {
    format!("s{}", index % 8)
}

/// Where a text stands relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The text begins at the point.
    Start,
    /// The text is centred on the point.
    Middle,
    /// The text ends at the point.
    End,
}

/// A picture being drawn.
#[derive(Debug, Clone)]
pub struct Svg {
    width: f64,
    height: f64,
    body: String,
    messages: bool,
}

impl Svg {
    /// An empty picture; use [`WIDTH`] unless the picture needs less.
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new(), messages: false }
    }

    /// The same, as a picture of nothing but messages: where the reader can step through the run, the player takes its place.
    pub fn of_messages(self) -> Self {
        Self { messages: true, ..self }
    }

    /// A line from `from` to `to`.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) -> &mut Self {
        let (x1, y1, x2, y2) = (num(from.0), num(from.1), num(to.0), num(to.1));
        self.raw(&format!(r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#))
    }

    /// A rectangle with its upper left corner at `at`.
    pub fn rect(&mut self, class: &str, at: (f64, f64), width: f64, height: f64) -> &mut Self {
        let (x, y, width, height) = (num(at.0), num(at.1), num(width.max(0.0)), num(height.max(0.0)));
        self.raw(&format!(r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}"/>"#))
    }

    /// A circle.
    pub fn circle(&mut self, class: &str, centre: (f64, f64), radius: f64) -> &mut Self {
        let (cx, cy, r) = (num(centre.0), num(centre.1), num(radius));
        self.raw(&format!(r#"<circle class="{class}" cx="{cx}" cy="{cy}" r="{r}"/>"#))
    }

    /// A line through all `points`; use the class `line`, or it is filled.
    pub fn polyline(&mut self, class: &str, points: &[(f64, f64)]) -> &mut Self {
        let points = points.iter().map(|&(x, y)| format!("{},{}", num(x), num(y))).collect::<Vec<_>>().join(" ");
        self.raw(&format!(r#"<polyline class="{class}" points="{points}"/>"#))
    }

    /// The area enclosed by `points`.
    pub fn polygon(&mut self, class: &str, points: &[(f64, f64)]) -> &mut Self {
        let points = points.iter().map(|&(x, y)| format!("{},{}", num(x), num(y))).collect::<Vec<_>>().join(" ");
        self.raw(&format!(r#"<polygon class="{class}" points="{points}"/>"#))
    }

    /// Text on the base line of `at`; add the class `small`, `strong` or `muted` as needed.
    pub fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) -> &mut Self {
        let (x, y) = (num(at.0), num(at.1));
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let text = escape(text);
        self.raw(&format!(r#"<text class="{class}" x="{x}" y="{y}"{anchor}>{text}</text>"#))
    }

    /// A line with an arrow head at `to`.
    pub fn arrow(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) -> &mut Self {
        const HEAD: f64 = 8.0;
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        if length <= f64::EPSILON {
            return self;
        }
        let (ux, uy) = (dx / length, dy / length);
        let neck = (to.0 - ux * HEAD, to.1 - uy * HEAD);
        let half = HEAD * 0.45;
        self.line(class, from, neck);
        self.polygon(
            &format!("{class} head"),
            &[to, (neck.0 - uy * half, neck.1 + ux * half), (neck.0 + uy * half, neck.1 - ux * half)],
        )
    }

    /// An arc of a ring around `centre`, from turn `from` to turn `to`: 0 is the top, 0.25 the right; clockwise. The stroke
    /// is `thickness` wide and centred on `radius`. An arc of a whole turn or more is the whole ring.
    pub fn arc(
        &mut self,
        class: &str,
        centre: (f64, f64),
        radius: f64,
        thickness: f64,
        from: f64,
        to: f64,
    ) -> &mut Self {
        let sweep = within(to - from, 0.0, 1.0);
        let (cx, cy, r, width) = (num(centre.0), num(centre.1), num(radius), num(thickness));
        if sweep >= 0.9999 {
            let circle =
                format!(r#"<circle class="{class} line" cx="{cx}" cy="{cy}" r="{r}" style="stroke-width:{width}"/>"#);
            return self.raw(&circle);
        }
        let ((x0, y0), (x1, y1)) = (on_ring(centre, radius, from), on_ring(centre, radius, from + sweep));
        let (x0, y0, x1, y1, large) = (num(x0), num(y0), num(x1), num(y1), u8::from(sweep > 0.5));
        self.raw(&format!(
            r#"<path class="{class} line" style="stroke-width:{width}" d="M{x0} {y0}A{r} {r} 0 {large} 1 {x1} {y1}"/>"#
        ))
    }

    /// Horizontal bars with a label before and a value after each, the first at height `top`. Returns the height below
    /// the last. `max` is the value of a full-length bar.
    pub fn bars(&mut self, left: f64, right: f64, top: f64, max: f64, bars: &[Bar]) -> f64 {
        const STEP: f64 = 24.0;
        for (row, bar) in bars.iter().enumerate() {
            let y = top + STEP * row as f64;
            let length = if max > 0.0 { within(bar.value / max, 0.0, 1.0) * (right - left) } else { 0.0 };
            self.text("ink small", (left - 6.0, y + 13.0), Anchor::End, &bar.label);
            self.rect(&format!("{} fill", bar.class), (left, y + 1.0), length, 16.0);
            self.text("ink small", (left + length + 6.0, y + 13.0), Anchor::Start, &bar.note);
        }
        top + STEP * bars.len() as f64
    }

    /// Adds markup as it stands.
    pub fn raw(&mut self, markup: &str) -> &mut Self {
        self.body.push_str(markup);
        self.body.push('\n');
        self
    }

    pub(crate) fn finish(self, alt: &str) -> String {
        let (width, height, alt, body) = (num(self.width), num(self.height), escape(alt), self.body);
        let class = if self.messages { "drawing messages" } else { "drawing" };
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{alt}\">\n{body}</svg>\n"
        )
    }
}

/// One bar of [`Svg::bars`].
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it is about, before the bar.
    pub label: String,
    /// How long it is.
    pub value: f64,
    /// The value in words, after the bar.
    pub note: String,
    /// Its classes, such as [`series`] of its row.
    pub class: String,
}

/// How values fall on an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Evenly from the first value to the second.
    Linear(f64, f64),
    /// By factors from the first value to the second; both greater than zero.
    Log(f64, f64),
}

impl Scale {
    /// The place of `value`: 0 at the first end, 1 at the second.
    pub fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear(low, high) => (value - low) / (high - low),
            Self::Log(low, high) => (value / low).ln() / (high / low).ln(),
        }
    }
}

/// A plot's frame: where values of x and y fall on the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axes {
    /// The plot's left edge.
    pub left: f64,
    /// The plot's right edge.
    pub right: f64,
    /// The plot's upper edge.
    pub top: f64,
    /// The plot's lower edge.
    pub bottom: f64,
    /// The scale from left to right.
    pub x: Scale,
    /// The scale from bottom to top.
    pub y: Scale,
}

impl Axes {
    /// The point of the picture where (`x`, `y`) falls.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let across = self.left + self.x.place(x) * (self.right - self.left);
        let up = self.bottom - self.y.place(y) * (self.bottom - self.top);
        (across, up)
    }

    /// Draws the frame: grid lines, the ticks (a value and its label each), and the names of both axes.
    pub fn draw(&self, svg: &mut Svg, x: (&str, &[(f64, &str)]), y: (&str, &[(f64, &str)])) {
        for &(value, label) in y.1 {
            let (_, height) = self.at(self.x_start(), value);
            svg.line("grid", (self.left, height), (self.right, height));
            svg.text("muted small", (self.left - 6.0, height + 5.0), Anchor::End, label);
        }
        for &(value, label) in x.1 {
            let (across, _) = self.at(value, self.y_start());
            svg.line("axis", (across, self.bottom), (across, self.bottom + 5.0));
            svg.text("muted small", (across, self.bottom + 19.0), Anchor::Middle, label);
        }
        svg.line("axis", (self.left, self.bottom), (self.right, self.bottom));
        svg.line("axis", (self.left, self.bottom), (self.left, self.top));
        svg.text("ink small", (self.right, self.bottom + 38.0), Anchor::End, x.0);
        svg.text("ink small", ((self.left - 34.0).max(2.0), self.top - 10.0), Anchor::Start, y.0);
    }

    fn x_start(&self) -> f64 {
        let (Scale::Linear(low, _) | Scale::Log(low, _)) = self.x;
        low
    }

    fn y_start(&self) -> f64 {
        let (Scale::Linear(low, _) | Scale::Log(low, _)) = self.y;
        low
    }
}

/// The point on a ring around `centre` at `turn`: 0 is the top, 0.25 the right; clockwise.
pub fn on_ring(centre: (f64, f64), radius: f64, turn: f64) -> (f64, f64) {
    let angle = turn * TAU;
    (centre.0 + radius * angle.sin(), centre.1 - radius * angle.cos())
}

/// `text` with the characters that mean something in markup replaced.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `value`, or the nearer of `low` and `high`. Unlike `f64::clamp` it never prints its arguments, which would put four kilobytes
/// of code into every figure's module.
pub fn within(value: f64, low: f64, high: f64) -> f64 {
    value.max(low).min(high)
}

/// A coordinate with at most two decimals: enough for any screen, and the same text on every platform. Counted in hundredths, for
/// the same reason as [`within`].
fn num(value: f64) -> String {
    let hundredths = (value * 100.0).round() as i64;
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, part) = (hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100);
    match (part, part % 10) {
        (0, _) => format!("{sign}{whole}"),
        (_, 0) => format!("{sign}{whole}.{}", part / 10),
        _ => format!("{sign}{whole}.{part:02}"),
    }
}

#[cfg(test)]
#[path = "svg_tests.rs"]
mod tests;
