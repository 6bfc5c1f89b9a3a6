//! One pull at a time of one image on one engine, in the whole process: whoever asks for it while it
//! runs takes part in it.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::{sync::watch, task::AbortHandle};

use super::super::{OnPull, PullProgress};
use crate::{error::Result, task};

/// The pulls under way, each under a key. `T`: what one ends with.
pub struct Flights<T> {
    under_way: Mutex<HashMap<String, Weak<Flight<T>>>>,
}

/// A pull under way. It is given up when the last of those waiting for it is gone.
struct Flight<T> {
    listeners: Arc<Mutex<Vec<OnPull>>>,
    outcome: watch::Receiver<Option<Result<T>>>,
    task: AbortHandle,
}

impl<T> Drop for Flight<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self { under_way: Mutex::default() }
    }
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// Joins the pull filed under `key`, or begins it by `pull`.
    pub async fn share<F>(
        &self,
        key: &str,
        on_pull: OnPull,
        pull: impl Fn(OnPull) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        loop {
            let flight = self.board(key, &on_pull, &pull);
            let mut outcome = flight.outcome.clone();
            let done = outcome.wait_for(Option::is_some).await.ok().and_then(|done| done.clone());
            if let Some(result) = done {
                return result;
            }
            // It ended without a word: the runtime it ran on is gone. That of this caller is not.
        }
    }

    fn board<F>(&self, key: &str, on_pull: &OnPull, pull: impl Fn(OnPull) -> F) -> Arc<Flight<T>>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let mut under_way = lock(&self.under_way);
        under_way.retain(|_, flight| flight.strong_count() > 0);
        if let Some(flight) = under_way.get(key).and_then(Weak::upgrade) {
            let over = flight.outcome.borrow().is_some() || flight.outcome.has_changed().is_err();
            if !over {
                lock(&flight.listeners).push(on_pull.clone());
                return flight;
            }
        }
        let listeners = Arc::new(Mutex::new(vec![on_pull.clone()]));
        let everybody = listeners.clone();
        let report: OnPull = Arc::new(move |progress: PullProgress| {
            let listeners = lock(&everybody).clone();
            for listener in listeners {
                listener(progress.clone());
            }
        });
        let (sender, outcome) = watch::channel(None);
        let work = pull(report);
        let task = task::spawn(async move {
            let result = work.await;
            sender.send_replace(Some(result));
        });
        let flight = Arc::new(Flight { listeners, outcome, task: task.abort_handle() });
        under_way.insert(key.to_owned(), Arc::downgrade(&flight));
        flight
    }
}

/// Nothing done under these locks can leave what they guard half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;
    use crate::error::{Code, Error};

    fn counting(seen: &Arc<AtomicUsize>) -> OnPull {
        let seen = seen.clone();
        Arc::new(move |_| {
            seen.fetch_add(1, Ordering::SeqCst);
        })
    }

    fn step() -> PullProgress {
        PullProgress {
            image: "i".into(),
            layer: None,
            status: "s".into(),
            current: None,
            total: None,
        }
    }

    #[tokio::test]
    async fn those_who_ask_meanwhile_share_one_pull_and_its_progress() {
        let (pulls, first, second) =
            <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let (go, flights) = (Arc::new(Notify::new()), Flights::<()>::default());
        let pull = |report: OnPull| {
            let (pulls, go) = (pulls.clone(), go.clone());
            async move {
                pulls.fetch_add(1, Ordering::SeqCst);
                go.notified().await;
                report(step());
                Err(Error::new(Code::ImagePullFailed, "no"))
            }
        };
        let (one, two, ()) = tokio::join!(
            flights.share("shared", counting(&first), pull),
            flights.share("shared", counting(&second), pull),
            async {
                tokio::task::yield_now().await;
                go.notify_one();
            }
        );
        assert_eq!(one.unwrap_err().code, Code::ImagePullFailed);
        assert_eq!(two.unwrap_err().code, Code::ImagePullFailed);
        let counts = [&pulls, &first, &second].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(counts, [1, 1, 1]);
    }

    #[tokio::test]
    async fn the_next_one_after_a_failure_pulls_anew() {
        let quiet: OnPull = Arc::new(|_| {});
        let fails = |_| async { Err(Error::new(Code::ImagePullFailed, "no")) };
        let flights = Flights::default();
        assert!(flights.share("again", quiet.clone(), fails).await.is_err());
        assert!(flights.share("again", quiet, |_| async { Ok(()) }).await.is_ok());
    }

    #[tokio::test]
    async fn a_pull_nobody_waits_for_any_more_is_given_up() {
        let quiet: OnPull = Arc::new(|_| {});
        let (alive, mut gone) = watch::channel(());
        let alive = Mutex::new(Some(alive));
        let flights = Flights::<()>::default();
        let mut waiting = Box::pin(flights.share("given up", quiet, |_| {
            let alive = lock(&alive).take();
            async move {
                let _alive = alive;
                std::future::pending().await
            }
        }));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(waiting);
        assert!(gone.changed().await.is_err());
    }
}
