//! One item of the pool, with what the pool knows about it.

use tokio::{
    sync::watch,
    time::{Duration, Instant},
};

use std::{
    future::Future,
    panic::{catch_unwind, AssertUnwindSafe},
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker},
};

use super::provider::Pooled;
use crate::error::Result;

/// How far an item's removal is.
#[derive(Debug, Clone)]
pub(super) enum Removal {
    NotAsked,
    UnderWay,
    /// The first attempt's error; or success, as soon as one succeeded.
    Done(Result<()>),
}

pub(super) struct Slot<I> {
    /// Rises in the order in which items became ready.
    pub key: u64,
    /// The serial number of the create that made it.
    pub serial: u64,
    pub item: I,
    /// When it became ready.
    pub since: Instant,
    /// When it is to be replaced if nobody took it.
    pub expires: Option<Instant>,
    pub removal: watch::Sender<Removal>,
    /// Written under the state's lock, once.
    lost: AtomicBool,
}

impl<I> Slot<I> {
    pub fn new(key: u64, serial: u64, item: I, since: Instant, expires: Option<Instant>) -> Self {
        let (removal, _) = watch::channel(Removal::NotAsked);
        Self { key, serial, item, since, expires, removal, lost: AtomicBool::new(false) }
    }

    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// `false`: was already.
    pub fn mark_lost(&self) -> bool {
        !self.lost.swap(true, Ordering::Relaxed)
    }

    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

/// Asks the item itself whether it is gone: the news may not have reached the pool yet.
/// One whose answer is a panic can't be trusted to be there.
pub(super) fn is_gone<I: Pooled>(item: &I) -> bool {
    catch_unwind(AssertUnwindSafe(|| {
        let lost = pin!(item.lost());
        lost.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }))
    .unwrap_or(true)
}
