//! What went wrong, in words.

use std::{fmt, io, path::Path};

use rustix::io::Errno;
use scientist_pool_protocol::images::Fault;

pub type Result<T> = std::result::Result<T, Failure>;

#[derive(Debug, Clone)]
pub struct Failure {
    pub fault: Fault,
    pub message: String,
    /// The system's word for it.
    pub errno: Option<Errno>,
}

impl Failure {
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into(), errno: None }
    }

    /// Whether there is no room left where the images are kept.
    pub fn is_full(&self) -> bool {
        matches!(self.errno, Some(Errno::NOSPC | Errno::DQUOT))
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
            let failure = Failure { fault, message: format!("{step}: {error}"), errno };
            if !failure.is_full() {
                return failure;
            }
            let advice =
                "make room for the images, or remove some with `npx scientist-pool prune --images`";
            Failure { message: format!("{}: {advice}", failure.message), ..failure }
        })
    }

    fn at(self, step: &str, path: &Path) -> Result<T> {
        self.during(format_args!("{step} {}", path.display()))
    }
}
