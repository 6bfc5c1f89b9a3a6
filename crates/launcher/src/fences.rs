//! Which fences stand around containers: all of them.
//!
//! Only a build with the feature `fences-down`, which nobody is given, can take some away, so that tests see
//! what each of them is for: those that the name of the folder has in it that the program lies in
//! (`userns+pidns`). In any other build this decides nothing when the program runs.

use crate::sys::{attribute, new};

/// One that no option of a pool takes away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// A user namespace, whose ids are nobody's outside.
    User,
    /// A mount namespace, whose root is the image's.
    Mount,
    /// A pid namespace, and that of the launcher around it.
    Pid,
    Ipc,
    Uts,
    Network,
    Cgroup,
    /// What is masked and read-only in `/proc`.
    Proc,
    /// A `/dev` of its own.
    Devices,
    /// No setuid programs of the image's.
    Nosuid,
    /// The memory of the launcher and of process 1 is closed.
    Memory,
    /// Process 1 is another user than scripts.
    First,
    /// Nobody inherits a descriptor.
    Descriptors,
    /// The filter of system calls.
    Seccomp,
    /// A keyring of its own.
    Keyring,
}

impl Fence {
    /// Those that are namespaces, with their flags.
    const NAMESPACES: [(Self, u64); 7] = [
        (Self::User, new::USER),
        (Self::Mount, new::MOUNT),
        (Self::Pid, new::PID),
        (Self::Ipc, new::IPC),
        (Self::Uts, new::UTS),
        (Self::Network, new::NETWORK),
        (Self::Cgroup, new::CGROUP),
    ];

    #[cfg(not(feature = "fences-down"))]
    pub const fn stands(self) -> bool {
        true
    }

    #[cfg(feature = "fences-down")]
    pub fn stands(self) -> bool {
        !down::DOWN.contains(&self)
    }
}

/// Whether none is taken away: a fork of a template would put some up again by itself.
pub fn all_stand() -> bool {
    #[cfg(feature = "fences-down")]
    return down::DOWN.is_empty();
    #[cfg(not(feature = "fences-down"))]
    true
}

/// Those of the namespaces that are made.
pub fn namespaces(wanted: u64) -> u64 {
    let made = |(fence, flag): &(Fence, u64)| wanted & flag != 0 && fence.stands();
    Fence::NAMESPACES.iter().filter(|each| made(each)).fold(0, |flags, (_, flag)| flags | flag)
}

/// Attributes of everything that is shown of this machine, but for what may be written to.
pub fn shown() -> u64 {
    attribute::RDONLY | shown_writable()
}

pub fn shown_writable() -> u64 {
    attribute::NODEV | nosuid()
}

/// The attribute that takes its power from a setuid program, as which it is a flag of `mount` too.
pub fn nosuid() -> u64 {
    if Fence::Nosuid.stands() {
        attribute::NOSUID
    } else {
        0
    }
}

#[cfg(feature = "fences-down")]
mod down {
    use std::sync::LazyLock;

    use super::Fence;

    const NAMES: [(&str, Fence); 15] = [
        ("userns", Fence::User),
        ("mountns", Fence::Mount),
        ("pidns", Fence::Pid),
        ("ipcns", Fence::Ipc),
        ("utsns", Fence::Uts),
        ("netns", Fence::Network),
        ("cgroupns", Fence::Cgroup),
        ("proc", Fence::Proc),
        ("devices", Fence::Devices),
        ("nosuid", Fence::Nosuid),
        ("shield", Fence::Memory),
        ("first-user", Fence::First),
        ("descriptors", Fence::Descriptors),
        ("seccomp", Fence::Seccomp),
        ("keyring", Fence::Keyring),
    ];

    /// Asked for before the program can't be found any more.
    pub static DOWN: LazyLock<Vec<Fence>> = LazyLock::new(|| {
        let program = std::env::current_exe().unwrap_or_default();
        let folder = program.parent().and_then(|folder| folder.file_name()?.to_str());
        let named = folder.unwrap_or_default().split('+');
        let known = |name| NAMES.iter().find(|(known, _)| *known == name).map(|(_, fence)| *fence);
        named.filter_map(known).collect()
    });
}
