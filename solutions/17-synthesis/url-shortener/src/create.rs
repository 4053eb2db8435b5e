//! Stage 3: a URL becomes a link, once, whoever asks how often; and whatever is no URL is told what it is.

use std::net::Ipv6Addr;

use crate::code::{Code, Scheme};

/// The most bytes that a URL may have.
pub const LONGEST: usize = 2_048;

/// Why a text does not become a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Rejected {
    /// More than [`LONGEST`] bytes, this many.
    TooLong(usize),
    /// The byte at this place is not allowed in a URL: white space, a control character, anything but ASCII, or one of ``"<>\` ``.
    Character(usize),
    /// It begins with a scheme, but not with `http` or `https`: this one, in lower case.
    Scheme(String),
    /// It does not begin with `http://` or `https://`.
    NotAUrl,
    /// A user name or a password stands before the host: `https://your-bank.example@evil.example/`.
    Credentials,
    /// What stands for the host is no name and no address, or its port is none.
    Host,
    /// It leads to ourselves.
    Itself,
}

/// A URL that a link may lead to, in its normal form: two that differ only in ways that cannot matter are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(String);

impl Target {
    // ANCHOR: parse
    /// Reads what somebody wants shortened. `ourselves` is our own host, in lower case, without a port.
    ///
    /// The normal form (RFC 3986, section 6.2): scheme and host in lower case, no port if it is the scheme's own or empty, no zeros in front of
    /// another, and `/` for an empty path. Nothing else changes, not even a last dot of the host; `Path` and `path` are two pages.
    ///
    /// A host is a name of labels with dots between them, perhaps with one more at its end: 253 characters at most, each label of
    /// 1 to 63 letters, digits, `-` and `_`. Or an IPv6 address in brackets. A port is a number below 65,536 in decimal digits.
    /// A host is ours whatever its case and its port are, and with a last dot too.
    ///
    /// # Errors
    /// The first of [`Rejected`]'s cases, in the order in which they stand there, that holds. A scheme is a letter, then letters,
    /// digits, `+`, `-` or `.`, up to the first `:`.
    pub fn parse(text: &str, ourselves: &str) -> Result<Self, Rejected> {
        if text.len() > LONGEST {
            return Err(Rejected::TooLong(text.len()));
        }
        let forbidden = |byte: u8| !byte.is_ascii_graphic() || br#""<>\`"#.contains(&byte);
        if let Some(at) = text.bytes().position(forbidden) {
            return Err(Rejected::Character(at));
        }
        let (scheme, rest) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).ok_or(Rejected::NotAUrl)?;
        let scheme = scheme.to_ascii_lowercase();
        let own_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return Err(Rejected::Scheme(scheme)),
        };
        let rest = rest.strip_prefix("//").ok_or(Rejected::NotAUrl)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Rejected::Credentials);
        }
        let (host, port) = host_and_port(&authority.to_ascii_lowercase()).ok_or(Rejected::Host)?;
        if host.strip_suffix('.').unwrap_or(&host) == ourselves {
            return Err(Rejected::Itself);
        }
        let port = port.filter(|&port| port != own_port).map(|port| format!(":{port}")).unwrap_or_default();
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self(format!("{scheme}://{host}{port}{slash}{path}")))
    }
    // ANCHOR_END: parse

    /// A target that comes back from where it was stored, and so was read once.
    #[must_use]
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The parts of an authority without credentials, if they are what they should be.
fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let end_of_host = authority.rfind(']').map_or_else(|| authority.find(':'), |bracket| Some(bracket + 1));
    let (host, port) = authority.split_at(end_of_host.unwrap_or(authority.len()));
    let sound = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']')?.parse::<Ipv6Addr>().is_ok(),
        None => is_name(host.strip_suffix('.').unwrap_or(host)),
    };
    let port = match port {
        "" | ":" => None,
        port => {
            let digits = port.strip_prefix(':').filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
            Some(digits.parse().ok()?)
        }
    };
    sound.then(|| (host.to_owned(), port))
}

fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// What is stored under a code, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// Where it leads. Never changes.
    pub target: Target,
    /// Whether it was taken down. Its code is not free again: old copies of it would lead elsewhere.
    pub removed: bool,
}

/// What a store can be asked, in one step that nothing comes between.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Store this target under this code, unless there is a link, removed or not.
    Insert(Code, Target),
    /// What is there?
    Fetch(Code),
    /// Take the link down, if there is one.
    Remove(Code),
}

impl Command {
    /// The code that it is about.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Insert(code, _) | Self::Fetch(code) | Self::Remove(code) => *code,
        }
    }
}

/// What a store answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// To [`Command::Insert`]: done.
    Inserted,
    /// To [`Command::Insert`]: this link was there, and nothing is changed.
    Occupied(Link),
    /// To [`Command::Fetch`] and [`Command::Remove`]: what is there now, if anything.
    Row(Option<Link>),
}

/// What became of a wish for a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// There is a new link.
    Created(Code),
    /// There was one for this target already.
    Existing(Code),
    /// There was one, and it was taken down; so it stays.
    Removed(Code),
    /// [`ATTEMPTS`] codes are all taken by others.
    Exhausted,
}

/// How many codes are tried for a target.
pub const ATTEMPTS: u32 = 8;

// ANCHOR: create
/// The wish for a link, step by step. Between any two steps anything can happen in the store, and a step may be done twice.
#[derive(Clone, Debug)]
pub struct Create<S> {
    scheme: S,
    target: Target,
    attempt: u32,
    outcome: Option<Outcome>,
}

impl<S: Scheme> Create<S> {
    /// Wants a link to `target`, under the first code that `scheme` offers and nobody else has.
    #[must_use]
    pub fn new(scheme: S, target: Target) -> Self {
        Self { scheme, target, attempt: 0, outcome: None }
    }

    /// What it wants done next; nothing once there is an [`outcome`](Self::outcome). Asked again, it wants the same again.
    #[must_use]
    pub fn next(&self) -> Option<Command> {
        let candidate = || self.scheme.candidate(self.target.as_str(), self.attempt);
        self.outcome.is_none().then(|| Command::Insert(candidate(), self.target.clone()))
    }

    /// Hears the answer to what it wanted done last.
    pub fn told(&mut self, answer: &Answer) {
        let Some(Command::Insert(code, _)) = self.next() else { return };
        match answer {
            Answer::Inserted => self.outcome = Some(Outcome::Created(code)),
            Answer::Occupied(link) if link.target == self.target => {
                self.outcome = Some(if link.removed { Outcome::Removed(code) } else { Outcome::Existing(code) });
            }
            Answer::Occupied(_) => {
                self.attempt += 1;
                if self.attempt == ATTEMPTS {
                    self.outcome = Some(Outcome::Exhausted);
                }
            }
            Answer::Row(_) => {}
        }
    }

    /// What became of it, once it has come to its end.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }
}
// ANCHOR_END: create
