//! What users of a URL shortener can see: stage by stage, and at last the whole of it on machines that fail.

use std::collections::{BTreeMap, BTreeSet};

use kit::chaos::{Chaos, Step, trial};
use kit::rand::RngExt as _;
use kit::trace::What;
use kit::{CallId, Fault, Input, Millis, Network, Node as _, NodeId, Output, Seed, Sim, Sometimes, Time, for_seeds};
use url_shortener::click::{Batch, Click, Outbox, Policy, REMEMBERED, Response, Source, Tally, respond};
use url_shortener::code::{ALPHABET, CAPACITY, Code, Hashed, Permutation, Published, Scheme};
use url_shortener::create::{ATTEMPTS, Answer, Command, Create, LONGEST, Link, Outcome, Rejected, Target};
use url_shortener::estimate::Workload;
use url_shortener::parts::bloom_filter::{Shape, Unsizable};
use url_shortener::parts::cache_aside::{Lease, Lifetimes};
use url_shortener::parts::envelope::{Bytes, Requests};
use url_shortener::parts::error_budget;
use url_shortener::parts::shard_router::{Shard as ShardId, Slots};
use url_shortener::store::{Disk, Front, Seek, Shard};
use url_shortener::system::{
    BATCH, CACHED, Durable, FLUSH, HOST, Id, Layout, Machine, Message, PATIENCE, Reply, Request, SLOW, Timer, WINDOW,
    report,
};

/// The host that the service under test answers for.
const OURSELVES: &str = "sho.rt";

fn code(number: u64) -> Code {
    Code::new(number).expect("there are more codes than that")
}

fn target(url: &str) -> Target {
    Target::stored(url)
}

fn link(url: &str) -> Link {
    Link { target: target(url), removed: false }
}

/// Every candidate is one of `n` codes.
#[derive(Clone, Copy)]
struct Crowded(u64);

impl Scheme for Crowded {
    fn candidate(&self, target: &str, attempt: u32) -> Code {
        code(Hashed.candidate(target, attempt).number() % self.0)
    }
}

mod stage_1_estimates {
    use super::*;

    /// A hundred million people, three redirects a day each; one link for a hundred redirects.
    fn published() -> Workload {
        Workload {
            creates: Requests(3_000_000),
            redirects: Requests(300_000_000),
            peak: 3,
            link: Bytes(116),
            days: 365,
            copies: 1,
        }
    }

    #[test]
    fn creates_and_redirects_are_two_loads() {
        let load = published();
        let (creates, redirects) = (load.creates_at_peak().per_second(), load.redirects_at_peak().per_second());
        assert_eq!(
            (creates, redirects),
            (104, 10_417),
            "3 and 300 million a day, three times the mean in the busiest second"
        );
    }

    /// 116 bytes for each of 300 million redirects a day: 34.8 GB a day and 12.7 TB a year. It was published as 12.7 GB.
    #[test]
    fn a_record_of_every_redirect_would_take_terabytes_a_year() {
        let log = published().redirect_log(Bytes(116));
        assert_eq!(log.to_string(), "12.702 TB", "116 B · 300,000,000 · 365 is {} bytes", log.0);
        let copied = Workload { copies: 3, ..published() }.redirect_log(Bytes(116));
        assert_eq!(copied.to_string(), "38.106 TB", "and three times that in three copies");
    }

    #[test]
    fn a_redirect_stores_no_link() {
        let load = Workload { copies: 3, ..published() };
        assert_eq!(load.links(), Requests(1_095_000_000), "3 million a day for 365 days, whatever the copies");
        assert_eq!(load.link_storage().to_string(), "381.060 GB", "1.095 billion links of 116 B in three copies");
        let busier = Workload { redirects: Requests(3_000_000_000), ..load };
        assert_eq!(busier.link_storage(), load.link_storage(), "ten times the redirects, and not one link more");
    }

    #[test]
    fn codes_are_as_long_as_the_links_and_their_room_ask_for() {
        let load = published();
        for (room, length, why) in [
            (1, 6, "62⁵ is 0.9 billion, 62⁶ is 56 billion"),
            (51, 6, "51 · 1.095 billion is 55.8 billion"),
            (52, 7, "52 · 1.095 billion is 56.9 billion"),
            (1_000, 7, "62⁷ is 3.5 trillion"),
        ] {
            assert_eq!(load.code_length(room), length, "room for {room} times the links: {why}");
        }
        let exactly = Workload { creates: Requests(62), days: 1, ..load };
        assert_eq!(
            (exactly.code_length(1), exactly.code_length(62)),
            (1, 2),
            "62 links fit 62 codes, and 62² are 62 times as many"
        );
        let none = Workload { creates: Requests(0), ..load };
        assert_eq!(none.code_length(1), 1, "a code has at least one character");
        let huge = Workload { creates: Requests(u64::MAX), days: 1, ..load };
        assert_eq!(huge.code_length(u64::MAX), 22, "(2⁶⁴ − 1)² is more than 62²¹ and less than 62²²");
    }

    #[test]
    fn the_filter_is_sized_for_links() {
        let ten_million = Workload { creates: Requests(10_000_000), days: 1, ..published() };
        assert_eq!(
            ten_million.filter(0.01),
            Ok(Bytes(11_981_328)),
            "9.585 bits for each of 10 million links, in whole words"
        );
        let none = Workload { creates: Requests(0), ..published() };
        assert_eq!(none.filter(0.01), Err(Unsizable::Empty));
    }
}

mod stage_2_codes {
    use super::*;

    #[test]
    fn a_code_has_seven_characters_and_reads_back() {
        for (number, text) in
            [(0, "aaaaaaa"), (1, "aaaaaab"), (61, "aaaaaa9"), (62, "aaaaaba"), (CAPACITY - 1, "9999999")]
        {
            assert_eq!(code(number).to_string(), text, "number {number}");
            assert_eq!(Code::parse(text), Some(code(number)), "`{text}`");
        }
        for_seeds(300, |seed| {
            let number = seed.rng().random_range(0..CAPACITY);
            let text = code(number).to_string();
            assert_eq!(Code::parse(&text).map(Code::number), Some(number), "{number} is `{text}`");
        });
        assert_eq!(Code::new(CAPACITY), None, "62⁷ numbers begin with 0");
    }

    /// Visitors type, crawlers guess, and mail programs cut lines.
    #[test]
    fn what_is_no_code_is_none() {
        let taken = code(7).to_string();
        assert_eq!(Code::parse(&taken), Some(code(7)));
        for text in
            ["", "aaaaaa", "aaaaaaaa", "aaaaaa-", "aaaaaa ", "aaaaa/a", "aaaaaé", "ааааааа", "aaa\0aaa", "+aaaaaa"]
        {
            assert_eq!(Code::parse(text), None, "`{text}` is not seven characters of the alphabet");
        }
        assert_ne!(Code::parse("aaaaaaB"), Code::parse("aaaaaab"), "upper and lower case are different digits");
    }

    #[test]
    fn a_permutation_gives_every_number_once_and_finds_the_way_back() {
        for size in [1, 2, 3, 5, 16, 17, 62, 1_000, 4_097] {
            for key in [0, 1, 0xdead_beef] {
                let order = Permutation::new(size, key);
                let numbers: BTreeSet<u64> = (0..size).map(|place| order.apply(place)).collect();
                assert_eq!(numbers.len() as u64, size, "of {size} places with key {key}, two hold the same number");
                assert!(numbers.iter().all(|&number| number < size), "a number is not below {size}");
                for place in 0..size {
                    assert_eq!(order.invert(order.apply(place)), place, "of {size} with key {key}");
                }
            }
        }
        let all = Permutation::new(CAPACITY, 7);
        for_seeds(300, |seed| {
            let place = seed.rng().random_range(0..CAPACITY);
            let number = all.apply(place);
            assert!(number < CAPACITY, "{place} became {number}, which is no code");
            assert_eq!(all.invert(number), place, "{place} became {number}");
            assert_eq!(all.apply(all.invert(place)), place, "and the other way round");
        });
    }

    /// False alarm: 1e-9 (exact binomial), shared by 62 first and 62 last characters.
    #[test]
    fn codes_of_a_counter_begin_and_end_with_any_character() {
        let order = Permutation::new(CAPACITY, 42);
        let codes: Vec<String> = (0..62_000).map(|place| code(order.apply(place)).to_string()).collect();
        even(&codes, "of a counter's codes");
        let other = Permutation::new(CAPACITY, 43);
        let same = (0..1_000).filter(|&place| order.apply(place) == other.apply(place)).count();
        assert!(same < 3, "another key is another order, but {same} of 1,000 numbers stand at the same place");
    }

    /// Who makes two links in a row must not be able to compute the third. In 1,000 steps of a good order hardly two are equal:
    /// a pair of them is, with a chance of about 1 in 7 million.
    #[test]
    fn the_steps_from_code_to_code_differ() {
        let order = Permutation::new(CAPACITY, 42);
        let step = |place| distance(order.apply(place), order.apply(place + 1));
        let steps: BTreeSet<u64> = (0..1_000).map(step).collect();
        assert!(
            steps.len() > 990,
            "1,000 links were made one after the other, and the steps from code to code are only {} different ones: \
             the first three are {}, {} and {}",
            steps.len(),
            step(0),
            step(1),
            step(2)
        );
    }

