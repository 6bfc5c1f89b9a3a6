//! The way of a new process from its clone to its program, step by step.
//!
//! It begins as a copy of the launcher in a pid and a user namespace of its own, and has nothing in
//! common with it from the next step on. Nothing of the container runs before the last step.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::Mode,
    process::{chdir, setsid, umask},
    system::sethostname,
};
use scientist_pool_protocol::{Rlimit, Spec};

use crate::{
    cgroup::Ticket,
    credentials,
    failure::{invalid, During, Result},
    ids::{self, Mapping},
    network,
    program::Command,
    rlimits,
    root::{self, Views},
    sys::{self, new},
};

/// What is told before the program is executed. No failure begins with it.
pub const EXECUTES: u8 = 0xff;

/// What the new process gets from the launcher.
pub struct Birth {
    pub spec: Box<Spec>,
    pub views: Views,
    /// A program of this machine's, if process 1 is to be one.
    pub outside: Option<OwnedFd>,
    pub mapping: Mapping,
    pub ticket: Ticket,
    /// The ends of the pipes that become 0, 1 and 2.
    pub stdio: [OwnedFd; 3],
    /// A byte comes when the launcher has done its part.
    pub go: File,
    /// The limit of descriptors that applies unless the spec has one.
    pub descriptors: Rlimit,
}

impl Birth {
    /// Becomes the container's process 1. What fails is told to `report`, which ends when the program is
    /// executed.
    pub fn run(self, mut report: File) -> ! {
        // If the launcher is gone, there is nobody left to tell.
        let mut tell = |what: &[u8]| drop(report.write_all(what));
        let failure = match self.prepare() {
            Ok(command) => {
                tell(&[EXECUTES]);
                command.execute()
            }
            Err(failure) => failure,
        };
        tell(&postcard::to_allocvec(&failure).unwrap_or_default());
        sys::exit(1)
    }

    fn prepare(self) -> Result<Command> {
        let Self { spec, views, outside, mapping, ticket, stdio, mut go, descriptors } = self;
        sys::default_signals();
        ids::open_memory(true)?;
        fs::write("/proc/self/oom_score_adj", spec.oom_score_adj.to_string())
            .during(format!("set oom_score_adj to {}", spec.oom_score_adj))?;
        mapping.map_self(spec.user)?;
        ids::open_memory(false)?;
        go.read_exact(&mut [0]).during("wait for the launcher")?;
        credentials::become_root(mapping)?;
        // Before there is a namespace of cgroups, whose root it is to be, and before memory is used.
        ticket.enter()?;
        sys::unshare(new::MOUNT | new::IPC | new::UTS | new::NETWORK | new::CGROUP)
            .during("make namespaces")?;
        setsid().during("make a session")?;

        root::enter(&spec, views)?;
        network::loopback_up()?;
        sethostname(spec.hostname.as_bytes())
            .during(format!("set the host name to {:?}", spec.hostname))?;

        let command = Command::new(&spec.process, outside)?;
        umask(Mode::from(0o022));
        stay_apart(&stdio)?;
        rlimits::set(&[descriptors])?;
        rlimits::set(&spec.rlimits)?;
        // Without no-new-privileges a filter takes a capability that is gone afterwards; with it, it comes
        // last, so that it need not allow what is done before.
        let filters = &spec.privileges.seccomp;
        if !spec.privileges.no_new_privileges {
            credentials::filter(filters)?;
        }
        credentials::settle(mapping, spec.user, &spec.privileges)?;
        // As the user that process 1 is: what it may not enter is not its working directory.
        if !spec.process.cwd.starts_with('/') {
            return Err(invalid(format!("{:?} is no absolute path", spec.process.cwd)));
        }
        chdir(&spec.process.cwd).during(format!("change to {}", spec.process.cwd))?;
        if spec.privileges.no_new_privileges {
            credentials::filter(filters)?;
        }
        Ok(command)
    }
}

/// Puts the pipes in their places, and has everything else closed when the program is executed.
fn stay_apart(stdio: &[OwnedFd; 3]) -> Result<()> {
    for (descriptor, end) in (0..).zip(stdio) {
        sys::duplicate_onto(end.as_fd(), descriptor).during("set up stdin, stdout and stderr")?;
    }
    // All of the launcher's own are so from their making: this is for what it may have inherited, and
    // an old kernel (before 5.11) does without.
    let _ = sys::close_on_exec_from(3);
    Ok(())
}
