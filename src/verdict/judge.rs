//! The judge of one strap: puts the parts together.

use super::coverage::Minutes;
use super::doubled::Doubled;
use super::finding::{CURRENT, Findings};
use super::recent::Thrice;
use super::rhythm::Rhythm;
use super::smoothing::{Smoothing, SmoothingVerdict};
use super::still::Still;
use super::units::UnitClock;
use super::wear::Wear;
use super::{FindingId, Source, Trust, Units, Verdict, Worn};
use crate::hrs::{Defect, Measurement};
use crate::timeline::{GapReason, Placed};
use crate::units::{Mono, RrTicks};
use smallvec::SmallVec;
use std::time::Duration;

/// Longest pause of a healthy link; above it the link stalled or lost packets.
const STALL: Duration = Duration::from_secs(4);
/// After a stall everything arrives within this time.
const CATCH_UP: Duration = Duration::from_millis(1500);
/// Packets that come without interval for this long, although beats must have ended: the strap lost the heart.
const EMPTY: Duration = Duration::from_secs(3);
/// Three losses of the time base within this time, and so lately, are a habit of the strap.
const RUNS_AHEAD: Duration = Duration::from_secs(90);
/// So long without an interval in any packet: the strap has none.
const NO_RR: Duration = Duration::from_secs(30);
/// Noise that begins this early and ends this early comes from dry electrodes.
const DRY_BEGINS: Duration = Duration::from_secs(120);
const DRY_ENDS: Duration = Duration::from_secs(600);
/// While nothing unusual comes the whole is judged with every so many packets.
const LOOK_EVERY: u8 = 4;
const NOISY: f64 = 0.15;
const CALM: f64 = 0.06;
/// Rejected connection parameters end a link at the supervision of the kernel: 30 s, give or take 2. Who is told of a link
/// when it is subscribed to counts up to 2 s less.
pub const PARAMS_DROP: std::ops::RangeInclusive<u64> = 26..=32;
/// A link that is down for longer ends the session.
const SESSION: Duration = Duration::from_secs(120);

/// Judges one strap's signal while it arrives. See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    units: UnitClock,
    /// The newest answer of the clock, in whatever session.
    known: Units,
    minutes: Minutes,
    rhythm: Rhythm,
    smoothing: Smoothing,
    wear: Wear,
    findings: Findings,
    /// Start of the session: link up, or the first packet.
    session: Option<Mono>,
    link_up: Option<Mono>,
    link_down: Option<Mono>,
    last_arrival: Option<Mono>,
    last_beat: Option<Mono>,
    last_rr: Option<RrTicks>,
    last_rr_at: Option<Mono>,
    /// Any interval in this session.
    any_rr: bool,
    /// Packets without interval since the last one with.
    empties: u32,
    explained_until: Option<Mono>,
    doubled: Doubled,
    /// A pause and when it ended, and what came since: (pause, end, intervals, µs).
    pause: Option<(Duration, Mono, usize, u64)>,
    stalls: Thrice,
    dropouts: Thrice,
    malformed: Thrice,
    drops: Thrice,
    /// When the time base was last lost because more beats came than time had passed.
    ahead: [Option<Mono>; 3],
    still: Option<Still>,
    noise_since: Option<Mono>,
    /// Packets since the whole was judged.
    since_look: u8,
}

impl Judge {
    /// A judge who has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What earlier sessions proved; what this one proved counts for more.
    pub fn remember(&mut self, source: Source) {
        if self.known == Units::Unknown {
            self.known = source.units;
        }
        if self.smoothing.verdict() == SmoothingVerdict::Unknown {
            self.smoothing.remember(source.smoothing);
        }
    }

    /// What is proven by now.
    pub fn source(&self) -> Source {
        Source { units: self.units_now(), smoothing: self.smoothing.verdict() }
    }

