//! What a group believes about its members, and how long it takes.

use gossip::{
    Accrual, FAIL_AFTER, FORGET_AFTER, Gossip, Health, Heartbeat, Members, News, Node, RoundRobin, Rumour, SUSPECT_FOR,
    anybody, first_detection,
};
use kit::{Rng, Sometimes, for_seeds, stats};
use rand::RngExt as _;
use std::collections::BTreeMap;

const A: Node = Node(0);
const B: Node = Node(1);
const C: Node = Node(2);

fn beat(generation: u64, version: u64) -> Heartbeat {
    Heartbeat { generation, version }
}

mod stage_1_rumours {
    use super::*;

    fn news<const N: usize>(of: [(Node, Heartbeat); N]) -> News {
        BTreeMap::from(of)
    }

    /// A calls B: each knows something that the other does not.
    #[test]
    fn a_call_and_its_answer_leave_both_with_the_newest_of_everything() {
        let (mut a, mut b) = (Gossip::start(A, 1), Gossip::start(B, 1));
        a.beat();
        a.hear(&news([(C, beat(1, 7)), (Node(3), beat(1, 2))]), 0);
        b.hear(&news([(C, beat(1, 5)), (Node(3), beat(1, 4)), (Node(4), beat(2, 0))]), 0);
        let answer = b.answer(&a.call(1), 1);
        a.hear(&answer, 1);
        let expected =
            [(A, beat(1, 1)), (B, beat(1, 0)), (C, beat(1, 7)), (Node(3), beat(1, 4)), (Node(4), beat(2, 0))];
        for (name, node) in [("the caller", &a), ("the called", &b)] {
            for (about, newest) in expected {
                let known = node.heartbeat_of(about, 1);
                assert!(known == Some(newest), "{name} knows {known:?} of {about:?}; one of them knew {newest:?}");
            }
        }
    }

    #[test]
    fn an_answer_says_only_what_the_caller_does_not_know() {
        let mut b = Gossip::start(B, 1);
        b.hear(&news([(C, beat(1, 5)), (Node(3), beat(1, 4))]), 0);
        let answer = b.answer(&news([(A, beat(1, 9)), (C, beat(1, 5)), (Node(3), beat(1, 3))]), 1);
        let expected = news([(B, beat(1, 0)), (Node(3), beat(1, 4))]);
        assert!(answer == expected, "B answered {answer:?}; what the caller lacks is {expected:?}");
        let again = b.answer(&news([(B, beat(1, 0)), (C, beat(1, 5)), (Node(3), beat(1, 4)), (A, beat(1, 9))]), 1);
        assert!(again.is_empty(), "the caller knows all that B knows, and B answers {again:?}");
    }

    /// 2/0 is newer than 1/500.
    #[test]
    fn an_answer_goes_by_generation_and_version() {
        for (caller, called) in [(beat(1, 500), beat(2, 0)), (beat(2, 0), beat(1, 500))] {
            let mut b = Gossip::start(B, 1);
            b.hear(&news([(C, called)]), 0);
            let told = b.answer(&news([(C, caller)]), 1).get(&C).copied();
            let expected = (called > caller).then_some(called);
            assert!(
                told == expected,
                "the caller knows {caller:?} of C, the called {called:?}; the answer says {told:?}, expected {expected:?}"
            );
        }
    }

    /// It beat 500 times, crashed, and begins at 0 again.
    #[test]
    fn a_restarted_node_is_believed_and_its_past_is_not() {
        let mut a = Gossip::start(A, 1);
        a.hear(&news([(B, beat(1, 500))]), 0);
        a.hear(&news([(B, beat(2, 0))]), 5);
        assert!(a.heartbeat_of(B, 5) == Some(beat(2, 0)), "after B's restart A knows {:?}", a.heartbeat_of(B, 5));
        a.hear(&news([(B, beat(1, 501))]), 10);
        assert!(
            a.heartbeat_of(B, 10) == Some(beat(2, 0)),
            "a late letter of B's first life: {:?}",
            a.heartbeat_of(B, 10)
        );
        for (now, expected) in [(4 + FAIL_AFTER, true), (5 + FAIL_AFTER, false)] {
            let alive = a.alive(now).contains(&B);
            assert!(
                alive == expected,
                "round {now}: B counts as alive: {alive}; its restart was heard in round 5, and the late letter of round 10 is no sign of life"
            );
        }
    }

    #[test]
    fn a_node_says_itself_what_it_is() {
        let mut a = Gossip::start(A, 2);
        for said in [beat(1, 500), beat(2, 7), beat(3, 0)] {
            a.hear(&news([(A, said)]), 0);
            let own = a.heartbeat_of(A, 0);
            assert!(
                own == Some(beat(2, 0)),
                "others say {said:?} of A; A, which was not asked, says {own:?} of itself"
            );
        }
        a.beat();
        assert!(a.heartbeat_of(A, 0) == Some(beat(2, 1)), "A of itself: {:?}", a.heartbeat_of(A, 0));
        assert!(a.call(10_000) == news([(A, beat(2, 1))]), "A is alive to itself, always: {:?}", a.call(10_000));
    }

