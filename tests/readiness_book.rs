//! A person's book: what counts on a day, in whatever order it arrived, and what is never changed afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use hrvd::check::{Grade, Posture, WhyNone};
use hrvd::load::{PlanKind, Session, SessionKind};
use hrvd::readiness::words::Language;
use hrvd::readiness::{
    Book, Cell, Entry, Feel, Level, PainCourse, Protocol, Quiet, Reading, Refused, Side, Source, Stage, V2, Wellness,
    What,
};
use hrvd::units::StrapId;
use jiff::civil::{Date, date};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

const TODAY: Date = date(2026, 3, 29);
const CHEST: StrapId = StrapId([1; 6]);
const OTHER: StrapId = StrapId([2; 6]);

fn utc(d: Date, hour: i8) -> Timestamp {
    TimeZone::UTC.to_timestamp(d.at(hour, 0, 0, 0)).unwrap()
}

fn ago(days: i64) -> Date {
    TODAY.saturating_sub(days.days())
}

fn reading(d: Date, hour: i8, ln: f64) -> Reading {
    Reading {
        id: format!("{d}-{hour}"),
        date: d,
        at: utc(d, hour),
        protocol: Protocol::new(Posture::Supine, CHEST),
        grade: Grade::Good,
        values: Some((ln, 52.0 + (3.8 - ln) * 10.0)),
        why: None,
    }
}

const PATTERN: [f64; 7] = [0.0, 0.10, -0.10, 0.05, -0.05, 0.15, -0.15];

fn usual(days_ago: i64) -> f64 {
    3.8 + PATTERN[(days_ago % 7) as usize]
}

/// `n` mornings before today, and today's.
fn book(n: i64) -> Book {
    let mut b = Book::default();
    (0..=n).for_each(|d| b.put_reading(reading(ago(d), 6, usual(d))));
    b
}

fn entry(d: Date, at: Timestamp, what: What) -> Entry {
    Entry { date: d, at, source: Source::Mqtt, what }
}

fn wellness(x: u8) -> What {
    What::Wellness(Wellness { sleep: x, stress: x, fatigue: x, soreness: x })
}

fn level(b: &Book) -> Level {
    hrvd::readiness::assess(&b.day(TODAY, utc(TODAY, 7), &V2), &V2).level
}

#[test]
fn the_stages_count_valid_days() {
    for (n, stage, missing) in [
        (0, Stage::Learning, 14),
        (13, Stage::Learning, 1),
        (14, Stage::Provisional, 16),
        (29, Stage::Provisional, 1),
        (30, Stage::Normal, 0),
        (90, Stage::Normal, 0),
    ] {
        let s = book(n).mornings.baseline(TODAY, &V2);
        assert_eq!((s.stage, s.missing, s.valid as i64), (stage, missing, n.min(60)));
    }
    let said = book(13).mornings.baseline(TODAY, &V2).say(Language::En);
    assert_eq!(said, ["Learning your usual: 13 valid mornings, 1 more until the first HRV verdict."]);
}

#[test]
fn refused_days_say_why() {
    let mut b = book(10);
    b.put_reading(Reading { grade: Grade::Poor, ..reading(ago(20), 6, 3.8) });
    let bad = Reading { grade: Grade::Bad, values: None, why: Some(WhyNone::Artifacts), ..reading(ago(21), 6, 3.8) };
    b.put_reading(bad);
    b.put_reading(Reading { protocol: Protocol::new(Posture::Standing, CHEST), ..reading(ago(22), 6, 3.0) });
    b.put_reading(Reading { protocol: Protocol::new(Posture::Supine, OTHER), ..reading(ago(23), 6, 3.0) });
    let s = b.mornings.baseline(TODAY, &V2);
    let why = [
        (ago(20), Refused::PoorGrade),
        (ago(21), Refused::NoValue),
        (ago(22), Refused::OtherPosture),
        (ago(23), Refused::OtherStrap),
    ];
    assert_eq!((s.refused.as_slice(), s.valid, s.left_behind), (&why[..], 10, 2));
}

