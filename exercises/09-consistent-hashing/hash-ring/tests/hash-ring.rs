//! What a client of the cluster can see: who owns a key, who owns it after a machine came or went, and how evenly.
//!
//! Hashes of names are as good as random numbers, so the tests that count keys are statistical. Each says its false-alarm
//! rate: how often it would fail a correct ring that places its points in some other way.

use hash_ring::{Node, Ring, modulo_owner, moved_fraction};
use kit::{Seed, for_seeds, stats};
use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroU32;
use std::panic::catch_unwind;
use std::process::Command;

/// One correct solution in a thousand million fails a test by bad luck.
const FALSE_ALARM: f64 = 1e-9;

/// A cluster of its own for each seed: other machines, other positions on the ring.
fn machines(seed: Seed, count: usize) -> Vec<Node> {
    (0..count).map(|i| Node::new(format!("eu{seed}-cache-{i}"))).collect()
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("user:{i}")).collect()
}

fn ring(virtual_nodes: u32, nodes: &[Node]) -> Ring {
    Ring::new(NonZeroU32::new(virtual_nodes).expect("at least one point for each node"), nodes)
}

fn owner<'r>(ring: &'r Ring, key: &str) -> &'r Node {
    ring.owner(key).unwrap_or_else(|| panic!("a ring with nodes gave no owner for key {key}"))
}

fn owners<'r>(ring: &'r Ring, keys: &[String]) -> Vec<&'r Node> {
    keys.iter().map(|key| owner(ring, key)).collect()
}

mod stage_1_modulo {
    use super::*;

    #[test]
    fn without_nodes_a_key_has_no_owner() {
        assert_eq!(modulo_owner(&[], "user:1"), None);
    }

    /// False alarm: 1e-9 (exact binomial, a fifth of it for each of five machines).
    #[test]
    fn every_node_gets_its_share_of_the_keys() {
        let (nodes, keys) = (machines(Seed(0), 5), keys(20_000));
        let fair = stats::binomial_range(20_000, 1.0 / 5.0, FALSE_ALARM / 5.0);
        for node in &nodes {
            let held = keys.iter().filter(|key| modulo_owner(&nodes, key) == Some(node)).count() as u64;
            assert!(fair.contains(&held), "{node} holds {held} of 20000 keys; one of 5 machines should hold {fair:?}");
        }
    }

    #[test]
    fn a_key_has_moved_if_its_owner_is_another_one() {
        assert_eq!(moved_fraction(&["a", "b", "c", "a"], &["a", "c", "c", "a"]), 0.25, "one of four keys moved");
        assert_eq!(moved_fraction(&["a", "b"], &["b", "a"]), 1.0, "both keys moved, although the load is the same");
        assert!(
            catch_unwind(|| moved_fraction(&["a", "b"], &["a", "b", "c"])).is_err(),
            "the owners of two keys were compared with those of three: one key was lost, and nobody was told"
        );
    }

    /// The keys need no number in their names, and a list of the same machines is the same list wherever it lies.
    #[test]
    fn a_key_stays_where_it_is_while_the_machines_are_the_same() {
        let (nodes, names) = (machines(Seed(0), 6), ["user:alice", "user:bob", "", "übung/ä", "user:1", "session:f00"]);
        let copy = nodes.clone();
        for key in names {
            let (first, second) = (modulo_owner(&nodes, key), modulo_owner(&copy, key));
            assert_eq!(first, second, "asked twice for the owner of {key:?} among the same six machines");
        }
        let used: BTreeSet<_> = (b'a'..=b'z').map(|c| modulo_owner(&nodes, &char::from(c).to_string())).collect();
        assert!(used.len() > 2, "26 keys without a digit in their names are all on {used:?}, of six machines");
    }

    #[test]
    fn where_there_are_no_keys_nothing_moves() {
        assert_eq!(moved_fraction::<&Node>(&[], &[]), 0.0);
    }

