//! `hrvd scan`: which straps are in reach, and which of them are adopted.

use super::Exit;
use super::args::Global;
use super::ask::connect;
use super::terminal::Terminal;
use crate::ble::{self, Advert, ScanError, ScanOptions};
use crate::clock::{Clock, ClockTrust};
use crate::config::{Config, Surroundings};
use crate::control::Op;
use crate::store::Query;
use crate::units::StrapId;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// One strap, everything known of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) name: Option<String>,
    pub(super) rssi: Option<i16>,
    pub(super) battery: Option<u8>,
    pub(super) connected: bool,
    pub(super) athlete: Option<String>,
    link: Option<String>,
    cause: Option<String>,
    advice: Option<String>,
    last_seen_s: Option<u64>,
    trend: Option<String>,
    battery_days: Option<u64>,
    worn: Option<String>,
    /// What is wrong with its signal now.
    findings: Vec<String>,
}

impl Row {
    /// Seen now, or connected to this machine.
    pub(super) fn is_here(&self) -> bool {
        self.rssi.is_some() || self.connected
    }

    /// Its name for a terminal: names come from the air, and no control character shall reach one.
    pub(super) fn shown_name(&self) -> String {
        self.name.as_deref().unwrap_or("–").chars().filter(|c| !c.is_control()).take(26).collect()
    }
}

/// Scans for some seconds and lists what was seen.
pub fn run(seconds: u16, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let config = match super::run::load(global, around) {
        Ok(loaded) => loaded.config,
        Err(exit) => return exit,
    };
    let (mut rows, checking) = known(&config);
    if checking {
        let _ = writeln!(
            terminal.err,
            "A check is running, and scanning would disturb it: this is what the daemon knows. hrvd check --cancel ends it."
        );
        let _ = if terminal.json { print_json(&rows, terminal) } else { print_table(&rows, terminal) };
        return Exit::Done;
    }
    if !terminal.json {
        let _ = writeln!(terminal.err, "Looking for {seconds} s. Wear the strap, pads wet: it sleeps otherwise.");
    }
    let mut failed = None;
    let exit =
        super::run::with_runtime(around, async |cancel| match look(seconds, &config, &mut rows, &cancel).await {
            Ok(()) => Exit::Done,
            Err(e) => {
                failed = Some(e);
                Exit::Failed
            }
        });
    if let Some(e) = failed {
        // what the daemon knows of adopted straps is no less true
        let _ = if terminal.json { print_json(&rows, terminal) } else { print_table(&rows, terminal) };
        return complain(e, terminal);
    }
    let seen = rows.values().any(Row::is_here);
    let _ = if terminal.json { print_json(&rows, terminal) } else { print_table(&rows, terminal) };
    if exit == Exit::Done && !seen {
        let _ = writeln!(terminal.err, "{NOTHING}");
        return Exit::NotFound;
    }
    exit
}

/// What to say when no strap was seen.
pub(super) const NOTHING: &str =
    "No strap seen. Is it worn and wet? Does a watch, phone or trainer hold its only connection? Is it in reach?";

/// What is known before anybody looks: adopted straps, what a running daemon knows of them, and whether it measures.
pub(super) fn known(config: &Config) -> (BTreeMap<StrapId, Row>, bool) {
    let mut rows = adopted(config);
    let checking = daemon_view(config, &mut rows);
    (rows, checking)
}

/// Looks for so long, or until cancelled, and adds what is seen.
pub(super) async fn look(
    seconds: u16,
    config: &Config,
    rows: &mut BTreeMap<StrapId, Row>,
    cancel: &CancellationToken,
) -> Result<(), ScanError> {
    let options = ScanOptions {
        adapter: config.bluetooth.as_ref().and_then(|b| b.adapter.clone()),
        all: false,
        power_on: config.bluetooth.as_ref().is_some_and(|b| b.power_on),
        duration: Duration::from_secs(u64::from(seconds)),
    };
    let mut adverts = ble::scan(options, Clock::system(ClockTrust::Auto)).await?;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            advert = adverts.recv() => match advert {
                Some(advert) => see(rows, advert),
                None => return Ok(()),
            },
        }
    }
}

fn see(rows: &mut BTreeMap<StrapId, Row>, advert: Advert) {
    let row = rows.entry(advert.strap).or_default();
    row.name = row.name.take().or(advert.name);
    row.rssi = advert.rssi.or(row.rssi);
    row.battery = advert.battery_pct.or(row.battery);
    row.connected |= advert.connected;
}

/// Straps of the configuration and of the store.
fn adopted(config: &Config) -> BTreeMap<StrapId, Row> {
    let mut rows = BTreeMap::new();
    // no database yet is no news
    for s in Query::open(&config.store.path).and_then(|q| q.straps()).unwrap_or_default() {
        let row: &mut Row = rows.entry(s.strap.id).or_default();
        row.athlete = Some(s.strap.athlete.to_string());
        row.name = s.strap.name.or(s.facts.name);
        // not the level of the battery: nobody knows of when it is
    }
    for s in &config.straps {
        let row = rows.entry(s.address).or_default();
        row.athlete = Some(s.athlete.to_string());
        row.name = s.name.clone().or(row.name.take());
    }
    rows
}

