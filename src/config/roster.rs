//! The lists of people and straps: every file adds to them, and the whole is checked together.

use super::build::Build;
use super::error::{Origin, Problem};
use super::load::Setting;
use super::model::{AthleteConfig, StrapConfig};
use super::raw::{RawAthlete, RawStrap};
use super::read::Digest;
use super::schema;
use super::value::{TimeOfDay, Zone};
use crate::check::Posture;
use crate::engine::WakeWindow;
use crate::load::Planned;
use crate::mqtt::Publish;
use crate::preference::Personal;
use crate::units::AthleteId;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// An entry of a list, with the places of its fields.
pub(super) struct Entry<T> {
    raw: T,
    origin: Origin,
    fields: BTreeMap<String, Origin>,
    refused: BTreeSet<String>,
}

impl<T> Entry<T> {
    pub(super) fn new(raw: T, path: &str, digest: &Digest) -> Self {
        let inner = |full: &String| full.strip_prefix(path)?.strip_prefix('.').map(str::to_owned);
        Self {
            raw,
            origin: digest.places.get(path).cloned().unwrap_or(Origin::Default),
            fields: digest.places.iter().filter_map(|(p, o)| Some((inner(p)?, o.clone()))).collect(),
            refused: digest.refused.iter().filter_map(inner).collect(),
        }
    }
    /// Where a field stands; a missing one belongs to the entry.
    fn at(&self, field: &str) -> Origin {
        self.fields.get(field).unwrap_or(&self.origin).clone()
    }
}

/// The lists of all files, one after the other.
#[derive(Default)]
pub(super) struct Roster {
    pub(super) athletes: Vec<Entry<RawAthlete>>,
    pub(super) straps: Vec<Entry<RawStrap>>,
    /// Whether a file could not be read: then an athlete who seems to be missing may stand there.
    pub(super) incomplete: bool,
}

