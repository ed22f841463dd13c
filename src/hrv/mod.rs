//! Heart-rate variability metrics, defined once in `docs/signal.md`.
//!
//! Every metric is a [`Metric`]: a finite number, or the reason why there is none.

pub mod baevsky;
pub mod bands;
pub mod breathing;
pub mod detrend;
pub mod dfa;
pub mod entropy;
mod fft;
pub mod lomb;
pub mod nn;
pub mod rolling;
mod spline;
mod stats;
pub mod tachogram;
pub mod time;
pub mod welch;

use std::fmt;

/// A number, or why there is none. The number is always finite.
pub type Metric = Result<f64, Why>;

/// Why a metric has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Too few intervals or pairs of intervals.
    TooFew,
    /// The stretch is too short for the slowest wave that is asked for.
    TooShort,
    /// The stretch is too long for a metric that belongs to minutes.
    TooLong,
    /// Too many artifacts.
    Artifacts,
    /// Beats are missing inside.
    Gap,
    /// The intervals do not vary, so the metric is not defined.
    NoVariation,
    /// There is nothing in the data that the metric could be read from with confidence.
    Unclear,
    /// The strap's signal carries no variability, whatever it looks like.
    Refused,
}

impl Why {
    /// Stable English word for JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooFew => "too_few",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::Artifacts => "artifacts",
            Self::Gap => "gap",
            Self::NoVariation => "no_variation",
            Self::Unclear => "unclear",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

pub(crate) use stats::varying;

/// The last gate: a number that is not finite never leaves.
pub(crate) fn finite(value: f64, otherwise: Why) -> Metric {
    if value.is_finite() { Ok(value) } else { Err(otherwise) }
}
