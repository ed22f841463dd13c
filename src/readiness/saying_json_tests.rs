//! Every form of every input, what is refused with which words, and that nothing can be sent that breaks the reader.

use super::*;
use crate::load::SessionKind;
use jiff::civil::{date, time};
use proptest::prelude::*;

fn read(what: &str, payload: &str) -> Result<(Option<Date>, Saying), String> {
    saying(what, payload).map_err(|bad| bad.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "))
}

fn word(what: &str, payload: &str) -> What {
    match read(what, payload) {
        Ok((None, Saying::Word(what))) => what,
        other => panic!("{what} {payload}: {other:?}"),
    }
}

#[test]
fn the_forms_of_each_input() {
    for (what, payload, want) in [
        ("feel", "good", What::Feel(Feel::Good)),
        ("feel", " ok\n", What::Feel(Feel::Ok)),
        ("feel", "normal", What::Feel(Feel::Ok)),
        ("wellness_sleep", "3", What::Item(Item::Sleep, 3)),
        ("wellness_soreness", "3.0", What::Item(Item::Soreness, 3)),
        ("wellness_stress", r#"{"value":7}"#, What::Item(Item::Stress, 7)),
        ("illness", "on", What::Illness(true)),
        ("illness", "OFF", What::Illness(false)),
        ("illness", r#"{"value":true}"#, What::Illness(true)),
        ("motivation", "5", What::Motivation(5)),
        ("caffeine", "more", What::Caffeine(Caffeine::More)),
        ("sleep_hours", "7.25", What::Sleep { hours: Some(7.25), quality: None }),
        ("sleep_quality", "4", What::Sleep { hours: None, quality: Some(4) }),
        ("sleep", "7.5", What::Sleep { hours: Some(7.5), quality: None }),
        ("sleep", r#"{"hours":7.5,"quality":4}"#, What::Sleep { hours: Some(7.5), quality: Some(4) }),
        ("tag", "heat", What::Tag("heat".into(), true)),
        ("tag", "-heat", What::Tag("heat".into(), false)),
        ("tag", r#"{"name":"heat","on":false}"#, What::Tag("heat".into(), false)),
        ("plan", "race", What::Plan(Some(PlanKind::Race))),
        ("plan", "none", What::Plan(None)),
        ("plan", "", What::Plan(None)),
        ("quiet", "nothing", What::Quiet(Quiet::Nothing)),
        ("was_right", "no", What::WasRight(false)),
        ("recalibrate", "PRESS", What::Recalibrate),
    ] {
        assert_eq!(word(what, payload), want, "{what} {payload}");
    }
    let four = Wellness { sleep: 1, stress: 2, fatigue: 3, soreness: 4 };
    assert_eq!(
        read("wellness", r#"{"sleep":1,"stress":2,"fatigue":3,"soreness":4,"date":"2026-03-02"}"#),
        Ok((Some(date(2026, 3, 2)), Saying::Word(What::Wellness(four))))
    );
}

#[test]
fn pain_and_sessions() {
    let pain = |payload: &str| read("pain", payload).map(|(_, s)| s);
    let stays = Some(Some(PainCourse::Stays));
    assert_eq!(pain("stays"), Ok(Saying::Pain { course: stays, side: None }));
    assert_eq!(pain("none"), Ok(Saying::Pain { course: Some(None), side: None }));
    let left = Some(Side::Left);
    assert_eq!(pain(r#"{"course":"stays","side":"left"}"#), Ok(Saying::Pain { course: stays, side: left }));
    assert_eq!(pain(r#"{"side":"left"}"#), Ok(Saying::Pain { course: None, side: left }));
    assert_eq!(read("pain_side", "left").unwrap().1, Saying::Pain { course: None, side: left });
    let run = SessionWords {
        id: Some("run-1".into()),
        end: Some(time(18, 30, 0, 0)),
        minutes: Some(50.0),
        rpe: Some(6.5),
        kind: Some(SessionKind::Easy),
        tags: vec!["heat".into()],
        ..SessionWords::default()
    };
    let text = r#"{"id":"run-1","end":"18:30","minutes":50,"rpe":6.5,"kind":"easy","tags":["heat"]}"#;
    assert_eq!(read("session", text), Ok((None, Saying::Session(run))));
    assert_eq!(read("session_rpe", "6.5").unwrap().1, Saying::DraftRpe(Some(6.5)));
    assert_eq!(read("session_minutes", "none").unwrap().1, Saying::DraftMinutes(None));
    assert_eq!(read("session_kind", "long").unwrap().1, Saying::DraftKind(Some(SessionKind::Long)));
    assert_eq!(read("session_kind", "none").unwrap().1, Saying::DraftKind(None));
    assert_eq!(read("session_log", "PRESS").unwrap().1, Saying::LogDraft);
}

#[test]
fn refusals_name_the_field_and_what_would_be_right() {
    for (what, payload, want) in [
        ("mood", "1", "mood: no such input; inputs are wellness, "),
        ("feel", "great", "value: 'great' is none of good, ok, bad; give one of these words"),
        ("feel", "", "value: '' is none of good, ok, bad"),
        ("wellness_sleep", "three", "value: \"three\" is no number; give a whole number from 1 to 7"),
        ("wellness_sleep", "3.5", "value: 3.5 is no such number; give a whole number from 1 to 7"),
        ("wellness_sleep", "-1", "value: -1 is no such number"),
        ("wellness", r#"{"sleep":1}"#, "stress: is missing; give all of them | fatigue: is missing"),
        ("illness", "maybe", "value: neither yes nor no; give on or off"),
        ("sleep", "{}", ""),
        (
            "session",
            r#"{"minuts":50}"#,
            "minuts: no such field; fields are date, end, id, kind, load, minutes, rpe, tags",
        ),
        ("session", r#"{"end":"late"}"#, "end: \"late\" cannot be read; give a time of the day, such as 18:30"),
        ("session", r#"{"tags":"heat"}"#, "tags: no list of words"),
        ("feel", r#"{"value":"good","date":"yesterday"}"#, "date: \"yesterday\" cannot be read; give a date"),
        ("feel", "{good}", "feel: no JSON object; such as {\"value\": 3}"),
        ("pain", "hurts", "value: 'hurts' is none of warms_up, stays"),
    ] {
        match read(what, payload) {
            Err(said) => assert!(said.contains(want), "{what} {payload}: {said}"),
            // refused where its day is known: neither hours nor quality
            Ok(said) => assert!(want.is_empty(), "{what} {payload}: {said:?}"),
        }
    }
}

proptest! {
    #[test]
    fn nothing_breaks_the_reader(n in 0..WHATS.len(), text in ".{0,60}", value in any::<f64>(), key in "[a-z_]{1,8}") {
        let what = WHATS[n];
        let _ = saying(what, &text);
        let _ = saying(what, &value.to_string());
        let _ = saying(what, &format!("{{\"{key}\":{},\"value\":{:?}}}", n, text));
        let _ = saying(&text, "1");
    }
}
