//! From vetted sources to test programs, by rustc alone: no cargo, no build script, no manifest of the student's.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use catalog::{Catalog, Exercise, Id};
use judge::compile::cargo;
use judge::overlay::Sources;
use judge::process::{End, Finished};
use serde_json::Value;

use crate::asked::{self, Answers};
use crate::boxes::{Boxes, Kind, Mount, limits_of};
use crate::hidden::{self, TestFile};

/// What the exercises are linked with, built once from the course's own tree.
#[derive(Debug)]
pub struct Course {
    /// `rustc --version --verbose`.
    pub toolchain: String,
    rustc: PathBuf,
    sysroot: PathBuf,
    links: BTreeMap<Id, Links>,
}

/// The libraries of one exercise by the names it knows them by, and the stand-in for libtest.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Where they and what they need lie: what the compile box sees of the course.
    folder: PathBuf,
    /// What `[dependencies]` gives to sources and tests.
    own: BTreeMap<String, PathBuf>,
    /// What of it is left with the cfg `trybuild`, where a test asks the compiler about the sources alone.
    pub(crate) alone: BTreeMap<String, PathBuf>,
    /// What `[dev-dependencies]` gives to tests.
    tests: BTreeMap<String, PathBuf>,
    pub(crate) shim: PathBuf,
}

/// What the compile box gave.
#[derive(Debug)]
pub enum Compiled {
    /// Test programs, and what the compiler answered to tests that ask it.
    Programs(Vec<Program>, Answers),
    /// Rustc's errors, or why it was stopped: the submission's fault.
    Errors(String),
    /// The box's fault.
    Fault(String),
}

/// A test program, and what is to be run of it.
#[derive(Debug)]
pub struct Program {
    /// Where it is.
    pub file: PathBuf,
    /// The tests, in the order of the source: their names in the program.
    pub tests: Vec<String>,
    /// What stands before these names in results.
    pub prefix: &'static str,
}

/// The name of the canary that every program gets; an exercise has no test of this name.
pub(crate) const CANARY: &str = "canary_of_the_grader";

/// What every file of tests gets at its end. Tests import what they test with `*`: a submission that exports an `assert!` or
/// a `Some` of its own would change what a test says, and here does not compile.
pub(crate) fn appended(library: &str) -> String {
    const MACROS: &str = "assert, assert_eq, assert_ne, debug_assert, debug_assert_eq, debug_assert_ne, format, matches, panic, print, println, eprintln, todo, unimplemented, unreachable, vec, write, writeln";
    const NAMES: &str =
        "option::Option::{self, Some, None}, result::Result::{Ok, Err}, vec::Vec, string::String, boxed::Box";
    const USED: &str = "Option as _, Some as _, None as _, Ok as _, Err as _, Vec as _, String as _, Box as _";
    let used: Vec<String> = MACROS.split(", ").map(|name| format!("{name} as _")).collect();
    format!(
        "\n#[test]\nfn {CANARY}() {{\n    ::std::panic!(\"no submission passes this\")\n}}\n#[allow(unused_imports)]\n#[deny(ambiguous_glob_imports)]\nmod names_of_the_grader {{\n    mod own {{ pub use ::std::{{{MACROS}, {NAMES}}}; }}\n    mod both {{ pub use super::own::*; pub use ::{library}::*; }}\n    use both::{{{}, {USED}}};\n}}\n",
        used.join(", ")
    )
}

