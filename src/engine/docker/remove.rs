//! Removing a container for good.

use std::time::Duration;

use tokio::time::Instant;

use super::{client::Client, fault::Fault};
use crate::error::{Error, Result};

/// The longest a removal may take, all its calls together. The engine itself waits up to 12 s for a
/// process that won't die.
const DEADLINE: Duration = Duration::from_secs(20);
/// Between two looks at a removal that somebody else has begun, at first and at most.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_millis(250);
/// How often an engine that fails at it is asked again.
const TRIES: u32 = 3;

/// What became of the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// It was there, and is gone.
    Removed,
    /// The engine knew no such container.
    Unknown,
}

/// Kills and removes the container of that name or id; returns once the engine confirms that it is
/// gone.
pub(super) async fn remove(client: &Client, id: &str) -> Result<Removal> {
    let _under_way = client.roster().doom(id);
    let until = Instant::now() + DEADLINE;
    let limit = client.timeout().min(DEADLINE);
    let attempt = async {
        let mut tries = 0;
        loop {
            tries += 1;
            match client.remove_container(id, limit).await {
                Ok(()) => return Ok(Removal::Removed),
                Err(fault) if fault.is_missing() => return Ok(Removal::Unknown),
                // Somebody has begun it: another call, or the engine as PID 1 has ended.
                Err(Fault::Refused { status: 409, .. }) => return gone(client, id).await,
                Err(Fault::Refused { status, .. }) if status >= 500 && tries < TRIES => {
                    tokio::time::sleep(LAST_LOOK * tries).await;
                }
                // Done or not: a second removal does no harm, and tells.
                Err(Fault::Unanswered(_)) if tries < TRIES => {}
                Err(fault) => return Err(fault),
            }
        }
    };
    let result = match tokio::time::timeout_at(until, attempt).await {
        Ok(result) => result,
        Err(_) => Err(Fault::Overdue(DEADLINE)),
    };
    result.map_err(|fault| client.error("remove container", fault).container(id))
}

/// Waits until the engine knows the container no more; the caller bounds it.
async fn gone(client: &Client, id: &str) -> Result<Removal, Fault> {
    let mut pause = FIRST_LOOK;
    loop {
        match client.inspect_container(id).await {
            Err(fault) if fault.is_missing() => return Ok(Removal::Removed),
            Err(fault) => return Err(fault),
            Ok(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(LAST_LOOK);
    }
}

/// Removes a container nobody will use, whatever it takes: several tries, for about a minute. What is
/// left even then is for the next sweep.
///
/// `certain` is whether the container is known to have been made. If not, that the engine knows none by
/// that name is believed only when it still says so a while later: it may be making it right now.
pub(super) async fn discard(client: &Client, id: &str, certain: bool) -> Option<Error> {
    let mut unknown = 0;
    let mut last = None;
    for tries in 0..6 {
        tokio::time::sleep(match tries {
            0 => Duration::ZERO,
            tries => Duration::from_millis(250) * 2u32.pow(tries),
        })
        .await;
        match remove(client, id).await {
            Ok(Removal::Removed) => return None,
            Ok(Removal::Unknown) => {
                unknown += 1;
                if certain || unknown == 3 {
                    return None;
                }
            }
            Err(error) => last = Some(error),
        }
    }
    last
}
