//! `book/src/reference/kit.md`, written from the sources of `exercises/kit`: `BLESS=1 cargo test -p book-builder --test reference`
//! writes it, and without `BLESS` the test fails when it is stale.
//!
//! The reader below knows formatted Rust: an item begins a line, what belongs to it is indented by four more spaces.

use std::{fmt::Write as _, fs, path::Path};

/// A public item, as the page shows it.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    /// `fn`, `struct`, …
    kind: String,
    /// `Sim`, or `Sim::run_for`.
    name: String,
    /// The first sentence of its documentation.
    doc: String,
}

/// A public module: what it is for, and what is public in it.
#[derive(Debug, Default)]
struct Module {
    name: String,
    doc: String,
    /// The feature that brings it, if it does not always come.
    feature: Option<String>,
    items: Vec<Item>,
}

/// The first sentence of documentation, with links to items as the code that they are.
fn first_sentence(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    // "et al. 1994" goes on.
    let ends = |at: &usize| {
        paragraph[at + 2..].starts_with(|c: char| c.is_uppercase() || c == '`' || c == '[')
            && !paragraph[..*at].ends_with(" al")
    };
    let end = paragraph.match_indices(". ").map(|(at, _)| at).find(ends).map(|at| at + 1);
    let sentence = &paragraph[..end.unwrap_or(paragraph.len())];
    let mut out = String::new();
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once("[`") {
        out.push_str(before);
        let Some((code, behind)) = after.split_once("`]") else { break };
        out.push_str(&format!("`{code}`"));
        // `[`step`](node::Node::step)`: where it leads is rustdoc's business.
        let target = behind.strip_prefix('(').and_then(|behind| behind.split_once(')'));
        rest = target.map_or(behind, |(_, behind)| behind);
    }
    out + rest
}

/// The public items of one source file. Nothing below `#[cfg(test)]` counts.
fn items(source: &str) -> Vec<Item> {
    let mut found = Vec::new();
    let mut doc = String::new();
    let mut owner: Option<(usize, String)> = None;
    for line in source.lines() {
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if let Some(words) = text.strip_prefix("///") {
            let _ = writeln!(doc, "{}", words.strip_prefix(' ').unwrap_or(words));
            continue;
        }
        if text.starts_with("#[") || (!doc.is_empty() && text.starts_with(")]")) {
            continue;
        }
        if indent == 0 && text.starts_with('}') {
            owner = None;
        }
        if indent == 0 && (text.starts_with("impl") || text.starts_with("pub trait ")) {
            owner = owned(text).map(|name| (4, name));
        }
        let is_in_trait = matches!(&owner, Some((4, name)) if indent == 4 && name.starts_with("trait "));
        if let Some((kind, name)) = declared(text, is_in_trait) {
            let owner = owner.as_ref().filter(|_| indent == 4).map(|(_, name)| name.trim_start_matches("trait "));
            let name = owner.map_or(name.clone(), |owner| format!("{owner}::{name}"));
            // Fields and variants are the item's own page's business.
            if indent == 0 || owner.is_some() {
                found.push(Item { kind, name, doc: first_sentence(doc.trim()) });
            }
        }
        doc.clear();
    }
    found
}

/// Whose methods an `impl` block or a trait holds; nothing for the implementation of a trait.
fn owned(line: &str) -> Option<String> {
    if let Some(rest) = line.strip_prefix("pub trait ") {
        return Some(format!("trait {}", name_at(rest)));
    }
    let rest = line.strip_prefix("impl")?;
    let rest = match rest.strip_prefix('<') {
        Some(generic) => {
            let mut depth = 1;
            let end = generic.char_indices().find(|(at, c)| {
                match c {
                    '<' => depth += 1,
                    '>' if !generic[..*at].ends_with('-') => depth -= 1,
                    _ => {}
                }
                depth == 0
            })?;
            &generic[end.0 + 1..]
        }
        None => rest,
    };
    (!rest.contains(" for ")).then(|| name_at(rest.trim_start()))
}

/// What a line declares for everybody: its kind and its name. In a trait everything is.
fn declared(line: &str, is_in_trait: bool) -> Option<(String, String)> {
    let rest =
        line.strip_prefix("pub ").or_else(|| line.strip_prefix("#[macro_export] ")).or(is_in_trait.then_some(line))?;
    let mut words = rest.split_whitespace().peekable();
    while words.peek().is_some_and(|word| ["const", "async", "unsafe"].contains(word)) {
        let word = words.next()?;
        if word == "const" && words.peek() != Some(&"fn") {
            return Some(("const".to_owned(), name_at(words.next()?)));
        }
    }
    let kind = words.next()?;
    let name = words.next()?;
    ["fn", "struct", "enum", "trait", "type"].contains(&kind).then(|| (kind.to_owned(), name_at(name)))
}

