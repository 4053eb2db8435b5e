//! The command line: which command, which words, which options; and help for each.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;

use judge::report::Format;
use lexopt::{Arg, Parser, ValueExt};

use crate::failure::Failure;

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// To explain.
    Help(String),
    /// To do something.
    Run(Parsed),
}

/// A command with its words and options.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// Its name; empty if none was given.
    pub(crate) command: &'static str,
    /// The words after it.
    pub(crate) words: Vec<String>,
    options: BTreeMap<&'static str, String>,
}

impl Parsed {
    /// True if `--name` was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.options.contains_key(name)
    }

    /// The value of `--name VALUE`.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// The value of `--name N`, a whole number of at least 1.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        let read = |text: &str| text.parse().ok().filter(|number| *number > 0);
        let Some(text) = self.value(name) else { return Ok(None) };
        read(text).map(Some).ok_or_else(|| Failure::new(format!("--{name} takes a whole number from 1, not `{text}`")))
    }

    /// True for `--format json`.
    pub(crate) fn wants_json(&self) -> Result<bool, Failure> {
        match self.value("format") {
            None | Some("text") => Ok(false),
            Some("json") => Ok(true),
            Some(other) => {
                Err(Failure::with_fix(format!("there is no format `{other}`"), "write --format text or --format json"))
            }
        }
    }

    /// The value of `--format` where a report is asked for; nothing for text.
    pub(crate) fn report_format(&self) -> Result<Option<Format>, Failure> {
        let Some(word) = self.value("format").filter(|word| *word != "text") else { return Ok(None) };
        Format::from_word(word).map(Some).ok_or_else(|| {
            let words: Vec<&str> = Format::ALL.into_iter().map(Format::word).collect();
            let fix = match catalog::nearest(word, words.iter().copied()) {
                Some(near) => format!("did you mean --format {near}?"),
                None => format!("choose from text, {}", words.join(", ")),
            };
            Failure::with_fix(format!("there is no format `{word}`"), fix)
        })
    }

    /// The only word, for commands that need exactly one.
    pub(crate) fn one_word(&self) -> Result<&str, Failure> {
        match self.words.as_slice() {
            [word] => Ok(word),
            [] => Err(Failure::with_fix(format!("`{}` needs to know which exercise", self.command), self.usage_fix())),
            _ => Err(Failure::with_fix(format!("`{}` takes one exercise at a time", self.command), self.usage_fix())),
        }
    }

    fn usage_fix(&self) -> String {
        format!("`cargo xtask {} --help`", self.command)
    }
}

struct Command {
    name: &'static str,
    words: &'static str,
    summary: &'static str,
    help: &'static str,
    options: &'static [Opt],
}

struct Opt {
    name: &'static str,
    value: Option<&'static str>,
    help: &'static str,
}

const fn flag(name: &'static str, help: &'static str) -> Opt {
    Opt { name, value: None, help }
}

const fn with(name: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { name, value: Some(value), help }
}

const FORMAT: Opt = with("format", "text|json", "how to print the result");
const REPORT: Opt = with("format", "FORMAT", "text, json, junit, gradescope, exercism, ctrf, github or markdown");
const PORT: Opt = with("port", "PORT", "the port on this machine (3000)");

/// How an exercise may be named; part of several helps.
const NAMES: &str =
    "EX is a name (hash-ring), an id (09-consistent-hashing/hash-ring), a chapter (09, consistent-hashing)\nor a path.";

