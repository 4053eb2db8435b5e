//! The same requests at four limiters that all promise *100 a second*: what passes, and how much of it within any one second.
//!
//! Parameters: `limiter` (`fixed`, `log`, `counter` or `bucket`), `traffic` (`edge`, `flood`, `even` or `pages`), `burst` (what the bucket
//! holds, 1 to 100).

use crate::svg::{Anchor, Axes, Scale, Svg, WIDTH};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox};
use kit::{Millis, Time};
use sliding_window::{Counter, Limit, Log};
use std::time::Duration;
use token_bucket::TokenBucket;

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "rate-windows",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["limiter=fixed traffic=edge", "limiter=counter traffic=flood", "limiter=bucket traffic=flood burst=20", "limiter=log traffic=pages"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "Four limiters promise *100 requests a second*. A client sends a thousand a second, from 0.9 s on and without end. Who of \
                   the four lets nearly 200 of them through within some second?",
        guesses: &["The fixed window", "The fixed window and the two counters", "All but the sliding log"],
        answer: "All but the log. The fixed window passes 100 before the turn of the second and 100 after it. The two counters believe that the \
                 100 before it came evenly, and pass 189. A bucket of 100 was full, and 99 came back: that is its law, burst plus rate, and \
                 it is why the size of a bucket is part of a contract.",
    },
    controls: &[
        Control::choice(
            "limiter",
            "Who counts",
            &[("fixed", "a fixed window"), ("log", "a sliding log"), ("counter", "two counters"), ("bucket", "a token bucket")],
            "fixed",
        ),
        Control::choice(
            "traffic",
            "What comes",
            &[
                ("edge", "100 before 1 s, 100 after"),
                ("flood", "1,000 a second from 0.9 s"),
                ("even", "90 a second, evenly"),
                ("pages", "40 at once, each half second"),
            ],
            "edge",
        ),
        Control::slider("burst", "The bucket holds", "tokens", &["1", "2", "5", "10", "20", "50", "100"], "100"),
    ],
    presets: &[
        Preset {
            name: "The turn of a second",
            params: "limiter=fixed traffic=edge",
            story: "100 in the first second of the limiter's clock and 100 in the next. They are 20 milliseconds apart, and all of them pass.",
        },
        Preset {
            name: "The log",
            params: "limiter=log traffic=edge",
            story: "It keeps the time of each request that passed, up to 100 of them for each client, and nobody finds a second with more.",
        },
        Preset {
            name: "Two counters, flooded",
            params: "limiter=counter traffic=flood",
            story: "Two numbers instead of a hundred times. Look at the lower chart: the estimate needs the whole second to err, and errs by \
                    nearly as much.",
        },
        Preset {
            name: "A large bucket, flooded",
            params: "limiter=bucket traffic=flood",
            story: "What was saved is spent at once; then 100 a second, one by one. After that first second its curve is flat: no other limiter is so \
                    even.",
        },
        Preset {
            name: "A small bucket, and pages",
            params: "limiter=bucket traffic=pages burst=10",
            story: "80 requests a second are fewer than was agreed, and three of four are refused: they come 40 at once.",
        },
    ],
    task: "The service bears 160 requests in any second, and a page of the shop needs 40 at once. How large must the bucket be so that the shop gets all \
           of its pages and the flood does no harm?",
};

/// What all of them promise: so many requests in a second.
const LIMIT: u32 = 100;
const WINDOW: u64 = 1_000;
/// How long is looked at, in milliseconds.
const LENGTH: u64 = 4_000;
const BIN: u64 = 40;

/// Asks one of the limiters of the reference solutions for each request, and draws what it said.
fn draw(p: &Params) -> Drawing {
    let (limiter, traffic) = (p.text("limiter", "fixed"), p.text("traffic", "edge"));
    let burst = p.count("burst", u64::from(LIMIT)).clamp(1, u64::from(LIMIT)) as u32;
    let (mut limiter, name) = Limiter::new(&limiter, burst);
    let allowed = limiter.allowed(burst);
    let requests: Vec<u64> = (0..LENGTH).flat_map(|now| std::iter::repeat_n(now, arriving(&traffic, now))).collect();
    let admitted: Vec<u64> = requests.iter().copied().filter(|&now| limiter.admits(now)).collect();
    let (fullest, from) = fullest(&admitted, WINDOW);
    let (hardest, _) = self::fullest(&admitted, 10);

    let mut svg = Svg::new(WIDTH, 372.0);
    let seconds = [(0.0, "0"), (1.0, "1"), (2.0, "2"), (3.0, "3"), (4.0, "4")];
    draw_requests(&mut svg, &requests, &admitted, &seconds);
    draw_window(&mut svg, &admitted, (fullest, from), allowed, &seconds);

    let verdict = match limiter {
        Limiter::Bucket(_) => format!("burst and rate allow {allowed}"),
        _ if fullest > allowed => format!("more than the {allowed} that were agreed"),
        _ => format!("no more than the {allowed} that were agreed"),
    };
    let sentence = format!(
        "{name}: {} of {} requests pass. The fullest second, from {}.{:02} s on, has {fullest}: {verdict}. The fullest 10 ms have {hardest}.",
        admitted.len(),
        requests.len(),
        from / 1_000,
        from % 1_000 / 10,
    );
    let alt = "Two charts over four seconds: the requests that came and the part of them that passed; and how many passed within the last \
               second, against the agreed 100.";
    Drawing::new(svg, sentence, alt)
}

