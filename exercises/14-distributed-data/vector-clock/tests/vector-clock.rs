//! What clocks may say about a run, and what a client may find in a cart.

use kit::{Rng, Sometimes, for_seeds};
use rand::RngExt as _;
use std::collections::BTreeSet;
use vector_clock::{LamportClock, Order, Process, Read, Replica, Stamper, VectorClock};

const A: Process = Process(0);
const B: Process = Process(1);
const C: Process = Process(2);

fn clock(counts: &[(Process, u64)]) -> VectorClock {
    VectorClock::of(counts)
}

#[track_caller]
fn compares(one: &VectorClock, other: &VectorClock, expected: Order) {
    let answer = one.compare(other);
    assert!(answer == expected, "{one:?} compared with {other:?} is {answer:?}, expected {expected:?}");
    let back = other.compare(one);
    assert!(
        back == reversed(expected),
        "{other:?} compared with {one:?} is {back:?}, expected {:?}",
        reversed(expected)
    );
}

fn reversed(order: Order) -> Order {
    match order {
        Order::Before => Order::After,
        Order::After => Order::Before,
        same => same,
    }
}

mod stage_1_four_answers {
    use super::*;

    #[test]
    fn a_clock_and_its_copy_are_equal() {
        compares(&clock(&[]), &clock(&[]), Order::Equal);
        let some = clock(&[(A, 2), (B, 1)]);
        compares(&some, &some.clone(), Order::Equal);
        compares(&some, &clock(&[(B, 1), (A, 2)]), Order::Equal);
    }

    #[test]
    fn who_has_counted_all_that_the_other_has_and_more_is_after() {
        compares(&clock(&[(A, 1), (B, 1)]), &clock(&[(A, 2), (B, 1)]), Order::Before);
        compares(&clock(&[(A, 1), (B, 1)]), &clock(&[(A, 2), (B, 7)]), Order::Before);
    }

    #[test]
    fn if_each_lacks_something_of_the_other_they_are_concurrent() {
        compares(&clock(&[(A, 2), (B, 1)]), &clock(&[(A, 1), (B, 2)]), Order::Concurrent);
        compares(&clock(&[(A, 9), (B, 1)]), &clock(&[(A, 1), (B, 2)]), Order::Concurrent);
    }

    /// Nobody has a list of all processes. Who has not been heard of has counted nothing.
    #[test]
    fn a_process_that_is_not_mentioned_counts_zero() {
        let some = clock(&[(A, 2)]);
        assert!((some.get(A), some.get(B)) == (2, 0), "A counted {} and B {}", some.get(A), some.get(B));
        compares(&clock(&[]), &clock(&[(A, 1)]), Order::Before);
        compares(&clock(&[(A, 0)]), &clock(&[]), Order::Equal);
        compares(&clock(&[(A, 2)]), &clock(&[(A, 2), (B, 1)]), Order::Before);
        compares(&clock(&[(A, 2)]), &clock(&[(A, 1), (B, 1)]), Order::Concurrent);
        compares(&clock(&[(A, 1)]), &clock(&[(B, 1)]), Order::Concurrent);
    }

    /// Two lists of counts that somebody put one behind the other, as contexts in a request.
    #[test]
    fn of_a_process_that_occurs_twice_the_greater_count_holds() {
        let far = Process(70_000);
        let both = clock(&[(A, 3), (B, 1), (far, 1), (A, 5_000_000_000), (C, 2), (A, 4), (far, 1)]);
        compares(&both, &clock(&[(A, 5_000_000_000), (B, 1), (C, 2), (far, 1)]), Order::Equal);
        let counts = [A, B, C, far, Process(70_000 % 64), Process(70_000 % 65_536)].map(|process| both.get(process));
        assert!(
            counts == [5_000_000_000, 1, 2, 1, 0, 0],
            "A counted 3, 5 000 000 000 and 4, B 1, C 2, process 70 000 twice 1, and two others nothing: {counts:?}"
        );
    }

    #[test]
    fn a_merge_knows_what_either_knew_and_no_more() {
        let mut merged = clock(&[(A, 3), (B, 1)]);
        merged.merge(&clock(&[(B, 2), (C, 1), (A, 1)]));
        compares(&merged, &clock(&[(A, 3), (B, 2), (C, 1)]), Order::Equal);
        let (first, second) = (merged.tick(C), merged.tick(Process(9)));
        assert!((first, second) == (2, 1), "C's second event counts {first}, the first of process 9 {second}");
        compares(&merged, &clock(&[(A, 3), (B, 2), (C, 2), (Process(9), 1)]), Order::Equal);
    }

