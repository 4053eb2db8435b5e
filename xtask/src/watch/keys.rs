//! Keys, where there is a keyboard.

use std::io::IsTerminal;
use std::sync::mpsc::{self, Sender};
use std::thread;

use console::{Key, Term};

use super::Signal;
use crate::ui;

/// A thread that reads one key at a time. Between a key and [`Keys::more`] the terminal is as the shell left it.
pub(crate) struct Keys {
    more: Option<Sender<()>>,
}

impl Keys {
    pub(crate) fn start(send: Sender<Signal>) -> Self {
        if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            return Self { more: None };
        }
        ui::remember_terminal();
        let (more, wanted) = mpsc::channel();
        thread::spawn(move || {
            let term = Term::stdout();
            loop {
                match term.read_key() {
                    Ok(Key::Char(key)) => {
                        if send.send(Signal::Key(key)).is_err() || wanted.recv().is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        Self { more: Some(more) }
    }

    /// The last key is dealt with: read the next.
    pub(crate) fn more(&self) {
        if let Some(more) = &self.more {
            let _ = more.send(());
        }
    }

    /// What the keys do.
    pub(crate) fn legend(&self) -> &'static str {
        if self.more.is_some() { "h hint  n next  l list  r reset  s solution  b book  q quit" } else { "Ctrl-C ends" }
    }
}
