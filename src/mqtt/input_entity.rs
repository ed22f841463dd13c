//! What an athlete may say about a day, each optional. A key is the level of its command topic and the field of its
//! state; the words are those of the types that read them.

use super::entity::{Entity, Name, SENSOR, Source};
use crate::load::{PlanKind, SessionKind};
use crate::readiness::{Caffeine, Feel, PainCourse, Quiet, Side};

const INPUT: Entity = Entity { source: Source::Inputs, ..SENSOR };
const NUMBER: Entity = Entity { platform: "number", ..INPUT };
const SELECT: Entity = Entity { platform: "select", ..INPUT };
const BUTTON: Entity = Entity { platform: "button", ..INPUT };
/// Hooper's four: 1 is best.
const WELLNESS: Entity = Entity { limits: Some((1, 7, Some(1.0))), ..NUMBER };
const FIVE: Entity = Entity { limits: Some((1, 5, Some(1.0))), ..NUMBER };

/// What is shown where nothing was said. Home Assistant takes the word "none" for no state at all.
const NO: &str = "no";
const OPEN: &str = "open";

fn feels() -> Vec<&'static str> {
    Feel::ALL.iter().map(|w| w.as_str()).collect()
}
fn pains() -> Vec<&'static str> {
    std::iter::once(NO).chain(PainCourse::ALL.iter().map(|w| w.as_str())).collect()
}
fn sides() -> Vec<&'static str> {
    Side::ALL.iter().map(|w| w.as_str()).collect()
}
fn caffeine() -> Vec<&'static str> {
    Caffeine::ALL.iter().map(|w| w.as_str()).collect()
}
fn plans() -> Vec<&'static str> {
    std::iter::once(OPEN).chain(PlanKind::ALL.iter().map(|w| w.as_str())).collect()
}
fn sessions() -> Vec<&'static str> {
    std::iter::once(OPEN).chain(SessionKind::ALL.iter().map(|w| w.as_str())).collect()
}
fn quiet() -> Vec<&'static str> {
    Quiet::ALL.iter().map(|w| w.as_str()).collect()
}

