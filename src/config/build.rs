//! Merged values to a [`Config`]: the rules that concern more than one value, and the files that values name.

use super::error::{Origin, Problem};
use super::load::{Setting, Surroundings};
use super::model::{Bluetooth, ClientCertificate, Config, Gateway, Mqtt, Store, Tls};
use super::read::Merged;
use super::roster::Roster;
use super::schema;
use super::secret::PasswordFile;
use super::value::slug_of;
use crate::check::CheckConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The work in progress.
pub(super) struct Build<'a> {
    merged: &'a Merged,
    refused: &'a BTreeSet<String>,
    pub(super) around: &'a Surroundings,
    main: &'a Path,
    pub(super) problems: &'a mut Vec<Problem>,
    /// Values that were found and not typed.
    derived: BTreeMap<&'static str, (toml::Value, Origin)>,
    pub(super) list_settings: Vec<Setting>,
}

/// Applies the rules. Without a config there is at least one error among the problems.
pub(super) fn build(
    merged: &Merged,
    roster: &Roster,
    refused: &BTreeSet<String>,
    (around, main): (&Surroundings, &Path),
    problems: &mut Vec<Problem>,
) -> (Option<Config>, Vec<Setting>) {
    let mut build =
        Build { merged, refused, around, main, problems, derived: BTreeMap::new(), list_settings: Vec::new() };
    let raw = &merged.raw;
    let gateway = build.gateway();
    let mqtt = build.mqtt();
    let check = build.check();
    let athletes = build.athletes(roster);
    let straps = build.straps(roster);
    let bluetooth = raw.bluetooth.enabled.then(|| Bluetooth {
        adapter: Some(raw.bluetooth.adapter.0.0.clone()).filter(|a| !a.is_empty()),
        power_on: raw.bluetooth.power_on,
        silence: raw.bluetooth.silence.0.0,
        scan_on: raw.bluetooth.scan_on.0.0,
        scan_off: raw.bluetooth.scan_off.0.0,
    });
    let settings = build.settings();
    let config = athletes.zip(straps).map(|(athletes, straps)| Config {
        gateway,
        mqtt,
        live_interval: raw.mqtt.live_interval.0.0,
        bluetooth,
        store: Store {
            path: raw.store.path.0.0.clone(),
            commit_interval: raw.store.commit_interval.0.0,
            raw_keep: raw.store.raw_keep.0.0,
            backup_dir: raw.store.backup_dir.as_ref().map(|p| p.0.0.clone()),
            backup_keep: raw.store.backup_keep.0,
        },
        check,
        feel_wait: raw.readiness.feel_wait.0.0,
        control_socket: raw.control.socket.0.0.clone(),
        log_level: raw.log.level.0.0.clone(),
        athletes,
        straps,
    });
    (config, settings)
}

