//! What a query can cost: GitHub's own examples, and then the queries of people who do not want to pay.

use graphql_cost::{Api, Cost, Limits, Refused, Variables};
use kit::{Rng, Sometimes, for_seeds};
use rand::RngExt as _;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The limits that GitHub publishes, and two of our own.
fn limits() -> Limits {
    Limits { size: 1..=100, nodes: 500_000, depth: 20, fields: 1_000 }
}

fn api_with(limits: Limits) -> Api {
    let connections = [
        "repositories",
        "issues",
        "pullRequests",
        "comments",
        "followers",
        "labels",
        "members",
        "l0",
        "l1",
        "l2",
        "l3",
    ];
    Api { connections: connections.map(str::to_owned).into(), limits }
}

fn cost_of(query: &str, variables: &[(&str, i64)]) -> Result<Cost, Refused> {
    let variables: Variables = variables.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    api_with(limits()).cost(query, &variables)
}

#[track_caller]
fn cost(query: &str) -> Cost {
    cost_of(query, &[]).unwrap_or_else(|refused| panic!("{query}\nis a query, and was refused: {refused:?}"))
}

const REPOSITORIES_AND_ISSUES: &str = "query { viewer { repositories(first: 50) { edges { repository: node {
    name issues(first: 10) { totalCount edges { node { title bodyHTML } } } } } } } }";

const EVERYTHING: &str = "query { viewer {
    repositories(first: 50) { edges { repository: node { name
        pullRequests(first: 20) { edges { pullRequest: node { title
            comments(first: 10) { edges { comment: node { bodyHTML } } } } } }
        issues(first: 20) { totalCount edges { issue: node { title bodyHTML
            comments(first: 10) { edges { comment: node { bodyHTML } } } } } } } } }
    followers(first: 10) { edges { follower: node { login } } } } }";

const LABELS: &str = "query { viewer { login repositories(first: 100) { edges { node { id
    issues(first: 50) { edges { node { id labels(first: 60) { edges { node { id name } } } } } } } } } } }";

mod stage_1_lists_in_lists {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn fifty_repositories_with_ten_issues_each_are_550_nodes() {
        assert_eq!(cost(REPOSITORIES_AND_ISSUES).nodes, 550, "50 repositories + 50 · 10 issues");
    }

    #[test]
    fn github_s_complex_query_is_22_060_nodes() {
        assert_eq!(cost(EVERYTHING).nodes, 22_060, "50 + 50·20 + 50·20·10 + 50·20 + 50·20·10 + 10");
    }

    #[test]
    fn a_list_is_asked_for_once_for_each_element_of_those_around_it() {
        let labels = cost(LABELS);
        assert_eq!(labels.requests, 5_101, "1 for the repositories, 100 for the issues, 100 · 50 for the labels");
        assert_eq!(labels.points(), 51);
        assert_eq!(labels.nodes, 305_100, "100 repositories, 5,000 issues, 300,000 labels");
        assert_eq!(cost(EVERYTHING).requests, 1 + 50 + 1_000 + 50 + 1_000 + 1);
    }

    #[test]
    fn points_are_hundreds_to_the_nearest_and_at_least_one() {
        let requests = [0, 1, 99, 149, 150, 249, 250, 5_101, 5_150, u64::MAX];
        let points = requests.map(|requests| Cost { requests, ..Cost::default() }.points());
        assert_eq!(points, [1, 1, 1, 1, 2, 2, 3, 51, 52, 184_467_440_737_095_516], "of {requests:?} requests");
    }

    #[test]
    fn a_query_without_lists_has_fields_and_depth_only() {
        let expected = Cost { nodes: 0, requests: 0, depth: 2, fields: 3 };
        assert_eq!(cost("{ viewer { login name } }"), expected);
        assert_eq!(cost("query { viewer { login name } }"), expected);
        assert_eq!(cost("mutation { rename(to: \"x\") { login name } }"), expected);
        assert_eq!(cost("subscription { renamed(first: 5) { login name } }"), expected, "`renamed` is no connection");
        assert_eq!(cost("{ viewer }").depth, 1);
        assert_eq!((cost(LABELS).depth, cost(LABELS).fields), (11, 15));
    }

