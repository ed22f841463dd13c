//! What people write into configuration files, and what they are told.

use crate::{Case, snapshot};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// Runs one table: each case is shown as written, then as answered. No answer repeats a password.
fn table(cases: &[(&str, &str)]) -> String {
    let one = |(what, text): &(&str, &str)| {
        let answer = Case::new(text).errors();
        assert!(!answer.contains("hunter2"), "{answer}");
        format!("## {what}\n{text}\n---\n{answer}\n")
    };
    cases.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[test]
fn unknown_keys() {
    snapshot!(table(&[
        ("slip", "[mqtt]\nhots = \"broker.lan\"\n"),
        ("wrong case", "[mqtt]\nHost = \"broker.lan\"\n"),
        ("dash", "[mqtt]\nlive-interval = \"5s\"\n"),
        ("in another table", "[bluetooth]\nhost = \"broker.lan\"\n"),
        ("nothing near", "[store]\nfoo = 1\n"),
        ("table", "[mqqt]\nhost = \"broker.lan\"\n"),
        ("key at the top", "host = \"broker.lan\"\n"),
        ("sub-table", "[mqtt.tsl]\nenabled = true\n"),
        ("in a list", "[[athlete]]\nslug = \"alex\"\nslog = \"x\"\n"),
        ("in a window", "[[athlete]]\nslug = \"alex\"\nwake_window = { from = \"04:30\", until = \"10:00\" }\n"),
        ("one table where a list is due", "[athlete]\nslug = \"alex\"\n"),
        ("password", "[mqtt]\nusername = \"ha\"\npassword = \"hunter2\"\n"),
        ("password in an inline table", "mqtt = { x = 1, \"password\" = \"hunter2\" }\n"),
        ("url", "[mqtt]\nurl = \"mqtt://broker.lan\"\n"),
        ("url with a password", "[mqtt]\nurl = \"mqtt://ha:hunter2@broker.lan\"\n"),
        ("no verification", "[mqtt.tls]\nenabled = true\ninsecure = true\n"),
    ]));
}

#[test]
fn wrong_values() {
    snapshot!(table(&[
        ("text where a number is due", "[mqtt]\nport = \"1883\"\n"),
        ("number where text is due", "[mqtt]\nusername = 5\n"),
        ("port too large", "[mqtt]\nport = 99999\n"),
        ("port zero", "[mqtt]\nport = 0\n"),
        ("port huge", "[mqtt]\nport = 99999999999999999999\n"),
        ("text where a truth value is due", "[mqtt]\nenabled = \"yes\"\n"),
        ("bare number as duration", "[mqtt]\nlive_interval = 5\n"),
        ("duration without a unit", "[mqtt]\nlive_interval = \"5\"\n"),
        ("duration out of range", "[mqtt]\nlive_interval = \"2m\"\n"),
        ("negative duration", "[mqtt]\nlive_interval = \"-5s\"\n"),
        ("nonsense duration", "[store]\ncommit_interval = \"soon\"\n"),
        ("settling too short", "[check]\nsettle_min = \"10s\"\n"),
        ("table for a value", "[mqtt.host]\nname = \"x\"\n"),
        ("value for a table", "mqtt = \"broker.lan\"\n"),
        ("list for a value", "[mqtt]\nhost = [\"a\", \"b\"]\n"),
        ("host as URL", "[mqtt]\nhost = \"mqtts://broker.lan:8883\"\n"),
        ("host as URL with a password", "[mqtt]\nhost = \"mqtt://ha:hunter2@broker.lan\"\n"),
        ("URL for a table", "mqtt = \"mqtt://ha:hunter2@broker.lan\"\n"),
        ("control characters", "[gateway]\nid = \"a\\u001b[31m\\nb\"\n"),
        ("host with port", "[mqtt]\nhost = \"broker.lan:1883\"\n"),
        ("host with brackets", "[mqtt]\nhost = \"[::1]\"\n"),
        ("empty host", "[mqtt]\nhost = \"\"\n"),
        ("topic wildcard", "[mqtt]\nbase_topic = \"hrvd/#\"\n"),
        ("topic slash", "[mqtt]\nbase_topic = \"/hrvd/\"\n"),
        ("gateway name", "[gateway]\nid = \"Living Room\"\n"),
        ("language", "[gateway]\nlanguage = \"tlh\"\n"),
        ("adapter", "[bluetooth]\nadapter = \"usb0\"\n"),
        ("bare days", "[store]\nraw_keep = 90\n"),
        ("few days", "[store]\nraw_keep = \"3d\"\n"),
        ("no days", "[store]\nraw_keep = \"a year\"\n"),
        ("no copies", "[store]\nbackup_keep = 0\n"),
        ("relative path", "[store]\npath = \"hrvd.db\"\n"),
        ("home", "[store]\npath = \"~/hrvd.db\"\n"),
        ("log level", "[log]\nlevel = \"verbose\"\n"),
        ("log filter", "[log]\nlevel = \"hrvd::mqtt=debug\"\n"),
        ("posture", "[[athlete]]\nslug = \"alex\"\nposture = \"lying\"\n"),
        ("time zone", "[[athlete]]\nslug = \"alex\"\ntimezone = \"Berlin\"\n"),
        ("slug", "[[athlete]]\nslug = \"Alex B.\"\n"),
        ("unquoted time", "[[athlete]]\nslug = \"alex\"\nwake_window = { from = 04:30:00 }\n"),
        ("no time", "[[athlete]]\nslug = \"alex\"\nwake_window = { from = \"25:00\" }\n"),
        ("address", "[[athlete]]\nslug = \"alex\"\n[[strap]]\naddress = \"A0:9E\"\nathlete = \"alex\"\n"),
        ("list of numbers", "strap = [1]\n"),
        ("tabs and umlauts before the value", "[mqtt]\n\"base_topic\"\t=\t\"Küche\"\n"),
    ]));
}

#[test]
fn rules_over_several_values() {
    let two = "[[athlete]]\nslug = \"alex\"\n\n[[athlete]]\nslug = \"sam\"\n\n";
    let strap = "[[strap]]\naddress = \"A0:9E:1A:9F:6E:53\"\nathlete = \"alex\"\n";
    snapshot!(table(&[
        ("settle order", "[check]\nsettle = \"200s\"\n"),
        ("settle order, both typed", "[check]\nsettle_min = \"90s\"\nsettle = \"45s\"\n"),
        ("clean longer than the recording", "[check]\nrecord = \"60s\"\nclean_min = \"90s\"\n"),
        ("base topic is the discovery prefix", "[mqtt]\nbase_topic = \"homeassistant\"\n"),
        ("athlete without slug", "[[athlete]]\nname = \"Alex\"\n"),
        ("slug twice", "[[athlete]]\nslug = \"alex\"\n\n[[athlete]]\nslug = \"alex\"\n"),
        ("strap without anything", &format!("{two}[[strap]]\nname = \"H10\"\n")),
        ("strap of a stranger", &format!("{two}[[strap]]\naddress = \"A0:9E:1A:9F:6E:53\"\nathlete = \"kim\"\n")),
        ("strap of nearly somebody", &format!("{two}[[strap]]\naddress = \"A0:9E:1A:9F:6E:53\"\nathlete = \"alec\"\n")),
        ("strap and nobody", "[[strap]]\naddress = \"A0:9E:1A:9F:6E:53\"\nathlete = \"kim\"\n"),
        (
            "strap twice, spelled differently",
            &format!(
                "{two}[[strap]]\naddress = \"A0:9E:1A:9F:6E:53\"\nathlete = \"alex\"\n\
                 [[strap]]\naddress = \"a0-9e-1a-9f-6e-53\"\nathlete = \"sam\"\n"
            )
        ),
        ("empty window", "[[athlete]]\nslug = \"alex\"\nwake_window = { from = \"06:00\", to = \"06:00\" }\n"),
        ("release that is empty", &format!("{two}{strap}release = [{{ from = \"17:00\", to = \"17:00\" }}]\n")),
        ("release without an end", &format!("{two}{strap}release = [{{ from = \"17:00\" }}]\n")),
        ("release at a wrong time", &format!("{two}{strap}release = [{{ from = \"17:00\", to = \"25:00\" }}]\n")),
        ("release that is one table", &format!("{two}{strap}release = {{ from = \"17:00\", to = \"19:00\" }}\n")),
        ("release with a wrong key", &format!("{two}{strap}release = [{{ from = \"17:00\", until = \"19:00\" }}]\n")),
        ("certificate without key", "[mqtt.tls]\nenabled = true\nclient_cert = \"/dev/null\"\n"),
        ("key without certificate", "[mqtt.tls]\nenabled = true\nclient_key = \"/dev/null\"\n"),
        ("no such file", "[mqtt.tls]\nenabled = true\nca_file = \"/nonexistent/ca.pem\"\n"),
        ("a directory", "[mqtt.tls]\nenabled = true\nca_file = \"/tmp\"\n"),
        ("password without user", "[mqtt]\npassword_file = \"/dev/null\"\n"),
    ]));
}

#[test]
fn a_refused_value_draws_no_second_error() {
    // The slug is refused, so the strap's athlete cannot be judged; the settle is refused, so the order cannot.
    let text = "[check]\nsettle = \"1h\"\nsettle_min = \"90s\"\n[[athlete]]\nslug = \"Alex\"\n\
                [[strap]]\naddress = \"A0:9E:1A:9F:6E:53\"\nathlete = \"alex\"\n";
    snapshot!(Case::new(text).errors());
}

#[test]
fn all_errors_of_all_sources_at_once() {
    let case = Case::new("[mqtt]\nport = 0\nhots = \"x\"\nkeep_alive = 30\n\n[log]\nlevel = 3\n")
        .file("conf.d/20-b.toml", "[bluetooth]\nsilence = \"1h\"\n")
        .file("conf.d/10-a.toml", "[[strap]]\naddress = \"nope\"\n")
        .file("conf.d/30-c.toml", "[check\n")
        .var("HRVD__MQTT__PORT", "on")
        .flag("log.level", "loud", "--log-level");
    snapshot!(case.errors());
}

#[test]
fn environment() {
    let one = |name: &str, value: &str| format!("{name}={value}\n{}", Case::new("").var(name, value).errors());
    let all = [
        one("HRVD_MQTT__HOST", "broker.lan"),
        one("HRVD_MQTT_HOST", "broker.lan"),
        one("HRVD__MQTT_HOST", "broker.lan"),
        one("HRVD__MQTT__HOTS", "broker.lan"),
        one("hrvd__mqtt__host", "broker.lan"),
        one("HRVD__MQTT", "broker.lan"),
        one("HRVD__MQTT__TLS_CA_FILE", "/ca.pem"),
        one("HRVD__MQTT__PASSWORD", "hunter2"),
        one("HRVD__ATHLETE__0__SLUG", "alex"),
        one("HRVD__NOTHING__LIKE__IT", "x"),
        one("HRVD__MQTT__PORT", "abc"),
        one("HRVD__MQTT__PORT", "70000"),
        one("HRVD__MQTT__PORT", "on"),
        one("HRVD__MQTT__PORT", "+1883"),
        one("HRVD__MQTT__ENABLED", "1"),
        one("HRVD__MQTT__KEEP_ALIVE", "60"),
        one("HRVD__MQTT__HOST", ""),
        one("HRVD__MQTT__BASE_TOPIC", "x\"\nport = 1"),
    ];
    let not_text = Case::new("").var("HRVD__MQTT__HOST", OsString::from_vec(vec![0xff])).errors();
    snapshot!(format!("{}\n\nnot UTF-8\n{not_text}", all.join("\n\n")));
}

#[test]
fn files_that_are_no_configuration() {
    let mut out = Vec::new();
    out.push(("missing, named", Case::without_file().errors()));
    let case = Case::without_file();
    std::fs::create_dir(case.path().join("hrvd.toml")).unwrap();
    out.push(("a directory", case.errors()));
    let mut endless = Case::without_file();
    endless.request.file = Some("/dev/zero".into());
    out.push(("a device", endless.errors()));
    out.push(("not UTF-8", Case::bytes(b"[mqtt]\nhost = \"k\xfcche\"\n").errors()));
    out.push(("UTF-16", Case::bytes(b"\xff\xfe[\0m\0").errors()));
    out.push(("binary", Case::bytes(b"SQLite format 3\0\x10\0").errors()));
    out.push(("open string", Case::new("[mqtt]\nhost = \"broker.lan\nport = 1883\n").errors()));
    out.push(("no value", Case::new("[mqtt]\nhost =\nport = 1883\n").errors()));
    out.push(("no quotes", Case::new("[mqtt]\nhost = broker.lan\n").errors()));
    out.push(("YAML", Case::new("mqtt:\n  host: broker.lan\n").errors()));
    out.push(("key twice", Case::new("[mqtt]\nport = 1\nport = 2\n").errors()));
    out.push(("table twice", Case::new("[mqtt]\nport = 1\n[mqtt]\nhost = \"a\"\n").errors()));
    out.push(("two syntax errors", Case::new("[mqtt]\nhost = x\n[log]\nlevel = y\n").errors()));
    out.push(("a secret on a broken line", Case::new("[mqtt]\npassword = hunter2\n").errors()));
    let all: Vec<_> = out.into_iter().map(|(what, text)| format!("## {what}\n{text}\n")).collect();
    snapshot!(all.join("\n"));
}

#[test]
fn warnings() {
    use std::os::unix::fs::PermissionsExt;
    let case = Case::without_file();
    let secret = case.path().join("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    let mode = |mode| std::fs::set_permissions(&secret, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o600);
    let auth = format!("username = \"ha\"\npassword_file = \"{}\"\n", secret.display());
    let warn = |text: &str| {
        case.write("hrvd.toml", text);
        format!("{}\n---\n{}", case.hide(text), case.warnings())
    };
    let mut all = vec![
        warn(&format!("[mqtt]\nhost = \"broker.lan\"\n{auth}")),
        warn(&format!("[mqtt]\nhost = \"127.0.0.1\"\n{auth}")),
        warn(&format!("[mqtt]\nhost = \"broker.lan\"\n{auth}tls = {{ enabled = true }}\n")),
        warn(&format!("[mqtt]\nenabled = false\nhost = \"broker.lan\"\n{auth}")),
        warn("[mqtt]\nport = 8883\n"),
        warn("[mqtt]\nport = 1883\ntls.enabled = true\n"),
        warn("[mqtt.tls]\nca_file = \"/nonexistent/ca.pem\"\n"),
    ];
    mode(0o644);
    all.push(warn(&format!("[mqtt]\n{auth}")));
    snapshot!(all.join("\n\n"));
}

#[test]
fn a_warning_fits_on_one_line_of_the_log() {
    let case = Case::new("mqtt.port = 8883\n");
    let line = case.hide(&case.ok().warnings[0].one_line());
    let want = "port 8883 is the TLS port, but TLS is off (DIR/hrvd.toml:1); hint: set enabled = true under [mqtt.tls]";
    assert_eq!(line, want);
}

mod any_bytes {
    use crate::Case;
    use hrvd::config::load;
    use proptest::prelude::*;

    const EXAMPLE: &str = include_str!("../../config/hrvd.toml");

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever stands in a file or a variable, there is an answer and it can be printed.
        #[test]
        fn are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200), value in ".{0,40}") {
            let case = Case::bytes(&bytes).var("HRVD__MQTT__HOST", value.as_str());
            if let Err(e) = load(&case.request, &case.around) {
                prop_assert!(!e.to_string().is_empty());
            }
        }

        /// The example with some lines uncommented and some bytes replaced: deeper than noise gets.
        #[test]
        fn near_a_configuration_are_answered(
            open in proptest::collection::vec(any::<bool>(), 120),
            edits in proptest::collection::vec((any::<prop::sample::Index>(), "[\\x20-\\x7eä€\n\t]"), 0..6),
        ) {
            let lines = EXAMPLE.lines().zip(&open).map(|(l, open)| if *open { l.strip_prefix('#').unwrap_or(l) } else { l });
            let mut text: Vec<char> = lines.collect::<Vec<_>>().join("\n").chars().collect();
            for (at, with) in edits {
                let at = at.index(text.len());
                text.splice(at..=at, with.chars());
            }
            let case = Case::new(&text.into_iter().collect::<String>());
            if let Err(e) = load(&case.request, &case.around) {
                prop_assert!(e.errors() > 0);
                prop_assert!(!e.to_string().is_empty());
            }
        }
    }
}
