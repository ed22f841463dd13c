//! The ledger: every session of a person, and what each day weighed.

use super::fitness::{Fitness, fitness};
use super::session::Session;
use super::stats::median;
use crate::check::words;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

words! {
    /// What loads are counted in. Units are never added to each other.
    LoadUnit {
        /// Banister, from heart rate.
        Trimp = "trimp",
        /// Exertion × minutes.
        Srpe = "srpe",
        /// Edwards, from heart rate zones.
        Edwards = "edwards",
    }
}

impl LoadUnit {
    fn of(self, s: &Session) -> Option<f64> {
        match self {
            LoadUnit::Trimp => s.trimp,
            LoadUnit::Srpe => s.srpe(),
            LoadUnit::Edwards => s.edwards(),
        }
    }
}

/// Loads are looked at this many days back; what lies before has left the long average but for a 10,000th. So a ledger
/// that was read from this far back says what one says that holds everything.
pub const REACH_DAYS: i64 = 400;

/// Sessions that hold two units from which one can be converted into the other.
const MIN_PAIRS: usize = 3;

/// Every session of a person, by id. In which order they arrived does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    sessions: BTreeMap<String, Session>,
    /// Ids by day.
    days: BTreeMap<Date, BTreeSet<String>>,
}

/// Daily loads up to a date.
#[derive(Clone, Debug, PartialEq)]
pub struct Daily {
    /// Their unit.
    pub unit: LoadUnit,
    /// The first day.
    pub first: Date,
    /// One entry a calendar day; rest days are 0.
    pub loads: Vec<f64>,
    /// Sessions whose load is not known in this unit and could not be converted: they are missing from the sums.
    pub unknown: Vec<String>,
}

impl Ledger {
    /// Takes a session; one with the same id is replaced and returned.
    pub fn put(&mut self, s: Session) -> Option<Session> {
        let old = self.remove(&s.id);
        self.days.entry(s.date).or_default().insert(s.id.clone());
        self.sessions.insert(s.id.clone(), s);
        old
    }

    /// The id under which a session stands whose id was made of a time that nobody gave: its own if that is free or holds
    /// the same session, else the next of `-2`, `-3`, … that is.
    pub fn free_id(&self, s: &Session) -> String {
        let fits = |id: &String| {
            let same = |old: &Session| Session { id: s.id.clone(), end: s.end, ..old.clone() } == *s;
            self.sessions.get(id).is_none_or(same)
        };
        let more = (2..u32::MAX).map(|n| format!("{}-{n}", s.id));
        std::iter::once(s.id.clone()).chain(more).find(fits).unwrap_or_else(|| s.id.clone())
    }

    /// Takes a session out again.
    pub fn remove(&mut self, id: &str) -> Option<Session> {
        let old = self.sessions.remove(id)?;
        if let Some(ids) = self.days.get_mut(&old.date) {
            ids.remove(id);
            if ids.is_empty() {
                self.days.remove(&old.date);
            }
        }
        Some(old)
    }

    /// Sessions of these days, by their end.
    pub fn between(&self, first: Date, last: Date) -> Vec<&Session> {
        if first > last {
            return Vec::new();
        }
        let ids = self.days.range(first..=last).flat_map(|(_, ids)| ids);
        let mut all: Vec<&Session> = ids.filter_map(|id| self.sessions.get(id)).collect();
        all.sort_by(|a, b| (a.end, &a.id).cmp(&(b.end, &b.id)));
        all
    }

    /// The sessions that loads up to this date are made of.
    fn reached(&self, to: Date) -> impl Iterator<Item = &Session> {
        let ids = self.days.range(plus_days(to, 1 - REACH_DAYS)..=to).flat_map(|(_, ids)| ids);
        ids.filter_map(|id| self.sessions.get(id))
    }

    /// The unit that most sessions up to this date have; TRIMP where it is even.
    pub fn unit(&self, to: Date) -> LoadUnit {
        let mut counts = [0u32; 3];
        for s in self.reached(to) {
            for (n, u) in counts.iter_mut().zip(LoadUnit::ALL) {
                *n += u32::from(u.of(s).is_some());
            }
        }
        let mut best = (0, LoadUnit::Trimp);
        for (n, u) in counts.into_iter().zip(LoadUnit::ALL) {
            if n > best.0 {
                best = (n, *u);
            }
        }
        best.1
    }

    /// How many of `to` one of `from` is, by the person's own sessions that have both.
    fn rate(&self, from: LoadUnit, to: LoadUnit, until: Date) -> Option<f64> {
        let both = |s: &Session| {
            let (a, b) = (from.of(s)?, to.of(s)?);
            (a > 0.0 && b > 0.0).then(|| b / a)
        };
        let rates: Vec<f64> = self.reached(until).filter_map(both).collect();
        median(&rates).filter(|_| rates.len() >= MIN_PAIRS)
    }

    /// Load of each day from the first session of the last [`REACH_DAYS`] to `to`; `None` without one.
    pub fn daily(&self, to: Date) -> Option<Daily> {
        let first = *self.days.range(plus_days(to, 1 - REACH_DAYS)..=to).next()?.0;
        let unit = self.unit(to);
        let days = usize::try_from(days_between(first, to)).ok()? + 1;
        let mut out = Daily { unit, first, loads: vec![0.0; days], unknown: Vec::new() };
        let mut rates: BTreeMap<&str, Option<f64>> = BTreeMap::new();
        for s in self.reached(to) {
            let mut converted = || {
                LoadUnit::ALL.iter().filter(|u| **u != unit).find_map(|u| {
                    let load = u.of(s)?;
                    let rate = *rates.entry(u.as_str()).or_insert_with(|| self.rate(*u, unit, to));
                    Some(load * rate?)
                })
            };
            let load = s.given.or_else(|| unit.of(s)).or_else(&mut converted);
            let day = usize::try_from(days_between(first, s.date)).unwrap_or(usize::MAX);
            match (load.filter(|l| l.is_finite() && *l >= 0.0), out.loads.get_mut(day)) {
                (Some(load), Some(slot)) => *slot += load,
                _ => out.unknown.push(s.id.clone()),
            }
        }
        Some(out)
    }

