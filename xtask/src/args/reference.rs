//! `book/src/reference/commands.md`, written from the table of commands: `BLESS=1 cargo test -p xtask` writes it, and without
//! `BLESS` the test fails when it is stale.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{COMMANDS, Command, NAMES, as_sentence};

const PAGE: &str = "book/src/reference/commands.md";

fn page() -> String {
    let mut text = String::from(
        "# Every command\n\n\
         <!-- Written by `BLESS=1 cargo test -p xtask` from the table in xtask/src/args.rs; a test compares. -->\n\n\
         What `cargo xtask COMMAND --help` says, on one page. [The runner](runner.md) says what to use it for.\n\n\
         Without a command, `cargo xtask` says where you are and what is next.\n\n",
    );
    let _ = writeln!(text, "{}\n", sentence(&NAMES.replace('\n', " ")));
    text.push_str("| command | what it does |\n|---|---|\n");
    for command in COMMANDS {
        let _ = writeln!(text, "| [`{0}`](#{0}) | {1} |", command.name, command.summary);
    }
    for command in COMMANDS {
        text.push_str(&section(command));
    }
    text
}

fn section(command: &Command) -> String {
    let Command { name, summary, help, options, .. } = command;
    let mut text = format!("\n## {name}\n\n```sh\ncargo xtask {}\n```\n\n{}", command.usage(), as_sentence(summary));
    if !help.is_empty() {
        let _ = write!(text, " {}", sentence(&help.replace('\n', " ")));
    }
    text.push('\n');
    if !options.is_empty() {
        text.push('\n');
    }
    for option in *options {
        let value = option.value.map_or_else(String::new, |value| format!(" {value}"));
        let _ = writeln!(text, "* `--{}{value}`: {}", option.name, sentence(option.help));
    }
    text
}

/// A line of help for a page: what it quotes is code already, and what a page would read as HTML is not there.
fn sentence(text: &str) -> String {
    assert!(!text.contains('<'), "`{text}` would be read as HTML");
    text.to_owned()
}

#[test]
fn the_page_of_all_commands_is_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE);
    let expected = page();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &expected).expect("the page can be written");
    }
    let found = fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
    assert!(found == expected, "{PAGE} is stale: `BLESS=1 cargo test -p xtask` writes it");
}

#[test]
fn the_guide_mentions_every_command() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src/reference/runner.md");
    let guide = fs::read_to_string(guide).expect("the guide can be read");
    for command in COMMANDS {
        let words = format!("cargo xtask {}", command.name);
        assert!(guide.contains(&words), "book/src/reference/runner.md does not mention `{words}`");
    }
}
