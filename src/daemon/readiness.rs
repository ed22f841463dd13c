//! Readiness in the daemon: a desk for everybody, fed with results and words; what it gives is stored and told.

use super::hub::Hub;
use crate::check::CheckResult;
use crate::control::{Kind, Refusal, pick_athlete};
use crate::engine::{Athlete, Roster};
use crate::load::{Planned, plus_days};
use crate::mqtt::Renderer;
use crate::readiness::report::{self, Detail};
use crate::readiness::{
    Book, DEFAULT_WAIT, Desk, DeskConfig, DeskInput, DeskOutput, Drafts, Quiet, Reading, Source, V2, Version,
    saying_json,
};
use crate::store::{Query, ReadinessWrite, StoreError};
use crate::units::{AthleteId, Mono, Now};
use jiff::Timestamp;
use jiff::civil::{Date, Time, time};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// Refusals that are remembered, so that each is named once.
const MAX_NAMED: usize = 64;
/// When the morning of a person ends whose wake window is not known.
const NOON: Time = time(12, 0, 0, 0);

/// What the configuration says of readiness.
#[derive(Clone, Debug)]
pub struct ReadinessSettings {
    /// A verdict waits this long for the feel.
    pub feel_wait: Duration,
    /// Planned days.
    pub plans: BTreeMap<AthleteId, Planned>,
}

impl Default for ReadinessSettings {
    fn default() -> Self {
        Self { feel_wait: DEFAULT_WAIT, plans: BTreeMap::new() }
    }
}

/// Where the store keeps until when a person's verdict waits.
fn wait_key(athlete: &AthleteId) -> String {
    format!("feel_wait.{athlete}")
}

