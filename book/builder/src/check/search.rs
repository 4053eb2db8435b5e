//! What search finds: each wrong answer's claim leads to the section that answers it.

use super::{Built, Outcome, links};
use crate::site::search;
use anyhow::Result;
use catalog::Catalog;
use std::collections::BTreeMap;

/// Every wrong answer of every exercise has its entry in the built index, and the entry leads to a section.
pub(super) fn beliefs(built: &Built) -> Result<Outcome> {
    let (catalog, _) = Catalog::read(&built.project.root);
    let ids: BTreeMap<_, Vec<_>> =
        built.pages.iter().map(|page| (page.path.clone(), links::ids(&page.html).into_iter().collect())).collect();
    let expected = search::entries(&catalog, &ids);
    let found = search::read(&built.out)?;
    let mut faults = Vec::new();
    for entry in &expected {
        if !entry.url.contains('#') {
            faults.push(format!("{}: no section answers `{}`", entry.url, entry.title));
        }
        if !found.contains(&(entry.url.clone(), entry.title.clone())) {
            faults.push(format!("{}: search does not know `{}`", entry.url, entry.title));
        }
    }
    Ok(Outcome::from_faults(faults, format!("{} wrong answers among {} entries", expected.len(), found.len())))
}
