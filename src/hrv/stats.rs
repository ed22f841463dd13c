//! Plain statistics that several metrics share.

/// Arithmetic mean; NaN when empty.
pub(super) fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// Sample variance (n − 1), computed around the mean.
pub(super) fn variance(x: &[f64]) -> f64 {
    let m = mean(x);
    x.iter().map(|v| (v - m) * (v - m)).sum::<f64>() / (x.len() as f64 - 1.0)
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
    s.sort_unstable_by(f64::total_cmp);
    let h = p / 100.0 * (s.len() - 1) as f64;
    let i = h as usize;
    let (a, b) = (s[i], s[(i + 1).min(s.len() - 1)]);
    a + (h - i as f64) * (b - a)
}

/// Subtracts the least-squares line of `y` against its index, in place.
pub(super) fn remove_line(y: &mut [f64]) {
    let n = y.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let m = mean(y);
    let (mut xy, mut xx) = (0.0, 0.0);
    for (i, v) in y.iter().enumerate() {
        let x = i as f64 - middle;
        xy += x * (v - m);
        xx += x * x;
    }
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    for (i, v) in y.iter_mut().enumerate() {
        *v -= m + slope * (i as f64 - middle);
    }
}
