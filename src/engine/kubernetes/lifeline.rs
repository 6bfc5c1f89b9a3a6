//! The stream to a pod's process 1, by which that hears that it is to go on.

use std::time::Duration;

use kube::api::AttachedProcess;
use tokio::{
    io::AsyncWriteExt,
    time::{interval, timeout, MissedTickBehavior},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::way::Way;
use crate::task;

/// Between two words to process 1, which ends when it hears none for much longer.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// What tells it to end.
pub(super) const FAREWELL: &str = "q";
/// How long its end is waited for: what is on its way as a stream is closed may be lost.
const PARTING: Duration = Duration::from_secs(1);

/// While this lives, and is not cancelled, process 1 hears that it is to go on; then, that it is to end.
pub(super) struct Lifeline(#[allow(dead_code)] DropGuard);

enum Over {
    Ended,
    Broken,
}

impl Lifeline {
    /// A stream that breaks is opened anew: process 1 is there for as long as its patience lasts.
    pub fn hold(attached: AttachedProcess, way: Way, closed: &CancellationToken) -> Self {
        let closed = closed.child_token();
        let guard = closed.clone().drop_guard();
        task::spawn(async move {
            let mut open = Some(attached);
            while let Some(attached) = open {
                open = match hold(attached, &closed).await {
                    Over::Ended => return,
                    Over::Broken => tokio::select! {
                        attached = way.again(|client, pod| client.attach(pod)) => attached,
                        () = closed.cancelled() => return,
                    },
                };
            }
        });
        Self(guard)
    }
}

async fn hold(mut attached: AttachedProcess, closed: &CancellationToken) -> Over {
    let (Some(mut stdin), Some(status)) = (attached.stdin(), attached.take_status()) else {
        return Over::Broken;
    };
    tokio::pin!(status);
    let mut beat = interval(HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let word = tokio::select! {
            biased;
            status = &mut status => return if status.is_some() { Over::Ended } else { Over::Broken },
            () = closed.cancelled() => FAREWELL,
            _ = beat.tick() => "\n",
        };
        // One that does not get through breaks the stream, or the next one does.
        let _ = timeout(HEARTBEAT, stdin.write_all(word.as_bytes())).await;
        if word == FAREWELL {
            let _ = timeout(PARTING, status).await;
            return Over::Ended;
        }
    }
}
