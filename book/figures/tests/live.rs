//! The committed modules say what the native figures say: under node, for every golden drawing and every setting of a sandbox.

use book_figures::{FIGURES, Figure, Params};
use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const FIX: &str = "cargo xtask book wasm (it needs: rustup target add wasm32-unknown-unknown)";

fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("wasm")
}

fn with_sandbox() -> impl Iterator<Item = &'static Figure> {
    FIGURES.iter().filter(|figure| figure.sandbox.is_some())
}

/// All settings that are tried: the golden ones, the presets, and each control at each of its values.
fn settings(figure: &Figure) -> BTreeSet<String> {
    let sandbox = figure.sandbox.expect("it has one");
    let mut settings: BTreeSet<String> = figure.golden.iter().map(ToString::to_string).collect();
    settings.extend(sandbox.presets.iter().map(|preset| preset.params.to_owned()));
    for control in sandbox.controls {
        settings.extend(control.values().map(|value| format!("{}={value}", control.key)));
    }
    settings
}

#[test]
fn there_is_a_module_for_every_sandbox_and_no_other() {
    let there: BTreeSet<String> = fs::read_dir(modules())
        .expect("the folder of modules")
        .map(|entry| entry.expect("can be read").file_name().to_string_lossy().into_owned())
        .collect();
    let wanted: BTreeSet<String> = with_sandbox().map(|figure| format!("{}.wasm", figure.name)).collect();
    assert_eq!(there, wanted, "its fix: {FIX}");
}

#[test]
fn no_module_names_a_folder_of_the_machine_that_made_it() {
    for figure in with_sandbox() {
        let module = fs::read(modules().join(format!("{}.wasm", figure.name))).expect("the module");
        let text = String::from_utf8_lossy(&module);
        for folder in ["/home/", "/root/", "/tmp/", "/Users/", ":\\"] {
            assert!(!text.contains(folder), "{}: `{folder}` stands in it; its fix: {FIX}", figure.name);
        }
    }
}

/// Reads `module`, then parameters from standard input, one line each; prints the answers with a form feed after each.
const NODE: &str = "
const fs = require('fs');
const { memory, room, draw } = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(process.argv[1]))).exports;
for (const line of fs.readFileSync(0, 'utf8').split('\\n')) {
  const asked = new TextEncoder().encode(line);
  const at = room(asked.length);
  new Uint8Array(memory.buffer, at, asked.length).set(asked);
  const packed = BigInt.asUintN(64, draw());
  fs.writeSync(1, Buffer.from(memory.buffer, Number(packed >> 32n), Number(packed & 0xffffffffn)));
  fs.writeSync(1, '\\f');
}
";

#[test]
fn the_committed_modules_answer_as_the_native_figures_do() {
    if Command::new("node").arg("--version").output().is_err() {
        eprintln!("skip: node is not installed, so the modules in {} were not run", modules().display());
        return;
    }
    let mut wrong = Vec::new();
    for figure in with_sandbox() {
        let settings: Vec<String> = settings(figure).into_iter().collect();
        let file = modules().join(format!("{}.wasm", figure.name));
        let mut node = Command::new("node")
            .args(["-e", NODE])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        node.stdin.take().expect("piped").write_all(settings.join("\n").as_bytes()).expect("node reads");
        let output = node.wait_with_output().expect("node ends");
        assert!(output.status.success(), "{}: the module trapped; its fix: {FIX}", figure.name);
        let text = String::from_utf8(output.stdout).expect("answers are text");
        let answers: Vec<&str> = text.split_terminator('\u{c}').collect();
        assert_eq!(answers.len(), settings.len(), "{}", figure.name);
        for (setting, answer) in settings.iter().zip(answers) {
            let params = Params::parse(setting).expect("a setting of ours");
            let native = figure.draw(&params).unwrap_or_else(|error| panic!("{setting}: {error}")).packed();
            if answer.strip_prefix('=') != Some(&native) {
                wrong.push(format!("{} {setting}\n{}", figure.name, first_difference(&native, answer)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\nits fix: {FIX}", wrong.join("\n"));
}

fn first_difference(native: &str, module: &str) -> String {
    let (native, module) =
        (native.lines().collect::<Vec<_>>(), module.trim_start_matches('=').lines().collect::<Vec<_>>());
    let at = native
        .iter()
        .zip(&module)
        .position(|(native, module)| native != module)
        .unwrap_or(native.len().min(module.len()));
    let line = |lines: &[&str]| lines.get(at).map_or("(ends)", |line| line).to_owned();
    format!("  native: {}\n  module: {}", line(&native), line(&module))
}

#[test]
fn every_sandbox_is_sound() {
    for figure in with_sandbox() {
        let sandbox = figure.sandbox.expect("it has one");
        let name = figure.name;
        assert!((1..=4).contains(&sandbox.controls.len()), "{name}: one to four controls");
        assert!((2..=4).contains(&sandbox.prediction.guesses.len()), "{name}: two to four guesses");
        assert!((2..=6).contains(&sandbox.presets.len()), "{name}: two to six presets");
        let draw = |setting: &str| {
            let params = Params::parse(setting).unwrap_or_else(|error| panic!("{name} {setting}: {error}"));
            figure.draw(&params).unwrap_or_else(|error| panic!("{name} {setting}: {error}"))
        };
        for control in sandbox.controls {
            let key = control.key;
            assert!(
                control.values().any(|value| value == control.default),
                "{name}: `{key}` has its default among its values"
            );
            assert_eq!(
                draw(&format!("{key}={}", control.default)),
                draw(""),
                "{name}: the default of `{key}` is what `draw` takes"
            );
            // In one of the settings at least; a bucket's size matters to the bucket only.
            let moves = sandbox.presets.iter().any(|preset| {
                let others = preset.params.split_whitespace().filter(|pair| !pair.starts_with(&format!("{key}=")));
                let others = others.collect::<Vec<_>>().join(" ");
                let mut drawings = control.values().map(|value| draw(&format!("{others} {key}={value}")));
                let first = drawings.next();
                drawings.any(|drawing| Some(drawing) != first)
            });
            assert!(moves, "{name}: moving `{key}` changes nothing, in none of the presets");
        }
        for preset in sandbox.presets {
            for pair in preset.params.split_whitespace() {
                let (key, value) = pair.split_once('=').expect("key=value");
                let control = sandbox.controls.iter().find(|control| control.key == key);
                let control = control.unwrap_or_else(|| {
                    panic!("{name}: the preset `{}` sets `{key}`, which has no control", preset.name)
                });
                assert!(
                    control.values().any(|known| known == value),
                    "{name}: the control `{key}` cannot be set to {value}"
                );
            }
            draw(preset.params);
        }
    }
}
