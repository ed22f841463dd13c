//! The broker: where it is, and whether it really lets us in.

use crate::config::{self, Config};
use crate::daemon::Settings;
use crate::mqtt::{self, MqttConfig, NoEntry, TlsOptions};
use rustix::fs::MemfdFlags;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpStream;

/// Time for one attempt to reach a port.
const KNOCK: Duration = Duration::from_secs(3);
/// Time for the broker to let us in.
const LOGIN: Duration = Duration::from_secs(10);
/// Where a broker usually is, if nobody says so.
const USUAL: [&str; 3] = ["localhost", "homeassistant.local", "homeassistant"];

/// Host and port of somebody who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Place {
    /// `host`, `host:port`, `[v6]:port` or a bare IPv6 address.
    pub(super) fn parse(text: &str, usual: u16) -> Result<Self, String> {
        let text = text.trim();
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(format!("write only the host, without {scheme}://"));
        }
        let (host, port) = match text.strip_prefix('[').and_then(|t| t.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None if text.matches(':').count() == 1 => text.split_once(':').map_or((text, None), |(h, p)| (h, Some(p))),
            None => (text, None),
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|p| *p > 0).ok_or(format!("{port:?} is not a port"))?,
            None => usual,
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
            return Err(format!("{host:?} is not a host name or address"));
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// Whether something listens there.
    pub(super) async fn answers(&self) -> Result<(), String> {
        match tokio::time::timeout(KNOCK, TcpStream::connect((self.host.as_str(), self.port))).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) => Err(e.to_string()),
            Err(_) => Err(format!("no answer within {} s", KNOCK.as_secs())),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Brokers that answer: this machine's, Home Assistant's, and those that announce themselves (avahi).
pub(super) async fn search() -> Vec<Place> {
    let mut places: Vec<Place> = announced().await;
    for host in USUAL.iter().rev() {
        for port in [8883, 1883] {
            places.insert(0, Place { host: (*host).to_owned(), port });
        }
    }
    let knocks = places.into_iter().map(|p| async move { p.answers().await.is_ok().then_some(p) });
    let mut found: Vec<Place> = futures_util::future::join_all(knocks).await.into_iter().flatten().collect();
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|p| seen.insert(p.to_string()));
    found
}

/// What mDNS knows as `_mqtt._tcp`, if avahi-utils is installed.
async fn announced() -> Vec<Place> {
    let ask = tokio::task::spawn_blocking(|| {
        std::process::Command::new("avahi-browse").args(["-rptk", "_mqtt._tcp"]).output()
    });
    match tokio::time::timeout(KNOCK, ask).await {
        Ok(Ok(Ok(said))) => resolved(&String::from_utf8_lossy(&said.stdout)),
        _ => vec![],
    }
}

/// Lines of `avahi-browse -rp` that name a host: `=;interface;protocol;name;type;domain;host;address;port;text`.
fn resolved(lines: &str) -> Vec<Place> {
    let place = |line: &str| {
        let words: Vec<&str> = line.split(';').collect();
        let [_, _, protocol, _, _, _, host, _, port, ..] = words[..] else { return None };
        (line.starts_with('=') && protocol == "IPv4").then(|| Place::parse(&format!("{host}:{port}"), 1883).ok())?
    };
    lines.lines().filter_map(place).collect()
}

/// All that a login needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) place: Place,
    pub(super) tls: bool,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
}

