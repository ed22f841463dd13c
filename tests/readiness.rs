//! The worked days, exactly.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use hrvd::readiness::words::Language;
use hrvd::readiness::{Model, V1, V2, assess, json};
use serde_json::Value;
use std::path::Path;

fn worked(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Everything that is expected is there: words and levels exactly, numbers within 1e-6.
fn same(want: &Value, got: &Value, place: &str) {
    match (want, got) {
        (Value::Number(w), Value::Number(g)) => {
            let (w, g) = (w.as_f64().unwrap(), g.as_f64().unwrap());
            assert!((w - g).abs() <= 1e-6, "{place}: {g} instead of {w}");
        }
        (Value::Array(w), Value::Array(g)) => {
            assert_eq!(w.len(), g.len(), "{place}: {got} instead of {want}");
            for (i, (w, g)) in w.iter().zip(g).enumerate() {
                same(w, g, &format!("{place}[{i}]"));
            }
        }
        (Value::Object(w), Value::Object(g)) => {
            for (k, w) in w {
                same(w, g.get(k).unwrap_or_else(|| panic!("{place}.{k} is missing")), &format!("{place}.{k}"));
            }
        }
        _ => assert_eq!(want, got, "{place}"),
    }
}

fn holds(name: &str, model: &Model) {
    let all = worked(name);
    let vectors = all["vectors"].as_object().unwrap();
    assert!(vectors.len() >= 19, "{} worked days", vectors.len());
    for (name, v) in vectors {
        let day = json::day(&v["input"]).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let got = json::verdict(&assess(&day, model), model, Language::En);
        same(&v["expected"], &got, name);
        let points: u64 = got["points"].as_object().unwrap().values().map(|p| p.as_u64().unwrap()).sum();
        assert_eq!(got["total"], points, "{name}");
        if v["expected"].get("mean7").is_none() {
            assert!(got["mean7"].is_null(), "{name}");
        }
    }
}

#[test]
fn version_1_gives_the_worked_days() {
    holds("readiness_v1.json", &V1);
}

#[test]
fn version_2_gives_its_own() {
    holds("readiness_v2.json", &V2);
}
