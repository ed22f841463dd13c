//! Hearts of another making than `Heart`: breaths of several shapes that wander in depth and pace, a slow wave that wanders
//! too, drift that walks, sighs, and straps that count in 1/1024 s or in ms. Nothing of the detector was made with them
//! in mind.

use super::{Rng, Series, insert};
use std::f64::consts::TAU;
use std::ops::Range;

/// For looking at; constants were chosen with these in sight.
pub const SEEN: Range<u64> = 1..9;
/// For judging only.
pub const HELD_OUT: Range<u64> = 201..209;

const SCENARIOS: [&str; 8] =
    ["clean", "missed2", "extra2", "ectopic2", "misalign_small2", "longshort2", "all5", "burst"];

/// How an interval follows the breath, over one breath of length 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A sine with a strong second harmonic.
    Skewed,
    /// Quick in, slow out: rises for a third of the breath and falls for the rest.
    Tooth,
    /// A wave for the inhalation and the exhalation, then a rest without change.
    Pause,
    /// Flat at either end, steep between.
    Square,
}

impl Shape {
    fn at(self, phase: f64) -> f64 {
        let p = phase.rem_euclid(1.0);
        match self {
            Self::Skewed => (TAU * p).sin() + 0.3 * (2.0 * TAU * p + 0.5).sin(),
            Self::Tooth if p < 0.35 => -(std::f64::consts::PI * p / 0.35).cos(),
            Self::Tooth => (std::f64::consts::PI * (p - 0.35) / 0.65).cos(),
            Self::Pause if p < 0.7 => 1.15 * (TAU * p / 0.7).sin(),
            Self::Pause => 0.0,
            Self::Square => (2.0 * (TAU * p).sin()).tanh(),
        }
    }
}

#[derive(Clone, Copy)]
pub struct Other {
    pub mean_ms: f64,
    pub rsa_ms: f64,
    pub breaths_per_min: f64,
    pub wave_ms: f64,
    pub drift_ms: f64,
    pub jitter_ms: f64,
    /// Share of the interval that a sigh takes off.
    pub sigh: f64,
}

impl Other {
    pub fn beat(self, shape: Shape, in_ms: bool, seconds: f64, seed: u64) -> Vec<f64> {
        let mut r = Rng::new(seed);
        let wait = |r: &mut Rng| -90.0 * (1.0 - r.unit()).ln();
        let (mut t, mut breath, mut wave, mut drift, mut depth) = (0.0, r.unit(), r.unit(), 0.0, 1.0);
        let (mut next_sigh, mut since_sigh) = (wait(&mut r), None);
        let mut out = Vec::new();
        while t < seconds {
            drift = 0.99 * drift + 0.12 * self.drift_ms * r.normal();
            if t > next_sigh {
                since_sigh = Some(1.0);
                next_sigh = t + 20.0 + wait(&mut r);
            }
            let mut x = self.mean_ms
                + depth * self.rsa_ms * shape.at(breath)
                + self.wave_ms * (TAU * wave).sin()
                + drift
                + self.jitter_ms * r.normal();
            if let Some(beats) = since_sigh {
                let bell = |at: f64, width: f64| (-((beats - at) / width) * ((beats - at) / width)).exp();
                x -= self.sigh * self.mean_ms * (bell(3.0, 2.0) + 0.6 * bell(8.0, 2.5));
                since_sigh = (beats < 16.0).then_some(beats + 1.0);
            }
            let step = if in_ms { 1.0 } else { 1000.0 / 1024.0 };
            let x = (x.max(320.0) / step).round() * step;
            out.push(x);
            t += x / 1000.0;
            breath += self.breaths_per_min * x / 60_000.0 * (1.0 + 0.08 * r.normal());
            wave += 0.095 * x / 1000.0 * (1.0 + 0.1 * r.normal());
            depth = (depth + 0.06 * r.normal() - 0.05 * (depth - 1.0)).clamp(0.3, 1.7);
        }
        out
    }
}

pub fn others() -> Vec<(&'static str, Other)> {
    let h = |mean_ms, rsa_ms, breaths_per_min, wave_ms, drift_ms, jitter_ms, sigh| Other {
        mean_ms,
        rsa_ms,
        breaths_per_min,
        wave_ms,
        drift_ms,
        jitter_ms,
        sigh,
    };
    vec![
        ("rest60", h(1000.0, 35.0, 14.0, 20.0, 15.0, 8.0, 0.06)),
        ("rest75", h(800.0, 18.0, 16.0, 14.0, 10.0, 6.0, 0.05)),
        ("low", h(780.0, 3.0, 16.0, 3.0, 4.0, 2.0, 0.0)),
        ("run160", h(375.0, 1.0, 40.0, 0.7, 3.0, 1.2, 0.0)),
        ("ride125", h(480.0, 3.0, 28.0, 3.0, 6.0, 2.0, 0.0)),
        ("rsa95", h(1150.0, 95.0, 12.0, 30.0, 25.0, 12.0, 0.08)),
        ("rsa150", h(1250.0, 150.0, 10.0, 30.0, 25.0, 12.0, 0.0)),
        ("old", h(850.0, 6.0, 15.0, 7.0, 10.0, 4.0, 0.03)),
        ("deep6", h(980.0, 90.0, 6.0, 10.0, 10.0, 8.0, 0.0)),
    ]
}

/// Every scenario for each heart and seed, the shapes in turn.
pub fn series(seeds: Range<u64>, shapes: &[Shape]) -> Vec<Series> {
    let mut out = Vec::new();
    for seed in seeds {
        for (k, (name, heart)) in others().into_iter().enumerate() {
            let shape = shapes[(seed as usize + k) % shapes.len()];
            let clean = heart.beat(shape, (seed + k as u64) % 3 == 0, 300.0, seed * 7919 + k as u64);
            for (j, scenario) in SCENARIOS.iter().enumerate() {
                out.push(insert(
                    &format!("{name}_{shape:?}_{seed}"),
                    &clean,
                    scenario,
                    seed * 6007 + (k * 10 + j) as u64,
                ));
            }
        }
    }
    out
}
