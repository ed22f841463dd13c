//! The live detector: a beat is an artifact when moving it, and not the heart, explains the intervals around it.
//!
//! A short autoregressive model foresees breathing, so what is left of normal intervals is small even with strong
//! respiratory arrhythmia. Against that remainder three explanations of the next five intervals compete: one interval
//! is wrong, one beat sits at the wrong time (a pair +d, −d), or the heart changed its pace (a step, never flagged).
//! Thresholds are quantiles of the same statistics over the person's own normal intervals. Why and what else was
//! tried: `docs/decisions/0010-artifact-detector.md`.

use super::autoregression::{Autoregression, Filter, ORDER};
use super::trailing_quantile::TrailingQuantile;
use super::{Detector, Label};

/// Intervals that must have arrived after one before it is decided.
const DELAY: usize = 5;
/// Intervals that the local median is taken over.
const NEIGHBOURS: usize = 2 * DELAY + 1;
/// Normal intervals behind the thresholds.
const WINDOW: usize = 90;
/// A statistic of normal intervals stays below this quantile times the factor below.
const QUANTILE: f64 = 0.85;
const SINGLE_FACTOR: f64 = 3.7;
const PAIR_FACTOR: f64 = 2.5;
/// Thresholds never fall below these: quantised and very regular series make small steps of their own.
const FLOOR_MS: f64 = 14.0;
const SINGLE_FLOOR: f64 = 0.045;
const PAIR_FLOOR: f64 = 0.045;
/// Thresholds never rise above this share of the local median, however restless the series.
const CEILING: f64 = 0.20;
/// Further from the local median than `CEILING` and this far from what was foreseen: an artifact whatever the threshold.
const UNFORESEEN: f64 = 0.14;
/// Further from the local median than this: an artifact whatever the model says.
const IMPOSSIBLE: f64 = 0.35;
/// Undecided neighbours further from the median than this are taken for it.
const CLIP: f64 = 0.25;
/// Assumed remainder, as a share of the median, while little has been seen; it fades out over `WARM` intervals.
const PRIOR: f64 = 0.05;
const WARM: f64 = 30.0;
/// The model is fitted at every interval until so many are decided, later at every eighth
/// and wherever something sticks out.
const WARM_UP: usize = 40;
const REFIT: usize = 8;
/// What comes this close to its threshold sticks out.
const CLOSE: f64 = 0.85;
/// The step must explain clearly less than the artifact does.
const STEP_MARGIN: f64 = 0.8;
/// Each half of a pair carries at least this share of the shift.
const HALF: f64 = 0.4;
/// The past alone foresees at least this share of the error.
const SURPRISE: f64 = 0.5;
/// Ridge and assumed white noise (share of the median) of the model.
const RIDGE: f64 = 0.05;
const NOISE: f64 = 0.004;
/// No heart beats faster or slower than this (250 and 30 a minute).
const SHORTEST_MS: f64 = 240.0;
const LONGEST_MS: f64 = 2000.0;

/// Causal artifact detector with a delay of five intervals and constant cost per interval.
#[derive(Clone, Debug)]
pub struct LiveDetector {
    /// Intervals that wait for their label, oldest first.
    waiting: [f64; DELAY + 1],
    waits: usize,
    /// The intervals decided last, oldest first, artifacts replaced by what was foreseen.
    past: [f64; ORDER],
    /// As they came: the last six decided ones, oldest first, so that they can leave the median.
    came: [f64; DELAY + 1],
    decided: usize,
    /// Everything in `came` and `waiting`, ascending.
    near: [f64; NEIGHBOURS + 1],
    nears: usize,
    /// Label and replacement given ahead of time to the second half of a pair.
    ahead: Option<(Label, f64)>,
    model: Autoregression,
    /// The model as last fitted, and the scale of either statistic as last read, ms.
    filter: Filter,
    level: f64,
    single_scale: f64,
    pair_scale: f64,
    singles: TrailingQuantile<WINDOW>,
    pairs: TrailingQuantile<WINDOW>,
}

