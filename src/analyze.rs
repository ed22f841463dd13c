//! Batch analysis of a finished recording: labels, windows, every metric that its data allow.

mod plot;
mod series;
mod span;
mod stretch;

pub use plot::svg;
pub use series::{LineError, Series, parse_rr_text};

use crate::artifact::Label;
use crate::check::Grade;
use crate::hrv::bands::{Bands, Spectrum};
use crate::hrv::dfa::{Dfa, Variant};
use crate::hrv::lomb::Lomb;
use crate::hrv::tachogram::Tachogram;
use crate::hrv::time::TimeDomain;
use crate::hrv::welch::{Detrend, Welch};
use crate::hrv::{Metric, Why, baevsky, breathing, entropy, varying};
use span::Span;
use stretch::Labelled;

/// What happens to artifacts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Artifacts {
    /// Measured as it is.
    Keep,
    /// Left out of the time domain; spectra, DFA, entropy and breathing use the corrected series.
    #[default]
    Exclude,
    /// Everything from the corrected series.
    Correct,
}

/// Which detector labels the beats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DetectorKind {
    /// Lipponen & Tarvainen 2019 as in NeuroKit2, with its time-preserving correction.
    Kubios,
    /// The detector of the daemon.
    #[default]
    Live,
}

/// How to analyse.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Length of a window, s; the whole recording if `None`.
    pub window_s: Option<f64>,
    /// Distance between windows, s; the length of one if `None`.
    pub step_s: Option<f64>,
    /// What happens to artifacts.
    pub artifacts: Artifacts,
    /// Who finds them.
    pub detector: DetectorKind,
    /// Which DFA.
    pub dfa: Variant,
    /// What is taken off before Welch's spectrum.
    pub detrend: Detrend,
    /// The source of the intervals smooths or invents them: unless they are kept as they are, only mean interval and
    /// heart rate have a value.
    pub untrusted: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            window_s: None,
            step_s: None,
            artifacts: Artifacts::default(),
            detector: DetectorKind::default(),
            dfa: Variant::Exercise,
            detrend: Detrend::Linear,
            untrusted: false,
        }
    }
}

/// The outcome for one recording.
#[derive(Clone, Debug)]
pub struct Report {
    /// Intervals.
    pub n: usize,
    /// From the start of the first interval to the end of the last, s, gaps included.
    pub duration_s: f64,
    /// One after the other.
    pub windows: Vec<Window>,
    /// One letter an interval: N, M, X, E, L, S, or G for one that spans a drop-out.
    pub labels: String,
    /// What was measured, for the picture.
    labelled: Labelled,
    options: Options,
}

/// The longest stretch of a window without a gap: what spectra, DFA, entropy and breathing are computed over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Start, s from the start of the recording.
    pub start_s: f64,
    /// Length, s.
    pub length_s: f64,
    /// Intervals inside, flagged ones included.
    pub n: usize,
    /// Flagged ones, %.
    pub artifact_pct: Option<f64>,
}

/// The metrics of one window. Definitions and limits: `docs/signal.md`.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Start, s from the start of the recording.
    pub start_s: f64,
    /// Length, s.
    pub length_s: f64,
    /// Intervals that end inside, flagged ones included.
    pub n: usize,
    /// Flagged ones, %; `None` without any interval.
    pub artifact_pct: Option<f64>,
    /// Sum of the intervals over the length.
    pub coverage: f64,
    /// Quality. A window that is [`Grade::Bad`] has no number, unless the series is measured as it is.
    pub grade: Grade,
    /// What is measured without a gap; `None` without any interval.
    pub stretch: Option<Stretch>,
    /// Time domain and Poincaré.
    pub time: TimeDomain,
    /// Welch band powers.
    pub welch: Bands,
    /// Lomb–Scargle band powers.
    pub lomb: Bands,
    /// DFA α1 of the chosen variant.
    pub dfa_alpha1: Metric,
    /// Sample entropy.
    pub sample_entropy: Metric,
    /// Baevsky's stress index.
    pub stress_index: Metric,
    /// Breaths a minute, from respiratory arrhythmia; whole ones, it is not finer than that.
    pub breathing_per_min: Metric,
}

