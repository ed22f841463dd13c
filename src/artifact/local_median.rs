//! A plain detector: an interval far from the median of its neighbours is no NN interval.

use super::{Detector, Label};
use std::collections::VecDeque;

const HALF: usize = 5;
const REL: f64 = 0.20;
const BOUNDS_MS: std::ops::RangeInclusive<f64> = 300.0..=2000.0;

/// Flags what lies more than 20 % from the median of the eleven intervals around it, or outside 300..2000 ms.
#[derive(Clone, Debug, Default)]
pub struct LocalMedian {
    /// Up to 11 intervals around the next one to decide.
    recent: VecDeque<f64>,
    /// Index in `recent` of the next interval to decide.
    next: usize,
}

impl LocalMedian {
    fn judge(&self) -> Label {
        let rr = self.recent[self.next];
        let mut sorted: Vec<f64> = self.recent.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let median = sorted[sorted.len() / 2];
        if !BOUNDS_MS.contains(&rr) || (rr / median - 1.0).abs() > REL {
            if rr > median { Label::Long } else { Label::Short }
        } else {
            Label::Normal
        }
    }

    fn step(&mut self) -> Label {
        let label = self.judge();
        self.next += 1;
        if self.next > HALF {
            self.recent.pop_front();
            self.next -= 1;
        }
        label
    }
}

impl Detector for LocalMedian {
    fn delay(&self) -> usize {
        HALF
    }

    fn push(&mut self, rr_ms: f64) -> Option<Label> {
        self.recent.push_back(rr_ms);
        (self.recent.len() > self.next + HALF).then(|| self.step())
    }

    fn finish(&mut self) -> Vec<Label> {
        let mut out = vec![];
        while self.next < self.recent.len() {
            out.push(self.step());
        }
        *self = Self::default();
        out
    }
}

/// Labels of a whole segment, ms.
pub fn classify(rr_ms: &[f64]) -> Vec<Label> {
    let mut detector = LocalMedian::default();
    let mut out: Vec<Label> = rr_ms.iter().filter_map(|rr| detector.push(*rr)).collect();
    out.extend(detector.finish());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interval_gets_one_label() {
        for n in 0..30 {
            assert_eq!(classify(&vec![800.0; n]), vec![Label::Normal; n]);
        }
    }

    #[test]
    fn missed_and_extra_beats_are_flagged_where_they_are() {
        let mut rr = vec![800.0; 40];
        (rr[10], rr[20], rr[21]) = (1600.0, 300.0, 500.0);
        let flagged: Vec<usize> =
            classify(&rr).iter().enumerate().filter(|(_, l)| !l.is_normal()).map(|(i, _)| i).collect();
        assert_eq!(flagged, [10, 20, 21]);
    }
}
