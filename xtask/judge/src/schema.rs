//! The shape of `check --format json`, once: the page of the book and the JSON Schema are written from it, and a test holds
//! [`verdict::document`](crate::verdict::document) against it.

use serde_json::{Map, Value, json};

use crate::verdict::{Outcome, SCHEMA, Status};

/// A field of an object.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What stands there.
    pub kind: Kind,
    /// What it means, as Markdown.
    pub meaning: &'static str,
}

/// What stands in a field.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// A text or `null`.
    TextOrNull,
    /// A whole number from 0.
    Count,
    /// The number of the schema itself.
    Version,
    /// One of these words, each with its meaning.
    Word(Vec<(&'static str, &'static str)>),
    /// Texts.
    Texts,
    /// An object.
    Object(Vec<Field>),
    /// Objects.
    Objects(Vec<Field>),
}

use Kind::{Count, Object, Objects, Text, TextOrNull, Texts, Version, Word};

fn field(name: &'static str, kind: Kind, meaning: &'static str) -> Field {
    Field { name, kind, meaning }
}

/// The fields of the whole document, in the order of the page.
#[must_use]
pub fn fields() -> Vec<Field> {
    vec![
        field("schema", Version, "The version of this page."),
        field("exercises", Objects(exercise()), "One object for each selected exercise, in the order of the book."),
        field("summary", Object(summary()), "The sums over `exercises`."),
    ]
}

fn exercise() -> Vec<Field> {
    let statuses = Status::ALL.into_iter().map(|status| (status.word(), meaning_of_status(status))).collect();
    vec![
        field(
            "id",
            Text,
            "`CHAPTER/NAME`. It is the exercise's path under `exercises/`, and it is what to key on: it outlives a new title.",
        ),
        field("title", Text, "For people, from the exercise's manifest."),
        field("status", Word(statuses), "Where the exercise stands."),
        field(
            "points",
            Object(points()),
            "A test is worth one point unless the exercise's manifest says otherwise; a test that did not pass earns nothing.",
        ),
        field(
            "stages",
            Objects(vec![
                field(
                    "name",
                    Text,
                    "The test module (`stage_1_…`). Tests outside any module form a stage whose name is empty.",
                ),
                field("passed", Count, "Its tests that passed."),
                field("total", Count, "All its tests."),
            ]),
            "In the order of the tests file.",
        ),
        field("tests", Objects(test()), "One object a test, in the order of the tests file."),
        field(
            "misconception",
            TextOrNull,
            "One sentence, the belief that is recognised from the set of failing tests. `null` when everything passes, or when the \
             failures match no known belief, or do not tell two of them apart. It is a hint for a person, not a verdict.",
        ),
        field(
            "edited",
            Texts,
            "Paths below the exercise's folder: tests, or the manifest, that are not as they were handed out. The verdict is about the \
             versions that were handed out, found in git by the hashes in `.pristine`. Usually empty.",
        ),
    ]
}

fn test() -> Vec<Field> {
    let outcomes = Outcome::ALL.into_iter().map(|outcome| (outcome.word(), meaning_of_outcome(outcome))).collect();
    vec![
        field("name", Text, "`stage::test`, as `cargo test` names it."),
        field("status", Word(outcomes), "How it ended."),
        field(
            "millis",
            Count,
            "Wall-clock milliseconds of this test's own process. Building is not counted. It varies from run to run, so do not grade on it.",
        ),
        field(
            "message",
            Text,
            "Why the test did not pass, without the test harness's own words; its last line is `at FILE:LINE:COLUMN` where that is known. \
             Empty when it passed. Output beyond 64 KiB is cut.",
        ),
    ]
}

fn summary() -> Vec<Field> {
    vec![
        field("solved", Count, "The exercises whose `status` is `\"solved\"`."),
        field("total", Count, "The selected exercises."),
        field("points", Object(points()), "Summed over all selected exercises."),
    ]
}

fn points() -> Vec<Field> {
    vec![
        field("earned", Count, "The points of the tests that passed."),
        field("possible", Count, "The points of all tests."),
    ]
}

fn meaning_of_status(status: Status) -> &'static str {
    match status {
        Status::Solved => "it compiled, and every test passed.",
        Status::Failing => "it compiled, and at least one test did not pass.",
        Status::BuildError => {
            "it did not compile. Then every test of its source is listed as `\"failed\"`, with 0 `millis` and a `message` that begins \
             `does not compile:`, and nothing is earned."
        }
    }
}