/// Where the store keeps what a person is filling in.
fn drafts_key(athlete: &AthleteId) -> String {
    format!("drafts.{athlete}")
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Desks {
    settings: ReadinessSettings,
    desks: BTreeMap<AthleteId, Desk>,
    /// The newest result with values, said again when the wait for the feel ends or quiet mode changes.
    mornings: BTreeMap<AthleteId, CheckResult>,
    refused: BTreeSet<String>,
    /// The store could not be read at the start.
    blind: bool,
}

impl Desks {
    /// Desks of everybody whom the store or the roster knows, where the last process left them.
    pub(super) fn open(
        settings: &ReadinessSettings,
        store: &Path,
        roster: &Roster,
        now: Now,
        mornings: &[CheckResult],
    ) -> Self {
        let mut all = Self { settings: settings.clone(), ..Self::default() };
        for r in mornings {
            all.mornings.insert(r.athlete.clone(), r.clone());
        }
        if let Err(e) = all.read(store, roster, now) {
            tracing::error!("readiness starts without its memory: {e}");
            all.blind = true;
        }
        all.people(&roster.athletes, now);
        // nobody has been asked about these yet
        mornings.iter().filter(|r| r.local_date.is_none()).for_each(|r| all.take(r, now));
        all
    }

    fn read(&mut self, store: &Path, roster: &Roster, now: Now) -> Result<(), StoreError> {
        let query = Query::open(store)?;
        let mut known: BTreeSet<AthleteId> = query.people()?.into_iter().collect();
        known.extend(roster.athletes.iter().map(|a| a.id.clone()));
        // tomorrow may have begun where the person lives
        let last = now.wall.map(|w| plus_days(TimeZone::UTC.to_datetime(w).date(), 1));
        for athlete in known {
            let mut book = query.book(&athlete, last)?;
            if let Some(before) = self.desks.remove(&athlete) {
                book.merge(before.book());
            }
            let waiting = query.meta(&wait_key(&athlete))?.and_then(|text| waiting(&text));
            let drafts = query.meta(&drafts_key(&athlete))?.and_then(|text| drafts(&text));
            let mut desk = self.desk(&athlete, roster.athletes.iter().find(|a| a.id == athlete), book);
            desk.restore(now, waiting, drafts);
            self.desks.insert(athlete, desk);
        }
        Ok(())
    }

    fn desk(&self, id: &AthleteId, athlete: Option<&Athlete>, mut book: Book) -> Desk {
        let planned = self.settings.plans.get(id).cloned().unwrap_or_default();
        book.plan_ahead(&planned);
        let config = DeskConfig {
            time_zone: athlete.map_or(TimeZone::UTC, |a| a.time_zone.clone()),
            feel_wait: self.settings.feel_wait,
            closes: closes(athlete),
            model: &V2,
        };
        Desk::new(config, book)
    }

    /// Who is there now, and where they live.
    fn people(&mut self, athletes: &[Athlete], now: Now) {
        for a in athletes {
            match self.desks.get_mut(&a.id) {
                Some(desk) => desk.set_person(a.time_zone.clone(), closes(Some(a))),
                None => {
                    let mut desk = self.desk(&a.id, Some(a), Book::default());
                    desk.restore(now, None, None);
                    self.desks.insert(a.id.clone(), desk);
                }
            }
        }
    }

    pub(super) fn take(&mut self, result: &CheckResult, now: Now) {
        if result.values.is_some() {
            self.mornings.insert(result.athlete.clone(), result.clone());
        }
        let Some(desk) = self.desks.get_mut(&result.athlete) else { return };
        match Reading::of(result) {
            Some(reading) => desk.handle(now, DeskInput::Reading(reading)),
            None if result.values.is_some() => desk.handle(now, DeskInput::Undated),
            None => {}
        }
    }

    /// Has what is said of a person be what the desk allows: nothing that was measured while it waits for the feel, words
    /// or nothing in a data holiday. Says whether that is news.
    pub(super) fn reserve(&self, athlete: &AthleteId, renderer: &mut Renderer) -> bool {
        let Some(desk) = self.desks.get(athlete) else { return false };
        let quiet = desk.today().map_or(Quiet::Off, |d| desk.book().quiet(d));
        let waits = renderer.set_waiting(athlete, desk.waiting_for(), desk.waits_undated());
        renderer.set_quiet(athlete, quiet) || waits
    }

    /// The same for everybody.
    pub(super) fn reserve_all(&self, renderer: &mut Renderer) {
        for athlete in self.desks.keys() {
            self.reserve(athlete, renderer);
        }
    }

    /// Knows nothing of this person any more.
    pub(super) fn forget(&mut self, athlete: &AthleteId) {
        self.desks.remove(athlete);
        self.mornings.remove(athlete);
        self.settings.plans.remove(athlete);
    }

    /// When something is due by time alone.
    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        self.desks.values().filter_map(Desk::poll_timeout).min()
    }
}

/// A person's desk as the store has it, to be looked at: what comes out of it goes nowhere.
pub fn look(settings: &ReadinessSettings, query: &Query, athlete: &Athlete, now: Now) -> Result<Desk, StoreError> {
    let last = now.wall.map(|w| plus_days(TimeZone::UTC.to_datetime(w).date(), 1));
    let desks = Desks { settings: settings.clone(), ..Desks::default() };
    let mut desk = desks.desk(&athlete.id, Some(athlete), query.book(&athlete.id, last)?);
    let waiting = query.meta(&wait_key(&athlete.id))?.and_then(|text| waiting(&text));
    let drafts = query.meta(&drafts_key(&athlete.id))?.and_then(|text| drafts(&text));
    desk.restore(now, waiting, drafts);
    Ok(desk)
}

fn closes(athlete: Option<&Athlete>) -> Time {
    athlete.and_then(|a| a.wake_window).map_or(NOON, |w| w.until)
}

fn waiting(text: &str) -> Option<(Date, Timestamp)> {
    let (date, until) = text.split_once(' ')?;
    Some((date.parse().ok()?, until.parse().ok()?))
}

fn drafts(text: &str) -> Option<(Date, Drafts)> {
    let (date, drafts) = text.split_once(' ')?;
    Some((date.parse().ok()?, serde_json::from_str(drafts).ok()?))
}