    /// Both keep telling each other of C, which has said nothing new.
    #[test]
    fn old_news_is_no_sign_of_life() {
        let (mut a, mut b) = (Gossip::start(A, 1), Gossip::start(B, 1));
        a.hear(&news([(C, beat(1, 3))]), 100);
        for now in 100..=100 + FAIL_AFTER {
            a.beat();
            b.beat();
            let answer = b.answer(&a.call(now), now);
            a.hear(&answer, now);
            let expected = now < 100 + FAIL_AFTER;
            for node in [&a, &b] {
                let alive = node.alive(now).contains(&C);
                assert!(
                    alive == expected,
                    "round {now}: C's last new heartbeat came in round 100; it counts as alive: {alive}"
                );
            }
        }
    }

    /// C was last heard of in round 0.
    fn of_c() -> Gossip {
        let mut a = Gossip::start(A, 1);
        a.hear(&news([(C, beat(1, 3))]), 0);
        a
    }

    #[test]
    fn a_failed_node_is_told_to_nobody() {
        for (now, mentioned) in
            [(FAIL_AFTER - 1, true), (FAIL_AFTER, false), (FORGET_AFTER - 1, false), (FORGET_AFTER, false)]
        {
            let (call, answer) = (of_c().call(now), of_c().answer(&News::new(), now));
            let (called, answered) = (call.contains_key(&C), answer.contains_key(&C));
            assert!(
                (called, answered) == (mentioned, mentioned),
                "round {now}: a call mentions C: {called}, an answer: {answered}; C was last heard of in round 0"
            );
        }
    }

    /// So that a late rumour is known to be old.
    #[test]
    fn a_failed_node_is_remembered_until_it_is_forgotten() {
        for (now, remembered) in [(FAIL_AFTER, true), (FORGET_AFTER - 1, true), (FORGET_AFTER, false)] {
            let known = of_c().heartbeat_of(C, now);
            assert!(
                known.is_some() == remembered,
                "round {now}: A remembers {known:?}; C was last heard of in round 0"
            );
        }
        let (mut a, now) = (of_c(), FORGET_AFTER - 1);
        a.hear(&news([(C, beat(1, 3))]), now);
        let alive = a.alive(now);
        assert!(!alive.contains(&C), "round {now}: C's heartbeat 1/3 is known since round 0; alive: {alive:?}");
        a.hear(&news([(C, beat(1, 4))]), now);
        let alive = a.alive(now);
        assert!(alive.contains(&C), "round {now}: C's heartbeat 1/4 is greater than 1/3 of round 0; alive: {alive:?}");
    }

    /// Even by the same heartbeat: nobody remembers that it is the same.
    #[test]
    fn who_is_forgotten_may_come_as_a_new_node() {
        let mut a = of_c();
        a.hear(&news([(C, beat(1, 3))]), FORGET_AFTER);
        let (known, alive) = (a.heartbeat_of(C, FORGET_AFTER), a.alive(FORGET_AFTER));
        assert!(
            known == Some(beat(1, 3)) && alive == [A, C],
            "C, last heard of in round 0, was forgotten in round {FORGET_AFTER}, when A hears of it as of any new node; A knows {known:?}, alive: {alive:?}"
        );
    }

    /// Every round a machine joins, says one thing, and is gone.
    #[test]
    fn who_is_forgotten_takes_up_no_memory() {
        let mut a = Gossip::start(A, 1);
        let mut shown = Vec::new();
        for now in 0..2_000 {
            a.hear(&news([(Node(1_000 + now), beat(1, 0))]), now.into());
            shown.push(format!("{a:?}").len());
        }
        let (first, last) = (shown[FORGET_AFTER as usize], shown[1_999]);
        assert!(
            last < 3 * first,
            "in round {FORGET_AFTER} as in round 2,000 forty nodes are remembered; A has grown from {first} to {last} letters"
        );
    }

    struct Group {
        nodes: Vec<Gossip>,
        up: Vec<bool>,
        now: u64,
    }

    impl Group {
        /// All know all.
        fn of(size: u32) -> Self {
            let everybody: News = (0..size).map(|i| (Node(i), beat(1, 0))).collect();
            let nodes = (0..size).map(|i| {
                let mut node = Gossip::start(Node(i), 1);
                node.hear(&everybody, 0);
                node
            });
            Self { nodes: nodes.collect(), up: vec![true; size as usize], now: 0 }
        }

        /// Everybody calls one other at random; calls between two sides do not arrive.
        fn round(&mut self, rng: &mut Rng, side: impl Fn(usize) -> usize) {
            self.now += 1;
            for caller in (0..self.nodes.len()).filter(|&i| self.up[i]) {
                let called = (caller + rng.random_range(1..self.nodes.len())) % self.nodes.len();
                if self.up[called] && side(caller) == side(called) {
                    let call = self.nodes[caller].call(self.now);
                    let answer = self.nodes[called].answer(&call, self.now);
                    self.nodes[caller].hear(&answer, self.now);
                }
            }
        }

