//! Whose request is it? Read what your own proxies wrote, and nothing that a stranger could have written.

use std::net::{IpAddr, SocketAddr};

/// The addresses that share their first bits: `10.0.0.0/8` is all that begin with 10.
///
/// An IPv4 address written in IPv6 (`::ffff:10.0.0.7`, as a socket for both reports it) *is* that IPv4 address.
#[derive(Clone, Copy, Debug)]
pub struct Net {
    // TODO: what decides whether an address is one of them?
}

impl Net {
    /// All addresses whose first `prefix` bits are those of `base`, whatever the other bits of `base` are.
    ///
    /// Nothing if an address has fewer bits than that, or if `base` is an IPv4 address written in IPv6.
    #[must_use]
    pub fn new(base: IpAddr, prefix: u8) -> Option<Self> {
        todo!("the net {base}/{prefix}")
    }

    /// Whether `address` is one of them. No IPv4 address lies in a net of IPv6 addresses, nor the other way round.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        todo!("is {address} in {self:?}?")
    }
}

/// What a limit for `client` counts by: an IPv4 address as it is, of an IPv6 address the first 64 bits, the others zero.
#[must_use]
pub fn limit_key(client: IpAddr) -> IpAddr {
    todo!("what does a limit for {client} count by?")
}

/// The client of a request that arrived from `peer` with these `X-Forwarded-For` lines, in their order.
///
/// A line is a list with commas, perhaps with blanks around them, and several lines are one list. An entry is an address, with or without a port:
/// `203.0.113.7`, `203.0.113.7:51234`, `2001:db8::7` or `[2001:db8::7]:51234`.
///
/// It is the nearest address that is not one of the `trusted` proxies: the peer itself, or the last entry that is not.
/// Are all of them trusted, then it is the first entry. What is no address, be it empty, ends the search: nobody knows what
/// lies behind, and the client is the trusted proxy before it. The answer is never an IPv4 address written in IPv6.
#[must_use]
pub fn client(peer: IpAddr, forwarded_for: &[&str], trusted: &[Net]) -> IpAddr {
    todo!("who sent what came from {peer} with {forwarded_for:?}, if {trusted:?} are ours?")
}

/// What a PROXY protocol header says about its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing: the proxy speaks for itself, or cannot say for whom. The connection's own addresses hold.
    Connection,
    /// The proxy relays a connection from `source` to `destination`.
    Relayed {
        /// Who connected to the proxy.
        source: SocketAddr,
        /// Where to.
        destination: SocketAddr,
    },
}

/// A complete header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it says.
    pub origin: Origin,
    /// How many bytes of the chunk that completed it belong to it. All others are the application's.
    pub used: usize,
}

/// Why a connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It begins neither with `PROXY`, as version 1 does, nor with the 12 bytes of version 2. Said with the first byte that fits neither.
    Signature,
    /// Version 1: the line is not of the form that is prescribed, or does not end within 107 bytes, `\r\n` included.
    Line,
    /// Version 2, byte 13: not version 2, but this.
    Version(u8),
    /// Version 2, byte 13: a command that is neither LOCAL (0) nor PROXY (1), but this.
    Command(u8),
    /// Version 2, byte 14: a family above 3 or a transport above 2, in this byte.
    Family(u8),
    /// Version 2, bytes 15 and 16: so few bytes follow that the addresses of TCP over IP cannot be among them.
    Short(u16),
}

/// Reads the PROXY protocol's header, version 1 or 2, at the beginning of a connection, in whatever pieces it comes.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    // TODO: a chunk may end anywhere. What must be kept from one to the next?
}

impl Parser {
    /// A parser at the first byte of a connection.
    #[must_use]
    pub fn new() -> Self {
        todo!("a parser that has seen nothing")
    }

    /// Takes in the bytes that came next, as many as there are; answers nothing while the header is incomplete.
    ///
    /// Once it is complete, or refused, the answer stays the same, and no byte of later chunks is used.
    ///
    /// **Version 1** is one line, `PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n`, with exactly one space between its
    /// parts: TCP4 or TCP6, source and destination address of that family, source and destination port in decimal digits
    /// and without leading zeros. Or `PROXY UNKNOWN\r\n`, where a space and anything may stand before the end; it says nothing.
    ///
    /// **Version 2** is 12 bytes `0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A`, one byte with the version (upper half) and the
    /// command (lower half), one with family and transport, two with the number of bytes that follow, and those. All numbers
    /// are big-endian. LOCAL says nothing, whatever its family. PROXY with family and transport `0x11` gives 4 + 4 bytes of
    /// addresses and 2 + 2 of ports, `0x21` 16 + 16 and 2 + 2: source before destination. Other families
    /// say nothing. What follows the addresses belongs to the header and is skipped.
    ///
    /// # Errors
    /// [`Invalid`], with the first byte by which it is certain; of version 1 at the latest with the last of the line.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Option<Header>, Invalid> {
        todo!("{chunk:?} came after what {self:?} has seen")
    }
}

/// A header came from this peer, who is not one of the trusted proxies. The connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untrusted(pub IpAddr);

/// The client of a request, where a connection may begin with a PROXY header *and* requests may name whom they are forwarded for.
///
/// `peer` is who opened the connection. A header that relays stands for the connection that it speaks of, and so
/// the search of [`client`] begins at its source.
///
/// # Errors
/// [`Untrusted`] if there is a header and the peer is not one of the `trusted` proxies.
pub fn client_of(
    peer: IpAddr,
    header: Option<Origin>,
    forwarded_for: &[&str],
    trusted: &[Net],
) -> Result<IpAddr, Untrusted> {
    todo!("who sent what came from {peer} with {header:?} and {forwarded_for:?}, if {trusted:?} are ours?")
}
