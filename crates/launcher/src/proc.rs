//! `/proc` of a container, and what is not to be seen in it.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::{fs::CWD, io::Errno};

use crate::{
    failure::{During, Result},
    fences::Fence,
    mounts::{Mount, Place},
    sys::attribute,
};

/// What would show this machine's memory, keys or hardware (`DefaultMaskedPaths` of
/// github.com/moby/moby, `oci/defaults.go`).
pub const HIDDEN: [&str; 10] = [
    "acpi",
    "asound",
    "interrupts",
    "kcore",
    "keys",
    "latency_stats",
    "sched_debug",
    "scsi",
    "timer_list",
    "timer_stats",
];
/// What would change this machine (`DefaultReadonlyPaths` of the same).
pub const READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/// A `/proc` of this process's pid namespace.
pub fn new() -> Result<Mount> {
    if !Fence::Pid.stands() {
        return Mount::view(CWD, "/proc").during("show /proc");
    }
    Mount::new("proc", &[], attribute::NOSUID | attribute::NODEV | attribute::NOEXEC)
}

/// A `/proc` of the launcher's pid namespace for a template, in which it sees what is its own user's.
pub fn of_template() -> Result<Mount> {
    let alone = [("hidepid".to_owned(), Some("2".to_owned()))];
    Mount::new("proc", &alone, attribute::NOSUID | attribute::NODEV | attribute::NOEXEC)
}

/// Attaches it, and hides what is to be hidden behind `nothing`, and an empty folder.
pub fn attach(
    proc: Mount,
    target: BorrowedFd<'_>,
    nothing: BorrowedFd<'_>,
    empty: BorrowedFd<'_>,
) -> Result<()> {
    let proc = proc.attach(target).during("mount /proc")?;
    let here = |name: &str| match Place::find(proc.as_fd(), name) {
        Ok(found) => Ok(Some(found)),
        // Not every kernel has each.
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno).during(format!("find /proc/{name}")),
    };
    if !Fence::Proc.stands() {
        return Ok(());
    }
    for name in HIDDEN {
        let Some(place) = here(name)? else { continue };
        let hide = |cover| Mount::view(cover, "").and_then(|cover| cover.attach(place.as_fd()));
        // A file can't be put over a folder.
        match hide(nothing) {
            Err(Errno::NOTDIR | Errno::INVAL) => hide(empty),
            hidden => hidden,
        }
        .during(format!("hide /proc/{name}"))?;
    }
    for name in READ_ONLY {
        let Some(place) = here(name)? else { continue };
        let step = || format!("close /proc/{name}");
        let attributes =
            attribute::RDONLY | attribute::NOSUID | attribute::NODEV | attribute::NOEXEC;
        let view = Mount::view(place.as_fd(), "").during(step())?.with(attributes)?;
        view.attach(place.as_fd()).during(step())?;
    }
    Ok(())
}
