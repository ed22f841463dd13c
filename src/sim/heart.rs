//! A resting heart: mean rate, respiratory sinus arrhythmia, slow waves and beat noise, all from one seed.

use super::random::{Random, decay, sine};
use crate::units::RrTicks;

/// What kind of heart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeartConfig {
    /// Mean interval, ms.
    pub mean_rr_ms: f64,
    /// Amplitude of respiratory sinus arrhythmia, ms.
    pub rsa_ms: f64,
    /// Breaths a minute.
    pub breaths_per_min: f64,
    /// Amplitude of 0.1 Hz waves, ms.
    pub slow_ms: f64,
    /// Standard deviation of beat-to-beat noise, ms.
    pub noise_ms: f64,
    /// How much longer than the mean intervals are at first (negative: a heart that settles), ms, with a 20 s decay.
    pub settling_ms: f64,
    /// Seed.
    pub seed: u64,
}

impl Default for HeartConfig {
    fn default() -> Self {
        Self {
            mean_rr_ms: 1000.0,
            rsa_ms: 40.0,
            breaths_per_min: 14.0,
            slow_ms: 15.0,
            noise_ms: 10.0,
            settling_ms: -150.0,
            seed: 1,
        }
    }
}

/// An endless heart.
#[derive(Clone, Debug)]
pub struct Heart {
    config: HeartConfig,
    seconds: f64,
    random: Random,
}

impl Heart {
    /// A heart that has just lain down.
    pub fn new(config: HeartConfig) -> Self {
        Self { config, seconds: 0.0, random: Random::new(config.seed) }
    }
}

impl Iterator for Heart {
    type Item = RrTicks;

    fn next(&mut self) -> Option<RrTicks> {
        let c = self.config;
        let t = self.seconds;
        let ms = c.mean_rr_ms
            + c.rsa_ms * sine(c.breaths_per_min / 60.0 * t)
            + c.slow_ms * sine(0.095 * t + 0.16)
            + c.settling_ms * decay(t / 20.0)
            + c.noise_ms * self.random.normal();
        let rr = RrTicks::from_ms(ms.clamp(300.0, 2000.0))?;
        self.seconds += rr.as_ms() / 1000.0;
        Some(rr)
    }
}
