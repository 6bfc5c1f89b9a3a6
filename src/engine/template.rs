//! How the interpreter stands that those of containers are forked from.

use std::time::SystemTime;

use serde::Serialize;

use super::health::millis;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TemplateState {
    /// There is to be none.
    Off,
    /// There is none; the next container has one made, unless the last ones were bad.
    None,
    /// It boots.
    Starting,
    Ready,
    /// There can be none.
    Refused,
}

#[derive(Debug, Clone, Serialize)]
pub struct TemplateStatus {
    pub state: TemplateState,
    /// How many this one has been asked for.
    pub forks: u64,
    /// In milliseconds since the epoch for those who read it as JSON.
    #[serde(serialize_with = "millis")]
    pub since: SystemTime,
    /// Why there is none.
    pub reason: Option<String>,
}

impl TemplateStatus {
    /// As of now.
    pub fn new(state: TemplateState, reason: Option<String>) -> Self {
        Self { state, forks: 0, since: SystemTime::now(), reason }
    }
}
