use super::*;
use crate::node::{Input, Output};
use crate::{Network, for_seeds};

/// Forgets what it counted in a crash, though it promised not to.
struct Forgetful(u32);

impl Node for Forgetful {
    type Message = ();
    type Timer = ();
    type Request = ();
    type Reply = u32;
    type Durable = ();

    fn step(&mut self, input: Input<Self>, _now: Time) -> Vec<Output<Self>> {
        match input {
            Input::Request { call, .. } => {
                self.0 += 1;
                vec![Output::Reply { call, reply: self.0 }]
            }
            _ => vec![],
        }
    }
}

fn build(seed: Seed) -> Sim<Forgetful> {
    let mut sim = Sim::new(seed, |_, _| Forgetful(0)).over(Network::reliable());
    sim.join("a");
    sim
}

/// Of the calls that were answered, every later one must have been told a greater number.
fn grows(sim: &mut Sim<Forgetful>) -> Result<(), String> {
    let told: Vec<u32> = sim.calls().iter().filter_map(|call| Some(call.replied.as_ref()?.1)).collect();
    if told.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(format!("clients were told {told:?}")) }
}

const CHAOS: Chaos = Chaos { crashes: 3, pauses: 3, ..Chaos::calm(1, Millis(1_000), 20) };

#[test]
fn a_plan_is_drawn_from_its_seed_in_order_of_time_with_all_that_was_asked_for() {
    for_seeds(20, |seed| {
        let plan = CHAOS.plan(seed, |_, _| ());
        assert_eq!(plan, CHAOS.plan(seed, |_, _| ()));
        assert!(plan.is_sorted_by_key(|step| step.at));
        let count = |wanted: fn(&Do<()>) -> bool| plan.iter().filter(|step| wanted(&step.what)).count();
        assert_eq!(count(|what| matches!(what, Do::Call(..))), 20);
        assert_eq!(count(|what| matches!(what, Do::Fault(Fault::Crash { .. }))), 3);
        assert_eq!(count(|what| matches!(what, Do::Fault(Fault::Restart(_)))), 3);
        assert_eq!(count(|what| matches!(what, Do::Fault(Fault::Pause { .. }))), 3);
    });
}

#[test]
fn a_plan_without_the_fault_passes() {
    for_seeds(20, |seed| drop(trial(seed, &Chaos { crashes: 0, ..CHAOS }.plan(seed, |_, _| ()), build, grows)));
}

/// A call, a crash, a restart and a call: nothing less shows that the count is forgotten.
#[test]
fn a_failing_plan_is_shown_with_nothing_in_it_that_could_be_left_out() {
    let plan = CHAOS.plan(Seed(2), |_, _| ());
    let failed = std::panic::catch_unwind(|| drop(trial(Seed(2), &plan, build, grows))).expect_err("it forgets");
    let text = failed.downcast_ref::<String>().expect("a message");
    assert!(text.starts_with("at the end: clients were told [1, 1]"), "{text}");
    assert!(text.contains("after 4 planned events, shrunk from 29"), "{text}");
}
