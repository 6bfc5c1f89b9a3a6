//! A shutdown, from closing the pool to the last confirmed removal.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep_until, timeout, Instant},
};

use super::{core::Core, drive::step, failure, provider::Provider, state::Outcome};
use crate::{error::Result, task};

/// How long, once nothing is leased any more, creates and removals have to come to their end.
/// The engine's own deadline for a removal is below this.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long creates that are cut off then have to give way. They give way where they wait, so this is
/// for one that never does.
const CUT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long what a failed create left behind may take to go.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Begins a shutdown, or joins the one under way.
pub(super) fn close<P: Provider>(core: &Arc<Core<P>>, grace: Duration) -> Outcome {
    let grace_until = Instant::now().checked_add(grace);
    let (outcome, tell) = step(core, |state, effects| state.close(grace_until, effects));
    core.hurry.notify_waiters();
    if let Some(tell) = tell {
        task::spawn_on(&core.runtime, drain(core.clone(), tell));
    }
    outcome
}

/// Waits for the end of a shutdown.
pub(super) async fn end(mut outcome: Outcome) -> Result<()> {
    match outcome.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(result)) => result.clone(),
        _ => Err(failure::runtime_gone()),
    }
}

async fn drain<P: Provider>(core: Arc<Core<P>>, tell: watch::Sender<Option<Result<()>>>) {
    let mut give_up = None;
    loop {
        let progress = core.progress.notified();
        let (outstanding, leased, grace_until) =
            core.look(|state| (state.outstanding(), state.leased(), state.grace_until()));
        if outstanding == 0 {
            break;
        }
        let next = if leased > 0 {
            grace_until
        } else {
            Some(*give_up.get_or_insert_with(|| Instant::now() + DRAIN_TIMEOUT))
        };
        if next.is_none_or(|at| Instant::now() < at) {
            tokio::select! {
                biased;
                () = progress => {}
                () = sleep_until_some(next) => {}
            }
        } else if leased > 0 {
            step(&core, |state, effects| state.end_leases(effects));
        } else {
            break;
        }
    }
    let cut_off = step(&core, |state, _| state.cut_creates());
    let by = Instant::now() + CUT_TIMEOUT;
    while core.look(|state| state.creating()) > 0 && Instant::now() < by {
        let progress = core.progress.notified();
        if core.look(|state| state.creating()) > 0 {
            tokio::select! {
                biased;
                () = progress => {}
                () = sleep_until(by) => {}
            }
        }
    }
    // An engine that is gone has nothing to settle, and shall not hold the shutdown up.
    let _ = timeout(SETTLE_TIMEOUT, core.provider.settle()).await;
    let result = step(&core, |state, _| state.drained(cut_off));
    tell.send_replace(Some(result));
}

async fn sleep_until_some(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
