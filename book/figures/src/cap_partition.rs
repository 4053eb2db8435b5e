//! The same two requests on the two sides of a split, asked of the register that refuses or of the one that diverges.
//!
//! Parameters: `mode` (`cp` or `ap`), `split` (`yes` or `no`), `ask` (`minority`: the write is asked of the replica that is alone;
//! `majority`: the read is), `heal` (`yes`: the split ends, and somebody reads once more).

use crate::run::{marked, titled, unwatched, without_routine};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox, sequence};
use cap_demo::{ApReplica, CpMessage, CpReplica, Gossip, Held, Reply, Request};
use kit::trace::{Event, Trace, What};
use kit::{CallId, Fault, Input, Millis, Network, Node, NodeId, Output, Seed, Sim, Time};

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "cap-partition",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["mode=cp", "mode=ap", "mode=cp split=no", "mode=cp ask=majority heal=yes", "mode=ap heal=yes"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "Oslo is cut off from Rome and Riga. A client writes at Oslo, then another reads at Riga. Which register serves both?",
        guesses: &[
            "The one that asks a majority",
            "The one that answers from its own copy",
            "Neither",
            "Both, once somebody retries",
        ],
        answer: "The one that answers from its own copy, and that is why its two clients are told what no single register could have told \
                 them. The other refuses the client on the small side; whoever asks on the large side is served.",
    },
    controls: &[
        Control::choice("mode", "The register", &[("cp", "would rather refuse"), ("ap", "always answers")], "cp"),
        Control::choice("split", "Between Oslo and the others", &[("yes", "cut"), ("no", "connected")], "yes"),
        Control::choice(
            "ask",
            "The write is asked of",
            &[("minority", "Oslo, alone"), ("majority", "Rome, which has Riga")],
            "minority",
        ),
        Control::choice(
            "heal",
            "Afterwards",
            &[("no", "nothing"), ("yes", "the split ends, and Riga is asked again")],
            "no",
        ),
    ],
    presets: &[
        Preset {
            name: "Refuse",
            params: "mode=cp",
            story: "Step to the answer that Oslo's client gets. How long did Oslo wait, and for whom?",
        },
        Preset {
            name: "Diverge",
            params: "mode=ap",
            story: "Both clients are served at once. Jump to the broken law, and look at the two values.",
        },
        Preset {
            name: "The large side works",
            params: "mode=cp ask=majority",
            story: "The same register, the same cut. Nobody who asks Rome notices it.",
        },
        Preset {
            name: "Diverge, then heal",
            params: "mode=ap heal=yes",
            story: "The replicas tell each other what they hold, and the greater version wins. Whose write would have been lost if Riga had taken one too?",
        },
    ],
    task: "End the split, and ask Riga again: which value does each register return in the end? One of them refused the 2. The other acknowledged it, and \
           somebody was told 1 after that. Which of the two would you sell seats with?",
};

const NAMES: [&str; 3] = ["Oslo", "Rome", "Riga"];

/// Writes 1 everywhere, splits Oslo from the rest, writes 2 on one side and reads at Riga or Oslo.
fn draw(p: &Params) -> Drawing {
    let kind = if p.text("mode", "cp") == "ap" { "available" } else { "consistent" };
    let story = Story {
        split: p.flag("split", true),
        alone: p.text("ask", "minority") != "majority",
        heal: p.flag("heal", false),
    };
    let make = move |id, _| match kind {
        "available" => Register::Available(ApReplica::new(id, NAMES.len())),
        _ => Register::Consistent(CpReplica::new(id, NAMES.len())),
    };
    play(Sim::new(Seed(1), make), story, kind)
}

#[derive(Clone, Copy)]
struct Story {
    split: bool,
    /// Whether the write is asked of Oslo, which the split leaves alone.
    alone: bool,
    heal: bool,
}

