//! The law of the words, over every sentence of the table.

use super::cell::Cell;
use super::counterfactual::Lever;
use super::flag::FlagId;
use super::norms::Stage;
use super::table::TABLE;
use super::verdict::{Confidence, Hard, Level, Pattern};
use super::words::{self, Language};
use crate::load::rules::{RuleId, RuleNote};
use crate::load::{Conflict, PlanKind};
use std::collections::BTreeSet;

/// Nobody is told what he has to do, nobody is examined, and nothing of science's "claims not to make" is claimed.
/// Matched on whole words, in lower case.
const FORBIDDEN_EN: &[&str] = &[
    // duty
    "must",
    "should",
    "shall",
    "have to",
    "has to",
    "need to",
    "needs to",
    "ought",
    "you need",
    "required",
    "forbidden",
    "not allowed",
    "never",
    "do not run",
    "do not train",
    "don't",
    "stop training",
    "skip",
    "cancel your",
    "obey",
    "take a rest",
    "take a day off",
    "go to bed",
    "see a doctor",
    "failed",
    "lazy",
    "streak",
    "guilt",
    // medicine
    "diagnosis",
    "diagnose",
    "diagnosed",
    "disease",
    "disorder",
    "symptom",
    "symptoms",
    "treat",
    "treatment",
    "cure",
    "patient",
    "you are ill",
    "you are sick",
    "you have an infection",
    "arrhythmia",
    "fibrillation",
    "afib",
    "healthy",
    "unhealthy",
    "danger",
    "dangerous",
    "risk",
    "risk of injury",
    "overtraining",
    "overtrained",
    "overtraining syndrome",
    // claims
    "will be injured",
    "injury risk",
    "predicts injury",
    "sympathetic",
    "stress balance",
    "lf/hf",
    "balance",
    "biological age",
    "heart age",
    "vo2max",
    "vo2 max",
    "people of your age",
    "other people",
    "than others",
    "average person",
    "recovered in",
    "fully recovered",
    "recovery time",
    "lactate threshold",
    "anaerobic threshold",
    "optimal",
];

const FORBIDDEN_DE: &[&str] = &[
    "muss",
    "musst",
    "müssen",
    "müsst",
    "soll",
    "sollst",
    "sollte",
    "solltest",
    "sollten",
    "darfst",
    "darf nicht",
    "nicht erlaubt",
    "verboten",
    "niemals",
    "nie",
    "pflicht",
    "zwingend",
    "unbedingt",
    "trainiere",
    "pausiere",
    "hör auf",
    "lass das",
    "geh zum arzt",
    "geh ins bett",
    "versagt",
    "faul",
    "serie",
    "schuld",
    "diagnose",
    "diagnostiziert",
    "krankheit",
    "störung",
    "symptom",
    "symptome",
    "behandlung",
    "heilen",
    "patient",
    "du bist krank",
    "du hast einen infekt",
    "rhythmusstörung",
    "vorhofflimmern",
    "gesund",
    "ungesund",
    "gefahr",
    "gefährlich",
    "risiko",
    "verletzungsrisiko",
    "übertraining",
    "übertrainiert",
    "sympathisch",
    "sympathikus",
    "stressbalance",
    "balance",
    "biologisches alter",
    "herzalter",
    "vo2max",
    "andere menschen",
    "als andere",
    "durchschnittsmensch",
    "erholt in",
    "voll erholt",
    "erholungszeit",
    "laktatschwelle",
    "anaerobe schwelle",
    "optimal",
];

fn offences(sentence: &str, forbidden: &[&str]) -> Vec<String> {
    let lower = sentence.to_lowercase();
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    forbidden
        .iter()
        .filter(|bad| {
            lower
                .match_indices(**bad)
                .any(|(at, _)| !word(lower[..at].chars().next_back()) && !word(lower[at + bad.len()..].chars().next()))
        })
        .map(|bad| format!("'{bad}' in: {sentence}"))
        .collect()
}

