//! Welch spectrum of the tachogram in ms²/Hz.

use super::bands::{Bands, HF, LF, Spectrum, VLF};
use super::detrend::smoothness_priors;
use super::fft::RealFft;
use super::stats::{dot, remove_line, sum_of};
use super::tachogram::{RATE_HZ, Tachogram};
use super::{Why, finite};
use rustfft::num_complex::Complex;
use std::borrow::Cow;

/// Samples per segment: 256 s.
const SEGMENT: usize = 1024;
/// Points of the spectrum; segments are padded with zeros.
const POINTS: usize = 4096;
/// Points that determine it: twice a segment, so that no lag of its autocovariance is lost.
const ENOUGH: usize = 2 * SEGMENT;

/// What is removed from the evenly sampled tachogram before the segments are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Detrend {
    /// Nothing but a line per segment.
    #[default]
    Linear,
    /// The smoothness-priors trend with this λ first. At [`LAMBDA`](super::detrend::LAMBDA) what is left below
    /// 0.04 Hz means nothing.
    SmoothnessPriors(f64),
}

/// A Welch estimator with its transforms planned once.
///
/// Definition: beat times from the first interval's end; not-a-knot cubic spline to 4 Hz; segments of 256 s (or the
/// whole window, if shorter) that overlap by half; a line removed from each; periodic Hann; one-sided density.
///
/// A segment of n samples has n − 1 lags of autocovariance, and the density is their transform. So 2048 points already
/// hold all of it, and the area of a band over the 4096-point grid is a fixed sum of them.
pub struct Welch {
    enough: Transform,
    areas: [Vec<f64>; 3],
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
        let mut enough = Transform::new(ENOUGH);
        let areas = [VLF, LF, HF].map(|band| area(&mut enough, band));
        Self { enough, areas, hann: hann(SEGMENT) }
    }

    /// The spectrum of a corrected series without gaps.
    pub fn spectrum(&mut self, rr_ms: &[f64], detrend: Detrend) -> Result<Spectrum, Why> {
        let tachogram = Tachogram::of(rr_ms)?;
        let mut all = Transform::new(POINTS);
        let density = power(&mut all, &self.hann, &tachogram, detrend)?;
        Ok(Spectrum { first: 0, per_hz: POINTS as f64 / RATE_HZ, density })
    }

    /// Band powers of a corrected series without gaps; no minimum length is enforced here.
    pub fn bands(&mut self, rr_ms: &[f64], detrend: Detrend) -> Bands {
        Tachogram::of(rr_ms).map_or_else(Bands::none, |t| self.bands_of(&t, detrend))
    }

    /// The same of a tachogram that others use, too.
    pub fn bands_of(&mut self, tachogram: &Tachogram<'_>, detrend: Detrend) -> Bands {
        match power(&mut self.enough, &self.hann, tachogram, detrend) {
            Ok(density) => {
                let [vlf_ms2, lf_ms2, hf_ms2] =
                    self.areas.each_ref().map(|area| finite(dot(area, &density).max(0.0), Why::Unclear));
                Bands { vlf_ms2, lf_ms2, hf_ms2 }
            }
            Err(why) => Bands::none(why),
        }
    }
}

/// A transform of real values with its buffers.
struct Transform {
    plan: RealFft,
    input: Vec<f64>,
    output: Vec<Complex<f64>>,
}

impl Transform {
    fn new(points: usize) -> Self {
        let plan = RealFft::new(points);
        Self { input: vec![0.0; points], output: plan.output(), plan }
    }

    fn run(&mut self) -> &[Complex<f64>] {
        self.plan.run(&self.input, &mut self.output);
        &self.output
    }
}

/// One-sided density at the points of the transform.
fn power(
    transform: &mut Transform,
    full_window: &[f64],
    tachogram: &Tachogram<'_>,
    detrend: Detrend,
) -> Result<Vec<f64>, Why> {
    let x = match detrend {
        Detrend::Linear => Cow::Borrowed(tachogram.even()?),
        Detrend::SmoothnessPriors(lambda) => Cow::Owned(smoothness_priors(tachogram.even()?, lambda)),
    };
    let length = x.len().min(SEGMENT);
    let hop = if length < x.len() { length / 2 } else { length };
    if hop == 0 {
        return Err(Why::TooShort);
    }
    let window = if length == SEGMENT { Cow::Borrowed(full_window) } else { Cow::Owned(hann(length)) };
    let mut density = vec![0.0; transform.output.len()];
    let mut segments = 0.0;
    for start in (0..=x.len() - length).step_by(hop) {
        let (head, tail) = transform.input.split_at_mut(length);
        head.copy_from_slice(&x[start..start + length]);
        tail.fill(0.0);
        remove_line(head);
        for (v, w) in head.iter_mut().zip(window.iter()) {
            *v *= w;
        }
        for (d, c) in density.iter_mut().zip(transform.run()) {
            *d += c.norm_sqr();
        }
        segments += 1.0;
    }
    let scale = 1.0 / (segments * RATE_HZ * sum_of(&window, |w| w * w));
    let last = density.len() - 1;
    for (k, d) in density.iter_mut().enumerate() {
        *d *= if k == 0 || k == last { scale } else { 2.0 * scale };
    }
    finite(sum_of(&density, |d| d), Why::Unclear)?;
    Ok(density)
}

/// What each of the 2048 points adds to the trapezoid area of a band over the 4096-point grid: the trapezoid's weights
/// taken to lags, cut to the lags that a segment has, and back.
fn area(enough: &mut Transform, (lo, hi): (f64, f64)) -> Vec<f64> {
    let step = RATE_HZ / POINTS as f64;
    let mut all = Transform::new(POINTS);
    let inside: Vec<usize> = (0..=POINTS / 2).filter(|k| (lo..hi).contains(&(*k as f64 * step))).collect();
    for pair in inside.windows(2) {
        all.input[pair[0]] += 0.5 * step;
        all.input[pair[1]] += 0.5 * step;
    }
    let lags = all.run();
    enough.input.fill(0.0);
    for (lag, c) in lags[..SEGMENT].iter().enumerate() {
        enough.input[lag] = c.re;
        enough.input[(ENOUGH - lag) % ENOUGH] = c.re;
    }
    // Twice, for every point stands for its mirror image, too.
    enough.run().iter().map(|c| 2.0 * c.re / ENOUGH as f64).collect()
}

/// Periodic Hann window.
fn hann(n: usize) -> Vec<f64> {
    (0..n).map(|k| 0.5 - 0.5 * (std::f64::consts::TAU * k as f64 / n as f64).cos()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: Bands, b: Bands) {
        for (a, b) in [(a.vlf_ms2, b.vlf_ms2), (a.lf_ms2, b.lf_ms2), (a.hf_ms2, b.hf_ms2)] {
            let (a, b) = (a.unwrap(), b.unwrap());
            assert!((a - b).abs() <= 1e-9 * b, "{a} {b}");
        }
    }

    #[test]
    fn half_of_the_points_hold_all_of_the_bands() {
        for n in [100, 280, 330, 900] {
            let rr: Vec<f64> = (0..n)
                .map(f64::from)
                .map(|i| 850.0 + 40.0 * (0.3 * i).sin() + 8.0 * (1.7 * i).cos() + 0.1 * (i * i).sin() + 0.05 * i)
                .collect();
            let mut w = Welch::new();
            for detrend in [Detrend::Linear, Detrend::SmoothnessPriors(500.0)] {
                close(w.bands(&rr, detrend), w.spectrum(&rr, detrend).unwrap().bands());
            }
        }
    }

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
