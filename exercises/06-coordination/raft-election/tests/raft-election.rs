//! Stage 1: the rules of a vote. Stage 2: servers that elect a leader. Stage 3: every order of events.

use kit::chaos::{Chaos, trial};
use kit::explore::{Search, World, WorldState};
use kit::{Cluster, Fault, Input, Millis, Network, Node, NodeId, Output, Seed, Sim, Sometimes, Time, for_seeds};
use raft_election::{LogEnd, Message, RequestVote, Role, Saved, Server, Term, Timeouts, Timer, majority};
use std::collections::BTreeMap;
use std::convert::Infallible;

/// The timeouts of most tests, those of the paper's examples: 150 to 300 ms.
const TIMEOUTS: (Millis, Millis) = (Millis(150), Millis(300));

/// Many timeouts: a cluster that has not elected a leader by then never will.
const A_WHILE: Millis = Millis(5_000);

const fn end(index: u64, term: u64) -> LogEnd {
    LogEnd { index, term: Term(term) }
}

const fn ask(term: u64, log_end: LogEnd) -> RequestVote {
    RequestVote { term: Term(term), log_end }
}

fn timeouts(seed: Seed, id: NodeId, (least, most): (Millis, Millis)) -> Timeouts {
    Timeouts::between(least, most, seed.part(id.0 as u64).rng())
}

/// A server and what its disk holds, watched from outside: does it say anything that a crash would make untrue?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Watched {
    server: Server,
    /// Where its log ends. No election changes that.
    log_end: LogEnd,
    disk: Saved,
    /// The first thing that it said and had not written down, and what its disk held instead.
    unwritten: Option<(Message, Saved)>,
}

impl Watched {
    fn new(id: NodeId, servers: usize, disk: Saved, timeouts: Timeouts) -> Self {
        Self { server: Server::new(id, servers, disk, timeouts), log_end: disk.log_end, disk, unwritten: None }
    }

    fn term(&self) -> Term {
        self.server.saved().term
    }

    fn leads(&self) -> bool {
        self.server.role() == Role::Leader
    }

    /// Whether a server that restarted from `self.disk` would stand by `message`, sent to `to`.
    fn stands_by(&self, to: NodeId, message: &Message) -> bool {
        let vote_is = |who: NodeId| self.disk.term == message.term() && self.disk.voted_for == Some(who);
        match message {
            Message::Vote { granted: true, .. } => vote_is(to),
            Message::RequestVote(_) | Message::Heartbeat { .. } => self.disk.term == message.term(),
            Message::Vote { granted: false, .. } | Message::Heard { .. } => self.disk.term >= message.term(),
        }
    }
}

impl Node for Watched {
    type Message = Message;
    type Timer = Timer;
    type Request = Infallible;
    type Reply = Infallible;
    type Durable = Saved;

    fn step(&mut self, input: Input<Self>, now: Time) -> Vec<Output<Self>> {
        let input = match input {
            Input::Start => Input::Start,
            Input::Timer(timer) => Input::Timer(timer),
            Input::Message { from, message } => Input::Message { from, message },
            Input::Request { request, .. } => match request {},
        };
        let mut out = vec![];
        for output in self.server.step(input, now) {
            out.push(match output {
                Output::Persist(saved) => {
                    self.disk = saved;
                    Output::Persist(saved)
                }
                Output::Send { to, message } => {
                    if !self.stands_by(to, &message) {
                        self.unwritten.get_or_insert((message, self.disk));
                    }
                    Output::Send { to, message }
                }
                Output::SetTimer { timer, after } => Output::SetTimer { timer, after },
                Output::CancelTimer(timer) => Output::CancelTimer(timer),
                Output::Reply { reply, .. } => match reply {},
            });
        }
        out
    }

    fn status(&self) -> String {
        self.server.status()
    }

