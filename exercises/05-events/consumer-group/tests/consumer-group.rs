//! Where a key goes, who works on what, and how it changes hands.

use consumer_group::{
    Assignment, Group, Member, NotAMember, Partition, Topics, moved, murmur2, partition, partitions, range,
    round_robin, sticky,
};
use kit::{Rng, Sometimes, for_seeds};
use rand::RngExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("the tests' topics have partitions")
}

fn member(name: &str) -> Member {
    Member(name.to_owned())
}

/// `members("abc")` are a, b and c.
fn members(names: &str) -> BTreeSet<Member> {
    names.chars().map(|name| Member(name.to_string())).collect()
}

/// `topics(&[("orders", 6)])`.
fn topics(counts: &[(&str, u32)]) -> Topics {
    counts.iter().map(|&(topic, count)| (topic.to_owned(), count)).collect()
}

fn orders(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<Partition> {
    numbers.into_iter().map(|number| Partition { topic: "orders".to_owned(), number }).collect()
}

/// An assignment in one line: `a: o0 o1 | b: o2`, where `o1` is partition 1 of the topic whose name begins with `o`.
fn line(assignment: &Assignment) -> String {
    let one = |(member, works_on): (&Member, &BTreeSet<Partition>)| {
        let parts: Vec<String> = works_on.iter().map(|p| format!("{}{}", &p.topic[..1], p.number)).collect();
        format!("{}: {}", member.0, parts.join(" ")).trim_end().to_owned()
    };
    assignment.iter().map(one).collect::<Vec<_>>().join(" | ")
}

/// Everybody is in it, every partition has exactly one owner, and nothing else is assigned.
#[track_caller]
fn complete(topics: &Topics, members: &BTreeSet<Member>, assignment: &Assignment) {
    let all: Vec<Partition> = partitions(topics).collect();
    let names: BTreeSet<Member> = assignment.keys().cloned().collect();
    assert!(&names == members, "everybody stands in it, working or not: {}", line(assignment));
    let mut owned: Vec<Partition> = assignment.values().flatten().cloned().collect();
    owned.sort();
    assert!(owned == all, "each of the {} partitions has exactly one owner: {}", all.len(), line(assignment));
}

/// The greatest difference in load between two members.
fn spread(assignment: &Assignment) -> usize {
    let loads = || assignment.values().map(BTreeSet::len);
    loads().max().unwrap_or(0) - loads().min().unwrap_or(0)
}

/// How many partitions are with the same member as before.
fn kept(before: &Assignment, after: &Assignment) -> usize {
    let nothing = BTreeSet::new();
    after.iter().map(|(member, has)| before.get(member).unwrap_or(&nothing).intersection(has).count()).sum()
}

mod stage_1_the_partitioner {
    use super::*;
    use pretty_assertions::assert_eq;

    /// What Kafka's own test of `murmur2` asks for.
    #[test]
    fn murmur2_gives_kafkas_own_numbers() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), hash, "the hash of {key:?}");
        }
    }

    /// In Java a byte has a sign, so Kafka masks each byte. In Rust it has none.
    #[test]
    fn bytes_beyond_ascii_count_from_0_to_255() {
        assert_eq!(murmur2(b""), 275_646_681, "the hash of nothing");
        assert_eq!(murmur2("Zürich".as_bytes()), -1_551_140_815, "the hash of \"Zürich\", 7 bytes");
    }

    /// A consumer in one language looks for a customer where a producer in another one put it.
    #[test]
    fn a_key_goes_where_every_other_client_puts_it() {
        for (key, of_3, of_6, of_7, of_12) in [
            ("21", 0, 0, 3, 0),
            ("foobar", 0, 0, 0, 6),
            ("a-little-bit-longer-string", 2, 5, 0, 11),
            ("abc", 0, 3, 4, 3),
            ("Zürich", 1, 1, 2, 1),
        ] {
            let places = [3, 6, 7, 12].map(|n| partition(key.as_bytes(), count(n)));
            assert_eq!(places, [of_3, of_6, of_7, of_12], "{key:?} of 3, 6, 7 and 12 partitions");
        }
    }

    /// The sign is cleared, and nothing else: the bits below it are the hash's own.
    #[test]
    fn of_sixteen_partitions_the_lowest_four_bits_choose() {
        for key in ["21", "foobar", "a-little-bit-long-string", "abc", "Zürich"] {
            let hash = murmur2(key.as_bytes());
            let lowest = hash.cast_unsigned() % 16;
            assert_eq!(partition(key.as_bytes(), count(16)), lowest, "{key:?} has the hash {hash}");
        }
    }

    /// 10,000 orders. Nothing is wrong with the hash: what moves them is "modulo".
    #[test]
    fn a_seventh_partition_moves_six_keys_of_seven() {
        let keys: Vec<String> = (0..10_000).map(|i| format!("order-{i}")).collect();
        assert_eq!(moved(&keys, count(6), count(7)), 8_582, "from 6 to 7 partitions");
        assert_eq!(moved(&keys, count(6), count(12)), 5_051, "from 6 to 12 partitions: every second key");
        assert_eq!(moved(&keys, count(6), count(6)), 0, "nothing has changed");
    }
}

