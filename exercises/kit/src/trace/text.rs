//! A run as lines of text: time, lifeline, what happened, what the lifeline shows from then on.

use super::{Event, Trace, What};
use std::fmt::{self, Write as _};

/// How many lines a failure message shows.
pub(super) const SCREEN: usize = 32;

pub(super) fn write(trace: &Trace, most: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name_width = trace.lanes.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let shown: Vec<&Event> = trace.events.iter().filter(|event| !matches!(event.what, What::Sent { .. })).collect();
    let time_width = shown.last().map_or(0, |event| event.at.to_string().len());
    let skipped = shown.len().saturating_sub(most);
    if skipped > 0 {
        writeln!(f, "  … {skipped} earlier events are in the picture")?;
    }
    for event in &shown[skipped..] {
        let mut line = format!("  {:<time_width$}  ", event.at.to_string());
        describe(trace, &event.what, name_width, &mut line);
        if let Some(status) = event.status.as_deref().filter(|status| !status.is_empty()) {
            let gap = 58_usize.saturating_sub(line.chars().count()).max(2);
            let _ = write!(line, "{:gap$}{status}", "");
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

fn describe(trace: &Trace, what: &What, width: usize, line: &mut String) {
    let name = |lane: usize| trace.lanes.get(lane).map_or("?", String::as_str);
    let _ = match what {
        What::Delivered { from, to, label, .. } => {
            write!(line, "{:<width$}  ──{label}──▶ {}", name(*from), name(*to))
        }
        What::Lost { from, to, label, why, .. } => {
            write!(line, "{:<width$}  ──{label}──✕ {} ({why})", name(*from), name(*to))
        }
        What::Crashed { lane, .. } => write!(line, "{:<width$}  ✕ {}", name(*lane), what.words()),
        What::Paused { lane, .. } => write!(line, "{:<width$}  ║ {}", name(*lane), what.words()),
        What::Network { label } => write!(line, "{:<width$}  ┄ {label}", ""),
        What::Broken { law, because } => write!(line, "{:<width$}  ← BROKEN {law}: {because}", ""),
        What::Note { lane: None, label } => write!(line, "{:<width$}  · {label}", ""),
        _ => match what.lanes().first() {
            Some(lane) => write!(line, "{:<width$}  {}", name(*lane), what.words()),
            None => write!(line, "{}", what.words()),
        },
    };
}
