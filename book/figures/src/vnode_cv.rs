//! How uneven a ring is, over the points that each machine has: as a hash function makes it, as the formula expects it, and as
//! far as luck goes.
//!
//! Parameters: `hash` (`xxh64`, `crc32` or `fnv1a`), `machines` (2 to 20), `points` (for each machine: 1, 4, 16, 64 or 256), `cluster` (which names).

use crate::svg::{Anchor, Axes, Scale, Svg, WIDTH};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox};
use kit::Seed;
use kit::rand::RngExt as _;
use vnode_variance::{Hash, cv, expected_cv, fair, hashed, limit, shares};

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "vnode-cv",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["hash=xxh64 points=16", "hash=fnv1a points=16", "hash=crc32 points=256"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "FNV-1a places the points of ten machines, `eu0-cache-3#0` and so on. Instead of one point each you give them four, numbered 0 to 3. The formula \
                   expects half the unevenness, 0.47 instead of 0.90. What happens?",
        guesses: &["It falls by half, as it should", "It falls, but by less", "It stays exactly as it is"],
        answer: "It stays exactly as it is, 1.59. Names that differ in their last character alone come to lie side by side, within two parts in 100,000 of the circle. \
                 Four points are one point, drawn four times.",
    },
    controls: &[
        Control::choice("hash", "The hash function", &[("xxh64", "XXH64"), ("crc32", "CRC-32"), ("fnv1a", "FNV-1a")], "xxh64"),
        Control::slider("points", "Points for each machine", "", &["1", "4", "16", "64", "256"], "16"),
        Control::slider("machines", "Machines", "", &["2", "3", "5", "10", "20"], "10"),
        Control::slider("cluster", "Which cluster", "", &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], "0"),
    ],
    presets: &[
        Preset {
            name: "XXH64",
            params: "hash=xxh64 points=16",
            story: "It goes down with the formula, now above it, now below. The dashed line says how far luck reaches: one fair ring in a hundred lies above.",
        },
        Preset {
            name: "FNV-1a, four points",
            params: "hash=fnv1a points=4",
            story: "The first stretch of the curve is level: four points are as bad as one.",
        },
        Preset {
            name: "FNV-1a, sixteen",
            params: "hash=fnv1a points=16",
            story: "From the tenth point on, a second digit is in the name, and the curve takes one step down. Then it is level again.",
        },
        Preset {
            name: "CRC-32, 64 points",
            params: "hash=crc32 points=64",
            story: "It began worst of all, and here it seems to have mended itself: 0.14, which fair rings exceed too.",
        },
        Preset {
            name: "CRC-32, 256 points",
            params: "hash=crc32 points=256",
            story: "Four times the points, and it is *worse*. Whoever tested it at 64 has not seen it.",
        },
    ],
    task: "CRC-32 with 64 points: in how many of the ten clusters is the dashed line exceeded? A fair function would manage that in one cluster of a hundred. How often \
           would a test of a single cluster have found nothing?",
};

const POINTS: [usize; 5] = [1, 4, 16, 64, 256];
/// As many fair rings as it takes to say what one in a hundred does.
const FAIR: u64 = 99;
const FALSE_ALARM: f64 = 0.01;

/// Measures one cluster at each number of points, and fair rings beside it.
fn draw(p: &Params) -> Drawing {
    let (hash, name) = match p.text("hash", "xxh64").as_str() {
        "crc32" => (Hash::Crc32, "CRC-32"),
        "fnv1a" => (Hash::Fnv1a, "FNV-1a"),
        _ => (Hash::Xxh64, "XXH64"),
    };
    let wanted = p.count("points", 16);
    let chosen = POINTS.iter().position(|points| *points as u64 >= wanted).unwrap_or(POINTS.len() - 1);
    let machines = p.count("machines", 10).clamp(2, 20) as usize;
    let cluster = p.count("cluster", 0);
    let names: Vec<String> = (0..machines).map(|machine| format!("eu{cluster}-cache-{machine}")).collect();

    let measured = POINTS.map(|points| cv(&shares(&hashed(hash, &names, points), machines)));
    let expected = POINTS.map(|points| expected_cv(machines, points));
    let limits = POINTS.map(|points| {
        let mut rng = Seed(1).rng();
        let fair_cvs: Vec<f64> =
            (0..FAIR).map(|_| cv(&shares(&fair(machines, points, || rng.random()), machines))).collect();
        limit(&fair_cvs, FALSE_ALARM).expect("there are enough fair rings for one in a hundred")
    });

    let mut svg = Svg::new(WIDTH, 288.0);
    draw_curves(&mut svg, name, &measured, &expected, &limits, chosen);
    let (points, cv, limit) = (POINTS[chosen], measured[chosen], limits[chosen]);
    let verdict = if cv > limit { "this one does: that is hardly bad luck" } else { "this one does not" };
    let sentence = format!(
        "{name}, {machines} machines, {} each: the loads' coefficient of variation is {cv:.2}. The formula expects {:.2}; one fair ring in a \
         hundred exceeds {limit:.2}, and {verdict}.",
        if points == 1 { "one point".to_owned() } else { format!("{points} points") },
        expected[chosen],
    );
    let alt = "Coefficient of variation over the points for each machine, both in tenfold steps: what is measured, what the formula \
               expects, and what one fair ring in a hundred exceeds.";
    Drawing::new(svg, sentence, alt)
}

fn draw_curves(svg: &mut Svg, name: &str, measured: &[f64], expected: &[f64], limits: &[f64], chosen: usize) {
    let axes = Axes { left: 52.0, right: 296.0, top: 30.0, bottom: 232.0, x: Scale::Log(1.0, 256.0), y: Scale::Log(0.02, 4.5) };
    let x: [(f64, &str); 5] = [(1.0, "1"), (4.0, "4"), (16.0, "16"), (64.0, "64"), (256.0, "256")];
    let y = [(0.02, "0.02"), (0.05, "0.05"), (0.1, "0.1"), (0.2, "0.2"), (0.5, "0.5"), (1.0, "1"), (2.0, "2"), (4.0, "4")];
    axes.draw(svg, ("points for each machine", &x), ("coefficient of variation", &y));
    let curve = |values: &[f64]| -> Vec<(f64, f64)> {
        POINTS.iter().zip(values).map(|(points, value)| axes.at(*points as f64, value.max(0.02))).collect()
    };
    let (measured, expected, limits) = (curve(measured), curve(expected), curve(limits));
    svg.polyline("ink line", &expected);
    svg.polyline("muted line dashed", &limits);
    svg.polyline("s1 line", &measured);
    svg.circle("s1 fill", measured[chosen], 6.0);
    // Names stand beside the ends of their lines, far enough apart to be read.
    let mut ends = [(measured[4].1, "s1 small strong", name), (expected[4].1, "ink small", "formula"), (limits[4].1, "muted small", "1 in 100")];
    ends.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut lowest = axes.bottom + 22.0;
    for (y, class, words) in ends {
        lowest = (y + 5.0).min(lowest - 18.0);
        svg.text(class, (axes.right + 10.0, lowest), Anchor::Start, words);
    }
}
