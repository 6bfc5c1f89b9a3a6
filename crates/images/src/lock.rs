//! Files that one process has at a time. The kernel lets go of them with the process.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{flock, fstat, open, stat, FlockOperation, Mode, OFlags},
    io::Errno,
};

use crate::failure::{During, Result};

/// Has the file for itself alone, made if it is not there; waits for whoever has it.
pub fn exclusive(path: &Path) -> Result<File> {
    loop {
        let file = file(path)?;
        flock(&file, FlockOperation::LockExclusive).at("lock", path)?;
        if is_at(&file, path) {
            return Ok(file);
        }
    }
}

/// As [`exclusive`], without waiting: `None` if somebody else has it.
pub fn try_exclusive(path: &Path) -> Result<Option<File>> {
    let file = file(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(is_at(&file, path).then_some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno).at("lock", path),
    }
}

/// Has a part in a folder, which nobody removes as long as it is had. `None`: it is not there.
pub fn share_folder(path: &Path) -> Result<Option<OwnedFd>> {
    lock_folder(path, FlockOperation::LockShared)
}

/// Has a folder that nobody has a part in. `None`: somebody has, or it is not there.
pub fn claim_folder(path: &Path) -> Result<Option<OwnedFd>> {
    lock_folder(path, FlockOperation::NonBlockingLockExclusive)
}

fn lock_folder(path: &Path, operation: FlockOperation) -> Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match open(path, flags, Mode::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        other => other.at("open", path)?,
    };
    match flock(&folder, operation) {
        Err(Errno::WOULDBLOCK) => return Ok(None),
        other => other.at("lock", path)?,
    }
    // It may have been put away between the two.
    Ok(is_at(&folder, path).then_some(folder))
}

fn file(path: &Path) -> Result<File> {
    File::options().write(true).create(true).truncate(false).open(path).at("open", path)
}

/// Whether the open file is still what is there under this name.
fn is_at(open: impl AsFd, path: &Path) -> bool {
    let (Ok(open), Ok(named)) = (fstat(open), stat(path)) else { return false };
    (open.st_dev, open.st_ino) == (named.st_dev, named.st_ino)
}
