//! `hints.md`: three steps towards the answer under the headings `## 1`, `## 2` and `## 3`.

/// The three hints of an exercise, or what is wrong with them.
pub(crate) fn parse(text: &str) -> Result<Vec<String>, String> {
    let mut hints: Vec<String> = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        match line.strip_prefix("## ").filter(|_| !in_code) {
            Some(heading) => {
                let expected = hints.len() + 1;
                if heading.trim() != expected.to_string() {
                    return Err(format!("the heading `{line}` stands where `## {expected}` should"));
                }
                hints.push(String::new());
            }
            None => {
                if let Some(hint) = hints.last_mut() {
                    hint.push_str(line);
                    hint.push('\n');
                }
            }
        }
    }
    for (index, hint) in hints.iter_mut().enumerate() {
        *hint = hint.trim().to_owned();
        if hint.is_empty() {
            return Err(format!("hint {} is empty", index + 1));
        }
    }
    if hints.len() == 3 { Ok(hints) } else { Err(format!("{} hints instead of three", hints.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_headings_make_three_hints() {
        let hints = parse("## 1\nAsk.\n\n## 2\nThink.\n## 3\n```rust\n## not a heading\n```\n").expect("well formed");
        assert_eq!(hints, ["Ask.", "Think.", "```rust\n## not a heading\n```"]);
    }

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(parse("## 1\na\n## 2\nb\n"), Err("2 hints instead of three".to_owned()));
        assert_eq!(parse("## 1\na\n## 3\nb\n"), Err("the heading `## 3` stands where `## 2` should".to_owned()));
        assert_eq!(parse("## 1\n## 2\nb\n## 3\nc\n"), Err("hint 1 is empty".to_owned()));
    }
}
