//! `hrvd doctor`: looks at everything the daemon depends on, one thing a line, with what to do about it.

mod disk;
mod radio;
pub(super) mod straps;

use super::Exit;
use super::args::Global;
use super::ask::connect;
use super::terminal::{Terminal, colors};
use crate::ble::{self, Failure};
use crate::clock::{self, Clock, ClockTrust};
use crate::config::{self, Config, Surroundings};
use crate::control::{ClientError, Op};
use crate::daemon::Settings;
use crate::mqtt;
use serde_json::{Value, json};
use std::time::Duration;

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
    fn colour(self) -> &'static str {
        match self {
            Self::Ok => "32",
            Self::Warn => "33",
            Self::Fail => "31",
        }
    }
}

#[derive(Clone, Debug)]
struct Finding {
    what: &'static str,
    verdict: Verdict,
    text: String,
    hint: Option<String>,
}

fn ok(what: &'static str, text: impl Into<String>) -> Finding {
    Finding { what, verdict: Verdict::Ok, text: text.into(), hint: None }
}
fn warn(what: &'static str, text: impl Into<String>, hint: impl Into<String>) -> Finding {
    Finding { what, verdict: Verdict::Warn, text: text.into(), hint: Some(hint.into()) }
}
fn fail(what: &'static str, text: impl Into<String>, hint: impl Into<String>) -> Finding {
    Finding { what, verdict: Verdict::Fail, text: text.into(), hint: Some(hint.into()) }
}

/// Time for the broker to let us in.
const BROKER_LIMIT: Duration = Duration::from_secs(6);

/// Examines, prints, and fails if anything failed.
pub fn run(global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let colour = colors(&std::io::stdout(), global, around);
    let mut findings = vec![];
    let loaded = match config::load(&global.request(), around) {
        Ok(loaded) => loaded,
        Err(e) => {
            findings.push(fail(
                "configuration",
                format!("{} errors", e.problems.len()),
                "hrvd config check lists them",
            ));
            print(&findings, colour, terminal);
            return Exit::Usage;
        }
    };
    findings.push(match loaded.warnings.len() {
        0 if loaded.files.is_empty() => {
            warn("configuration", "none yet: the built-in defaults hold", "sudo hrvd setup writes one")
        }
        0 => ok("configuration", "valid"),
        n => warn("configuration", format!("valid, {n} warnings"), "hrvd config check lists them"),
    });
    let config = loaded.config;
    let (said, status) = daemon(&config);
    findings.extend(said);
    super::run::with_runtime(around, async |_| {
        if config.bluetooth.is_some() {
            findings.extend(bluetooth(&config).await);
        } else {
            findings.push(warn("Bluetooth", "switched off by the configuration", "bluetooth.enabled = true uses it"));
        }
        findings.push(broker(&config, status.as_ref()).await);
        Exit::Done
    });
    findings.push(time());
    findings.extend(disk::disk(&config));
    print(&findings, colour, terminal);
    if findings.iter().any(|f| f.verdict == Verdict::Fail) { Exit::Failed } else { Exit::Done }
}

fn print(findings: &[Finding], colour: bool, terminal: &mut Terminal<'_>) {
    for f in findings {
        let word = f.verdict.word();
        let _ = if terminal.json {
            let v = json!({"check": f.what, "verdict": word, "text": f.text, "hint": f.hint});
            writeln!(terminal.out, "{v}")
        } else {
            let word =
                if colour { format!("\x1b[{}m{word:<4}\x1b[0m", f.verdict.colour()) } else { format!("{word:<4}") };
            writeln!(terminal.out, "{word}  {:<14} {}", f.what, f.text)
        };
        if let Some(hint) = f.hint.as_ref().filter(|_| !terminal.json) {
            let _ = writeln!(terminal.out, "{:<20} → {hint}", "");
        }
    }
}

/// What the daemon says of itself, and all of its status for who wants to look closer.
fn daemon(config: &Config) -> (Vec<Finding>, Option<Value>) {
    let status = match connect(config).and_then(|mut c| {
        c.set_timeout(Some(Duration::from_secs(3)))?;
        c.ask(&Op::Status)
    }) {
        Ok(status) => status,
        Err(ClientError::NotRunning(_)) => {
            return (vec![warn("daemon", "not running", "sudo systemctl start hrvd, or hrvd run")], None);
        }
        Err(e @ ClientError::Permission(_)) => {
            return (vec![warn("daemon", e.to_string(), "use sudo, or join the group hrvd")], None);
        }
        Err(e) => {
            let finding = fail("daemon", format!("runs, but does not answer: {e}"), "journalctl -u hrvd shows its log");
            return (vec![finding], None);
        }
    };
    let mut out = vec![ok("daemon", format!("running, version {}", status["version"].as_str().unwrap_or("?")))];
    let straps = status["straps"].as_array().cloned().unwrap_or_default();
    if straps.is_empty() {
        out.push(warn(
            "straps",
            "none adopted",
            "sudo hrvd setup; or hrvd scan, then hrvd adopt ADDRESS --athlete NAME",
        ));
    }
    for s in &straps {
        out.push(straps::strap(s));
        out.extend(straps::signal(s));
    }
    out.extend(straps::recovery(&status));
    (out, Some(status))
}

