//! The live detector: a beat is an artifact when moving it, and not the heart, explains the intervals around it.
//!
//! A short autoregressive model foresees breathing, so what is left of normal intervals is small even with strong
//! respiratory arrhythmia. Against that remainder three explanations of the next five intervals compete: one interval
//! is wrong, one beat sits at the wrong time (a pair +d, −d), or the heart changed its pace for a while (never flagged).
//! How large d is beside the person's own normal intervals and beside the interval itself, and how much either
//! explains, make the odds. Most intervals are decided by two weighted sums. Why and what else was tried:
//! `docs/decisions/0010-artifact-detector.md`.

use super::autoregression::{Autoregression, ORDER};
use super::earlier::alike;
use super::evidence::{LEAST_SCALE_MS, PAIR, SINGLE, Seen, spread};
use super::explanation::{DELAY, Lens, Local, Scene};
use super::neighbours::Neighbours;
use super::trailing_quantile::TrailingQuantile;
use super::{Detector, Label};

/// Normal intervals behind the scales.
const WINDOW: usize = 90;
/// The scale of a statistic is this quantile of it over normal intervals.
const QUANTILE: f64 = 0.85;
/// Displacements of a beat smaller than both of these are never looked at: quantised and very regular series make such
/// steps of their own.
const FLOOR_MS: f64 = 14.0;
const PAIR_FLOOR: f64 = 0.04;
/// Wrong single intervals are looked at from this share of the local median on.
const SINGLE_FLOOR: f64 = 0.11;
/// Among calm intervals, single ones are looked at closely from this share of themselves on, displacements if their
/// square exceeds this share of the scale times the interval: well before their odds can be enough.
const SINGLE_CLOSE: f64 = 0.09;
const PAIR_CLOSE: f64 = 0.08;
/// An interval is calm if it differs by no more than this share from the one before, as it came or repaired.
const CALM: f64 = 0.16;
/// Further from the local median than this: an artifact whatever the model says.
const IMPOSSIBLE: f64 = 0.35;
/// Beside such ones an interval is wrong if it is off by this many times the scale, or by this share of the median.
const BESIDE_FACTOR: f64 = 3.7;
const CEILING: f64 = 0.20;
/// Undecided neighbours further from the median than this are taken for it.
const CLIP: f64 = 0.25;
/// Assumed remainder, as a share of the median, while little has been seen; it fades out over `WARM` intervals.
const PRIOR: f64 = 0.05;
const WARM: f64 = 30.0;
/// The model is fitted at every interval until so many are decided, later at every sixteenth and wherever something
/// sticks out.
const WARM_UP: usize = 40;
const REFIT: usize = 16;
/// Log odds that are asked for: a displacement that is missed costs RMSSD more than a normal beat that is left out.
const SINGLE_ODDS: f64 = -1.0;
const PAIR_ODDS: f64 = -0.9;
/// Each half of a pair carries at least this share of the shift.
const HALF: f64 = 0.35;
/// The past alone must have been surprised by at least this share of the error.
const SURPRISE: f64 = 0.4;
/// Ridge and assumed white noise (share of the median) of the model.
const RIDGE: f64 = 0.05;
const NOISE: f64 = 0.004;
/// No heart beats faster or slower than this (250 and 30 a minute).
const SHORTEST_MS: f64 = 240.0;
const LONGEST_MS: f64 = 2000.0;

/// Causal artifact detector with a delay of five intervals and constant cost per interval.
#[derive(Clone, Debug)]
pub struct LiveDetector {
    /// The three intervals decided last, artifacts replaced by what was foreseen; then those that wait for their label,
    /// oldest first.
    line: Local,
    waits: usize,
    decided: usize,
    /// How many of those that came last were calm.
    calm: usize,
    near: Neighbours<DELAY>,
    /// Whether the interval looked at last was one that no heart makes.
    after_impossible: bool,
    /// Label and replacement given ahead of time to the second half of a pair.
    ahead: Option<(Label, f64)>,
    model: Autoregression,
    lens: Lens,
    /// The scale of either statistic as last read, ms.
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

impl LiveDetector {
    /// A detector at the start of a segment.
    pub const fn new() -> Self {
        Self {
            line: [0.0; ORDER + DELAY + 1],
            waits: 0,
            decided: 0,
            calm: 0,
            near: Neighbours::new(),
            after_impossible: false,
            ahead: None,
            model: Autoregression::new(),
            lens: Lens::blank(),
            single_scale: 0.0,
            pair_scale: 0.0,
            singles: TrailingQuantile::new(),
            pairs: TrailingQuantile::new(),
        }
    }

