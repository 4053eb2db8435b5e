//! A write that reaches one replica of three, then two reads, with and without repair.
//!
//! Parameters: `repair` (`never`, `later` or `first`), `r` and `w` (how many of three answer a read and confirm a write).

use crate::run::{titled, unwatched, without_routine};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox, sequence};
use kit::trace::What;
use kit::{Fault, Millis, Network, Seed, Sim};
use quorum_kv::{Key, Member, Quorums, Repair, Reply, Request};

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "quorum-partial",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["repair=never", "repair=first"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "A read repairs before it answers, and W is 3. The write of 7 reached Oslo alone; the first read hears Oslo and Rome, and Riga is away. What \
                   does it return?",
        guesses: &["7", "Nothing: the write was refused", "It gets no answer"],
        answer: "It gets no answer. Before it says 7, as many must hold 7 as a write needs, and the third cannot be reached. With W = 2 it gives Rome a copy and returns 7. \
                 A read that promises as much as a write costs as much.",
    },
    controls: &[
        Control::choice(
            "repair",
            "A read repairs",
            &[("never", "never"), ("later", "after it has answered"), ("first", "before it answers")],
            "never",
        ),
        Control::slider("r", "R, replicas that a read hears", "", &["1", "2", "3"], "2"),
        Control::slider("w", "W, replicas that a write needs", "", &["1", "2", "3"], "2"),
    ],
    presets: &[
        Preset {
            name: "No repair",
            params: "repair=never",
            story: "Oslo has the write that was refused. The first read meets Oslo, the second does not.",
        },
        Preset {
            name: "All must confirm",
            params: "repair=never w=3 r=1",
            story: "A stricter W refuses more writes. It does not take back what a refused one left behind.",
        },
        Preset {
            name: "Repair later",
            params: "repair=later",
            story: "The copy for Rome is under way when the answer is given. Here it arrives in time; nothing made sure of that.",
        },
        Preset {
            name: "Repair first",
            params: "repair=first",
            story: "Rome confirms before anybody hears of a 7. Now two have it, and every later read meets one of them.",
        },
        Preset {
            name: "Repair first, of all",
            params: "repair=first w=3",
            story: "The same, when a value counts only if all three have it. Nobody is told anything wrong, and nobody is told anything.",
        },
    ],
    task: "Let reads repair before they answer, and try every R and W. Which W gives 7 both times? In what opposite ways do the two others fail?",
};

const X: Key = Key('x');

/// Plays the partial write of the exercise with R = W = 2 and draws what follows the refusal.
fn draw(p: &Params) -> Drawing {
    let (repair, words) = match p.text("repair", "never").as_str() {
        "first" => (Repair::First, "With a repair before the answer"),
        "later" => (Repair::Later, "With a repair after the answer"),
        _ => (Repair::Never, "Without repair"),
    };
    let (r, w) = (p.count("r", 2).clamp(1, 3) as usize, p.count("w", 2).clamp(1, 3) as usize);
    let quorums = Quorums { n: 3, r, w };
    let make = move |id, disk| Member::new(id, disk, quorums, repair);
    let mut sim = unwatched(Sim::new(Seed(1), make).over(Network::exact(Millis(5))));
    let [r1, r2, r3, c] = sim.join_all(["Oslo", "Rome", "Riga", "shop"]);
    sim.inject(Fault::Partition(vec![vec![c, r1], vec![r2, r3]]));
    let written = sim.ask(c, Request::Write(X, 7), Millis(200));
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
    let outcome = if written == Some(Reply::Done) { "acknowledged" } else { "refused" };
    let sentence = format!(
        "{words}, R = {r} and W = {w}: a write of 7 reached Oslo alone and was {outcome}. The first read gets {}, the second {}.",
        told(first),
        told(second)
    );
    let alt = "Sequence diagram of three replicas, Oslo, Rome and Riga, and the shop that asks them.";
    let shown = |event: &kit::trace::Event| {
        event.at >= refused
            && match &event.what {
                What::TimerFired { .. } | What::Lost { .. } => false,
                What::Replied { label, .. } => !label.contains("Unavailable"),
                _ => true,
            }
    };
    let run = without_routine(sim.trace(), |event| matches!(event.what, What::TimerFired { .. }));
    Drawing::new(sequence::draw(sim.trace(), shown), sentence, alt).with_run(&titled(run, "A write that reached one of three"))
}