const COMMANDS: &[Command] = &[
    Command {
        name: "start",
        words: "",
        summary: "your desk: the book in the browser, checks on every save",
        help: "Serves the book on this machine with your progress in it, and checks what you work on whenever you save it.",
        options: &[flag("no-open", "do not open the browser"), PORT],
    },
    Command {
        name: "check",
        words: "[EX…]",
        summary: "run the tests and say what they found",
        help: "Without EX: the exercise you stand in, else all. Exit code 0: all solved; 1: not yet; 2: could not run.\nEvery format but text judges by the tests and manifests that were handed out, and names those that were edited.",
        options: &[
            flag("all", "every exercise, wherever you stand"),
            REPORT,
            with("output", "FILE", "where the report goes; the terminal then shows the text"),
            with("jobs", "N", "how many tests run at once (one a processor)"),
            with("timeout", "SECONDS", "the deadline of a test, in place of its exercise's"),
        ],
    },
    Command {
        name: "watch",
        words: "[EX]",
        summary: "the same on every save, here in the terminal",
        help: "Without EX: the next one to solve, until you save another. When it is solved, the one after it follows.\nKeys: h hint, n next, l list, r reset, s solution, b book, q quit.",
        options: &[],
    },
    Command {
        name: "hint",
        words: "EX",
        summary: "the next of three hints",
        help: "Each call shows one hint more; the third is almost the code.",
        options: &[],
    },
    Command {
        name: "solution",
        words: "EX",
        summary: "the reference beside your code",
        help: "Shows the difference between your code and the reference. Asks first while the exercise is unsolved.",
        options: &[flag("yes", "do not ask")],
    },
    Command {
        name: "reset",
        words: "EX",
        summary: "the exercise as it was handed out",
        help: "Brings back stub, tests and manifest, even if you committed over them. What you wrote is kept aside, and its place printed.",
        options: &[],
    },
    Command { name: "open", words: "EX", summary: "its page in the browser", help: "", options: &[] },
    Command {
        name: "trace",
        words: "EX",
        summary: "the picture of its last failing run",
        help: "",
        options: &[flag("no-open", "only print where the picture is")],
    },
    Command {
        name: "book",
        words: "build|serve|test|pdf|epub|wasm",
        summary: "build the book, serve it, test it, make one file of it",
        help: "`build` makes pages that need no server. `serve` rebuilds them on every save. `test` checks diagrams, links, claims, weights\nand, where Chromium is installed, each page in it. `pdf` prints the book with Chromium; `epub` is for e-readers. `wasm` compiles the\nfigures that readers move, for the browser, into book/figures/wasm. The first call compiles the book's builder, which takes a minute or two.",
        options: &[
            with("out", "PATH", "the folder of `build` (target/book), the file of `pdf` or `epub` (target/book.pdf)"),
            with("site-url", "PATH", "`build` for a server that shows the book under PATH (/)"),
            flag("without-solutions", "`build` for a class: the pages show no reference solution"),
            PORT,
        ],
    },
    Command {
        name: "handout",
        words: "DIR",
        summary: "for instructors: the course without its answers",
        help: "Stubs, tests, kit, hints, pages and the runner, as a repository that a class can fork. Of the wrong answers it has only what\nis believed and which tests fail. Called again on the same folder, it brings what changed and leaves alone what was edited there.",
        options: &[
            with("chapters", "LIST", "chapters or exercises, such as 01,hash-ring (all)"),
            with("due", "DATES", "2026-12-01, or 01=2026-12-01,hash-ring=2026-12-08T18:00Z"),
            with("book", "DIR", "a built book to put in as book/html"),
        ],
    },
    Command {
        name: "grade",
        words: "SUBMISSIONS",
        summary: "for instructors: judge a class, each submission in boxes",
        help: "Also `grade report DIR`, `grade merge DIR…` and `grade export SUBMISSIONS`. The grader is a program of its own, and explains its\noptions once it is built.",
        options: &[],
    },
    Command {
        name: "verify",
        words: "[EX…]",
        summary: "for authors: prove stub, solution and wrong answers",
        help: "The stub compiles without a warning and fails every test; the solution passes all of them, formatted and free of\nwarnings; each wrong answer is rejected by exactly the tests it lists. What was proved on this machine and has not changed since is\nnot built again. Exit code 0: proved; 1: not; 2: could not run.",
        options: &[
            FORMAT,
            flag("bless", "write .pristine and the wrong answers' `Fails:` lines from what happened"),
            flag("fresh", "prove again what has not changed"),
            with("timeout", "SECONDS", "another deadline for each test, for a machine that is busy"),
            with("shard", "K/N", "one of N parts of the exercises, for several machines"),
        ],
    },
    Command {
        name: "new",
        words: "CH/EX",
        summary: "for authors: the scaffold of an exercise",
        help: "Writes files that compile; `cargo xtask verify` then says what remains to do.",
        options: &[],
    },
    Command {
        name: "doctor",
        words: "",
        summary: "what is wrong with this machine, and its fix",
        help: "Looks at the toolchain, the disk, file events, ports and stale builds.",
        options: &[],
    },
    Command {
        name: "bench",
        words: "[EX…]",
        summary: "for authors: measure the runner itself",
        help: "Measures, in a copy with the solutions in place: the first verdict on a fresh target, a save of each exercise, a warm list and\na warm check of all that are named, beside `cargo nextest` where that is installed. Takes a few minutes, and many more to build.",
        options: &[with("in", "DIR", "make the copy there and leave it: a second run need not build it again")],
    },
    Command {
        name: "soak",
        words: "[EX…]",
        summary: "for authors: the solutions under many seeds and load",
        help: "Prints what each search of a solution's tests saw and took, then runs the other tests once a round with that round's\nseeds, two programs a processor at once. Exit code 0: no round failed.",
        options: &[with("rounds", "N", "how many rounds each (500)")],
    },
    Command {
        name: "mutants",
        words: "[EX…]",
        summary: "for authors: does a test reject every small change to the solution?",
        help: "Lets `cargo mutants` (installed apart) change the solutions, one operator or return value at a time. What survives is a test\nthat is missing, or stands in the solution's mutants.toml with the reason why nobody can notice it. Takes minutes an exercise.\nExit code 0: at least 95 % are rejected and the rest is explained.",
        options: &[with("from", "DIR", "judge what `cargo mutants --output DIR` left behind, without running it")],
    },
];

