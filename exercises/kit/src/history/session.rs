//! What one client may expect of its own session, whatever the others do (Terry et al., PDIS 1994).

use std::collections::HashMap;
use std::hash::Hash;

/// One access of a client, in the order in which that client made it.
///
/// Versions say which write a read returned: they grow in the order in which the store applied the writes of a key, and
/// 0 is the state before any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A read that returned this version.
    Read(u64),
    /// A write that became this version.
    Write(u64),
}

/// What a session is promised (Terry et al. 1994, §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guarantee {
    /// A read returns no version older than the client's own earlier writes.
    ReadYourWrites,
    /// A read returns no version older than an earlier read did.
    MonotonicReads,
    /// A write is ordered after the client's own earlier writes.
    MonotonicWrites,
    /// A write is ordered after every version that the client had read.
    WritesFollowReads,
}

/// A promise that was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionBreach {
    /// Which one.
    pub guarantee: Guarantee,
    /// The place in the list of the access that was forgotten …
    pub earlier: usize,
    /// … and of the one that forgot it.
    pub later: usize,
}

/// Every breach in a list of accesses, told apart by client and key.
///
/// Each access is compared with the newest earlier one of each kind, so one late read is one breach, not many.
#[must_use]
pub fn check_sessions<C: Hash + Eq + Clone, K: Hash + Eq + Clone>(accesses: &[(C, K, Access)]) -> Vec<SessionBreach> {
    let mut newest: HashMap<(C, K), Newest> = HashMap::new();
    let mut breaches = vec![];
    for (later, (client, key, access)) in accesses.iter().enumerate() {
        let seen = newest.entry((client.clone(), key.clone())).or_default();
        let (version, after_write, after_read) = match *access {
            Access::Read(version) => (version, Guarantee::ReadYourWrites, Guarantee::MonotonicReads),
            Access::Write(version) => (version, Guarantee::MonotonicWrites, Guarantee::WritesFollowReads),
        };
        let forgotten = [(seen.write, after_write), (seen.read, after_read)];
        breaches.extend(forgotten.into_iter().filter_map(|(before, guarantee)| {
            let (earlier, known) = before?;
            (version < known).then_some(SessionBreach { guarantee, earlier, later })
        }));
        let same_kind = if matches!(access, Access::Read(_)) { &mut seen.read } else { &mut seen.write };
        if same_kind.is_none_or(|(_, known)| version >= known) {
            *same_kind = Some((later, version));
        }
    }
    breaches
}

/// The newest version that a client has read and written of a key, and where in the list.
#[derive(Default)]
struct Newest {
    read: Option<(usize, u64)>,
    write: Option<(usize, u64)>,
}
