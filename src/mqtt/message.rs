//! A rendered message, and the small pieces that payloads are made of.

use super::topics::{OFFLINE, ONLINE};
use crate::ble::Counters;
use crate::check::Phase;
use crate::engine::LinkState;
use crate::publication::Publication;
use crate::verdict::{SmoothingVerdict, Units, Worn};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

/// State of the gateway itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BridgeStatus {
    /// What is wrong with the Bluetooth adapter, if anything.
    pub adapter_problem: Option<String>,
    /// What is wrong with the store, if anything.
    pub store_problem: Option<String>,
    /// Durable messages that the broker does not have yet.
    pub unsent: u64,
    /// When the daemon started, once the clock is known.
    pub started: Option<jiff::Timestamp>,
    /// Size of the database, begun MB (10^6 bytes).
    pub database_mb: Option<u64>,
    /// How often each level of recovery was needed; absent if the radio is not bluetoothd's.
    pub recovery: Option<Counters>,
}

/// A message and how it has to travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How.
    pub delivery: Delivery,
    /// What.
    pub publication: Publication,
}

/// How a message has to travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Part of the state that should stand on the broker; an empty payload removes it.
    Retained,
    /// True only now: at once or never.
    Live,
    /// An event that needs a link.
    Transient,
    /// Must arrive: goes through the store.
    Durable,
}

/// Every key is always there: Home Assistant keeps the old value of a missing one.
pub(super) fn no_numbers() -> Map<String, Value> {
    [
        "rmssd",
        "ln_rmssd",
        "hr",
        "mean_rr",
        "sdnn",
        "pnn50",
        "ln_rmssd_rr_ratio",
        "grade",
        "artifact_pct",
        "coverage",
        "n",
        "pairs",
        "at",
        "date",
        "posture",
        "notes",
        "id",
        "algo_version",
    ]
    .into_iter()
    .map(|k| (k.to_owned(), Value::Null))
    .collect()
}

/// State of a strap of which nothing is known yet.
pub(super) fn unknown_strap() -> Value {
    json!({
        "link": LinkState::Unknown.as_str(), "link_since": null, "battery": null, "rssi": null, "contact": null,
        "packets": 0, "defects": 0, "gaps": 0, "duplicates": 0, "last_packet": null,
        "worn": Worn::Unsure.as_str(), "units": Units::Unknown.as_str(),
        "smoothing": SmoothingVerdict::Unknown.as_str(), "coverage": null, "findings": [], "cause": null, "advice": null,
        "last_seen": null, "signal": null, "signal_trend": null, "battery_per_week": null, "battery_days": null,
        "released": false, "released_until": null, "recovery": null, "link_counts": null,
    })
}

/// State of a person's check before the first.
pub(super) fn idle() -> Value {
    json!({
        "phase": Phase::Idle.as_str(), "seconds_left": null, "percent": 0, "hr": null, "clean_pct": null,
        "hint": null, "cause": null, "id": null,
    })
}

/// A number rounded to some decimals; null if there is none. Never NaN: JSON has no word for it.
pub(super) fn number(value: Option<f64>, decimals: i32) -> Value {
    let scale = 10f64.powi(decimals);
    match value.map(|v| (v * scale).round() / scale).filter(|v| v.is_finite()) {
        Some(v) if decimals == 0 => json!(v as i64),
        Some(v) => json!(v),
        None => Value::Null,
    }
}

/// ISO 8601 with the offset of a time zone, whole seconds.
pub(super) fn iso(t: jiff::Timestamp, time_zone: &TimeZone) -> String {
    t.to_zoned_datetime(time_zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

pub(super) fn bytes(payload: &Value) -> Vec<u8> {
    payload.to_string().into_bytes()
}

pub(super) fn retained(topic: String, payload: &Value) -> Message {
    state(topic, bytes(payload))
}

pub(super) fn removed(topic: String) -> Message {
    state(topic, Vec::new())
}

pub(super) fn availability(topic: String, online: bool) -> Message {
    state(topic, if online { ONLINE } else { OFFLINE }.into())
}

pub(super) fn state(topic: String, payload: Vec<u8>) -> Message {
    Message { delivery: Delivery::Retained, publication: Publication { topic, payload, retain: true, qos: 1 } }
}
