//! Mounts: made apart from any folder first, then attached to one.

use std::{
    ffi::CString,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{mkdirat, openat, openat2, FileType, Mode, OFlags, ResolveFlags, CWD},
    io::Errno,
    mount::{
        fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_remount,
        move_mount, open_tree, FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags,
        MoveMountFlags, OpenTreeFlags,
    },
    path::Arg,
};

use crate::{
    failure::{invalid, During, Result},
    sys::{self, attribute},
};

/// An option of a file system: its key, and its value if it has one.
pub type FsOption = (String, Option<String>);

/// A mount that is nowhere yet.
pub struct Mount {
    mount: OwnedFd,
    /// Attributes that an old kernel can set only when it is attached.
    late: u64,
}

impl Mount {
    /// A new file system, with options of its own (`size=64m`).
    pub fn new(kind: &str, options: &[FsOption], attributes: u64) -> Result<Self> {
        let make = || {
            let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
            for (key, value) in options {
                match value {
                    Some(value) => fsconfig_set_string(&context, key, value)?,
                    None => fsconfig_set_flag(&context, key)?,
                }
            }
            fsconfig_create(&context)?;
            let attributes = MountAttrFlags::from_bits_retain(attributes as u32);
            fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        };
        Ok(Self { mount: make().during(format!("make a {kind} file system"))?, late: 0 })
    }

    /// Another view of what is at a path, without what is mounted below it.
    pub fn view(folder: BorrowedFd<'_>, path: &str) -> rustix::io::Result<Self> {
        Self::tree(folder, path, OpenTreeFlags::empty())
    }

    /// Another view of what is at a path, with all that is mounted below it.
    pub fn whole(folder: BorrowedFd<'_>, path: &str) -> rustix::io::Result<Self> {
        Self::tree(folder, path, OpenTreeFlags::AT_RECURSIVE)
    }

    fn tree(folder: BorrowedFd<'_>, path: &str, more: OpenTreeFlags) -> rustix::io::Result<Self> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        Ok(Self { mount: open_tree(folder, path, flags | more)?, late: 0 })
    }

    /// Adds attributes ([`attribute`]) to all of it.
    pub fn with(mut self, attributes: u64) -> Result<Self> {
        match sys::mount_setattr(self.mount.as_fd(), attributes, None) {
            Err(Errno::NOSYS) => self.late |= attributes,
            set => set.during("set attributes of a mount")?,
        }
        Ok(self)
    }

    /// Has the files keep their owners in a user namespace that maps ids. Not every kernel and not every
    /// file system can: there they belong to nobody in it.
    pub fn map_ids(&self, user_namespace: BorrowedFd<'_>) -> rustix::io::Result<()> {
        sys::mount_setattr(self.mount.as_fd(), attribute::IDMAP, Some(user_namespace))
    }

    /// Puts it over a file or folder.
    pub fn attach(self, target: BorrowedFd<'_>) -> rustix::io::Result<Attached> {
        let flags =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&self.mount, "", target, "", flags)?;
        if self.late != 0 {
            // Such a kernel takes one mount at a time.
            let mut flags = MountFlags::BIND;
            for (attribute, flag) in [
                (attribute::RDONLY, MountFlags::RDONLY),
                (attribute::NOSUID, MountFlags::NOSUID),
                (attribute::NODEV, MountFlags::NODEV),
                (attribute::NOEXEC, MountFlags::NOEXEC),
            ] {
                flags.set(flag, self.late & attribute != 0);
            }
            mount_remount(magic_link(self.mount.as_fd()), flags, c"")?;
        }
        Ok(Attached { root: self.mount })
    }
}

impl AsFd for Mount {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mount.as_fd()
    }
}

/// A mount that has its place.
pub struct Attached {
    root: OwnedFd,
}

