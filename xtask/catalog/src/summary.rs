//! `book/src/SUMMARY.md` decides the order of the exercises within a chapter.

use std::fs;
use std::path::Path;

use crate::{Id, Problem};

/// The pages of the book in reading order, as `CH/EX` without the extension.
#[derive(Debug, Default)]
pub(crate) struct Order {
    pages: Vec<String>,
}

impl Order {
    /// The place of an exercise's page; after all others if it is not listed.
    pub(crate) fn position(&self, id: &Id) -> usize {
        self.pages.iter().position(|page| page == id.as_str()).unwrap_or(usize::MAX)
    }

    pub(crate) fn lists(&self, id: &Id) -> bool {
        self.position(id) != usize::MAX
    }
}

pub(crate) fn read(root: &Path, problems: &mut Vec<Problem>) -> Order {
    let file = root.join("book/src/SUMMARY.md");
    match fs::read_to_string(&file) {
        Ok(text) => parse(&text),
        Err(error) => {
            problems.push(Problem::new(file, error.to_string(), "write the book's table of contents"));
            Order::default()
        }
    }
}

fn parse(text: &str) -> Order {
    let target = |piece: &str| {
        let link = piece.split_once(')')?.0.trim();
        Some(link.trim_start_matches("./").strip_suffix(".md")?.to_owned())
    };
    Order { pages: text.lines().flat_map(|line| line.split("](").skip(1)).filter_map(target).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_pages_in_order() {
        let order =
            parse("# Summary\n\n[Start](README.md)\n- [Two](01-a/two.md)\n  - [One](./01-a/one.md)\n- [Draft]()\n");
        assert_eq!(order.pages, ["README", "01-a/two", "01-a/one"]);
        assert!(order.position(&Id::new("01-a", "two")) < order.position(&Id::new("01-a", "one")));
        assert!(!order.lists(&Id::new("01-a", "three")));
    }
}
