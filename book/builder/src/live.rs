//! The figures' modules: WebAssembly that the reader's browser loads when a sandbox is touched.
//!
//! Where the toolchain has the target [`TARGET`], they are compiled, so that a figure is live as its author last saved it.
//! Elsewhere the committed ones of `book/figures/wasm` are taken, which the figures' tests prove equal to the native figures.
//! A module travels as a script, compressed, in base64: pages that are opened from a folder may load scripts and nothing else.

use crate::{
    Project,
    html::{Piece, pieces},
};
use anyhow::{Context, Result, bail};
use flate2::{Compression, write::GzEncoder};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsString,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

/// What the modules are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The folder of the committed modules.
pub fn committed(project: &Project) -> PathBuf {
    project.book().join("figures/wasm")
}

/// Compiles every figure that has a sandbox and replaces the committed modules; says what each weighs.
///
/// # Errors
/// If the toolchain lacks the target or a figure does not compile for it.
pub fn rebuild(project: &Project) -> Result<()> {
    if !has_target() {
        bail!("this toolchain cannot compile for the browser; its fix: rustup target add {TARGET}");
    }
    let folder = committed(project);
    fs::create_dir_all(&folder)?;
    let mut kept = BTreeSet::new();
    println!("      bytes  gz script  module");
    for figure in book_figures::FIGURES.iter().filter(|figure| figure.sandbox.is_some()) {
        let module = compile(project, figure.name)?;
        let file = folder.join(format!("{}.wasm", figure.name));
        let before = fs::read(&file).ok();
        println!("{:>11} {:>10}  {}", module.len(), gz(script(figure.name, &module)?.as_bytes())?.len(), figure.name);
        if before.as_deref() != Some(&module) {
            fs::write(&file, module)?;
        }
        kept.insert(file);
    }
    for entry in fs::read_dir(&folder)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "wasm") && !kept.contains(&file) {
            fs::remove_file(file)?;
        }
    }
    Ok(())
}

/// Puts the modules, and the player, that `html`, the page at `page`, needs into `out`; the page with their addresses.
pub(crate) fn place(project: &Project, out: &Path, page: &str, html: &str) -> Result<String> {
    let mut text = String::with_capacity(html.len());
    let mut done = 0;
    for piece in pieces(html) {
        let Piece::Tag(tag) = piece else { continue };
        let Some(name) = tag.attribute("data-module") else { continue };
        let module = put(out, page, name, &script(name, &module(project, name)?)?)?;
        let mut source = tag.source.replace(&format!("data-module=\"{name}\""), &format!("data-module=\"{module}\""));
        if let Some(name) = tag.attribute("data-player") {
            let player = put(out, page, name, &player(project)?)?;
            source = source.replace(&format!("data-player=\"{name}\""), &format!("data-player=\"{player}\""));
        }
        text.push_str(&html[done..tag.start]);
        text.push_str(&source);
        done = tag.end();
    }
    Ok(text + &html[done..])
}

/// Puts `script` into `out`, under a name that changes with it; its address from `page`.
fn put(out: &Path, page: &str, name: &str, script: &str) -> Result<String> {
    let mut hash = DefaultHasher::new();
    script.hash(&mut hash);
    let file = format!("figures/{name}-{:08x}.js", hash.finish() as u32);
    if !out.join(&file).exists() {
        fs::create_dir_all(out.join("figures"))?;
        fs::write(out.join(&file), script)?;
    }
    Ok("../".repeat(page.matches('/').count()) + &file)
}

/// The player of runs: the kit's own, with its style, and what connects it to a sandbox.
fn player(project: &Project) -> Result<String> {
    let connection = fs::read_to_string(project.book().join("theme/js/run.js"))?;
    let style = serde_json::to_string(&lean(kit::trace::PLAYER_STYLE))?;
    Ok(format!(
        "{}document.head.appendChild(document.createElement('style')).textContent = {style};\n{}",
        lean(kit::trace::PLAYER_SCRIPT),
        lean(&connection)
    ))
}

/// `script`, or a style sheet, without lines that are nothing but a comment and without indentation. No text of ours goes on over
/// the end of its line, so nothing that is said changes.
fn lean(script: &str) -> String {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.fold(String::with_capacity(script.len()), |lean, line| lean + line + "\n")
}

