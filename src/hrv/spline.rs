//! Cubic spline through unevenly spaced points (not-a-knot ends), sampled evenly.

/// Samples the spline through `(t, y)` at 0, `step`, 2·`step`, … up to the last `t` (kept if it is hit within 1 ns).
/// `t` ascends strictly from 0; `None` if it does not or if there are fewer than four points.
pub(super) fn resample(t: &[f64], y: &[f64], step: f64) -> Option<Vec<f64>> {
    let n = t.len();
    if n < 4 || y.len() != n || !t.windows(2).all(|w| w[0] < w[1]) || !y.iter().all(|v| v.is_finite()) {
        return None;
    }
    let s = slopes(t, y);
    let end = t[n - 1] + 1e-9;
    let count = (end / step).ceil() as usize;
    let mut out = Vec::with_capacity(count);
    let mut i = 0;
    for k in 0..count {
        let x = k as f64 * step;
        while i + 2 < n && x >= t[i + 1] {
            i += 1;
        }
        let h = t[i + 1] - t[i];
        let slope = (y[i + 1] - y[i]) / h;
        let u = x - t[i];
        let c3 = (s[i] + s[i + 1] - 2.0 * slope) / h;
        let c2 = (slope - s[i]) / h - c3;
        out.push(((c3 / h * u + c2) * u + s[i]) * u + y[i]);
    }
    Some(out)
}

/// First derivatives at the points: continuous second derivative inside, continuous third one next to the ends.
fn slopes(t: &[f64], y: &[f64]) -> Vec<f64> {
    let n = t.len();
    let h = |i: usize| t[i + 1] - t[i];
    let m = |i: usize| (y[i + 1] - y[i]) / (t[i + 1] - t[i]);
    // Tridiagonal system, eliminated downwards as it is built: `upper` and `right` hold the reduced rows.
    let mut upper = vec![0.0; n];
    let mut right = vec![0.0; n];
    let d = t[2] - t[0];
    upper[0] = d / h(1);
    right[0] = ((h(0) + 2.0 * d) * h(1) * m(0) + h(0) * h(0) * m(1)) / d / h(1);
    for i in 1..n - 1 {
        let (lower, diagonal, up) = (h(i), 2.0 * (h(i - 1) + h(i)), h(i - 1));
        let b = 3.0 * (h(i) * m(i - 1) + h(i - 1) * m(i));
        let pivot = diagonal - lower * upper[i - 1];
        upper[i] = up / pivot;
        right[i] = (b - lower * right[i - 1]) / pivot;
    }
    let d = t[n - 1] - t[n - 3];
    let (h1, h2) = (h(n - 2), h(n - 3));
    let b = (h1 * h1 * m(n - 3) + (2.0 * d + h1) * h2 * m(n - 2)) / d;
    let pivot = h2 - d * upper[n - 2];
    right[n - 1] = (b - d * right[n - 2]) / pivot;
    for i in (0..n - 1).rev() {
        right[i] -= upper[i] * right[i + 1];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cubic_is_reproduced() {
        let f = |x: f64| 2.0 - 3.0 * x + 0.5 * x * x - 0.25 * x * x * x;
        let t = [0.0, 0.7, 1.1, 2.4, 3.0, 4.2];
        let y: Vec<f64> = t.iter().map(|x| f(*x)).collect();
        let s = resample(&t, &y, 0.25).unwrap();
        assert_eq!(s.len(), 17);
        for (k, v) in s.iter().enumerate() {
            assert!((v - f(k as f64 * 0.25)).abs() < 1e-12, "{k}");
        }
    }

    #[test]
    fn refuses_what_is_no_function() {
        assert_eq!(resample(&[0.0, 1.0, 2.0], &[1.0; 3], 0.25), None);
        assert_eq!(resample(&[0.0, 1.0, 1.0, 2.0], &[1.0; 4], 0.25), None);
        assert_eq!(resample(&[0.0, 1.0, 2.0, 3.0], &[1.0, f64::NAN, 1.0, 1.0], 0.25), None);
    }
}
