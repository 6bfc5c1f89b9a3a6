//! The kernel's refusals in words.

use std::{io, path::Path};

use rustix::io::Errno;
use scientist_pool_protocol::{Failure, FailureKind};

pub type Result<T> = std::result::Result<T, Failure>;

/// What was being done when the kernel refused.
pub trait During<T> {
    /// `step` in the imperative: `mount /proc`.
    fn during(self, step: impl Into<String>) -> Result<T>;

    /// As [`During::during`], where a path of this machine may be missing.
    fn at(self, step: &str, path: &Path) -> Result<T>;
}

impl<T> During<T> for rustix::io::Result<T> {
    fn during(self, step: impl Into<String>) -> Result<T> {
        self.map_err(|errno| refused(&step.into(), errno))
    }

    fn at(self, step: &str, path: &Path) -> Result<T> {
        self.map_err(|errno| {
            let mut failure = refused(&format!("{step} {}", path.display()), errno);
            if matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP) {
                failure.kind = FailureKind::NoSuchPath;
            }
            failure
        })
    }
}

impl<T> During<T> for io::Result<T> {
    fn during(self, step: impl Into<String>) -> Result<T> {
        self.map_err(errno).during(step)
    }

    fn at(self, step: &str, path: &Path) -> Result<T> {
        self.map_err(errno).at(step, path)
    }
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

fn refused(step: &str, errno: Errno) -> Failure {
    let kind = match errno {
        Errno::AGAIN
        | Errno::NOMEM
        | Errno::MFILE
        | Errno::NFILE
        | Errno::NOSPC
        | Errno::USERS
        | Errno::DQUOT => FailureKind::Exhausted,
        Errno::PERM | Errno::ACCESS | Errno::NOSYS => FailureKind::Denied,
        _ => FailureKind::Other,
    };
    let why = io::Error::from(errno);
    Failure { kind, message: format!("{step}: {why}"), errno: Some(errno.raw_os_error()) }
}

/// A call that can't be carried out, whatever the kernel says.
pub fn invalid(message: impl Into<String>) -> Failure {
    of_kind(FailureKind::Invalid, message)
}

/// A failure that no single system call is to blame for.
pub fn of_kind(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { kind, message: message.into(), errno: None }
}
