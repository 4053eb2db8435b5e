//! What clients saw, and whether a single correct object could have shown it to them.

mod register;
mod session;

pub use register::{Register, RegisterOp, Returned};
pub use session::{Access, Guarantee, SessionBreach, check_sessions};

use crate::node::Time;
use crate::sim::Moment;
use crate::trace::show_until;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Write as _};
use std::hash::Hash;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use todc_utils::linearizability::WGLChecker;
use todc_utils::{Action, Specification};

/// A correct object, one operation at a time.
pub trait Spec: 'static {
    /// What a client can ask of it.
    type Op: Clone + Debug;
    /// What a client can be told.
    type Ret: Clone + Debug;
    /// What the object holds.
    type State: Clone + Eq + Hash + Debug;
    /// What operations must share to affect each other; `()` if they all do.
    type Key: Clone + Ord + Debug;

    /// What it holds at first.
    fn init() -> Self::State;

    /// The part of the object that `op` is about.
    ///
    /// Linearizability is *local* (Herlihy and Wing 1990, theorem 1): the whole is linearizable if every part is. So each
    /// part is judged alone, which is far quicker.
    fn key(op: &Self::Op) -> Self::Key;

    /// What the object holds after `op`, or nothing if `op` cannot have returned `ret` here; `ret` is `None` for a
    /// client that never heard back, who could have been told anything.
    fn apply(state: &Self::State, op: &Self::Op, ret: Option<&Self::Ret>) -> Option<Self::State>;
}

/// One operation: when it was called and, if it was, when and how it returned.
#[derive(Clone, Debug)]
pub struct Operation<S: Spec> {
    /// Who asked.
    pub client: String,
    /// What.
    pub op: S::Op,
    /// When.
    pub called: Moment,
    /// When and how it was answered. `None` leaves open whether it took effect, and if so when.
    pub returned: Option<(Moment, S::Ret)>,
}

/// What clients did, in any order.
#[derive(Clone, Debug)]
pub struct History<S: Spec> {
    /// The operations; leave out those that certainly had no effect, such as a refused write.
    pub operations: Vec<Operation<S>>,
}

/// How much work a check may cost: the number of operations that it may try to place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(pub u64);

impl Default for Budget {
    /// A second or two.
    fn default() -> Self {
        Self(500_000)
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One order explains everything that clients saw.
    Linearizable,
    /// No order does; the text shows the shortest beginning of the history for which none does.
    Violated(String),
    /// The budget was spent before either was certain. This is not a pass.
    Inconclusive(Budget),
}

impl<S: Spec> Default for History<S> {
    fn default() -> Self {
        Self { operations: vec![] }
    }
}

impl<S: Spec> History<S> {
    /// Adds an operation. Moments that a [`Sim`](crate::Sim) did not give come from [`moment`].
    pub fn add(&mut self, client: impl Into<String>, op: S::Op, called: Moment, returned: Option<(Moment, S::Ret)>) {
        self.operations.push(Operation { client: client.into(), op, called, returned });
    }

    /// Whether a single object that obeys `S` could have answered so: each operation takes effect at one moment between
    /// its call and its return (Herlihy and Wing 1990). The search is Wing and Gong's with Lowe's memory.
    #[must_use]
    pub fn check(&self, budget: Budget) -> Verdict {
        let mut parts: BTreeMap<S::Key, Vec<&Operation<S>>> = BTreeMap::new();
        for operation in &self.operations {
            parts.entry(S::key(&operation.op)).or_default().push(operation);
        }
        let left = Cell::new(budget.0);
        for part in parts.values() {
            match search(part, None, &left) {
                Some(true) => {}
                Some(false) => return Verdict::Violated(explain(part)),
                None => return Verdict::Inconclusive(budget),
            }
        }
        Verdict::Linearizable
    }

    /// [`check`](Self::check) as a reason to fail: the evidence of a violation, or the budget that was not enough.
    ///
    /// # Errors
    /// Unless the history is linearizable.
    pub fn linearizable(&self) -> Result<(), String> {
        match self.check(Budget::default()) {
            Verdict::Linearizable => Ok(()),
            Verdict::Violated(evidence) => Err(format!("no single copy could have answered like this:\n{evidence}")),
            Verdict::Inconclusive(Budget(steps)) => {
                Err(format!("inconclusive: {} operations, {steps} steps were not enough", self.operations.len()))
            }
        }
    }

