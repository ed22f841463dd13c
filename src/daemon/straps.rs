//! What the daemon keeps of each strap beside its beats: whether it is let go, how its battery fell, why it is quiet.

use super::hub::Hub;
use crate::battery::{self, Forecast, Reading};
use crate::ble;
use crate::check::Phase;
use crate::diagnosis::{Cause, diagnose};
use crate::engine::{Engine, Input, LinkState, Output, Roster, Strap, StrapStatus, WakeWindow};
use crate::mqtt::Explained;
use crate::release::{Ask, By, Release, Released};
use crate::store::{Preferred, Query, StoreError};
use crate::units::{AthleteId, Mono, Now, StrapId};
use crate::verdict::{SmoothingVerdict, Source, Units};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::oneshot;

/// Releases and explanations are looked at this often; none of them needs more.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Default)]
pub(super) struct Straps {
    boot: String,
    schedules: BTreeMap<StrapId, Vec<WakeWindow>>,
    kept: BTreeMap<StrapId, Kept>,
    looked: Option<Mono>,
}

struct Kept {
    athlete: AthleteId,
    zone: TimeZone,
    release: Release,
    /// As of the last look.
    released: Option<Released>,
    /// Whether it is known what earlier processes left: before that nothing is written over it.
    restored: bool,
    readings: Vec<Reading>,
    /// Made on this date from the readings at hand.
    forecast: Option<(Date, Option<Forecast>)>,
    explained: Explained,
    /// What is proven about its intervals, as the store has it.
    source: Source,
}

impl Straps {
    pub(super) fn new(boot: &str, schedules: BTreeMap<StrapId, Vec<WakeWindow>>) -> Self {
        Self { boot: boot.to_owned(), schedules, ..Self::default() }
    }

    /// Takes up who is there and forgets who is not.
    pub(super) fn set_roster(&mut self, roster: &Roster) {
        self.kept.retain(|id, _| roster.straps.iter().any(|s| s.id == *id));
        for strap in &roster.straps {
            let athlete = roster.athletes.iter().find(|a| a.id == strap.athlete);
            let zone = athlete.map_or(TimeZone::UTC, |a| a.time_zone.clone());
            let windows = self.schedules.get(&strap.id).cloned().unwrap_or_default();
            let kept = self.kept.entry(strap.id).or_insert_with(|| Kept {
                athlete: strap.athlete.clone(),
                zone: zone.clone(),
                release: Release::new(Vec::new(), TimeZone::UTC),
                released: None,
                restored: false,
                readings: Vec::new(),
                forecast: None,
                explained: Explained::default(),
                source: Source::default(),
            });
            kept.athlete = strap.athlete.clone();
            kept.release.reschedule(windows, zone.clone());
            kept.zone = zone;
        }
    }

    /// Takes up what earlier processes left of straps that were not asked about yet.
    pub(super) fn restore(&mut self, memory: &Memory, now: Now) {
        for (id, kept) in self.kept.iter_mut().filter(|(_, k)| !k.restored) {
            let Some(Remembered { readings, release, source }) = memory.straps.get(id) else { continue };
            kept.readings.clone_from(readings);
            kept.forecast = None;
            if let Some(text) = release {
                kept.release.restore(text, &self.boot, now);
            }
            kept.source = *source;
            kept.restored = true;
        }
    }

    /// Whether nobody had this strap before.
    pub(super) fn is_new(&self, id: StrapId) -> bool {
        !self.kept.contains_key(&id)
    }

    /// A strap that is new by this process: what earlier ones left of it, if anything, is not to replace what this one
    /// learns.
    pub(super) fn begin(&mut self, id: StrapId) {
        if let Some(kept) = self.kept.get_mut(&id) {
            kept.restored = true;
        }
    }

    /// Evaluates every release; `busy` are the people whose check runs.
    fn look(&mut self, now: Now, busy: &[AthleteId]) -> Vec<(StrapId, Option<Released>)> {
        let mut changed = Vec::new();
        for (id, kept) in &mut self.kept {
            let was = kept.released.is_some();
            // A schedule takes no strap away from a check that runs.
            let kind = |r: &Released| was || r.by == By::Request || !busy.contains(&kept.athlete);
            let released = kept.release.state(now).filter(kind);
            if was != released.is_some() {
                changed.push((*id, released));
            }
            kept.released = released;
        }
        changed
    }

    /// What the store knows of every strap's intervals.
    pub(super) fn sources(&self) -> Vec<(StrapId, Source)> {
        self.kept.iter().map(|(id, k)| (*id, k.source)).filter(|(_, s)| !s.is_unknown()).collect()
    }

    /// The straps that shall be connected.
    pub(super) fn wanted(&self, roster: &Roster) -> Vec<StrapId> {
        roster.straps.iter().map(|s| s.id).filter(|id| self.released(*id).is_none()).collect()
    }

    pub(super) fn released(&self, id: StrapId) -> Option<Released> {
        self.kept.get(&id).and_then(|k| k.released)
    }

