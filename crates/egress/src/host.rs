//! A host, in the one form in which hosts are compared.

use std::{fmt, net::IpAddr};

/// The most bytes of a name, and of one of its labels (RFC 1035, section 2.3.4).
const MOST_OF_NAME: usize = 253;
const MOST_OF_LABEL: usize = 63;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// In lower case, without a dot at its end.
    Name(String),
    Address(IpAddr),
}

impl Host {
    /// As a URL has it: an address of version 6 in brackets.
    ///
    /// # Errors
    ///
    /// What is wrong with it, to go behind "it".
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(inner) = text.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(|inner| inner.parse().ok());
            return address
                .map(|address| Self::Address(IpAddr::V6(address)))
                .ok_or("is no address of version 6 in brackets");
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(IpAddr::V4(address)));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err("is empty");
        }
        if !name.is_ascii() {
            return Err("is not in ASCII: write it in punycode, with xn--");
        }
        if name.len() > MOST_OF_NAME {
            return Err("is too long");
        }
        if !name.split('.').all(is_label) {
            return Err("is no name of a host");
        }
        // Some resolvers take 127.1, 0x7f000001 and their kin for addresses.
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.starts_with("0x")
            || last.starts_with("0X")
            || last.bytes().all(|b| b.is_ascii_digit())
        {
            return Err("is no address in its usual form");
        }
        Ok(Self::Name(name.to_ascii_lowercase()))
    }
}

/// Underscores are in names of services.
fn is_label(label: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MOST_OF_LABEL).contains(&label.len())
        && label.bytes().all(is_part)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A host and, if there is one, its port: `host`, `host:port`, `[address]:port`.
///
/// # Errors
///
/// What is wrong with it, to go behind "it".
pub fn split(text: &str) -> Result<(Host, Option<u16>), &'static str> {
    let (host, port) = match text.rfind(']') {
        Some(end) => {
            let (host, rest) = text.split_at(end + 1);
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err("has something behind its brackets"),
            }
        }
        None => match text.split_once(':') {
            Some((_, rest)) if rest.contains(':') => {
                return Err("is an address of version 6: put it in brackets")
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map(port_of).transpose()?;
    Ok((Host::parse(host)?, port))
}

fn port_of(text: &str) -> Result<u16, &'static str> {
    let digits = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0).ok_or("has a port that is none")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_compared_in_one_form() {
        for text in ["API.GitHub.com", "api.github.com.", "api.github.com"] {
            assert_eq!(Host::parse(text), Ok(Host::Name("api.github.com".into())), "{text}");
        }
        assert_eq!(
            Host::parse("xn--BCHER-kva.example").unwrap().to_string(),
            "xn--bcher-kva.example"
        );
    }

    #[test]
    fn an_address_has_one_form() {
        assert_eq!(Host::parse("127.0.0.1"), Ok(Host::Address([127, 0, 0, 1].into())));
        assert_eq!(Host::parse("[0:0::1]").unwrap().to_string(), "[::1]");
        for text in [
            "127.1",
            "0x7f000001",
            "2130706433",
            "0177.0.0.1",
            "1.2.3.4.5",
            "::1",
            "[::1",
            "[fe80::1%1]",
        ] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("{}.com", "a".repeat(64));
        let longer = ["a"; 128].join(".");
        for text in [
            "",
            ".",
            "a..b",
            "-a.com",
            "a-.com",
            "a b",
            "a/b",
            "a@b",
            "a%2eb",
            "bücher.example",
            "a\0b",
            "*",
            &long,
            &longer,
        ] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_port_follows_the_host() {
        assert_eq!(split("a.b:8443").unwrap().1, Some(8443));
        assert_eq!(split("[::1]:443").unwrap().1, Some(443));
        assert_eq!(split("[::1]").unwrap().1, None);
        for text in
            ["a.b:", "a.b:0", "a.b:65536", "a.b:+1", "a.b:443:1", "[::1]a", "::1", "a.b:4 4"]
        {
            assert!(split(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_parsed_is_its_own_form(text in ".{0,40}") {
            if let Ok(host) = Host::parse(&text) {
                prop_assert_eq!(Host::parse(&host.to_string()), Ok(host));
            }
        }

        #[test]
        fn what_is_split_is_put_together_again(text in "[aA.0-9:@%\\[\\]]{0,16}|.{0,30}") {
            if let Ok((host, port)) = split(&text) {
                let whole = port.map_or(host.to_string(), |port| format!("{host}:{port}"));
                prop_assert_eq!(split(&whole), Ok((host, port)));
            }
        }
    }
}
