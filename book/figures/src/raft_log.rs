//! Three servers keep one log: a command is committed, or copied to a majority and lost all the same.
//!
//! Parameters: `story` (`commit`; `figure-8`: an entry of an earlier term on a majority is replaced; `own-term`: it is not, because an
//! entry of the leader's own term follows it).

use crate::run::{titled, unwatched, without_routine};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox, sequence};
use kit::trace::{Event, What};
use kit::{Fault, Millis, Network, NodeId, Seed, Sim};
use raft_log::{Reply, Saved, Server, Timeouts};

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "raft-log",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["story=commit", "story=figure-8", "story=own-term"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "Leader a of term 3 finds an entry of term 1 in its log and copies it to b: now two of three servers have it on disk. c \
                   has an entry of term 2 instead. Can the first entry still be lost?",
        guesses: &[
            "No: two of three have it, and a majority is a majority",
            "Yes, if both a and b lose their disks",
            "Yes, though no disk is lost and every server does as it should",
        ],
        answer: "Yes, and nobody does anything wrong. c's last entry is of term 2, which is newer than term 1, so b votes for c, and c's log becomes \
                 everybody's. A leader may count copies of entries of its own term only.",
    },
    controls: &[Control::choice(
        "story",
        "What happens",
        &[
            ("commit", "a command is committed"),
            ("figure-8", "an older entry reaches a majority"),
            ("own-term", "… and one of the leader's own term follows it"),
        ],
        "figure-8",
    )],
    presets: &[
        Preset {
            name: "Figure 8",
            params: "story=figure-8",
            story: "Stop where `a` and `b` both show the log `[1]`. Who calls it committed? Then step on.",
        },
        Preset {
            name: "One entry more",
            params: "story=own-term",
            story: "The same beginning, but a takes a command of its own term in time. Look at what b answers when c asks for its vote.",
        },
        Preset {
            name: "A command is committed",
            params: "story=commit",
            story: "The plain case. Find the step at which the client may be told, and the later one at which the followers know.",
        },
    ],
    task: "In both runs c asks b for its vote. Name the one difference between what b has on its disk in the two runs, and the term that decides.",
};

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);
const C: NodeId = NodeId(2);
const NAMES: [&str; 3] = ["a", "b", "c"];
const LONG: Millis = Millis(3_000);

fn draw(p: &Params) -> Drawing {
    let story = p.text("story", "figure-8");
    let mut sim = unwatched(Sim::new(Seed(1), |id, saved: Option<Saved>| {
        // Each waits for a time of its own, so that the story has one course: a stands first, then c, b last.
        let patience = match id {
            A => Millis(150),
            C => Millis(200),
            _ => Millis(420),
        };
        let timeouts = Timeouts::between(patience, patience, Seed(1).rng());
        Server::new(id, NAMES.len(), saved.unwrap_or_default(), timeouts)
    }));
    sim.set_network(Network::exact(Millis(5)));
    sim.join_all(NAMES);
    leads(&mut sim, A);
    let sentence = match story.as_str() {
        "commit" => commit(&mut sim),
        "own-term" => older_entry(&mut sim, true),
        _ => older_entry(&mut sim, false),
    };
    let alt = "Sequence diagram of three servers, a, b and c, that keep one log.";
    let run = without_routine(sim.trace(), is_routine);
    let shown = |event: &Event| {
        !matches!(&event.what, What::TimerFired { .. } | What::Lost { .. })
            && !matches!(&event.what, What::Note { label, .. } if label == "starts")
    };
    Drawing::new(sequence::draw(&run, shown), sentence, alt).with_run(&titled(run, "One log on three servers"))
}

fn commit(sim: &mut Sim<Server>) -> String {
    sim.note("A client asks a for command 1.");
    let asked = sim.now();
    let call = sim.call(A, 1);
    until(sim, &|sim| sim.reply(call).is_some());
    let told = sim.now().since(asked);
    until(sim, &|sim| [B, C].iter().all(|id| sim.node(*id).is_some_and(|node| node.commit() == 1)));
    let all = sim.now().since(asked);
    format!(
        "The client is told after {told}, one round trip to the nearest majority; the followers know after {all}, with the next heartbeat."
    )
}

