//! Lomb–Scargle spectrum of the intervals at their own, uneven times, scaled to ms²/Hz.

use super::bands::{Bands, Spectrum};
use super::stats::mean;
use super::welch::beat_times_s;
use super::{Why, finite};
use realfft::RealFftPlanner;
use std::f64::consts::{PI, TAU};

/// Highest frequency, Hz.
const TOP_HZ: f64 = 0.5;
/// Grid points per 1/T.
const OVERSAMPLING: f64 = 4.0;

/// The spectrum of a corrected series without gaps; see [`Lomb::spectrum`].
pub fn spectrum(rr_ms: &[f64]) -> Result<Spectrum, Why> {
    Lomb::new().spectrum(rr_ms)
}

/// Band powers of a corrected series without gaps; no minimum length is enforced here.
pub fn bands(rr_ms: &[f64]) -> Bands {
    spectrum(rr_ms).map_or_else(Bands::none, |s| s.bands())
}

/// A Lomb–Scargle estimator that keeps the transforms it has planned.
pub struct Lomb {
    planner: RealFftPlanner<f64>,
}

impl std::fmt::Debug for Lomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lomb").finish_non_exhaustive()
    }
}

impl Default for Lomb {
    fn default() -> Self {
        Self::new()
    }
}

impl Lomb {
    /// An estimator with nothing planned yet.
    pub fn new() -> Self {
        Self { planner: RealFftPlanner::new() }
    }

    /// A line in time removed, Scargle's P on the grid 1/(4T) … 0.5 Hz, density 2·P·T/N so that its integral is the
    /// variance. The sums over beats at all frequencies come from two non-uniform fast transforms: a day takes a
    /// fraction of a second.
    pub fn spectrum(&mut self, rr_ms: &[f64]) -> Result<Spectrum, Why> {
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
        if count > MOST_FREQUENCIES {
            return Err(Why::TooLong);
        }
        let turns: Vec<f64> = t.iter().map(|t| t * step_hz).collect();
        let around_y = self.transform(&turns, Some(&y), count)?;
        let around_one = self.transform(&turns, None, 2 * count)?;
        let scale = 2.0 * length / n as f64;
        let density: Vec<f64> = (1..=count)
            .map(|k| {
                let (y, one) = (around_y[k], around_one[2 * k]);
                scale * Sums { y_cos: y.0, y_sin: y.1, cos2: one.0, sin2: one.1 }.scargle(n as f64)
            })
            .collect();
        finite(density.iter().sum(), Why::Unclear)?;
        Ok(Spectrum { first_hz: step_hz, step_hz, density })
    }

    /// Band powers of a corrected series without gaps; no minimum length is enforced here.
    pub fn bands(&mut self, rr_ms: &[f64]) -> Bands {
        self.spectrum(rr_ms).map_or_else(Bands::none, |s| s.bands())
    }

