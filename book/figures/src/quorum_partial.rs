//! A write that reaches one replica of three, then two reads, with and without repair.
//!
//! Parameters: `repair` (`never`, `later` or `first`).

use crate::{Drawing, Figure, Params, sequence};
use kit::trace::What;
use kit::{Fault, Millis, Network, Seed, Sim};
use quorum_kv::{Key, Member, Quorums, Repair, Reply, Request};

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "quorum-partial",
    drawing: draw,
    sandbox: None,
    golden: &["repair=never", "repair=first"],
};

const X: Key = Key('x');

/// Plays the partial write of the exercise with R = W = 2 and draws what follows the refusal.
fn draw(p: &Params) -> Drawing {
    let (repair, words) = match p.text("repair", "never").as_str() {
        "first" => (Repair::First, "With a repair before the answer"),
        "later" => (Repair::Later, "With a repair after the answer"),
        _ => (Repair::Never, "Without repair"),
    };
    let quorums = Quorums { n: 3, r: 2, w: 2 };
    let mut sim =
        Sim::new(Seed(1), move |id, disk| Member::new(id, disk, quorums, repair)).over(Network::exact(Millis(5)));
    let [r1, r2, r3, c] = sim.join_all(["Oslo", "Rome", "Riga", "shop"]);
    sim.inject(Fault::Partition(vec![vec![c, r1], vec![r2, r3]]));
    sim.ask(c, Request::Write(X, 7), Millis(200));
    let refused = sim.now();
    sim.inject(Fault::Partition(vec![vec![c, r1, r2], vec![r3]]));
    let first = sim.ask(c, Request::Read(X), Millis(200));
    sim.run_for(Millis(20));
    sim.inject(Fault::Partition(vec![vec![c, r2, r3], vec![r1]]));
    let second = sim.ask(c, Request::Read(X), Millis(200));

    let told = |reply| match reply {
        Some(Reply::Value(Some(value))) => value.to_string(),
        Some(Reply::Value(None)) => "nothing".to_owned(),
        _ => "no answer".to_owned(),
    };
    let sentence = format!(
        "{words}: a write of 7 reached Oslo alone and was refused. The first read returns {}, the second {}.",
        told(first),
        told(second)
    );
    let alt =
        format!("Sequence diagram of three replicas, Oslo, Rome and Riga, and the shop that asks them. {sentence}");
    let shown = |event: &kit::trace::Event| {
        event.at >= refused
            && match &event.what {
                What::TimerFired { .. } | What::Lost { .. } => false,
                What::Replied { label, .. } => !label.contains("Unavailable"),
                _ => true,
            }
    };
    Drawing::new(sequence::draw(sim.trace(), shown), sentence, alt)
}
