//! The pages, and the kit's picture of a run, in a real browser: accessibility, layout, behaviour and pictures. The scripts in
//! `browser` drive Chromium with `playwright-core` and ask `axe-core`; both are installed from the lock file beside them, into the
//! target folder.

use super::{Built, Outcome};
use crate::{
    chromium::{self, program},
    serve,
};
use anyhow::{Context, Result};
use kit::trace::{Event, Trace, What};
use kit::{CallId, Millis, Time};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const READERS: &str = include_str!("../../browser/readers.mjs");
const PAGES: &str = include_str!("../../browser/check.mjs");
const PLAYER: &str = include_str!("../../browser/player.mjs");
const PACKAGE: &str = include_str!("../../browser/package.json");
const LOCK: &str = include_str!("../../browser/package-lock.json");

/// Every page, in both themes, narrow and wide, with and without JavaScript.
pub(super) fn pages(built: &Built) -> Result<Outcome> {
    let tools = match Tools::ready(built)? {
        Ok(tools) => tools,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let address = serve::plain(&built.out)?;
    // The page for a wrong address needs a server at the root of a host, as this one is; the print page opens a dialog.
    let pages: Vec<_> =
        built.pages.iter().map(|page| page.path.as_str()).filter(|path| *path != "print.html").collect();
    let (chromium, pictures) = (tools.chromium.to_string_lossy(), tools.pictures.to_string_lossy());
    tools.ask("check.mjs", [&address, &*chromium, &*pictures].into_iter().chain(pages))
}

/// The kit's picture of a failing run, played by mouse and by keyboard, in both themes, narrow and wide, and without a script.
pub(super) fn player(built: &Built) -> Result<Outcome> {
    let tools = match Tools::ready(built)? {
        Ok(tools) => tools,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let run = tools.folder.join("run.html");
    fs::write(&run, failing_run().to_html())?;
    let (chromium, run, pictures) =
        (tools.chromium.to_string_lossy(), run.to_string_lossy(), tools.pictures.to_string_lossy());
    tools.ask("player.mjs", [&*chromium, &*run, &*pictures])
}

/// A run in which everything happens that a run can tell.
fn failing_run() -> Trace {
    let mut run = Trace::new("a_paused_holder_cannot_write", ["store", "alice", "bob", "lock"]);
    let mut add = |at, what, status: &str| {
        let status = (!status.is_empty()).then(|| status.to_owned());
        run.events.push(Event { at: Time(at), what, status });
    };
    let sent = |id, from, to, label: &str| What::Sent { id, from, to, label: label.into() };
    let delivered =
        |id, from, to, label: &str, at| What::Delivered { id, from, to, label: label.into(), sent: Time(at) };
    let label = String::from;
    add(0, What::Note { lane: Some(0), label: label("starts") }, "balance 100");
    add(0, What::Called { lane: 1, call: CallId(0), label: label("Acquire") }, "");
    add(0, sent(1, 1, 3, "acquire"), "");
    add(5, delivered(1, 1, 3, "acquire", 0), "granted 33");
    add(5, What::Persisted { lane: 3, label: label("33") }, "");
    add(5, sent(2, 3, 1, "granted 33"), "");
    add(10, delivered(2, 3, 1, "granted 33", 5), "holds 33");
    add(10, What::Replied { lane: 1, call: CallId(0), label: label("Held") }, "");
    add(11, What::Paused { lane: 1, span: Millis(30_000) }, "");
    add(900, What::ClockChanged { lane: 3, label: label("clock jumps by +1000 ms") }, "");
    add(10_005, What::TimerFired { lane: 3, label: label("LeaseEnds(33)") }, "free");
    add(10_100, What::Network { label: label("bob no longer hears store") }, "");
    add(10_200, What::Crashed { lane: 3, lost_last_write: true }, "");
    add(10_300, What::Restarted { lane: 3 }, "");
    add(10_400, sent(3, 2, 0, "write 90"), "");
    add(10_405, delivered(3, 2, 0, "write 90", 10_400), "balance 90");
    add(10_405, sent(4, 0, 2, "done"), "");
    add(10_405, What::Lost { id: 4, from: 0, to: 2, label: label("done"), why: "cut" }, "");
    add(30_011, What::Resumed { lane: 1 }, "");
    add(30_011, sent(5, 1, 0, "write 105"), "");
    add(30_016, delivered(5, 1, 0, "write 105", 30_011), "balance 105");
    let (law, because) = ("no write after a later holder's", "n1's lease was over at 10005, and n2 had written");
    add(30_016, What::Broken { law: law.into(), because: because.into() }, "");
    run
}

/// What the checks in a browser need.
struct Tools {
    node: PathBuf,
    chromium: PathBuf,
    /// Where the scripts and their packages are.
    folder: PathBuf,
    pictures: PathBuf,
}

impl Tools {
    /// The tools, installed; or what is missing here.
    fn ready(built: &Built) -> Result<Result<Self, String>> {
        let (Some(node), Some(npm)) = (program(&["node"]), program(&["npm"])) else {
            return Ok(Err("node and npm are not installed".to_owned()));
        };
        let Some(chromium) = chromium::find() else {
            return Ok(Err("there is no Chromium; name one in the variable CHROMIUM".to_owned()));
        };
        let folder = built.project.target.join("book-browser");
        if let Err(why) = install(&npm, &folder) {
            return Ok(Err(format!("its tools cannot be installed: {why:#}")));
        }
        let pictures = built.project.target.join("book-pictures");
        fs::create_dir_all(&pictures)?;
        Ok(Ok(Self { node, chromium, folder, pictures }))
    }

    /// Runs `script`, and listens to what it finds.
    fn ask<'a>(&self, script: &str, arguments: impl IntoIterator<Item = &'a str>) -> Result<Outcome> {
        let mut browser = Command::new(&self.node)
            .arg(self.folder.join(script))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .context("node cannot be started")?;
        listen(&mut browser, &self.pictures)
    }
}

fn listen(browser: &mut Child, pictures: &Path) -> Result<Outcome> {
    let mut faults = Vec::new();
    let mut done = None;
    let output = browser.stdout.take().context("node has no output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        match serde_json::from_str::<Value>(&line) {
            Ok(message) if message["done"].is_string() => done = message["done"].as_str().map(str::to_owned),
            Ok(message) if message["fault"].is_string() => faults.extend(message["fault"].as_str().map(str::to_owned)),
            _ => println!("      {line}"),
        }
    }
    let status = browser.wait()?;
    if done.is_none() {
        faults.push(format!("the browser's script did not finish ({status})"));
    }
    let seen = format!("{}; pictures in {}", done.unwrap_or_default(), pictures.display());
    Ok(Outcome::from_faults(faults, seen))
}

/// Puts the script and its packages into `tools`, unless they are there already.
fn install(npm: &Path, tools: &Path) -> Result<()> {
    fs::create_dir_all(tools)?;
    fs::write(tools.join("readers.mjs"), READERS)?;
    fs::write(tools.join("check.mjs"), PAGES)?;
    fs::write(tools.join("player.mjs"), PLAYER)?;
    let stamp = tools.join("installed-lock.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == LOCK) {
        return Ok(());
    }
    fs::write(tools.join("package.json"), PACKAGE)?;
    fs::write(tools.join("package-lock.json"), LOCK)?;
    let output = Command::new(npm)
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
        .current_dir(tools)
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "npm ci: {}", errors.trim());
    fs::write(stamp, LOCK)?;
    Ok(())
}
