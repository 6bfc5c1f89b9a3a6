//! How an engine as a whole stands.

use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::error::Error;

/// What is known of an engine from the calls made to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum EngineState {
    /// It answers, and does what it is asked for. Also before the first call.
    Healthy,
    /// It answers, but the last create, attach, start or removal went wrong on its side.
    Degraded,
    /// It can't be reached, or does not answer. No call is sent but a probe now and then.
    Down,
}

/// How an engine stands, since when, and why.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    pub state: EngineState,
    /// In milliseconds since the epoch for those who read it as JSON.
    #[serde(serialize_with = "millis")]
    pub since: SystemTime,
    /// What went wrong; `None` while it is healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

impl Health {
    /// Of an engine of which nothing bad is known.
    pub fn good() -> Self {
        Self { state: EngineState::Healthy, since: SystemTime::now(), error: None }
    }

    pub fn is_down(&self) -> bool {
        self.state == EngineState::Down
    }
}

pub(super) fn millis<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    serializer.serialize_u64(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
