//! Everything one verdict is made from, as series that end today.

use super::refusal::Refusal;
use crate::check::words;
use std::fmt;
use std::str::FromStr;

words! {
    /// Whether an ache goes away when the body is warm.
    PainCourse {
        /// It goes away.
        WarmsUp = "warms_up",
        /// It stays.
        Stays = "stays",
    }
}

/// Inputs of one day. Series run from the oldest day to today (load: to yesterday), one entry a calendar day.
#[cfg_attr(feature = "daemon", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Day {
    /// lnRMSSD, ln(ms).
    pub ln_rmssd: Vec<Option<f64>>,
    /// Resting heart rate of the same window, bpm.
    pub rhr: Vec<Option<f64>>,
    /// Hours slept in the night before each day.
    pub sleep_h: Vec<Option<f64>>,
    /// Hooper sums, 4 (best) to 28.
    pub hooper: Vec<Option<f64>>,
    /// Today's four items, if they are known one by one.
    pub hooper_items: Vec<f64>,
    /// Load of each day up to yesterday; rest days are 0.
    pub load: Vec<f64>,
    /// Hours since the end of the last hard session.
    pub hours_since_hard: Option<f64>,
    /// The person says: ill.
    pub sick: bool,
    /// The person says: it hurts.
    pub pain: Option<PainCourse>,
    /// Days in a row, today among them, with a pain that stays.
    pub pain_days: u32,
}

/// The calendar reaches this far back at most; longer series are cut.
pub(super) const MAX_DAYS: usize = 4000;

/// Name, values with their places, lowest, highest, hint.
type Series<'a> = (&'a str, Vec<(usize, f64)>, f64, f64, &'a str);

const HINT_LN: &str = "lnRMSSD is the natural logarithm of RMSSD in ms: 42 ms is 3.74";

impl Day {
    /// The days on which a level can depend: the baseline, and five weeks of load.
    pub(super) fn recent(&self) -> Day {
        fn tail<T: Clone>(s: &[T], n: usize) -> Vec<T> {
            s.get(s.len().saturating_sub(n)..).unwrap_or_default().to_vec()
        }
        Day {
            ln_rmssd: tail(&self.ln_rmssd, 64),
            rhr: tail(&self.rhr, 64),
            sleep_h: tail(&self.sleep_h, 64),
            hooper: tail(&self.hooper, 64),
            hooper_items: self.hooper_items.clone(),
            load: tail(&self.load, 42),
            ..*self
        }
    }

    /// Refuses values that cannot be what they claim to be; every refusal at once.
    pub fn check(&self) -> Result<(), Vec<Refusal>> {
        let mut bad = Vec::new();
        let options = |s: &[Option<f64>]| s.iter().copied().enumerate().filter_map(|(i, v)| Some((i, v?))).collect();
        let plain = |s: &[f64]| s.iter().copied().enumerate().collect();
        let series: [Series<'_>; 6] = [
            ("ln_rmssd", options(&self.ln_rmssd), 0.0, 7.0, HINT_LN),
            ("rhr", options(&self.rhr), 20.0, 220.0, "the mean heart rate of the check, in bpm"),
            ("sleep_h", options(&self.sleep_h), 0.0, 24.0, "hours slept, such as 7.5"),
            ("hooper", options(&self.hooper), 4.0, 28.0, "the sum of four items of 1 (best) to 7"),
            ("hooper_items", plain(&self.hooper_items), 1.0, 7.0, "four items of 1 (best) to 7"),
            ("load", plain(&self.load), 0.0, 20_000.0, "the load of a day; a rest day is 0"),
        ];
        for (name, values, low, high, hint) in series {
            for (i, v) in values {
                if !(low..=high).contains(&v) {
                    bad.push(Refusal::range(format!("{name}[{i}]"), v, low, high, hint));
                }
            }
        }
        if !matches!(self.hooper_items.len(), 0 | 4) {
            let cause = format!("{} items", self.hooper_items.len());
            bad.push(Refusal::new("hooper_items", cause, "give all four of sleep, stress, fatigue, soreness, or none"));
        }
        if let Some(h) = self.hours_since_hard.filter(|h| !(0.0..=1e6).contains(h)) {
            bad.push(Refusal::range("hours_since_hard", h, 0.0, 1e6, "hours since the last hard session ended"));
        }
        for (name, n) in [
            ("ln_rmssd", self.ln_rmssd.len()),
            ("rhr", self.rhr.len()),
            ("sleep_h", self.sleep_h.len()),
            ("hooper", self.hooper.len()),
            ("load", self.load.len()),
        ] {
            if n > MAX_DAYS {
                let cause = format!("{n} days");
                bad.push(Refusal::new(name, cause, "a series holds at most 4000 days, the last one being today"));
            }
        }
        if bad.is_empty() { Ok(()) } else { Err(bad) }
    }
}

