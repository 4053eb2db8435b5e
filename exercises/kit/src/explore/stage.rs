//! A scripted beginning: the part of a run that a search would never reach by itself.

use stateright::Model;
use std::fmt::Debug;

/// A model being led, action by action, to where a search is to begin.
pub struct Stage<M: Model> {
    model: M,
    state: M::State,
    taken: Vec<M::Action>,
}

impl<M> Stage<M>
where
    M: Model,
    M::State: Clone,
    M::Action: Clone + Debug,
{
    pub(super) fn begin(model: M) -> Self {
        let state = model.init_states().remove(0);
        Self { model, state, taken: vec![] }
    }

    pub(super) fn end(self) -> (M::State, Vec<M::Action>) {
        (self.state, self.taken)
    }

    /// Where the script has got to.
    #[must_use]
    pub const fn state(&self) -> &M::State {
        &self.state
    }

    /// Takes the first possible action that `wanted` accepts.
    ///
    /// # Panics
    /// If none is: with `what` and the actions that are possible, for then the script or the protocol is wrong.
    pub fn take(&mut self, what: &str, wanted: impl Fn(&M::Action) -> bool) {
        let mut possible = vec![];
        self.model.actions(&self.state, &mut possible);
        let Some(action) = possible.iter().find(|action| wanted(action)) else {
            panic!("{what} cannot happen after {} steps; what can is {possible:#?}", self.taken.len());
        };
        self.force(action.clone());
    }

    /// Takes `action`, whether or not the model would offer it.
    ///
    /// # Panics
    /// If it leads nowhere.
    pub fn force(&mut self, action: M::Action) {
        let next = self.model.next_state(&self.state, action.clone());
        self.state = next.unwrap_or_else(|| panic!("{action:?} leads nowhere after {} steps", self.taken.len()));
        self.taken.push(action);
    }
}
