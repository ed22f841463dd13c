//! What a strap hears of a heart: beats missed and doubled, intervals smoothed, and in the end nothing.

use super::profile::{ContactTrait, Every, Profile, RrSource, Traits};
use super::random::Random;
use super::rhythm::{BeatKind, HeartBeat};

/// What became of an interval of the heart, or where an interval on the wire comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// Sent as it is (but for units and rounding).
    True,
    /// The strap missed beats: this interval covers several.
    Merged,
    /// First part of an interval in which the strap saw a beat too many.
    SplitHead,
    /// The rest of it.
    SplitTail,
    /// Covers its interval, but the value is smoothed or calculated.
    Smoothed,
    /// Covers its interval, but the value is wrong.
    Wrong,
    /// The interval before, once more.
    Repeat,
    /// From nothing.
    Invented,
    /// Not sent; there is no interval on the wire.
    NotSent,
}

/// The truth about one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// What happened.
    pub how: How,
    /// Index of the first interval of the heart that it covers.
    pub first: u64,
    /// How many it covers; none for a split's head, a repeat and an invention.
    pub count: u16,
    /// What the last beat covered was.
    pub kind: BeatKind,
    /// The value on the wire; 0 if none.
    pub raw: u16,
}

/// An interval as the strap measures it, ticks, and when it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sensed {
    pub(super) end: u64,
    pub(super) truth: Truth,
    /// The strap's smoothed heart rate with it, bpm; 0 if none.
    pub(super) hr: u16,
}

/// Listens to a heart.
#[derive(Clone, Debug)]
pub(super) struct Sensor<I> {
    heart: I,
    traits: Traits,
    random: Random,
    /// End of the last interval taken, ticks.
    ticks: u64,
    index: u64,
    pending: Option<Sensed>,
    /// Last intervals, for the mean.
    recent: [u16; 16],
    heard: usize,
    smoothed: f64,
    after_dropout: bool,
}

/// Whether `ticks` lies in the recurring event; never in the first period.
pub(super) fn inside(every: Every, us: u64) -> bool {
    let period = u64::from(every.every_s) * 1_000_000;
    period > 0 && us >= period && us % period < u64::from(every.length_ds) * 100_000
}

pub(super) fn micros(ticks: u64) -> u64 {
    ticks * 1_000_000 / 1024
}