impl Build<'_> {
    pub(super) fn athletes(&mut self, roster: &Roster) -> Option<Vec<AthleteConfig>> {
        let mut seen: BTreeMap<AthleteId, Origin> = BTreeMap::new();
        let mut all = Vec::new();
        let mut complete = true;
        for (n, entry) in roster.athletes.iter().enumerate() {
            let raw = &entry.raw;
            let Some(slug) = raw.slug.as_ref().map(|slug| slug.0.clone()) else {
                complete = false;
                if !entry.refused.contains("slug") {
                    let problem = Problem::error(entry.origin.clone(), "this athlete has no slug");
                    self.problems.push(problem.hint("add a short name: slug = \"alex\""));
                }
                continue;
            };
            if let Some(first) = seen.insert(slug.clone(), entry.at("slug")) {
                let problem = Problem::error(entry.at("slug"), format!("two athletes have the slug \"{slug}\""));
                self.problems.push(problem.also("the other one stands at", first));
            }
            let zone = raw.timezone.as_ref().map_or(Zone::System, |zone| zone.0.clone());
            let time_zone = match &zone {
                Zone::Named(_, zone) => zone.clone(),
                Zone::System => self.system_zone(entry.at("timezone")),
            };
            let window = raw.wake_window.clone().unwrap_or_default();
            let usual = Personal::default();
            let from = window.from.map_or(usual.wake_window.from, |t| t.0.0);
            let until = window.to.map_or(usual.wake_window.until, |t| t.0.0);
            let window_ok = !entry.refused.iter().any(|field| field.starts_with("wake_window"));
            if from == until && window_ok {
                let problem =
                    Problem::error(entry.at("wake_window"), "the wake window is empty: it ends when it begins");
                self.problems.push(problem.hint("auto_start = false keeps a check from starting by itself"));
            }
            let name = raw.name.as_ref().map_or_else(|| slug.to_string(), |name| name.0.0.clone());
            let posture = raw.posture.as_ref().map_or(Posture::Supine, |posture| posture.0);
            let auto_start = raw.auto_start.unwrap_or(usual.auto_start);
            let publish = raw.publish.as_ref().map_or(Publish::default(), |publish| publish.0);
            let path = format!("athlete[{n}]");
            self.show(&path, "slug", slug.as_str(), entry);
            self.show(&path, "name", name.as_str(), entry);
            self.show(&path, "timezone", zone.to_string(), entry);
            self.show(&path, "posture", posture.as_str(), entry);
            self.show(&path, "auto_start", auto_start, entry);
            self.show(&path, "wake_window.from", TimeOfDay(from).to_string(), entry);
            self.show(&path, "wake_window.to", TimeOfDay(until).to_string(), entry);
            self.show(&path, "publish", publish.as_str(), entry);
            let plan = self.plan(entry, &path);
            let (max_hr, rest_hr) = (raw.max_hr.map(|n| n.0), raw.rest_hr.map(|n| n.0));
            for (field, value) in [("max_hr", max_hr), ("rest_hr", rest_hr)] {
                value.into_iter().for_each(|n| self.show(&path, field, i64::from(n), entry));
            }
            let wake_window = WakeWindow { from, until };
            all.push(AthleteConfig {
                slug,
                name,
                time_zone,
                posture,
                auto_start,
                wake_window,
                publish,
                plan,
                max_hr,
                rest_hr,
            });
        }
        complete.then_some(all)
    }

    /// What days are planned for.
    fn plan(&mut self, entry: &Entry<RawAthlete>, path: &str) -> Planned {
        let mut planned = Planned::default();
        let mut shown = toml::Table::new();
        for (day, kind) in entry.raw.plan.iter().flatten() {
            if planned.add(day, kind.0) {
                shown.insert(day.clone(), kind.0.as_str().into());
            } else {
                let at = entry.at(&format!("plan.{day}"));
                let problem = Problem::error(at, format!("'{day}' is neither a weekday nor a date"));
                self.problems.push(
                    problem.hint("plan = { tuesday = \"quality\", sunday = \"long\", \"2026-05-03\" = \"race\" }"),
                );
            }
        }
        if !shown.is_empty() {
            self.show(path, "plan", shown, entry);
        }
        planned
    }

    fn system_zone(&mut self, origin: Origin) -> TimeZone {
        self.around.time_zone.clone().unwrap_or_else(|| {
            let problem = Problem::warning(origin, "the system's time zone cannot be learned; UTC is used");
            self.problems.push(problem.hint("run `timedatectl set-timezone`, or set timezone = \"Europe/Berlin\""));
            TimeZone::UTC
        })
    }

    pub(super) fn straps(&mut self, roster: &Roster) -> Option<Vec<StrapConfig>> {
        let known: Vec<&AthleteId> =
            roster.athletes.iter().filter_map(|a| a.raw.slug.as_ref()).map(|slug| &slug.0).collect();
        // Whoever seems to be missing may stand in a part that was refused and reported already.
        let all_known = !roster.incomplete && roster.athletes.iter().all(|a| a.raw.slug.is_some());
        let mut seen = BTreeMap::new();
        let mut all = Vec::new();
        let mut complete = true;
        for (n, entry) in roster.straps.iter().enumerate() {
            let (address, athlete) = (entry.raw.address.as_ref(), entry.raw.athlete.as_ref());
            for (field, missing, hint) in [
                ("address", address.is_none(), "add its address: `hrvd scan` shows it"),
                ("athlete", athlete.is_none(), "say whose it is: athlete = \"alex\""),
            ] {
                if missing && !entry.refused.contains(field) {
                    self.problems
                        .push(Problem::error(entry.origin.clone(), format!("this strap has no {field}")).hint(hint));
                }
            }
            if let Some(address) = address {
                if let Some(first) = seen.insert(address.0, entry.at("address")) {
                    let problem =
                        Problem::error(entry.at("address"), format!("the strap {} stands here twice", address.0));
                    self.problems.push(problem.also("the other one stands at", first));
                }
            }
            if let Some(athlete) = athlete.filter(|a| all_known && !known.contains(&&a.0)) {
                let mut problem = Problem::error(entry.at("athlete"), format!("there is no athlete \"{}\"", athlete.0));
                let names: Vec<&str> = known.iter().map(|id| id.as_str()).collect();
                problem = match schema::nearest(athlete.0.as_str(), names.iter().copied()) {
                    Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
                    None if names.is_empty() => problem.hint("add an [[athlete]] with this slug"),
                    None => problem.hint(format!("known: {}", names.join(", "))),
                };
                self.problems.push(problem);
            }
            let Some((address, athlete)) = address.zip(athlete) else {
                complete = false;
                continue;
            };
            let name = entry.raw.name.as_ref().map(|name| name.0.0.clone());
            let path = format!("strap[{n}]");
            self.show(&path, "address", address.0.to_string(), entry);
            self.show(&path, "athlete", athlete.0.as_str(), entry);
            if let Some(name) = &name {
                self.show(&path, "name", name.as_str(), entry);
            }
            let release = self.release(entry, &path);
            all.push(StrapConfig { address: address.0, athlete: athlete.0.clone(), name, release });
        }
        complete.then_some(all)
    }

    /// When a strap is let go by itself.
    fn release(&mut self, entry: &Entry<RawStrap>, path: &str) -> Vec<WakeWindow> {
        let mut windows = Vec::new();
        let mut shown = Vec::new();
        for (n, raw) in entry.raw.release.iter().flatten().enumerate() {
            let at = entry.at(&format!("release[{n}]"));
            let whole = !entry.refused.iter().any(|field| field.starts_with("release"));
            match (&raw.from, &raw.to) {
                (Some(from), Some(to)) if from.0 != to.0 => {
                    let (from, to) = (from.0.0, to.0.0);
                    windows.push(WakeWindow { from, until: to });
                    let table =
                        [("from", from), ("to", to)].map(|(k, t)| (k.to_owned(), TimeOfDay(t).to_string().into()));
                    shown.push(toml::Value::Table(table.into_iter().collect()));
                }
                (Some(_), Some(_)) => {
                    let problem = Problem::error(at, "this release is empty: it ends when it begins");
                    self.problems.push(problem.hint("from = \"00:00\", to = \"23:59\" lets the strap go all day"));
                }
                _ if whole => {
                    let problem = Problem::error(at, "a release needs a beginning and an end");
                    self.problems.push(problem.hint("release = [{ from = \"17:00\", to = \"19:00\" }]"));
                }
                _ => {}
            }
        }
        if !shown.is_empty() {
            self.show(path, "release", toml::Value::Array(shown), entry);
        }
        windows
    }

    fn show<T>(&mut self, path: &str, field: &str, value: impl Into<toml::Value>, entry: &Entry<T>) {
        let origin = entry.fields.get(field).cloned().unwrap_or(Origin::Default);
        self.list_settings.push(Setting { key: schema::join(path, field), value: value.into(), origin });
    }
}