    pub(super) fn explained(&self, id: StrapId) -> Explained {
        self.kept.get(&id).map(|k| k.explained).unwrap_or_default()
    }

    /// Before the first strap is connected: who is let go from the start.
    pub(super) fn first_look(&mut self, now: Now, engine: &Engine) {
        self.look(now, &busy(engine, now));
    }
}

/// What the store keeps of straps.
pub(super) struct Memory {
    adopted: Vec<Strap>,
    preferences: Vec<Preferred>,
    straps: BTreeMap<StrapId, Remembered>,
}

/// What the store keeps of one.
struct Remembered {
    readings: Vec<Reading>,
    /// As [`Release::restore`] takes it.
    release: Option<String>,
    source: Source,
}

impl Memory {
    /// Reads it, of adopted straps and of these.
    pub(super) fn read(query: &Query, of: &[StrapId]) -> Result<Self, StoreError> {
        let adopted: Vec<Strap> = query.straps()?.into_iter().map(|s| s.strap).collect();
        let ids: BTreeSet<StrapId> = of.iter().copied().chain(adopted.iter().map(|s| s.id)).collect();
        let mut straps = BTreeMap::new();
        for id in ids {
            let (readings, release) = (query.battery(id)?, query.meta(&meta_key(id))?);
            let source = stored_source(query, id)?.unwrap_or_default();
            straps.insert(id, Remembered { readings, release, source });
        }
        Ok(Self { adopted, preferences: query.preferences()?, straps })
    }
}

/// A memory on its way from the store's thread.
pub(super) type Recalled = oneshot::Receiver<Result<Memory, StoreError>>;

/// What was asked for, once it is there; waits for ever if nothing was.
pub(super) async fn answer(asked: &mut Option<Recalled>) -> Result<Memory, StoreError> {
    let answer = match asked {
        Some(asked) => asked.await,
        None => std::future::pending().await,
    };
    *asked = None;
    answer.unwrap_or(Err(StoreError::Stopped))
}

impl Hub {
    /// The store could not be read at start, or was replaced: who is adopted has to be asked again.
    pub(super) fn recall(&self) -> Recalled {
        let configured: Vec<StrapId> = self.configured.straps.iter().map(|s| s.id).collect();
        self.store.read(move |query| Memory::read(query, &configured))
    }

    /// Somebody was adopted or forgotten: an answer on its way does not know it.
    pub(super) fn ask_again(&mut self) {
        if self.learning.is_some() {
            self.learning = Some(self.recall());
        }
    }

    /// The answer to that.
    pub(super) fn learn(&mut self, memory: Result<Memory, StoreError>) {
        match memory {
            Ok(memory) => {
                for s in &memory.adopted {
                    if !self.forgotten.contains(&s.id) && !self.adopted.iter().any(|a| a.id == s.id) {
                        self.adopted.push(s.clone());
                    }
                }
                self.preferences.restore(memory.preferences.clone());
                self.pace();
                self.preferences.log_again();
                let now = self.clock.now();
                self.new_roster(now);
                self.straps.restore(&memory, now);
                for (strap, source) in self.straps.sources() {
                    self.handle(now, Input::Known { strap, source });
                }
            }
            Err(e) => tracing::warn!("adopted straps cannot be read: {e}"),
        }
    }
}

/// People whose check runs.
fn busy(engine: &Engine, now: Now) -> Vec<AthleteId> {
    let running = |p: Phase| !matches!(p, Phase::Idle | Phase::Done | Phase::Aborted);
    engine.check_statuses(now.mono).into_iter().filter(|c| running(c.phase)).map(|c| c.athlete).collect()
}

/// What the store holds of what is proven about a strap's intervals.
pub(super) fn stored_source(query: &Query, id: StrapId) -> Result<Option<Source>, StoreError> {
    Ok(query.meta(&source_key(id))?.and_then(|text| Source::from_text(&text)))
}

/// Where it keeps that.
pub(super) fn source_key(id: StrapId) -> String {
    format!("source.{}", id.slug())
}

fn meta_key(id: StrapId) -> String {
    format!("release.{}", id.slug())
}

impl Hub {
    /// Once a second, or `at_once`: releases, and why straps are quiet.
    pub(super) fn look_after_straps(&mut self, radio: &ble::Status, at_once: bool) {
        let now = self.clock.now();
        if !at_once && self.straps.looked.is_some_and(|t| now.mono.since(t) < LOOK_EVERY) {
            return;
        }
        let first = self.straps.looked.replace(now.mono).is_none();
        self.hold_releases(now, radio, first);
        self.drain();
        self.explain(now, radio);
    }

