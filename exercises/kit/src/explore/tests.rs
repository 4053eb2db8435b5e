//! The explorer is proved on protocols that nobody here invented.

mod raft;
mod two_phase;

use super::*;
use crate::node::{Input, Node, NodeId, Output, Time};

/// Two counters that tell each other their value: the smallest world with something to find.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Counter(u8);

impl Node for Counter {
    type Message = u8;
    type Timer = ();
    type Request = u8;
    type Reply = u8;
    type Durable = u8;

    fn step(&mut self, input: Input<Self>, _now: Time) -> Vec<Output<Self>> {
        match input {
            Input::Start | Input::Timer(()) => vec![],
            Input::Message { message, .. } => {
                self.0 += message;
                vec![Output::Persist(self.0)]
            }
            Input::Request { call, request } => {
                vec![Output::Send { to: NodeId(1), message: request }, Output::Reply { call, reply: self.0 }]
            }
        }
    }
}

fn counters() -> World<Counter> {
    World::new(["a", "b"], |_, disk| Counter(disk.unwrap_or(0))).call(NodeId(0), 1).call(NodeId(0), 2)
}

fn at_b(state: &WorldState<Counter>) -> Option<u8> {
    state.cluster().up().find(|(node, _)| node.0 == 1).map(|(_, counter)| counter.0)
}

#[test]
fn every_order_is_searched_and_each_state_counted_once() {
    // Each call: not made, under way, arrived. 3 · 3 combinations, times the orders of calls and answers in the history:
    // none (1), one call made (2 · 2), both made (2 orders · 4).
    let outcome = Search::of(counters()).run();
    assert!(matches!(outcome.found, Found::Nothing), "{:?}", outcome.found);
    assert_eq!((outcome.states, outcome.depth), (1 + 2 * 2 + 2 * 4, 4));
}

#[test]
fn a_broken_law_comes_with_the_shortest_way_there() {
    let search = Search::of(counters()).always("b stays below 2", |state| match at_b(state) {
        Some(value) if value >= 2 => Err(format!("b holds {value}")),
        _ => Ok(()),
    });
    let Found::Broken(example) = search.run().found else { panic!("b holds 2 after one message") };
    assert_eq!((example.because.as_str(), example.actions.len()), ("b holds 2", 2));
    let text = search.model().trace(&example).to_string();
    assert!(text.contains("a  ──2──▶ b"), "{text}");
    assert!(text.contains("← BROKEN b stays below 2: b holds 2"), "{text}");
}

#[test]
fn the_way_to_a_broken_law_stays_the_shortest_while_conditions_wait_to_be_met() {
    let search = Search::of(counters())
        .always("b stays 0", |state| if at_b(state).unwrap_or(0) == 0 { Ok(()) } else { Err("b moved".into()) })
        .sometimes("b holds 4", |state| at_b(state) == Some(4));
    let Found::Broken(example) = search.run().found else { panic!("b moves with the first message") };
    assert_eq!(example.actions.len(), 2, "a call and its message are enough: {:?}", example.actions);
}

#[test]
fn a_condition_that_is_never_met_is_named_and_a_spent_budget_is_no_pass() {
    let search = Search::of(counters())
        .sometimes("b holds 3", |s| at_b(s) == Some(3))
        .sometimes("b holds 4", |s| at_b(s) == Some(4));
    assert!(matches!(search.run().found, Found::NeverMet(names) if names == ["b holds 4"]));
    assert!(matches!(Search::of(counters()).budget(3).run().found, Found::Inconclusive(3)));
}

#[test]
fn what_must_be_so_in_the_end_is_asked_of_every_end_and_of_nothing_before() {
    let three = |state: &WorldState<Counter>| if at_b(state) == Some(3) { Ok(()) } else { Err("not 3".into()) };
    assert!(matches!(Search::of(counters()).eventually("b holds 3", three).run().found, Found::Nothing));
    let Found::Broken(example) =
        Search::of(counters().crashes(1).unflushed()).eventually("b holds 3", three).run().found
    else {
        panic!("a crash that loses the last write must be found");
    };
    assert!(format!("{:?}", example.actions).contains("n1 crashes"), "{:?}", example.actions);
}

#[test]
fn a_message_may_arrive_twice_only_as_often_as_allowed() {
    let six = |state: &WorldState<Counter>| at_b(state).unwrap_or(0);
    let most = |doubles| {
        let limit = (0..10).find(|limit| {
            let limit = *limit;
            let law = move |s: &WorldState<Counter>| if six(s) > limit { Err(String::new()) } else { Ok(()) };
            matches!(Search::of(counters().doubles(doubles)).always("limit", law).run().found, Found::Nothing)
        });
        limit.unwrap()
    };
    assert_eq!((most(0), most(1), most(2)), (3, 5, 7));
}

#[test]
fn a_walk_refutes_shrinks_and_never_proves() {
    let law = |state: &WorldState<Counter>| if at_b(state) == Some(2) { Err("b holds 2".into()) } else { Ok(()) };
    let search = Search::of(counters().crashes(2)).always("never 2", law);
    let Found::Broken(example) = search.walk(crate::Seed(1), 200, 40, |_| 1).found else { panic!("never found") };
    assert_eq!(example.actions.len(), 2, "the call and its message, of {} steps", example.steps_before);
    let harmless = Search::of(counters()).walk(crate::Seed(1), 10, 10, |_| 1);
    assert!(matches!(harmless.found, Found::Inconclusive(_)));
}
