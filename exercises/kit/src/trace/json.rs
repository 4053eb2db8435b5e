//! A run as JSON, written by hand: the kit stands between a reader and the first verdict, and builds fast.

use super::{Event, SCHEMA, Trace, What};
use std::fmt::Write as _;

pub(super) fn write(trace: &Trace) -> String {
    let mut out = String::new();
    let _ = write!(out, "{{\"schema\":{SCHEMA},\"title\":{}", quoted(&trace.title));
    if let Some(seed) = trace.seed {
        let _ = write!(out, ",\"seed\":{}", seed.0);
    }
    let lanes: Vec<String> = trace.lanes.iter().map(|lane| quoted(lane)).collect();
    let _ = write!(out, ",\"lanes\":[{}],\"events\":[", lanes.join(","));
    for (at, event) in trace.events.iter().enumerate() {
        out.push_str(if at == 0 { "\n" } else { ",\n" });
        write_event(event, &mut out);
    }
    out.push_str("\n]}\n");
    out
}

fn write_event(event: &Event, out: &mut String) {
    let kind = match &event.what {
        What::Sent { .. } => "sent",
        What::Delivered { .. } => "delivered",
        What::Lost { .. } => "lost",
        What::Called { .. } => "called",
        What::Replied { .. } => "replied",
        What::TimerFired { .. } => "timer",
        What::Persisted { .. } => "persisted",
        What::Crashed { .. } => "crashed",
        What::Restarted { .. } => "restarted",
        What::Paused { .. } => "paused",
        What::Resumed { .. } => "resumed",
        What::ClockChanged { .. } => "clock",
        What::Network { .. } => "network",
        What::Note { .. } => "note",
        What::Broken { .. } => "broken",
    };
    let _ = write!(out, "{{\"at\":{},\"kind\":\"{kind}\"", event.at.0);
    let _ = match &event.what {
        What::Sent { id, from, to, label } => {
            write!(out, ",\"id\":{id},\"from\":{from},\"to\":{to},\"label\":{}", quoted(label))
        }
        What::Delivered { id, from, to, label, sent } => {
            write!(out, ",\"id\":{id},\"from\":{from},\"to\":{to},\"label\":{},\"sent\":{}", quoted(label), sent.0)
        }
        What::Lost { id, from, to, label, why } => {
            write!(out, ",\"id\":{id},\"from\":{from},\"to\":{to},\"label\":{},\"why\":\"{why}\"", quoted(label))
        }
        What::Called { lane, call, label } | What::Replied { lane, call, label } => {
            write!(out, ",\"lane\":{lane},\"call\":{},\"label\":{}", call.0, quoted(label))
        }
        What::TimerFired { lane, label } | What::Persisted { lane, label } | What::ClockChanged { lane, label } => {
            write!(out, ",\"lane\":{lane},\"label\":{}", quoted(label))
        }
        What::Crashed { lane, lost_last_write } => write!(out, ",\"lane\":{lane},\"lostLastWrite\":{lost_last_write}"),
        What::Paused { lane, span } => write!(out, ",\"lane\":{lane},\"millis\":{}", span.0),
        What::Restarted { lane } | What::Resumed { lane } => write!(out, ",\"lane\":{lane}"),
        What::Network { label } | What::Note { lane: None, label } => write!(out, ",\"label\":{}", quoted(label)),
        What::Note { lane: Some(lane), label } => write!(out, ",\"lane\":{lane},\"label\":{}", quoted(label)),
        What::Broken { law, because } => write!(out, ",\"law\":{},\"because\":{}", quoted(law), quoted(because)),
    };
    if let Some(status) = &event.status {
        let _ = write!(out, ",\"status\":{}", quoted(status));
    }
    out.push('}');
}

/// A JSON string; `<` is escaped too, so that the text can stand inside a page's script element.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' || c == '<' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_is_escaped_for_json_and_for_a_page() {
        assert_eq!(super::quoted("a\"b\\c\n</script>\u{1}é"), r#""a\"b\\c\n\u003c/script>\u0001é""#);
    }
}
