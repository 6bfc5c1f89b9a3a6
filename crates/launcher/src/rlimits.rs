//! Limits of each process of its own.

use rustix::process::{getrlimit, setrlimit, Resource};
use scientist_pool_protocol::Rlimit;

use crate::failure::{invalid, During, Result};

/// As `docker run --ulimit` names them.
const NAMES: [(&str, Resource); 16] = [
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

/// What it limits.
pub fn resource(Rlimit { name, .. }: &Rlimit) -> Result<Resource> {
    let known = NAMES.iter().find(|(known, _)| known == name);
    let unknown = || invalid(format!("{name:?} is no limit that a process can have"));
    known.map(|(_, resource)| *resource).ok_or_else(unknown)
}

/// Sets this process's.
pub fn set(rlimits: &[Rlimit]) -> Result<()> {
    for rlimit @ Rlimit { name, soft, hard } in rlimits {
        let resource = resource(rlimit)?;
        let limit = rustix::process::Rlimit { current: *soft, maximum: *hard };
        let text = |limit: &Option<u64>| limit.map_or("unlimited".to_owned(), |n| n.to_string());
        setrlimit(resource, limit).during(format!(
            "set the limit {name} to {}:{}",
            text(soft),
            text(hard)
        ))?;
    }
    Ok(())
}

/// What a process of a container asks for, and `inherited` for the rest.
pub fn merged(inherited: &[Rlimit], asked: &[Rlimit]) -> Vec<Rlimit> {
    let is_asked = |limit: &&Rlimit| asked.iter().any(|asked| asked.name == limit.name);
    let rest = inherited.iter().filter(|limit| !is_asked(limit));
    rest.chain(asked).cloned().collect()
}

/// Lets this process have as many descriptors as it may, for it holds one for each container, and lets
/// containers ask for more than whoever started it was allowed, as far as root may.
///
/// Gives what containers get that ask for nothing: what it had before, as they may use all that their limits
/// let them, but no right to go before others on this machine's processors.
pub fn raise() -> Vec<Rlimit> {
    NAMES.map(|(name, resource)| raise_one(name, resource)).into()
}

fn raise_one(name: &str, resource: Resource) -> Rlimit {
    let before = getrlimit(resource);
    let current = if resource == Resource::Nofile { before.maximum } else { before.current };
    // If not, fewer containers fit. `nofile` can't be without limit: as much as there was, then.
    for maximum in [None, before.maximum] {
        let raised = rustix::process::Rlimit { current, maximum };
        if setrlimit(resource, raised).is_ok() {
            break;
        }
    }
    let (soft, hard) = match resource {
        Resource::Nice | Resource::Rtprio => (Some(0), Some(0)),
        _ => (before.current, before.maximum),
    };
    Rlimit { name: name.to_owned(), soft, hard }
}
