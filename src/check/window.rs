//! The beats of one recording window, judged and measured as a whole.

use super::grade::Grade;
use super::result::{Note, Values, WhyNone};
use crate::artifact::{self, Label};
use crate::engine::Reread;
use crate::hrv::nn::Segment as Nn;
use crate::hrv::time::TimeDomain;
use crate::hrv::{Metric, breathing};
use crate::timeline::{Beat, GapReason, Surplus};
use crate::units::Mono;
use crate::verdict::{Trust, Units};
use std::time::Duration;

/// A hole at least this long means that the link was away, not that single beats were lost.
pub(super) const DROPOUT: Duration = Duration::from_secs(5);

/// Breaks shorter than this miss no beat: the time base was taken anew, or a packet was cut.
const HOLE: Duration = Duration::from_millis(250);

/// Beats without a break between them.
#[derive(Clone, Debug)]
struct Segment {
    beats: Vec<Beat>,
}

impl Segment {
    fn labels(&self) -> Vec<Label> {
        let rr: Vec<f64> = self.beats.iter().map(|b| b.rr.as_ms()).collect();
        artifact::classify(&rr)
    }
}

/// All beats of a check so far, the settling phase included: the detector wants the context.
#[derive(Clone, Debug, Default)]
pub(super) struct Beats {
    segments: Vec<Segment>,
    /// Where more beats came than time had passed.
    overruns: Vec<Mono>,
    /// Intervals that were left out because there was no time for them, and when.
    surplus: Vec<(Mono, Surplus)>,
}

/// What lies inside a window.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    /// (beat, label) a segment.
    pub(super) segments: Vec<Vec<(Beat, Label)>>,
    /// Whether the first beat of each segment follows an artifact that lies outside: it may be displaced itself.
    after_artifact: Vec<bool>,
    /// Time in drop-outs inside the window.
    pub(super) dropout: Duration,
    /// Whether any hole, long or short, lies inside.
    pub(super) holes: bool,
    /// How often the time base was lost because more beats came than time had passed.
    pub(super) overruns: usize,
    /// Intervals that were left out because there was no time for them.
    surplus: Surplus,
}

impl Beats {
    pub(super) fn push(&mut self, gap: Option<GapReason>, beats: &[Beat]) {
        if let (Some(GapReason::TimeBase), Some(first)) = (gap, beats.first()) {
            self.overruns.push(first.at);
        }
        match self.segments.last_mut().filter(|_| gap.is_none()) {
            Some(last) => last.beats.extend_from_slice(beats),
            None => self.segments.push(Segment { beats: beats.to_vec() }),
        }
    }

    /// Intervals for which no time had passed.
    pub(super) fn surplus(&mut self, at: Mono, surplus: Surplus) {
        self.surplus.push((at, surplus));
    }

    /// Everything so far, read in other units.
    pub(super) fn reread(&mut self, reread: Reread) {
        self.segments.iter_mut().flat_map(|s| &mut s.beats).for_each(|b| b.rr = reread.again(b.rr));
    }

    pub(super) fn first_start(&self) -> Option<Mono> {
        self.segments.iter().find_map(|s| s.beats.first()).map(Beat::start)
    }

    pub(super) fn last_at(&self) -> Option<Mono> {
        self.segments.iter().rev().find_map(|s| s.beats.last()).map(|b| b.at)
    }

    /// Time without a link after `from`: holes of [`DROPOUT`] or more between beats.
    pub(super) fn dropout_after(&self, from: Mono) -> Duration {
        let mut total = Duration::ZERO;
        let mut last: Option<Mono> = None;
        for segment in &self.segments {
            let (Some(first), Some(end)) = (segment.beats.first(), segment.beats.last()) else { continue };
            if let Some(last) = last {
                let hole = first.start().since(last.max(from));
                if hole >= DROPOUT {
                    total += hole;
                }
            }
            last = Some(end.at);
        }
        total
    }

    /// Beats that end in `(from, until]`, judged with all context.
    pub(super) fn judge(&self, from: Mono, until: Mono) -> Judged {
        let inside = |b: &Beat| b.at > from && b.at <= until;
        let overruns = self.overruns.iter().filter(|at| **at > from && **at <= until).count();
        let surplus = self.surplus.iter().filter(|(at, _)| *at > from && *at <= until);
        let surplus = surplus.fold(Surplus::default(), |a, (_, b)| Surplus {
            ticks: a.ticks.saturating_add(b.ticks),
            equal: a.equal.saturating_add(b.equal),
        });
        let mut out = Judged { holes: overruns > 0, overruns, surplus, ..Judged::default() };
        let mut last: Option<Mono> = None;
        for segment in &self.segments {
            if !segment.beats.iter().any(inside) {
                last = segment.beats.last().map(|b| b.at).or(last);
                continue;
            }
            if let Some((last, first)) = last.zip(segment.beats.first()).filter(|(_, first)| first.at > from) {
                let hole = first.start().since(last.max(from));
                out.holes |= hole >= HOLE;
                if hole >= DROPOUT {
                    out.dropout += hole;
                }
            }
            let labelled: Vec<(Beat, Label)> = segment.beats.iter().copied().zip(segment.labels()).collect();
            out.keep(&labelled, false, inside);
            last = segment.beats.last().map(|b| b.at);
        }
        out
    }
}

