//! Who sent it: by the address of the connection, by what proxies wrote, and by what anybody can write.

use client_ip::{Header, Invalid, Net, Origin, Parser, Untrusted, client, client_of, limit_key};
use kit::{Rng, Sometimes, for_seeds};
use rand::RngExt as _;
use std::net::{IpAddr, SocketAddr};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("the tests write addresses that are some")
}

fn net(base: &str, prefix: u8) -> Net {
    Net::new(ip(base), prefix).unwrap_or_else(|| panic!("{base}/{prefix} is a net"))
}

/// Our own proxies: the inner ones, and the two at the edge.
fn ours() -> Vec<Net> {
    vec![net("10.0.0.0", 24), net("192.0.2.8", 31), net("2001:db8:cafe::", 48)]
}

/// Gina, in Graz.
const GINA: &str = "203.0.113.9";

#[track_caller]
fn is_client(peer: &str, lines: &[&str], expected: &str) {
    let got = client(ip(peer), lines, &ours());
    assert!(got == ip(expected), "from {peer} with {lines:?} came {expected}, not {got}");
}

/// `203.0.113.9:51000` and where it went.
fn relayed(source: &str, destination: &str) -> Origin {
    let socket = |text: &str| -> SocketAddr { text.parse().expect("the tests write addresses with ports") };
    Origin::Relayed { source: socket(source), destination: socket(destination) }
}

/// Feeds everything at once.
fn parse(bytes: &[u8]) -> Result<Option<Header>, Invalid> {
    Parser::new().feed(bytes)
}

#[track_caller]
fn parses(bytes: &[u8], origin: Origin, length: usize) {
    let got = parse(bytes);
    let expected = Header { origin, used: length };
    assert!(got == Ok(Some(expected)), "{}: expected {expected:?}, got {got:?}", bytes.escape_ascii());
}

#[track_caller]
fn is_refused(bytes: &[u8], why: Invalid) {
    let got = parse(bytes);
    assert!(got == Err(why), "{}: expected {why:?}, got {got:?}", bytes.escape_ascii());
}

/// A header of version 2: byte 13, byte 14, and what follows the length.
fn version_2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).expect("a block fits its length");
    let mut bytes = b"\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A".to_vec();
    bytes.extend([command, family]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(block);
    bytes
}

/// From 203.0.113.9:51000 to 192.0.2.8:443.
const BLOCK_4: &[u8] = &[203, 0, 113, 9, 192, 0, 2, 8, 0xC7, 0x38, 0x01, 0xBB];

mod stage_1_nets {
    use super::*;

    #[track_caller]
    fn holds(base: &str, prefix: u8, inside: &[&str], outside: &[&str]) {
        for (addresses, expected) in [(inside, true), (outside, false)] {
            for address in addresses {
                let got = net(base, prefix).contains(ip(address));
                assert!(got == expected, "{base}/{prefix} contains {address}: expected {expected}");
            }
        }
    }

    #[test]
    fn a_net_is_all_addresses_that_share_its_first_bits() {
        holds("10.0.0.0", 8, &["10.0.0.0", "10.255.255.255"], &["9.255.255.255", "11.0.0.0"]);
        holds("172.16.0.0", 12, &["172.16.0.0", "172.31.255.255"], &["172.15.255.255", "172.32.0.0"]);
        holds("192.0.2.128", 25, &["192.0.2.128", "192.0.2.255"], &["192.0.2.127", "192.0.3.128"]);
        holds("2001:db8::", 33, &["2001:db8:7fff::1"], &["2001:db8:8000::1", "2001:db9::1"]);
    }

    #[test]
    fn the_longest_prefix_is_one_address_and_the_shortest_is_all() {
        holds("192.0.2.8", 32, &["192.0.2.8"], &["192.0.2.9", "192.0.2.0"]);
        holds("2001:db8::1", 128, &["2001:db8::1"], &["2001:db8::2"]);
        holds("0.0.0.0", 0, &["0.0.0.0", "255.255.255.255"], &["::", "2001:db8::1"]);
        holds("::", 0, &["::", "2001:db8::1"], &["0.0.0.0", "10.0.0.1"]);
    }

