//! What a reader may move in a figure, what the moves are for, and what to guess before.

/// A figure's sandbox: a prediction, the controls that it opens, presets that tell a story, and a task.
///
/// All text is inline Markdown. It stands on the page as HTML; the controls need a script, the rest does not.
#[derive(Debug, Clone, Copy)]
pub struct Sandbox {
    /// What the reader commits to before the controls open.
    pub prediction: Prediction,
    /// What the reader moves: one to four.
    pub controls: &'static [Control],
    /// Settings worth seeing, in the order of the story. The first is where the page begins, unless the page says otherwise.
    pub presets: &'static [Preset],
    /// What to find out with the controls. It has an answer, which the picture or its sentence shows.
    pub task: &'static str,
}

/// A question whose answer surprises.
#[derive(Debug, Clone, Copy)]
pub struct Prediction {
    /// The question.
    pub question: &'static str,
    /// Two to four guesses, each of which somebody could hold.
    pub guesses: &'static [&'static str],
    /// The answer and its reason, folded away.
    pub answer: &'static str,
}

/// A setting of all controls with its part of the story.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// A few words on a button.
    pub name: &'static str,
    /// `key=value …`; controls that are not named have their defaults.
    pub params: &'static str,
    /// One or two sentences: what to look at.
    pub story: &'static str,
}

/// Something that a reader moves: one parameter of the figure.
#[derive(Debug, Clone, Copy)]
pub struct Control {
    /// The parameter.
    pub key: &'static str,
    /// Its name for the reader.
    pub label: &'static str,
    /// The value where nothing is said: the same that `draw` takes.
    pub default: &'static str,
    /// How it is moved.
    pub kind: Kind,
}

/// How a control is moved.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A slider over these values, in this order; the unit is shown after the value.
    Slider {
        /// The values, as `draw` reads them.
        values: &'static [&'static str],
        /// Such as `s`; may be empty.
        unit: &'static str,
    },
    /// A list of values, each with its name for the reader.
    Choice(&'static [(&'static str, &'static str)]),
}

impl Control {
    /// A slider over `values`, which begins at `default`.
    pub const fn slider(
        key: &'static str,
        label: &'static str,
        unit: &'static str,
        values: &'static [&'static str],
        default: &'static str,
    ) -> Self {
        Self { key, label, default, kind: Kind::Slider { values, unit } }
    }

    /// A list of (value, name for the reader), which begins at `default`.
    pub const fn choice(
        key: &'static str,
        label: &'static str,
        options: &'static [(&'static str, &'static str)],
        default: &'static str,
    ) -> Self {
        Self { key, label, default, kind: Kind::Choice(options) }
    }

    /// The values that it can have.
    pub fn values(&self) -> impl Iterator<Item = &'static str> {
        let (slider, choice): (&[&str], &[(&str, &str)]) = match self.kind {
            Kind::Slider { values, .. } => (values, &[]),
            Kind::Choice(options) => (&[], options),
        };
        slider.iter().copied().chain(choice.iter().map(|(value, _)| *value))
    }
}