/// A day's inputs as slices, so that looking back costs nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) ln_rmssd: &'a [Option<f64>],
    pub(super) rhr: &'a [Option<f64>],
    pub(super) sleep_h: &'a [Option<f64>],
    pub(super) hooper: &'a [Option<f64>],
    pub(super) load: &'a [f64],
    pub(super) today: Today<'a>,
}

/// What belongs to today alone; the rest is the background it is judged against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Today<'a> {
    pub(super) ln_rmssd: Option<f64>,
    pub(super) rhr: Option<f64>,
    pub(super) sleep_h: Option<f64>,
    pub(super) hooper: Option<f64>,
    pub(super) hooper_items: &'a [f64],
    pub(super) hours_since_hard: Option<f64>,
    pub(super) sick: bool,
    pub(super) pain: Option<PainCourse>,
    pub(super) pain_days: u32,
}

fn last(s: &[Option<f64>]) -> Option<f64> {
    s.last().copied().flatten().filter(|v| v.is_finite())
}

impl<'a> View<'a> {
    pub(super) fn of(day: &'a Day) -> Self {
        let today = Today {
            ln_rmssd: last(&day.ln_rmssd),
            rhr: last(&day.rhr),
            sleep_h: last(&day.sleep_h),
            hooper: last(&day.hooper),
            hooper_items: &day.hooper_items,
            hours_since_hard: day.hours_since_hard.filter(|h| h.is_finite()),
            sick: day.sick,
            pain: day.pain,
            pain_days: day.pain_days,
        };
        let (ln_rmssd, rhr, sleep_h, hooper) = (&day.ln_rmssd, &day.rhr, &day.sleep_h, &day.hooper);
        Self { ln_rmssd, rhr, sleep_h, hooper, load: &day.load, today }
    }

    /// The same person `days` earlier, as far as the series tell. Illness is known of today only.
    pub(super) fn back(&self, days: usize) -> View<'a> {
        fn cut<T>(s: &[T], days: usize) -> &[T] {
            s.get(..s.len().saturating_sub(days)).unwrap_or_default()
        }
        let (ln_rmssd, rhr) = (cut(self.ln_rmssd, days), cut(self.rhr, days));
        let (sleep_h, hooper) = (cut(self.sleep_h, days), cut(self.hooper, days));
        let t = self.today;
        let stood = t.pain == Some(PainCourse::Stays) && t.pain_days as usize > days;
        let today = Today {
            ln_rmssd: last(ln_rmssd),
            rhr: last(rhr),
            sleep_h: last(sleep_h),
            hooper: last(hooper),
            hooper_items: &[],
            hours_since_hard: t.hours_since_hard.map(|h| h - 24.0 * days as f64).filter(|h| *h >= 0.0),
            sick: false,
            pain: t.pain.filter(|_| stood),
            pain_days: t.pain_days.saturating_sub(days as u32),
        };
        View { ln_rmssd, rhr, sleep_h, hooper, load: cut(self.load, days), today }
    }
}
