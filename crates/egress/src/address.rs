//! Which addresses no name may lead to: what a name resolves to is its owner's choice.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// What an address is that is not one of the public network's; `None`: it is.
///
/// By the registries of special addresses: iana.org/assignments/iana-ipv4-special-registry and
/// iana-ipv6-special-registry.
pub fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    Some(match (a, b, c) {
        (0, ..) => "unspecified",
        (127, ..) => "a loopback address",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "private",
        (100, 64..=127, _) => "private, of a carrier",
        // Of cloud machines' metadata, too.
        (169, 254, _) => "link-local",
        (224..=239, ..) => "a multicast address",
        (192, 0, 0) | (198, 18..=19, _) | (240.., ..) => "reserved",
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => "one of documentation's",
        // Anycast to relays of 6to4 (RFC 7526).
        (192, 88, 99) => "reserved",
        _ => return None,
    })
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let inner = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        special_v4(Ipv4Addr::new(a, b, c, d))
    };
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "a loopback address",
        // Those of version 4 in another dress: mapped, compatible, translated, of 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => return inner(high, low),
        [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, ..] => "translated",
        // Of cloud machines' metadata, too: fd00:ec2::254.
        [0xfc00..=0xfdff, ..] => "private",
        [0xfe80..=0xfebf, ..] => "link-local",
        [0xfec0..=0xfeff, ..] => "private",
        [0xff00..=0xffff, ..] => "a multicast address",
        [0x2001, 0..=0x1ff, ..] | [0x100, 0, 0, 0, ..] | [0x5f00, ..] => "reserved",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "one of documentation's",
        // All that is given out (RFC 4291, section 2.4).
        [0x2000..=0x3fff, ..] => return None,
        _ => "reserved",
    })
}

/// Whether it is one of this machine's own.
pub fn is_own(address: IpAddr) -> bool {
    // A socket can be bound to those alone.
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_public_network_are_nothing_special() {
        for text in [
            "1.1.1.1",
            "140.82.121.6",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
        ] {
            assert_eq!(special(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn all_others_are_told_by_what_they_are() {
        for (text, what) in [
            ("127.0.0.1", "a loopback address"),
            ("127.255.255.254", "a loopback address"),
            ("::1", "a loopback address"),
            ("::ffff:127.0.0.1", "a loopback address"),
            ("::127.0.0.1", "a loopback address"),
            ("64:ff9b::7f00:1", "a loopback address"),
            ("2002:7f00:1::", "a loopback address"),
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("::", "unspecified"),
            ("10.1.2.3", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("::ffff:10.0.0.1", "private"),
            ("fd00:ec2::254", "private"),
            ("fec0::1", "private"),
            ("100.64.0.1", "private, of a carrier"),
            ("100.100.100.200", "private, of a carrier"),
            ("169.254.169.254", "link-local"),
            ("2002:a9fe:a9fe::", "link-local"),
            ("fe80::1", "link-local"),
            ("224.0.0.1", "a multicast address"),
            ("ff02::1", "a multicast address"),
            ("255.255.255.255", "reserved"),
            ("192.0.0.192", "reserved"),
            ("198.18.0.1", "reserved"),
            ("2001::1", "reserved"),
            ("64:ff9b:1::1", "translated"),
            ("::ffff:0:1.1.1.1", "translated"),
            ("4000::1", "reserved"),
        ] {
            assert_eq!(special(text.parse().unwrap()), Some(what), "{text}");
        }
    }

    #[test]
    fn an_address_of_this_machine_is_its_own() {
        assert!(is_own("127.0.0.1".parse().unwrap()));
        assert!(!is_own("1.1.1.1".parse().unwrap()));
    }
}
