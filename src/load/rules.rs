//! Rules of training as information, each with how well it is founded. None of them changes a verdict's level in
//! version 2.

use super::ledger::{Ledger, days_between, plus_days};
use super::session::Session;
use super::stats::{mean, median};
use super::week;
use crate::check::words;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

words! {
    /// A rule.
    RuleId {
        /// Two hard sessions less than 48 hours apart.
        HardGap = "hard_gap",
        /// Hard days in a row.
        HardDaysInARow = "hard_days_in_a_row",
        /// Seven days without a light one.
        NoLightDay = "no_light_day",
        /// Long without a lighter week.
        CutbackDue = "cutback_due",
        /// Six weeks of growth; the strap cannot see tissue.
        Ramp = "ramp",
        /// Called easy, measured hard.
        HiddenWorkout = "hidden_workout",
        /// A session without a load: the sums are too small.
        UnknownLoad = "unknown_load",
    }
}

words! {
    /// How well a rule is founded.
    Evidence {
        /// Measured in people, with wide differences between them.
        Measured = "measured",
        /// What coaches do; weakly tested.
        Convention = "convention",
        /// A plain statement about the data.
        Fact = "fact",
    }
}

impl RuleId {
    /// How well it is founded.
    pub const fn evidence(self) -> Evidence {
        match self {
            RuleId::HardGap => Evidence::Measured,
            RuleId::HardDaysInARow | RuleId::NoLightDay | RuleId::CutbackDue | RuleId::Ramp => Evidence::Convention,
            RuleId::HiddenWorkout | RuleId::UnknownLoad => Evidence::Fact,
        }
    }
}

/// A rule that has something to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RuleNote {
    /// Which.
    pub id: RuleId,
    /// Its number: hours, days, weeks, % a week, sessions.
    pub value: f64,
    /// Where it begins to speak.
    pub limit: f64,
}

/// Hours between hard sessions; a default, people differ (Stanley 2013).
pub const HARD_GAP_H: f64 = 48.0;
/// A day below this share of the usual training day is a light one.
pub const LIGHT_SHARE: f64 = 0.3;
/// Growth over six weeks, % a week.
pub const RAMP_PCT: f64 = 10.0;
/// Weeks without a lighter one.
pub const CUTBACK_WEEKS: u32 = 4;
/// A lighter week has at most this share of the three before, and no more hard sessions.
pub const CUTBACK_RATIO: f64 = 0.75;

/// From when another hard session is 48 hours after the last one.
pub fn next_hard_from(ledger: &Ledger, at: Timestamp) -> Option<Timestamp> {
    let end = ledger.last_hard(at)?.end;
    end.checked_add(SignedDuration::from_mins((HARD_GAP_H * 60.0) as i64)).ok()
}

/// Hours that a session planned for `at` lies after the last hard one, if that is less than 48.
pub fn too_close(ledger: &Ledger, at: Timestamp) -> Option<f64> {
    ledger.hours_since_hard(at).filter(|h| *h < HARD_GAP_H)
}

/// What the rules say on the morning of `today`.
pub fn notes(ledger: &Ledger, today: Date) -> Vec<RuleNote> {
    let mut out = Vec::new();
    let mut note = |id, value, limit| out.push(RuleNote { id, value, limit });
    let yesterday = plus_days(today, -1);
    let week = plus_days(today, -7);
    let recent: Vec<&Session> = ledger.between(week, today);
    let hard: Vec<&&Session> = recent.iter().filter(|s| s.hard().is_some()).collect();
    let mut gaps = hard.windows(2).filter_map(|p| match p {
        [a, b] => Some(b.end.duration_since(a.end).as_secs_f64() / 3600.0),
        _ => None,
    });
    if let Some(h) = gaps.rfind(|h| *h < HARD_GAP_H) {
        note(RuleId::HardGap, h, HARD_GAP_H);
    }
    let hard_days: BTreeSet<Date> = hard.iter().map(|s| s.date).collect();
    let run = (0..=7).map(|d| plus_days(yesterday, -d)).take_while(|d| hard_days.contains(d)).count();
    let run = run + usize::from(run > 0 && hard_days.contains(&today));
    if run >= 2 {
        note(RuleId::HardDaysInARow, run as f64, 1.0);
    }
    let hidden = recent.iter().filter(|s| s.is_hidden_workout()).count();
    if hidden > 0 {
        note(RuleId::HiddenWorkout, hidden as f64, 0.0);
    }
    let Some(daily) = ledger.daily(yesterday) else { return out };
    let unknown = daily.unknown.iter().filter(|id| recent.iter().any(|s| s.id == **id)).count();
    if unknown > 0 {
        note(RuleId::UnknownLoad, unknown as f64, 0.0);
    }
    let loads = &daily.loads;
    let trained: Vec<f64> = loads.iter().rev().take(42).copied().filter(|l| *l > 0.0).collect();
    if let Some(usual) = median(&trained).filter(|_| loads.len() >= 7) {
        let days = loads.iter().rev().take_while(|l| **l >= LIGHT_SHARE * usual).count();
        if days >= 7 {
            note(RuleId::NoLightDay, days as f64, 6.0);
        }
    }
    let weeks = week::sums(loads);
    if let Some(since) = weeks_since_lighter(ledger, &weeks, yesterday) {
        if since >= CUTBACK_WEEKS && weeks.last().is_some_and(|w| *w > 0.0) {
            note(RuleId::CutbackDue, f64::from(since), f64::from(CUTBACK_WEEKS - 1));
        }
    }
    if let Some(pct) = ramp(&weeks).filter(|p| *p > RAMP_PCT) {
        note(RuleId::Ramp, pct, RAMP_PCT);
    }
    out
}

