//! The interpreter that those of a pool's containers are forked from, while there is one.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use scientist_pool_protocol::ContainerId;
use tokio::task::AbortHandle;

use super::{ahead::Kept, launcher::Link};
use crate::{
    engine::{CreateError, Stream},
    task,
};

/// What forks have in common is to change after so many of them, and after this time.
const MOST_FORKS: u32 = 10_000;
const LONGEST: Duration = Duration::from_secs(3600);
/// What it says when it can be forked.
const READY: &[u8] = b"ready";

/// That of one pool. Containers boot their interpreters while there is none.
#[derive(Default)]
pub(super) struct Template(Mutex<State>);

#[derive(Default)]
enum State {
    /// There is none, and none on its way.
    #[default]
    Missing,
    /// The work that is to give one.
    Starting(AbortHandle),
    Ready(Booted),
    /// There can be none.
    Refused,
}

/// The process, removed with this.
pub(super) struct Booted {
    pub process: Kept,
    pub since: Instant,
    pub forks: u32,
}

impl Booted {
    /// `None`: it has ended, or is worn out.
    fn fork(&mut self, link: &Link) -> Option<ContainerId> {
        self.forks += 1;
        let worn = self.forks > MOST_FORKS || self.since.elapsed() > LONGEST;
        let id = self.process.running().and_then(|process| link.own(&process.id));
        id.filter(|_| !worn)
    }

    /// Waits for its word.
    async fn grown(mut self) -> State {
        let mut word = Vec::new();
        while word.is_empty() {
            let Some(process) = self.process.running() else { break };
            let read = process.output.read(|stream, bytes| {
                if stream == Stream::Stdout {
                    word.extend_from_slice(bytes);
                }
            });
            if !matches!(read.await, Ok(1..)) {
                break;
            }
        }
        if word == READY {
            State::Ready(self)
        } else {
            State::Refused
        }
    }
}

impl Template {
    /// The one to fork from. `None`: there is none at this moment; `boot` makes the next one, if there can be
    /// one.
    pub(super) fn current<B>(
        self: &Arc<Self>,
        link: &Link,
        boot: impl FnOnce() -> B,
    ) -> Option<ContainerId>
    where
        B: Future<Output = Result<Booted, CreateError>> + Send + 'static,
    {
        let mut state = self.lock();
        if let State::Ready(booted) = &mut *state {
            let id = booted.fork(link);
            if id.is_some() {
                return id;
            }
            *state = State::Missing;
        }
        if let State::Missing = *state {
            let (own, boot) = (self.clone(), boot());
            let work = task::spawn(async move {
                let next = match boot.await {
                    Ok(booted) => booted.grown().await,
                    // A container that comes later may have more luck.
                    Err(CreateError::Other(_)) => State::Missing,
                    Err(CreateError::NoSuchProgram(_)) => State::Refused,
                };
                *own.lock() = next;
            });
            *state = State::Starting(work.abort_handle());
        }
        None
    }

    /// Ends the one there is, or is to be.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        match &*state {
            State::Starting(work) => work.abort(),
            State::Ready(_) => {}
            State::Missing | State::Refused => return,
        }
        *state = State::Missing;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing done under this lock can leave it half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
