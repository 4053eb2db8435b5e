//! What a reader's first visit to a page transfers.

use super::{Built, Outcome};
use crate::{
    html::{Piece, pieces},
    site::{files, resolve},
};
use anyhow::Result;
use flate2::{Compression, write::GzEncoder};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
};

/// A page and all that it loads at once may weigh this much, compressed.
const LIMIT: usize = 100 * 1024;

/// A figure that readers move may add this much when it is first touched, compressed.
const FIGURE_LIMIT: usize = 60 * 1024;

/// Prints the table of weights and judges each page by [`LIMIT`].
pub(super) fn pages(built: &Built) -> Result<Outcome> {
    let mut weights: BTreeMap<String, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut heaviest = (0, "");
    println!("      gz bytes   page     styles   scripts  other");
    let fonts: Vec<_> = files(&built.out)?
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "woff2"))
        .map(|file| compressed(&fs::read(file)?))
        .collect::<Result<_>>()?;
    for page in &built.pages {
        let own = compressed(page.html.as_bytes())?;
        let (mut styles, mut scripts, mut other) = (0, 0, 0);
        for (kind, path) in first_load(&page.path, &page.html) {
            let weight = match weights.get(&path) {
                Some(weight) => *weight,
                None => {
                    // A missing file is the link check's to report.
                    let weight = compressed(&fs::read(built.out.join(&path)).unwrap_or_default())?;
                    weights.insert(path, weight);
                    weight
                }
            };
            match kind {
                "style" => styles += weight,
                "script" => scripts += weight,
                _ => other += weight,
            }
        }
        // A font is loaded where it is used, and ours is for formulas.
        if page.html.contains("<math") {
            other += fonts.iter().sum::<usize>();
        }
        let total = own + styles + scripts + other;
        println!("      {total:>8}   {own:>6}   {styles:>6}   {scripts:>7}  {other:>5}  {}", page.path);
        // The print page is the whole book on purpose.
        if page.path != "print.html" {
            if total > LIMIT {
                faults.push(format!("{}: {total} bytes gz, more than {LIMIT}", page.path));
            }
            heaviest = heaviest.max((total, &page.path));
        }
    }
    let (total, path) = heaviest;
    Ok(Outcome::from_faults(faults, format!("at most {total} of {LIMIT} bytes gz ({path})")))
}

/// Prints what each figure adds when it is touched, and judges it by [`FIGURE_LIMIT`].
pub(super) fn figures(built: &Built) -> Result<Outcome> {
    let mut figures = BTreeSet::new();
    for page in built.pages.iter().filter(|page| page.path != "print.html") {
        figures.extend(touches(&page.path, &page.html));
    }
    let mut faults = Vec::new();
    let mut heaviest = 0;
    // A missing file is the link check's to report.
    let weigh = |path: &String| compressed(&fs::read(built.out.join(path)).unwrap_or_default());
    println!("      gz bytes   module   player  live figure");
    for (name, module, player) in &figures {
        let (module, player) = (weigh(module)?, player.as_ref().map_or(Ok(0), weigh)?);
        let weight = module + player;
        println!("      {weight:>8}   {module:>6}   {player:>6}  {name}");
        if weight > FIGURE_LIMIT {
            faults.push(format!("the first touch of {name} loads {weight} bytes gz, more than {FIGURE_LIMIT}"));
        }
        heaviest = heaviest.max(weight);
    }
    Ok(Outcome::from_faults(
        faults,
        format!("{} of them, at most {heaviest} of {FIGURE_LIMIT} bytes gz", figures.len()),
    ))
}

/// What the first touch of each figure of a page loads: the figure's name, its module, and the player if it plays a run.
fn touches(page: &str, html: &str) -> Vec<(String, String, Option<String>)> {
    let figure = |piece| {
        let Piece::Tag(tag) = piece else { return None };
        let module = resolve(page, tag.attribute("data-module")?)?;
        let player = tag.attribute("data-player").and_then(|player| resolve(page, player));
        Some((tag.attribute("data-figure").unwrap_or(&module).to_owned(), module, player))
    };
    pieces(html).into_iter().filter_map(figure).collect()
}

/// The files that a browser loads with the page, by kind.
fn first_load(page: &str, html: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for piece in pieces(html) {
        let Piece::Tag(tag) = piece else { continue };
        let load = match tag.name {
            "link" => match tag.attribute("rel") {
                Some("stylesheet") => Some(("style", tag.attribute("href"))),
                Some("icon" | "preload") => Some(("other", tag.attribute("href"))),
                _ => None,
            },
            "script" => Some(("script", tag.attribute("src"))),
            "img" if tag.attribute("loading") != Some("lazy") => Some(("other", tag.attribute("src"))),
            _ => None,
        };
        if let Some((kind, Some(link))) = load
            && let Some(path) = resolve(page, link)
        {
            found.push((kind, path));
        }
    }
    found
}

/// How long `bytes` are as a server sends them.
fn compressed(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn a_figure_that_plays_a_run_loads_the_player_too() {
        let html = "<div data-figure=a data-module='../figures/a.js'></div>\
                    <div data-figure=b data-module='../figures/b.js' data-player='../figures/run.js'></div>";
        let [a, b, run] = ["figures/a.js", "figures/b.js", "figures/run.js"].map(str::to_owned);
        assert_eq!(touches("ch/x.html", html), [("a".to_owned(), a, None), ("b".to_owned(), b, Some(run))]);
    }

    #[test]
    fn only_what_is_loaded_at_once_counts() {
        let html = "<link rel=stylesheet href='../a.css'><link rel=next href='b.html'><script src='../x.js'></script>\
                    <script>inline</script><img src='p.png'><img loading=lazy src='q.png'><a href='c.html'>c</a>";
        let loads: Vec<_> = first_load("ch/page.html", html);
        assert_eq!(
            loads,
            [("style", "a.css".to_owned()), ("script", "x.js".to_owned()), ("other", "ch/p.png".to_owned())]
        );
    }
}
