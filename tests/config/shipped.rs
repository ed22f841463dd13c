//! What is shipped says what is true: the example, the reference, the unit.

use crate::Case;
use hrvd::cli::Exit;
use hrvd::config::{Origin, known_keys, variable_of};
use std::collections::{BTreeMap, BTreeSet};

const EXAMPLE: &str = include_str!("../../config/hrvd.toml");
const REFERENCE: &str = include_str!("../../docs/configuration.md");
const UNIT: &str = include_str!("../../systemd/hrvd.service");

/// `athlete[0].slug` and `athlete.slug` are the same key.
fn plain(key: &str) -> String {
    key.replace("[0]", "")
}

#[test]
fn the_example_as_shipped_changes_nothing() {
    let (shipped, empty) = (Case::new(EXAMPLE).ok(), Case::new("").ok());
    assert_eq!(shipped.config, empty.config);
    assert_eq!(shipped.settings, empty.settings);
}

#[test]
fn the_machines_of_the_tests_behave_as_shipped() {
    let config = Case::new("").ok().config;
    let radio = hrvd::daemon::Settings::from(&config).bluetooth.unwrap().machine;
    assert_eq!(radio, hrvd::ble::arbiter::ArbiterConfig::default());
}

#[test]
fn the_example_uncommented_is_complete_and_states_the_defaults() {
    // `#key` is a setting, `# Word` is prose.
    let setting = |line: &str| {
        line.strip_prefix('#').is_some_and(|l| l.starts_with(|c: char| c.is_ascii_lowercase() || c == '['))
    };
    let text: Vec<&str> = EXAMPLE.lines().map(|l| if setting(l) { &l[1..] } else { l }).collect();
    let case = Case::without_file().file("password", "x");
    let password = case.path().join("password").display().to_string();
    let case = case.file("hrvd.toml", &text.join("\n").replace("/etc/hrvd/mqtt-password", &password));
    let loaded = case.ok();
    let values: BTreeMap<_, _> = loaded.settings.iter().map(|s| (plain(&s.key), s)).collect();
    for key in known_keys() {
        let setting = values.get(&key).unwrap_or_else(|| panic!("the example lacks {key}"));
        assert!(matches!(setting.origin, Origin::File { .. }), "the example lacks {key}");
    }
    for default in Case::new("").ok().settings {
        // This one has no constant default.
        if default.key != "gateway.id" {
            assert_eq!(values[&default.key].value, default.value, "{}", default.key);
        }
    }
    // Defaults of a person, in the words of one who wrote nothing but the slug.
    for default in Case::new("[[athlete]]\nslug = \"alex\"\nname = \"Alex\"\n").ok().settings {
        if default.key.starts_with("athlete") {
            assert_eq!(values[&plain(&default.key)].value, default.value, "{}", default.key);
        }
    }
}

#[test]
fn the_reference_knows_every_key_its_variable_and_its_default() {
    let defaults: BTreeMap<_, _> = Case::new("[[athlete]]\nslug = \"x\"\n")
        .ok()
        .settings
        .into_iter()
        .filter(|s| s.origin == Origin::Default || s.key == "mqtt.port")
        .map(|s| (plain(&s.key), s.value.to_string()))
        .collect();
    let mut documented = BTreeSet::new();
    for row in REFERENCE.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").map(|cell| cell.trim_matches([' ', '|'])).collect();
        let mut names = cells[0].split("<br>").map(|name| name.trim_matches('`'));
        let key = names.next().unwrap().to_owned();
        assert_eq!(names.next().map(str::to_owned), variable_of(&key), "{row}");
        match defaults.get(&key) {
            Some(_) if key == "athlete.name" => assert_eq!(cells[2], "the slug"),
            Some(default) => {
                assert!(cells[2].contains(&format!("`{default}`")), "{key} is {default} by default: {row}")
            }
            None => assert!(!cells[2].contains('"'), "{key} has no constant default: {row}"),
        }
        assert!(!cells[1].is_empty() && documented.insert(key), "{row}");
    }
    assert_eq!(documented, known_keys().into_iter().collect());
}

#[test]
fn the_unit_and_the_program_agree() {
    let value = |key: &str| {
        let mut all = UNIT.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        all.next().unwrap_or_else(|| panic!("the unit lacks {key}=")).to_owned()
    };
    assert_eq!(value("RestartPreventExitStatus"), Exit::Usage.code().to_string());
    assert_eq!(value("Type"), "notify");
    // a stop that the card cuts short leaves its last records there for the next start
    assert_eq!(value("RuntimeDirectoryPreserve"), "yes");
    let config = Case::new("").ok().config;
    assert!(config.store.path.starts_with(format!("/var/lib/{}", value("StateDirectory"))));
    assert!(config.control_socket.starts_with(format!("/run/{}", value("RuntimeDirectory"))));
    assert!(hrvd::config::DEFAULT_FILE.starts_with(&format!("/etc/{}/", value("ConfigurationDirectory"))));
    // The fallback keeps a missing password file from stopping the start.
    let (load, fallback) = (value("LoadCredential"), value("SetCredential"));
    assert_eq!((load.split(':').next(), fallback.as_str()), (Some("mqtt-password"), "mqtt-password:\\n"));
    assert!(!UNIT.contains("Requires=b") && !UNIT.contains("BindsTo=b"));
    // A path that a system lacks ends the start (226/NAMESPACE); only these are on all: no /lib64 on arm64 and armhf.
    let everywhere = ["/", "/usr/bin/hrvd", "/usr/lib", "/lib"];
    for paths in UNIT.lines().filter_map(|line| line.split_once("Paths=")) {
        let must = |path: &&str| !path.starts_with('-') && !everywhere.contains(path);
        assert_eq!(paths.1.split_whitespace().find(must), None);
    }
}
