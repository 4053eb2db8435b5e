//! A hash ring, the load of its nodes, what moves when one leaves, and how much of all that is luck.
//!
//! Parameters: `nodes` (1 to 8), `vnodes` (points for each node), `seed` (which cluster), `remove` (`yes`: the last node leaves).

use crate::svg::{Anchor, Axes, Bar, Scale, Svg, WIDTH, on_ring, series};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox};
use hash_ring::{Node, Ring, hash64};
use std::collections::BTreeSet;
use std::num::NonZeroU32;

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "hash-ring",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["nodes=4 vnodes=1 remove=yes", "nodes=4 vnodes=16 remove=yes", "nodes=8 vnodes=32"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "Four nodes share the keys. In nine clusters of ten the busiest shall hold at most 1.2 times its fair share. How \
                   many points on the ring does each node need?",
        guesses: &["4", "16", "64", "256"],
        answer: "It needs 64. With 16 points each the busiest holds up to 1.50 times its share in nine clusters of ten, with 64 up to 1.18. \
                 Luck averages out with the *square root* of the number of points: to halve the excess takes four times as many.",
    },
    controls: &[
        Control::slider("vnodes", "Points for each node", "", &["1", "2", "4", "8", "16", "32", "64", "128", "256"], "1"),
        Control::slider("nodes", "Nodes", "", &["1", "2", "3", "4", "5", "6", "7", "8"], "4"),
        Control::slider("seed", "Which cluster", "", &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"], "9"),
        Control::choice("remove", "The last node", &[("no", "stays"), ("yes", "leaves")], "no"),
    ],
    presets: &[
        Preset {
            name: "One point each",
            params: "vnodes=1",
            story: "A tick on the ring is a point; the arc before it, clockwise, is its node's. Four random points do not make quarters: the \
                    busiest holds twice its share.",
        },
        Preset {
            name: "A lucky cluster",
            params: "vnodes=1 seed=3",
            story: "The same setting, other names of machines: 1.12. Whoever measured this cluster alone would be content. The chart shows \
                    fifty clusters.",
        },
        Preset {
            name: "One leaves",
            params: "vnodes=1 remove=yes",
            story: "The outer ring shows who inherits: all of it falls to *one* neighbour, which did not ask for it.",
        },
        Preset {
            name: "Sixteen points, one leaves",
            params: "vnodes=16 remove=yes",
            story: "Now the arcs of the one that leaves fall to all the others. As many keys move as before, and nobody gets all of them.",
        },
        Preset {
            name: "256 points",
            params: "vnodes=256",
            story: "The luck is nearly gone: whichever cluster you choose, its busiest node is within a few per cent of the others.",
        },
    ],
    task: "With 16 points each, look for the fairest of the thirteen clusters and for the least fair. Had you measured the first \
           alone, by how much would your plan have been wrong for the other?",
};

const KEYS: u32 = 4096;
/// How many other clusters show what is luck.
const CLUSTERS: u64 = 50;
const VNODES: [u32; 5] = [1, 4, 16, 64, 256];

/// Draws the ring from where its keys lie and who owns them: the figure knows no more of a ring than a client does.
fn draw(p: &Params) -> Drawing {
    let count = p.count("nodes", 4).clamp(1, 8) as usize;
    let vnodes = p.count("vnodes", 1).clamp(1, 256) as u32;
    let seed = p.count("seed", 9);
    let leaver = (p.flag("remove", false) && count > 1).then(|| count - 1);

    let nodes = cluster(seed, count);
    let before = ring(&nodes, vnodes);
    let mut after = before.clone();
    if let Some(leaver) = leaver {
        after.remove(&nodes[leaver]);
    }
    let arcs = arcs(&nodes, &before, &after);

    let mut svg = Svg::new(WIDTH, 420.0);
    draw_ring(&mut svg, &arcs, leaver);
    draw_loads(&mut svg, &loads(&nodes, &before), leaver.map(|_| loads(&nodes, &after)).as_deref());
    let peak = busiest(&before);
    let bands = VNODES.map(|v| (v, band(count, v)));
    draw_luck(&mut svg, &bands, (vnodes, peak));

    let Band { low, high, .. } = band(count, vnodes);
    let points = if vnodes == 1 { "one point".to_owned() } else { format!("{vnodes} points") };
    let mut sentence = format!(
        "With {points} for each of {count} nodes, the busiest holds {peak:.2} times its fair share; in one cluster of ten it \
         is under {low:.2}, in one over {high:.2}."
    );
    if let Some(leaver) = leaver {
        let moved = || arcs.iter().filter(|arc| arc.owner != arc.heir);
        let share: f64 = moved().map(|arc| arc.to - arc.from).sum();
        let heirs: BTreeSet<_> = moved().map(|arc| letter(arc.heir)).collect();
        let heirs = heirs.into_iter().collect::<Vec<_>>().join(", ");
        sentence += &format!(
            " Node {} leaves: its {:.0} % of the keys move, to {heirs}; no other key moves.",
            letter(leaver),
            share * 100.0
        );
    }
    let alt = format!(
        "A ring divided among {count} nodes in {} arcs, bars with the load of each node, and a chart of the busiest node's \
         load in {CLUSTERS} clusters, which falls towards its fair share as the number of points for each node grows.",
        arcs.len()
    );
    Drawing::new(svg, sentence, alt)
}

