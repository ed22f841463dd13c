//! The data of one window: what lies inside, how good it is, and what it therefore refuses.

use super::stretch::Labelled;
use super::{Artifacts, Options, Stretch};
use crate::artifact::Label;
use crate::check::Grade;
use crate::hrv::Why;
use crate::hrv::nn::Segment;

/// What needs evenly continuing beats restarts at a gap; with more gap time than this share there is no value.
const MOST_GAP: f64 = 0.05;
/// Rounding of sums of intervals, s.
const ROUNDING_S: f64 = 1e-6;

pub(super) struct Span<'a> {
    pub(super) n: usize,
    pub(super) artifact_pct: Option<f64>,
    pub(super) coverage: f64,
    pub(super) grade: Grade,
    /// What the time domain is computed over.
    pub(super) segments: Vec<Segment<'a>>,
    /// The series of each stretch that all else is computed from.
    pub(super) series: Vec<&'a [f64]>,
    /// The longest of them, and what it holds.
    pub(super) longest: &'a [f64],
    pub(super) stretch: Option<Stretch>,
    /// Why nothing of this window may be shown.
    pub(super) refusal: Option<Why>,
    keep: bool,
    /// Time without beats that the transport lost, or that one interval of a text file spans, over the length.
    gap_share: f64,
}

impl<'a> Span<'a> {
    /// `normal`: as many normal labels as the longest stretch has intervals.
    pub(super) fn of(
        of: &'a Labelled,
        normal: &'a [Label],
        (start_s, length_s): (f64, f64),
        options: &Options,
    ) -> Self {
        let artifacts = options.artifacts;
        let keep = artifacts == Artifacts::Keep;
        let end_s = start_s + length_s;
        let inside = |ends: &[f64]| {
            let from = ends.partition_point(|t| *t <= start_s);
            let to = ends.partition_point(|t| *t <= end_s);
            from..to.max(from)
        };
        let (mut n, mut flagged, mut sum) = (0, 0, 0.0);
        let (mut segments, mut series) = (Vec::new(), Vec::new());
        let mut longest: &[f64] = &[];
        let mut longest_s = 0.0;
        let mut stretch = None;
        for s in &of.stretches {
            let raw = inside(&s.ends);
            let rr = &s.rr[raw.clone()];
            let labels = &s.labels[raw.clone()];
            let bad = flags(labels);
            n += rr.len();
            flagged += bad;
            sum += rr.iter().sum::<f64>() / 1000.0;
            let fixed_inside = inside(&s.fixed_ends);
            let fixed = &s.fixed[fixed_inside.clone()];
            let after = if raw.start > 0 { !s.labels[raw.start - 1].is_normal() } else { s.after_artifact };
            segments.push(match artifacts {
                Artifacts::Keep => Segment::new(rr, normal, false),
                Artifacts::Exclude => Segment::new(rr, labels, after),
                Artifacts::Correct => Segment::new(fixed, normal, false),
            });
            let (measured, ends) = if keep { (rr, &s.ends[raw.clone()]) } else { (fixed, &s.fixed_ends[fixed_inside]) };
            series.push(measured);
            let seconds = measured.iter().sum::<f64>() / 1000.0;
            if seconds > longest_s {
                (longest, longest_s) = (measured, seconds);
                stretch = ends.first().zip(measured.first()).map(|(end, first)| Stretch {
                    start_s: end - first / 1000.0,
                    length_s: seconds,
                    n: rr.len(),
                    artifact_pct: share(bad, rr.len()),
                });
            }
        }
        for (_, label) in of.counted.iter().filter(|(end, _)| *end > start_s && *end <= end_s) {
            n += 1;
            flagged += usize::from(!label.is_normal());
        }
        // What lies in the window of each gap; one without a length cuts, too.
        let gaps = of.gaps.iter().map(|g| (g.0.max(start_s), g.1.min(end_s)));
        let gaps: Vec<f64> = gaps.filter(|g| g.0 < g.1 - ROUNDING_S || g.0 == g.1).map(|g| g.1 - g.0).collect();
        let coverage = if length_s > 0.0 { sum / length_s } else { 0.0 };
        let artifact_pct = share(flagged, n);
        let grade = Grade::of(artifact_pct.unwrap_or(100.0), coverage, !gaps.is_empty());
        let ends_early = of.duration_s + ROUNDING_S < end_s;
        let refusal = match artifact_pct {
            _ if keep => None,
            _ if grade != Grade::Bad => options.untrusted.then_some(Why::Refused),
            Some(pct) if pct > 10.0 => Some(Why::Artifacts),
            None if gaps.is_empty() => Some(Why::TooFew),
            _ if gaps.is_empty() && ends_early => Some(Why::TooShort),
            _ => Some(Why::Gap),
        };
        let gap_share = if length_s > 0.0 { gaps.iter().sum::<f64>() / length_s } else { 0.0 };
        Self { n, artifact_pct, coverage, grade, segments, series, longest, stretch, refusal, keep, gap_share }
    }

    /// Whether a metric that needs no continuity has a value at up to so many artifacts, %.
    pub(super) fn clean(&self, most_pct: f64) -> Result<(), Why> {
        self.within(most_pct, self.artifact_pct)
    }

    /// The series for a metric that needs continuity, or why there is none: its own artifacts count, not those of
    /// the whole window.
    pub(super) fn continuous(&self, most_pct: f64) -> Result<&'a [f64], Why> {
        self.within(most_pct, self.stretch.and_then(|s| s.artifact_pct))?;
        if self.gap_share > MOST_GAP { Err(Why::Gap) } else { Ok(self.longest) }
    }

    fn within(&self, most_pct: f64, pct: Option<f64>) -> Result<(), Why> {
        match (self.refusal, pct) {
            (Some(why), _) => Err(why),
            _ if self.n == 0 => Err(Why::TooFew),
            (None, Some(pct)) if !self.keep && pct > most_pct => Err(Why::Artifacts),
            _ => Ok(()),
        }
    }
}

fn flags(labels: &[Label]) -> usize {
    labels.iter().filter(|l| !l.is_normal()).count()
}

fn share(flagged: usize, n: usize) -> Option<f64> {
    (n > 0).then(|| 100.0 * flagged as f64 / n as f64)
}
