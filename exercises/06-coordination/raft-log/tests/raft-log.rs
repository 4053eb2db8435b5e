//! Stage 1: the log. Stage 2: servers that keep one log together. Stage 3: every order of events, and Figure 8.

use kit::chaos::{Chaos, trial};
use kit::explore::{Action, Search, Stage, World, WorldState};
use kit::{
    CallId, Cluster, Fault, Input, Millis, Network, Node, NodeId, Output, Seed, Sim, Sometimes, Time, for_seeds,
};
use raft_log::{Append, Entry, Log, Matched, Message, Mismatch, Place, Reply, Saved, Server, Term, Timeouts, Timer};
use std::collections::BTreeMap;

/// Many election timeouts.
const A_WHILE: Millis = Millis(5_000);

/// Enough for a round trip and the heartbeat that tells followers what is committed.
const A_MOMENT: Millis = Millis(150);

const fn place(index: u64, term: u64) -> Place {
    Place { term: Term(term), index }
}

/// A log whose entries have these terms; their commands are their indexes.
fn log(terms: &[u64]) -> Log {
    let entry = |(i, term): (usize, &u64)| Entry { term: Term(*term), command: i as u32 + 1 };
    Log { entries: terms.iter().enumerate().map(entry).collect() }
}

fn terms(log: &Log) -> Vec<u64> {
    log.entries.iter().map(|entry| entry.term.0).collect()
}

fn server(seed: Seed, id: NodeId, servers: usize, saved: Option<Saved>) -> Server {
    let timeouts = Timeouts::between(Millis(150), Millis(300), seed.part(id.0 as u64).rng());
    Server::new(id, servers, saved.unwrap_or_default(), timeouts)
}

// ---------------------------------------------------------------------------------------------------------------------
// The laws (Figure 3)
// ---------------------------------------------------------------------------------------------------------------------

/// Log matching: two logs with an entry of the same index and term are the same up to there.
fn log_matching(cluster: &Cluster<'_, Server>) -> Result<(), String> {
    for (one, first) in cluster.up() {
        for (two, second) in cluster.up().skip(one.0 + 1) {
            let (a, b) = (&first.log().entries, &second.log().entries);
            let common = a.iter().zip(b).rposition(|(x, y)| x.term == y.term).map_or(0, |last| last + 1);
            if a[..common] != b[..common] {
                let differs = a.iter().zip(b).position(|(x, y)| x != y).unwrap_or(0) + 1;
                return Err(format!("{one} and {two} agree at index {common} and differ at {differs}"));
            }
        }
    }
    Ok(())
}

/// State-machine safety: what two servers call committed is the same.
fn committed_agrees(cluster: &Cluster<'_, Server>) -> Result<(), String> {
    for (one, first) in cluster.up() {
        if first.commit() > first.log().last() {
            return Err(format!("{one} calls {} entries committed and has {}", first.commit(), first.log().last()));
        }
        for (two, second) in cluster.up().skip(one.0 + 1) {
            let common = first.commit().min(second.commit()) as usize;
            let (a, b) = (&first.log().entries, &second.log().entries);
            if let Some(index) = (0..common.min(a.len()).min(b.len())).find(|i| a[*i] != b[*i]) {
                return Err(format!(
                    "{one} and {two} both committed index {}: {:?} and {:?}",
                    index + 1,
                    a[index],
                    b[index]
                ));
            }
        }
    }
    Ok(())
}

/// Leader completeness: a leader's log has all that was committed in its term or before.
fn leaders_have_all(cluster: &Cluster<'_, Server>) -> Result<(), String> {
    for (leader, leading) in cluster.up().filter(|(_, node)| node.election().leads()) {
        for (other, node) in cluster.up().filter(|(_, node)| node.election().term() <= leading.election().term()) {
            let committed = &node.log().entries[..(node.commit() as usize).min(node.log().entries.len())];
            if !leading.log().entries.starts_with(committed) {
                let term = leading.election().term();
                let differs = leading.log().entries.iter().zip(committed).take_while(|(a, b)| a == b).count() + 1;
                return Err(format!("{leader} leads term {term} without entry {differs}, which {other} committed"));
            }
        }
    }
    Ok(())
}

/// Over time: what was committed once stays, and neither terms nor what a server calls committed go back.
fn nothing_goes_back() -> impl FnMut(&Cluster<'_, Server>) -> Result<(), String> {
    let mut committed: Vec<Entry> = vec![];
    let mut before: BTreeMap<NodeId, (Term, u64)> = BTreeMap::new();
    let mut up: Vec<NodeId> = vec![];
    move |cluster| {
        for (id, node) in cluster.up() {
            let (term, commit) = before.get(&id).copied().unwrap_or_default();
            let commit = if up.contains(&id) { commit } else { 0 }; // a restarted server learns it anew
            if node.election().term() < term || node.commit() < commit {
                let (now, then) = ((node.election().term(), node.commit()), (term, commit));
                return Err(format!(
                    "{id} went back from term {} commit {} to term {} commit {}",
                    then.0, then.1, now.0, now.1
                ));
            }
            before.insert(id, (node.election().term(), node.commit()));
            for (i, entry) in node.log().entries.iter().enumerate().take(node.commit() as usize) {
                match committed.get(i) {
                    None => committed.push(*entry),
                    Some(first) if first == entry => {}
                    Some(first) => {
                        return Err(format!("index {} was committed as {first:?}, now {id} has {entry:?}", i + 1));
                    }
                }
            }
        }
        up = cluster.up().map(|(id, _)| id).collect();
        Ok(())
    }
}

