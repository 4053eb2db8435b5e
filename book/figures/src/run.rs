//! A run, made ready for a reader who steps through it: the routine left out, a broken law marked where it broke.

use kit::trace::{Event, Trace, What};
use kit::{Node, Sim, Time};
use std::mem::ManuallyDrop;

/// `sim`, never to be dropped: what a simulation leaves behind when a test fails, text, page and player, is nothing for a figure, and
/// would be a fifth of its module.
pub(crate) const fn unwatched<N: Node>(sim: Sim<N>) -> ManuallyDrop<Sim<N>> {
    ManuallyDrop::new(sim)
}

/// `trace` without the messages and timers that are `routine` and after which every lifeline shows what it showed before.
///
/// What `routine` does not name stays, and so does every event that changes what a lifeline shows.
pub(crate) fn without_routine(trace: &Trace, mut routine: impl FnMut(&Event) -> bool) -> Trace {
    let message = |what: &What| match what {
        What::Sent { id, .. } | What::Delivered { id, .. } | What::Lost { id, .. } => Some(*id),
        _ => None,
    };
    let named: Vec<bool> = trace.events.iter().map(&mut routine).collect();
    // What becomes of a message decides about its departure too.
    let mut stays: Vec<(u64, bool)> = vec![];
    for (event, named) in trace.events.iter().zip(&named) {
        if let (Some(id), false) = (message(&event.what), matches!(event.what, What::Sent { .. })) {
            stays.push((id, event.status.is_some() || !named));
        }
    }
    let dull = trace.events.iter().zip(&named).map(|(event, named)| match message(&event.what) {
        Some(id) => match stays.iter().find(|(of, _)| *of == id) {
            Some((_, stays)) => !stays,
            None => *named,
        },
        None => *named && event.status.is_none(),
    });
    let events = trace.events.iter().zip(dull).filter(|(_, dull)| !dull).map(|(event, _)| event.clone());
    Trace { title: trace.title.clone(), seed: trace.seed, lanes: trace.lanes.clone(), events: events.collect() }
}

/// Where and why a law broke for the first time: after how many events, when, and the reason.
pub(crate) type Broken = Option<(usize, Time, String)>;

/// Lets time pass until `until` and asks after each step whether `law` is broken; what is told first is kept.
pub(crate) fn watch<N: Node>(
    sim: &mut Sim<N>,
    until: Time,
    broken: &mut Broken,
    mut law: impl FnMut(&Sim<N>) -> Option<String>,
) {
    sim.run_until(until.since(sim.now()), |sim| {
        if broken.is_none() {
            *broken = law(sim).map(|because| (sim.trace().events.len(), sim.now(), because));
        }
        false
    });
}

/// `trace` with `law` marked as broken where it broke.
pub(crate) fn marked(trace: &Trace, law: &str, broken: &Broken) -> Trace {
    let mut marked = trace.clone();
    if let Some((place, at, because)) = broken {
        let what = What::Broken { law: law.to_owned(), because: because.clone() };
        marked.events.insert(*place, Event { at: *at, what, status: None });
    }
    marked
}

/// `trace` under the title that stands above it in the player.
pub(crate) fn titled(trace: Trace, title: &str) -> Trace {
    Trace { title: title.to_owned(), seed: None, ..trace }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routine_message_stays_if_its_arrival_changes_what_is_shown() {
        let mut trace = Trace::new("t", ["a", "b"]);
        for (id, status) in [(1, None), (2, Some("term 2".to_owned()))] {
            trace.push(Time(id), What::Sent { id, from: 0, to: 1, label: "lead".into() });
            let what = What::Delivered { id, from: 0, to: 1, label: "lead".into(), sent: Time(id) };
            trace.events.push(Event { at: Time(id + 5), what, status });
        }
        trace.push(Time(9), What::Network { label: "the network heals".into() });
        let left = without_routine(&trace, |event| !matches!(event.what, What::Network { .. }));
        let times: Vec<u64> = left.events.iter().map(|event| event.at.0).collect();
        assert_eq!(times, [2, 7, 9]);
    }

    #[test]
    fn a_broken_law_stands_where_it_broke() {
        let mut trace = Trace::new("t", ["a"]);
        trace.push(Time(1), What::Resumed { lane: 0 });
        trace.push(Time(3), What::Resumed { lane: 0 });
        let marked = marked(&trace, "law", &Some((1, Time(2), "why".into())));
        assert_eq!(marked.events.iter().map(|event| event.at.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(marked.broken(), Some(("law", "why")));
    }
}