    /// Reads the scale of a statistic; while little has been seen an assumed one takes part.
    fn scale(seen: &mut TrailingQuantile<WINDOW>, median: f64) -> f64 {
        let n = seen.len() as f64;
        let prior_weight = 10.0 * (1.0 - n / WARM).max(0.0);
        (seen.quantile(QUANTILE) * n + PRIOR * median * prior_weight) / (n + prior_weight)
    }

    /// Fits the model and reads the scales anew.
    fn refit(&mut self, ahead: &[f64], median: f64) {
        let (filter, level) = self.model.fit(ahead, RIDGE, NOISE * median).unwrap_or(([1.0, 0.0, 0.0, 0.0], median));
        self.lens = Lens::new(filter, level);
        self.single_scale = Self::scale(&mut self.singles, median);
        self.pair_scale = Self::scale(&mut self.pairs, median);
    }

    /// Decides the oldest undecided interval from what has arrived.
    fn decide(&mut self) -> Label {
        let (label, repaired) = match self.ahead.take() {
            Some(known) => known,
            None => self.judge(),
        };
        if self.decided == 0 {
            self.line[..ORDER].fill(repaired);
        }
        let [_, rest @ ..] = self.line;
        self.line[..rest.len()].copy_from_slice(&rest);
        self.line[ORDER - 1] = repaired;
        self.model.push(repaired);
        self.waits -= 1;
        self.decided += 1;
        label
    }

    /// Label of the oldest undecided interval, and what it should have been.
    #[inline]
    fn judge(&mut self) -> (Label, f64) {
        // All that is known is calm and nothing is missing: most intervals.
        if self.calm > DELAY && self.decided >= WARM_UP {
            let level = self.line[ORDER];
            if self.decided % REFIT == 0 {
                let ahead = self.line;
                self.refit(&ahead[ORDER..], level);
            }
            let (single, pair) = self.lens.sizes(&self.line);
            let (size, shift) = (single.abs(), pair.abs());
            let scale = if self.pair_scale > LEAST_SCALE_MS { self.pair_scale } else { LEAST_SCALE_MS };
            if size <= SINGLE_CLOSE * level && (shift <= FLOOR_MS || shift * shift <= PAIR_CLOSE * scale * level) {
                self.singles.push(size);
                self.pairs.push(shift);
                self.after_impossible = false;
                return (Label::Normal, level);
            }
        }
        self.look_closely(self.line[ORDER], self.near.median(self.decided))
    }

