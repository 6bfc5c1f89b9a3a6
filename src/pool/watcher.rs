//! The task that looks after one item from when it is ready until its removal is asked for.

use std::{
    future::{pending, Future},
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
};

use futures_util::FutureExt;
use tokio::time::{sleep_until, Instant};

use super::{
    core::Core,
    provider::{Pooled, Provider},
    slot::{Removal, Slot},
    state::YOUNG,
};

use crate::task;

pub(super) fn watch<P: Provider>(core: Arc<Core<P>>, slot: Arc<Slot<P::Item>>) {
    let runtime = core.runtime.clone();
    task::spawn_on(&runtime, async move {
        let mut lost = pin!(lost(&slot.item));
        let mut removal_asked = pin!(removal_asked(&slot));
        let mut grown = pin!(sleep_until(slot.since + YOUNG));
        let mut expired = pin!(sleep_until_some(slot.expires));
        let (mut is_grown, mut is_expired) = (false, false);
        loop {
            tokio::select! {
                biased;
                () = &mut removal_asked => return,
                () = &mut lost => {
                    core.step(|state, effects| state.lost(&slot, Instant::now(), effects));
                    return;
                }
                () = &mut grown, if !is_grown => {
                    is_grown = true;
                    core.step(|state, _| state.proved());
                }
                () = &mut expired, if !is_expired => {
                    is_expired = true;
                    core.step(|state, _| state.expire(&slot));
                }
            }
        }
    });
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
