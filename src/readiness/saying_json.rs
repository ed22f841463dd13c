//! What people and programs send, as text: one reader for MQTT, the control socket and the command line. Every refusal
//! names what is wrong and what would be right.

use super::input::{Caffeine, Item, Quiet, Wellness, What};
use super::refusal::Refusal;
use super::saying::{Saying, SessionWords};
use super::{Feel, PainCourse, Side};
use crate::load::PlanKind;
use jiff::civil::{Date, Time};
use serde_json::{Map, Value};
use std::fmt::Display;
use std::str::FromStr;

/// What can be said, as the last level but one of a command topic.
pub const WHATS: [&str; 21] = [
    "wellness",
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
    "sleep",
    "sleep_hours",
    "sleep_quality",
    "session",
    "session_rpe",
    "session_minutes",
    "session_kind",
    "session_log",
    "tag",
    "plan",
];
/// What can be said beside inputs of a day.
pub const MORE_WHATS: [&str; 3] = ["quiet", "was_right", "recalibrate"];

type Bad = Vec<Refusal>;

/// Reads one saying and the day it is about, if that is given. `payload` is a bare value, or an object with `date` and
/// `value`, or the object that `wellness`, `pain`, `sleep`, `session`, `tag` and `plan` have.
pub fn saying(what: &str, payload: &str) -> Result<(Option<Date>, Saying), Bad> {
    if !WHATS.contains(&what) && !MORE_WHATS.contains(&what) {
        let known: Vec<&str> = WHATS.into_iter().chain(MORE_WHATS).collect();
        return Err(vec![Refusal::new(what, "no such input", format!("inputs are {}", known.join(", ")))]);
    }
    let payload = payload.trim();
    let mut fields = if payload.starts_with('{') {
        match serde_json::from_str(payload) {
            Ok(Value::Object(o)) => Fields::new(o),
            Ok(_) | Err(_) => return Err(vec![Refusal::new(what, "no JSON object", "such as {\"value\": 3}")]),
        }
    } else {
        let bare = match payload.parse::<f64>() {
            Ok(n) if n.is_finite() => Value::from(n),
            _ => Value::from(payload),
        };
        Fields::new([("value".to_owned(), bare)].into_iter().collect())
    };
    let date = fields.parsed::<Date>("date", "a date, such as 2026-03-02");
    let said = read(what, &mut fields);
    fields.end();
    match (said, fields.bad.is_empty()) {
        (Some(said), true) => Ok((date, said)),
        (_, false) => Err(fields.bad),
        (None, true) => Err(vec![Refusal::new(what, "nothing is said", "give a value")]),
    }
}

