//! Which layer wins, and how values become a configuration.

use crate::Case;
use hrvd::check::Posture;
use hrvd::config::{Loaded, Origin, Request, Surroundings, load, variable_of};
use hrvd::engine::WakeWindow;
use hrvd::load::PlanKind;
use jiff::civil::{Weekday, date, time};
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::time::Duration;

fn origin(loaded: &Loaded, key: &str) -> String {
    loaded.settings.iter().find(|s| s.key == key).map_or_else(|| "unset".into(), |s| s.origin.to_string())
}

#[test]
fn an_adapter_has_a_name_or_an_address() {
    for adapter in ["hci1", "00:1A:7D:DA:71:13", "00:1a:7d:da:71:13"] {
        let config = Case::new(&format!("[bluetooth]\nadapter = \"{adapter}\"\n")).ok().config;
        assert_eq!(config.bluetooth.unwrap().adapter.as_deref(), Some(adapter));
    }
}

#[test]
fn a_strap_has_hours_for_other_apps() {
    let text = "[[athlete]]\nslug = \"alex\"\n[[strap]]\naddress = \"A0:9E:1A:9F:6E:53\"\nathlete = \"alex\"\n\
                release = [{ from = \"17:00\", to = \"19:00\" }, { from = \"22:00\", to = \"01:00\" }]\n";
    let loaded = Case::new(text).ok();
    let release = &loaded.config.straps[0].release;
    let window = |from: i8, to: i8| WakeWindow { from: time(from, 0, 0, 0), until: time(to, 0, 0, 0) };
    assert_eq!(release[..], [window(17, 19), window(22, 1)]);
    let shown = loaded.settings.iter().find(|s| s.key == "strap[0].release").unwrap();
    let again: toml::Value =
        toml::from_str::<toml::Table>(&format!("release = {}", shown.value)).unwrap()["release"].clone();
    assert_eq!(again, shown.value, "what is shown can be written back");
    assert!(Case::new(&text[..text.find("release").unwrap()]).ok().config.straps[0].release.is_empty());
}

#[test]
fn days_are_planned_by_weekday_and_by_date() {
    let text = "[readiness]\nfeel_wait = \"0s\"\n[[athlete]]\nslug = \"alex\"\n\
                plan = { tuesday = \"quality\", \"2026-05-03\" = \"race\" }\n";
    let loaded = Case::new(text).ok();
    assert_eq!(loaded.config.feel_wait, Duration::ZERO);
    let plan = &loaded.config.athletes[0].plan;
    assert_eq!(plan.week, [(Weekday::Tuesday, PlanKind::Quality)]);
    assert_eq!(plan.dates, [(date(2026, 5, 3), PlanKind::Race)]);
    let shown = loaded.settings.iter().find(|s| s.key == "athlete[0].plan").unwrap();
    assert_eq!(shown.value["tuesday"].as_str(), Some("quality"));
    let said = |plan: &str| Case::new(&format!("[[athlete]]\nslug = \"alex\"\nplan = {{ {plan} }}\n")).errors();
    assert!(said("tusday = \"easy\"").contains("'tusday' is neither a weekday nor a date"));
    assert!(said("tuesday = \"hard\"").contains("'hard' is none of rest, easy, quality, long, race"));
    let plain = Case::new("[[athlete]]\nslug = \"alex\"\n").ok().config;
    assert_eq!(plain.feel_wait, Duration::from_secs(600));
}

#[test]
fn each_layer_wins_over_those_below() {
    let mut case = Case::new("");
    let check = |case: &Case, host: &str, from: &str| {
        let loaded = case.ok();
        assert_eq!(loaded.config.mqtt.as_ref().unwrap().host, host);
        assert_eq!(case.hide(&origin(&loaded, "mqtt.host")), from);
        // A neighbour that only the lowest file sets stays.
        if from != "default" {
            assert_eq!(loaded.config.mqtt.as_ref().unwrap().base_topic, "pulse");
            assert_eq!(case.hide(&origin(&loaded, "mqtt.base_topic")), "DIR/hrvd.toml:3");
        }
    };
    check(&case, "localhost", "default");
    case.write("hrvd.toml", "[mqtt]\nhost = \"main\"\nbase_topic = \"pulse\"\n");
    check(&case, "main", "DIR/hrvd.toml:2");
    case.write("conf.d/10.toml", "\nmqtt.host = \"ten\"\n");
    check(&case, "ten", "DIR/conf.d/10.toml:2");
    case.write("conf.d/20.toml", "[mqtt]\nhost = \"twenty\"\n");
    check(&case, "twenty", "DIR/conf.d/20.toml:2");
    for ignored in ["conf.d/30.toml.dpkg-old", "conf.d/.hidden.toml", "conf.d/README"] {
        case.write(ignored, "not [ TOML");
    }
    check(&case, "twenty", "DIR/conf.d/20.toml:2");
    case = case.var("HRVD__MQTT__HOST", "variable");
    check(&case, "variable", "HRVD__MQTT__HOST");
    case = case.flag("mqtt.host", "flag", "--host");
    check(&case, "flag", "--host");
}

