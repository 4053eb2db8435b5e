//! A run as lines of text: time, lifeline, what happened, what the lifeline shows from then on.

use super::{Event, Trace, What};
use crate::node::Time;
use std::cell::Cell;
use std::fmt::{self, Write as _};

thread_local! {
    /// Up to when a run is worth showing: later events are only counted.
    static UNTIL: Cell<Option<Time>> = const { Cell::new(None) };
}

/// From now on a run in text ends at `time`, because what went wrong had gone wrong by then; without a time, at its end.
pub(crate) fn show_until(time: impl Into<Option<Time>>) {
    UNTIL.set(time.into());
}

/// How many lines a failure message shows.
pub(super) const SCREEN: usize = 32;

pub(super) fn write(trace: &Trace, most: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name_width = trace.lanes.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let until = UNTIL.get().unwrap_or(Time(u64::MAX));
    let is_shown = |event: &&Event| match event.what {
        What::Sent { .. } => false,
        What::Broken { .. } => true,
        _ => event.at <= until,
    };
    let shown: Vec<&Event> = trace.events.iter().filter(is_shown).collect();
    let is_later = |event: &&Event| event.at > until && !matches!(event.what, What::Sent { .. } | What::Broken { .. });
    let later = trace.events.iter().filter(is_later).count();
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
    if later > 0 {
        writeln!(f, "  … {later} later events are in the picture")?;
    }
    Ok(())
}

/// `text` with the lifelines' names in the place of `n0`, `n1`, … of [`NodeId`](crate::NodeId).
pub(crate) fn named(lanes: &[String], text: &str) -> String {
    let mut named = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let digits = rest[c.len_utf8()..].bytes().take_while(u8::is_ascii_digit).count();
        let after = rest[c.len_utf8() + digits..].chars().next().unwrap_or(' ');
        let is_word = c == 'n' && digits > 0 && !before.is_alphanumeric() && !after.is_alphanumeric();
        let lane = is_word.then(|| rest[1..=digits].parse().ok().and_then(|lane: usize| lanes.get(lane))).flatten();
        match lane {
            Some(name) => {
                named.push_str(name);
                rest = &rest[1 + digits..];
            }
            None => {
                named.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        before = c;
    }
    named
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Millis;

    #[test]
    fn lifelines_are_called_by_their_names() {
        let lanes = ["a", "bank"].map(str::to_owned);
        assert_eq!(named(&lanes, "n0 and n1, n10, in1, n1st: n1"), "a and bank, n10, in1, n1st: bank");
        assert_eq!(named(&lanes, "–n1→ n"), "–bank→ n");
    }

    #[test]
    fn a_run_that_went_wrong_early_is_shown_up_to_there() {
        let mut trace = Trace::new("t", ["a"]);
        for at in 1..=100 {
            trace.push(Time(at), What::Paused { lane: 0, span: Millis(at) });
        }
        trace.push(Time(100), What::Broken { law: "law".into(), because: "why".into() });
        show_until(Time(50));
        let text = trace.to_string();
        show_until(None);
        let (first, last) = (text.lines().next().unwrap(), text.lines().last().unwrap());
        assert_eq!(
            (first, last),
            ("  … 19 earlier events are in the picture", "  … 50 later events are in the picture")
        );
        assert!(text.contains("paused 50 ms") && !text.contains("paused 51") && text.contains("BROKEN"), "{text}");
        assert!(trace.to_string().contains("paused 100"));
    }
}
