//! The book as an EPUB 3: the built pages as XHTML, with the theme's styles for paper, without a script.
//!
//! What it is made of is decided in [`Book::of`], from pages that mdBook has rendered: cards, diagrams, figures and formulas are
//! those of the website. [`faults`] reads a finished file as a reading system does.

mod faults;
mod styles;
mod xhtml;

use crate::{
    Project,
    html::{Piece, escape, pieces},
    site::{self, Contents, Options, Solutions, resolve},
};
use anyhow::{Context, Result};
pub use faults::faults;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{Cursor, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Builds the book and writes it to `file`; says how many bytes it has.
///
/// # Errors
/// As [`site::build`]; a page that is no XHTML.
pub fn write(project: &Project, file: &Path) -> Result<u64> {
    let out = project.target.join("book-for-epub");
    let options = Options { solutions: Solutions::Quoted, ..Options::default() };
    site::build_with(project, &out, &options)?;
    let bytes = Book::of(project, &out)?.pack(modified())?;
    if let Some(folder) = std::path::absolute(file)?.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, &bytes).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(bytes.len() as u64)
}

/// Seconds since 1970: now, or what `SOURCE_DATE_EPOCH` says, so that two builds of one source can be equal.
fn modified() -> u64 {
    let named = env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    named.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// What goes into an EPUB.
#[derive(Debug, Clone, Default)]
pub struct Book {
    title: String,
    description: String,
    language: String,
    /// In reading order.
    pages: Vec<Page>,
    /// Path below the book's folder, media type, content.
    files: BTreeMap<String, (&'static str, Vec<u8>)>,
}

#[derive(Debug, Clone)]
struct Page {
    title: String,
    /// `06-coordination/redlock.xhtml`
    path: String,
    /// How deep it lies in the contents.
    depth: usize,
    xhtml: String,
}

impl Book {
    /// The book that was built into `out`.
    ///
    /// # Errors
    /// A page that cannot be read, or is no XHTML.
    pub fn of(project: &Project, out: &Path) -> Result<Self> {
        let (config, contents) = Contents::read(project)?;
        let mut book = Self {
            title: config.title.unwrap_or_default(),
            description: config.description.unwrap_or_default(),
            language: config.language.unwrap_or_else(|| "en".to_owned()),
            ..Self::default()
        };
        let mut images = BTreeSet::new();
        for (title, url, depth) in contents.pages() {
            let html = fs::read_to_string(out.join(url)).with_context(|| format!("{url} cannot be read"))?;
            let main = main_of(&html).with_context(|| format!("{url} has no <main>"))?;
            images.extend(images_of(url, main));
            let body = xhtml::of(main, url).map_err(|fault| anyhow::anyhow!("{url}: {fault}"))?;
            let up = "../".repeat(url.matches('/').count());
            let xhtml = page(&book.language, title, &format!("{up}book.css"), &body);
            book.pages.push(Page { title: title.to_owned(), path: xhtml::renamed(url), depth, xhtml });
        }
        book.files.insert("book.css".to_owned(), ("text/css", styles::of(&project.book().join("theme"))?.into_bytes()));
        let font = project.book().join("theme/fonts/stix-two-math.woff2");
        book.files.insert("fonts/stix-two-math.woff2".to_owned(), ("font/woff2", fs::read(font)?));
        for image in images {
            let kind = media_type(&image).with_context(|| format!("{image}: an EPUB takes no such picture"))?;
            let bytes = fs::read(out.join(&image)).with_context(|| format!("{image} cannot be read"))?;
            book.files.insert(image, (kind, bytes));
        }
        Ok(book)
    }

    /// The file: a zip archive whose first member, not compressed, says what it is.
    ///
    /// # Errors
    /// None that is expected: it is written to memory.
    pub fn pack(&self, modified: u64) -> Result<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let deflated = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        zip.start_file("mimetype", stored)?;
        zip.write_all(b"application/epub+zip")?;
        let mut put = |path: &str, bytes: &[u8]| -> Result<()> {
            zip.start_file(path, deflated)?;
            Ok(zip.write_all(bytes)?)
        };
        put("META-INF/container.xml", CONTAINER.as_bytes())?;
        put("book/package.opf", self.package(modified).as_bytes())?;
        put("book/nav.xhtml", self.navigation().as_bytes())?;
        for page in &self.pages {
            put(&format!("book/{}", page.path), page.xhtml.as_bytes())?;
        }
        for (path, (_, bytes)) in &self.files {
            put(&format!("book/{path}"), bytes)?;
        }
        Ok(zip.finish()?.into_inner())
    }

    /// What the book is, and what it consists of.
    fn package(&self, modified: u64) -> String {
        let mut manifest = String::from(
            "<item id=\"nav\" href=\"nav.xhtml\" media-type=\"application/xhtml+xml\" properties=\"nav\"/>\n",
        );
        let mut spine = String::new();
        for (number, page) in self.pages.iter().enumerate() {
            let mut properties = Vec::new();
            for (mark, property) in [("<math", "mathml"), ("<svg", "svg")] {
                if page.xhtml.contains(mark) {
                    properties.push(property);
                }
            }
            let properties = match properties.as_slice() {
                [] => String::new(),
                some => format!(" properties=\"{}\"", some.join(" ")),
            };
            manifest.push_str(&format!(
                "<item id=\"p{number}\" href=\"{}\" media-type=\"application/xhtml+xml\"{properties}/>\n",
                escape(&page.path)
            ));
            spine.push_str(&format!("<itemref idref=\"p{number}\"/>\n"));
        }
        for (number, (path, (kind, _))) in self.files.iter().enumerate() {
            manifest.push_str(&format!("<item id=\"f{number}\" href=\"{}\" media-type=\"{kind}\"/>\n", escape(path)));
        }
        let (title, description, language) = (escape(&self.title), escape(&self.description), escape(&self.language));
        let name: String = self.title.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <package xmlns=\"http://www.idpf.org/2007/opf\" version=\"3.0\" unique-identifier=\"id\" xml:lang=\"{language}\">\n\
             <metadata xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n\
             <dc:identifier id=\"id\">urn:book:{}</dc:identifier>\n<dc:title>{title}</dc:title>\n\
             <dc:language>{language}</dc:language>\n<dc:description>{description}</dc:description>\n\
             <meta property=\"dcterms:modified\">{}</meta>\n\
             <meta property=\"schema:accessMode\">textual</meta>\n<meta property=\"schema:accessMode\">visual</meta>\n\
             <meta property=\"schema:accessModeSufficient\">textual</meta>\n\
             <meta property=\"schema:accessibilityFeature\">MathML</meta>\n\
             <meta property=\"schema:accessibilityFeature\">alternativeText</meta>\n\
             <meta property=\"schema:accessibilityFeature\">tableOfContents</meta>\n\
             <meta property=\"schema:accessibilityHazard\">none</meta>\n\
             </metadata>\n<manifest>\n{manifest}</manifest>\n<spine>\n{spine}</spine>\n</package>\n",
            escape(&name),
            instant(modified)
        )
    }

    /// The contents, as reading systems want them.
    fn navigation(&self) -> String {
        let mut list = String::new();
        let mut depth = 0;
        for (number, page) in self.pages.iter().enumerate() {
            match page.depth {
                deeper if deeper > depth && number > 0 => list.push_str("<ol>"),
                same if same == depth && number > 0 => list.push_str("</li>\n"),
                shallower => list.push_str(&"</li></ol>".repeat(depth.saturating_sub(shallower))),
            }
            if page.depth < depth {
                list.push_str("</li>\n");
            }
            depth = page.depth;
            list.push_str(&format!("<li><a href=\"{}\">{}</a>", escape(&page.path), escape(&page.title)));
        }
        list.push_str(&"</li></ol>".repeat(depth));
        let nav = format!("<nav epub:type=\"toc\" id=\"toc\"><h1>Contents</h1><ol>{list}</li></ol></nav>");
        page(&self.language, &self.title, "book.css", &nav)
    }
}

