//! A process of a container's as seen from the launcher, from its clone to its end.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{fcntl_setfl, OFlags},
    io::Errno,
    pipe::{pipe_with, PipeFlags},
    process::{pidfd_send_signal, waitid, Pid, Signal, WaitId, WaitIdOptions},
};
use scientist_pool_protocol::{Exit, Failure, FailureKind, Program, User};

use crate::{
    birth::EXECUTES,
    failure::{of_kind, During, Result},
    ids::Mapping,
};

/// The reading end, and the writing one.
type Pipe = (OwnedFd, OwnedFd);

/// What the launcher and a process that is not there yet will have in common.
pub struct Pipes {
    stdio: [Pipe; 3],
    report: Pipe,
}

impl Pipes {
    /// The ends that become the own ones of a program of the container's are given to its user, so that
    /// `/dev/stdout` can be opened, as it can be outside of a container.
    pub fn new(mapping: Mapping, user: User, program: &Program) -> Result<Self> {
        let stdio = [pipe()?, pipe()?, pipe()?];
        if let Program::Inside | Program::Template(_) = program {
            for end in [&stdio[0].0, &stdio[1].1, &stdio[2].1] {
                mapping.give(end, user)?;
            }
        }
        let report = pipe()?;
        fcntl_setfl(&report.0, OFlags::NONBLOCK).during("make a pipe")?;
        Ok(Self { stdio, report })
    }

    /// For the launcher, which is to answer a call.
    pub fn near(self, call: u64) -> Start {
        let [stdin, stdout, stderr] = self.stdio;
        let stdio = [stdin.1, stdout.0, stderr.0];
        Start { call, stdio, report: self.report.0.into(), heard: Vec::new() }
    }

    /// For the new process: its stdin, stdout and stderr, and what it tells of itself on.
    pub fn far(self) -> ([OwnedFd; 3], File) {
        let [stdin, stdout, stderr] = self.stdio;
        ([stdin.0, stdout.1, stderr.1], self.report.1.into())
    }
}

pub fn pipe() -> Result<Pipe> {
    pipe_with(PipeFlags::CLOEXEC).during("make a pipe")
}

/// What is known of a process only until its program is executed.
pub struct Start {
    /// The call to be answered.
    pub call: u64,
    /// Our ends of stdin, stdout and stderr.
    pub stdio: [OwnedFd; 3],
    report: File,
    heard: Vec<u8>,
}

impl Start {
    /// Reads what the new process tells; `None`: not all of it is there yet.
    fn outcome(&mut self) -> Option<Result<()>> {
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
            let message = "the process was ended before its program was executed";
            of_kind(FailureKind::Gone, message)
        });
        Some(Err(failure))
    }
}

pub struct Process {
    pub pid: Pid,
    pub pidfd: OwnedFd,
    /// On its way to its program.
    start: Option<Start>,
    /// The call that asked for it, and why it can't be.
    pub failed: Option<(u64, Failure)>,
}

impl Process {
    pub fn new(pid: Pid, pidfd: OwnedFd, start: Start) -> Self {
        Self { pid, pidfd, start: Some(start), failed: None }
    }

    pub fn has_started(&self) -> bool {
        self.start.is_none()
    }

    /// Where it tells of itself, until it has.
    pub fn report(&self) -> Option<BorrowedFd<'_>> {
        self.start.as_ref().map(|start| start.report.as_fd())
    }

    /// Once, when its program is executed. If it can't be, the process is killed, and `failed` says why.
    pub fn arrived(&mut self) -> Option<Start> {
        let outcome = self.start.as_mut()?.outcome()?;
        let start = self.start.take()?;
        match outcome {
            Ok(()) => Some(start),
            Err(failure) => {
                self.fail(start.call, failure);
                None
            }
        }
    }

    pub fn fail(&mut self, call: u64, failure: Failure) {
        self.failed = Some((call, failure));
        self.kill();
    }

    /// One that has ended stays as it is.
    pub fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Takes note of its end, which it waits for.
    pub fn reap(&self) -> rustix::io::Result<Exit> {
        let ended = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED)?;
        let ended = ended.ok_or(Errno::CHILD)?;
        let code = ended.exit_status().map(Exit::Code);
        code.or(ended.terminating_signal().map(Exit::Signal)).ok_or(Errno::CHILD)
    }
}
