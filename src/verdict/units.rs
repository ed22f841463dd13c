//! 1/1024 s or ms? The sum of intervals read as 1/1024 s covers the time exactly, or 2.34 % too little.
//!
//! The lag (arrival − sum) creeps by 23.4 ms each second if the strap sends ms. Arrival jitters by up to one period of
//! notification, so the answer needs that period / 1.17 % of unbroken time: 86 s at 1 Hz. Beats lost one by one creep
//! as well; the strap's own heart rate tells these two apart, as it is right in both cases.

use crate::units::{Mono, RrTicks};
use std::time::Duration;

/// Units of RR on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Units {
    /// Not known yet, or the clock fits neither.
    #[default]
    Unknown,
    /// 1/1024 s, as the service demands.
    Ticks1024,
    /// Milliseconds. A value read as ticks is to be multiplied by 1.024.
    Milliseconds,
}

impl Units {
    /// Stable word for JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ticks1024 => "ticks_1024",
            Self::Milliseconds => "milliseconds",
        }
    }

    /// What a value on the wire means in 1/1024 s, to the nearest. Until units are known they are what the standard
    /// demands.
    pub fn read(self, raw: RrTicks) -> RrTicks {
        match self {
            Self::Milliseconds => RrTicks(((u32::from(raw.0) * 1024 + 500) / 1000).min(LONGEST) as u16),
            Self::Unknown | Self::Ticks1024 => raw,
        }
    }

    /// The value on the wire again: ms are coarser than 1/1024 s, so no two of them are read as one.
    pub fn raw(self, read: RrTicks) -> RrTicks {
        match self {
            Self::Milliseconds => RrTicks(((u32::from(read.0) * 1000 + 512) / 1024) as u16),
            Self::Unknown | Self::Ticks1024 => read,
        }
    }

    /// Whether intervals are read in the same way.
    pub fn reads_as(self, other: Self) -> bool {
        (self == Self::Milliseconds) == (other == Self::Milliseconds)
    }
}

/// 65535 is no interval.
const LONGEST: u32 = 65_534;

/// ΣRR / wall of a strap that sends ms.
const MS_RATIO: f64 = 1000.0 / 1024.0;
/// Least beats before anything is said.
const MIN_BEATS: u32 = 120;
/// Least beats, and time, before something is said for the moment.
const FEW_BEATS: u32 = 60;
const LEAST_S: f64 = 60.0;
/// The lower envelope of the lag is taken over this long.
const BLOCK: Duration = Duration::from_secs(30);
/// Clocks of strap and gateway, and rounding, may differ by this share.
const CLOCKS: f64 = 0.0015;
/// A hole longer than this is no creeping lag.
const LARGE: Duration = Duration::from_millis(2500);
/// After this much unbroken time that fits neither, an earlier answer is withdrawn.
const WITHDRAW: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug)]
struct Low {
    at: Mono,
    lag_us: i64,
}

/// One stretch of time without a gap.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: Mono,
    last: Mono,
    ticks: u64,
    beats: u32,
    packets: u32,
    holes: u32,
    first: Low,
    block_end: Mono,
    /// Of this block, and of the one before.
    low: Option<Low>,
    last_low: Option<Low>,
    /// Σ RR × HR and its weight: 61440 each if the strap's heart rate and ticks agree.
    product: u64,
    heart_rates: u64,
    products: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct UnitClock {
    stretch: Option<Stretch>,
    answer: Units,
}

impl UnitClock {
    /// Beats are missing, says the timeline. Its small holes may be the creeping lag itself: only a large one ends the
    /// stretch, and the heart rate must speak for the answer from then on.
    pub(super) fn lost(&mut self, hole: Duration) {
        match &mut self.stretch {
            Some(s) if hole <= LARGE => s.holes += 1,
            stretch => *stretch = None,
        }
    }

    /// The time base was lost.
    pub(super) fn break_off(&mut self) {
        self.stretch = None;
    }

    pub(super) fn answer(&self) -> Units {
        self.answer
    }

    /// Intervals of one packet (no repeats).
    pub(super) fn push(&mut self, arrival: Mono, rr: &[RrTicks], hr: Option<u16>) {
        let Some(s) = &mut self.stretch else {
            self.stretch = Some(Stretch {
                start: arrival,
                last: arrival,
                ticks: 0,
                beats: 0,
                packets: 0,
                holes: 0,
                first: Low { at: arrival, lag_us: 0 },
                block_end: arrival + BLOCK,
                low: None,
                last_low: None,
                product: 0,
                heart_rates: 0,
                products: 0,
            });
            return;
        };
        let sum: u64 = rr.iter().map(|r| u64::from(r.0)).sum();
        s.ticks += sum;
        s.beats += rr.len() as u32;
        s.packets += 1;
        s.last = arrival;
        if let Some(hr) = hr {
            s.product += sum * u64::from(hr);
            s.heart_rates += u64::from(hr) * rr.len() as u64;
            s.products += rr.len() as u32;
        }
        let lag_us = arrival.diff_micros(s.start) - (s.ticks * 1_000_000 / 1024) as i64;
        let low = Low { at: arrival, lag_us };
        if arrival <= s.start + BLOCK {
            if lag_us < s.first.lag_us {
                s.first = low;
            }
            return;
        }
        if s.low.is_none_or(|l| lag_us < l.lag_us) {
            s.low = Some(low);
        }
        if arrival >= s.block_end + BLOCK {
            s.block_end = arrival;
            let low = s.low.take().unwrap_or(low);
            s.last_low = Some(low);
            self.look(low);
        }
    }