    /// From one number to another, forwards, and round from the last to the first.
    fn distance(from: u64, to: u64) -> u64 {
        (to + CAPACITY - from) % CAPACITY
    }

    /// False alarm: 1e-9 (exact binomial), shared by 62 first and 62 last characters.
    #[test]
    fn hashed_codes_begin_and_end_with_any_character() {
        let codes: Vec<String> =
            (0..62_000).map(|n| Hashed.candidate(&format!("https://example.com/{n}"), 0).to_string()).collect();
        even(&codes, "of hashed codes");
        let published = |n| Published.candidate(&format!("https://example.com/{n}"), 0).to_string();
        let skewed = (0..10_000).filter(|&n| published(n).starts_with('b')).count();
        assert!(skewed > 2_000, "the published scheme favours `b`: {skewed} of 10,000");
    }

    fn even(codes: &[String], what: &str) {
        let fair = kit::stats::binomial_range(codes.len() as u64, 1.0 / 62.0, 1e-9 / 124.0);
        for &digit in ALPHABET {
            let first = codes.iter().filter(|code| code.as_bytes()[0] == digit).count() as u64;
            let last = codes.iter().filter(|code| code.as_bytes()[6] == digit).count() as u64;
            let digit = char::from(digit);
            assert!(fair.contains(&first), "{first} of {} {what} begin with `{digit}`; even is {fair:?}", codes.len());
            assert!(fair.contains(&last), "{last} of {} {what} end with `{digit}`; even is {fair:?}", codes.len());
        }
    }

    #[test]
    fn a_hashed_code_depends_on_the_url_and_the_attempt_and_nothing_else() {
        let mut seen = BTreeSet::new();
        for n in 0..200 {
            let url = format!("https://example.com/{n}");
            for attempt in 0..ATTEMPTS {
                let code = Hashed.candidate(&url, attempt);
                assert_eq!(code, Hashed.candidate(&url, attempt), "every instance must offer the same code for {url}");
                assert!(
                    seen.insert(code),
                    "{url}, attempt {attempt}: that code was offered before, and 1,600 of 62⁷ do not meet by chance"
                );
            }
        }
        let shared = (0..ATTEMPTS)
            .filter(|&n| Hashed.candidate("https://a.example/1", n) == Hashed.candidate("https://a.example/11", 0))
            .count();
        assert_eq!(shared, 0, "the attempt is not part of the URL");
    }

    /// Where codes are taken in rows, whoever finds the first one taken finds the next ones taken too. Equal steps by chance: see above.
    #[test]
    fn the_next_attempt_is_not_at_a_fixed_distance() {
        for attempt in 1..ATTEMPTS {
            let step = |n| {
                let url = format!("https://example.com/{n}");
                distance(Hashed.candidate(&url, attempt - 1).number(), Hashed.candidate(&url, attempt).number())
            };
            let steps: BTreeSet<u64> = (0..1_000).map(step).collect();
            assert!(
                steps.len() > 990,
                "from attempt {} to {attempt}, 1,000 URLs go {} different steps; the first goes {}",
                attempt - 1,
                steps.len(),
                step(0)
            );
        }
    }
}

mod stage_3_create {
    use super::*;
    use pretty_assertions::assert_eq;

    fn parsed(text: &str) -> Result<String, Rejected> {
        Target::parse(text, OURSELVES).map(|target| target.as_str().to_owned())
    }

    #[test]
    fn two_spellings_of_one_url_are_one_target() {
        for (text, normal) in [
            ("https://example.com/335708", "https://example.com/335708"),
            ("HTTPS://Example.COM/Path", "https://example.com/Path"),
            ("http://example.com", "http://example.com/"),
            ("http://example.com?q=1#Top", "http://example.com/?q=1#Top"),
            ("http://example.com#top", "http://example.com/#top"),
            ("http://example.com:80/", "http://example.com/"),
            ("https://example.com:443/", "https://example.com/"),
            ("https://example.com:/", "https://example.com/"),
            ("https://example.com:0443/", "https://example.com/"),
            ("http://example.com:08080/", "http://example.com:8080/"),
            ("http://[2001:DB8::7]:8080/x", "http://[2001:db8::7]:8080/x"),
        ] {
            assert_eq!(parsed(text), Ok(normal.to_owned()), "`{text}`");
        }
    }

    #[test]
    fn what_may_be_two_pages_stays_two_targets() {
        for text in [
            "http://example.com:443/",
            "https://example.com:80/",
            "https://example.com:8443/",
            "https://example.com./",
            "https://example.com/Path",
            "https://example.com/path/",
            "https://example.com/a%2Fb",
            "https://example.com/a%2fb",
            "https://example.com/a/../b",
            "https://example.com/?B=2&a=1",
            "https://example.com/?",
            "https://example.com/@user:80",
            "https://example.com/?to=https://sho.rt/",
            "http://127.0.0.1:3000/",
            "http://[2001:0db8::7]/",
            "http://my_host/",
        ] {
            assert_eq!(parsed(text), Ok(text.to_owned()), "in its normal form already");
        }
    }

    #[test]
    fn what_is_no_url_to_shorten_is_told_why() {
        let long = format!("https://example.com/{}", "a".repeat(1_000_000));
        for (text, why) in [
            (long.as_str(), Rejected::TooLong(1_000_020)),
            ("https://example.com/a b", Rejected::Character(21)),
            ("https://example.com/\r\nSet-Cookie: a=b", Rejected::Character(20)),
            ("\u{0}", Rejected::Character(0)),
            ("https://example.com/é", Rejected::Character(20)),
            ("https://exаmple.com/", Rejected::Character(10)),
            ("https://example.com\\@evil.example/", Rejected::Character(19)),
            ("https://example.com/<script>", Rejected::Character(20)),
            ("javascript:alert(1)", Rejected::Scheme("javascript".into())),
            ("JavaScript:alert(1)", Rejected::Scheme("javascript".into())),
            ("data:text/html,x", Rejected::Scheme("data".into())),
            ("ftp://example.com/", Rejected::Scheme("ftp".into())),
            ("", Rejected::NotAUrl),
            ("example.com", Rejected::NotAUrl),
            ("//example.com/", Rejected::NotAUrl),
            ("https:example.com", Rejected::NotAUrl),
            ("https:/example.com", Rejected::NotAUrl),
            ("://example.com", Rejected::NotAUrl),
            ("1http://example.com", Rejected::NotAUrl),
            ("/relative?a=http://x", Rejected::NotAUrl),
            ("https://bank.example@evil.example/", Rejected::Credentials),
            ("https://user:secret@example.com/", Rejected::Credentials),
            ("https:///path", Rejected::Host),
            ("https://?q", Rejected::Host),
            ("https://a..b/", Rejected::Host),
            ("https://./", Rejected::Host),
            ("https://example.com../", Rejected::Host),
            ("https://exa%6dple.com/", Rejected::Host),
            ("https://[::1/", Rejected::Host),
            ("https://[1.2.3.4]/", Rejected::Host),
            ("https://[::1]x/", Rejected::Host),
            ("https://example.com:65536/", Rejected::Host),
            ("https://example.com:+80/", Rejected::Host),
            ("https://example.com:80:80/", Rejected::Host),
            ("https://:80/", Rejected::Host),
        ] {
            let shown: String = text.chars().take(60).collect();
            assert_eq!(parsed(text), Err(why), "`{shown}`");
        }
        let label = |length| parsed(&format!("https://{}.example/", "a".repeat(length)));
        assert_eq!((label(63).is_ok(), label(64)), (true, Err(Rejected::Host)), "a label has at most 63 characters");
        let name = |last: usize| parsed(&format!("https://{}{}/", "a23456789.".repeat(25), "a".repeat(last)));
        assert_eq!((name(3).is_ok(), name(4)), (true, Err(Rejected::Host)), "a name has at most 253 characters");
        let most = |length: usize| parsed(&format!("https://e.example/{}", "a".repeat(length - 18)));
        assert_eq!((most(LONGEST).is_ok(), most(LONGEST + 1)), (true, Err(Rejected::TooLong(LONGEST + 1))));
    }

    #[test]
    fn a_url_is_as_long_as_its_bytes() {
        assert_eq!(parsed(&"é".repeat(1_025)), Err(Rejected::TooLong(2_050)), "1,025 characters of two bytes each");
    }

    /// Whoever asks may trim; what is read here is compared, signed and stored as it is.
    #[test]
    fn a_blank_before_or_behind_a_url_is_a_blank_in_it() {
        assert_eq!(parsed(" https://example.com/"), Err(Rejected::Character(0)));
        assert_eq!(parsed("https://example.com/\n"), Err(Rejected::Character(20)));
    }

    /// A link to ourselves can lead round in circles, at our expense.
    #[test]
    fn a_url_that_leads_to_ourselves_is_rejected_however_it_is_spelled() {
        for text in
            ["https://sho.rt/aaaaaaa", "http://SHO.rt", "https://sho.rt:8443/", "https://sho.rt./x", "http://sho.rt?x"]
        {
            assert_eq!(parsed(text), Err(Rejected::Itself), "`{text}`");
        }
        for text in ["https://sho.rt.example/", "https://not-sho.rt/", "https://example.com/sho.rt"] {
            assert!(parsed(text).is_ok(), "`{text}` is somebody else's");
        }
    }

