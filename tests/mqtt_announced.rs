//! What an older version announced and this one does not is taken away, whoever was there when.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/mosquitto.rs"]
mod mosquitto;
#[path = "common/mqtt_client.rs"]
mod mqtt_client;
mod store_common;

use daemon::{Home, Program, SOON, wait_for};
use hrvd::store::{self, Query};
use mosquitto::{Mosquitto, Observer, Seen, retained};
use mqtt_client::{Client, STATUS, config};
use serde_json::{Value, json};
use store_common::options;

const GATEWAY: &str = "homeassistant/device/hrvd_g/config";
/// As a layout before might have called a person's device.
const OLD: &str = "homeassistant/device/hrvd_g_person_alex/config";
const BIRTH: &str = "homeassistant/status";

fn device(name: &str, keys: &[&str]) -> String {
    let cmps: serde_json::Map<String, Value> = keys
        .iter()
        .map(|k| ((*k).to_owned(), json!({"p": "sensor", "uniq_id": format!("u.{k}"), "stat_t": "t"})))
        .collect();
    json!({"dev": {"ids": ["u"], "name": name}, "o": {"name": "hrvd"}, "cmps": cmps}).to_string()
}

fn component<'a>(seen: impl IntoIterator<Item = &'a Seen>, topic: &str, key: &str) -> Vec<(bool, Value)> {
    let on = seen.into_iter().filter(|s| s.topic == topic);
    let parsed = on.filter_map(|s| Some((s, serde_json::from_str::<Value>(&s.payload).ok()?)));
    parsed.map(|(s, v)| (s.retained, v["cmps"][key].clone())).collect()
}

fn gone() -> Value {
    json!({"p": "sensor"})
}

fn whole(key: &str) -> Value {
    json!({"p": "sensor", "uniq_id": format!("u.{key}"), "stat_t": "t"})
}

fn kept(port: u16, topic: &str, key: &str) -> Value {
    component(&retained(port), topic, key).pop().map_or(Value::Null, |(_, c)| c)
}

fn announcing(port: u16, remembered: Vec<(String, Vec<u8>)>) -> Client {
    Client::start_knowing(config(port), |c| {
        c.handle.remember(remembered);
        c.handle.set_retained(GATEWAY.into(), device("g", &["a"]).into_bytes());
    })
}

/// Home Assistant begins; what it hears on a topic until the last of these, in order.
fn born(observer: &Observer, topic: &str, key: &str, last: &dyn Fn(&[Value]) -> bool) -> Vec<Value> {
    observer.clear();
    observer.publish(BIRTH, "online", false);
    let heard = |all: &[Seen]| component(all, topic, key).into_iter().map(|(_, c)| c).collect::<Vec<_>>();
    heard(&observer.until(&format!("{topic} {key}"), |all| last(&heard(all))))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_memory_the_broker_tells_what_was_announced() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    observer.publish(GATEWAY, &device("g", &["a", "old"]), true);
    let client = announcing(broker.port, vec![]);
    client.connected().await;
    observer
        .until("the dropped one is taken away", |all| component(all, GATEWAY, "old").iter().any(|(_, c)| *c == gone()));
    assert_eq!(kept(broker.port, GATEWAY, "a"), whole("a"));
    // Home Assistant may have been away: it is shown what goes, and then that it goes
    let heard = born(&observer, GATEWAY, "old", &|all| {
        all.iter().position(|c| *c == whole("old")).is_some_and(|i| all[i..].contains(&gone()))
    });
    assert_eq!(heard.iter().filter(|c| **c == whole("old")).count(), 1, "{heard:?}");
    assert_eq!(kept(broker.port, GATEWAY, "old"), gone(), "what was shown is not kept");
    // and that is that
    wait_for(SOON, "the memory without it", String::new, || {
        let rows = client.outbox.remembered();
        (rows.len() == 1 && !String::from_utf8_lossy(&rows[0].1).contains("old")).then_some(())
    });
    let heard = born(&observer, GATEWAY, "old", &|all| !all.is_empty());
    assert_eq!(heard, [Value::Null], "said without it");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_memory_a_broker_that_lost_everything_is_told_too() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let rows = |topic: &str, name: &str| (topic.to_owned(), device(name, &["a", "old"]).into_bytes());
    let client = announcing(broker.port, vec![rows(GATEWAY, "g"), rows(OLD, "Alex Doe")]);
    client.connected().await;
    let seen = observer.until_message(STATUS, "online");
    assert_eq!(component(&seen, GATEWAY, "old").into_iter().map(|(_, c)| c).collect::<Vec<_>>(), [gone()], "at once");
    assert!(seen.iter().any(|s| s.topic == OLD && s.payload.is_empty()), "{seen:#?}");
    let heard = born(&observer, OLD, "old", &|all| !all.is_empty());
    assert_eq!(heard, [whole("old")]);
    let seen = observer.until("the device goes", |all| {
        let shown = all.iter().position(|s| s.topic == OLD && !s.payload.is_empty());
        shown.is_some_and(|i| all[i..].iter().any(|s| s.topic == OLD && s.payload.is_empty()))
    });
    assert!(!seen.iter().any(|s| s.payload.contains("Alex Doe")), "of who is gone no name is said");
    wait_for(SOON, "the memory without them", String::new, || {
        let rows = client.outbox.remembered();
        (rows.len() == 1 && rows[0].0 == GATEWAY && !String::from_utf8_lossy(&rows[0].1).contains("old")).then_some(())
    });
    assert!(!retained(broker.port).iter().any(|s| s.topic == OLD));
}

/// The whole program: what it announces is in its database, and what it finds there and announces no more goes.
#[test]
fn the_daemon_remembers_what_it_announced() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    let athlete = "[[athlete]]\nslug = \"alex\"\nauto_start = false\n";
    home.configure(broker.port, athlete);
    let opened = store::open(options(home.db().parent().unwrap())).unwrap();
    opened.handle.announced(GATEWAY.into(), Some(device("g", &["old"]).into_bytes()));
    opened.handle.announced(OLD.into(), Some(device("Alex", &["old"]).into_bytes()));
    opened.handle.stop().unwrap();
    let mut program = Program::start(&home, None);
    let seen = observer.until_message(STATUS, "online");
    assert!(component(&seen, GATEWAY, "old").iter().any(|(_, c)| *c == gone()), "{seen:#?}");
    assert!(seen.iter().any(|s| s.topic == OLD && s.payload.is_empty()));
    let log = || program.log();
    let rows = wait_for(SOON, "what was announced is in the database", log, || {
        let rows = Query::open(&home.db()).ok()?.announced().ok()?;
        let alex = rows.iter().any(|(t, p)| t.ends_with("_athlete_alex/config") && p.len() > 1000);
        (alex && rows.iter().any(|(t, p)| t == GATEWAY && p.len() > 1000)).then_some(rows)
    });
    assert!(rows.iter().any(|(t, _)| t == OLD), "Home Assistant may still be away");
    program.terminate();
}