fn cluster<const N: usize>(seed: Seed, names: [&'static str; N]) -> (Sim<Server>, [NodeId; N]) {
    let mut sim = Sim::new(seed, move |id, saved| server(seed, id, N, saved));
    sim.always("log matching", log_matching);
    sim.always("state-machine safety", committed_agrees);
    sim.always("leader completeness", leaders_have_all);
    sim.always("nothing goes back", nothing_goes_back());
    let nodes = sim.join_all(names);
    (sim, nodes)
}

/// The leader of the latest term.
fn leader(sim: &Sim<Server>) -> Option<NodeId> {
    let leading = sim.cluster().up().filter(|(_, node)| node.election().leads());
    leading.max_by_key(|(_, node)| node.election().term()).map(|(id, _)| id)
}

/// Lets time pass until every server that is up follows one leader.
fn elected(sim: &mut Sim<Server>) -> NodeId {
    let settled = |sim: &Sim<Server>| {
        let Some(leader) = leader(sim).and_then(|id| sim.node(id)) else { return false };
        sim.cluster().up().all(|(_, node)| node.election().term() == leader.election().term())
    };
    assert!(sim.run_until(A_WHILE, settled), "nobody leads all within {A_WHILE}\n{sim}");
    leader(sim).expect("it has just been elected")
}

/// Has whoever leads commit `command`, trying again when it is refused, and returns its index.
fn commit(sim: &mut Sim<Server>, command: u32) -> u64 {
    for _ in 0..20 {
        let Some(leader) = leader(sim) else {
            sim.run_for(Millis(100));
            continue;
        };
        if let Some(Reply::Committed(index)) = sim.ask(leader, command, Millis(500)) {
            return index;
        }
    }
    panic!("{command} was not committed in 20 attempts although a majority is up\n{sim}");
}

/// What clients were told against what `committed` says, where no command was given twice.
fn told_the_truth(call: CallId, command: u32, reply: Reply, committed: &[Entry]) -> Result<(), String> {
    let place = committed.iter().position(|entry| entry.command == command).map(|i| i as u64 + 1);
    match (reply, place) {
        (Reply::Committed(index), place) if committed.len() as u64 >= index && place != Some(index) => {
            let there = committed[index as usize - 1];
            Err(format!("{call} was told that command {command} is committed at index {index}, where {there:?} is"))
        }
        (Reply::NotLeader | Reply::Superseded, Some(index)) => {
            Err(format!("{call} was told {reply:?}, and its command {command} is committed at index {index}"))
        }
        _ => Ok(()),
    }
}

/// The commands that `node` calls committed.
fn commands(sim: &Sim<Server>, node: NodeId) -> Vec<u32> {
    let node = sim.node(node).expect("it is up");
    node.log().entries[..node.commit() as usize].iter().map(|entry| entry.command).collect()
}

fn others(nodes: &[NodeId], one: NodeId) -> Vec<NodeId> {
    nodes.iter().copied().filter(|node| *node != one).collect()
}

fn crash(node: NodeId) -> Fault {
    Fault::Crash { node, lose_last_write: false }
}

/// How many appends left `from` for `to` since the `since`-th event.
fn appends(sim: &Sim<Server>, since: usize) -> usize {
    let sent = sim.trace().events[since..].iter().filter(|event| match &event.what {
        kit::trace::What::Sent { label, .. } => label.contains('+'),
        _ => false,
    });
    sent.count()
}

mod stage_1_log {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn entries_follow_the_place_that_both_logs_have() {
        let (leader, mut own) = (log(&[1, 1, 2]), log(&[1]));
        assert_eq!(own.append(place(1, 1), &leader.entries[1..]), Ok(Matched(3)));
        assert_eq!(own, leader);
        let mut empty = Log::default();
        assert_eq!(empty.append(place(0, 0), &leader.entries), Ok(Matched(3)), "index 0 is before every log");
        assert_eq!(empty, leader);
    }

    #[test]
    fn a_log_that_lacks_the_place_refuses_and_stays_as_it_is() {
        let mut short = log(&[1, 1]);
        assert_eq!(short.append(place(5, 3), &[]), Err(Mismatch { try_from: 3 }), "it ends at 2, so 3 may fit");
        let mut other = log(&[1, 1, 2, 2, 2]);
        let refused = other.append(place(5, 3), &log(&[4]).entries);
        assert_eq!(
            refused,
            Err(Mismatch { try_from: 3 }),
            "it has term 2 there; all of term 2, from index 3, is in doubt"
        );
        assert_eq!((short, other), (log(&[1, 1]), log(&[1, 1, 2, 2, 2])));
    }

    /// The leader sent 1 to 2, then 1 to 4; the first message arrives last.
    #[test]
    fn a_late_append_does_not_take_newer_entries_away() {
        let leader = log(&[1, 1, 1, 1]);
        let mut own = leader.clone();
        assert_eq!(own.append(place(0, 0), &leader.entries[..2]), Ok(Matched(2)), "it vouches for what it was sent");
        assert_eq!(own, leader, "entries 3 and 4 contradict nothing that it was sent");
    }

    #[test]
    fn what_contradicts_the_leader_goes_with_all_that_follows_it() {
        let (leader, mut own) = (log(&[1, 1, 3]), log(&[1, 1, 2, 2, 2]));
        assert_eq!(own.append(place(1, 1), &leader.entries[1..]), Ok(Matched(3)));
        assert_eq!(terms(&own), [1, 1, 3]);
    }

    #[test]
    fn a_heartbeat_vouches_only_for_the_place_that_it_names() {
        let mut own = log(&[1, 1, 2, 2]);
        assert_eq!(
            own.append(place(2, 1), &[]),
            Ok(Matched(2)),
            "3 and 4 may contradict the leader's log; it did not say"
        );
        assert_eq!(terms(&own), [1, 1, 2, 2]);
    }

    /// Figure 7: the leader at the top brings each of the six logs into line, skipping a term a round.
    #[test]
    fn the_leader_of_figure_7_repairs_each_log_in_three_rounds_at_most() {
        let leader = log(&[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 8]);
        let logs: [(&str, &[u64], u32); 6] = [
            ("a", &[1, 1, 1, 4, 4, 5, 5, 6, 6], 2),
            ("b", &[1, 1, 1, 4], 2),
            ("c", &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6], 1),
            ("d", &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7], 1),
            ("e", &[1, 1, 1, 4, 4, 4, 4], 3),
            ("f", &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3], 3),
        ];
        for (name, held, expected) in logs {
            let (mut own, mut next, mut rounds) = (log(held), 11, 1);
            while let Err(Mismatch { try_from }) =
                own.append(leader.place(next - 1).expect("it is in the log"), &leader.entries[next as usize - 1..])
            {
                assert!((1..next).contains(&try_from), "{name}: after a mismatch at {} try {try_from}", next - 1);
                (next, rounds) = (try_from, rounds + 1);
            }
            assert_eq!((terms(&own), rounds), (terms(&leader), expected), "log {name}");
        }
    }

    #[test]
    fn an_entry_of_the_leaders_term_is_committed_by_a_majority() {
        let own = log(&[1, 1, 2, 2]);
        assert_eq!(own.committed(Term(2), &[4, 3, 0]), Some(3), "two of three have index 3");
        assert_eq!(own.committed(Term(2), &[4, 4, 3, 0]), Some(3), "three of four have index 3, two are no majority");
        assert_eq!(own.committed(Term(2), &[4, 0, 0]), None, "nobody else has anything");
        assert_eq!(own.committed(Term(2), &[4]), Some(4), "one server is a majority of one");
    }

    /// Any number of servers, any terms: index by index, who has it?
    #[test]
    fn how_far_a_leader_may_commit_is_a_matter_of_counting() {
        use kit::rand::RngExt as _;
        for_seeds(10, |seed| {
            let mut rng = seed.rng();
            for _ in 0..500 {
                let term = rng.random_range(1..=7);
                let mut held: Vec<u64> = (0..rng.random_range(0..=4)).map(|_| rng.random_range(1..=term)).collect();
                held.sort_unstable();
                let last = held.len() as u64;
                let mut matched: Vec<u64> = (0..rng.random_range(1..=9)).map(|_| rng.random_range(0..=last)).collect();
                matched[0] = last;
                let majority = |index: &u64| 2 * matched.iter().filter(|has| *has >= index).count() > matched.len();
                let highest = (1..=last).rev().find(majority).filter(|index| held[*index as usize - 1] == term);
                let said = log(&held).committed(Term(term), &matched);
                assert_eq!(said, highest, "terms {held:?}, the leader's is {term}, the servers have {matched:?}");
            }
        });
    }

    /// Figure 8: index 2, of term 2, is on a majority, and the leader of term 4 may still not count it.
    #[test]
    fn an_entry_of_an_earlier_term_is_committed_only_together_with_one_of_the_leaders_own() {
        let own = log(&[1, 2, 4]);
        assert_eq!(own.committed(Term(4), &[3, 2, 2, 1, 1]), None, "a leader of term 5 could still replace index 2");
        assert_eq!(own.committed(Term(4), &[3, 3, 3, 1, 1]), Some(3), "now none without index 3 can be elected");
    }
}

