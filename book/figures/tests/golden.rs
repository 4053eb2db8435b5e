//! Every figure's drawings, kept as files: a change of picture or sentence shows in review.
//!
//! `BLESS=1 cargo test -p book-figures` writes them anew.

use book_figures::{FIGURES, Params, draw};
use std::{fs, path::PathBuf};

#[test]
fn every_figure_draws_what_its_golden_files_show() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for figure in FIGURES {
        assert!(
            !figure.golden.is_empty(),
            "figure {} keeps no golden drawing: name its parameters in `figures!`",
            figure.name
        );
        for text in figure.golden {
            let params = Params::parse(text).unwrap_or_else(|e| panic!("golden parameters of {}: {e}", figure.name));
            let drawing = draw(figure.name, &params).unwrap_or_else(|e| panic!("golden drawing `{text}`: {e}"));
            let now = format!("{}<!-- {} -->\n<!-- {} -->\n", drawing.svg, drawing.sentence, drawing.alt);
            let file = folder.join(format!("{}{}.svg", figure.name, slug(text)));
            if bless {
                fs::create_dir_all(&folder).expect("the golden folder can be made");
                fs::write(&file, &now).expect("the golden file can be written");
            }
            let kept = fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
            if kept != now {
                wrong.push(format!(
                    "{} {text}: differs from {}\n  now: {}",
                    figure.name,
                    file.display(),
                    drawing.sentence
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\nlook at the change, then BLESS=1 cargo test -p book-figures", wrong.join("\n"));
}

#[test]
fn every_drawing_can_be_read_by_everyone() {
    for figure in FIGURES {
        let drawing = draw(figure.name, &Params::default()).expect("a figure draws with its defaults");
        let name = figure.name;
        assert!(drawing.svg.starts_with("<svg"), "{name}: the drawing is one svg element");
        assert!(
            drawing.sentence.ends_with('.') && drawing.sentence.contains(|c: char| c.is_ascii_digit()),
            "{name}: the sentence states a result with its number: {}",
            drawing.sentence
        );
        assert!(
            drawing.alt.len() >= 20,
            "{name}: the alternative text says what the picture looks like: {}",
            drawing.alt
        );
        assert!(!drawing.alt.contains(&drawing.sentence), "{name}: who listens would be told its sentence twice");
        for colour in ["fill=\"#", "stroke=\"#", "fill:#", "stroke:#", "rgb("] {
            assert!(!drawing.svg.contains(colour), "{name}: `{colour}` does not follow the theme; use its classes");
        }
    }
}

#[test]
fn drawing_twice_gives_the_same_bytes() {
    for figure in FIGURES {
        let first = draw(figure.name, &Params::default()).expect("draws");
        let second = draw(figure.name, &Params::default()).expect("draws");
        assert_eq!(first, second, "{}", figure.name);
    }
}

fn slug(params: &str) -> String {
    params.split_whitespace().map(|pair| format!("-{}", pair.replace(['=', ',', '"'], "-"))).collect()
}