/// The module of the figure `name`: compiled once by this process where that can be done, or else the committed one.
fn module(project: &Project, name: &str) -> Result<Vec<u8>> {
    static MODULES: Mutex<BTreeMap<(PathBuf, String), Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (project.root.clone(), name.to_owned());
    if let Some(module) = modules.get(&key) {
        return Ok(module.clone());
    }
    let file = committed(project).join(format!("{name}.wasm"));
    let module = if has_target() {
        compile(project, name)?
    } else {
        fs::read(&file).with_context(|| {
            format!("figure `{name}` has no module: {} cannot be read; its fix: cargo xtask book wasm", file.display())
        })?
    };
    modules.insert(key, module.clone());
    Ok(module)
}

fn has_target() -> bool {
    static HAS: Mutex<Option<bool>> = Mutex::new(None);
    *HAS.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| {
        let output = Command::new(rustc()).args(["--print", "target-libdir", "--target", TARGET]).output();
        output.is_ok_and(|output| {
            let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            let mut files = fs::read_dir(folder).into_iter().flatten().flatten();
            files.any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
        })
    })
}

/// Compiles the module of one figure. The figures themselves are compiled once for all; a module is then linked in a second or
/// two, and not at all if nothing has changed since.
fn compile(project: &Project, name: &str) -> Result<Vec<u8>> {
    let target = project.target.join("figures");
    let built = target.join(TARGET).join("figure");
    cargo(project, &target, "book-figures", "")?;
    let figures = fs::read(built.join("libbook_figures.rlib")).context("cargo made no library of figures")?;
    let mut hash = DefaultHasher::new();
    (figures, fs::read(project.book().join("figures/live/src/lib.rs"))?).hash(&mut hash);
    let file = target.join(format!("{name}-{:016x}.wasm", hash.finish()));
    if let Ok(module) = fs::read(&file) {
        return Ok(module);
    }
    cargo(project, &target, "book-live", name)?;
    let module = fs::read(built.join("book_live.wasm")).context("cargo made no module")?;
    fs::write(file, &module)?;
    Ok(module)
}

fn cargo(project: &Project, target: &Path, package: &str, figure: &str) -> Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(&project.root).env("BOOK_FIGURE", figure).env("CARGO_ENCODED_RUSTFLAGS", flags(project));
    command.args(["build", "--quiet", "--profile", "figure", "--target", TARGET, "--package", package, "--target-dir"]);
    let status = command.arg(target).status().context("cargo cannot be started")?;
    if !status.success() {
        bail!("{package} {figure} does not compile for the browser");
    }
    Ok(())
}

/// Flags that keep the paths of this machine out of the modules: a panic's place is part of what is compiled.
fn flags(project: &Project) -> OsString {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok()).into_iter().flatten().flatten();
    let mut folders: Vec<_> = registries.map(|entry| (entry.path(), "registry")).collect();
    folders.push((project.root.clone(), "workbook"));
    let mut flags = OsString::new();
    for (folder, name) in folders {
        flags.push(if flags.is_empty() { "--remap-path-prefix=" } else { "\u{1f}--remap-path-prefix=" });
        flags.push(folder);
        flags.push("=");
        flags.push(name);
    }
    flags
}

fn rustc() -> OsString {
    env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// The script that brings `module` to a page.
fn script(name: &str, module: &[u8]) -> Result<String> {
    Ok(format!("sandbox({name:?},\"{}\")\n", base64(&gz(module)?)))
}

fn gz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(if digit <= group.len() { char::from(DIGITS[value as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn what_is_left_out_of_a_script_is_for_its_authors() {
        assert_eq!(lean("// Why.\n\n  a('//');\n    // How.\n  b();\n"), "a('//');\nb();\n");
    }

    #[test]
    fn no_text_in_a_script_goes_on_over_the_end_of_its_line() {
        for line in kit::trace::PLAYER_SCRIPT.lines().chain(include_str!("../../theme/js/run.js").lines()) {
            assert!(line.matches('`').count() % 2 == 0 && !line.ends_with('\\'), "{line}");
        }
    }

    /// The examples of RFC 4648, section 10.
    #[test]
    fn base64_is_that_of_the_rfc() {
        let examples =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in examples {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
