//! What a restart says and does not say again.

use super::*;
use crate::clock::ClockTrust;
use crate::control::{Client, Op};
use crate::engine::{Athlete, Command, Config as EngineConfig, Engine, Roster, Strap, Trigger};
use crate::player::Player;
use crate::sim::{Heart, HeartConfig, StrapSim};
use crate::store::Query;
use crate::units::StrapId;
use crate::verdict::{Source, Units};
use jiff::tz::TimeZone;
use std::path::Path;

const STRAP: StrapId = StrapId([7; 6]);

fn settings(dir: &Path) -> Settings {
    let alex = Athlete {
        id: "alex".parse().unwrap(),
        name: "Alex".into(),
        time_zone: TimeZone::UTC,
        posture: crate::check::Posture::Supine,
        wake_window: None,
    };
    let strap = Strap { id: STRAP, athlete: alex.id.clone(), name: None };
    Settings {
        configured: Configured::default(),
        live_interval: Duration::from_secs(5),
        check: crate::check::CheckConfig::default(),
        roster: Roster { athletes: vec![alex], straps: vec![strap] },
        mqtt: None,
        render: mqtt::RenderOptions::default(),
        bluetooth: None,
        store: dir.join("hrvd.db"),
        flush_every: Duration::from_secs(10),
        control_socket: dir.join("control.sock"),
        keeping: super::Keeping::default(),
        releases: Default::default(),
        readiness: Default::default(),
    }
}

/// A result that is on the card keeps its date: the replay after a restart knows no wall clock.
#[test]
fn a_stored_result_is_not_said_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let start = Mono::from_secs(1000);
    let config =
        EngineConfig { boot: "b".into(), live_interval: settings.live_interval, check: settings.check.clone() };
    let mut player = Player::new(Engine::new(config), start, Some("2026-11-24T05:00:00Z".parse().unwrap()));
    let mut said = vec![];
    let mut hear = |_, o| said.push(o);
    player.input(start, Input::Roster(settings.roster.clone()), &mut hear);
    let athlete = settings.roster.athletes[0].id.clone();
    let command = Command::StartCheck { athlete, posture: None, trigger: Trigger::Manual };
    player.input(start, Input::Command(command), &mut hear);
    let heart = StrapSim::new(Heart::new(HeartConfig::default()));
    for n in heart.take_while(|n| n.at < Duration::from_secs(240)) {
        player.input(start + n.at, Input::Packet { strap: STRAP, bytes: n.bytes }, &mut hear);
    }
    let end = player.now();
    let keep = |with_result: bool| {
        let opened = store::open(OpenOptions::new(&settings.store, "b")).unwrap();
        for o in &said {
            match o {
                // the anchor is older than what is replayed
                Output::Record(r) if !matches!(r.kind, crate::engine::RecordKind::Anchor { .. }) && !with_result => {
                    opened.handle.record(r.clone());
                }
                Output::Result(r) if with_result => opened.handle.result((**r).clone(), vec![]),
                _ => {}
            }
        }
        opened.handle.stop().unwrap();
        let known = Known::read(&settings, "b", end);
        revive(&settings, "b", &settings.roster, &known, end).results
    };
    let unstored = keep(false);
    assert_eq!(unstored.len(), 1, "what the store lacks is made again");
    assert!(unstored[0].wall.is_some(), "and dated by the clock of now");
    assert_eq!(keep(true), []);
}

/// Starts the daemon, does something on its socket, stops it.
async fn live(settings: &Settings, clock: &Clock, what: impl FnOnce(Client) + Send + 'static) {
    live_in("b", settings, clock, Radio::Off, what).await;
}