#[test]
fn fragments_are_read_by_name_whenever_they_were_made() {
    let case = Case::new("");
    for n in [7, 2, 9, 1, 8, 3, 6, 4, 5, 0] {
        case.write(&format!("conf.d/{n}.toml"), format!("mqtt.host = \"h{n}\"\n"));
    }
    let loaded = case.ok();
    assert_eq!(loaded.config.mqtt.unwrap().host, "h9");
    assert_eq!(loaded.files.len(), 11);
    assert!(loaded.files.windows(2).skip(1).all(|pair| pair[0] < pair[1]), "{:?}", loaded.files);
}

#[test]
fn a_text_that_looks_like_a_number_or_a_truth_value_stays_a_text() {
    for text in ["5", "007", "true", "1e3"] {
        let config = Case::new("").var("HRVD__MQTT__USERNAME", text).ok().config;
        assert_eq!(config.mqtt.unwrap().username.as_deref(), Some(text));
    }
}

#[test]
fn ranges_end_where_the_reference_says() {
    const REFERENCE: &str = include_str!("../../docs/configuration.md");
    // Limits that other keys set come from rules over several values; the types end at these.
    let seconds = |text: &str| -> u64 {
        match text.trim_matches(['|', ' ']).split_once(' ') {
            Some((n, "s")) => n.parse().unwrap(),
            Some((n, "min")) => n.parse::<u64>().unwrap() * 60,
            _ => panic!("{text}"),
        }
    };
    let mut seen = 0;
    for row in REFERENCE.lines().filter(|row| row.contains(" s – ")) {
        let key = row.trim_start_matches("| `").split('`').next().unwrap();
        let (low, high) = row.rsplit(" | ").next().unwrap().split_once(" – ").unwrap();
        let low = seconds(low);
        let answer = |s: u64| Case::new(&format!("{key} = \"{s}s\"")).without(&format!("{s}s is out of range"));
        assert!(answer(low), "{key} {low}");
        if low > 0 {
            assert!(!answer(low - 1), "{key} {}", low - 1);
        }
        if !high.contains('`') {
            let high = seconds(high);
            assert!(answer(high) && !answer(high + 1), "{key} {high}");
        }
        seen += 1;
    }
    assert_eq!(seen, 14);
}

#[test]
fn a_file_that_cannot_be_read_draws_no_second_error() {
    // The athlete may well stand in the broken file.
    let strap = "[[strap]]\naddress = \"a09e1a9f6e53\"\nathlete = \"alex\"\n";
    for broken in [&b"[[athlete]\nslug = \"alex\"\n"[..], b"[[athlete]]\nname = \"\xff\"\n"] {
        let case = Case::bytes(broken).file("conf.d/straps.toml", strap);
        assert!(case.errors().ends_with("has 1 error"), "{}", case.errors());
    }
}

#[test]
fn a_missing_default_file_is_fine_and_fragments_still_count() {
    // The real default path may exist where the tests run; the rule is the same for a request without a file.
    let around = Surroundings { host_name: "Hall Pi.lan".into(), ..Surroundings::default() };
    if !std::path::Path::new(hrvd::config::DEFAULT_FILE).exists() {
        let loaded = load(&Request::default(), &around).unwrap();
        assert!(loaded.files.is_empty());
        assert_eq!(loaded.config.gateway.id, "hall-pi-lan");
    }
    let case = Case::without_file().file("conf.d/a.toml", "gateway.id = \"x\"\n");
    assert!(case.errors().contains("there is no such file"));
}

#[test]
fn the_gateway_is_called_after_the_host() {
    for (host, id) in [
        ("raspberrypi", "raspberrypi"),
        ("Hall-Pi.local", "hall-pi-local"),
        ("_x_", "x"),
        ("küche", "k-che"),
        ("", "gateway"),
        ("日本", "gateway"),
        ("abcdefghijklmnopqrstuvwxyz-0123456789", "abcdefghijklmnopqrstuvwxyz-01234"),
    ] {
        let mut case = Case::new("");
        case.around.host_name = host.into();
        let loaded = case.ok();
        assert_eq!(loaded.config.gateway.id, id, "{host}");
        assert_eq!(origin(&loaded, "gateway.id"), "host name");
        // What was derived is valid when it is written down.
        assert_eq!(Case::new(&format!("gateway.id = \"{id}\"")).ok().config.gateway.id, id);
    }
}

