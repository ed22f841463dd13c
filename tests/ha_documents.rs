//! What `hrvd ha` makes: only of announced entities, and what is shipped is what it makes.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hrvd::check::Posture;
use hrvd::engine::{Athlete, Roster, Strap};
use hrvd::home_assistant::{Home, blueprints, dashboard, recorder, yaml};
use hrvd::mqtt::{Language, MqttConfig, RenderOptions, Topics};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

fn roster(names: &[&str]) -> Roster {
    let id = |name: &str| name.to_lowercase().parse().unwrap();
    Roster {
        athletes: names
            .iter()
            .map(|name| Athlete {
                id: id(name),
                name: (*name).to_owned(),
                time_zone: TimeZone::UTC,
                posture: Posture::Supine,
                wake_window: None,
            })
            .collect(),
        straps: names
            .iter()
            .enumerate()
            .map(|(n, name)| Strap {
                id: format!("A0:9E:1A:9F:6E:5{n}").parse().unwrap(),
                athlete: id(name),
                name: Some(format!("Strap of {name}")),
            })
            .collect(),
    }
}

fn home(names: &[&str]) -> Home {
    home_in(Language::En, names)
}

fn home_in(language: Language, names: &[&str]) -> Home {
    let topics = Topics::new(&MqttConfig { gateway_id: "hall".into(), ..MqttConfig::default() });
    Home::new(&topics, RenderOptions { language, ..RenderOptions::default() }, &roster(names))
}

