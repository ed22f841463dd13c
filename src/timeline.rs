//! Notifications to beats: each beat gets its own time from ΣRR, anchored to arrival; gaps are data.
//!
//! A notification says which intervals ended since the last one, not when. The sum of intervals is the strap's own
//! clock and far better than arrival times, so beat times are that sum, held to arrival by the *lag* (arrival − sum):
//!
//! * a lag that rises above its lowest of the last 30 s and stays up: beats were lost. A gap is marked and no difference
//!   crosses it. Because a stalled radio link delivers everything late and in one burst, the verdict waits [`BURST_WAIT`]
//!   for the beats to catch up.
//! * a lag that falls: more beats than time. If the packet repeats the one before, it is a duplicate and dropped.
//!   Equality alone never drops anything: equal neighbouring intervals are real.
//! * a lag that creeps: strap and gateway clocks differ, or the strap sends ms and nobody knows yet; beat times follow by
//!   at most [`SLEW`] of each interval. A creep is no loss: the lowest lag is led on by as much as the lag may have crept
//!   since, which is next to nothing once units are proven.

use crate::units::{Mono, RrTicks};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::time::Duration;

/// How long the lower envelope of the lag remembers.
const LAG_MEMORY: Duration = Duration::from_secs(30);
/// Least rise of the lag that means lost beats: half a beat more than a notification waits with its beat, and no less
/// than this. Jitter that takes it higher for a moment is waited for.
const LOST_MIN_US: i64 = 1_000_000;
/// So far ahead of the clock the time base is lost.
const AHEAD_US: i64 = 1_500_000;
/// How fast the lag may creep without loss, in 2⁻²⁰: 2.5 % while the strap may be one that sends ms (2.34 %), then 0.1 %
/// for clocks that differ.
const CREEP_UNPROVEN: i64 = 26_214;
const CREEP_PROVEN: i64 = 1_049;
/// How long after a late packet the beats may still catch up.
pub const BURST_WAIT: Duration = Duration::from_millis(1500);
/// Share of an interval by which beat times may follow the arrival clock. Above the 2.4 % of a strap that sends ms.
pub const SLEW: f64 = 0.04;

/// One heart beat: the interval that ends at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When the beat happened.
    pub at: Mono,
    /// The interval before it.
    pub rr: RrTicks,
}

impl Beat {
    /// When its interval began.
    pub fn start(&self) -> Mono {
        self.at.offset_micros(-(self.rr.as_micros() as i64))
    }
}

/// Why beats are missing, or may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// First beats of a link.
    LinkUp,
    /// The clock says that beats were lost between two notifications.
    LostBeats,
    /// A packet was cut or held an impossible interval.
    Defect,
    /// More intervals than time: the time base was lost and taken anew.
    TimeBase,
    /// From here on intervals are read in other units. No beat is missing.
    Units,
}

impl GapReason {
    /// Stable word for JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LinkUp => "link_up",
            Self::LostBeats => "lost_beats",
            Self::Defect => "defect",
            Self::TimeBase => "time_base",
            Self::Units => "units",
        }
    }
}

/// What one notification (or the end of a wait) added to the timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Why the first of `beats` does not follow the beat placed before, if it does not.
    pub gap: Option<GapReason>,
    /// New beats, oldest first. Room for what a strap says at once; a burst after a stall is rare.
    pub beats: SmallVec<[Beat; 3]>,
    /// Whether the packet was dropped as a duplicate.
    pub duplicate: bool,
}

/// A packet whose lag rose too far; held until the next ones tell whether beats were lost or only late.
#[derive(Clone, Debug)]
struct Held {
    first_arrival: Mono,
    last_arrival: Mono,
    rr: SmallVec<[RrTicks; 16]>,
}

/// The running time base of one strap.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Anchor of the sum; `None` before the first beat and after a break.
    anchor: Option<Mono>,
    /// Ticks since the anchor, exact.
    ticks: u64,
    /// Correction of beat times against the arrival clock, µs.
    offset_us: i64,
    /// (arrival, lag without offset) of the last 30 s; led on to now by the creep the lags ascend: front is the lower
    /// envelope.
    lags: VecDeque<(Mono, i64)>,
    /// How fast the lag may creep, in 2⁻²⁰.
    creep: i64,
    /// Time of the last beat placed, also across breaks: time never runs back.
    last_at: Option<Mono>,
    last_rr: Option<RrTicks>,
    /// Intervals of the packet before, for the repeat test.
    previous: SmallVec<[RrTicks; 9]>,
    /// When a packet was last dropped as a duplicate.
    last_duplicate: Option<Mono>,
    /// Reason for the gap before the next beat.
    broken: Option<GapReason>,
    held: Option<Held>,
}

