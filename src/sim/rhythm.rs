//! A heart with everything that real ones do to a strap, from one seed, and with its truth: every beat is labelled.
//!
//! Breathing drifts in rate and depth and drives the respiratory arrhythmia (slower and deeper breaths swing more);
//! slow waves are a 0.1 Hz oscillation and a sum of random walks over octaves of time, close to 1/f; variability
//! shrinks as the rate rises, as it does in exercise; ectopic beats come early and are followed by a full pause.

use super::random::{Random, decay, sine};
use crate::units::RrTicks;

/// What a beat truly is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BeatKind {
    /// A normal beat after a normal one.
    Normal,
    /// An ectopic beat: it came early, its interval is short.
    Premature,
    /// The normal beat after an ectopic one: its interval is long.
    Pause,
}

/// One beat of a heart: the interval that ends with it, and what it is. The beat's time is the sum of all intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartBeat {
    /// The true interval.
    pub rr: RrTicks,
    /// The truth.
    pub kind: BeatKind,
}

impl From<RrTicks> for HeartBeat {
    fn from(rr: RrTicks) -> Self {
        Self { rr, kind: BeatKind::Normal }
    }
}

/// How the mean rate moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Course {
    /// Lying since long.
    Rest,
    /// Just lain down: this many bpm above rest, settling with this time constant.
    Settling {
        /// Excess at first, bpm.
        bpm: f64,
        /// Time constant, s.
        tau_s: f64,
    },
    /// Rest, a ramp to the peak, the peak, and recovery towards rest.
    Exercise {
        /// Rest before the ramp, s.
        rest_s: f64,
        /// Length of the ramp, s.
        ramp_s: f64,
        /// Length of the peak, s.
        peak_s: f64,
        /// Rate at the peak, bpm.
        peak_bpm: f64,
        /// Time constant of recovery, s.
        recovery_s: f64,
    },
}

impl Course {
    /// The usual ramp: a minute of rest, five minutes up to 178 bpm, one minute there, recovery.
    pub const RAMP: Self =
        Self::Exercise { rest_s: 60.0, ramp_s: 300.0, peak_s: 60.0, peak_bpm: 178.0, recovery_s: 90.0 };

    fn bpm(self, rest: f64, t: f64) -> f64 {
        match self {
            Self::Rest => rest,
            Self::Settling { bpm, tau_s } => rest + bpm * decay(t / tau_s),
            Self::Exercise { rest_s, ramp_s, peak_s, peak_bpm, recovery_s } => {
                let up = ((t - rest_s) / ramp_s).clamp(0.0, 1.0);
                let after = (t - rest_s - ramp_s - peak_s).max(0.0);
                rest + (peak_bpm - rest) * up * decay(after / recovery_s)
            }
        }
    }
}

/// What kind of heart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RhythmConfig {
    /// Mean rate at rest, bpm.
    pub rest_bpm: f64,
    /// Amplitude of respiratory arrhythmia at rest, ms.
    pub rsa_ms: f64,
    /// Mean breaths a minute.
    pub breaths_per_min: f64,
    /// Amplitude of the 0.1 Hz wave and standard deviation of the 1/f-like walk at rest, ms.
    pub slow_ms: f64,
    /// Standard deviation of beat-to-beat noise at rest, ms.
    pub noise_ms: f64,
    /// Ectopic beats among a thousand.
    pub ectopics_per_1000: u16,
    /// How the mean rate moves.
    pub course: Course,
    /// Seed.
    pub seed: u64,
}

impl Default for RhythmConfig {
    fn default() -> Self {
        Self {
            rest_bpm: 58.0,
            rsa_ms: 35.0,
            breaths_per_min: 14.0,
            slow_ms: 30.0,
            noise_ms: 9.0,
            ectopics_per_1000: 0,
            course: Course::Rest,
            seed: 1,
        }
    }
}

