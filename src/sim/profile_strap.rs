//! A strap of a profile: a heart in, notifications and link events out, each with its truth.

use super::profile::{After, Profile, Rounding, RrSource, Tail, Unit};
use super::random::Random;
use super::rhythm::{BeatKind, HeartBeat};
use super::sensor::{How, Sensed, Sensor, Truth, inside, micros};
use crate::engine::{PacketBytes, StrapFacts};
use crate::hrs::{Measurement, encode};
use crate::units::RrTicks;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::time::Duration;

/// What a gateway sees of a strap (and, for tests, what it does not see). Times never go back.
#[derive(Clone, Debug, PartialEq)]
pub enum SimEvent {
    /// Connected.
    LinkUp {
        /// When, counted from the start of the first interval.
        at: Duration,
    },
    /// The link is gone.
    LinkDown {
        /// When.
        at: Duration,
    },
    /// What can be read beside the heart rate.
    Facts {
        /// When.
        at: Duration,
        /// The facts.
        facts: StrapFacts,
    },
    /// A notification arrives.
    Notification {
        /// When.
        at: Duration,
        /// The value of 0x2A37.
        bytes: PacketBytes,
        /// The truth about its intervals, in order, and about those that the strap did not send.
        truth: Vec<Truth>,
    },
    /// A notification that nobody receives: lost on the air, or sent while there was no link.
    Lost {
        /// When it would have arrived.
        at: Duration,
        /// The truth about its intervals.
        truth: Vec<Truth>,
    },
}

impl SimEvent {
    /// When it happens.
    pub fn at(&self) -> Duration {
        match self {
            Self::LinkUp { at }
            | Self::LinkDown { at }
            | Self::Facts { at, .. }
            | Self::Notification { at, .. }
            | Self::Lost { at, .. } => *at,
        }
    }
}

/// Most intervals in one notification at the default MTU.
const MAX_RR: usize = 9;
/// How long a dropped link stays down.
const LINK_PAUSE_US: u64 = 5_000_000;
/// Time between notifications that were stored.
const STORED_US: u64 = 8_000;
/// The bogus interval of some straps, ticks.
const BOGUS: u16 = 53;

/// Plays a profile. It ends with its heart, or when the strap has ended the link for good.
#[derive(Clone, Debug)]
pub struct ProfileStrap<I> {
    profile: &'static Profile,
    sensor: Sensor<I>,
    random: Random,
    /// End of the next period, µs.
    due: u64,
    next: Option<Sensed>,
    /// Packets sent.
    packets: u64,
    /// Delivery of the last packet, µs.
    delivered: u64,
    last_raw: Option<u16>,
    last_len: usize,
    /// Start of the next invented interval, µs.
    invented: u64,
    hr: u16,
    link_up_since: Option<u64>,
    link_down_since: u64,
    /// What is sent when the link is back.
    stored: Vec<(PacketBytes, Vec<Truth>)>,
    out: VecDeque<SimEvent>,
    ended: bool,
}

