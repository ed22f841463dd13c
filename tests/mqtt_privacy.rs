//! `publish` of an athlete: what is not to be said is said nowhere.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hrvd::check::*;
use hrvd::engine::*;
use hrvd::mqtt::{Message, MqttConfig, Publish, RenderOptions, Renderer, Topics};
use hrvd::units::{AthleteId, Mono, Now, StrapId};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::BTreeMap;

const ALEX: StrapId = StrapId([0xa0, 1, 1, 1, 1, 1]);
const KIM: StrapId = StrapId([0xa0, 2, 2, 2, 2, 2]);

fn id(name: &str) -> AthleteId {
    name.parse().unwrap()
}

fn now() -> Now {
    Now { mono: Mono::from_secs(1000), wall: Some("2026-11-24T04:30:00Z".parse().unwrap()) }
}

fn roster() -> Roster {
    let athlete = |name: &str| Athlete {
        id: id(name),
        name: name.to_owned(),
        time_zone: TimeZone::UTC,
        posture: Posture::Supine,
        wake_window: None,
    };
    let strap = |strap, name: &str| Strap { id: strap, athlete: id(name), name: None };
    Roster { athletes: vec![athlete("alex"), athlete("kim")], straps: vec![strap(ALEX, "alex"), strap(KIM, "kim")] }
}

/// Everything the program says in a morning of both, replayed from a recording, with Alex as given.
fn morning(publish: Publish) -> Vec<Message> {
    let topics = Topics::new(&MqttConfig { gateway_id: "g".into(), ..MqttConfig::default() });
    let publish = BTreeMap::from([(id("alex"), publish)]);
    let mut renderer = Renderer::new(topics, RenderOptions { publish, ..RenderOptions::default() });
    let mut all = renderer.roster(&roster());
    for output in outputs() {
        all.extend(renderer.output(&output, now()));
    }
    // a restart, or Home Assistant's: said again
    all.extend(renderer.roster(&roster()));
    all
}

/// What the engine says while a strap of each plays a recorded rest into a check.
fn outputs() -> Vec<Output> {
    let rr = hrvd::analyze::parse_rr_text(include_str!("data/pyhrv_short.txt")).unwrap().rr_ms;
    let rr: Vec<_> = rr.into_iter().filter_map(hrvd::units::RrTicks::from_ms).collect();
    let start = Mono::from_secs(1000);
    let engine = Engine::new(Config {
        boot: "b00t".into(),
        live_interval: std::time::Duration::from_secs(5),
        check: CheckConfig::default(),
    });
    let mut player = hrvd::player::Player::new(engine, start, now().wall);
    let mut out = Vec::new();
    let mut inputs = vec![(start, Input::Roster(roster()))];
    for (strap, name) in [(ALEX, "alex"), (KIM, "kim")] {
        let facts = StrapFacts { battery_pct: Some(80), ..StrapFacts::default() };
        let check = Command::StartCheck { athlete: id(name), posture: None, trigger: Trigger::Manual };
        inputs.push((start, Input::Link { strap, state: LinkState::Connected }));
        inputs.push((start, Input::Facts { strap, facts }));
        inputs.push((start, Input::Command(check)));
    }
    for n in hrvd::sim::StrapSim::new(rr.into_iter()) {
        for strap in [ALEX, KIM] {
            inputs.push((start + n.at, Input::Packet { strap, bytes: n.bytes.clone() }));
        }
    }
    for (at, input) in inputs {
        player.input(at, input, &mut |_, o| out.push(o));
    }
    out
}

/// Messages of one person: own topics, the strap's, discovery of both.
fn of<'a>(all: &'a [Message], name: &str, strap: StrapId) -> Vec<(&'a str, &'a [u8])> {
    let mine = [format!("/athlete/{name}/"), format!("_athlete_{name}/"), strap.slug()];
    let messages = all.iter().map(|m| (m.publication.topic.as_str(), m.publication.payload.as_slice()));
    messages.filter(|(topic, _)| mine.iter().any(|m| topic.contains(m.as_str()))).collect()
}

fn alex(all: &[Message]) -> Vec<(&str, &[u8])> {
    of(all, "alex", ALEX)
}

fn json(payload: &[u8]) -> Value {
    serde_json::from_slice(payload).unwrap()
}

/// The last message on a topic that ends like this.
fn last(all: &[(&str, &[u8])], end: &str) -> Option<Value> {
    all.iter().rev().find(|(topic, payload)| topic.ends_with(end) && !payload.is_empty()).map(|(_, p)| json(p))
}

/// Components that Home Assistant would show.
fn shown(all: &[(&str, &[u8])]) -> Vec<String> {
    let discovery = last(all, "_athlete_alex/config").unwrap();
    let cmps = discovery["cmps"].as_object().unwrap().clone();
    cmps.into_iter().filter(|(_, c)| c.get("uniq_id").is_some()).map(|(key, _)| key).collect()
}

