//! What went wrong, in words.

use std::{fmt, io, path::Path};

use rustix::{fs::statvfs, io::Errno};
use scientist_pool_protocol::images::Fault;

pub type Result<T> = std::result::Result<T, Failure>;

#[derive(Debug, Clone)]
pub struct Failure {
    pub fault: Fault,
    pub message: String,
    /// The system's word for it.
    pub errno: Option<Errno>,
    /// It has been said of what there is no room.
    pub explained: bool,
}

impl Failure {
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into(), errno: None, explained: false }
    }

    /// Whether there is no room left where the images are kept.
    pub fn is_full(&self) -> bool {
        matches!(self.errno, Some(Errno::NOSPC | Errno::DQUOT))
    }

    /// With what it is that is full, and what to do, if that is why: as long as it still is. `store`: a folder of the
    /// images.
    pub fn explained(self, store: &Path) -> Self {
        if self.explained || !self.is_full() {
            return self;
        }
        let place = store.display();
        let full = match statvfs(store) {
            _ if self.errno == Some(Errno::DQUOT) => format!("the quota of this user for {place}"),
            // Some file systems have as many as there is room for, and say 0.
            Ok(room) if room.f_files > 0 && room.f_ffree == 0 => {
                format!("{place} can take no more files: all {} inodes are in use", room.f_files)
            }
            Ok(room) => {
                let (left, all) = (room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize);
                format!("{place} has {} of {} MiB left", left >> 20, all >> 20)
            }
            Err(_) => format!("{place} is full"),
        };
        let advice = "make room there, or remove images with `npx scientist-pool prune --images`";
        Self { message: format!("{}: {full}: {advice}", self.message), explained: true, ..self }
    }

    /// What the failure is about, in front of it.
    pub fn about(self, what: impl fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

pub fn refused(message: impl Into<String>) -> Failure {
    Failure::new(Fault::Refused, message)
}

/// What was being done when the system refused.
pub trait During<T> {
    fn during(self, step: impl fmt::Display) -> Result<T>;

    fn at(self, step: &str, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> During<T> for std::result::Result<T, E> {
    fn during(self, step: impl fmt::Display) -> Result<T> {
        self.map_err(|error| {
            let error = error.into();
            // One of ours, on its way through a reader.
            if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()) {
                return inner.clone();
            }
            let errno = Errno::from_io_error(&error);
            let fault = if errno.is_some() { Fault::System } else { Fault::Refused };
            Failure { fault, message: format!("{step}: {error}"), errno, explained: false }
        })
    }

    fn at(self, step: &str, path: &Path) -> Result<T> {
        self.during(format_args!("{step} {}", path.display()))
    }
}