    #[test]
    fn the_bits_after_the_prefix_do_not_matter() {
        holds("10.1.2.3", 8, &["10.200.0.1"], &["11.1.2.3"]);
    }

    /// A socket that serves both reports an IPv4 peer as `::ffff:10.0.0.7`.
    #[test]
    fn an_ipv4_address_written_in_ipv6_is_that_ipv4_address() {
        holds("10.0.0.0", 8, &["::ffff:10.0.0.7"], &["::ffff:11.0.0.7", "::10.0.0.7"]);
        holds("::", 0, &[], &["::ffff:10.0.0.7"]);
    }

    #[test]
    fn a_prefix_longer_than_its_address_is_no_net() {
        for (base, prefix, is_one) in
            [("10.0.0.0", 32, true), ("10.0.0.0", 33, false), ("::", 128, true), ("::", 129, false)]
        {
            assert!(Net::new(ip(base), prefix).is_some() == is_one, "{base}/{prefix} is a net: expected {is_one}");
        }
        assert!(Net::new(ip("::ffff:10.0.0.0"), 104).is_none(), "write 10.0.0.0/8");
    }

    /// A line at home has 2⁶⁴ addresses, and may take another one for each request.
    #[test]
    fn who_has_a_whole_net_is_counted_once() {
        let pairs = [
            ("203.0.113.9", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ];
        for (address, key) in pairs {
            let got = limit_key(ip(address));
            assert!(got == ip(key), "{address} is counted as {key}, not as {got}");
        }
    }

    /// All IPv6 addresses end in some four bytes. Only after `::ffff:` are these an IPv4 address.
    #[test]
    fn an_ipv6_address_that_ends_like_an_ipv4_address_is_none() {
        for (address, key) in [("::203.0.113.9", "::"), ("64:ff9b::203.0.113.9", "64:ff9b::")] {
            let got = limit_key(ip(address));
            assert!(got == ip(key), "{address} is counted as {key}, not as {got}");
        }
        is_client("::203.0.113.9", &[], "::203.0.113.9");
        is_client("10.0.0.1", &["::203.0.113.9"], "::203.0.113.9");
    }
}

mod stage_2_from_the_right {
    use super::*;

    /// Whoever connects directly can write what he likes.
    #[test]
    fn a_peer_that_is_no_proxy_of_ours_is_the_client() {
        is_client(GINA, &[], GINA);
        is_client(GINA, &["198.51.100.1"], GINA);
        is_client(GINA, &["198.51.100.1, 10.0.0.1"], GINA);
        // Private addresses and this very machine are no exception.
        is_client("10.0.1.1", &["198.51.100.1"], "10.0.1.1");
        is_client("127.0.0.1", &["198.51.100.1"], "127.0.0.1");
        is_client("::1", &["198.51.100.1"], "::1");
        is_client("fd00::7", &["198.51.100.1"], "fd00::7");
        is_client("10.0.0.1", &["198.51.100.1, 192.168.7.7"], "192.168.7.7");
    }

    #[test]
    fn behind_one_proxy_the_last_entry_is_the_client() {
        is_client("10.0.0.1", &["203.0.113.9"], GINA);
        is_client("10.0.0.1", &["198.51.100.1, 198.51.100.2, 203.0.113.9"], GINA);
    }

    /// Gina → edge → inner → you: the last entry is the edge.
    #[test]
    fn behind_two_proxies_the_last_entry_is_one_of_ours() {
        is_client("10.0.0.1", &["203.0.113.9, 192.0.2.8"], GINA);
        is_client("10.0.0.1", &["198.51.100.1, 203.0.113.9, 192.0.2.9, 10.0.0.2"], GINA);
        is_client("2001:db8:cafe::1", &["203.0.113.9,192.0.2.8"], GINA);
    }

    /// Somebody's own proxy is as far as you can know.
    #[test]
    fn what_lies_behind_a_stranger_is_hearsay() {
        is_client("10.0.0.1", &["10.0.0.3, 198.51.100.1, 203.0.113.9, 192.0.2.8"], GINA);
    }

    /// The client sent one line, the proxy added another.
    #[test]
    fn several_lines_are_one_list() {
        is_client("10.0.0.1", &["198.51.100.1", "203.0.113.9"], GINA);
        is_client("10.0.0.1", &["198.51.100.1, 203.0.113.9", "192.0.2.8"], GINA);
        is_client("10.0.0.1", &["198.51.100.1", "203.0.113.9", "192.0.2.8, 10.0.0.2"], GINA);
    }

