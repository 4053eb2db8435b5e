//! Submissions that want points they did not earn, or to harm the machine. Each gets nothing, in bounded time.
//!
//! They need the boxes: where this machine has none, the tests say so and prove nothing.

#![cfg(target_os = "linux")]

mod corpus;

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use catalog::{Catalog, Exercise};
use corpus::{ATTACKS, REACHED, fill};
use grader::containment::{Containment, Level};
use grader::grade::{Order, grade};
use grader::hidden::Hidden;
use grader::{Judge, Judged, Options, collect, results};
use judge::overlay::Sources;
use judge::{Status, Verdict};

const ROOT: &str = "[workspace]\nresolver = \"3\"\nmembers = [\"exercises/[0-9]*/*\"]\n";
const MANIFEST: &str = "[package]\nname = \"twice\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[package.metadata.exercise]\ntitle = \"Twice\"\nsummary = \"s\"\ndifficulty = 1\nminutes = 5\ndeadline = 3\n[lib]\ntest = false\n";
const STUB: &str = "pub fn twice(n: u64) -> u64 { todo!(\"{n} (twice)\") }\n";
const SOLVED: &str = "pub fn twice(n: u64) -> u64 { n.checked_mul(2).expect(\"too much\") }\n";
/// Tests that a right answer passes. What the submission returns is given its type before it is compared.
const TESTS: &str = "mod stage_1 {
    #[test]
    fn four() {
        let four: u64 = twice::twice(2);
        assert_eq!(four, 4);
    }
    #[test]
    fn six() -> Result<(), String> {
        let six: u64 = twice::twice(3);
        if six == 6 { Ok(()) } else { Err(\"not six\".to_owned()) }
    }
    #[test]
    #[should_panic(expected = \"too much\")]
    fn too_much() {
        twice::twice(u64::MAX);
    }
}
";
/// A test that the class does not have, and one that nobody can pass.
const HIDDEN: &str = "#[test]
fn any_number_is_doubled() {
    for n in [5, 12, 1 << 40] {
        let doubled: u64 = twice::twice(n);
        assert_eq!(doubled, 2 * n);
    }
}
#[test]
fn canary() {
    let three: u64 = twice::twice(1);
    assert_eq!(three, 3);
}
";

fn course(root: &Path) -> Catalog {
    let dir = root.join("exercises/01-first/twice");
    for (path, text) in [("src/lib.rs", STUB), ("tests/twice.rs", TESTS), ("Cargo.toml", MANIFEST)] {
        write(&dir.join(path), text);
    }
    write(&root.join("Cargo.toml"), ROOT);
    Catalog::read(root).0
}

fn write(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
    fs::write(file, text).expect("write");
}

/// Shared by all tests and kept: the stand-in for libtest is built once.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("attacks")
}

/// True where the boxes are whole: elsewhere nothing is proved, and that is said.
fn boxes() -> bool {
    let found = Containment::probe();
    if found.level != Level::Full {
        eprintln!("nothing is proved: {}", found.to_json());
    }
    found.level == Level::Full
}

fn options(catalog: &Catalog, root: &Path) -> Options {
    let folder = root.join("hidden");
    write(&folder.join("01-first/twice/more.rs"), HIDDEN);
    Options { hidden: Hidden::read(&folder, catalog).expect("reads"), ..Options::default() }
}

fn judged(judge: &Judge<'_>, exercise: &Exercise, source: &str) -> Verdict {
    let sources = Sources::from([("lib.rs".to_owned(), source.to_owned())]);
    match judge.judge(exercise, &sources).expect("the machine works") {
        Judged::Verdict(verdict) => *verdict,
        Judged::Tampered(_, canaries) => panic!("{canaries:?} passed:\n{source}"),
        Judged::InfraError(what) => panic!("the box failed: {what}\n{source}"),
    }
}