/// Reads the words after `cargo xtask`.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Asked, Failure> {
    let mut parser = Parser::from_args(arguments);
    let mut command: Option<&Command> = None;
    let mut parsed = Parsed::default();
    while let Some(argument) = parser.next().map_err(|error| Failure::new(error.to_string()))? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => {
                return Ok(Asked::Help(command.map_or_else(overview, Command::help)));
            }
            Arg::Value(word) if command.is_none() => {
                let word = text(word)?;
                if word == "help" {
                    continue;
                }
                let found = find(&word)?;
                (command, parsed.command) = (Some(found), found.name);
            }
            Arg::Value(word) => parsed.words.push(text(word)?),
            Arg::Long(name) => {
                let option = option(command, name)?;
                let value = match option.value {
                    None => String::new(),
                    Some(what) => {
                        let value = parser
                            .value()
                            .map_err(|_| Failure::new(format!("--{} needs a value: {what}", option.name)))?;
                        text(value)?
                    }
                };
                parsed.options.insert(option.name, value);
            }
            Arg::Short(letter) => {
                let name = letter.to_string();
                return Err(Failure::with_fix(format!("there is no option -{name}"), help_of(command)));
            }
        }
    }
    let takes_words = command.is_none_or(|command| !command.words.is_empty());
    if let (false, Some(word)) = (takes_words, parsed.words.first()) {
        return Err(Failure::with_fix(format!("`{}` takes no `{word}`", parsed.command), help_of(command)));
    }
    Ok(Asked::Run(parsed))
}

fn find(word: &str) -> Result<&'static Command, Failure> {
    COMMANDS.iter().find(|command| command.name == word).ok_or_else(|| {
        let near = catalog::nearest(word, COMMANDS.iter().map(|command| command.name));
        let fix = near.map_or_else(
            || "`cargo xtask --help` lists all".to_owned(),
            |near| format!("did you mean `cargo xtask {near}`?"),
        );
        Failure::with_fix(format!("there is no command `{word}`"), fix)
    })
}

