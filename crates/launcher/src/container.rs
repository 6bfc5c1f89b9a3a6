//! A container as seen from the launcher.

use std::{
    fs::File,
    io::Write,
    os::fd::{AsFd, OwnedFd},
    time::Instant,
};

use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
use scientist_pool_protocol::{ContainerId, Exit, Limit, Message, Program, Spec, Usage};

use crate::{
    birth::{Birth, Handed, Way},
    cgroup::{Group, Ticket},
    doors::Doors,
    failure::{During, Result},
    fences,
    ids::Mapping,
    network::Line,
    process::{pipe, Pipes, Process},
    root::Views,
    runtime,
    sys::{self, new, Cloned},
    template::{Seed, Template},
    workshop::Workshop,
};

pub struct Container {
    /// Process 1.
    pub process: Process,
    /// What every process of it is made as.
    pub spec: Box<Spec>,
    pub mapping: Mapping,
    /// Once it has started, where they are needed.
    pub doors: Option<Doors>,
    /// The template that is to send its first interpreter, and the line on which.
    pub foster: Option<(ContainerId, OwnedFd)>,
    /// Where it hands out the socket that its spec asks for, until it has.
    pub door: Option<Line>,
    /// Of a template that is on its way.
    seed: Option<Seed>,
    /// What forks are asked of, once it has started; `None`: it is no template.
    pub template: Option<Template>,
    group: Group,
    pub memory: Memory,
    pub unkept: Vec<Limit>,
    pub exit: Option<Exit>,
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
        template: Option<(ContainerId, &Template)>,
    ) -> Result<Self> {
        let can_fork = matches!(spec.process.program, Program::Init) && spec.runtime.is_none();
        let template = template.filter(|_| can_fork);
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
            let seed = match &spec.process.program {
                Program::Template(wanted) => Some(Seed::new(&spec, wanted, mapping)?),
                Program::Inside | Program::Init => None,
            };
            let line = template.map(|_| foster_line()).transpose()?;
            let door = spec.proxy.map(|_| Line::pair()).transpose();
            let door = door.during("make a line to process 1")?;
            let make = |flags| {
                sys::clone3(fences::namespaces(flags), ticket.group()).during("make a process")
            };
            let cloned = match (template, &seed) {
                (Some((_, template)), _) => template.nest().clone_first(mapping, &ticket)?,
                (None, Some(_)) => make(new::USER)?,
                (None, None) => make(new::USER | new::PID)?,
            };
            Ok((cloned, pipes, ticket, memory, seed, line, door))
        });
        match cloned {
            Ok((Cloned::Parent { pid, pidfd }, pipes, _, memory, seed, line, door)) => {
                let process = Process::new(pid, pidfd, pipes.near(call));
                let (doors, exit, removers, doomed) = (None, None, Vec::new(), None);
                let foster = template.zip(line).map(|((id, _), (near, _))| (id, near));
                let container = Self {
                    process,
                    spec,
                    mapping,
                    doors,
                    foster,
                    door: door.map(|(near, _)| near),
                    seed,
                    template: None,
                    group,
                    memory,
                    unkept,
                    exit,
                    removers,
                    doomed,
                };
                let mapped = match (template, &container.seed) {
                    // By the helper.
                    (Some(_), _) => Ok(()),
                    (None, Some(_)) => mapping.map_all(pid),
                    (None, None) => mapping.map(pid),
                };
                let ready = mapped.and_then(|()| {
                    if let (None, Some(namespace)) = (&container.seed, mapping.namespace(pid)?) {
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
            Ok((Cloned::Child, pipes, ticket, _, seed, line, door)) => {
                drop(go.1);
                let mut spec = spec;
                let handed = match (seed, line) {
                    (Some(seed), _) => {
                        spec.process = seed.process;
                        Handed::Template(seed.handed)
                    }
                    (None, Some((_, far))) => Handed::Foster(far),
                    (None, None) => Handed::Nothing,
                };
                let (stdio, report) = pipes.far();
                let way = Way::First { views, go: go.0.into() };
                let (spec, rlimits) = (&*spec, &workshop.rlimits);
                let process = &spec.process;
                let door = door.map(|(_, far)| far);
                Birth { way, spec, process, mapping, ticket, stdio, rlimits, handed, door }
                    .run(report)
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
            && self.exit.is_none()
            && self.removers.is_empty()
    }

    /// Prepares for commands beside process 1, which has started, and for forks of it.
    pub fn open_doors(&mut self) -> Result<()> {
        if Doors::are_needed(self.mapping, &self.spec) {
            self.doors = Some(Doors::open(self.process.pid)?);
        }
        if let Some(seed) = self.seed.take() {
            self.template = Some(seed.grown(self.process.pid, self.mapping, self.spec.user)?);
        }
        Ok(())
    }

    /// Has a template send its first interpreter.
    pub fn fork_from(&self, template: &Template, line: OwnedFd) -> Result<()> {
        let opened;
        let doors = match &self.doors {
            Some(doors) => doors,
            None => {
                opened = Doors::open(self.process.pid)?;
                &opened
            }
        };
        template.fork(line, doors, &self.group.entrances()?);
        Ok(())
    }

    /// The way into its group.
    pub fn ticket(&self) -> Result<Ticket> {
        self.group.ticket()
    }

    /// What is to be told of kills for its memory limit: more than has been told of.
    pub fn news_of_kills(&mut self, id: ContainerId) -> Option<Message> {
        let oom_kills = self.group.oom_kills()?;
        if oom_kills <= self.memory.told {
            return None;
        }
        self.memory.told = oom_kills;
        Some(Message::OomKilled { id, oom_kills })
    }

    pub fn usage(&self) -> Usage {
        self.group.usage()
    }

    /// Removes what is left of one that has ended.
    pub fn clear(&self) -> rustix::io::Result<()> {
        self.group.remove()
    }
}

/// The launcher's end, and that of process 1.
fn foster_line() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .during("make a line to process 1")
}
