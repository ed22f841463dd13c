//! The daemon: opens the store, takes up where the last run ended, starts every edge around the engine, and ends them
//! in the order in which nothing is lost.

mod audience;
mod erase;
mod hub;
mod night;
mod outbox;
mod preferences;
mod readiness;
mod report;
mod revive;
mod roster;
mod settings;
mod straps;
mod systemd;

pub use night::Keeping;
pub use preferences::Configured;
pub use readiness::{ReadinessSettings, look};
pub(crate) use roster::merge;
pub use settings::Settings;
pub(crate) use settings::keyed;

use crate::ble::{self, BleConfig};
use crate::clock::Clock;
use crate::control::{self, ServerError};
use crate::engine::{Input, Output};
use crate::mqtt::{self, Delivery, MqttHandle, Renderer, Topics};
use crate::store::{self, OpenOptions, OpenReport, Opened, Query, StoreError};
use crate::units::{Mono, Now};
use hub::{Hub, Inlets};
use preferences::Preferences;
use readiness::Desks;
use revive::{Known, revive};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use straps::Memory;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Inputs that may wait for the engine. More than a minute of seven straps; a full queue makes the radio wait.
const RADIO_QUEUE: usize = 512;
/// Lines a slow listener may be behind before it loses some.
const LISTENER_LINES: usize = 512;
/// Time for a clean farewell to the broker.
const FAREWELL: Duration = Duration::from_secs(2);
/// Time for the last records to reach the card. With the radio's five seconds and the farewell: within ten.
const LAST_WRITE: Duration = Duration::from_secs(3);

/// Where heart rate comes from.
#[derive(Debug)]
pub enum Radio {
    /// bluetoothd.
    Bluetooth(BleConfig),
    /// A task of the caller's sends to this channel's other end (demo, tests).
    Given(mpsc::Receiver<(Now, Input)>),
    /// Nowhere.
    Off,
}

/// Why the daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ServerError),
    /// The broker's settings.
    #[error("MQTT settings: {0}")]
    Mqtt(#[from] mqtt::ConfigError),
}

/// How the daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// The radio could not be recovered from inside; a restart of the process may help.
    RadioGaveUp,
    /// Something panicked.
    Panicked,
    /// It was asked to, and the card did not take the last records.
    Unwritten {
        /// They wait in RAM for the next start.
        in_ram: bool,
    },
}

