//! Work on the runtime as a Promise.
//!
//! napi's own async functions would bring a runtime of their own, started and stopped with the
//! environments that load the binding. And each of its deferred values has a handle of its own in the
//! event loop, all of which libuv looks through whenever one is woken (`uv__async_io` in libuv's
//! `src/unix/async.c`): with 10 000 calls waiting, each that ends would cost what 10 000 do. Here all
//! promises of an environment share one.

use std::{
    cell::RefCell,
    future::Future,
    panic::AssertUnwindSafe,
    ptr,
    task::{Context, Poll, Waker},
    thread,
};

use futures_util::FutureExt;
use napi::{
    bindgen_prelude::{FromNapiValue, Object, ToNapiValue},
    check_status, sys, Env, Error, Result, Status,
};

use super::{messenger::Messenger, runtime};
use crate::task;

/// A Promise of what the work gives. A panic in it rejects. While it is pending, it keeps the process
/// alive.
///
/// The work begins here, and goes on elsewhere where it first waits: handed over whole, calls would
/// begin in whatever order the runtime's threads pick them up, and not in that of their callers.
pub fn promise<'env, T, F>(env: &'env Env, work: F) -> Result<Object<'env>>
where
    T: ToNapiValue + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let handle = runtime::handle()?;
    let (deferred, promise) = Deferred::new(env)?;
    let outbox = Outbox::expect_one(env)?;
    let mut work = Box::pin(AssertUnwindSafe(work).catch_unwind());
    let begun = {
        let _context = handle.enter();
        // Nobody is to be woken: it is asked again as soon as it is spawned.
        work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    };
    match begun {
        // From here, so that what is there at once ends in the order of the callers, too.
        Poll::Ready(result) => end(&outbox, deferred, result),
        Poll::Pending => {
            task::spawn_on(handle, async move {
                let result = work.await;
                end(&outbox, deferred, result);
            });
        }
    }
    Ok(promise)
}

/// Has a promise settled with what its work came to.
fn end<T>(outbox: &Messenger<Settlement>, deferred: Deferred, result: thread::Result<T>)
where
    T: ToNapiValue + Send + 'static,
{
    let result = result.map_err(|_| Error::from_reason("A panic in the native part; see stderr."));
    let settle: Settlement = Box::new(move |env| deferred.settle(env, result));
    outbox.send(settle);
}

/// Settles a promise, on its environment's thread.
type Settlement = Box<dyn FnOnce(&Env) -> Result<()> + Send>;

thread_local! {
    /// A thread has one environment at most.
    static OUTBOX: RefCell<Option<Outbox>> = const { RefCell::new(None) };
}

/// How the promises of one environment are settled.
struct Outbox {
    sender: Messenger<Settlement>,
    pending: usize,
}

impl Outbox {
    fn new(env: &Env) -> Result<Self> {
        let pending =
            || OUTBOX.with_borrow(|outbox| outbox.as_ref().is_some_and(|it| it.pending > 0));
        let sender = Messenger::new(env, pending, |env, settle: Settlement| {
            let settled = settle(env);
            Self::settled_one(env)?;
            settled
        })?;
        env.add_env_cleanup_hook((), |()| drop(OUTBOX.take()))?;
        Ok(Self { sender, pending: 0 })
    }

    /// Counts one more promise as pending: the first keeps the process alive.
    fn expect_one(env: &Env) -> Result<Messenger<Settlement>> {
        if OUTBOX.with_borrow(Option::is_none) {
            // Not while it is borrowed: to make one calls whoever follows asynchronous work.
            let new = Self::new(env)?;
            OUTBOX.set(Some(new));
        }
        OUTBOX.with_borrow_mut(|outbox| {
            let outbox = outbox.as_mut().ok_or_else(|| Error::from_status(Status::Closing))?;
            if outbox.pending == 0 {
                outbox.sender.keep_alive(env)?;
            }
            outbox.pending += 1;
            Ok(outbox.sender.clone())
        })
    }

    fn settled_one(env: &Env) -> Result<()> {
        OUTBOX.with_borrow_mut(|outbox| {
            let Some(outbox) = outbox else { return Ok(()) };
            outbox.pending -= 1;
            if outbox.pending > 0 {
                return Ok(());
            }
            outbox.sender.let_end(env)
        })
    }
}

/// A promise that has not been settled.
struct Deferred(sys::napi_deferred);

// SAFETY: on another thread it is only carried; it is used on its environment's, by `Outbox`.
unsafe impl Send for Deferred {}

impl Deferred {
    fn new(env: &Env) -> Result<(Self, Object<'_>)> {
        let (mut deferred, mut promise) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: `env` lives, and this is its thread: nobody else has an `Env`.
        unsafe {
            check_status!(sys::napi_create_promise(env.raw(), &mut deferred, &mut promise))?;
            Ok((Self(deferred), Object::from_napi_value(env.raw(), promise)?))
        }
    }

    /// Resolves it with the value, or rejects it.
    fn settle<T: ToNapiValue>(self, env: &Env, result: Result<T>) -> Result<()> {
        // SAFETY: as above; and `self` is gone with this, which is the one use that Node allows.
        unsafe {
            match result.and_then(|value| T::to_napi_value(env.raw(), value)) {
                Ok(value) => check_status!(sys::napi_resolve_deferred(env.raw(), self.0, value)),
                Err(error) => {
                    let error = ToNapiValue::to_napi_value(env.raw(), error)?;
                    check_status!(sys::napi_reject_deferred(env.raw(), self.0, error))
                }
            }
        }
    }
}
