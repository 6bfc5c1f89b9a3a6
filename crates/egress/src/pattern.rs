//! An entry of a list of hosts.

use std::fmt;

use crate::host::{split, Host};

/// The ports of an entry that names none, where it allows something.
const USUAL: [u16; 2] = [443, 80];

/// `example.org`, `*.example.org`, `10.0.0.1:8080`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    host: Host,
    /// All that is below the name, by one label or more, and not the name itself.
    below: bool,
    port: Option<u16>,
}

impl Pattern {
    /// # Errors
    ///
    /// What is wrong with it, to go behind "it".
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.contains("://") {
            return Err("is a URL: name the host alone");
        }
        if text == "*" || text.starts_with("*:") {
            return Err("allows everything: name the hosts");
        }
        let name = text.strip_prefix("*.");
        let (host, port) = split(name.unwrap_or(text))?;
        if name.is_some() && matches!(host, Host::Address(_)) {
            return Err("is no name of a host");
        }
        Ok(Self { host, below: name.is_some(), port })
    }

    fn has(&self, host: &Host) -> bool {
        match (&self.host, host) {
            (Host::Name(own), Host::Name(name)) if self.below => {
                name.strip_suffix(own.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
            (own, host) => own == host,
        }
    }

    /// As an entry of what is allowed: without a port it stands for 443 and 80.
    pub fn allows(&self, host: &Host, port: u16) -> bool {
        self.has(host) && self.port.map_or(USUAL.contains(&port), |own| own == port)
    }

    /// As an entry of what is not allowed: without a port it stands for all of them.
    pub fn denies(&self, host: &Host, port: u16) -> bool {
        self.has(host) && self.port.is_none_or(|own| own == port)
    }

    /// Whether it allows all that `other` does.
    pub fn covers(&self, other: &Self) -> bool {
        let hosts = match (self.below, other.below) {
            (true, true) => self.host == other.host || self.has(&other.host),
            (false, true) => false,
            (_, false) => self.has(&other.host),
        };
        hosts
            && (self.port == other.port
                || self.port.is_none() && other.port.is_some_and(|port| USUAL.contains(&port)))
    }

    /// Whether it names this very address.
    pub fn is_address(&self) -> bool {
        matches!(self.host, Host::Address(_))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, below, port } = self;
        write!(f, "{}{host}", if *below { "*." } else { "" })?;
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allows(pattern: &str, to: &str) -> bool {
        let (host, port) = split(to).unwrap();
        Pattern::parse(pattern).unwrap().allows(&host, port.unwrap_or(443))
    }

    #[test]
    fn a_name_is_that_name_alone() {
        assert!(allows("api.github.com", "API.github.com."));
        for other in
            ["github.com", "xapi.github.com", "a.api.github.com", "api.github.com.evil.org"]
        {
            assert!(!allows("api.github.com", other), "{other}");
        }
    }

    #[test]
    fn a_wildcard_is_one_label_or_more() {
        assert!(allows("*.example.org", "a.example.org"));
        assert!(allows("*.example.org", "a.b.example.org"));
        for other in ["example.org", "badexample.org", "example.org.evil.com"] {
            assert!(!allows("*.example.org", other), "{other}");
        }
    }

    #[test]
    fn ports_are_443_and_80_unless_named() {
        assert!(allows("a.org", "a.org:80") && allows("a.org", "a.org:443"));
        assert!(!allows("a.org", "a.org:8443"));
        assert!(allows("a.org:8443", "a.org:8443") && !allows("a.org:8443", "a.org:443"));
    }

    #[test]
    fn a_denial_without_a_port_is_of_all_ports() {
        let (host, _) = split("a.org").unwrap();
        assert!(Pattern::parse("a.org").unwrap().denies(&host, 8443));
        assert!(!Pattern::parse("a.org:443").unwrap().denies(&host, 80));
    }

    #[test]
    fn what_covers_another_allows_all_of_it() {
        let covers = |one: &str, other: &str| {
            Pattern::parse(one).unwrap().covers(&Pattern::parse(other).unwrap())
        };
        for (one, other) in [
            ("a.org", "a.org"),
            ("a.org", "a.org:443"),
            ("*.org", "a.org"),
            ("*.org", "*.a.org"),
            ("*.a.org", "*.a.org"),
            ("*.a.org", "b.a.org:80"),
        ] {
            assert!(covers(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("a.org:443", "a.org"),
            ("a.org", "a.org:22"),
            ("a.org", "*.a.org"),
            ("*.a.org", "a.org"),
            ("*.a.org", "*.org"),
        ] {
            assert!(!covers(one, other), "{one} {other}");
        }
    }

    /// Of few labels, so that they meet.
    fn entries() -> impl Strategy<Value = String> {
        "(\\*\\.)?([ab]\\.){0,2}[ab](:(443|80|22))?"
    }

    proptest! {
        #[test]
        fn what_is_covered_is_allowed(
            one in entries(),
            other in entries(),
            host in "([ab]\\.){0,4}[ab]",
            port in prop::sample::select(vec![443_u16, 80, 22]),
        ) {
            let [one, other] = [one, other].map(|text| Pattern::parse(&text).unwrap());
            let host = Host::parse(&host).unwrap();
            if one.covers(&other) && other.allows(&host, port) {
                prop_assert!(one.allows(&host, port), "{} {} {}", one, other, host);
            }
        }

        #[test]
        fn what_is_an_entry_is_its_own_form(text in "(\\*\\.)?[aA.1:*\\[\\]-]{0,12}|.{0,20}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                prop_assert_eq!(Pattern::parse(&pattern.to_string()), Ok(pattern));
            }
        }
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for text in [
            "*",
            "*:443",
            "*.",
            "a.*",
            "*a.org",
            "https://a.org",
            "a.org/x",
            "*.1.2.3.4",
            "u@a.org",
            "",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
