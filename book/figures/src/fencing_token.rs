//! A holder stops between the check of its lease and its write, and the store decides.
//!
//! Parameters: `pause` (seconds that Alice stands still; the lease lasts ten).

use crate::run::{titled, unwatched, without_routine};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox, sequence};
use fencing_token::{ALICE, BOB, LEASE, Party, Reply, Request, STORE, Token};
use kit::trace::What;
use kit::{Fault, Millis, Network, Seed, Sim};

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "fencing-token",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["pause=30", "pause=0", "pause=8"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "The lease lasts ten seconds. Alice checks it at 0 s, stands still, and writes when she wakes up. Bob gets the lease when hers has \
                   ended, and writes at once. From which pause on does the store refuse her?",
        guesses: &["From any pause on", "From ten seconds on", "From the moment of Bob's write on"],
        answer: "From the moment of Bob's write on. The store knows nothing of leases and clocks; it compares 33 with the greatest number that it has heard.",
    },
    controls: &[Control::slider(
        "pause",
        "Alice stands still for",
        "s",
        &["0", "5", "8", "9", "10", "11", "15", "30"],
        "30",
    )],
    presets: &[
        Preset {
            name: "Half a minute",
            params: "pause=30",
            story: "Step to Alice's write. She has checked her lease, and the check was right when she made it.",
        },
        Preset {
            name: "Back in time",
            params: "pause=8",
            story: "The lease still runs, and nobody has written since. Why is her write harmless?",
        },
    ],
    task: "Find the longest pause after which Alice's write is accepted, and the shortest after which it is refused. What happened in between?",
};

/// Alice writes with token 33 and is paused on the way; Bob gets token 34 when her lease has ended, and writes.
fn draw(p: &Params) -> Drawing {
    let pause = p.count("pause", 30).clamp(0, 300);
    let mut sim = unwatched(Sim::new(Seed(1), Party::new));
    sim.set_network(Network::exact(Millis(5)));
    sim.join_all(["store", "Alice", "Bob"]);
    sim.ask(ALICE, Request::Hold(Token(33)), Millis(1));
    let hers = sim.call(ALICE, Request::Write("balance", "105"));
    sim.run_for(Millis(1));
    if pause > 0 {
        sim.inject(Fault::Pause { node: ALICE, span: Millis(pause * 1_000) });
    }
    sim.run_for(LEASE);
    sim.ask(BOB, Request::Hold(Token(34)), Millis(1));
    sim.ask(BOB, Request::Write("balance", "90"), Millis(100));
    sim.run_for(Millis(pause * 1_000 + 100));

    let balance = match sim.node(STORE) {
        Some(Party::Store(store, _)) => store.read("balance").unwrap_or("nothing").to_owned(),
        _ => "nothing".to_owned(),
    };
    let (became, why) = match sim.reply(hers) {
        Some(Reply::Refused(_)) => ("is refused", "33 is less than 34"),
        _ => ("is accepted", "nothing newer had been written before it"),
    };
    let sentence = format!(
        "Alice checks her lease at 0 s and stands still for {pause} s; the lease lasts {} s. Her write {became}: {why}. The \
         balance is {balance}.",
        LEASE.0 / 1_000
    );
    let alt = "Sequence diagram of the store, Alice and Bob.";
    let run = without_routine(sim.trace(), |event| matches!(event.what, What::TimerFired { .. }));
    let picture = sequence::draw(sim.trace(), |event| {
        !matches!(event.what, What::TimerFired { .. } | What::Resumed { .. } | What::Called { .. })
    });
    Drawing::new(picture, sentence, alt).with_run(&titled(run, "A write that comes too late"))
}
