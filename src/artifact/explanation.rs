//! What may explain a surprise: one wrong interval, one displaced beat, or the heart changing its pace.

use super::autoregression::{Filter, ORDER};
use super::earlier::PLACE;

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
        let [s0, s1, s2, s3] = self.single;
        let [a, b, c, x, d, e, f, g, _] = *local;
        let single = s0 * x + s1 * (c + d) + s2 * (b + e) + s3 * (a + f);
        (single - self.single_rest, self.pair(&[a, b, c, x, d, e, f, g]))
    }

    /// By how much the beat in the middle comes late, in the unit of the intervals, if that alone is wrong.
    #[inline]
    pub(super) fn pair(&self, place: &[f64; PLACE]) -> f64 {
        let [p0, p1, p2, p3] = self.pair;
        let [a, b, c, x, d, e, f, g] = *place;
        p0 * (x - d) + p1 * (c - e) + p2 * (b - f) + p3 * (a - g)
    }
}

/// How many surprises the close look takes: this interval's and those of the intervals after it that it bears on.
const SEEN: usize = ORDER + 2;

/// What surrounds an interval that is looked at closely.
pub(super) struct Scene {
    /// What is left of this interval and of those after it when all before are known, ms. The first needs none of the
    /// later ones. Zero where there is none.
    left: [f64; SEEN],
    /// The same with what was clipped off the next interval.
    left_of_pair: [f64; SEEN],
    /// What an interval that is 1 ms too long leaves.
    pulse: [f64; SEEN],
    /// The same an interval later.
    pulse_after: [f64; SEEN],
}

impl Scene {
    /// `last` is the place of the last interval that exists, counted from the one in question; beyond it and where an
    /// interval is far off something plausible stands in `local`. `excess` is what the next one was clipped by, ms.
    pub(super) fn new(local: &Local, last: usize, excess: f64, lens: &Lens) -> Self {
        let (filter, level) = (lens.filter, lens.level);
        let [f0, f1, f2, f3] = filter;
        let mut scene = Self {
            left: std::array::from_fn(|d| {
                filter.iter().enumerate().map(|(j, f)| f * (local[ORDER + d - j] - level)).sum()
            }),
            left_of_pair: [0.0; SEEN],
            pulse: [f0, f1, f2, f3, 0.0],
            pulse_after: [0.0, f0, f1, f2, f3],
        };
        let exist = last.min(SEEN - 1) + 1;
        for all in [&mut scene.left, &mut scene.pulse, &mut scene.pulse_after] {
            all[exist..].fill(0.0);
        }
        scene.left_of_pair = std::array::from_fn(|d| scene.left[d] + excess * scene.pulse_after[d]);
        scene
    }

    /// What this interval was a surprise by, ms, given those before it.
    pub(super) fn surprise_ms(&self) -> f64 {
        self.left[0]
    }

    pub(super) fn single(&self) -> (f64, f64) {
        explained(&self.left, &self.pulse)
    }

    pub(super) fn pair(&self) -> (f64, f64) {
        explained(&self.left_of_pair, &std::array::from_fn(|d| self.pulse[d] - self.pulse_after[d]))
    }

    /// What the interval in question and the next one have too much, ms, if both may be wrong by whatever it is.
    pub(super) fn halves(&self) -> (f64, f64) {
        let (a, b, left) = (&self.pulse, &self.pulse_after, &self.left_of_pair);
        let (first, second) = (product(left, a), product(left, b));
        let (one, two, both) = (product(a, a), product(b, b), product(a, b));
        let det = one * two - both * both;
        if det > 1e-9 { ((first * two - second * both) / det, (second * one - first * both) / det) } else { (0.0, 0.0) }
    }

    /// How much the heart itself explains by changing its pace for some beats, from this interval on or, where two
    /// intervals are in question, from the next.
    #[inline(always)]
    pub(super) fn pace(&self, pair: bool) -> f64 {
        let fading = |pulse: &[f64; SEEN]| {
            let mut sum = 0.0;
            pulse.map(|p| {
                sum = FADING * sum + p;
                sum
            })
        };
        if !pair {
            return explained(&self.left, &fading(&self.pulse)).1;
        }
        let now = explained(&self.left_of_pair, &fading(&self.pulse)).1;
        now.max(explained(&self.left_of_pair, &fading(&self.pulse_after)).1)
    }

    /// Everything that is left, squared.
    pub(super) fn power(&self, pair: bool) -> f64 {
        let left = if pair { &self.left_of_pair } else { &self.left };
        product(left, left)
    }
}

/// Size of the cause with this `answer` that explains most of what is `left`, and how much of the square sum it
/// explains.
#[inline(always)]
fn explained(left: &[f64; SEEN], answer: &[f64; SEEN]) -> (f64, f64) {
    let (s, q) = (product(left, answer), product(answer, answer));
    if q > 1e-9 { (s / q, s * s / q) } else { (0.0, 0.0) }
}

#[inline(always)]
fn product(a: &[f64; SEEN], b: &[f64; SEEN]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
