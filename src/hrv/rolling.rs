//! Time-domain metrics over the last seconds, for several spans at once, kept in exact integer sums: every beat costs
//! the same however long the spans are, and nothing drifts.

use super::time::TimeDomain;
use super::{Metric, Why, finite};
use crate::artifact::Label;
use crate::units::{Mono, RrTicks};
use std::time::Duration;

/// The spans of the live windows.
pub const LIVE_SPANS: [Duration; 3] = [Duration::from_secs(30), Duration::from_secs(60), Duration::from_secs(300)];

/// Room for 300 s at 100 bpm from the start; doubled where that is not enough.
const ROOM: usize = 512;
/// Never more beats than this, 300 s at 1,600 bpm: beyond it the oldest leave early, and coverage tells.
const MOST: usize = 8192;

/// Windows over the beats whose end lies in (now − span, now], one for each of `N` spans, over one ring of beats.
#[derive(Clone, Debug)]
pub struct Windows<const N: usize> {
    spans: [Duration; N],
    spans_us: [u64; N],
    /// Beats as a ring, a power of two; beat `k` of all times lies at `k` modulo its length.
    ring: Box<[Entry]>,
    /// Beats taken since ever.
    taken: usize,
    /// Where each window begins, counted likewise.
    tails: [usize; N],
    /// What entered since ever, and what has left each window; their difference is what is inside. Sums wrap, and
    /// their differences are right all the same.
    entered: Sums,
    left: [Sums; N],
    /// The interval before, and whether it can be the first of a pair and whether it was flagged.
    before: Entry,
    before_usable: bool,
    before_flagged: bool,
}

/// One window.
pub type Rolling = Windows<1>;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    at_us: u64,
    rr: u16,
    normal: bool,
    /// Whether it and the interval before form a usable pair.
    paired: bool,
}

/// Counts, sums and sums of squares, in ticks. Pairs (a, b) count with b − a and b + a.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    beats: i64,
    ticks: i64,
    normal: i64,
    normal_sum: i64,
    normal_squares: i64,
    pairs: i64,
    difference_sum: i64,
    difference_squares: i64,
    total_sum: i64,
    total_squares: i64,
    over_50: i64,
    over_20: i64,
}

impl Sums {
    #[inline]
    fn beat(&mut self, e: Entry) {
        let rr = i64::from(e.rr);
        self.beats = self.beats.wrapping_add(1);
        self.ticks = self.ticks.wrapping_add(rr);
        if e.normal {
            self.normal = self.normal.wrapping_add(1);
            self.normal_sum = self.normal_sum.wrapping_add(rr);
            self.normal_squares = self.normal_squares.wrapping_add(rr * rr);
        }
    }

    #[inline]
    fn pair(&mut self, first: Entry, second: Entry) {
        let (a, b) = (i64::from(first.rr), i64::from(second.rr));
        let (d, s) = (b - a, b + a);
        self.pairs = self.pairs.wrapping_add(1);
        self.difference_sum = self.difference_sum.wrapping_add(d);
        self.difference_squares = self.difference_squares.wrapping_add(d * d);
        self.total_sum = self.total_sum.wrapping_add(s);
        self.total_squares = self.total_squares.wrapping_add(s * s);
        self.over_50 = self.over_50.wrapping_add(i64::from(d.abs() > TICKS_50_MS));
        self.over_20 = self.over_20.wrapping_add(i64::from(d.abs() > TICKS_20_MS));
    }

    fn without(self, left: Self) -> Self {
        Self {
            beats: self.beats.wrapping_sub(left.beats),
            ticks: self.ticks.wrapping_sub(left.ticks),
            normal: self.normal.wrapping_sub(left.normal),
            normal_sum: self.normal_sum.wrapping_sub(left.normal_sum),
            normal_squares: self.normal_squares.wrapping_sub(left.normal_squares),
            pairs: self.pairs.wrapping_sub(left.pairs),
            difference_sum: self.difference_sum.wrapping_sub(left.difference_sum),
            difference_squares: self.difference_squares.wrapping_sub(left.difference_squares),
            total_sum: self.total_sum.wrapping_sub(left.total_sum),
            total_squares: self.total_squares.wrapping_sub(left.total_squares),
            over_50: self.over_50.wrapping_sub(left.over_50),
            over_20: self.over_20.wrapping_sub(left.over_20),
        }
    }
}

