//! The retained state of a strap: what the engine knows of it, and the explanation beside it.

use super::message::{iso, number};
use crate::battery::Forecast;
use crate::ble::signal::Signal;
use crate::ble::{Counters, Recovery};
use crate::diagnosis::Cause;
use crate::engine::StrapStatus;
use crate::units::{Mono, Now};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::time::Duration;

/// The end of a release is told again when it moved by more than this; less is rounding.
const MOVED: Duration = Duration::from_secs(5);

/// What is known of a strap beside the engine's status.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Explained {
    /// Why it delivers less than it could; `None` before anybody looked.
    pub cause: Option<Cause>,
    /// When it was last seen advertising or connected.
    pub last_seen: Option<Mono>,
    /// Signal over the advertisements of the last reconnects.
    pub signal: Signal,
    /// How long the battery will last, if that can be said.
    pub battery: Option<Forecast>,
    /// Until when it is let go.
    pub released_until: Option<Mono>,
    /// What is being done to get its heart rate, and how often what was needed; `None` if the radio is not bluetoothd's.
    pub link: Option<(Recovery, Counters)>,
}

impl Explained {
    /// Whether the difference is worth a message of its own.
    pub(super) fn differs(&self, other: &Self) -> bool {
        let moved = match (self.released_until, other.released_until) {
            (Some(a), Some(b)) => a.since(b).max(b.since(a)) > MOVED,
            (a, b) => a.is_some() != b.is_some(),
        };
        let days = |e: &Self| e.battery.map(|f| f.days_left);
        moved || (self.cause, self.signal.trend, days(self)) != (other.cause, other.signal.trend, days(other))
    }
}

/// The payload. Every key is always there: Home Assistant keeps the old value of a missing one.
pub(super) fn payload(status: &StrapStatus, explained: &Explained, now: Now, time_zone: &TimeZone) -> Value {
    let wall = |at: Mono| {
        let ago = jiff::SignedDuration::from_micros(now.mono.diff_micros(at));
        Some(iso(now.wall?.checked_sub(ago).ok()?, time_zone))
    };
    let v = &status.verdict;
    json!({
        "link": status.link.as_str(),
        "link_since": wall(status.link_since),
        "battery": status.facts.battery_pct,
        "rssi": status.facts.rssi_dbm,
        "contact": status.contact,
        "packets": status.packets,
        "defects": status.defects,
        "gaps": status.gaps,
        "duplicates": status.duplicates,
        "last_packet": status.last_packet.and_then(wall),
        "worn": v.worn.as_str(),
        "units": v.units.as_str(),
        "smoothing": v.smoothing.as_str(),
        "coverage": number(v.coverage.map(|c| 100.0 * c.share), 0),
        "findings": v.findings.iter().map(|f| f.id.as_str()).collect::<Vec<_>>(),
        "cause": explained.cause.map(Cause::as_str),
        "advice": explained.cause.and_then(Cause::advice),
        "last_seen": explained.last_seen.and_then(wall),
        "signal": explained.signal.dbm,
        "signal_trend": explained.signal.trend.map(|t| t.as_str()),
        "battery_per_week": number(explained.battery.map(|f| f.per_week), 1),
        "battery_days": explained.battery.map(|f| f.days_left),
        "released": explained.released_until.is_some(),
        "released_until": explained.released_until.and_then(wall),
        "recovery": explained.link.map(|(r, _)| r.as_str()),
        "link_counts": explained.link.map(|(_, c)| crate::json::link(&c)),
    })
}