impl AsFd for Attached {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

/// A path to an open file.
pub fn magic_link(file: BorrowedFd<'_>) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// What a mount is put over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Folder,
    File,
}

impl Place {
    /// Of the same kind as what is to be put over it.
    pub fn of(mount: &Mount) -> Result<Self> {
        let stat = rustix::fs::fstat(&mount.mount).during("look at what is to be mounted")?;
        let folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        Ok(if folder { Self::Folder } else { Self::File })
    }

    /// Finds it in a file system of somebody else's making, none of whose links leads out of it.
    pub fn find(root: BorrowedFd<'_>, path: &str) -> rustix::io::Result<OwnedFd> {
        let within = path.trim_start_matches('/');
        let within = if within.is_empty() { "." } else { within };
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match openat2(root, within, flags, Mode::empty(), resolve) {
            // An older kernel (before 5.6): no links at all, then.
            Err(Errno::NOSYS) => walk(root, within),
            found => found,
        }
    }

    /// Finds it, or makes it and the folders on the way.
    pub fn find_or_make(self, root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
        let step = || format!("make {path} in the container");
        if !path.starts_with('/') || path.split('/').any(|name| name == "..") {
            return Err(invalid(format!("{path:?} is no absolute path in the container")));
        }
        match Self::find(root, path) {
            Err(Errno::NOENT) => {}
            found => return found.during(format!("find {path} in the container")),
        }
        let path = path.trim_end_matches('/');
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = match Self::find(root, parent) {
            Err(Errno::NOENT) => Self::Folder.find_or_make(root, parent)?,
            found => found.during(step())?,
        };
        match self {
            Self::Folder => mkdirat(&parent, name, Mode::from(0o755)).during(step())?,
            Self::File => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                openat(&parent, name, flags, Mode::from(0o644)).during(step())?;
            }
        }
        Self::find(root, path).during(step())
    }
}

fn walk(root: BorrowedFd<'_>, path: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut here = openat(root, ".", flags, Mode::empty())?;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        here = openat(&here, name, flags, Mode::empty())?;
        let mode = rustix::fs::fstat(&here)?.st_mode;
        if FileType::from_raw_mode(mode) == FileType::Symlink {
            return Err(Errno::LOOP);
        }
    }
    Ok(here)
}

/// An opened path.
pub fn open_path(path: impl Arg) -> rustix::io::Result<OwnedFd> {
    openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

/// An opened path on which there is no symbolic link.
pub fn open_plain_path(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        // An older kernel (before 5.6).
        Err(Errno::NOSYS) => walk(open_path("/")?.as_fd(), path.to_str().ok_or(Errno::INVAL)?),
        opened => opened,
    }
}

/// A tmpfs, by options as `docker run --tmpfs` takes them.
pub fn tmpfs(options: &str) -> Result<Mount> {
    let (attributes, own) = tmpfs_options(options)?;
    Mount::new("tmpfs", &own, attributes)
}

/// The attributes of the mount, and what is left for the file system.
pub fn tmpfs_options(options: &str) -> Result<(u64, Vec<FsOption>)> {
    let mut attributes = attribute::NOSUID | attribute::NODEV | attribute::NOEXEC;
    let mut own = Vec::new();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let (set, clear) = match option {
            "ro" => (attribute::RDONLY, 0),
            "rw" => (0, attribute::RDONLY),
            "nosuid" => (attribute::NOSUID, 0),
            "suid" => (0, attribute::NOSUID),
            "nodev" => (attribute::NODEV, 0),
            "dev" => (0, attribute::NODEV),
            "noexec" => (attribute::NOEXEC, 0),
            "exec" => (0, attribute::NOEXEC),
            other => {
                let option = match other.split_once('=') {
                    Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                    None => (other.to_owned(), None),
                };
                if CString::new(other).is_err() {
                    return Err(invalid(format!("{other:?} is no option of a tmpfs")));
                }
                own.push(option);
                (0, 0)
            }
        };
        attributes = (attributes | set) & !clear;
    }
    Ok((attributes, own))
}
