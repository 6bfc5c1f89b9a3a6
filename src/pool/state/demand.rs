//! How many warm items the recent demand calls for.
//!
//! Pure data: it is told the time and the pool's counts, and answers with a target. It has no clock, no
//! item and no lock of its own.
//!
//! Each item that is handed out has to be replaced, and until that is done the pool is one short. How
//! many it is short of at once, those in line included, is the stock that would have been needed for
//! everybody to be served at once; no rate, no number of creates side by side and no speed of the engine
//! has to be guessed for it. Inventory theory calls it the outstanding orders of a base-stock policy,
//! and by Little's law its mean is the arrival rate × the time to replace one. The target is the greater
//! of two levels:
//!
//! - **steady**: arrival rate × time to warm, and [`HEADROOM`] standard deviations of a Poisson
//!   distribution with that mean above it;
//! - **peak**: the most the pool has been short of at once. It rises with the very call that is one too
//!   many (the spike rule), is held for [`HOLD`], and then halves every [`HALF_LIFE`].
//!
//! While creates fail, the target stays as it is: what calls pile up then is the engine's doing, and
//! what is warm can't be replaced.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::PoolSize;

/// How long a peak counts in full. Agents think between two rounds of tool calls for less than this.
pub(super) const HOLD: Duration = Duration::from_secs(30);
/// In which time a peak that is no longer held halves, and the arrival rate forgets half of what it was.
pub(super) const HALF_LIFE: Duration = Duration::from_secs(20);
/// How often a target above its minimum is looked at again when nothing happens.
const PACE: Duration = Duration::from_secs(1);
/// Standard deviations. They leave one or two in a hundred independent calls without a warm item; what
/// is beyond them is the peak's.
const HEADROOM: f64 = 3.0;
/// The weight of the latest create in the mean time to warm.
const LATEST: f64 = 0.2;

/// The pool as of now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Items handed out, ever.
    pub handed: u64,
    /// Items made, ever.
    pub made: u64,
    /// Callers in line.
    pub waiting: usize,
    /// Warm items lacking to the target.
    pub missing: usize,
    /// Creates have been failing, and something is missing for it.
    pub failing: bool,
}

#[derive(Debug)]
pub(super) struct Demand {
    bounds: PoolSize,
    target: usize,
    /// When `rate` and `peak` were last brought up to date; `None`: nothing was seen yet.
    at: Option<Instant>,
    /// Items handed out a second.
    rate: f64,
    /// Seconds from the permit to create an item until it is warm, on average.
    time_to_warm: f64,
    peak: f64,
    held_until: Option<Instant>,
    /// As last seen.
    handed: u64,
    made: u64,
    /// Items handed out whose successors are not made yet.
    owed: usize,
    /// Those, and the callers in line.
    short: usize,
}

impl Demand {
    pub fn new(bounds: PoolSize) -> Self {
        Self {
            bounds,
            target: bounds.min,
            at: None,
            rate: 0.0,
            time_to_warm: 0.0,
            peak: 0.0,
            held_until: None,
            handed: 0,
            made: 0,
            owed: 0,
            short: 0,
        }
    }

    /// How many warm items there should be: never outside the bounds.
    pub fn target(&self) -> usize {
        self.target
    }

    pub fn bounds(&self) -> PoolSize {
        self.bounds
    }

    /// Other bounds. Between two ranges the demand so far is kept in mind.
    pub fn rebound(&mut self, bounds: PoolSize) {
        if self.bounds.is_fixed() || bounds.is_fixed() {
            *self = Self::new(bounds);
            return;
        }
        self.bounds = bounds;
        self.aim();
    }

    /// When to look again if nothing happens; `None`: only something happening can change the target.
    pub fn due(&self) -> Option<Instant> {
        self.at.filter(|_| self.target > self.bounds.min).map(|at| at + PACE)
    }

    /// An item took that long to become warm.
    pub fn warmed(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        let weight = if self.time_to_warm == 0.0 { 1.0 } else { LATEST };
        self.time_to_warm += weight * (took - self.time_to_warm);
    }

