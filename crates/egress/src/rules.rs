//! What is allowed.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use crate::{
    host::Host,
    nameserver,
    pattern::Pattern,
    secret::{Secret, SecretSettings},
    trust::Trust,
    upstream::{self, Resolve},
};

/// The words of a pool's options, as they are given.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `example.org`, `*.example.org:8443`, `10.0.0.1`, `[fd00::1]:443`; without a port: 443 and 80.
    pub allow: Vec<String>,
    /// The same, of what is not allowed although `allow` has it; without a port: all of them.
    pub deny: Vec<String>,
    /// Names and the addresses that they have, whatever the resolver says.
    pub hosts: BTreeMap<String, String>,
    /// Whether tunnels are let through in which no TLS is, or one that does not say whom it is meant for, or
    /// that hides it (ECH).
    pub opaque: bool,
    /// Certificates in PEM that are trusted beside this machine's.
    pub ca: Option<String>,
    /// The address of the DNS server that is asked for names; `None`: this machine's resolver is.
    pub resolver: Option<String>,
    pub secrets: Vec<SecretSettings>,
    pub limits: Limits,
}

/// Of connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until one stands, the name resolved.
    pub connect: Duration,
    /// How long nothing may go through one.
    pub idle: Duration,
    /// Bytes of one to its host; `None`: no limit.
    pub sent: Option<u64>,
    /// Bytes of one from its host; `None`: no limit.
    pub received: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        let [connect, idle] = [10, 60].map(Duration::from_secs);
        Self { connect, idle, sent: None, received: None }
    }
}

/// An entry that makes no sense, by its path: ``network.allow[2] must …; got "…"``.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRule(String);

impl fmt::Display for BadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadRule {}

/// The rules of a pool.
#[derive(Debug, Clone)]
pub struct Rules {
    lists: Lists,
    hosts: BTreeMap<Host, IpAddr>,
    pub(crate) opaque: bool,
    /// `None`: nothing is trusted but what this machine does.
    pub(crate) trust: Option<Trust>,
    resolver: Option<SocketAddr>,
    pub(crate) secrets: Vec<Arc<Secret>>,
    pub(crate) limits: Limits,
}

/// What is allowed, and what of that is not.
#[derive(Debug, Clone)]
pub struct Lists {
    allow: Vec<Pattern>,
    deny: Vec<Pattern>,
}

/// How a host is allowed, or why it is not: the rule.
pub type Verdict<'a> = Result<&'a Pattern, String>;

impl Rules {
    /// # Errors
    ///
    /// The first entry that makes no sense.
    pub fn parse(settings: &Settings) -> Result<Self, BadRule> {
        let lists = Lists::parse(&settings.allow, &settings.deny)?;
        let hosts = settings.hosts.iter().map(|(name, address)| {
            let path = format!("network.hosts[{name:?}]");
            let host = match Host::parse(name) {
                Ok(host @ Host::Name(_)) => host,
                Ok(Host::Address(_)) => {
                    return Err(BadRule(format!("{path} is the name of an address")))
                }
                Err(why) => return Err(BadRule(format!("{path}: its name {why}"))),
            };
            let address = address
                .parse()
                .map_err(|_| BadRule(format!("{path} must be an address; got {address:?}")))?;
            Ok((host, address))
        });
        let hosts = hosts.collect::<Result<_, _>>()?;
        let trust = settings.ca.as_deref().map(Trust::beside).transpose();
        let trust = trust.map_err(|why| BadRule(format!("network.ca {why}")))?;
        let resolver = settings.resolver.as_ref().map(|text| {
            nameserver::address(text).ok_or_else(|| {
                BadRule(format!(
                    "network.resolver must be an address, with a port or without; got {text:?}"
                ))
            })
        });
        let resolver = resolver.transpose()?;
        let within = |pattern: &Pattern| lists.allow.iter().any(|own| own.covers(pattern));
        let secrets = settings.secrets.iter().map(|secret| Secret::parse(secret, within));
        let secrets = secrets.map(|secret| secret.map(Arc::new)).collect::<Result<_, _>>();
        let secrets = secrets.map_err(BadRule)?;
        let Settings { opaque, limits, .. } = *settings;
        Ok(Self { lists, hosts, opaque, trust, resolver, secrets, limits })
    }

    /// What gives the addresses of names.
    pub(crate) fn resolve(&self) -> Resolve {
        self.resolver.map_or_else(upstream::system, nameserver::ask)
    }

