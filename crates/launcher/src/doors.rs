//! The namespaces of a container, opened: for those that enter it beside its process 1.
//!
//! A fork of a template has no other way in. And the memory of the launcher's own process 1 belongs to the
//! user namespace that the launcher was started in, in which only root may look into memory that is closed. So
//! what an ordinary user's launcher needs for commands beside process 1 it opens before that closes its memory.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{open, Mode, OFlags},
    process::Pid,
};
use scientist_pool_protocol::{Program, Spec};

use crate::{
    failure::{During, Result},
    ids::Mapping,
    sys,
};

pub struct Doors {
    pid: OwnedFd,
    /// In the order in which they are entered: in its user namespace a process may enter the others.
    others: [OwnedFd; 6],
}

impl Doors {
    /// Whether commands need them: later the launcher may not look into such a process 1.
    pub fn are_needed(mapping: Mapping, spec: &Spec) -> bool {
        let is_ours = matches!(spec.process.program, Program::Init) || spec.runtime.is_some();
        matches!(mapping, Mapping::Own { .. }) && is_ours
    }

    /// Those of a process 1 that has started.
    pub fn open(first: Pid) -> Result<Self> {
        let open = |name: &str| {
            let path = format!("/proc/{}/ns/{name}", first.as_raw_nonzero());
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            open(path, flags, Mode::empty()).during(format!("open the {name} namespace"))
        };
        let others = [
            open("user")?,
            open("mnt")?,
            open("ipc")?,
            open("uts")?,
            open("net")?,
            open("cgroup")?,
        ];
        Ok(Self { pid: open("pid")?, others })
    }

    /// That of its processes' ids, which is for children alone.
    pub fn pid(&self) -> BorrowedFd<'_> {
        self.pid.as_fd()
    }

    /// All of them, in the order in which they are entered.
    pub fn all(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.others.iter().chain([&self.pid]).map(AsFd::as_fd)
    }

    /// Moves this process into all others.
    pub fn enter(&self) -> rustix::io::Result<()> {
        self.others.iter().try_for_each(|namespace| sys::setns(namespace.as_fd(), 0))
    }
}
