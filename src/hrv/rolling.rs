//! Time domain over the last seconds, updated beat by beat in O(1) from exact integer sums.

use super::time_domain::{Chain, TimeDomain};
use crate::timeline::Beat;
use crate::units::Mono;
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
struct Entry {
    beat: Beat,
    normal: bool,
    diff: Option<i32>,
}

/// A sliding window over labelled beats.
#[derive(Clone, Debug)]
pub struct Rolling {
    length: Duration,
    entries: VecDeque<Entry>,
    chain: Chain,
    sums: TimeDomain,
    flagged: u32,
}

impl Rolling {
    /// A window of this length.
    pub fn new(length: Duration) -> Self {
        Self { length, entries: VecDeque::new(), chain: Chain::default(), sums: TimeDomain::default(), flagged: 0 }
    }

    /// The next beat starts a new segment.
    pub fn break_off(&mut self) {
        self.chain = Chain::default();
    }

    /// Adds a beat with its verdict; forgets what left the window.
    pub fn push(&mut self, beat: Beat, normal: bool) {
        let diff = self.chain.next(beat.rr, normal);
        if normal {
            self.sums.add(beat.rr);
        } else {
            self.flagged += 1;
        }
        if let Some(d) = diff {
            self.sums.add_pair(d);
        }
        self.entries.push_back(Entry { beat, normal, diff });
        self.evict(beat.at);
    }

    /// Forgets beats that ended `length` or more before `now`. A pair leaves with its earlier beat.
    pub fn evict(&mut self, now: Mono) {
        while let Some(oldest) = self.entries.front().copied().filter(|e| now.since(e.beat.at) >= self.length) {
            self.entries.pop_front();
            if oldest.normal {
                self.sums.remove(oldest.beat.rr);
            } else {
                self.flagged -= 1;
            }
            if let Some(d) = oldest.diff {
                self.sums.remove_pair(d);
            }
            // the next entry's difference reaches back to a beat that is no longer inside
            if let Some(d) = self.entries.front_mut().and_then(|next| next.diff.take()) {
                self.sums.remove_pair(d);
            }
        }
    }

    /// The sums of the window.
    pub fn time_domain(&self) -> &TimeDomain {
        &self.sums
    }

    /// Intervals in the window, flagged ones included.
    pub fn n(&self) -> u32 {
        self.entries.len() as u32
    }

    /// Flagged share, %; `None` without intervals.
    pub fn artifact_pct(&self) -> Option<f64> {
        (self.n() > 0).then(|| 100.0 * f64::from(self.flagged) / f64::from(self.n()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::RrTicks;
    use proptest::prelude::*;

    proptest! {
        /// Rolling sums equal a computation from scratch over the beats inside, bit for bit.
        #[test]
        fn live_equals_batch(list in proptest::collection::vec((300u16..2000, prop::bool::weighted(0.1), prop::bool::weighted(0.02)), 1..200)) {
            let mut rolling = Rolling::new(Duration::from_secs(60));
            let mut at = Mono::from_secs(100);
            let mut segments: Vec<Vec<(Beat, bool)>> = vec![vec![]];
            for (ticks, flagged, gap) in list {
                let rr = RrTicks(ticks);
                at = at + Duration::from_micros(rr.as_micros());
                if gap {
                    rolling.break_off();
                    segments.push(vec![]);
                }
                let beat = Beat { at, rr };
                rolling.push(beat, !flagged);
                segments.last_mut().unwrap().push((beat, !flagged));
                let mut expected = TimeDomain::default();
                for s in &segments {
                    // pairs are judged with the whole segment, then those with both beats inside are counted
                    let mut chain = Chain::default();
                    let mut before: Option<Mono> = None;
                    for (b, normal) in s {
                        let diff = chain.next(b.rr, *normal);
                        let inside = |t: Mono| at.since(t) < Duration::from_secs(60);
                        if inside(b.at) && *normal { expected.add(b.rr); }
                        if let Some(d) = diff.filter(|_| inside(b.at) && before.is_some_and(inside)) { expected.add_pair(d); }
                        before = Some(b.at);
                    }
                }
                prop_assert_eq!(rolling.time_domain(), &expected);
            }
        }
    }
}
