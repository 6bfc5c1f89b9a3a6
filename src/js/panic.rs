//! For this package's own tests: what becomes of a panic.

use napi::{bindgen_prelude::Object, Env, Result};
use napi_derive::napi;

use super::promise::promise;

/// Panics: in the work behind a promise, or in the call itself.
// In a `cargo test` nothing registers it.
#[cfg_attr(test, allow(dead_code))]
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub fn panic_for_test(env: &Env, in_promise: bool) -> Result<Object<'_>> {
    assert!(in_promise, "a panic in a call");
    let work = async move {
        if in_promise {
            panic!("a panic behind a promise");
        }
    };
    promise(env, work)
}
