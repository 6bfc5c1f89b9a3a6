//! A container as seen from the launcher.

use std::{
    fs::File,
    io::Write,
    os::fd::{AsFd, OwnedFd},
    time::Instant,
};

use rustix::process::Pid;
use scientist_pool_protocol::{ContainerId, End, Limit, Spec, Usage};

use crate::{
    birth::{Birth, Way},
    cgroup::{Group, Ticket},
    doors::Doors,
    failure::{During, Result},
    fences,
    ids::Mapping,
    process::{pipe, Pipes, Process},
    root::Views,
    runtime,
    sys::{self, new, Cloned},
    workshop::Workshop,
};

pub struct Container {
    /// Process 1.
    pub process: Process,
    /// What every process of it is made as.
    pub spec: Box<Spec>,
    pub mapping: Mapping,
    pid: Pid,
    /// Once it has started, where they are needed.
    pub doors: Option<Doors>,
    group: Group,
    pub memory: Memory,
    pub unkept: Vec<Limit>,
    pub end: Option<End>,
    /// The calls that wait until nothing of it is left.
    pub removers: Vec<u64>,
    /// To be removed whether anybody waits or not, since then.
    pub doomed: Option<Instant>,
}

/// What is known of the kills for a container's memory limit.
pub struct Memory {
    /// Tells of them; `None`: nothing counts them.
    pub notice: Option<OwnedFd>,
    /// When it last did so. Version 1 of control groups counts a kill only after that.
    pub noticed: Option<Instant>,
    /// How many have been told of.
    pub told: u64,
}

impl Container {
    /// Sets a new process on its way.
    pub fn begin(
        workshop: &mut Workshop,
        id: ContainerId,
        call: u64,
        spec: Box<Spec>,
    ) -> Result<Self> {
        let views = Views::open(&spec)?;
        let unkept = workshop.cgroups.unkept(&spec.limits);
        let go = pipe()?;
        let mapping = workshop.take_ids()?;
        let group = match workshop.cgroups.make(id, &runtime::limits(&spec)) {
            Ok(group) => group,
            Err(failure) => {
                workshop.give_ids_back(mapping);
                return Err(failure);
            }
        };
        let cloned = Pipes::new(mapping, spec.user, &spec.process.program).and_then(|pipes| {
            let ticket = group.ticket()?;
            let memory = Memory { notice: group.oom_notice()?, noticed: None, told: 0 };
            let cloned = sys::clone3(fences::namespaces(new::USER | new::PID), ticket.group());
            Ok((cloned.during("make a process")?, pipes, ticket, memory))
        });
        match cloned {
            Ok((Cloned::Parent { pid, pidfd }, pipes, _, memory)) => {
                let process = Process::new(pidfd, pipes.near(call));
                let (doors, end, removers, doomed) = (None, None, Vec::new(), None);
                let container = Self {
                    process,
                    spec,
                    mapping,
                    pid,
                    doors,
                    group,
                    memory,
                    unkept,
                    end,
                    removers,
                    doomed,
                };
                let ready = mapping.map(pid).and_then(|()| {
                    if let Some(namespace) = mapping.namespace(pid)? {
                        for view in views.owned(&container.spec) {
                            // Not every file system can; there the image's files belong to nobody.
                            let _ = view.map_ids(namespace.as_fd());
                        }
                    }
                    File::from(go.1).write_all(&[0]).during("let the new process go on")
                });
                match ready {
                    Ok(()) => Ok(container),
                    Err(failure) => {
                        container.abort(workshop);
                        Err(failure)
                    }
                }
            }
            Ok((Cloned::Child, pipes, ticket, _)) => {
                drop(go.1);
                let (stdio, report) = pipes.far();
                let way = Way::First { views, go: go.0.into() };
                let (spec, rlimits) = (&*spec, &workshop.rlimits);
                let process = &spec.process;
                Birth { way, spec, process, mapping, ticket, stdio, rlimits }.run(report)
            }
            Err(failure) => {
                let _ = group.remove();
                workshop.give_ids_back(mapping);
                Err(failure)
            }
        }
    }

    /// Undoes [`Container::begin`] while the new process has not gone far.
    pub fn abort(self, workshop: &mut Workshop) {
        self.process.kill();
        let _ = self.process.reap();
        let _ = self.clear();
        workshop.give_ids_back(self.mapping);
    }

    /// Whether process 1 runs its program, and nobody wants it gone.
    pub fn is_running(&self) -> bool {
        self.process.has_started()
            && self.process.failed.is_none()
            && self.end.is_none()
            && self.removers.is_empty()
    }

    /// Prepares for commands beside process 1, which has started.
    pub fn open_doors(&mut self) -> Result<()> {
        self.doors = Doors::open(self.mapping, &self.spec, self.pid)?;
        Ok(())
    }

    /// The way into its group.
    pub fn ticket(&self) -> Result<Ticket> {
        self.group.ticket()
    }

    /// The end of a process of it, now.
    pub fn end_of(&self, process: &Process) -> rustix::io::Result<End> {
        let exit = process.reap()?;
        Ok(End { exit, oom_kills: self.usage().oom_kills.unwrap_or(0) })
    }

    pub fn usage(&self) -> Usage {
        self.group.usage()
    }

    /// Removes what is left of one that has ended.
    pub fn clear(&self) -> rustix::io::Result<()> {
        self.group.remove()
    }
}
