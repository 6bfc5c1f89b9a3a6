//! The errors that are the pool's own.

use std::{any::Any, time::Duration};

use crate::error::{Code, Error};

/// The pool takes no callers.
pub(super) fn closed() -> Error {
    Error::new(Code::PoolClosed, "the pool is shut down; initialize() opens it again")
}

/// The pool's runtime ended under it.
pub(super) fn runtime_gone() -> Error {
    Error::new(Code::PoolClosed, "the pool's runtime ended; this process is going away")
}

pub(super) fn cancelled() -> Error {
    Error::new(Code::ContainerTerminated, "the acquire was cancelled by its caller")
}

pub(super) fn exhausted(max_waiting: usize) -> Error {
    Error::new(
        Code::PoolExhausted,
        format!(
            "all containers are taken and {max_waiting} callers are in line already; \
             raise max or maxWaiting, or call less at once"
        ),
    )
}

pub(super) fn create_timed_out(limit: Duration) -> Error {
    Error::new(
        Code::EngineError,
        format!(
            "a container was not ready within {} ms; the engine may be overloaded, \
             or createTimeout too short",
            limit.as_millis()
        ),
    )
    .timeout(limit)
}

pub(super) fn destroy_timed_out(id: &str, limit: Duration) -> Error {
    Error::new(
        Code::EngineError,
        format!(
            "the engine did not confirm the removal of container {id} within {} ms",
            limit.as_millis()
        ),
    )
    .container(id)
    .timeout(limit)
}

pub(super) fn given_up(id: &str, attempts: u32, cause: Error) -> Error {
    Error::new(
        Code::EngineError,
        format!(
            "gave up removing container {id} after {attempts} attempts; \
             it may be left on the engine, remove it by hand"
        ),
    )
    .container(id)
    .cause(cause)
}

/// An item ended between being made and being handed out.
pub(super) fn stillborn(id: &str) -> Error {
    Error::new(
        Code::ContainerLost,
        format!(
            "container {id} ended as soon as it was ready; \
             look at the image, the memory limit and the engine's log"
        ),
    )
    .container(id)
}

/// A shutdown ran out of time, or gave up on something.
pub(super) fn left_behind(ids: &[String], creates: usize, cause: Option<Error>) -> Error {
    let mut message = String::from("the pool is shut down, but ");
    if !ids.is_empty() {
        message += &format!("the engine did not confirm the removal of {}", ids.join(", "));
    }
    if creates > 0 {
        let and = if ids.is_empty() { "" } else { ", and " };
        message += &format!("{and}{creates} create(s) had to be cut off");
    }
    message += "; look for what is left on the engine once it answers again";
    let error = Error::new(Code::EngineError, message);
    match cause {
        Some(cause) => error.cause(cause),
        None => error,
    }
}

/// Whether a failed create says the same to every waiter.
pub(super) fn hits_everyone(error: &Error) -> bool {
    matches!(error.code, Code::EngineUnavailable | Code::ImageNotFound | Code::ImagePullFailed)
}

pub(super) fn panicked(what: &'static str, panic: &(dyn Any + Send)) -> Error {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Error::new(
        Code::EngineError,
        format!("internal error while {what} (panic: {said}); please report it"),
    )
}
