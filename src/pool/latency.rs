//! Records how long things took.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Two significant digits: an error of at most 1 %, some 20 KiB a histogram.
const DIGITS: u8 = 2;
/// Microseconds; what takes longer counts as this.
const LONGEST: u64 = 3_600_000_000;

/// Percentiles of a duration, in milliseconds, since the pool was made. All 0 when `count` is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Percentiles {
    pub count: u64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
}

pub(super) struct Latency(Histogram<u64>);

impl Latency {
    pub fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("the bounds are constants"))
    }

    pub fn record(&mut self, duration: Duration) {
        self.0.saturating_record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn percentiles(&self) -> Percentiles {
        if self.0.is_empty() {
            return Percentiles::default();
        }
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1000.0;
        Percentiles { count: self.0.len(), p50: at(0.5), p90: at(0.9), p99: at(0.99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_one_percent() {
        let mut latency = Latency::new();
        (1..=1000).for_each(|ms| latency.record(Duration::from_millis(ms)));
        let seen = latency.percentiles();
        assert_eq!(seen.count, 1000);
        for (got, exact) in [(seen.p50, 500.0), (seen.p90, 900.0), (seen.p99, 990.0)] {
            assert!((got - exact).abs() <= exact / 100.0, "{got} for {exact}");
        }
    }

    #[test]
    fn nothing_recorded_reads_as_zero_and_the_longest_is_capped() {
        let mut latency = Latency::new();
        assert_eq!(latency.percentiles(), Percentiles::default());
        latency.record(Duration::MAX);
        latency.record(Duration::ZERO);
        assert_eq!(latency.percentiles().count, 2);
    }
}
