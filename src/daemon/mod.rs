//! The daemon: opens the store, takes up where the last run ended, starts every edge around the engine, and ends them
//! in the order in which nothing is lost.

mod hub;
mod outbox;
mod report;
mod roster;
mod settings;
mod straps;
mod systemd;

pub use settings::Settings;

use crate::ble::{self, BleConfig};
use crate::check::CheckResult;
use crate::clock::Clock;
use crate::control::{self, ServerError};
use crate::engine::{Config as EngineConfig, Engine, Input, LinkState, Output, Roster, Strap, StrapFacts};
use crate::mqtt::{self, MqttHandle, Renderer, Topics};
use crate::player::Player;
use crate::store::{self, OpenOptions, OpenReport, Query, StoreError};
use crate::units::{Mono, Now, StrapId};
use hub::{Hub, Inlets};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// A check that was running when the last process died is continued if its records are not older than this.
const RESUME: Duration = Duration::from_secs(15 * 60);
/// Inputs that may wait for the engine. More than a minute of seven straps; a full queue makes the radio wait.
const RADIO_QUEUE: usize = 512;
/// Lines a slow listener may be behind before it loses some.
const LISTENER_LINES: usize = 512;
/// Time for a clean farewell to the broker.
const FAREWELL: Duration = Duration::from_secs(2);

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
    let options = OpenOptions {
        athletes: settings.roster.athletes.clone(),
        straps: settings.roster.straps.clone(),
        flush_every: settings.flush_every,
        ..OpenOptions::new(&settings.store, &boot)
    };
    let opened = store::open(options)?;
    log_opened(&opened.report);
    let store = opened.handle;

    // what the last runs left
    let known = Known::read(&settings, &boot, clock.now());
    let merged = roster::merge(&settings.roster, &known.adopted);
    store.athletes(merged.athletes.clone());
    let (engine, again) = revive(&settings, &boot, &merged, &known, clock.now());

    let (mqtt_handle, mqtt_commands, topics) = match &settings.mqtt {
        Some(config) => {
            let outbox = outbox::StoreOutbox::new(store.clone(), settings.store.clone(), clock.clone());
            let topics = Topics::new(config);
            let (handle, commands) = mqtt::spawn(config.clone(), outbox, &CancellationToken::new())?;
            (handle, commands, topics)
        }
        None => {
            let (_, none) = mpsc::channel(1);
            (MqttHandle::disabled(), none, Topics::new(&mqtt::MqttConfig::default()))
        }
    };
    let mut renderer = Renderer::new(topics, settings.render.clone());
    let mut first = renderer.roster(&merged);
    first.extend(known.mornings.iter().filter_map(|r| renderer.morning(r)));
    let durable: Vec<_> = first.into_iter().filter_map(|m| mqtt_handle.deliver(m)).collect();
    if !durable.is_empty() {
        store.publish(durable, clock.now().wall);
    }
    for result in again {
        // graded by the last process, which may have died before it was stored; the store knows if it was
        let output = Output::Result(Box::new(result.clone()));
        let messages = renderer.output(&output, clock.now());
        let durable = messages.into_iter().filter_map(|m| mqtt_handle.deliver(m)).collect();
        store.result(result, durable);
    }

    let mut straps = straps::Straps::new(&boot, settings.releases);
    straps.set_roster(&merged);
    if let Err(e) = Query::open(&settings.store).and_then(|q| straps.restore(&q, clock.now())) {
        tracing::error!("what is known of straps cannot be read: {e}");
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
        straps,
        checking: false,
        bridge: None,
        radio_used,
        strangers: BTreeSet::new(),
        store_path: settings.store,
    };
    hub.say_bridge(&radio_status);
    let inlets = Inlets { radio: radio_rx, mqtt: mqtt_commands, requests, store_events: opened.events, radio_status };
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
    let stopped = tokio::task::spawn_blocking(move || store.stop()).await;
    match stopped {
        Ok(Ok(())) => {}
        Ok(Err(e)) => tracing::error!("the last records could not be written: {e}"),
        Err(_) => ended = Ended::Panicked,
    }
    Ok(ended)
}

async fn radio_exit(handle: &mut Option<ble::BleHandle>) -> ble::Exit {
    match handle {
        Some(h) => h.join().await,
        None => std::future::pending().await,
    }
}

/// What the store knows at start.
#[derive(Default)]
struct Known {
    adopted: Vec<Strap>,
    facts: Vec<(StrapId, StrapFacts)>,
    checked_on: Vec<(crate::units::AthleteId, jiff::civil::Date)>,
    mornings: Vec<CheckResult>,
    records: Vec<crate::engine::Record>,
}

impl Known {
    fn read(settings: &Settings, boot: &str, now: Now) -> Self {
        match Self::try_read(settings, boot, now.mono) {
            Ok(known) => known,
            Err(e) => {
                tracing::error!("the store cannot be read, starting without its memory: {e}");
                Self::default()
            }
        }
    }

    fn try_read(settings: &Settings, boot: &str, now: Mono) -> Result<Self, StoreError> {
        let query = Query::open(&settings.store)?;
        let adopted: Vec<Strap> = query.straps()?.into_iter().map(|s| s.strap).collect();
        let facts = query.facts()?;
        let checked_on = query.checked_on()?;
        let merged = roster::merge(&settings.roster, &adopted);
        let mut mornings = vec![];
        for athlete in &merged.athletes {
            let results = query.results(Some(&athlete.id), 20)?;
            mornings.extend(results.into_iter().find(|r| r.values.is_some()));
        }
        let records = query.records_since(boot, now - RESUME)?;
        Ok(Self { adopted, facts, checked_on, mornings, records })
    }
}

/// An engine that remembers: the records of the last minutes of this boot are replayed into it, so that a check goes
/// on after a crash. What it says meanwhile was said before; only results are kept, in case they were not stored.
fn revive(settings: &Settings, boot: &str, roster: &Roster, known: &Known, now: Now) -> (Engine, Vec<CheckResult>) {
    let config =
        EngineConfig { boot: boot.to_owned(), live_interval: settings.live_interval, check: settings.check.clone() };
    let start = known.records.first().map_or(now.mono, |r| r.at);
    let mut player = Player::new(Engine::new(config), start, None);
    let mut results = vec![];
    let said = &mut |_, output| {
        if let Output::Result(result) = output {
            results.push(*result);
        }
    };
    player.input(start, Input::Roster(roster.clone()), said);
    for (athlete, date) in &known.checked_on {
        player.input(start, Input::CheckedOn { athlete: athlete.clone(), date: *date }, said);
    }
    for (strap, facts) in &known.facts {
        player.input(start, Input::Facts { strap: *strap, facts: facts.clone() }, said);
    }
    let last = known.records.last().map(|r| r.at);
    for record in &known.records {
        player.record(record.clone(), said);
    }
    if let Some(last) = last {
        // nobody listened since: whatever comes next does not follow
        for strap in &roster.straps {
            player.input(last, Input::Link { strap: strap.id, state: LinkState::Unknown }, said);
        }
        if player.engine().is_checking() {
            tracing::info!("a check was running {:.0} s ago: it goes on", now.mono.since(last).as_secs_f64());
        }
    }
    (player.into_engine(), results)
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
