//! Three servers, one of them slow: where each policy sends a minute's requests, what piles up, and how long people wait.
//!
//! Parameters: `policy` (`turn`, `chance`, `two` or `least`), `slow` (how many times longer the third server takes, 1 to 20),
//! `rate` (requests a second, 10 to 200).

use crate::svg::{Anchor, Axes, Bar, Scale, Svg, WIDTH, series};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox};
use balancers::{Connection, LeastConnections, RoundRobin, Server, two_choices};
use kit::rand::RngExt as _;
use kit::{Rng, Seed};
use std::collections::VecDeque;

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "balancing",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["policy=turn", "policy=two", "policy=least rate=140", "policy=chance slow=1"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "One of three servers takes five times as long as the others. When requests go *in turn*, 99 of 100 answers come within 134 \
                   seconds. Now two servers are drawn at random for each request, and it goes to the one that has fewer open. Within what \
                   time do 99 of 100 come?",
        guesses: &[
            "About a minute: two of three draws have the slow one among them",
            "About ten seconds",
            "About half a second",
        ],
        answer: "541 milliseconds. The slow one is drawn often, and loses nearly always: it has more open. It gets 601 of 5,951 requests, \
                 ten a second, which is what it can bear. To ask all three brings 495 ms.",
    },
    controls: &[
        Control::choice(
            "policy",
            "The next goes",
            &[
                ("turn", "in turn"),
                ("chance", "to one at random"),
                ("two", "to the better of two"),
                ("least", "where fewest are open"),
            ],
            "turn",
        ),
        Control::slider("slow", "The third server takes", "× as long", &["1", "2", "3", "5", "10", "20"], "5"),
        Control::slider(
            "rate",
            "Requests",
            "a second",
            &["20", "25", "30", "35", "40", "60", "80", "100", "105", "110", "115", "120", "140", "160", "200"],
            "100",
        ),
    ],
    presets: &[
        Preset {
            name: "In turn",
            params: "policy=turn",
            story: "A third each is a fair share, and more than three times what the third server can do in a second. Its queue grows to the \
                    end; the two others are bored.",
        },
        Preset {
            name: "At random",
            params: "policy=chance",
            story: "Chance spreads requests as turns do, only less evenly. It knows nothing either.",
        },
        Preset {
            name: "The better of two",
            params: "policy=two",
            story: "The same chance, and one comparison. Look at the scale of the chart: from a thousand open requests to a dozen.",
        },
        Preset {
            name: "Fewest open",
            params: "policy=least",
            story: "All three are asked, and it is hardly better than two. Nobody told the balancer which server is slow.",
        },
        Preset {
            name: "Too much",
            params: "policy=least rate=120",
            story: "50, 50 and 10 a second are 110. More is more than anybody can distribute: all three queues grow.",
        },
    ],
    task: "At how many requests a second does the third server begin to drown when they go in turn, and at how many when they go where \
           fewest are open? Work out both before you move the slider: each is one line of arithmetic.",
};

const SERVERS: usize = 3;
/// How long a healthy server works on a request, in milliseconds; it does one after the other.
const WORK: u64 = 20;
/// How long requests come, in milliseconds.
const LENGTH: u64 = 60_000;
const SAMPLE: u64 = 500;
const POLICIES: [(&str, &str, &str); 4] = [
    ("turn", "in turn", "In turn"),
    ("chance", "at random", "One at random"),
    ("two", "better of two", "The better of two"),
    ("least", "fewest open", "Where fewest are open"),
];

/// Sends the same minute of requests by each policy of the reference solution, and draws one of them in full.
fn draw(p: &Params) -> Drawing {
    let wanted = p.text("policy", "turn");
    let policy = POLICIES.iter().position(|(name, ..)| *name == wanted).unwrap_or(0);
    let slow = p.count("slow", 5).clamp(1, 20);
    let rate = p.count("rate", 100).clamp(10, 200);
    let runs: Vec<Run> = POLICIES.iter().map(|(name, ..)| Run::of(name, slow, rate)).collect();
    let run = &runs[policy];

    let mut svg = Svg::new(WIDTH, 426.0);
    draw_queues(&mut svg, run);
    let bars = |title: &str, top: f64, svg: &mut Svg, value: &dyn Fn(usize) -> f64, note: &dyn Fn(usize) -> String| {
        svg.text("ink small strong", (8.0, top - 10.0), Anchor::Start, title);
        let bars: Vec<Bar> = (0..POLICIES.len())
            .map(|at| Bar {
                label: POLICIES[at].1.to_owned(),
                value: value(at),
                note: note(at),
                class: if at == policy { "s3".to_owned() } else { "s7".to_owned() },
            })
            .collect();
        let max = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        svg.bars(112.0, 318.0, top, max, &bars);
    };
    // A hundred seconds and twenty milliseconds on one scale: each tenfold is as long as the next.
    let scale = Scale::Log(10.0, 1e6);
    bars(
        "99 of 100 answers come within (log scale)",
        320.0,
        &mut svg,
        &|at| scale.place(runs[at].quantile(99) as f64),
        &|at| time(runs[at].quantile(99)),
    );

    let slowest = SERVERS - 1;
    let sentence = format!(
        "{}: of {} requests in a minute the third server gets {}, and {} are open there at the end. Half of all answers come within {}, \
         99 of 100 within {}.",
        POLICIES[policy].2,
        grouped(run.waits.len() as u64),
        grouped(run.sent[slowest]),
        grouped(run.open.last().map_or(0, |open| open[slowest])),
        time(run.quantile(50)),
        time(run.quantile(99)),
    );
    let alt = "Three lines over a minute, the open requests at each server; below, a bar for each of four policies with the time within which \
               99 of 100 answers come.";
    Drawing::new(svg, sentence, alt)
}

