//! What may explain a surprise: one wrong interval, one displaced beat, or the heart changing its pace.

use super::autoregression::{Filter, ORDER};

/// Intervals that must have arrived after one before it is decided.
pub(super) const DELAY: usize = 5;
/// How fast a change of pace fades, per interval.
pub(super) const FADING: f64 = 0.7;

/// Three intervals before the one in question, itself and those after it.
pub(super) type Local = [f64; ORDER + DELAY + 1];

/// The model as last fitted, and either explanation as a weighted sum of the intervals.
#[derive(Clone, Debug)]
pub(super) struct Lens {
    filter: Filter,
    level: f64,
    /// Weights of the interval itself and of those 1, 2 and 3 away on either side; the level's share is taken off.
    single: Filter,
    single_rest: f64,
    /// Weights of the two intervals that the beat parts, of their neighbours, and so on; the second has the other sign.
    pair: Filter,
}

impl Lens {
    pub(super) const fn blank() -> Self {
        Self {
            filter: [1.0, 0.0, 0.0, 0.0],
            level: 0.0,
            single: [0.0; ORDER + 1],
            single_rest: 0.0,
            pair: [0.0; ORDER + 1],
        }
    }

    /// Least squares over the answers of the whitened series: an interval that is too long answers with the filter, a
    /// beat that comes late with the filter minus itself one later. The weights are then the filter's products with
    /// itself `c[lag]`, and their differences.
    pub(super) fn new(filter: Filter, level: f64) -> Self {
        let [f0, f1, f2, f3] = filter;
        let c0 = f0 * f0 + f1 * f1 + f2 * f2 + f3 * f3;
        let (c1, c2, c3) = (f0 * f1 + f1 * f2 + f2 * f3, f0 * f2 + f1 * f3, f0 * f3);
        let (single, pair) = (1.0 / c0, 0.5 / (c0 - c1));
        let sum = c0 + 2.0 * (c1 + c2 + c3);
        Self {
            filter,
            level,
            single: [c0, c1, c2, c3].map(|c| c * single),
            single_rest: level * sum * single,
            pair: [c0 - c1, c1 - c2, c2 - c3, c3].map(|c| c * pair),
        }
    }

    /// What the interval in question has too much, and by how much the beat at its end comes late, ms, if that alone is
    /// wrong. All intervals must be there.
    #[inline]
    pub(super) fn sizes(&self, local: &Local) -> (f64, f64) {
        let ([s0, s1, s2, s3], [p0, p1, p2, p3]) = (self.single, self.pair);
        let [a, b, c, x, d, e, f, g, _] = *local;
        let single = s0 * x + s1 * (c + d) + s2 * (b + e) + s3 * (a + f);
        let pair = p0 * (x - d) + p1 * (c - e) + p2 * (b - f) + p3 * (a - g);
        (single - self.single_rest, pair)
    }
}

/// What surrounds an interval that is looked at closely.
pub(super) struct Scene {
    /// What is left of this interval and of those after it when all before are known, ms. The first needs none of the
    /// later ones.
    left: [f64; ORDER + 2],
    /// As many of them exist.
    exist: usize,
    /// What was clipped off the next interval, ms.
    excess: f64,
    filter: Filter,
}

impl Scene {
    /// `last` is the place of the last interval that exists, counted from the one in question; beyond it and where an
    /// interval is far off something plausible stands in `local`. `excess` is what the next one was clipped by.
    pub(super) fn new(local: &Local, last: usize, excess: f64, lens: &Lens) -> Self {
        let (filter, level) = (lens.filter, lens.level);
        let left =
            std::array::from_fn(|d| filter.iter().enumerate().map(|(j, f)| f * (local[ORDER + d - j] - level)).sum());
        Self { left, exist: last.min(ORDER + 1) + 1, excess, filter }
    }

    /// What this interval was a surprise by, ms, given those before it.
    pub(super) fn surprise_ms(&self) -> f64 {
        self.left[0]
    }

    /// Size of the cause with this `answer` that explains most, and how much of the square sum it explains.
    fn explained(&self, pair: bool, answer: impl Fn(usize) -> f64) -> (f64, f64) {
        let (mut s, mut q) = (0.0, 0.0);
        for d in 0..self.exist {
            let clipped = if pair && d > 0 { self.filter[d - 1] * self.excess } else { 0.0 };
            s += (self.left[d] + clipped) * answer(d);
            q += answer(d) * answer(d);
        }
        if q > 1e-9 { (s / q, s * s / q) } else { (0.0, 0.0) }
    }

    fn pulse(&self, d: usize) -> f64 {
        self.filter.get(d).copied().unwrap_or(0.0)
    }

    fn pulse_after(&self, d: usize) -> f64 {
        d.checked_sub(1).map_or(0.0, |d| self.pulse(d))
    }

    /// Answer to a change of pace that fades.
    fn turn(&self, d: usize) -> f64 {
        (0..=d).map(|k| self.pulse(d - k) * FADING.powi(k as i32)).sum()
    }

    pub(super) fn single(&self) -> (f64, f64) {
        self.explained(false, |d| self.pulse(d))
    }

    pub(super) fn pair(&self) -> (f64, f64) {
        self.explained(true, |d| self.pulse(d) - self.pulse_after(d))
    }

    /// How much the heart itself explains by changing its pace for some beats, from this interval on or, where two
    /// intervals are in question, from the next.
    pub(super) fn pace(&self, pair: bool) -> f64 {
        let now = self.explained(pair, |d| self.turn(d)).1;
        if !pair {
            return now;
        }
        now.max(self.explained(pair, |d| d.checked_sub(1).map_or(0.0, |d| self.turn(d))).1)
    }

    /// Everything that is left, squared.
    pub(super) fn power(&self, pair: bool) -> f64 {
        (0..self.exist)
            .map(|d| self.left[d] + if pair && d > 0 { self.filter[d - 1] * self.excess } else { 0.0 })
            .map(|e| e * e)
            .sum()
    }
}
