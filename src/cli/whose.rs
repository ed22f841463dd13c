//! Whose day a command is about, with or without a daemon.

use super::Exit;
use super::terminal::Terminal;
use crate::check::Posture;
use crate::config::Config;
use crate::control::{Refusal, pick_athlete};
use crate::daemon;
use crate::engine::Athlete;
use crate::store::{Query, StoreError};
use crate::units::AthleteId;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The store, or why there is nothing to be read; said already.
pub(super) fn open(config: &Config, terminal: &mut Terminal<'_>) -> Result<Query, Exit> {
    let path = &config.store.path;
    match Query::find(path) {
        Ok(Some(query)) => Ok(query),
        Ok(None) => {
            let _ = writeln!(terminal.err, "error: {} is made at the daemon's first start", path.display());
            Err(Exit::NotFound)
        }
        Err(e) => Err(failed(&e, terminal)),
    }
}

/// Says what the store could not do.
pub(super) fn failed(e: &StoreError, terminal: &mut Terminal<'_>) -> Exit {
    let _ = writeln!(terminal.err, "error: {e}\nhint: {}", e.hint());
    Exit::Failed
}

/// The athlete that is meant; said already if there is none such.
pub(super) fn pick(
    asked: Option<&AthleteId>,
    config: &Config,
    query: &Query,
    terminal: &mut Terminal<'_>,
) -> Result<Athlete, Exit> {
    let adopted: Vec<_> = query.straps().map_err(|e| failed(&e, terminal))?.into_iter().map(|s| s.strap).collect();
    let mut roster = daemon::merge(&config.roster(), &adopted);
    // whoever has a past here may be asked for too
    for (id, name, zone) in query.names().map_err(|e| failed(&e, terminal))? {
        if !roster.athletes.iter().any(|a| a.id == id) {
            let time_zone = zone.and_then(|z| TimeZone::get(&z).ok()).unwrap_or(TimeZone::UTC);
            roster.athletes.push(Athlete { id, name, time_zone, posture: Posture::Supine, wake_window: None });
        }
    }
    let known: Vec<AthleteId> = roster.athletes.iter().map(|a| a.id.clone()).collect();
    let picked = pick_athlete(asked.map(AthleteId::as_str), &known);
    let found = picked.map(|id| roster.athletes.into_iter().find(|a| a.id == id));
    match found {
        Ok(Some(athlete)) => Ok(athlete),
        Ok(None) => Err(Exit::NotFound),
        Err(Refusal { kind, message, hint }) => {
            let _ = writeln!(terminal.err, "error: {message}");
            let _ = hint.map(|h| writeln!(terminal.err, "hint: {h}"));
            Err(match kind {
                crate::control::Kind::NotFound => Exit::NotFound,
                crate::control::Kind::Invalid => Exit::Usage,
                crate::control::Kind::Failed => Exit::Failed,
            })
        }
    }
}

/// A day as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayWord {
    /// The person's date.
    Today,
    /// The one before.
    Yesterday,
    /// This one.
    On(Date),
}

impl std::str::FromStr for DayWord {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "today" => Ok(Self::Today),
            "yesterday" => Ok(Self::Yesterday),
            _ => text.parse().map(Self::On).map_err(|_| "give today, yesterday or a date such as 2026-03-02".into()),
        }
    }
}

impl DayWord {
    /// The date, if today is this.
    pub(super) fn date(self, today: Date) -> Date {
        match self {
            Self::Today => today,
            Self::Yesterday => crate::load::plus_days(today, -1),
            Self::On(date) => date,
        }
    }
}