mod stage_2_cluster {
    use super::*;

    #[test]
    fn a_command_is_committed_and_every_server_learns_of_it() {
        let (mut sim, nodes) = cluster(Seed(1), ["a", "b", "c"]);
        elected(&mut sim);
        for command in 1..=3 {
            assert_eq!(commit(&mut sim, command), u64::from(command), "{sim}");
        }
        sim.run_for(A_MOMENT);
        for node in nodes {
            assert_eq!(commands(&sim, node), [1, 2, 3], "{node} has heard of three committed commands\n{sim}");
        }
    }

    /// One server of five, told things by hand.
    struct Alone(Server);

    impl Alone {
        fn new(log: Log) -> Self {
            let saved = Saved { log, ..Saved::default() };
            Self(server(Seed(1), NodeId(0), 5, Some(saved)))
        }

        /// What it does; and nothing leaves it before it is on disk.
        fn step(&mut self, input: Input<Server>) -> Vec<Output<Server>> {
            let out = self.0.step(input, Time(1));
            let written = out.iter().rposition(|output| matches!(output, Output::Persist(_))).unwrap_or(0);
            let early = out[..written].iter().any(|output| matches!(output, Output::Send { .. }));
            assert!(!early, "a message leaves before the write that it rests on: {out:?}");
            out
        }

        fn hear(&mut self, from: usize, message: Message) -> Vec<Output<Server>> {
            self.step(Input::Message { from: NodeId(from), message })
        }

        /// It stands for the next term, and these vote for it.
        fn lead(&mut self, voters: [usize; 2]) -> Vec<Output<Server>> {
            self.step(Input::Timer(Timer::Election));
            let term = self.0.election().term();
            let mut out = vec![];
            voters.iter().for_each(|voter| out = self.hear(*voter, Message::Vote { term, granted: true }));
            assert!(self.0.election().leads(), "three of five voted for it: {}", self.0.status());
            out
        }

        fn propose(&mut self, command: u32) -> Vec<Output<Server>> {
            self.step(Input::Request { call: CallId(u64::from(command)), request: command })
        }

        fn appended(&mut self, from: usize, index: u64) -> Vec<Output<Server>> {
            let term = self.0.election().term();
            self.hear(from, Message::Appended { term, outcome: Ok(Matched(index)) })
        }

        fn refused(&mut self, from: usize, try_from: u64) -> Vec<Output<Server>> {
            let term = self.0.election().term();
            self.hear(from, Message::Appended { term, outcome: Err(Mismatch { try_from }) })
        }

        fn append(&mut self, term: u64, after: Place, entries: &[Entry], commit: u64) -> Vec<Output<Server>> {
            let append = Append { term: Term(term), after, entries: entries.to_vec(), commit };
            self.hear(1, Message::Append(append))
        }