        fn beat(&mut self) {
            for (node, _) in self.nodes.iter_mut().zip(&self.up).filter(|(_, up)| **up) {
                node.beat();
            }
        }
    }

    /// The chance of each number of newly informed, if `informed` of `n` know the rumour and all call at once: who is called
    /// by somebody who knows learns it, and so does who calls somebody who knows.
    fn newly_informed(n: usize, informed: usize) -> Vec<f64> {
        let (others, rest) = ((n - 1) as f64, n - informed);
        let mut called = vec![0.0; rest + 1];
        called[0] = 1.0;
        for _ in 0..informed {
            for hit in (0..=rest).rev() {
                let new = |hit: usize| (rest - hit) as f64 / others;
                called[hit] =
                    called[hit] * (1.0 - new(hit)) + if hit > 0 { called[hit - 1] * new(hit - 1) } else { 0.0 };
            }
        }
        let lucky = informed as f64 / others;
        let mut law = vec![0.0; rest + 1];
        for (hit, chance) in called.into_iter().enumerate() {
            let callers = rest - hit;
            if lucky >= 1.0 {
                law[rest] += chance;
                continue;
            }
            let mut binomial = (1.0 - lucky).powi(callers as i32);
            for learns in 0..=callers {
                law[hit + learns] += chance * binomial;
                binomial *= (callers - learns) as f64 / (learns + 1) as f64 * lucky / (1.0 - lucky);
            }
        }
        law
    }

    /// The number of rounds that a rumour exceeds in a `false_alarm` share of runs at most; exact for calls that are all made at
    /// once. Calls made one after the other inform no fewer.
    fn rounds_at_most(n: usize, false_alarm: f64) -> usize {
        let laws: Vec<_> = (1..n).map(|informed| newly_informed(n, informed)).collect();
        let mut chances = vec![0.0; n + 1];
        chances[1] = 1.0;
        for rounds in 0.. {
            if chances[1..n].iter().sum::<f64>() <= false_alarm {
                return rounds;
            }
            let mut next = vec![0.0; n + 1];
            next[n] = chances[n];
            for informed in 1..n {
                for (new, chance) in laws[informed - 1].iter().enumerate() {
                    next[informed + new] += chances[informed] * chance;
                }
            }
            chances = next;
        }
        unreachable!("a rumour ends")
    }

    /// False alarm: 1e-9 (exact law of push-pull; a hundred nodes, 8 runs).
    #[test]
    fn a_rumour_reaches_a_hundred_nodes_as_fast_as_push_pull_does() {
        let limit = rounds_at_most(100, 1e-9 / 8.0);
        for_seeds(8, |seed| {
            let (mut rng, mut group) = (seed.rng(), Group::of(100));
            group.nodes[0].beat();
            let knows = |node: &Gossip, now| node.heartbeat_of(A, now) == Some(beat(1, 1));
            for _ in 0..limit {
                group.round(&mut rng, |_| 0);
            }
            let ignorant = group.nodes.iter().filter(|node| !knows(node, group.now)).count();
            assert!(
                ignorant == 0,
                "seed {seed}: after {limit} rounds {ignorant} of 100 nodes have not heard; chance allows none"
            );
        });
    }

    /// Two halves that hear nothing of each other. By then the last heartbeat has gone round each half.
    /// False alarm: below 1e-9 (a rumour among five whose calls cross the cut as often as not needs 60 rounds with a chance below 1e-20).
    #[test]
    fn nothing_crosses_a_partition() {
        for_seeds(20, |seed| {
            let (mut rng, mut group) = (seed.rng(), Group::of(10));
            let lived = |group: &Group| group.nodes.iter().map(|node| node.alive(group.now).len()).collect::<Vec<_>>();
            for _ in 0..30 {
                group.beat();
                group.round(&mut rng, |_| 0);
            }
            assert!(lived(&group) == [10; 10], "seed {seed}: before the cut they count {:?} alive", lived(&group));
            for _ in 0..FAIL_AFTER + 60 {
                group.beat();
                group.round(&mut rng, |i| i / 5);
            }
            for (i, node) in group.nodes.iter().enumerate() {
                let half: Vec<Node> = (0..10).filter(|other| other / 5 == i as u32 / 5).map(Node).collect();
                let alive = node.alive(group.now);
                assert!(
                    alive == half,
                    "seed {seed}: 80 rounds after the cut node {i} takes {alive:?} for alive; of the others nothing can have been heard"
                );
            }
            for _ in 0..20 {
                group.beat();
                group.round(&mut rng, |_| 0);
            }
            assert!(
                lived(&group) == [10; 10],
                "seed {seed}: after the cut was mended they count {:?} alive",
                lived(&group)
            );
        });
    }

