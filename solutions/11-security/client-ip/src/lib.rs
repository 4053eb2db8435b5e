//! Whose request is it? Read what your own proxies wrote, and nothing that a stranger could have written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The addresses that share their first bits: `10.0.0.0/8` is all that begin with 10.
///
/// An IPv4 address written in IPv6 (`::ffff:10.0.0.7`, as a socket for both reports it) *is* that IPv4 address.
#[derive(Clone, Copy, Debug)]
pub struct Net {
    base: IpAddr,
    prefix: u8,
}

impl Net {
    /// All addresses whose first `prefix` bits are those of `base`, whatever the other bits of `base` are.
    ///
    /// Nothing if an address has fewer bits than that, or if `base` is an IPv4 address written in IPv6.
    #[must_use]
    pub fn new(base: IpAddr, prefix: u8) -> Option<Self> {
        let bits = if base.is_ipv4() { 32 } else { 128 };
        (prefix <= bits && base == base.to_canonical()).then_some(Self { base, prefix })
    }

    /// Whether `address` is one of them. No IPv4 address lies in a net of IPv6 addresses, nor the other way round.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let differ = base.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let differ = base.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

/// What a limit for `client` counts by: an IPv4 address as it is, of an IPv6 address the first 64 bits, the others zero.
#[must_use]
pub fn limit_key(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(client) => Ipv6Addr::from_bits(client.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn is_trusted(address: IpAddr, trusted: &[Net]) -> bool {
    trusted.iter().any(|net| net.contains(address))
}

// ANCHOR: client
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
    let mut nearest = peer.to_canonical();
    for entry in forwarded_for.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !is_trusted(nearest, trusted) {
            break;
        }
        match address(entry.trim()) {
            Some(before) => nearest = before,
            None => break,
        }
    }
    nearest
}
// ANCHOR_END: client

fn address(entry: &str) -> Option<IpAddr> {
    let with_port = || entry.parse().map(|address: SocketAddr| address.ip());
    entry.parse().or_else(|_| with_port()).ok().map(|address: IpAddr| address.to_canonical())
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

const VERSION_1: &[u8] = b"PROXY";
const VERSION_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with its end.
const LONGEST_LINE: usize = 107;
/// The part of a header of version 2 that is always there.
const FIXED: usize = 16;
/// IPv6: two addresses of 16 bytes and two ports.
const LONGEST_ADDRESSES: usize = 36;

/// Reads the PROXY protocol's header, version 1 or 2, at the beginning of a connection, in whatever pieces it comes.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    /// The header's bytes so far, without what follows the addresses.
    seen: Vec<u8>,
    /// How many bytes there were.
    bytes: usize,
    done: Option<Result<Origin, Invalid>>,
}

impl Parser {
    /// A parser at the first byte of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
        let mut used = 0;
        while self.done.is_none() && used < chunk.len() {
            self.done = self.next(chunk[used]).transpose();
            used += 1;
        }
        self.done.transpose().map(|origin| origin.map(|origin| Header { origin, used }))
    }

    /// Takes in one byte. Whatever works for single bytes works for every way of cutting.
    fn next(&mut self, byte: u8) -> Result<Option<Origin>, Invalid> {
        self.bytes += 1;
        if self.bytes <= FIXED + LONGEST_ADDRESSES || self.seen.starts_with(VERSION_1) {
            self.seen.push(byte);
        }
        if self.seen.starts_with(VERSION_1) {
            self.version_1()
        } else if self.seen.starts_with(VERSION_2) {
            self.version_2()
        } else if VERSION_1.starts_with(&self.seen) || VERSION_2.starts_with(&self.seen) {
            Ok(None)
        } else {
            Err(Invalid::Signature)
        }
    }

    fn version_1(&self) -> Result<Option<Origin>, Invalid> {
        match self.seen.strip_suffix(b"\r\n") {
            Some(line) => line_origin(line).map(Some).ok_or(Invalid::Line),
            None if self.bytes >= LONGEST_LINE => Err(Invalid::Line),
            None => Ok(None),
        }
    }

    // ANCHOR: version_2
    fn version_2(&self) -> Result<Option<Origin>, Invalid> {
        let byte = |place: usize| self.seen.get(place - 1).copied();
        let Some(version_and_command) = byte(13) else { return Ok(None) };
        let (version, command) = (version_and_command >> 4, version_and_command & 0xf);
        if version != 2 {
            return Err(Invalid::Version(version));
        }
        if command > 1 {
            return Err(Invalid::Command(command));
        }
        let is_local = command == 0;
        let Some(family) = byte(14) else { return Ok(None) };
        if !is_local && (family >> 4 > 3 || family & 0xf > 2) {
            return Err(Invalid::Family(family));
        }
        let (Some(high), Some(low)) = (byte(15), byte(16)) else { return Ok(None) };
        let follow = u16::from_be_bytes([high, low]);
        let addresses = match family {
            _ if is_local => 0,
            0x11 => 12,
            0x21 => 36,
            _ => 0,
        };
        if follow < addresses {
            return Err(Invalid::Short(follow));
        }
        let complete = self.bytes == FIXED + usize::from(follow);
        Ok(complete.then(|| addresses_origin(&self.seen[FIXED..FIXED + usize::from(addresses)])))
    }
    // ANCHOR_END: version_2
}

fn line_origin(line: &[u8]) -> Option<Origin> {
    let rest = line.strip_prefix(b"PROXY ")?;
    if rest == b"UNKNOWN" || rest.starts_with(b"UNKNOWN ") {
        return Some(Origin::Connection);
    }
    let parts: Vec<&str> = std::str::from_utf8(rest).ok()?.split(' ').collect();
    let &[family, source, destination, source_port, destination_port] = parts.as_slice() else { return None };
    let address = |text: &str| match family {
        "TCP4" => text.parse().ok().map(IpAddr::V4),
        "TCP6" => text.parse().ok().map(IpAddr::V6),
        _ => None,
    };
    Some(Origin::Relayed {
        source: SocketAddr::new(address(source)?, port(source_port)?),
        destination: SocketAddr::new(address(destination)?, port(destination_port)?),
    })
}

/// Rust would read `+443` and `0443` too.
fn port(text: &str) -> Option<u16> {
    let number: u16 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn addresses_origin(block: &[u8]) -> Origin {
    let port = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
    let (source, destination, ports): (IpAddr, IpAddr, usize) = match block.len() {
        12 => (v4(&block[..4]), v4(&block[4..8]), 8),
        36 => (v6(&block[..16]), v6(&block[16..32]), 32),
        _ => return Origin::Connection,
    };
    Origin::Relayed {
        source: SocketAddr::new(source, port(ports)),
        destination: SocketAddr::new(destination, port(ports + 2)),
    }
}

fn v4(bytes: &[u8]) -> IpAddr {
    let bytes: [u8; 4] = bytes.try_into().expect("four bytes of an IPv4 address");
    Ipv4Addr::from(bytes).into()
}

fn v6(bytes: &[u8]) -> IpAddr {
    let bytes: [u8; 16] = bytes.try_into().expect("sixteen bytes of an IPv6 address");
    Ipv6Addr::from(bytes).into()
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
    let begin = match header {
        Some(_) if !is_trusted(peer, trusted) => return Err(Untrusted(peer)),
        Some(Origin::Relayed { source, .. }) => source.ip(),
        Some(Origin::Connection) | None => peer,
    };
    Ok(client(begin, forwarded_for, trusted))
}
