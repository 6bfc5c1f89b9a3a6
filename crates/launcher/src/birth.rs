//! The way of a new process from its clone to its program, step by step.
//!
//! It begins as a copy of the launcher in the container's pid namespace, and has nothing in common with it
//! from the next step on. Nothing of the container's own runs in it before the last step.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd},
};

use rustix::{
    fs::Mode,
    io::{fcntl_setfd, FdFlags},
    process::{chdir, setsid, umask},
    system::sethostname,
};
use scientist_pool_protocol::{Process, Program, Rlimit, Spec, User};

use crate::{
    cgroup::Ticket,
    credentials,
    doors::Doors,
    failure::{invalid, During, Result},
    fences::{self, Fence},
    ids::{self, Mapping},
    init::{self, Household},
    network,
    program::Command,
    rlimits,
    root::{self, Views},
    runtime::{self, World},
    sys::{self, new},
};

/// What is told before the program is executed. No failure begins with it.
pub const EXECUTES: u8 = 0xff;

/// What the new process gets from the launcher.
pub struct Birth<'a> {
    pub way: Way<'a>,
    pub spec: &'a Spec,
    pub process: &'a Process,
    pub mapping: Mapping,
    pub ticket: Ticket,
    /// The ends of the pipes that become 0, 1 and 2.
    pub stdio: [OwnedFd; 3],
    /// The limits that apply unless the spec has others.
    pub rlimits: &'a [Rlimit],
    pub handed: Handed,
    /// Where it hands out the socket that the spec asks for.
    pub door: Option<OwnedFd>,
}

/// What else it is started with.
pub enum Handed {
    Nothing,
    /// Process 1: where its first spare comes from.
    Foster(OwnedFd),
    /// A template: what stays open in the program that it executes.
    Template([OwnedFd; 2]),
}

/// How it comes by its namespaces.
pub enum Way<'a> {
    /// As the process 1 of new ones, or as a template. It is in its user namespace already, and in the pid
    /// namespace where it is to stay.
    First {
        views: Views,
        /// A byte comes when the launcher has done its part.
        go: File,
    },
    /// Beside process 1, in whose pid namespace it is already. The others that are in there see it come,
    /// and can't reach it: its memory is closed, and belongs to a user namespace outside theirs.
    Beside { first: BorrowedFd<'a>, doors: Option<&'a Doors> },
}

impl<'a> Birth<'a> {
    /// Becomes a process of the container. What fails is told to `report`, which ends when the program is
    /// executed.
    pub fn run(self, mut report: File) -> ! {
        let beside = matches!(self.way, Way::Beside { .. });
        // If the launcher is gone, there is nobody left to tell.
        let mut tell = |what: &[u8]| drop(report.write_all(what));
        let failure = match self.prepare() {
            Ok(Prepared::Init(household)) => {
                tell(&[EXECUTES]);
                drop(report);
                init::run(household)
            }
            Ok(Prepared::World(world)) => match world.start() {
                Ok(container) => {
                    tell(&[EXECUTES]);
                    drop(report);
                    world.watch(container)
                }
                Err(failure) => failure,
            },
            Ok(Prepared::Command(command)) => {
                tell(&[EXECUTES]);
                if beside {
                    command.execute_or_exit()
                }
                command.execute()
            }
            Err(failure) => failure,
        };
        tell(&postcard::to_allocvec(&failure).unwrap_or_default());
        sys::exit(1)
    }

