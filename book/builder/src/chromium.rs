//! Chromium, if this machine has one: it looks at pages in tests, and prints the book.

use std::{
    env,
    path::{Path, PathBuf},
};

/// What it is started with: no window, nothing written into the person's profile, no word to anybody else.
pub const ARGUMENTS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// The program that the variable `CHROMIUM` names, else the first that is found under a name that it has somewhere.
pub fn find() -> Option<PathBuf> {
    if let Some(named) = env::var_os("CHROMIUM") {
        return Some(PathBuf::from(named));
    }
    let elsewhere = [
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    ];
    program(&["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"])
        .or_else(|| elsewhere.into_iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned))
}

/// The first of `names` on the path.
pub fn program(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd"] } else { &[""] };
    let folders: Vec<_> = env::split_paths(&path).collect();
    names.iter().find_map(|name| {
        let candidates =
            folders.iter().flat_map(|folder| endings.iter().map(move |ending| folder.join(format!("{name}{ending}"))));
        candidates.into_iter().find(|candidate| candidate.is_file())
    })
}