impl Course {
    /// Builds dependencies and shim in a target folder of their own, and lays them side by side below `libraries`: in `plain`
    /// for every exercise, and in `parts`, with the solutions, for one that is built on solutions. A submission to another
    /// exercise never shares a box with a solution, not even with a compiled one.
    ///
    /// # Errors
    /// What cargo said; the disk is full.
    pub fn build(catalog: &Catalog, exercises: &[&Exercise], target: &Path, libraries: &Path) -> Result<Self> {
        let root = catalog.root.canonicalize().context("the workbook is gone")?;
        let output = |program: &str, arguments: &[&str]| -> Result<String> {
            let output = Command::new(program).args(arguments).current_dir(&root).output();
            let output = output.with_context(|| format!("cannot start {program}"))?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let sysroot = PathBuf::from(output("rustc", &["--print", "sysroot"])?);
        let toolchain = output("rustc", &["--version", "--verbose"])?;
        let host = toolchain.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
        let target = {
            fs::create_dir_all(target)?;
            target.canonicalize()?
        };
        let shim_root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize();
        let shim_root = shim_root.context("the workbook that this grader was built in has moved: build it again")?;
        // With the target named, what is for the submissions and what runs while building are in folders of their own.
        let of_shim = Libraries::build(&shim_root, &["grader-shim"], &target, host)?;
        let shim = of_shim.of_package("grader-shim").context("cargo built no shim")?;
        let packages: Vec<&str> = exercises.iter().map(|exercise| exercise.package()).collect();
        let built = Libraries::build(&root, &packages, &target, host)?;
        let libraries = {
            fs::create_dir_all(libraries)?;
            libraries.canonicalize()?
        };
        let (plain, parts) = (libraries.join("plain"), libraries.join("parts"));
        for library in of_shim.files.values().chain(built.files.values()) {
            let folders = if built.solutions.contains(library) { vec![&parts] } else { vec![&plain, &parts] };
            folders.into_iter().try_for_each(|folder| link_into(folder, library))?;
        }
        let mut links = BTreeMap::new();
        for exercise in exercises {
            let own = Links { shim: shim.clone(), ..built.dependencies(exercise.package())? };
            let is_composed = [&own.own, &own.tests].into_iter().flatten().any(|(_, it)| built.solutions.contains(it));
            links.insert(exercise.id.clone(), own.moved(if is_composed { &parts } else { &plain }));
        }
        Ok(Self { toolchain, rustc: sysroot.join("bin/rustc"), sysroot, links })
    }

    /// What the exercise is linked with.
    #[must_use]
    pub fn links(&self, id: &Id) -> Option<&Links> {
        self.links.get(id)
    }
}

/// What cargo built, and cargo's own account of who depends on what.
struct Libraries {
    /// Libraries and macros by package id; the exercises' own, which are stubs, are not among them.
    files: BTreeMap<String, PathBuf>,
    /// Those of them that are solutions.
    solutions: BTreeSet<PathBuf>,
    metadata: Value,
}

impl Libraries {
    fn build(root: &Path, packages: &[&str], target: &Path, host: &str) -> Result<Self> {
        let said = |mut command: Command| -> Result<String> {
            let output = command.stdin(Stdio::null()).output().context("cannot start cargo")?;
            if !output.status.success() {
                bail!("cargo cannot build the course:\n{}", String::from_utf8_lossy(&output.stderr));
            }
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let mut command = cargo(root);
        command.args(["metadata", "--format-version=1", "--filter-platform", host]);
        let metadata: Value = serde_json::from_str(&said(command)?).context("cargo metadata is no JSON")?;
        let mut command = cargo(root);
        command.args(["build", "--message-format=json", "--tests", "--lib", "--target", host]);
        command.args(packages.iter().flat_map(|package| ["--package", package])).arg("--target-dir").arg(target);
        // Dependencies as the course has them. Its own stubs and their tests are built on the way and never run.
        for setting in ["debug=0", "incremental=false", "opt-level=0", "package.\"*\".opt-level=1"] {
            command.args(["--config", &format!("profile.dev.{setting}")]);
        }
        let (mut files, mut solutions) = (BTreeMap::new(), BTreeSet::new());
        for line in said(command)?.lines() {
            let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
            let Some(id) = message["package_id"].as_str() else { continue };
            let kinds = strings(&message["target"]["kind"]);
            let is_macro = kinds.contains(&"proc-macro");
            // A crate that is also a build dependency is built twice; the one under the target's name is linked.
            let place = if is_macro { target.to_owned() } else { target.join(host) };
            let file = strings(&message["filenames"]).into_iter().map(PathBuf::from).find(|file| {
                let ending = file.extension().unwrap_or_default();
                file.starts_with(&place) && (ending == "rlib" || is_macro && ending == "so")
            });
            let manifest = Path::new(message["manifest_path"].as_str().unwrap_or_default());
            let place = manifest.strip_prefix(root).unwrap_or(Path::new(""));
            let is_stub = place.starts_with("exercises") && place.components().count() > 3;
            if let Some(file) = file.filter(|_| !is_stub) {
                if place.starts_with("solutions") {
                    solutions.insert(file.clone());
                }
                files.insert(id.to_owned(), file);
            }
        }
        Ok(Self { files, solutions, metadata })
    }

    fn id_of(&self, package: &str) -> Option<&str> {
        let packages = self.metadata["packages"].as_array()?;
        let own = packages.iter().filter(|one| one["source"].is_null());
        own.filter(|one| one["name"] == package).find_map(|one| one["id"].as_str())
    }

    fn of_package(&self, package: &str) -> Option<PathBuf> {
        self.files.get(self.id_of(package)?).cloned()
    }

    /// The libraries of a package's dependencies and dev-dependencies, by the names that it uses.
    fn dependencies(&self, package: &str) -> Result<Links> {
        let id = self.id_of(package).with_context(|| format!("cargo knows no package {package}"))?;
        let nodes = self.metadata["resolve"]["nodes"].as_array().into_iter().flatten();
        let node = nodes.clone().find(|node| node["id"] == id).context("cargo metadata has no such node")?;
        let mut links = Links::default();
        for dependency in node["deps"].as_array().into_iter().flatten() {
            let name = dependency["name"].as_str().unwrap_or_default().to_owned();
            let kinds = dependency["dep_kinds"].as_array().map_or(&[] as &[Value], Vec::as_slice);
            let file = || {
                let file = self.files.get(dependency["pkg"].as_str().unwrap_or_default());
                file.with_context(|| format!("{package}: cargo built no {name}")).cloned()
            };
            if let Some(own) = kinds.iter().find(|kind| kind["kind"].is_null()) {
                if own["target"].as_str().is_none_or(|target| !target.contains("not(trybuild)")) {
                    links.alone.insert(name.clone(), file()?);
                }
                links.own.insert(name.clone(), file()?);
            } else if kinds.iter().any(|kind| kind["kind"] == "dev") {
                links.tests.insert(name.clone(), file()?);
            }
        }
        Ok(links)
    }
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Compiles `sources`, the exercise's own tests and the hidden ones, each in a box. Programs end up in `folder`.
///
/// # Errors
/// This machine's disk, or somebody asked everything to end: nothing that a submission can cause.
pub fn compile(
    boxes: &Boxes,
    course: &Course,
    links: &Links,
    exercise: &Exercise,
    hidden: &[TestFile],
    sources: &Sources,
    folder: &Path,
) -> Result<Compiled> {
    let (src, tests, out) = (folder.join("src"), folder.join("tests"), folder.join("out"));
    for (path, text) in sources {
        let file = src.join(path);
        fs::create_dir_all(file.parent().unwrap_or(&src))?;
        fs::write(file, text)?;
    }
    fs::create_dir_all(&out)?;
    fs::create_dir_all(&tests)?;
    open_to_all(&out)?;
    let rlib = format!("/box/out/lib{}.rlib", exercise.lib_name());
    let mut arguments = links.arguments([&links.own]);
    arguments.extend(library(exercise, &rlib));
    if let Some(failed) = rustc(boxes, (course, links), exercise, &[Mount::read(&src, "/box/src")], &arguments, &out)? {
        return Ok(failed);
    }
    let questions = asked::questions(exercise)?;
    let answers = match asked::ask(boxes, course, links, exercise, &questions, folder)? {
        Ok(answers) => answers,
        Err(fault) => return Ok(fault),
    };
    // What the tests include; the class has it too.
    for (path, bytes) in exercise.test_data()? {
        let file = tests.join(path);
        fs::create_dir_all(file.parent().unwrap_or(&tests))?;
        fs::write(file, bytes)?;
    }
    let mut files = Vec::new();
    for file in exercise.test_files() {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        files.push((TestFile { name, text: fs::read_to_string(file)? }, ""));
    }
    files.extend(hidden.iter().map(|file| (file.clone(), hidden::PREFIX)));
    let mut programs = Vec::new();
    for (number, (file, prefix)) in files.into_iter().enumerate() {
        let text = format!("{}{}", file.text, appended(&exercise.lib_name()));
        fs::write(tests.join(format!("{}.rs", file.name)), text)?;
        let mut arguments = links.arguments([&links.own, &links.tests]);
        arguments.extend(["--test", "--crate-name", &file.name.replace('-', "_")].map(OsString::from));
        arguments.extend(["--extern".into(), format!("{}={rlib}", exercise.lib_name()).into()]);
        arguments.extend(["--extern".into(), format!("test={}", links.shim.display()).into()]);
        let program = format!("test-{number}");
        arguments.extend(["-o".into(), format!("/box/out/{program}").into()]);
        arguments.push(format!("/box/tests/{}.rs", file.name).into());
        if let Some(failed) =
            rustc(boxes, (course, links), exercise, &[Mount::read(&tests, "/box/tests")], &arguments, &out)?
        {
            return Ok(failed);
        }
        // The next program's compiler does not see these tests: hidden ones would be in reach of an `include_str!`.
        fs::remove_file(tests.join(format!("{}.rs", file.name)))?;
        let mut names: Vec<String> = catalog::test_names(&file.text).iter().map(catalog::TestName::full).collect();
        names.push(CANARY.to_owned());
        programs.push(Program { file: out.join(program), tests: names, prefix });
    }
    Ok(Compiled::Programs(programs, answers))
}

/// The box's user owns nothing here; the folder is this attempt's own.
pub(crate) fn open_to_all(folder: &Path) -> std::io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o777))
}

