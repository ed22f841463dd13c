//! Entries and versions as the store keeps them.

use super::book::Version;
use super::input::{Item, Wellness, What};
use super::{Day, Feel, Verdict};
use crate::load::{Session, SessionKind};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use std::str::FromStr;

/// What was said, without its kind.
pub fn value(what: &What) -> Value {
    match what {
        What::Wellness(w) => {
            json!({"sleep": w.sleep, "stress": w.stress, "fatigue": w.fatigue, "soreness": w.soreness})
        }
        What::Item(_, x) | What::Motivation(x) => json!(x),
        What::Feel(f) => json!(f.as_str()),
        What::Illness(b) | What::WasRight(b) => json!(b),
        What::Pain(p) => p.map_or(Value::Null, |(side, course)| json!({"side": side, "course": course})),
        What::Caffeine(c) => json!(c.as_str()),
        What::Sleep { hours, quality } => json!({"hours": hours, "quality": quality}),
        What::Session(s) => json!({
            "id": s.id, "end": s.end.to_string(), "minutes": s.minutes, "kind": s.kind, "rpe": s.rpe, "load": s.given,
            "trimp": s.trimp, "zones": s.zones, "tags": s.tags,
        }),
        What::Tag(name, on) => json!({"name": name, "on": on}),
        What::Plan(kind) => json!(kind),
        What::Quiet(q) => json!(q.as_str()),
        What::Recalibrate => json!(true),
    }
}

/// The inverse of [`value`]; says what cannot be read.
pub fn what(kind: &str, date: Date, v: &Value) -> Result<What, String> {
    let bad = || format!("{kind} {v} cannot be read");
    if let Some(item) = Item::ALL.iter().find(|i| i.as_str() == kind) {
        return Ok(What::Item(*item, small(v).ok_or_else(bad)?));
    }
    let found = match kind {
        "wellness" => (|| {
            let x = |k: &str| small(&v[k]);
            let (sleep, stress, fatigue, soreness) = (x("sleep")?, x("stress")?, x("fatigue")?, x("soreness")?);
            Some(What::Wellness(Wellness { sleep, stress, fatigue, soreness }))
        })(),
        "feel" => word(v).map(What::Feel),
        "illness" => v.as_bool().map(What::Illness),
        "was_right" => v.as_bool().map(What::WasRight),
        "pain" if v.is_null() => Some(What::Pain(None)),
        "pain" => word(&v["side"]).zip(word(&v["course"])).map(|p| What::Pain(Some(p))),
        "motivation" => small(v).map(What::Motivation),
        "caffeine" => word(v).map(What::Caffeine),
        "sleep" => Some(What::Sleep { hours: v["hours"].as_f64(), quality: small(&v["quality"]) }),
        "session" => session(date, v).map(What::Session),
        "tag" => v["name"].as_str().zip(v["on"].as_bool()).map(|(name, on)| What::Tag(name.to_owned(), on)),
        "plan" if v.is_null() => Some(What::Plan(None)),
        "plan" => word(v).map(|kind| What::Plan(Some(kind))),
        "quiet" => word(v).map(What::Quiet),
        "recalibrate" => Some(What::Recalibrate),
        _ => None,
    };
    found.ok_or_else(bad)
}

fn small(v: &Value) -> Option<u8> {
    u8::try_from(v.as_u64()?).ok()
}

fn word<T: FromStr>(v: &Value) -> Option<T> {
    v.as_str()?.parse().ok()
}

fn session(date: Date, v: &Value) -> Option<Session> {
    let mut s = Session::new(v["id"].as_str()?, v["end"].as_str()?.parse::<Timestamp>().ok()?, date);
    (s.minutes, s.rpe, s.given, s.trimp) =
        (v["minutes"].as_f64(), v["rpe"].as_f64(), v["load"].as_f64(), v["trimp"].as_f64());
    s.kind = word::<SessionKind>(&v["kind"]);
    s.zones = serde_json::from_value(v["zones"].clone()).ok();
    s.tags = serde_json::from_value(v["tags"].clone()).unwrap_or_default();
    Some(s)
}

/// A version as four texts: feel, what changed, all inputs, the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// The button's word.
    pub feel: Option<String>,
    /// Names of inputs, as a JSON list.
    pub changed: String,
    /// All inputs: a day as `hrvd readiness` takes it.
    pub day: String,
    /// The verdict.
    pub verdict: String,
}