        /// What its next heartbeat sends to `to`: after which index, and how many entries.
        fn heartbeat(&mut self, to: usize) -> Vec<(u64, usize)> {
            sent(&self.step(Input::Timer(Timer::Heartbeat)), to)
        }
    }

    /// What is sent to `to`: after which index, and how many entries.
    fn sent(out: &[Output<Server>], to: usize) -> Vec<(u64, usize)> {
        let append = |output: &Output<Server>| match output {
            Output::Send { to: who, message: Message::Append(append) } if who.0 == to => {
                Some((append.after.index, append.entries.len()))
            }
            _ => None,
        };
        out.iter().filter_map(append).collect()
    }

    /// Which clients are told what, in the order of their calls.
    fn told(out: &[Output<Server>]) -> Vec<(u64, Reply)> {
        let reply = |output: &Output<Server>| match output {
            Output::Reply { call, reply } => Some((call.0, *reply)),
            _ => None,
        };
        let mut told: Vec<_> = out.iter().filter_map(reply).collect();
        told.sort_by_key(|(call, _)| *call);
        told
    }

    const fn entry(term: u64, command: u32) -> Entry {
        Entry { term: Term(term), command }
    }

    /// The follower has entries of which the leader, who sends in small portions, has not spoken yet.
    #[test]
    fn a_follower_commits_no_further_than_the_message_vouches_for() {
        for portion in [0, 1] {
            let mut follower = Alone::new(log(&[1, 1, 1]));
            follower.append(2, place(1, 1), &log(&[1, 1]).entries[1..=portion], 3);
            let reach = 1 + portion as u64;
            let status = follower.0.status();
            assert_eq!(follower.0.commit(), reach, "what follows index {reach} the leader may not have ({status})");
        }
    }

    /// It may hold what the leader has counted: only a contradiction is a reason to let go of it.
    #[test]
    fn a_follower_drops_nothing_that_the_leader_did_not_contradict() {
        let cases: [(&str, Place, &[Entry]); 3] = [
            ("a heartbeat of a later term that names index 1", place(1, 1), &[]),
            ("an append that it must refuse, since it has term 1 at index 3", place(3, 2), &[entry(2, 9)]),
            ("an append behind the end of its log", place(7, 2), &[entry(2, 9)]),
        ];
        for (what, after, entries) in cases {
            let mut follower = Alone::new(log(&[1, 1, 1]));
            follower.append(2, after, entries, 0);
            assert_eq!(follower.0.log(), &log(&[1, 1, 1]), "it heard {what}");
        }
    }

    #[test]
    fn a_new_leader_speaks_at_once_and_so_does_one_that_takes_a_command() {
        let mut leader = Alone::new(log(&[1, 1, 1]));
        let out = leader.lead([1, 2]);
        for other in 1..5 {
            let told =
                format!("it assumes that n{other}'s log is as long as its own, 3 entries, and says that it leads");
            assert_eq!(sent(&out, other), [(3, 0)], "{told}: after which index, how many entries");
        }
        let out = leader.propose(7);
        for other in 1..5 {
            assert_eq!(sent(&out, other), [(3, 1)], "n{other} gets the command without waiting for a heartbeat");
        }
    }

    /// The leader's log is 1 1 1 1 2 2. `n1` has something else at index 5, and then at 3.
    #[test]
    fn a_mismatch_is_repaired_at_once_from_where_the_follower_says() {
        let mut leader = Alone::new(log(&[1, 1, 1, 1, 2, 2]));
        leader.lead([1, 2]);
        let out = leader.refused(1, 5);
        assert_eq!(sent(&out, 1), [(4, 2)], "n1 said: try from 5");
        let out = leader.refused(1, 3);
        assert_eq!(sent(&out, 1), [(2, 4)], "n1 said: try from 3");
    }

    #[test]
    fn an_answer_that_comes_late_takes_nothing_back() {
        let mut leader = Alone::new(Log::default());
        leader.lead([1, 2]);
        (1..=3).for_each(|command| _ = leader.propose(command));
        leader.appended(1, 3);
        leader.appended(1, 1); // the answer to the first append
        assert_eq!(leader.heartbeat(1), [(3, 0)], "n1 has confirmed three entries; it needs no other copy of them");
        leader.refused(1, 2); // and one from before that
        assert_eq!(leader.heartbeat(1), [(3, 0)], "n1 has confirmed three entries since it refused one");
        leader.appended(2, 3);
        assert_eq!(leader.0.commit(), 3, "n1 and n2 have confirmed three entries ({})", leader.0.status());
    }

    #[test]
    fn a_refusal_that_comes_late_brings_nothing_forward() {
        let mut leader = Alone::new(log(&[1, 1, 1, 1]));
        leader.lead([1, 2]);
        leader.refused(1, 2);
        leader.refused(1, 4); // from before that
        assert_eq!(leader.heartbeat(1), [(1, 3)], "n1 refused index 3, so the entries from 2 on are in doubt");
    }

    /// Figure 8, seen by the client: its command is on three of five, of term 1, and the leader's term is 3.
    #[test]
    fn a_client_is_told_when_its_command_is_committed_and_not_when_it_is_copied() {
        let mut leader = Alone::new(Log::default());
        leader.lead([1, 2]);
        leader.propose(1);
        leader.hear(3, Message::RequestVote { term: Term(2), log_end: place(0, 0) });
        leader.lead([1, 2]);
        let mut out = leader.appended(1, 1);
        out.extend(leader.appended(2, 1));
        assert_eq!(told(&out), [], "a leader of term 4 could still replace index 1");
        leader.propose(2);
        let mut out = leader.appended(1, 2);
        out.extend(leader.appended(2, 2));
        let both = [(1, Reply::Committed(1)), (2, Reply::Committed(2))];
        assert_eq!(told(&out), both, "index 2 is of term 3 and on three of five, so 1 is safe with it");
        let mut out = leader.appended(3, 2);
        leader.propose(3);
        out.extend(leader.appended(1, 3));
        out.extend(leader.appended(2, 3));
        assert_eq!(told(&out), [(3, Reply::Committed(3))], "a client is told once");
    }

