//! Work that goes on behind the calls, counted so that a shutdown can wait for it.

use std::{future::Future, sync::Arc};

use tokio::{runtime::Handle, sync::watch};

use crate::task;

#[derive(Clone)]
pub struct Background {
    running: Arc<watch::Sender<usize>>,
}

impl Background {
    pub fn new() -> Self {
        Self { running: Arc::new(watch::Sender::new(0)) }
    }

    /// Runs `work` on `runtime`; may be called from any thread.
    pub fn spawn(&self, runtime: &Handle, work: impl Future<Output = ()> + Send + 'static) {
        let place = Place::take(self.running.clone());
        task::spawn_on(runtime, async move {
            let _place = place;
            work.await;
        });
    }

    /// Waits until nothing runs any more.
    pub async fn settle(&self) {
        // It fails only when the sender is gone, and that is here.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }
}

/// Counts as running while it lives: a panic and a runtime that ends count down too.
struct Place(Arc<watch::Sender<usize>>);

impl Place {
    fn take(running: Arc<watch::Sender<usize>>) -> Self {
        running.send_modify(|running| *running += 1);
        Self(running)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn settle_waits_for_what_runs() {
        let background = Background::new();
        background.settle().await;
        let (go, gone) = oneshot::channel::<()>();
        background.spawn(&Handle::current(), async {
            let _ = gone.await;
        });
        let mut settled = Box::pin(background.settle());
        assert!(futures_util::poll!(&mut settled).is_pending());
        drop(go);
        settled.await;
    }
}