    /// Takes in how the pool is now. Cheap if nothing was handed out or is due.
    pub fn look(&mut self, now: Instant, seen: Seen) {
        if self.at.is_none() {
            // What was before doesn't count: the pool may have had a fixed size until now.
            (self.at, self.handed, self.made) = (Some(now), seen.handed, seen.made);
        }
        let handed = seen.handed.saturating_sub(self.handed);
        let made = seen.made.saturating_sub(self.made);
        (self.handed, self.made) = (seen.handed, seen.made);
        // What is owed was made up for in another way where less than that is missing: by an item that
        // came back, or by a lower target.
        self.owed = (self.owed + handed as usize).saturating_sub(made as usize).min(seen.missing);
        let before = std::mem::replace(&mut self.short, self.owed + seen.waiting);
        if seen.failing {
            self.skip(now);
            return;
        }
        let rising = self.short > before;
        if handed == 0 && !rising && self.due().is_none_or(|due| now < due) {
            return;
        }
        self.fade(now);
        self.rate += handed as f64 * std::f64::consts::LN_2 / HALF_LIFE.as_secs_f64();
        let short = self.short.min(self.bounds.max) as f64;
        if rising && short >= self.peak {
            self.peak = short;
            self.held_until = Some(now + HOLD);
        }
        self.aim();
    }

    /// Lets the time since the last look not have been.
    fn skip(&mut self, now: Instant) {
        if let (Some(at), Some(held_until)) = (self.at, &mut self.held_until) {
            *held_until += now.saturating_duration_since(at);
        }
        self.at = Some(now);
    }

    fn fade(&mut self, now: Instant) {
        let Some(at) = self.at.replace(now) else { return };
        let from = self.held_until.map_or(at, |held_until| at.max(held_until));
        self.rate *= left(now.saturating_duration_since(at));
        self.peak *= left(now.saturating_duration_since(from));
    }

    fn aim(&mut self) {
        let mean = self.rate * self.time_to_warm;
        let steady = mean + HEADROOM * mean.sqrt();
        let level = steady.max(self.peak).round() as usize;
        self.target = level.clamp(self.bounds.min, self.bounds.max);
    }
}

