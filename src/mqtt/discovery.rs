//! Home Assistant discovery: one retained message a device.

use super::detail_entity;
use super::entity::{ATHLETE, Availability, EVENTS, Entity, GATEWAY, STRAPS, Source};
use super::live_entity::LIVE;
use super::privacy::Publish;
use super::setting_entity;
use super::topics::Topics;
use super::{input_entity, readiness_entity};
use crate::engine::{Athlete, Strap, StrapFacts};
use crate::language::Language;
use crate::units::{AthleteId, StrapId};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long Home Assistant lets a button press live, s; brokers with MQTT 5 drop it after that.
const COMMAND_EXPIRY_S: u32 = 30;

/// What discovery needs to know beside the roster.
#[derive(Clone, Debug)]
pub(super) struct Discovery<'a> {
    pub(super) topics: &'a Topics,
    pub(super) language: Language,
    pub(super) gateway_name: &'a str,
    pub(super) version: &'a str,
    pub(super) live_interval: Duration,
}

/// The device that entities belong to.
struct Device<'a> {
    /// Base of unique ids: `hrvd.<gateway>.<kind>.<slug>`. The dot occurs in no slug, so no two devices can share one.
    id: String,
    /// Base of entity ids.
    slug: String,
    strap: Option<StrapId>,
    athlete: Option<&'a AthleteId>,
}

