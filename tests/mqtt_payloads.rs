//! Discovery and payloads: pinned by snapshots, checked against Home Assistant's rules.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hrvd::battery::Forecast;
use hrvd::ble::signal::{Signal, Trend};
use hrvd::check::*;
use hrvd::diagnosis::Cause;
use hrvd::engine::*;
use hrvd::hrv::time::TimeDomain;
use hrvd::hrv::{Metric, Why};
use hrvd::mqtt::{
    BridgeStatus, Delivery, Explained, Language, Message, MqttConfig, RenderOptions, Renderer, TOPICS, Topics, Use,
};
use hrvd::preference::{LogLevel, Personal, Preference};
use hrvd::units::{AthleteId, Mono, Now, StrapId};
use hrvd::verdict::*;
use jiff::tz::{self, TimeZone};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const STRAP: &str = "A0:9E:1A:9F:6E:53";

fn topics() -> Topics {
    Topics::new(&MqttConfig { gateway_id: "a1b2c3".into(), ..MqttConfig::default() })
}

fn alex() -> AthleteId {
    "alex".parse().unwrap()
}

fn strap_id() -> StrapId {
    STRAP.parse().unwrap()
}

fn roster() -> Roster {
    Roster {
        athletes: vec![Athlete {
            id: alex(),
            name: "Alex".into(),
            time_zone: TimeZone::fixed(tz::offset(2)),
            posture: Posture::Supine,
            wake_window: None,
        }],
        straps: vec![Strap { id: strap_id(), athlete: alex(), name: Some("Polar H10 9F6E5322".into()) }],
    }
}

fn facts() -> StrapFacts {
    StrapFacts {
        name: Some("Polar H10 9F6E5322".into()),
        battery_pct: Some(80),
        rssi_dbm: Some(-61),
        location: Some(1),
        manufacturer: Some("Polar Electro Oy".into()),
        model: Some("H10".into()),
        serial: Some("9F6E5322".into()),
        firmware: Some("3.1.1".into()),
        hardware: Some("00760690.03".into()),
        software: None,
    }
}

fn status() -> StrapStatus {
    StrapStatus {
        strap: strap_id(),
        athlete: alex(),
        link: LinkState::Connected,
        link_since: Mono::from_secs(940),
        online: true,
        last_packet: Some(Mono::from_secs(999)),
        contact: Some(true),
        facts: facts(),
        packets: 60,
        defects: 1,
        gaps: 2,
        duplicates: 3,
        signs: Signs::default(),
        verdict: Verdict {
            units: Units::Ticks1024,
            coverage: Some(Coverage { share: 0.996, received: 0.996, minutes: 5 }),
            smoothing: SmoothingVerdict::None,
            worn: Worn::Worn,
            findings: vec![Finding {
                id: FindingId::RrDropouts,
                since: Mono::from_secs(950),
                last: Mono::from_secs(990),
            }],
        },
    }
}

fn now(s: u64) -> Now {
    let wall: jiff::Timestamp = "2026-11-24T04:30:00Z".parse().unwrap();
    let wall = wall + jiff::SignedDuration::from_secs(s as i64 - 1000);
    Now { mono: Mono::from_secs(s), wall: Some(wall) }
}

fn renderer() -> Renderer {
    let options = RenderOptions { version: "0.1.0".into(), ..RenderOptions::default() };
    let mut r = Renderer::new(topics(), options);
    r.roster(&roster());
    r
}

fn result() -> CheckResult {
    CheckResult {
        id: CheckId("b00t-1000-alex".into()),
        athlete: alex(),
        strap: strap_id(),
        trigger: Trigger::Manual,
        posture: Posture::Supine,
        start: Mono::from_secs(1000),
        wall: now(1000).wall,
        local_date: Some(jiff::civil::date(2026, 11, 24)),
        settle_s: 60.0,
        length_s: 120.0,
        grade: Grade::Good,
        values: Some(Values {
            rmssd_ms: 48.2345,
            ln_rmssd: 3.875_789,
            mean_hr_bpm: 52.04,
            mean_rr_ms: 1152.96,
            sdnn_ms: 61.25,
            pnn50_pct: 27.777,
            ln_rmssd_rr_ratio: 3.361_6,
        }),
        why: None,
        n: 104,
        pairs: 101,
        artifact_pct: 0.961_5,
        coverage: 0.999_4,
        gap_s: 0.0,
        clean_s: 119.0,
        notes: vec![Note::SlowBreathing],
        algo_version: 1,
    }
}

fn bad() -> CheckResult {
    CheckResult { grade: Grade::Bad, values: None, why: Some(WhyNone::Artifacts), artifact_pct: f64::NAN, ..result() }
}