impl Default for LiveDetector {
    fn default() -> Self {
        Self::new()
    }
}

/// Three intervals before the one in question, itself and those after it, around their level.
type Local = [f64; ORDER + DELAY + 1];

/// What is left of interval `d` after the one in question when all before it are known.
#[inline(always)]
fn unforeseen(local: &Local, d: usize, f: &Filter) -> f64 {
    f[0] * local[d + 3] + f[1] * local[d + 2] + f[2] * local[d + 1] + f[3] * local[d]
}

/// What the interval in question on its own, or the beat at its end, would have to be off by to explain what follows.
struct Fit {
    /// What the interval has too much, ms, if it alone is wrong.
    single_ms: f64,
    /// By how much the beat at its end comes late, ms, if that beat alone is displaced.
    pair_ms: f64,
    /// What the intervals before it did not foresee, ms: needs none of the later ones.
    surprise_ms: f64,
}

impl LiveDetector {
    /// A detector at the start of a segment.
    pub const fn new() -> Self {
        Self {
            waiting: [0.0; DELAY + 1],
            waits: 0,
            past: [0.0; ORDER],
            came: [0.0; DELAY + 1],
            decided: 0,
            near: [0.0; NEIGHBOURS + 1],
            nears: 0,
            ahead: None,
            model: Autoregression::new(),
            filter: [1.0, 0.0, 0.0, 0.0],
            level: 0.0,
            single_scale: 0.0,
            pair_scale: 0.0,
            singles: TrailingQuantile::new(),
            pairs: TrailingQuantile::new(),
        }
    }

    /// Puts an interval among its neighbours in order.
    fn meet(&mut self, x: f64) {
        let mut k = self.nears.min(NEIGHBOURS);
        while k > 0 && self.near[k - 1] > x {
            self.near[k] = self.near[k - 1];
            k -= 1;
        }
        self.near[k] = x;
        self.nears = (self.nears + 1).min(NEIGHBOURS + 1);
    }

    /// Takes an interval out of its neighbours.
    fn part(&mut self, x: f64) {
        let Some(k) = self.near[..self.nears].iter().position(|v| *v == x) else { return };
        self.nears -= 1;
        for i in k..self.nears {
            self.near[i] = self.near[i + 1];
        }
    }

    /// Median of the intervals from five before to five after, as far as they exist.
    fn median(&self) -> f64 {
        let n = self.nears;
        0.5 * (self.near[n.saturating_sub(1) / 2] + self.near[n / 2])
    }

    /// Fits both explanations at the oldest undecided interval. `local` holds the three before it, repaired, then
    /// itself and those after it, clipped, all around their level; `last` is the place of the last that exists, counted
    /// from it; `excess` is what was clipped off the next one.
    fn fit(local: &Local, last: usize, excess: f64, f: &Filter) -> Fit {
        let pair = [f[0], f[1] - f[0], f[2] - f[1], f[3] - f[2], -f[3]];
        let e: [f64; ORDER + 2] = std::array::from_fn(|d| unforeseen(local, d, f));
        // Only what exists counts.
        let end = last.min(ORDER + 1) + 1;
        let (mut s1, mut q1, mut s2, mut q2) = (0.0, 0.0, 0.0, 0.0);
        let mut add = |d: usize| {
            let (pulse, shifted) = (f.get(d).copied().unwrap_or(0.0), if d > 0 { f[d - 1] } else { 0.0 });
            s1 += e[d] * pulse;
            q1 += pulse * pulse;
            s2 += (e[d] + shifted * excess) * pair[d];
            q2 += pair[d] * pair[d];
        };
        if end == ORDER + 2 {
            (0..ORDER + 2).for_each(&mut add);
        } else {
            (0..end).for_each(&mut add);
        }
        Fit { single_ms: s1 / q1, pair_ms: s2 / q2, surprise_ms: e[0] }
    }