#[test]
fn the_law_catches_what_it_forbids() {
    for bad in [
        "You must rest today.",
        "Don't run today",
        "You are ill.",
        "Your injury risk is high.",
        "You will be fully recovered in 31 hours",
        "Sympathetic overdrive",
        "Better than other people of your age",
    ] {
        assert!(!offences(bad, FORBIDDEN_EN).is_empty(), "{bad}");
    }
    for bad in ["Du musst heute ruhen.", "Trainiere heute nicht.", "Das Verletzungsrisiko ist hoch.", "Du bist krank."]
    {
        assert!(!offences(bad, FORBIDDEN_DE).is_empty(), "{bad}");
    }
    for fine in ["a mustard seed", "possible parasympathetic saturation", "One yellow flag"] {
        assert!(offences(fine, FORBIDDEN_EN).is_empty(), "{fine}");
    }
}

#[test]
fn no_sentence_orders_or_examines() {
    let bad: Vec<String> = TABLE
        .iter()
        .flat_map(|(_, en, de)| [offences(en, FORBIDDEN_EN), offences(de, FORBIDDEN_DE)].concat())
        .collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn both_languages_say_everything() {
    let keys: BTreeSet<&str> = TABLE.iter().map(|(k, ..)| *k).collect();
    assert_eq!(keys.len(), TABLE.len(), "a key twice");
    for (key, en, de) in TABLE {
        assert!(!en.trim().is_empty() && !de.trim().is_empty() && en != de, "{key}");
        let blanks = |s: &str| -> BTreeSet<String> {
            s.split('{').skip(1).filter_map(|p| p.split_once('}').map(|(n, _)| n.to_owned())).collect()
        };
        assert_eq!(blanks(en), blanks(de), "{key}: the same numbers in both languages");
    }
    let mut want = vec![];
    for id in FlagId::ALL {
        want.extend(["brief", "say", "clears", "name"].map(|part| format!("{part}.{id}")));
        for language in [Language::En, Language::De] {
            let name = words::name(*id, language);
            assert!(!name.contains(|c: char| c.is_ascii_digit() || c == '{'), "{name}: a name says no number");
        }
        assert_ne!(words::why(*id, Language::En), words::why(*id, Language::De), "{id}");
    }
    want.extend(Level::ALL.iter().map(|x| format!("level.{x}")));
    want.extend(Hard::ALL.iter().map(|x| format!("hard.{x}")));
    want.extend(Confidence::ALL.iter().map(|x| format!("confidence.{x}")));
    want.extend(Pattern::ALL.iter().map(|x| format!("pattern.{x}")));
    want.extend(RuleId::ALL.iter().map(|x| format!("rule.{x}")));
    want.extend(PlanKind::ALL.iter().map(|x| format!("planned.{x}")));
    want.extend(Lever::ALL.iter().map(|x| format!("what.{x}")));
    want.extend(Cell::ALL.iter().map(|x| format!("cell.{x}")));
    want.extend(Stage::ALL.iter().map(|x| format!("baseline.{x}")));
    let missing: Vec<&String> = want.iter().filter(|k| !keys.contains(k.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn blanks_are_filled_in_both_languages() {
    let date = jiff::civil::date(2026, 3, 4);
    for language in [Language::En, Language::De] {
        let mut said = words::trends(Some(3), Some(4), language);
        said.extend(RuleId::ALL.iter().map(|id| words::rule(&RuleNote { id: *id, value: 5.0, limit: 4.0 }, language)));
        for swap_with in [None, Some(date)] {
            let (note, options) = words::conflict(&Conflict { planned: PlanKind::Quality, swap_with }, language);
            said.extend(options);
            said.push(note);
        }
        assert!(said.iter().all(|s| !s.contains('{') && s.contains(' ')), "{said:?}");
    }
    let decimal = words::fill("rule.ramp", Language::De, &[("value", "10.5".into())]);
    assert!(decimal.contains("10,5"), "{decimal}");
}
