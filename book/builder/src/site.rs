//! From `book/src` to a folder of pages: mdBook's build, then the contents into every page and unused assets out.

mod contents;
pub mod search;
mod solution;

use crate::{
    Project,
    html::{Piece, pieces},
    live,
    preprocess::{Listings, Syntax, WithoutQuotes},
};
use anyhow::{Context, Result, bail};
use catalog::Catalog;
pub use contents::Contents;
use mdbook_driver::{
    MDBook,
    builtin_preprocessors::{IndexPreprocessor, LinkPreprocessor},
    config::Config,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Lies in every folder that [`build`] made, so that it only ever replaces its own.
const OURS: &str = ".workbook-book";

/// What may differ from one built book to the next.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The path under which the book will be served, such as `/workbook/`; `None` for the root of its host. Only the page for a
    /// wrong address needs it, because it is shown under any address.
    pub site_url: Option<String>,
    /// How much of the reference solutions the pages show.
    pub solutions: Solutions,
}

/// How much of the reference solutions the pages show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Solutions {
    /// All, folded away at the end of each card.
    #[default]
    Folded,
    /// What a page quotes to explain it, for paper and e-readers, where nothing can be folded.
    Quoted,
    /// Nothing, for a class that is to be graded.
    Absent,
}

/// Builds the book into `out` and says how long it took.
///
/// The pages are made beside `out` and moved there when all are done: a fault leaves the last good book in place.
///
/// # Errors
/// A fault on a page (with file and line), an unreadable source, or an `out` that holds something else than a book.
pub fn build(project: &Project, out: &Path) -> Result<Duration> {
    build_with(project, out, &Options::default())
}

/// The same, as `options` say.
///
/// # Errors
/// As [`build`].
pub fn build_with(project: &Project, out: &Path, options: &Options) -> Result<Duration> {
    let started = Instant::now();
    let out = std::path::absolute(out)?;
    guard(&out)?;
    let name = out.file_name().context("the output folder needs a name")?.to_string_lossy();
    let (next, old) = (out.with_file_name(format!("{name}.next")), out.with_file_name(format!("{name}.old")));
    remove(&next)?;
    let mut config = Config::from_disk(project.book().join("book.toml"))?;
    config.build.build_dir.clone_from(&next);
    if let Some(url) = &options.site_url {
        config.set("output.html.site-url", format!("/{}/", url.trim_matches('/')).replace("//", "/"))?;
    }
    let mut book = MDBook::load_with_config(project.book(), config)?;
    let contents = Contents::of(book.book.iter());
    book.with_preprocessor(Syntax::new(&project.root));
    if options.solutions == Solutions::Absent {
        book.with_preprocessor(WithoutQuotes);
    }
    book.with_preprocessor(LinkPreprocessor::new());
    book.with_preprocessor(IndexPreprocessor::new());
    book.with_preprocessor(Listings);
    book.build()?;
    let (catalog, _) = Catalog::read(&project.root);
    finish(project, &next, &contents, &catalog, options)?;
    fs::write(next.join(OURS), "Made by book-builder, which may replace this folder.\n")?;
    remove(&old)?;
    if out.exists() {
        fs::rename(&out, &old)?;
    }
    fs::rename(&next, &out).with_context(|| format!("{} could not be put in place", out.display()))?;
    remove(&old)?;
    Ok(started.elapsed())
}