    /// A store without anything in between.
    #[derive(Default)]
    struct Rows(BTreeMap<Code, Link>);

    impl Rows {
        fn execute(&mut self, command: Command) -> Answer {
            match command {
                Command::Insert(code, target) => match self.0.get(&code) {
                    Some(link) => Answer::Occupied(link.clone()),
                    None => {
                        self.0.insert(code, Link { target, removed: false });
                        Answer::Inserted
                    }
                },
                Command::Fetch(code) => Answer::Row(self.0.get(&code).cloned()),
                Command::Remove(code) => {
                    if let Some(link) = self.0.get_mut(&code) {
                        link.removed = true;
                    }
                    Answer::Row(self.0.get(&code).cloned())
                }
            }
        }

        fn create<S: Scheme>(&mut self, scheme: S, url: &str) -> Outcome {
            let mut create = Create::new(scheme, target(url));
            for _ in 0..100 {
                match create.next() {
                    Some(command) => create.told(&self.execute(command)),
                    None => {
                        return create.outcome().cloned().expect("it wants nothing more, so it has come to its end");
                    }
                }
            }
            panic!("{url}: it wants a hundred things done and comes to no end");
        }
    }

    #[test]
    fn the_same_url_gets_the_same_link() {
        let mut rows = Rows::default();
        let Outcome::Created(code) = rows.create(Hashed, "https://example.com/a") else { panic!("the store is empty") };
        assert_eq!(rows.create(Hashed, "https://example.com/a"), Outcome::Existing(code));
        assert_eq!(rows.0.len(), 1, "one URL, one row");
        assert!(matches!(rows.create(Hashed, "https://example.com/A"), Outcome::Created(other) if other != code));
    }

    /// With the published scheme both become `blYZcPh`. There, the first link then leads to the second page.
    #[test]
    fn two_urls_with_the_same_first_code_become_two_links() {
        for (one, other, first) in
            [(335_708, 346_690, "blYZcPh"), (407_189, 1_458_417, "baLZCeh"), (1_129_896, 1_746_727, "bdnpr6k")]
        {
            let url = |n: u32| format!("https://example.com/{n}");
            let mut rows = Rows::default();
            let mut codes = BTreeMap::new();
            for n in [one, other] {
                let Outcome::Created(code) = rows.create(Published, &url(n)) else { panic!("{} is new", url(n)) };
                codes.insert(n, code);
            }
            assert_eq!(codes[&one].to_string(), first, "nobody else has the first choice of {}", url(one));
            for n in [one, other] {
                assert_eq!(rows.0[&codes[&n]].target.as_str(), url(n), "where the code for {} leads", url(n));
                assert_eq!(rows.create(Published, &url(n)), Outcome::Existing(codes[&n]), "asked for {} again", url(n));
            }
            assert_eq!(rows.0.len(), 2);
        }
    }

    #[test]
    fn when_all_its_codes_are_taken_it_gives_up_after_so_many_attempts() {
        struct Same;
        impl Scheme for Same {
            fn candidate(&self, _: &str, attempt: u32) -> Code {
                code(u64::from(attempt.min(ATTEMPTS + 3)))
            }
        }
        let mut rows = Rows::default();
        for n in 0..u64::from(ATTEMPTS) {
            let outcome = rows.create(Same, &format!("https://example.com/{n}"));
            assert_eq!(outcome, Outcome::Created(code(n)), "attempt {n} is the first that is free");
        }
        assert_eq!(rows.create(Same, "https://example.com/more"), Outcome::Exhausted);
        assert_eq!(rows.0.len(), ATTEMPTS as usize, "who gives up leaves nothing behind");
    }

    /// The answer was lost on its way; the insert was not.
    #[test]
    fn an_insert_whose_answer_was_lost_may_be_sent_again() {
        let mut rows = Rows::default();
        let mut create = Create::new(Hashed, target("https://example.com/a"));
        let command = create.next().expect("it wants something");
        let _lost = rows.execute(command.clone());
        assert_eq!(create.next(), Some(command.clone()), "nothing was heard: it wants the same again");
        create.told(&rows.execute(command.clone()));
        assert_eq!(create.outcome(), Some(&Outcome::Existing(command.code())), "what is there is its own");
        assert_eq!(rows.0.len(), 1);
    }

    #[test]
    fn a_link_that_was_taken_down_stays_down_and_keeps_its_code() {
        let mut rows = Rows::default();
        let [one, other] = ["https://example.com/335708", "https://example.com/346690"];
        let Outcome::Created(first) = rows.create(Published, one) else { panic!("new") };
        let Outcome::Created(second) = rows.create(Published, other) else { panic!("new") };
        rows.execute(Command::Remove(first));
        assert_eq!(rows.create(Published, one), Outcome::Removed(first), "it was taken down for a reason");
        assert_eq!(
            rows.create(Published, other),
            Outcome::Existing(second),
            "the code before it is not free: mails with the removed link are still out there"
        );
    }

    /// Twenty creates at once, of which some want the same URL and many the same code; the steps come in any order.
    #[test]
    fn creates_that_overlap_never_share_a_code_or_double_a_url() {
        let sometimes = Sometimes::expect(["somebody came too late for a code", "somebody found the same URL"]);
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let mut rows = Rows::default();
            let url = |n: usize| format!("https://example.com/{}", n % 14);
            let mut creates: Vec<_> = (0..20).map(|n| Create::new(Crowded(12), target(&url(n)))).collect();
            loop {
                let open: Vec<usize> = (0..20).filter(|&n| creates[n].next().is_some()).collect();
                if open.is_empty() {
                    break;
                }
                let who = open[rng.random_range(0..open.len())];
                let command = creates[who].next().expect("it is open");
                let answer = rows.execute(command);
                if let Answer::Occupied(link) = &answer {
                    let same = link.target.as_str() == url(who);
                    sometimes.saw("somebody found the same URL", same);
                    sometimes.saw("somebody came too late for a code", !same);
                }
                creates[who].told(&answer);
            }
            for (n, create) in creates.iter().enumerate() {
                if let Some(Outcome::Created(code) | Outcome::Existing(code)) = create.outcome() {
                    let leads = rows.0[code].target.as_str();
                    assert_eq!(leads, url(n), "seed {seed}: create {n} was told {code}");
                }
            }
            let targets: BTreeSet<_> = rows.0.values().map(|link| &link.target).collect();
            assert_eq!(targets.len(), rows.0.len(), "seed {seed}: one URL has two links");
        });
    }
}

mod stage_4_store {
    use super::*;
    use pretty_assertions::assert_eq;

    fn shape() -> Shape {
        Shape::for_items(2_000, 0.01).expect("a shape")
    }

    fn url(n: u64) -> String {
        format!("https://example.com/{n}")
    }

    #[test]
    fn a_shard_keeps_who_came_first() {
        let mut shard = Shard::open(Disk::default(), shape());
        assert_eq!(shard.execute(Command::Insert(code(1), target("https://a.example/"))), Answer::Inserted);
        let late = shard.execute(Command::Insert(code(1), target("https://b.example/")));
        assert_eq!(
            late,
            Answer::Occupied(link("https://a.example/")),
            "two instances, one code: the second is told what is there"
        );
        assert_eq!(shard.execute(Command::Fetch(code(1))), Answer::Row(Some(link("https://a.example/"))));
        assert_eq!(shard.execute(Command::Fetch(code(2))), Answer::Row(None));
    }

    #[test]
    fn a_removed_link_keeps_its_row() {
        let mut shard = Shard::open(Disk::default(), shape());
        let gone = Link { removed: true, ..link("https://a.example/") };
        assert_eq!(
            shard.execute(Command::Remove(code(1))),
            Answer::Row(None),
            "nothing was there, and nothing is made"
        );
        shard.execute(Command::Insert(code(1), target("https://a.example/")));
        for _ in 0..2 {
            assert_eq!(shard.execute(Command::Remove(code(1))), Answer::Row(Some(gone.clone())));
        }
        let again = shard.execute(Command::Insert(code(1), target("https://b.example/")));
        assert_eq!(again, Answer::Occupied(gone.clone()), "a removed link's code is not free");
        assert_eq!(shard.execute(Command::Fetch(code(1))), Answer::Row(Some(gone)));
    }

    /// False alarm: 1e-9 (exact binomial) for a filter with a rate of 1 %.
    #[test]
    fn codes_that_never_were_cost_no_read_of_the_disk() {
        let mut shard = Shard::open(Disk::default(), shape());
        for n in 0..2_000 {
            shard.execute(Command::Insert(code(n), target(&url(n))));
        }
        let most = *kit::stats::binomial_range(2_000, 0.0101, 1e-9).end();
        let inserting = shard.disk().reads();
        assert!(
            inserting <= most,
            "{inserting} reads for 2,000 new links: what the filter rules out need not be looked for"
        );
        for n in 0..2_000 {
            assert_eq!(shard.execute(Command::Fetch(code(1_000_000 + n))), Answer::Row(None));
        }
        let guessing = shard.disk().reads() - inserting;
        assert!(
            guessing <= most,
            "somebody tried 2,000 codes that never were, and the disk was read {guessing} times; 1 % is at most {most}"
        );
        shard.execute(Command::Fetch(code(7)));
        assert_eq!(shard.disk().reads() - inserting - guessing, 1, "what is there is read");
    }