    /// A key stays only if its hash leaves the same remainder for N and for N + 1: a chance of 1/(N + 1).
    ///
    /// False alarm: 1e-9 for each N (exact binomial).
    #[test]
    fn one_more_node_moves_nearly_every_key() {
        let keys = keys(20_000);
        for n in [3, 4, 9, 10] {
            let nodes = machines(Seed(0), n + 1);
            let placed = |nodes| keys.iter().map(|key| modulo_owner(nodes, key)).collect::<Vec<_>>();
            let moved = moved_fraction(&placed(&nodes[..n]), &placed(&nodes));
            let expected = n as f64 / (n + 1) as f64;
            let count = (moved * 20_000.0).round() as u64;
            let range = stats::binomial_range(20_000, expected, FALSE_ALARM);
            assert!(
                range.contains(&count),
                "{n} → {} machines moved {moved:.3} of the keys; modulo moves N/(N+1) = {expected:.3}",
                n + 1
            );
        }
    }
}

mod stage_2_ring {
    use super::*;

    #[test]
    fn an_empty_ring_has_no_owner_to_name() {
        assert_eq!(ring(1, &[]).owner("user:1"), None);
    }

    /// Half of all keys, on average, lie after its only point: the ring has no end.
    #[test]
    fn a_lone_node_owns_every_key() {
        for_seeds(20, |seed| {
            let nodes = machines(seed, 1);
            let ring = ring(1, &nodes);
            let orphans: Vec<_> = keys(100).into_iter().filter(|key| ring.owner(key) != Some(&nodes[0])).collect();
            assert!(orphans.is_empty(), "{} of 100 keys have no owner, the first is {}", orphans.len(), orphans[0]);
        });
    }

    #[test]
    fn a_node_joins_once_and_leaves_once() {
        let nodes = machines(Seed(0), 2);
        let named = || Node::new(nodes[1].name()); // another value each time: a machine is its name
        let mut ring = ring(1, &nodes[..1]);
        assert!(ring.add(&named()), "{} was no member, so it joins", nodes[1]);
        assert!(!ring.add(&named()), "{} is a member already, so it does not join again", nodes[1]);
        assert!(ring.remove(&named()), "{} is a member, so it leaves", nodes[1]);
        assert!(!ring.remove(&named()), "{} has left before, so it cannot leave", nodes[1]);
        for key in keys(100) {
            assert_eq!(
                ring.owner(&key),
                Some(&nodes[0]),
                "{} left, the owner of {key} (left) should be the other",
                nodes[1]
            );
        }

        let mut twice = self::ring(1, &[nodes[0].clone(), nodes[1].clone(), nodes[1].clone()]);
        assert!(twice.remove(&nodes[1]), "{} was named twice, so it is a member", nodes[1]);
        assert!(!twice.remove(&nodes[1]), "{} was named twice, and is a member once", nodes[1]);
    }

    /// Two web servers learn of the same machines in another order. If they disagree on one key, one of them reads a
    /// cache that the other never fills.
    #[test]
    fn clients_that_know_the_same_nodes_agree_on_every_owner() {
        for_seeds(20, |seed| {
            let mut nodes = machines(seed, 7);
            let guest = nodes.pop().expect("seven machines");
            let first = ring(1, &nodes);
            nodes.reverse();
            nodes.insert(2, guest.clone());
            let mut second = ring(1, &nodes);
            second.remove(&guest); // came and went, while the first client was not looking

            let keys = keys(500);
            let disputed = moved_fraction(&owners(&first, &keys), &owners(&second, &keys));
            assert!(
                disputed == 0.0,
                "two clients know the same six machines, and disagree on the owner of {:.0} % of the keys",
                disputed * 100.0
            );
        });
    }