fn check(phase: Phase, changed: bool) -> CheckStatus {
    CheckStatus {
        athlete: alex(),
        check: Some(CheckId("b00t-1000-alex".into())),
        strap: Some(strap_id()),
        phase,
        changed,
        seconds_left: Some(42),
        percent: 70,
        hr_bpm: Some(54),
        clean_pct: Some(98.76),
        hint: Some(Hint::KeepStill),
        cause: None,
    }
}

fn live() -> Live {
    let time = |rmssd: Metric, sdnn: Metric| TimeDomain {
        normal: 56,
        pairs: 55,
        mean_rr_ms: Ok(1111.3),
        mean_hr_bpm: Ok(53.99),
        sdnn_ms: sdnn,
        rmssd_ms: rmssd,
        ln_rmssd: rmssd.map(f64::ln),
        sdsd_ms: rmssd,
        pnn50_pct: Ok(20.0),
        pnn20_pct: Ok(60.0),
        sd1_ms: Ok(34.0),
        sd2_ms: Ok(70.0),
    };
    let window = |s: u64, n: usize, time: TimeDomain| LiveWindow {
        span: Duration::from_secs(s),
        n,
        artifact_pct: Some(1.234),
        coverage: 0.998,
        time,
    };
    Live {
        athlete: alex(),
        strap: strap_id(),
        at: Mono::from_secs(1000),
        hr_bpm: Some(54),
        rr_ms: Some(1111.3),
        contact: Some(true),
        beats: Some(LiveBeats {
            last_30: window(30, 27, time(Ok(45.14), Ok(50.0))),
            last_60: window(60, 57, time(Ok(48.26), Ok(55.0))),
            last_300: window(300, 266, time(Ok(50.04), Ok(61.25))),
            dfa: LiveDfa { alpha1: Ok(1.0449), n: 107, artifact_pct: Some(0.93) },
            breathing: LiveBreathing { per_min: Ok(14.0), confidence: Some(0.876) },
        }),
        why: None,
    }
}

/// One line a message, as it travels.
fn lines(messages: &[Message]) -> String {
    let line = |m: &Message| {
        let p = &m.publication;
        let retain = if p.retain { "retain" } else { "-" };
        format!("{:?} qos{} {retain} {} {}\n", m.delivery, p.qos, p.topic, String::from_utf8_lossy(&p.payload))
    };
    messages.iter().map(line).collect()
}

fn discovery() -> Vec<(String, Value)> {
    let mut r = renderer();
    let mut messages = r.roster(&roster());
    messages.extend(r.output(&Output::Strap(status()), now(1000)));
    let config = messages.iter().filter(|m| m.publication.topic.starts_with("homeassistant/device/"));
    let mut out: Vec<(String, Value)> = Vec::new();
    for m in config {
        let value = serde_json::from_slice(&m.publication.payload).unwrap();
        out.retain(|(topic, _)| *topic != m.publication.topic);
        out.push((m.publication.topic.clone(), value));
    }
    out
}

#[test]
fn discovery_is_pinned() {
    let text: String =
        discovery().iter().map(|(t, v)| format!("{t}\n{}\n\n", serde_json::to_string_pretty(v).unwrap())).collect();
    insta::assert_snapshot!("discovery", text);
}

/// A changed unique id orphans the entity and its history on every installation.
#[test]
fn unique_ids_are_pinned() {
    let mut ids = String::new();
    for (_, v) in discovery() {
        for c in v["cmps"].as_object().unwrap().values().filter(|c| c["p"] != "device_automation") {
            ids += &format!("{} {}\n", c["uniq_id"].as_str().unwrap(), c["def_ent_id"].as_str().unwrap());
        }
    }
    insta::assert_snapshot!("unique_ids", ids);
}

#[test]
fn unique_ids_do_not_depend_on_what_is_learned_or_renamed() {
    let ids = |messages: &[Message]| -> BTreeSet<String> {
        let payloads = messages.iter().filter_map(|m| serde_json::from_slice::<Value>(&m.publication.payload).ok());
        payloads
            .filter_map(|v| {
                Some(
                    v.get("cmps")?
                        .as_object()?
                        .values()
                        .filter(|c| c["p"] != "device_automation")
                        .map(|c| c["uniq_id"].to_string())
                        .collect::<Vec<_>>(),
                )
            })
            .flatten()
            .collect()
    };
    let mut r = renderer();
    let before = ids(&r.roster(&roster()));
    let mut renamed = roster();
    renamed.athletes[0].name = "Zoë".into();
    renamed.straps[0].name = None;
    r.output(&Output::Strap(status()), now(1000));
    assert_eq!(ids(&r.roster(&renamed)), before);
    assert_eq!(before.len(), 8 + 19 + 72);
}