/// What the daemon knows: a connected strap does not advertise, and a refusing one needs advice. Whether a check runs.
fn daemon_view(config: &Config, rows: &mut BTreeMap<StrapId, Row>) -> bool {
    let Ok(status) = connect(config).and_then(|mut c| c.ask(&Op::Status)) else { return false };
    for v in status["straps"].as_array().into_iter().flatten() {
        let Some(id) = crate::json::strap_of(v) else { continue };
        let row = rows.entry(id).or_default();
        row.athlete = v["athlete"].as_str().map(str::to_owned);
        row.name = row.name.take().or(v["name"].as_str().map(str::to_owned));
        row.battery = v["battery_pct"].as_u64().and_then(|b| u8::try_from(b).ok()).or(row.battery);
        row.link = v["link"].as_str().map(|l| l.replace('_', " "));
        row.cause = v["cause"].as_str().filter(|c| *c != "none").map(str::to_owned);
        row.advice = v["advice"].as_str().map(str::to_owned);
        row.last_seen_s = v["last_seen_age_s"].as_u64();
        row.trend = v["signal_trend"].as_str().filter(|t| *t != "steady").map(str::to_owned);
        row.battery_days = v["battery_days"].as_u64();
        row.connected = v["online"] == true;
        row.worn = v["worn"].as_str().map(str::to_owned);
        let current = v["findings"].as_array().into_iter().flatten().filter(|f| f["current"] == true);
        row.findings = current.filter_map(|f| f["id"].as_str()).map(str::to_owned).collect();
    }
    let measures = |c: &Value| matches!(c["phase"].as_str(), Some("settling" | "recording"));
    status["checks"].as_array().into_iter().flatten().any(measures)
}

fn print_json(rows: &BTreeMap<StrapId, Row>, terminal: &mut Terminal<'_>) -> std::io::Result<()> {
    for (id, r) in rows {
        let v: Value = json!({
            "address": id.to_string(), "name": r.name, "rssi_dbm": r.rssi, "battery_pct": r.battery,
            "connected": r.connected, "athlete": r.athlete, "link": r.link, "cause": r.cause, "advice": r.advice,
            "last_seen_s": r.last_seen_s, "signal_trend": r.trend, "battery_days": r.battery_days, "worn": r.worn,
            "findings": r.findings,
        });
        writeln!(terminal.out, "{v}")?;
    }
    Ok(())
}

fn print_table(rows: &BTreeMap<StrapId, Row>, terminal: &mut Terminal<'_>) -> std::io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(terminal.out, "{:<18} {:<26} {:>8} {:>8}  STATE", "ADDRESS", "NAME", "SIGNAL", "BATTERY")?;
    for (id, r) in rows {
        let name = r.shown_name();
        let signal = r.rssi.map_or("–".to_owned(), |x| format!("{x} dBm"));
        let battery = r.battery.map_or("–".to_owned(), |x| format!("{x} %"));
        let whose = r.athlete.as_ref().map_or("not adopted".to_owned(), |a| format!("{a}'s"));
        let mut link = match (&r.link, r.connected, r.rssi) {
            (Some(link), _, _) => link.clone(),
            (None, true, _) => "connected".into(),
            (None, false, Some(_)) => "in reach".into(),
            (None, false, None) => "not seen".into(),
        };
        if let Some(cause) = r.cause.as_ref().map(|c| c.replace('_', " ")).filter(|c| *c != link) {
            link += &format!(" ({cause})");
        }
        if let (false, None, Some(seen)) = (r.connected, r.rssi, r.last_seen_s) {
            link += &format!(", last seen {} ago", super::doctor::straps::ago(seen as f64));
        }
        if let Some(worn) = r.worn.as_ref().filter(|w| r.connected && *w != "unsure") {
            link += &format!(", {}", worn.replace('_', " "));
        }
        if let Some(trend) = &r.trend {
            link += &format!(", signal {trend}");
        }
        writeln!(terminal.out, "{:<18} {name:<26} {signal:>8} {battery:>8}  {whose}, {link}", id.to_string())?;
        if let Some(advice) = &r.advice {
            writeln!(terminal.out, "{:<18} {advice}", "")?;
        }
    }
    Ok(())
}

pub(super) fn complain(e: ScanError, terminal: &mut Terminal<'_>) -> Exit {
    let _ = writeln!(terminal.err, "error: {e}");
    let hint = match e {
        ScanError::NoAdapter => "is a Bluetooth adapter plugged in? bluetoothctl list shows what the system sees",
        ScanError::AdapterOff => {
            "switch it on: bluetoothctl power on (or bluetooth.power_on = true in the configuration)"
        }
        ScanError::Failed(_) => "hrvd doctor looks at bus, bluetoothd and permissions one by one",
    };
    let _ = writeln!(terminal.err, "hint: {hint}");
    Exit::Failed
}