    #[test]
    fn an_entry_may_carry_a_port() {
        is_client("10.0.0.1", &["203.0.113.9:51000, 192.0.2.8:443"], GINA);
        is_client("10.0.0.1", &["[2001:db8::7]:51000, [2001:db8:cafe::2]:80"], "2001:db8::7");
        is_client("10.0.0.1", &["2001:db8::7 ,\t2001:db8:cafe::2"], "2001:db8::7");
    }

    /// `2001:db8::7:443` is an address that ends in 443. Who writes the port of an IPv6 address sets brackets.
    #[test]
    fn what_follows_the_last_colon_may_be_a_part_of_the_address() {
        is_client("10.0.0.1", &["2001:db8::7:443"], "2001:db8::7:443");
        is_client("10.0.0.1", &["203.0.113.9, 2001:db8:cafe::7:443"], GINA);
    }

    /// Our edge could not say for whom it spoke. What stands further left, anybody may have written.
    #[test]
    fn what_is_no_address_ends_the_search() {
        for entry in ["unknown", "_hidden", "", "203.0.113", "203.0.113.9:99999", "unix:"] {
            is_client("10.0.0.1", &[&format!("198.51.100.1, {entry}, 192.0.2.8")], "192.0.2.8");
            is_client("10.0.0.1", &["198.51.100.1", entry], "10.0.0.1");
        }
    }

    /// A cron job beside the inner proxy.
    #[test]
    fn where_all_are_ours_the_first_sent_it() {
        is_client("10.0.0.1", &["10.0.0.9, 192.0.2.8"], "10.0.0.9");
        is_client("10.0.0.1", &[], "10.0.0.1");
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        is_client("::ffff:203.0.113.9", &[], GINA);
        is_client("::ffff:10.0.0.1", &["::ffff:203.0.113.9, ::ffff:192.0.2.8"], GINA);
    }

    /// Whatever a liar might write.
    fn lie(rng: &mut Rng) -> String {
        let lies =
            ["198.51.100.1", "10.0.0.1", "192.0.2.8", "127.0.0.1", "unknown", "", "2001:db8:cafe::1", "::1", "%"];
        let entries: Vec<&str> = (0..rng.random_range(1..=4)).map(|_| lies[rng.random_range(0..lies.len())]).collect();
        entries.join(", ")
    }

    /// An attacker sends up to three lines of lies through up to three of our proxies. Each adds who it was connected to, to the
    /// last line or in a new one.
    #[test]
    fn nothing_that_a_client_sends_changes_who_it_is() {
        let sometimes =
            Sometimes::expect(["it claims to be a proxy of ours", "it sends several lines", "it tells no lie"]);
        for_seeds(300, |seed| {
            let rng = &mut seed.rng();
            let attacker = IpAddr::from([198, 18, rng.random_range(0..=255), rng.random_range(0..=255)]);
            let mut lines: Vec<String> = (0..rng.random_range(0..=3)).map(|_| lie(rng)).collect();
            sometimes.saw("it claims to be a proxy of ours", lines.iter().any(|line| line.contains("10.0.0.1")));
            sometimes.saw("it sends several lines", lines.len() > 1);
            sometimes.saw("it tells no lie", lines.is_empty());
            let mut peer = attacker;
            for _ in 0..rng.random_range(1..=3) {
                match lines.last_mut() {
                    Some(line) if rng.random_bool(0.5) => *line = format!("{line}, {peer}"),
                    _ => lines.push(peer.to_string()),
                }
                peer = IpAddr::from([10, 0, 0, rng.random_range(0..=255)]);
            }
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let got = client(peer, &lines, &ours());
            assert!(got == attacker, "seed {seed}: {attacker} passed for {got}, from {peer} with {lines:?}");
        });
    }
}

mod stage_3_version_1 {
    use super::*;