    /// One dies. All forget it, not all in the same round, and who has forgotten is not told again.
    /// False alarm: below 1e-9 (a rumour among seven needs more than 20 rounds with a chance below 1e-13).
    #[test]
    fn the_dead_are_forgotten_and_do_not_come_back() {
        let sometimes = Sometimes::expect(["one has forgotten what another remembers"]);
        for_seeds(20, |seed| {
            let (mut rng, mut group) = (seed.rng(), Group::of(8));
            for _ in 0..10 {
                group.beat();
                group.round(&mut rng, |_| 0);
            }
            group.up[7] = false;
            let mut forgotten = [false; 7];
            for _ in 0..FORGET_AFTER + 60 {
                group.beat();
                group.round(&mut rng, |_| 0);
                for (i, gone) in forgotten.iter_mut().enumerate() {
                    let known = group.nodes[i].heartbeat_of(Node(7), group.now);
                    assert!(
                        !*gone || known.is_none(),
                        "seed {seed}, round {}: node {i} had forgotten the dead and knows {known:?}",
                        group.now
                    );
                    *gone |= known.is_none();
                }
                sometimes.saw(
                    "one has forgotten what another remembers",
                    forgotten.contains(&true) && forgotten.contains(&false),
                );
            }
            assert!(
                forgotten == [true; 7],
                "seed {seed}: node 7 died in round 10; who has forgotten it: {forgotten:?}"
            );
        });
    }
}

mod stage_2_probes {
    use super::*;

    #[track_caller]
    fn detected(members: u64, expected: f64) {
        let periods = first_detection(members);
        assert!((periods - expected).abs() < 0.000_02, "{members} members: {periods:.5} periods, expected {expected}");
    }

    /// However large: the more there are to be probed, the more there are who probe.
    #[test]
    fn a_crash_in_a_large_group_is_probed_after_e_over_e_minus_one_periods() {
        detected(1_000_000, 1.581_98);
        detected(10_000_000_000, 1.581_98);
    }

    #[test]
    fn in_a_small_group_it_is_a_little_sooner() {
        for (members, periods) in [(2, 1.0), (3, 1.333_33), (5, 1.462_86), (10, 1.530_08), (100, 1.577_32)] {
            detected(members, periods);
        }
    }

    fn others(count: u32) -> Vec<Node> {
        (1..=count).map(Node).collect()
    }

    fn draws(rng: &mut Rng) -> impl FnMut(usize) -> usize {
        |below| {
            assert!(below > 0, "draw(0): there is no number below 0");
            rng.random_range(0..below)
        }
    }

    /// Each of these was seen, and all as often as chance allows.
    fn equally_often<T: Ord>(what: &str, seen: &BTreeMap<T, u64>, kinds: usize, false_alarm: f64) {
        assert!(seen.len() == kinds, "{what}: there are {kinds}, and {} were ever seen", seen.len());
        let observed: Vec<u64> = seen.values().copied().collect();
        let expected = observed.iter().sum::<u64>() as f64 / kinds as f64;
        let off = stats::chi_square(&observed, &vec![expected; kinds]);
        let limit = stats::chi_square_limit(kinds as u64 - 1, false_alarm);
        let (least, most) = (observed.iter().min(), observed.iter().max());
        assert!(
            off <= limit,
            "{what}: {kinds}, each expected {expected} times; the rarest came {least:?} times, the most frequent {most:?}: χ² = {off:.1}, by chance at most {limit:.1}"
        );
    }

    /// False alarm: 1e-9 (χ², 149 degrees of freedom, 30,000 draws).
    #[test]
    fn anybody_is_as_likely_as_anybody_else() {
        let (mut rng, group) = (kit::Seed(2).rng(), others(150));
        let mut seen: BTreeMap<Node, u64> = BTreeMap::new();
        for _ in 0..30_000 {
            *seen.entry(anybody(&group, draws(&mut rng)).expect("there are others")).or_default() += 1;
        }
        equally_often("the members of a large group", &seen, 150, 1e-9);
    }

    /// There is nothing to choose, and nobody to change places with.
    #[test]
    fn in_a_group_of_two_it_is_always_the_other() {
        let (mut rng, mut robin) = (kit::Seed(3).rng(), RoundRobin::new(&[B]));
        for period in 0..10 {
            let chosen = [anybody(&[B], draws(&mut rng)), robin.probe(draws(&mut rng))];
            assert!(chosen == [Some(B); 2], "period {period}: there is only {B:?}; chosen: {chosen:?}");
        }
    }

    /// Nine live members, one dead. False alarm: 1e-9 (exact binomial, 5,000 groups).
    #[test]
    fn random_probes_find_a_crash_as_often_as_the_formula_says() {
        let mut rng = kit::Seed(0).rng();
        let (dead, nine) = (Node(9), others(9));
        let found = (0..5_000).filter(|_| (0..9).any(|_| anybody(&nine, draws(&mut rng)) == Some(dead))).count() as u64;
        let chance = 1.0 - (8.0_f64 / 9.0).powi(9);
        let fair = stats::binomial_range(5_000, chance, 1e-9);
        assert!(fair.contains(&found), "found in the first period: {found} of 5000 groups; by chance {fair:?}");
        assert!(anybody(&[], |_| 0).is_none(), "nobody is there to be probed");
    }

