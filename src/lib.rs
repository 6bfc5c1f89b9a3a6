//! A pool of warm, hardened, one-shot containers for untrusted Python.
//!
//! The layers, each knowing only those below it:
//!
//! - [`js`]: napi bindings; converts and calls, decides nothing.
//! - [`sandbox`]: one container with its runner, and the provider that makes them for the pool.
//! - [`pool`]: who gets which container, and when to make and end them.
//! - [`runner`]: how code runs in a container: the warm interpreter, framing, output caps.
//! - [`engine`]: what a container engine must offer, and the engines that do.
//! - [`config`], [`error`], [`backoff`], [`budget`]: what they share.

pub mod backoff;
pub mod budget;
pub mod config;
pub mod engine;
pub mod error;
pub mod js;
pub mod pool;
pub mod runner;
pub mod sandbox;
mod task;
