//! Stage 1: what may follow what, and what must be on disk first. Stage 2: crash anywhere and recover. Stage 3: who must
//! wait without a coordinator. Stage 4: what three-phase commit does in a partition.

use kit::explore::{Search, World, WorldState};
use kit::{CallId, Cluster, Input, Millis, Node, NodeId, Output, Time};
use std::collections::BTreeSet;
use two_phase_commit::{
    COORDINATOR, Coordinator, Finish, Log, Message, Outcome, PATIENCE, Participant, Phase, RETRY, Record, Site, State,
    Vote, Wake, terminate,
};

const P1: NodeId = NodeId(1);
const P2: NodeId = NodeId(2);

const STATES: [State; 4] = [State::Working, State::Prepared, State::Committed, State::Aborted];

/// A log that says that its participant is in `state`.
fn log(state: State) -> Log {
    Log(match state {
        State::Working => vec![],
        State::Prepared => vec![Record::Prepared],
        State::Committed => vec![Record::Prepared, Record::Committed],
        State::Aborted => vec![Record::Aborted],
    })
}

fn participant(id: NodeId, vote: Vote, state: State) -> Site {
    Site::new(id, 3, vote, Some(log(state)))
}

fn state_of(site: &Site) -> State {
    match site {
        Site::Participant(participant) => participant.state(),
        Site::Coordinator(_) => panic!("a coordinator has no participant's state"),
    }
}

fn step(site: &mut Site, input: Input<Site>) -> Vec<Output<Site>> {
    site.step(input, Time::START)
}

fn hear(site: &mut Site, from: NodeId, message: Message) -> Vec<Output<Site>> {
    step(site, Input::Message { from, message })
}

fn sent(out: &[Output<Site>], wanted: Message) -> BTreeSet<NodeId> {
    let to = |output: &Output<Site>| match output {
        Output::Send { to, message } if *message == wanted => Some(*to),
        _ => None,
    };
    out.iter().filter_map(to).collect()
}

/// The last log that `out` forces, and its place.
fn forced(out: &[Output<Site>]) -> Option<(usize, Log)> {
    let log = |(i, output): (usize, &Output<Site>)| match output {
        Output::Persist(log) => Some((i, log.clone())),
        _ => None,
    };
    out.iter().enumerate().filter_map(log).next_back()
}

fn place(out: &[Output<Site>], wanted: Message) -> Option<usize> {
    out.iter().position(|output| matches!(output, Output::Send { message, .. } if *message == wanted))
}

/// After which times a step wants to be reminded.
fn reminders(out: &[Output<Site>]) -> Vec<Millis> {
    let after = |output: &Output<Site>| if let Output::SetTimer { after, .. } = output { Some(*after) } else { None };
    out.iter().filter_map(after).collect()
}

/// Where a step first says something to anybody.
fn first_word(out: &[Output<Site>]) -> Option<usize> {
    out.iter().position(|output| matches!(output, Output::Send { .. } | Output::Reply { .. }))
}

/// A coordinator of `sites - 1` participants that has just been asked to finish, and what it did so far.
fn asked(sites: usize) -> (Site, Vec<Output<Site>>) {
    let mut site = Site::new(COORDINATOR, sites, Vote::Yes, None);
    let mut out = step(&mut site, Input::Start);
    out.extend(step(&mut site, Input::Request { call: CallId(0), request: Finish }));
    (site, out)
}

/// A coordinator of two participants that has just been asked to finish.
fn voting() -> Site {
    asked(3).0
}

/// The laws of Bernstein, Hadzilacos and Goodman, chapter 7, and the law of the log.
mod laws {
    use super::*;