    /// The test starts itself a second time, as a second web server would start, and compares what both say.
    #[test]
    fn two_processes_agree_on_every_owner() {
        let nodes = machines(Seed(0), 6);
        let (ring, keys) = (ring(1, &nodes), keys(50));
        let said: Vec<String> = keys
            .iter()
            .map(|key| {
                let modulo = modulo_owner(&nodes, key).expect("six machines");
                format!("{key} is on {} (ring), {modulo} (modulo)", owner(&ring, key))
            })
            .collect();
        if std::env::var_os("KIT_SAYS").is_some() {
            said.iter().for_each(|line| println!("\nsecond process: {line}"));
            return;
        }
        let second = match std::env::var_os("KIT_HEARD") {
            // In a grader's box nothing can be started: the grader has run the second process, and left here what it said.
            Some(file) => fs::read_to_string(file).expect("what the second process said"),
            None => {
                let this = std::env::current_exe().expect("a test knows its program");
                let test = "stage_2_ring::two_processes_agree_on_every_owner";
                let second = Command::new(this).args(["--exact", test, "--nocapture"]).env("KIT_SAYS", "1").output();
                String::from_utf8_lossy(&second.expect("a test can start itself").stdout).into_owned()
            }
        };
        let heard: Vec<&str> = second.lines().filter_map(|line| line.strip_prefix("second process: ")).collect();
        let disputed = said.iter().zip(&heard).filter(|(said, heard)| said != heard).count();
        assert!(
            heard == said,
            "two processes know the same six machines, and disagree on {disputed} of 50 keys; one says that {}, the other that {}",
            said[0],
            heard.first().unwrap_or(&"nothing is anywhere")
        );
    }

    #[test]
    fn a_joining_node_takes_keys_and_no_other_key_moves() {
        for_seeds(20, |seed| {
            let nodes = machines(seed, 6);
            let before = ring(1, &nodes[..5]);
            let mut after = before.clone();
            after.add(&nodes[5]);
            for key in keys(500) {
                let (old, new) = (owner(&before, &key), owner(&after, &key));
                assert!(old == new || *new == nodes[5], "{} joined, and {key} moved from {old} to {new}", nodes[5]);
            }
        });
    }

    #[test]
    fn a_leaving_node_gives_up_its_keys_and_no_other_key_moves() {
        for_seeds(20, |seed| {
            let nodes = machines(seed, 6);
            let before = ring(1, &nodes);
            let mut after = before.clone();
            after.remove(&nodes[2]);
            for key in keys(500) {
                let (old, new) = (owner(&before, &key), owner(&after, &key));
                assert!(*new != nodes[2], "{} left and still owns {key}", nodes[2]);
                assert!(old == new || *old == nodes[2], "{} left, and {key} moved from {old} to {new}", nodes[2]);
            }
        });
    }

    /// The keys of one ring share its luck: with one point each, a new machine may take a twentieth or a half. One key
    /// in each of 5000 different rings makes 5000 independent trials, each with a chance of exactly 1/(N + 1).
    ///
    /// False alarm: 1e-9 (exact binomial).
    #[test]
    fn a_joining_node_takes_one_key_in_n_plus_1_on_average() {
        let n = 4;
        let moved = (0..5000)
            .filter(|&cluster| {
                let nodes = machines(Seed(cluster), n + 1);
                let before = ring(1, &nodes[..n]);
                let mut after = before.clone();
                after.add(&nodes[n]);
                owner(&before, "user:1") != owner(&after, "user:1")
            })
            .count() as u64;
        let range = stats::binomial_range(5000, 1.0 / (n + 1) as f64, FALSE_ALARM);
        assert!(
            range.contains(&moved),
            "in {moved} of 5000 clusters the key moved when one machine joined {n}; 1/(N+1) of them is 1000, chance allows {range:?}"
        );
    }
}

mod stage_3_virtual_nodes {
    use super::*;

    /// The load of the busiest node, as a multiple of its fair share.
    fn peak(ring: &Ring) -> f64 {
        let shares = ring.shares();
        shares.values().copied().fold(0.0, f64::max) * shares.len() as f64
    }

    /// The squared coefficient of variation of the nodes' loads: variance over squared mean.
    fn squared_cv(ring: &Ring) -> f64 {
        let shares = ring.shares();
        let n = shares.len() as f64;
        shares.values().map(|share| (share * n - 1.0).powi(2)).sum::<f64>() / n
    }

