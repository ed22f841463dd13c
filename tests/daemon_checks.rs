//! Whole checks through the whole daemon, on a clock that runs faster: broker away, strap away, killed in the middle,
//! two at once; and what is stored replays to what was published.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/mosquitto.rs"]
mod mosquitto;
#[path = "common/played.rs"]
mod played;

use daemon::{Home, SOON, Said, wait_for};
use hrvd::clock::ManualClock;
use hrvd::control::{Client, Op};
use hrvd::engine::{Input, LinkState};
use hrvd::units::{Mono, Now};
use mosquitto::{Gate, Mosquitto, Observer, retained};
use played::*;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

const NUMBERS: [&str; 9] =
    ["rmssd_ms", "ln_rmssd", "mean_hr_bpm", "mean_rr_ms", "sdnn_ms", "pnn50_pct", "artifact_pct", "grade", "n"];

fn online(observer: &Observer) {
    observer.until_message("hrvd/g/status", "online");
}

/// The results that the store holds, oldest first.
fn stored(home: &Home) -> Vec<Value> {
    home.run(&["export", "checks", "--format", "jsonl"]).ends(0).objects()
}

/// Exports a recording and replays it.
fn replayed(home: &Home, athlete: &str) -> Said {
    let file = home.path(&format!("{athlete}.hrvd"));
    home.run(&["export", "recording", "--athlete", athlete, "--output", file.to_str().unwrap()]).ends(0);
    home.run(&["replay", file.to_str().unwrap(), "--json"]).ends(0)
}

fn assert_replay_is_live(home: &Home, athlete: &str) {
    let all = stored(home);
    let live = all.iter().rfind(|r| r["athlete"] == athlete).unwrap();
    let replay = replayed(home, athlete).objects().into_iter().rfind(|v| v["type"] == "check_result").unwrap();
    for key in NUMBERS.iter().chain(&["athlete", "strap", "posture", "trigger", "at", "gap_s", "clean_s", "pairs"]) {
        assert_eq!(replay[key], live[key], "{key}:\nlive   {live}\nreplay {replay}");
    }
    assert!(replay["rmssd_ms"].is_number());
}

#[test]
fn a_check_asked_for_by_mqtt_ends_on_the_broker_in_the_store_and_in_a_replay() {
    let mut broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    configure(&home, broker.port);
    let clock = clock();
    let hrvd = Running::start(settings(&home, broker.port, &[("alex", 1)]), clock.clone(), "boot-1");
    online(&observer);
    let _worn = Worn::start(&clock, &hrvd.radio, 1, clock.mono());
    wait_said(&observer, "hrvd/g/athlete/alex/live", "a heart rate", |v| v["hr"].is_number());
    start_check(&observer, "alex");
    let done = wait_event(&observer, "alex", "completed");
    let morning = wait_said(&observer, "hrvd/g/athlete/alex/morning", "a value", |v| v["rmssd"].is_number());
    for key in ["rmssd", "ln_rmssd", "hr", "grade", "n", "at", "date", "id"] {
        assert!(!done[key].is_null(), "{key} in {done}");
        assert_eq!(done[key], morning[key], "{key}");
    }
    assert_eq!(done["date"], "2026-11-24");
    assert_eq!(events(&observer, "alex"), ["started", "completed"]);
    // kept phases in order; progress in between, once a second, with what a person needs
    wait_phase(&observer, "alex", "done");
    let check = said(&observer, "hrvd/g/athlete/alex/check");
    let mut phases: Vec<&str> = check.iter().map(|c| c["phase"].as_str().unwrap()).collect();
    phases.dedup();
    phases.retain(|p| *p != "grading");
    assert_eq!(phases, ["idle", "waiting_for_strap", "settling", "recording", "done"]);
    let progress: Vec<&Value> = check.iter().filter(|c| c["hr"].is_number() && c["phase"] == "recording").collect();
    assert!(progress.len() > 60, "{} in 90 s", progress.len());
    let percent: Vec<u64> =
        check.iter().filter(|c| c["phase"] == "recording").map(|c| c["percent"].as_u64().unwrap()).collect();
    assert!(percent.windows(2).all(|w| w[0] <= w[1]), "{percent:?}");

    // a broker that forgot everything is told everything again
    broker.kill();
    broker.run();
    wait_for(
        SOON,
        "all is kept again",
        || format!("{:#?}", retained(broker.port)),
        || {
            let all = retained(broker.port);
            let morning_again = all.iter().find(|s| s.topic == "hrvd/g/athlete/alex/morning")?;
            assert_eq!(json(&morning_again.payload), morning);
            [
                "hrvd/g/status",
                "homeassistant/device/hrvd_g/config",
                "homeassistant/device/hrvd_g_athlete_alex/config",
                "homeassistant/device/hrvd_g_strap_c0ffee000001/config",
                "hrvd/g/strap/c0ffee000001/availability",
            ]
            .iter()
            .all(|t| all.iter().any(|s| s.topic == *t))
            .then_some(())
        },
    );
    // but events are not repeated
    let later = Observer::new(broker.port);
    std::thread::sleep(ms(500));
    assert_eq!(events(&later, "alex"), Vec::<String>::new());

    assert_eq!(stored(&home).len(), 1);
    hrvd.stop();
    assert_eq!(retained(broker.port).iter().find(|s| s.topic == "hrvd/g/status").unwrap().payload, "offline");
    assert_replay_is_live(&home, "alex");
    let number = |v: &Value, digits: i32| (v.as_f64().unwrap() * 10f64.powi(digits)).round() / 10f64.powi(digits);
    assert_eq!(morning["rmssd"].as_f64().unwrap(), number(&stored(&home)[0]["rmssd_ms"], 1));
    let csv = home.run(&["export", "checks"]).ends(0);
    assert_eq!(csv.out.lines().count(), 2, "{}", csv.out);
    assert!(csv.out.starts_with("type,id,athlete,"), "{}", csv.out);
    let beats = home.run(&["export", "beats", "--format", "jsonl"]).ends(0).objects();
    assert!(beats.len() > 100 && beats.iter().all(|b| b["rr_ms"].as_f64().unwrap() > 300.0));
}

