//! What is wrong with an EPUB, as a reading system would find out.

use crate::site::resolve;
use roxmltree::Document;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Cursor, Read as _},
};
use zip::{CompressionMethod, ZipArchive};

/// Everything in `bytes` that a reading system may trip over; nothing if it is sound.
pub fn faults(bytes: &[u8]) -> Vec<String> {
    match Read::of(bytes) {
        Ok(read) => read.faults(),
        Err(fault) => vec![fault],
    }
}

/// An EPUB, unpacked.
struct Read {
    /// Content by path.
    members: BTreeMap<String, Vec<u8>>,
    package: String,
}

impl Read {
    fn of(bytes: &[u8]) -> Result<Self, String> {
        let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| format!("no zip archive: {error}"))?;
        let mut members = BTreeMap::new();
        for at in 0..zip.len() {
            let mut member = zip.by_index(at).map_err(|error| format!("member {at}: {error}"))?;
            let name = member.name().map_err(|error| format!("member {at}: {error}"))?.into_owned();
            let mut content = Vec::new();
            member.read_to_end(&mut content).map_err(|error| format!("{name}: {error}"))?;
            let is_type = name == "mimetype"
                && member.compression() == CompressionMethod::Stored
                && content == b"application/epub+zip";
            if at == 0 && !is_type {
                return Err("the first member is not an uncompressed `mimetype` of an EPUB".to_owned());
            }
            if members.insert(name.clone(), content).is_some() {
                return Err(format!("{name} is in it twice"));
            }
        }
        let container = text(&members, "META-INF/container.xml")?;
        let container = parsed("META-INF/container.xml", &container)?;
        let package = container.descendants().find(|node| node.has_tag_name((CONTAINER, "rootfile")));
        let package = package.and_then(|node| node.attribute("full-path")).ok_or("container.xml names no package")?;
        Ok(Self { package: package.to_owned(), members })
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let manifest = match self.manifest(&mut faults) {
            Ok(manifest) => manifest,
            Err(fault) => return vec![fault],
        };
        let known = |path: &String| *path == self.package || path == "mimetype" || path.starts_with("META-INF/");
        for path in self.members.keys().filter(|path| !known(path) && !manifest.contains_key(*path)) {
            faults.push(format!("{path} is not in the manifest"));
        }
        let pages: BTreeMap<&String, String> = manifest
            .iter()
            .filter(|(path, kind)| *kind == "application/xhtml+xml" && self.members.contains_key(*path))
            .filter_map(|(path, _)| Some((path, text(&self.members, path).ok()?)))
            .collect();
        let mut documents = BTreeMap::new();
        for (path, text) in &pages {
            match parsed(path, text) {
                Ok(document) => drop(documents.insert(path.as_str(), document)),
                Err(fault) => faults.push(fault),
            }
        }
        let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (path, document) in &documents {
            let of_page = ids.entry(path).or_default();
            for id in document.descendants().filter_map(|node| node.attribute("id")) {
                if !of_page.insert(id) {
                    faults.push(format!("{path}: the id `{id}` stands twice"));
                }
                if !id.starts_with(|c: char| c.is_alphabetic() || c == '_') {
                    faults.push(format!("{path}: the id `{id}` is no name in XML"));
                }
            }
        }
        for (path, document) in &documents {
            for node in document.descendants().filter(roxmltree::Node::is_element) {
                if matches!(node.tag_name().name(), "script" | "iframe" | "form" | "input" | "button") {
                    faults.push(format!("{path}: <{}> has no place in a book", node.tag_name().name()));
                }
                let is_link = node.tag_name().name() == "a";
                for link in ["href", "src"].into_iter().filter_map(|name| node.attribute(name)) {
                    faults.extend(self.leads_nowhere(path, link, is_link, &ids));
                }
            }
        }
        faults
    }

    fn leads_nowhere(
        &self,
        page: &str,
        link: &str,
        is_link: bool,
        ids: &BTreeMap<&str, BTreeSet<&str>>,
    ) -> Option<String> {
        let Some(path) = resolve(page, link) else {
            return (!is_link).then(|| format!("{page}: loads {link} from elsewhere"));
        };
        if !self.members.contains_key(&path) {
            return Some(format!("{page}: `{link}` leads to {path}, which is not in the book"));
        }
        let fragment = link.split_once('#').map(|(_, fragment)| fragment).filter(|fragment| !fragment.is_empty())?;
        let is_there = ids.get(path.as_str()).is_none_or(|ids| ids.contains(fragment));
        (!is_there).then(|| format!("{page}: `{link}`: {path} has no element #{fragment}"))
    }

    /// The media types of the package's items by path, with what is wrong about its lists.
    fn manifest(&self, faults: &mut Vec<String>) -> Result<BTreeMap<String, String>, String> {
        let source = text(&self.members, &self.package)?;
        let package = parsed(&self.package, &source)?;
        for (space, name) in [(DC, "identifier"), (DC, "title"), (DC, "language")] {
            let has = package.descendants().any(|node| {
                node.has_tag_name((space, name)) && node.text().is_some_and(|text| !text.trim().is_empty())
            });
            if !has {
                faults.push(format!("{} has no dc:{name}", self.package));
            }
        }
        let items = || package.descendants().filter(|node| node.has_tag_name((OPF, "item")));
        let mut found = BTreeMap::new();
        let mut by_id = BTreeMap::new();
        for item in items() {
            let (Some(id), Some(link), Some(kind)) =
                (item.attribute("id"), item.attribute("href"), item.attribute("media-type"))
            else {
                faults.push(format!("{}: an item lacks its id, href or media-type", self.package));
                continue;
            };
            let path = resolve(&self.package, link).unwrap_or_default();
            if !self.members.contains_key(&path) {
                faults.push(format!("{} lists {path}, which is not in it", self.package));
            }
            if by_id.insert(id, kind).is_some() {
                faults.push(format!("{}: the id {id} stands twice", self.package));
            }
            found.insert(path, kind.to_owned());
        }
        if items().filter(|item| item.attribute("properties") == Some("nav")).count() != 1 {
            faults.push(format!("{} does not name one table of contents", self.package));
        }
        let references = package.descendants().filter(|node| node.has_tag_name((OPF, "itemref")));
        let mut read = 0;
        for id in references.filter_map(|node| node.attribute("idref")) {
            read += 1;
            if by_id.get(id) != Some(&"application/xhtml+xml") {
                faults.push(format!("{}: the reading order names {id}, which is no page", self.package));
            }
        }
        if read == 0 {
            faults.push(format!("{}: there is nothing to read", self.package));
        }
        Ok(found)
    }
}

const CONTAINER: &str = "urn:oasis:names:tc:opendocument:xmlns:container";
const OPF: &str = "http://www.idpf.org/2007/opf";
const DC: &str = "http://purl.org/dc/elements/1.1/";

fn text(members: &BTreeMap<String, Vec<u8>>, path: &str) -> Result<String, String> {
    let bytes = members.get(path).ok_or_else(|| format!("{path} is missing"))?;
    String::from_utf8(bytes.clone()).map_err(|_| format!("{path} is not UTF-8"))
}

fn parsed<'a>(path: &str, text: &'a str) -> Result<Document<'a>, String> {
    // Our pages begin with `<!DOCTYPE html>`, which declares nothing.
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| format!("{path}: not well-formed: {error}"))
}
