//! Whether intervals look like a heart: the share that differs wildly from its neighbourhood.

use super::recent::Bits;
use crate::units::RrTicks;

/// An interval this far from the median of its predecessors is implausible. Strong respiratory arrhythmia stays
/// within a quarter; a missed beat doubles an interval and a beat too many halves it.
const WILD: f64 = 0.35;
/// No heart beats faster than 240 bpm: shorter is bogus.
const SHORT: u16 = 256;
/// Bogus short intervals among the last 64 that make a finding.
const SHORTS: u32 = 3;

#[derive(Clone, Debug, Default)]
pub(super) struct Rhythm {
    recent: [u16; 9],
    len: usize,
    wild: Bits,
    short: Bits,
    before: u16,
}

impl Rhythm {
    pub(super) fn push(&mut self, rr: RrTicks) {
        let median = self.median();
        let m = f64::from(median);
        let far = |x: u16, limit: f64| (f64::from(x) - m).abs() > limit * m;
        // something short beside a whole interval is an addition; two parts of an interval are noise
        let added = median > 0 && rr.0 < SHORT && f64::from(rr.0) < m / 2.0 && !far(self.before, 0.2);
        self.short.push(added);
        if added {
            return;
        }
        self.before = rr.0;
        if median > 0 {
            self.wild.push(far(rr.0, WILD));
        }
        self.recent[self.len % 9] = rr.0;
        self.len += 1;
    }

    /// Median of the last nine, ticks; 0 while there are fewer than five.
    pub(super) fn median(&self) -> u16 {
        let n = self.len.min(9);
        if n < 5 {
            return 0;
        }
        let mut sorted = self.recent;
        let sorted = &mut sorted[..n];
        sorted.sort_unstable();
        sorted[n / 2]
    }

    /// Share of implausible intervals among the last 64; `None` while there are few.
    pub(super) fn wild_share(&self) -> Option<f64> {
        (self.wild.len() >= 16).then(|| self.wild.share())
    }

    pub(super) fn seen(&self) -> u32 {
        self.wild.len()
    }

    pub(super) fn has_added(&self) -> bool {
        self.short.count() >= SHORTS
    }
}
