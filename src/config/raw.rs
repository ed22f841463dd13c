//! The configuration as typed. Field names here are the keys of the file; the defaults stand here and nowhere else.

use super::number::{Bpm, Count, Port};
use super::value::{
    AbsolutePath, Adapter, GatewayId, Host, Keep, Language, Line, LogFilter, Parsed, Period, TimeOfDay, Topic, Zone,
};
use crate::check::Posture;
use crate::load::PlanKind;
use crate::mqtt::Publish;
use crate::preference::{MAX_HR, REST_HR};
use crate::units::{AthleteId, StrapId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

// No `flatten`, no `untagged`: both lose the place of an error.

fn secs<const MIN: u64, const MAX: u64>(s: u64) -> Parsed<Period<MIN, MAX>> {
    Parsed(Period(Duration::from_secs(s)))
}

fn path(text: &str) -> Parsed<AbsolutePath> {
    Parsed(AbsolutePath(Path::new(text).to_owned()))
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) gateway: RawGateway,
    pub(super) mqtt: RawMqtt,
    pub(super) bluetooth: RawBluetooth,
    pub(super) store: RawStore,
    pub(super) check: RawCheck,
    pub(super) readiness: RawReadiness,
    pub(super) control: RawControl,
    pub(super) log: RawLog,
    #[serde(skip_serializing)]
    pub(super) athlete: Vec<RawAthlete>,
    #[serde(skip_serializing)]
    pub(super) strap: Vec<RawStrap>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: [gateway]")]
pub(super) struct RawGateway {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Parsed<GatewayId>>,
    pub(super) language: Parsed<Language>,
}

impl Default for RawGateway {
    fn default() -> Self {
        Self { id: None, language: Parsed(Language("en".into())) }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: [mqtt]")]
pub(super) struct RawMqtt {
    pub(super) enabled: bool,
    pub(super) host: Parsed<Host>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<Port>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<Parsed<Line>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password_file: Option<Parsed<AbsolutePath>>,
    pub(super) base_topic: Parsed<Topic>,
    pub(super) discovery_prefix: Parsed<Topic>,
    pub(super) ha_status_topic: Parsed<Topic>,
    pub(super) keep_alive: Parsed<Period<5, 300>>,
    pub(super) live_interval: Parsed<Period<1, 60>>,
    pub(super) tls: RawTls,
}

impl Default for RawMqtt {
    fn default() -> Self {
        Self {
            enabled: true,
            host: Parsed(Host("localhost".into())),
            port: None,
            username: None,
            password_file: None,
            base_topic: Parsed(Topic("hrvd".into())),
            discovery_prefix: Parsed(Topic("homeassistant".into())),
            ha_status_topic: Parsed(Topic("homeassistant/status".into())),
            keep_alive: secs(30),
            live_interval: secs(5),
            tls: RawTls::default(),
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: [mqtt.tls]")]
pub(super) struct RawTls {
    pub(super) enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ca_file: Option<Parsed<AbsolutePath>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_cert: Option<Parsed<AbsolutePath>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_key: Option<Parsed<AbsolutePath>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: [bluetooth]")]
pub(super) struct RawBluetooth {
    pub(super) enabled: bool,
    pub(super) adapter: Parsed<Adapter>,
    pub(super) power_on: bool,
    pub(super) silence: Parsed<Period<2, 60>>,
    pub(super) scan_on: Parsed<Period<2, 60>>,
    pub(super) scan_off: Parsed<Period<1, 600>>,
}

impl Default for RawBluetooth {
    fn default() -> Self {
        Self {
            enabled: true,
            adapter: Parsed(Adapter(String::new())),
            power_on: false,
            silence: secs(5),
            scan_on: secs(8),
            scan_off: secs(4),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: [store]")]
pub(super) struct RawStore {
    pub(super) path: Parsed<AbsolutePath>,
    pub(super) commit_interval: Parsed<Period<1, 60>>,
    pub(super) raw_keep: Parsed<Keep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) backup_dir: Option<Parsed<AbsolutePath>>,
    pub(super) backup_keep: Count<1, 366>,
}

impl Default for RawStore {
    fn default() -> Self {
        Self {
            path: path("/var/lib/hrvd/hrvd.db"),
            commit_interval: secs(10),
            raw_keep: Parsed(Keep(None)),
            backup_dir: None,
            backup_keep: Count(7),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: [check]")]
pub(super) struct RawCheck {
    // Never less than 30 s: in the first half minute the heart still answers to lying down.
    pub(super) settle: Parsed<Period<30, 600>>,
    pub(super) settle_min: Parsed<Period<30, 600>>,
    pub(super) settle_max: Parsed<Period<30, 600>>,
    pub(super) record: Parsed<Period<60, 600>>,
    pub(super) extend: Parsed<Period<0, 300>>,
    pub(super) clean_min: Parsed<Period<60, 600>>,
    pub(super) dropout_max: Parsed<Period<1, 300>>,
    pub(super) wait: Parsed<Period<30, 1800>>,
}

impl Default for RawCheck {
    fn default() -> Self {
        Self {
            settle: secs(60),
            settle_min: secs(30),
            settle_max: secs(180),
            record: secs(120),
            extend: secs(60),
            clean_min: secs(60),
            dropout_max: secs(60),
            wait: secs(300),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: [readiness]")]
pub(super) struct RawReadiness {
    pub(super) feel_wait: Parsed<Period<0, 14400>>,
}

impl Default for RawReadiness {
    fn default() -> Self {
        Self { feel_wait: Parsed(Period(crate::readiness::DEFAULT_WAIT)) }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: [control]")]
pub(super) struct RawControl {
    pub(super) socket: Parsed<AbsolutePath>,
}

impl Default for RawControl {
    fn default() -> Self {
        Self { socket: path("/run/hrvd/control.sock") }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: [log]")]
pub(super) struct RawLog {
    pub(super) level: Parsed<LogFilter>,
}

impl Default for RawLog {
    fn default() -> Self {
        Self { level: Parsed(LogFilter("info".into())) }
    }
}

/// Every field may be missing here: a missing one is reported together with all other errors.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: [[athlete]]")]
pub(super) struct RawAthlete {
    pub(super) slug: Option<Parsed<AthleteId>>,
    pub(super) name: Option<Parsed<Line>>,
    pub(super) timezone: Option<Parsed<Zone>>,
    pub(super) posture: Option<Parsed<Posture>>,
    pub(super) auto_start: Option<bool>,
    pub(super) wake_window: Option<RawWindow>,
    pub(super) publish: Option<Parsed<Publish>>,
    pub(super) plan: Option<BTreeMap<String, Parsed<PlanKind>>>,
    pub(super) max_hr: Option<Bpm<{ MAX_HR.0 }, { MAX_HR.1 }>>,
    pub(super) rest_hr: Option<Bpm<{ REST_HR.0 }, { REST_HR.1 }>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { from = \"04:30\", to = \"10:00\" }")]
pub(super) struct RawWindow {
    pub(super) from: Option<Parsed<TimeOfDay>>,
    pub(super) to: Option<Parsed<TimeOfDay>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: [[strap]]")]
pub(super) struct RawStrap {
    pub(super) address: Option<Parsed<StrapId>>,
    pub(super) athlete: Option<Parsed<AthleteId>>,
    pub(super) name: Option<Parsed<Line>>,
    pub(super) release: Option<Vec<RawWindow>>,
}
