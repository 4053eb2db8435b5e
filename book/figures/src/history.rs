//! What clients did and saw, as bars on a time axis, and the order that explains it, if there is one.
//!
//! Parameters: `name` (`overlap`, `unseen` or `flags`), `order` (`real-time` or `per-client`).

use crate::svg::{Anchor, Svg, WIDTH, within};
use crate::{Control, Drawing, Figure, Params, Prediction, Preset, Sandbox};
use history_checker::{Budget, Client, History, Key, Op, Operation, Order, Ret, Verdict, explains};

/// See the module.
pub const FIGURE: Figure = Figure {
    name: "history",
    drawing: draw,
    sandbox: Some(&SANDBOX),
    golden: &["name=overlap", "name=unseen", "name=flags", "name=flags order=per-client"],
};

const SANDBOX: Sandbox = Sandbox {
    prediction: Prediction {
        question: "Anna writes. Before her write is confirmed, Ben reads the new value, and then, later by the clock on the wall, Cleo reads the old one. No single store that \
                   goes by that clock can have answered so. And a store that only keeps each client's own operations in order?",
        guesses: &["It cannot either: Ben was before Cleo", "It can"],
        answer: "It can: Cleo's read, Anna's write, Ben's read. Each of the three has done only one thing, so each one's own order is kept. *Sequential consistency* \
                 allows a reader to live in the past, as long as the past is in order.",
    },
    controls: &[
        Control::choice(
            "name",
            "What happened",
            &[("overlap", "two reads that overlap"), ("unseen", "seen, then unseen"), ("flags", "two flags")],
            "overlap",
        ),
        Control::choice(
            "order",
            "What must be kept",
            &[("real-time", "the order in real time"), ("per-client", "each client's own order")],
            "real-time",
        ),
    ],
    presets: &[
        Preset {
            name: "Overlap",
            params: "name=overlap",
            story: "A bar begins with the call and ends with the answer. The numbers are an order that explains everything; each stands inside its bar.",
        },
        Preset {
            name: "Seen, then unseen",
            params: "name=unseen",
            story: "Ben is done before Cleo begins. No order is left, and no instants can be drawn.",
        },
        Preset {
            name: "The same, with less to keep",
            params: "name=unseen order=per-client",
            story: "Now the instants may leave the bars: only each client's own order counts.",
        },
        Preset {
            name: "Two flags",
            params: "name=flags",
            story: "Each raises a flag and looks at the other's, and each sees it down.",
        },
    ],
    task: "Which of the three histories cannot be explained even with each client's own order? Take its four operations and find the circle: this before that, before the \
           next, and round again.",
};

const LEFT: f64 = 70.0;
const ROW: f64 = 46.0;
const TOP: f64 = 30.0;