/// What one policy made of the minute.
struct Run {
    sent: [u64; SERVERS],
    /// How many were open at each server, every [`SAMPLE`] milliseconds.
    open: Vec<[u64; SERVERS]>,
    /// How long each request took from its arrival, in milliseconds, sorted.
    waits: Vec<u64>,
}

impl Run {
    fn of(policy: &str, slow: u64, rate: u64) -> Self {
        // The same arrivals for every policy; chance of its own for those that draw.
        let (mut arrivals, mut chance) = (Seed(1).rng(), Seed(2).rng());
        let mut balancer = Balancer::new(policy);
        let mut queues: [VecDeque<(u64, Option<Connection>)>; SERVERS] = std::array::from_fn(|_| VecDeque::new());
        let mut run = Self { sent: [0; SERVERS], open: vec![], waits: vec![] };
        for now in 0..LENGTH {
            for queue in &mut queues {
                while queue.front().is_some_and(|(ends, _)| *ends <= now) {
                    balancer.done(queue.pop_front().and_then(|(_, connection)| connection));
                }
            }
            if arrivals.random_range(0..1_000) < rate {
                let (server, connection) = balancer.pick(&queues.each_ref().map(|queue| queue.len() as u32), &mut chance);
                let work = if server == SERVERS - 1 { WORK * slow } else { WORK };
                let ends = queues[server].back().map_or(now, |(ends, _)| *ends) + work;
                queues[server].push_back((ends, connection));
                run.sent[server] += 1;
                run.waits.push(ends - now);
            }
            if (now + 1) % SAMPLE == 0 {
                run.open.push(queues.each_ref().map(|queue| queue.len() as u64));
            }
        }
        run.waits.sort_unstable();
        run
    }

    /// Within what time `percent` of a hundred answers came.
    fn quantile(&self, percent: usize) -> u64 {
        let at = (self.waits.len() * percent).div_ceil(100).saturating_sub(1);
        self.waits.get(at).copied().unwrap_or(0)
    }
}

/// The reference solution's policies, and blind chance.
enum Balancer {
    Turn(RoundRobin),
    Chance,
    Two,
    Least(LeastConnections),
}

impl Balancer {
    fn new(policy: &str) -> Self {
        match policy {
            "chance" => Self::Chance,
            "two" => Self::Two,
            "least" => Self::Least(LeastConnections::new(SERVERS)),
            _ => Self::Turn(RoundRobin::new(&[1; SERVERS])),
        }
    }

    fn pick(&mut self, open: &[u32; SERVERS], chance: &mut Rng) -> (usize, Option<Connection>) {
        let all: [Server; SERVERS] = std::array::from_fn(Server);
        let mut draw = |below: usize| chance.random_range(0..below as u64) as usize;
        let server = match self {
            Self::Turn(turn) => turn.pick(|_| true),
            Self::Chance => Some(Server(draw(SERVERS))),
            Self::Two => two_choices(&all, |server| open[server.0], draw),
            Self::Least(least) => {
                let connection = least.pick(|_| true).expect("every server is usable");
                return (connection.server().0, Some(connection));
            }
        };
        (server.expect("every server is usable").0, None)
    }

    fn done(&mut self, connection: Option<Connection>) {
        if let (Self::Least(least), Some(connection)) = (self, connection) {
            least.done(connection);
        }
    }
}

fn draw_queues(svg: &mut Svg, run: &Run) {
    let most = run.open.iter().flatten().copied().max().unwrap_or(0).max(5);
    let step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000].into_iter().find(|step| most / step <= 5).unwrap_or(10_000);
    let ticks: Vec<(f64, String)> = (0..=most / step).map(|i| ((i * step) as f64, grouped(i * step))).collect();
    let ticks: Vec<_> = ticks.iter().map(|(at, label)| (*at, label.as_str())).collect();
    let axes = Axes {
        left: 52.0,
        right: 296.0,
        top: 34.0,
        bottom: 216.0,
        x: Scale::Linear(0.0, LENGTH as f64 / 1_000.0),
        y: Scale::Linear(0.0, most as f64 * 1.05),
    };
    axes.draw(svg, ("seconds", &[(0.0, "0"), (20.0, "20"), (40.0, "40"), (60.0, "60")]), ("requests open at each server", &ticks));
    let names = ["first", "second", "third"];
    let at = |sample: usize, open: u64| axes.at(((sample + 1) as u64 * SAMPLE) as f64 / 1_000.0, open as f64);
    for server in 0..SERVERS {
        let points: Vec<_> = run.open.iter().enumerate().map(|(sample, open)| at(sample, open[server])).collect();
        svg.polyline(&format!("{} line", series(server)), &points);
    }
    // Names stand in the order of the lines' ends, apart enough to be read.
    let mut ends: Vec<(f64, usize)> =
        (0..SERVERS).map(|server| (at(0, run.open.last().map_or(0, |open| open[server])).1, server)).collect();
    ends.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut lowest = axes.bottom + 22.0;
    for (y, server) in ends {
        lowest = (y + 5.0).min(lowest - 18.0);
        let words = format!("{}: {}", names[server], grouped(run.open.last().map_or(0, |open| open[server])));
        svg.text(&format!("{} small strong", series(server)), (axes.right + 6.0, lowest), Anchor::Start, &words);
    }
}

fn time(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..10_000 => format!("{:.1} s", milliseconds as f64 / 1_000.0),
        _ => format!("{:.0} s", milliseconds as f64 / 1_000.0),
    }
}

fn grouped(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}
