//! A command beside process 1, as seen from the launcher.

use std::os::fd::AsFd;

use scientist_pool_protocol::{self as protocol, ContainerId};

use crate::{
    birth::{Birth, Handed, Way},
    container::Container,
    doors::Doors,
    failure::{During, Result},
    process::{Pipes, Process},
    sys::{self, Cloned},
    workshop::Workshop,
};

pub struct Exec {
    pub container: ContainerId,
    pub process: Process,
}

impl Exec {
    /// Sets a new process on its way.
    pub fn begin(
        workshop: &Workshop,
        id: ContainerId,
        container: &Container,
        call: u64,
        process: &protocol::Process,
    ) -> Result<Self> {
        let Container { mapping, spec, .. } = container;
        let first = container.process.pidfd.as_fd();
        let pipes = Pipes::new(*mapping, spec.user, &process.program)?;
        let ticket = container.ticket()?;
        let doors = container.doors.as_ref();
        let pids = doors.map_or(first, Doors::pid);
        match sys::clone_beside(pids, ticket.group()).during("make a process")? {
            Cloned::Parent { pid, pidfd } => {
                Ok(Self { container: id, process: Process::new(pid, pidfd, pipes.near(call)) })
            }
            Cloned::Child => {
                let (stdio, report) = pipes.far();
                let rlimits = &workshop.rlimits;
                let way = Way::Beside { first, doors };
                let (mapping, handed) = (*mapping, Handed::Nothing);
                let door = None;
                Birth { way, spec, process, mapping, ticket, stdio, rlimits, handed, door }
                    .run(report)
            }
        }
    }
}
