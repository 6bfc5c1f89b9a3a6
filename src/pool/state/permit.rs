//! The rights to prepare and to create: one of each is all that a task outside holds of the state.

use std::future::Future;

use tokio::{sync::watch, time::Instant};

use super::line::Ticket;
use crate::budget::Room;

/// The right to make one item, and the only way to. It counts as creating until it is handed back, and
/// holds the item's part of the budget, which the pool can't make up.
#[must_use = "an unused permit takes up room for ever"]
pub(in crate::pool) struct CreatePermit {
    pub(super) serial: u64,
    /// The end of the line when it was issued.
    pub(super) end: Ticket,
    pub(super) issued: Instant,
    pub(super) room: Room,
    pub(super) cut: watch::Receiver<()>,
}

impl CreatePermit {
    /// Resolves when a shutdown can't wait for this create any longer.
    pub fn cut_off(&self) -> impl Future<Output = ()> + Send + 'static {
        changed(self.cut.clone())
    }
}

/// The right to prepare; there is at most one.
#[must_use = "an unused permit blocks the pool for ever"]
pub(in crate::pool) struct PreparePermit {
    pub(super) cut: watch::Receiver<()>,
}

impl PreparePermit {
    /// Resolves when the pool closes.
    pub fn cut_off(&self) -> impl Future<Output = ()> + Send + 'static {
        changed(self.cut.clone())
    }
}

async fn changed(mut signal: watch::Receiver<()>) {
    // An error means that the state is gone, and says the same.
    let _ = signal.changed().await;
}
