//! A run in the kit's trace format, drawn as a sequence diagram narrow enough for a phone.

use crate::svg::{Anchor, Svg, WIDTH, within};
use kit::trace::{Event, Trace, What};

const ROW: f64 = 28.0;
const TOP: f64 = 46.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 36.0;

/// Draws `trace`: lifelines down, one row for each event that `shown` keeps, the time at its left.
///
/// A message is drawn once, where it arrives or is lost. What a client is told stands boxed on its replica's lifeline.
pub(crate) fn draw(trace: &Trace, shown: impl Fn(&Event) -> bool) -> Svg {
    let events: Vec<&Event> =
        trace.events.iter().filter(|e| !matches!(e.what, What::Sent { .. }) && shown(e)).collect();
    let height = TOP + events.len() as f64 * ROW + 8.0;
    let gaps = trace.lanes.len().saturating_sub(1).max(1) as f64;
    let x = |lane: usize| LEFT + 24.0 + lane as f64 * (WIDTH - LEFT - RIGHT - 48.0) / gaps;
    let mut svg = Svg::new(WIDTH, height).of_messages();
    for (lane, name) in trace.lanes.iter().enumerate() {
        svg.text("strong", (x(lane), 18.0), Anchor::Middle, name);
        svg.line("grid", (x(lane), 26.0), (x(lane), height - 4.0));
    }
    let mut last = None;
    for (row, event) in events.iter().enumerate() {
        let y = TOP + row as f64 * ROW + 6.0;
        if last != Some(event.at) {
            svg.text("muted small", (2.0, y + 5.0), Anchor::Start, &event.at.0.to_string());
            last = Some(event.at);
        }
        draw_event(&mut svg, &event.what, &trace.lanes, &x, y);
    }
    svg
}

fn draw_event(svg: &mut Svg, what: &What, lanes: &[String], x: &impl Fn(usize) -> f64, y: f64) {
    match what {
        What::Delivered { from, to, label, .. } => {
            svg.arrow("s0", (x(*from), y), (x(*to), y));
            let middle = f64::midpoint(x(*from), x(*to));
            words(svg, "ink small", (middle, y - 4.0), label);
        }
        What::Lost { from, to, label, .. } => {
            // It ends between two lifelines, however far it was meant to go, or it would seem to arrive at one.
            let gap = (x(1) - x(0)) * if to > from { 1.0 } else { -1.0 };
            let end = x(*from) + gap * 0.75;
            svg.line("bad dashed", (x(*from), y), (end, y));
            words(svg, "ink small", (x(*from) + gap * 0.45, y - 6.0), &format!("{label} → {}", lanes[*to]));
            svg.text("bad strong", (end, y + 5.0), Anchor::Middle, "✕");
        }
        What::Network { label } => {
            svg.line("muted dashed", (LEFT, y), (WIDTH - 4.0, y));
            words(svg, "muted small", (f64::midpoint(LEFT, WIDTH), y - 4.0), label);
        }
        What::Note { lane: None, label } => words(svg, "ink small", (f64::midpoint(LEFT, WIDTH), y + 5.0), label),
        What::Called { lane, label, .. } => boxed(svg, (x(*lane), y), &format!("{label}?"), "grid line"),
        What::Replied { lane, label, .. } => boxed(svg, (x(*lane), y), label, "ink line"),
        What::Broken { law, because } => {
            // The law and the reason are too long for one line.
            svg.line("bad", (LEFT, y - 13.0), (WIDTH - 4.0, y - 13.0));
            words(svg, "bad small", (f64::midpoint(LEFT, WIDTH), y), &format!("✕ {law}:"));
            words(svg, "bad small", (f64::midpoint(LEFT, WIDTH), y + 14.0), because);
        }
        other => {
            if let Some(lane) = other.lanes().first() {
                let label = match other {
                    What::Crashed { .. } => "✕ crash",
                    What::Restarted { .. } => "restart",
                    What::Paused { .. } => "║ pause",
                    What::Resumed { .. } => "resume",
                    What::TimerFired { label, .. }
                    | What::Note { label, .. }
                    | What::Persisted { label, .. }
                    | What::ClockChanged { label, .. } => label,
                    _ => "",
                };
                words(svg, "muted small", (x(*lane), y + 5.0), label);
            }
        }
    }
}

/// Text on a patch of the page's colour, so that a lifeline behind it does not strike it through.
fn words(svg: &mut Svg, class: &str, (x, y): (f64, f64), text: &str) {
    let wide = text.chars().count() as f64 * 7.4 + 4.0;
    svg.rect("paper", (x - wide / 2.0, y - 11.0), wide, 14.0);
    svg.text(class, (x, y), Anchor::Middle, text);
}

fn boxed(svg: &mut Svg, (x, y): (f64, f64), text: &str, class: &str) {
    let wide = text.chars().count() as f64 * 7.6 + 12.0;
    let left = within(x - wide / 2.0, LEFT - 14.0, WIDTH - wide - 2.0);
    svg.rect("paper", (left, y - 10.0), wide, 20.0);
    svg.rect(class, (left, y - 10.0), wide, 20.0);
    svg.text("ink small", (left + wide / 2.0, y + 5.0), Anchor::Middle, text);
}
