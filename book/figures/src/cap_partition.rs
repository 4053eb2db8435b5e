//! The same two requests on the two sides of a split, asked of the register that refuses or of the one that diverges.
//!
//! Parameters: `mode` (`cp` or `ap`), `split` (`yes` or `no`).

use crate::{Drawing, Figure, Params, sequence};
use cap_demo::{ApReplica, CpReplica, Reply, Request};
use kit::trace::What;
use kit::{Fault, Millis, Network, Node, NodeId, Seed, Sim};

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "cap-partition",
    drawing: draw,
    sandbox: None,
    golden: &["mode=cp", "mode=ap", "mode=cp split=no"],
};

const NAMES: [&str; 3] = ["Oslo", "Rome", "Riga"];

/// Writes 1 everywhere, splits Oslo from the rest, writes 2 at Oslo and reads at Riga.
fn draw(p: &Params) -> Drawing {
    let split = p.flag("split", true);
    match p.text("mode", "cp").as_str() {
        "ap" => play(Sim::new(Seed(1), |id, _| ApReplica::new(id, NAMES.len())), split, "available"),
        _ => play(Sim::new(Seed(1), |id, _| CpReplica::new(id, NAMES.len())), split, "consistent"),
    }
}

fn play<N: Node<Request = Request, Reply = Reply>>(mut sim: Sim<N>, split: bool, kind: &str) -> Drawing {
    sim.set_network(Network::exact(Millis(5)));
    let [oslo, _, riga] = sim.join_all(NAMES);
    sim.ask(oslo, Request::Write(1), Millis(200));
    sim.run_for(Millis(20));
    let began = sim.now();
    if split {
        sim.inject(Fault::Partition(vec![vec![NodeId(0)], vec![NodeId(1), NodeId(2)]]));
    }
    let write = sim.call(oslo, Request::Write(2));
    sim.run_until(Millis(200), |sim| sim.reply(write).is_some());
    sim.run_for(Millis(10));
    let read = sim.call(riga, Request::Read);
    sim.run_until(Millis(200), |sim| sim.reply(read).is_some());

    let told = |call| match sim.reply(call) {
        Some(Reply::Done) => "is acknowledged".to_owned(),
        Some(Reply::Unavailable) => "is refused".to_owned(),
        Some(Reply::Value(Some(value))) => format!("returns {value}"),
        _ => "stays without an answer".to_owned(),
    };
    let stale = sim.reply(write) == Some(&Reply::Done) && sim.reply(read) == Some(&Reply::Value(Some(1)));
    let price = match (split, stale) {
        (false, _) => "While nothing is lost, nobody has to choose.",
        (true, true) => "Both are served, and no single register could have told them so.",
        (true, false) => "One client goes home without an answer; nobody is told anything wrong.",
    };
    let sentence = format!("The {kind} register: the write at Oslo {}, the read at Riga {}. {price}", told(write), told(read));
    let alt = format!(
        "Sequence diagram of three replicas, Oslo, Rome and Riga{}: {sentence}",
        if split { ", Oslo being cut off from the other two" } else { "" }
    );
    let picture = sequence::draw(sim.trace(), |event| {
        event.at >= began && !matches!(event.what, What::TimerFired { .. })
    });
    Drawing::new(picture, sentence, alt)
}
