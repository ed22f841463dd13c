//! A resting heart: mean rate, respiratory sinus arrhythmia, slow waves and beat noise, all from one seed.

use crate::units::RrTicks;
use std::f64::consts::TAU;

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
    random: u64,
}

impl Heart {
    /// A heart that has just lain down.
    pub fn new(config: HeartConfig) -> Self {
        Self { config, seconds: 0.0, random: config.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// Uniform in 0..1 (xorshift64*; good enough for beat noise, and the same on every machine).
    fn uniform(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal by the sum of twelve uniforms.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

impl Iterator for Heart {
    type Item = RrTicks;

    fn next(&mut self) -> Option<RrTicks> {
        let c = self.config;
        let t = self.seconds;
        let ms = c.mean_rr_ms
            + c.rsa_ms * (TAU * c.breaths_per_min / 60.0 * t).sin()
            + c.slow_ms * (TAU * 0.095 * t + 1.0).sin()
            + c.settling_ms * (-t / 20.0).exp()
            + c.noise_ms * self.normal();
        let rr = RrTicks::from_ms(ms.clamp(300.0, 2000.0))?;
        self.seconds += rr.as_ms() / 1000.0;
        Some(rr)
    }
}