    fn hold_releases(&mut self, now: Now, radio: &ble::Status, first: bool) {
        let mut changed = self.straps.look(now, &busy(&self.engine, now));
        if !changed.is_empty() {
            self.wanted.send_replace(self.straps.wanted(&self.roster));
        }
        if first {
            let released = self.roster.straps.iter().filter_map(|s| Some((s.id, Some(self.straps.released(s.id)?))));
            changed = released.collect();
        }
        for (strap, released) in changed {
            match released {
                Some(r) => tracing::info!("strap {strap}: let go for {} min", r.left.as_secs().div_ceil(60)),
                None => tracing::info!("strap {strap}: taken back"),
            }
            // The radio tells of the straps that it has; nobody else does of the others.
            let has = self.radio_used && radio.straps.iter().any(|s| s.strap == strap);
            match released {
                Some(_) if !has => self.handle(now, Input::Link { strap, state: LinkState::Released }),
                None if !self.radio_used => self.handle(now, Input::Link { strap, state: LinkState::Unknown }),
                _ => {}
            }
        }
    }

    /// A strap with another wearer than in `old` was told as unknown, because the new one may say less of it; but it is known.
    pub(super) fn tell_given(&mut self, now: Now, old: &[Strap]) {
        let given = |s: &StrapStatus| old.iter().any(|o| o.id == s.strap && o.athlete != s.athlete);
        for status in self.engine.strap_statuses(now.mono).into_iter().filter(given) {
            for message in self.renderer.output(&Output::Strap(status), now) {
                self.tell(message);
            }
        }
    }

    fn explain(&mut self, now: Now, radio: &ble::Status) {
        for status in self.engine.strap_statuses(now.mono) {
            let Some(kept) = self.straps.kept.get_mut(&status.strap) else { continue };
            let link = radio.straps.iter().find(|l| l.strap == status.strap);
            let adapter = self.radio_used.then_some(&radio.adapter);
            let cause = diagnose(now.mono, &status, adapter, link, kept.released);
            let old = kept.explained;
            let explained = Explained {
                cause: Some(cause),
                last_seen: link.and_then(|l| l.last_seen).max(status.last_packet).max(old.last_seen),
                signal: link.map_or(old.signal, |l| l.signal),
                battery: kept.forecast(now),
                released_until: kept.released.map(|r| now.mono + r.left),
                link: link.filter(|_| self.radio_used).map(|l| (l.recovery, l.counters)),
            };
            kept.explained = explained;
            if old.cause != Some(cause) && !matches!((old.cause, cause), (None, Cause::None)) {
                let advice = cause.advice().map_or(String::new(), |a| format!(": {a}"));
                tracing::info!("strap {}: {}{advice}", status.strap, cause.as_str().replace('_', " "));
            }
            if let Some(message) = self.renderer.explain(status.strap, explained, now) {
                self.tell(message);
            }
        }
    }

    /// Lets a strap go or takes it back; `None` if nobody has such a strap.
    pub(super) fn release(&mut self, strap: StrapId, ask: Ask, radio: &ble::Status) -> Option<Option<Released>> {
        let now = self.clock.now();
        let kept = self.straps.kept.get_mut(&strap)?;
        kept.release.ask(now, ask);
        let text = kept.release.to_text(&self.straps.boot);
        self.store.set_meta(meta_key(strap), text);
        self.look_after_straps(radio, true);
        Some(self.straps.released(strap))
    }

    /// The strap told its battery level. Without a date there is no place for it; it is read again.
    pub(super) fn learn_battery(&mut self, now: Now, strap: StrapId, percent: u8) {
        let Some(kept) = self.straps.kept.get_mut(&strap) else { return };
        let Some(date) = kept.today(now) else { return };
        let reading = Reading { date, percent };
        match kept.readings.iter_mut().find(|r| r.date == date) {
            Some(same) if *same == reading => return,
            Some(earlier) => *earlier = reading,
            None => kept.readings.push(reading),
        }
        kept.forecast = None;
        self.store.battery(strap, date, percent);
    }

    /// What a session proved about a strap's intervals holds for the next one.
    pub(super) fn learn_source(&mut self, strap: StrapId, now: Source) {
        let Some(kept) = self.straps.kept.get_mut(&strap).filter(|k| k.restored) else { return };
        let old = kept.source;
        let units = if now.units == Units::Unknown { old.units } else { now.units };
        let smoothing = if now.smoothing == SmoothingVerdict::Unknown { old.smoothing } else { now.smoothing };
        kept.source = Source { units, smoothing };
        if kept.source != old {
            self.store.set_meta(source_key(strap), Some(kept.source.to_text()));
        }
    }

    /// A strap was forgotten: so is what was decided and proven about it.
    pub(super) fn forget_kept(&mut self, strap: StrapId) {
        self.store.set_meta(meta_key(strap), None);
        self.store.set_meta(source_key(strap), None);
    }
}

impl Kept {
    fn today(&self, now: Now) -> Option<Date> {
        Some(now.wall?.to_zoned_datetime(self.zone.clone()).date())
    }

    fn forecast(&mut self, now: Now) -> Option<Forecast> {
        let today = self.today(now)?;
        match self.forecast {
            Some((date, forecast)) if date == today => forecast,
            _ => {
                let forecast = battery::forecast(&self.readings, today);
                self.forecast = Some((today, forecast));
                forecast
            }
        }
    }
}