    /// First in one round and last in the next: 2n − 1 periods for n others.
    #[test]
    fn nobody_waits_longer_than_two_rounds() {
        let sometimes = Sometimes::expect(["the longest wait", "probed twice in a row"]);
        for_seeds(20, |seed| {
            let (mut rng, count) = (seed.rng(), 4_usize);
            let mut robin = RoundRobin::new(&others(count as u32));
            let mut last = vec![None; count + 1];
            let mut this_round = Vec::new();
            for period in 0..400 {
                let node = robin.probe(draws(&mut rng)).expect("there are others");
                assert!(
                    !this_round.contains(&node),
                    "seed {seed}, period {period}: {node:?} is probed twice in one round"
                );
                this_round.push(node);
                if this_round.len() == count {
                    this_round.clear();
                }
                if let Some(before) = last[node.0 as usize].replace(period) {
                    sometimes.saw("the longest wait", period - before == 2 * count - 1);
                    sometimes.saw("probed twice in a row", period - before == 1);
                }
            }
        });
        assert!(RoundRobin::new(&[]).probe(|_| 0).is_none(), "nobody is there to be probed");
    }

    fn round(robin: &mut RoundRobin, count: usize, rng: &mut Rng) -> Vec<Node> {
        (0..count).filter_map(|_| robin.probe(draws(rng))).collect()
    }

    /// False alarm: 1e-9 (χ², 23 degrees of freedom, 12,000 rounds of four).
    #[test]
    fn every_order_of_a_round_is_as_likely_as_any() {
        let (mut rng, mut robin) = (kit::Seed(1).rng(), RoundRobin::new(&others(4)));
        let mut orders: BTreeMap<Vec<Node>, u64> = BTreeMap::new();
        for _ in 0..12_000 {
            *orders.entry(round(&mut robin, 4, &mut rng)).or_default() += 1;
        }
        equally_often("orders of four", &orders, 24, 1e-9);
    }

    /// A hundred machines are started at once, with the same list.
    /// False alarm: 1e-9 (χ², 23 degrees of freedom, 12,000 first rounds of four).
    #[test]
    fn the_first_round_is_as_random_as_the_others() {
        let mut rng = kit::Seed(4).rng();
        let mut orders: BTreeMap<Vec<Node>, u64> = BTreeMap::new();
        for _ in 0..12_000 {
            *orders.entry(round(&mut RoundRobin::new(&others(4)), 4, &mut rng)).or_default() += 1;
        }
        equally_often("orders of a first round of four", &orders, 24, 1e-9);
    }

    /// The same order again is as likely as any other.
    /// False alarm: 1e-9 (χ², 35 degrees of freedom, 18,000 times two rounds of three).
    #[test]
    fn a_round_says_nothing_of_the_next() {
        let (mut rng, mut robin) = (kit::Seed(5).rng(), RoundRobin::new(&others(3)));
        let mut pairs: BTreeMap<[Vec<Node>; 2], u64> = BTreeMap::new();
        for _ in 0..18_000 {
            let pair = [round(&mut robin, 3, &mut rng), round(&mut robin, 3, &mut rng)];
            *pairs.entry(pair).or_default() += 1;
        }
        equally_often("orders of three, and the order after each", &pairs, 36, 1e-9);
    }
}

mod stage_3_suspicion {
    use super::*;

    fn rumour(about: Node, health: Health, incarnation: u64) -> Rumour {
        Rumour { about, health, incarnation }
    }

    fn group() -> Members {
        Members::new(A, &[B, C])
    }

    #[test]
    fn who_does_not_answer_is_suspected_and_not_dead() {
        let mut a = group();
        assert!(a.health(C) == Some(Health::Alive), "at first: {:?}", a.health(C));
        let told = a.no_answer(C, 1);
        let told = told.map(|rumour| (rumour.about, rumour.health));
        assert!(told == Some((C, Health::Suspect)), "C did not answer, and A tells {told:?}");
        assert!(a.health(C) == Some(Health::Suspect), "A thinks of C: {:?}", a.health(C));
        let (told, health) = (a.no_answer(Node(9), 2), a.health(Node(9)));
        assert!(told.is_none() && health.is_none(), "A never heard of node 9; it tells {told:?} and thinks {health:?}");
        assert!(a.health(A) == Some(Health::Alive), "A of itself: {:?}", a.health(A));
    }

