use super::*;
use pretty_assertions::assert_eq;

struct NoDiagrams;

impl Diagrams for NoDiagrams {
    fn svg(&self, _: &str) -> Result<String, String> {
        Ok("<svg viewBox=\"0 0 160 90\"><text fill=\"#333\">drawn</text></svg>".to_owned())
    }
}

fn page(source: &str) -> Result<String, Vec<Fault>> {
    let world = World { catalog: None, diagrams: &NoDiagrams };
    transform(&world, Path::new("01-tradeoffs/cap-demo.md"), source)
}

fn fault(source: &str) -> (usize, String) {
    let mut faults = page(source).expect_err("the page has a fault");
    assert_eq!(faults.len(), 1, "{faults:?}");
    let fault = faults.remove(0);
    (fault.line, fault.what)
}

#[test]
fn a_page_without_our_syntax_is_left_alone_byte_for_byte() {
    let plain = "# Title\n\nText with `$code$`, \\$5 and $5 to $6.\n\n> [!NOTE]\n> mdBook's own\n\n```rust\n// $x$ {{#exercise}}\n\
                 {{#include ../a.rs:x}}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";
    assert_eq!(page(plain).expect("legal"), plain);
}

#[test]
fn a_predict_box_folds_its_answer_and_keeps_its_markdown() {
    let text = page("before\n\n> [!predict]\n> Safe *now*?\n>\n> ---\n> No. $x^2$\n\nafter\n").expect("legal");
    assert!(
        text.contains(
            "<div class=\"predict\"><p class=\"box-title\">Predict before you read on</p>\n\nSafe *now*?\n\n<details>"
        ),
        "{text}"
    );
    assert!(text.contains("</summary>\n\nNo. <math>"), "{text}");
    assert!(text.contains("</details></div>\n\n"), "{text}");
    assert!(text.ends_with("\nafter\n"), "{text}");
}

#[test]
fn a_predict_box_needs_its_parts_and_says_on_which_line_they_lack() {
    assert_eq!(fault("x\n\n> [!predict]\n> Question?\n").0, 3);
    let (line, what) = fault("> [!predict]\n> Question?\n> ---\n> Answer\n");
    assert_eq!(line, 2);
    assert!(what.contains("empty line before the `---`"), "{what}");
    assert!(fault("> [!predict]\n> Question?\n>\n> ---\n").1.contains("no answer"));
    let (line, what) = fault("> [!predict]\n> Question?\n>\n> ---\n> a\n>\n> $\\frac{1}$\n");
    assert_eq!(line, 7, "{what}");
}

#[test]
fn a_quiz_explains_every_choice() {
    let text =
        page("> [!quiz]\n> Which `a :: b`?\n>\n> - [ ] one `x :: y` :: because\n> - [x] two :: *yes*\n>   and more\n")
            .expect("legal");
    assert!(text.contains("id=\"q-01-tradeoffs-cap-demo-1\"><p>Which <code>a :: b</code>?</p>"), "{text}");
    assert!(
        text.contains("<div class=\"choice wrong\">") && text.contains("one <code>x :: y</code></label>"),
        "{text}"
    );
    assert!(text.contains("<strong>Yes.</strong> <em>yes</em>&#10;and more</div>"), "{text}");
    assert_eq!(text.matches("type=\"radio\" name=\"q-01-tradeoffs-cap-demo-1\"").count(), 2, "{text}");
}

#[test]
fn a_malformed_quiz_names_the_line_and_the_remedy() {
    let (line, what) = fault("> [!quiz]\n> Q?\n>\n> - [ ] a :: no\n> - [x] b\n");
    assert_eq!(line, 5);
    assert!(what.contains("explained after ` :: `"), "{what}");
    let (line, what) = fault("> [!quiz]\n> Q?\n>\n> - a :: no\n> - [x] b :: yes\n");
    assert_eq!(line, 4);
    assert!(what.contains("begins with `- [ ]`"), "{what}");
    assert!(
        fault("> [!quiz]\n> Q?\n>\n> - [ ] a :: no\n> - [ ] b :: no\n").1.contains("no choice of the quiz is right")
    );
    assert!(fault("> [!quiz]\n> Q?\n>\n> - [x] a :: x\n> - [x] b :: y\n").1.contains("2 choices"));
    assert!(fault("> [!quiz]\n> Q?\n").1.contains("at least two choices"));
    assert!(fault("> [!quiz]\n>\n> - [ ] a :: x\n> - [x] b :: y\n").1.contains("no question"));
    assert!(fault("> [!quiz]\n> Q?\n>\n> - [ ] :: x\n> - [x] b :: y\n").1.contains("explained after"));
}

#[test]
fn formulas_become_mathml_in_text_and_on_their_own() {
    let text = page("The load is $\\frac{1}{1-\\rho}$.\n\n$$\nk = \\frac{m}{n} \\ln 2\n$$\n").expect("legal");
    assert!(text.starts_with("The load is <math><mfrac>"), "{text}");
    assert!(text.contains("\n\n<div class=\"formula\" tabindex=\"0\"><math display=\"block\">"), "{text}");
}

#[test]
fn a_formula_that_does_not_parse_names_its_line() {
    let (line, what) = fault("one\n\ntwo $\\frac{1}$ three\n");
    assert_eq!(line, 3);
    assert!(what.contains("`\\frac{1}` does not parse"), "{what}");
}

#[test]
fn a_mermaid_fence_becomes_a_described_figure() {
    let text = page("a\n\n```mermaid,Two nodes & a cut\nflowchart LR\n  A-->B\n```\n\nb\n").expect("legal");
    assert!(text.contains("<figure class=\"diagram\" tabindex=\"0\" aria-label=\"Diagram\"><svg viewBox=\"0 0 160 90\" role=\"img\" aria-label=\"Two nodes &amp; a cut\""), "{text}");
    assert!(text.ends_with("</figure>\n\nb\n"), "{text}");
    let (line, what) = fault("a\n\n```mermaid\nflowchart LR\n```\n");
    assert_eq!(line, 3);
    assert!(what.contains("no description"), "{what}");
}

#[test]
fn directives_that_cannot_be_carried_out_name_their_line() {
    let (line, what) = fault("a\n\n{{#figure no-such-figure x=1}}\n");
    assert_eq!(line, 3);
    assert!(what.contains("there is no figure `no-such-figure`"), "{what}");
    assert!(fault("{{#figure}}\n").1.contains("say which figure"));
    assert!(fault("a {{#exercise}} b\n").1.contains("must stand alone"));
    assert!(fault("{{#exercise}}\n").1.contains("could not be read"));
    assert!(fault("{{#exercise cap-demo}}\n").1.contains("takes no argument"));
}

#[test]
fn every_fault_of_a_page_is_reported_at_once() {
    let faults = page("$\\frac{1}$\n\n{{#figure none}}\n\n> [!quiz]\n> Q?\n").expect_err("three faults");
    assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [1, 3, 5]);
}

#[test]
fn questions_on_lines_of_their_own_become_paragraphs() {
    let text =
        page("# T\n\n**Is it?** No.\\\n**Is *it*?** Yes.\\\nAnd so on,\\\n**bold** or not.\n\n- one.\\\n  **two**\n");
    let expected =
        "# T\n\n**Is it?** No.\n\n**Is *it*?** Yes.\\\nAnd so on,\\\n**bold** or not.\n\n- one.\\\n  **two**\n";
    assert_eq!(text.expect("legal"), expected);
}
