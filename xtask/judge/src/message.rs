//! What a failing test said, without what the test harness and the panic machinery say around it.

use crate::compile::strip_colours;

/// The panics in a process's standard error, one below the other, each followed by `at FILE:LINE:COLUMN`.
/// If nothing panicked, the text itself.
/// Colours go: the same text is shown in terminals, pages and JSON.
pub(crate) fn from_stderr(stderr: &str) -> String {
    let stderr = &strip_colours(stderr);
    let mut ways: Vec<&str> = Vec::new();
    let mut panics: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut open = false;
    for line in stderr.lines() {
        if line.starts_with("replay  ") || line.starts_with("picture ") {
            ways.push(line);
        } else if let Some(place) = panic_place(line) {
            panics.push((place, Vec::new()));
            open = true;
        } else if is_noise(line) {
            open = false;
        } else if open && let Some((_, message)) = panics.last_mut() {
            message.push(line);
        }
    }
    if panics.is_empty() {
        return trimmed(&stderr.lines().filter(|line| !is_noise(line)).collect::<Vec<_>>());
    }
    let mut blocks: Vec<String> = Vec::new();
    for (place, message) in panics {
        // Whoever waited for a thread that panicked panics too, and knows nothing more.
        if !blocks.is_empty() && message.iter().any(|line| line.ends_with("Any { .. }")) {
            continue;
        }
        let block = format!("{}\nat {place}", reworded(&trimmed(&message))).trim().to_owned();
        if !blocks.contains(&block) {
            blocks.push(block);
        }
    }
    ways.dedup();
    blocks.extend(ways.into_iter().map(str::to_owned));
    blocks.join("\n")
}

/// How a failed comparison begins: the standard library's and `pretty_assertions`', of what is to be equal and what is not.
const COMPARISONS: [&str; 4] = [
    "assertion `left == right` failed",
    "assertion `left != right` failed",
    "assertion failed: `(left == right)`",
    "assertion failed: `(left != right)`",
];

/// What one panic said, in the words of [`crate::run`]'s verdicts: comparisons with what came and what should have come, no
/// colours.
#[must_use]
pub fn in_words(panic: &str) -> String {
    let plain = strip_colours(panic);
    reworded(&trimmed(&plain.lines().collect::<Vec<_>>()))
}