fn cluster(seed: u64, count: usize) -> Vec<Node> {
    (0..count).map(|i| Node::new(format!("eu{seed}-cache-{i}"))).collect()
}

fn ring(nodes: &[Node], vnodes: u32) -> Ring {
    Ring::new(NonZeroU32::new(vnodes).unwrap_or(NonZeroU32::MIN), nodes)
}

fn letter(node: usize) -> String {
    char::from(b'A' + node as u8).to_string()
}

/// Each node's load as a multiple of its fair share among those that are there.
fn loads(nodes: &[Node], ring: &Ring) -> Vec<f64> {
    let shares = ring.shares();
    nodes.iter().map(|node| shares.get(node).copied().unwrap_or(0.0) * shares.len() as f64).collect()
}

fn busiest(ring: &Ring) -> f64 {
    let shares = ring.shares();
    shares.values().copied().fold(0.0, f64::max) * shares.len() as f64
}

/// A stretch of the ring, in turns, with one owner before and one after the last node left.
struct Arc {
    from: f64,
    to: f64,
    owner: usize,
    heir: usize,
}

fn arcs(nodes: &[Node], before: &Ring, after: &Ring) -> Vec<Arc> {
    let index = |ring: &Ring, key: &str| nodes.iter().position(|node| ring.owner(key) == Some(node)).unwrap_or(0);
    let mut keys: Vec<_> = (0..KEYS)
        .map(|i| {
            let key = format!("user:{i}");
            (hash64(key.as_bytes(), 0), index(before, &key), index(after, &key))
        })
        .collect();
    keys.sort_unstable();
    let mut arcs: Vec<Arc> = Vec::new();
    for (at, owner, heir) in keys {
        let at = at as f64 / 2.0_f64.powi(64);
        match arcs.last_mut() {
            Some(arc) if (arc.owner, arc.heir) == (owner, heir) => arc.to = at,
            Some(arc) => {
                let border = f64::midpoint(arc.to, at);
                arc.to = border;
                arcs.push(Arc { from: border, to: at, owner, heir });
            }
            None => arcs.push(Arc { from: 0.0, to: at, owner, heir }),
        }
    }
    if let Some(last) = arcs.last_mut() {
        last.to = 1.0;
    }
    arcs
}

fn draw_ring(svg: &mut Svg, arcs: &[Arc], leaver: Option<usize>) {
    let centre = (105.0, 108.0);
    for arc in arcs {
        svg.arc(&series(arc.owner), centre, 70.0, 22.0, arc.from, arc.to);
        if arc.owner != arc.heir {
            svg.arc(&series(arc.heir), centre, 92.0, 10.0, arc.from, arc.to);
        }
        // An arc ends at a point of its owner; where the drawing begins and ends there is none.
        if arc.to < 1.0 && arcs.len() <= 100 {
            svg.line("ink", on_ring(centre, 57.0, arc.to), on_ring(centre, 83.0, arc.to));
        }
        if arc.to - arc.from > 0.045 {
            let (x, y) = on_ring(centre, 46.0, f64::midpoint(arc.from, arc.to));
            svg.text("ink small", (x, y + 5.0), Anchor::Middle, &letter(arc.owner));
        }
    }
    svg.text("muted small", (centre.0, centre.1 + 5.0), Anchor::Middle, "0 … 2⁶⁴");
    let caption = match leaver {
        Some(node) => format!("outer ring: {}'s heirs", letter(node)),
        None => "who owns which part".to_owned(),
    };
    svg.text("muted small", (centre.0, 226.0), Anchor::Middle, &caption);
}

