//! The one runtime of the process.

use once_cell::sync::Lazy;
use tokio::runtime::{Builder, Handle, Runtime};

/// Two threads carry any number of pools: all the work is waiting for sockets.
const THREADS: usize = 2;

/// Made at the first pool, shared by every pool and every worker, and never taken down: its threads
/// end with the process.
static RUNTIME: Lazy<std::io::Result<Runtime>> = Lazy::new(|| {
    Builder::new_multi_thread()
        .worker_threads(THREADS)
        // For what the system can only do blocking: names looked up, credential helpers run.
        .max_blocking_threads(4)
        .thread_name("scientist-pool")
        .enable_all()
        .build()
});

/// The runtime's handle, or why there is none: the system gave no threads.
pub fn handle() -> napi::Result<&'static Handle> {
    match &*RUNTIME {
        Ok(runtime) => Ok(runtime.handle()),
        Err(error) => Err(napi::Error::from_reason(format!("No threads to run on: {error}."))),
    }
}
