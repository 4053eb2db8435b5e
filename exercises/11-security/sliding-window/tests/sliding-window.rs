//! How many requests a limit lets through: alone, in two numbers, and when several gateways ask one store.

use kit::{Millis, Sometimes, Time, for_seeds};
use rand::RngExt as _;
use sliding_window::{Check, Client, Command, Counter, Limit, Log, Next, Refused, Reply, Store, Way};

const GINA: Client = Client(1);
const HUGO: Client = Client(2);

/// So many requests in a second.
fn a_second(requests: u32) -> Limit {
    Limit::new(requests, Millis(1_000)).expect("the tests' limits let something through")
}

/// How many of `requests` at one moment are admitted.
fn burst(requests: u32, mut admit: impl FnMut() -> bool) -> u32 {
    (0..requests).map(|_| u32::from(admit())).sum()
}

/// How many of these lie in the window that ends at `now`.
fn in_window(admitted: &[Time], now: Time, window: Millis) -> usize {
    admitted.iter().filter(|&&at| at <= now && at + window > now).count()
}

mod stage_1_the_log {
    use super::*;

    #[test]
    fn as_many_as_the_limit_are_admitted_and_no_more() {
        let mut log = Log::new(a_second(3));
        let admitted: Vec<bool> = [0, 10, 20, 30, 999].map(|at| log.admit(Time(at)).is_ok()).into();
        assert!(admitted == [true, true, true, false, false], "three in a second: {admitted:?}");
    }

    /// Full at 5,900 and again at 6,000: a minute of the clock would have begun anew.
    #[test]
    fn a_window_ends_where_you_look_and_not_where_the_clock_turns() {
        let mut log = Log::new(a_second(2));
        assert!(burst(2, || log.admit(Time(5_900)).is_ok()) == 2, "an empty log");
        assert!(log.admit(Time(6_000)).is_err(), "two in the last 100 ms");
        assert!(log.admit(Time(6_899)).is_err(), "two in the last 999 ms");
        assert!(log.admit(Time(6_900)).is_ok(), "those of 5,900 are a second old and count no more");
    }

    /// The customer whose program repeats ten times a second has his three a second all the same.
    #[test]
    fn a_refused_request_leaves_no_trace() {
        let mut log = Log::new(a_second(1));
        let admitted: Vec<u64> = (0..40).map(|i| i * 100).filter(|&at| log.admit(Time(at)).is_ok()).collect();
        assert!(admitted == [0, 1_000, 2_000, 3_000], "one in a second, asked every 100 ms: {admitted:?}");
    }

    #[test]
    fn whoever_waits_as_told_is_admitted_and_not_a_millisecond_earlier() {
        let mut log = Log::new(a_second(2));
        let _ = (log.admit(Time(100)), log.admit(Time(700)));
        for (now, wait) in [(700, 400), (1_000, 100), (1_099, 1)] {
            let got = log.admit(Time(now));
            let expected = Err(Refused { retry_after: Millis(wait) });
            assert!(got == expected, "admitted at 100 and 700, asked at {now}: expected {expected:?}, got {got:?}");
        }
        assert!(log.admit(Time(1_100)).is_ok(), "the one of 100 counts no more");
        let got = log.admit(Time(1_100));
        assert!(got == Err(Refused { retry_after: Millis(600) }), "now those of 700 and 1,100 count: {got:?}");
    }

    /// From the beginning to the end of time.
    #[test]
    fn a_window_may_be_longer_than_any_clock_runs() {
        let mut log = Log::new(Limit::new(1, Millis(u64::MAX)).expect("more than nothing"));
        assert!(log.admit(Time(1)) == Ok(()), "the first");
        let got = log.admit(Time(2));
        assert!(
            got == Err(Refused { retry_after: Millis(u64::MAX - 1) }),
            "a millisecond of 2⁶⁴ − 1 has passed: {got:?}"
        );
    }