/// What makes a submission a library.
pub(crate) fn library(exercise: &Exercise, rlib: &str) -> Vec<OsString> {
    let name = exercise.lib_name();
    let kind = ["--crate-type", "rlib", "--crate-name", &name, "-F", "unsafe_code", "-o", rlib, "/box/src/lib.rs"];
    kind.map(OsString::from).to_vec()
}

impl Links {
    /// The same, in another folder.
    fn moved(self, folder: &Path) -> Self {
        let moved = |file: PathBuf| folder.join(file.file_name().unwrap_or_default());
        let all =
            |links: BTreeMap<String, PathBuf>| links.into_iter().map(|(name, file)| (name, moved(file))).collect();
        Self {
            folder: folder.to_owned(),
            own: all(self.own),
            alone: all(self.alone),
            tests: all(self.tests),
            shim: moved(self.shim),
        }
    }

    /// As cargo builds exercises: a little optimised, with the checks of a debug build. No `--cap-lints`: it would turn
    /// `-F unsafe_code` into a warning.
    pub(crate) fn arguments<'a>(
        &self,
        links: impl IntoIterator<Item = &'a BTreeMap<String, PathBuf>>,
    ) -> Vec<OsString> {
        let mut arguments: Vec<OsString> =
            ["--edition=2024", "--color=never", "-Copt-level=1", "-Cdebug-assertions=on"].map(OsString::from).to_vec();
        arguments.extend(["-Coverflow-checks=on", "-Cdebuginfo=0"].map(OsString::from));
        arguments.extend(["-L".into(), format!("dependency={}", self.folder.display()).into()]);
        for (name, library) in links.into_iter().flatten() {
            arguments.extend(["--extern".into(), format!("{name}={}", library.display()).into()]);
        }
        arguments
    }
}

