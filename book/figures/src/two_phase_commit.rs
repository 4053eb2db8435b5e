//! One site of three crashes at a chosen point of two-phase commit: who is uncertain, and for how long.
//!
//! Parameters: `crash` (`none`, `asked`, `half-asked`, `decided`, `half-told` or `voter`), `back` (milliseconds until the crashed site
//! restarts).

use crate::run::{titled, unwatched, without_routine};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox, sequence};
use kit::trace::{Event, Trace, What};
use kit::{Fault, Input, Millis, Network, Node, NodeId, Output, Seed, Sim, Time};
use two_phase_commit::{COORDINATOR, Finish, Log, Message, Outcome, Site, State, Vote, Wake};

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "two-phase-commit",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["crash=none", "crash=decided back=300", "crash=half-told back=300", "crash=half-asked back=300"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "The bank that asks has everybody's yes, and dies before one word of its decision has arrived. It is back after \
                   300 ms. How long do Oslo and Riga, who can talk to each other, hold their locks?",
        guesses: &[
            "About 5 ms: each knows that the other said yes",
            "About 50 ms: they ask each other and agree",
            "About 300 ms: until the one disk that knows is back",
        ],
        answer: "About 300 ms. Both have said yes and neither may decide: the dead site may have written \"commit\" and told its client, or not. \
                 They ask each other every 50 ms and learn nothing.",
    },
    controls: &[
        Control::choice(
            "crash",
            "Who crashes",
            &[
                ("none", "nobody"),
                ("asked", "the bank, before a vote is in"),
                ("half-asked", "the bank, having asked only Oslo"),
                ("decided", "the bank, having told nobody"),
                ("half-told", "the bank, having told only Oslo"),
                ("voter", "Oslo, after its yes"),
            ],
            "decided",
        ),
        Control::slider("back", "Back after", "ms", &["30", "100", "300", "1000"], "300"),
    ],
    presets: &[
        Preset {
            name: "Decided, told nobody",
            params: "crash=decided",
            story: "Everybody who is alive is uncertain. Follow the questions: who could answer?",
        },
        Preset {
            name: "Told only Oslo",
            params: "crash=half-told",
            story: "The same crash, and one message more has arrived. Riga asks Oslo instead of waiting for the bank.",
        },
        Preset {
            name: "Asked only Oslo",
            params: "crash=half-asked",
            story: "Riga has given nothing away. Watch what it does when Oslo asks.",
        },
        Preset {
            name: "Nothing fails",
            params: "crash=none",
            story: "Both are uncertain even so, for one round trip: that is the price of every commit.",
        },
    ],
    task: "Move the restart. In which of the five crashes does the uncertainty grow with it, and what do these have in common?",
};

const OSLO: NodeId = NodeId(1);
const RIGA: NodeId = NodeId(2);
const NAMES: [&str; 3] = ["bank", "Oslo", "Riga"];

