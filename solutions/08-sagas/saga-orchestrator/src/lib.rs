//! All steps of a saga, or those that happened and then their opposites in reverse; whatever is lost, and whoever dies.

use std::collections::BTreeMap;

/// One saga among many: one order, say. Services recognise by it what belongs together. It is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SagaId(pub u64);

/// What a service is asked for. Steps count from 0. To ask twice is harmless: services recognise saga and step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// Do this step.
    Do(usize),
    /// Make this step undone, or, if it was not done, never do it.
    Undo(usize),
}

/// What a service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It is done, now or by an earlier call.
    Done,
    /// It was not done by this call, and will not be.
    Refused,
    /// There was no answer in time. It may have been done, it may be done later, or never.
    Silence,
}

/// What the orchestrator writes into its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    /// This step is done.
    Done(usize),
    /// From now on it goes backwards: the first so many steps are undone, the last of them first.
    Back(usize),
    /// This step is undone.
    Undone(usize),
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Next {
    /// Make this call.
    Call(Call),
    /// All steps are done.
    Completed,
    /// Nothing is left of any step.
    Compensated,
}

/// Takes one saga at a time to its end.
#[derive(Clone, Debug)]
pub struct Orchestrator {
    steps: usize,
    attempts: u32,
    /// The step that comes next, going forwards.
    at: usize,
    back: bool,
    /// What is to be undone if it goes back, the last first.
    to_undo: Vec<usize>,
    silences: u32,
    /// Whether a call of the step at hand may be under way, or have been done.
    unsure: bool,
}

impl Orchestrator {
    /// One that begins a saga of so many steps. `attempts`, at least 1, is how often a step is tried that nobody answers.
    #[must_use]
    pub fn new(steps: usize, attempts: u32) -> Self {
        Self { steps, attempts, at: 0, back: false, to_undo: vec![], silences: 0, unsure: false }
    }

    /// Begins the next saga. The one before is over.
    pub fn begin(&mut self) {
        *self = Self::new(self.steps, self.attempts);
    }

    // ANCHOR: resume
    /// Goes on after a crash, with what the log of the saga holds. The last call of the one that crashed may be under way.
    #[must_use]
    pub fn resume(steps: usize, attempts: u32, log: &[Entry]) -> Self {
        let mut this = Self { unsure: true, ..Self::new(steps, attempts) };
        for entry in log {
            match *entry {
                Entry::Done(step) => {
                    this.at = step + 1;
                    this.to_undo.push(step);
                }
                Entry::Back(count) => {
                    this.back = true;
                    this.to_undo = (0..count).collect();
                }
                Entry::Undone(_) => {
                    this.to_undo.pop();
                }
            }
        }
        this
    }
    // ANCHOR_END: resume

    /// What to do now. To ask changes nothing.
    #[must_use]
    pub fn next(&self) -> Next {
        match (self.back, self.to_undo.last()) {
            (true, Some(step)) => Next::Call(Call::Undo(*step)),
            (true, None) => Next::Compensated,
            (false, _) if self.at == self.steps => Next::Completed,
            (false, _) => Next::Call(Call::Do(self.at)),
        }
    }

    // ANCHOR: answered
    /// The call of [`next`](Self::next) was answered. What is returned is in the log before the next call is made.
    ///
    /// * A step that is done: the next one.
    /// * A step that is refused: back. This step is undone too if any of its calls may have been done or be under way.
    /// * Silence: the same again; after `attempts` silences of this step, without a crash between, back, and this step is undone too.
    /// * An undoing that is refused or not answered: the same again, for as long as it takes.
    pub fn answered(&mut self, answer: Answer) -> Option<Entry> {
        let Next::Call(call) = self.next() else { return None };
        match (call, answer) {
            (Call::Do(step), Answer::Done) => {
                self.to_undo.push(step);
                self.at += 1;
                self.silences = 0;
                self.unsure = false;
                Some(Entry::Done(step))
            }
            (Call::Do(step), Answer::Refused) => Some(self.turn_back(step)),
            (Call::Do(step), Answer::Silence) => {
                self.unsure = true;
                self.silences += 1;
                (self.silences >= self.attempts).then(|| self.turn_back(step))
            }
            (Call::Undo(step), Answer::Done) => {
                self.to_undo.pop();
                Some(Entry::Undone(step))
            }
            (Call::Undo(_), Answer::Refused | Answer::Silence) => None,
        }
    }
    // ANCHOR_END: answered