fn play(sim: Sim<Register>, story: Story, kind: &str) -> Drawing {
    let mut sim = unwatched(sim);
    sim.set_network(Network::exact(Millis(5)));
    let [oslo, rome, riga] = sim.join_all(NAMES);
    sim.ask(oslo, Request::Write(1), Millis(200));
    sim.run_for(Millis(20));
    let (began, place) = (sim.now(), sim.trace().events.len());
    if story.split {
        sim.inject(Fault::Partition(vec![vec![NodeId(0)], vec![NodeId(1), NodeId(2)]]));
    }
    let (writer, writes_at) = if story.alone { (oslo, "Oslo") } else { (rome, "Rome") };
    let write = sim.call(writer, Request::Write(2));
    sim.run_until(Millis(200), |sim| sim.reply(write).is_some());
    sim.run_for(Millis(10));
    let (reader, reads_at) = if story.alone { (riga, "Riga") } else { (oslo, "Oslo") };
    let read = sim.call(reader, Request::Read);
    sim.run_until(Millis(200), |sim| sim.reply(read).is_some());

    let told = |sim: &Sim<Register>, call| match sim.reply(call) {
        Some(Reply::Done) => "is acknowledged".to_owned(),
        Some(Reply::Unavailable) => "is refused".to_owned(),
        Some(Reply::Value(Some(value))) => format!("returns {value}"),
        _ => "stays without an answer".to_owned(),
    };
    let stale = sim.reply(write) == Some(&Reply::Done) && sim.reply(read) == Some(&Reply::Value(Some(1)));
    let price = match (story.split, stale) {
        (false, _) => "While nothing is lost, nobody has to choose.",
        (true, true) => "Both are served, and no single register could have told them so.",
        (true, false) => "One client goes home without an answer; nobody is told anything wrong.",
    };
    let broken = stale.then(|| {
        (sim.trace().events.len(), sim.now(), format!("2 was acknowledged, and {reads_at} returns 1"))
    });
    let mut sentence = format!(
        "The {kind} register: the write at {writes_at} {}, the read at {reads_at} {}. {price}",
        told(&sim, write),
        told(&sim, read)
    );
    if story.heal {
        sim.inject(Fault::Heal);
        sim.run_for(Millis(120));
        let last = sim.call(riga, Request::Read);
        sim.run_until(Millis(200), |sim| sim.reply(last).is_some());
        sentence += &format!(" When the split has ended, a read at Riga {}.", told(&sim, last));
    }
    let alt = format!(
        "Sequence diagram of three replicas, Oslo, Rome and Riga{}.",
        if story.split { ", Oslo being cut off from the other two" } else { "" }
    );
    let picture = sequence::draw(&marked(sim.trace(), LAW, &broken), |event| {
        event.at >= began && !matches!(event.what, What::TimerFired { .. })
    });
    // The player begins with the split; what the replicas held by then, a step of its own says.
    let whole = marked(sim.trace(), LAW, &broken);
    let mut run = Trace { events: holds(&whole.events[..place]), ..whole.clone() };
    run.events.extend(whole.events[place..].iter().cloned());
    let run = without_routine(&run, |event| matches!(event.what, What::TimerFired { .. }));
    Drawing::new(picture, sentence, alt).with_run(&titled(run, &format!("The {kind} register")))
}

const LAW: &str = "one register";

/// What each lifeline shows after `events`, as its first event.
fn holds(events: &[Event]) -> Vec<Event> {
    let last = |lane: usize| {
        let of_lane = |event: &&Event| event.status.is_some() && event.what.lanes().last() == Some(&lane);
        let event = events.iter().rev().find(of_lane)?;
        let what = What::Note { lane: Some(lane), label: "holds".into() };
        Some(Event { at: events.last()?.at, what, status: event.status.clone() })
    };
    (0..NAMES.len()).filter_map(last).collect()
}

/// A replica of the one register or of the other: one kind of node, so that the module holds one simulator.
enum Register {
    Consistent(CpReplica),
    Available(ApReplica),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Said {
    Cp(CpMessage),
    Ap(Held),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reminder {
    Patience(CallId),
    Gossip(Gossip),
}

impl Node for Register {
    type Message = Said;
    type Timer = Reminder;
    type Request = Request;
    type Reply = Reply;
    type Durable = ();

    fn step(&mut self, input: Input<Self>, now: Time) -> Vec<Output<Self>> {
        match self {
            Self::Consistent(replica) => {
                let input = match input {
                    Input::Start => Input::Start,
                    Input::Request { call, request } => Input::Request { call, request },
                    Input::Message { from, message: Said::Cp(message) } => Input::Message { from, message },
                    Input::Timer(Reminder::Patience(call)) => Input::Timer(call),
                    Input::Message { .. } | Input::Timer(_) => return vec![],
                };
                outputs(replica.step(input, now), Said::Cp, Reminder::Patience)
            }
            Self::Available(replica) => {
                let input = match input {
                    Input::Start => Input::Start,
                    Input::Request { call, request } => Input::Request { call, request },
                    Input::Message { from, message: Said::Ap(message) } => Input::Message { from, message },
                    Input::Timer(Reminder::Gossip(gossip)) => Input::Timer(gossip),
                    Input::Message { .. } | Input::Timer(_) => return vec![],
                };
                outputs(replica.step(input, now), Said::Ap, Reminder::Gossip)
            }
        }
    }

    fn status(&self) -> String {
        match self {
            Self::Consistent(replica) => replica.status(),
            Self::Available(replica) => replica.status(),
        }
    }

    fn label(message: &Said) -> String {
        match message {
            Said::Cp(message) => CpReplica::label(message),
            Said::Ap(message) => ApReplica::label(message),
        }
    }
}

/// What a replica does, in the words of both.
fn outputs<N: Node<Request = Request, Reply = Reply, Durable = ()>>(
    outputs: Vec<Output<N>>,
    said: fn(N::Message) -> Said,
    reminder: fn(N::Timer) -> Reminder,
) -> Vec<Output<Register>> {
    let translate = |output| match output {
        Output::Send { to, message } => Output::Send { to, message: said(message) },
        Output::Reply { call, reply } => Output::Reply { call, reply },
        Output::SetTimer { timer, after } => Output::SetTimer { timer: reminder(timer), after },
        Output::CancelTimer(timer) => Output::CancelTimer(reminder(timer)),
        Output::Persist(()) => Output::Persist(()),
    };
    outputs.into_iter().map(translate).collect()
}
