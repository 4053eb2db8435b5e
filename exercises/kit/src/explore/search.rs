//! A search of a model, with laws that are closures and verdicts that say what they rest on.

use super::walk;
use crate::seed::Seed;
use crate::shrink::ddmin;
use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A condition that holds, or the reason why it does not.
type Law<S> = Arc<dyn Fn(&S) -> Result<(), String> + Send + Sync>;
/// Maps all states that differ only in who is who to the same one.
type Representative<S> = fn(&S) -> S;
type Condition<S> = Arc<dyn Fn(&S) -> bool + Send + Sync>;

/// How many `sometimes` conditions a search can have: stateright knows a property by a plain function.
const MOST_CONDITIONS: usize = 12;

/// A search to be made: a model, what must hold in it, and how far to look.
pub struct Search<M: Model> {
    model: M,
    begin: Option<(M::State, Vec<M::Action>)>,
    laws: Vec<(&'static str, Law<M::State>)>,
    conditions: Vec<(&'static str, Condition<M::State>)>,
    budget: usize,
    depth: Option<usize>,
    symmetry: Option<Representative<M::State>>,
}

/// What a search found in a model with actions `A`, and what that rests on.
#[derive(Clone, Debug)]
pub struct Outcome<A> {
    /// The verdict.
    pub found: Found<A>,
    /// How many different states were seen.
    pub states: usize,
    /// How many steps the longest path took that was followed, the scripted beginning not counted.
    pub depth: usize,
}

/// The verdict of a search.
#[derive(Clone, Debug)]
pub enum Found<A> {
    /// Every law held in every state within the bounds, and every condition was met somewhere.
    Nothing,
    /// A law is broken.
    Broken(Counterexample<A>),
    /// Everything was searched, and these conditions were never met: the search proves nothing about them.
    NeverMet(Vec<&'static str>),
    /// The budget of this many states was spent before everything was searched. This is not a pass.
    Inconclusive(usize),
}

/// A run that breaks a law in its last step.
#[derive(Clone, Debug)]
pub struct Counterexample<A> {
    /// The law.
    pub law: &'static str,
    /// Why it does not hold, with numbers.
    pub because: String,
    /// What happened, step by step, the scripted beginning included.
    pub actions: Vec<A>,
    /// How many of these are the scripted beginning.
    pub scripted: usize,
    /// How many steps the run took before it was shrunk; the same as now if it was found breadth first.
    pub steps_before: usize,
}

impl<M> Search<M>
where
    M: Model + Clone + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq + Send + Sync + 'static,
{
    /// A search of `model` with no law yet and a budget of a million states.
    #[must_use]
    pub fn of(model: M) -> Self {
        Self { model, begin: None, laws: vec![], conditions: vec![], budget: 1_000_000, depth: None, symmetry: None }
    }

    /// Demands that `law` holds in every state.
    #[must_use]
    pub fn always(
        mut self,
        name: &'static str,
        law: impl Fn(&M::State) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.laws.push((name, Arc::new(law)));
        self
    }

    /// Demands that every run that comes to an end (no action is left within the bounds) ends in a state where `law`
    /// holds. To say that something is *eventually* so, ask it of the end: a run that goes on for ever within finite
    /// bounds is not judged.
    #[must_use]
    pub fn eventually(
        mut self,
        name: &'static str,
        law: impl Fn(&M::State) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let model = self.model.clone();
        self.laws.push((
            name,
            Arc::new(move |state| {
                let ended = model.next_states(state).iter().all(|next| !model.within_boundary(next));
                if ended { law(state) } else { Ok(()) }
            }),
        ));
        self
    }

    /// Demands that `condition` holds in at least one state.
    ///
    /// # Panics
    /// If there are more than twelve.
    #[must_use]
    pub fn sometimes(
        mut self,
        name: &'static str,
        condition: impl Fn(&M::State) -> bool + Send + Sync + 'static,
    ) -> Self {
        assert!(self.conditions.len() < MOST_CONDITIONS, "a search has at most {MOST_CONDITIONS} conditions");
        self.conditions.push((name, Arc::new(condition)));
        self
    }

    /// How many different states the search may see before it gives up.
    #[must_use]
    pub const fn budget(mut self, states: usize) -> Self {
        self.budget = states;
        self
    }

    /// Looks no further than this many steps. A bound, not a budget: all that lies within it is searched.
    #[must_use]
    pub const fn depth(mut self, steps: usize) -> Self {
        self.depth = Some(steps);
        self
    }

    /// Visits one state of each set of states that differ only in who is who. `representative` must map all states of
    /// such a set to the same one, and every law and condition must hold in all of them or in none: it may count nodes
    /// and never name one.
    ///
    /// The search then goes depth first; a counterexample is shrunk before it is returned.
    #[must_use]
    pub const fn symmetric(mut self, representative: Representative<M::State>) -> Self {
        self.symmetry = Some(representative);
        self
    }

    /// Begins after `script` instead of at the model's start. Laws are not checked on the way.
    ///
    /// What takes 20 steps to reach is far beyond a search; what follows from there often is not.
    #[must_use]
    pub fn after(mut self, script: impl FnOnce(&mut super::Stage<M>)) -> Self {
        let mut stage = super::Stage::begin(self.model.clone());
        script(&mut stage);
        self.begin = Some(stage.end());
        self
    }

    /// Searches breadth first: a counterexample is as short as any. (Depth first where there is symmetry.)
    #[must_use]
    pub fn run(&self) -> Outcome<M::Action> {
        let (start, script) = self.start();
        let mut names: Vec<&'static str> = self.conditions.iter().map(|(name, _)| *name).collect();
        let watched = Watched {
            model: self.model.clone(),
            start: start.clone(),
            laws: self.laws.iter().map(|(_, law)| Arc::clone(law)).collect(),
            conditions: self.conditions.iter().map(|(_, condition)| Arc::clone(condition)).collect(),
            broken: AtomicBool::new(false),
        };
        let mut builder = watched
            .checker()
            .threads(1) // one, so that the same search gives the same counterexample
            .finish_when(HasDiscoveries::AnyFailures)
            .target_state_count(self.budget.max(1));
        if let Some(depth) = self.depth {
            builder = builder.target_max_depth(depth + 1); // stateright counts states, we count steps
        }
        let report = std::env::var_os("KIT_REPORT").map(|_| std::time::Instant::now());
        let Seen { states, generated, depth, mut ways } = match self.symmetry {
            None => Seen::of(&builder.spawn_bfs().join()),
            Some(representative) => Seen::of(&builder.symmetry_fn(representative).spawn_dfs().join()),
        };
        if let Some(began) = report {
            let (name, took) = (crate::seed::test_name(), began.elapsed().as_secs_f64());
            eprintln!("searched {states:>9} states, {depth:>3} steps deep, in {took:>6.2} s: {name}");
        }
        let found = if let Some(steps) = ways.remove(LAWS) {
            let short = if self.symmetry.is_some() { self.shrunk(&start, &steps) } else { steps.clone() };
            Found::Broken(self.counterexample(&start, script, &short, steps.len()))
        } else if generated >= self.budget {
            Found::Inconclusive(self.budget)
        } else {
            let met: Vec<usize> = (0..names.len()).filter(|i| ways.contains_key(CONDITIONS[*i])).collect();
            let mut index = 0..;
            names.retain(|_| !met.contains(&index.next().unwrap_or_default()));
            if names.is_empty() { Found::Nothing } else { Found::NeverMet(names) }
        };
        Outcome { found, states, depth }
    }

    /// Walks at random, `walks` times at most `steps` steps, until a law is broken; then shrinks the run.
    ///
    /// `weight` says how likely an action is beside the others. What no walk met stays unknown, so this can refute and
    /// never prove: it ends in [`Found::Broken`] or [`Found::Inconclusive`].
    #[must_use]
    pub fn walk(&self, seed: Seed, walks: u64, steps: usize, weight: impl Fn(&M::Action) -> u32) -> Outcome<M::Action> {
        let (start, script) = self.start();
        let broken = |state: &M::State| self.laws.iter().any(|(_, law)| law(state).is_err());
        let (mut states, mut depth) = (0, 0);
        for walk in 0..walks {
            let (path, fell) = walk::at_random(&self.model, &start, seed.part(walk), steps, &weight, &broken);
            states += path.len();
            depth = depth.max(path.len());
            if fell {
                let example = self.counterexample(&start, script, &self.shrunk(&start, &path), path.len());
                return Outcome { found: Found::Broken(example), states, depth };
            }
        }
        Outcome { found: Found::Inconclusive(states), states, depth }
    }

    /// The shortest part of a run that breaks a law and still does, up to where it does.
    fn shrunk(&self, start: &M::State, run: &[M::Action]) -> Vec<M::Action> {
        let broken = |state: &M::State| self.laws.iter().any(|(_, law)| law(state).is_err());
        let breaks = |run: &[M::Action]| walk::breaks(&self.model, start, run, &broken);
        let shorter = ddmin(run, |part| breaks(part).is_some());
        breaks(&shorter).unwrap_or_else(|| run.to_vec())
    }

    /// The model searched.
    #[must_use]
    pub const fn model(&self) -> &M {
        &self.model
    }

    fn start(&self) -> (M::State, Vec<M::Action>) {
        self.begin.clone().unwrap_or_else(|| (self.model.init_states().remove(0), vec![]))
    }

    fn counterexample(
        &self,
        start: &M::State,
        script: Vec<M::Action>,
        steps: &[M::Action],
        steps_before: usize,
    ) -> Counterexample<M::Action> {
        let end = steps.iter().fold(start.clone(), |state, action| {
            self.model.next_state(&state, action.clone()).expect("a step of a path that was found can be taken again")
        });
        let verdict = self.laws.iter().find_map(|(name, law)| law(&end).err().map(|because| (*name, because)));
        let (law, because) = verdict.expect("a path that was found ends in a broken law");
        let scripted = script.len();
        let actions = script.into_iter().chain(steps.iter().cloned()).collect();
        Counterexample { law, because, actions, scripted, steps_before: scripted + steps_before }
    }
}

/// What stateright reports of a search, whichever way it went.
struct Seen<A> {
    states: usize,
    /// States reached, those reached again included.
    generated: usize,
    depth: usize,
    /// The ways to broken laws and to conditions that were met.
    ways: HashMap<&'static str, Vec<A>>,
}

impl<A> Seen<A> {
    fn of<M>(checker: &impl Checker<M>) -> Self
    where
        M: Model<Action = A>,
        M::State: Clone + Debug + Hash + PartialEq,
        A: Clone + Debug + PartialEq,
    {
        Self {
            states: checker.unique_state_count(),
            generated: checker.state_count(),
            depth: checker.max_depth().saturating_sub(1),
            ways: checker.discoveries().into_iter().map(|(name, path)| (name, path.into_actions())).collect(),
        }
    }
}

/// The name under which stateright knows all laws together.
const LAWS: &str = "laws";
const CONDITIONS: [&str; MOST_CONDITIONS] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];

/// A model with the laws of a search, as stateright wants them.
struct Watched<M: Model> {
    model: M,
    start: M::State,
    laws: Vec<Law<M::State>>,
    conditions: Vec<Condition<M::State>>,
    /// Whether a law was broken already. While it waits for conditions to be met, stateright searches on for a while and
    /// would keep the last way to a broken law, not the first and shortest.
    broken: AtomicBool,
}

impl<M> Model for Watched<M>
where
    M: Model,
    M::State: Clone + PartialEq,
{
    type State = M::State;
    type Action = M::Action;

    fn init_states(&self) -> Vec<M::State> {
        vec![self.start.clone()]
    }

    fn actions(&self, state: &M::State, actions: &mut Vec<M::Action>) {
        self.model.actions(state, actions);
    }

    fn next_state(&self, state: &M::State, action: M::Action) -> Option<M::State> {
        self.model.next_state(state, action)
    }

    fn within_boundary(&self, state: &M::State) -> bool {
        self.model.within_boundary(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn met<const I: usize, M>(watched: &Watched<M>, state: &M::State) -> bool
        where
            M: Model,
        {
            watched.conditions.get(I).is_some_and(|condition| condition(state))
        }
        let conditions: [fn(&Self, &M::State) -> bool; MOST_CONDITIONS] = [
            met::<0, M>,
            met::<1, M>,
            met::<2, M>,
            met::<3, M>,
            met::<4, M>,
            met::<5, M>,
            met::<6, M>,
            met::<7, M>,
            met::<8, M>,
            met::<9, M>,
            met::<10, M>,
            met::<11, M>,
        ];
        let laws = Property {
            expectation: Expectation::Always,
            name: LAWS,
            condition: |watched: &Self, state: &M::State| {
                let holds = watched.broken.load(Relaxed) || watched.laws.iter().all(|law| law(state).is_ok());
                if !holds {
                    watched.broken.store(true, Relaxed);
                }
                holds
            },
        };
        let used = CONDITIONS.into_iter().zip(conditions).take(self.conditions.len());
        let sometimes = used.map(|(name, condition)| Property { expectation: Expectation::Sometimes, name, condition });
        // Without this stateright would stop as soon as everything is decided; a law is decided only at the end.
        std::iter::once(laws).chain(sometimes).collect()
    }
}
