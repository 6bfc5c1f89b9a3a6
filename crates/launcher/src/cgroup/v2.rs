//! Version 2: one hierarchy, in which a group has either processes or groups with limits.

use std::{
    fs,
    io::{self, ErrorKind},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{open, Mode, OFlags};
use scientist_pool_protocol::{ContainerId, Limit, Limits, Usage};

use super::{
    place::{exits, remove_tree, Hierarchy, Others, Place},
    remove_folder, value,
};
use crate::failure::{During, Result};

const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

pub struct Groups {
    place: Place,
    kept: Vec<Limit>,
}

impl Groups {
    /// In the group this process is in, if that may hold groups with limits. Mostly it may not, as it has
    /// processes itself: then in the nearest one above in which this user may make groups, as systemd
    /// delegates to a user's own manager.
    pub fn prepare(mounts: &str, own: &str) -> Option<Self> {
        let hierarchy = Hierarchy::all(mounts, "cgroup2").next()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
        let folder = hierarchy.folder(own);
        let mut above = folder.ancestors().take_while(|folder| folder.starts_with(hierarchy.top()));
        let exits = exits(&folder, hierarchy.top());
        above.find_map(|parent| Self::prepare_in(parent, &exits).ok())
    }

    fn prepare_in(parent: &Path, exits: &[PathBuf]) -> io::Result<Self> {
        share(parent)?;
        let place = Place::make(parent, exits.to_vec())?;
        let prepared = place.occupy().and_then(|()| share(place.folder()));
        if let Err(error) = prepared {
            place.clear();
            return Err(error);
        }
        let kept = kept(&place.folder().join("launcher"));
        let groups = Self { place, kept };
        groups.sweep();
        Ok(groups)
    }

    pub fn sweep(&self) -> bool {
        let Others { abandoned, in_use } = self.place.others();
        for name in abandoned {
            remove_tree(&self.place.sibling(&name));
        }
        in_use
    }

    pub fn keeps(&self, limit: Limit) -> bool {
        self.kept.contains(&limit)
    }

    pub fn make(&self, id: ContainerId, limits: &Limits) -> Result<Group> {
        let group = Group { folder: self.place.folder().join(id.to_string()) };
        let made = match fs::create_dir(&group.folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made.during(format!("make the cgroup {}", group.folder.display())),
        };
        match made.and_then(|()| self.limit(&group, limits)) {
            Ok(()) => Ok(group),
            Err(failure) => {
                let _ = group.remove();
                Err(failure)
            }
        }
    }

    fn limit(&self, group: &Group, limits: &Limits) -> Result<()> {
        let set = |limit, file: &str, value: String| {
            if !self.keeps(limit) {
                return Ok(());
            }
            fs::write(group.folder.join(file), &value).during(format!("set {file} to {value}"))
        };
        if let Some(memory) = limits.memory {
            set(Limit::Memory, "memory.max", memory.to_string())?;
            if let Some(swap) = limits.swap {
                set(Limit::Swap, "memory.swap.max", swap.to_string())?;
            }
        }
        if let Some(pids) = limits.pids {
            set(Limit::Pids, "pids.max", pids.to_string())?;
        }
        if let Some(cpu) = limits.cpu {
            set(Limit::Cpu, "cpu.max", format!("{} {}", cpu.quota, cpu.period))?;
        }
        Ok(())
    }

    pub fn clear(&self) {
        self.place.clear();
    }
}

/// Hands the controllers there are on to the groups in one.
fn share(folder: &Path) -> io::Result<()> {
    let there = fs::read_to_string(folder.join("cgroup.controllers"))?;
    let there: Vec<&str> = there.split_whitespace().collect();
    let wanted: Vec<String> = CONTROLLERS
        .iter()
        .filter(|name| there.contains(name))
        .map(|name| format!("+{name}"))
        .collect();
    if wanted.is_empty() {
        return Err(ErrorKind::NotFound.into());
    }
    fs::write(folder.join("cgroup.subtree_control"), wanted.join(" "))
}

/// The limits whose files a group has.
fn kept(group: &Path) -> Vec<Limit> {
    [
        (Limit::Memory, "memory.max"),
        (Limit::Swap, "memory.swap.max"),
        (Limit::Pids, "pids.max"),
        (Limit::Cpu, "cpu.max"),
    ]
    .into_iter()
    .filter(|(_, file)| group.join(file).exists())
    .map(|(limit, _)| limit)
    .collect()
}

pub struct Group {
    folder: PathBuf,
}

impl Group {
    /// The folder that a process is cloned into.
    pub fn open(&self) -> Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(&self.folder, flags, Mode::empty()).at("open", &self.folder)
    }

    /// The file that a process writes itself into.
    pub fn entrance(&self) -> Result<fs::File> {
        let path = self.folder.join("cgroup.procs");
        fs::OpenOptions::new().write(true).open(&path).at("open", &path)
    }

    pub fn usage(&self) -> Usage {
        Usage { cpu: self.read("cpu.stat", "usage_usec").map(Duration::from_micros) }
    }

    pub fn oom_kills(&self) -> Option<u64> {
        self.read("memory.events", "oom_kill")
    }

    fn read(&self, file: &str, key: &str) -> Option<u64> {
        value(&fs::read_to_string(self.folder.join(file)).ok()?, key)
    }

    /// Is marked urgent when the kernel has killed for the memory limit.
    pub fn oom_notice(&self) -> io::Result<Option<OwnedFd>> {
        let path = self.folder.join("memory.events");
        if !path.exists() {
            return Ok(None);
        }
        // The kernel marks it once for all that its reader has not seen.
        let mut file = fs::File::open(path)?;
        io::copy(&mut file, &mut io::sink())?;
        Ok(Some(file.into()))
    }

    pub fn remove(&self) -> rustix::io::Result<()> {
        remove_folder(&self.folder)
    }
}