impl Judged {
    /// Adds what is inside of a labelled segment; `after_artifact` is true of its first beat.
    fn keep(&mut self, labelled: &[(Beat, Label)], after_artifact: bool, inside: impl Fn(&Beat) -> bool) {
        let first = labelled.iter().position(|(b, _)| inside(b)).unwrap_or(labelled.len());
        let before = first.checked_sub(1).and_then(|i| labelled.get(i));
        self.after_artifact.push(before.map_or(after_artifact, |(_, label)| !label.is_normal()));
        self.segments.push(labelled.iter().copied().filter(|(b, _)| inside(b)).collect());
    }

    pub(super) fn n(&self) -> usize {
        self.segments.iter().map(Vec::len).sum()
    }

    pub(super) fn flagged(&self) -> usize {
        self.segments.iter().flatten().filter(|(_, l)| !l.is_normal()).count()
    }

    /// Time in normal intervals, s.
    pub(super) fn clean_s(&self) -> f64 {
        self.segments.iter().flatten().filter(|(_, l)| l.is_normal()).map(|(b, _)| b.rr.as_ms() / 1000.0).sum()
    }

    /// Share of normal intervals, %; `None` without intervals.
    pub(super) fn clean_pct(&self) -> Option<f64> {
        let n = self.n();
        (n > 0).then(|| 100.0 * (n - self.flagged()) as f64 / n as f64)
    }

    /// Mean heart rate of the normal intervals, bpm.
    pub(super) fn mean_hr(&self) -> Option<f64> {
        let (mut sum, mut n) = (0.0, 0u32);
        for (b, l) in self.segments.iter().flatten() {
            if l.is_normal() {
                sum += b.rr.as_ms();
                n += 1;
            }
        }
        (n > 0).then(|| 60_000.0 * f64::from(n) / sum)
    }

    /// More intervals came than time had passed: each may be sent again, or whole packets are delivered again, in some
    /// order that no single one gives away.
    fn why_too_many(&self, coverage: f64) -> WhyNone {
        let mut all = f64::from(self.surplus.ticks);
        let mut equal = f64::from(self.surplus.equal);
        for segment in &self.segments {
            let mut last = None;
            for (b, _) in segment {
                all += f64::from(b.rr.0);
                equal += if last.replace(b.rr) == Some(b.rr) { f64::from(b.rr.0) } else { 0.0 };
            }
        }
        let excess = all * (1.0 - 1.0 / coverage.max(1.0));
        if equal >= REPEATED * excess { WhyNone::Repeated } else { WhyNone::Doubled }
    }

    fn time_domain(&self) -> TimeDomain {
        let split: Vec<(Vec<f64>, Vec<Label>)> =
            self.segments.iter().map(|s| s.iter().map(|(b, l)| (b.rr.as_ms(), *l)).unzip()).collect();
        let after = self.after_artifact.iter();
        let segments: Vec<Nn<'_>> = split.iter().zip(after).map(|((rr, l), after)| Nn::new(rr, l, *after)).collect();
        TimeDomain::of(&segments)
    }

    /// The part that ends in `(from, until]`.
    fn part(&self, from: Mono, until: Mono) -> Judged {
        let mut out = Judged::default();
        for (segment, after) in self.segments.iter().zip(&self.after_artifact) {
            out.keep(segment, *after, |b| b.at > from && b.at <= until);
        }
        out
    }
}

/// Numbers and quality of a whole recording window.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) grade: Grade,
    pub(super) values: Option<Values>,
    pub(super) why: Option<WhyNone>,
    pub(super) n: u32,
    pub(super) pairs: u32,
    pub(super) artifact_pct: f64,
    pub(super) coverage: f64,
    pub(super) gap_s: f64,
    pub(super) clean_s: f64,
    pub(super) notes: Vec<Note>,
}

impl Measured {
    /// Takes back numbers that the signal does not carry, however clean they look.
    pub(super) fn distrust(&mut self, trust: Trust) {
        let why = WhyNone::of(trust);
        if why.is_some() {
            // what the window itself shows of too many intervals is finer
            let doubled = self.why == Some(WhyNone::Doubled) && why == Some(WhyNone::Repeated);
            (self.grade, self.values, self.why) = (Grade::Bad, None, if doubled { self.why } else { why });
            self.notes.retain(|n| *n == Note::Gap);
        } else if (trust.units, trust.leaning) == (Units::Unknown, Units::Unknown) && self.values.is_some() {
            self.notes.push(Note::UnitsUnproven);
        }
    }
}