impl RhythmConfig {
    /// An endurance athlete: 40 bpm and a strong respiratory arrhythmia.
    pub fn athlete(seed: u64) -> Self {
        Self {
            rest_bpm: 40.0,
            rsa_ms: 130.0,
            breaths_per_min: 10.0,
            slow_ms: 60.0,
            noise_ms: 15.0,
            seed,
            ..Self::default()
        }
    }

    /// Somebody with hardly any variability left.
    pub fn rigid(seed: u64) -> Self {
        Self {
            rest_bpm: 76.0,
            rsa_ms: 2.0,
            breaths_per_min: 16.0,
            slow_ms: 3.0,
            noise_ms: 2.0,
            seed,
            ..Self::default()
        }
    }
}

/// Time constants of the walks behind the 1/f-like waves, s.
const OCTAVES: [f64; 5] = [6.0, 20.0, 70.0, 240.0, 800.0];

/// An endless heart. It yields true beats; a strap of [`super::ProfileStrap`] makes of them what it does.
#[derive(Clone, Debug)]
pub struct Rhythm {
    config: RhythmConfig,
    random: Random,
    /// Ectopics have their own stream, so that their rate does not change the rest of the heart's chances.
    ectopy: Random,
    seconds: f64,
    breath_phase: f64,
    breath_depth: f64,
    /// Random walk of the breathing rate, in standard deviations.
    breath_walk: f64,
    walks: [f64; 5],
    /// Interval owed after an ectopic beat, ms.
    pause_ms: Option<f64>,
}

impl Rhythm {
    /// Begins at rest, before the course.
    pub fn new(config: RhythmConfig) -> Self {
        let mut random = Random::stream(config.seed, 11);
        let walks = OCTAVES.map(|_| random.normal());
        let breath_phase = random.uniform();
        Self {
            config,
            random,
            ectopy: Random::stream(config.seed, 12),
            seconds: 0.0,
            breath_phase,
            breath_depth: 1.0,
            breath_walk: 0.0,
            walks,
            pause_ms: None,
        }
    }

    fn walk(random: &mut Random, x: f64, dt: f64, tau: f64) -> f64 {
        x - x * dt / tau + (2.0 * dt / tau).sqrt() * random.normal()
    }

    /// The next interval of the normal rhythm, ms.
    fn normal_ms(&mut self) -> f64 {
        let c = self.config;
        let mean = 60_000.0 / c.course.bpm(c.rest_bpm, self.seconds);
        let dt = mean / 1000.0;
        // variability shrinks with the rate
        let shrink = (mean * c.rest_bpm / 60_000.0).min(1.0);
        self.breath_walk = Self::walk(&mut self.random, self.breath_walk, dt, 40.0).clamp(-3.0, 3.0);
        let rate = (1.0 + 0.06 * self.breath_walk) * (1.0 + 1.2 * (1.0 - shrink));
        self.breath_phase += c.breaths_per_min * rate / 60.0 * dt;
        if self.breath_phase >= 1.0 {
            self.breath_phase -= self.breath_phase.floor();
            self.breath_depth = (1.0 + 0.15 * self.random.normal()).clamp(0.5, 1.6);
        }
        let mut slow = 0.0;
        for (x, tau) in self.walks.iter_mut().zip(OCTAVES) {
            *x = Self::walk(&mut self.random, *x, dt, tau);
            slow += *x;
        }
        let slow = slow / (OCTAVES.len() as f64).sqrt() + 0.7 * sine(0.096 * self.seconds + 0.3);
        let rsa = c.rsa_ms * self.breath_depth / rate * sine(self.breath_phase);
        let noise = (c.noise_ms * shrink * shrink).max(0.8) * self.random.normal();
        (mean + shrink * shrink * shrink * (rsa + c.slow_ms * slow) + noise).clamp(300.0, 2400.0)
    }
}

impl Iterator for Rhythm {
    type Item = HeartBeat;

