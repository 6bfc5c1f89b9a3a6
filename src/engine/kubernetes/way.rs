//! The way back to a pod whose stream has broken.

use std::{future::Future, sync::Arc, time::Duration};

use rand::{rngs::StdRng, SeedableRng};
use tokio::{
    sync::{watch, Semaphore},
    time::{sleep, timeout},
};

use super::{client::Client, fault::Fault, roster::Stage, spec::SILENCE_MS};
use crate::backoff;

/// How many streams are opened anew at once: behind an API server that comes back, all of them broke.
pub(super) const AT_ONCE: usize = 8;

#[derive(Clone)]
pub(super) struct Way {
    pub client: Arc<Client>,
    pub pod: Arc<str>,
    pub stage: watch::Receiver<Stage>,
    pub turns: Arc<Semaphore>,
}

impl Way {
    /// Opens a stream anew, as soon as that works; `None`: the pod has ended, or must have by now.
    pub async fn again<'a, T, F>(&'a self, open: impl Fn(&'a Client, &'a str) -> F) -> Option<T>
    where
        F: Future<Output = Result<T, Fault>> + 'a,
    {
        let tries = async {
            let (mut rng, mut streak) = (StdRng::from_os_rng(), 0);
            loop {
                streak += 1;
                sleep(backoff::delay(streak, &mut rng)).await;
                let _turn = self.turns.acquire().await.ok()?;
                match open(&self.client, &self.pod).await {
                    Ok(opened) => return Some(opened),
                    Err(fault) if fault.is_missing() => return None,
                    Err(_) => {}
                }
            }
        };
        let mut stage = self.stage.clone();
        tokio::select! {
            opened = timeout(Duration::from_millis(SILENCE_MS.into()), tries) => opened.ok()?,
            _ = stage.wait_for(|stage| matches!(stage, Stage::Ended(_))) => None,
        }
    }
}
