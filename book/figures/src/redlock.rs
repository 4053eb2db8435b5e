//! Whose key each of five servers holds, and who is sure of the lock, while one thing goes wrong.
//!
//! Parameters: `fault` (`none`, `pause`, `jump` or `restart`).

use crate::svg::{Anchor, Svg, WIDTH};
use crate::{Drawing, Figure, Params};
use kit::chaos::{Do, Step};
use kit::trace::What;
use kit::{Fault, Millis, Network, NodeId, Seed, Sim, Time};
use redlock::{ALICE, BOB, MASTERS, Party, Reply, Request, STORE, call, forgetful_restart, jumping_clock, late_write};
use std::collections::BTreeMap;

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "redlock",
    drawing: draw,
    sandbox: None,
    golden: &["fault=none", "fault=pause", "fault=jump", "fault=restart"],
};

const LEFT: f64 = 62.0;
const ROW: f64 = 27.0;
const BAR: f64 = 18.0;
const TOP: f64 = 14.0;
/// Every how many milliseconds the servers are looked at.
const SAMPLE: u64 = 20;

/// A stretch of time in which a row shows something of a client.
#[derive(Clone, Copy)]
struct Span {
    owner: NodeId,
    from: u64,
    until: u64,
}

/// Plays a plan of the reference solution and draws a bar for every key and every belief.
fn draw(p: &Params) -> Drawing {
    let fault = p.text("fault", "none");
    let (plan, what) = match fault.as_str() {
        "pause" => (late_write(), "Alice stands still from 0.1 s on, for 30 s, between her check and her write."),
        "jump" => (jumping_clock(), "At 1 s the clock of m2 jumps ahead by 10 s."),
        "restart" => (forgetful_restart(), "At 1 s m2 loses power, forgets its last write and comes back."),
        _ => {
            let wait = (1..40).map(|i| call(i * 500, BOB, Request::Acquire));
            (std::iter::once(call(0, ALICE, Request::Acquire)).chain(wait).collect(), "Nothing goes wrong.")
        }
    };
    let length = if fault == "pause" { 34_000 } else { 22_000 };
    let (sim, mut rows) = play(&plan, length);
    rows.extend([ALICE, BOB].map(|client| beliefs(&sim, client)));

    let names: Vec<&str> = ["m0", "m1", "m2", "m3", "m4", "Alice", "Bob"].to_vec();
    let bottom = TOP + rows.len() as f64 * ROW + 8.0;
    let x = |at: u64| LEFT + (WIDTH - LEFT - 12.0) * at as f64 / length as f64;
    let mut svg = Svg::new(WIDTH, bottom + 40.0);
    for second in (0..=length / 1_000).step_by(5) {
        svg.line("grid", (x(second * 1_000), TOP), (x(second * 1_000), bottom));
        svg.text("muted small", (x(second * 1_000), bottom + 18.0), Anchor::Middle, &format!("{second} s"));
    }
    for (row, (name, spans)) in names.iter().zip(&rows).enumerate() {
        let y = TOP + row as f64 * ROW + if row < MASTERS { 0.0 } else { 8.0 };
        svg.text("ink small", (LEFT - 8.0, y + 14.0), Anchor::End, name);
        for span in spans {
            let (class, letter) = if span.owner == ALICE { ("s0", "A") } else { ("s1", "B") };
            let (left, width) = (x(span.from), x(span.until.min(length)) - x(span.from));
            let style = if row < MASTERS { "line" } else { "fill" };
            svg.rect(&format!("{class} {style}"), (left, y), width, BAR);
            if row < MASTERS && width > 14.0 {
                svg.text("ink small", (left + width / 2.0, y + 14.0), Anchor::Middle, letter);
            }
        }
    }
    let both = rows[MASTERS].iter().find_map(|alice| {
        let bob = rows[MASTERS + 1].iter().find(|bob| alice.from.max(bob.from) < alice.until.min(bob.until))?;
        Some((alice.from.max(bob.from), alice.until.min(bob.until)))
    });
    let writes = match sim.node(STORE) {
        Some(Party::Store(store)) => store.writes().to_vec(),
        _ => vec![],
    };
    for (at, writer, value) in &writes {
        let y = TOP + if *writer == ALICE { 5.0 } else { 6.0 } * ROW + 8.0;
        svg.circle("bad fill", (x(at.0), y + BAR / 2.0), 5.0);
        svg.text("ink small", (x(at.0) - 8.0, y + 14.0), Anchor::End, &format!("writes {value}"));
    }
    if let Some((from, until)) = both {
        svg.line("bad dashed", (x(from), TOP), (x(from), bottom));
        svg.line("bad dashed", (x(until), TOP), (x(until), bottom));
        svg.text(
            "bad small strong",
            (f64::midpoint(x(from), x(until)), bottom + 36.0),
            Anchor::Middle,
            "both are sure",
        );
    }
    let result = match (both, writes.last()) {
        (Some((from, until)), _) => {
            format!("Both are sure of the lock for {} s.", seconds(until.saturating_sub(from)))
        }
        (None, Some((at, _, value))) if writes.len() > 1 => {
            format!("At no time are both sure of the lock, and yet {value} is written last, at {} s.", seconds(at.0))
        }
        _ => {
            let end = rows[MASTERS].first().map_or(0, |span| span.until);
            let next = rows[MASTERS + 1].first().map_or(0, |span| span.from);
            format!("Alice stops at {} s, by her own clock; Bob gets the lock at {} s.", seconds(end), seconds(next))
        }
    };
    let sentence = format!("{what} {result}");
    let alt = format!(
        "A timeline with a row for each of five servers, m0 to m4, showing whose key it holds, A for Alice and B for Bob, \
         and a row each for the time in which Alice and Bob are sure of the lock. {sentence}"
    );
    Drawing::new(svg, sentence, alt)
}

