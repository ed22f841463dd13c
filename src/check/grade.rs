//! How far a window can be trusted.

use super::result::words;
use std::fmt;
use std::str::FromStr;

words! {
    /// Quality of a window; the limits stand in [`Grade::of`].
    Grade {
        /// At most 3 % artifacts, coverage 0.97 to 1.03, no gap.
        Good = "good",
        /// At most 5 % artifacts: enters the baseline.
        Fair = "fair",
        /// At most 10 %: shown, kept out of the baseline.
        Poor = "poor",
        /// No value.
        Bad = "bad",
    }
}

impl Grade {
    /// Grade by artifact share (%), coverage (ΣRR over time) and whether a gap lies inside.
    pub fn of(artifact_pct: f64, coverage: f64, gap: bool) -> Self {
        // NaN is bad too
        let usable = artifact_pct <= 10.0 && (0.90..=1.06).contains(&coverage);
        if !usable {
            Self::Bad
        } else if artifact_pct > 5.0 || coverage < 0.95 {
            Self::Poor
        } else if artifact_pct > 3.0 || !(0.97..=1.03).contains(&coverage) || gap {
            Self::Fair
        } else {
            Self::Good
        }
    }

    /// One step down; a value never becomes no value by this.
    pub fn step_down(self) -> Self {
        match self {
            Self::Good => Self::Fair,
            Self::Fair | Self::Poor => Self::Poor,
            Self::Bad => Self::Bad,
        }
    }

    /// Whether a value may enter the baseline.
    pub fn enters_baseline(self) -> bool {
        matches!(self, Self::Good | Self::Fair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        use Grade::*;
        for (pct, coverage, gap, want) in [
            (0.0, 1.0, false, Good),
            (3.0, 0.97, false, Good),
            (3.1, 1.0, false, Fair),
            (0.0, 0.969, false, Fair),
            (0.0, 1.03, false, Good),
            (0.0, 1.031, false, Fair),
            (0.0, 1.061, false, Bad),
            (0.0, 1.0, true, Fair),
            (5.0, 1.0, false, Fair),
            (5.1, 1.0, false, Poor),
            (0.0, 0.949, false, Poor),
            (10.0, 1.0, false, Poor),
            (10.1, 1.0, false, Bad),
            (0.0, 0.89, false, Bad),
            (f64::NAN, 1.0, false, Bad),
            (0.0, f64::NAN, false, Bad),
        ] {
            assert_eq!(Grade::of(pct, coverage, gap), want, "{pct} {coverage} {gap}");
        }
    }
}
