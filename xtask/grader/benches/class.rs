//! A made-up class over the real course: proof that grading it again gives the same, and what that costs.
//!
//! ```text
//! cargo bench -p grader --profile dev -- write DIR [EX…]     the class as a folder of checkouts
//! cargo bench -p grader --profile dev -- proof STAGE [EX…]   all, or first, second, killed, merged: the same four times
//! cargo bench -p grader --profile dev -- figures PART [EX…]  build, then one, ten, all, kill, stubs or clone: time and memory
//! cargo bench -p grader --profile dev -- page                the figures that were measured, as the page's table
//! ```
//!
//! The class has thirty: one has solved everything, one every second exercise, one nothing; some hand in every wrong answer of
//! the course, some every attack of the corpus, the others something of each.

#[path = "../tests/corpus/mod.rs"]
mod corpus;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use catalog::{Catalog, Exercise};
use corpus::{ATTACKS, fill};
use grader::results;
use judge::overlay::{self, Sources};
use serde_json::Value;

const CLASS: usize = 30;
/// Hanging attacks hang so long; every solution is done in a fraction of it.
const TIMEOUT: &str = "8";
/// What `figures` measures, one at a time, so that a machine need not be quiet for long.
const PARTS: [&str; 6] = ["one", "ten", "all", "kill", "stubs", "clone"];
/// Where the page has its table, and where it ends.
const TABLE: [&str; 2] = ["<!-- written by `cargo bench -p grader -- page` -->\n", "<!-- to here -->\n"];

/// Every student's every exercise.
type Class = BTreeMap<String, BTreeMap<String, Sources>>;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let catalog = Catalog::read(&root).0;
    let (what, rest) = words.split_first().map_or(("", &[] as &[String]), |(what, rest)| (what.as_str(), rest));
    let rest = if ["write", "figures", "proof"].contains(&what) { rest.get(1..).unwrap_or_default() } else { rest };
    let mut exercises: Vec<&Exercise> = Vec::new();
    for word in rest {
        exercises.extend(catalog.select(word).map_err(|unknown| anyhow::anyhow!("{unknown}"))?);
    }
    if exercises.is_empty() {
        exercises.extend(catalog.exercises());
    }
    let scratch = tempdir()?;
    let bench = Bench { root, exercises, scratch: scratch.clone() };
    let done = match what {
        "write" => bench.write(&made_up(&bench.exercises)?, Path::new(words.get(1).context("write DIR")?)),
        "proof" => bench.proof(words.get(1).map_or("", String::as_str)),
        "figures" => bench.figures(words.get(1).map_or("", String::as_str)),
        "page" => bench.page(),
        _ => {
            println!("choose: write DIR, proof STAGE, figures PART, page");
            Ok(())
        }
    };
    let _ = fs::remove_dir_all(scratch);
    done
}

fn tempdir() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("class-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn stub(exercise: &Exercise) -> Result<Sources> {
    Ok(overlay::read_sources(&exercise.dir().join("src"))?)
}

fn solution(exercise: &Exercise) -> Result<Sources> {
    Ok(overlay::read_sources(&exercise.solution_dir().join("src"))?)
}

/// The wrong answer at `index`, round and round.
fn wrong(exercise: &Exercise, index: usize) -> Result<Sources> {
    let known = &exercise.misconceptions;
    let patch = known.get(index % known.len().max(1)).and_then(|known| known.patch.as_deref());
    let patch = patch.with_context(|| format!("{} has no wrong answers", exercise.id))?;
    overlay::patched(&solution(exercise)?, patch).map_err(anyhow::Error::msg)
}

