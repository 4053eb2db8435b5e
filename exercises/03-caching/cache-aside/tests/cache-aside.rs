//! Stage 1: hits and misses. Stage 2: how long they last. Stage 3: the run that leaves a stale row. Stage 4: leases.

use cache_aside::{Ask, Cache, Client, Lease, Lifetimes, Lookup, Row, Told, Trust, Who, schedule};
use kit::explore::{Found, Model, Search};
use kit::rand::RngExt as _;
use kit::{Millis, Sometimes, Time, for_seeds, stats};

const SECOND: u64 = 1_000;
const KEY: &str = "price";

/// Values live for a minute, absences for 20 s, all expire on the dot; a lease is waited for for 10 s.
const ON_THE_DOT: Lifetimes =
    Lifetimes { value: Millis(60 * SECOND), absence: Millis(20 * SECOND), jitter: 0, lease: Millis(10 * SECOND) };

fn row(value: &str) -> Row {
    Some(value.to_owned())
}

fn caches() -> [Cache; 2] {
    [Trust::Everybody, Trust::LeaseHolders].map(|trust| Cache::new(ON_THE_DOT, trust))
}

fn leased() -> Cache {
    Cache::new(ON_THE_DOT, Trust::LeaseHolders)
}

/// The lease of a miss.
fn lease(cache: &mut Cache, key: &str, now: Time) -> Lease {
    match cache.get(key, now) {
        Lookup::Miss(lease) => lease,
        other => panic!("{key} at {now}: nothing is stored and nobody is waited for, and the answer is {other:?}"),
    }
}

/// Stores it in the usual way, loaded and stored at `now`.
fn fill(cache: &mut Cache, key: &str, row: Row, now: Time, draw: u64) {
    let lease = lease(cache, key, now);
    assert!(
        cache.set(key, row, lease, now, draw),
        "{key} at {now}: {lease:?} was granted a moment ago, and is not trusted"
    );
}

/// A database with one key, a cache beside it, and how often the database was asked.
struct Shop {
    cache: Cache,
    database: Row,
    loads: u32,
    now: Time,
}

impl Shop {
    fn new(cache: Cache, database: Row) -> Self {
        Self { cache, database, loads: 0, now: Time::START }
    }

    /// One step of a client. Returns what it did.
    fn step(&mut self, client: &mut Client) -> Option<Ask> {
        let ask = client.next()?;
        client.told(match ask.clone() {
            Ask::Get => Told::Looked(self.cache.get(KEY, self.now)),
            Ask::Load => {
                self.loads += 1;
                Told::Loaded(self.database.clone())
            }
            Ask::Set(row, lease) => Told::Stored(self.cache.set(KEY, row, lease, self.now, 0)),
            Ask::Write(row) => {
                self.database = row;
                Told::Done
            }
            Ask::Delete => {
                self.cache.delete(KEY);
                Told::Done
            }
        });
        Some(ask)
    }

    /// A client from its beginning to its end. Returns what it did.
    fn run(&mut self, client: &mut Client) -> Vec<Ask> {
        let mut did = vec![];
        while let Some(ask) = self.step(client) {
            did.push(ask);
            assert!(did.len() < 10, "a client alone is still busy after {did:?}");
        }
        did
    }

    fn read(&mut self) -> Row {
        let mut reader = Client::reader();
        let did = self.run(&mut reader);
        reader.answer().cloned().unwrap_or_else(|| panic!("a reader came to its end without an answer, after {did:?}"))
    }
}

mod stage_1_hit_and_miss {
    use super::*;

    #[test]
    fn a_row_is_loaded_once_and_found_from_then_on() {
        for cache in caches() {
            let mut shop = Shop::new(cache, row("900"));
            let read: Vec<Row> = (0..3).map(|_| shop.read()).collect();
            assert_eq!(
                (read, shop.loads),
                (vec![row("900"); 3], 1),
                "three readers, one after the other, and the loads"
            );
        }
    }

    /// A customer without a middle name.
    #[test]
    fn an_empty_value_is_no_miss() {
        for cache in caches() {
            let mut shop = Shop::new(cache, row(""));
            let read: Vec<Row> = (0..3).map(|_| shop.read()).collect();
            assert_eq!((read, shop.loads), (vec![row(""); 3], 1), "the value is empty: three readers, and the loads");
        }
    }