#[test]
fn a_result_waits_for_a_broker_that_is_away() {
    let mut broker = Mosquitto::open();
    let gate = Gate::before(&broker);
    let home = Home::new();
    let clock = clock();
    let hrvd = Running::start(settings(&home, gate.port, &[("alex", 1)]), clock.clone(), "boot-1");
    let observer = Observer::new(broker.port);
    online(&observer);
    let _worn = Worn::start(&clock, &hrvd.radio, 1, clock.mono());
    wait_said(&observer, "hrvd/g/athlete/alex/live", "a heart rate", |v| v["hr"].is_number());
    // the command line is not in need of a broker
    let mut client = Client::connect(&home.socket()).unwrap();
    client.ask(&Op::Subscribe { athlete: None }).unwrap();
    client.ask(&Op::StartCheck { athlete: None, posture: None }).unwrap();
    wait_phase(&observer, "alex", "settling");
    gate.bar();
    broker.kill();
    client.set_timeout(Some(Duration::from_secs(60))).unwrap();
    let result = loop {
        let v = client.receive().unwrap().unwrap();
        if v["type"] == "check_result" {
            break v;
        }
    };
    std::thread::sleep(ms(300));
    broker.run();
    let observer = Observer::new(broker.port);
    gate.unbar();
    let done = wait_event(&observer, "alex", "completed");
    assert_eq!(done["id"], result["id"]);
    wait_said(&observer, "hrvd/g/athlete/alex/morning", "the value", |v| v["id"] == result["id"]);
    wait_said(&observer, "hrvd/g/bridge", "nothing unsent", |v| v["unsent"] == 0);
    std::thread::sleep(ms(500));
    assert_eq!(events(&observer, "alex"), ["completed"], "once");
    hrvd.stop();
}