    /// Ten thousand windows, each with two requests.
    #[test]
    fn what_is_kept_is_all_that_takes_up_memory() {
        let mut log = Log::new(a_second(2));
        let shown = |log: &Log| format!("{log:?}").len();
        assert!(burst(2, || log.admit(Time(1_000)).is_ok()) == 2, "the first two");
        let first = shown(&log);
        for window in 2..10_000 {
            assert!(burst(2, || log.admit(Time(window * 1_000)).is_ok()) == 2, "two in window {window}");
        }
        let now = shown(&log);
        assert!(now < 3 * first, "two count, as at the beginning, and the log has grown from {first} to {now} letters");
    }

    #[test]
    fn requests_of_the_same_millisecond_are_several() {
        let mut log = Log::new(a_second(3));
        let admitted = burst(5, || log.admit(Time(40)).is_ok());
        assert!(admitted == 3, "five at once, a limit of three: {admitted} admitted");
    }

    /// Bursts, pauses and trickles. The list of all that was ever admitted says what is right.
    #[test]
    fn in_no_window_are_more_admitted_than_the_limit_and_none_is_refused_without_need() {
        let sometimes = Sometimes::expect(["one is refused", "one is admitted after a refusal", "several at one time"]);
        for_seeds(200, |seed| {
            let rng = &mut seed.rng();
            let limit =
                Limit::new(rng.random_range(1..=5), Millis(rng.random_range(1..=20))).expect("more than nothing");
            let (mut log, mut now, mut admitted, mut refused) = (Log::new(limit), Time(0), vec![], false);
            for _ in 0..100 {
                now += Millis([0, 0, 1, 2, 30][rng.random_range(0..5)]);
                let before = in_window(&admitted, now, limit.window());
                let room = before < limit.requests() as usize;
                let got = log.admit(now).is_ok();
                let (right, did) = if room { ("admitted", "refused") } else { ("refused", "admitted") };
                assert!(
                    got == room,
                    "seed {seed}: {limit:?}, {before} in the window at {now}: must be {right}, was {did}"
                );
                sometimes.saw("one is refused", !got);
                sometimes.saw("one is admitted after a refusal", got && refused);
                sometimes.saw("several at one time", got && admitted.last() == Some(&now));
                refused = !got;
                if got {
                    admitted.push(now);
                }
                let kept = log.kept();
                assert!(kept <= limit.requests() as usize, "seed {seed}: {limit:?} and {kept} times kept");
            }
        });
    }
}

mod stage_2_two_numbers {
    use super::*;

    #[test]
    fn within_one_window_of_the_clock_it_counts() {
        let mut counter = Counter::new(a_second(3));
        let admitted: Vec<bool> = [0, 10, 500, 510, 999].map(|at| counter.admit(Time(at))).into();
        assert!(admitted == [true, true, true, false, false], "three in a second: {admitted:?}");
    }

    /// 100 at 0.999 s. At 1.500 s half of them count, though the newest is half a second old.
    #[test]
    fn a_burst_at_the_end_of_a_window_lets_a_fraction_more_through() {
        let mut counter = Counter::new(a_second(100));
        assert!(burst(500, || counter.admit(Time(999))) == 100, "nothing came before");
        let mut after = 0;
        for (now, all) in [(1_000, 0), (1_010, 1), (1_250, 25), (1_500, 50), (1_990, 99)] {
            after += burst(500, || counter.admit(Time(now)));
            let allowed = 100 + all;
            assert!(after == all, "within {} ms it admits {}, expected {allowed}", now - 998, 100 + after);
        }
    }

    /// 100 at 1.000 s. By 2.000 s they are a second old, and count in full.
    #[test]
    fn a_burst_at_the_beginning_of_a_window_counts_for_too_long() {
        let mut counter = Counter::new(a_second(100));
        assert!(burst(500, || counter.admit(Time(1_000))) == 100, "nothing came before");
        let admitted = burst(500, || counter.admit(Time(2_000)));
        assert!(admitted == 0, "estimated 100 · (1 − 0) + 0: admitted {admitted}");
    }

