//! A Bloom filter's bits, how often it errs, and how that depends on the number of probes.
//!
//! Parameters: `bits` (in the filter), `probes` (for each key, 1 to 16), `keys` (inserted).

use crate::svg::{Anchor, Axes, Scale, Svg, WIDTH, within};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox};
use bloom_filter::{BloomFilter, Shape, hashes_for};

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "bloom-filter",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["bits=9600 probes=7 keys=1000", "bits=9600 probes=1 keys=1000", "bits=9600 probes=7 keys=5000"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "A filter of 9,600 bits holds 1,000 keys, with 7 probes each; of 100 unseen keys it mistakes one. You double the probes, so that an \
                   unseen key must pass twice as many. How many of 100 does it mistake now?",
        guesses: &["Hardly any", "Half a one", "One, as before", "Two or three"],
        answer: "2.57. Each key sets twice as many bits, so that 77 % of them are set instead of 52 %, and the fourteen questions are easier than the seven were.",
    },
    controls: &[
        Control::slider(
            "probes",
            "Probes for each key",
            "",
            &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"],
            "7",
        ),
        Control::slider("keys", "Keys inserted", "", &["100", "200", "500", "1000", "2000", "5000", "10000"], "1000"),
        Control::slider("bits", "Bits", "", &["2400", "4800", "9600", "19200", "38400"], "9600"),
    ],
    presets: &[
        Preset {
            name: "As planned",
            params: "probes=7",
            story: "Half of the bits are set, and one unseen key in a hundred finds all of its seven among them.",
        },
        Preset {
            name: "One probe",
            params: "probes=1",
            story: "Few bits are set, and one question is not much of an examination.",
        },
        Preset {
            name: "Fourteen probes",
            params: "probes=14",
            story: "Twice the questions, and easier ones: look at the strip. The curve has its lowest point where half the bits are set.",
        },
        Preset {
            name: "Five times the keys",
            params: "keys=5000",
            story: "Nobody stopped the inserting. The filter now says *perhaps* to nearly everything, and still denies nobody whom it knows.",
        },
        Preset {
            name: "Twice the bits",
            params: "bits=19200 probes=13",
            story: "Twice the memory, with the probes that go with it, squares the error: one in a hundred becomes one in ten thousand.",
        },
    ],
    task: "The filter was planned for 1,000 keys, with 9,600 bits and 7 probes, and then 2,000 came. Had you known, how many probes would you have chosen, \
           and how much would that have saved?",
};

/// Unseen keys that the filter is asked for.
const UNSEEN: u64 = 100_000;
const MOST_PROBES: u32 = 16;
/// The strip shows the first bits of the filter.
const ROWS: u64 = 4;
const COLUMNS: u64 = 64;

/// Fills the reference filter, asks it for every key it has and for many it has not, and draws what it said.
fn draw(p: &Params) -> Drawing {
    let bits = p.count("bits", 9_600).clamp(64, 1 << 24);
    let probes = p.count("probes", 7).clamp(1, u64::from(MOST_PROBES)) as u32;
    let keys = p.count("keys", 1_000).clamp(1, 1_000_000);

    let with_probes = |probes| Shape::new(bits, probes).expect("bits and probes are within their limits");
    let shape = with_probes(probes);
    let mut filter = BloomFilter::new(shape);
    (0..keys).for_each(|i| filter.insert(&key(b'i', i)));
    let denied = (0..keys).filter(|&i| !filter.might_contain(&key(b'i', i))).count();
    let mistaken = (0..UNSEEN).filter(|&i| filter.might_contain(&key(b'u', i))).count();
    let measured = mistaken as f64 / UNSEEN as f64;
    let curve: Vec<_> = (1..=MOST_PROBES).map(|k| (k, with_probes(k).false_positive_rate(keys))).collect();
    let best = hashes_for(shape.bits(), keys);

    let mut svg = Svg::new(WIDTH, 336.0);
    draw_strip(&mut svg, &filter);
    draw_curve(&mut svg, &curve, (probes, measured), best);

    let set = percent(filter.set_bits() as f64 / shape.bits() as f64);
    let sentence = format!(
        "{} keys in {} bits, {} each: {} of the bits are set. Of the {} keys {} denied; of {} keys that were never \
         inserted {} are mistaken for seen ones ({}; the formula says {}). The best number of probes here is {best}.",
        grouped(keys),
        grouped(shape.bits()),
        if probes == 1 { "1 probe".to_owned() } else { format!("{probes} probes") },
        set,
        grouped(keys),
        if denied == 0 { "none is".to_owned() } else { format!("{denied} are") },
        grouped(UNSEEN),
        grouped(mistaken as u64),
        percent(measured),
        percent(shape.false_positive_rate(keys)),
    );
    let alt = format!(
        "A strip with the filter's first {} bits, {set} of all bits being set, above a curve of the false-positive rate over \
         the number of probes; a dot on the curve marks what was measured with {probes}.",
        ROWS * COLUMNS
    );
    Drawing::new(svg, sentence, alt)
}

