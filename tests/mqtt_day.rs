//! A day as Home Assistant sees it: what entities name is in the rendered report, what they send is understood, what they
//! show is one of their words; and the heaviest day fits.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hrvd::check::{Grade, Posture};
use hrvd::engine::{Athlete, Roster};
use hrvd::mqtt::{Language, MqttConfig, RenderOptions, Renderer, Topics};
use hrvd::readiness::{Book, Desk, DeskConfig, DeskInput, Protocol, Reading, Source, V2, saying_json};
use hrvd::units::{AthleteId, Mono, Now, StrapId};
use jiff::civil::{Date, date, time};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::time::Duration;

const TODAY: Date = date(2026, 3, 20);
/// The recorder of Home Assistant drops attributes beyond this.
const MOST: usize = 16 * 1024;

fn days_ago(n: i64) -> Date {
    TODAY.checked_sub(jiff::Span::new().days(n)).unwrap()
}

fn alex() -> AthleteId {
    "alex".parse().unwrap()
}

fn renderer(language: Language) -> Renderer {
    let topics = Topics::new(&MqttConfig { gateway_id: "g".into(), ..MqttConfig::default() });
    Renderer::new(topics, RenderOptions { language, ..RenderOptions::default() })
}

/// The components of the athlete's device.
fn components(renderer: &mut Renderer) -> serde_json::Map<String, Value> {
    let athlete = Athlete {
        id: alex(),
        name: "Alex".into(),
        time_zone: TimeZone::UTC,
        posture: Posture::Supine,
        wake_window: None,
    };
    let said = renderer.roster(&Roster { athletes: vec![athlete], straps: vec![] });
    let config = said.iter().find(|m| m.publication.topic.contains("_athlete_alex/config")).unwrap();
    let v: Value = serde_json::from_slice(&config.publication.payload).unwrap();
    v["cmps"].as_object().unwrap().clone()
}

fn now(minute: i64) -> Now {
    let wall = TimeZone::UTC.to_timestamp(TODAY.at(6, 0, 0, 0)).unwrap() + jiff::SignedDuration::from_mins(minute);
    Now { mono: Mono::from_secs((100_000 + 60 * minute) as u64), wall: Some(wall) }
}

fn reading(d: Date, rmssd: f64, hr: f64) -> Reading {
    Reading {
        id: format!("check-{d}"),
        date: d,
        at: TimeZone::UTC.to_timestamp(d.at(5, 55, 0, 0)).unwrap(),
        protocol: Protocol::new(Posture::Supine, StrapId([1; 6])),
        grade: Grade::Good,
        values: Some((rmssd.ln(), hr)),
        why: None,
    }
}

fn say(desk: &mut Desk, at: Now, what: &str, payload: &str) {
    let (date, said) = saying_json::saying(what, payload).unwrap_or_else(|e| panic!("{what} {payload}: {e:?}"));
    desk.say(at, date, Source::HomeAssistant, said).unwrap_or_else(|e| panic!("{what} {payload}: {e:?}"));
}

fn desk(mornings: i32) -> Desk {
    let mut book = Book::default();
    for d in 1..=mornings {
        book.put_reading(reading(days_ago(d.into()), 44.0 + f64::from(d % 5), 50.0 + f64::from(d % 3)));
    }
    let config =
        DeskConfig { time_zone: TimeZone::UTC, feel_wait: Duration::ZERO, closes: time(10, 0, 0, 0), model: &V2 };
    let mut desk = Desk::new(config, book);
    desk.restore(now(-30), None, None);
    desk
}

/// Everything that can be wrong at once: as many flags, notes and rules as a day can have.
fn heavy() -> Desk {
    let mut desk = desk(60);
    for back in 1..=13 {
        let day = days_ago(back);
        let load = if back < 5 { 300 } else { 90 };
        say(
            &mut desk,
            now(-20),
            "session",
            &format!("{{\"date\":\"{day}\",\"load\":{load},\"rpe\":8,\"minutes\":95}}"),
        );
        say(&mut desk, now(-20), "sleep", &format!("{{\"date\":\"{day}\",\"hours\":5.2,\"quality\":1}}"));
    }
    for (what, payload) in [
        ("wellness", "{\"sleep\":7,\"stress\":7,\"fatigue\":7,\"soreness\":7}"),
        ("sleep_hours", "4.5"),
        ("pain", "{\"side\":\"left\",\"course\":\"stays\"}"),
        ("motivation", "1"),
        ("caffeine", "more"),
        ("plan", "race"),
        ("feel", "bad"),
        ("tag", "alcohol"),
        ("session_rpe", "7.5"),
        ("session_minutes", "45"),
        ("session_kind", "long"),
        ("was_right", "no"),
    ] {
        say(&mut desk, now(-10), what, payload);
    }
    desk.handle(now(0), DeskInput::Reading(reading(TODAY, 20.0, 66.0)));
    desk
}

