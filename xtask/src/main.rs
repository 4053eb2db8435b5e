//! `cargo xtask`: the workbook's runner. It builds what you wrote, runs the tests, and says where you are and what is next.

mod args;
//TMP mod bench;
mod bless;
//TMP mod book;
mod check;
//TMP mod doctor;
mod failure;
//TMP mod git;
//TMP mod hint;
mod lint;
//TMP mod new;
//TMP mod open;
mod report;
//TMP mod reset;
//TMP mod solution;
//TMP mod start;
mod status;
//TMP mod trace;
mod ui;
mod verify;
//TMP mod watch;
mod workbook;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use args::{Asked, Parsed};
use failure::Failure;

fn main() -> ExitCode {
    let asked = match args::parse(std::env::args_os().skip(1)) {
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
    let outcome = run(&parsed);
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
        //TMP "watch" => watch::run(parsed),
        //TMP "hint" => hint::run(parsed),
        //TMP "solution" => solution::run(parsed),
        //TMP "reset" => reset::run(parsed),
        //TMP "open" => open::run(parsed),
        //TMP "trace" => trace::run(parsed),
        //TMP "start" => start::run(parsed),
        //TMP "book" => book::run(parsed),
        "verify" => verify::run(parsed),
        //TMP "new" => new::run(parsed),
        //TMP "doctor" => doctor::run(),
        //TMP "bench" => bench::run(),
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