    /// The same 100, a quarter of a window later.
    #[test]
    fn what_was_before_fades_in_the_course_of_a_window() {
        let mut counter = Counter::new(a_second(100));
        assert!(burst(500, || counter.admit(Time(1_000))) == 100, "nothing came before");
        let admitted = burst(500, || counter.admit(Time(2_250)));
        assert!(admitted == 25, "estimated 100 · (1 − 0.25) + 0: admitted {admitted}");
        let admitted = burst(500, || counter.admit(Time(2_250)));
        assert!(admitted == 0, "estimated 75 + 25, and one more is 101: admitted {admitted}");
    }

    /// Two numbers are of two windows; after a pause both are of windows long past.
    #[test]
    fn after_a_pause_nothing_counts() {
        for pause in [2_000, 3_000, 60_000, 65_536_000, 65_537_000, 4_294_968_000] {
            let mut counter = Counter::new(a_second(100));
            burst(100, || counter.admit(Time(999)));
            let admitted = burst(500, || counter.admit(Time(pause)));
            assert!(admitted == 100, "nothing since 0.999 s; at {pause} ms it admits {admitted} of 100");
        }
    }

    /// 7 of a limit of 10 came before, and at 0.1 of the window 6.3 of them count: room for 3.
    #[test]
    fn an_estimate_is_not_rounded() {
        let mut counter = Counter::new(a_second(10));
        burst(7, || counter.admit(Time(0)));
        let admitted = burst(50, || counter.admit(Time(1_100)));
        assert!(admitted == 3, "6.3 + 3 is at most 10, 6.3 + 4 is more: admitted {admitted}");
        let mut counter = Counter::new(a_second(10));
        burst(10, || counter.admit(Time(0)));
        let admitted = burst(50, || counter.admit(Time(1_099)));
        assert!(admitted == 0, "9.01 + 1 is more than 10: admitted {admitted}");
        let admitted = burst(50, || counter.admit(Time(1_100)));
        assert!(admitted == 1, "9 + 1 is 10: admitted {admitted}");
    }

    /// Limit, window, when the window before was filled, now, and for how many there is room.
    #[test]
    fn an_estimate_is_exact_for_any_window() {
        for (requests, window, now, room, why) in [
            (15, 3_000, 4_000, 5, "two thirds of 15 are 10"),
            (1_000, 60_000, 60_030, 0, "999.5 + 1 is more than 1,000"),
            (1_000, 60_000, 60_060, 1, "999 + 1 is 1,000"),
            (100_000, 86_400_000, 87_266_591, 1_002, "1,002.99 of 100,000 have faded"),
        ] {
            let mut counter = Counter::new(Limit::new(requests, Millis(window)).expect("more than nothing"));
            assert!(burst(requests, || counter.admit(Time(0))) == requests, "nothing came before");
            let admitted = burst(requests, || counter.admit(Time(now)));
            assert!(admitted == room, "{why}: {requests} in {window} ms, full at 0; at {now} it admits {admitted}");
        }
    }

    /// After seven weeks of milliseconds a clock of 32 bits begins anew.
    #[test]
    fn a_late_window_is_like_an_early_one() {
        let late = 4_294_968_000;
        let mut counter = Counter::new(a_second(100));
        assert!(burst(500, || counter.admit(Time(late + 999))) == 100, "nothing came before");
        let admitted = burst(500, || counter.admit(Time(late + 1_500)));
        assert!(admitted == 50, "half of 100 count: admitted {admitted}");
    }

    /// A limit of four thousand million a day, or in two months, and the last millisecond of time.
    #[test]
    fn large_numbers_are_no_exception() {
        let months = Limit::new(u32::MAX, Millis(5_000_000_000)).expect("more than nothing");
        assert!(Counter::new(months).admit(Time(25_000_000_000)), "one of four thousand million");
        let mut ever = Counter::new(Limit::new(3, Millis(u64::MAX)).expect("more than nothing"));
        let admitted = burst(4, || ever.admit(Time(0)));
        assert!(admitted == 3, "three in all of time: admitted {admitted}");

        let day = Limit::new(u32::MAX, Millis(86_400_000)).expect("more than nothing");
        let mut counter = Counter::new(day);
        assert!(counter.admit(Time(86_400_000 * 5)), "one of four thousand million");
        assert!(counter.admit(Time(u64::MAX)), "and one very late");
    }

