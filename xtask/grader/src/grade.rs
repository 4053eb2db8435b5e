//! A class, graded: every student's every exercise, each content once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Result, bail};
use catalog::Exercise;
use judge::overlay::{Sources, read_sources};
use serde_json::{Value, json};

use crate::collect::Submission;
use crate::look::look;
use crate::results::{INFRA_ERROR, Known, MISSING, Results, TAMPERED};
use crate::vet::vet;
use crate::{Judge, Judged};

/// What is to be graded.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// Who handed in what.
    pub submissions: Vec<Submission>,
    /// Which exercises.
    pub exercises: Vec<&'a Exercise>,
    /// Where `results.jsonl` is.
    pub out: PathBuf,
    /// Go on with the results that are there.
    pub resume: bool,
    /// Part `i` of `n`, counted from 0.
    pub shard: (u64, u64),
    /// How many are judged at once.
    pub jobs: usize,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Results of this part of the class.
    pub results: usize,
    /// Those that were known already.
    pub known: usize,
    /// Contents that were judged.
    pub judged: usize,
    /// Results that the machine could not give.
    pub faults: usize,
    /// Results that are not to be believed.
    pub tampered: usize,
}

/// What waits for a verdict: one content of one exercise, and everybody who handed it in.
struct Task<'a> {
    exercise: &'a Exercise,
    key: String,
    sources: Sources,
    of: Vec<Handed>,
}

/// Who handed it in, and what was said about it.
struct Handed {
    student: String,
    submitted: Option<String>,
    refused: Vec<String>,
    odd: Vec<String>,
}

/// Grades a class. `say` is told what was just finished: how many of how many contents, and the line of the first student.
///
/// # Errors
/// There are results already and nobody said to go on with them; the disk is full; somebody asked everything to end.
pub fn grade(judge: &Judge<'_>, order: &Order<'_>, say: &(dyn Fn(usize, usize, &Value) + Sync)) -> Result<Tally> {
    let (results, known) = Results::open(&order.out)?;
    if !order.resume && !known.is_empty() {
        bail!(
            "{} has results already\n  fix: --resume goes on with them; another --out begins anew",
            order.out.display()
        );
    }
    let mut tally = Tally::default();
    let tasks = plan(judge, order, &known, &mut tally);
    let total = tasks.len();
    let tasks = Mutex::new(VecDeque::from(tasks));
    let shared = Mutex::new((results, tally));
    let failure: Mutex<Option<anyhow::Error>> = Mutex::new(None);
    let by_key: BTreeMap<&str, &Value> = known
        .values()
        .filter(|value| value["status"] != INFRA_ERROR)
        .filter_map(|value| Some((value["key"].as_str()?, value)))
        .collect();
    // A function of its own, so that the lock is not held while the task is worked on.
    let next = || lock(&tasks).pop_front();
    let work = || {
        while let Some(task) = next() {
            if judge::stop::requested() || lock(&failure).is_some() {
                return;
            }
            let value = match by_key.get(task.key.as_str()) {
                Some(value) => Ok(((*value).clone(), false)),
                None if !task.sources.contains_key("lib.rs") => Ok((missing(judge, task.exercise), false)),
                None => judge.judge(task.exercise, &task.sources).map(|it| (line(judge, task.exercise, &it), true)),
            };
            let done = value.and_then(|(value, judged)| {
                let lines: Vec<Value> = task.of.iter().map(|handed| finished(judge, &task, handed, &value)).collect();
                let mut shared = lock(&shared);
                shared.0.add(&lines)?;
                let tally = &mut shared.1;
                tally.judged += usize::from(judged);
                tally.faults += if value["status"] == INFRA_ERROR { lines.len() } else { 0 };
                tally.tampered += if value["status"] == TAMPERED { lines.len() } else { 0 };
                drop(shared);
                say(total - lock(&tasks).len(), total, &lines[0]);
                Ok(())
            });
            if let Err(error) = done {
                lock(&failure).get_or_insert(error);
                return;
            }
        }
    };
    let jobs = order.jobs.clamp(1, judge.most_jobs());
    thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(work))));
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    if judge::stop::requested() {
        bail!("stopped; --resume goes on");
    }
    Ok(shared.into_inner().unwrap_or_else(PoisonError::into_inner).1)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything of this part that is not known, each content once.
