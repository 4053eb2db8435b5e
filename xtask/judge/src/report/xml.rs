//! JUnit's XML: <https://nexte.st/docs/machine-readable/junit/> is the shape that continuous integration understands best.

use std::fmt::Write as _;

use super::{Report, does_not_compile, first_line, has_passed, rfc3339};
use crate::Verdict;

pub(super) fn junit(report: &Report<'_>) -> String {
    let began = rfc3339(report.started_millis());
    let (mut failures, mut errors, mut suites) = (0, 0, String::new());
    for verdict in report.verdicts() {
        let failed = verdict.tests.iter().filter(|test| !has_passed(test)).count();
        let (failed, broken) = if does_not_compile(verdict) { (0, failed) } else { (failed, 0) };
        failures += failed;
        errors += broken;
        suites += &suite(verdict, &began, failed, broken);
    }
    // The same results of the same run have the same id, and it is of the kind that is made by rules of one's own (RFC 9562, 8).
    let hash = catalog::hash_bytes(format!("{began}{suites}").as_bytes());
    let uuid = format!("{}-{}-8{}-8{}-{}", &hash[..8], &hash[8..12], &hash[13..16], &hash[17..20], &hash[20..32]);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"workbook\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" uuid=\"{uuid}\" timestamp=\"{began}\" time=\"{}\">\n{suites}</testsuites>\n",
        report.tests().count(),
        seconds(report.took.as_millis()),
    )
}

fn suite(verdict: &Verdict, began: &str, failures: usize, errors: usize) -> String {
    let name = escaped(verdict.id.as_str());
    let mut text = format!(
        "  <testsuite name=\"{name}\" tests=\"{}\" skipped=\"0\" errors=\"{errors}\" failures=\"{failures}\">\n",
        verdict.tests.len()
    );
    if !verdict.edited.is_empty() {
        text.push_str("    <properties>\n");
        for path in &verdict.edited {
            let _ = writeln!(text, "      <property name=\"edited\" value=\"{}\"/>", escaped(path));
        }
        text.push_str("    </properties>\n");
    }
    for test in &verdict.tests {
        let _ = write!(
            text,
            "    <testcase name=\"{}\" classname=\"{name}\" timestamp=\"{began}\" time=\"{}\"",
            escaped(&test.name),
            seconds(u128::from(test.millis)),
        );
        if has_passed(test) && test.printed.is_empty() {
            text.push_str("/>\n");
            continue;
        }
        text.push_str(">\n");
        if !has_passed(test) {
            let element = if does_not_compile(verdict) { "error" } else { "failure" };
            let kind = if does_not_compile(verdict) { verdict.status.word() } else { test.outcome.word() };
            let (headline, message) = (escaped(first_line(&test.message)), escaped(&test.message));
            let _ = writeln!(text, "      <{element} message=\"{headline}\" type=\"{kind}\">{message}</{element}>");
        }
        if !test.printed.is_empty() {
            let _ = writeln!(text, "      <system-out>{}</system-out>", escaped(&test.printed));
        }
        text.push_str("    </testcase>\n");
    }
    text + "  </testsuite>\n"
}

fn seconds(millis: u128) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// Text that may stand anywhere in a document: XML 1.0 knows no control characters, not even escaped.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
