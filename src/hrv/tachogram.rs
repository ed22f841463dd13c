//! Intervals at the times of their beats, and the same evenly sampled: what spectra and breathing share.

use super::Why;
use super::spline::resample;
use std::cell::OnceCell;

/// Samples per second after interpolation.
pub(super) const RATE_HZ: f64 = 4.0;

/// A corrected series without gaps. The spline to 4 Hz is made once, when it is first needed.
#[derive(Debug)]
pub struct Tachogram<'a> {
    rr_ms: &'a [f64],
    times_s: Vec<f64>,
    even: OnceCell<Option<Vec<f64>>>,
}

impl<'a> Tachogram<'a> {
    /// Fewer than four intervals are too few; times that do not ascend, or are none, are unclear.
    pub fn of(rr_ms: &'a [f64]) -> Result<Self, Why> {
        if rr_ms.len() < 4 {
            return Err(Why::TooFew);
        }
        let times_s = beat_times_s(rr_ms);
        let sound = rr_ms.iter().all(|v| v.is_finite()) && times_s.windows(2).all(|w| w[0] < w[1]);
        if sound { Ok(Self { rr_ms, times_s, even: OnceCell::new() }) } else { Err(Why::Unclear) }
    }

    /// The intervals, ms.
    pub fn rr_ms(&self) -> &'a [f64] {
        self.rr_ms
    }

    /// Times of the beats that end the intervals, s, from the first of them.
    pub fn times_s(&self) -> &[f64] {
        &self.times_s
    }

    /// From the first to the last of these times, s.
    pub fn length_s(&self) -> f64 {
        self.times_s.last().copied().unwrap_or(0.0)
    }

    /// The intervals at 0, ¼, ½ … s, by a not-a-knot cubic spline.
    pub fn even(&self) -> Result<&[f64], Why> {
        self.even.get_or_init(|| resample(&self.times_s, self.rr_ms, 1.0 / RATE_HZ)).as_deref().ok_or(Why::Unclear)
    }
}

fn beat_times_s(rr_ms: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let first = rr_ms[0] / 1000.0;
    rr_ms
        .iter()
        .map(|rr| {
            sum += rr;
            sum / 1000.0 - first
        })
        .collect()
}
