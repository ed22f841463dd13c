//! Readiness as JSON: what-if days in, verdicts out, with the field names of the worked days.
//!
//! Keys are always present; what is not known is `null`.

use super::counterfactual::{Counterfactual, counterfactuals};
use super::day::{Day, PainCourse};
use super::flag::{Flag, Group};
use super::model::{MODELS, Model};
use super::refusal::Refusal;
use super::verdict::{Verdict, assess};
use super::words::{self, Language};
use serde_json::{Map, Value, json};

/// Fields of a day.
const FIELDS: [&str; 10] =
    ["ln_rmssd", "rhr", "sleep_h", "hooper", "hooper_items", "load", "hours_since_hard", "sick", "pain", "pain_days"];

/// A verdict. `text` of each flag and `notes` have the form of the worked days when the language is English.
pub fn verdict(v: &Verdict, model: &Model, language: Language) -> Value {
    let points: Map<String, Value> = Group::ALL
        .iter()
        .zip(v.points)
        .filter(|(g, _)| v.flags.iter().any(|f| f.id.group() == **g))
        .map(|(g, p)| (g.as_str().to_owned(), json!(p)))
        .collect();
    json!({
        "algo_version": v.algo_version,
        "level": v.level.as_str(),
        "level_words": words::level(v.level, language),
        "hard": v.hard.as_str(),
        "hard_words": words::hard(v.hard, language),
        "score": v.score,
        "confidence": v.confidence.as_str(),
        "known": v.known.iter().map(|g| g.as_str()).collect::<Vec<_>>(),
        "baseline": v.baseline.as_str(),
        "n_base": v.n_base,
        "n_week": v.n_week,
        "no_spread": v.no_spread,
        "base_mean": v.range.map(|r| r.mean),
        "base_sd": v.range.map(|r| r.sd),
        "range_lo": v.range.map(|r| r.lo),
        "range_hi": v.range.map(|r| r.hi),
        "mean7": v.mean7,
        "z_today": v.z_today,
        "cv7": v.cv7,
        "cv_base": v.cv_base,
        "rhr_z": v.rhr_z,
        "rhr_delta": v.rhr_delta,
        "hooper_z": v.hooper_z,
        "load7": v.load7,
        "monotony": v.monotony,
        "strain": v.strain,
        "chronic_week": v.chronic_week,
        "load_ratio": v.load_ratio,
        "weeks_since_cutback": v.weeks_since_cutback,
        "agreement": v.agreement,
        "flags": v.flags.iter().map(|f| flag(f, model, language)).collect::<Vec<_>>(),
        "points": points,
        "total": v.total,
        "notes": v.notes.iter().map(|n| words::pattern(*n, language)).collect::<Vec<_>>(),
    })
}

/// One flag.
pub fn flag(f: &Flag, model: &Model, language: Language) -> Value {
    let (number, low, high) = f.natural();
    json!({
        "id": f.id.as_str(),
        "group": f.id.group().as_str(),
        "weight": f.weight,
        "text": words::brief(f, model, language),
        "number": number,
        "unit": f.unit(),
        "usual_low": low,
        "usual_high": high,
        "rule": words::say(f, model, language),
        "why": words::why(f.id, language),
        "since_days": f.since_days,
        "clears": words::clears(f, model, language),
    })
}

/// A day from JSON; every refusal at once.
pub fn day(value: &Value) -> Result<Day, Vec<Refusal>> {
    let Some(o) = value.as_object() else {
        return Err(vec![Refusal::new(
            "day",
            format!("{} is no object", kind(value)),
            "give {\"ln_rmssd\": [...], ...}",
        )]);
    };
    let mut bad = Vec::new();
    for key in o.keys().filter(|k| !FIELDS.contains(&k.as_str())) {
        bad.push(Refusal::new(key.as_str(), "no such field", format!("fields are {}", FIELDS.join(", "))));
    }
    let hooper_items = series(o, "hooper_items", &mut bad).into_iter().flatten().collect();
    let pain = match o.get("pain") {
        None | Some(Value::Null) => None,
        Some(v) => match v.as_str().unwrap_or_default().parse::<PainCourse>() {
            Ok(p) => Some(p),
            Err(_) => {
                bad.push(Refusal::new("pain", format!("{v} is no course"), "give \"warms_up\", \"stays\" or null"));
                None
            }
        },
    };
    let load = series(o, "load", &mut bad);
    if let Some(i) = load.iter().position(Option::is_none) {
        bad.push(Refusal::new(format!("load[{i}]"), "null", "a day without a session has a load of 0"));
    }
    let sick = match o.get("sick") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(b)) => *b,
        Some(v) => {
            bad.push(Refusal::new("sick", format!("{} is neither true nor false", kind(v)), "give true or false"));
            false
        }
    };
    let day = Day {
        ln_rmssd: series(o, "ln_rmssd", &mut bad),
        rhr: series(o, "rhr", &mut bad),
        sleep_h: series(o, "sleep_h", &mut bad),
        hooper: series(o, "hooper", &mut bad),
        hooper_items,
        load: load.into_iter().flatten().collect(),
        hours_since_hard: number(o, "hours_since_hard", &mut bad),
        sick,
        pain,
        pain_days: number(o, "pain_days", &mut bad).map_or(u32::from(pain.is_some()), |n| n.clamp(0.0, 3650.0) as u32),
    };
    if let Err(more) = day.check() {
        bad.extend(more);
    }
    if bad.is_empty() { Ok(day) } else { Err(bad) }
}