    fn label(message: &Message) -> String {
        Server::label(message)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The laws
// ---------------------------------------------------------------------------------------------------------------------

/// Election safety (Figure 3): at most one leader in a term.
fn one_leader_a_term(cluster: &Cluster<'_, Watched>) -> Result<(), String> {
    let leaders = || cluster.up().filter(|(_, node)| node.leads());
    for (one, first) in leaders() {
        if let Some((two, _)) = leaders().find(|(two, second)| *two > one && second.term() == first.term()) {
            return Err(format!("{one} and {two} both lead term {}", first.term()));
        }
    }
    Ok(())
}

/// Persistence before replies: whatever a server has said, its disk says too.
fn written_before_said(cluster: &Cluster<'_, Watched>) -> Result<(), String> {
    let unwritten = cluster.up().find_map(|(node, watched)| Some((node, watched.unwritten?)));
    unwritten.map_or(Ok(()), |(node, (said, Saved { term, voted_for, .. }))| {
        let vote = voted_for.map_or_else(|| "no vote".to_owned(), |vote| format!("a vote for {vote}"));
        Err(format!("{node} sent \"{}\" while its disk held term {term} and {vote}", Server::label(&said)))
    })
}

/// What elections are for: no leader lacks an entry that a majority has (§5.4.1).
fn leaders_have_what_a_majority_has(cluster: &Cluster<'_, Watched>) -> Result<(), String> {
    let older = |one: LogEnd, other: LogEnd| (one.term, one.index) < (other.term, other.index);
    for (leader, leading) in cluster.up().filter(|(_, node)| node.leads()) {
        let end = leading.log_end;
        let newer = cluster.up().filter(|(_, node)| older(end, node.log_end)).count();
        if 2 * newer > cluster.size() {
            let (term, index) = (leading.term(), end.index);
            return Err(format!(
                "{leader} leads term {term} with a log of {index} entries; {newer} servers have newer ones"
            ));
        }
    }
    Ok(())
}

/// What only a run over time can break: one leader a term though they came one after the other, terms that grow, and
/// one vote a term, all of them across crashes.
fn laws_over_time() -> impl FnMut(&Cluster<'_, Watched>) -> Result<(), String> {
    let mut leaders: BTreeMap<Term, NodeId> = BTreeMap::new();
    let mut terms: BTreeMap<NodeId, Term> = BTreeMap::new();
    let mut votes: BTreeMap<(NodeId, Term), NodeId> = BTreeMap::new();
    move |cluster| {
        for (node, watched) in cluster.up() {
            let Saved { term, voted_for, .. } = watched.server.saved();
            let before = terms.insert(node, term).unwrap_or_default();
            if before > term {
                return Err(format!("{node} went back from term {before} to {term}"));
            }
            if let Some(vote) = voted_for
                && *votes.entry((node, term)).or_insert(vote) != vote
            {
                return Err(format!("{node} voted for {} and for {vote} in term {term}", votes[&(node, term)]));
            }
            if watched.leads() && *leaders.entry(term).or_insert(node) != node {
                return Err(format!("{} led term {term} before, now {node} does", leaders[&term]));
            }
        }
        Ok(())
    }
}

fn cluster<const N: usize>(seed: Seed, names: [&'static str; N]) -> (Sim<Watched>, [NodeId; N]) {
    cluster_with(seed, names, TIMEOUTS)
}

fn cluster_with<const N: usize>(
    seed: Seed,
    names: [&'static str; N],
    span: (Millis, Millis),
) -> (Sim<Watched>, [NodeId; N]) {
    cluster_of(seed, names.map(|name| (name, end(0, 0), span)))
}

/// What a server whose log ends there finds on its disk when it starts for the first time.
fn first(log_end: LogEnd) -> Saved {
    Saved { term: log_end.term, voted_for: None, log_end }
}

/// Servers by name, where their logs end, and how long they wait.
fn cluster_of<const N: usize>(
    seed: Seed,
    servers: [(&'static str, LogEnd, (Millis, Millis)); N],
) -> (Sim<Watched>, [NodeId; N]) {
    let mut sim = Sim::new(seed, move |id, disk| {
        let (_, log_end, span) = servers[id.0];
        Watched::new(id, N, disk.unwrap_or_else(|| first(log_end)), timeouts(seed, id, span))
    });
    let names = servers.map(|(name, ..)| name);
    sim.always("at most one leader a term", one_leader_a_term);
    sim.always("written before said", written_before_said);
    sim.always("a leader has what a majority has", leaders_have_what_a_majority_has);
    sim.always("one leader and one vote a term, and terms grow", laws_over_time());
    let nodes = sim.join_all(names);
    (sim, nodes)
}

/// Those who lead and are up.
fn leaders(sim: &Sim<Watched>) -> Vec<NodeId> {
    sim.cluster().up().filter(|(_, node)| node.leads()).map(|(id, _)| id).collect()
}

fn name(sim: &Sim<Watched>, node: NodeId) -> &str {
    &sim.trace().lanes[node.0]
}

fn term(sim: &Sim<Watched>, node: NodeId) -> Term {
    sim.node(node).expect("it is up").term()
}

/// Whether one server leads, and every server that is up is in its term.
fn settled(sim: &Sim<Watched>) -> bool {
    let [leader] = leaders(sim)[..] else { return false };
    sim.cluster().up().all(|(_, node)| node.term() == term(sim, leader))
}

/// Lets time pass until one server leads all that are up.
fn elected(sim: &mut Sim<Watched>) -> NodeId {
    assert!(sim.run_until(A_WHILE, settled), "after {A_WHILE} there is no leader that all others follow\n{sim}");
    leaders(sim)[0]
}

fn others(nodes: &[NodeId], one: NodeId) -> Vec<NodeId> {
    nodes.iter().copied().filter(|node| *node != one).collect()
}

fn crash(node: NodeId) -> Fault {
    Fault::Crash { node, lose_last_write: false }
}

mod stage_1_votes {
    use super::*;
    use pretty_assertions::assert_eq;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    fn saved(term: u64, voted_for: Option<NodeId>, log_end: LogEnd) -> Saved {
        Saved { term: Term(term), voted_for, log_end }
    }

    /// A second server buys nothing and a fourth no more than the third: it tolerates what a majority can do without.
    #[test]
    fn one_to_seven_servers_tolerate_0_0_1_1_2_2_3_failures() {
        let tolerated: Vec<usize> = (1..=7).map(|servers| servers - majority(servers)).collect();
        assert_eq!(tolerated, [0, 0, 1, 1, 2, 2, 3]);
        for servers in 1..=100 {
            let most = majority(servers);
            let told =
                format!("{most} of {servers}: two majorities share a server, and one server fewer is no majority");
            assert!(2 * most > servers && 2 * (most - 1) <= servers, "{told}");
        }
    }

    #[test]
    fn of_two_logs_the_one_with_the_later_last_term_is_newer_and_then_the_longer_one() {
        let newer =
            [end(0, 0), end(1, 1), end(9, 1), end(5_000_000, 1), end(2, 2), end(3, 2), end(1, 3), end(u64::MAX, 3)];
        for (i, one) in newer.iter().enumerate() {
            for (j, other) in newer.iter().enumerate() {
                let said = one.is_as_new_as(*other);
                assert_eq!(said, i >= j, "is a log ending at {one:?} at least as new as one ending at {other:?}?");
            }
        }
    }

    #[test]
    fn a_vote_is_given_once_a_term() {
        let (after, granted) = saved(4, None, end(0, 0)).consider(A, ask(5, end(0, 0)));
        assert_eq!((after, granted), (saved(5, Some(A), end(0, 0)), true));
        let (after, granted) = after.consider(B, ask(5, end(9, 4)));
        assert_eq!((after, granted), (saved(5, Some(A), end(0, 0)), false), "the vote of term 5 is A's");
    }

    /// The answer to A's first request was lost, so A asks again.
    #[test]
    fn who_has_the_vote_and_asks_again_is_told_so() {
        let (after, granted) = saved(5, Some(A), end(0, 0)).consider(A, ask(5, end(0, 0)));
        assert_eq!((after, granted), (saved(5, Some(A), end(0, 0)), true));
    }

    /// The request comes from a term that is over, and from the very server that has the vote of this one.
    #[test]
    fn a_request_of_an_earlier_term_is_refused() {
        let voter = saved(5, Some(A), end(0, 0));
        assert_eq!(voter.consider(A, ask(3, end(0, 0))), (voter, false), "term 3 is over, the voter is in term 5");
        let undecided = saved(5, None, end(0, 0));
        assert_eq!(undecided.consider(A, ask(4, end(0, 0))), (undecided, false), "term 4 is over as well");
    }

    #[test]
    fn a_later_term_brings_a_new_vote_even_to_who_refuses() {
        let (after, granted) = saved(5, Some(A), end(3, 2)).consider(B, ask(6, end(3, 2)));
        assert_eq!((after, granted), (saved(6, Some(B), end(3, 2)), true), "nobody has the vote of term 6 yet");
        let (after, granted) = saved(5, Some(A), end(3, 2)).consider(B, ask(6, end(2, 2)));
        let told = "B's log is older: it gets no vote, but its term counts";
        assert_eq!((after, granted), (saved(6, None, end(3, 2)), false), "{told}");
    }

    /// Figure 7 of the paper: the server at the top led term 8 of these logs before it crashed. Who votes for it?
    #[test]
    fn the_leader_of_figure_7_gets_the_votes_of_a_b_e_and_f() {
        let logs: [(&str, &[u64]); 6] = [
            ("a", &[1, 1, 1, 4, 4, 5, 5, 6, 6]),
            ("b", &[1, 1, 1, 4]),
            ("c", &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]),
            ("d", &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]),
            ("e", &[1, 1, 1, 4, 4, 4, 4]),
            ("f", &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]),
        ];
        let leader = &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
        let end_of = |log: &[u64]| end(log.len() as u64, *log.last().expect("none of them is empty"));
        let request = ask(8, end_of(leader));
        let grants = |log: &[u64]| saved(7, None, end_of(log)).consider(NodeId(6), request).1;
        let granting: Vec<_> = logs.iter().filter(|(_, log)| grants(log)).map(|(name, _)| *name).collect();
        assert_eq!(granting, ["a", "b", "e", "f"], "the candidate's log ends at index 10 with term 6");
    }
}

mod stage_2_election {
    use super::*;

    /// A server of five, on its own: what it is told, and what it answers.
    fn alone(saved: Saved) -> Server {
        one_of(5, saved)
    }

    fn one_of(servers: usize, saved: Saved) -> Server {
        let mut server = Server::new(NodeId(0), servers, saved, timeouts(Seed(1), NodeId(0), TIMEOUTS));
        server.step(Input::Start, Time(0));
        server
    }

    /// What a server says, and to whom.
    fn said(out: &[Output<Server>]) -> Vec<(NodeId, Message)> {
        let send = |output: &Output<Server>| match output {
            Output::Send { to, message } => Some((*to, *message)),
            _ => None,
        };
        out.iter().filter_map(send).collect()
    }

    /// What a server writes, last.
    fn written(out: &[Output<Server>]) -> Option<Saved> {
        out.iter().rev().find_map(|output| match output {
            Output::Persist(saved) => Some(*saved),
            _ => None,
        })
    }

    const fn asks(term: u64, log_end: LogEnd) -> Message {
        Message::RequestVote(ask(term, log_end))
    }

    fn hear(server: &mut Server, from: usize, message: Message) -> Vec<Output<Server>> {
        server.step(Input::Message { from: NodeId(from), message }, Time(1))
    }

    const fn yes(term: u64) -> Message {
        Message::Vote { term: Term(term), granted: true }
    }

    /// A candidate of five servers in term 1, which needs two votes beside its own.
    fn candidate() -> Server {
        in_term_1(Role::Candidate)
    }

    /// A server of five in term 1, in this role. Its log ends at index 3 with term 1.
    fn in_term_1(role: Role) -> Server {
        let mut server = alone(Saved { log_end: end(3, 1), ..Saved::default() });
        if role == Role::Follower {
            hear(&mut server, 3, Message::Heartbeat { term: Term(1) });
        } else {
            server.step(Input::Timer(Timer::Election), Time(200));
        }
        if role == Role::Leader {
            for voter in [1, 2] {
                hear(&mut server, voter, yes(1));
            }
        }
        assert_eq!((server.role(), server.saved().term), (role, Term(1)), "{}", server.status());
        server
    }

    #[test]
    fn a_vote_that_arrives_twice_counts_once() {
        let mut server = candidate();
        hear(&mut server, 1, yes(1));
        hear(&mut server, 1, yes(1));
        hear(&mut server, 1, yes(1));
        assert_eq!(server.role(), Role::Candidate, "it has its own vote and n1's: two of five ({})", server.status());
        hear(&mut server, 2, yes(1));
        assert_eq!(server.role(), Role::Leader, "now it has three of five ({})", server.status());
    }

    /// Its first election came to nothing; the answers to it come late, during the second.
    #[test]
    fn votes_of_an_earlier_term_do_not_count() {
        let mut server = candidate();
        server.step(Input::Timer(Timer::Election), Time(500));
        assert_eq!(server.saved().term, Term(2), "a candidate that did not win stands again, in the next term");
        hear(&mut server, 1, yes(1));
        hear(&mut server, 2, yes(1));
        assert_eq!(server.role(), Role::Candidate, "both votes are of term 1 ({})", server.status());
    }

    /// Three of five are away for an hour. Whoever waits longer after each attempt will not notice that they are back.
    #[test]
    fn a_candidate_waits_no_longer_for_having_stood_before() {
        let mut server = candidate();
        for attempt in 2..=20 {
            let out = server.step(Input::Timer(Timer::Election), Time(attempt * 300));
            for output in out {
                if let Output::SetTimer { timer: Timer::Election, after } = output {
                    assert!(
                        after <= TIMEOUTS.1,
                        "in its attempt {attempt} it waits {after}, and {} is the most",
                        TIMEOUTS.1
                    );
                }
            }
        }
    }

    #[test]
    fn a_candidate_follows_the_leader_of_its_own_term() {
        let mut server = candidate();
        hear(&mut server, 3, Message::Heartbeat { term: Term(1) });
        assert_eq!(server.role(), Role::Follower, "n3 leads term 1, so this server cannot ({})", server.status());
        let mut server = candidate();
        hear(&mut server, 3, Message::Heartbeat { term: Term(0) });
        assert_eq!(server.role(), Role::Candidate, "n3's term 0 is over ({})", server.status());
    }

    /// A follower that hears its leader, a candidate and a leader of term 1 are told of term 7. Even who refuses its vote follows.
    #[test]
    fn whoever_hears_of_a_later_term_in_any_message_follows() {
        let later = Term(7);
        let messages = [
            (asks(7, end(3, 1)), Some(NodeId(4))),
            (asks(7, end(2, 1)), None),
            (Message::Vote { term: later, granted: false }, None),
            (Message::Heartbeat { term: later }, None),
            (Message::Heard { term: later }, None),
        ];
        for role in [Role::Follower, Role::Candidate, Role::Leader] {
            for (message, vote) in messages {
                let mut server = in_term_1(role);
                hear(&mut server, 4, message);
                let told = format!("{role:?} of term 1, log up to index 3, heard {message:?} of n4");
                assert_eq!((server.role(), server.saved().term), (Role::Follower, later), "{told}");
                assert_eq!(server.saved().voted_for, vote, "{told}: who has its vote in term 7?");
            }
        }
    }

    /// Whoever asks or leads must learn that its term is over, and there may be nobody else to tell it.
    #[test]
    fn every_request_and_every_heartbeat_is_answered_with_the_answerers_own_term() {
        let no = |term| Message::Vote { term: Term(term), granted: false };
        let heard = Message::Heard { term: Term(5) };
        let cases = [
            (Message::Heartbeat { term: Term(5) }, heard),
            (Message::Heartbeat { term: Term(3) }, heard),
            (asks(3, end(3, 1)), no(5)),
            (asks(7, end(2, 1)), no(7)),
        ];
        for (message, answer) in cases {
            let mut server = alone(Saved { term: Term(5), voted_for: None, log_end: end(3, 1) });
            let out = hear(&mut server, 4, message);
            let told = format!("a server of term 5, log up to index 3, heard {message:?} of n4");
            assert_eq!(said(&out), [(NodeId(4), answer)], "{told}");
        }
    }

    /// The others wait for a word of somebody; until they have it, they may stand.
    #[test]
    fn who_wins_tells_all_others_at_once() {
        let mut server = candidate();
        hear(&mut server, 1, yes(1));
        let mut told = said(&hear(&mut server, 2, yes(1)));
        told.sort_by_key(|(to, _)| *to);
        let all: Vec<_> = (1..5).map(|other| (NodeId(other), Message::Heartbeat { term: Term(1) })).collect();
        assert_eq!(told, all, "with n2's vote it leads term 1 ({})", server.status());
    }

    /// A write that reaches the disk takes longer than a message, and most messages change nothing that must survive.
    #[test]
    fn what_changes_nothing_on_disk_writes_nothing() {
        for message in [Message::Heartbeat { term: Term(1) }, asks(0, end(3, 1)), asks(1, end(2, 1)), yes(1)] {
            let mut server = in_term_1(Role::Follower);
            let before = server.saved();
            let out = hear(&mut server, 3, message);
            assert_eq!((server.saved(), written(&out)), (before, None), "a follower of term 1 heard {message:?}");
        }
    }

    /// `a` has voted, and its power fails. If it votes again in that term, the term can have two leaders.
    #[test]
    fn a_restarted_server_remembers_its_vote() {
        let (mut sim, [a, ..]) = cluster(Seed(1), ["a", "b", "c"]);
        sim.set_network(Network::exact(Millis(5)));
        let voted = |sim: &Sim<Watched>| sim.node(a).is_some_and(|node| node.server.saved().voted_for.is_some());
        assert!(sim.run_until(A_WHILE, voted), "a stood for election or was asked for its vote\n{sim}");
        let before = sim.node(a).map(|node| node.server.saved());
        sim.inject(crash(a));
        sim.inject(Fault::Restart(a));
        let after = sim.node(a).map(|node| node.server.saved());
        assert_eq!(after, before, "whoever has a's vote counts on it\n{sim}");
    }

    /// `n1` has its vote; its power fails, and `n2` asks it in the same term. Then `n2` asks in the next, without entry 3.
    #[test]
    fn a_server_that_starts_again_from_its_disk_refuses_a_second_candidate() {
        for servers in [3, 4, 5, 7, 9] {
            let log_end = end(3, 1);
            let mut server = one_of(servers, first(log_end));
            let out = hear(&mut server, 1, asks(2, log_end));
            let disk = written(&out).unwrap_or_else(|| panic!("it voted and wrote nothing down: {out:?}"));
            let mut server = one_of(servers, disk);
            let no = |term| [(NodeId(2), Message::Vote { term: Term(term), granted: false })];
            let told = format!("one of {servers}, its disk holds {disk:?}");
            assert_eq!(said(&hear(&mut server, 2, asks(2, log_end))), no(2), "n1 counts on the vote of term 2; {told}");
            let out = hear(&mut server, 2, asks(3, end(2, 1)));
            assert_eq!(said(&out), no(3), "n2 lacks entry 3, which this server had; {told}");
            assert_eq!(written(&out).map(|disk| disk.log_end), Some(log_end), "no election changes a log; {told}");
        }
    }

    #[test]
    fn a_cluster_of_one_elects_itself() {
        let (mut sim, [a]) = cluster(Seed(1), ["a"]);
        assert_eq!(elected(&mut sim), a);
    }

    #[test]
    fn three_servers_elect_one_and_keep_it() {
        for_seeds(20, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"]);
            let leader = elected(&mut sim);
            let first = term(&sim, leader);
            let another =
                |sim: &Sim<Watched>| leaders(sim) != [leader] || nodes.iter().any(|node| term(sim, *node) != first);
            assert!(
                !sim.run_until(A_WHILE, another),
                "{} led term {first}, no message was lost, nobody crashed, and somebody stands at t={}: \
                 a leader's word starts the timer anew, and so does a vote that is granted\n{sim}",
                name(&sim, leader),
                sim.now().0
            );
        });
    }

    #[test]
    fn a_leader_speaks_every_heartbeat_and_no_more_often() {
        let (mut sim, _) = cluster(Seed(1), ["a", "b", "c"]);
        elected(&mut sim);
        let sent = |sim: &Sim<Watched>| {
            sim.trace().events.iter().filter(|event| matches!(event.what, kit::trace::What::Sent { .. })).count()
        };
        let before = sent(&sim);
        sim.run_for(Millis(1_000));
        let messages = sent(&sim) - before;
        assert!(
            (76..=84).contains(&messages),
            "in a second, 20 heartbeats to 2 followers and back are 80, not {messages}\n{sim}"
        );
    }

    #[test]
    fn when_the_leader_fails_another_is_elected_and_the_first_follows_it() {
        for_seeds(20, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c"]);
            let first = elected(&mut sim);
            sim.inject(crash(first));
            let second = elected(&mut sim);
            assert_ne!(second, first, "{first} is down\n{sim}");
            sim.inject(Fault::Restart(first));
            sim.run_for(Millis(1_000));
            assert_eq!(leaders(&sim), [second], "{first} came back and has no reason to stand\n{sim}");
            assert_eq!(term(&sim, first), term(&sim, second), "of {nodes:?}\n{sim}");
        });
    }

    #[test]
    fn without_a_majority_nobody_is_elected_and_with_one_again_somebody_is() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c", "d"]);
            let leader = elected(&mut sim);
            let rest = others(&nodes, leader);
            sim.inject(crash(leader));
            sim.inject(crash(rest[0]));
            let one = sim.run_until(Millis(60_000), |sim| !leaders(sim).is_empty());
            assert!(!one, "two of four servers are up, and they elected one\n{sim}");
            sim.inject(Fault::Restart(rest[0]));
            let again = sim.run_until(A_WHILE, settled);
            assert!(again, "three of four are up, and {A_WHILE} after a minute's outage nobody leads\n{sim}");
        });
    }

    /// Every message arrives twice, and two of five are cut off.
    #[test]
    fn a_minority_never_elects_however_often_it_votes() {
        for_seeds(10, |seed| {
            let (mut sim, [a, b, c, d, e]) = cluster(seed, ["a", "b", "c", "d", "e"]);
            sim.set_network(Network { duplicated: 1.0, ..Network::reliable() });
            sim.inject(Fault::Partition(vec![vec![a, b], vec![c, d, e]]));
            sim.run_for(A_WHILE);
            let leaders = leaders(&sim);
            assert!(
                leaders.iter().all(|leader| [c, d, e].contains(leader)),
                "{leaders:?} lead; a and b are two of five\n{sim}"
            );
            assert_eq!(
                leaders.len(),
                1,
                "c, d and e are three of five, and one leads after {A_WHILE} if each draws its timeout anew\n{sim}"
            );
        });
    }

    /// The leader is cut off with one follower. It cannot know; when the network heals, it learns.
    #[test]
    fn a_leader_in_the_minority_is_deposed_when_it_hears_of_the_new_term() {
        let seen = Sometimes::expect(["two servers of different terms believed to lead"]);
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c", "d", "e"]);
            let old = elected(&mut sim);
            let rest = others(&nodes, old);
            sim.inject(Fault::Partition(vec![vec![old, rest[0]], rest[1..].to_vec()]));
            let both = sim.run_until(A_WHILE, |sim| leaders(sim).len() == 2);
            seen.saw("two servers of different terms believed to lead", both);
            assert!(both, "the three on the other side can elect one of them\n{sim}");
            sim.inject(Fault::Heal);
            assert_ne!(elected(&mut sim), old, "its term is over\n{sim}");
        });
    }

    /// `b` and `c` have an entry that `a` lacks. Each leader is paused or crashes, which gives `a` its chance.
    #[test]
    fn a_server_that_was_away_with_an_old_log_does_not_win() {
        for_seeds(10, |seed| {
            let servers = [("a", end(3, 1)), ("b", end(4, 1)), ("c", end(4, 1))];
            let (mut sim, [a, ..]) = cluster_of(seed, servers.map(|(name, log_end)| (name, log_end, TIMEOUTS)));
            for round in 0..6 {
                let leader = elected(&mut sim);
                if round % 2 == 0 {
                    sim.inject(Fault::Pause { node: leader, span: Millis(400) });
                } else {
                    sim.inject(crash(leader));
                    sim.inject_after(Millis(400), Fault::Restart(leader));
                }
                sim.run_for(Millis(800));
            }
            assert!(term(&sim, a) > Term(1), "{sim}");
        });
    }

    const fn span(least: u64, most: u64) -> (Millis, Millis) {
        (Millis(least), Millis(most))
    }

    /// `a` lacks an entry and is the least patient of three: it asks for votes that it cannot get, again and again.
    #[test]
    fn a_server_that_cannot_win_keeps_nobody_from_standing() {
        for_seeds(10, |seed| {
            let (b, c) = (("b", end(4, 1), TIMEOUTS), ("c", end(4, 1), TIMEOUTS));
            let (mut sim, _) = cluster_of(seed, [("a", end(3, 1), span(100, 110)), b, c]);
            let found = sim.run_until(A_WHILE, |sim| !leaders(sim).is_empty());
            assert!(
                found,
                "a asks every 105 ms, b and c refuse it and wait 150 to 300 ms, and in {A_WHILE} neither of them leads: \
                 a request that is refused leaves the timer alone\n{sim}"
            );
        });
    }

    /// `a` leads and has an entry that `c` lacks; `b` is down. `c` no longer hears `a` and stands. Of the two only `a` can win.
    #[test]
    fn a_leader_deposed_by_a_server_that_cannot_win_stands_again() {
        for_seeds(10, |seed| {
            let slow = span(400, 600);
            let servers = [("a", end(4, 1), span(100, 110)), ("b", end(3, 1), slow), ("c", end(3, 1), slow)];
            let (mut sim, [a, b, c]) = cluster_of(seed, servers);
            assert_eq!(elected(&mut sim), a, "a stands long before the others\n{sim}");
            sim.inject(crash(b));
            sim.inject(Fault::Cut { from: a, to: c });
            let deposed = sim.run_until(A_WHILE, |sim| leaders(sim).is_empty());
            assert!(deposed, "c hears nobody and stands in a later term, and a hears of it\n{sim}");
            sim.inject(Fault::Heal);
            let again = sim.run_until(A_WHILE, |sim| leaders(sim) == [a]);
            assert!(again, "c's log is older, so nobody but a can lead: does a wait for a leader again?\n{sim}");
        });
    }

    /// The leader of a term that is over hears nobody any more, and goes on telling everybody that it leads.
    #[test]
    fn a_late_heartbeat_keeps_nobody_from_standing() {
        for_seeds(10, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c", "d", "e"]);
            let old = elected(&mut sim);
            let rest = others(&nodes, old);
            sim.inject(Fault::Partition(vec![vec![old], rest.clone()]));
            let another = |sim: &Sim<Watched>| leaders(sim).into_iter().find(|leader| *leader != old);
            assert!(sim.run_until(A_WHILE, |sim| another(sim).is_some()), "four of five can elect one\n{sim}");
            sim.inject(Fault::Heal);
            rest.iter().for_each(|node| sim.inject(Fault::Cut { from: *node, to: old }));
            let new = another(&sim).expect("it has just been elected");
            sim.inject(crash(new));
            assert!(
                sim.run_until(A_WHILE, |sim| another(sim).is_some()),
                "{} crashed, and {}, which hears nobody, says every 50 ms that it leads a term that is over: \
                 the other three can elect one of them\n{sim}",
                name(&sim, new),
                name(&sim, old)
            );
        });
    }

    /// Seven servers; ten times three random ones are cut off, one by one, and come back.
    #[test]
    fn many_elections_each_end_with_one_leader() {
        use kit::rand::RngExt as _;
        for_seeds(4, |seed| {
            let (mut sim, nodes) = cluster(seed, ["a", "b", "c", "d", "e", "f", "g"]);
            let mut rng = seed.part(99).rng();
            elected(&mut sim);
            for _ in 0..10 {
                let mut connected = nodes.to_vec();
                let lost: Vec<_> = (0..3).map(|_| connected.remove(rng.random_range(0..connected.len()))).collect();
                sim.inject(Fault::Partition(vec![connected.clone()]));
                let one =
                    |sim: &Sim<Watched>| leaders(sim).iter().filter(|leader| connected.contains(leader)).count() == 1;
                assert!(sim.run_until(A_WHILE, one), "four of seven can elect; {lost:?} are cut off\n{sim}");
                sim.inject(Fault::Heal);
                elected(&mut sim);
            }
        });
    }

    /// How long five servers take to elect their first leader, over many seeds, sorted. Each message takes 15 ms.
    fn first_elections(spread: u64) -> Vec<Option<Millis>> {
        let mut times = vec![];
        for seed in kit::seed::seeds(60) {
            let span = (Millis(150), Millis(150 + spread));
            let (mut sim, _) = cluster_with(seed, ["a", "b", "c", "d", "e"], span);
            sim.set_network(Network::exact(Millis(15)));
            let found = sim.run_until(Millis(10_000), |sim| !leaders(sim).is_empty());
            times.push(found.then_some(sim.now().since(Time::START)));
        }
        times.sort_by_key(|time| time.unwrap_or(Millis(u64::MAX)));
        times
    }

    /// The shape of Figure 16: without randomness the votes split for ever; a little helps, more helps more.
    #[test]
    fn equal_timeouts_split_the_vote_and_random_ones_do_not() {
        let never = first_elections(0);
        assert!(never.iter().all(Option::is_none), "all five stand at the same instant, every time: {:?}", never[0]);
        let (little, more) = (first_elections(15), first_elections(150));
        let median = |times: &[Option<Millis>]| times[times.len() / 2].map_or(10_000, |time| time.0);
        let worst = more[more.len() - 1].map_or(10_000, |time| time.0);
        assert!(
            worst < 4_000 && median(&more) < 600 && median(&little) > median(&more),
            "wanted: with 150–300 ms a median below 600 ms and nothing above 4000 ms, with 150–165 ms a greater median \
             (nobody elected within 10 s counts as 10000). 150–165 ms: median {} ms; 150–300 ms: median {} ms, worst {worst} ms",
            median(&little),
            median(&more)
        );
    }

    /// Losses, duplicates, splits, crashes and pauses for ten seconds; then quiet, and somebody leads. Two of five lack an entry.
    #[test]
    fn no_term_has_two_leaders_whatever_happens_and_afterwards_one_leads() {
        let seen = Sometimes::expect([
            "a vote was split",
            "two led in different terms",
            "a term ended by a crash",
            "a server with an older log stood",
        ]);
        for_seeds(30, |seed| {
            let chaos = Chaos { partitions: 4, cuts: 3, crashes: 8, pauses: 4, ..Chaos::calm(5, Millis(10_000), 0) };
            let plan = chaos.plan(seed, |_, _| unreachable!("it makes no calls"));
            let build = |seed| {
                let ends = [("a", 4), ("b", 4), ("c", 4), ("d", 3), ("e", 3)];
                let (mut sim, _) = cluster_of(seed, ends.map(|(name, index)| (name, end(index, 1), TIMEOUTS)));
                sim.set_network(Network::unreliable());
                sim
            };
            let sim = trial(seed, &plan, build, |sim| {
                sim.mend();
                sim.set_network(Network::reliable());
                if sim.run_until(A_WHILE, settled) {
                    Ok(())
                } else {
                    Err(format!("no leader {A_WHILE} after the last fault"))
                }
            });
            look(&sim, &seen);
        });
    }

    /// What the statuses along a run tell about it.
    fn look(sim: &Sim<Watched>, seen: &Sometimes) {
        let mut now: BTreeMap<usize, String> = BTreeMap::new();
        for event in &sim.trace().events {
            let Some(&lane) = event.what.lanes().last() else { continue };
            if matches!(event.what, kit::trace::What::Crashed { .. }) {
                let was = now.remove(&lane).unwrap_or_default();
                seen.saw("a term ended by a crash", was.contains("LEADER"));
            } else if let Some(status) = &event.status {
                now.insert(lane, status.clone());
                let role = |role: &str| now.values().filter(|status| status.contains(role)).count();
                seen.saw("a vote was split", role("candidate") >= 2);
                seen.saw("two led in different terms", role("LEADER") >= 2);
                seen.saw("a server with an older log stood", lane >= 3 && status.contains("candidate"));
            }
        }
    }
}