impl Window {
    /// Every metric by its name in JSON, in order.
    pub fn metrics(&self) -> [(&'static str, Metric); 20] {
        let t = &self.time;
        [
            ("mean_rr_ms", t.mean_rr_ms),
            ("mean_hr_bpm", t.mean_hr_bpm),
            ("sdnn_ms", t.sdnn_ms),
            ("rmssd_ms", t.rmssd_ms),
            ("ln_rmssd", t.ln_rmssd),
            ("sdsd_ms", t.sdsd_ms),
            ("pnn50_pct", t.pnn50_pct),
            ("pnn20_pct", t.pnn20_pct),
            ("sd1_ms", t.sd1_ms),
            ("sd2_ms", t.sd2_ms),
            ("welch.vlf_ms2", self.welch.vlf_ms2),
            ("welch.lf_ms2", self.welch.lf_ms2),
            ("welch.hf_ms2", self.welch.hf_ms2),
            ("lomb.vlf_ms2", self.lomb.vlf_ms2),
            ("lomb.lf_ms2", self.lomb.lf_ms2),
            ("lomb.hf_ms2", self.lomb.hf_ms2),
            ("dfa_alpha1", self.dfa_alpha1),
            ("sample_entropy", self.sample_entropy),
            ("stress_index", self.stress_index),
            ("breathing_per_min", self.breathing_per_min),
        ]
    }
}

/// A window may fall short of a required length by about one interval, s.
const SLACK_S: f64 = 2.0;

/// Analyses one recording.
pub fn analyze(series: &Series, options: &Options) -> Report {
    let labelled = Labelled::of(series, options);
    let mut tools = Tools { normal: labelled.normal(), welch: Welch::new(), lomb: Lomb::new(), dfa: Dfa::new() };
    let windows =
        spans(labelled.duration_s, options).into_iter().map(|at| window(&labelled, at, options, &mut tools)).collect();
    Report {
        n: series.rr_ms.len(),
        duration_s: labelled.duration_s,
        windows,
        labels: labelled.letters.clone(),
        labelled,
        options: *options,
    }
}

/// Start and length of each window: all that fit, or one from the start if not even one does.
fn spans(duration_s: f64, options: &Options) -> Vec<(f64, f64)> {
    let Some(length) = options.window_s.filter(|s| s.is_finite() && *s > 0.0) else {
        return vec![(0.0, duration_s)];
    };
    let step = options.step_s.filter(|s| s.is_finite() && *s > 0.0).unwrap_or(length);
    let last = ((duration_s + SLACK_S - length) / step).floor().max(0.0) as usize;
    (0..=last).map(|k| (k as f64 * step, length)).collect()
}

struct Tools {
    /// As many as any part of the recording needs.
    normal: Vec<Label>,
    welch: Welch,
    lomb: Lomb,
    dfa: Dfa,
}

fn window(of: &Labelled, at: (f64, f64), options: &Options, tools: &mut Tools) -> Window {
    let span = Span::of(of, &tools.normal, at, options);
    // Above these shares of artifacts a metric says nothing (docs/signal.md).
    let spectra = span.continuous(5.0);
    let seconds = |rr: &[f64]| rr.iter().sum::<f64>() / 1000.0;
    let longest_s = seconds(span.longest);
    // One spline and one Lomb–Scargle spectrum serve all that needs them.
    let tachogram = spectra.and_then(Tachogram::of);
    let varying = spectra.and_then(varying);
    let welch = match &tachogram {
        Ok(t) if Bands::allowed(longest_s) => tools.welch.bands_of(t, options.detrend),
        Ok(_) => Bands::none(Why::TooShort),
        Err(why) => Bands::none(*why),
    };
    let spectrum = tachogram.as_ref().map_err(|why| *why).and_then(|t| tools.lomb.spectrum_of(t));
    let lomb = spectrum.as_ref().map_or_else(|why| Bands::none(*why), Spectrum::bands);
    let bands = |of: Bands| match (spectra, varying) {
        (Err(_), _) => of,
        (Ok(_), Err(why)) => Bands::none(why).limited_to(longest_s),
        (Ok(_), Ok(())) => of.limited_to(longest_s),
    };
    let breathing = match (&tachogram, &spectrum) {
        (Ok(t), Ok(s)) => breathing::estimate_of(t, s).map(|b| b.per_min.round()),
        (Err(why), _) | (_, Err(why)) => Err(*why),
    };
    let time = TimeDomain::of(&span.segments);
    let at_least = |rr: &[f64], beats: usize, length_s: f64| {
        if rr.len() < beats {
            Err(Why::TooFew)
        } else if seconds(rr) + SLACK_S < length_s {
            Err(Why::TooShort)
        } else {
            Ok(())
        }
    };
    let dfa_alpha1 = span.continuous(5.0).and_then(|rr| {
        at_least(rr, 100, 120.0)?;
        tools.dfa.alpha1(rr, options.dfa)
    });
    let sample_entropy = span.continuous(3.0).and_then(|rr| {
        at_least(rr, entropy::MIN_INTERVALS, 0.0)?;
        entropy::sample_entropy(rr)
    });
    let stress_index = span.clean(3.0).and_then(|()| {
        let all = span.series.concat();
        at_least(&all, 50, 0.0)?;
        baevsky::stress_index(&all)
    });
    Window {
        start_s: at.0,
        length_s: at.1,
        n: span.n,
        artifact_pct: span.artifact_pct,
        coverage: span.coverage,
        grade: span.grade,
        stretch: span.stretch,
        time: match span.refusal {
            Some(Why::Refused) => time.only_mean(Why::Refused),
            Some(why) => time.refused(why),
            None => time,
        },
        welch: bands(welch),
        lomb: bands(lomb),
        dfa_alpha1,
        sample_entropy,
        stress_index,
        breathing_per_min: breathing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calm(n: usize) -> Vec<f64> {
        (0..n).map(|i| 900.0 + 30.0 * (i as f64 * 1.3).sin() + ((i * 7) % 11) as f64).collect()
    }

    fn run(rr: Vec<f64>, gaps: Vec<(usize, f64)>, options: Options) -> Report {
        analyze(&Series { rr_ms: rr, gaps }, &options)
    }

    #[test]
    fn five_minutes_have_every_number() {
        let r = run(calm(335), vec![], Options::default());
        assert_eq!((r.n, r.labels.len(), r.windows.len()), (335, 335, 1));
        let w = &r.windows[0];
        assert_eq!((w.n, w.artifact_pct, w.grade), (335, Some(0.0), Grade::Good));
        assert!((w.coverage - 1.0).abs() < 1e-9);
        for (name, value) in w.metrics() {
            assert!(value.is_ok(), "{name} {value:?}");
        }
    }

    #[test]
    fn little_data_says_why() {
        let r = run(calm(30), vec![], Options::default());
        let w = &r.windows[0];
        assert!(w.time.rmssd_ms.is_ok());
        assert_eq!(w.welch, Bands::none(Why::TooShort));
        assert_eq!(
            (w.dfa_alpha1, w.sample_entropy, w.stress_index),
            (Err(Why::TooFew), Err(Why::TooFew), Err(Why::TooFew))
        );
        let empty = run(vec![], vec![], Options::default());
        let w = &empty.windows[0];
        assert_eq!((w.n, w.artifact_pct, w.grade), (0, None, Grade::Bad));
        assert!(w.metrics().iter().all(|(_, v)| v.is_err()));
    }

    #[test]
    fn windows_follow_the_rule() {
        let options = Options { window_s: Some(60.0), step_s: Some(30.0), ..Options::default() };
        let rr = calm(335);
        let r = run(rr.clone(), vec![], options);
        let mut t = 0.0;
        let ends: Vec<f64> = rr
            .iter()
            .map(|x| {
                t += x;
                t / 1000.0
            })
            .collect();
        assert_eq!(r.windows.len(), 9);
        for w in &r.windows {
            let want = ends.iter().filter(|t| **t > w.start_s && **t <= w.start_s + 60.0).count();
            assert_eq!(w.n, want, "{}", w.start_s);
        }
    }

    #[test]
    fn what_is_kept_is_measured_as_it_is() {
        let rr = vec![1000.0, 1000.0, 5000.0, 1000.0, 1000.0, 1000.0];
        let whole = |artifacts| run(rr.clone(), vec![], Options { artifacts, ..Options::default() });
        let kept = whole(Artifacts::Keep);
        assert_eq!((kept.labels.as_str(), kept.windows[0].n), ("NNGNNN", 6));
        let rmssd = kept.windows[0].time.rmssd_ms.unwrap();
        assert!((rmssd - (2.0 * 4000.0_f64.powi(2) / 5.0).sqrt()).abs() < 1e-9, "{rmssd}");
        let without = whole(Artifacts::Exclude);
        assert_eq!((without.labels.as_str(), without.windows[0].n), ("NNGNNN", 5));
    }

    #[test]
    fn a_gap_is_never_crossed() {
        let (a, b) = (calm(170), calm(170).iter().map(|x| x - 200.0).collect::<Vec<_>>());
        let r = run([a.clone(), b.clone()].concat(), vec![(170, 5.0)], Options::default());
        let w = &r.windows[0];
        assert_eq!(w.time.pairs, 338);
        let seconds = (a.iter().sum::<f64>() + b.iter().sum::<f64>()) / 1000.0;
        assert!((r.duration_s - seconds - 5.0).abs() < 1e-9);
        assert_eq!(w.grade, Grade::Fair);
        // A drop-out written as one interval is the same.
        let one = run([a, vec![5000.0], b].concat(), vec![], Options::default());
        assert_eq!(one.windows[0].time, w.time);
        assert_eq!(one.labels.chars().nth(170), Some('G'));
    }

    #[test]
    fn bad_signal_has_no_value_but_raw_has() {
        let rr: Vec<f64> = calm(300).iter().enumerate().map(|(i, x)| if i % 7 == 3 { 0.5 * x } else { *x }).collect();
        let w = run(rr.clone(), vec![], Options::default()).windows.remove(0);
        assert!(w.artifact_pct.unwrap() > 10.0);
        assert_eq!(w.grade, Grade::Bad);
        assert_eq!((w.time.rmssd_ms, w.dfa_alpha1), (Err(Why::Artifacts), Err(Why::Artifacts)));
        let w = run(rr, vec![], Options { artifacts: Artifacts::Keep, ..Options::default() }).windows.remove(0);
        assert!(w.time.rmssd_ms.is_ok() && w.dfa_alpha1.is_ok());
    }
}
