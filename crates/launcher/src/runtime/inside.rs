//! What a runtime starts in a container: this same program, shown in the root, where nothing of the
//! launcher's is around it. It sets the system call filter, which so is one and the same whatever the
//! runtime makes of such a filter, and says of a program that can't be executed what a shell says.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
};

use rustix::{
    fs::{openat, Mode, OFlags},
    process::getuid,
};
use scientist_pool_protocol::{Failure, FailureKind, Privileges, Process, Program, Spec, User};

use crate::{
    credentials, devices,
    failure::{of_kind, During, Result},
    ids::{self, Mapping},
    init::{self, Household},
    mounts::{Mount, Place},
    program::Command,
    root,
    sys::{self, attribute},
};

/// Where both are in a container's root.
const FOLDER: &str = "/.scientist-pool";
/// This program.
pub const PROGRAM: &str = "/.scientist-pool/init";
/// Who scripts are and what they may do, as the protocol has it.
const PRIVILEGES: &str = "/.scientist-pool/privileges";
/// As process 1 of any image.
pub const INIT: &str = "init";
/// As the command whose words follow.
pub const COMMAND: &str = "command";

/// Puts this program into a container's root, where nobody in there can exchange it, root neither.
///
/// Nobody can read it either, unless it is to be `readable`: of a process that executes what it may not read,
/// the kernel keeps the memory closed to its own user. Else a script could enter a command of its container's
/// before that has its filter.
pub fn put(root: BorrowedFd<'_>, spec: &Spec, readable: bool) -> Result<()> {
    let place = Place::Folder.find_or_make(root, FOLDER)?;
    let attributes = attribute::NOSUID | attribute::NODEV;
    let folder = Mount::new("tmpfs", &[devices::mode("755")], attributes)?
        .attach(place.as_fd())
        .during(format!("mount {FOLDER}"))?;
    let make = |path: &str| {
        let name = path.strip_prefix(FOLDER).unwrap_or(path).trim_start_matches('/');
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
        openat(&folder, name, flags, Mode::from(0o600)).map(File::from)
    };
    let written = || -> io::Result<()> {
        let mut program = make(PROGRAM)?;
        io::copy(&mut File::open("/proc/self/exe")?, &mut program)?;
        program.set_permissions(Permissions::from_mode(if readable { 0o555 } else { 0o111 }))?;
        let mut file = make(PRIVILEGES)?;
        file.write_all(&postcard::to_allocvec(&(spec.user, &spec.privileges)).unwrap_or_default())?;
        file.set_permissions(Permissions::from_mode(0o444))
    };
    written().during("put the launcher's own program into the container")?;
    root::close(folder.as_fd())
}

/// Does what a runtime has started this program for, if one has.
pub fn run_if_asked() {
    let mut arguments = std::env::args().skip(1);
    let failure = match arguments.next().as_deref() {
        Some(INIT) => start_init(),
        Some(COMMAND) => start_command(arguments.collect()),
        _ => return,
    };
    let _ = writeln!(std::io::stderr(), "{}", failure.message);
    sys::exit(126)
}

fn privileges() -> Result<(User, Privileges)> {
    let bytes = fs::read(PRIVILEGES).during(format!("read {PRIVILEGES}"))?;
    let unknown = |_| of_kind(FailureKind::Other, format!("{PRIVILEGES} is of another release"));
    postcard::from_bytes(&bytes).map_err(unknown)
}

/// Returns only to say why not.
fn start_init() -> Failure {
    let prepared = || {
        // Which is root's alone while the memory is closed. Nobody else is there yet.
        ids::open_memory(true)?;
        let oom_score = open_own_score();
        ids::open_memory(false)?;
        let (user, privileges) = privileges()?;
        let mapping = if getuid().as_raw() == user.uid {
            Mapping::own()
        } else {
            credentials::settle_started(user, &privileges)?;
            // It is opened when a process changes who it is.
            ids::open_memory(false)?;
            Mapping::Range(0)
        };
        let (env, foster) = (init::environment(), None);
        Ok(Household { env, mapping, user, privileges, filters: true, oom_score, foster })
    };
    match prepared() {
        Ok(household) => init::run(household),
        Err(failure) => failure,
    }
}

/// Where it is written what the kernel adds to this process's memory, and what that is.
fn open_own_score() -> Option<(OwnedFd, i16)> {
    const FILE: &str = "/proc/self/oom_score_adj";
    let own = fs::read_to_string(FILE).ok()?.trim().parse().ok()?;
    let file = File::options().write(true).open(FILE).ok()?;
    Some((file.into(), own))
}

/// Returns only to say why not.
fn start_command(argv: Vec<String>) -> Failure {
    let prepared = || {
        sys::default_signals();
        let (_, Privileges { seccomp, .. }) = privileges()?;
        let (env, cwd) = (init::environment(), String::new());
        let command = Command::new(&Process { program: Program::Inside, argv, env, cwd })?;
        credentials::filter(&seccomp)?;
        Ok(command)
    };
    match prepared() {
        Ok(command) => command.execute_or_exit(),
        Err(failure) => failure,
    }
}