    #[test]
    fn the_shares_make_up_the_whole_ring() {
        assert_eq!(ring(8, &[]).shares().len(), 0, "an empty ring belongs to nobody");
        for_seeds(20, |seed| {
            for (points, n) in [(1, 1), (1, 5), (8, 1), (8, 5)] {
                let nodes = machines(seed, n);
                let ring = ring(points, &nodes);
                let shares = ring.shares();
                assert_eq!(shares.len(), n, "every machine has a share");
                let sum: f64 = shares.values().sum();
                assert!((sum - 1.0).abs() < 1e-9, "{n} machines with {points} points each own {sum} of the ring");
            }
        });
        let crowd = ring(1, &machines(Seed(0), 1000));
        let shares = crowd.shares();
        let least = shares.values().copied().fold(1.0, f64::min);
        assert!(
            shares.len() == 1000 && least > 0.0,
            "each of 1000 machines has an arc, if only a millionth of the ring; {} have a share, the least is {least:e}",
            shares.len()
        );
    }

    /// False alarm: 1e-9 for each ring (exact binomial, a fifth of it for each of five machines).
    #[test]
    fn a_node_gets_the_keys_that_its_share_promises() {
        let keys = keys(5000);
        for_seeds(10, |seed| {
            let nodes = machines(seed, 5);
            let ring = ring(3, &nodes);
            let owners = owners(&ring, &keys);
            for (node, share) in ring.shares() {
                let held = owners.iter().filter(|owner| **owner == node).count() as u64;
                let range = stats::binomial_range(5000, share, FALSE_ALARM / 5.0);
                assert!(
                    range.contains(&held),
                    "{node} owns {share:.3} of the ring and holds {held} of 5000 keys; expected {range:?}: which point owns an arc, the one where it begins or the one where it ends?"
                );
            }
        });
    }

    /// N·V points that fall anywhere give a coefficient of variation of √((N−1)/(N·V+1)). More than that, and points fall on
    /// patterns, or on each other; less, and there are not as many as were asked for.
    ///
    /// Some of the names are beginnings of others: `…-cache-1` and `…-cache-11`.
    ///
    /// False alarm: about 1e-9 for each V. CV²·(N·V+1) is nearly χ² with N − 1 degrees of freedom for each cluster when V is
    /// large; for V = 10 its variance is greater by 3/V, and the degrees of freedom are counted down accordingly.
    #[test]
    fn more_points_even_out_the_load_as_fast_as_chance_allows() {
        let n = 20;
        for (points, clusters) in [(10, 100), (100, 100), (1000, 10)] {
            let (mut rings, mut sum) = (0, 0.0);
            for_seeds(clusters, |seed| {
                rings += 1;
                sum += squared_cv(&ring(points, &machines(seed, n)));
            });
            let mean = sum / f64::from(rings);
            let expected = (n - 1) as f64 / (n as f64 * f64::from(points) + 1.0);
            let freedom = f64::from(rings) * (n - 1) as f64 / (1.0 + 3.0 / f64::from(points));
            let bound = |false_alarm| expected * stats::chi_square_limit(freedom as u64, false_alarm) / freedom.floor();
            let (least, most) = (bound(1.0 - FALSE_ALARM / 2.0), bound(FALSE_ALARM / 2.0));
            let [cv, expected, least, most] = [mean, expected, least, most].map(f64::sqrt);
            assert!(
                cv <= most,
                "the load of {n} machines with {points} points each varies by {cv:.3} of its mean over {rings} clusters; \
                 chance gives {expected:.3}, and hardly ever {most:.3}: are the points spread like random ones, do two \
                 machines' points coincide, and are there {points} for each?"
            );
            assert!(
                cv >= least,
                "the load of {n} machines with {points} points each varies by only {cv:.3} of its mean over {rings} clusters; \
                 chance gives {expected:.3}, and hardly ever {least:.3}: are there more points than the {points} asked for?"
            );
        }
    }

