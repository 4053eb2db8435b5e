//! The files of a scaffold. Each `TODO` is something that only the author can say; `verify` finds every one.

use catalog::Id;

/// Path below the root, and text.
pub(crate) fn files(id: &Id) -> Vec<(String, String)> {
    let (chapter, name) = (id.chapter(), id.name());
    let fill = |text: &str| {
        text.replace("{name}", name)
            .replace("{lib}", &name.replace('-', "_"))
            .replace("{id}", id.as_str())
            .replace("{title}", &in_words(name))
            .replace("{chapter}", &chapter_in_words(id))
    };
    let paths = [
        (format!("exercises/{id}/Cargo.toml"), MANIFEST),
        (format!("exercises/{id}/src/lib.rs"), STUB),
        (format!("exercises/{id}/tests/{name}.rs"), TESTS),
        (format!("exercises/{id}/hints.md"), HINTS),
        (format!("solutions/{id}/Cargo.toml"), SOLUTION_MANIFEST),
        (format!("solutions/{id}/src/lib.rs"), SOLUTION),
        (format!("book/src/{chapter}/README.md"), CHAPTER),
        (format!("book/src/{id}.md"), PAGE),
        (format!("book/claims/{chapter}.toml"), CLAIMS),
        (format!("book/topics/{chapter}.toml"), TOPICS),
    ];
    paths.into_iter().map(|(path, text)| (path, fill(text))).collect()
}

/// `commit-point` → `Commit point`
pub(crate) fn in_words(slug: &str) -> String {
    let words = slug.replace('-', " ");
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `05-events` → `Events`
pub(crate) fn chapter_in_words(id: &Id) -> String {
    in_words(id.chapter().split_once('-').map_or(id.chapter(), |(_, words)| words))
}

const MANIFEST: &str = r#"[package]
name = "{name}"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true

[package.metadata.exercise]
title = "TODO: a title"
summary = "TODO: what the reader will have done, in a sentence"
difficulty = 1
minutes = 30

[lib]
test = false
doctest = false
doc = false

[dev-dependencies]
kit.workspace = true
pretty_assertions.workspace = true
rand.workspace = true

[lints]
workspace = true
"#;

const STUB: &str = r#"//! TODO: what this is, in a sentence.

/// TODO: what it promises, with units and errors.
#[must_use]
pub fn answer(question: u64) -> u64 {
    todo!("TODO: say what to do with {question}")
}
"#;

const TESTS: &str = r#"//! TODO: the laws, in a sentence.

use {lib}::answer;

mod stage_1_first {
    use super::*;
    use pretty_assertions::assert_eq;

    /// TODO: the story of this test.
    #[test]
    fn an_answer_is_twice_its_question() {
        assert_eq!(answer(21), 42, "the answer to 21 is not twice as much");
    }
}
"#;

const HINTS: &str = "## 1\nTODO: a question.\n\n## 2\nTODO: the idea.\n\n## 3\nTODO: almost the code.\n";

const SOLUTION_MANIFEST: &str = r#"[package]
name = "{name}-solution"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true

[lib]
name = "{lib}"
test = false
doctest = false

[[test]]
name = "{name}"
path = "../../../exercises/{id}/tests/{name}.rs"

[dev-dependencies]
kit.workspace = true
pretty_assertions.workspace = true
rand.workspace = true

[lints]
workspace = true
"#;

const SOLUTION: &str = r#"//! TODO: what this is, in a sentence.

/// TODO: what it promises, with units and errors.
#[must_use]
pub fn answer(question: u64) -> u64 {
    question * 2
}
"#;

const CHAPTER: &str = "# {chapter}\n\nTODO: what this chapter is about.\n";

const PAGE: &str = r"# {title}

TODO: the problem, concretely: a number, an outage, a bill.

## The idea

TODO: with one figure.

> [!predict]
> TODO: a question whose answer surprises?
>
> ---
> TODO: the answer.

## Your task

{{#exercise}}

1. TODO: the invariants.

## What can go wrong

TODO: the wrong answers, as questions.

## In production

TODO: who does it how, with sources; when not to use it.

## Quiz

> [!quiz]
> TODO: a question?
>
> - [ ] TODO: a wrong choice :: TODO: why it is wrong
> - [x] TODO: the right choice :: TODO: why it is right

## References

TODO
";

/// A chapter that exists keeps its lists; `verify` says what is missing in them.
const CLAIMS: &str = r#"[[claim]]
page = "{id}.md"
says = "TODO: words of the page"
test = "exercises/{id}/tests/{name}.rs::TODO_the_test_that_computes_it"
"#;

const TOPICS: &str = r#"[[topic]]
id = "{name}"
topic = "TODO: what the page covers, in the field's words"
at = ["{id}.md#the-idea"]
"#;
