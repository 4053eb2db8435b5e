//! Random walks through a model, and runs taken again with steps left out.

use crate::seed::Seed;
use rand::RngExt as _;
use stateright::Model;

/// Walks from `start`; returns the steps taken and whether the last one led to a `broken` state.
pub(super) fn at_random<M>(
    model: &M,
    start: &M::State,
    seed: Seed,
    steps: usize,
    weight: &impl Fn(&M::Action) -> u32,
    broken: &impl Fn(&M::State) -> bool,
) -> (Vec<M::Action>, bool)
where
    M: Model,
    M::State: Clone,
    M::Action: Clone,
{
    let mut rng = seed.rng();
    let (mut state, mut taken, mut possible) = (start.clone(), vec![], vec![]);
    for _ in 0..steps {
        possible.clear();
        model.actions(&state, &mut possible);
        let total: u64 = possible.iter().map(|action| u64::from(weight(action))).sum();
        if total == 0 {
            break;
        }
        let mut pick = rng.random_range(0..total);
        let chosen = possible.iter().find(|action| {
            let weight = u64::from(weight(action));
            let here = pick < weight;
            pick = pick.saturating_sub(weight);
            here
        });
        let Some(action) = chosen.cloned() else { break };
        if let Some(next) = model.next_state(&state, action.clone()).filter(|next| model.within_boundary(next)) {
            state = next;
            taken.push(action);
            if broken(&state) {
                return (taken, true);
            }
        }
    }
    (taken, false)
}

/// Takes `run` again, passing over steps that are not possible any more; returns the steps up to the first broken state.
pub(super) fn breaks<M>(
    model: &M,
    start: &M::State,
    run: &[M::Action],
    broken: &impl Fn(&M::State) -> bool,
) -> Option<Vec<M::Action>>
where
    M: Model,
    M::State: Clone,
    M::Action: Clone + PartialEq,
{
    let (mut state, mut taken, mut possible) = (start.clone(), vec![], vec![]);
    for action in run {
        possible.clear();
        model.actions(&state, &mut possible);
        if !possible.contains(action) {
            continue;
        }
        if let Some(next) = model.next_state(&state, action.clone()) {
            state = next;
            taken.push(action.clone());
            if broken(&state) {
                return Some(taken);
            }
        }
    }
    None
}