    pub fn participants<'a>(cluster: &Cluster<'a, Site>) -> impl Iterator<Item = (NodeId, &'a Participant)> {
        cluster.up().filter_map(|(id, site)| match site {
            Site::Participant(participant) => Some((id, participant)),
            Site::Coordinator(_) => None,
        })
    }

    pub fn coordinator<'a>(cluster: &Cluster<'a, Site>) -> Option<&'a Coordinator> {
        cluster.up().find_map(|(_, site)| match site {
            Site::Coordinator(coordinator) => Some(coordinator),
            Site::Participant(_) => None,
        })
    }

    /// Who has decided what: by memory, by disk if it is down, and by what the client was told.
    pub fn decisions(state: &WorldState<Site>) -> Vec<(String, Outcome)> {
        let mut all = vec![];
        let outcome = |state: State| match state {
            State::Committed => Some(Outcome::Commit),
            State::Aborted => Some(Outcome::Abort),
            State::Working | State::Prepared => None,
        };
        for id in (1..state.cluster().size()).map(NodeId) {
            let memory = participants(&state.cluster()).find(|(up, _)| *up == id).map(|(_, up)| up.state());
            let now = memory.or_else(|| state.disk(id).map(Log::state));
            all.extend(now.and_then(outcome).map(|outcome| (id.to_string(), outcome)));
        }
        all.extend(state.history().iter().filter_map(|(_, reply)| Some(("the client".to_owned(), (*reply)?))));
        if state.disk(COORDINATOR).is_some_and(|log| log.0.contains(&Record::Committed)) {
            all.push(("the coordinator's log".to_owned(), Outcome::Commit));
        }
        all
    }

    pub fn all_decide_alike(state: &WorldState<Site>) -> Result<(), String> {
        let all = decisions(state);
        let first = |wanted| all.iter().find(|(_, outcome)| *outcome == wanted).map(|(who, _)| who);
        match (first(Outcome::Commit), first(Outcome::Abort)) {
            (Some(yes), Some(no)) => Err(format!("{yes} says commit, {no} says abort")),
            _ => Ok(()),
        }
    }

    /// No record of a log is ever contradicted by a later one.
    pub fn decisions_stay(state: &WorldState<Site>) -> Result<(), String> {
        for id in (1..state.cluster().size()).map(NodeId) {
            let records = state.disk(id).map_or(&[][..], |log| &log.0);
            use Record::{Aborted, Committed, Prepared};
            let legal = matches!(records, [] | [Prepared | Aborted] | [Prepared, Committed | Aborted]);
            if !legal {
                return Err(format!("the log of {id} is {records:?}"));
            }
        }
        Ok(())
    }

    pub fn commit_only_if_all_voted_yes(state: &WorldState<Site>) -> Result<(), String> {
        let Some((who, _)) = decisions(state).into_iter().find(|(_, outcome)| *outcome == Outcome::Commit) else {
            return Ok(());
        };
        let promised = |id: &NodeId| state.disk(*id).is_some_and(|log| log.0.contains(&Record::Prepared));
        match (1..state.cluster().size()).map(NodeId).find(|id| !promised(id)) {
            Some(id) => Err(format!("{who} says commit, and there is no yes in the log of {id}")),
            None => Ok(()),
        }
    }

    pub fn the_log_comes_first(state: &WorldState<Site>) -> Result<(), String> {
        for (id, participant) in participants(&state.cluster()) {
            let disk = state.disk(id).map_or(State::Working, Log::state);
            if disk != participant.state() {
                return Err(format!("{id} is {:?}, its disk says {disk:?}", participant.state()));
            }
        }
        let told = state
            .messages()
            .find(|(from, _, message)| *from == COORDINATOR && *message == Message::Ended(Outcome::Commit));
        let logged = state.disk(COORDINATOR).is_some_and(|log| log.0.contains(&Record::Committed));
        match told {
            Some((_, to, _)) if !logged => Err(format!("the coordinator told {to} to commit and has no record of it")),
            _ => Ok(()),
        }
    }
}

fn judged(world: World<Site>) -> Search<World<Site>> {
    Search::of(world)
        .always("AC1, all decide alike", laws::all_decide_alike)
        .always("AC2, a decision stays", laws::decisions_stay)
        .always("AC3, commit only if all voted yes", laws::commit_only_if_all_voted_yes)
        .always("the log comes first", laws::the_log_comes_first)
}

/// Searches everything, and says how much that was: `cargo test -- --nocapture`.
fn prove(search: &Search<World<Site>>) {
    println!("{} states", search.assert());
}

fn every(state: &WorldState<Site>, wanted: State) -> bool {
    let up: Vec<_> = laws::participants(&state.cluster()).collect();
    up.len() + 1 == state.cluster().size() && up.iter().all(|(_, participant)| participant.state() == wanted)
}

mod stage_1_states_and_logs {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn only_four_steps_are_legal() {
        let legal = [
            (State::Working, State::Prepared),
            (State::Working, State::Aborted),
            (State::Prepared, State::Committed),
            (State::Prepared, State::Aborted),
        ];
        for from in STATES {
            for to in STATES {
                assert_eq!(from.may_become(to), legal.contains(&(from, to)), "from {from:?} to {to:?}");
            }
        }
    }

