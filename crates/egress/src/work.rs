//! What goes on beside something: a tunnel, the rest of a response, the streams of HTTP/2. It does so in the same
//! task, and in no other: one that is aborted would be told of later.

use std::{future::Future, pin::pin};

use futures_util::{future::BoxFuture, stream::FuturesUnordered, FutureExt, StreamExt};
use hyper::rt::Executor;
use tokio::sync::mpsc;

type Task = BoxFuture<'static, ()>;

/// Takes what is to go on.
#[derive(Clone)]
pub struct Work(mpsc::UnboundedSender<Task>);

/// Has it go on.
pub struct Crew {
    begun: mpsc::UnboundedReceiver<Task>,
    going: FuturesUnordered<Task>,
}

pub fn crew() -> (Work, Crew) {
    let (work, begun) = mpsc::unbounded_channel();
    (Work(work), Crew { begun, going: FuturesUnordered::new() })
}

impl Work {
    pub fn begin(&self, task: impl Future<Output = ()> + Send + 'static) {
        // It is taken as long as there is somebody to do it.
        let _ = self.0.send(Box::pin(task));
    }
}

impl<F> Executor<F> for Work
where
    F: Future + Send + 'static,
{
    fn execute(&self, task: F) {
        self.begin(task.map(drop));
    }
}

impl Crew {
    /// For as long as something takes.
    pub async fn beside<T>(&mut self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        loop {
            tokio::select! {
                done = &mut main => return done,
                Some(task) = self.begun.recv() => self.going.push(task),
                Some(()) = self.going.next() => {}
            }
        }
    }

    /// To its end.
    pub async fn finish(mut self) {
        loop {
            tokio::select! {
                biased;
                Some(task) = self.begun.recv() => self.going.push(task),
                done = self.going.next() => if done.is_none() {
                    return;
                }
            }
        }
    }
}
