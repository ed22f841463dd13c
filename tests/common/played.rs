//! The whole daemon inside the test's process (or a child of it) on a clock that runs faster, with simulated straps.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::daemon::{Home, wait_for};
use super::mosquitto::Observer;
use hrvd::check::{CheckConfig, Posture};
use hrvd::clock::{Clock, ClockTrust};
use hrvd::daemon::{self, Configured, Ended, Radio, Settings};
use hrvd::engine::{Athlete, Input, LinkState, Roster, Strap, StrapFacts, WakeWindow};
use hrvd::mqtt::{MqttConfig, RenderOptions, Timing};
use hrvd::sim::{Heart, HeartConfig, StrapSim};
use hrvd::units::{AthleteId, Mono, Now, StrapId};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many times as fast as life.
pub const FACTOR: f64 = 20.0;

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// So many seconds of the daemon's clock, in real time.
pub fn lived(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds / FACTOR)
}

/// A quarter past six in the morning (UTC), whenever the test runs.
pub fn morning() -> jiff::Timestamp {
    "2026-11-24T06:15:00Z".parse().unwrap()
}

/// The machine's clock, sped up since the moment `origin` after its boot, which was [`morning`].
pub fn clock_since(origin: Mono) -> Clock {
    Clock::system(ClockTrust::Plausible).scaled_since(Now { mono: origin, wall: Some(morning()) }, FACTOR)
}

pub fn clock() -> Clock {
    clock_since(Clock::system(ClockTrust::Plausible).mono())
}

pub fn strap(n: u8) -> StrapId {
    StrapId([0xc0, 0xff, 0xee, 0, 0, n])
}

/// A person and their strap.
pub fn person(slug: &str, n: u8) -> (Athlete, Strap) {
    let id: AthleteId = slug.parse().unwrap();
    let athlete = Athlete {
        id: id.clone(),
        name: slug.into(),
        time_zone: TimeZone::UTC,
        posture: Posture::Supine,
        wake_window: None,
    };
    (athlete, Strap { id: strap(n), athlete: id, name: None })
}

pub fn all_day() -> WakeWindow {
    let at = |h, m| jiff::civil::time(h, m, 0, 0);
    WakeWindow { from: at(0, 0), until: at(23, 59) }
}

pub fn roster(people: &[(&str, u8)]) -> Roster {
    let mut roster = Roster::default();
    for (slug, n) in people {
        let (athlete, strap) = person(slug, *n);
        roster.athletes.push(athlete);
        roster.straps.push(strap);
    }
    roster
}

/// A short check: half a minute to settle, a minute and a half that counts.
pub fn settings(home: &Home, port: u16, people: &[(&str, u8)]) -> Settings {
    let s = Duration::from_secs;
    Settings {
        configured: Configured { log_level: "info".into(), ..Configured::default() },
        live_interval: s(5),
        check: CheckConfig { settle: s(30), settle_min: s(30), record: s(90), ..CheckConfig::default() },
        roster: roster(people),
        mqtt: Some(MqttConfig {
            host: "127.0.0.1".into(),
            port,
            gateway_id: "g".into(),
            keep_alive: s(5),
            timing: Timing {
                backoff_min: ms(50),
                backoff_max: ms(300),
                refused_wait: ms(400),
                birth: (ms(50), ms(100)),
                ..Timing::default()
            },
            ..MqttConfig::default()
        }),
        render: RenderOptions::default(),
        bluetooth: None,
        store: home.db(),
        flush_every: s(10),
        control_socket: home.socket(),
        keeping: hrvd::daemon::Keeping::default(),
        releases: Default::default(),
        // numbers at once; what waits for the feel is tested in daemon_readiness
        readiness: daemon::ReadinessSettings { feel_wait: Duration::ZERO, ..Default::default() },
    }
}

/// The configuration file that means the same to the command line.
pub fn configure(home: &Home, port: u16) {
    home.configure(port, "[check]\nsettle = \"30s\"\nsettle_min = \"30s\"\nrecord = \"90s\"\n");
}

/// The daemon, running.
pub struct Running {
    pub clock: Clock,
    pub radio: mpsc::Sender<(Now, Input)>,
    stop: CancellationToken,
    thread: Option<JoinHandle<Result<Ended, String>>>,
}