    /// The link came up or went down.
    pub fn link(&mut self, now: Mono, up: bool) {
        self.wear.link();
        self.break_off();
        self.minutes.restart();
        (self.last_arrival, self.last_rr, self.last_rr_at) = (None, None, None);
        self.doubled.link();
        (self.pause, self.still, self.explained_until, self.empties) = (None, None, None, 0);
        if up {
            if self.link_down.is_none_or(|t| now.since(t) > SESSION) {
                self.session = Some(now);
                self.any_rr = false;
                self.noise_since = None;
            }
            self.link_up = Some(now);
            return;
        }
        if let Some(lived) = self.link_up.take().map(|t| now.since(t)) {
            if !PARAMS_DROP.contains(&lived.as_secs()) {
                self.drops.clear();
            } else if self.drops.push(now) {
                self.findings.raise(FindingId::DropsEvery30s, now);
            }
        }
        self.link_down = Some(now);
    }

    /// A notification that was cut into pieces, see [`Timeline::packet`](crate::timeline::Timeline::packet).
    pub fn packets(&mut self, arrival: Mono, m: &Measurement, defect: Option<Defect>, placed: &[Placed]) {
        match placed {
            [] => self.packet(arrival, m, defect, &Placed::default()),
            [earlier @ .., last] => {
                earlier.iter().for_each(|p| self.placed(p));
                self.packet(arrival, m, defect, last);
            }
        }
    }

    /// A notification: when it arrived, what it says, what was wrong with it, and what the timeline made of it.
    pub fn packet(&mut self, arrival: Mono, m: &Measurement, defect: Option<Defect>, placed: &Placed) {
        self.session.get_or_insert(arrival);
        if self.minutes.advance(arrival) {
            if let Some(id) = self.minutes.finding() {
                self.findings.raise(id, arrival);
            }
        }
        if defect.is_some() && self.malformed.push(arrival) {
            self.findings.raise(FindingId::Malformed, arrival);
        }
        self.placed(placed);
        let rr: &[RrTicks] = &m.rr;
        if self.doubled.packet(self.last_arrival.map(|t| arrival.since(t)), m, placed.duplicate) {
            return;
        }
        self.see_pause(arrival, rr);
        self.last_arrival = Some(arrival);
        self.see_intervals(arrival, rr, if placed.duplicate { &[] } else { rr }, m.hr);
        if self.units.answer() != Units::Unknown {
            self.known = self.units.answer();
        }
        Still::packet(&mut self.still, arrival, m);
        let contact = (!matches!(defect, Some(Defect::Empty))).then_some(m.contact);
        let turned = self.wear.packet(arrival, contact, rr.len());
        self.since_look += 1;
        if turned || rr.is_empty() || self.since_look >= LOOK_EVERY {
            self.since_look = 0;
            self.look(arrival);
        }
    }

    /// Judges the whole.
    fn look(&mut self, now: Mono) {
        self.see_noise(now);
        match self.smoothing.verdict() {
            SmoothingVerdict::Smoothed => self.findings.raise(FindingId::SmoothedRr, now),
            SmoothingVerdict::FromHeartRate => self.findings.raise(FindingId::RrFromHeartRate, now),
            _ => {}
        }
        match self.units_now() {
            Units::Milliseconds => self.findings.raise(FindingId::RrInMilliseconds, now),
            Units::Ticks1024 | Units::Unknown => self.findings.clear(FindingId::RrInMilliseconds),
        }
        if self.rhythm.has_added() {
            self.findings.raise(FindingId::ExtraShortRr, now);
        }
        if self.doubled.is_habit() {
            self.findings.raise(FindingId::DoubledDelivery, now);
        }
        let frozen = self.is_frozen(now);
        if frozen {
            self.findings.raise(FindingId::FlatLine, now);
        }
        for id in self.wear.look(now, &self.rhythm, frozen).into_iter().flatten() {
            self.findings.raise(id, now);
        }
    }

