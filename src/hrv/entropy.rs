//! Sample entropy (Richman & Moorman 2000): m = 2, r = 0.2 standard deviations.

use super::stats::{variance, varying};
use super::{Metric, Why, finite};

/// Fewest intervals for a rough value.
pub const MIN_INTERVALS: usize = 200;

/// Sample entropy with n − 2 templates of both lengths, Chebyshev distance ≤ r, self-matches left out.
/// Templates are sorted by their first value, so only the few within r of each other are compared.
pub fn sample_entropy(rr_ms: &[f64]) -> Metric {
    let n = rr_ms.len();
    if n < 4 {
        return Err(Why::TooFew);
    }
    varying(rr_ms)?;
    let r = 0.2 * variance(rr_ms).sqrt();
    if !r.is_finite() || r == 0.0 {
        return Err(Why::NoVariation);
    }
    let mut templates: Vec<[f64; 3]> = rr_ms.windows(3).map(|w| [w[0], w[1], w[2]]).collect();
    templates.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]));
    let first: Vec<f64> = templates.iter().map(|t| t[0]).collect();
    let second: Vec<f64> = templates.iter().map(|t| t[1]).collect();
    let third: Vec<f64> = templates.iter().map(|t| t[2]).collect();
    let (mut two, mut three) = (0u64, 0u64);
    let mut end = 0;
    for i in 0..first.len() {
        while end < first.len() && first[end] - first[i] <= r {
            end += 1;
        }
        let (b, c) = (second[i], third[i]);
        let (mut near, mut nearer) = (0u32, 0u32);
        for (s, t) in second[i + 1..end].iter().zip(&third[i + 1..end]) {
            let close = (s - b).abs() <= r;
            near += u32::from(close);
            nearer += u32::from(close & ((t - c).abs() <= r));
        }
        two += u64::from(near);
        three += u64::from(nearer);
    }
    // Plus zero: where every match goes on matching, the logarithm is zero and not minus zero.
    finite(-(three as f64 / two as f64).ln() + 0.0, Why::Unclear)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, pair by pair.
    fn plain(x: &[f64]) -> (u64, u64) {
        let r = 0.2 * variance(x).sqrt();
        let n = x.len();
        let (mut a, mut b) = (0, 0);
        for i in 0..n - 2 {
            for j in i + 1..n - 2 {
                if (x[i] - x[j]).abs() <= r && (x[i + 1] - x[j + 1]).abs() <= r {
                    b += 1;
                    a += u64::from((x[i + 2] - x[j + 2]).abs() <= r);
                }
            }
        }
        (a, b)
    }

    #[test]
    fn equals_the_definition() {
        for k in [3u64, 7, 11] {
            let x: Vec<f64> =
                (0..400u64).map(|i| 800.0 + ((i * i * k) % 97) as f64 + 30.0 * (i as f64 / 4.0).sin()).collect();
            let (a, b) = plain(&x);
            assert_eq!(sample_entropy(&x), Ok(-(a as f64 / b as f64).ln()));
        }
        assert_eq!(sample_entropy(&[900.0; 300]), Err(Why::NoVariation));
        assert_eq!(sample_entropy(&[1.0, 2.0]), Err(Why::TooFew));
    }
}