fn option(command: Option<&'static Command>, name: &str) -> Result<&'static Opt, Failure> {
    let known = command.map_or(&[] as &[Opt], |command| command.options);
    known.iter().find(|option| option.name == name).ok_or_else(|| {
        let near = catalog::nearest(name, known.iter().map(|option| option.name));
        let fix = near.map_or_else(|| help_of(command), |near| format!("did you mean --{near}?"));
        let of = command.map_or_else(String::new, |command| format!(" for `{}`", command.name));
        Failure::with_fix(format!("there is no option --{name}{of}"), fix)
    })
}

fn help_of(command: Option<&Command>) -> String {
    let name = command.map_or("", |command| command.name);
    format!("`cargo xtask {name}{}--help`", if name.is_empty() { "" } else { " " })
}

fn text(value: OsString) -> Result<String, Failure> {
    value.string().map_err(|error| Failure::new(error.to_string()))
}

impl Command {
    fn usage(&self) -> String {
        [self.name, self.words].join(" ").trim_end().to_owned()
    }

    fn help(&self) -> String {
        let mut text = format!("cargo xtask {}\n\n{}\n", self.usage(), as_sentence(self.summary));
        for paragraph in [self.help, if self.words.contains("EX") && self.name != "new" { NAMES } else { "" }] {
            if !paragraph.is_empty() {
                let _ = write!(text, "\n{paragraph}\n");
            }
        }
        if !self.options.is_empty() {
            text.push('\n');
        }
        for option in self.options {
            let name =
                option.value.map_or_else(|| format!("--{}", option.name), |value| format!("--{} {value}", option.name));
            let _ = writeln!(text, "  {name:<22}  {}", option.help);
        }
        text
    }
}

fn overview() -> String {
    let mut text = "cargo xtask                    where you are and what is next\n".to_owned();
    for command in COMMANDS {
        let _ = writeln!(text, "cargo xtask {:<18} {}", command.usage(), command.summary);
    }
    text + "\n`cargo xtask COMMAND --help` says more about each.\n"
}

/// A summary as a sentence of its own.
fn as_sentence(text: &str) -> String {
    let mut chars = text.chars();
    let end = if text.ends_with('?') { "" } else { "." };
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect::<String>() + end)
}

#[cfg(test)]
mod reference;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Asked, Failure> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn run(line: &str) -> Parsed {
        match parsed(line).expect("understood") {
            Asked::Run(parsed) => parsed,
            Asked::Help(_) => panic!("help was not asked for"),
        }
    }

    fn error(line: &str) -> String {
        parsed(line).expect_err("must be refused").to_string()
    }

    #[test]
    fn words_and_options_are_told_apart() {
        let parsed = run("check cap-demo --format json 09 --jobs=3 --all");
        assert_eq!((parsed.command, parsed.words.join(" ")), ("check", "cap-demo 09".to_owned()));
        assert!(parsed.has("all") && parsed.wants_json().expect("known"));
        assert_eq!(parsed.number("jobs").expect("a number"), Some(3));
        assert_eq!(run("").command, "");
    }

    #[test]
    fn a_slip_is_answered_with_what_was_meant() {
        assert!(error("chekc").contains("did you mean `cargo xtask check`?"));
        assert!(error("check --fromat json").contains("did you mean --format?"));
        assert!(error("verify --bles").contains("did you mean --bless?"));
        assert!(error("doctor now").contains("takes no `now`"));
        assert!(error("check --jobs").contains("--jobs needs a value: N"));
        assert!(error("check -x").contains("no option -x"));
        assert!(error("--verbose").contains("`cargo xtask --help`"));
    }

    #[test]
    fn values_are_checked() {
        assert!(run("verify --format xml").wants_json().is_err());
        assert!(
            run("check --format ctfr").report_format().is_err_and(|error| error.to_string().contains("--format ctrf?"))
        );
        assert_eq!(run("check --format text").report_format().expect("known"), None);
        assert!(run("check --jobs 0").number("jobs").is_err());
        assert!(run("hint").one_word().is_err());
        assert!(run("hint a b").one_word().is_err());
    }

    #[test]
    fn every_command_explains_itself() {
        for command in COMMANDS {
            let Asked::Help(text) = parsed(&format!("{} --help", command.name)).expect("help") else {
                panic!("no help")
            };
            assert!(text.starts_with(&format!("cargo xtask {}", command.name)) && text.len() > 40, "{text}");
        }
        assert!(matches!(parsed("--help"), Ok(Asked::Help(text)) if text.contains("doctor")));
    }
}
