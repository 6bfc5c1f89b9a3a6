//! The one runtime of the process.

use std::{
    io,
    panic::catch_unwind,
    sync::mpsc,
    thread::{self, JoinHandle},
};

use once_cell::sync::OnceCell;
use serde_json::json;
use tokio::runtime::{Builder, Handle, Runtime};

/// Two threads carry any number of pools: all the work is waiting for sockets.
const THREADS: usize = 2;
/// Threads that must be left when the runtime's are there: Node makes some of its own when it first
/// needs them.
const SPARE: usize = 1;

/// Made at the first pool, shared by every pool and every worker, and never taken down: its threads
/// end with the process. One that could not be made is tried again at the next pool.
static RUNTIME: OnceCell<Runtime> = OnceCell::new();

/// The runtime's handle, or why there is none: the system gave no threads.
pub fn handle() -> napi::Result<&'static Handle> {
    RUNTIME.get_or_try_init(build).map(Runtime::handle).map_err(|error| {
        let message = format!(
            "The native part has no threads to run on ({error}): raise the limit of processes and \
             threads (ulimit -u, pids.max of the control group) or of memory (ulimit -v)."
        );
        // As the failures of `super::failure`; the code is JavaScript's alone.
        let failure = json!({ "code": "BINDING_UNAVAILABLE", "message": message });
        napi::Error::from_reason(failure.to_string())
    })
}

fn build() -> io::Result<Runtime> {
    let threads = most_threads(THREADS + SPARE)?.saturating_sub(SPARE).clamp(1, THREADS);
    catch_unwind(|| {
        Builder::new_multi_thread()
            .worker_threads(threads)
            // For names that the system looks up.
            .max_blocking_threads(4)
            .thread_name("scientist-pool")
            .enable_all()
            .build()
    })
    .unwrap_or_else(|_| Err(io::ErrorKind::WouldBlock.into()))
}

/// How many more threads the system gives, up to `enough`. Tried beforehand, as tokio panics where the
/// first can't be had, and waits for ever where a later one can't.
///
/// # Errors
///
/// There is none.
fn most_threads(enough: usize) -> io::Result<usize> {
    let mut held = Vec::new();
    let refused = loop {
        if held.len() == enough {
            break None;
        }
        let (release, released) = mpsc::channel::<()>();
        let (tell, id) = mpsc::channel();
        match thread::Builder::new().spawn(move || {
            let _ = tell.send(task::id());
            let _ = released.recv();
        }) {
            Ok(thread) => held.push((thread, release, id.recv().ok().flatten())),
            Err(error) => break Some(error),
        }
    };
    let count = held.len();
    for (thread, release, id) in held {
        drop(release);
        end(thread, id);
    }
    match refused {
        Some(error) if count == 0 => Err(error),
        _ => Ok(count),
    }
}

/// How often is looked whether a thread that was joined still counts: it does so for a moment.
const LOOKS: usize = 1000;

fn end(thread: JoinHandle<()>, id: Option<u32>) {
    let _ = thread.join();
    let Some(id) = id else { return };
    for _ in 0..LOOKS {
        if !task::is_there(id) {
            return;
        }
        thread::yield_now();
    }
}

#[cfg(target_os = "linux")]
mod task {
    use std::{fs, path::Path};

    /// The calling thread's id, as `/proc` has it.
    pub(super) fn id() -> Option<u32> {
        let task = fs::read_link("/proc/thread-self").ok()?;
        task.file_name()?.to_str()?.parse().ok()
    }

    pub(super) fn is_there(id: u32) -> bool {
        Path::new(&format!("/proc/self/task/{id}")).exists()
    }
}

#[cfg(not(target_os = "linux"))]
mod task {
    pub(super) fn id() -> Option<u32> {
        None
    }

    pub(super) fn is_there(_: u32) -> bool {
        false
    }
}
