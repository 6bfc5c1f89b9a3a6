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

/// Lets this process have as many descriptors as it may, for it holds one for each container. What it had
/// before is what containers get that ask for nothing else.
pub fn raise_descriptors() -> Rlimit {
    let before = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: before.maximum, maximum: before.maximum };
    // If not, fewer containers fit.
    let _ = setrlimit(Resource::Nofile, raised);
    Rlimit { name: "nofile".to_owned(), soft: before.current, hard: before.maximum }
}

/// Lets containers ask for more than whoever started this process was allowed, as far as root may.
pub fn raise_all() {
    for (_, resource) in NAMES {
        let before = getrlimit(resource);
        let raised = rustix::process::Rlimit { current: before.current, maximum: None };
        // `nofile` can't be without limit; the kernel says no, and the old one stays.
        let _ = setrlimit(resource, raised);
    }
}
