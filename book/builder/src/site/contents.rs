//! The contents of the book, in every page: static, so that it works without a script, a frame or a network.

use crate::{
    Project,
    html::{Piece, escape, pieces, text_of},
};
use anyhow::Result;
use mdbook_driver::{
    MDBook,
    book::{BookItem, BookItems},
    config::{BookConfig, Config},
};

/// Where the theme wants the contents.
const PLACE: &str = "<!-- contents -->";

/// The book's pages in order.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
enum Entry {
    /// A heading over the entries after it.
    Part(String),
    Page {
        title: String,
        url: String,
        depth: usize,
    },
}

impl Contents {
    /// What `book.toml` says of the book, and its pages as `SUMMARY.md` lists them.
    ///
    /// # Errors
    /// A file that is missing or cannot be understood.
    pub fn read(project: &Project) -> Result<(BookConfig, Self)> {
        let config = Config::from_disk(project.book().join("book.toml"))?;
        let book = MDBook::load_with_config(project.book(), config)?;
        Ok((book.config.book.clone(), Self::of(book.book.iter())))
    }

    /// Title, address below the book's root and depth of each page, in order.
    pub fn pages(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Page { title, url, depth } => Some((title.as_str(), url.as_str(), *depth)),
            Entry::Part(_) => None,
        })
    }

    pub(super) fn of(items: BookItems<'_>) -> Self {
        let entries = items.filter_map(|item| match item {
            BookItem::PartTitle(title) => Some(Entry::Part(title.clone())),
            BookItem::Chapter(chapter) => {
                let url = chapter.path.as_ref()?.with_extension("html").to_string_lossy().replace('\\', "/");
                let url = url.strip_suffix("README.html").map_or(url.clone(), |folder| format!("{folder}index.html"));
                Some(Entry::Page { title: chapter.name.clone(), url, depth: chapter.parent_names.len() })
            }
            BookItem::Separator => None,
        });
        Self { entries: entries.collect() }
    }

    /// `html`, the page at `page`, with the contents in their place.
    pub(super) fn put_into(&self, page: &str, html: &str) -> String {
        if !html.contains(PLACE) {
            return html.to_owned();
        }
        // The page for a wrong address is shown under any address, so its links start at the book's root.
        let up = if page == "404.html" { String::new() } else { "../".repeat(page.matches('/').count()) };
        let sections = if page == "print.html" { Vec::new() } else { sections(html) };
        html.replacen(PLACE, &self.list(page, &up, &sections), 1)
    }

    fn list(&self, page: &str, up: &str, sections: &[(String, String)]) -> String {
        let mut out = String::from("<ol>");
        let mut depth = 0;
        let mut open = false;
        for entry in &self.entries {
            match entry {
                Entry::Part(title) => {
                    out.push_str(&close(&mut depth, 0, &mut open));
                    out.push_str(&format!("<li class=\"part\">{}</li>", escape(title)));
                }
                Entry::Page { title, url, depth: wanted } => {
                    if *wanted > depth && open {
                        out.push_str("<ol>");
                        depth += 1;
                    } else {
                        out.push_str(&close(&mut depth, *wanted, &mut open));
                    }
                    out.push_str(&entry_start(title, url, up, url == page));
                    if url == page && !sections.is_empty() {
                        out.push_str("<ol class=\"on-page\">");
                        for (id, text) in sections {
                            out.push_str(&format!("<li><a href=\"#{id}\">{}</a></li>", escape(text)));
                        }
                        out.push_str("</ol>");
                    }
                    open = true;
                }
            }
        }
        out.push_str(&close(&mut depth, 0, &mut open));
        out.push_str("</ol>");
        out
    }
}

/// Closes items and lists until an item of depth `wanted` can begin.
fn close(depth: &mut usize, wanted: usize, open: &mut bool) -> String {
    let mut out = String::new();
    if std::mem::take(open) {
        out.push_str("</li>");
    }
    while *depth > wanted {
        out.push_str("</ol></li>");
        *depth -= 1;
    }
    out
}

/// The item for one page, not yet closed.
fn entry_start(title: &str, url: &str, up: &str, current: bool) -> String {
    let title = escape(title);
    let (folder, file) = url.split_once('/').unwrap_or(("", url));
    let number = folder.split('-').next().and_then(|number| number.parse::<u32>().ok());
    let here = if current { " aria-current=\"page\"" } else { "" };
    match number {
        Some(number) if file == "index.html" => {
            format!(
                "<li class=\"chapter\"><a href=\"{up}{url}\"{here}><span class=\"number\">{number}</span>{title}</a>"
            )
        }
        Some(_) => {
            let id = escape(url.trim_end_matches(".html"));
            format!(
                "<li class=\"section\"><a href=\"{up}{url}\"{here}><span class=\"state\" data-state=\"{id}\"></span>{title}</a>"
            )
        }
        None => format!("<li><a href=\"{up}{url}\"{here}>{title}</a>"),
    }
}

/// Id and text of the page's second-level headings.
fn sections(html: &str) -> Vec<(String, String)> {
    let parts = pieces(html);
    let mut found = Vec::new();
    for piece in &parts {
        let Piece::Tag(tag) = piece else { continue };
        if tag.name != "h2" || tag.closing {
            continue;
        }
        if let (Some(id), Some(end)) = (tag.attribute("id"), html[tag.end()..].find("</h2>")) {
            found.push((id.to_owned(), text_of(&html[tag.end()..tag.end() + end])));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn page(title: &str, url: &str, depth: usize) -> Entry {
        Entry::Page { title: title.into(), url: url.into(), depth }
    }

    #[test]
    fn the_contents_nest_mark_the_page_and_list_its_sections() {
        let contents = Contents {
            entries: vec![
                page("Begin", "index.html", 0),
                page("Trade-offs", "01-tradeoffs/index.html", 0),
                page("CAP", "01-tradeoffs/cap-demo.html", 1),
                Entry::Part("Later".into()),
                page("End & after", "end.html", 0),
            ],
        };
        let html = "<nav><!-- contents --></nav><h2 id=\"why\"><a href=\"#why\">Why &amp; how</a></h2>";
        assert_eq!(
            contents.put_into("01-tradeoffs/cap-demo.html", html),
            "<nav><ol><li><a href=\"../index.html\">Begin</a></li>\
             <li class=\"chapter\"><a href=\"../01-tradeoffs/index.html\"><span class=\"number\">1</span>Trade-offs</a>\
             <ol><li class=\"section\"><a href=\"../01-tradeoffs/cap-demo.html\" aria-current=\"page\">\
             <span class=\"state\" data-state=\"01-tradeoffs/cap-demo\"></span>CAP</a>\
             <ol class=\"on-page\"><li><a href=\"#why\">Why &amp; how</a></li></ol></li></ol></li>\
             <li class=\"part\">Later</li><li><a href=\"../end.html\">End &amp; after</a></li></ol></nav>\
             <h2 id=\"why\"><a href=\"#why\">Why &amp; how</a></h2>"
        );
    }
}
