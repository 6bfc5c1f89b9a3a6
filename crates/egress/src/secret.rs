//! Values that the processes of containers do not have, but have sent.

use std::{fmt, sync::Arc};

use base64::{engine::general_purpose as engines, Engine as _};
use percent_encoding::{percent_encode, AsciiSet, NON_ALPHANUMERIC};
use rand::{distr::Alphanumeric, Rng};
use zeroize::Zeroizing;

use crate::{host::Host, pattern::Pattern, replace::Needle};

/// The fewest bytes of a value: of a shorter one, too much that is something else would look like it.
const LEAST: usize = 8;
/// The most: what fits into a header.
const MOST: usize = 16 << 10;
/// How the placeholders begin that are long enough for that.
const BEGINS: &str = "sp-secret-";
/// So many random letters and digits tell a placeholder from all else.
const RANDOM: usize = 16;
/// What stands for itself in a URL (RFC 3986, section 2.3); all else is encoded.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The value of one, that of basic authentication too.
    Header,
    Query,
    Body,
}

/// As a pool's options have it.
#[derive(Clone)]
pub struct SecretSettings {
    /// Of the variable that has its placeholder.
    pub name: String,
    pub value: Arc<Zeroizing<String>>,
    /// As of [`crate::Settings::allow`].
    pub hosts: Vec<String>,
    pub places: Vec<Place>,
}

impl fmt::Debug for SecretSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, hosts, places, .. } = self;
        f.debug_struct("SecretSettings")
            .field("name", name)
            .field("hosts", hosts)
            .field("places", places)
            .finish_non_exhaustive()
    }
}

/// One that makes sense.
#[derive(Clone)]
pub struct Secret {
    pub name: String,
    value: Arc<Zeroizing<String>>,
    hosts: Vec<Pattern>,
    places: Vec<Place>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, hosts, places, .. } = self;
        f.debug_struct("Secret")
            .field("name", name)
            .field("hosts", hosts)
            .field("places", places)
            .finish_non_exhaustive()
    }
}

impl Secret {
    /// `within`: whether a host is one of those that are allowed.
    ///
    /// # Errors
    ///
    /// What makes no sense, by its path.
    pub fn parse(
        settings: &SecretSettings,
        within: impl Fn(&Pattern) -> bool,
    ) -> Result<Self, String> {
        let SecretSettings { name, value, hosts, places } = settings;
        let path = format!("secrets.{name}");
        // What it got is told to nobody.
        if !(LEAST..=MOST).contains(&value.len()) {
            return Err(format!("{path}.value must have {LEAST} to {MOST} bytes"));
        }
        if places.contains(&Place::Header) && value.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(format!(
                "{path}.value must have no line break or other control character to be in a header"
            ));
        }
        let hosts = hosts.iter().enumerate().map(|(at, text)| {
            let pattern = Pattern::parse(text)
                .map_err(|why| format!("{path}.hosts[{at}] {why}; got {text:?}"))?;
            if within(&pattern) {
                return Ok(pattern);
            }
            Err(format!("{path}.hosts[{at}] must be within network.allow; got {text:?}"))
        });
        Ok(Self {
            name: name.clone(),
            value: value.clone(),
            hosts: hosts.collect::<Result<_, _>>()?,
            places: places.clone(),
        })
    }

    pub fn is_for(&self, host: &Host, port: u16) -> bool {
        self.hosts.iter().any(|pattern| pattern.allows(host, port))
    }

    /// What stands for it in one container. It is as long as the value, so that the length of nothing changes in
    /// which one takes the place of the other.
    pub fn placeholder(&self) -> String {
        let length = self.value.len();
        let mut text = String::with_capacity(length);
        if length >= BEGINS.len() + RANDOM {
            text.push_str(BEGINS);
        }
        let random = rand::rng().sample_iter(Alphanumeric).take(length - text.len());
        text.extend(random.map(char::from));
        text
    }

    /// What puts the value in its placeholder's place in such a part of a request. `to_host`: whether it is for
    /// the host of the request at all.
    pub fn needle(&self, owner: usize, placeholder: &str, place: Place, to_host: bool) -> Needle {
        let value = || match place {
            Place::Query => encoded(self.value.as_bytes()),
            Place::Header | Place::Body => Zeroizing::new(self.value.as_bytes().to_vec()),
        };
        Needle {
            find: placeholder.to_owned().into(),
            spelt: false,
            put: (to_host && self.places.contains(&place)).then(value),
            owner,
        }
    }

    /// What puts the placeholder in the value's place in an answer, as it is and in base64, in whichever way its
    /// letters are written.
    pub fn needles_of_answers(&self, owner: usize, placeholder: &str) -> Vec<Needle> {
        let mut forms = vec![((*self.value).clone(), placeholder.as_bytes().to_vec())];
        for engine in [&engines::STANDARD_NO_PAD, &engines::URL_SAFE_NO_PAD] {
            for before in 0..3 {
                let form = in_base64(engine, before, self.value.as_bytes());
                let put = in_base64(engine, before, placeholder.as_bytes());
                forms.push((form, put.as_bytes().to_vec()));
            }
        }
        forms.sort_by(|(one, _), (other, _)| one.cmp(other));
        forms.dedup_by(|(one, _), (other, _)| one == other);
        let needle =
            |(find, put)| Needle { find, spelt: true, put: Some(Zeroizing::new(put)), owner };
        forms.into_iter().map(needle).collect()
    }
}

fn encoded(value: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(percent_encode(value, &ENCODED).to_string().into_bytes())
}