fn meaning_of_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "it ran to its end and was content.",
        Outcome::Failed => "it panicked or returned an error.",
        Outcome::Timeout => {
            "it was still running at its deadline (10 seconds unless the exercise's manifest or `--timeout` says otherwise) and was stopped."
        }
        Outcome::Crashed => "its process ended without a result: an abort, a stack overflow, a signal.",
    }
}

/// The same as a JSON Schema of the 2020-12 draft. Fields may be added, so it allows others.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = object_schema(&fields());
    let about = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What `cargo xtask check --format json` prints",
    });
    if let (Some(schema), Value::Object(about)) = (schema.as_object_mut(), about) {
        schema.extend(about);
    }
    schema
}

fn object_schema(fields: &[Field]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut schema = match &field.kind {
                Text => json!({"type": "string"}),
                TextOrNull => json!({"type": ["string", "null"]}),
                Count => json!({"type": "integer", "minimum": 0}),
                Version => json!({"const": SCHEMA}),
                Word(words) => json!({"enum": words.iter().map(|(word, _)| *word).collect::<Vec<_>>()}),
                Texts => json!({"type": "array", "items": {"type": "string"}}),
                Object(fields) => object_schema(fields),
                Objects(fields) => json!({"type": "array", "items": object_schema(fields)}),
            };
            schema["description"] = json!(field.meaning);
            (field.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = fields.iter().map(|field| field.name).collect();
    json!({"type": "object", "properties": properties, "required": required})
}

/// The same for the book: a heading for the document and for each object in it.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::new();
    object_markdown("The object", &fields(), "", &mut text);
    text
}

fn object_markdown(heading: &str, fields: &[Field], path: &str, text: &mut String) {
    text.push_str(&format!("## {heading}\n\n"));
    let mut below = Vec::new();
    for Field { name, kind, meaning } in fields {
        let place = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
        let kind_in_words = match kind {
            Text => "String",
            TextOrNull => "String or `null`",
            Count => "Integer from 0",
            Version => "Integer",
            Word(_) => "One of some words",
            Texts => "Array of strings",
            Object(_) => "Object",
            Objects(_) => "Array of objects",
        };
        text.push_str(&format!("* `{name}`: {kind_in_words}. {meaning}\n"));
        match kind {
            Word(words) => {
                for (word, meaning) in words {
                    text.push_str(&format!("  * `\"{word}\"`: {meaning}\n"));
                }
            }
            Object(fields) if fields.len() <= 2 => {
                for Field { name, meaning, .. } in fields {
                    text.push_str(&format!("  * `{name}`: Integer from 0. {meaning}\n"));
                }
            }
            Object(fields) => below.push((place, fields)),
            Objects(fields) => below.push((format!("{place}[]"), fields)),
            _ => {}
        }
    }
    text.push('\n');
    for (place, fields) in below {
        object_markdown(&format!("`{place}`"), fields, &place, text);
    }
}

/// Everything in `document` that is not as [`fields`] say, one line each; a field that they do not name is one too.
#[must_use]
pub fn faults(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    object_faults("", document, &fields(), &mut found);
    found
}