/// Draws one of three small histories and says whether it can be explained in the order asked for.
fn draw(p: &Params) -> Drawing {
    let name = p.text("name", "overlap");
    let (order, kind) = match p.text("order", "real-time").as_str() {
        "per-client" => (Order::PerClient, "sequentially consistent"),
        _ => (Order::RealTime, "linearizable"),
    };
    let (operations, clients) = operations(&name);
    let history = History::new(operations).unwrap_or_default();
    let found = history.check(order, Budget(10_000));
    let sequence = (found == Verdict::Explained).then(|| explanation(&history, order)).flatten();
    let points = sequence.as_ref().map(|sequence| points(history.operations(), order, sequence));

    let last = history.operations().iter().filter_map(|operation| Some(operation.returned?.0)).max().unwrap_or(1);
    let x = |at: f64| LEFT + at * (WIDTH - LEFT - 14.0) / last.max(1) as f64;
    let mut rows: Vec<Client> = vec![];
    for operation in history.operations() {
        if !rows.contains(&operation.client) {
            rows.push(operation.client);
        }
    }
    let mut svg = Svg::new(WIDTH, TOP + rows.len() as f64 * ROW);
    for (row, name) in clients.iter().enumerate().take(rows.len()) {
        svg.text("strong", (2.0, TOP + row as f64 * ROW + 5.0), Anchor::Start, name);
    }
    let mut said = vec![];
    for (index, Operation { client, op, called, returned }) in history.operations().iter().enumerate() {
        let row = rows.iter().position(|of| of == client).unwrap_or(0);
        let y = TOP + row as f64 * ROW;
        let (from, to) = (x(*called as f64), x(returned.map_or(last, |(at, _)| at) as f64));
        svg.line("s0", (from, y), (to, y));
        for end in [from, to] {
            svg.line("s0", (end, y - 6.0), (end, y + 6.0));
        }
        let words = match returned {
            Some((_, Ret::Value(_))) => {
                format!("{op} → {}", returned.map_or_else(String::new, |(_, ret)| ret.to_string()))
            }
            _ => op.to_string(),
        };
        said.push(format!("{} {words}, from {called} to {}", clients.get(row).unwrap_or(&""), returned.map_or(last, |(at, _)| at)));
        let anchor = within(f64::midpoint(from, to), LEFT + 46.0, WIDTH - 62.0);
        svg.text("ink small", (anchor, y - 10.0), Anchor::Middle, &words);
        let place = sequence.as_ref().and_then(|sequence| sequence.iter().position(|of| *of == index));
        if let (Some(place), Some(points)) = (place, &points) {
            let at = x(points[place]);
            svg.circle("s1", (at, y), 5.0);
            svg.text("strong small", (at, y + 20.0), Anchor::Middle, &(place + 1).to_string());
        }
    }
    let sentence = match &sequence {
        Some(sequence) => {
            let words: Vec<String> = sequence.iter().map(|&index| history.operations()[index].op.to_string()).collect();
            format!("This is {kind}. One order that explains it: {}.", words.join(", then "))
        }
        None => format!("This is not {kind}: no order of the {} operations explains it.", history.operations().len()),
    };
    let alt = format!("Operations on a time axis: {}.", said.join("; "));
    Drawing::new(svg, sentence, alt)
}

fn operations(name: &str) -> (Vec<Operation>, [&'static str; 3]) {
    let op = |client, op, called, returned, ret| Operation {
        client: Client(client),
        op,
        called,
        returned: Some((returned, ret)),
    };
    let write = |client, key, called, returned| op(client, Op::Write(Key(key), 1), called, returned, Ret::Done);
    let read = |client, key, saw, called, returned| op(client, Op::Read(Key(key)), called, returned, Ret::Value(saw));
    match name {
        "unseen" => {
            let seen = [write('a', 'x', 0, 12), read('b', 'x', Some(1), 1, 5), read('c', 'x', None, 7, 11)];
            (seen.to_vec(), ["Anna", "Ben", "Cleo"])
        }
        "flags" => {
            let first = [write('a', 'x', 0, 3), read('a', 'y', None, 8, 11)];
            let second = [write('b', 'y', 4, 7), read('b', 'x', None, 9, 12)];
            ([first, second].concat(), ["Anna", "Ben", ""])
        }
        _ => {
            let seen = [write('a', 'x', 0, 12), read('b', 'x', None, 1, 5), read('c', 'x', Some(1), 4, 11)];
            (seen.to_vec(), ["Anna", "Ben", "Cleo"])
        }
    }
}

/// The first sequence of all operations that explains `history`; there are so few that all can be tried.
fn explanation(history: &History, order: Order) -> Option<Vec<usize>> {
    fn extend(history: &History, order: Order, sequence: &mut Vec<usize>) -> bool {
        let count = history.operations().len();
        if sequence.len() == count {
            return explains(history, order, sequence);
        }
        (0..count).any(|index| {
            !sequence.contains(&index) && {
                sequence.push(index);
                let found = extend(history, order, sequence);
                if !found {
                    sequence.pop();
                }
                found
            }
        })
    }
    let mut sequence = vec![];
    extend(history, order, &mut sequence).then_some(sequence)
}

/// A moment for each operation of `sequence`, rising; in real time each lies between its call and its return.
fn points(operations: &[Operation], order: Order, sequence: &[usize]) -> Vec<f64> {
    let mut now = 0.0_f64;
    let moment = |&index: &usize| {
        let called = operations[index].called as f64;
        match order {
            Order::RealTime => {
                now = (now + 1.0).max(called + 1.0);
                now
            }
            Order::PerClient => called + 1.0, // there is no common time to place it on
        }
    };
    sequence.iter().map(moment).collect()
}