    /// Beats that were placed later than with their packet (the end of a wait, or of a link).
    pub fn placed(&mut self, placed: &Placed) {
        let first = placed.beats.first().map(|b| b.start());
        let last = self.last_beat;
        self.last_beat = placed.beats.last().map(|b| b.at).or(last);
        match placed.gap {
            Some(GapReason::LostBeats) => {
                self.units.lost(first.zip(last).map_or(Duration::MAX, |(first, last)| first.since(last)));
                self.smoothing.gap();
            }
            Some(GapReason::LinkUp) => self.break_off(),
            Some(GapReason::TimeBase) if !self.doubled.is_habit() => {
                self.ahead = [self.ahead[1], self.ahead[2], first];
                self.break_off();
            }
            Some(GapReason::TimeBase | GapReason::Defect | GapReason::Units) | None => {}
        }
        self.minutes.kept(placed.beats.iter().map(|b| b.rr.as_micros()).sum());
    }

    /// The judgement now.
    pub fn verdict(&self, now: Mono) -> Verdict {
        Verdict {
            units: self.units_now(),
            coverage: self.minutes.coverage(),
            smoothing: self.smoothing.verdict(),
            worn: self.worn(now),
            findings: self.findings.list(now),
        }
    }

    /// Units that are proven: a bad link of today does not take back what the clock said on a good one.
    fn units_now(&self) -> Units {
        // 60/HR has no clock of its own: its sum says nothing about units
        let calculated = self.smoothing.verdict() == SmoothingVerdict::FromHeartRate;
        if calculated { Units::Unknown } else { self.known }
    }

    /// Whether a number may be made of the newest minutes.
    pub fn trust(&self, now: Mono) -> Trust {
        let current = |id: &FindingId| self.findings.last(*id).is_some_and(|t| now.since(t) < CURRENT);
        let suspect = match self.smoothing.verdict() {
            SmoothingVerdict::FromHeartRate => Some(FindingId::RrFromHeartRate),
            _ if self.smoothing.is_suspect() => Some(FindingId::SmoothedRr),
            _ => None,
        };
        // long before minutes tell why: beats ran ahead of their arrival, again and again
        let runs_ahead = self.ahead[0]
            .zip(self.ahead[2])
            .is_some_and(|(first, last)| last.since(first) < RUNS_AHEAD && now.since(last) < RUNS_AHEAD);
        let ahead = runs_ahead.then_some(FindingId::RrAheadOfClock);
        let others = [FindingId::FlatLine, FindingId::RepeatedRr, FindingId::RrAheadOfClock];
        let trouble = suspect.or_else(|| others.into_iter().find(current)).or(ahead);
        Trust { units: self.units_now(), leaning: self.units.leaning(), trouble }
    }

    /// The intervals of a packet as they are meant: in ticks, and without those that this strap is known to invent.
    /// `breaks` as of [`hrs::breaks`](crate::hrs::breaks).
    pub fn read(&self, units: Units, m: &Measurement, breaks: &[usize]) -> SmallVec<[RrTicks; 9]> {
        // where something is missing already, positions count
        let keep = |rr: &&RrTicks| !breaks.is_empty() || !self.rhythm.is_added(**rr);
        m.rr.iter().filter(keep).map(|rr| units.read(*rr)).collect()
    }

    /// How often a finding came or went.
    pub fn changes(&self) -> u32 {
        self.findings.changes
    }

    /// Whether somebody wears it now.
    pub fn worn(&self, now: Mono) -> Worn {
        self.wear.worn(now)
    }

    fn break_off(&mut self) {
        self.units.break_off();
        self.smoothing.gap();
    }