#[test]
fn live_says_everything() {
    let all = morning(Publish::Live);
    let alex = alex(&all);
    assert!(alex.iter().any(|(t, p)| t.ends_with("/live") && json(p)["hr"].is_number()));
    assert!(last(&alex, "/morning").unwrap()["rmssd"].is_number());
    assert_eq!(last(&alex, "/event/check").unwrap()["event_type"], "completed");
}

#[test]
fn morning_has_no_live_value() {
    let all = morning(Publish::Morning);
    let alex = alex(&all);
    assert!(alex.iter().all(|(t, _)| !t.ends_with("/live")));
    let checks: Vec<Value> = alex.iter().filter(|(t, _)| t.ends_with("alex/check")).map(|(_, p)| json(p)).collect();
    assert!(checks.iter().any(|v| v["phase"] == "recording" && v["percent"].is_number()), "progress is there");
    assert!(checks.iter().all(|v| v.get("hr").unwrap().is_null() && v.get("clean_pct").unwrap().is_null()));
    assert!(last(&alex, "/morning").unwrap()["rmssd"].is_number());
    assert!(last(&alex, "/event/check").unwrap()["rmssd"].is_number());
    let shown = shown(&alex);
    assert!(!shown.contains(&"heart_rate".to_owned()) && shown.contains(&"morning_rmssd".to_owned()), "{shown:?}");
}

#[test]
fn words_hold_no_number_that_was_measured() {
    let all = morning(Publish::Words);
    let full = morning(Publish::Live);
    let (alex, full) = (alex(&all), alex(&full));
    let allowed = ["algo_version", "percent", "seconds_left"];
    let mut looked = 0;
    for (topic, payload) in alex.iter().filter(|(t, p)| t.contains("/athlete/alex/") && !p.is_empty()) {
        assert!(!topic.ends_with("/live"), "{topic}");
        for (key, value) in json(payload).as_object().unwrap() {
            let plain = match value {
                Value::Null => true,
                Value::Number(_) => allowed.contains(&key.as_str()),
                Value::String(text) => {
                    !text.contains(|c: char| c.is_ascii_digit()) || ["at", "date", "id"].contains(&key.as_str())
                }
                _ => false,
            };
            assert!(plain, "{topic}: {key} is {value}");
            looked += 1;
        }
    }
    assert!(looked > 100, "{looked} values");
    // the words are there, and so is every key
    for end in ["/morning", "/event/check", "alex/check"] {
        let (some, every) = (last(&alex, end).unwrap(), last(&full, end).unwrap());
        let keys = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&some), keys(&every), "{end}");
    }
    assert_eq!(last(&alex, "/morning").unwrap()["grade"], last(&full, "/morning").unwrap()["grade"]);
    assert_eq!(last(&alex, "/event/check").unwrap()["event_type"], "completed");
    let shown = shown(&alex);
    assert!(shown.contains(&"start_check".to_owned()) && shown.contains(&"morning_quality".to_owned()), "{shown:?}");
    for never in ["heart_rate", "rmssd_live", "morning_rmssd", "morning_ln_rmssd", "morning_heart_rate"] {
        assert!(!shown.contains(&never.to_owned()), "{never}");
    }
}

/// What is measured of the body through a strap, and what is the device's own.
const BODY: [&str; 6] = ["contact", "packets", "gaps", "last_packet", "worn", "coverage"];
const DEVICE: [&str; 20] = [
    "link",
    "link_since",
    "battery",
    "rssi",
    "defects",
    "duplicates",
    "units",
    "smoothing",
    "findings",
    "cause",
    "advice",
    "last_seen",
    "signal",
    "signal_trend",
    "battery_per_week",
    "battery_days",
    "released",
    "released_until",
    "recovery",
    "link_counts",
];

fn strap_states(all: &[(&str, &[u8])]) -> Vec<Value> {
    all.iter().filter(|(t, p)| t.ends_with("a00101010101/state") && !p.is_empty()).map(|(_, p)| json(p)).collect()
}