#[test]
fn every_key_can_be_set_by_its_variable_and_keeps_its_text() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    std::fs::write(&file, "x").unwrap();
    let sample = |key: &str| match key.rsplit('.').next().unwrap() {
        "enabled" | "power_on" => "true".to_owned(),
        "port" => "8884".into(),
        "backup_keep" => "30".into(),
        "raw_keep" => "365d".into(),
        "language" => "en".into(),
        // Looks like a number and must stay a text.
        "id" | "username" => "007".into(),
        "adapter" => "hci1".into(),
        "level" => "debug".into(),
        "host" | "base_topic" | "discovery_prefix" | "ha_status_topic" => key.replace('.', "_"),
        "path" | "socket" | "backup_dir" | "password_file" | "ca_file" | "client_cert" | "client_key" => {
            file.display().to_string()
        }
        _ => "60s".into(),
    };
    let mut case = Case::new("");
    let keys: BTreeSet<String> = hrvd::config::known_keys().into_iter().filter(|k| variable_of(k).is_some()).collect();
    assert!(keys.len() > 30);
    for key in &keys {
        case = case.var(&variable_of(key).unwrap(), sample(key));
    }
    let loaded = case.ok();
    for key in &keys {
        let setting = loaded.settings.iter().find(|s| &s.key == key).unwrap();
        assert_eq!(setting.origin, Origin::Variable(variable_of(key).unwrap()), "{key}");
        let text = setting.value.as_str().map_or_else(|| setting.value.to_string(), str::to_owned);
        assert_eq!(text, sample(key), "{key}");
    }
    assert_eq!(loaded.config.mqtt.unwrap().username.as_deref(), Some("007"));
}

#[test]
fn lists_of_all_files_add_up() {
    let case = Case::new("[[athlete]]\nslug = \"alex\"\n")
        .file("conf.d/sam.toml", "[[athlete]]\nslug = \"sam\"\nauto_start = false\nposture = \"seated\"\n")
        .file("conf.d/straps.toml", "[[strap]]\naddress = \"a09e1a9f6e53\"\nathlete = \"sam\"\nname = \"H10\"\n");
    let loaded = case.ok();
    let roster = loaded.config.roster();
    let [alex, sam] = &roster.athletes[..] else { panic!("{roster:?}") };
    assert_eq!((alex.id.as_str(), alex.name.as_str(), alex.posture), ("alex", "alex", Posture::Supine));
    assert_eq!(alex.wake_window, Some(WakeWindow { from: time(4, 30, 0, 0), until: time(10, 0, 0, 0) }));
    assert_eq!(alex.time_zone, TimeZone::UTC);
    assert_eq!((sam.posture, sam.wake_window), (Posture::Seated, None));
    let [strap] = &roster.straps[..] else { panic!("{roster:?}") };
    assert_eq!(strap.id.to_string(), "A0:9E:1A:9F:6E:53");
    assert_eq!((strap.athlete.as_str(), strap.name.as_deref()), ("sam", Some("H10")));
    assert_eq!(case.hide(&origin(&loaded, "strap[0].name")), "DIR/conf.d/straps.toml:4");
    // The same slug in another file is an error that names both places.
    let twice = case.file("conf.d/zz.toml", "[[athlete]]\nslug = \"alex\"\n").errors();
    assert!(twice.contains("conf.d/zz.toml:2:8") && twice.contains("stands at DIR/hrvd.toml:2"), "{twice}");
}

#[test]
fn time_zones_and_windows() {
    let case = Case::new(
        "[[athlete]]\nslug = \"alex\"\ntimezone = \"Europe/Berlin\"\nwake_window = { from = \"22:15\" }\n\
         [[athlete]]\nslug = \"sam\"\nwake_window.to = \"11:00\"\n",
    );
    let roster = case.ok().config.roster();
    assert_eq!(roster.athletes[0].time_zone.iana_name(), Some("Europe/Berlin"));
    let window = |n: usize| roster.athletes[n].wake_window.unwrap();
    assert_eq!(window(0), WakeWindow { from: time(22, 15, 0, 0), until: time(10, 0, 0, 0) });
    assert!(window(0).contains(time(23, 0, 0, 0)) && !window(0).contains(time(12, 0, 0, 0)));
    assert_eq!(window(1), WakeWindow { from: time(4, 30, 0, 0), until: time(11, 0, 0, 0) });
    // Without a system time zone: UTC, and a word about it.
    let mut case = Case::new("[[athlete]]\nslug = \"alex\"\n");
    case.around.time_zone = None;
    assert_eq!(case.ok().config.athletes[0].time_zone, TimeZone::UTC);
    assert!(case.warnings().contains("time zone cannot be learned"), "{}", case.warnings());
}