    /// With one point each, 92 % of clusters of ten have a machine with more than twice its fair share of the ring.
    ///
    /// False alarm: below 1e-9. That none of twenty clusters has one is a chance of 0.08²⁰. With 256 points the share is over 1.5 times the fair one if fewer than 256 of the 2559
    /// others fall into 15 % of the ring: a chance of 4e-14 for each of 200 machines.
    #[test]
    fn the_busiest_node_comes_down_to_its_fair_share() {
        let (mut one, mut many) = (0.0_f64, 0.0_f64);
        for cluster in 0..20 {
            let nodes = machines(Seed(cluster), 10);
            one = one.max(peak(&ring(1, &nodes)));
            many = many.max(peak(&ring(256, &nodes)));
        }
        assert!(
            one > 2.0,
            "with one point each no machine of twenty clusters has twice its fair share, the busiest has {one:.2} times: \
             are these arcs between single points?"
        );
        assert!(
            many < 1.5,
            "the busiest machine has {many:.2} times its fair share with 256 points, {one:.2} with one"
        );
    }

    /// With one point each, all the keys of a dead machine fall on one neighbour, which may die of it.
    ///
    /// False alarm: below 1e-10, the chance that of nine others one stands behind none of the 256 points.
    #[test]
    fn the_load_of_a_dead_node_falls_on_all_the_others() {
        for_seeds(20, |seed| {
            let nodes = machines(seed, 10);
            let before = ring(256, &nodes);
            let mut after = before.clone();
            after.remove(&nodes[4]);
            let (before, after) = (before.shares(), after.shares());
            assert!(
                !after.contains_key(&nodes[4]),
                "{} is dead and owns {:.3} of the ring",
                nodes[4],
                after[&nodes[4]]
            );
            for (node, share) in &after {
                let had = before.get(node).expect("a survivor had a share before");
                assert!(share > had, "{} died, and none of its load came to {node}", nodes[4]);
            }
        });
    }

    /// One client was started with today's list. The other saw machines come and go, and heard of them in another order.
    #[test]
    fn the_past_of_a_ring_leaves_no_trace_on_it() {
        for_seeds(10, |seed| {
            let nodes = machines(seed, 14); // `…-cache-1` and `…-cache-11` are two machines, whatever is appended
            let new = ring(32, &nodes);
            let mut old = ring(32, &nodes[5..]);
            for node in nodes[..5].iter().rev() {
                old.add(node);
            }
            let guest = Node::new("guest");
            old.add(&guest);
            old.remove(&nodes[8]);
            old.add(&nodes[8]);
            old.remove(&guest);

            let keys = keys(500);
            let disputed = moved_fraction(&owners(&new, &keys), &owners(&old, &keys));
            assert!(
                disputed == 0.0,
                "two clients know the same 14 machines with 32 points each, one from the start, one piece by piece, and \
                 disagree on the owner of {:.0} % of the keys",
                disputed * 100.0
            );
            assert!(
                new.shares() == old.shares(),
                "two clients know the same 14 machines, and disagree on their shares"
            );
        });
    }

    /// No clock here: whoever walks around 256,000 points for each of 200,000 keys is stopped by the runner's deadline.
    #[test]
    fn a_thousand_machines_are_built_changed_and_asked_without_walking_around_them() {
        let nodes = machines(Seed(0), 1000);
        let mut ring = ring(256, &nodes[..999]);
        assert!(ring.remove(&nodes[500]), "{} is one of 999 machines", nodes[500]);
        assert!(ring.add(&nodes[999]), "{} is the thousandth machine", nodes[999]);
        let keys = keys(1000);
        for _ in 0..200 {
            let strays = keys.iter().filter(|key| *owner(&ring, key) == nodes[500]).count();
            assert_eq!(strays, 0, "keys are on {}, which has left", nodes[500]);
        }
    }

