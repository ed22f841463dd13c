//! Letting a strap go, and why a strap is quiet: the program itself against a fake bluetoothd and a real broker.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod common;
#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use common::bluez::{ConnectMode, FakeBluez};
use daemon::{Home, Program, SOON, Said, wait_for};
use mosquitto::{Mosquitto, Observer};
use serde_json::Value;
use std::time::Duration;

const A: &str = "C0:FF:EE:00:00:01";
const STATE: &str = "hrvd/g/strap/c0ffee000001/state";
const RELEASE: &str = "hrvd/g/strap/c0ffee000001/release/set";
const BEAT: Duration = Duration::from_millis(500);

const ALEX: &str = "[[athlete]]\nslug = \"alex\"\nauto_start = false\ntimezone = \"UTC\"\n\
                    [[strap]]\naddress = \"C0:FF:EE:00:00:01\"\nathlete = \"alex\"\n";

fn newest(observer: &Observer, topic: &str) -> Value {
    observer.payloads(topic).last().map_or(Value::Null, |p| serde_json::from_str(p).unwrap())
}

/// Waits until the newest state of the strap satisfies `is`.
fn wait_state(observer: &Observer, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    wait_for(SOON, what, || observer.payloads(STATE).join("\n"), || Some(newest(observer, STATE)).filter(&is))
}

fn connected(fake: &FakeBluez) -> bool {
    fake.strap(A, |s| s.connected)
}

fn connects(fake: &FakeBluez) -> usize {
    fake.count(&format!("Connect {A}"))
}

#[test]
fn a_strap_is_let_go_by_mqtt_stays_so_over_a_restart_and_is_taken_back_by_the_command_line() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let fake = FakeBluez::start();
    fake.add_strap(A, "Strap 01");
    let _beat = fake.beat(A, BEAT);
    let home = Home::new();
    home.configure(broker.port, ALEX);
    let mut hrvd = Program::start(&home, Some(&fake.address()));
    wait_state(&observer, "connected and without complaint", |v| v["link"] == "connected" && v["cause"] == "none");

    observer.publish(RELEASE, "30", false);
    let v = wait_state(&observer, "released", |v| v["link"] == "released" && v["released"] == true);
    assert_eq!(v["cause"], "released");
    assert!(v["released_until"].is_string(), "{v}");
    assert!(!connected(&fake), "released and still held");
    let asked = connects(&fake);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(connects(&fake), asked, "connected while it belongs to another app");
    home.run(&["doctor"]).says("released for").says("min more");

    // The next process knows. It has no business with the strap either.
    hrvd.terminate();
    observer.clear();
    let mut hrvd = Program::start(&home, Some(&fake.address()));
    wait_state(&observer, "still released", |v| v["link"] == "released" && v["released"] == true);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(connects(&fake), asked, "connected after a restart");

    home.run(&["release", A, "--end"]).ends(0).says("hrvd's again");
    wait_state(&observer, "taken back", |v| v["link"] == "connected" && v["released"] == false);
    assert!(connected(&fake));
    home.run(&["release", A, "--minutes", "5"]).ends(0).says("free for 5 min");
    wait_state(&observer, "let go again", |v| v["link"] == "released");
    let said = home.run(&["release", A, "--end", "--json"]).ends(0).objects();
    assert!(said[0]["released_s"].is_null(), "{said:?}");
    wait_state(&observer, "back again", |v| v["link"] == "connected");
    home.run(&["release", "C0:FF:EE:00:00:99"]).ends(3).complains("nobody has a strap");
    // nothing is left of it for the process after
    hrvd.terminate();
    let mut hrvd = Program::start(&home, Some(&fake.address()));
    wait_state(&observer, "connected", |v| v["link"] == "connected" && v["released"] == false);
    hrvd.terminate();
    home.run(&["release", A]).ends(3).complains("not running");
}

#[test]
fn a_scheduled_release_is_one_from_the_start_and_ends_on_request() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let fake = FakeBluez::start();
    fake.add_strap(A, "Strap 01");
    let _beat = fake.beat(A, BEAT);
    let home = Home::new();
    // all day but for one minute that is half a day away
    let clock = hrvd::clock::Clock::system(hrvd::clock::ClockTrust::Plausible);
    let now = clock.now().wall.unwrap().to_zoned_datetime(jiff::tz::TimeZone::UTC);
    let hour = |h: i8| format!("{:02}", (now.hour() + h).rem_euclid(24));
    let window = format!("release = [{{ from = \"{}:01\", to = \"{}:00\" }}]\n", hour(12), hour(12));
    home.configure(broker.port, &format!("{ALEX}{window}"));
    let mut hrvd = Program::start(&home, Some(&fake.address()));
    wait_state(&observer, "released by the schedule", |v| v["link"] == "released" && v["released"] == true);
    assert_eq!(connects(&fake), 0, "never touched");
    observer.publish(RELEASE, "off", false);
    wait_state(&observer, "taken back", |v| v["link"] == "connected" && v["released"] == false);
    hrvd.terminate();
}

#[test]
fn causes_reach_the_broker_the_doctor_and_the_scan() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let fake = FakeBluez::start();
    fake.add_strap(A, "Strap 01");
    fake.strap(A, |s| s.connect = ConnectMode::Refuse(Duration::from_millis(50)));
    let home = Home::new();
    home.configure(broker.port, ALEX);
    let mut hrvd = Program::start(&home, Some(&fake.address()));
    let v = wait_state(&observer, "refuses", |v| v["cause"] == "refuses");
    assert!(v["advice"].as_str().unwrap().contains("another device"), "{v}");
    assert!(v["last_seen"].is_string() && v["signal"].as_i64().is_some_and(|dbm| dbm < -50), "{v}");
    home.run(&["doctor"]).says("refuses").says("another device").says("recovery");
    let mut scan = home.hrvd(&["scan", "--seconds", "1"]);
    scan.env("DBUS_SYSTEM_BUS_ADDRESS", fake.address());
    Said::of(scan).says("refuses").says("another device");
    // It is freed: connected, and its battery is in the history of today.
    fake.strap(A, |s| s.connect = ConnectMode::Accept(Duration::from_millis(50)));
    let _beat = fake.beat(A, BEAT);
    wait_for(Duration::from_secs(90), "connected", || hrvd.log(), || connected(&fake).then_some(()));
    let v = wait_state(&observer, "battery", |v| v["cause"] == "none" && v["battery"] == 90);
    assert!(v["battery_days"].is_null(), "one reading is no forecast: {v}");
    let bridge =
        wait_for(SOON, "bridge", String::new, || Some(newest(&observer, "hrvd/g/bridge")).filter(|v| v.is_object()));
    assert!(bridge["recovery"]["connects"].is_u64(), "{bridge}");
    hrvd.terminate();
    let readings = hrvd::store::Query::open(&home.db()).unwrap().battery(A.parse().unwrap()).unwrap();
    assert_eq!(readings.iter().map(|r| r.percent).collect::<Vec<_>>(), [90]);
    // The strap was let go at the end, and the broker knows that nothing is live.
    assert!(!connected(&fake));
}