#[test]
fn two_athletes_with_two_straps_at_once_keep_to_themselves() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    configure(&home, broker.port);
    let clock = clock();
    let hrvd = Running::start(settings(&home, broker.port, &[("alex", 1), ("kim", 9)]), clock.clone(), "boot-1");
    online(&observer);
    let _alex = Worn::start(&clock, &hrvd.radio, 1, clock.mono());
    let _kim = Worn::start(&clock, &hrvd.radio, 9, clock.mono());
    for who in ["alex", "kim"] {
        wait_said(&observer, &format!("hrvd/g/athlete/{who}/live"), "a heart rate", |v| v["hr"].is_number());
    }
    home.run(&["check"]).ends(2).complains("error: which athlete?\nhint: --athlete with one of: alex, kim\n");
    // one by the command line, one by MQTT; a third listens to one of them
    let live = home.hrvd(&["live", "--athlete", "kim", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let check = home
        .hrvd(&["check", "--athlete", "alex", "--posture", "seated"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    start_check(&observer, "kim");
    let (a, k) = (wait_event(&observer, "alex", "completed"), wait_event(&observer, "kim", "completed"));
    let out = check.wait_with_output().unwrap();
    let (text, err) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
    assert_eq!(out.status.code(), Some(0), "{text}{err}");
    assert!(text.contains(&format!("RMSSD      {:.1} ms", a["rmssd"].as_f64().unwrap())), "{text} against {a}");
    assert!(err.contains("Recording. Keep still") && !err.contains('\x1b'), "{err}");

    // strap 9 beats a third slower
    assert!(a["hr"].as_f64().unwrap() > k["hr"].as_f64().unwrap() + 10.0, "{a} {k}");
    assert_eq!((&a["posture"], &k["posture"]), (&"seated".into(), &"supine".into()));
    for (who, own) in [("alex", &a), ("kim", &k)] {
        assert_eq!(events(&observer, who), ["started", "completed"], "{who}");
        let hr = own["hr"].as_f64().unwrap();
        for v in said(&observer, &format!("hrvd/g/athlete/{who}/live")) {
            assert!(v["hr"].is_null() || (v["hr"].as_f64().unwrap() - hr).abs() < 12.0, "{who}: {v}");
        }
    }
    hrvd.stop();
    let mut live = live;
    let mut heard = String::new();
    live.stdout.take().unwrap().read_to_string(&mut heard).unwrap();
    assert_eq!(live.wait().unwrap().code(), Some(0), "the daemon went, the listener ends");
    let whose: BTreeSet<String> =
        heard.lines().map(json).filter_map(|v| v["athlete"].as_str().map(str::to_owned)).collect();
    assert_eq!(whose, BTreeSet::from(["kim".to_owned()]));
    for who in ["alex", "kim"] {
        assert_replay_is_live(&home, who);
    }
}

#[test]
fn a_strap_away_for_a_moment_leaves_a_marked_gap_and_no_stale_number() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    configure(&home, broker.port);
    let clock = clock();
    let hrvd = Running::start(settings(&home, broker.port, &[("alex", 1)]), clock.clone(), "boot-1");
    online(&observer);
    let worn = Worn::start(&clock, &hrvd.radio, 1, clock.mono());
    wait_said(&observer, "hrvd/g/athlete/alex/live", "a heart rate", |v| v["hr"].is_number());
    start_check(&observer, "alex");
    wait_said(&observer, "hrvd/g/athlete/alex/check", "the middle", |v| {
        v["phase"] == "recording" && v["percent"].as_u64() > Some(45)
    });
    worn.set_away(true);
    // a packet may be on its way; what is said after the link's end may hold no number
    wait_said(&observer, "hrvd/g/athlete/alex/live", "nothing", |v| v["hr"].is_null());
    wait_for(SOON, "offline", String::new, || {
        (observer.payloads("hrvd/g/strap/c0ffee000001/availability").last()? == "offline").then_some(())
    });
    observer.clear();
    std::thread::sleep(lived(20.0));
    for topic in ["live", "check"] {
        for v in said(&observer, &format!("hrvd/g/athlete/alex/{topic}")) {
            assert!(v["hr"].is_null() && v["rr"].is_null() && v["rmssd"].is_null(), "stale on {topic}: {v}");
        }
    }
    assert!(observer.payloads("hrvd/g/athlete/alex/live").is_empty(), "the end is said once");
    let waiting = said(&observer, "hrvd/g/athlete/alex/check");
    assert!(waiting.iter().any(|v| v["hint"] == "come_closer" && v["phase"] == "recording"), "{waiting:?}");
    worn.set_away(false);
    let done = wait_event(&observer, "alex", "completed");
    assert!(done["notes"].as_array().unwrap().contains(&"gap".into()), "{done}");
    hrvd.stop();
    let gap = stored(&home)[0]["gap_s"].as_f64().unwrap();
    assert!((20.0..60.0).contains(&gap), "{gap}");
    assert_replay_is_live(&home, "alex");
}

#[test]
fn a_cancelled_check_is_told_to_people_and_to_programs() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    configure(&home, broker.port);
    let hrvd = Running::start(settings(&home, broker.port, &[("alex", 1)]), clock(), "boot-1");
    online(&observer);
    start_check(&observer, "alex");
    wait_phase(&observer, "alex", "waiting_for_strap");
    let said = home.run(&["check", "--cancel", "--json"]).ends(0);
    assert_eq!(said.objects(), [serde_json::json!({"athlete": "alex", "cancelled": true})]);
    wait_phase(&observer, "alex", "aborted");
    let none = home.run(&["check", "--cancel", "--json"]).complains("no check");
    assert_eq!(none.objects(), Vec::<Value>::new());
    observer.clear();
    start_check(&observer, "alex");
    wait_phase(&observer, "alex", "waiting_for_strap");
    home.run(&["check", "--cancel"]).ends(0).complains("cancelled");
    hrvd.stop();
}

#[test]
fn a_strap_that_stays_away_ends_the_check_and_says_so_even_to_a_broker_that_was_away() {
    let mut broker = Mosquitto::open();
    let gate = Gate::before(&broker);
    let observer = Observer::new(broker.port);
    let home = Home::new();
    let clock = clock();
    let hrvd = Running::start(settings(&home, gate.port, &[("alex", 1)]), clock.clone(), "boot-1");
    online(&observer);
    let worn = Worn::start(&clock, &hrvd.radio, 1, clock.mono());
    start_check(&observer, "alex");
    wait_phase(&observer, "alex", "settling");
    worn.set_away(true);
    gate.bar();
    broker.kill();
    std::thread::sleep(lived(75.0));
    broker.run();
    let observer = Observer::new(broker.port);
    gate.unbar();
    let failed = wait_event(&observer, "alex", "failed");
    assert_eq!(failed["cause"], "strap_lost");
    assert!(failed["rmssd"].is_null() && failed["hr"].is_null(), "{failed}");
    let kept = wait_said(&observer, "hrvd/g/athlete/alex/check", "the end", |v| v["phase"] == "aborted");
    assert_eq!(kept["cause"], "strap_lost");
    assert!(observer.payloads("hrvd/g/athlete/alex/morning").iter().all(String::is_empty));
    hrvd.stop();
}

// ---------------------------------------------------------------- time that only the test moves

/// A daemon whose clock stands still until a packet moves it: hours pass in seconds.
struct Still {
    manual: ManualClock,
    hrvd: Running,
}

impl Still {
    fn start(home: &Home, port: u16, at: Mono, change: impl FnOnce(&mut hrvd::daemon::Settings)) -> Self {
        let wall = morning().checked_add(at.since(Mono::from_secs(1000))).unwrap();
        let manual = ManualClock::new(Now { mono: at, wall: Some(wall) });
        let mut settings = settings(home, port, &[("alex", 1)]);
        change(&mut settings);
        let hrvd = Running::start(settings, manual.clock(), "boot-1");
        Self { manual, hrvd }
    }

    fn advance(&self, by: Duration) {
        self.manual.advance(by);
    }

    fn link(&self, state: LinkState) {
        self.hrvd.say(Input::Link { strap: strap(1), state });
    }

    /// Heart rate goes on alone for a while, then the strap ends the link; five minutes pass.
    fn take_off(&self, home: &Home) {
        let before = packets(home);
        for _ in 0..25 {
            self.advance(Duration::from_secs(1));
            self.hrvd.say(Input::Packet { strap: strap(1), bytes: [0x00, 60].into_iter().collect() });
        }
        self.link(LinkState::NotSeen);
        wait_for(SOON, "all packets are taken", String::new, || (packets(home) == before + 25).then_some(()));
        self.advance(Duration::from_secs(300));
    }

    /// Plays what the strap sends from now on for so many seconds, and waits until the daemon has taken it.
    fn play(&self, home: &Home, since: Mono, seconds: u64) {
        let from = self.manual.get().mono;
        let until = from + Duration::from_secs(seconds);
        let before = packets(home);
        let mut n = 0;
        for (at, bytes) in notifications(1, since).skip_while(|(at, _)| *at <= from).take_while(|(at, _)| *at <= until)
        {
            self.manual.advance(at.since(self.manual.get().mono));
            self.hrvd.say(Input::Packet { strap: strap(1), bytes });
            n += 1;
        }
        wait_for(SOON, "all packets are taken", String::new, || (packets(home) == before + n).then_some(()));
    }
}

fn status(home: &Home) -> Value {
    wait_for(SOON, "the daemon answers", String::new, || Client::connect(&home.socket()).ok()?.ask(&Op::Status).ok())
}

fn packets(home: &Home) -> u64 {
    status(home)["straps"][0]["packets"].as_u64().unwrap()
}

const BEGIN: Mono = Mono::from_secs(1000);

#[test]
fn putting_the_strap_on_starts_one_check_a_morning_whatever_restarts_in_between() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    configure(&home, broker.port);
    let auto = |s: &mut hrvd::daemon::Settings| s.roster.athletes[0].wake_window = Some(all_day());
    let still = Still::start(&home, broker.port, BEGIN, auto);
    online(&observer);
    still.link(LinkState::Connected);
    still.play(&home, BEGIN, 130);
    wait_event(&observer, "alex", "completed");
    assert_eq!(stored(&home)[0]["trigger"], "strap_on");
    // taken off for five minutes, put on again
    still.take_off(&home);
    still.link(LinkState::Connected);
    still.play(&home, BEGIN, 30);
    assert!(status(&home)["checks"][0]["phase"] == "done", "{}", status(&home));
    let now = still.manual.get().mono;
    still.hrvd.stop();
    // another daemon an hour later, the same morning
    let still = Still::start(&home, broker.port, now + Duration::from_secs(3600), auto);
    still.link(LinkState::Connected);
    still.play(&home, BEGIN, 30);
    assert_eq!(status(&home)["checks"][0]["phase"], "idle");
    still.hrvd.stop();
    assert_eq!(events(&observer, "alex"), ["started", "completed"]);
    // the next day it starts again
    let still = Still::start(&home, broker.port, now + Duration::from_secs(86_400), auto);
    still.link(LinkState::Connected);
    still.play(&home, BEGIN, 30);
    assert_eq!(status(&home)["checks"][0]["phase"], "settling");
    still.hrvd.stop();
}

