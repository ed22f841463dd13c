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
/// Never more beats than this, 300 s at 800 bpm: beyond it the oldest leave early, and coverage tells.
const MOST: usize = 4096;

/// Windows over the beats whose end lies in (now − span, now], one for each of `N` spans, over one ring of beats.
///
/// The ring remembers what had been summed up before each beat; a window is what has been summed up since its first
/// beat. So a beat costs the same for any number of windows, and leaving one costs no arithmetic at all.
#[derive(Clone, Debug)]
pub struct Windows<const N: usize> {
    spans: [Duration; N],
    spans_us: [u64; N],
    /// Beats as a ring, a power of two; beat `k` of all times lies at `k` modulo its length.
    ring: Box<[Entry]>,
    /// Beats taken since ever.
    taken: usize,
    /// The first beat of each window, counted likewise.
    tails: [usize; N],
    sums: Sums,
    /// The interval before, and whether it can be the first of a pair and whether it was flagged.
    before: u16,
    before_usable: bool,
    before_flagged: bool,
}

/// One window.
pub type Rolling = Windows<1>;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    at_us: u64,
    /// What a window that begins with this beat does not hold: the beats before it, the pairs up to the one it ends.
    without: Sums,
}

/// Counts, sums and sums of squares since ever, in ticks. They wrap; differences of them are right all the same, because
/// a window never holds more than `MOST` beats of 16 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    normal_squares: u64,
    difference_squares: u64,
    total_squares: u64,
    ticks: u32,
    normal: u32,
    normal_sum: u32,
    pairs: u32,
    /// Second minus first interval of each pair.
    difference_sum: i32,
    /// Both together.
    total_sum: u32,
    over_50: u32,
    over_20: u32,
}

impl Sums {
    fn beat(&mut self, rr: u16, normal: bool) {
        let rr = u32::from(rr);
        self.ticks = self.ticks.wrapping_add(rr);
        if normal {
            self.normal = self.normal.wrapping_add(1);
            self.normal_sum = self.normal_sum.wrapping_add(rr);
            self.normal_squares = self.normal_squares.wrapping_add(u64::from(rr) * u64::from(rr));
        }
    }

    fn pair(&mut self, first: u16, second: u16) {
        let (difference, total) = (i32::from(second) - i32::from(first), u32::from(first) + u32::from(second));
        let size = difference.unsigned_abs();
        self.pairs = self.pairs.wrapping_add(1);
        self.difference_sum = self.difference_sum.wrapping_add(difference);
        self.difference_squares = self.difference_squares.wrapping_add(u64::from(size) * u64::from(size));
        self.total_sum = self.total_sum.wrapping_add(total);
        self.total_squares = self.total_squares.wrapping_add(u64::from(total) * u64::from(total));
        self.over_50 = self.over_50.wrapping_add(u32::from(size > TICKS_50_MS));
        self.over_20 = self.over_20.wrapping_add(u32::from(size > TICKS_20_MS));
    }

    fn since(self, then: Self) -> Self {
        Self {
            normal_squares: self.normal_squares.wrapping_sub(then.normal_squares),
            difference_squares: self.difference_squares.wrapping_sub(then.difference_squares),
            total_squares: self.total_squares.wrapping_sub(then.total_squares),
            ticks: self.ticks.wrapping_sub(then.ticks),
            normal: self.normal.wrapping_sub(then.normal),
            normal_sum: self.normal_sum.wrapping_sub(then.normal_sum),
            pairs: self.pairs.wrapping_sub(then.pairs),
            difference_sum: self.difference_sum.wrapping_sub(then.difference_sum),
            total_sum: self.total_sum.wrapping_sub(then.total_sum),
            over_50: self.over_50.wrapping_sub(then.over_50),
            over_20: self.over_20.wrapping_sub(then.over_20),
        }
    }
}