    /// The suspicion speaks of the incarnation that the accuser knows.
    #[test]
    fn only_the_accused_raises_its_incarnation() {
        let mut a = group();
        a.hear(rumour(C, Health::Alive, 4), 0);
        let told = a.no_answer(C, 1);
        assert!(told == Some(rumour(C, Health::Suspect, 4)), "A knows C's incarnation 4 and tells {told:?}");
        assert!(a.no_answer(C, 2).is_none(), "C is suspected already");
        let mut c = Members::new(C, &[A, B]);
        let first = c.hear(rumour(C, Health::Suspect, 0), 1);
        assert!(first == Some(rumour(C, Health::Alive, 1)), "C, in incarnation 0, is suspected, and tells {first:?}");
        let again = c.hear(rumour(C, Health::Suspect, 0), 2);
        assert!(again.is_none(), "that suspicion was refuted: {again:?}");
        let later = c.hear(rumour(C, Health::Suspect, 1), 3);
        assert!(later == Some(rumour(C, Health::Alive, 2)), "a new suspicion is refuted anew: {later:?}");
        for incarnation in [1, 2, 5] {
            let told = c.hear(rumour(C, Health::Alive, incarnation), 4);
            assert!(told.is_none(), "that C lives is no news to C, which tells {told:?}");
        }
        let buried = c.hear(rumour(C, Health::Dead, 9), 4);
        assert!(buried.is_none() && c.health(C) == Some(Health::Alive), "a death is final, and C tells {buried:?}");
        let ahead = c.hear(rumour(C, Health::Suspect, 7), 5);
        assert!(ahead == Some(rumour(C, Health::Alive, 8)), "a suspicion of a former life's incarnation 7: {ahead:?}");
        let mut c = Members::new(C, &[A, B]);
        c.hear(rumour(C, Health::Alive, 7), 0);
        let told = c.hear(rumour(C, Health::Suspect, 3), 1);
        assert!(
            told == Some(rumour(C, Health::Alive, 4)),
            "C is in incarnation 0, whatever was said of it: suspected in 3, it objects in 4; it tells {told:?}"
        );
    }

    /// Which rumour overrides which.
    #[test]
    fn each_rumour_overrides_what_it_may_and_no_more() {
        let healths = [Health::Alive, Health::Suspect, Health::Dead];
        let rumours: Vec<_> =
            healths.into_iter().flat_map(|health| (1..4).map(move |i| rumour(C, health, i))).collect();
        for &known in &rumours {
            for &new in &rumours {
                let overrides = match (known.health, new.health) {
                    (Health::Dead, _) => false,
                    (_, Health::Dead) => true,
                    (Health::Alive, Health::Suspect) => new.incarnation >= known.incarnation,
                    _ => new.incarnation > known.incarnation,
                };
                let mut a = group();
                a.hear(known, 0);
                let told = a.hear(new, 0);
                let expected = overrides.then_some(new);
                assert!(
                    told == expected,
                    "A knows {known:?} and hears {new:?}: it tells on {told:?}, expected {expected:?}"
                );
                let health = if overrides { new.health } else { known.health };
                assert!(a.health(C) == Some(health), "A knew {known:?} and heard {new:?}; it thinks {:?}", a.health(C));
            }
        }
    }

    /// It took a detour, and arrives after the objection.
    #[test]
    fn an_old_suspicion_does_not_override_an_objection() {
        let mut a = group();
        a.hear(rumour(C, Health::Alive, 1), 5);
        let told = a.hear(rumour(C, Health::Suspect, 0), 6);
        let health = a.health(C);
        assert!(told.is_none() && health == Some(Health::Alive), "A tells {told:?} and thinks of C: {health:?}");
    }

    #[test]
    fn a_stranger_joins_by_a_rumour() {
        let mut a = group();
        let told = a.hear(rumour(Node(9), Health::Alive, 0), 0);
        assert!(told == Some(rumour(Node(9), Health::Alive, 0)), "a new member, told on: {told:?}");
        assert!(a.health(Node(9)) == Some(Health::Alive), "A thinks of it: {:?}", a.health(Node(9)));
        assert!(
            a.hear(rumour(Node(9), Health::Alive, 0), 1).is_none(),
            "what is known is not told again, or rumours never end"
        );
    }

    /// What is said of somebody unknown is all that is known.
    #[test]
    fn of_a_stranger_everything_is_believed() {
        for health in [Health::Alive, Health::Suspect, Health::Dead] {
            let (mut a, said) = (group(), rumour(Node(9), health, 2));
            let told = a.hear(said, 10);
            assert!(
                (told, a.health(Node(9))) == (Some(said), Some(health)),
                "A never heard of node 9, and now {said:?}: it tells {told:?} and thinks {:?}",
                a.health(Node(9))
            );
            let alive = a.hear(rumour(Node(9), Health::Alive, 5), 11);
            assert!(
                alive.is_none() == (health == Health::Dead),
                "A heard {said:?} of node 9, then that it is alive in incarnation 5, and tells {alive:?}"
            );
        }
    }