/// Everything that looks like an entity id of ours.
fn ids(v: &Value, out: &mut BTreeSet<String>) {
    match v {
        Value::String(s) => {
            let domains = ["sensor.", "binary_sensor.", "button.", "event.", "switch.", "number.", "select.", "text."];
            for word in s.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')) {
                if domains.iter().any(|d| word.starts_with(d)) && word != "button.press" {
                    out.insert(word.to_owned());
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|v| ids(v, out)),
        Value::Object(map) => map.values().for_each(|v| ids(v, out)),
        _ => {}
    }
}

#[test]
fn every_id_is_announced_and_there_without_being_asked_for() {
    for names in [&["Alex"][..], &["Alex", "Kim", "Zoë"][..2]] {
        let home = home(names);
        let there: BTreeSet<String> =
            home.devices().flat_map(|d| &d.entities).filter(|e| e.enabled).map(|e| e.id.clone()).collect();
        let mut shown = BTreeSet::new();
        ids(&dashboard(&home), &mut shown);
        assert!(shown.len() >= 14 * names.len(), "{shown:?}");
        assert!(shown.is_subset(&there), "{:?}", shown.difference(&there).collect::<Vec<_>>());
    }
}

/// Another language changes what is read, and no id.
#[test]
fn a_german_dashboard_shows_the_same_entities() {
    let (en, de) = (dashboard(&home(&["Alex"])), dashboard(&home_in(Language::De, &["Alex"])));
    let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
    ids(&en, &mut ours);
    ids(&de, &mut theirs);
    assert_eq!(ours, theirs);
    assert_eq!(de["views"][0]["title"], "Heute");
    assert_ne!(en["views"][4]["sections"], de["views"][4]["sections"], "names of entities");
}

#[test]
fn views_of_several_people_are_told_apart() {
    let paths = |v: &Value| v["views"].as_array().unwrap().iter().map(|v| v["path"].to_string()).collect::<Vec<_>>();
    assert_eq!(paths(&dashboard(&home(&["Alex"]))), ["\"today\"", "\"day\"", "\"live\"", "\"trends\"", "\"strap\""]);
    let two = paths(&dashboard(&home(&["Alex", "Kim"])));
    assert_eq!(two.len(), two.iter().collect::<BTreeSet<_>>().len());
    assert_eq!(two.len(), 9);
}

#[test]
fn the_recorder_leaves_out_nothing_that_a_card_shows_the_history_of() {
    let home = home(&["Alex"]);
    let mut out = BTreeSet::new();
    ids(&recorder(&home), &mut out);
    assert!(out.contains("sensor.alex_morning_check_progress"));
    for view in dashboard(&home)["views"].as_array().unwrap() {
        for card in view["sections"].as_array().unwrap().iter().flat_map(|s| s["cards"].as_array().unwrap()) {
            if ["history-graph", "statistics-graph"].contains(&card["type"].as_str().unwrap()) {
                let mut shown = BTreeSet::new();
                ids(card, &mut shown);
                assert!(out.is_disjoint(&shown), "{card}");
            }
        }
    }
}

/// Marks for one person's own entities, in the files as they are shipped.
fn marks(text: &str) -> Vec<(&str, &str)> {
    text.lines().filter_map(|l| l.split_once("# own: ")?.1.split_once('.')).collect()
}

#[test]
fn blueprints_as_they_are_shipped() {
    let home = home(&["Alex"]);
    let shipped = blueprints(&self::home(&["Alex", "Kim"]));
    assert_eq!(shipped.len(), 10);
    for b in &shipped {
        let text = &b.text;
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/home-assistant").join(&b.path);
        assert_eq!(*text, std::fs::read_to_string(own).unwrap(), "with two people nothing can be filled in");
        for must in
            ["\n  domain: automation\n", "\n    min_version: 2024.11.0\n", "\nmode: ", "\ntriggers:\n", "\nactions:\n"]
        {
            assert!(text.contains(must), "{}: {must:?}", b.path);
        }
        for never in ["device_id", "alex", "platform: device", "\t"] {
            assert!(!text.contains(never), "{}: {never:?}", b.path);
        }
        // every input has a selector, and a default unless it is an entity or action that only the user can know
        let inputs: Vec<&str> = text.split("!input ").skip(1).map(word).collect();
        assert!(!inputs.is_empty());
        for input in inputs {
            let at = text.find(&format!(" {input}:\n")).or_else(|| text.find(&format!(" {input}: {{name")));
            let at = at.unwrap_or_else(|| panic!("{}: no input {input}", b.path));
            assert!(text[at..].contains("selector:"), "{}: {input}", b.path);
        }
        for (device, key) in marks(text) {
            let device = if device == "strap" { &home.people[0].straps[0] } else { &home.people[0].device };
            assert!(device.entity(key).is_some(), "{}: {key}", b.path);
        }
    }
}

fn word(text: &str) -> &str {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap()
}

#[test]
fn one_persons_entities_become_defaults() {
    let own = blueprints(&home(&["Alex"]));
    let shipped = blueprints(&home(&["Alex", "Kim"]));
    for (own, shipped) in own.iter().zip(&shipped) {
        let known = marks(&shipped.text).len();
        let count = |text: &str| text.matches(".alex_").count() + text.matches(".strap_of_alex_").count();
        assert_eq!(count(&own.text), known, "{}", own.path);
        assert_eq!(own.text.lines().count(), shipped.text.lines().count());
    }
}

/// What is said to a person is said in the home's language, and nothing else differs.
#[test]
fn german_blueprints_say_german_texts() {
    let (en, de) = (blueprints(&home(&["Alex"])), blueprints(&home_in(Language::De, &["Alex"])));
    let mut texts = 0;
    for (en, de) in en.iter().zip(&de) {
        for (en, de) in en.text.lines().zip(de.text.lines()) {
            let want = en.split_once("  # de: ").map(|(default, german)| {
                texts += 1;
                format!("{}default: {german}", default.split_once("default: ").unwrap().0)
            });
            assert_eq!(de, want.as_deref().unwrap_or(en));
        }
    }
    assert!(texts > 20, "{texts}");
    assert!(de[0].text.contains("default: Wie geht es heute Morgen?\n"));
}

/// `cargo run -- ha … --athlete alex` with the example of `config/hrvd.toml` makes these.
#[test]
fn the_shipped_examples_are_what_the_program_makes() {
    let home = home(&["Alex"]);
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/home-assistant");
    for (name, value) in [("dashboard.yaml", dashboard(&home)), ("recorder.yaml", recorder(&home))] {
        let (path, made) = (dir.join(name), yaml(&value));
        if std::env::var_os("UPDATE_EXAMPLES").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), made, "UPDATE_EXAMPLES=1 cargo test --test ha_documents");
    }
}