#[test]
fn words_of_a_strap_are_the_devices_and_not_the_bodys() {
    let (full, words) = (morning(Publish::Live), morning(Publish::Words));
    let (full, words) = (strap_states(&alex(&full)), strap_states(&alex(&words)));
    assert!(full.len() == words.len() && full.len() > 3, "{} {}", full.len(), words.len());
    for (full, words) in full.iter().zip(&words) {
        let mut keys: Vec<&str> = full.as_object().unwrap().keys().map(String::as_str).collect();
        let mut decided = [&BODY[..], &DEVICE[..]].concat();
        keys.sort_unstable();
        decided.sort_unstable();
        assert_eq!(keys, decided, "a key that nobody decided on");
        assert!(BODY.iter().all(|key| words.get(key).unwrap().is_null()), "{words}");
        assert!(DEVICE.iter().all(|key| words.get(key) == full.get(key)), "{words} {full}");
    }
    // this simulated strap cannot tell contact
    let silent: Vec<_> = BODY.iter().filter(|key| full.iter().all(|v| v[**key].is_null())).collect();
    assert_eq!(silent, [&"contact"], "nothing was there to silence");
    assert_eq!(strap_states(&alex(&morning(Publish::Morning))), full, "morning says all of a strap");
    // and Home Assistant has no entity that would never say anything
    let all = morning(Publish::Words);
    let all = alex(&all);
    let (_, discovery) = all.iter().find(|(t, _)| t.ends_with("_strap_a00101010101/config")).unwrap();
    for (key, c) in json(discovery)["cmps"].as_object().unwrap() {
        let field = c["val_tpl"].as_str().unwrap_or_default();
        assert!(!BODY.iter().any(|b| field.contains(&format!("value_json.{b} "))), "{key}: {field}");
        let gone = ["contact", "worn", "packets", "gaps", "coverage"].contains(&key.as_str());
        assert_eq!(c.get("uniq_id").is_none(), gone, "{key}");
    }
}

/// What the broker keeps of the days when more was said is replaced when the first state is said.
#[test]
fn the_first_word_takes_back_the_numbers_of_before() {
    let topics = Topics::new(&MqttConfig { gateway_id: "g".into(), ..MqttConfig::default() });
    let publish = BTreeMap::from([(id("alex"), Publish::Words)]);
    let mut renderer = Renderer::new(topics, RenderOptions { publish, ..RenderOptions::default() });
    let all = renderer.roster(&roster());
    let first = alex(&all);
    for end in ["alex/morning", "alex/check", "a00101010101/state"] {
        let said = last(&first, end).unwrap_or_else(|| panic!("{end} is not replaced"));
        let said = said.as_object().unwrap();
        let measured = said
            .iter()
            .filter(|(key, v)| v.is_number() && !["percent", "defects", "duplicates"].contains(&key.as_str()));
        assert_eq!(measured.count(), 0, "{end}: {said:?}");
    }
    for end in ["alex/readiness", "alex/inputs"] {
        assert!(first.iter().any(|(t, p)| t.ends_with(end) && p.is_empty()), "{end} is not taken back");
    }
    assert!(last(&of(&all, "kim", KIM), "kim/morning").is_none(), "who says everything keeps what is there");
}

#[test]
fn a_strap_that_changes_hands_changes_what_is_said_of_it() {
    let topics = Topics::new(&MqttConfig { gateway_id: "g".into(), ..MqttConfig::default() });
    let publish = BTreeMap::from([(id("alex"), Publish::Words)]);
    let mut renderer = Renderer::new(topics, RenderOptions { publish, ..RenderOptions::default() });
    renderer.roster(&roster());
    let outputs = outputs();
    outputs.iter().for_each(|o| drop(renderer.output(o, now())));
    let mut next = roster();
    next.straps[1].athlete = id("alex");
    let all = renderer.roster(&next);
    let said = last(&of(&all, "alex", KIM), "a00202020202/state").expect("what was Kim's is taken back");
    assert!(BODY.iter().all(|key| said[key].is_null()), "{said}");
    // the newest status is told again, as Alex wants it
    let Some(status) = outputs.iter().rev().find(|o| matches!(o, Output::Strap(s) if s.strap == KIM)) else { panic!() };
    let again = renderer.output(status, now());
    assert!(last(&of(&again, "alex", KIM), "a00202020202/state").is_some());
}

/// What Home Assistant had before is taken away by name: left out, it would stay.
#[test]
fn silenced_entities_are_taken_away() {
    let full = morning(Publish::Live);
    let full = last(&alex(&full), "_athlete_alex/config").unwrap();
    for publish in [Publish::Morning, Publish::Words] {
        let all = morning(publish);
        let some = last(&alex(&all), "_athlete_alex/config").unwrap();
        for (key, c) in full["cmps"].as_object().unwrap() {
            assert_eq!(some["cmps"][key]["p"], c["p"], "{publish}: {key}");
        }
    }
}

#[test]
fn nothing_is_nothing_and_removes_what_was() {
    let all = morning(Publish::Nothing);
    let alex = alex(&all);
    assert!(alex.iter().all(|(_, payload)| payload.is_empty()), "{alex:?}");
    for end in ["_athlete_alex/config", "alex/check", "alex/morning", "a00101010101/state", "a00101010101/availability"]
    {
        assert!(alex.iter().any(|(t, _)| t.ends_with(end)), "{end} is not removed");
    }
}

/// One person's wish changes nothing for another one.
#[test]
fn others_are_not_touched() {
    let kim = |publish| -> Vec<(String, Vec<u8>)> {
        of(&morning(publish), "kim", KIM).into_iter().map(|(t, p)| (t.to_owned(), p.to_vec())).collect()
    };
    let full = kim(Publish::Live);
    assert!(full.len() > 100);
    for publish in Publish::ALL {
        assert_eq!(kim(publish), full, "{publish}");
    }
}
