//! Every fault is shown to happen, and nothing else does.

use super::*;
use crate::for_seeds;

/// Counts what it hears. Told `Send(n, to)` it sends `n` numbered pings; a peer writes each down and echoes it.
struct Echo {
    heard: Vec<u64>,
    echoed: u64,
    ticks: Vec<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Say {
    Ping(u64),
    Pong(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Ask {
    Send(u64, NodeId),
    Heard,
}

impl Node for Echo {
    type Message = Say;
    type Timer = &'static str;
    type Request = Ask;
    type Reply = usize;
    type Durable = Vec<u64>;

    fn step(&mut self, input: Input<Self>, now: Time) -> Vec<Output<Self>> {
        match input {
            Input::Start => vec![Output::SetTimer { timer: "tick", after: Millis(100) }],
            Input::Timer(timer) => {
                self.ticks.push(now);
                vec![Output::SetTimer { timer, after: Millis(100) }]
            }
            Input::Message { from, message: Say::Ping(number) } => {
                self.heard.push(number);
                vec![Output::Persist(self.heard.clone()), Output::Send { to: from, message: Say::Pong(number) }]
            }
            Input::Message { message: Say::Pong(_), .. } => {
                self.echoed += 1;
                vec![]
            }
            Input::Request { call, request: Ask::Heard } => vec![Output::Reply { call, reply: self.heard.len() }],
            Input::Request { request: Ask::Send(count, to), .. } => {
                (0..count).map(|number| Output::Send { to, message: Say::Ping(number) }).collect()
            }
        }
    }

    fn status(&self) -> String {
        format!("heard {}", self.heard.len())
    }
}

fn pair(seed: u64, network: Network) -> (Sim<Echo>, NodeId, NodeId) {
    let make = |_, disk: Option<Vec<u64>>| Echo { heard: disk.unwrap_or_default(), echoed: 0, ticks: vec![] };
    let mut sim = Sim::new(Seed(seed), make).over(network);
    let [a, b] = sim.join_all(["a", "b"]);
    (sim, a, b)
}

fn count(sim: &Sim<Echo>, wanted: impl Fn(&What) -> bool) -> usize {
    sim.trace().events.iter().filter(|event| wanted(&event.what)).count()
}

fn delivered(what: &What) -> bool {
    matches!(what, What::Delivered { .. })
}

/// A run with every kind of fault in it.
fn eventful(seed: u64) -> Sim<Echo> {
    let (mut sim, a, b) = pair(seed, Network::unreliable());
    sim.call(a, Ask::Send(20, b));
    sim.inject_after(Millis(10), Fault::Pause { node: b, span: Millis(15) });
    sim.inject_after(Millis(40), Fault::Crash { node: b, lose_last_write: true });
    sim.inject_after(Millis(60), Fault::Restart(b));
    sim.inject_after(Millis(70), Fault::ClockJump { node: a, by: -30 });
    sim.run_for(Millis(80));
    sim.inject(Fault::Partition(vec![vec![a], vec![b]]));
    sim.call(b, Ask::Send(20, a));
    sim.run_for(Millis(50));
    sim.inject(Fault::Heal);
    sim.call(b, Ask::Heard);
    sim.run_for(Millis(200));
    sim
}

#[test]
fn the_same_seed_gives_the_same_run_byte_for_byte_and_another_seed_another() {
    assert_eq!(eventful(3).trace().to_json(), eventful(3).trace().to_json());
    assert_ne!(eventful(3).trace().to_json(), eventful(4).trace().to_json());
}

#[test]
fn messages_are_lost_and_doubled_at_the_rate_asked_for_and_overtake_each_other() {
    let (mut sim, a, b) = pair(1, Network { lost: 0.3, duplicated: 0.2, ..Network::unreliable() });
    sim.call(a, Ask::Send(10_000, b));
    sim.run_for(Millis(29));
    let pings = |what: &What| matches!(what, What::Sent { from: 0, .. });
    let sent = count(&sim, pings);
    let lost = count(&sim, |what| matches!(what, What::Lost { from: 0, why: "lost", .. }));
    // Five standard deviations: a correct simulator would fail for one seed in 1.7 million.
    assert!((11_800..=12_200).contains(&sent), "{sent} sent of 10000 with 20 % doubled");
    assert!(lost.abs_diff(sent * 3 / 10) <= 251, "{lost} of {sent} lost at 30 %");
    let heard = &sim.node(b).unwrap().heard;
    assert!(heard.windows(2).any(|pair| pair[0] > pair[1]), "nothing was overtaken");
}

#[test]
fn an_ordered_network_keeps_the_order() {
    for_seeds(20, |seed| {
        let (mut sim, a, b) = pair(seed.0, Network { in_order: true, ..Network::reliable() });
        sim.call(a, Ask::Send(50, b));
        sim.run_for(Millis(50));
        assert_eq!(sim.node(b).unwrap().heard, (0..50).collect::<Vec<_>>());
    });
}

#[test]
fn a_partition_is_really_silent_and_drops_what_was_under_way() {
    for_seeds(20, |seed| {
        let (mut sim, a, b) = pair(seed.0, Network::reliable());
        sim.call(a, Ask::Send(5, b));
        sim.run_until(Millis(0), |sim| count(sim, |what| matches!(what, What::Sent { .. })) == 5);
        sim.inject(Fault::Partition(vec![vec![a], vec![b]]));
        sim.call(a, Ask::Send(5, b));
        sim.call(b, Ask::Send(5, a));
        sim.run_for(Millis(1_000));
        assert_eq!(count(&sim, delivered), 0);
        assert_eq!(count(&sim, |what| matches!(what, What::Lost { why: "cut", .. })), 15);
        sim.inject(Fault::Heal);
        sim.call(a, Ask::Send(1, b));
        sim.run_for(Millis(20));
        assert_eq!(count(&sim, delivered), 2, "a ping and its echo after the network healed");
    });
}

#[test]
fn a_node_in_no_group_of_a_partition_hears_nobody() {
    let (mut sim, a, b) = pair(1, Network::reliable());
    sim.inject(Fault::Partition(vec![vec![a]]));
    sim.call(a, Ask::Send(1, b));
    sim.run_for(Millis(20));
    assert_eq!(count(&sim, delivered), 0);
}

#[test]
fn a_one_way_cut_leaves_the_way_back() {
    let (mut sim, a, b) = pair(1, Network::reliable());
    sim.inject(Fault::Cut { from: a, to: b });
    sim.call(a, Ask::Send(3, b));
    sim.call(b, Ask::Send(3, a));
    sim.run_for(Millis(50));
    assert!(sim.node(b).unwrap().heard.is_empty());
    assert_eq!(sim.node(a).unwrap().heard.len(), 3);
    assert_eq!(sim.node(b).unwrap().echoed, 0, "the echoes take the way that is cut");
}

#[test]
fn a_paused_node_sees_and_does_nothing_until_it_resumes_and_then_all_of_it() {
    let (mut sim, a, b) = pair(1, Network::exact(Millis(5)));
    sim.inject(Fault::Pause { node: b, span: Millis(250) });
    sim.call(a, Ask::Send(3, b));
    sim.run_for(Millis(249));
    let paused = sim.node(b).unwrap();
    assert_eq!((paused.heard.len(), paused.ticks.len()), (0, 0));
    sim.run_for(Millis(101));
    let resumed = sim.node(b).unwrap();
    assert_eq!(resumed.heard, [0, 1, 2]);
    assert_eq!(resumed.ticks, [Time(350)], "it started late, for it joined and stood still at once");
}

#[test]
fn what_waited_for_a_paused_node_comes_in_the_order_in_which_it_came_due() {
    let heard = |seed: Seed, pause: Millis| {
        let (mut sim, a, b) = pair(seed.0, Network::unreliable());
        sim.inject_after(Millis(2), Fault::Pause { node: b, span: pause });
        sim.call(a, Ask::Send(30, b));
        sim.run_for(Millis(1_000));
        sim.node(b).unwrap().heard.clone()
    };
    for_seeds(20, |seed| assert_eq!(heard(seed, Millis(500)), heard(seed, Millis(0))));
}

#[test]
fn a_timer_that_comes_due_in_a_pause_goes_off_late_and_once() {
    let (mut sim, _, b) = pair(1, Network::reliable());
    sim.run_for(Millis(50));
    sim.inject(Fault::Pause { node: b, span: Millis(300) });
    sim.run_for(Millis(320));
    assert_eq!(sim.node(b).unwrap().ticks, [Time(350)]);
}

#[test]
fn a_crash_keeps_the_disk_and_loses_the_rest() {
    for (lose_last_write, left) in [(false, 3), (true, 2)] {
        let (mut sim, a, b) = pair(1, Network::reliable());
        sim.call(a, Ask::Send(3, b));
        sim.run_for(Millis(50));
        sim.inject(Fault::Crash { node: b, lose_last_write });
        assert!(sim.node(b).is_none());
        sim.call(a, Ask::Send(1, b));
        let nobody = sim.ask(b, Ask::Heard, Millis(300));
        assert_eq!(nobody, None, "a node that is down answers nothing");
        sim.inject(Fault::Restart(b));
        assert_eq!(sim.ask(b, Ask::Heard, Millis(1)), Some(left));
        assert!(sim.node(b).unwrap().ticks.is_empty(), "a timer set before the crash went off after it");
    }
}

#[test]
fn a_fast_clock_ticks_early_and_a_jump_shows_only_in_what_is_read() {
    let (mut sim, a, b) = pair(1, Network::reliable());
    sim.inject(Fault::ClockDrift { node: a, millionths: 250_000 });
    sim.inject(Fault::ClockJump { node: b, by: 5_000 });
    sim.run_for(Millis(100));
    assert_eq!(sim.node(a).unwrap().ticks, [Time(100)], "after 80 ms of the run");
    assert_eq!(sim.node(b).unwrap().ticks, [Time(5_100)], "after 100 ms of the run");
}

#[test]
#[should_panic(expected = "at most two pings: a heard 3")]
fn a_broken_law_stops_the_run_and_is_marked_in_it() {
    let (mut sim, a, b) = pair(1, Network::reliable());
    sim.always("at most two pings", |cluster| match cluster.up().find(|(_, node)| node.heard.len() > 2) {
        Some((_, node)) => Err(format!("a heard {}", node.heard.len())),
        None => Ok(()),
    });
    sim.call(b, Ask::Send(3, a));
    sim.run_for(Millis(50));
}

#[test]
fn the_text_shows_who_said_what_to_whom_and_what_changed() {
    let (mut sim, a, b) = pair(1, Network::exact(Millis(5)));
    sim.call(a, Ask::Send(1, b));
    sim.inject_after(Millis(5), Fault::Cut { from: b, to: a });
    sim.run_for(Millis(20));
    let gap = " ".repeat(42);
    let expected = [
        format!("  t=0  a  starts{gap}heard 0"),
        format!("  t=0  b  starts{gap}heard 0"),
        "  t=0  a  call #0 Send(1, n1)".into(),
        "  t=5     ┄ a no longer hears b".into(),
        format!("  t=5  a  ──Ping(0)──▶ b{}heard 1", " ".repeat(34)),
        "  t=5  b  ──Pong(0)──✕ a (cut)".into(),
    ];
    assert_eq!(sim.to_string().lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_picture_stands_alone_and_says_everything_in_words_too() {
    let page = eventful(3).trace().to_html();
    assert!(page.contains("<svg") && page.contains("role=\"img\""));
    assert!(
        !page.contains("http://")
            || page.matches("http://").count() == page.matches("http://www.w3.org/2000/svg").count()
    );
    for word in ["partition: a | b", "crashes, its last write is lost", "clock jumps by -30 ms", "paused 15 ms"] {
        assert!(page.contains(word), "{word} is not in the picture");
    }
}