#[test]
fn no_attack_earns_a_point() {
    if !boxes() {
        return;
    }
    let dir = tempfile::tempdir().expect("temp dir");
    let catalog = course(dir.path());
    let exercises: Vec<_> = catalog.exercises().collect();
    let options = options(&catalog, dir.path());
    let judge = Judge::new(&catalog, &exercises, &target(), options).expect("builds");

    let solved = judged(&judge, exercises[0], SOLVED);
    assert_eq!((solved.status, solved.earned, solved.possible), (Status::Solved, 4, 4), "{solved:?}");
    assert_eq!(judged(&judge, exercises[0], STUB).earned, 0);
    let hard_coded = "pub fn twice(n: u64) -> u64 { match n { 2 => 4, 3 => 6, _ => panic!(\"too much\") } }";
    let verdict = judged(&judge, exercises[0], hard_coded);
    assert_eq!((verdict.status, verdict.earned), (Status::Failing, 3), "hidden tests ask for other numbers");

    let faults = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(attack) = ATTACKS.get(next.fetch_add(1, Ordering::Relaxed)) {
            let began = Instant::now();
            let verdict = judged(&judge, exercises[0], &fill(STUB, attack));
            let took = began.elapsed();
            eprintln!("{:>6.1} s  {:<12} {}", took.as_secs_f64(), verdict.status.word(), attack.name);
            let said = format!("{:?} {:?}", verdict.tests, verdict.errors);
            let fault = if verdict.earned != 0 {
                "earned points"
            } else if verdict.tests.iter().any(|test| test.message.contains(REACHED)) {
                "reached what it should not"
            } else if attack.refused.is_some_and(|why| verdict.status != Status::BuildError || !said.contains(why)) {
                "was not refused for its own sake"
            } else if attack.refused.is_none() && verdict.status == Status::BuildError {
                "does not compile: a slip in the corpus"
            } else if took > Duration::from_secs(180) {
                "took too long"
            } else {
                continue;
            };
            faults.lock().expect("sound").push(format!("{} {fault}: {said}", attack.name));
        }
    };
    thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));

    let types = [
        // What a submission returns is its own type, equal to everything.
        "#[derive(Debug)] pub struct Any; impl PartialEq<u64> for Any { fn eq(&self, _: &u64) -> bool { true } } pub fn twice(_: u64) -> Any { Any }",
        // A generic function lets the test choose a type, which is still the test's.
        "pub fn twice<T: Default>(_: u64) -> T { T::default() }",
    ];
    for source in types {
        let sources = |text: &str| Sources::from([("lib.rs".to_owned(), text.to_owned())]);
        assert!(!grader::look::look(&sources(STUB), &sources(source)).is_empty(), "a person is to look at {source}");
        let verdict = judged(&judge, exercises[0], source);
        assert_eq!(verdict.earned, 0, "{source}: {verdict:?}");
    }
    let after = judged(&judge, exercises[0], SOLVED);
    assert_eq!((after.earned, after.possible), (4, 4), "the next student gets what is theirs");
    let alive = fs::read_dir("/proc")
        .expect("lists")
        .flatten()
        .filter(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(|line| line.starts_with(b"/box/program")));
    assert_eq!(alive.count(), 0, "a process outlived its box");
    let faults = faults.into_inner().expect("sound");
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn a_canary_that_sings_is_heard() {
    if !boxes() {
        return;
    }
    let dir = tempfile::tempdir().expect("temp dir");
    let catalog = course(dir.path());
    let exercises: Vec<_> = catalog.exercises().collect();
    let options = options(&catalog, dir.path());
    let judge = Judge::new(&catalog, &exercises, &target(), options).expect("builds");
    let sources = Sources::from([("lib.rs".to_owned(), "pub fn twice(n: u64) -> u64 { n + 2 }".to_owned())]);
    let Judged::Tampered(_, canaries) = judge.judge(exercises[0], &sources).expect("the machine works") else {
        panic!("2 + 1 is the 3 that the canary waits for")
    };
    assert_eq!(canaries, ["hidden::canary"]);
}

/// Writes what one student handed in into a folder that begins as a copy of the stub.
type Trick = fn(&Path);

