//! Any text: what is taken for a host is what whoever speaks of URLs takes it for, so that no address comes in the
//! dress of a name, and is the same once it has been written out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scientist_pool_egress::outside::{split, Host};

fuzz_target!(|text: &str| {
    let Ok((host, port)) = split(text) else { return };
    let whole = port.map_or(host.to_string(), |port| format!("{host}:{port}"));
    // Punycode of nothing and the like is none to others: nobody resolves it.
    if let Ok(url) = url::Host::parse(&host.to_string()) {
        match (&host, url) {
            (Host::Name(name), url::Host::Domain(other)) => assert_eq!(*name, other),
            (Host::Address(address), url::Host::Ipv4(other)) => assert_eq!(*address, other),
            (Host::Address(address), url::Host::Ipv6(other)) => assert_eq!(*address, other),
            (host, other) => panic!("{text:?} is {host:?} here and {other:?} elsewhere"),
        }
    }
    assert_eq!(split(&whole), Ok((host, port)));
});