fn read(what: &str, f: &mut Fields) -> Option<Saying> {
    let item = Item::ALL.iter().find(|i| i.as_str() == what);
    Some(match what {
        _ if item.is_some() => Saying::Word(What::Item(*item?, f.whole("value", "a whole number from 1 to 7")?)),
        "wellness" => {
            let [sleep, stress, fatigue, soreness] = ["sleep", "stress", "fatigue", "soreness"]
                .map(|k| f.needed(k, |f, k| f.whole(k, "a whole number from 1 to 7")));
            Saying::Word(What::Wellness(Wellness {
                sleep: sleep?,
                stress: stress?,
                fatigue: fatigue?,
                soreness: soreness?,
            }))
        }
        "feel" => {
            // Home Assistant's word for the middle button
            let word = f.text("value").map(|t| if t == "normal" { "ok".to_owned() } else { t });
            Saying::Word(What::Feel(f.word::<Feel>("value", word)?))
        }
        "illness" => Saying::Word(What::Illness(f.truth("value")?)),
        "pain" => pain(f)?,
        "pain_side" => {
            let word = f.text("value");
            Saying::Pain { course: None, side: Some(f.word::<Side>("value", word)?) }
        }
        "motivation" => Saying::Word(What::Motivation(f.whole("value", "a whole number from 1 to 5")?)),
        "caffeine" => {
            let word = f.text("value");
            Saying::Word(What::Caffeine(f.word::<Caffeine>("value", word)?))
        }
        "sleep" => Saying::Word(What::Sleep {
            hours: f.number("hours", "hours slept, such as 7.5").or(f.number("value", "hours slept, such as 7.5")),
            quality: f.whole("quality", "a whole number from 1 to 5"),
        }),
        "sleep_hours" => {
            Saying::Word(What::Sleep { hours: Some(f.number("value", "hours slept, such as 7.5")?), quality: None })
        }
        "sleep_quality" => {
            Saying::Word(What::Sleep { hours: None, quality: Some(f.whole("value", "a whole number from 1 to 5")?) })
        }
        "session" => Saying::Session(session(f)?),
        "session_rpe" => {
            Saying::DraftRpe(f.or_none("value", |f| f.number("value", "perceived exertion from 0 to 10"))?)
        }
        "session_minutes" => Saying::DraftMinutes(f.or_none("value", |f| f.number("value", "length in minutes"))?),
        "session_kind" => {
            let word = f.text("value");
            Saying::DraftKind(f.or_none("value", |f| f.word("value", word))?)
        }
        "session_log" => {
            f.take("value");
            Saying::LogDraft
        }
        "tag" => {
            let name = f.text("name").or_else(|| f.text("value"))?;
            let on = if f.has("on") { f.truth("on")? } else { true };
            match name.strip_prefix('-') {
                Some(name) => Saying::Word(What::Tag(name.to_owned(), false)),
                None => Saying::Word(What::Tag(name, on)),
            }
        }
        "plan" => {
            if let Some(kind) = f.take("kind") {
                f.put("value", kind);
            }
            let word = f.text("value");
            Saying::Word(What::Plan(f.or_none("value", |f| f.word::<PlanKind>("value", word))?))
        }
        "quiet" => {
            let word = f.text("value");
            Saying::Word(What::Quiet(f.word::<Quiet>("value", word)?))
        }
        "was_right" => Saying::Word(What::WasRight(f.truth("value")?)),
        _ => {
            f.take("value");
            Saying::Word(What::Recalibrate)
        }
    })
}

fn pain(f: &mut Fields) -> Option<Saying> {
    if let Some(course) = f.take("course") {
        f.put("value", course);
    }
    let side = f.text("side");
    let side = match side {
        None => None,
        Some(side) => Some(f.word::<Side>("side", Some(side))?),
    };
    if !f.has("value") && side.is_some() {
        return Some(Saying::Pain { course: None, side });
    }
    let word = f.text("value");
    let course = f.or_none("value", |f| f.word::<PainCourse>("value", word))?;
    Some(Saying::Pain { course: Some(course), side })
}

fn session(f: &mut Fields) -> Option<SessionWords> {
    let kind = f.text("kind");
    let kind = match kind {
        None => None,
        Some(kind) => Some(f.word("kind", Some(kind))?),
    };
    let tags = match f.take("tags") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(all)) if all.iter().all(Value::is_string) => {
            all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(_) => return f.refuse("tags", "no list of words", "such as [\"heat\", \"treadmill\"]"),
    };
    Some(SessionWords {
        id: f.text("id"),
        end: f.parsed::<Time>("end", "a time of the day, such as 18:30"),
        minutes: f.number("minutes", "length in minutes"),
        rpe: f.number("rpe", "perceived exertion from 0 to 10"),
        load: f.number("load", "a load"),
        kind,
        tags,
    })
}

/// Fields of an object, taken one by one; what is left at the end nobody knows.
struct Fields {
    o: Map<String, Value>,
    known: Vec<&'static str>,
    bad: Bad,
}

impl Fields {
    fn new(o: Map<String, Value>) -> Self {
        Self { o, known: Vec::new(), bad: Vec::new() }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.o.remove(key)
    }