    /// Whether an artifact explains clearly more than a change of pace that starts at this interval or at the next.
    /// `pair` asks for a displaced beat, otherwise for one wrong interval.
    fn beats_step(local: &Local, last: usize, excess: f64, f: &Filter, pair: bool) -> bool {
        let explained = |answer: &dyn Fn(usize) -> f64| {
            let (mut s, mut q) = (0.0, 0.0);
            for d in 0..=last.min(ORDER + 1) {
                let e = unforeseen(local, d, f);
                let e = if pair && d > 0 { e + f[d - 1] * excess } else { e };
                s += e * answer(d);
                q += answer(d) * answer(d);
            }
            if q > 1e-9 { s * s / q } else { 0.0 }
        };
        let pulse = |d: usize| f.get(d).copied().unwrap_or(0.0);
        let step = |d: usize| f.iter().take(d + 1).sum::<f64>();
        let before = |d: usize, of: &dyn Fn(usize) -> f64| d.checked_sub(1).map_or(0.0, of);
        let artifact = if pair { explained(&|d| pulse(d) - before(d, &pulse)) } else { explained(&pulse) };
        artifact >= STEP_MARGIN * explained(&step).max(explained(&|d| before(d, &step)))
    }

    /// Reads the scale of a statistic; while little has been seen an assumed one takes part.
    fn scale(seen: &mut TrailingQuantile<WINDOW>, median: f64) -> f64 {
        let n = seen.len() as f64;
        let prior_weight = 10.0 * (1.0 - n / WARM).max(0.0);
        (seen.quantile(QUANTILE) * n + PRIOR * median * prior_weight) / (n + prior_weight)
    }

    /// The threshold of a statistic within its floor and ceiling.
    fn threshold(scale: f64, factor: f64, floor: f64, median: f64) -> f64 {
        (factor * scale).max(FLOOR_MS).max(floor * median).min(CEILING * median)
    }

    /// Fits the model and reads the scales anew.
    fn refit(&mut self, ahead: &[f64], median: f64) {
        let (filter, level) = self.model.fit(ahead, RIDGE, NOISE * median).unwrap_or(([1.0, 0.0, 0.0, 0.0], median));
        (self.filter, self.level) = (filter, level);
        self.single_scale = Self::scale(&mut self.singles, median);
        self.pair_scale = Self::scale(&mut self.pairs, median);
    }

    /// Decides the oldest undecided interval from what has arrived.
    fn decide(&mut self) -> Label {
        if self.decided > DELAY {
            self.part(self.came[0]);
        }
        let x = self.waiting[0];
        let last = self.waits.saturating_sub(1);
        let median = self.median();
        let label = match self.ahead.take() {
            Some((label, repaired)) => {
                self.settle(repaired);
                label
            }
            None => self.judge(x, last, median),
        };
        self.came.copy_within(1.., 0);
        self.came[DELAY] = x;
        self.waiting.copy_within(1.., 0);
        self.waits = last;
        self.decided += 1;
        label
    }