/// Refuses to replace a folder that we did not make.
fn guard(out: &Path) -> Result<()> {
    let taken = out.exists() && !out.join(OURS).exists() && fs::read_dir(out)?.next().is_some();
    if taken {
        bail!("{} exists and is not a book that this builder made; name a new or empty folder", out.display());
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} could not be removed", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Puts into the pages below `folder` what mdBook cannot, and removes those of its assets that no page uses.
fn finish(project: &Project, folder: &Path, contents: &Contents, catalog: &Catalog, options: &Options) -> Result<()> {
    // mdBook's own list of contents is made for a script and for a frame; ours is in every page.
    remove_file(&folder.join("toc.html"))?;
    let index = search::add(folder, &search::entries(catalog, &ids(folder)?))?;
    let mut used = BTreeSet::new();
    for file in files(folder)? {
        if file.extension().is_none_or(|extension| extension != "html") {
            continue;
        }
        let page = file.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
        let mut html = fs::read_to_string(&file)?;
        if let Some((old, new)) = &index {
            html = html.replace(old, new);
        }
        // The print page is for paper, where nothing can be folded.
        let with_solutions = page != "print.html" && options.solutions == Solutions::Folded;
        html = solution::put_into(&html, with_solutions.then_some(catalog))?;
        html = readme_links(&page, &contents.put_into(&page, &html));
        if page == "404.html" {
            html = without_base(&html);
        }
        // An indented code block is mdBook's own; it scrolls like the others, so it must be reachable by keyboard too.
        let html = html.replace("<pre><code", "<pre tabindex=\"0\"><code");
        // The empty corner of a table is no heading of anything.
        let html = html.replace("<th></th>", "<td></td>");
        let html = live::place(project, folder, &page, &whole_measures(&whole_options(&html)))?;
        used.extend(assets(&page, &html));
        fs::write(&file, html)?;
    }
    for file in files(folder)? {
        let name = file.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
        if is_stock(&name) && !used.contains(&name) {
            remove_file(&file)?;
        }
    }
    Ok(())
}

/// Options in running text stay in one piece: a line that ends after one of their hyphens would name another.
fn whole_options(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let (mut done, mut inside, mut in_listing) = (0, None, false);
    for piece in pieces(html) {
        match piece {
            Piece::Tag(tag) => {
                in_listing = if tag.name == "pre" { !tag.closing } else { in_listing };
                inside = (tag.name == "code" && !tag.closing && !in_listing).then(|| tag.end());
            }
            Piece::Text(words) => {
                if let Some(start) = inside.take().filter(|_| words.contains("--")) {
                    text.push_str(&html[done..start]);
                    let whole = |word: &str| match word.contains("--") {
                        true => format!("<span class=\"whole\">{word}</span>"),
                        false => word.to_owned(),
                    };
                    text.push_str(&words.split(' ').map(whole).collect::<Vec<_>>().join(" "));
                    done = start + words.len();
                }
            }
        }
    }
    text + &html[done..]
}

/// A number and its unit stay on one line: `27.9 s`, `0.1 %`.
fn whole_measures(html: &str) -> String {
    const UNITS: [&str; 17] =
        ["ns", "µs", "ms", "s", "min", "h", "%", "B", "kB", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"];
    const VERBATIM: [&str; 7] = ["pre", "code", "script", "style", "svg", "math", "title"];
    let mut text = String::with_capacity(html.len());
    let (mut done, mut start, mut verbatim) = (0, 0, 0_usize);
    for piece in pieces(html) {
        match piece {
            Piece::Tag(tag) => {
                if VERBATIM.contains(&tag.name) && !tag.empty {
                    verbatim = if tag.closing { verbatim.saturating_sub(1) } else { verbatim + 1 };
                }
                start = tag.end();
            }
            Piece::Text(words) => {
                let mut from = 0;
                while let Some(space) = words[from..].find(' ').map(|at| from + at) {
                    from = space + 1;
                    let next = words[from..].split([' ', '\n']).next().unwrap_or_default();
                    let unit = next.trim_end_matches(['.', ',', ';', ':', ')', '?', '!']);
                    let measure = words[..space].ends_with(|last: char| last.is_ascii_digit()) && UNITS.contains(&unit);
                    if measure && verbatim == 0 && html[start..].starts_with(words) {
                        text.push_str(&html[done..start + space]);
                        text.push('\u{a0}');
                        done = start + from;
                    }
                }
            }
        }
    }
    text + &html[done..]
}

/// The ids of the elements of each page below `folder`, by the page's path.
fn ids(folder: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let mut found = BTreeMap::new();
    for file in files(folder)?.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "html"))
    {
        let page = file.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
        let html = fs::read_to_string(&file)?;
        let ids = pieces(&html).into_iter().filter_map(|piece| match piece {
            Piece::Tag(tag) => tag.attribute("id").map(str::to_owned),
            Piece::Text(_) => None,
        });
        found.insert(page, ids.collect());
    }
    Ok(found)
}

