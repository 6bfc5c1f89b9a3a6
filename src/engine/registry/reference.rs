//! Names of images, by the grammar of github.com/distribution/reference (`reference.go`,
//! `normalize.go`). The crates that have it bring an HTTP client or a code generator along.

use crate::error::{Code, Error, Result};

/// The longest name, domain and path together.
const MAX_NAME: usize = 255;
const HUB: &str = "docker.io";

/// An image's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// As it was given.
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// An image's id; such an image can't be pulled.
    Id,
    Name {
        /// As it was given, without tag and digest.
        name: String,
        domain: String,
        path: String,
        tag: Option<String>,
        digest: Option<String>,
    },
}

impl Reference {
    /// Reads `[host[:port]/]path[:tag][@digest]`, or an image's full id.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` with what is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(text).map(|kind| Self { text: text.to_owned(), kind }).map_err(|why| {
            let message =
                format!("image is {text:?}: {why}; it is written like python:3.9-slim or host:5000/team/name:tag");
            Error::new(Code::InvalidArgument, message).image(text)
        })
    }

    fn read(text: &str) -> Result<Kind, &'static str> {
        let id = text.strip_prefix("sha256:").unwrap_or(text);
        if id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(Kind::Id);
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => return Err("what follows @ is no digest"),
            None => (text, None),
        };
        // A colon behind the last slash begins the tag; one before it, a port.
        let (name, tag) = match rest.rfind(':') {
            Some(colon) if !rest[colon..].contains('/') => match &rest[colon + 1..] {
                tag if is_tag(tag) => (&rest[..colon], Some(tag.to_owned())),
                _ => return Err("what follows the last colon is no tag"),
            },
            _ => (rest, None),
        };
        let (domain, path) = match name.split_once('/') {
            Some((first, path)) if looks_like_a_host(first) => (first, path.to_owned()),
            Some(_) => (HUB, name.to_owned()),
            None => (HUB, format!("library/{name}")),
        };
        if name.is_empty() {
            return Err("it is empty");
        }
        if !is_domain(domain) {
            return Err("the part before the first slash is no host");
        }
        if !path.split('/').all(is_component) {
            return Err(if name.bytes().any(|b| b.is_ascii_uppercase()) {
                "a name is in lower case"
            } else {
                "a name consists of lower-case letters and digits, joined by . _ - or /"
            });
        }
        if domain.len() + 1 + path.len() > MAX_NAME {
            return Err("it is too long");
        }
        let domain = if domain == "index.docker.io" { HUB } else { domain }.to_owned();
        Ok(Kind::Name { name: name.to_owned(), domain, path, tag, digest })
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same for all spellings of one image.
    pub fn canonical(&self) -> String {
        match &self.kind {
            Kind::Id => self.text.clone(),
            Kind::Name { domain, path, .. } => {
                let tag = self.pull_tag().unwrap_or_default();
                format!("{domain}/{path} {tag}")
            }
        }
    }

    /// The name to pull by, without tag and digest; `None` for an id.
    pub fn pull_name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Id => None,
            Kind::Name { name, .. } => Some(name),
        }
    }

    /// The tag or digest to pull by. Never empty: without one the engine pulls every tag there is.
    pub fn pull_tag(&self) -> Option<&str> {
        match &self.kind {
            Kind::Id => None,
            Kind::Name { tag, digest, .. } => {
                Some(digest.as_deref().or(tag.as_deref()).unwrap_or("latest"))
            }
        }
    }

    /// What the docker CLI files credentials for this image's registry under; `None` for an id.
    pub fn credentials_key(&self) -> Option<&str> {
        match &self.kind {
            Kind::Id => None,
            Kind::Name { domain, .. } if domain == HUB => Some("https://index.docker.io/v1/"),
            Kind::Name { domain, .. } => Some(domain),
        }
    }
}

/// What tells a host from the first part of a path (`splitDockerDomain`).
fn looks_like_a_host(part: &str) -> bool {
    part == "localhost"
        || part.contains(['.', ':'])
        || part.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_domain(text: &str) -> bool {
    let (host, port) = match text.rfind(':') {
        Some(colon) if !text.ends_with(']') => (&text[..colon], Some(&text[colon + 1..])),
        _ => (text, None),
    };
    let host_is_fine = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => !v6.is_empty() && v6.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        None => host.split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        }),
    };
    host_is_fine && port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    if !is_word(first) || !is_word(last) {
        return false;
    }
    text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).all(|between| {
        matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-')
    })
}

/// `[\w][\w.-]{0,127}`
fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .enumerate()
            .all(|(index, byte)| is_word(byte) || (index > 0 && (byte == b'.' || byte == b'-')))
}

/// `algorithm:hex`, at least 32 digits of it.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else {
        return false;
    };
    algorithm.split(['-', '_', '+', '.']).all(|part| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }) && hex.len() >= 32
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn what_to_pull_and_whose_credentials() {
        let digest = format!("sha256:{HEX}");
        for (text, name, tag, key) in [
            ("python", "python", "latest", "https://index.docker.io/v1/"),
            ("python:3.9-slim", "python", "3.9-slim", "https://index.docker.io/v1/"),
            ("team/app:1", "team/app", "1", "https://index.docker.io/v1/"),
            ("docker.io/team/app", "docker.io/team/app", "latest", "https://index.docker.io/v1/"),
            ("ghcr.io/a/b/c:x", "ghcr.io/a/b/c", "x", "ghcr.io"),
            ("localhost/a", "localhost/a", "latest", "localhost"),
            ("127.0.0.1:5000/a", "127.0.0.1:5000/a", "latest", "127.0.0.1:5000"),
            ("[::1]:5000/a:b", "[::1]:5000/a", "b", "[::1]:5000"),
            (&format!("h.io/a:t@{digest}"), "h.io/a", &digest, "h.io"),
            ("a__b/c---d.e_f", "a__b/c---d.e_f", "latest", "https://index.docker.io/v1/"),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(reference.pull_name(), Some(name), "{text}");
            assert_eq!(reference.pull_tag(), Some(tag), "{text}");
            assert_eq!(reference.credentials_key(), Some(key), "{text}");
        }
    }

    #[test]
    fn spellings_of_one_image_are_one() {
        let canonical = |text: &str| Reference::parse(text).unwrap().canonical();
        for text in [
            "python:latest",
            "library/python",
            "docker.io/library/python",
            "index.docker.io/library/python",
        ] {
            assert_eq!(canonical(text), canonical("python"), "{text}");
        }
        assert_ne!(canonical("python:3"), canonical("python"));
    }

    #[test]
    fn an_id_is_taken_and_not_pulled() {
        for text in [HEX.to_owned(), format!("sha256:{HEX}")] {
            assert_eq!(Reference::parse(&text).unwrap().pull_name(), None);
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "empty"),
            (":tag", "empty"),
            ("Python", "lower case"),
            ("py thon", "lower-case letters"),
            ("-python", "lower-case letters"),
            ("a..b", "lower-case letters"),
            ("a___b", "lower-case letters"),
            ("a/", "lower-case letters"),
            ("a//b", "lower-case letters"),
            ("../a?b#c", "no host"),
            ("https://h.io/a", "no host"),
            ("python:", "no tag"),
            ("python:a b", "no tag"),
            ("python@sha256:12", "no digest"),
            ("h_o.io/a", "no host"),
            ("h.io:x/a", "no host"),
            (&"a".repeat(256), "too long"),
        ] {
            let error = Reference::parse(text).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.contains(why), "{text:?}: {}", error.message);
        }
    }
}