    pub(crate) fn verdict(&self, host: &Host, port: u16) -> Verdict<'_> {
        self.lists.verdict(host, port)
    }

    /// The address that a name has been given outright.
    pub(crate) fn given(&self, host: &Host) -> Option<IpAddr> {
        self.hosts.get(host).copied()
    }

    /// Why an address is not to be reached, under whichever name; `None`: nothing says so.
    pub(crate) fn denial(&self, address: IpAddr, port: u16) -> Option<String> {
        self.lists.denial(&Host::Address(address), port)
    }

    /// Those of a call, which may allow no more than these.
    ///
    /// # Errors
    ///
    /// The first entry that makes no sense, or that is not within these.
    pub(crate) fn narrowed(&self, allow: &[String], deny: &[String]) -> Result<Lists, BadRule> {
        let lists = Lists::parse(allow, deny)?;
        let within = |pattern: &Pattern| self.lists.allow.iter().any(|own| own.covers(pattern));
        match lists.allow.iter().position(|pattern| !within(pattern)) {
            None => Ok(lists),
            Some(at) => Err(BadRule(format!(
                "network.allow[{at}] must be within what the pool allows; got {:?}",
                allow[at]
            ))),
        }
    }
}

impl Lists {
    fn parse(allow: &[String], deny: &[String]) -> Result<Self, BadRule> {
        Ok(Self { allow: patterns("network.allow", allow)?, deny: patterns("network.deny", deny)? })
    }

    fn denial(&self, host: &Host, port: u16) -> Option<String> {
        let denying = self.deny.iter().find(|pattern| pattern.denies(host, port));
        denying.map(|pattern| format!("network.deny has \"{pattern}\""))
    }

    pub(crate) fn verdict(&self, host: &Host, port: u16) -> Verdict<'_> {
        if let Some(why) = self.denial(host, port) {
            return Err(why);
        }
        let allowing = self.allow.iter().find(|pattern| pattern.allows(host, port));
        allowing.ok_or_else(|| format!("network.allow has no \"{host}:{port}\""))
    }
}

fn patterns(path: &str, list: &[String]) -> Result<Vec<Pattern>, BadRule> {
    let parse = |(at, text): (usize, &String)| {
        Pattern::parse(text).map_err(|why| BadRule(format!("{path}[{at}] {why}; got {text:?}")))
    };
    list.iter().enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::split;

    fn rules(allow: &[&str], deny: &[&str]) -> Result<Rules, BadRule> {
        let [allow, deny] =
            [allow, deny].map(|list| list.iter().map(|&text| text.into()).collect());
        Rules::parse(&Settings { allow, deny, ..Settings::default() })
    }

    fn verdict(rules: &Rules, to: &str) -> Result<String, String> {
        let (host, port) = split(to).unwrap();
        rules.verdict(&host, port.unwrap_or(443)).map(ToString::to_string)
    }

    #[test]
    fn what_no_rule_allows_is_refused_with_the_rule_that_is_missing() {
        let rules = rules(&["*.example.org"], &[]).unwrap();
        assert_eq!(verdict(&rules, "a.example.org"), Ok("*.example.org".into()));
        assert_eq!(
            verdict(&rules, "example.com"),
            Err("network.allow has no \"example.com:443\"".into())
        );
    }

    #[test]
    fn a_denial_goes_before() {
        let rules = rules(&["*.example.org"], &["b.example.org"]).unwrap();
        assert_eq!(
            verdict(&rules, "b.example.org"),
            Err("network.deny has \"b.example.org\"".into())
        );
    }

    #[test]
    fn a_wrong_entry_is_named() {
        let error = rules(&["a.org", "https://b.org"], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "network.allow[1] is a URL: name the host alone; got \"https://b.org\""
        );
        let hosts = BTreeMap::from([("a.org".to_owned(), "nowhere".to_owned())]);
        let error = Rules::parse(&Settings { hosts, ..Settings::default() }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "network.hosts[\"a.org\"] must be an address; got \"nowhere\""
        );
        for (settings, why) in [
            (
                Settings { resolver: Some("dns.org".into()), ..Settings::default() },
                "network.resolver must be an address, with a port or without; got \"dns.org\"",
            ),
            (
                Settings { ca: Some("ca.pem".into()), ..Settings::default() },
                "network.ca has no certificate in it",
            ),
        ] {
            assert_eq!(Rules::parse(&settings).unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn a_call_has_no_more_than_its_pool() {
        let rules = rules(&["*.example.org"], &[]).unwrap();
        let narrowed = rules.narrowed(&["a.example.org".into()], &[]).unwrap();
        let (host, _) = split("b.example.org").unwrap();
        assert!(narrowed.verdict(&host, 443).is_err());
        let error = rules.narrowed(&["example.com".into()], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "network.allow[0] must be within what the pool allows; got \"example.com\""
        );
    }
}
