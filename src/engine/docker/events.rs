//! The engine's event stream: how the deaths of containers are heard of that no connection shows, and
//! what was killed for memory. One stream serves all containers of this process on the engine.
//!
//! Where it breaks, something has happened to the engine: it is probed, and when it is back, what is
//! there is compared with what should be.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    task::AbortHandle,
    time::{sleep, Instant},
};

use super::{
    super::Health, client::Client, fault::Fault, lines, remove::discard, roster::Happened,
};
use crate::{backoff::delay, task};

/// A stream that lasted this long was one; a shorter one counts as a failure to get one.
const LASTING: Duration = Duration::from_secs(1);
/// Until an engine that refuses to give one (as a proxy in front of it may) is asked again.
const REFUSED: Duration = Duration::from_secs(60);

/// How long an engine that is back may take over what it was asked for before.
const LATE: Duration = Duration::from_secs(2);

/// Begins to hear the engine's events, unless that is being done.
pub(super) fn listen(client: &Arc<Client>) {
    let mut listening = client.listening();
    if listening.as_ref().is_none_or(AbortHandle::is_finished) {
        let task = task::spawn(hear(Arc::downgrade(client)));
        *listening = Some(task.abort_handle());
    }
}

/// Ends that if no container is left to hear of.
pub(super) fn listen_no_more(client: &Client) {
    let mut listening = client.listening();
    if client.roster().is_idle() {
        if let Some(task) = listening.take() {
            task.abort();
        }
    }
}

/// Listens until it is aborted, or the client is gone.
async fn hear(client: Weak<Client>) {
    let mut failures = 0;
    loop {
        let Some(circuit) = client.upgrade().map(|client| client.circuit().clone()) else { return };
        circuit.closed().await;
        let began = Instant::now();
        let result = attend(&client).await;
        let lasted = result.is_ok() && began.elapsed() >= LASTING;
        failures = if lasted { 1 } else { failures + 1 };
        let pause = match result {
            Err(Fault::Refused { .. }) => REFUSED,
            _ => {
                circuit.investigate();
                delay(failures, &mut rand::rng())
            }
        };
        sleep(pause).await;
    }
}

/// One stream from its beginning to its end.
async fn attend(client: &Weak<Client>) -> Result<(), Fault> {
    let (body, roster) = {
        let Some(client) = client.upgrade() else { return Ok(()) };
        let body = client.events().await?.into_body();
        // From here on the stream holds what happens; what happened before is told by a list.
        resync(&client).await?;
        (body, client.roster().clone())
    };
    let hearing = lines::each(body, |line| {
        // What can't be read is no event of a container.
        if let Ok(event) = serde_json::from_slice::<Happened>(line) {
            roster.hear(&event);
        }
        Ok(())
    });
    tokio::select! {
        ended = hearing => ended,
        () = look_after_outages(client) => Ok(()),
    }
}

/// An engine that hung, and does no more, has broken no stream. But it may carry out what was asked of it
/// and given up meanwhile: a create above all. Returns when the client is gone.
async fn look_after_outages(client: &Weak<Client>) {
    let Some(mut health) = client.upgrade().map(|client| client.circuit().health()) else { return };
    loop {
        let back = async {
            health.wait_for(Health::is_down).await?;
            health.wait_for(|health| !health.is_down()).await.map(drop)
        };
        if back.await.is_err() {
            return;
        }
        sleep(LATE).await;
        let Some(client) = client.upgrade() else { return };
        // One that fails says that the engine is gone again.
        let _ = resync(&client).await;
    }
}

async fn resync(client: &Arc<Client>) -> Result<(), Fault> {
    let before = client.roster().snapshot();
    let listed = client.list_own_containers().await?;
    for id in client.roster().compare(&before, &listed) {
        let client = client.clone();
        task::spawn(async move {
            // What can't be removed even so is found by the next comparison, or sweep.
            let _ = discard(&client, &id, true).await;
        });
    }
    Ok(())
}