    /// Whatever a participant hears, in whatever state: it takes a legal step or none, the record of the step stands before
    /// every word about it, and only a commit that is in its log is acknowledged, to the coordinator.
    #[test]
    fn no_message_leads_to_an_illegal_step() {
        use Message::{Acknowledged, Ask, Ended, Prepare, Voted};
        let messages = [
            Prepare,
            Ended(Outcome::Commit),
            Ended(Outcome::Abort),
            Ask,
            Acknowledged,
            Voted(Vote::Yes),
            Voted(Vote::No),
        ];
        for state in STATES {
            for vote in [Vote::Yes, Vote::No] {
                for message in messages {
                    for from in [COORDINATOR, P2] {
                        let mut site = participant(P1, vote, state);
                        let out = hear(&mut site, from, message);
                        let after = state_of(&site);
                        let legal = match state {
                            _ if after == state => true,
                            State::Working => matches!(after, State::Prepared | State::Aborted),
                            State::Prepared => matches!(after, State::Committed | State::Aborted),
                            State::Committed | State::Aborted => false,
                        };
                        assert!(legal, "{message:?} took a participant from {state:?} to {after:?}");
                        if after != state {
                            let (disk, log) = forced(&out).unwrap_or_else(|| {
                                panic!(
                                    "{message:?} took it from {state:?} to {after:?}, and nothing is forced: {out:?}"
                                )
                            });
                            assert_eq!(log.state(), after, "the log after {message:?} in {state:?}");
                            let early = first_word(&out).is_some_and(|word| word < disk);
                            assert!(!early, "{message:?} in {state:?}: it speaks before {after:?} is on disk: {out:?}");
                        }
                        let acknowledged = sent(&out, Acknowledged);
                        let may = if after == State::Committed { [COORDINATOR].into() } else { BTreeSet::new() };
                        assert!(
                            acknowledged.is_subset(&may),
                            "{message:?} from {from} in {state:?}: acknowledged to {acknowledged:?}, and the log is that of {after:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_yes_is_on_disk_before_it_is_sent() {
        let mut site = participant(P1, Vote::Yes, State::Working);
        let out = hear(&mut site, COORDINATOR, Message::Prepare);
        let vote = place(&out, Message::Voted(Vote::Yes));
        let vote = vote.unwrap_or_else(|| panic!("it can commit and does not say so: {out:?}"));
        let (disk, log) = forced(&out).unwrap_or_else(|| panic!("it votes yes and forces nothing: {out:?}"));
        assert!(disk < vote, "the vote leaves before the log is on disk: {out:?}");
        assert_eq!((log.state(), state_of(&site)), (State::Prepared, State::Prepared));
    }

    /// Who votes no needs no second phase: it has aborted when it says so.
    #[test]
    fn a_no_is_an_abort_already() {
        let mut site = participant(P1, Vote::No, State::Working);
        let out = hear(&mut site, COORDINATOR, Message::Prepare);
        assert_eq!(sent(&out, Message::Voted(Vote::No)), [COORDINATOR].into(), "{out:?}");
        assert_eq!(state_of(&site), State::Aborted);
    }

    #[test]
    fn the_decision_is_on_disk_before_the_second_phase_begins() {
        let mut site = voting();
        let first = hear(&mut site, P1, Message::Voted(Vote::Yes));
        assert_eq!(place(&first, Message::Ended(Outcome::Commit)), None, "one of two has voted");
        let out = hear(&mut site, P2, Message::Voted(Vote::Yes));
        let told = sent(&out, Message::Ended(Outcome::Commit));
        assert_eq!(told, [P1, P2].into(), "both voted yes, and both must be told: {out:?}");
        let (disk, log) = forced(&out).unwrap_or_else(|| panic!("it decides and forces nothing: {out:?}"));
        assert!(log.0.contains(&Record::Committed), "the log says {log:?}");
        let first = place(&out, Message::Ended(Outcome::Commit)).expect("just seen");
        assert!(disk < first, "the second phase begins before the decision is on disk: {out:?}");
        let reply = out.iter().position(|output| matches!(output, Output::Reply { reply: Outcome::Commit, .. }));
        assert!(reply.is_some_and(|reply| disk < reply), "the client hears of the commit, after the disk: {out:?}");
    }

    #[test]
    fn a_vote_that_arrives_twice_counts_once() {
        let mut site = voting();
        hear(&mut site, P1, Message::Voted(Vote::Yes));
        let out = hear(&mut site, P1, Message::Voted(Vote::Yes));
        assert_eq!(place(&out, Message::Ended(Outcome::Commit)), None, "n2 has not voted");
    }

    #[test]
    fn a_commit_needs_every_vote_however_many_there_are() {
        for sites in 2..=8 {
            let (mut site, _) = asked(sites);
            for votes in 1..sites {
                let told =
                    sent(&hear(&mut site, NodeId(votes), Message::Voted(Vote::Yes)), Message::Ended(Outcome::Commit));
                let expected = if votes + 1 == sites { (1..sites).map(NodeId).collect() } else { BTreeSet::new() };
                assert_eq!(told, expected, "told to commit when {votes} of {} have voted yes", sites - 1);
            }
        }
    }

    /// An abort is presumed, so it costs the coordinator no write, neither then nor before. Whoever promised must hear of it.
    #[test]
    fn an_abort_leaves_no_trace_in_the_coordinators_log() {
        for no in [Input::Message { from: P1, message: Message::Voted(Vote::No) }, Input::Timer(Wake)] {
            let (mut site, mut before) = asked(3);
            before.extend(hear(&mut site, P2, Message::Voted(Vote::Yes)));
            assert_eq!(forced(&before), None, "nothing is decided, and there is no record that anybody would need");
            let what = format!("{no:?}");
            let out = step(&mut site, no);
            assert_eq!(forced(&out), None, "after {what}: a coordinator without a record says abort anyway");
            let told = sent(&out, Message::Ended(Outcome::Abort));
            assert!(told.contains(&P2), "n2 has voted yes and waits; after {what} it was told nothing: {out:?}");
            let told = out.iter().any(|output| matches!(output, Output::Reply { reply: Outcome::Abort, .. }));
            assert!(told, "after {what} the client must hear that it failed: {out:?}");
        }
    }

    #[test]
    fn a_coordinator_that_knows_nothing_says_abort() {
        let mut site = Site::new(COORDINATOR, 3, Vote::Yes, None);
        step(&mut site, Input::Start);
        let out = hear(&mut site, P1, Message::Ask);
        assert_eq!(sent(&out, Message::Ended(Outcome::Abort)), [P1].into(), "{out:?}");
    }

    #[test]
    fn a_commit_is_acknowledged_only_from_the_disk() {
        let mut site = participant(P1, Vote::Yes, State::Prepared);
        let out = hear(&mut site, COORDINATOR, Message::Ended(Outcome::Commit));
        let ack = place(&out, Message::Acknowledged);
        let (disk, log) = forced(&out).unwrap_or_else(|| panic!("it commits and forces nothing: {out:?}"));
        assert_eq!(log.state(), State::Committed);
        assert!(ack.is_some_and(|ack| disk < ack), "the coordinator forgets when it hears this: {out:?}");
        let again = hear(&mut site, COORDINATOR, Message::Ended(Outcome::Commit));
        assert_eq!(sent(&again, Message::Acknowledged), [COORDINATOR].into(), "the first may have been lost");
    }
}

mod stage_2_crash_anywhere {
    use super::*;
    use kit::chaos::{Chaos, Do, Step, trial};
    use kit::trace::What;
    use kit::{Fault, Network, Sim, Sometimes, for_seeds};
    use pretty_assertions::assert_eq;
    use std::collections::BTreeMap;

    fn world(votes: [Vote; 2]) -> World<Site> {
        let vote = move |id: NodeId| if id == COORDINATOR { Vote::Yes } else { votes[id.0 - 1] };
        World::new(["c", "p1", "p2"], move |id, log| Site::new(id, 3, vote(id), log)).call(COORDINATOR, Finish)
    }

    /// AC4: nothing fails, everybody can. "Unless in doubt, abort" is no protocol.
    #[test]
    fn willing_participants_commit_when_nothing_fails() {
        let search = judged(world([Vote::Yes; 2]).fires(0)).eventually("AC4, all commit", |state| {
            let told = state.history().last().and_then(|(_, reply)| *reply);
            if every(state, State::Committed) && told == Some(Outcome::Commit) {
                Ok(())
            } else {
                Err(format!("no failure, two votes of yes, and the client was told {told:?}"))
            }
        });
        prove(&search);
    }

    #[test]
    fn one_no_aborts_everybody() {
        for votes in [[Vote::Yes, Vote::No], [Vote::No, Vote::Yes], [Vote::No; 2]] {
            let search = judged(world(votes).crashes(1).fires(1));
            prove(&search.sometimes("all abort", |state| every(state, State::Aborted)));
        }
    }

    /// Any two crashes of anybody at any time, any message lost, late or overtaken, and timers that go off too early.
    #[test]
    fn two_crashes_anywhere_leave_one_outcome() {
        let up = |state: &WorldState<Site>, wanted| {
            laws::participants(&state.cluster()).any(|(_, participant)| participant.state() == wanted)
        };
        let search = judged(world([Vote::Yes; 2]).crashes(2).fires(1))
            .sometimes("all commit", |state| every(state, State::Committed))
            .sometimes("all abort", |state| every(state, State::Aborted))
            .sometimes("one has committed and the other is uncertain", move |state| {
                up(state, State::Committed) && up(state, State::Prepared)
            })
            .sometimes("the coordinator is down and everybody is uncertain", |state| {
                laws::coordinator(&state.cluster()).is_none()
                    && laws::participants(&state.cluster()).filter(|(_, p)| p.state() == State::Prepared).count() == 2
            });
        prove(&search);
    }

    /// A message may come again long after the transaction is forgotten.
    #[test]
    fn late_and_doubled_messages_change_nothing() {
        let search = judged(world([Vote::Yes; 2]).fires(2).doubles(1))
            .sometimes("all commit", |state| every(state, State::Committed))
            .sometimes("the coordinator has forgotten, and is asked", |state| {
                let forgotten = state.disk(COORDINATOR).is_some_and(|log| log.0.contains(&Record::End));
                forgotten && state.messages().any(|(_, to, message)| *to == COORDINATOR && *message == Message::Ask)
            });
        prove(&search);
    }

    #[test]
    fn a_recovered_coordinator_finishes_what_it_decided() {
        let mut site = Site::new(COORDINATOR, 3, Vote::Yes, Some(Log(vec![Record::Committed])));
        let out = step(&mut site, Input::Start);
        assert_eq!(sent(&out, Message::Ended(Outcome::Commit)), [P1, P2].into(), "nobody else will tell them: {out:?}");
        let Site::Coordinator(coordinator) = &site else { panic!("site 0 is the coordinator") };
        assert!(matches!(coordinator.phase(), Phase::Committing { .. }), "{:?}", coordinator.phase());
    }

    /// Half of them were down when it was decided; the coordinator may have been, since.
    #[test]
    fn a_commit_is_told_again_until_everybody_has_acknowledged_it() {
        for restarted in [false, true] {
            let mut site = voting();
            hear(&mut site, P1, Message::Voted(Vote::Yes));
            hear(&mut site, P2, Message::Voted(Vote::Yes));
            if restarted {
                site = Site::new(COORDINATOR, 3, Vote::Yes, Some(Log(vec![Record::Committed])));
                let out = step(&mut site, Input::Start);
                assert_eq!(forced(&out), None, "the commit is in the log already: one forced record for each commit");
            }
            let commit = Message::Ended(Outcome::Commit);
            assert_eq!(sent(&hear(&mut site, P1, Message::Ask), commit), [P1].into(), "n1 asks, and it is decided");
            for (missing, acknowledges) in [(vec![P1, P2], P1), (vec![P2], P2)] {
                let out = step(&mut site, Input::Timer(Wake));
                let missing: BTreeSet<_> = missing.into_iter().collect();
                assert_eq!(
                    sent(&out, commit),
                    missing,
                    "who has not acknowledged is told again (restarted: {restarted})"
                );
                assert_eq!(reminders(&out), [RETRY], "and again after RETRY");
                let out = hear(&mut site, acknowledges, Message::Acknowledged);
                let ended = forced(&out).is_some_and(|(_, log)| log.0.last() == Some(&Record::End));
                assert_eq!(ended, acknowledges == P2, "it is forgotten when both have acknowledged: {out:?}");
            }
            let forgotten = Site::new(COORDINATOR, 3, Vote::Yes, Some(Log(vec![Record::Committed, Record::End])));
            for (mut site, input) in [(site, Input::Timer(Wake)), (forgotten, Input::Start)] {
                let out = step(&mut site, input);
                assert_eq!(
                    (first_word(&out), reminders(&out)),
                    (None, vec![]),
                    "what is forgotten is not told: {out:?}"
                );
            }
        }
    }

    /// A vote may take 60 ms there and back. Each yes must not begin the waiting anew.
    #[test]
    fn patience_is_for_the_voting_and_retry_for_what_is_decided_or_promised() {
        let (mut site, out) = asked(3);
        assert_eq!(reminders(&out), [PATIENCE], "the coordinator waits for votes");
        let out = hear(&mut site, P1, Message::Voted(Vote::Yes));
        assert_eq!(reminders(&out), [], "the voting ends PATIENCE after it began, not after the last vote");
        let working = step(&mut participant(P1, Vote::Yes, State::Working), Input::Start);
        assert_eq!(reminders(&working), [PATIENCE], "a participant waits for the question");
        for input in [Input::Start, Input::Timer(Wake)] {
            let what = format!("{input:?}");
            let out = step(&mut participant(P1, Vote::Yes, State::Prepared), input);
            assert_eq!(reminders(&out), [RETRY], "an uncertain participant asks again every RETRY, after {what}");
        }
        for state in [State::Committed, State::Aborted] {
            let out = step(&mut participant(P1, Vote::Yes, state), Input::Timer(Wake));
            assert_eq!((first_word(&out), reminders(&out)), (None, vec![]), "{state:?} and still busy: {out:?}");
        }
    }

    #[test]
    fn a_recovered_participant_that_is_uncertain_asks() {
        let mut site = participant(P1, Vote::Yes, State::Prepared);
        let out = step(&mut site, Input::Start);
        assert_eq!(state_of(&site), State::Prepared, "its log has a yes and no outcome");
        assert!(sent(&out, Message::Ask).contains(&COORDINATOR), "it may have missed the outcome: {out:?}");
    }

    fn cluster(seed: kit::Seed) -> Sim<Site> {
        let mut sim = Sim::new(seed, |id, log| Site::new(id, 4, Vote::Yes, log)).over(Network::unreliable());
        sim.join_all(["c", "p1", "p2", "p3"]);
        let mut decided: BTreeMap<NodeId, State> = BTreeMap::new();
        sim.always("AC1 and AC2, one outcome for ever", move |cluster| {
            for (id, participant) in laws::participants(cluster) {
                let now = participant.state();
                if let Some(before) = decided.get(&id).filter(|before| **before != now) {
                    return Err(format!("{id} was {before:?} and is {now:?}"));
                }
                if matches!(now, State::Committed | State::Aborted) {
                    decided.insert(id, now);
                }
            }
            let all: BTreeSet<_> = decided.values().collect();
            if all.len() > 1 { Err(format!("{decided:?}")) } else { Ok(()) }
        });
        sim
    }

    fn sends(sim: &Sim<Site>) -> usize {
        sim.trace().events.iter().filter(|event| matches!(event.what, What::Sent { .. })).count()
    }

    /// AC5: when all that failed is repaired, everybody decides, and then there is silence.
    #[test]
    fn after_repairs_everybody_decides_and_comes_to_rest() {
        let seen = Sometimes::expect([
            "all committed",
            "all aborted",
            "a participant was uncertain when the repairs began",
            "the coordinator crashed",
        ]);
        for_seeds(60, |seed| {
            let chaos = Chaos { crashes: 4, partitions: 1, cuts: 2, ..Chaos::calm(4, Millis(300), 0) };
            let mut plan = vec![Step { at: Time(1 + seed.0 % 40), what: Do::Call(COORDINATOR, Finish) }];
            plan.extend(chaos.plan(seed, |_, _| Finish));
            if seed.0 % 2 == 0 {
                let crash = Fault::Crash { node: COORDINATOR, lose_last_write: false };
                plan.push(Step { at: Time(20 + seed.0 % 60), what: Do::Fault(crash) }); // and it stays down
                plan.retain(|step| step.what != Do::Fault(Fault::Restart(COORDINATOR)));
            }
            plan.sort_by_key(|step| step.at);
            let uncertain = std::cell::Cell::new(false);
            let sim = trial(seed, &plan, cluster, |sim| {
                let doubt = laws::participants(&sim.cluster()).any(|(_, p)| p.state() == State::Prepared);
                uncertain.set(doubt);
                sim.mend();
                sim.set_network(Network::reliable());
                sim.run_for(Millis(1_000));
                let open = laws::participants(&sim.cluster())
                    .find(|(_, participant)| matches!(participant.state(), State::Working | State::Prepared));
                if let Some((id, participant)) = open {
                    return Err(format!("AC5: {id} is {:?} one second after all repairs", participant.state()));
                }
                let before = sends(sim);
                sim.run_for(Millis(500));
                match sends(sim) - before {
                    0 => Ok(()),
                    more => Err(format!("all have decided, and {more} more messages are sent in half a second")),
                }
            });
            let first = laws::participants(&sim.cluster()).next().map(|(_, participant)| participant.state());
            seen.saw("all committed", first == Some(State::Committed));
            seen.saw("all aborted", first == Some(State::Aborted));
            seen.saw("a participant was uncertain when the repairs began", uncertain.get());
            let down = |what: &Do<Finish>| matches!(what, Do::Fault(Fault::Crash { node, .. }) if *node == COORDINATOR);
            seen.saw("the coordinator crashed", plan.iter().any(|step| down(&step.what)));
        });
    }

    /// The coordinator waits for a vote that never comes, a participant for a question that never comes.
    #[test]
    fn nobody_waits_for_ever_before_voting() {
        let mut sim = Sim::new(kit::Seed(1), |id, log| Site::new(id, 3, Vote::Yes, log));
        let [c, p1, p2] = sim.join_all(["c", "p1", "p2"]);
        sim.inject(Fault::Partition(vec![vec![c, p1], vec![p2]]));
        let call = sim.call(c, Finish);
        sim.run_for(PATIENCE + RETRY);
        assert_eq!(sim.reply(call), Some(&Outcome::Abort), "p2 cannot vote\n{sim}");
        for (id, participant) in laws::participants(&sim.cluster()) {
            assert_eq!(participant.state(), State::Aborted, "{id} may abort: not everybody has voted\n{sim}");
        }
    }
}

mod stage_3_who_must_wait {
    use super::*;
    use kit::{Fault, Network, Sim};
    use pretty_assertions::assert_eq;
    use std::sync::{Arc, Mutex};

    /// Every way in which `n` participants can stand at the same time.
    fn together(n: usize) -> Vec<Vec<State>> {
        let mut all = vec![vec![]];
        for _ in 0..n {
            all = all.iter().flat_map(|some| STATES.map(|state| [&some[..], &[state]].concat())).collect();
        }
        let open = |state: &State| matches!(state, State::Working | State::Aborted);
        // A commit needs everybody's yes, and nobody aborts beside it.
        all.retain(|states| !states.contains(&State::Committed) || !states.iter().any(open));
        all
    }

    #[test]
    fn alone_only_a_prepared_participant_must_wait() {
        let alone: Vec<_> = STATES.iter().map(|state| (*state, terminate(&[*state]))).collect();
        let expected = [
            (State::Working, Some(Outcome::Abort)),
            (State::Prepared, None),
            (State::Committed, Some(Outcome::Commit)),
            (State::Aborted, Some(Outcome::Abort)),
        ];
        assert_eq!(alone, expected, "who has not voted is free to abort; who has voted yes is not");
    }

    /// Of all the ways in which participants can stand, exactly one is stuck: everybody in it voted yes, nobody knows.
    #[test]
    fn participants_block_exactly_when_all_of_them_are_uncertain() {
        for n in 1..=5 {
            let all = together(n);
            assert_eq!(all.len(), 3_usize.pow(n as u32) + 2_usize.pow(n as u32) - 1, "the test's own count");
            let stuck: Vec<_> = all.iter().filter(|states| terminate(states).is_none()).collect();
            assert_eq!(stuck, [&vec![State::Prepared; n]], "of {} ways for {n} participants", all.len());
            for states in all.iter().filter(|states| terminate(states).is_some()) {
                let committed = states.contains(&State::Committed);
                let expected = if committed { Outcome::Commit } else { Outcome::Abort };
                assert_eq!(terminate(states), Some(expected), "{states:?}");
            }
        }
    }

    /// The list of the test before is not a guess: your protocol reaches each of its entries, and nothing else.
    #[test]
    fn the_protocol_reaches_each_of_these_states_and_no_other() {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let watch = Arc::clone(&seen);
        let make = |id, log| Site::new(id, 4, Vote::Yes, log);
        let world = World::new(["c", "p1", "p2", "p3"], make).call(COORDINATOR, Finish).fires(2).within(|state| {
            // Who asks has nothing to learn here but noise for the search.
            !state.messages().any(|(_, _, message)| *message == Message::Ask)
        });
        prove(&judged(world).always("how they stand is noted", move |state| {
            let states: Vec<_> = laws::participants(&state.cluster()).map(|(_, p)| p.state()).collect();
            watch.lock().expect("one thread").insert(states);
            Ok(())
        }));
        let reached: Vec<_> = seen.lock().expect("one thread").iter().cloned().collect();
        let mut expected = together(3);
        expected.sort();
        assert_eq!(reached.len(), 34);
        assert_eq!(reached, expected);
    }

    /// The coordinator is down for good, and perhaps a participant with it. The others talk.
    fn alone_with(states: &[State], down: &[NodeId]) -> Search<World<Site>> {
        let preset: Vec<Log> = states.iter().map(|state| log(*state)).collect();
        let make = move |id: NodeId, disk: Option<Log>| {
            let before = if id == COORDINATOR { None } else { Some(preset[id.0 - 1].clone()) };
            Site::new(id, 4, Vote::Yes, disk.or(before))
        };
        let gone: Vec<NodeId> = std::iter::once(COORDINATOR).chain(down.iter().copied()).collect();
        let left = 4 - gone.len();
        let world = World::new(["c", "p1", "p2", "p3"], make).crashes(gone.len()).fires(3);
        let world = world.within(move |state| state.cluster().up().count() == left);
        Search::of(world).always("AC1, all decide alike", laws::all_decide_alike).after(move |stage| {
            for node in gone {
                stage.force(kit::explore::Action::Crash(node));
            }
        })
    }

    /// What `terminate` says is what your participants do, from each of the 34 states, with everybody up or one down.
    #[test]
    fn survivors_end_what_can_be_ended_and_wait_where_they_must() {
        for states in together(3) {
            for down in [&[][..], &[NodeId(1)]] {
                let up: Vec<State> = states[down.len()..].to_vec();
                let verdict = if up.contains(&State::Committed) {
                    Some(State::Committed)
                } else if up.iter().all(|state| *state == State::Prepared) {
                    None
                } else {
                    Some(State::Aborted)
                };
                let told = format!("{up:?}");
                alone_with(&states, down)
                    .eventually("survivors end together", move |state| {
                        for (id, participant) in laws::participants(&state.cluster()) {
                            let (is, wanted) = (participant.state(), verdict.unwrap_or(State::Prepared));
                            if is != wanted {
                                return Err(format!("from {told}, {id} ends {is:?} and not {wanted:?}"));
                            }
                        }
                        Ok(())
                    })
                    .assert();
            }
        }
    }

    /// The one stuck state, in a run: everybody has voted yes when the coordinator dies. It lasts as long as its log is
    /// out of reach, and not a moment longer.
    #[test]
    fn blocking_ends_when_the_coordinators_log_is_back() {
        for decided in [false, true] {
            let mut sim = Sim::new(kit::Seed(1), |id, log| Site::new(id, 3, Vote::Yes, log));
            sim.set_network(Network::exact(Millis(5)));
            let [c, p1, p2] = sim.join_all(["c", "p1", "p2"]);
            sim.call(c, Finish);
            sim.run_for(Millis(7)); // both have voted
            if decided {
                sim.inject(Fault::Cut { from: c, to: p1 });
                sim.inject(Fault::Cut { from: c, to: p2 });
                sim.run_for(Millis(5)); // the decision is in the log, and reaches nobody
            }
            sim.inject(Fault::Crash { node: c, lose_last_write: false });
            sim.inject(Fault::Heal);
            sim.run_for(Millis(60_000));
            for (id, participant) in laws::participants(&sim.cluster()) {
                let why = "it cannot know; whatever it did could be wrong";
                assert_eq!(participant.state(), State::Prepared, "{id} after a minute: {why}\n{sim}");
            }
            sim.inject(Fault::Restart(c));
            sim.run_for(RETRY + Millis(20));
            let wanted = if decided { State::Committed } else { State::Aborted };
            for (id, participant) in laws::participants(&sim.cluster()) {
                assert_eq!(participant.state(), wanted, "{id}, when the log is back (decided: {decided})\n{sim}");
            }
        }
    }
}

mod stage_4_the_third_phase {
    use super::*;
    use kit::{Fault, Network, Sim};
    use two_phase_commit::three_phase::{self, Site};
    use two_phase_commit::{Split, agree, divergence};

    const SITES: usize = 4;

    fn states<'a>(cluster: &Cluster<'a, Site>) -> Vec<(NodeId, three_phase::State)> {
        cluster.up().map(|(id, site)| (id, site.state())).collect()
    }

    /// A run of a second, in which `trouble` begins at `at` after the call. A message takes 5 ms.
    fn run(at: Millis, trouble: impl FnOnce(&mut Sim<Site>)) -> Sim<Site> {
        let mut sim = Sim::new(kit::Seed(1), |id, _| Site::new(id, SITES)).over(Network::exact(Millis(5)));
        sim.join_all(["c", "p1", "p2", "p3"]);
        sim.call(COORDINATOR, three_phase::Finish);
        sim.run_for(at);
        trouble(&mut sim);
        sim.run_for(Millis(1_000));
        sim
    }

    #[test]
    fn only_a_commit_beside_an_abort_breaks_the_law() {
        use three_phase::State::{Aborted, Committed, Precommitted, Waiting, Working};
        let at = |states: &[three_phase::State]| {
            agree(&states.iter().enumerate().map(|(i, state)| (NodeId(i), *state)).collect::<Vec<_>>())
        };
        let fine: [&[_]; 5] = [
            &[Committed, Committed, Precommitted],
            &[Aborted, Working, Waiting],
            &[Committed, Waiting],
            &[Precommitted, Aborted],
            &[],
        ];
        for states in fine {
            assert_eq!(at(states), Ok(()), "{states:?}: who has not decided has not decided wrongly");
        }
        for states in [&[Committed, Aborted][..], &[Waiting, Aborted, Precommitted, Committed]] {
            assert!(at(states).is_err(), "{states:?}: one has committed, one has aborted");
        }
        let why = at(&[Waiting, Committed, Aborted, Aborted]).expect_err("n1 has committed, n2 and n3 have aborted");
        let named = ["n0", "n1", "n2", "n3"].map(|site| why.contains(site));
        assert_eq!(named, [false, true, true, false], "n1 committed and n2 was the first to abort, not {why:?}");
    }

    /// What the third phase was made for: the coordinator dies at any moment, in the middle of any broadcast, and the
    /// others agree and do not wait for it.
    #[test]
    fn with_crashes_only_it_never_blocks_and_never_disagrees() {
        for at in 0..=40 {
            for missed in 0..8_usize {
                let sim = run(Millis(at), |sim| {
                    for to in (1..SITES).filter(|to| missed & (1 << (to - 1)) != 0).map(NodeId) {
                        sim.inject(Fault::Cut { from: COORDINATOR, to });
                    }
                    sim.inject(Fault::Crash { node: COORDINATOR, lose_last_write: false });
                });
                let left = states(&sim.cluster());
                assert_eq!(agree(&left), Ok(()), "the coordinator died at {at} ms\n{sim}");
                let open = |state: three_phase::State| {
                    !matches!(state, three_phase::State::Committed | three_phase::State::Aborted)
                };
                assert!(!left.iter().any(|(_, state)| open(*state)), "undecided after a second: {left:?}\n{sim}");
            }
        }
    }

    /// The same code, no crash at all, and a timer that goes off while a message is late: silence did not mean death.
    /// The explorer judges with *your* law, and must find a run that breaks it.
    #[test]
    fn the_explorer_finds_two_outcomes_without_a_single_crash() {
        let make = |id, _| Site::new(id, 3);
        let world = World::new(["c", "p1", "p2"], make).call(COORDINATOR, three_phase::Finish).fires(3);
        let search = Search::of(world).always("AC1, all decide alike", |state| agree(&states(&state.cluster())));
        let outcome = search.run();
        let kit::explore::Found::Broken(example) = outcome.found else {
            panic!("three timers that go off too early are enough, and nothing was found: {:?}", outcome.found)
        };
        let crashed = example.actions.iter().any(|action| matches!(action, kit::explore::Action::Crash(_)));
        assert!(!crashed, "{:?}", example.actions);
        // The run is worth reading: cargo test -- --nocapture
        println!("{} in {} steps\n{}", example.because, example.actions.len(), search.model().trace(&example));
    }

    #[test]
    fn your_split_makes_it_diverge() {
        let Split { at, side } = divergence();
        let other: Vec<NodeId> = (0..SITES).map(NodeId).filter(|id| !side.contains(id)).collect();
        assert!(!side.is_empty() && !other.is_empty(), "a split has two sides, yours are {side:?} and {other:?}");
        let sim = run(at, |sim| sim.inject(Fault::Partition(vec![side.clone(), other.clone()])));
        let end = states(&sim.cluster());
        let has = |wanted| end.iter().any(|(_, state)| *state == wanted);
        let both = has(three_phase::State::Committed) && has(three_phase::State::Aborted);
        assert!(both, "split at {at}, {side:?} | {other:?}: both sides agree\n{sim}");
    }
}