fn name_at(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The `//!` lines at the top of a file.
fn module_doc(source: &str) -> String {
    let lines = source.lines().take_while(|line| line.starts_with("//!"));
    lines.map(|line| line.trim_start_matches("//!").trim_start()).collect::<Vec<_>>().join("\n")
}

/// The public modules of the crate whose sources lie in `src`, the root first, under the name `kit`.
fn modules(src: &Path) -> Vec<Module> {
    let root = fs::read_to_string(src.join("lib.rs")).expect("the kit's root can be read");
    let read =
        |name: &str| fs::read_to_string(src.join(format!("{name}.rs"))).expect("a module has a file of its name");
    let mut found = vec![Module { name: "kit".to_owned(), doc: module_doc(&root), feature: None, items: items(&root) }];
    let mut feature = None;
    for line in root.lines() {
        if let Some(rest) = line.strip_prefix("#[cfg(feature = \"") {
            feature = rest.split('"').next().map(str::to_owned);
            continue;
        }
        let feature = feature.take();
        if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            // What a private module has is used through the root.
            found[0].items.extend(items(&read(name)));
        }
        if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            let source = read(name);
            let mut module = Module { name: name.to_owned(), doc: module_doc(&source), feature, items: items(&source) };
            for below in source.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')) {
                if below != "tests" {
                    let reexported = |item: &Item| {
                        let name = item.name.split("::").next().unwrap_or_default();
                        let mut uses = source.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
                        uses.any(|names| {
                            names.starts_with(below) && names.split([':', '{', '}', ',', ' ']).any(|word| word == name)
                        }) || item.name.contains("::") && module.items.iter().any(|known| known.name == name)
                    };
                    let below: Vec<Item> =
                        items(&read(&format!("{name}/{below}"))).into_iter().filter(reexported).collect();
                    module.items.extend(below);
                }
            }
            found.push(module);
        }
    }
    found
}

fn page(src: &Path) -> String {
    let mut text = String::from(
        "# The kit\n\n\
         <!-- Written by `BLESS=1 cargo test -p book-builder --test reference` from the sources of exercises/kit; a test compares. -->\n\n\
         What the exercises' tests are made of: each public item with the first sentence of its documentation.\n\
         `cargo doc -p kit --all-features --open` shows all of it, with signatures and examples.\n",
    );
    for module in modules(src) {
        let Module { name, doc, feature, items } = module;
        let heading = if name == "kit" { "The root".to_owned() } else { name };
        let _ = write!(text, "\n## {heading}\n\n{}\n", first_sentence(&doc));
        if let Some(feature) = feature {
            let _ = write!(text, "\nIt comes with the feature `{feature}`.\n");
        }
        text.push('\n');
        for Item { kind, name, doc } in by_owner(items) {
            let indent = if name.contains("::") { "  " } else { "" };
            let doc = if doc.is_empty() { String::new() } else { format!(": {doc}") };
            let _ = writeln!(text, "{indent}* {kind} `{name}`{doc}");
        }
    }
    text
}

/// Each item with what belongs to it behind it, wherever that was written.
fn by_owner(items: Vec<Item>) -> Vec<Item> {
    let (methods, mut sorted): (Vec<Item>, Vec<Item>) = items.into_iter().partition(|item| item.name.contains("::"));
    for method in methods {
        let owner = method.name.split("::").next().unwrap_or_default();
        let belongs = |item: &Item| item.name.split("::").next() == Some(owner);
        let at = sorted.iter().rposition(belongs).map_or(sorted.len(), |at| at + 1);
        sorted.insert(at, method);
    }
    sorted
}

#[test]
fn the_page_of_the_kit_is_its_documentation() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let expected = page(&root.join("exercises/kit/src"));
    let file = root.join("book/src/reference/kit.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &expected).expect("the page can be written");
    }
    let found = fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        found == expected,
        "book/src/reference/kit.md is stale: `BLESS=1 cargo test -p book-builder --test reference` writes it"
    );
}

#[test]
fn public_items_are_found_with_their_owners() {
    let source = "//! M.\n\n/// A thing. More of it.\n#[derive(Debug)]\npub struct Thing<T> {\n    /// A field.\n    pub x: T,\n}\n\nimpl<F: Fn() -> u8> Thing<F> {\n    \
                  /// Makes [`Thing`]s, as\n    /// [`other`](a::b) does.\n    pub const fn new() -> Self {\n        todo!()\n    }\n    fn private() {}\n}\n\n\
                  impl fmt::Display for Thing<u8> {\n    pub fn not_listed() {}\n}\n\n/// Acts.\npub trait Act {\n    /// Once.\n    fn act(&self);\n}\n\n\
                  /// N.\npub const N: u8 = 1;\n#[cfg(test)]\nmod tests {\n    pub fn hidden() {}\n}\n";
    let found: Vec<String> =
        items(source).into_iter().map(|Item { kind, name, doc }| format!("{kind} {name}: {doc}")).collect();
    assert_eq!(
        found,
        [
            "struct Thing: A thing.",
            "fn Thing::new: Makes `Thing`s, as `other` does.",
            "trait Act: Acts.",
            "fn Act::act: Once.",
            "const N: N."
        ]
    );
}