    #[test]
    fn a_node_that_comes_back_gets_the_keys_it_had() {
        for_seeds(20, |seed| {
            let (nodes, keys) = (machines(seed, 5), keys(500));
            let before = ring(16, &nodes);
            let mut after = before.clone();
            after.remove(&nodes[1]);
            let gone = owners(&after, &keys);
            assert!(!gone.contains(&&nodes[1]), "{} left and still owns keys", nodes[1]);
            after.add(&nodes[1]);
            let moved = moved_fraction(&owners(&before, &keys), &owners(&after, &keys));
            assert!(moved == 0.0, "{} left and came back, and {:.0} % of the keys have moved", nodes[1], moved * 100.0);
        });
    }
}

mod stage_4_replicas {
    use super::*;

    fn names(nodes: &[&Node]) -> Vec<String> {
        nodes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn copies_are_kept_on_different_machines() {
        for_seeds(20, |seed| {
            let ring = ring(32, &machines(seed, 5));
            for key in keys(200) {
                let replicas = names(&ring.replicas(&key, 3));
                let machines: BTreeSet<_> = replicas.iter().collect();
                assert!(
                    machines.len() == 3 && replicas.len() == 3,
                    "{key} should have 3 copies on 3 machines; its copies are on {replicas:?}"
                );
            }
        });
    }

    #[test]
    fn the_first_copy_is_the_owners() {
        for_seeds(20, |seed| {
            let ring = ring(32, &machines(seed, 5));
            for key in keys(200) {
                let replicas = ring.replicas(&key, 3);
                let first = replicas.first().copied();
                assert_eq!(first, ring.owner(&key), "the first copy of {key} (left) is not on its owner (right)");
            }
        });
    }

    #[test]
    fn asking_for_more_copies_keeps_those_that_are_there() {
        for_seeds(20, |seed| {
            let ring = ring(32, &machines(seed, 5));
            for key in keys(50) {
                for count in 0..5 {
                    let (fewer, more) = (names(&ring.replicas(&key, count)), names(&ring.replicas(&key, count + 1)));
                    assert!(
                        more.len() == count + 1 && more.starts_with(&fewer),
                        "{key} with {count} copies is on {fewer:?}, with one more it is on {more:?}"
                    );
                }
            }
        });
    }

    #[test]
    fn a_small_cluster_gives_each_of_its_machines_once() {
        assert_eq!(ring(32, &[]).replicas("user:1", 3).len(), 0, "an empty ring has no replicas");
        for_seeds(20, |seed| {
            let nodes = machines(seed, 2);
            let mut ring = ring(32, &[nodes[0].clone(), nodes[1].clone(), nodes[1].clone()]); // named twice, a member once
            ring.add(&nodes[0]); // is a member already
            for key in keys(50) {
                for count in [3, usize::MAX] {
                    let mut replicas = names(&ring.replicas(&key, count));
                    replicas.sort();
                    assert!(
                        replicas == names(&[&nodes[0], &nodes[1]]),
                        "2 machines can hold 2 copies of {key}, not {count}; its copies are on {replicas:?}"
                    );
                }
            }
        });
        let crowd = ring(32, &machines(Seed(0), 100));
        assert_eq!(
            crowd.replicas("user:1", 100).len(),
            100,
            "a hundred machines hold a hundred copies, however far the walk"
        );
    }

    /// Nobody has to be told who takes over: it is the next in line, and it has the data.
    #[test]
    fn when_a_machine_dies_the_next_in_line_already_holds_a_copy() {
        for_seeds(20, |seed| {
            let nodes = machines(seed, 6);
            let before = ring(32, &nodes);
            let mut after = before.clone();
            after.remove(&nodes[3]);
            for key in keys(200) {
                let before = names(&before.replicas(&key, 4));
                let mut heirs = before.clone();
                heirs.retain(|name| name != nodes[3].name());
                heirs.truncate(3);
                let after = names(&after.replicas(&key, 3));
                assert!(
                    after == heirs,
                    "in line for {key} were {before:?}; {} died, so its copies should be on {heirs:?}, and are on {after:?}",
                    nodes[3]
                );
            }
        });
    }
}
