//! What a container is to be.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything one container is made from. Nothing has a default here: the pool owns those.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    pub root: Layers,
    /// Files and folders of this machine that are shown in the container, in this order.
    pub binds: Vec<Bind>,
    /// Mounted in this order, after the binds.
    pub tmpfs: Vec<Tmpfs>,
    /// Size of `/dev/shm`; bytes. `None`: the kernel's default, half of the memory.
    pub shm_size: Option<u64>,
    pub hostname: String,
    /// The port of its own loopback (127.0.0.1) where a socket is to listen whose connections are for whoever
    /// asked for the container; `None`: there is none.
    pub proxy: Option<u16>,
    pub process: Process,
    pub user: User,
    pub privileges: Privileges,
    pub limits: Limits,
    pub rlimits: Vec<Rlimit>,
    /// From 0 (as this process) to 1000 (the first to be killed when the machine is out of memory).
    pub oom_score_adj: i16,
    /// The program of an OCI runtime that is to run the container, absolute; `None`: the launcher does.
    pub runtime: Option<PathBuf>,
}

/// The root file system.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Layers {
    /// Folders of this machine, the lowest first. None: an empty root, to be filled by binds.
    pub folders: Vec<PathBuf>,
    /// `false`: what is written goes to memory, and counts into the memory limit.
    pub read_only: bool,
}

/// A file or folder of this machine, without what is mounted below it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bind {
    pub source: PathBuf,
    /// Absolute, in the container; made if it is not there.
    pub target: String,
    pub read_only: bool,
    /// Whether symbolic links on the way to `source` are followed; else they are refused.
    pub links: bool,
}

/// A file system in memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Absolute, in the container; made if it is not there.
    pub target: String,
    /// As for `docker run --tmpfs`: mount flags (`ro`, `exec`, `nosuid` …) and options of the file system
    /// (`size=64m`, `mode=1777` …), between commas. `noexec,nosuid,nodev` unless said otherwise.
    pub options: String,
}

/// A process, and what it begins with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Process {
    pub program: Program,
    /// With the name the program is called by.
    pub argv: Vec<String>,
    /// `NAME=value`; nothing is added.
    pub env: Vec<String>,
    /// Absolute, in the container.
    pub cwd: String,
}

/// Where the program is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// In the container: `argv[0]`, looked up in the container's `PATH` unless it has a slash.
    Inside,
    /// The launcher's own, whatever the root file system holds, as process 1 alone: it runs what it is told to
    /// on its stdin (the launcher's `init`), as children with this environment and in this folder, and ends
    /// with that. Its `argv` says nothing.
    Init,
    /// The container's `python3`, booted once to be forked: see [`Template`]. Its `argv` says nothing.
    Template(Template),
}

/// An interpreter that the ones of other containers are forked from. It is no container: its process is in the
/// launcher's own pid namespace, as one of a user namespace that theirs are nested in.
///
/// Its forks are whom the spec names, with the privileges it names; it has none itself.
///
/// Its stdout brings one word, `ready`, or why there can be no forks of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// What it imports, and what it may import.
    pub preload: Vec<String>,
    pub idle: Vec<String>,
    /// The filters that forks set on top of the template's own.
    pub seccomp: Vec<Vec<u8>>,
}

/// As the container sees them; below 65536.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

/// The names of capabilities in the order of their numbers, from 0 (`linux/capability.h`), with spaces between.
pub const CAPABILITIES: &str = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP \
    LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE \
    SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME \
    SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM \
    BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";

/// What the processes of a container may do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Privileges {
    /// Numbers of the capabilities ([`CAPABILITIES`]) that stay in the bounding set; only user 0 gets
    /// them. They count in the container's user namespace, never on this machine.
    pub capabilities: Vec<u8>,
    pub no_new_privileges: bool,
    /// Compiled filters (arrays of `struct sock_filter`), set in this order.
    pub seccomp: Vec<Vec<u8>>,
}

/// Limits kept by a cgroup; `None`: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<u64>,
    /// Bytes of swap, on top of `memory`. Without a memory limit there is none on swap.
    pub swap: Option<u64>,
    pub pids: Option<u64>,
    pub cpu: Option<Cpu>,
}

/// CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// Microseconds in each period.
    pub quota: u64,
    /// Microseconds.
    pub period: u64,
}

/// A limit of each process of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// As for `docker run --ulimit`: `nofile`, `core`, `fsize` …
    pub name: String,
    /// `None`: without limit.
    pub soft: Option<u64>,
    /// `None`: without limit.
    pub hard: Option<u64>,
}
