//! Merged values to a [`Config`]: the rules that concern more than one value, and the files that values name.

use super::error::{Origin, Problem};
use super::load::{Setting, Surroundings};
use super::model::{
    AthleteConfig, Bluetooth, Check, ClientCertificate, Config, Gateway, Mqtt, Store, StrapConfig, Tls,
};
use super::raw::{RawAthlete, RawStrap};
use super::read::{Digest, Merged};
use super::schema;
use super::secret::PasswordFile;
use super::value::{TimeOfDay, Zone, slug_of};
use crate::check::Posture;
use crate::engine::WakeWindow;
use crate::units::AthleteId;
use jiff::civil::{Time, time};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// An entry of a list, with the places of its fields.
pub(super) struct Entry<T> {
    raw: T,
    origin: Origin,
    fields: BTreeMap<String, Origin>,
    refused: BTreeSet<String>,
}

impl<T> Entry<T> {
    pub(super) fn new(raw: T, path: &str, digest: &Digest) -> Self {
        let inner = |full: &String| full.strip_prefix(path)?.strip_prefix('.').map(str::to_owned);
        Self {
            raw,
            origin: digest.places.get(path).cloned().unwrap_or(Origin::Default),
            fields: digest.places.iter().filter_map(|(p, o)| Some((inner(p)?, o.clone()))).collect(),
            refused: digest.refused.iter().filter_map(inner).collect(),
        }
    }
    /// Where a field stands; a missing one belongs to the entry.
    fn at(&self, field: &str) -> Origin {
        self.fields.get(field).unwrap_or(&self.origin).clone()
    }
}

/// The lists of all files, one after the other.
#[derive(Default)]
pub(super) struct Roster {
    pub(super) athletes: Vec<Entry<RawAthlete>>,
    pub(super) straps: Vec<Entry<RawStrap>>,
    /// Whether a file could not be read: then an athlete who seems to be missing may stand there.
    pub(super) incomplete: bool,
}

/// When the window is not given.
const WAKE_FROM: Time = time(4, 30, 0, 0);
const WAKE_TO: Time = time(10, 0, 0, 0);

struct Build<'a> {
    merged: &'a Merged,
    refused: &'a BTreeSet<String>,
    around: &'a Surroundings,
    problems: &'a mut Vec<Problem>,
    /// Values that were found and not typed.
    derived: BTreeMap<&'static str, (toml::Value, Origin)>,
    list_settings: Vec<Setting>,
}

