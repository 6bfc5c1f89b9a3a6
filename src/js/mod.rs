//! What Node sees: the classes of the binding. Converts and calls, decides nothing; `lib/` makes of
//! it the contract that users know.
//!
//! A call never rejects for a failure of its own, but resolves with the failure as JSON text, of
//! which JavaScript makes a `PoolError`: an error made here would belong to another realm under jest,
//! and carry no stack of the caller's. A rejection is a panic of ours.

mod call;
mod container;
mod failure;
mod files;
mod interpreter;
mod messenger;
mod panic;
mod pool;
pub mod programs;
mod promise;
mod runtime;

/// By this is a binary known to belong to the JavaScript around it.
#[napi_derive::napi]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
