//! The connection that keeps a container alive: its end is the container's.

use std::future::Future;

use tokio::{io::AsyncWrite, sync::watch};
use tokio_util::task::AbortOnDropHandle;

use crate::{engine::Output, task};

/// A task that owns the connection to PID 1 for as long as it runs. Dropping this ends the container.
pub struct Lifeline {
    lost: watch::Receiver<bool>,
    /// Holds the connection.
    _task: AbortOnDropHandle<()>,
}

impl Lifeline {
    /// Hands the connection to `work`, which returns when it has ended.
    pub(super) fn of(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let (death, lost) = watch::channel(false);
        // The handle stays until JavaScript's garbage collector has come by.
        let task = task::spawn(async move {
            work.await;
            let _ = death.send(true);
        });
        Self { lost, _task: AbortOnDropHandle::new(task) }
    }

    /// Only holds the stdin of PID 1 open, and notices its end.
    pub fn hold(stdin: Box<dyn AsyncWrite + Send + Unpin>, mut said: Box<dyn Output>) -> Self {
        Self::of(async move {
            // What it says is nobody's; only the end counts.
            while let Ok(1..) = said.read(|_, _| {}).await {}
            drop(stdin);
        })
    }

    /// Resolves when the connection has ended.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut lost = self.lost.clone();
        async move {
            // An error says that the task is gone, which says the same.
            let _ = lost.wait_for(|lost| *lost).await;
        }
    }
}