async fn live_in(
    boot: &str,
    settings: &Settings,
    clock: &Clock,
    radio: Radio,
    what: impl FnOnce(Client) + Send + 'static,
) {
    let stop = CancellationToken::new();
    let daemon = run(settings.clone(), radio, clock.clone(), boot.into(), stop.clone());
    let path = settings.control_socket.clone();
    let visit = async {
        let client = loop {
            match Client::connect(&path) {
                Ok(client) => break client,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        tokio::task::spawn_blocking(move || what(client)).await.unwrap();
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(daemon, visit);
    assert_eq!(ended.unwrap(), Ended::Stopped);
}

#[tokio::test]
async fn a_check_that_failed_is_not_reported_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let clock = Clock::system(ClockTrust::Plausible).scaled(1000.0);
    live(&settings, &clock, |mut client| {
        client.ask(&Op::Subscribe { athlete: None }).unwrap();
        client.ask(&Op::StartCheck { athlete: None, posture: None }).unwrap();
        while client.receive().unwrap().unwrap()["phase"] != "aborted" {}
    })
    .await;
    let failed = || {
        let query = Query::open(&settings.store).unwrap();
        let mut after = 0;
        std::iter::from_fn(move || {
            let row = query.next_unsent(after).unwrap()?;
            after = row.id;
            Some(String::from_utf8(row.publication.payload).unwrap())
        })
        .filter(|p| p.contains("failed"))
        .count()
    };
    assert_eq!(failed(), 1);
    live(&settings, &clock, |mut client| {
        client.ask(&Op::Subscribe { athlete: None }).unwrap();
        std::thread::sleep(Duration::from_millis(300)); // five minutes of its time
    })
    .await;
    assert_eq!(failed(), 1);
}

/// What a strap that sends ms says in 400 s.
fn milliseconds(start: Mono) -> Vec<(Now, Input)> {
    use crate::sim::{Profile, ProfileStrap, Rhythm, RhythmConfig, SimEvent};
    let strap = ProfileStrap::new(Profile::by_id("milliseconds").unwrap(), Rhythm::new(RhythmConfig::default()), 1);
    let events = strap.take_while(|e| e.at().as_secs() < 400).filter_map(|event| {
        let (at, input) = match event {
            SimEvent::LinkUp { at } => (at, Input::Link { strap: STRAP, state: crate::engine::LinkState::Connected }),
            SimEvent::Notification { at, bytes, .. } => (at, Input::Packet { strap: STRAP, bytes }),
            _ => return None,
        };
        Some((Now { mono: start + at, wall: None }, input))
    });
    events.collect()
}

/// A strap that was adopted while the daemon runs is no stranger to the store: what is proven about it is kept as well.
#[tokio::test]
async fn what_is_proven_of_a_strap_adopted_at_run_time_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path());
    settings.roster.straps.clear();
    let clock = Clock::system(ClockTrust::Plausible);
    let (tx, rx) = mpsc::channel(1000);
    let start = clock.mono();
    live_in("b", &settings, &clock, Radio::Given(rx), move |mut client| {
        client.ask(&Op::Adopt { address: STRAP.to_string(), athlete: "alex".into(), name: None }).unwrap();
        for input in milliseconds(start) {
            tx.blocking_send(input).unwrap();
        }
        // the radio is read before requests
        let status = client.ask(&Op::Status).unwrap();
        assert_eq!(status["straps"][0]["units"], "milliseconds");
    })
    .await;
    let query = Query::open(&settings.store).unwrap();
    assert!(query.meta(&straps::source_key(STRAP)).unwrap().unwrap().contains("units=milliseconds"));
}

fn hub(settings: Settings, store: store::StoreHandle) -> Hub {
    let clock = Clock::system(ClockTrust::Plausible);
    let config = EngineConfig { boot: "b".into(), live_interval: settings.live_interval, check: settings.check };
    let mut straps = straps::Straps::new("b", settings.releases);
    straps.set_roster(&settings.roster);
    let people = &settings.roster.athletes;
    let preferences = Preferences::new(Configured::default(), people, settings.live_interval, vec![]);
    Hub {
        desks: Default::default(),
        store_path: settings.store.clone(),
        engine: Engine::new(config),
        started: None,
        clock,
        store,
        mqtt: MqttHandle::disabled(),
        renderer: Renderer::new(Topics::new(&mqtt::MqttConfig::default()), settings.render),
        listeners: broadcast::channel(1).0,
        wanted: watch::channel(vec![]).0,
        systemd: systemd::Systemd::default(),
        configured: settings.roster.clone(),
        adopted: vec![],
        roster: settings.roster,
        straps,
        checking: false,
        bridge: None,
        radio_used: false,
        strangers: BTreeSet::new(),
        forgotten: BTreeSet::new(),
        learning: None,
        night: night::Night::new(super::Keeping::default(), settings.store, Mono::default()),
        preferences,
        latest: Mono::default(),
    }
}

/// The answer to a question that was asked before a strap was forgotten speaks of a strap that is no more.
#[tokio::test]
async fn a_strap_that_is_forgotten_while_the_store_is_asked_stays_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let store = store::open(OpenOptions::new(&settings.store, "b")).unwrap().handle;
    let mut hub = hub(settings, store.clone());
    let radio = watch::channel(ble::Status::default()).1;
    let id = StrapId([8; 6]);
    let forget = || Op::Forget { address: id.to_string() };
    let adopt = |athlete: &str| Op::Adopt { address: id.to_string(), athlete: athlete.into(), name: None };
    let wearer = |hub: &Hub| hub.roster.straps.iter().find(|s| s.id == id).map(|s| s.athlete.to_string());

    let proven = Source { units: Units::Milliseconds, ..Source::default() };
    hub.answer(adopt("kim"), &radio).unwrap();
    store.set_meta(straps::source_key(id), Some(proven.to_text()));
    hub.learning = Some(hub.recall());
    hub.answer(forget(), &radio).unwrap();
    let memory = straps::answer(&mut hub.learning).await;
    hub.learn(memory);
    assert_eq!(wearer(&hub), None, "asked before");

    hub.answer(adopt("kim"), &radio).unwrap();
    let memory = hub.recall().await.unwrap();
    hub.answer(forget(), &radio).unwrap();
    hub.learn(memory);
    assert_eq!(wearer(&hub), None, "answered before, or written later");

    // adopted anew: nothing of the days before
    hub.answer(adopt("kim"), &radio).unwrap();
    store.set_meta(straps::source_key(id), Some(proven.to_text()));
    hub.learning = Some(hub.recall());
    hub.answer(forget(), &radio).unwrap();
    hub.answer(adopt("sam"), &radio).unwrap();
    let memory = straps::answer(&mut hub.learning).await;
    hub.learn(memory);
    assert_eq!(wearer(&hub).as_deref(), Some("sam"));
    assert_eq!(hub.straps.sources(), [], "nor what was proven of it then");
}