impl Timeline {
    /// A timeline without beats.
    pub fn new() -> Self {
        Self { broken: Some(GapReason::LinkUp), creep: CREEP_UNPROVEN, ..Self::default() }
    }

    /// The next beats do not follow the last ones. Returns beats that were still held: nothing is lost.
    #[must_use]
    pub fn break_off(&mut self, reason: GapReason) -> Placed {
        let mut out = Placed::default();
        if let Some(held) = self.held.take() {
            self.forget_base(GapReason::LostBeats);
            out = self.place_anchored(held.last_arrival, &held.rr);
        }
        self.forget_base(reason);
        self.previous.clear();
        out
    }

    /// From the next beat on intervals are read in other units, `reread` tells how those that are still held: time goes
    /// on from the last beat, but no sum and no difference mixes both.
    pub fn change_units(&mut self, reread: impl Fn(RrTicks) -> RrTicks) {
        let held = self.held.iter_mut().flat_map(|h| h.rr.iter_mut());
        held.chain(&mut self.previous).chain(&mut self.last_rr).for_each(|rr| *rr = reread(*rr));
        // in units that were not its own the lag has crept: the envelope is where that led to
        let now = self.lags.back().map(|l| l.0);
        let low = now.and_then(|now| Some((now, self.low(now)? - self.offset_us)));
        self.lags.clear();
        self.lags.extend(low);
        if self.anchor.is_some() {
            (self.anchor, self.ticks, self.offset_us) = (self.last_at, 0, 0);
            self.broken.get_or_insert(GapReason::Units);
        }
    }

    /// Whether the units in which intervals are given are proven: then the lag of a whole series hardly creeps.
    pub fn know_units(&mut self, proven: bool) {
        let creep = if proven { CREEP_PROVEN } else { CREEP_UNPROVEN };
        if self.creep == creep {
            return;
        }
        self.creep = creep;
        for (at, lag) in std::mem::take(&mut self.lags) {
            self.remember(at, lag);
        }
    }

    fn forget_base(&mut self, reason: GapReason) {
        self.anchor = None;
        self.lags.clear();
        self.broken.get_or_insert(reason);
    }

    /// One notification as [`decode`](crate::hrs::decode) and [`breaks`](crate::hrs::breaks) read it: no difference may
    /// cross an interval that is missing inside.
    pub fn packet(&mut self, arrival: Mono, rr: &[RrTicks], breaks: &[usize]) -> SmallVec<[Placed; 1]> {
        let mut out = SmallVec::new();
        let mut from = 0;
        for &to in breaks {
            if let Some(run) = rr.get(from..to).filter(|run| !run.is_empty()) {
                // it ended when what follows it began, at the latest
                let later = micros(sum(rr.get(to..).unwrap_or_default()));
                out.push(self.push(arrival.offset_micros(-(later as i64)), run));
            }
            out.push(self.break_off(GapReason::Defect));
            from = to;
        }
        out.push(self.push(arrival, rr.get(from..).unwrap_or_default()));
        out
    }

    /// The intervals of one notification, oldest first. A packet without intervals changes nothing.
    pub fn push(&mut self, arrival: Mono, rr: &[RrTicks]) -> Placed {
        if rr.is_empty() {
            return self.expire(arrival);
        }
        let repeats = rr == &self.previous[..];
        self.previous = SmallVec::from_slice(rr);
        if let Some(held) = &mut self.held {
            // the lag cannot tell now; but where packets came twice just before, a repeat at once is no late beat
            let at_once = arrival.diff_micros(held.last_arrival) < rr[0].as_micros() as i64 / 2;
            let doubling = self.last_duplicate.is_some_and(|t| arrival.since(t) < LAG_MEMORY);
            if repeats && at_once && doubling {
                return Placed { duplicate: true, ..Placed::default() };
            }
            held.rr.extend_from_slice(rr);
            held.last_arrival = arrival;
            return self.judge_held(arrival);
        }
        if self.anchor.is_none() {
            return self.place_anchored(arrival, rr);
        }
        let lag = self.lag(arrival, sum(rr));
        let low = self.lags.front().map_or(lag, |l| l.1);
        if self.is_late(arrival, lag, self.last_rr) {
            self.held = Some(Held { first_arrival: arrival, last_arrival: arrival, rr: SmallVec::from_slice(rr) });
            return Placed::default();
        }
        let ahead = low - lag;
        if repeats && self.came_at_once(arrival, ahead, rr[0]) {
            self.last_duplicate = Some(arrival);
            return Placed { duplicate: true, ..Placed::default() };
        }
        if ahead > AHEAD_US {
            self.forget_base(GapReason::TimeBase);
            return self.place_anchored(arrival, rr);
        }
        self.remember(arrival, lag);
        self.place(rr)
    }