fn plan<'a>(judge: &Judge<'_>, order: &Order<'a>, known: &Known, tally: &mut Tally) -> Vec<Task<'a>> {
    let of: Vec<String> = order.exercises.iter().map(|exercise| judge.key_of(exercise)).collect();
    let stubs: Vec<Sources> =
        order.exercises.iter().map(|exercise| read_sources(&exercise.dir().join("src")).unwrap_or_default()).collect();
    let mut tasks: Vec<Task<'_>> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for submission in &order.submissions {
        let mine: Vec<usize> = (0..order.exercises.len())
            .filter(|&at| shard_of(&submission.student, order.exercises[at], order.shard.1) == order.shard.0)
            .collect();
        if mine.is_empty() {
            continue;
        }
        let tree = submission.open();
        for at in mine {
            let exercise = order.exercises[at];
            let vetted = vet(&tree, exercise);
            let key = Judge::key(&of[at], &vetted.sources);
            tally.results += 1;
            let same = |value: &Value| {
                value["key"] == *key
                    && value["status"] != INFRA_ERROR
                    && value["submitted"] == json!(submission.submitted)
            };
            if known.get(&(submission.student.clone(), exercise.id.to_string())).is_some_and(same) {
                tally.known += 1;
                continue;
            }
            let handed = Handed {
                student: submission.student.clone(),
                submitted: submission.submitted.clone(),
                refused: vetted.refused,
                odd: look(&stubs[at], &vetted.sources),
            };
            let place = *places.entry(key.clone()).or_insert_with(|| {
                tasks.push(Task { exercise, key, sources: vetted.sources, of: Vec::new() });
                tasks.len() - 1
            });
            tasks[place].of.push(handed);
        }
    }
    tasks
}

/// Which part a result belongs to: the same on every machine.
fn shard_of(student: &str, exercise: &Exercise, shards: u64) -> u64 {
    let hash = catalog::hash_bytes(format!("{student}\0{}", exercise.id).as_bytes());
    u64::from_str_radix(&hash[..15], 16).unwrap_or_default() % shards
}

fn missing(judge: &Judge<'_>, exercise: &Exercise) -> Value {
    let points = json!({"earned": 0, "possible": judge.possible(exercise)});
    json!({"title": exercise.title, "status": MISSING, "points": points, "stages": [], "tests": [], "misconception": null})
}

/// What a judgement says about everybody who handed in the same.
fn line(judge: &Judge<'_>, exercise: &Exercise, judged: &Judged) -> Value {
    let of_verdict = |verdict: &judge::Verdict| {
        let mut value = verdict.to_json();
        if let Some(object) = value.as_object_mut() {
            object.remove("id");
            object.remove("edited");
        }
        value
    };
    match judged {
        Judged::Verdict(verdict) => of_verdict(verdict),
        Judged::Tampered(verdict, canaries) => {
            let mut value = of_verdict(verdict);
            value["status"] = TAMPERED.into();
            value["points"]["earned"] = 0.into();
            value["why"] = format!("passed what none may pass: {}", canaries.join(", ")).into();
            value
        }
        Judged::InfraError(why) => {
            let mut value = missing(judge, exercise);
            value["status"] = INFRA_ERROR.into();
            value["points"]["earned"] = Value::Null;
            value["why"] = why.as_str().into();
            value
        }
    }
}

/// One student's line.
fn finished(judge: &Judge<'_>, task: &Task<'_>, handed: &Handed, value: &Value) -> Value {
    let mut value = value.clone();
    value["schema"] = 1.into();
    value["student"] = handed.student.as_str().into();
    value["exercise"] = task.exercise.id.as_str().into();
    value["submitted"] = json!(handed.submitted);
    value["containment"] = judge.containment().to_json();
    value["round"] = judge.round().into();
    value["key"] = task.key.as_str().into();
    value["refused"] = handed.refused.clone().into();
    value["odd"] = handed.odd.clone().into();
    value
}

/// The students of an order, each once.
#[must_use]
pub fn students(order: &Order<'_>) -> usize {
    order.submissions.iter().map(|submission| &submission.student).collect::<BTreeSet<_>>().len()
}
