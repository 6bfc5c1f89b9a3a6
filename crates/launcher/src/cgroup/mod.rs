//! Limits of a container as a whole.
//!
//! All groups of a launcher are in one of its own, below the group it was started in where that is
//! possible. In it, a group `launcher` holds the launcher itself: while there is a process in it, nobody
//! else may clear away what is beside it. What a dead launcher left is removed by the next one.
//!
//! Written to directly: it is a dozen files, of which none is read on the way of a container, where the
//! crates for it (`cgroups-rs`) look through all controllers each time.

mod place;
mod v1;
mod v2;

use std::{
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::io::Errno;
use scientist_pool_protocol::{CgroupVersion, ContainerId, Limit, Limits, Usage};

use crate::failure::{During, Result};

/// The launcher's groups.
pub enum Cgroups {
    V1(v1::Groups),
    V2(v2::Groups),
    /// There is nothing that this user may make a group in.
    None,
}

impl Cgroups {
    /// Makes the launcher's group and puts this process, and so its children, into it. Removes those of
    /// launchers that are gone.
    pub fn prepare() -> Self {
        let (Ok(mounts), Ok(own)) =
            (fs::read_to_string("/proc/self/mountinfo"), fs::read_to_string("/proc/self/cgroup"))
        else {
            return Self::None;
        };
        // A machine may have both, with all controllers in one of them.
        if let Some(groups) = v2::Groups::prepare(&mounts, &own) {
            return Self::V2(groups);
        }
        v1::Groups::prepare(&mounts, &own).map_or(Self::None, Self::V1)
    }

    /// Removes the groups of launchers that are gone; whether there are others that are not.
    pub fn sweep(&self) -> bool {
        match self {
            Self::V1(groups) => groups.sweep(),
            Self::V2(groups) => groups.sweep(),
            Self::None => false,
        }
    }

    /// Removes all of it. Every process in it has ended, but this one.
    pub fn clear(&self) {
        match self {
            Self::V1(groups) => groups.clear(),
            Self::V2(groups) => groups.clear(),
            Self::None => {}
        }
    }

    pub fn version(&self) -> Option<CgroupVersion> {
        match self {
            Self::V1(_) => Some(CgroupVersion::V1),
            Self::V2(_) => Some(CgroupVersion::V2),
            Self::None => None,
        }
    }

    /// The limits that are kept.
    pub fn limits(&self) -> Vec<Limit> {
        [Limit::Memory, Limit::Swap, Limit::Pids, Limit::Cpu]
            .into_iter()
            .filter(|limit| match self {
                Self::V1(groups) => groups.keeps(*limit),
                Self::V2(groups) => groups.keeps(*limit),
                Self::None => false,
            })
            .collect()
    }

    /// What is asked for and not kept.
    pub fn unkept(&self, asked: &Limits) -> Vec<Limit> {
        let kept = self.limits();
        [
            (Limit::Memory, asked.memory.is_some()),
            (Limit::Swap, asked.memory.is_some() && asked.swap.is_some()),
            (Limit::Pids, asked.pids.is_some()),
            (Limit::Cpu, asked.cpu.is_some()),
        ]
        .into_iter()
        .filter(|(limit, asked)| *asked && !kept.contains(limit))
        .map(|(limit, _)| limit)
        .collect()
    }

    /// A group for a container, with its limits.
    pub fn make(&self, id: ContainerId, limits: &Limits) -> Result<Group> {
        match self {
            Self::V1(groups) => groups.make(id, limits).map(Group::V1),
            Self::V2(groups) => groups.make(id, limits).map(Group::V2),
            Self::None => Ok(Group::None),
        }
    }
}

/// A container's group.
pub enum Group {
    V1(v1::Group),
    V2(v2::Group),
    None,
}

impl Group {
    /// The way into it.
    pub fn ticket(&self) -> Result<Ticket> {
        let (mut files, mut folder) = (Vec::new(), None);
        match self {
            Self::V1(group) => files = group.open()?,
            Self::V2(group) => folder = Some(group.open()?),
            Self::None => {}
        }
        Ok(Ticket { files, group: folder })
    }

    /// The files that a process which is there already writes itself into. It is their opener's rights that
    /// count.
    pub fn entrances(&self) -> Result<Vec<fs::File>> {
        match self {
            Self::V1(group) => group.open(),
            Self::V2(group) => group.entrance().map(|file| vec![file]),
            Self::None => Ok(Vec::new()),
        }
    }

    pub fn usage(&self) -> Usage {
        match self {
            Self::V1(group) => group.usage(),
            Self::V2(group) => group.usage(),
            Self::None => Usage::default(),
        }
    }

    /// How many of its processes the kernel has killed for its memory limit; `None`: nothing counts them.
    pub fn oom_kills(&self) -> Option<u64> {
        match self {
            Self::V1(group) => group.oom_kills(),
            Self::V2(group) => group.oom_kills(),
            Self::None => None,
        }
    }

    /// Tells by an event when the kernel kills for the memory limit, or is about to; `None`: there is no
    /// such limit.
    pub fn oom_notice(&self) -> Result<Option<OwnedFd>> {
        match self {
            Self::V1(group) => group.oom_notice(),
            Self::V2(group) => group.oom_notice(),
            Self::None => Ok(None),
        }
        .during("watch the cgroup's memory")
    }

    /// Removes it; `EBUSY` while the kernel has not quite put away its last process. One that is gone is
    /// a success.
    pub fn remove(&self) -> rustix::io::Result<()> {
        match self {
            Self::V1(group) => group.remove(),
            Self::V2(group) => group.remove(),
            Self::None => Ok(()),
        }
    }
}

/// The way of a new process into its group.
pub struct Ticket {
    /// Version 1: files of it that the process writes itself into, opened by the launcher, as it is their
    /// opener's rights that count.
    files: Vec<fs::File>,
    /// Version 2: the folder of the group it is cloned into.
    group: Option<OwnedFd>,
}

impl Ticket {
    /// For `clone3`.
    pub fn group(&self) -> Option<BorrowedFd<'_>> {
        self.group.as_ref().map(AsFd::as_fd)
    }

    /// Brings this process into the group, unless it was born there.
    pub fn enter(mut self) -> Result<()> {
        for file in &mut self.files {
            std::io::Write::write_all(file, b"0").during("enter the cgroup")?;
        }
        Ok(())
    }
}

/// `key value` of a line of a file.
fn value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok())?
    })
}

fn remove_folder(path: &std::path::Path) -> rustix::io::Result<()> {
    match rustix::fs::rmdir(path) {
        Err(Errno::NOENT) => Ok(()),
        removed => removed,
    }
}
