//! The table of Home Assistant entities: what there is, once, for all three devices.

use crate::check::{Grade, Phase};
use crate::diagnosis::Cause;
use crate::engine::LinkState;
use crate::language::Language;
use crate::verdict::Worn;

/// A name; in other languages by the entity's key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    pub(super) en: &'static str,
}

/// Which topic an entity reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Bridge,
    StrapState,
    StrapAvailability,
    /// State of the release, and where it is set.
    StrapRelease,
    Live,
    Check,
    CheckEvent,
    CheckSet,
    Morning,
    /// What can be set, of the device's athlete or of the gateway.
    Settings,
    Readiness,
    ReadinessEvent,
    Inputs,
}

/// Whose absence makes an entity unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Availability {
    /// The gateway's only: what was true yesterday stays true while the strap lies in a drawer.
    Gateway,
    /// The gateway's and the strap's.
    Strap,
}

/// One entity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entity {
    /// Part of the unique id. Must never change.
    pub(super) key: &'static str,
    /// Home Assistant's platform.
    pub(super) platform: &'static str,
    pub(super) name: Name,
    pub(super) source: Source,
    /// JSON field that holds the state.
    pub(super) field: Option<&'static str>,
    pub(super) class: Option<&'static str>,
    pub(super) unit: Option<&'static str>,
    pub(super) precision: Option<u8>,
    /// Whether long-term statistics make sense.
    pub(super) measurement: bool,
    pub(super) diagnostic: bool,
    /// Whether it belongs to the settings of the device.
    pub(super) setting: bool,
    /// What it sets: a level of the command topic.
    pub(super) takes: Option<&'static str>,
    /// What is shown for null; chosen, it is sent as `none`.
    pub(super) blank: Option<&'static str>,
    /// Lowest, highest and step of a number; shortest and longest text.
    pub(super) limits: Option<(u16, u16, Option<f64>)>,
    /// Which texts are taken, as a regular expression.
    pub(super) pattern: Option<&'static str>,
    /// Whether it is there without being asked for.
    pub(super) enabled: bool,
    pub(super) icon: Option<&'static str>,
    /// Words of an enum or types of an event.
    pub(super) words: Option<fn() -> Vec<&'static str>>,
    /// Payloads that mean on and off, or that a button sends.
    pub(super) payloads: &'static [(&'static str, &'static str)],
    /// Live: expires if nothing comes.
    pub(super) expires: bool,
    /// The whole JSON object becomes attributes.
    pub(super) attributes: bool,
    pub(super) availability: Availability,
}

impl Entity {
    /// What Home Assistant shows beside the device's name.
    pub(super) fn shown(&self, language: Language) -> &'static str {
        match language {
            Language::En => self.name.en,
            Language::De => super::german::name(self.key).unwrap_or(self.name.en),
        }
    }
}

pub(super) const SENSOR: Entity = Entity {
    key: "",
    platform: "sensor",
    name: Name { en: "" },
    source: Source::Bridge,
    field: None,
    class: None,
    unit: None,
    precision: None,
    measurement: false,
    diagnostic: false,
    setting: false,
    takes: None,
    blank: None,
    limits: None,
    pattern: None,
    enabled: true,
    icon: None,
    words: None,
    payloads: &[],
    expires: false,
    attributes: false,
    availability: Availability::Gateway,
};
const BINARY: Entity = Entity { platform: "binary_sensor", ..SENSOR };
const BUTTON: Entity = Entity { platform: "button", source: Source::CheckSet, ..SENSOR };
const CHECK: Entity = Entity { source: Source::Check, ..SENSOR };
const MORNING: Entity = Entity { source: Source::Morning, ..SENSOR };
const STRAP: Entity =
    Entity { source: Source::StrapState, diagnostic: true, availability: Availability::Strap, ..SENSOR };

fn phases() -> Vec<&'static str> {
    Phase::ALL.iter().map(|p| p.as_str()).collect()
}
fn grades() -> Vec<&'static str> {
    Grade::ALL.iter().map(|g| g.as_str()).collect()
}
fn links() -> Vec<&'static str> {
    LINK_STATES.iter().map(|l| l.as_str()).collect()
}
fn causes() -> Vec<&'static str> {
    Cause::ALL.iter().map(|c| c.as_str()).collect()
}
fn wearing() -> Vec<&'static str> {
    [Worn::Worn, Worn::NotWorn, Worn::Unsure].map(Worn::as_str).to_vec()
}
fn events() -> Vec<&'static str> {
    EVENTS.to_vec()
}

/// Event types of a check.
pub(super) const EVENTS: [&str; 4] = ["started", "completed", "failed", "cancelled"];