    fn some_clock(rng: &mut Rng) -> [u64; 4] {
        std::array::from_fn(|_| rng.random_range(0..3))
    }

    #[test]
    fn the_answer_is_that_of_all_counts_together() {
        let sometimes = Sometimes::expect(["equal", "before", "after", "concurrent"]);
        for_seeds(1000, |seed| {
            let mut rng = seed.rng();
            let (one, other) = (some_clock(&mut rng), some_clock(&mut rng));
            let less = one.iter().zip(&other).any(|(a, b)| a < b);
            let more = one.iter().zip(&other).any(|(a, b)| a > b);
            let expected = match (less, more) {
                (false, false) => Order::Equal,
                (true, false) => Order::Before,
                (false, true) => Order::After,
                (true, true) => Order::Concurrent,
            };
            let vector = |counts: [u64; 4]| {
                let counts: Vec<_> = (0..4).map(|i| (Process(i as u32), counts[i])).collect();
                clock(&counts)
            };
            compares(&vector(one), &vector(other), expected);
            sometimes.saw("equal", expected == Order::Equal);
            sometimes.saw("before", expected == Order::Before);
            sometimes.saw("after", expected == Order::After);
            sometimes.saw("concurrent", expected == Order::Concurrent);
        });
    }
}

mod stage_2_happened_before {
    use super::*;

    /// A writes to B, B to C. Meanwhile another process works alone.
    #[test]
    fn knowledge_travels_with_messages() {
        let (mut a, mut b, mut c) = (Stamper::new(A), Stamper::new(B), Stamper::new(C));
        let alone = Stamper::new(Process(3)).event();
        let sent = a.event();
        let later = a.event();
        b.receive(&sent);
        let received = c.receive(&b.event());
        compares(&sent, &received, Order::Before);
        compares(&later, &received, Order::Concurrent);
        compares(&alone, &received, Order::Concurrent);
    }

    /// Sent, sent again by the network, and both arrive: four events with four stamps, each after the one before.
    #[test]
    fn a_receipt_is_an_event_too() {
        let (mut a, mut b) = (Stamper::new(A), Stamper::new(B));
        let sent = a.event();
        let received = b.receive(&sent);
        let again = b.receive(&sent);
        let own = b.event();
        for (earlier, later) in [(&sent, &received), (&received, &again), (&again, &own)] {
            compares(earlier, later, Order::Before);
        }
    }

    /// A letter of yesterday, from a process that has been heard of since.
    #[test]
    fn a_late_message_takes_nothing_back() {
        let (mut a, mut b, mut c) = (Stamper::new(A), Stamper::new(B), Stamper::new(C));
        let yesterday = a.event();
        let today = a.event();
        c.receive(&b.event());
        let heard = c.receive(&today);
        let late = c.receive(&yesterday);
        compares(&heard, &late, Order::Before);
        compares(&late, &clock(&[(A, 2), (B, 1), (C, 3)]), Order::Equal);
    }

    #[test]
    fn a_lamport_clock_counts_on_from_the_greater_number() {
        let mut time = LamportClock::default();
        let stamps = [time.event(), time.receive(10), time.event(), time.receive(3), time.receive(13)];
        assert!(stamps == [1, 11, 12, 13, 14], "event, receive 10, event, receive 3, receive 13: {stamps:?}");
    }

    struct Run {
        vectors: Vec<VectorClock>,
        numbers: Vec<u64>,
        /// For each event, all that happened before it, by the definition.
        before: Vec<BTreeSet<usize>>,
    }