    /// In the window that ends at the fraction f of the clock's: at most (1 + f) times the limit, whatever came.
    #[test]
    fn it_never_admits_more_than_its_worst_case() {
        let sometimes = Sometimes::expect(["more than the limit in a window", "more than half as many again"]);
        for_seeds(200, |seed| {
            let rng = &mut seed.rng();
            let (requests, length) = (rng.random_range(1..=30), rng.random_range(2..=40));
            let limit = Limit::new(requests, Millis(length)).expect("more than nothing");
            let (mut counter, mut now, mut admitted) = (Counter::new(limit), Time(0), vec![]);
            for _ in 0..60 {
                now += Millis([0, 1, length / 2, length - 1, 3 * length][rng.random_range(0..5)]);
                for _ in 0..rng.random_range(1..=requests) {
                    if counter.admit(now) {
                        admitted.push(now);
                    }
                }
                let (count, into) = (in_window(&admitted, now, limit.window()) as u64, now.0 % length);
                // count ≤ requests · (1 + into / length)
                let most = u64::from(requests) * (length + into) / length;
                assert!(
                    count <= most,
                    "seed {seed}: {limit:?}, {count} in the window that ends at {now}, at most {most}"
                );
                sometimes.saw("more than the limit in a window", count > u64::from(requests));
                sometimes.saw("more than half as many again", count * 2 > u64::from(requests) * 3);
            }
        });
    }
}

mod stage_3_one_step {
    use super::*;

    fn script(store: &mut Store, client: Client, limit: Limit, now: u64) -> Result<(), Refused> {
        match store.execute(Command::Script(client, limit), Time(now)) {
            Reply::Script(verdict) => verdict,
            other => panic!("a script is answered with its verdict, not with {other:?}"),
        }
    }

    #[test]
    fn a_script_decides_as_the_log_does() {
        let (mut store, limit) = (Store::new(), a_second(2));
        assert!(script(&mut store, GINA, limit, 100) == Ok(()), "the first");
        assert!(script(&mut store, GINA, limit, 300) == Ok(()), "the second");
        let got = script(&mut store, GINA, limit, 700);
        assert!(got == Err(Refused { retry_after: Millis(400) }), "the one of 100 counts until 1,100: {got:?}");
        assert!(script(&mut store, GINA, limit, 1_100) == Ok(()), "it counts no more");
    }

    #[test]
    fn clients_do_not_share_a_limit() {
        let (mut store, limit) = (Store::new(), a_second(1));
        assert!(script(&mut store, GINA, limit, 0) == Ok(()), "Gina's first");
        assert!(script(&mut store, HUGO, limit, 0) == Ok(()), "Hugo's first, whatever Gina did");
        assert!(script(&mut store, GINA, limit, 1).is_err(), "Gina's second");
        assert!(store.known(Time(1)) == 2, "two clients are known, not {}", store.known(Time(1)));
    }

    /// A million addresses that come once must not stay for ever.
    #[test]
    fn a_client_is_forgotten_one_window_after_its_last_request() {
        let (mut store, limit) = (Store::new(), a_second(2));
        for at in [0, 600] {
            assert!(script(&mut store, GINA, limit, at) == Ok(()), "two in a second");
        }
        assert!(script(&mut store, GINA, limit, 900).is_err(), "a third");
        for (now, known) in [(900, 1), (1_000, 1), (1_599, 1), (1_600, 0), (1_900, 0)] {
            let got = store.known(Time(now));
            assert!(got == known, "admitted at 0 and 600, refused at 900: at {now} {got} clients are known");
        }
    }