    fn judge(&mut self, x: f64, last: usize, median: f64) -> Label {
        let clip = |v: f64| if (v - median).abs() > CLIP * median { median } else { v };
        // Beyond the ends of the segment its end values stand in.
        let mut ahead = [0.0; DELAY + 1];
        for (k, v) in ahead.iter_mut().enumerate() {
            *v = clip(self.waiting[k.min(last)]);
        }
        let before = if self.decided == 0 { [ahead[0]; ORDER] } else { self.past };
        let fresh = self.decided < WARM_UP || self.decided % REFIT == 0;
        if fresh {
            self.refit(&ahead[..=last], median);
        }
        let y = self.waiting[last.min(1)];
        let (mut local, mut excess, mut fit) = self.look(x, y, last, &before, &ahead);
        let near = |s: &Self, fit: &Fit| {
            fit.single_ms.abs() > CLOSE * Self::threshold(s.single_scale, SINGLE_FACTOR, SINGLE_FLOOR, median)
                || fit.pair_ms.abs() > CLOSE * Self::threshold(s.pair_scale, PAIR_FACTOR, PAIR_FLOOR, median)
        };
        // Whatever sticks out is judged by a fresh model.
        if !fresh && near(self, &fit) {
            self.refit(&ahead[..=last], median);
            (local, excess, fit) = self.look(x, y, last, &before, &ahead);
        }
        let (level, filter) = (self.level, &self.filter);
        let (size, shift) = (fit.single_ms.abs(), fit.pair_ms.abs());
        let single_over = size > Self::threshold(self.single_scale, SINGLE_FACTOR, SINGLE_FLOOR, median);
        let pair_over = shift > Self::threshold(self.pair_scale, PAIR_FACTOR, PAIR_FLOOR, median);

        let off = (x - median).abs();
        let impossible = !(SHORTEST_MS..=LONGEST_MS).contains(&x) || off > IMPOSSIBLE * median;
        let gross = impossible || (off > CEILING * median && size > UNFORESEEN * median);
        // What follows may be wrong as well; the past alone must already have spoken against this one.
        let surprised = |ms: f64| fit.surprise_ms * ms.signum() > SURPRISE * ms.abs();
        let single = single_over && surprised(fit.single_ms) && Self::beats_step(&local, last, excess, filter, false);
        let pair = pair_over && last > 0 && surprised(fit.pair_ms) && {
            // Both halves against the straight line between the neighbours of the pair.
            let (before, after) = (local[ORDER - 1], local[ORDER + 2]);
            let first = local[ORDER] - (2.0 * before + after) / 3.0;
            let second = y - level - (before + 2.0 * after) / 3.0;
            first * second < 0.0
                && first.abs().min(second.abs()) > HALF * shift
                && Self::beats_step(&local, last, excess, filter, true)
        };

        if !(gross || single || pair) {
            self.singles.push(size);
            self.pairs.push(shift);
            self.settle(x);
            return Label::Normal;
        }
        let expected = (x - fit.single_ms).clamp(0.8 * median, 1.2 * median);
        let y = if last > 0 { y } else { f64::INFINITY };
        let near = |v: f64, target: f64| (v - target).abs() < 0.2 * target;
        let label = if x < 0.85 * expected && y < 0.95 * expected && near(x + y, expected) {
            // Something between two beats was counted: both parts are no intervals.
            self.ahead = Some((Label::Extra, expected));
            Label::Extra
        } else if x > 1.6 * expected && (2..=4).any(|k| near(x / f64::from(k), expected)) {
            Label::Missed
        } else if pair {
            self.ahead = Some((Label::Ectopic, y + fit.pair_ms));
            self.settle((x - fit.pair_ms).clamp(0.8 * median, 1.2 * median));
            return Label::Ectopic;
        } else if x > expected {
            Label::Long
        } else {
            Label::Short
        };
        self.settle(expected);
        label
    }

    /// Sets the intervals around their level and fits both explanations. Gives also what was clipped off the next one.
    fn look(&self, x: f64, y: f64, last: usize, before: &[f64; ORDER], ahead: &[f64; DELAY + 1]) -> (Local, f64, Fit) {
        let level = self.level;
        let mut local: Local = [0.0; ORDER + DELAY + 1];
        for (v, b) in local[..ORDER].iter_mut().zip(before) {
            *v = b - level;
        }
        for (v, a) in local[ORDER..].iter_mut().zip(ahead) {
            *v = a - level;
        }
        local[ORDER] = x - level;
        let excess = y - level - local[ORDER + 1];
        let fit = Self::fit(&local, last, excess, &self.filter);
        (local, excess, fit)
    }

    /// Notes what the interval should have been.
    fn settle(&mut self, repaired: f64) {
        self.past = if self.decided == 0 { [repaired; ORDER] } else { [self.past[1], self.past[2], repaired] };
        self.model.push(repaired);
    }
}

impl Detector for LiveDetector {
    fn delay(&self) -> usize {
        DELAY
    }

