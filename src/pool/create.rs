//! The work of preparing and of creating.

use std::future::Future;

use tokio::time::{timeout, Instant};

use super::{
    core::Core,
    failure,
    provider::{Prepared, Provider},
};
use crate::{budget::Lane, error::Result};

/// Has the provider prepare; `cut_off` ends that.
pub(super) async fn prepare<P: Provider>(
    core: &Core<P>,
    cut_off: impl Future<Output = ()>,
) -> Result<Prepared> {
    let work = core.contained("preparing", async { core.provider.prepare().await });
    tokio::select! {
        biased;
        () = cut_off => Err(failure::closed()),
        result = work => result,
    }
}

/// Has the provider make an item, within the time that a create may take; `cut_off` ends that.
pub(super) async fn create<P: Provider>(
    core: &Core<P>,
    cut_off: impl Future<Output = ()>,
    lane: Lane,
) -> Result<P::Item> {
    let limit = core.create_timeout;
    let work = core.contained("creating a container", async { core.provider.create(lane).await });
    let started = Instant::now();
    let result = tokio::select! {
        biased;
        () = cut_off => Err(failure::closed()),
        result = timeout(limit, work) => {
            result.unwrap_or_else(|_| Err(failure::create_timed_out(limit)))
        }
    };
    if result.is_ok() {
        core.meter(|meters| meters.create.record(started.elapsed()));
    }
    result
}