    /// A thousand addresses, each once, two seconds apart.
    #[test]
    fn whoever_is_forgotten_takes_up_no_memory() {
        let (mut store, limit) = (Store::new(), a_second(2));
        let mut shown = vec![];
        for client in 0..1_000 {
            assert!(script(&mut store, Client(client), limit, u64::from(client) * 2_000) == Ok(()), "one of two");
            shown.push(format!("{store:?}").len());
        }
        let (first, last) = (shown[0], shown[999]);
        assert!(
            last < 3 * first,
            "one client is known, as at the beginning; the store has grown from {first} to {last} letters"
        );
    }

    /// Gina may come once in a second, Hugo once in ten milliseconds.
    #[test]
    fn each_client_has_its_own_limit_and_its_own_time() {
        let (mut store, fast) = (Store::new(), Limit::new(1, Millis(10)).expect("more than nothing"));
        assert!(script(&mut store, GINA, a_second(1), 0) == Ok(()), "Gina's first");
        assert!(script(&mut store, HUGO, fast, 500) == Ok(()), "Hugo's first");
        let known = [509, 510].map(|now| store.known(Time(now)));
        assert!(known == [2, 1], "Hugo is forgotten at 510, Gina at 1,000: {known:?} known at 509 and 510");
        let got = script(&mut store, GINA, a_second(1), 600);
        assert!(got == Err(Refused { retry_after: Millis(400) }), "Gina's second, 600 ms after her first: {got:?}");
    }

    /// Asked at 0, at 900 and then again: what counts must still be there.
    #[test]
    fn nothing_is_forgotten_that_still_counts() {
        let (mut store, limit) = (Store::new(), a_second(2));
        let admitted: Vec<u64> = [0, 900, 1_000, 1_001, 1_500, 1_899, 1_900]
            .into_iter()
            .filter(|&at| script(&mut store, GINA, limit, at).is_ok())
            .collect();
        assert!(admitted == [0, 900, 1_000, 1_900], "two in any second: {admitted:?}");
    }

    /// The three calls do what they say, each on its own, and nothing else.
    #[test]
    fn each_call_does_its_part_only() {
        let (mut store, limit) = (Store::new(), a_second(1));
        let mut ask = |command, now| store.execute(command, Time(now));
        let got = ask(Command::Count(GINA, limit), 0);
        assert!(got == Reply::Count(0), "nobody has asked: {got:?}");
        let got = ask(Command::Expire(GINA, limit), 0);
        assert!(got == Reply::Expires, "there is nothing to forget: {got:?}");
        for _ in 0..3 {
            let got = ask(Command::Add(GINA, limit), 500);
            assert!(got == Reply::Added, "adding does not look at the limit: {got:?}");
        }
        let got = ask(Command::Count(GINA, limit), 1_499);
        assert!(got == Reply::Count(3), "three of 500, and no `Expire` since Gina is known: {got:?}");
        let got = ask(Command::Count(HUGO, limit), 1_499);
        assert!(got == Reply::Count(0), "none is Hugo's: {got:?}");
        let got = ask(Command::Count(GINA, limit), 1_500);
        assert!(got == Reply::Count(0), "a second later none counts: {got:?}");
        let known = store.known(Time(1_000_000));
        assert!(known == 1, "nobody said when to forget Gina, and nobody has heard of Hugo: {known} known");
        store.execute(Command::Expire(GINA, limit), Time(2_000));
        store.execute(Command::Add(GINA, limit), Time(2_900));
        let known = [2_999, 3_000].map(|now| store.known(Time(now)));
        assert!(known == [1, 0], "`Expire` at 2,000, `Add` at 2,900: {known:?} known at 2,999 and 3,000");
        let got = store.execute(Command::Count(GINA, limit), Time(3_000));
        assert!(got == Reply::Count(0), "whoever is forgotten has no requests: {got:?}");
        store.execute(Command::Expire(GINA, limit), Time(3_000));
        assert!(store.known(Time(3_000)) == 0, "whoever is forgotten stays so");
    }