/// Applies the rules. Without a config there is at least one error among the problems.
pub(super) fn build(
    merged: &Merged,
    roster: &Roster,
    refused: &BTreeSet<String>,
    around: &Surroundings,
    problems: &mut Vec<Problem>,
) -> (Option<Config>, Vec<Setting>) {
    let mut build = Build { merged, refused, around, problems, derived: BTreeMap::new(), list_settings: Vec::new() };
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
        store: Store { path: raw.store.path.0.0.clone(), commit_interval: raw.store.commit_interval.0.0 },
        check,
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

    fn check(&mut self) -> Check {
        let raw = &self.merged.raw.check;
        let check = Check {
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
            // systemd's LoadCredential=. The unit gives an empty one if the owner made none.
            None => {
                let directory = self.around.variable("CREDENTIALS_DIRECTORY")?;
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

    fn athletes(&mut self, roster: &Roster) -> Option<Vec<AthleteConfig>> {
        let mut seen: BTreeMap<AthleteId, Origin> = BTreeMap::new();
        let mut all = Vec::new();
        let mut complete = true;
        for (n, entry) in roster.athletes.iter().enumerate() {
            let raw = &entry.raw;
            let Some(slug) = raw.slug.as_ref().map(|slug| slug.0.clone()) else {
                complete = false;
                if !entry.refused.contains("slug") {
                    let problem = Problem::error(entry.origin.clone(), "this athlete has no slug");
                    self.problems.push(problem.hint("add a short name: slug = \"alex\""));
                }
                continue;
            };
            if let Some(first) = seen.insert(slug.clone(), entry.at("slug")) {
                let problem = Problem::error(entry.at("slug"), format!("two athletes have the slug \"{slug}\""));
                self.problems.push(problem.also("the other one stands at", first));
            }
            let zone = raw.timezone.as_ref().map_or(Zone::System, |zone| zone.0.clone());
            let time_zone = match &zone {
                Zone::Named(_, zone) => zone.clone(),
                Zone::System => self.system_zone(entry.at("timezone")),
            };
            let window = raw.wake_window.clone().unwrap_or_default();
            let from = window.from.map_or(WAKE_FROM, |t| t.0.0);
            let until = window.to.map_or(WAKE_TO, |t| t.0.0);
            let window_ok = !entry.refused.iter().any(|field| field.starts_with("wake_window"));
            if from == until && window_ok {
                let problem =
                    Problem::error(entry.at("wake_window"), "the wake window is empty: it ends when it begins");
                self.problems.push(problem.hint("auto_start = false keeps a check from starting by itself"));
            }
            let name = raw.name.as_ref().map_or_else(|| slug.to_string(), |name| name.0.0.clone());
            let posture = raw.posture.as_ref().map_or(Posture::Supine, |posture| posture.0);
            let auto_start = raw.auto_start.unwrap_or(true);
            let path = format!("athlete[{n}]");
            self.show(&path, "slug", slug.as_str(), entry);
            self.show(&path, "name", name.as_str(), entry);
            self.show(&path, "timezone", zone.to_string(), entry);
            self.show(&path, "posture", posture.as_str(), entry);
            self.show(&path, "auto_start", auto_start, entry);
            self.show(&path, "wake_window.from", TimeOfDay(from).to_string(), entry);
            self.show(&path, "wake_window.to", TimeOfDay(until).to_string(), entry);
            let wake_window = WakeWindow { from, until };
            all.push(AthleteConfig { slug, name, time_zone, posture, auto_start, wake_window });
        }
        complete.then_some(all)
    }

    fn system_zone(&mut self, origin: Origin) -> TimeZone {
        self.around.time_zone.clone().unwrap_or_else(|| {
            let problem = Problem::warning(origin, "the system's time zone cannot be learned; UTC is used");
            self.problems.push(problem.hint("run `timedatectl set-timezone`, or set timezone = \"Europe/Berlin\""));
            TimeZone::UTC
        })
    }

    fn straps(&mut self, roster: &Roster) -> Option<Vec<StrapConfig>> {
        let known: BTreeSet<&AthleteId> =
            roster.athletes.iter().filter_map(|a| a.raw.slug.as_ref()).map(|slug| &slug.0).collect();
        // Whoever seems to be missing may stand in a part that was refused and reported already.
        let all_known = !roster.incomplete && roster.athletes.iter().all(|a| a.raw.slug.is_some());
        let mut seen = BTreeMap::new();
        let mut all = Vec::new();
        let mut complete = true;
        for (n, entry) in roster.straps.iter().enumerate() {
            let (address, athlete) = (entry.raw.address.as_ref(), entry.raw.athlete.as_ref());
            for (field, missing, hint) in [
                ("address", address.is_none(), "add its address: `hrvd scan` shows it"),
                ("athlete", athlete.is_none(), "say whose it is: athlete = \"alex\""),
            ] {
                if missing && !entry.refused.contains(field) {
                    self.problems
                        .push(Problem::error(entry.origin.clone(), format!("this strap has no {field}")).hint(hint));
                }
            }
            if let Some(address) = address {
                if let Some(first) = seen.insert(address.0, entry.at("address")) {
                    let problem =
                        Problem::error(entry.at("address"), format!("the strap {} stands here twice", address.0));
                    self.problems.push(problem.also("the other one stands at", first));
                }
            }
            if let Some(athlete) = athlete.filter(|a| all_known && !known.contains(&a.0)) {
                let mut problem = Problem::error(entry.at("athlete"), format!("there is no athlete \"{}\"", athlete.0));
                let names: Vec<&str> = known.iter().map(|id| id.as_str()).collect();
                problem = match schema::nearest(athlete.0.as_str(), names.iter().copied()) {
                    Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
                    None if names.is_empty() => problem.hint("add an [[athlete]] with this slug"),
                    None => problem.hint(format!("known: {}", names.join(", "))),
                };
                self.problems.push(problem);
            }
            let Some((address, athlete)) = address.zip(athlete) else {
                complete = false;
                continue;
            };
            let name = entry.raw.name.as_ref().map(|name| name.0.0.clone());
            let path = format!("strap[{n}]");
            self.show(&path, "address", address.0.to_string(), entry);
            self.show(&path, "athlete", athlete.0.as_str(), entry);
            if let Some(name) = &name {
                self.show(&path, "name", name.as_str(), entry);
            }
            all.push(StrapConfig { address: address.0, athlete: athlete.0.clone(), name });
        }
        complete.then_some(all)
    }

    fn show<T>(&mut self, path: &str, field: &str, value: impl Into<toml::Value>, entry: &Entry<T>) {
        let origin = entry.fields.get(field).cloned().unwrap_or(Origin::Default);
        self.list_settings.push(Setting { key: schema::join(path, field), value: value.into(), origin });
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
