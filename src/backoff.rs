//! How long to wait before the next try.

use std::time::Duration;

use rand::Rng;

/// The longest delay after a first failure; it doubles with each further one.
const BASE: Duration = Duration::from_millis(100);
/// No delay is longer.
const CAP: Duration = Duration::from_secs(5);

/// A delay after the `streak`th failure in a row (from 1): exponential, capped, with full jitter,
/// so that many clients of one engine do not come back in step.
/// Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
pub fn delay(streak: u32, rng: &mut impl Rng) -> Duration {
    let ceiling = BASE
        .saturating_mul(1_u32.checked_shl(streak.saturating_sub(1)).unwrap_or(u32::MAX))
        .min(CAP);
    ceiling.mul_f64(rng.random::<f64>())
}

#[cfg(test)]
mod tests {
    use rand::{rngs::StdRng, SeedableRng};

    use super::*;

    #[test]
    fn a_delay_never_exceeds_its_ceiling() {
        let mut rng = StdRng::seed_from_u64(7);
        for (streak, ceiling) in [(1, 100), (2, 200), (3, 400), (6, 3200), (7, 5000), (500, 5000)] {
            let longest = (0..1000).map(|_| delay(streak, &mut rng)).max().unwrap();
            assert!(longest <= Duration::from_millis(ceiling), "{streak}: {longest:?}");
            assert!(longest > Duration::from_millis(ceiling).mul_f64(0.9), "{streak}: {longest:?}");
        }
    }
}