    #[test]
    fn a_script_takes_one_round_trip() {
        let check = Check { client: GINA, limit: a_second(2), way: Way::OneScript };
        let begin = check.begin();
        assert!(begin == Next::Send(Command::Script(GINA, a_second(2))), "it begins with {begin:?}");
        let refused = Err(Refused { retry_after: Millis(7) });
        for (verdict, next) in [(Ok(()), Next::Admit), (refused, Next::Refuse)] {
            let got = check.hear(Reply::Script(verdict));
            assert!(got == next, "after {verdict:?} it should {next:?}, and does {got:?}");
        }
    }

    #[test]
    fn three_calls_take_three() {
        let (client, limit) = (GINA, a_second(2));
        let check = Check { client, limit, way: Way::ThreeCalls };
        let begin = check.begin();
        assert!(begin == Next::Send(Command::Count(client, limit)), "it begins with {begin:?}");
        for requests in [1, 100] {
            let check = Check { limit: a_second(requests), ..check };
            for (count, next) in
                [(requests - 1, Next::Send(Command::Add(client, check.limit))), (requests, Next::Refuse)]
            {
                let got = check.hear(Reply::Count(count));
                assert!(got == next, "{count} count of {requests}: it should {next:?}, and does {got:?}");
            }
        }
        for (reply, next) in [
            (Reply::Count(0), Next::Send(Command::Add(client, limit))),
            (Reply::Count(1), Next::Send(Command::Add(client, limit))),
            (Reply::Count(2), Next::Refuse),
            (Reply::Count(3), Next::Refuse),
            (Reply::Added, Next::Send(Command::Expire(client, limit))),
            (Reply::Expires, Next::Admit),
        ] {
            let got = check.hear(reply);
            assert!(got == next, "after {reply:?} it should {next:?}, and does {got:?}");
        }
    }
}

mod stage_4_every_order {
    use super::*;
    use kit::explore::{Found, Model, Search};

