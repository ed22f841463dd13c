//! The protocol of one check: waiting → settling → recording → graded, or aborted with a cause.
//!
//! Drop-outs pause it: the clock of a phase runs on covered time, so that a strap that was away for ten seconds costs
//! ten seconds and not the check. Only a drop-out longer than `dropout_max` ends it.

use super::grade::Grade;
use super::result::{AbortCause, CheckId, CheckResult, CheckStatus, Hint, Note, Phase, Posture};
use super::window::{Beats, DROPOUT, measure};
use crate::ALGO_VERSION;
use crate::engine::{Reread, Trigger};
use crate::timeline::{Beat, GapReason, Surplus};
use crate::units::{AthleteId, Mono, StrapId};
use crate::verdict::Trust;
use std::time::Duration;

/// Lengths and limits of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckConfig {
    /// Settling ends here at the latest, unless the signal is still bad.
    pub settle: Duration,
    /// Settling never ends before this, however steady the heart is.
    pub settle_min: Duration,
    /// Settling ends here even with a bad signal; grading will say what it is worth.
    pub settle_max: Duration,
    /// Length of the recording.
    pub record: Duration,
    /// How far the recording may be extended while clean time is short.
    pub extend: Duration,
    /// Least clean time for a value.
    pub clean_min: Duration,
    /// A longer drop-out aborts, and so do several that last three times as long together.
    pub dropout_max: Duration,
    /// How long to wait for the strap to deliver intervals.
    pub wait: Duration,
}

impl Default for CheckConfig {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            settle: s(60),
            settle_min: s(30),
            settle_max: s(180),
            record: s(120),
            extend: s(60),
            clean_min: s(60),
            dropout_max: s(60),
            wait: s(300),
        }
    }
}

/// Two neighbouring spans of this length are compared for the adaptive end of settling: three breaths or more each.
const STEADY_SPAN: Duration = Duration::from_secs(15);
/// Largest difference of their mean heart rates, bpm.
const STEADY_BPM: f64 = 1.5;
/// Intervals before the end of settling that must be clean for it to end early.
const STEADY_CLEAN: usize = 20;
/// Settling goes on past its length while less than this share of the last 20 s is clean, %.
const SETTLE_CLEAN_PCT: f64 = 80.0;
/// A recording window is closed this long after its end even if no later beat came.
const CLOSE_GRACE: Duration = Duration::from_secs(3);
/// Drop-outs of a check may last this many times the longest single one together; else it would never end, and two
/// minutes gathered over an hour are no morning value.
const DROPOUTS_MAX: u32 = 3;
/// Settling begins no longer than this before its first intervals arrive.
const FIRST: Duration = Duration::from_secs(2);
/// Heart rate without intervals for this long is a source without RR.
const NO_RR: Duration = Duration::from_secs(30);

/// What the machine wants to have said.
#[derive(Clone, Debug, PartialEq)]
pub enum MachineEvent {
    /// Progress or a change of phase.
    Status(CheckStatus),
    /// Graded; frozen.
    Result(Box<CheckResult>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Waiting,
    Settling { since: Mono },
    Recording { settled_since: Mono, from: Mono, extra: Duration },
    Over { phase: Phase, cause: Option<AbortCause> },
}

/// One check of one person.
#[derive(Clone, Debug)]
pub struct Machine {
    config: CheckConfig,
    id: CheckId,
    athlete: AthleteId,
    strap: Option<StrapId>,
    posture: Posture,
    trigger: Trigger,
    started: Mono,
    state: State,
    beats: Beats,
    /// When something last arrived that proves the strap alive and delivering intervals.
    last_beat_seen: Option<Mono>,
    /// When the first intervals arrived.
    first_rr: Option<Mono>,
    /// First of an unbroken run of packets with heart rate but no intervals.
    hr_only_since: Option<Mono>,
    /// Another strap of this person may still bring intervals.
    another_may_come: bool,
    hr: Option<u16>,
    last_packet: Option<Mono>,
    link_up: bool,
    contact: Option<bool>,
    next_tick: Mono,
    announced: Option<Phase>,
    graded: Option<Graded>,
    /// What the signal is worth; `None` if nobody judges it.
    trust: Option<Trust>,
}

impl Machine {
    /// A check that waits for the strap.
    pub fn new(
        config: CheckConfig,
        id: CheckId,
        athlete: AthleteId,
        posture: Posture,
        trigger: Trigger,
        now: Mono,
    ) -> Self {
        Self {
            config,
            id,
            athlete,
            strap: None,
            posture,
            trigger,
            started: now,
            state: State::Waiting,
            beats: Beats::default(),
            last_beat_seen: None,
            first_rr: None,
            hr_only_since: None,
            another_may_come: false,
            hr: None,
            last_packet: None,
            link_up: false,
            contact: None,
            next_tick: now,
            announced: None,
            graded: None,
            trust: None,
        }
    }

