//! A container as seen from the launcher.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Instant,
};

use rustix::{
    fs::{fcntl_setfl, OFlags},
    io::Errno,
    pipe::{pipe_with, PipeFlags},
    process::{pidfd_send_signal, waitid, Signal, WaitId, WaitIdOptions},
};
use scientist_pool_protocol::{ContainerId, End, Exit, Failure, FailureKind, Limit, Spec, Usage};

use crate::{
    birth::{Birth, EXECUTES},
    cgroup::Group,
    failure::{of_kind, During, Result},
    ids::Mapping,
    program,
    root::Views,
    sys::{self, Cloned},
    workshop::Workshop,
};

pub struct Container {
    pub pidfd: OwnedFd,
    pub mapping: Mapping,
    group: Group,
    /// On its way to its program.
    pub start: Option<Start>,
    /// The call that asked for it, and why it can't be.
    pub failed: Option<(u64, Failure)>,
    pub end: Option<End>,
    /// The calls that wait until nothing of it is left.
    pub removers: Vec<u64>,
    /// To be removed whether anybody waits or not, since then.
    pub doomed: Option<Instant>,
}

/// What is known of a container only until its program is executed.
pub struct Start {
    /// The call to be answered.
    pub number: u64,
    /// Our ends of stdin, stdout and stderr.
    pub stdio: [OwnedFd; 3],
    pub unkept: Vec<Limit>,
    report: File,
    heard: Vec<u8>,
}

impl Start {
    pub fn report(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }

    /// Reads what the new process tells; `None`: not all of it is there yet.
    pub fn outcome(&mut self) -> Option<Result<()>> {
        match self.report.read_to_end(&mut self.heard) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(error) => return Some(Err(error).during("hear of the new process")),
            Ok(_) => {}
        }
        let told = match self.heard.strip_prefix(&[EXECUTES]) {
            Some([]) => return Some(Ok(())),
            Some(told) => told,
            None => &self.heard,
        };
        let failure = postcard::from_bytes::<Failure>(told).unwrap_or_else(|_| {
            let message = "the container was ended before its program was executed";
            of_kind(FailureKind::Gone, message)
        });
        Some(Err(failure))
    }
}

impl Container {
    /// Sets a new process on its way; [`Start::report`] tells when it has arrived.
    pub fn begin(
        workshop: &mut Workshop,
        id: ContainerId,
        number: u64,
        spec: Box<Spec>,
    ) -> Result<Self> {
        let views = Views::open(&spec)?;
        let outside = program::open_outside(&spec.process.program)?;
        let unkept = workshop.cgroups.unkept(&spec.limits);
        let pipe = || pipe_with(PipeFlags::CLOEXEC).during("make a pipe");
        let (stdin, stdout, stderr) = (pipe()?, pipe()?, pipe()?);
        let (go, report) = (pipe()?, pipe()?);
        fcntl_setfl(&report.0, OFlags::NONBLOCK).during("make a pipe")?;
        let user = spec.user;
        let mapping = workshop.take_ids()?;
        let (group, ticket) = match workshop.cgroups.make(id, &spec.limits) {
            Ok(made) => made,
            Err(failure) => {
                workshop.give_ids_back(mapping);
                return Err(failure);
            }
        };
        // So that `/dev/stdout` can be opened, as it can be outside of a container.
        let given = [&stdin.0, &stdout.0, &stderr.0]
            .into_iter()
            .try_for_each(|end| mapping.give(end, user));
        let cloned = given.and_then(|()| {
            sys::clone3(sys::new::USER | sys::new::PID, ticket.group()).during("make a process")
        });
        match cloned {
            Ok(Cloned::Parent { pid, pidfd }) => {
                let container = Self {
                    pidfd,
                    mapping,
                    group,
                    start: Some(Start {
                        number,
                        stdio: [stdin.1, stdout.0, stderr.0],
                        unkept,
                        report: report.0.into(),
                        heard: Vec::new(),
                    }),
                    failed: None,
                    end: None,
                    removers: Vec::new(),
                    doomed: None,
                };
                let ready = mapping.map(pid).and_then(|()| {
                    if let Some(namespace) = mapping.namespace(pid)? {
                        for view in views.all() {
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
            Ok(Cloned::Child) => {
                drop((stdin.1, stdout.0, stderr.0, go.1, report.0));
                let stdio = [stdin.0, stdout.1, stderr.1];
                let descriptors = workshop.descriptors.clone();
                let go = go.0.into();
                Birth { spec, views, outside, mapping, ticket, stdio, go, descriptors }
                    .run(report.1.into())
            }
            Err(failure) => {
                let _ = group.remove();
                workshop.give_ids_back(mapping);
                Err(failure)
            }
        }
    }

    /// Kills process 1, and so all others of its pid namespace. One that has ended stays as it is.
    pub fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Undoes [`Container::begin`] while the new process has not gone far.
    pub fn abort(self, workshop: &mut Workshop) {
        self.kill();
        let _ = self.wait();
        let _ = self.clear();
        workshop.give_ids_back(self.mapping);
    }

    /// Takes note of the end. The kernel has process 1 end last: nothing of its pid namespace runs by then.
    pub fn reap(&mut self) -> rustix::io::Result<()> {
        let exit = self.wait()?;
        let oom = self.usage().oom_kills.is_some_and(|kills| kills > 0);
        self.end = Some(End { exit, oom });
        Ok(())
    }

    fn wait(&self) -> rustix::io::Result<Exit> {
        let ended = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED)?;
        let ended = ended.ok_or(Errno::CHILD)?;
        let code = ended.exit_status().map(Exit::Code);
        code.or(ended.terminating_signal().map(Exit::Signal)).ok_or(Errno::CHILD)
    }

    pub fn usage(&self) -> Usage {
        self.group.usage()
    }

    /// Removes what is left of one that has ended.
    pub fn clear(&self) -> rustix::io::Result<()> {
        self.group.remove()
    }
}
