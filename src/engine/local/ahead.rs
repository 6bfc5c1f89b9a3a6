//! A pool's next container, begun ahead.
//!
//! Joining control groups can take the kernel tens of milliseconds, in which nothing else is to be done. So the
//! next container waits with that behind it, and with all of its file system; and with its interpreter, where that
//! is forked. One that is booted has to be asked for.

use std::{
    future::Future,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use scientist_pool_protocol::ContainerId;
use tokio::task::AbortHandle;

use super::{discard, image::Contents, Launcher};
use crate::{
    engine::{background::Background, Attached, CreateError},
    task,
};

/// A container that nobody has asked for. It is removed with this.
pub(super) struct Kept {
    container: Option<Attached>,
    launcher: Arc<Launcher>,
    background: Background,
}

impl Kept {
    pub(super) fn new(
        container: Attached,
        launcher: Arc<Launcher>,
        background: Background,
    ) -> Self {
        Self { container: Some(container), launcher, background }
    }

    /// `None`: it has ended.
    pub(super) fn running(&mut self) -> Option<&mut Attached> {
        self.container.as_mut().filter(|container| !container.vitals.is_over())
    }

    /// Somebody has asked for it. `None`: it has ended.
    fn release(mut self) -> Option<Attached> {
        self.running()?;
        self.container.take()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(container) = self.container.take() {
            discard(&self.launcher, &self.background, container.id);
        }
    }
}

/// What containers are made of that is not the same for all of a pool.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Makings {
    pub contents: Contents,
    /// What its interpreter is to be forked from.
    pub template: Option<ContainerId>,
}

/// The one of a pool.
#[derive(Default)]
pub(super) struct Ahead(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Missing,
    /// The work that is to give one.
    Starting(AbortHandle),
    Ready(Box<Makings>, Kept),
}

impl Ahead {
    /// The one there is, if it is of the same makings.
    pub(super) fn take(&self, wanted: &Makings) -> Option<Attached> {
        let mut state = self.lock();
        let State::Ready(..) = *state else { return None };
        let State::Ready(makings, kept) = mem::take(&mut *state) else { return None };
        drop(state);
        if *makings == *wanted {
            kept.release()
        } else {
            None
        }
    }

    /// Has the next one made behind the call, if there is none. One that can't be made is not: whoever asks
    /// for it is told why.
    pub(super) fn make<B>(self: &Arc<Self>, makings: Makings, begin: B)
    where
        B: Future<Output = Result<Kept, CreateError>> + Send + 'static,
    {
        let mut state = self.lock();
        let State::Missing = *state else { return };
        let own = self.clone();
        let work = task::spawn(async move {
            let next = match begin.await {
                Ok(kept) => State::Ready(Box::new(makings), kept),
                Err(_) => State::Missing,
            };
            let mut state = own.lock();
            // Else it is not wanted any more.
            if let State::Starting(_) = *state {
                *state = next;
            }
        });
        *state = State::Starting(work.abort_handle());
    }

    /// Ends the one there is, or is to be.
    pub(super) fn end(&self) {
        if let State::Starting(work) = mem::take(&mut *self.lock()) {
            work.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing done under this lock can leave it half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
