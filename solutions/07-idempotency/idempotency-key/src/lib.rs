//! A request gets a name from its sender. Whoever executes it remembers the name, what was asked, and what came of it.

pub mod web;

use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;

/// Who asks, as established by authentication and never by what the request says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Caller(pub String);

/// The name that a caller gave a request: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// `text` as a key; nothing if it is empty, too long, or has other characters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 1: the fingerprint
// ---------------------------------------------------------------------------------------------------------------------

/// What was asked for, in a form in which the same is equal and different things are not. The same in every process: it can be stored, or hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(Vec<u8>);

impl Fingerprint {
    // ANCHOR: of
    /// The fingerprint of a request; neither `method` nor `target` (path and query) contains white space.
    ///
    /// A body that is JSON counts by what it says: order of fields, white space and ways of escaping do not matter; everything else does, such as the order in arrays,
    /// 1 or "1", null or absent, and every digit of a whole number up to `u64::MAX`. (Whether 1 and 1.0 are the same is open.) Another body counts by its bytes.
    #[must_use]
    pub fn of(method: &str, target: &str, body: &[u8]) -> Self {
        let mut text = format!("{method} {target} ");
        if let Ok(value) = serde_json::from_slice::<Value>(body) {
            text.push_str("json ");
            write_canonical(&value, &mut text);
            Self(text.into_bytes())
        } else {
            text.push_str("bytes ");
            Self([text.as_bytes(), body].concat())
        }
    }
    // ANCHOR_END: of

    /// The fingerprint as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Writes JSON without white space and with the fields of each object in the order of their names.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            // a `serde_json::Map` is ordered by name, unless some crate in the build asks for `preserve_order`
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|field| field.0);
            text.push('{');
            for (name, value) in fields {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for value in values {
                write_canonical(value, text);
                text.push(',');
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stages 2 and 3: the store
// ---------------------------------------------------------------------------------------------------------------------

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Begin<R> {
    /// Execute it, and then hand the permit back with the response. Nobody else has one for this key.
    Run(Permit),
    /// It was executed, and this was the response.
    Replay(R),
    /// Somebody executes it at this moment: ask again later.
    InProgress,
    /// The caller has used the key for another request.
    Mismatch,
}

/// The right and the duty to execute one request. It cannot be copied; whoever has it must [`finish`](Store::finish) or [`abandon`](Store::abandon).
#[derive(Debug, PartialEq, Eq)]
pub struct Permit(Caller, Key);

/// What became of the requests of each caller. Times are counted from any fixed moment, and who looked at the clock earlier may come later.
#[derive(Clone, Debug)]
pub struct Store<R> {
    ttl: Duration,
    records: HashMap<(Caller, Key), Record<R>>,
}

#[derive(Clone, Debug)]
struct Record<R> {
    fingerprint: Fingerprint,
    state: State<R>,
}

#[derive(Clone, Debug)]
enum State<R> {
    InProgress,
    Done { response: R, expiry: Duration },
}

impl<R: Clone> Store<R> {
    /// An empty store that keeps each response for `ttl`, counted from when it was there: not at all if that is zero, and for ever if it goes beyond the last [`Duration`].
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        Self { ttl, records: HashMap::new() }
    }

    // ANCHOR: begin
    /// What to do with a request that arrives at `now`.
    ///
    /// Keys of different callers have nothing to do with each other. A key is free before its first use, after it was abandoned, and from the moment on that its response
    /// has expired. As long as it is not free, another fingerprint is a mismatch, whether the first request still runs or not. What is in progress stays so until it is finished or abandoned,
    /// however long that takes. A replay does not prolong anything.
    pub fn begin(&mut self, caller: &Caller, key: &Key, fingerprint: &Fingerprint, now: Duration) -> Begin<R> {
        let id = (caller.clone(), key.clone());
        if let Some(record) = self.records.get(&id).filter(|record| !record.is_expired(now)) {
            return match &record.state {
                _ if record.fingerprint != *fingerprint => Begin::Mismatch,
                State::InProgress => Begin::InProgress,
                State::Done { response, .. } => Begin::Replay(response.clone()),
            };
        }
        self.records.insert(id, Record { fingerprint: fingerprint.clone(), state: State::InProgress });
        Begin::Run(Permit(caller.clone(), key.clone()))
    }
    // ANCHOR_END: begin

    /// The request was executed, successfully or not, and `response` is what came of it at `now`.
    pub fn finish(&mut self, permit: Permit, response: R, now: Duration) {
        if let Some(record) = self.records.get_mut(&(permit.0, permit.1)) {
            record.state = State::Done { response, expiry: now.saturating_add(self.ttl) };
        }
    }

    /// The request was surely not executed: the key is free again.
    pub fn abandon(&mut self, permit: Permit) {
        self.records.remove(&(permit.0, permit.1));
    }

    /// Forgets what has expired at `now`.
    pub fn prune(&mut self, now: Duration) {
        self.records.retain(|_, record| !record.is_expired(now));
    }

    /// How many keys it remembers, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it remembers none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<R> Record<R> {
    fn is_expired(&self, now: Duration) -> bool {
        match self.state {
            State::InProgress => false,
            State::Done { expiry, .. } => expiry <= now,
        }
    }
}
