//! The two processes, and what happens when one of them dies.
//!
//! The keeper ends when the launcher has ended, and clears away its cgroups. It ends the launcher when the
//! process that started them is gone, even one that was stopped, and even if it was stopped itself: the
//! signal that the kernel sends it then lets it go on. The launcher ends at the end of its socket, and
//! with the keeper. Whichever way it ends, the kernel ends every process in its pid namespace with it.

use std::{
    io::{stderr, stdin, Write},
    os::fd::{AsFd, OwnedFd},
    process::ExitCode,
};

use rustix::{
    event::{poll, PollFd, PollFlags, Timespec},
    fs::{open, Mode, OFlags},
    io::{fcntl_dupfd_cloexec, Errno},
    net::sockopt::socket_type,
    process::{
        getppid, pidfd_open, pidfd_send_signal, set_parent_process_death_signal, setsid, waitid,
        PidfdFlags, Signal, WaitId, WaitIdOptions,
    },
};
use scientist_pool_protocol::{Channel, Rlimit, User};

use crate::{
    cgroup::Cgroups,
    failure::{During, Result},
    fences,
    ids::{self, Mapping},
    rlimits, server,
    sys::{self, new, Cloned},
    workshop::{self, Workshop},
};

/// What the program does.
pub fn run() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(why) => {
            // There is nobody else to tell.
            let _ = writeln!(stderr(), "scientist-pool-launcher: {why}");
            ExitCode::from(2)
        }
    }
}

fn start() -> std::result::Result<ExitCode, String> {
    let socket = take_socket().map_err(|errno| {
        format!("stdin is no socket: it is started by scientist-pool ({errno})")
    })?;
    let keeper = Keeper::new().map_err(|errno| format!("can't watch over its parent: {errno}"))?;
    Ok(keeper.keep(socket, rlimits::raise()))
}

/// Takes the socket away from stdin, where every child would get it.
fn take_socket() -> rustix::io::Result<OwnedFd> {
    let stdin = stdin();
    let stdin = stdin.as_fd();
    socket_type(stdin)?;
    let socket = fcntl_dupfd_cloexec(stdin, 3)?;
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    sys::duplicate_onto(null.as_fd(), 0)?;
    Ok(socket)
}

/// When what is beside the launcher's cgroup is looked at again, after one another; ms. A launcher that was
/// killed just before this one began may have had processes then.
const SWEEPS: [u32; 5] = [50, 100, 200, 400, 800];

struct Keeper {
    /// The process that started us; `None`: it was gone before we could look.
    parent: Option<OwnedFd>,
}

impl Keeper {
    fn new() -> rustix::io::Result<Self> {
        // What a terminal sends to the processes of its session is for whoever started us.
        let _ = setsid();
        set_parent_process_death_signal(Some(Signal::CONT))?;
        let parent = getppid().map(|parent| pidfd_open(parent, PidfdFlags::empty())).transpose()?;
        Ok(Self { parent })
    }

    fn keep(self, socket: OwnedFd, rlimits: Vec<Rlimit>) -> ExitCode {
        let own = Mapping::own();
        let cgroups = Cgroups::prepare();
        let namespaces = fences::namespaces(new::PID) | new::MOUNT;
        let as_root =
            if ids::may_give_ranges() { sys::clone3(namespaces, None) } else { Err(Errno::PERM) };
        let cloned = match as_root {
            Err(Errno::PERM) => {
                sys::clone3(new::USER | namespaces, None).map(|cloned| (cloned, Some(own)))
            }
            cloned => cloned.map(|cloned| (cloned, Mapping::of_this_machine())),
        };
        match cloned.during("make a pid namespace for the launcher") {
            Ok((Cloned::Parent { pidfd, .. }, _)) => {
                drop(socket);
                let code = self.watch(&pidfd, &cgroups);
                cgroups.clear();
                code
            }
            Ok((Cloned::Child, own)) => {
                let ready = begin(own);
                server::run(Channel::new(socket), Workshop::new(cgroups, rlimits, own), ready)
            }
            Err(fault) => {
                let workshop = Workshop::new(Cgroups::None, rlimits, Some(own));
                let code = server::run(Channel::new(socket), workshop, Err(fault));
                cgroups.clear();
                code
            }
        }
    }

    /// Until the launcher has ended.
    fn watch(&self, launcher: &OwnedFd, cgroups: &Cgroups) -> ExitCode {
        let mut parent = self.parent.as_ref();
        let mut sweeps = SWEEPS.into_iter();
        let mut pause = sweeps.next();
        loop {
            let mut ends = vec![PollFd::new(launcher, PollFlags::IN)];
            ends.extend(parent.map(|parent| PollFd::new(parent, PollFlags::IN)));
            let limit = pause.map(|ms| Timespec { tv_sec: 0, tv_nsec: i64::from(ms) * 1_000_000 });
            match poll(&mut ends, limit.as_ref()) {
                Ok(0) => {
                    pause = sweeps.next().filter(|_| cgroups.sweep());
                    continue;
                }
                Ok(_) => {}
                // An interruption is no end; neither is anything else.
                Err(_) => continue,
            }
            if ends.get(1).is_some_and(|parent| !parent.revents().is_empty()) {
                let _ = pidfd_send_signal(launcher, Signal::KILL);
                parent = None;
            }
            if !ends[0].revents().is_empty() {
                break;
            }
        }
        let ended = waitid(WaitId::PidFd(launcher.as_fd()), WaitIdOptions::EXITED);
        let code = ended.ok().flatten().and_then(|status| status.exit_status());
        ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }
}

/// The launcher's beginning, in its new namespaces.
fn begin(own: Option<Mapping>) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).during("tie the launcher to its keeper")?;
    if let Some(mapping @ Mapping::Own { uid, gid }) = own {
        mapping.map_self(User { uid, gid })?;
    }
    ids::open_memory(false)?;
    workshop::furnish()
}
