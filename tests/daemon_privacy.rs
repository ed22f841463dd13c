//! What the broker holds after `publish` of a person was changed: nothing that shall not be said any more.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/mosquitto.rs"]
mod mosquitto;
mod store_common;

use daemon::{Home, Program, SOON, wait_for};
use hrvd::check::{CheckResult, Grade};
use hrvd::store;
use mosquitto::{Mosquitto, Observer, Seen, retained};
use serde_json::Value;
use std::collections::BTreeMap;
use store_common::{athlete, message, options, result, wall};

const MORNING: &str = "hrvd/g/athlete/alex/morning";
const EVENT: &str = "hrvd/g/athlete/alex/event/check";
const STRAP: &str = "hrvd/g/strap/c0ffee000001/state";

fn configure(home: &Home, port: u16, publish: &str) {
    home.configure(
        port,
        &format!(
            "[[athlete]]\nslug = \"alex\"\nauto_start = false\npublish = {publish:?}\n\
             [[strap]]\naddress = \"C0:FF:EE:00:00:01\"\nathlete = \"alex\""
        ),
    );
}

/// Results into the database while no daemon runs; each with an event that still waits for the broker.
fn keep(home: &Home, results: impl IntoIterator<Item = CheckResult>) {
    let opened = store::open(options(home.db().parent().unwrap())).unwrap();
    for r in results {
        let event = r#"{"event_type":"completed","cause":null,"rmssd":42.4,"hr":55.1,"grade":"good","new_key":7}"#;
        let event = hrvd::publication::Publication { retain: false, ..message(EVENT, event) };
        opened.handle.result(r, vec![event]);
    }
    opened.handle.stop().unwrap();
}

fn failed(n: u64) -> CheckResult {
    CheckResult { values: None, grade: Grade::Poor, ..result(n, wall(n as i64)) }
}

/// Whole numbers that tell how far something is, what is the device's, or which version made it.
const PLAIN: [&str; 7] = ["algo_version", "percent", "seconds_left", "defects", "duplicates", "battery", "rssi"];