    fn push(&mut self, rr_ms: f64) -> Option<Label> {
        let x = if rr_ms.is_finite() { rr_ms.clamp(1.0, 65_536.0) } else { 1.0 };
        // `waits` never exceeds the delay between two calls.
        self.waiting[self.waits.min(DELAY)] = x;
        self.waits += 1;
        self.meet(x);
        (self.waits > DELAY).then(|| self.decide())
    }

    fn finish(&mut self) -> Vec<Label> {
        let owed = (0..self.waits).map(|_| self.decide()).collect();
        self.model.clear();
        self.singles.clear();
        self.pairs.clear();
        (self.waits, self.decided, self.nears, self.ahead) = (0, 0, 0, None);
        owed
    }
}

#[cfg(test)]
mod tests {
    use super::super::classify;
    use super::*;
    use proptest::prelude::*;

    fn letters(rr: &[f64]) -> String {
        classify(rr).iter().map(|l| l.letter()).collect()
    }

    /// 60 beats around 900 ms with gentle respiratory arrhythmia.
    fn calm() -> Vec<f64> {
        (0..60).map(|i| 900.0 + 25.0 * (f64::from(i) * 1.1).sin() + f64::from((i * 7) % 5)).collect()
    }

    #[test]
    fn calm_series_is_normal() {
        assert_eq!(letters(&calm()), "N".repeat(60));
        assert_eq!(letters(&[]), "");
        assert_eq!(letters(&[900.0]), "N");
    }

    #[test]
    fn strong_respiratory_arrhythmia_is_normal() {
        let rr: Vec<f64> = (0..200).map(|i| 1150.0 + 190.0 * (f64::from(i) * 1.25).sin()).collect();
        // Before the first breath is over nothing tells a deep breath from an artifact.
        assert_eq!(letters(&rr)[5..], "N".repeat(195));
    }

    #[test]
    fn every_class_is_named() {
        let normal = |n: usize| "N".repeat(n);
        let mut rr = calm();
        rr.splice(40..42, [rr[40] + rr[41]]);
        assert_eq!(letters(&rr), normal(40) + "M" + &normal(18));

        let mut rr = calm();
        rr.splice(40..41, [rr[40] * 0.4, rr[40] * 0.6]);
        assert_eq!(letters(&rr), normal(40) + "XX" + &normal(19));

        let mut rr = calm();
        (rr[40], rr[41]) = (rr[40] - 300.0, rr[41] + 300.0);
        assert_eq!(letters(&rr), normal(40) + "EE" + &normal(18));

        let mut rr = calm();
        (rr[40], rr[41]) = (rr[40] + 110.0, rr[41] - 110.0);
        assert_eq!(letters(&rr), normal(40) + "EE" + &normal(18));

        let mut rr = calm();
        rr[40] *= 1.35;
        assert_eq!(letters(&rr), normal(40) + "L" + &normal(19));

        let mut rr = calm();
        rr[40] *= 0.65;
        assert_eq!(letters(&rr), normal(40) + "S" + &normal(19));
    }

    #[test]
    fn a_change_of_pace_is_not_an_artifact() {
        let rr: Vec<f64> = (0..80).map(|i| if i < 40 { 950.0 } else { 780.0 } + f64::from((i * 7) % 13)).collect();
        assert_eq!(letters(&rr), "N".repeat(80));
    }

    proptest! {
        #[test]
        fn one_label_per_interval_whatever_comes(rr in proptest::collection::vec(proptest::num::f64::ANY, 0..200)) {
            prop_assert_eq!(classify(&rr).len(), rr.len());
        }

        #[test]
        fn labels_are_prompt_and_the_end_of_a_segment_forgets(rr in proptest::collection::vec(200.0..2500.0f64, 0..150)) {
            let mut d = LiveDetector::new();
            let want = classify(&rr);
            for _ in 0..2 {
                let mut got = Vec::new();
                for (i, x) in rr.iter().enumerate() {
                    got.extend(d.push(*x));
                    prop_assert_eq!(got.len(), (i + 1).saturating_sub(d.delay()));
                }
                got.extend(d.finish());
                prop_assert_eq!(&got, &want);
            }
        }
    }
}
