//! Five servers elect a leader, and again after something went wrong.
//!
//! Parameters: `spread` (milliseconds between the shortest and the longest election timeout), `fault` (`none`, `crash` of the
//! leader, or `cut` of the leader with one other), `seed` (which timeouts are drawn).

use crate::run::{titled, unwatched, without_routine};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox, sequence};
use kit::trace::{Event, What};
use kit::{Fault, Millis, Network, NodeId, Seed, Sim};
use raft_election::{Role, Server, Term, Timeouts, Timer};
use std::collections::BTreeSet;

/// See the module.
pub const FIGURE: Figure =
    Figure { name: "raft-election", drawing: draw, sandbox: Some(&SANDBOX), golden: &["", "fault=crash", "fault=cut"] };

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "Five servers. The leader and one follower are cut off from the other three. After a second, how many servers \
                   believe that they lead?",
        guesses: &["None", "One", "Two"],
        answer: "Two, in different terms. The three elect one of them. The leader of two hears nothing that could depose it; it \
                 goes on believing, and gets nothing confirmed. When the cut heals, the first message with the later term ends it.",
    },
    controls: &[
        Control::choice(
            "fault",
            "What goes wrong",
            &[("none", "nothing"), ("crash", "the leader crashes"), ("cut", "the leader and one other are cut off")],
            "none",
        ),
        Control::slider("spread", "Timeouts from 150 ms to so much more", "ms", &["0", "5", "15", "50", "150"], "150"),
        Control::slider("seed", "Which draw", "", &["1", "2", "3", "4", "5", "6", "7", "8", "9"], "1"),
    ],
    presets: &[
        Preset {
            name: "An election",
            params: "",
            story: "Somebody's patience ends first. Step on until a majority has said yes, and count the votes that were not needed.",
        },
        Preset {
            name: "Split votes",
            params: "spread=0",
            story: "All wait equally long, so all stand at once, and each has voted for itself when it is asked. Then they wait \
                    equally long again.",
        },
        Preset {
            name: "The leader dies",
            params: "fault=crash",
            story: "The heartbeats stop. Look at the terms: the new leader's is greater, whatever the old one may still say.",
        },
        Preset {
            name: "Minority partition",
            params: "fault=cut",
            story: "Two on one side, three on the other. Hide the three to see what the old leader knows.",
        },
    ],
    task: "Find the smallest spread at which a leader is elected in the first term whichever draw. A message takes 15 ms; why is a spread of \
           15 ms not enough?",
};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const LEAST: u64 = 150;
/// How long the servers try to elect somebody.
const PATIENCE: Millis = Millis(500);

fn draw(p: &Params) -> Drawing {
    let (spread, seed, fault) = (p.count("spread", 150).min(1_000), Seed(p.count("seed", 1)), p.text("fault", "none"));
    let mut sim = unwatched(Sim::new(seed, move |id, disk| {
        let rng = seed.part(id.0 as u64).rng();
        let timeouts = Timeouts::between(Millis(LEAST), Millis(LEAST + spread), rng);
        Server::new(id, NAMES.len(), disk.unwrap_or_default(), timeouts)
    }));
    sim.set_network(Network::exact(Millis(15)));
    let nodes = sim.join_all(NAMES);
    sim.run_until(PATIENCE, |sim| settled(sim, &nodes));
    let first = leader(&sim);
    let elected = sim.now();

    let patience = match spread {
        0 => format!("all timeouts at {LEAST} ms"),
        _ => format!("timeouts from {LEAST} to {} ms", LEAST + spread),
    };
    let mut sentence = match first {
        Some((leader, term)) => {
            let name = NAMES[leader.0];
            format!(
                "With {patience}, all follow {name} in term {term} after {} ms.",
                elected.0
            )
        }
        None => {
            let term = sim.cluster().up().map(|(_, node)| node.saved().term).max().unwrap_or_default();
            format!(
                "With {patience}, nobody leads after {} ms and {term} terms.",
                elected.0
            )
        }
    };
    if let Some((old, term)) = first {
        let rest: Vec<NodeId> = nodes.iter().copied().filter(|node| *node != old).collect();
        let since = sim.now();
        match fault.as_str() {
            "crash" => {
                sim.inject(Fault::Crash { node: old, lose_last_write: false });
                let found = sim.run_until(PATIENCE, |sim| settled(sim, &rest));
                let took = sim.now().since(since);
                sentence += &match leader(&sim).filter(|_| found) {
                    Some((new, term)) => {
                        format!(" When it has crashed, {} leads term {term} after {took}.", NAMES[new.0])
                    }
                    None => format!(" When it has crashed, nobody leads for {took}."),
                };
            }
            "cut" => {
                let (few, many) = (vec![old, rest[0]], rest[1..].to_vec());
                sim.inject(Fault::Partition(vec![few, many.clone()]));
                let found = sim.run_until(PATIENCE, |sim| settled(sim, &many));
                let took = sim.now().since(since);
                sentence += &match leader(&sim).filter(|_| found) {
                    Some((new, later)) => format!(
                        " Cut off with {}, it still leads term {term}; on the other side {} leads term {later} after {took}.",
                        NAMES[rest[0].0], NAMES[new.0]
                    ),
                    None => format!(
                        " Cut off with {}, it still leads term {term}; on the other side nobody leads for {took}.",
                        NAMES[rest[0].0]
                    ),
                };
                sim.inject(Fault::Heal);
                sim.run_until(PATIENCE, |sim| settled(sim, &nodes));
            }
            _ => {}
        }
    }
    let alt = "Sequence diagram of five servers, a to e, that ask each other for votes.";
    let mut heard = BTreeSet::new();
    let run = without_routine(sim.trace(), |event| is_routine(event, &mut heard));
    let shown = |event: &Event| {
        !matches!(&event.what, What::Delivered { label, .. } if label.starts_with("no") || label.starts_with("heard"))
            && !matches!(event.what, What::Lost { .. } | What::Note { .. })
    };
    Drawing::new(sequence::draw(&run, shown), sentence, alt).with_run(&titled(run, "An election"))
}

/// Who leads the latest term, if anybody leads.
fn leader(sim: &Sim<Server>) -> Option<(NodeId, Term)> {
    let leading = sim.cluster().up().filter(|(_, node)| node.role() == Role::Leader);
    leading.map(|(id, node)| (id, node.saved().term)).max_by_key(|(_, term)| *term)
}

/// Whether all of `nodes` are in the term of one of them, who leads.
fn settled(sim: &Sim<Server>, nodes: &[NodeId]) -> bool {
    let states: Vec<_> = nodes.iter().filter_map(|id| sim.node(*id)).collect();
    let Some(term) = states.iter().find(|node| node.role() == Role::Leader).map(|node| node.saved().term) else {
        return false;
    };
    states.iter().all(|node| node.saved().term == term && node.role() != Role::Candidate)
}

/// A leader's word is news once to each; the answers to it, and its later words, are not.
fn is_routine(event: &Event, heard: &mut BTreeSet<(usize, usize, String)>) -> bool {
    match &event.what {
        What::TimerFired { label, .. } => *label == format!("{:?}", Timer::Heartbeat),
        What::Delivered { from, to, label, .. } if label.starts_with("lead") => {
            !heard.insert((*from, *to, label.clone()))
        }
        What::Lost { label, .. } | What::Sent { label, .. } | What::Delivered { label, .. } => {
            label.starts_with("lead") || label.starts_with("heard")
        }
        _ => false,
    }
}