const LINK_STATES: [LinkState; 13] = [
    LinkState::Unknown,
    LinkState::NoAdapter,
    LinkState::AdapterOff,
    LinkState::NotSeen,
    LinkState::Seen,
    LinkState::Connecting,
    LinkState::Connected,
    LinkState::Silent,
    LinkState::Refuses,
    LinkState::Unstable,
    LinkState::Released,
    LinkState::AdapterFull,
    LinkState::Fails,
];

/// Entities of the gateway.
pub(super) const GATEWAY: &[Entity] = &[
    Entity {
        key: "adapter",
        name: Name { en: "Bluetooth adapter" },
        field: Some("adapter"),
        class: Some("problem"),
        payloads: &[("pl_on", "problem"), ("pl_off", "ok")],
        diagnostic: true,
        ..BINARY
    },
    Entity {
        key: "store",
        name: Name { en: "Store" },
        field: Some("store"),
        class: Some("problem"),
        payloads: &[("pl_on", "problem"), ("pl_off", "ok")],
        diagnostic: true,
        ..BINARY
    },
    Entity {
        key: "unsent",
        name: Name { en: "Unsent results" },
        field: Some("unsent"),
        precision: Some(0),
        icon: Some("mdi:tray-full"),
        measurement: true,
        diagnostic: true,
        ..SENSOR
    },
    Entity {
        key: "database_size",
        name: Name { en: "Database size" },
        field: Some("database_mb"),
        class: Some("data_size"),
        unit: Some("MB"),
        precision: Some(0),
        measurement: true,
        diagnostic: true,
        enabled: false,
        ..SENSOR
    },
];

/// Entities of a strap.
pub(super) const STRAPS: &[Entity] = &[
    Entity {
        key: "battery",
        name: Name { en: "Battery" },
        field: Some("battery"),
        class: Some("battery"),
        unit: Some("%"),
        precision: Some(0),
        measurement: true,
        // a strap in its drawer is one whose cell can be changed
        availability: Availability::Gateway,
        ..STRAP
    },
    Entity {
        key: "rssi",
        name: Name { en: "Signal strength" },
        field: Some("rssi"),
        class: Some("signal_strength"),
        unit: Some("dBm"),
        measurement: true,
        enabled: false,
        ..STRAP
    },
    Entity {
        key: "contact",
        platform: "binary_sensor",
        name: Name { en: "Skin contact" },
        field: Some("contact"),
        // A template renders a JSON boolean as Python writes it.
        payloads: &[("pl_on", "True"), ("pl_off", "False")],
        icon: Some("mdi:electric-switch-closed"),
        ..STRAP
    },
    Entity {
        key: "connection",
        platform: "binary_sensor",
        name: Name { en: "Connection" },
        source: Source::StrapAvailability,
        class: Some("connectivity"),
        payloads: &[("pl_on", super::topics::ONLINE), ("pl_off", super::topics::OFFLINE)],
        availability: Availability::Gateway,
        ..STRAP
    },
    Entity {
        key: "worn",
        name: Name { en: "Worn" },
        field: Some("worn"),
        class: Some("enum"),
        words: Some(wearing),
        icon: Some("mdi:account-heart-outline"),
        diagnostic: false,
        ..STRAP
    },
    Entity {
        key: "link",
        name: Name { en: "Link" },
        field: Some("link"),
        class: Some("enum"),
        words: Some(links),
        icon: Some("mdi:bluetooth-connect"),
        availability: Availability::Gateway,
        ..STRAP
    },
    Entity {
        key: "cause",
        name: Name { en: "Cause" },
        field: Some("cause"),
        class: Some("enum"),
        words: Some(causes),
        icon: Some("mdi:help-circle-outline"),
        availability: Availability::Gateway,
        ..STRAP
    },
    Entity {
        key: "advice",
        name: Name { en: "Advice" },
        field: Some("advice"),
        icon: Some("mdi:lifebuoy"),
        availability: Availability::Gateway,
        ..STRAP
    },
    Entity {
        key: "battery_days",
        name: Name { en: "Battery days left" },
        field: Some("battery_days"),
        class: Some("duration"),
        unit: Some("d"),
        precision: Some(0),
        icon: Some("mdi:battery-clock"),
        availability: Availability::Gateway,
        ..STRAP
    },
    Entity {
        key: "release",
        platform: "switch",
        name: Name { en: "Release for other apps" },
        source: Source::StrapRelease,
        field: Some("released"),
        // A template renders a JSON boolean as Python writes it.
        payloads: &[("pl_on", "on"), ("pl_off", "off"), ("stat_on", "True"), ("stat_off", "False")],
        icon: Some("mdi:link-off"),
        diagnostic: false,
        availability: Availability::Gateway,
        ..STRAP
    },
];

