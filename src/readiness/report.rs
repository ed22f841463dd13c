//! What a desk shows of a day: one JSON object for MQTT, the control socket and the command line. Every key is always
//! there, and null where nothing is to be said.

use super::book::{Book, Version};
use super::cell::Cell;
use super::counterfactual::{Counterfactual, counterfactuals};
use super::day_state::DayState;
use super::desk::Desk;
use super::flag::Flag;
use super::input::Quiet;
use super::model::Model;
use super::words::{self, Language};
use super::{calibration, json as form};
use crate::load::rules::RuleNote;
use crate::load::{Conflict, plus_days};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Everything.
    Full,
    /// Words, no number that was measured or given.
    Words,
    /// Only that nothing is shown.
    Nothing,
}

impl Detail {
    /// What quiet mode leaves.
    pub const fn of(quiet: Quiet) -> Self {
        match quiet {
            Quiet::Off => Self::Full,
            Quiet::Words => Self::Words,
            Quiet::Nothing => Self::Nothing,
        }
    }
}

/// Keys of a day's report that hold words, dates and counts of versions only.
pub const WORDS: [&str; 18] = [
    "date",
    "level",
    "level_text",
    "hard",
    "hard_text",
    "confidence",
    "confidence_text",
    "state",
    "version",
    "algo_version",
    "at",
    "reasons",
    "changed",
    "cell",
    "cell_text",
    "suggests_change",
    "baseline_stage",
    "quiet",
];

/// Keys of a day's inputs that hold words only.
pub const INPUT_WORDS: [&str; 11] =
    ["date", "feel", "illness", "pain", "pain_side", "caffeine", "plan", "quiet", "was_right", "tags", "session_kind"];

/// Keys of a day's report beyond [`WORDS`].
const NUMBERS: [&str; 22] = [
    "score",
    "flags",
    "patterns",
    "counterfactuals",
    "conflict",
    "card",
    "rules",
    "notes",
    "days_missing",
    "baseline_low",
    "baseline_high",
    "ln_rmssd",
    "ln_rmssd_7d",
    "cv",
    "rhr",
    "load_7d",
    "load_unit",
    "ctl",
    "atl",
    "tsb",
    "hours_since_hard",
    "hit_rate",
];

/// The report of a person's date. While the verdict waits for the feel, nothing that it is made from is told.
pub fn readiness(desk: &Desk, detail: Detail, language: Language) -> Value {
    let date = desk.today();
    let version = date.and_then(|d| desk.book().versions(d).last());
    let state = date.map_or(DayState::None, |d| desk.state(d));
    let version = version.filter(|_| state == DayState::Given);
    day(desk.book(), (date, state, version), desk.model(), desk.time_zone(), detail, language)
}

/// The report of a version of any day, as its event tells it.
pub fn version(desk: &Desk, date: Date, version: Option<&Version>, detail: Detail, language: Language) -> Value {
    let state = if version.is_some() { DayState::Given } else { desk.state(date) };
    day(desk.book(), (Some(date), state, version), desk.model(), desk.time_zone(), detail, language)
}

/// The report of a day.
pub fn day(
    book: &Book,
    (date, state, version): (Option<Date>, DayState, Option<&Version>),
    usual: &Model,
    zone: &TimeZone,
    detail: Detail,
    language: Language,
) -> Value {
    let mut o: Map<String, Value> = WORDS.iter().chain(&NUMBERS).map(|k| ((*k).to_owned(), Value::Null)).collect();
    let mut put = |key: &str, value: Value| drop(o.insert(key.to_owned(), value));
    let quiet = date.map_or(Quiet::Off, |d| book.quiet(d));
    let detail = detail.max(Detail::of(quiet));
    put("quiet", json!(quiet));
    let Some(date) = date.filter(|_| detail != Detail::Nothing) else { return Value::Object(o) };
    put("date", json!(date.to_string()));
    put("state", json!(state));
    let baseline = book.mornings.baseline(date, usual);
    put("baseline_stage", json!(baseline.stage));
    let full = detail == Detail::Full;
    if let Some(v) = version {
        let model = Model::of_version(v.verdict.algo_version).unwrap_or(usual);
        let context = book.context(date, &v.verdict);
        put("level", json!(v.verdict.level));
        put("level_text", json!(words::level(v.verdict.level, language)));
        put("hard", json!(v.verdict.hard));
        put("hard_text", json!(words::hard(v.verdict.hard, language)));
        put("confidence", json!(v.verdict.confidence));
        put("confidence_text", json!(words::confidence(v.verdict.confidence, language)));
        put("version", json!(v.number));
        put("algo_version", json!(v.verdict.algo_version));
        put("at", json!(iso(v.at, zone)));
        put("changed", json!(v.changed));
        put("cell", json!(context.cell));
        put("cell_text", json!(context.cell.map(|c: Cell| c.say(language))));
        put("suggests_change", json!(context.suggests_change));
        let counting = v.verdict.flags.iter().filter(|f| f.weight > 0);
        let reasons: Vec<String> =
            counting.map(|f| if full { words::say(f, model, language) } else { words::name(f.id, language) }).collect();
        put("reasons", json!(reasons));
        if full {
            put("score", json!(v.verdict.score));
            put("flags", v.verdict.flags.iter().map(|f| flag(f, date, model, language)).collect());
            put("patterns", v.verdict.notes.iter().map(|n| json!(words::pattern(*n, language))).collect());
            let changes = counterfactuals(&v.day, model, &v.verdict);
            put("counterfactuals", changes.iter().map(|c: &Counterfactual| json!(c.say(language))).collect());
            put("conflict", context.conflict.map_or(Value::Null, |c| conflict(&c, language)));
            put("card", json!(context.card.map(|c| c.say(language))));
            put("rules", context.rules.iter().map(|r| rule(r, language)).collect());
            let mut notes = words::trends(context.low_motivation, context.more_caffeine, language);
            notes.extend(baseline.say(language));
            put("notes", json!(notes));
            put("baseline_low", number(v.verdict.range.map(|r| r.lo), 3));
            put("baseline_high", number(v.verdict.range.map(|r| r.hi), 3));
            put("ln_rmssd", number(v.day.ln_rmssd.last().copied().flatten(), 3));
            put("rhr", number(v.day.rhr.last().copied().flatten(), 1));
            put("ln_rmssd_7d", number(v.verdict.mean7, 3));
            put("cv", number(v.verdict.cv7, 1));
            put("hours_since_hard", number(v.day.hours_since_hard, 1));
        }
    } else if full && state == DayState::None {
        put("notes", json!(baseline.say(language)));
    }
    if full {
        put("days_missing", json!(baseline.missing));
        let yesterday = plus_days(date, -1);
        if let Some(daily) = book.ledger.daily(yesterday) {
            let week = daily.loads.iter().rev().take(7).sum::<f64>();
            put("load_7d", number(Some(week), 0));
            put("load_unit", json!(daily.unit));
            let fitness = crate::load::fitness::fitness(&daily.loads);
            put("ctl", number(fitness.map(|f| f.ctl), 1));
            put("atl", number(fitness.map(|f| f.atl), 1));
            put("tsb", number(fitness.map(|f| f.tsb), 1));
        }
        put("hit_rate", number(calibration::hit_rate(&book.answers(), date).percent, 0));
    }
    Value::Object(o)
}

