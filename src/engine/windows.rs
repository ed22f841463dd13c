//! The live windows of one strap: time domain over the last 30, 60 and 300 s, DFA α1 and breathing over the last 120 s.
//!
//! Everything counts from the last *judged* beat, at most five beats behind the newest, or from the start of the first one
//! after a gap. So each value is a function of beats and labels alone: any chunking of packets, and a replay, gives the
//! same bits. What is true only by time is the reader's: when beats no longer come, nothing here is live.

use super::output::{LiveBeats, LiveBreathing, LiveDfa, LiveWindow};
use crate::artifact::{self, Detector, Label, LiveDetector};
use crate::hrv::dfa::{self, Variant};
use crate::hrv::rolling::{self, LIVE_SPANS};
use crate::hrv::{Why, breathing};
use crate::timeline::Beat;
use crate::units::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// More artifacts give no time domain, less coverage neither (docs/signal.md).
const MAX_ARTIFACT_PCT: f64 = 10.0;
const MIN_COVERAGE: f64 = 0.90;
/// Fewer usable pairs a second give no RMSSD: 20 a minute.
const MIN_PAIRS_A_SECOND: f64 = 1.0 / 3.0;

/// Window of DFA α1 and breathing.
const STRETCH: Duration = Duration::from_secs(120);
/// It may fall short of its length by about one interval, ticks.
const STRETCH_TICKS: u64 = (120 - 2) * 1024;
/// Least beats for DFA.
const DFA_BEATS: usize = 100;
/// More artifacts give no DFA and no breathing, %.
const STRETCH_ARTIFACT_PCT: f64 = 5.0;
/// DFA is computed whenever beats pass a multiple of so many µs since boot, breathing at every second one.
const EVERY_US: u64 = 5_000_000;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    detector: LiveDetector,
    /// Beats whose label is still owed.
    undecided: VecDeque<Beat>,
    rolling: rolling::Windows<3>,
    stretch: Stretch,
    /// End of the last gap.
    gap_end: Option<Mono>,
    /// Where the windows end.
    until: Option<Mono>,
    dfa: LiveDfa,
    breathing: LiveBreathing,
}

impl Windows {
    pub(super) fn new() -> Self {
        Self {
            detector: LiveDetector::new(),
            undecided: VecDeque::new(),
            rolling: rolling::Windows::over(LIVE_SPANS),
            stretch: Stretch::default(),
            gap_end: None,
            until: None,
            dfa: LiveDfa::none(Why::TooShort),
            breathing: LiveBreathing::none(Why::TooShort),
        }
    }

    /// Beats that were placed, oldest first; `gap`: the first does not follow the one before.
    pub(super) fn take(&mut self, gap: bool, beats: &[Beat]) {
        if let Some(first) = beats.first().filter(|_| gap) {
            self.gap(first.start());
        }
        for beat in beats {
            self.undecided.push_back(*beat);
            if let Some(label) = self.detector.push(beat.rr.as_ms()) {
                self.decide(label);
            }
        }
    }

    /// Ends the segment: what was owed is judged, nothing compares across, and what is too old by the end of the gap leaves.
    fn gap(&mut self, end: Mono) {
        for label in self.detector.finish() {
            self.decide(label);
        }
        self.undecided.clear();
        let why = if self.until.is_some() { Why::Gap } else { Why::TooShort };
        self.until = self.until.map(|before| before.max(end));
        self.gap_end = self.until;
        self.rolling.gap();
        self.rolling.advance(end);
        self.stretch = Stretch::default();
        self.dfa = LiveDfa::none(why);
        self.breathing = LiveBreathing::none(why);
    }

    fn decide(&mut self, label: Label) {
        let Some(beat) = self.undecided.pop_front() else { return };
        self.until = Some(beat.at);
        self.rolling.push(beat.at, beat.rr, label);
        let (before, now) = (self.stretch.last_slot, beat.at.as_micros() / EVERY_US);
        self.stretch.push(beat, label, now);
        if before.is_some_and(|b| b != now) {
            let series = self.stretch.series();
            self.dfa = self.stretch.dfa(&series);
            if before.is_some_and(|b| b / 2 != now / 2) {
                self.breathing = self.stretch.breathing(&series);
            }
        }
    }

