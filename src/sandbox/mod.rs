//! A container with what runs code in it.
//!
//! [`Container`] is what the pool keeps; [`Sandboxes`] makes them; a [`Sandbox`] is one in somebody's
//! hands. A [`Call`] is one execution, and its [`Outcome`] what came of it.

mod call;
mod container;
mod ending;
mod files;
mod interpreter;
mod packages;
mod provider;
// The module's main noun, and its smallest part.
#[allow(clippy::module_inception)]
mod sandbox;
mod trust;
mod way_out;

pub use call::{Call, Outcome, Path, Reason, Timings};
pub use container::{Container, Paths, Status};
pub use files::{Bounds, Found};
pub use interpreter::Interpreter;
pub use packages::Packages;
pub use provider::Sandboxes;
pub use sandbox::Sandbox;
pub use scientist_pool_egress::Record;
pub use way_out::{Border, Traffic};