    fn next(&mut self) -> Option<HeartBeat> {
        let normal = self.normal_ms();
        let (ms, kind) = if let Some(pause) = self.pause_ms.take() {
            (pause, BeatKind::Pause)
        } else if self.ectopy.per_mille(self.config.ectopics_per_1000) {
            let early = normal * (0.60 + 0.15 * self.ectopy.uniform());
            self.pause_ms = Some(2.0 * normal - early);
            (early, BeatKind::Premature)
        } else {
            (normal, BeatKind::Normal)
        };
        let rr = RrTicks::from_ms(ms)?;
        self.seconds += rr.as_ms() / 1000.0;
        Some(HeartBeat { rr, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(config: RhythmConfig, n: usize) -> Vec<f64> {
        Rhythm::new(config).take(n).map(|b| b.rr.as_ms()).collect()
    }

    fn rmssd(rr: &[f64]) -> f64 {
        let sum: f64 = rr.windows(2).map(|w| (w[1] - w[0]) * (w[1] - w[0])).sum();
        (sum / (rr.len() - 1) as f64).sqrt()
    }

    #[test]
    fn the_same_seed_is_the_same_heart() {
        let c = RhythmConfig { ectopics_per_1000: 20, ..RhythmConfig::default() };
        assert_eq!(ms(c, 500), ms(c, 500));
        assert_ne!(ms(c, 50), ms(RhythmConfig { seed: 2, ..c }, 50));
    }

    #[test]
    fn rest_looks_like_rest() {
        for seed in 0..20 {
            let rr = ms(RhythmConfig { seed, ..RhythmConfig::default() }, 600);
            let mean = rr.iter().sum::<f64>() / rr.len() as f64;
            assert!((990.0..1080.0).contains(&mean), "{seed}: {mean}");
            assert!((18.0..70.0).contains(&rmssd(&rr)), "{seed}: {}", rmssd(&rr));
            let strong = ms(RhythmConfig::athlete(seed), 600);
            assert!((80.0..260.0).contains(&rmssd(&strong)), "{seed}: {}", rmssd(&strong));
            let rigid = ms(RhythmConfig::rigid(seed), 600);
            assert!(rmssd(&rigid) < 6.0, "{seed}: {}", rmssd(&rigid));
        }
    }

    #[test]
    fn variability_shrinks_on_the_way_up_and_returns() {
        let rr = ms(RhythmConfig { course: Course::RAMP, ..RhythmConfig::default() }, 2000);
        let mut t = 0.0;
        let part = |from: f64, to: f64| -> Vec<f64> {
            t = 0.0;
            let mut out = vec![];
            for x in &rr {
                t += x / 1000.0;
                if (from..to).contains(&t) {
                    out.push(*x);
                }
            }
            out
        };
        let mut part = part;
        let (rest, peak, late) = (part(0.0, 60.0), part(365.0, 415.0), part(900.0, 1000.0));
        assert!(rmssd(&peak) < 5.0 && rmssd(&rest) > 4.0 * rmssd(&peak), "{} {}", rmssd(&rest), rmssd(&peak));
        assert!((330.0..345.0).contains(&(peak.iter().sum::<f64>() / peak.len() as f64)));
        assert!(rmssd(&late) > 10.0);
    }

    #[test]
    fn ectopics_are_labelled_pairs_and_leave_the_rest_alone() {
        let with = RhythmConfig { ectopics_per_1000: 30, seed: 5, ..RhythmConfig::default() };
        let beats: Vec<HeartBeat> = Rhythm::new(with).take(5000).collect();
        let premature = beats.iter().filter(|b| b.kind == BeatKind::Premature).count();
        assert!((100..200).contains(&premature), "{premature}");
        for w in beats.windows(2) {
            assert_eq!(w[0].kind == BeatKind::Premature, w[1].kind == BeatKind::Pause);
            if w[1].kind == BeatKind::Pause {
                assert!(w[1].rr.0 as f64 > 1.4 * w[0].rr.0 as f64);
            }
        }
    }
}