impl Hub {
    /// The store was opened anew: what could not be read at the start may be there now.
    pub(super) fn reopen_desks(&mut self) {
        let now = self.clock.now();
        if !std::mem::take(&mut self.desks.blind) {
            return;
        }
        let (path, roster) = (self.store_path.clone(), self.roster.clone());
        if let Err(e) = self.desks.read(&path, &roster, now) {
            tracing::error!("what is known of readiness cannot be read: {e}");
            self.desks.blind = true;
        }
        self.drain_desks();
        self.say_readiness();
    }

    /// Time has passed for the desks.
    pub(super) fn wake_desks(&mut self) {
        let now = self.clock.now();
        for desk in self.desks.desks.values_mut() {
            desk.handle(now, DeskInput::Timeout);
        }
        self.drain_desks();
    }

    /// Who is there has changed.
    pub(super) fn desk_people(&mut self, now: Now) {
        self.desks.people(&self.roster.athletes, now);
        self.drain_desks();
        self.say_readiness();
    }

    /// Says where everybody stands; what was said already costs nothing.
    pub(super) fn say_readiness(&mut self) {
        let everybody: Vec<AthleteId> = self.roster.athletes.iter().map(|a| a.id.clone()).collect();
        everybody.iter().for_each(|a| self.say_desk(a));
    }

    fn say_desk(&mut self, athlete: &AthleteId) {
        let news = self.desks.reserve(athlete, &mut self.renderer);
        let Some(desk) = self.desks.desks.get(athlete).filter(|_| self.knows(athlete)) else { return };
        let mut messages = Vec::new();
        if news {
            messages.extend(self.desks.mornings.get(athlete).and_then(|r| self.renderer.morning(r)));
        }
        messages.extend(self.renderer.readiness(athlete, desk));
        for message in messages {
            self.tell(message);
        }
    }

    fn knows(&self, athlete: &AthleteId) -> bool {
        self.roster.athletes.iter().any(|a| a.id == *athlete)
    }

    /// Stores and tells what the desks have given.
    pub(super) fn drain_desks(&mut self) {
        let now = self.clock.now();
        let everybody: Vec<AthleteId> = self.desks.desks.keys().cloned().collect();
        for athlete in everybody {
            self.drain_desk(&athlete, now);
        }
    }

    fn drain_desk(&mut self, athlete: &AthleteId, now: Now) {
        let Some(desk) = self.desks.desks.get_mut(athlete) else { return };
        let outputs: Vec<DeskOutput> = std::iter::from_fn(|| desk.poll_output()).collect();
        if outputs.is_empty() {
            return;
        }
        // the words about a day decide what its event may say
        let news = self.desks.reserve(athlete, &mut self.renderer);
        let known = self.knows(athlete);
        let Some(desk) = self.desks.desks.get(athlete) else { return };
        let event = |date, version: Option<&Version>| {
            let message = self.renderer.readiness_event(athlete, desk, date, version).filter(|_| known);
            message.and_then(|m| self.mqtt.deliver(m)).into_iter().collect::<Vec<_>>()
        };
        let mut write = ReadinessWrite { athlete: Some(athlete.clone()), now: now.wall, ..ReadinessWrite::default() };
        for output in outputs {
            match output {
                DeskOutput::Keep(entry) => write.entries.push(entry),
                DeskOutput::Given { date, version } => {
                    tracing::info!("readiness of {athlete} on {date}: version {} is given", version.number);
                    let told = event(date, Some(&version));
                    write.given.push((date, *version, told));
                }
                DeskOutput::FeelWanted { date, until } => {
                    write.publications.extend(event(date, None));
                    write.meta.push((wait_key(athlete), Some(format!("{date} {until}"))));
                }
                DeskOutput::Drafts(drafts) => {
                    let date = desk.today().unwrap_or(Date::ZERO);
                    let text = serde_json::to_string(&drafts).ok().filter(|_| drafts != Drafts::default());
                    write.meta.push((drafts_key(athlete), text.map(|t| format!("{date} {t}"))));
                }
                DeskOutput::Changed => {}
            }
        }
        if !write.is_empty() {
            self.store.readiness(write);
        }
        if news {
            let morning = self.desks.mornings.get(athlete).and_then(|r| self.renderer.morning(r));
            morning.into_iter().for_each(|m| self.tell(m));
        }
        self.say_desk(athlete);
    }

