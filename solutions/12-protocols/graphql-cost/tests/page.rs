//! The page's own numbers.

use graphql_cost::{Api, Cost, Limits, Variables};

fn api() -> Api {
    let connections = ["issues", "comments", "labels", "repositories"].map(str::to_owned).into();
    Api { connections, limits: Limits { size: 1..=100, nodes: u64::MAX, depth: 50, fields: 1_000_000 } }
}

const MILLION: &str = "{ issues(first: 100) { comments(first: 100) { labels(first: 100) { name } } } }";

#[test]
fn eighty_bytes_ask_for_a_million_nodes_in_ten_thousand_requests() {
    let cost = api().cost(MILLION, &Variables::new()).expect("a query");
    assert_eq!((MILLION.len(), cost.nodes, cost.requests, cost.points()), (79, 1_010_100, 10_101, 101));
}

#[test]
fn a_query_of_51_points_can_be_sent_98_times_an_hour() {
    assert_eq!(5_000 / Cost { requests: 5_101, ..Cost::default() }.points(), 98);
}

#[test]
fn a_hundred_to_the_32nd_is_0_in_64_bits() {
    assert_eq!((0..32).fold(1_u64, |power, _| power.wrapping_mul(100)), 0);
}

#[test]
fn a_variable_taken_for_one_hides_9900_nodes() {
    let query = "query ($n: Int) { issues(first: 100) { comments(first: $n) { name } } }";
    let nodes = |n| api().cost(query, &Variables::from([("n".to_owned(), n)])).map(|cost| cost.nodes);
    assert_eq!((nodes(1), nodes(100)), (Ok(200), Ok(10_100)));
}

/// 2 + 4 + … + 2ⁿ fields `a` and `b`, and 2ⁿ fields `x`.
#[test]
fn twenty_levels_of_two_fragments_unfold_to_three_million_fields() {
    let doubling = |levels: usize| {
        let level = |at| format!(" fragment f{at} on T {{ a {{ ...f{next} }} b {{ ...f{next} }} }}", next = at + 1);
        format!("{{ ...f0 }}{} fragment f{levels} on T {{ x }}", (0..levels).map(level).collect::<String>())
    };
    let unfolded = |levels: usize| 3 * (1 << levels) - 2;
    for levels in 0..=10 {
        let cost = api().cost(&doubling(levels), &Variables::new()).expect("a query");
        assert_eq!(cost.fields, unfolded(levels), "{levels} levels");
    }
    assert_eq!((unfolded(20), doubling(20).len()), (3_145_726, 965));
}