/// The rules that Home Assistant enforces by refusing a device or an entity, or by a line in its log.
#[test]
fn discovery_obeys_home_assistant() {
    const DEV: &[&str] = &["ids", "cns", "name", "mf", "mdl", "sn", "sw", "hw", "via_device"];
    const COMPONENT: &[&str] = &[
        "p",
        "name",
        "uniq_id",
        "def_ent_id",
        "stat_t",
        "cmd_t",
        "cmd_tpl",
        "val_tpl",
        "json_attr_t",
        "pl_on",
        "pl_off",
        "pl_prs",
        "stat_on",
        "stat_off",
        "dev_cla",
        "unit_of_meas",
        "sug_dsp_prc",
        "stat_cla",
        "ops",
        "evt_typ",
        "exp_aft",
        "ic",
        "ent_cat",
        "en",
        "avty",
        "avty_mode",
        "message_expiry_interval",
        "min",
        "max",
        "step",
        "mode",
        "ptrn",
    ];
    const CLASS_UNITS: &[(&str, Option<&str>)] = &[
        ("battery", Some("%")),
        ("signal_strength", Some("dBm")),
        ("duration", Some("s")),
        ("timestamp", None),
        ("enum", None),
        ("problem", None),
        ("data_size", Some("MB")),
        ("connectivity", None),
    ];
    let all = discovery();
    assert_eq!(all.len(), 3);
    let mut unique = BTreeSet::new();
    for (topic, v) in &all {
        let text = v.to_string();
        assert!(text.len() < 64 * 1024, "{} bytes", text.len());
        let object = topic.strip_prefix("homeassistant/device/").unwrap().strip_suffix("/config").unwrap();
        let safe = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        assert!(safe(object), "{object}");
        let top: Vec<_> = v.as_object().unwrap().keys().collect();
        assert_eq!(top, ["dev", "o", "qos", "avty", "cmps"]);
        assert!(v["o"]["name"].is_string());
        for key in v["dev"].as_object().unwrap().keys() {
            assert!(DEV.contains(&key.as_str()), "{key}");
        }
        let name = v["dev"]["name"].as_str().unwrap();
        for (key, c) in v["cmps"].as_object().unwrap() {
            assert!(safe(key));
            if c["p"] == "device_automation" {
                check_trigger(key, c);
                continue;
            }
            for k in c.as_object().unwrap().keys() {
                assert!(COMPONENT.contains(&k.as_str()), "{key}: {k}");
            }
            assert!(unique.insert(c["uniq_id"].as_str().unwrap().to_owned()), "{key} twice");
            let platform = c["p"].as_str().unwrap();
            let commands = ["button", "switch", "number", "select", "text"];
            assert!(["sensor", "binary_sensor", "event"].contains(&platform) || commands.contains(&platform));
            for topic in [c.get("stat_t"), c.get("cmd_t")].into_iter().flatten() {
                assert!(topic.as_str().unwrap().starts_with("hrvd/a1b2c3/"));
            }
            // a button has no state, and a word that is only taken neither
            assert_eq!(c.get("stat_t").is_some(), platform != "button" && key != "tag", "{key}");
            assert_eq!(c.get("cmd_t").is_some(), commands.contains(&platform), "{key}");
            assert_eq!(c.get("message_expiry_interval").is_some(), c.get("cmd_t").is_some(), "{key}");
            // Home Assistant refuses settings that cannot be set
            assert!(c.get("ent_cat") != Some(&json!("config")) || c.get("cmd_t").is_some(), "{key}");
            if platform == "number" {
                assert!(c["min"].as_f64() < c["max"].as_f64() && c["step"].as_f64() > Some(0.0), "{key}");
            }
            if platform == "text" {
                assert!(c["max"].as_f64() <= Some(255.0), "{key}");
            }
            // The same id comes out of the names, for versions that do not know default_entity_id.
            let slug = |s: &str| s.to_lowercase().replace([' ', '-'], "_");
            let wanted = format!("{platform}.{}_{}", slug(name), slug(c["name"].as_str().unwrap()));
            assert_eq!(c["def_ent_id"], json!(wanted));
            let class = c.get("dev_cla").and_then(Value::as_str);
            if let Some(class) = class {
                let (_, unit) = CLASS_UNITS.iter().find(|(k, _)| *k == class).expect(class);
                let spans = ["s", "min", "h", "d"].map(Some);
                let given = c.get("unit_of_meas").and_then(Value::as_str);
                let unit = if class == "duration" && spans.contains(&given) { &given } else { unit };
                assert_eq!(c.get("unit_of_meas").and_then(Value::as_str), *unit, "{key}");
            }
            assert_eq!(class == Some("enum") || platform == "select", c.get("ops").is_some(), "{key}");
            if class == Some("enum") || class == Some("timestamp") {
                assert!(c.get("stat_cla").is_none(), "{key}");
            }
            assert_eq!(platform == "event", c.get("evt_typ").is_some());
            assert_eq!(platform == "button", c.get("pl_prs").is_some());
            if platform == "binary_sensor" {
                assert!(c["pl_on"].is_string() && c["pl_off"].is_string());
            }
            // A switch shows what is, not what was pressed.
            if platform == "switch" {
                for field in ["pl_on", "pl_off", "stat_on", "stat_off"] {
                    assert!(c[field].is_string(), "{key}: {field}");
                }
            }
            // Only live values expire, and live values are available only with their strap.
            let is_live = c.get("stat_t") == Some(&json!("hrvd/a1b2c3/athlete/alex/live"));
            assert_eq!(c.get("exp_aft").is_some(), is_live, "{key}");
            if is_live {
                assert_eq!(c["avty"].as_array().unwrap().len(), 2);
                assert_eq!(c["avty_mode"], "all");
            }
            // A template reads only what the payload of its topic holds; a missing key would keep the old value.
            if let Some(template) = c.get("val_tpl") {
                let field = template.as_str().unwrap().strip_prefix("{{ value_json.").unwrap();
                let field = field.strip_suffix(" }}").unwrap();
                let field = match field.split_once(" or '") {
                    // what is shown for null has to be one of the words
                    Some((field, blank)) => {
                        let blank = json!(blank.strip_suffix('\'').unwrap());
                        assert!(c["ops"].as_array().unwrap().contains(&blank), "{key}");
                        field
                    }
                    None => field,
                };
                let sample = sample(c["stat_t"].as_str().unwrap());
                assert!(sample.get(field).is_some(), "{key}: {field} is not in {sample}");
            }
        }
    }
}

