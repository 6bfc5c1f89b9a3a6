//! The launcher's own view of this machine, in which containers are put together.

use std::os::fd::AsFd;

use rustix::{
    fs::Mode,
    mount::{mount_change, MountPropagationFlags},
    process::umask,
};
use scientist_pool_protocol::Rlimit;

use crate::{
    cgroup::Cgroups,
    devices,
    failure::{During, Result},
    ids::{Mapping, Ranges},
    mounts::open_path,
    proc,
};

/// What all containers are made with.
pub struct Workshop {
    pub cgroups: Cgroups,
    /// The limits of each process of a container that asks for no others.
    pub rlimits: Vec<Rlimit>,
    ids: Ids,
}

enum Ids {
    Ranges(Ranges),
    Own(Mapping),
}

impl Workshop {
    /// `own`: this user, if it may map no other ids than its own.
    pub fn new(cgroups: Cgroups, rlimits: Vec<Rlimit>, own: Option<Mapping>) -> Self {
        let ids = own.map_or_else(|| Ids::Ranges(Ranges::new()), Ids::Own);
        Self { cgroups, rlimits, ids }
    }

    pub fn is_root(&self) -> bool {
        matches!(self.ids, Ids::Ranges(_))
    }

    pub fn take_ids(&mut self) -> Result<Mapping> {
        match &mut self.ids {
            Ids::Ranges(ranges) => ranges.take(),
            Ids::Own(own) => Ok(*own),
        }
    }

    pub fn give_ids_back(&mut self, mapping: Mapping) {
        if let Ids::Ranges(ranges) = &mut self.ids {
            ranges.give_back(mapping);
        }
    }
}

/// Makes this process's mount namespace, which is new, the one that containers begin with. What is
/// mounted here shows nowhere else; what is mounted elsewhere later shows here.
pub fn furnish() -> Result<()> {
    // Modes of what is made are as they are asked for.
    umask(Mode::empty());
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", flags).during("keep mounts to ourselves")?;
    // That of the pid namespace, which is new, too.
    let place = open_path("/proc").during("open /proc")?;
    proc::new()?.attach(place.as_fd()).during("mount /proc")?;
    devices::replace()
}
