//! What a person says, each with the day it is about, when it was said and by which way. Everything is optional.

use super::cell::Feel;
use super::day::PainCourse;
use super::refusal::Refusal;
use crate::check::words;
use crate::load::{PlanKind, Session, days_between};
use jiff::Timestamp;
use jiff::civil::Date;
use std::fmt;
use std::str::FromStr;

words! {
    /// The way an input came.
    Source {
        /// An MQTT command.
        Mqtt = "mqtt",
        /// A Home Assistant entity.
        HomeAssistant = "home_assistant",
        /// The command line.
        Cli = "cli",
    }
}

words! {
    /// Where it hurts.
    Side {
        /// Left.
        Left = "left",
        /// Right.
        Right = "right",
        /// Both, or the middle.
        Both = "both",
    }
}

words! {
    /// Caffeine against the usual.
    Caffeine {
        /// Less.
        Less = "less",
        /// As ever.
        Usual = "usual",
        /// More.
        More = "more",
    }
}

words! {
    /// What is published while numbers are not wanted.
    Quiet {
        /// Everything.
        Off = "off",
        /// Words without numbers.
        Words = "words",
        /// Nothing.
        Nothing = "nothing",
    }
}

words! {
    /// One of Hooper's four.
    Item {
        /// How bad the sleep was.
        Sleep = "wellness_sleep",
        /// Stress.
        Stress = "wellness_stress",
        /// Fatigue.
        Fatigue = "wellness_fatigue",
        /// Muscle soreness.
        Soreness = "wellness_soreness",
    }
}

/// Hooper's four items, 1 (best) to 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wellness {
    /// How bad the sleep was.
    pub sleep: u8,
    /// Stress.
    pub stress: u8,
    /// Fatigue.
    pub fatigue: u8,
    /// Muscle soreness.
    pub soreness: u8,
}

impl Wellness {
    /// The items in their order.
    pub const fn items(&self) -> [u8; 4] {
        [self.sleep, self.stress, self.fatigue, self.soreness]
    }

    /// From the items in their order, once all are known.
    pub(super) fn of(items: [Option<u8>; 4]) -> Option<Self> {
        let [sleep, stress, fatigue, soreness] = items;
        Some(Self { sleep: sleep?, stress: stress?, fatigue: fatigue?, soreness: soreness? })
    }

    /// Their sum, 4 to 28.
    pub fn sum(&self) -> f64 {
        self.items().iter().copied().map(f64::from).sum()
    }
}

/// What was said.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Hooper's four.
    Wellness(Wellness),
    /// One of them; they count once all four are known.
    Item(Item, u8),
    /// One of three buttons.
    Feel(Feel),
    /// Feels ill, or not any more.
    Illness(bool),
    /// Where it hurts and whether it goes away when warm; `None`: it does not hurt.
    Pain(Option<(Side, PainCourse)>),
    /// 1 (none) to 5.
    Motivation(u8),
    /// Against the usual.
    Caffeine(Caffeine),
    /// The night before the day: hours, and quality from 1 to 5. What is not given stays as it was said before.
    Sleep {
        /// Hours slept.
        hours: Option<f64>,
        /// Quality, 5 is best.
        quality: Option<u8>,
    },
    /// A session, corrected by its id.
    Session(Session),
    /// A free word for the day: alcohol, travel, heat, sauna. `false` takes it back.
    Tag(String, bool),
    /// Whether the verdict of the day was right.
    WasRight(bool),
    /// What the day is planned for; `None` takes it back.
    Plan(Option<PlanKind>),
    /// Data holiday from this day on.
    Quiet(Quiet),
    /// The baseline begins anew with this day.
    Recalibrate,
}