/// See the module.
pub(super) const ATHLETE: &[Entity] = &[
    Entity {
        key: "feel",
        name: Name { en: "Feel" },
        field: Some("feel"),
        takes: Some("feel"),
        words: Some(feels),
        icon: Some("mdi:emoticon-outline"),
        ..SELECT
    },
    Entity {
        key: "feel_good",
        name: Name { en: "Feel good" },
        takes: Some("feel"),
        payloads: &[("pl_prs", Feel::Good.as_str())],
        icon: Some("mdi:emoticon-happy-outline"),
        ..BUTTON
    },
    Entity {
        key: "feel_ok",
        name: Name { en: "Feel as usual" },
        takes: Some("feel"),
        payloads: &[("pl_prs", Feel::Ok.as_str())],
        icon: Some("mdi:emoticon-neutral-outline"),
        ..BUTTON
    },
    Entity {
        key: "feel_bad",
        name: Name { en: "Feel bad" },
        takes: Some("feel"),
        payloads: &[("pl_prs", Feel::Bad.as_str())],
        icon: Some("mdi:emoticon-sad-outline"),
        ..BUTTON
    },
    Entity {
        key: "wellness_sleep",
        name: Name { en: "Wellness sleep" },
        field: Some("wellness_sleep"),
        takes: Some("wellness_sleep"),
        icon: Some("mdi:sleep"),
        ..WELLNESS
    },
    Entity {
        key: "wellness_stress",
        name: Name { en: "Wellness stress" },
        field: Some("wellness_stress"),
        takes: Some("wellness_stress"),
        icon: Some("mdi:head-flash-outline"),
        ..WELLNESS
    },
    Entity {
        key: "wellness_fatigue",
        name: Name { en: "Wellness fatigue" },
        field: Some("wellness_fatigue"),
        takes: Some("wellness_fatigue"),
        icon: Some("mdi:battery-30"),
        ..WELLNESS
    },
    Entity {
        key: "wellness_soreness",
        name: Name { en: "Wellness soreness" },
        field: Some("wellness_soreness"),
        takes: Some("wellness_soreness"),
        icon: Some("mdi:human-handsdown"),
        ..WELLNESS
    },
    Entity {
        key: "motivation",
        name: Name { en: "Motivation" },
        field: Some("motivation"),
        takes: Some("motivation"),
        icon: Some("mdi:fire"),
        ..FIVE
    },
    Entity {
        key: "sleep_hours",
        name: Name { en: "Sleep hours" },
        field: Some("sleep_hours"),
        takes: Some("sleep_hours"),
        limits: Some((0, 24, Some(0.25))),
        class: Some("duration"),
        unit: Some("h"),
        icon: Some("mdi:bed-clock"),
        ..NUMBER
    },
    Entity {
        key: "sleep_quality",
        name: Name { en: "Sleep quality" },
        field: Some("sleep_quality"),
        takes: Some("sleep_quality"),
        enabled: false,
        icon: Some("mdi:bed-outline"),
        ..FIVE
    },
    Entity {
        key: "illness",
        platform: "switch",
        name: Name { en: "Illness" },
        field: Some("illness"),
        takes: Some("illness"),
        // A template renders a JSON boolean as Python writes it.
        payloads: &[("pl_on", "on"), ("pl_off", "off"), ("stat_on", "True"), ("stat_off", "False")],
        icon: Some("mdi:thermometer"),
        ..INPUT
    },
    Entity {
        key: "pain",
        name: Name { en: "Pain" },
        field: Some("pain"),
        takes: Some("pain"),
        words: Some(pains),
        blank: Some(NO),
        icon: Some("mdi:bandage"),
        ..SELECT
    },
    Entity {
        key: "pain_side",
        name: Name { en: "Pain side" },
        field: Some("pain_side"),
        takes: Some("pain_side"),
        words: Some(sides),
        enabled: false,
        icon: Some("mdi:human"),
        ..SELECT
    },
    Entity {
        key: "caffeine",
        name: Name { en: "Caffeine" },
        field: Some("caffeine"),
        takes: Some("caffeine"),
        words: Some(caffeine),
        enabled: false,
        icon: Some("mdi:coffee-outline"),
        ..SELECT
    },
    Entity {
        key: "tag",
        platform: "text",
        name: Name { en: "Tag" },
        takes: Some("tag"),
        limits: Some((1, 33, None)),
        // a minus before it takes it back
        pattern: Some("^-?[a-z0-9_][a-z0-9_-]*$"),
        enabled: false,
        icon: Some("mdi:tag-outline"),
        ..INPUT
    },
    Entity {
        key: "plan",
        name: Name { en: "Plan" },
        field: Some("plan"),
        takes: Some("plan"),
        words: Some(plans),
        blank: Some(OPEN),
        icon: Some("mdi:calendar-star"),
        ..SELECT
    },
    Entity {
        key: "session_kind",
        name: Name { en: "Session kind" },
        field: Some("session_kind"),
        takes: Some("session_kind"),
        words: Some(sessions),
        blank: Some(OPEN),
        icon: Some("mdi:shoe-sneaker"),
        ..SELECT
    },
    Entity {
        key: "session_rpe",
        name: Name { en: "Session exertion" },
        field: Some("session_rpe"),
        takes: Some("session_rpe"),
        limits: Some((0, 10, Some(0.5))),
        icon: Some("mdi:arm-flex-outline"),
        ..NUMBER
    },
    Entity {
        key: "session_minutes",
        name: Name { en: "Session length" },
        field: Some("session_minutes"),
        takes: Some("session_minutes"),
        limits: Some((1, 2880, Some(1.0))),
        class: Some("duration"),
        unit: Some("min"),
        icon: Some("mdi:timer-plus-outline"),
        ..NUMBER
    },
    Entity {
        key: "session_log",
        name: Name { en: "Log session" },
        takes: Some("session_log"),
        payloads: &[("pl_prs", "PRESS")],
        icon: Some("mdi:notebook-plus-outline"),
        ..BUTTON
    },
    Entity {
        key: "was_right",
        name: Name { en: "Verdict was right" },
        takes: Some("was_right"),
        payloads: &[("pl_prs", "yes")],
        icon: Some("mdi:thumb-up-outline"),
        ..BUTTON
    },
    Entity {
        key: "was_wrong",
        name: Name { en: "Verdict was wrong" },
        takes: Some("was_right"),
        payloads: &[("pl_prs", "no")],
        icon: Some("mdi:thumb-down-outline"),
        ..BUTTON
    },
    Entity {
        key: "quiet",
        name: Name { en: "Quiet mode" },
        field: Some("quiet"),
        takes: Some("quiet"),
        words: Some(quiet),
        setting: true,
        icon: Some("mdi:bell-sleep-outline"),
        ..SELECT
    },
    Entity {
        key: "recalibrate",
        name: Name { en: "Recalibrate from today" },
        takes: Some("recalibrate"),
        payloads: &[("pl_prs", "PRESS")],
        setting: true,
        enabled: false,
        icon: Some("mdi:tune-variant"),
        ..BUTTON
    },
];
