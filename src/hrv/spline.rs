//! Cubic spline through unevenly spaced points (not-a-knot ends), sampled evenly.

/// Samples the spline through `(t, y)` at 0, `step`, 2·`step`, … up to the last `t` (kept if it is hit within 1 ns).
/// `t` ascends strictly from 0; `None` if it does not or if there are fewer than four points.
pub(super) fn resample(t: &[f64], y: &[f64], step: f64) -> Option<Vec<f64>> {
    let n = t.len();
    if n < 4 || y.len() != n || !t.windows(2).all(|w| w[0] < w[1]) || !y.iter().all(|v| v.is_finite()) {
        return None;
    }
    let pieces: Vec<Piece> = t
        .windows(2)
        .zip(y.windows(2))
        .map(|(t, y)| {
            let length = t[1] - t[0];
            let inverse = 1.0 / length;
            Piece { length, inverse, slope: (y[1] - y[0]) * inverse }
        })
        .collect();
    let s = slopes(&pieces);
    let end = t[n - 1] + 1e-9;
    let count = (end / step).ceil() as usize;
    let mut out = Vec::with_capacity(count);
    for (i, p) in pieces.iter().enumerate() {
        // Samples before the next point; the last piece takes the rest.
        let until = if i + 2 < n { t[i + 1] } else { f64::INFINITY };
        let c3 = (s[i] + s[i + 1] - 2.0 * p.slope) * p.inverse;
        let c2 = (p.slope - s[i]) * p.inverse - c3;
        let c3 = c3 * p.inverse;
        while out.len() < count {
            let x = out.len() as f64 * step;
            if x >= until {
                break;
            }
            let u = x - t[i];
            out.push(((c3 * u + c2) * u + s[i]) * u + y[i]);
        }
    }
    Some(out)
}

/// Between two neighbouring points.
struct Piece {
    length: f64,
    inverse: f64,
    slope: f64,
}

/// First derivatives at the points: continuous second derivative inside, continuous third one next to the ends.
fn slopes(p: &[Piece]) -> Vec<f64> {
    let n = p.len() + 1;
    let h = |i: usize| p[i].length;
    let m = |i: usize| p[i].slope;
    // Tridiagonal system, eliminated downwards as it is built: `upper` and `right` hold the reduced rows.
    let mut upper = vec![0.0; n];
    let mut right = vec![0.0; n];
    let d = h(0) + h(1);
    upper[0] = d / h(1);
    right[0] = ((h(0) + 2.0 * d) * h(1) * m(0) + h(0) * h(0) * m(1)) / d / h(1);
    for i in 1..n - 1 {
        let (lower, diagonal, up) = (h(i), 2.0 * (h(i - 1) + h(i)), h(i - 1));
        let b = 3.0 * (h(i) * m(i - 1) + h(i - 1) * m(i));
        let inverse = 1.0 / (diagonal - lower * upper[i - 1]);
        upper[i] = up * inverse;
        right[i] = (b - lower * right[i - 1]) * inverse;
    }
    let (h1, h2) = (h(n - 2), h(n - 3));
    let d = h1 + h2;
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
