//! Whose a container is: the labels every container carries, and the proof that their owner is gone.
//!
//! A process id says something only where it was given out, so the host label stands for the host's
//! name, this boot of its kernel, the process id namespace and the time namespace. Linux alone tells all
//! of them, and the start time that tells a process from a later one with the same id.
//!
//! Only the kernel's word that there is no such process (`kill` of signal 0: ESRCH) proves an end, or a
//! start time other than that of the owner. That `/proc` shows no such process proves nothing: it hides
//! those of others (`hidepid`, `ProtectProc` of systemd), and may be of another namespace. What can't be
//! proven is left alone. On Windows nothing is proven, so nothing is removed: there, as everywhere, it is
//! the lifeline that ends the containers of a process that is gone.

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

#[cfg(unix)]
mod system {
    use rustix::{
        io::Errno,
        process::{test_kill_process, Pid},
    };

    pub(super) use super::host::{identity as host_identity, started};
    use super::Process;

    pub(super) fn process(pid: u32) -> Process {
        let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return Process::Unknown;
        };
        match test_kill_process(id) {
            Err(Errno::SRCH) => Process::Gone,
            // Not permitted to signal it: it is there.
            Ok(()) | Err(Errno::PERM) => Process::Alive(started(pid)),
            Err(_) => Process::Unknown,
        }
    }
}

#[cfg(target_os = "linux")]
mod host {
    use std::{fs, path::Path};

    pub(super) fn identity() -> Option<String> {
        let read = |path: &str| fs::read_to_string(path).ok();
        let name = read("/proc/sys/kernel/hostname")?;
        let boot = read("/proc/sys/kernel/random/boot_id")?;
        let pids = fs::read_link("/proc/self/ns/pid").ok()?;
        // A kernel that has none tells none. Start times are told as this namespace counts.
        let clocks = fs::read_link("/proc/self/ns/time").unwrap_or_default();
        let namespaces = format!("{}\n{}", pids.display(), clocks.display());
        Some(format!("{}\n{}\n{namespaces}", name.trim(), boot.trim()))
    }

    /// Field 22 of `/proc/<pid>/stat`: clock ticks from boot on.
    pub(super) fn started(pid: u32) -> Option<String> {
        // Mounted in another namespace, it tells of other processes by these ids.
        let own = fs::read_link("/proc/self").ok()?;
        if own != Path::new(&std::process::id().to_string()) {
            return None;
        }
        start_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    pub(super) fn start_in(stat: &str) -> Option<String> {
        // The second field is the program's name in brackets and may hold anything, brackets too.
        let (_, fields) = stat.rsplit_once(") ")?;
        fields.split(' ').nth(19).map(str::to_owned)
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod host {
    pub(super) fn identity() -> Option<String> {
        Some(rustix::system::uname().nodename().to_string_lossy().into_owned())
    }

    pub(super) fn started(_: u32) -> Option<String> {
        None
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
        for name in ["(a) R (b)", "node", ") S 1 2"] {
            let stat = format!("12 ({name}) S {tail}");
            assert_eq!(host::start_in(&stat).as_deref(), Some("4242"), "{name}");
        }
        assert_eq!(host::start_in("12 (a"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_process_is_gone_when_its_parent_has_collected_it_and_not_before() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        assert!(matches!(system::process(pid), Process::Alive(_)));
        child.wait().unwrap();
        assert_eq!(system::process(pid), Process::Gone);
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