    /// A bicycle that was never sold here, and a crawler that asks for it a hundred times.
    #[test]
    fn that_there_is_no_row_is_an_answer_too() {
        for cache in caches() {
            let mut shop = Shop::new(cache, None);
            let found = (0..100).filter(|_| shop.read().is_some()).count();
            assert_eq!(
                (found, shop.loads),
                (0, 1),
                "there is no row: how many of 100 readers found one, and the loads"
            );
        }
    }

    #[test]
    fn who_reads_after_a_write_reads_what_was_written() {
        for cache in caches() {
            let mut shop = Shop::new(cache, row("900"));
            for written in [row("750"), None, row("800")] {
                shop.read();
                shop.run(&mut Client::writer(written.clone()));
                assert_eq!(shop.read(), written, "read after the write, which was the only one");
            }
        }
    }

    /// In this order, or the gap between the two is open for everybody.
    #[test]
    fn the_database_is_written_before_the_cache_is_deleted() {
        let mut shop = Shop::new(leased(), row("900"));
        let did = shop.run(&mut Client::writer(row("750")));
        assert_eq!(did, [Ask::Write(row("750")), Ask::Delete], "the steps of a writer");
    }

    #[test]
    fn a_key_knows_nothing_of_another() {
        for mut cache in caches() {
            fill(&mut cache, "bread", row("3"), Time::START, 0);
            fill(&mut cache, "milk", row("1"), Time::START, 0);
            cache.delete("bread");
            assert_eq!(cache.get("milk", Time(1)), Lookup::Hit(row("1")), "the bread was deleted");
            assert!(matches!(cache.get("bread", Time(1)), Lookup::Miss(_)), "the milk was not");
        }
    }

    /// Nobody's word is better than another's, so the last one stands; also if its row was asked for earlier.
    #[test]
    fn who_trusts_everybody_stores_every_set() {
        let mut cache = Cache::new(ON_THE_DOT, Trust::Everybody);
        let (one, other) = (lease(&mut cache, KEY, Time::START), lease(&mut cache, KEY, Time::START));
        let stored =
            [cache.set(KEY, row("750"), one, Time(9 * SECOND), 0), cache.set(KEY, row("900"), other, Time::START, 0)];
        let cached = cache.peek(KEY, Time(9 * SECOND));
        assert_eq!(
            (stored, cached),
            ([true; 2], Some(&row("900"))),
            "750 was stored, loaded at 9 s, and then 900, loaded at 0 s"
        );
    }

    #[test]
    fn peeking_sees_what_a_reader_would_be_given() {
        for mut cache in caches() {
            assert_eq!(cache.peek(KEY, Time::START), None, "nothing was stored");
            fill(&mut cache, KEY, None, Time::START, 0);
            assert_eq!(cache.peek(KEY, Time(1)), Some(&None), "that there is no row was stored");
        }
    }
}

mod stage_2_expiry {
    use super::*;

    #[test]
    fn a_row_is_found_until_its_expiry_and_not_at_it() {
        for (stored, lifetime) in
            [(row("900"), ON_THE_DOT.value), (row(""), ON_THE_DOT.value), (None, ON_THE_DOT.absence)]
        {
            for mut cache in caches() {
                fill(&mut cache, KEY, stored.clone(), Time(5 * SECOND), 0);
                let expiry = Time(5 * SECOND) + lifetime;
                let hit = Lookup::Hit(stored.clone());
                assert_eq!(
                    cache.get(KEY, expiry - Millis(1)),
                    hit,
                    "{stored:?} of t=5000, 1 ms before {lifetime} are over"
                );
                assert!(
                    matches!(cache.get(KEY, expiry), Lookup::Miss(_)),
                    "{stored:?} of t=5000, when {lifetime} are over"
                );
                assert_eq!(cache.peek(KEY, expiry), None, "{stored:?} of t=5000, peeked at when {lifetime} are over");
            }
        }
    }

