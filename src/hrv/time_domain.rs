//! Time domain over segments: exact integer sums in ticks, one definition for live and final values.
//!
//! Definitions: Task Force 1996; SDNN with n − 1; RMSSD over the usable pairs; pNN50 strict (> 50 ms) over pairs;
//! mean HR = 60000 / mean NN.

use crate::artifact::Label;
use crate::units::RrTicks;

const MS_PER_TICK: f64 = 1000.0 / 1024.0;

/// Sums over NN intervals and their pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeDomain {
    nn: u32,
    sum: i64,
    sum_sq: i64,
    pairs: u32,
    diff_sq: i64,
    over_50: u32,
}

impl TimeDomain {
    /// Adds one segment: neighbouring intervals, oldest first, with their labels.
    pub fn segment(&mut self, intervals: impl IntoIterator<Item = (RrTicks, Label)>) {
        let mut chain = Chain::default();
        for (rr, label) in intervals {
            let diff = chain.next(rr, label.is_normal());
            if label.is_normal() {
                self.add(rr);
            }
            if let Some(d) = diff {
                self.add_pair(d);
            }
        }
    }

    /// Adds an NN interval.
    pub fn add(&mut self, rr: RrTicks) {
        let x = i64::from(rr.0);
        self.nn += 1;
        self.sum += x;
        self.sum_sq += x * x;
    }

    /// Takes an NN interval out again.
    pub fn remove(&mut self, rr: RrTicks) {
        let x = i64::from(rr.0);
        self.nn -= 1;
        self.sum -= x;
        self.sum_sq -= x * x;
    }

    /// Adds a successive difference, ticks.
    pub fn add_pair(&mut self, diff: i32) {
        let d = i64::from(diff);
        self.pairs += 1;
        self.diff_sq += d * d;
        self.over_50 += u32::from(exceeds_50(diff));
    }

    /// Takes a successive difference out again.
    pub fn remove_pair(&mut self, diff: i32) {
        let d = i64::from(diff);
        self.pairs -= 1;
        self.diff_sq -= d * d;
        self.over_50 -= u32::from(exceeds_50(diff));
    }

    /// NN intervals.
    pub fn nn(&self) -> u32 {
        self.nn
    }

    /// Pairs behind RMSSD.
    pub fn pairs(&self) -> u32 {
        self.pairs
    }

    /// Mean NN, ms.
    pub fn mean_rr_ms(&self) -> Option<f64> {
        (self.nn > 0).then(|| self.sum as f64 / f64::from(self.nn) * MS_PER_TICK)
    }

    /// 60000 / mean NN, bpm.
    pub fn mean_hr_bpm(&self) -> Option<f64> {
        self.mean_rr_ms().map(|ms| 60_000.0 / ms)
    }

    /// Standard deviation of NN (n − 1), ms.
    pub fn sdnn_ms(&self) -> Option<f64> {
        if self.nn < 2 {
            return None;
        }
        let n = i128::from(self.nn);
        // exact numerator: n·Σx² − (Σx)²
        let spread = n * i128::from(self.sum_sq) - i128::from(self.sum) * i128::from(self.sum);
        Some((spread as f64 / (n * (n - 1)) as f64).sqrt() * MS_PER_TICK)
    }

    /// Root mean square of successive differences, ms.
    pub fn rmssd_ms(&self) -> Option<f64> {
        (self.pairs > 0).then(|| (self.diff_sq as f64 / f64::from(self.pairs)).sqrt() * MS_PER_TICK)
    }

    /// ln(RMSSD / ms); `None` where RMSSD is 0.
    pub fn ln_rmssd(&self) -> Option<f64> {
        self.rmssd_ms().filter(|r| *r > 0.0).map(f64::ln)
    }

    /// Share of pairs that differ by more than 50 ms, %.
    pub fn pnn50_pct(&self) -> Option<f64> {
        (self.pairs > 0).then(|| 100.0 * f64::from(self.over_50) / f64::from(self.pairs))
    }
}

/// |ticks| · 1000/1024 > 50, in integers.
fn exceeds_50(diff: i32) -> bool {
    i64::from(diff).abs() * 1000 > 50 * 1024
}

/// Walks a segment and yields the usable successive differences.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chain {
    last: Option<RrTicks>,
    /// Whether the interval before was flagged: the one right after it is kept out of pairs too.
    after_artifact: bool,
}

impl Chain {
    /// The next interval of the segment; returns its difference to the one before, if that counts.
    pub fn next(&mut self, rr: RrTicks, normal: bool) -> Option<i32> {
        if !normal {
            *self = Self { last: None, after_artifact: true };
            return None;
        }
        if self.after_artifact {
            // normal, but a neighbour of an artifact: it may hold a shifted beat
            self.after_artifact = false;
            return None;
        }
        let diff = self.last.map(|l| i32::from(rr.0) - i32::from(l.0));
        self.last = Some(rr);
        diff
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Label::{Ectopic as E, Normal as N};

    fn of(list: &[(u16, Label)]) -> TimeDomain {
        let mut td = TimeDomain::default();
        td.segment(list.iter().map(|(t, l)| (RrTicks(*t), *l)));
        td
    }

    #[test]
    fn by_hand() {
        let td = of(&[(1024, N), (1126, N), (1024, N), (973, N)]);
        assert_eq!((td.nn(), td.pairs()), (4, 3));
        let close = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-9, "{a:?} {b}");
        let ms = 1000.0 / 1024.0;
        close(td.mean_rr_ms(), (1024.0 + 1126.0 + 1024.0 + 973.0) / 4.0 * ms);
        close(td.rmssd_ms(), ((102.0f64 * 102.0 * 2.0 + 51.0 * 51.0) / 3.0).sqrt() * ms);
        close(td.pnn50_pct(), 200.0 / 3.0); // 51 ticks are 49.8 ms
    }

    #[test]
    fn no_difference_crosses_an_artifact_or_its_follower() {
        let td = of(&[(1000, N), (1001, N), (600, E), (1400, N), (1000, N), (1002, N)]);
        // pairs: 1000-1001 and 1000-1002; neither 1001-600 nor 600-1400 nor 1400-1000
        assert_eq!((td.nn(), td.pairs()), (5, 2));
        let ms = 1000.0 / 1024.0;
        assert!((td.rmssd_ms().unwrap() - (2.5f64).sqrt() * ms).abs() < 1e-12);
    }

    #[test]
    fn segments_are_not_concatenated() {
        let mut td = TimeDomain::default();
        td.segment([(RrTicks(800), N), (RrTicks(800), N)]);
        td.segment([(RrTicks(1200), N), (RrTicks(1200), N)]);
        assert_eq!((td.pairs(), td.rmssd_ms(), td.ln_rmssd()), (2, Some(0.0), None));
    }

    #[test]
    fn nothing_from_nothing() {
        let td = TimeDomain::default();
        assert_eq!(
            (td.mean_rr_ms(), td.mean_hr_bpm(), td.sdnn_ms(), td.rmssd_ms(), td.pnn50_pct()),
            (None, None, None, None, None)
        );
    }
}
