//! Calls, answers and events.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Limit, Report, Spec};

/// Chosen by the pool; never used twice with one launcher.
pub type ContainerId = u64;

/// A call, and the number its answer will bear.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    pub number: u64,
    pub request: Request,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// Makes a container. Answered with [`Answer::Created`] when its program has been started.
    Create { id: ContainerId, spec: Box<Spec> },
    /// Kills a container if it runs, and removes it. Answered with [`Answer::Removed`] when no process,
    /// mount or cgroup of it is left. One that is not there is a success.
    Remove { id: ContainerId },
    /// What a container has used. Answered with [`Answer::Usage`].
    Usage { id: ContainerId },
    /// The containers there are. Answered with [`Answer::Containers`].
    List,
    /// Which fences the kernel has for us. Answered with [`Answer::Report`].
    Probe,
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
        end: End,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// Comes with four descriptors: the writing end of stdin, the reading ends of stdout and stderr, and a
    /// pidfd of process 1.
    Created(Created),
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

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub exit: Exit,
    /// The kernel killed a process of it for its memory limit. Always false without a memory cgroup.
    pub oom: bool,
}

/// How process 1 ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What a container has used; `None`: there is no cgroup that counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of all its processes together, those that have ended included.
    pub cpu: Option<Duration>,
    /// How many of its processes the kernel has killed for its memory limit.
    pub oom_kills: Option<u64>,
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
    /// The container was removed, or died, before its program was started.
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
