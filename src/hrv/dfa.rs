//! Detrended fluctuation analysis, short-term exponent α1.

use super::detrend::{LAMBDA, SmoothnessPriors};
use super::stats::{mean, varying};
use super::{Metric, Why, finite};

/// Which boxes and scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Detrended intervals, boxes from both ends, scales 3 to 15 weighted towards the short ones, as in exercise
    /// tools that follow Kubios. The default.
    Exercise,
    /// The same without detrending.
    ExerciseRaw,
    /// Scales 4 to 16, boxes from both ends: the textbook.
    Both,
    /// Scales 4 to 16, boxes side by side from the start.
    Forward,
    /// Scales 4 to 16, boxes that overlap by half.
    Half,
}

/// Scales of the exercise variant with their weights.
const WEIGHTED: [(usize, f64); 13] = [
    (3, 1.0),
    (4, 4.0),
    (5, 4.0),
    (6, 3.0),
    (7, 3.0),
    (8, 2.0),
    (9, 3.0),
    (10, 2.0),
    (11, 1.0),
    (12, 2.0),
    (13, 2.0),
    (14, 1.0),
    (15, 2.0),
];
/// Scales of the textbook variants.
const PLAIN: [(usize, f64); 13] = [
    (4, 1.0),
    (5, 1.0),
    (6, 1.0),
    (7, 1.0),
    (8, 1.0),
    (9, 1.0),
    (10, 1.0),
    (11, 1.0),
    (12, 1.0),
    (13, 1.0),
    (14, 1.0),
    (15, 1.0),
    (16, 1.0),
];

/// α1: slope of log F(n) on log n, F(n) the root of the mean over boxes of the mean squared residual around a line.
pub fn alpha1(rr_ms: &[f64], variant: Variant) -> Metric {
    Dfa::new().alpha1(rr_ms, variant)
}

/// α1 of many windows: what detrending needs is kept from one to the next.
#[derive(Clone, Debug)]
pub struct Dfa {
    priors: SmoothnessPriors,
}

impl Default for Dfa {
    fn default() -> Self {
        Self::new()
    }
}

impl Dfa {
    /// Nothing kept yet.
    pub fn new() -> Self {
        Self { priors: SmoothnessPriors::new(LAMBDA) }
    }

    /// See [`alpha1`].
    pub fn alpha1(&mut self, rr_ms: &[f64], variant: Variant) -> Metric {
        let scales = match variant {
            Variant::Exercise | Variant::ExerciseRaw => &WEIGHTED,
            _ => &PLAIN,
        };
        let longest = scales[scales.len() - 1].0;
        if rr_ms.len() < 2 * longest {
            return Err(Why::TooFew);
        }
        varying(rr_ms)?;
        let detrended = (variant == Variant::Exercise).then(|| self.priors.remove(rr_ms));
        let series = detrended.as_deref().unwrap_or(rr_ms);
        // A trend that is taken off entirely leaves rounding, too.
        varying(series)?;
        let profile = profile(series);
        let mut fit = WeightedLine::default();
        for &(n, weight) in scales {
            let f2 = match variant {
                Variant::Half => overlapping(&profile, n),
                Variant::Forward => forward(&profile, n),
                _ => both(&profile, n),
            };
            // log2 of F, not of F²; rounding may leave a perfect line a hair below zero.
            if f2 <= 0.0 {
                return Err(Why::NoVariation);
            }
            fit.add((n as f64).log2(), 0.5 * f2.log2(), weight);
        }
        finite(fit.slope(), Why::NoVariation)
    }
}

/// Running sum of the deviations from the mean.
fn profile(x: &[f64]) -> Vec<f64> {
    let m = mean(x);
    let mut y = 0.0;
    x.iter()
        .map(|v| {
            y += v - m;
            y
        })
        .collect()
}

/// Boxes that are fitted side by side, so that no addition waits for the one before it.
const LANES: usize = 4;

