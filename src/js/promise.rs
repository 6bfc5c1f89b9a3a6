//! Work on the runtime as a Promise.
//!
//! napi's own async functions would bring a runtime of their own, started and stopped with the
//! environments that load the binding.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    task::{Context, Poll, Waker},
};

use futures_util::FutureExt;
use napi::{
    bindgen_prelude::{Object, ToNapiValue},
    Env, Error, Result,
};

use super::runtime;

/// A Promise of what the work gives. A panic in it rejects.
///
/// The work begins here, and goes on elsewhere where it first waits: handed over whole, calls would
/// begin in whatever order the runtime's threads pick them up, and not in that of their callers.
pub fn promise<'env, T, F>(env: &'env Env, work: F) -> Result<Object<'env>>
where
    T: ToNapiValue + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (deferred, promise) = env.create_deferred()?;
    let handle = runtime::handle()?;
    let mut work = Box::pin(AssertUnwindSafe(work).catch_unwind());
    let begun = {
        let _context = handle.enter();
        // Nobody is to be woken: it is asked again as soon as it is spawned.
        work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    };
    handle.spawn(async move {
        let result = match begun {
            Poll::Ready(result) => result,
            Poll::Pending => work.await,
        };
        // An environment that is gone by now takes nothing, and needs nothing.
        deferred.resolve(move |_| {
            result.map_err(|_| Error::from_reason("A panic in the native part; see stderr."))
        });
    });
    Ok(promise)
}