/// Runs the daemon until `cancel` is cancelled.
pub async fn run(
    settings: Settings,
    radio: Radio,
    clock: Clock,
    boot: String,
    cancel: CancellationToken,
) -> Result<Ended, StartError> {
    let server = control::Server::bind(&settings.control_socket)?;
    // where the socket lies: a service manager keeps that directory over a crash and a stop (RuntimeDirectoryPreserve=)
    let ram = settings.control_socket.parent().filter(|dir| store::is_ram(dir)).map(Path::to_owned);
    let with_tail = ram.is_some();
    let options = OpenOptions {
        athletes: settings.roster.athletes.clone(),
        straps: settings.roster.straps.clone(),
        flush_every: if ram.is_some() { settings.flush_every } else { settings.flush_every.min(store::ALONE) },
        tail: ram,
        ..OpenOptions::new(&settings.store, &boot)
    };
    let opened = open_store(options).await?;
    log_opened(&opened.report);
    let in_ram = with_tail && opened.report.tail_trouble.is_none();
    let store = opened.handle;

    // what the last runs left
    let known = Known::read(&settings, &boot, clock.now());
    let preferences = Preferences::new(
        settings.configured.clone(),
        &settings.roster.athletes,
        settings.live_interval,
        known.preferences.clone(),
    );
    preferences.log_again();
    let settings = Settings { live_interval: preferences.live_interval(), ..settings };
    let merged = preferences.apply(roster::merge(&settings.roster, &known.adopted));
    store.athletes(merged.athletes.clone());
    let revived = revive(&settings, &boot, &merged, &known, clock.now());
    for record in revived.records {
        store.record(record);
    }
    let engine = revived.engine;

    let topics = Topics::new(settings.mqtt.as_ref().unwrap_or(&mqtt::MqttConfig::default()));
    let mut renderer = Renderer::new(topics, settings.render.clone());
    renderer.set_live_interval(settings.live_interval);
    let (mqtt_handle, mqtt_commands) = match &settings.mqtt {
        Some(config) => {
            let outbox = outbox::StoreOutbox::new(store.clone(), clock.clone(), renderer.sieve());
            mqtt::spawn(config.clone(), outbox, &CancellationToken::new())?
        }
        None => (MqttHandle::disabled(), mpsc::channel(1).1),
    };
    mqtt_handle.remember(known.announced);
    // before anything is said: what of it waits for the feel is known there
    let mut desks = Desks::open(&settings.readiness, &settings.store, &merged, clock.now(), &known.mornings);
    desks.reserve_all(&mut renderer);
    let mut first = renderer.roster(&merged);
    first.extend(known.mornings.iter().filter_map(|r| renderer.morning(r)));
    let durable: Vec<_> = first.into_iter().filter_map(|m| mqtt_handle.deliver(m)).collect();
    if !durable.is_empty() {
        store.publish(durable, clock.now().wall);
    }
    // where a check stands that goes on (or has just ended): said again as a state, not as an event
    for status in engine.check_statuses(clock.mono()).into_iter().filter(|s| s.check.is_some()) {
        let messages = renderer.output(&Output::Check(status), clock.now());
        let states = messages.into_iter().filter(|m| m.delivery == Delivery::Retained);
        states.for_each(|m| drop(mqtt_handle.deliver(m)));
    }
    for result in revived.results {
        desks.take(&result, clock.now());
        desks.reserve(&result.athlete, &mut renderer);
        let output = Output::Result(Box::new(result.clone()));
        let messages = renderer.output(&output, clock.now());
        let durable = messages.into_iter().filter_map(|m| mqtt_handle.deliver(m)).collect();
        store.result(result, durable);
    }

    let mut straps = straps::Straps::new(&boot, settings.releases);
    straps.set_roster(&merged);
    let ids: Vec<_> = merged.straps.iter().map(|s| s.id).collect();
    match Query::open(&settings.store).and_then(|q| Memory::read(&q, &ids)) {
        Ok(memory) => straps.restore(&memory, clock.now()),
        Err(e) => tracing::error!("what is known of straps cannot be read: {e}"),
    }
    straps.first_look(clock.now(), &engine);
    let (wanted, wanted_rx) = watch::channel(straps.wanted(&merged));
    let radio_stop = CancellationToken::new();
    let radio_used = matches!(radio, Radio::Bluetooth(_));
    let (mut ble_handle, radio_rx, radio_status) = match radio {
        Radio::Bluetooth(config) => {
            let (tx, rx) = mpsc::channel(RADIO_QUEUE);
            let handle = ble::spawn(config, wanted_rx, tx, clock.clone(), radio_stop.clone());
            let status = handle.status();
            (Some(handle), rx, status)
        }
        Radio::Given(rx) => (None, rx, watch::channel(ble::Status::default()).1),
        Radio::Off => (None, mpsc::channel(1).1, watch::channel(ble::Status::default()).1),
    };

    let (requests_tx, requests) = mpsc::channel(16);
    let (listeners, _) = broadcast::channel(LISTENER_LINES);
    let server_stop = CancellationToken::new();
    let server = tokio::spawn(server.run(requests_tx, listeners.clone(), server_stop.clone()));

    let night = night::Night::new(settings.keeping, settings.store.clone(), clock.mono());
    let mut hub = Hub {
        engine,
        started: clock.now().wall,
        clock,
        store: store.clone(),
        mqtt: mqtt_handle.clone(),
        renderer,
        listeners,
        wanted,
        systemd: systemd::Systemd::default(),
        configured: settings.roster,
        adopted: known.adopted,
        roster: merged,
        preferences,
        desks,
        store_path: settings.store,
        straps,
        checking: false,
        bridge: None,
        radio_used,
        strangers: BTreeSet::new(),
        forgotten: BTreeSet::new(),
        learning: None,
        night,
        latest: known.records.last().map_or(Mono::default(), |r| r.at),
    };
    hub.say_bridge(&radio_status);
    hub.say_settings();
    hub.begin_readiness();
    mqtt_handle.begin();
    let radio_turns = ble_handle.as_ref().map(ble::BleHandle::turns);
    let inlets = Inlets {
        radio: radio_rx,
        mqtt: mqtt_commands,
        requests,
        store_events: opened.events,
        radio_status,
        radio_turns,
    };
    hub.systemd.ready();
    let hub_stop = CancellationToken::new();
    let mut hub_task = tokio::spawn({
        let stop = hub_stop.clone();
        async move { hub.run(inlets, stop).await }
    });

    let mut ended = tokio::select! {
        () = cancel.cancelled() => Ended::Stopped,
        exit = radio_exit(&mut ble_handle) => match exit {
            ble::Exit::GaveUp => Ended::RadioGaveUp,
            ble::Exit::Panicked => Ended::Panicked,
            ble::Exit::Stopped => Ended::Stopped,
        },
        _ = &mut hub_task => {
            // without engine or store there is nothing left to lose; the radio still has to let its straps go
            radio_stop.cancel();
            if let Some(handle) = &mut ble_handle {
                handle.join().await;
            }
            return Ok(Ended::Panicked);
        }
    };

    // the straps first: a process that leaves them connected keeps them from everybody else
    systemd::Systemd::default().stopping();
    radio_stop.cancel();
    if let Some(handle) = &mut ble_handle {
        if ended == Ended::Stopped && handle.join().await == ble::Exit::Panicked {
            ended = Ended::Panicked;
        }
    }
    hub_stop.cancel();
    let hub = hub_task.await;
    mqtt_handle.shutdown(FAREWELL).await;
    server_stop.cancel();
    let _ = server.await;
    drop(hub);
    let stopped = tokio::task::spawn_blocking(move || store.stop());
    match tokio::time::timeout(LAST_WRITE, stopped).await {
        Ok(Ok(Ok(()))) => return Ok(ended),
        Ok(Ok(Err(e))) => tracing::error!("the last records could not be written: {e}"),
        Ok(Err(_)) => return Ok(Ended::Panicked),
        Err(_) => tracing::error!("the card does not take the last records within {} s", LAST_WRITE.as_secs()),
    }
    Ok(if ended == Ended::Stopped { Ended::Unwritten { in_ram } } else { ended })
}