    /// A reader misses at 5 s, asks the database at 7 s, and has its answer at 15 s.
    #[test]
    fn a_row_is_as_old_as_its_load() {
        let mut cache = leased();
        let lease = lease(&mut cache, KEY, Time(5 * SECOND));
        assert!(cache.set(KEY, row("900"), lease, Time(7 * SECOND), 0), "{lease:?} was granted at 5 s");
        assert_eq!(cache.peek(KEY, Time(66_999)), Some(&row("900")), "a row lives for 60 s from 7 s on");
        assert_eq!(cache.peek(KEY, Time(67_000)), None, "60 s after it was asked for, whenever it arrived");
    }

    /// When a row expires that is loaded at 0 with this draw: found by looking at every millisecond that could be.
    fn expiry(stored: &Row, jitter: u8, draw: u64) -> u64 {
        expiry_of(stored, Lifetimes { value: Millis(6_000), absence: Millis(2_000), jitter, lease: Millis(1) }, draw)
    }

    fn expiry_of(stored: &Row, lifetimes: Lifetimes, draw: u64) -> u64 {
        let mut cache = Cache::new(lifetimes, Trust::Everybody);
        fill(&mut cache, KEY, stored.clone(), Time::START, draw);
        // Twice the longest and one is beyond what any lifetime can be stretched to.
        let (mut found, mut gone) = (0, 2 * lifetimes.value.0 + 1);
        assert!(cache.peek(KEY, Time(gone)).is_none(), "{stored:?} is still there after twice its lifetime");
        if cache.peek(KEY, Time::START).is_none() {
            return 0;
        }
        while gone - found > 1 {
            let middle = u64::midpoint(found, gone);
            if cache.peek(KEY, Time(middle)).is_some() { found = middle } else { gone = middle }
        }
        gone
    }

    /// A lifetime is a promise about the oldest row that anybody sees.
    #[test]
    fn jitter_shortens_a_life_and_never_lengthens_it() {
        let sometimes = Sometimes::expect(["an entry expired early", "an entry lived to the end"]);
        for_seeds(400, |seed| {
            let mut rng = seed.rng();
            let jitter = [0, 1, 10, 50][rng.random_range(0..4)];
            for (stored, longest) in [(row("900"), 6_000), (None, 2_000)] {
                let shortest = longest - longest * u64::from(jitter) / 100;
                let expiry = expiry(&stored, jitter, rng.random());
                sometimes.saw("an entry expired early", expiry < longest);
                sometimes.saw("an entry lived to the end", expiry == longest);
                assert!(
                    (shortest..=longest).contains(&expiry),
                    "seed {seed}: {stored:?} expires after {expiry} ms; its lifetime is {longest} ms, and jitter takes at most {jitter} % off"
                );
            }
        });
    }

    /// Lives of 11 and of 10 ms, so that each millisecond can be counted. False alarm: 1e-9, shared by 24 comparisons (exact binomial).
    #[test]
    fn jitter_takes_each_whole_millisecond_equally_often_both_ends_included() {
        for (stored, jitter, longest, most) in
            [(row("900"), 50, 11, 5_u64), (None, 50, 10, 5), (row("900"), 100, 11, 11)]
        {
            let lifetimes = Lifetimes { value: Millis(11), absence: Millis(10), jitter, lease: Millis(1) };
            let mut early = vec![0_u64; most as usize + 1];
            let (mut entries, mut beyond) = (0, None);
            for_seeds(6_000, |seed| {
                let taken = longest - expiry_of(&stored, lifetimes, seed.rng().random()).min(longest);
                entries += 1;
                match early.get_mut(taken as usize) {
                    Some(count) => *count += 1,
                    None => beyond = Some(taken),
                }
            });
            assert!(
                beyond.is_none(),
                "{stored:?} of {longest} ms: {jitter} % are {most} ms, and {beyond:?} were taken"
            );
            let fair = stats::binomial_range(entries, 1.0 / (most + 1) as f64, 1e-9 / 24.0);
            assert!(
                entries < 6_000 || early.iter().all(|count| fair.contains(count)),
                "{stored:?} of {longest} ms, {jitter} % jitter: how often 0 to {most} ms were taken off: {early:?}; evenly spread, it is {fair:?} each"
            );
        }
    }