async fn bluetooth(config: &Config) -> Vec<Finding> {
    let probe = ble::probe().await;
    if let Err(e) = probe.bus {
        return vec![fail("D-Bus", format!("the system bus is not reached: {e}"), "systemctl status dbus")];
    }
    let mut out = vec![ok("D-Bus", "the system bus answers")];
    let wanted = config.bluetooth.as_ref().and_then(|b| b.adapter.as_deref());
    match probe.adapters {
        Err(Failure::Denied) => out.push(fail(
            "bluetoothd",
            "permission denied",
            "the user must be in the group bluetooth: sudo usermod -aG bluetooth USER, then log in again",
        )),
        Err(Failure::NoService) => {
            out.push(fail(
                "bluetoothd",
                "not running",
                "sudo apt-get install bluez; sudo systemctl enable --now bluetooth",
            ));
        }
        Err(e) => out.push(fail("bluetoothd", format!("does not answer: {e}"), "sudo systemctl restart bluetooth")),
        Ok(adapters) => {
            out.push(ok("bluetoothd", "answers"));
            let found = match wanted {
                // as the daemon takes one
                None => adapters.iter().find(|a| a.powered).or(adapters.first()),
                Some(w) => adapters
                    .iter()
                    .find(|a| a.name == w || a.address.is_some_and(|x| x.to_string().eq_ignore_ascii_case(w))),
            };
            let (name, on) = found.map_or(("hci0", false), |a| (a.name.as_str(), a.powered));
            out.extend(radio::look(name, on));
            out.push(match found {
                None => fail(
                    "adapter",
                    match (wanted, adapters.is_empty()) {
                        (Some(w), false) => format!("{w} is not there, but {}", listed(&adapters)),
                        (Some(w), true) => format!("{w} is not there"),
                        (None, _) => "none".to_owned(),
                    },
                    "plug one in; on a Raspberry Pi look for dtoverlay=disable-bt in config.txt and for rfkill list",
                ),
                Some(a) if a.powered && adapters.len() > 1 && wanted.is_none() => Finding {
                    hint: Some("bluetooth.adapter = \"ADDRESS\" makes sure which one is used".to_owned()),
                    ..ok("adapter", format!("{} is on and used, of {}", a.name, listed(&adapters)))
                },
                Some(a) if a.powered => ok("adapter", format!("{} is on", a.name)),
                Some(a) => fail(
                    "adapter",
                    format!("{} is off", a.name),
                    "bluetoothctl power on; rfkill unblock bluetooth; or bluetooth.power_on = true",
                ),
            });
        }
    }
    out
}

fn listed(adapters: &[ble::AdapterInfo]) -> String {
    let one = |a: &ble::AdapterInfo| match a.address {
        Some(address) => format!("{} ({address})", a.name),
        None => a.name.clone(),
    };
    adapters.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The running daemon knows best: systemd hands the password to it alone.
async fn broker(config: &Config, daemon: Option<&Value>) -> Finding {
    let Some(m) = Settings::from(config).mqtt else {
        return warn(
            "broker",
            "MQTT is switched off by the configuration",
            "mqtt.enabled = true publishes to Home Assistant",
        );
    };
    let place = format!("{}:{}{}", m.host, m.port, if m.tls.is_some() { " (TLS)" } else { "" });
    if let Err(e) = m.validate() {
        return fail("broker", e.to_string(), "hrvd config check");
    }
    if daemon.is_some_and(|d| d["mqtt"] == "connected") {
        return ok("broker", format!("{place}: the daemon is connected"));
    }
    match mqtt::probe(&m, BROKER_LIMIT).await {
        Ok(()) => ok("broker", format!("{place} lets us in")),
        Err(e) => {
            let hint = e.hint.unwrap_or(
                "is it running there? sudo hrvd setup finds one; sudo apt-get install mosquitto installs one here",
            );
            fail("broker", format!("{place}: {e}"), hint)
        }
    }
}

fn time() -> Finding {
    match Clock::system(ClockTrust::Auto).now().wall {
        Some(wall) => match clock::boot_id() {
            Ok(_) => {
                ok("clock", format!("{}", wall.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%F %H:%M %Z")))
            }
            Err(e) => fail("clock", format!("no boot id: {e}"), "is /proc mounted?"),
        },
        None => warn(
            "clock",
            "not set yet",
            "results get their date when the network has told the time; timedatectl shows whether it has",
        ),
    }
}
