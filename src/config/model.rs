//! The configuration as the rest of the program sees it: valid by construction.

use super::secret::PasswordFile;
use crate::check::{CheckConfig, Posture};
use crate::engine::{Athlete, Roster, Strap, WakeWindow};
use crate::load::Planned;
use crate::mqtt::Publish;
use crate::preference::Personal;
use crate::units::{AthleteId, StrapId};
use jiff::tz::TimeZone;
use std::path::PathBuf;
use std::time::Duration;

/// A valid configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// This gateway.
    pub gateway: Gateway,
    /// The broker; `None` if MQTT is switched off.
    pub mqtt: Option<Mqtt>,
    /// How often live values go out (`mqtt.live_interval`); also paces local listeners.
    pub live_interval: Duration,
    /// The radio; `None` if Bluetooth is switched off.
    pub bluetooth: Option<Bluetooth>,
    /// The database.
    pub store: Store,
    /// The protocol of the morning check.
    pub check: CheckConfig,
    /// How long a verdict waits for the feel (`readiness.feel_wait`).
    pub feel_wait: Duration,
    /// Path of the control socket.
    pub control_socket: PathBuf,
    /// Log filter: a level, then exceptions for modules.
    pub log_level: String,
    /// People.
    pub athletes: Vec<AthleteConfig>,
    /// Adopted straps.
    pub straps: Vec<StrapConfig>,
}

/// This gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Short name in topics and ids.
    pub id: String,
    /// Language of names.
    pub language: String,
}

/// The broker and what we say to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mqtt {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User name; `None` is anonymous.
    pub username: Option<String>,
    /// Where the password is; never without a user name.
    pub password: Option<PasswordFile>,
    /// First level(s) of our own topics.
    pub base_topic: String,
    /// Where Home Assistant looks for discovery.
    pub discovery_prefix: String,
    /// Where Home Assistant says that it has started.
    pub ha_status_topic: String,
    /// MQTT keep-alive.
    pub keep_alive: Duration,
    /// TLS; always verified. `None` is plain TCP.
    pub tls: Option<Tls>,
}

/// TLS to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Own certificate authority; the system's otherwise.
    pub ca_file: Option<PathBuf>,
    /// Client certificate and its key.
    pub client: Option<ClientCertificate>,
}

/// Files of a client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// The radio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bluetooth {
    /// Adapter such as `hci0`; `None` is the first one.
    pub adapter: Option<String>,
    /// Whether to switch the adapter on.
    pub power_on: bool,
    /// Without heart rate for this long a strap is silent.
    pub silence: Duration,
    /// Length of a scan.
    pub scan_on: Duration,
    /// Pause between scans.
    pub scan_off: Duration,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Its file.
    pub path: PathBuf,
    /// Longest time between commits.
    pub commit_interval: Duration,
    /// Days that raw packets are kept; `None` is for ever.
    pub raw_keep: Option<u32>,
    /// Where a copy goes each night, if somewhere.
    pub backup_dir: Option<PathBuf>,
    /// Copies that stay there.
    pub backup_keep: u32,
}

/// A person.
#[derive(Clone, Debug, PartialEq)]
pub struct AthleteConfig {
    /// Short name.
    pub slug: AthleteId,
    /// Name to show.
    pub name: String,
    /// Time zone of the person's mornings.
    pub time_zone: TimeZone,
    /// Usual posture of the check.
    pub posture: Posture,
    /// Whether putting a strap on inside the window starts the check.
    pub auto_start: bool,
    /// When the person wakes up.
    pub wake_window: WakeWindow,
    /// How much of the person goes to the broker.
    pub publish: Publish,
    /// What the person's days are planned for.
    pub plan: Planned,
    /// Maximum heart rate, bpm, if it is known.
    pub max_hr: Option<u16>,
    /// Resting heart rate, bpm, if it is known.
    pub rest_hr: Option<u16>,
}

impl AthleteConfig {
    /// What the person may change while the daemon runs, as configured.
    pub fn personal(&self) -> Personal {
        let Self { max_hr, rest_hr, auto_start, wake_window, .. } = *self;
        Personal { max_hr, rest_hr, auto_start, wake_window }
    }
}

/// An adopted strap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrapConfig {
    /// Address.
    pub address: StrapId,
    /// Whose.
    pub athlete: AthleteId,
    /// Name to show; the advertised one if `None`.
    pub name: Option<String>,
    /// When other apps may have it, in its athlete's local time.
    pub release: Vec<WakeWindow>,
}

impl Config {
    /// People and straps in the engine's words.
    pub fn roster(&self) -> Roster {
        let athletes = self.athletes.iter().map(|a| Athlete {
            id: a.slug.clone(),
            name: a.name.clone(),
            time_zone: a.time_zone.clone(),
            posture: a.posture,
            wake_window: a.personal().window(),
        });
        let straps =
            self.straps.iter().map(|s| Strap { id: s.address, athlete: s.athlete.clone(), name: s.name.clone() });
        Roster { athletes: athletes.collect(), straps: straps.collect() }
    }
}
