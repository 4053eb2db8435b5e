//! A light reading of Rust source: enough to list the tests of a file and to notice a macro, without a parser crate.

use crate::TestName;

/// The tests of a file in order, with the module they stand in and their doc comment.
#[must_use]
pub fn test_names(source: &str) -> Vec<TestName> {
    let tokens = tokens(source);
    let mut tests = Vec::new();
    let mut modules: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let (mut doc, mut is_test) = (Vec::new(), false);
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            Token::Doc(line) => doc.push(line.as_str()),
            Token::Punct('#') if tokens.get(at + 1) == Some(&Token::Punct('[')) => {
                let end = closing_bracket(&tokens, at + 1);
                is_test |= attribute_name(&tokens[at + 2..end]) == Some("test");
                at = end;
            }
            Token::Word(word) if word == "mod" => {
                if let (Some(Token::Word(name)), Some(Token::Punct('{'))) = (tokens.get(at + 1), tokens.get(at + 2)) {
                    modules.push((name.clone(), depth));
                    (depth, at) = (depth + 1, at + 2);
                }
                doc.clear();
                is_test = false;
            }
            Token::Word(word) if word == "fn" => {
                if let (true, Some(Token::Word(name))) = (is_test, tokens.get(at + 1)) {
                    let stage = modules.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("::");
                    tests.push(TestName { stage, name: name.clone(), doc: doc.join(" ").trim().to_owned() });
                }
                doc.clear();
                is_test = false;
            }
            Token::Punct('{') => depth += 1,
            Token::Punct('}') => {
                depth = usize::saturating_sub(depth, 1);
                modules.retain(|(_, opened_at)| *opened_at < depth);
                doc.clear();
            }
            Token::Punct(';') => doc.clear(),
            Token::Word(_) | Token::Punct(_) => {}
        }
        at += 1;
    }
    tests
}

/// True if `name!` is called anywhere in the source, comments and strings aside.
#[must_use]
pub fn calls_macro(source: &str, name: &str) -> bool {
    let is_call = |pair: &[Token]| matches!(pair, [Token::Word(word), Token::Punct('!')] if word == name);
    tokens(source).windows(2).any(is_call)
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Punct(char),
    /// One line of an outer doc comment.
    Doc(String),
}

/// `tokio :: test ( … )` → `test`
fn attribute_name(tokens: &[Token]) -> Option<&str> {
    let path = tokens.iter().take_while(|token| matches!(token, Token::Word(_) | Token::Punct(':')));
    path.filter_map(|token| if let Token::Word(word) = token { Some(word.as_str()) } else { None }).last()
}

fn closing_bracket(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Punct('[') => depth += 1,
            Token::Punct(']') if depth == 1 => return at,
            Token::Punct(']') => depth -= 1,
            _ => {}
        }
    }
    tokens.len() - 1
}

fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        rest = if rest.starts_with("//") {
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            if let Some(doc) = line.strip_prefix("///").filter(|doc| !doc.starts_with('/')) {
                tokens.push(Token::Doc(doc.trim().to_owned()));
            }
            after
        } else if rest.starts_with("/*") {
            after_block_comment(rest)
        } else if let Some(after) = after_raw_string(rest) {
            after
        } else if first == '"' {
            after_string(&rest[1..])
        } else if first == '\'' {
            after_quote(&rest[1..])
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            &rest[end..]
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Punct(first));
            }
            &rest[first.len_utf8()..]
        };
    }
    tokens
}

fn after_block_comment(text: &str) -> &str {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    &text[at.min(text.len())..]
}

/// After `r"…"`, `r#"…"#`, `br"…"`; nothing if no raw string begins here.
fn after_raw_string(text: &str) -> Option<&str> {
    let body = text.strip_prefix("br").or_else(|| text.strip_prefix("cr")).or_else(|| text.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let body = body[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or("", |at| &body[at + end.len()..]))
}

fn after_string(mut text: &str) -> &str {
    while let Some(at) = text.find(['"', '\\']) {
        if text[at..].starts_with('"') {
            return &text[at + 1..];
        }
        let mut escaped = text[at + 1..].chars();
        escaped.next();
        text = escaped.as_str();
    }
    ""
}

/// After a character literal; a lifetime only loses its quote.
fn after_quote(text: &str) -> &str {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), Some(_)) => chars.as_str().split_once('\'').map_or("", |(_, after)| after),
        (Some(_), Some('\'')) => chars.as_str(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r##"
//! Not a doc of a test.
/// A helper, not a test.
fn helper() -> char { '}' }

/// Stage docs are not test docs.
mod stage_1_validity {
    use super::*;

    /// Alice holds the lease,
    /// and sleeps.
    #[test]
    #[should_panic(expected = "mod stage_9 { #[test] fn no() {} }")]
    fn a_paused_holder_cannot_write() { assert!(true, "}}} {}", r#"" } "#); /* } */ }

    fn not_a_test<'a>(x: &'a str) -> &'a str { x }
}

mod stage_2_algorithm {
    #[tokio::test(start_paused = true)]
    async fn it_waits() {}

    proptest! {
        #[test]
        fn a_law_holds(x in 0..9u8) { }
    }
}

#[cfg(test)]
fn nothing() {}
"##;

    #[test]
    fn tests_are_listed_with_stage_and_story() {
        let found: Vec<_> = test_names(SOURCE).into_iter().map(|test| (test.stage, test.name, test.doc)).collect();
        let expected = [
            ("stage_1_validity", "a_paused_holder_cannot_write", "Alice holds the lease, and sleeps."),
            ("stage_2_algorithm", "it_waits", ""),
            ("stage_2_algorithm", "a_law_holds", ""),
        ];
        assert_eq!(found, expected.map(|(stage, name, doc)| (stage.to_owned(), name.to_owned(), doc.to_owned())));
    }

    #[test]
    fn a_macro_in_a_comment_or_a_string_is_not_a_call() {
        assert!(calls_macro("fn f() { todo!(\"later\") }", "todo"));
        assert!(!calls_macro("// todo!()\nconst S: &str = \"todo!()\"; fn f() { my_todo!() }", "todo"));
    }

    #[test]
    fn broken_source_is_read_without_panic() {
        for source in ["\"unclosed", "/* unclosed", "#[test", "'", "r#\"", "mod x {", "}}}}", "fn", "'\\", "b'\\''"] {
            let _ = test_names(source);
        }
    }
}