/// A trigger on a device's page: no entity, so neither an id nor a name.
fn check_trigger(key: &str, c: &Value) {
    let keys: Vec<_> = c.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["p", "atype", "type", "stype", "t", "val_tpl", "pl"], "{key}");
    let (entity, topic) = match c["stype"].as_str().unwrap() {
        "morning_check" => ("check_event", "hrvd/a1b2c3/athlete/alex/event/check"),
        _ => ("readiness_event", "hrvd/a1b2c3/athlete/alex/event/readiness"),
    };
    assert_eq!((&c["atype"], &c["t"]), (&json!("trigger"), &json!(topic)));
    assert_eq!((&c["type"], key), (&c["pl"], format!("trigger_{}", c["pl"].as_str().unwrap()).as_str()));
    let all = discovery();
    let athlete = all.iter().find(|(topic, _)| topic.contains("_athlete_")).unwrap();
    let declared = &athlete.1["cmps"][entity]["evt_typ"];
    assert!(declared.as_array().unwrap().contains(&c["pl"]), "{key} is not declared by the event entity");
}

/// Names change with the language; ids, words and topics never do.
#[test]
fn german_names_leave_everything_else_as_it_is() {
    let of = |language| {
        let options = RenderOptions { language, ..RenderOptions::default() };
        let messages = Renderer::new(topics(), options).roster(&roster());
        let configs = messages.into_iter().filter(|m| m.publication.topic.starts_with("homeassistant/"));
        configs.map(|m| serde_json::from_slice(&m.publication.payload).unwrap()).collect::<Vec<Value>>()
    };
    let (mut en, mut de) = (of(Language::En), of(Language::De));
    let mut differ = 0;
    for (en, de) in en.iter_mut().zip(&mut de) {
        let (en, de) = (en["cmps"].as_object_mut().unwrap(), de["cmps"].as_object_mut().unwrap());
        for (a, b) in en.values_mut().zip(de.values_mut()) {
            differ += usize::from(a["name"] != b["name"]);
            a["name"] = Value::Null;
            b["name"] = Value::Null;
        }
    }
    assert!(differ > 25, "{differ} names are translated");
    assert_eq!(en, de);
}

/// Whatever the numbers are: the payload is JSON, short, and holds no number that is none.
#[test]
fn no_number_makes_a_payload_that_is_none() {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, -0.0, 1e-9, 48.2];
    for a in odd {
        for b in odd {
            let values = result().values.map(|v| Values { rmssd_ms: a, ln_rmssd: b, sdnn_ms: b, pnn50_pct: a, ..v });
            let odd = CheckResult { values, artifact_pct: a, coverage: b, ..result() };
            for m in renderer().output(&Output::Result(Box::new(odd)), now(1000)) {
                let v: Value = serde_json::from_slice(&m.publication.payload).unwrap();
                assert!(v["rmssd"].is_null() != a.is_finite() || a == f64::MAX, "{a}: {v}");
                assert!(m.publication.payload.len() < 2048, "{} bytes", m.publication.payload.len());
            }
        }
    }
}