/// What a checkout can have beside a source.
const TRICKS: [(&str, Trick); 14] = [
    ("edited-tests", |root| write(&of(root, "tests/twice.rs"), "#[test] fn four() {}\n")),
    ("edited-manifest", |root| {
        write(&of(root, "Cargo.toml"), &format!("{MANIFEST}harness = false\n[dependencies]\nx = {{ path = \"/\" }}\n"));
    }),
    ("build-script", |root| write(&of(root, "build.rs"), "fn main() { std::process::exit(1) }\n")),
    ("patch", |root| write(&root.join("Cargo.toml"), "[patch.crates-io]\nserde = { path = \"/\" }\n")),
    ("configuration", |root| {
        write(
            &root.join(".cargo/config.toml"),
            "[build]\nrustc-wrapper = \"/bin/true\"\n[target.'cfg(all())']\nrunner = \"/bin/true\"\n",
        );
    }),
    ("toolchain", |root| write(&root.join("rust-toolchain.toml"), "[toolchain]\nchannel = \"none\"\n")),
    ("link-to-a-solution", |root| {
        fs::remove_file(of(root, "src/lib.rs")).expect("there");
        symlink("../../../../../solved/exercises/01-first/twice/src/lib.rs", of(root, "src/lib.rs")).expect("links");
    }),
    ("link-to-another-student", |root| {
        fs::remove_dir_all(root.join("exercises")).expect("there");
        symlink("../solved/exercises", root.join("exercises")).expect("links");
    }),
    ("pipe", |root| {
        assert!(Command::new("mkfifo").arg(of(root, "src/pipe.rs")).status().expect("coreutils").success());
    }),
    ("large-file", |root| write(&of(root, "src/large.rs"), &"// x\n".repeat(100_000))),
    ("no-utf8", |root| {
        fs::write(of(root, "src/bytes.rs"), [0xff, 0xfe]).expect("write");
        File::create(of(root, "src").join(std::ffi::OsStr::from_bytes(b"\xff.rs"))).expect("creates");
    }),
    ("path-attribute", |root| {
        write(
            &of(root, "src/lib.rs"),
            "#[path = \"/solved/exercises/01-first/twice/src/lib.rs\"] mod solved; pub use solved::twice;\n",
        );
    }),
    // Cargo once graded an empty file as the full marks of the student before: it was older than what had been built.
    ("backdated", |root| {
        write(&of(root, "src/lib.rs"), "");
        let file = File::options().write(true).open(of(root, "src/lib.rs")).expect("opens");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).expect("sets");
    }),
    ("many-folders", |root| {
        let mut folder = of(root, "src");
        for _ in 0..60 {
            folder.push("deeper");
        }
        fs::create_dir_all(&folder).expect("folders");
        write(&folder.join("x.rs"), "");
    }),
];

fn of(root: &Path, path: &str) -> PathBuf {
    root.join("exercises/01-first/twice").join(path)
}

#[test]
fn only_sources_count_and_nobody_else_is_harmed() {
    if !boxes() {
        return;
    }
    let dir = tempfile::tempdir().expect("temp dir");
    let catalog = course(&dir.path().join("course"));
    let class = dir.path().join("class");
    for (name, trick) in TRICKS {
        let root = class.join(name);
        write(&of(&root, "src/lib.rs"), STUB);
        trick(&root);
    }
    for name in ["solved", "solved-too"] {
        write(&of(&class.join(name), "src/lib.rs"), SOLVED);
    }
    archives(&class);
    let exercises: Vec<_> = catalog.exercises().collect();
    let judge = Judge::new(&catalog, &exercises, &target(), Options::default()).expect("builds");
    let submissions = collect::submissions(&class).expect("reads");
    assert_eq!(submissions.len(), TRICKS.len() + 6);
    let out = dir.path().join("out");
    let order = Order { submissions, exercises, out: out.clone(), resume: false, shard: (0, 1), jobs: 2 };
    let tally = grade(&judge, &order, &|_, _, _| {}).expect("grades");
    assert_eq!((tally.results, tally.faults, tally.tampered), (TRICKS.len() + 6, 0, 0));
    assert!(tally.judged <= 9, "the same stub is judged once: {tally:?}");

    let known = results::read(&out).expect("reads");
    for ((student, _), value) in &known {
        let solved = ["solved", "solved-too", "zipped", "packed", "bare"].contains(&student.as_str());
        assert_eq!(value["points"]["earned"], if solved { 3 } else { 0 }, "{student}: {value}");
        assert_eq!(value["containment"]["level"], "full");
    }
    let refused = |student: &str| known[&(student.to_owned(), "01-first/twice".to_owned())]["refused"].to_string();
    assert!(refused("link-to-a-solution").contains("lib.rs: not a regular file"), "{}", refused("link-to-a-solution"));
    assert!(refused("pipe").contains("pipe.rs: not a regular file"));
    assert!(refused("large-file").contains("large.rs: larger than 256 KiB"));
    assert!(refused("no-utf8").contains("bytes.rs: not UTF-8"));
    assert!(refused("broken").contains("cannot be read"), "{}", refused("broken"));

    // Going on judges nothing again.
    let again = grade(&judge, &Order { resume: true, ..order.clone() }, &|_, _, _| {}).expect("grades");
    assert_eq!((again.known, again.judged), (tally.results, 0));
    assert!(grade(&judge, &order, &|_, _, _| {}).is_err_and(|error| error.to_string().contains("--resume")));

    // Four parts, merged, are the whole.
    let mut parts = Vec::new();
    for shard in 0..4 {
        let part = dir.path().join(format!("part-{shard}"));
        let order = Order { out: part.clone(), shard: (shard, 4), ..order.clone() };
        grade(&judge, &order, &|_, _, _| {}).expect("grades");
        parts.push(part);
    }
    let merged = dir.path().join("merged");
    assert_eq!(results::merge(&parts, &merged).expect("merges"), known.len());
    for (names, value) in results::read(&merged).expect("reads") {
        for field in ["status", "points", "key"] {
            assert_eq!(value[field], known[&names][field], "{names:?}");
        }
    }
}