const CONTAINER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <container version=\"1.0\" xmlns=\"urn:oasis:names:tc:opendocument:xmlns:container\"><rootfiles>\
    <rootfile full-path=\"book/package.opf\" media-type=\"application/oebps-package+xml\"/></rootfiles></container>\n";

fn page(language: &str, title: &str, style: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE html>\n\
         <html xmlns=\"http://www.w3.org/1999/xhtml\" xmlns:epub=\"http://www.idpf.org/2007/ops\" lang=\"{language}\" xml:lang=\"{language}\">\n\
         <head><meta charset=\"UTF-8\"/><title>{}</title><link rel=\"stylesheet\" href=\"{style}\"/></head>\n\
         <body>\n{body}\n</body>\n</html>\n",
        escape(title)
    )
}

/// What stands in the page's `<main>`.
fn main_of(html: &str) -> Option<&str> {
    let start = html.find("<main")?;
    let start = start + html[start..].find('>')? + 1;
    Some(html[start..html.rfind("</main>")?].trim())
}

/// The paths of the pictures that the page at `url` shows.
fn images_of(url: &str, html: &str) -> Vec<String> {
    let sources = pieces(html).into_iter().filter_map(|piece| match piece {
        Piece::Tag(tag) if tag.name == "img" => tag.attribute("src"),
        _ => None,
    });
    sources.filter_map(|source| resolve(url, source)).collect()
}

fn media_type(path: &str) -> Option<&'static str> {
    match path.rsplit('.').next()? {
        "svg" => Some("image/svg+xml"),
        "png" => Some("image/png"),
        "jpg" | "jpeg" => Some("image/jpeg"),
        _ => None,
    }
}

