//! What becomes of one item by itself.

use std::{
    future::{pending, Future},
    panic::AssertUnwindSafe,
    pin::pin,
};

use futures_util::FutureExt;
use tokio::time::{sleep_until, Instant};

use super::{
    provider::Pooled,
    slot::{Removal, Slot},
    state::YOUNG,
};

/// What becomes of an item while nobody asks for its removal.
pub(super) enum News {
    /// It ended by itself: there will be no more.
    Lost,
    /// It is not young any more.
    Lasted,
    /// It is as old as it may be.
    Expired,
}

/// Looks after an item from when it is ready until its removal is asked for, or it is lost.
pub(super) async fn watch<I: Pooled>(slot: &Slot<I>, tell: impl Fn(News)) {
    let mut lost = pin!(lost(&slot.item));
    let mut removal_asked = pin!(removal_asked(slot));
    let mut grown = pin!(sleep_until(slot.since + YOUNG));
    let mut expired = pin!(sleep_until_some(slot.expires));
    let (mut is_grown, mut is_expired) = (false, false);
    loop {
        tokio::select! {
            biased;
            () = &mut removal_asked => return,
            () = &mut lost => return tell(News::Lost),
            () = &mut grown, if !is_grown => {
                is_grown = true;
                tell(News::Lasted);
            }
            () = &mut expired, if !is_expired => {
                is_expired = true;
                tell(News::Expired);
            }
        }
    }
}

/// An item whose answer is a panic can't be trusted to be there.
fn lost<I: Pooled>(item: &I) -> impl Future<Output = ()> + '_ {
    AssertUnwindSafe(async { item.lost().await }).catch_unwind().map(|_| ())
}

async fn removal_asked<I>(slot: &Slot<I>) {
    // An error would mean that the slot is gone; it is borrowed.
    let _ =
        slot.removal.subscribe().wait_for(|removal| !matches!(removal, Removal::NotAsked)).await;
}

async fn sleep_until_some(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
