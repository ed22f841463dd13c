//! Which intervals and which pairs of intervals count as normal.

use crate::artifact::Label;

/// Intervals without a gap between them, with their labels.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    rr_ms: &'a [f64],
    labels: &'a [Label],
    after_artifact: bool,
}

impl<'a> Segment<'a> {
    /// A stretch of a recording. `after_artifact`: the interval right before it was flagged. Extra labels or intervals
    /// at the end are left out.
    pub fn new(rr_ms: &'a [f64], labels: &'a [Label], after_artifact: bool) -> Self {
        let n = rr_ms.len().min(labels.len());
        Self { rr_ms: &rr_ms[..n], labels: &labels[..n], after_artifact }
    }

    /// All intervals, ms.
    pub fn rr_ms(self) -> &'a [f64] {
        self.rr_ms
    }

    /// Their labels.
    pub fn labels(self) -> &'a [Label] {
        self.labels
    }

    /// The normal intervals, ms.
    pub fn normal(self) -> impl Iterator<Item = f64> + 'a {
        self.rr_ms.iter().zip(self.labels).filter(|(_, l)| l.is_normal()).map(|(rr, _)| *rr)
    }

    /// Pairs of neighbours that may be compared: both normal and neither right after an artifact, because the beat
    /// that ends an artifact may be displaced itself.
    pub fn pairs(self) -> impl Iterator<Item = (f64, f64)> + 'a {
        let mut before_ok = false;
        let mut flagged = self.after_artifact;
        let mut before = 0.0;
        self.rr_ms.iter().zip(self.labels).filter_map(move |(rr, label)| {
            let ok = label.is_normal() && !flagged;
            flagged = !label.is_normal();
            let pair = (ok && before_ok).then_some((before, *rr));
            (before, before_ok) = (*rr, ok);
            pair
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Label::{Ectopic, Normal};

    fn pairs(labels: &[Label], after: bool) -> Vec<(f64, f64)> {
        let rr: Vec<f64> = (0..labels.len()).map(|i| i as f64).collect();
        Segment::new(&rr, labels, after).pairs().collect()
    }

    #[test]
    fn an_artifact_takes_its_neighbours_differences_along() {
        assert_eq!(pairs(&[Normal; 3], false), [(0.0, 1.0), (1.0, 2.0)]);
        assert_eq!(pairs(&[Normal; 4], true), [(1.0, 2.0), (2.0, 3.0)]);
        assert_eq!(pairs(&[Normal, Ectopic, Normal, Normal, Normal], false), [(3.0, 4.0)]);
        assert_eq!(pairs(&[Ectopic, Ectopic, Normal, Normal, Ectopic, Normal], false), []);
        assert_eq!(pairs(&[], false), []);
    }

    #[test]
    fn normal_intervals_keep_their_order() {
        let seg = Segment::new(&[1.0, 2.0, 3.0], &[Normal, Ectopic, Normal], false);
        assert_eq!(seg.normal().collect::<Vec<_>>(), [1.0, 3.0]);
    }
}