const READINESS: [&str; 32] = [
    "date",
    "level",
    "hard",
    "score",
    "confidence",
    "state",
    "version",
    "algo_version",
    "at",
    "reasons",
    "flags",
    "patterns",
    "counterfactuals",
    "cell",
    "cell_text",
    "suggests_change",
    "conflict",
    "card",
    "rules",
    "baseline_stage",
    "days_missing",
    "baseline_low",
    "baseline_high",
    "ln_rmssd_7d",
    "cv",
    "load_7d",
    "ctl",
    "atl",
    "tsb",
    "hours_since_hard",
    "hit_rate",
    "quiet",
];
const INPUTS: [&str; 20] = [
    "date",
    "wellness_sleep",
    "wellness_stress",
    "wellness_fatigue",
    "wellness_soreness",
    "feel",
    "illness",
    "pain",
    "pain_side",
    "motivation",
    "caffeine",
    "sleep_hours",
    "sleep_quality",
    "plan",
    "quiet",
    "was_right",
    "tags",
    "session_rpe",
    "session_minutes",
    "session_kind",
];

/// A payload of a JSON topic.
fn sample(topic: &str) -> Value {
    let agreed: Option<&[&str]> = match topic.rsplit('/').next() {
        Some("readiness") => Some(&READINESS),
        Some("inputs") => Some(&INPUTS),
        _ => None,
    };
    if let Some(keys) = agreed {
        return keys.iter().map(|k| ((*k).to_owned(), Value::Null)).collect::<serde_json::Map<_, _>>().into();
    }
    let mut r = renderer();
    let mut all = r.output(&Output::Strap(status()), now(1000));
    all.extend(r.output(&Output::Live(Box::new(live())), now(1000)));
    all.extend(r.output(&Output::Check(check(Phase::Recording, true)), now(1000)));
    all.extend(r.output(&Output::Result(Box::new(result())), now(1000)));
    all.push(r.bridge(&BridgeStatus::default()));
    all.push(r.gateway_settings(Duration::from_secs(5), Some(LogLevel::Info), &[]));
    all.extend(r.personal_settings(&alex(), &Personal::default(), &[]));
    let m = all.iter().find(|m| m.publication.topic == topic).unwrap_or_else(|| panic!("nothing on {topic}"));
    serde_json::from_slice(&m.publication.payload).unwrap()
}

#[test]
fn live_values_expire_after_four_intervals() {
    let options = RenderOptions { live_interval: Duration::from_secs(30), ..RenderOptions::default() };
    let messages = Renderer::new(topics(), options).roster(&roster());
    let athlete = messages.iter().find(|m| m.publication.topic.contains("_athlete_alex/")).unwrap();
    let v: Value = serde_json::from_slice(&athlete.publication.payload).unwrap();
    assert_eq!(v["cmps"]["heart_rate"]["exp_aft"], 120);
}

#[test]
fn two_straps_leave_live_values_to_the_gateway_and_their_expiry() {
    let mut roster = roster();
    roster.straps.push(Strap { id: StrapId([1; 6]), athlete: alex(), name: None });
    let messages = renderer().roster(&roster);
    let athlete = messages.iter().find(|m| m.publication.topic.contains("_athlete_alex/")).unwrap();
    let v: Value = serde_json::from_slice(&athlete.publication.payload).unwrap();
    assert!(v["cmps"]["heart_rate"].get("avty").is_none());
    assert_eq!(v["cmps"]["heart_rate"]["exp_aft"], 20);
}