/// A version for the store. Numbers come back as they were, to the last bit.
pub fn freeze(v: &Version) -> Result<Frozen, serde_json::Error> {
    Ok(Frozen {
        feel: v.feel.map(|f| f.as_str().to_owned()),
        changed: serde_json::to_string(&v.changed)?,
        day: serde_json::to_string(&v.day)?,
        verdict: serde_json::to_string(&v.verdict)?,
    })
}

/// The inverse of [`freeze`].
pub fn thaw(number: u32, at: Timestamp, f: &Frozen) -> Result<Version, String> {
    let text = |e: serde_json::Error| e.to_string();
    Ok(Version {
        number,
        at,
        feel: f.feel.as_deref().map(Feel::from_str).transpose()?,
        changed: serde_json::from_str(&f.changed).map_err(text)?,
        day: serde_json::from_str::<Day>(&f.day).map_err(text)?,
        verdict: serde_json::from_str::<Verdict>(&f.verdict).map_err(text)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::PlanKind;
    use crate::readiness::{Book, Caffeine, Entry, PainCourse, Quiet, Side, Source, V2};
    use jiff::civil::date;

    const DAY: Date = date(2026, 3, 2);

    #[test]
    fn every_word_comes_back() {
        let mut run = Session::new("run-1", "2026-03-02T17:30:00.123456Z".parse().unwrap(), DAY);
        (run.minutes, run.rpe, run.given, run.trimp) = (Some(52.5), Some(6.0), Some(0.1 + 0.2), Some(70.0));
        (run.zones, run.kind, run.tags) =
            (Some([1.0, 2.0, 3.5, 0.0, 0.25]), Some(SessionKind::Quality), vec!["heat".into()]);
        let w = Wellness { sleep: 1, stress: 2, fatigue: 3, soreness: 7 };
        for said in [
            What::Wellness(w),
            What::Item(Item::Fatigue, 4),
            What::Feel(Feel::Ok),
            What::Illness(true),
            What::Pain(None),
            What::Pain(Some((Side::Left, PainCourse::Stays))),
            What::Motivation(5),
            What::Caffeine(Caffeine::More),
            What::Sleep { hours: Some(7.25), quality: None },
            What::Sleep { hours: None, quality: Some(4) },
            What::Session(run),
            What::Session(Session::new("bare", Timestamp::UNIX_EPOCH, DAY)),
            What::Tag("alcohol".into(), false),
            What::WasRight(false),
            What::Plan(None),
            What::Plan(Some(PlanKind::Race)),
            What::Quiet(Quiet::Words),
            What::Recalibrate,
        ] {
            let text = value(&said).to_string();
            assert_eq!(what(said.kind(), DAY, &serde_json::from_str(&text).unwrap()), Ok(said), "{text}");
        }
        assert!(what("feel", DAY, &json!("fine")).is_err() && what("mood", DAY, &json!(1)).is_err());
    }

    #[test]
    fn a_version_comes_back_to_the_last_bit() {
        let mut b = Book::default();
        let at: Timestamp = "2026-03-02T06:00:00Z".parse().unwrap();
        for (i, what) in [
            What::Sleep { hours: Some(4.9), quality: None },
            What::Feel(Feel::Bad),
            What::Pain(Some((Side::Left, PainCourse::Stays))),
        ]
        .into_iter()
        .enumerate()
        {
            let at = at.checked_add(jiff::SignedDuration::from_secs(i as i64)).unwrap();
            b.put(Entry { date: DAY, at, source: Source::Cli, what });
        }
        for i in 0..40 {
            let mut s = Session::new(format!("s{i}"), at, crate::load::plus_days(DAY, -1 - i));
            s.given = Some(100.0 / 3.0 + i as f64 / 7.0);
            b.put(Entry { date: s.date, at, source: Source::Cli, what: What::Session(s) });
        }
        let v = b.freeze(DAY, at, &V2).unwrap().clone();
        assert!(!v.verdict.flags.is_empty() && v.day.load.len() == 40);
        assert_eq!(thaw(v.number, v.at, &freeze(&v).unwrap()), Ok(v));
    }
}