    /// The accuser is not the only one who waits. C was known, node 9 was not.
    #[test]
    fn who_is_suspected_by_hearsay_has_as_much_time() {
        for node in [C, Node(9)] {
            let mut a = group();
            a.hear(rumour(node, Health::Suspect, 4), 10);
            let told = a.tick(10 + SUSPECT_FOR - 1);
            assert!(
                told.is_empty(),
                "A heard in period 10 that {node:?} is suspected; it may object until 15; told: {told:?}"
            );
            let told = a.tick(10 + SUSPECT_FOR);
            assert!(
                told == [rumour(node, Health::Dead, 4)],
                "A heard in period 10 that {node:?} is suspected in incarnation 4, and in 15 it tells {told:?}"
            );
        }
    }

    /// Between the two it has objected: the objection is on its way.
    #[test]
    fn a_suspicion_of_a_greater_incarnation_is_a_new_one() {
        let mut a = group();
        a.hear(rumour(C, Health::Suspect, 0), 10);
        a.hear(rumour(C, Health::Suspect, 1), 13);
        let told = a.tick(13 + SUSPECT_FOR - 1);
        assert!(
            told.is_empty(),
            "C is suspected in incarnation 1 since period 13, and may object until 18; told: {told:?}"
        );
        let told = a.tick(13 + SUSPECT_FOR);
        assert!(
            told == [rumour(C, Health::Dead, 1)],
            "suspected in incarnation 1 since period 13; told in 18: {told:?}"
        );
    }

    /// A whole rack loses its power.
    #[test]
    fn many_may_die_in_one_period() {
        let mut a = Members::new(A, &[B, C, Node(3)]);
        for node in [C, Node(3), B] {
            a.no_answer(node, 10);
        }
        let told = a.tick(10 + SUSPECT_FOR);
        let expected = [B, C, Node(3)].map(|node| rumour(node, Health::Dead, 0));
        assert!(told == expected, "three are suspected since period 10; told in 15: {told:?}");
    }

    #[test]
    fn who_is_dead_is_not_suspected_again() {
        let mut a = group();
        a.hear(rumour(C, Health::Dead, 0), 10);
        let told = a.no_answer(C, 20);
        assert!(
            told.is_none() && a.health(C) == Some(Health::Dead),
            "death is final; C, which is dead, does not answer: A tells {told:?} and thinks {:?}",
            a.health(C)
        );
        let told = a.tick(20 + SUSPECT_FOR);
        assert!(told.is_empty(), "it dies once; told: {told:?}");
    }

    #[test]
    fn who_does_not_object_in_time_is_declared_dead() {
        let mut a = group();
        a.no_answer(C, 10);
        for now in 10..10 + SUSPECT_FOR {
            // Others suspect C too, and it does not answer again. That is the same suspicion.
            a.hear(rumour(C, Health::Suspect, 0), now);
            a.no_answer(C, now);
            let told = a.tick(now);
            assert!(
                told.is_empty(),
                "period {now}: C is suspected since period 10 and may object until 15; told: {told:?}"
            );
        }
        let told = a.tick(10 + SUSPECT_FOR);
        assert!(told == [rumour(C, Health::Dead, 0)], "five periods without an objection: {told:?}");
        assert!((a.health(B), a.health(C)) == (Some(Health::Alive), Some(Health::Dead)), "{a:?}");
        assert!(a.tick(100).is_empty(), "it dies once");
    }

    /// Suspected, refuted, suspected again: the second suspicion has a time of its own.
    #[test]
    fn an_objection_saves_the_slow() {
        let mut a = group();
        let suspicion = a.no_answer(C, 10).expect("C is suspected");
        let objection = Members::new(C, &[A, B]).hear(suspicion, 12).expect("C objects");
        assert!(a.hear(objection, 13) == Some(objection), "A tells the objection on");
        assert!(a.tick(100).is_empty() && a.health(C) == Some(Health::Alive), "C objected in time: {:?}", a.health(C));
        let again = a.no_answer(C, 100);
        assert!(again == Some(rumour(C, Health::Suspect, 1)), "suspected in its new incarnation: {again:?}");
        assert!(a.tick(100 + SUSPECT_FOR - 1).is_empty(), "it has five periods to object again");
        assert!(a.tick(100 + SUSPECT_FOR).len() == 1, "and no more");
    }

    /// The same rumours, each several times, in two orders.
    #[test]
    fn the_order_of_rumours_leaves_no_trace() {
        let sometimes = Sometimes::expect(["alive at the end", "suspect at the end", "dead at the end"]);
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let healths = [Health::Alive, Health::Alive, Health::Suspect, Health::Suspect, Health::Dead];
            let most = rng.random_range(2..=5);
            let rumours: Vec<_> = (0..rng.random_range(1..8))
                .map(|_| {
                    let about = [B, C, Node(9)][rng.random_range(0..3)];
                    rumour(about, healths[rng.random_range(0..most)], rng.random_range(0..4))
                })
                .collect();
            let (mut one, mut other) = (group(), group());
            for &rumour in &rumours {
                one.hear(rumour, 0);
            }
            for &rumour in rumours.iter().rev().chain(&rumours) {
                other.hear(rumour, 0);
            }
            for node in [B, C, Node(9)] {
                let (first, second) = (one.health(node), other.health(node));
                assert!(
                    first == second,
                    "seed {seed}: {first:?} and {second:?} of {node:?}, after the same rumours in two orders: {rumours:?}"
                );
                sometimes.saw("alive at the end", first == Some(Health::Alive));
                sometimes.saw("suspect at the end", first == Some(Health::Suspect));
                sometimes.saw("dead at the end", first == Some(Health::Dead));
            }
        });
    }
}

