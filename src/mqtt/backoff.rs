//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential back-off with jitter: each wait lies between half and all of a step that doubles.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    step: Duration,
}

impl Backoff {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, step: min }
    }

    /// The next wait; `random` lies in 0..1. Jitter keeps a house full of gateways from knocking all at once.
    pub(super) fn next(&mut self, random: f64) -> Duration {
        let wait = self.step.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0));
        self.step = self.step.saturating_mul(2).min(self.max);
        wait
    }

    pub(super) fn reset(&mut self) {
        self.step = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_stay_inside_the_jitter() {
        let s = Duration::from_secs;
        let mut b = Backoff::new(s(1), s(60));
        let longest: Vec<u64> = (0..8).map(|_| b.next(1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(b.next(0.0), s(30));
        b.reset();
        assert_eq!(b.next(0.0), Duration::from_millis(500));
        assert_eq!(b.next(0.5), Duration::from_millis(1500));
    }
}
