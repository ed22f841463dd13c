//! Notifications to beats: each beat gets its own time from ΣRR, anchored to arrival; gaps are data.
//!
//! A notification says which intervals ended since the last one, not when. The sum of intervals is the strap's own
//! clock and far better than arrival times, so beat times are that sum, held to arrival by the *lag* (arrival − sum):
//!
//! * a lag that rises above its lowest of the last 30 s and stays up: beats were lost. A gap is marked and no difference
//!   crosses it. Because a stalled radio link delivers everything late and in one burst, the verdict waits [`BURST_WAIT`]
//!   for the beats to catch up.
//! * a lag that falls: more beats than time. If the packet repeats the one before, it is a duplicate and dropped.
//!   Equality alone never drops anything: equal neighbouring intervals are real. Else beats would come to lie after their
//!   arrival: before they do by more than `AHEAD_US` the time base is taken anew at the arrival, and intervals for which
//!   there is no time are left out and told.
//! * the first beats of a link wait for the next packet: a strap may deliver then, in one burst, what it kept while there
//!   was none. All of it ends with the last arrival; what would lie before the beats of the last link has no place.
//! * a lag that creeps: strap and gateway clocks differ, or the strap sends ms and nobody knows yet; beat times follow by
//!   at most [`SLEW`] of each interval. A creep is no loss: the lowest lag is led on by as much as the lag may have crept
//!   since, which is next to nothing once units are proven.

mod held;
mod placed;

pub use placed::{Beat, GapReason, Placed, Surplus};

use crate::units::{Mono, RrTicks};
use held::{Held, micros, start_of, sum};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::time::Duration;

/// How long the lower envelope of the lag remembers.
const LAG_MEMORY: Duration = Duration::from_secs(30);
/// Least rise of the lag that means lost beats: half a beat more than a notification waits with its beat, and no less
/// than this. Jitter that takes it higher for a moment is waited for.
const LOST_MIN_US: i64 = 1_000_000;
/// So far ahead of the clock, or after its arrival, no beat is placed: the time base is lost.
const AHEAD_US: i64 = 1_500_000;
/// How fast the lag may creep without loss, in 2⁻²⁰: 2.5 % while the strap may be one that sends ms (2.34 %), then 0.1 %
/// for clocks that differ.
const CREEP_UNPROVEN: i64 = 26_214;
const CREEP_PROVEN: i64 = 1_049;
/// How long after a late packet the beats may still catch up.
pub const BURST_WAIT: Duration = Duration::from_millis(1500);
/// The longest wait for the end of a burst at the begin of a link.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Share of an interval by which beat times may follow the arrival clock. Above the 2.4 % of a strap that sends ms.
pub const SLEW: f64 = 0.04;