mod stage_2_range_and_round_robin {
    use super::*;
    use pretty_assertions::assert_eq;

    /// Three partitions for two members: neither 0, 2 and 1 nor two and a half.
    #[test]
    fn range_gives_neighbours_and_the_first_get_one_more() {
        let three = topics(&[("orders", 3)]);
        assert_eq!(line(&range(&three, &members("ab"))), "a: o0 o1 | b: o2");
        let ten = topics(&[("orders", 10)]);
        assert_eq!(line(&range(&ten, &members("abcd"))), "a: o0 o1 o2 | b: o3 o4 o5 | c: o6 o7 | d: o8 o9");
    }

    /// Blocks of ⌈4 / 3⌉ = 2 would be gone before c's turn.
    #[test]
    fn nobody_is_idle_while_there_are_partitions() {
        let four = topics(&[("orders", 4)]);
        assert_eq!(line(&range(&four, &members("abc"))), "a: o0 o1 | b: o2 | c: o3");
    }

    /// Orders and payments of one customer have the same partition number; with range the same member reads both.
    #[test]
    fn range_gives_equal_numbers_of_equal_topics_to_one_member() {
        let two = topics(&[("orders", 3), ("payments", 3)]);
        assert_eq!(line(&range(&two, &members("ab"))), "a: o0 o1 p0 p1 | b: o2 p2");
    }

    /// The same two topics: now both members have three, and nobody has both halves of partition 1.
    #[test]
    fn round_robin_goes_on_from_one_topic_to_the_next() {
        let two = topics(&[("orders", 3), ("payments", 3)]);
        assert_eq!(line(&round_robin(&two, &members("ab"))), "a: o0 o2 p1 | b: o1 p0 p2");
    }

    #[test]
    fn whom_no_partition_is_left_for_is_idle_and_not_missing() {
        let two = topics(&[("orders", 2)]);
        assert_eq!(line(&range(&two, &members("abc"))), "a: o0 | b: o1 | c:");
        assert_eq!(line(&round_robin(&two, &members("abc"))), "a: o0 | b: o1 | c:");
        assert_eq!(line(&round_robin(&topics(&[]), &members("ab"))), "a: | b:");
    }

    /// The last member has left. That is no error: the records wait.
    #[test]
    fn a_group_without_members_has_an_empty_assignment() {
        let three = topics(&[("orders", 3)]);
        assert_eq!((range(&three, &members("")), round_robin(&three, &members(""))), Default::default());
    }

    #[test]
    fn every_partition_has_exactly_one_owner() {
        let sometimes = Sometimes::expect(["more members than partitions", "range is less balanced than round robin"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let topics = some_topics(&mut rng, 4);
            let members = members(&"abcdefg"[..rng.random_range(1..=7)]);
            let (range, round_robin) = (range(&topics, &members), round_robin(&topics, &members));
            complete(&topics, &members, &range);
            complete(&topics, &members, &round_robin);
            assert!(spread(&round_robin) <= 1, "round robin over {topics:?} is not balanced: {}", line(&round_robin));
            sometimes.saw("more members than partitions", partitions(&topics).count() < members.len());
            sometimes.saw("range is less balanced than round robin", spread(&range) > 1);
        });
    }
}

/// One to three topics of up to `most` partitions each.
fn some_topics(rng: &mut Rng, most: u32) -> Topics {
    ["orders", "payments", "returns"][..rng.random_range(1..=3)]
        .iter()
        .map(|topic| ((*topic).to_owned(), rng.random_range(1..=most)))
        .collect()
}

mod stage_3_sticky {
    use super::*;
    use pretty_assertions::assert_eq;

