//! The store as others use it.

#![cfg(target_os = "linux")]

mod fake;
mod layer;
mod pull;
mod store;
mod support;