#[test]
fn one_value_a_day_and_the_rest_are_second_readings() {
    let mut b = book(30);
    b.put_reading(reading(TODAY, 9, 2.0));
    b.put_reading(Reading { grade: Grade::Bad, values: None, ..reading(TODAY, 5, 2.0) });
    assert_eq!(b.mornings.counting(TODAY, None).unwrap().id, format!("{TODAY}-6"));
    assert_eq!(b.mornings.second(TODAY).len(), 2);
    assert_eq!(b.day(TODAY, utc(TODAY, 20), &V2).ln_rmssd.last(), Some(&Some(usual(0))));
    let before = b.day(TODAY, utc(TODAY, 20), &V2);
    b.put_reading(reading(TODAY, 6, usual(0)));
    assert_eq!(b.day(TODAY, utc(TODAY, 21), &V2), before, "a replay changes nothing");
}

#[test]
fn another_strap_begins_a_new_baseline_and_says_what_it_costs() {
    let mut b = book(40);
    let tomorrow = ago(-1);
    b.put_reading(Reading { protocol: Protocol::new(Posture::Supine, OTHER), ..reading(tomorrow, 6, 3.0) });
    let s = b.mornings.baseline(tomorrow, &V2);
    assert_eq!((s.stage, s.valid, s.missing, s.left_behind), (Stage::Learning, 0, 14, 41));
    assert_eq!(
        s.say(Language::En)[1],
        "Another strap or posture begins a new baseline; 41 valid mornings with the earlier one stay behind."
    );
    let day = b.day(tomorrow, utc(tomorrow, 7), &V2);
    assert_eq!(day.ln_rmssd.iter().flatten().count(), 1, "nothing is mixed");
    // the old strap again: its own baseline is still there
    let after = ago(-2);
    b.put_reading(reading(after, 6, 3.8));
    assert_eq!(b.mornings.baseline(after, &V2).stage, Stage::Normal);
}

#[test]
fn recalibrating_is_offered_and_begins_anew() {
    let mut b = Book::default();
    (0..=50).for_each(|d| b.put_reading(reading(ago(d), 6, usual(d) - if d < 15 { 0.4 } else { 0.0 })));
    let s = b.mornings.baseline(TODAY, &V2);
    assert!(s.offers_recalibration && s.say(Language::De).len() == 2, "{s:?}");
    assert!(!book(50).mornings.baseline(TODAY, &V2).offers_recalibration);
    b.put(entry(TODAY, utc(TODAY, 7), What::Recalibrate));
    let s = b.mornings.baseline(TODAY, &V2);
    assert_eq!((s.valid, s.stage, s.offers_recalibration), (0, Stage::Learning, false));
    assert!(s.refused.iter().all(|(_, why)| *why == Refused::BeforeRecalibration) && s.refused.len() == 50);
    assert_eq!(b.mornings.baseline(ago(1), &V2).stage, Stage::Normal, "yesterday stays what it was");
}

#[test]
fn the_verdict_is_frozen_and_late_words_make_a_new_version() {
    let mut b = book(40);
    let first = b.freeze(TODAY, utc(TODAY, 7), &V2).unwrap().clone();
    assert_eq!((first.number, first.verdict.level, first.changed.len()), (1, Level::Go, 0));
    assert!(b.freeze(TODAY, utc(TODAY, 8), &V2).is_none(), "nothing new, no new version");
    b.put_reading(reading(TODAY, 9, 2.0));
    assert!(b.freeze(TODAY, utc(TODAY, 10), &V2).is_none(), "a later check replaces nothing");
    // said the next day, about today
    b.put(entry(TODAY, utc(ago(-1), 6), What::Illness(true)));
    let second = b.freeze(TODAY, utc(ago(-1), 6), &V2).unwrap().clone();
    assert_eq!((second.number, second.verdict.level, second.changed.join(" ")), (2, Level::Rest, "illness".to_owned()));
    assert_eq!(b.versions(TODAY), [first, second], "both stay");
}

#[test]
fn sent_again_is_corrected_and_the_log_keeps_both() {
    let mut b = book(40);
    b.put(entry(TODAY, utc(TODAY, 8), wellness(2)));
    b.put(entry(TODAY, utc(TODAY, 7), wellness(7)));
    assert_eq!(b.day(TODAY, utc(TODAY, 9), &V2).hooper.last(), Some(&Some(8.0)), "the later word counts");
    b.put(entry(TODAY, utc(TODAY, 9), wellness(6)));
    assert_eq!(b.day(TODAY, utc(TODAY, 9), &V2).hooper.last(), Some(&Some(24.0)));
    assert_eq!(b.log(TODAY).count(), 3);
}

