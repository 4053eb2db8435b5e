//! From a set of failing tests to the misunderstanding behind it.

use std::collections::BTreeSet;

use catalog::Misconception;

use crate::{Outcome, TestVerdict};

/// The wrong answer that fails exactly where these tests failed.
///
/// Tests that only say `not yet implemented` are left out of the comparison, so that a reader who is half-way is understood
/// too. Of several wrong answers that fit, the one with the most failing tests is meant, if there is only one such.
#[must_use]
pub fn diagnose<'a>(tests: &[TestVerdict], known: &'a [Misconception]) -> Option<&'a Misconception> {
    let written = || tests.iter().filter(|test| !test.is_unwritten());
    let answered: BTreeSet<&str> = written().map(|test| test.name.as_str()).collect();
    let failed: BTreeSet<&str> =
        written().filter(|test| test.outcome != Outcome::Passed).map(|test| test.name.as_str()).collect();
    if failed.is_empty() {
        return None;
    }
    let fits = |wrong: &&Misconception| {
        let expected: BTreeSet<&str> =
            wrong.fails.iter().map(String::as_str).filter(|name| answered.contains(name)).collect();
        expected == failed
    };
    let fitting: Vec<&Misconception> = known.iter().filter(fits).collect();
    let most = fitting.iter().map(|wrong| wrong.fails.len()).max()?;
    let mut best = fitting.into_iter().filter(|wrong| wrong.fails.len() == most);
    best.next().filter(|_| best.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(slug: &str, fails: &[&str]) -> Misconception {
        let fails = fails.iter().map(|&name| name.to_owned()).collect();
        Misconception { slug: slug.to_owned(), claim: String::new(), cost: String::new(), fails, patch: None }
    }

    /// `+a` passed, `-a` failed, `?a` is not written, `!a` hangs.
    fn tests(marks: &str) -> Vec<TestVerdict> {
        let test = |mark: &str| {
            let (outcome, message) = match &mark[..1] {
                "+" => (Outcome::Passed, ""),
                "?" => (Outcome::Failed, "not yet implemented: do it"),
                "!" => (Outcome::Timeout, ""),
                _ => (Outcome::Failed, "law broken"),
            };
            TestVerdict {
                name: mark[1..].to_owned(),
                outcome,
                millis: 0,
                message: message.to_owned(),
                printed: String::new(),
            }
        };
        marks.split(' ').map(test).collect()
    }

    fn slug(marks: &str, known: &[Misconception]) -> Option<String> {
        diagnose(&tests(marks), known).map(|wrong| wrong.slug.clone())
    }

    #[test]
    fn the_exact_set_is_recognised() {
        let known = [wrong("one", &["a"]), wrong("two", &["a", "b"])];
        assert_eq!(slug("-a +b +c", &known).as_deref(), Some("one"));
        assert_eq!(slug("-a !b +c", &known).as_deref(), Some("two"));
        assert_eq!(slug("-a -b -c", &known), None);
        assert_eq!(slug("+a +b +c", &known), None);
    }

    #[test]
    fn what_is_not_written_yet_says_nothing() {
        let known = [wrong("two", &["a", "c"])];
        assert_eq!(slug("-a +b ?c", &known).as_deref(), Some("two"));
        assert_eq!(slug("?a ?b ?c", &known), None);
    }

    #[test]
    fn of_several_the_one_that_explains_most_is_meant_if_it_stands_alone() {
        let known = [wrong("small", &["a"]), wrong("large", &["a", "c"])];
        assert_eq!(slug("-a +b ?c", &known).as_deref(), Some("large"));
        let tied = [wrong("left", &["a", "c"]), wrong("right", &["a", "d"])];
        assert_eq!(slug("-a +b ?c ?d", &tied), None);
    }
}