#[test]
fn payloads_are_pinned() {
    let mut r = renderer();
    let mut all = Vec::new();
    for output in [
        Output::Strap(status()),
        Output::Live(Box::new(live())),
        Output::Check(check(Phase::Settling, true)),
        Output::Check(check(Phase::Recording, true)),
        Output::Check(check(Phase::Recording, false)),
        Output::Check(check(Phase::Done, true)),
        Output::Result(Box::new(result())),
        Output::Check(CheckStatus { cause: Some(AbortCause::StrapLost), ..check(Phase::Aborted, true) }),
        Output::Check(CheckStatus { cause: Some(AbortCause::Cancelled), ..check(Phase::Aborted, true) }),
    ] {
        all.extend(r.output(&output, now(1000)));
    }
    all.push(r.bridge(&BridgeStatus {
        unsent: 2,
        database_mb: Some(14),
        started: now(0).wall,
        ..BridgeStatus::default()
    }));
    let explained = Explained {
        cause: Some(Cause::WeakSignal),
        last_seen: Some(Mono::from_secs(999)),
        signal: Signal { dbm: Some(-90), trend: Some(Trend::Falling) },
        battery: Some(Forecast { per_week: -0.93, days_left: 104 }),
        released_until: None,
        link: Some((
            hrvd::ble::Recovery::None,
            hrvd::ble::Counters { connects: 4, drops: 2, resubscribes: 1, ..hrvd::ble::Counters::default() },
        )),
    };
    all.extend(r.explain(strap_id(), explained, now(1000)));
    let freed = Explained { cause: Some(Cause::Released), released_until: Some(Mono::from_secs(4600)), ..explained };
    all.extend(r.explain(strap_id(), freed, now(1000)));
    all.push(r.gateway_settings(Duration::from_secs(5), Some(LogLevel::Info), &[]));
    let personal = Personal { max_hr: Some(190), ..Personal::default() };
    all.extend(r.personal_settings(&alex(), &personal, &[Preference::MaxHr]));
    insta::assert_snapshot!("payloads", lines(&all));
}

#[test]
fn an_explanation_is_said_when_it_changes_and_not_when_time_passes() {
    let mut r = renderer();
    let why = |cause| Explained { cause: Some(cause), ..Explained::default() };
    assert!(r.explain(strap_id(), why(Cause::NotSeen), now(999)).is_none(), "nothing is known of the strap yet");
    r.output(&Output::Strap(status()), now(1000));
    assert!(r.explain(strap_id(), why(Cause::Silent), now(1000)).is_some());
    let seen = Explained { last_seen: Some(Mono::from_secs(1001)), ..why(Cause::Silent) };
    assert!(r.explain(strap_id(), seen, now(1001)).is_none());
    // What the engine says next carries the explanation along.
    let out = r.output(&Output::Strap(StrapStatus { contact: None, ..status() }), now(1002));
    let v: Value = serde_json::from_slice(&out.last().unwrap().publication.payload).unwrap();
    assert_eq!((&v["cause"], v["last_seen"].is_string()), (&json!("silent"), true), "{v}");
    // The end of a release is rounded by everybody who computes it; only a real move is news.
    let until = |s: u64| Explained { released_until: Some(Mono::from_secs(s)), ..why(Cause::Released) };
    assert!(r.explain(strap_id(), until(5000), now(1003)).is_some());
    assert!(r.explain(strap_id(), until(5002), now(1004)).is_none());
    assert!(r.explain(strap_id(), until(9000), now(1005)).is_some());
}

#[test]
fn advice_fits_into_a_state() {
    for cause in Cause::ALL {
        let advice = cause.advice().unwrap_or_default();
        assert!(advice.chars().count() <= 255, "{}: Home Assistant cuts states at 255 characters", cause.as_str());
    }
}

#[test]
fn a_bad_result_is_an_event_and_leaves_the_morning_alone() {
    let mut r = renderer();
    let messages = r.output(&Output::Result(Box::new(bad())), now(1000));
    assert_eq!(messages.len(), 1);
    let m = &messages[0];
    assert_eq!(m.delivery, Delivery::Durable);
    assert!(!m.publication.retain);
    let v: Value = serde_json::from_slice(&m.publication.payload).unwrap();
    assert_eq!(v["event_type"], "failed");
    assert_eq!(v["cause"], "too_many_artifacts");
    assert_eq!(v["grade"], "bad");
    for key in ["rmssd", "ln_rmssd", "hr", "sdnn", "pnn50", "artifact_pct"] {
        assert_eq!(v.get(key), Some(&Value::Null), "{key}");
    }
    assert_eq!(r.morning(&bad()), None);
}

#[test]
fn all_payloads_of_a_topic_have_the_same_keys() {
    let keys = |m: &Message| -> Vec<String> {
        let v: Value = serde_json::from_slice(&m.publication.payload).unwrap();
        v.as_object().unwrap().keys().cloned().collect()
    };
    let mut r = renderer();
    let initial = r.roster(&roster());
    let fresh = Renderer::new(topics(), RenderOptions::default()).roster(&roster());
    assert!(initial.len() < fresh.len(), "who is known keeps their state");
    let find = |messages: &[Message], suffix: &str| {
        keys(messages.iter().find(|m| m.publication.topic.ends_with(suffix)).unwrap())
    };
    let strap = r.output(&Output::Strap(status()), now(1000));
    assert_eq!(find(&fresh, "/state"), find(&strap, "/state"));
    let changed = r.output(&Output::Check(check(Phase::Settling, true)), now(1000));
    let progress = r.output(&Output::Check(check(Phase::Settling, false)), now(1000));
    assert_eq!(find(&fresh, "/check"), find(&changed, "alex/check"));
    assert_eq!(find(&fresh, "/check"), find(&progress, "alex/check"));
    let started = find(&changed, "/event/check");
    for (other, at) in [(result(), 1), (bad(), 0)] {
        let messages = r.output(&Output::Result(Box::new(other)), now(1000));
        assert_eq!(keys(&messages[at]), started);
    }
}

