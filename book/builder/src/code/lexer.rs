//! Splits code into tokens that are worth a colour. Not a parser: what it does not understand stays plain.

/// What a stretch of code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Comment,
    Keyword,
    /// A string or character.
    Text,
    Number,
    /// A type, or a key.
    Name,
    /// A macro, attribute, lifetime or option.
    Mark,
}

/// `body` as tokens in order; their texts together are `body`.
pub(super) fn tokens<'a>(language: &str, body: &'a str) -> Vec<(Kind, &'a str)> {
    let next: fn(&str, bool) -> (Kind, usize) = match language {
        "rust" => rust,
        "toml" => toml,
        "bash" => bash,
        "json" => json,
        _ => return vec![(Kind::Plain, body)],
    };
    let mut found: Vec<(Kind, &str)> = Vec::new();
    let (mut at, mut plain) = (0, 0);
    while at < body.len() {
        let line_start = body[..at].rsplit('\n').next().is_none_or(|line| line.trim().is_empty());
        let (kind, length) = next(&body[at..], line_start);
        let end = at + length.max(1);
        if kind != Kind::Plain {
            if plain < at {
                found.push((Kind::Plain, &body[plain..at]));
            }
            found.push((kind, &body[at..end]));
            plain = end;
        }
        at = end;
    }
    if plain < body.len() {
        found.push((Kind::Plain, &body[plain..]));
    }
    found
}

const RUST_KEYWORDS: &[&str] = &[
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false", "fn",
    "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self", "Self",
    "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while",
];

fn rust(rest: &str, _: bool) -> (Kind, usize) {
    if rest.starts_with("//") {
        return (Kind::Comment, line(rest));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if rest.starts_with("#[") || rest.starts_with("#![") {
        return (Kind::Mark, balanced(rest));
    }
    if let Some(length) = raw_string(rest) {
        return (Kind::Text, length);
    }
    let first = first(rest);
    match first {
        '"' => (Kind::Text, quoted(rest, '"')),
        'b' if rest[1..].starts_with('"') => (Kind::Text, 1 + quoted(&rest[1..], '"')),
        '\'' => character_or_lifetime(rest),
        '0'..='9' => (Kind::Number, number(rest)),
        _ if first == '_' || first.is_alphabetic() => {
            let length = word(rest, |c| c == '_' || c.is_alphanumeric());
            let name = &rest[..length];
            let calls_macro = rest[length..].starts_with('!') && !rest[length..].starts_with("!=");
            match name {
                _ if RUST_KEYWORDS.contains(&name) => (Kind::Keyword, length),
                _ if calls_macro => (Kind::Mark, length + 1),
                _ if first.is_uppercase() => (Kind::Name, length),
                _ if is_primitive(name) => (Kind::Name, length),
                _ => (Kind::Plain, length),
            }
        }
        _ => (Kind::Plain, first.len_utf8()),
    }
}

fn is_primitive(name: &str) -> bool {
    matches!(name, "bool" | "char" | "str" | "usize" | "isize")
        || (name.starts_with(['u', 'i', 'f']) && matches!(&name[1..], "8" | "16" | "32" | "64" | "128"))
}

fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let start = rest.len() - body.len();
    Some(body.find(&close).map_or(rest.len(), |end| start + end + close.len()))
}

fn character_or_lifetime(rest: &str) -> (Kind, usize) {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => (Kind::Text, quoted(rest, '\'')),
        (Some(_), Some((at, '\''))) => (Kind::Text, at + 1),
        (Some((_, c)), _) if c == '_' || c.is_alphabetic() => {
            (Kind::Mark, 1 + word(&rest[1..], |c| c == '_' || c.is_alphanumeric()))
        }
        _ => (Kind::Plain, 1),
    }
}

fn toml(rest: &str, line_start: bool) -> (Kind, usize) {
    let first = first(rest);
    match first {
        '#' => (Kind::Comment, line(rest)),
        '[' if line_start => (Kind::Mark, line(rest)),
        '"' | '\'' => (Kind::Text, quoted(rest, first)),
        '0'..='9' => (Kind::Number, number(rest)),
        _ if first.is_alphanumeric() => {
            let length = word(rest, |c| c == '_' || c == '-' || c == '.' || c.is_alphanumeric());
            match &rest[..length] {
                "true" | "false" => (Kind::Keyword, length),
                _ if rest[length..].trim_start().starts_with('=') => (Kind::Name, length),
                _ => (Kind::Plain, length),
            }
        }
        _ => (Kind::Plain, first.len_utf8()),
    }
}

