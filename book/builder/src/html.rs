//! Just enough HTML: escaping what we write, and walking the tags of what we and mdBook wrote.
//!
//! The walker reads well-formed output of our own build, not the wild web: it knows tags, quoted attributes, comments and
//! the raw text of `script` and `style`, and nothing of error recovery.

/// `text` for a place between tags or in a quoted attribute.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `html` on one line, so that Markdown takes it as one block wherever it stands. Line breaks stay as character references,
/// which matters inside `pre`.
pub fn one_line(html: &str) -> String {
    html.trim_end().replace('\n', "&#10;")
}

/// `html` safe inside a Markdown paragraph: the characters of its text that mean something to Markdown become character
/// references.
pub fn inline_safe(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    for piece in pieces(html) {
        match piece {
            Piece::Text(text) => {
                for c in text.chars() {
                    match c {
                        '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '|' | '$' | '!' | '\n' => {
                            out.push_str(&format!("&#{};", u32::from(c)));
                        }
                        _ => out.push(c),
                    }
                }
            }
            Piece::Tag(tag) => out.push_str(tag.source),
        }
    }
    out
}

/// A stretch of HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A start or end tag.
    Tag(Tag<'a>),
    /// What stands between tags, with its character references as they are.
    Text(&'a str),
}

/// A start or end tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag<'a> {
    /// The element's name, as written.
    pub name: &'a str,
    /// The whole tag, from `<` to `>`.
    pub source: &'a str,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Whether it is `</name>`.
    pub closing: bool,
    /// Whether it ends in `/>`.
    pub empty: bool,
}

impl<'a> Tag<'a> {
    /// Where it ends, in bytes.
    pub fn end(&self) -> usize {
        self.start + self.source.len()
    }

    /// Its attributes in order; an attribute without a value has the empty one.
    pub fn attributes(&self) -> Vec<(&'a str, &'a str)> {
        let skip = if self.closing { 2 } else { 1 };
        let mut rest = self.source[skip + self.name.len()..].trim_end_matches('>').trim_end_matches('/');
        let mut found = Vec::new();
        loop {
            rest = rest.trim_start();
            if rest.is_empty() {
                return found;
            }
            let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
            let name = &rest[..end];
            rest = &rest[end..];
            let Some(after) = rest.trim_start().strip_prefix('=') else {
                found.push((name, ""));
                continue;
            };
            let after = after.trim_start();
            let (value, after) = match after.chars().next() {
                Some(quote @ ('"' | '\'')) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                _ => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
            };
            found.push((name, value));
            rest = after;
        }
    }

    /// The value of the attribute `name`.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes().into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The tags and texts of `html`, in order; comments and the document type are left out.
pub fn pieces(html: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < html.len() {
        let rest = &html[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            at += comment.find("-->").map_or(rest.len(), |end| end + 7);
        } else if rest.starts_with("<!") || rest.starts_with("<?") {
            at += rest.find('>').map_or(rest.len(), |end| end + 1);
        } else if let Some(tag) = tag_at(html, at) {
            at = tag.end();
            let raw_text = !tag.closing && !tag.empty && matches!(tag.name, "script" | "style");
            let name = tag.name;
            found.push(Piece::Tag(tag));
            if raw_text {
                let end = html[at..].find(&format!("</{name}")).map_or(html.len(), |end| at + end);
                if end > at {
                    found.push(Piece::Text(&html[at..end]));
                }
                at = end;
            }
        } else {
            // Not a tag: this character and all up to the next `<` is text.
            let first = rest.chars().next().map_or(1, char::len_utf8);
            let end = rest[first..].find('<').map_or(rest.len(), |end| first + end);
            found.push(Piece::Text(&rest[..end]));
            at += end;
        }
    }
    found
}

fn tag_at(html: &str, start: usize) -> Option<Tag<'_>> {
    let rest = html[start..].strip_prefix('<')?;
    let closing = rest.starts_with('/');
    let from = start + 1 + usize::from(closing);
    let name_end = html[from..].find(|c: char| c.is_whitespace() || c == '>' || c == '/').map(|end| from + end)?;
    let name = &html[from..name_end];
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut quote = None;
    for (offset, c) in html[name_end..].char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '>') => {
                let source = &html[start..=name_end + offset];
                return Some(Tag { name, source, start, closing, empty: source.ends_with("/>") });
            }
            _ => {}
        }
    }
    None
}

/// The text of `html` without its tags, with the common character references resolved.
pub fn text_of(html: &str) -> String {
    let text: String = pieces(html)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::Tag(_) => None,
        })
        .collect();
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn tags(html: &str) -> Vec<&str> {
        pieces(html)
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Tag(tag) => Some(tag.source),
                Piece::Text(_) => None,
            })
            .collect()
    }

    #[test]
    fn tags_end_where_they_end_and_not_at_a_quoted_bracket() {
        assert_eq!(tags(r#"<a title="1 > 0" href='x'>y</a><br/>"#), [r#"<a title="1 > 0" href='x'>"#, "</a>", "<br/>"]);
    }

    #[test]
    fn scripts_comments_and_stray_brackets_hold_no_tags() {
        assert_eq!(tags("<script>if (a<b) '<p>'</script><!-- <p> -->a < b<i>"), ["<script>", "</script>", "<i>"]);
    }

    #[test]
    fn attributes_are_read_with_and_without_quotes() {
        let html = r#"<input type=radio checked id="q 1" data-x = 'y'>"#;
        let Piece::Tag(tag) = &pieces(html)[0] else { panic!("a tag") };
        assert_eq!(tag.attributes(), [("type", "radio"), ("checked", ""), ("id", "q 1"), ("data-x", "y")]);
        assert_eq!(tag.attribute("ID"), Some("q 1"));
    }

    #[test]
    fn text_inside_a_paragraph_means_nothing_to_markdown() {
        assert_eq!(inline_safe("<mo>*</mo><mi>a_b</mi>"), "<mo>&#42;</mo><mi>a&#95;b</mi>");
    }
}
