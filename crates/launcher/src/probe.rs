//! Which fences this machine has: each is tried, in a process of its own.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::AsFd,
    path::Path,
};

use rustix::{
    fs::{openat, Mode, OFlags, CWD},
    mount::{mount, MountFlags},
    pipe::{pipe_with, PipeFlags},
    process::{waitid, WaitId, WaitIdOptions},
};
use scientist_pool_protocol::{Absence, Failure, Fence, Report, User};
use serde::{de::DeserializeOwned, Serialize};

use crate::{
    credentials,
    failure::{During, Result},
    ids::{self, Mapping},
    mounts::{open_path, Mount, Place},
    proc, runtime, sys,
    sys::{attribute, new, Cloned},
    workshop::Workshop,
};

/// Tries everything; a few milliseconds. `runtime`: a program to ask for its version, as containers would
/// start it.
pub fn report(workshop: &Workshop, runtime: Option<&Path>) -> Report {
    // With ids of its own, as containers have them. The range is nobody's: nothing is left in it.
    let mapping = if workshop.is_root() { Mapping::Range(0x3fff_0000) } else { Mapping::own() };
    let namespace = |flag: u64| try_out(mapping, new::USER | flag, || Ok(()));
    let fences = [
        (Fence::UserNamespace, namespace(0)),
        (Fence::MountNamespace, namespace(new::MOUNT)),
        (Fence::PidNamespace, namespace(new::PID)),
        (Fence::IpcNamespace, namespace(new::IPC)),
        (Fence::UtsNamespace, namespace(new::UTS)),
        (Fence::CgroupNamespace, namespace(new::CGROUP)),
        (Fence::NetworkNamespace, namespace(new::NETWORK)),
        (
            Fence::Proc,
            try_out(mapping, new::USER | new::PID | new::MOUNT, || {
                let place = open_path("/proc").during("open /proc")?;
                proc::new()?.attach(place.as_fd()).during("mount /proc").map(drop)
            }),
        ),
        (Fence::Overlay, try_out(mapping, new::USER | new::MOUNT, overlay)),
        (Fence::MountAttributes, mount_attributes()),
        (Fence::IdMappedMounts, mapped_mount(mapping)),
        (Fence::Seccomp, sys::has_seccomp().during("ask for seccomp filters")),
    ];
    Report {
        fences: fences.into_iter().map(|(fence, tried)| (fence, tried.map_err(absence))).collect(),
        cgroup: workshop.cgroups.version(),
        limits: workshop.cgroups.limits(),
        root: workshop.is_root(),
        landlock: sys::landlock_version(),
        runtime: runtime
            .map(|program| try_out(mapping, new::USER | new::PID, || runtime::version(program))),
    }
}

fn absence(failure: Failure) -> Absence {
    Absence { errno: failure.errno.unwrap_or(0), step: failure.message }
}

/// Does something in a process of its own, in new namespaces, as their root.
fn try_out<T: Serialize + DeserializeOwned>(
    mapping: Mapping,
    namespaces: u64,
    what: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).during("make a pipe");
    let (go, report) = (pipe()?, pipe()?);
    match sys::clone3(namespaces, None).during("make namespaces")? {
        Cloned::Child => {
            drop((go.1, report.0));
            let root = User { uid: 0, gid: 0 };
            let tried = ids::open_memory(true).and_then(|()| {
                mapping.map_self(root)?;
                File::from(go.0).read_exact(&mut [0]).during("wait for the launcher")?;
                credentials::become_root(mapping)?;
                what()
            });
            let told = postcard::to_allocvec(&tried).unwrap_or_default();
            let _ = File::from(report.1).write_all(&told);
            sys::exit(0)
        }
        Cloned::Parent { pid, pidfd } => {
            drop((go.0, report.1));
            let mapped = mapping.map(pid);
            let mut go = File::from(go.1);
            if mapped.is_ok() {
                // If it is gone already, its report says why.
                let _ = go.write_all(&[0]);
            }
            drop(go);
            let mut told = Vec::new();
            let heard = File::from(report.0).read_to_end(&mut told).during("hear of a try");
            let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            mapped?;
            heard?;
            let nothing = || std::io::Error::from_raw_os_error(libc::ECHILD);
            postcard::from_bytes(&told).map_err(|_| nothing()).during("hear of a try")?
        }
    }
}

/// Two folders over one another.
fn overlay() -> Result<()> {
    let step = "make an overlay";
    let tmpfs = Mount::new("tmpfs", &[], attribute::NOSUID)?;
    let place = open_path("/tmp").or_else(|_| open_path("/dev/shm")).during(step)?;
    let tmpfs = tmpfs.attach(place.as_fd()).during(step)?;
    for name in ["/one", "/two", "/both"] {
        Place::Folder.find_or_make(tmpfs.as_fd(), name)?;
    }
    let here = openat(&tmpfs, ".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).during(step)?;
    rustix::process::fchdir(&here).during(step)?;
    mount("overlay", "both", "overlay", MountFlags::empty(), c"lowerdir=one:two,userxattr")
        .during(step)
}

fn root_view() -> Result<Mount> {
    Mount::whole(CWD, "/dev").during("show /dev")
}

fn mount_attributes() -> Result<()> {
    let view = root_view()?;
    sys::mount_setattr(view.as_fd(), attribute::RDONLY, None).during("set attributes of a mount")
}

/// On the file system that `/` is on; others may differ.
fn mapped_mount(mapping: Mapping) -> Result<()> {
    let (go, stay) = pipe_with(PipeFlags::CLOEXEC).during("make a pipe")?;
    match sys::clone3(new::USER, None).during("make a user namespace")? {
        Cloned::Child => {
            drop(stay);
            let _ = File::from(go).read(&mut [0]);
            sys::exit(0)
        }
        Cloned::Parent { pid, pidfd } => {
            drop(go);
            let tried = mapping.map(pid).and_then(|()| {
                let view = Mount::view(CWD, "/").during("show /")?;
                match mapping.namespace(pid)? {
                    Some(namespace) => view.map_ids(namespace.as_fd()).during("map a mount's ids"),
                    None => Err(rustix::io::Errno::PERM).during("map a mount's ids: it takes root"),
                }
            });
            drop(stay);
            let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            tried
        }
    }
}
