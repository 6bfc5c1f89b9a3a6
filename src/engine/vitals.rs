//! What an engine tells of one container while it runs.

use std::{any::Any, future::Future, sync::Arc};

use tokio::sync::watch;

/// What the engine's events have said of a container so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// It has ended, or is gone.
    pub dead: bool,
    /// How often the kernel killed something in it for memory.
    pub oom_kills: u32,
}

/// What the engine tells of one container, for as long as somebody holds this.
#[derive(Clone)]
pub struct Vitals {
    told: watch::Receiver<Told>,
    /// Dropped with the last clone: nobody listens any more.
    _listening: Arc<dyn Any + Send + Sync>,
}

impl Vitals {
    pub fn new(told: watch::Receiver<Told>, listening: impl Any + Send + Sync) -> Self {
        Self { told, _listening: Arc::new(listening) }
    }

    /// Resolves when the engine has said that the container has ended; never, if it does not say so.
    pub fn dead(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut told = self.told.clone();
        async move {
            if told.wait_for(|told| told.dead).await.is_err() {
                // Nothing more will be told, which says nothing about the container.
                std::future::pending().await
            }
        }
    }

    /// Whether the engine has said that the container has ended.
    pub fn is_over(&self) -> bool {
        self.told.borrow().dead
    }

    /// How often the kernel killed something in it for memory, as far as is known.
    pub fn oom_kills(&self) -> u32 {
        self.told.borrow().oom_kills
    }

    /// Whether there have been more such kills than `before`, as far as is known when the container's end is.
    pub async fn died_for_memory(&self, before: u32) -> bool {
        let mut told = self.told.clone();
        let told = told.wait_for(|told| told.dead || told.oom_kills > before).await;
        told.is_ok_and(|told| told.oom_kills > before)
    }

    /// Resolves when there have been more such kills than `before`; never, if there are no more.
    pub async fn oom_kill_after(&self, before: u32) {
        let mut told = self.told.clone();
        if told.wait_for(|told| told.oom_kills > before).await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_death_is_one_for_memory_only_if_a_new_kill_is_told_no_later_than_it() {
        let (tell, told) = watch::channel(Told { dead: false, oom_kills: 1 });
        let vitals = Vitals::new(told, ());
        let died = |before| vitals.died_for_memory(before).now_or_never();
        assert_eq!((died(0), died(1)), (Some(true), None));
        tell.send_replace(Told { dead: true, oom_kills: 1 });
        assert_eq!(died(1), Some(false));
        tell.send_replace(Told { dead: true, oom_kills: 2 });
        assert_eq!(died(1), Some(true));
    }
}