    /// The picture of a bicycle that is sold for years.
    #[test]
    fn a_long_life_is_jittered_like_a_short_one() {
        let day = 24 * 3_600 * SECOND;
        let sometimes = Sometimes::expect(["an entry lost more than five days"]);
        for_seeds(200, |seed| {
            let lifetimes =
                Lifetimes { value: Millis(60 * day), absence: Millis(SECOND), jitter: 10, lease: Millis(1) };
            let expiry = expiry_of(&row("900"), lifetimes, seed.rng().random());
            sometimes.saw("an entry lost more than five days", expiry < 55 * day);
            assert!(
                (54 * day..=60 * day).contains(&expiry),
                "seed {seed}: 60 days less at most 10 % are 54 to 60; it expires after {expiry} ms, which are {} days",
                expiry / day
            );
        });
    }

    /// A job fills the cache at noon. With a jitter of 50 %, each tenth of the possible span gets a tenth of the expiries.
    ///
    /// False alarm: 1e-9, shared by twenty comparisons (exact binomial).
    #[test]
    fn entries_stored_together_expire_evenly_spread() {
        for (stored, longest) in [(row("900"), 6_000), (None, 2_000)] {
            let mut tenths = [0_u64; 10];
            for_seeds(2_000, |seed| {
                let early = longest - expiry(&stored, 50, seed.rng().random());
                let tenth = early * 10 / (longest / 2 + 1);
                tenths[usize::try_from(tenth.min(9)).expect("below ten")] += 1;
            });
            let entries: u64 = tenths.iter().sum();
            let fair = stats::binomial_range(entries, 0.1, 1e-9 / 20.0);
            for (tenth, count) in tenths.iter().enumerate() {
                assert!(
                    entries < 2_000 || fair.contains(count),
                    "{count} of {entries} entries expire in tenth {tenth} of the {} ms that jitter covers; evenly spread, it is {fair:?}",
                    longest / 2
                );
            }
        }
    }
}

mod stage_3_the_stale_set {
    use super::*;

    fn play(mut shop: Shop, schedule: &[Who]) -> (Shop, Vec<Ask>, bool) {
        let (mut reader, mut writer) = (Client::reader(), Client::writer(row("750")));
        let did = schedule.iter().filter_map(|who| match who {
            Who::Reader => shop.step(&mut reader),
            Who::Writer => shop.step(&mut writer),
        });
        let did = did.collect();
        (shop, did, reader.next().is_none() && writer.next().is_none())
    }

    /// Olga's reader and Olga's write, in an order of your choice.
    #[test]
    fn your_run_leaves_a_row_in_the_cache_that_is_not_in_the_database() {
        let (shop, did, ended) = play(Shop::new(Cache::new(ON_THE_DOT, Trust::Everybody), row("900")), &schedule());
        assert!(ended, "after {did:?} the reader or the writer has not come to its end");
        let cached = shop.cache.peek(KEY, shop.now);
        assert_eq!(
            cached,
            Some(&row("900")),
            "after {did:?} the database says {:?}, and the cache has this",
            shop.database
        );
        let later = shop.now + ON_THE_DOT.value;
        assert_eq!(shop.cache.peek(KEY, later), None, "the damage ends with the row's lifetime, and not before");
    }

    /// The search looks at all orders, breadth first: what it finds is as short as any.
    #[test]
    fn no_run_is_shorter_and_the_search_finds_it_too() {
        let outcome = stage_4_leases::search(Trust::Everybody, row("900"), 1, 1, 0).run();
        let Found::Broken(example) = outcome.found else {
            panic!(
                "{} states, and no run of a reader and a writer leaves a stale row: {:?}",
                outcome.states, outcome.found
            )
        };
        let (yours, shortest) = (schedule().len(), example.actions.len());
        assert_eq!(yours, shortest, "steps of your run and of the shortest; {}", example.because);
    }
}

mod stage_4_leases {
    use super::*;

    const T: Time = Time(5 * SECOND);

    #[test]
    fn a_delete_voids_the_lease_of_whoever_is_loading() {
        let mut cache = leased();
        let reader = lease(&mut cache, KEY, T);
        cache.delete(KEY); // of a key that it does not have
        assert!(!cache.set(KEY, row("900"), reader, T, 0), "what the reader brings was loaded before the delete");
        assert_eq!(cache.peek(KEY, T), None, "a refused set stores nothing");
    }