fn seconds(milliseconds: u64) -> String {
    format!("{:.1}", milliseconds as f64 / 1_000.0)
}

/// Plays `plan` and looks at the servers' keys again and again.
fn play(plan: &[Step<Request>], length: u64) -> (Sim<Party>, Vec<Vec<Span>>) {
    let mut sim = Sim::new(Seed(1), |node, disk| Party::new(node, disk, Seed(1), Millis(0)));
    sim.set_network(Network::exact(Millis(5)));
    sim.join_all(["m0", "m1", "m2", "m3", "m4", "store", "Alice", "Bob"]);
    let mut rows: Vec<Vec<Span>> = vec![vec![]; MASTERS];
    let mut ahead = [0_i64; MASTERS];
    let mut setters = BTreeMap::new();
    let mut seen = 0;
    let mut steps = plan.iter().peekable();
    for now in (0..=length).step_by(SAMPLE as usize) {
        while let Some(step) = steps.next_if(|step| step.at <= Time(now)) {
            sim.run_for(step.at.since(sim.now()));
            match &step.what {
                Do::Call(client, request) => _ = sim.call(*client, *request),
                Do::Fault(fault) => {
                    if let Fault::ClockJump { node: NodeId(node), by } = fault {
                        ahead[*node] += by;
                    }
                    sim.inject(fault.clone());
                }
            }
        }
        sim.run_for(Time(now).since(sim.now()));
        for event in &sim.trace().events[seen..] {
            if let What::Sent { from, label, .. } = &event.what
                && let Some(value) = label.strip_prefix("set ")
            {
                setters.insert(value.to_owned(), NodeId(*from));
            }
        }
        seen = sim.trace().events.len();
        for (master, row) in rows.iter_mut().enumerate() {
            let Some(Party::Master(state)) = sim.node(NodeId(master)) else { continue };
            let clock = Time(now.saturating_add_signed(ahead[master]));
            let key = state.key().filter(|key| clock < key.expires);
            let Some(owner) = key.and_then(|key| setters.get(&format!("{:?}", key.value))) else { continue };
            match row.last_mut().filter(|span| span.owner == *owner && span.until + SAMPLE >= now) {
                Some(span) => span.until = now,
                None => row.push(Span { owner: *owner, from: now, until: now }),
            }
        }
    }
    (sim, rows)
}

/// When `client` was sure of the lock.
fn beliefs(sim: &Sim<Party>, client: NodeId) -> Vec<Span> {
    let held = sim.calls().iter().filter(|call| call.node == client).filter_map(|call| match call.replied {
        Some((moment, Reply::Held(validity))) => Some((moment.at.0, validity.0)),
        _ => None,
    });
    held.map(|(at, validity)| Span { owner: client, from: at, until: at + validity }).collect()
}