/// Opens the store. An `hrvd adopt` that found no daemon a moment ago may still hold it.
async fn open_store(options: OpenOptions) -> Result<Opened, StoreError> {
    let mut tries = 0;
    loop {
        match store::open(options.clone()) {
            Err(StoreError::Busy { .. }) if tries < 20 => tries += 1,
            other => return other,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn radio_exit(handle: &mut Option<ble::BleHandle>) -> ble::Exit {
    match handle {
        Some(h) => h.join().await,
        None => std::future::pending().await,
    }
}

fn log_opened(report: &OpenReport) {
    if report.imported > 0 {
        tracing::info!("{} records of an unclean end were taken over from the journal", report.imported);
    }
    if report.torn_bytes > 0 {
        tracing::warn!("the journal's last {} bytes were torn and left out", report.torn_bytes);
    }
    if let Some(path) = &report.journal_kept {
        tracing::warn!("an unreadable journal was kept as {}", path.display());
    }
    for path in &report.tail_unread {
        tracing::warn!(
            "what a killed run left in RAM cannot be read; until the next boot it stays as {}",
            path.display()
        );
    }
    if let Some(trouble) = &report.tail_trouble {
        tracing::warn!("the file in RAM cannot be used, records go to the card every second: {trouble}");
    }
    if let Some(trouble) = &report.trouble {
        tracing::error!("nothing can be stored now, live values go on: {trouble}");
    }
    let m = &report.db.migrated;
    if let Some(backup) = &m.backup {
        tracing::info!(
            "database migrated from version {} to {}; a copy of before is {}",
            m.from,
            m.to,
            backup.display()
        );
    }
    if let Some((aside, cause)) = &report.db.moved_aside {
        tracing::error!(
            "the database was damaged ({cause}); it was kept as {} and a new one begun; {} rows were taken over",
            aside.display(),
            report.db.salvaged
        );
    }
}

#[cfg(test)]
#[path = "restart_tests.rs"]
mod tests;