    /// The key was deleted, and somebody else has a new lease for it when the first comes back.
    #[test]
    fn no_lease_is_granted_twice() {
        let mut cache = leased();
        let first = lease(&mut cache, KEY, T);
        cache.delete(KEY);
        let second = lease(&mut cache, KEY, T);
        assert!(!cache.set(KEY, row("900"), first, T, 0), "{first:?} was voided, {second:?} is good");
        assert!(cache.set(KEY, row("750"), second, T, 0), "{second:?} is good, and {first:?} could not change that");
        assert_eq!(cache.peek(KEY, T), Some(&row("750")), "what the holder of the good lease brought");
        cache.delete(KEY);
        let third = lease(&mut cache, KEY, T);
        assert!(third != first && third != second, "{first:?}, {second:?} and {third:?} are three leases");
        assert!(!cache.set(KEY, row("750"), second, T, 0), "{second:?} was used, and the key deleted since");
    }

    #[test]
    fn while_a_lease_is_out_others_wait_and_then_find_the_row() {
        let mut cache = leased();
        let holder = lease(&mut cache, KEY, T);
        for after in [0, 1, 9_999] {
            assert_eq!(
                cache.get(KEY, T + Millis(after)),
                Lookup::Wait,
                "{after} ms after the lease was granted, for 10 s"
            );
        }
        assert!(cache.set(KEY, row("900"), holder, T, 0), "others who wait do not touch the lease");
        assert_eq!(cache.get(KEY, T + Millis(9_999)), Lookup::Hit(row("900")), "the row is there");
    }

    /// The holder has died, and somebody asks every second.
    #[test]
    fn who_asks_meanwhile_does_not_prolong_the_lease() {
        let mut cache = leased();
        lease(&mut cache, KEY, T);
        let answers: Vec<Lookup> = (1..10).map(|second| cache.get(KEY, T + Millis(second * SECOND))).collect();
        assert!(answers.iter().all(|answer| *answer == Lookup::Wait), "the lease is waited for for 10 s: {answers:?}");
        let tenth = cache.get(KEY, T + ON_THE_DOT.lease);
        assert!(
            matches!(tenth, Lookup::Miss(_)),
            "10 s after the lease was granted, asked for every second: {tenth:?}"
        );
    }

    /// The row was promised for a minute. That somebody loads the next one does not make it younger.
    #[test]
    fn what_has_expired_is_not_shown_while_somebody_loads() {
        let mut cache = leased();
        fill(&mut cache, KEY, row("900"), T, 0);
        let expired = T + ON_THE_DOT.value;
        let holder = lease(&mut cache, KEY, expired);
        let (asked, peeked) = (cache.get(KEY, expired + Millis(1)), cache.peek(KEY, expired + Millis(1)));
        assert_eq!(
            (asked, peeked),
            (Lookup::Wait, None),
            "asked and peeked at, when 900 has expired and {holder:?} is out"
        );
        assert!(cache.set(KEY, row("750"), holder, expired, 0), "{holder:?} is good");
        assert_eq!(cache.get(KEY, expired + Millis(2)), Lookup::Hit(row("750")), "what the holder brought");
    }

    /// The holder's process has died.
    #[test]
    fn a_lease_that_ran_out_goes_to_the_next() {
        let mut cache = leased();
        let dead = lease(&mut cache, KEY, T);
        let next = lease(&mut cache, KEY, T + ON_THE_DOT.lease);
        let again = cache.get(KEY, T + Millis(ON_THE_DOT.lease.0 + 9_999));
        assert_eq!(again, Lookup::Wait, "the new lease is waited for for 10 s of its own");
        assert!(!cache.set(KEY, row("900"), dead, T, 0), "{next:?} was granted since");
        assert!(cache.set(KEY, row("750"), next, T, 0), "and is good");
    }

    /// Slow, and nobody else came: what it brings is as good as ever.
    #[test]
    fn a_late_holder_whom_nobody_followed_is_trusted() {
        let mut cache = leased();
        let late = lease(&mut cache, KEY, T);
        assert!(
            cache.set(KEY, row("900"), late, T + Millis(20 * SECOND), 0),
            "nothing happened to the key since it was granted"
        );
    }