impl What {
    /// Kind of input in one word.
    pub const fn kind(&self) -> &'static str {
        match self {
            What::Wellness(_) => "wellness",
            What::Item(item, _) => item.as_str(),
            What::Feel(_) => "feel",
            What::Illness(_) => "illness",
            What::Pain(_) => "pain",
            What::Motivation(_) => "motivation",
            What::Caffeine(_) => "caffeine",
            What::Sleep { .. } => "sleep",
            What::Session(_) => "session",
            What::Tag(..) => "tag",
            What::WasRight(_) => "was_right",
            What::Plan(_) => "plan",
            What::Quiet(_) => "quiet",
            What::Recalibrate => "recalibrate",
        }
    }

    /// Inputs of the same day, kind and name replace each other.
    pub(super) fn slot(&self) -> (&'static str, String) {
        let name = match self {
            What::Tag(name, _) => name.clone(),
            What::Session(s) => s.id.clone(),
            _ => String::new(),
        };
        (self.kind(), name)
    }
}

/// One input.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The day it is about, in the person's own calendar.
    pub date: Date,
    /// When it was said.
    pub at: Timestamp,
    /// By which way.
    pub source: Source,
    /// What.
    pub what: What,
}

/// Time, source and content: the order in which things were said.
pub(crate) type Order = (Timestamp, &'static str, String);

/// Inputs may be this many days late.
pub const LATE_DAYS: i64 = 14;
/// A plan may reach this far ahead.
const AHEAD_DAYS: i64 = 400;

impl Entry {
    /// Refuses what cannot be right; `today` is the person's date. Every refusal at once.
    pub fn check(&self, today: Date) -> Result<(), Vec<Refusal>> {
        let mut bad = Vec::new();
        let ahead = days_between(today, self.date);
        let most = if matches!(self.what, What::Plan(_)) { AHEAD_DAYS } else { 0 };
        if ahead > most {
            let hint = format!("today is {today}; only a plan may lie ahead, by {AHEAD_DAYS} days");
            bad.push(Refusal::new("date", format!("{} lies ahead", self.date), hint));
        } else if ahead < -LATE_DAYS {
            let hint = format!("inputs are taken for {LATE_DAYS} days");
            bad.push(Refusal::new("date", format!("{} is {} days ago", self.date, -ahead), hint));
        }
        let mut within = |place: &str, x: f64, low: f64, high: f64, hint: &str| {
            if !(low..=high).contains(&x) {
                bad.push(Refusal::range(place, x, low, high, hint));
            }
        };
        match &self.what {
            What::Wellness(w) => {
                for (place, x) in ["sleep", "stress", "fatigue", "soreness"].into_iter().zip(w.items()) {
                    within(place, x.into(), 1.0, 7.0, "1 is best and 7 is worst");
                }
            }
            What::Item(item, x) => within(item.as_str(), (*x).into(), 1.0, 7.0, "1 is best and 7 is worst"),
            What::Motivation(m) => within("motivation", (*m).into(), 1.0, 5.0, "1 is none and 5 is full"),
            What::Sleep { hours, quality } => {
                if let Some(h) = hours {
                    within("hours", *h, 0.0, 24.0, "hours slept, such as 7.5");
                }
                if let Some(q) = quality {
                    within("quality", (*q).into(), 1.0, 5.0, "1 is worst and 5 is best");
                }
                if hours.is_none() && quality.is_none() {
                    bad.push(Refusal::new("sleep", "neither hours nor quality", "give one of them, or both"));
                }
            }
            What::Session(s) => {
                for (place, x, low, high, hint) in [
                    ("rpe", s.rpe, 0.0, 10.0, "perceived exertion from 0 to 10"),
                    ("minutes", s.minutes, 1.0, 2880.0, "length in minutes"),
                    ("load", s.given, 0.0, 20_000.0, "a load; 0 for a session without one"),
                    ("trimp", s.trimp, 0.0, 20_000.0, "Banister's training impulse"),
                ] {
                    if let Some(x) = x {
                        within(place, x, low, high, hint);
                    }
                }
                if s.date != self.date {
                    bad.push(Refusal::new("date", "the session is of another day", "give the day on which it began"));
                }
                if !is_word(&s.id, 64) {
                    bad.push(Refusal::new("id", "no short name", "1 to 64 of a-z, 0-9, _ and -"));
                }
                let counts = s.given.is_some() || s.trimp.is_some() || s.zones.is_some() || s.minutes.is_some();
                if !counts && s.kind.is_none() {
                    let hint = "give minutes and rpe, a load, or at least what kind it was";
                    bad.push(Refusal::new("session", "nothing is said about it", hint));
                }
            }
            What::Tag(name, _) if !is_word(name, 32) => {
                let hint = "1 to 32 of a-z, 0-9, _ and -, such as late_meal";
                bad.push(Refusal::new("tag", format!("'{name}' is no tag"), hint));
            }
            _ => {}
        }
        if bad.is_empty() { Ok(()) } else { Err(bad) }
    }

    /// Decides between two inputs of one slot, whatever order they arrived in: the later word counts.
    pub(crate) fn order(&self) -> Order {
        (self.at, self.source.as_str(), format!("{:?}", self.what))
    }
}

fn is_word(s: &str, most: usize) -> bool {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    (1..=most).contains(&s.len()) && s.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const TODAY: Date = date(2026, 3, 10);

    fn entry(date: Date, what: What) -> Entry {
        Entry { date, at: Timestamp::UNIX_EPOCH, source: Source::Cli, what }
    }

    fn refused(date: Date, what: What) -> Vec<String> {
        entry(date, what).check(TODAY).err().unwrap_or_default().iter().map(|r| r.to_string()).collect()
    }

    #[test]
    fn refusals_name_place_cause_and_hint() {
        let w = |sleep, stress| What::Wellness(Wellness { sleep, stress, fatigue: 1, soreness: 7 });
        assert!(refused(TODAY, w(1, 7)).is_empty());
        assert_eq!(
            refused(TODAY, w(0, 8)),
            [
                "sleep: 0 lies outside of 1 to 7; 1 is best and 7 is worst",
                "stress: 8 lies outside of 1 to 7; 1 is best and 7 is worst"
            ]
        );
        let sleep = |hours, quality| What::Sleep { hours, quality };
        assert_eq!(refused(TODAY, sleep(Some(f64::NAN), None)).len(), 1);
        assert_eq!(refused(TODAY, sleep(Some(25.0), Some(6))).len(), 2);
        assert_eq!(refused(TODAY, sleep(None, None)), ["sleep: neither hours nor quality; give one of them, or both"]);
        assert_eq!(refused(TODAY, What::Tag("Late Meal".into(), true)).len(), 1);
        assert_eq!(refused(TODAY, What::Motivation(6)).len(), 1);
    }

    #[test]
    fn a_session_says_something_about_itself() {
        let mut s = Session::new("run-1", Timestamp::UNIX_EPOCH, TODAY);
        assert_eq!(refused(TODAY, What::Session(s.clone())).len(), 1);
        s.minutes = Some(45.0);
        assert!(refused(TODAY, What::Session(s.clone())).is_empty());
        (s.rpe, s.given) = (Some(11.0), Some(-1.0));
        assert_eq!(refused(TODAY, What::Session(s.clone())).len(), 2);
        s.id = "no id".into();
        assert_eq!(refused(date(2026, 3, 9), What::Session(s)).len(), 4);
    }

    #[test]
    fn late_is_fine_and_ahead_is_not() {
        assert!(refused(date(2026, 2, 24), What::Illness(true)).is_empty());
        assert_eq!(refused(date(2026, 2, 23), What::Illness(true)).len(), 1);
        assert_eq!(refused(date(2026, 3, 11), What::Illness(true)).len(), 1);
        assert!(refused(date(2026, 6, 1), What::Plan(Some(PlanKind::Race))).is_empty());
    }
}