#[test]
fn what_is_set_by_mqtt_decides_whether_a_strap_starts_the_check() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    configure(&home, broker.port);
    let auto = |s: &mut hrvd::daemon::Settings| s.roster.athletes[0].wake_window = Some(all_day());
    let set = |what: &str, payload: &str, then: &str| {
        observer.publish(&format!("hrvd/g/athlete/alex/setting/{what}/set"), payload, false);
        observer.until(&format!("{what} is {payload}"), |all| {
            let told = all.iter().rfind(|s| s.topic == "hrvd/g/athlete/alex/settings");
            told.is_some_and(|s| s.payload.contains(then))
        });
    };
    let still = Still::start(&home, broker.port, BEGIN, auto);
    online(&observer);
    set("auto_start", "off", "\"auto_start\":false");
    still.link(LinkState::Connected);
    still.play(&home, BEGIN, 30);
    assert_eq!(status(&home)["checks"][0]["phase"], "idle");
    // it is a quarter past six: not inside this window
    set("auto_start", "on", "\"auto_start\":true");
    set("wake_start", "07:00", "\"wake_start\":\"07:00\"");
    still.take_off(&home);
    still.link(LinkState::Connected);
    still.play(&home, BEGIN, 30);
    assert_eq!(status(&home)["checks"][0]["phase"], "idle");
    let now = still.manual.get().mono;
    still.hrvd.stop();
    // a restart keeps it, and taking it back opens the window again
    observer.clear();
    let still = Still::start(&home, broker.port, now + Duration::from_secs(60), auto);
    online(&observer);
    still.link(LinkState::Connected);
    still.play(&home, BEGIN, 30);
    assert_eq!(status(&home)["checks"][0]["phase"], "idle");
    set("all", "default", "\"set\":[]");
    still.take_off(&home);
    still.link(LinkState::Connected);
    still.play(&home, BEGIN, 30);
    assert_eq!(status(&home)["checks"][0]["phase"], "settling");
    still.hrvd.stop();
}