    /// Long and short average after `to`.
    pub fn fitness(&self, to: Date) -> Option<Fitness> {
        fitness(&self.daily(to)?.loads)
    }

    /// The last hard session that ended by `at`.
    pub fn last_hard(&self, at: Timestamp) -> Option<&Session> {
        let hard = |id: &String| self.sessions.get(id).filter(|s| s.end <= at && s.hard().is_some());
        let mut best: Option<&Session> = None;
        for (day, ids) in self.days.iter().rev() {
            // a session ends at most a few days after the date on which it began, in whatever time zone
            if best.is_some_and(|b| days_between(*day, b.date) > 3) {
                break;
            }
            best = ids.iter().filter_map(hard).chain(best).max_by(|a, b| (a.end, &a.id).cmp(&(b.end, &b.id)));
        }
        best
    }

    /// Hours since it ended; exact by the clock, so that neither summer time nor a journey changes them.
    pub fn hours_since_hard(&self, at: Timestamp) -> Option<f64> {
        self.last_hard(at).map(|s| at.duration_since(s.end).as_secs_f64() / 3600.0)
    }
}

/// Calendar days from `a` to `b`, negative if `b` lies before.
pub(crate) fn days_between(a: Date, b: Date) -> i64 {
    a.duration_until(b).as_hours() / 24
}

/// `d` moved by days; the calendar's end where it has one.
pub(crate) fn plus_days(d: Date, days: i64) -> Date {
    d.saturating_add(SignedDuration::from_hours(24 * days.clamp(-4_000_000, 4_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::SessionKind;
    use jiff::civil::date;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn on(day: i8, rpe: f64) -> Session {
        let mut s = Session::new(format!("s{day}"), at(&format!("2026-03-{day:02}T18:00:00Z")), date(2026, 3, day));
        (s.minutes, s.rpe) = (Some(60.0), Some(rpe));
        s
    }

    #[test]
    fn days_add_up_and_rest_is_zero() {
        let mut l = Ledger::default();
        assert_eq!(l.daily(date(2026, 3, 9)), None);
        l.put(on(2, 3.0));
        l.put(on(5, 5.0));
        l.put(Session { id: "second".into(), ..on(5, 1.0) });
        let d = l.daily(date(2026, 3, 6)).unwrap();
        assert_eq!(
            (d.unit, d.first, d.loads.as_slice()),
            (LoadUnit::Srpe, date(2026, 3, 2), &[180.0, 0.0, 0.0, 360.0, 0.0][..])
        );
        assert_eq!(l.daily(date(2026, 3, 4)).unwrap().loads, [180.0, 0.0, 0.0], "what comes later is not known yet");
    }

    #[test]
    fn sent_again_is_corrected() {
        let mut l = Ledger::default();
        l.put(on(2, 3.0));
        assert_eq!(l.put(on(2, 4.0)).unwrap().rpe, Some(3.0));
        assert_eq!(l.daily(date(2026, 3, 2)).unwrap().loads, [240.0]);
        l.remove("s2");
        assert_eq!(l.daily(date(2026, 3, 2)), None);
    }

    #[test]
    fn units_are_converted_by_own_sessions_or_left_out() {
        let mut l = Ledger::default();
        for day in 1..=6 {
            l.put(on(day, 4.0));
        }
        let mut strap_only = Session::new("strap", at("2026-03-07T10:00:00Z"), date(2026, 3, 7));
        strap_only.trimp = Some(50.0);
        l.put(strap_only);
        let d = l.daily(date(2026, 3, 7)).unwrap();
        assert_eq!((d.unknown.as_slice(), d.loads[6]), (&["strap".to_owned()][..], 0.0));
        for day in 1..=3 {
            l.put(Session { trimp: Some(80.0), ..on(day, 4.0) });
        }
        let d = l.daily(date(2026, 3, 7)).unwrap();
        assert_eq!((d.unknown.len(), d.loads[6]), (0, 150.0), "240 of sRPE were 80 of TRIMP");
    }

    #[test]
    fn hours_since_the_last_hard_one_ignore_the_calendar() {
        let mut l = Ledger::default();
        // Berlin, the night to 29 March 2026 has 23 hours
        let mut s = Session::new("q", at("2026-03-28T17:00:00Z"), date(2026, 3, 28));
        s.kind = Some(SessionKind::Quality);
        l.put(s);
        l.put(on(29, 3.0));
        let seven: Timestamp = "2026-03-29T07:00:00+02:00".parse().unwrap();
        assert_eq!(l.hours_since_hard(seven), Some(12.0));
        assert_eq!(l.hours_since_hard(at("2026-03-28T16:00:00Z")), None);
    }

    #[test]
    fn a_leap_day_is_a_day() {
        assert_eq!(days_between(date(2028, 2, 28), date(2028, 3, 1)), 2);
        assert_eq!(plus_days(date(2028, 2, 28), 1), date(2028, 2, 29));
        assert_eq!(days_between(date(2028, 3, 1), date(2028, 2, 28)), -2);
    }
}
