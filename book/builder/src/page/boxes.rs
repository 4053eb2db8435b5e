//! Predict boxes and quizzes, written as quotes that begin with `[!predict]` or `[!quiz]`.

use super::{Fault, Page, inline, markdown_options};
use crate::html::one_line;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// A quote that is one of our boxes, without its quote marks.
pub(super) struct Found {
    kind: Kind,
    /// The lines after the first; line `n` of it is line `n + 1` of the quote.
    body: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Predict,
    Quiz,
}

/// The box that `quote` (with its `>` marks) is, if any.
pub(super) fn find(quote: &str) -> Option<Found> {
    let mut lines = quote.lines().map(unquoted);
    let kind = match lines.next()?.trim().to_ascii_lowercase().as_str() {
        "[!predict]" => Kind::Predict,
        "[!quiz]" => Kind::Quiz,
        _ => return None,
    };
    Some(Found { kind, body: lines.map(|line| format!("{line}\n")).collect() })
}

fn unquoted(line: &str) -> &str {
    let line = line.trim_start().strip_prefix('>').unwrap_or(line);
    line.strip_prefix(' ').unwrap_or(line)
}

impl Found {
    /// The box as HTML, its first line being `line` of the page.
    pub(super) fn write(&self, page: &Page<'_>, line: usize, faults: &mut Vec<Fault>) -> String {
        let written = match self.kind {
            Kind::Predict => self.predict(page, line + 1, faults),
            Kind::Quiz => self.quiz(page, line + 1),
        };
        written.unwrap_or_else(|fault| {
            faults.push(fault);
            String::new()
        })
    }

    fn predict(&self, page: &Page<'_>, line: usize, faults: &mut Vec<Fault>) -> Result<String, Fault> {
        let line_of = |offset: usize| line + self.body[..offset].matches('\n').count();
        let mut rule = None;
        for (event, range) in Parser::new_ext(&self.body, markdown_options()).into_offset_iter() {
            match event {
                Event::Rule if rule.is_none() => rule = Some(range),
                Event::Start(Tag::Heading { .. }) => {
                    let what = "a heading inside a predict box; leave an empty line before the `---`";
                    return Err(Fault::new(line_of(range.start), what));
                }
                _ => {}
            }
        }
        let Some(rule) = rule else {
            return Err(Fault::new(line - 1, "a predict box needs the question, a line `---`, and the answer"));
        };
        let (question, answer) = (&self.body[..rule.start], &self.body[rule.end..]);
        for (part, name) in [(question, "question"), (answer, "answer")] {
            if part.trim().is_empty() {
                return Err(Fault::new(line - 1, format!("the predict box has no {name}")));
            }
        }
        let question = page.rewrite(question, line, faults);
        let answer = page.rewrite(answer, line_of(rule.end), faults);
        Ok(format!(
            "<div class=\"predict\"><p class=\"box-title\">Predict before you read on</p>\n\n{}\n\n\
             <details><summary>Compare with the answer</summary>\n\n{}\n\n</details></div>",
            question.trim(),
            answer.trim()
        ))
    }

    fn quiz(&self, page: &Page<'_>, line: usize) -> Result<String, Fault> {
        let quiz = Quiz::read(&self.body, line)?;
        let id = page.fresh_id("q");
        let render = |line: usize, html: Result<String, String>| html.map_err(|what| Fault::new(line, what));
        let question = render(line, inline::render(&quiz.question))?;
        let mut choices = String::new();
        for (number, choice) in quiz.choices.iter().enumerate() {
            let text = render(choice.line, inline::phrase(&choice.text))?;
            let why = render(choice.line, inline::phrase(&choice.why))?;
            let (class, verdict) = if choice.right { ("right", "Yes.") } else { ("wrong", "No.") };
            choices.push_str(&format!(
                "<div class=\"choice {class}\"><input type=\"radio\" name=\"{id}\" id=\"{id}-{number}\" value=\"{number}\">\
                 <label for=\"{id}-{number}\">{text}</label>\
                 <div class=\"why\"><strong>{verdict}</strong> {why}</div></div>"
            ));
        }
        Ok(one_line(&format!(
            "<div class=\"quiz\" role=\"radiogroup\" aria-labelledby=\"{id}\"><p class=\"box-title\">Quiz</p>\
             <div class=\"question\" id=\"{id}\">{question}</div>{choices}</div>"
        )))
    }
}