    /// Some processes work, send and receive; messages are lost, doubled and late.
    fn some_run(rng: &mut Rng) -> Run {
        let processes = rng.random_range(2..=5);
        let mut stampers: Vec<_> = (0..processes).map(|i| Stamper::new(Process(i))).collect();
        let mut lamport = vec![LamportClock::default(); processes as usize];
        let mut last: Vec<Option<usize>> = vec![None; processes as usize];
        let mut messages: Vec<usize> = Vec::new();
        let mut run = Run { vectors: Vec::new(), numbers: Vec::new(), before: Vec::new() };
        for event in 0..40 {
            let at = rng.random_range(0..processes as usize);
            let message =
                (!messages.is_empty() && rng.random_bool(0.4)).then(|| messages[rng.random_range(0..messages.len())]);
            let mut before = BTreeSet::new();
            for cause in last[at].into_iter().chain(message) {
                before.insert(cause);
                before.extend(run.before[cause].iter().copied());
            }
            let (vector, number) = match message {
                Some(message) => {
                    (stampers[at].receive(&run.vectors[message]), lamport[at].receive(run.numbers[message]))
                }
                None => (stampers[at].event(), lamport[at].event()),
            };
            if message.is_none() && rng.random_bool(0.5) {
                messages.push(event);
            }
            last[at] = Some(event);
            run.vectors.push(vector);
            run.numbers.push(number);
            run.before.push(before);
        }
        run
    }

    #[test]
    fn clocks_order_exactly_what_happened_before() {
        let sometimes = Sometimes::expect(["one happened before the other", "neither happened before the other"]);
        for_seeds(60, |seed| {
            let run = some_run(&mut seed.rng());
            for (one, other) in (0..40).flat_map(|one| (0..40).map(move |other| (one, other))) {
                let expected = match (run.before[other].contains(&one), run.before[one].contains(&other)) {
                    _ if one == other => Order::Equal,
                    (true, _) => Order::Before,
                    (_, true) => Order::After,
                    _ => Order::Concurrent,
                };
                let answer = run.vectors[one].compare(&run.vectors[other]);
                assert!(
                    answer == expected,
                    "seed {seed}: event {one} {:?} compared with event {other} {:?} is {answer:?}, by the definition it is {expected:?}",
                    run.vectors[one],
                    run.vectors[other]
                );
                sometimes.saw("one happened before the other", expected == Order::Before);
                sometimes.saw("neither happened before the other", expected == Order::Concurrent);
            }
        });
    }

    /// The number grows along every chain of causes. The other direction does not hold.
    #[test]
    fn lamport_clocks_respect_what_happened_before_and_order_strangers_too() {
        let sometimes = Sometimes::expect(["strangers with different numbers", "strangers with equal numbers"]);
        for_seeds(60, |seed| {
            let run = some_run(&mut seed.rng());
            for (later, causes) in run.before.iter().enumerate() {
                for earlier in 0..later {
                    let (first, second) = (run.numbers[earlier], run.numbers[later]);
                    let stranger = !causes.contains(&earlier);
                    assert!(
                        stranger || first < second,
                        "seed {seed}: event {earlier} happened before event {later}, and their numbers are {first} and {second}"
                    );
                    sometimes.saw("strangers with different numbers", stranger && first < second);
                    sometimes.saw("strangers with equal numbers", stranger && first == second);
                }
            }
        });
    }

    /// Once a message goes from A to B, once it does not.
    #[test]
    fn the_same_two_numbers_belong_to_cause_and_effect_and_to_strangers() {
        let (mut a, mut b) = (LamportClock::default(), LamportClock::default());
        let sent = a.event();
        let told = (sent, b.receive(sent));
        let (mut a, mut b) = (LamportClock::default(), LamportClock::default());
        let untold = (a.event(), [b.event(), b.event()][1]);
        assert!(
            told == (1, 2) && untold == (1, 2),
            "cause and effect: {told:?}; two that never heard of each other: {untold:?}; expected (1, 2) for both"
        );
    }
}

fn sorted(read: Read) -> Vec<String> {
    let mut values = read.values;
    values.sort();
    values
}

#[track_caller]
fn holds(what: &str, replica: &Replica, expected: &[&str]) {
    let values = sorted(replica.get());
    assert!(values == expected, "{what}: the replica holds {values:?}, expected {expected:?}");
}

mod stage_3_siblings {
    use super::*;

    const X: Process = Process(10);
    const Y: Process = Process(11);
    const Z: Process = Process(12);

    #[track_caller]
    fn context(what: &str, read: &Read, expected: &[(Process, u64)]) {
        let same = read.context.compare(&clock(expected)) == Order::Equal;
        assert!(same, "{what}: the context is {:?}, the figure says {expected:?}", read.context);
    }