#[test]
fn durations_in_every_form() {
    for (text, want) in [
        ("500ms", None),
        ("1500ms", Some(1500)),
        ("2s", Some(2000)),
        ("1m", Some(60_000)),
        ("0m30s", Some(30_000)),
        ("30 s", Some(30_000)),
        ("30 seconds", Some(30_000)),
        ("PT30S", Some(30_000)),
        ("61s", None),
        ("", None),
        ("s", None),
        ("1.5", None),
        ("99999999999999999999s", None),
        ("1d", None),
    ] {
        let case = Case::new(&format!("[mqtt]\nlive_interval = \"{text}\"\n"));
        match want {
            Some(ms) => assert_eq!(case.ok().config.live_interval, Duration::from_millis(ms), "{text}"),
            None => drop(case.errors()),
        }
    }
}

#[test]
fn odd_but_valid_files() {
    for bytes in [
        &b""[..],
        b"\n\n",
        b"# nothing\n",
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf[mqtt]\nhost = \"localhost\"\n",
        b"[mqtt]\r\nhost = \"localhost\"\r\n",
        b"[mqtt]\nhost = \"localhost\"",
        b"[mqtt]\n[mqtt.tls]\n",
        b"athlete = []\nstrap = []\n",
    ] {
        assert_eq!(Case::bytes(bytes).ok().config, Case::new("").ok().config, "{bytes:?}");
    }
    // Places count lines and characters as an editor does, with a byte order mark and CRLF too.
    let answer = Case::bytes(b"\xef\xbb\xbf[mqtt]\r\nhost = 5\r\n").errors();
    assert!(answer.contains("hrvd.toml:2:8") && answer.contains("2 | host = 5\n"), "{answer}");
}

#[test]
fn ports_and_switches() {
    let mqtt = |text: &str| Case::new(text).ok().config.mqtt;
    assert_eq!(mqtt("").unwrap().port, 1883);
    assert_eq!(mqtt("mqtt.tls.enabled = true").unwrap().port, 8883);
    assert_eq!(mqtt("mqtt.tls.enabled = true\nmqtt.port = 8884").unwrap().port, 8884);
    assert!(mqtt("mqtt.tls.enabled = true").unwrap().tls.unwrap().ca_file.is_none());
    assert_eq!(mqtt("mqtt.enabled = false"), None);
    let bluetooth = |text: &str| Case::new(text).ok().config.bluetooth;
    assert_eq!(bluetooth("").unwrap().adapter, None);
    assert_eq!(bluetooth("bluetooth.adapter = \"hci1\"").unwrap().adapter.as_deref(), Some("hci1"));
    assert_eq!(bluetooth("bluetooth.enabled = false"), None);
    for host in ["192.168.1.2", "fe80::1", "broker.lan", "küche.lan", "my_broker"] {
        assert_eq!(mqtt(&format!("mqtt.host = \"{host}\"")).unwrap().host, host);
    }
}

#[test]
fn the_password_comes_from_the_credential_or_the_file() {
    let user = "mqtt.username = \"ha\"\n";
    let case = |text: &str| {
        let case = Case::new(text);
        let dir = case.path().join("credentials").into_os_string();
        case.var("CREDENTIALS_DIRECTORY", dir)
    };
    let password = |case: &Case| case.ok().config.mqtt.unwrap().password.map(|p| p.read().unwrap().expose().to_owned());
    // No file, an empty one, the unit's fallback.
    assert_eq!(password(&case(user)), None);
    for empty in ["", "\n"] {
        let case = case("").file("credentials/mqtt-password", empty);
        assert_eq!(password(&case), None);
    }
    let with = case(user).file("credentials/mqtt-password", "hunter2\n");
    assert_eq!(password(&with).as_deref(), Some("hunter2"));
    assert_eq!(origin(&with.ok(), "mqtt.password_file"), "systemd credential");
    // A file that is named wins.
    let own = with.path().join("own");
    let with = with.file("own", "swordfish").file("hrvd.toml", &format!("{user}mqtt.password_file = {own:?}"));
    assert_eq!(password(&with).as_deref(), Some("swordfish"));
    // A password nobody can be sent with is an error, not a silent anonymous login.
    let answer = case("").file("credentials/mqtt-password", "hunter2\n").errors();
    assert!(answer.contains("no user name") && !answer.contains("hunter2"), "{answer}");
    // Nothing ever shows it.
    let loaded = with.ok();
    assert!(!format!("{loaded:?}").contains("swordfish"));
}