/// A question with its choices.
struct Quiz {
    question: String,
    choices: Vec<Choice>,
}

struct Choice {
    line: usize,
    right: bool,
    text: String,
    why: String,
}

impl Quiz {
    /// Reads the question before the list and the choices in it; `line` is the page's line of `body`'s first.
    fn read(body: &str, line: usize) -> Result<Self, Fault> {
        let line_of = |offset: usize| line + body[..offset].matches('\n').count();
        let mut depth = 0;
        let mut list_start = None;
        let mut choices = Vec::new();
        let mut item = None;
        for (event, range) in Parser::new_ext(body, markdown_options()).into_offset_iter() {
            match event {
                Event::Start(Tag::List(_)) => {
                    depth += 1;
                    list_start.get_or_insert(range.start);
                }
                Event::End(TagEnd::List(_)) => depth -= 1,
                Event::Start(Tag::Item) if depth == 1 => item = Some(Item { start: range.start, ..Item::default() }),
                Event::TaskListMarker(right) if depth == 1 => {
                    if let Some(item) = &mut item {
                        item.marker = Some((right, range.end));
                    }
                }
                Event::Text(text) if depth == 1 => {
                    if let (Some(at), Some(item)) = (text.find(" :: "), &mut item) {
                        item.separator.get_or_insert(range.start + at);
                    }
                }
                Event::End(TagEnd::Item) if depth == 1 => {
                    if let Some(item) = item.take() {
                        choices.push(item.choice(body, range.end, line_of(range.start))?);
                    }
                }
                _ => {}
            }
        }
        let question = body[..list_start.unwrap_or(body.len())].trim().to_owned();
        let fault = |what: &str| Err(Fault::new(line - 1, what));
        match (choices.len(), choices.iter().filter(|choice| choice.right).count()) {
            _ if question.is_empty() => fault("the quiz has no question before its choices"),
            (0 | 1, _) => {
                fault("a quiz needs at least two choices, each `- [ ] choice :: why` or `- [x] choice :: why`")
            }
            (_, 1) => Ok(Self { question, choices }),
            (_, 0) => fault("no choice of the quiz is right: mark it `- [x]`"),
            (_, n) => {
                Err(Fault::new(line - 1, format!("{n} choices of the quiz are marked right; exactly one can be")))
            }
        }
    }
}

#[derive(Default)]
struct Item {
    start: usize,
    /// Whether the box is ticked, and where it ends.
    marker: Option<(bool, usize)>,
    separator: Option<usize>,
}

impl Item {
    fn choice(&self, body: &str, end: usize, line: usize) -> Result<Choice, Fault> {
        let source = body[self.start..end].lines().next().unwrap_or_default();
        let Some((right, from)) = self.marker else {
            return Err(Fault::new(line, format!("`{source}`: a choice begins with `- [ ]` or `- [x]`")));
        };
        let Some(separator) = self.separator else {
            return Err(Fault::new(line, format!("`{source}`: every choice is explained after ` :: `")));
        };
        let (text, why) = (body[from..separator].trim(), body[separator + 4..end].trim());
        if text.is_empty() || why.is_empty() {
            return Err(Fault::new(line, format!("`{source}`: the choice or its explanation is empty")));
        }
        Ok(Choice { line, right, text: text.to_owned(), why: dedented(why) })
    }
}

/// Continuation lines of a list item without their indentation, which would otherwise read as code.
fn dedented(text: &str) -> String {
    text.lines().map(str::trim_start).collect::<Vec<_>>().join("\n")
}