impl Discovery<'_> {
    pub(super) fn gateway(&self) -> Value {
        let device = Device { id: self.gateway_id(), slug: slugify(self.gateway_name), strap: None, athlete: None };
        let mut dev = Map::new();
        dev.insert("ids".into(), json!([device.id]));
        dev.insert("name".into(), json!(short(self.gateway_name)));
        dev.insert("mf".into(), json!("hrvd"));
        dev.insert("mdl".into(), json!("Heart rate strap gateway"));
        dev.insert("sw".into(), json!(self.version));
        self.payload(&device, dev, &[GATEWAY, setting_entity::GATEWAY, detail_entity::GATEWAY].concat(), Publish::Live)
    }

    pub(super) fn strap(&self, strap: &Strap, facts: &StrapFacts, publish: Publish) -> Value {
        let name = strap.name.as_ref().or(facts.name.as_ref());
        let name = name.map_or_else(|| format!("Strap {}", strap.id.slug()), |n| short(n).to_owned());
        let device = Device {
            id: format!("hrvd.{}.strap.{}", self.topics.gateway(), strap.id.slug()),
            slug: or(slugify(&name), || format!("strap_{}", strap.id.slug())),
            strap: Some(strap.id),
            athlete: None,
        };
        let mut dev = Map::new();
        dev.insert("ids".into(), json!([device.id]));
        // Joins this device with the same strap as Home Assistant's own Bluetooth sees it, which writes addresses in upper
        // case; its registry compares them as they are.
        dev.insert("cns".into(), json!([["bluetooth", strap.id.to_string()]]));
        dev.insert("name".into(), json!(name));
        for (key, fact) in [
            ("mf", &facts.manufacturer),
            ("mdl", &facts.model),
            ("sn", &facts.serial),
            ("sw", &facts.firmware),
            ("hw", &facts.hardware),
        ] {
            if let Some(text) = fact.as_ref().map(|t| short(t)).filter(|t| !t.is_empty()) {
                dev.insert(key.into(), json!(text));
            }
        }
        dev.insert("via_device".into(), json!(self.gateway_id()));
        self.payload(&device, dev, &[STRAPS, detail_entity::STRAPS].concat(), publish)
    }

    /// `strap` is the athlete's strap if there is exactly one: Home Assistant cannot express "one of these".
    pub(super) fn athlete(&self, athlete: &Athlete, strap: Option<StrapId>, publish: Publish) -> Value {
        let device = Device {
            id: format!("hrvd.{}.athlete.{}", self.topics.gateway(), athlete.id),
            slug: slugify(athlete.id.as_str()),
            strap,
            athlete: Some(&athlete.id),
        };
        let mut dev = Map::new();
        dev.insert("ids".into(), json!([device.id]));
        dev.insert("name".into(), json!(short(&athlete.name)));
        dev.insert("mf".into(), json!("hrvd"));
        dev.insert("mdl".into(), json!("Athlete"));
        dev.insert("via_device".into(), json!(self.gateway_id()));
        self.payload(&device, dev, &athlete_table(), publish)
    }

    fn gateway_id(&self) -> String {
        format!("hrvd.{}.gateway", self.topics.gateway())
    }

    /// Home Assistant refuses the whole device for one unknown key at the top or in `dev`, so these keys are all.
    fn payload(&self, device: &Device<'_>, dev: Map<String, Value>, table: &[Entity], publish: Publish) -> Value {
        let component = |e: &Entity| match publish.keeps(e) {
            true => Value::Object(self.component(device, e)),
            // left out it would stay; like this Home Assistant takes it away
            false => json!({"p": e.platform}),
        };
        let entities = table.iter().map(|e| (e.key.to_owned(), component(e)));
        let cmps: Map<String, Value> = entities.chain(self.triggers(device)).collect();
        json!({
            "dev": dev,
            "o": {"name": "hrvd", "sw": self.version},
            "qos": 1,
            "avty": [{"t": self.topics.status()}],
            "cmps": cmps,
        })
    }

    /// What a device's page offers as triggers: the ends and the beginning of a check, and what a verdict does.
    fn triggers(&self, device: &Device<'_>) -> Vec<(String, Value)> {
        let Some(athlete) = device.athlete else { return Vec::new() };
        let trigger = |kind: &str, about: &str, topic: &str| {
            json!({
                "p": "device_automation", "atype": "trigger", "type": kind, "stype": about, "t": topic,
                "val_tpl": "{{ value_json.event_type }}", "pl": kind,
            })
        };
        let (check, verdict) = (self.topics.check_event(athlete), self.topics.readiness_event(athlete));
        let checks = EVENTS.iter().map(|kind| (kind, "morning_check", &check));
        let verdicts = readiness_entity::EVENTS.iter().map(|kind| (kind, "readiness", &verdict));
        let all = checks.chain(verdicts);
        all.map(|(kind, about, topic)| (format!("trigger_{kind}"), trigger(kind, about, topic))).collect()
    }

    fn component(&self, device: &Device<'_>, e: &Entity) -> Map<String, Value> {
        let mut c = Map::new();
        let mut put = |key: &str, value: Value| {
            c.insert(key.to_owned(), value);
        };
        let topic = self.source(device, e.source);
        let command = match (e.source, device.strap, e.takes) {
            (Source::CheckSet, ..) => Some(topic.clone()),
            (Source::StrapRelease, Some(strap), _) => Some(self.topics.release_set(strap)),
            (Source::Inputs, _, Some(what)) => device.athlete.map(|a| self.topics.input_set(a, what)),
            (Source::Settings, _, Some(what)) => Some(self.topics.setting_set(device.athlete, what)),
            _ => None,
        };
        put("p", json!(e.platform));
        put("name", json!(e.shown(self.language)));
        put("uniq_id", json!(format!("{}.{}", device.id, e.key)));
        put("def_ent_id", json!(format!("{}.{}_{}", e.platform, device.slug, slugify(e.name.en))));
        // a button has no state, and a word that is only taken neither
        if e.platform != "button" && (e.takes.is_none() || e.field.is_some()) {
            put("stat_t", json!(topic));
        }
        if let Some(command) = command {
            put("cmd_t", json!(command));
            put("message_expiry_interval", json!(COMMAND_EXPIRY_S));
            if let Some(blank) = e.blank {
                put("cmd_tpl", json!(format!("{{{{ 'none' if value == '{blank}' else value }}}}")));
            }
        }
        if let Some(field) = e.field {
            let or = e.blank.map_or(String::new(), |blank| format!(" or '{blank}'"));
            put("val_tpl", json!(format!("{{{{ value_json.{field}{or} }}}}")));
        }
        if e.attributes {
            put("json_attr_t", json!(topic));
        }
        if let Some((low, high, step)) = e.limits {
            put("min", json!(low));
            put("max", json!(high));
            step.into_iter().for_each(|step| put("step", json!(step)));
        }
        if e.platform == "number" {
            let few = e.limits.is_some_and(|(low, high, _)| high - low <= 10);
            put("mode", json!(if few { "slider" } else { "box" }));
        }
        if let Some(pattern) = e.pattern {
            put("ptrn", json!(pattern));
        }
        for (key, payload) in e.payloads {
            put(key, json!(payload));
        }
        if let Some(class) = e.class {
            put("dev_cla", json!(class));
        }
        if let Some(unit) = e.unit {
            put("unit_of_meas", json!(unit));
        }
        if let Some(precision) = e.precision {
            put("sug_dsp_prc", json!(precision));
        }
        if e.measurement {
            put("stat_cla", json!("measurement"));
        }
        if let Some(words) = e.words {
            put(if e.platform == "event" { "evt_typ" } else { "ops" }, json!(words()));
        }
        if e.expires {
            put("exp_aft", json!(expire_after(self.live_interval)));
        }
        if let Some(icon) = e.icon {
            put("ic", json!(icon));
        }
        if e.diagnostic || e.setting {
            put("ent_cat", json!(if e.setting { "config" } else { "diagnostic" }));
        }
        if !e.enabled {
            put("en", json!(false));
        }
        if let (Availability::Strap, Some(strap)) = (e.availability, device.strap) {
            put("avty_mode", json!("all"));
            put("avty", json!([{"t": self.topics.status()}, {"t": self.topics.strap_availability(strap)}]));
        }
        c
    }

    fn source(&self, device: &Device<'_>, source: Source) -> String {
        let t = self.topics;
        match (source, device.strap, device.athlete) {
            (Source::StrapState | Source::StrapRelease, Some(strap), _) => t.strap_state(strap),
            (Source::StrapAvailability, Some(strap), _) => t.strap_availability(strap),
            (Source::Live, _, Some(a)) => t.live(a),
            (Source::Check, _, Some(a)) => t.check(a),
            (Source::CheckEvent, _, Some(a)) => t.check_event(a),
            (Source::CheckSet, _, Some(a)) => t.check_set(a),
            (Source::Morning, _, Some(a)) => t.morning(a),
            (Source::Readiness, _, Some(a)) => t.readiness(a),
            (Source::ReadinessEvent, _, Some(a)) => t.readiness_event(a),
            (Source::Inputs, _, Some(a)) => t.inputs(a),
            (Source::Settings, _, Some(a)) => t.personal_settings(a),
            (Source::Settings, _, None) => t.gateway_settings(),
            // The tables give no other pair; the tests walk through all of them.
            _ => t.bridge(),
        }
    }
}

/// Everything about an athlete.
pub(super) fn athlete_table() -> Vec<Entity> {
    let more = [readiness_entity::ATHLETE, input_entity::ATHLETE, setting_entity::ATHLETE, detail_entity::ATHLETE];
    [&[LIVE, ATHLETE], &more[..]].concat().concat()
}

/// After how many seconds without a message a live value is no longer shown: four intervals, at least 20 s.
fn expire_after(interval: Duration) -> u64 {
    (4 * interval.as_secs()).max(20)
}

/// Texts from straps and settings, cut to what a device page shows.
fn short(text: &str) -> &str {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    text.char_indices().nth(64).map_or(text, |(end, _)| &text[..end])
}

/// As Home Assistant makes entity ids of plain English names.
fn slugify(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    out.truncate(out.trim_end_matches('_').len());
    out
}

fn or(text: String, otherwise: impl FnOnce() -> String) -> String {
    if text.is_empty() { otherwise() } else { text }
}
