//! The identity of an exercise: its path below each of the three trees.

use std::fmt;

/// `01-tradeoffs/cap-demo`: the path of an exercise in all three trees.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Id {
    path: String,
    slash: usize,
}

impl Id {
    /// The exercise `name` of `chapter`.
    #[must_use]
    pub fn new(chapter: &str, name: &str) -> Self {
        Self { path: format!("{chapter}/{name}"), slash: chapter.len() }
    }

    /// Reads `CH/EX`, where `CH` begins with a number: `01-tradeoffs/cap-demo`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (chapter, name) = text.split_once('/')?;
        chapter_number(chapter)?;
        (is_slug(chapter) && is_slug(name)).then(|| Self::new(chapter, name))
    }

    /// `01-tradeoffs`
    #[must_use]
    pub fn chapter(&self) -> &str {
        &self.path[..self.slash]
    }

    /// `cap-demo`
    #[must_use]
    pub fn name(&self) -> &str {
        &self.path[self.slash + 1..]
    }

    /// `01-tradeoffs/cap-demo`
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.path
    }
}

/// By chapter number, then by path.
impl Ord for Id {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |id: &Self| chapter_number(id.chapter()).unwrap_or(u32::MAX);
        key(self).cmp(&key(other)).then_with(|| self.path.cmp(&other.path))
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.path)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// 1 for `01-tradeoffs`; nothing for a folder that is not a chapter, such as `kit`.
pub(crate) fn chapter_number(slug: &str) -> Option<u32> {
    slug.split_once('-')?.0.parse().ok()
}

/// `01-trade-offs` → `Trade offs`: what stands in for a title that is missing.
pub(crate) fn in_words(slug: &str) -> String {
    let words = slug.split_once('-').map_or(slug, |(_, rest)| rest).replace('-', " ");
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn is_slug(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_chapter_and_a_name() {
        let id = Id::parse("01-tradeoffs/cap-demo").expect("well formed");
        assert_eq!((id.chapter(), id.name()), ("01-tradeoffs", "cap-demo"));
        assert_eq!(id.to_string(), "01-tradeoffs/cap-demo");
    }

    #[test]
    fn what_cannot_be_a_folder_of_the_tree_is_no_id() {
        for bad in ["cap-demo", "tradeoffs/cap", "01-tradeoffs/", "01-tradeoffs/Cap", "01-a/b/c", "../x", "01-a/-b"] {
            assert_eq!(Id::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_are_ordered_by_the_chapters_number() {
        let mut ids = [Id::new("10-b", "a"), Id::new("9-z", "b"), Id::new("9-z", "a")];
        ids.sort();
        assert_eq!(ids.map(|id| id.to_string()), ["9-z/a", "9-z/b", "10-b/a"]);
    }

    #[test]
    fn a_slug_in_words_begins_with_a_capital() {
        assert_eq!(in_words("09-consistent-hashing"), "Consistent hashing");
    }
}
