//! Power in the classical frequency bands.

use super::stats::sum_of;
use super::{Metric, Why, finite};

/// Very low frequency, Hz, half-open.
pub const VLF: (f64, f64) = (0.0033, 0.04);
/// Low frequency, Hz, half-open.
pub const LF: (f64, f64) = (0.04, 0.15);
/// High frequency, Hz, half-open.
pub const HF: (f64, f64) = (0.15, 0.40);

/// A window may fall short of a required length by about one interval, s.
const SLACK_S: f64 = 2.0;
/// Least length for the fastest band, s.
const HF_S: f64 = 120.0;

/// Band powers in ms². There is no "balance" here on purpose: LF/HF does not measure it (Billman 2013).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bands {
    /// Power in [`VLF`].
    pub vlf_ms2: Metric,
    /// Power in [`LF`].
    pub lf_ms2: Metric,
    /// Power in [`HF`].
    pub hf_ms2: Metric,
}

impl Bands {
    /// No value, for one reason.
    pub const fn none(why: Why) -> Self {
        Self { vlf_ms2: Err(why), lf_ms2: Err(why), hf_ms2: Err(why) }
    }

    /// Whether a stretch of this length allows any band.
    pub fn allowed(length_s: f64) -> bool {
        length_s + SLACK_S >= HF_S
    }

    /// Each band only where the data are long enough for its slowest wave: HF 120 s, LF 250 s, VLF 300 s
    /// (Task Force 1996: about ten times the longest wave). `length_s` may fall short by one interval.
    pub fn limited_to(mut self, length_s: f64) -> Self {
        for (band, need) in [(&mut self.vlf_ms2, 300.0), (&mut self.lf_ms2, 250.0), (&mut self.hf_ms2, HF_S)] {
            if length_s + SLACK_S < need {
                *band = Err(Why::TooShort);
            }
        }
        self
    }
}

/// A one-sided power spectrum on an even grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// Multiple of the grid at which the first value lies: 0, or 1 if there is none at 0 Hz.
    pub first: usize,
    /// Values a Hz.
    pub per_hz: f64,
    /// Power density, ms²/Hz.
    pub density: Vec<f64>,
}

impl Spectrum {
    /// Frequency of value `k`.
    pub fn hz(&self, k: usize) -> f64 {
        // One division, one rounding: a frequency that is the edge of a band must not fall short of it.
        (k + self.first) as f64 / self.per_hz
    }

    /// Distance between values, Hz.
    pub fn step_hz(&self) -> f64 {
        1.0 / self.per_hz
    }

    /// Index of the first value at `hz` or above, at most the number of values.
    pub fn first_at(&self, hz: f64) -> usize {
        let mut k = ((hz * self.per_hz).floor().max(0.0) as usize).saturating_sub(self.first);
        // The quotient may be off by a rounding; the definition is by the frequencies themselves.
        while k > 0 && self.hz(k - 1) >= hz {
            k -= 1;
        }
        while self.hz(k) < hz {
            k += 1;
        }
        k.min(self.density.len())
    }

    /// Area by the trapezoid rule over the values at lo ≤ f < hi.
    pub fn power(&self, (lo, hi): (f64, f64)) -> Metric {
        let area = match &self.density[self.first_at(lo)..self.first_at(hi)] {
            [] | [_] => 0.0,
            [first, inner @ .., last] => (sum_of(inner, |p| p) + 0.5 * (first + last)) * self.step_hz(),
        };
        finite(area, Why::Unclear)
    }

    /// The three bands.
    pub fn bands(&self) -> Bands {
        Bands { vlf_ms2: self.power(VLF), lf_ms2: self.power(LF), hf_ms2: self.power(HF) }
    }
}