fn draw_loads(svg: &mut Svg, loads: &[f64], after: Option<&[f64]>) {
    let (left, right, top, edge) = (242.0, 306.0, 42.0, 396.0);
    let max = loads.iter().chain(after.into_iter().flatten()).copied().fold(1.0, f64::max);
    let bars: Vec<_> = loads
        .iter()
        .enumerate()
        .map(|(i, &value)| Bar { label: letter(i), value, note: String::new(), class: series(i) })
        .collect();
    let bottom = svg.bars(left, right, top, max, &bars);
    let heading = if after.is_some() { "load → after it left" } else { "load" };
    svg.text("ink small", (left - 16.0, top - 22.0), Anchor::Start, heading);
    svg.text("muted small", (left - 16.0, top - 6.0), Anchor::Start, "dashed: its fair share");
    let fair = left + (right - left) / max;
    svg.line("ink dashed", (fair, top - 2.0), (fair, bottom));
    for (row, load) in loads.iter().enumerate() {
        let y = top + 24.0 * row as f64;
        let heirs_load = after.map(|after| after[row]);
        let note = match heirs_load {
            None => format!("{load:.2}"),
            Some(0.0) => format!("{load:.2} → gone"),
            Some(new) => {
                let x = left + (right - left) * new / max;
                svg.line("ink strong", (x, y - 1.0), (x, y + 19.0));
                format!("{load:.2} → {new:.2}")
            }
        };
        svg.text("ink small", (edge, y + 13.0), Anchor::End, &note);
    }
}

/// The busiest node's load in many clusters: the tenth, the middle and the ninetieth of a hundred.
struct Band {
    low: f64,
    middle: f64,
    high: f64,
}

fn band(count: usize, vnodes: u32) -> Band {
    let mut peaks: Vec<_> = (0..CLUSTERS).map(|seed| busiest(&ring(&cluster(seed, count), vnodes))).collect();
    peaks.sort_by(f64::total_cmp);
    let at = |part: u64| peaks[(CLUSTERS * part / 10) as usize];
    Band { low: at(1), middle: at(5), high: at(9) }
}

fn draw_luck(svg: &mut Svg, bands: &[(u32, Band)], this: (u32, f64)) {
    let highest = bands.iter().map(|(_, band)| band.high).fold(this.1, f64::max).ceil().max(2.0);
    let axes = Axes {
        left: 44.0,
        right: 380.0,
        top: 272.0,
        bottom: 376.0,
        x: Scale::Log(1.0, 256.0),
        y: Scale::Linear(1.0, highest),
    };
    let labels: Vec<_> = VNODES.iter().map(|v| (f64::from(*v), v.to_string())).collect();
    let x: Vec<_> = labels.iter().map(|(value, label)| (*value, label.as_str())).collect();
    let ticks: Vec<_> = (1..=highest as u32).map(|v| (f64::from(v), format!("{v} ×"))).collect();
    let y: Vec<_> = ticks.iter().map(|(value, label)| (*value, label.as_str())).collect();
    let name = "load of the busiest; bars: 8 of 10 clusters";
    axes.draw(svg, ("points for each node", &x), (name, &y));
    for (v, band) in bands {
        let (x, low) = axes.at(f64::from(*v), band.low);
        let (_, high) = axes.at(f64::from(*v), band.high);
        svg.rect("s0 fill", (x - 4.0, high), 8.0, low - high);
    }
    let middle: Vec<_> = bands.iter().map(|(v, band)| axes.at(f64::from(*v), band.middle)).collect();
    svg.polyline("ink line", &middle);
    let here = axes.at(f64::from(this.0), this.1);
    svg.circle("ink fill", here, 5.0);
    let (anchor, dx) = if this.0 > 64 { (Anchor::End, -10.0) } else { (Anchor::Start, 10.0) };
    svg.text("ink small", (here.0 + dx, here.1 - 4.0), anchor, "this ring");
}