    /// The filter lives in memory. After a restart it is empty, and the disk is not.
    #[test]
    fn after_a_restart_every_link_is_found() {
        let mut shard = Shard::open(Disk::default(), shape());
        for n in 0..500 {
            shard.execute(Command::Insert(code(n), target(&url(n))));
        }
        let rows = shard.disk().rows().clone();
        let mut shard = Shard::open(Disk::new(rows), shape());
        for n in 0..500 {
            let found = shard.execute(Command::Fetch(code(n)));
            assert_eq!(found, Answer::Row(Some(link(&url(n)))), "acknowledged before the restart");
        }
        let again = shard.execute(Command::Insert(code(7), target("https://evil.example/")));
        assert_eq!(again, Answer::Occupied(link(&url(7))), "and nothing is overwritten");
        assert_eq!(shard.execute(Command::Fetch(code(999_999))), Answer::Row(None));
        assert!(shard.disk().reads() <= 502, "the filter works again: {} reads", shard.disk().reads());
    }

    fn slots() -> Slots {
        Slots::new(64, &[ShardId(0), ShardId(1), ShardId(2)])
    }

    const LIFETIMES: Lifetimes =
        Lifetimes { value: Millis(1_000), absence: Millis(1_000), jitter: 0, lease: Millis(100) };

    fn front(capacity: usize) -> Front {
        Front::new(slots(), LIFETIMES, capacity)
    }

    fn ask(front: &mut Front, code: Code, now: Time) -> (ShardId, Lease) {
        match front.seek(code, now) {
            Seek::Ask(shard, lease) => (shard, lease),
            other => panic!("at {now} nothing can be known of {code}, but: {other:?}"),
        }
    }

    fn load(front: &mut Front, code: Code, row: &Link, now: Time) {
        let (_, lease) = ask(front, code, now);
        front.loaded(code, lease, Some(row), now, 0);
    }

    #[test]
    fn every_instance_asks_the_same_shard_and_no_shard_has_much_more_than_another() {
        let (mut one, other) = (front(10), front(10));
        let mut counts = BTreeMap::new();
        for n in 0..3_000 {
            let shard = one.shard_of(code(n));
            assert_eq!(other.shard_of(code(n)), shard, "{}", code(n));
            *counts.entry(shard).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 3, "three shards");
        assert!(counts.values().all(|count| (700..1_300).contains(count)), "neighbouring codes are spread: {counts:?}");
        let (shard, _) = ask(&mut one, code(5), Time(0));
        assert_eq!(shard, one.shard_of(code(5)), "and it is the one that is asked");
    }

    #[test]
    fn a_visited_link_is_answered_from_the_cache_until_it_expires() {
        let mut front = front(10);
        let gone = Link { removed: true, ..link("https://b.example/") };
        for (code, row) in [(code(1), link("https://a.example/")), (code(2), gone)] {
            let (_, lease) = ask(&mut front, code, Time(0));
            front.loaded(code, lease, Some(&row), Time(0), 0);
            for now in [1, 999] {
                assert_eq!(
                    front.seek(code, Time(now)),
                    Seek::Known(row.clone()),
                    "at t={now}, it lives 1,000 ms from when it was asked for"
                );
            }
            ask(&mut front, code, Time(1_000));
        }
    }

    #[test]
    fn while_one_asks_the_others_wait() {
        let mut front = front(10);
        let (_, lease) = ask(&mut front, code(1), Time(0));
        assert_eq!(front.seek(code(1), Time(50)), Seek::Wait, "somebody has been asking for 50 ms");
        ask(&mut front, code(2), Time(50));
        front.loaded(code(1), lease, Some(&link("https://a.example/")), Time(0), 0);
        assert_eq!(front.seek(code(1), Time(60)), Seek::Known(link("https://a.example/")));
    }

    /// A visitor comes too early. Then another instance creates the link, and acknowledges it.
    #[test]
    fn what_was_not_there_is_not_remembered() {
        let mut front = front(10);
        let (_, lease) = ask(&mut front, code(1), Time(0));
        front.loaded(code(1), lease, None, Time(0), 0);
        let (_, lease) = ask(&mut front, code(1), Time(1));
        front.loaded(code(1), lease, Some(&link("https://a.example/")), Time(1), 0);
        assert_eq!(front.seek(code(1), Time(2)), Seek::Known(link("https://a.example/")), "created at t=1");
        assert_eq!(front.kept(), 1);
    }

    /// The row was read before the link was taken down, and arrives after.
    #[test]
    fn an_answer_from_before_a_removal_is_not_kept() {
        let mut front = front(10);
        let (_, lease) = ask(&mut front, code(1), Time(0));
        front.forget(code(1));
        front.loaded(code(1), lease, Some(&link("https://a.example/")), Time(0), 0);
        let known = front.seek(code(1), Time(10));
        assert!(!matches!(known, Seek::Known(_)), "the link was taken down at t=5, and here it is again: {known:?}");
    }

    #[test]
    fn the_cache_is_bounded_and_the_one_kept_longest_makes_room() {
        let mut front = front(100);
        for n in 0..150 {
            load(&mut front, code(n), &link(&url(n)), Time(n));
            assert!(front.kept() <= 100, "room for 100, and {} are kept", front.kept());
        }
        assert_eq!(front.kept(), 100);
        for n in 0..150 {
            let known = matches!(front.seek(code(n), Time(150)), Seek::Known(_));
            assert_eq!(known, n >= 50, "{n} of 150, of which the last 100 stay");
        }
    }

    /// A campaign begins, and all its links are loaded in one second. They must not all expire in one second.
    #[test]
    fn links_that_were_loaded_together_do_not_expire_together() {
        let lifetimes = Lifetimes { jitter: 50, ..LIFETIMES };
        let mut front = Front::new(slots(), lifetimes, 100);
        for_seeds(64, |seed| {
            let code = code(seed.0 % CAPACITY);
            let (_, lease) = ask(&mut front, code, Time(0));
            front.loaded(code, lease, Some(&link("https://a.example/")), Time(0), seed.rng().random());
        });
        let known = kit::seed::seeds(64)
            .iter()
            .filter(|seed| matches!(front.seek(code(seed.0 % CAPACITY), Time(750)), Seek::Known(_)))
            .count();
        assert!(
            (1..64).contains(&known),
            "lifetimes of 500 to 1,000 ms, and after 750 ms {known} of 64 links are left"
        );
    }

    /// A link that everybody visits expires and comes back, again and again.
    #[test]
    fn a_link_that_comes_back_takes_one_place() {
        let mut front = front(3);
        for round in 0..5 {
            load(&mut front, code(1), &link("https://a.example/"), Time(round * 1_000));
        }
        load(&mut front, code(2), &link("https://b.example/"), Time(4_500));
        load(&mut front, code(3), &link("https://c.example/"), Time(4_500));
        assert_eq!(front.kept(), 3, "three links");
        for n in 1..=3 {
            assert!(matches!(front.seek(code(n), Time(4_501)), Seek::Known(_)), "there is room for link {n}");
        }
    }

    /// Again and again a link is reported and looked at: it is forgotten, and the next visitor brings it back.
    #[test]
    fn a_link_that_was_forgotten_and_comes_back_takes_one_place() {
        let mut front = front(3);
        for round in 0..5 {
            load(&mut front, code(1), &link("https://a.example/"), Time(round));
            front.forget(code(1));
        }
        for n in 1..=3 {
            load(&mut front, code(n), &link(&url(n)), Time(10 + n));
        }
        for n in 1..=3 {
            let known = front.seek(code(n), Time(14));
            assert!(matches!(known, Seek::Known(_)), "three links in a cache for three, and of link {n}: {known:?}");
        }
    }
}

mod stage_5_visits {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn a_visitor_is_told_where_or_why_not() {
        let there = link("https://a.example/");
        let gone = Link { removed: true, ..there.clone() };
        for (link, policy, response, status) in [
            (Some(&there), Policy::Count, Response::Found(there.target.clone()), 302),
            (Some(&there), Policy::Cache, Response::Moved(there.target.clone()), 301),
            (None, Policy::Count, Response::NotFound, 404),
            (None, Policy::Cache, Response::NotFound, 404),
            (Some(&gone), Policy::Count, Response::Gone, 410),
            (Some(&gone), Policy::Cache, Response::Gone, 410),
        ] {
            assert_eq!(respond(link, policy), response, "{link:?}, {policy:?}");
            assert_eq!(response.status(), status);
        }
    }

    /// A browser that remembers a redirect does not ask, and is not counted; one that remembers a 404 never finds the link that is made a second later.
    #[test]
    fn what_must_be_asked_again_is_not_remembered() {
        let there = link("https://a.example/");
        let gone = Link { removed: true, ..there.clone() };
        let remembered = |link: Option<&Link>, policy| respond(link, policy).remembered();
        assert_eq!(remembered(Some(&there), Policy::Count), Millis(0), "a 302 that is remembered is not counted");
        assert_eq!(
            remembered(Some(&there), Policy::Cache),
            REMEMBERED,
            "without a limit a 301 may be remembered for ever, and never be taken back"
        );
        assert_eq!(remembered(None, Policy::Count), Millis(0), "the link may be made at the next moment");
        assert_eq!(remembered(Some(&gone), Policy::Count), REMEMBERED, "it never comes back");
    }

