//! Makes containers, and dies with the process that started it, taking all of them along.
//!
//! It is started with one end of a socket as its stdin (see `scientist_pool_protocol`), and is two
//! processes. The [`keeper`] watches over the process that started it and over the launcher proper, and
//! clears away what a dead launcher leaves. The launcher is process 1 of a pid namespace of its own, in
//! which all containers are: when it ends, however it ends, the kernel ends all of them.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `keeper` | the two processes, and what happens when one of them dies |
//! | `workshop` | the launcher's own view of the file system, in which containers are put together |
//! | `server` | calls, answers, events: who is where on its way, without ever blocking |
//! | `container` | a container as seen from the launcher |
//! | `exec` | a command beside process 1, as seen from it |
//! | `doors` | the way into the namespaces, of such a command where process 1 is none, and of a fork |
//! | `process` | what both of these are: a process, from its clone to its end |
//! | `birth` | the way of the new process from its clone to its program, step by step |
//! | `root`, `mounts`, `devices`, `proc` | what the container's file system is made of |
//! | `init` | the process 1 that runs in any image, as a child of which everything else runs |
//! | `runtime` | a container that an OCI runtime runs, from its bundle to its end |
//! | `template` | an interpreter that those of containers are forked from |
//! | `nested` | the making of a process 1 that such a fork can come to |
//! | `network`, `rlimits`, `credentials`, `program` | the rest of the way, in this order |
//! | `fences` | which of all this a build for tests leaves out |
//! | `ids` | which users the container's users are outside |
//! | `cgroup` | limits, of version 1 and 2 |
//! | `probe` | which fences this machine has |
//! | `failure` | the kernel's refusals in words |
//! | `sys` | system calls that `rustix` has no function for: all of the `unsafe` |
#![cfg(target_os = "linux")]

mod birth;
mod cgroup;
mod container;
mod credentials;
mod devices;
mod doors;
mod exec;
mod failure;
mod fences;
mod ids;
mod init;
mod keeper;
mod mounts;
mod nested;
mod network;
mod probe;
mod proc;
mod process;
mod program;
mod rlimits;
mod root;
mod runtime;
mod server;
mod sys;
mod template;
mod workshop;

pub use init::run_here as run_init_here;
pub use keeper::run;
pub use runtime::inside::run_if_asked as run_inside_if_asked;