    /// What a person says by MQTT; a refusal is named once.
    pub(super) fn input(&mut self, athlete: &AthleteId, what: &str, payload: &str) {
        if let Err(refusal) = self.said(athlete, what, payload, None, Source::Mqtt) {
            let told = format!("{athlete} {what} {payload}");
            if self.desks.refused.len() < MAX_NAMED && self.desks.refused.insert(told) {
                tracing::warn!("not taken of {athlete}: {what}: {}", refusal.message);
            }
        }
    }

    /// What a person says on the command line.
    pub(super) fn say(
        &mut self,
        athlete: Option<&str>,
        what: &str,
        value: &str,
        date: Option<&str>,
    ) -> Result<Value, Refusal> {
        let athlete = pick_athlete(athlete, &self.athletes())?;
        self.said(&athlete, what, value, date, Source::Cli)
    }

    /// What a person says, by whatever way.
    pub(super) fn said(
        &mut self,
        athlete: &AthleteId,
        what: &str,
        payload: &str,
        date: Option<&str>,
        source: Source,
    ) -> Result<Value, Refusal> {
        let invalid = |bad: Vec<crate::readiness::Refusal>| {
            let (causes, hints): (Vec<String>, Vec<String>) =
                bad.into_iter().map(|r| (format!("{}: {}", r.place, r.cause), r.hint)).unzip();
            Refusal::new(causes.join("; ")).kind(Kind::Invalid).hint(hints.join("; "))
        };
        let (of, saying) = saying_json::saying(what, payload).map_err(invalid)?;
        let date: Option<Date> = match date.map(str::parse) {
            None => of,
            Some(Ok(date)) => Some(date),
            Some(Err(_)) => {
                return Err(Refusal::new("this is no date").kind(Kind::Invalid).hint("such as 2026-03-02"));
            }
        };
        let now = self.clock.now();
        let known = self.knows(athlete);
        let Some(desk) = self.desks.desks.get_mut(athlete).filter(|_| known) else {
            return Err(Refusal::new(format!("no athlete '{athlete}'")).kind(Kind::NotFound));
        };
        let (date, entry) = desk.say(now, date, source, saying).map_err(invalid)?;
        self.drain_desks();
        let what = entry.as_ref().map(|e| {
            json!({
                "kind": e.what.kind(), "value": crate::readiness::entry_json::value(&e.what),
            })
        });
        Ok(json!({"athlete": athlete.as_str(), "date": date.to_string(), "said": what}))
    }

    /// The day of a person, for the control socket: it is theirs, so nothing is held back but the verdict that waits.
    pub(super) fn today(&mut self, athlete: Option<&str>) -> Result<Value, Refusal> {
        self.wake_desks();
        let athlete = &pick_athlete(athlete, &self.athletes())?;
        let Some(desk) = self.desks.desks.get(athlete) else {
            return Err(Refusal::new(format!("nothing is known of {athlete}")).kind(Kind::NotFound));
        };
        Ok(json!({
            "type": "today", "athlete": athlete.as_str(),
            "numbers_wait": desk.waiting_for().is_some() || desk.waits_undated(),
            "readiness": report::readiness(desk, Detail::Full, self.renderer.language()),
            "inputs": report::inputs(desk, Detail::Full),
        }))
    }

    /// Events that were not sent while nobody was there.
    pub(super) fn begin_readiness(&mut self) {
        self.drain_desks();
        self.say_readiness();
    }
}
