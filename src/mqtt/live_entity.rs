//! The live entities of an athlete: what expires when beats no longer come. Those that few people look at are there for
//! the asking, because each costs a row in Home Assistant's database every interval.

use super::entity::{Availability, Entity, Name, SENSOR, Source};

const VALUE: Entity = Entity {
    source: Source::Live,
    measurement: true,
    precision: Some(0),
    expires: true,
    availability: Availability::Strap,
    ..SENSOR
};

/// See the module.
pub(super) const LIVE: &[Entity] = &[
    Entity {
        key: "heart_rate",
        name: Name { en: "Heart rate" },
        field: Some("hr"),
        unit: Some("bpm"),
        icon: Some("mdi:heart-pulse"),
        ..VALUE
    },
    Entity {
        key: "rmssd_live",
        name: Name { en: "RMSSD 60 s" },
        field: Some("rmssd"),
        unit: Some("ms"),
        icon: Some("mdi:heart-flash"),
        ..VALUE
    },
    Entity {
        key: "breathing_live",
        name: Name { en: "Breathing rate" },
        field: Some("breathing"),
        unit: Some("breaths/min"),
        icon: Some("mdi:lungs"),
        ..VALUE
    },
    Entity {
        key: "dfa_alpha1_live",
        name: Name { en: "DFA alpha 1" },
        field: Some("dfa_a1"),
        precision: Some(2),
        enabled: false,
        icon: Some("mdi:chart-bell-curve-cumulative"),
        ..VALUE
    },
    Entity {
        key: "ln_rmssd_live",
        name: Name { en: "lnRMSSD 60 s" },
        field: Some("ln_rmssd"),
        precision: Some(2),
        enabled: false,
        icon: Some("mdi:sine-wave"),
        ..VALUE
    },
    Entity {
        key: "rmssd_30_live",
        name: Name { en: "RMSSD 30 s" },
        field: Some("rmssd_30"),
        unit: Some("ms"),
        enabled: false,
        icon: Some("mdi:heart-flash"),
        ..VALUE
    },
    Entity {
        key: "rmssd_300_live",
        name: Name { en: "RMSSD 5 min" },
        field: Some("rmssd_300"),
        unit: Some("ms"),
        enabled: false,
        icon: Some("mdi:heart-flash"),
        ..VALUE
    },
    Entity {
        key: "sdnn_300_live",
        name: Name { en: "SDNN 5 min" },
        field: Some("sdnn_300"),
        unit: Some("ms"),
        enabled: false,
        icon: Some("mdi:heart-flash"),
        ..VALUE
    },
    Entity {
        key: "artifacts_live",
        name: Name { en: "Artifacts 60 s" },
        field: Some("artifact_pct"),
        unit: Some("%"),
        precision: Some(1),
        enabled: false,
        diagnostic: true,
        icon: Some("mdi:heart-broken"),
        ..VALUE
    },
];