/// What all texts in base64 have in common in which a value comes behind so many bytes, of three.
fn in_base64(engine: &engines::GeneralPurpose, before: usize, value: &[u8]) -> Zeroizing<String> {
    let mut whole = Zeroizing::new(vec![0; before]);
    whole.extend_from_slice(value);
    let text = Zeroizing::new(engine.encode(&*whole));
    // Six bits of eight are in each letter.
    let common = (before * 8).div_ceil(6)..whole.len() * 8 / 6;
    Zeroizing::new(text[common].to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::replace::Needles;

    fn secret(value: &str) -> Secret {
        Secret {
            name: "TOKEN".to_owned(),
            value: Arc::new(Zeroizing::new(value.to_owned())),
            hosts: vec![Pattern::parse("a.org").unwrap()],
            places: vec![Place::Header],
        }
    }

    fn answer(value: &str, text: &str) -> (String, String) {
        let secret = secret(value);
        let placeholder = secret.placeholder();
        let needles = Needles::new(secret.needles_of_answers(0, &placeholder));
        let out = needles.whole(text.as_bytes(), |_| {}).unwrap_or_else(|| text.into());
        (String::from_utf8(out).unwrap(), placeholder)
    }

    #[test]
    fn a_placeholder_is_as_long_as_its_value_and_another_one_each_time() {
        for length in [8, 25, 26, 40, 1000] {
            let secret = secret(&"v".repeat(length));
            let [one, other] = [secret.placeholder(), secret.placeholder()];
            assert_eq!((one.len(), other.len()), (length, length));
            assert_ne!(one, other);
            assert_eq!(one.starts_with("sp-secret-"), length >= 26);
            assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
        }
    }

    #[test]
    fn an_answer_has_the_placeholder_in_whichever_form_the_value_is_there() {
        let value = "a/b \"c\"+d\\é?0123";
        for text in [
            value.to_owned(),
            "a%2Fb%20%22c%22%2Bd%5C%C3%A9%3F0123".to_owned(),
            "a%2fb%20%22c%22%2bd%5c%c3%a9%3f0123".to_owned(),
            r#"a/b \"c\"+d\\é?0123"#.to_owned(),
            r#"a\/b \"c\"+d\\é?0123"#.to_owned(),
            // As other writers leave other letters as they are.
            "a/b%20%22c%22%2Bd%5C%C3%A9%3F0123".to_owned(),
            "a%2Fb+%22c%22%2Bd%5C%C3%A9?0123".to_owned(),
            r#"a/b \u0022c\u0022+d\\\u00E9?0123"#.to_owned(),
            r#"a/b &quot;c&#34;+d\&#xe9;?0123"#.to_owned(),
        ] {
            let (out, placeholder) = answer(value, &format!("<{text}>"));
            assert!(out.starts_with(&format!("<{placeholder}")), "{out}");
            assert_eq!(out.len(), text.len() + 2, "{out}");
        }
    }

    proptest! {
        #[test]
        fn what_an_answer_has_in_base64_is_the_placeholder(
            value in "[ -~]{8,40}",
            before in ".{0,4}",
            behind in ".{0,4}",
        ) {
            for engine in [&engines::STANDARD, &engines::URL_SAFE] {
                let text = engine.encode(format!("{before}{value}{behind}"));
                let (out, placeholder) = answer(&value, &text);
                prop_assert_eq!(out.len(), text.len());
                let decoded = engine.decode(&out).unwrap();
                // Letters that it shares with what is around it stay: a byte at each end at most.
                let inner = &decoded[before.len() + 1..before.len() + value.len() - 1];
                prop_assert_eq!(inner, &placeholder.as_bytes()[1..value.len() - 1]);
            }
        }
    }

    #[test]
    fn what_is_in_base64_is_in_urls_and_in_json_too() {
        let value = "??>>~~??>>~~??>>~~";
        let text = engines::STANDARD.encode(format!("user:{value}"));
        assert!(text.contains('/') && text.contains('+'), "{text}");
        for written in [
            text.replace('/', "%2F").replace('+', "%2b"),
            text.replace('/', "\\/"),
            text.replace('+', "\\u002b").replace('/', "&#x2F;"),
        ] {
            let (out, _) = answer(value, &written);
            assert!(!out.contains(&written[10..20]), "{out}");
            assert_eq!(out.len(), written.len());
        }
    }

    #[test]
    fn a_secret_that_makes_no_sense_is_refused_without_its_value() {
        let settings = |value: &str, host: &str, place| SecretSettings {
            name: "TOKEN".to_owned(),
            value: Arc::new(Zeroizing::new(value.to_owned())),
            hosts: vec![host.to_owned()],
            places: vec![place],
        };
        let own = Pattern::parse("a.org").unwrap();
        let parse = |settings: &SecretSettings| {
            Secret::parse(settings, |pattern| own.covers(pattern)).map_err(|why| {
                assert!(!why.contains("hush"), "{why}");
                why
            })
        };
        for (settings, why) in [
            (settings("hush", "a.org", Place::Header), "secrets.TOKEN.value must have 8 to 16384 bytes"),
            (settings("hush\nhush\n", "a.org", Place::Header), "secrets.TOKEN.value must have no line break or other control character to be in a header"),
            (settings("hush hush", "a.org/x", Place::Header), "secrets.TOKEN.hosts[0] is no name of a host; got \"a.org/x\""),
            (settings("hush hush", "b.org", Place::Header), "secrets.TOKEN.hosts[0] must be within network.allow; got \"b.org\""),
        ] {
            assert_eq!(parse(&settings).err().as_deref(), Some(why));
        }
        let secret = parse(&settings("hush\nhush\n", "a.org", Place::Body)).unwrap();
        assert!(!format!("{secret:?}").contains("hush"));
    }
}
