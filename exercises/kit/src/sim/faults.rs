//! What can go wrong around a node.

use super::{Pending, Sim};
use crate::node::{Millis, Node, NodeId, Time};
use crate::trace::What;

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// The shortest and the longest a message takes; each delay between them is as likely as any other.
    pub delay: (Millis, Millis),
    /// The chance that a message is lost.
    pub lost: f64,
    /// The chance that a message arrives twice.
    pub duplicated: f64,
    /// Whether messages from one node to another arrive in the order in which they left, as over one TCP connection.
    pub in_order: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self::reliable()
    }
}

impl Network {
    /// Loses nothing; each message takes 1 to 10 ms, so two may overtake each other.
    #[must_use]
    pub const fn reliable() -> Self {
        Self { delay: (Millis(1), Millis(10)), lost: 0.0, duplicated: 0.0, in_order: false }
    }

    /// Loses one message in ten, doubles one in ten, and takes up to 30 ms.
    #[must_use]
    pub const fn unreliable() -> Self {
        Self { delay: (Millis(1), Millis(30)), lost: 0.1, duplicated: 0.1, in_order: false }
    }

    /// Takes the same time for every message and keeps their order: for a test that counts milliseconds.
    #[must_use]
    pub const fn exact(delay: Millis) -> Self {
        Self { delay: (delay, delay), lost: 0.0, duplicated: 0.0, in_order: true }
    }
}

/// Something that goes wrong, or right again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing gets from one node to the other any more, not even what is under way; the way back is untouched.
    Cut {
        /// The side that still sends …
        from: NodeId,
        /// … and the one that no longer hears.
        to: NodeId,
    },
    /// Nodes hear only those of their own group; a node in no group hears nobody. Replaces every earlier cut.
    Partition(Vec<Vec<NodeId>>),
    /// Every cut and partition ends; nothing that was lost comes back.
    Heal,
    /// The node stands still, as in a long garbage collection, and does not notice: timers and messages wait.
    Pause {
        /// Who stands still.
        node: NodeId,
        /// For how long.
        span: Millis,
    },
    /// The node stops and forgets everything but its disk.
    Crash {
        /// Who.
        node: NodeId,
        /// Whether the last [`Persist`](crate::node::Output::Persist) was still in a buffer and is gone too.
        lose_last_write: bool,
    },
    /// A crashed node starts again from its disk. A node that is up stays as it is.
    Restart(NodeId),
    /// A node's clock is set forward or back; its running timers are not affected.
    ClockJump {
        /// Whose clock.
        node: NodeId,
        /// By how many milliseconds.
        by: i64,
    },
    /// A node's clock and timers run fast or slow from now on.
    ClockDrift {
        /// Whose clock.
        node: NodeId,
        /// By how many millionths; above -1 000 000.
        millionths: i64,
    },
}

pub(super) fn inject<N: Node>(sim: &mut Sim<N>, fault: Fault) {
    let name = |sim: &Sim<N>, node: NodeId| sim.hosts[node.0].name.clone();
    match fault {
        Fault::Cut { from, to } => {
            sim.cuts.insert((from, to));
            let label = format!("{} no longer hears {}", name(sim, to), name(sim, from));
            sim.trace.push(sim.now, What::Network { label });
        }
        Fault::Partition(groups) => partition(sim, &groups),
        Fault::Heal => {
            sim.cuts.clear();
            sim.trace.push(sim.now, What::Network { label: "the network heals".into() });
        }
        Fault::Pause { node, span } => {
            let until = sim.hosts[node.0].paused_until.unwrap_or_default().max(sim.now + span);
            sim.hosts[node.0].paused_until = Some(until);
            sim.trace.push(sim.now, What::Paused { lane: node.0, span });
            // As if it had been due since the beginning: it comes before whatever waits for it.
            sim.queue.insert((until, Time(0), node.0 as u64), Pending::Resume(node));
        }
        Fault::Crash { node, lose_last_write } => crash(sim, node, lose_last_write),
        Fault::Restart(node) => {
            if sim.nodes[node.0].is_none() {
                sim.trace.push(sim.now, What::Restarted { lane: node.0 });
                sim.nodes[node.0] = Some((sim.make)(node, sim.hosts[node.0].disk.clone()));
                sim.schedule(sim.now, Pending::Start(node));
            }
        }
        Fault::ClockJump { node, by } => {
            sim.hosts[node.0].clock.jump(sim.now, by);
            let label = format!("clock jumps by {by:+} ms");
            sim.trace.push(sim.now, What::ClockChanged { lane: node.0, label });
        }
        Fault::ClockDrift { node, millionths } => {
            sim.hosts[node.0].clock.set_drift(sim.now, millionths);
            let label = format!("clock drifts by {millionths:+} millionths");
            sim.trace.push(sim.now, What::ClockChanged { lane: node.0, label });
        }
    }
}

fn partition<N: Node>(sim: &mut Sim<N>, groups: &[Vec<NodeId>]) {
    let group = |node: NodeId| groups.iter().position(|group| group.contains(&node));
    let all = (0..sim.nodes.len()).map(NodeId);
    sim.cuts = all
        .clone()
        .flat_map(|from| all.clone().map(move |to| (from, to)))
        .filter(|&(from, to)| from != to && (group(from).is_none() || group(from) != group(to)))
        .collect();
    let names =
        |group: &Vec<NodeId>| group.iter().map(|node| sim.hosts[node.0].name.clone()).collect::<Vec<_>>().join(" ");
    let label = format!("partition: {}", groups.iter().map(names).collect::<Vec<_>>().join(" | "));
    sim.trace.push(sim.now, What::Network { label });
}

fn crash<N: Node>(sim: &mut Sim<N>, node: NodeId, lose_last_write: bool) {
    if sim.nodes[node.0].take().is_none() {
        return;
    }
    let host = &mut sim.hosts[node.0];
    host.timers.clear();
    host.status.clear();
    host.paused_until = None;
    if lose_last_write {
        host.disk = host.disk_before.clone();
    }
    // A resumption that lies ahead must not wake whoever starts here next.
    sim.queue.retain(|_, pending| !matches!(pending, Pending::Resume(who) if *who == node));
    sim.trace.push(sim.now, What::Crashed { lane: node.0, lost_last_write: lose_last_write });
}