fn made_up(exercises: &[&Exercise]) -> Result<Class> {
    let mut class = Class::new();
    let mut add = |name: String, of: &dyn Fn(usize, &Exercise) -> Result<Sources>| -> Result<()> {
        let row = exercises.iter().enumerate().map(|(at, exercise)| Ok((exercise.id.to_string(), of(at, exercise)?)));
        class.insert(name, row.collect::<Result<_>>()?);
        Ok(())
    };
    add("solved".to_owned(), &|_, exercise| solution(exercise))?;
    add("half".to_owned(), &|at, exercise| if at % 2 == 0 { solution(exercise) } else { stub(exercise) })?;
    add("stub".to_owned(), &|_, exercise| stub(exercise))?;
    let beliefs = exercises.iter().map(|exercise| exercise.misconceptions.len()).max().unwrap_or_default();
    for index in 0..beliefs {
        add(format!("wrong-{index}"), &|_, exercise| wrong(exercise, index))?;
    }
    let attackers = ATTACKS.len().div_ceil(exercises.len().max(1));
    let attacked = |index: usize, exercise: &Exercise| -> Result<Sources> {
        let mut sources = stub(exercise)?;
        let text = sources.get_mut("lib.rs").context("no lib.rs")?;
        *text = fill(text, &ATTACKS[index % ATTACKS.len()]);
        Ok(sources)
    };
    for index in 0..attackers {
        add(format!("attack-{index}"), &|at, exercise| attacked(index * exercises.len() + at, exercise))?;
    }
    for index in 0..CLASS.saturating_sub(3 + beliefs + attackers) {
        // Each in its own way, the same in every run.
        let draw = |at: usize| catalog::hash_bytes(format!("{index} {at}").as_bytes()).as_bytes()[0] as usize;
        add(format!("mixed-{index:02}"), &|at, exercise| match draw(at) % 4 {
            0 => stub(exercise),
            1 => wrong(exercise, index),
            _ => solution(exercise),
        })?;
    }
    Ok(class)
}

struct Bench<'a> {
    root: PathBuf,
    exercises: Vec<&'a Exercise>,
    scratch: PathBuf,
}

/// What counts of a result: everything but how long it took.
type Outcomes = BTreeMap<(String, String), String>;

fn outcomes(folder: &Path) -> Result<Outcomes> {
    let outcome = |value: &Value| {
        let tests = value["tests"].as_array().into_iter().flatten();
        let tests: Vec<String> = tests.map(|test| format!("{} {}", test["name"], test["status"])).collect();
        format!("{} {} {} {} {tests:?}", value["status"], value["points"], value["misconception"], value["key"])
    };
    Ok(results::read(folder)?.iter().map(|(names, value)| (names.clone(), outcome(value))).collect())
}

