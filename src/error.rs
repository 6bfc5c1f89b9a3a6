//! The one error type of the crate. Each variant of [`Code`] is a `PoolError` code in JavaScript.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::Serialize;

/// The most bytes of somebody else's words in a message.
const LONGEST_WORDS: usize = 4 << 10;

/// What an engine, an image or a registry says, as a message has it: no longer than anybody reads.
pub fn excerpt(words: &str) -> Cow<'_, str> {
    if words.len() <= LONGEST_WORDS {
        return Cow::Borrowed(words);
    }
    let end = (0..=LONGEST_WORDS).rev().find(|at| words.is_char_boundary(*at)).unwrap_or(0);
    Cow::Owned(format!("{}… ({} bytes in all)", &words[..end], words.len()))
}

/// What went wrong, in the words the JavaScript side shows as `PoolError.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    InvalidArgument,
    /// The engine can't be reached: no socket, no permission, no answer.
    EngineUnavailable,
    /// The engine answered with an error.
    EngineError,
    ImageNotFound,
    ImagePullFailed,
    AcquireTimeout,
    /// The line in front of the pool is full.
    PoolExhausted,
    PoolClosed,
    /// The container was destroyed (by its holder, a timeout or a shutdown) during the call.
    ContainerTerminated,
    /// The container ended, or its connection broke, without anybody here asking for it.
    ContainerLost,
    /// Another call or session has what this one needs of the container.
    ContainerBusy,
    /// The interpreter of a session is gone.
    SessionEnded,
    /// There is no such file in the container.
    FileNotFound,
    /// More files, or more bytes of them, than the call allows.
    FileLimit,
    /// A file could not be written or read.
    FileError,
}

/// An error with a stable code, a message that says what to do next, and the fields that matter.
///
/// Cheap to clone: one failure may have to be told to several waiters.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Error {
    pub code: Code,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// The deadline that passed, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// The engine's HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// What it is about, of errors about files. Boxed: few errors are, and every result has room for one.
    #[serde(flatten)]
    pub file: Option<Box<FileFault>>,
    /// The call ended before anything of it reached the container: it can be made again elsewhere.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// The engine or the supervisor refused the call: nothing of it runs.
    #[serde(skip)]
    pub refused: bool,
    /// The error beneath this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Arc<Error>>,
}

/// The file that an error is about.
#[derive(Clone, Serialize)]
pub struct FileFault {
    /// In the container, as the caller named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What the system said of it, by name: `ENOSPC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            image: None,
            container_id: None,
            timeout: None,
            status_code: None,
            file: None,
            unsent: false,
            refused: false,
            cause: None,
        }
    }

    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    pub fn container(mut self, id: impl Into<String>) -> Self {
        self.container_id = Some(id.into());
        self
    }

    pub fn timeout(mut self, deadline: std::time::Duration) -> Self {
        self.timeout = Some(deadline.as_millis() as u64);
        self
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status_code = Some(status);
        self
    }

    pub fn file(mut self, path: Option<String>, errno: Option<String>) -> Self {
        self.file = Some(Box::new(FileFault { path, errno }));
        self
    }

    pub fn unsent(mut self) -> Self {
        self.unsent = true;
        self
    }

    pub fn refused(mut self) -> Self {
        self.refused = true;
        self
    }

    pub fn cause(mut self, cause: Error) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// Whether a call that ended so leaves its container as good as before.
    pub fn spares_container(&self) -> bool {
        use Code::{
            ContainerBusy, FileError, FileLimit, FileNotFound, InvalidArgument, SessionEnded,
        };
        let refusals =
            [InvalidArgument, ContainerBusy, SessionEnded, FileNotFound, FileLimit, FileError];
        self.refused || refusals.contains(&self.code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)?;
        match &self.cause {
            Some(cause) => write!(f, " (caused by {cause:?})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_without_an_end_are_cut_between_two_characters() {
        assert_eq!(excerpt("no space left"), "no space left");
        let words = format!("a{}", "é".repeat(1 << 20));
        let shown = excerpt(&words);
        assert!(shown.starts_with("aéé") && shown.ends_with("é… (2097153 bytes in all)"));
        assert!(shown.len() < LONGEST_WORDS + 40);
    }
}