fn series(o: &Map<String, Value>, key: &str, bad: &mut Vec<Refusal>) -> Vec<Option<f64>> {
    match o.get(key) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => {
            let one = |(i, v): (usize, &Value)| match v {
                Value::Null => None,
                v => v.as_f64().or_else(|| {
                    let hint = "a series holds numbers, and null for a day without one";
                    bad.push(Refusal::new(format!("{key}[{i}]"), format!("{} is no number", kind(v)), hint));
                    None
                }),
            };
            items.iter().enumerate().map(one).collect()
        }
        Some(v) => {
            let hint = "give a list, one entry a day, the last one being today (load: yesterday)";
            bad.push(Refusal::new(key, format!("{} is no list", kind(v)), hint));
            Vec::new()
        }
    }
}

fn number(o: &Map<String, Value>, key: &str, bad: &mut Vec<Refusal>) -> Option<f64> {
    match o.get(key) {
        None | Some(Value::Null) => None,
        Some(v) => v.as_f64().or_else(|| {
            bad.push(Refusal::new(
                key,
                format!("{} is no number", kind(v)),
                "give a number, or null if it is not known",
            ));
            None
        }),
    }
}

fn kind(v: &Value) -> String {
    match v {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => format!("\"{}\"", s.chars().take(40).collect::<String>()),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// The days of a what-if file, with their names: one day, `{"input": day}`, a list of either, or the form of the worked
/// days, `{"vectors": {"name": {"input": day, ...}, ...}}`. Every refusal at once.
pub fn days(value: &Value) -> Result<Vec<(Option<String>, Day)>, Vec<Refusal>> {
    let (mut out, mut bad) = (Vec::new(), Vec::new());
    let mut take = |place: &str, name: Option<String>, v: &Value| match day(v.get("input").unwrap_or(v)) {
        Ok(d) => out.push((name, d)),
        Err(refusals) if place.is_empty() => bad.extend(refusals),
        Err(refusals) => {
            bad.extend(refusals.into_iter().map(|r| Refusal { place: format!("{place}.{}", r.place), ..r }))
        }
    };
    match (value, value.get("vectors")) {
        (_, Some(Value::Object(all))) => all.iter().for_each(|(name, v)| take(name, Some(name.clone()), v)),
        (Value::Array(all), _) => all.iter().enumerate().for_each(|(i, v)| take(&format!("[{i}]"), None, v)),
        _ => take("", None, value),
    }
    if bad.is_empty() { Ok(out) } else { Err(bad) }
}

/// The verdict of a day with what would change it, and what the other versions of the model say.
pub fn what_if(day: &Day, model: &Model, language: Language) -> Value {
    let v = assess(day, model);
    let mut out = verdict(&v, model, language);
    out["counterfactuals"] =
        counterfactuals(day, model, &v).iter().map(|c| counterfactual(c, language)).collect::<Vec<_>>().into();
    out["other_versions"] = MODELS
        .iter()
        .filter(|m| m.version != model.version)
        .map(|m| {
            let other = assess(day, m);
            json!({"algo_version": m.version, "level": other.level.as_str(), "hard": other.hard.as_str()})
        })
        .collect::<Vec<_>>()
        .into();
    out
}

/// One change that would move the level.
pub fn counterfactual(c: &Counterfactual, language: Language) -> Value {
    json!({
        "lever": c.lever.as_str(),
        "level": c.level.as_str(),
        "at": c.at,
        "direction": if c.up { "or_more" } else { "or_less" },
        "stricter": c.stricter,
        "text": c.say(language),
    })
}