mod stage_3_every_order {
    use super::*;

    /// Servers that go no further than term `most`, and where their logs end.
    fn world<const N: usize>(servers: [(&str, LogEnd); N], most: u64) -> World<Watched> {
        let ends = servers.map(|(_, log_end)| log_end);
        let make = move |id: NodeId, disk: Option<Saved>| {
            Watched::new(id, N, disk.unwrap_or_else(|| first(ends[id.0])), timeouts(Seed(1), id, TIMEOUTS))
        };
        World::new(servers.map(|(name, _)| name), make)
            .within(move |state| state.cluster().up().all(|(_, node)| node.term() <= Term(most)))
    }

    fn judged(world: World<Watched>) -> Search<World<Watched>> {
        Search::of(world)
            .always("at most one leader a term", |state| one_leader_a_term(&state.cluster()))
            .always("written before said", |state| written_before_said(&state.cluster()))
            .always("a leader has what a majority has", |state| leaders_have_what_a_majority_has(&state.cluster()))
    }

    fn leads(state: &WorldState<Watched>) -> usize {
        state.cluster().up().filter(|(_, node)| node.leads()).count()
    }

    /// A crash at any moment, of anybody, and back from what the disk holds. `a` lacks an entry.
    #[test]
    fn a_term_has_one_leader_though_a_server_crashes_at_any_moment() {
        let states = judged(world([("a", end(1, 1)), ("b", end(2, 1)), ("c", end(2, 1))], 2).crashes(1).fires(3))
            .sometimes("a leader was elected", |state| leads(state) == 1)
            .sometimes("all three stood", |state| {
                state.cluster().up().filter(|(_, node)| node.server.role() == Role::Candidate).count() == 3
            })
            .assert();
        println!("{states} states");
    }

