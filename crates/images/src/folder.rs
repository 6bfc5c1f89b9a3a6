//! Folders as a whole, by their open descriptors: never by a path that something in them could bend.

use std::{
    collections::HashSet,
    ffi::{CStr, CString},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{
        chmodat, chownat, fgetxattr, flistxattr, fsetxattr, linkat, mkdirat, openat, readlinkat,
        statat, unlinkat, utimensat, AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec,
        Timestamps, Uid, XattrFlags,
    },
    io::Errno,
};
use serde::{Deserialize, Serialize};

use crate::{
    blob::{Digest, Hash},
    failure::{During, Result},
};

/// What a folder is opened by to look at what is in it.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Of the bits of a mode, those that mean something in a container.
pub const KEPT_MODE: u32 = 0o1777;

pub fn open_folder(at: impl AsFd, name: &CStr) -> Result<OwnedFd> {
    openat(at, name, READ, Mode::empty()).during(format_args!("open {name:?}"))
}

pub fn look(at: impl AsFd, name: &CStr) -> Result<Option<Stat>> {
    match statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno).during(format_args!("look at {name:?}")),
    }
}

pub fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// The names in a folder, in a fixed order.
pub fn names(folder: BorrowedFd<'_>) -> Result<Vec<CString>> {
    let step = "read a folder";
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).during(step)? {
        let entry = entry.during(step)?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Removes what is there under a name, with all that is in it.
pub fn remove(at: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    match look(at, name)? {
        None => Ok(()),
        Some(found) if is_folder(&found) => {
            empty(at, name)?;
            unlinkat(at, name, AtFlags::REMOVEDIR).during(format_args!("remove {name:?}"))
        }
        Some(_) => unlinkat(at, name, AtFlags::empty()).during(format_args!("remove {name:?}")),
    }
}

fn empty(at: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    let folder = open_folder(at, name)?;
    for name in names(folder.as_fd())? {
        remove(folder.as_fd(), &name)?;
    }
    Ok(())
}

/// Owner, mode, attributes and times.
pub struct Metadata {
    /// `None`: whoever makes it.
    pub owner: Option<(u32, u32)>,
    pub mode: u32,
    /// s since the epoch.
    pub modified: i64,
}

impl Metadata {
    fn of(stat: &Stat, owners: bool) -> Self {
        Self {
            owner: owners.then_some((stat.st_uid, stat.st_gid)),
            mode: stat.st_mode & KEPT_MODE,
            modified: stat.st_mtime,
        }
    }

    pub fn set(&self, at: impl AsFd, name: &CStr, kind: FileType) -> Result<()> {
        let at = at.as_fd();
        if let Some((uid, gid)) = self.owner {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            let given = chownat(at, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW);
            match given {
                // A root that has not all ids, as in a container: it keeps them.
                Err(Errno::PERM | Errno::INVAL) => {}
                other => other.during(format_args!("give {name:?} to its owner"))?,
            }
        }
        if kind != FileType::Symlink {
            let mode = Mode::from_raw_mode(self.mode);
            // What is under this name was made here, and is no link.
            chmodat(at, name, mode, AtFlags::empty())
                .during(format_args!("set the mode of {name:?}"))?;
        }
        set_time(at, name, self.modified)
    }
}

pub fn set_time(at: impl AsFd, name: &CStr, modified: i64) -> Result<()> {
    let time = Timespec { tv_sec: modified, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(at, name, &times, AtFlags::SYMLINK_NOFOLLOW)
        .during(format_args!("set the time of {name:?}"))
}

/// Sets an attribute; a file system that has none does without.
pub fn set_attribute(file: impl AsFd, name: &CStr, value: &[u8]) -> Result<()> {
    match fsetxattr(file, name, value, XattrFlags::empty()) {
        Err(Errno::NOTSUP) => Ok(()),
        other => other.during(format_args!("set the attribute {name:?}")),
    }
}

fn copy_attributes(from: impl AsFd, to: impl AsFd) -> Result<()> {
    let step = "copy attributes";
    let mut list = vec![0; 64 << 10];
    let length = match flistxattr(&from, &mut list) {
        Err(Errno::NOTSUP) => return Ok(()),
        other => other.during(step)?,
    };
    let mut value = vec![0; 64 << 10];
    let names = list[..length].split_inclusive(|byte| *byte == 0);
    for name in names.filter_map(|name| CStr::from_bytes_with_nul(name).ok()) {
        if name.to_bytes().starts_with(b"user.") {
            let length = fgetxattr(&from, name, &mut value).during(step)?;
            set_attribute(&to, name, &value[..length])?;
        }
    }
    Ok(())
}

/// Fills an empty folder with what is in another one: folders are made anew, all else are links to the same
/// files.
pub fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>, owners: bool) -> Result<()> {
    for name in names(from)? {
        let Some(found) = look(from, &name)? else { continue };
        let step = format!("copy {name:?}");
        if !is_folder(&found) {
            linkat(from, &*name, to, &*name, AtFlags::empty()).during(step)?;
            continue;
        }
        mkdirat(to, &*name, Mode::RWXU).during(&step)?;
        copy(open_folder(from, &name)?.as_fd(), open_folder(to, &name)?.as_fd(), owners)?;
        Metadata::of(&found, owners).set(to, &name, FileType::Directory)?;
    }
    copy_attributes(from, to)
}

/// What is in a folder, in short: whether a file is missing, cut off or was put in shows in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Of names, kinds, modes, owners, sizes, times and the targets of links.
    pub digest: Digest,
    /// Bytes of files, each counted once.
    pub size: u64,
}

pub fn sum(folder: BorrowedFd<'_>) -> Result<Sum> {
    let mut summing = Summing::default();
    summing.add(folder)?;
    Ok(Sum { digest: summing.hash.digest(), size: summing.size })
}

#[derive(Default)]
struct Summing {
    hash: Hash,
    size: u64,
    counted: HashSet<u64>,
}

impl Summing {
    fn add(&mut self, folder: BorrowedFd<'_>) -> Result<()> {
        for name in names(folder)? {
            let Some(found) = look(folder, &name)? else { continue };
            self.hash.update(name.to_bytes_with_nul());
            let kind = FileType::from_raw_mode(found.st_mode);
            let length = if kind == FileType::RegularFile { found.st_size } else { 0 };
            for number in [
                found.st_mode.into(),
                found.st_uid.into(),
                found.st_gid.into(),
                length,
                found.st_mtime,
            ] {
                self.hash.update(&i64::to_le_bytes(number));
            }
            if self.counted.insert(found.st_ino) {
                self.size += length as u64;
            }
            if kind == FileType::Symlink {
                let target = readlinkat(folder, &*name, Vec::new())
                    .during(format_args!("read the link {name:?}"))?;
                self.hash.update(target.to_bytes_with_nul());
            }
            if is_folder(&found) {
                self.add(open_folder(folder, &name)?.as_fd())?;
                self.hash.update(b"/");
            }
        }
        Ok(())
    }
}