    #[test]
    fn what_is_no_single_operation_is_refused() {
        assert!(matches!(cost_of("{ viewer", &[]), Err(Refused::Syntax(_))), "{:?}", cost_of("{ viewer", &[]));
        assert_eq!(cost_of("query A { viewer } query B { viewer }", &[]), Err(Refused::Operations(2)));
        assert_eq!(cost_of("fragment f on User { login }", &[]), Err(Refused::Operations(0)));
    }
}

mod stage_2_how_many {
    use super::*;
    use pretty_assertions::assert_eq;

    fn followers(arguments: &str) -> Result<u64, Refused> {
        cost_of(&format!("{{ viewer {{ followers{arguments} {{ totalCount }} }} }}"), &[]).map(|cost| cost.nodes)
    }

    #[test]
    fn the_last_so_many_cost_as_much_as_the_first() {
        assert_eq!(followers("(last: 7)"), Ok(7));
        assert_eq!(followers("(first: 7, last: 9)"), Ok(9), "whichever the server follows");
        assert_eq!(followers("(first: 9, last: 7)"), Ok(9));
        assert_eq!(followers("(orderBy: 50, after: \"x\", first: 7)"), Ok(7));
    }

    #[test]
    fn who_does_not_say_how_many_is_refused() {
        for arguments in ["", "(after: \"x\")", "(first: null)", "(first: \"10\")", "(first: 1.5)", "(first: $n)"] {
            let refused = followers(arguments);
            assert!(refused == Err(Refused::NoSize("followers".to_owned())), "followers{arguments}: {refused:?}");
        }
    }

    #[test]
    fn from_1_to_100_may_be_asked_for() {
        assert_eq!([followers("(first: 1)"), followers("(last: 100)")], [Ok(1), Ok(100)]);
        for size in [0, -1, 101, i64::MAX, i64::MIN + 1] {
            let refused = followers(&format!("(first: {size})"));
            assert!(refused == Err(Refused::Size { field: "followers".to_owned(), size }), "{size}: {refused:?}");
        }
    }

    /// Another interface, other bounds.
    #[test]
    fn the_bounds_of_a_list_are_the_interface_s_own() {
        for (least, most) in [(10, 50), (1, 250), (200, 300)] {
            let api = api_with(Limits { size: least..=most, ..limits() });
            for (size, allowed) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
                let nodes =
                    api.cost(&format!("{{ viewer {{ followers(first: {size}) {{ x }} }} }}"), &Variables::new());
                let nodes = nodes.map(|cost| cost.nodes);
                let refused =
                    Refused::Size { field: "followers".to_owned(), size: i64::try_from(size).expect("it is small") };
                let expected = if allowed { Ok(size) } else { Err(refused) };
                assert_eq!(nodes, expected, "from {least} to {most} may be asked for, and {size} was");
            }
        }
    }

    /// The default is what the client's author wrote, the value is what is executed.
    #[test]
    fn a_value_counts_though_it_is_less_than_the_default() {
        let query = "query ($n: Int = 20) { viewer { followers(first: $n) { x } } }";
        assert_eq!(
            cost_of(query, &[("n", 5)]).map(|cost| cost.nodes),
            Ok(5),
            "$n is 5, and would be 20 without a value"
        );
        let dear = "query ($n: Int = 900) { viewer { followers(first: $n) { x } } }";
        assert_eq!(
            cost_of(dear, &[("n", 5)]).map(|cost| cost.nodes),
            Ok(5),
            "the default, which is not allowed, is not asked for"
        );
    }

    /// The text of the query says nothing about its cost: the number comes beside it.
    #[test]
    fn a_variable_counts_with_its_value_and_without_one_with_its_default() {
        let query = "query ($n: Int = 20, $m: Int) { viewer { followers(first: $n) { x } issues(first: $m) { y } } }";
        let nodes = |variables: &[(&str, i64)]| cost_of(query, variables).map(|cost| cost.nodes);
        assert_eq!(nodes(&[("n", 30), ("m", 5)]), Ok(35));
        assert_eq!(nodes(&[("m", 5)]), Ok(25), "$n is 20 unless the caller says something else");
        assert_eq!(nodes(&[("n", 30)]), Err(Refused::NoSize("issues".to_owned())), "$m has neither");
        assert_eq!(nodes(&[("n", 101), ("m", 5)]), Err(Refused::Size { field: "followers".to_owned(), size: 101 }));
        let mutation = "mutation ($n: Int = 4) { follow { followers(first: $n) { x } } }";
        assert_eq!(cost_of(mutation, &[]).map(|cost| cost.nodes), Ok(4));
        let subscription = "subscription ($n: Int = 4) { followed { followers(first: $n) { x } } }";
        assert_eq!(cost_of(subscription, &[]).map(|cost| cost.nodes), Ok(4));
        let odd = "query ($n: Int = null) { viewer { followers(first: $n) { x } } }";
        assert_eq!(cost_of(odd, &[]), Err(Refused::NoSize("followers".to_owned())));
    }

    #[test]
    fn a_field_that_may_be_skipped_is_paid_for() {
        let query = "query ($no: Boolean!) { viewer { followers(first: 9) @include(if: $no) { x } } }";
        assert_eq!(cost(query).nodes, 9, "an upper bound: the variable decides later");
    }
}

