//! Which addresses a webhook may go to: those of the public internet, so that nobody reaches the server's own network
//! through it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What speaks against the host of a URL before anybody looks it up. Nothing speaks against a name but this machine's own:
/// where names lead is known when they are used, and checked then.
pub(super) fn objection(host: &str) -> Option<&'static str> {
    const NOT_PUBLIC: Option<&str> = Some("its host is not of the public internet");
    if let Some(inside) = host.strip_prefix('[') {
        let address = inside.strip_suffix(']').and_then(|inside| inside.parse().ok());
        return match address {
            Some(address) if is_public_v6(address) => None,
            Some(_) => NOT_PUBLIC,
            None => Some("what stands in brackets is no address of version 6"),
        };
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return Some("its host has characters that no host has");
    }
    let labels = host.strip_suffix('.').unwrap_or(host);
    let last = labels.rsplit('.').next().unwrap_or_default();
    if last.eq_ignore_ascii_case("localhost") {
        return NOT_PUBLIC;
    }
    if is_number(last) {
        // The URL standard reads every such host as an address, in many spellings; programs differ in which they know.
        return match host.parse() {
            Ok(address) if is_public_v4(address) => None,
            Ok(_) => NOT_PUBLIC,
            Err(_) => Some("its host is a number; an address is four decimal numbers"),
        };
    }
    None
}

/// Whether the last part of a host makes it an address, as the URL standard has it: digits, or 0x and hexadecimal ones.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    (!label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit()))
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether an address is of the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Networks that are not of the public internet, with how many bits of the address name them (IANA's registry of special
/// purpose addresses).
const NOT_PUBLIC_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),        // this network
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // behind a carrier's translation of addresses
    ([127, 0, 0, 0], 8),      // loopback
    ([169, 254, 0, 0], 16),   // link-local, where clouds answer with their secrets
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocols
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, and broadcast
    ([168, 63, 129, 16], 32), // a cloud's own services, at an address that looks public
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let lies_in = |&(network, bits): &([u8; 4], u32)| {
        let shift = 32 - bits;
        address.to_bits() >> shift == u32::from_be_bytes(network) >> shift
    };
    !NOT_PUBLIC_V4.iter().any(lies_in)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match segments {
        // ::, ::1, and addresses of version 4, mapped or compatible.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => (segments[5] == 0xffff || high > 0) && v4(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low),
        // Translated to version 4 by whoever is on the way.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x64, 0xff9b, ..] => false,
        // 6to4 and Teredo hold addresses of version 4.
        [0x2002, high, low, ..] => v4(high, low),
        [0x2001, 0, ..] => false,
        // Other protocols, benchmarks, documentation.
        [0x2001, second, ..] => second > 0x1ff && second != 0xdb8,
        [0x3fff, second, ..] => second > 0xfff,
        // Only an eighth of all addresses is given out; unique local, link-local, site-local and multicast ones are not of it.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_judged_in_every_spelling() {
        let fine = [
            "example.org",
            "example.org.",
            "localhost.example.org",
            "my-host_1.example",
            "1.1.1.1",
            "[2606:4700::1]",
            "0x7f000001.example",
            "1.example",
            "xn--bcher-kva.example",
        ];
        for host in fine {
            assert_eq!(objection(host), None, "{host}");
        }
        let not = [
            "localhost",
            "LOCALHOST.",
            "me.localhost",
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0X7F.1",
            "0x",
            "0177.0.0.1",
            "01.01.01.01",
            "1.1.1.256",
            "16843009",
            "a.1",
            "99999999999999999999",
            "[::1]",
            "[::ffff:7f00:1]",
            "[fe80::1%25eth0]",
            "[fe80::1]",
            "[2001:db8::1]",
            "[1.1.1.1]",
            "[::1",
            "127%2e0%2e0%2e1",
            "a b",
        ];
        for host in not {
            assert!(objection(host).is_some(), "{host}");
        }
    }

    #[test]
    fn only_public_addresses_are_public() {
        let public = [
            "1.1.1.1",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "168.63.129.17",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
            "2001:4860:4860::8888",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        let not = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "4000::1",
            "100::1",
            "5f00::1",
        ];
        for address in not {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