/// The course's own solutions and wrong answers work within what was handed out, so a class that does is not bothered.
#[test]
fn no_reference_solution_is_odd() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let catalog = Catalog::read(&root).0;
    assert!(catalog.exercises().next().is_some());
    for exercise in catalog.exercises() {
        let sources = |folder: PathBuf| judge::overlay::read_sources(&folder.join("src")).expect("reads");
        let (stub, solution) = (sources(exercise.dir()), sources(exercise.solution_dir()));
        assert_eq!(grader::look::look(&stub, &solution), Vec::<String>::new(), "{}", exercise.id);
    }
}

/// A test that asks the compiler ends early in a box: it must be one whose question the grader asks in its place.
#[test]
fn whatever_a_test_asks_the_compiler_the_grader_asks_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let catalog = Catalog::read(&root).0;
    let mut asked = 0;
    for exercise in catalog.exercises() {
        let text = fs::read_to_string(exercise.tests_file()).expect("reads");
        let questions = grader::asked::questions(exercise).expect("well formed");
        assert_eq!(text.matches("Compiler {").count(), questions.len(), "{}", exercise.id);
        for question in &questions {
            assert!(text.contains(&format!("test: \"{}\"", question.test)), "{}: {}", exercise.id, question.test);
            let name = question.test.rsplit("::").next().expect("a name");
            for program in question.programs.keys() {
                let is_included =
                    text.contains(&format!("programs/{name}/{program}.rs")) || text.contains(&format!("\"{program}\""));
                assert!(is_included, "{}: at home nobody asks about {program}.rs", exercise.id);
            }
        }
        asked += questions.len();
    }
    assert!(asked >= 2, "envelope and ports-and-adapters ask");
}

/// What is asked decides: of a submission that the box's tests are content with, and of one with two faces.
#[test]
fn a_test_that_asks_the_compiler_passes_by_its_answer() {
    if !boxes() {
        return;
    }
    let dir = tempfile::tempdir().expect("temp dir");
    course(dir.path());
    let tests = "#[test]\nfn asks() {\n    assert!(twice::twice(2) == 4u64);\n}\n";
    let folder = dir.path().join("exercises/01-first/twice/tests");
    write(&folder.join("twice.rs"), tests);
    let program = |line: &str| format!("fn main() {{\n    {line}\n}}\n");
    write(&folder.join("programs/asks/compiles.rs"), &program("let _: u64 = twice::twice(1);"));
    write(&folder.join("programs/asks/refused-text.rs"), &program("let _ = twice::twice(\"1\"); // refused"));
    write(&folder.join("programs/asks/runs.rs"), &program("assert_eq!(twice::twice(3), 6u64);"));
    let catalog = Catalog::read(dir.path()).0;
    let exercises: Vec<_> = catalog.exercises().collect();
    let judge = Judge::new(&catalog, &exercises, &target(), Options::default()).expect("builds");
    let said = |source: &str| {
        let verdict = judged(&judge, exercises[0], source);
        assert_eq!(verdict.earned == 1, verdict.status == Status::Solved);
        (verdict.earned, format!("{:?} {:?}", verdict.tests, verdict.errors))
    };
    assert_eq!(said(SOLVED).0, 1);
    let takes_anything =
        "pub fn twice<T: std::fmt::Display>(n: T) -> u64 { 2 * n.to_string().parse::<u64>().unwrap() }";
    let (earned, why) = said(takes_anything);
    assert!(earned == 0 && why.contains("compiles, and should be refused"), "{why}");
    let (earned, why) = said("#[cfg(not(trybuild))] pub fn twice(n: u64) -> u64 { n * 2 }");
    assert!(earned == 0 && why.contains("must compile, and does not"), "{why}");
    let (earned, why) = said("pub fn twice(n: u64) -> u64 { if cfg!(trybuild) { panic!(\"another face\") } n * 2 }");
    assert!(earned == 0 && why.contains("another face"), "{why}");
    let (earned, _) = said("pub fn twice(n: u64) -> u64 { if cfg!(trybuild) { std::process::exit(0) } n * 2 }");
    assert_eq!(earned, 0, "leaving is no answer");
    let (earned, why) = said("#[cfg(trybuild)] compile_error!(\"not alone\"); pub fn twice(n: u64) -> u64 { n * 2 }");
    assert!(earned == 0 && why.contains("not alone"), "{why}");
}