#[test]
fn four_cells_and_a_change_only_if_both_agree() {
    let cell = |ln: f64, feel, more: Option<What>| {
        let mut b = book(40);
        b.put_reading(reading(TODAY, 4, ln));
        b.put(entry(TODAY, utc(TODAY, 7), What::Feel(feel)));
        b.plan.set(TODAY, Some(PlanKind::Quality));
        more.into_iter().for_each(|w| b.put(entry(TODAY, utc(TODAY, 7), w)));
        let v = b.freeze(TODAY, utc(TODAY, 8), &V2).unwrap().verdict.clone();
        let c = b.context(TODAY, &v);
        (c.cell.unwrap(), c.suggests_change)
    };
    assert_eq!(cell(3.8, Feel::Good, None), (Cell::BothGood, false));
    assert_eq!(cell(3.4, Feel::Good, None), (Cell::FeelGoodDataBad, false));
    assert_eq!(cell(3.8, Feel::Bad, None), (Cell::FeelBadDataGood, false));
    assert_eq!(cell(3.4, Feel::Bad, None), (Cell::BothBad, true));
    assert_eq!(cell(3.8, Feel::Good, Some(What::Illness(true))), (Cell::FeelBadDataGood, true));
    let pain = What::Pain(Some((Side::Left, PainCourse::Stays)));
    assert_eq!(cell(3.8, Feel::Good, Some(pain)), (Cell::FeelBadDataGood, true));
}

#[test]
fn sessions_plans_and_rest_days_come_together() {
    let mut b = book(40);
    let mut s = Session::new("tuesday", utc(ago(2), 18), ago(2));
    (s.kind, s.minutes, s.rpe) = (Some(SessionKind::Quality), Some(60.0), Some(8.0));
    b.put(entry(ago(2), utc(ago(2), 19), What::Session(s.clone())));
    b.put(entry(TODAY, utc(ago(3), 19), What::Plan(Some(PlanKind::Quality))));
    b.put_reading(reading(ago(1), 4, 3.6));
    let day = b.day(TODAY, utc(TODAY, 12), &V2);
    assert_eq!(
        (day.hours_since_hard, day.load.as_slice()),
        (Some(36.0), &[480.0, 0.0][..]),
        "at the time of the check"
    );
    let v = b.freeze(TODAY, utc(TODAY, 7), &V2).unwrap().verdict.clone();
    let c = b.context(TODAY, &v);
    assert_eq!(c.conflict.unwrap().planned, PlanKind::Quality);
    let card = c.card.unwrap();
    assert!(card.rebounded() && card.hard_day == ago(2), "{card:?}");
    // corrected: it was yesterday, and easy
    (s.kind, s.rpe, s.date, s.end) = (Some(SessionKind::Easy), Some(3.0), ago(1), utc(ago(1), 18));
    b.put(entry(ago(1), utc(TODAY, 19), What::Session(s)));
    let again = b.freeze(TODAY, utc(TODAY, 20), &V2).unwrap();
    assert_eq!((again.number, again.changed.join(" ")), (2, "load hours_since_hard".to_owned()));
    assert_eq!(again.day.load, [180.0]);
}

#[test]
fn a_data_holiday_leaves_holes_and_no_harm() {
    let mut b = book(60);
    let mut away = Book::default();
    for d in (0..=60).filter(|d| !(3..17).contains(d)) {
        away.put_reading(reading(ago(d), 6, usual(d)));
    }
    b.put(entry(ago(16), utc(ago(16), 6), What::Quiet(Quiet::Nothing)));
    b.put(entry(ago(2), utc(ago(2), 6), What::Quiet(Quiet::Off)));
    assert_eq!(
        [17, 16, 3, 2, 0].map(|d| b.quiet(ago(d))),
        [Quiet::Off, Quiet::Nothing, Quiet::Nothing, Quiet::Off, Quiet::Off]
    );
    assert_eq!((level(&away), level(&b)), (Level::Go, Level::Go));
    assert_eq!(away.mornings.baseline(TODAY, &V2).stage, Stage::Normal);
}

#[test]
fn trends_of_motivation_and_answers() {
    let mut b = book(40);
    for d in 0..3 {
        b.put(entry(ago(d), utc(ago(d), 7), What::Motivation(2)));
    }
    let v = b.freeze(TODAY, utc(TODAY, 7), &V2).unwrap().verdict.clone();
    let c = b.context(TODAY, &v);
    assert_eq!((c.low_motivation, c.more_caffeine), (Some(3), None));
    b.put(entry(TODAY, utc(TODAY, 8), What::WasRight(true)));
    b.put(entry(ago(5), utc(TODAY, 8), What::WasRight(false)));
    let answers = b.answers();
    assert_eq!(answers.len(), 1, "an answer needs a verdict");
    assert!(answers[0].right && answers[0].level == Level::Go);
}

