//! All steps of a saga, or those that happened and then their opposites in reverse; whatever is lost, and whoever dies.

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
    // TODO: what must it remember of a saga? What of the saga before?
}

impl Orchestrator {
    /// One that begins a saga of so many steps. `attempts`, at least 1, is how often a step is tried that nobody answers.
    #[must_use]
    pub fn new(steps: usize, attempts: u32) -> Self {
        todo!("begin a saga of {steps} steps with {attempts} attempts each")
    }

    /// Begins the next saga. The one before is over.
    pub fn begin(&mut self) {
        todo!("{self:?} is over: begin another one")
    }

    /// Goes on after a crash, with what the log of the saga holds. The last call of the one that crashed may be under way.
    #[must_use]
    pub fn resume(steps: usize, attempts: u32, log: &[Entry]) -> Self {
        todo!("go on with {log:?}, of {steps} steps with {attempts} attempts each")
    }

    /// What to do now. To ask changes nothing.
    #[must_use]
    pub fn next(&self) -> Next {
        todo!("what comes next for {self:?}?")
    }

    /// The call of [`next`](Self::next) was answered. What is returned is in the log before the next call is made.
    ///
    /// * A step that is done: the next one.
    /// * A step that is refused: back. This step is undone too if any of its calls may have been done or be under way.
    /// * Silence: the same again; after `attempts` silences of this step, without a crash between, back, and this step is undone too.
    /// * An undoing that is refused or not answered: the same again, for as long as it takes.
    pub fn answered(&mut self, answer: Answer) -> Option<Entry> {
        todo!("{self:?} hears {answer:?}")
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
    // TODO: what must it remember of a saga that is over?
}

impl Stock {
    /// So many items, all free.
    #[must_use]
    pub fn new(items: u32) -> Self {
        todo!("{items} items")
    }

    /// How many are neither held nor shipped.
    #[must_use]
    pub fn free(&self) -> u32 {
        todo!("how many of {self:?} are free?")
    }

    /// Keeps one item for this saga. Nobody else gets it. Done if it has one already, held or shipped.
    ///
    /// Refused if none is free; that is not remembered. And refused for ever once the saga has released, even if it never held.
    pub fn hold(&mut self, saga: SagaId) -> Answer {
        todo!("{saga:?} wants one of {self:?}")
    }

    /// Makes the hold undone: its item is free again. Done too if there is none, or no more. Refused if it is shipped.
    pub fn release(&mut self, saga: SagaId) -> Answer {
        todo!("{saga:?} wants none of {self:?}")
    }

    /// Sends the saga's item away, once. Refused unless it holds one or has shipped it.
    pub fn ship(&mut self, saga: SagaId) -> Answer {
        todo!("{saga:?} ships one of {self:?}")
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
    // TODO: what does a call need to know of the calls before it?
}

impl Context<'_> {
    /// The result of the command: from the history, if it stands there.
    ///
    /// # Errors
    /// [`Suspended`] if it does not, or something else stands there; and from then on for every call.
    pub fn call(&mut self, activity: &'static str, input: i64) -> Result<Option<i64>, Suspended> {
        let command = Command { activity, input };
        todo!("{command:?} is wanted after {:?}", self.history)
    }
}

/// Runs the workflow from its beginning through its history, and says what comes next. It calls nobody.
///
/// Even a workflow that takes no notice of [`Suspended`] and goes on gets no further than that.
pub fn replay(workflow: impl Fn(&mut Context<'_>) -> Result<i64, Suspended>, history: &[Event]) -> Progress {
    let context = Context { history };
    todo!("run {} with {context:?}", std::any::type_name_of_val(&workflow))
}

/// A step of a durable saga, and its opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// What is done.
    pub action: Command,
    /// What undoes it, or does nothing if it did not happen.
    pub undo: Command,
}

/// A saga as a workflow: the actions in order. If one fails, the undoings in reverse, beginning with that of the one that failed; each again until it has
/// a result. 1 if all are done, 0 if all are undone.
///
/// # Errors
/// [`Suspended`] when a call does.
pub fn saga(context: &mut Context<'_>, steps: &[Step]) -> Result<i64, Suspended> {
    todo!("{context:?} runs {steps:?}")
}
