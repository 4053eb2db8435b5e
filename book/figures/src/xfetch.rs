//! When readers of a cached value refresh it, and how many do so at once, with coins and without.
//!
//! Parameters: `beta` (how eager readers are, 0.1 to 8), `recompute` (seconds to compute the value, 1 to 20), `rate` (readers
//! a second, 0.1 to 200), `ttl` (seconds that a value may be used).

use crate::svg::{Anchor, Axes, Bar, Scale, Svg, WIDTH, within};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox};
use kit::{Millis, Seed};
use xfetch::load::{Arrivals, Load, Run, run};
use xfetch::{Beta, PerSecond, mean_herd, mean_lead_ms, pressure};

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "xfetch",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["beta=1 recompute=3 rate=10", "beta=4 recompute=3 rate=10", "beta=1 recompute=3 rate=0.5"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "With β = 1 three readers compute the front page at once instead of thirty, and the origin computes it 200 times an hour. To be on the \
                   safe side you set β to 8. How often does it compute now?",
        guesses: &["Less often: hardly anybody computes in vain", "As often", "Ten times as often and more"],
        answer: "About fifteen times as often. At β = 8 the first volunteer wants to come 145 seconds before expiry, and the page lives for 60: it is computed again almost \
                 as soon as it is stored. Give it 600 seconds to live, and the same β does no harm.",
    },
    controls: &[
        Control::slider("beta", "β, the readers' eagerness", "", &["0.25", "0.5", "1", "2", "4", "8"], "1"),
        Control::slider("rate", "Readers", "a second", &["0.5", "1", "2", "5", "10", "20", "50", "100"], "10"),
        Control::slider("recompute", "To compute it takes", "s", &["1", "2", "3", "5", "10"], "3"),
        Control::slider("ttl", "It lives for", "s", &["30", "60", "120", "300", "600"], "60"),
    ],
    presets: &[
        Preset {
            name: "The front page",
            params: "beta=1",
            story: "Somebody volunteers twelve seconds early, two others join before the first is done, and nobody waits.",
        },
        Preset {
            name: "Too timid",
            params: "beta=0.25",
            story: "The first volunteer comes two seconds early, and computing takes three: the others reach the expiry before it is done.",
        },
        Preset {
            name: "Too eager",
            params: "beta=8",
            story: "No herd, and look at the lowest bars: the origin works harder than without any protection.",
        },
        Preset {
            name: "Eager, and patient",
            params: "beta=8 ttl=600",
            story: "The same eagerness, ten times the time to live. Being early is measured in seconds, and here there are enough of them.",
        },
        Preset {
            name: "Hardly any readers",
            params: "rate=0.5",
            story: "No readers, no volunteers: one value in four expires. That is no harm, for no herd comes either.",
        },
    ],
    task: "The page becomes slow: it takes 10 seconds to compute. Which β lets the origin work least, at 60 seconds to live? And why is it not a greater one?",
};

/// How many readers each of the two runs lasts for.
const READS: f64 = 150_000.0;
const BINS: usize = 30;