    #[inline(never)]
    fn look_closely(&mut self, x: f64, median: f64) -> (Label, f64) {
        let last = self.waits - 1;
        let mut local = self.line;
        // Beyond the ends of the segment its end values stand in.
        let end = ORDER + last;
        for (k, shown) in local.iter_mut().enumerate().skip(ORDER) {
            let v = self.line[k.min(end)];
            *shown = if (v - median).abs() > CLIP * median { median } else { v };
        }
        if self.decided == 0 {
            let first = local[ORDER];
            local[..ORDER].fill(first);
        }
        self.refit(&local[ORDER..end + 1], median);
        local[ORDER] = x;
        let y = self.line[ORDER + last.min(1)];
        let scene = Scene::new(&local, last, y - local[ORDER + 1], &self.lens);
        let ((single_ms, single_share), (pair_ms, pair_share)) = (scene.single(), scene.pair());
        let (size, shift) = (single_ms.abs(), pair_ms.abs());
        let unlike_a_heart =
            |v: f64| !(SHORTEST_MS..=LONGEST_MS).contains(&v) || (v - median).abs() > IMPOSSIBLE * median;
        let impossible = unlike_a_heart(x);
        // What follows may be wrong as well; the past alone must already have spoken against this one.
        let surprised = |ms: f64| scene.surprise_ms() * ms.signum() > SURPRISE * ms.abs();
        // Where contact is lost several in a row are wrong: beside impossible ones the person's own scale is enough.
        let beside = self.after_impossible || self.line[ORDER + 1..end + 1].iter().take(2).any(|v| unlike_a_heart(*v));
        let usual = (BESIDE_FACTOR * self.single_scale).max(FLOOR_MS).max(PAIR_FLOOR * median);
        let gross = impossible || (beside && size > usual.min(CEILING * median) && surprised(single_ms));
        self.after_impossible = impossible;
        let [b3, b2, before, _, next, a2, a3, a4, _] = local;
        let single = size > SINGLE_FLOOR * median && surprised(single_ms) && {
            let seen = Seen {
                size,
                scale: self.single_scale,
                median,
                explained: single_share,
                power: scene.power(false),
                pace: scene.pace(false),
                restless: spread(&[b2, before, next, a2, a3, a4]),
            };
            SINGLE.log_odds(&seen) > SINGLE_ODDS
        };
        let floor = FLOOR_MS.max(PAIR_FLOOR * median);
        let mut late = pair_ms;
        let pair = shift > floor
            && last > 0
            && surprised(pair_ms)
            && {
                let (first, second) = scene.halves();
                first * second < 0.0 && first.abs().min(second.abs()) > HALF * shift
            }
            && {
                let mut scale = self.pair_scale;
                let place = [b3, b2, before, x, y, a2, a3, a4];
                if let Some(usual) = alike(self.model.window(), &place, &self.lens, scale).filter(|_| last > 3) {
                    (late, scale) = (pair_ms - usual.0, usual.1);
                }
                let seen = Seen {
                    size: late.abs(),
                    scale,
                    median,
                    explained: pair_share,
                    power: scene.power(true),
                    pace: scene.pace(true),
                    restless: 0.0,
                };
                seen.size > floor && late * pair_ms > 0.0 && PAIR.log_odds(&seen) > PAIR_ODDS
            };

        if !(gross || single || pair) {
            self.singles.push(size);
            self.pairs.push(shift);
            return (Label::Normal, x);
        }
        let plausible = |v: f64| v.clamp(0.8 * median, 1.2 * median);
        let expected = plausible(x - single_ms);
        let y = if last > 0 { y } else { f64::INFINITY };
        let near = |v: f64, target: f64| (v - target).abs() < 0.2 * target;
        if x < 0.85 * expected && y < 0.95 * expected && near(x + y, expected) {
            // Something between two beats was counted: both parts are no intervals.
            self.ahead = Some((Label::Extra, expected));
            (Label::Extra, expected)
        } else if x > 1.6 * expected && (2..=4).any(|k| near(x / f64::from(k), expected)) {
            (Label::Missed, expected)
        } else if pair {
            self.ahead = Some((Label::Ectopic, y + late));
            (Label::Ectopic, plausible(x - late))
        } else if x > expected {
            (Label::Long, expected)
        } else {
            (Label::Short, expected)
        }
    }
}

impl Detector for LiveDetector {
    fn delay(&self) -> usize {
        DELAY
    }

    #[inline]
    fn push(&mut self, rr_ms: f64) -> Option<Label> {
        let x = if rr_ms.is_finite() { rr_ms.clamp(1.0, 65_536.0) } else { 1.0 };
        // `waits` never exceeds the delay between two calls.
        let waits = self.waits.min(DELAY);
        let before = self.line[ORDER + waits - 1];
        let calm = (x - before).abs() <= CALM * before && (SHORTEST_MS..=LONGEST_MS).contains(&x);
        self.calm = if calm { self.calm + 1 } else { 0 };
        self.line[ORDER + waits] = x;
        self.waits = waits + 1;
        self.near.enter(x);
        (self.waits > DELAY).then(|| self.decide())
    }

    fn finish(&mut self) -> Vec<Label> {
        let mut owed = Vec::with_capacity(self.waits);
        self.calm = 0;
        while self.waits > 0 {
            owed.push(self.decide());
        }
        self.near.clear();
        self.model.clear();
        self.singles.clear();
        self.pairs.clear();
        (self.decided, self.ahead, self.after_impossible) = (0, None, false);
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