impl Login {
    /// What the configuration says now.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let m = config.mqtt.as_ref()?;
        Some(Self {
            place: Place { host: m.host.clone(), port: m.port },
            tls: m.tls.is_some(),
            ca_file: m.tls.as_ref().and_then(|t| t.ca_file.clone()),
            username: m.username.clone(),
            // one that only the daemon may read stays where it is
            password: m.password.as_ref().and_then(|f| f.read().ok()).map(|s| s.expose().to_owned()),
        })
    }

    /// Connects, logs in and subscribes as the daemon would.
    pub(super) async fn test(&self, config: &Config) -> Result<(), NoEntry> {
        let refused = |why: String| NoEntry { why, hint: None };
        // a password that is only tried stands in no file system
        let secret = self.password.as_deref().map(in_memory).transpose().map_err(|e| refused(e.to_string()))?;
        let base = Settings::from(config).mqtt.unwrap_or_default();
        let client = base.tls.as_ref().and_then(|t| t.client.clone());
        let mqtt = MqttConfig {
            host: self.place.host.clone(),
            port: self.place.port,
            tls: self.tls.then(|| TlsOptions { ca_file: self.ca_file.clone(), client }),
            username: self.username.clone(),
            password_file: secret.as_ref().map(|f| format!("/proc/self/fd/{}", f.as_raw_fd()).into()),
            ..base
        };
        mqtt.validate().map_err(|e| refused(e.to_string()))?;
        mqtt::probe(&mqtt, LOGIN).await
    }

    /// The lines of the configuration that say this.
    pub(super) fn lines(&self) -> String {
        let text = |s: &str| toml::Value::String(s.to_owned()).to_string();
        let mut out = format!("[mqtt]\nhost = {}\nport = {}\n", text(&self.place.host), self.place.port);
        out += &self.username.as_ref().map_or(String::new(), |u| format!("username = {}\n", text(u)));
        out += &format!("\n[mqtt.tls]\nenabled = {}\n", self.tls);
        out += &self.ca_file.as_ref().map_or(String::new(), |p| format!("ca_file = {}\n", text(&p.to_string_lossy())));
        out
    }
}

fn in_memory(secret: &str) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("mqtt-password", MemfdFlags::CLOEXEC)?);
    file.write_all(secret.as_bytes())?;
    Ok(file)
}

/// A user name that the configuration would take.
pub(super) fn is_user(name: &str) -> bool {
    !name.is_empty() && name.trim() == name && name.chars().count() <= 64 && !name.chars().any(char::is_control)
}

/// A short name from whatever a person is called.
pub(super) fn short_name(name: &str) -> Option<crate::units::AthleteId> {
    config::slug_of(name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_people_write_them() {
        for (text, host, port) in [
            ("broker.lan", "broker.lan", 1883),
            (" 192.168.1.2:1884 ", "192.168.1.2", 1884),
            ("[fe80::1]:8883", "fe80::1", 8883),
            ("[fe80::1]", "fe80::1", 1883),
            ("fe80::1", "fe80::1", 1883),
        ] {
            assert_eq!(Place::parse(text, 1883), Ok(Place { host: host.into(), port }), "{text}");
        }
        for bad in ["", ":1883", "mqtt://x", "a b", "x:0", "x:99999", "x:y", "a/b"] {
            assert!(Place::parse(bad, 1883).is_err(), "{bad}");
        }
        assert_eq!(Place { host: "fe80::1".into(), port: 1 }.to_string(), "[fe80::1]:1");
    }

    #[test]
    fn avahi_names_hosts_and_ports() {
        let said = "+;eth0;IPv4;Mosquitto;_mqtt._tcp;local\n\
                    =;eth0;IPv6;Mosquitto;_mqtt._tcp;local;pi.local;fe80::1;1883;\n\
                    =;eth0;IPv4;Mosquitto;_mqtt._tcp;local;pi.local;192.168.1.9;1884;\"a\"\n=;broken\n";
        assert_eq!(resolved(said), [Place { host: "pi.local".into(), port: 1884 }]);
    }

    #[test]
    fn the_lines_are_a_configuration_of_the_same_login() {
        let login = Login {
            place: Place { host: "broker.lan".into(), port: 8883 },
            tls: true,
            ca_file: Some("/etc/ssl/\"own\".pem".into()),
            username: Some("hr\\vd".into()),
            password: Some("s3cret".into()),
        };
        let lines = login.lines();
        assert!(!lines.contains("s3cret"));
        let read: toml::Table = lines.parse().unwrap();
        let (mqtt, tls) = (&read["mqtt"], &read["mqtt"]["tls"]);
        assert_eq!(mqtt["username"].as_str(), Some("hr\\vd"));
        assert_eq!((tls["enabled"].as_bool(), tls["ca_file"].as_str()), (Some(true), Some("/etc/ssl/\"own\".pem")));
    }
}
