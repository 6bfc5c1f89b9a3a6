//! Whose a container is: the labels every container carries, and the proof that their owner is gone.
//!
//! A process id says something only where it was given out, so the host label stands for the host's
//! name, this boot of its kernel and the process id namespace. Linux alone tells all three, and the
//! start time that tells a process from a later one with the same id. On other unixes a process that
//! is not there is proof; a reused id keeps its container. On Windows nothing is proven, so nothing is
//! removed: there, as everywhere, it is the lifeline that ends the containers of a process that is gone.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use once_cell::sync::Lazy;
use rand::Rng;
use sha2::{Digest, Sha256};

/// Random, one for each process.
pub(super) const SESSION: &str = "scientist-pool.session";
/// See the module's text.
pub(super) const HOST: &str = "scientist-pool.host";
pub(super) const PID: &str = "scientist-pool.pid";
/// When the process started, as the kernel counts it; empty where that is not known.
pub(super) const STARTED: &str = "scientist-pool.started";
/// Of this package.
pub(super) const VERSION: &str = "scientist-pool.version";

/// This process, as an owner of containers.
pub(super) struct Owner {
    pub session: String,
    host: Option<String>,
    pid: u32,
    started: String,
    containers: AtomicU64,
}

static OWNER: Lazy<Owner> = Lazy::new(|| {
    let session: u128 = rand::rng().random();
    let pid = std::process::id();
    Owner {
        session: format!("{session:032x}"),
        host: system::host_identity().map(|text| {
            let hash = Sha256::digest(text.as_bytes());
            hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
        }),
        pid,
        started: system::started(pid).unwrap_or_default(),
        containers: AtomicU64::new(0),
    }
});

/// How a process stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Process {
    Gone,
    /// Alive, started at this time if that is known.
    Alive(Option<String>),
    Unknown,
}

