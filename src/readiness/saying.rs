//! What a person says, before it is an [`Entry`](super::Entry) about a day: forms carry no day of their own, and some
//! belong together (a session's exertion and minutes, where it hurts and how).

use super::day::PainCourse;
use super::input::{Side, What};
use super::refusal::Refusal;
use crate::load::{Session, SessionKind};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

/// One thing that was said.
#[derive(Clone, Debug, PartialEq)]
pub enum Saying {
    /// Complete in itself.
    Word(What),
    /// How it hurts (`Some(None)`: it does not), where, or both; what is not given stays.
    Pain {
        /// How.
        course: Option<Option<PainCourse>>,
        /// Where.
        side: Option<Side>,
    },
    /// A whole session.
    Session(SessionWords),
    /// Exertion of the session that is being filled in.
    DraftRpe(Option<f64>),
    /// Its minutes.
    DraftMinutes(Option<f64>),
    /// Its kind.
    DraftKind(Option<SessionKind>),
    /// It is filled in: log it.
    LogDraft,
}

/// A session as people tell it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionWords {
    /// To correct it later; made from its end if absent.
    pub id: Option<String>,
    /// When it ended, by the person's clock; now if absent, and 18:00 for an earlier day.
    pub end: Option<Time>,
    /// Its length, min.
    pub minutes: Option<f64>,
    /// Perceived exertion, 0 to 10.
    pub rpe: Option<f64>,
    /// A load that somebody else computed.
    pub load: Option<f64>,
    /// What it was.
    pub kind: Option<SessionKind>,
    /// Free words.
    pub tags: Vec<String>,
}

/// End of a session of an earlier day that says none.
const EVENING: Time = civil::time(18, 0, 0, 0);

impl SessionWords {
    /// The session, with its end by the clock and an id.
    pub(super) fn resolve(
        &self,
        date: Date,
        today: Date,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Result<Session, Vec<Refusal>> {
        let local = |time: Time| zone.to_timestamp(date.to_datetime(time));
        let end = match self.end {
            Some(time) => local(time),
            None if date == today => Ok(now),
            None => local(EVENING),
        };
        let end =
            end.map_err(|e| vec![Refusal::new("end", e.to_string(), "give a time of that day, such as 18:30")])?;
        if end > now {
            return Err(vec![Refusal::new("end", "it ends later than now", "log a session once it is over")]);
        }
        let id = self.id.clone().unwrap_or_else(|| {
            let t = zone.to_datetime(end);
            format!("{date}-{:02}{:02}", t.hour(), t.minute())
        });
        let mut s = Session::new(id, end, date);
        (s.minutes, s.rpe, s.given, s.kind) = (self.minutes, self.rpe, self.load, self.kind);
        s.tags.clone_from(&self.tags);
        Ok(s)
    }
}

/// What is being filled in and counts for nothing yet; for one date.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Serialize, serde::Deserialize))]
pub struct Drafts {
    /// Exertion.
    pub rpe: Option<f64>,
    /// Minutes.
    pub minutes: Option<f64>,
    /// Kind.
    pub kind: Option<SessionKind>,
    /// Where it will hurt once it is said how.
    pub side: Option<Side>,
}

impl Drafts {
    /// The session so far.
    pub(super) fn session(&self) -> SessionWords {
        SessionWords { rpe: self.rpe, minutes: self.minutes, kind: self.kind, ..SessionWords::default() }
    }

    /// With one of them said anew; refused where the session would be.
    pub(super) fn with(self, saying: &Saying) -> Result<Self, Vec<Refusal>> {
        let within = |place: &str, x: Option<f64>, low: f64, high: f64, hint: &str| match x {
            Some(x) if !(low..=high).contains(&x) => Err(vec![Refusal::range(place, x, low, high, hint)]),
            x => Ok(x),
        };
        Ok(match saying {
            Saying::DraftRpe(x) => {
                Self { rpe: within("session_rpe", *x, 0.0, 10.0, "perceived exertion from 0 to 10")?, ..self }
            }
            Saying::DraftMinutes(x) => {
                Self { minutes: within("session_minutes", *x, 1.0, 2880.0, "length in minutes")?, ..self }
            }
            Saying::DraftKind(kind) => Self { kind: *kind, ..self },
            _ => self,
        })
    }
}