/// `2026-11-22T13:00:00Z` for seconds since 1970 (the civil calendar by Hinnant's `days_from_civil`, inverted).
fn instant(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468; // days since 0000-03-01
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use std::io::Read as _;

    fn book() -> Book {
        let mut book =
            Book { title: "A & B".into(), description: "d".into(), language: "en".into(), ..Book::default() };
        let parts = [
            ("Begin", "index.html", 0, "<h1 id=\"begin\">Begin</h1><p><a href=\"01-a/b.html#x\">b</a><br></p>"),
            ("A", "01-a/index.html", 0, "<h1>A</h1>"),
            ("B", "01-a/b.html", 1, "<h1>B</h1><p id=\"x\"><math><mi>n</mi></math><svg viewBox=\"0 0 1 1\"></svg></p>"),
            ("C", "01-a/c.html", 1, "<h1>C</h1>"),
            ("End", "end.html", 0, "<h1>End</h1>"),
        ];
        for (title, url, depth, html) in parts {
            let up = "../".repeat(url.matches('/').count());
            let body = xhtml::of(html, url).expect("well formed");
            let xhtml = page("en", title, &format!("{up}book.css"), &body);
            book.pages.push(Page { title: title.into(), path: xhtml::renamed(url), depth, xhtml });
        }
        book.files.insert("book.css".into(), ("text/css", b"p{}".to_vec()));
        book
    }

    #[test]
    fn the_first_member_says_what_it_is_and_is_not_compressed() {
        let bytes = book().pack(0).expect("it can be packed");
        assert_eq!(&bytes[30..58], b"mimetypeapplication/epub+zip", "at the place where readers look for it");
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).expect("a zip archive");
        let first = zip.by_index(0).expect("a member");
        assert_eq!((first.name().expect("UTF-8"), first.compression()), ("mimetype".into(), CompressionMethod::Stored));
    }

    #[test]
    fn a_sound_book_has_no_faults() {
        assert_eq!(faults(&book().pack(0).expect("it can be packed")), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_a_reading_system_trips_over_is_a_fault() {
        let broken = |change: fn(&mut Book), expected: &str| {
            let mut book = book();
            change(&mut book);
            let faults = faults(&book.pack(0).expect("it can be packed"));
            assert!(faults.iter().any(|fault| fault.contains(expected)), "`{expected}` is not in {faults:?}");
        };
        broken(
            |book| book.pages[1].xhtml = book.pages[1].xhtml.replace("</h1>", ""),
            "book/01-a/index.xhtml: not well-formed",
        );
        broken(|book| book.pages[2].xhtml = book.pages[2].xhtml.replace("id=\"x\"", ""), "#x");
        broken(|book| book.pages[0].xhtml = book.pages[0].xhtml.replace("01-a/b.xhtml", "01-a/b.html"), "01-a/b.html");
        broken(|book| book.pages[4].xhtml = book.pages[4].xhtml.replace("<h1>", "<script>1</script><h1>"), "script");
        broken(|book| drop(book.files.remove("book.css")), "book.css");
        broken(
            |book| book.pages[4].xhtml = book.pages[4].xhtml.replace("<h1>", "<p id=\"a\"/><p id=\"a\"/><h1>"),
            "twice",
        );
    }

    #[test]
    fn the_contents_nest_as_the_book_does() {
        let nav = book().navigation();
        let list = &nav[nav.find("<ol>").expect("a list")..nav.find("</nav>").expect("an end")];
        assert_eq!(
            list.replace('\n', ""),
            "<ol><li><a href=\"index.xhtml\">Begin</a></li><li><a href=\"01-a/index.xhtml\">A</a><ol>\
             <li><a href=\"01-a/b.xhtml\">B</a></li><li><a href=\"01-a/c.xhtml\">C</a></li></ol></li>\
             <li><a href=\"end.xhtml\">End</a></li></ol>"
        );
    }

    #[test]
    fn the_package_tells_of_formulas_and_drawings() {
        let package = book().package(1_795_352_400);
        assert!(
            package.contains("href=\"01-a/b.xhtml\" media-type=\"application/xhtml+xml\" properties=\"mathml svg\"/>"),
            "{package}"
        );
        assert!(package.contains("<dc:title>A &amp; B</dc:title>"), "{package}");
        assert!(package.contains("2026-11-22T13:00:00Z"), "{package}");
    }

    #[test]
    fn an_instant_is_a_date_of_the_calendar() {
        assert_eq!(instant(0), "1970-01-01T00:00:00Z");
        assert_eq!(instant(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(instant(4_107_542_399), "2100-02-28T23:59:59Z");
    }

    #[test]
    fn two_builds_of_one_source_are_equal() {
        let mut one = Vec::new();
        Cursor::new(book().pack(7).expect("packed")).read_to_end(&mut one).expect("readable");
        assert_eq!(one, book().pack(7).expect("packed"));
    }
}
