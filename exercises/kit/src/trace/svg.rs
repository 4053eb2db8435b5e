//! A run as a sequence diagram: lifelines run down, messages slant from where they left to where they arrived.

use super::{Event, Trace, What};
use std::collections::HashMap;
use std::fmt::Write as _;

const ROW: usize = 30;
const TOP: usize = 54;
const LANE: usize = 190;
const LEFT: usize = 120;

/// Draws the run; the style sheet that goes with it is [`STYLE`], and a page that embeds the figure may bring its own.
pub(super) fn draw(trace: &Trace) -> String {
    let rows = rows(trace);
    let x = |lane: usize| LEFT + lane * LANE;
    let y = |row: usize| TOP + row * ROW;
    let (width, height) = (LEFT + trace.lanes.len().max(1) * LANE + 60, TOP + rows.len() * ROW + 30);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"trace\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n\
         <defs><marker id=\"trace-head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
         <path class=\"trace-head\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
        escaped(&format!("Sequence diagram: {}", trace.title))
    );
    for (lane, name) in trace.lanes.iter().enumerate() {
        let _ = writeln!(
            out,
            "<text class=\"trace-name\" x=\"{0}\" y=\"24\">{1}</text><path class=\"trace-life\" d=\"M{0} 34V{2}\"/>",
            x(lane),
            escaped(name),
            height - 10
        );
    }
    let mut left: HashMap<u64, usize> = HashMap::new();
    for (row, event) in rows.iter().enumerate() {
        let at = y(row);
        let _ = write!(out, "<text class=\"trace-time\" x=\"10\" y=\"{}\">{}</text>", at + 4, event.at);
        draw_event(trace, event, at, x, y, row, &mut left, width, &mut out);
        if let (Some(status), Some(lane)) = (event.status.as_deref(), event.what.lanes().last()) {
            let _ = write!(
                out,
                "<text class=\"trace-status\" x=\"{}\" y=\"{}\">{}</text>",
                x(*lane) + 8,
                at + 16,
                escaped(status)
            );
        }
        out.push('\n');
    }
    out.push_str("</svg>\n");
    out
}

#[expect(clippy::too_many_arguments, reason = "the drawing state of one row")]
fn draw_event(
    trace: &Trace,
    event: &Event,
    at: usize,
    x: impl Fn(usize) -> usize,
    y: impl Fn(usize) -> usize,
    row: usize,
    left: &mut HashMap<u64, usize>,
    width: usize,
    out: &mut String,
) {
    let _ = match &event.what {
        What::Sent { id, from, .. } => {
            left.insert(*id, row);
            write!(out, "<circle class=\"trace-dot\" cx=\"{}\" cy=\"{at}\" r=\"2.5\"/>", x(*from))
        }
        What::Delivered { id, from, to, label, .. } => {
            let start = left.get(id).map_or(at, |row| y(*row));
            arrow(out, "trace-sent", (x(*from), start), (x(*to), at), label)
        }
        What::Lost { id, from, to, label, why } => {
            // It ends between two lifelines, however far it was meant to go, or it would seem to arrive at one.
            let start = left.get(id).map_or(at, |row| y(*row));
            let reach = LANE * 6 / 10;
            let end = if to > from { x(*from) + reach } else { x(*from).saturating_sub(reach) };
            let name = trace.lanes.get(*to).map_or("?", String::as_str);
            let middle = usize::midpoint(x(*from), end);
            write!(
                out,
                "<path class=\"trace-lost\" d=\"M{} {start}L{end} {at}\"/><text class=\"trace-cross\" x=\"{end}\" y=\"{}\">✕</text>\
                 <text class=\"trace-label\" x=\"{middle}\" y=\"{}\">{}</text>",
                x(*from),
                at + 5,
                usize::midpoint(start, at).saturating_sub(5),
                escaped(&format!("{label} → {name}, {why}"))
            )
        }
        What::Network { .. } | What::Note { lane: None, .. } => write!(
            out,
            "<path class=\"trace-net\" d=\"M60 {at}H{}\"/><text class=\"trace-words\" x=\"66\" y=\"{}\">{}</text>",
            width - 20,
            at - 4,
            escaped(&event.what.words())
        ),
        What::Broken { .. } => write!(
            out,
            "<path class=\"trace-broken\" d=\"M60 {at}H{}\"/><text class=\"trace-broken-words\" x=\"66\" y=\"{}\">✕ {}</text>",
            width - 20,
            at + 14,
            escaped(&event.what.words())
        ),
        what => {
            let lane = what.lanes().first().copied().unwrap_or(0);
            let class =
                if matches!(what, What::Crashed { .. } | What::Paused { .. }) { "trace-stop" } else { "trace-dot" };
            write!(
                out,
                "<circle class=\"{class}\" cx=\"{0}\" cy=\"{at}\" r=\"4\"/><text class=\"trace-words\" x=\"{1}\" y=\"{2}\">{3}</text>",
                x(lane),
                x(lane) + 8,
                at + 4,
                escaped(&what.words())
            )
        }
    };
}