    const SOURCE: Source = Source { instance: 0, life: 0 };

    fn numbers(batch: Option<&Batch>) -> Vec<u64> {
        batch.map_or(vec![], |batch| batch.clicks.iter().map(|click| click.number).collect())
    }

    #[test]
    fn clicks_wait_until_they_are_counted() {
        let mut outbox = Outbox::new(SOURCE, 10);
        assert_eq!(outbox.batch(5), None, "nothing to send");
        for n in 0..4 {
            outbox.record(code(n), Time(n));
        }
        for _ in 0..2 {
            assert_eq!(numbers(outbox.batch(3).as_ref()), [1, 2, 3], "what was sent may be lost: it is sent again");
        }
        outbox.counted(2);
        assert_eq!((numbers(outbox.batch(3).as_ref()), outbox.waiting()), (vec![3, 4], 2), "1 and 2 are counted");
        outbox.counted(1);
        assert_eq!(outbox.waiting(), 2, "an old answer comes late, and takes nothing back");
        outbox.counted(4);
        assert_eq!(outbox.batch(3), None, "all are counted");
        outbox.record(code(9), Time(9));
        let batch = outbox.batch(3).expect("one click");
        assert_eq!(batch, Batch { source: SOURCE, clicks: vec![Click { number: 5, code: code(9), at: Time(9) }] });
    }

    /// The counter is away for an hour.
    #[test]
    fn a_full_outbox_drops_new_clicks_and_says_how_many() {
        let mut outbox = Outbox::new(SOURCE, 3);
        for n in 0..5 {
            outbox.record(code(n), Time(n));
        }
        assert_eq!((outbox.waiting(), outbox.dropped()), (3, 2), "room for three");
        assert_eq!(numbers(outbox.batch(9).as_ref()), [1, 2, 3], "what was promised first is kept");
        outbox.counted(3);
        outbox.record(code(7), Time(7));
        assert_eq!(numbers(outbox.batch(9).as_ref()), [4], "numbers have no gaps, or the counter would wait for ever");
    }

    fn batch(source: Source, clicks: &[(u64, u64, u64)]) -> Batch {
        let clicks = clicks.iter().map(|&(number, of, at)| Click { number, code: code(of), at: Time(at) });
        Batch { source, clicks: clicks.collect() }
    }

    #[test]
    fn a_batch_that_comes_twice_is_counted_once() {
        let mut tally = Tally::new(Millis(100));
        let first = batch(SOURCE, &[(1, 7, 10), (2, 7, 20)]);
        assert_eq!((tally.take(&first), tally.take(&first)), (2, 2), "both answers say how far it has come");
        let grown = batch(SOURCE, &[(1, 7, 10), (2, 7, 20), (3, 7, 30)]);
        assert_eq!(tally.take(&grown), 3, "one of three is new");
        assert_eq!(tally.take(&first), 3, "an old one comes late");
        assert_eq!(tally.windows(code(7)), [(Time(0), 3)]);
    }

    #[test]
    fn a_click_that_is_missing_is_waited_for() {
        let mut tally = Tally::new(Millis(100));
        assert_eq!(
            tally.take(&batch(SOURCE, &[(2, 7, 20), (3, 7, 30)])),
            0,
            "1 is missing: were 3 confirmed, 1 would be dropped"
        );
        assert_eq!(tally.windows(code(7)), [], "nothing is counted, or it would be counted again");
        assert_eq!(tally.take(&batch(SOURCE, &[(1, 7, 10), (2, 7, 20), (3, 7, 30)])), 3);
        assert_eq!(tally.windows(code(7)), [(Time(0), 3)]);
    }

    /// Two instances, and one that has been restarted, all count from 1.
    #[test]
    fn the_same_number_from_another_source_is_another_click() {
        let mut tally = Tally::new(Millis(100));
        for source in [SOURCE, Source { instance: 1, life: 0 }, Source { instance: 0, life: 1 }] {
            assert_eq!(tally.take(&batch(source, &[(1, 7, 10)])), 1, "{source:?}");
        }
        assert_eq!(tally.windows(code(7)), [(Time(0), 3)], "three clicks numbered 1");
    }

    /// An instance is restarted while its last batch is under way. The first batch of its new life comes before it.
    #[test]
    fn what_an_earlier_life_sent_and_comes_late_is_counted_too() {
        let mut tally = Tally::new(Millis(100));
        let new = Source { life: 1, ..SOURCE };
        assert_eq!(tally.take(&batch(SOURCE, &[(1, 7, 10)])), 1);
        assert_eq!(tally.take(&batch(new, &[(1, 7, 40)])), 1);
        assert_eq!(tally.take(&batch(SOURCE, &[(1, 7, 10), (2, 7, 20), (3, 7, 30)])), 3, "2 and 3 are new, and sent");
        assert_eq!(tally.take(&batch(new, &[(1, 7, 40), (2, 7, 50)])), 2, "the new life goes on where it was");
        assert_eq!(tally.windows(code(7)), [(Time(0), 5)], "three clicks of the earlier life and two of the new one");
    }

    #[test]
    fn a_click_belongs_to_the_window_in_which_it_happened() {
        let mut tally = Tally::new(Millis(100));
        tally.take(&batch(SOURCE, &[(1, 7, 99), (2, 7, 100), (3, 8, 100), (4, 7, 399)]));
        tally.take(&batch(Source { instance: 1, life: 0 }, &[(1, 7, 5)]));
        assert_eq!(
            tally.windows(code(7)),
            [(Time(0), 2), (Time(100), 1), (Time(300), 1)],
            "the late one happened at t=5"
        );
        assert_eq!(tally.windows(code(8)), [(Time(100), 1)]);
        assert_eq!(tally.windows(code(6)), []);
    }

    /// Three instances; batches and answers are lost, doubled and late; one instance is restarted.
    #[test]
    fn whatever_the_network_does_each_click_counts_once() {
        let sometimes = Sometimes::expect(["a batch was counted already", "an answer was lost"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let mut tally = Tally::new(Millis(50));
            let mut visits: BTreeMap<Code, BTreeMap<Time, u64>> = BTreeMap::new();
            let mut late: Vec<Batch> = vec![];
            let sources = [(0, 0), (1, 0), (1, 1), (2, 0)].map(|(instance, life)| Source { instance, life });
            for source in sources {
                let mut outbox = Outbox::new(source, 1_000);
                let mut made = 0;
                while made < 30 || outbox.waiting() > 0 {
                    if made < 30 && rng.random_bool(0.6) {
                        made += 1;
                        let (code, at) = (code(rng.random_range(0..3)), Time(rng.random_range(0..300)));
                        outbox.record(code, at);
                        *visits.entry(code).or_default().entry(Time(at.0 / 50 * 50)).or_default() += 1;
                    }
                    if let Some(batch) = outbox.batch(rng.random_range(1..6)) {
                        late.push(batch.clone());
                        if rng.random_bool(0.5) {
                            let through = tally.take(&batch);
                            if rng.random_bool(0.5) {
                                outbox.counted(through);
                            } else {
                                sometimes.saw("an answer was lost", true);
                            }
                        }
                    }
                    if rng.random_bool(0.3) && !late.is_empty() {
                        let old = late.remove(rng.random_range(0..late.len()));
                        let through = tally.take(&old);
                        sometimes.saw(
                            "a batch was counted already",
                            old.clicks.last().is_some_and(|click| click.number < through),
                        );
                    }
                }
            }
            for (code, windows) in visits {
                let made: Vec<_> = windows.into_iter().collect();
                assert_eq!(tally.windows(code), made, "seed {seed}: clicks of {code} by window");
            }
        });
    }
}

mod stage_6_system {
    use super::*;
    use pretty_assertions::assert_eq;

    /// Two instances, three shards, and the one that counts.
    const LAYOUT: Layout = Layout { fronts: 2, shards: 3 };
    const FRONTS: [NodeId; 2] = [NodeId(0), NodeId(1)];
    /// Longer than any request can take.
    const A_WHILE: Millis = Millis(PATIENCE.0 + 100);