/// 31 mornings at 6 o'clock local time in a zone whose offset may change underway.
fn travelled(offset: impl Fn(i64) -> i8) -> Book {
    let mut b = Book::default();
    for d in 0..=31 {
        let zone = TimeZone::fixed(Offset::constant(offset(d)));
        let mut r = reading(ago(d), 6, usual(d));
        r.at = zone.to_timestamp(ago(d).at(6, 0, 0, 0)).unwrap();
        b.put_reading(r);
    }
    b
}

#[test]
fn summer_time_and_travel_change_no_day() {
    let home = travelled(|_| 1);
    let day = home.day(TODAY, utc(TODAY, 9), &V2);
    for other in [travelled(|d| if d == 0 { 2 } else { 1 }), travelled(|d| if d < 10 { 12 } else { -8 })] {
        assert_eq!(other.day(TODAY, utc(TODAY, 9), &V2), day);
    }
}

#[test]
fn a_leap_day_is_one_day() {
    let today = date(2028, 3, 1);
    let mut b = Book::default();
    for d in 0..=30i64 {
        let day = today.saturating_sub(d.days());
        b.put_reading(reading(day, 6, 3.8));
    }
    let day = b.day(today, utc(today, 7), &V2);
    assert_eq!(day.ln_rmssd.iter().rev().take_while(|v| v.is_some()).count(), 31, "no hole at 29 February");
}

#[test]
fn a_clock_that_jumped_spoils_nothing() {
    // before NTP the Pi believed in 1970 and in 2037; such readings have their own days and stay out of ours
    let mut b = book(30);
    let day = b.day(TODAY, utc(TODAY, 7), &V2);
    for d in [date(1970, 1, 1), date(2037, 1, 1), Date::MIN, Date::MAX] {
        let mut r = reading(TODAY, 6, 1.0);
        (r.date, r.id) = (d, d.to_string());
        b.put_reading(r);
    }
    assert_eq!(b.day(TODAY, utc(TODAY, 7), &V2), day);
    assert_eq!(b.mornings.baseline(TODAY, &V2).valid, 30);
}

fn anything() -> impl Strategy<Value = Entry> {
    let what = prop_oneof![
        (1u8..=7).prop_map(wellness),
        any::<bool>().prop_map(What::Illness),
        (4u8..10).prop_map(|h| What::Sleep { hours: Some(h.into()), quality: None }),
        (0u8..4, 1u8..10, any::<bool>()).prop_map(|(id, rpe, hard)| {
            let mut s = Session::new(format!("s{id}"), utc(ago(2), 10 + rpe as i8), ago(2));
            (s.minutes, s.rpe) = (Some(45.0), Some(rpe.into()));
            s.kind = hard.then_some(SessionKind::Quality);
            What::Session(s)
        }),
        Just(What::Recalibrate),
        any::<bool>().prop_map(|p| What::Pain(p.then_some((Side::Left, PainCourse::Stays)))),
    ];
    (what, 0i64..4, 0i8..23).prop_map(|(what, d, hour)| {
        let d = if matches!(what, What::Session(_)) { 2 } else { d };
        entry(ago(d), utc(ago(d), hour), what)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn order_of_arrival_does_not_matter(
        (words, shuffled) in proptest::collection::vec(anything(), 1..12)
            .prop_flat_map(|w| (Just(w.clone()), Just(w).prop_shuffle())),
        mornings in Just((0..=20i64).chain([0, 0, 3]).enumerate().collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let put = |words: &[Entry], mornings: &[(usize, i64)]| {
            let mut b = Book::default();
            let hour = |i: usize| 5 + (i % 5) as i8;
            for (i, d) in mornings {
                b.put_reading(Reading { id: i.to_string(), ..reading(ago(*d), hour(*i), usual(*i as i64)) });
            }
            words.iter().cloned().for_each(|w| b.put(w));
            b
        };
        let mut sorted = mornings.clone();
        sorted.sort();
        let (a, b) = (put(&words, &sorted), put(&shuffled, &mornings));
        prop_assert_eq!(a.day(TODAY, utc(TODAY, 7), &V2), b.day(TODAY, utc(TODAY, 7), &V2));
        prop_assert_eq!(a.log(TODAY).collect::<Vec<_>>(), b.log(TODAY).collect::<Vec<_>>());
    }
}
