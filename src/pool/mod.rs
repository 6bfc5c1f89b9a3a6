//! Who gets which container, and when containers are made and ended.
//!
//! Generic over a [`Provider`]: knows no engine and no JavaScript, only tokio.
//!
//! **Fairness.** A warm item goes to the caller at once, oldest item first, as long as nobody is in
//! line. Otherwise callers are served in the order in which they came, by whichever item is ready
//! first, whoever's create made it.
//!
//! **Bound.** Warm, creating, leased and destroying items together never exceed `max`: only
//! `state` gives permits to create, and an item counts until its removal is confirmed or given up.
//!
//! **Sharing.** The pools on one engine share a [budget](crate::budget) of its memory, of starts and of
//! removals; whoever's turn comes is rung for. Callers go before refills, whosever they are.
//!
//! **One use.** A [`Lease`] ends with its item's removal, always. Only an item that was on its way to
//! a caller who went away meanwhile, and so never had it, is handed on.
//!
//! **Failures.** A failed create is the error of a caller in line unless another create is under way
//! for that caller; the refill backs off. A failed removal is tried again. A panic in the
//! provider is an error like any other.
//!
//! **Shutdown.** Closes at once, turns away those in line, waits for creates and leases, and always
//! comes to an end. Dropping the last [`Pool`] handle shuts down too, with no limit to the leases.
//!
//! **From top to bottom**, each knowing only those below: `handle`; `acquire` and `drain`; `lease`; `drive`,
//! which steps the state and does what it decides; the work on one item, `create`, `removal` and
//! `watcher`, which answers by returning; `core`, which all share; `state`.

mod acquire;
mod core;
mod create;
mod drain;
mod drive;
mod events;
mod failure;
mod handle;
mod latency;
mod lease;
mod provider;
mod removal;
mod slot;
mod state;
mod stats;
mod watcher;

#[cfg(test)]
mod tests;

pub use self::{
    acquire::Acquired,
    events::{During, Event, OnEvent, PoolState},
    handle::Pool,
    latency::Percentiles,
    lease::{Lease, Member},
    provider::{Pooled, Prepared, Provider},
    state::Stage,
    stats::{Latencies, Stats, Totals},
};
