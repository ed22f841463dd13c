//! Welch spectrum of the tachogram in ms²/Hz.

use super::bands::{Bands, Spectrum};
use super::detrend::{LAMBDA, smoothness_priors};
use super::spline::resample;
use super::stats::remove_line;
use super::{Why, finite};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Samples per second after interpolation.
const RATE_HZ: f64 = 4.0;
/// Samples per segment: 256 s.
const SEGMENT: usize = 1024;
/// Points of the transform; segments are padded with zeros.
const POINTS: usize = 4096;

/// What is removed from the evenly sampled tachogram before the segments are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detrend {
    /// Nothing but a line per segment.
    #[default]
    Linear,
    /// The smoothness-priors trend (λ = 500) first; what is left below 0.04 Hz means nothing then.
    SmoothnessPriors,
}

/// A Welch estimator with its transform planned once.
///
/// Definition: beat times from the first interval's end; not-a-knot cubic spline to 4 Hz; segments of 256 s (or the
/// whole window, if shorter) that overlap by half; a line removed from each; periodic Hann; one-sided density.
pub struct Welch {
    transform: Arc<dyn RealToComplex<f64>>,
    input: Vec<f64>,
    output: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    hann: Vec<f64>,
}

impl std::fmt::Debug for Welch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Welch").finish_non_exhaustive()
    }
}

impl Default for Welch {
    fn default() -> Self {
        Self::new()
    }
}

impl Welch {
    /// Plans the transform.
    pub fn new() -> Self {
        let transform = RealFftPlanner::<f64>::new().plan_fft_forward(POINTS);
        let (input, output) = (transform.make_input_vec(), transform.make_output_vec());
        let scratch = transform.make_scratch_vec();
        Self { transform, input, output, scratch, hann: hann(SEGMENT) }
    }

    /// The spectrum of a corrected series without gaps.
    pub fn spectrum(&mut self, rr_ms: &[f64], detrend: Detrend) -> Result<Spectrum, Why> {
        if rr_ms.len() < 4 {
            return Err(Why::TooFew);
        }
        let mut x = resample(&beat_times_s(rr_ms), rr_ms, 1.0 / RATE_HZ).ok_or(Why::Unclear)?;
        if detrend == Detrend::SmoothnessPriors {
            x = smoothness_priors(&x, LAMBDA);
        }
        let length = x.len().min(SEGMENT);
        let hop = if length < x.len() { length / 2 } else { length };
        if hop == 0 {
            return Err(Why::TooShort);
        }
        let own_window;
        let window = if length == SEGMENT {
            &self.hann
        } else {
            own_window = hann(length);
            &own_window
        };
        let energy: f64 = window.iter().map(|w| w * w).sum();
        let mut density = vec![0.0; POINTS / 2 + 1];
        let mut segments = 0.0;
        for start in (0..=x.len() - length).step_by(hop) {
            let (head, tail) = self.input.split_at_mut(length);
            head.copy_from_slice(&x[start..start + length]);
            tail.fill(0.0);
            remove_line(head);
            for (v, w) in head.iter_mut().zip(window) {
                *v *= w;
            }
            self.transform
                .process_with_scratch(&mut self.input, &mut self.output, &mut self.scratch)
                .map_err(|_| Why::Unclear)?;
            for (d, c) in density.iter_mut().zip(&self.output) {
                *d += c.norm_sqr();
            }
            segments += 1.0;
        }
        let scale = 1.0 / (segments * RATE_HZ * energy);
        let last = density.len() - 1;
        for (k, d) in density.iter_mut().enumerate() {
            *d *= if k == 0 || k == last { scale } else { 2.0 * scale };
        }
        finite(density.iter().sum(), Why::Unclear)?;
        Ok(Spectrum { first_hz: 0.0, step_hz: RATE_HZ / POINTS as f64, density })
    }

    /// Band powers of a corrected series without gaps; no minimum length is enforced here.
    pub fn bands(&mut self, rr_ms: &[f64], detrend: Detrend) -> Bands {
        self.spectrum(rr_ms, detrend).map_or_else(Bands::none, |s| s.bands())
    }
}

/// Periodic Hann window.
fn hann(n: usize) -> Vec<f64> {
    (0..n).map(|k| 0.5 - 0.5 * (std::f64::consts::TAU * k as f64 / n as f64).cos()).collect()
}

/// Times of the beats that end the intervals, s, from the first of them.
pub(super) fn beat_times_s(rr_ms: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let mut t: Vec<f64> = rr_ms
        .iter()
        .map(|rr| {
            sum += rr;
            sum / 1000.0
        })
        .collect();
    let first = t.first().copied().unwrap_or(0.0);
    for v in &mut t {
        *v -= first;
    }
    t
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_its_variance_in_its_band() {
        // RR(t) = 900 + 40 sin(2π·0.25 t), sampled at the beats.
        let (mut t, mut rr) = (0.0, Vec::new());
        while t < 400.0 {
            let x = 900.0 + 40.0 * (std::f64::consts::TAU * 0.25 * t).sin();
            t += x / 1000.0;
            rr.push(x);
        }
        let b = Welch::new().bands(&rr, Detrend::Linear);
        let hf = b.hf_ms2.unwrap();
        assert!((hf / 800.0 - 1.0).abs() < 0.15, "{hf}");
        assert!(b.lf_ms2.unwrap() < 0.01 * hf);
    }

    #[test]
    fn absent_with_a_reason() {
        let mut w = Welch::new();
        assert_eq!(w.bands(&[900.0; 3], Detrend::Linear), Bands::none(Why::TooFew));
        assert_eq!(w.bands(&[900.0, f64::NAN, 900.0, 900.0, 900.0], Detrend::Linear), Bands::none(Why::Unclear));
        assert_eq!(w.bands(&[900.0, -1.0, 900.0, 900.0, 900.0], Detrend::Linear), Bands::none(Why::Unclear));
    }
}