    /// Twelve partitions, and d joins a, b and c. It must get three, so three must move. Range moves six here, round robin nine.
    #[test]
    fn a_member_that_joins_moves_only_what_it_gets() {
        let (twelve, three, four) = (topics(&[("orders", 12)]), members("abc"), members("abcd"));
        let after = sticky(&twelve, &four, &range(&twelve, &three));
        complete(&twelve, &four, &after);
        assert_eq!(kept(&range(&twelve, &three), &after), 9, "a, b and c have three each left: {}", line(&after));
        assert_eq!(kept(&range(&twelve, &three), &range(&twelve, &four)), 6, "range, for comparison");
        assert_eq!(kept(&round_robin(&twelve, &three), &round_robin(&twelve, &four)), 3, "round robin, for comparison");
    }

    #[test]
    fn a_member_that_leaves_moves_only_what_it_had() {
        let twelve = topics(&[("orders", 12)]);
        let before = range(&twelve, &members("abcd"));
        let after = sticky(&twelve, &members("acd"), &before);
        assert!(spread(&after) == 0, "four each: {}", line(&after));
        assert_eq!(kept(&before, &after), 9, "only b's three had to move: {}", line(&after));
    }

    /// Four partitions, two each for a and b. ⌈4 / 3⌉ is 2, so nobody has too many, and c has nothing.
    #[test]
    fn nobody_stays_idle_to_save_a_move() {
        let four = topics(&[("orders", 4)]);
        let after = sticky(&four, &members("abc"), &range(&four, &members("ab")));
        assert!(spread(&after) <= 1, "two, one and one: {}", line(&after));
        assert_eq!(kept(&range(&four, &members("ab")), &after), 3, "one has to move: {}", line(&after));
    }

    /// a has one, b and c have three each: with a's second, two moves are needed. c may keep three.
    #[test]
    fn the_larger_shares_go_to_those_who_have_more() {
        let seven = topics(&[("orders", 7)]);
        let before: Assignment = [("a", orders([0])), ("b", orders([1, 2, 3])), ("c", orders([4, 5, 6]))]
            .map(|(name, has)| (member(name), has))
            .into();
        let after = sticky(&seven, &members("abc"), &before);
        complete(&seven, &members("abc"), &after);
        assert_eq!((spread(&after), kept(&before, &after)), (1, 6), "one move is enough: {}", line(&after));
    }

    /// a read six returns and two orders, b three orders. Returns is deleted: b keeps three, and a gets nothing for its past.
    #[test]
    fn what_is_gone_earns_no_larger_share() {
        let mut before = Assignment::from([(member("a"), orders([0, 1])), (member("b"), orders([2, 3, 4]))]);
        before.entry(member("a")).or_default().extend(partitions(&topics(&[("returns", 6)])));
        let five = topics(&[("orders", 5)]);
        let after = sticky(&five, &members("ab"), &before);
        complete(&five, &members("ab"), &after);
        assert_eq!(kept(&before, &after), 5, "two and three are balanced, nothing has to move: {}", line(&after));
    }

    #[test]
    fn what_is_balanced_stays_as_it_is() {
        let two = topics(&[("orders", 5), ("payments", 3)]);
        let before = round_robin(&two, &members("abc"));
        assert_eq!(line(&sticky(&two, &members("abc"), &before)), line(&before));
    }

    /// Payments is deleted, orders has grown from two partitions to six, and b is gone.
    #[test]
    fn the_past_may_name_what_is_gone() {
        let before = round_robin(&topics(&[("orders", 2), ("payments", 4)]), &members("ab"));
        let six = topics(&[("orders", 6)]);
        let after = sticky(&six, &members("ac"), &before);
        complete(&six, &members("ac"), &after);
        assert!(spread(&after) == 0, "three each: {}", line(&after));
        assert_eq!(kept(&before, &after), 1, "a had one of the orders, and keeps it: {}", line(&after));
    }

    #[test]
    fn the_last_member_takes_everything_and_leaves_nothing() {
        let two = topics(&[("orders", 5), ("payments", 3)]);
        let all = sticky(&two, &members("a"), &round_robin(&two, &members("abc")));
        complete(&two, &members("a"), &all);
        assert_eq!(sticky(&two, &members(""), &all), Assignment::new(), "nobody is left");
    }

