//! Version 1: each controller has a hierarchy of its own, or shares one.

use std::{
    fs,
    io::{self, ErrorKind},
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::event::{eventfd, EventfdFlags};
use scientist_pool_protocol::{ContainerId, Limit, Limits, Usage};

use super::{
    place::{remove_tree, Hierarchy, Others, Place},
    remove_folder, value,
};
use crate::failure::{During, Result};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Controller {
    Pids,
    Memory,
    Cpu,
    CpuAcct,
}

/// The first one's hierarchy is the one in which the launcher shows that it lives.
const CONTROLLERS: [(Controller, &str); 4] = [
    (Controller::Pids, "pids"),
    (Controller::Memory, "memory"),
    (Controller::Cpu, "cpu"),
    (Controller::CpuAcct, "cpuacct"),
];

pub struct Groups {
    places: Vec<(Vec<Controller>, Place)>,
    has_swap: bool,
}

impl Groups {
    pub fn prepare(mounts: &str, own: &str) -> Option<Self> {
        let mut parents: Vec<(Vec<Controller>, PathBuf)> = Vec::new();
        for (controller, name) in CONTROLLERS {
            let hierarchy =
                Hierarchy::all(mounts, "cgroup").find(|mount| mount.options.contains(&name));
            let Some(hierarchy) = hierarchy else { continue };
            let parent = hierarchy.folder(group_of(own, name)?);
            match parents.iter_mut().find(|(_, known)| *known == parent) {
                Some((controllers, _)) => controllers.push(controller),
                None => parents.push((vec![controller], parent)),
            }
        }
        let mut places: Vec<(Vec<Controller>, Place)> = Vec::new();
        for (controllers, parent) in parents {
            let made = match places.first() {
                None => Place::make(&parent, vec![parent.clone()]).and_then(|place| {
                    match place.occupy() {
                        Ok(()) => Ok(place),
                        Err(error) => {
                            place.clear();
                            Err(error)
                        }
                    }
                }),
                Some((_, first)) => first.beside(&parent),
            };
            if let Ok(place) = made {
                places.push((controllers, place));
            }
        }
        let mut groups = Self { places, has_swap: false };
        let memory = groups.place(Controller::Memory);
        groups.has_swap =
            memory.is_some_and(|place| place.join("memory.memsw.limit_in_bytes").exists());
        groups.sweep();
        (!groups.places.is_empty()).then_some(groups)
    }

    pub fn sweep(&self) -> bool {
        let Some((_, first)) = self.places.first() else { return false };
        let Others { abandoned, in_use } = first.others();
        for name in abandoned {
            // The first at last, and only then: until then the others are known to be abandoned.
            let _ = self.places.iter().rev().all(|(_, place)| remove_tree(&place.sibling(&name)));
        }
        in_use
    }

    fn place(&self, controller: Controller) -> Option<&Path> {
        let place = self.places.iter().find(|(controllers, _)| controllers.contains(&controller));
        place.map(|(_, place)| place.folder())
    }

    pub fn keeps(&self, limit: Limit) -> bool {
        match limit {
            Limit::Memory => self.place(Controller::Memory).is_some(),
            Limit::Swap => self.has_swap,
            Limit::Pids => self.place(Controller::Pids).is_some(),
            Limit::Cpu => self.place(Controller::Cpu).is_some(),
        }
    }

    pub fn make(&self, id: ContainerId, limits: &Limits) -> Result<Group> {
        // What fails half-way is removed: its folders are all there by then, or were never made.
        let group = Group {
            folders: self
                .places
                .iter()
                .map(|(_, place)| place.folder().join(id.to_string()))
                .collect(),
            memory: self.place(Controller::Memory).map(|place| place.join(id.to_string())),
            cpu: self.place(Controller::CpuAcct).map(|place| place.join(id.to_string())),
        };
        let made = group.folders.iter().try_for_each(|folder| match fs::create_dir(folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made.during(format!("make the cgroup {}", folder.display())),
        });
        match made.and_then(|()| self.limit(id, limits)) {
            Ok(()) => Ok(group),
            Err(failure) => {
                let _ = group.remove();
                Err(failure)
            }
        }
    }

    fn limit(&self, id: ContainerId, limits: &Limits) -> Result<()> {
        let set = |controller, file: &str, value: u64| {
            let Some(place) = self.place(controller) else { return Ok(()) };
            let path = place.join(id.to_string()).join(file);
            fs::write(path, value.to_string()).during(format!("set {file} to {value}"))
        };
        if let Some(memory) = limits.memory {
            set(Controller::Memory, "memory.limit_in_bytes", memory)?;
            if let (Some(swap), true) = (limits.swap, self.has_swap) {
                let both = memory.saturating_add(swap);
                set(Controller::Memory, "memory.memsw.limit_in_bytes", both)?;
            }
        }
        if let Some(pids) = limits.pids {
            set(Controller::Pids, "pids.max", pids)?;
        }
        if let Some(cpu) = limits.cpu {
            set(Controller::Cpu, "cpu.cfs_period_us", cpu.period)?;
            set(Controller::Cpu, "cpu.cfs_quota_us", cpu.quota)?;
        }
        Ok(())
    }

    pub fn clear(&self) {
        let _ = self.places.iter().rev().all(|(_, place)| place.clear());
    }
}

/// The group a process is in (`/proc/self/cgroup`), by one of the controllers of its hierarchy.
fn group_of<'a>(own: &'a str, controller: &str) -> Option<&'a str> {
    own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let has = fields.next()?.split(',').any(|name| name == controller);
        has.then(|| fields.next()).flatten()
    })
}

pub struct Group {
    folders: Vec<PathBuf>,
    memory: Option<PathBuf>,
    cpu: Option<PathBuf>,
}

impl Group {
    /// The files that a process writes itself into.
    pub fn open(&self) -> Result<Vec<fs::File>> {
        let open = |folder: &PathBuf| {
            let path = folder.join("cgroup.procs");
            fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .during(format!("open {}", path.display()))
        };
        self.folders.iter().map(open).collect()
    }

    pub fn usage(&self) -> Usage {
        let nanos = read(&self.cpu, "cpuacct.usage");
        let cpu = nanos.and_then(|nanos| nanos.trim().parse().ok()).map(Duration::from_nanos);
        Usage { cpu }
    }

    pub fn oom_kills(&self) -> Option<u64> {
        value(&read(&self.memory, "memory.oom_control")?, "oom_kill")
    }

    /// Becomes readable when the kernel is about to kill for the memory limit.
    pub fn oom_notice(&self) -> io::Result<Option<OwnedFd>> {
        let Some(folder) = &self.memory else { return Ok(None) };
        let notice = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let control = fs::File::open(folder.join("memory.oom_control"))?;
        let pair = format!("{} {}", notice.as_raw_fd(), control.as_raw_fd());
        fs::write(folder.join("cgroup.event_control"), pair)?;
        Ok(Some(notice))
    }

    pub fn remove(&self) -> rustix::io::Result<()> {
        self.folders.iter().try_for_each(|folder| remove_folder(folder))
    }
}

fn read(folder: &Option<PathBuf>, file: &str) -> Option<String> {
    fs::read_to_string(folder.as_ref()?.join(file)).ok()
}