    /// The specification's example. What follows the line is the application's.
    #[test]
    fn the_line_says_who_connected_to_the_proxy() {
        let line = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\nHost: 192.168.0.11\r\n\r\n";
        parses(line, relayed("192.168.0.1:56324", "192.168.0.11:443"), 47);
        let line = b"PROXY TCP6 2001:db8::7 2001:DB8::8 0 65535\r\n";
        parses(line, relayed("[2001:db8::7]:0", "[2001:db8::8]:65535"), line.len());
    }

    /// 56 bytes of IPv4, 104 of IPv6.
    #[test]
    fn the_longest_lines_are_read() {
        let line = b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n";
        assert_eq!(line.len(), 56, "as the specification counts");
        parses(line, relayed("255.255.255.255:65535", "255.255.255.255:65535"), 56);
        let all = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let line = format!("PROXY TCP6 {all} {all} 65535 65535\r\n");
        assert_eq!(line.len(), 104, "as the specification counts");
        parses(line.as_bytes(), relayed(&format!("[{all}]:65535"), &format!("[{all}]:65535")), 104);
    }

    /// 15 bytes at least, 107 at most; in between may stand anything, and says nothing.
    #[test]
    fn unknown_says_nothing() {
        parses(b"PROXY UNKNOWN\r\n", Origin::Connection, 15);
        parses(b"PROXY UNKNOWN 203.0.113.9 192.0.2.8 51000 443\r\n", Origin::Connection, 47);
        parses(b"PROXY UNKNOWN \xff\n\r  ?\r\nEHLO", Origin::Connection, 22);
        is_refused(b"PROXY UNKNOWNS\r\n", Invalid::Line);
    }

    #[test]
    fn a_line_ends_within_107_bytes_or_never() {
        let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
        parses(line(107).as_bytes(), Origin::Connection, 107);
        is_refused(line(108).as_bytes(), Invalid::Line);
        let endless = line(105).replace("\r\n", "xx\r");
        assert!(
            parse(endless.as_bytes()) == Ok(None),
            "106 bytes may still become a line: {:?}",
            parse(endless.as_bytes())
        );
        is_refused(format!("{endless}x").as_bytes(), Invalid::Line);
        is_refused(&[b"PROXY TCP4 ".as_slice(), &[b'1'; 96]].concat(), Invalid::Line);
    }

    #[test]
    fn neither_half_of_the_line_end_ends_it() {
        for end in ["\n", "\r", "\n\r", " \r\n", "\r\r\n", "\n\r\n"] {
            let line = format!("PROXY TCP4 203.0.113.9 192.0.2.8 51000 443{end}GET / HTTP/1.1\r\n\r\n");
            is_refused(line.as_bytes(), Invalid::Line);
        }
    }

    #[test]
    fn a_line_has_its_six_parts_and_single_spaces() {
        let lines = [
            "PROXY",
            "PROXY ",
            "PROXY TCP4",
            "PROXY TCP4 203.0.113.9 192.0.2.8 51000",
            "PROXY TCP4 203.0.113.9 192.0.2.8 51000 443 1",
            "PROXY TCP4  203.0.113.9 192.0.2.8 51000 443",
            "PROXY\tTCP4 203.0.113.9 192.0.2.8 51000 443",
            "PROXYTCP4 203.0.113.9 192.0.2.8 51000 443",
            "PROXY tcp4 203.0.113.9 192.0.2.8 51000 443",
            "PROXY UDP4 203.0.113.9 192.0.2.8 51000 443",
        ];
        for line in lines {
            is_refused(format!("{line}\r\n").as_bytes(), Invalid::Line);
        }
    }

    #[test]
    fn the_family_says_how_addresses_are_written() {
        for (family, source, destination) in [
            ("TCP4", "2001:db8::7", "2001:db8::8"),
            ("TCP4", "203.0.113.9", "2001:db8::8"),
            ("TCP6", "203.0.113.9", "192.0.2.8"),
            ("TCP6", "[2001:db8::7]", "[2001:db8::8]"),
            ("TCP4", "203.0.113.256", "192.0.2.8"),
            ("TCP4", "203.0.113", "192.0.2.8"),
            ("TCP4", "203.0.113.09", "192.0.2.8"),
        ] {
            is_refused(format!("PROXY {family} {source} {destination} 51000 443\r\n").as_bytes(), Invalid::Line);
        }
    }

