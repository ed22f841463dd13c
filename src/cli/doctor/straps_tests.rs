use super::*;
use serde_json::json;

fn status(v: Value) -> Finding {
    let mut all = json!({
        "name": "H10", "link": "connected", "link_age_s": 90.0, "battery_pct": 80, "cause": "none", "advice": null,
        "calm": true, "last_seen_age_s": 0, "signal_dbm": -62, "signal_trend": null, "battery_days": null,
        "released_s": null,
    });
    if let (Some(all), Some(v)) = (all.as_object_mut(), v.as_object()) {
        all.extend(v.clone());
    }
    strap(&all)
}

#[test]
fn a_strap_is_told_in_one_line() {
    let f = status(json!({}));
    assert_eq!(f.text, "H10: connected for 90 s, battery 80 %, signal -62 dBm when last advertising");
    assert_eq!((f.verdict, f.hint), (Verdict::Ok, None));
    let f = status(json!({"battery_days": 40, "signal_trend": "falling"}));
    assert!(f.text.ends_with("battery 80 % (about 40 days left), signal -62 dBm when last advertising, falling"));
}

#[test]
fn everyday_states_are_no_warnings_and_troubles_are() {
    let f = status(json!({
        "link": "not_seen", "cause": "asleep", "advice": "taken off", "calm": true, "last_seen_age_s": 7300,
        "link_age_s": 7250.0,
    }));
    assert!(f.text.starts_with("H10: not seen for 2 h (asleep), last seen 2 h ago"), "{}", f.text);
    assert_eq!((f.verdict, f.hint.as_deref()), (Verdict::Ok, Some("taken off")));
    let f = status(json!({"link": "refuses", "cause": "refuses", "advice": "free it", "calm": false}));
    assert_eq!((f.verdict, f.hint.as_deref()), (Verdict::Warn, Some("free it")));
    let f = status(json!({"link": "unknown", "last_seen_age_s": null}));
    assert!(f.text.contains("not seen since hrvd started") && f.verdict == Verdict::Warn, "{}", f.text);
    let f = status(json!({"link": "released", "cause": "released", "advice": "let go", "released_s": 3541}));
    assert!(f.text.contains("for 60 min more") && f.verdict == Verdict::Ok, "{}", f.text);
}

#[test]
fn a_link_tells_what_it_needed() {
    let counts = json!({"connects": 4, "drops": 2, "resubscribes": 1, "silent_reconnects": 0, "adopted": 1});
    let f = status(json!({"recovery": "resubscribing", "link_counts": counts}));
    assert!(f.text.ends_with("; now resubscribing, drops 2, subscribed again 1, links taken over 1"), "{}", f.text);
    let f = status(json!({"recovery": "none", "link_counts": {"connects": 1, "drops": 0}}));
    assert!(!f.text.contains(';'), "{}", f.text);
}

#[test]
fn a_signal_is_told_with_all_that_is_wrong_with_it() {
    let finding = |id: crate::verdict::FindingId, current: bool| json!({"id": id.as_str(), "current": current, "first_age_s": 9000.0, "last_age_s": 7300.0, "text": id.sentence()});
    use crate::verdict::FindingId::*;
    let of = |findings: Vec<Value>| {
        let all = json!({
            "name": "H10", "packets": 900, "worn": "worn", "units": "milliseconds", "smoothing": "none",
            "coverage": 0.998, "findings": findings,
        });
        signal(&all).into_iter().map(|f| (f.verdict, f.text, f.hint)).collect::<Vec<_>>()
    };
    let [(Verdict::Ok, text, None)] = &of(vec![])[..] else { panic!() };
    assert_eq!(text, "H10: worn, intervals in ms, converted, beat by beat, covering 100 % of the time");
    let said = of(vec![finding(RrInMilliseconds, true), finding(RrDropouts, true), finding(Noisy, false)]);
    assert_eq!(said.iter().map(|f| f.0).collect::<Vec<_>>(), [Verdict::Ok, Verdict::Ok, Verdict::Warn, Verdict::Ok]);
    assert_eq!(said[2].2.as_deref(), Some("Moisten the electrodes."));
    assert!(said[3].1.ends_with("(last seen 2 h ago)") && said[3].1.contains("earlier"), "{}", said[3].1);
    assert!(signal(&json!({"name": "H10", "packets": 0, "findings": []})).is_empty());
}

#[test]
fn levels_of_recovery_are_told_and_the_upper_ones_are_news() {
    let of = |drops: u64, managers: u64| {
        recovery(&json!({"recovery": {
            "connects": 12, "drops": drops, "silent_reconnects": 1, "scans": 40, "adapter_lookups": 1,
            "managers": managers, "gave_up": 0,
        }}))
    };
    assert_eq!(of(2, 0).map(|f| f.verdict), Some(Verdict::Ok));
    assert_eq!(of(11, 0).map(|f| f.verdict), Some(Verdict::Warn));
    assert_eq!(of(0, 1).map(|f| f.verdict), Some(Verdict::Warn));
    assert!(recovery(&json!({})).is_none(), "an older daemon");
}