fn flag(f: &Flag, date: Date, model: &Model, language: Language) -> Value {
    let whole = form::flag(f, model, language);
    let (_, low, high) = f.natural();
    json!({
        "id": f.id, "group": f.id.group(), "weight": f.weight, "value": number(whole["number"].as_f64(), 2),
        "unit": f.unit(), "range": [number(low, 2), number(high, 2)], "rule": words::say(f, model, language),
        "why": words::why(f.id, language), "since": plus_days(date, -i64::from(f.since_days)).to_string(),
        "clears": words::clears(f, model, language),
    })
}

fn conflict(c: &Conflict, language: Language) -> Value {
    let (text, options) = words::conflict(c, language);
    let options: Vec<Value> =
        Conflict::OPTIONS.iter().zip(options).map(|(id, text)| json!({"id": id, "text": text})).collect();
    json!({
        "text": text, "planned": c.planned, "swap_with": c.swap_with.map(|d| d.to_string()), "options": options,
    })
}

fn rule(r: &RuleNote, language: Language) -> Value {
    json!({
        "id": r.id, "evidence": r.id.evidence(), "value": number(Some(r.value), 1), "limit": number(Some(r.limit), 1),
        "text": words::rule(r, language),
    })
}

/// What stands for the person's date.
pub fn inputs(desk: &Desk, detail: Detail) -> Value {
    let book = desk.book();
    let today = desk.today();
    let quiet = today.map_or(Quiet::Off, |d| book.quiet(d));
    let detail = detail.max(Detail::of(quiet));
    let Some(date) = today.filter(|_| detail != Detail::Nothing) else {
        let mut all = standing(&Book::default(), Date::MIN, super::Drafts::default());
        all.iter_mut().for_each(|(_, v)| *v = Value::Null);
        all.insert("quiet".into(), json!(quiet));
        return Value::Object(all);
    };
    let mut all = standing(book, date, desk.drafts());
    if detail == Detail::Words {
        all.iter_mut().filter(|(k, _)| !INPUT_WORDS.contains(&k.as_str())).for_each(|(_, v)| *v = Value::Null);
    }
    Value::Object(all)
}

fn standing(book: &Book, date: Date, drafts: super::Drafts) -> Map<String, Value> {
    let [sleep, stress, fatigue, soreness] = book.items(date);
    let (hours, quality) = book.sleep(date);
    let pain = book.hurts(date);
    let all = json!({
        "date": date.to_string(),
        "wellness_sleep": sleep, "wellness_stress": stress, "wellness_fatigue": fatigue, "wellness_soreness": soreness,
        "feel": book.feel(date), "illness": book.is_ill(date),
        "pain": pain.map(|p| p.1), "pain_side": pain.map(|p| p.0).or(drafts.side),
        "motivation": book.motivation(date), "caffeine": book.caffeine(date),
        "sleep_hours": hours, "sleep_quality": quality, "plan": book.plan.on(date), "quiet": book.quiet(date),
        "was_right": book.was_right(date), "tags": book.tags(date),
        "session_rpe": drafts.rpe, "session_minutes": drafts.minutes, "session_kind": drafts.kind,
    });
    match all {
        Value::Object(o) => o,
        _ => Map::new(),
    }
}

/// A number rounded to some decimals; null if there is none.
fn number(value: Option<f64>, decimals: i32) -> Value {
    let scale = 10f64.powi(decimals);
    match value.map(|v| (v * scale).round() / scale).filter(|v| v.is_finite()) {
        Some(v) if decimals == 0 => json!(v as i64),
        Some(v) => json!(v),
        None => Value::Null,
    }
}

/// ISO 8601 with the person's offset, whole seconds.
fn iso(t: Timestamp, zone: &TimeZone) -> String {
    t.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
#[path = "report_tests.rs"]
pub(crate) mod tests;
