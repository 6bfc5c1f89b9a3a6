//! What comes in place of a result, and what users are told of it.

use std::{fmt::Display, time::Duration};

use crate::error::{excerpt, Code, Error};

#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The API server's own word.
    Refused {
        status: u16,
        reason: String,
        message: String,
        /// When to come again, if it says so.
        after: Option<Duration>,
    },
    /// No connection, or it broke before an answer.
    Unreachable(String),
    /// No answer within that time.
    Overdue(Duration),
    /// An answer that makes no sense.
    Garbled(String),
}

impl Fault {
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404 | 410, .. })
    }

    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }

    /// The server has more to do than it takes on, or is in trouble itself: the same may work later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Refused { status: 429 | 500..=599, .. })
    }

    /// Nothing is known of the server but that it does not answer.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Overdue(_))
    }

    /// As an error of a call, whose name is a verb with its object.
    pub fn told(self, call: &str, place: &dyn Display) -> Error {
        match self {
            Self::Refused { status, reason, message, .. } => {
                let message = excerpt(&message).into_owned();
                let advice = match status {
                    401 => "; the credentials are not, or no longer, good",
                    403 if is_quota(&message) => "; raise the quota, or lower poolSize or memory",
                    403 if reason == "Forbidden" || message.contains("cannot") => {
                        "; docs/kubernetes.md has the Role that the pool needs"
                    }
                    429 => "; the API server has too much to do",
                    _ => "",
                };
                let said = if message.is_empty() { format!("status {status}") } else { message };
                let text = format!("{call}: {said}{advice} (the cluster at {place})");
                Error::new(Code::EngineError, text).status(status)
            }
            Self::Unreachable(why) => Error::new(
                Code::EngineUnavailable,
                format!("{call}: the cluster at {place} can't be reached: {}", excerpt(&why)),
            ),
            Self::Overdue(limit) => Error::new(
                Code::EngineUnavailable,
                format!(
                    "{call}: the cluster at {place} has not answered within {} ms",
                    limit.as_millis()
                ),
            )
            .timeout(limit),
            Self::Garbled(why) => Error::new(
                Code::EngineError,
                format!("{call}: the answer of the cluster at {place} makes no sense: {why}"),
            ),
        }
    }
}

fn is_quota(message: &str) -> bool {
    message.contains("exceeded quota")
}

impl From<kube::Error> for Fault {
    fn from(error: kube::Error) -> Self {
        use kube::{client::UpgradeConnectionError, Error};
        match error {
            Error::Api(status) => Self::Refused {
                status: status.code,
                reason: status.reason,
                message: status.message,
                after: None,
            },
            Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) => {
                Self::Refused {
                    status: status.as_u16(),
                    reason: String::new(),
                    message: format!("no stream was opened (status {status})"),
                    after: None,
                }
            }
            Error::SerdeError(why) => Self::Garbled(why.to_string()),
            other => Self::Unreachable(chain(&other)),
        }
    }
}

/// An error and those beneath it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}