    fn turn_back(&mut self, step: usize) -> Entry {
        self.back = true;
        if self.unsure {
            self.to_undo.push(step);
        }
        Entry::Back(self.to_undo.len())
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 3: a service that sagas can use
// ---------------------------------------------------------------------------------------------------------------------

/// The items of one kind in a warehouse. A saga holds one, and then ships it, or releases it.
///
/// A call may come twice, and a late one after those that were made later.
#[derive(Clone, Debug)]
pub struct Stock {
    items: u32,
    sagas: BTreeMap<SagaId, Item>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Held,
    Shipped,
    Released,
}

impl Stock {
    /// So many items, all free.
    #[must_use]
    pub fn new(items: u32) -> Self {
        Self { items, sagas: BTreeMap::new() }
    }

    /// How many are neither held nor shipped.
    #[must_use]
    pub fn free(&self) -> u32 {
        let taken = self.sagas.values().filter(|item| **item != Item::Released).count();
        self.items.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
    }

    // ANCHOR: stock
    /// Keeps one item for this saga. Nobody else gets it. Done if it has one already, held or shipped.
    ///
    /// Refused if none is free; that is not remembered. And refused for ever once the saga has released, even if it never held.
    pub fn hold(&mut self, saga: SagaId) -> Answer {
        match self.sagas.get(&saga) {
            Some(Item::Held | Item::Shipped) => Answer::Done,
            Some(Item::Released) => Answer::Refused,
            None if self.free() == 0 => Answer::Refused,
            None => {
                self.sagas.insert(saga, Item::Held);
                Answer::Done
            }
        }
    }

    /// Makes the hold undone: its item is free again. Done too if there is none, or no more. Refused if it is shipped.
    pub fn release(&mut self, saga: SagaId) -> Answer {
        if self.sagas.get(&saga) == Some(&Item::Shipped) {
            return Answer::Refused;
        }
        self.sagas.insert(saga, Item::Released);
        Answer::Done
    }
    // ANCHOR_END: stock

    /// Sends the saga's item away, once. Refused unless it holds one or has shipped it.
    pub fn ship(&mut self, saga: SagaId) -> Answer {
        match self.sagas.get_mut(&saga) {
            Some(item @ (Item::Held | Item::Shipped)) => {
                *item = Item::Shipped;
                Answer::Done
            }
            Some(Item::Released) | None => Answer::Refused,
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 4: durable execution
// ---------------------------------------------------------------------------------------------------------------------

/// Something outside of a workflow that it wants done: `activity` with `input`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Command {
    /// What.
    pub activity: &'static str,
    /// With what.
    pub input: i64,
}

/// The number of a command in its workflow, from 0. Services recognise by it, and by the workflow, what they have done before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub usize);

/// What a history is made of: each `Asked`, save perhaps the last, is followed by its `Answered`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The workflow wants this done.
    Asked(Command),
    /// It was done, with this result; or nothing: it failed, and may have happened all the same.
    Answered(Option<i64>),
}

/// How far a workflow comes with its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It wants something new. Append [`Event::Asked`], and replay.
    Ask(Command),
    /// It has asked, and there is no answer. Perform the command, for the first time or again, append [`Event::Answered`], and replay.
    Perform(Key, Command),
    /// It has ended, with this result.
    Finished(i64),
    /// It does not want what it wanted before: it is not a function of its history.
    Diverged {
        /// The place in the history, from 0.
        at: usize,
        /// What stands there.
        recorded: Command,
        /// What the workflow wants now; nothing if it has ended.
        asked: Option<Command>,
    },
}

/// A workflow stops here for now. It hands this on with `?`.
#[derive(Debug)]
pub struct Suspended(());

/// What connects a workflow with the world.
#[derive(Debug)]
pub struct Context<'history> {
    history: &'history [Event],
    at: usize,
    stopped: Option<Progress>,
}

impl Context<'_> {
    // ANCHOR: call
    /// The result of the command: from the history, if it stands there.
    ///
    /// # Errors
    /// [`Suspended`] if it does not, or something else stands there; and from then on for every call.
    pub fn call(&mut self, activity: &'static str, input: i64) -> Result<Option<i64>, Suspended> {
        let command = Command { activity, input };
        if self.stopped.is_none() {
            self.stopped = match self.history.get(self.at..).unwrap_or_default() {
                [] => Some(Progress::Ask(command)),
                [Event::Asked(recorded), ..] if *recorded != command => {
                    Some(Progress::Diverged { at: self.at, recorded: *recorded, asked: Some(command) })
                }
                [Event::Asked(_), Event::Answered(result), ..] => {
                    self.at += 2;
                    return Ok(*result);
                }
                [..] => Some(Progress::Perform(Key(self.at / 2), command)),
            };
        }
        Err(Suspended(()))
    }
    // ANCHOR_END: call
}

/// Runs the workflow from its beginning through its history, and says what comes next. It calls nobody.
///
/// Even a workflow that takes no notice of [`Suspended`] and goes on gets no further than that.
pub fn replay(workflow: impl Fn(&mut Context<'_>) -> Result<i64, Suspended>, history: &[Event]) -> Progress {
    let mut context = Context { history, at: 0, stopped: None };
    let result = workflow(&mut context);
    match (context.stopped, result, history.get(context.at)) {
        (Some(stopped), ..) => stopped,
        (None, _, Some(Event::Asked(recorded))) => {
            Progress::Diverged { at: context.at, recorded: *recorded, asked: None }
        }
        (None, Ok(result), _) => Progress::Finished(result),
        (None, Err(Suspended(())), _) => unreachable!("only a call suspends, and it notes why"),
    }
}

/// A step of a durable saga, and its opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// What is done.
    pub action: Command,
    /// What undoes it, or does nothing if it did not happen.
    pub undo: Command,
}

// ANCHOR: saga
/// A saga as a workflow: the actions in order. If one fails, the undoings in reverse, beginning with that of the one that failed; each again until it has
/// a result. 1 if all are done, 0 if all are undone.
///
/// # Errors
/// [`Suspended`] when a call does.
pub fn saga(context: &mut Context<'_>, steps: &[Step]) -> Result<i64, Suspended> {
    for (index, step) in steps.iter().enumerate() {
        if context.call(step.action.activity, step.action.input)?.is_none() {
            for step in steps[..=index].iter().rev() {
                while context.call(step.undo.activity, step.undo.input)?.is_none() {}
            }
            return Ok(0);
        }
    }
    Ok(1)
}
// ANCHOR_END: saga
