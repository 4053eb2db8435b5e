//! `book-builder build|serve|test|pdf|epub|wasm|preprocess`: the book's commands, which `cargo xtask book …` runs.

use anyhow::{Result, bail};
use book_builder::{Project, check, epub, live, pdf, preprocess, serve, site};
use lexopt::prelude::*;
use std::{io, path::PathBuf, process::ExitCode};

const HELP: &str = "\
book-builder build [--out DIR]     build the book into DIR (default: target/book)
  --site-url PATH                  it will be served under this path (default: /)
  --without-solutions              for a class: leave the reference solutions out
book-builder pdf [--out FILE]      print the book with Chromium (default: target/book.pdf)
book-builder epub [--out FILE]     the book for an e-reader (default: target/book.epub)
book-builder serve [--port N]      build, serve on localhost, rebuild on every save, show progress live
book-builder test [--out DIR]      build, then check diagrams, links, weights, accessibility; take pictures
book-builder wasm                   compile the figures for the browser anew (book/figures/wasm)
book-builder preprocess            be an mdBook preprocessor (for EPUB and other back ends)
";

enum Command {
    Build { out: Option<PathBuf>, options: site::Options },
    Pdf { out: Option<PathBuf> },
    Epub { out: Option<PathBuf> },
    Serve { out: Option<PathBuf>, port: Option<u16> },
    Test { out: Option<PathBuf> },
    Wasm,
    Preprocess,
    Supports,
    Help,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode> {
    let command = parse()?;
    let project = || Project::find(&std::env::current_dir()?);
    match command {
        Command::Build { out, options } => {
            let project = project()?;
            let out = out.unwrap_or_else(|| project.default_out());
            let took = site::build_with(&project, &out, &options)?;
            println!("built {} in {:.1} s", out.join("index.html").display(), took.as_secs_f64());
        }
        Command::Pdf { out } => {
            let project = project()?;
            let file = out.unwrap_or_else(|| project.target.join("book.pdf"));
            let pages = project.target.join("book-for-pdf");
            site::build(&project, &pages)?;
            let bytes = pdf::write(&project, &pages, &file)?;
            println!("printed {}, {:.1} MB", file.display(), bytes as f64 / 1e6);
        }
        Command::Epub { out } => {
            let project = project()?;
            let file = out.unwrap_or_else(|| project.target.join("book.epub"));
            let bytes = epub::write(&project, &file)?;
            println!("wrote {}, {:.1} MB", file.display(), bytes as f64 / 1e6);
        }
        Command::Serve { out, port } => {
            let project = project()?;
            let out = out.unwrap_or_else(|| project.default_out());
            serve::run(&project, &out, port)?;
        }
        Command::Test { out } => {
            let project = project()?;
            let out = out.unwrap_or_else(|| project.default_out());
            return Ok(if check::run(&project, &out)? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Wasm => live::rebuild(&project()?)?,
        Command::Preprocess => preprocess::command(project()?.root, io::stdin().lock(), io::stdout().lock())?,
        // mdBook asks whether a back end is supported by the exit code; every one is.
        Command::Supports => {}
        Command::Help => print!("{HELP}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn parse() -> Result<Command> {
    let mut parser = lexopt::Parser::from_env();
    let Some(first) = parser.next()? else { return Ok(Command::Help) };
    let word = match first {
        Value(word) => word.string()?,
        Long("help") | Short('h') => return Ok(Command::Help),
        other => bail!("{}\n\n{HELP}", other.unexpected()),
    };
    let (mut out, mut port, mut asked, mut options) = (None, None, false, site::Options::default());
    while let Some(arg) = parser.next()? {
        match arg {
            Long("out") if matches!(word.as_str(), "build" | "serve" | "test" | "pdf" | "epub") => {
                out = Some(PathBuf::from(parser.value()?));
            }
            Long("site-url") if word == "build" => options.site_url = Some(parser.value()?.string()?),
            Long("without-solutions") if word == "build" => options.solutions = site::Solutions::Absent,
            Long("port") if word == "serve" => port = Some(parser.value()?.parse()?),
            Long("help") | Short('h') => return Ok(Command::Help),
            Value(argument) if word == "preprocess" && argument == "supports" => {
                parser.value().ok();
                asked = true;
            }
            other => bail!("{}\n\n{HELP}", other.unexpected()),
        }
    }
    Ok(match word.as_str() {
        "build" => Command::Build { out, options },
        "pdf" => Command::Pdf { out },
        "epub" => Command::Epub { out },
        "serve" => Command::Serve { out, port },
        "test" => Command::Test { out },
        "wasm" => Command::Wasm,
        "preprocess" if asked => Command::Supports,
        "preprocess" => Command::Preprocess,
        "help" => Command::Help,
        other => bail!("there is no command `{other}`\n\n{HELP}"),
    })
}