mod stage_4_accrual {
    use super::*;

    /// Beats every `interval`, `times` times, after `from`; returns the time of the last.
    fn beats(detector: &mut Accrual, from: u64, interval: u64, times: u64) -> u64 {
        (1..=times).for_each(|i| detector.heartbeat(from + i * interval));
        from + times * interval
    }

    #[track_caller]
    fn phi_is(detector: &Accrual, now: u64, expected: f64, why: &str) {
        let phi = detector.phi(now).expect("two heartbeats were heard");
        assert!((phi - expected).abs() < 0.001, "{why}: φ is {phi:.4}, expected {expected}");
    }

    /// A chance of one in ten is φ = 1, of one in a hundred million φ = 8. ln 10 = 2.3026.
    #[test]
    fn phi_counts_the_zeros_of_the_chance_that_it_lives() {
        let mut detector = Accrual::new(10);
        let last = beats(&mut detector, 0, 10_000, 5);
        phi_is(&detector, last, 0.0, "no silence");
        phi_is(&detector, last + 23_026, 1.0, "a silence of 2.3026 intervals");
        phi_is(&detector, last + 184_207, 8.0, "a silence of 18.4207 intervals");
    }

    #[test]
    fn without_an_interval_there_is_nothing_to_judge_by() {
        let mut detector = Accrual::new(10);
        assert!(detector.phi(1_000).is_none(), "no heartbeat: {:?}", detector.phi(1_000));
        detector.heartbeat(1_000);
        assert!(detector.phi(60_000).is_none(), "one heartbeat: {:?}", detector.phi(60_000));
        detector.heartbeat(2_000);
        phi_is(&detector, 4_000, 0.8686, "two heartbeats, a second apart, and two seconds of silence");
    }

    /// One and two milliseconds.
    #[test]
    fn a_mean_is_seldom_a_whole_number() {
        let mut detector = Accrual::new(10);
        [0, 1, 3].into_iter().for_each(|now| detector.heartbeat(now));
        phi_is(&detector, 6, 0.8686, "intervals 1 and 2, mean 1.5; a silence of 3");
    }

    /// Most come after 100 ms, one after a second. The mean is 190, half of them are no later than 100.
    #[test]
    fn a_rare_long_pause_is_part_of_the_mean() {
        let mut detector = Accrual::new(10);
        let last = beats(&mut detector, 0, 1_000, 2);
        let last = beats(&mut detector, last, 100, 9);
        phi_is(&detector, last + 380, 0.8686, "intervals: one of 1,000 and nine of 100, mean 190; a silence of 380");
    }

    /// They were held up together, and arrive together.
    #[test]
    fn heartbeats_of_one_millisecond_give_a_number() {
        let mut detector = Accrual::new(10);
        (0..3).for_each(|_| detector.heartbeat(5));
        phi_is(&detector, 5, 0.0, "three heartbeats at 5, and no silence");
        let phi = detector.phi(6).expect("three heartbeats were heard");
        assert!(phi > 0.0, "three heartbeats at 5, and a silence of 1: φ is {phi}");
    }

    #[test]
    fn silence_raises_it_and_a_heartbeat_ends_it() {
        let mut detector = Accrual::new(10);
        let last = beats(&mut detector, 0, 100, 20);
        let rising: Vec<f64> = (0..50).filter_map(|i| detector.phi(last + 40 * i)).collect();
        assert!(rising.len() == 50 && rising.is_sorted() && rising[49] > 8.0, "during 2 s of silence: {rising:?}");
        detector.heartbeat(last + 2_000);
        phi_is(&detector, last + 2_000, 0.0, "a heartbeat has just ended the silence");
    }

    /// Ten times slower. A fixed limit would have to be set anew.
    #[test]
    fn it_adapts_to_a_network_that_has_become_slow() {
        let mut detector = Accrual::new(10);
        let last = beats(&mut detector, 0, 100, 50);
        phi_is(&detector, last + 1_000, 4.3429, "the last 10 intervals are 100");
        let last = beats(&mut detector, last, 1_000, 10);
        phi_is(&detector, last + 2_303, 1.0, "the last 10 intervals are 1,000");
        let last = beats(&mut detector, last, 100, 5);
        phi_is(&detector, last + 1_266, 1.0, "the last 10 intervals are 5 of 1,000 and 5 of 100, mean 550");
    }
}