impl Owner {
    /// Of this process.
    pub(super) fn current() -> &'static Owner {
        &OWNER
    }

    /// A name no other container has had, by which one whose id was never learnt can be found.
    pub(super) fn next_name(&self) -> String {
        let number = self.containers.fetch_add(1, Ordering::Relaxed) + 1;
        format!("scientist-pool-{}-{number}", &self.session[..8])
    }

    pub(super) fn labels(&self) -> [(&'static str, String); 5] {
        [
            (SESSION, self.session.clone()),
            (HOST, self.host.clone().unwrap_or_default()),
            (PID, self.pid.to_string()),
            (STARTED, self.started.clone()),
            (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        ]
    }

    /// Whether these labels prove that the process which made the container is gone.
    pub(super) fn is_gone(&self, labels: &HashMap<String, String>) -> bool {
        self.proves(labels, system::process)
    }

    fn proves(&self, labels: &HashMap<String, String>, process: impl Fn(u32) -> Process) -> bool {
        let label =
            |name: &str| labels.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let (Some(session), Some(host), Some(pid)) = (label(SESSION), label(HOST), label(PID))
        else {
            return false;
        };
        if session == self.session || Some(host) != self.host.as_deref() {
            return false;
        }
        let Ok(pid) = pid.parse() else { return false };
        match process(pid) {
            Process::Gone => true,
            Process::Alive(Some(started)) => label(STARTED).is_some_and(|then| then != started),
            Process::Alive(None) | Process::Unknown => false,
        }
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{fs, io};

    use super::Process;

    pub(super) fn host_identity() -> Option<String> {
        let read = |path: &str| fs::read_to_string(path).ok();
        let name = read("/proc/sys/kernel/hostname")?;
        let boot = read("/proc/sys/kernel/random/boot_id")?;
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
        Some(format!("{}\n{}\n{}", name.trim(), boot.trim(), namespace.display()))
    }

    /// Field 22 of `/proc/<pid>/stat`: clock ticks from boot on.
    pub(super) fn started(pid: u32) -> Option<String> {
        match process(pid) {
            Process::Alive(started) => started,
            _ => None,
        }
    }

    pub(super) fn process(pid: u32) -> Process {
        match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => read_stat(&stat),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Process::Gone,
            Err(_) => Process::Unknown,
        }
    }

    pub(super) fn read_stat(stat: &str) -> Process {
        // The second field is the program's name in brackets and may hold anything, brackets too.
        let Some((_, fields)) = stat.rsplit_once(") ") else {
            return Process::Unknown;
        };
        let mut fields = fields.split(' ');
        match fields.next() {
            // Dead, only not yet collected by its parent.
            Some("Z" | "X") => Process::Gone,
            _ => Process::Alive(fields.nth(18).map(str::to_owned)),
        }
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod system {
    use super::Process;

    pub(super) fn host_identity() -> Option<String> {
        Some(rustix::system::uname().nodename().to_string_lossy().into_owned())
    }

    pub(super) fn started(_: u32) -> Option<String> {
        None
    }

    pub(super) fn process(pid: u32) -> Process {
        let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else {
            return Process::Unknown;
        };
        match rustix::process::test_kill_process(pid) {
            Err(rustix::io::Errno::SRCH) => Process::Gone,
            // Not permitted to signal it: it is there.
            Ok(()) | Err(rustix::io::Errno::PERM) => Process::Alive(None),
            Err(_) => Process::Unknown,
        }
    }
}

#[cfg(not(unix))]
mod system {
    use super::Process;

    pub(super) fn host_identity() -> Option<String> {
        None
    }

    pub(super) fn started(_: u32) -> Option<String> {
        None
    }

    pub(super) fn process(_: u32) -> Process {
        Process::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner {
            session: "aaaaaaaabbbb".into(),
            host: Some("here".into()),
            pid: 7,
            started: "100".into(),
            containers: AtomicU64::new(0),
        }
    }

    fn labels(session: &str, host: &str, pid: &str, started: &str) -> HashMap<String, String> {
        [(SESSION, session), (HOST, host), (PID, pid), (STARTED, started)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn alive(_: u32) -> Process {
        Process::Alive(Some("100".into()))
    }

    #[test]
    fn a_dead_process_of_this_host_is_gone() {
        assert!(owner().proves(&labels("other", "here", "9", "100"), |_| Process::Gone));
    }

    #[test]
    fn another_process_with_the_same_id_proves_that_the_first_is_gone() {
        assert!(owner().proves(&labels("other", "here", "9", "99"), alive));
        assert!(!owner().proves(&labels("other", "here", "9", "100"), alive));
    }

    #[test]
    fn nothing_is_proven_of_another_host_or_of_this_session() {
        assert!(!owner().proves(&labels("other", "there", "9", "100"), |_| Process::Gone));
        assert!(!owner().proves(&labels("aaaaaaaabbbb", "here", "9", "100"), |_| { Process::Gone }));
    }

    #[test]
    fn labels_that_are_missing_or_make_no_sense_prove_nothing() {
        assert!(!owner().proves(&HashMap::new(), |_| Process::Gone));
        for (host, pid) in [("", "9"), ("here", ""), ("here", "x"), ("here", "-1")] {
            assert!(!owner().proves(&labels("other", host, pid, "100"), |_| Process::Gone));
        }
        let nameless = Owner { host: None, ..owner() };
        assert!(!nameless.proves(&labels("other", "", "9", "100"), |_| Process::Gone));
    }

    #[test]
    fn a_process_whose_start_is_not_known_proves_nothing() {
        let unknown = |_| Process::Alive(None);
        assert!(!owner().proves(&labels("other", "here", "9", "99"), unknown));
        assert!(!owner().proves(&labels("other", "here", "9", ""), alive));
    }

    #[test]
    fn names_begin_with_the_session_and_are_never_given_twice() {
        let owner = owner();
        assert_eq!(owner.next_name(), "scientist-pool-aaaaaaaa-1");
        assert_eq!(owner.next_name(), "scientist-pool-aaaaaaaa-2");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_start_time_is_read_past_any_program_name() {
        let tail = "1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 9 9";
        assert_eq!(
            system::read_stat(&format!("12 (a) R (b) S {tail}")),
            Process::Alive(Some("4242".into()))
        );
        assert_eq!(system::read_stat(&format!("12 (x) Z {tail}")), Process::Gone);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_alive_by_its_own_labels() {
        let labels: HashMap<_, _> =
            Owner::current().labels().map(|(name, value)| (name.to_owned(), value)).into();
        let neighbour = Owner { session: "neighbour".into(), ..owner() };
        let neighbour = Owner { host: OWNER.host.clone(), ..neighbour };
        assert!(!neighbour.is_gone(&labels));
    }
}