    /// Four servers, so that one voter counted twice makes a difference.
    #[test]
    fn behind_every_leader_stands_a_majority_though_messages_arrive_twice() {
        let states = judged(world(["a", "b", "c", "d"].map(|name| (name, end(0, 0))), 1).doubles(1).fires(1))
            .always("behind every leader stands a majority that voted for it", |state| {
                let voters =
                    |leader| state.cluster().up().filter(|(_, node)| node.disk.voted_for == Some(leader)).count();
                let mut elected = state.cluster().up().filter(|(_, node)| node.leads()).map(|(id, _)| id);
                elected.find(|leader| voters(*leader) < 3).map_or(Ok(()), |leader| {
                    Err(format!("{leader} leads with the votes of {} of 4 servers", voters(leader)))
                })
            })
            .sometimes("a leader was elected", |state| leads(state) == 1)
            .assert();
        println!("{states} states");
    }

    /// What no protocol can prevent, and Raft does not: the old leader has not heard yet. `a` has an entry that the others lack.
    #[test]
    fn two_leaders_of_different_terms_can_be_there_at_once_but_not_of_one_term() {
        let states = judged(world([("a", end(2, 1)), ("b", end(1, 1)), ("c", end(1, 1))], 3).fires(2))
            .sometimes("two servers lead, each its own term", |state| leads(state) == 2)
            .assert();
        println!("{states} states");
    }
}
