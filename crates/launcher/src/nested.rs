//! A process 1 whose user namespace is nested in a template's.
//!
//! A fork of the template enters the container as the owner of its user namespace, and in the parent of that. So
//! the namespace has to be made by somebody who is in the template's, as the template's user: a helper, which
//! the launcher forks for it. Process 1 is the launcher's child all the same.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    process::{
        pidfd_open, pidfd_send_signal, waitid, Pid, PidfdFlags, Signal, WaitId, WaitIdOptions,
    },
    thread::set_keep_capabilities,
};
use scientist_pool_protocol::{Failure, FailureKind, User};

use crate::{
    cgroup::Ticket,
    credentials,
    failure::{of_kind, During, Result},
    ids::{self, Mapping},
    process::pipe,
    sys::{self, new, Cloned},
};

/// Where process 1 is to come from.
pub struct Nest<'a> {
    /// The template's user namespace, and whom it is outside of that.
    pub namespace: BorrowedFd<'a>,
    pub mapping: Mapping,
    pub user: User,
}

impl Nest<'_> {
    /// Forks a process 1 with ids of `mapping`, into new user and pid namespaces.
    pub fn clone_first(&self, mapping: Mapping, ticket: &Ticket) -> Result<Cloned> {
        const STEP: &str = "make a process for a fork of the template";
        let (reading, writing) = pipe()?;
        // Process 1 is born into the helper's group.
        match sys::clone3(0, ticket.group()).during(STEP)? {
            Cloned::Parent { pidfd, .. } => {
                drop(writing);
                let mut told = Vec::new();
                let heard = File::from(reading).read_to_end(&mut told).during(STEP);
                // It is about to end, and waits for nobody.
                let ended = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
                heard.and(ended.during(STEP))?;
                let born = told.split_first_chunk::<4>();
                let born = born.and_then(|(pid, why)| Some((pid_of(*pid)?, why)));
                let Some((pid, why)) = born else { return Err(failure(&told, STEP)) };
                let pidfd = pidfd_open(pid, PidfdFlags::empty()).during(STEP)?;
                if !why.is_empty() {
                    let _ = pidfd_send_signal(&pidfd, Signal::KILL);
                    let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
                    return Err(failure(why, STEP));
                }
                Ok(Cloned::Parent { pid, pidfd })
            }
            Cloned::Child => {
                drop(reading);
                let mut writing = File::from(writing);
                let mut tell = |what: &[u8]| drop(writing.write_all(what));
                let born = self.enter().and_then(|()| {
                    sys::clone_sibling(new::USER | new::PID).during("make a process")
                });
                match born {
                    Ok(Cloned::Child) => return Ok(Cloned::Child),
                    Ok(Cloned::Parent { pid, .. }) => {
                        tell(&pid.as_raw_nonzero().get().to_le_bytes());
                        if let Err(failure) = mapping.map(pid) {
                            tell(&postcard::to_allocvec(&failure).unwrap_or_default());
                        }
                    }
                    Err(failure) => {
                        tell(&0i32.to_le_bytes());
                        tell(&postcard::to_allocvec(&failure).unwrap_or_default());
                    }
                }
                sys::exit(0)
            }
        }
    }

    /// Becomes the template's user in its namespace, with all capabilities there.
    fn enter(&self) -> Result<()> {
        sys::setns(self.namespace, 0).during("enter the template's user namespace")?;
        set_keep_capabilities(true).during("keep capabilities")?;
        credentials::become_template(self.mapping, self.user)?;
        // Else the files by which the ids of process 1 are mapped would be root's.
        ids::open_memory(true)
    }
}

fn pid_of(bytes: [u8; 4]) -> Option<Pid> {
    Pid::from_raw(i32::from_le_bytes(bytes))
}

fn failure(told: &[u8], step: &str) -> Failure {
    let told = told.strip_prefix(&0i32.to_le_bytes()).unwrap_or(told);
    postcard::from_bytes(told)
        .unwrap_or_else(|_| of_kind(FailureKind::Gone, format!("{step}: it was ended")))
}