    /// A byte that is no text is refused like any other that does not belong there.
    #[test]
    fn a_line_with_addresses_is_ascii() {
        is_refused(b"PROXY TCP4 203.0.113.\xff 192.0.2.8 51000 443\r\n", Invalid::Line);
        is_refused("PROXY TCP6 2001:db8::7 2001:db8::8 51000 \u{664}\u{664}\u{663}\r\n".as_bytes(), Invalid::Line);
    }

    /// Heading zeroes might be octal, and nobody sends a sign.
    #[test]
    fn a_port_is_a_plain_decimal_number() {
        for port in ["0443", "00", "+443", "-1", "65536", "0x1bb", ""] {
            is_refused(format!("PROXY TCP4 203.0.113.9 192.0.2.8 51000 {port}\r\n").as_bytes(), Invalid::Line);
            is_refused(format!("PROXY TCP4 203.0.113.9 192.0.2.8 {port} 443\r\n").as_bytes(), Invalid::Line);
        }
    }
}

mod stage_4_version_2 {
    use super::*;

    #[test]
    fn the_block_holds_source_and_destination() {
        parses(&version_2(0x21, 0x11, BLOCK_4), relayed("203.0.113.9:51000", "192.0.2.8:443"), 28);
        let [source, destination] =
            [0x2001_0db8_0000_0000_0000_0000_0000_0007_u128, 0x2001_0db8_0000_0000_0000_0000_0000_0008];
        let block = [&source.to_be_bytes()[..], &destination.to_be_bytes(), &[0xC7, 0x38, 0x01, 0xBB]].concat();
        parses(&version_2(0x21, 0x21, &block), relayed("[2001:db8::7]:51000", "[2001:db8::8]:443"), 52);
    }

    /// TLS details, a checksum, an id: all within the announced length.
    #[test]
    fn what_follows_the_addresses_is_skipped_and_what_follows_the_header_is_not() {
        let extra = [BLOCK_4, &[0x05, 0x00, 0x04, 1, 2, 3, 4]].concat();
        let bytes = [&version_2(0x21, 0x11, &extra)[..], b"PROXY UNKNOWN\r\n"].concat();
        parses(&bytes, relayed("203.0.113.9:51000", "192.0.2.8:443"), 35);
        let longest = [BLOCK_4, &vec![b'\n'; 65_523]].concat();
        let bytes = [&version_2(0x21, 0x11, &longest)[..], b"GET"].concat();
        parses(&bytes, relayed("203.0.113.9:51000", "192.0.2.8:443"), 65_551);
    }

    /// A health check. Whatever it carries is not looked at; its length counts all the same.
    #[test]
    fn local_says_nothing_and_is_as_long_as_it_says() {
        parses(&version_2(0x20, 0x00, &[]), Origin::Connection, 16);
        parses(&version_2(0x20, 0x11, BLOCK_4), Origin::Connection, 28);
        parses(&version_2(0x20, 0x21, &[1, 2, 3]), Origin::Connection, 19);
        parses(&version_2(0x20, 0xFF, &[0; 300]), Origin::Connection, 316);
    }

    /// Unspecified, datagrams, UNIX sockets: 0 to 216 bytes of addresses that a TCP server can do nothing with.
    #[test]
    fn a_family_that_we_do_not_speak_says_nothing() {
        for family in [0x00, 0x01, 0x02, 0x10, 0x12, 0x20, 0x22, 0x30, 0x31, 0x32] {
            for length in [0, 12, 36, 216] {
                parses(&version_2(0x21, family, &vec![7; length]), Origin::Connection, 16 + length);
            }
        }
    }

    #[test]
    fn what_nobody_may_send_is_refused() {
        is_refused(&version_2(0x11, 0x11, BLOCK_4), Invalid::Version(1));
        is_refused(&version_2(0x31, 0x11, BLOCK_4), Invalid::Version(3));
        is_refused(&version_2(0x00, 0x11, BLOCK_4), Invalid::Version(0));
        is_refused(&version_2(0x22, 0x11, BLOCK_4), Invalid::Command(2));
        is_refused(&version_2(0x2F, 0x11, BLOCK_4), Invalid::Command(15));
        for family in [0x13, 0x1F, 0x41, 0xF0, 0x33, 0x40] {
            is_refused(&version_2(0x21, family, BLOCK_4), Invalid::Family(family));
        }
    }

