//! Heart rates as a strap sends them, made into the stretches that a session's load is computed from. A gap is a gap:
//! nothing is filled in, and the load is known to be missing so much.

use super::session::Session;
use super::trimp::{HeartRates, Pair, Sample, banister, zone_minutes};
use crate::units::Mono;
use std::time::Duration;

/// A heart rate holds until the next one, and no longer than this: a strap sends one a second.
pub const HOLDS: Duration = Duration::from_secs(5);
/// Heart rates outside of this are no heart's.
const PLAUSIBLE: std::ops::RangeInclusive<u16> = 25..=240;

/// Heart rates of a session in progress, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct HrSeries {
    samples: Vec<Sample>,
    last: Option<(Mono, f64)>,
    gap: Duration,
}

impl HrSeries {
    /// Takes a heart rate in bpm; one that lies before the last is dropped.
    pub fn push(&mut self, at: Mono, bpm: u16) {
        if self.last.is_some_and(|(before, _)| at < before) {
            return;
        }
        self.close(at);
        // after nonsense the time that follows is missing too
        let hr = if PLAUSIBLE.contains(&bpm) { f64::from(bpm) } else { 0.0 };
        self.last = Some((at, hr));
    }

    /// Ends the stretch that runs.
    fn close(&mut self, at: Mono) {
        let Some((since, hr)) = self.last.take() else { return };
        let whole = at.since(since);
        let held = if hr > 0.0 { whole.min(HOLDS) } else { Duration::ZERO };
        self.gap += whole - held;
        let minutes = held.as_secs_f64() / 60.0;
        match self.samples.last_mut() {
            // equal neighbours are one stretch: an hour of running is some hundred of them
            Some(s) if s.hr == hr => s.minutes += minutes,
            _ if minutes > 0.0 => self.samples.push(Sample { minutes, hr }),
            _ => {}
        }
    }

    /// The end of the session.
    pub fn finish(mut self, at: Mono) -> Measured {
        self.close(at);
        Measured { samples: self.samples, gap_min: self.gap.as_secs_f64() / 60.0 }
    }
}

/// What a strap measured of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Stretches of equal heart rate.
    pub samples: Vec<Sample>,
    /// Minutes of which nothing is known.
    pub gap_min: f64,
}

/// With more missing than this share no load is computed: it would be too small.
pub const MOST_MISSING: f64 = 0.1;

impl Measured {
    /// Minutes measured.
    pub fn minutes(&self) -> f64 {
        self.samples.iter().map(|s| s.minutes).sum()
    }

    /// Share that is missing; 1 without any.
    pub fn missing(&self) -> f64 {
        let whole = self.minutes() + self.gap_min;
        if whole > 0.0 { self.gap_min / whole } else { 1.0 }
    }

    /// Fills in what a session's load is made of: TRIMP where both heart rates are known, the zones where the maximum
    /// is. With too much missing nothing is filled in.
    pub fn fill(&self, session: &mut Session, rest: Option<f64>, max: Option<f64>, pair: Pair) {
        if self.missing() > MOST_MISSING {
            return;
        }
        session.zones = max.filter(|m| *m > 0.0).map(|m| zone_minutes(&self.samples, m)).or(session.zones);
        let rates = rest.zip(max).map(|(rest, max)| HeartRates { rest, max });
        session.trimp = rates.and_then(|r| banister(&self.samples, r, pair)).or(session.trimp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::civil::date;

    fn series(points: &[(u64, u16)], end: u64) -> Measured {
        let mut s = HrSeries::default();
        points.iter().for_each(|(t, hr)| s.push(Mono::from_secs(*t), *hr));
        s.finish(Mono::from_secs(end))
    }

    fn run(hr: u16) -> Measured {
        let points: Vec<(u64, u16)> = (0..3600).map(|t| (t, hr)).collect();
        series(&points, 3600)
    }

    #[test]
    fn an_hour_is_an_hour_and_one_stretch() {
        let m = run(150);
        assert_eq!(m.samples.len(), 1);
        assert!((m.minutes() - 60.0).abs() < 1e-9 && m.gap_min == 0.0);
        let mut s = Session::new("a", Timestamp::UNIX_EPOCH, date(1970, 1, 1));
        m.fill(&mut s, Some(50.0), Some(190.0), Pair::Men);
        // 60 min × 100/140 × 0.64·e^(1.92 × 100/140)
        assert!((s.trimp.unwrap() - 108.1).abs() < 0.1, "{:?}", s.trimp);
        let zones = s.zones.unwrap();
        assert!((zones[2] - 60.0).abs() < 1e-9, "79 % of the maximum: {zones:?}");
    }

    #[test]
    fn gaps_and_nonsense_are_missing_and_not_filled_in() {
        let m = series(&[(0, 120), (10, 120), (11, 0), (12, 130)], 13);
        assert!((m.minutes() * 60.0 - 7.0).abs() < 1e-9, "{m:?}");
        assert!((m.gap_min * 60.0 - 6.0).abs() < 1e-9);
        let back = series(&[(5, 120), (3, 125), (6, 120)], 7);
        assert!((back.minutes() * 60.0 - 2.0).abs() < 1e-9, "time never runs back");
        assert_eq!(series(&[], 60).missing(), 1.0);
    }

    #[test]
    fn with_too_much_missing_there_is_no_load() {
        let m = series(&[(0, 150), (1, 150), (100, 150)], 101);
        let mut s = Session::new("a", Timestamp::UNIX_EPOCH, date(1970, 1, 1));
        m.fill(&mut s, Some(50.0), Some(190.0), Pair::Men);
        assert_eq!((s.trimp, s.zones), (None, None));
        run(150).fill(&mut s, None, Some(190.0), Pair::Men);
        assert!(s.trimp.is_none() && s.zones.is_some(), "without a resting heart rate there are zones only");
    }
}
