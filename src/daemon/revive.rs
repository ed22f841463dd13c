//! What a restart knows: the engine is brought to where the last process left it, and nothing is said twice.

use super::straps::stored_source;
use super::{Settings, roster};
use crate::check::{CheckId, CheckResult, CheckStatus};
use crate::engine::{Config, Engine, Input, LinkState, Output, Record, Roster, Strap, StrapFacts};
use crate::player::Player;
use crate::store::{Preferred, Query, StoreError};
use crate::units::{AthleteId, Mono, Now, StrapId};
use crate::verdict::Source;
use std::collections::BTreeSet;
use std::time::Duration;

/// A check that was running when the last process died is continued if its records are not older than this.
const RESUME: Duration = Duration::from_secs(15 * 60);

/// What the store knows at start.
#[derive(Default)]
pub(super) struct Known {
    pub(super) adopted: Vec<Strap>,
    /// What was set above the configuration.
    pub(super) preferences: Vec<Preferred>,
    facts: Vec<(StrapId, StrapFacts)>,
    /// What is proven about straps' intervals.
    sources: Vec<(StrapId, Source)>,
    checked_on: Vec<(AthleteId, jiff::civil::Date)>,
    /// The newest valid result of each athlete.
    pub(super) mornings: Vec<CheckResult>,
    /// Checks whose result is on the card: a replayed one is not a new one.
    stored: BTreeSet<CheckId>,
    /// Checks that ended without a result, which was said.
    failed: Vec<CheckId>,
    pub(super) records: Vec<Record>,
    /// What Home Assistant was told to set up.
    pub(super) announced: Vec<(String, Vec<u8>)>,
}

impl Known {
    /// Reads what there is; without a readable store there is no memory, and that is said.
    pub(super) fn read(settings: &Settings, boot: &str, now: Now) -> Self {
        match Self::try_read(settings, boot, now.mono) {
            Ok(known) => known,
            Err(e) => {
                tracing::error!("the store cannot be read, starting without its memory: {e}");
                Self::default()
            }
        }
    }

    fn try_read(settings: &Settings, boot: &str, now: Mono) -> Result<Self, StoreError> {
        let query = Query::open(&settings.store)?;
        let adopted: Vec<Strap> = query.straps()?.into_iter().map(|s| s.strap).collect();
        let facts = query.facts()?;
        let preferences = query.preferences()?;
        let checked_on = query.checked_on()?;
        let merged = roster::merge(&settings.roster, &adopted);
        let (mut mornings, mut stored, mut failed) = (vec![], BTreeSet::new(), vec![]);
        for athlete in &merged.athletes {
            let results = query.results(Some(&athlete.id), 20)?;
            stored.extend(results.iter().map(|r| r.id.clone()));
            failed.extend(query.meta(&failed_key(&athlete.id))?.map(CheckId));
            mornings.extend(query.newest_valid(&athlete.id)?);
        }
        let mut sources = vec![];
        for strap in &merged.straps {
            sources.extend(stored_source(&query, strap.id)?.map(|s| (strap.id, s)));
        }
        let records = query.records_since(boot, now - RESUME)?;
        let announced = query.announced()?;
        Ok(Self { adopted, preferences, facts, sources, checked_on, mornings, stored, failed, records, announced })
    }
}

/// Where the store keeps the newest check of a person that ended without a result.
pub(super) fn failed_key(athlete: &AthleteId) -> String {
    format!("failed_check.{athlete}")
}

/// See [`revive`].
pub(super) struct Revived {
    pub(super) engine: Engine,
    /// Results that the last process graded and could not store any more.
    pub(super) results: Vec<CheckResult>,
    /// What the end of the last process means for the raw truth.
    pub(super) records: Vec<Record>,
}

/// An engine that remembers: the records of the last minutes of this boot are replayed into it, so that a check goes
/// on after a crash. What it says meanwhile was said before; only results are kept that the store does not know.
pub(super) fn revive(settings: &Settings, boot: &str, roster: &Roster, known: &Known, now: Now) -> Revived {
    let config = Config { boot: boot.to_owned(), live_interval: settings.live_interval, check: settings.check.clone() };
    let start = known.records.first().map_or(now.mono, |r| r.at);
    // without a wall clock: the engine shall record an anchor of its own once it runs
    let mut player = Player::new(Engine::new(config), start, None);
    let mut results = vec![];
    let mut said = |_, output| {
        if let Output::Result(result) = output {
            results.push(*result);
        }
    };
    player.input(start, Input::Roster(roster.clone()), &mut said);
    for (athlete, date) in &known.checked_on {
        player.input(start, Input::CheckedOn { athlete: athlete.clone(), date: *date }, &mut said);
    }
    for (strap, facts) in &known.facts {
        // nobody knows how old the battery's level is: it is read again before it is said
        let facts = StrapFacts { battery_pct: None, ..facts.clone() };
        player.input(start, Input::Facts { strap: *strap, facts }, &mut said);
    }
    for (strap, source) in &known.sources {
        player.input(start, Input::Known { strap: *strap, source: *source }, &mut said);
    }
    for record in &known.records {
        player.record(record.clone(), &mut said);
    }
    results.retain(|r: &CheckResult| !known.stored.contains(&r.id));
    let mut records = vec![];
    if let Some(last) = known.records.last().map(|r| r.at) {
        // nobody listened since: whatever comes next does not follow. A replay has to hear that too.
        let said = &mut |_, output| {
            if let Output::Record(record) = output {
                records.push(record);
            }
        };
        for strap in &roster.straps {
            player.input(last, Input::Link { strap: strap.id, state: LinkState::Unknown }, said);
        }
        let is_over = |c: &CheckStatus| c.check.as_ref().is_some_and(|id| known.failed.contains(id));
        if player.engine().is_checking() && player.engine().check_statuses(last).iter().any(is_over) {
            // time ended it, which is no record; it shall not end, and be told, a second time
            player.advance(now.mono, said);
        }
        for result in &mut results {
            date(result, roster, now);
            if let Some(date) = result.local_date.filter(|_| result.is_valid()) {
                player.input(last, Input::CheckedOn { athlete: result.athlete.clone(), date }, said);
            }
        }
        if player.engine().is_checking() {
            tracing::info!("a check was running {:.0} s ago: it goes on", now.mono.since(last).as_secs_f64());
        }
    }
    Revived { engine: player.into_engine(), results, records }
}

/// Dates a result of this boot whose anchor lies further back than the records that were replayed.
fn date(result: &mut CheckResult, roster: &Roster, now: Now) {
    let ago = jiff::SignedDuration::from_micros(now.mono.diff_micros(result.start));
    let wall = result.wall.or_else(|| now.wall?.checked_sub(ago).ok());
    let athlete = roster.athletes.iter().find(|a| a.id == result.athlete);
    result.wall = wall;
    result.local_date = result.local_date.or_else(|| Some(athlete?.time_zone.to_datetime(wall?).date()));
}