    #[test]
    fn a_block_must_have_room_for_its_addresses() {
        is_refused(&version_2(0x21, 0x11, &BLOCK_4[..11]), Invalid::Short(11));
        is_refused(&version_2(0x21, 0x21, &[0; 35]), Invalid::Short(35));
        is_refused(&version_2(0x21, 0x21, &[]), Invalid::Short(0));
    }
}

mod stage_5_in_pieces {
    use super::*;

    /// Feeds `bytes` in these pieces. The answer, and how many bytes the header took in all.
    fn in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Result<Option<Origin>, Invalid>, usize) {
        let (mut parser, mut used, mut last) = (Parser::new(), 0, Ok(None));
        for piece in pieces {
            let answer = parser.feed(piece);
            if matches!(last, Ok(None)) {
                used += answer.map_or(0, |header| header.map_or(piece.len(), |header| header.used));
                last = answer.map(|header| header.map(|header| header.origin));
            } else {
                let again = answer.map(|header| header.map(|header| (header.origin, header.used)));
                let expected = last.map(|origin| origin.map(|origin| (origin, 0)));
                assert!(again == expected, "after the end: expected {expected:?} and no byte used, got {again:?}");
            }
        }
        (last, if last.is_ok() { used } else { 0 })
    }

    /// Headers and what is none, each with a request behind it, some of them cut off.
    fn connections() -> Vec<Vec<u8>> {
        let long = [BLOCK_4, &[9; 60]].concat();
        let beginnings = [
            b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n".to_vec(),
            b"PROXY TCP6 2001:db8::7 2001:db8::8 51000 443\r\n".to_vec(),
            b"PROXY UNKNOWN\r\n".to_vec(),
            b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 0443\r\n".to_vec(),
            [b"PROXY ".as_slice(), &[b'x'; 120]].concat(),
            version_2(0x21, 0x11, BLOCK_4),
            version_2(0x21, 0x11, &long),
            version_2(0x21, 0x11, &[9; 7]),
            version_2(0x21, 0x21, &[1; 36]),
            version_2(0x20, 0x00, &[]),
            version_2(0x20, 0x00, &[b'\n'; 250]),
            version_2(0x21, 0x99, BLOCK_4),
            version_2(0x2A, 0x11, BLOCK_4),
            vec![],
        ];
        beginnings.into_iter().map(|beginning| [&beginning[..], b"GET / HTTP/1.1\r\n\r\n"].concat()).collect()
    }

