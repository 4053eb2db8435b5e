//! The pages in a real browser: accessibility, layout, behaviour and pictures. `browser/check.mjs` drives Chromium with
//! `playwright-core` and asks `axe-core`; both are installed from the lock file beside it, into the target folder.

use super::{Built, Outcome};
use crate::{
    chromium::{self, program},
    serve,
};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

const SCRIPT: &str = include_str!("../../browser/check.mjs");
const READERS: &str = include_str!("../../browser/readers.mjs");
const PACKAGE: &str = include_str!("../../browser/package.json");
const LOCK: &str = include_str!("../../browser/package-lock.json");

/// Every page, in both themes, narrow and wide, with and without JavaScript.
pub(super) fn pages(built: &Built) -> Result<Outcome> {
    let (Some(node), Some(npm)) = (program(&["node"]), program(&["npm"])) else {
        return Ok(Outcome::Skipped("node and npm are not installed".to_owned()));
    };
    let Some(chromium) = chromium::find() else {
        return Ok(Outcome::Skipped("there is no Chromium; name one in the variable CHROMIUM".to_owned()));
    };
    let tools = built.project.target.join("book-browser");
    if let Err(why) = install(&npm, &tools) {
        return Ok(Outcome::Skipped(format!("its tools cannot be installed: {why:#}")));
    }
    let pictures = built.project.target.join("book-pictures");
    fs::create_dir_all(&pictures)?;
    let address = serve::plain(&built.out)?;
    // The page for a wrong address needs a server at the root of a host, as this one is; the print page opens a dialog.
    let pages: Vec<_> =
        built.pages.iter().map(|page| page.path.as_str()).filter(|path| *path != "print.html").collect();
    let mut browser = Command::new(node)
        .arg(tools.join("check.mjs"))
        .args([&address, &chromium.to_string_lossy().into_owned(), &pictures.to_string_lossy().into_owned()])
        .args(&pages)
        .stdout(Stdio::piped())
        .spawn()
        .context("node cannot be started")?;
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
    fs::write(tools.join("check.mjs"), SCRIPT)?;
    fs::write(tools.join("readers.mjs"), READERS)?;
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
