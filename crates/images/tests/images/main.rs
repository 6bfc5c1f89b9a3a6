//! The store as others use it.

#![cfg(target_os = "linux")]

mod layer;
mod store;
mod support;
