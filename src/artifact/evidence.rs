//! How much speaks for an artifact, as log odds.
//!
//! The weights were fitted by logistic regression on three people's recordings and on simulated hearts with inserted
//! artifacts, and judged on others (`docs/decisions/0010-artifact-detector.md`).

/// Least scale of the statistics, ms: one step of the finest quantisation.
pub(super) const LEAST_SCALE_MS: f64 = 1.0;
/// Log odds of either explanation, see [`Evidence`].
pub(super) const SINGLE: Evidence =
    Evidence { scale: 1.38, median: 8.57, explained: 9.85, pace: 2.38, restless: -3.72, rest: 4.62 };
pub(super) const PAIR: Evidence =
    Evidence { scale: 3.62, median: 3.42, explained: 4.01, pace: 1.14, restless: 0.0, rest: 0.43 };

/// What is seen of one explanation.
pub(super) struct Seen {
    /// How much the interval or the beat would be off, ms.
    pub(super) size: f64,
    /// What such a statistic usually comes to with this person, ms.
    pub(super) scale: f64,
    pub(super) median: f64,
    /// What it explains of the surprise, and all of it, both squared.
    pub(super) explained: f64,
    pub(super) power: f64,
    /// What a passing change of pace explains.
    pub(super) pace: f64,
    /// Standard deviation of the intervals around, ms.
    pub(super) restless: f64,
}

/// What counts for and against an explanation, as weights in its log odds.
pub(super) struct Evidence {
    /// Of the logarithm of the size over the scale.
    scale: f64,
    /// Of the logarithm of the size over the local median.
    median: f64,
    /// Of the share of the surprise that it explains.
    explained: f64,
    /// Of the logarithm of what it explains over what a passing change of pace explains.
    pace: f64,
    /// Of the standard deviation of the intervals around, over the size.
    restless: f64,
    rest: f64,
}

impl Evidence {
    #[inline(always)]
    pub(super) fn log_odds(&self, s: &Seen) -> f64 {
        self.scale * (s.size / s.scale.max(LEAST_SCALE_MS)).ln()
            + self.median * (s.size / s.median).ln()
            + self.explained * s.explained / s.power.max(1e-6)
            + self.pace * (s.explained / (s.pace + 0.05 * s.explained).max(1e-9)).max(1e-6).ln()
            + self.restless * (s.restless / s.size).min(3.0)
            + self.rest
    }
}

/// Standard deviation.
pub(super) fn spread(x: &[f64]) -> f64 {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    (x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt()
}
