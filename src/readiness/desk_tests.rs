//! A desk through mornings: what is given, when, and that nothing is given twice.

use super::*;
use crate::check::{Grade, Posture};
use crate::readiness::{Feel, Hard, Protocol, Quiet, SessionWords, V2, Wellness};
use crate::units::StrapId;
use jiff::civil::{date, time};
use proptest::prelude::*;

const TODAY: Date = date(2026, 3, 20);

fn utc(text: &str) -> Timestamp {
    format!("2026-03-{text}Z").parse().unwrap()
}

/// Wall and monotonic clock together; monotonic 0 is the midnight before TODAY.
fn at(text: &str) -> Now {
    let wall = utc(text);
    Now {
        mono: Mono::from_micros((wall.as_microsecond() - utc("19T00:00:00").as_microsecond()) as u64),
        wall: Some(wall),
    }
}

fn config(wait_s: u64) -> DeskConfig {
    DeskConfig {
        time_zone: TimeZone::UTC,
        feel_wait: Duration::from_secs(wait_s),
        closes: time(10, 0, 0, 0),
        model: &V2,
    }
}

fn reading(d: Date, ms: f64) -> Reading {
    Reading {
        id: format!("{d}"),
        date: d,
        at: TimeZone::UTC.to_timestamp(d.at(6, 0, 0, 0)).unwrap(),
        protocol: Protocol::new(Posture::Supine, StrapId([1; 6])),
        grade: Grade::Good,
        values: Some((ms.ln(), 52.0)),
        why: None,
    }
}

/// Forty quiet mornings before TODAY.
fn history() -> Book {
    let mut b = Book::default();
    for d in 1..=40 {
        b.put_reading(reading(plus_days(TODAY, -d), 44.0 + (d % 5) as f64));
    }
    b
}

fn desk(wait_s: u64) -> Desk {
    let mut d = Desk::new(config(wait_s), history());
    d.restore(at("20T05:50:00"), None, None);
    drain(&mut d);
    d
}

fn drain(d: &mut Desk) -> Vec<String> {
    std::iter::from_fn(|| d.poll_output())
        .filter_map(|o| match o {
            DeskOutput::Keep(e) => Some(format!("keep {}", e.what.kind())),
            DeskOutput::Given { date, version } => Some(format!(
                "given {} {} {} {}",
                date.day(),
                version.number,
                version.verdict.level,
                version.changed.join(",")
            )),
            DeskOutput::FeelWanted { date, until } => Some(format!("ask {} {until}", date.day())),
            DeskOutput::Drafts(_) => Some("drafts".into()),
            DeskOutput::Changed => None,
        })
        .collect()
}

fn word(d: &mut Desk, now: Now, what: What) -> Vec<String> {
    d.say(now, None, Source::Cli, Saying::Word(what)).unwrap();
    drain(d)
}

const GOOD: What = What::Feel(Feel::Good);