impl Running {
    pub fn start(settings: Settings, clock: Clock, boot: &str) -> Self {
        let (radio, rx) = mpsc::channel(512);
        let stop = CancellationToken::new();
        let (cancel, boot, theirs) = (stop.clone(), boot.to_owned(), clock.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let ended = runtime.block_on(daemon::run(settings, Radio::Given(rx), theirs, boot, cancel));
            runtime.shutdown_timeout(ms(500));
            ended.map_err(|e| e.to_string())
        });
        Self { clock, radio, stop, thread: Some(thread) }
    }

    /// A clean end.
    pub fn stop(mut self) {
        self.stop.cancel();
        let ended = self.thread.take().unwrap().join().expect("the daemon does not panic");
        assert_eq!(ended, Ok(Ended::Stopped));
    }

    /// Sends an input as the radio would, now.
    pub fn say(&self, input: Input) {
        self.radio.blocking_send((self.clock.now(), input)).expect("the daemon listens");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A heart in a strap on somebody's chest: a notification a second since `since`, for whoever is connected.
pub struct Worn {
    stop: Arc<AtomicBool>,
    away: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The notifications of the heart of strap `n`, with their moments.
pub fn notifications(n: u8, since: Mono) -> impl Iterator<Item = (Mono, hrvd::engine::PacketBytes)> {
    let heart = HeartConfig { seed: u64::from(n), mean_rr_ms: 900.0 + 40.0 * f64::from(n), ..HeartConfig::default() };
    StrapSim::new(Heart::new(heart)).map(move |x| (since + x.at, x.bytes))
}

impl Worn {
    /// From now on, on a heart that began to beat at `since`.
    pub fn start(clock: &Clock, radio: &mpsc::Sender<(Now, Input)>, n: u8, since: Mono) -> Self {
        let (stop, away): (Arc<AtomicBool>, Arc<AtomicBool>) = Default::default();
        let (end, gone, clock, radio) = (Arc::clone(&stop), Arc::clone(&away), clock.clone(), radio.clone());
        let thread = std::thread::spawn(move || {
            let (id, begun) = (strap(n), clock.mono());
            let say = |now, input| radio.blocking_send((now, input)).is_ok();
            say(clock.now(), Input::Link { strap: id, state: LinkState::Connected });
            let facts =
                StrapFacts { name: Some(format!("Strap {n}")), battery_pct: Some(70 + n), ..StrapFacts::default() };
            say(clock.now(), Input::Facts { strap: id, facts });
            let mut up = true;
            for (at, bytes) in notifications(n, since) {
                if at < begun {
                    continue; // sent before anybody listened
                }
                std::thread::sleep(clock.until(at));
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let reach = !gone.load(Ordering::Relaxed);
                // as the radio stamps it: at its arrival, however busy this machine is
                let real = clock.now();
                let wall = real.wall.and_then(|w| w.checked_sub(real.mono.since(at)).ok());
                let now = Now { mono: at.min(real.mono), wall };
                if reach != up {
                    up = reach;
                    let state = if up { LinkState::Connected } else { LinkState::NotSeen };
                    say(now, Input::Link { strap: id, state });
                }
                if reach && !say(now, Input::Packet { strap: id, bytes }) {
                    return;
                }
            }
        });
        Self { stop, away, thread: Some(thread) }
    }

    /// Out of reach, or back.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }
}

impl Drop for Worn {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// All payloads of a topic that were seen, as JSON.
pub fn said(observer: &Observer, topic: &str) -> Vec<Value> {
    observer.payloads(topic).iter().filter(|p| !p.is_empty()).map(|p| json(p)).collect()
}

/// The kinds of a person's check events, in order.
pub fn events(observer: &Observer, athlete: &str) -> Vec<String> {
    said(observer, &format!("hrvd/g/athlete/{athlete}/event/check"))
        .iter()
        .map(|e| e["event_type"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits for a message that satisfies `is`; long enough for a whole check on a busy machine.
pub fn wait_said(observer: &Observer, topic: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let tail = || {
        let all = observer.seen();
        let lines: Vec<String> = all.iter().map(|s| format!("{} {}", s.topic, s.payload)).collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    };
    wait_for(Duration::from_secs(60), &format!("{topic}: {what}"), tail, || {
        said(observer, topic).into_iter().rev().find(|v| is(v))
    })
}

pub fn wait_event(observer: &Observer, athlete: &str, kind: &str) -> Value {
    wait_said(observer, &format!("hrvd/g/athlete/{athlete}/event/check"), kind, |v| v["event_type"] == kind)
}

pub fn wait_phase(observer: &Observer, athlete: &str, phase: &str) {
    wait_said(observer, &format!("hrvd/g/athlete/{athlete}/check"), phase, |v| v["phase"] == phase);
}

pub fn start_check(observer: &Observer, athlete: &str) {
    observer.publish(&format!("hrvd/g/athlete/{athlete}/check/set"), "start", false);
}