/// How many requests come in the millisecond `now`.
fn arriving(traffic: &str, now: u64) -> usize {
    match traffic {
        "flood" => usize::from(now >= 900),
        // Nine in each tenth of a second.
        "even" => usize::from(now * 9 / 100 != (now + 1) * 9 / 100),
        "pages" => if now % 500 == 250 { 40 } else { 0 },
        _ => if (990..1_010).contains(&now) { 10 } else { 0 },
    }
}

enum Limiter {
    /// The one that the exercises replace: the number of the second, and how many passed in it.
    Fixed(u64, u32),
    Log(Log),
    Counter(Counter),
    Bucket(TokenBucket),
}

impl Limiter {
    fn new(limiter: &str, burst: u32) -> (Self, String) {
        let limit = Limit::new(LIMIT, Millis(WINDOW)).expect("neither is zero");
        match limiter {
            "log" => (Self::Log(Log::new(limit)), "Sliding log".to_owned()),
            "counter" => (Self::Counter(Counter::new(limit)), "Two counters".to_owned()),
            "bucket" => {
                let limit = token_bucket::Limit::new(burst, LIMIT, Duration::from_millis(WINDOW)).expect("nothing is zero");
                (Self::Bucket(TokenBucket::new(limit)), format!("A bucket of {burst}, 100 tokens a second"))
            }
            _ => (Self::Fixed(0, 0), "Fixed window".to_owned()),
        }
    }

    /// The most that may pass within a second by what was agreed.
    const fn allowed(&self, burst: u32) -> usize {
        match self {
            Self::Bucket(_) => (LIMIT + burst) as usize,
            _ => LIMIT as usize,
        }
    }

    fn admits(&mut self, now: u64) -> bool {
        match self {
            Self::Fixed(second, count) => {
                if now / WINDOW != *second {
                    (*second, *count) = (now / WINDOW, 0);
                }
                let admits = *count < LIMIT;
                *count += u32::from(admits);
                admits
            }
            Self::Log(log) => log.admit(Time(now)).is_ok(),
            Self::Counter(counter) => counter.admit(Time(now)),
            Self::Bucket(bucket) => bucket.take(1, Duration::from_millis(now)).is_ok(),
        }
    }
}

/// The most that passed within `span` milliseconds, and from when on.
fn fullest(admitted: &[u64], span: u64) -> (usize, u64) {
    let mut best = (0, 0);
    let mut first = 0;
    for (last, &now) in admitted.iter().enumerate() {
        while admitted[first] + span <= now {
            first += 1;
        }
        if last + 1 - first > best.0 {
            best = (last + 1 - first, admitted[first]);
        }
    }
    best
}

fn axes(top: f64, bottom: f64, most: f64) -> Axes {
    Axes { left: 48.0, right: 388.0, top, bottom, x: Scale::Linear(0.0, LENGTH as f64 / 1_000.0), y: Scale::Linear(0.0, most) }
}

fn draw_requests(svg: &mut Svg, requests: &[u64], admitted: &[u64], seconds: &[(f64, &str)]) {
    let bins = |times: &[u64]| {
        let mut bins = [0_u64; (LENGTH / BIN) as usize];
        for time in times {
            bins[(time / BIN) as usize] += 1;
        }
        bins
    };
    let (came, passed) = (bins(requests), bins(admitted));
    let most = came.iter().copied().max().unwrap_or(0).max(10);
    let half = (most / 2).to_string();
    let all = most.to_string();
    let axes = axes(34.0, 130.0, most as f64);
    axes.draw(svg, ("", seconds), ("came (line) and passed (filled), each 40 ms", &[(0.0, "0"), ((most / 2) as f64, &half), (most as f64, &all)]));
    let at = |bin: usize, count: u64| axes.at((bin as u64 * BIN) as f64 / 1_000.0, count as f64);
    for (bin, count) in passed.iter().enumerate().filter(|(_, count)| **count > 0) {
        let ((left, top), (right, base)) = (at(bin, *count), at(bin + 1, 0));
        svg.rect("s0 fill", (left, top), right - left, base - top);
    }
    let steps: Vec<_> = came.iter().enumerate().flat_map(|(bin, count)| [at(bin, *count), at(bin + 1, *count)]).collect();
    svg.polyline("muted line", &steps);
}

fn draw_window(svg: &mut Svg, admitted: &[u64], (most, from): (usize, u64), allowed: usize, seconds: &[(f64, &str)]) {
    let axes = axes(200.0, 328.0, 220.0);
    axes.draw(svg, ("seconds", seconds), ("passed in the second that ends here; dashed: agreed", &[(0.0, "0"), (100.0, "100"), (200.0, "200")]));
    let (left, limit) = axes.at(0.0, allowed as f64);
    svg.line("ink dashed", (left, limit), (axes.right, limit));
    let count = |end: u64| admitted.iter().filter(|&&time| time <= end && time + WINDOW > end).count();
    let points: Vec<_> = (0..=LENGTH / 10).map(|at| axes.at(at as f64 / 100.0, count(at * 10) as f64)).collect();
    svg.polyline(if most > allowed { "s4 line" } else { "s0 line" }, &points);
    let last = admitted.iter().rev().find(|&&time| time < from + WINDOW).copied().unwrap_or(from);
    let (x, y) = axes.at(last as f64 / 1_000.0, most as f64);
    svg.circle(if most > allowed { "bad fill" } else { "s0 fill" }, (x, y), 5.0);
    let words = if most > allowed { format!("{most}: too many") } else { format!("at most {most}") };
    let (anchor, dx) = if x > 260.0 { (Anchor::End, -9.0) } else { (Anchor::Start, 9.0) };
    svg.text("ink small strong", (x + dx, y - 6.0), anchor, &words);
}
