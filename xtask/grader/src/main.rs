//! What `cargo xtask grade` runs: grade a class, merge parts, report, export.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use catalog::{Catalog, Exercise};
use grader::export::{self, Tool};
use grader::grade::{self, Order};
use grader::hidden::Hidden;
use grader::policy::Policy;
use grader::report::{self, Class};
use grader::{Judge, Options, collect, results};
use judge::stop;
use lexopt::{Arg, Parser, ValueExt};
use serde_json::Value;

const HELP: &str = "cargo xtask grade SUBMISSIONS --out DIR     judge a class
cargo xtask grade report DIR                gradebook, page, JUnit and Gradescope from DIR/results.jsonl
cargo xtask grade merge DIR… --out DIR      the results of several shards in one file
cargo xtask grade export SUBMISSIONS --for dolos|jplag --out DIR

SUBMISSIONS is a folder of checkouts, bare repositories and archives (.tar, .tar.gz, .tgz, .zip), or a table with lines of
NAME,PATH or NAME,PATH,TIME. Of each, only exercises/*/*/src/**/*.rs is read. DIR/results.jsonl has a line for each student
and exercise. Exit code 0: done; 1: the machine failed at some results, which are no zeros; 2: could not run.

  --exercises LIST        exercises or chapters, such as 01,hash-ring (all)
  --hidden DIR            more tests, which the class does not have: DIR/CHAPTER/EXERCISE/NAME.rs
  --round N               other seeds than those that the class has (0)
  --timeout SECONDS       the deadline of a test, in place of its exercise's
  --resume                go on with the results that are in DIR
  --shard I/N             part I of N, from 0: for several machines
  --jobs N                how many are judged at once (one a processor)
  --trust-submissions     judge without a box where none can be made
  --policy FILE           for `report`: due dates, lateness, drops, weights
";

fn main() -> ExitCode {
    // Without a handler Ctrl-C still ends the program, and the boxes with it.
    let _ = ctrlc::set_handler(stop::request);
    match asked().and_then(|asked| run(&asked)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(_) if stop::requested() => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[derive(Default)]
struct Asked {
    words: Vec<PathBuf>,
    out: Option<PathBuf>,
    exercises: Vec<String>,
    hidden: Option<PathBuf>,
    round: u64,
    timeout: Option<u64>,
    resume: bool,
    shard: Option<(u64, u64)>,
    jobs: Option<usize>,
    trust: bool,
    policy: Option<PathBuf>,
    tool: Option<Tool>,
    help: bool,
}

fn asked() -> Result<Asked> {
    let mut parser = Parser::from_env();
    let mut asked = Asked::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("out") => asked.out = Some(parser.value()?.into()),
            Arg::Long("resume") => asked.resume = true,
            Arg::Long("trust-submissions") => asked.trust = true,
            Arg::Long("hidden") => asked.hidden = Some(parser.value()?.into()),
            Arg::Long("policy") => asked.policy = Some(parser.value()?.into()),
            Arg::Long("round") => asked.round = parser.value()?.parse()?,
            Arg::Long("timeout") => asked.timeout = Some(parser.value()?.parse()?),
            Arg::Long("jobs") => asked.jobs = Some(parser.value()?.parse()?),
            Arg::Long("exercises") => {
                asked.exercises.extend(parser.value()?.string()?.split(',').map(|word| word.trim().to_owned()));
            }
            Arg::Long("shard") => asked.shard = Some(shard(&parser.value()?.string()?)?),
            Arg::Long("for") => {
                let word = parser.value()?.string()?;
                let tool = Tool::from_word(&word).with_context(|| format!("--for takes dolos or jplag, not `{word}`"));
                asked.tool = Some(tool?);
            }
            Arg::Long("help") | Arg::Short('h') => asked.help = true,
            Arg::Value(word) => asked.words.push(word.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(asked)
}

fn shard(text: &str) -> Result<(u64, u64)> {
    let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match numbers {
        Some((i, n)) if i < n => Ok((i, n)),
        _ => bail!("--shard takes I/N with I from 0 to N - 1, not `{text}`"),
    }
}

fn run(asked: &Asked) -> Result<bool> {
    let word = |at: usize| asked.words.get(at).and_then(|word| word.to_str()).unwrap_or_default();
    match (word(0), asked.words.len()) {
        _ if asked.help => {
            print(HELP);
            Ok(true)
        }
        ("", _) => bail!("name the submissions: cargo xtask grade SUBMISSIONS --out DIR (`--help` says more)"),
        ("report", 2) => report(asked, &asked.words[1]),
        ("report", _) => bail!("`report` takes one folder with results"),
        ("merge", 1) => bail!("`merge` takes the folders of the shards"),
        ("merge", _) => {
            let out = out(asked)?;
            let count = results::merge(&asked.words[1..], out)?;
            print(&format!("{count} results in {}\n", out.join(results::NAME).display()));
            Ok(true)
        }
        ("export", 2) => export(asked, &asked.words[1]),
        (_, 1) => grade(asked, &asked.words[0]),
        _ => bail!("one folder or table of submissions at a time (`--help` says more)"),
    }
}

/// Standard output may be a pipe that somebody closed: that is no reason to panic.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn out(asked: &Asked) -> Result<&Path> {
    asked.out.as_deref().context("say where the results go: --out DIR")
}

fn catalog() -> Result<(Catalog, PathBuf)> {
    let root = Catalog::find_root(&std::env::current_dir()?).context("run this inside the workbook")?;
    let target = judge::run::target_dir(&root);
    Ok((Catalog::read(&root).0, target))
}

fn choose<'a>(catalog: &'a Catalog, words: &[String]) -> Result<Vec<&'a Exercise>> {
    let mut chosen = Vec::new();
    for word in words {
        chosen.extend(catalog.select(word).map_err(|unknown| anyhow::anyhow!("{unknown}"))?);
    }
    if words.is_empty() {
        chosen.extend(catalog.exercises());
    }
    chosen.sort_by_key(|exercise| catalog.position(&exercise.id));
    chosen.dedup_by_key(|exercise| &exercise.id);
    Ok(chosen)
}