#[test]
fn nothing_known_is_null_and_never_zero() {
    let mut r = renderer();
    let none = Live::nothing(alex(), strap_id(), Mono::from_secs(1000));
    let keys = sample(&topics().live(&alex())).as_object().unwrap().len();
    let m = &r.output(&Output::Live(Box::new(none)), now(1000))[0];
    assert_eq!(m.delivery, Delivery::Live);
    assert!(!m.publication.retain && m.publication.qos == 0);
    let v: Value = serde_json::from_slice(&m.publication.payload).unwrap();
    assert_eq!(v.as_object().unwrap().len(), keys);
    assert!(v.as_object().unwrap().values().all(Value::is_null), "{v}");
}

#[test]
fn a_window_that_may_not_be_shown_has_no_number_and_says_what_it_rests_on() {
    let mut r = renderer();
    let mut live = live();
    let beats = live.beats.as_mut().unwrap();
    beats.last_60.artifact_pct = Some(12.3);
    beats.last_60.time = beats.last_60.time.refused(Why::Artifacts);
    beats.dfa = LiveDfa { alpha1: Err(Why::Artifacts), n: 100, artifact_pct: Some(12.0) };
    let m = &r.output(&Output::Live(Box::new(live)), now(1000))[0];
    let v: Value = serde_json::from_slice(&m.publication.payload).unwrap();
    assert!(["rmssd", "ln_rmssd", "mean_hr", "dfa_a1", "dfa_a1_artifact_pct"].iter().all(|k| v[k].is_null()), "{v}");
    assert_eq!((&v["artifact_pct"], &v["pairs"], &v["rmssd_300"]), (&json!(12.3), &json!(55), &json!(50.0)));
    assert!(m.publication.payload.len() < 600, "{} bytes every few seconds", m.publication.payload.len());
}

#[test]
fn a_retained_check_holds_no_live_value() {
    let mut r = renderer();
    let m = &r.output(&Output::Check(check(Phase::Recording, true)), now(1000))[0];
    assert_eq!(m.delivery, Delivery::Retained);
    let v: Value = serde_json::from_slice(&m.publication.payload).unwrap();
    assert!(v["hr"].is_null() && v["clean_pct"].is_null());
    assert_eq!(v["phase"], "recording");
}

#[test]
fn a_check_starts_once() {
    let mut r = renderer();
    let mut events = 0;
    for phase in [Phase::WaitingForStrap, Phase::Settling, Phase::Recording] {
        let out = r.output(&Output::Check(check(phase, true)), now(1000));
        events += out.iter().filter(|m| m.publication.topic.ends_with("/event/check")).count();
    }
    assert_eq!(events, 1);
}

#[test]
fn counters_are_rare_and_changes_are_not() {
    let mut r = renderer();
    let said = |r: &mut Renderer, s: StrapStatus, at: u64| !r.output(&Output::Strap(s), now(at)).is_empty();
    assert!(said(&mut r, status(), 1000));
    for s in 1..60 {
        let counted = StrapStatus { packets: 60 + s, last_packet: Some(Mono::from_secs(1000 + s)), ..status() };
        assert!(!said(&mut r, counted, 1000 + s), "{s}");
    }
    assert!(said(&mut r, StrapStatus { contact: Some(false), ..status() }, 1060));
    assert!(said(&mut r, StrapStatus { contact: Some(false), online: false, ..status() }, 1060));
    assert!(said(&mut r, StrapStatus { contact: Some(false), online: false, packets: 99, ..status() }, 1120));
}

#[test]
fn unknown_clock_gives_null_times() {
    let mut r = renderer();
    let dark = Now { mono: Mono::from_secs(1000), wall: None };
    let messages = r.output(&Output::Strap(status()), dark);
    let state = messages.iter().find(|m| m.publication.topic.ends_with("/state")).unwrap();
    let v: Value = serde_json::from_slice(&state.publication.payload).unwrap();
    assert!(v["link_since"].is_null() && v["last_packet"].is_null());
    let undated = CheckResult { wall: None, local_date: None, ..result() };
    let messages = r.output(&Output::Result(Box::new(undated)), dark);
    let v: Value = serde_json::from_slice(&messages[0].publication.payload).unwrap();
    assert!(v["at"].is_null() && v["date"].is_null());
}