const MS_PER_TICK: f64 = 1000.0 / 1024.0;
/// Largest whole ticks that are not more than 50 and 20 ms.
const TICKS_50_MS: i64 = 51;
const TICKS_20_MS: i64 = 20;

impl Rolling {
    /// One empty window.
    pub fn new(span: Duration) -> Self {
        Self::over([span])
    }

    fn only(&self) -> Window {
        let [window] = self.windows();
        window
    }

    /// Length of the window.
    pub fn span(&self) -> Duration {
        self.only().span
    }

    /// Intervals in the window, flagged ones included.
    pub fn len(&self) -> usize {
        self.only().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.only().is_empty()
    }

    /// See [`Window::artifact_pct`].
    pub fn artifact_pct(&self) -> Option<f64> {
        self.only().artifact_pct()
    }

    /// See [`Window::coverage`].
    pub fn coverage(&self) -> f64 {
        self.only().coverage()
    }

    /// See [`Window::time_domain`].
    pub fn time_domain(&self) -> TimeDomain {
        self.only().time_domain()
    }
}

impl<const N: usize> Windows<N> {
    /// Empty windows of these spans, in any order.
    pub fn over(spans: [Duration; N]) -> Self {
        Self {
            spans,
            spans_us: spans.map(|s| u64::try_from(s.as_micros()).unwrap_or(u64::MAX)),
            ring: vec![Entry::default(); ROOM].into_boxed_slice(),
            taken: 0,
            tails: [0; N],
            entered: Sums::default(),
            left: [Sums::default(); N],
            before: Entry::default(),
            before_usable: false,
            before_flagged: false,
        }
    }

    /// A gap: the next interval has no neighbour before it.
    pub fn gap(&mut self) {
        self.before_usable = false;
        self.before_flagged = false;
    }

    /// Takes the next interval with its final label; `at` is when it ended, never earlier than the one before. Older
    /// ones leave.
    pub fn push(&mut self, at: Mono, rr: RrTicks, label: Label) {
        let normal = label.is_normal();
        let usable = normal && !self.before_flagged;
        let entry = Entry { at_us: at.as_micros(), rr: rr.0, normal, paired: usable && self.before_usable };
        self.entered.beat(entry);
        if entry.paired {
            self.entered.pair(self.before, entry);
        }
        // A power of two, never empty.
        let place = self.taken & (self.ring.len() - 1);
        if let Some(room) = self.ring.get_mut(place) {
            *room = entry;
        }
        self.taken += 1;
        (self.before, self.before_usable, self.before_flagged) = (entry, usable, !normal);
        self.advance(at);
        if self.taken - self.oldest() >= self.ring.len() {
            self.make_room();
        }
    }

    /// Drops what is older than its span at `now`.
    pub fn advance(&mut self, now: Mono) {
        for w in 0..N {
            // What ended at or before this moment has left.
            let Some(limit) = now.as_micros().checked_sub(self.spans_us[w]) else { continue };
            while self.tails[w] < self.taken && self.entry(self.tails[w]).at_us <= limit {
                self.leave(w);
            }
        }
    }

    #[inline]
    fn entry(&self, k: usize) -> Entry {
        self.ring[k & (self.ring.len() - 1)]
    }

    /// The oldest beat leaves a window, and the pair that it begins goes with it.
    fn leave(&mut self, w: usize) {
        let first = self.entry(self.tails[w]);
        self.left[w].beat(first);
        self.tails[w] += 1;
        if self.tails[w] < self.taken {
            let next = self.entry(self.tails[w]);
            if next.paired {
                self.left[w].pair(first, next);
            }
        }
    }

