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
//! | `birth` | the way of the new process from its clone to its program, step by step |
//! | `root`, `mounts`, `devices`, `proc` | what the container's file system is made of |
//! | `network`, `rlimits`, `credentials`, `program` | the rest of the way, in this order |
//! | `ids` | which users the container's users are outside |
//! | `cgroup` | limits, of version 1 and 2 |
//! | `probe` | which fences this machine has |
//! | `failure` | the kernel's refusals in words |
//! | `sys` | system calls that `rustix` has no function for: all of the `unsafe` |

#[cfg(target_os = "linux")]
mod birth;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod container;
#[cfg(target_os = "linux")]
mod credentials;
#[cfg(target_os = "linux")]
mod devices;
#[cfg(target_os = "linux")]
mod failure;
#[cfg(target_os = "linux")]
mod ids;
#[cfg(target_os = "linux")]
mod keeper;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod proc;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod rlimits;
#[cfg(target_os = "linux")]
mod root;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod workshop;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    keeper::run()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!(
        "scientist-pool-launcher: containers are made of Linux's own means; this is no Linux"
    );
    ExitCode::from(2)
}
