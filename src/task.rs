//! Work in the background.
//!
//! It is put on the heap: so it is freed with its last poll, whoever still holds the handle, and all tasks
//! are of one type. What tokio generates for each type of task makes 5 KB of the binary.

use std::{future::Future, pin::Pin};

use tokio::{runtime::Handle, task::JoinHandle};

/// As [`tokio::spawn`].
pub fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    spawn_on(&Handle::current(), work)
}

/// As [`Handle::spawn`].
pub fn spawn_on(
    runtime: &Handle,
    work: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(work);
    runtime.spawn(work)
}