    /// A gateway and the request it has.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Gateway {
        /// What it does next.
        next: Next,
        /// When the store wrote the request down.
        written: Option<Time>,
        crashed: bool,
    }

    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct World {
        store: Store,
        now: Time,
        gateways: Vec<Gateway>,
        admitted: Vec<Time>,
        crashes_left: u32,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Action {
        /// The gateway's command reaches the store, and the answer the gateway.
        Call(usize),
        Crash(usize),
        /// The store's clock goes on.
        Tick,
    }

    /// So many gateways, each with one request of Gina's, at most `limit` in two ticks.
    #[derive(Clone)]
    struct Gateways {
        check: Check,
        gateways: usize,
        crashes: u32,
        until: Time,
    }

    impl Model for Gateways {
        type State = World;
        type Action = Action;

        fn init_states(&self) -> Vec<World> {
            let gateway = Gateway { next: self.check.begin(), written: None, crashed: false };
            vec![World {
                store: Store::new(),
                now: Time(0),
                gateways: vec![gateway; self.gateways],
                admitted: vec![],
                crashes_left: self.crashes,
            }]
        }

        fn actions(&self, world: &World, actions: &mut Vec<Action>) {
            for (i, gateway) in world.gateways.iter().enumerate() {
                if !gateway.crashed && matches!(gateway.next, Next::Send(_)) {
                    actions.push(Action::Call(i));
                    if world.crashes_left > 0 {
                        actions.push(Action::Crash(i));
                    }
                }
            }
            if world.now < self.until {
                actions.push(Action::Tick);
            }
        }

        fn next_state(&self, world: &World, action: Action) -> Option<World> {
            let mut next = world.clone();
            match action {
                Action::Call(i) => {
                    let Next::Send(command) = world.gateways[i].next else { return None };
                    let reply = next.store.execute(command, world.now);
                    let gateway = &mut next.gateways[i];
                    if matches!(reply, Reply::Added | Reply::Script(Ok(()))) {
                        gateway.written = Some(world.now);
                    }
                    gateway.next = self.check.hear(reply);
                    if gateway.next == Next::Admit {
                        next.admitted.push(gateway.written.unwrap_or(world.now));
                        next.admitted.sort();
                    }
                }
                Action::Crash(i) => {
                    next.crashes_left -= 1;
                    next.gateways[i].crashed = true;
                }
                Action::Tick => next.now += Millis(1),
            }
            (next != *world).then_some(next)
        }
    }

    fn search(way: Way, requests: u32, gateways: usize, crashes: u32) -> Search<Gateways> {
        let limit = Limit::new(requests, Millis(2)).expect("more than nothing");
        let check = Check { client: GINA, limit, way };
        // What is not written yet shows itself here, before the search.
        let _ =
            (check.begin(), check.hear(Reply::Count(0)), Store::new().execute(Command::Script(GINA, limit), Time(0)));
        Search::of(Gateways { check, gateways, crashes, until: Time(4) })
            .budget(50_000)
            .always("at most the limit in any window", move |world: &World| {
                match world
                    .admitted
                    .iter()
                    .find(|at| in_window(&world.admitted, **at, limit.window()) > requests as usize)
                {
                    Some(at) => Err(format!(
                        "{} admitted within two ticks, the last at {at}; the limit is {requests}",
                        world.admitted.len()
                    )),
                    None => Ok(()),
                }
            })
            .eventually("whoever stays away is forgotten", move |world: &World| {
                match world.store.known(world.now + limit.window()) {
                    0 => Ok(()),
                    known => Err(format!(
                        "{known} client is known two ticks after the end, and nobody will ever say: forget it"
                    )),
                }
            })
    }

    /// Every law holds in every order.
    #[track_caller]
    fn holds(search: &Search<Gateways>) {
        let outcome = search.run();
        match outcome.found {
            Found::Nothing => println!("{} states", outcome.states),
            Found::Broken(run) => panic!("{}: {}. It takes {:?}", run.law, run.because, run.actions),
            Found::NeverMet(conditions) => panic!("in none of {} states {}", outcome.states, conditions.join(", nor ")),
            Found::Inconclusive(states) => panic!("{states} states were not enough to try every order"),
        }
    }

    /// Four gateways, a limit of two, one crash, two windows of time: every order in which calls, crashes and ticks can come.
    #[test]
    fn no_order_of_scripts_exceeds_the_limit_or_leaves_a_client_for_ever() {
        let search = search(Way::OneScript, 2, 4, 1)
            .sometimes("one is refused", |world| world.gateways.iter().any(|gateway| gateway.next == Next::Refuse))
            .sometimes("three are admitted, as the window moves on", |world| world.admitted.len() == 3)
            .sometimes("a gateway crashes before it asks", |world| {
                world.gateways.iter().any(|gateway| gateway.crashed)
            });
        holds(&search);
    }

    /// Both count none, then both add. Six calls are enough.
    #[test]
    fn two_gateways_that_count_and_then_add_let_one_too_many_through() {
        let outcome = search(Way::ThreeCalls, 1, 2, 0).run();
        match outcome.found {
            Found::Broken(run) => assert!(
                run.law == "at most the limit in any window" && run.actions.len() == 6,
                "six calls break the limit; found: {}: {} by {:?}",
                run.law,
                run.because,
                run.actions
            ),
            other => panic!(
                "count, then add, and the other gateway in between: the limit must break, and the search says {other:?}"
            ),
        }
    }

    /// With a limit that nobody reaches. The gateway adds, and dies before it can say when to forget.
    #[test]
    fn a_gateway_that_dies_before_its_third_call_leaves_a_client_for_ever() {
        let outcome = search(Way::ThreeCalls, 9, 1, 1).run();
        match outcome.found {
            Found::Broken(run) => assert!(
                run.law == "whoever stays away is forgotten" && run.actions.contains(&Action::Crash(0)),
                "a crash leaves a client for ever; found: {}: {} by {:?}",
                run.law,
                run.because,
                run.actions
            ),
            other => panic!("added, and nobody left to say when to forget: the search says {other:?}"),
        }
    }

    /// And nothing else is wrong with it: one gateway that lives can count, add and expire.
    #[test]
    fn one_gateway_alone_may_call_three_times() {
        let search = search(Way::ThreeCalls, 1, 1, 0);
        holds(&search.sometimes("its request is admitted", |world| world.admitted.len() == 1));
    }
}
