//! What can come of one call to the engine in place of a result.

use std::{fmt, time::Duration};

use crate::error::{excerpt, Code, Error};

/// Why a call gave no result: told apart by what may have happened on the engine's side.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// No connection came about: the engine never saw the call.
    Unreachable(Error),
    /// The connection broke before the answer: the engine may have done it or not.
    Unanswered(String),
    /// No answer in time: the engine may still do it.
    Overdue(Duration),
    /// The engine said no.
    Refused { status: u16, message: String },
    /// The engine said yes, and in the course of its answer that it failed.
    Failed(String),
    /// The engine answered something that makes no sense here.
    Garbled(String),
}

impl Fault {
    /// Whether what was asked for may be there all the same.
    pub(super) fn may_have_happened(&self) -> bool {
        matches!(self, Fault::Unanswered(_) | Fault::Overdue(_) | Fault::Garbled(_))
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Fault::Refused { status: 404, .. })
    }

    /// The engine's own words, where it gave any.
    pub(super) fn refusal(&self) -> Option<&str> {
        match self {
            Fault::Refused { message, .. } | Fault::Failed(message) => Some(message),
            _ => None,
        }
    }

    /// The error to show for it. `call` names what was tried, `address` says where.
    pub(super) fn during(self, call: &str, address: &dyn fmt::Display) -> Error {
        match self {
            Fault::Unreachable(error) => error,
            Fault::Unanswered(why) => Error::new(
                Code::EngineUnavailable,
                format!("{call}: the connection to the engine at {address} broke before it answered ({}); check that the engine runs", excerpt(&why)),
            ),
            Fault::Overdue(limit) => Error::new(
                Code::EngineUnavailable,
                format!(
                    "{call}: no answer from the engine at {address} within {} ms; check that it is not stuck (`docker info`), or raise engine.timeout",
                    limit.as_millis()
                ),
            )
            .timeout(limit),
            Fault::Refused { status, message } => Error::new(
                Code::EngineError,
                format!("{call}: the engine at {address} answered {status}: {}", excerpt(message.trim())),
            )
            .status(status),
            Fault::Failed(message) => Error::new(
                Code::EngineError,
                format!("{call}: the engine at {address} failed: {}", excerpt(message.trim())),
            ),
            Fault::Garbled(why) => Error::new(
                Code::EngineError,
                format!("{call}: the answer of the engine at {address} can't be read: {}", excerpt(&why)),
            ),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

// So that it can travel through bollard's error type and be taken out again.
impl std::error::Error for Fault {}

impl From<bollard::errors::Error> for Fault {
    fn from(error: bollard::errors::Error) -> Self {
        use bollard::errors::Error as Bollard;
        match error {
            Bollard::DockerResponseServerError { status_code, message } => {
                Fault::Refused { status: status_code, message }
            }
            Bollard::IOError { err } => match err.downcast::<Fault>() {
                Ok(fault) => fault,
                Err(err) => Fault::Unanswered(err.to_string()),
            },
            Bollard::HyperResponseError { err } => Fault::Unanswered(chain(&err)),
            Bollard::RequestTimeoutError => Fault::Unanswered("timeout".to_owned()),
            other => Fault::Garbled(other.to_string()),
        }
    }
}

/// An error with those beneath it, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut beneath = error.source();
    while let Some(error) = beneath {
        text.push_str(": ");
        text.push_str(&error.to_string());
        beneath = error.source();
    }
    text
}
