//! Whose key each of five servers holds, and who is sure of the lock, while one thing goes wrong.
//!
//! Parameters: `fault` (`none`, `pause`, `jump` or `restart`).

use crate::run::{Broken, marked, titled, unwatched, watch, without_routine};
use crate::svg::{Anchor, Svg, WIDTH};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox};
use kit::chaos::{Do, Step};
use kit::trace::{Event, Trace, What};
use kit::{Fault, Millis, Network, NodeId, Seed, Sim, Time};
use redlock::{ALICE, BOB, MASTERS, Party, Reply, Request, STORE, call, forgetful_restart, jumping_clock, late_write};
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "redlock",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["fault=none", "fault=pause", "fault=jump", "fault=restart"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "Alice holds the lock on m0, m1 and m2. Which of these, once, lets Bob be sure of the same lock while she is?",
        guesses: &[
            "She stands still for half a minute",
            "The clock of m2 jumps ahead by ten seconds",
            "A cut separates her from all five servers",
        ],
        answer: "The jump: m2 believes that ten seconds have passed, and gives its key to Bob, who has m3 and m4. After the pause she knows that \
                 her time is over as soon as she looks; but the write that she had in her hands leaves all the same. After the cut she stops by her own clock.",
    },
    controls: &[Control::choice(
        "fault",
        "What goes wrong",
        &[("none", "nothing"), ("pause", "Alice stands still"), ("jump", "a clock jumps")],
        "none",
    )],
    presets: &[
        Preset {
            name: "Nothing goes wrong",
            params: "fault=none",
            story: "Compare the end of Alice's bar with the ends of her keys: she stops first.",
        },
        Preset {
            name: "A pause",
            params: "fault=pause",
            story: "Two holders at no time, and yet the late write stands. Jump to the broken law. A store that [compares tokens](fencing-token.md) would refuse it.",
        },
        Preset {
            name: "A clock jumps",
            params: "fault=jump",
            story: "Hide the store, m0, m1, m3 and m4: what m2 says is the whole story.",
        },
    ],
    task: "In one of the runs both are sure of the lock. Find the step from which on they are, and the one server that both of them count. The third run \
           of the exercise needs the same server: what must happen to it?",
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
    let Played { sim, mut rows, law: broken } = play(&plan, length);
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
    let alt = "A timeline with a row for each of five servers, m0 to m4, showing whose key it holds, A for Alice and B for Bob, \
               and a row each for the time in which Alice and Bob are sure of the lock.";
    Drawing::new(svg, sentence, alt).with_run(&titled(told(&sim, &broken), "A lock on five servers"))
}

/// The run for the player: without the attempts that Bob makes in vain before Alice's keys end.
fn told(sim: &Sim<Party>, broken: &(&'static str, Broken)) -> Trace {
    let run = marked(sim.trace(), broken.0, &broken.1);
    let end = run
        .events
        .iter()
        .rposition(|event| event.status.as_deref().is_some_and(|status| status.starts_with("holds")))
        .unwrap_or(0);
    let granted = run.events.get(end).map_or(Time(0), |event| event.at);
    // An attempt is over within its patience.
    let in_vain = |at: Time| at.0 > 60 && at + Millis(60) < granted;
    let is_bobs = |event: &Event| match &event.what {
        What::Sent { from, to, .. } | What::Delivered { from, to, .. } | What::Lost { from, to, .. } => {
            NodeId(*from) == BOB || NodeId(*to) == BOB
        }
        _ => false,
    };
    let nothing_came_of_it = |event: &Event| match &event.what {
        What::Called { call, .. } | What::Replied { call, .. } => {
            matches!(sim.reply(*call), Some(Reply::Refused | Reply::Busy))
        }
        What::TimerFired { .. } => true,
        _ => false,
    };
    let mut run = without_routine(&run, |event| (is_bobs(event) && in_vain(event.at)) || nothing_came_of_it(event));
    let asked =
        sim.calls().iter().filter(|call| call.node == BOB && matches!(call.replied, Some((_, Reply::Refused)))).count();
    if asked > 0
        && let Some(place) = run.events.iter().position(|event| event.at.0 > 60)
    {
        let at = run.events[place].at;
        let label = format!("Bob asks {asked} times in vain before Alice's keys end.");
        run.events.insert(place, Event { at, what: What::Note { lane: None, label }, status: None });
    }
    run
}

fn seconds(milliseconds: u64) -> String {
    let tenths = (milliseconds + 50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// What became of a plan.
struct Played {
    sim: ManuallyDrop<Sim<Party>>,
    /// The keys that each server has held.
    rows: Vec<Vec<Span>>,
    /// The law that is looked at, and where it was broken.
    law: (&'static str, Broken),
}

/// Plays `plan` and looks at the servers' keys again and again.
fn play(plan: &[Step<Request>], length: u64) -> Played {
    let mut sim = unwatched(Sim::new(Seed(1), |node, disk| Party::new(node, disk, Seed(1), Millis(0))));
    sim.set_network(Network::exact(Millis(5)));
    sim.join_all(["m0", "m1", "m2", "m3", "m4", "store", "Alice", "Bob"]);
    let mut rows: Vec<Vec<Span>> = vec![vec![]; MASTERS];
    let mut ahead = [0_i64; MASTERS];
    let mut setters = BTreeMap::new();
    let mut seen = 0;
    let mut broken: Broken = None;
    let mut name = "one holder at a time";
    let mut steps = plan.iter().peekable();
    for now in (0..=length).step_by(SAMPLE as usize) {
        while let Some(step) = steps.next_if(|step| step.at <= Time(now)) {
            watch(&mut sim, step.at, &mut broken, |sim| law(sim, &mut name));
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
        watch(&mut sim, Time(now), &mut broken, |sim| law(sim, &mut name));
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
    Played { sim, rows, law: (name, broken) }
}

/// Whether both are sure of the lock, or somebody writes after a later holder has written; `name` is the law's.
fn law(sim: &Sim<Party>, name: &mut &'static str) -> Option<String> {
    let sure =
        |client| beliefs(sim, client).into_iter().find(|span| span.from <= sim.now().0 && sim.now().0 < span.until);
    if let (Some(alice), Some(bob)) = (sure(ALICE), sure(BOB)) {
        *name = "one holder at a time";
        return Some(format!("until {} ms both Alice and Bob are sure of the lock", alice.until.min(bob.until)));
    }
    let Some(Party::Store(store)) = sim.node(STORE) else { return None };
    let [.., (before, writer, _), (at, late, value)] = store.writes() else { return None };
    let began = |client: NodeId| beliefs(sim, client).last().map(|span| span.from);
    (began(*late) < began(*writer)).then(|| {
        *name = "no write after a later holder's";
        let who = |client: NodeId| if client == ALICE { "Alice" } else { "Bob" };
        format!(
            "{} wrote at {} ms; {}, who held the lock before, writes {value} at {} ms",
            who(*writer),
            before.0,
            who(*late),
            at.0
        )
    })
}

/// When `client` was sure of the lock.
fn beliefs(sim: &Sim<Party>, client: NodeId) -> Vec<Span> {
    let held = sim.calls().iter().filter(|call| call.node == client).filter_map(|call| match call.replied {
        Some((moment, Reply::Held(validity))) => Some((moment.at.0, validity.0)),
        _ => None,
    });
    held.map(|(at, validity)| Span { owner: client, from: at, until: at + validity }).collect()
}
