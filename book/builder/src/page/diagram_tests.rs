use super::*;

fn drawn(source: &str) -> String {
    write(&Ariel, "what it shows", source, "d-page-1").expect("it can be drawn")
}

const FLOW: &str = "flowchart LR\n  A[Client] -->|write x=1| B(Node 1)\n  B -. cut .- C{Node 2}\n";
const SEQUENCE: &str = "sequenceDiagram\n  participant A as Alice\n  participant L as Lock\n  A->>L: acquire\n  L-->>A: token 33\n  \
    Note over A: paused 30 s\n  loop every second\n    A->>L: renew\n  end\n  alt yes\n    L->>A: ok\n  else no\n    L-xA: lost\n  end\n";
const STATES: &str = "stateDiagram-v2\n  [*] --> Follower\n  Follower --> Candidate: timeout\n  Candidate --> Leader: majority\n  \
    Leader --> Follower: higher term\n  Leader --> [*]\n";
const GROUPS: &str = "flowchart TB\n  subgraph east\n    A[Node 1]\n  end\n  subgraph west\n    B[Node 2]\n  end\n  A -->|x| B\n  B ==> A\n";

#[test]
fn every_kind_of_diagram_uses_only_the_themes_colours() {
    for source in [FLOW, SEQUENCE, STATES, GROUPS] {
        let html = drawn(source);
        for piece in pieces(&html) {
            let Piece::Tag(tag) = piece else { continue };
            for (name, value) in tag.attributes() {
                assert!(
                    !value.contains('#') || name == "marker-end" || name == "marker-start",
                    "{name}={value}\n{html}"
                );
                assert!(!value.contains("hsl(") && !value.contains("rgb"), "{name}={value}\n{html}");
            }
        }
        assert!(html.contains("aria-label=\"what it shows\""), "{html}");
        assert_eq!(html.lines().count(), 1, "one line, or Markdown ends the block early");
    }
}

#[test]
fn only_markers_in_use_stay_and_their_ids_are_the_books() {
    let html = drawn(FLOW);
    assert_eq!(html.matches("<marker").count(), 1, "{html}");
    assert!(html.contains("id=\"d-page-1-0\"") && html.contains("url(#d-page-1-0)"), "{html}");
    assert!(!html.contains("mermaid-"), "{html}");
}

#[test]
fn a_wide_diagram_scrolls_rather_than_shrinking_its_text_below_11_px() {
    let svg = "<svg viewBox=\"0 0 800 100\"><text fill=\"#333\">x</text></svg>";
    let html = themed(svg, "wide", "d").expect("legal");
    assert!(
        html.starts_with(
            "<svg viewBox=\"0 0 800 100\" role=\"img\" aria-label=\"wide\" style=\"min-width:550px;max-width:800px\">"
        ),
        "{html}"
    );
}

#[test]
fn a_colour_that_the_theme_does_not_know_is_an_error() {
    let error = themed("<svg viewBox=\"0 0 8 8\"><rect fill=\"#c0ffee\"></rect></svg>", "x", "d").unwrap_err();
    assert!(error.contains("#c0ffee"), "{error}");
}

#[test]
fn a_diagram_without_description_or_content_is_an_error() {
    assert!(write(&Ariel, "", FLOW, "d").unwrap_err().contains("no description"));
    assert!(write(&Ariel, "x", "  \n", "d").unwrap_err().contains("empty"));
    assert!(write(&Ariel, "x", "no such diagram\n", "d").unwrap_err().contains("cannot be drawn"));
}
