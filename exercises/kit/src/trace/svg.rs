//! A run as a sequence diagram: lifelines run down, messages slant from where they left to where they arrived.

use super::{Event, PLAYER_SCRIPT, PLAYER_STYLE, Trace, What, named};
use std::collections::HashMap;
use std::fmt::Write as _;

const ROW: usize = 30;
const TOP: usize = 54;
const LANE: usize = 190;
const LEFT: usize = 120;

/// Draws the run; the style sheet that goes with it is `page.css`, and a page that embeds the figure may bring its own.
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
                escaped(&named(&trace.lanes, status))
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

/// The whole page: the player where there is a script, and below it what everybody can read, diagram and text.
pub(super) fn page(trace: &Trace) -> String {
    let verdict = trace.broken().map_or_else(String::new, |(law, because)| {
        let because = named(&trace.lanes, because);
        format!("<p class=\"verdict\"><strong>✕ {}</strong> {}</p>\n", escaped(law), escaped(&because))
    });
    let seed = trace
        .seed
        .map_or_else(String::new, |seed| format!("<p class=\"facts\">Seed {seed}, times in milliseconds</p>\n"));
    let law = if trace.broken().is_some() { ", <kbd>B</kbd> to the broken law" } else { "" };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{PAGE_STYLE}{PLAYER_STYLE}</style></head>\n<body><main><h1>{title}</h1>\n{verdict}{seed}\
         <div id=\"player\"></div>\n<p class=\"keys\">Keys: {KEYS}{law}. The address names the step.</p>\n\
         <div class=\"whole\" tabindex=\"0\" role=\"region\" aria-label=\"Sequence diagram\">\n{}</div>\n\
         <details><summary>The same as text</summary><pre tabindex=\"0\">{}</pre></details></main>\n\
         <script type=\"application/json\" id=\"trace\">{}</script>\n<script>{PLAYER_SCRIPT}</script></body></html>\n",
        draw(trace),
        escaped(&trace.to_string()),
        trace.to_json(),
        title = escaped(&trace.title.replace('_', " ")),
    )
}

const PAGE_STYLE: &str = include_str!("page.css");

const KEYS: &str =
    "<kbd>←</kbd> <kbd>→</kbd> step, <kbd>Home</kbd> <kbd>End</kbd> first and last, <kbd>Space</kbd> play";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{Millis, Time};

    fn run() -> Trace {
        let mut trace = Trace::new("a_paused_holder_cannot_write", ["alice", "store"]);
        trace.push(Time(0), What::Sent { id: 1, from: 0, to: 1, label: "write 100 </script>".into() });
        trace.push(Time(1), What::Paused { lane: 0, span: Millis(30) });
        trace.push(
            Time(5),
            What::Delivered { id: 1, from: 0, to: 1, label: "write 100 </script>".into(), sent: Time(0) },
        );
        trace.events[2].status = Some("written by n0".into());
        trace.push(Time(5), What::Broken { law: "one writer".into(), because: "n0 wrote without a lease".into() });
        trace
    }

    #[test]
    fn the_page_stands_alone_with_the_player_and_the_run_it_plays() {
        let page = run().to_html();
        assert!(page.contains(PLAYER_SCRIPT) && page.contains(PLAYER_STYLE) && page.contains(&run().to_json()));
        let own = page.replace("url(#trace-head)", "");
        for asks in [" src=", "<link", "url(", "@import", "fetch(", "import("] {
            assert!(!own.contains(asks), "`{asks}` asks for another file");
        }
        assert_eq!(page.matches("</script>").count(), 2, "a label must not end the run or the player early");
        assert_eq!(page.matches("<script").count(), 2);
    }

    #[test]
    fn without_a_script_the_verdict_the_whole_diagram_and_the_text_are_there() {
        let page = run().to_html();
        let body = page.split_once("<body>").unwrap().1.split_once("<script").unwrap().0;
        assert!(
            body.contains("<svg") && body.contains("write 100 &lt;/script&gt;") && body.contains("paused 30 ms"),
            "{body}"
        );
        assert!(body.contains("✕ one writer</strong> alice wrote without a lease"), "{body}");
        assert!(body.contains("written by alice") && body.contains("BROKEN one writer"), "{body}");
        assert!(!body.contains("hidden") && !body.contains("<button"), "nothing waits for a script: {body}");
    }
}
