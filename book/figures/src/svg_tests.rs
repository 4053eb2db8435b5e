use super::*;
use pretty_assertions::assert_eq;

#[test]
fn a_picture_names_itself_and_escapes_what_it_says() {
    let mut svg = Svg::new(WIDTH, 40.0);
    svg.text("ink", (1.0, 2.5), Anchor::Middle, "R + W > N & \"more\"");
    assert_eq!(
        svg.finish("a < b"),
        "<svg class=\"drawing\" viewBox=\"0 0 400 40\" role=\"img\" aria-label=\"a &lt; b\">\n\
         <text class=\"ink\" x=\"1\" y=\"2.5\" text-anchor=\"middle\">R + W &gt; N &amp; &quot;more&quot;</text>\n</svg>\n"
    );
}

#[test]
fn a_ring_starts_at_the_top_and_runs_clockwise() {
    let round = |(x, y): (f64, f64)| (x.round(), y.round());
    assert_eq!(round(on_ring((100.0, 100.0), 50.0, 0.0)), (100.0, 50.0));
    assert_eq!(round(on_ring((100.0, 100.0), 50.0, 0.25)), (150.0, 100.0));
    assert_eq!(round(on_ring((100.0, 100.0), 50.0, 0.75)), (50.0, 100.0));
}

#[test]
fn a_whole_turn_is_a_circle_because_an_arc_of_360_degrees_draws_nothing() {
    let mut svg = Svg::new(200.0, 200.0);
    svg.arc("s0", (100.0, 100.0), 80.0, 12.0, 0.2, 1.2);
    assert!(svg.body.starts_with("<circle"), "{}", svg.body);
    let mut svg = Svg::new(200.0, 200.0);
    svg.arc("s0", (100.0, 100.0), 80.0, 12.0, 0.0, 0.75);
    assert!(svg.body.contains("A80 80 0 1 1 20 100"), "{}", svg.body);
}

#[test]
fn values_fall_on_linear_and_logarithmic_axes() {
    let axes = Axes {
        left: 40.0,
        right: 240.0,
        top: 10.0,
        bottom: 110.0,
        x: Scale::Log(1.0, 100.0),
        y: Scale::Linear(0.0, 2.0),
    };
    assert_eq!(axes.at(10.0, 1.0), (140.0, 60.0));
    assert_eq!(axes.at(1.0, 0.0), (40.0, 110.0));
    assert_eq!(axes.at(100.0, 2.0), (240.0, 10.0));
}

#[test]
fn bars_never_leave_their_space_and_never_turn_negative() {
    let bar = |value| Bar { label: "A".into(), value, note: "x".into(), class: series(9) };
    let mut svg = Svg::new(WIDTH, 100.0);
    let below = svg.bars(50.0, 250.0, 0.0, 10.0, &[bar(20.0), bar(-1.0), bar(f64::NAN)]);
    assert_eq!(below, 72.0);
    assert!(svg.body.contains(r#"class="s1 fill" x="50" y="1" width="200""#), "{}", svg.body);
    assert_eq!(svg.body.matches(r#"width="0""#).count(), 2, "{}", svg.body);
}

#[test]
fn coordinates_have_one_spelling() {
    assert_eq!([num(1.0), num(0.126), num(-0.001), num(99.999)], ["1", "0.13", "0", "100"].map(String::from));
}