fn remove_file(file: &Path) -> Result<()> {
    if file.exists() {
        fs::remove_file(file).with_context(|| format!("{} could not be removed", file.display()))
    } else {
        Ok(())
    }
}

/// `html`, the page at `page`, with links to a folder's `README.md` leading to its `index.html`, where mdBook puts it.
fn readme_links(page: &str, html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut done = 0;
    for piece in pieces(html) {
        let Piece::Tag(tag) = piece else { continue };
        let Some(link) = tag.attribute("href").filter(|link| tag.name == "a" && resolve(page, link).is_some()) else {
            continue;
        };
        let (path, fragment) = link.split_at(link.find('#').unwrap_or(link.len()));
        if let Some(folder) = path.strip_suffix("README.html") {
            out.push_str(&html[done..tag.start]);
            out.push_str(&tag.source.replacen(link, &format!("{folder}index.html{fragment}"), 1));
            done = tag.end();
        }
    }
    out + &html[done..]
}

/// The page for a wrong address with links from the root of the host, in place of a `base`, under which even a link to a part of
/// the page itself would lead to another one.
fn without_base(html: &str) -> String {
    let parts = pieces(html);
    let tags = || parts.iter().filter_map(|piece| if let Piece::Tag(tag) = piece { Some(tag) } else { None });
    let Some(base) = tags().find(|tag| tag.name == "base") else { return html.to_owned() };
    let root = base.attribute("href").unwrap_or("/");
    let mut out = String::with_capacity(html.len());
    let mut done = 0;
    for tag in tags() {
        let links = tag.attributes().into_iter().filter(|(name, link)| {
            let is_link = matches!(*name, "href" | "src" | "data-root" | "data-elasticlunr" | "data-searchindex");
            is_link && !link.starts_with(['#', '/']) && (link.is_empty() || resolve("404.html", link).is_some())
        });
        let mut source = tag.source.to_owned();
        for (name, link) in links {
            source = source.replacen(&format!("{name}=\"{link}\""), &format!("{name}=\"{root}{link}\""), 1);
        }
        out.push_str(&html[done..tag.start]);
        out.push_str(if tag.name == "base" { "" } else { &source });
        done = tag.end();
    }
    out + &html[done..]
}

/// Whether mdBook brings the asset `name` whether or not a page uses it.
fn is_stock(name: &str) -> bool {
    const STOCK: &[&str] = &[
        "ayu-highlight",
        "book-",
        "clipboard",
        "css/",
        "elasticlunr",
        "highlight",
        "mark",
        "searcher",
        "toc",
        "tomorrow-night",
    ];
    (name.ends_with(".js") || name.ends_with(".css")) && STOCK.iter().any(|stock| name.starts_with(stock))
}

/// The files of the book that `html`, the page at `page`, loads: at once, or when its script needs them (`data-…` of the
/// body).
fn assets(page: &str, html: &str) -> Vec<String> {
    let mut found = Vec::new();
    for piece in pieces(html) {
        let Piece::Tag(tag) = piece else { continue };
        let relevant = |name: &str| match tag.name {
            "link" => name == "href",
            "script" | "img" | "source" => name == "src",
            "body" => name.starts_with("data-"),
            _ => false,
        };
        let values = tag.attributes().into_iter().filter(|(name, _)| relevant(name)).map(|(_, value)| value);
        found.extend(values.filter_map(|value| resolve(page, value)));
    }
    found
}