/// Lets the same readers read from the reference cache twice, with β as given and with β = 0, and draws what they did.
fn draw(p: &Params) -> Drawing {
    let beta = Beta::new(within(p.number("beta", 1.0), 0.1, 8.0)).unwrap_or(Beta::ONE);
    let recompute = Millis((within(p.number("recompute", 3.0), 1.0, 20.0) * 1_000.0) as u64);
    let rate = PerSecond(within(p.number("rate", 10.0), 0.1, 200.0));
    let ttl = Millis((within(p.number("ttl", 60.0), 10.0, 3_600.0) * 1_000.0) as u64);

    let load = Load { rate, arrivals: Arrivals::Poisson, recompute, ttl };
    let length = Millis((READS / rate.0 * 1_000.0) as u64);
    let hours = length.0 as f64 / 3_600_000.0;
    let plain = run(Seed(1), load, Beta::new(0.0).unwrap_or(Beta::ONE), length);
    let coins = run(Seed(1), load, beta, length);

    let (l, scale) = (pressure(rate, recompute, beta), beta.get() * recompute.0 as f64);
    let forecast = mean_lead_ms(rate, recompute, beta).max(0.0) / 1_000.0;
    let widest = ((l.ln().max(0.0) + 4.0) * scale).min(ttl.0 as f64) / 1_000.0;

    let mut svg = Svg::new(WIDTH, 336.0);
    // How many would volunteer earlier than that, since the value was stored; the first bar stands for all that came earlier still.
    let before = |lead: f64| l * ((-lead * 1_000.0 / scale).exp() - (-(ttl.0 as f64) / scale).exp());
    draw_leads(&mut svg, &coins, widest, |lead| if lead < widest { (-before(lead)).exp() } else { 1.0 });
    let herds = [&plain, &coins].map(mean_size);
    let names = ["β = 0".to_owned(), format!("β = {}", beta.get())];
    draw_pair(&mut svg, 230.0, "readers who recompute at once, on average", &names, herds, 1);
    let work = [&plain, &coins].map(|run| run.recomputations as f64 / hours);
    draw_pair(&mut svg, 298.0, "computations an hour", &names, work, 0);

    let early = coins.herds.iter().filter(|herd| herd.lead.is_some()).count();
    let mean_lead = coins.herds.iter().filter_map(|herd| herd.lead).map(|lead| lead.0 as f64).sum::<f64>()
        / 1_000.0
        / early.max(1) as f64;
    // The forecasts are limits: many readers, and a time to live much longer than the lead.
    let holds = l > 3.0 * mean_herd(beta) && ttl.0 as f64 > 2_000.0 * forecast;
    let forecasts =
        if holds { format!("; the forecasts are {forecast:.1} s and {:.1}", mean_herd(beta)) } else { String::new() };
    let sentence = format!(
        "{} readers a second, {} s to compute, β = {}: {early} of {} values were refreshed early, {mean_lead:.1} s before expiry \
         on average, and {:.1} readers computed at once, {:.0} times an hour{forecasts}. With a plain time to live {:.1} readers compute at once, and \
         wait for it.",
        rate.0,
        recompute.0 as f64 / 1_000.0,
        beta.get(),
        coins.herds.len(),
        herds[1],
        work[1],
        herds[0],
    );
    let alt = format!(
        "A histogram of when the first reader begins to refresh a value, in seconds before it expires, with its expected shape; \
         below it bars compare a plain time to live with β = {}: readers at once, and computations an hour.",
        beta.get()
    );
    Drawing::new(svg, sentence, alt)
}

fn mean_size(run: &Run) -> f64 {
    run.herds.iter().map(|herd| herd.size as f64).sum::<f64>() / run.herds.len().max(1) as f64
}

/// The shares of first volunteers by their lead, and the law that they follow: `below(x)` come later than x seconds before expiry.
fn draw_leads(svg: &mut Svg, coins: &Run, widest: f64, below: impl Fn(f64) -> f64) {
    let mut bins = [0_u64; BINS];
    for lead in coins.herds.iter().filter_map(|herd| herd.lead) {
        let bin = lead.0 as f64 / 1_000.0 / widest * BINS as f64;
        bins[(bin as usize).min(BINS - 1)] += 1;
    }
    let edge = |bin: usize| bin as f64 * widest / BINS as f64;
    let expected: Vec<f64> = (0..BINS).map(|bin| below(edge(bin + 1)) - below(edge(bin))).collect();
    let share = |bin: usize| bins[bin] as f64 / coins.herds.len().max(1) as f64;
    let top = (0..BINS).map(share).chain(expected.iter().copied()).fold(0.02_f64, f64::max) * 1.1;
    let axes = Axes {
        left: 44.0,
        right: 388.0,
        top: 30.0,
        bottom: 150.0,
        x: Scale::Linear(widest, 0.0),
        y: Scale::Linear(0.0, top),
    };
    let step = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0].into_iter().find(|step| widest / step <= 7.0);
    let step = step.unwrap_or(1_000.0);
    let ticks: Vec<(f64, String)> =
        (0..=(widest / step) as u32).map(|i| (f64::from(i) * step, format!("{}", f64::from(i) * step))).collect();
    let ticks: Vec<_> = ticks.iter().map(|(at, label)| (*at, label.as_str())).collect();
    axes.draw(svg, ("seconds before expiry", &ticks), ("the first volunteer (bars: run, line: law)", &[(0.0, "0")]));
    for bin in 0..BINS {
        let ((left, upper), (right, base)) = (axes.at(edge(bin + 1), share(bin)), axes.at(edge(bin), 0.0));
        svg.rect("s0 fill", (left, upper), right - left - 1.0, base - upper);
    }
    let middle = |bin: usize| (edge(bin) + edge(bin + 1)) / 2.0;
    svg.polyline("s1 line", &(0..BINS).map(|bin| axes.at(middle(bin), expected[bin])).collect::<Vec<_>>());
}

fn draw_pair(svg: &mut Svg, top: f64, title: &str, names: &[String; 2], values: [f64; 2], digits: usize) {
    svg.text("ink small strong", (8.0, top - 22.0), Anchor::Start, title);
    let bars: Vec<Bar> = (0..2)
        .map(|i| Bar {
            label: names[i].clone(),
            value: values[i],
            note: format!("{:.digits$}", values[i]),
            class: if i == 0 { "s1".into() } else { "s0".into() },
        })
        .collect();
    svg.bars(76.0, 330.0, top - 16.0, values[0].max(values[1]), &bars);
}
