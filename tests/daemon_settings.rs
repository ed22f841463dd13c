//! What is set by MQTT while the daemon runs: in force at once, over restarts, and taken back.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use daemon::{Home, Program};
use mosquitto::{Mosquitto, Observer, retained};
use serde_json::{Value, json};

const MINE: &str = "hrvd/g/athlete/alex/settings";
const GATEWAYS: &str = "hrvd/g/settings";
const ALEX: &str = "[[athlete]]\nslug = \"alex\"\nrest_hr = 52\nwake_window = { from = \"05:00\", to = \"09:00\" }\n";

/// The newest state on a topic, once it is as wanted.
fn until(observer: &Observer, topic: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let newest = |all: &[mosquitto::Seen]| {
        let last = all.iter().rfind(|s| s.topic == topic)?;
        serde_json::from_str::<Value>(&last.payload).ok()
    };
    let seen = observer.until(what, |all| newest(all).is_some_and(|v| is(&v)));
    newest(&seen).unwrap()
}

fn set(observer: &Observer, what: &str, payload: &str) {
    observer.publish(&format!("hrvd/g/athlete/alex/setting/{what}/set"), payload, false);
}

fn set_gateways(observer: &Observer, what: &str, payload: &str) {
    observer.publish(&format!("hrvd/g/setting/{what}/set"), payload, false);
}

/// Origin of a key as `config show` tells it.
fn origin(home: &Home, line: &str) -> String {
    let said = home.run(&["config", "show", "--origin"]).ends(0);
    let found = said.out.lines().find(|l| l.starts_with(line));
    found.unwrap_or_else(|| panic!("no {line:?} in\n{}", said.out)).to_owned()
}

#[test]
fn a_setting_is_told_kept_over_a_restart_and_taken_back() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    home.configure(broker.port, ALEX);
    let mut hrvd = Program::start(&home, None);
    let first = until(&observer, MINE, "the settings", |_| true);
    let plain = json!({"max_hr": null, "rest_hr": 52, "wake_start": "05:00", "wake_end": "09:00", "auto_start": true,
                       "set": []});
    assert_eq!(first, plain);
    set(&observer, "max_hr", "191");
    set(&observer, "rest_hr", "48.0");
    set(&observer, "wake_end", "08:15");
    set(&observer, "auto_start", "off");
    let now = until(&observer, MINE, "all four are set", |v| v["set"].as_array().map_or(0, Vec::len) == 4);
    let wanted = json!({"max_hr": 191, "rest_hr": 48, "wake_start": "05:00", "wake_end": "08:15", "auto_start": false,
                        "set": ["max_hr", "rest_hr", "wake_end", "auto_start"]});
    assert_eq!(now, wanted);
    // the answer says it is written, too
    let (status, _) = hrvd.terminate();
    assert_eq!(status.code(), Some(0), "{}", hrvd.log());
    assert!(origin(&home, "max_hr = 191").contains("set by MQTT"));
    assert!(origin(&home, "wake_window.to = \"08:15\"").contains("set by MQTT"));
    assert!(origin(&home, "wake_window.from = \"05:00\"").contains("hrvd.toml:"));
    // a broker that forgot everything, and a daemon that was started anew
    observer.clear();
    let mut hrvd = Program::start(&home, None);
    assert_eq!(until(&observer, MINE, "the settings again", |_| true), wanted);
    set(&observer, "max_hr", "default");
    let now = until(&observer, MINE, "one is taken back", |v| v["max_hr"].is_null());
    assert_eq!(now["set"], json!(["rest_hr", "wake_end", "auto_start"]));
    set(&observer, "all", "default");
    assert_eq!(until(&observer, MINE, "all are taken back", |v| v["set"] == json!([])), plain);
    hrvd.terminate();
    assert!(origin(&home, "rest_hr = 52").contains("hrvd.toml:"));
    let shown = home.run(&["config", "show", "--json", "--origin"]).ends(0);
    assert!(!shown.out.contains("mqtt\",\n") && !shown.out.contains("max_hr"), "{}", shown.out);
}