/// The path below the book's root that `link` on the page `page` leads to, without query and fragment; `None` for a link
/// that leaves the book.
pub fn resolve(page: &str, link: &str) -> Option<String> {
    let path = link.split(['#', '?']).next().unwrap_or_default();
    let scheme = path
        .split_once(':')
        .is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c)));
    if scheme || path.starts_with("//") {
        return None;
    }
    if path.is_empty() {
        return Some(page.to_owned());
    }
    let mut parts: Vec<&str> = if path.starts_with('/') { Vec::new() } else { page.split('/').collect() };
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let mut resolved = parts.join("/");
    if path.ends_with('/') || resolved.is_empty() {
        resolved = format!("{resolved}/index.html").trim_start_matches('/').to_owned();
    }
    Some(resolved)
}

/// All files below `folder`, sorted.
///
/// # Errors
/// A folder that cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn links_resolve_as_a_browser_does() {
        let from = |link| resolve("01-tradeoffs/cap-demo.html", link);
        assert_eq!(from("../09-x/ring.html#top").as_deref(), Some("09-x/ring.html"));
        assert_eq!(from("#top").as_deref(), Some("01-tradeoffs/cap-demo.html"));
        assert_eq!(from("./index.html?x=1").as_deref(), Some("01-tradeoffs/index.html"));
        assert_eq!(from("../").as_deref(), Some("index.html"));
        assert_eq!(from("/a.html").as_deref(), Some("a.html"));
        assert_eq!(from("https://example.org/"), None);
        assert_eq!(from("mailto:a@example.org"), None);
        assert_eq!(from("../../outside.html"), None, "above the book there is nothing");
    }

    #[test]
    fn a_link_to_a_readme_leads_to_where_it_is() {
        assert_eq!(
            readme_links(
                "09-x/ring.html",
                "<a class=x href=\"../01-a/README.html#y\">a</a> <a href=\"https://x.test/README.html\">b</a> README.html"
            ),
            "<a class=x href=\"../01-a/index.html#y\">a</a> <a href=\"https://x.test/README.html\">b</a> README.html"
        );
    }

    #[test]
    fn the_page_for_a_wrong_address_works_under_any() {
        assert_eq!(
            without_base(
                "<base href=\"/w/\"><body data-root=\"\" data-searchindex=\"s.js\"><a href=\"#main\">1</a><a href=\"a/b.html#c\">2</a>\
                 <a href=\"https://x.test/\">3</a><script src=\"j.js\"></script><p id=\"a/b.html\">href=\"x\"</p>"
            ),
            "<body data-root=\"/w/\" data-searchindex=\"/w/s.js\"><a href=\"#main\">1</a><a href=\"/w/a/b.html#c\">2</a>\
             <a href=\"https://x.test/\">3</a><script src=\"/w/j.js\"></script><p id=\"a/b.html\">href=\"x\"</p>"
        );
    }

    #[test]
    fn an_option_is_not_taken_apart_at_its_hyphens() {
        assert_eq!(
            whole_options("<p>a --b <code>x --all -n</code> <code>y</code></p><pre><code>x --all</code></pre>"),
            "<p>a --b <code>x <span class=\"whole\">--all</span> -n</code> <code>y</code></p><pre><code>x --all</code></pre>"
        );
    }

    #[test]
    fn a_number_is_not_parted_from_its_unit() {
        assert_eq!(
            whole_measures(
                "<title>1 s</title><p>In 25.0 s, 12 %; 3 sites and 1 <b>ms</b> <code>10 ms</code> (10 ms)</p><pre>1 s</pre> 2 h"
            ),
            "<title>1 s</title><p>In 25.0\u{a0}s, 12\u{a0}%; 3 sites and 1 <b>ms</b> <code>10 ms</code> (10\u{a0}ms)</p><pre>1 s</pre> 2\u{a0}h"
        );
    }

    #[test]
    fn a_folder_that_is_no_book_is_never_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(guard(folder.path()).is_ok(), "an empty folder may be used");
        fs::write(folder.path().join("thesis.txt"), "years of work").expect("can be written");
        let error = guard(folder.path()).expect_err("it holds something").to_string();
        assert!(error.contains("not a book that this builder made"), "{error}");
        fs::write(folder.path().join(OURS), "").expect("can be written");
        assert!(guard(folder.path()).is_ok());
    }
}
