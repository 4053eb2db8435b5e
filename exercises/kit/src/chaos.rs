//! Random plans of calls and faults, run on the simulator; a plan that fails is cut down before anybody has to read it.

use crate::node::{Millis, Node, NodeId, Time};
use crate::seed::{Rng, Seed};
use crate::shrink::ddmin;
use crate::sim::{Fault, Sim};
use crate::trace::named;
use rand::RngExt as _;

/// One thing to do in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<Q> {
    /// When, on the clock of the run.
    pub at: Time,
    /// What.
    pub what: Do<Q>,
}

/// What a plan can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Do<Q> {
    /// A client asks a node.
    Call(NodeId, Q),
    /// Something goes wrong, or right again.
    Fault(Fault),
}

/// What kinds of plans to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chaos {
    /// How many nodes there are, numbered from 0.
    pub nodes: usize,
    /// How long a plan lasts.
    pub length: Millis,
    /// How many calls it makes.
    pub calls: usize,
    /// How many times the network is split, each time for a tenth of the length on average.
    pub partitions: usize,
    /// How many times one direction of one link is cut, likewise.
    pub cuts: usize,
    /// How many times a node crashes and comes back, likewise.
    pub crashes: usize,
    /// Whether a crash loses the last write.
    pub lose_last_write: bool,
    /// How many times a node stands still, likewise.
    pub pauses: usize,
}

impl Chaos {
    /// Nothing but `calls` calls in `length`.
    #[must_use]
    pub const fn calm(nodes: usize, length: Millis, calls: usize) -> Self {
        Self { nodes, length, calls, partitions: 0, cuts: 0, crashes: 0, lose_last_write: false, pauses: 0 }
    }

    /// Draws a plan, in the order of its times. `request` makes the n-th call's request.
    pub fn plan<Q>(&self, seed: Seed, mut request: impl FnMut(&mut Rng, usize) -> Q) -> Vec<Step<Q>> {
        let mut rng = seed.part(u64::MAX).rng();
        let mut steps = vec![];
        let moment = |rng: &mut Rng| Time(rng.random_range(0..self.length.0));
        let lasts = |rng: &mut Rng| Millis(rng.random_range(1..=(self.length.0 / 5).max(1)));
        let node = |rng: &mut Rng| NodeId(rng.random_range(0..self.nodes));
        let mut fault = |at, fault| steps.push(Step { at, what: Do::Fault(fault) });
        for _ in 0..self.partitions {
            let (at, span) = (moment(&mut rng), lasts(&mut rng));
            let (one, other) = (0..self.nodes).map(NodeId).partition(|_| rng.random_bool(0.5));
            fault(at, Fault::Partition(vec![one, other]));
            fault(at + span, Fault::Heal);
        }
        for _ in 0..self.cuts {
            let (at, span) = (moment(&mut rng), lasts(&mut rng));
            let (from, to) = (node(&mut rng), node(&mut rng));
            fault(at, Fault::Cut { from, to });
            fault(at + span, Fault::Heal);
        }
        for _ in 0..self.crashes {
            let (at, span, node) = (moment(&mut rng), lasts(&mut rng), node(&mut rng));
            fault(at, Fault::Crash { node, lose_last_write: self.lose_last_write });
            fault(at + span, Fault::Restart(node));
        }
        for _ in 0..self.pauses {
            let (at, span, node) = (moment(&mut rng), lasts(&mut rng), node(&mut rng));
            fault(at, Fault::Pause { node, span });
        }
        for call in 0..self.calls {
            let (at, node) = (moment(&mut rng), node(&mut rng));
            steps.push(Step { at, what: Do::Call(node, request(&mut rng, call)) });
        }
        steps.sort_by_key(|step| step.at);
        steps
    }
}

/// How often a failing plan is run again with less in it.
const SHRINKS: usize = 400;

/// Runs `plan` in the cluster that `build` makes, then lets `judge` look at it (heal it, let it settle, check what clients
/// saw). Returns the run, for a test to see whether it got interesting.
///
/// # Panics
/// If a law of the cluster is broken on the way or the judge refuses: with the law, the reason and the shortest run found.
pub fn trial<N: Node>(
    seed: Seed,
    plan: &[Step<N::Request>],
    build: impl Fn(Seed) -> Sim<N>,
    judge: impl Fn(&mut Sim<N>) -> Result<(), String>,
) -> Sim<N> {
    let play = |plan: &[Step<N::Request>]| -> (Sim<N>, Option<(String, String)>) {
        let mut sim = build(seed);
        sim.keep_going();
        for step in plan {
            sim.run_for(step.at.since(sim.now()));
            match &step.what {
                Do::Call(node, request) => _ = sim.call(*node, request.clone()),
                Do::Fault(fault) => sim.inject(fault.clone()),
            }
        }
        sim.run_for(Millis(0)); // what the last step set off at once
        let verdict = if sim.broken().is_some() { Ok(()) } else { judge(&mut sim) };
        let broken = sim.broken().map(|(law, because)| (law.to_owned(), because.to_owned()));
        (sim, broken.or_else(|| verdict.err().map(|because| ("at the end".into(), because))))
    };
    let (sim, broken) = play(plan);
    if broken.is_none() {
        return sim;
    }
    drop(sim); // or it would show itself too when this panics, and its picture would replace that of the short run
    let mut left = SHRINKS;
    let short = ddmin(plan, |part| {
        left = left.saturating_sub(1);
        left > 0 && play(part).1.is_some()
    });
    let (mut sim, broken) = play(&short);
    let (law, because) = broken.unwrap_or_else(|| unreachable!("a part that fails fails again"));
    let because = named(&sim.trace().lanes, &because);
    sim.show_broken(&law, &because);
    panic!("{law}: {because}\nafter {} planned events, shrunk from {}:\n{sim}", short.len(), plan.len());
}

#[cfg(test)]
mod tests;
