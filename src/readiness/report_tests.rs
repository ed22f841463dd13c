//! What a report says at each level of detail, over every key.

use super::*;
use crate::check::{Grade, Posture};
use crate::load::{PlanKind, Session, SessionKind};
use crate::readiness::{
    Caffeine, DeskConfig, DeskInput, Drafts, Entry, Feel, Item, PainCourse, Protocol, Reading, Saying, Side, Source,
    V2, Wellness, What,
};
use crate::units::{Mono, Now, StrapId};
use jiff::civil::{date, time};
use std::collections::BTreeSet;
use std::time::Duration;

const TODAY: Date = date(2026, 11, 24);

fn at(d: Date, h: i8, m: i8) -> Timestamp {
    TimeZone::fixed(jiff::tz::offset(1)).to_timestamp(d.at(h, m, 0, 0)).unwrap()
}

/// Six weeks of somebody who trains, a bad morning, and everything said that can be said.
pub(crate) fn desk() -> Desk {
    let mut b = Book::default();
    let put = |b: &mut Book, d: Date, h: i8, what: What| {
        b.put(Entry { date: d, at: at(d, h, 0), source: Source::Cli, what });
    };
    let reading = |d: Date, ms: f64, hr: f64| Reading {
        id: d.to_string(),
        date: d,
        at: at(d, 6, 0),
        protocol: Protocol::new(Posture::Supine, StrapId([1; 6])),
        grade: Grade::Good,
        values: Some((ms.ln(), hr)),
        why: None,
    };
    for n in 1..=42 {
        let d = plus_days(TODAY, -n);
        let wave = [0.0, 3.0, -3.0, 1.0, -2.0, 4.0, -4.0][(n % 7) as usize];
        b.put_reading(reading(d, 44.0 + wave, 51.0 - wave / 2.0));
        let x = 2 + (n % 2) as u8;
        put(&mut b, d, 7, What::Wellness(Wellness { sleep: x, stress: 2, fatigue: 3, soreness: 2 }));
        put(&mut b, d, 7, What::Sleep { hours: Some(7.5), quality: None });
        if n % 7 != 3 {
            let mut s = Session::new(format!("s{n}"), at(d, 18, 0), d);
            (s.minutes, s.rpe) = (Some(50.0), Some(4.0));
            s.kind = Some(if n % 7 == 1 { SessionKind::Quality } else { SessionKind::Easy });
            put(&mut b, d, 18, What::Session(s));
        }
        put(&mut b, d, 21, What::WasRight(n != 5));
    }
    let config = DeskConfig {
        time_zone: TimeZone::fixed(jiff::tz::offset(1)),
        feel_wait: Duration::from_secs(600),
        closes: time(10, 0, 0, 0),
        model: &V2,
    };
    let mut desk = Desk::new(config, b);
    let now = |m: i8| Now { mono: Mono::from_secs(m as u64 * 60), wall: Some(at(TODAY, 6, m)) };
    desk.restore(now(0), None, None);
    desk.handle(now(5), DeskInput::Reading(reading(TODAY, 35.0, 57.0)));
    for saying in [
        Saying::Word(What::Sleep { hours: Some(5.5), quality: Some(2) }),
        Saying::Word(What::Item(Item::Sleep, 5)),
        Saying::Word(What::Motivation(2)),
        Saying::Word(What::Caffeine(Caffeine::More)),
        Saying::Word(What::Tag("travel".into(), true)),
        Saying::Word(What::Plan(Some(PlanKind::Quality))),
        Saying::Pain { course: Some(Some(PainCourse::WarmsUp)), side: Some(Side::Left) },
        Saying::DraftRpe(Some(6.0)),
        Saying::DraftMinutes(Some(45.0)),
        Saying::DraftKind(Some(SessionKind::Easy)),
        Saying::Word(What::Feel(Feel::Ok)),
        Saying::Word(What::WasRight(true)),
    ] {
        desk.say(now(6), None, Source::Cli, saying).unwrap();
    }
    desk
}