/// A failed comparison in a reader's words: why it matters, what came, what should have come, and then the run.
///
/// ```text
/// assertion `left == right` failed: why        why
/// …the run…                              →     got       1
///   left: 1                                    expected  2
///  right: 2                                    …the run…
/// ```
///
/// The comparisons of `pretty_assertions` become the same, if each value fits on a line; else their difference stays.
fn reworded(message: &str) -> String {
    let reworded = plain_comparison(message).or_else(|| drawn_comparison(message));
    let Some((why, values)) = reworded else {
        // Its end may have been cut off; what it says first is why it matters.
        let why = COMPARISONS.iter().find_map(|comparison| message.strip_prefix(comparison)?.strip_prefix(": "));
        return why.unwrap_or(message).to_owned();
    };
    let why = why.strip_prefix(": ").unwrap_or(why).trim_end();
    let (first, run) = why.split_once('\n').unwrap_or((why, ""));
    [first, &values, run].into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The standard library's: why it matters, and the values in words.
fn plain_comparison(message: &str) -> Option<(&str, String)> {
    let equal = message.strip_prefix(COMPARISONS[0]);
    let rest = equal.or_else(|| message.strip_prefix(COMPARISONS[1]))?;
    let (why, values) = rest.rsplit_once("\n  left: ")?;
    let (left, right) = values.split_once("\n right: ")?;
    let right = if equal.is_some() { right } else { "something else" };
    Some((why, format!("got       {left}\nexpected  {right}")))
}

/// `pretty_assertions`': why it matters, and the values in words.
fn drawn_comparison(message: &str) -> Option<(&str, String)> {
    if let Some(rest) = message.strip_prefix(COMPARISONS[3]) {
        let (why, both) = rest.rsplit_once("\n\nBoth sides:\n")?;
        let both = both.trim_end();
        return Some((
            why,
            format!("got       {}\nexpected  something else", on_a_line(both).as_deref().unwrap_or(both)),
        ));
    }
    let rest = message.strip_prefix(COMPARISONS[2])?;
    let (why, difference) = rest.rsplit_once("\n\nDiff < left / right > :\n")?;
    let of = |side: char| -> Option<String> {
        let lines = difference.lines().filter(|line| line.starts_with([' ', side]));
        on_a_line(&lines.map(|line| &line[1..]).collect::<Vec<_>>().join("\n"))
    };
    let values = match (of('<'), of('>')) {
        (Some(left), Some(right)) => format!("got       {left}\nexpected  {right}"),
        _ => format!("got < and expected >:\n{}", difference.trim_end()),
    };
    Some((why, values))
}

/// A value as `{:?}` writes it, from how `{:#?}` does. `None` if it is too long for a line, or if it is no such value.
fn on_a_line(pretty: &str) -> Option<String> {
    const WIDTH: usize = 100;
    let mut line = String::new();
    for (at, part) in pretty.lines().enumerate() {
        let (part, closes) = (part.trim_start(), part.trim_start().starts_with(['}', ']', ')']));
        let opened = line.ends_with(['{', '[', '(']);
        if at > 0 && !opened && !line.ends_with(',') {
            return None;
        }
        if closes {
            line.truncate(line.trim_end_matches(',').len());
        }
        let is_spaced = if closes { part.starts_with('}') } else { at > 0 && !line.ends_with(['[', '(']) };
        line.push_str(if is_spaced { " " } else { "" });
        line.push_str(part);
    }
    (!line.is_empty() && line.chars().count() <= WIDTH).then_some(line)
}

/// What the code under test printed, without the harness's lines around it.
pub(crate) fn printed(stdout: &str) -> String {
    let body = stdout.split_once("\nrunning 1 test\n").map_or(stdout, |(_, body)| body);
    let body = body.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")).map_or(body, |(_, body)| body);
    let body = body.rfind("\nfailures:\n\nfailures:\n").map_or(body, |at| &body[..at]);
    let body = body.rfind("\ntest result: ").map_or(body, |at| &body[..at]);
    let lines: Vec<&str> = body.lines().filter(|line| !matches!(line.trim(), "ok" | "FAILED" | "")).collect();
    trimmed(&lines)
}

/// True if the harness says that the one test it was asked for came to a good end.
pub(crate) fn says_passed(stdout: &str) -> bool {
    stdout.lines().rev().any(|line| line.starts_with("test result: ok. 1 passed; 0 failed;"))
}

/// True if the harness says that the test failed, so that the process ended in order.
pub(crate) fn says_failed(stdout: &str) -> bool {
    stdout.lines().rev().any(|line| line.starts_with("test result: FAILED. 0 passed; 1 failed;"))
}

/// What the harness itself had to say of a test that failed without a panic, such as a missing `should_panic`.
pub(crate) fn harness_note(stdout: &str) -> Option<&str> {
    stdout.lines().find_map(|line| line.strip_prefix("note: ").or_else(|| line.strip_prefix("Error: ")))
}

/// `thread 'x' (17) panicked at src/lib.rs:3:5:` → `src/lib.rs:3:5`
fn panic_place(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("thread '")?;
    let (_, place) = rest.split_once("panicked at ")?;
    Some(place.strip_suffix(':').unwrap_or(place))
}

fn is_noise(line: &str) -> bool {
    line.starts_with("note: run with `RUST_BACKTRACE=1`")
        || line.starts_with("stack backtrace:")
        || line.starts_with("error: test failed")
}

/// Lines joined, without trailing blanks, without empty ones at either end and never two of those in a row.
fn trimmed(lines: &[&str]) -> String {
    let mut text: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    text.dedup_by(|line, before| line.is_empty() && before.is_empty());
    text.join("\n").trim_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_message_and_its_place() {
        let stderr = "\nthread 'stage_1::a' (4711) panicked at exercises/01-a/b/tests/b.rs:9:5:\nassertion `left == right` failed: \
                      why\n  left: 1\n right: 2\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\nafter\n";
        let expected = "why\ngot       1\nexpected  2\nat exercises/01-a/b/tests/b.rs:9:5";
        assert_eq!(from_stderr(stderr), expected);
    }

    #[test]
    fn a_comparison_says_why_what_came_and_what_should_have_before_the_run_that_led_there() {
        let stderr = "thread 'a' panicked at t.rs:1:1:\nassertion `left == right` failed: why\n  t=0  a  starts\n\n  left: 1\n right: [\n    2,\n]\n";
        assert_eq!(from_stderr(stderr), "why\ngot       1\nexpected  [\n    2,\n]\n  t=0  a  starts\nat t.rs:1:1");
        assert_eq!(reworded("assertion `left == right` failed\n  left: 1\n right: 2"), "got       1\nexpected  2");
        let unequal = "assertion `left != right` failed: why\n  left: 1\n right: 1";
        assert_eq!(reworded(unequal), "why\ngot       1\nexpected  something else");
        assert_eq!(reworded("1 is not 2"), "1 is not 2");
    }

    #[test]
    fn a_drawn_comparison_says_it_in_the_same_words() {
        let drawn = "assertion failed: `(left == right)`: why\n  t=0  a  starts\n\nDiff < left / right > :\n Held(\n     Millis(\n<        9898,\n>        9878,\n     ),\n )\n\n";
        assert_eq!(
            reworded(drawn),
            "why\ngot       Held(Millis(9898))\nexpected  Held(Millis(9878))\n  t=0  a  starts"
        );
        let one = "assertion failed: `(left == right)`\n\nDiff < left / right > :\n<1\n>2\n\n";
        assert_eq!(reworded(one), "got       1\nexpected  2");
        let gone =
            "assertion failed: `(left == right)`: why\n\nDiff < left / right > :\n<Some(\n<    2,\n<)\n>None\n\n";
        assert_eq!(reworded(gone), "why\ngot       Some(2)\nexpected  None");
        let record = "assertion failed: `(left == right)`: why\n\nDiff < left / right > :\n (\n     Saved {\n         term: Term(\n             5,\n         ),\n         log: [],\n     },\n<    true,\n>    false,\n )\n\n";
        let said = "why\ngot       (Saved { term: Term(5), log: [] }, true)\nexpected  (Saved { term: Term(5), log: [] }, false)";
        assert_eq!(reworded(record), said);
        let unequal = "assertion failed: `(left != right)`: why\n\nBoth sides:\nSome(\n    2,\n)\n\n";
        assert_eq!(reworded(unequal), "why\ngot       Some(2)\nexpected  something else");
    }

    #[test]
    fn where_the_end_of_a_comparison_is_cut_off_its_reason_is_left() {
        assert_eq!(in_words("assertion failed: `(left == right)`: why\n\nDiff < le"), "why\n\nDiff < le");
        assert_eq!(in_words("assertion failed: a < b"), "assertion failed: a < b");
        let coloured = "assertion failed: `(left == right)`: why\n\n\u{1b}[1mDiff\u{1b}[0m \u{1b}[31m< left\u{1b}[0m / \u{1b}[32mright >\u{1b}[0m :\n\u{1b}[31m<Ok(\u{1b}[0m\n\u{1b}[31m<    1,\u{1b}[0m\n\u{1b}[32m>Err(\u{1b}[0m\n\u{1b}[32m>    2,\u{1b}[0m\n )\n\n";
        assert_eq!(in_words(coloured), "why\ngot       Ok(1)\nexpected  Err(2)");
    }

    #[test]
    fn what_does_not_fit_on_a_line_stays_as_it_was_drawn() {
        let text = "assertion failed: `(left == right)`: why\n\nDiff < left / right > :\n one line\n<another\n>and one more\n\n";
        assert_eq!(reworded(text), "why\ngot < and expected >:\n one line\n<another\n>and one more");
        let long =
            format!("assertion failed: `(left == right)`\n\nDiff < left / right > :\n<{}\n>1\n\n", "9".repeat(101));
        assert_eq!(reworded(&long), format!("got < and expected >:\n<{}\n>1", "9".repeat(101)));
    }

    #[test]
    fn the_way_to_see_a_run_again_survives_what_the_harness_says_before_it() {
        let stderr = "thread 'a' panicked at t.rs:1:1:\n\u{1b}[1mwhy\u{1b}[0m\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n\
                      picture /x/y.html\nreplay  KIT_SEED=3 cargo test\nreplay  KIT_SEED=3 cargo test\n";
        assert_eq!(from_stderr(stderr), "why\nat t.rs:1:1\npicture /x/y.html\nreplay  KIT_SEED=3 cargo test");
    }

    #[test]
    fn the_panic_of_a_spawned_thread_comes_first_and_repeats_are_dropped() {
        let stderr = "thread '<unnamed>' panicked at a.rs:1:1:\ncause\nthread 'main' panicked at b.rs:2:2:\neffect\n\
                      thread 'main' panicked at b.rs:2:2:\neffect\n";
        assert_eq!(from_stderr(stderr), "cause\nat a.rs:1:1\neffect\nat b.rs:2:2");
    }

    #[test]
    fn who_waited_for_a_thread_that_panicked_says_nothing_new() {
        let stderr = "thread '<unnamed>' panicked at a.rs:1:1:\ncause\nthread 'main' panicked at b.rs:2:2:\nFailed to join: Any { .. }\n";
        assert_eq!(from_stderr(stderr), "cause\nat a.rs:1:1");
        let alone = "thread 'main' panicked at b.rs:2:2:\nFailed to join: Any { .. }\n";
        assert_eq!(from_stderr(alone), "Failed to join: Any { .. }\nat b.rs:2:2");
    }

    #[test]
    fn colours_and_double_blank_lines_are_dropped() {
        let stderr = "thread 'x' panicked at a.rs:1:1:\none\n\n\n\u{1b}[1mtwo\u{1b}[0m\n";
        assert_eq!(from_stderr(stderr), "one\n\ntwo\nat a.rs:1:1");
    }

    #[test]
    fn without_a_panic_the_text_itself_is_the_message() {
        assert_eq!(
            from_stderr("\nthread 'x' has overflowed its stack\nfatal runtime error: stack overflow\n"),
            "thread 'x' has overflowed its stack\nfatal runtime error: stack overflow"
        );
    }

    #[test]
    fn what_the_code_printed_is_told_from_the_harness() {
        let stdout = "\nrunning 1 test\ntest stage_1::a ... hello\nworld\nFAILED\n\nfailures:\n\nfailures:\n    stage_1::a\n\n\
                      test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.00s\n\n";
        assert_eq!(printed(stdout), "hello\nworld");
        assert!(says_failed(stdout) && !says_passed(stdout));
        let quiet = "\nrunning 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(printed(quiet), "");
        assert!(says_passed(quiet));
    }
}