/// A second name for a file; a copy where the file system has none.
fn link_into(folder: &Path, file: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let name = folder.join(file.file_name().unwrap_or_default());
    if name.exists() {
        return Ok(()); // the shim's libraries are the exercises' too
    }
    fs::hard_link(file, &name).or_else(|_| fs::copy(file, &name).map(drop))?;
    Ok(())
}

/// One rustc in a box; nothing if it succeeded.
pub(crate) fn rustc(
    boxes: &Boxes,
    (course, links): (&Course, &Links),
    exercise: &Exercise,
    mounts: &[Mount],
    arguments: &[OsString],
    out: &Path,
) -> Result<Option<Compiled>> {
    let mut all = vec![Mount::same(&course.sysroot)];
    all.push(Mount::same(&links.folder));
    all.push(Mount { from: out.to_owned(), to: "/box/out".into(), writable: true });
    all.extend_from_slice(mounts);
    let environment = [
        ("CARGO_PKG_NAME", OsString::from(exercise.package())),
        ("CARGO_MANIFEST_DIR", OsString::from("/box")),
        ("CARGO_CRATE_NAME", OsString::from(exercise.lib_name())),
    ];
    let limits = limits_of(Kind::Compile, Duration::ZERO);
    let finished = boxes.run(Kind::Compile, &all, &course.rustc, arguments, &environment, limits, Stdio::null());
    Ok(match finished {
        Err(error) => Some(Compiled::Fault(error.to_string())),
        Ok(Finished { end: End::Exited(status), .. }) if status.success() => None,
        Ok(Finished { end: End::Stopped, .. }) => bail!("stopped"),
        Ok(Finished { end: End::Deadline, .. }) => {
            let seconds = limits.deadline.as_secs();
            Some(Compiled::Errors(format!("error: the compiler was still running after {seconds} s and was stopped")))
        }
        Ok(Finished { stderr, .. }) if is_of_box(&stderr) => Some(Compiled::Fault(stderr)),
        Ok(Finished { stderr, .. }) if stderr.contains("error") => Some(Compiled::Errors(stderr)),
        Ok(Finished { stderr, .. }) => {
            Some(Compiled::Errors(format!("error: the compiler was stopped at a limit of time or memory\n{stderr}")))
        }
    })
}

/// True if the box itself has something to say: it speaks first.
pub(crate) fn is_of_box(stderr: &str) -> bool {
    ["bwrap: ", "setpriv: ", "prlimit: "].iter().any(|name| stderr.starts_with(name))
}