    /// One byte a packet, all in one, and everything in between.
    #[test]
    fn however_a_connection_is_cut_its_header_is_the_same() {
        let sometimes = Sometimes::expect(["a header comes in many pieces", "one is refused", "one never ends"]);
        for bytes in connections() {
            let whole = in_pieces([&bytes[..]]);
            sometimes.saw("one is refused", whole.0.is_err());
            let single = in_pieces(bytes.chunks(1));
            assert!(single == whole, "{}: by single bytes {single:?}, at once {whole:?}", bytes.escape_ascii());
        }
        for_seeds(200, |seed| {
            let rng = &mut seed.rng();
            for mut bytes in connections() {
                if rng.random_bool(0.2) {
                    bytes.truncate(rng.random_range(0..=bytes.len().min(60)));
                }
                let (whole, mut pieces, mut rest) = (in_pieces([&bytes[..]]), vec![], &bytes[..]);
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(rng.random_range(0..=rest.len().min(20)));
                    pieces.push(piece);
                    rest = after;
                }
                let cut = in_pieces(pieces.iter().copied());
                sometimes.saw("a header comes in many pieces", matches!(cut.0, Ok(Some(_))) && pieces.len() > 5);
                sometimes.saw("one never ends", cut.0 == Ok(None));
                let said = || pieces.iter().map(|piece| piece.escape_ascii().to_string()).collect::<Vec<_>>();
                assert!(cut == whole, "seed {seed}: {:?} gives {cut:?}, at once {whole:?}", said());
            }
        });
    }

    /// Who waits for twelve bytes of a client that sent four waits for ever.
    #[test]
    fn what_cannot_be_a_header_is_refused_with_its_first_wrong_byte() {
        for (good, wrong) in
            [("", "G"), ("P", "O"), ("PROX", "Z"), ("\r\n\r\n", "\r"), ("\r\n\r\n\0\r\nQUIT", "\r"), ("", "\0")]
        {
            let mut parser = Parser::new();
            assert!(parser.feed(good.as_bytes()) == Ok(None), "{good:?} may become a header");
            let got = parser.feed(wrong.as_bytes());
            assert!(got == Err(Invalid::Signature), "after {good:?} came {wrong:?}: expected a refusal, got {got:?}");
        }
        let whole = version_2(0x21, 0x11, BLOCK_4);
        for (at, wrong, why) in [
            (13, 0x31, Invalid::Version(3)),
            (13, 0x22, Invalid::Command(2)),
            (14, 0x41, Invalid::Family(0x41)),
            (16, 11, Invalid::Short(11)),
        ] {
            let mut parser = Parser::new();
            assert!(parser.feed(&whole[..at - 1]) == Ok(None), "{} bytes of a good header", at - 1);
            let got = parser.feed(&[wrong]);
            assert!(got == Err(why), "byte {at} was {wrong:#04x}: expected {why:?}, got {got:?}");
        }
    }

    #[test]
    fn a_header_is_over_with_its_last_byte() {
        for bytes in [b"PROXY UNKNOWN\r\n".to_vec(), version_2(0x20, 0, &[]), version_2(0x21, 0x11, BLOCK_4)] {
            let mut parser = Parser::new();
            let (before, last) = bytes.split_at(bytes.len() - 1);
            assert!(parser.feed(before) == Ok(None), "{} is not complete", before.escape_ascii());
            assert!(parser.feed(&[]) == Ok(None), "no byte, no news");
            let got = parser.feed(last).map(|header| header.map(|header| header.used));
            assert!(got == Ok(Some(1)), "{} is complete, and its last byte is used: {got:?}", bytes.escape_ascii());
        }
    }
}

mod stage_6_both {
    use super::*;

    /// Gina → a TCP balancer of ours → the edge → you would lose her address at the balancer, were it not for its header.
    #[test]
    fn the_search_begins_where_the_header_says() {
        let header = Some(relayed("203.0.113.9:51000", "192.0.2.8:443"));
        for lines in [&[][..], &["198.51.100.1"]] {
            let got = client_of(ip("10.0.0.1"), header, lines, &ours());
            assert!(got == Ok(ip(GINA)), "our balancer relays for {GINA}, who says {lines:?}: got {got:?}");
        }
        let edge = Some(relayed("192.0.2.8:51000", "10.0.0.9:443"));
        let got = client_of(ip("::ffff:10.0.0.1"), edge, &["198.51.100.1, 203.0.113.9"], &ours());
        assert!(got == Ok(ip(GINA)), "our balancer relays for our edge, which was asked by {GINA}: got {got:?}");
    }

    #[test]
    fn a_header_that_says_nothing_leaves_the_peer() {
        let got = client_of(ip("10.0.0.1"), Some(Origin::Connection), &[], &ours());
        assert!(got == Ok(ip("10.0.0.1")), "a health check is the balancer's own: {got:?}");
        let got = client_of(ip("10.0.0.1"), Some(Origin::Connection), &["198.51.100.1, 203.0.113.9"], &ours());
        assert!(got == Ok(ip(GINA)), "the header says nothing, but the request was forwarded for {GINA}: {got:?}");
        let got = client_of(ip("10.0.0.1"), None, &["203.0.113.9"], &ours());
        assert!(got == Ok(ip(GINA)), "no header, one of our proxies: {got:?}");
        let got = client_of(ip(GINA), None, &["198.51.100.1"], &ours());
        assert!(got == Ok(ip(GINA)), "no header, no proxy: {got:?}");
    }

    /// Whoever may connect may send a header.
    #[test]
    fn a_header_from_a_stranger_closes_the_connection() {
        for header in
            [relayed("198.51.100.1:1", "192.0.2.8:443"), relayed("10.0.0.1:1", "192.0.2.8:443"), Origin::Connection]
        {
            let got = client_of(ip(GINA), Some(header), &["198.51.100.1"], &ours());
            assert!(got == Err(Untrusted(ip(GINA))), "{GINA} sent {header:?}: got {got:?}");
        }
    }
}