/// More intervals than time. One packet at either end explains a fiftieth of a minute.
const MAX_COVERAGE: f64 = 1.06;
/// Equal neighbours that fill this share of what is too much are its cause.
const REPEATED: f64 = 0.6;
/// So many overruns in a window are no accident.
const MAX_OVERRUNS: usize = 2;
/// Least pairs of NN intervals behind a value.
const MIN_PAIRS: usize = 45;
/// Halves that differ more than this are not settled: |ΔlnRMSSD|, |ΔHR| in bpm.
const NOT_SETTLED: (f64, f64) = (0.35, 5.0);

/// Grades and measures the window `(from, until]`.
pub(super) fn measure(judged: &Judged, from: Mono, until: Mono, clean_min: Duration) -> Measured {
    let n = judged.n();
    let td = judged.time_domain();
    let artifact_pct = if n > 0 { 100.0 * judged.flagged() as f64 / n as f64 } else { 100.0 };
    let dropout_s = judged.dropout.as_secs_f64();
    let present_s = (until.since(from).as_secs_f64() - dropout_s).max(0.001);
    let rr_sum_s: f64 = judged.segments.iter().flatten().map(|(b, _)| b.rr.as_ms() / 1000.0).sum();
    // as received: what there was no time for counts too
    let coverage = (rr_sum_s + f64::from(judged.surplus.ticks) / 1024.0) / present_s;
    let clean_s = judged.clean_s();
    let mut grade = Grade::of(artifact_pct, coverage, judged.holes);
    let why = if artifact_pct > 10.0 {
        Some(WhyNone::Artifacts)
    } else if judged.overruns >= MAX_OVERRUNS || coverage > MAX_COVERAGE {
        Some(judged.why_too_many(coverage))
    } else if grade == Grade::Bad {
        Some(WhyNone::Coverage)
    } else if clean_s < clean_min.as_secs_f64() {
        Some(WhyNone::TooShort)
    } else if td.pairs < MIN_PAIRS {
        Some(WhyNone::TooFewPairs)
    } else {
        None
    };
    let mut notes = vec![];
    if judged.holes {
        notes.push(Note::Gap);
    }
    let values = if why.is_some() { None } else { values(&td) };
    if values.is_some() {
        if !settled(judged, from, until) {
            notes.push(Note::NotSettled);
            grade = grade.step_down();
        }
        if slow_breathing(judged) {
            notes.push(Note::SlowBreathing);
        }
    } else {
        grade = Grade::Bad;
    }
    Measured {
        grade,
        why: why.or(values.is_none().then_some(WhyNone::TooFewPairs)),
        values,
        n: n as u32,
        pairs: td.pairs as u32,
        artifact_pct,
        coverage,
        gap_s: dropout_s,
        clean_s,
        notes,
    }
}

fn values(td: &TimeDomain) -> Option<Values> {
    let mean_rr_ms = td.mean_rr_ms.ok()?;
    let ln_rmssd = td.ln_rmssd.ok()?;
    Some(Values {
        rmssd_ms: td.rmssd_ms.ok()?,
        ln_rmssd,
        mean_hr_bpm: td.mean_hr_bpm.ok()?,
        mean_rr_ms,
        sdnn_ms: td.sdnn_ms.ok()?,
        pnn50_pct: td.pnn50_pct.ok()?,
        ln_rmssd_rr_ratio: ln_rmssd / (mean_rr_ms / 1000.0),
    })
}

/// Whether the two halves of the window agree.
fn settled(judged: &Judged, from: Mono, until: Mono) -> bool {
    let middle = from + until.since(from) / 2;
    let (a, b) = (judged.part(from, middle).time_domain(), judged.part(middle, until).time_domain());
    let apart = |x: Metric, y: Metric, limit: f64| matches!((x, y), (Ok(x), Ok(y)) if (x - y).abs() > limit);
    !apart(a.ln_rmssd, b.ln_rmssd, NOT_SETTLED.0) && !apart(a.mean_hr_bpm, b.mean_hr_bpm, NOT_SETTLED.1)
}

fn slow_breathing(judged: &Judged) -> bool {
    let Some(longest) = judged.segments.iter().max_by_key(|s| s.len()) else { return false };
    let (rr, labels): (Vec<f64>, Vec<Label>) = longest.iter().map(|(b, l)| (b.rr.as_ms(), *l)).unzip();
    breathing::estimate(&artifact::repair(&rr, &labels)).is_ok_and(breathing::Breathing::is_slow)
}
