//! Two-phase commit as Gray and Lamport specify it ("Consensus on Transaction Commit", 2006, and its TLA+ module `TwoPhase`).
//!
//! Messages are a set that only grows, as there. The number of distinct states is published: 288 for three resource
//! managers, 8832 for five; the graph of the former is 11 states deep.

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Manager {
    Working,
    Prepared,
    Committed,
    Aborted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Decision {
    None,
    Commit,
    Abort,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    managers: Vec<Manager>,
    /// What the transaction manager decided, and so sent.
    decision: Decision,
    /// Whose "prepared" it has received …
    received: Vec<bool>,
    /// … of those that were sent.
    sent: Vec<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Prepare(usize),
    ChooseToAbort(usize),
    ReceivePrepared(usize),
    Commit,
    Abort,
    LearnCommit(usize),
    LearnAbort(usize),
}

#[derive(Clone)]
struct TwoPhase {
    managers: usize,
}

impl Model for TwoPhase {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            managers: vec![Manager::Working; self.managers],
            decision: Decision::None,
            received: vec![false; self.managers],
            sent: vec![false; self.managers],
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.decision == Decision::None {
            if state.received.iter().all(|received| *received) {
                steps.push(Step::Commit);
            }
            steps.push(Step::Abort);
        }
        for rm in 0..self.managers {
            if state.managers[rm] == Manager::Working {
                steps.extend([Step::Prepare(rm), Step::ChooseToAbort(rm)]);
            }
            match state.decision {
                Decision::None if state.sent[rm] => steps.push(Step::ReceivePrepared(rm)),
                Decision::None => {}
                Decision::Commit => steps.push(Step::LearnCommit(rm)),
                Decision::Abort => steps.push(Step::LearnAbort(rm)),
            }
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        match step {
            Step::Prepare(rm) => {
                next.managers[rm] = Manager::Prepared;
                next.sent[rm] = true;
            }
            Step::ChooseToAbort(rm) | Step::LearnAbort(rm) => next.managers[rm] = Manager::Aborted,
            Step::LearnCommit(rm) => next.managers[rm] = Manager::Committed,
            Step::ReceivePrepared(rm) => next.received[rm] = true,
            Step::Commit => next.decision = Decision::Commit,
            Step::Abort => next.decision = Decision::Abort,
        }
        (next != *state).then_some(next)
    }
}

fn search(managers: usize) -> Search<TwoPhase> {
    let all = |state: &State, wanted| state.managers.iter().all(|manager| *manager == wanted);
    Search::of(TwoPhase { managers })
        .always("no manager commits while another aborts", |state: &State| {
            let has = |wanted| state.managers.contains(&wanted);
            if has(Manager::Committed) && has(Manager::Aborted) { Err(format!("{:?}", state.managers)) } else { Ok(()) }
        })
        .sometimes("all commit", move |state| all(state, Manager::Committed))
        .sometimes("all abort", move |state| all(state, Manager::Aborted))
}

#[test]
fn three_managers_have_the_published_288_states_11_deep() {
    let outcome = search(3).run();
    assert!(matches!(outcome.found, Found::Nothing), "{:?}", outcome.found);
    assert_eq!((outcome.states, outcome.depth + 1), (288, 11));
}

#[test]
fn five_managers_have_the_published_8832_states() {
    assert_eq!(search(5).run().states, 8_832);
}

/// The managers in order of what they did and of what is known of them: who is who makes no difference.
fn in_order(state: &State) -> State {
    let mut order: Vec<usize> = (0..state.managers.len()).collect();
    order.sort_by_key(|&rm| (state.managers[rm], state.received[rm], state.sent[rm]));
    State {
        managers: order.iter().map(|&rm| state.managers[rm]).collect(),
        decision: state.decision,
        received: order.iter().map(|&rm| state.received[rm]).collect(),
        sent: order.iter().map(|&rm| state.sent[rm]).collect(),
    }
}

#[test]
fn symmetry_leaves_fewer_states_and_the_same_verdicts() {
    let outcome = search(5).symmetric(in_order).run();
    assert!(matches!(outcome.found, Found::Nothing), "{:?}", outcome.found);
    let classes: std::collections::HashSet<State> = every_state(5).iter().map(in_order).collect();
    assert_eq!(outcome.states, classes.len(), "one state of each set");
    let broken = |search: Search<TwoPhase>| {
        let law = |state: &State| match state.managers.iter().filter(|m| **m == Manager::Committed).count() {
            0..2 => Ok(()),
            committed => Err(format!("{committed} committed")),
        };
        match search.always("never two", law).run().found {
            Found::Broken(example) => example.actions.len(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(broken(search(3).symmetric(in_order)), broken(search(3)), "shrunk to the same length");
}

/// Every state that can be reached, by plain exhaustion.
fn every_state(managers: usize) -> std::collections::HashSet<State> {
    let model = TwoPhase { managers };
    let mut known: std::collections::HashSet<State> = model.init_states().into_iter().collect();
    let mut open: Vec<State> = known.iter().cloned().collect();
    while let Some(state) = open.pop() {
        open.extend(model.next_states(&state).into_iter().filter(|next| known.insert(next.clone())));
    }
    known
}