fn key(kind: u8, i: u64) -> [u8; 9] {
    let mut key = [kind; 9];
    key[1..].copy_from_slice(&i.to_le_bytes());
    key
}

/// One cell a bit, filled where it is set; neighbours that are set become one bar.
fn draw_strip(svg: &mut Svg, filter: &BloomFilter) {
    let (left, top, cell, height) = (8.0, 30.0, 6.0, 13.0);
    let shown = (ROWS * COLUMNS).min(filter.shape().bits());
    svg.text("ink small", (left, 18.0), Anchor::Start, &format!("the first {shown} bits: filled = set"));
    let is_set = |bit: u64| bit < shown && filter.words()[(bit / 64) as usize] >> (bit % 64) & 1 == 1;
    for row in 0..shown / COLUMNS {
        let y = top + row as f64 * (height + 3.0);
        let mut column = 0;
        while column < COLUMNS {
            let from = column;
            while column < COLUMNS && is_set(row * COLUMNS + column) {
                column += 1;
            }
            if column > from {
                svg.rect("s0 fill", (left + from as f64 * cell, y), (column - from) as f64 * cell, height);
            }
            column += 1;
        }
        svg.rect("axis line", (left, y), COLUMNS as f64 * cell, height);
    }
}

fn draw_curve(svg: &mut Svg, curve: &[(u32, f64)], (probes, measured): (u32, f64), best: u32) {
    let axes = Axes {
        left: 62.0,
        right: 388.0,
        top: 138.0,
        bottom: 282.0,
        x: Scale::Linear(0.5, f64::from(MOST_PROBES) + 0.5),
        y: Scale::Log(1e-4, 1.0),
    };
    let ticks = [1, 4, 7, 10, 13, 16].map(|k| (f64::from(k), k.to_string()));
    let ticks: Vec<_> = ticks.iter().map(|(at, label)| (*at, label.as_str())).collect();
    let rates = [(1.0, "100 %"), (0.1, "10 %"), (0.01, "1 %"), (1e-3, "0.1 %"), (1e-4, "0.01 %")];
    axes.draw(svg, ("probes for each key", &ticks), ("unseen keys mistaken", &rates));

    let at = |k: u32, rate: f64| axes.at(f64::from(k), within(rate, 1e-4, 1.0));
    svg.polyline("s0 line", &curve.iter().map(|&(k, rate)| at(k, rate)).collect::<Vec<_>>());
    if best <= MOST_PROBES {
        let (x, _) = at(best, 1.0);
        svg.line("muted dashed", (x, axes.top), (x, axes.bottom));
        let (anchor, x) = if best > MOST_PROBES / 2 { (Anchor::End, x - 5.0) } else { (Anchor::Start, x + 5.0) };
        svg.text("muted small", (x, axes.bottom - 6.0), anchor, &format!("best: {best}"));
    }
    let (x, y) = at(probes, measured);
    svg.circle("s1 fill", (x, y), 6.0);
    let (anchor, x) = if probes > MOST_PROBES / 2 { (Anchor::End, x - 10.0) } else { (Anchor::Start, x + 10.0) };
    let above = if y < axes.top + 34.0 { y + 22.0 } else { y - 22.0 };
    svg.text("ink small strong", (x, above), anchor, &format!("measured: {}", percent(measured)));
}

fn percent(share: f64) -> String {
    let digits = if share >= 0.1 { 0 } else { 2 };
    format!("{:.digits$} %", share * 100.0)
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