impl<I: Iterator> Sensor<I>
where
    I::Item: Into<HeartBeat>,
{
    pub(super) fn new(profile: &Profile, heart: I, seed: u64) -> Self {
        Self {
            heart,
            traits: profile.traits,
            random: Random::stream(seed, 21),
            ticks: 0,
            index: 0,
            pending: None,
            recent: [0; 16],
            heard: 0,
            smoothed: 0.0,
            after_dropout: false,
        }
    }

    /// The strap's own smoothed heart rate, bpm; 0 before the first beat.
    fn hr(&self) -> u16 {
        if self.smoothed <= 0.0 { 0 } else { (61_440.0 / self.smoothed).round().clamp(1.0, 65_535.0) as u16 }
    }

    fn take(&mut self) -> Option<(u64, HeartBeat)> {
        let beat: HeartBeat = self.heart.next()?.into();
        self.ticks += u64::from(beat.rr.0);
        self.index += 1;
        Some((self.index - 1, beat))
    }

    fn follow(&mut self, raw: u16) {
        let x = f64::from(raw);
        self.smoothed = if self.smoothed <= 0.0 { x } else { self.smoothed + (x - self.smoothed) / 4.0 };
        self.recent[self.heard % self.recent.len()] = raw;
        self.heard += 1;
    }

    fn mean(&self, n: usize) -> u16 {
        let n = n.min(self.heard).min(self.recent.len()).max(1);
        let len = self.recent.len();
        let sum: u32 = (1..=n).map(|i| u32::from(self.recent[(self.heard + len * 2 - i) % len])).sum();
        ((sum + n as u32 / 2) / n as u32) as u16
    }

    /// The next interval, and the strap's heart rate with it.
    pub(super) fn next(&mut self) -> Option<Sensed> {
        if let Some(tail) = self.pending.take() {
            self.follow(tail.truth.raw);
            return Some(Sensed { hr: self.hr(), ..tail });
        }
        let begin = self.ticks;
        let (first, beat) = self.take()?;
        let t = self.traits;
        let us = micros(begin);
        let mut truth = Truth { how: How::True, first, count: 1, kind: beat.kind, raw: beat.rr.0 };
        if t.deaf.is_some_and(|d| us >= u64::from(d.from_s) * 1_000_000) {
            truth = Truth { how: How::NotSent, raw: 0, ..truth };
            return Some(Sensed { end: self.ticks, truth, hr: self.hr() });
        }
        if let Some((every, too_high)) = t.dropout {
            if inside(every, us) {
                self.after_dropout = true;
                truth = Truth { how: How::NotSent, raw: 0, ..truth };
                return Some(Sensed { end: self.ticks, truth, hr: self.hr() });
            }
            if std::mem::take(&mut self.after_dropout) {
                let raw = (u32::from(truth.raw) * u32::from(too_high) / 100).min(65_534) as u16;
                truth = Truth { how: How::Wrong, raw, ..truth };
            }
        }
        let dry = us < u64::from(t.dry.0) * 1_000_000;
        let moving = t.moving.0 > 0 && u32::from(truth.raw) * u32::from(t.moving.0) < 61_440;
        let (missed, extra) = match () {
            () if dry => (t.dry.1, t.dry.2),
            () if moving => (t.moving.1, t.moving.2),
            () => (t.missed_per_1000, t.extra_per_1000),
        };
        if self.random.per_mille(missed) && truth.how == How::True {
            if let Some((_, next)) = self.take() {
                let raw = truth.raw.saturating_add(next.rr.0).min(65_534);
                truth = Truth { how: How::Merged, count: 2, kind: next.kind, raw, ..truth };
            }
        } else if self.random.per_mille(extra) && truth.how == How::True && truth.raw >= 400 {
            let head = (f64::from(truth.raw) * (0.3 + 0.4 * self.random.uniform())) as u16;
            let tail = Truth { how: How::SplitTail, raw: truth.raw - head, ..truth };
            self.pending = Some(Sensed { end: self.ticks, truth: tail, hr: 0 });
            truth = Truth { how: How::SplitHead, count: 0, raw: head, ..truth };
            self.follow(head);
            return Some(Sensed { end: begin + u64::from(head), truth, hr: self.hr() });
        }
        self.follow(truth.raw);
        match t.rr {
            RrSource::Beats | RrSource::FixedRate => {}
            RrSource::None => truth = Truth { how: How::NotSent, raw: 0, ..truth },
            RrSource::Mean(n) => truth = Truth { how: How::Smoothed, raw: self.mean(usize::from(n)), ..truth },
            RrSource::FromHeartRate => {
                let raw = (61_440.0 / f64::from(self.hr().max(1))).round().min(65_534.0) as u16;
                truth = Truth { how: How::Smoothed, raw, ..truth };
            }
        }
        Some(Sensed { end: self.ticks, truth, hr: self.hr() })
    }

    /// What the strap says about contact at this time.
    pub(super) fn contact(&self, us: u64, link_up_us: u64) -> crate::hrs::Contact {
        use crate::hrs::Contact;
        let off = self.traits.deaf.is_some_and(|d| d.taken_off && us >= u64::from(d.from_s) * 1_000_000);
        let good = match self.traits.contact {
            ContactTrait::Unsupported => return Contact::Unsupported,
            ContactTrait::Honest => !off,
            ContactTrait::AlwaysGood => true,
            ContactTrait::AlwaysLost => false,
            ContactTrait::Late(s) => us.saturating_sub(link_up_us) > u64::from(s) * 1_000_000,
        };
        if good { Contact::Good } else { Contact::Lost }
    }
}