/// Sums of squared residuals of boxes of `n` around their least-squares lines.
fn residuals(y: &[f64], n: usize, starts: [usize; LANES]) -> [f64; LANES] {
    let [a, b, c, d] = starts.map(|s| &y[s..s + n]);
    // Relative to the first value: the profile may have wandered far.
    let origin = [a[0], b[0], c[0], d[0]];
    let (mut s, mut ss, mut xs) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let middle = (n as f64 - 1.0) / 2.0;
    let mut x = -middle;
    for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
        for (k, v) in [*a, *b, *c, *d].into_iter().enumerate() {
            let v = v - origin[k];
            s[k] += v;
            ss[k] += v * v;
            xs[k] += x * v;
        }
        x += 1.0;
    }
    let (per_n, per_xx) = (1.0 / n as f64, 12.0 / (n * (n * n - 1)) as f64);
    let mut out = [0.0; LANES];
    for (k, r) in out.iter_mut().enumerate() {
        *r = (ss[k] - s[k] * s[k] * per_n - xs[k] * xs[k] * per_xx).max(0.0);
    }
    out
}

/// Mean squared residual over `boxes` boxes, box k at `start(k)`.
fn fluctuation(y: &[f64], n: usize, boxes: usize, start: impl Fn(usize) -> usize) -> f64 {
    let mut sums = [0.0; LANES];
    let mut k = 0;
    while k < boxes {
        // The last group may be filled up with boxes that do not count.
        let have = (boxes - k).min(LANES);
        let starts = [0, 1, 2, 3].map(|lane| start((k + lane).min(boxes - 1)));
        let r = residuals(y, n, starts);
        for (sum, r) in sums.iter_mut().zip(&r[..have]) {
            *sum += r;
        }
        k += LANES;
    }
    sums.iter().sum::<f64>() / (boxes * n) as f64
}

fn forward(y: &[f64], n: usize) -> f64 {
    fluctuation(y, n, y.len() / n, |k| k * n)
}

fn both(y: &[f64], n: usize) -> f64 {
    let (last, boxes) = (y.len() - n, y.len() / n);
    if y.len() % n == 0 {
        // The same boxes from either end.
        return forward(y, n);
    }
    fluctuation(y, n, 2 * boxes, |k| if k < boxes { k * n } else { last - (k - boxes) * n })
}

fn overlapping(y: &[f64], n: usize) -> f64 {
    let hop = (n / 2).max(1);
    fluctuation(y, n, (y.len() - n).div_ceil(hop), |k| k * hop)
}

/// Least-squares line with weights, accumulated around the weighted mean at the end.
#[derive(Default)]
struct WeightedLine {
    points: Vec<(f64, f64, f64)>,
}

impl WeightedLine {
    fn add(&mut self, x: f64, y: f64, weight: f64) {
        self.points.push((x, y, weight));
    }
    fn slope(&self) -> f64 {
        let w: f64 = self.points.iter().map(|p| p.2).sum();
        let mx = self.points.iter().map(|p| p.0 * p.2).sum::<f64>() / w;
        let my = self.points.iter().map(|p| p.1 * p.2).sum::<f64>() / w;
        let xy: f64 = self.points.iter().map(|p| p.2 * (p.0 - mx) * (p.1 - my)).sum();
        let xx: f64 = self.points.iter().map(|p| p.2 * (p.0 - mx) * (p.0 - mx)).sum();
        xy / xx
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_noise_and_its_sum() {
        // x^5 mod p: pseudo-random enough, and the same on every machine.
        let noise: Vec<f64> = (1u64..4000).map(|i| (i.pow(5) % 10_007) as f64 % 100.0).collect();
        for v in [Variant::Both, Variant::Forward, Variant::Half] {
            let a = alpha1(&noise, v).unwrap();
            // Short scales overrate white noise a little.
            assert!((a - 0.55).abs() < 0.1, "{v:?} {a}");
        }
        let mut s = 0.0;
        let walk: Vec<f64> = noise
            .iter()
            .map(|x| {
                s += x - 50.0;
                s
            })
            .collect();
        let a = alpha1(&walk, Variant::Both).unwrap();
        assert!((a - 1.5).abs() < 0.15, "{a}");
    }

    #[test]
    fn absent_with_a_reason() {
        assert_eq!(alpha1(&[900.0; 20], Variant::Both), Err(Why::TooFew));
        assert_eq!(alpha1(&[900.0; 200], Variant::Both), Err(Why::NoVariation));
        assert_eq!(alpha1(&[f64::NAN; 200], Variant::Exercise), Err(Why::NoVariation));
    }
}
