//! The pool in figures.

use serde::Serialize;

use super::{events::PoolState, latency::Percentiles};
use crate::config::PoolSize;

/// A snapshot, taken in one instant.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Ready for the next caller.
    pub warm: usize,
    /// Being made.
    pub creating: usize,
    /// In a caller's hands.
    pub leased: usize,
    /// Their removal is not confirmed yet.
    pub destroying: usize,
    /// Callers in line.
    pub waiting: usize,
    /// The target for `warm`, as of now.
    pub pool_size: usize,
    /// Within what bounds it follows demand; equal ones if it is fixed.
    pub pool_size_range: PoolSize,
    /// The bound on warm + creating + leased + destroying; `None` while it isn't known, or when
    /// there is none.
    pub max: Option<usize>,
    /// How the pool as a whole stands.
    pub state: PoolState,
    /// A call to initialize is under way.
    pub initializing: bool,
    /// Counts since the pool was made.
    pub totals: Totals,
    /// How long things took since the pool was made.
    pub latency: Latencies,
}

/// Counts since the pool was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Creates that succeeded.
    pub created: u64,
    /// Acquires served at once.
    pub acquired_warm: u64,
    /// Acquires served after waiting.
    pub acquired_on_demand: u64,
    /// Removals that the engine confirmed.
    pub destroyed: u64,
    /// Ended although nobody here asked for it, warm or leased.
    pub lost: u64,
    /// Acquires that passed their deadline.
    pub timeouts: u64,
    /// Prepares, creates and attempts at a removal that failed.
    pub errors: u64,
    /// Warm ones replaced for their age.
    pub expired: u64,
    /// Made, or warm, when no longer needed, or given up for a caller of another pool.
    pub surplus: u64,
    /// Removals given up after many attempts: these may be left on the engine.
    pub abandoned: u64,
    /// Panics in the native part that were caught: faults of this package.
    pub panics: u64,
}

/// How long things took.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latencies {
    /// Acquires served at once.
    pub acquire_warm: Percentiles,
    /// Acquires served after waiting.
    pub acquire_on_demand: Percentiles,
    /// Creates, until ready.
    pub create: Percentiles,
    /// From asking for a removal to its confirmation.
    pub destroy: Percentiles,
}