    /// Its log was replaced, and nothing was committed there. The next leader has the command, and brings it back.
    #[test]
    fn a_command_that_was_cut_off_here_can_still_be_committed() {
        let mut server = Alone::new(Log::default());
        server.lead([1, 2]);
        server.propose(1);
        let out = server.append(2, place(0, 0), &[entry(2, 9)], 0);
        assert_eq!(
            told(&out),
            [],
            "another leader's entry is in its place, but not committed: n1 may still bring it back"
        );
        let out = server.append(3, place(0, 0), &[entry(1, 1), entry(3, 2)], 2);
        assert_eq!(told(&out), [(1, Reply::Committed(1))], "the leader of term 3 brought it back");
    }

    /// In term 1 it had three entries, and `n1` confirmed them. In term 2 another leader replaced them everywhere.
    #[test]
    fn what_followers_confirmed_in_an_earlier_term_of_office_does_not_count() {
        let mut leader = Alone::new(Log::default());
        leader.lead([1, 2]);
        (1..=3).for_each(|command| _ = leader.propose(command));
        leader.appended(1, 3);
        let entries = vec![Entry { term: Term(2), command: 9 }];
        leader.hear(3, Message::Append(Append { term: Term(2), after: place(0, 0), entries, commit: 0 }));
        leader.lead([3, 4]);
        leader.propose(4);
        leader.appended(3, 2);
        let told = "this server and n3 have index 2 of term 3; what n1 confirmed was index 3 of term 1";
        assert_eq!(leader.0.commit(), 0, "{told} ({})", leader.0.status());
    }

    #[test]
    fn a_server_that_does_not_lead_says_so_and_keeps_nothing() {
        let (mut sim, nodes) = cluster(Seed(1), ["a", "b", "c"]);
        let follower = others(&nodes, elected(&mut sim))[0];
        assert_eq!(sim.ask(follower, 7, A_MOMENT), Some(Reply::NotLeader), "{sim}");
        assert_eq!(sim.node(follower).map(|node| node.log().last()), Some(0), "{sim}");
    }

    #[test]
    fn a_cluster_of_one_commits_alone() {
        let (mut sim, [a]) = cluster(Seed(1), ["a"]);
        elected(&mut sim);
        assert_eq!(sim.ask(a, 7, Millis(0)), Some(Reply::Committed(1)), "one is a majority of one\n{sim}");
    }

    #[test]
    fn commands_that_come_at_once_get_an_index_each() {
        let (mut sim, nodes) = cluster(Seed(1), ["a", "b", "c"]);
        let leader = elected(&mut sim);
        let calls: Vec<CallId> = (1..=5).map(|command| sim.call(leader, command)).collect();
        sim.run_for(A_MOMENT);
        let replies: Vec<_> = calls.iter().map(|call| sim.reply(*call).copied()).collect();
        let each: Vec<_> = (1..=5).map(|i| Some(Reply::Committed(i))).collect();
        assert_eq!(replies, each, "five clients, five commands, no message lost: each is told its own index\n{sim}");
        sim.run_for(A_MOMENT);
        for node in nodes {
            assert_eq!(commands(&sim, node), [1, 2, 3, 4, 5], "{sim}");
        }
    }

    #[test]
    fn the_same_command_given_twice_is_two_entries() {
        let (mut sim, _) = cluster(Seed(1), ["a", "b", "c"]);
        elected(&mut sim);
        let both = (commit(&mut sim, 7), commit(&mut sim, 7));
        assert_eq!(both, (1, 2), "two clients may want the same thing; only they know whether it is one\n{sim}");
    }