fn older_entry(sim: &mut Sim<Server>, own_term: bool) -> String {
    split(sim, vec![vec![A], vec![B, C]]);
    sim.note("a takes command 1. Nobody else hears of it.");
    let first = sim.call(A, 1);
    leads(sim, C);
    sim.note("c leads term 2, elected by b.");
    split(sim, vec![vec![A, B], vec![C]]);
    sim.note("c takes command 2. Nobody else hears of it.");
    sim.call(C, 2);
    leads_later(sim, A);
    until(sim, &|sim| sim.node(B).is_some_and(|node| node.log().last() == 1));
    sim.run_for(Millis(10));
    let commit = sim.node(A).map_or(0, Server::commit);
    sim.note(format!("Command 1 is on a and b; a has committed {commit}."));
    if own_term {
        sim.note("a takes command 3, of its own term.");
        let call = sim.call(A, 3);
        until(sim, &|sim| sim.reply(call).is_some());
        sim.run_for(Millis(50));
    }
    split(sim, vec![vec![A], vec![B, C]]);
    until(sim, &|sim| {
        [B, C]
            .iter()
            .any(|id| sim.node(*id).is_some_and(|node| node.election().leads() && node.election().term().0 > 3))
    });
    until(sim, &|sim| sim.node(B).map(Server::log) == sim.node(C).map(Server::log));
    sim.inject(Fault::Heal);
    until(sim, &|sim| {
        sim.node(A).map(Server::log) == sim.node(C).map(Server::log)
            && sim.node(A).map(Server::log) == sim.node(B).map(Server::log)
    });
    let terms: Vec<String> = sim
        .node(A)
        .map_or_else(Vec::new, |node| node.log().entries.iter().map(|entry| entry.command.to_string()).collect());
    let held = if terms.len() == 1 {
        format!("the one command {}", terms[0])
    } else {
        format!("the commands {}", terms.join(" and "))
    };
    match sim.reply(first) {
        Some(Reply::Committed(index)) => format!(
            "Command 1 was on two of three servers and not committed; with command 3, of the leader's own term, behind it, it is committed at index {index}. \
             In the end all logs hold {held}."
        ),
        _ => format!(
            "Command 1 was on two of three servers, and no server broke a rule. In the end all logs hold {held}: command 1 is gone."
        ),
    }
}

/// Lets time pass until `reached`. It is one function for all questions; each of its own would be as much code again.
fn until(sim: &mut Sim<Server>, reached: &dyn Fn(&Sim<Server>) -> bool) {
    sim.run_until(LONG, |sim| reached(sim));
}

fn split(sim: &mut Sim<Server>, groups: Vec<Vec<NodeId>>) {
    sim.inject(Fault::Partition(groups));
}

/// Lets time pass until `who` leads and has been heard.
fn leads(sim: &mut Sim<Server>, who: NodeId) {
    until(sim, &|sim| sim.node(who).is_some_and(|node| node.election().leads()));
    sim.run_for(Millis(10));
}

/// Lets time pass until `who`, who may still believe to lead an earlier term, leads a later one than all others.
fn leads_later(sim: &mut Sim<Server>, who: NodeId) {
    let term = |sim: &Sim<Server>, id| sim.node(id).map(|node| node.election().term());
    until(sim, &|sim| {
        sim.node(who).is_some_and(|node| node.election().leads())
            && NAMES.iter().enumerate().all(|(id, _)| NodeId(id) == who || term(sim, who) >= term(sim, NodeId(id)))
            && term(sim, who) > term(sim, C)
    });
}

/// Whether `label` has `part` in it. The standard library's search is made for longer texts, and is large.
fn has(label: &str, part: &str) -> bool {
    label.as_bytes().windows(part.len()).any(|window| window == part.as_bytes())
}

/// A heartbeat that brings nothing, and its answer.
fn is_routine(event: &Event) -> bool {
    match &event.what {
        What::TimerFired { label, .. } => label == "Heartbeat",
        What::Lost { .. } => true,
        What::Sent { label, .. } | What::Delivered { label, .. } => has(label, "+0 ") || has(label, "have"),
        _ => false,
    }
}
