//! How fast one call's output is read.
//!
//! The engine copies every byte that a container writes, outside of any container's limits: a flood read
//! as fast as it comes would keep it from serving the calls beside. So for long a call is read at
//! [`ALONE`] bytes a second at most, and at [`IN_COMPANY`] while another call of this process is under way.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    time::Duration,
};

use once_cell::sync::Lazy;
use tokio::time::Instant;

/// Bytes a second.
const ALONE: f64 = (64 << 20) as f64;
const IN_COMPANY: f64 = (16 << 20) as f64;
/// How far a call may be ahead of its rate: 16 MiB, and 4 MiB in company, come as fast as they are written.
const AHEAD: Duration = Duration::from_millis(250);

/// The calls that share an engine's attention.
#[derive(Debug, Clone, Default)]
pub struct Crowd(Arc<AtomicUsize>);

impl Crowd {
    /// All calls of this process.
    pub fn process() -> Self {
        static PROCESS: Lazy<Crowd> = Lazy::new(Crowd::default);
        PROCESS.clone()
    }
}

/// One call's pace. It is one of its crowd until it is dropped or [`Pace::leave`]s.
#[derive(Debug)]
pub(super) struct Pace {
    crowd: Option<Crowd>,
    /// When all that came so far would have come at the rate.
    level: Option<Instant>,
}

impl Pace {
    pub fn among(crowd: Crowd) -> Self {
        // A count that nothing else depends on: no order to keep.
        crowd.0.fetch_add(1, Ordering::Relaxed);
        Self { crowd: Some(crowd), level: None }
    }

    /// Notes what came.
    pub fn took(&mut self, bytes: usize, now: Instant) {
        let others = self.crowd.as_ref().map_or(0, |crowd| crowd.0.load(Ordering::Relaxed));
        let rate = if others > 1 { IN_COMPANY } else { ALONE };
        let level = self.level.map_or(now, |level| level.max(now));
        self.level = Some(level + Duration::from_secs_f64(bytes as f64 / rate));
    }

    /// When to read on, if that is not at once.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        self.level?.checked_sub(AHEAD).filter(|due| *due > now)
    }

    /// The call is over.
    pub fn leave(&mut self) {
        if let Some(crowd) = self.crowd.take() {
            crowd.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = 64 * 1024;

    /// Seconds until that many bytes may have been read, after a long rest.
    fn takes(pace: &mut Pace, bytes: f64) -> f64 {
        let start = pace.level.unwrap_or_else(Instant::now) + AHEAD;
        let mut now = start;
        for _ in 0..(bytes / PIECE as f64) as usize {
            pace.took(PIECE, now);
            now = pace.due(now).unwrap_or(now);
        }
        (now - start).as_secs_f64()
    }

    #[test]
    fn what_is_no_flood_is_read_at_once() {
        assert_eq!(takes(&mut Pace::among(Crowd::default()), ALONE * AHEAD.as_secs_f64()), 0.0);
    }

    #[test]
    fn a_flood_is_read_at_its_rate() {
        let took = takes(&mut Pace::among(Crowd::default()), ALONE * 2.0);
        assert!((1.7..1.8).contains(&took), "{took}");
    }

    #[test]
    fn a_flood_is_read_slower_while_another_call_is_under_way() {
        let crowd = Crowd::default();
        let mut flood = Pace::among(crowd.clone());
        let mut other = Pace::among(crowd);
        let took = takes(&mut flood, IN_COMPANY * 2.0);
        assert!((1.7..1.8).contains(&took), "{took}");
        other.leave();
        let took = takes(&mut flood, ALONE * 2.0);
        assert!((1.7..1.8).contains(&took), "{took}");
    }

    #[test]
    fn a_call_leaves_its_crowd_once() {
        let crowd = Crowd::default();
        let mut pace = Pace::among(crowd.clone());
        pace.leave();
        drop(pace);
        assert_eq!(crowd.0.load(Ordering::Relaxed), 0);
    }
}