    /// Which check this is.
    pub fn id(&self) -> &CheckId {
        &self.id
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Waiting => Phase::WaitingForStrap,
            State::Settling { .. } => Phase::Settling,
            State::Recording { .. } => Phase::Recording,
            State::Over { phase, .. } => phase,
        }
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        !matches!(self.state, State::Over { .. })
    }

    /// The strap whose beats it uses, once one delivered.
    pub fn strap(&self) -> Option<StrapId> {
        self.strap
    }

    /// The link to the strap went up or down.
    pub fn on_link(&mut self, up: bool) {
        self.link_up = up;
        if !up {
            self.hr = None;
            self.hr_only_since = None;
        }
    }

    /// The person has another strap, of which it is not known that it sends no intervals.
    pub fn on_hope(&mut self, another_may_come: bool) {
        self.another_may_come = another_may_come;
    }

    /// A packet arrived: heart rate, contact, and whether it held intervals.
    pub fn on_packet(&mut self, now: Mono, hr: Option<u16>, contact: Option<bool>, has_rr: bool) {
        let broken = !self.hears(now);
        self.link_up = true;
        self.hr = hr;
        self.last_packet = Some(now);
        self.contact = contact;
        if has_rr {
            self.first_rr.get_or_insert(now);
        }
        // a strap that feels no skin repeats its last value: that says nothing about its intervals
        if has_rr || hr.is_none() || contact == Some(false) {
            self.hr_only_since = None;
        } else if broken || self.hr_only_since.is_none() {
            self.hr_only_since = Some(now);
        }
    }

    /// Beats were placed. The first strap that delivers is the strap of this check.
    pub fn on_beats(&mut self, now: Mono, strap: StrapId, gap: Option<GapReason>, beats: &[Beat]) {
        if !self.is_running() || beats.is_empty() || self.strap.is_some_and(|s| s != strap) {
            return;
        }
        self.strap = Some(strap);
        self.last_beat_seen = Some(now);
        self.beats.push(gap, beats);
        if let (State::Waiting, Some(first)) = (self.state, self.beats.first_start()) {
            // a strap may bring beats of before: they are context, and no time of this check
            let heard = self.first_rr.unwrap_or(now) - FIRST;
            self.state = State::Settling { since: first.max(self.started).max(heard) };
        }
        self.advance(now);
    }

    /// Intervals came for which no time had passed.
    pub fn on_surplus(&mut self, now: Mono, strap: StrapId, surplus: Surplus) {
        if self.is_running() && self.strap == Some(strap) {
            self.beats.surplus(now, surplus);
        }
    }

    /// The beats of this strap were read in units that were not theirs. All of them are read again: a check never mixes.
    pub(crate) fn reread(&mut self, strap: StrapId, reread: Reread) {
        if self.strap == Some(strap) {
            self.beats.reread(reread);
        }
    }

    /// What the judge says of the signal, before a window is graded.
    pub fn on_trust(&mut self, trust: Trust) {
        self.trust = Some(trust);
    }

    /// Time passed.
    pub fn on_time(&mut self, now: Mono) {
        self.advance(now);
    }

    /// Ends the check without a result.
    pub fn abort(&mut self, cause: AbortCause) {
        if self.is_running() {
            self.state = State::Over { phase: Phase::Aborted, cause: Some(cause) };
        }
    }

