//! The terminal: colour that is never the only signal, a progress bar, a key or a yes.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::Command;
use std::sync::Mutex;

use console::{Style, Term};
use judge::Event;

/// Prints to standard output. A reader that went away (`| head`) is no error.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

pub(crate) fn good(text: &str) -> String {
    Style::new().green().apply_to(text).to_string()
}

pub(crate) fn bad(text: &str) -> String {
    Style::new().red().apply_to(text).to_string()
}

pub(crate) fn bad_err(text: &str) -> String {
    Style::new().for_stderr().red().bold().apply_to(text).to_string()
}

pub(crate) fn warn(text: &str) -> String {
    Style::new().yellow().apply_to(text).to_string()
}

pub(crate) fn bold(text: &str) -> String {
    Style::new().bold().apply_to(text).to_string()
}

pub(crate) fn dim(text: &str) -> String {
    Style::new().dim().apply_to(text).to_string()
}

/// True if what is printed may have colours.
pub(crate) fn has_colour() -> bool {
    console::colors_enabled()
}

/// How wide a line may be.
pub(crate) fn width() -> usize {
    let columns = Term::stdout().size_checked().map_or(100, |(_, columns)| usize::from(columns));
    columns.clamp(40, 120)
}

/// `3 tests`, `1 test`
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Asks at the terminal. Anything but y is a no; without a terminal nobody can be asked.
pub(crate) fn ask(question: &str) -> Option<bool> {
    if !io::stdin().is_terminal() {
        return None;
    }
    print(&format!("{question} [y/N] "));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).ok()?;
    Some(answer.trim().eq_ignore_ascii_case("y") || answer.trim().eq_ignore_ascii_case("yes"))
}

static TERMINAL: Mutex<Option<String>> = Mutex::new(None);

/// Notes how the terminal is set, so that a signal in the middle of reading a key leaves it as it was.
pub(crate) fn remember_terminal() {
    let saved = Command::new("stty").arg("-g").stdin(std::process::Stdio::inherit()).output();
    if let (Ok(saved), Ok(mut slot)) = (saved, TERMINAL.lock()) {
        *slot = Some(String::from_utf8_lossy(&saved.stdout).trim().to_owned()).filter(|saved| !saved.is_empty());
    }
}

/// Puts the terminal back as [`remember_terminal`] found it.
pub(crate) fn restore_terminal() {
    if let Ok(Some(saved)) = TERMINAL.lock().map(|mut slot| slot.take()) {
        let _ = Command::new("stty").arg(saved).stdin(std::process::Stdio::inherit()).status();
    }
}

/// Where a build and its tests are: one line that is drawn over on a terminal, a few plain lines elsewhere.
pub(crate) struct Progress {
    terminal: Option<Term>,
    silent: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: usize,
    total: usize,
    drawn: bool,
}

impl Progress {
    /// On standard error, so that standard output holds nothing but the result.
    pub(crate) fn new(silent: bool) -> Self {
        let term = Term::stderr();
        Self { terminal: term.is_term().then_some(term), silent, state: Mutex::default() }
    }

    /// Takes note of an event.
    pub(crate) fn on(&self, event: &Event) {
        if self.silent {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            Event::Compiling(what) => self.line(&mut state, &format!("compiling {what}"), false),
            Event::Built(total) => {
                state.total = *total;
                self.line(&mut state, &format!("running {}", count(*total, "test")), true);
            }
            Event::Tested(exercise) => {
                state.done += 1;
                let text = format!("{} {}/{} {exercise}", bar(state.done, state.total), state.done, state.total);
                self.line(&mut state, &text, false);
            }
        }
    }

    /// Draws over the last line on a terminal; elsewhere prints what is worth a line of its own.
    fn line(&self, state: &mut State, text: &str, plain_too: bool) {
        match &self.terminal {
            Some(term) => {
                let _ = term.clear_line();
                let shown: String = text.chars().take(width() - 1).collect();
                let _ = term.write_str(&shown);
                state.drawn = true;
            }
            None if plain_too => eprintln!("{text}"),
            None => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let (Some(term), true) = (&self.terminal, state.drawn) {
            let _ = term.clear_line();
        }
    }
}

fn bar(done: usize, total: usize) -> String {
    const WIDTH: usize = 20;
    let full = (done * WIDTH).checked_div(total).unwrap_or(0).min(WIDTH);
    format!("{}{}", "█".repeat(full), "░".repeat(WIDTH - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_always_as_wide() {
        for (done, total) in [(0, 0), (0, 7), (3, 7), (7, 7), (9, 7)] {
            assert_eq!(bar(done, total).chars().count(), 20, "{done} of {total}");
        }
    }

    #[test]
    fn one_thing_is_not_several() {
        assert_eq!((count(1, "test").as_str(), count(0, "test").as_str()), ("1 test", "0 tests"));
    }
}
