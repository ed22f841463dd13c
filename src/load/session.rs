//! One training session and whether it was hard.

use super::trimp;
use crate::check::words;
use jiff::Timestamp;
use jiff::civil::Date;
use std::fmt;
use std::str::FromStr;

words! {
    /// What a session was meant to be, or what the person says it was.
    SessionKind {
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

words! {
    /// Why a session counts as hard.
    HardBecause {
        /// The person says so, by its kind or by an exertion of 7 or more.
        Said = "said",
        /// At least 10 min above 90 % of the maximum heart rate, or 20 min above 80 %.
        Measured = "measured",
        /// Longer than 90 min.
        Duration = "duration",
    }
}

/// Exertion (CR10) from which a session is hard.
pub(crate) const HARD_RPE: f64 = 7.0;
/// Minutes above 90 % of the maximum heart rate that make a session hard.
pub(crate) const HARD_MINUTES_HIGH: f64 = 10.0;
/// Minutes above 80 %.
pub(crate) const HARD_MINUTES_THRESHOLD: f64 = 20.0;
/// A longer session is hard at any heart rate, min.
pub(crate) const HARD_DURATION_MIN: f64 = 90.0;

/// A session. Everything but its time is optional.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Names it; sent again with the same id it is corrected.
    pub id: String,
    /// When it ended.
    pub end: Timestamp,
    /// The person's local date when it began: a session belongs to one day.
    pub date: Date,
    /// How long it took, min.
    pub minutes: Option<f64>,
    /// What it was.
    pub kind: Option<SessionKind>,
    /// Perceived exertion, CR10.
    pub rpe: Option<f64>,
    /// A load that somebody else computed; in the person's own unit.
    pub given: Option<f64>,
    /// Banister's TRIMP from the strap.
    pub trimp: Option<f64>,
    /// Minutes in Edwards' zones from the strap.
    pub zones: Option<[f64; 5]>,
    /// Free words: treadmill, snow, heat.
    pub tags: Vec<String>,
}

impl Session {
    /// A session of which only its end is known.
    pub fn new(id: impl Into<String>, end: Timestamp, date: Date) -> Self {
        let id = id.into();
        Self {
            id,
            end,
            date,
            minutes: None,
            kind: None,
            rpe: None,
            given: None,
            trimp: None,
            zones: None,
            tags: Vec::new(),
        }
    }

    /// Session RPE.
    pub fn srpe(&self) -> Option<f64> {
        Some(trimp::srpe(self.rpe?, self.minutes?))
    }

    /// Edwards' load.
    pub fn edwards(&self) -> Option<f64> {
        self.zones.as_ref().map(trimp::edwards)
    }

    /// Why it was hard; `None` if it was not. What the strap measured counts even if the session was called easy.
    pub fn hard(&self) -> Option<HardBecause> {
        let said = matches!(self.kind, Some(SessionKind::Quality | SessionKind::Long | SessionKind::Race));
        if said || self.rpe.is_some_and(|r| r >= HARD_RPE) {
            Some(HardBecause::Said)
        } else if self
            .zones
            .is_some_and(|[.., four, five]| five >= HARD_MINUTES_HIGH || four + five >= HARD_MINUTES_THRESHOLD)
        {
            Some(HardBecause::Measured)
        } else if self.minutes.is_some_and(|m| m > HARD_DURATION_MIN) {
            Some(HardBecause::Duration)
        } else {
            None
        }
    }

    /// Called easy, measured hard.
    pub fn is_hidden_workout(&self) -> bool {
        self.kind == Some(SessionKind::Easy) && self.hard() == Some(HardBecause::Measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn session() -> Session {
        Session::new("a", Timestamp::UNIX_EPOCH, date(1970, 1, 1))
    }

    #[test]
    fn hard_by_word_by_measure_by_duration() {
        let with = |f: &dyn Fn(&mut Session)| {
            let mut s = session();
            f(&mut s);
            s.hard()
        };
        assert_eq!(session().hard(), None);
        assert_eq!(with(&|s| s.kind = Some(SessionKind::Easy)), None);
        assert_eq!(with(&|s| s.kind = Some(SessionKind::Race)), Some(HardBecause::Said));
        assert_eq!(with(&|s| s.rpe = Some(7.0)), Some(HardBecause::Said));
        assert_eq!(with(&|s| s.minutes = Some(90.0)), None);
        assert_eq!(with(&|s| s.minutes = Some(91.0)), Some(HardBecause::Duration));
        assert_eq!(with(&|s| s.zones = Some([20.0, 10.0, 5.0, 10.0, 9.9])), None);
        assert_eq!(with(&|s| s.zones = Some([20.0, 10.0, 5.0, 0.0, 10.0])), Some(HardBecause::Measured));
        assert_eq!(with(&|s| s.zones = Some([20.0, 10.0, 5.0, 15.0, 5.0])), Some(HardBecause::Measured));
    }

    #[test]
    fn an_easy_run_can_be_a_hidden_workout() {
        let mut s = session();
        (s.kind, s.zones) = (Some(SessionKind::Easy), Some([5.0, 5.0, 5.0, 25.0, 0.0]));
        assert!(s.is_hidden_workout());
        s.kind = Some(SessionKind::Quality);
        assert!(!s.is_hidden_workout());
    }
}
