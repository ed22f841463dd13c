//! From numbers to sentences. All sentences stand in `table.rs`.

use super::flag::{Flag, FlagId};
use super::model::Model;
use super::table::TABLE;
use super::verdict::{Confidence, Hard, Level, Pattern};
pub use crate::language::Language;
use crate::load::Conflict;
use crate::load::rules::RuleNote;

/// The sentence of a key; the key itself where the table has none, which a test forbids.
pub(crate) fn text(key: &str, language: Language) -> String {
    let found = TABLE.iter().find(|(k, ..)| *k == key);
    found.map_or(key, |(_, en, de)| language.pick(en, de)).to_owned()
}

/// The sentence of a key with its blanks filled in. German numbers get a decimal comma.
pub(crate) fn fill(key: &str, language: Language, blanks: &[(&str, String)]) -> String {
    let mut out = text(key, language);
    for (name, value) in blanks {
        let value = if language == Language::De { value.replace('.', ",") } else { value.clone() };
        out = out.replace(&format!("{{{name}}}"), &value);
    }
    out
}

/// What a level says.
pub fn level(level: Level, language: Language) -> String {
    text(&format!("level.{level}"), language)
}

/// What the advice about a hard session says.
pub fn hard(hard: Hard, language: Language) -> String {
    text(&format!("hard.{hard}"), language)
}

/// What is behind a verdict.
pub fn confidence(confidence: Confidence, language: Language) -> String {
    text(&format!("confidence.{confidence}"), language)
}

/// What a pattern says.
pub fn pattern(pattern: Pattern, language: Language) -> String {
    text(&format!("pattern.{pattern}"), language)
}

/// A flag in one clause, in the form of the worked days.
pub fn brief(flag: &Flag, model: &Model, language: Language) -> String {
    fill(&format!("brief.{}", flag.id), language, &blanks(flag, model))
}

/// A flag in a sentence: number, usual range, rule.
pub fn say(flag: &Flag, model: &Model, language: Language) -> String {
    fill(&format!("say.{}", flag.id), language, &blanks(flag, model))
}

/// What would clear a flag.
pub fn clears(flag: &Flag, model: &Model, language: Language) -> String {
    fill(&format!("clears.{}", flag.id), language, &blanks(flag, model))
}

/// A flag's name, without any number.
pub fn name(id: FlagId, language: Language) -> String {
    text(&format!("name.{id}"), language)
}

/// Why the rule of a flag exists, with its source.
pub fn why(id: FlagId, language: Language) -> String {
    text(&format!("why.{}", why_key(id)), language)
}

/// What a rule of training says.
pub fn rule(note: &RuleNote, language: Language) -> String {
    let blanks = [("value", digits(note.value, 0)), ("limit", digits(note.limit, 0))];
    fill(&format!("rule.{}", note.id), language, &blanks)
}

/// A conflict with the plan, and its two options in the order of [`Conflict::OPTIONS`].
pub fn conflict(c: &Conflict, language: Language) -> (String, [String; 2]) {
    let planned = text(&format!("planned.{}", c.planned), language);
    let swap = match c.swap_with {
        Some(date) => fill("plan.swap", language, &[("date", date.to_string())]),
        None => text("plan.easier", language),
    };
    (fill("plan.conflict", language, &[("planned", planned)]), [text("plan.keep", language), swap])
}

/// Trends of what a person says about themselves: days of low motivation and of more caffeine.
pub fn trends(low_motivation: Option<u32>, more_caffeine: Option<u32>, language: Language) -> Vec<String> {
    let say = |key: &str, n: Option<u32>| Some(fill(key, language, &[("value", n?.to_string())]));
    [say("trend.motivation", low_motivation), say("trend.caffeine", more_caffeine)].into_iter().flatten().collect()
}

const fn why_key(id: FlagId) -> &'static str {
    use FlagId::*;
    match id {
        HrvWeekLow => "hrv_week",
        HrvWeekHigh | HrvTodayHigh => "hrv_high",
        HrvTodayVeryLow | HrvTodayLow => "hrv_today",
        HrvUnstable => "hrv_unstable",
        RhrVeryHigh | RhrHigh => "rhr",
        SleepVeryShort | SleepShort | SleepDebt => "sleep",
        WellnessVeryPoor | WellnessPoor => "wellness",
        PainStays | PainWarmsUp => "pain",
        HardRecent => "hard_recent",
        Monotony => "monotony",
        LoadSpike => "load",
        CutbackDue => "cutback",
    }
}

/// Up to six significant digits and no trailing zeros.
pub(crate) fn short(x: f64) -> String {
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn digits(x: f64, n: usize) -> String {
    format!("{x:.n$}")
}

fn blanks(flag: &Flag, model: &Model) -> Vec<(&'static str, String)> {
    let (lo, hi) = (flag.usual.0.unwrap_or(0.0), flag.usual.1.unwrap_or(0.0));
    let (ms, lo_ms, hi_ms) = flag.natural();
    vec![
        ("value0", digits(flag.value, 0)),
        ("value1", digits(flag.value, 1)),
        ("value2", digits(flag.value, 2)),
        ("value", short(flag.value)),
        ("lo1", short((lo * 10.0).round() / 10.0)),
        ("lo2", digits(lo, 2)),
        ("hi0", digits(hi.ceil(), 0)),
        ("hi1", short((hi * 10.0).floor() / 10.0)),
        ("hi2", digits(hi, 2)),
        ("ms", digits(ms, 0)),
        // rounded so that the printed number itself would clear the flag
        ("lo_ms", digits(lo_ms.unwrap_or(0.0).ceil(), 0)),
        ("hi_ms", digits(hi_ms.unwrap_or(0.0).floor(), 0)),
        ("below", digits(-flag.beside, 1)),
        ("above", digits(flag.beside, 1)),
        ("beside0", digits(flag.beside, 0)),
        ("beside1", digits(flag.beside, 1)),
        ("delta", format!("{:+.0}", flag.beside)),
        ("chance", digits(model.chance_today_low, 0)),
        ("k_week", short(model.k_week)),
        ("left", digits((lo - flag.value).ceil(), 0)),
        ("week_limit", digits((hi * flag.beside).floor(), 0)),
    ]
}