fn arrow(out: &mut String, class: &str, from: (usize, usize), to: (usize, usize), label: &str) -> std::fmt::Result {
    let (middle_x, middle_y) = (usize::midpoint(from.0, to.0), usize::midpoint(from.1, to.1));
    write!(
        out,
        "<path class=\"{class}\" d=\"M{} {}L{} {}\" marker-end=\"url(#trace-head)\"/>\
         <text class=\"trace-label\" x=\"{middle_x}\" y=\"{}\">{}</text>",
        from.0,
        from.1,
        to.0,
        to.1,
        middle_y.saturating_sub(5),
        escaped(label)
    )
}

/// The events that get a row: a message's departure only if its arrival is not the very next thing.
fn rows(trace: &Trace) -> Vec<&Event> {
    let mut rows = Vec::with_capacity(trace.events.len());
    for (at, event) in trace.events.iter().enumerate() {
        let instant = matches!((&event.what, trace.events.get(at + 1).map(|next| &next.what)),
            (What::Sent { id, .. }, Some(What::Delivered { id: next, .. } | What::Lost { id: next, .. })) if id == next);
        if !instant {
            rows.push(event);
        }
    }
    rows
}

pub(super) fn page(trace: &Trace) -> String {
    let verdict = trace.broken().map_or_else(String::new, |(law, because)| {
        format!("<p class=\"verdict\"><strong>✕ {}</strong> {}</p>\n", escaped(law), escaped(because))
    });
    let seed = trace.seed.map_or_else(String::new, |seed| format!("<p>Seed {seed}</p>\n"));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n{verdict}{seed}\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Sequence diagram\">\n{}</div>\n\
         <details><summary>The same as text</summary><pre>{}</pre></details></main>\n\
         <script type=\"application/json\" id=\"trace\">{}</script></body></html>\n",
        draw(trace),
        escaped(&trace.to_string()),
        trace.to_json(),
        title = escaped(&trace.title.replace('_', " ")),
    )
}

/// Colours for light and dark; every colour comes with a shape or a word that says the same.
const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#c4ccd4;--paper:#fff;--go:#0a5cad;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaef;--soft:#9aa5b1;--line:#3d4650;--paper:#14181d;--go:#6cb2ff;--bad:#ff8a80}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1200px;margin:auto;padding:1rem}h1{font-size:1.25rem}.verdict strong{color:var(--bad)}.scroll{overflow-x:auto}
svg{display:block;min-width:640px}pre{overflow-x:auto;font-size:13px}
svg text{font:12px system-ui,sans-serif;fill:var(--ink);stroke:var(--paper);stroke-width:4px;paint-order:stroke;stroke-linejoin:round}
.trace-cross{text-anchor:middle;fill:var(--bad)!important;font-weight:700!important}.trace-name{font-weight:600!important;text-anchor:middle}
.trace-time,.trace-status{fill:var(--soft)!important}.trace-life{stroke:var(--line)}.trace-label{text-anchor:middle}
.trace-sent{stroke:var(--go);fill:none}.trace-lost{stroke:var(--bad);stroke-dasharray:5 4;fill:none}.trace-head{fill:var(--soft)}
.trace-dot{fill:var(--soft)}.trace-stop{fill:var(--bad)}.trace-net{stroke:var(--soft);stroke-dasharray:2 4}
.trace-broken{stroke:var(--bad);stroke-width:2}.trace-broken-words{fill:var(--bad)!important;font-weight:600!important}
";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