fn draw(p: &Params) -> Drawing {
    let (crash, back) = (p.text("crash", "decided"), Millis(p.count("back", 300).clamp(10, 10_000)));
    let mut sim = unwatched(Sim::new(Seed(1), |id, log| Bank(Site::new(id, NAMES.len(), Vote::Yes, log))));
    sim.set_network(Network::exact(Millis(5)));
    sim.join_all(NAMES);
    let silence = |to| Fault::Cut { from: COORDINATOR, to };
    // A message takes 5 ms: Prepare arrives at 5, the votes at 10, the decision at 15.
    let (cuts, who, at): (&[NodeId], Option<NodeId>, u64) = match crash.as_str() {
        "asked" => (&[], Some(COORDINATOR), 7),
        "half-asked" => (&[RIGA], Some(COORDINATOR), 7),
        "decided" => (&[OSLO, RIGA], Some(COORDINATOR), 11),
        "half-told" => (&[RIGA], Some(COORDINATOR), 11),
        "voter" => (&[], Some(OSLO), 7),
        _ => (&[], None, 7),
    };
    let early = crash == "half-asked";
    let call = sim.call(COORDINATOR, Finish);
    sim.run_for(Millis(if early { 1 } else { 9 }));
    cuts.iter().for_each(|to| sim.inject(silence(*to)));
    if let Some(who) = who {
        let left = Time(at).since(sim.now());
        sim.run_for(left);
        sim.inject(Fault::Crash { node: who, lose_last_write: false });
        if !cuts.is_empty() {
            sim.inject(Fault::Heal);
        }
        sim.inject_after(back, Fault::Restart(who));
    }
    sim.run_for(back + Millis(250));

    let told = match sim.reply(call) {
        Some(Outcome::Commit) => "The client is told: commit.",
        Some(Outcome::Abort) => "The client is told: abort.",
        None => "The client is told nothing.",
    };
    let ends: Vec<String> = [OSLO, RIGA].iter().map(|id| uncertain(sim.trace(), *id)).collect();
    let outcome = match sim.node(RIGA) {
        Some(Bank(Site::Participant(site))) if site.state() == State::Committed => "committed",
        Some(Bank(Site::Participant(site))) if site.state() == State::Aborted => "aborted",
        _ => "not decided",
    };
    let sentence = format!("{told} Oslo is uncertain {}, Riga {}; in the end both have {outcome}.", ends[0], ends[1]);
    let alt = "Sequence diagram of a bank that coordinates and two participants, Oslo and Riga.";
    let mut asked = 0;
    let run = without_routine(sim.trace(), |event| is_routine(event, &mut asked));
    let shown = |event: &Event| {
        !matches!(&event.what, What::TimerFired { .. })
            && !matches!(&event.what, What::Note { label, .. } if label == "starts")
    };
    Drawing::new(sequence::draw(&run, shown), sentence, alt).with_run(&titled(run, "One transaction on three sites"))
}

/// For how long the lifeline of `site` shows that it has said yes and does not know how it ends.
fn uncertain(trace: &Trace, site: NodeId) -> String {
    let mut since: Option<Time> = None;
    let mut total = 0;
    for event in &trace.events {
        if let (Some(status), Some(lane)) = (&event.status, event.what.lanes().last())
            && *lane == site.0
        {
            match (status == "Prepared", since) {
                (true, None) => since = Some(event.at),
                (false, Some(began)) => {
                    total += event.at.since(began).0;
                    since = None;
                }
                _ => {}
            }
        }
    }
    match (since, total) {
        (Some(_), _) => "to the end of the run".to_owned(),
        (None, 0) => "at no time".to_owned(),
        (None, total) => format!("for {total} ms"),
    }
}

/// A site with labels of its own: the exercise's put words into lower case, which takes tables of all the world's letters into the
/// module.
struct Bank(Site);

impl Node for Bank {
    type Message = Message;
    type Timer = Wake;
    type Request = Finish;
    type Reply = Outcome;
    type Durable = Log;

    fn step(&mut self, input: Input<Self>, now: Time) -> Vec<Output<Self>> {
        let input = match input {
            Input::Start => Input::Start,
            Input::Message { from, message } => Input::Message { from, message },
            Input::Timer(timer) => Input::Timer(timer),
            Input::Request { call, request } => Input::Request { call, request },
        };
        let translate = |output| match output {
            Output::Send { to, message } => Output::Send { to, message },
            Output::Reply { call, reply } => Output::Reply { call, reply },
            Output::SetTimer { timer, after } => Output::SetTimer { timer, after },
            Output::CancelTimer(timer) => Output::CancelTimer(timer),
            Output::Persist(log) => Output::Persist(log),
        };
        self.0.step(input, now).into_iter().map(translate).collect()
    }

    fn status(&self) -> String {
        self.0.status()
    }

    fn label(message: &Message) -> String {
        let words = match message {
            Message::Prepare => "prepare",
            Message::Voted(Vote::Yes) => "yes",
            Message::Voted(Vote::No) => "no",
            Message::Ended(Outcome::Commit) => "commit",
            Message::Ended(Outcome::Abort) => "abort",
            Message::Acknowledged => "ack",
            Message::Ask => "ask",
        };
        words.to_owned()
    }
}

/// The questions of the uncertain are asked again and again; two rounds say it all. Nor is it news how long somebody was patient.
fn is_routine(event: &Event, asked: &mut usize) -> bool {
    match &event.what {
        What::Sent { label, .. } | What::Lost { label, .. } => label == "ask",
        What::Delivered { label, .. } if label == "ask" => {
            *asked += 1;
            *asked > 4
        }
        What::TimerFired { .. } => true,
        _ => false,
    }
}