const MS_PER_TICK: f64 = 1000.0 / 1024.0;
/// Largest whole ticks that are not more than 50 and 20 ms.
const TICKS_50_MS: u32 = 51;
const TICKS_20_MS: u32 = 20;

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
            sums: Sums::default(),
            before: 0,
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
        let rr = rr.0;
        let normal = label.is_normal();
        let usable = normal && !self.before_flagged;
        if usable && self.before_usable {
            self.sums.pair(self.before, rr);
        }
        let place = self.taken & (self.ring.len() - 1);
        self.ring[place] = Entry { at_us: at.as_micros(), without: self.sums };
        self.sums.beat(rr, normal);
        self.taken += 1;
        (self.before, self.before_usable, self.before_flagged) = (rr, usable, !normal);
        self.advance(at);
        if self.taken - self.oldest() >= self.ring.len() {
            self.make_room();
        }
    }

    /// Drops what is older than its span at `now`.
    pub fn advance(&mut self, now: Mono) {
        let (ring, taken) = (&self.ring, self.taken);
        for (tail, span) in self.tails.iter_mut().zip(&self.spans_us) {
            // What ended at or before this moment has left.
            let Some(limit) = now.as_micros().checked_sub(*span) else { continue };
            while *tail < taken && ring[*tail & (ring.len() - 1)].at_us <= limit {
                *tail += 1;
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
            self.tails = self.tails.map(|t| t.max(oldest + 1));
            return;
        }
        let mut ring = vec![Entry::default(); 2 * old].into_boxed_slice();
        for k in oldest..self.taken {
            ring[k & (2 * old - 1)] = self.ring[k & (old - 1)];
        }
        self.ring = ring;
    }

    /// What is in each window now, in the order of the spans. Metrics are computed when they are asked for.
    pub fn windows(&self) -> [Window; N] {
        std::array::from_fn(|w| {
            let (span, tail) = (self.spans[w], self.tails[w]);
            if tail >= self.taken {
                return Window { span, beats: 0, sums: Sums::default() };
            }
            let sums = self.sums.since(self.ring[tail & (self.ring.len() - 1)].without);
            Window { span, beats: self.taken - tail, sums }
        })
    }
}

/// What one window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    span: Duration,
    beats: usize,
    sums: Sums,
}

impl Window {
    /// Its length.
    pub fn span(&self) -> Duration {
        self.span
    }

    /// Intervals in the window, flagged ones included.
    pub fn len(&self) -> usize {
        self.beats
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.beats == 0
    }

    /// Flagged intervals, % of all; `None` without any interval.
    pub fn artifact_pct(&self) -> Option<f64> {
        let flagged = self.beats.saturating_sub(self.sums.normal as usize);
        (self.beats > 0).then(|| 100.0 * flagged as f64 / self.beats as f64)
    }

    /// Sum of all intervals over the span.
    pub fn coverage(&self) -> f64 {
        f64::from(self.sums.ticks) / 1024.0 / self.span.as_secs_f64()
    }

    /// The metrics over what is inside.
    pub fn time_domain(&self) -> TimeDomain {
        let s = self.sums;
        let few = |have: u32, value: f64| if have < 1 { Err(Why::TooFew) } else { finite(value, Why::TooFew) };
        let (normal, pairs) = (f64::from(s.normal), f64::from(s.pairs));
        let mean = few(s.normal, f64::from(s.normal_sum) / normal * MS_PER_TICK);
        let rmssd = few(s.pairs, (s.difference_squares as f64 / pairs).sqrt() * MS_PER_TICK);
        let share = |count: u32| few(s.pairs, 100.0 * f64::from(count) / pairs);
        let sdsd = deviation_ms(s.pairs, s.difference_sum.into(), s.difference_squares);
        TimeDomain {
            normal: s.normal as usize,
            pairs: s.pairs as usize,
            mean_rr_ms: mean,
            mean_hr_bpm: mean.and_then(|rr| finite(60_000.0 / rr, Why::TooFew)),
            sdnn_ms: deviation_ms(s.normal, s.normal_sum.into(), s.normal_squares),
            rmssd_ms: rmssd,
            ln_rmssd: rmssd.and_then(|v| finite(v.ln(), Why::NoVariation)),
            sdsd_ms: sdsd,
            pnn50_pct: share(s.over_50),
            pnn20_pct: share(s.over_20),
            sd1_ms: sdsd.map(|v| v / std::f64::consts::SQRT_2),
            sd2_ms: deviation_ms(s.pairs, s.total_sum.into(), s.total_squares).map(|v| v / std::f64::consts::SQRT_2),
        }
    }
}

/// Standard deviation (n − 1) in ms. n·Σx² − (Σx)² is exact, so no digits cancel.
fn deviation_ms(n: u32, sum: i64, squares: u64) -> Metric {
    if n < 2 {
        return Err(Why::TooFew);
    }
    let spread = i128::from(n) * i128::from(squares) - i128::from(sum) * i128::from(sum);
    let n = f64::from(n);
    finite((spread as f64 / (n * (n - 1.0))).sqrt() * MS_PER_TICK, Why::TooFew)
}

#[cfg(test)]
#[path = "rolling_tests.rs"]
mod tests;
