//! Entities for who looks closer. All but a few are there for the asking only: dozens on a device page help nobody.

use super::entity::{Availability, Entity, Name, SENSOR, Source};
use crate::ble::Recovery;
use crate::check::Hint;
use crate::verdict::{SmoothingVerdict, Units};

const DETAIL: Entity = Entity { diagnostic: true, enabled: false, ..SENSOR };
const STRAP: Entity = Entity { source: Source::StrapState, ..DETAIL };
const MORNING: Entity =
    Entity { source: Source::Morning, enabled: false, measurement: true, precision: Some(0), ..SENSOR };

fn hints() -> Vec<&'static str> {
    Hint::ALL.iter().map(|h| h.as_str()).collect()
}

fn units() -> Vec<&'static str> {
    [Units::Unknown, Units::Ticks1024, Units::Milliseconds].map(Units::as_str).to_vec()
}

fn sources() -> Vec<&'static str> {
    use SmoothingVerdict::{FromHeartRate, None, Smoothed, Unknown};
    [Unknown, None, Smoothed, FromHeartRate].map(SmoothingVerdict::as_str).to_vec()
}

fn levels() -> Vec<&'static str> {
    Recovery::ALL.iter().map(|r| r.as_str()).collect()
}

/// Of the gateway.
pub(super) const GATEWAY: &[Entity] = &[Entity {
    key: "started",
    name: Name { en: "Started" },
    field: Some("started"),
    class: Some("timestamp"),
    ..DETAIL
}];

/// Of a strap.
pub(super) const STRAPS: &[Entity] = &[
    Entity {
        key: "last_seen",
        name: Name { en: "Last seen" },
        field: Some("last_seen"),
        class: Some("timestamp"),
        icon: Some("mdi:eye-outline"),
        ..STRAP
    },
    Entity {
        key: "signal",
        name: Name { en: "Usual signal" },
        field: Some("signal"),
        class: Some("signal_strength"),
        unit: Some("dBm"),
        ..STRAP
    },
    Entity {
        key: "packets",
        name: Name { en: "Packets" },
        field: Some("packets"),
        precision: Some(0),
        icon: Some("mdi:counter"),
        availability: Availability::Strap,
        ..STRAP
    },
    Entity {
        key: "gaps",
        name: Name { en: "Gaps" },
        field: Some("gaps"),
        precision: Some(0),
        icon: Some("mdi:dots-horizontal"),
        availability: Availability::Strap,
        ..STRAP
    },
    Entity {
        key: "defects",
        name: Name { en: "Defects" },
        field: Some("defects"),
        precision: Some(0),
        icon: Some("mdi:alert-circle-outline"),
        availability: Availability::Strap,
        ..STRAP
    },
    Entity {
        key: "coverage",
        name: Name { en: "Coverage" },
        field: Some("coverage"),
        unit: Some("%"),
        precision: Some(0),
        icon: Some("mdi:timeline-check-outline"),
        availability: Availability::Strap,
        ..STRAP
    },
    Entity {
        key: "smoothing",
        name: Name { en: "Smoothing" },
        field: Some("smoothing"),
        class: Some("enum"),
        words: Some(sources),
        icon: Some("mdi:chart-bell-curve"),
        ..STRAP
    },
    Entity {
        key: "units",
        name: Name { en: "Interval units" },
        field: Some("units"),
        class: Some("enum"),
        words: Some(units),
        icon: Some("mdi:ruler"),
        ..STRAP
    },
    // counters of the link are its attributes
    Entity {
        key: "recovery",
        name: Name { en: "Recovery" },
        field: Some("recovery"),
        class: Some("enum"),
        words: Some(levels),
        attributes: true,
        icon: Some("mdi:link-variant-plus"),
        ..STRAP
    },
];

/// Of an athlete.
pub(super) const ATHLETE: &[Entity] = &[
    // for a light or a voice that follows the check
    Entity {
        key: "check_hint",
        name: Name { en: "Morning check hint" },
        source: Source::Check,
        field: Some("hint"),
        class: Some("enum"),
        words: Some(hints),
        icon: Some("mdi:comment-alert-outline"),
        ..SENSOR
    },
    Entity {
        key: "morning_sdnn",
        name: Name { en: "Morning SDNN" },
        field: Some("sdnn"),
        unit: Some("ms"),
        icon: Some("mdi:heart-outline"),
        ..MORNING
    },
    Entity {
        key: "morning_pnn50",
        name: Name { en: "Morning pNN50" },
        field: Some("pnn50"),
        unit: Some("%"),
        icon: Some("mdi:heart-outline"),
        ..MORNING
    },
    Entity {
        key: "morning_artifacts",
        name: Name { en: "Morning artifacts" },
        field: Some("artifact_pct"),
        unit: Some("%"),
        precision: Some(1),
        icon: Some("mdi:heart-broken"),
        ..MORNING
    },
];
