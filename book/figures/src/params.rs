//! The parameters of a figure, as a page writes them: `nodes=4 policy="two choices"`.

use std::{cell::RefCell, fmt};

/// Values by name. Getters take the default, so a figure's signature stands where it is drawn.
///
/// There are a handful, and every module for the browser holds this code: lists, not trees.
#[derive(Debug, Clone, Default)]
pub struct Params {
    given: Vec<(String, String)>,
    /// In the order of the alphabet.
    asked: RefCell<Vec<String>>,
    unreadable: RefCell<Vec<String>>,
}

/// Text that is not a list of `key=value`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not of the form key=value")]
pub struct NotParams(pub String);

impl Params {
    /// Reads `key=value` pairs separated by blanks; a value with blanks stands in double quotes.
    ///
    /// # Errors
    /// [`NotParams`] with the piece that has no `=`, no key, or is given twice.
    pub fn parse(text: &str) -> Result<Self, NotParams> {
        let mut params = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let word = rest.split_whitespace().next().unwrap_or(rest);
            let fail = || NotParams(word.to_owned());
            let (key, after) = rest.split_once('=').ok_or_else(fail)?;
            if key.is_empty() || key.contains(char::is_whitespace) {
                return Err(fail());
            }
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(fail)?,
                None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
            };
            if params.value(key).is_some() {
                return Err(fail());
            }
            params.given.push((key.to_owned(), value.to_owned()));
            rest = after.trim_start();
        }
        Ok(params)
    }

    /// The same with `key` set to `value`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.given.retain(|(given, _)| given != key);
        self.given.push((key.to_owned(), value.to_string()));
        self
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.given.iter().find(|(given, _)| given == key).map(|(_, value)| value.as_str())
    }

    /// The number `key`, or `default` where the page does not give it.
    pub fn number(&self, key: &str, default: f64) -> f64 {
        self.read(key, default, "a finite number", |text| text.parse().ok().filter(|n: &f64| n.is_finite()))
    }

    /// The count `key` (a whole number from 0), or `default`. Underscores may group its digits.
    pub fn count(&self, key: &str, default: u64) -> u64 {
        self.read(key, default, "a whole number", |text| text.replace('_', "").parse().ok())
    }

    /// Whether `key` is `yes` (rather than `no`), or `default`.
    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.read(key, default, "`yes` or `no`", |text| match text {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        })
    }

    /// The counts `key`, separated by commas, or `default`.
    pub fn counts(&self, key: &str, default: &[u64]) -> Vec<u64> {
        self.read(key, default.to_vec(), "a list like 1,8,64", |text| {
            text.split(',').map(|item| item.replace('_', "").parse().ok()).collect()
        })
    }

    /// The text `key`, or `default`.
    pub fn text(&self, key: &str, default: &str) -> String {
        self.read(key, default.to_owned(), "text", |text| Some(text.to_owned()))
    }

    fn read<T>(&self, key: &str, default: T, wanted: &str, parse: impl FnOnce(&str) -> Option<T>) -> T {
        let mut asked = self.asked.borrow_mut();
        let place = asked.partition_point(|known| known.as_str() < key);
        if asked.get(place).is_none_or(|known| known != key) {
            asked.insert(place, key.to_owned());
        }
        let Some(text) = self.value(key) else { return default };
        parse(text).unwrap_or_else(|| {
            self.unreadable.borrow_mut().push(format!("`{key}={text}` is not {wanted}"));
            default
        })
    }

    /// What the figure could not read or never asked for; `None` if all is well.
    pub(crate) fn complaints(&self) -> Option<String> {
        let asked = self.asked.borrow();
        let unused = self
            .given
            .iter()
            .filter(|(key, _)| !asked.contains(key))
            .map(|(key, _)| format!("it has no parameter `{key}`; it reads: {}", asked.join(", ")));
        let all: Vec<_> = self.unreadable.borrow().iter().cloned().chain(unused).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn values_are_read_by_kind() {
        let params = Params::parse(r#"nodes=4 keys=10_000 policy="two choices" live=yes sizes=1,8,64"#).expect("legal");
        assert_eq!(params.number("nodes", 1.0), 4.0);
        assert_eq!(params.count("keys", 1), 10_000);
        assert_eq!(params.text("policy", "random"), "two choices");
        assert!(params.flag("live", false));
        assert_eq!(params.counts("sizes", &[]), [1, 8, 64]);
        assert_eq!(params.number("absent", 2.5), 2.5);
        assert_eq!(params.complaints(), None);
    }

    #[test]
    fn a_misspelt_key_and_an_unreadable_value_are_named() {
        let params = Params::parse("node=4 keys=many").expect("legal");
        assert_eq!(params.count("keys", 7), 7, "the default stands in, and the complaint stops the build");
        params.count("nodes", 3);
        let complaint = params.complaints().expect("two things are wrong");
        assert!(complaint.contains("`keys=many` is not a whole number"), "{complaint}");
        assert!(complaint.contains("no parameter `node`; it reads: keys, nodes"), "{complaint}");
    }

    #[test]
    fn text_that_is_no_list_of_pairs_is_refused() {
        assert_eq!(Params::parse("nodes").unwrap_err(), NotParams("nodes".into()));
        assert_eq!(Params::parse("=4").unwrap_err(), NotParams("=4".into()));
        assert_eq!(Params::parse("a=1 b=\"open").unwrap_err(), NotParams("b=\"open".into()));
        assert_eq!(Params::parse("a=1 a=2").unwrap_err(), NotParams("a=2".into()));
        assert_eq!(Params::parse("a b=1").unwrap_err(), NotParams("a".into()));
    }
}
