//! Plain statistics that several metrics share.

use super::Why;

/// Partial sums side by side: an order that is fixed, and in which no addition waits for the one before it.
const LANES: usize = 8;

/// Σ f(xᵢ).
pub(super) fn sum_of(x: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let mut chunks = x.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (sum, v) in lanes.iter_mut().zip(chunk) {
            *sum += f(*v);
        }
    }
    chunks.remainder().iter().map(|v| f(*v)).sum::<f64>() + lanes.iter().sum::<f64>()
}

/// Σ xᵢ·yᵢ over the shorter of the two.
pub(super) fn dot(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len());
    let (xs, ys) = (x[..n].chunks_exact(LANES), y[..n].chunks_exact(LANES));
    let rest: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(a, b)| a * b).sum();
    let mut lanes = [0.0; LANES];
    for (a, b) in xs.zip(ys) {
        for (sum, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    rest + lanes.iter().sum::<f64>()
}

/// Less than this between the longest and the shortest interval, ms, is what rounding leaves of none at all.
const LEAST_RANGE_MS: f64 = 1e-6;

/// Whether the intervals differ by more than rounding: what describes the shape of their variation is not defined
/// otherwise. No value, or one that is not finite, is not looked at here.
pub(crate) fn varying(x: &[f64]) -> Result<(), Why> {
    let mut lanes = [(f64::INFINITY, f64::NEG_INFINITY); LANES];
    for chunk in x.chunks(LANES) {
        for ((low, high), v) in lanes.iter_mut().zip(chunk) {
            *low = if *v < *low { *v } else { *low };
            *high = if *v > *high { *v } else { *high };
        }
    }
    let (low, high) = lanes.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |a, b| (a.0.min(b.0), a.1.max(b.1)));
    if high - low < LEAST_RANGE_MS { Err(Why::NoVariation) } else { Ok(()) }
}

/// Arithmetic mean; NaN when empty.
pub(super) fn mean(x: &[f64]) -> f64 {
    sum_of(x, |v| v) / x.len() as f64
}

/// Sample variance (n − 1), computed around the mean.
pub(super) fn variance(x: &[f64]) -> f64 {
    variance_around(x, mean(x))
}

/// The same with the mean already known.
pub(super) fn variance_around(x: &[f64], mean: f64) -> f64 {
    // The mean of equal values may be a rounding away from them.
    if x.len() > 1 && x.iter().all(|v| *v == x[0]) {
        return 0.0;
    }
    sum_of(x, |v| (v - mean) * (v - mean)) / (x.len() as f64 - 1.0)
}

/// Median; NaN when empty.
pub(super) fn median(x: &[f64]) -> f64 {
    percentile(x, 50.0)
}

/// Percentile by linear interpolation between order statistics; NaN when empty.
pub(super) fn percentile(x: &[f64], p: f64) -> f64 {
    if x.is_empty() {
        return f64::NAN;
    }
    let mut s = x.to_vec();
    let h = p / 100.0 * (s.len() - 1) as f64;
    let i = h as usize;
    let (_, a, above) = s.select_nth_unstable_by(i, f64::total_cmp);
    let a = *a;
    let b = above.iter().copied().min_by(f64::total_cmp).unwrap_or(a);
    a + (h - i as f64) * (b - a)
}

/// Subtracts the least-squares line of `y` against its index, in place.
pub(super) fn remove_line(y: &mut [f64]) {
    let n = y.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let m = mean(y);
    let mut lanes = [0.0; LANES];
    for (c, chunk) in y.chunks(LANES).enumerate() {
        let first = (c * LANES) as f64 - middle;
        for (k, (sum, v)) in lanes.iter_mut().zip(chunk).enumerate() {
            *sum += (first + k as f64) * (v - m);
        }
    }
    let xx = n * (n * n - 1.0) / 12.0;
    let slope = if xx > 0.0 { lanes.iter().sum::<f64>() / xx } else { 0.0 };
    for (i, v) in y.iter_mut().enumerate() {
        *v -= m + slope * (i as f64 - middle);
    }
}
