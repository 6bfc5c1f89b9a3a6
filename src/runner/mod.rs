//! How code runs in a container.
//!
//! Warm: PID 1 is a supervisor (`supervisor.py`) that holds a parked `python3 -` (`spare.py`); a job
//! goes to it over the attached stream ([`session`]), and what it writes and how it ends comes back as
//! [`report`]s. Cold: a supervisor of its own for a second job while one runs ([`beside`]), and the
//! engine's exec alone for an image without Python ([`exec`]). Either way a helper (`files.py`) reads and writes files: [`files`], [`glob`].

pub mod beside;
pub mod exec;
mod fields;
pub mod files;
pub mod glob;
pub mod guide;
pub mod job;
pub mod lifeline;
pub mod line;
pub mod listener;
pub mod output;
pub mod pace;
pub mod proxy;
pub mod relay;
pub mod report;
pub mod session;
pub mod startup;
pub mod stdin;

/// The most bytes of one job's script or stdin.
pub const MAX_INPUT: usize = 1 << 30;
/// The most bytes of one job's arguments, environment or working directory, each: they go in one frame,
/// which the supervisor holds whole.
pub const MAX_WORDS: usize = 64 << 20;