    /// The most that any balanced assignment keeps: all ways of dealing out are tried.
    fn most_that_can_be_kept(topics: &Topics, members: &BTreeSet<Member>, before: &Assignment) -> usize {
        let all: Vec<Partition> = partitions(topics).collect();
        let names: Vec<&Member> = members.iter().collect();
        let owner = |p: &Partition| names.iter().position(|name| before.get(*name).is_some_and(|has| has.contains(p)));
        let owners: Vec<Option<usize>> = all.iter().map(owner).collect();
        let mut best = 0;
        for mut way in 0..names.len().pow(all.len() as u32) {
            let (mut loads, mut kept) = ([0; 3], 0);
            for owner in &owners {
                loads[way % names.len()] += 1;
                kept += usize::from(*owner == Some(way % names.len()));
                way /= names.len();
            }
            let loads = &loads[..names.len()];
            if loads.iter().max().unwrap_or(&0) - loads.iter().min().unwrap_or(&0) <= 1 {
                best = best.max(kept);
            }
        }
        best
    }

    /// At most seven partitions and three members, so that every other assignment can be tried.
    #[test]
    fn no_balanced_assignment_keeps_more() {
        let sometimes = Sometimes::expect([
            "something must move though nobody joined or left",
            "a member is new",
            "a topic is gone",
            "nothing is lost",
        ]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let all: Topics = topics(&[("orders", rng.random_range(1..=4)), ("payments", rng.random_range(1..=3))]);
            let mut before = Assignment::new();
            for partition in partitions(&all) {
                if rng.random_bool(0.9) {
                    let owner = ["a", "a", "b", "c"][rng.random_range(0..4)];
                    before.entry(member(owner)).or_default().insert(partition);
                }
            }
            let still_there: usize = before.values().map(BTreeSet::len).sum();
            if rng.random_bool(0.5) {
                // A topic is gone; one of the members read up to three partitions of it.
                let deleted = topics(&[("returns", rng.random_range(1..=3))]);
                before.entry(member(["a", "b", "c"][rng.random_range(0..3)])).or_default().extend(partitions(&deleted));
                sometimes.saw("a topic is gone", true);
            }
            let members = members(["a", "ab", "abc", "abc", "abc", "acd", "bd"][rng.random_range(0..7)]);
            let after = sticky(&all, &members, &before);
            complete(&all, &members, &after);
            let (kept, best) = (kept(&before, &after), most_that_can_be_kept(&all, &members, &before));
            assert!(spread(&after) <= 1, "seed {seed}: not balanced: {} after {}", line(&after), line(&before));
            assert!(kept == best, "seed {seed}: {kept} of {best} are kept: {} after {}", line(&after), line(&before));
            sometimes.saw("a member is new", members.contains(&member("d")));
            sometimes.saw("nothing is lost", kept == partitions(&all).count());
            sometimes.saw(
                "something must move though nobody joined or left",
                before.keys().eq(members.iter()) && kept < still_there,
            );
        });
    }
}

mod stage_4_the_handover {
    use super::*;
    use pretty_assertions::assert_eq;

    /// The members' side: what each one works on.
    struct World {
        group: Group,
        works_on: BTreeMap<Member, BTreeSet<Partition>>,
    }

    impl World {
        fn new(topics: Topics) -> Self {
            Self { group: Group::new(topics), works_on: BTreeMap::new() }
        }

        fn join(&mut self, name: &Member) {
            self.group.join(name);
            self.works_on.entry(name.clone()).or_default();
        }

        /// It stops, and the group hears of it.
        fn leave(&mut self, name: &Member) {
            self.works_on.remove(name);
            self.group.leave(name);
        }

        /// A heartbeat. If the answer arrives, the member stops what it must and starts what it may.
        fn beat(&mut self, name: &Member, answer_arrives: bool) -> BTreeSet<Partition> {
            let works_on = self.works_on.get_mut(name).expect("it has joined");
            let may = self.group.heartbeat(name, works_on).expect("it is a member");
            if answer_arrives {
                works_on.clone_from(&may);
            }
            may
        }

        fn round(&mut self) {
            for name in self.works_on.keys().cloned().collect::<Vec<_>>() {
                self.beat(&name, true);
            }
        }

        fn settled(names: &str, topics: Topics) -> Self {
            let mut world = Self::new(topics);
            members(names).iter().for_each(|name| world.join(name));
            (0..3).for_each(|_| world.round());
            world
        }