    /// Demands that the history is linearizable.
    ///
    /// # Panics
    /// With the evidence if it is not, and with the budget if that was not enough to tell.
    pub fn assert_linearizable(&self, context: impl fmt::Display) {
        if let Err(why) = self.linearizable() {
            panic!("{why}\n{context}");
        }
    }
}

/// The moment `order` of a history written down by hand.
#[must_use]
pub const fn moment(order: u64) -> Moment {
    Moment { order, at: Time(order) }
}

thread_local! {
    /// What is left of the budget of the check that runs on this thread.
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// Thrown, quietly, when the budget is spent.
struct Spent;

/// Makes a [`Spec`] known to the checker.
struct Judged<S>(PhantomData<S>);

impl<S: Spec> Specification for Judged<S> {
    type State = S::State;
    type Operation = Tried<S>;

    fn init() -> S::State {
        S::init()
    }

    fn apply(tried: &Tried<S>, state: &S::State) -> (bool, S::State) {
        let left = LEFT.get();
        if left == 0 {
            resume_unwind(Box::new(Spent));
        }
        LEFT.set(left - 1);
        S::apply(state, &tried.op, tried.ret.as_ref()).map_or_else(|| (false, state.clone()), |next| (true, next))
    }
}

/// An operation as the checker holds it.
struct Tried<S: Spec> {
    op: S::Op,
    ret: Option<S::Ret>,
}

impl<S: Spec> Clone for Tried<S> {
    fn clone(&self) -> Self {
        Self { op: self.op.clone(), ret: self.ret.clone() }
    }
}

impl<S: Spec> Debug for Tried<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} → {:?}", self.op, self.ret)
    }
}

/// Whether the operations called before `end` are linearizable, as they looked then; `None` if the budget ran out.
fn search<S: Spec>(part: &[&Operation<S>], end: Option<u64>, left: &Cell<u64>) -> Option<bool> {
    let seen = |moment: Moment| end.is_none_or(|end| moment.order <= end);
    let mut actions = vec![];
    for (process, operation) in part.iter().filter(|operation| seen(operation.called)).enumerate() {
        let returned = operation.returned.as_ref().filter(|(moment, _)| seen(*moment));
        let tried = Tried { op: operation.op.clone(), ret: returned.map(|(_, ret)| ret.clone()) };
        actions.push((operation.called.order, process, Action::Call(tried.clone())));
        // Who never heard back may have been served at any time, or last: after everything that anybody saw.
        actions.push((returned.map_or(u64::MAX, |(moment, _)| moment.order), process, Action::Response(tried)));
    }
    if actions.is_empty() {
        return Some(true);
    }
    actions.sort_by_key(|(order, _, _)| *order);
    let actions = actions.into_iter().map(|(_, process, action)| (process, action)).collect();
    LEFT.set(left.get());
    let history = todc_utils::History::<Tried<S>>::from_actions(actions);
    let found = catch_unwind(AssertUnwindSafe(|| WGLChecker::<Judged<S>>::is_linearizable(history)));
    left.set(LEFT.get());
    match found {
        Ok(verdict) => Some(verdict),
        Err(thrown) if thrown.is::<Spent>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

/// How many operations before the impossible one are shown.
const BEFORE: usize = 16;

/// The shortest beginning of a violating history that already violates: its last answer, which nothing explains, and the
/// operations before it, the latest last. A run that is shown after this ends with that answer.
fn explain<S: Spec>(part: &[&Operation<S>]) -> String {
    let mut ends: Vec<u64> = part.iter().filter_map(|operation| Some(operation.returned.as_ref()?.0.order)).collect();
    ends.sort_unstable();
    let left = Cell::new(Budget::default().0);
    let end = ends.iter().copied().find(|&end| search(part, Some(end), &left) == Some(false));
    let seen = |moment: Moment| end.is_none_or(|end| moment.order <= end);
    let returned = |operation: &Operation<S>| operation.returned.clone().filter(|(moment, _)| seen(*moment));
    let line = |operation: &Operation<S>, mark: &str| {
        let (until, ret) = returned(operation).map_or_else(
            || ("…".to_owned(), "no answer yet".to_owned()),
            |(moment, ret)| (moment.at.0.to_string(), format!("{ret:?}")),
        );
        format!("  t={}..{until}  {}  {:?} → {ret}{mark}\n", operation.called.at.0, operation.client, operation.op)
    };
    let is_last =
        |operation: &Operation<S>| end.is_some() && operation.returned.as_ref().map(|(moment, _)| moment.order) == end;
    let mut text = String::new();
    if let Some(last) = part.iter().find(|operation| is_last(operation)) {
        text.push_str(&line(last, "   ← impossible"));
        if let Some((moment, _)) = &last.returned {
            show_until(moment.at);
        }
    }
    let mut before: Vec<&Operation<S>> =
        part.iter().copied().filter(|operation| seen(operation.called) && !is_last(operation)).collect();
    // What ended long ago is least likely to explain anything; what never ended could have taken effect at any time.
    before.sort_by_key(|operation| returned(operation).map_or(u64::MAX, |(moment, _)| moment.order));
    let hidden = before.len().saturating_sub(BEFORE);
    if hidden > 0 {
        let _ = writeln!(text, "after {hidden} earlier operations and");
    } else if !before.is_empty() {
        text.push_str("after\n");
    }
    let mut shown = before.split_off(hidden);
    shown.sort_by_key(|operation| operation.called);
    text.extend(shown.into_iter().map(|operation| line(operation, "")));
    text
}

#[cfg(test)]
mod tests;