fn object_faults(place: &str, value: &Value, fields: &[Field], found: &mut Vec<String>) {
    let Some(object) = value.as_object() else {
        found.push(format!("{place} is no object"));
        return;
    };
    for name in object.keys().filter(|name| !fields.iter().any(|field| field.name == *name)) {
        found.push(format!("{place}.{name} is not in the schema"));
    }
    for Field { name, kind, .. } in fields {
        let place = format!("{place}.{name}");
        let Some(value) = object.get(*name) else {
            found.push(format!("{place} is missing"));
            continue;
        };
        let objects = || value.as_array().map(Vec::as_slice).unwrap_or_default();
        let fits = match kind {
            Text => value.is_string(),
            TextOrNull => value.is_string() || value.is_null(),
            Count => value.is_u64(),
            Version => *value == SCHEMA,
            Word(words) => words.iter().any(|(word, _)| value == word),
            Texts => value.is_array() && objects().iter().all(Value::is_string),
            Objects(_) => value.is_array(),
            Object(_) => value.is_object(),
        };
        match kind {
            _ if !fits => found.push(format!("{place} cannot be {value}")),
            Object(fields) => object_faults(&place, value, fields, found),
            Objects(fields) => {
                for (at, value) in objects().iter().enumerate() {
                    object_faults(&format!("{place}[{at}]"), value, fields, found);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{TestVerdict, Verdict, document};
    use catalog::Id;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn reference(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/reference").join(name)
    }

    /// A verdict on every kind of exercise, with every kind of test.
    fn verdicts() -> Vec<Verdict> {
        let test = |(at, outcome): (usize, Outcome)| TestVerdict {
            name: format!("stage_1_x::t{at}"),
            outcome,
            millis: 3,
            message: "m".to_owned(),
            printed: "not part of it".to_owned(),
        };
        let verdict = |status| Verdict {
            id: Id::new("01-a", "b"),
            title: "T".to_owned(),
            status,
            earned: 1,
            possible: 4,
            tests: Outcome::ALL.into_iter().enumerate().map(test).collect(),
            misconception: (status == Status::Failing).then(|| "wrong".to_owned()),
            errors: vec!["not part of it".to_owned()],
            edited: vec!["tests/b.rs".to_owned()],
        };
        Status::ALL.map(verdict).into()
    }

    #[test]
    fn what_check_prints_is_what_the_schema_says() {
        assert_eq!(faults(&document(&verdicts())), Vec::<String>::new());
        assert_eq!(faults(&document(&[])), Vec::<String>::new());
    }

    #[test]
    fn what_differs_from_the_schema_is_found() {
        let broken = |change: fn(&mut Value), expected: &str| {
            let mut document = document(&verdicts());
            change(&mut document);
            assert_eq!(faults(&document), [expected]);
        };
        broken(|document| document["schema"] = json!(2), ".schema cannot be 2");
        broken(|document| document["more"] = json!(2), ".more is not in the schema");
        broken(
            |document| document["exercises"][1]["status"] = json!("lost"),
            ".exercises[1].status cannot be \"lost\"",
        );
        broken(
            |document| document["exercises"][0]["tests"][2]["millis"] = json!(-1),
            ".exercises[0].tests[2].millis cannot be -1",
        );
        broken(|document| document["summary"] = json!([]), ".summary cannot be []");
        broken(
            |document| drop(document["exercises"][2].as_object_mut().and_then(|it| it.remove("title"))),
            ".exercises[2].title is missing",
        );
    }

    #[test]
    fn the_pages_example_is_of_that_shape() {
        let page = fs::read_to_string(reference("verdict-schema.md")).expect("the page can be read");
        let example = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
        let example: Value = serde_json::from_str(example).expect("JSON");
        assert_eq!(faults(&example), Vec::<String>::new());
    }

    /// The page's middle and the JSON Schema beside it are written by `BLESS=1 cargo test -p judge`.
    #[test]
    fn the_page_and_the_json_schema_are_the_table() {
        const BEGIN: &str = "<!-- The rest of this part is written by `BLESS=1 cargo test -p judge` from xtask/judge/src/schema.rs. -->\n\n";
        const END: &str = "<!-- End of what is written. -->\n";
        let bless = std::env::var_os("BLESS").is_some();
        let read = |file: &Path| fs::read_to_string(file).unwrap_or_default().replace("\r\n", "\n");

        let file = reference("verdict-schema.md");
        let page = read(&file);
        let (before, rest) = page.split_once(BEGIN).expect("the page marks where the written part begins");
        let (_, after) = rest.split_once(END).expect("the page marks where the written part ends");
        let expected = format!("{before}{BEGIN}{}{END}{after}", markdown());
        if bless {
            fs::write(&file, &expected).expect("the page can be written");
        }
        assert!(
            read(&file) == expected,
            "book/src/reference/verdict-schema.md is stale: `BLESS=1 cargo test -p judge` writes it"
        );

        let file = reference("verdict.schema.json");
        // Compared as values: another crate of the same build may have serde_json keep the order of insertion.
        if bless && serde_json::from_str(&read(&file)).ok() != Some(json_schema()) {
            let text = serde_json::to_string_pretty(&json_schema()).expect("JSON");
            fs::write(&file, text + "\n").expect("the schema can be written");
        }
        let found: Option<Value> = serde_json::from_str(&read(&file)).ok();
        assert!(
            found == Some(json_schema()),
            "book/src/reference/verdict.schema.json is stale: `BLESS=1 cargo test -p judge` writes it"
        );
    }
}
