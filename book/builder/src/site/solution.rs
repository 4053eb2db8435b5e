//! The reference solution, folded at the end of an exercise's card.

use crate::{
    code,
    html::{Piece, escape, pieces},
    site::files,
};
use anyhow::Result;
use catalog::{Catalog, Id};
use std::fs;

/// `html` with each place for a solution (`<div class="solution" data-solution="CH/EX">`) filled; with nothing where there is no
/// `catalog` to take it from.
pub(super) fn put_into(html: &str, catalog: Option<&Catalog>) -> Result<String> {
    let mut out = String::with_capacity(html.len());
    let mut done = 0;
    for piece in pieces(html) {
        let Piece::Tag(tag) = piece else { continue };
        let Some(id) = tag.attribute("data-solution").filter(|_| tag.name == "div") else { continue };
        out.push_str(&html[done..tag.start]);
        done = tag.end() + html[tag.end()..].find("</div>").map_or(0, |end| end + "</div>".len());
        if let Some(catalog) = catalog
            && let Some(id) = Id::parse(id)
        {
            out.push_str(&folded(catalog, &id)?);
        }
    }
    Ok(out + &html[done..])
}

/// The files of the solution of `id`, each as a listing; nothing in a handout.
fn folded(catalog: &Catalog, id: &Id) -> Result<String> {
    let Some(file) = catalog.get(id).and_then(catalog::Exercise::solution_file) else { return Ok(String::new()) };
    let src = file.parent().unwrap_or(&file);
    let mut sources = files(src)?;
    sources.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    sources.sort_by_key(|file| (file.file_name().is_none_or(|name| name != "lib.rs"), file.clone()));
    let mut html = format!(
        "<details class=\"solution\"><summary>Our solution</summary><p>Open it when your tests are green, and compare: \
         <code>cargo xtask solution {}</code> shows the difference to yours.</p>",
        id.name()
    );
    for source in &sources {
        let text = fs::read_to_string(source)?;
        // Marks for the pages that quote from it.
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("// ANCHOR")).collect();
        let path = source.strip_prefix(&catalog.root).unwrap_or(source).to_string_lossy().replace('\\', "/");
        html.push_str(&format!(
            "<p class=\"file\"><code>{}</code></p>{}",
            escape(&path),
            code::block("rust", &lines.join("\n"))
        ));
    }
    Ok(html + "</details>")
}
