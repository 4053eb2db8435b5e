//! The page's own numbers.

use client_ip::{Header, Net, Origin, Parser, client, limit_key};
use std::net::IpAddr;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn host(text: &str) -> Net {
    Net::new(ip(text), 32).expect("one IPv4 address")
}

#[test]
fn the_three_requests_of_the_page() {
    let line = "198.51.100.1, 203.0.113.9, 192.0.2.8";
    assert_eq!(client(ip("10.0.0.1"), &[line], &[host("10.0.0.1"), host("192.0.2.8")]), ip("203.0.113.9"));
    let around = client(ip("203.0.113.50"), &["203.0.113.9, 10.0.0.1"], &[host("10.0.0.1")]);
    assert_eq!(around, ip("203.0.113.50"));
    let quiz = client(ip("10.0.0.1"), &["10.0.0.2, 203.0.113.9, 10.0.0.2"], &[host("10.0.0.1"), host("10.0.0.2")]);
    assert_eq!(quiz, ip("203.0.113.9"));
}

#[test]
fn a_net_of_64_bits_has_two_to_the_64_addresses_and_one_key() {
    assert_eq!(128 - 64, 64);
    assert_eq!(limit_key(ip("2001:db8::1")), limit_key(ip("2001:db8::ffff:ffff:ffff:ffff")));
}

#[test]
fn twelve_bytes_of_addresses_and_a_length_of_84_leave_72_to_skip() {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x54".to_vec();
    bytes.extend([0; 84 + 5]);
    let header = Parser::new().feed(&bytes).expect("a header").expect("a whole one");
    assert!(matches!(header, Header { origin: Origin::Relayed { .. }, used: 100 }), "16 + 12 + 72 bytes, {header:?}");
}
