//! Calls, answers and events.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Limit, Process, Report, Spec};

/// Chosen by the pool; never used twice with one launcher.
pub type ContainerId = u64;

/// Of a command beside process 1. From the same numbers as [`ContainerId`].
pub type ExecId = u64;

/// A call, and the number its answer will bear.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    pub number: u64,
    pub request: Request,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// Makes a container. Answered with [`Answer::Created`] when its program has been started.
    ///
    /// `template`: the one that the first interpreter of its [`Program::Init`] is forked from. If that one
    /// is gone, or fails, the interpreter is booted.
    ///
    /// [`Program::Init`]: crate::Program::Init
    Create { id: ContainerId, spec: Box<Spec>, template: Option<ContainerId> },
    /// Runs a command beside process 1, within all that is around that. Answered with [`Answer::Started`]
    /// when nothing is left to do but to execute the program. If that can't be done, it is told as a shell
    /// tells it: by a sentence on stderr, and exit code 127 (there is none) or 126.
    Exec { id: ContainerId, exec: ExecId, process: Box<Process> },
    /// Kills a container if it runs, and removes it. Answered with [`Answer::Removed`] when no process,
    /// mount or cgroup of it is left. One that is not there is a success.
    Remove { id: ContainerId },
    /// What a container has used. Answered with [`Answer::Usage`].
    Usage { id: ContainerId },
    /// The containers there are. Answered with [`Answer::Containers`].
    List,
    /// Which fences the kernel has for us, and what the program of a runtime says of itself. Answered with
    /// [`Answer::Report`].
    Probe { runtime: Option<PathBuf> },
}

/// What the launcher sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// The first message.
    Hello {
        /// [`crate::VERSION`] of the launcher.
        version: u32,
        /// Why no container can be made on this machine; every [`Request::Create`] fails with it.
        /// `None`: nothing known stands in the way.
        fault: Option<Failure>,
    },
    Answer {
        number: u64,
        answer: Answer,
    },
    /// Process 1 of a container has ended, and every other process of it is gone too.
    Ended {
        id: ContainerId,
        exit: Exit,
    },
    /// The kernel has killed processes of a container for its memory limit. Told before whatever says of the
    /// container, or of a command in it, that it has ended, and before [`Answer::Usage`]: who hears one of
    /// these has heard of all kills by then.
    OomKilled {
        id: ContainerId,
        /// How many by now.
        oom_kills: u64,
    },
    /// A command beside process 1 has ended. Told before the end of its container.
    ExecEnded {
        id: ContainerId,
        exec: ExecId,
        exit: Exit,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// Comes with four descriptors: the writing end of stdin, the reading ends of stdout and stderr, and a
    /// pidfd of process 1; and with a fifth where [`Spec::proxy`] is there, the socket that listens.
    Created(Created),
    /// Comes with three descriptors: the writing end of stdin, the reading ends of stdout and stderr.
    Started,
    Removed,
    Usage(Usage),
    /// In no order.
    Containers(Vec<ContainerId>),
    Report(Report),
    Failed(Failure),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Limits that were asked for and that nothing here keeps.
    pub unkept: Vec<Limit>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What a container has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of all its processes together, those that have ended included; `None`: there is no cgroup
    /// that counts it.
    pub cpu: Option<Duration>,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// A sentence that names what failed.
    pub message: String,
    /// The kernel's error number, if it was the kernel that refused.
    pub errno: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// A folder or file on this machine that the container is to be made of is not there.
    NoSuchPath,
    /// The root file system has no such program.
    NoSuchProgram,
    /// The program is there, and can't be executed.
    NotExecutable,
    /// The call itself can't be carried out: an id in use, a name with a NUL, an unknown limit.
    Invalid,
    /// There is no container of that id.
    NoSuchContainer,
    /// This machine is out of something: processes, memory, descriptors, inodes, mounts, namespaces.
    Exhausted,
    /// The kernel, or a security module or a container around us, does not let us.
    Denied,
    /// The container was removed, or died, before the program was started.
    Gone,
    /// Anything else the kernel refused.
    Other,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