impl Bench<'_> {
    fn write(&self, class: &Class, folder: &Path) -> Result<()> {
        for (student, row) in class {
            for (id, sources) in row {
                for (path, text) in sources {
                    let file = folder.join(student).join("exercises").join(id).join("src").join(path);
                    fs::create_dir_all(file.parent().context("no folder")?)?;
                    fs::write(file, text)?;
                }
            }
        }
        println!("{} students in {}", class.len(), folder.display());
        Ok(())
    }

    fn grader(&self, submissions: &Path, out: &Path, more: &[&str]) -> Result<Child> {
        let ids: Vec<&str> = self.exercises.iter().map(|exercise| exercise.id.as_str()).collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_grader"));
        command.current_dir(&self.root).arg(submissions).arg("--out").arg(out);
        command.args(["--timeout", TIMEOUT, "--exercises", &ids.join(",")]).args(more);
        Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    }

    /// Runs to the end; how long it took, and the most memory that it and everything below it had at once.
    fn grade(&self, submissions: &Path, out: &Path, more: &[&str]) -> Result<(Duration, u64)> {
        let began = Instant::now();
        let mut child = self.grader(submissions, out, more)?;
        let mut most = 0;
        loop {
            if let Some(status) = child.try_wait()? {
                ensure!(status.success(), "the grader ended with {status}");
                return Ok((began.elapsed(), most));
            }
            most = most.max(memory_below(child.id()));
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The stages, or one of them: what they grade and what came out is kept, so that the next can be run later.
    fn proof(&self, stage: &str) -> Result<()> {
        const STAGES: [&str; 4] = ["first", "second", "killed", "merged"];
        ensure!(stage == "all" || STAGES.contains(&stage), "choose: proof all, {}", STAGES.join(", "));
        let kept = judge::run::target_dir(&self.root).join("class-proof");
        let (folder, out) = (kept.join("class"), |name: &str| kept.join(name));
        let is_asked = |name: &str| stage == "all" || stage == name;
        let class = made_up(&self.exercises)?;
        let took_file = kept.join("took");
        if is_asked("first") {
            let _ = fs::remove_dir_all(&kept);
            self.write(&class, &folder)?;
            let (took, memory) = self.grade(&folder, &out("first"), &[])?;
            let count = outcomes(&out("first"))?.len();
            println!("first       {:>7.1} s, {count} results, at most {} MiB", took.as_secs_f64(), memory >> 20);
            self.expect(&class, &out("first"))?;
            fs::write(&took_file, took.as_millis().to_string())?;
        }
        let first = outcomes(&out("first")).context("run `proof first`")?;
        let whole = Duration::from_millis(fs::read_to_string(took_file)?.parse()?);
        let same = |name: &str, took: Duration| -> Result<()> {
            let again = outcomes(&out(name))?;
            for (names, outcome) in &first {
                let other = again.get(names).map_or("nothing", String::as_str);
                ensure!(other == outcome, "{name}: {names:?}\n  first {outcome}\n  then  {other}");
            }
            ensure!(again.len() == first.len(), "{name} has {} results", again.len());
            println!("{name:<11} {:>7.1} s, all {} the same", took.as_secs_f64(), first.len());
            Ok(())
        };
        let fresh = |name: &str| {
            let _ = fs::remove_dir_all(out(name));
            out(name)
        };
        if is_asked("second") {
            let (took, _) = self.grade(&folder, &fresh("second"), &[])?;
            same("second", took)?;
        }
        if is_asked("killed") {
            let (killed, took, kept) = self.killed_and_resumed(&folder, &fresh("killed"), whole)?;
            println!("killed with {kept} results after {:.1} s; none lost", killed.as_secs_f64());
            same("killed", killed + took)?;
        }
        if is_asked("merged") {
            let mut all = Duration::ZERO;
            let parts: Vec<PathBuf> = (0..4).map(|shard| fresh(&format!("part-{shard}"))).collect();
            for (shard, part) in parts.iter().enumerate() {
                all += self.grade(&folder, part, &["--shard", &format!("{shard}/4")])?.0;
            }
            results::merge(&parts, &fresh("merged"))?;
            same("merged", all)?;
            let mut report = Command::new(env!("CARGO_BIN_EXE_grader"));
            report.current_dir(&self.root).arg("report").arg(out("merged")).arg("--out").arg(kept.join("report"));
            ensure!(report.status()?.success(), "no report");
        }
        Ok(())
    }

    /// Kills the grader, and with it its boxes, at a random moment of the time that it takes, and lets it go on. Returns when it
    /// was killed, how long it then took, and how many results there were at that moment; every one is there afterwards.
    fn killed_and_resumed(&self, class: &Path, out: &Path, whole: Duration) -> Result<(Duration, Duration, usize)> {
        let part = 0.15 + 0.7 * (RandomState::new().hash_one(0_u8) % 1000) as f64 / 1000.0;
        let (mut child, began) = (self.grader(class, out, &[])?, Instant::now());
        thread::sleep(whole.mul_f64(part));
        ensure!(child.try_wait()?.is_none(), "the grader ended before it could be killed");
        child.kill()?;
        child.wait()?;
        let killed = began.elapsed();
        // The kernel tells each box that its parent is gone, and a busy machine takes a moment over that.
        while boxes_alive() > 0 {
            ensure!(began.elapsed() < killed + Duration::from_secs(10), "{} programs outlived it", boxes_alive());
            thread::sleep(Duration::from_millis(50));
        }
        let read = || fs::read_to_string(out.join(results::NAME)).unwrap_or_default();
        let mut kept = read();
        kept.truncate(kept.rfind('\n').map_or(0, |at| at + 1));
        let (took, _) = self.grade(class, out, &["--resume"])?;
        ensure!(read().starts_with(&kept), "a result that was there before the kill is gone");
        Ok((killed, took, kept.lines().count()))
    }

    /// The results are those that the three-state proof promises.
    fn expect(&self, class: &Class, out: &Path) -> Result<()> {
        let known = results::read(out)?;
        let beliefs = class.keys().filter(|name| name.starts_with("wrong-")).count();
        for exercise in &self.exercises {
            let value = |student: &str| -> Result<&Value> {
                known.get(&(student.to_owned(), exercise.id.to_string())).context("a result is missing")
            };
            ensure!(value("solved")?["status"] == "solved", "{}: {}", exercise.id, value("solved")?);
            ensure!(value("stub")?["points"]["earned"] == 0, "{}: {}", exercise.id, value("stub")?);
            for index in 0..beliefs {
                let expected = &exercise.misconceptions[index % exercise.misconceptions.len()].fails;
                let value = value(&format!("wrong-{index}"))?;
                let tests = value["tests"].as_array().into_iter().flatten();
                let failed: BTreeSet<String> = tests
                    .filter(|test| test["status"] != "passed")
                    .filter_map(|test| test["name"].as_str().map(str::to_owned))
                    .collect();
                ensure!(failed == *expected, "{}, wrong answer {index}: {failed:?}, not {expected:?}", exercise.id);
            }
        }
        for ((student, exercise), value) in &known {
            let earned = value["points"]["earned"].as_u64().context("a fault of the machine")?;
            ensure!(!student.starts_with("attack-") || earned == 0, "{student}, {exercise}: {value}");
            ensure!(!value.to_string().contains(corpus::REACHED), "{student}, {exercise}: {value}");
        }
        println!("            solved, stubs, {beliefs} rows of wrong answers and every attack end as they should");
        Ok(())
    }

    /// Measures one part and keeps it; `build` builds what the others need and measures nothing.
    fn figures(&self, part: &str) -> Result<()> {
        if part == "build" {
            // Somebody who handed in nothing: the course is built and no submission is judged.
            let nobody = self.scratch.join("nobody");
            fs::create_dir_all(nobody.join("student/exercises"))?;
            let (took, _) = self.grade(&nobody, &self.scratch.join("built"), &[])?;
            println!("the course built: {}", seconds(took));
            return Ok(());
        }
        ensure!(PARTS.contains(&part), "choose: figures build, {}", PARTS.join(", "));
        let of = self.exercises.len();
        let changed = |students: usize, changed: usize| -> Result<(String, String)> {
            let table = self.table(students, |_| changed)?;
            let (took, memory) = self.grade(&table, &self.scratch.join(part), &[])?;
            for ((student, id), value) in &results::read(&self.scratch.join(part))? {
                let at = self.exercises.iter().position(|exercise| exercise.id.as_str() == id);
                let is_solution = at.is_some_and(|at| at < changed);
                ensure!((value["status"] == "solved") == is_solution, "{student}: {value}");
            }
            let each = took.as_secs_f64() / students as f64;
            let students = if students == 1 { "1 student".to_owned() } else { format!("{students} students") };
            let what = format!("{students}, {changed} of {of} exercises solved, each in a file of their own");
            Ok((what, format!("{each:.1} s a submission, {} together, {}", seconds(took), mib(memory))))
        };
        let (what, figure) = match part {
            "one" => changed(CLASS, 1)?,
            "ten" => changed(6, 10.min(of))?,
            "all" => changed(1, of)?,
            "kill" => self.kill_figure()?,
            "stubs" => {
                let table = self.table(1, |_| 0)?.join("thousand.csv");
                let lines: String = (0..1000).map(|number| format!("s{number:04},student-0\n")).collect();
                fs::write(&table, lines)?;
                let (took, memory) = self.grade(&table, &self.scratch.join(part), &[])?;
                (
                    format!("1,000 students, the same {of} untouched {} each", if of == 1 { "stub" } else { "stubs" }),
                    format!("{} together, {}", seconds(took), mib(memory)),
                )
            }
            _ => self.clean_clone()?,
        };
        println!("{what}: {figure}");
        let mut kept: BTreeMap<String, (String, String)> = self.kept();
        kept.insert(format!("{part} {of}"), (what, figure));
        fs::write(self.kept_in(), serde_json::to_string_pretty(&kept)?)?;
        Ok(())
    }

    /// Half as many students as in a class, each with one exercise of their own, killed three times at a random moment.
    fn kill_figure(&self) -> Result<(String, String)> {
        let table = self.table(CLASS / 2, |_| 1)?;
        let (whole, _) = self.grade(&table, &self.scratch.join("whole"), &[])?;
        let mut lost = Vec::new();
        for round in 0..3 {
            let out = self.scratch.join(format!("killed-{round}"));
            let (killed, took, kept) = self.killed_and_resumed(&table, &out, whole)?;
            lost.push((killed + took).as_secs_f64() - whole.as_secs_f64());
            println!("killed after {}, with {kept} results; {} to go on", seconds(killed), seconds(took));
        }
        lost.sort_by(f64::total_cmp);
        let what = format!("`kill -9` at a random moment of a run of {}, then `--resume`, three times", seconds(whole));
        Ok((what, format!("0 results lost, {:.1} to {:.1} s longer", lost[0].max(0.0), lost[2].max(0.0))))
    }

    fn kept_in(&self) -> PathBuf {
        judge::run::target_dir(&self.root).join("class-figures.json")
    }

    fn kept(&self) -> BTreeMap<String, (String, String)> {
        let text = fs::read_to_string(self.kept_in()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Puts what was measured into the page, and on which machine.
    fn page(&self) -> Result<()> {
        let kept = self.kept();
        let mut text = format!("| on {} | |\n|---|---|\n", machine());
        for part in PARTS {
            // With all exercises, or with those that were named: each is a row.
            let of_part = |key: &str| key.split_once(' ').is_some_and(|(name, _)| name == part);
            let rows: Vec<_> = kept.iter().filter(|(key, _)| of_part(key)).map(|(_, row)| row).collect();
            if rows.is_empty() {
                eprintln!("`{part}` was not measured here and is left out: figures {part}");
            }
            for (what, figure) in rows {
                let _ = writeln!(text, "| {what} | {figure} |");
            }
        }
        let file = self.root.join("book/src/reference/grading.md");
        let page = fs::read_to_string(&file)?;
        let (before, rest) = page.split_once(TABLE[0]).context("the page has no place for the table")?;
        let (_, after) = rest.split_once(TABLE[1]).context("the page's table has no end")?;
        fs::write(file, format!("{before}{}\n{text}\n{}{after}", TABLE[0], TABLE[1]))?;
        print!("{text}");
        Ok(())
    }

    /// A class in which each has solved the first `changed` exercises in a file of their own; the rest are stubs.
    fn table(&self, students: usize, changed: impl Fn(usize) -> usize) -> Result<PathBuf> {
        let folder = self.scratch.join(format!("students-{students}-{}", changed(0)));
        let mut class = Class::new();
        for student in 0..students {
            let mut row = BTreeMap::new();
            for (at, exercise) in self.exercises.iter().enumerate() {
                let mut sources = if at < changed(student) { solution(exercise)? } else { stub(exercise)? };
                if at < changed(student) {
                    sources.entry("lib.rs".to_owned()).or_default().push_str(&format!("\n// student {student}\n"));
                }
                row.insert(exercise.id.to_string(), sources);
            }
            class.insert(format!("student-{student}"), row);
        }
        self.write(&class, &folder)?;
        Ok(folder)
    }

    /// What would be done without a grader: clone, lay the sources over it, `cargo test`.
    fn clean_clone(&self) -> Result<(String, String)> {
        let (clone, began) = (self.scratch.join("clone"), Instant::now());
        let mut git = Command::new("git");
        git.args(["clone", "--quiet", "--local", "--depth", "1"]);
        git.arg(format!("file://{}", self.root.display())).arg(&clone);
        ensure!(git.status()?.success(), "git clone");
        for exercise in &self.exercises {
            for (path, text) in solution(exercise)? {
                fs::write(clone.join("exercises").join(exercise.id.as_str()).join("src").join(path), text)?;
            }
        }
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(&clone)
            .args(["test", "--quiet", "--no-fail-fast"])
            .env("CARGO_TARGET_DIR", clone.join("target"));
        cargo.args(self.exercises.iter().flat_map(|exercise| ["--package", exercise.package()]));
        let output = cargo.output()?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        }
        let what = format!("without a grader: a clean clone, {} exercises solved, `cargo test`", self.exercises.len());
        Ok((what, format!("{} a submission", seconds(began.elapsed()))))
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn mib(bytes: u64) -> String {
    format!("at most {} MiB", bytes >> 20)
}

/// What was measured on, in words.
fn machine() -> String {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']).replace("(R)", "").replace("(TM)", "");
    let version = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let version = String::from_utf8_lossy(&version);
    let version = version.split_whitespace().nth(1).unwrap_or_default();
    format!(
        "{cpus} processors, {}, Rust {version}",
        if model.is_empty() { std::env::consts::ARCH } else { model.trim() }
    )
}

/// Test programs in boxes that are running now.
fn boxes_alive() -> usize {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(|line| line.starts_with(b"/box/program")))
        .count()
}

/// The resident memory of a process and of all that descends from it, in bytes.
fn memory_below(id: u32) -> u64 {
    let mut parents: BTreeMap<u32, (u32, u64)> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(own) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let text = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let parent = field("PPid:").and_then(|parent| u32::try_from(parent).ok()).unwrap_or_default();
        parents.insert(own, (parent, field("VmRSS:").unwrap_or_default() * 1024));
    }
    let is_below = |mut own: u32| {
        while let Some((parent, _)) = parents.get(&own) {
            if own == id {
                return true;
            }
            own = *parent;
        }
        false
    };
    parents.iter().filter(|(own, _)| is_below(**own)).map(|(_, (_, memory))| memory).sum()
}