    #[test]
    fn a_lease_is_for_one_key_and_for_one_set() {
        let mut cache = leased();
        let (bread, milk) = (lease(&mut cache, "bread", T), lease(&mut cache, "milk", T));
        assert!(bread != milk, "{bread:?} for bread and {milk:?} for milk are two leases");
        assert!(!cache.set("milk", row("3"), bread, T, 0), "{bread:?} is for bread");
        assert!(cache.set("milk", row("1"), milk, T, 0), "{milk:?} is for milk, and still good");
        assert!(!cache.set("milk", row("2"), milk, T, 0), "{milk:?} was used");
        assert_eq!(cache.peek("milk", T), Some(&row("1")), "what was stored with the good lease");
    }

    #[test]
    fn a_reader_whose_set_is_refused_has_its_answer_all_the_same() {
        let mut shop = Shop::new(leased(), row("900"));
        let mut reader = Client::reader();
        shop.step(&mut reader);
        shop.step(&mut reader);
        shop.cache.delete(KEY);
        assert_eq!(reader.answer(), None, "a reader who has loaded and not yet set has not come to its end");
        let set = shop.step(&mut reader);
        assert!(matches!(set, Some(Ask::Set(..))), "the third step of a reader who missed was {set:?}");
        assert_eq!((reader.next(), reader.answer()), (None, Some(&row("900"))), "a busy key would keep it for ever");
    }

    /// They take their steps in turns.
    #[test]
    fn thirty_readers_who_miss_together_cause_one_load() {
        for (trust, loads) in [(Trust::Everybody, 30), (Trust::LeaseHolders, 1)] {
            let mut shop = Shop::new(Cache::new(ON_THE_DOT, trust), row("900"));
            let mut readers = vec![Client::reader(); 30];
            for _ in 0..10 {
                for reader in &mut readers {
                    shop.step(reader);
                }
            }
            let done = readers.iter().filter(|reader| reader.answer() == Some(&row("900"))).count();
            assert_eq!((done, shop.loads), (30, loads), "{trust:?}: readers who have the row, and loads");
        }
    }