fn measured(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Number(n) => out.push(format!("{at} = {n}")),
        Value::Bool(_) if at.ends_with("contact") => out.push(at.to_owned()),
        Value::Array(all) => all.iter().for_each(|v| measured(v, at, out)),
        Value::Object(all) => {
            all.iter()
                .filter(|(k, _)| !PLAIN.contains(&k.as_str()))
                .for_each(|(k, v)| measured(v, &format!("{at}/{k}"), out));
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Every measured number in the messages on Alex's topics and the strap's.
fn numbers(all: &[Seen]) -> Vec<String> {
    let mut out = vec![];
    for s in all.iter().filter(|s| s.topic.starts_with("hrvd/g/athlete/alex") || s.topic.starts_with("hrvd/g/strap")) {
        if let Ok(value) = serde_json::from_str(&s.payload) {
            measured(&value, &s.topic, &mut out);
        }
    }
    out
}

fn kept(port: u16) -> BTreeMap<String, String> {
    retained(port).into_iter().map(|s| (s.topic, s.payload)).collect()
}

/// A day with everything on the broker, then a change of mind.
fn change_to(publish: &str) -> (Mosquitto, Vec<Seen>) {
    let broker = Mosquitto::open();
    let home = Home::new();
    configure(&home, broker.port, "live");
    keep(&home, [result(1, wall(1))]);
    let before = Observer::new(broker.port);
    let mut hrvd = Program::start(&home, None);
    before.until("the event", |seen| seen.iter().any(|s| s.topic == EVENT && s.payload.contains("42.4")));
    wait_for(
        SOON,
        "the morning's numbers",
        || hrvd.log(),
        || kept(broker.port).get(MORNING)?.contains("42.").then_some(()),
    );
    assert_eq!(hrvd.terminate().0.code(), Some(0), "{}", hrvd.log());
    // what a worn strap left, and twenty checks without values since; their events wait
    let worn = r#"{"link":"connected","contact":true,"packets":77,"gaps":2,"coverage":99,"worn":"worn"}"#;
    before.publish(STRAP, worn, true);
    before.until("that", |seen| seen.iter().any(|s| s.topic == STRAP && s.payload == worn));
    keep(&home, (2..30).map(failed));
    assert!(!numbers(&retained(broker.port)).is_empty(), "nothing was there to take back");

    configure(&home, broker.port, publish);
    let after = Observer::new(broker.port);
    after.until("what was kept", |seen| seen.iter().any(|s| s.topic == MORNING));
    after.clear();
    let mut hrvd = Program::start(&home, None);
    after.until_message("hrvd/g/status", "online");
    wait_for(
        SOON,
        "an empty outbox",
        || hrvd.log(),
        || {
            let unsent = store::Query::open(&home.db()).unwrap().count_unsent().unwrap();
            (unsent == 0).then_some(())
        },
    );
    assert_eq!(hrvd.terminate().0.code(), Some(0), "{}", hrvd.log());
    after.until_message("hrvd/g/status", "offline");
    (broker, after.seen())
}

#[test]
fn after_a_change_to_words_the_broker_holds_and_hears_no_number() {
    let (broker, heard) = change_to("words");
    assert_eq!(numbers(&heard), Vec::<String>::new());
    assert_eq!(numbers(&retained(broker.port)), Vec::<String>::new());
    let kept = kept(broker.port);
    let morning: Value = serde_json::from_str(&kept[MORNING]).unwrap();
    assert_eq!((&morning["grade"], &morning["rmssd"]), (&"good".into(), &Value::Null), "the words are there");
    let events: Vec<_> = heard.iter().filter(|s| s.topic == EVENT).collect();
    assert_eq!(events.len(), 28, "and so are the events that waited");
    assert!(events.iter().all(|s| s.payload.contains(r#""grade":"good""#) && s.payload.contains(r#""rmssd":null"#)));
}

#[test]
fn after_a_change_to_nothing_the_broker_holds_and_hears_nothing() {
    let (broker, heard) = change_to("nothing");
    let theirs = |topic: &str| topic.contains("alex") || topic.contains("c0ffee000001");
    assert_eq!(kept(broker.port).into_keys().filter(|t| theirs(t)).collect::<Vec<_>>(), Vec::<String>::new());
    let said: Vec<_> = heard.iter().filter(|s| theirs(&s.topic) && !s.payload.is_empty()).collect();
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn after_a_change_to_morning_the_strap_and_the_check_begin_anew() {
    let (broker, _) = change_to("morning");
    let kept = kept(broker.port);
    let strap: Value = serde_json::from_str(&kept[STRAP]).unwrap();
    assert_eq!((&strap["packets"], &strap["contact"]), (&0.into(), &Value::Null));
    let check: Value = serde_json::from_str(&kept["hrvd/g/athlete/alex/check"]).unwrap();
    assert_eq!((&check["phase"], &check["hr"]), (&"idle".into(), &Value::Null));
    assert!(kept[MORNING].contains("42."), "a morning's numbers are what this says");
}

#[test]
#[allow(clippy::disallowed_methods)] // the program that is run reads the real clock
fn history_shows_no_number_of_the_day_that_waits_for_the_feel() {
    let home = Home::new();
    home.configure(1, "");
    let now = jiff::Timestamp::now();
    let day = jiff::SignedDuration::from_hours(24);
    let utc = hrvd::engine::Athlete { time_zone: jiff::tz::TimeZone::UTC, ..athlete("alex") };
    let options = store::OpenOptions { athletes: vec![utc.clone()], ..store::OpenOptions::new(home.db(), "boot") };
    let handle = store::open(options).unwrap().handle;
    handle.athletes(vec![utc]);
    handle.result(result(1, now.checked_sub(day).ok()), vec![]);
    handle.result(result(2, Some(now)), vec![]);
    let today = jiff::tz::TimeZone::UTC.to_datetime(now).date();
    handle.set_meta("feel_wait.alex", Some(format!("{today} {}", now.checked_add(day).unwrap())));
    handle.stop().unwrap();
    let rows = home.run(&["history", "--days", "2", "--json"]).ends(0).objects();
    let shown: Vec<_> = rows.iter().map(|r| (r["rmssd_ms"].is_number(), r["hr_bpm"].is_number())).collect();
    assert_eq!((shown, &rows[1]["grade"]), (vec![(true, true), (false, false)], &"good".into()));
    let page = home.run(&["history", "--days", "2"]).ends(0).complains("How does the day feel?");
    assert_eq!(page.out.matches(" 55").count(), 1, "the pulse of yesterday only: {}", page.out);
}
