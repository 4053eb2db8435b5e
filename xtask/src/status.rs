//! `cargo xtask` alone: progress by chapter, the next exercise, the two commands to go on.

use std::fmt::Write as _;

use judge::Status;
use judge::progress::Progress;

use crate::failure::Failure;
use crate::report;
use crate::ui;
use crate::workbook::Workbook;

pub(crate) fn run() -> Result<bool, Failure> {
    let workbook = Workbook::open()?;
    ui::print(&text(&workbook));
    Ok(true)
}

/// The list, instantly and never stale: nothing is built, and only verdicts on the present sources count.
pub(crate) fn text(workbook: &Workbook) -> String {
    let progress = workbook.progress();
    let mut text = String::new();
    for chapter in &workbook.catalog.chapters {
        let _ = writeln!(text, "{}", ui::bold(&format!("{:>2}  {}", chapter.number, chapter.title)));
        for (exercise, progress) in progress.iter().filter(|(exercise, _)| exercise.id.chapter() == chapter.slug) {
            let (mark, words) = line(progress);
            let _ = writeln!(text, "    {mark} {:<24} {words}", exercise.id.name());
        }
    }
    let solved = progress.iter().filter(|(_, progress)| progress.is_solved()).count();
    let _ = writeln!(text, "\n{solved} of {} solved", ui::count(progress.len(), "exercise"));
    if let Some(next) = workbook.next(None) {
        let _ = writeln!(text, "\nNext: {} ({} min)\n  {}", ui::bold(&next.title), next.minutes, next.summary);
        let _ = writeln!(text, "\n  Read   {}", report::page(workbook, next, "your-task"));
        let _ = writeln!(text, "  Write  {}", workbook.relative(&next.stub()));
        let _ = writeln!(text, "\n  cargo xtask start              the book beside your code, checks on every save");
        let _ = writeln!(text, "  cargo xtask check {:<12} one verdict now", next.package());
    } else if !progress.is_empty() {
        let _ = writeln!(text, "\n{} Everything is solved.", ui::good("✓"));
    }
    for problem in &workbook.problems.0 {
        let _ = writeln!(
            text,
            "\n{} {}: {}\n  fix: {}",
            ui::warn("!"),
            workbook.relative(&problem.file),
            problem.what,
            problem.fix
        );
    }
    text
}

fn line(progress: &Progress) -> (String, String) {
    match progress {
        Progress::NotStarted => (ui::dim("·"), ui::dim("not started")),
        Progress::Unknown => (ui::warn("?"), "changed since its last check".to_owned()),
        Progress::Known(verdict) => match verdict.status {
            Status::Solved => (ui::good("✓"), "solved".to_owned()),
            Status::BuildError => (ui::bad("✗"), "does not compile".to_owned()),
            Status::Failing if verdict.passed() == 0 && verdict.tests.iter().all(judge::TestVerdict::is_unwritten) => {
                (ui::dim("·"), ui::dim("not started"))
            }
            Status::Failing => {
                (ui::bad("✗"), format!("{} of {}", verdict.passed(), ui::count(verdict.tests.len(), "test")))
            }
        },
    }
}