    #[test]
    fn a_follower_that_fails_stops_nobody_and_catches_up() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"]);
            let follower = others(&nodes, elected(&mut sim))[0];
            commit(&mut sim, 1);
            sim.inject(crash(follower));
            (2..=5).for_each(|command| _ = commit(&mut sim, command));
            sim.inject(Fault::Restart(follower));
            commit(&mut sim, 6);
            sim.run_for(Millis(1_000));
            assert_eq!(commands(&sim, follower), [1, 2, 3, 4, 5, 6], "{follower} missed four commands\n{sim}");
        });
    }

    #[test]
    fn when_the_leader_fails_what_was_committed_stays_and_work_goes_on() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"]);
            let first = elected(&mut sim);
            commit(&mut sim, 1);
            sim.inject(crash(first));
            elected(&mut sim);
            commit(&mut sim, 2);
            sim.inject(Fault::Restart(first));
            commit(&mut sim, 3);
            sim.run_for(Millis(1_000));
            for node in nodes {
                assert_eq!(commands(&sim, node), [1, 2, 3], "{sim}");
            }
        });
    }

    #[test]
    fn without_a_majority_nothing_is_committed_and_with_one_again_it_is() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c", "d", "e"]);
            let leader = elected(&mut sim);
            commit(&mut sim, 1);
            let away = others(&nodes, leader)[..3].to_vec();
            let here: Vec<_> = nodes.iter().copied().filter(|node| !away.contains(node)).collect();
            sim.inject(Fault::Partition(vec![here, away.clone()]));
            let call = sim.call(leader, 2);
            sim.run_for(Millis(1_000));
            assert_eq!(sim.reply(call), None, "two of five servers have the command\n{sim}");
            assert_eq!(sim.node(leader).map(Server::commit), Some(1), "{sim}");
            sim.inject(Fault::Heal);
            elected(&mut sim);
            commit(&mut sim, 3);
            sim.run_for(Millis(1_000));
            let all = commands(&sim, leader);
            assert!(all.ends_with(&[3]) && all.starts_with(&[1]), "{all:?}\n{sim}");
        });
    }

    /// The old leader takes in commands that nobody confirms. Its clients must learn that they are lost, not another's fate.
    #[test]
    fn a_leader_that_comes_back_gives_up_what_it_alone_had() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"]);
            let old = elected(&mut sim);
            commit(&mut sim, 1);
            sim.inject(Fault::Partition(vec![vec![old], others(&nodes, old)]));
            let lost: Vec<_> = (100..103).map(|command| sim.call(old, command)).collect();
            let deposed = |sim: &Sim<Server>| leader(sim).is_some_and(|leader| leader != old);
            assert!(sim.run_until(A_WHILE, deposed), "the other two can elect one of them\n{sim}");
            (2..=4).for_each(|command| _ = commit(&mut sim, command));
            sim.inject(Fault::Heal);
            sim.run_for(Millis(1_000));
            for node in nodes {
                assert_eq!(commands(&sim, node), [1, 2, 3, 4], "{sim}");
            }
            for call in lost {
                let reply = sim.reply(call).copied();
                let lost = reply == Some(Reply::Superseded);
                assert!(
                    lost,
                    "{call} stood where another entry was committed, and its client was told {reply:?}\n{sim}"
                );
            }
        });
    }

    /// A deposed leader and its one follower have 50 entries that nobody else has. The others have 50 committed ones, and
    /// then another leader, who assumes that all logs are as long as its own.
    #[test]
    fn a_leader_backs_up_over_wrong_entries_by_terms_and_not_one_by_one() {
        let seen = Sometimes::expect(["the leader that repairs was elected behind the wrong entries"]);
        for_seeds(4, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c", "d", "e"]);
            let old = elected(&mut sim);
            commit(&mut sim, 1);
            let rest = others(&nodes, old);
            sim.inject(Fault::Partition(vec![vec![old, rest[0]], rest[1..].to_vec()]));
            (0..50).for_each(|command| _ = sim.call(old, 1_000 + command));
            let deposed = |sim: &Sim<Server>| leader(sim).is_some_and(|leader| rest[1..].contains(&leader));
            assert!(sim.run_until(A_WHILE, deposed), "three of five can elect one\n{sim}");
            let new = leader(&sim).expect("it has just been seen");
            (0..50).for_each(|command| _ = sim.call(new, 2_000 + command));
            assert!(sim.run_until(A_WHILE, |sim| sim.node(new).is_some_and(|node| node.commit() >= 51)), "{sim}");
            sim.inject(Fault::Pause { node: new, span: Millis(500) });
            assert!(sim.run_until(A_WHILE, |sim| leader(sim) != Some(new)), "two and the paused one are three\n{sim}");
            seen.saw("the leader that repairs was elected behind the wrong entries", true);
            sim.run_for(Millis(1_000));
            commit(&mut sim, 3_000);

            sim.inject(Fault::Heal);
            let healed = sim.trace().events.len();
            let repaired =
                |sim: &Sim<Server>| nodes.iter().all(|node| sim.node(*node).is_some_and(|node| node.commit() >= 52));
            // Whoever stands in the minority may force an election first; nobody commits without a new command.
            let mut more = 0;
            while !sim.run_until(Millis(500), repaired) && more < 10 {
                more += 1;
                if let Some(leader) = leader(&sim) {
                    sim.call(leader, 3_000 + more);
                }
            }
            assert!(repaired(&sim), "after healing, everybody gets the 52 committed entries\n{sim}");
            let refusals = sim.trace().events[healed..].iter().filter(|event| match &event.what {
                kit::trace::What::Sent { label, .. } => label.contains("try"),
                _ => false,
            });
            let refusals = refusals.count();
            assert!(
                refusals <= 40,
                "{refusals} refusals to repair two logs with 50 wrong entries of one term: one a term and log is enough, \
                 and some of heartbeats that were under way; one an entry and log is 100\n{sim}"
            );
        });
    }

    #[test]
    fn ten_commands_cost_ten_rounds_of_messages_and_no_more() {
        let (mut sim, _) = cluster(Seed(1), ["a", "b", "c"]);
        elected(&mut sim);
        commit(&mut sim, 1);
        let (before, began) = (appends(&sim, 0), sim.now());
        (2..=11).for_each(|command| _ = commit(&mut sim, command));
        let heartbeats = 2 * (sim.now().since(began).0 / 50 + 1) as usize;
        let sent = appends(&sim, 0) - before;
        assert!(
            (20..=22 + heartbeats).contains(&sent),
            "{sent} appends for 10 commands to 2 followers and {heartbeats} heartbeats; wanted 20 to {}: \
             a commit needs no message of its own, the next append carries it\n{sim}",
            22 + heartbeats
        );
        let idle = appends(&sim, 0);
        sim.run_for(Millis(1_000));
        let idle = appends(&sim, 0) - idle;
        assert!((38..=42).contains(&idle), "20 heartbeats to 2 followers are 40 appends, not {idle}\n{sim}");
    }

    #[test]
    fn what_was_committed_survives_the_crash_of_all() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"]);
            elected(&mut sim);
            for round in 1..=4 {
                commit(&mut sim, round);
                nodes.iter().for_each(|node| sim.inject(crash(*node)));
                sim.run_for(Millis(200));
                nodes.iter().for_each(|node| sim.inject(Fault::Restart(*node)));
                elected(&mut sim);
            }
            commit(&mut sim, 5);
            sim.run_for(A_MOMENT);
            for node in nodes {
                assert_eq!(commands(&sim, node), [1, 2, 3, 4, 5], "{sim}");
            }
        });
    }

    /// In every round two of five crash, one after the other, while commands come in.
    #[test]
    fn what_was_committed_survives_crashes_in_turn() {
        for_seeds(5, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c", "d", "e"]);
            for round in 0..5 {
                let (one, two) = (nodes[round % 5], nodes[(round + 2) % 5]);
                commit(&mut sim, 10 * round as u32);
                sim.inject(crash(one));
                commit(&mut sim, 10 * round as u32 + 1);
                sim.inject(crash(two));
                commit(&mut sim, 10 * round as u32 + 2);
                sim.inject(Fault::Restart(one));
                sim.inject(Fault::Restart(two));
            }
            sim.run_for(Millis(1_000));
            let all = commands(&sim, nodes[0]);
            assert_eq!(all.len(), 15, "{all:?}\n{sim}");
        });
    }

    /// One of three is cut off and crashes; the other two go on, crash and come back with it.
    #[test]
    fn what_was_committed_survives_a_partition_with_crashes() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"]);
            let old = elected(&mut sim);
            commit(&mut sim, 1);
            sim.inject(Fault::Partition(vec![vec![old], others(&nodes, old)]));
            sim.call(old, 666);
            sim.run_for(Millis(1_000));
            commit(&mut sim, 2);
            nodes.iter().for_each(|node| sim.inject(crash(*node)));
            sim.mend();
            elected(&mut sim);
            commit(&mut sim, 3);
            sim.run_for(Millis(1_000));
            for node in nodes {
                assert_eq!(commands(&sim, node), [1, 2, 3], "{sim}");
            }
        });
    }

    /// What every server would do after a storm: heal, take a command, and have it everywhere.
    fn serves_again(sim: &mut Sim<Server>) -> Result<(), String> {
        sim.mend();
        sim.set_network(Network::reliable());
        sim.run_for(Millis(2_000)); // the longest pause that may still last
        for _ in 0..10 {
            sim.run_for(Millis(500));
            let Some(leader) = leader(sim) else { continue };
            let call = sim.call(leader, 999_999);
            sim.run_for(Millis(500));
            let Some(Reply::Committed(index)) = sim.reply(call).copied() else { continue };
            let behind = sim.cluster().up().find(|(_, node)| node.commit() < index);
            return behind.map_or(Ok(()), |(id, node)| {
                Err(format!("500 ms after index {index} was committed {id} knows of {}", node.commit()))
            });
        }
        Err("ten seconds after the last fault no command can be committed".into())
    }

    /// What was said during the storm, against what is committed after it.
    fn clients_were_told_the_truth(sim: &Sim<Server>) -> Result<(), String> {
        let most = sim.cluster().up().max_by_key(|(_, node)| node.commit());
        let committed = most.map(|(_, node)| &node.log().entries[..node.commit() as usize]).unwrap_or_default();
        let told = sim.calls().iter().filter_map(|call| Some((call.id, call.request, call.replied.as_ref()?.1)));
        let mut replies = told.filter(|(_, command, _)| *command != 999_999);
        replies.try_for_each(|(call, command, reply)| told_the_truth(call, command, reply, committed))
    }

    /// Plays random faults and 300 commands in ten seconds, heals, and lets `look` see each run.
    fn storm(seeds: u64, chaos: Chaos, network: Network, look: impl Fn(&Sim<Server>)) {
        for_seeds(seeds, |seed| {
            let plan = chaos.plan(seed, |_, n| n as u32);
            let build = |seed| {
                let (mut sim, _) = cluster(seed, ["a", "b", "c", "d", "e"]);
                sim.set_network(network);
                sim
            };
            look(&trial(seed, &plan, build, |sim| {
                serves_again(sim)?;
                clients_were_told_the_truth(sim)
            }));
        });
    }

    fn was_told(sim: &Sim<Server>, reply: fn(&Reply) -> bool) -> bool {
        sim.calls().iter().any(|call| call.replied.as_ref().is_some_and(|(_, told)| reply(told)))
    }

    /// How many times the term changes from one entry of the log to the next.
    fn changes(sim: &Sim<Server>) -> usize {
        let log = sim.cluster().up().next().map(|(_, node)| terms(node.log())).unwrap_or_default();
        log.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    /// Leaders crash and come back while clients go on.
    #[test]
    fn crash_after_crash_loses_nothing_that_was_committed() {
        let seen = Sometimes::expect(["a command was committed", "the log has entries of four terms"]);
        let chaos = Chaos { crashes: 25, ..Chaos::calm(5, Millis(10_000), 300) };
        let slow = Network { delay: (Millis(1), Millis(60)), ..Network::reliable() };
        storm(10, chaos, slow, |sim| {
            seen.saw("a command was committed", was_told(sim, |reply| matches!(reply, Reply::Committed(_))));
            // Of 300 runs 208 did: that none of ten does has a chance of about 10⁻⁵.
            seen.saw("the log has entries of four terms", changes(sim) >= 3);
        });
    }

    #[test]
    fn an_unreliable_network_with_splits_and_crashes_loses_nothing_that_was_committed() {
        let seen = Sometimes::expect(["a command was committed", "a command was superseded"]);
        let chaos = Chaos { partitions: 8, cuts: 4, crashes: 6, pauses: 6, ..Chaos::calm(5, Millis(10_000), 400) };
        storm(12, chaos, Network::unreliable(), |sim| {
            seen.saw("a command was committed", was_told(sim, |reply| matches!(reply, Reply::Committed(_))));
            seen.saw("a command was superseded", was_told(sim, |reply| *reply == Reply::Superseded));
        });
    }
}

