//! The configuration in the words of the edges.

use super::{Configured, Keeping, ReadinessSettings};
use crate::ble::{BleConfig, arbiter::ArbiterConfig, link::LinkConfig};
use crate::check::CheckConfig;
use crate::config::Config;
use crate::engine::{Roster, WakeWindow};
use crate::mqtt::{ClientCert, MqttConfig, RenderOptions, TlsOptions};
use crate::units::StrapId;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Everything the daemon needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How readiness is judged.
    pub readiness: ReadinessSettings,
    /// What can be changed while the daemon runs, as configured.
    pub configured: Configured,
    /// How often live values are said.
    pub live_interval: Duration,
    /// The morning check.
    pub check: CheckConfig,
    /// People and straps of the configuration.
    pub roster: Roster,
    /// When straps of the configuration are let go, in their athletes' local time.
    pub releases: BTreeMap<StrapId, Vec<WakeWindow>>,
    /// The broker, if there is one.
    pub mqtt: Option<MqttConfig>,
    /// How things look in Home Assistant.
    pub render: RenderOptions,
    /// The radio, if it is used.
    pub bluetooth: Option<BleConfig>,
    /// The database.
    pub store: PathBuf,
    /// Raw records stay in memory only for at most this long.
    pub flush_every: Duration,
    /// What is kept, for how long, and where else.
    pub keeping: Keeping,
    /// The control socket.
    pub control_socket: PathBuf,
}

/// A map, filled one by one: `collect` sorts first, with 8 kB of program for each pair of types.
pub(crate) fn keyed<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(entries);
    map
}

impl From<&Config> for Settings {
    fn from(c: &Config) -> Self {
        Self {
            readiness: ReadinessSettings {
                feel_wait: c.feel_wait,
                plans: keyed(c.athletes.iter().map(|a| (a.slug.clone(), a.plan.clone()))),
            },
            configured: Configured {
                people: keyed(c.athletes.iter().map(|a| (a.slug.clone(), a.personal()))),
                log_level: c.log_level.clone(),
                ..Configured::default()
            },
            live_interval: c.live_interval,
            check: c.check.clone(),
            roster: c.roster(),
            releases: keyed(c.straps.iter().map(|s| (s.address, s.release.clone()))),
            mqtt: c.mqtt.as_ref().map(|m| MqttConfig {
                host: m.host.clone(),
                port: m.port,
                tls: m.tls.as_ref().map(|t| TlsOptions {
                    ca_file: t.ca_file.clone(),
                    client: t
                        .client
                        .as_ref()
                        .map(|c| ClientCert { cert_file: c.certificate.clone(), key_file: c.key.clone() }),
                }),
                username: m.username.clone(),
                password_file: m.password.as_ref().map(|p| p.path.clone()),
                base_topic: m.base_topic.clone(),
                gateway_id: c.gateway.id.clone(),
                discovery_prefix: m.discovery_prefix.clone(),
                ha_status_topic: m.ha_status_topic.clone(),
                keep_alive: m.keep_alive,
                ..MqttConfig::default()
            }),
            render: RenderOptions {
                live_interval: c.live_interval,
                // checked when it was read
                language: c.gateway.language.parse().unwrap_or_default(),
                publish: keyed(c.athletes.iter().map(|a| (a.slug.clone(), a.publish))),
                ..RenderOptions::default()
            },
            bluetooth: c.bluetooth.as_ref().map(|b| BleConfig {
                adapter: b.adapter.clone(),
                machine: ArbiterConfig {
                    power_on: b.power_on,
                    scan_on: b.scan_on,
                    scan_off: b.scan_off,
                    link: LinkConfig { silence: b.silence, ..LinkConfig::default() },
                    ..ArbiterConfig::default()
                },
            }),
            store: c.store.path.clone(),
            flush_every: c.store.commit_interval,
            keeping: Keeping {
                backup_dir: c.store.backup_dir.clone(),
                backup_keep: c.store.backup_keep,
                raw_keep: c.store.raw_keep,
            },
            control_socket: c.control_socket.clone(),
        }
    }
}