        #[track_caller]
        fn nobody_shares(&self) {
            let mut owner: BTreeMap<&Partition, &Member> = BTreeMap::new();
            for (name, works_on) in &self.works_on {
                for partition in works_on {
                    let other = owner.insert(partition, name);
                    assert!(
                        other.is_none(),
                        "{partition:?} is worked on by {name:?} and {other:?}: {}",
                        line(&self.works_on)
                    );
                }
            }
        }
    }

    #[test]
    fn who_has_not_joined_may_do_nothing() {
        let mut group = Group::new(topics(&[("orders", 2)]));
        assert_eq!(group.heartbeat(&member("a"), &BTreeSet::new()), Err(NotAMember(member("a"))), "never joined");
        group.join(&member("a"));
        assert_eq!(
            group.heartbeat(&member("a"), &BTreeSet::new()),
            Ok(orders([0, 1])),
            "all of it, nobody else is there"
        );
        group.leave(&member("a"));
        assert_eq!(group.heartbeat(&member("a"), &orders([0, 1])), Err(NotAMember(member("a"))), "it has left");
    }

    /// b joins while a works on all four. a is slow: it hears of it at its next heartbeat.
    #[test]
    fn a_partition_changes_hands_only_after_its_owner_has_let_go() {
        let mut world = World::settled("a", topics(&[("orders", 4)]));
        world.join(&member("b"));
        let too_early = world.beat(&member("b"), true);
        assert_eq!(too_early, orders([]), "a works on everything and knows nothing of b");
        let told = world.beat(&member("a"), true);
        assert_eq!(told.len(), 2, "a may keep two of four: {told:?}");
        let still = world.beat(&member("b"), true);
        assert_eq!(still, orders([]), "a was told to stop; it has not said that it did");
        world.beat(&member("a"), true);
        assert_eq!(world.beat(&member("b"), true).len(), 2, "now it has: b gets its two");
        world.nobody_shares();
    }

    /// a's answer gets lost, so a works on all four as before, and says so.
    #[test]
    fn a_lost_answer_lets_go_of_nothing() {
        let mut world = World::settled("a", topics(&[("orders", 4)]));
        world.join(&member("b"));
        for _ in 0..3 {
            world.beat(&member("a"), false);
            assert_eq!(world.beat(&member("b"), true), orders([]), "a still works on all four");
        }
        world.nobody_shares();
    }

    /// The answer that gave a its partitions is lost. a works on nothing, and asks again.
    #[test]
    fn a_lost_grant_is_given_again() {
        let mut world = World::new(topics(&[("orders", 4)]));
        world.join(&member("a"));
        world.beat(&member("a"), false);
        assert_eq!(world.beat(&member("a"), true), orders(0..4));
    }

    /// What a never got, b may have at once.
    #[test]
    fn what_was_granted_and_never_begun_is_free() {
        let mut world = World::new(topics(&[("orders", 4)]));
        world.join(&member("a"));
        world.beat(&member("a"), false);
        world.join(&member("b"));
        world.beat(&member("a"), true);
        assert_eq!(world.beat(&member("b"), true).len(), 2, "a works on its own two only: {}", line(&world.works_on));
    }

    /// a was started and hangs before its first heartbeat. b is ready, and does not wait for it.
    #[test]
    fn who_has_never_reported_holds_nothing() {
        let mut world = World::new(topics(&[("orders", 4)]));
        world.join(&member("a"));
        world.join(&member("b"));
        assert_eq!(world.beat(&member("b"), true).len(), 2, "nobody works on anything yet: {}", line(&world.works_on));
    }

    /// Nine of twelve stay with a, b and c. Nobody stops working on them, at no time.
    #[test]
    fn what_stays_is_never_interrupted() {
        let mut world = World::settled("abc", topics(&[("orders", 12)]));
        let before = world.works_on.clone();
        world.join(&member("d"));
        for _ in 0..3 {
            for name in members("dabc") {
                world.beat(&name, true);
                let still = kept(&before, &world.works_on);
                assert!(
                    still >= 9,
                    "d needs three of twelve, and only {still} are worked on as before: {}",
                    line(&world.works_on)
                );
            }
        }
        assert_eq!(line(&world.works_on), line(world.group.target()));
    }