mod stage_3_every_order {
    use super::*;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);
    const C: NodeId = NodeId(2);

    fn world(most_term: u64, most_entries: u64) -> World<Server> {
        World::new(["a", "b", "c"], |id, saved| server(Seed(1), id, 3, saved)).within(move |state| {
            let within = |node: &Server| node.election().term() <= Term(most_term) && node.log().last() <= most_entries;
            state.cluster().up().all(|(_, node)| within(node))
        })
    }

    /// Clients are told the truth, in any server's eyes that calls so much committed and in those of the newest leader.
    /// The command of each call is its number plus one.
    fn clients_are_told_the_truth(state: &WorldState<Server>) -> Result<(), String> {
        let cluster = state.cluster();
        let told = || state.history().iter().filter_map(|(call, reply)| Some((*call, call.0 as u32 + 1, (*reply)?)));
        for (_, node) in cluster.up() {
            let committed = &node.log().entries[..(node.commit().min(node.log().last())) as usize];
            told().try_for_each(|(call, command, reply)| told_the_truth(call, command, reply, committed))?;
        }
        let newest = cluster.up().map(|(_, node)| node.election().term()).max();
        let Some((leader, leading)) =
            cluster.up().find(|(_, node)| node.election().leads() && Some(node.election().term()) == newest)
        else {
            return Ok(());
        };
        told().try_for_each(|(call, command, reply)| match reply {
            Reply::Committed(index)
                if leading.log().entries.get(index as usize - 1).map(|e| e.command) != Some(command) =>
            {
                let term = leading.election().term();
                Err(format!(
                    "{call} was told {reply:?}, and {leader} leads term {term} without command {command} there"
                ))
            }
            _ => Ok(()),
        })
    }

    fn judged(world: World<Server>) -> Search<World<Server>> {
        Search::of(world)
            .always("log matching", |state| log_matching(&state.cluster()))
            .always("state-machine safety", |state| committed_agrees(&state.cluster()))
            .always("leader completeness", |state| leaders_have_all(&state.cluster()))
            .always("clients are told the truth", clients_are_told_the_truth)
    }

    fn fire(stage: &mut Stage<World<Server>>, node: NodeId) {
        stage.take("an election", |action| matches!(action, Action::Fire(who, Timer::Election) if *who == node));
    }

    /// `voter` hears `candidate`'s request for this term and its vote arrives.
    fn vote(stage: &mut Stage<World<Server>>, candidate: NodeId, voter: NodeId, of: u64) {
        hear_request(stage, candidate, voter, of);
        stage.take("a vote", |action| {
            matches!(action, Action::Deliver { from, to, message: Message::Vote { .. } } if (*from, *to) == (voter, candidate))
        });
    }

    fn hear_request(stage: &mut Stage<World<Server>>, candidate: NodeId, voter: NodeId, of: u64) {
        stage.take("a request for a vote", |action| {
            matches!(action, Action::Deliver { from, to, message: Message::RequestVote { term, .. } }
                if (*from, *to, *term) == (candidate, voter, Term(of)))
        });
    }

    /// `a` leads, and takes two commands; anything may overtake anything, and one message comes twice.
    #[test]
    fn in_every_order_of_messages_two_commands_become_one_log() {
        let states = judged(world(1, 2).call(A, 1).call(A, 2).doubles(1).fires(1))
            .sometimes("both are committed", |state| state.cluster().up().any(|(_, node)| node.commit() == 2))
            .after(|stage| {
                fire(stage, A);
                vote(stage, A, B, 1);
                stage.force(Action::LoseEverything);
            })
            .assert();
        println!("{states} states");
    }

    /// `a` leads term 1 and has just sent its first entry; `c` has not heard it and stands for term 2. Somebody crashes.
    #[test]
    fn a_change_of_leaders_keeps_what_was_committed_though_a_server_crashes() {
        let states = judged(world(2, 2).call(A, 1).call(C, 2).crashes(1).fires(3))
            .sometimes("a committed its entry", |state| {
                state.cluster().up().any(|(id, node)| id == A && node.commit() > 0)
            })
            .sometimes("c leads term 2", |state| {
                state.cluster().up().any(|(id, node)| id == C && node.election().leads())
            })
            .after(|stage| {
                fire(stage, A);
                vote(stage, A, B, 1);
                fire(stage, C);
                stage.force(Action::LoseEverything);
                stage.take("a command", |action| *action == Action::Call(CallId(0)));
                fire(stage, C);
            })
            .assert();
        println!("{states} states");
    }

    /// Figure 8 takes about twenty steps. The script leads to the moment at which `a`, in term 3, is about to copy an entry
    /// of term 1 to a majority, while `c` has a newer one of term 2.
    #[test]
    fn an_old_entry_on_a_majority_can_still_be_replaced_so_nobody_commits_it() {
        let states = judged(world(4, 2).call(A, 1).call(C, 2).fires(5))
            .sometimes("the old entry is on a majority", |state| {
                let first = |node: &Server| node.log().entries.first().is_some_and(|entry| entry.term == Term(1));
                state.cluster().up().filter(|(_, node)| first(node)).count() >= 2
            })
            .sometimes("c leads term 4", |state| {
                state
                    .cluster()
                    .up()
                    .any(|(id, node)| id == C && node.election().leads() && node.election().term() == Term(4))
            })
            .after(|stage| {
                // a leads term 1 by b's vote and takes in a command that reaches nobody.
                fire(stage, A);
                vote(stage, A, B, 1);
                stage.take("a command", |action| *action == Action::Call(CallId(0)));
                stage.force(Action::LoseEverything);
                // c leads term 2 by b's vote and does the same; a hears that its term is over.
                fire(stage, C);
                fire(stage, C);
                vote(stage, C, B, 2);
                hear_request(stage, C, A, 2);
                stage.take("a command", |action| *action == Action::Call(CallId(1)));
                stage.force(Action::LoseEverything);
                // a stands for term 3, and b votes for it.
                fire(stage, A);
                hear_request(stage, A, B, 3);
                hear_request(stage, A, C, 3);
            })
            .assert();
        println!("{states} states");
    }
}