    #[test]
    fn an_unwritten_key_has_no_value_and_an_empty_context() {
        let read = Replica::new(X).get();
        assert!(read.values.is_empty(), "nothing was written, and {:?} is read", read.values);
        context("nothing was written", &read, &[]);
    }

    #[test]
    fn a_write_replaces_what_its_writer_has_read() {
        let mut x = Replica::new(X);
        x.put(&VectorClock::default(), "tent");
        holds("the first write", &x, &["tent"]);
        x.put(&x.get().context, "tent, lamp");
        holds("a write after a read", &x, &["tent, lamp"]);
    }

    /// Dynamo, SOSP 2007, Figure 3: Sx writes D1 and D2, Sy makes D3 of D2, Sz makes D4 of D2, and Sx reconciles both in D5.
    #[test]
    fn the_carts_of_dynamos_figure_3() {
        let (mut x, mut y, mut z) = (Replica::new(X), Replica::new(Y), Replica::new(Z));
        x.put(&VectorClock::default(), "D1");
        context("D1", &x.get(), &[(X, 1)]);
        x.put(&x.get().context, "D2");
        context("D2", &x.get(), &[(X, 2)]);
        y.hear(&x);
        z.hear(&x);
        y.put(&y.get().context, "D3");
        context("D3", &y.get(), &[(X, 2), (Y, 1)]);
        z.put(&z.get().context, "D4");
        context("D4", &z.get(), &[(X, 2), (Z, 1)]);
        compares(&y.get().context, &z.get().context, Order::Concurrent);
        x.hear(&y);
        x.hear(&z);
        holds("D3 and D4 did not know of each other", &x, &["D3", "D4"]);
        let both = x.get();
        context("D3 and D4", &both, &[(X, 2), (Y, 1), (Z, 1)]);
        x.put(&both.context, "D5");
        holds("reconciled", &x, &["D5"]);
        context("D5", &x.get(), &[(X, 3), (Y, 1), (Z, 1)]);
        for replica in [&mut y, &mut z] {
            replica.hear(&x);
            holds("D5 replaces both, everywhere", replica, &["D5"]);
        }
    }

    #[test]
    fn writes_that_did_not_know_of_each_other_both_stay() {
        let (mut x, mut y) = (Replica::new(X), Replica::new(Y));
        x.put(&VectorClock::default(), "tent");
        y.put(&VectorClock::default(), "lamp");
        let before = x.clone();
        x.hear(&y);
        y.hear(&before);
        holds("at x", &x, &["lamp", "tent"]);
        holds("at y", &y, &["lamp", "tent"]);
    }

    /// Two copies of one replica's state, the older one last, and again.
    #[test]
    fn news_may_come_late_and_twice() {
        let (mut x, mut y) = (Replica::new(X), Replica::new(Y));
        x.put(&VectorClock::default(), "tent");
        let older = x.clone();
        x.put(&x.get().context, "tent, lamp");
        for news in [&x, &older, &x, &x] {
            y.hear(news);
            holds("y has heard of the newer cart", &y, &["tent, lamp"]);
        }
    }

    /// Z hears of the stove from Y, and only then a letter from X that is older than the stove.
    #[test]
    fn what_was_replaced_elsewhere_does_not_come_with_an_old_letter() {
        let (mut x, mut y, mut z) = (Replica::new(X), Replica::new(Y), Replica::new(Z));
        x.put(&VectorClock::default(), "tent");
        y.hear(&x);
        y.put(&y.get().context, "stove");
        z.hear(&y);
        z.hear(&x);
        holds("z heard that the stove replaced the tent before it heard of the tent", &z, &["stove"]);
        context("z has heard of y's stove and of the tent that it replaced", &z.get(), &[(X, 1), (Y, 1)]);
    }

    /// Three people write the same text. Who has read one of the three replaces that one.
    #[test]
    fn two_writes_of_the_same_text_are_two_values() {
        let (mut x, mut y) = (Replica::new(X), Replica::new(Y));
        x.put(&VectorClock::default(), "tent");
        let ana = x.get().context;
        x.put(&VectorClock::default(), "tent");
        y.put(&VectorClock::default(), "tent");
        y.hear(&x);
        holds("three wrote a tent, and none had read another's", &y, &["tent", "tent", "tent"]);
        x.put(&ana, "tent");
        holds("Ana wrote her own tent anew, the other one stays", &x, &["tent", "tent"]);
        y.hear(&x);
        holds("y's own tent, Ana's new one and that of the third", &y, &["tent", "tent", "tent"]);
    }

