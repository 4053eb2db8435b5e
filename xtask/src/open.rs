//! `open EX`: its page in the browser.

use std::path::Path;
use std::process::{Command, Stdio};

use catalog::Exercise;

use crate::args::Parsed;
use crate::failure::Failure;
use crate::handout;
use crate::report;
use crate::ui;
use crate::workbook::Workbook;

pub(crate) fn run(parsed: &Parsed) -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    let exercise = workbook.one(parsed.one_word()?)?;
    ui::print(&page(&workbook, exercise));
    Ok(true)
}

/// Opens the page from the server if one runs, else from the built book, else its Markdown; says what it did.
pub(crate) fn page(workbook: &Workbook, exercise: &Exercise) -> String {
    let built = workbook.target.join("book").join(exercise.page_url());
    let place = match report::served_at(&workbook.target) {
        Some(address) => format!("{address}/{}", exercise.page_url()),
        None if built.is_file() => built.display().to_string(),
        None => {
            let handed_out = handout::built_page(&workbook.catalog.root, &exercise.page_url());
            handed_out.unwrap_or_else(|| exercise.page()).display().to_string()
        }
    };
    show(&place)
}

/// Hands `place` to the desktop. Where there is none, the place itself is the answer.
pub(crate) fn show(place: &str) -> String {
    if in_browser(place) { format!("opened {place}\n") } else { format!("open this in a browser: {place}\n") }
}

fn in_browser(place: &str) -> bool {
    let has_desktop = cfg!(not(target_os = "linux"))
        || ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"].iter().any(|name| std::env::var_os(name).is_some());
    let browser = std::env::var_os("BROWSER");
    let mut command = match browser {
        Some(browser) => Command::new(browser),
        None if cfg!(target_os = "macos") => Command::new("open"),
        None if cfg!(windows) => {
            let mut command = Command::new("cmd");
            command.args(["/C", "start", ""]);
            command
        }
        None => Command::new("xdg-open"),
    };
    command.arg(Path::new(place)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    has_desktop && command.spawn().is_ok()
}
