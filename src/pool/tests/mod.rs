//! The pool on an engine in memory, under paused time.

mod acquire;
mod demand;
mod failures;
pub(super) mod fake;
mod initialize;
mod lease;
mod refill;
mod sequences;
mod sharing;
mod shutdown;