    /// Everything as it may be shown.
    pub(super) fn read(&self) -> LiveBeats {
        let [last_30, last_60, last_300] = self.rolling.windows().map(|window| {
            let from = self.until.map(|at| at.offset_micros(-(window.span().as_micros() as i64)));
            let gap = self.gap_end.zip(from).is_some_and(|(end, from)| end > from);
            read(&window, if gap { Why::Gap } else { Why::TooShort })
        });
        LiveBeats { last_30, last_60, last_300, dfa: self.dfa, breathing: self.breathing }
    }
}

/// A window as it may be shown; `little`: why it covers too little, if it does.
fn read(window: &rolling::Window, little: Why) -> LiveWindow {
    let (artifact_pct, coverage) = (window.artifact_pct(), window.coverage());
    let time = window.time_domain();
    let pairs = time.pairs;
    let time = match artifact_pct {
        None => time.refused(little),
        Some(_) if coverage < MIN_COVERAGE => time.refused(little),
        Some(pct) if pct > MAX_ARTIFACT_PCT => time.refused(Why::Artifacts),
        Some(_) if (pairs as f64) < MIN_PAIRS_A_SECOND * window.span().as_secs_f64() => {
            time.without_differences(Why::TooFew)
        }
        Some(_) => time,
    };
    LiveWindow { span: window.span(), n: window.len(), artifact_pct, coverage, time }
}

/// The last 120 s of judged beats, back to the last gap at the most.
#[derive(Clone, Debug, Default)]
struct Stretch {
    beats: VecDeque<(Beat, Label)>,
    flagged: usize,
    ticks: u64,
    /// In which multiple of [`EVERY_US`] the last beat lay.
    last_slot: Option<u64>,
}

impl Stretch {
    fn push(&mut self, beat: Beat, label: Label, slot: u64) {
        self.beats.push_back((beat, label));
        self.flagged += usize::from(!label.is_normal());
        self.ticks += u64::from(beat.rr.0);
        self.last_slot = Some(slot);
        while let Some((old, label)) = self.beats.front().copied() {
            if beat.at.since(old.at) < STRETCH {
                break;
            }
            self.beats.pop_front();
            self.flagged -= usize::from(!label.is_normal());
            self.ticks -= u64::from(old.rr.0);
        }
    }

    /// The corrected series, ms, or why there is none.
    fn series(&self) -> Result<Vec<f64>, Why> {
        if self.ticks < STRETCH_TICKS {
            return Err(Why::TooShort);
        }
        if self.artifact_pct().is_some_and(|pct| pct > STRETCH_ARTIFACT_PCT) {
            return Err(Why::Artifacts);
        }
        let (rr, labels): (Vec<f64>, Vec<Label>) = self.beats.iter().map(|(b, l)| (b.rr.as_ms(), *l)).unzip();
        Ok(artifact::repair(&rr, &labels))
    }

    fn artifact_pct(&self) -> Option<f64> {
        (!self.beats.is_empty()).then(|| 100.0 * self.flagged as f64 / self.beats.len() as f64)
    }

    fn dfa(&self, series: &Result<Vec<f64>, Why>) -> LiveDfa {
        let alpha1 = match series {
            Ok(rr) if rr.len() < DFA_BEATS => Err(Why::TooFew),
            Ok(rr) => dfa::alpha1(rr, Variant::Exercise),
            Err(why) => Err(*why),
        };
        LiveDfa { alpha1, n: self.beats.len(), artifact_pct: self.artifact_pct() }
    }

    fn breathing(&self, series: &Result<Vec<f64>, Why>) -> LiveBreathing {
        match series.as_ref().map_err(|why| *why).and_then(|rr| breathing::estimate(rr)) {
            Ok(b) => LiveBreathing { per_min: Ok(b.per_min.round()), confidence: Some(b.confidence) },
            Err(why) => LiveBreathing::none(why),
        }
    }
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