mod stage_3_limits {
    use super::*;
    use pretty_assertions::assert_eq;

    fn with(limits: Limits, query: &str) -> Result<Cost, Refused> {
        api_with(limits).cost(query, &Variables::new())
    }

    #[test]
    fn exactly_as_many_nodes_as_allowed_are_allowed() {
        let allowed = |nodes| with(Limits { nodes, ..limits() }, REPOSITORIES_AND_ISSUES).map(|cost| cost.nodes);
        assert_eq!(allowed(550), Ok(550));
        assert_eq!(allowed(549), Err(Refused::TooManyNodes));
        let million = "{ issues(first: 100) { comments(first: 100) { labels(first: 100) { x } } } }";
        assert_eq!(cost_of(million, &[]), Err(Refused::TooManyNodes), "1,010,100 nodes in one line");
    }

    #[test]
    fn exactly_as_deep_as_allowed_is_allowed() {
        let nested = |depth: usize| format!("{}{}", "{ x ".repeat(depth), "}".repeat(depth));
        for limit in [1, 2, 7, 20] {
            let depth = |query: &str| with(Limits { depth: limit, ..limits() }, query).map(|cost| cost.depth);
            assert_eq!(depth(&nested(limit)), Ok(limit));
            assert_eq!(depth(&nested(limit + 1)), Err(Refused::TooDeep), "{} deep, {limit} allowed", limit + 1);
        }
    }

    #[test]
    fn exactly_as_many_fields_as_allowed_are_allowed() {
        let fields = |fields| with(Limits { fields, ..limits() }, EVERYTHING).map(|cost| cost.fields);
        assert_eq!(fields(27), Ok(27));
        assert_eq!(fields(26), Err(Refused::TooManyFields));
    }

    /// A hundred to the sixteenth power has no place in 64 bits, and 100³² would wrap round to exactly 0.
    #[test]
    fn a_number_that_has_no_place_is_too_large_and_not_small() {
        for depth in [9, 10, 11, 16, 32, 33, 40] {
            let query = format!("{}{}", "{ issues(first: 100) ".repeat(depth), "}".repeat(depth));
            let refused = with(Limits { depth: 50, ..limits() }, &query);
            assert!(refused == Err(Refused::TooManyNodes), "100 issues {depth} deep: {refused:?}");
        }
        let query = format!("{}{}", "{ issues(first: 100) ".repeat(12), "}".repeat(12));
        let unlimited = with(Limits { nodes: u64::MAX, ..limits() }, &query).map(|cost| (cost.nodes, cost.requests));
        assert_eq!(unlimited, Ok((u64::MAX, u64::MAX)), "100¹² nodes and 100¹¹ requests and more");
    }
}