fn bash(rest: &str, line_start: bool) -> (Kind, usize) {
    let first = first(rest);
    match first {
        '#' => (Kind::Comment, line(rest)),
        '$' if line_start && rest[1..].starts_with(' ') => (Kind::Comment, 1),
        '"' | '\'' => (Kind::Text, quoted(rest, first)),
        '-' if rest[1..].starts_with(|c: char| c == '-' || c.is_alphabetic()) => {
            (Kind::Mark, word(rest, |c| c == '-' || c.is_alphanumeric()))
        }
        _ if first.is_alphanumeric() || matches!(first, '.' | '/' | '_' | '-') => {
            let length = word(rest, |c| c.is_alphanumeric() || matches!(c, '.' | '/' | '_' | '-' | ':'));
            let assigns = rest[length..].starts_with('=');
            (if assigns { Kind::Name } else { Kind::Plain }, length)
        }
        _ => (Kind::Plain, first.len_utf8()),
    }
}

fn json(rest: &str, _: bool) -> (Kind, usize) {
    let first = first(rest);
    match first {
        '"' => {
            let length = quoted(rest, '"');
            let key = rest[length..].trim_start().starts_with(':');
            (if key { Kind::Name } else { Kind::Text }, length)
        }
        '0'..='9' => (Kind::Number, number(rest)),
        _ if first.is_alphabetic() => {
            let length = word(rest, char::is_alphanumeric);
            let known = matches!(&rest[..length], "true" | "false" | "null");
            (if known { Kind::Keyword } else { Kind::Plain }, length)
        }
        _ => (Kind::Plain, first.len_utf8()),
    }
}

fn first(rest: &str) -> char {
    rest.chars().next().unwrap_or_default()
}

fn line(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

fn word(rest: &str, part: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !part(c)).unwrap_or(rest.len())
}

/// A number, but not the dots of a range or the name of a method after it.
fn number(rest: &str) -> usize {
    let length = word(rest, |c| c == '_' || c.is_alphanumeric());
    match rest[length..].strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => {
            length + 1 + word(fraction, |c| c == '_' || c.is_alphanumeric())
        }
        _ => length,
    }
}

/// The length of a text that begins with `quote`, with its backslashes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of an attribute, up to the bracket that closes its first.
fn balanced(rest: &str) -> usize {
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 1 => return at + 1,
            ']' => depth -= 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn coloured<'a>(language: &str, body: &'a str) -> Vec<(Kind, &'a str)> {
        let all = tokens(language, body);
        assert_eq!(all.iter().map(|(_, text)| *text).collect::<String>(), body, "no character is lost");
        all.into_iter().filter(|(kind, _)| *kind != Kind::Plain).collect()
    }

    #[test]
    fn rust_knows_lifetimes_from_characters_and_ranges_from_fractions() {
        use Kind::{Keyword, Mark, Name, Number, Text};
        assert_eq!(
            coloured("rust", "fn f<'a>(x: &'a str) { 'x'; '\\''; 0..10; 1.5; vec![u8::MAX] }"),
            [
                (Keyword, "fn"),
                (Mark, "'a"),
                (Mark, "'a"),
                (Name, "str"),
                (Text, "'x'"),
                (Text, "'\\''"),
                (Number, "0"),
                (Number, "10"),
                (Number, "1.5"),
                (Mark, "vec!"),
                (Name, "u8"),
                (Name, "MAX"),
            ]
        );
    }

    #[test]
    fn strings_hide_what_looks_like_code() {
        use Kind::{Comment, Mark, Text};
        assert_eq!(
            coloured("rust", r##"r#"let "x""# "a\"b" // let"##),
            [(Text, r##"r#"let "x""#"##), (Text, r#""a\"b""#), (Comment, "// let")]
        );
        assert_eq!(coloured("rust", "#[cfg(any(a, b))] x != y"), [(Mark, "#[cfg(any(a, b))]")]);
    }

    #[test]
    fn the_small_languages_show_their_keys_and_values() {
        use Kind::{Comment, Keyword, Mark, Name, Number, Text};
        assert_eq!(
            coloured("toml", "[a]\nkey = \"v\" # why\nn = 3"),
            [(Mark, "[a]"), (Name, "key"), (Text, "\"v\""), (Comment, "# why"), (Name, "n"), (Number, "3")]
        );
        assert_eq!(
            coloured("json", r#"{"a": [true, 1, "b"]}"#),
            [(Name, "\"a\""), (Keyword, "true"), (Number, "1"), (Text, "\"b\"")]
        );
        assert_eq!(
            coloured("bash", "KIT_SEED=17 cargo test -p x --all # y"),
            [(Name, "KIT_SEED"), (Mark, "-p"), (Mark, "--all"), (Comment, "# y")]
        );
    }

    #[test]
    fn unfinished_code_of_any_alphabet_is_taken_to_its_end() {
        for body in ["\"open", "'", "r#\"open", "/* open", "#[open", "λ → 'λ", "é'"] {
            for language in ["rust", "toml", "bash", "json"] {
                coloured(language, body);
            }
        }
    }
}