fn states(renderer: &Renderer, desk: &Desk) -> Vec<(String, Value)> {
    let all = renderer.readiness(&alex(), desk);
    all.into_iter().map(|m| (m.publication.topic, serde_json::from_slice(&m.publication.payload).unwrap())).collect()
}

#[test]
fn every_field_that_an_entity_names_is_rendered_and_shown_in_its_words() {
    for language in [Language::En, Language::De] {
        let mut renderer = renderer(language);
        let components = components(&mut renderer);
        let mut seen = 0;
        for desk in [desk(0), desk(60), heavy()] {
            for (topic, state) in states(&renderer, &desk) {
                for (key, c) in components.iter().filter(|(_, c)| c["stat_t"] == topic.as_str()) {
                    let template = c["val_tpl"].as_str().unwrap();
                    let field = template.strip_prefix("{{ value_json.").unwrap().split([' ', '}']).next().unwrap();
                    let value = state.get(field).unwrap_or_else(|| panic!("{key}: no {field} in {state}"));
                    seen += 1;
                    match (c.get("ops"), value) {
                        (_, Value::Null) => {}
                        (Some(words), word) => assert!(words.as_array().unwrap().contains(word), "{key}: {word}"),
                        (None, value) if c["p"] == "switch" => assert!(value.is_boolean(), "{key}: {value}"),
                        (None, value) => assert!(value.is_number(), "{key}: {value}"),
                    }
                    if let (Some(low), Some(high), Some(n)) = (c["min"].as_f64(), c["max"].as_f64(), value.as_f64()) {
                        assert!((low..=high).contains(&n), "{key}: {n}");
                    }
                }
            }
        }
        assert!(seen >= 3 * 30, "{seen}");
    }
}

/// A word that a select offers, the ends of a number and what a button sends are all understood.
#[test]
fn whatever_an_input_entity_can_send_is_understood() {
    let components = components(&mut renderer(Language::En));
    let mut sent = 0;
    for (key, c) in &components {
        let Some(topic) = c.get("cmd_t").and_then(Value::as_str) else { continue };
        let Some(what) = topic.strip_prefix("hrvd/g/athlete/alex/input/").and_then(|t| t.strip_suffix("/set")) else {
            continue;
        };
        let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        let mut payloads: Vec<String> =
            ["pl_prs", "pl_on", "pl_off", "min", "max"].iter().filter_map(|k| c.get(*k)).map(text).collect();
        if c["p"] == "text" {
            payloads = vec!["alcohol".into(), "-alcohol".into()];
        }
        let blank = c.get("cmd_tpl").and_then(Value::as_str).and_then(|t| t.split('\'').nth(3));
        for word in c.get("ops").and_then(Value::as_array).into_iter().flatten().map(text) {
            assert_ne!(word.to_lowercase(), "none", "{key}: Home Assistant takes it for no state");
            payloads.push(if Some(word.as_str()) == blank { "none".into() } else { word });
        }
        assert!(!payloads.is_empty(), "{key}");
        for payload in payloads {
            let (_, said) = saying_json::saying(what, &payload).unwrap_or_else(|e| panic!("{key} {payload}: {e:?}"));
            let mut desk = desk(0);
            // an empty draft is no session; that it is understood is all that is asked here
            if what != "session_log" {
                desk.say(now(0), None, Source::HomeAssistant, said)
                    .unwrap_or_else(|e| panic!("{key} {payload}: {e:?}"));
            }
            sent += 1;
        }
    }
    assert!(sent > 50, "{sent}");
}

#[test]
fn the_heaviest_day_fits_into_a_message_and_into_the_recorder() {
    for language in [Language::En, Language::De] {
        let renderer = renderer(language);
        let desk = heavy();
        let (_, report) = states(&renderer, &desk).remove(0);
        let flags = report["flags"].as_array().unwrap().len();
        assert!(flags >= 8 && report["level"] == "REST", "{flags} flags: {report}");
        let size = report.to_string().len();
        assert!(size < MOST, "{size} bytes of attributes");
        assert!(report["reasons"].as_array().unwrap().iter().all(|r| r.as_str().unwrap().len() < 400), "{report}");
    }
}
