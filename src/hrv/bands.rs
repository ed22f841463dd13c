//! Power in the classical frequency bands.

use super::{Metric, Why, finite};

/// Very low frequency, Hz, half-open.
pub const VLF: (f64, f64) = (0.0033, 0.04);
/// Low frequency, Hz, half-open.
pub const LF: (f64, f64) = (0.04, 0.15);
/// High frequency, Hz, half-open.
pub const HF: (f64, f64) = (0.15, 0.40);

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

    /// Each band only where the data are long enough for its slowest wave: HF 120 s, LF 250 s, VLF 300 s
    /// (Task Force 1996: about ten times the longest wave). `length_s` may fall short by one interval.
    pub fn limited_to(mut self, length_s: f64) -> Self {
        const SLACK_S: f64 = 2.0;
        for (band, need) in [(&mut self.vlf_ms2, 300.0), (&mut self.lf_ms2, 250.0), (&mut self.hf_ms2, 120.0)] {
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
    /// Frequency of the first value, Hz.
    pub first_hz: f64,
    /// Distance between values, Hz.
    pub step_hz: f64,
    /// Power density, ms²/Hz.
    pub density: Vec<f64>,
}

impl Spectrum {
    /// Frequency of value `k`.
    pub fn hz(&self, k: usize) -> f64 {
        self.first_hz + k as f64 * self.step_hz
    }

    /// Area by the trapezoid rule over the values at lo ≤ f < hi.
    pub fn power(&self, (lo, hi): (f64, f64)) -> Metric {
        let start = (((lo - self.first_hz) / self.step_hz).floor() - 1.0).max(0.0) as usize;
        let mut area = 0.0;
        let mut before = None;
        for (k, p) in self.density.iter().enumerate().skip(start) {
            let f = self.hz(k);
            if f >= hi {
                break;
            }
            if f >= lo {
                if let Some(b) = before {
                    area += 0.5 * (b + p) * self.step_hz;
                }
                before = Some(*p);
            }
        }
        finite(area, Why::Unclear)
    }

    /// The three bands.
    pub fn bands(&self) -> Bands {
        Bands { vlf_ms2: self.power(VLF), lf_ms2: self.power(LF), hf_ms2: self.power(HF) }
    }
}