    fn prepare(self) -> Result<Prepared<'a>> {
        let Self { way, spec, process, mapping, ticket, stdio, rlimits, handed, door } = self;
        let (foster, kept) = match handed {
            Handed::Nothing => (None, None),
            Handed::Foster(line) => (Some(line), None),
            Handed::Template(kept) => (None, Some(kept)),
        };
        let is_template = kept.is_some();
        let beside = matches!(way, Way::Beside { .. });
        sys::default_signals();
        ids::open_memory(true)?;
        let oom_score = File::options().write(true).open("/proc/self/oom_score_adj");
        let mut oom_score = oom_score.during("open oom_score_adj")?;
        write!(oom_score, "{}", spec.oom_score_adj)
            .during(format!("set oom_score_adj to {}", spec.oom_score_adj))?;
        if let Way::First { .. } = way {
            mapping.map_self(match (&spec.runtime, is_template) {
                // A runtime begins as root, and makes the user of that.
                (Some(_), _) => ROOT,
                (None, true) => mapping.outside(spec.user),
                (None, false) => spec.user,
            })?;
        }
        match way {
            Way::First { views, mut go } => {
                // Whoever maps its ids is not always root.
                go.read_exact(&mut [0]).during("wait for the launcher")?;
                ids::open_memory(false)?;
                if is_template {
                    credentials::become_template(mapping, spec.user)?;
                } else {
                    credentials::become_root(mapping)?;
                }
                // Before there is a namespace of cgroups, whose root it is to be, and before memory is used.
                ticket.enter()?;
                sys::unshare(fences::namespaces(NAMESPACES)).during("make namespaces")?;
                if let (Some(port), Some(door)) = (spec.proxy, door) {
                    network::loopback_up()?;
                    network::hand_out_listener(port, door)?;
                }
                if let Some(runtime) = &spec.runtime {
                    umask(Mode::from(0o022));
                    let world = World::furnish(runtime, spec, views, mapping, rlimits)?;
                    setsid().during("make a session")?;
                    stay_apart(&stdio)?;
                    // An ordinary user's launcher has yet to open its namespaces.
                    ids::open_memory(matches!(mapping, Mapping::Own { .. }))?;
                    return Ok(Prepared::World(world));
                }
                if Fence::Mount.stands() {
                    root::enter(spec, views)?;
                }
                if Fence::Network.stands() {
                    network::loopback_up()?;
                }
                if Fence::Uts.stands() {
                    sethostname(spec.hostname.as_bytes())
                        .during(format!("set the host name to {:?}", spec.hostname))?;
                }
            }
            Way::Beside { first, doors } => {
                ids::open_memory(false)?;
                // Before the cgroup's files are out of sight.
                ticket.enter()?;
                let through_first =
                    || sys::setns(first, fences::namespaces(new::USER | NAMESPACES));
                doors
                    .map_or_else(through_first, Doors::enter)
                    .during("enter the namespaces of process 1")?;
                credentials::become_root(mapping)?;
                if let Some(runtime) = &spec.runtime {
                    setsid().during("make a session")?;
                    stay_apart(&stdio)?;
                    let process = runtime::beside(runtime, spec, process, mapping, rlimits)?;
                    return Command::new(&process).map(Prepared::Command);
                }
            }
        }
        setsid().during("make a session")?;
        if Fence::Keyring.stands() {
            sys::leave_keyring();
        }

        let prepared = match process.program {
            Program::Init | Program::Template(_) if beside => {
                return Err(invalid("the launcher's own programs are for process 1 alone"))
            }
            Program::Inside | Program::Template(_) => Prepared::Command(Command::new(process)?),
            Program::Init => Prepared::Init(Household {
                env: process.env.clone(),
                mapping,
                user: spec.user,
                privileges: spec.privileges.clone(),
                filters: spec.privileges.no_new_privileges,
                oom_score: Some((oom_score.into(), spec.oom_score_adj)),
                foster,
            }),
        };
        umask(Mode::from(0o022));
        stay_apart(&stdio)?;
        for fd in kept.into_iter().flatten() {
            fcntl_setfd(&fd, FdFlags::empty()).during("hand a descriptor on")?;
            // From here on it is the program's.
            let _ = fd.into_raw_fd();
        }
        rlimits::set(&rlimits::merged(rlimits, &spec.rlimits))?;
        // Without no-new-privileges a filter takes a capability that is gone afterwards; with it, it comes
        // last, so that it need not allow what is done before.
        let filters = &spec.privileges.seccomp;
        if !spec.privileges.no_new_privileges {
            credentials::filter(filters)?;
        }
        match process.program {
            Program::Template(_) => credentials::settle_template()?,
            Program::Inside => credentials::settle(mapping, spec.user, &spec.privileges)?,
            Program::Init => credentials::settle_first(mapping, spec.user, &spec.privileges)?,
        }
        // As the user that it is: what that may not enter is not its working directory.
        if !process.cwd.starts_with('/') {
            return Err(invalid(format!("{:?} is no absolute path", process.cwd)));
        }
        chdir(&process.cwd).during(format!("change to {}", process.cwd))?;
        let is_executed = !matches!(process.program, Program::Init);
        if spec.privileges.no_new_privileges && is_executed {
            credentials::filter(filters)?;
        }
        Ok(prepared)
    }
}

/// What is left to do.
enum Prepared<'a> {
    /// To execute it.
    Command(Command),
    /// To run it. Each child sets the filters that come last, for they need not allow what making one takes.
    Init(Household),
    /// To have a runtime start the container, and to watch over it.
    World(World<'a>),
}

const ROOT: User = User { uid: 0, gid: 0 };

/// All but those of users and of pids.
const NAMESPACES: u64 = new::MOUNT | new::IPC | new::UTS | new::NETWORK | new::CGROUP;

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