#[test]
fn a_refusal_is_named_once_and_changes_nothing() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    home.configure(broker.port, ALEX);
    let mut hrvd = Program::start(&home, None);
    until(&observer, MINE, "the settings", |_| true);
    for _ in 0..2 {
        set(&observer, "max_hr", "300");
        set(&observer, "wake_start", "09:00");
        set(&observer, "shoe_size", "44");
        set_gateways(&observer, "publish_interval", "0");
        observer.publish("hrvd/g/athlete/nobody/setting/max_hr/set", "190", false);
    }
    set(&observer, "max_hr", "190");
    let now = until(&observer, MINE, "the last one counts", |v| v["max_hr"] == 190);
    assert_eq!(now["set"], json!(["max_hr"]), "{now}");
    let log = hrvd.log();
    for (why, times) in [
        ("max_hr is a whole number of beats a minute from 120 to 230", 1),
        ("the wake window would end when it begins", 1),
        ("there is no such setting here", 1),
        ("publish_interval is a whole number of seconds from 1 to 60", 1),
        ("no athlete has such a short name", 1),
    ] {
        assert_eq!(log.matches(why).count(), times, "{why}\n{log}");
    }
    hrvd.terminate();
    // the broker keeps it and would repeat it at each connection
    observer.publish("hrvd/g/athlete/alex/setting/rest_hr/set", "99", true);
    observer.until("it is kept", |all| all.iter().any(|s| s.payload == "99"));
    observer.clear();
    let mut hrvd = Program::start(&home, None);
    hrvd.wait_log("a retained command is ignored");
    set(&observer, "max_hr", "default");
    let now = until(&observer, MINE, "a command after it", |v| v["set"] == json!([]));
    assert_eq!(now["rest_hr"], 52);
    hrvd.terminate();
}

#[test]
fn the_log_level_and_the_interval_hold_at_once() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    home.configure(broker.port, ALEX);
    let mut hrvd = Program::start(&home, None);
    until(&observer, GATEWAYS, "the settings", |v| {
        *v == json!({"publish_interval": 1, "log_level": "info", "set": []})
    });
    set_gateways(&observer, "log_level", "error");
    until(&observer, GATEWAYS, "errors only", |v| v["log_level"] == "error");
    set(&observer, "max_hr", "181");
    until(&observer, MINE, "set in silence", |v| v["max_hr"] == 181);
    set_gateways(&observer, "log_level", "info");
    until(&observer, GATEWAYS, "info again", |v| v["log_level"] == "info");
    set(&observer, "max_hr", "182");
    hrvd.wait_log("max_hr of alex is set");
    let log = hrvd.log();
    assert_eq!(log.matches("max_hr of alex").count(), 2, "the command and its effect, once: {log}");
    assert!(!log.contains("181") && !log.contains("182"), "a heart rate stands in the journal: {log}");
    // live values expire by the interval at which they come
    let expiry = |all: &[mosquitto::Seen]| -> Option<u64> {
        let config = all.iter().rfind(|s| s.topic == "homeassistant/device/hrvd_g_athlete_alex/config")?;
        let v: Value = serde_json::from_str(&config.payload).ok()?;
        v["cmps"]["heart_rate"]["exp_aft"].as_u64()
    };
    observer.until("the usual expiry", |all| expiry(all) == Some(20));
    set_gateways(&observer, "publish_interval", "30");
    observer.until("a longer one", |all| expiry(all) == Some(120));
    let (status, _) = hrvd.terminate();
    assert_eq!(status.code(), Some(0));
    observer.clear();
    let mut hrvd = Program::start(&home, None);
    until(&observer, GATEWAYS, "kept", |v| v["publish_interval"] == 30 && v["log_level"] == "info");
    assert!(origin(&home, "live_interval = \"30s\"").contains("set by MQTT"));
    set_gateways(&observer, "all", "default");
    until(&observer, GATEWAYS, "taken back", |v| v["publish_interval"] == 1 && v["set"] == json!([]));
    hrvd.terminate();
}

#[test]
fn who_is_gone_leaves_no_settings_on_the_broker() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    home.configure(broker.port, &format!("{ALEX}[[athlete]]\nslug = \"kim\"\n"));
    let mut hrvd = Program::start(&home, None);
    until(&observer, "hrvd/g/athlete/kim/settings", "Kim's", |_| true);
    hrvd.terminate();
    home.configure(broker.port, ALEX);
    observer.clear();
    let mut hrvd = Program::start(&home, None);
    observer.until("Kim's are removed", |all| {
        all.iter().any(|s| s.topic == "hrvd/g/athlete/kim/settings" && s.payload.is_empty())
    });
    hrvd.terminate();
    assert!(retained(broker.port).iter().all(|s| !s.topic.contains("kim")));
}
