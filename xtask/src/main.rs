//! `cargo xtask`: the workbook's runner. It builds what you wrote, runs the tests, and says where you are and what is next.

mod args;
mod bench;
mod bless;
mod book;
mod check;
mod doctor;
mod failure;
mod git;
mod grade;
mod handout;
mod hint;
mod lint;
mod mutants;
mod new;
mod open;
mod pristine;
mod report;
mod reset;
mod soak;
mod solution;
mod start;
mod status;
mod trace;
mod ui;
mod verify;
mod watch;
mod workbook;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use args::{Asked, Parsed};
use failure::Failure;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if std::env::args_os().nth(1).is_some_and(|word| word == "grade") {
        end_everything_on_ctrl_c();
        return exit_code(grade::run(words.by_ref().skip(1)));
    }
    let asked = match args::parse(words) {
        Ok(asked) => asked,
        Err(failure) => return failure.report(),
    };
    let parsed = match asked {
        Asked::Help(text) => {
            ui::print(&text);
            return ExitCode::SUCCESS;
        }
        Asked::Run(parsed) => parsed,
    };
    end_everything_on_ctrl_c();
    exit_code(run(&parsed))
}

fn exit_code(outcome: Result<bool, Failure>) -> ExitCode {
    if judge::stop::requested() {
        ui::restore_terminal();
        return ExitCode::from(130);
    }
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => failure.report(),
    }
}

/// Runs one command. `Ok(false)` means: it ran, and the answer is "not yet".
fn run(parsed: &Parsed) -> Result<bool, Failure> {
    match parsed.command {
        "" => status::run(),
        "check" => check::run(parsed),
        "watch" => watch::run(parsed),
        "hint" => hint::run(parsed),
        "solution" => solution::run(parsed),
        "reset" => reset::run(parsed),
        "open" => open::run(parsed),
        "trace" => trace::run(parsed),
        "start" => start::run(parsed),
        "book" => book::run(parsed),
        "verify" => verify::run(parsed),
        "handout" => handout::run(parsed),
        "new" => new::run(parsed),
        "doctor" => doctor::run(),
        "bench" => bench::run(parsed),
        "soak" => soak::run(parsed),
        "mutants" => mutants::run(parsed),
        other => Err(Failure::new(format!("the command `{other}` is not wired up"))),
    }
}

/// Ctrl-C, and a request to terminate, end every process that was started. Whoever waits for one kills it and returns; what
/// still sits in front of a prompt after that is ended from here.
fn end_everything_on_ctrl_c() {
    let handler = || {
        judge::stop::request();
        thread::sleep(Duration::from_millis(1500));
        ui::restore_terminal();
        std::process::exit(130);
    };
    // Without a handler Ctrl-C still ends the program; only its children would outlive it.
    let _ = ctrlc::set_handler(handler);
}
