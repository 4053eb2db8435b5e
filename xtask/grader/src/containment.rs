//! How much of a box this machine can make: part of every result.

use serde_json::{Value, json};

/// How much of the containment works here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// All of it.
    Full,
    /// A box, with something missing.
    Partial,
    /// No box at all.
    None,
}

/// The level, and what keeps it from being full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Containment {
    /// How much works.
    pub level: Level,
    /// What does not, in words.
    pub missing: Vec<String>,
}

impl Containment {
    /// The object that every result carries.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"level": self.level.word(), "missing": self.missing})
    }

    /// Tries what this machine can do.
    #[must_use]
    pub fn probe() -> Self {
        #[cfg(target_os = "linux")]
        return crate::boxes::Boxes::probe().containment().clone();
        #[cfg(not(target_os = "linux"))]
        Self { level: Level::None, missing: vec!["Linux".to_owned()] }
    }
}

impl Level {
    /// Its word in the JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::None => "none",
        }
    }
}
