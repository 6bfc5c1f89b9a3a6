//! What the pool tells its owner as it happens.

use std::sync::Arc;

use serde::Serialize;

use crate::error::Error;

/// How the pool as a whole stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PoolState {
    /// Made, and nothing asked of it yet.
    New,
    Healthy,
    /// Creates have been failing: one at a time, and the refill backs off.
    Degraded,
    /// Shutting down.
    Closing,
    Closed,
}

/// What the pool was doing when something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum During {
    Prepare,
    Create,
    Destroy,
}

/// Something that happened. Times in milliseconds.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// An item is ready for use; making it took `ms`.
    Created { id: String, ms: f64 },
    /// A caller got an item: a warm one, or one made on demand after waiting.
    Acquired { id: String, warm: bool, waited_ms: f64 },
    /// The engine confirmed that an item is gone, `ms` after its removal was asked for.
    Destroyed { id: String, ms: f64 },
    /// An item, warm or leased, ended although nobody here asked for it.
    Lost { id: String },
    /// A warm item was too old, and is replaced.
    Expired { id: String },
    /// Something failed in the background; the pool goes on.
    Error { error: Error, during: During },
    /// The pool as a whole stands differently now.
    State { state: PoolState },
    /// The pool reached its target: `size` items are warm.
    Ready { size: usize },
}

/// Gets each event, on whichever thread it happened. Must not block; a panic in it is contained.
pub type OnEvent = Arc<dyn Fn(Event) + Send + Sync>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn events_read_as_javascript_expects_them() {
        let json = |event: Event| serde_json::to_string(&event).unwrap();
        assert_eq!(
            json(Event::Acquired { id: "a".into(), warm: true, waited_ms: 0.5 }),
            r#"{"type":"acquired","id":"a","warm":true,"waitedMs":0.5}"#
        );
        assert_eq!(
            json(Event::State { state: PoolState::Degraded }),
            r#"{"type":"state","state":"degraded"}"#
        );
        assert_eq!(
            json(Event::Error {
                error: Error::new(Code::EngineError, "no"),
                during: During::Create
            }),
            r#"{"type":"error","error":{"code":"ENGINE_ERROR","message":"no"},"during":"create"}"#
        );
    }
}
