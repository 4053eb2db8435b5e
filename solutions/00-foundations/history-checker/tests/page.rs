//! The numbers on the page and in the chapter's introduction, computed.

use history_checker::{Budget, Client, History, Key, Op, Operation, Order, Ret, Verdict};

#[test]
fn twelve_open_writes_have_so_many_orders_and_so_few_places() {
    let orders: u64 = (1..=12).product();
    assert_eq!(orders, 479_001_600);
    let places: u64 = 12 * (1 << 11); // any set with its last member
    assert_eq!(places, 24_576);
}

fn answered(client: char, op: Op, called: u64, returned: u64, ret: Ret) -> Operation {
    Operation { client: Client(client), op, called, returned: Some((returned, ret)) }
}

/// Anna's write is open from 18:02 to 18:05, Ben reads 49 at 18:03, Cleo 69 at 18:04.
#[test]
fn cleo_is_right() {
    let lamp = Key('l');
    let read = |client, at, price| answered(client, Op::Read(lamp), at, at + 1, Ret::Value(Some(price)));
    let before = answered('z', Op::Write(lamp, 69), 0, 1, Ret::Done);
    let anna = answered('a', Op::Write(lamp, 49), 1802, 1890, Ret::Done);
    let seen = History::new(vec![before, anna, read('b', 1810, 49), read('c', 1820, 69)]).expect("a history");
    assert_eq!(seen.check(Order::RealTime, Budget(1_000)), Verdict::Impossible);
    let open = Operation { returned: None, ..anna };
    let weeks = [read('b', 1810, 49), read('c', 1820, 49), read('d', 9_999, 69)];
    let seen = History::new([vec![before, open], weeks.to_vec()].concat()).expect("a history");
    assert_eq!(seen.check(Order::RealTime, Budget(1_000)), Verdict::Impossible, "Dora's 69");
}

#[test]
fn the_introduction_adds_up() {
    assert_eq!(3 * 3 * 3, 27, "three layers that each try three times");
    assert_eq!(3_000 * 3, 9_000, "3,000 callers a second that each try three times");
    assert_eq!(format!("{:.3}", 1.0 - 0.99_f64.powi(100)), "0.634", "one of a hundred servers is slow");
    assert_eq!((3_000.0_f64 * 0.4, 3_000.0 * 0.4 - 200.0), (1_200.0, 1_000.0), "inside, and waiting for a thread");
    let day = 86_400.0;
    assert_eq!((format!("{:.1}", 1e6 / day), format!("{:.0}", 1e9 / day)), ("11.6".into(), "11574".into()));
    assert_eq!((10_000_000_u64 * 1_000, 1_000_000_000_u64 * 100), (10_000_000_000, 100_000_000_000), "10 GB, 100 GB");
    assert_eq!(2 * 6_000 / 200, 60, "ms to cross 6,000 km and back at 200 km in a millisecond");
    assert_eq!(5 * 60, 300, "five times");
}
