//! Time domain over the last seconds, kept in exact integer sums: every beat costs the same, nothing drifts.

use super::time::TimeDomain;
use super::{Metric, Why, finite};
use crate::artifact::Label;
use crate::units::{Mono, RrTicks};
use std::collections::VecDeque;
use std::time::Duration;

/// A window over the beats whose end lies in (now − span, now].
#[derive(Clone, Debug)]
pub struct Rolling {
    span: Duration,
    span_us: i64,
    beats: VecDeque<Entry>,
    /// Previous interval of this segment, as far as it may be compared.
    before: Option<i64>,
    before_flagged: bool,
    normal: Sums,
    differences: Sums,
    sums: Sums,
    over_50: u32,
    over_20: u32,
    flagged: u32,
    ticks: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Mono,
    rr: i64,
    normal: bool,
    /// The interval before, if the two form a usable pair.
    before: Option<i64>,
}

/// Count, sum and sum of squares, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    n: i64,
    sum: i64,
    squares: i64,
}

impl Sums {
    fn add(&mut self, x: i64) {
        self.n += 1;
        self.sum += x;
        self.squares += x * x;
    }
    fn remove(&mut self, x: i64) {
        self.n -= 1;
        self.sum -= x;
        self.squares -= x * x;
    }
    /// Standard deviation (n − 1) in ms. n·Σx² − (Σx)² is exact, so no digits cancel.
    fn deviation_ms(self) -> Metric {
        if self.n < 2 {
            return Err(Why::TooFew);
        }
        let spread = i128::from(self.n) * i128::from(self.squares) - i128::from(self.sum) * i128::from(self.sum);
        finite((spread as f64 / (self.n as f64 * (self.n - 1) as f64)).sqrt() * MS_PER_TICK, Why::TooFew)
    }
}

const MS_PER_TICK: f64 = 1000.0 / 1024.0;
/// Largest whole ticks that are not more than 50 and 20 ms.
const TICKS_50_MS: i64 = 51;
const TICKS_20_MS: i64 = 20;

impl Rolling {
    /// An empty window.
    pub fn new(span: Duration) -> Self {
        let zero = Sums::default();
        Self {
            span,
            span_us: i64::try_from(span.as_micros()).unwrap_or(i64::MAX),
            beats: VecDeque::new(),
            before: None,
            before_flagged: false,
            normal: zero,
            differences: zero,
            sums: zero,
            over_50: 0,
            over_20: 0,
            flagged: 0,
            ticks: 0,
        }
    }

    /// Length of the window.
    pub fn span(&self) -> Duration {
        self.span
    }

    /// A gap: the next interval has no neighbour before it.
    pub fn gap(&mut self) {
        self.before = None;
        self.before_flagged = false;
    }

    /// Takes the next interval with its final label; `at` is when it ended. Older ones leave.
    pub fn push(&mut self, at: Mono, rr: RrTicks, label: Label) {
        let rr = i64::from(rr.0);
        let normal = label.is_normal();
        let usable = normal && !self.before_flagged;
        let before = self.before.filter(|_| usable);
        if normal {
            self.normal.add(rr);
        } else {
            self.flagged += 1;
        }
        if let Some(b) = before {
            self.pair(b, rr, true);
        }
        self.ticks += rr as u64;
        self.beats.push_back(Entry { at, rr, normal, before });
        self.before = usable.then_some(rr);
        self.before_flagged = !normal;
        self.advance(at);
    }

    /// Drops what is older than the span at `now`.
    pub fn advance(&mut self, now: Mono) {
        while let Some(first) = self.beats.front().copied() {
            if now.diff_micros(first.at) < self.span_us {
                break;
            }
            self.beats.pop_front();
            self.ticks -= first.rr as u64;
            if first.normal {
                self.normal.remove(first.rr);
            } else {
                self.flagged -= 1;
            }
            // A pair whose first interval has left goes with it.
            if let Some(next) = self.beats.front_mut() {
                let (before, rr) = (next.before.take(), next.rr);
                if let Some(b) = before {
                    self.pair(b, rr, false);
                }
            }
        }
    }

    fn pair(&mut self, before: i64, rr: i64, enter: bool) {
        let d = rr - before;
        let (over_50, over_20) = (u32::from(d.abs() > TICKS_50_MS), u32::from(d.abs() > TICKS_20_MS));
        if enter {
            self.differences.add(d);
            self.sums.add(rr + before);
            self.over_50 += over_50;
            self.over_20 += over_20;
        } else {
            self.differences.remove(d);
            self.sums.remove(rr + before);
            self.over_50 -= over_50;
            self.over_20 -= over_20;
        }
    }

    /// Intervals in the window, flagged ones included.
    pub fn len(&self) -> usize {
        self.beats.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.beats.is_empty()
    }

    /// Flagged intervals, % of all; `None` without any interval.
    pub fn artifact_pct(&self) -> Option<f64> {
        (!self.is_empty()).then(|| 100.0 * f64::from(self.flagged) / self.len() as f64)
    }