fn grade(asked: &Asked, submissions: &Path) -> Result<bool> {
    let out = out(asked)?;
    let (catalog, target) = catalog()?;
    let exercises = choose(&catalog, &asked.exercises)?;
    let submissions = collect::submissions(submissions)?;
    let hidden = asked.hidden.as_deref().map(|folder| Hidden::read(folder, &catalog)).transpose()?;
    let options = Options {
        hidden: hidden.unwrap_or_default(),
        round: asked.round,
        deadline: asked.timeout.map(Duration::from_secs),
        trust: asked.trust,
    };
    let began = Instant::now();
    eprintln!("building what {} exercises are linked with", exercises.len());
    let judge = Judge::new(&catalog, &exercises, &target, options)?;
    let containment = judge.containment();
    eprintln!("containment: {}{}", containment.level.word(), missing(&containment.missing));
    let order = Order {
        submissions,
        exercises,
        out: out.to_owned(),
        resume: asked.resume,
        shard: asked.shard.unwrap_or((0, 1)),
        jobs: asked.jobs.unwrap_or_else(judge::run::default_jobs),
    };
    let built = began.elapsed();
    let is_terminal = io::stderr().is_terminal();
    let say = |done: usize, of: usize, value: &Value| {
        let points = &value["points"];
        let text = format!(
            "{done} of {of}  {}  {}  {}  {}/{}",
            value["student"].as_str().unwrap_or_default(),
            value["exercise"].as_str().unwrap_or_default(),
            value["status"].as_str().unwrap_or_default(),
            points["earned"].as_u64().map_or_else(|| "?".to_owned(), |earned| earned.to_string()),
            points["possible"]
        );
        let mut stderr = io::stderr().lock();
        let _ = if is_terminal { write!(stderr, "\r\x1b[2K{text}") } else { writeln!(stderr, "{text}") };
        let _ = stderr.flush();
    };
    let tally = grade::grade(&judge, &order, &say)?;
    if is_terminal {
        eprint!("\r\x1b[2K");
    }
    print(&format!(
        "{} students, {} results: {} known before, {} contents judged; {:.1} s, of which {:.1} s building the course\n",
        grade::students(&order),
        tally.results,
        tally.known,
        tally.judged,
        began.elapsed().as_secs_f64(),
        built.as_secs_f64()
    ));
    if tally.tampered > 0 {
        print(&format!("{} results are not to be believed: `grade report` names them\n", tally.tampered));
    }
    if tally.faults > 0 {
        print(&format!("{} results the machine failed at; --resume tries them again\n", tally.faults));
    }
    print(&format!("next: cargo xtask grade report {}\n", out.display()));
    Ok(tally.faults == 0)
}

fn missing(what: &[String]) -> String {
    if what.is_empty() { String::new() } else { format!(" (without {})", what.join("; ")) }
}

fn report(asked: &Asked, folder: &Path) -> Result<bool> {
    let (catalog, _) = catalog()?;
    let known = results::read(folder)?;
    let policy = asked.policy.as_deref().map(Policy::read).transpose()?.unwrap_or_default();
    policy.check(&catalog).with_context(|| asked.policy.as_deref().unwrap_or(Path::new("")).display().to_string())?;
    for name in policy.strangers(&known) {
        print(&format!("[extensions] {name:?}: nobody of this name has a result\n"));
    }
    let class = Class::new(&catalog, &known, &policy);
    let out = asked.out.clone().unwrap_or_else(|| folder.join("report"));
    for name in report::write(&class, &out)? {
        print(&format!("no Gradescope file for {name}: the machine failed at a result, and that is no zero\n"));
    }
    print(&format!("{}\n{}\n", out.join("index.html").display(), out.join("gradebook.csv").display()));
    Ok(true)
}

fn export(asked: &Asked, submissions: &Path) -> Result<bool> {
    let tool = asked.tool.context("say for which tool: --for dolos, or --for jplag")?;
    let (catalog, _) = catalog()?;
    let exercises = choose(&catalog, &asked.exercises)?;
    for command in export::export(&collect::submissions(submissions)?, &exercises, tool, out(asked)?)? {
        print(&format!("{command}\n"));
    }
    Ok(true)
}