#[test]
fn a_packet_stamped_before_a_command_that_was_taken_first_turns_no_time_back() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    configure(&home, broker.port);
    let still = Still::start(&home, broker.port, BEGIN, |_| {});
    online(&observer);
    still.link(LinkState::Connected);
    still.play(&home, BEGIN, 5);
    still.advance(ms(700));
    start_check(&observer, "alex");
    wait_phase(&observer, "alex", "waiting_for_strap");
    // the radio stamped it 20 ms ago, and the engine gets it only now
    let stamp = still.manual.get();
    let early = Now { mono: stamp.mono - ms(20), wall: stamp.wall.map(|w| w.checked_sub(ms(20)).unwrap()) };
    let bytes = [0x00, 60][..].into();
    still.hrvd.radio.blocking_send((early, Input::Packet { strap: strap(1), bytes })).unwrap();
    wait_for(SOON, "it is taken", String::new, || (packets(&home) == 6).then_some(()));
    still.play(&home, BEGIN, 140);
    wait_event(&observer, "alex", "completed");
    still.hrvd.stop();
    assert_replay_is_live(&home, "alex");
}

#[test]
fn a_restart_in_the_middle_goes_on_and_tells_the_truth_meanwhile() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    configure(&home, broker.port);
    let still = Still::start(&home, broker.port, BEGIN, |_| {});
    online(&observer);
    still.link(LinkState::Connected);
    still.play(&home, BEGIN, 5);
    start_check(&observer, "alex");
    wait_phase(&observer, "alex", "waiting_for_strap");
    still.play(&home, BEGIN, 20);
    wait_event(&observer, "alex", "started");
    let at = still.manual.get().mono;
    still.hrvd.stop();

    let still = Still::start(&home, broker.port, at + Duration::from_secs(10), |_| {});
    wait_for(SOON, "the daemon is back", String::new, || (status(&home)["mqtt"] == "connected").then_some(()));
    assert_eq!(status(&home)["checks"][0]["phase"], "settling", "it goes on");
    let kept = retained(broker.port).into_iter().find(|s| s.topic == "hrvd/g/athlete/alex/check").unwrap();
    assert_eq!(json(&kept.payload)["phase"], "settling", "and the broker does not say otherwise");
    still.link(LinkState::Connected);
    still.play(&home, BEGIN, 140);
    let done = wait_event(&observer, "alex", "completed");
    assert_eq!(events(&observer, "alex"), ["started", "completed"], "nothing twice");
    still.hrvd.stop();
    assert_eq!(stored(&home).len(), 1);
    assert_eq!(stored(&home)[0]["id"], done["id"]);
    assert_replay_is_live(&home, "alex");
}

