//! Days of a plan, and what to do when a day and a verdict disagree: two options, no default.

use super::ledger::plus_days;
use crate::check::words;
use jiff::civil::{Date, Weekday};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

words! {
    /// What a day is planned for.
    PlanKind {
        /// Nothing, or very little.
        Rest = "rest",
        /// Easy running.
        Easy = "easy",
        /// Intervals, tempo.
        Quality = "quality",
        /// A long one.
        Long = "long",
        /// A race.
        Race = "race",
    }
}

impl PlanKind {
    /// Whether it asks for much.
    pub const fn is_hard(self) -> bool {
        matches!(self, PlanKind::Quality | PlanKind::Long | PlanKind::Race)
    }
}

/// What a configuration plans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Every week.
    pub week: Vec<(Weekday, PlanKind)>,
    /// Dates.
    pub dates: Vec<(Date, PlanKind)>,
}

/// Days of the week as a configuration names them, Monday first.
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl Planned {
    /// Adds a day by its word: a weekday or a date; `false` if it is neither.
    pub fn add(&mut self, day: &str, kind: PlanKind) -> bool {
        let lower = day.to_ascii_lowercase();
        let weekday = WEEKDAYS.iter().zip(0i8..).find(|(name, _)| **name == lower);
        match (weekday, day.parse::<Date>()) {
            (Some((_, n)), _) => {
                Weekday::from_monday_zero_offset(n).into_iter().for_each(|day| self.week.push((day, kind)));
                true
            }
            (None, Ok(date)) => {
                self.dates.push((date, kind));
                true
            }
            (None, Err(_)) => false,
        }
    }
}

/// Planned days: a week that repeats, and dates that outrank it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// By the weekday's number, Monday first.
    week: [Option<PlanKind>; 7],
    days: BTreeMap<Date, Option<PlanKind>>,
}

impl Plan {
    /// Plans a day; `None`: nothing is planned for it, whatever the week says.
    pub fn set(&mut self, day: Date, kind: Option<PlanKind>) {
        self.days.insert(day, kind);
    }

    /// Plans a weekday.
    pub fn set_weekday(&mut self, day: Weekday, kind: PlanKind) {
        if let Some(slot) = self.week.get_mut(day.to_monday_zero_offset() as usize) {
            *slot = Some(kind);
        }
    }

    /// What a day is planned for.
    pub fn on(&self, day: Date) -> Option<PlanKind> {
        let weekday = || self.week.get(day.weekday().to_monday_zero_offset() as usize).copied().flatten();
        self.days.get(&day).copied().unwrap_or_else(weekday)
    }

    /// The next race from this day on.
    pub fn next_race(&self, from: Date) -> Option<Date> {
        self.days.range(from..).find(|(_, k)| **k == Some(PlanKind::Race)).map(|(d, _)| *d)
    }

    /// The next day within a week that is planned easy and has no hard day beside it once both are swapped.
    pub fn swap_day(&self, day: Date) -> Option<Date> {
        let hard = |d: Date| d != day && self.on(d).is_some_and(PlanKind::is_hard);
        (1..=7).map(|n| plus_days(day, n)).find(|d| {
            matches!(self.on(*d), Some(PlanKind::Easy | PlanKind::Rest))
                && !hard(plus_days(*d, -1))
                && !hard(plus_days(*d, 1))
        })
    }
}

/// The plan asks for much on a day when little fits. Both options are open and neither is the default; a race can only
/// be kept or thought over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What is planned.
    pub planned: PlanKind,
    /// The day to swap with, if the plan has one.
    pub swap_with: Option<Date>,
}

impl Conflict {
    /// Ids of the two options.
    pub const OPTIONS: [&'static str; 2] = ["keep", "swap"];

    /// Whether the plan for `day` conflicts with a verdict that has no room for a hard session.
    pub fn of(plan: &Plan, day: Date, hard_fits: bool) -> Option<Self> {
        let planned = plan.on(day).filter(|k| k.is_hard() && !hard_fits)?;
        let swap_with = if planned == PlanKind::Race { None } else { plan.swap_day(day) };
        Some(Self { planned, swap_with })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn the_swap_puts_no_hard_days_together() {
        let mut plan = Plan::default();
        use PlanKind::*;
        for (i, kind) in [Rest, Quality, Easy, Quality, Easy, Long, Rest, Rest].into_iter().enumerate() {
            plan.set(plus_days(date(2026, 3, 2), i as i64), Some(kind));
        }
        let tuesday = date(2026, 3, 3);
        let c = Conflict::of(&plan, tuesday, false).unwrap();
        // Wednesday and Friday lie beside hard days, Sunday beside the long run, Monday does not
        assert_eq!((c.planned, c.swap_with), (Quality, Some(date(2026, 3, 9))));
        assert_eq!(Conflict::of(&plan, tuesday, true), None);
        assert_eq!(Conflict::of(&plan, date(2026, 3, 4), false), None, "easy days conflict with nothing");
        plan.set(tuesday, Some(Race));
        assert_eq!(Conflict::of(&plan, tuesday, false).unwrap().swap_with, None);
        assert_eq!(plan.next_race(date(2026, 3, 1)), Some(tuesday));
        plan.set(tuesday, None);
        assert_eq!((plan.on(tuesday), plan.next_race(date(2026, 3, 1))), (None, None));
    }

    #[test]
    fn a_date_outranks_its_weekday() {
        let mut plan = Plan::default();
        plan.set_weekday(Weekday::Tuesday, PlanKind::Quality);
        let tuesday = date(2026, 3, 3);
        assert_eq!((plan.on(tuesday), plan.on(date(2026, 3, 4))), (Some(PlanKind::Quality), None));
        plan.set(tuesday, Some(PlanKind::Rest));
        assert_eq!((plan.on(tuesday), plan.on(date(2026, 3, 10))), (Some(PlanKind::Rest), Some(PlanKind::Quality)));
        plan.set(tuesday, None);
        assert_eq!(plan.on(tuesday), None, "taken back for this day");
    }
}