    /// Clients at work, with what they did and what the database has been.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct State {
        cache: Cache,
        /// What the database said, from the beginning to now.
        rows: Vec<Row>,
        readers: Vec<Reader>,
        writers: Vec<Writer>,
        now: Time,
        pauses: u8,
        waited: bool,
        refused: bool,
    }

    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Reader {
        client: Client,
        /// The newest row whose write was over, delete and all, when this reader began.
        floor: Option<usize>,
    }

    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Writer {
        client: Client,
        /// Its row's place among the rows.
        wrote: Option<usize>,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Action {
        Reader(usize),
        Writer(usize),
        /// So long that a lease runs out.
        Pause,
    }

    impl State {
        fn now(&self) -> &Row {
            self.rows.last().expect("the database says something from the beginning")
        }

        /// The newest row whose write is over.
        fn settled(&self) -> usize {
            let over = self.writers.iter().filter(|writer| writer.client.next().is_none());
            over.filter_map(|writer| writer.wrote).max().unwrap_or(0)
        }

        /// Whether a writer has written and not yet deleted.
        fn open(&self) -> bool {
            self.writers.iter().any(|writer| writer.wrote.is_some() && writer.client.next().is_some())
        }

        fn serve(&mut self, ask: Ask) -> Told {
            match ask {
                Ask::Get => {
                    let looked = self.cache.get(KEY, self.now);
                    self.waited |= looked == Lookup::Wait;
                    Told::Looked(looked)
                }
                Ask::Load => Told::Loaded(self.now().clone()),
                Ask::Set(row, lease) => {
                    let stored = self.cache.set(KEY, row, lease, self.now, 0);
                    self.refused |= !stored;
                    Told::Stored(stored)
                }
                Ask::Write(row) => {
                    self.rows.push(row);
                    Told::Done
                }
                Ask::Delete => {
                    self.cache.delete(KEY);
                    Told::Done
                }
            }
        }
    }

    #[derive(Clone)]
    pub struct Clients(State);

    impl Model for Clients {
        type State = State;
        type Action = Action;

        fn init_states(&self) -> Vec<State> {
            vec![self.0.clone()]
        }

        fn actions(&self, state: &State, actions: &mut Vec<Action>) {
            let readers = (0..state.readers.len()).filter(|i| state.readers[*i].client.next().is_some());
            actions.extend(readers.map(Action::Reader));
            let writers = (0..state.writers.len()).filter(|i| state.writers[*i].client.next().is_some());
            actions.extend(writers.map(Action::Writer));
            if state.pauses > 0 {
                actions.push(Action::Pause);
            }
        }

        fn next_state(&self, state: &State, action: Action) -> Option<State> {
            let mut next = state.clone();
            match action {
                Action::Reader(i) => {
                    let ask = state.readers[i].client.next()?;
                    next.readers[i].floor.get_or_insert(state.settled());
                    let told = next.serve(ask);
                    next.readers[i].client.told(told);
                }
                Action::Writer(i) => {
                    let ask = state.writers[i].client.next()?;
                    if matches!(ask, Ask::Write(_)) {
                        next.writers[i].wrote = Some(state.rows.len());
                    }
                    let told = next.serve(ask);
                    next.writers[i].client.told(told);
                }
                Action::Pause => {
                    next.pauses -= 1;
                    next.now += ON_THE_DOT.lease;
                }
            }
            (next != *state).then_some(next)
        }
    }

    /// Readers and writers of one key, in every order of their steps; writers write "v1", "v2", …
    pub fn search(trust: Trust, first: Row, readers: usize, writers: usize, pauses: u8) -> Search<Clients> {
        let start = State {
            cache: Cache::new(ON_THE_DOT, trust),
            rows: vec![first],
            readers: vec![Reader { client: Client::reader(), floor: None }; readers],
            writers: (1..=writers)
                .map(|i| Writer { client: Client::writer(row(&format!("v{i}"))), wrote: None })
                .collect(),
            now: Time::START,
            pauses,
            waited: false,
            refused: false,
        };
        Search::of(Clients(start))
            .budget(200_000)
            .always(
                "when no writer is between its write and its delete, the cache has the database's row or none",
                |state| match state.cache.peek(KEY, state.now) {
                    Some(cached) if !state.open() && cached != state.now() => {
                        Err(format!("the database says {:?}, the cache {cached:?}", state.now()))
                    }
                    _ => Ok(()),
                },
            )
            .always("who begins after a write is over gets that row or a newer one", |state| {
                for reader in &state.readers {
                    let (Some(got), Some(floor)) = (reader.client.answer(), reader.floor) else { continue };
                    if !state.rows[floor..].contains(got) {
                        return Err(format!("a reader got {got:?}, and began when {:?} was there", state.rows[floor]));
                    }
                }
                Ok(())
            })
            .eventually("everybody comes to an end", |state| {
                let busy = state.readers.iter().filter_map(|reader| reader.client.next()).collect::<Vec<_>>();
                if busy.is_empty() { Ok(()) } else { Err(format!("there are still readers who want to {busy:?}")) }
            })
    }

    fn demand(search: &Search<Clients>) {
        let outcome = search.run();
        eprintln!("{} states, {} steps deep", outcome.states, outcome.depth);
        match outcome.found {
            Found::Nothing => assert!(outcome.states <= 50_000, "{} states", outcome.states),
            Found::Broken(example) => panic!("{}: {}\nafter {:?}", example.law, example.because, example.actions),
            other => panic!("{other:?} in {} states", outcome.states),
        }
    }

    /// Two readers, two writers, and one pause in which a lease runs out.
    #[test]
    fn in_no_order_of_steps_does_a_stale_row_outlive_the_writers() {
        for first in [row("v0"), None] {
            let search = search(Trust::LeaseHolders, first, 2, 2, 1)
                .sometimes("a reader was told to wait", |state| state.waited)
                .sometimes("a set was refused", |state| state.refused)
                .sometimes("the cache is behind the database, with the writer's delete still to come", |state| {
                    state.open() && state.cache.peek(KEY, state.now).is_some_and(|cached| cached != state.now())
                })
                .sometimes("everybody is done and the row is in the cache", |state| {
                    let busy = state.readers.iter().any(|reader| reader.client.next().is_some());
                    !busy
                        && !state.open()
                        && state.rows.len() == 3
                        && state.cache.peek(KEY, state.now) == Some(state.now())
                });
            demand(&search);
        }
    }
}