#[test]
fn a_restart_after_a_check_keeps_its_value_with_its_date() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    let still = Still::start(&home, broker.port, BEGIN, |_| {});
    online(&observer);
    still.link(LinkState::Connected);
    // the clock was known when the strap was put on, which is longer ago than anything a restart looks at
    still.play(&home, BEGIN, 1000);
    start_check(&observer, "alex");
    wait_phase(&observer, "alex", "waiting_for_strap");
    still.play(&home, BEGIN, 140);
    wait_event(&observer, "alex", "completed");
    let value = wait_said(&observer, "hrvd/g/athlete/alex/morning", "a value", |v| v["rmssd"].is_number());
    assert_eq!(value["date"], "2026-11-24");
    let at = still.manual.get().mono;
    still.hrvd.stop();
    observer.clear();
    let still = Still::start(&home, broker.port, at + Duration::from_secs(60), |_| {});
    wait_for(SOON, "the daemon is back", String::new, || (status(&home)["mqtt"] == "connected").then_some(()));
    for again in said(&observer, "hrvd/g/athlete/alex/morning") {
        assert_eq!(again, value);
    }
    let kept = retained(broker.port).into_iter().find(|s| s.topic == "hrvd/g/athlete/alex/morning").unwrap();
    assert_eq!(json(&kept.payload), value);
    assert_eq!(events(&observer, "alex"), Vec::<String>::new(), "told once");
    still.hrvd.stop();
}

// ---------------------------------------------------------------- killed

const CHILD: &str = "HRVD_TEST_DAEMON_CHILD";