/// What is left of something after that time.
fn left(time: Duration) -> f64 {
    (-time.as_secs_f64() / HALF_LIFE.as_secs_f64()).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const BOUNDS: PoolSize = PoolSize { min: 2, max: 50 };

    /// A pool that is made of counts: what is handed out is replaced when the test says so.
    struct Bed {
        demand: Demand,
        now: Instant,
        seen: Seen,
    }

    impl Bed {
        fn new(bounds: PoolSize) -> Self {
            let seen = Seen { missing: usize::MAX, ..Seen::default() };
            let mut bed = Self { demand: Demand::new(bounds), now: Instant::now(), seen };
            bed.look();
            bed
        }

        fn look(&mut self) -> usize {
            self.demand.look(self.now, self.seen);
            self.demand.target()
        }

        fn hand_out(&mut self, items: u64) -> usize {
            self.seen.handed += items;
            self.look()
        }

        fn make(&mut self, items: u64) -> usize {
            self.seen.made += items;
            self.look()
        }

        /// A burst, all of it replaced at once.
        fn burst(&mut self, calls: u64) -> usize {
            let target = self.hand_out(calls);
            self.make(calls);
            target
        }

        fn pass(&mut self, time: Duration) -> usize {
            self.now += time;
            self.look()
        }
    }

    #[test]
    fn without_demand_the_target_is_the_minimum_and_nothing_is_due() {
        let mut bed = Bed::new(BOUNDS);
        assert_eq!(bed.pass(SECOND * 3600), 2);
        assert_eq!(bed.demand.due(), None);
    }

    #[test]
    fn a_spike_raises_the_target_at_once_to_what_was_short() {
        let mut bed = Bed::new(BOUNDS);
        assert_eq!(bed.hand_out(7), 7);
        bed.seen.waiting = 5;
        assert_eq!(bed.look(), 12, "those in line count");
    }

    #[test]
    fn what_has_been_replaced_is_not_short_any_more() {
        let mut bed = Bed::new(BOUNDS);
        for _ in 0..10 {
            bed.burst(7);
        }
        assert_eq!(bed.look(), 7);
    }

    #[test]
    fn the_target_never_leaves_its_bounds() {
        let mut bed = Bed::new(BOUNDS);
        assert_eq!(bed.burst(1), 2);
        assert_eq!(bed.burst(500), 50);
        assert_eq!(bed.pass(HOLD + HALF_LIFE), 25, "what is beyond the maximum is not remembered");
    }

    #[test]
    fn a_peak_is_held_and_then_halves() {
        let mut bed = Bed::new(BOUNDS);
        bed.burst(40);
        for _ in 0..HOLD.as_secs() {
            assert_eq!(bed.pass(SECOND), 40);
        }
        for _ in 0..HALF_LIFE.as_secs() {
            bed.pass(SECOND);
        }
        assert_eq!(bed.look(), 20);
        assert_eq!(bed.pass(HALF_LIFE), 10, "however often it is looked at");
    }

    #[test]
    fn a_peak_that_comes_again_is_held_anew() {
        let mut bed = Bed::new(BOUNDS);
        for _ in 0..20 {
            bed.burst(40);
            assert_eq!(bed.pass(HOLD - SECOND), 40);
        }
    }

    #[test]
    fn it_falls_to_the_minimum_a_few_at_a_time_and_then_nothing_is_due() {
        for bounds in [BOUNDS, PoolSize { min: 0, max: 50 }] {
            let mut bed = Bed::new(bounds);
            let mut last = bed.burst(50);
            while let Some(due) = bed.demand.due() {
                bed.now = due;
                let target = bed.look();
                assert!(target <= last && last - target <= 2, "{last} to {target}");
                last = target;
            }
            assert_eq!(last, bounds.min);
        }
    }

    #[test]
    fn under_a_steady_flow_the_target_is_rate_times_time_and_headroom() {
        let mut bed = Bed::new(BOUNDS);
        bed.demand.warmed(SECOND);
        // One at a time, so that there is no peak.
        for _ in 0..16 * 300 {
            bed.burst(1);
            bed.pass(SECOND / 16);
        }
        assert_eq!(bed.look(), 16 + 3 * 4);
    }

    #[test]
    fn a_slower_engine_calls_for_more() {
        let mut bed = Bed::new(BOUNDS);
        for _ in 0..100 {
            bed.demand.warmed(SECOND / 4);
        }
        for _ in 0..16 * 300 {
            bed.burst(1);
            bed.pass(SECOND / 16);
        }
        assert_eq!(bed.look(), 4 + 3 * 2);
        (0..40).for_each(|_| bed.demand.warmed(SECOND));
        assert_eq!(bed.burst(1), 16 + 3 * 4);
    }

    #[test]
    fn while_creates_fail_the_target_stays() {
        let mut bed = Bed::new(BOUNDS);
        bed.burst(20);
        bed.seen.failing = true;
        bed.seen.waiting = 40;
        for _ in 0..600 {
            assert_eq!(bed.pass(SECOND), 20);
        }
        bed.seen.failing = false;
        bed.seen.waiting = 0;
        assert_eq!(bed.pass(HOLD), 20, "the hold begins anew");
        assert_eq!(bed.pass(HALF_LIFE), 10);
    }

    #[test]
    fn what_is_not_missing_is_not_owed() {
        let mut bed = Bed::new(BOUNDS);
        bed.hand_out(10);
        // All came back, without a create.
        bed.seen.missing = 0;
        bed.look();
        bed.seen.missing = usize::MAX;
        bed.pass(HOLD + HALF_LIFE * 4);
        assert_eq!(bed.hand_out(5), 5);
    }

    #[test]
    fn other_bounds_apply_at_once_and_demand_is_remembered() {
        let mut bed = Bed::new(BOUNDS);
        bed.burst(20);
        bed.demand.rebound(PoolSize { min: 1, max: 8 });
        assert_eq!(bed.demand.target(), 8);
        bed.demand.rebound(PoolSize { min: 30, max: 50 });
        assert_eq!(bed.demand.target(), 30);
        bed.demand.rebound(BOUNDS);
        assert_eq!(bed.demand.target(), 20);
    }
}
