//! The diagrams of the book, read by a stricter parser than the one that draws them, and the drawing itself, kept as files.
//!
//! `BLESS=1 cargo test -p book-builder --test diagrams` writes the drawings anew.

use book_builder::{
    page::{Ariel, draw_diagram, mermaid_sources},
    site,
};
use merman_core::{Engine, ParseOptions};
use std::{fs, path::Path};

fn fault(source: &str) -> Option<String> {
    match Engine::new().parse_diagram_sync(source, ParseOptions::strict()) {
        Ok(Some(_)) => None,
        Ok(None) => Some("no kind of diagram that this book draws".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn every_diagram_of_the_book_is_written_correctly() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let mut faults = Vec::new();
    for file in site::files(&pages).expect("the pages can be read") {
        if file.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&file).expect("a page is text");
            let page = file.strip_prefix(&pages).unwrap_or(&file).display().to_string();
            faults.extend(
                mermaid_sources(&text)
                    .iter()
                    .filter_map(|(line, source)| fault(source).map(|what| format!("book/src/{page}:{line}: {what}"))),
            );
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn sources_that_the_renderer_forgives_are_refused() {
    for malformed in [
        "flowchart LR\n  A[Client --> B\n",
        "flowchart LR\n  A ->> B\n",
        "sequenceDiagram\n  A->>L acquire\n",
        "sequenceDiagram\n  loop x\n  A->>L: acquire\n",
        "stateDiagram-v2\n  [*] --> \n",
    ] {
        assert!(fault(malformed).is_some(), "{malformed}");
    }
}

#[test]
fn each_kind_of_diagram_is_drawn_as_its_file_shows() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drawings");
    for (name, source) in [
        (
            "flowchart",
            "flowchart LR\n  C[Client] -->|write x=1| A(Node 1)\n  A -. cut .- B{Node 2}\n  B --> D[(Disk)]\n",
        ),
        (
            "groups",
            "flowchart TB\n  subgraph east\n    A[Node 1]\n  end\n  subgraph west\n    B[Node 2]\n  end\n  A -->|x| B\n  B ==> A\n",
        ),
        (
            "sequence",
            "sequenceDiagram\n  participant A as Alice\n  participant L as Lock\n  A->>L: acquire\n  L-->>A: token 33\n  Note over A: paused 30 s\n  loop every second\n    A->>L: renew\n  end\n  L--xA: lost\n",
        ),
        (
            "states",
            "stateDiagram-v2\n  [*] --> Follower\n  Follower --> Candidate: timeout\n  Candidate --> Leader: majority\n  Leader --> Follower: higher term\n",
        ),
    ] {
        assert_eq!(fault(source), None, "{name}");
        let now = draw_diagram(&Ariel, name, source, "d").expect("it can be drawn").replace("><", ">\n<") + "\n";
        let file = folder.join(format!("{name}.svg.html"));
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(&folder).expect("the folder can be made");
            fs::write(&file, &now).expect("the file can be written");
        }
        let kept = fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
        assert!(kept == now, "{name} is drawn differently from {}; look, then bless", file.display());
    }
}
