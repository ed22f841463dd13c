//! The day's verdict of an athlete: the level with everything behind it as attributes, and what is worth a history.

use super::entity::{Entity, Name, SENSOR, Source};
use crate::readiness::{Confidence, DayState, Hard, Level, Stage};

const VERDICT: Entity = Entity { source: Source::Readiness, ..SENSOR };
const NUMBER: Entity = Entity { measurement: true, ..VERDICT };
/// Few people look at it, and it stands among the attributes of the level too.
const ASIDE: Entity = Entity { enabled: false, ..NUMBER };

fn levels() -> Vec<&'static str> {
    Level::ALL.iter().map(|w| w.as_str()).collect()
}
fn hards() -> Vec<&'static str> {
    Hard::ALL.iter().map(|w| w.as_str()).collect()
}
fn confidences() -> Vec<&'static str> {
    Confidence::ALL.iter().map(|w| w.as_str()).collect()
}
fn stages() -> Vec<&'static str> {
    Stage::ALL.iter().map(|w| w.as_str()).collect()
}
fn states() -> Vec<&'static str> {
    DayState::ALL.iter().map(|w| w.as_str()).collect()
}
fn events() -> Vec<&'static str> {
    EVENTS.to_vec()
}

/// Event types of a verdict: the first of a day, a later version, and a check that waits for how it feels.
pub(super) const EVENTS: [&str; 3] = ["verdict", "revised", "feel_wanted"];

/// See the module.
pub(super) const ATHLETE: &[Entity] = &[
    Entity {
        key: "readiness",
        name: Name { en: "Readiness" },
        field: Some("level"),
        class: Some("enum"),
        words: Some(levels),
        attributes: true,
        icon: Some("mdi:traffic-light"),
        ..VERDICT
    },
    Entity {
        key: "readiness_state",
        name: Name { en: "Readiness state" },
        field: Some("state"),
        class: Some("enum"),
        words: Some(states),
        icon: Some("mdi:progress-question"),
        ..VERDICT
    },
    Entity {
        key: "readiness_hard",
        name: Name { en: "Hard session today" },
        field: Some("hard"),
        class: Some("enum"),
        words: Some(hards),
        icon: Some("mdi:run-fast"),
        ..VERDICT
    },
    Entity {
        key: "readiness_score",
        name: Name { en: "Readiness score" },
        field: Some("score"),
        precision: Some(0),
        icon: Some("mdi:gauge"),
        ..NUMBER
    },
    Entity {
        key: "readiness_confidence",
        name: Name { en: "Readiness confidence" },
        field: Some("confidence"),
        class: Some("enum"),
        words: Some(confidences),
        enabled: false,
        icon: Some("mdi:help-rhombus-outline"),
        ..VERDICT
    },
    Entity {
        key: "baseline_stage",
        name: Name { en: "Baseline" },
        field: Some("baseline_stage"),
        class: Some("enum"),
        words: Some(stages),
        icon: Some("mdi:school-outline"),
        ..VERDICT
    },
    Entity {
        key: "baseline_days_missing",
        name: Name { en: "Baseline days missing" },
        field: Some("days_missing"),
        class: Some("duration"),
        unit: Some("d"),
        precision: Some(0),
        icon: Some("mdi:calendar-clock"),
        measurement: false,
        ..NUMBER
    },
    Entity {
        key: "ln_rmssd_7d",
        name: Name { en: "lnRMSSD 7 d" },
        field: Some("ln_rmssd_7d"),
        precision: Some(2),
        icon: Some("mdi:chart-line"),
        ..NUMBER
    },
    Entity {
        key: "baseline_low",
        name: Name { en: "Normal range low" },
        field: Some("baseline_low"),
        precision: Some(2),
        icon: Some("mdi:arrow-collapse-down"),
        ..NUMBER
    },
    Entity {
        key: "baseline_high",
        name: Name { en: "Normal range high" },
        field: Some("baseline_high"),
        precision: Some(2),
        icon: Some("mdi:arrow-collapse-up"),
        ..NUMBER
    },
    Entity {
        key: "load_7d",
        name: Name { en: "Load 7 d" },
        field: Some("load_7d"),
        precision: Some(0),
        icon: Some("mdi:weight-lifter"),
        ..NUMBER
    },
    Entity {
        key: "load_chronic",
        name: Name { en: "Chronic load" },
        field: Some("ctl"),
        precision: Some(0),
        icon: Some("mdi:chart-bell-curve"),
        ..ASIDE
    },
    Entity {
        key: "load_acute",
        name: Name { en: "Acute load" },
        field: Some("atl"),
        precision: Some(0),
        icon: Some("mdi:chart-timeline"),
        ..ASIDE
    },
    Entity {
        key: "load_form",
        name: Name { en: "Form" },
        field: Some("tsb"),
        precision: Some(0),
        icon: Some("mdi:scale-balance"),
        ..ASIDE
    },
    Entity {
        key: "hours_since_hard",
        name: Name { en: "Time since hard session" },
        field: Some("hours_since_hard"),
        class: Some("duration"),
        unit: Some("h"),
        precision: Some(0),
        icon: Some("mdi:timer-outline"),
        ..ASIDE
    },
    Entity {
        key: "hit_rate",
        name: Name { en: "Verdicts that were right" },
        field: Some("hit_rate"),
        unit: Some("%"),
        precision: Some(0),
        icon: Some("mdi:bullseye-arrow"),
        ..ASIDE
    },
    Entity {
        key: "readiness_event",
        platform: "event",
        name: Name { en: "Readiness event" },
        source: Source::ReadinessEvent,
        words: Some(events),
        icon: Some("mdi:bell-ring-outline"),
        ..SENSOR
    },
];