    /// Ana takes everything out of her cart. What she leaves is a value, and it replaces as any other.
    #[test]
    fn an_emptied_cart_is_a_value() {
        let (mut x, mut y) = (Replica::new(X), Replica::new(Y));
        x.put(&VectorClock::default(), "tent");
        y.hear(&x);
        x.put(&x.get().context, "");
        holds("the tent was taken out", &x, &[""]);
        y.put(&y.get().context, "tent, lamp");
        x.hear(&y);
        holds("neither knew of the other's", &x, &["", "tent, lamp"]);
    }

    /// Twenty replicas take a write each, and one client reads them all.
    #[test]
    fn a_clock_forgets_nobody_however_many_have_counted() {
        let mut replicas: Vec<_> = (0..20).map(|i| Replica::new(Process(i))).collect();
        for (i, replica) in replicas.iter_mut().enumerate() {
            replica.put(&VectorClock::default(), &format!("{i:02}"));
        }
        let older = replicas.clone();
        let mut all = replicas[7].clone();
        for replica in &replicas {
            all.hear(replica);
        }
        let expected: Vec<_> = (0..20).map(|i| format!("{i:02}")).collect();
        let values = sorted(all.get());
        assert!(
            values == expected,
            "twenty replicas took a write each, and the one that heard them all holds {values:?}"
        );
        all.put(&all.get().context, "one cart");
        for (i, old) in older.iter().enumerate() {
            all.hear(old);
            holds(
                &format!("the write of replica {i} was replaced, and an old letter brings it once more"),
                &all,
                &["one cart"],
            );
        }
    }

    /// Y still has the tent, and a lamp that X has never seen.
    #[test]
    fn what_was_replaced_does_not_come_back_with_something_new() {
        let (mut x, mut y) = (Replica::new(X), Replica::new(Y));
        x.put(&VectorClock::default(), "tent");
        y.hear(&x);
        y.put(&VectorClock::default(), "lamp");
        x.put(&x.get().context, "stove");
        let before = x.clone();
        x.hear(&y);
        holds("x replaced the tent by the stove, the lamp is new", &x, &["lamp", "stove"]);
        y.hear(&before);
        holds("y hears that the tent was replaced", &y, &["lamp", "stove"]);
    }

    /// Read in Madrid, written in Berlin, which has not heard of what was read.
    #[test]
    fn a_context_counts_at_every_replica() {
        let (mut x, mut y) = (Replica::new(X), Replica::new(Y));
        x.put(&VectorClock::default(), "tent");
        y.put(&x.get().context, "stove");
        context("the stove", &y.get(), &[(X, 1), (Y, 1)]);
        y.hear(&x);
        holds("the writer of the stove had read the tent", &y, &["stove"]);
        x.hear(&y);
        holds("and x hears that it was replaced", &x, &["stove"]);
    }
}

mod stage_4_two_clients {
    use super::*;

    const X: Process = Process(10);

    /// Both have read the empty cart at the same replica.
    #[test]
    fn two_clients_of_one_replica_both_stay() {
        let mut x = Replica::new(X);
        let empty = x.get().context;
        x.put(&empty, "tent");
        x.put(&empty, "lamp");
        holds("neither had read the other's", &x, &["lamp", "tent"]);
        let both = x.get().context;
        x.put(&both, "tent, lamp");
        holds("this one had read both", &x, &["tent, lamp"]);
    }

    /// Ana reads her tent. Then Ben, who has read nothing, writes a lamp. Then Ana writes what she has read, and a stove.
    #[test]
    fn a_write_replaces_only_what_its_writer_has_read() {
        let mut x = Replica::new(X);
        x.put(&VectorClock::default(), "tent");
        let ana = x.get().context;
        x.put(&VectorClock::default(), "lamp");
        x.put(&ana, "tent, stove");
        holds("Ana had read the tent and not the lamp", &x, &["lamp", "tent, stove"]);
    }