/// Like the verdict's count, but a week with less volume and more hard sessions is no lighter one.
fn weeks_since_lighter(ledger: &Ledger, weeks: &[f64], last_day: Date) -> Option<u32> {
    let n = weeks.len();
    let mut hard = vec![0.0; n];
    for s in ledger.between(Date::MIN, last_day).into_iter().filter(|s| s.hard().is_some()) {
        let back = usize::try_from(days_between(s.date, last_day) / 7).unwrap_or(usize::MAX);
        if let Some(slot) = n.checked_sub(1).and_then(|l| l.checked_sub(back)).and_then(|i| hard.get_mut(i)) {
            *slot += 1.0;
        }
    }
    week::weeks_since(n, |i| {
        let (load, sessions) = (week::mean_of_three_before(weeks, i), week::mean_of_three_before(&hard, i));
        load > 0.0 && weeks[i] <= CUTBACK_RATIO * load && hard[i] <= sessions.max(0.0)
    })
}

/// Growth over the last six weeks, % of their mean a week, by least squares; `None` with fewer weeks or an empty one.
fn ramp(weeks: &[f64]) -> Option<f64> {
    let six = weeks.get(weeks.len().checked_sub(6)?..)?;
    let middle = mean(six).filter(|_| six.iter().all(|w| *w > 0.0))?;
    let slope: f64 = six.iter().zip(0..).map(|(w, i)| (f64::from(i) - 2.5) * w).sum::<f64>() / 17.5;
    Some(100.0 * slope / middle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::SessionKind;
    use jiff::civil::date;

    /// A ledger with one session a day, `load` minutes of exertion 3; hard where `hard` says.
    fn ledger(loads: &[f64], hard: &[usize]) -> (Ledger, Date) {
        let mut l = Ledger::default();
        let first = date(2026, 1, 5);
        for (i, load) in loads.iter().enumerate().filter(|(_, l)| **l > 0.0) {
            let day = plus_days(first, i as i64);
            let end = jiff::tz::TimeZone::UTC.to_timestamp(day.at(18, 0, 0, 0)).unwrap();
            let mut s = Session::new(i.to_string(), end, day);
            s.given = Some(*load);
            s.kind = Some(if hard.contains(&i) { SessionKind::Quality } else { SessionKind::Easy });
            l.put(s);
        }
        (l, plus_days(first, loads.len() as i64))
    }

    fn ids(l: &(Ledger, Date)) -> Vec<RuleId> {
        notes(&l.0, l.1).iter().map(|n| n.id).collect()
    }

    #[test]
    fn hard_hard_is_noted_and_hard_easy_hard_is_not() {
        let days = [50.0, 50.0, 50.0, 0.0, 50.0, 50.0, 50.0];
        assert_eq!(ids(&ledger(&days, &[5, 6])), [RuleId::HardGap, RuleId::HardDaysInARow]);
        assert!(ids(&ledger(&days, &[4, 6])).is_empty(), "exactly 48 hours apart");
        assert_eq!(ids(&ledger(&days, &[0, 1])), [RuleId::HardGap], "the row is over, the gap was this week");
    }

    #[test]
    fn forty_eight_hours_by_the_clock() {
        let (l, _) = ledger(&[0.0, 80.0], &[1]);
        let thursday = |h| jiff::tz::TimeZone::UTC.to_timestamp(date(2026, 1, 8).at(h, 0, 0, 0)).unwrap();
        assert_eq!(too_close(&l, thursday(17)), Some(47.0));
        assert_eq!(too_close(&l, thursday(18)), None);
        assert_eq!(next_hard_from(&l, thursday(17)), Some(thursday(18)));
    }

    #[test]
    fn seven_days_without_a_light_one() {
        assert_eq!(ids(&ledger(&[50.0; 7], &[])), [RuleId::NoLightDay]);
        assert!(ids(&ledger(&[50.0, 50.0, 50.0, 10.0, 50.0, 50.0, 50.0], &[])).is_empty());
    }

    #[test]
    fn a_lighter_week_needs_less_volume_and_not_more_intensity() {
        let normal = [40.0, 0.0, 40.0, 40.0, 0.0, 60.0, 20.0];
        let light = normal.map(|l| l * 0.6);
        let four = [normal, normal, normal, light].concat();
        assert!(ids(&ledger(&four, &[0])).is_empty());
        assert_eq!(ids(&ledger(&four, &[0, 21, 24])), [RuleId::CutbackDue], "less volume, more hard sessions");
        assert_eq!(ids(&ledger(&[normal; 4].concat(), &[])), [RuleId::CutbackDue]);
    }

    #[test]
    fn six_growing_weeks() {
        let week = |k: f64| [40.0, 0.0, 50.0, 0.0, 60.0, 0.0, 0.0].map(|l| l * k);
        let growing: Vec<f64> = (0..6).flat_map(|i| week(1.0 + 0.25 * f64::from(i))).collect();
        assert!(ids(&ledger(&growing, &[])).contains(&RuleId::Ramp));
        let steady: Vec<f64> = (0..6).flat_map(|i| week(1.0 + 0.05 * f64::from(i))).collect();
        assert!(!ids(&ledger(&steady, &[])).contains(&RuleId::Ramp));
        assert_eq!(ramp(&[1.0, 1.0, 1.0, 0.0, 1.0, 1.0]), None);
    }
}