fn keys(v: &Value) -> BTreeSet<String> {
    v.as_object().unwrap().keys().cloned().collect()
}

fn has_digit(v: &Value) -> bool {
    match v {
        Value::Null | Value::Bool(_) => false,
        Value::Number(_) => true,
        Value::String(s) => s.contains(|c: char| c.is_ascii_digit()),
        Value::Array(all) => all.iter().any(has_digit),
        Value::Object(o) => o.values().any(has_digit),
    }
}

#[test]
fn a_full_report() {
    insta::assert_json_snapshot!(readiness(&desk(), Detail::Full, Language::En));
    insta::assert_json_snapshot!(inputs(&desk(), Detail::Full));
}

#[test]
fn every_key_is_there_and_words_hold_no_number() {
    let desk = desk();
    let all: BTreeSet<String> = WORDS.iter().chain(&NUMBERS).map(|k| (*k).to_owned()).collect();
    for language in Language::ALL {
        for detail in [Detail::Full, Detail::Words, Detail::Nothing] {
            assert_eq!(keys(&readiness(&desk, detail, language)), all);
        }
        let words = readiness(&desk, Detail::Words, language);
        for (key, value) in words.as_object().unwrap() {
            let counted = ["date", "at", "version", "algo_version"].contains(&key.as_str());
            assert!(counted || !has_digit(value), "{key}: {value}");
            assert_eq!(value.is_null(), !WORDS.contains(&key.as_str()), "{key}: {value}");
        }
        let nothing = readiness(&desk, Detail::Nothing, language);
        assert!(nothing.as_object().unwrap().iter().all(|(k, v)| v.is_null() || k == "quiet"), "{nothing}");
    }
    let full = inputs(&desk, Detail::Full);
    for detail in [Detail::Words, Detail::Nothing] {
        assert_eq!(keys(&inputs(&desk, detail)), keys(&full));
    }
    let words = inputs(&desk, Detail::Words);
    for (key, value) in words.as_object().unwrap() {
        assert!(key == "date" || !has_digit(value), "{key}: {value}");
    }
    assert_eq!((&words["feel"], &words["session_rpe"]), (&json!("ok"), &Value::Null));
    assert!(full.as_object().unwrap().iter().all(|(k, v)| !v.is_null() || k.starts_with("wellness")), "{full}");
}

#[test]
fn nothing_of_a_verdict_shows_while_it_waits() {
    let mut desk = Desk::new(
        DeskConfig {
            time_zone: TimeZone::UTC,
            feel_wait: Duration::from_secs(600),
            closes: time(10, 0, 0, 0),
            model: &V2,
        },
        desk().book().clone(),
    );
    let tomorrow = plus_days(TODAY, 1);
    let now = Now { mono: Mono::from_secs(1), wall: Some(at(tomorrow, 7, 0)) };
    desk.restore(now, None, None);
    let values = Some((20f64.ln(), 70.0));
    let strap = StrapId([1; 6]);
    let reading = Reading {
        id: "t".into(),
        date: tomorrow,
        at: at(tomorrow, 6, 50),
        protocol: Protocol::new(Posture::Supine, strap),
        grade: Grade::Good,
        values,
        why: None,
    };
    desk.handle(now, DeskInput::Reading(reading));
    let v = readiness(&desk, Detail::Full, Language::En);
    assert_eq!(v["state"], "waiting_for_feel");
    let told: Vec<&str> =
        v.as_object().unwrap().iter().filter(|(_, v)| !v.is_null()).map(|(k, _)| k.as_str()).collect();
    let harmless = [
        "date",
        "state",
        "baseline_stage",
        "quiet",
        "days_missing",
        "load_7d",
        "load_unit",
        "ctl",
        "atl",
        "tsb",
        "hit_rate",
    ];
    assert!(told.iter().all(|k| harmless.contains(k)), "{told:?}");
    assert_eq!(desk.drafts(), Drafts::default());
}