/// The running time base of one strap.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Anchor of the sum; `None` before the first beat and after a break.
    anchor: Option<Mono>,
    /// Ticks since the anchor, exact.
    ticks: u64,
    /// Correction of beat times against the arrival clock, µs.
    offset_us: i64,
    /// (arrival, lag without offset) of the last 30 s, those before a lower one left out: they ascend, front is the
    /// lowest. What lies where must not depend on the creep, which a proof of units changes: else it would depend on
    /// what else was seen.
    lags: VecDeque<(Mono, i64)>,
    /// How fast the lag may creep, in 2⁻²⁰.
    creep: i64,
    /// Time of the last beat placed, also across breaks: time never runs back.
    last_at: Option<Mono>,
    last_rr: Option<RrTicks>,
    /// Intervals of the packet before, for the repeat test.
    previous: SmallVec<[RrTicks; 9]>,
    /// When a packet was last dropped as a duplicate, and whether the newest one was.
    last_duplicate: Option<Mono>,
    dropped_last: bool,
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
            out = self.place_held(&held);
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
        self.creep = if proven { CREEP_PROVEN } else { CREEP_UNPROVEN };
    }

    fn forget_base(&mut self, reason: GapReason) {
        self.anchor = None;
        self.lags.clear();
        // the weightier reason is told: other units miss no beat, and after a link everything may be missing
        if matches!(self.broken, None | Some(GapReason::Units)) || reason == GapReason::LinkUp {
            self.broken = Some(reason);
        }
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
        if self.held.is_some() || self.anchor.is_none() {
            return self.push_waiting(arrival, rr, repeats);
        }
        let lag = self.lag(arrival, sum(rr));
        let low = self.lags.front().map_or(lag, |l| l.1);
        let ahead = low - lag;
        if repeats && self.came_again(arrival, ahead, rr[0]) {
            return self.drop_duplicate(arrival);
        }
        self.dropped_last = false;
        if lag - low > LOST_MIN_US && self.is_late(arrival, lag, self.last_rr) {
            self.held = Some(Held::new(arrival, rr));
            return Placed::default();
        }
        if ahead.max(self.offset_us - lag) > AHEAD_US {
            self.forget_base(GapReason::TimeBase);
            return self.place_anchored(start_of(arrival, rr), arrival, rr);
        }
        let low = self.remember(arrival, lag);
        self.place(rr, low)
    }

    /// The same while others are held, or without a time base.
    #[cold]
    fn push_waiting(&mut self, arrival: Mono, rr: &[RrTicks], repeats: bool) -> Placed {
        let half = rr[0].as_micros() as i64 / 2;
        let again = repeats && self.is_doubling(arrival);
        let is_first = self.anchor.is_none();
        let Some(held) = &mut self.held else {
            self.dropped_last = false;
            if self.broken != Some(GapReason::LinkUp) {
                return self.place_anchored(start_of(arrival, rr), arrival, rr);
            }
            self.held = Some(Held::new(arrival, rr));
            return Placed::default();
        };
        let waited = arrival.diff_micros(held.last_arrival);
        // the lag cannot tell now
        if again && waited < half {
            return self.drop_duplicate(arrival);
        }
        self.dropped_last = false;
        let in_its_time = waited >= micros(sum(rr)) as i64 / 2;
        // the first packet twice, and the next one in its time: had both been beats, they would fill that time
        let duplicate = is_first && in_its_time && held.twice;
        if duplicate {
            held.once();
            self.last_duplicate = Some(arrival);
        }
        held.twice = repeats && waited < half && held.rr.len() == rr.len();
        held.push(arrival, rr);
        if !is_first {
            return self.judge_held(arrival);
        }
        Placed { duplicate, ..self.judge_first(arrival, in_its_time) }
    }

    /// Whether a packet that says the same as the one before came sooner than beats can: the clock says so, or packets came
    /// twice just before, as the clock cannot tell within the wait of a beat for its notification.
    fn came_again(&self, arrival: Mono, ahead: i64, rr: RrTicks) -> bool {
        let half = rr.as_micros() as i64 / 2;
        self.lags.back().is_some_and(|l| arrival.diff_micros(l.0) < half) && (ahead > half || self.is_doubling(arrival))
    }

    /// Whether a repeat at once is a habit now. The repeat of a repeat is not part of it: two beats may be equal.
    fn is_doubling(&self, arrival: Mono) -> bool {
        !self.dropped_last && self.last_duplicate.is_some_and(|t| arrival.since(t) < LAG_MEMORY)
    }

    /// When [`Timeline::expire`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let held = self.held.as_ref()?;
        Some(match self.anchor {
            Some(_) => held.first_arrival + BURST_WAIT,
            None => (held.last_arrival + BURST_WAIT).min(held.first_arrival + FIRST_WAIT),
        })
    }

    /// Decides about held beats once the wait is over.
    pub fn expire(&mut self, now: Mono) -> Placed {
        match (&self.held, self.anchor) {
            (None, _) => Placed::default(),
            (Some(_), None) => self.judge_first(now, false),
            (Some(_), Some(_)) => self.judge_held(now),
        }
    }

    fn drop_duplicate(&mut self, arrival: Mono) -> Placed {
        self.last_duplicate = Some(arrival);
        self.dropped_last = true;
        Placed { duplicate: true, ..Placed::default() }
    }

    fn judge_held(&mut self, now: Mono) -> Placed {
        let Some(held) = self.held.take() else { return Placed::default() };
        let lag = self.lag(held.last_arrival, held.ticks());
        if !self.is_late(held.last_arrival, lag, held.rr.last().copied()) {
            // all of them came, only late: nothing was lost
            if self.offset_us - lag > AHEAD_US {
                self.forget_base(GapReason::TimeBase);
                return self.place_held(&held);
            }
            let low = self.remember(held.last_arrival, lag);
            return self.place(&held.rr, low);
        }
        if now.since(held.first_arrival) < BURST_WAIT {
            self.held = Some(held);
            return Placed::default();
        }
        self.forget_base(GapReason::LostBeats);
        self.place_held(&held)
    }

    /// The first beats of a link are placed when one comes in its time: nothing is behind it any more.
    fn judge_first(&mut self, now: Mono, in_its_time: bool) -> Placed {
        let over = self.poll_timeout().is_none_or(|due| now >= due);
        match self.held.take() {
            Some(held) if in_its_time || over => self.place_held(&held),
            held => {
                self.held = held;
                Placed::default()
            }
        }
    }

    fn place_held(&mut self, held: &Held) -> Placed {
        self.place_anchored(held.start(), held.last_arrival, &held.rr)
    }

    /// Takes a new anchor: the first of `rr` begins at `start`. Those of them that lie before the last beat placed are left out.
    fn place_anchored(&mut self, mut start: Mono, arrival: Mono, mut rr: &[RrTicks]) -> Placed {
        let (mut old, mut surplus) = (0, Surplus::default());
        while let (Some(last), Some((first, rest))) = (self.last_at, rr.split_first()) {
            let us = first.as_micros() as i64;
            if start.offset_micros(us / 2) >= last {
                break;
            }
            start = start.offset_micros(us);
            match self.broken {
                Some(GapReason::LinkUp) => old += 1,
                _ => {
                    let ticks = u32::from(first.0);
                    surplus.ticks += ticks;
                    surplus.equal += if self.last_rr == Some(*first) { ticks } else { 0 };
                    self.last_rr = Some(*first);
                }
            }
            rr = rest;
        }
        self.anchor = Some(start);
        self.ticks = 0;
        self.offset_us = 0;
        self.lags.clear();
        if rr.is_empty() {
            // there is no time for any of them: the next one is tried anew
            self.anchor = None;
            return Placed { old, surplus, ..Placed::default() };
        }
        let lag = self.lag(arrival, sum(rr));
        let low = self.remember(arrival, lag);
        Placed { old, surplus, ..self.place(rr, low) }
    }

    #[inline(always)] // its value would be copied once more
    fn place(&mut self, rr: &[RrTicks], low: i64) -> Placed {
        let Some(anchor) = self.anchor else { return Placed::default() };
        let mut beats = SmallVec::new();
        for &rr in rr {
            self.ticks += u64::from(rr.0);
            let most = (rr.as_micros() as f64 * SLEW) as i64;
            self.offset_us += (low - self.offset_us).min(most).max(-most);
            let at = anchor.offset_micros(micros(self.ticks) as i64 + self.offset_us);
            // slewing back is slower than an interval is long, so this only guards the type's promise
            let at = self.last_at.map_or(at, |last| at.max(last.offset_micros(1)));
            self.last_at = Some(at);
            beats.push(Beat { at, rr });
        }
        self.last_rr = rr.last().copied();
        Placed { gap: self.broken.take(), beats, ..Placed::default() }
    }

    fn lag(&self, arrival: Mono, more: u64) -> i64 {
        let anchor = self.anchor.unwrap_or(arrival);
        arrival.diff_micros(anchor) - micros(self.ticks + more) as i64
    }

    /// Whether a lag is higher above its lower envelope than jitter and creeping explain.
    #[cold]
    fn is_late(&self, arrival: Mono, lag: i64, rr: Option<RrTicks>) -> bool {
        let limit = LOST_MIN_US.max(rr.map_or(0, |r| r.as_micros() as i64) * 3 / 2);
        self.low(arrival).is_some_and(|low| lag - low > limit)
    }

    /// Where the lower envelope of the lag has crept to at most.
    fn low(&self, now: Mono) -> Option<i64> {
        self.lags.iter().map(|&(at, lag)| lag + self.creep(now, at)).min()
    }

    /// How far the lag may creep between two moments, µs.
    fn creep(&self, now: Mono, since: Mono) -> i64 {
        now.diff_micros(since).wrapping_mul(self.creep) >> 20
    }

    /// Takes a lag; gives the lowest.
    fn remember(&mut self, arrival: Mono, lag: i64) -> i64 {
        while self.lags.back().is_some_and(|l| l.1 >= lag) {
            self.lags.pop_back();
        }
        self.lags.push_back((arrival, lag));
        while let Some(&(at, low)) = self.lags.front() {
            if at == arrival || arrival.since(at) <= LAG_MEMORY {
                return low;
            }
            self.lags.pop_front();
        }
        lag
    }
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "timeline_loss_tests.rs"]
mod loss;
