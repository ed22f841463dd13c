//! Whether intervals look like a heart: the share that differs wildly from its neighbourhood.

use super::recent::Bits;
use crate::units::RrTicks;

/// An interval this far from the median of its predecessors is implausible. Strong respiratory arrhythmia stays
/// within a quarter; a missed beat doubles an interval and a beat too many halves it.
const WILD_PCT: u32 = 35;
/// No heart beats faster than 240 bpm: shorter is bogus.
const SHORT: u16 = 256;
/// Neighbours this close to the median are whole intervals.
const WHOLE_PCT: u32 = 20;
/// Bogus short intervals among the last 64 that make a finding.
const ADDED: u32 = 3;

#[derive(Clone, Debug, Default)]
pub(super) struct Rhythm {
    recent: [u16; 9],
    /// The same, in order.
    sorted: [u16; 9],
    len: usize,
    wild: Bits,
    added: Bits,
    /// A short interval whose successor decides what it is.
    held: Option<u16>,
    before: u16,
}

impl Rhythm {
    pub(super) fn push(&mut self, rr: RrTicks) {
        let median = self.median();
        let far = |x: u16, limit: u32| u32::from(x.abs_diff(median)) * 100 > limit * u32::from(median);
        // something short between two whole intervals is an addition; beside a part of one it is noise
        if let Some(short) = self.held.take() {
            let added = !far(rr.0, WHOLE_PCT);
            self.added.push(added);
            if !added {
                self.note(short, true);
            }
        }
        if median > 0 && rr.0 < SHORT && rr.0 < median / 2 && !far(self.before, WHOLE_PCT) {
            self.held = Some(rr.0);
            return;
        }
        self.added.push(false);
        self.before = rr.0;
        self.note(rr.0, median > 0 && far(rr.0, WILD_PCT));
    }

    fn note(&mut self, raw: u16, wild: bool) {
        if self.len >= 5 {
            self.wild.push(wild);
        }
        let slot = self.len % 9;
        let n = self.len.min(9);
        // the oldest makes room, or there is room behind the last
        let mut i = if n < 9 { n } else { self.sorted.iter().position(|x| *x == self.recent[slot]).unwrap_or(8) };
        self.recent[slot] = raw;
        while i > 0 && self.sorted[i - 1] > raw {
            self.sorted[i] = self.sorted[i - 1];
            i -= 1;
        }
        while i + 1 < n && self.sorted[i + 1] < raw {
            self.sorted[i] = self.sorted[i + 1];
            i += 1;
        }
        self.sorted[i] = raw;
        self.len += 1;
    }

    /// Median of the last nine, ticks; 0 while there are fewer than five.
    pub(super) fn median(&self) -> u16 {
        let n = self.len.min(9);
        if n < 5 { 0 } else { self.sorted[n / 2] }
    }

    /// Share of implausible intervals among the last 64: what is there now; `None` while there are few.
    pub(super) fn wild_now(&self) -> Option<f64> {
        (self.wild.len() >= 16).then(|| self.wild.share_64())
    }

    /// The same among the last 128: what the signal is worth; `None` before 64.
    pub(super) fn wild_lasting(&self) -> Option<f64> {
        (self.wild.len() >= 64).then(|| self.wild.share_128())
    }

    /// How many intervals were judged, up to 128.
    pub(super) fn seen(&self) -> u32 {
        self.wild.len()
    }

    pub(super) fn has_added(&self) -> bool {
        self.added.count_64() >= ADDED
    }

    /// Whether an interval is one that the strap adds.
    pub(super) fn is_added(&self, rr: RrTicks) -> bool {
        self.has_added() && rr.0 < SHORT && rr.0 < self.median() / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_the_last_nine() {
        let (mut r, mut all, mut chance) = (Rhythm::default(), vec![], 3u32);
        for _ in 0..500 {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let raw = 700 + (chance >> 24) as u16;
            all.push(raw);
            r.push(RrTicks(raw));
            let mut last: Vec<u16> = all.iter().rev().take(9).copied().collect();
            last.sort_unstable();
            assert_eq!(r.median(), if last.len() < 5 { 0 } else { last[last.len() / 2] });
        }
    }
}
