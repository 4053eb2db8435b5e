//! `watch`: a verdict on every save, in the terminal; the next exercise follows when one is solved.

mod events;
mod keys;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use catalog::{Exercise, Id, Shared};
use judge::{Status, stop};

use crate::args::Parsed;
use crate::failure::Failure;
use crate::ui;
use crate::workbook::Workbook;
use crate::{check, hint, open, report, reset, solution, status};
use events::Events;
use keys::Keys;

/// What wakes the loop up.
pub(crate) enum Signal {
    /// Something below `exercises/` was written.
    Saved,
    /// A key was pressed.
    Key(char),
    /// Another part of the program has something to say.
    Say(String),
}

/// After the first sign of a save: editors write in several steps.
const SETTLE: Duration = Duration::from_millis(15);
const TICK: Duration = Duration::from_millis(50);
/// Between two looks at all exercises, as long as no event has proved that events work.
const LOOK_AROUND: Duration = Duration::from_secs(1);

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let (send, signals) = std::sync::mpsc::channel();
    watch(&parsed.words, &send, &signals)
}

/// Watches until q or Ctrl-C. Others may put their own signals into the channel.
pub(crate) fn watch(
    words: &[String],
    send: &std::sync::mpsc::Sender<Signal>,
    signals: &Receiver<Signal>,
) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let chosen = match workbook.select(words)?.first() {
        Some(exercise) => Some(*exercise),
        None => workbook.here().first().copied().or_else(|| workbook.next(None)),
    };
    let exercise = chosen.or_else(|| workbook.catalog.exercises().next());
    let id = exercise.map(|exercise| exercise.id.clone());
    let id = id.ok_or_else(|| {
        Failure::with_fix("there is no exercise to watch", "`cargo xtask doctor` looks at what is wrong")
    })?;
    let events = Events::start(&workbook.catalog.root, send.clone());
    let keys = Keys::start(send.clone());
    let only = !words.is_empty();
    Watch { id, stay: only, only, known: everything(), looked_around: Instant::now(), events, keys, signals }.run()
}

struct Watch<'a> {
    id: Id,
    /// The person named this exercise: it does not go away because it was solved before.
    stay: bool,
    /// The person named it, and no other: saving another exercise changes nothing.
    only: bool,
    /// The sources of every exercise, hashed when this last looked at them.
    known: BTreeMap<Id, String>,
    looked_around: Instant,
    events: Events,
    keys: Keys,
    signals: &'a Receiver<Signal>,
}

/// A hash of the sources of every exercise. What all of them share is left out: a new lock file turns nobody to another one.
fn everything() -> BTreeMap<Id, String> {
    let Ok(workbook) = Workbook::open() else { return BTreeMap::new() };
    workbook.catalog.exercises().map(|exercise| (exercise.id.clone(), exercise.sources_hash())).collect()
}

/// What to do after waiting.
enum Next {
    Check,
    Quit,
}

