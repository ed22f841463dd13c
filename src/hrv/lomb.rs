//! Lomb–Scargle spectrum of the intervals at their own, uneven times, scaled to ms²/Hz.

use super::bands::{Bands, Spectrum};
use super::stats::mean;
use super::welch::beat_times_s;
use super::{Why, finite};

/// Highest frequency, Hz.
const TOP_HZ: f64 = 0.5;
/// Grid points per 1/T.
const OVERSAMPLING: f64 = 4.0;

/// The spectrum of a corrected series without gaps: a line in time removed, Scargle's P on the grid 1/(4T) … 0.5 Hz,
/// density 2·P·T/N so that its integral is the variance.
pub fn spectrum(rr_ms: &[f64]) -> Result<Spectrum, Why> {
    let n = rr_ms.len();
    if n < 4 {
        return Err(Why::TooFew);
    }
    let t = beat_times_s(rr_ms);
    let length = t[n - 1];
    finite(length, Why::Unclear)?;
    if !t.windows(2).all(|w| w[0] < w[1]) {
        return Err(Why::Unclear);
    }
    let y = without_line(&t, rr_ms);
    let step_hz = 1.0 / (OVERSAMPLING * length);
    let count = (TOP_HZ * OVERSAMPLING * length) as usize;
    let sums = direct(&t, &y, step_hz, count);
    let scale = 2.0 * length / n as f64;
    let density: Vec<f64> = sums.iter().map(|s| scale * s.scargle(n as f64)).collect();
    finite(density.iter().sum(), Why::Unclear)?;
    Ok(Spectrum { first_hz: step_hz, step_hz, density })
}

/// Band powers of a corrected series without gaps; no minimum length is enforced here.
pub fn bands(rr_ms: &[f64]) -> Bands {
    spectrum(rr_ms).map_or_else(Bands::none, |s| s.bands())
}

/// Sums over the beats at one frequency.
#[derive(Clone, Copy, Default)]
struct Sums {
    y_cos: f64,
    y_sin: f64,
    cos2: f64,
    sin2: f64,
}

impl Sums {
    /// Scargle's P, with the phase τ that makes sine and cosine orthogonal.
    fn scargle(self, n: f64) -> f64 {
        let Self { y_cos, y_sin, cos2, sin2 } = self;
        // τ·ω = ½·atan2(Σ sin 2ωt, Σ cos 2ωt); Σcos²(ωt − ωτ) = (n + |Σe^{2iωt}|)/2.
        let (s, c) = (0.5 * sin2.atan2(cos2)).sin_cos();
        let long = sin2.hypot(cos2);
        let along = y_cos * c + y_sin * s;
        let across = y_sin * c - y_cos * s;
        along * along / (n + long) + across * across / (n - long)
    }
}

/// By turning one phasor per beat from frequency to frequency.
fn direct(t: &[f64], y: &[f64], step_hz: f64, count: usize) -> Vec<Sums> {
    let (mut re, mut im): (Vec<f64>, Vec<f64>) = (vec![1.0; t.len()], vec![0.0; t.len()]);
    let (turn_im, turn_re): (Vec<f64>, Vec<f64>) =
        t.iter().map(|t| (std::f64::consts::TAU * step_hz * t).sin_cos()).unzip();
    let mut out = Vec::with_capacity(count);
    for _ in 0..count {
        let mut s = Sums::default();
        for i in 0..t.len() {
            let c = re[i] * turn_re[i] - im[i] * turn_im[i];
            let d = re[i] * turn_im[i] + im[i] * turn_re[i];
            (re[i], im[i]) = (c, d);
            s.y_cos += y[i] * c;
            s.y_sin += y[i] * d;
            s.cos2 += c * c - d * d;
            s.sin2 += 2.0 * c * d;
        }
        out.push(s);
    }
    out
}

fn without_line(t: &[f64], y: &[f64]) -> Vec<f64> {
    let (mt, my) = (mean(t), mean(y));
    let xy: f64 = t.iter().zip(y).map(|(t, y)| (t - mt) * (y - my)).sum();
    let xx: f64 = t.iter().map(|t| (t - mt) * (t - mt)).sum();
    t.iter().zip(y).map(|(t, y)| y - my - xy / xx * (t - mt)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_its_variance_in_its_band() {
        let (mut t, mut rr) = (0.0, Vec::new());
        while t < 300.0 {
            let x = 900.0 + 40.0 * (std::f64::consts::TAU * 0.25 * t).sin();
            t += x / 1000.0;
            rr.push(x);
        }
        let b = bands(&rr);
        assert!((b.hf_ms2.unwrap() / 800.0 - 1.0).abs() < 0.05, "{b:?}");
    }

    #[test]
    fn absent_with_a_reason() {
        assert_eq!(bands(&[900.0; 3]), Bands::none(Why::TooFew));
        assert_eq!(bands(&[900.0, f64::NAN, 900.0, 900.0]), Bands::none(Why::Unclear));
        assert_eq!(bands(&[900.0, -5.0, 900.0, 900.0]), Bands::none(Why::Unclear));
    }
}