    /// The first beat that any window still holds.
    fn oldest(&self) -> usize {
        self.tails.iter().copied().min().unwrap_or(self.taken)
    }

    /// The ring is full: doubles it, or lets the oldest beat go.
    #[cold]
    fn make_room(&mut self) {
        let (oldest, old) = (self.oldest(), self.ring.len());
        if old >= MOST {
            for w in 0..N {
                if self.tails[w] == oldest {
                    self.leave(w);
                }
            }
            return;
        }
        let mut ring = vec![Entry::default(); 2 * old].into_boxed_slice();
        for k in oldest..self.taken {
            ring[k & (2 * old - 1)] = self.entry(k);
        }
        self.ring = ring;
    }

    /// What is in each window now, in the order of the spans. Metrics are computed when they are asked for.
    pub fn windows(&self) -> [Window; N] {
        std::array::from_fn(|w| Window { span: self.spans[w], sums: self.entered.without(self.left[w]) })
    }
}

/// What one window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    span: Duration,
    sums: Sums,
}

impl Window {
    /// Its length.
    pub fn span(&self) -> Duration {
        self.span
    }

    /// Intervals in the window, flagged ones included.
    pub fn len(&self) -> usize {
        usize::try_from(self.sums.beats).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sums.beats == 0
    }

    /// Flagged intervals, % of all; `None` without any interval.
    pub fn artifact_pct(&self) -> Option<f64> {
        let s = self.sums;
        (s.beats > 0).then(|| 100.0 * (s.beats - s.normal) as f64 / s.beats as f64)
    }

    /// Sum of all intervals over the span.
    pub fn coverage(&self) -> f64 {
        self.sums.ticks as f64 / 1024.0 / self.span.as_secs_f64()
    }

    /// The metrics over what is inside.
    pub fn time_domain(&self) -> TimeDomain {
        let s = self.sums;
        let few = |have: i64, value: f64| if have < 1 { Err(Why::TooFew) } else { finite(value, Why::TooFew) };
        let mean = few(s.normal, s.normal_sum as f64 / s.normal as f64 * MS_PER_TICK);
        let rmssd = few(s.pairs, (s.difference_squares as f64 / s.pairs as f64).sqrt() * MS_PER_TICK);
        let share = |count: i64| few(s.pairs, 100.0 * count as f64 / s.pairs as f64);
        let sdsd = deviation_ms(s.pairs, s.difference_sum, s.difference_squares);
        TimeDomain {
            normal: usize::try_from(s.normal).unwrap_or(0),
            pairs: usize::try_from(s.pairs).unwrap_or(0),
            mean_rr_ms: mean,
            mean_hr_bpm: mean.and_then(|rr| finite(60_000.0 / rr, Why::TooFew)),
            sdnn_ms: deviation_ms(s.normal, s.normal_sum, s.normal_squares),
            rmssd_ms: rmssd,
            ln_rmssd: rmssd.and_then(|v| finite(v.ln(), Why::NoVariation)),
            sdsd_ms: sdsd,
            pnn50_pct: share(s.over_50),
            pnn20_pct: share(s.over_20),
            sd1_ms: sdsd.map(|v| v / std::f64::consts::SQRT_2),
            sd2_ms: deviation_ms(s.pairs, s.total_sum, s.total_squares).map(|v| v / std::f64::consts::SQRT_2),
        }
    }
}

/// Standard deviation (n − 1) in ms. n·Σx² − (Σx)² is exact, so no digits cancel.
fn deviation_ms(n: i64, sum: i64, squares: i64) -> Metric {
    if n < 2 {
        return Err(Why::TooFew);
    }
    let spread = i128::from(n) * i128::from(squares) - i128::from(sum) * i128::from(sum);
    finite((spread as f64 / (n as f64 * (n - 1) as f64)).sqrt() * MS_PER_TICK, Why::TooFew)
}

#[cfg(test)]
#[path = "rolling_tests.rs"]
mod tests;