#[test]
fn who_leaves_is_removed_from_the_broker() {
    let mut r = renderer();
    let out = r.roster(&Roster::default());
    let mut gone: Vec<_> = out.iter().filter(|m| m.publication.payload.is_empty()).collect();
    gone.sort_by_key(|m| m.publication.topic.clone());
    let topics: Vec<_> = gone.iter().map(|m| m.publication.topic.as_str()).collect();
    assert_eq!(
        topics,
        [
            "homeassistant/device/hrvd_a1b2c3_athlete_alex/config",
            "homeassistant/device/hrvd_a1b2c3_strap_a09e1a9f6e53/config",
            "hrvd/a1b2c3/athlete/alex/check",
            "hrvd/a1b2c3/athlete/alex/inputs",
            "hrvd/a1b2c3/athlete/alex/morning",
            "hrvd/a1b2c3/athlete/alex/readiness",
            "hrvd/a1b2c3/athlete/alex/settings",
            "hrvd/a1b2c3/strap/a09e1a9f6e53/availability",
            "hrvd/a1b2c3/strap/a09e1a9f6e53/state",
        ]
    );
    assert!(gone.iter().all(|m| m.delivery == Delivery::Retained && m.publication.retain));
    // What comes late about somebody who left is not said.
    assert!(r.output(&Output::Strap(status()), now(1000)).is_empty());
}

/// `docs/mqtt.md` lists every topic with its retain flag and QoS.
#[test]
fn the_documentation_lists_every_topic() {
    let doc = include_str!("../docs/mqtt.md");
    let mut documented = BTreeSet::new();
    for line in doc.lines().filter(|l| l.starts_with("| `<")) {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let topic = cells.next().unwrap().trim_matches('`').to_owned();
        let (retain, qos) = (cells.next().unwrap().to_owned(), cells.next().unwrap().to_owned());
        documented.insert((topic, retain, qos));
    }
    let code: BTreeSet<_> = TOPICS
        .iter()
        .map(|(topic, usage)| {
            let (retain, qos) = match usage {
                Use::State => ("yes", "1"),
                Use::Live => ("no", "0"),
                Use::StateAndProgress => ("phase: yes; progress: no", "phase: 1; progress: 0"),
                Use::Event => ("no", "1"),
                Use::Command => ("never", "1 (we subscribe)"),
                Use::Birth => ("-", "1 (we subscribe)"),
            };
            ((*topic).to_owned(), retain.to_owned(), qos.to_owned())
        })
        .collect();
    assert_eq!(documented, code);
}

/// Every topic that the code builds is one of the listed templates.
#[test]
fn the_list_covers_what_the_code_builds() {
    let t = topics();
    let (a, s) = (alex(), strap_id());
    let built = [
        t.status(),
        t.bridge(),
        t.strap_availability(s),
        t.strap_state(s),
        t.release_set(s),
        t.live(&a),
        t.check(&a),
        t.morning(&a),
        t.check_event(&a),
        t.check_set(&a),
        t.readiness(&a),
        t.readiness_event(&a),
        t.inputs(&a),
        t.input_set(&a, "feel"),
        t.personal_settings(&a),
        t.setting_set(Some(&a), "max_hr"),
        t.gateway_settings(),
        t.setting_set(None, "log_level"),
        t.gateway_discovery(),
        t.strap_discovery(s),
        t.athlete_discovery(&a),
        t.ha_status().to_owned(),
    ];
    let built: BTreeSet<_> = built
        .iter()
        .map(|t| {
            let t = t.replace("homeassistant/status", "<ha_status>").replace("homeassistant", "<discovery>");
            let t = t.replace("hrvd/a1b2c3", "<base>/<gateway>");
            let t = t.replace("/a09e1a9f6e53", "/<strap>").replace("/alex", "/<athlete>");
            let t = t
                .replace("/input/feel/", "/input/<input>/")
                .replace("/max_hr/", "/<setting>/")
                .replace("/log_level/", "/<setting>/");
            match t.strip_prefix("<discovery>/device/").and_then(|t| t.strip_suffix("/config")) {
                Some(_) => "<discovery>/device/<object>/config".to_owned(),
                None => t,
            }
        })
        .collect();
    let listed: BTreeSet<_> = TOPICS.iter().map(|(t, _)| (*t).to_owned()).collect();
    assert_eq!(built, listed);
}
