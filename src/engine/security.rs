//! What an engine makes of the protections that are asked of it.

use serde::Serialize;

/// How an engine keeps its containers apart from its host, whatever is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Isolation {
    /// The engine runs without root: a way out of a container leads to an ordinary user.
    pub rootless: bool,
    /// Root in a container is an ordinary user outside of it.
    pub user_namespace: bool,
    /// The system call filter of a container that asks for none of its own: the engine's name of it
    /// (`default`, `builtin`, `unconfined`, a path); `None`: the engine has no filters.
    pub seccomp: Option<String>,
    pub apparmor: bool,
    pub selinux: bool,
    /// `1` or `2`.
    pub cgroup_version: Option<String>,
    /// What containers run under that ask for no `runtime`.
    pub default_runtime: Option<String>,
}

/// Something of the kernel's that keeps containers in, or that making them needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provision {
    pub name: &'static str,
    /// Why it is not there, and what to do about it; `None`: it is.
    pub missing: Option<String>,
}

/// A protection that the options ask for, or count on, and that is not given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unhonoured {
    pub name: Protection,
    /// The option that asks for it; `None`: none does, it is the engine's to give.
    pub option: Option<&'static str>,
    /// What that means, and what to do about it.
    pub detail: String,
}

/// As the JavaScript side says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    Memory,
    Swap,
    Pids,
    Cpu,
    Seccomp,
    Apparmor,
    /// What keeps a container's processes from reaching others over a network.
    Network,
    /// The image's Python can't keep scripts out of the supervisor.
    Shield,
}