mod stage_4_names_and_fragments {
    use super::*;
    use pretty_assertions::assert_eq;

    /// Ten lists under ten names are ten lists.
    #[test]
    fn an_alias_is_another_field() {
        let ten: String = (0..10).map(|at| format!("a{at}: followers(first: 100) {{ x }} ")).collect();
        let cost = cost(&format!("{{ viewer {{ {ten} }} }}"));
        assert_eq!((cost.nodes, cost.requests, cost.fields), (1_000, 10, 21));
    }

    /// Two parts of a page both ask for the list. The server fetches it once.
    #[test]
    fn the_same_key_twice_is_one_field_with_all_that_is_asked_of_it() {
        let query = "{ viewer { followers(first: 9) { x issues(first: 2) { y } } followers(first: 9) { x z issues(first: 2) { w } } } }";
        let expected = Cost { nodes: 9 + 18, requests: 1 + 9, depth: 4, fields: 7 };
        assert_eq!(cost(query), expected, "viewer, followers, x, z, issues, y and w");
        let aliased = "{ viewer { a: followers(first: 9) { x } a: followers(first: 9) { y } } }";
        assert_eq!(cost(aliased).nodes, 9);
    }

    /// On two types the same key may have two sizes. Whichever the object is of, it costs no more than the larger.
    #[test]
    fn of_two_sizes_under_one_key_the_larger_counts() {
        for (first, second) in [(3, 80), (80, 3)] {
            let query = format!(
                "{{ owner {{ ... on User {{ list: issues(first: {first}) {{ x }} }}
                   ... on Team {{ list: members(first: {second}) {{ y }} }} }} }}"
            );
            assert_eq!(cost(&query).nodes, 80, "{query}");
        }
        let plain = "{ owner { ... on User { list { x } } ... on Team { list: members(first: 5) { y } } } }";
        assert_eq!(cost(plain).nodes, 5, "on one type a plain field, on the other a list");
        let none = cost_of("{ owner { ... on User { issues(first: 3) { x } } ... on Team { issues { y } } } }", &[]);
        assert_eq!(none, Err(Refused::NoSize("issues".to_owned())), "and each has to say how many");
    }

    /// It is one field, and has one size.
    #[test]
    fn what_stands_in_either_is_executed_for_the_larger() {
        for (first, second) in [(3, 80), (80, 3)] {
            let query = format!(
                "{{ owner {{ ... on User {{ list: issues(first: {first}) {{ labels(first: 10) {{ x }} }} }}
                   ... on Team {{ list: members(first: {second}) {{ y }} }} }} }}"
            );
            let Cost { nodes, requests, .. } = cost(&query);
            assert_eq!((nodes, requests), (880, 81), "80 elements, with 10 labels each: {query}");
        }
    }

    #[test]
    fn a_spread_costs_what_the_fragment_contains_and_is_no_deeper() {
        let query = "query ($n: Int = 10) { viewer { ...page ... { ...page } } }
            fragment page on User { followers(first: $n) { ...person } issues(first: 5) { nodes { ...person } } }
            fragment person on User { login } fragment unused on User { issues(first: 100) { x } }";
        let expected = Cost { nodes: 15, requests: 2, depth: 4, fields: 6 };
        assert_eq!(cost(query), expected, "viewer, followers, login, issues, nodes, login");
    }

    #[test]
    fn a_fragment_may_be_spread_in_many_places() {
        let query = "{ a { ...f } b { ...f } c { d { ...f } ...f } } fragment f on T { followers(first: 10) { x } }";
        assert_eq!(cost(query).nodes, 40, "in four places");
        let diamond = "{ p { ...a } q { ...b } } fragment a on T { ...c } fragment b on T { r { ...c } }
            fragment c on T { followers(first: 10) { x } }";
        assert_eq!(cost(diamond).nodes, 20, "a and b both lead to c, and none leads back");
    }

    #[test]
    fn a_fragment_that_nobody_defined_is_refused() {
        let refused = Err(Refused::UnknownFragment("g".to_owned()));
        assert_eq!(cost_of("{ viewer { ...g } }", &[]), refused);
        assert_eq!(cost_of("{ viewer { ...f } } fragment f on T { a { ...g } }", &[]), refused);
        assert_eq!(cost_of("{ viewer } fragment f on T { ...g }", &[]), refused, "used or not");
    }

    /// Half a line that never ends.
    #[test]
    fn fragments_that_lead_round_and_round_are_refused() {
        let cycles = [
            "{ ...a } fragment a on T { x ...a }",
            "{ ...a } fragment a on T { friends { ...a } }",
            "{ ...a } fragment a on T { ... on T { ...b } } fragment b on T { friends { ...a } }",
        ];
        for query in cycles {
            let refused = cost_of(query, &[]);
            assert!(refused == Err(Refused::Cycle("a".to_owned())), "{query}: {refused:?}");
        }
    }

    /// The next tool may walk over every fragment of the document.
    #[test]
    fn a_cycle_that_nothing_reaches_is_refused_too() {
        let cycles = [
            "{ viewer } fragment a on T { ...b } fragment b on T { ...c } fragment c on T { ...a }",
            "{ ...z } fragment a on T { x ...a ...y } fragment y on T { x } fragment z on T { x ...y }",
        ];
        for query in cycles {
            let refused = cost_of(query, &[]);
            assert!(refused == Err(Refused::Cycle("a".to_owned())), "{query}: {refused:?}");
        }
    }
}

