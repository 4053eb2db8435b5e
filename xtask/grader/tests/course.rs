//! The real course in boxes. A test that is green at home can want what a box has not: a file beside it, `/proc`, a process.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use catalog::Catalog;
use grader::containment::{Containment, Level};
use grader::{Judge, Judged, Options};
use judge::{Outcome, Status};

#[test]
#[ignore = "builds and judges the whole course: minutes"]
fn every_reference_solution_has_all_its_points() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workbook");
    let catalog = Catalog::read(&root).0;
    let exercises: Vec<_> = catalog.exercises().collect();
    assert!(!exercises.is_empty());
    if Containment::probe().level != Level::Full {
        eprintln!("nothing is proved: {}", Containment::probe().to_json());
        return;
    }
    let target = judge::run::target_dir(&root);
    let judge = Judge::new(&catalog, &exercises, &target, Options::default()).expect("builds");
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(exercise) = exercises.get(next.fetch_add(1, Ordering::Relaxed)) {
            let sources = judge::overlay::read_sources(&exercise.solution_dir().join("src")).expect("reads");
            let fault = match judge.judge(exercise, &sources).expect("the machine works") {
                Judged::Verdict(verdict) if verdict.status == Status::Solved => continue,
                Judged::Verdict(verdict) => {
                    let failed = verdict.tests.iter().filter(|test| test.outcome != Outcome::Passed);
                    let failed: Vec<_> = failed.map(|test| format!("{}: {}", test.name, test.message)).collect();
                    format!("{failed:#?} {:?}", verdict.errors)
                }
                Judged::Tampered(_, canaries) => format!("{canaries:?} passed"),
                Judged::InfraError(why) => why,
            };
            faults.lock().expect("not poisoned").push(format!("{}: {fault}", exercise.id));
        }
    };
    let jobs = judge::run::default_jobs();
    thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(work))));
    let faults = faults.into_inner().expect("not poisoned");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
