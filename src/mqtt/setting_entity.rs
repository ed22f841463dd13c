//! What can be set from Home Assistant while the daemon runs.

use super::entity::{Entity, Name, SENSOR, Source};
use crate::preference::{DEFAULT, LogLevel, MAX_HR, PUBLISH_INTERVAL, Preference, REST_HR};

const SETTING: Entity = Entity { source: Source::Settings, setting: true, ..SENSOR };
const NUMBER: Entity = Entity { platform: "number", precision: None, ..SETTING };
const TIME_OF_DAY: Entity = Entity {
    platform: "text",
    limits: Some((5, 5, None)),
    pattern: Some("^([01][0-9]|2[0-3]):[0-5][0-9]$"),
    ..SETTING
};
const RESET: Entity = Entity {
    key: "reset_settings",
    platform: "button",
    name: Name { en: "Settings as configured" },
    takes: Some("all"),
    payloads: &[("pl_prs", DEFAULT)],
    icon: Some("mdi:restore"),
    enabled: false,
    ..SETTING
};

const fn limits((low, high): (u16, u16)) -> Option<(u16, u16, Option<f64>)> {
    Some((low, high, Some(1.0)))
}

fn levels() -> Vec<&'static str> {
    LogLevel::ALL.iter().map(|l| l.as_str()).collect()
}

/// Of the gateway.
pub(super) const GATEWAY: &[Entity] = &[
    Entity {
        key: Preference::PublishInterval.as_str(),
        name: Name { en: "Publish interval" },
        field: Some(Preference::PublishInterval.as_str()),
        takes: Some(Preference::PublishInterval.as_str()),
        limits: limits(PUBLISH_INTERVAL),
        class: Some("duration"),
        unit: Some("s"),
        icon: Some("mdi:timer-cog-outline"),
        ..NUMBER
    },
    Entity {
        key: Preference::LogLevel.as_str(),
        platform: "select",
        name: Name { en: "Log level" },
        field: Some(Preference::LogLevel.as_str()),
        takes: Some(Preference::LogLevel.as_str()),
        words: Some(levels),
        icon: Some("mdi:text-box-search-outline"),
        ..SETTING
    },
    RESET,
];

/// Of an athlete.
pub(super) const ATHLETE: &[Entity] = &[
    Entity {
        key: Preference::MaxHr.as_str(),
        name: Name { en: "Maximum heart rate" },
        field: Some(Preference::MaxHr.as_str()),
        takes: Some(Preference::MaxHr.as_str()),
        limits: limits(MAX_HR),
        unit: Some("bpm"),
        icon: Some("mdi:heart-cog"),
        ..NUMBER
    },
    Entity {
        key: Preference::RestHr.as_str(),
        name: Name { en: "Resting heart rate" },
        field: Some(Preference::RestHr.as_str()),
        takes: Some(Preference::RestHr.as_str()),
        limits: limits(REST_HR),
        unit: Some("bpm"),
        icon: Some("mdi:heart-cog-outline"),
        ..NUMBER
    },
    Entity {
        key: Preference::WakeStart.as_str(),
        name: Name { en: "Wake window start" },
        field: Some(Preference::WakeStart.as_str()),
        takes: Some(Preference::WakeStart.as_str()),
        icon: Some("mdi:weather-sunset-up"),
        ..TIME_OF_DAY
    },
    Entity {
        key: Preference::WakeEnd.as_str(),
        name: Name { en: "Wake window end" },
        field: Some(Preference::WakeEnd.as_str()),
        takes: Some(Preference::WakeEnd.as_str()),
        icon: Some("mdi:weather-sunny"),
        ..TIME_OF_DAY
    },
    Entity {
        key: Preference::AutoStart.as_str(),
        platform: "switch",
        name: Name { en: "Start by putting the strap on" },
        field: Some(Preference::AutoStart.as_str()),
        takes: Some(Preference::AutoStart.as_str()),
        // A template renders a JSON boolean as Python writes it.
        payloads: &[("pl_on", "on"), ("pl_off", "off"), ("stat_on", "True"), ("stat_off", "False")],
        icon: Some("mdi:play-protected-content"),
        ..SETTING
    },
    RESET,
];