impl Build<'_> {
    /// Whether a rule over these keys can be judged: a refused value was replaced by a lower layer's.
    fn judged(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| !self.refused.contains(*key))
    }

    fn derive(&mut self, key: &'static str, value: impl Into<toml::Value>, from: &'static str) {
        self.derived.insert(key, (value.into(), Origin::Derived(from)));
    }

    fn gateway(&mut self) -> Gateway {
        let raw = &self.merged.raw.gateway;
        let id = match &raw.id {
            Some(id) => id.0.0.clone(),
            None => {
                let id = slug_of(&self.around.host_name).unwrap_or_else(|| "gateway".to_owned());
                self.derive("gateway.id", id.clone(), "host name");
                id
            }
        };
        Gateway { id, language: raw.language.0.0.clone() }
    }

    fn check(&mut self) -> CheckConfig {
        let raw = &self.merged.raw.check;
        let check = CheckConfig {
            settle: raw.settle.0.0,
            settle_min: raw.settle_min.0.0,
            settle_max: raw.settle_max.0.0,
            record: raw.record.0.0,
            extend: raw.extend.0.0,
            clean_min: raw.clean_min.0.0,
            dropout_max: raw.dropout_max.0.0,
            wait: raw.wait.0.0,
        };
        for (low, small, high, large) in [
            ("check.settle_min", check.settle_min, "check.settle", check.settle),
            ("check.settle", check.settle, "check.settle_max", check.settle_max),
            ("check.clean_min", check.clean_min, "check.record", check.record),
        ] {
            if small > large && self.judged(&[low, high]) {
                let (small, large) = (super::value::show_duration(small), super::value::show_duration(large));
                self.conflict(low, high, format!("{low} ({small}) is longer than {high} ({large})"));
            }
        }
        check
    }

    /// An error between two keys, placed at the one that somebody wrote.
    fn conflict(&mut self, one: &str, other: &str, message: String) {
        let (mut first, mut second) = ((one, self.merged.origin(one)), (other, self.merged.origin(other)));
        if first.1 == Origin::Default {
            std::mem::swap(&mut first, &mut second);
        }
        let why = if second.1 == Origin::Default { "the other value is the" } else { "the other value stands at" };
        self.problems.push(Problem::error(first.1, message).also(why, second.1));
    }

    fn mqtt(&mut self) -> Option<Mqtt> {
        let raw = &self.merged.raw.mqtt;
        let tls = self.tls();
        if self.judged(&["mqtt.base_topic", "mqtt.discovery_prefix"]) && raw.base_topic == raw.discovery_prefix {
            let message = format!("base_topic and discovery_prefix are both \"{}\"", raw.base_topic.0);
            self.conflict("mqtt.base_topic", "mqtt.discovery_prefix", message);
        }
        if !raw.enabled {
            return None;
        }
        let port = match raw.port {
            Some(port) => port.0,
            None if tls.is_some() => {
                self.derive("mqtt.port", 8883, "default with TLS");
                8883
            }
            None => {
                self.derive("mqtt.port", 1883, "default");
                1883
            }
        };
        if self.judged(&["mqtt.port", "mqtt.tls.enabled"]) && raw.port.is_some() {
            if port == 8883 && tls.is_none() {
                let problem =
                    Problem::warning(self.merged.origin("mqtt.port"), "port 8883 is the TLS port, but TLS is off");
                self.problems.push(problem.hint("set enabled = true under [mqtt.tls]"));
            } else if port == 1883 && tls.is_some() {
                let problem =
                    Problem::warning(self.merged.origin("mqtt.port"), "port 1883 is the plain port, but TLS is on");
                self.problems.push(problem.hint("leave port out: it is 8883 with TLS"));
            }
        }
        let password = self.password();
        let host = raw.host.0.0.clone();
        if let (Some(_), None, false) = (&password, &tls, loopback(&host)) {
            if self.judged(&["mqtt.host", "mqtt.tls.enabled"]) {
                let origin = self.merged.origin("mqtt.host");
                let message = format!("the password goes to {host} in the clear: TLS is off");
                self.problems.push(Problem::warning(origin, message).hint("set enabled = true under [mqtt.tls]"));
            }
        }
        Some(Mqtt {
            host,
            port,
            username: raw.username.as_ref().map(|name| name.0.0.clone()),
            password,
            base_topic: raw.base_topic.0.0.clone(),
            discovery_prefix: raw.discovery_prefix.0.0.clone(),
            ha_status_topic: raw.ha_status_topic.0.0.clone(),
            keep_alive: raw.keep_alive.0.0,
            tls,
        })
    }

    fn password(&mut self) -> Option<PasswordFile> {
        let raw = &self.merged.raw.mqtt;
        let configured = raw.password_file.as_ref().map(|path| path.0.0.clone());
        let (file, origin) = match configured {
            Some(path) => {
                self.secret_file("mqtt.password_file", &path);
                (PasswordFile { path }, self.merged.origin("mqtt.password_file"))
            }
            None => {
                let Some(directory) = self.around.variable("CREDENTIALS_DIRECTORY") else { return self.kept() };
                // systemd's LoadCredential=. The unit gives an empty one if the owner made none.
                let file = PasswordFile { path: Path::new(directory).join("mqtt-password") };
                match file.read() {
                    Ok(_) => {}
                    Err(super::secret::SecretError::Empty { .. }) => return None,
                    Err(super::secret::SecretError::Unreadable { source, .. })
                        if source.kind() == io::ErrorKind::NotFound =>
                    {
                        return None;
                    }
                    Err(e) => self.problems.push(Problem::error(Origin::Derived("systemd credential"), e.to_string())),
                }
                self.derive("mqtt.password_file", file.path.display().to_string(), "systemd credential");
                (file, Origin::Derived("systemd credential"))
            }
        };
        if raw.username.is_none() && self.judged(&["mqtt.username"]) {
            let problem =
                Problem::error(origin, "there is a password and no user name: MQTT sends none without the other");
            self.problems.push(problem.hint("set username under [mqtt]"));
        }
        Some(file)
    }

    /// The file that systemd would hand over, for who may read it himself: root, or a daemon started by hand.
    fn kept(&mut self) -> Option<PasswordFile> {
        self.merged.raw.mqtt.username.as_ref()?;
        let file = PasswordFile { path: credential_beside(self.main) };
        file.read().ok()?;
        self.derive("mqtt.password_file", file.path.display().to_string(), "beside the configuration");
        Some(file)
    }

    fn tls(&mut self) -> Option<Tls> {
        let raw = &self.merged.raw.mqtt.tls;
        let own =
            |path: &Option<super::value::Parsed<super::value::AbsolutePath>>| path.as_ref().map(|p| p.0.0.clone());
        let (ca_file, certificate, key) = (own(&raw.ca_file), own(&raw.client_cert), own(&raw.client_key));
        let files =
            [("mqtt.tls.ca_file", &ca_file), ("mqtt.tls.client_cert", &certificate), ("mqtt.tls.client_key", &key)];
        if !raw.enabled {
            for (name, _) in files.iter().filter(|(_, path)| path.is_some()) {
                if self.judged(&["mqtt.tls.enabled"]) {
                    let problem =
                        Problem::warning(self.merged.origin(name), format!("{name} has no effect: TLS is off"));
                    self.problems.push(problem.hint("set enabled = true under [mqtt.tls]"));
                }
            }
            return None;
        }
        for (name, path) in files {
            match path {
                Some(path) if name.ends_with("key") => self.secret_file(name, path),
                Some(path) => drop(self.existing_file(name, path)),
                None => {}
            }
        }
        if certificate.is_some() != key.is_some() && self.judged(&["mqtt.tls.client_cert", "mqtt.tls.client_key"]) {
            let (given, missing) =
                if key.is_some() { ("client_key", "client_cert") } else { ("client_cert", "client_key") };
            let origin = self.merged.origin(&format!("mqtt.tls.{given}"));
            self.problems.push(Problem::error(origin, format!("{given} needs {missing}")));
        }
        let client = certificate.zip(key).map(|(certificate, key)| ClientCertificate { certificate, key });
        Some(Tls { ca_file, client })
    }

    /// The file must be there. One that may not be looked at is no error here: `config check` runs as anybody.
    fn existing_file(&mut self, key: &str, path: &Path) -> Option<std::fs::Metadata> {
        let origin = self.merged.origin(key);
        let shown = path.display();
        let problem = match std::fs::metadata(path) {
            Ok(meta) if !meta.is_dir() => return Some(meta),
            Ok(_) => Problem::error(origin, format!("{key}: {shown} is a directory")),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                Problem::warning(origin, format!("{key}: {shown} may not be looked at by this user"))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Problem::error(origin, format!("{key}: there is no file {shown}"))
            }
            Err(e) => Problem::error(origin, format!("{key}: {shown}: {e}")),
        };
        self.problems.push(problem);
        None
    }

    fn secret_file(&mut self, key: &str, path: &Path) {
        let Some(meta) = self.existing_file(key, path) else { return };
        if meta.permissions().mode() & 0o004 != 0 && meta.is_file() {
            let message = format!("{key}: every user of this machine can read {}", path.display());
            self.problems
                .push(Problem::warning(self.merged.origin(key), message).hint(format!("chmod o= {}", path.display())));
        }
    }

    fn settings(&mut self) -> Vec<Setting> {
        let mut all = Vec::new();
        for key in schema::known_keys() {
            if let Some((value, origin)) = self.derived.get(key.as_str()) {
                all.push(Setting { key, value: value.clone(), origin: origin.clone() });
            } else if let Some(value) = self.merged.values.get(&key) {
                let origin = self.merged.origin(&key);
                all.push(Setting { key, value: value.clone(), origin });
            }
        }
        all.append(&mut self.list_settings);
        all
    }
}

/// Where the broker's password is kept, for systemd to hand over: beside the configuration file.
pub fn credential_beside(main: &Path) -> std::path::PathBuf {
    main.with_file_name("credentials").join("mqtt-password")
}

/// Whether a broker is on this machine, so that nobody can listen on the way.
fn loopback(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_this_machine_only() {
        for host in ["localhost", "LocalHost.", "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "broker.localhost"]
        {
            assert!(loopback(host), "{host}");
        }
        for host in ["broker.lan", "192.168.1.2", "localhost.example.org", "0.0.0.0", "::", "127.0.0.1.example.org"] {
            assert!(!loopback(host), "{host}");
        }
    }
}