/// Not a test: the daemon that is killed, when the test below starts this binary again.
#[test]
fn child_main() {
    let Ok(args) = std::env::var(CHILD) else { return };
    let args = json(&args);
    let origin = Mono::from_micros(args["origin"].as_u64().unwrap());
    let clock = clock_since(origin);
    // the parent owns the folder
    let mut settings = settings(&Home::new(), args["port"].as_u64().unwrap() as u16, &[("alex", 1)]);
    settings.store = args["db"].as_str().unwrap().into();
    settings.control_socket = args["socket"].as_str().unwrap().into();
    let hrvd = Running::start(settings, clock.clone(), "boot-1");
    let _worn = Worn::start(&clock, &hrvd.radio, 1, origin);
    std::thread::sleep(Duration::from_secs(120));
}

struct Child(std::process::Child);

impl Child {
    fn start(home: &Home, port: u16, origin: Mono) -> Self {
        let args =
            serde_json::json!({"origin": origin.as_micros(), "port": port, "db": home.db(), "socket": home.socket()});
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child_main", "--nocapture", "--test-threads=1"]).env(CHILD, args.to_string());
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Child {
    /// SIGKILL: no farewell of any kind.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn killed_in_the_middle_of_a_check_it_goes_on_and_ends_with_one_result() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    configure(&home, broker.port);
    let origin = clock().mono();
    let clock = clock_since(origin);
    let first = Child::start(&home, broker.port, origin);
    online(&observer);
    wait_said(&observer, "hrvd/g/athlete/alex/live", "a heart rate", |v| v["hr"].is_number());
    start_check(&observer, "alex");
    wait_said(&observer, "hrvd/g/athlete/alex/check", "the middle", |v| {
        v["phase"] == "recording" && v["percent"].as_u64() > Some(50)
    });
    let killed = clock.mono();
    drop(first);
    observer.until_message("hrvd/g/status", "offline"); // the broker says it for the dead
    observer.clear();
    let second = Child::start(&home, broker.port, origin);
    let done = wait_event(&observer, "alex", "completed");
    let back = clock.mono();
    assert_eq!(events(&observer, "alex"), ["completed"], "nothing said twice");
    assert!(done["notes"].as_array().unwrap().contains(&"gap".into()), "{done}");
    drop(second);

    let results = stored(&home);
    assert_eq!(results.len(), 1, "one check, one result");
    assert_eq!(results[0]["id"], done["id"]);
    // the raw truth: exactly what the strap sent, but for the time without a daemon and at most ten seconds before it
    let mut stored_packets = vec![];
    let recordings = home.run(&["export", "recordings", "--format", "jsonl"]).ends(0).objects();
    for r in &recordings {
        let id = r["id"].to_string();
        let text = home.run(&["export", "recording", "--id", &id]).ends(0).out;
        stored_packets.extend(text.lines().filter(|l| l.starts_with("packet ")).map(|l| {
            let mut words = l.split(' ').skip(1);
            let at: u64 = words.next().unwrap().parse().unwrap();
            (at, words.nth(1).unwrap().to_owned())
        }));
    }
    assert!(stored_packets.windows(2).all(|w| w[0].0 <= w[1].0), "in order");
    let sent: Vec<(u64, String)> = notifications(1, origin)
        .take_while(|(at, _)| *at < back)
        .map(|(at, bytes)| (at.as_micros(), bytes.iter().map(|b| format!("{b:02x}")).collect()))
        .collect();
    // each stored packet is the next one of those sent: none twice, none made up, at its time (on this machine's scale)
    let mut next = 0;
    let mut kept = BTreeSet::new();
    for (at, bytes) in &stored_packets {
        let late = |s: &(u64, String)| at.saturating_sub(s.0) < 5_000_000 && *at >= s.0;
        let found = sent[next..].iter().position(|s| s.1 == *bytes && late(s));
        let i = next + found.unwrap_or_else(|| panic!("{at} {bytes} was not sent, or is there twice"));
        kept.insert(i);
        next = i + 1;
    }
    let first_heard = *kept.first().unwrap();
    let lost: Vec<u64> = sent
        .iter()
        .enumerate()
        .skip(first_heard)
        .filter(|(i, s)| s.0 < killed.as_micros() && !kept.contains(i))
        .map(|(_, s)| (killed.as_micros() - s.0) / 1_000_000)
        .collect();
    assert!(lost.iter().all(|age| *age <= 10), "lost, in seconds before the end: {lost:?}");
    assert_replay_is_live(&home, "alex");
}