    /// c neither answers nor dies. a and b do not wait for it with what it does not hold.
    #[test]
    fn a_silent_member_delays_only_its_own_partitions() {
        let mut world = World::settled("abc", topics(&[("orders", 12)]));
        world.join(&member("d"));
        for _ in 0..3 {
            for name in members("abd") {
                world.beat(&name, true);
            }
        }
        let got = world.works_on[&member("d")].len();
        assert_eq!(got, 2, "one from a, one from b; c's is not free: {}", line(&world.works_on));
    }

    #[test]
    fn what_the_dead_held_is_free_at_once() {
        let mut world = World::settled("ab", topics(&[("orders", 4)]));
        world.leave(&member("a"));
        assert_eq!(world.beat(&member("b"), true), orders(0..4), "nobody else can be working on anything");
    }

    #[test]
    fn joining_twice_and_leaving_twice_change_nothing() {
        let mut world = World::settled("abc", topics(&[("orders", 7)]));
        let before = world.group.target().clone();
        world.join(&member("b"));
        world.group.leave(&member("x"));
        assert_eq!(line(world.group.target()), line(&before));
        assert_eq!(world.beat(&member("b"), true), before[&member("b")], "b goes on");
    }

    #[test]
    fn the_target_moves_as_little_as_possible() {
        let mut world = World::settled("abc", topics(&[("orders", 12)]));
        let before = world.group.target().clone();
        world.join(&member("d"));
        assert_eq!(kept(&before, world.group.target()), 9, "{}", line(world.group.target()));
        world.leave(&member("d"));
        let after = world.group.target();
        assert_eq!((spread(after), after.len()), (0, 3), "{}", line(after));
    }

    /// Four members are started. The plan is made anew with each of them, and nobody has reported anything yet.
    #[test]
    fn the_target_follows_the_target_before_whatever_is_worked_on() {
        let mut group = Group::new(topics(&[("orders", 12)]));
        members("dcb").iter().for_each(|name| group.join(name));
        let before = group.target().clone();
        group.join(&member("a"));
        let after = group.target();
        assert_eq!(kept(&before, after), 9, "a needs three of twelve: {} after {}", line(after), line(&before));
    }

    /// a has been told that it may, and has begun. It has had no reason to report since.
    #[test]
    fn what_was_granted_may_have_begun() {
        let mut world = World::new(topics(&[("orders", 4)]));
        world.join(&member("a"));
        world.beat(&member("a"), true);
        world.join(&member("b"));
        assert_eq!(
            world.beat(&member("b"), true),
            orders([]),
            "a may be working on all four: {}",
            line(&world.works_on)
        );
    }

    /// A join is sent again because its answer was lost. a has gone on meanwhile.
    #[test]
    fn joining_again_lets_go_of_nothing() {
        let mut world = World::settled("a", topics(&[("orders", 4)]));
        world.join(&member("b"));
        world.join(&member("a"));
        assert_eq!(world.beat(&member("b"), true), orders([]), "a still works on all four: {}", line(&world.works_on));
    }

    /// Joins, departures, deaths, heartbeats whose answers get lost, in any order. Then it gets quiet.
    #[test]
    fn no_partition_is_ever_worked_on_by_two_and_in_the_end_everybody_has_a_share() {
        let sometimes = Sometimes::expect([
            "somebody waits for a partition that another still works on",
            "an answer is lost",
            "nobody is left",
        ]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let topics = some_topics(&mut rng, 5);
            let names: Vec<Member> = members("abcde").into_iter().collect();
            let mut world = World::new(topics.clone());
            for _ in 0..80 {
                let name = &names[rng.random_range(0..names.len())];
                let is_member = world.works_on.contains_key(name);
                match (rng.random_range(0..10), is_member) {
                    (0 | 1, _) => world.join(name),
                    (2, true) => world.leave(name),
                    (_, true) => {
                        let arrives = rng.random_bool(0.7);
                        let may = world.beat(name, arrives);
                        sometimes.saw("an answer is lost", !arrives && may != world.works_on[name]);
                        sometimes.saw(
                            "somebody waits for a partition that another still works on",
                            may.len() < world.group.target()[name].len(),
                        );
                    }
                    _ => {}
                }
                sometimes.saw("nobody is left", world.works_on.is_empty());
                world.nobody_shares();
            }
            world.join(&names[0]);
            (0..3).for_each(|_| {
                world.round();
                world.nobody_shares();
            });
            complete(&topics, &world.works_on.keys().cloned().collect(), world.group.target());
            assert_eq!(
                line(&world.works_on),
                line(world.group.target()),
                "after three quiet rounds everybody has what the target says"
            );
        });
    }
}