/// Tests may include what lies beside them; it decides the verdict, so it is part of the key.
#[test]
fn what_tests_include_is_there_and_counts() {
    if !boxes() {
        return;
    }
    let dir = tempfile::tempdir().expect("temp dir");
    course(dir.path());
    let tests = "#[test]\nfn as_it_is_written() {\n    assert!(twice::twice(2).to_string() == include_str!(\"data/deep/four.txt\"));\n}\n";
    let folder = dir.path().join("exercises/01-first/twice/tests");
    write(&folder.join("twice.rs"), tests);
    write(&folder.join("data/deep/four.txt"), "4");
    let catalog = Catalog::read(dir.path()).0;
    let exercises: Vec<_> = catalog.exercises().collect();
    let judge = Judge::new(&catalog, &exercises, &target(), Options::default()).expect("builds");
    assert_eq!(judged(&judge, exercises[0], SOLVED).status, Status::Solved);
    let key = judge.key_of(exercises[0]);
    write(&folder.join("data/deep/four.txt"), "5");
    assert_eq!(judged(&judge, exercises[0], SOLVED).status, Status::Failing);
    assert_ne!(judge.key_of(exercises[0]), key);
}

/// What differs from process to process is found, though a test in a box can start none.
#[test]
fn two_processes_are_compared() {
    if !boxes() {
        return;
    }
    let dir = tempfile::tempdir().expect("temp dir");
    course(dir.path());
    let tests = "#[test]\nfn two_processes_agree() {\n    let said = format!(\"said {}\", twice::twice(2));\n    if std::env::var_os(\"KIT_SAYS\").is_some() {\n        println!(\"\\n{said}\");\n        return;\n    }\n    let file = std::env::var_os(\"KIT_HEARD\").expect(\"a grader\");\n    let heard = std::fs::read_to_string(file).expect(\"reads\");\n    assert!(heard.lines().any(|line| line == said), \"{heard}\");\n}\n";
    write(&dir.path().join("exercises/01-first/twice/tests/twice.rs"), tests);
    let catalog = Catalog::read(dir.path()).0;
    let exercises: Vec<_> = catalog.exercises().collect();
    let judge = Judge::new(&catalog, &exercises, &target(), Options::default()).expect("builds");
    let by_chance =
        "use std::hash::{BuildHasher, RandomState}; pub fn twice(n: u64) -> u64 { RandomState::new().hash_one(n) }";
    for (source, earned) in [(SOLVED, 1), (STUB, 0), (by_chance, 0)] {
        let verdict = judged(&judge, exercises[0], source);
        assert_eq!(verdict.earned, earned, "{verdict:?}");
    }
}

/// A test that starts a program would end in a box, so every one that does is of those that the grader runs in another way.
#[test]
fn a_test_that_starts_itself_is_run_in_two_boxes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for exercise in Catalog::read(&root).0.exercises() {
        let text = fs::read_to_string(exercise.tests_file()).expect("reads");
        let starts = text.matches("Command::new").count();
        let names = exercise.tests().iter().filter(|test| test.name.starts_with(grader::run::TWO_PROCESSES)).count();
        assert_eq!((starts, text.matches("KIT_HEARD").count()), (names, names), "{}", exercise.id);
    }
}

/// The solution as a bare repository and in archives, and an archive that is broken.
fn archives(class: &Path) {
    let git = |arguments: &[&str], folder: &Path| {
        let mut command = Command::new("git");
        command.current_dir(folder).args(["-c", "user.name=x", "-c", "user.email=x@example.org"]).args(arguments);
        assert!(command.output().expect("git").status.success(), "{arguments:?}");
    };
    let work = class.parent().expect("a folder").join("work");
    write(&of(&work, "src/lib.rs"), SOLVED);
    git(&["init", "-q"], &work);
    git(&["add", "."], &work);
    git(&["commit", "-q", "-m", "x"], &work);
    let place = |name: &str| class.join(name).to_string_lossy().into_owned();
    git(&["clone", "-q", "--bare", ".", &place("bare.git")], &work);
    git(&["archive", "--format=tar.gz", "--prefix=me/", "-o", &place("packed.tgz"), "HEAD"], &work);
    git(&["archive", "--format=zip", "-o", &place("zipped.zip"), "HEAD"], &work);
    fs::write(class.join("broken.tar.gz"), "no archive").expect("write");
}
