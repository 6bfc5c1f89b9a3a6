//! Which users the container's users are outside.

use std::{
    collections::{hash_map::RandomState, HashSet},
    fs,
    hash::BuildHasher,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{open, Mode, OFlags},
    process::{getegid, geteuid, set_dumpable_behavior, DumpableBehavior, Pid},
    thread::{capabilities, CapabilitySet},
};
use scientist_pool_protocol::{FailureKind, User};

use crate::{
    failure::{of_kind, During, Result},
    fences::Fence,
};

/// How many ids a container has.
pub const RANGE: u32 = 65_536;
/// The first id of the first range, amid what systemd leaves to containers (524,288 to 1,879,048,191), and
/// far from what `useradd` gives to users for theirs (100,000 and up).
const FIRST: u32 = 0x4000_0000;
/// How many ranges there are.
const RANGES: u32 = 0x2000;

/// Hands out ranges of ids, none to two containers at once.
pub struct Ranges {
    last: u32,
    taken: HashSet<u32>,
}

impl Ranges {
    /// Begins somewhere, so that two launchers hardly ever use the same one. If they do, two containers
    /// share what the kernel counts by user; they still can't reach each other.
    pub fn new() -> Self {
        Self { last: any() % RANGES, taken: HashSet::new() }
    }

    /// A free range.
    pub fn take(&mut self) -> Result<Mapping> {
        if self.taken.len() >= RANGES as usize {
            let message = format!("{RANGES} containers are all that there are ids for");
            return Err(of_kind(FailureKind::Exhausted, message));
        }
        loop {
            self.last = (self.last + 1) % RANGES;
            if self.taken.insert(self.last) {
                return Ok(Mapping::Range(FIRST + self.last * RANGE));
            }
        }
    }

    /// Nothing of the container is left.
    pub fn give_back(&mut self, mapping: Mapping) {
        if let Mapping::Range(first) = mapping {
            self.taken.remove(&((first - FIRST) / RANGE));
        }
    }
}

/// Whether this process has what it takes to give containers ids of their own. A root of a container may be
/// let make namespaces, and yet not look at a process of its own that has closed its memory.
pub fn may_give_ranges() -> bool {
    let takes = CapabilitySet::SYS_ADMIN
        | CapabilitySet::SYS_PTRACE
        | CapabilitySet::SETUID
        | CapabilitySet::SETGID
        | CapabilitySet::CHOWN;
    capabilities(None).is_ok_and(|has| has.effective.contains(takes))
}

/// Any number: for names and beginnings that two launchers are not to share.
pub fn any() -> u32 {
    RandomState::new().hash_one(std::process::id()) as u32
}

/// Where a container's ids come from.
#[derive(Clone, Copy)]
pub enum Mapping {
    /// A range of their own, that begins with this id.
    Range(u32),
    /// All there is in it is this user, under the ids the container wants.
    Own { uid: u32, gid: u32 },
}

impl Mapping {
    /// This process's user.
    pub fn own() -> Self {
        Self::Own { uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    /// What containers have in a build that leaves them out of user namespaces: the ids themselves.
    pub fn of_this_machine() -> Option<Self> {
        (!Fence::User.stands()).then_some(Self::Range(0))
    }

    /// Maps the ids of a new process, as only its parent may for a range.
    pub fn map(self, pid: Pid) -> Result<()> {
        if let (Self::Range(first), true) = (self, Fence::User.stands()) {
            write_maps(pid, &format!("0 {first} {RANGE}\n"))?;
        }
        Ok(())
    }

    /// Maps the ids of this process, as anybody may for themselves alone. Its memory must be open to its
    /// user ([`open_memory`]).
    pub fn map_self(self, user: User) -> Result<()> {
        if let Self::Own { uid, gid } = self {
            write("/proc/self/setgroups", "deny")?;
            write("/proc/self/uid_map", &format!("{} {uid} 1\n", user.uid))?;
            write("/proc/self/gid_map", &format!("{} {gid} 1\n", user.gid))?;
        }
        Ok(())
    }

    /// Maps all ids of a new process that containers nested in its user namespace may have, each to itself, as
    /// only its parent may for ranges. A process of one user maps itself, by [`Mapping::map_self`].
    pub fn map_all(self, pid: Pid) -> Result<()> {
        match self {
            Self::Range(_) => write_maps(pid, &format!("{FIRST} {FIRST} {}\n", RANGES * RANGE)),
            Self::Own { .. } => Ok(()),
        }
    }

    /// Whom a user of the container is outside of it.
    pub fn outside(self, user: User) -> User {
        match self {
            Self::Range(first) => User { uid: first + user.uid, gid: first + user.gid },
            Self::Own { uid, gid } => User { uid, gid },
        }
    }

    /// The container's user namespace, for mounts to be mapped by; `None`: there is nothing to map.
    pub fn namespace(self, pid: Pid) -> Result<Option<OwnedFd>> {
        let Self::Range(_) = self else { return Ok(None) };
        let path = format!("/proc/{}/ns/user", pid.as_raw_nonzero());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        open(path, flags, Mode::empty()).during("open the user namespace").map(Some)
    }

    /// Gives an open file to a user of the container.
    pub fn give(self, file: impl AsFd, user: User) -> Result<()> {
        let Self::Range(_) = self else { return Ok(()) };
        let User { uid, gid } = self.outside(user);
        let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
        rustix::fs::fchown(file, Some(uid), Some(gid)).during("give a pipe to the container")
    }
}

/// Whether other processes of this user may look at this one's memory. While they may not, its files in
/// `/proc` are root's.
pub fn open_memory(open: bool) -> Result<()> {
    let behavior = if open || !Fence::Memory.stands() {
        DumpableBehavior::Dumpable
    } else {
        DumpableBehavior::NotDumpable
    };
    set_dumpable_behavior(behavior).during("open or close this process's memory")
}

fn write_maps(pid: Pid, map: &str) -> Result<()> {
    let process = pid.as_raw_nonzero();
    ["uid_map", "gid_map"]
        .iter()
        .try_for_each(|file| write(&format!("/proc/{process}/{file}"), map))
}

fn write(path: &str, text: &str) -> Result<()> {
    fs::write(path, text).during(format!("write {path}"))
}
