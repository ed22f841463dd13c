//! A recording cut where beats are missing, each part with its labels and its corrected form.

use super::series::LONGEST_MS;
use super::{Artifacts, DetectorKind, Options, Series};
use crate::artifact::{self, Label};

/// A drop-out inside a text file shows as one interval longer than this, ms.
const DROP_OUT_MS: f64 = 4000.0;

/// No gap is taken to be longer, s: a year.
const LONGEST_GAP_S: f64 = 366.0 * 86_400.0;

/// Whether it can be an interval at all: what is not finite or not positive has no place in time.
pub(super) fn is_interval(rr_ms: f64) -> bool {
    rr_ms > 0.0 && rr_ms <= LONGEST_MS
}

/// How long a gap may have been.
pub(super) fn gap_length_s(said: f64) -> f64 {
    if said.is_finite() { said.clamp(0.0, LONGEST_GAP_S) } else { 0.0 }
}

/// Intervals without a gap, labelled, with their corrected form.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) rr: Vec<f64>,
    pub(super) labels: Vec<Label>,
    /// End of each interval, s.
    pub(super) ends: Vec<f64>,
    pub(super) fixed: Vec<f64>,
    pub(super) fixed_ends: Vec<f64>,
    /// What stands before the first interval was flagged.
    pub(super) after_artifact: bool,
}

/// A whole recording as it is measured.
#[derive(Clone, Debug)]
pub(super) struct Labelled {
    pub(super) stretches: Vec<Stretch>,
    /// Start and end of each gap, s.
    pub(super) gaps: Vec<(f64, f64)>,
    /// Drop-outs that a detector counts as intervals: end, s, and label.
    pub(super) counted: Vec<(f64, Label)>,
    pub(super) duration_s: f64,
    /// One letter an interval of the series.
    pub(super) letters: String,
}

impl Labelled {
    pub(super) fn of(series: &Series, options: &Options) -> Self {
        let live = options.detector == DetectorKind::Live;
        // A series that is measured as it is has no gap but those that it came with.
        let splits = |x: f64| options.artifacts != Artifacts::Keep && x > DROP_OUT_MS;
        let rr = &series.rr_ms;
        let mut out = Self {
            stretches: Vec::new(),
            gaps: Vec::new(),
            counted: Vec::new(),
            duration_s: 0.0,
            letters: String::with_capacity(rr.len()),
        };
        let mut gaps = series.gaps.iter().peekable();
        let mut from = 0;
        while from < rr.len() {
            while let Some((_, gap_s)) = gaps.next_if(|g| g.0 <= from) {
                out.gap(gap_length_s(*gap_s));
            }
            if !is_interval(rr[from]) {
                // Whatever it is, it took no time that is known.
                out.gap(0.0);
                out.letters.push('G');
                from += 1;
                continue;
            }
            let to = gaps.peek().map_or(rr.len(), |g| g.0.clamp(from + 1, rr.len()));
            let to = (from + 1..to).find(|i| !is_interval(rr[*i])).unwrap_or(to);
            let run = &rr[from..to];
            let labels = if live { classify_between(run) } else { artifact::lipponen_tarvainen(run) };
            let letter = |(x, l): (&f64, &Label)| if live && *x > DROP_OUT_MS { 'G' } else { l.letter() };
            out.letters.extend(run.iter().zip(&labels).map(letter));
            let (mut first, mut after) = (0, false);
            for i in 0..=run.len() {
                if i < run.len() && !splits(run[i]) {
                    continue;
                }
                if i > first {
                    out.stretch(&run[first..i], &labels[first..i], after, live);
                }
                if i < run.len() {
                    out.gap(run[i] / 1000.0);
                    // The live detector looks at what lies between drop-outs only; the other one has judged them, too.
                    after = !live && !labels[i].is_normal();
                    if !live {
                        out.counted.push((out.duration_s, labels[i]));
                    }
                }
                first = i + 1;
            }
            from = to;
        }
        out
    }

    /// As many normal labels as any stretch has intervals.
    pub(super) fn normal(&self) -> Vec<Label> {
        vec![Label::Normal; self.stretches.iter().map(|s| s.rr.len().max(s.fixed.len())).max().unwrap_or(0)]
    }

    fn gap(&mut self, seconds: f64) {
        let start = self.duration_s;
        self.duration_s += seconds;
        self.gaps.push((start, self.duration_s));
    }

    fn stretch(&mut self, rr: &[f64], labels: &[Label], after_artifact: bool, live: bool) {
        let fixed = if live { artifact::repair(rr, labels) } else { artifact::correct(rr, labels) };
        let start = self.duration_s;
        // Sums in ms, as the window rule is defined, and only then seconds.
        let ends = |x: &[f64]| -> Vec<f64> {
            let mut sum = 0.0;
            x.iter()
                .map(|rr| {
                    sum += rr;
                    start + sum / 1000.0
                })
                .collect()
        };
        let (ends, fixed_ends) = (ends(rr), ends(&fixed));
        self.duration_s = ends.last().copied().unwrap_or(start);
        self.stretches.push(Stretch {
            rr: rr.to_vec(),
            labels: labels.to_vec(),
            ends,
            fixed,
            fixed_ends,
            after_artifact,
        });
    }
}

/// Live labels of what lies between drop-outs; these themselves are far too long.
fn classify_between(run: &[f64]) -> Vec<Label> {
    let mut labels = Vec::with_capacity(run.len());
    for part in run.split(|x| *x > DROP_OUT_MS) {
        labels.extend(artifact::classify(part));
        labels.push(Label::Long);
    }
    labels.truncate(run.len());
    labels
}
