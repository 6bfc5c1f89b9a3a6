//! Which derived images this user's processes on this machine use: each has a lock on a file of the image's name, which
//! ends with the process. An engine knows of containers alone, and a pool need not have any at the moment.

/// An image is used for as long as this is there.
pub(super) struct Hold {
    _lock: Option<system::Lock>,
}

/// Nobody else uses the image for as long as this is there.
pub(super) struct Claim {
    _lock: Option<system::Lock>,
}

/// Uses the image with that id; `None`: it is being removed at the moment.
pub(super) fn share(image: &str) -> Option<Hold> {
    Some(Hold { _lock: locked(image, true)? })
}

/// Keeps others from using it; `None`: somebody does.
pub(super) fn claim(image: &str) -> Option<Claim> {
    Some(Claim { _lock: locked(image, false)? })
}

fn locked(image: &str, shared: bool) -> Option<Option<system::Lock>> {
    match system::lock(image, shared) {
        Ok(lock) => lock.map(Some),
        // Where there can be no lock, nobody has one.
        Err(_) => Some(None),
    }
}

#[cfg(unix)]
mod system {
    use std::{
        fs::{self, File},
        io,
        os::unix::fs::MetadataExt,
        path::{Path, PathBuf},
    };

    use rustix::{
        fs::{flock, FlockOperation},
        io::Errno,
    };

    /// In the folder of caches.
    const FOLDER: &str = "scientist-pool/derived";

    pub struct Lock {
        file: File,
        path: PathBuf,
    }

    impl Drop for Lock {
        fn drop(&mut self) {
            // The last one takes the file away, which says nothing by itself.
            if flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                let _ = fs::remove_file(&self.path);
            }
        }
    }

    /// `None`: somebody else has it, or shares it.
    pub fn lock(image: &str, shared: bool) -> io::Result<Option<Lock>> {
        let folder = caches().ok_or(io::ErrorKind::NotFound)?.join(FOLDER);
        fs::create_dir_all(&folder)?;
        lock_at(folder.join(image.trim_start_matches("sha256:")), shared)
    }

    fn lock_at(path: PathBuf, shared: bool) -> io::Result<Option<Lock>> {
        let how = if shared {
            FlockOperation::NonBlockingLockShared
        } else {
            FlockOperation::NonBlockingLockExclusive
        };
        loop {
            let file = File::options().write(true).create(true).truncate(false).open(&path)?;
            match flock(&file, how) {
                Ok(()) if is_at(&file, &path) => return Ok(Some(Lock { file, path })),
                // Whoever had it meanwhile has removed the file.
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn caches() -> Option<PathBuf> {
        let named = |name| std::env::var_os(name).map(PathBuf::from).filter(|at| at.is_absolute());
        named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))
    }

    fn is_at(file: &File, path: &Path) -> bool {
        match (file.metadata(), fs::metadata(path)) {
            (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn it_is_shared_or_claimed_and_goes_with_the_last_who_has_it() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("image");
            let lock = |shared| lock_at(path.clone(), shared).unwrap();
            let shared = [lock(true), lock(true)].map(Option::unwrap);
            let [one, other] = shared;
            assert!(lock(false).is_none());
            drop(one);
            assert!(lock(false).is_none());
            drop(other);
            assert!(!path.exists());
            let claim = lock(false).unwrap();
            assert!(lock(true).is_none());
            drop(claim);
            assert!(!path.exists());
        }
    }
}

#[cfg(not(unix))]
mod system {
    /// There is none here.
    pub enum Lock {}

    pub fn lock(_: &str, _: bool) -> std::io::Result<Option<Lock>> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}