mod stage_5_against_the_counter {
    use super::*;
    use pretty_assertions::assert_eq;

    /// A chain of fragments, in which each says this of the next.
    fn chain(length: usize, body: impl Fn(usize) -> String) -> String {
        let mut query = "{ ...f0 }".to_owned();
        for at in 0..length {
            write!(query, " fragment f{at} on T {{ {} }}", body(at + 1)).expect("a text takes what is written to it");
        }
        write!(query, " fragment f{length} on T {{ x }}").expect("a text takes what is written to it");
        query
    }

    /// Forty fragments, each of which has the next one twice: 2⁴⁰ fields in two kilobytes.
    #[test]
    fn two_kilobytes_that_unfold_to_a_million_million_fields_are_refused_at_once() {
        let query = chain(40, |next| format!("a {{ ...f{next} }} b {{ ...f{next} }}"));
        let api = api_with(Limits { depth: 50, ..limits() });
        let refused = api.cost(&query, &Variables::new());
        assert_eq!(refused, Err(Refused::TooManyFields), "{} bytes", query.len());
    }

    /// The same spread twice in one place is the same fields once, however many paths lead to it.
    #[test]
    fn the_same_spread_twice_is_counted_once_and_looked_at_once() {
        let query = chain(40, |next| format!("...f{next} ... on T {{ ...f{next} }}"));
        assert_eq!(cost(&query), Cost { nodes: 0, requests: 0, depth: 1, fields: 1 });
        let nested = chain(15, |next| format!("a {{ ...f{next} }} ... on T {{ a {{ ...f{next} ...f{next} }} }}"));
        assert_eq!(cost(&nested), Cost { nodes: 0, requests: 0, depth: 16, fields: 16 });
        // Four mentions of one field, each with the same spread: 4¹⁹ ways, and one field in each level.
        let four = chain(19, |next| format!("a {{ ...f{next} }} ").repeat(4));
        assert_eq!(cost(&four), Cost { nodes: 0, requests: 0, depth: 20, fields: 20 });
    }

