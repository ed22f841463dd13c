//! What the daemon is doing, for `doctor`, `scan` and whoever asks on the control socket.

use super::hub::Hub;
use crate::ble;
use crate::diagnosis::Cause;
use crate::engine::StrapStatus;
use crate::json::{self, Zero};
use crate::mqtt::BridgeStatus;
use crate::units::{Mono, Now};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;

/// Counters of recovery alone are told at most this often.
const COUNTERS_EVERY: Duration = Duration::from_secs(60);

impl Hub {
    /// Says how the gateway is, if that is news.
    pub(super) fn say_bridge(&mut self, radio: &watch::Receiver<ble::Status>) {
        let health = self.store.health().borrow().clone();
        let status = BridgeStatus {
            adapter_problem: if self.radio_used { adapter_problem(&radio.borrow()) } else { None },
            store_problem: health.message,
            unsent: health.outbox_unsent,
            started: self.started,
            database_mb: self.night.size_mb,
            recovery: self.radio_used.then(|| radio.borrow().counters),
        };
        let now = self.clock.mono();
        let news = self.bridge.as_ref().is_none_or(|(at, said)| {
            let counted = BridgeStatus { recovery: said.recovery, ..status.clone() };
            counted != *said || (status != *said && now.since(*at) >= COUNTERS_EVERY)
        });
        if news {
            let message = self.renderer.bridge(&status);
            self.bridge = Some((now, status));
            self.tell(message);
        }
    }

    pub(super) fn status(&self, now: Now, radio: &ble::Status) -> Value {
        let health = self.store.health().borrow().clone();
        let mqtt = self.mqtt.status().borrow().clone();
        let straps = self.engine.strap_statuses(now.mono);
        let checks = self.engine.check_statuses(now.mono);
        json!({
            "type": "status",
            "version": env!("CARGO_PKG_VERSION"),
            "started": self.started.map(|t| t.to_string()),
            "adapter": adapter_words(&radio.adapter),
            "adapter_problem": if self.radio_used { adapter_problem(radio) } else { None },
            "scanning": radio.scanning,
            "recovery": json::recovery(&radio.counters),
            "advice": straps.iter().filter_map(|s| self.advice(s)).collect::<Vec<_>>(),
            "mqtt": mqtt.as_str(),
            "mqtt_detail": mqtt.to_string(),
            "store_ok": health.ok,
            "store_problem": health.message,
            "unsaved": health.unsaved,
            "unsent": health.outbox_unsent,
            "clock_known": now.wall.is_some(),
            "straps": straps.iter().map(|s| self.strap(now.mono, s)).collect::<Vec<_>>(),
            "checks": checks.iter().map(|c| json::check(Zero::default(), now.mono, c)).collect::<Vec<_>>(),
        })
    }

    /// What somebody should do about a strap.
    fn advice(&self, s: &StrapStatus) -> Option<Value> {
        let cause = self.straps.explained(s.strap).cause.filter(|c| !c.is_calm())?;
        Some(json!({"strap": s.strap.to_string(), "text": cause.advice()}))
    }

    /// A strap with its explanation.
    fn strap(&self, now: Mono, s: &StrapStatus) -> Value {
        let mut v = json::strap(Zero::default(), now, s);
        let e = self.straps.explained(s.strap);
        v["cause"] = json!(e.cause.map(Cause::as_str));
        v["advice"] = json!(e.cause.and_then(Cause::advice));
        v["calm"] = json!(e.cause.is_none_or(Cause::is_calm));
        v["last_seen_age_s"] = json!(e.last_seen.map(|t| now.since(t).as_secs()));
        v["signal_dbm"] = json!(e.signal.dbm);
        v["signal_trend"] = json!(e.signal.trend.map(|t| t.as_str()));
        v["battery_days"] = json!(e.battery.map(|f| f.days_left));
        v["recovery"] = json!(e.link.map(|(r, _)| r.as_str()));
        v["link_counts"] = e.link.map_or(Value::Null, |(_, c)| json::link(&c));
        v["released"] = json!(e.released_until.is_some());
        v["released_s"] = json!(e.released_until.map(|t| t.since(now).as_secs()));
        v
    }
}

fn adapter_words(adapter: &ble::Adapter) -> String {
    match adapter {
        ble::Adapter::Unknown => "unknown".into(),
        ble::Adapter::Unreachable(_) => "unreachable".into(),
        ble::Adapter::Missing => "missing".into(),
        ble::Adapter::Here(info) => info.name.clone(),
    }
}

/// What is wrong with the radio as a whole, in words.
pub(super) fn adapter_problem(status: &ble::Status) -> Option<String> {
    match &status.adapter {
        ble::Adapter::Here(info) if info.powered => None,
        ble::Adapter::Here(_) => Some("Bluetooth adapter is off".into()),
        ble::Adapter::Missing => Some("no Bluetooth adapter".into()),
        ble::Adapter::Unreachable(Some(e)) => Some(format!("Bluetooth does not answer: {e}")),
        ble::Adapter::Unreachable(None) => Some("Bluetooth does not answer".into()),
        ble::Adapter::Unknown => None,
    }
}