    /// Each reads just before the other writes. Every value is read and replaced, one write late.
    #[test]
    fn two_clients_that_take_turns_leave_two_values() {
        let mut x = Replica::new(X);
        let mut contexts = [VectorClock::default(), VectorClock::default()];
        for turn in 0..50 {
            let (writes, reads) = (turn % 2, (turn + 1) % 2);
            contexts[reads] = x.get().context;
            x.put(&contexts[writes], &format!("{turn:02}"));
            let values = sorted(x.get());
            assert!(
                values.len() <= 2,
                "after {} writes by two clients that read what they replace, the cart has {} values: {values:?}",
                turn + 1,
                values.len()
            );
        }
        holds("the last two writes", &x, &["48", "49"]);
    }

    #[derive(Clone, Default)]
    struct Client {
        context: VectorClock,
        /// Every write that its reads know of.
        read: BTreeSet<usize>,
    }

    /// Replicas, clients, and beside them who knew of which write. What nobody who knew of it has replaced must be there.
    #[test]
    fn no_write_is_lost_and_none_comes_back() {
        let sometimes = Sometimes::expect([
            "three values at once",
            "a write replaced several values",
            "a write by somebody who had read less than its replica knew",
            "a write by somebody who had read more than its replica knew",
            "news that was older than what was known",
        ]);
        for_seeds(150, |seed| {
            let mut rng = seed.rng();
            let (many, clients) = (rng.random_range(1..=3_usize), rng.random_range(1..=3_usize));
            let mut replicas: Vec<_> = (0..many).map(|i| (Replica::new(Process(i as u32)), BTreeSet::new())).collect();
            let mut clients = vec![Client::default(); clients];
            let mut replaces: Vec<BTreeSet<usize>> = Vec::new();
            let mut letters: Vec<(Replica, BTreeSet<usize>)> = Vec::new();
            for step in 0..60 {
                let (at, who) = (rng.random_range(0..many), rng.random_range(0..clients.len()));
                let client = &mut clients[who];
                let act = match rng.random_range(0..10) {
                    0..3 => {
                        // Now and then two reads are put together; else the new one counts.
                        if rng.random_bool(0.7) {
                            *client = Client::default();
                        }
                        client.context.merge(&replicas[at].0.get().context);
                        client.read.extend(replicas[at].1.iter().copied());
                        "a read"
                    }
                    3..7 => {
                        let write = replaces.len();
                        let gone = current(&replicas[at].1, &replaces).intersection(&client.read).count();
                        sometimes.saw("a write replaced several values", gone > 1);
                        let known = &mut replicas[at].1;
                        sometimes.saw(
                            "a write by somebody who had read less than its replica knew",
                            !known.is_subset(&client.read),
                        );
                        sometimes.saw(
                            "a write by somebody who had read more than its replica knew",
                            !client.read.is_subset(known),
                        );
                        known.extend(client.read.iter().copied());
                        known.insert(write);
                        replaces.push(client.read.clone());
                        replicas[at].0.put(&client.context, &write.to_string());
                        "a write"
                    }
                    7 => {
                        letters.push(replicas[at].clone());
                        "a letter was sent"
                    }
                    _ if letters.is_empty() => continue,
                    _ => {
                        let (news, known) = letters[rng.random_range(0..letters.len())].clone();
                        sometimes.saw("news that was older than what was known", known.is_subset(&replicas[at].1));
                        replicas[at].0.hear(&news);
                        replicas[at].1.extend(known);
                        "a letter arrived"
                    }
                };
                let expected = current(&replicas[at].1, &replaces);
                sometimes.saw("three values at once", expected.len() >= 3);
                let mut values: Vec<usize> =
                    replicas[at].0.get().values.iter().map(|value| value.parse().expect("a write's number")).collect();
                values.sort_unstable();
                let expected: Vec<usize> = expected.into_iter().collect();
                assert!(
                    values == expected,
                    "seed {seed}, step {step}, {act} at replica {at}: it holds the writes {values:?}; of those it knows, {expected:?} were replaced by nobody"
                );
            }
        });
    }

    /// Of the writes that are known, those that none of them replaces.
    fn current(known: &BTreeSet<usize>, replaces: &[BTreeSet<usize>]) -> BTreeSet<usize> {
        known.iter().copied().filter(|write| known.iter().all(|other| !replaces[*other].contains(write))).collect()
    }
}