    #[test]
    fn a_chain_without_an_end_in_sight_has_one() {
        let query = chain(300, |next| format!("...f{next}"));
        assert_eq!(cost(&query).fields, 1, "300 fragments, one field");
        let deep = chain(300, |next| format!("a {{ ...f{next} }}"));
        assert_eq!(cost_of(&deep, &[]), Err(Refused::TooDeep), "300 deep, though no brace stands deeper than 2");
    }

    /// A field: its key, how many it is asked for if it is a connection, and its fields. Keys are unique within a field.
    struct Tree {
        key: usize,
        size: Option<u64>,
        fields: Vec<Tree>,
    }

    fn some_trees(rng: &mut Rng, depth: usize) -> Vec<Tree> {
        let count = if depth == 0 { 0 } else { rng.random_range(0..4) };
        (0..count)
            .map(|key| Tree {
                key,
                size: rng.random_bool(0.4).then(|| rng.random_range(1..6)),
                fields: some_trees(rng, depth - 1),
            })
            .collect()
    }

    /// By the definition.
    fn count(trees: &[Tree], times: u64, depth: usize, cost: &mut Cost) {
        for tree in trees {
            cost.fields += 1;
            cost.depth = cost.depth.max(depth + 1);
            cost.requests += if tree.size.is_some() { times } else { 0 };
            let inner = times * tree.size.unwrap_or(1);
            cost.nodes += if tree.size.is_some() { inner } else { 0 };
            count(&tree.fields, inner, depth + 1, cost);
        }
    }

    /// The text of a query, with parts of it in fragments, and with some of it said twice.
    struct Writer<'a> {
        rng: &'a mut Rng,
        fragments: BTreeMap<usize, String>,
        doubled: bool,
    }

    impl Writer<'_> {
        fn selection(&mut self, trees: &[Tree]) -> String {
            let mut text = String::new();
            for tree in trees {
                let twice = self.rng.random_bool(0.3);
                self.doubled |= twice;
                for _ in 0..1 + usize::from(twice) {
                    let field = self.field(tree);
                    text += &self.wrapped(field);
                }
            }
            text
        }

        fn field(&mut self, tree: &Tree) -> String {
            let Tree { key, size, fields } = tree;
            let name = match (size, self.rng.random_bool(0.5)) {
                (Some(size), true) => format!("k{key}: l{key}(first: {size})"),
                (Some(size), false) => format!("k{key}: l{key}(last: {size})"),
                (None, true) => format!("k{key}"),
                (None, false) => format!("k{key}: plain"),
            };
            let inner = self.selection(fields);
            if inner.is_empty() { format!(" {name} ") } else { format!(" {name} {{ {inner} }} ") }
        }

        fn wrapped(&mut self, field: String) -> String {
            match self.rng.random_range(0..4) {
                0 => format!(" ... on T {{ {field} }} "),
                1 => {
                    let at = self.fragments.len();
                    self.fragments.insert(at, field);
                    format!(" ...f{at} ")
                }
                _ => field,
            }
        }
    }

    #[test]
    fn however_a_query_is_written_it_costs_the_same() {
        let sometimes = Sometimes::expect(["lists stood in lists", "there were fragments", "something was said twice"]);
        for_seeds(150, |seed| {
            let mut rng = seed.rng();
            let trees = vec![Tree { key: 0, size: None, fields: some_trees(&mut rng, 4) }];
            let mut expected = Cost::default();
            count(&trees, 1, 0, &mut expected);
            let mut writer = Writer { rng: &mut rng, fragments: BTreeMap::new(), doubled: false };
            let mut query = format!("{{ {} }}", writer.selection(&trees));
            for (at, fragment) in &writer.fragments {
                write!(query, " fragment f{at} on T {{ {fragment} }}").expect("a text takes what is written to it");
            }
            sometimes.saw("lists stood in lists", expected.nodes > 25);
            sometimes.saw("there were fragments", writer.fragments.len() > 2);
            sometimes.saw("something was said twice", writer.doubled);
            assert_eq!(cost(&query), expected, "seed {seed}: {query}");
        });
    }
}
