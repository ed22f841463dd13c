//! Baevsky's stress index: how high and narrow the histogram of intervals stands. Only a shape; see `docs/signal.md`.

use super::stats::{median, varying};
use super::{Metric, Why, finite};

/// Width of a bin, ms; bins are aligned at multiples of it.
const BIN_MS: f64 = 50.0;

/// Histogram measures of a clean window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Histogram {
    /// Share of intervals in the fullest bin, %.
    pub mode_pct: f64,
    /// Centre of the fullest bin, s.
    pub mode_s: f64,
    /// Longest minus shortest interval, s.
    pub range_s: f64,
    /// Median interval, s.
    pub median_s: f64,
}

impl Histogram {
    /// Counts the intervals into bins. The first of equally full bins is the mode.
    pub fn of(rr_ms: &[f64]) -> Result<Self, Why> {
        if rr_ms.len() < 2 {
            return Err(Why::TooFew);
        }
        if !rr_ms.iter().all(|x| (0.0..1e6).contains(x)) {
            return Err(Why::Unclear);
        }
        let low = rr_ms.iter().copied().fold(f64::INFINITY, f64::min);
        let high = rr_ms.iter().copied().fold(0.0, f64::max);
        let bin = |x: f64| (x / BIN_MS) as usize;
        let mut counts = vec![0u32; bin(high) - bin(low) + 1];
        for x in rr_ms {
            counts[bin(*x) - bin(low)] += 1;
        }
        let mut mode = 0;
        for (k, c) in counts.iter().enumerate() {
            if *c > counts[mode] {
                mode = k;
            }
        }
        Ok(Self {
            mode_pct: 100.0 * f64::from(counts[mode]) / rr_ms.len() as f64,
            mode_s: ((mode + bin(low)) as f64 + 0.5) * BIN_MS / 1000.0,
            range_s: (high - low) / 1000.0,
            median_s: median(rr_ms) / 1000.0,
        })
    }

    /// SI = AMo / (2·Mo·MxDMn), with the centre of the fullest bin as Mo.
    pub fn stress_index(&self) -> Metric {
        finite(self.mode_pct / (2.0 * self.mode_s * self.range_s), Why::NoVariation)
    }

    /// The form whose square root some programs show: Mo is the median.
    pub fn stress_index_by_median(&self) -> Metric {
        finite(self.mode_pct / (2.0 * self.median_s * self.range_s), Why::NoVariation)
    }
}

/// The stress index of a window.
pub fn stress_index(rr_ms: &[f64]) -> Metric {
    let histogram = Histogram::of(rr_ms)?;
    varying(rr_ms)?;
    histogram.stress_index()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let h = Histogram::of(&[810.0, 820.0, 849.9, 850.0, 905.0]).unwrap();
        assert_eq!((h.mode_pct, h.mode_s, h.median_s), (60.0, 0.825, 0.8499));
        assert!((h.range_s - 0.095).abs() < 1e-12);
        assert!((h.stress_index().unwrap() - 60.0 / (2.0 * 0.825 * 0.095)).abs() < 1e-9);
        assert_eq!(stress_index(&[800.0; 9]), Err(Why::NoVariation));
        assert_eq!(stress_index(&[800.0]), Err(Why::TooFew));
        assert_eq!(stress_index(&[800.0, f64::NAN]), Err(Why::Unclear));
    }
}
