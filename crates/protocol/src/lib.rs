//! What the pool and its launcher say to each other.
//!
//! The launcher's stdin is one end of a `SOCK_SEQPACKET` socket pair: a packet is one message, or names a
//! file that holds it, with the descriptors that belong to it (`SCM_RIGHTS`). The pool sends a [`Call`]; the launcher answers each with
//! one [`Message::Answer`] of the same number, in whatever order they are done, and tells on its own of
//! each container's end. Its first message is [`Message::Hello`]. When the socket ends, the launcher ends,
//! and all containers with it.
//!
//! ```text
//!   pool                         launcher
//!        <──────────────────────  Hello { version, fault }
//!   Call 1: Create { id: 7 } ──>
//!        <──────────────────────  Answer 1: Created        + stdin, stdout, stderr, pidfd, listener
//!   Call 2: Exec { id: 7, exec: 8 } ──>
//!        <──────────────────────  Answer 2: Started        + stdin, stdout, stderr
//!        <──────────────────────  ExecEnded { exec: 8, exit }
//!        <──────────────────────  Ended { id: 7, exit }    process 1 has ended, and all others with it
//!   Call 3: Remove { id: 7 } ──>
//!        <──────────────────────  Answer 3: Removed        nothing of it is left
//! ```
//!
//! A container that has ended keeps its id, and its cgroup, until it is removed. Both sides are of one
//! release: [`VERSION`] says so.
#![cfg(target_os = "linux")]

mod channel;
pub mod images;
mod message;
mod report;
mod spec;

pub use channel::{Channel, ChannelError, MAX_MESSAGE};
pub use message::{
    Answer, Call, ContainerId, Created, ExecId, Exit, Failure, FailureKind, Message, Request, Usage,
};
pub use report::{Absence, CgroupVersion, Fence, Limit, Report};
pub use spec::{
    Bind, Cpu, Layers, Limits, Privileges, Process, Program, Rlimit, Spec, Template, Tmpfs, User,
    CAPABILITIES,
};

/// Of the protocol. A launcher of another version is not spoken to.
pub const VERSION: u32 = 8;