impl<I: Iterator> ProfileStrap<I>
where
    I::Item: Into<HeartBeat>,
{
    /// A strap of this profile on that heart (or list of [`RrTicks`]).
    pub fn new(profile: &'static Profile, heart: I, seed: u64) -> Self {
        let mut facts = StrapFacts { name: Some(format!("Simulated {}", profile.id)), ..StrapFacts::default() };
        facts.battery_pct = profile.traits.battery_pct;
        facts.location = facts.battery_pct.and(Some(1));
        let at = Duration::ZERO;
        Self {
            profile,
            sensor: Sensor::new(profile, heart, seed),
            random: Random::stream(seed, 22),
            due: 0,
            next: None,
            packets: 0,
            delivered: 0,
            last_raw: None,
            last_len: 0,
            invented: 0,
            hr: 0,
            link_up_since: Some(0),
            link_down_since: 0,
            stored: vec![],
            out: VecDeque::from([SimEvent::LinkUp { at }, SimEvent::Facts { at, facts }]),
            ended: false,
        }
    }

    fn every(&self, n: u16) -> bool {
        n > 0 && self.packets % u64::from(n) == u64::from(n) - 1
    }

    /// The value on the wire of a measured interval.
    fn wire(&self, ticks: u16) -> u16 {
        let t = self.profile.traits;
        let round = |num: u64, den: u64| match t.rounding {
            Rounding::Nearest => (num + den / 2) / den,
            Rounding::Floor => num / den,
            Rounding::Ceil => num.div_ceil(den),
        };
        // a strap measures finer than it sends: the interval lies within half a tick of its nearest whole one
        let quarters = (u64::from(ticks) * 4 + self.packets % 4).saturating_sub(2);
        let raw = match t.unit {
            Unit::Ticks => round(quarters, 4),
            Unit::Milliseconds => round(quarters * 1000, 4096),
        };
        raw.clamp(1, 65_534) as u16
    }

    /// Collects what ended in this period and sends it.
    fn period(&mut self) {
        let t = self.profile.traits;
        if self.next.is_none() {
            self.next = self.sensor.next();
        }
        self.due = match (t.period_ms, &self.next) {
            (0, Some(n)) => micros(n.end).max(self.due + 1),
            (0, None) => self.due + 1_000_000,
            (ms, _) => self.due + u64::from(ms) * 1000,
        };
        let mut heard = self.hr;
        let mut truth: Vec<Truth> = vec![];
        let mut rr: SmallVec<[RrTicks; 9]> = SmallVec::new();
        while rr.len() < MAX_RR - 2 {
            let Some(mut sensed) = self.next.take() else {
                self.ended = true;
                break;
            };
            if micros(sensed.end) > self.due {
                self.next = Some(sensed);
                break;
            }
            if sensed.truth.how != How::NotSent {
                sensed.truth.raw = self.wire(sensed.truth.raw);
                rr.push(RrTicks(sensed.truth.raw));
                self.last_raw = Some(sensed.truth.raw);
            }
            if sensed.hr > 0 {
                heard = sensed.hr;
            }
            truth.push(sensed.truth);
            self.next = self.sensor.next();
        }
        if self.ended && truth.is_empty() {
            self.forget();
            return;
        }
        let extra = |how, raw| Truth { how, first: 0, count: 0, kind: BeatKind::Normal, raw };
        if t.rr == RrSource::FixedRate && rr.is_empty() || self.every(t.twice_every) && !rr.is_empty() {
            if let Some(raw) = self.last_raw {
                rr.push(RrTicks(raw));
                truth.push(extra(How::Repeat, raw));
            }
        }
        if self.every(t.bogus_every) && !rr.is_empty() {
            rr.push(RrTicks(BOGUS));
            truth.push(extra(How::Invented, BOGUS));
        }
        if let Some(deaf) = t.deaf.filter(|d| self.due > u64::from(d.from_s) * 1_000_000) {
            self.invent(deaf.then, &mut rr, &mut truth);
        } else {
            self.hr = heard;
            self.invented = self.due;
        }
        let bytes = self.frame(rr);
        self.deliver(bytes, truth);
        self.packets += 1;
        if let Some(d) = t.deaf {
            let ends = d.link_drops_after_s.map(|s| u64::from(d.from_s + s) * 1_000_000);
            if ends.is_some_and(|ends| self.due >= ends) {
                self.out.push_back(SimEvent::LinkDown { at: Duration::from_micros(self.delivered.max(self.due)) });
                self.ended = true;
            }
        }
    }

    fn invent(&mut self, then: After, rr: &mut SmallVec<[RrTicks; 9]>, truth: &mut Vec<Truth>) {
        if let After::Constant(bpm) = then {
            self.hr = bpm;
        }
        if matches!(then, After::HeartRateOnly | After::Nothing) || self.profile.traits.rr == RrSource::None {
            return;
        }
        while rr.len() < MAX_RR - 2 {
            let ticks = match then {
                After::Constant(bpm) => (61_440 / u32::from(bpm.max(1))) as u16,
                _ => 250 + self.random.below(2200) as u16,
            };
            if self.invented + micros(u64::from(ticks)) > self.due {
                break;
            }
            self.invented += micros(u64::from(ticks));
            if then == After::Garbage {
                self.hr = (61_440 / u32::from(ticks)) as u16;
            }
            rr.push(RrTicks(ticks));
            truth.push(Truth { how: How::Invented, first: 0, count: 0, kind: BeatKind::Normal, raw: ticks });
        }
    }

    fn frame(&mut self, rr: SmallVec<[RrTicks; 9]>) -> PacketBytes {
        let t = self.profile.traits;
        let has_rr = !rr.is_empty();
        let contact = self.sensor.contact(self.due, self.link_up_since.unwrap_or(self.due));
        let energy_kj = t.energy.then_some((self.due / 8_000_000) as u16);
        let hr = (self.hr > 0).then_some(self.hr);
        let mut bytes = encode(&Measurement { hr, contact, energy_kj, rr });
        if t.wide_hr && self.hr <= 255 {
            bytes[0] |= 0x01;
            bytes.insert(2, 0);
        }
        match t.tail {
            Tail::Odd(n) if has_rr && self.every(n) => bytes.push(0x01),
            Tail::Stale if !has_rr => bytes.resize(self.last_len.max(bytes.len()), 0x03),
            _ => {}
        }
        self.last_len = bytes.len();
        bytes
    }

    fn deliver(&mut self, bytes: PacketBytes, truth: Vec<Truth>) {
        let t = self.profile.traits;
        let jitter = u64::from(self.random.below(u32::from(t.jitter_ms) * 1000));
        let mut us = self.due + jitter;
        if let Some(stall) = t.stall.filter(|s| inside(*s, us)) {
            let period = u64::from(stall.every_s) * 1_000_000;
            us = us / period * period + u64::from(stall.length_ds) * 100_000;
        }
        us = us.max(self.delivered + 1);
        self.link(us);
        let us = us.max(self.delivered + 1);
        let at = Duration::from_micros(us);
        self.delivered = us;
        if t.stores_while_away.is_some() && self.link_up_since.is_none() {
            self.stored.push((bytes, truth));
            return;
        }
        let deaf = t.deaf.is_some_and(|d| d.then == After::Nothing && self.due > u64::from(d.from_s) * 1_000_000);
        if self.random.per_mille(t.lost_per_1000) || self.link_up_since.is_none() || t.silent || deaf {
            self.out.push_back(SimEvent::Lost { at, truth });
            return;
        }
        self.out.push_back(SimEvent::Notification { at, bytes: bytes.clone(), truth: truth.clone() });
        if t.doubled_ms > 0 {
            self.delivered = us + u64::from(t.doubled_ms) * 1000;
            let again = |x: Truth| Truth { how: How::Repeat, first: 0, count: 0, ..x };
            let truth = truth.into_iter().filter(|x| x.raw > 0).map(again).collect();
            self.out.push_back(SimEvent::Notification { at: Duration::from_micros(self.delivered), bytes, truth });
        }
    }

    /// What nobody will receive any more.
    fn forget(&mut self) {
        let at = Duration::from_micros(self.delivered);
        let stored = std::mem::take(&mut self.stored).into_iter();
        self.out.extend(stored.map(|(_, truth)| SimEvent::Lost { at, truth }));
    }

    /// Lets the link drop and return, if it is that kind.
    fn link(&mut self, us: u64) {
        let t = self.profile.traits;
        let after = u64::from(t.drops_after_s) * 1_000_000;
        let away = t.stores_while_away.is_some_and(|every| inside(every, us));
        match self.link_up_since {
            Some(_) if away => {
                self.out.push_back(SimEvent::LinkDown { at: Duration::from_micros(us) });
                self.link_up_since = None;
            }
            None if t.stores_while_away.is_some() && !away => {
                self.out.push_back(SimEvent::LinkUp { at: Duration::from_micros(us) });
                self.link_up_since = Some(us);
                self.delivered = us;
                for (bytes, truth) in std::mem::take(&mut self.stored) {
                    self.delivered += STORED_US;
                    let at = Duration::from_micros(self.delivered);
                    self.out.push_back(SimEvent::Notification { at, bytes, truth });
                }
            }
            Some(since) if after > 0 && us >= since + after => {
                self.out
                    .push_back(SimEvent::LinkDown { at: Duration::from_micros((since + after).max(self.delivered)) });
                self.link_up_since = None;
                self.link_down_since = us;
            }
            None if after > 0 && us >= self.link_down_since + LINK_PAUSE_US => {
                self.out.push_back(SimEvent::LinkUp { at: Duration::from_micros(us) });
                self.link_up_since = Some(us);
            }
            _ => {}
        }
    }
}

impl<I: Iterator> Iterator for ProfileStrap<I>
where
    I::Item: Into<HeartBeat>,
{
    type Item = SimEvent;

    fn next(&mut self) -> Option<SimEvent> {
        while self.out.is_empty() && !self.ended {
            self.period();
        }
        self.out.pop_front()
    }
}