    fn cluster<S: Scheme + Clone + 'static>(seed: Seed, scheme: S) -> Sim<Machine<S>> {
        let mut sim = Sim::new(seed, move |me, durable| Machine::new(LAYOUT, scheme.clone(), me, durable));
        sim.join_all(["front a", "front b", "shard 0", "shard 1", "shard 2", "counter"]);
        sim
    }

    fn url(n: usize) -> String {
        format!("https://example.com/{n}")
    }

    fn create<S: Scheme + Clone + 'static>(sim: &mut Sim<Machine<S>>, front: NodeId, url: &str) -> Code {
        match sim.ask(front, Request::Create(url.into()), A_WHILE) {
            Some(Reply::Link(Outcome::Created(code) | Outcome::Existing(code))) => code,
            other => panic!("nothing is wrong, and {url} was answered {other:?}\n{sim}"),
        }
    }

    fn visit<S: Scheme + Clone + 'static>(sim: &mut Sim<Machine<S>>, front: NodeId, code: Code) -> Option<Reply> {
        sim.ask(front, Request::Visit(code.to_string()), A_WHILE)
    }

    fn found(url: &str) -> Option<Reply> {
        Some(Reply::Response(Response::Found(target(url))))
    }

    fn shard_of(code: Code) -> NodeId {
        let slots = LAYOUT.slots();
        LAYOUT.shard(slots.shard_of(url_shortener::parts::shard_router::Key(code.number())))
    }

    fn clicks<S: Scheme + Clone + 'static>(sim: &Sim<Machine<S>>, code: Code) -> u64 {
        let counter = sim.node(LAYOUT.counter()).and_then(Machine::tally).expect("the counter is up");
        counter.windows(code).iter().map(|(_, clicks)| clicks).sum()
    }

    #[test]
    fn a_link_made_at_one_instance_is_found_at_the_other() {
        let mut sim = cluster(Seed(1), Hashed);
        for n in 0..20 {
            let early = visit(&mut sim, FRONTS[1], Hashed.candidate(&url(n), 0));
            assert_eq!(early, Some(Reply::Response(Response::NotFound)), "link {n} is not made yet\n{sim}");
            let code = create(&mut sim, FRONTS[0], &url(n));
            for front in FRONTS {
                assert_eq!(visit(&mut sim, front, code), found(&url(n)), "link {n} was acknowledged\n{sim}");
            }
            let again = sim.ask(FRONTS[1], Request::Create(url(n)), A_WHILE);
            assert_eq!(again, Some(Reply::Link(Outcome::Existing(code))), "the same URL, the same link\n{sim}");
        }
    }

    /// All shards are down. Whoever asks nonsense is told so all the same.
    #[test]
    fn bad_input_is_answered_at_once() {
        let mut sim = cluster(Seed(1), Hashed);
        for shard in 0..3 {
            sim.inject(Fault::Crash { node: LAYOUT.shard(ShardId(shard)), lose_last_write: false });
        }
        let none = Reply::Response(Response::NotFound);
        for (request, reply) in [
            (Request::Create("javascript:alert(1)".into()), Reply::Rejected(Rejected::Scheme("javascript".into()))),
            (Request::Create("not a url".into()), Reply::Rejected(Rejected::Character(3))),
            (Request::Create(format!("https://{HOST}/aaaaaaa")), Reply::Rejected(Rejected::Itself)),
            (Request::Create("a".repeat(1_000_000)), Reply::Rejected(Rejected::TooLong(1_000_000))),
            (Request::Visit("favicon.ico".into()), none.clone()),
            (Request::Visit("../../etc/passwd".into()), none.clone()),
            (Request::Remove(String::new()), none),
        ] {
            let asked = sim.now();
            let told = sim.ask(FRONTS[0], request, A_WHILE);
            assert_eq!(told, Some(reply));
            assert_eq!(sim.now().since(asked), Millis(0), "nobody else has to be asked about that");
        }
    }

    #[test]
    fn a_request_whose_shard_is_away_is_refused_in_time_and_the_others_are_served() {
        let mut sim = cluster(Seed(1), Hashed);
        let away = LAYOUT.shard(ShardId(1));
        sim.inject(Fault::Crash { node: away, lose_last_write: false });
        let (mut served, mut refused) = (0, 0);
        for n in 0..60 {
            let asked = sim.now();
            let code = Hashed.candidate(&url(n), 0);
            let [create, one, other] =
                [Request::Create(url(n)), Request::Visit(code.to_string()), Request::Visit(code.to_string())]
                    .map(|request| sim.call(FRONTS[0], request));
            sim.run_for(A_WHILE);
            let replies = [create, one, other].map(|call| sim.calls()[call.0 as usize].replied.clone());
            for (moment, reply) in replies.iter().flatten() {
                assert!(
                    moment.at.since(asked) <= PATIENCE,
                    "answered {reply:?} after {}\n{sim}",
                    moment.at.since(asked)
                );
                assert_eq!(
                    *reply == Reply::Unavailable,
                    shard_of(code) == away,
                    "{reply:?} about {code} on {}\n{sim}",
                    shard_of(code)
                );
            }
            assert!(replies.iter().all(Option::is_some), "somebody waits for ever: {replies:?}\n{sim}");
            if shard_of(code) == away { refused += 1 } else { served += 1 }
        }
        assert!(served > 0 && refused > 0, "links are spread: {served} were served, {refused} refused");
        sim.mend();
        for n in 0..60 {
            let code = create(&mut sim, FRONTS[1], &url(n));
            assert_eq!(visit(&mut sim, FRONTS[0], code), found(&url(n)), "the shard is back\n{sim}");
        }
    }

    /// Asks one machine directly: it is the shard of all codes.
    #[test]
    fn a_shard_answers_when_it_is_on_disk_and_not_before() {
        let layout = Layout { fronts: 1, shards: 1 };
        let mut shard = Machine::new(layout, Hashed, NodeId(1), None);
        shard.step(Input::Start, Time(0));
        let id = Id { life: 0, number: 1 };
        for command in [Command::Insert(code(7), target(&url(7))), Command::Remove(code(7))] {
            let message = Message::Do(id, command.clone());
            let outputs = shard.step(Input::Message { from: NodeId(0), message }, Time(0));
            let disk = outputs.iter().position(
                |output| matches!(output, Output::Persist(Durable::Shard(rows)) if rows.contains_key(&code(7))),
            );
            let told =
                outputs.iter().position(|output| matches!(output, Output::Send { message: Message::Done(..), .. }));
            assert!(told.is_some(), "{command:?} is answered: {outputs:?}");
            assert!(
                disk.is_some() && disk < told,
                "{command:?}: a crash between answer and disk loses what was acknowledged: {outputs:?}"
            );
        }
    }

    #[test]
    fn the_counter_answers_when_it_is_on_disk_and_not_before() {
        let layout = Layout { fronts: 1, shards: 1 };
        let mut counter = Machine::new(layout, Hashed, layout.counter(), None);
        counter.step(Input::Start, Time(0));
        let source = Source { instance: 0, life: 0 };
        let batch = Batch { source, clicks: vec![Click { number: 1, code: code(7), at: Time(3) }] };
        let outputs = counter.step(Input::Message { from: NodeId(0), message: Message::Clicks(batch) }, Time(9));
        let disk = outputs.iter().position(
            |output| matches!(output, Output::Persist(Durable::Counter(tally)) if !tally.windows(code(7)).is_empty()),
        );
        let told = outputs.iter().position(
            |output| matches!(output, Output::Send { message: Message::Counted(of, 1), .. } if *of == source),
        );
        assert!(told.is_some(), "the batch is confirmed: {outputs:?}");
        assert!(
            disk.is_some() && disk < told,
            "a crash between answer and disk loses clicks that nobody sends again: {outputs:?}"
        );
    }

    #[test]
    fn an_acknowledged_link_survives_a_crash_of_its_shard() {
        let mut sim = cluster(Seed(1), Hashed);
        for n in 0..10 {
            let code = create(&mut sim, FRONTS[0], &url(n));
            sim.inject(Fault::Crash { node: shard_of(code), lose_last_write: false });
            sim.inject(Fault::Restart(shard_of(code)));
            assert_eq!(
                visit(&mut sim, FRONTS[1], code),
                found(&url(n)),
                "link {n} was acknowledged before the crash\n{sim}"
            );
        }
    }

    /// The shard does what it is told, and nobody hears of it. The client asks again.
    #[test]
    fn a_create_whose_answer_is_lost_makes_no_second_link() {
        let mut sim = cluster(Seed(1), Hashed);
        for shard in 0..3 {
            sim.inject(Fault::Cut { from: LAYOUT.shard(ShardId(shard)), to: FRONTS[0] });
        }
        let first = sim.ask(FRONTS[0], Request::Create(url(1)), A_WHILE);
        assert_eq!(first, Some(Reply::Unavailable), "no answer comes back\n{sim}");
        sim.mend();
        let code = Hashed.candidate(&url(1), 0);
        let again = sim.ask(FRONTS[0], Request::Create(url(1)), A_WHILE);
        assert_eq!(again, Some(Reply::Link(Outcome::Existing(code))), "the first attempt was carried out\n{sim}");
    }

    #[test]
    fn a_link_in_the_cache_leads_on_while_its_shard_is_away() {
        let mut sim = cluster(Seed(1), Hashed);
        let code = create(&mut sim, FRONTS[0], &url(1));
        assert_eq!(visit(&mut sim, FRONTS[0], code), found(&url(1)));
        sim.inject(Fault::Crash { node: shard_of(code), lose_last_write: false });
        sim.run_for(Millis(CACHED.0 / 2));
        let asked = sim.now();
        assert_eq!(
            visit(&mut sim, FRONTS[0], code),
            found(&url(1)),
            "visited {CACHED} / 2 ago, kept for {CACHED}\n{sim}"
        );
        assert_eq!(sim.now().since(asked), Millis(0), "and the visitor does not wait");
    }

    #[test]
    fn all_who_wait_for_one_link_are_answered() {
        let mut sim = cluster(Seed(1), Hashed);
        let code = create(&mut sim, FRONTS[0], &url(1));
        let calls: Vec<_> = (0..20).map(|_| sim.call(FRONTS[1], Request::Visit(code.to_string()))).collect();
        sim.run_for(Millis(100));
        let answered = calls.iter().filter(|&&call| sim.reply(call).cloned() == found(&url(1))).count();
        assert_eq!(answered, 20, "twenty visitors of a link that is not in the cache\n{sim}");
    }

    #[test]
    fn a_link_that_was_taken_down_is_gone_everywhere_when_the_caches_have_forgotten_it() {
        let mut sim = cluster(Seed(1), Hashed);
        let code = create(&mut sim, FRONTS[0], &url(1));
        for front in FRONTS {
            assert_eq!(visit(&mut sim, front, code), found(&url(1)));
        }
        let gone = Some(Reply::Response(Response::Gone));
        assert_eq!(sim.ask(FRONTS[0], Request::Remove(code.to_string()), A_WHILE), gone);
        assert_eq!(visit(&mut sim, FRONTS[0], code), gone, "the instance that took it down knows it at once\n{sim}");
        sim.run_for(CACHED);
        assert_eq!(visit(&mut sim, FRONTS[1], code), gone, "the other one after {CACHED}\n{sim}");
        let again = sim.ask(FRONTS[1], Request::Create(url(1)), A_WHILE);
        assert_eq!(again, Some(Reply::Link(Outcome::Removed(code))), "it was taken down for a reason\n{sim}");
        let never = sim.ask(FRONTS[1], Request::Remove("aaaaaaa".into()), A_WHILE);
        assert_eq!(never, Some(Reply::Response(Response::NotFound)), "nothing was there\n{sim}");
    }

    /// The wish to take a link down is lost on its way and sent again. In between a visitor asks, and is led there: it is not taken down yet.
    #[test]
    fn an_instance_that_took_a_link_down_forgets_what_came_meanwhile() {
        let mut sim = cluster(Seed(1), Hashed).over(Network::exact(Millis(1)));
        let code = create(&mut sim, FRONTS[0], &url(1));
        sim.inject(Fault::Cut { from: FRONTS[0], to: shard_of(code) });
        let removal = sim.call(FRONTS[0], Request::Remove(code.to_string()));
        sim.run_for(Millis(2)); // sent, and lost
        sim.inject(Fault::Heal);
        assert_eq!(visit(&mut sim, FRONTS[0], code), found(&url(1)), "it is not taken down yet\n{sim}");
        let gone = Some(Reply::Response(Response::Gone));
        let told = sim.run_until(PATIENCE, |sim| sim.reply(removal).is_some());
        assert!(told && sim.reply(removal).cloned() == gone, "it was asked for again\n{sim}");
        assert_eq!(visit(&mut sim, FRONTS[0], code), gone, "told so by this instance, a moment ago\n{sim}");
    }

    /// An answer is under way for 300 ms, and in between the link is taken down. It was true when it was asked for, and is no younger when it arrives.
    #[test]
    fn what_is_long_under_way_is_not_kept_the_longer() {
        let mut sim = cluster(Seed(1), Hashed).over(Network::exact(Millis(1)));
        let code = create(&mut sim, FRONTS[0], &url(1));
        sim.run_for(A_WHILE);
        let early = sim.call(FRONTS[1], Request::Visit(code.to_string()));
        sim.run_for(Millis(0)); // asked
        sim.set_network(Network::exact(Millis(300)));
        sim.run_for(Millis(2)); // answered, slowly
        sim.set_network(Network::exact(Millis(1)));
        sim.inject(Fault::Cut { from: FRONTS[1], to: shard_of(code) }); // who asks again is not heard
        let gone = Some(Reply::Response(Response::Gone));
        assert_eq!(sim.ask(FRONTS[0], Request::Remove(code.to_string()), A_WHILE), gone);
        let removed = sim.now();
        sim.run_for(Millis(350));
        assert_eq!(sim.reply(early).cloned(), found(&url(1)), "it was there when this visitor came\n{sim}");
        sim.inject(Fault::Heal);
        let until_it_is_forgotten = Time(removed.0 + CACHED.0).since(sim.now());
        sim.run_for(until_it_is_forgotten);
        assert_eq!(
            visit(&mut sim, FRONTS[1], code),
            gone,
            "taken down {CACHED} ago, and a link is cached for {CACHED} at most\n{sim}"
        );
    }

    /// All shards are away. Everybody is told so, and then nobody waits for an answer any more.
    #[test]
    fn for_who_was_refused_nobody_is_asked_any_more() {
        let mut sim = cluster(Seed(1), Hashed);
        for shard in 0..3 {
            sim.inject(Fault::Crash { node: LAYOUT.shard(ShardId(shard)), lose_last_write: false });
        }
        for n in 0..20 {
            let code = Hashed.candidate(&url(n), 1).to_string();
            for request in [Request::Create(url(n)), Request::Visit(code.clone()), Request::Remove(code)] {
                sim.call(FRONTS[n % 2], request);
            }
        }
        sim.run_for(A_WHILE);
        assert!(sim.calls().iter().all(|call| call.replied.is_some()), "somebody still waits\n{sim}");
        let before = sim.trace().events.len();
        sim.run_for(Millis(10 * PATIENCE.0));
        let sent = |event: &&kit::trace::Event| matches!(event.what, What::Sent { .. });
        let more = sim.trace().events[before..].iter().filter(sent).count();
        assert_eq!(
            more, 0,
            "sixty requests are answered, and their questions go on: a shard that comes back drowns in them"
        );
    }

    /// The counter is away, and the clicks wait. What is sent again and again has a bound.
    #[test]
    fn however_many_clicks_wait_so_many_are_sent_at_a_time() {
        let layout = Layout { fronts: 1, shards: 1 };
        let mut front = Machine::new(layout, Hashed, NodeId(0), None);
        front.step(Input::Start, Time(0));
        let visit = |n: u64| Input::Request { call: CallId(n), request: Request::Visit(code(7).to_string()) };
        let asked = front.step(visit(0), Time(0)).into_iter().find_map(|output| match output {
            Output::Send { message: Message::Do(id, _), .. } => Some(id),
            _ => None,
        });
        let message = Message::Done(asked.expect("the shard is asked"), code(7), Answer::Row(Some(link(&url(7)))));
        front.step(Input::Message { from: NodeId(1), message }, Time(1));
        for n in 1..=3 * BATCH as u64 {
            front.step(visit(n), Time(2));
        }
        let outputs = front.step(Input::Timer(Timer::Flush), Time(2));
        let sent: Vec<usize> = outputs
            .iter()
            .filter_map(|output| match output {
                Output::Send { to, message: Message::Clicks(batch) } if *to == layout.counter() => {
                    Some(batch.clicks.len())
                }
                _ => None,
            })
            .collect();
        assert_eq!(sent, [BATCH], "{} clicks wait, and one batch is on its way at a time", 3 * BATCH + 1);
    }

    /// What clients were told about codes, if it is one story: the target of each code, and the code of each target.
    fn story<S: Scheme + Clone + 'static>(sim: &Sim<Machine<S>>) -> Result<BTreeMap<Code, Target>, String> {
        let (mut leads, mut codes) = (BTreeMap::new(), BTreeMap::new());
        for call in sim.calls() {
            let (code, told) = match (&call.request, call.replied.as_ref().map(|(_, reply)| reply)) {
                (Request::Create(url), Some(Reply::Link(Outcome::Created(code) | Outcome::Existing(code)))) => {
                    let other = codes.insert(url.clone(), *code).filter(|other| other != code);
                    if let Some(other) = other {
                        return Err(format!("{url} has two links, {other} and {code}"));
                    }
                    (*code, target(url))
                }
                (Request::Visit(text), Some(Reply::Response(Response::Found(target)))) => {
                    (Code::parse(text).expect("a code"), target.clone())
                }
                _ => continue,
            };
            let other = leads.insert(code, told.clone()).filter(|other| *other != told);
            if let Some(other) = other {
                return Err(format!("{code} leads to {} and to {}", other.as_str(), told.as_str()));
            }
        }
        Ok(leads)
    }

    fn plan(seed: Seed, scheme: Crowded) -> Vec<Step<Request>> {
        let calls = Chaos::calm(LAYOUT.fronts, Millis(3_000), 40);
        let mut plan = calls.plan(seed.part(1), |rng, _| {
            let url = url(rng.random_range(0..8));
            if rng.random_bool(0.4) {
                Request::Create(url)
            } else {
                Request::Visit(scheme.candidate(&url, rng.random_range(0..2)).to_string())
            }
        });
        let faults = Chaos { partitions: 1, cuts: 1, crashes: 4, pauses: 1, ..Chaos::calm(6, Millis(3_000), 0) };
        plan.extend(faults.plan(seed.part(2), |_, _| unreachable!("no calls")));
        plan.sort_by_key(|step| step.at);
        plan
    }

    /// Instances, shards and the counter crash; the network splits, loses, doubles and delays. Codes are so few that they collide.
    #[test]
    fn every_acknowledged_link_resolves_and_none_leads_elsewhere() {
        let sometimes = Sometimes::expect([
            "a create was acknowledged",
            "a create was refused",
            "a visit was refused",
            "a candidate was taken",
        ]);
        let scheme = Crowded(7);
        for_seeds(60, |seed| {
            let plan = plan(seed, scheme);
            let sim = trial(
                seed,
                &plan,
                |seed| cluster(seed, scheme).over(Network::unreliable()),
                |sim| {
                    sim.mend();
                    sim.set_network(Network::reliable());
                    sim.run_for(Millis(2_000));
                    for (code, target) in story(sim)? {
                        for front in FRONTS {
                            let told = visit(sim, front, code);
                            if told != found(target.as_str()) {
                                return Err(format!(
                                    "{code} was acknowledged for {} and is answered {told:?}",
                                    target.as_str()
                                ));
                            }
                        }
                    }
                    story(sim).map(drop)
                },
            );
            for call in sim.calls() {
                let reply = call.replied.as_ref().map(|(_, reply)| reply);
                let is_create = matches!(call.request, Request::Create(_));
                let refused = reply == Some(&Reply::Unavailable);
                sometimes.saw("a create was refused", is_create && refused);
                sometimes.saw("a visit was refused", !is_create && refused);
                sometimes.saw("a create was acknowledged", matches!(reply, Some(Reply::Link(_))));
                if let (Request::Create(url), Some(Reply::Link(Outcome::Created(code)))) = (&call.request, reply) {
                    sometimes.saw("a candidate was taken", *code != scheme.candidate(url, 0));
                }
            }
        });
    }

    /// The network loses and doubles messages, the counter and the shards crash; the instances do not.
    #[test]
    fn each_click_is_counted_once_as_long_as_its_instance_lives() {
        let sometimes = Sometimes::expect(["the counter was down"]);
        for_seeds(20, |seed| {
            let mut rng = seed.rng();
            let mut sim = cluster(seed, Hashed);
            let codes: Vec<Code> = (0..3).map(|n| create(&mut sim, FRONTS[n % 2], &url(n))).collect();
            sim.set_network(Network::unreliable());
            for _ in 0..60 {
                match rng.random_range(0..12) {
                    0 => sim.inject(Fault::Crash { node: LAYOUT.counter(), lose_last_write: false }),
                    1 => sim.inject(Fault::Restart(LAYOUT.counter())),
                    _ => {
                        _ = sim.call(
                            FRONTS[rng.random_range(0..2)],
                            Request::Visit(codes[rng.random_range(0..3)].to_string()),
                        );
                    }
                }
                sometimes.saw("the counter was down", sim.node(LAYOUT.counter()).is_none());
                sim.run_for(Millis(rng.random_range(0..40)));
            }
            sim.mend();
            sim.run_for(Millis(2_000));
            for (n, code) in codes.iter().enumerate() {
                let visits = sim.calls().iter().filter(|call| {
                    call.request == Request::Visit(code.to_string())
                        && call.replied.as_ref().map(|(_, reply)| reply.clone()) == found(&url(n))
                });
                let visits = visits.count() as u64;
                assert!(
                    clicks(&sim, *code) == visits,
                    "seed {seed}: {visits} visits of {code}, {} clicks counted",
                    clicks(&sim, *code)
                );
            }
        });
    }

    /// A restarted instance begins to number its clicks anew.
    #[test]
    fn a_restarted_instance_is_counted_on() {
        let mut sim = cluster(Seed(1), Hashed);
        let code = create(&mut sim, FRONTS[0], &url(1));
        let settled = Millis(FLUSH.0 * 3);
        for life in 1..=3_u64 {
            for _ in 0..2 {
                assert_eq!(visit(&mut sim, FRONTS[0], code), found(&url(1)));
            }
            sim.run_for(settled);
            assert_eq!(clicks(&sim, code), life * 2, "two visits in each of {life} lives\n{sim}");
            sim.inject(Fault::Crash { node: FRONTS[0], lose_last_write: false });
            sim.inject(Fault::Restart(FRONTS[0]));
        }
    }

    /// The counter confirms three clicks of the first life while two of the second wait.
    #[test]
    fn a_confirmation_of_an_earlier_life_confirms_nothing() {
        let mut sim = cluster(Seed(1), Hashed).over(Network::exact(Millis(1)));
        let code = create(&mut sim, FRONTS[0], &url(1));
        for _ in 0..3 {
            assert_eq!(visit(&mut sim, FRONTS[0], code), found(&url(1)));
        }
        sim.set_network(Network::exact(Millis(30)));
        let counted = sim.run_until(Millis(FLUSH.0 * 2), |sim| clicks(sim, code) == 3);
        assert!(counted, "three clicks were sent\n{sim}");
        sim.inject(Fault::Crash { node: FRONTS[0], lose_last_write: false });
        sim.inject(Fault::Restart(FRONTS[0]));
        sim.set_network(Network::exact(Millis(1)));
        for _ in 0..2 {
            assert_eq!(visit(&mut sim, FRONTS[0], code), found(&url(1)));
        }
        sim.run_for(Millis(FLUSH.0 * 4));
        assert_eq!(clicks(&sim, code), 5, "three in the first life and two in the second\n{sim}");
    }

    /// An answer to the first life reaches the second, which has asked something else under the same number.
    #[test]
    fn an_answer_to_an_earlier_life_is_not_mistaken() {
        let mut sim = cluster(Seed(1), Hashed).over(Network::exact(Millis(1)));
        let code = Hashed.candidate(&url(1), 0);
        sim.call(FRONTS[0], Request::Visit(code.to_string()));
        sim.run_for(Millis(0)); // asked at t=0
        sim.set_network(Network::exact(Millis(100)));
        sim.run_for(Millis(2)); // answered at t=1: there is no such link
        sim.set_network(Network::exact(Millis(1)));
        sim.inject(Fault::Crash { node: FRONTS[0], lose_last_write: false });
        sim.inject(Fault::Restart(FRONTS[0]));
        create(&mut sim, FRONTS[1], &url(1));
        let until_it_comes = Time(100).since(sim.now());
        sim.run_for(until_it_comes);
        assert_eq!(
            visit(&mut sim, FRONTS[0], code),
            found(&url(1)),
            "the old answer said that there is no such link\n{sim}"
        );
    }

    #[test]
    fn clicks_are_counted_in_the_window_of_the_visit() {
        let mut sim = cluster(Seed(1), Hashed);
        let code = create(&mut sim, FRONTS[0], &url(1));
        sim.inject(Fault::Crash { node: LAYOUT.counter(), lose_last_write: false });
        for _ in 0..3 {
            assert_eq!(visit(&mut sim, FRONTS[0], code), found(&url(1)));
        }
        sim.run_for(Millis(WINDOW.0 * 2));
        sim.mend();
        sim.run_for(Millis(500));
        let counter = sim.node(LAYOUT.counter()).and_then(Machine::tally).expect("the counter is up");
        assert_eq!(
            counter.windows(code),
            [(Time(0), 3)],
            "they happened before {WINDOW}, and were heard of after {} ms\n{sim}",
            WINDOW.0 * 2
        );
    }

    #[test]
    fn a_report_counts_what_the_service_is_to_blame_for() {
        let objective = error_budget::Target::per_million(900_000).expect("90 %");
        let response = |response| Some(Reply::Response(response));
        let good = [
            (Some(Reply::Link(Outcome::Created(code(1)))), Millis(5)),
            (response(Response::Found(target(&url(1)))), SLOW),
            (response(Response::NotFound), Millis(1)),
            (response(Response::Gone), Millis(1)),
        ];
        let bad = [
            (response(Response::Found(target(&url(1)))), Millis(SLOW.0 + 1)),
            (Some(Reply::Unavailable), Millis(1)),
            (None, Millis(10)),
        ];
        let neither = [(Some(Reply::Rejected(Rejected::Itself)), Millis(SLOW.0 + 1))];
        let requests: Vec<_> = good.into_iter().chain(bad).chain(neither).collect();
        let report = report(objective, &requests);
        assert_eq!((report.count.good, report.count.valid), (4, 7), "what was rejected was the client's mistake");
        assert!((report.budget.allowed - 0.7).abs() < 1e-9, "a tenth of 7 may be bad: {:?}", report.budget);
        assert!((report.budget.used - 3.0).abs() < 1e-9, "3 were: {:?}", report.budget);
    }

    /// One message in ten is lost. Who asks once fails one request in five; who asks again stays within the budget.
    #[test]
    fn a_network_that_loses_messages_stays_within_the_error_budget() {
        let objective = error_budget::Target::per_million(999_000).expect("99.9 %");
        let mut requests = vec![];
        for_seeds(20, |seed| {
            let mut rng = seed.rng();
            let mut sim = cluster(seed, Hashed).over(Network::unreliable());
            for _ in 0..100 {
                let n = rng.random_range(0..30);
                let request = if rng.random_bool(0.3) {
                    Request::Create(url(n))
                } else {
                    Request::Visit(Hashed.candidate(&url(n), 0).to_string())
                };
                sim.call(FRONTS[rng.random_range(0..2)], request);
                sim.run_for(Millis(rng.random_range(0..60)));
            }
            sim.run_for(A_WHILE);
            for call in sim.calls() {
                let took = call.replied.as_ref().map_or(A_WHILE, |(moment, _)| moment.at.since(call.called.at));
                requests.push((call.replied.as_ref().map(|(_, reply)| reply.clone()), took));
            }
        });
        let report = report(objective, &requests);
        assert!(
            report.count.meets(objective),
            "{} of {} requests were good, which spends {:.1} times the budget",
            report.count.good,
            report.count.valid,
            report.budget.share_used()
        );
    }
}