#[test]
fn check_then_feel_then_verdict() {
    let mut d = desk(600);
    d.handle(at("20T06:03:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    assert_eq!(drain(&mut d), ["ask 20 2026-03-20T06:13:00Z"]);
    assert_eq!((d.state(TODAY), d.poll_timeout()), (DayState::WaitingForFeel, Some(at("20T06:13:00").mono)));
    // the same check again, as a replay brings it
    d.handle(at("20T06:03:30"), DeskInput::Reading(reading(TODAY, 45.0)));
    assert_eq!(drain(&mut d), Vec::<String>::new());
    assert_eq!(word(&mut d, at("20T06:05:00"), GOOD), ["keep feel", "given 20 1 GO "]);
    assert_eq!(d.state(TODAY), DayState::Given);
    d.handle(at("20T06:30:00"), DeskInput::Timeout);
    assert_eq!(drain(&mut d), Vec::<String>::new());
}

#[test]
fn the_wait_ends_by_itself_and_a_late_feel_is_a_new_version() {
    let mut d = desk(600);
    d.handle(at("20T06:03:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    d.handle(at("20T06:13:00"), DeskInput::Timeout);
    assert_eq!(drain(&mut d), ["ask 20 2026-03-20T06:13:00Z", "given 20 1 GO "]);
    assert_eq!(word(&mut d, at("20T07:00:00"), GOOD), ["keep feel", "given 20 2 GO feel"]);
    assert_eq!(
        word(&mut d, at("20T07:01:00"), What::Tag("heat".into(), true)),
        ["keep tag"],
        "no input of the verdict"
    );
    let short = What::Sleep { hours: Some(4.0), quality: None };
    assert_eq!(word(&mut d, at("20T07:02:00"), short.clone()), ["keep sleep", "given 20 3 CAUTION sleep_h"]);
    assert_eq!(word(&mut d, at("20T07:03:00"), short), ["keep sleep"], "the same again changes nothing");
    assert_eq!(d.book().versions(TODAY)[0].verdict.hard, Hard::Yes, "the first one stays as it was");
}

#[test]
fn no_wait_and_feel_before_the_check() {
    let mut d = desk(0);
    d.handle(at("20T06:03:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    assert_eq!(drain(&mut d), ["given 20 1 GO "]);
    let mut d = desk(600);
    assert_eq!(word(&mut d, at("20T06:00:00"), GOOD), ["keep feel"]);
    d.handle(at("20T06:03:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    assert_eq!(drain(&mut d), ["given 20 1 GO "]);
}

#[test]
fn a_restart_waits_for_the_rest_and_gives_nothing_twice() {
    let mut book = history();
    book.put_reading(reading(TODAY, 45.0));
    let until = utc("20T06:13:00");
    let mut d = Desk::new(config(600), book.clone());
    d.restore(at("20T06:09:00"), Some((TODAY, until)), None);
    assert_eq!((drain(&mut d), d.poll_timeout()), (vec![], Some(at("20T06:13:00").mono)));
    d.handle(at("20T06:13:00"), DeskInput::Timeout);
    assert_eq!(drain(&mut d), ["given 20 1 GO "]);
    // away until after the end of the wait
    let mut d = Desk::new(config(600), book.clone());
    d.restore(at("20T08:00:00"), Some((TODAY, until)), None);
    assert_eq!(drain(&mut d), ["given 20 1 GO "]);
    // killed between the check and the question: it is asked now
    let mut late = Desk::new(config(600), book.clone());
    late.restore(at("20T06:09:00"), None, None);
    assert_eq!(drain(&mut late), ["ask 20 2026-03-20T06:19:00Z"]);
    // given before
    let version = d.book().versions(TODAY)[0].clone();
    book.put_version(TODAY, version);
    let mut d = Desk::new(config(600), book.clone());
    d.restore(at("20T08:00:00"), Some((TODAY, until)), None);
    d.handle(at("20T08:01:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    assert_eq!((drain(&mut d), d.state(TODAY)), (vec![], DayState::Given));
    // a machine without a clock: as soon as it has one
    let mut d = Desk::new(config(600), history());
    d.restore(Now { mono: Mono::from_secs(5), wall: None }, Some((date(2026, 3, 19), until)), None);
    assert_eq!(drain(&mut d), Vec::<String>::new());
    d.handle(at("20T05:00:00"), DeskInput::Timeout);
    assert_eq!(drain(&mut d), ["given 19 1 GO "], "yesterday's wait ended while nobody was there");
}

#[test]
fn ill_needs_no_check_and_the_rest_waits_for_the_end_of_the_morning() {
    let mut d = desk(600);
    assert_eq!(word(&mut d, at("20T06:00:00"), What::Illness(true)), ["keep illness", "given 20 1 REST "]);
    d.handle(at("20T06:03:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    assert_eq!(drain(&mut d), ["given 20 2 REST ln_rmssd,rhr"]);
    let mut d = desk(600);
    assert_eq!(word(&mut d, at("20T06:00:00"), What::Sleep { hours: Some(8.0), quality: None }), ["keep sleep"]);
    assert_eq!(d.poll_timeout(), Some(at("20T10:00:00").mono));
    d.handle(at("20T10:00:00"), DeskInput::Timeout);
    assert_eq!(drain(&mut d), ["given 20 1 GO "]);
    let mut d = desk(600);
    d.handle(at("20T10:00:00"), DeskInput::Timeout);
    assert_eq!(drain(&mut d), Vec::<String>::new(), "nothing was said and nothing measured");
    assert_eq!(
        word(&mut d, at("20T11:00:00"), What::Sleep { hours: Some(8.0), quality: None }),
        ["keep sleep", "given 20 1 GO "]
    );
    // hours that pass are no new input
    assert_eq!(word(&mut d, at("20T15:00:00"), What::Motivation(3)), ["keep motivation"]);
}

#[test]
fn late_words_about_yesterday_make_new_versions_of_both_days() {
    let mut d = desk(0);
    d.handle(at("19T06:03:00"), DeskInput::Reading(reading(date(2026, 3, 19), 45.0)));
    d.handle(at("20T06:03:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    assert_eq!(drain(&mut d), ["given 19 1 GO ", "given 20 1 GO "]);
    let yesterday = Some(date(2026, 3, 19));
    let sleep = Saying::Word(What::Sleep { hours: Some(4.5), quality: None });
    d.say(at("20T09:00:00"), yesterday, Source::Mqtt, sleep).unwrap();
    assert_eq!(drain(&mut d), ["keep sleep", "given 19 2 CAUTION sleep_h", "given 20 2 GO sleep_h"]);
    let run = SessionWords { minutes: Some(60.0), rpe: Some(8.0), ..SessionWords::default() };
    let (_, entry) = d.say(at("20T09:00:00"), yesterday, Source::Mqtt, Saying::Session(run)).unwrap();
    let Some(What::Session(s)) = entry.map(|e| e.what) else { panic!("a session") };
    assert_eq!((s.id.as_str(), s.end), ("2026-03-19-1800", utc("19T18:00:00")));
    assert_eq!(drain(&mut d), ["keep session", "given 20 3 GO load,hours_since_hard"], "yesterday's was over by then");
    assert!(d.say(at("20T09:00:00"), Some(date(2026, 3, 1)), Source::Cli, Saying::Word(GOOD)).is_err());
}

#[test]
fn forms_are_filled_in_piece_by_piece() {
    let mut d = desk(600);
    let now = at("20T09:00:00");
    let say = |d: &mut Desk, s: Saying| d.say(now, None, Source::HomeAssistant, s).map(|_| drain(d));
    assert_eq!(say(&mut d, Saying::DraftRpe(Some(7.0))).unwrap(), ["drafts"]);
    assert!(say(&mut d, Saying::DraftRpe(Some(11.0))).is_err());
    assert!(say(&mut d, Saying::DraftMinutes(Some(0.0))).is_err());
    say(&mut d, Saying::DraftMinutes(Some(50.0))).unwrap();
    assert_eq!(d.drafts(), Drafts { rpe: Some(7.0), minutes: Some(50.0), ..Drafts::default() });
    assert_eq!(say(&mut d, Saying::LogDraft).unwrap(), ["drafts", "keep session"]);
    assert_eq!(d.drafts(), Drafts::default());
    assert!(say(&mut d, Saying::LogDraft).is_err(), "an empty form says nothing");
    // where, then how
    let side = Saying::Pain { course: None, side: Some(crate::readiness::Side::Left) };
    assert_eq!(say(&mut d, side).unwrap(), ["drafts"]);
    say(&mut d, Saying::Pain { course: Some(Some(crate::readiness::PainCourse::WarmsUp)), side: None }).unwrap();
    assert_eq!(d.book().hurts(TODAY), Some((crate::readiness::Side::Left, crate::readiness::PainCourse::WarmsUp)));
    // Hooper's four count once all are there
    use crate::readiness::Item;
    for (item, x) in [(Item::Sleep, 2), (Item::Stress, 3), (Item::Fatigue, 1)] {
        say(&mut d, Saying::Word(What::Item(item, x))).unwrap();
    }
    assert_eq!(d.book().day(TODAY, utc("20T09:00:00"), &V2).hooper.last(), Some(&None));
    say(&mut d, Saying::Word(What::Item(Item::Soreness, 1))).unwrap();
    assert_eq!(d.book().day(TODAY, utc("20T09:00:00"), &V2).hooper.last(), Some(&Some(7.0)));
}

#[test]
fn midnight_is_the_persons_own() {
    let mut d = Desk::new(DeskConfig { time_zone: TimeZone::fixed(jiff::tz::offset(2)), ..config(600) }, history());
    d.restore(at("20T12:00:00"), None, None);
    assert_eq!(d.poll_timeout(), Some(at("20T22:00:00").mono));
    d.say(at("20T12:00:00"), None, Source::Cli, Saying::DraftRpe(Some(3.0))).unwrap();
    d.say(at("20T12:00:00"), None, Source::Cli, Saying::Word(What::Quiet(Quiet::Words))).unwrap();
    d.handle(at("20T22:00:00"), DeskInput::Timeout);
    assert_eq!((d.today(), d.drafts()), (Some(date(2026, 3, 21)), Drafts::default()));
    assert_eq!(d.book().quiet(date(2026, 3, 21)), Quiet::Words, "a holiday lasts until it is ended");
}

#[test]
fn without_a_clock_nothing_is_taken() {
    let mut d = Desk::new(config(600), Book::default());
    let now = Now { mono: Mono::from_secs(9), wall: None };
    let bad = d.say(now, None, Source::Cli, Saying::Word(GOOD)).unwrap_err();
    assert_eq!(bad[0].place, "date");
    // a check that is dated later, when the clock is known
    d.handle(now, DeskInput::Timeout);
    assert_eq!((drain(&mut d), d.poll_timeout()), (vec![], None));
}

proptest! {
    /// In whatever order check and words arrive, the last version of the day is the same, each change of it is told,
    /// and no version is told twice.
    #[test]
    fn the_order_of_arrival_is_irrelevant(order in Just((0..6usize).collect::<Vec<_>>()).prop_shuffle(), wait in prop_oneof![Just(0u64), Just(600)]) {
        let run = |order: &[usize]| {
            let mut d = desk(wait);
            for (i, n) in order.iter().enumerate() {
                let now = at(&format!("20T06:0{i}:00"));
                // an entry's own time decides between two of one slot; here each slot is said once
                let words = [
                    GOOD,
                    What::Sleep { hours: Some(5.4), quality: Some(2) },
                    What::Wellness(Wellness { sleep: 3, stress: 3, fatigue: 6, soreness: 4 }),
                    What::Tag("travel".into(), true),
                    What::Illness(false),
                ];
                match words.get(*n) {
                    Some(what) => drop(d.say(now, None, Source::Mqtt, Saying::Word(what.clone())).unwrap()),
                    None => d.handle(now, DeskInput::Reading(reading(TODAY, 37.0))),
                }
            }
            d.handle(at("20T07:00:00"), DeskInput::Timeout);
            let numbers: Vec<u32> = std::iter::from_fn(|| d.poll_output())
                .filter_map(|o| match o { DeskOutput::Given { version, .. } => Some(version.number), _ => None })
                .collect();
            (numbers, d.book().versions(TODAY).last().unwrap().clone())
        };
        let (numbers, last) = run(&order);
        prop_assert_eq!(&numbers, &(1..=numbers.len() as u32).collect::<Vec<_>>());
        let (_, usual) = run(&[0, 1, 2, 3, 4, 5]);
        prop_assert_eq!((last.day, last.feel, last.verdict), (usual.day, usual.feel, usual.verdict));
    }
}

#[test]
fn a_clock_that_jumps_and_a_journey_give_nothing_twice() {
    let mut d = desk(600);
    d.handle(at("20T06:03:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    drain(&mut d);
    // the wall clock is set back by an hour while the verdict waits: the wait is counted by the other clock
    let set_back = Now { wall: Some(utc("20T05:04:00")), ..at("20T06:04:00") };
    d.handle(set_back, DeskInput::Timeout);
    assert_eq!((drain(&mut d), d.state(TODAY)), (vec![], DayState::WaitingForFeel));
    let end = Now { wall: Some(utc("20T05:13:00")), ..at("20T06:13:00") };
    d.handle(end, DeskInput::Timeout);
    assert_eq!(drain(&mut d), ["given 20 1 GO "]);
    // a journey west: the same local date begins anew and stays given
    d.set_person(TimeZone::fixed(jiff::tz::offset(-10)), time(10, 0, 0, 0));
    d.handle(at("20T08:00:00"), DeskInput::Timeout);
    assert_eq!(d.today(), Some(date(2026, 3, 19)));
    d.handle(at("20T11:00:00"), DeskInput::Timeout);
    d.handle(at("20T12:00:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    assert_eq!((drain(&mut d), d.state(TODAY)), (vec![], DayState::Given));
}

#[test]
fn the_short_and_the_long_day_of_the_year_end_at_their_own_midnight() {
    let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let mut d = Desk::new(DeskConfig { time_zone: berlin, ..config(600) }, Book::default());
    let start: Timestamp = "2026-03-29T08:00:00Z".parse().unwrap();
    let mono = Mono::from_secs(1_000_000);
    d.restore(Now { mono, wall: Some(start) }, None, None);
    // ten by the summer clock is over; midnight lies 14 hours ahead
    assert_eq!(d.poll_timeout(), Some(mono + Duration::from_secs(14 * 3600)));
    let october: Timestamp = "2026-10-24T22:00:00Z".parse().unwrap();
    d.handle(Now { mono, wall: Some(october) }, DeskInput::Timeout);
    // the 25th begins: its morning ends at 10:00 winter time, eleven hours later
    assert_eq!((d.today(), d.poll_timeout()), (Some(date(2026, 10, 25)), Some(mono + Duration::from_secs(11 * 3600))));
}

#[path = "desk_day_tests.rs"]
mod day;