/// What the clock proved about a strap is known in the next process from the start; its battery's level is not.
#[tokio::test]
async fn units_that_were_proven_are_known_after_a_restart() {
    use crate::engine::StrapFacts;
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let clock = Clock::system(ClockTrust::Plausible);
    let start = clock.mono();
    let (tx, rx) = mpsc::channel(1000);
    let facts = StrapFacts { battery_pct: Some(64), model: Some("M1".into()), ..StrapFacts::default() };
    tx.try_send((Now { mono: start, wall: None }, Input::Facts { strap: STRAP, facts })).unwrap();
    for input in milliseconds(start) {
        tx.try_send(input).unwrap();
    }
    // the radio is read before requests: the first answer knows all of it
    let told = |mut client: Client| {
        let status = client.ask(&Op::Status).unwrap();
        let s = status["straps"][0].clone();
        [s["units"].clone(), s["battery_pct"].clone(), s["model"].clone()].map(|v| v.to_string()).join(" ")
    };
    live_in("b", &settings, &clock, Radio::Given(rx), move |client| {
        assert_eq!(told(client), r#""milliseconds" 64 "M1""#);
    })
    .await;
    // the next boot knows no packet of it
    let next = move |client| assert_eq!(told(client), r#""milliseconds" null "M1""#);
    live_in("c", &settings, &clock, Radio::Off, next).await;
    let query = Query::open(&settings.store).unwrap();
    assert!(query.meta(&straps::source_key(STRAP)).unwrap().unwrap().contains("units=milliseconds"));
}

/// A process that stood still for a minute does what was due in it, but says nothing of then as if it were now.
#[tokio::test]
async fn what_was_live_while_nothing_ran_is_not_said_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let store = store::open(OpenOptions::new(&settings.store, "b")).unwrap().handle;
    let mut hub = hub(settings, store);
    hub.listeners = broadcast::channel(10_000).0;
    let start = Mono::from_secs(100);
    hub.handle(Now { mono: start, wall: None }, Input::Roster(hub.roster.clone()));
    let mut last = start;
    for (now, input) in milliseconds(start).into_iter().take_while(|(now, _)| now.mono.since(start).as_secs() < 60) {
        last = now.mono;
        hub.handle(now, input);
    }
    let mut heard = hub.listeners.subscribe();
    let mut live = || -> Vec<bool> {
        let lines = std::iter::from_fn(|| heard.try_recv().ok());
        let lines = lines.map(|l| serde_json::from_str::<serde_json::Value>(&l.json).unwrap());
        lines.filter(|l| l["type"] == "live").map(|l| l["hr_bpm"].is_number()).collect()
    };
    hub.drain();
    assert!(live().contains(&true), "it was live");
    hub.handle(Now { mono: last + std::time::Duration::from_secs(60), wall: None }, Input::Timeout);
    hub.drain();
    assert!(!live().contains(&true), "nothing of a minute ago");
}

/// What is due at the very moment of a packet is done before it, as in a replay of the records.
#[tokio::test]
async fn a_packet_that_comes_when_something_is_due_means_the_same_in_a_replay() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let store = store::open(OpenOptions::new(&settings.store, "b")).unwrap().handle;
    let mut hub = hub(settings.clone(), store);
    let start = Mono::from_secs(100);
    let packet = |ms: u64, beats: usize| {
        let bytes = [&[0x10, 60][..], &[0, 4].repeat(beats)].concat();
        (start + Duration::from_millis(ms), Input::Packet { strap: STRAP, bytes: bytes[..].into() })
    };
    let mut inputs: Vec<(Mono, Input)> = (1..=30).map(|s| packet(s * 1000, 1)).collect();
    // late, and when its wait is over all of them are there
    inputs.extend([packet(35_000, 1), packet(36_500, 5)]);
    inputs.insert(0, (start, Input::Roster(settings.roster.clone())));
    let config = EngineConfig { boot: "b".into(), live_interval: settings.live_interval, check: settings.check };
    let mut player = Player::new(Engine::new(config), start, None);
    let (mut live, mut again) = (vec![], vec![]);
    for (mono, input) in inputs {
        hub.handle(Now { mono, wall: None }, input.clone());
        live.extend(std::iter::from_fn(|| hub.engine.poll_output()));
        player.input(mono, input, &mut |_, o| again.push(o));
    }
    assert_eq!(live.len(), again.len());
    assert!(live == again);
}
