//! How strong a strap's signal is and where it goes. Only advertisements carry a strength that BlueZ tells, and a connected
//! strap does not advertise: so this is what was seen before connections, not during them.

use crate::units::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// Advertisements within this time are one sample.
const BUCKET: Duration = Duration::from_secs(30);
/// So many samples are kept.
const KEEP: usize = 24;
/// Samples behind the present strength.
const NEWEST: usize = 5;
/// Samples that a trend needs at least.
const TREND_SAMPLES: usize = 6;
/// Time that they must span.
const TREND_SPAN: Duration = Duration::from_secs(600);
/// A body in between easily costs 5 dB; less than this is no trend.
const TREND_DB: i16 = 6;
/// At this strength, dBm, packets begin to be lost.
const WEAK_DBM: i16 = -85;

/// Where a signal goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// Stronger than before.
    Rising,
    /// Much the same.
    Steady,
    /// Weaker than before.
    Falling,
}

impl Trend {
    /// Stable word for JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rising => "rising",
            Self::Steady => "steady",
            Self::Falling => "falling",
        }
    }
}

/// A signal at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signal {
    /// Median of the newest samples, dBm.
    pub dbm: Option<i16>,
    /// Where it goes; `None` while there is too little to say so.
    pub trend: Option<Trend>,
}

impl Signal {
    /// Weak enough to lose packets.
    pub fn is_weak(self) -> bool {
        self.dbm.is_some_and(|dbm| dbm <= WEAK_DBM)
    }
}

/// The newest samples, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Samples(VecDeque<Sample>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    began: Mono,
    sum: i64,
    n: i64,
}

impl Sample {
    fn dbm(&self) -> i16 {
        i16::try_from(self.sum / self.n.max(1)).unwrap_or(i16::MIN)
    }
}

impl Samples {
    /// An advertisement came in with this strength. Impossible values are left out: 127 means "not known".
    pub fn push(&mut self, now: Mono, rssi: i16) {
        if !(-127..=20).contains(&rssi) {
            return;
        }
        match self.0.back_mut().filter(|s| now.since(s.began) < BUCKET) {
            Some(s) => (s.sum, s.n) = (s.sum + i64::from(rssi), s.n + 1),
            None => {
                if self.0.len() == KEEP {
                    self.0.pop_front();
                }
                self.0.push_back(Sample { began: now, sum: i64::from(rssi), n: 1 });
            }
        }
    }

    /// What the samples say.
    pub fn signal(&self) -> Signal {
        let all: Vec<i16> = self.0.iter().map(Sample::dbm).collect();
        let dbm = median(&all[all.len().saturating_sub(NEWEST)..]);
        let spanned = match (self.0.front(), self.0.back()) {
            (Some(first), Some(last)) => last.began.since(first.began),
            _ => Duration::ZERO,
        };
        let (old, new) = all.split_at(all.len() / 2);
        let trend = median(old).zip(median(new)).filter(|_| all.len() >= TREND_SAMPLES && spanned >= TREND_SPAN).map(
            |(old, new)| match new - old {
                d if d >= TREND_DB => Trend::Rising,
                d if d <= -TREND_DB => Trend::Falling,
                _ => Trend::Steady,
            },
        );
        Signal { dbm, trend }
    }
}

fn median(values: &[i16]) -> Option<i16> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(u64, i16)]) -> Signal {
        let mut s = Samples::default();
        for (at, dbm) in values {
            s.push(Mono::from_secs(*at), *dbm);
        }
        s.signal()
    }

    #[test]
    fn nothing_seen_is_nothing_said() {
        assert_eq!(of(&[]), Signal::default());
        assert!(!Signal::default().is_weak());
        assert_eq!(of(&[(1, 127)]), Signal::default(), "127 means unknown");
    }

    #[test]
    fn a_burst_of_advertisements_is_one_sample() {
        let burst: Vec<(u64, i16)> = (0..25).map(|s| (s, -60)).collect();
        let many = of(&burst);
        assert_eq!((many.dbm, many.trend), (Some(-60), None), "25 adverts of one scan are no trend");
    }

    #[test]
    fn a_trend_needs_time_samples_and_more_than_noise() {
        let slope = |step: i16, every: u64| of(&(0..8).map(|i| (i * every, -70 + step * i as i16)).collect::<Vec<_>>());
        assert_eq!(slope(-3, 120).trend, Some(Trend::Falling));
        assert_eq!(slope(3, 120).trend, Some(Trend::Rising));
        assert_eq!(slope(0, 120).trend, Some(Trend::Steady));
        assert_eq!(slope(-3, 40).trend, None, "five minutes are too short");
        let noisy: Vec<(u64, i16)> = (0..12).map(|i| (i * 120, if i % 2 == 0 { -66 } else { -74 })).collect();
        assert_eq!(of(&noisy).trend, Some(Trend::Steady));
    }

    #[test]
    fn weak_is_by_the_median_and_memory_is_bounded() {
        assert!(!of(&[(0, -60), (60, -60), (120, -95)]).is_weak(), "one bad moment");
        assert!(of(&[(0, -88), (60, -90), (120, -60)]).is_weak());
        let mut s = Samples::default();
        for i in 0..10_000u64 {
            s.push(Mono::from_secs(i * 60), -90);
        }
        assert_eq!(s.0.len(), KEEP);
    }
}
