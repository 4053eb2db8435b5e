//! One stall, seen by a client that waits for each answer: its quantiles as measured, and corrected.
//!
//! Parameters: `interval` (of the client's requests, in milliseconds), `calm` (how long the server answers in a
//! millisecond, in seconds), `stall` (how long it then does not answer, in seconds).

use crate::svg::{Anchor, Axes, Scale, Svg, WIDTH};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox};
use histogram::{Histogram, Interval, Micros, Quantile};
use std::num::NonZeroU64;

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "histogram-stall",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["interval=10 calm=100 stall=100", "interval=10 calm=100 stall=1"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "A server answers in a millisecond for 100 seconds and then not at all for 100 seconds. A script asks every 10 milliseconds, but waits for \
                   each answer first. Within what time, does it report, were 99 of 100 requests answered? And what would customers have said, who do not wait \
                   for each other?",
        guesses: &["1 ms, and so would they", "1 ms, and they about 99 s", "About 50 s, and so would they"],
        answer: "1 ms, and 98.6 s. One of its 10,001 requests was slow, for it sent no others. In those 100 seconds 9,999 were due.",
    },
    controls: &[
        Control::slider("stall", "It stalls for", "s", &["1", "2", "5", "10", "20", "50", "100"], "100"),
        Control::slider("calm", "Before, it answers for", "s", &["10", "20", "50", "100", "200", "500", "1000"], "100"),
        Control::slider("interval", "The script asks every", "ms", &["10", "20", "50", "100", "200", "500", "1000"], "10"),
    ],
    presets: &[
        Preset {
            name: "Half of the time",
            params: "stall=100",
            story: "The server was away for half of the time. The lower curve does not leave its millisecond until the very end.",
        },
        Preset {
            name: "A tenth",
            params: "stall=10",
            story: "Away for ten seconds of 110. The curves part where one request in eleven is due during the stall.",
        },
        Preset {
            name: "A second",
            params: "stall=1",
            story: "Now 99 of 100 customers really notice nothing. The two curves part at the last hundredth.",
        },
        Preset {
            name: "A slower script",
            params: "interval=1000",
            story: "Asking less often costs resolution and nothing else: the corrected curve is the same. The other is as wrong as before.",
        },
    ],
    task: "After 1,000 calm seconds, what is the longest of these stalls that 99 of 100 customers do not notice? What is the rule?",
};

const MILLISECOND: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// Points on each curve, from the 0th to the 99.999th percentile.
const POINTS: u32 = 200;
const RAREST: f64 = 100_000.0;

/// Records the same answers twice, as measured and corrected, and draws both.
fn draw(p: &Params) -> Drawing {
    let interval = p.count("interval", 10).clamp(2, 1_000) * MILLISECOND;
    let calm = p.count("calm", 100).clamp(1, 1_000) * SECOND;
    let stall = p.count("stall", 100).clamp(1, 1_000) * SECOND;

    let every = Interval(NonZeroU64::new(interval).expect("an interval is at least two milliseconds"));
    let mut measured = Histogram::default();
    let mut corrected = Histogram::default();
    let answers = std::iter::repeat_n(MILLISECOND, (calm / interval) as usize).chain([stall]);
    for answer in answers.map(Micros) {
        measured.record(answer);
        corrected.record_corrected(answer, every);
    }

    let mut svg = Svg::new(WIDTH, 262.0);
    let axes = Axes { left: 62.0, right: 366.0, top: 24.0, bottom: 206.0, x: Scale::Log(1.0, RAREST), y: Scale::Log(0.0005, 1_000.0) };
    let percentiles = [(1.0, "0"), (10.0, "90"), (100.0, "99"), (1_000.0, "99.9"), (10_000.0, "99.99"), (RAREST, "99.999")];
    let latencies = [(0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"), (10.0, "10 s"), (100.0, "100 s")];
    axes.draw(&mut svg, ("percentile", &percentiles), ("latency", &latencies));
    for (class, histogram) in [("s0 line", &corrected), ("s1 line", &measured)] {
        let points: Vec<_> = (0..=POINTS).map(|i| axes.at(rarity(i), seconds(at(histogram, rarity(i))))).collect();
        svg.polyline(class, &points);
    }
    let (x, y) = axes.at(30.0, seconds(at(&corrected, 30.0)));
    svg.text("s0 small strong", (x, y - 10.0), Anchor::Middle, "corrected");
    let (x, y) = axes.at(30.0, seconds(at(&measured, 30.0)));
    svg.text("s1 small strong", (x, y - 10.0), Anchor::Middle, "as measured");

    let sentence = format!(
        "As measured: {} requests, {} on average, 75 % of them within {}, 99 % within {}. Corrected: {} requests, {} on average, \
         75 % within {}, 99 % within {}.",
        grouped(measured.count()),
        time(measured.mean().expect("something was recorded")),
        time(at(&measured, 4.0)),
        time(at(&measured, 100.0)),
        grouped(corrected.count()),
        time(corrected.mean().expect("something was recorded")),
        time(at(&corrected, 4.0)),
        time(at(&corrected, 100.0)),
    );
    let alt = format!(
        "Latency over percentile, twice. As measured, the curve stays at a millisecond and jumps to {} at the very end. \
         Corrected, it leaves the millisecond early and rises to {} with all the requests that were due during the stall.",
        time(at(&measured, RAREST)),
        time(at(&corrected, RAREST)),
    );
    Drawing::new(svg, sentence, alt)
}

/// One in how many requests is slower, for the `i`-th point of a curve.
fn rarity(i: u32) -> f64 {
    RAREST.powf(f64::from(i) / f64::from(POINTS))
}

/// The latency that one request in `rarity` exceeds, or reaches.
fn at(histogram: &Histogram, rarity: f64) -> Micros {
    let parts = (1_000_000.0 * (1.0 - 1.0 / rarity)).round() as u32;
    let share = Quantile::per_million(parts.clamp(1, 1_000_000)).expect("it was clamped to a share");
    histogram.quantile(share).expect("something was recorded")
}

fn seconds(Micros(latency): Micros) -> f64 {
    latency as f64 / SECOND as f64
}

fn time(latency: Micros) -> String {
    if latency.0 >= SECOND {
        format!("{:.1} s", seconds(latency))
    } else {
        format!("{:.1} ms", latency.0 as f64 / MILLISECOND as f64)
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
