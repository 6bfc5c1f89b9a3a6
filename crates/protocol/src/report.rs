//! Which fences there are on a machine.

use serde::{Deserialize, Serialize};

use crate::Failure;

/// What the kernel, and whatever is around us, lets the launcher use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Every [`Fence`] once.
    pub fences: Vec<(Fence, Result<(), Absence>)>,
    /// What keeps limits; `None`: nothing does.
    pub cgroup: Option<CgroupVersion>,
    /// The limits that are kept.
    pub limits: Vec<Limit>,
    /// Whether the launcher runs as root, so that ids are mapped to a range of their own; else all of a
    /// container's processes are this user's.
    pub root: bool,
    /// The version of Landlock's interface; 0: none. The launcher does not use it.
    pub landlock: u32,
    /// The version of the runtime that was asked for, in its own words, or why it is of no use.
    pub runtime: Option<Result<String, Failure>>,
}

/// Something that keeps a container in, or that making one needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fence {
    UserNamespace,
    MountNamespace,
    PidNamespace,
    IpcNamespace,
    UtsNamespace,
    CgroupNamespace,
    NetworkNamespace,
    /// A `/proc` of the container's own.
    Proc,
    /// An overlay of layers.
    Overlay,
    /// Attributes of a whole tree of mounts (`mount_setattr`).
    MountAttributes,
    /// Files of an image keep their owners.
    IdMappedMounts,
    Seccomp,
}

/// Why a fence is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    pub errno: i32,
    /// What was tried.
    pub step: String,
}

/// A limit that a cgroup keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Limit {
    Memory,
    Swap,
    Pids,
    Cpu,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CgroupVersion {
    V1,
    V2,
}
