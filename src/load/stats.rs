//! Mean and spread of a few numbers.

/// Arithmetic mean; `None` when empty.
pub(crate) fn mean(x: &[f64]) -> Option<f64> {
    (!x.is_empty()).then(|| x.iter().sum::<f64>() / x.len() as f64)
}

/// Sample standard deviation (n − 1); 0 for fewer than two values.
pub(crate) fn sd(x: &[f64]) -> f64 {
    match mean(x) {
        Some(m) if x.len() > 1 => (x.iter().map(|v| (v - m) * (v - m)).sum::<f64>() / (x.len() - 1) as f64).sqrt(),
        _ => 0.0,
    }
}

/// Median; `None` when empty.
pub(crate) fn median(x: &[f64]) -> Option<f64> {
    let mut s = x.to_vec();
    s.sort_unstable_by(f64::total_cmp);
    let (low, high) = (s.get(s.len().checked_sub(1)? / 2)?, s.get(s.len() / 2)?);
    Some((low + high) / 2.0)
}

/// The values that are there, of the last `n` entries.
pub(crate) fn known(x: &[Option<f64>], n: usize) -> Vec<f64> {
    x.iter().skip(x.len().saturating_sub(n)).filter_map(|v| *v).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_sets() {
        assert_eq!((mean(&[]), sd(&[]), sd(&[3.0])), (None, 0.0, 0.0));
        assert_eq!((mean(&[1.0, 2.0, 6.0]), median(&[6.0, 1.0, 2.0])), (Some(3.0), Some(2.0)));
        assert_eq!((median(&[4.0, 1.0]), median(&[])), (Some(2.5), None));
        // Foster's week, ddof 1
        assert!((sd(&[60.0, 0.0, 90.0, 40.0, 0.0, 120.0, 50.0]) - 44.131837).abs() < 1e-6);
        assert_eq!(known(&[Some(1.0), None, Some(3.0)], 2), [3.0]);
    }
}