    /// When [`Timeline::expire`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.held.as_ref().map(|h| h.first_arrival + BURST_WAIT)
    }

    /// Decides about held beats once the wait is over.
    pub fn expire(&mut self, now: Mono) -> Placed {
        if self.held.is_some() { self.judge_held(now) } else { Placed::default() }
    }

    fn judge_held(&mut self, now: Mono) -> Placed {
        let Some(held) = self.held.take() else { return Placed::default() };
        let lag = self.lag(held.last_arrival, sum(&held.rr));
        if !self.is_late(held.last_arrival, lag, held.rr.last().copied()) {
            // all of them came, only late: nothing was lost
            self.remember(held.last_arrival, lag);
            return self.place(&held.rr);
        }
        if now.since(held.first_arrival) < BURST_WAIT {
            self.held = Some(held);
            return Placed::default();
        }
        self.forget_base(GapReason::LostBeats);
        self.place_anchored(held.last_arrival, &held.rr)
    }

    /// Takes a new anchor so that the last of `rr` ends at `arrival`.
    fn place_anchored(&mut self, arrival: Mono, rr: &[RrTicks]) -> Placed {
        let start = arrival.offset_micros(-(micros(sum(rr)) as i64));
        // the strap may deliver old beats of before the break; time still never runs back
        self.anchor = Some(self.last_at.map_or(start, |last| start.max(last)));
        self.ticks = 0;
        self.offset_us = 0;
        self.lags.clear();
        let lag = self.lag(arrival, sum(rr));
        self.remember(arrival, lag);
        self.place(rr)
    }

    #[inline(always)] // its value would be copied once more
    fn place(&mut self, rr: &[RrTicks]) -> Placed {
        let Some(anchor) = self.anchor else { return Placed::default() };
        let low = self.lags.front().map_or(0, |l| l.1);
        let mut beats = SmallVec::new();
        for &rr in rr {
            self.ticks += u64::from(rr.0);
            let most = (rr.as_micros() as f64 * SLEW) as i64;
            self.offset_us += (low - self.offset_us).clamp(-most, most);
            let at = anchor.offset_micros(micros(self.ticks) as i64 + self.offset_us);
            // slewing back is slower than an interval is long, so this only guards the type's promise
            let at = self.last_at.map_or(at, |last| at.max(last.offset_micros(1)));
            self.last_at = Some(at);
            beats.push(Beat { at, rr });
        }
        self.last_rr = rr.last().copied();
        Placed { gap: self.broken.take(), beats, duplicate: false }
    }

    fn lag(&self, arrival: Mono, more: u64) -> i64 {
        let anchor = self.anchor.unwrap_or(arrival);
        arrival.diff_micros(anchor) - micros(self.ticks + more) as i64
    }

    /// Whether a lag is higher above its lower envelope than jitter and creeping explain.
    fn is_late(&self, arrival: Mono, lag: i64, rr: Option<RrTicks>) -> bool {
        let limit = LOST_MIN_US.max(rr.map_or(0, |r| r.as_micros() as i64) * 3 / 2);
        // mostly it is not even without the creep
        self.lags.front().is_some_and(|l| lag - l.1 > limit && lag - l.1 - self.creep(arrival, l.0) > limit)
    }

    /// Whether a packet that says the same as the one before came sooner than beats can.
    fn came_at_once(&self, arrival: Mono, ahead: i64, rr: RrTicks) -> bool {
        let half = rr.as_micros() as i64 / 2;
        ahead > half && self.lags.back().is_some_and(|l| arrival.diff_micros(l.0) < half)
    }

    /// Where the lower envelope of the lag has crept to.
    fn low(&self, now: Mono) -> Option<i64> {
        self.lags.front().map(|l| l.1 + self.creep(now, l.0))
    }

    /// How far the lag may creep between two moments, µs.
    fn creep(&self, now: Mono, since: Mono) -> i64 {
        now.diff_micros(since).wrapping_mul(self.creep) >> 20
    }

    fn remember(&mut self, arrival: Mono, lag: i64) {
        while self.lags.back().is_some_and(|l| l.1 >= lag || l.1 + self.creep(arrival, l.0) >= lag) {
            self.lags.pop_back();
        }
        self.lags.push_back((arrival, lag));
        while self.lags.len() > 1 && self.lags.front().is_some_and(|l| arrival.since(l.0) > LAG_MEMORY) {
            self.lags.pop_front();
        }
    }
}

fn sum(rr: &[RrTicks]) -> u64 {
    rr.iter().map(|r| u64::from(r.0)).sum()
}

fn micros(ticks: u64) -> u64 {
    ticks * 1_000_000 / 1024
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "timeline_loss_tests.rs"]
mod loss;
