//! The devices of a container: made once, read-only, and shown to all of them.

use std::os::fd::AsFd;

use rustix::{
    fs::{makedev, mkdir, mknodat, symlink, FileType, Mode, CWD},
    io::Errno,
    mount::{mount_remount, MountFlags},
};

use crate::{
    failure::{During, Result},
    fences::Fence,
    mounts::{open_path, FsOption, Mount, Place},
    sys::attribute,
};

/// Name and number (`admin-guide/devices.txt`).
pub const DEVICES: [(&str, u32, u32); 5] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9)];
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Replaces this process's own `/dev` by what containers get, with an empty folder `/dev/shm`.
pub fn replace() -> Result<()> {
    if !Fence::Devices.stands() {
        return Ok(());
    }
    let root = open_path("/").during("open /")?;
    // From the old one, as nodes can't be made in a user namespace.
    let views = DEVICES.map(|(name, ..)| Mount::view(root.as_fd(), &format!("/dev/{name}")));
    let options = [("size".to_owned(), Some("64k".to_owned())), mode("755")];
    let dev = Mount::new("tmpfs", &options, attribute::NOSUID | attribute::NOEXEC)?;
    let target = open_path("/dev").during("open /dev")?;
    let dev = dev.attach(target.as_fd()).during("mount /dev")?;
    for ((name, major, minor), view) in DEVICES.into_iter().zip(views) {
        let step = || format!("make /dev/{name}");
        let device = makedev(major, minor);
        match mknodat(&dev, name, FileType::CharacterDevice, Mode::from(0o666), device) {
            Err(Errno::PERM) => {
                let path = format!("/{name}");
                let target = Place::File.find_or_make(dev.as_fd(), &path)?;
                view.and_then(|view| view.attach(target.as_fd())).during(step())?;
            }
            made => made.during(step())?,
        }
    }
    for (name, target) in LINKS {
        symlink(target, format!("/dev/{name}")).during(format!("make /dev/{name}"))?;
    }
    mkdir("/dev/shm", Mode::from(0o1777)).during("make /dev/shm")?;
    // The file system, not this view of it alone: nobody in a container can open that again.
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NOEXEC;
    mount_remount("/dev", flags, c"").during("close /dev")
}

/// What [`replace`] has made, for one container.
pub fn view() -> Result<Mount> {
    Mount::whole(CWD, "/dev").during("show /dev")
}

/// `mode=…` of a tmpfs.
pub fn mode(mode: &str) -> FsOption {
    ("mode".to_owned(), Some(mode.to_owned()))
}