    fn put(&mut self, key: &str, value: Value) {
        self.o.insert(key.to_owned(), value);
    }

    fn has(&self, key: &str) -> bool {
        self.o.get(key).is_some_and(|v| !v.is_null())
    }

    fn refuse<T>(&mut self, place: &str, cause: impl Into<String>, hint: impl Into<String>) -> Option<T> {
        self.bad.push(Refusal::new(place, cause, hint));
        None
    }

    /// A field that must be there.
    fn needed<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Self, &'static str) -> Option<T>) -> Option<T> {
        if self.has(key) { read(self, key) } else { self.refuse(key, "is missing", "give all of them") }
    }

    /// `Some(None)` for "none", nothing and null.
    fn or_none<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        let none = match self.o.get(key) {
            None | Some(Value::Null) => true,
            Some(Value::String(s)) => ["", "none"].contains(&s.as_str()),
            Some(_) => false,
        };
        if none {
            self.take(key);
            Some(None)
        } else {
            read(self).map(Some)
        }
    }

    /// Text of a field, which stays for [`Fields::or_none`].
    fn text(&mut self, key: &'static str) -> Option<String> {
        self.known.push(key);
        self.o.get(key).and_then(Value::as_str).map(str::to_owned)
    }

    fn word<T: FromStr<Err: Display>>(&mut self, key: &'static str, word: Option<String>) -> Option<T> {
        let value = self.take(key);
        match word.unwrap_or_else(|| value.map_or(String::new(), |v| v.to_string())).parse() {
            Ok(word) => Some(word),
            Err(e) => self.refuse(key, format!("{e}"), "give one of these words"),
        }
    }

    fn parsed<T: FromStr>(&mut self, key: &'static str, hint: &str) -> Option<T> {
        let value = self.take(key).filter(|v| !v.is_null())?;
        match value.as_str().and_then(|s| s.parse().ok()) {
            Some(t) => Some(t),
            None => self.refuse(key, format!("{value} cannot be read"), format!("give {hint}")),
        }
    }

    fn number(&mut self, key: &'static str, hint: &str) -> Option<f64> {
        let value = self.take(key).filter(|v| !v.is_null())?;
        match value.as_f64() {
            Some(n) => Some(n),
            None => self.refuse(key, format!("{value} is no number"), format!("give {hint}")),
        }
    }

    /// A small whole number; 3.0 is one too, because sliders send that.
    fn whole(&mut self, key: &'static str, hint: &str) -> Option<u8> {
        let n = self.number(key, hint)?;
        if n.fract() == 0.0 && (0.0..=255.0).contains(&n) {
            Some(n as u8)
        } else {
            self.refuse(key, format!("{n} is no such number"), format!("give {hint}"))
        }
    }

    fn truth(&mut self, key: &'static str) -> Option<bool> {
        let value = self.take(key);
        match value.as_ref().and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
            Some("on" | "yes" | "true") => Some(true),
            Some("off" | "no" | "false" | "none") => Some(false),
            _ => match value {
                Some(Value::Bool(b)) => Some(b),
                Some(v) if v.as_f64() == Some(1.0) => Some(true),
                Some(v) if v.as_f64() == Some(0.0) => Some(false),
                _ => self.refuse(key, "neither yes nor no", "give on or off"),
            },
        }
    }

    /// Names what nobody asked for.
    fn end(&mut self) {
        let known = self.known.clone();
        let strangers: Vec<String> = self.o.keys().filter(|k| !known.contains(&k.as_str())).cloned().collect();
        if self.bad.is_empty() {
            let mut known: Vec<&str> = known;
            known.sort_unstable();
            known.dedup();
            for key in strangers {
                self.bad.push(Refusal::new(key, "no such field", format!("fields are {}", known.join(", "))));
            }
        }
    }
}

#[cfg(test)]
#[path = "saying_json_tests.rs"]
mod tests;