    fn see_pause(&mut self, arrival: Mono, rr: &[RrTicks]) {
        let waited = self.last_arrival.map_or(Duration::ZERO, |t| arrival.since(t));
        if self.pause.is_none() && waited <= STALL {
            return;
        }
        let us: u64 = rr.iter().map(|r| r.as_micros()).sum();
        if let Some((pause, end, n, sum)) = &mut self.pause {
            if arrival.since(*end) <= CATCH_UP {
                *n += rr.len();
                *sum += us;
            } else {
                // one long interval is no backlog: there was just no beat
                let caught_up = *n >= 4 && *sum as f64 >= 0.8 * pause.as_micros() as f64;
                self.pause = None;
                if caught_up && self.stalls.push(arrival) {
                    self.findings.raise(FindingId::Stalls, arrival);
                }
            }
        }
        if waited > STALL {
            self.pause = Some((waited, arrival, rr.len(), us));
        }
    }

    fn see_intervals(&mut self, arrival: Mono, all: &[RrTicks], fresh: &[RrTicks], hr: Option<u16>) {
        if all.is_empty() {
            self.see_empty(arrival, hr);
            return;
        }
        if let Some(last) = self.last_rr_at {
            let silent = arrival.since(last);
            if self.empties >= 3 && silent > self.empty_limit() && silent < NO_RR && self.dropouts.push(arrival) {
                self.findings.raise(FindingId::RrDropouts, arrival);
            }
        }
        let (mut sum, mut equal) = (0, 0);
        for rr in all {
            sum += rr.as_micros();
            if self.last_rr.replace(*rr) == Some(*rr) {
                equal += rr.as_micros();
            }
        }
        self.minutes.received(arrival, sum, equal);
        (self.last_rr_at, self.empties, self.any_rr, self.explained_until) = (Some(arrival), 0, true, None);
        for rr in fresh {
            self.rhythm.push(*rr);
            self.smoothing.push(*rr);
        }
        if let (Some(rr), Some(hr)) = (fresh.last(), hr) {
            self.smoothing.compare(*rr, hr);
        }
        if !fresh.is_empty() && !self.rhythm.has_added() {
            self.units.push(arrival, fresh, hr);
        } else if !fresh.is_empty() {
            let beats: SmallVec<[RrTicks; 9]> = fresh.iter().copied().filter(|r| !self.rhythm.is_added(*r)).collect();
            self.units.push(arrival, &beats, hr);
        }
    }

    /// The longest time between packets with intervals that slow beats explain.
    fn empty_limit(&self) -> Duration {
        EMPTY.max(Duration::from_micros(RrTicks(self.rhythm.median()).as_micros() * 5 / 2))
    }

    fn see_empty(&mut self, arrival: Mono, hr: Option<u16>) {
        self.empties += 1;
        let since = self.last_rr_at.or(self.link_up).or(self.session).unwrap_or(arrival);
        let silent = arrival.since(since);
        if silent > self.empty_limit() {
            let from = self.explained_until.unwrap_or(since);
            self.minutes.explained(arrival.since(from).as_micros() as u64);
            self.explained_until = Some(arrival);
        }
        if hr.is_some() && !self.any_rr && self.empties >= 20 && silent >= NO_RR {
            self.findings.raise(FindingId::NoRr, arrival);
        }
        if silent >= NO_RR {
            self.units.break_off();
        }
    }

    fn is_frozen(&self, now: Mono) -> bool {
        let fresh = self.last_rr_at.is_some_and(|t| now.since(t) < EMPTY);
        self.still.is_some_and(|s| s.is_frozen(now, fresh, self.any_rr))
    }

    fn see_noise(&mut self, arrival: Mono) {
        let Some(share) = self.rhythm.wild_lasting() else { return };
        if share <= CALM {
            self.noise_since = None;
        } else if share > NOISY {
            let since = *self.noise_since.get_or_insert(arrival);
            let session = self.session.unwrap_or(arrival);
            let dry = since.since(session) <= DRY_BEGINS && arrival.since(session) <= DRY_ENDS;
            if dry {
                self.findings.raise(FindingId::DryStart, arrival);
            } else {
                self.findings.clear(FindingId::DryStart);
                self.findings.raise(FindingId::Noisy, arrival);
            }
        }
    }
}