impl Watch<'_> {
    fn run(mut self) -> Result<bool, Failure> {
        loop {
            let checked = self.seen();
            self.known.extend(everything().remove_entry(&self.id));
            let solved = self.check();
            if stop::requested() {
                return Ok(false);
            }
            if solved && !self.stay && self.follow()? {
                continue;
            }
            self.stay = false;
            ui::print(&ui::dim(&format!("\nwatching {} · {}\n", self.id, self.keys.legend())));
            match self.wait(&checked)? {
                Next::Check => {}
                Next::Quit => return Ok(true),
            }
        }
    }

    /// Judges and prints. What cannot run is said, and the next save tries again.
    fn check(&self) -> bool {
        let begin = Instant::now();
        let verdict = Workbook::open().and_then(|workbook| {
            let exercise = workbook.one(self.id.as_str())?;
            let verdicts = check::judge_and_keep(&workbook, &[exercise], &check::options(&workbook), false)?;
            let text = verdicts.first().map(|verdict| report::one(&workbook, verdict)).unwrap_or_default();
            Ok((text, verdicts.iter().all(|verdict| verdict.status == Status::Solved)))
        });
        match verdict {
            _ if stop::requested() => false,
            Ok((text, solved)) => {
                let took = ui::dim(&format!("{:.2} s", begin.elapsed().as_secs_f64()));
                ui::print(&format!("\n{}\n{text}{took}\n", ui::dim(&"─".repeat(ui::width().min(72)))));
                solved
            }
            Err(failure) => {
                ui::print(&format!("\n{} {failure}\n", ui::bad("error:")));
                false
            }
        }
    }

    /// Goes to the exercise after the one that was solved; false if there is none left.
    fn follow(&mut self) -> Result<bool, Failure> {
        let workbook = Workbook::open()?;
        let current = workbook.catalog.get(&self.id);
        match workbook.next(current) {
            Some(next) => {
                ui::print(&format!("\nNext: {} ({} min)\n  {}\n", ui::bold(&next.title), next.minutes, next.summary));
                ui::print(&format!("  Read   {}\n", report::page(&workbook, next, "your-task")));
                ui::print(&format!("  Write  {}\n", workbook.relative(&next.stub())));
                self.id = next.id.clone();
                Ok(true)
            }
            None => {
                ui::print(&format!("\n{} Everything is solved.\n", ui::good("✓")));
                Ok(false)
            }
        }
    }

    /// A hash of all that a verdict depends on.
    fn seen(&self) -> Option<String> {
        let workbook = Workbook::open().ok()?;
        let exercise = workbook.catalog.get(&self.id)?;
        Some(exercise.fingerprint(Shared::read(&workbook.catalog.root)))
    }

    /// Whether it is time to look at all exercises without an event.
    fn looks_around(&mut self) -> bool {
        let due = !self.only && !self.events.work() && self.looked_around.elapsed() >= LOOK_AROUND;
        if due {
            self.looked_around = Instant::now();
        }
        due
    }

    /// A reader who saves another exercise has turned to it; false if nobody has.
    fn goes_to_what_was_saved(&mut self) -> bool {
        if self.only {
            return false;
        }
        let now = everything();
        let known = std::mem::replace(&mut self.known, now);
        let saved = self.known.iter().find(|(id, hash)| known.get(id).is_some_and(|before| before != *hash));
        let Some((id, _)) = saved else { return false };
        self.id = id.clone();
        self.stay = true;
        true
    }

    /// Until something was saved that makes a difference, or a key decides.
    fn wait(&mut self, checked: &Option<String>) -> Result<Next, Failure> {
        let mut looked = Instant::now();
        let started_from = checked.clone();
        loop {
            if stop::requested() {
                return Ok(Next::Quit);
            }
            match self.signals.recv_timeout(TICK) {
                Ok(Signal::Saved) => {
                    std::thread::sleep(SETTLE);
                    looked = Instant::now();
                    self.events.arrived();
                    if self.seen() != started_from || self.goes_to_what_was_saved() {
                        return Ok(Next::Check);
                    }
                }
                Ok(Signal::Key(key)) => {
                    let next = self.key(key);
                    self.keys.more();
                    if let Some(next) = next? {
                        return Ok(next);
                    }
                }
                Ok(Signal::Say(text)) => ui::print(&text),
                Err(RecvTimeoutError::Timeout) if looked.elapsed() >= self.events.look_every() => {
                    looked = Instant::now();
                    if self.seen() != started_from || (self.looks_around() && self.goes_to_what_was_saved()) {
                        self.events.missed();
                        return Ok(Next::Check);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Next::Quit),
            }
        }
    }

    fn key(&mut self, key: char) -> Result<Option<Next>, Failure> {
        if key == 'q' {
            return Ok(Some(Next::Quit));
        }
        let workbook = Workbook::open()?;
        let Some(exercise) = workbook.catalog.get(&self.id) else {
            return if key == 'r' { self.reset(&workbook) } else { Ok(None) };
        };
        let said = match key {
            'h' => hint::next(&workbook, exercise),
            'l' => Ok(format!("\n{}", status::text(&workbook))),
            'b' => Ok(open::page(&workbook, exercise)),
            's' => self.solution(&workbook, exercise),
            'r' => return self.reset(&workbook),
            'n' => {
                self.stay = true;
                let next = workbook.next(Some(exercise)).map(|next| next.id.clone());
                return match next {
                    Some(next) => {
                        self.id = next;
                        Ok(Some(Next::Check))
                    }
                    None => {
                        ui::print("there is no other unsolved exercise\n");
                        Ok(None)
                    }
                };
            }
            _ => Ok(String::new()),
        };
        ui::print(&said.unwrap_or_else(|failure| format!("{} {failure}\n", ui::bad("error:"))));
        Ok(None)
    }

    fn solution(&self, workbook: &Workbook, exercise: &Exercise) -> Result<String, Failure> {
        let question = format!("{} is not solved yet. See the reference all the same?", exercise.id);
        if solution::is_solved(workbook, exercise) || self.confirm(&question) {
            solution::text(workbook, exercise)
        } else {
            Ok(String::new())
        }
    }

    fn reset(&self, workbook: &Workbook) -> Result<Option<Next>, Failure> {
        if self.confirm(&format!("Take {} back to how it was handed out? Your version is kept aside.", self.id)) {
            let said = reset::reset(workbook, &self.id);
            ui::print(&said.unwrap_or_else(|failure| format!("{} {failure}\n", ui::bad("error:"))));
            return Ok(Some(Next::Check));
        }
        Ok(None)
    }

    /// Asks through the same keys that the loop listens to.
    fn confirm(&self, question: &str) -> bool {
        ui::print(&format!("{question} [y/N] "));
        self.keys.more();
        let answer = loop {
            match self.signals.recv_timeout(TICK) {
                Ok(Signal::Key(key)) => break key == 'y' || key == 'Y',
                Ok(Signal::Say(text)) => ui::print(&text),
                Ok(Signal::Saved) => {}
                Err(RecvTimeoutError::Timeout) if !stop::requested() => {}
                Err(_) => break false,
            }
        };
        ui::print(if answer { "yes\n" } else { "no\n" });
        answer
    }
}