    /// Σ w·cos(2πk·u) and Σ w·sin(2πk·u) for k = 0 ..= `modes`, with u in [0, 1): spread each beat over a fine grid
    /// with a Gaussian, transform, divide the Gaussian out (Greengard & Lee 2004, SIAM Rev 46:443).
    fn transform(&mut self, u: &[f64], w: Option<&[f64]>, modes: usize) -> Result<Vec<(f64, f64)>, Why> {
        let both = 2 * modes.max(8);
        let grid = (2 * both).next_power_of_two();
        let ratio = grid as f64 / both as f64;
        let tau = PI * REACH as f64 / ((both * both) as f64 * ratio * (ratio - 0.5));
        let cell = TAU / grid as f64;
        let plan = self.planner.plan_fft_forward(grid);
        let mut fine = plan.make_input_vec();
        // exp(−(δ − l·cell)²/4τ) = exp(−δ²/4τ) · exp(δ·cell/2τ)^l · exp(−(l·cell)²/4τ).
        let tail: Vec<f64> = (0..=REACH).map(|l| (-(l as f64 * cell).powi(2) / (4.0 * tau)).exp()).collect();
        for (i, u) in u.iter().enumerate() {
            let x = u * grid as f64;
            let near = x as usize;
            let offset = (x - near as f64) * cell;
            let head = w.map_or(1.0, |w| w[i]) * (-offset * offset / (4.0 * tau)).exp();
            let ratio = (offset * cell / (2.0 * tau)).exp();
            let mut up = head;
            for (l, tail) in tail.iter().enumerate() {
                fine[(near + l) & (grid - 1)] += up * tail;
                up *= ratio;
            }
            let inverse = 1.0 / ratio;
            let mut down = head * inverse;
            for (l, tail) in tail.iter().enumerate().skip(1) {
                fine[(near + grid - l) & (grid - 1)] += down * tail;
                down *= inverse;
            }
        }
        let mut out = plan.make_output_vec();
        plan.process(&mut fine, &mut out).map_err(|_| Why::Unclear)?;
        let scale = (PI / tau).sqrt() / grid as f64;
        Ok(out[..=modes]
            .iter()
            .enumerate()
            .map(|(k, c)| {
                let undo = scale * ((k * k) as f64 * tau).exp();
                (c.re * undo, -c.im * undo)
            })
            .collect())
    }
}

/// Grid cells to either side that a beat is spread over: an error near 1e-12.
const REACH: usize = 12;
/// About ten days; a longer series would need more memory than a small computer has.
const MOST_FREQUENCIES: usize = 1 << 21;

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
        let long = (sin2 * sin2 + cos2 * cos2).sqrt();
        // Sine and cosine of half the angle, each from the larger one so that no digits cancel.
        let (s, c) = if long == 0.0 {
            (0.0, 1.0)
        } else if cos2 >= 0.0 {
            let c = (0.5 * (1.0 + cos2 / long)).sqrt();
            (0.5 * sin2 / (long * c), c)
        } else {
            let s = (0.5 * (1.0 - cos2 / long)).sqrt().copysign(sin2);
            (s, 0.5 * sin2 / (long * s))
        };
        let along = y_cos * c + y_sin * s;
        let across = y_sin * c - y_cos * s;
        along * along / (n + long) + across * across / (n - long)
    }
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

    /// The definition, frequency by frequency.
    fn plain(rr_ms: &[f64]) -> Vec<f64> {
        let t = beat_times_s(rr_ms);
        let (n, length) = (t.len() as f64, t[t.len() - 1]);
        let y = without_line(&t, rr_ms);
        (1..=(2.0 * length) as usize)
            .map(|k| {
                let w = TAU * k as f64 / (4.0 * length);
                let mut s = Sums::default();
                for (t, y) in t.iter().zip(&y) {
                    s.y_cos += y * (w * t).cos();
                    s.y_sin += y * (w * t).sin();
                    s.cos2 += (2.0 * w * t).cos();
                    s.sin2 += (2.0 * w * t).sin();
                }
                2.0 * length / n * s.scargle(n)
            })
            .collect()
    }

    #[test]
    fn equals_the_definition() {
        for n in [5, 40, 300] {
            let rr: Vec<f64> =
                (0..n).map(|i| 850.0 + 60.0 * f64::from(i * i).sin() + f64::from((i * 29) % 83)).collect();
            let (got, want) = (spectrum(&rr).unwrap().density, plain(&rr));
            assert_eq!(got.len(), want.len());
            let top = want.iter().copied().fold(0.0, f64::max);
            for (g, w) in got.iter().zip(&want) {
                assert!((g - w).abs() < 1e-9 * top, "{n}: {g} {w}");
            }
        }
    }

    #[test]
    fn absent_with_a_reason() {
        assert_eq!(bands(&[900.0; 3]), Bands::none(Why::TooFew));
        assert_eq!(bands(&[900.0, f64::NAN, 900.0, 900.0]), Bands::none(Why::Unclear));
        assert_eq!(bands(&[900.0, -5.0, 900.0, 900.0]), Bands::none(Why::Unclear));
    }
}
