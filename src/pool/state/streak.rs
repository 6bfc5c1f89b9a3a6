//! The failures in a row, and how long the refill holds back for them.

use rand::Rng;
use tokio::time::Instant;

use crate::backoff::delay;

/// The creates' record of failures in a row, and until when the refill holds back.
///
/// Creates that were under way together count as one failure together: each create has a serial
/// number, and one that is older than the last counted failure tells nothing new.
///
/// An item that dies young is a failure too, or a container that ends as soon as it is warm would be
/// replaced in a tight loop. The first such death is forgiven (somebody killed one container); from
/// the second on they count, and then a successful create alone proves nothing: only an item that
/// lasts, or was used, does ([`Streak::proved`]).
#[derive(Debug, Default)]
pub(super) struct Streak {
    length: u32,
    /// Creates with a lower serial number don't count any more.
    counted: u64,
    until: Option<Instant>,
    /// The last trouble was an item that died young.
    dying: bool,
}

impl Streak {
    /// Whether creates have been failing.
    pub fn degraded(&self) -> bool {
        self.length > 0
    }

    /// Until when the refill holds back, if it does.
    pub fn holds(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// The create with this serial number failed; `next` is the one the next create will get.
    pub fn failed(&mut self, serial: u64, next: u64, now: Instant, rng: &mut impl Rng) {
        if serial < self.counted {
            return;
        }
        self.counted = next;
        self.length = self.length.saturating_add(1);
        self.until = Some(now + delay(self.length, rng));
    }

    /// What the create with this serial number made died young.
    pub fn died(&mut self, serial: u64, next: u64, now: Instant, rng: &mut impl Rng) {
        if self.dying {
            self.failed(serial, next, now, rng);
        } else {
            self.dying = true;
            self.counted = self.counted.max(next);
        }
    }

    /// A create succeeded.
    pub fn created(&mut self) {
        if !self.dying {
            self.heal();
        }
    }

    /// An item lasted, or was used.
    pub fn proved(&mut self) {
        if self.dying {
            self.dying = false;
            self.heal();
        }
    }

    /// Somebody asks for the pool to be filled now.
    pub fn hurry(&mut self) {
        self.until = None;
    }

    fn heal(&mut self) {
        self.length = 0;
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use rand::{rngs::StdRng, SeedableRng};

    use super::*;

    fn rng() -> StdRng {
        StdRng::seed_from_u64(7)
    }

    #[tokio::test(start_paused = true)]
    async fn creates_that_fail_together_count_once() {
        let (mut streak, mut rng, now) = (Streak::default(), rng(), Instant::now());
        for serial in 0..4 {
            streak.failed(serial, 4, now, &mut rng);
        }
        assert_eq!(streak.length, 1);
        streak.failed(4, 5, now, &mut rng);
        assert_eq!(streak.length, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_ends_it() {
        let (mut streak, mut rng, now) = (Streak::default(), rng(), Instant::now());
        streak.failed(0, 1, now, &mut rng);
        streak.created();
        assert!(!streak.degraded());
        assert_eq!(streak.holds(now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_young_death_is_forgiven_and_a_second_is_not() {
        let (mut streak, mut rng, now) = (Streak::default(), rng(), Instant::now());
        streak.died(0, 2, now, &mut rng);
        streak.died(1, 2, now, &mut rng);
        assert!(!streak.degraded(), "both were there at the first death");
        streak.died(2, 3, now, &mut rng);
        assert!(streak.degraded());
    }

    #[tokio::test(start_paused = true)]
    async fn when_items_die_young_a_create_alone_proves_nothing() {
        let (mut streak, mut rng, now) = (Streak::default(), rng(), Instant::now());
        streak.died(0, 1, now, &mut rng);
        streak.died(1, 2, now, &mut rng);
        streak.created();
        assert!(streak.degraded());
        streak.proved();
        assert!(!streak.degraded());
    }
}