    fn look(&mut self, low: Low) {
        let Some(s) = &self.stretch else { return };
        if s.beats < MIN_BEATS || low.at.since(s.first.at).as_secs_f64() < LEAST_S {
            return;
        }
        match s.fit(low) {
            Fit::One(units) => self.answer = units,
            Fit::Both => {}
            Fit::Neither if s.last.since(s.start) >= WITHDRAW => {
                self.answer = Units::Unknown;
                self.stretch = None;
            }
            Fit::Neither => {}
        }
    }

    /// What the unbroken time so far speaks for, with less evidence than an answer needs.
    pub(super) fn leaning(&self) -> Units {
        let Some(s) = &self.stretch else { return Units::Unknown };
        let low = s.low.filter(|_| s.last.since(s.block_end) >= BLOCK / 2).or(s.last_low);
        let Some(low) = low else { return Units::Unknown };
        let enough = s.beats >= FEW_BEATS && low.at.since(s.first.at).as_secs_f64() >= LEAST_S;
        match s.fit(low) {
            Fit::One(units) if enough => units,
            _ => Units::Unknown,
        }
    }
}

enum Fit {
    One(Units),
    Both,
    Neither,
}

impl Stretch {
    /// Which units the creep of the lag up to `low` fits.
    fn fit(&self, low: Low) -> Fit {
        let wall = low.at.since(self.first.at).as_secs_f64();
        let ratio = 1.0 - (low.lag_us - self.first.lag_us) as f64 / 1e6 / wall;
        // arrival jitters by one period, which is about the mean wait between packets that hold beats
        let period = self.last.since(self.start).as_secs_f64() / f64::from(self.packets.max(1));
        let bound = (period.max(1.0) / wall).max(0.002) + CLOCKS;
        // whole bpm: half of one is the most by which the strap's own rate may be off on average
        let (mut may_be_ticks, mut may_be_ms) = (self.holes == 0, self.holes == 0);
        if self.products >= 60 {
            let n = f64::from(self.products);
            let (by_rate, off) = (self.product as f64 / n / 61_440.0, 0.5 * n / self.heart_rates as f64 + 0.0025);
            (may_be_ticks, may_be_ms) = (by_rate > 1.0 - off, by_rate < MS_RATIO + off);
        }
        let ticks = (ratio - 1.0).abs() <= bound;
        let ms = (ratio - MS_RATIO).abs() <= bound;
        match (ticks, ms) {
            (true, false) if may_be_ticks => Fit::One(Units::Ticks1024),
            (false, true) if may_be_ms => Fit::One(Units::Milliseconds),
            (true, true) => Fit::Both,
            _ => Fit::Neither,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (answer, seconds until it was known) of a steady heart at 1 Hz.
    fn steady(scale: f64, rr_ms: f64, hr: Option<u16>, seconds: u64) -> (Units, Option<u64>) {
        let mut u = UnitClock::default();
        let (mut beat, mut known) = (0.0, None);
        for s in 1..seconds {
            let mut rr = vec![];
            while beat + rr_ms / 1000.0 <= s as f64 {
                beat += rr_ms / 1000.0;
                rr.push(RrTicks((rr_ms * scale).round() as u16));
            }
            if !rr.is_empty() {
                u.push(Mono::from_secs(100 + s), &rr, hr);
            }
            if u.answer() != Units::Unknown {
                known.get_or_insert(s);
            }
        }
        (u.answer(), known)
    }

    #[test]
    fn both_units_at_every_rate_and_never_the_wrong_one() {
        for rr_ms in (320..1800).step_by(7) {
            let rr_ms = f64::from(rr_ms) + 0.3;
            let hr = Some((60_000.0 / rr_ms).round() as u16);
            let (answer, known) = steady(1.024, rr_ms, hr, 400);
            assert_eq!(answer, Units::Ticks1024, "{rr_ms}");
            assert!((90..=330).contains(&known.unwrap()), "{rr_ms}: {known:?}");
            let (answer, known) = steady(1.0, rr_ms, hr, 400);
            assert_eq!(answer, Units::Milliseconds, "{rr_ms}");
            assert!((90..=330).contains(&known.unwrap()), "{rr_ms}: {known:?}");
        }
    }

    #[test]
    fn milliseconds_read_as_ticks_can_be_told_again() {
        for raw in 1..=63_998 {
            let read = Units::Milliseconds.read(RrTicks(raw));
            assert!((read.as_ms() - f64::from(raw)).abs() <= 0.49, "{raw}");
            assert_eq!(Units::Milliseconds.raw(read), RrTicks(raw));
        }
        assert_eq!(Units::Milliseconds.read(RrTicks(65_534)), RrTicks(65_534));
        assert_eq!(Units::Unknown.read(RrTicks(1000)), RrTicks(1000));
    }

    #[test]
    fn single_beats_lost_are_no_milliseconds() {
        // one beat in 43 is lost: the clock alone would say ms
        let mut u = UnitClock::default();
        for s in 1..1200u64 {
            if s % 43 != 0 {
                u.push(Mono::from_secs(s), &[RrTicks(1024)], Some(60));
            }
            assert_ne!(u.answer(), Units::Milliseconds, "{s}");
        }
    }
}