/// Entities of an athlete, but for the live ones.
pub(super) const ATHLETE: &[Entity] = &[
    Entity {
        key: "check_phase",
        name: Name { en: "Morning check" },
        field: Some("phase"),
        class: Some("enum"),
        words: Some(phases),
        icon: Some("mdi:meditation"),
        ..CHECK
    },
    Entity {
        key: "check_progress",
        name: Name { en: "Morning check progress" },
        field: Some("percent"),
        unit: Some("%"),
        precision: Some(0),
        icon: Some("mdi:progress-clock"),
        ..CHECK
    },
    Entity {
        key: "check_seconds_left",
        name: Name { en: "Morning check time left" },
        field: Some("seconds_left"),
        class: Some("duration"),
        unit: Some("s"),
        precision: Some(0),
        icon: Some("mdi:timer-sand"),
        ..CHECK
    },
    Entity {
        key: "start_check",
        name: Name { en: "Start morning check" },
        payloads: &[("pl_prs", "start")],
        icon: Some("mdi:play-circle"),
        ..BUTTON
    },
    Entity {
        key: "cancel_check",
        name: Name { en: "Cancel morning check" },
        payloads: &[("pl_prs", "cancel")],
        icon: Some("mdi:stop-circle"),
        ..BUTTON
    },
    Entity {
        key: "morning_rmssd",
        name: Name { en: "Morning RMSSD" },
        field: Some("rmssd"),
        unit: Some("ms"),
        precision: Some(0),
        measurement: true,
        icon: Some("mdi:weather-sunset-up"),
        attributes: true,
        ..MORNING
    },
    Entity {
        key: "morning_ln_rmssd",
        name: Name { en: "Morning lnRMSSD" },
        field: Some("ln_rmssd"),
        precision: Some(2),
        measurement: true,
        icon: Some("mdi:sine-wave"),
        ..MORNING
    },
    Entity {
        key: "morning_heart_rate",
        name: Name { en: "Morning heart rate" },
        field: Some("hr"),
        unit: Some("bpm"),
        precision: Some(0),
        measurement: true,
        icon: Some("mdi:heart-outline"),
        ..MORNING
    },
    Entity {
        key: "morning_quality",
        name: Name { en: "Morning quality" },
        field: Some("grade"),
        class: Some("enum"),
        words: Some(grades),
        icon: Some("mdi:check-decagram"),
        ..MORNING
    },
    Entity {
        key: "morning_time",
        name: Name { en: "Morning check time" },
        field: Some("at"),
        class: Some("timestamp"),
        ..MORNING
    },
    Entity {
        key: "check_event",
        platform: "event",
        name: Name { en: "Morning check event" },
        source: Source::CheckEvent,
        words: Some(events),
        icon: Some("mdi:bell-heart"),
        ..SENSOR
    },
];

#[cfg(test)]
mod tests {
    use super::super::detail_entity;
    use super::super::setting_entity;
    use super::*;

    #[test]
    fn every_link_state_is_declared() {
        // A new variant does not compile here until the list above was thought of.
        let place = |l: LinkState| match l {
            LinkState::Unknown => 0,
            LinkState::NoAdapter => 1,
            LinkState::AdapterOff => 2,
            LinkState::NotSeen => 3,
            LinkState::Seen => 4,
            LinkState::Connecting => 5,
            LinkState::Connected => 6,
            LinkState::Silent => 7,
            LinkState::Refuses => 8,
            LinkState::Unstable => 9,
            LinkState::Released => 10,
            LinkState::AdapterFull => 11,
            LinkState::Fails => 12,
        };
        for (i, l) in LINK_STATES.iter().enumerate() {
            assert_eq!(place(*l), i);
        }
    }

    #[test]
    fn no_key_and_no_name_twice_on_a_device_and_a_german_name_for_each() {
        let tables = [
            [GATEWAY, setting_entity::GATEWAY, detail_entity::GATEWAY].concat(),
            [STRAPS, detail_entity::STRAPS].concat(),
            super::super::discovery::athlete_table(),
        ];
        for table in tables {
            for (i, a) in table.iter().enumerate() {
                let german = super::super::german::name(a.key);
                assert!(german.is_some(), "{} has no German name", a.key);
                for b in &table[..i] {
                    assert_ne!(a.key, b.key);
                    assert_ne!(a.name.en, b.name.en);
                    assert_ne!(german, super::super::german::name(b.key));
                }
            }
        }
    }
}