    /// Sum of all intervals over the span.
    pub fn coverage(&self) -> f64 {
        self.ticks as f64 / 1024.0 / self.span.as_secs_f64()
    }

    /// The metrics over what is in the window now.
    pub fn time_domain(&self) -> TimeDomain {
        let d = self.differences;
        let few = |have: i64, value: f64| if have < 1 { Err(Why::TooFew) } else { finite(value, Why::TooFew) };
        let mean = few(self.normal.n, self.normal.sum as f64 / self.normal.n as f64 * MS_PER_TICK);
        let rmssd = few(d.n, (d.squares as f64 / d.n as f64).sqrt() * MS_PER_TICK);
        let share = |count: u32| few(d.n, 100.0 * f64::from(count) / d.n as f64);
        let sdsd = d.deviation_ms();
        TimeDomain {
            normal: self.normal.n as usize,
            pairs: d.n as usize,
            mean_rr_ms: mean,
            mean_hr_bpm: mean.and_then(|rr| finite(60_000.0 / rr, Why::TooFew)),
            sdnn_ms: self.normal.deviation_ms(),
            rmssd_ms: rmssd,
            ln_rmssd: rmssd.and_then(|v| finite(v.ln(), Why::NoVariation)),
            sdsd_ms: sdsd,
            pnn50_pct: share(self.over_50),
            pnn20_pct: share(self.over_20),
            sd1_ms: sdsd.map(|v| v / std::f64::consts::SQRT_2),
            sd2_ms: self.sums.deviation_ms().map(|v| v / std::f64::consts::SQRT_2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::nn::Segment;
    use super::*;
    use proptest::prelude::*;

    fn same(a: Metric, b: Metric) -> bool {
        match (a, b) {
            (Ok(a), Ok(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1e-3),
            (a, b) => a == b,
        }
    }

    proptest! {
        /// Live equals batch over the same beats, at every beat.
        #[test]
        fn equals_batch(beats in proptest::collection::vec((300u16..2000, 0u8..12, 0u8..20), 1..150)) {
            let span = Duration::from_secs(30);
            let mut live = Rolling::new(span);
            let mut at = Mono::from_secs(1000);
            let mut all: Vec<Vec<(Mono, f64, Label)>> = vec![vec![]];
            for (ticks, bad, gap) in beats {
                if gap == 0 {
                    live.gap();
                    at = at + Duration::from_secs(3);
                    all.push(vec![]);
                }
                let rr = RrTicks(ticks);
                at = at + Duration::from_micros(rr.as_micros());
                let label = if bad == 0 { Label::Ectopic } else { Label::Normal };
                live.push(at, rr, label);
                all.last_mut().unwrap().push((at, rr.as_ms(), label));

                let cut: Vec<(Vec<f64>, Vec<Label>, bool)> = all.iter().map(|seg| {
                    let inside = |b: &&(Mono, f64, Label)| at.diff_micros(b.0) < 30_000_000;
                    let first = seg.iter().position(|b| inside(&b)).unwrap_or(seg.len());
                    let part = &seg[first..];
                    let after = first > 0 && !seg[first - 1].2.is_normal();
                    (part.iter().map(|b| b.1).collect(), part.iter().map(|b| b.2).collect(), after)
                }).collect();
                let segments: Vec<Segment<'_>> = cut.iter().map(|(rr, l, a)| Segment::new(rr, l, *a)).collect();
                let (want, got) = (TimeDomain::of(&segments), live.time_domain());
                prop_assert_eq!((want.normal, want.pairs), (got.normal, got.pairs));
                for (w, g) in [
                    (want.mean_rr_ms, got.mean_rr_ms), (want.mean_hr_bpm, got.mean_hr_bpm), (want.sdnn_ms, got.sdnn_ms),
                    (want.rmssd_ms, got.rmssd_ms), (want.ln_rmssd, got.ln_rmssd), (want.sdsd_ms, got.sdsd_ms),
                    (want.pnn50_pct, got.pnn50_pct), (want.pnn20_pct, got.pnn20_pct), (want.sd1_ms, got.sd1_ms),
                    (want.sd2_ms, got.sd2_ms),
                ] {
                    prop_assert!(same(g, w), "{:?} {:?}", g, w);
                }
            }
            live.advance(at + Duration::from_secs(31));
            prop_assert!(live.is_empty() && live.normal == Sums::default() && live.differences == Sums::default());
            prop_assert_eq!((live.flagged, live.over_20, live.over_50, live.ticks), (0, 0, 0, 0));
        }
    }

    #[test]
    fn shares_and_coverage() {
        let mut w = Rolling::new(Duration::from_secs(10));
        assert_eq!((w.artifact_pct(), w.coverage()), (None, 0.0));
        for i in 1..=20u64 {
            w.push(Mono::from_secs(100 + i), RrTicks(1024), if i == 15 { Label::Long } else { Label::Normal });
        }
        assert_eq!((w.len(), w.artifact_pct(), w.coverage()), (10, Some(10.0), 1.0));
        assert_eq!(w.time_domain().pairs, 6);
        assert_eq!(w.time_domain().mean_rr_ms, Ok(1000.0));
    }
}