    /// When `on_time` wants to be called: once a second while it runs.
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.is_running().then_some(self.next_tick)
    }

    /// What is to be said now; call after every input until it returns `None`.
    pub fn poll_event(&mut self, now: Mono) -> Option<MachineEvent> {
        let phase = self.phase();
        if self.announced != Some(phase) {
            self.announced = Some(phase);
            self.next_tick = now + Duration::from_secs(1);
            return Some(MachineEvent::Status(self.status(now, true)));
        }
        if self.is_running() && now >= self.next_tick {
            self.next_tick = now + Duration::from_secs(1);
            return Some(MachineEvent::Status(self.status(now, false)));
        }
        if phase == Phase::Grading {
            let result = self.grade();
            self.state = State::Over { phase: Phase::Done, cause: None };
            return result.map(|r| MachineEvent::Result(Box::new(r)));
        }
        None
    }

    /// Whether packets arrive, with or without intervals.
    fn hears(&self, now: Mono) -> bool {
        self.last_packet.is_some_and(|t| now.since(t) < DROPOUT)
    }

    /// Whether a source sends heart rate and no intervals.
    fn has_no_rr(&self, now: Mono) -> bool {
        self.hears(now) && self.hr_only_since.is_some_and(|since| now.since(since) >= NO_RR)
    }

    /// Time without beats so far, if it is long enough to be called a drop-out.
    fn away(&self, now: Mono) -> Option<Duration> {
        let last = self.last_beat_seen?;
        Some(now.since(last)).filter(|d| *d >= DROPOUT)
    }

    fn advance(&mut self, now: Mono) {
        match self.state {
            State::Waiting => {
                let no_rr = self.has_no_rr(now);
                if no_rr && !self.another_may_come {
                    self.abort(AbortCause::NoRr);
                } else if now.since(self.started) >= self.config.wait {
                    self.abort(if no_rr { AbortCause::NoRr } else { AbortCause::NoStrap });
                }
            }
            State::Settling { since } => {
                if self.lost(now) {
                    return;
                }
                if let Some(from) = self.settled(since) {
                    self.state = State::Recording { settled_since: since, from, extra: Duration::ZERO };
                }
            }
            State::Recording { settled_since, from, extra } => {
                let almost = self.almost(from);
                if almost.is_none() && self.lost(now) {
                    return;
                }
                let gone = self.away(now).is_some_and(|d| d >= self.config.dropout_max);
                let until = almost.filter(|_| gone).unwrap_or_else(|| self.end(from, extra));
                let last = self.beats.last_at().unwrap_or(from);
                if last < until && !gone && (now < until + CLOSE_GRACE || self.away(now).is_some()) {
                    return;
                }
                let clean = self.beats.judge(from, until).clean_s();
                if clean < self.config.clean_min.as_secs_f64() && extra < self.config.extend && !gone {
                    // ten more seconds at a time, so that it ends soon after enough is there
                    let extra = (extra + Duration::from_secs(10)).min(self.config.extend);
                    self.state = State::Recording { settled_since, from, extra };
                    return;
                }
                self.state = State::Over { phase: Phase::Grading, cause: None };
                self.graded = Some(Graded { settled_since, from, until, extended: !extra.is_zero() });
            }
            State::Over { .. } => {}
        }
    }

    /// The end of the beats of a recording that lacks at most a tenth: a strap that was taken off a moment too early
    /// does not cost the check.
    fn almost(&self, from: Mono) -> Option<Mono> {
        let last = self.beats.last_at()?;
        let covered = last.since(from).saturating_sub(self.beats.dropout_after(from));
        (covered >= self.config.record * 9 / 10).then_some(last)
    }

    fn lost(&mut self, now: Mono) -> bool {
        let away = self.away(now).unwrap_or_default();
        let before = self.beats.first_start().map_or(Duration::ZERO, |first| self.beats.dropout_after(first));
        let lost = away >= self.config.dropout_max || before + away >= self.config.dropout_max * DROPOUTS_MAX;
        if lost {
            self.abort(if self.has_no_rr(now) { AbortCause::NoRr } else { AbortCause::StrapLost });
        }
        lost
    }

    /// End of a recording that began at `from`: drop-outs push it out.
    fn end(&self, from: Mono, extra: Duration) -> Mono {
        from + self.config.record + extra + self.beats.dropout_after(from)
    }

    /// Where settling ended, if it did.
    fn settled(&self, since: Mono) -> Option<Mono> {
        let last = self.beats.last_at()?;
        let dropout = self.beats.dropout_after(since);
        let covered = last.since(since).saturating_sub(dropout);
        if covered >= self.config.settle {
            let recent = self.beats.judge(last - Duration::from_secs(20), last);
            let usable = recent.clean_pct().is_some_and(|pct| pct >= SETTLE_CLEAN_PCT);
            if usable || covered >= self.config.settle_max {
                // exactly the configured minute when nothing was in the way
                let planned = since + self.config.settle + dropout;
                let just_now = last.since(planned) < Duration::from_secs(3);
                return Some(if just_now { planned } else { last });
            }
            return None;
        }
        (covered >= self.config.settle_min && self.steady(last)).then_some(last)
    }

    /// Whether the heart rate of the last 15 s equals that of the 15 s before, on clean beats.
    fn steady(&self, last: Mono) -> bool {
        let middle = last - STEADY_SPAN;
        let (old, new) = (self.beats.judge(middle - STEADY_SPAN, middle), self.beats.judge(middle, last));
        let clean = old.segments.iter().chain(&new.segments).flatten().rev().take(STEADY_CLEAN);
        let (mut n, mut normal) = (0, 0);
        for (_, label) in clean {
            n += 1;
            normal += usize::from(label.is_normal());
        }
        let (Some(a), Some(b)) = (old.mean_hr(), new.mean_hr()) else { return false };
        n == STEADY_CLEAN && normal == n && !new.holes && (a - b).abs() <= STEADY_BPM
    }

    fn grade(&mut self) -> Option<CheckResult> {
        let Graded { settled_since, from, until, extended } = self.graded.take()?;
        let judged = self.beats.judge(from, until);
        let mut measured = measure(&judged, from, until, self.config.clean_min);
        if let Some(trust) = self.trust {
            measured.distrust(trust);
        }
        if extended {
            measured.notes.push(Note::Extended);
        }
        Some(CheckResult {
            id: self.id.clone(),
            athlete: self.athlete.clone(),
            strap: self.strap?,
            trigger: self.trigger,
            posture: self.posture,
            start: from,
            wall: None,
            local_date: None,
            settle_s: from.since(settled_since).as_secs_f64(),
            length_s: until.since(from).as_secs_f64(),
            grade: measured.grade,
            values: measured.values,
            why: measured.why,
            n: measured.n,
            pairs: measured.pairs,
            artifact_pct: measured.artifact_pct,
            coverage: measured.coverage,
            gap_s: measured.gap_s,
            clean_s: measured.clean_s,
            notes: measured.notes,
            algo_version: ALGO_VERSION,
        })
    }

    /// The status a person sees.
    pub fn status(&self, now: Mono, changed: bool) -> CheckStatus {
        let settle = self.config.settle.as_secs_f64();
        let record = self.config.record.as_secs_f64();
        let (left, done) = match self.state {
            State::Waiting => (Some(self.config.wait.saturating_sub(now.since(self.started))), 0.0),
            State::Settling { since } => {
                let end = since + self.config.settle + self.beats.dropout_after(since) + self.pause(now);
                let left = end.since(now);
                (Some(left), (settle - left.as_secs_f64()).clamp(0.0, settle))
            }
            State::Recording { from, extra, .. } => {
                let left = (self.end(from, extra) + self.pause(now)).since(now);
                (Some(left), settle + (record - left.as_secs_f64()).clamp(0.0, record))
            }
            State::Over { phase: Phase::Aborted, .. } => (None, 0.0),
            State::Over { .. } => (None, settle + record),
        };
        let recent = self.recent(now);
        let cause = if let State::Over { cause, .. } = self.state { cause } else { None };
        CheckStatus {
            athlete: self.athlete.clone(),
            check: Some(self.id.clone()),
            strap: self.strap,
            phase: self.phase(),
            changed,
            seconds_left: left.map(|d| d.as_secs_f64().round() as u32),
            percent: (100.0 * done / (settle + record)).round().clamp(0.0, 100.0) as u8,
            hr_bpm: self.hr.filter(|_| self.is_running() && self.hears(now) && self.away(now).is_none()),
            clean_pct: self.clean_pct(),
            hint: self.is_running().then(|| self.hint(now, recent)).flatten(),
            cause,
        }
    }

    /// A drop-out that still lasts stops the clock.
    fn pause(&self, now: Mono) -> Duration {
        self.away(now).unwrap_or_default()
    }

    fn recent(&self, now: Mono) -> Option<f64> {
        self.beats.judge(now - Duration::from_secs(20), now + Duration::from_secs(2)).clean_pct()
    }

    fn clean_pct(&self) -> Option<f64> {
        let last = self.beats.last_at()?;
        match self.state {
            State::Waiting => None,
            State::Settling { since } => self.beats.judge(since, last).clean_pct(),
            State::Recording { from, .. } => self.beats.judge(from, last).clean_pct(),
            State::Over { .. } => None,
        }
    }

    fn hint(&self, now: Mono, recent: Option<f64>) -> Option<Hint> {
        if self.state == State::Waiting && !self.link_up {
            return Some(Hint::PutOn);
        }
        if self.away(now).is_some() && !self.link_up {
            return Some(Hint::ComeCloser);
        }
        if self.contact == Some(false) || self.away(now).is_some() {
            return Some(Hint::WetPads);
        }
        match recent {
            Some(pct) if pct < 80.0 => Some(Hint::WetPads),
            Some(pct) if pct < 92.0 => Some(Hint::KeepStill),
            _ => None,
        }
    }
}

/// The window that was closed and waits to be graded.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Graded {
    settled_since: Mono,
    from: Mono,
    until: Mono,
    extended: bool,
}

impl CheckResult {
    /// Whether this check may be called the person's morning value: it has values.
    pub fn is_valid(&self) -> bool {
        self.values.is_some() && self.grade != Grade::Bad
    }
}
